"""A host in memory, for tests: no descriptor, no sleep, no thread.

    host = MemoryHost()
    host.names["example"] = ["192.0.2.1"]       names are looked up at once, in this dict
    host.poller.run()                           runs all that is ready, until nothing is
    host.clock.advance(250)                     250 ms go by, and what is due in them is run
    peer = host.open_socket(AF_INET, SOCK_STREAM)      a test uses sockets as a session does

The sockets are those of `memory_sockets`. A test is the same each time: nothing happens outside of
`run` and `advance`.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import socket
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from . import bugs
from .api import SLACK, Interface, RawCalls, Socket
from .clock import FOREVER
from .errors import os_error
from .memory_interfaces import LOOPBACK
from .memory_linger import close_lingering
from .memory_sockets import MemoryDatagram, MemoryNetwork, MemorySocket, MemoryStream
from .virtual import VirtualReadiness

__all__ = ["MemoryClock", "MemoryHost", "MemoryPoller", "MemoryResolver"]

T = TypeVar("T")

MAX_LOOKS = 10_000


class MemoryPoller(VirtualReadiness):
    """See `api.Poller`. All sockets are without descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.in_batch = False
        self._soon: list[Callable[[], None]] = []
        self._in_turn: list[Callable[[], None]] = []

    def soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def in_turn(self, callback: Callable[[], None]) -> None:
        self._in_turn.append(callback)

    def in_time(self, seconds: float, callback: Callable[[], None]) -> None:  # noqa: ARG002
        """No time goes by here."""
        self.in_turn(callback)

    def has_ended(self, sock: Socket) -> bool:  # noqa: ARG002
        """No socket here has a descriptor."""
        return False

    def others_first(self) -> None:
        """There are no requests here."""

    def look_again(self) -> None:
        """There is a look in any case."""

    def hand_over(self) -> None:
        """There is no loop."""

    def run(self) -> None:
        """Runs what is ready until nothing is."""
        for _ in range(MAX_LOOKS):
            self.in_batch = True
            try:
                if not self._look():
                    return
            finally:
                self.in_batch = False
        raise RuntimeError("a socket stays ready, and its waiter does nothing about it")

    def _look(self) -> bool:
        """One look of a `LoopPoller`. False when nothing was ready."""
        turns, self._in_turn = self._in_turn, []
        ran = self.run_ready()
        for callback in turns:
            bugs.guard(callback)
        ran = ran or bool(turns or self._soon)
        while self._soon:
            callbacks, self._soon = self._soon, []
            for callback in callbacks:
                bugs.guard(callback)
        return ran


