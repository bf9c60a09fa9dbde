"""Addresses of the module `socket`: maps to and from addresses of Python.

    #{family => inet, addr => {127,0,0,1}, port => 80}      AF_INET, ("127.0.0.1", 80)
    #{family => local, path => <<"/tmp/x">>}                AF_UNIX, b"/tmp/x"
    #{family => unspec, addr => <<...>>}                    AF_UNSPEC, the bytes behind the family

`parse_sockaddr` raises `BadTerm` with the reason that OTP gives for an address that is none.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..codec.terms import Atom
from .addresses import is_ip

__all__ = ["Address", "BadTerm", "build_sockaddr", "hardware_name", "is_encodable", "parse_sockaddr"]


class BadTerm(Exception):  # noqa: N818
    """An argument that OTP refuses. `term` is in the answer `{error, {invalid, term}}`.

    fails: the call fails with `{invalid, term}` in place of answering it, as an error or as a throw.
    """

    def __init__(self, term: object, fails: bool | str = False) -> None:
        super().__init__(term)
        self.term = term
        self.fails = fails


class Address(NamedTuple):
    """An address of a family: as Python takes it, or, where `raw`, the bytes behind the family."""

    family: int
    value: Any
    raw: bool = False


_FAMILY, _ADDR, _PORT, _PATH = Atom("family"), Atom("addr"), Atom("port"), Atom("path")
_FLOWINFO, _SCOPE_ID, _SOCKADDR, _KEYS = Atom("flowinfo"), Atom("scope_id"), Atom("sockaddr"), Atom("keys")
_INET, _INET6, _LOCAL, _UNSPEC = Atom("inet"), Atom("inet6"), Atom("local"), Atom("unspec")

# What a map of each family may have.
_FIELDS: dict[Atom, frozenset[Atom]] = {
    _INET: frozenset((_FAMILY, _PORT, _ADDR)),
    _INET6: frozenset((_FAMILY, _PORT, _ADDR, _FLOWINFO, _SCOPE_ID)),
    _LOCAL: frozenset((_FAMILY, _PATH)),
    _UNSPEC: frozenset((_FAMILY, _ADDR)),
}
_NATIVE = frozenset((_FAMILY, _ADDR))

_WORDS = {
    (_INET, "any"): "0.0.0.0",  # noqa: S104
    (_INET, "loopback"): "127.0.0.1",
    (_INET, "broadcast"): "255.255.255.255",
    (_INET6, "any"): "::",
    (_INET6, "loopback"): "::1",
}
MAX_PATH = 255  # what OTP looks at; the system takes less
MAX_SOCKADDR = 128  # bytes of sockaddr_storage
SUN_PATH = 108  # bytes of a path in sockaddr_un


def is_encodable(term: Any) -> None:
    """Raises BadTerm for what `socket` refuses before it asks the system: see parse_sockaddr for the rest."""
    if not isinstance(term, Mapping):
        raise BadTerm((_SOCKADDR, term), fails=True)
    if _FAMILY not in term:
        raise BadTerm((_SOCKADDR, _FAMILY, term))
    family = term[_FAMILY]
    if family == _LOCAL:
        path = term.get(_PATH)
        if not isinstance(path, (bytes, memoryview)) or len(path) > MAX_PATH:
            raise BadTerm((_SOCKADDR, _PATH, term))
    fields = _NATIVE if type(family) is int else _FIELDS.get(family) if isinstance(family, Atom) else None
    if fields is not None:
        others = [key for key in term if key not in fields]
        if others:
            raise BadTerm((_SOCKADDR, (_KEYS, others[::-1]), term))


def parse_sockaddr(term: Any) -> Address:
    """The address of a map. Raises BadTerm."""
    is_encodable(term)
    family = term[_FAMILY]
    try:
        if family == _INET:
            return Address(socket.AF_INET, (_host(_INET, term.get(_ADDR, Atom("any"))), _port(term)))
        if family == _INET6:
            host = _host(_INET6, term.get(_ADDR, Atom("any")))
            more = _unsigned(term.get(_FLOWINFO, 0)), _unsigned(term.get(_SCOPE_ID, 0))
            # Python refuses a larger flowinfo
            return Address(socket.AF_INET6, (host, _port(term), *more), raw=more[0] > 0xFFFFF)
        if family == _LOCAL:
            return Address(socket.AF_UNIX, _path(bytes(term[_PATH])))
        if family == _UNSPEC or type(family) is int:
            data = bytes(_bytes(term.get(_ADDR, b"")))
            if len(data) > MAX_SOCKADDR - 2:
                raise ValueError(family)
            return Address(0 if family == _UNSPEC else _number(family), data, raw=True)
    except (ValueError, TypeError, OverflowError):
        pass
    raise BadTerm((_SOCKADDR, term))


def _host(family: Atom, addr: Any) -> str:
    if isinstance(addr, Atom):
        if (family, addr.name) not in _WORDS:
            raise ValueError(addr)
        return _WORDS[family, addr.name]
    number = socket.AF_INET if family == _INET else socket.AF_INET6
    if not is_ip(addr, number):
        raise ValueError(addr)
    if family == _INET:
        return ".".join(map(str, addr))
    return ":".join(f"{field:x}" for field in addr)


def _port(term: Any) -> int:
    return _number(term.get(_PORT, 0)) & 0xFFFF


def _number(term: Any) -> int:
    if type(term) is not int or not -(1 << 31) <= term < 1 << 32:
        raise ValueError(term)
    return term & 0xFFFFFFFF


def _unsigned(term: Any) -> int:
    if type(term) is not int or not 0 <= term < 1 << 32:
        raise ValueError(term)
    return term


def _path(path: bytes) -> bytes:
    # behind a path that is no abstract one there is a zero
    if len(path) + (path[:1] != b"\0") > SUN_PATH:
        raise ValueError(path)
    return path if path[:1] == b"\0" else path.partition(b"\0")[0]


def _bytes(term: Any) -> Any:
    if not isinstance(term, (bytes, memoryview)):
        raise TypeError(term)
    return term


@lru_cache(maxsize=1024)
def _build_inet(host: str, port: int) -> Any:
    return {_FAMILY: _INET, _ADDR: tuple(socket.inet_pton(socket.AF_INET, host)), _PORT: port}


def build_sockaddr(address: Any, family: int) -> Any:
    """The map of an address of Python, or of raw bytes behind another family."""
    if family == socket.AF_INET:
        return _build_inet(*address)
    if family == socket.AF_INET6:
        host, port, flowinfo, scope_id = address
        raw = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        fields = tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, 16, 2))
        return {_FAMILY: _INET6, _ADDR: fields, _PORT: port, _FLOWINFO: flowinfo, _SCOPE_ID: scope_id}
    if family == socket.AF_UNIX:
        return {
            _FAMILY: _LOCAL,
            _PATH: os.fsencode(address) if isinstance(address, str) else bytes(address or b""),
        }
    if family == socket.AF_PACKET:
        return _build_packet(address)
    if family == socket.AF_NETLINK and isinstance(address, tuple):
        address = struct.pack("=HII", 0, *address)
    return {_FAMILY: _UNSPEC if family == 0 else family, _ADDR: bytes(address)}


# Of linux/if_arp.h and linux/if_packet.h, with the names of OTP.
_HARDWARE = {
    0: "netrom", 1: "ether", 2: "eether", 3: "ax25", 4: "pronet", 5: "chaos", 6: "ieee802", 7: "arcnet",
    8: "appletlk", 15: "dlci", 19: "atm", 23: "metricom", 24: "ieee1394", 27: "eui64", 32: "infiniband",
    768: "tunnel", 769: "tunnel6", 772: "loopback", 773: "localtlk", 0xFFFE: "none", 0xFFFF: "void",
}  # fmt: skip
_PACKETS = {0: "host", 1: "broadcast", 2: "multicast", 3: "otherhost", 4: "outgoing", 6: "user", 7: "kernel"}


def hardware_name(number: int) -> Any:
    """The name of a type of hardware, or the number."""
    return Atom(_HARDWARE[number]) if number in _HARDWARE else number


def _build_packet(address: Any) -> Any:
    """Of the bytes behind the family, or of a tuple: interface, protocol, packet type, hardware, address."""
    if isinstance(address, tuple):
        index, protocol, kind, hardware, link = address
    elif len(address) < 18:
        return {_FAMILY: Atom("packet"), _ADDR: bytes(address)}
    else:
        protocol, index, hardware, kind, size = struct.unpack(">H", address[:2]) + struct.unpack(
            "iHBB", address[2:10]
        )
        link = address[10 : 10 + size]
    return {
        _FAMILY: Atom("packet"),
        Atom("protocol"): protocol,
        Atom("ifindex"): index,
        Atom("hatype"): hardware_name(hardware),
        Atom("pkttype"): Atom(_PACKETS[kind]) if kind in _PACKETS else kind,
        _ADDR: bytes(link),
    }
