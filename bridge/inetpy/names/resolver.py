"""Names of hosts and services, through the resolver of the host.

All functions but `hostname` can block for seconds, so they run in threads (`operations.lookups`), never
in the loop. Answers and errors are those of `inet_gethost_native`, which asks the same
C library. Errors are raised as `ResolverError` with a posix atom.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ..host.api import Host
from ..host.errors import posix_name
from . import ip_text

__all__ = [
    "Hostent",
    "ResolverError",
    "all_addresses",
    "getservbyname",
    "getservbyport",
    "host_by_address",
    "host_by_name",
    "hostname",
]

FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class ResolverError(Exception):
    """`name` is the posix atom: nxdomain, einval and their like."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Hostent:
    """What is known of a host: addresses are text."""

    __slots__ = ("addresses", "aliases", "family", "name")

    def __init__(self, name: str, aliases: list[str], family: str, addresses: list[str]) -> None:
        self.name = name
        self.aliases = aliases
        self.family = family
        self.addresses = addresses


def host_by_name(host: Host, name: str, family: str) -> Hostent:
    """gethostbyname(3) for IPv4, getaddrinfo(3) for IPv6. Our own name is always known."""
    if family not in FAMILIES:
        raise ResolverError("einval")
    try:
        if not name:
            raise ValueError("an empty name")
        return _BY_FAMILY[family](host, name)
    except (OSError, UnicodeError, ValueError):
        own = hostname(host)
        if name.lower() != own.lower():
            raise _unknown(host) from None
    return Hostent(own, [], family, ["127.0.0.1" if family == "inet" else "::1"])


def _by_name4(host: Host, name: str) -> Hostent:
    canonical, aliases, found = host.resolver.gethostbyname_ex(name)
    return Hostent(canonical, aliases, "inet", found)


def _by_name6(host: Host, name: str) -> Hostent:
    found = host.resolver.getaddrinfo(
        name, None, socket.AF_INET6, socket.SOCK_STREAM, flags=socket.AI_CANONNAME | socket.AI_ADDRCONFIG
    )
    # only the first entry has the canonical name
    return Hostent(found[0][3] or name, [], "inet6", [str(entry[4][0]).partition("%")[0] for entry in found])


_BY_FAMILY: dict[str, Callable[[Host, str], Hostent]] = {"inet": _by_name4, "inet6": _by_name6}


def host_by_address(host: Host, address: tuple[int, ...]) -> Hostent:
    """gethostbyaddr(3). The loopback addresses are always known."""
    family = "inet" if len(address) == 4 else "inet6"
    text = ip_text.format_address(address)
    try:
        canonical, aliases, found = host.resolver.gethostbyaddr(text)
    except (OSError, UnicodeError):
        if text not in ("127.0.0.1", "::1"):
            raise _unknown(host) from None
        canonical, aliases, found = hostname(host), [], [text]
    return Hostent(canonical, aliases, family, found)


def all_addresses(host: Host, name: str) -> list[tuple[int, str]]:
    """(family, address) of all families, in the system's order of preference (RFC 6724)."""
    try:
        found = host.resolver.getaddrinfo(name, None, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _unknown(host) from None
    return [(entry[0], str(entry[4][0])) for entry in found if entry[0] in FAMILIES.values()]


def _unknown(host: Host, name: str = "nxdomain") -> ResolverError:
    """`name`; or why the resolver could ask nobody: without a free descriptor it knows no name."""
    try:
        host.open_socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return ResolverError(posix_name(error))
    return ResolverError(name)


def getservbyname(host: Host, name: str, protocol: str) -> int:
    try:
        return host.resolver.getservbyname(name, protocol)
    except (OSError, UnicodeError):
        raise _unknown(host, "einval") from None


def getservbyport(host: Host, port: int, protocol: str) -> str:
    try:
        return host.resolver.getservbyport(port, protocol)
    except (OSError, OverflowError, UnicodeError):
        raise _unknown(host, "einval") from None


def hostname(host: Host) -> str:
    """Our own, without the domain."""
    return host.resolver.gethostname().partition(".")[0]
