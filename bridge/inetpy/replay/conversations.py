"""What a client and a server said to each other, in the order in which one of them saw it.

for conversation in conversations(read_trace("run.jsonl"), of_servers=False):
    conversation.host, conversation.port, conversation.steps
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, TypeAlias

from ..trace.records import Address, ReadBytes, ReadCall, ReadSocket, ReadTrace, ReadTurn

__all__ = ["LOOKUPS", "Conversation", "End", "Message", "Part", "Step", "conversations", "looked_up"]


@dataclass(slots=True)
class Part:
    """Bytes that were sent, or came, in one piece.

    gap: ns since the step before; None where the trace has no times. redacted: [(start, end)] of what the
    recording has hidden.
    """

    data: bytes
    gap: int | None = None
    redacted: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    """All that one side says until the other side speaks; of datagrams one."""

    by_client: bool
    parts: list[Part]

    @property
    def data(self) -> bytes:
        return b"".join(part.data for part in self.parts)

    @property
    def redacted(self) -> list[tuple[int, int]]:
        """As that of a part, in all of the data."""
        found, before = [], 0
        for part in self.parts:
            found += [(before + start, before + end) for start, end in part.redacted]
            before += len(part.data)
        return found


@dataclass(slots=True)
class End:
    """A side sends no more. gap: as that of a part."""

    by_client: bool
    is_reset: bool
    gap: int | None = None


Step: TypeAlias = Message | End


@dataclass(eq=False, slots=True)
class Conversation:
    """One connection, or the datagrams of two addresses.

    host, port: of the server. A unix socket has its path as host, and no port.
    number: which one it is of those with this host and port, from 1 on.
    refused: why connecting failed, `econnrefused`; None where it did not.
    first, last: the numbers of its first and its last record.
    begun: in ns; None without times.
    """

    host: str
    port: int | None
    is_stream: bool
    number: int
    first: int
    steps: list[Step] = field(default_factory=list)
    refused: str | None = None
    last: int = 0
    begun: int | None = None

    def __str__(self) -> str:
        what = "connection" if self.is_stream else "conversation"
        return f"{what} {self.number} with {self.place}"

    @property
    def place(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def size(self, by_client: bool) -> int:
        """How many bytes, or datagrams, one side sends."""
        messages = [step for step in self.steps if isinstance(step, Message) and step.by_client is by_client]
        return sum(len(message.data) for message in messages) if self.is_stream else len(messages)

    def redacted(self, by_client: bool) -> int:
        """How many parts of what a side sends are hidden."""
        messages = [step for step in self.steps if isinstance(step, Message)]
        return sum(len(message.redacted) for message in messages if message.by_client is by_client)


def conversations(trace: ReadTrace, of_servers: bool) -> list[Conversation]:
    """Those of the sockets that connected; with `of_servers`, of those that were accepted, if there are any.

    They come in the order in which they began.
    """
    found = list(_Builder(trace).build())
    for is_server in (True, False) if of_servers else (False,):
        chosen = [conversation for conversation, of_server in found if of_server is is_server]
        if chosen:
            counts: Counter[str] = Counter()
            for conversation in chosen:
                counts[conversation.place] += 1
                conversation.number = counts[conversation.place]
            return chosen
    return []


class _Builder:
    def __init__(self, trace: ReadTrace) -> None:
        self._trace = trace
        self._names = {address: name for name, found in looked_up(trace).items() for address in found}
        self._found: dict[tuple[ReadSocket, Address], tuple[Conversation, bool]] = {}
        self._times: dict[Conversation, int | None] = {}

    def build(self) -> Iterator[tuple[Conversation, bool]]:
        """Each with whether its socket is the server's."""
        for number, record in enumerate(self._trace.records):
            if isinstance(record, ReadBytes):
                self._bytes(number, record)
            elif isinstance(record, ReadTurn) and record.socket.kind == "stream":
                self._turn(number, record)
        return iter(self._found.values())

    def _of(self, number: int, record: ReadBytes | ReadTurn) -> tuple[Conversation, bool]:
        socket = record.socket
        peer = record.peer if isinstance(record, ReadBytes) and socket.kind == "datagram" else None
        if (socket, peer) not in self._found:
            is_server = _is_server(record)
            host, port = self._place(socket, peer, is_server)
            made = Conversation(host, port, socket.kind == "stream", 0, number, begun=record.time)
            self._found[socket, peer] = made, is_server
            self._times[made] = record.time
        found = self._found[socket, peer]
        found[0].last = number
        return found

    def _place(self, socket: ReadSocket, peer: Address, is_server: bool) -> tuple[str, int | None]:
        address = socket.local if is_server else peer or socket.remote
        if isinstance(address, str) or (address is None and socket.port is None):
            return str(address or socket.label), None
        ip, port = address[:2] if isinstance(address, tuple) else (socket.host or "127.0.0.1", socket.port)
        if is_server:
            return ("::1" if ":" in ip else "127.0.0.1"), socket.port or port
        asked = socket.host if socket.kind == "stream" else self._names.get(ip)
        return asked or ip, port if address is not None else socket.port

    def _gap(self, conversation: Conversation, time: int | None) -> int | None:
        before, self._times[conversation] = self._times[conversation], time
        return None if time is None or before is None else max(time - before, 0)

    def _bytes(self, number: int, record: ReadBytes) -> None:
        conversation, is_server = self._of(number, record)
        by_client = (record.direction == "send") is not is_server
        part = Part(record.data, self._gap(conversation, record.time), record.redacted)
        last = conversation.steps[-1] if conversation.steps else None
        if conversation.is_stream and isinstance(last, Message) and last.by_client is by_client:
            last.parts.append(part)
        else:
            conversation.steps.append(Message(by_client, [part]))

    def _turn(self, number: int, turn: ReadTurn) -> None:
        if turn.what in ("connecting", "connected", "accepted"):
            conversation, _ = self._of(number, turn)
            self._times[conversation] = turn.time
        elif turn.what == "failed":
            self._of(number, turn)[0].refused = turn.detail
        elif turn.what in ("eof", "reset", "shutdown", "closed") and (turn.socket, None) in self._found:
            self._end(number, turn)

    def _end(self, number: int, turn: ReadTurn) -> None:
        """The end of our direction, or of the other one. A direction ends once."""
        conversation, is_server = self._of(number, turn)
        is_ours = turn.what in ("shutdown", "closed")
        if turn.detail == "read" or (turn.what == "closed" and not turn.detail):
            return
        by_client = is_ours is not is_server
        is_reset = turn.what == "reset" or turn.detail == "reset"
        ends = [step for step in conversation.steps if isinstance(step, End)]
        if not any(end.by_client is by_client or end.is_reset for end in ends):
            conversation.steps.append(End(by_client, is_reset, self._gap(conversation, turn.time)))


