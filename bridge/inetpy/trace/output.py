"""A trace in a file, written while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..host.files import ThreadedFile
from .events import Event

__all__ = ["FileOutput", "Writer"]


class Writer(Protocol):
    """What makes bytes of events: see `jsonl` and `capture`."""

    def event(self, event: Event) -> None: ...

    def finish(self) -> None:
        """Nothing more comes."""


class FileOutput:
    """A `log.Output`. A thread writes, so a slow disk or a slow reader of a pipe delays no socket.

    Raises OSError where the file cannot be opened.
    """

    def __init__(self, path: str, new_writer: Callable[[Callable[[bytes], object]], Writer]) -> None:
        self._file = ThreadedFile(path)
        self._writer = new_writer(self._file.write)

    @property
    def failure(self) -> str | None:
        return self._file.failure

    def put(self, event: Event) -> None:
        self._writer.event(event)

    def close(self) -> None:
        """Waits a moment until all is written."""
        self._writer.finish()
        self._file.close()
