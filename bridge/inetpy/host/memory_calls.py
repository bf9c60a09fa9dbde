"""The calls of `api.RawCalls` for sockets in memory, and addresses as the kernel reads them.

An address may be of another family than the socket, or too short. Then the kernel looks at its family and its
length, each kind of socket in its own order: `_read_*`.
"""

from __future__ import annotations

import errno
import struct
import termios
from socket import AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, SOCK_DGRAM, SOCK_STREAM, inet_ntop
from typing import Any

from .api import Buffer
from .errors import os_error
from .memory_base import MemorySocket
from .memory_places import Address
from .raw import SystemCalls, pack

__all__ = ["MemoryCalls"]

SIOCATMARK, SIOCGIFCONF = 0x8905, 0x8912
LEAST: dict[int, int] = {AF_INET: 16, AF_INET6: 24}  # bytes of an address
LARGEST_NAME = 110


class MemoryCalls(SystemCalls):
    """Sockets of the kernel, which a host with sockets in memory has as well, go to the system."""

    def bind(self, sock: Any, family: int, address: Any) -> None:
        if not isinstance(sock, MemorySocket):
            return super().bind(sock, family, address)
        raw = pack(family, address)
        if sock.family == AF_UNIX:
            return sock.bind(_read_name(raw))
        if len(raw) < LEAST[sock.family]:
            raise os_error(errno.EINVAL)
        is_any = sock.family == AF_INET and _family(raw) == AF_UNSPEC and not any(raw[4:8])
        if _family(raw) != sock.family and not is_any:
            raise os_error(errno.EAFNOSUPPORT)
        sock.bind(_read_ip(sock.family, raw))

    def connect(self, sock: Any, family: int, address: Any) -> None:
        if not isinstance(sock, MemorySocket):
            return super().connect(sock, family, address)
        raw = pack(family, address)
        if _family(raw) == AF_UNSPEC and not (sock.family == AF_UNIX and sock.type != SOCK_DGRAM):
            return sock.disconnect()
        if sock.family == AF_UNIX:
            return sock.connect(_read_name(raw))
        if not sock.settles_connect():
            sock.connect(_read_ip_for(sock, raw, errno.EAFNOSUPPORT))

    def sendmsg(
        self, sock: Any, buffers: list[Buffer], control: Any, flags: int, family: int, address: Any
    ) -> int:
        if not isinstance(sock, MemorySocket):
            return super().sendmsg(sock, buffers, control, flags, family, address)
        raw = pack(family, address)
        return sock.sendmsg(buffers, control, flags, _receiver(sock, raw))

    def sockname(self, sock: Any) -> tuple[int, bytes]:
        if not isinstance(sock, MemorySocket):
            return super().sockname(sock)
        return sock.family, pack(sock.family, sock.getsockname())[2:]

    def peername(self, sock: Any) -> tuple[int, bytes]:
        if not isinstance(sock, MemorySocket):
            return super().peername(sock)
        return sock.family, pack(sock.family, sock.getpeername())[2:]

    def getsockopt_without_buffer(self, sock: Any, level: int, option: int) -> None:
        if not isinstance(sock, MemorySocket):
            return super().getsockopt_without_buffer(sock, level, option)
        if sock.journal is None:
            raise os_error(errno.EFAULT)
        with sock.journal.played() as stand_in:
            super().getsockopt_without_buffer(stand_in, level, option)

    def ioctl(self, sock: Any, number: int, argument: bytes) -> bytes:
        if not isinstance(sock, MemorySocket):
            return super().ioctl(sock, number, argument)
        if number == termios.FIONREAD:
            return struct.pack("i", sock.unread())
        if number == SIOCATMARK:
            return struct.pack("i", sock.is_at_mark())
        return sock.network.rules.ioctl(number, argument)

    def interface_addresses(self, sock: Any) -> bytes:
        if not isinstance(sock, MemorySocket):
            return super().interface_addresses(sock)
        return sock.network.rules.interface_addresses()


def _family(raw: bytes) -> int:
    return int.from_bytes(raw[:2], "little")


def _read_name(raw: bytes) -> bytes:
    """The name in an address of the unix domain."""
    if _family(raw) != AF_UNIX or len(raw) > LARGEST_NAME:
        raise os_error(errno.EINVAL)
    name = raw[2:]
    return name if name.startswith(b"\0") else name.partition(b"\0")[0]


def _read_ip(family: int, raw: bytes) -> Address:
    port = int.from_bytes(raw[2:4], "big")
    if family == AF_INET:
        return inet_ntop(AF_INET, raw[4:8]), port
    flow = int.from_bytes(raw[4:8], "big")
    return inet_ntop(AF_INET6, raw[8:24]), port, flow, int.from_bytes(raw[24:28], "little")


def _read_ip_for(sock: MemorySocket, raw: bytes, wrong_family: int) -> Address:
    """Where a socket connects or sends to. Datagrams of IPv6 sockets go to addresses of IPv4, too."""
    family = _family(raw)
    if sock.family == AF_INET6 and sock.type == SOCK_DGRAM and family == AF_INET:
        if len(raw) < LEAST[AF_INET]:
            raise os_error(errno.EINVAL)
        ip, port = _read_ip(AF_INET, raw)
        return "::ffff:" + ip, port, 0, 0
    if len(raw) < LEAST[sock.family]:
        raise os_error(errno.EINVAL)
    if family != sock.family:
        raise os_error(wrong_family)
    return _read_ip(sock.family, raw)


def _receiver(sock: MemorySocket, raw: bytes) -> Address:
    """To whom sendmsg sends. None: to the peer."""
    if sock.family == AF_UNIX:
        return _read_name(raw) if sock.type == SOCK_DGRAM else raw[2:]
    if sock.type == SOCK_STREAM:
        return None
    if sock.family == AF_INET6 and _family(raw) == AF_UNSPEC:
        return None
    if sock.family == AF_INET and _family(raw) == AF_UNSPEC and len(raw) >= LEAST[AF_INET]:
        return _read_ip(AF_INET, raw)
    return _read_ip_for(sock, raw, errno.EAFNOSUPPORT if sock.family == AF_INET else errno.EINVAL)
