"""What the parts of a connection have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Part"]


class Part:
    """One concern of a connection, with its own fields. A bug in a part ends the connection."""

    __slots__ = ("stream",)

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} of {getattr(self, 'stream', None)!r}>"

    def fail(self, error: Exception) -> None:
        self.stream.fail(error)
