"""ioctl of a plain socket: what the system says of interfaces, and is told of them."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ...codec.etf import encode_body
from ...codec.terms import Atom, Charlist
from ...names.sockaddr import BadTerm, build_sockaddr, hardware_name, parse_sockaddr
from ...session.session import Session
from ...wire.messages import OK
from ...wire.plain_requests import Ioctl
from .plain import Plain
from .values import WrongType

__all__ = ["FLAGS", "REQUESTS", "interface_flags", "ioctl"]

# Of linux/if.h, in the order of their bits.
FLAGS = {
    "up": 0x1, "broadcast": 0x2, "debug": 0x4, "loopback": 0x8, "pointopoint": 0x10, "notrailers": 0x20,
    "running": 0x40, "noarp": 0x80, "promisc": 0x100, "allmulti": 0x200, "master": 0x400, "slave": 0x800,
    "multicast": 0x1000, "portsel": 0x2000, "automedia": 0x4000, "dynamic": 0x8000, "lower_up": 0x10000,
    "dormant": 0x20000, "echo": 0x40000,
}  # fmt: skip
# Flags of other systems, which `socket` has names for.
FOREIGN_FLAGS = (
    "cantconfig", "dying", "knowsepoch", "link0", "link1", "link2", "monitor", "nogroup", "oactive",
    "ppromisc", "renaming", "simplex", "staticarp",
)  # fmt: skip

FLAGS_SINCE_28 = ("dhcprunning", "private")  # these, too, are of other systems
UNTIL_28 = ("dormant", "echo", "lower_up")  # `socket` has no numbers for these any longer


def interface_flags(session: Session) -> list[tuple[Atom, int]]:
    """The flags that `socket` of the node's OTP has names for, with 0 for those of other systems."""
    foreign = FOREIGN_FLAGS + (() if session.before_28 else FLAGS_SINCE_28)
    lost = () if session.before_28 else UNTIL_28
    known = [(Atom(name), 0 if name in lost else number) for name, number in FLAGS.items()]
    return known + [(Atom(name), 0) for name in foreign]


NAME = 16  # bytes of the name of an interface
REQUEST = 40  # bytes of struct ifreq


def _address(data: bytes) -> Any:
    family = int.from_bytes(data[:2], "little")
    if family == socket.AF_INET:
        return build_sockaddr((socket.inet_ntop(family, data[4:8]), int.from_bytes(data[2:4], "big")), family)
    return build_sockaddr(data[2:16], family)


def _hardware(data: bytes) -> Any:
    kind = int.from_bytes(data[:2], "little")
    return {Atom("family"): hardware_name(kind), Atom("addr"): data[2:16]}


def _number(data: bytes) -> int:
    return int.from_bytes(data[:4], "little", signed=True)


def _flags(data: bytes) -> list[Any]:
    bits = int.from_bytes(data[:2], "little")
    return [Atom(name) for name, bit in FLAGS.items() if bits & bit]


def _map(data: bytes) -> Any:
    start, end, base, irq, dma, port = struct.unpack("QQHBBB", data[:21])
    fields = {"mem_start": start, "mem_end": end, "base_addr": base, "irq": irq, "dma": dma, "port": port}
    return {Atom(name): value for name, value in fields.items()}


class Request(NamedTuple):
    """A request: its number, and what is made of what it gives (`build`), or of a value to set (`parse`)."""

    number: int
    build: Callable[[bytes], Any] | None = None
    parse: Callable[[Any], bytes] | None = None
    since: int = 0  # the edition of OTP


def _parse_number(term: Any) -> bytes:
    """Raises WrongType, and OverflowError for a number that is no int of C."""
    if type(term) is not int:
        raise WrongType(term)
    if not -(1 << 31) <= term < 1 << 31:
        raise OverflowError(term)
    return struct.pack("i", term)


def _parse_address(term: Any) -> bytes:
    address = parse_sockaddr(term)
    if address.family != socket.AF_INET or address.raw:
        raise OSError(errno.EINVAL, "no address of IPv4")
    host, port = address.value
    return struct.pack("=HHxx", socket.AF_INET, socket.htons(port))[:4] + socket.inet_aton(host)


