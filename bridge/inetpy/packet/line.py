"""Packets that end in a delimiter: `{packet, line}`."""

from __future__ import annotations

__all__ = ["line_length"]


def line_length(data: bytearray, packet_size: int, limit: int, delimiter: int = 10) -> int:
    """The length of a line with its delimiter.

    A line longer than `limit`, the size of the receive buffer, is cut there. A line longer than
    `packet_size` is an error.
    """
    at = data.find(delimiter)
    if at < 0:
        if packet_size and len(data) > packet_size:
            return -1
        return limit if limit and len(data) >= limit else 0
    length = at + 1
    if packet_size and length > packet_size:
        return -1
    return limit if limit and length > limit else length
