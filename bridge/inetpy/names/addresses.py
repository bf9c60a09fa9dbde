"""Addresses: Erlang's ip tuples and sockaddr maps to and from Python's addresses.

    {127,0,0,1} or any or loopback, with a port     ("127.0.0.1", port)
    {0,0,0,0,0,0,0,1}, with a port                  ("::1", port, 0, 0)
    #{family, addr, port [, flowinfo, scope_id]}    the same, with all four fields
    {local, Path}, a binary or a string             the path in bytes; abstract with a NUL first

`parse_x` takes a term and raises ValueError for a bad one. `build_x` returns a term.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from ..codec.terms import Atom, Charlist

__all__ = [
    "FAMILIES",
    "FAMILY_NAMES",
    "Sender",
    "Sockaddr",
    "build_address",
    "build_ip",
    "is_ip",
    "pack_address",
    "parse_address",
    "parse_destination",
    "parse_local",
    "parse_sockaddr",
]

Sockaddr: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | bytes | str
Sender: TypeAlias = Sockaddr | None  # None: a unix socket that has no path

FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "local": socket.AF_UNIX}

FAMILY_NAMES: dict[int, str] = {number: name for name, number in FAMILIES.items()}

# family -> (fields of an ip tuple, largest field, any, loopback)
_SHAPES: dict[int, tuple[int, int, str, str]] = {
    socket.AF_INET: (4, 0xFF, "0.0.0.0", "127.0.0.1"),  # noqa: S104
    socket.AF_INET6: (8, 0xFFFF, "::", "::1"),
}

_ADDR = Atom("addr")
_PORT = Atom("port")
_FAMILY = Atom("family")
_FLOWINFO = Atom("flowinfo")
_SCOPE_ID = Atom("scope_id")
_LOCAL = Atom("local")

# the numbers of families in inet_drv
_DRIVER_FAMILIES = {socket.AF_INET: 1, socket.AF_INET6: 2}
_DRIVER_UNSPEC, _DRIVER_LOCAL = 0, 5

MAX_PATH = 107  # sun_path of sockaddr_un has 108 bytes; the last is a NUL


def is_ip(term: object, family: int) -> bool:
    """True for an ip tuple of `family` with all fields in range."""
    count, largest, _, _ = _SHAPES[family]
    return (
        type(term) is tuple
        and len(term) == count
        and all(type(field) is int and 0 <= field <= largest for field in term)
    )


def parse_address(term: object, port: object, family: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """The socket address of an ip tuple (or `any`, `loopback`) and a port."""
    _, _, unspecified, loopback = _SHAPES[family]
    if not _is_port(port):
        raise ValueError("bad port")
    if isinstance(term, Atom) and term.name in ("any", "loopback"):
        host = unspecified if term.name == "any" else loopback
    elif is_ip(term, family):
        host = _host(term, family)  # type: ignore[arg-type]
    else:
        raise ValueError("bad address")
    return (host, port) if family == socket.AF_INET else (host, port, 0, 0)  # type: ignore[return-value]


def _is_port(term: object) -> bool:
    return type(term) is int and 0 <= term <= 0xFFFF


def parse_sockaddr(term: Mapping[object, object], family: int, other: int = errno.EINVAL) -> Sockaddr:
    """The socket address of a sockaddr map, for a socket of `family`.

    Raises OSError: EINVAL for a bad port, `other` for an address of another family.
    """
    if not _is_port(term.get(_PORT)):
        raise OSError(errno.EINVAL, "bad port in a sockaddr")
    name = term.get(_FAMILY)
    if not isinstance(name, Atom) or name.name not in ("inet", "inet6"):
        raise ValueError("bad family")
    if FAMILIES[name.name] != family:
        raise OSError(other, "an address of another family")
    plain = parse_address(term.get(_ADDR), term.get(_PORT), family)
    if family == socket.AF_INET:
        return plain
    flowinfo, scope_id = term.get(_FLOWINFO, 0), term.get(_SCOPE_ID, 0)
    if not (type(flowinfo) is int and type(scope_id) is int):
        raise ValueError("bad flowinfo or scope_id")
    return (plain[0], plain[1], flowinfo, scope_id)


def parse_local(term: object) -> bytes:
    """The path of `{local, Path}`. Raises OSError (EINVAL) for one that is too long or no text."""
    if not (isinstance(term, tuple) and len(term) == 2 and term[0] == _LOCAL):
        raise ValueError("bad address")
    path = term[1]
    if isinstance(path, (Charlist, list)):
        path = "".join(map(chr, path)).encode()
    if type(path) is not bytes or len(path) > MAX_PATH:
        raise OSError(errno.EINVAL, "bad path")
    return path


def parse_destination(term: object, family: int) -> Sockaddr:
    """The destination of a datagram.

    It is `{Ip, Port}`, `{local, Path}`, a sockaddr map, or `{Family, {Ip or loopback, Port}}`, as
    in the clauses of inet_udp:send. Raises OSError for a bad path.
    """
    if isinstance(term, Mapping):
        if not is_ip(term.get(_ADDR), family) or not _is_port(term.get(_PORT)):
            raise ValueError("bad destination")
        return parse_sockaddr(term, family)
    try:
        return _parse_pair(term, family)
    except TypeError:  # not hashable, or not a pair
        raise ValueError("bad destination") from None


@lru_cache(maxsize=1024)
def _parse_pair(term: Any, family: int) -> Sockaddr:
    if family == socket.AF_UNIX:
        return parse_local(term)
    address, port = term
    if isinstance(address, Atom):
        if FAMILIES.get(address.name) != family or port[0] == Atom("any"):
            raise ValueError("bad destination")
        address, port = port
    return parse_address(address, port, family)


def pack_address(address: Sender) -> bytes:
    """An address in the format of inet_drv, which precedes a datagram: family, port, address."""
    if not address:
        return bytes((_DRIVER_UNSPEC,))
    if isinstance(address, (str, bytes)):
        path = os.fsencode(address)
        return bytes((_DRIVER_LOCAL, len(path))) + path
    host = address[0].partition("%")[0]
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    return struct.pack(">BH", _DRIVER_FAMILIES[family], address[1]) + socket.inet_pton(family, host)


def build_address(address: Sockaddr) -> tuple[object, object]:
    """`{Ip, Port}` or `{local, Path}`."""
    if isinstance(address, (str, bytes)):
        return _LOCAL, os.fsencode(address)
    host = address[0].partition("%")[0]
    if len(address) == 2:
        return tuple(socket.inet_pton(socket.AF_INET, host)), address[1]
    raw = socket.inet_pton(socket.AF_INET6, host)
    fields = tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, 16, 2))
    return fields, address[1]


def build_ip(text: str) -> object:
    """The tuple of an IP address."""
    address: Sockaddr = (text, 0, 0, 0) if ":" in text else (text, 0)
    return build_address(address)[0]


def _host(fields: tuple[int, ...], family: int) -> str:
    if family == socket.AF_INET:
        return ".".join(map(str, fields))
    return ":".join(f"{field:x}" for field in fields)
