"""The types of options' values: how a term becomes the value that we keep, and a term again."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..codec.terms import Atom, Charlist
from ..names.addresses import is_ip
from ..packet import PACKET_TYPES
from ..wire import active

__all__ = [
    "ACTIVE_MODE", "BOOL", "BYTE", "DELIVER", "DEVICE", "INT", "INTERFACE", "LINGER", "MEMBERSHIP",
    "MESSAGE_LIMIT", "MODE", "NOT_SETTABLE", "PACKET", "PATH", "RAW", "TIME", "UINT", "ValueType",
    "parse_int", "parse_uint",
]  # fmt: skip

TRUE = Atom("true")
FALSE = Atom("false")
ONCE = Atom("once")
INFINITY = Atom("infinity")
ANY = Atom("any")


class ValueType(NamedTuple):
    """A type of values.

    parse: the value of a term. Raises KeyError, OverflowError, TypeError or ValueError for a term of
        another type.
    build: the term of a value. Raises OSError when there is nothing to show.
    """

    parse: Callable[[Any], object]
    build: Callable[[Any], object]


def _same(value: object) -> object:
    return value


# --- numbers and words --------------------------------------------------------


def _parse_bool(term: object) -> bool:
    if term == TRUE:
        return True
    if term == FALSE:
        return False
    raise ValueError(term)


def _build_bool(value: object) -> Atom:
    return TRUE if value else FALSE


def parse_int(term: object) -> int:
    """Any integer. The driver gets its lower 32 bits, signed."""
    if type(term) is not int:
        raise ValueError(term)
    return (term + (1 << 31)) % (1 << 32) - (1 << 31)


def parse_uint(term: object) -> int:
    """An integer that is not negative. The driver gets its lower 32 bits."""
    if type(term) is not int or term < 0:
        raise ValueError(term)
    return term % (1 << 32)


def _parse_byte(term: object) -> int:
    return parse_int(term) & 0xFF


def _build_message_limit(value: int) -> int:
    return min(value, (1 << 31) - 1)


def _parse_time(term: object) -> int | None:
    return None if term == INFINITY else parse_uint(term)


def _build_time(value: int | None) -> object:
    return INFINITY if value is None else value


def _enum(values: Mapping[Any, object], build: Callable[[Any], object] | None = None) -> ValueType:
    """Terms that each stand for a value. Without `build` no two terms stand for the same."""
    terms = {value: term for term, value in values.items()}

    def parse(term: object) -> object:
        if type(term) is not Atom and type(term) is not int:
            raise ValueError(term)
        return values[term]

    return ValueType(parse, build or terms.__getitem__)


BOOL = ValueType(_parse_bool, _build_bool)
INT = ValueType(parse_int, _same)
UINT = ValueType(parse_uint, _same)
BYTE = ValueType(_parse_byte, _same)
MESSAGE_LIMIT = ValueType(parse_int, _build_message_limit)
TIME = ValueType(_parse_time, _build_time)
MODE = _enum({Atom("list"): True, Atom("binary"): False})
DELIVER = _enum({Atom("term"): False, Atom("port"): True})
PACKET = _enum(PACKET_TYPES, lambda value: value.value)


# --- the active mode ----------------------------------------------------------


def _parse_active(term: object) -> tuple[int, int]:
    """(mode, number to add to the count)."""
    if isinstance(term, Atom):
        return active.NAMES[term], 0
    if type(term) is not int or term not in active.COUNT_RANGE:
        raise ValueError(term)
    return active.MULTI, term


def _build_active(value: tuple[int, int]) -> object:
    """`value` is (mode, count)."""
    mode, count = value
    return count if mode == active.MULTI else (FALSE, TRUE, ONCE)[mode]


ACTIVE_MODE = ValueType(_parse_active, _build_active)


# --- structures of the system -------------------------------------------------


def _tuple(term: object) -> tuple[Any, ...]:
    if not isinstance(term, tuple):
        raise ValueError(term)
    return term


def _parse_linger(term: Any) -> bytes:
    on, seconds = _tuple(term)
    return struct.pack("ii", _parse_bool(on), parse_int(seconds))


def _build_linger(value: bytes) -> tuple[Atom, int]:
    on, seconds = struct.unpack("ii", value)
    return _build_bool(on), seconds


def _parse_device(term: object) -> bytes:
    if type(term) is not bytes:
        raise ValueError(term)
    return term + b"\0"


def _build_device(value: bytes) -> bytes:
    return value.split(b"\0", 1)[0]


def _parse_path(term: object) -> bytes:
    """A file name: a binary, or a list of characters."""
    if type(term) is bytes:
        return term
    if isinstance(term, (Charlist, list)):
        return "".join(map(chr, term)).encode()
    raise ValueError(term)


def _build_path(value: bytes | None) -> object:
    if value is None:
        raise OSError("not set")
    text = value.decode(errors="surrogateescape")
    return Charlist(value) if text.isascii() else [ord(character) for character in text]


def _parse_interface(term: Any) -> bytes:
    """The address of an interface, or its number, in the order of the network."""
    if is_ip(term, socket.AF_INET):
        return bytes(term)
    return struct.pack(">i", parse_int(term))


def _build_interface(value: int | bytes) -> object:
    return value if isinstance(value, int) else tuple(value)


def _parse_membership(term: Any) -> tuple[int, bytes]:
    """(family, structure for setsockopt) of `{Group, Interface}` or `{Group, Interface, Index}`."""
    group, interface, *rest = _tuple(term)
    if len(term) > 3:
        raise ValueError(term)
    if len(term) == 2 and is_ip(group, socket.AF_INET6):
        words = b"".join(struct.pack(">H", word) for word in group)
        return socket.AF_INET6, words + struct.pack("i", parse_int(interface))
    if interface == ANY:
        interface = (0, 0, 0, 0)
    if not (is_ip(group, socket.AF_INET) and is_ip(interface, socket.AF_INET)):
        raise ValueError(term)
    index = parse_int(rest[0]) if rest else 0
    return socket.AF_INET, bytes(group) + bytes(interface) + struct.pack("i", index)


def _parse_raw(term: Any) -> tuple[int, int, bytes]:
    """(level, constant, value)."""
    level, constant, value = _tuple(term)
    if type(value) is not bytes:
        raise ValueError(term)
    return parse_int(level), parse_int(constant), value


def _refuse(term: object) -> object:
    raise ValueError(term)


LINGER = ValueType(_parse_linger, _build_linger)
DEVICE = ValueType(_parse_device, _build_device)
PATH = ValueType(_parse_path, _build_path)
INTERFACE = ValueType(_parse_interface, _build_interface)
MEMBERSHIP = ValueType(_parse_membership, _same)
RAW = ValueType(_parse_raw, _same)
NOT_SETTABLE = ValueType(_refuse, _same)
