"""Bytes that nobody may see: they are replaced by stars before anything is noted.

    Redaction(["authorization"])            the value of a header
    Redaction([re.compile(rb"key=(\\w+)")])  what the first group matches; all of it where there is no group

A pattern is matched with the last 4 KB before, so a value that comes in several pieces is hidden. What is
noted already stays as it is, though: a pattern should match from the beginning of a secret on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["STAR", "Redaction", "hidden"]

BEFORE = 4096  # bytes that a pattern sees of what came before
STAR = b"*"


class Redaction:
    """See the module. `words`: names of headers as `str`, and patterns of bytes.

    Raises ValueError for something else. One word alone is no list: its letters would be taken for words.
    """

    def __init__(self, words: Iterable[str | bytes | re.Pattern[bytes]]) -> None:
        if isinstance(words, (str, bytes, re.Pattern)) or not isinstance(words, Iterable):
            raise ValueError(f"redact takes a list of words, not {words!r}")
        self._patterns = [_pattern(word) for word in words]
        self._before: dict[Any, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def mask(self, data: bytes, key: Any = None) -> bytes:
        """`key`: the stream that the bytes are the next of; None: nothing comes before them."""
        before = self._before.get(key, b"")
        whole = before + data
        masked = bytearray(whole)
        for pattern in self._patterns:
            for match in pattern.finditer(whole):
                start, end = match.span(1 if pattern.groups else 0)
                masked[start:end] = STAR * (end - start)
        if key is not None:
            self._before[key] = whole[-BEFORE:]
        return bytes(masked[len(before) :])

    def forget(self, key: Any) -> None:
        """The stream has ended."""
        self._before.pop(key, None)


def hidden(data: bytes, masked: bytes) -> list[tuple[int, int]]:
    """[(start, end)] of the stars in `masked` that hide something of `data`."""
    if data == masked:
        return []
    stars = (match.span() for match in re.finditer(rb"\*+", masked))
    return [(start, end) for start, end in stars if data[start:end] != masked[start:end]]


def _pattern(word: Any) -> re.Pattern[bytes]:
    if isinstance(word, str):
        return re.compile(rb"(?im)^" + re.escape(word.encode()) + rb":[ \t]*([^\r\n]*)")
    if isinstance(word, bytes):
        try:
            return re.compile(word)
        except re.error as error:
            raise ValueError(f"redact: {word!r} is no pattern: {error}") from None
    if isinstance(word, re.Pattern) and isinstance(word.pattern, bytes):
        return word
    raise ValueError(f"redact takes names of headers, and patterns of bytes, not {word!r}")
