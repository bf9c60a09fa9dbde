"""The types of values of the options of `socket`: how a term becomes what setsockopt(2) gets, and a term
again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from socket import IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, IPPROTO_UDP as UDP, SOL_SOCKET
from typing import Any, NamedTuple

from ..codec.terms import Atom, Charlist, ImproperList
from ..names.addresses import is_ip
from . import values
from .values import ValueType

__all__ = [
    "ADDRESS_FORM",
    "ASSOCINFO",
    "BOOL",
    "CONGESTION",
    "DEVICE",
    "DOMAIN",
    "EVENTS",
    "FILTER",
    "HOPS",
    "INITMSG",
    "INT",
    "INT_GET",
    "IP_INTERFACE",
    "LEVELS",
    "LINGER",
    "MEMBERSHIP",
    "MEMBERSHIP6",
    "MTU_DISCOVER",
    "PROTOCOL",
    "SOURCE",
    "TIME",
    "TOS",
    "TYPE",
    "UINT",
    "PlainType",
    "parse_c_int",
    "parse_native",
]

SCTP = 132
LEVELS = {"socket": SOL_SOCKET, "ip": IP, "ipv6": IPV6, "tcp": TCP, "udp": UDP, "sctp": SCTP}

TRUE, FALSE = Atom("true"), Atom("false")
ANY, LOOPBACK = Atom("any"), Atom("loopback")


class PlainType(NamedTuple):
    """A type of values of options of the system.

    parse: what setsockopt(2) gets of a term of `socket`, None where the option cannot be set. Raises
        KeyError, OverflowError, struct.error, TypeError or ValueError.
    build: the term of the bytes that getsockopt(2) gives; None where the option cannot be got.
    form: how the terms look, for docs/options.md.
    size: of the bytes; 0 for an int.
    inet: the same values as `inet` has them. None where no option of `inet` has this type.
    """

    parse: Callable[[Any], int | bytes] | None
    build: Callable[[bytes], Any] | None
    form: str
    size: int = 0
    inet: ValueType | None = None


def parse_c_int(term: Any) -> int:
    if type(term) is not int or not -(1 << 31) <= term < 1 << 31:
        raise ValueError(term)
    return term


def parse_native(term: Any) -> int | bytes:
    if isinstance(term, Atom):
        return int(_parse_bool(term))
    return parse_c_int(term) if type(term) is int else _parse_iodata(term)


def _parse_iodata(term: Any) -> bytes:
    """Raises ValueError for what is no iodata."""
    if isinstance(term, (bytes, memoryview, Charlist)):
        return bytes(term)
    if isinstance(term, (list, ImproperList)):
        parts = list(term) if isinstance(term, list) else [*term.items, term.tail]
        return b"".join(bytes((part,)) if type(part) is int else _parse_iodata(part) for part in parts)
    raise ValueError(term)


def _parse_bool(term: Any) -> int:
    return {TRUE: 1, FALSE: 0}[term] if isinstance(term, Atom) else _refuse(term)


def _refuse(term: Any) -> int:
    raise ValueError(term)


def _int(data: bytes) -> int:
    """An int of C, or what is there of it."""
    return int.from_bytes(data[:4], "little", signed=len(data) >= 4)


def _build_bool(data: bytes) -> Atom:
    return TRUE if any(data) else FALSE


def _text(longest: int) -> Callable[[Any], bytes]:
    def parse(term: Any) -> bytes:
        if not isinstance(term, (list, Charlist)) or len(term) > longest:
            raise ValueError(term)
        return bytes(term)

    return parse


def _build_text(data: bytes) -> Any:
    return Charlist(data)


def _build_name(data: bytes) -> Any:
    return Charlist(data.removesuffix(b"\0"))


def _names(names: Mapping[str, int], mask: int = -1) -> PlainType:
    """Values with names: of other numbers the number. `mask`: the bits that have the name."""
    by_number = {number: Atom(name) for name, number in names.items()}

    def parse(term: Any) -> int:
        return names[term.name] if isinstance(term, Atom) else parse_c_int(term)

    def build(data: bytes) -> Any:
        number = _int(data)
        return by_number.get(number & mask, number)

    return PlainType(parse, build, ", ".join([*(f"`{name}`" for name in names), "number"]))


def _field(term: Any, name: str) -> Any:
    if not isinstance(term, Mapping):
        raise ValueError(term)
    return term[Atom(name)]


def _parse_linger(term: Any) -> bytes:
    if term == Atom("abort"):
        return struct.pack("ii", 1, 0)
    seconds = _field(term, "linger")
    if type(seconds) is not int or seconds < 0:
        raise ValueError(term)
    return struct.pack("ii", _parse_bool(_field(term, "onoff")), seconds)


def _build_linger(data: bytes) -> Any:
    on, seconds = struct.unpack("ii", data)
    return {Atom("onoff"): TRUE if on else FALSE, Atom("linger"): seconds}


def _parse_time(term: Any) -> bytes:
    return struct.pack("qq", _field(term, "sec"), _field(term, "usec"))


def _build_time(data: bytes) -> Any:
    seconds, microseconds = struct.unpack("qq", data)
    return {Atom("sec"): seconds, Atom("usec"): microseconds}


def _ip4(term: Any) -> bytes:
    if term == ANY:
        return bytes(4)
    if term == LOOPBACK:
        return bytes((127, 0, 0, 1))
    if not is_ip(term, socket.AF_INET):
        raise ValueError(term)
    return bytes(term)


def _ip6(term: Any) -> bytes:
    if term == ANY:
        return bytes(16)
    if term == LOOPBACK:
        return bytes(15) + b"\1"
    if not is_ip(term, socket.AF_INET6):
        raise ValueError(term)
    return b"".join(struct.pack(">H", field) for field in term)


def _parse_membership(term: Any) -> bytes:
    return _ip4(_field(term, "multiaddr")) + _ip4(_field(term, "interface"))


def _parse_source(term: Any) -> bytes:
    return b"".join(_ip4(_field(term, name)) for name in ("multiaddr", "interface", "sourceaddr"))


def _parse_membership6(term: Any) -> bytes:
    return _ip6(_field(term, "multiaddr")) + struct.pack("I", _field(term, "interface"))


def _parse_unsigned(term: Any) -> int:
    if type(term) is not int or not 0 <= term < 1 << 32:
        raise ValueError(term)
    return parse_c_int(term) if term < 1 << 31 else term - (1 << 32)


def _parse_hops(term: Any) -> int:
    if term == Atom("default"):
        return -1
    if type(term) is not int or not 0 <= term <= 255:
        raise ValueError(term)
    return term


DOMAINS = {
    "inet": socket.AF_INET,
    "inet6": socket.AF_INET6,
    "local": socket.AF_UNIX,
    "unspec": socket.AF_UNSPEC,
}


def _parse_family(term: Any) -> int:
    return int(DOMAINS[term.name]) if isinstance(term, Atom) else parse_c_int(term)


_MODES = {Atom("include"): 1, Atom("exclude"): 0}


def _parse_filter(term: Any) -> bytes:
    """struct ip_msfilter; `null` is an empty value."""
    if term == Atom("null"):
        return b""
    sources = _field(term, "slist")
    if not isinstance(sources, list):
        raise ValueError(term)
    head = _ip4(_field(term, "multiaddr")) + _ip4(_field(term, "interface"))
    return head + struct.pack("II", _MODES[_field(term, "mode")], len(sources)) + b"".join(map(_ip4, sources))


def _map(*fields: str) -> str:
    return f"`#{{{', '.join(fields)}}}`"


def _struct(form: str, *fields: str) -> PlainType:
    """A structure of numbers."""

    def build(data: bytes) -> Any:
        return dict(zip(map(Atom, fields), struct.unpack(form, data), strict=True))

    def parse(term: Any) -> bytes:
        return struct.pack(form, *(_field(term, name) for name in fields))

    return PlainType(parse, build, _map(*fields), struct.calcsize(form))


TYPES = {
    "stream": socket.SOCK_STREAM,
    "dgram": socket.SOCK_DGRAM,
    "raw": socket.SOCK_RAW,
    "rdm": socket.SOCK_RDM,
    "seqpacket": socket.SOCK_SEQPACKET,
}
_NAMES_OF_DOMAINS = {int(number): Atom(name) for name, number in DOMAINS.items()}
_NAMES_OF_TYPES = {int(number): Atom(name) for name, number in TYPES.items()}


def build_domain(number: int) -> Atom | int:
    """The name of a domain, or its number where it has none."""
    return _NAMES_OF_DOMAINS.get(number, number)


def build_type(number: int) -> Atom | int:
    """The name of a type of sockets, or its number where it has none."""
    return _NAMES_OF_TYPES.get(number, number)


BOOL = PlainType(_parse_bool, _build_bool, "`true`, `false`", inet=values.BOOL)
INT = PlainType(parse_c_int, _int, "number", inet=values.INT)
UINT = PlainType(
    _parse_unsigned, lambda data: int.from_bytes(data[:4], "little"), "number from 0", inet=values.UINT
)
INT_GET = PlainType(None, _int, "number")
LINGER = PlainType(_parse_linger, _build_linger, f"{_map('onoff', 'linger')}, `abort`", 8, inet=values.LINGER)
TIME = PlainType(_parse_time, _build_time, _map("sec", "usec"), 16)
DEVICE = PlainType(_text(15), _build_text, "text", 16, inet=values.DEVICE)
CONGESTION = PlainType(_text(256), _build_name, "text", 256)
IP_INTERFACE = PlainType(_ip4, tuple, "IPv4 address, `any`, `loopback`", 4)
MEMBERSHIP = PlainType(_parse_membership, None, _map("multiaddr", "interface"))
SOURCE = PlainType(_parse_source, None, _map("multiaddr", "interface", "sourceaddr"))
MEMBERSHIP6 = PlainType(_parse_membership6, None, _map("multiaddr", "interface"))
MTU_DISCOVER = _names({"dont": 0, "want": 1, "do": 2, "probe": 3})
TOS = _names({"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04, "mincost": 0x02}, 0x1E)._replace(
    inet=values.INT
)
HOPS = PlainType(_parse_hops, _int, "number to 255, `default`")
ADDRESS_FORM = PlainType(_parse_family, None, ", ".join(f"`{name}`" for name in DOMAINS))
FILTER = PlainType(_parse_filter, None, f"{_map('multiaddr', 'interface', 'mode', 'slist')}, `null`")
DOMAIN = PlainType(None, lambda data: build_domain(_int(data)), "domain")
TYPE = PlainType(None, lambda data: build_type(_int(data)), "type")
# The name of a protocol is looked up by the socket.
PROTOCOL = PlainType(None, _int, "protocol")
# Of linux/sctp.h
ASSOCINFO = _struct(
    "iHHIII", "assoc_id", "asocmaxrxt", "number_peer_destinations", "peer_rwnd", "local_rwnd", "cookie_life"
)
INITMSG = _struct("HHHH", "num_outstreams", "max_instreams", "max_attempts", "max_init_timeo")
EVENTS = _struct(
    "8B", "data_io", "association", "address", "send_failure", "peer_error", "shutdown", "partial_delivery",
    "adaptation_layer",
)._replace(build=None)  # fmt: skip
