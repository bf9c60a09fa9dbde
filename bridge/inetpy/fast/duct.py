"""A pipe of our own. Bytes go through it from a socket to the pipe of the node.

The number of bytes that splice(2) moves is known only afterwards, and a frame begins with its length.
So the bytes go into the duct first, then the beginning of the frame is written, and then the bytes
follow it.
"""

from __future__ import annotations

from typing import Any

from ..host import pipes

__all__ = ["Duct"]


class Duct:
    """See the module. Opening one raises OSError when there is no descriptor left."""

    def __init__(self) -> None:
        self._source, self._sink = pipes.open_pipe()

    def fill(self, sock: Any, size: int) -> int:
        """Moves up to `size` bytes of a stream into the duct. 0: none, recv(2) will tell why."""
        try:
            return pipes.splice(sock, self._sink, size)
        except OSError:
            return 0

    def pour(self, sink: int, size: int) -> int:
        """Moves up to `size` bytes out of the duct into another pipe."""
        left = size
        try:
            while left:
                left -= pipes.splice_pipes(self._source, sink, left)
        except OSError:
            pass  # most often the other pipe is full
        return size - left

    def read(self, size: int) -> bytes:
        """Takes `size` bytes out of the duct, which must be in it."""
        return pipes.read(self._source, size) if size else b""

    def close(self) -> None:
        pipes.close(self._source, self._sink)
