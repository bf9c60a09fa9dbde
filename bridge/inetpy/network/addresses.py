"""Addresses of names that exist on this network alone.

A name gets an address of 198.18.0.0/15 and one of 2001:2::/48, the networks that RFC 2544 and RFC 5180 set
aside for benchmarks. Nothing else on a host has them.
"""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["Addresses", "is_ip", "is_own", "normal_host"]

_FIRST_IPV4 = IPv4Address("198.18.0.1")
_LAST_IPV4 = IPv4Address("198.19.255.254")
_FIRST_IPV6 = IPv6Address("2001:2::1")
_OWN_IPV4 = IPv4Network("198.18.0.0/15")
_OWN_IPV6 = IPv6Network("2001:2::/48")
_LOOPBACK = ["127.0.0.1", "::1"]


def is_ip(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_own(address: str) -> bool:
    """Whether it is of these networks."""
    ip = ip_address(address)
    return ip in _OWN_IPV4 if isinstance(ip, IPv4Address) else ip in _OWN_IPV6


def normal_host(host: str) -> str:
    """A host as it is compared: an address as the system writes it, a name in small letters."""
    return str(ip_address(host)) if is_ip(host) else host.rstrip(".").lower()


class Addresses:
    """The addresses of names. A name keeps its addresses as long as the process runs.

    names: [IPv4 address, IPv6 address] of each name in play, for a resolver. `localhost` is not among them.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self._given: dict[str, list[str]] = {"localhost": _LOOPBACK}
        self._owners: dict[str, str] = {}  # the name of each address that was given
        self._numbers = itertools.count()

    def of(self, host: str) -> list[str]:
        """The addresses of a name, in play or not; or the address that `host` is.

        Raises ValueError for an empty name, and OverflowError when all addresses are given.
        """
        host = normal_host(host)
        if not host:
            raise ValueError("a host needs a name")
        if is_ip(host):
            return [host]
        if host not in self._given:
            self._give(host)
        return list(self._given[host])

    def play(self, host: str) -> list[str]:
        """As `of`. A name is in play from now on."""
        addresses = self.of(host)
        name = normal_host(host)
        if name not in addresses and name != "localhost":
            self.names[name] = addresses
        return addresses

    def _give(self, name: str) -> None:
        number = next(self._numbers)
        if _FIRST_IPV4 + number > _LAST_IPV4:
            raise OverflowError("198.18.0.0/15 has no more addresses")
        self._given[name] = [str(_FIRST_IPV4 + number), str(_FIRST_IPV6 + number)]
        self._owners |= dict.fromkeys(self._given[name], name)

    def name_of(self, address: str) -> str | None:
        """The name that has an address of these networks."""
        return self._owners.get(address)
