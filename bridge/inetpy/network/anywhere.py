"""Work in the loop of the servers, asked for from anywhere.

    where the caller is                  what `call` gives
    in that loop, or before it runs      a task of that loop
    in a thread without a running loop   the result, when it is there
    in a thread with another loop        a task of the other loop

A loop that ends meanwhile is a RuntimeError for those that wait, and a wait that is cancelled or interrupted
cancels the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

__all__ = ["DONE", "call", "do", "finish", "is_elsewhere"]

T = TypeVar("T")

LOOK = 0.5  # seconds after which those that wait look whether the loop still runs
ENDED = "the loop of this network has ended: make a new network"


def is_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop runs, and the caller is not called by it. Raises RuntimeError for a closed loop."""
    if loop.is_closed():
        raise RuntimeError(ENDED)
    return loop.is_running() and _running() is not loop


def _running() -> asyncio.AbstractEventLoop | None:
    """The loop that calls."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def do(loop: asyncio.AbstractEventLoop | None, work: Callable[[], T]) -> T:
    """The result of a function, which runs in the loop. A loop that does not run yet is not waited for."""
    if loop is None or not is_elsewhere(loop):
        return work()
    future: Future[T] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised again by the caller
            future.set_exception(error)

    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:
        raise RuntimeError(ENDED) from None
    return _wait(future, loop)


def call(
    loop: asyncio.AbstractEventLoop, work: Callable[[], Awaitable[T]], timeout: float | None = None
) -> Any:
    """Awaits in the loop what `work` gives: see the module.

    timeout: seconds, or None. Raises TimeoutError after them; the work is cancelled then.
    """

    async def limited() -> T:
        try:
            async with asyncio.timeout(timeout) as limit:
                return await work()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"nothing has come of it in {timeout:g} s") from None

    if not is_elsewhere(loop):
        return _started(limited(), loop)
    future = _submit(limited, loop)
    here = _running()
    return _wait(future, loop) if here is None else _started(_awaited(future, loop), here)


def finish(loop: asyncio.AbstractEventLoop, work: Callable[[], Awaitable[None]]) -> Awaitable[None]:
    """As `call`, but waits in a thread with another loop, too. Only a caller in the loop has to await."""

    async def run() -> None:
        await work()

    if is_elsewhere(loop):
        _wait(_submit(run, loop), loop)
    elif loop.is_running():
        return asyncio.shield(_started(run(), loop))
    else:
        loop.run_until_complete(run())
    return DONE


def _started(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> asyncio.Task[T]:
    """A task that goes on also where nobody awaits it."""
    task = loop.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


_tasks: set[asyncio.Task[Any]] = set()


def _submit(work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> Future[Any]:
    coroutine = work()
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise RuntimeError(ENDED) from None


def _wait(future: Future[T], loop: asyncio.AbstractEventLoop) -> T:
    try:
        while not future.done():
            try:
                return future.result(LOOK)
            except TimeoutError:
                if not future.done() and not loop.is_running():
                    raise RuntimeError(ENDED) from None
        return future.result()
    except CancelledError:  # a loop that ends cancels its tasks
        raise RuntimeError(ENDED) from None
    finally:
        future.cancel()


async def _awaited(future: Future[T], loop: asyncio.AbstractEventLoop) -> T:
    waiter = asyncio.wrap_future(future)
    try:
        while not waiter.done():
            await asyncio.wait([waiter], timeout=LOOK)
            if not waiter.done() and not loop.is_running():
                raise RuntimeError(ENDED)
        if waiter.cancelled():
            raise RuntimeError(ENDED)
        return waiter.result()
    finally:
        waiter.cancel()


class _Done:
    """An awaitable that waits for nothing."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


DONE = _Done()
