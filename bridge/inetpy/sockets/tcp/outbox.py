"""What a stream has been given to send and the system has not taken yet."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from ...wire.messages import MORE, STOP

if TYPE_CHECKING:
    from ...codec.terms import Pid
    from .stream import Stream

__all__ = ["Outbox", "Remote"]

MAX_VECTOR = 16
ENOUGH = 1 << 20  # bytes of a large send that are fetched ahead


class Remote:
    """The rest of a large send, which is with a process of the node: `left` bytes.

    The process, the feeder (inetpy_request.erl), holds the data, uncopied. It sends a piece for each
    `more`, until the last one or a `stop`. So neither side holds much more than the caller's data.
    """

    __slots__ = ("_asked", "_feeder", "_outbox", "_ref", "_stream", "left")

    def __init__(self, stream: Stream, ref: bytes, feeder: Pid, left: int) -> None:
        self._stream = stream
        self._ref = ref
        self._feeder = feeder
        self._outbox: Outbox | None = None
        self._asked = False
        self.left = left

    def start(self, outbox: Outbox) -> None:
        """The bytes have their place in `outbox`."""
        self._outbox = outbox
        self._stream.session.feeders[self._ref] = self
        self._stream.session.watch(self._feeder, self)

    def fetch(self) -> None:
        """Asks for the next piece, unless one is on its way."""
        if not self._asked:
            self._asked = True
            self._stream.session.tell(self._feeder.raw, MORE)

    def arrived(self, data: bytes | memoryview) -> None:
        """The next piece."""
        self._asked = False
        if self._outbox is None:
            return
        data = data[: self.left]
        self.left -= len(data)
        if not self.left:
            self._forget()
        self._outbox.arrived(data)
        self._stream.sending.on_piece()

    def stop(self) -> None:
        """Nobody wants the bytes any more."""
        self._stream.session.tell(self._feeder.raw, STOP)
        self._forget()

    def _forget(self) -> None:
        if self._outbox is not None:
            del self._stream.session.feeders[self._ref]
            self._stream.session.unwatch(self._feeder, self)

    def on_down(self, _pid: Pid) -> None:
        self._stream.sending.on_feeder_down()

    def fail(self, error: Exception) -> None:
        self._stream.fail(error)


class Outbox:
    """Bytes in order, uncopied. `size` is how many there are, with those that are in the node still."""

    __slots__ = ("_behind", "_here", "_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self._here = 0  # bytes in _parts
        # From the first Remote on: all that cannot be sent before the Remote has come.
        self._behind: deque[Remote | memoryview] = deque()
        self.size = 0

    def add(self, data: bytes | memoryview, rest: Remote | None = None) -> None:
        """Adds `data` at the end, and `rest` behind it."""
        part = memoryview(data)
        self.size += len(part)
        if self._behind:
            self._behind.append(part)
        else:
            self._parts.append(part)
            self._here += len(part)
        if rest is not None:
            self.size += rest.left
            self._behind.append(rest)
            rest.start(self)
            self._fetch()

    def arrived(self, data: bytes | memoryview) -> None:
        """A piece of the first Remote."""
        self._parts.append(memoryview(data))
        self._here += len(data)
        first = self._behind[0]
        if isinstance(first, Remote) and not first.left:
            self._behind.popleft()
            while self._behind and not isinstance(self._behind[0], Remote):
                part = self._behind.popleft()
                self._parts.append(part)  # type: ignore[arg-type]
                self._here += len(part)  # type: ignore[arg-type]
        self._fetch()

    def _fetch(self) -> None:
        if self._behind and self._here < ENOUGH:
            self._behind[0].fetch()  # type: ignore[union-attr]

    def vector(self) -> list[memoryview]:
        """The first parts that are here, for sendmsg(2)."""
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
        self._here -= count
        while parts and count >= len(parts[0]):
            count -= len(parts.popleft())
        if count:
            parts[0] = parts[0][count:]
        self._fetch()

    def drop(self) -> None:
        """Nothing of it is to be sent."""
        for part in self._behind:
            if isinstance(part, Remote):
                part.stop()
        self._behind.clear()
        self._parts.clear()
        self.size = self._here = 0
