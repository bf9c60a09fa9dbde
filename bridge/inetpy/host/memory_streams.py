"""Stream sockets in memory.

A connection is two ways: see `memory_ways`. Besides what becomes of the connection, the kernel knows how
far the calls of the program have come: see `Phase`.
"""

from __future__ import annotations

import errno
import struct
from collections import deque
from collections.abc import Callable
from enum import Enum
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

from .api import ERROR, HANGUP, LINGER_NOW, READ, WRITE
from .errors import os_error
from .memory_base import MAX_BACKLOG, MemoryAddresses, MemorySocket
from .memory_control import own_credentials
from .memory_places import Address, Place, Source
from .memory_transfer import Transfer
from .memory_ways import Way

__all__ = ["MemoryStream"]


class Phase(Enum):
    """How far connect(2) has come: the state of a struct socket.

    After EINPROGRESS the phase is CONNECTING until connect(2) is called once more, whatever has become of the
    connection: that call reports it. A shutdown(2) of one that has failed makes it DISCONNECTING, for good.
    """

    UNCONNECTED = 1
    CONNECTING = 2
    CONNECTED = 3
    DISCONNECTING = 4


_SETTLED = {Phase.CONNECTED: errno.EISCONN, Phase.DISCONNECTING: errno.EINVAL}


