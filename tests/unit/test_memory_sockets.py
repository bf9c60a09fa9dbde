"""Sockets in memory do what the kernel does: each scenario runs on both, and what it saw is compared."""

from __future__ import annotations

import errno
import select
import socket
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_UNIX,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from typing import Any

import pytest

from inetpy.host.api import ERROR, HANGUP, READ, WRITE
from inetpy.host.memory import MemoryHost

LOOPBACK = ("127.0.0.1", 0)


class World:
    """Opens sockets, and notes what comes of their methods."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "socket")
        self.seen: list[object] = []
        self.sockets: list[Any] = []

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

    def open(self, family: int = AF_INET, kind: int = SOCK_STREAM) -> Any:
        sock = self._open(family, kind)
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

    def accept(self, listener: Any) -> Any:
        server, _ = listener.accept()
        server.setblocking(False)
        self.sockets.append(server)
        return server

    def wait(self, sock: Any, events: int) -> None:
        """Until `sock` is ready for one of `events`. Notes all that it is ready for then."""
        self.seen.append(("ready", self._wait(sock, events) & (READ | WRITE | ERROR | HANGUP)))

    def _open(self, family: int, kind: int) -> Any:
        raise NotImplementedError

    def _wait(self, sock: Any, events: int) -> int:
        raise NotImplementedError


class Kernel(World):
    def _open(self, family: int, kind: int) -> Any:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK)

    def _wait(self, sock: Any, events: int) -> int:
        poll = select.poll()
        poll.register(sock, events)
        assert poll.poll(5000)
        poll.modify(sock, READ | WRITE)
        return poll.poll(0)[0][1]


class Memory(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.host = MemoryHost()

    def _open(self, family: int, kind: int) -> Any:
        return self.host.open_socket(family, kind)

    def _wait(self, sock: Any, events: int) -> int:
        assert sock.ready & (events | ERROR | HANGUP)
        return sock.ready  # type: ignore[no-any-return]


def fresh_stream(world: World) -> None:
    for family in (AF_INET, AF_UNIX):
        sock = world.open(family)
        world.note(sock.recv, 1)
        world.note(sock.send, b"a")
        world.note(sock.getpeername)
        world.note(sock.shutdown, SHUT_WR)
        world.note(sock.accept)


def refused(world: World) -> None:
    listener, client = world.listener(), world.open()
    address = listener.getsockname()
    listener.close()
    world.note(client.connect, address)
    world.wait(client, WRITE)
    world.note(client.getpeername)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)
    world.note(client.send, b"a")


def connecting_again(world: World) -> None:
    client, server = world.pair()
    with suppress(OSError):
        client.connect(client.getpeername())  # the kernel reports the success of the one before
    world.note(client.connect, client.getpeername())
    world.seen.append(client.getsockname() == server.getpeername())
    world.seen.append(server.getsockname() == client.getpeername())


def nothing_to_accept(world: World) -> None:
    listener = world.listener()
    world.note(listener.accept)


def there_and_back(world: World) -> None:
    client, server = world.pair()
    world.note(client.recv, 10)
    world.note(client.send, b"hello")
    world.wait(server, READ)
    world.note(server.recv, 2)
    world.note(server.recv, 10)
    world.note(server.recv, 10)
    world.note(server.sendmsg, [b"a", b"", b"bc"])
    world.wait(client, READ)
    world.note(client.recv, 10)


def half_close(world: World) -> None:
    client, server = world.pair()
    client.send(b"last")
    world.note(client.shutdown, SHUT_WR)
    world.note(client.send, b"a")
    world.wait(server, READ)
    world.note(server.recv, 10)
    world.note(server.recv, 10)
    world.note(server.send, b"answer")
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(server.shutdown, SHUT_WR)
    world.wait(client, HANGUP)
    world.wait(server, HANGUP)
    world.note(client.recv, 10)


def deaf(world: World) -> None:
    client, server = world.pair()
    world.note(client.shutdown, SHUT_RD)
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(server.send, b"a")
    world.note(client.send, b"b")
    world.wait(server, READ)
    world.note(server.recv, 10)


def shut_both(world: World) -> None:
    client, server = world.pair()
    world.note(client.shutdown, SHUT_RDWR)
    world.wait(server, READ)
    world.note(server.recv, 10)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def send_to_a_closed_end(world: World) -> None:
    client, server = world.pair()
    server.close()
    world.wait(client, READ)
    world.note(client.send, b"a")
    world.wait(client, HANGUP)
    world.note(client.send, b"a")
    world.note(client.send, b"a")
    world.note(client.recv, 10)
    world.note(client.getpeername)
    world.note(client.shutdown, SHUT_WR)


def send_before_the_end_is_read(world: World) -> None:
    client, server = world.pair()
    server.send(b"last")
    server.close()
    world.wait(client, READ)
    world.note(client.send, b"a")
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)


def closed_with_unread_bytes(world: World) -> None:
    client, server = world.pair()
    client.send(b"unread")
    world.wait(server, READ)
    server.close()
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def reset(world: World) -> None:
    client, server = world.pair()
    server.send(b"last")
    world.wait(client, READ)
    server.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.getpeername)


def reset_of_a_sender(world: World) -> None:
    client, server = world.pair()
    server.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    world.wait(client, HANGUP)
    world.note(client.send, b"a")
    world.note(client.send, b"a")
    world.note(client.recv, 10)


def listener_closed_before_accept(world: World) -> None:
    listener, client = world.listener(), world.open()
    world.note(client.connect, listener.getsockname())
    world.wait(client, WRITE)
    listener.close()
    world.wait(client, HANGUP)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)


def full(world: World) -> None:
    client, server = world.pair()
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += client.send(b"x" * 10_000)
    world.note(client.send, b"a")
    received = 0
    while received < sent:
        world._wait(server, READ)
        received += len(server.recv(1 << 20))
    world.wait(client, WRITE)
    world.seen.append(received == sent)


def addresses_in_use(world: World) -> None:
    listener, other = world.listener(), world.open()
    world.note(other.bind, listener.getsockname())
    world.note(other.bind, ("0.0.0.0", listener.getsockname()[1]))
    world.note(other.bind, LOOPBACK)
    world.note(other.bind, LOOPBACK)
    datagram = world.open(kind=SOCK_DGRAM)
    world.note(datagram.bind, listener.getsockname())


def path_stream(world: World) -> None:
    client = world.open(AF_UNIX)
    world.note(client.connect, world.path)
    world.note(client.connect, b"\0inetpy-nobody-has-this-name")
    listener = world.open(AF_UNIX)
    world.note(listener.bind, world.path)
    world.note(client.connect, world.path)
    world.note(listener.listen, 1)
    world.note(world.open(AF_UNIX).bind, world.path)
    world.note(client.connect, world.path)
    world.note(world.open(AF_UNIX).connect, world.path)
    world.note(world.open(AF_UNIX).connect, world.path)
    server = world.accept(listener)
    world.note(client.send, b"hello")
    world.note(server.recv, 10)
    server.close()
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def datagrams(world: World) -> None:
    one, two = world.open(kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
    two.bind(LOOPBACK)
    address = two.getsockname()
    world.note(one.send, b"a")
    world.note(one.recv, 1)
    world.note(one.sendto, b"x" * 65508, address)
    world.note(one.sendto, b"hello", address)
    world.note(one.sendto, b"", address)
    world.wait(two, READ)
    data, sender = two.recvfrom(3)
    world.seen.append((data, sender == ("127.0.0.1", one.getsockname()[1])))
    world.note(two.recv, 10)
    world.note(two.recv, 10)
    world.note(two.connect, sender)
    three = world.open(kind=SOCK_DGRAM)
    world.note(three.sendto, b"no", address)
    world.note(one.sendto, b"yes", address)
    world.wait(two, READ)
    world.note(two.recv, 10)
    world.note(two.recv, 10)


def refused_datagram(world: World) -> None:
    one, two = world.open(kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
    two.bind(LOOPBACK)
    address = two.getsockname()
    two.close()
    world.note(one.sendto, b"lost", address)
    world.note(one.connect, address)
    world.note(one.send, b"lost")
    world.wait(one, ERROR)
    world.note(one.recv, 10)
    world.note(one.recv, 10)
    world.note(one.send, b"lost")
    world.wait(one, ERROR)
    world.note(one.send, b"lost")


def path_datagrams(world: World) -> None:
    one, two = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
    world.note(one.send, b"a")
    world.note(one.sendto, b"a", world.path)
    world.note(two.bind, world.path)
    world.note(one.sendto, b"hello", world.path)
    data, sender = two.recvfrom(10)
    world.seen.append((data, sender))
    world.note(one.connect, world.path)
    world.note(one.send, b"again")
    world.note(two.recv, 10)


SCENARIOS = [
    fresh_stream, refused, connecting_again, nothing_to_accept, there_and_back, half_close, deaf, shut_both,
    send_to_a_closed_end, send_before_the_end_is_read, closed_with_unread_bytes, reset, reset_of_a_sender,
    listener_closed_before_accept, full, addresses_in_use, path_stream, datagrams, refused_datagram,
    path_datagrams,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_equal_to_the_kernel(scenario: Callable[[World], None]) -> None:
    seen = []
    for kind in (Kernel, Memory):
        with tempfile.TemporaryDirectory() as folder:
            world = kind(Path(folder))
            try:
                scenario(world)
            finally:
                for sock in world.sockets:
                    sock.close()
        seen.append(world.seen)
    assert seen[1] == seen[0]
