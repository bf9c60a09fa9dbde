"""Reads packets of any program: TCP is put together to streams, UDP to datagrams.

A socket is the end that began: the sender of the SYN, else the end with the higher port. So its records are
those of a client: it connects, sends and receives.
"""

from __future__ import annotations

import struct
from collections import Counter
from ipaddress import ip_address
from typing import NamedTuple

from .packets import ACK, FIN, RST, SYN, Ends
from .pcapng import LINK_RAW
from .records import ReadBytes, ReadSocket, ReadTrace, ReadTurn

__all__ = ["PacketReader", "Segment", "parse_packet"]

_TCP, _UDP = 6, 17
_IPV4, _IPV6, _VLAN = 0x0800, 0x86DD, (0x8100, 0x88A8)
_HEADERS = {0, 43, 60}  # of IPv6, before the one of TCP or UDP
_WINDOW = 1 << 31
_ETHERNET = 1
# Bytes before the IP header.
_FIXED = {LINK_RAW: 0, 12: 0, 14: 0, 228: 0, 229: 0, 0: 4, 108: 4}
_WITH_PROTOCOL = {_ETHERNET: (12, 14), 113: (14, 16), 276: (0, 20)}  # where the protocol is, and the end


class Segment(NamedTuple):
    """flags, sequence: of TCP."""

    is_tcp: bool
    ends: Ends
    data: bytes
    flags: int = 0
    sequence: int = 0


def parse_packet(link: int, data: bytes) -> Segment | None:
    """None: neither TCP nor UDP, or a fragment. Raises ValueError for broken packets and other links."""
    try:
        at = _ip_at(link, data)
        return None if at is None else _ip(data[at:])
    except (struct.error, IndexError):
        raise ValueError("a packet is broken: its headers are not whole") from None


def _ip_at(link: int, data: bytes) -> int | None:
    if link in _FIXED:
        return _FIXED[link]
    if link not in _WITH_PROTOCOL:
        raise ValueError(f"packets of link type {link} are not read: capture on an interface with IP")
    at, end = _WITH_PROTOCOL[link]
    protocol = struct.unpack_from(">H", data, at)[0]
    while link == _ETHERNET and protocol in _VLAN:
        at, end = at + 4, end + 4
        protocol = struct.unpack_from(">H", data, at)[0]
    return end if protocol in (_IPV4, _IPV6) else None


def _ip(data: bytes) -> Segment | None:
    if data[0] >> 4 == 4:
        size, _, fragment = struct.unpack_from(">HHH", data, 2)
        if fragment & 0x3FFF:
            return None
        addresses, protocol, at = (data[12:16], data[16:20]), data[9], (data[0] & 15) * 4
    else:
        size, protocol = struct.unpack_from(">HB", data, 4)
        addresses, at = (data[8:24], data[24:40]), 40
        size += 40
        while protocol in _HEADERS:
            protocol, at = data[at], at + (data[at + 1] + 1) * 8
    source, target = (str(ip_address(address)) for address in addresses)
    body = data[at : size or len(data)]  # a large segment that the card cuts has no size
    if protocol == _TCP:
        near, far, sequence = struct.unpack_from(">HHI", body)
        start, flags = (body[12] >> 4) * 4, body[13]
        return Segment(True, Ends(source, near, target, far), body[start:], flags, sequence)
    if protocol == _UDP:
        near, far, length = struct.unpack_from(">HHH", body)
        return Segment(False, Ends(source, near, target, far), body[8 : length or len(body)])
    return None


class _Half:
    """One direction of a connection: what has come, in order, and what has come too early."""

    def __init__(self) -> None:
        self.next: int | None = None
        self.early: dict[int, bytes] = {}
        self.fin: int | None = None  # the number behind the last byte
        self.has_ended = False
        self.offset = 0

    def take(self, segment: Segment) -> bytes:
        """What comes now, in order. Bytes that are sent again are left out."""
        sequence = segment.sequence
        if segment.flags & SYN:
            self.next = sequence = (sequence + 1) & 0xFFFFFFFF
        if self.next is None:
            self.next = sequence
        if segment.data:
            self.early[sequence] = max(self.early.get(sequence, b""), segment.data, key=len)
        if segment.flags & FIN:
            self.fin = (sequence + len(segment.data)) & 0xFFFFFFFF
        taken = b""
        while (data := self._following()) is not None:
            taken += data
        return taken

    def _following(self) -> bytes | None:
        assert self.next is not None
        for sequence, data in self.early.items():
            known = (self.next - sequence) & 0xFFFFFFFF  # bytes of it that have come
            if known < _WINDOW:
                del self.early[sequence]
                fresh = data[known:]
                self.next = (self.next + len(fresh)) & 0xFFFFFFFF
                return fresh
        return None


