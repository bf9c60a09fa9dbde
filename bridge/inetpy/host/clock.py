"""The time of the system, and timers that are never early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, time_ns

from . import bugs
from .api import SLACK

__all__ = ["LoopClock", "time_ns"]

FOREVER = 1 << 40  # ms, some thirty years: larger timeouts overflow a float


class LoopTimer:
    """A timer of an asyncio loop.

    A loop may call too early: uvloop counts whole milliseconds, from the time at which the loop
    woke up. So the timer checks the clock when it is called, and waits again for the rest.
    """

    __slots__ = ("_callback", "_deadline", "_handle", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, milliseconds: int, callback: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._callback = callback
        seconds = min(milliseconds, FOREVER) / 1000
        self._deadline = monotonic() + seconds
        self._handle: asyncio.TimerHandle | None = loop.call_later(seconds, self._on_time)

    def _on_time(self) -> None:
        left = self._deadline - monotonic()
        if left > 0:
            self._handle = self._loop.call_later(max(left, 0.001), self._on_time)
        else:
            self._handle = None
            bugs.guard(self._callback)

    @property
    def overdue(self) -> bool:
        return monotonic() > self._deadline + SLACK

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class LoopClock:
    """The clock of the system, with the timers of a loop."""

    now = staticmethod(monotonic)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def after(self, milliseconds: int, callback: Callable[[], None]) -> LoopTimer:
        return LoopTimer(self._loop, milliseconds, callback)
