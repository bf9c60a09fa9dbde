"""The options of a call that opens a socket: connect, listen, or open of gen_udp.

From `inet:connect_options/2` and its like: the last value of a name wins. An option that is unknown,
of a wrong type, or at the wrong place makes the caller exit with badarg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..codec.terms import Atom
from .applying import Assignment, parse_setting, split
from .option import CONNECT, LISTEN, OPEN, Option, OptionError
from .table import DATAGRAM, LISTENER, STREAM

__all__ = ["OpenOptions", "parse_open"]

_TABLES = {CONNECT: STREAM, LISTEN: LISTENER, OPEN: DATAGRAM}
_ACTIVE = Atom("active")


@dataclass(slots=True)
class OpenOptions:
    """The options of such a call, taken apart.

    assignments: what is to be set on the socket.
    address: an ip tuple, `any`, `loopback`, a sockaddr map, or None.
    descriptor: the value of `fd`.
    """

    assignments: list[Assignment] = field(default_factory=list)
    address: object = None
    port: object = 0
    backlog: object = 5
    netns: bytes | None = None
    descriptor: object = None

    def set_ip(self, value: object) -> None:
        """Of a sockaddr map that came before, only the address is replaced."""
        if isinstance(self.address, Mapping):
            value = {**self.address, Atom("addr"): value}
        self.address = value

    def set_port(self, value: object) -> None:
        """Of a sockaddr map that came before, the port is replaced."""
        if isinstance(self.address, Mapping):
            self.address = {**self.address, Atom("port"): value}
        else:
            self.port = value


class _Assignments:
    """Options by name: the last value of a name wins, unless its row says that values repeat."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._table: Mapping[str, Option] = _TABLES[place]
        self._found: dict[object, Assignment] = {}

    def add(self, name: str, term: object) -> None:
        """Raises OptionError."""
        row, value = parse_setting(self._table, name, term, self._place)
        key: object = (name, len(self._found)) if row.repeats(term) else name
        self._found.pop(key, None)  # it gets the place of the new value
        self._found[key] = row, value

    def value(self, name: str) -> object:
        """None for an option that was not given."""
        return self._found.get(name, (None, None))[1]

    def all(self) -> list[Assignment]:
        return list(self._found.values())


def parse_open(given: object, preset: object, place: str) -> OpenOptions:
    """The options of connect, listen or open. Raises OptionError.

    `preset`: what the application environment of kernel sets before the caller's own
    (inet_default_connect_options); `active` is not taken from it.
    """
    if not isinstance(given, list) or not isinstance(preset, list):
        raise OptionError("not a list")
    result, assignments = OpenOptions(), _Assignments(place)
    assignments.add("active", Atom("true"))
    for term in preset:
        if not (isinstance(term, tuple) and term[:1] == (_ACTIVE,)):
            assignments.add(*split(term))
    for term in given:
        match split(term):
            case "ip", value:
                result.set_ip(value)
            case "ifaddr", value:
                result.address = value
            case "port", value:
                result.set_port(value)
            case "backlog", value if place == LISTEN:
                result.backlog = value
            case "fd", value:
                result.descriptor = value
            case name, value:
                assignments.add(name, value)
    result.netns = assignments.value("netns")  # type: ignore[assignment]
    result.assignments = assignments.all()
    return result
