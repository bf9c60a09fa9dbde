"""Flags of messages: those that `socket` has names for, and their numbers."""

from __future__ import annotations

from typing import Any

from ...codec.terms import Atom, ImproperList
from ...names.sockaddr import BadTerm
from .values import Fails, elements

__all__ = ["FLAGS", "build_flags", "parse_flags"]

# Of linux/socket.h; Python has no names for all of them.
FLAGS = {
    "cmsg_cloexec": 0x40000000,
    "confirm": 0x800,
    "ctrunc": 0x8,
    "dontroute": 0x4,
    "eor": 0x80,
    "errqueue": 0x2000,
    "more": 0x8000,
    "nosignal": 0x4000,
    "oob": 0x1,
    "peek": 0x2,
    "trunc": 0x20,
}
_NUMBERS = {Atom(name): number for name, number in FLAGS.items()}


def parse_flags(term: Any) -> int:
    """The number of a list of flags, or of a number. Raises BadTerm, or Fails for what is no list."""
    if term == []:
        return 0
    if type(term) is int:
        return term
    number = 0
    flags, end = elements(term)
    if not flags and end is not None:
        raise Fails(Atom("function_clause"))
    for at, flag in enumerate(flags):
        if isinstance(flag, Atom):
            if flag not in _NUMBERS:
                raise BadTerm((Atom("msg_flag"), flag))
            number |= _NUMBERS[flag]
        elif type(flag) is int and flag >= 0:
            number |= flag
        else:
            raise _bad(flags[at:] if end is None else ImproperList(flags[at:], end))
    if end is not None:
        raise _bad(end)
    return number


def _bad(term: Any) -> BadTerm:
    return BadTerm((Atom("msg_flags"), term), fails=True)


def build_flags(number: int) -> list[Any]:
    """The flags of a received message."""
    return [name for name, bit in _NUMBERS.items() if number & bit]
