"""IP addresses as text: the parsers and the formatter of `inet`, without I/O.

An address is a tuple of four bytes or of eight words. Parsers raise ValueError.

The lenient parser of IPv4 follows inet_aton(3): one to four fields, hexadecimal after 0x, octal
after 0. Like OTP it differs from inet_aton(3) in two points: a field may have a sign, and a
hexadecimal zero is refused. IPv6 follows RFC 4291. The scope of an address in fe80::/16 or
ff02::/16, written after `%0`, is in the second word of the tuple.
"""

from __future__ import annotations

import re
from itertools import groupby

__all__ = [
    "format_address",
    "map_address",
    "parse_address",
    "parse_ipv4",
    "parse_ipv4_strict",
    "parse_ipv6",
    "parse_ipv6_strict",
    "parse_strict",
]

Ipv4 = tuple[int, ...]
Ipv6 = tuple[int, ...]

# The prefix of a field: "0x" and zeros (base 16), zeros (base 8), or nothing (base 10). Then for each
# base, how many characters may follow.
_START = re.compile(r"(0[xX]0*)?(0+)?")
_SIZES = {16: 8, 8: 11, 10: 10}
_NUMBER = re.compile(r"[+-]?[0-9a-zA-Z]+", re.ASCII)
_STRICT_FIELD = re.compile(r"0|(?!0)[+-]?[0-9]+", re.ASCII)
_GROUP = re.compile(r"[0-9a-fA-F]{1,4}", re.ASCII)
_SCOPED = (0xFE80, 0xFF02)


def parse_ipv4(text: str) -> Ipv4:
    """Lenient: "1.2" is 1.0.0.2, "0x7f.1" is 127.0.0.1."""
    fields = [_lenient_field(field) for field in text.split(".")]
    if len(fields) > 4:
        raise ValueError(text)
    last_bits = 8 * (5 - len(fields))
    if any(field > 255 for field in fields[:-1]) or fields[-1] >= 1 << last_bits:
        raise ValueError(text)
    return (*fields[:-1], *fields[-1].to_bytes(last_bits // 8, "big"))


def _lenient_field(field: str) -> int:
    hexadecimal, octal = _START.match(field).groups()  # type: ignore[union-attr]
    base = 16 if hexadecimal else 8 if octal else 10
    digits = field[len(hexadecimal or octal or "") :]
    if len(digits) > _SIZES[base]:
        raise ValueError(field)
    if base == 8:
        digits = "0" + digits  # "0" alone leaves no digits
    return _number(digits, base)


def _number(digits: str, base: int) -> int:
    """The number that erlang:list_to_integer/2 reads. Raises ValueError if it is negative."""
    if not _NUMBER.fullmatch(digits):
        raise ValueError(digits)
    value = int(digits, base)
    if value < 0:
        raise ValueError(digits)
    return value


def parse_ipv4_strict(text: str) -> Ipv4:
    """Four decimal fields without leading zeros."""
    fields = text.split(".")
    if len(fields) != 4 or any(len(field) > 3 or not _STRICT_FIELD.fullmatch(field) for field in fields):
        raise ValueError(text)
    values = tuple(_number(field, 10) for field in fields)
    if max(values) > 255:
        raise ValueError(text)
    return values


def parse_ipv6(text: str) -> Ipv6:
    """Lenient: an IPv4 address becomes an IPv4-mapped address."""
    try:
        return map_address(parse_ipv4(text))
    except ValueError:
        return parse_ipv6_strict(text)


def parse_ipv6_strict(text: str) -> Ipv6:
    body, mark, scope = text.partition("%")
    head, gap, tail = body.partition("::")
    if mark and gap and not head and not tail:
        raise ValueError(text)
    first, last = _words(head, not gap and not mark), _words(tail, not mark)
    count = len(first) + len(last)
    if count > 7 if gap else count != 8:
        raise ValueError(text)
    words = (*first, *(0,) * (8 - count), *last)
    if not mark:
        return words
    if words[0] not in _SCOPED or words[1] != 0:
        raise ValueError(text)
    return (words[0], _scope(scope), *words[2:])


def _words(text: str, may_end_dotted: bool) -> tuple[int, ...]:
    """The words of "a:b:c". The last part may be an IPv4 address, with `may_end_dotted`."""
    if not text:
        return ()
    *groups, end = text.split(":")
    dotted: tuple[int, ...] = ()
    if "." in end and may_end_dotted and _GROUP.fullmatch(end.partition(".")[0]):
        a, b, c, d = parse_ipv4_strict(end)
        dotted = (a << 8 | b, c << 8 | d)
    else:
        groups.append(end)
    if not all(map(_GROUP.fullmatch, groups)):
        raise ValueError(text)
    return (*(int(group, 16) for group in groups), *dotted)


def _scope(text: str) -> int:
    """The scope as a number if it starts with 0. Otherwise it is a name, which OTP ignores: 0."""
    if not text.startswith("0"):
        return 0
    digits = text[1:]
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError(text)
    value = int(digits or "0")
    if value > 0xFFFF:
        raise ValueError(text)
    return value


def parse_address(text: str) -> tuple[int, ...]:
    """IPv4 in its lenient form, or IPv6."""
    try:
        return parse_ipv4(text)
    except ValueError:
        return parse_ipv6_strict(text)


def parse_strict(text: str) -> tuple[int, ...]:
    """IPv4 in its strict form, or IPv6."""
    try:
        return parse_ipv4_strict(text)
    except ValueError:
        return parse_ipv6_strict(text)


def map_address(address: tuple[int, ...]) -> tuple[int, ...]:
    """An IPv4 address as an IPv4-mapped one; of an IPv6 address the last two words as IPv4."""
    if len(address) == 4:
        a, b, c, d = address
        return (0, 0, 0, 0, 0, 0xFFFF, a << 8 | b, c << 8 | d)
    return (address[6] >> 8, address[6] & 0xFF, address[7] >> 8, address[7] & 0xFF)


def format_address(address: tuple[int, ...]) -> str:
    """The text of an address, as inet:ntoa/1. The fields must be in range."""
    if len(address) == 4:
        return ".".join(map(str, address))
    if (
        any(address[:5])
        or address[5] not in (0, 0xFFFF)
        or (not address[5] and address[6:] in ((0, 0), (0, 1)))
    ):
        if address[0] in _SCOPED and address[1]:
            return f"{_format_words((address[0], 0, *address[2:]))}%0{address[1]}"
        return _format_words(address)
    prefix = "::ffff:" if address[5] else "::"
    return prefix + ".".join(map(str, map_address(address)))


def _format_words(words: tuple[int, ...]) -> str:
    """The words in hexadecimal. "::" replaces the first longest run of at least two zeros."""
    best, best_size, at = 0, 1, 0
    for zero, run in groupby(words, lambda word: word == 0):
        size = len(list(run))
        if zero and size > best_size:
            best, best_size = at, size
        at += size
    texts = [f"{word:x}" for word in words]
    if best_size < 2:
        return ":".join(texts)
    return ":".join(texts[:best]) + "::" + ":".join(texts[best + best_size :])
