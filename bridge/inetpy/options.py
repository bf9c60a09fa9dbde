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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import active
from .packet import PACKET_TYPES, RAW
from .terms import Atom

if TYPE_CHECKING:
    from .sockets.handle import Handle

__all__ = [
    "DEFAULTS",
    "INHERITED",
    "OPTIONS",
    "OpenOptions",
    "Option",
    "OptionError",
    "apply",
    "get",
    "parse_open",
    "parse_settings",
]

TRUE = Atom("true")
FALSE = Atom("false")
INFINITY = Atom("infinity")

CONNECT, LISTEN, SET, GET = "connect", "listen", "setopts", "getopts"
EVERYWHERE = frozenset((CONNECT, LISTEN, SET, GET))


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


def _parse_int(term: object) -> int:
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
    return struct.pack("ii", _parse_bool(on), _parse_int(seconds))


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
INT = Kind(_parse_int, _identity)
UINT = Kind(_parse_uint, _identity)
TIME = Kind(_parse_time, lambda value: INFINITY if value is None else value)
LINGER = Kind(_parse_linger, _build_linger)
ACTIVE_MODE = Kind(_parse_active, _identity)
MODE = _enum({Atom("list"): True, Atom("binary"): False})
PACKET = _enum(PACKET_TYPES, lambda value: value.value)


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
    if not handle.buffer_set:
        handle.buffer = max(handle.buffer, value)


def _set_high_watermark(handle: Handle, value: Any) -> None:
    handle.high_watermark = max(value, 0)
    handle.low_watermark = min(handle.low_watermark, handle.high_watermark)


def _set_low_watermark(handle: Handle, value: Any) -> None:
    handle.low_watermark = max(value, 0)
    handle.high_watermark = max(handle.high_watermark, handle.low_watermark)


@dataclass(frozen=True, slots=True)
class Option:
    """One option. Exactly one of `constant` and `attribute` says where it lives.

    places: where it may stand.
    level, constant: for setsockopt(2) and getsockopt(2).
    attribute, default: of our socket, and its value on a new one.
    set, get: in place of plain assignment and reading.
    after: called after the system has taken the value, or refused it.
    inherited: an accepted socket starts with the listener's value.
    """

    name: str
    kind: Kind
    places: frozenset[str] = EVERYWHERE
    level: int = socket.SOL_SOCKET
    constant: int | None = None
    attribute: str = ""
    default: object = None
    set: Callable[[Handle, object], None] | None = None
    get: Callable[[Handle], object] | None = None
    after: Callable[[Handle, object], None] | None = None
    inherited: bool = True

    def apply(self, handle: Handle, value: Any) -> None:
        if self.constant is not None:
            handle.set_system_option(self.level, self.constant, value)
            if self.after is not None:
                self.after(handle, value)
        elif self.set is not None:
            self.set(handle, value)
        else:
            setattr(handle, self.attribute, value)

    def read(self, handle: Handle) -> object:
        """The value as a term. Raises OSError where the system has none."""
        if self.constant is not None:
            size = 8 if self.kind is LINGER else 0
            return self.kind.build(handle.get_system_option(self.level, self.constant, size))
        if self.get is not None:
            return self.get(handle)
        return self.kind.build(getattr(handle, self.attribute))


