"""The close of a stream in memory that waits until its data is with the peer: SO_LINGER."""

from __future__ import annotations

import struct
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET

from . import bugs
from .api import Clock
from .memory_base import MemorySocket
from .memory_streams import MemoryStream

__all__ = ["close_lingering"]


def close_lingering(sock: MemorySocket, clock: Clock, done: Callable[[None], None]) -> None:
    """Closes the socket. Calls `done` when its data is with the peer, or the time is over."""
    seconds: int = struct.unpack("ii", sock.getsockopt(SOL_SOCKET, SO_LINGER, 8))[1]
    sock.close()
    if isinstance(sock, MemoryStream):
        Lingering(sock, clock, seconds, done).look()
    else:
        bugs.guard(done, None)


class Lingering:
    """A close that waits."""

    def __init__(self, sock: MemoryStream, clock: Clock, seconds: int, done: Callable[[None], None]) -> None:
        self._sock = sock
        self._done = done
        self._timer = clock.after(seconds * 1000, self._end)
        sock.on_change = self.look

    def look(self) -> None:
        """The data may be with the peer now."""
        if self._sock.is_delivered():
            self._end()

    def _end(self) -> None:
        self._sock.on_change = None
        self._timer.cancel()
        bugs.guard(self._done, None)

    def fail(self, _error: Exception) -> None:
        """After a bug: nobody waits any longer."""
        self._sock.on_change = None
        self._timer.cancel()
