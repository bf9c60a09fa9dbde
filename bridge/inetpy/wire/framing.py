"""Frames with a length of four bytes in front (`{packet, 4}`), without I/O.

Feed what was read, take the frames that are whole. The work is linear in the
number of bytes, however they are cut.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ..codec.etf import decode_frames
from .messages import LIMITS

__all__ = ["HEADER", "MAX_FRAME", "Frame", "FrameReader", "FramingError"]

Frame = tuple[Any, ...] | bytes | memoryview  # the term of a frame, where it is a tuple, or its bytes

HEADER = 4
MAX_FRAME = 1 << 30
SMALL = 1 << 14  # bytes: what is smaller is decoded with the frames around it


class FramingError(ValueError):
    """A frame that announces more than the limit: the stream cannot be followed."""


class FrameReader:
    """Cuts a stream of bytes into frames.

    limit: the bytes of the largest frame.
    large: the bytes from which on a frame is not copied, but a view of what was fed.
    """

    __slots__ = ("_data", "_decoded", "_have", "_large", "_limit", "_need", "_parts", "_pos", "_small")

    def __init__(self, limit: int = MAX_FRAME, large: int = sys.maxsize) -> None:
        self._limit = limit
        self._large = large
        self._small = min(large, limit + 1, SMALL)
        self._data = b""
        self._pos = 0
        self._decoded: list[tuple[Any, ...]] = []  # what `take` has decoded, the last one first
        # An unfinished frame waits here, uncopied until its last byte is there.
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0

    def feed(self, data: bytes) -> None:
        """Adds bytes of the stream. Take all frames before the next feed."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts = []
        self._data = data
        self._pos = 0

    @property
    def at_end(self) -> bool:
        """Whether all that was fed has been taken."""
        return self._pos == len(self._data) and not self._decoded

    def take(self) -> Iterator[Frame]:
        """All whole frames: of tuples the terms. The next of them is taken when it is asked for.

        A frame that is large, or holds no tuple, comes as it is. Raises FramingError.
        """
        while True:
            if not self._parts:
                decoded, self._pos = decode_frames(self._data, self._pos, self._small, LIMITS)
                decoded.reverse()
                self._decoded = decoded
                while decoded:
                    yield decoded.pop()
            frame = self.next_frame()
            if frame is None:
                return
            yield frame

    def next_frame(self) -> bytes | memoryview | None:
        """The next whole frame without its header, or None: more must be fed."""
        if self._parts:
            return None
        data = self._data
        start = self._pos + HEADER
        if start <= len(data):
            size = int.from_bytes(data[self._pos : start], "big")
            if size > self._limit:
                raise FramingError(f"a frame of {size} bytes is over the limit of {self._limit}")
            end = start + size
            if end <= len(data):
                self._pos = end
                return data[start:end] if size < self._large else memoryview(data)[start:end]
            self._need = HEADER + size
        else:
            self._need = HEADER
        if self._pos < len(data):
            rest = data[self._pos :]
            self._parts = [rest]
            self._have = len(rest)
        self._data = b""
        self._pos = 0
        return None
