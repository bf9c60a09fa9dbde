"""Socket options: one row per option.

A row says what the option's values look like, where it may stand, and what
setting and getting it mean: a socket option of the system (`level` and
`constant`) or an attribute of our socket (`attribute`). All lists of options
of `gen_tcp` and `inet` are checked and applied from here.

Rules that hold for all rows, from `inet:connect_options/2`, `prim_inet:setopts/2`
and inet_drv:
- In connect and listen, the last value of a name wins. What is unknown, or of
  a wrong type, or at the wrong place, makes the caller exit with badarg.
- setopts and getopts answer einval for it, and nothing is changed.
- A list is applied from its end to its beginning, until a setting fails.
- The system's refusal of an option is not reported, unless the row says so.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from . import active
from .addresses import is_ip
from .packet import PACKET_TYPES, RAW
from .terms import Atom, Charlist, ImproperList

if TYPE_CHECKING:
    from .sockets.handle import Handle

__all__ = [
    "DEFAULTS",
    "Ended",
    "INHERITED",
    "MAX_DATAGRAM",
    "OPTIONS",
    "PLACES",
    "OpenOptions",
    "Option",
    "OptionError",
    "apply",
    "elements",
    "get",
    "parse_int",
    "parse_open",
    "parse_settings",
]

MAX_DATAGRAM = 1 << 16  # no datagram is larger

TRUE = Atom("true")
FALSE = Atom("false")
INFINITY = Atom("infinity")

CONNECT, LISTEN, OPEN, SET, GET = "connect", "listen", "open", "setopts", "getopts"
PLACES = (CONNECT, LISTEN, OPEN, SET, GET)
EVERYWHERE = frozenset(PLACES)


class Ended(Exception):  # noqa: N818
    """Setting this option closed the socket: the remaining options are skipped."""


class OptionError(ValueError):
    """A list of options that is refused, as einval or badarg."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of values: `parse` makes the value that we keep, `build` the term again.

    `parse` raises KeyError, ValueError or TypeError for a term of another type.
    """

    parse: Callable[[object], object]
    build: Callable[[Any], object]


def _parse_bool(term: object) -> bool:
    if term == TRUE:
        return True
    if term == FALSE:
        return False
    raise ValueError(term)


def _build_bool(value: object) -> Atom:
    return TRUE if value else FALSE


def parse_int(term: object) -> int:
    """Any integer; what goes to the driver are its lower 32 bits, signed."""
    if type(term) is not int:
        raise ValueError(term)
    return (term + (1 << 31)) % (1 << 32) - (1 << 31)


def _parse_uint(term: object) -> int:
    if type(term) is not int or term < 0:
        raise ValueError(term)
    return term % (1 << 32)


def _parse_time(term: object) -> int | None:
    return None if term == INFINITY else _parse_uint(term)


def _parse_linger(term: Any) -> bytes:
    on, seconds = term
    return struct.pack("ii", _parse_bool(on), parse_int(seconds))


def _build_linger(value: Any) -> tuple[Atom, int]:
    on, seconds = struct.unpack("ii", value)
    return _build_bool(on), seconds


def _parse_active(term: object) -> tuple[int, int]:
    """(mode, increment of the count)."""
    if isinstance(term, Atom):
        return active.NAMES[term], 0
    if type(term) is not int or term not in active.COUNT_RANGE:
        raise ValueError(term)
    return active.MULTI, term


def _parse_device(term: object) -> bytes:
    if type(term) is not bytes:
        raise ValueError(term)
    return term + b"\0"


def _parse_path(term: object) -> bytes:
    """A file name: a binary, or a list of characters."""
    if type(term) is bytes:
        return term
    if isinstance(term, (Charlist, list)):
        return "".join(map(chr, term)).encode()
    raise ValueError(term)


def _refuse(term: object) -> object:
    raise ValueError(term)


def _identity(value: object) -> object:
    return value


def _enum(values: Mapping[Any, object], build: Callable[[Any], object] | None = None) -> Kind:
    inverse = {value: term for term, value in values.items()}

    def parse(term: object) -> object:
        if type(term) is not Atom and type(term) is not int:
            raise ValueError(term)
        return values[term]

    return Kind(parse, build or inverse.__getitem__)


BOOL = Kind(_parse_bool, _build_bool)
INT = Kind(parse_int, _identity)
UINT = Kind(_parse_uint, _identity)
MESSAGE_LIMIT = Kind(parse_int, lambda value: min(value, (1 << 31) - 1))
TIME = Kind(_parse_time, lambda value: INFINITY if value is None else value)
LINGER = Kind(_parse_linger, _build_linger)
ACTIVE_MODE = Kind(_parse_active, _identity)
MODE = _enum({Atom("list"): True, Atom("binary"): False})
DELIVER = _enum({Atom("term"): False, Atom("port"): True})
DEVICE = Kind(_parse_device, lambda value: value.split(b"\0", 1)[0])
PATH = Kind(_parse_path, _identity)
NOTHING = Kind(_refuse, _identity)
PACKET = _enum(PACKET_TYPES, lambda value: value.value)


def _parse_interface(term: Any) -> bytes:
    """The address of an interface, or its number, in the order of the network."""
    if is_ip(term, socket.AF_INET):
        return bytes(term)
    return struct.pack(">i", parse_int(term))


def _parse_membership(term: Any) -> tuple[int, bytes]:
    """(family, what setsockopt takes) of `{Group, Interface}` and `{Group, Interface, Index}`."""
    if not isinstance(term, tuple) or len(term) not in (2, 3):
        raise ValueError(term)
    group, interface, *rest = term
    if len(term) == 2 and is_ip(group, socket.AF_INET6):
        words = b"".join(struct.pack(">H", word) for word in group)
        return socket.AF_INET6, words + struct.pack("i", parse_int(interface))
    if interface == Atom("any"):
        interface = (0, 0, 0, 0)
    if not (is_ip(group, socket.AF_INET) and is_ip(interface, socket.AF_INET)):
        raise ValueError(term)
    index = parse_int(rest[0]) if rest else 0
    return socket.AF_INET, bytes(group) + bytes(interface) + struct.pack("i", index)


INTERFACE = Kind(_parse_interface, _identity)
MEMBERSHIP = Kind(_parse_membership, _identity)


# --- setting an attribute where it is more than an assignment -----------------


def _set_active(handle: Handle, value: Any) -> None:
    mode, increment = value
    handle.set_active(mode, increment)


def _get_active(handle: Handle) -> object:
    if handle.active == active.MULTI:
        return handle.active_count
    return (FALSE, TRUE, Atom("once"))[handle.active]


def _set_buffer(handle: Handle, value: Any) -> None:
    handle.buffer = max(value, 1)
    handle.buffer_set = True


def _after_recbuf(handle: Handle, value: Any) -> None:
    """A kernel buffer larger than ours enlarges ours, until `buffer` was set."""
    if handle.buffer_set:
        return
    if handle.kind == "datagram" and value > MAX_DATAGRAM:
        handle.buffer = MAX_DATAGRAM
    else:
        handle.buffer = max(handle.buffer, value)


def _mark(handle: Handle, _value: Any) -> None:
    """The priority is not what it was: Linux does not hand it on to accepted sockets."""
    handle.marked = True


def _set_high_watermark(handle: Handle, value: Any) -> None:
    handle.high_watermark = max(value, 0)
    handle.low_watermark = min(handle.low_watermark, handle.high_watermark)


def _set_low_watermark(handle: Handle, value: Any) -> None:
    handle.low_watermark = max(value, 0)
    handle.high_watermark = max(handle.high_watermark, handle.low_watermark)


def _message_limit(value: int) -> int:
    """A limit of the emulator's queue of messages to a port, which is of 64 bits without a sign."""
    limit = value % (1 << 64)
    if limit in (0, (1 << 64) - 1):
        raise OptionError("no limit of a queue of messages")
    return limit