# Of linux/sockios.h.
REQUESTS = {
    "gifname": Request(0x8910),
    "gifconf": Request(0x8912),
    "gifflags": Request(0x8913, _flags),
    "sifflags": Request(0x8914),
    "gifaddr": Request(0x8915, _address),
    "sifaddr": Request(0x8916, parse=_parse_address),
    "gifdstaddr": Request(0x8917, _address),
    "sifdstaddr": Request(0x8918, parse=_parse_address),
    "gifbrdaddr": Request(0x8919, _address),
    "sifbrdaddr": Request(0x891A, parse=_parse_address),
    "gifnetmask": Request(0x891B, _address),
    "gifmtu": Request(0x8921, _number),
    "sifmtu": Request(0x8922, parse=_parse_number),
    "gifhwaddr": Request(0x8927, _hardware),
    "gifindex": Request(0x8933, _number),
    "giftxqlen": Request(0x8942, _number),
    "siftxqlen": Request(0x8943, parse=_parse_number),
    "gifmap": Request(0x8970, _map),
    "nread": Request(0x541B, since=26),
    "atmark": Request(0x8905, since=26),
}


def ioctl(plain: Plain, ref: bytes, request: Ioctl) -> None:
    name, arguments = request.request, list(request.arguments)
    known = REQUESTS.get(name.name) if isinstance(name, Atom) else None
    if known is None or plain.session.release < known.since:
        raise BadTerm((Atom("ioctl_request"), name))
    special = _SPECIAL.get(name.name)
    if special is not None:
        return special(plain, ref, known, arguments)
    if len(arguments) == 1 and known.build is not None:
        raw = _ask(plain, known, _name(arguments[0]))
        return plain.answer_ok(ref, known.build(raw[NAME:]))
    if len(arguments) == 2 and known.parse is not None:
        interface = _name(arguments[0])
        try:
            value = known.parse(arguments[1])
        except OverflowError:
            return plain.answer(ref, encode_body((Atom("invalid"), Atom(name.name.removeprefix("sif")))))
        _ask(plain, known, interface + value)
        return plain.answer(ref, OK)
    raise WrongType(name)


def _ask(plain: Plain, request: Request, argument: bytes) -> bytes:
    """ioctl(2) of a struct ifreq, as it is afterwards."""
    return plain.session.host.raw.ioctl(plain.system_socket, request.number, argument.ljust(REQUEST, b"\0"))


def _name(term: Any) -> bytes:
    """The name of an interface, with zeros behind it. A longer one is cut off."""
    if term == []:
        return bytes(NAME)
    if not isinstance(term, Charlist):
        raise WrongType(term)
    return bytes(term)[: NAME - 1].ljust(NAME, b"\0")


def _text(raw: bytes) -> Charlist:
    return Charlist(raw[:NAME].partition(b"\0")[0])


def _interface_name(plain: Plain, ref: bytes, request: Request, arguments: list[Any]) -> None:
    try:
        index = bytes(NAME) + _parse_number(arguments[0] if arguments else None)
    except OverflowError:
        raise WrongType(arguments) from None
    plain.answer_ok(ref, _text(_ask(plain, request, index)))


def _interfaces(plain: Plain, ref: bytes, _request: Request, _arguments: list[Any]) -> None:
    """The addresses of IPv4 of all interfaces."""
    raw = plain.session.host.raw.interface_addresses(plain.system_socket)
    found = [
        {Atom("name"): _text(raw[at : at + NAME]), Atom("addr"): _address(raw[at + NAME : at + REQUEST])}
        for at in range(0, len(raw), REQUEST)
    ]
    plain.answer_ok(ref, found)


def _set_flags(plain: Plain, ref: bytes, request: Request, arguments: list[Any]) -> None:
    """Sets some flags and clears others. OTP takes flags that are none for no change."""
    interface, changes = _name(arguments[0]), arguments[1]
    raw = _ask(plain, REQUESTS["gifflags"], interface)
    bits = int.from_bytes(raw[NAME : NAME + 2], "little")
    for name, value in changes.items():
        bit = FLAGS.get(name.name) if isinstance(name, Atom) else None
        if bit is None or value not in (Atom("true"), Atom("false")):
            return plain.answer(ref, OK)
        bits = bits | bit if value == Atom("true") else bits & ~bit
    _ask(plain, request, interface + struct.pack("H", bits & 0xFFFF))
    plain.answer(ref, OK)


def _count(plain: Plain, ref: bytes, request: Request, _arguments: list[Any]) -> None:
    plain.answer_ok(ref, _number(plain.session.host.raw.ioctl(plain.system_socket, request.number, bytes(4))))


def _is_set(plain: Plain, ref: bytes, request: Request, _arguments: list[Any]) -> None:
    on = _number(plain.session.host.raw.ioctl(plain.system_socket, request.number, bytes(4)))
    plain.answer_ok(ref, Atom("true" if on else "false"))


_SPECIAL = {
    "gifname": _interface_name,
    "gifconf": _interfaces,
    "sifflags": _set_flags,
    "nread": _count,
    "atmark": _is_set,
}
