"""Where the events of a trace go: memory with a limit, and a file perhaps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Protocol

from .events import Event, Facts
from .redaction import Redaction

__all__ = ["LIMIT", "Output", "Record", "Ring"]

LIMIT = 64 << 20  # bytes of memory


class Ring:
    """The newest events.

    limit: bytes of memory. dropped: how many events had to make room.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self._sizes: OrderedDict[Event, int] = OrderedDict()
        self._size = 0

    def __iter__(self) -> Iterator[Event]:
        return iter(list(self._sizes))

    def add(self, event: Event) -> None:
        self._sizes[event] = event.size
        self._size += event.size
        self._make_room()

    def grew(self, event: Event) -> None:
        """An event has become larger. It may have made room before."""
        size = self._sizes.get(event)
        if size is not None:
            self._sizes[event] = event.size
            self._size += event.size - size
            self._make_room()

    def _make_room(self) -> None:
        while self._size > self.limit:
            self._size -= self._sizes.popitem(last=False)[1]
            self.dropped += 1

    def clear(self) -> None:
        self._sizes.clear()
        self._size = self.dropped = 0


class Output(Protocol):
    """A file of events.

    failure: why it takes no more; None: all is well.
    """

    @property
    def failure(self) -> str | None: ...

    def put(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Record:
    """One trace: what it wants to have of the events, and where they go.

    match: whether it wants those of a socket; None: of all.
    redaction: what nobody may see.
    failure: why it has ended by itself; None: it has not.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        match: Callable[[Facts], bool] | None = None,
        redaction: Redaction | None = None,
        output: Output | None = None,
    ) -> None:
        self.ring = Ring(limit)
        self.redaction = redaction or Redaction(())
        self.failure: str | None = None
        self.output = output
        self._match = match

    def wants(self, facts: Facts) -> bool:
        return self._match is None or facts is None or self._match(facts)

    def limit_to(self, match: Callable[[Facts], bool]) -> None:
        """It wants what it wanted before, and only where this is true, too."""
        before = self._match
        self._match = lambda facts: match(facts) and (before is None or before(facts))

    def add(self, event: Event, is_whole: bool = True) -> None:
        """is_whole: nothing more will come; of a call, its answer has come."""
        if self.wants(event.facts):
            self.ring.add(event)
            if is_whole:
                self.write(event)

    def completed(self, event: Event) -> None:
        """The answer of a call is there, or will not come."""
        if self.wants(event.facts):
            self.ring.grew(event)
            self.write(event)

    def write(self, event: Event) -> None:
        if self.output is not None:
            self.output.put(event)
            self.failure = self.output.failure

    def close(self) -> None:
        """Nothing more comes."""
        if self.output is not None:
            self.output.close()
            self.failure = self.failure or self.output.failure
