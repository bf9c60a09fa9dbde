"""A process that a test has started, and its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..codec.terms import Pid
from .requests import Request, Requests, wait
from .values import Answer, value_of

__all__ = ["Spawned"]


class Spawned:
    """What `Node.spawn` gives."""

    def __init__(
        self,
        requests: Requests,
        request: Request,
        first_answer: Callable[[Request], Answer],
        waits_in: Callable[[Pid], str],
    ) -> None:
        self._requests = requests
        self._request = request
        self._first_answer = first_answer
        self._waits_in = waits_in

    @property
    def pid(self) -> Pid:
        """The process."""
        pid: Pid = value_of(self._first_answer(self._request))
        return pid

    def done(self) -> bool:
        """Whether the function has ended, or failed."""
        return self._request.answer.done()

    def result(self, timeout: float | None = 5.0) -> Any:
        """What the function gave. The process goes on after an ErlangTimeoutError.

        timeout: seconds; None is for ever. Errors are those of `Node.eval`.
        """
        __tracebackhide__ = True
        return wait(self._request.answer, value_of, timeout, lambda: self._waits_in(self.pid))

    def kill(self) -> None:
        """Ends the process. Nothing happens when it has ended."""
        self._requests.cancel(self._request)
