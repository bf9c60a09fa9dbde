"""Events as a capture file: each socket as it would look on a wire between the program and its peer.

    connect     SYN, SYN/ACK, ACK           a connection that the trace found open has no handshake
    bytes       segments, each acknowledged
    close       FIN or RST
    datagrams   UDP
    calls, faults                           a line of JSON, of the link type USER0
    bytes of unix sockets                   as they are, of the link type USER1

Packets are what the program saw: bytes that a rule held back arrive when they reach the program. A comment
says who, in which call, and which rule. There is an interface for each label.

Where both ends of a connection are in the trace, the packets are those of the end that came first; the
other end's bytes are like those of unix sockets. Otherwise all bytes would be there twice, and look as if
they were sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from .events import Call, Chunk, Event, Fault, Track, Turn, owner_of
from .jsonl import build_line
from .packets import ACK, FIN, LARGEST, PSH, RST, SYN, Ends, build_tcp, build_udp, of_one_family, plain_ip
from .pcapng import (
    INBOUND,
    LARGEST_PACKET,
    LINK_BYTES,
    LINK_CALLS,
    LINK_RAW,
    OUTBOUND,
    build_interface,
    build_names,
    build_packet,
    build_section,
)

__all__ = ["CaptureWriter"]

_CALLS = "calls"
_NOWHERE: dict[int, tuple[str, int]] = {AF_INET: ("0.0.0.0", 0), AF_INET6: ("::", 0)}  # noqa: S104


class Wire:
    """One TCP connection on the wire. `ends` begins with the program's."""

    __slots__ = ("__weakref__", "ends", "from_peer", "is_over", "of_peer_ended", "ours_ended", "sent")

    def __init__(self, ends: Ends, number: int) -> None:
        self.ends = ends
        self.sent = number << 20  # the next sequence numbers
        self.from_peer = self.sent + (1 << 19)
        self.ours_ended = self.of_peer_ended = self.is_over = False


