"""Events as a capture file: each socket as it would look on a wire between the program and its peer.

    connect     SYN, SYN/ACK, ACK           a connection that the trace found open has no handshake
    bytes       segments, each acknowledged
    close       FIN or RST
    datagrams   UDP
    calls, faults                           a line of JSON, of the link type USER0
    bytes of unix sockets                   as they are, of the link type USER1

Packets are what the program saw: bytes that a rule held back arrive when they reach the program. A comment
says who, in which call, and which rule. There is an interface for each label.

Keys of TLS come before the packets that they open. While a node is asked for the keys of a connection, the
packets of that connection wait.

Where both ends of a connection are in the trace, the packets are those of the end that came first; the
other end's bytes are like those of unix sockets. Otherwise all bytes would be there twice, and look as if
they were sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from ..session.interference import OTHER
from .events import Call, Chance, Chunk, Event, Fault, Keys, RuleAdded, Track, Turn, owner_of
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
    build_keys,
    build_names,
    build_packet,
    build_section,
)

__all__ = ["CaptureWriter"]

_CALLS = "calls"
LONGEST_WAIT = 5_000_000_000  # ns that packets wait for keys
MOST_WAITING = 1 << 20  # bytes of one connection, roughly, that wait for keys
_NOWHERE: dict[int, tuple[str, int]] = {AF_INET: ("0.0.0.0", 0), AF_INET6: ("::", 0)}  # noqa: S104


class Wire:
    """One TCP connection on the wire. `ends` begins with the program's.

    has_other_end: the trace has that end, too.
    """

    __slots__ = (
        "__weakref__",
        "ends",
        "from_peer",
        "has_other_end",
        "is_over",
        "of_peer_ended",
        "ours_ended",
        "sent",
    )

    def __init__(self, ends: Ends, number: int) -> None:
        self.ends = ends
        self.sent = number << 20  # the next sequence numbers
        self.from_peer = self.sent + (1 << 19)
        self.ours_ended = self.of_peer_ended = self.is_over = self.has_other_end = False


class CaptureWriter:
    """See the module. `write` gets the blocks of the file."""

    def __init__(self, write: Callable[[bytes], object], application: str = "inetpy") -> None:
        self._write = write
        self._interfaces: dict[tuple[int, str, str], int] = {}
        self._named: set[tuple[str, str]] = set()
        self._wires: WeakKeyDictionary[Track, Wire | None] = WeakKeyDictionary()  # None: see `_wire`
        self._number = 0  # of the last wire
        self._by_ends: WeakValueDictionary[Ends, Wire] = WeakValueDictionary()
        self._waiting: dict[Track, list[Chunk | Turn]] = {}  # for keys
        self._given_up: WeakSet[Track] = WeakSet()  # keys come too late, if they come
        write(build_section(application))

    def event(self, event: Event) -> None:
        if self._waiting:
            self._look_at_clock(event.time)
        match event:
            case Turn() | Chunk():
                if event.track.awaits_keys or event.track in self._waiting:
                    self._wait(event)
                else:
                    self._packets(event)
            case Call() | Fault() | RuleAdded() | Chance():
                self._line(event)
            case Keys():
                self._keys(event)

    def finish(self) -> None:
        """Nothing more comes: neither do keys."""
        for track in list(self._waiting):
            self._release(track)

    def _packets(self, event: Chunk | Turn) -> None:
        if isinstance(event, Turn):
            self._turn(event)
        else:
            self._chunk(event)

    # --- keys ---

    def _keys(self, keys: Keys) -> None:
        if keys.lines:
            self._write(build_keys(keys.lines))
        if keys.track is not None:
            self._release(keys.track)

    def _wait(self, event: Chunk | Turn) -> None:
        track = event.track
        if track in self._given_up:
            return self._packets(event)
        waiting = self._waiting.setdefault(track, [])
        waiting.append(event)
        if sum(other.size for other in waiting) > MOST_WAITING:
            self._give_up(track)

    def _look_at_clock(self, now: int) -> None:
        for track, waiting in list(self._waiting.items()):
            if now - waiting[0].time > LONGEST_WAIT:
                self._give_up(track)

    def _give_up(self, track: Track) -> None:
        self._given_up.add(track)
        self._release(track)

    def _release(self, track: Track) -> None:
        for event in self._waiting.pop(track, []):
            self._packets(event)

    # --- what has no packets ---

    def _line(self, event: Event) -> None:
        interface = self._interface(LINK_CALLS, _CALLS, event.track)
        faults = event.faults if isinstance(event, Call) else []
        comments = [f"owner: {event.owner}"] if isinstance(event, Call) else []
        line = build_line(event).encode("utf-8", "replace")[:LARGEST_PACKET]
        self._packet(interface, event.time, line, [*comments, *_rules(faults)], 0)

    def _aside(self, event: Chunk | Turn, data: bytes, direction: int, comments: list[str]) -> None:
        """Of a socket without IP, or of the other end of a connection that is there already."""
        is_end = event.track.family in _NOWHERE and event.track.kind != OTHER
        label = f"{event.label} (other end)" if is_end else event.label
        interface = self._interface(LINK_BYTES, label, event.track)
        for start in range(0, len(data) or 1, LARGEST_PACKET):
            part = data[start : start + LARGEST_PACKET]
            self._packet(interface, event.time, part, comments, direction)

    # --- datagrams and streams ---

    def _chunk(self, chunk: Chunk) -> None:
        track = chunk.track
        direction = OUTBOUND if chunk.direction == "send" else INBOUND
        offset = chunk.offset if track.is_stream else 0
        hidden = [f"redacted: {offset + start}-{offset + end}" for start, end in chunk.redacted]
        comments = _comments(chunk, "", *([f"call: {chunk.call}"] if chunk.call else []), *hidden)
        if track.family not in _NOWHERE or track.kind == OTHER:
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

    def _wire(self, track: Track, begins: bool = False) -> Wire | None:
        """None: the other end is on the wire, or nothing is known of the addresses. begins: it is new."""
        if track in self._wires:
            return self._wires[track]
        if not isinstance(track.local, tuple) or not isinstance(track.remote, tuple):
            return None
        ends = _ends(track.local, track.remote)
        other = self._by_ends.get(ends.turned())
        if other is not None and not other.has_other_end:  # else the ports are those of a new connection
            other.has_other_end = True
            self._wires[track] = None
            return None
        if ends in self._by_ends and not begins:  # a copy of a descriptor
            self._wires[track] = None
            return None
        self._number += 1
        wire = self._wires[track] = self._by_ends[ends] = Wire(ends, self._number)
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
        comments = _comments(turn, f"{turn.what} {turn.detail}")
        if track.family == AF_UNIX:
            return self._aside(turn, b"", OUTBOUND, comments)
        if turn.what == "connecting":
            self._wires.pop(track, None)  # a socket of inetpy_socket may have failed, and tries again
        wire = self._wire_at(turn)
        if wire is None:
            return
        if not wire.is_over:
            act(self, turn, wire, comments)

    def _wire_at(self, turn: Turn) -> Wire | None:
        """The addresses as they were then; a connection that failed has lost them since."""
        track = turn.track
        begins = turn.what in ("connecting", "connected", "accepted")
        if track not in self._wires and begins:
            local, remote = turn.local, turn.remote
            if isinstance(local, tuple) and isinstance(remote, tuple):
                track.local, track.remote = local, remote
        return self._wire(track, begins)

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


def _comments(event: Chunk | Turn, what: str, *more: str) -> list[str]:
    """What `read_pcapng` knows the packets of `event` by. `what`: the turn."""
    facts = event.track.facts
    owner = event.owner if isinstance(event, Chunk) else facts.owner
    who = owner_of(owner, facts.lineage if owner == facts.owner else None)
    return [f"owner: {who}", f"socket: {event.track.ident} {what}".rstrip(), *more, *_rules(event.faults)]
