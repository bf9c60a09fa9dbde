"""What inetpy needs of an operating system, as protocols.

    Host        opens sockets; has a clock, a poller, a resolver, network interfaces and threads
    Socket      the methods of `socket.socket` that are used
    Poller      calls a waiter when its socket is ready
    Clock       the time, and timers
    Resolver    the functions of the `socket` module that ask for names

`linux` is the system itself: there a Socket is a `socket.socket`, called with no Python frame in
between. `memory` is a host for tests, without descriptors, sleep or threads; `memory_loop` is the
system with sockets in memory. All calls raise OSError as the `socket` module does. No socket blocks.

A poller learns in one of two ways that a socket is ready. A socket with a method `fileno` has a
descriptor, and the kernel is asked. A socket without that method says so itself: see `VirtualSocket`.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, overload

from .bugs import Fallible

__all__ = [
    "Buffer", "ERROR", "HANGUP", "LINGER_NOW", "READ", "SLACK", "WRITE", "Clock", "Host", "Interface",
    "InterfaceAddress", "Pipe", "Poller", "RawCalls", "Resolver", "Socket", "Timer", "VirtualSocket",
    "PEER_END", "Waiter",
]  # fmt: skip

T = TypeVar("T")

SLACK = 0.3  # seconds after a timeout from which on an answer would be too late: see inetpy_request.erl

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
PEER_END = select.EPOLLRDHUP  # the peer has ended its direction
ERROR = select.EPOLLERR  # reported to every waiter, whatever its interest
HANGUP = select.EPOLLHUP  # the same

LINGER_NOW = b"\1\0\0\0\0\0\0\0"  # SO_LINGER, {true, 0} in Erlang: close sends a reset

Buffer = bytes | memoryview


class Socket(Protocol):
    """A socket that does not block. See the `socket` module for each method."""

    @property
    def family(self) -> int: ...
    def accept(self) -> tuple[Any, Any]: ...
    def bind(self, address: Any, /) -> None: ...
    def close(self) -> None: ...
    def connect(self, address: Any, /) -> None: ...
    def getpeername(self) -> Any: ...
    def getsockname(self) -> Any: ...
    @overload
    def getsockopt(self, level: int, option: int, /) -> int: ...
    @overload
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...
    def listen(self, backlog: int = ..., /) -> None: ...
    def recv(self, size: int, flags: int = ..., /) -> bytes: ...
    def recvfrom(self, size: int, flags: int = ..., /) -> tuple[bytes, Any]: ...
    def recvmsg(
        self, size: int, control_size: int = ..., flags: int = ..., /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]: ...
    def send(self, data: Buffer, flags: int = ..., /) -> int: ...
    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = ..., flags: int = ..., address: Any = ..., /
    ) -> int: ...
    def sendto(self, data: Buffer, address: Any, /) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...
    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None: ...
    def shutdown(self, how: int, /) -> None: ...


class VirtualSocket(Socket, Protocol):
    """A socket without a descriptor, and without the method `fileno`.

    ready: what it is ready for now: READ, WRITE, ERROR, HANGUP. When that has changed, the socket
    calls `Poller.notify`.
    """

    @property
    def ready(self) -> int: ...


class Pipe(Protocol):
    """Something else with a descriptor that can be polled."""

    def fileno(self) -> int: ...


class Waiter(Fallible, Protocol):
    """Is called when its socket is ready.

    survives: whether the waiter is to be called again after it has failed.
    """

    survives: ClassVar[bool]

    def on_ready(self, events: int) -> None:
        """Called while the socket is ready, again and again until the interest is given up."""


class Poller(Protocol):
    """Level-triggered readiness. `events` is READ, WRITE or both.

    in_batch: whether waiters are being called right now.
    """

    in_batch: bool

    def add(self, sock: Socket | Pipe, events: int, waiter: Waiter) -> None: ...
    def change(self, sock: Socket | Pipe, events: int) -> None: ...
    def remove(self, sock: Socket | Pipe) -> None:
        """Must come before the socket is closed."""

    def forget(self, sock: Socket | Pipe) -> None:
        """As `remove`, of a socket that may not be there."""

    def notify(self, sock: VirtualSocket) -> None:
        """`sock.ready` may have changed. Socket and poller need not know each other otherwise."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, a method of a `Fallible`, when what is being done is done."""

    def has_ended(self, sock: Socket) -> bool:
        """Whether the peer has ended its direction, or the connection is broken. `sock` has a descriptor."""

    def look_again(self) -> None:
        """What was done may have made other sockets ready: they are looked at before this batch ends."""

    def others_first(self) -> None:
        """The next look is for what requests have made ready, before requests are read again.

        What is said of that leaves at once, so a process of the node is woken, and works, while Python
        carries out the next request.
        """

    def hand_over(self) -> None:
        """A coroutine may have something to do: the loop has its turn after this look, without a wait."""

    def in_turn(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, a method of a `Fallible`, when the other sockets have had their turn."""

    def in_time(self, seconds: float, callback: Callable[[], None]) -> None:
        """The same, when they have had so much time: less than a millisecond, as nothing sleeps meanwhile."""


class Timer(Protocol):
    """A callback that is due."""

    @property
    def overdue(self) -> bool:
        """True when the time was over long ago: this process has stood still meanwhile."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Monotonic time."""

    def now(self) -> float:
        """Seconds since some moment."""

    def after(self, milliseconds: int, callback: Callable[[], None]) -> Timer:
        """Calls `callback`, a method of a `Fallible`, once, not before the time is over."""


class Resolver(Protocol):
    """Names of hosts and services: the functions of the `socket` module. They may block."""

    def getaddrinfo(self, *args: Any, **flags: Any) -> list[Any]: ...
    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]: ...
    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]: ...
    def gethostname(self) -> str: ...
    def getservbyname(self, name: str, protocol: str) -> int: ...
    def getservbyport(self, port: int, protocol: str) -> str: ...


