"""The network interfaces of this host, as `inet:getifaddrs/0` tells of them.

Python has no getifaddrs(3), so it is called through ctypes; the structures are those of
Linux (ifaddrs.h, linux/if_packet.h).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

from .addresses import build_address
from .terms import Atom, Charlist

__all__ = ["getifaddrs"]

AF_PACKET = socket.AF_PACKET


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

# net/if.h, in the order of inet's list
_UP, _BROADCAST, _LOOPBACK, _POINTTOPOINT, _RUNNING, _MULTICAST = 0x1, 0x2, 0x8, 0x10, 0x40, 0x1000
_FLAGS = (
    (_UP, Atom("up")),
    (_BROADCAST, Atom("broadcast")),
    (_LOOPBACK, Atom("loopback")),
    (_POINTTOPOINT, Atom("pointtopoint")),
    (_RUNNING, Atom("running")),
    (_MULTICAST, Atom("multicast")),
)

Properties = list[tuple[Atom, Any]]


def getifaddrs() -> list[tuple[Charlist, Properties]]:
    """`[{Name, [{flags, _}, {addr, _}, {netmask, _}, ..., {hwaddr, _}]}]`. Raises OSError."""
    found: dict[bytes, Properties] = {}
    hardware: dict[bytes, list[tuple[Atom, Any]]] = {}
    for entry in _entries():
        properties = found.setdefault(entry.name, [(Atom("flags"), _flags(entry.flags))])
        family = _family(entry.addr)
        if family == AF_PACKET:
            hardware[entry.name] = [(Atom("hwaddr"), _hardware_address(entry.addr))]
        elif family in (socket.AF_INET, socket.AF_INET6):
            properties += _addresses(entry)
    # those of a lower layer come first in the kernel's list, and last in inet's
    return [(Charlist(name), found[name] + hardware.get(name, [])) for name in found]


def _entries() -> Iterator[_Ifaddrs]:
    libc = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Ifaddrs)()
    if libc.getifaddrs(ctypes.byref(first)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    try:
        entry = first
        while entry:
            yield entry.contents
            entry = entry.contents.next
    finally:
        libc.freeifaddrs(first)


def _flags(bits: int) -> list[Atom]:
    return [name for bit, name in _FLAGS if bits & bit]


def _addresses(entry: Any) -> Properties:
    properties = [(Atom("addr"), _ip(entry.addr)), (Atom("netmask"), _ip(entry.netmask))]
    if entry.flags & _BROADCAST and _family(entry.other):
        properties.append((Atom("broadaddr"), _ip(entry.other)))
    elif entry.flags & _POINTTOPOINT and _family(entry.other):
        properties.append((Atom("dstaddr"), _ip(entry.other)))
    return [(name, value) for name, value in properties if value is not None]


def _family(address: int | None) -> int:
    if not address:
        return 0
    return int(struct.unpack("H", ctypes.string_at(address, 2))[0])


def _ip(address: int | None) -> object:
    """The ip tuple of a struct sockaddr_in or sockaddr_in6, or None."""
    if not address:
        return None
    if _family(address) == socket.AF_INET:
        return build_address((socket.inet_ntoa(ctypes.string_at(address + 4, 4)), 0))[0]
    host = socket.inet_ntop(socket.AF_INET6, ctypes.string_at(address + 8, 16))
    return build_address((host, 0, 0, 0))[0]


def _hardware_address(address: int) -> Charlist:
    """Of a struct sockaddr_ll."""
    size = ctypes.string_at(address + 11, 1)[0]
    return Charlist(ctypes.string_at(address + 12, size))
