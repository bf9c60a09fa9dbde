"""Datagram sockets in memory."""

from __future__ import annotations

import errno
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_RECVTOS,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_HOPLIMIT,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    inet_ntop,
)
from typing import Any, NamedTuple

from .api import ERROR, READ, WRITE, Buffer
from .errors import os_error
from .memory_base import MemoryAddresses, MemorySocket
from .memory_places import Address, Place, Source, normal_address
from .routes import BROADCAST, LOCAL, MULTICAST, Route

__all__ = ["MemoryDatagram"]

MAX_DATAGRAM: dict[int, int] = {AF_INET: 65507, AF_INET6: 65527, AF_UNIX: 1 << 30}  # bytes
IP_RECVTTL = 12  # of linux/in.h
LOOPBACK = 1  # the number of its interface, in every network namespace

Control = Iterable[tuple[int, int, Any]]
Option = tuple[int, int]


class _Mark(NamedTuple):
    """What a packet says besides its bytes, and how a receiver asks for it.

    option: of the sender; group_option: where that is another one for groups.
    form: of the control message.
    """

    asked: Option
    option: Option
    group_option: Option
    message: Option
    form: str


_TTL = _Mark(
    (IPPROTO_IP, IP_RECVTTL), (IPPROTO_IP, IP_TTL), (IPPROTO_IP, IP_MULTICAST_TTL), (IPPROTO_IP, IP_TTL), "=i"
)
_TOS = _Mark((IPPROTO_IP, IP_RECVTOS), (IPPROTO_IP, IP_TOS), (IPPROTO_IP, IP_TOS), (IPPROTO_IP, IP_TOS), "=B")
_HOPS = _Mark(
    (IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    (IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    (IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
    (IPPROTO_IPV6, IPV6_HOPLIMIT),
    "=i",
)
_TCLASS = _Mark(
    (IPPROTO_IPV6, IPV6_RECVTCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    "=i",
)
# In the order of the kernel.
_MARKS: dict[int, tuple[_Mark, ...]] = {AF_INET: (_TTL, _TOS), AF_INET6: (_HOPS, _TCLASS)}
_LEVELS: dict[int, int] = {AF_INET: IPPROTO_IP, AF_INET6: IPPROTO_IPV6}
# The control messages that sendmsg takes, and the least and the largest value.
_LIMITS: dict[Option, tuple[int, int]] = {
    (IPPROTO_IP, IP_TTL): (1, 255),
    (IPPROTO_IP, IP_TOS): (0, 255),
    (IPPROTO_IPV6, IPV6_HOPLIMIT): (-1, 255),
    (IPPROTO_IPV6, IPV6_TCLASS): (-1, 255),
}
_JOIN = {(IPPROTO_IP, IP_ADD_MEMBERSHIP): AF_INET, (IPPROTO_IPV6, IPV6_JOIN_GROUP): AF_INET6}
_LEAVE = {(IPPROTO_IP, IP_DROP_MEMBERSHIP): AF_INET, (IPPROTO_IPV6, IPV6_LEAVE_GROUP): AF_INET6}

Group = tuple[Place, int]  # and the number of the interface


class Packet(NamedTuple):
    """A datagram, with the address of its sender as the receiver sees it."""

    data: bytes
    sender: Address
    marks: list[tuple[_Mark, int]]


class MemoryDatagram(MemorySocket):
    """A datagram socket, perhaps with a peer."""

    type = SOCK_DGRAM

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.remote: Address = None
        self.groups: set[Group] = set()
        self._own_marks: dict[Option, int] = {}  # options as they were read last
        self.inbox: deque[Packet] = deque()

    @property
    def ready(self) -> int:
        return WRITE | (READ if self.inbox else 0) | (ERROR if self.error else 0)

    # --- the peer ---

    def connect(self, address: Address, /) -> None:
        remote = self.target(address)
        if self.family == AF_UNIX:
            self._named(remote)
        self.bind_for(remote)
        self.remote = remote

    def disconnect(self) -> None:
        """What bind(2) was asked for stays. A port that the system has chosen does not."""
        self.remote = None
        if self.family == AF_UNIX or not self.is_bound:
            return
        ip, port = self.asked[:2]
        if port:
            self.network.move(self, ip)
        else:
            self.network.unbind(self)
            self.local, self.is_bound = normal_address(self.family, (ip, 0)), False

    def getpeername(self) -> Address:
        if self.remote is None:
            raise os_error(errno.ENOTCONN)
        return self.remote

    # --- receiving ---

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Address]:
        packet = self._next(flags)
        return packet.data[:size], packet.sender

    def recvmsg(
        self, size: int, _control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        data, sender, marks = self._next(flags)
        control = [
            (*mark.message, struct.pack(mark.form, value))
            for mark, value in marks
            if self.is_set(*mark.asked)
        ]
        return data[:size], control, MSG_TRUNC if len(data) > size else 0, sender

    def _next(self, flags: int) -> Packet:
        self.report_error()
        if not self.inbox:
            raise os_error(errno.EAGAIN)
        return self.inbox[0] if flags & MSG_PEEK else self.inbox.popleft()

    # --- sending ---

    def sendto(self, data: Buffer, address: Address, /) -> int:
        """To the peer, without an address."""
        return self._send(bytes(data), address, ())

    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = (), _flags: int = 0, address: Address = None, /
    ) -> int:
        return self._send(b"".join(buffers), address, control)

    def _send(self, data: bytes, address: Address, control: Control) -> int:
        self.report_error()
        if len(data) > MAX_DATAGRAM[self.family]:
            raise os_error(errno.EMSGSIZE)
        remote = self.remote if address is None else self.target(address)
        if remote is None:
            raise os_error(errno.ENOTCONN if self.family == AF_UNIX else errno.EDESTADDRREQ)
        if self.family == AF_UNIX:
            self._send_to_name(data, remote)
        else:
            self._send_to_place(data, remote, control)
        return len(data)

    def _send_to_name(self, data: bytes, name: bytes) -> None:
        receiver = self._named(name)
        if receiver.remote is not None and receiver.remote != self.local:
            raise os_error(errno.EPERM)
        if receiver.is_full:
            raise os_error(errno.EAGAIN)
        receiver.arrived(Packet(data, self.local or None, []))

    def _named(self, name: bytes) -> MemoryDatagram:
        """The unix socket of that name."""
        found = self.network.find(self, name)
        if not isinstance(found, MemoryDatagram):
            raise os_error(errno.ECONNREFUSED)
        return found

    def _send_to_place(self, data: bytes, remote: Address, control: Control) -> None:
        place = Place.of(remote[0])
        told = _told(place.family, control)
        if remote[1] == 0:
            raise os_error(errno.EINVAL)
        route = self.network.rules.route(self, remote)
        self.bind_to_port()
        source = Place.of(self.local[0])
        if source.is_any:
            source = Place(place.family, route.source)
        receivers = list(self._receivers(place, remote, route, (source, self.local[1])))
        marks = list(self._marks(place.family, route, told)) if receivers else []
        for receiver in receivers:
            receiver.arrived(Packet(data, _address(receiver, source, self.local[1]), marks))
        if not receivers and route.kind == LOCAL and self.remote is not None:
            self.fail_with(errno.ECONNREFUSED)  # an ICMP message

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
        return covered + 8 if source == (Place.of(self.remote[0]), self.remote[1]) else -1

    def _marks(self, family: int, route: Route, told: dict[Option, int]) -> Iterator[tuple[_Mark, int]]:
        for mark in _MARKS[family]:
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
        if isinstance(value, bytes):
            if (level, option) in _JOIN:
                self.groups.add(self._group(_JOIN[level, option], value))
            elif (level, option) in _LEAVE:
                self.groups.discard(self._group(_LEAVE[level, option], value))
            self.network.note_groups(self, self.groups)

    def _group(self, family: int, request: bytes) -> Group:
        """Of an ip_mreq, ip_mreqn or ipv6_mreq."""
        if family == AF_INET6:
            place, address, number = Place(family, inet_ntop(family, request[:16])), "", request[16:20]
        else:
            place, address = Place(family, inet_ntop(family, request[:4])), inet_ntop(family, request[4:8])
            number = request[8:12]
        return place, self.network.rules.group_interface(place, address, int.from_bytes(number, "little"))

    def _reaches_group(self, place: Place, route: Route) -> bool:
        """Whether a socket of this host is in the group, on the interface to which it is sent."""
        option = IP_MULTICAST_LOOP if place.family == AF_INET else IPV6_MULTICAST_LOOP
        # What leaves by the loopback interface comes back by it.
        loops = route.interface == LOOPBACK or self._own_mark((_LEVELS[place.family], option))
        return bool(loops) and self.network.has_member((place, route.interface))

    # --- the inbox ---

    @property
    def is_full(self) -> bool:
        sizes = [len(packet.data) for packet in self.inbox]
        return self.network.rules.is_full(self, sizes, self.network.capacity)

    def arrived(self, packet: Packet) -> None:
        """One too many is lost."""
        if not self.is_full:
            self.inbox.append(packet)
            self.changed()

    def close(self) -> None:
        super().close()
        self.network.note_groups(self, set())


def _told(family: int, control: Control) -> dict[Option, int]:
    """The control messages of one packet. Those for the other version of IP count for nothing."""
    told = {}
    for level, kind, data in control:
        if level != _LEVELS[family]:
            continue
        limits = _LIMITS.get((level, kind))
        value = int.from_bytes(data[:4], "little", signed=True)
        if limits is None or not limits[0] <= value <= limits[1]:
            raise os_error(errno.EINVAL)
        told[level, kind] = value
    return told


def _address(receiver: MemoryDatagram, source: Place, port: int) -> Address:
    ip = source.seen_by(receiver.family)
    return (ip, port) if receiver.family == AF_INET else (ip, port, 0, 0)
