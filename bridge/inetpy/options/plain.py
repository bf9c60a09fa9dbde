"""The options of the system: one row each, by the level and the name that `socket` has for it.

Options of `inet` whose work is done by the system name a row here: see `table`.

A row without a number is an option that `socket` has a name for, but does not have on Linux: `supports` says
false of it, and getopt and setopt refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .plain_control import build_messages
from .plain_values import (
    ADDRESS_FORM,
    ASSOCINFO,
    BOOL,
    CONGESTION,
    DEVICE,
    DOMAIN,
    EVENTS,
    FILTER,
    HOPS,
    INITMSG,
    INT,
    INT_GET,
    IP_INTERFACE,
    LEVELS,
    LINGER,
    MEMBERSHIP,
    MEMBERSHIP6,
    MTU_DISCOVER,
    PROTOCOL,
    SOURCE,
    TOS,
    TYPE,
    UINT,
    PlainType,
)

__all__ = ["PLAIN_OPTIONS", "PlainOption", "Where"]

PKTOPTIONS = PlainType(None, build_messages, "control messages", 1024)


class Where(NamedTuple):
    """The sockets that have an option."""

    domains: tuple[str, ...] = ("inet", "inet6", "local")
    types: tuple[str, ...] = ("stream", "dgram", "raw", "seqpacket")


_INTERNET = ("inet", "inet6")
_OF_LEVEL = {
    "socket": Where(),
    "ip": Where(_INTERNET),
    "ipv6": Where(("inet6",)),
    "tcp": Where(_INTERNET, ("stream",)),
    "udp": Where(_INTERNET, ("dgram",)),
    "sctp": Where(_INTERNET, ("stream", "seqpacket")),
}
_OF_OPTION = {
    ("socket", "passcred"): Where(("local",)),
    ("ip", "pktoptions"): Where(_INTERNET, ("stream",)),
    ("ipv6", "authhdr"): Where((), ()),
    ("ipv6", "hoplimit"): Where((), ()),
}


class PlainOption(NamedTuple):
    """A row of the table.

    number, values: None where the option is not supported.
    named: the first edition of OTP that has the name; 22 is the first with the module.
    since, until: the editions that support the option.
    """

    level: str
    name: str
    number: int | None = None
    values: PlainType | None = None
    named: int = 22
    since: int = 22
    until: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Level and number, for setsockopt(2). Only of an option that the system has."""
        assert self.number is not None
        return LEVELS[self.level], self.number

    @property
    def size(self) -> int:
        """The bytes of a value; 0 for an int. Only of an option that the system has."""
        assert self.values is not None
        return self.values.size

    @property
    def where(self) -> Where:
        return _OF_OPTION.get((self.level, self.name), _OF_LEVEL[self.level])

    def is_supported(self, release: int) -> bool:
        return (
            self.number is not None
            and self.since <= release
            and (self.until is None or release <= self.until)
        )