def _is_server(record: ReadBytes | ReadTurn) -> bool:
    """A socket of datagrams is a server where the other end speaks first."""
    socket = record.socket
    if socket.kind == "datagram" and isinstance(record, ReadBytes):
        return record.direction == "recv"
    if socket.is_client is None:
        return socket.label.startswith(":")
    return not socket.is_client


def looked_up(trace: ReadTrace) -> dict[str, list[str]]:
    """The names that the program looked up, each with its addresses; with none where it has none."""
    found: dict[str, list[str]] = {}
    for record in trace.records:
        match record:
            case ReadCall(op=op, args={"arguments": [name, *_]}, answer=[_, answer]) if op in LOOKUPS:
                known = found.setdefault(_text(name), [])
                known += [ip for ip in _addresses(answer) if ip not in known]
    return found


LOOKUPS = ("getaddr", "getaddrs", "gethostbyname")


def _text(value: Any) -> str:
    return str(value["text"] if isinstance(value, dict) else value)


def _addresses(answer: Any) -> Iterator[str]:
    """The IP addresses in an answer, whose terms are lists."""
    match answer:
        case [int(), int(), int(), int()]:
            yield ".".join(map(str, answer))
        case [int(), int(), int(), int(), int(), int(), int(), int()]:
            yield str(IPv6Address(b"".join(part.to_bytes(2, "big") for part in answer)))
        case list():
            for element in answer:
                yield from _addresses(element)
