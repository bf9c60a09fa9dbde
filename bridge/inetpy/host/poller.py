"""Readiness of many sockets, within an asyncio loop."""

from __future__ import annotations

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter

from . import bugs
from .api import READ, Pipe, Socket, VirtualSocket, Waiter
from .virtual import VirtualReadiness

__all__ = ["LoopPoller"]

TURN = 0.002  # seconds after which the loop gets its turn: timers, threads
MAX_EVENTS = 256

Ready = list[tuple[int, int]]  # descriptors with their events


class LoopPoller:
    """See `api.Poller`.

    The poller has an epoll set of its own, which stands in the loop as one reader. So a ready
    descriptor costs a dictionary look-up and a call, and an idle descriptor costs an
    entry: the loop's own readers cost ten times as much of both.

    After the last ready descriptor the poller looks again for `spin` seconds
    before it lets the process sleep. To be woken costs more than most answers
    take, and under load the next request is nearly there.

    A waiter that raises ends (see `bugs`), and is not called again.

    after_batch: what is called when the waiters of one look have all been run.
    before_sleep: what is called before the loop sleeps, or does something else.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        after_batch: Iterable[Callable[[], None]] = (),
        spin: float = 0.0,
    ) -> None:
        self.after_batch = list(after_batch)
        self.before_sleep: list[Callable[[], None]] = []
        self._epoll = select.epoll()
        self._waiters: dict[int, Waiter] = {}
        self._last: set[int] = set()  # descriptors: see `add_last`
        self._others_first = False
        self._virtual = VirtualReadiness()
        # Sockets without a descriptor that the next look finds, as with epoll(7): the node has the answer of
        # a call that waits, and may end it, before it is told to go on.
        self._added: list[Socket | Pipe] = []
        self._loop = loop
        self._spin = spin
        self._soon: list[Callable[[], None]] = []
        self._in_turn: list[Callable[[], None]] = []
        self._in_time: deque[tuple[float, Callable[[], None]]] = deque()
        self._turn_scheduled = False
        self._takes_turns_until = 0.0
        self._again = False
        self.in_batch = False
        loop.add_reader(self._epoll.fileno(), self._on_wakeup)

    # A socket without the method `fileno` has no descriptor. To ask for the method first would cost
    # all other sockets something.

    def add(self, sock: Socket | Pipe, events: int, waiter: Waiter) -> None:
        try:
            descriptor: int = sock.fileno()  # type: ignore[union-attr]
        except AttributeError:
            self._virtual.register(sock, events, waiter)
            self._added.append(sock)
            return self._look_soon()
        self._waiters[descriptor] = waiter
        self._epoll.register(descriptor, events)

    def add_last(self, pipe: Pipe, waiter: Waiter) -> None:
        """The waiter is one of those that `others_first` is about: it reads requests."""
        self.add(pipe, READ, waiter)
        self._last.add(pipe.fileno())

    def change(self, sock: Socket | Pipe, events: int) -> None:
        try:
            descriptor: int = sock.fileno()  # type: ignore[union-attr]
        except AttributeError:
            self._virtual.change(sock, events)
            return self._look_soon()
        self._epoll.modify(descriptor, events)

    def remove(self, sock: Socket | Pipe) -> None:
        try:
            descriptor: int = sock.fileno()  # type: ignore[union-attr]
        except AttributeError:
            return self._virtual.remove(sock)
        self._last.discard(descriptor)
        del self._waiters[descriptor]
        self._epoll.unregister(descriptor)

    def forget(self, sock: Socket | Pipe) -> None:
        try:
            descriptor: int = sock.fileno()  # type: ignore[union-attr]
        except AttributeError:
            return self._virtual.forget(sock)
        self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        self._last.discard(descriptor)
        if self._waiters.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def notify(self, sock: VirtualSocket) -> None:
        self._virtual.notify(sock)
        if self._virtual.candidates:
            self._look_soon()

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when what is being done is done."""
        if self.in_batch:
            self._soon.append(callback)
        else:
            self._loop.call_soon(bugs.guard, callback)

    def has_ended(self, sock: Socket) -> bool:
        """See `api.Poller`."""
        look = select.poll()
        look.register(sock.fileno(), select.POLLRDHUP)  # type: ignore[attr-defined]
        return bool(look.poll(0))

    def look_again(self) -> None:
        """See `api.Poller`. In a batch only: between two of them there is a look in any case."""
        self._again = self.in_batch

    def others_first(self) -> None:
        """See `api.Poller`."""
        self._others_first = True

    def hand_over(self) -> None:
        """The poller still looks for `spin` seconds, but the loop has a turn after each look."""
        self._takes_turns_until = perf_counter() + self._spin

    def in_turn(self, callback: Callable[[], None]) -> None:
        """Calls `callback` after the waiters that the next look finds ready."""
        self._in_turn.append(callback)
        self._look_soon()

    def in_time(self, seconds: float, callback: Callable[[], None]) -> None:
        """See `api.Poller`."""
        self._in_time.append((perf_counter() + seconds, callback))
        self._look_soon()

    def _look_soon(self) -> None:
        """Looks again when the loop has its turn: callbacks and virtual sockets do not wake it."""
        if not self.in_batch and not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        self._turn_scheduled = False
        self._on_wakeup()

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _on_wakeup(self) -> None:
        self.in_batch = True
        now = perf_counter()
        spin_ends = now
        turn_ends = now + TURN
        try:
            while True:
                if self._run_ready():
                    now = perf_counter()
                    spin_ends = now + self._spin
                else:
                    os.sched_yield()  # the emulator's threads may be waiting for this core
                    now = perf_counter()
                is_idle = now >= spin_ends and not self._in_time
                if is_idle or now >= turn_ends or now < self._takes_turns_until:
                    break
        finally:
            self.in_batch = False
        is_busy = self._in_turn or self._in_time or self._added or self._virtual.candidates
        if is_busy or now < self._takes_turns_until:
            self._look_soon()
        else:
            for callback in self.before_sleep:
                callback()

    def _run_ready(self) -> bool:
        """Runs the waiters of all that is ready now. False when nothing was."""
        ready = self._epoll.poll(0, MAX_EVENTS)
        virtual = self._virtual
        added, self._added = self._added, []
        for sock in added:
            virtual.notify(sock)
        due = self._due() if self._in_time else ()
        if not ready and not due and not self._in_turn and not virtual.candidates:
            return False
        turns, self._in_turn = self._in_turn, []
        try:
            while ready:
                self._run(self._run_first(ready) if self._others_first else ready)
                if not self._again:
                    break
                self._again = False
                ready = self._epoll.poll(0, MAX_EVENTS)
            if virtual.candidates:
                virtual.run_ready()
            for callback in turns:
                bugs.guard(callback)
            for callback in due:
                bugs.guard(callback)
            while self._soon:
                callbacks, self._soon = self._soon, []
                for callback in callbacks:
                    bugs.guard(callback)
        finally:
            for callback in self.after_batch:
                callback()
        return True

    def _run_first(self, ready: Ready) -> Ready:
        """Runs those that are not last, where there are both. Answers with whom is left."""
        self._others_first = False
        last = [each for each in ready if each[0] in self._last]
        if not last or len(last) == len(ready):
            return ready
        self._run([each for each in ready if each[0] not in self._last])
        for callback in self.after_batch:
            callback()
        return last

    def _run(self, ready: Ready) -> None:
        waiters = self._waiters
        for descriptor, events in ready:
            # An earlier waiter of this batch may have ended a later one.
            waiter = waiters.get(descriptor)
            if waiter is not None:
                try:
                    waiter.on_ready(events)
                except Exception as error:  # noqa: BLE001  as bugs.guard, without its frame
                    self._on_failure(descriptor, waiter, error)

    def _due(self) -> list[Callable[[], None]]:
        """What has waited for its time."""
        waits, now = self._in_time, perf_counter()
        due = []
        while waits and waits[0][0] <= now:
            due.append(waits.popleft()[1])
        return due

    def _on_failure(self, descriptor: int, waiter: Waiter, error: Exception) -> None:
        """A waiter that is still there afterwards would be called, and raise, for ever."""
        bugs.failed(waiter, error)
        if self._waiters.get(descriptor) is waiter and not waiter.survives:
            self._forget(descriptor)