_ROWS: tuple[PlainOption, ...] = tuple(
    PlainOption(level, *row)
    for level, rows in {
        "socket": (
            ("acceptconn", 30, BOOL), ("acceptfilter",), ("bindtodevice", 25, DEVICE),
            ("broadcast", 6, BOOL), ("bsp_state", None, None, 26), ("busy_poll",), ("debug", 1, INT),
            ("domain", 39, DOMAIN), ("dontroute", 5, BOOL), ("error",),
            ("exclusiveaddruse", None, None, 26), ("keepalive", 9, BOOL), ("linger", 13, LINGER), ("mark",),
            ("maxdg", None, None, 26), ("max_msg_size", None, None, 26), ("oobinline", 10, BOOL),
            ("passcred", 16, BOOL), ("peek_off", 42, INT), ("peercred",), ("priority", 12, INT),
            ("protocol", 38, PROTOCOL), ("rcvbuf", 8, INT), ("rcvbufforce",), ("rcvlowat", 18, INT),
            ("rcvtimeo",), ("reuseaddr", 2, BOOL), ("reuseport", 15, BOOL), ("rxq_ovfl",), ("setfib",),
            ("sndbuf", 7, INT), ("sndbufforce",), ("sndlowat", 19, INT), ("sndtimeo",),
            ("timestamp", 29, BOOL), ("type", 3, TYPE),
        ),
        "ip": (
            ("add_membership", 35, MEMBERSHIP), ("add_source_membership", 39, SOURCE),
            ("block_source", 38, SOURCE), ("dontfrag",), ("drop_membership", 36, MEMBERSHIP),
            ("drop_source_membership", 40, SOURCE), ("freebind", 15, BOOL), ("hdrincl", 3, BOOL),
            ("minttl", 21, INT), ("msfilter", 41, FILTER), ("mtu", 14, INT_GET),
            ("mtu_discover", 10, MTU_DISCOVER), ("multicast_all", 49, BOOL),
            ("multicast_if", 32, IP_INTERFACE), ("multicast_loop", 34, BOOL), ("multicast_ttl", 33, INT),
            ("nodefrag", 22, BOOL), ("options",), ("pktinfo", 8, BOOL), ("pktoptions", 9, PKTOPTIONS),
            ("recvdstaddr",), ("recverr", 11, BOOL), ("recvif",), ("recvopts", 6, BOOL),
            ("recvorigdstaddr", 20, BOOL), ("recvtos", 13, BOOL), ("recvttl", 12, BOOL),
            ("retopts", 7, BOOL), ("router_alert", 5, INT), ("sendsrcaddr",), ("tos", 1, TOS),
            ("transparent", 19, BOOL), ("ttl", 2, INT), ("unblock_source", 37, SOURCE),
        ),
        "ipv6": (
            ("addrform", 1, ADDRESS_FORM), ("add_membership", 20, MEMBERSHIP6), ("authhdr", 10, BOOL),
            ("auth_level",), ("checksum",), ("drop_membership", 21, MEMBERSHIP6), ("dstopts", 59, BOOL),
            ("esp_network_level",), ("esp_trans_level",), ("faith",), ("flowinfo", 11, BOOL, 22, 22, 27),
            ("hoplimit", 52, BOOL), ("hopopts", 54, BOOL), ("ipcomp_level",), ("join_group",),
            ("leave_group",), ("mtu", 24, INT), ("mtu_discover", 23, MTU_DISCOVER),
            ("multicast_hops", 18, HOPS), ("multicast_if", 17, INT), ("multicast_loop", 19, BOOL),
            ("pktoptions",), ("portrange",), ("recverr", 25, BOOL), ("recvhoplimit", 51, BOOL),
            ("recvpktinfo", 49, BOOL), ("recvtclass", 66, BOOL), ("router_alert", 22, INT),
            ("rthdr", 57, BOOL), ("tclass", 67, INT), ("unicast_hops", 16, HOPS), ("use_min_mtu",),
            ("v6only", 26, BOOL),
        ),
        "tcp": (
            ("congestion", 13, CONGESTION), ("cork", 3, BOOL), ("info",), ("keepcnt", 6, INT, 22, 28),
            ("keepidle", 4, INT, 22, 28), ("keepintvl", 5, INT, 22, 28), ("maxseg", 2, INT), ("md5sig",),
            ("nodelay", 1, BOOL), ("noopt",), ("nopush",), ("syncnt",), ("user_timeout", 18, UINT, 22, 28),
        ),
        "udp": (("cork", 1, BOOL),),
        "sctp": (
            ("adaption_layer",), ("associnfo", 1, ASSOCINFO), ("auth_active_key",), ("auth_chunk",),
            ("auth_delete_key",), ("auth_key",), ("autoclose", 4, INT), ("context",),
            ("default_send_params",), ("delayed_ack_time",), ("disable_fragments", 8, BOOL),
            ("hmac_ident",), ("events", 11, EVENTS), ("explicit_eor",), ("fragment_interleave",),
            ("get_peer_addr_info",), ("initmsg", 2, INITMSG), ("i_want_mapped_v4_addr",),
            ("local_auth_chunks",), ("maxseg", 13, INT), ("maxburst",), ("nodelay", 3, BOOL),
            ("partial_delivery_point",), ("peer_addr_params",), ("peer_auth_chunks",), ("primary_addr",),
            ("reset_streams",), ("rtoinfo", 0, None), ("set_peer_primary_addr",), ("status",),
            ("use_ext_recvinfo",),
        ),
    }.items()
    for row in rows
)  # fmt: skip

PLAIN_OPTIONS: Mapping[tuple[str, str], PlainOption] = {(row.level, row.name): row for row in _ROWS}
