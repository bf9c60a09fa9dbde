"""The options: one row each.

A row says what the option's values look like (`values`), where its value is (`access`), where the
option may stand and what it is for (`option`). All lists of options of `gen_tcp`, `gen_udp` and
`inet` are checked and applied from here, and `Settings` has its defaults from here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from socket import IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, SOL_SOCKET as SOCKET
from typing import Any

from ..packet import RAW as RAW_PACKETS
from .access import Computed, Kept, System, WithoutEffect
from .control import get_pktoptions, remember_tclass, remember_tos, remember_ttl
from .multicast import add_membership, drop_membership, get_multicast_if, is_short_ipv4, set_multicast_if
from .option import (
    CONNECT,
    DATAGRAM_KINDS,
    GET,
    LISTEN,
    OPEN,
    SET,
    STREAM_KINDS,
    Option,
    SocketKind,
)
from .raw import set_raw
from .setters import (
    enlarge_buffer,
    enlarge_datagram_buffer,
    get_active,
    ignore,
    remember_priority,
    set_active,
    set_buffer,
    set_high_message_limit,
    set_high_watermark,
    set_low_message_limit,
    set_low_watermark,
    set_read_packets,
)
from .values import (
    ACTIVE_MODE,
    BOOL,
    BYTE,
    DELIVER,
    DEVICE,
    INT,
    INTERFACE,
    LINGER,
    MEMBERSHIP,
    MESSAGE_LIMIT,
    MODE,
    NOT_SETTABLE,
    PACKET,
    PATH,
    RAW,
    TIME,
    UINT,
)

__all__ = ["DATAGRAM", "DEFAULTS", "INHERITED", "LISTENER", "OPTIONS", "STREAM"]

# The lists are those of inet:connect_options/0, listen_options/0 and udp_options/0. An option that is
# not in them can still be set on an open socket.
_OPENED = frozenset((SET, GET))
_TCP = _OPENED | {CONNECT, LISTEN}
_UDP = _OPENED | {OPEN}
_GROUP = frozenset((OPEN, SET))

IP_RECVTTL = 12  # of linux/in.h; Python has no name for it

ROWS = (
    Option("active", ACTIVE_MODE, Computed(set_active, get_active)),
    Option("add_membership", MEMBERSHIP, Computed(add_membership), _GROUP, inherited=False,
           repeats=is_short_ipv4, note="the system's refusal is not reported, as in OTP"),
    Option("bind_to_device", DEVICE, System(SOCKET, socket.SO_BINDTODEVICE, size=16, reported=True),
           since=25),
    Option("broadcast", BOOL, System(SOCKET, socket.SO_BROADCAST), _UDP),
    Option("buffer", INT, Kept("buffer", 1460, set_buffer)),
    Option("debug", BOOL, Kept("debug", False), inherited=False,
           note="kept and shown; there is no driver here whose steps it could print"),
    Option("delay_send", BOOL, Kept("delay_send", False), _TCP, STREAM_KINDS),
    Option("deliver", DELIVER, Kept("as_port", False)),
    Option("dontroute", BOOL, System(SOCKET, socket.SO_DONTROUTE), _UDP),
    Option("drop_membership", MEMBERSHIP, Computed(drop_membership), _GROUP, inherited=False,
           repeats=is_short_ipv4, note="as add_membership"),
    Option("exclusiveaddruse", BOOL, Kept("exclusiveaddruse", False, ignore), since=28,
           note="Windows only: elsewhere accepted and always false, as in OTP"),
    Option("exit_on_close", BOOL, Kept("exit_on_close", True), _TCP),
    Option("header", UINT, Kept("header", 0)),
    Option("high_msgq_watermark", MESSAGE_LIMIT, Kept("high_msgq_watermark", 8192, set_high_message_limit),
           note="kept, but there is no queue of messages to a port to limit"),
    Option("high_watermark", INT, Kept("high_watermark", 8192, set_high_watermark), _TCP, STREAM_KINDS),
    Option("ipv6_v6only", BOOL, System(IPV6, socket.IPV6_V6ONLY, reported=True), _OPENED | {LISTEN, OPEN}),
    Option("keepalive", BOOL, System(SOCKET, socket.SO_KEEPALIVE), _TCP),
    Option("keepcnt", INT, System(TCP, socket.TCP_KEEPCNT), _TCP, since=28),
    Option("keepidle", INT, System(TCP, socket.TCP_KEEPIDLE), _TCP, since=28),
    Option("keepintvl", INT, System(TCP, socket.TCP_KEEPINTVL), _TCP, since=28),
    Option("line_delimiter", BYTE, Kept("line_delimiter", 10), frozenset((CONNECT, SET)), inherited=False,
           since=25),
    Option("linger", LINGER, System(SOCKET, socket.SO_LINGER, size=8), _TCP),
    Option("low_msgq_watermark", MESSAGE_LIMIT, Kept("low_msgq_watermark", 4096, set_low_message_limit),
           note="as high_msgq_watermark"),
    Option("low_watermark", INT, Kept("low_watermark", 4096, set_low_watermark), _TCP, STREAM_KINDS),
    Option("mode", MODE, Kept("as_list", True)),
    Option("multicast_if", INTERFACE, Computed(set_multicast_if, get_multicast_if), _UDP, inherited=False,
           note="of IPv4 the address of an interface, of IPv6 its number"),
    Option("multicast_loop", BOOL, System(IP, socket.IP_MULTICAST_LOOP), _UDP, inherited=False),
    Option("multicast_ttl", INT, System(IP, socket.IP_MULTICAST_TTL), _UDP, inherited=False),
    Option("netns", PATH, Kept("netns", None), inherited=False,
           note="for the opening of a socket; setting it later changes only what getopts says"),
    Option("nodelay", BOOL, System(TCP, socket.TCP_NODELAY), _TCP),
    Option("nopush", BOOL, System(TCP, socket.TCP_CORK), _OPENED, since=25),
    Option("packet", PACKET, Kept("packet", RAW_PACKETS), _TCP),
    Option("packet_size", UINT, Kept("packet_size", 0), _TCP),
    Option("pktoptions", NOT_SETTABLE, Computed(getter=get_pktoptions), frozenset((GET,)), since=28),
    Option("priority", INT, System(SOCKET, socket.SO_PRIORITY, reported=True, after=remember_priority)),
    Option("raw", RAW, Computed(set_raw), repeats=lambda _term: True,
           note="raw, with a level, an option and a value: any option of the system"),
    Option("read_ahead", BOOL, Kept("read_ahead", True), _TCP, STREAM_KINDS, since=28),
    Option("read_packets", UINT, Kept("read_packets", 5, set_read_packets), _UDP, DATAGRAM_KINDS,
           inherited=False, note="of datagram sockets; without effect on a connection, as in OTP"),
    Option("recbuf", INT, System(SOCKET, socket.SO_RCVBUF, after=enlarge_buffer), kinds=STREAM_KINDS),
    Option("recbuf", INT, System(SOCKET, socket.SO_RCVBUF, after=enlarge_datagram_buffer),
           kinds=DATAGRAM_KINDS),
    Option("recvtclass", BOOL, System(IPV6, socket.IPV6_RECVTCLASS, reported=True, after=remember_tclass),
           since=25),
    Option("recvtos", BOOL, System(IP, socket.IP_RECVTOS, reported=True, after=remember_tos), since=25),
    Option("recvttl", BOOL, System(IP, IP_RECVTTL, reported=True, after=remember_ttl), since=25),
    Option("reuseaddr", BOOL, System(SOCKET, socket.SO_REUSEADDR)),
    Option("reuseport", BOOL, System(SOCKET, socket.SO_REUSEPORT), since=28),
    Option("reuseport_lb", BOOL, System(SOCKET, socket.SO_REUSEPORT), since=28),
    Option("send_timeout", TIME, Kept("send_timeout", None), _TCP, STREAM_KINDS),
    Option("send_timeout_close", BOOL, Kept("send_timeout_close", False), _TCP, STREAM_KINDS),
    Option("show_econnreset", BOOL, Kept("show_econnreset", False), _TCP, STREAM_KINDS),
    Option("sndbuf", INT, System(SOCKET, socket.SO_SNDBUF)),
    Option("tclass", INT, System(IPV6, socket.IPV6_TCLASS, reported=True), since=25),
    Option("tos", INT, System(IP, socket.IP_TOS, reported=True)),
    Option("ttl", INT, System(IP, socket.IP_TTL, reported=True), since=25),
    Option("user_timeout", UINT, System(TCP, socket.TCP_USER_TIMEOUT), _TCP, since=28),
)  # fmt: skip


def _table(kind: SocketKind) -> dict[str, Option]:
    """The options as sockets of `kind` have them. A name may have a row per kind."""
    without_effect = {row.name: row._replace(access=WithoutEffect()) for row in ROWS}
    return without_effect | {row.name: row for row in ROWS if kind in row.kinds}


# By name: all options, and as each kind of sockets has them.
OPTIONS: Mapping[str, Option] = {row.name: row for row in ROWS}
STREAM: Mapping[str, Option] = _table("stream")
LISTENER: Mapping[str, Option] = _table("listener")
DATAGRAM: Mapping[str, Option] = _table("datagram")


def _kept(rows: tuple[Option, ...]) -> Iterator[tuple[Option, Kept]]:
    return ((row, row.access) for row in rows if isinstance(row.access, Kept))


# The fields of `Settings` that are options: their values on a new socket, and those of them that an
# accepted socket has from its listener.
DEFAULTS: dict[str, Any] = {kept.field: kept.default for _, kept in _kept(ROWS)}
INHERITED = tuple(kept.field for row, kept in _kept(ROWS) if row.inherited)
