"""The operating system itself."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from . import bugs
from .api import Interface, RawCalls
from .clock import LoopClock
from .errors import os_error
from .poller import LoopPoller
from .virtual import system_socket

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["LinuxHost", "borrow"]

T = TypeVar("T")

MAX_THREADS = 128  # lookups at a time: those that wait for a slow server delay no others

CLONE_NEWNET = 0x40000000
PIDFD_GETFD = 438  # the number of the system call, on all architectures


class SystemResolver:
    """The functions of the C library."""

    getaddrinfo = staticmethod(socket.getaddrinfo)
    gethostbyaddr = staticmethod(socket.gethostbyaddr)
    gethostbyname_ex = staticmethod(socket.gethostbyname_ex)
    gethostname = staticmethod(socket.gethostname)
    getservbyname = staticmethod(socket.getservbyname)
    getservbyport = staticmethod(socket.getservbyport)


def borrow(process: int, number: int) -> int:
    """pidfd_getfd(2). Raises ENOSYS before Linux 5.6."""
    import ctypes

    handle = os.pidfd_open(process)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy = int(libc.syscall(PIDFD_GETFD, handle, number, 0))
    finally:
        os.close(handle)
    if copy < 0:
        error = ctypes.get_errno()
        raise os_error(error)
    return copy


class LinuxHost:
    """See `api.Host`. A socket is a `socket.socket`."""

    borrow = staticmethod(borrow)
    close_file = staticmethod(os.close)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        after_batch: Iterable[Callable[[], None]] = (),
        spin: float = 0.0,
    ) -> None:
        self.clock = LoopClock(loop)
        self.poller = LoopPoller(loop, after_batch, spin)
        self.resolver = SystemResolver()
        self._loop = loop
        self._threads: ThreadPoolExecutor | None = None

    def open_socket(
        self, family: int, kind: int, netns: bytes | None = None, protocol: int = 0
    ) -> socket.socket:
        if netns is None:
            return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        with network_namespace(netns):
            return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)

    @cached_property
    def raw(self) -> RawCalls:
        from .raw import SystemCalls  # few programs need it

        return SystemCalls()

    def interfaces(self, netns: bytes | None = None) -> list[Interface]:
        from .interfaces import interfaces  # needs ctypes, which takes milliseconds to load

        if netns is None:
            return interfaces()
        with network_namespace(netns):
            return interfaces()

    def adopt_socket(self, descriptor: int) -> socket.socket:
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        return sock

    def close_lingering(self, sock: Any, done: Callable[[None], None]) -> None:
        own = system_socket(sock)
        if own is sock and isinstance(sock, socket.socket):
            return self.in_thread(sock.close, done)
        if not isinstance(own, socket.socket):
            sock.close()
            return bugs.guard(done, None)
        # The one that stands before it must not wait, nor let it wait: this thread has other sockets, too.
        linger, copy = own.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8), own.dup()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
        sock.close()
        if own.fileno() < 0:  # nothing is held for the peer any more
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.in_thread(copy.close, done)

    def disconnect(self, sock: Any) -> None:
        """connect(2) with AF_UNSPEC."""
        if not isinstance(sock, socket.socket):
            return sock.disconnect()  # type: ignore[no-any-return]
        import ctypes  # the socket module has no form for that

        ctypes.CDLL(None).connect(sock.fileno(), b"\0" * 16, 16)

    def sendfile(self, sock: Any, descriptor: int, offset: int, count: int) -> int:
        if type(sock) is socket.socket:  # others are to see the bytes
            return os.sendfile(sock.fileno(), descriptor, offset, count)
        sent: int = sock.send(os.pread(descriptor, count, offset))
        return sent

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(MAX_THREADS, "inetpy")
        future = self._threads.submit(work)
        future.add_done_callback(lambda it: self._loop.call_soon_threadsafe(_on_thread, it, done))


def _on_thread(future: Future[T], done: Callable[[T], None]) -> None:
    error = future.exception()
    if error is None:
        bugs.guard(done, future.result())
    else:
        bugs.failed(done.__self__, error)  # type: ignore[arg-type, attr-defined]


@contextmanager
def network_namespace(path: bytes) -> Iterator[None]:
    """This thread in another network namespace (setns(2)), and back again."""
    import ctypes  # takes milliseconds to load

    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if libc.setns(descriptor, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise os_error(number)

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        away = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe would wait
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