def _set_high_message_limit(handle: Handle, value: Any) -> None:
    handle.high_msgq_watermark = _message_limit(value)
    handle.low_msgq_watermark = min(handle.low_msgq_watermark, handle.high_msgq_watermark)


def _set_low_message_limit(handle: Handle, value: Any) -> None:
    handle.low_msgq_watermark = _message_limit(value)
    handle.high_msgq_watermark = max(handle.high_msgq_watermark, handle.low_msgq_watermark)


def _set_line_delimiter(handle: Handle, value: Any) -> None:
    handle.line_delimiter = value & 0xFF


def _ignore(_handle: Handle, _value: Any) -> None:
    """Without effect in OTP too, on this system or this kind of socket."""


def _set_read_packets(handle: Handle, value: Any) -> None:
    if handle.kind != "datagram":
        return
    if value == 0:
        raise OptionError("read_packets is less than 1")
    handle.read_packets = value


def _get_read_packets(handle: Handle) -> object:
    if handle.kind != "datagram":
        raise OSError("not of this kind of socket")
    return handle.read_packets


def _set_multicast_if(handle: Handle, value: Any) -> None:
    family = handle.family()
    if family not in _MULTICAST_IF:
        raise OptionError("no socket of the internet")
    level, constant = _MULTICAST_IF[family]
    handle.set_system_option(level, constant, value)


