"""What sockets in memory take from elsewhere: options, addresses, routes, names in the file system, sizes.

FreeRules      nothing is asked: each address is local, options are kept as they were set
SystemRules    the kernel is asked, without a socket that is bound or connected
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from functools import cached_property
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_MULTICAST_IF,
    SO_BROADCAST,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    inet_ntop,
)
from typing import Any, Protocol

from . import memory_interfaces
from .errors import os_error
from .memory_journal import Journal
from .memory_places import ANY, Address, Place, needs_scope
from .routes import BROADCAST, LOCAL, MULTICAST, Route, find_route

__all__ = ["FreeRules", "Room", "Ruled", "Rules", "SystemRules"]

SIOCGIFMTU = 0x8921
_LARGEST: dict[int, int] = {AF_INET: 0xFFFF, AF_INET6: 1 << 32}  # bytes of a packet

Room = tuple[int, int]  # bytes: how many a stream takes, and with how many of them it is writable


class Ruled(Protocol):
    """What rules need of a socket."""

    family: int
    options: dict[tuple[int, int], int | bytes]

    @property
    def type(self) -> int: ...
    @property
    def is_v6only(self) -> bool: ...
    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any: ...
    def is_set(self, level: int, option: int) -> bool: ...


class Rules(Protocol):
    """See the module. All raise OSError as the call would for which they are asked."""

    names_are_sockets: bool  # of unix sockets: a name without a socket is none

    def new_journal(self, family: int, kind: int) -> Journal | None: ...

    def check_bind(self, address: Address) -> None: ...

    def source(self, sock: Ruled, remote: Address) -> str:
        """The IP address from which `sock` would send to `remote`."""

    def is_local(self, place: Place) -> bool:
        """Whether what is sent there may reach a socket. Elsewhere nobody answers."""

    def route(self, sock: Ruled, remote: Address) -> Route:
        """How a datagram goes."""

    def stream_room(self, sender: Ruled, receiver: Ruled, capacity: int) -> Room: ...

    def window(self, receiver: Ruled, capacity: int) -> int:
        """How many bytes of a stream the receiver's system keeps for it."""

    def group_interface(self, group: Place, address: str, number: int) -> int:
        """The interface on which a group is joined: by its number, by its address, or that of the route."""

    def mtu(self, place: Place) -> int:
        """The largest packet on the way to a place, in bytes."""

    def interface_of(self, place: Place) -> int:
        """The number of the interface that has the very address, or 0."""

    def packets_fit(self, sender: Ruled, sizes: list[int], capacity: int, share: int = 1) -> bool:
        """Whether packets of the unix domain leave room for more, or take at most one `share`th of it."""

    def ioctl(self, number: int, argument: bytes) -> bytes:
        """ioctl(2) about interfaces: the argument as the call has changed it."""

    def interface_addresses(self) -> bytes:
        """ioctl(2) with SIOCGIFCONF: a struct ifreq for each address."""

    def is_full(self, sock: Ruled, sizes: list[int], capacity: int) -> bool:
        """Whether a socket takes no datagram besides those of `sizes`."""

    def make_name(self, sock: Ruled, name: bytes) -> object:
        """What a unix socket is found by, which is bound to `name`."""

    def check_name(self, name: bytes) -> None:
        """Raises OSError where no socket could be bound to `name`."""

    def find_name(self, name: bytes) -> object: ...

    def drop_name(self, sock: Ruled) -> None: ...


class FreeRules:
    """Nothing outside of the network is asked."""

    names_are_sockets = True

    def new_journal(self, _family: int, _kind: int) -> None:
        return None

    def check_bind(self, _address: Address) -> None:
        pass

    def source(self, _sock: Ruled, remote: Address) -> str:
        return str(remote[0])

    def is_local(self, _place: Place) -> bool:
        return True

    def route(self, _sock: Ruled, remote: Address) -> Route:
        return Route(LOCAL, remote[0], 1)

    def stream_room(self, _sender: Ruled, _receiver: Ruled, capacity: int) -> Room:
        return capacity, capacity - 1

    def window(self, _receiver: Ruled, capacity: int) -> int:
        return capacity

    def group_interface(self, _group: Place, _address: str, _number: int) -> int:
        return 1

    def mtu(self, place: Place) -> int:
        return min(memory_interfaces.MTU, _LARGEST[place.family])

    def interface_of(self, _place: Place) -> int:
        return 1

    def packets_fit(self, _sender: Ruled, sizes: list[int], capacity: int, share: int = 1) -> bool:
        return sum(sizes) * share < capacity

    def ioctl(self, number: int, argument: bytes) -> bytes:
        return memory_interfaces.answer([memory_interfaces.LOOPBACK], number, argument)

    def interface_addresses(self) -> bytes:
        return memory_interfaces.addresses([memory_interfaces.LOOPBACK])

    def is_full(self, _sock: Ruled, sizes: list[int], capacity: int) -> bool:
        return sum(sizes) >= capacity

    def make_name(self, _sock: Ruled, name: bytes) -> object:
        return name

    def check_name(self, name: bytes) -> None:
        pass

    def find_name(self, name: bytes) -> object:
        return name

    def drop_name(self, _sock: Ruled) -> None:
        pass


