"""Packets with their length in front: `{packet, 1 | 2 | 4}`, big-endian."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["build_header", "length_prefixed"]

_MAX_INT = 0x7FFFFFFF


def length_prefixed(width: int) -> Callable[[bytearray, int], int]:
    """The function (data, packet_size) -> length for a header of `width` bytes."""

    def packet_length(data: bytearray, packet_size: int) -> int:
        if len(data) < width:
            return 0
        size = int.from_bytes(data[:width], "big")
        if size > (packet_size or _MAX_INT - width):
            return -1
        return width + size

    return packet_length


def build_header(width: int, size: int) -> bytes:
    """The header of a packet of `size` bytes. A size that is too large wraps, as in inet_drv."""
    return (size & ((1 << 8 * width) - 1)).to_bytes(width, "big")
