"""Reads a pcapng: one of `capture`, or of another program.

Packets of `capture` say in their comments of which socket they are, and the flags of a packet say which
direction it has. The packets of another program are put together by their addresses: see `read_packets`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from .pcapng import INBOUND, LINK_BYTES, LINK_CALLS
from .read_jsonl import LineReader, learn
from .read_packets import PacketReader, Segment, parse_packet
from .records import Address, ReadBytes, ReadSocket, ReadTrace, ReadTurn

__all__ = ["read_capture"]

_SECTION, _INTERFACE, _SIMPLE, _NAMES, _PACKET = 0x0A0D0D0A, 1, 3, 4, 6
_END, _COMMENT, _NAME, _DESCRIPTION, _FLAGS, _RESOLUTION = 0, 1, 2, 3, 2, 9
_OTHER_END = " (other end)"
_SOCKET = re.compile(r"socket: (\d+)(?: (\S+)(?: (\S+))?)?$")


class Interface(NamedTuple):
    """link: type of its packets. unit: ns of one tick, as a fraction (numerator, denominator)."""

    link: int
    name: str
    node: str
    unit: tuple[int, int]


class Packet(NamedTuple):
    """time: in ns. direction: INBOUND, OUTBOUND, or 0. is_whole: whether all of it was captured."""

    interface: Interface
    time: int | None
    data: bytes
    comments: list[str]
    direction: int
    is_whole: bool


def read_capture(data: bytes, trace: ReadTrace) -> None:
    """A last block that is not whole is left out. Raises ValueError for what is broken before."""
    names: dict[str, str] = {}
    packets = list(_packets(data, trace, names))
    if any(_socket_comment(packet) for packet in packets):
        own = _OwnReader(trace)
        for packet in packets:
            own.read(packet)
    else:
        foreign = PacketReader(trace, names)
        for packet in packets:
            if not packet.is_whole:
                foreign.note("packets that are not whole (tshark -s 0 captures all of them)")
            foreign.read(packet.interface.link, packet.time, packet.data)
        foreign.finish()


# --- blocks ---


def _packets(data: bytes, trace: ReadTrace, names: dict[str, str]) -> Iterator[Packet]:
    order = "<"
    interfaces: list[Interface] = []
    for order, kind, body in _blocks(data, trace):
        if kind == _SECTION:
            interfaces = []
        elif kind == _INTERFACE:
            interfaces.append(_interface(order, body))
        elif kind == _NAMES:
            names.update(_names(order, body))
        elif kind == _PACKET:
            yield _packet(order, body, interfaces)
        elif kind == _SIMPLE:
            size = struct.unpack_from(order + "I", body)[0]
            content = body[4 : 4 + size]
            yield Packet(_at(interfaces, 0), None, content, [], 0, len(content) == size)


def _blocks(data: bytes, trace: ReadTrace) -> Iterator[tuple[str, int, bytes]]:
    """Byte order, type, and body of each block."""
    at, order = 0, "<"
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a" and len(data) >= at + 12:
            order = _byte_order(data[at + 8 : at + 12], at)
        size = struct.unpack_from(order + "I", data, at + 4)[0] if len(data) >= at + 8 else 12
        if size < 12 or size % 4:
            raise ValueError(f"the block at byte {at} is broken: it has {size} bytes")
        if at + size > len(data):
            trace.notes.append(f"the block at byte {at} is cut short: the trace is read up to there")
            return
        kind, again = struct.unpack_from(order + "I", data, at)[0], data[at + size - 4 : at + size]
        if struct.unpack(order + "I", again)[0] != size:
            raise ValueError(f"the block at byte {at} is broken: its two sizes differ")
        yield order, kind, data[at + 8 : at + size - 4]
        at += size


def _byte_order(magic: bytes, at: int) -> str:
    for order in "<>":
        if magic == struct.pack(order + "I", 0x1A2B3C4D):
            return order
    raise ValueError(f"the section at byte {at} is broken: it has no byte order")


def _options(order: str, body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == _END:
            return
        yield code, body[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _interface(order: str, body: bytes) -> Interface:
    if len(body) < 8:
        raise ValueError("an interface is broken: it has no link type")
    link = struct.unpack_from(order + "H", body)[0]
    options = dict(_options(order, body[8:]))
    name = options.get(_NAME, b"").decode("utf-8", "replace")
    description = options.get(_DESCRIPTION, b"").decode("utf-8", "replace")
    prefix = f"{name} of "
    node = description.removeprefix(prefix) if description.startswith(prefix) else ""
    resolution = (options.get(_RESOLUTION) or b"\x06")[0]
    base, power = (2, resolution & 0x7F) if resolution & 0x80 else (10, resolution)
    return Interface(link, name, node, (1_000_000_000, base**power))


def _names(order: str, body: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at + 4 <= len(body):
        kind, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        length = {1: 4, 2: 16}.get(kind, 0)
        if kind == 0:
            return
        if length and len(value) > length:
            name = value[length:].split(b"\0")[0]
            yield str(ip_address(value[:length])), name.decode("utf-8", "replace")
        at += 4 + size + -size % 4


def _packet(order: str, body: bytes, interfaces: list[Interface]) -> Packet:
    if len(body) < 20:
        raise ValueError("a packet is broken: it has no sizes")
    number, high, low, captured, size = struct.unpack_from(order + "IIIII", body)
    interface = _at(interfaces, number)
    numerator, denominator = interface.unit
    time = (high << 32 | low) * numerator // denominator
    comments, direction = [], 0
    for code, value in _options(order, body[20 + captured + -captured % 4 :]):
        if code == _COMMENT:
            comments.append(value.decode("utf-8", "replace"))
        elif code == _FLAGS and len(value) == 4:
            direction = struct.unpack(order + "I", value)[0] & 3
    return Packet(interface, time, body[20 : 20 + captured], comments, direction, captured >= size)


def _at(interfaces: list[Interface], number: int) -> Interface:
    if number >= len(interfaces):
        raise ValueError(f"a packet is of interface {number}, which is not described")
    return interfaces[number]


# --- packets of `capture` ---


def _socket_comment(packet: Packet) -> re.Match[str] | None:
    return next(filter(None, map(_SOCKET.match, packet.comments)), None)


class _OwnReader:
    """Adds packets of `capture` to a trace."""

    def __init__(self, trace: ReadTrace) -> None:
        self._trace = trace
        self._lines = LineReader(trace)
        self._moved: dict[tuple[ReadSocket, str], int] = {}

    def read(self, packet: Packet) -> None:
        if packet.interface.link == LINK_CALLS:
            self._line(packet)
            return
        found = _socket_comment(packet)
        if found is None:
            return  # the answer to a packet that says it all
        segment = None
        if packet.interface.link != LINK_BYTES:
            segment = parse_packet(packet.interface.link, packet.data)
        number, what, detail = found.groups()
        socket = self._socket(packet, int(number), what, segment)
        if what:
            self._turn(packet, socket, what, detail or "", segment)
        else:
            self._bytes(packet, socket, segment)

    def _line(self, packet: Packet) -> None:
        try:
            self._lines.read(packet.data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._trace.notes.append("a call has more bytes than a packet of its capture: it is left out")

    def _socket(self, packet: Packet, number: int, what: str | None, segment: Segment | None) -> ReadSocket:
        """By the words of a line of JSON: a line of a call can have the socket before its packets have."""
        kind = "stream" if segment is None or segment.is_tcp else "datagram"
        event = {
            "event": "socket" if what else "bytes", "what": what, "node": packet.interface.node,
            "socket": number, "kind": kind, "label": packet.interface.name.removesuffix(_OTHER_END),
        }  # fmt: skip
        socket = self._lines.socket_of(event)
        assert socket is not None
        if what in ("connecting", "accepted"):
            socket.begun = True
        return socket

    def _turn(
        self, packet: Packet, socket: ReadSocket, what: str, detail: str, segment: Segment | None
    ) -> None:
        local, remote = _near_and_far(packet, segment)
        turn = ReadTurn(packet.time, socket, what, detail, local, remote, _faults(packet))
        learn(socket, turn)
        self._trace.records.append(turn)

    def _bytes(self, packet: Packet, socket: ReadSocket, segment: Segment | None) -> None:
        data = packet.data if segment is None else segment.data
        direction = "recv" if packet.direction == INBOUND else "send"
        local, remote = _near_and_far(packet, segment)
        socket.local, socket.remote = socket.local or local, socket.remote or remote
        offset = self._moved.get((socket, direction), 0)
        is_stream = socket.kind == "stream"
        self._moved[socket, direction] = offset + (len(data) if is_stream else 1)
        call = "".join(_commented(packet, "call: "))
        peer = None if is_stream else remote
        redacted = _redacted(packet, offset if is_stream else 0, len(data))
        moved = ReadBytes(packet.time, socket, direction, offset, data, peer, call, redacted, _faults(packet))
        self._trace.records.append(moved)


def _near_and_far(packet: Packet, segment: Segment | None) -> tuple[Address, Address]:
    if segment is None:
        return None, None
    ends = segment.ends.turned() if packet.direction == INBOUND else segment.ends
    return (ends.source, ends.source_port), (ends.target, ends.target_port)


def _commented(packet: Packet, prefix: str) -> list[str]:
    return [text.removeprefix(prefix) for text in packet.comments if text.startswith(prefix)]


def _faults(packet: Packet) -> list[str]:
    return _commented(packet, "rule: ")


def _redacted(packet: Packet, offset: int, size: int) -> list[tuple[int, int]]:
    """Those parts that are in the packet. The comments have places in the stream."""
    found = []
    for text in _commented(packet, "redacted: "):
        first, _, last = text.partition("-")
        start, end = max(int(first) - offset, 0), min(int(last) - offset, size)
        if start < end:
            found.append((start, end))
    return found