class MemoryTimer:
    """See `api.Timer`."""

    def __init__(self, clock: MemoryClock, deadline: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.deadline = deadline
        self.callback: Callable[[], None] | None = callback

    @property
    def overdue(self) -> bool:
        return self._clock.milliseconds > self.deadline + SLACK * 1000

    def cancel(self) -> None:
        self.callback = None


class MemoryClock:
    """See `api.Clock`. It stands still unless it is advanced.

    run_ready: what a host does whenever some time has gone by.
    """

    def __init__(self, run_ready: Callable[[], None] = lambda: None) -> None:
        self.milliseconds = 0
        self._run_ready = run_ready
        self._timers: list[tuple[int, int, MemoryTimer]] = []
        self._numbers = itertools.count()  # timers of one moment run in the order of their making

    def now(self) -> float:
        return self.milliseconds / 1000

    def after(self, milliseconds: int, callback: Callable[[], None]) -> MemoryTimer:
        timer = MemoryTimer(self, self.milliseconds + min(milliseconds, FOREVER), callback)
        heapq.heappush(self._timers, (timer.deadline, next(self._numbers), timer))
        return timer

    def advance(self, milliseconds: int) -> None:
        """Lets time go by. Each timer runs at its moment, and then what it has made ready."""
        end = self.milliseconds + milliseconds
        self._run_ready()
        while self._timers and self._timers[0][0] <= end:
            deadline, _, timer = heapq.heappop(self._timers)
            self.milliseconds = max(self.milliseconds, deadline)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                bugs.guard(callback)
                self._run_ready()
        self.milliseconds = end

    def stand_still(self, milliseconds: int) -> None:
        """Time in which this process is stopped. What is ready comes before all timers then."""
        self.milliseconds += milliseconds
        self.advance(0)


class MemoryResolver:
    """See `api.Resolver`.

    names: the IP addresses of each name, those preferred first.
    services: the port of (name, protocol).
    """

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {"localhost": ["127.0.0.1", "::1"]}
        self.services: dict[tuple[str, str], int] = {}

    def getaddrinfo(
        self, host: str, port: int | None, family: int = 0, kind: int = 0, **_flags: int
    ) -> list[Any]:
        found = [address for address in self._addresses(host) if family in (0, _family(address))]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(_family(address), kind, 0, host, (address, port or 0)) for address in found]

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        entries = self.getaddrinfo(name, None, socket.AF_INET)
        return name, [], [entry[4][0] for entry in entries]

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        for name, addresses in self.names.items():
            if address in addresses:
                return name, [], [address]
        raise socket.herror(1, "Unknown host")

    def gethostname(self) -> str:
        return "memory"

    def getservbyname(self, name: str, protocol: str) -> int:
        if (name, protocol) not in self.services:
            raise OSError("service/proto not found")
        return self.services[name, protocol]

    def getservbyport(self, port: int, protocol: str) -> str:
        for (name, spoken), number in self.services.items():
            if (number, spoken) == (port, protocol):
                return name
        raise OSError("port/proto not found")

    def _addresses(self, host: str) -> list[str]:
        return self.names.get(host.lower(), [])


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class MemoryHost:
    """See `api.Host`.

    network: the sockets; its `silent` addresses answer nothing.
    descriptors: what the node has open, by number: a socket, or the bytes of a file.
    """

    def __init__(self, capacity: int = 1 << 16) -> None:
        self.poller = MemoryPoller()
        self.clock = MemoryClock(self.poller.run)
        self.resolver = MemoryResolver()
        self.names = self.resolver.names
        self.network = MemoryNetwork(self.poller.notify, capacity)
        self.descriptors: dict[int, MemorySocket | bytes] = {}

    @cached_property
    def raw(self) -> RawCalls:
        from .memory_calls import MemoryCalls  # needs ctypes

        return MemoryCalls()

    def open_socket(
        self, family: int, kind: int, netns: bytes | None = None, protocol: int = 0
    ) -> MemorySocket:
        if netns is not None:
            raise os_error(errno.ENOENT)
        return self.network.socket(family, kind, protocol)

    def borrow(self, _process: int, number: int) -> int:
        if number not in self.descriptors:
            raise os_error(errno.EBADF)
        return number

    def adopt_socket(self, descriptor: int) -> MemorySocket:
        sock = self.descriptors[descriptor]
        if not isinstance(sock, MemorySocket):
            raise os_error(errno.ENOTSOCK)
        return sock

    def close_file(self, descriptor: int) -> None:
        """The node has it open still."""

    def close_lingering(self, sock: Any, done: Callable[[None], None]) -> None:
        close_lingering(sock, self.clock, done)

    def interfaces(self, netns: bytes | None = None) -> list[Interface]:
        if netns is not None:
            raise os_error(errno.ENOENT)
        return [LOOPBACK]

    def disconnect(self, sock: Any) -> None:
        if isinstance(sock, (MemoryDatagram, MemoryStream)):
            sock.disconnect()

    def sendfile(self, sock: Any, descriptor: int, offset: int, count: int) -> int:
        file = self.descriptors[descriptor]
        if not isinstance(file, bytes):
            raise os_error(errno.EINVAL)
        data = file[offset : offset + count]
        sent: int = sock.send(data) if data else 0
        return sent

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """At once: a test waits for nothing."""
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  as in a thread
            bugs.failed(done.__self__, error)  # type: ignore[attr-defined]
        else:
            self.poller.soon(lambda: bugs.guard(done, result))
