"""The time of a network: that of the system, faster or slower, or advanced by hand.

    network.clock.rate(10)             a timeout of 30 s takes 3 s
    network.clock.advance(30_000)      what is due in 30 s happens now; then time stands still
    network.clock.real()               time goes by again, as that of the system

It is the time of all that this process times: timeouts of calls, delays of faults, the attempts of a race.
A timer that is under way when the mode changes keeps what is left of it, in the new time. Time never
goes back. docs/faults.md has what stays in the time of the system.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Awaitable, Callable

from ..host import bugs
from ..host.api import SLACK, Clock, Timer
from ..host.clock import FOREVER
from .anywhere import DONE, finish

__all__ = ["MOMENT", "ClockControl", "NetworkClock"]

MOMENT = 1e-6  # seconds: what is nearer than that is the same moment, for floats are not exact
MOST = 1e12  # ms to advance, and times as fast
TURNS = 20  # of the loop, in which sockets and servers in memory react to what has become due


class NetworkTimer:
    """See `host.api.Timer`. `deadline` is in seconds of the network's time."""

    __slots__ = ("_callback", "_clock", "_timer", "deadline")

    def __init__(self, clock: NetworkClock, deadline: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback
        self._timer: Timer | None = None  # of the host, while time goes by
        self.deadline = deadline

    @property
    def overdue(self) -> bool:
        return self._clock.now() > self.deadline + SLACK

    def cancel(self) -> None:
        self.halt()
        self._clock.timers.pop(self, None)

    def start(self, host: Clock, rate: float) -> None:
        """Waits in the time of the host."""
        left = (self.deadline - self._clock.now() - MOMENT) * 1000 / rate
        self._timer = host.after(math.ceil(min(max(left, 0), FOREVER)), self._on_time)

    def halt(self) -> None:
        """Does not wait in the time of the host any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._timer = None
        self.run()

    def run(self) -> None:
        """The time has come. Nothing happens when the timer was cancelled."""
        if self in self._clock.timers:
            self.cancel()
            bugs.guard(self._callback)

    def fail(self, error: Exception) -> None:
        """For the clock of the host. What the callback raises has been dealt with."""


class NetworkClock:
    """See `host.api.Clock`. At first its time is that of the host's clock.

    timers: those that are under way.
    """

    def __init__(self, host: Clock) -> None:
        self._host = host
        # The time of the network at a time of the host, and how much faster it goes by from then on. One
        # tuple, for threads ask for the time, too.
        self._course = (0.0, 0.0, 1.0)
        self.timers: dict[NetworkTimer, None] = {}
        self._queue: list[tuple[float, int, NetworkTimer]] = []  # the timers, while time stands still
        self._numbers = itertools.count()  # timers of one moment run in the order in which they came
        self._end = 0.0  # how far time is to be advanced

    def now(self) -> float:
        then, host_then, rate = self._course
        return then + (self._host.now() - host_then) * rate

    @property
    def rate(self) -> float:
        """How many times as fast as the host's time; 0 while time stands still."""
        return self._course[2]

    def after(self, milliseconds: int, callback: Callable[[], None]) -> NetworkTimer:
        timer = NetworkTimer(self, self.now() + min(milliseconds, FOREVER) / 1000, callback)
        self.timers[timer] = None
        self._start(timer)
        return timer

    def _start(self, timer: NetworkTimer) -> None:
        if self.rate:
            return timer.start(self._host, self.rate)
        if len(self._queue) > 2 * len(self.timers) + 100:  # most were cancelled
            self._queue = [entry for entry in self._queue if entry[2] in self.timers]
            heapq.heapify(self._queue)
        heapq.heappush(self._queue, (timer.deadline, next(self._numbers), timer))

    def set_rate(self, rate: float) -> None:
        """0: time stands still, until it is advanced."""
        self._end = now = self.now()
        self._course = (now, self._host.now(), rate)
        self._queue = []
        for timer in list(self.timers):
            timer.halt()
            self._start(timer)

    def begin(self, milliseconds: float) -> None:
        """Time stands still, and is to be advanced by so much: by `step`."""
        if self.rate:
            self.set_rate(0.0)
        self._end += milliseconds / 1000

    def step(self) -> bool:
        """Advances to the next moment at which something is due, and runs it.

        False when nothing more is due: time is as far as it was to be advanced.
        """
        if self.rate:
            return False  # somebody has let time go by meanwhile
        queue, now = self._queue, self.now()
        while queue and queue[0][2] not in self.timers:
            heapq.heappop(queue)
        if not queue or queue[0][0] > self._end + MOMENT:
            self._stand(max(now, self._end))
            return False
        moment = max(now, queue[0][0])
        self._stand(moment)
        while queue and queue[0][0] <= moment:
            heapq.heappop(queue)[2].run()
        return True

    def _stand(self, moment: float) -> None:
        self._course = (moment, 0.0, 0.0)


class ClockControl:
    """What a test does with the time of its network: see the module. Methods may be called from any thread.

    do: carries something out where the sockets are.
    loop: of the sockets; None where the caller runs everything itself, by `run_ready`.
    """

    def __init__(
        self,
        clock: NetworkClock,
        do: Callable[[Callable[[], None]], None],
        loop: asyncio.AbstractEventLoop | None,
        run_ready: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._do = do
        self._loop = loop
        self._run_ready = run_ready
        self._advancing = asyncio.Lock()

    def real(self) -> None:
        """Time goes by as that of the system, from where it is now."""
        self._do(lambda: self._clock.set_rate(1.0))

    def rate(self, times: float) -> None:
        """Time goes by so many times as fast as that of the system.

        Raises ValueError for a number that is not above 0, or above 1e12. `advance(0)` lets time stand still.
        """
        if not _is_number(times) or times <= 0:
            raise ValueError(f"a rate is a number above 0, not {times!r}")
        self._do(lambda: self._clock.set_rate(float(times)))

    def advance(self, milliseconds: float) -> Awaitable[None]:
        """So many ms go by at once. The first call stops the clock, and from then on time is in your hands.

        What is due happens moment by moment, in order, and sockets and servers in memory react before the
        next moment. What Erlang does about it comes after all of it: so advance in several steps where a
        program is to do something in between.

        When this returns, all of it has happened. Only a caller in the loop itself, a server in memory for
        example, is not waited for, and has to `await` it.

        Raises ValueError for a time below 0, or above 1e12 ms.
        """
        if not _is_number(milliseconds) or milliseconds < 0:
            raise ValueError(f"a time to advance is a number of ms, 0 or more, not {milliseconds!r}")
        self._do(lambda: self._clock.begin(milliseconds))
        loop = self._loop
        if loop is not None and loop.is_running():
            return finish(loop, self._advance)
        self._run_ready()
        while self._clock.step():
            self._run_ready()
        return DONE

    async def _advance(self) -> None:
        async with self._advancing:
            await _react()
            while self._clock.step():
                await _react()


async def _react() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _is_number(value: object) -> bool:
    """Beyond MOST, the time is too large for a float to tell one moment from the next."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MOST
