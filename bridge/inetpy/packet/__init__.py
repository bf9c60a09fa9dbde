"""The packet types of `gen_tcp`, without I/O.

A type is a `PacketType` in `PACKET_TYPES`. Its `length` looks at the bytes
received so far and answers how long the packet at their start is: a positive
number (there may be fewer bytes yet), 0 when that cannot be told yet, -1 when
no packet can start so. The rules are those of `erlang:decode_packet/3`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..terms import Atom
from .length import build_header, length_prefixed
from .line import line_length

__all__ = ["PACKET_TYPES", "RAW", "PacketType", "build_header"]


@dataclass(frozen=True, slots=True, eq=False)
class PacketType:
    """One value of the option `packet`.

    value: as `getopts` gives it. length(data, packet_size, limit): see above;
    `packet_size` 0 means no limit, `limit` is the size of the receive buffer.
    header: how many bytes of a length stand in front, cut off on receive and
    put on when sending.
    """

    value: object
    length: Callable[[bytearray, int, int], int]
    header: int = 0


def _raw_length(data: bytearray, _packet_size: int, _limit: int) -> int:
    return len(data)


RAW = PacketType(0, _raw_length)

# `raw` is a second name of 0: getopts says 0.
PACKET_TYPES: dict[object, PacketType] = {
    Atom("raw"): RAW,
    0: RAW,
    1: PacketType(1, length_prefixed(1), 1),
    2: PacketType(2, length_prefixed(2), 2),
    4: PacketType(4, length_prefixed(4), 4),
    Atom("line"): PacketType(Atom("line"), line_length),
}