def _get_multicast_if(handle: Handle) -> object:
    family = handle.family()
    if family not in _MULTICAST_IF:
        raise OptionError("no socket of the internet")
    if family == socket.AF_INET6:
        return handle.get_system_option(IPV6, socket.IPV6_MULTICAST_IF, 0)
    return tuple(handle.get_system_option(IP, socket.IP_MULTICAST_IF, 4))  # type: ignore[arg-type]


_MULTICAST_IF: dict[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_MULTICAST_IF),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF),
}
_MEMBERSHIPS: dict[tuple[int, bool], tuple[int, int]] = {
    (socket.AF_INET, True): (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP),
    (socket.AF_INET, False): (socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP),
    (socket.AF_INET6, True): (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP),
    (socket.AF_INET6, False): (socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP),
}


def _set_membership(join: bool) -> Callable[[Handle, Any], None]:
    def set_membership(handle: Handle, value: Any) -> None:
        family, request = value
        if handle.family() != family:
            raise OptionError("a group of another family")
        level, constant = _MEMBERSHIPS[family, join]
        handle.set_system_option(level, constant, request)

    return set_membership


def _get_netns(handle: Handle) -> object:
    if handle.netns is None:
        raise OSError("not set")
    text = handle.netns.decode(errors="surrogateescape")
    return Charlist(handle.netns) if text.isascii() else [ord(character) for character in text]


def _track(bit: int) -> Callable[[Handle, Any], None]:
    """Notes that datagrams come with control messages, or no longer."""

    def track(handle: Handle, value: Any) -> None:
        handle.controls = handle.controls | bit if value else handle.controls & ~bit

    return track


# Of linux/in.h and in6.h, where Python has no names for them.
IP_RECVTTL, IP_PKTOPTIONS, IPV6_2292PKTOPTIONS = 12, 9, 6

# (level, type of a control message) -> the option that it is about
_CONTROL = {
    (socket.IPPROTO_IP, socket.IP_TOS): Atom("tos"),
    (socket.IPPROTO_IP, socket.IP_TTL): Atom("ttl"),
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): Atom("tclass"),
}
_CONTROL_PLACES = {option.name: place for place, option in _CONTROL.items()}


def _get_pktoptions(handle: Handle) -> object:
    """The options of the last packets, as far as recvtos and the like ask for them."""
    family = handle.family()
    if family == socket.AF_UNIX:
        raise OptionError("no socket of the internet")
    six = family == socket.AF_INET6
    place = (IPV6, IPV6_2292PKTOPTIONS) if six else (IP, IP_PKTOPTIONS)
    data = handle.get_system_option(*place, 1024)
    return parse_control(data)  # type: ignore[arg-type]


def parse_control(data: bytes) -> list[tuple[Atom, int]]:
    """The values in a buffer of control messages (cmsg(3)) that are options of ours."""
    found = []
    at = 0
    while at + 16 <= len(data):
        size, level, kind = struct.unpack_from("Nii", data, at)
        if size < 16:
            break
        found.append((level, kind, data[at + 16 : at + size]))
        at += (size + 7) & ~7
    return parse_messages(found)


