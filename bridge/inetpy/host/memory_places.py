"""Addresses of sockets in memory."""

from __future__ import annotations

import os
from functools import lru_cache
from socket import AF_INET, AF_INET6, AF_UNIX, inet_ntop, inet_pton
from typing import Any, NamedTuple, TypeAlias

__all__ = ["ANY", "Address", "Place", "Source", "needs_scope", "normal_address"]

Address: TypeAlias = Any  # as in the `socket` module; of unix sockets bytes

ANY: dict[int, str] = {AF_INET: "0.0.0.0", AF_INET6: "::"}  # noqa: S104
_MAPPED = "::ffff:"


class Place(NamedTuple):
    """An IP address by the version of IP that is spoken there. `::ffff:127.0.0.1` is a place of IPv4."""

    family: int
    ip: str

    @classmethod
    def of(cls, ip: str) -> Place:
        return _place(ip)

    def seen_by(self, family: int) -> str:
        """The address as a socket of a family has it: of IPv4 an IPv6 socket has the mapped form."""
        return self.ip if self.family == family else _MAPPED + self.ip

    @property
    def is_any(self) -> bool:
        return self.ip == ANY[self.family]


@lru_cache(maxsize=1024)
def _place(ip: str) -> Place:
    if ":" not in ip:
        return Place(AF_INET, ip)
    if ip.startswith(_MAPPED) and "." in ip:
        return Place(AF_INET, ip.removeprefix(_MAPPED))
    return Place(AF_INET6, ip)


Source: TypeAlias = tuple[Place, int]  # and a port


def normal_address(family: int, address: Address) -> Address:
    """An address as the system writes it. The scope counts where it is needed alone."""
    if family == AF_UNIX:
        name = os.fsencode(address)
        return name if name.startswith(b"\0") else name.partition(b"\0")[0]
    ip = inet_ntop(family, inet_pton(family, address[0]))
    if family == AF_INET:
        return (ip, address[1])
    scope = address[3] if len(address) > 3 and needs_scope(ip) else 0
    return (ip, address[1], 0, scope)


def needs_scope(ip: str) -> bool:
    """Whether an address of IPv6 is one on each link: link-local, or a group of the link."""
    return ip.startswith(("fe80:", "ff01:", "ff02:"))
