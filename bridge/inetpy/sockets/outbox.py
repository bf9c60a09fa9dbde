"""What a stream has been given to send and the system has not taken yet."""

from __future__ import annotations

from collections import deque
from itertools import islice

__all__ = ["Outbox"]

MAX_VECTOR = 16


class Outbox:
    """Bytes in order, uncopied. `size` is how many there are."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def add(self, data: bytes, start: int = 0) -> None:
        """Adds data[start:] at the end."""
        self._parts.append(memoryview(data)[start:])
        self.size += len(data) - start

    def vector(self) -> list[memoryview]:
        """The first parts, for sendmsg(2)."""
        return list(islice(self._parts, MAX_VECTOR))

    def sent(self, count: int) -> None:
        """Drops the first `count` bytes."""
        parts = self._parts
        self.size -= count
        while parts and count >= len(parts[0]):
            count -= len(parts.popleft())
        if count:
            parts[0] = parts[0][count:]