_ROWS = (
    Option("active", ACTIVE_MODE, attribute="active", default=active.PASSIVE,
           set=_set_active, get=_get_active, inherited=False),
    Option("buffer", INT, attribute="buffer", default=1460, set=_set_buffer),
    Option("exit_on_close", BOOL, attribute="exit_on_close", default=True),
    Option("high_watermark", INT, attribute="high_watermark", default=8192,
           set=_set_high_watermark),
    Option("keepalive", BOOL, constant=socket.SO_KEEPALIVE),
    Option("linger", LINGER, constant=socket.SO_LINGER),
    Option("low_watermark", INT, attribute="low_watermark", default=4096,
           set=_set_low_watermark),
    Option("mode", MODE, attribute="as_list", default=True),
    Option("nodelay", BOOL, level=socket.IPPROTO_TCP, constant=socket.TCP_NODELAY),
    Option("packet", PACKET, attribute="packet", default=RAW),
    Option("packet_size", UINT, attribute="packet_size", default=0),
    Option("recbuf", INT, constant=socket.SO_RCVBUF, after=_after_recbuf),
    Option("reuseaddr", BOOL, constant=socket.SO_REUSEADDR),
    Option("send_timeout", TIME, attribute="send_timeout", default=None),
    Option("send_timeout_close", BOOL, attribute="send_timeout_close", default=False),
    Option("show_econnreset", BOOL, attribute="show_econnreset", default=False),
    Option("sndbuf", INT, constant=socket.SO_SNDBUF),
)  # fmt: skip

OPTIONS: dict[str, Option] = {row.name: row for row in _ROWS}

# The attributes of a new socket, and those that an accepted one takes from its listener.
DEFAULTS = {row.attribute: row.default for row in _ROWS if row.attribute}
INHERITED = tuple(row.attribute for row in _ROWS if row.attribute and row.inherited)

Settings = list[tuple[Option, object]]


@dataclass(slots=True)
class OpenOptions:
    """The options of connect or listen, taken apart.

    address: an ip tuple, `any`, `loopback`, a sockaddr map, or None.
    """

    settings: Settings = field(default_factory=list)
    address: object = None
    port: object = 0
    backlog: object = 5


def parse_settings(terms: object, place: str = SET) -> Settings:
    """The rows and values of a list for setopts. Raises OptionError."""
    if not isinstance(terms, list):
        raise OptionError(f"not a list: {terms!r}")
    return [_parse_setting(term, place) for term in terms]


def _parse_setting(term: object, place: str) -> tuple[Option, object]:
    if isinstance(term, Atom) and term.name in ("list", "binary"):
        name, value = "mode", term
    elif isinstance(term, tuple) and len(term) == 2 and isinstance(term[0], Atom):
        name, value = term[0].name, term[1]
    else:
        raise OptionError(f"not an option: {term!r}")
    row = OPTIONS.get(name)
    if row is None or place not in row.places:
        raise OptionError(f"unknown option: {name}")
    try:
        return row, row.kind.parse(value)
    except (KeyError, TypeError, ValueError):
        raise OptionError(f"bad value for {name}: {value!r}") from None


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
            if isinstance(result.address, dict):
                result.address = {**result.address, Atom("port"): term[1]}
            else:
                result.port = term[1]
        elif name == "backlog" and place == LISTEN:
            result.backlog = term[1]
        else:
            _add(byname, term, place)
    result.settings = list(byname.values())
    return result


def _is_pair(term: object) -> bool:
    return isinstance(term, tuple) and len(term) == 2 and isinstance(term[0], Atom)


def _merge_address(current: object, name: str, value: object) -> object:
    """`ip` after a sockaddr map replaces the map's address only."""
    if name == "ip" and isinstance(current, dict):
        return {**current, Atom("addr"): value}
    return value


def _add(byname: dict[str, tuple[Option, object]], term: object, place: str) -> None:
    row, value = _parse_setting(term, place)
    byname.pop(row.name, None)
    byname[row.name] = (row, value)


def apply(handle: Handle, settings: Settings) -> None:
    """Sets them on `handle`, the last first. Raises OptionError where one fails."""
    for row, value in reversed(settings):
        row.apply(handle, value)


def get(handle: Handle, names: object) -> list[tuple[Atom, object]]:
    """What getopts answers: an option that the system refuses is left out."""
    if not isinstance(names, list):
        raise OptionError(f"not a list: {names!r}")
    rows = []
    for name in names:
        row = OPTIONS.get(name.name) if isinstance(name, Atom) else None
        if row is None or GET not in row.places:
            raise OptionError(f"unknown option: {name!r}")
        rows.append((name, row))
    answer = []
    for name, row in rows:
        try:
            answer.append((name, row.read(handle)))
        except OSError:
            continue
    return answer
