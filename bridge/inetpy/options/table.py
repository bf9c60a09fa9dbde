"""The options: one row each.

A row says what the option's values look like (`values`), where its value is (`access`), where the
option may stand and what it is for (`option`). All lists of options of `gen_tcp`, `gen_udp` and
`inet` are checked and applied from here, and `Settings` has its defaults from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..packet import RAW as RAW_PACKETS
from .access import Computed, Kept, System, WithoutEffect
from .control import PKTOPTIONS, get_pktoptions, remember_tclass, remember_tos, remember_ttl
from .multicast import (
    ADD,
    DROP,
    INTERFACE,
    add_membership,
    drop_membership,
    get_multicast_if,
    is_short_ipv4,
    set_multicast_if,
)
from .option import (
    CONNECT,
    DATAGRAM_KINDS,
    GET,
    LISTEN,
    OPEN,
    PLACES,
    SET,
    STREAM_KINDS,
    Option,
    SocketKind,
)
from .plain import PlainOption
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
    INT,
    INTERFACE as INTERFACE_VALUE,
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

__all__ = ["DATAGRAM", "DEFAULTS", "INHERITED", "LISTENER", "OPTIONS", "STREAM", "system_options"]

# The lists are those of inet:connect_options/0, listen_options/0 and udp_options/0. An option that is
# not in them can still be set on an open socket.
_OPENED = frozenset((SET, GET))
_TCP = _OPENED | {CONNECT, LISTEN}
_UDP = _OPENED | {OPEN}
_GROUP = frozenset((OPEN, SET))


def _of_system(name: str, access: System, places: frozenset[str] = frozenset(PLACES), **row: Any) -> Option:
    """An option of the system: its type is that of the row of `plain`, in the terms of `inet`."""
    values = access.option.values
    assert values is not None
    assert values.inet is not None
    return Option(name, values.inet, access, places, **row)


ROWS = (
    Option("active", ACTIVE_MODE, Computed(set_active, get_active)),
    Option("add_membership", MEMBERSHIP, Computed(add_membership, options=(*ADD.values(),)), _GROUP,
           inherited=False, repeats=is_short_ipv4, note="the system's refusal is not reported, as in OTP"),
    _of_system("bind_to_device", System("socket", "bindtodevice", reported=True),
           since=25),
    _of_system("broadcast", System("socket", "broadcast"), _UDP),
    Option("buffer", INT, Kept("buffer", 1460, set_buffer)),
    Option("debug", BOOL, Kept("debug", False), inherited=False,
           note="kept and shown; there is no driver here whose steps it could print"),
    Option("delay_send", BOOL, Kept("delay_send", False), _TCP, STREAM_KINDS),
    Option("deliver", DELIVER, Kept("as_port", False)),
    _of_system("dontroute", System("socket", "dontroute"), _UDP),
    Option("drop_membership", MEMBERSHIP, Computed(drop_membership, options=(*DROP.values(),)), _GROUP,
           inherited=False, repeats=is_short_ipv4, note="as add_membership"),
    Option("exclusiveaddruse", BOOL, Kept("exclusiveaddruse", False, ignore), since=28,
           note="Windows only: elsewhere accepted and always false, as in OTP"),
    Option("exit_on_close", BOOL, Kept("exit_on_close", True), _TCP),
    Option("header", UINT, Kept("header", 0)),
    Option("high_msgq_watermark", MESSAGE_LIMIT, Kept("high_msgq_watermark", 8192, set_high_message_limit),
           note="kept, but there is no queue of messages to a port to limit"),
    Option("high_watermark", INT, Kept("high_watermark", 8192, set_high_watermark), _TCP, STREAM_KINDS),
    _of_system("ipv6_v6only", System("ipv6", "v6only", reported=True), _OPENED | {LISTEN, OPEN}),
    _of_system("keepalive", System("socket", "keepalive"), _TCP),
    _of_system("keepcnt", System("tcp", "keepcnt"), _TCP, since=28),
    _of_system("keepidle", System("tcp", "keepidle"), _TCP, since=28),
    _of_system("keepintvl", System("tcp", "keepintvl"), _TCP, since=28),
    Option("line_delimiter", BYTE, Kept("line_delimiter", 10), frozenset((CONNECT, SET)), inherited=False,
           since=25),
    _of_system("linger", System("socket", "linger"), _TCP),
    Option("low_msgq_watermark", MESSAGE_LIMIT, Kept("low_msgq_watermark", 4096, set_low_message_limit),
           note="as high_msgq_watermark"),
    Option("low_watermark", INT, Kept("low_watermark", 4096, set_low_watermark), _TCP, STREAM_KINDS),
    Option("mode", MODE, Kept("as_list", True)),
    Option("multicast_if", INTERFACE_VALUE,
           Computed(set_multicast_if, get_multicast_if, (*INTERFACE.values(),)),
           _UDP, inherited=False, note="of IPv4 the address of an interface, of IPv6 its number"),
    _of_system("multicast_loop", System("ip", "multicast_loop"), _UDP, inherited=False),
    _of_system("multicast_ttl", System("ip", "multicast_ttl"), _UDP, inherited=False),
    Option("netns", PATH, Kept("netns", None), inherited=False,
           note="for the opening of a socket; setting it later changes only what getopts says"),
    _of_system("nodelay", System("tcp", "nodelay"), _TCP),
    _of_system("nopush", System("tcp", "cork"), _OPENED, since=25),
    Option("packet", PACKET, Kept("packet", RAW_PACKETS), _TCP),
    Option("packet_size", UINT, Kept("packet_size", 0), _TCP),
    Option("pktoptions", NOT_SETTABLE, Computed(getter=get_pktoptions, options=(PKTOPTIONS,)),
           frozenset((GET,)), since=28),
    _of_system("priority", System("socket", "priority", reported=True, after=remember_priority)),
    Option("raw", RAW, Computed(set_raw), repeats=lambda _term: True,
           note="raw, with a level, an option and a value: any option of the system"),
    Option("read_ahead", BOOL, Kept("read_ahead", True), _TCP, STREAM_KINDS, since=28),
    Option("read_packets", UINT, Kept("read_packets", 5, set_read_packets), _UDP, DATAGRAM_KINDS,
           inherited=False, note="of datagram sockets; without effect on a connection, as in OTP"),
    _of_system("recbuf", System("socket", "rcvbuf", after=enlarge_buffer), kinds=STREAM_KINDS),
    _of_system("recbuf", System("socket", "rcvbuf", after=enlarge_datagram_buffer),
           kinds=DATAGRAM_KINDS),
    _of_system("recvtclass", System("ipv6", "recvtclass", reported=True, after=remember_tclass),
           since=25),
    _of_system("recvtos", System("ip", "recvtos", reported=True, after=remember_tos), since=25),
    _of_system("recvttl", System("ip", "recvttl", reported=True, after=remember_ttl), since=25),
    _of_system("reuseaddr", System("socket", "reuseaddr")),
    _of_system("reuseport", System("socket", "reuseport"), since=28),
    _of_system("reuseport_lb", System("socket", "reuseport"), since=28),
    Option("send_timeout", TIME, Kept("send_timeout", None), _TCP, STREAM_KINDS),
    Option("send_timeout_close", BOOL, Kept("send_timeout_close", False), _TCP, STREAM_KINDS),
    Option("show_econnreset", BOOL, Kept("show_econnreset", False), _TCP, STREAM_KINDS),
    _of_system("sndbuf", System("socket", "sndbuf")),
    _of_system("tclass", System("ipv6", "tclass", reported=True), since=25),
    _of_system("tos", System("ip", "tos", reported=True)),
    _of_system("ttl", System("ip", "ttl", reported=True), since=25),
    _of_system("user_timeout", System("tcp", "user_timeout"), _TCP, since=28),
)  # fmt: skip


def system_options(row: Option) -> tuple[PlainOption, ...]:
    """The options of the system that do the work of an option of `inet`."""
    match row.access:
        case System(option=option):
            return (option,)
        case Computed(options=options):
            return options
    return ()


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
