"""The arguments of faults: which values they take, and how these are parsed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ..host.errors import POSIX_NAMES

__all__ = [
    "BYTES", "COUNT", "ERRNO", "MS", "RATE", "RESOLVER_ERRORS", "SHARE", "SIZE", "Values", "one_of",
    "optional",
]  # fmt: skip

FASTEST = 1e15  # bytes/s
RESOLVER_ERRORS = ("nxdomain", "timeout", "try_again", "no_recovery", "no_data", "einval")


class Values(NamedTuple):
    """Which values an argument takes.

    unit: "ms", "bytes", "count", "share" (a probability), "rate" (bytes per second) or "word".
    parse: gives a value as it is kept. Raises ValueError.
    least: of numbers.
    words: all there are, of one_of.
    """

    unit: str
    parse: Callable[[object], Any]
    least: int = 0
    words: tuple[str, ...] = ()


_UNITS = {
    "bit": 1 / 8,
    "kbit": 1e3 / 8,
    "mbit": 1e6 / 8,
    "gbit": 1e9 / 8,
    "b": 1,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)(?:/s|ps)\s*", re.IGNORECASE)


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        raise ValueError(f"{what} is a number, not {value!r}")
    return value


def _ms(value: object) -> float:
    number = _number(value, "a time in ms")
    if not 0 <= number < 1 << 40:
        raise ValueError(f"a time in ms is 0 or more, not {value!r}")
    return number


def _share(value: object) -> float:
    number = _number(value, "a probability")
    if not 0 <= number <= 1:
        raise ValueError(f"a probability is from 0 to 1, not {value!r}")
    return number


def _whole(unit: str, what: str, least: int) -> Values:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 62:
            raise ValueError(f"{what} is a whole number from {least} on, not {value!r}")
        return value

    return Values(unit, parse, least)


def _rate(value: object) -> float:
    """Bytes per second."""
    if isinstance(value, (str, bytes)):
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        match = _RATE.fullmatch(text)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(
                f'a rate is a number of bytes/s, or text as "256kbit/s" or "2MB/s", not {text!r}'
            )
        value = float(match[1]) * _UNITS[match[2].lower()]
    number = _number(value, "a rate")
    if not 0 < number <= FASTEST:
        raise ValueError(f"a rate is more than 0, and no more than {FASTEST:g}, not {value!r}")
    return number


def _name(value: object) -> str:
    """Erlang has atoms, binaries and strings for names."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").lower()
    name = getattr(value, "name", value)
    if not isinstance(name, str):
        raise ValueError(f"a name is text, not {value!r}")
    return name.lower()


def _errno(value: object) -> str:
    name = _name(value)
    if name not in POSIX_NAMES and name not in RESOLVER_ERRORS:
        raise ValueError(f"{name!r} is no error of a call: it is named as in Erlang, econnreset for example")
    return name


def _is_undefined(value: object) -> bool:
    return getattr(value, "name", None) in ("undefined", "nil", "none")


def one_of(*names: str) -> Values:
    def parse(value: object) -> str:
        name = _name(value)
        if name not in names:
            raise ValueError(f"{name!r} is none of {', '.join(names)}")
        return name

    return Values("word", parse, words=names)


def optional(values: Values) -> Values:
    """None, too."""
    return values._replace(
        parse=lambda value: None if value is None or _is_undefined(value) else values.parse(value)
    )


MS = Values("ms", _ms)
SHARE = Values("share", _share)
SIZE = _whole("bytes", "a size in bytes", 1)
BYTES = _whole("bytes", "a number of bytes", 0)
COUNT = _whole("count", "a count", 1)
RATE = Values("rate", _rate, 1)
ERRNO = Values("word", _errno)
