"""Control messages as the kernel has them in a buffer: see cmsg(3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from socket import CMSG_SPACE
from typing import TypeAlias

from .api import Buffer

__all__ = ["ControlMessage", "pack", "unpack"]

ControlMessage: TypeAlias = tuple[int, int, bytes]  # level, type, data: as recvmsg and sendmsg have it

_HEAD = struct.Struct("Nii")  # the size with the head, level, type


def pack(messages: Iterable[tuple[int, int, Buffer]]) -> bytes:
    """A buffer with these messages."""
    return b"".join(
        (_HEAD.pack(_HEAD.size + len(data), level, kind) + bytes(data)).ljust(CMSG_SPACE(len(data)), b"\0")
        for level, kind, data in messages
    )


def unpack(data: bytes) -> list[ControlMessage]:
    """The messages of a buffer. One that is cut off has what is left of its data."""
    found, at = [], 0
    while at + _HEAD.size <= len(data):
        size, level, kind = _HEAD.unpack_from(data, at)
        if size < _HEAD.size:
            break
        found.append((level, kind, data[at + _HEAD.size : at + size]))
        at += (size + 7) & ~7
    return found
