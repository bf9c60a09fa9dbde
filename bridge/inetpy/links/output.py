"""Frames on their way out through a descriptor.

All frames of one wake-up leave in one write. Writing never blocks: the bytes that the descriptor does
not take wait in the backlog. While many bytes wait, or the node has many frames to pass on, the
session does not read from the net.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Sequence, Sized
from struct import Struct
from typing import ClassVar

from ..codec.etf import VERSION
from ..fast import Duct
from ..host.api import WRITE
from ..host.pipes import End
from ..host.poller import LoopPoller
from ..wire.framing import HEADER

__all__ = ["UNIT", "WINDOW", "Output"]

HIGH_WATER = 1 << 22  # bytes that wait: above, sockets are not read
LOW_WATER = 1 << 20
WINDOW = 128  # frames that the node may be behind: above, the same
UNIT = 1 << 14  # bytes: a larger frame counts as one more for each
JOIN_LIMIT = 1 << 16  # bytes: less of them are joined for one write(2)
MAX_VECTOR = 1024  # parts of one writev(2)

_HEAD = Struct(">IB").pack


def _nothing() -> None:
    pass


class Output:
    """See the module.

    on_congestion: is told when the node is too far behind, and when it has caught up.
    on_idle: is called when there is nothing to do, before the process sleeps.
    on_full: is told when too many bytes wait, and when that is over.
    """

    survives: ClassVar[bool] = True

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._end = End(descriptor)
        self._is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._poller: LoopPoller
        self._queue: list[bytes] = []
        self._queue_size = 0
        self._backlog: deque[memoryview] = deque()
        self._backlog_size = 0
        self._flush_scheduled = False
        self._unacknowledged = 0
        self._congested = False
        self._closed = False
        self._held: list[tuple[Sized, Callable[[], None]]] = []
        self.on_congestion: Callable[[bool], object] = lambda _: None
        self.on_full: Callable[[bool], object] = lambda _: None
        self.on_idle: Callable[[], None] = _nothing
        self._full = False

    def start(self, poller: LoopPoller) -> None:
        """From now on `flush` is called at the end of each batch."""
        self._poller = poller
        poller.after_batch.append(self.flush)
        poller.before_sleep.append(self._idle)

    def _idle(self) -> None:
        self.on_idle()

    def close(self) -> None:
        """Nobody is there any more: what is emitted is dropped."""
        self._poller.after_batch.remove(self.flush)
        self._poller.before_sleep.remove(self._idle)
        self._poller.forget(self._end)
        self._backlog.clear()
        self._backlog_size = 0
        self._closed = True

    def hold(self, held: Sized, emit_held: Callable[[], None]) -> None:
        """While there is something in `held`, `emit_held` makes frames of it before a flush."""
        self._held.append((held, emit_held))

    # --- frames ---

    def emit(self, body: bytes, tail: bytes = b"", behind: int = 0) -> None:
        """A frame of `body`, `tail`, and `behind` bytes more, which `emit_from` adds."""
        size = len(body) + len(tail) + 1
        self._queue.append(_HEAD(size + behind, VERSION) + body)
        self._queue_size += size + HEADER
        self._unacknowledged += 1 + (size + behind) // UNIT
        if tail:
            self._queue.append(tail)
        if not self._poller.in_batch:
            self.schedule_flush()

    def emit_from(self, duct: Duct, body: bytes, size: int) -> None:
        """A frame of `body` and the `size` bytes in the duct. It leaves at once."""
        self._release()  # not between the head and the bytes behind it
        self.emit(body, behind=size)
        self.flush()
        left = size
        if not self._backlog:
            left -= duct.pour(self._descriptor, size)
        if left:
            self._defer([duct.read(left)], left)

    def _release(self) -> None:
        for held, emit_held in self._held:
            if held:
                emit_held()

    def is_empty(self) -> bool:
        """True if no frame waits for the next flush."""
        return not self._queue

    def takes_pipe(self) -> bool:
        """True if bytes can be moved in from another pipe."""
        return self._is_pipe and not self._backlog

    # --- writing ---

    def schedule_flush(self) -> None:
        """Within a batch of the poller a flush comes by itself."""
        if not self._flush_scheduled and not self._poller.in_batch:
            self._flush_scheduled = True
            self._poller.soon(self.flush)

    def flush(self) -> None:
        """Writes what has been collected, in one call where that is possible."""
        self._flush_scheduled = False
        self._release()
        queue = self._queue
        if not queue:
            return
        self._queue = []
        size, self._queue_size = self._queue_size, 0
        if self._unacknowledged > WINDOW:
            self._set_congested(True)
        if self._backlog:
            return self._defer(queue, size)
        if len(queue) > 1 and size <= JOIN_LIMIT:
            queue = [b"".join(queue)]
        written = self._write(queue if len(queue) == 1 else queue[:MAX_VECTOR], size)
        if written < size:
            self._defer(queue, size)
            self._drop_written(written)

    def _write(self, parts: Sequence[bytes | memoryview], size: int) -> int:
        """How much the descriptor takes of `parts`, which are the first of `size` bytes."""
        if self._closed:
            return size
        try:
            return (
                os.write(self._descriptor, parts[0])
                if len(parts) == 1
                else os.writev(self._descriptor, parts)
            )
        except BlockingIOError:
            return 0
        except ConnectionError:
            return size  # the node has gone, and the end of the input tells that too

    def _defer(self, parts: list[bytes], size: int) -> None:
        if not self._backlog:
            self._poller.add(self._end, WRITE, self)
        self._backlog.extend(map(memoryview, parts))
        self._backlog_size += size
        if self._backlog_size > HIGH_WATER:
            self._set_congested(True)
            self._set_full(True)

    def _drop_written(self, count: int) -> None:
        backlog = self._backlog
        self._backlog_size -= count
        while count and count >= len(backlog[0]):
            count -= len(backlog.popleft())
        if count:
            backlog[0] = backlog[0][count:]

    def on_ready(self, _events: int) -> None:
        """The descriptor takes more of the backlog."""
        backlog = self._backlog
        while backlog:
            parts = [backlog[at] for at in range(min(len(backlog), 64))]
            written = self._write(parts, sum(map(len, parts)))
            if not written:
                break
            self._drop_written(written)
        if not backlog:
            self._poller.remove(self._end)
        self._relieve()

    def fail(self, _error: Exception) -> None:
        """A bug in here has been logged. The other objects go on: there is nothing to end."""

    # --- back-pressure ---

    def acknowledged(self, count: int) -> None:
        """The node has passed on so many frames more."""
        self._unacknowledged -= count
        self._relieve()

    def open_window(self) -> None:
        """The frames so far, a greeting, are not acknowledged."""
        self.acknowledged(self._unacknowledged)

    def _relieve(self) -> None:
        """Reads sockets again when both the descriptor and the node keep up."""
        if self._full and self._backlog_size < LOW_WATER:
            self._set_full(False)
        if self._backlog_size < LOW_WATER and self._unacknowledged <= WINDOW:
            self._set_congested(False)

    def _set_full(self, full: bool) -> None:
        if self._full is not full:
            self._full = full
            self.on_full(full)

    def _set_congested(self, congested: bool) -> None:
        if self._congested is not congested:
            self._congested = congested
            self.on_congestion(congested)
