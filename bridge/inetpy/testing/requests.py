"""Requests to the agent of a node, and its answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from ..codec.etf import decode
from ..codec.terms import Atom, Pid
from ..session.session import Session
from .errors import ErlangTimeoutError
from .values import Answer, encoded

__all__ = ["Request", "Requests", "is_async", "wait"]

T = TypeVar("T")

NOT_ANSWERED = "the node does not answer"


class Request:
    """One request.

    answer: the last answer.
    started: the first answer of a process that is started.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.answer: Future[Answer] = Future()
        self.started: Future[Answer] = Future()

    def fail(self, error: Exception) -> None:
        for future in (self.started, self.answer):
            if not future.done():
                future.set_exception(error)


class Requests:
    """Those of one node. Answers come in the loop; the rest may be called from any thread.

    on_ready: is called when the node can be asked.
    on_log: is given each event of the node's logger in the External Term Format.
    notes_on: lines for the text of the error of a process that took too long.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_ready: Callable[[], None],
        on_log: Callable[[bytes], None],
        notes_on: Callable[[Pid], list[str]],
    ) -> None:
        self._loop = loop
        self._on_ready = on_ready
        self._on_log = on_log
        self._notes_on = notes_on
        self._numbers = itertools.count(1)
        self._open: dict[int, Request] = {}
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._session: Session | None = None

    def begin(self, session: Session) -> None:
        """The node is there."""
        self._session = session
        session.on_agent = self._on_payload

    def ask(self, verb: str, *rest: object, parts: Mapping[str, object] | None = None) -> Request:
        """`{Verb, Number, ...}`. Raises the error by which the node was lost; for `parts` see `encoded`."""
        request = Request(next(self._numbers))
        payload = encoded((Atom(verb), request.number, *rest), parts or {})
        with self._lock:
            if self._failure is not None:
                raise self._failure
            self._open[request.number] = request
        self._send(payload)
        return request

    def cancel(self, request: Request) -> None:
        """Nobody waits for it any more. Its process ends."""
        if self._open.pop(request.number, None) is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the node
                self._send(encoded((Atom("cancel"), request.number), {}))
            request.answer.cancel()

    def _send(self, payload: bytes) -> None:
        self._loop.call_soon_threadsafe(self._emit, payload)

    def _emit(self, payload: bytes) -> None:
        assert self._session is not None
        self._session.link.agent(payload)

    def fail(self, error: Exception, *, lost: bool) -> None:
        """All that are open. `lost`: also those that are still to come."""
        with self._lock:
            if lost:
                self._failure = error
            requests, self._open = list(self._open.values()), {}
        for request in requests:
            request.fail(error)

    def _on_payload(self, payload: bytes) -> None:
        term: Any = decode(payload)
        number, tag, data = term
        if tag.name == "log":
            return self._on_log(data)
        if tag.name == "ready":
            return self._on_ready()
        if tag.name == "started":
            request = self._open.get(number)
            if request is not None and not request.started.done():
                request.started.set_result(Answer(tag.name, data))
            return None
        request = self._open.pop(number, None)  # who takes it out answers it; None: nobody waits any more
        if request is not None:
            request.answer.set_result(Answer(tag.name, data, self._notes(tag.name, data)))
        return None

    def _notes(self, tag: str, data: bytes) -> tuple[str, ...]:
        if tag != "timeout":
            return ()
        term: Any = decode(data)
        return tuple(self._notes_on(term[0]))


def is_async() -> bool:
    """Whether the caller is called by a loop, so that it is to await."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def wait(
    future: Future[Answer],
    read: Callable[[Answer], T],
    timeout: float | None,
    on_late: Callable[[], str] = lambda: NOT_ANSWERED,
    on_leave: Callable[[], None] = lambda: None,
) -> T | Coroutine[Any, Any, T]:
    """What `read` makes of an answer; in a loop an awaitable of that.

    timeout: seconds; None is for ever. Then `on_late` gives the text of the ErlangTimeoutError.
    on_leave: called where the answer did not come, as after Ctrl-C.
    """
    __tracebackhide__ = True
    if is_async():
        return _awaited(future, read, timeout, on_late, on_leave)
    try:
        answer = future.result(timeout)
    except BaseException as error:
        if future.done() and not future.cancelled():
            raise
        late = _late(error, on_late)
        on_leave()
        if late is None:
            raise
        raise late from None
    return read(answer)


async def _awaited(
    future: Future[Answer],
    read: Callable[[Answer], T],
    timeout: float | None,
    on_late: Callable[[], str],
    on_leave: Callable[[], None],
) -> T:
    __tracebackhide__ = True
    try:
        async with asyncio.timeout(timeout):
            answer = await asyncio.shield(asyncio.wrap_future(future))
    except BaseException as error:
        if future.done() and not future.cancelled():
            raise
        late = None
        if isinstance(error, TimeoutError):
            late = ErlangTimeoutError(await asyncio.to_thread(on_late))
        on_leave()
        if late is None:
            raise
        raise late from None
    return read(answer)


def _late(error: BaseException, on_late: Callable[[], str]) -> ErlangTimeoutError | None:
    return ErlangTimeoutError(on_late()) if isinstance(error, TimeoutError) else None
