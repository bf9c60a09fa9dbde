"""`{raw, Level, Option, Value}`: any option of the system, by its numbers."""

from __future__ import annotations

from ..codec.terms import Atom
from .option import OptionError, Target
from .values import parse_int, parse_uint

__all__ = ["parse_raw_request", "read_raw", "set_raw"]

MAX_RAW = (1 << 16) - 14  # bytes of a value in getopts: the stock driver answers in 64 KB
MAX_READ = 1024  # bytes that Python reads at once; the system has no larger option of a socket


def set_raw(target: Target, value: tuple[int, int, bytes]) -> None:
    target.set_system_option(*value)


def parse_raw_request(level: object, constant: object, value: object) -> tuple[int, int, int]:
    """(level, constant, size) of a name in getopts. Its value is a size, or a binary of that size."""
    try:
        size = len(value) if type(value) is bytes else parse_uint(value)
        request = parse_int(level), parse_int(constant), size
    except ValueError:
        raise OptionError("raw takes two integers, and a size or a binary") from None
    if size > MAX_RAW:
        raise OptionError("more than the answer has room for")
    return request


def read_raw(target: Target, level: int, constant: int, size: int) -> object:
    """The element of an answer of getopts. Raises OSError."""
    data = target.get_system_option(level, constant, min(size, MAX_READ)) if size else b""
    return Atom("raw"), level, constant, data
