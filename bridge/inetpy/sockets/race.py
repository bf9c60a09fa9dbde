"""Connecting to a name with several addresses: RFC 8305, "happy eyeballs".

The addresses are tried in the system's order, the families by turns. When one has not
answered after a quarter of a second, the next is tried beside it; the first connection
wins, and the others are given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..errors import posix_name

if TYPE_CHECKING:
    from ..session import Session
    from .stream import Stream

__all__ = ["Race", "interleave"]

ATTEMPT_DELAY = 250  # ms, the RFC's recommendation

Address = tuple[int, str]


def interleave(addresses: list[Address]) -> list[Address]:
    """The families by turns, beginning with that of the first."""
    if not addresses:
        return []
    first = addresses[0][0]
    preferred = [address for address in addresses if address[0] == first]
    others = [address for address in addresses if address[0] != first]
    pairs = zip_longest(preferred, others)
    return [address for pair in pairs for address in pair if address is not None]


class Race:
    """One connect. `begin(address)` gives a stream, or raises OSError.

    `done` is called once, with the stream that won or the name of the last error.
    """

    def __init__(
        self,
        session: Session,
        timeout: int,
        begin: Callable[[Address, Callable[[str | None], None]], Stream],
        done: Callable[[Stream | str], None],
    ) -> None:
        self._session = session
        self._left: deque[Address] = deque()
        self._begin = begin
        self._done = done
        self._runners: list[Stream] = []
        self._error = ""
        self._over = False
        self._next_timer: asyncio.TimerHandle | None = None
        self._timer = session.after(timeout, self._on_timeout) if timeout >= 0 else None

    def start(self, addresses: list[Address], error: str = "nxdomain") -> None:
        """The name has been looked up; the time has been running all along."""
        self._error = error
        self._left.extend(interleave(addresses))
        self._next()

    def _next(self) -> None:
        """Tries the next address; the end, when there is none and nobody runs."""
        self._cancel(self._next_timer)
        while self._left and not self._over:
            address = self._left.popleft()
            try:
                self._run(address)
            except OSError as error:
                self._error = posix_name(error)
                continue
            if self._left and not self._over:
                self._next_timer = self._session.after(ATTEMPT_DELAY, self._next)
            return
        if not self._runners and not self._over:
            self._end(self._error)

    def _run(self, address: Address) -> None:
        runner: list[Stream] = []  # filled below: a connection can be there at once
        early: list[str | None] = []

        def on_end(error: str | None) -> None:
            if runner:
                self._on_end(runner[0], error)
            else:
                early.append(error)

        runner.append(self._begin(address, on_end))
        self._runners.append(runner[0])
        if early:
            self._on_end(runner[0], early[0])

    def _on_end(self, stream: Stream, error: str | None) -> None:
        if self._over:
            return
        self._runners.remove(stream)
        if error is None:
            return self._end(stream)
        self._error = error
        self._next()

    def _on_timeout(self) -> None:
        self._end("timeout")

    def _end(self, result: Stream | str) -> None:
        self._over = True
        self._cancel(self._next_timer)
        self._cancel(self._timer)
        for stream in self._runners:
            stream.terminate()
        self._done(result)

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
