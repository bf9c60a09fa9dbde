"""Callers that wait for an answer, and timers that are never early.

A request that cannot be answered at once leaves a `Waiting` behind. It stands in
`Session.waiting` until it has been answered, so that a bug in the code of a socket can be
told to all callers of that socket, wherever the code had got to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from . import bugs
from .bugs import Fallible
from .messages import build_failure
from .show import shown

if TYPE_CHECKING:
    from .session import Session

__all__ = ["SLACK", "Timer", "Waiting", "failure"]

FOREVER = 1 << 40  # ms, some thirty years: larger numbers are no floats
SLACK = 0.3  # seconds after a timeout from which on an answer would be too late: see inetpy_request.erl


def failure(error: Exception, op: str = "") -> bytes:
    """The answer after a bug: `{error, {inetpy, exception, Text}}`."""
    text = shown(error)
    return build_failure("exception", f"{op}: {text}" if op else text)


class Timer:
    """Calls `callback`, a method of a `Fallible`, once, unless the timer is cancelled.

    A loop may call too early: uvloop counts whole milliseconds, from the time at which the loop
    woke up. So the timer looks at the clock, and waits for the rest.
    """

    __slots__ = ("_callback", "_deadline", "_handle", "_session")

    def __init__(self, session: Session, milliseconds: int, callback: Callable[[], None]) -> None:
        self._session = session
        self._callback = callback
        seconds = min(milliseconds, FOREVER) / 1000
        self._deadline = monotonic() + seconds
        self._handle: asyncio.TimerHandle | None = session.loop.call_later(seconds, self._on_time)

    def _on_time(self) -> None:
        left = self._deadline - monotonic()
        if left > 0:
            self._handle = self._session.loop.call_later(max(left, 0.001), self._on_time)
        else:
            self._handle = None
            bugs.guard(self._callback)

    @property
    def overdue(self) -> bool:
        """True when the time was over long ago: this process has stood still meanwhile."""
        return monotonic() > self._deadline + SLACK

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class Waiting:
    """One caller that waits, for a socket or for the session (`socket` is None).

    `on_timeout` is called after `timeout` ms; -1 is for ever. It answers, or lets the caller wait on.
    """

    __slots__ = ("ref", "session", "socket", "timer")

    def __init__(
        self,
        session: Session,
        socket: Fallible | None,
        ref: bytes,
        timeout: int = -1,
        on_timeout: Callable[[], None] | None = None,
    ) -> None:
        self.session = session
        self.socket = socket
        self.ref = ref
        self.timer = None if on_timeout is None or timeout < 0 else Timer(session, timeout, on_timeout)
        session.waiting[ref] = self

    @property
    def overdue(self) -> bool:
        """True when the caller has given up, though the timer has not run yet."""
        return self.timer is not None and self.timer.overdue

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def answer(self, body: bytes, tail: bytes = b"") -> None:
        """The first answer counts."""
        if self.withdraw():
            self.session.reply(self.ref, body, tail)

    def withdraw(self) -> bool:
        """Takes the caller out without an answer. False when it has had one."""
        self.cancel_timer()
        return self.session.waiting.pop(self.ref, None) is not None

    def fail(self, error: Exception) -> None:
        """A bug in what the caller waits for."""
        self.answer(failure(error))