class SystemRules:
    """The addresses, routes, limits and files of this host."""

    names_are_sockets = False

    def __init__(self) -> None:
        self._files: dict[Ruled, int] = {}

    def new_journal(self, family: int, kind: int) -> Journal:
        return Journal(family, kind, [])

    # --- addresses ---

    def check_bind(self, address: Address) -> None:
        ip, port = address[:2]
        place = Place.of(ip)
        if place.family == AF_INET6 and needs_scope(ip):
            if not address[3]:
                raise os_error(errno.EINVAL)
            try:
                socket.if_indextoname(address[3])
            except OSError:
                raise os_error(errno.ENODEV) from None
        if not (place.is_any or _is_group(place) or _is_of_no_host(place)) and not self.is_local(place):
            raise os_error(errno.EADDRNOTAVAIL)
        self._check_port(port)

    def _check_port(self, port: int) -> None:
        if 0 < port < self._first_free_port and not self._is_privileged:
            raise os_error(errno.EACCES)

    @cached_property
    def _first_free_port(self) -> int:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())

    @cached_property
    def _is_privileged(self) -> bool:
        """CAP_NET_BIND_SERVICE."""
        lines = Path("/proc/self/status").read_text().splitlines()
        [capabilities] = [int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")]
        return bool(capabilities >> 10 & 1)

    def _route_to(self, place: Place, address: Address) -> Route:
        scope = address[3] if len(address) > 3 else 0
        try:
            return find_route(place.family, place.ip, scope)
        except OSError:
            return Route(0, ANY[place.family], 0)

    def is_local(self, place: Place) -> bool:
        return self._route_to(place, ()).kind == LOCAL

    def source(self, sock: Ruled, remote: Address) -> str:
        return Place(Place.of(remote[0]).family, self.route(sock, remote).source).seen_by(sock.family)

    def route(self, sock: Ruled, remote: Address) -> Route:
        place = Place.of(remote[0])
        if place.family != sock.family and sock.is_v6only:
            raise os_error(errno.ENETUNREACH)
        scope = remote[3] if len(remote) > 3 else 0
        if place.family == AF_INET6 and place.ip.startswith("fe80:") and not scope:
            raise os_error(errno.EINVAL)
        found = self._group_route(sock, place, scope) or find_route(place.family, place.ip, scope)
        if sock.type == SOCK_STREAM and found.kind in (BROADCAST, MULTICAST):
            raise os_error(errno.ENETUNREACH)
        if found.kind == BROADCAST and not sock.is_set(SOL_SOCKET, SO_BROADCAST):
            raise os_error(errno.EACCES)
        return found

    def _group_route(self, sock: Ruled, place: Place, scope: int) -> Route | None:
        """The way to a group by the interface that was set for groups; None if there is none."""
        if sock.type != SOCK_DGRAM or not _is_group(place):
            return None
        if place.family == AF_INET:
            source = inet_ntop(AF_INET, sock.getsockopt(IPPROTO_IP, IP_MULTICAST_IF, 4))
            return (
                None
                if source == ANY[AF_INET]
                else Route(MULTICAST, source, self.interface_of(Place(AF_INET, source)))
            )
        number = scope or sock.getsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF)
        return find_route(AF_INET6, place.ip, number)

    def group_interface(self, group: Place, address: str, number: int) -> int:
        if number:
            return number
        if group.family == AF_INET and address != ANY[AF_INET]:
            return self.interface_of(Place(AF_INET, address))
        return self._route_to(group, ()).interface

    def mtu(self, place: Place) -> int:
        name = socket.if_indextoname(self._route_to(place, ()).interface).encode()
        answer = self.ioctl(SIOCGIFMTU, name.ljust(40, b"\0"))
        return min(int.from_bytes(answer[16:20], "little"), _LARGEST[place.family])

    def interface_of(self, place: Place) -> int:
        from .interfaces import interfaces  # needs ctypes, which takes milliseconds to load

        for interface in interfaces():
            if any(known.address == place.ip for known in interface.addresses):
                return socket.if_nametoindex(os.fsdecode(interface.name))
        return 0

    def ioctl(self, number: int, argument: bytes) -> bytes:
        from .raw import SystemCalls  # needs ctypes

        with socket.socket(AF_INET, SOCK_DGRAM) as sock:
            return SystemCalls().ioctl(sock, number, argument)

    def interface_addresses(self) -> bytes:
        from .raw import SystemCalls

        with socket.socket(AF_INET, SOCK_DGRAM) as sock:
            return SystemCalls().interface_addresses(sock)

    # --- sizes ---

    def stream_room(self, sender: Ruled, receiver: Ruled, capacity: int) -> Room:
        """As much as the kernel takes for both ends: see tcp(7), tcp_wmem, and sk_stream_is_writeable()."""
        sent = sender.getsockopt(SOL_SOCKET, SO_SNDBUF)
        if sender.family == AF_UNIX:
            return sent, sent // 4
        if (SOL_SOCKET, SO_SNDBUF) not in sender.options:
            sent = self._largest_send_buffer
        window = self.window(receiver, capacity)
        return sent + window, sent * 2 // 3 + window

    def window(self, receiver: Ruled, _capacity: int) -> int:
        size: int = receiver.getsockopt(SOL_SOCKET, SO_RCVBUF)
        return size // 2

    def is_full(self, sock: Ruled, sizes: list[int], _capacity: int) -> bool:
        """Of a unix socket the number of datagrams counts. Else what they cost, with their heads."""
        if sock.family == AF_UNIX:
            return len(sizes) > self._longest_queue
        limit: int = sock.getsockopt(SOL_SOCKET, SO_RCVBUF)
        return sum(map(_cost, sizes)) > limit

    def packets_fit(self, sender: Ruled, sizes: list[int], _capacity: int, share: int = 1) -> bool:
        room: int = sender.getsockopt(SOL_SOCKET, SO_SNDBUF)
        taken = sum(map(_cost, sizes)) * share
        return taken < room if share == 1 else taken <= room

    @cached_property
    def _longest_queue(self) -> int:
        return int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())

    @cached_property
    def _largest_send_buffer(self) -> int:
        return int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])

    # --- names of unix sockets: files, as those that the kernel makes ---

    def make_name(self, sock: Ruled, name: bytes) -> object:
        try:
            os.mknod(name, stat.S_IFSOCK | 0o777)
        except FileExistsError:
            raise os_error(errno.EADDRINUSE) from None
        # As long as it is open, its number goes to no other file.
        self._files[sock] = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        return _identity(os.fstat(self._files[sock]))

    def check_name(self, name: bytes) -> None:
        if os.path.lexists(name):
            raise os_error(errno.EADDRINUSE)
        os.stat(os.path.dirname(name) or b".")

    def find_name(self, name: bytes) -> object:
        if not name:
            raise os_error(errno.EINVAL)
        found = os.stat(name)
        if not stat.S_ISSOCK(found.st_mode):
            raise os_error(errno.ECONNREFUSED)
        if not os.access(name, os.W_OK):
            raise os_error(errno.EACCES)
        return _identity(found)

    def drop_name(self, sock: Ruled) -> None:
        descriptor = self._files.pop(sock, None)
        if descriptor is not None:
            os.close(descriptor)


def _is_group(place: Place) -> bool:
    if place.family == AF_INET6:
        return place.ip.startswith("ff")
    return 224 <= int(place.ip.partition(".")[0]) < 240


def _is_of_no_host(place: Place) -> bool:
    """An address of IPv4 that the kernel takes for broadcast, whatever the routes: inet_addr_type()."""
    return place.ip.startswith("0.") or place.ip == "255.255.255.255"


def _identity(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino


def _cost(size: int) -> int:
    """What a datagram takes of a buffer: skb->truesize."""
    head = 320 + size
    return 256 + (1 << (head - 1).bit_length() if head <= 1 << 15 else head + 4095 & ~4095)
