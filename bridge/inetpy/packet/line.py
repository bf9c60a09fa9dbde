"""Packets that end in a delimiter: `{packet, line}`."""

from __future__ import annotations

__all__ = ["line_length"]


def line_length(data: bytearray, packet_size: int, limit: int, delimiter: int = 10) -> int:
    """A line goes to its delimiter, which belongs to it.

    A line that does not fit in `limit`, the size of the receive buffer, is cut
    there; one over `packet_size` is an error.
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
