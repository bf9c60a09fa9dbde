"""Control messages of IP: what comes with a datagram, and what is told with one. See ip(7) and ipv6(7)."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping
from socket import (
    AF_INET,
    AF_INET6,
    IP_MULTICAST_TTL,
    IP_RECVTOS,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_DONTFRAG,
    IPV6_HOPLIMIT,
    IPV6_MULTICAST_HOPS,
    IPV6_PKTINFO,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVPKTINFO,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_MARK,
    SO_PRIORITY,
    SOL_SOCKET,
    if_indextoname,
    inet_ntop,
    inet_pton,
)
from typing import NamedTuple, Protocol

from .errors import os_error
from .memory_control import Control, Message
from .memory_places import Place
from .routes import LOCAL, Route

__all__ = ["LEVELS", "Mark", "MARKS", "Option", "Origin", "Refusal", "Told", "messages", "parse"]

# Of linux/in.h and linux/in6.h; Python has no names for them.
IP_RECVTTL, IP_PKTINFO, IP_RECVERR, IP_RETOPTS, IP_RECVORIGDSTADDR = 12, 8, 11, 7, 20
IPV6_FLOWINFO, IPV6_RECVERR, IPV6_RECVORIGDSTADDR = 11, 25, 74

Option = tuple[int, int]


class Mark(NamedTuple):
    """What a packet says besides its bytes, and how a receiver asks for it.

    option: of the sender; group_option: where that is another one for groups.
    form: of the control message.
    """

    asked: Option
    option: Option
    group_option: Option
    message: Option
    form: str


_TTL = Mark(
    (IPPROTO_IP, IP_RECVTTL), (IPPROTO_IP, IP_TTL), (IPPROTO_IP, IP_MULTICAST_TTL), (IPPROTO_IP, IP_TTL), "=i"
)
_TOS = Mark((IPPROTO_IP, IP_RECVTOS), (IPPROTO_IP, IP_TOS), (IPPROTO_IP, IP_TOS), (IPPROTO_IP, IP_TOS), "=B")
_HOPS = Mark(
    (IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    (IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    (IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
    (IPPROTO_IPV6, IPV6_HOPLIMIT),
    "=i",
)
_TCLASS = Mark(
    (IPPROTO_IPV6, IPV6_RECVTCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    (IPPROTO_IPV6, IPV6_TCLASS),
    "=i",
)
# In the order of the kernel.
MARKS: dict[int, tuple[Mark, ...]] = {AF_INET: (_TTL, _TOS), AF_INET6: (_HOPS, _TCLASS)}
_LEVELS: dict[int, int] = {AF_INET: IPPROTO_IP, AF_INET6: IPPROTO_IPV6}
LEVELS: dict[int, int] = {AF_INET: IPPROTO_IP, AF_INET6: IPPROTO_IPV6}


class Origin(NamedTuple):
    """How a datagram has come: whence, to which address, and on which way."""

    source: Place
    target: Place
    port: int
    route: Route


class Told(NamedTuple):
    """What the control messages of one packet say.

    source: the address to send from, or None.
    """

    values: dict[Option, int]
    source: Place | None = None


# --- sending ----------------------------------------------------------------------------

# The control messages that are numbers: the least and the largest, and the sizes in bytes that they may have.
_NUMBERS: Mapping[Option, tuple[int, int, tuple[int, ...]]] = {
    (IPPROTO_IP, IP_TTL): (1, 255, (4,)),
    (IPPROTO_IP, IP_TOS): (0, 255, (1, 4)),
    (IPPROTO_IPV6, IPV6_HOPLIMIT): (-1, 255, (4,)),
    (IPPROTO_IPV6, IPV6_TCLASS): (-1, 255, (4,)),
    (IPPROTO_IPV6, IPV6_DONTFRAG): (0, 1, (4,)),
}
# Those of the socket that change nothing in memory, and their sizes; None: any.
_OF_SOCKET: Mapping[int, int | None] = {SCM_RIGHTS: None, SCM_CREDENTIALS: None, SO_PRIORITY: 4, SO_MARK: 4}


def parse(family: int, control: Control, is_local: Locals) -> Told:
    """The control messages of one packet. Those for the other version of IP count for nothing.

    Raises OSError.
    """
    told = Told({})
    for level, kind, value in control:
        data = bytes(value)
        if level == SOL_SOCKET:
            _check_of_socket(kind, data)
        elif level == IPPROTO_UDP:
            raise os_error(errno.EINVAL)
        elif level == LEVELS[family]:
            told = _parse_one(told, (level, kind), data, is_local)
    return told


def _check_of_socket(kind: int, data: bytes) -> None:
    if kind not in _OF_SOCKET or _OF_SOCKET[kind] not in (None, len(data)):
        raise os_error(errno.EINVAL)
    if kind == SO_MARK and os.geteuid():
        raise os_error(errno.EPERM)


class Locals(Protocol):
    """Whether an address is one of this host."""

    def __call__(self, place: Place) -> bool: ...


def _parse_one(told: Told, option: Option, data: bytes, is_local: Locals) -> Told:
    if option == (IPPROTO_IP, IP_PKTINFO):
        if len(data) != 12:
            raise os_error(errno.EINVAL)
        return told._replace(source=_source(AF_INET, data[:4], data[4:8], is_local))
    if option == (IPPROTO_IPV6, IPV6_PKTINFO):
        if len(data) < 20:
            raise os_error(errno.EINVAL)
        return told._replace(source=_source(AF_INET6, data[16:20], data[:16], is_local))
    if option == (IPPROTO_IP, IP_RETOPTS) and not data:
        return told
    if option == (IPPROTO_IPV6, IPV6_FLOWINFO) and len(data) >= 4:
        return told
    least, most, sizes = _NUMBERS.get(option, (1, 0, ()))
    number = int.from_bytes(data, "little", signed=len(data) == 4)
    if len(data) not in sizes or not least <= number <= most:
        raise os_error(errno.EINVAL)
    told.values[option] = number
    return told


def _source(family: int, interface: bytes, address: bytes, is_local: Locals) -> Place | None:
    number = int.from_bytes(interface, "little")
    if number:
        try:
            if_indextoname(number)
        except (OSError, OverflowError):
            raise os_error(errno.ENODEV) from None
    place = Place(family, inet_ntop(family, address))
    if place.is_any:
        return None
    if not is_local(place):
        raise os_error(errno.ENETUNREACH if family == AF_INET else errno.EINVAL)
    return place


# --- receiving --------------------------------------------------------------------------


class Receiver(Protocol):
    """What is asked of a socket that receives."""

    family: int

    def is_set(self, level: int, option: int) -> bool: ...
    def interface_at(self, place: Place, route: Route) -> int: ...


def messages(sock: Receiver, origin: Origin, marks: list[tuple[Mark, int]]) -> list[Message]:
    """What `sock` wants to know of a datagram, in the order of the kernel."""
    family = origin.target.family
    found: list[Message] = []
    if sock.is_set(IPPROTO_IPV6, IPV6_RECVPKTINFO) and sock.family == AF_INET6:
        address = inet_pton(AF_INET6, origin.target.seen_by(AF_INET6))
        number = sock.interface_at(origin.target, origin.route)
        found.append((IPPROTO_IPV6, IPV6_PKTINFO, address + struct.pack("=i", number)))
    if family == AF_INET and sock.is_set(IPPROTO_IP, IP_PKTINFO):
        found.append((IPPROTO_IP, IP_PKTINFO, _pktinfo(sock, origin)))
    found += [
        (*mark.message, struct.pack(mark.form, value)) for mark, value in marks if sock.is_set(*mark.asked)
    ]
    if family == AF_INET and sock.is_set(IPPROTO_IP, IP_RECVORIGDSTADDR):
        found.append((IPPROTO_IP, IP_RECVORIGDSTADDR, _sockaddr(AF_INET, origin.target, origin.port)))
    if family == AF_INET6 and sock.is_set(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR):
        found.append((IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, _sockaddr(AF_INET6, origin.target, origin.port)))
    return found


def _pktinfo(sock: Receiver, origin: Origin) -> bytes:
    number = sock.interface_at(origin.target, origin.route)
    own = origin.target if origin.route.kind == LOCAL else origin.source
    return struct.pack("=i", number) + inet_pton(AF_INET, own.ip) + inet_pton(AF_INET, origin.target.ip)


def _sockaddr(family: int, place: Place, port: int) -> bytes:
    address = inet_pton(family, place.seen_by(family))
    if family == AF_INET:
        return struct.pack("=H", AF_INET) + port.to_bytes(2, "big") + address + bytes(8)
    return struct.pack("=H", AF_INET6) + port.to_bytes(2, "big") + bytes(4) + address + bytes(4)


class Refusal(NamedTuple):
    """An entry of the error queue: a datagram that has found no socket, and the ICMP message about it."""

    data: bytes
    address: object
    place: Place

    def message(self, family: int) -> Message:
        """IP_RECVERR: the error, and who has sent the ICMP message."""
        origin = (2, 3, 3) if self.place.family == AF_INET else (3, 1, 4)  # port unreachable
        error = struct.pack("=IBBBBII", errno.ECONNREFUSED, *origin, 0, 0, 0)
        kind = IP_RECVERR if family == AF_INET else IPV6_RECVERR
        return LEVELS[family], kind, error + _sockaddr(family, self.place, 0)
