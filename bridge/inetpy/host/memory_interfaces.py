"""The interface of a host in memory, and what ioctl(2) says of interfaces there: see netdevice(7)."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

from .api import Interface, InterfaceAddress
from .errors import os_error

__all__ = ["LOOPBACK", "addresses", "answer"]

LOOPBACK = Interface(
    b"lo",
    ("up", "loopback", "running"),
    [
        InterfaceAddress("127.0.0.1", "255.0.0.0", None, None),
        InterfaceAddress("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
    ],
    b"\0\0\0\0\0\0",
)
NAME, REQUEST = 16, 40  # bytes of the name of an interface, and of a struct ifreq
MTU, QUEUE = 65536, 1000  # of the loopback interface
_ARP_LOOPBACK = 772
_FLAGS = {"up": 0x1, "broadcast": 0x2, "loopback": 0x8, "pointtopoint": 0x10, "running": 0x40,
          "multicast": 0x1000}  # fmt: skip
_GIFNAME, _GIFINDEX = 0x8910, 0x8933
_SETTING = {0x8914, 0x8916, 0x8918, 0x891A, 0x891C, 0x8922, 0x8924, 0x8943}  # SIOCSIF*


def _first(interface: Interface) -> InterfaceAddress | None:
    """The address of IPv4: a struct ifreq has no room for others."""
    return next((known for known in interface.addresses if ":" not in known.address), None)


def _sockaddr(ip: str | None) -> bytes:
    return struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(ip or "0.0.0.0") + bytes(8)  # noqa: S104


def _of_address(field: Callable[[InterfaceAddress], str | None]) -> Callable[[Interface], bytes]:
    def build(interface: Interface) -> bytes:
        found = _first(interface)
        if found is None:
            raise os_error(errno.EADDRNOTAVAIL)
        return _sockaddr(field(found))

    return build


_ANSWERS: Mapping[int, Callable[[Interface], bytes]] = {
    0x8913: lambda interface: struct.pack("H", sum(_FLAGS[name] for name in interface.flags)),
    0x8915: _of_address(lambda known: known.address),
    0x8917: _of_address(lambda known: known.peer or known.address),
    0x8919: _of_address(lambda known: known.broadcast),
    0x891B: _of_address(lambda known: known.netmask),
    0x8921: lambda _: struct.pack("i", MTU),
    0x8927: lambda interface: struct.pack("H", _ARP_LOOPBACK) + (interface.hardware or b""),
    0x8942: lambda _: struct.pack("i", QUEUE),
    0x8970: lambda _: bytes(24),
}


def answer(interfaces: Sequence[Interface], number: int, argument: bytes) -> bytes:
    """What the call gives back for `argument`, a struct ifreq. Interfaces are numbered from 1 on.

    Raises ENODEV for an interface that there is not, EPERM for a change, ENOTTY for other requests.
    """
    if number == _GIFNAME:
        index = int.from_bytes(argument[NAME : NAME + 4], "little", signed=True)
        if not 0 < index <= len(interfaces):
            raise os_error(errno.ENODEV)
        return interfaces[index - 1].name.ljust(NAME, b"\0") + argument[NAME:]
    if number not in _ANSWERS and number not in _SETTING and number != _GIFINDEX:
        raise os_error(errno.ENOTTY)
    name = argument[:NAME].partition(b"\0")[0]
    at = next((at for at, interface in enumerate(interfaces) if interface.name == name), None)
    if at is None:
        raise os_error(errno.ENODEV)
    if number in _SETTING:
        raise os_error(errno.EPERM)
    value = struct.pack("i", at + 1) if number == _GIFINDEX else _ANSWERS[number](interfaces[at])
    return argument[:NAME] + value + argument[NAME + len(value) :]


def addresses(interfaces: Sequence[Interface]) -> bytes:
    """SIOCGIFCONF: a struct ifreq for each interface with an address of IPv4."""
    found = [(interface.name, _first(interface)) for interface in interfaces]
    return b"".join(
        (name.ljust(NAME, b"\0") + _sockaddr(known.address)).ljust(REQUEST, b"\0")
        for name, known in found
        if known is not None
    )
