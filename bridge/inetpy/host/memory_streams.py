"""Stream sockets in memory, and the two ways of bytes that a connection is."""

from __future__ import annotations

import errno
from collections import deque
from socket import (
    AF_UNIX,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_LINGER,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_STREAM,
    SOL_SOCKET,
)

from .api import ERROR, HANGUP, LINGER_NOW, READ, WRITE, Buffer
from .errors import os_error
from .memory_base import MAX_BACKLOG, MemoryAddresses, MemorySocket
from .memory_places import Address, Place, Source

__all__ = ["MemoryStream"]


class _Way:
    """One direction of a connection: bytes on their way to `reader`.

    capacity: how many it takes. writable: with how many of them, or fewer, poll(2) says that it is writable.
    """

    __slots__ = ("capacity", "data", "is_ended", "reader", "writable")

    def __init__(self, reader: MemoryStream, capacity: int, writable: int | None = None) -> None:
        self.reader = reader
        self.capacity = capacity
        self.writable = capacity - 1 if writable is None else writable
        self.data = bytearray()
        self.is_ended = False  # a FIN stands behind the data

    def end(self) -> None:
        self.is_ended = True
        self.reader.changed()


class MemoryStream(MemorySocket):
    """A stream socket: fresh, then listening; or connecting, connected, and reset perhaps."""

    type = SOCK_STREAM

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.remote: Address = None
        # of a listener
        self.capacity = network.capacity  # of each direction of its connections
        self.backlog = -1
        self.accepted: deque[MemoryStream] = deque()  # connections that nobody has accepted yet
        self.held: deque[MemoryStream] = deque()  # those that connect while the backlog is full
        # of a connection
        self.is_connecting = False
        self.inward: _Way | None = None
        self.outward: _Way | None = None
        self.is_reset = False
        self.is_deaf = False  # shut down for reading

    @property
    def ready(self) -> int:
        if self.backlog >= 0:
            return READ if self.accepted else 0
        if self.is_connecting:
            return 0
        if self.inward is None or self.outward is None or self.is_reset:
            return READ | WRITE | HANGUP | (ERROR if self.error else 0)
        no_input = self.inward.is_ended or self.is_deaf
        no_output = self.outward.is_ended or self._is_cut()
        return (
            (READ if self.inward.data or no_input else 0)
            | (WRITE if no_output or len(self.outward.data) <= self.outward.writable else 0)
            | (HANGUP if no_input and no_output else 0)
            | (ERROR if self.error else 0)
        )

    # --- connecting ---

    def listen(self, backlog: int = MAX_BACKLOG, /) -> None:
        if not self.is_bound:
            if self.family == AF_UNIX:
                raise os_error(errno.EINVAL)
            self.bind_to_port()
        if self.backlog < 0:
            self.network.listens(self)
        self.backlog = min(max(backlog, 0), MAX_BACKLOG)

    @property
    def is_listening(self) -> bool:
        return self.backlog >= 0

    def score(self, place: Place, _source: Source | None) -> int:
        return self.covers(place) if self.is_listening else -1

    def connect(self, address: Address, /) -> None:
        if self.is_connecting:
            raise os_error(errno.EALREADY)
        if self.inward is not None or self.backlog >= 0:
            raise os_error(errno.EISCONN)
        remote = self.target(address)
        self.bind_for(remote)
        self.remote = remote
        found = self.network.find(self, remote)
        listener = found if isinstance(found, MemoryStream) and found.is_listening else None
        if self.family == AF_UNIX:
            return self._connect_path(listener)
        self.is_connecting = True
        if remote[0] not in self.network.silent and self.network.rules.is_local(Place.of(remote[0])):
            if listener is None:
                self._refuse()
            elif listener._is_full():
                listener.held.append(self)
            else:
                listener._take(self)
        raise os_error(errno.EINPROGRESS)

    def _connect_path(self, listener: MemoryStream | None) -> None:
        if listener is None:
            raise os_error(errno.ECONNREFUSED)
        if listener._is_full():
            raise os_error(errno.EAGAIN)
        listener._take(self)

    def _refuse(self) -> None:
        self.is_connecting = False
        self.fail_with(errno.ECONNREFUSED)

    def _is_full(self) -> bool:
        return len(self.accepted) > self.backlog

    def join(self, listener: MemoryStream, address: Address) -> MemoryStream:
        """Connects to a listener that need not be bound to `address`, nor accept. Its end is the result."""
        self.remote = self.target(address)
        self.bind_for(self.remote)
        listener._take(self)
        return listener.accepted.pop()

    def _take(self, client: MemoryStream) -> None:
        """A connection with `client`. It waits to be accepted."""
        server = MemoryStream(self.network, self.family)
        server.options = dict(self.options)
        server.journal = None if self.journal is None else self.journal.copy()
        if self.family == AF_UNIX:
            server.local, server.remote = client.remote, client.local
        else:
            server.local, server.remote = self._seen(client.remote), self._seen(client.local)
            self.network.adopt(server)
        client.pair_with(server, self.capacity)
        client.is_connecting = False
        self.accepted.append(server)
        client.changed()
        self.changed()

    def _seen(self, address: Address) -> Address:
        """An address of the other end, in the form of our own family."""
        ip = Place.of(address[0]).seen_by(self.family)
        return (ip, address[1]) if len(self.local) == 2 else (ip, address[1], *(address[2:] or (0, 0)))

    def pair_with(self, other: MemoryStream, capacity: int | None = None) -> None:
        """The two are the ends of a connection from now on. `capacity`: of each direction, in bytes."""
        other.inward = self.outward = _Way(other, *self._room_to(other, capacity))
        other.outward = self.inward = _Way(self, *other._room_to(self, capacity))

    def _room_to(self, reader: MemoryStream, capacity: int | None = None) -> tuple[int, int]:
        return self.network.rules.stream_room(self, reader, capacity or self.network.capacity)

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        super().setsockopt(level, option, value)
        if (level, option) in ((SOL_SOCKET, SO_SNDBUF), (SOL_SOCKET, SO_RCVBUF)) and self.outward is not None:
            assert self.inward is not None
            other = self.outward.reader
            self.outward.capacity, self.outward.writable = self._room_to(other)
            self.inward.capacity, self.inward.writable = other._room_to(self)
            self.changed()
            other.changed()

    def accept(self) -> tuple[MemorySocket, Address]:
        if self.backlog < 0:
            raise os_error(errno.EINVAL)
        if not self.accepted:
            raise os_error(errno.EAGAIN)
        server = self.accepted.popleft()
        while self.held and not self._is_full():
            client = self.held.popleft()
            if not client.closed:
                self._take(client)
        return server, server.remote

    def getpeername(self) -> Address:
        if self.inward is None or self.is_reset or self._is_over():
            raise os_error(errno.ENOTCONN)
        return self.remote

    # --- sending and receiving ---

    def recvfrom(self, size: int, _flags: int = 0, /) -> tuple[bytes, Address]:
        inward = self.inward
        if inward is None:
            self.report_error()
            raise os_error(errno.EINVAL if self.family == AF_UNIX else errno.ENOTCONN)
        if inward.data:
            data = bytes(inward.data[:size])
            del inward.data[:size]
            assert self.outward is not None
            self.outward.reader.changed()
            return data, None
        if self.family == AF_UNIX or not inward.is_ended:
            self.report_error()
        if not (inward.is_ended or self.is_deaf or self.is_reset):
            raise os_error(errno.EAGAIN)
        return b"", None

    def sendto(self, data: Buffer, _address: Address, /) -> int:
        outward = self.outward
        if outward is None:
            self.report_error()
            raise os_error(errno.ENOTCONN if self.family == AF_UNIX else errno.EPIPE)
        if not self._is_cut():
            self.report_error()
        if outward.is_ended or self.is_reset or self._is_cut():
            raise os_error(errno.EPIPE)
        if outward.reader.closed:
            self._reset()  # is how the other end answers to the bytes
            return len(data)
        if self.family != AF_UNIX and outward.reader.is_deaf_and_dumb():
            outward.reader._reset()
            self._reset()
            return len(data)
        room = outward.capacity - len(outward.data)
        if room <= 0:
            raise os_error(errno.EAGAIN)
        outward.data += data[:room]
        outward.reader.changed()
        return min(room, len(data))

    def _is_cut(self) -> bool:
        """A unix socket knows that the other end has gone, or is deaf. Others learn it when they send."""
        assert self.outward is not None
        reader = self.outward.reader
        return self.family == AF_UNIX and (reader.closed or reader.is_deaf)

    # --- ending ---

    def is_deaf_and_dumb(self) -> bool:
        """Shut down in both directions: it answers to bytes as if it was closed."""
        return self.is_deaf and self.outward is not None and self.outward.is_ended

    def _is_over(self) -> bool:
        """Both ends have sent their FIN: the connection is none any more. Unix sockets do not mind."""
        assert self.inward is not None
        assert self.outward is not None
        return self.family != AF_UNIX and self.inward.is_ended and self.outward.is_ended

    def shutdown(self, how: int, /) -> None:
        if self.outward is None or self.is_reset or self._is_over():
            if self.family == AF_UNIX:
                return
            raise os_error(errno.ENOTCONN)
        if how in (SHUT_RD, SHUT_RDWR):
            self.is_deaf = True
            self.outward.reader.changed()
        if how in (SHUT_WR, SHUT_RDWR):
            self.outward.end()
        self.changed()

    def close(self) -> None:
        """With bytes that nobody has read, or with linger {true, 0}, it is a reset.

        The peer of a unix socket learns of such bytes by an error, and has the connection still.
        """
        if self.closed:
            return
        super().close()
        for server in self.accepted:
            server.options[SOL_SOCKET, SO_LINGER] = LINGER_NOW
            server.close()
        for client in self.held:
            client._refuse()
        if self.inward is None or self.outward is None or self.is_reset or self._is_over():
            return
        if self.family == AF_UNIX:
            self.outward.end()
            if self.inward.data:
                self.outward.reader.fail_with(errno.ECONNRESET)
        elif self.inward.data or self.options.get((SOL_SOCKET, SO_LINGER)) == LINGER_NOW:
            self._reset_peer()
        else:
            self.outward.end()

    def disconnect(self) -> None:
        """connect(2) with AF_UNSPEC: a reset for the other end."""
        if self.outward is not None and not self.is_reset:
            self._reset_peer()
            self.is_reset = True

    def _reset_peer(self) -> None:
        assert self.outward is not None
        self.outward.reader._reset()

    def _reset(self) -> None:
        """The other end has sent a reset. What it had sent before can be read still."""
        if self.inward is not None:
            self.reset_with(errno.EPIPE if self.inward.is_ended else errno.ECONNRESET)

    def reset_with(self, number: int) -> None:
        """The connection is gone. The next call that finds no data gets the error."""
        if not self.closed:
            self.is_reset = True
            self.fail_with(number)
