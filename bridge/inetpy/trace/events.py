"""What a trace has, in the order in which it happened.

    Call     what a program asked: op, arguments, answer, start and end
    Chunk    bytes, or one datagram, as the program sent or received them
    Turn     a turn in the life of a socket: opened, connected, eof, closed, ...
    Fault    a rule has acted
    Keys     what opens the bytes of TLS connections
    RuleAdded, Chance       a rule is there; and where it happens, though it might not have

Each event has the `Track` of its socket: what the trace knows of it. Times are nanoseconds since 1970.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..codec.etf import decode
from ..codec.terms import Atom, Pid
from .plain import plain, text_of_pid

__all__ = [
    "Call", "Chance", "Chunk", "Event", "Facts", "Fault", "Keys", "Owner", "Peer", "RuleAdded", "Track",
    "Turn",
]  # fmt: skip

EVENT = 400  # bytes that an event takes besides its data, roughly


Facts = Any  # what is known of a socket: `network.whom.Facts`


class Owner(NamedTuple):
    """The process that a socket belongs to.

    name: the registered name; None where it has none, or none is known.
    application: that of the process.
    """

    pid: str
    name: str | None = None
    application: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.pid, self.name, self.application and f"({self.application})")))


def owner_of(pid: Pid, lineage: tuple[object, ...] | None) -> Owner:
    """`lineage` has the process itself first, and then its own name and application: see inetpy_lineage."""
    name = application = None
    for member in (lineage or ())[1:]:
        if isinstance(member, Atom) and name is None and application is None:
            name = member.name
        elif isinstance(member, tuple) and application is None:
            application = member[1].name
        else:
            break  # what it descends from
    return Owner(text_of_pid(pid), name, application)


class Peer(NamedTuple):
    """The other end: the host as the program asked for it, else its address; the port."""

    host: str | None
    port: int | None

    def __str__(self) -> str:
        return f"{self.host or ''}{'' if self.port is None else f':{self.port}'}"


class Track:
    """One socket.

    node: the name of its node.
    ident: its number there.
    local, remote: addresses as the `socket` module has them; None while they are not known.
    sent, received: bytes, or datagrams, since the trace began.
    begun: whether the trace has the beginning of the socket.
    opened_by: the call that opened it; None where that was before the trace.
    calls: those that have no answer yet.
    tap: see `taps`.
    is_tls: whether TLS has begun on it. awaits_keys: the node has been asked for its keys.
    base: by direction, how many bytes had come before those that the rules of the socket count.
    pending: faults of the method that runs. marks: those that acted on what the program has not seen yet,
        by direction, with their offsets. struck: the same, for the next turn.
    """

    __slots__ = (
        "__weakref__", "awaits_keys", "base", "begun", "calls", "facts", "family", "ident", "is_tls", "kind",
        "local", "marks", "node", "opened_at", "opened_by", "pending", "received", "remote", "sent",
        "session", "struck", "tap",
    )  # fmt: skip

    def __init__(self, session: int, node: str, ident: int, kind: str, family: int, facts: Facts) -> None:
        self.session = session
        self.node = node
        self.ident = ident
        self.kind = kind
        self.family = family
        self.facts = facts
        self.local: Any = None
        self.remote: Any = None
        self.sent = self.received = 0
        self.begun = False
        self.opened_at: int | None = None
        self.opened_by: Call | None = None
        self.calls: dict[bytes, Call] = {}
        self.tap: Any = None
        self.is_tls = self.awaits_keys = False
        self.base = {"send": 0, "recv": 0}
        self.pending: list[str] = []
        self.struck: list[str] = []
        self.marks: dict[str, list[tuple[int, str]]] = {"send": [], "recv": []}

    def __repr__(self) -> str:
        return f"<{self.kind} {self.ident} {self.label}>"

    @property
    def label(self) -> str:
        return str(self.facts.label)

    @property
    def is_stream(self) -> bool:
        return self.kind == "stream"

    @property
    def peer(self) -> Peer:
        return Peer(self.facts.host, self.facts.port)


class Event:
    """See the module.

    time: when it happened; of a call, when it was answered.
    size: bytes of memory.
    """

    __slots__ = ("size", "time", "track")
    word = ""

    def __init__(self, time: int, track: Track | None, size: int = 0) -> None:
        self.time = time
        self.track = track
        self.size = EVENT + size

    @property
    def facts(self) -> Facts:
        """Of the socket."""
        return None if self.track is None else self.track.facts

    @property
    def label(self) -> str:
        return "" if self.track is None else self.track.label


class Call(Event):
    """A request of a program.

    op: connect, listen, accept, send, recv, close, setopts, ...: the name that the function has. The
        functions of `inet` that take no socket have their own name, getaddrs for example.
    args: the arguments by name, as plain values.
    answer: what the function returned, as a plain value: "ok", or ("error", "closed"). None while there is
        none.
    start, end: in ns; `end` is None while there is no answer.
    faults: the rules that acted on it.
    facts: of the socket, for `whom`.
    fields, encoded_answer: arguments and answer as terms of Erlang.
    peer, owner, label: of the socket.
    """

    __slots__ = (
        "_facts", "_lineage", "_peer", "encoded_answer", "end", "faults", "fields", "node", "op", "owner_pid",
        "start",
    )  # fmt: skip
    word = "call"

    def __init__(
        self,
        op: str,
        start: int,
        track: Track | None,
        fields: dict[str, Any],
        size: int,
        node: str,
        facts: Facts,
        peer: Peer,
    ) -> None:
        super().__init__(start, track, size)
        self.op = op
        self.start = start
        self.end: int | None = None
        self.faults: list[str] = []
        self._facts = facts
        self.node = node
        self.fields = fields
        self.owner_pid: Pid = facts.owner
        self._lineage: tuple[object, ...] | None = facts.lineage
        self._peer = peer
        self.encoded_answer: bytes | None = None

    def __repr__(self) -> str:
        faults = f" {', '.join(self.faults)}" if self.faults else ""
        return f"<Call {self.op} {self.label or self.peer} {self.answer!r}{faults}>"

    @property
    def args(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in self.fields.items()}

    @property
    def answer(self) -> Any:
        return None if self.encoded_answer is None else plain(decode(b"\x83" + self.encoded_answer))

    @property
    def facts(self) -> Facts:
        return self._facts if self.track is None else self.track.facts

    @property
    def label(self) -> str:
        return str(self.facts.label)

    @property
    def peer(self) -> Peer:
        track = self.track
        is_its_own = track is not None and self._peer.host in (None, track.facts.peer)
        return track.peer if track is not None and is_its_own else self._peer

    @property
    def owner(self) -> Owner:
        pid, lineage = self.owner_pid, self._lineage
        if lineage is None and self.facts.owner == pid:
            lineage = self.facts.lineage  # the node has said it since
        return owner_of(pid, lineage)

    def answered(self, time: int, answer: bytes) -> None:
        self.time = self.end = time
        self.encoded_answer = answer
        self.size += len(answer)


class Chunk(Event):
    """Bytes of a stream, or one datagram, as the program saw them.

    direction: `send` or `recv`.
    offset: bytes of that direction before it, since the trace began; for datagrams, how many there were.
    peer: the address of a datagram.
    call: the op during which they moved; "" where they came for an active socket, or left later.
    redacted: [(start, end)] of the data that nobody may see; stars are there.
    faults: the rules that touched them.
    """

    __slots__ = ("call", "data", "direction", "faults", "offset", "owner", "peer", "redacted")
    word = "bytes"
    track: Track

    def __init__(
        self, time: int, track: Track, direction: str, offset: int, data: bytes, peer: Any, call: str
    ) -> None:
        super().__init__(time, track, len(data))
        self.direction = direction
        self.offset = offset
        self.data = data
        self.peer = peer
        self.call = call
        self.redacted: list[tuple[int, int]] = []
        self.faults: list[str] = []
        self.owner = track.facts.owner

    def __repr__(self) -> str:
        return f"<Chunk {self.label} {self.direction} at {self.offset}: {self.data[:40]!r}>"


class Turn(Event):
    """A turn in the life of a socket.

    what: opened, listening, connecting, connected, accepted, failed, eof, shutdown, reset, error, closed.
    detail: the name of an error; of a shutdown, `read`, `write` or `read_write`; of `closed`, `fin` or
        `reset`, or "" where there was no connection.
    local, remote: addresses.
    """

    __slots__ = ("detail", "faults", "local", "remote", "what")
    word = "socket"
    track: Track

    def __init__(self, time: int, track: Track, what: str, detail: str = "") -> None:
        super().__init__(time, track)
        self.what = what
        self.detail = detail
        self.local = track.local
        self.remote = track.remote
        self.faults: list[str] = []

    def __repr__(self) -> str:
        return f"<Turn {self.label} {self.what} {self.detail}>"


class Fault(Event):
    """A rule has acted.

    rule: as text, `latency(200)`. call: at which call, or in which direction. offset: bytes or datagrams
    before it in that direction; None at a call.
    """

    __slots__ = ("at", "call", "offset", "rule")
    word = "fault"

    def __init__(
        self, time: int, track: Track | None, at: str, rule: str, call: str, offset: int | None
    ) -> None:
        super().__init__(time, track)
        self.at = at
        self.rule = rule
        self.call = call
        self.offset = offset

    def __repr__(self) -> str:
        return f"<Fault {self.rule} at {self.call} of {self.at}>"

    @property
    def label(self) -> str:
        return self.at


class Keys(Event):
    """Keys of TLS connections: see `keys`.

    lines: as in a file of SSLKEYLOGFILE; none where the node has no keys of the socket.
    """

    __slots__ = ("lines",)
    word = "keys"

    def __init__(self, time: int, track: Track | None, lines: list[str]) -> None:
        super().__init__(time, track, sum(map(len, lines)))
        self.lines = lines

    def __repr__(self) -> str:
        return f"<Keys {self.label}: {len(self.lines)} lines>"


class RuleAdded(Event):
    """A rule of the network is there. With its chances, that is enough to repeat a run.

    number: of the rule, in this run. rule: as text. by: who has added it, `file`, `program` or `shell`.
    seed: of its random numbers. facts_of_rule: what was said to make it: see `network.scripts`.
    """

    __slots__ = ("by", "facts_of_rule", "number", "rule", "seed")
    word = "rule"

    def __init__(self, time: int, number: int, rule: str, by: str, seed: str, facts: dict[str, Any]) -> None:
        super().__init__(time, None, len(seed))
        self.number = number
        self.rule = rule
        self.by = by
        self.seed = seed
        self.facts_of_rule = facts

    def __repr__(self) -> str:
        return f"<RuleAdded {self.number}: {self.rule}>"


class Chance(Event):
    """A rule happens that might not have. number, rule: as of `RuleAdded`. place: see `network.scripts`."""

    __slots__ = ("number", "place", "rule")
    word = "chance"

    def __init__(self, time: int, number: int, rule: str, place: tuple[int, str, int]) -> None:
        super().__init__(time, None)
        self.number = number
        self.rule = rule
        self.place = place

    def __repr__(self) -> str:
        return f"<Chance {self.rule} at {self.place}>"
