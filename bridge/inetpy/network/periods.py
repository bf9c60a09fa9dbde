"""Rules that come and go with time: `for_ms`, and `periodic`."""

from __future__ import annotations

from collections.abc import Callable

from ..host.api import Clock, Timer
from .rules import Rule

__all__ = ["Expiry", "Period"]


class Expiry:
    """The end of a rule with `for_ms`. `end` is called with it."""

    def __init__(self, rule: Rule, clock: Clock, end: Callable[[Rule], None]) -> None:
        assert rule.for_ms is not None
        self._rule = rule
        self._end = end
        self._timer = clock.after(int(rule.for_ms), self._on_time)

    def _on_time(self) -> None:
        self._end(self._rule)

    def cancel(self) -> None:
        self._timer.cancel()

    def fail(self, _error: Exception) -> None:
        """The rule stays."""


class Period:
    """A rule that is on and off by turns. `changed` is called with it."""

    def __init__(self, rule: Rule, clock: Clock, changed: Callable[[Rule], None]) -> None:
        assert rule.when is not None
        self._rule = rule
        self._clock = clock
        self._changed = changed
        self._timer: Timer | None = None
        period, duty = rule.when.numbers
        self._on_ms, self._off_ms = period * duty, period * (1 - duty)
        rule.on = self._on_ms > 0
        self._wait()

    def _wait(self) -> None:
        if self._on_ms > 0 and self._off_ms > 0:
            milliseconds = self._on_ms if self._rule.on else self._off_ms
            self._timer = self._clock.after(max(1, int(milliseconds)), self._turn)

    def _turn(self) -> None:
        self._rule.on = not self._rule.on
        self._changed(self._rule)
        self._wait()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def fail(self, _error: Exception) -> None:
        """The rule stays as it is."""
