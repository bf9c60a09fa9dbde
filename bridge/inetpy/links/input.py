"""Frames that come in through a descriptor."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

from ..wire.framing import FrameReader, FramingError
from .greeting import ProtocolError

__all__ = ["Input"]

READ_SIZE = 1 << 17  # a larger buffer for each read costs ten times a small read: malloc maps it


class Input:
    """Reads from a descriptor, and cuts what comes into frames.

    on_frame: is called with each of them.
    on_batch: is called when all that has come so far has been cut.
    on_end: is called at the end of the input.
    on_error: is called when the stream cannot be followed any more.
    reads: how many times there was something to read.
    """

    survives: ClassVar[bool] = True

    def __init__(
        self,
        descriptor: int,
        frames: FrameReader,
        on_frame: Callable[[bytes | memoryview], None],
        on_batch: Callable[[], None],
        on_end: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._descriptor = descriptor
        self._frames = frames
        self._on_frame = on_frame
        self._on_batch = on_batch
        self._on_end = on_end
        self._on_error = on_error
        self.reads = 0

    def on_ready(self, _events: int) -> None:
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return
        except ConnectionError:  # of a socket: the node has gone
            data = b""
        self.reads += 1
        if not data:
            return self._on_end()
        frames = self._frames
        frames.feed(data)
        try:
            while (frame := frames.next_frame()) is not None:
                self._on_frame(frame)
        except (FramingError, ProtocolError) as error:
            self._on_error(error)
        self._on_batch()

    def fail(self, _error: Exception) -> None:
        """A bug in here has been logged. The other objects go on: there is nothing to end."""
