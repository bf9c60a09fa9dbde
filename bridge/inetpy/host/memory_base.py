"""What sockets in memory have in common, and the table of their addresses."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable, Iterator
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_PASSCRED,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from typing import Any, TypeAlias

from .api import Buffer
from .errors import os_error
from .memory_options import Options
from .memory_places import ANY, Address, Place, Source, normal_address
from .memory_rules import Rules

__all__ = ["MAX_BACKLOG", "MemoryAddresses", "MemorySocket"]

MAX_BACKLOG = 4096
_LOOPBACK: dict[int, str] = {AF_INET: "127.0.0.1", AF_INET6: "::1"}
FIRST_PORT, LAST_PORT = 32768, 60999  # of those that a socket gets when it asks for none
_KINDS = (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET)

_Ports: TypeAlias = "dict[tuple[int, int], dict[MemorySocket, None]]"  # an inner dict is an ordered set


class MemoryAddresses:
    """The sockets by address, and what is the same for all of them: see `MemoryNetwork`."""

    def __init__(self, notify: Callable[[MemorySocket], None], capacity: int, rules: Rules) -> None:
        self.notify = notify
        self.capacity = capacity
        self.rules = rules
        self.silent: set[str] = set()
        # By kind and port: all that have the port, and those of them that can be reached there.
        self._ports: _Ports = {}
        self._reached: _Ports = {}
        # By kind and name: unix sockets.
        self._names: dict[tuple[int, object], MemorySocket] = {}
        self._groups: dict[MemorySocket, set[tuple[Place, int]]] = {}
        self._next_ports = itertools.cycle(range(FIRST_PORT, LAST_PORT + 1))
        self._numbers = itertools.count(1)

    # --- binding ---

    def bind(self, sock: MemorySocket, address: Address) -> Address:
        """The address that the socket has then: a port 0 becomes a free port."""
        if sock.family == AF_UNIX:
            return self._bind_name(sock, normal_address(AF_UNIX, address))
        address = normal_address(sock.family, address)
        places = _places(sock, address[0])
        self.rules.check_bind(address)
        if address[1] == 0:
            address = (address[0], self._free_port(sock.type), *address[2:])
        elif self._is_taken(sock, places, address[1]):
            raise os_error(errno.EADDRINUSE)
        sock.places = places
        self._enter(self._ports, sock, address[1])
        if sock.type == SOCK_DGRAM:
            self._enter(self._reached, sock, address[1])
        return address

    def _bind_name(self, sock: MemorySocket, name: bytes) -> bytes:
        while not name:
            free = b"\0%05x" % (next(self._numbers) & 0xFFFFF)
            if (sock.type, free) not in self._names:
                name = free
        key = name if name.startswith(b"\0") else self.rules.make_name(sock, name)
        if (sock.type, key) in self._names:
            raise os_error(errno.EADDRINUSE)
        self._names[sock.type, key] = sock
        sock.key = key
        return name

    def _free_port(self, kind: int) -> int:
        for _ in range(FIRST_PORT, LAST_PORT + 1):
            port = next(self._next_ports)
            if (kind, port) not in self._ports:
                return port
        raise os_error(errno.EADDRINUSE)

    def _is_taken(self, sock: MemorySocket, places: tuple[Place, ...], port: int) -> bool:
        return any(
            other is not sock and _overlap(places, other.places) and not sock.shares_with(other)
            for other in self._ports.get((sock.type, port), ())
        )

    def move(self, sock: MemorySocket, ip: str) -> None:
        """A socket that was bound to all addresses has one from now on, or the other way round."""
        sock.local = (ip, *sock.local[1:])
        sock.places = _places(sock, ip)

    def adopt(self, sock: MemorySocket) -> None:
        """An accepted connection has the port of its listener, too."""
        sock.places = (Place.of(sock.local[0]),)
        self._enter(self._ports, sock, sock.local[1])

    def listens(self, sock: MemorySocket) -> None:
        """Two sockets that share an address cannot both listen, unless they share the connections, too."""
        if sock.family != AF_UNIX:
            if self._is_taken(sock, sock.places, sock.local[1]):
                raise os_error(errno.EADDRINUSE)
            self._enter(self._reached, sock, sock.local[1])

    def _enter(self, table: _Ports, sock: MemorySocket, port: int) -> None:
        table.setdefault((sock.type, port), {})[sock] = None

    def _leave(self, table: _Ports, sock: MemorySocket, port: int) -> None:
        there = table.get((sock.type, port), {})
        there.pop(sock, None)
        if not there:
            table.pop((sock.type, port), None)

    def unbind(self, sock: MemorySocket) -> None:
        if sock.family == AF_UNIX:
            if self._names.get((sock.type, sock.key)) is sock:
                del self._names[sock.type, sock.key]
                self.rules.drop_name(sock)
        elif sock.places:
            self._leave(self._ports, sock, sock.local[1])
            self._leave(self._reached, sock, sock.local[1])
            sock.places = ()

    # --- groups ---

    def note_groups(self, sock: MemorySocket, groups: set[tuple[Place, int]]) -> None:
        """The groups of a socket, each with the number of an interface."""
        self._groups.pop(sock, None)
        if groups:
            self._groups[sock] = groups

    def has_member(self, group: tuple[Place, int]) -> bool:
        return any(group in groups for groups in self._groups.values())

    # --- finding ---

    def find(self, sock: MemorySocket, address: Address, source: Source | None = None) -> MemorySocket | None:
        """The socket of the same kind that `sock` reaches at `address`; of streams the listener.

        source: where a datagram comes from.
        """
        if sock.family == AF_UNIX:
            return self._find_name(sock, normal_address(AF_UNIX, address))
        place = Place.of(address[0])
        best, best_score = None, -1
        for other in self.reached(sock.type, address[1]):
            score = other.score(place, source)
            if score > best_score or (score == best_score >= 0 and not other.stands_back):
                best, best_score = other, score
        return best

    def reached(self, kind: int, port: int) -> Iterator[MemorySocket]:
        """All that can be reached at a port, those that came last at the end."""
        return iter(self._reached.get((kind, port), ()))

    def _find_name(self, sock: MemorySocket, name: bytes) -> MemorySocket | None:
        """None: the name is there, but no socket. Raises OSError where there is no such name."""
        if name.startswith(b"\0"):
            return self._names.get((sock.type, name))
        key = self.rules.find_name(name)
        found = self._names.get((sock.type, key))
        if found is None:
            if any((kind, key) in self._names for kind in _KINDS):
                raise os_error(errno.EPROTOTYPE)
            if self.rules.names_are_sockets:
                raise os_error(errno.ENOENT)
        return found


def _places(sock: MemorySocket, ip: str) -> tuple[Place, ...]:
    """Where a socket is that is bound to `ip`: an IPv6 socket may have the address of IPv4, too."""
    place = Place.of(ip)
    if sock.family == AF_INET:
        return (place,)
    if sock.is_v6only:
        if place.family == AF_INET:
            raise os_error(errno.EINVAL)
        return (place,)
    return (place, Place(AF_INET, ANY[AF_INET])) if place.is_any else (place,)


def _overlap(some: tuple[Place, ...], others: tuple[Place, ...]) -> bool:
    return any(
        one.family == other.family and (one.ip == other.ip or one.is_any or other.is_any)
        for one in some
        for other in others
    )


class MemorySocket(Options):
    """What all kinds have: see `api.VirtualSocket`.

    places: where it is bound to. key: the same of a unix socket.
    """

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network.rules, family)
        self.network = network
        self.local: Address = b"" if family == AF_UNIX else normal_address(family, (ANY[family], 0))
        self.remote: Address = None  # the peer
        self.is_bound = False
        self.closed = False
        self.asked: Address = self.local  # by bind(2)
        self.places: tuple[Place, ...] = ()
        self.key: object = b""

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

    # --- addresses ---

    def bind(self, address: Address, /) -> None:
        if self.is_bound or self._is_named():
            if self.family == AF_UNIX:
                return self._bind_again(normal_address(AF_UNIX, address))
            raise os_error(errno.EINVAL)
        self.local = self.network.bind(self, address)
        self.is_bound = True
        self.asked = address
        if self.family == AF_INET6 and self.places[0].family == AF_INET6 and not self.places[0].is_any:
            self._note(IPPROTO_IPV6, IPV6_V6ONLY, 1)

    def _is_named(self) -> bool:
        """Whether it has an address without bind(2): that of the listener that it came from."""
        return self.family == AF_UNIX and bool(self.local)

    def _bind_again(self, name: bytes) -> None:
        """A unix socket that has a name keeps it if bind(2) asks for none. Others are looked at."""
        if name:
            if not name.startswith(b"\0"):
                self.network.rules.check_name(name)
            raise os_error(errno.EINVAL)

    def bind_for(self, remote: Address) -> None:
        """What the system does with a socket that has no address yet, or no IP address.

        Raises OSError where no way leads to `remote`.
        """
        if self.family == AF_UNIX:
            if self.is_set(SOL_SOCKET, SO_PASSCRED) and not self.is_bound:
                self.bind(b"")
            return
        if self.type == SOCK_DGRAM:
            self.bind_to_port()  # wherever it connects to
        source = self.network.rules.source(self, remote)
        self.bind_to_port()
        if self.local[0] == ANY[self.family]:
            self.network.move(self, source)

    def bind_to_port(self) -> None:
        """A port of its own, for a socket that has none."""
        if not self.is_bound:
            self.local = self.network.bind(self, (self.local[0], 0))
            self.is_bound = True

    def release_port(self) -> None:
        """A port that the system has chosen goes back to it. One that bind(2) was asked for stays."""
        if self.family != AF_UNIX and not self.asked[1]:
            self.network.unbind(self)
            self.is_bound = False

    def path_mtu(self) -> int | None:
        if self.family == AF_UNIX or self.remote is None:
            return None
        return self.network.rules.mtu(Place.of(self.remote[0]))

    def target(self, address: Address) -> Address:
        """Where an address leads to: the unspecified address is this host."""
        address = normal_address(self.family, address)
        if self.family != AF_UNIX:
            place = Place.of(address[0])
            if place.is_any:
                loopback = Place(place.family, _LOOPBACK[place.family])
                return (loopback.seen_by(self.family), *address[1:])
        return address

    def shares_with(self, other: MemorySocket) -> bool:
        """Whether both may have the same address."""
        return bool(
            (self.is_reusable and other.is_reusable and not other.is_listening)
            or (self.is_set(SOL_SOCKET, SO_REUSEPORT) and other.is_set(SOL_SOCKET, SO_REUSEPORT))
        )

    def score(self, _place: Place, _source: Source | None) -> int:
        """How well this socket fits for what is sent to a place. Negative: not at all."""
        raise NotImplementedError

    def covers(self, place: Place) -> int:
        """Negative: not bound there. More for the very address than for all."""
        if place in self.places:
            return 3 if self.family == place.family else 2
        if (place.family, ANY[place.family]) in self.places:
            return 1 if self.family == place.family else 0
        return -1

    @property
    def stands_back(self) -> bool:
        """Of sockets that fit equally well the last one is taken, but for these."""
        return self.family == AF_INET6 and self.is_set(SOL_SOCKET, SO_REUSEPORT)

    @property
    def is_listening(self) -> bool:
        return False

    @property
    def is_reusable(self) -> bool:
        return self.is_set(SOL_SOCKET, SO_REUSEADDR)

    @property
    def is_v6only(self) -> bool:
        return bool(self.family == AF_INET6 and self.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY))

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.network.unbind(self)

    def getsockname(self) -> Address:
        return self.local

    def getpeername(self) -> Address:
        raise os_error(errno.ENOTCONN)

    def setblocking(self, flag: bool, /) -> None:
        assert not flag

    # --- calls that not every kind has ---

    def accept(self) -> tuple[MemorySocket, Address]:
        raise os_error(errno.EOPNOTSUPP)

    def connect(self, address: Address, /) -> None:
        raise NotImplementedError

    def settles_connect(self) -> bool:
        """Whether connect(2) is over without a look at its address: with success, or an OSError."""
        return False

    def disconnect(self) -> None:
        """connect(2) with AF_UNSPEC."""
        raise NotImplementedError

    def unread(self) -> int:
        """ioctl(2) with FIONREAD: how many bytes the next call can read."""
        raise NotImplementedError

    def is_at_mark(self) -> bool:
        """ioctl(2) with SIOCATMARK."""
        raise os_error(errno.EOPNOTSUPP if self.family == AF_UNIX else errno.ENOTTY)

    def listen(self, _backlog: int = MAX_BACKLOG, /) -> None:
        raise os_error(errno.EOPNOTSUPP)

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
        raise os_error(errno.ENOTCONN)
