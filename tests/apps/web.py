"""A web server, in memory and on the loopback interface, and a relay that makes the real event of a fault.

The path `/until-close` is answered without a length, so the answer ends with the connection. All others are
answered with a length, and the connection stays for the next request.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from queue import SimpleQueue
from ssl import SSLContext
from typing import Any, NamedTuple

SIZE = 20_000
BODY = b"x" * SIZE
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + BODY
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY

Read = Callable[[bytes], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[Any]]


async def serve(read_until: Read, write: Write) -> None:
    """Answers requests until the client ends, or has got the answer that ends with the connection."""
    while not (await read_until(b"\r\n\r\n")).startswith(b"GET /until-close "):
        await write(ANSWER)
    await write(LAST)


# --- the real event -----------------------------------------------------------

# Given the pieces that the server sends, and the connection of the client: what the client gets, until the
# connection is closed.
Event = Callable[[Iterator[bytes], socket.socket], Iterator[bytes] | None]


def late(seconds: float) -> Event:
    return in_pieces(1 << 16, seconds)


def in_pieces(size: int, delay: float = 0) -> Event:
    """Pieces of `size` bytes, `delay` seconds before each."""

    def event(pieces: Iterator[bytes], _client: socket.socket) -> Iterator[bytes]:
        for piece in pieces:
            for start in range(0, len(piece), size):
                time.sleep(delay)
                yield piece[start : start + size]

    return event


def close_late(seconds: float) -> Event:
    def event(pieces: Iterator[bytes], _client: socket.socket) -> Iterator[bytes]:
        yield from pieces
        time.sleep(seconds)

    return event


def cut(left: int, end: Callable[[Iterator[bytes], socket.socket], object]) -> Event:
    """After so many bytes `end` happens."""

    def event(pieces: Iterator[bytes], client: socket.socket) -> Iterator[bytes]:
        passed = 0
        while passed < left:
            piece = next(pieces)[: left - passed]
            passed += len(piece)
            yield piece
        end(pieces, client)

    return event


def close(_pieces: Iterator[bytes], _client: socket.socket) -> None:
    """The event has ended, so the connection is closed."""


def reset(_pieces: Iterator[bytes], client: socket.socket) -> None:
    """What the client has not read by then would be lost, and its next write fails."""
    time.sleep(0.1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(pieces: Iterator[bytes], _client: socket.socket) -> None:
    """Nothing comes until the client closes."""
    for _ in pieces:
        pass


def forget(_pieces: Iterator[bytes], client: socket.socket) -> None:
    """The system knows nothing of the connection any more, and does not tell the client."""
    tcp_repair = 19  # tcp(7) does not have it, linux/tcp.h does
    client.setsockopt(socket.IPPROTO_TCP, tcp_repair, 1)


class Relay:
    """A web server on the loopback interface, and a relay before it.

    events: one for each connection, in their order; a connection after the last one has none.
    ended: has an item for each connection that has ended.
    plain, secure: ports of the relay.
    """

    def __init__(self, tls: SSLContext) -> None:
        self.events: list[Event] = []
        self.ended: SimpleQueue[Event] = SimpleQueue()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.plain, self.secure = self._start(None), self._start(tls)

    def _start(self, tls: SSLContext | None) -> int:
        """The port of a relay, and its web server behind it."""
        server = self._listen(lambda client: _answer(client, tls))
        return self._listen(lambda client: self._relay(client, server))

    def _listen(self, work: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self._run(self._accept, listener, work)
        return int(listener.getsockname()[1])

    def _run(self, target: Callable[..., None], sock: socket.socket, *arguments: object) -> None:
        """A thread that ends when the socket ends."""
        self._sockets.add(sock)
        self._threads.append(threading.Thread(target=self._until_end, args=(target, sock, *arguments)))
        self._threads[-1].start()

    def _until_end(self, target: Callable[..., None], sock: socket.socket, *arguments: object) -> None:
        with sock, suppress(OSError, EOFError):
            target(sock, *arguments)
        self._sockets.discard(sock)

    def _accept(self, listener: socket.socket, work: Callable[[socket.socket], None]) -> None:
        while True:
            self._run(work, listener.accept()[0])

    def _relay(self, client: socket.socket, port: int) -> None:
        event = self.events.pop(0) if self.events else late(0)
        with socket.create_connection(("127.0.0.1", port)) as server:
            for piece in event(_pieces(client, server), client) or ():
                client.sendall(piece)
            client.close()
        self.ended.put(event)

    def end(self) -> None:
        for sock in list(self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def _answer(client: socket.socket, tls: SSLContext | None) -> None:
    with tls.wrap_socket(client, server_side=True) if tls else client as conn, conn.makefile("rb") as lines:

        async def read_until(end: bytes) -> bytes:
            data = b""
            while not data.endswith(end):
                if not (line := lines.readline()):
                    raise EOFError
                data += line
            return data

        async def write(data: bytes) -> None:
            conn.sendall(data)

        asyncio.run(serve(read_until, write))


def _pieces(client: socket.socket, server: socket.socket) -> Iterator[bytes]:
    """What the server sends, until one of both ends. What the client sends is passed on meanwhile."""
    while True:
        ready, _, _ = select.select([client, server], [], [])
        if client in ready:
            data = client.recv(1 << 16)
            if not data:
                return
            server.sendall(data)
        if server in ready:
            data = server.recv(1 << 16)
            if not data:
                return
            yield data


class Port(NamedTuple):
    """A port of the loopback interface without a server. `opened` gives its number, and holds it."""

    opened: Callable[[], AbstractContextManager[int]]


@Port
@contextmanager
def nobody() -> Iterator[int]:
    """Nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@Port
@contextmanager
def full() -> Iterator[int]:
    """Connecting takes for ever: the queue of the listener is full."""
    with socket.socket() as listener, socket.socket() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]
