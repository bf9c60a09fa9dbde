"""Sockets in memory, as Linux has them on the loopback interface.

A `MemoryNetwork` has the sockets by address. All addresses are local, and each can be bound. A stream
connects with EINPROGRESS, and the answer of the other end is there at once; a unix socket connects at
once. Data is with the other end as soon as it is sent. Errors have the number that Linux gives.

Left out: TIME_WAIT, SO_REUSEADDR, control messages, urgent data, IPv4 over IPv6 sockets, and that the
first connect(2) after EINPROGRESS reports success. tests/unit/test_memory_sockets.py compares with the
kernel.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    inet_ntop,
    inet_pton,
)
from typing import Any, TypeAlias

from .api import ERROR, HANGUP, READ, WRITE, Buffer

__all__ = ["MemoryDatagram", "MemoryNetwork", "MemorySocket", "MemoryStream"]

Address: TypeAlias = Any  # as in the `socket` module; of unix sockets bytes

FIRST_PORT = 32768  # of those that a socket gets when it asks for none
MAX_BACKLOG = 4096
MAX_DATAGRAM = 65507
_LINGER_NOW = b"\1\0\0\0\0\0\0\0"
_ANY: dict[int, str] = {AF_INET: "0.0.0.0", AF_INET6: "::"}  # noqa: S104
_LOOPBACK: dict[int, str] = {AF_INET: "127.0.0.1", AF_INET6: "::1"}


def _error(number: int) -> OSError:
    """A BlockingIOError, BrokenPipeError or whatever the number stands for."""
    return OSError(number, os.strerror(number))


class MemoryNetwork:
    """The sockets that can reach each other.

    notify: called with a socket whose readiness has changed: `Poller.notify`.
    capacity: how many bytes a stream takes before they are read; of datagrams how many a socket keeps.
    silent: IP addresses that answer nothing: connecting to them takes for ever.
    """

    def __init__(self, notify: Callable[[MemorySocket], None], capacity: int = 1 << 16) -> None:
        self.notify = notify
        self.capacity = capacity
        self.silent: set[str] = set()
        self._bound: dict[tuple[int, int, Address], MemorySocket] = {}
        self._ports = itertools.count(FIRST_PORT)

    def socket(self, family: int, kind: int) -> MemorySocket:
        if kind == SOCK_STREAM:
            return MemoryStream(self, family)
        if kind == SOCK_DGRAM:
            return MemoryDatagram(self, family)
        raise _error(errno.EPROTONOSUPPORT)

    def bind(self, sock: MemorySocket, address: Address) -> Address:
        """The address that the socket has then: a port 0 becomes a free port."""
        address = _normal(sock.family, address)
        if sock.family == AF_UNIX:
            address = address or b"\0%05x" % next(self._ports)
        elif address[1] == 0:
            address = (address[0], next(self._ports), *address[2:])
        if self._is_taken(sock, address):
            raise _error(errno.EADDRINUSE)
        self._bound[sock.family, sock.type, _key(address)] = sock
        return address

    def _is_taken(self, sock: MemorySocket, address: Address) -> bool:
        if sock.family == AF_UNIX:
            return (sock.family, sock.type, address) in self._bound
        return any(
            (kind, bound[1]) == (sock.type, address[1])
            and (bound[0] == address[0] or _ANY[family] in (bound[0], address[0]))
            for family, kind, bound in self._bound
            if family == sock.family
        )

    def unbind(self, sock: MemorySocket) -> None:
        key = (sock.family, sock.type, _key(sock.local))
        if self._bound.get(key) is sock:
            del self._bound[key]

    def find(self, sock: MemorySocket, address: Address) -> MemorySocket | None:
        """The socket of the same kind that is bound to `address`."""
        found = self._bound.get((sock.family, sock.type, _key(address)))
        if found is None and sock.family != AF_UNIX:
            found = self._bound.get((sock.family, sock.type, (_ANY[sock.family], address[1])))
        return found


def _normal(family: int, address: Address) -> Address:
    """An address as the system writes it."""
    if family == AF_UNIX:
        return os.fsencode(address)
    ip = inet_ntop(family, inet_pton(family, address[0]))
    return (ip, address[1]) if family == AF_INET else (ip, address[1], 0, 0)


def _key(address: Address) -> Address:
    return address if isinstance(address, bytes) else address[:2]


class MemorySocket:
    """What all kinds have: see `api.VirtualSocket`."""

    type: int

    def __init__(self, network: MemoryNetwork, family: int) -> None:
        self.network = network
        self.family = family
        self.local: Address = b"" if family == AF_UNIX else _normal(family, (_ANY[family], 0))
        self.is_bound = False
        self.closed = False
        self.error = 0  # SO_ERROR: the next call reports it
        self.options: dict[tuple[int, int], int | bytes] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.local!r}>"

    @property
    def ready(self) -> int:
        raise NotImplementedError

    def changed(self) -> None:
        """The socket may be ready for something else than before."""
        self.network.notify(self)

    def fail_with(self, number: int) -> None:
        self.error = number
        self.changed()

    def report_error(self) -> None:
        """The kernel reports an error once."""
        number, self.error = self.error, 0
        if number:
            raise _error(number)

    def bind(self, address: Address, /) -> None:
        if self.is_bound:
            raise _error(errno.EINVAL)
        self.local = self.network.bind(self, address)
        self.is_bound = True

    def bind_for(self, remote: Address) -> None:
        """What the system does with a socket that has no address yet, or no IP address."""
        if self.family == AF_UNIX:
            return
        if not self.is_bound:
            self.bind((_ANY[self.family], 0))
        if self.local[0] == _ANY[self.family]:
            self.network.unbind(self)
            self.local = self.network.bind(self, (remote[0], *self.local[1:]))

    def target(self, address: Address) -> Address:
        """Where an address leads to: the unspecified address is this host."""
        address = _normal(self.family, address)
        if self.family != AF_UNIX and address[0] == _ANY[self.family]:
            return (_LOOPBACK[self.family], *address[1:])
        return address

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.network.unbind(self)

    def getsockname(self) -> Address:
        return self.local

    def getpeername(self) -> Address:
        raise _error(errno.ENOTCONN)

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        """The value as it was set, or zero."""
        value: int | bytes
        if (level, option) == (SOL_SOCKET, SO_ERROR):
            value, self.error = self.error, 0
        elif (level, option) == (SOL_SOCKET, SO_TYPE):
            value = self.type
        else:
            value = self.options.get((level, option), 0)
        if size:
            return (
                value[:size] if isinstance(value, bytes) else value.to_bytes(size, "little", signed=value < 0)
            )
        return value if isinstance(value, int) else int.from_bytes(value[:4], "little")

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        self.options[level, option] = value

    def setblocking(self, flag: bool, /) -> None:
        assert not flag

    def accept(self) -> tuple[MemorySocket, Address]:
        raise _error(errno.EOPNOTSUPP)

    def connect(self, address: Address, /) -> None:
        raise NotImplementedError

    def listen(self, _backlog: int = MAX_BACKLOG, /) -> None:
        raise _error(errno.EOPNOTSUPP)

    def recvfrom(self, size: int, _flags: int = 0, /) -> tuple[bytes, Address]:
        raise NotImplementedError

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return self.recvfrom(size, flags)[0]

    def recvmsg(
        self, size: int, _control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        data, address = self.recvfrom(size, flags)
        return data, [], 0, address

    def send(self, data: Buffer, _flags: int = 0, /) -> int:
        return self.sendto(data, None)

    def sendmsg(
        self, buffers: Iterable[Buffer], _control: Any = (), _flags: int = 0, address: Address = None, /
    ) -> int:
        return self.sendto(b"".join(buffers), address)

    def sendto(self, data: Buffer, address: Address, /) -> int:
        raise NotImplementedError

    def shutdown(self, _how: int, /) -> None:
        raise _error(errno.ENOTCONN)


class _Way:
    """One direction of a connection: bytes on their way to `reader`."""

    __slots__ = ("capacity", "data", "is_ended", "reader")

    def __init__(self, reader: MemoryStream, capacity: int) -> None:
        self.reader = reader
        self.capacity = capacity
        self.data = bytearray()
        self.is_ended = False  # a FIN stands behind the data

    def end(self) -> None:
        self.is_ended = True
        self.reader.changed()


class MemoryStream(MemorySocket):
    """A stream socket: fresh, then listening; or connecting, connected, and reset perhaps."""

    type = SOCK_STREAM

    def __init__(self, network: MemoryNetwork, family: int) -> None:
        super().__init__(network, family)
        self.remote: Address = None
        # of a listener
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
            | (WRITE if no_output or len(self.outward.data) < self.outward.capacity else 0)
            | (HANGUP if no_input and no_output else 0)
        )

    # --- connecting ---

    def listen(self, backlog: int = MAX_BACKLOG, /) -> None:
        if not self.is_bound:
            if self.family == AF_UNIX:
                raise _error(errno.EINVAL)
            self.bind((_ANY[self.family], 0))
        self.backlog = min(max(backlog, 0), MAX_BACKLOG)

    def connect(self, address: Address, /) -> None:
        if self.is_connecting:
            raise _error(errno.EALREADY)
        if self.inward is not None or self.backlog >= 0:
            raise _error(errno.EISCONN)
        self.remote = self.target(address)
        self.bind_for(self.remote)
        found = self.network.find(self, self.remote)
        listener = found if isinstance(found, MemoryStream) and found.backlog >= 0 else None
        if self.family == AF_UNIX:
            return self._connect_path(listener, found is not None or self.remote.startswith(b"\0"))
        self.is_connecting = True
        if self.remote[0] not in self.network.silent:
            if listener is None:
                self._refuse()
            elif listener._is_full():
                listener.held.append(self)
            else:
                listener._take(self)
        raise _error(errno.EINPROGRESS)

    def _connect_path(self, listener: MemoryStream | None, exists: bool) -> None:
        if listener is None:
            raise _error(errno.ECONNREFUSED if exists else errno.ENOENT)
        if listener._is_full():
            raise _error(errno.EAGAIN)
        listener._take(self)

    def _refuse(self) -> None:
        self.is_connecting = False
        self.fail_with(errno.ECONNREFUSED)

    def _is_full(self) -> bool:
        return len(self.accepted) > self.backlog

    def _take(self, client: MemoryStream) -> None:
        """A connection with `client`. It waits to be accepted."""
        server = MemoryStream(self.network, self.family)
        server.options = dict(self.options)
        server.local, server.remote = client.remote, client.local
        capacity = self.network.capacity
        server.inward = client.outward = _Way(server, capacity)
        server.outward = client.inward = _Way(client, capacity)
        client.is_connecting = False
        self.accepted.append(server)
        client.changed()
        self.changed()

    def accept(self) -> tuple[MemorySocket, Address]:
        if self.backlog < 0:
            raise _error(errno.EINVAL)
        if not self.accepted:
            raise _error(errno.EAGAIN)
        server = self.accepted.popleft()
        while self.held and not self._is_full():
            client = self.held.popleft()
            if not client.closed:
                self._take(client)
        return server, server.remote

    def getpeername(self) -> Address:
        if self.inward is None or self.is_reset:
            raise _error(errno.ENOTCONN)
        return self.remote

    # --- sending and receiving ---

    def recvfrom(self, size: int, _flags: int = 0, /) -> tuple[bytes, Address]:
        inward = self.inward
        if inward is None:
            self.report_error()
            raise _error(errno.EINVAL if self.family == AF_UNIX else errno.ENOTCONN)
        if inward.data:
            data = bytes(inward.data[:size])
            del inward.data[:size]
            assert self.outward is not None
            self.outward.reader.changed()
            return data, None
        if not (inward.is_ended or self.is_deaf):
            self.report_error()
            if not self.is_reset:
                raise _error(errno.EAGAIN)
        return b"", None

    def sendto(self, data: Buffer, _address: Address, /) -> int:
        self.report_error()
        outward = self.outward
        if outward is None:
            raise _error(errno.ENOTCONN if self.family == AF_UNIX else errno.EPIPE)
        if outward.is_ended or self.is_reset or self._is_cut():
            raise _error(errno.EPIPE)
        if outward.reader.closed:
            self._reset()  # is how the other end answers to the bytes
            return len(data)
        room = outward.capacity - len(outward.data)
        if room <= 0:
            raise _error(errno.EAGAIN)
        outward.data += data[:room]
        outward.reader.changed()
        return min(room, len(data))

    def _is_cut(self) -> bool:
        """A unix socket knows that the other end has gone. Others learn it when they send."""
        assert self.outward is not None
        return self.family == AF_UNIX and self.outward.reader.closed

    # --- ending ---

    def shutdown(self, how: int, /) -> None:
        if self.outward is None or self.is_reset:
            if self.family == AF_UNIX:
                return
            raise _error(errno.ENOTCONN)
        if how in (SHUT_RD, SHUT_RDWR):
            self.is_deaf = True
        if how in (SHUT_WR, SHUT_RDWR):
            self.outward.end()
        self.changed()

    def close(self) -> None:
        """With bytes that nobody has read, or with linger {true, 0}, it is a reset."""
        if self.closed:
            return
        super().close()
        for server in self.accepted:
            server._reset_peer()
        for client in self.held:
            client._refuse()
        if self.inward is None or self.outward is None or self.is_reset:
            return
        if self.inward.data or self.options.get((SOL_SOCKET, SO_LINGER)) == _LINGER_NOW:
            self._reset_peer()
        else:
            self.outward.end()

    def _reset_peer(self) -> None:
        assert self.outward is not None
        self.outward.reader._reset()

    def _reset(self) -> None:
        """The other end has sent a reset. What it had sent before can be read still."""
        if self.closed or self.inward is None:
            return
        self.is_reset = True
        self.fail_with(errno.EPIPE if self.inward.is_ended else errno.ECONNRESET)


class MemoryDatagram(MemorySocket):
    """A datagram socket, perhaps with a peer."""

    type = SOCK_DGRAM

    def __init__(self, network: MemoryNetwork, family: int) -> None:
        super().__init__(network, family)
        self.remote: Address = None
        self.inbox: deque[tuple[bytes, Address]] = deque()

    @property
    def ready(self) -> int:
        return WRITE | (READ if self.inbox else 0) | (ERROR if self.error else 0)

    def connect(self, address: Address, /) -> None:
        remote = self.target(address)
        self._receiver(remote)
        self.bind_for(remote)
        self.remote = remote

    def disconnect(self) -> None:
        self.remote = None

    def getpeername(self) -> Address:
        if self.remote is None:
            raise _error(errno.ENOTCONN)
        return self.remote

    def recvfrom(self, size: int, _flags: int = 0, /) -> tuple[bytes, Address]:
        self.report_error()
        if not self.inbox:
            raise _error(errno.EAGAIN)
        data, sender = self.inbox.popleft()
        return data[:size], sender

    def sendto(self, data: Buffer, address: Address, /) -> int:
        """To the peer, without an address."""
        self.report_error()
        if len(data) > MAX_DATAGRAM:
            raise _error(errno.EMSGSIZE)
        remote = self.remote if address is None else self.target(address)
        if remote is None:
            raise _error(errno.ENOTCONN if self.family == AF_UNIX else errno.EDESTADDRREQ)
        receiver = self._receiver(remote)
        if receiver is not None and receiver.is_full and self.family == AF_UNIX:
            raise _error(errno.EAGAIN)
        if not self.is_bound and self.family != AF_UNIX:
            self.bind((_ANY[self.family], 0))
        if receiver is not None:
            receiver._arrived(bytes(data), self._sender(remote))
        elif self.remote is not None:
            self.fail_with(errno.ECONNREFUSED)  # an ICMP message
        return len(data)

    def _receiver(self, remote: Address) -> MemoryDatagram | None:
        """The socket at an address. Of a unix socket it must exist."""
        found = self.network.find(self, remote)
        if isinstance(found, MemoryDatagram):
            return found
        if self.family == AF_UNIX:
            raise _error(errno.ECONNREFUSED if remote.startswith(b"\0") else errno.ENOENT)
        return None

    def _sender(self, remote: Address) -> Address:
        """Our own address, as the receiver sees it."""
        if self.family == AF_UNIX:
            return self.local or None
        ip = remote[0] if self.local[0] == _ANY[self.family] else self.local[0]
        return (ip, *self.local[1:])

    @property
    def is_full(self) -> bool:
        return sum(len(data) for data, _ in self.inbox) >= self.network.capacity

    def _arrived(self, data: bytes, sender: Address) -> None:
        """A datagram from another address than the peer's, or one too many, is lost."""
        if (self.remote is None or self.remote == sender) and not self.is_full:
            self.inbox.append((data, sender))
            self.changed()
