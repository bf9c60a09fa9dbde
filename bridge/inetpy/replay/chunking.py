"""In which pieces bytes are sent: as recorded, in one, byte by byte, or at random."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

from .conversations import Message, Part

__all__ = ["Chunking", "make_chunking"]

Chunking = Callable[[Message], Iterable[Part]]

_RANDOM = re.compile(r"random(?:\((\d+)\))?$")
LARGEST = 4096  # bytes of a piece at random


def make_chunking(how: str, seed: int) -> Chunking:
    """how: recorded, one_byte, coalesced, random, or random(7) with a seed of its own.

    seed: where random numbers begin else. Raises ValueError for another word.
    """
    if how == "recorded":
        return lambda message: message.parts
    if how == "one_byte":
        return lambda message: _cut(message, repeat(1, len(message.data)))
    if how == "coalesced":
        return lambda message: _cut(message, [len(message.data)])
    found = _RANDOM.match(how) if isinstance(how, str) else None
    if found is None:
        raise ValueError(f"chunks are recorded, one_byte, coalesced, random or random(SEED), not {how!r}")
    numbers = random.Random(int(found[1] or seed))  # noqa: S311  no secret
    return lambda message: _cut(message, _sizes(numbers, len(message.data)))


def _sizes(numbers: random.Random, left: int) -> Iterator[int]:
    """Small ones often: what is cut in the middle of a word, or of a length, is of interest."""
    while left > 0:
        size = min(left, numbers.randint(1, numbers.choice((3, 30, LARGEST))))
        yield size
        left -= size


def _cut(message: Message, sizes: Iterable[int]) -> Iterator[Part]:
    """The first piece has the time of the message."""
    data, at = message.data, 0
    for size in sizes:
        yield Part(data[at : at + size], 0 if at else message.parts[0].gap)
        at += size
