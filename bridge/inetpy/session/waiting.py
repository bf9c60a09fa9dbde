"""Callers that wait for an answer.

A request that cannot be answered at once leaves a `Waiting` behind: in recv, accept, connect, send,
close, a lookup, or a race of connections. It stands in `Session.waiting` until it has been answered,
so that after a bug in the code of a socket all callers of that socket are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..codec.show import shown
from ..codec.terms import Pid
from ..host.api import Timer
from ..host.bugs import Fallible
from ..wire.messages import build_failure

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Waiting", "failure"]


def failure(error: Exception, op: str = "") -> bytes:
    """The answer after a bug: `{error, {inetpy, exception, Text}}`."""
    text = shown(error)
    return build_failure("exception", f"{op}: {text}" if op else text)


class Waiting:
    """One caller that waits, for a socket or for another `Fallible`. It is answered exactly once.

    on_timeout: called after `timeout` ms; -1 is for ever. It answers, or lets the caller wait on.
    process, on_down: `on_down` is called when the process ends before the answer. Then the caller is taken
    out, if `on_down` has not answered.
    """

    __slots__ = ("_on_down", "_on_timeout", "process", "ref", "session", "target", "timer")

    def __init__(
        self,
        session: Session,
        target: Fallible,
        ref: bytes,
        timeout: int = -1,
        on_timeout: Callable[[], None] | None = None,
        process: Pid | None = None,
        on_down: Callable[[], None] | None = None,
    ) -> None:
        self.session = session
        self.target = target
        self.ref = ref
        self.process = process
        self._on_down = on_down
        self.timer: Timer | None = None
        self._on_timeout: Callable[[], None] | None = None
        if on_timeout is not None:
            self.start_timer(timeout, on_timeout)
        if process is not None:
            session.watch(process, self)
        session.waiting[ref] = self

    def start_timer(self, timeout: int, on_timeout: Callable[[], None]) -> None:
        if timeout >= 0:
            self._on_timeout = on_timeout
            self.timer = self.session.after(timeout, on_timeout)

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def expire(self) -> bool:
        """True when the caller has given up, though its timer has not run yet: it gets its timeout now.

        Ask this before something is taken for the caller, data or a connection: it would be lost.
        """
        if self.timer is None or not self.timer.overdue:
            return False
        if self._on_timeout is not None:
            self._on_timeout()
        return True

    @property
    def waits(self) -> bool:
        """False when the caller has had its answer, or was taken out."""
        return self.ref in self.session.waiting

    def answer(self, body: bytes, tail: bytes = b"") -> None:
        """The first answer counts."""
        session = self.session
        if session.waiting.pop(self.ref, None) is not None:
            try:
                if self.timer is not None or self.process is not None:
                    self._release()
            finally:
                session.answer(self.ref, body, tail)

    def withdraw(self) -> bool:
        """Takes the caller out without an answer. False when it has had one."""
        if self.session.waiting.pop(self.ref, None) is None:
            return False
        self._release()
        return True

    def _release(self) -> None:
        self.cancel_timer()
        self._on_timeout = self._on_down = None  # no circle of references is left
        if self.process is not None:
            self.session.unwatch(self.process, self)

    def on_down(self, _pid: Pid) -> None:
        """The process has ended."""
        if self._on_down is not None:
            self._on_down()
        self.withdraw()

    def fail(self, error: Exception) -> None:
        """A bug in what the caller waits for."""
        self.answer(failure(error))
