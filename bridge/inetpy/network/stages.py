"""What faults do to the bytes of a stream, in one direction: see `course`."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from math import ceil, inf

from ..host.api import Timer
from .clock import MOMENT
from .course import END, Course, Datagram, Item, Piece, Stage, size_of
from .rules import Rule

__all__ = ["SHAPING", "STREAM_STAGES", "Bandwidth", "Latency", "Timed"]

BLACKHOLE_HELD = 1 << 16  # bytes that leave for a black hole before the sender notices
LONGEST = 1 << 50  # ms: a line can be slower than any number says
TICK = 0.01  # seconds: in how small steps a bandwidth is kept


class Timed(Stage):
    """Holds items until their time has come. `_due` says when, in seconds of the clock."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._heap: list[tuple[float, int, Item]] = []
        self._numbers = itertools.count()
        self._timer: Timer | None = None
        self.dice = rule.dice(course.owner.facts, course.direction)

    def hold(self, item: Item, due: float) -> None:
        if self._timer is not None and (not self._heap or due < self._heap[0][0]):
            self._timer.cancel()  # of what goes later now, or has gone
            self._timer = None
        heapq.heappush(self._heap, (due, next(self._numbers), item))
        self.held += size_of(item)
        self._wait()

    def is_empty(self) -> bool:
        return not self._heap

    def _wait(self) -> None:
        if self._timer is None and self._heap:
            left = self._heap[0][0] - self.course.clock.now()
            milliseconds = ceil(min(max(0, (left - MOMENT) * 1000), LONGEST))
            self._timer = self.course.clock.after(milliseconds, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = self.course.clock.now() + MOMENT
        while self._heap and self._heap[0][0] <= now:
            self._let_go()
        self._wait()
        self.owner.moved()

    def _let_go(self) -> None:
        item = heapq.heappop(self._heap)[2]
        self.held -= size_of(item)
        self.following.put(item)

    def release(self) -> None:
        self.stop()
        while self._heap:
            self._let_go()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Latency(Timed):
    """Streams keep their order; a datagram with less of a delay overtakes others."""

    shapes = True
    directions = ("recv",)

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._last = 0.0

    def put(self, item: Item) -> None:
        jitter = self.rule.arguments["jitter"]
        delay = self.rule.arguments["ms"] + (self.dice.uniform(-jitter, jitter) if jitter else 0)
        due = self.course.clock.now() + max(delay, 0) / 1000
        if not isinstance(item, Datagram):
            due = self._last = max(due, self._last)
        self.acted_once()
        self.hold(item, due)


class Line(Timed):
    """One piece behind the other. What waits behind the next piece is not cut yet: it may be many pieces."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._waiting: deque[tuple[float, Item]] = deque()  # with the times at which they came

    def put(self, item: Item) -> None:
        self._waiting.append((self.course.clock.now(), item))
        self.held += size_of(item)
        self._send_next()

    def _send_next(self) -> None:
        if self._heap or not self._waiting:
            return
        came, item = self._waiting.popleft()
        piece = item
        if isinstance(item, bytes):
            piece = self.piece_of(item)
            if len(piece) < len(item):
                self._waiting.appendleft((came, item[len(piece) :]))
        self.held -= size_of(piece)  # it counts as held by `hold`
        self.hold(piece, self.due(piece, came))

    def piece_of(self, data: bytes) -> bytes:
        """The first piece."""
        raise NotImplementedError

    def due(self, piece: Item, came: float) -> float:
        """When the piece is to leave, which could at `came`."""
        raise NotImplementedError

    def is_empty(self) -> bool:
        return not self._heap and not self._waiting

    def _let_go(self) -> None:
        super()._let_go()
        self._send_next()

    def release(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        super().release()
        for _, item in waiting:
            self.held -= size_of(item)
            self.following.put(item)


class Bandwidth(Line):
    """What has been sent takes its time on the line, and what comes behind it waits."""

    shapes = True

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._free_at = 0.0
        self._step = max(1, int(rule.arguments["rate"] * TICK))

    def put(self, item: Item) -> None:
        self.acted_once()
        super().put(item)

    def piece_of(self, data: bytes) -> bytes:
        return data[: self._step]

    def due(self, piece: Item, came: float) -> float:
        self._free_at = max(self._free_at, came) + size_of(piece) / self.rule.arguments["rate"]
        return self._free_at


class Slice(Line):
    """The sizes of the pieces depend on the bytes, not on how they arrive."""

    shapes = True

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._delay = rule.arguments["delay"] / 1000
        self._last = -inf
        self._left = 0  # bytes until the next cut

    def put(self, item: Item) -> None:
        if isinstance(item, bytes):
            self.acted_once()
        if self._delay:
            return super().put(item)
        at, end = 0, size_of(item)
        while at < end:
            piece = self._piece_at(item, at)
            at += len(piece)
            self.following.put(piece)
        if not isinstance(item, bytes):
            self.following.put(item)

    def piece_of(self, data: bytes) -> bytes:
        return self._piece_at(data, 0)

    def _piece_at(self, data: bytes, at: int) -> Piece:
        if not self._left:
            size, variation = self.rule.arguments["size"], self.rule.arguments["variation"]
            self._left = size + (self.dice.randint(-variation, variation) if variation else 0)
        piece = Piece(data[at : at + self._left])
        self._left -= len(piece)
        return piece

    def due(self, _piece: Item, came: float) -> float:
        self._last = max(came, self._last + self._delay)
        return self._last


class SlowClose(Timed):
    """Holds the end. A reset is not held: nobody waits for it."""

    def put(self, item: Item) -> None:
        if item is not END:
            return self.following.put(item)
        self.acted()
        self.hold(item, self.course.clock.now() + self.rule.arguments["ms"] / 1000)


class Counted(Stage):
    """Lets a number of bytes through, and then does something, once."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self.left: int | None = self.limit()
        self.is_over = False

    def limit(self) -> int | None:
        """Bytes, or None: none are counted."""
        raise NotImplementedError

    def over(self) -> None:
        """What happens then."""
        raise NotImplementedError

    def strike(self, offset: int) -> None:
        """It happens now, behind so many bytes; once."""
        if not self.is_over:
            self.is_over = True
            self.acted(offset)
            self.over()

    def put(self, item: Item) -> None:
        if self.is_over:
            return self.behind(item)
        if not isinstance(item, bytes) or self.left is None:
            return self.following.put(item)
        passing = item[: self.left]
        if passing:
            self.following.put(passing)
        self.left -= len(passing)
        if not self.left:
            self.strike(self.course.passed + len(passing))
            if len(item) > len(passing):
                self.behind(item[len(passing) :])

    def behind(self, item: Item) -> None:
        """What comes behind the last byte is lost with the connection."""


class Limit(Counted):
    """Behind the last byte: a peer that has closed, a reset, or silence, in which all is held."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._behind: deque[Item] = deque()

    def limit(self) -> int:
        return int(self.rule.arguments["bytes"])

    def begin(self) -> None:
        if self.left == 0:
            self.strike(self.course.passed)

    def over(self) -> None:
        then = self.rule.arguments["then"]
        if then == "close":
            self.owner.close_both(self)
        elif then == "reset":
            self.owner.reset_both(self)

    def behind(self, item: Item) -> None:
        if self.rule.arguments["then"] == "blackhole":
            self._behind.append(item)
            self.held += size_of(item)

    def is_empty(self) -> bool:
        return not self._behind

    def release(self) -> None:
        while self._behind:
            self.following.put(self._behind.popleft())
        self.held = 0


class ResetAfter(Counted):
    """By bytes, by time, or at once."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._timer: Timer | None = None

    def limit(self) -> int | None:
        given = self.rule.arguments["after_bytes"]
        return None if given is None else int(given)

    def begin(self) -> None:
        after_ms = self.rule.arguments["after_ms"]
        if after_ms is not None:
            self._timer = self.course.clock.after(int(after_ms), self._on_time)
        elif not self.left:
            self.strike(self.course.passed)

    def _on_time(self) -> None:
        self._timer = None
        self.strike(self.course.passed)

    def over(self) -> None:
        self.owner.reset_both(self)

    def release(self) -> None:
        self.stop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Holding(Stage):
    """Holds everything, until its rule goes."""

    capacity = BLACKHOLE_HELD

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._items: deque[Item] = deque()

    def put(self, item: Item) -> None:
        self.acted_once()
        self._items.append(item)
        self.held += size_of(item)

    def is_empty(self) -> bool:
        return not self._items

    def release(self) -> None:
        items, self._items = self._items, deque()
        self.held = 0
        for item in items:
            self.following.put(item)


class HalfOpen(Holding):
    """The peer answers the first bytes by a reset, and the end, too."""

    def put(self, item: Item) -> None:
        if self.course.direction == "send" and (isinstance(item, bytes) or item is END):
            self.acted(self.course.passed)
            self.owner.reset_both(self)
        else:
            super().put(item)


class Down(Stage):
    """An open connection ends in a reset. Connecting is refused elsewhere: see `calls`."""

    directions = ("recv",)

    def begin(self) -> None:
        self.acted()
        self.owner.reset_both(self)

    def put(self, item: Item) -> None:
        self.following.put(item)


STREAM_STAGES: dict[str, type[Stage]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slice": Slice,
    "limit": Limit,
    "reset": ResetAfter,
    "slow_close": SlowClose,
    "blackhole": Holding,
    "half_open": HalfOpen,
    "down": Down,
}

# The words of faults that touch all that passes.
SHAPING = frozenset(word for word, stage in STREAM_STAGES.items() if stage.shapes)
