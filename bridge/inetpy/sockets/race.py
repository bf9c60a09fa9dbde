"""Connecting to a name with several addresses: RFC 8305, "happy eyeballs".

The addresses are tried in the system's order, the families by turns. When one has not
answered after a quarter of a second, the next is tried beside it; the first connection
wins, and the others are given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import zip_longest

from ..codec.terms import Pid
from ..host import bugs
from ..host.api import Timer
from ..session.session import Session
from ..session.waiting import Waiting
from ..wire.messages import build_error, build_ok
from .tcp.connecting import Done
from .tcp.stream import Stream

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
    """One connect of a caller. `begin(address, on_end)` gives a stream, or raises OSError.

    The answer is the stream that won, or the last error.
    """

    def __init__(
        self,
        session: Session,
        ref: bytes,
        timeout: int,
        owner: Pid,
        begin: Callable[[Address, Done], Stream],
    ) -> None:
        self._session = session
        self._left: deque[Address] = deque()
        self._begin = begin
        self._runners: list[Stream] = []
        self._error = ""
        self.is_over = False
        self._next_timer: Timer | None = None
        self._caller = Waiting(session, self, ref, timeout, self._on_timeout, owner, self._on_owner_down)

    def start(self, found: tuple[list[Address], str]) -> None:
        """The name has been looked up: its addresses, or why there are none."""
        addresses, self._error = found
        self._left.extend(interleave(addresses))
        self._next()

    def _next(self) -> None:
        """Tries the next address; the end, when there is none and nobody runs."""
        self._cancel_next()
        while self._left and not self.is_over:
            address = self._left.popleft()
            try:
                self._run(address)
            except OSError as error:
                self._error = self._session.posix_name(error)
                continue
            if self._left and not self.is_over and self._next_timer is None:
                self._next_timer = self._session.after(ATTEMPT_DELAY, self._next)
            return
        if not self._runners and not self.is_over:
            self._end(self._error)

    def _run(self, address: Address) -> None:
        # A bug in here ends the race, and not only the stream that calls it.
        stream = self._begin(address, lambda stream, error: bugs.guard(self._on_end, stream, error))
        if stream.connecting is not None:  # else the connection has come to something at once
            self._runners.append(stream)

    def _on_end(self, stream: Stream, error: str | None) -> None:
        if stream in self._runners:
            self._runners.remove(stream)
        if self.is_over or self._caller.expire():
            return stream.terminate()
        if error is None:
            return self._end(stream)
        self._error = error
        self._next()

    def _on_timeout(self) -> None:
        self._end("timeout")

    def _on_owner_down(self) -> None:
        """The owner of the runners has ended."""
        self._end("closed")

    def _end(self, result: Stream | str) -> None:
        self.is_over = True
        self._cancel_next()
        for stream in list(self._runners):
            stream.terminate()
        self._caller.answer(build_error(result) if isinstance(result, str) else build_ok(result.name))

    def _cancel_next(self) -> None:
        if self._next_timer is not None:
            self._next_timer.cancel()
            self._next_timer = None

    def fail(self, error: Exception) -> None:
        """A bug in here, or in the lookup of the name."""
        self._caller.fail(error)
        self.is_over = True
        self._cancel_next()
        for stream in list(self._runners):
            stream.fail(error)
