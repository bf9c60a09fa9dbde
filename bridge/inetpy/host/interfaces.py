"""The network interfaces of this host: getifaddrs(3).

Python has no function for it, so it is called through ctypes; the structures are those of Linux
(ifaddrs.h, linux/if_packet.h).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator

from .api import Interface, InterfaceAddress
from .errors import os_error

__all__ = ["interfaces"]


class _Ifaddrs(ctypes.Structure):
    pass


_Ifaddrs._fields_ = [
    ("next", ctypes.POINTER(_Ifaddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("other", ctypes.c_void_p),  # of a broadcast or of the other end, as the flags say
    ("data", ctypes.c_void_p),
]

_BROADCAST, _POINTTOPOINT = 0x2, 0x10
# net/if.h
_FLAGS = (
    (0x1, "up"),
    (_BROADCAST, "broadcast"),
    (0x8, "loopback"),
    (_POINTTOPOINT, "pointtopoint"),
    (0x40, "running"),
    (0x1000, "multicast"),
)


def interfaces() -> list[Interface]:
    """All interfaces of this network namespace. Raises OSError."""
    found: dict[bytes, Interface] = {}
    for entry in _entries():
        interface = found.setdefault(entry.name, Interface(entry.name, _flags(entry.flags), [], None))
        family = _family(entry.addr)
        if family == socket.AF_PACKET:
            found[entry.name] = interface._replace(hardware=_hardware_address(entry.addr))
        elif family in (socket.AF_INET, socket.AF_INET6):
            interface.addresses.append(_address(entry))
    return list(found.values())


def _entries() -> Iterator[_Ifaddrs]:
    libc = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Ifaddrs)()
    if libc.getifaddrs(ctypes.byref(first)):
        number = ctypes.get_errno()
        raise os_error(number)
    try:
        entry = first
        while entry:
            yield entry.contents
            entry = entry.contents.next
    finally:
        libc.freeifaddrs(first)


def _flags(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _FLAGS if bits & bit)


def _address(entry: _Ifaddrs) -> InterfaceAddress:
    other = _ip(entry.other) if _family(entry.other) else None
    broadcast = other if entry.flags & _BROADCAST else None
    peer = other if entry.flags & _POINTTOPOINT and broadcast is None else None
    return InterfaceAddress(_ip(entry.addr) or "", _ip(entry.netmask), broadcast, peer)


def _family(address: int | None) -> int:
    """Of a struct sockaddr, or 0."""
    if not address:
        return 0
    return int(struct.unpack("H", ctypes.string_at(address, 2))[0])


def _ip(address: int | None) -> str | None:
    """The text of a struct sockaddr_in or sockaddr_in6."""
    if not address:
        return None
    if _family(address) == socket.AF_INET:
        return socket.inet_ntoa(ctypes.string_at(address + 4, 4))
    return socket.inet_ntop(socket.AF_INET6, ctypes.string_at(address + 8, 16))


def _hardware_address(address: int) -> bytes:
    """Of a struct sockaddr_ll."""
    size = ctypes.string_at(address + 11, 1)[0]
    return ctypes.string_at(address + 12, size)
