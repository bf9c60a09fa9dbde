"""Control messages of plain sockets (cmsg(3)): maps to and from what recvmsg(2) and sendmsg(2) have.

    #{level => ip, type => ttl, data => <<64:32/native>>, value => 64}

`data` is always there in a received message, `value` where `CONTROL` has a type. In a message to send, one
of both is enough.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..codec.terms import Atom
from ..host import cmsg
from ..host.cmsg import ControlMessage
from ..host.errors import posix_name
from ..names.sockaddr import build_sockaddr
from .plain_values import INT, LEVELS, TIME, TOS, PlainType, parse_native

__all__ = [
    "CONTROL",
    "ControlType",
    "build_control",
    "build_messages",
    "parse_message",
]

_LEVEL, _TYPE, _DATA, _VALUE = Atom("level"), Atom("type"), Atom("data"), Atom("value")


class ControlType(NamedTuple):
    """A type of control messages. Without `parse` it cannot be sent as a value, without `build` it has
    none.
    """

    level: str
    name: str
    number: int
    parse: Callable[[Any], int | bytes] | None = None
    build: Callable[[bytes], Any] | None = None


def _plain(values: PlainType) -> tuple[Any, Any]:
    return values.parse, values.build


def _int(data: bytes) -> int:
    return int(struct.unpack("i", data)[0])


def _ip4(data: bytes) -> tuple[int, ...]:
    return tuple(data)


def _ip6(data: bytes) -> tuple[int, ...]:
    return struct.unpack(">8H", data)


def _pktinfo(data: bytes) -> Any:
    index, spec_dst, address = struct.unpack("I4s4s", data)
    return {Atom("ifindex"): index, Atom("spec_dst"): _ip4(spec_dst), Atom("addr"): _ip4(address)}


def _pktinfo6(data: bytes) -> Any:
    address, index = struct.unpack("16sI", data)
    return {Atom("addr"): _ip6(address), Atom("ifindex"): index}


_SIZES: Mapping[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}


def _sockaddr(data: bytes) -> Any:
    """A sockaddr in a message. One that was cut off has what is left of it as its address."""
    family = int.from_bytes(data[:2], "little")
    if len(data) < 2:
        return data
    if family in _SIZES and len(data) < _SIZES[family]:
        return {Atom("family"): Atom("inet" if family == socket.AF_INET else "inet6"), Atom("addr"): data[2:]}
    if family == socket.AF_INET:
        return build_sockaddr((socket.inet_ntop(family, data[4:8]), int.from_bytes(data[2:4], "big")), family)
    if family == socket.AF_INET6:
        port, flowinfo = struct.unpack(">HI", data[2:8])
        scope_id = int.from_bytes(data[24:28], "little")
        return build_sockaddr((socket.inet_ntop(family, data[8:24]), port, flowinfo, scope_id), family)
    return build_sockaddr(data[2:], family)


_ORIGINS = {0: "none", 1: "local", 2: "icmp", 3: "icmp6"}
# Of linux/icmp.h and linux/icmpv6.h: by origin and type, the name of the type and those of its codes.
_UNREACHABLE = {
    0: "net_unreach", 1: "host_unreach", 2: "port_unreach", 3: "port_unreach", 4: "frag_needed", 5:
    "sr_failed",
}  # fmt: skip
_UNREACHABLE6 = {0: "noroute", 1: "adm_prohibited", 2: "not_neighbour", 3: "addr_unreach", 4: "port_unreach",
                 5: "policy_fail", 6: "reject_route"}  # fmt: skip
_ERRORS: Mapping[tuple[int, int], tuple[str, Mapping[int, str]]] = {
    (2, 3): ("dest_unreach", _UNREACHABLE),
    (2, 11): ("time_exceeded", {}),
    (3, 1): ("dest_unreach", _UNREACHABLE6),
    (3, 2): ("pkt_toobig", {}),
    (3, 3): ("time_exceeded", {}),
}


def _recverr(data: bytes) -> Any:
    """struct sock_extended_err, and the address of the offender."""
    number, origin, kind, code, _, info, more = struct.unpack("IBBBBII", data[:16])
    name, codes = _ERRORS.get((origin, kind), (None, {}))
    offender = {Atom("offender"): _sockaddr(data[16:])} if len(data) > 16 else {}
    return {
        Atom("error"): Atom(posix_name(OSError(number, ""))) if number in errno.errorcode else number,
        Atom("origin"): Atom(_ORIGINS[origin]) if origin in _ORIGINS else origin,
        Atom("type"): kind if name is None else Atom(name),
        Atom("code"): Atom(codes[code]) if code in codes else code,
        Atom("info"): info,
        Atom("data"): more,
        **offender,
    }


_ROWS = (
    ControlType("socket", "timestamp", 29, *_plain(TIME)),
    ControlType("socket", "rights", 1),
    ControlType("socket", "credentials", 2),
    ControlType("ip", "tos", 1, *_plain(TOS)),
    ControlType("ip", "recvtos", 13, None, TOS.build),
    ControlType("ip", "recvttl", 12, None, _int),
    ControlType("ip", "ttl", 2, INT.parse, _int),
    ControlType("ip", "pktinfo", 8, None, _pktinfo),
    ControlType("ip", "origdstaddr", 20, None, _sockaddr),
    ControlType("ip", "recverr", 11, None, _recverr),
    ControlType("ipv6", "pktinfo", 50, None, _pktinfo6),
    ControlType("ipv6", "recverr", 25, None, _recverr),
    ControlType("ipv6", "hoplimit", 52, INT.parse, _int),
    ControlType("ipv6", "tclass", 67, INT.parse, _int),
)

# By level and type, as numbers; and by the number of the level and the name of the type.
CONTROL: Mapping[tuple[int, int], ControlType] = {(LEVELS[row.level], row.number): row for row in _ROWS}
_BY_NAME = {(LEVELS[row.level], Atom(row.name)): row for row in _ROWS}
_LEVEL_NAMES = {number: Atom(name) for name, number in LEVELS.items()}


def build_control(messages: list[ControlMessage]) -> list[Any]:
    """The maps of received control messages."""
    return [_build(*message) for message in messages]


def _build(level: int, number: int, data: bytes) -> Any:
    row = CONTROL.get((level, number))
    found = {
        _LEVEL: _LEVEL_NAMES.get(level, level),
        _TYPE: number if row is None else Atom(row.name),
        _DATA: data,
    }
    if row is not None and row.build is not None:
        try:
            found[_VALUE] = row.build(data) if data else _none()
        except (struct.error, ValueError):
            pass  # the message was cut off
    return found


def _none() -> Any:
    raise ValueError("no data")


def build_messages(data: bytes) -> list[Any]:
    """The maps of a buffer of control messages."""
    return build_control(cmsg.unpack(data))


def parse_message(term: Any, level: int) -> ControlMessage:
    """A control message of a map. Raises KeyError, OverflowError, struct.error, TypeError or ValueError."""
    kind = term[_TYPE]
    row = _BY_NAME.get((level, kind)) if isinstance(kind, Atom) else None
    if row is None and type(kind) is not int:
        raise ValueError(kind)
    number: int = kind if row is None else row.number
    if _DATA in term:
        data = parse_native(term[_DATA])
        return level, number, struct.pack("i", data) if isinstance(data, int) else data
    if row is None or row.parse is None:
        raise ValueError(term)
    value = row.parse(term[_VALUE])
    return level, number, struct.pack("i", value) if isinstance(value, int) else value
