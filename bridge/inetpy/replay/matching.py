"""Whether what comes is what was recorded.

    exact       the same bytes; what was redacted may be anything
    prefix      what was recorded, and perhaps more
    length      as many bytes
    regex       what was recorded is a regular expression, which matches all of it
    a pattern   of bytes: what it matches may differ, the rest is the same
    a function  (expected, got) -> bool

With `exact` and `length` a message ends with its last byte. With the others it is all that has come when it
fits. When it does not, more is waited for, for `patience` seconds; with `prefix` as long as no byte differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from .conversations import Message
from .hexdump import first_difference

__all__ = ["Different", "Match", "Matching", "make_matching"]

Match: TypeAlias = str | bytes | re.Pattern[bytes] | Callable[[bytes, bytes], bool]

_MARK = b"\x00\xff*\xff\x00"  # for what may differ


class Different(Exception):  # noqa: N818  an answer rather than an error
    """What has come is another. at: bytes before the first that differs."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Matching:
    """What one message is compared by.

    size: of all that has come, how many bytes are the message; None: more have to come. Raises Different.
    waits: whether a message that does not fit may become one that does, so that there is an end to waiting.
    check: compares a piece, with how many bytes came before it, and raises Different: for messages that are
        `count` bytes long, which may be too large to be kept. None: all that has come is needed.
    """

    def __init__(
        self,
        size: Callable[[bytes], int | None],
        waits: bool,
        count: int = 0,
        check: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self.size = size
        self.waits = waits
        self.count = count
        self.check = check


def make_matching(match: Match) -> Callable[[Message], Matching]:
    """Raises ValueError for what is none."""
    if isinstance(match, str) and match in _WORDS:
        return _WORDS[match]
    if isinstance(match, bytes):
        try:
            match = re.compile(match)
        except re.error as error:
            raise ValueError(f"match: {match!r} is no pattern: {error}") from None
    if isinstance(match, re.Pattern) and isinstance(match.pattern, bytes):
        return _but_for(match)
    if callable(match):
        return _by(match)
    raise ValueError(
        "match is exact, prefix, length, regex, a pattern of bytes, or a function (expected, got), "
        f"not {match!r}"
    )


def _exact(message: Message) -> Matching:
    expected = message.data
    if message.redacted:
        return _redacted(message)

    def check(before: int, piece: bytes) -> None:
        wanted = expected[before : before + len(piece)]
        if wanted != piece:
            raise Different(before + first_difference(wanted, piece))

    return Matching(_counted(expected), False, len(expected), check)


def _counted(expected: bytes) -> Callable[[bytes], int | None]:
    return lambda got: len(expected) if _begins(got, expected) else None


def _begins(got: bytes, expected: bytes) -> bool:
    """Whether all of the expected bytes have come. Raises Different where one is another."""
    same = first_difference(expected, got)
    if same < min(len(expected), len(got)):
        raise Different(same)
    return same == len(expected)


def _redacted(message: Message) -> Matching:
    """A secret may have another length now. One at the end of a message is all that has come."""
    expected, pattern, at = message.data, b"", 0
    for start, end in message.redacted:
        pattern += re.escape(expected[at:start]) + (b".+" if end == len(expected) else b".+?")
        at = end
    compiled = re.compile(pattern + re.escape(expected[at:]), re.DOTALL)

    def size(got: bytes) -> int | None:
        found = compiled.match(got)
        return None if found is None else found.end()

    return Matching(size, waits=True)


def _prefix(message: Message) -> Matching:
    expected = message.data
    return Matching(lambda got: len(got) if _begins(got, expected) else None, waits=False)


def _length(message: Message) -> Matching:
    count = len(message.data)
    return Matching(lambda got: count if len(got) >= count else None, False, count, lambda _, __: None)


def _regex(message: Message) -> Matching:
    compiled = re.compile(message.data)
    return Matching(lambda got: len(got) if compiled.fullmatch(got) else None, waits=True)


def _but_for(pattern: re.Pattern[bytes]) -> Callable[[Message], Matching]:
    def make(message: Message) -> Matching:
        expected = pattern.sub(_MARK, message.data)
        return Matching(lambda got: len(got) if pattern.sub(_MARK, got) == expected else None, waits=True)

    return make


def _by(function: Callable[[bytes, bytes], bool]) -> Callable[[Message], Matching]:
    def make(message: Message) -> Matching:
        expected = message.data
        return Matching(lambda got: len(got) if function(expected, got) else None, waits=True)

    return make


_WORDS: dict[str, Callable[[Message], Matching]] = {
    "exact": _exact,
    "prefix": _prefix,
    "length": _length,
    "regex": _regex,
}
