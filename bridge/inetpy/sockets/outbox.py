"""What a stream has been given to send and the system has not taken yet."""

from __future__ import annotations

from collections import deque
from itertools import islice

__all__ = ["FileSend", "Outbox"]

MAX_VECTOR = 16


class Outbox:
    """Bytes in order, uncopied. `size` is how many there are."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def add(self, data: bytes | memoryview, start: int = 0) -> None:
        """Adds data[start:] at the end."""
        self._parts.append(memoryview(data)[start:])
        self.size += len(data) - start

    def vector(self) -> list[memoryview]:
        """The first parts, for sendmsg(2)."""
        return list(islice(self._parts, MAX_VECTOR))

    def vector_of(self, size: int) -> list[memoryview]:
        """The first parts, `size` bytes in all or less, for sendmsg(2)."""
        parts = []
        for part in self.vector():
            parts.append(part[:size])
            size -= len(part)
            if size <= 0:
                break
        return parts

    def sent(self, count: int) -> None:
        """Drops the first `count` bytes."""
        parts = self._parts
        self.size -= count
        while parts and count >= len(parts[0]):
            count -= len(parts.popleft())
        if count:
            parts[0] = parts[0][count:]


class FileSend:
    """A file on its way into a stream: what of it is left, and who waits for it.

    `ahead` are the bytes of the outbox that were there first.
    """

    __slots__ = ("ahead", "descriptor", "left", "offset", "ref", "sent")

    def __init__(self, ref: bytes, descriptor: int, offset: int, length: int, ahead: int) -> None:
        self.ref = ref
        self.descriptor = descriptor
        self.offset = offset
        self.left = length
        self.sent = 0
        self.ahead = ahead

    def advance(self, count: int) -> bool:
        """`count` bytes more have been sent, 0 at the end of the file. True when it is all."""
        self.sent += count
        self.offset += count
        self.left -= count
        return count == 0 or self.left == 0