class _Connection:
    """`client` is the end whose socket this is."""

    def __init__(self, socket: ReadSocket, client: Ends) -> None:
        self.socket = socket
        self.client = client
        self.halves = {"send": _Half(), "recv": _Half()}
        self.is_connected = not socket.begun
        self.is_over = False


class PacketReader:
    """Adds packets to a trace. `names`: of addresses, as far as the capture has them."""

    def __init__(self, trace: ReadTrace, names: dict[str, str]) -> None:
        self._trace = trace
        self._names = names
        self._connections: dict[Ends, _Connection] = {}
        self._datagrams: dict[Ends, _Connection] = {}
        self._notes: Counter[str] = Counter()

    def note(self, text: str) -> None:
        self._notes[text] += 1

    def read(self, link: int, time: int | None, data: bytes) -> None:
        try:
            segment = parse_packet(link, data)
        except ValueError as error:
            self.note(str(error))
            return
        if segment is None:
            self.note("packets that are neither TCP nor UDP, or fragments")
        elif segment.is_tcp:
            self._segment(time, segment)
        else:
            self._datagram(time, segment)

    def finish(self) -> None:
        """Raises ValueError where there is nothing to read."""
        for connection in self._connections.values():
            for half in connection.halves.values():
                if half.early:
                    self.note(f"connections with a gap: {connection.socket.label}")
        notes = [f"{text}: {count}" for text, count in self._notes.items()]
        if not self._trace.sockets:
            raise ValueError("; ".join(["the capture has no bytes of TCP or UDP", *notes]))
        self._trace.notes.extend(notes)

    # --- UDP ---

    def _datagram(self, time: int | None, segment: Segment) -> None:
        found = _of(self._datagrams, segment.ends)
        if found is None:
            found = self._new(self._datagrams, segment.ends, "datagram")
        direction = "send" if segment.ends == found.client else "recv"
        half = found.halves[direction]
        remote = (found.client.target, found.client.target_port)
        self._trace.records.append(
            ReadBytes(time, found.socket, direction, half.offset, segment.data, remote)
        )
        half.offset += 1

    # --- TCP ---

    def _segment(self, time: int | None, segment: Segment) -> None:
        ends, flags = segment.ends, segment.flags
        found = _of(self._connections, ends)
        begins = bool(flags & SYN and not flags & ACK)
        if found is None or (begins and found.is_over):
            found = self._connect(time, segment, begins)
        if found is None or found.is_over:
            return
        direction = "send" if ends == found.client else "recv"
        half = found.halves[direction]
        if flags & SYN and flags & ACK and not found.is_connected:
            found.is_connected = True
            self._turn(time, found, "connected")
        data = half.take(segment)
        if data:
            self._trace.records.append(ReadBytes(time, found.socket, direction, half.offset, data))
            half.offset += len(data)
        if half.fin is not None and half.fin == half.next and not half.has_ended:
            half.has_ended = True
            self._turn(time, found, *(("closed", "fin") if direction == "send" else ("eof", "")))
        if flags & RST:
            self._reset(time, found, direction)
        elif all(half.has_ended for half in found.halves.values()):
            found.is_over = True

    def _connect(self, time: int | None, segment: Segment, begins: bool) -> _Connection | None:
        """None: a packet that is late, of a connection without bytes."""
        if not begins and (segment.flags & (FIN | RST) or not segment.data) and not segment.flags & SYN:
            return None
        ends = segment.ends
        answers = bool(segment.flags & SYN and segment.flags & ACK)
        from_server = answers or (not begins and ends.source_port < ends.target_port)
        self._connections.pop(ends.turned(), None)
        found = self._new(self._connections, ends.turned() if from_server else ends, "stream")
        if begins:
            found.socket.begun, found.is_connected = True, False
            self._turn(time, found, "connecting")
        return found

    def _reset(self, time: int | None, found: _Connection, direction: str) -> None:
        found.is_over = True
        if not found.is_connected and direction == "recv":
            self._turn(time, found, "failed", "econnrefused")
        elif direction == "recv":
            self._turn(time, found, "reset", "econnreset")
        else:
            self._turn(time, found, "closed", "reset")

    def _new(self, known: dict[Ends, _Connection], client: Ends, kind: str) -> _Connection:
        name = self._names.get(client.target, client.target)
        socket = ReadSocket(
            "", len(self._trace.sockets) + 1, kind, f"{name}:{client.target_port}",
            (client.source, client.source_port), (client.target, client.target_port), True,
        )  # fmt: skip
        self._trace.sockets.append(socket)
        made = known[client] = _Connection(socket, client)
        return made

    def _turn(self, time: int | None, found: _Connection, what: str, detail: str = "") -> None:
        socket = found.socket
        self._trace.records.append(ReadTurn(time, socket, what, detail, socket.local, socket.remote))


def _of(known: dict[Ends, _Connection], ends: Ends) -> _Connection | None:
    return known.get(ends) or known.get(ends.turned())