class InterfaceAddress(NamedTuple):
    """An IP address of an interface. All addresses are text."""

    address: str
    netmask: str | None
    broadcast: str | None
    peer: str | None  # of a point-to-point interface


class Interface(NamedTuple):
    """A network interface.

    flags: of up, broadcast, loopback, pointtopoint, running, multicast; in this order.
    hardware: the address of the link layer, or None.
    """

    name: bytes
    flags: tuple[str, ...]
    addresses: list[InterfaceAddress]
    hardware: bytes | None


class RawCalls(Protocol):
    """Calls of the system in forms that the socket module does not have.

    An address is a family with what the socket module has for it, or with the bytes behind the family. A
    socket without a descriptor is ENOTSUP.
    """

    def bind(self, sock: Socket, family: int, address: Any) -> None: ...
    def connect(self, sock: Socket, family: int, address: Any) -> None: ...
    def descriptor(self, sock: Socket) -> int:
        """Its number in this process."""

    def getsockopt_without_buffer(self, sock: Socket, level: int, option: int) -> None:
        """getsockopt(2) with nowhere to write the value: most options are EFAULT."""

    def interface_addresses(self, sock: Socket) -> bytes:
        """ioctl(2) with SIOCGIFCONF: a struct ifreq for each address."""

    def interface_index(self, name: str) -> int: ...
    def ioctl(self, sock: Socket, number: int, argument: bytes) -> bytes:
        """The argument as the system has changed it."""

    def peername(self, sock: Socket) -> tuple[int, bytes]:
        """getpeername(2): the family, and the bytes behind it."""

    def protocols(self) -> list[tuple[int, list[str]]]:
        """The numbers of protocols, each with its names: see protocols(5)."""

    def recvmsg(
        self, sock: Socket, size: int, control_size: int, flags: int
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, bytes]:
        """recvmsg(2): data, control messages, flags, and the bytes behind the family of the sender."""

    def sendmsg(
        self, sock: Socket, buffers: list[Buffer], control: Any, flags: int, family: int, address: Any
    ) -> int: ...
    def sockname(self, sock: Socket) -> tuple[int, bytes]:
        """getsockname(2), as peername."""


class Host(Protocol):
    """An operating system, as a session uses it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def poller(self) -> Poller: ...
    @property
    def resolver(self) -> Resolver: ...

    def open_socket(self, family: int, kind: int, netns: bytes | None = None, protocol: int = 0) -> Socket:
        """A socket; in the network namespace that the file `netns` stands for."""

    @property
    def raw(self) -> RawCalls:
        """The system's own calls."""

    def adopt_socket(self, descriptor: int) -> Socket:
        """The socket of a descriptor that is ours. Raises OSError when it is none."""

    def borrow(self, process: int, number: int) -> int:
        """A copy of descriptor `number` of another process.

        Raises OSError: EPERM where this user may not look into that process, EBADF for a number
        that is not open there.
        """

    def close_file(self, descriptor: int) -> None: ...
    def close_lingering(self, sock: Socket, done: Callable[[None], None]) -> None:
        """Closes a socket that waits for its data to be with the peer: SO_LINGER. Then calls `done`.

        `done` is a method of a `Fallible`.
        """

    def interfaces(self, netns: bytes | None = None) -> list[Interface]:
        """The network interfaces, in the order of the system. May block."""

    def disconnect(self, sock: Socket) -> None:
        """Takes the peer of a datagram socket away."""

    def sendfile(self, sock: Socket, descriptor: int, offset: int, count: int) -> int:
        """Sends up to `count` bytes of a file. 0 at its end."""

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Runs `work`, which may block, in another thread. Then the loop calls `done` with the result.

        `done` is a method of a `Fallible`. When `work` raises, that object ends.
        """
