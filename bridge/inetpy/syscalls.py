"""The seam to the operating system: all sockets and all waiting go through here.

Another implementation of `Syscalls` can inject faults, record calls or be a
network in memory. The calls are those of the `socket` module and raise its
OSError; a socket is whatever `open_socket` gave. On the hot path a call is the C
function itself, with no Python frame in between.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import ClassVar, Protocol

from . import bugs
from .bugs import Fallible

__all__ = ["Poller", "READ", "Syscalls", "WRITE", "Waiter", "network_namespace"]

READ = select.EPOLLIN
WRITE = select.EPOLLOUT

TURN = 0.002  # seconds after which the loop gets its turn: timers, threads
MAX_EVENTS = 256

CLONE_NEWNET = 0x40000000
_NUMBER = bytes(4)  # where ioctl(2) writes one
PIDFD_GETFD = 438  # the number of the system call, on all architectures


class Waiter(Fallible, Protocol):
    """What waits for a descriptor.

    survives: whether the waiter is to be called again after it has failed.
    """

    survives: ClassVar[bool]

    def on_ready(self, events: int) -> None:
        """Called while ready, again and again until the interest is given up."""


class Syscalls:
    """The real thing."""

    def open_socket(self, family: int, kind: int, netns: bytes | None = None) -> socket.socket:
        """A socket; in the network namespace that the file `netns` stands for."""
        if netns is None:
            return socket.socket(family, kind | socket.SOCK_NONBLOCK)
        with network_namespace(netns):
            return socket.socket(family, kind | socket.SOCK_NONBLOCK)

    def borrow(self, process: int, number: int) -> int:
        """A copy of descriptor `number` of another process (pidfd_getfd(2)).

        Raises OSError: EPERM where this user may not look into that process, ENOSYS
        before Linux 5.6, EBADF for a number that is not open there.
        """
        import ctypes

        handle = os.pidfd_open(process)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            copy = int(libc.syscall(PIDFD_GETFD, handle, number, 0))
        finally:
            os.close(handle)
        if copy < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return copy

    def adopt_socket(self, descriptor: int) -> socket.socket:
        """The socket of a descriptor that is ours. Raises OSError when it is none."""
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        return sock

    def disconnect(self, sock: socket.socket) -> None:
        """Takes the peer of a datagram socket away: connect(2) with AF_UNSPEC."""
        import ctypes  # the socket module has no form for that

        ctypes.CDLL(None).connect(sock.fileno(), b"\0" * 16, 16)

    def accept(self, sock: socket.socket) -> socket.socket:
        accepted, _ = sock.accept()
        accepted.setblocking(False)
        return accepted

    def readable(self, sock: socket.socket) -> int:
        """How many bytes of a stream can be read at once (FIONREAD)."""
        return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, _NUMBER), sys.byteorder)

    def splice(self, sock: socket.socket, pipe: int, size: int) -> int:
        """Moves up to `size` bytes of a stream into a pipe, past this process (splice(2)).

        Raises BlockingIOError when the pipe has no room or the stream no bytes.
        """
        return os.splice(sock.fileno(), pipe, size, flags=os.SPLICE_F_NONBLOCK)

    def splice_pipes(self, source: int, sink: int, size: int) -> int:
        """The same from a pipe into a pipe."""
        return os.splice(source, sink, size, flags=os.SPLICE_F_NONBLOCK)

    recv = staticmethod(socket.socket.recv)
    send = staticmethod(socket.socket.send)
    sendmsg = staticmethod(socket.socket.sendmsg)
    sendfile = staticmethod(os.sendfile)
    sendto = staticmethod(socket.socket.sendto)
    recvfrom = staticmethod(socket.socket.recvfrom)
    recvmsg = staticmethod(socket.socket.recvmsg)
    close_file = staticmethod(os.close)
    bind = staticmethod(socket.socket.bind)
    listen = staticmethod(socket.socket.listen)
    connect = staticmethod(socket.socket.connect)
    shutdown = staticmethod(socket.socket.shutdown)
    close = staticmethod(socket.socket.close)
    getsockopt = staticmethod(socket.socket.getsockopt)
    setsockopt = staticmethod(socket.socket.setsockopt)
    getsockname = staticmethod(socket.socket.getsockname)
    getpeername = staticmethod(socket.socket.getpeername)


@contextmanager
def network_namespace(path: bytes) -> Iterator[None]:
    """This thread in another network namespace (setns(2)), and back again."""
    import ctypes  # takes milliseconds, and few need it

    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if libc.setns(descriptor, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        away = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(away)
            try:
                yield
            finally:
                enter(home)
        finally:
            os.close(away)
    finally:
        os.close(home)


class Poller:
    """Readiness of many descriptors, within an asyncio loop.

    An epoll set of our own stands in the loop as one reader. So a ready
    descriptor costs a dictionary look-up and a call, and an idle one costs an
    entry: the loop's own readers cost ten times as much of both.

    After the last ready descriptor the poller looks again for `spin` seconds
    before it lets the process sleep. To be woken costs more than most answers
    take, and under load the next request is nearly there.

    A waiter that raises ends (see `bugs`), and is not called again.

    `after_batch` is called when the waiters of one look have all been run.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, after_batch: Callable[[], None], spin: float = 0.0
    ) -> None:
        self._epoll = select.epoll()
        self._waiters: dict[int, Waiter] = {}
        self._loop = loop
        self._after_batch = after_batch
        self._spin = spin
        self._soon: list[Callable[[], None]] = []
        self._in_turn: list[Callable[[], None]] = []
        self._turn_scheduled = False
        self.in_batch = False
        loop.add_reader(self._epoll.fileno(), self._on_wakeup)

    def add(self, descriptor: int, events: int, waiter: Waiter) -> None:
        self._waiters[descriptor] = waiter
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Must come before the descriptor is closed."""
        del self._waiters[descriptor]
        self._epoll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """As `remove`, of a descriptor that may not be there."""
        if self._waiters.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when what is being done is done."""
        if self.in_batch:
            self._soon.append(callback)
        else:
            self._loop.call_soon(bugs.guard, callback)

    def in_turn(self, callback: Callable[[], None]) -> None:
        """Calls `callback` after the waiters that the next look finds ready."""
        self._in_turn.append(callback)
        if not self.in_batch:
            self._schedule_turn()

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
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
                if now >= spin_ends or now >= turn_ends:
                    break
        finally:
            self.in_batch = False
        if self._in_turn:
            self._schedule_turn()

    def _run_ready(self) -> bool:
        """Runs the waiters of all that is ready now. False when nothing was."""
        ready = self._epoll.poll(0, MAX_EVENTS)
        if not ready and not self._in_turn:
            return False
        waiters = self._waiters
        turns, self._in_turn = self._in_turn, []
        try:
            for descriptor, events in ready:
                # An earlier waiter of this batch may have ended a later one.
                waiter = waiters.get(descriptor)
                if waiter is not None:
                    try:
                        waiter.on_ready(events)
                    except Exception as error:  # noqa: BLE001  as bugs.guard, without its frame
                        self._on_failure(descriptor, waiter, error)
            for callback in turns:
                bugs.guard(callback)
            while self._soon:
                callbacks, self._soon = self._soon, []
                for callback in callbacks:
                    bugs.guard(callback)
        finally:
            self._after_batch()
        return True

    def _on_failure(self, descriptor: int, waiter: Waiter, error: Exception) -> None:
        """A waiter that is still there afterwards would be called, and raise, for ever."""
        bugs.failed(waiter, error)
        if self._waiters.get(descriptor) is waiter and not waiter.survives:
            self.forget(descriptor)
