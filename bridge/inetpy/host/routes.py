"""The kernel's routes (rtnetlink(7)). Nothing is sent, and no socket of the internet is opened."""

from __future__ import annotations

import socket
import struct
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from .errors import os_error

__all__ = ["BROADCAST", "LOCAL", "MULTICAST", "Route", "find_route"]

# Of linux/rtnetlink.h: kinds of routes, a request, attributes.
UNICAST, LOCAL, BROADCAST, MULTICAST = 1, 2, 3, 5
_GETROUTE, _REQUEST, _ERROR = 26, 1, 2
_DESTINATION, _INTERFACE, _SOURCE = 1, 4, 7

_HEAD = struct.Struct("=IHHII")  # nlmsghdr: size, type, flags, sequence, port
_ROUTE = struct.Struct("=8BI")  # rtmsg: family, sizes of the destination and the source, ..., kind, flags
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: size, type
_ANY: dict[int, str] = {AF_INET: "0.0.0.0", AF_INET6: "::"}  # noqa: S104


class Route(NamedTuple):
    """kind: LOCAL and so on. source: the IP address to send from. interface: its number."""

    kind: int
    source: str
    interface: int


def find_route(family: int, ip: str, interface: int = 0) -> Route:
    """The route to an address; by an interface, if one is given. Raises OSError where there is none."""
    if ip in ("127.0.0.1", "::1"):
        return Route(LOCAL, ip, 1)
    address = inet_pton(family, ip)
    body = _ROUTE.pack(family, len(address) * 8, 0, 0, 0, 0, 0, 0, 0) + _attribute(_DESTINATION, address)
    if interface:
        body += _attribute(_INTERFACE, struct.pack("=I", interface))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(_HEAD.pack(_HEAD.size + len(body), _GETROUTE, _REQUEST, 1, 0) + body)
        answer = sock.recv(1 << 16)
    kind = _HEAD.unpack_from(answer)[1]
    if kind == _ERROR:
        number = -struct.unpack_from("=i", answer, _HEAD.size)[0]
        raise os_error(number)
    attributes = _attributes(answer, _HEAD.size + _ROUTE.size)
    source = attributes.get(_SOURCE)
    return Route(
        _kind(family, ip, _ROUTE.unpack_from(answer, _HEAD.size)[7]),
        _ANY[family] if source is None else inet_ntop(family, source),
        int.from_bytes(attributes.get(_INTERFACE, b""), "little"),
    )


def _kind(family: int, ip: str, kind: int) -> int:
    """For IPv6 the kernel has groups among the others."""
    return MULTICAST if family == AF_INET6 and ip.startswith("ff") else kind


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _attributes(message: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at + _ATTRIBUTE.size <= len(message):
        size, kind = _ATTRIBUTE.unpack_from(message, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind] = message[at + _ATTRIBUTE.size : at + size]
        at += size + 3 & ~3
    return found