def parse_messages(control: list[tuple[int, int, bytes]]) -> list[tuple[Atom, int]]:
    """The same, of what recvmsg(2) gives."""
    return [
        (_CONTROL[level, kind], int.from_bytes(data[: 4 if len(data) >= 4 else 1], "little"))
        for level, kind, data in control
        if (level, kind) in _CONTROL
    ]


def build_control(ancillary: object) -> list[tuple[int, int, bytes]]:
    """`[{tos, N}, {ttl, N}, {tclass, N}]` for sendmsg(2). Raises what `elements` raises."""
    control = []
    for row, value in parse_settings(ancillary):
        place = _CONTROL_PLACES.get(row.name)
        if place is None:
            raise OptionError(f"no control message: {row.name}")
        control.append((*place, struct.pack("i", value)))
    return control


@dataclass(frozen=True, slots=True)
class Option:
    """One option. It lives in the system (`constant`) or in our socket (`attribute`).

    places: where it may stand.
    level, constant, size: for setsockopt(2) and getsockopt(2); a size for bytes.
    reported: whether the system's refusal is einval, or nothing.
    attribute, default: of our socket, and its value on a new one.
    set, get: in place of plain assignment and reading.
    after: called after the system has taken the value, or refused it.
    inherited: an accepted socket starts with the listener's value.
    since: the edition of OTP whose documentation has it first (17: or before).
    note: what a user should know.
    of_streams: on datagram sockets it is taken without effect, and getopts leaves it out.
    """

    name: str
    kind: Kind
    places: frozenset[str] = EVERYWHERE
    level: int = socket.SOL_SOCKET
    constant: int | None = None
    size: int = 0
    reported: bool = False
    attribute: str = ""
    default: object = None
    set: Callable[[Handle, Any], None] | None = None
    get: Callable[[Handle], object] | None = None
    after: Callable[[Handle, Any], None] | None = None
    inherited: bool = True
    since: int = 17
    note: str = ""
    of_streams: bool = False

    def apply(self, handle: Handle, value: Any) -> None:
        if self.of_streams and handle.kind == "datagram":
            return
        if self.constant is not None:
            if not handle.set_system_option(self.level, self.constant, value) and self.reported:
                raise OptionError(f"the system refuses {self.name}")
            if self.after is not None:
                self.after(handle, value)
        elif self.set is not None:
            self.set(handle, value)
        else:
            setattr(handle, self.attribute, value)

    def read(self, handle: Handle) -> object:
        """The value as a term. Raises OSError where the system has none."""
        if self.of_streams and handle.kind == "datagram":
            raise OSError("not of datagram sockets")
        if self.constant is not None:
            return self.kind.build(handle.get_system_option(self.level, self.constant, self.size))
        if self.get is not None:
            return self.get(handle)
        return self.kind.build(getattr(handle, self.attribute))


IP, IPV6, TCP = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.IPPROTO_TCP

# Where options may stand. The lists are those of inet:connect_options/0, listen_options/0
# and udp_options/0; what is not in them can still be set on an open socket.
OPENED = frozenset((SET, GET))
ON_TCP = OPENED | {CONNECT, LISTEN}
ON_UDP = OPENED | {OPEN}