class CaptureWriter:
    """See the module. `write` gets the blocks of the file."""

    def __init__(self, write: Callable[[bytes], object], application: str = "inetpy") -> None:
        self._write = write
        self._interfaces: dict[tuple[int, str, str], int] = {}
        self._named: set[tuple[str, str]] = set()
        self._wires: WeakKeyDictionary[Track, Wire] = WeakKeyDictionary()
        self._by_ends: WeakValueDictionary[Ends, Wire] = WeakValueDictionary()
        write(build_section(application))

    def event(self, event: Event) -> None:
        match event:
            case Turn():
                self._turn(event)
            case Chunk():
                self._chunk(event)
            case Call() | Fault():
                self._line(event)

    # --- what has no packets ---

    def _line(self, event: Event) -> None:
        interface = self._interface(LINK_CALLS, _CALLS, event.track)
        faults = event.faults if isinstance(event, Call) else []
        comments = [f"owner: {event.owner}"] if isinstance(event, Call) else []
        line = build_line(event).encode("utf-8", "replace")[:LARGEST_PACKET]
        self._packet(interface, event.time, line, [*comments, *_rules(faults)], 0)

    def _aside(self, event: Chunk | Turn, data: bytes, direction: int, comments: list[str]) -> None:
        """Of a socket without IP, or of the other end of a connection that is there already."""
        label = event.label if event.track.family == AF_UNIX else f"{event.label} (other end)"
        interface = self._interface(LINK_BYTES, label, event.track)
        for start in range(0, len(data) or 1, LARGEST_PACKET):
            part = data[start : start + LARGEST_PACKET]
            self._packet(interface, event.time, part, comments, direction)

    # --- datagrams and streams ---

    def _chunk(self, chunk: Chunk) -> None:
        track = chunk.track
        direction = OUTBOUND if chunk.direction == "send" else INBOUND
        comments = _comments(chunk, f"call: {chunk.call}" if chunk.call else "")
        if track.family == AF_UNIX:
            self._aside(chunk, chunk.data, direction, comments)
        elif not track.is_stream:
            self._datagram(chunk, direction, comments)
        else:
            wire = self._wire(track)
            if wire is None:
                self._aside(chunk, chunk.data, direction, comments)
            else:
                self._segments(chunk, wire, direction, comments)

    def _datagram(self, chunk: Chunk, direction: int, comments: list[str]) -> None:
        track = chunk.track
        nowhere = _NOWHERE[track.family]
        near, far = track.local or nowhere, chunk.peer or track.remote or nowhere
        ends = _ends(near, far)
        self._name(track, ends.target)
        data = build_udp(ends if direction == OUTBOUND else ends.turned(), chunk.data)
        self._packet(self._interface(LINK_RAW, track.label, track), chunk.time, data, comments, direction)

    def _wire(self, track: Track) -> Wire | None:
        """None: the other end is on the wire, or nothing is known of the addresses."""
        if track in self._wires:
            return self._wires[track]
        if not isinstance(track.local, tuple) or not isinstance(track.remote, tuple):
            return None
        ends = _ends(track.local, track.remote)
        other = self._by_ends.get(ends.turned())
        if other is not None and not (other.ours_ended and other.of_peer_ended) and not other.is_over:
            return None
        wire = self._wires[track] = self._by_ends[ends] = Wire(ends, len(self._wires) + 1)
        self._name(track, ends.target)
        return wire

    def _segments(self, chunk: Chunk, wire: Wire, direction: int, comments: list[str]) -> None:
        data = chunk.data
        for start in range(0, len(data), LARGEST):
            part = data[start : start + LARGEST]
            self._segment(chunk, wire, direction, PSH | ACK, part, comments)
            self._segment(chunk, wire, INBOUND + OUTBOUND - direction, ACK)

    def _segment(
        self,
        event: Chunk | Turn,
        wire: Wire,
        direction: int,
        flags: int,
        data: bytes = b"",
        comments: list[str] | None = None,
    ) -> None:
        if direction == OUTBOUND:
            ends, sequence, acknowledged = wire.ends, wire.sent, wire.from_peer
        else:
            ends, sequence, acknowledged = wire.ends.turned(), wire.from_peer, wire.sent
        packet = build_tcp(ends, sequence, acknowledged if flags & ACK else 0, flags, data)
        step = len(data) + bool(flags & (SYN | FIN))
        if direction == OUTBOUND:
            wire.sent += step
        else:
            wire.from_peer += step
        interface = self._interface(LINK_RAW, event.label, event.track)
        self._packet(interface, event.time, packet, comments or [], direction)

    # --- the life of a connection ---

    def _turn(self, turn: Turn) -> None:
        track = turn.track
        act = _TURNS.get(turn.what)
        if act is None or not track.is_stream:
            return
        comments = _comments(turn, f"socket: {turn.what} {turn.detail}".rstrip())
        if track.family == AF_UNIX:
            return self._aside(turn, b"", OUTBOUND, comments)
        wire = self._wire_at(turn)
        if wire is None:
            return
        if not wire.is_over:
            act(self, turn, wire, comments)

    def _wire_at(self, turn: Turn) -> Wire | None:
        """The addresses as they were then; a connection that failed has lost them since."""
        track = turn.track
        if track not in self._wires and turn.what in ("connecting", "connected", "accepted"):
            local, remote = turn.local, turn.remote
            if isinstance(local, tuple) and isinstance(remote, tuple):
                track.local, track.remote = local, remote
        return self._wire(track)

    def _connecting(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        self._segment(turn, wire, OUTBOUND, SYN, comments=comments)

    def _connected(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        self._segment(turn, wire, INBOUND, SYN | ACK, comments=comments)
        self._segment(turn, wire, OUTBOUND, ACK)

    def _accepted(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        self._segment(turn, wire, INBOUND, SYN, comments=comments)
        self._segment(turn, wire, OUTBOUND, SYN | ACK)
        self._segment(turn, wire, INBOUND, ACK)

    def _failed(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        if turn.detail == "econnrefused":
            self._segment(turn, wire, INBOUND, RST | ACK, comments=comments)
        wire.is_over = True

    def _eof(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        if not wire.of_peer_ended:
            self._segment(turn, wire, INBOUND, FIN | ACK, comments=comments)
            self._segment(turn, wire, OUTBOUND, ACK)
            wire.of_peer_ended = True

    def _ended(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        """Our end has sent all."""
        if not wire.ours_ended:
            self._segment(turn, wire, OUTBOUND, FIN | ACK, comments=comments)
            self._segment(turn, wire, INBOUND, ACK)
            wire.ours_ended = True

    def _shutdown(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        if turn.detail != "read":
            self._ended(turn, wire, comments)

    def _reset(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        self._segment(turn, wire, INBOUND, RST | ACK, comments=comments)
        wire.is_over = True

    def _closed(self, turn: Turn, wire: Wire, comments: list[str]) -> None:
        if turn.detail == "reset":
            self._segment(turn, wire, OUTBOUND, RST | ACK, comments=comments)
            wire.is_over = True
        elif turn.detail == "fin":
            self._ended(turn, wire, comments)

    # --- blocks ---

    def _interface(self, link: int, name: str, track: Track | None) -> int:
        node = "" if track is None else track.node
        key = (link, "" if link == LINK_CALLS else node, name)
        number = self._interfaces.get(key)
        if number is None:
            number = self._interfaces[key] = len(self._interfaces)
            self._write(build_interface(link, name, f"{name} of {node}" if key[1] else name))
        return number

    def _name(self, track: Track, address: str) -> None:
        """The name as the program asked for it."""
        host = track.facts.host
        named = track.facts.peer is not None and host not in (None, track.facts.peer)
        if named and (address, host) not in self._named and address == plain_ip(track.facts.peer):
            self._named.add((address, host))
            self._write(build_names([(address, host)]))

    def _packet(self, interface: int, time: int, data: bytes, comments: list[str], direction: int) -> None:
        self._write(build_packet(interface, time, data, comments, direction))


_TURNS: dict[str, Callable[[CaptureWriter, Turn, Wire, list[str]], None]] = {
    "connecting": CaptureWriter._connecting,
    "connected": CaptureWriter._connected,
    "accepted": CaptureWriter._accepted,
    "failed": CaptureWriter._failed,
    "eof": CaptureWriter._eof,
    "shutdown": CaptureWriter._shutdown,
    "reset": CaptureWriter._reset,
    "closed": CaptureWriter._closed,
}


def _ends(near: Any, far: Any) -> Ends:
    source, target = of_one_family(near[0], far[0])
    return Ends(source, near[1], target, far[1])


def _rules(faults: list[str]) -> list[str]:
    return [f"rule: {fault}" for fault in faults]


def _comments(event: Chunk | Turn, what: str) -> list[str]:
    facts = event.track.facts
    owner = event.owner if isinstance(event, Chunk) else facts.owner
    comments = [f"owner: {owner_of(owner, facts.lineage if owner == facts.owner else None)}"]
    if what:
        comments.append(what)
    return [*comments, *_rules(event.faults)]
