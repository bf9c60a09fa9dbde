"""Names of hosts and services, through the system's resolver.

Everything here can block for seconds, so it runs in threads (`Session.op_inet`), never
in the loop. Answers and errors are those of `inet_gethost_native`, which asks the same
C library. Errors are raised as `ResolverError` with a posix atom.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from . import ip_text
from .errors import posix_name

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


def host_by_name(name: str, family: str) -> Hostent:
    """gethostbyname(3) for IPv4, getaddrinfo(3) for IPv6. Our own name is always known."""
    if family not in FAMILIES:
        raise ResolverError("einval")
    try:
        return _BY_FAMILY[family](name)
    except (OSError, UnicodeError, ValueError):
        if name.lower() != hostname().lower():
            raise _unknown() from None
    return Hostent(hostname(), [], family, ["127.0.0.1" if family == "inet" else "::1"])


def _by_name4(name: str) -> Hostent:
    if not name:
        raise ValueError("an empty name")
    canonical, aliases, found = socket.gethostbyname_ex(name)
    return Hostent(canonical, aliases, "inet", found)


def _by_name6(name: str) -> Hostent:
    if not name:
        raise ValueError("an empty name")
    found = socket.getaddrinfo(
        name, None, socket.AF_INET6, socket.SOCK_STREAM, flags=socket.AI_CANONNAME | socket.AI_ADDRCONFIG
    )
    # only the first entry has the canonical name
    return Hostent(found[0][3] or name, [], "inet6", [str(entry[4][0]).partition("%")[0] for entry in found])


_BY_FAMILY: dict[str, Callable[[str], Hostent]] = {"inet": _by_name4, "inet6": _by_name6}


def host_by_address(address: tuple[int, ...]) -> Hostent:
    """gethostbyaddr(3). The loopback addresses are always known."""
    family = "inet" if len(address) == 4 else "inet6"
    text = ip_text.format_address(address)
    try:
        canonical, aliases, found = socket.gethostbyaddr(text)
    except (OSError, UnicodeError):
        if text not in ("127.0.0.1", "::1"):
            raise _unknown() from None
        canonical, aliases, found = hostname(), [], [text]
    return Hostent(canonical, aliases, family, found)


def all_addresses(name: str) -> list[tuple[int, str]]:
    """(family, address) of all families, in the system's order of preference (RFC 6724)."""
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _unknown() from None
    return [(entry[0], str(entry[4][0])) for entry in found if entry[0] in FAMILIES.values()]


def _unknown() -> ResolverError:
    """nxdomain; or why the resolver could ask nobody: without descriptors it knows no name."""
    return ResolverError(_no_socket() or "nxdomain")


def _no_socket() -> str | None:
    """Why no socket can be opened, or None."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return posix_name(error)
    return None


def getservbyname(name: str, protocol: str) -> int:
    try:
        return socket.getservbyname(name, protocol)
    except (OSError, UnicodeError):
        raise ResolverError(_no_socket() or "einval") from None


def getservbyport(port: int, protocol: str) -> str:
    try:
        return socket.getservbyport(port, protocol)
    except (OSError, OverflowError, UnicodeError):
        raise ResolverError(_no_socket() or "einval") from None


def hostname() -> str:
    """Our own, without the domain."""
    return socket.gethostname().partition(".")[0]