_ROWS = (
    Option("active", ACTIVE_MODE, attribute="active", default=active.PASSIVE,
           set=_set_active, get=_get_active, inherited=False),
    Option("add_membership", MEMBERSHIP, frozenset((OPEN, SET)), set=_set_membership(True), inherited=False,
           note="the system's refusal is not reported, as in OTP"),
    Option("bind_to_device", DEVICE, constant=socket.SO_BINDTODEVICE, size=16, reported=True, since=25),
    Option("broadcast", BOOL, ON_UDP, constant=socket.SO_BROADCAST),
    Option("buffer", INT, attribute="buffer", default=1460, set=_set_buffer),
    Option("debug", BOOL, attribute="debug", default=False, inherited=False,
           note="kept and shown; there is no driver here whose steps it could print"),
    Option("delay_send", BOOL, ON_TCP, of_streams=True, attribute="delay_send", default=False),
    Option("deliver", DELIVER, attribute="as_port", default=False),
    Option("dontroute", BOOL, ON_UDP, constant=socket.SO_DONTROUTE),
    Option("drop_membership", MEMBERSHIP, frozenset((OPEN, SET)), set=_set_membership(False), inherited=False,
           note="as add_membership"),
    Option("exclusiveaddruse", BOOL, attribute="exclusiveaddruse", default=False,
           set=_ignore, since=28, note="Windows only: elsewhere accepted and always false, as in OTP"),
    Option("exit_on_close", BOOL, ON_TCP, attribute="exit_on_close", default=True),
    Option("header", UINT, attribute="header", default=0),
    Option("high_msgq_watermark", MESSAGE_LIMIT, attribute="high_msgq_watermark", default=8192,
           set=_set_high_message_limit,
           note="kept, but there is no queue of messages to a port to limit"),
    Option("high_watermark", INT, ON_TCP, of_streams=True, attribute="high_watermark", default=8192,
           set=_set_high_watermark),
    Option("ipv6_v6only", BOOL, OPENED | {LISTEN, OPEN}, level=IPV6,
           constant=socket.IPV6_V6ONLY, reported=True),
    Option("keepalive", BOOL, ON_TCP, constant=socket.SO_KEEPALIVE),
    Option("keepcnt", INT, ON_TCP, level=TCP, constant=socket.TCP_KEEPCNT, since=28),
    Option("keepidle", INT, ON_TCP, level=TCP, constant=socket.TCP_KEEPIDLE, since=28),
    Option("keepintvl", INT, ON_TCP, level=TCP, constant=socket.TCP_KEEPINTVL, since=28),
    Option("line_delimiter", INT, frozenset((CONNECT, SET)), attribute="line_delimiter", default=10,
           set=_set_line_delimiter, inherited=False, since=25),
    Option("linger", LINGER, ON_TCP, constant=socket.SO_LINGER, size=8),
    Option("low_msgq_watermark", MESSAGE_LIMIT, attribute="low_msgq_watermark", default=4096,
           set=_set_low_message_limit, note="as high_msgq_watermark"),
    Option("low_watermark", INT, ON_TCP, of_streams=True, attribute="low_watermark", default=4096,
           set=_set_low_watermark),
    Option("mode", MODE, attribute="as_list", default=True),
    Option("multicast_if", INTERFACE, ON_UDP, inherited=False, set=_set_multicast_if, get=_get_multicast_if,
           note="of IPv4 the address of an interface, of IPv6 its number"),
    Option("multicast_loop", BOOL, ON_UDP, level=IP, constant=socket.IP_MULTICAST_LOOP, inherited=False),
    Option("multicast_ttl", INT, ON_UDP, level=IP, constant=socket.IP_MULTICAST_TTL, inherited=False),
    Option("netns", PATH, attribute="netns", default=None, get=_get_netns, inherited=False,
           note="for the opening of a socket; setting it later changes only what getopts says"),
    Option("nodelay", BOOL, ON_TCP, level=TCP, constant=socket.TCP_NODELAY),
    Option("nopush", BOOL, OPENED, level=TCP, constant=socket.TCP_CORK, since=25),
    Option("packet", PACKET, ON_TCP, attribute="packet", default=RAW),
    Option("packet_size", UINT, ON_TCP, attribute="packet_size", default=0),
    Option("pktoptions", NOTHING, frozenset((GET,)), get=_get_pktoptions, since=28),
    Option("priority", INT, constant=socket.SO_PRIORITY, reported=True, after=_mark),
    Option("raw", NOTHING, note="raw, with a level, an option and a value: any option of the system"),
    Option("read_ahead", BOOL, ON_TCP, of_streams=True, attribute="read_ahead", default=True, since=28),
    Option("read_packets", UINT, ON_UDP, attribute="read_packets", default=5, inherited=False,
           set=_set_read_packets, get=_get_read_packets,
           note="of datagram sockets; without effect on a connection, as in OTP"),
    Option("recbuf", INT, constant=socket.SO_RCVBUF, after=_after_recbuf),
    Option("recvtclass", BOOL, level=IPV6, constant=socket.IPV6_RECVTCLASS, reported=True,
           after=_track(1), since=25),
    Option("recvtos", BOOL, level=IP, constant=socket.IP_RECVTOS, reported=True, after=_track(2), since=25),
    Option("recvttl", BOOL, level=IP, constant=IP_RECVTTL, reported=True, after=_track(4), since=25),
    Option("reuseaddr", BOOL, constant=socket.SO_REUSEADDR),
    Option("reuseport", BOOL, constant=socket.SO_REUSEPORT, since=28),
    Option("reuseport_lb", BOOL, constant=socket.SO_REUSEPORT, since=28),
    Option("send_timeout", TIME, ON_TCP, of_streams=True, attribute="send_timeout", default=None),
    Option("send_timeout_close", BOOL, ON_TCP, of_streams=True, attribute="send_timeout_close",
           default=False),
    Option("show_econnreset", BOOL, ON_TCP, of_streams=True, attribute="show_econnreset", default=False),
    Option("sndbuf", INT, constant=socket.SO_SNDBUF),
    Option("tclass", INT, level=IPV6, constant=socket.IPV6_TCLASS, reported=True, since=25),
    Option("tos", INT, level=IP, constant=socket.IP_TOS, reported=True),
    Option("ttl", INT, level=IP, constant=socket.IP_TTL, reported=True, since=25),
    Option("user_timeout", UINT, ON_TCP, level=TCP, constant=socket.TCP_USER_TIMEOUT, since=28),
)  # fmt: skip

