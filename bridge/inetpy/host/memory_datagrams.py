"""Datagram sockets in memory."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IP_MULTICAST_LOOP,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_MULTICAST_LOOP,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOCK_DGRAM,
)
from typing import Any, NamedTuple

from .api import ERROR, HANGUP, READ, WRITE, Buffer
from .errors import os_error
from .flags import MSG_CMSG_CLOEXEC, MSG_ERRQUEUE, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_TRUNC
from .memory_base import MemoryAddresses
from .memory_control import Control, Message, fit, now_stamps, parse_unix, unix_messages, with_credentials
from .memory_inbox import Inbox, Packet
from .memory_marks import LEVELS, MARKS, Mark, Option, Origin, Refusal, messages, parse
from .memory_places import Address, Place, Source, normal_address
from .memory_ways import PLAIN, Head, passes
from .routes import BROADCAST, LOCAL, MULTICAST, Route

__all__ = ["MemoryDatagram"]

MAX_DATAGRAM: dict[int, int] = {AF_INET: 65507, AF_INET6: 65527, AF_UNIX: 1 << 30}  # bytes
# More than these are refused before the kernel looks at the destination.
MAX_AT_ALL = MAX_DATAGRAM | {AF_INET: 65535, AF_INET6: 1 << 30}
UDP_CORK = 1
_RECVERR: dict[int, Option] = {AF_INET: (IPPROTO_IP, 11), AF_INET6: (IPPROTO_IPV6, 25)}
LOOPBACK = 1  # the number of its interface, in every network namespace


class _Corked(NamedTuple):
    """A datagram that is not complete yet: UDP_CORK and MSG_MORE."""

    data: bytes
    remote: Address
    control: Control


class MemoryDatagram(Inbox):
    """A datagram socket, perhaps with a peer."""

    type = SOCK_DGRAM

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self._own_marks: dict[Option, int] = {}  # options as they were read last
        self.refusals: deque[Refusal] = deque()
        self.corked: _Corked | None = None

    @property
    def ready(self) -> int:
        return (
            (WRITE if self.family != AF_UNIX or self.has_room() else 0)
            | (READ if self.inbox or self.is_deaf else 0)
            | (HANGUP if self.is_deaf and self.is_dumb else 0)
            | (ERROR if self.error or self.refusals else 0)
        )

    # --- the peer ---

    def connect(self, address: Address, /) -> None:
        remote = self.target(address)
        self.bind_for(remote)
        if self.family == AF_UNIX:
            receiver = self._named(remote)
            self._check_may_send(receiver)
            self.set_peer(receiver)
        self.remote = remote

    def disconnect(self) -> None:
        self.remote = None
        self.set_peer(None)
        if self.family != AF_UNIX and self.is_bound:
            ip, port = self.asked[:2]
            self.network.move(self, ip)
            self.release_port()
            if not port:
                self.local = normal_address(self.family, (ip, 0))

    def getpeername(self) -> Address:
        if self.remote is None or (self.family != AF_UNIX and not self.remote[1]):
            raise os_error(errno.ENOTCONN)
        return self.remote

    # --- receiving ---

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Address]:
        if self._is_of_errors(flags):
            refusal = self._next_refusal()
            return refusal.data[:size], refusal.address
        packet, data = self._next(size, flags)
        packet.head.drop()
        return data[:size], packet.sender

    def recvmsg(
        self, size: int, control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Message], int, Address]:
        if self._is_of_errors(flags):
            refusal = self._next_refusal()
            data, sender = refusal.data, refusal.address
            received = int(MSG_ERRQUEUE) | (MSG_TRUNC if size < len(data) else 0)
            messages = [refusal.message(self.family)]
        else:
            packet, data = self._next(size, flags)
            sender, received = packet.sender, self._cut(packet, data, size)
            messages = now_stamps(self.is_set) + self._messages(packet)
        fitting, cut = fit(messages, control_size)
        return data[:size], fitting, received | cut | flags & MSG_CMSG_CLOEXEC, sender

    def _cut(self, packet: Packet, data: bytes, size: int) -> int:
        """MSG_TRUNC where a read gets too little. UDP counts what a peek has passed over, too."""
        is_cut = size < len(data) or (self.family != AF_UNIX and size == len(data) < len(packet.data))
        return MSG_TRUNC if is_cut else 0

    def _messages(self, packet: Packet) -> list[Message]:
        if packet.origin is None:
            return unix_messages(self.is_set, packet.head)
        return messages(self, packet.origin, packet.marks)

    def interface_at(self, place: Place, route: Route) -> int:
        """The interface at which a datagram has come."""
        if route.kind != LOCAL:
            return route.interface
        return self.network.rules.interface_of(place) or LOOPBACK

    def _is_of_errors(self, flags: int) -> bool:
        return bool(self.family != AF_UNIX and flags & MSG_ERRQUEUE)

    def _next_refusal(self) -> Refusal:
        """Of the error queue, also with MSG_PEEK. The error of its entry is reported then."""
        if not self.refusals:
            raise os_error(errno.EAGAIN)
        refusal = self.refusals.popleft()
        self.error = errno.ECONNREFUSED if self.refusals else 0
        return refusal

    def _next(self, size: int, flags: int) -> tuple[Packet, bytes]:
        """A datagram, and what can be read of it."""
        if self.family == AF_UNIX and flags & MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        self.report_error()
        start = self.peek_start(flags)
        for number, packet in enumerate(self.inbox):  # noqa: B007  counted up to the one that is read
            if not passes(start, len(packet.data), self.peeks_from(flags) and packet.head.is_peeked):
                break
            start -= len(packet.data)
        else:
            raise os_error(errno.EAGAIN)
        data = packet.data[start:]
        if flags & MSG_PEEK:
            self.inbox[number] = packet._replace(head=packet.head._replace(is_peeked=True))
            packet = packet._replace(head=packet.head.copy())
        else:
            self.inbox.popleft()
            self.free(packet)
        is_whole = self.family == AF_UNIX and not flags & MSG_PEEK
        self.move_peek(flags, len(data) if is_whole else min(size, len(data)))
        return packet, data

    def unread(self) -> int:
        return len(self.inbox[0].data) if self.inbox else 0

    # --- sending ---

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self._send(bytes(data), None, (), flags)

    def sendto(self, data: Buffer, address: Address, /) -> int:
        """To the peer, without an address."""
        return self._send(bytes(data), address, (), 0)

    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = (), flags: int = 0, address: Address = None, /
    ) -> int:
        return self._send(b"".join(buffers), address, control, flags)

    def _send(self, data: bytes, address: Address, control: Control, flags: int) -> int:
        if self.family != AF_UNIX:
            self.bind_to_port()
        if flags & MSG_OOB and self.family != AF_INET6:
            raise os_error(errno.EOPNOTSUPP)
        if self.corked is not None:
            return self._append(self.corked, data, flags)
        head = parse_unix(control) if self.family == AF_UNIX else PLAIN
        try:
            self._send_whole(data, address, control, flags, head)
        except OSError:
            head.drop()
            raise
        return len(data)

    def _send_whole(self, data: bytes, address: Address, control: Control, flags: int, head: Head) -> None:
        if len(data) > MAX_AT_ALL[self.family]:
            raise os_error(errno.EMSGSIZE)
        if self.family == AF_UNIX:
            self.check_packet(len(data))
            self._check_open()
        remote = self.remote if address is None else self.target(address)
        if remote is None:
            raise os_error(errno.ENOTCONN if self.family == AF_UNIX else errno.EDESTADDRREQ)
        if self.family == AF_INET6 and flags & MSG_OOB and Place.of(remote[0]).family == AF_INET:
            raise os_error(errno.EOPNOTSUPP)
        if self.family == AF_UNIX:
            self.bind_for(remote)
            self._send_to_name(data, remote, address is not None, head)
        elif flags & MSG_MORE or self.is_set(IPPROTO_UDP, UDP_CORK):
            self._check_size(data)
            self.corked = _Corked(data, remote, control)
        else:
            self._send_to_place(data, remote, control)

    def _check_size(self, data: bytes) -> None:
        if len(data) > MAX_DATAGRAM[self.family]:
            raise os_error(errno.EMSGSIZE)

    def _check_open(self) -> None:
        self.report_error()
        if self.is_dumb:
            raise os_error(errno.EPIPE)

    # --- a datagram in parts ---

    def _append(self, corked: _Corked, data: bytes, flags: int) -> int:
        """Parts of a datagram, which goes out with the first part that is sent without MSG_MORE."""
        if len(corked.data) + len(data) > MAX_DATAGRAM[self.family]:
            self.corked = None
            raise os_error(errno.EMSGSIZE)
        self.corked = corked._replace(data=corked.data + data)
        if not (flags & MSG_MORE or self.is_set(IPPROTO_UDP, UDP_CORK)):
            self._uncork()
        return len(data)

    def _uncork(self) -> None:
        corked, self.corked = self.corked, None
        if corked is not None:
            self._send_to_place(*corked)

    def shutdown(self, how: int, /) -> None:
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise os_error(errno.EINVAL)
        self.is_deaf = self.is_deaf or how != SHUT_WR
        self.is_dumb = self.is_dumb or how != SHUT_RD
        self.changed()
        if self.remote is None and self.family != AF_UNIX:
            raise os_error(errno.ENOTCONN)

    def _send_to_name(self, data: bytes, name: bytes, is_told: bool, head: Head) -> None:
        if not self.network.rules.packets_fit(self, self.unread_sizes, self.network.capacity):
            raise os_error(errno.EAGAIN)
        receiver = self._named(name) if is_told or self.peer is None else self.peer
        if receiver.closed:
            self.remote = None
            self.set_peer(None)
            raise os_error(errno.ECONNREFUSED)
        if receiver.is_deaf:
            raise os_error(errno.EPIPE)
        self._check_may_send(receiver)
        if not receiver.takes_from(self):
            raise os_error(errno.EAGAIN)
        self.unread_sizes.append(len(data))
        head = with_credentials(head, self, receiver)
        receiver.inbox.append(Packet(data, self.local or None, head=head, owner=self))
        receiver.changed()

    def _check_may_send(self, receiver: Inbox) -> None:
        """A unix socket with a peer is for that peer alone."""
        if receiver.remote is not None and receiver.remote != self.local:
            raise os_error(errno.EPERM)

    def _named(self, name: bytes) -> MemoryDatagram:
        """The unix socket of that name."""
        found = self.network.find(self, name)
        if not isinstance(found, MemoryDatagram):
            raise os_error(errno.ECONNREFUSED)
        return found

    def _send_to_place(self, data: bytes, remote: Address, control: Control) -> None:
        place = Place.of(remote[0])
        if remote[1] == 0:
            raise os_error(errno.EINVAL)
        told = parse(place.family, control, self.network.rules.is_local)
        route = self.network.rules.route(self, remote)
        self._check_size(data)
        self._check_open()
        source = told.source or Place.of(self.local[0])
        if source.is_any:
            source = Place(place.family, route.source)
        receivers = list(self._receivers(place, remote, route, (source, self.local[1])))
        marks = list(self._marks(place.family, route, told.values)) if receivers else []
        origin = Origin(source, place, remote[1], route)
        for receiver in receivers:
            receiver.arrived(Packet(data, _address(receiver, source, self.local[1]), origin, marks))
        if not receivers and route.kind == LOCAL:
            self._refused(data, remote, place)

    def _refused(self, data: bytes, remote: Address, place: Place) -> None:
        """An ICMP message has come. Without IP_RECVERR a socket without a peer does not care.

        A socket with a peer does not get those about others.
        """
        if self.remote is not None and not self._is_peer((place, remote[1])):
            return
        wants = self.is_set(*_RECVERR[self.family])
        if wants:
            address = remote if self.family == AF_INET else (*remote, 0, 0)[:4]
            self.refusals.append(Refusal(data, address, place))
        if wants or self.remote is not None:
            self.fail_with(errno.ECONNREFUSED)

    def _receivers(
        self, place: Place, remote: Address, route: Route, source: Source
    ) -> Iterator[MemoryDatagram]:
        if route.kind in (BROADCAST, MULTICAST):
            if route.kind == MULTICAST and not self._reaches_group(place, route):
                return
            for sock in self.network.reached(SOCK_DGRAM, remote[1]):
                if isinstance(sock, MemoryDatagram) and sock.score(place, source) >= 0:
                    yield sock
        elif route.kind == LOCAL:
            found = self.network.find(self, remote, source)
            if isinstance(found, MemoryDatagram):
                yield found

    def score(self, place: Place, source: Source | None) -> int:
        covered = self.covers(place)
        if covered < 0 or self.remote is None:
            return covered
        return covered + 8 if source is not None and self._is_peer(source) else -1

    def _is_peer(self, source: Source) -> bool:
        """A peer with port 0 is one at all ports."""
        place, port = source
        return place == Place.of(self.remote[0]) and self.remote[1] in (0, port)

    def _marks(self, family: int, route: Route, told: dict[Option, int]) -> Iterator[tuple[Mark, int]]:
        for mark in MARKS[family]:
            value = told.get(mark.message, -1)
            option = mark.group_option if route.kind == MULTICAST else mark.option
            yield mark, self._own_mark(option) if value < 0 else value

    def _own_mark(self, option: Option) -> int:
        if option not in self._own_marks:
            self._own_marks[option] = self.getsockopt(*option)
        return self._own_marks[option]

    # --- groups ---

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        super().setsockopt(level, option, value)
        self._own_marks.clear()
        if not self.is_set(IPPROTO_UDP, UDP_CORK):
            self._uncork()

    def _reaches_group(self, place: Place, route: Route) -> bool:
        """Whether a socket of this host is in the group, on the interface to which it is sent."""
        option = IP_MULTICAST_LOOP if place.family == AF_INET else IPV6_MULTICAST_LOOP
        # What leaves by the loopback interface comes back by it.
        loops = route.interface == LOOPBACK or self._own_mark((LEVELS[place.family], option))
        return bool(loops) and self.network.has_member((place, route.interface))


def _address(receiver: MemoryDatagram, source: Place, port: int) -> Address:
    ip = source.seen_by(receiver.family)
    return (ip, port) if receiver.family == AF_INET else (ip, port, 0, 0)