class MemoryStream(Transfer):
    """A stream socket: fresh, then listening; or connecting, connected, and reset perhaps."""

    type = SOCK_STREAM

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.on_change: Callable[[], None] | None = None  # of a socket that is closed
        # of a listener
        self.capacity = network.capacity  # of each direction of its connections
        self.backlog = -1
        self.accepted: deque[MemoryStream] = deque()  # connections that nobody has accepted yet
        self.held: deque[MemoryStream] = deque()  # those that connect while the backlog is full
        # of a connection
        self.phase = Phase.UNCONNECTED

    @property
    def ready(self) -> int:
        error = ERROR if self.error else 0
        if self.backlog >= 0:
            return self._listener_ready()
        if self.is_connecting:
            return (READ if self.is_deaf else 0) | self._hangup(self.is_deaf, self.is_dumb)
        if self.is_reset:
            return READ | WRITE | HANGUP | error
        if self.inward is None or self.outward is None:
            return WRITE | HANGUP | (READ if self.is_deaf else 0) | error
        no_input = self.inward.is_ended or self.is_deaf
        no_output = self._has_ended(self.outward) or self._is_cut()
        return (
            (READ if no_input or self._has_input(self.inward) else 0)
            | (WRITE if no_output or self._has_room(self.outward) else 0)
            | self._hangup(no_input, no_output)
            | error
        )

    def _listener_ready(self) -> int:
        if self.family != AF_UNIX:
            return READ if self.accepted else 0
        return (READ if self.accepted or self.is_deaf else 0) | self._hangup(self.is_deaf, self.is_dumb)

    def changed(self) -> None:
        super().changed()
        if self.on_change is not None:
            self.on_change()

    # --- connecting ---

    def listen(self, backlog: int = MAX_BACKLOG, /) -> None:
        if self.phase != Phase.UNCONNECTED:
            raise os_error(errno.EINVAL)
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

    def settles_connect(self) -> bool:
        if self.family == AF_UNIX or self.phase == Phase.UNCONNECTED:
            if self.family != AF_UNIX and self.backlog >= 0:
                raise os_error(errno.EISCONN)
            return False
        if self.phase in _SETTLED:
            raise os_error(_SETTLED[self.phase])
        if self.is_connecting:
            raise os_error(errno.EALREADY)
        if self._is_gone():
            number, self.error = self.error or errno.ECONNABORTED, 0
            self.disconnect()
            self.error = 0
            raise os_error(number)
        self.phase = Phase.CONNECTED
        return True

    def connect(self, address: Address, /) -> None:
        if self.settles_connect():
            return
        remote = self.target(address)
        if self.family == AF_UNIX:
            return self._connect_path(remote)
        self.bind_for(remote)
        self.remote = remote
        self.phase = Phase.CONNECTING
        self.is_reset = False
        self.error = 0
        self._knock(remote)
        raise os_error(errno.EINPROGRESS)

    def _knock(self, remote: Address) -> None:
        self.is_connecting = True
        if remote[0] in self.network.silent or not self.network.rules.is_local(Place.of(remote[0])):
            return
        listener = self._listener_at(remote)
        if listener is None:
            self._refuse()
        elif listener._is_full():
            listener.held.append(self)
        else:
            listener._take(self)

    def _listener_at(self, remote: Address) -> MemoryStream | None:
        found = self.network.find(self, remote)
        return found if isinstance(found, MemoryStream) and found.is_listening else None

    def _connect_path(self, remote: Address) -> None:
        listener = self._listener_at(remote)
        if listener is None or listener.is_deaf:
            raise os_error(errno.ECONNREFUSED)
        if listener._is_full():
            raise os_error(errno.EAGAIN)
        if self.inward is not None or self.backlog >= 0:
            raise os_error(errno.EINVAL if self.backlog >= 0 else errno.EISCONN)
        self.bind_for(remote)
        self.remote = remote
        listener._take(self)

    def _refuse(self) -> None:
        self.is_connecting = False
        self.is_reset = True
        self.release_port()
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
        server = self._new_server()
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

    def _is_connected(self) -> bool:
        return self.outward is not None and not self.is_reset and not self._is_over()

    def _is_named(self) -> bool:
        return super()._is_named() or (self.family != AF_UNIX and self._is_connected())

    def _new_server(self) -> MemoryStream:
        return MemoryStream(self.network, self.family)  # whatever subclass listens

    def _seen(self, address: Address) -> Address:
        """An address of the other end, in the form of our own family."""
        ip = Place.of(address[0]).seen_by(self.family)
        return (ip, address[1]) if len(self.local) == 2 else (ip, address[1], *(address[2:] or (0, 0)))

    def pair_with(self, other: MemoryStream, capacity: int | None = None) -> None:
        """The two are the ends of a connection from now on. `capacity`: of each direction, in bytes."""
        other.inward = self.outward = Way(other, *self._room_to(other, capacity))
        other.outward = self.inward = Way(self, *other._room_to(self, capacity))
        for end in (self, other):
            if end.phase != Phase.CONNECTING:
                end.phase = Phase.CONNECTED

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        super().setsockopt(level, option, value)
        if (level, option) in ((SOL_SOCKET, SO_SNDBUF), (SOL_SOCKET, SO_RCVBUF)) and self.outward is not None:
            assert self.inward is not None
            other = self.outward.reader
            self.outward.capacity, self.outward.writable = self._room_to(other)
            self.inward.capacity, self.inward.writable = other._room_to(self)
            self.changed()
            other.changed()

    def peer_credentials(self) -> bytes | None:
        if self.family != AF_UNIX or self.inward is None:
            return None
        return struct.pack("=iII", *own_credentials())

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
        if self._is_gone():
            raise os_error(errno.ENOTCONN)
        return self.remote

    # --- ending ---

    def _is_gone(self) -> bool:
        """There is no connection, or none any more."""
        return self.inward is None or self.is_reset or self._is_over()

    def shutdown(self, how: int, /) -> None:
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise os_error(errno.EINVAL)
        if self.family != AF_UNIX:
            if self.backlog >= 0:
                return self.disconnect() if how != SHUT_WR else None
            if self.is_connecting:
                return self.disconnect()
            if self.phase == Phase.CONNECTING:
                self.phase = Phase.DISCONNECTING if self._is_gone() else Phase.CONNECTED
        if self.outward is None or self.is_reset or self._is_over():
            self._note_shutdown(how)
            if self.family == AF_UNIX:
                return
            raise os_error(errno.ENOTCONN)
        if how != SHUT_WR:
            self.is_deaf = True
            self.outward.reader.changed()
        if how != SHUT_RD:
            self.outward.end()
        self.changed()

    def _note_shutdown(self, how: int) -> None:
        """What is shut down before there is a connection is so for the poller, too."""
        self.is_deaf = self.is_deaf or how != SHUT_WR
        self.is_dumb = self.is_dumb or how != SHUT_RD
        self.changed()

    def close(self) -> None:
        """With bytes that nobody has read, or with linger {true, 0}, it is a reset.

        The peer of a unix socket learns of such bytes by an error, and has the connection still.
        """
        if self.closed:
            return
        super().close()
        self._close_queues()
        if self.inward is not None:
            self.inward.discard()
        if self.inward is None or self.outward is None or self.is_reset or self._is_over():
            return
        if self.family == AF_UNIX:
            self.outward.end()
            if self.inward.data or self.inward.packets:
                self.outward.reader.fail_with(errno.ECONNRESET)
        elif self.inward.data or self.options.get((SOL_SOCKET, SO_LINGER)) == LINGER_NOW:
            self._reset_peer()
        else:
            self.outward.end()

    def is_delivered(self) -> bool:
        """Whether all that was sent is with the peer: read, or in its receive buffer."""
        if self.family == AF_UNIX or self.outward is None or self.is_reset:
            return True
        reader = self.outward.reader
        window = self.network.rules.window(reader, self.network.capacity)
        return reader.closed or reader.is_reset or len(self.outward.data) <= window

    def _close_queues(self) -> None:
        for server in self.accepted:
            server.options[SOL_SOCKET, SO_LINGER] = LINGER_NOW
            server.close()
            if self.family == AF_UNIX and server.outward is not None:
                server.outward.reader.fail_with(errno.ECONNRESET)
        for client in self.held:
            client._refuse()
        self.accepted.clear()
        self.held.clear()

    def disconnect(self) -> None:
        """connect(2) with AF_UNSPEC: a reset for the other end. The socket is as new, but for its options."""
        was_connected = self._is_connected()
        self._close_queues()
        if was_connected:
            self._reset_peer()
        if was_connected or self.is_connecting:
            self.error = errno.ECONNRESET
        self.phase, self.backlog, self.peek_offset = Phase.UNCONNECTED, -1, -1
        self.is_connecting = self.is_reset = self.is_deaf = self.is_dumb = False
        self.inward = self.outward = self.remote = None
        if self.is_bound:
            self.network.move(self, self.asked[0])
        else:
            self.local = (self.asked[0], *self.local[1:])
        self.release_port()
        self.changed()
