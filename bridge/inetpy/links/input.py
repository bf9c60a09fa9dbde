"""Frames that come in through a descriptor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import ClassVar

from ..wire.framing import Frame, FrameReader, FramingError
from .greeting import ProtocolError

__all__ = ["Input"]

READ_SIZE = 1 << 17  # a larger buffer for each read costs ten times a small read: malloc maps it


class Input:
    """Reads from a descriptor, and cuts what comes into frames.

    on_frames: is called with those that have come so far: see `FrameReader.take`.
    on_end: is called at the end of the input.
    on_error: is called when the stream cannot be followed any more.
    reads: how many times there was something to read.
    """

    survives: ClassVar[bool] = True

    def __init__(
        self,
        descriptor: int,
        frames: FrameReader,
        on_frames: Callable[[Iterable[Frame]], None],
        on_end: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._descriptor = descriptor
        self._frames = frames
        self._on_frames = on_frames
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
        self._frames.feed(data)
        try:
            self._on_frames(self._frames.take())
        except (FramingError, ProtocolError) as error:
            self._on_error(error)

    def fail(self, _error: Exception) -> None:
        """A bug in here has been logged. The other objects go on: there is nothing to end."""