OPTIONS: dict[str, Option] = {row.name: row for row in _ROWS}

# The attributes of a new socket, and those that an accepted one takes from its listener.
DEFAULTS = {row.attribute: row.default for row in _ROWS if row.attribute}
INHERITED = frozenset(row.attribute for row in _ROWS if row.attribute and row.inherited)

Settings = list[tuple[Option, object]]


@dataclass(slots=True)
class OpenOptions:
    """The options of connect or listen, taken apart.

    address: an ip tuple, `any`, `loopback`, a sockaddr map, or None.
    descriptor: the value of `fd`.
    """

    settings: Settings = field(default_factory=list)
    address: object = None
    port: object = 0
    backlog: object = 5
    netns: bytes | None = None
    descriptor: object = None


def elements(terms: object) -> Iterator[object]:
    """The elements of a list. Raises OptionError for what is none.

    Behind the elements of a list that does not end in `[]`, ValueError: there the stock functions fail.
    """
    if isinstance(terms, ImproperList):
        yield from terms.items
        raise ValueError("an improper list")
    if not isinstance(terms, list):
        raise OptionError("not a list")
    yield from terms


def parse_settings(terms: object, place: str = SET) -> Settings:
    """The rows and values of a list for setopts. Raises OptionError, or as `elements`."""
    return [_parse_setting(term, place) for term in elements(terms)]


def _parse_setting(term: object, place: str) -> tuple[Option, object]:
    raw = _raw_parts(term)
    if raw is not None:
        return _parse_raw(*raw)
    if isinstance(term, Atom) and term.name in ("list", "binary"):
        name, value = "mode", term
    elif isinstance(term, tuple) and len(term) == 2 and isinstance(term[0], Atom):
        name, value = term[0].name, term[1]
    else:
        raise OptionError("not an option")
    row = OPTIONS.get(name)
    if row is None or place not in row.places:
        raise OptionError(f"unknown option: {name}")
    try:
        return row, row.kind.parse(value)
    except (KeyError, TypeError, ValueError):
        raise OptionError(f"bad value for {name}") from None


def _raw_parts(term: object) -> tuple[object, object, object] | None:
    """(level, option, value) of `{raw, L, O, V}` or `{raw, {L, O, V}}`."""
    match term:
        case (Atom(name="raw"), level, option, value):
            return level, option, value
        case (Atom(name="raw"), (level, option, value)):
            return level, option, value
    return None


def _parse_raw(level: object, option: object, value: object) -> tuple[Option, object]:
    if type(level) is not int or type(option) is not int or type(value) is not bytes:
        raise OptionError("raw takes two integers and a binary")
    row = Option("raw", NOTHING, level=parse_int(level), constant=parse_int(option))
    return row, value


