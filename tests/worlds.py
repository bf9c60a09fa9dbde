"""Sockets of the kernel and in memory, for tests that compare them."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable
from pathlib import Path
from socket import AF_INET, AF_UNIX, AF_UNSPEC, SOCK_STREAM
from typing import Any

from inetpy.host.api import ERROR, HANGUP, READ, WRITE, RawCalls
from inetpy.host.memory import MemoryHost
from inetpy.host.memory_calls import MemoryCalls
from inetpy.host.memory_rules import SystemRules
from inetpy.host.memory_sockets import MemoryNetwork
from inetpy.host.raw import SystemCalls

LOOPBACK = ("127.0.0.1", 0)


class About:
    """A number that is equal to its half and its double."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"about {self.number}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, About) and self.number <= 2 * other.number and other.number <= 2 * self.number
        )

    __hash__ = None  # type: ignore[assignment]


class World:
    """Opens sockets, and notes what comes of their methods. raw: the calls that the socket module has not."""

    raw: RawCalls

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "socket")
        self.seen: list[object] = []
        self.sockets: list[Any] = []
        self._pairs = 0

    def note(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result goes into the notes; of an error its name."""
        try:
            result = function(*arguments)
        except OSError as error:
            self.seen.append((function.__name__, errno.errorcode[error.errno or 0]))
            return None
        plain = isinstance(result, (int, bytes, type(None)))
        self.seen.append((function.__name__, result if plain else type(result).__name__))
        return result

    def open(self, family: int = AF_INET, kind: int = SOCK_STREAM, protocol: int = 0) -> Any:
        sock = self._open(family, kind, protocol)
        self.sockets.append(sock)
        return sock

    def listener(self, backlog: int = 5) -> Any:
        sock = self.open()
        sock.bind(LOOPBACK)
        sock.listen(backlog)
        return sock

    def pair(self) -> tuple[Any, Any]:
        """A connection."""
        listener, client = self.listener(), self.open()
        self.note(client.connect, listener.getsockname())
        self.wait(client, WRITE)
        self.wait(listener, READ)
        return client, self.accept(listener)

    def path_pair(self, kind: int = SOCK_STREAM) -> tuple[Any, Any]:
        """A connection of unix sockets."""
        listener, client = self.open(AF_UNIX, kind), self.open(AF_UNIX, kind)
        path = self.path + "-pair" * self._pairs
        self._pairs += 1
        listener.bind(path)
        listener.listen(1)
        client.connect(path)
        return client, self.accept(listener)

    def note_plain(self, function: Callable[[], object]) -> None:
        """The result, whatever it is; of an error its name."""
        try:
            self.seen.append(function())
        except OSError as error:
            self.seen.append(errno.errorcode[error.errno or 0])

    def accept(self, listener: Any) -> Any:
        server, _ = listener.accept()
        server.setblocking(False)
        self.sockets.append(server)
        return server

    def about(self, number: int) -> None:
        """Notes a number that may be half or twice as large."""
        self.seen.append(About(number))

    def ready(self, sock: Any, milliseconds: int) -> int:
        """What `sock` is ready for, at the latest after that time."""
        raise NotImplementedError

    def wait(self, sock: Any, events: int) -> None:
        """Until `sock` is ready for one of `events`. Notes all that it is ready for then."""
        self.seen.append(("ready", self._wait(sock, events) & (READ | WRITE | ERROR | HANGUP)))

    def _open(self, family: int, kind: int, protocol: int) -> Any:
        raise NotImplementedError

    def _wait(self, sock: Any, events: int) -> int:
        raise NotImplementedError

    def disconnect(self, sock: Any) -> None:
        """connect(2) with AF_UNSPEC."""
        self.raw.connect(sock, AF_UNSPEC, bytes(14))

    def ioctl(self, sock: Any, number: int) -> int:
        """ioctl(2) with a number that the call writes."""
        return int.from_bytes(self.raw.ioctl(sock, number, bytes(4)), "little")


class Kernel(World):
    raw = SystemCalls()

    def _open(self, family: int, kind: int, protocol: int) -> Any:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)

    def ready(self, sock: Any, milliseconds: int) -> int:
        poll = select.poll()
        poll.register(sock, READ | WRITE)
        return dict(poll.poll(milliseconds)).get(sock.fileno(), 0)

    def _wait(self, sock: Any, events: int) -> int:
        poll = select.poll()
        poll.register(sock, events)
        assert poll.poll(5000)
        poll.modify(sock, READ | WRITE)
        return poll.poll(0)[0][1]


class Memory(World):
    raw = MemoryCalls()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = MemoryHost().network

    def _open(self, family: int, kind: int, protocol: int) -> Any:
        return self.network.socket(family, kind, protocol)

    def ready(self, sock: Any, _milliseconds: int) -> int:
        return sock.ready  # type: ignore[no-any-return]

    def _wait(self, sock: Any, events: int) -> int:
        assert sock.ready & (events | ERROR | HANGUP)
        return sock.ready  # type: ignore[no-any-return]


class MemoryOnThisHost(Memory):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = MemoryNetwork(lambda _: None, rules=SystemRules())
