"""Calls of the system in forms that the socket module does not have: see `api.RawCalls`."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import socket
import struct
from typing import Any

from . import cmsg
from .api import Buffer
from .errors import os_error
from .protocols import protocols

__all__ = ["SystemCalls", "pack"]

SIOCGIFCONF = 0x8912
ROOM = 1 << 16  # bytes for the addresses of interfaces
MAX_SOCKADDR = 128

_libc = ctypes.CDLL(None, use_errno=True)


class _Piece(ctypes.Structure):
    """struct iovec"""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr"""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("pieces", ctypes.POINTER(_Piece)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def _message(name: ctypes.Array[Any], data: ctypes.Array[Any], control: ctypes.Array[Any]) -> _Message:
    """The message with these places, which the caller keeps."""
    piece = _Piece(ctypes.addressof(data), len(data))
    place = ctypes.addressof(control) if len(control) else None
    return _Message(ctypes.addressof(name), len(name), ctypes.pointer(piece), 1, place, len(control), 0)


def pack(family: int, address: Any) -> bytes:
    """A sockaddr: of an address of the socket module, or of the bytes behind the family."""
    head = struct.pack("H", family & 0xFFFF)
    if family == socket.AF_INET and type(address) is tuple:
        return head + struct.pack(">H", address[1]) + socket.inet_pton(family, address[0]) + bytes(8)
    if family == socket.AF_INET6 and type(address) is tuple:
        host, port, flowinfo, scope_id = address
        middle = struct.pack(">HI", port, flowinfo) + socket.inet_pton(family, host)
        return head + middle + struct.pack("I", scope_id)
    if family == socket.AF_UNIX:
        return head + bytes(address) + b"\0"
    return head + bytes(address)


def _check(result: int) -> int:
    if result < 0:
        raise os_error(ctypes.get_errno())
    return result


def _name(call: Any, descriptor: int) -> tuple[int, bytes]:
    buffer, size = ctypes.create_string_buffer(MAX_SOCKADDR), ctypes.c_uint(MAX_SOCKADDR)
    _check(call(descriptor, buffer, ctypes.byref(size)))
    raw = buffer.raw[: size.value]
    return int.from_bytes(raw[:2], "little"), raw[2:]


class SystemCalls:
    """See `api.RawCalls`."""

    protocols = staticmethod(protocols)
    interface_index = staticmethod(socket.if_nametoindex)

    def descriptor(self, sock: Any) -> int:
        try:
            number: int = sock.fileno()
        except AttributeError:
            raise os_error(errno.ENOTSUP) from None
        return number

    def bind(self, sock: Any, family: int, address: Any) -> None:
        raw = pack(family, address)
        _check(_libc.bind(self.descriptor(sock), raw, len(raw)))

    def connect(self, sock: Any, family: int, address: Any) -> None:
        raw = pack(family, address)
        if family == socket.AF_UNSPEC:
            raw = raw.ljust(16, b"\0")
        _check(_libc.connect(self.descriptor(sock), raw, len(raw)))

    def sendmsg(
        self, sock: Any, buffers: list[Buffer], control: Any, flags: int, family: int, address: Any
    ) -> int:
        parts = pack(family, address), b"".join(buffers), cmsg.pack(control)
        name, data, more = ((ctypes.c_char * len(part)).from_buffer_copy(part) for part in parts)
        message = _message(name, data, more)
        return _check(_libc.sendmsg(self.descriptor(sock), ctypes.byref(message), flags))

    def recvmsg(
        self, sock: Any, size: int, control_size: int, flags: int
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, bytes]:
        name, data, control = ((ctypes.c_char * room)() for room in (MAX_SOCKADDR, size, control_size))
        message = _message(name, data, control)
        received = _check(_libc.recvmsg(self.descriptor(sock), ctypes.byref(message), flags))
        return (
            ctypes.string_at(data, min(received, size)),
            cmsg.unpack(control.raw[: message.control_size]),
            message.flags,
            name.raw[2 : message.name_size],
        )

    def sockname(self, sock: Any) -> tuple[int, bytes]:
        return _name(_libc.getsockname, self.descriptor(sock))

    def peername(self, sock: Any) -> tuple[int, bytes]:
        return _name(_libc.getpeername, self.descriptor(sock))

    def getsockopt_without_buffer(self, sock: Any, level: int, option: int) -> None:
        _check(_libc.getsockopt(self.descriptor(sock), level, option, None, None))

    def ioctl(self, sock: Any, number: int, argument: bytes) -> bytes:
        return fcntl.ioctl(self.descriptor(sock), number, argument)

    def interface_addresses(self, sock: Any) -> bytes:
        room = array.array("B", bytes(ROOM))
        request = struct.pack("iiP", ROOM, 0, room.buffer_info()[0])
        size: int = struct.unpack("iiP", self.ioctl(sock, SIOCGIFCONF, request))[0]
        return room.tobytes()[:size]