MAX_RAW = (1 << 16) - 14  # bytes of a raw option: the stock driver answers in 64 KB


def _parse_raw_request(level: object, option: object, value: object) -> tuple[int, int, int]:
    """(level, option, size) of a raw option in getopts: the value is a size, or a binary of it."""
    try:
        size = len(value) if type(value) is bytes else _parse_uint(value)
        parts = parse_int(level), parse_int(option), size
    except ValueError:
        raise OptionError("raw takes two integers, and a size or a binary") from None
    if size > MAX_RAW:
        raise OptionError("more than the answer has room for")
    return parts


def _read_raw(handle: Handle, level: int, option: int, size: int) -> object:
    # Python reads no more at once, and the system has no larger option of a socket.
    data = handle.get_system_option(level, option, min(size, 1024)) if size else b""
    return Atom("raw"), level, option, data


_ADDRESS_NAMES = ("ip", "ifaddr")


def parse_open(given: object, preset: object, place: str) -> OpenOptions:
    """The options of connect or listen. Raises OptionError.

    `preset` is what the application environment of kernel sets before the
    caller's own (inet_default_connect_options); `active` is not taken from it.
    """
    result = OpenOptions()
    byname: dict[str, tuple[Option, object]] = {}
    _add(byname, (Atom("active"), TRUE), place)
    if not isinstance(given, list) or not isinstance(preset, list):
        raise OptionError("not a list")
    for term in preset:
        if not (isinstance(term, tuple) and term[:1] == (Atom("active"),)):
            _add(byname, term, place)
    for term in given:
        name = term[0].name if _is_pair(term) else ""
        if name in _ADDRESS_NAMES:
            result.address = _merge_address(result.address, name, term[1])
        elif name == "port":
            if isinstance(result.address, Mapping):
                result.address = {**result.address, Atom("port"): term[1]}
            else:
                result.port = term[1]
        elif name == "backlog" and place == LISTEN:
            result.backlog = term[1]
        elif name == "fd":
            result.descriptor = term[1]
        else:
            _add(byname, term, place)
    netns = byname.get("netns")
    if netns is not None:
        result.netns = netns[1]  # type: ignore[assignment]
    result.settings = list(byname.values())
    return result


def _is_pair(term: object) -> bool:
    return isinstance(term, tuple) and len(term) == 2 and isinstance(term[0], Atom)


def _merge_address(current: object, name: str, value: object) -> object:
    """`ip` after a sockaddr map replaces the map's address only."""
    if name == "ip" and isinstance(current, Mapping):
        return {**current, Atom("addr"): value}
    return value


def _add(byname: dict[str, tuple[Option, object]], term: object, place: str) -> None:
    row, value = _parse_setting(term, place)
    # raw stands for many options, so none takes the place of another; nor does a group
    # of IPv4 in its short form (inet:udp_opt/3).
    many = row.name == "raw" or (row.kind is MEMBERSHIP and len(term[1]) == 2 and len(term[1][0]) == 4)  # type: ignore[index]
    name = f"{row.name} {len(byname)}" if many else row.name
    byname.pop(name, None)
    byname[name] = (row, value)


def apply(handle: Handle, settings: Settings) -> None:
    """Sets them on `handle`, the last first. Raises OptionError where one fails."""
    try:
        for row, value in reversed(settings):
            row.apply(handle, value)
    except Ended:
        pass


def get(handle: Handle, names: object) -> list[object]:
    """What getopts answers: an option that the system refuses is left out."""
    readers = [_reader(handle, name) for name in elements(names)]
    answer = []
    for reader in readers:
        try:
            answer.append(reader())
        except OSError:
            continue
    return answer


def _reader(handle: Handle, name: object) -> Callable[[], object]:
    raw = _raw_parts(name)
    if raw is not None:
        return partial(_read_raw, handle, *_parse_raw_request(*raw))
    row = OPTIONS.get(name.name) if isinstance(name, Atom) else None
    if row is None or GET not in row.places or row.name == "raw":
        raise OptionError("unknown option")
    return lambda: (name, row.read(handle))
