"""Multicast groups of sockets in memory."""

from __future__ import annotations

from socket import (
    AF_INET,
    AF_INET6,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    inet_ntop,
)

from .memory_base import MemoryAddresses, MemorySocket
from .memory_places import Place

__all__ = ["Member"]

_JOIN = {(IPPROTO_IP, IP_ADD_MEMBERSHIP): AF_INET, (IPPROTO_IPV6, IPV6_JOIN_GROUP): AF_INET6}
_LEAVE = {(IPPROTO_IP, IP_DROP_MEMBERSHIP): AF_INET, (IPPROTO_IPV6, IPV6_LEAVE_GROUP): AF_INET6}

Group = tuple[Place, int]  # and the number of the interface


class Member(MemorySocket):
    """A socket that may be in groups."""

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.groups: set[Group] = set()

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        super().setsockopt(level, option, value)
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

    def close(self) -> None:
        super().close()
        self.network.note_groups(self, set())
