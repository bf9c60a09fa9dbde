"""A trace as it was read from a file: see `read`.

    ReadCall     what a program asked
    ReadBytes    bytes of a stream, or one datagram
    ReadTurn     a turn in the life of a socket: opened, connected, eof, closed, ...
    ReadFault    a rule has acted

They have the words of `events`, with plain values. Times are nanoseconds since 1970; None where the file was
written without times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = [
    "ReadBytes",
    "ReadCall",
    "ReadFault",
    "ReadRecord",
    "ReadRule",
    "ReadSocket",
    "ReadTrace",
    "ReadTurn",
]

Address: TypeAlias = tuple[Any, ...] | str | None  # (IP address, port, ...), or the path of a unix socket


@dataclass(eq=False, slots=True)
class ReadSocket:
    """One socket. Two are equal when they are the same object.

    node: the name of its node; "" where a capture of another program has none.
    number: its number there. Of such a capture: that of the connection, or of the pair of addresses.
    kind: stream, datagram or listener.
    label: the host and port that a client asked for, `db.example:5432`; of others the own port, `:5432`.
    local, remote: addresses.
    is_client: whether it connected; False: it was accepted. None where the trace does not tell.
    begun: whether the trace has its beginning.
    """

    node: str
    number: int
    kind: str
    label: str
    local: Address = None
    remote: Address = None
    is_client: bool | None = None
    begun: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.number} {self.label}"

    @property
    def host(self) -> str | None:
        """The host that a client asked for; None of a server."""
        return self._place()[0]

    @property
    def port(self) -> int | None:
        """The port of the server: the one that was asked for, or the own one."""
        return self._place()[1]

    def _place(self) -> tuple[str | None, int | None]:
        host, _, port = self.label.rpartition(":")
        if port.isdecimal():
            return host or None, int(port)
        address = self.local if self.is_client is False else self.remote
        number = address[1] if isinstance(address, tuple) and len(address) > 1 else None
        return (self.label if self.is_client else None), number


@dataclass(eq=False, slots=True)
class ReadCall:
    """op: connect, send, getaddrs, ...

    socket: None of a call that has none. peer: (host, port), each may be None. owner: pid, registered name,
    application. args, answer: as `jsonl` writes them. start, end: in ns; end is None without an answer.
    faults: the rules that acted on it.
    """

    time: int | None
    socket: ReadSocket | None
    op: str
    peer: tuple[str | None, int | None] = (None, None)
    owner: dict[str, str | None] = field(default_factory=dict)
    args: Any = None
    answer: Any = None
    start: int | None = None
    end: int | None = None
    faults: list[str] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class ReadBytes:
    """direction: `send` or `recv`, as the socket has it. offset: bytes, or datagrams, before it there.

    peer: the address of a datagram. call: during which they moved, or "". redacted: [(start, end)] of what
    the recording has hidden; that are stars now. faults: the rules that touched them.
    """

    time: int | None
    socket: ReadSocket
    direction: str
    offset: int
    data: bytes
    peer: Address = None
    call: str = ""
    redacted: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class ReadTurn:
    """what: opened, listening, connecting, connected, accepted, failed, eof, shutdown, reset, error, closed.

    detail, local, remote, faults: as of `events.Turn`.
    """

    time: int | None
    socket: ReadSocket
    what: str
    detail: str = ""
    local: Address = None
    remote: Address = None
    faults: list[str] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class ReadFault:
    """rule: as text. at: the label of its socket. call: the call or direction. offset: where it acted."""

    time: int | None
    socket: ReadSocket | None
    rule: str
    at: str = ""
    call: str = ""
    offset: int | None = None


@dataclass(eq=False, slots=True)
class ReadRule:
    """number, by, seed, facts: as of `events.RuleAdded`.

    places: where it happened, though it might not have.
    """

    number: int
    by: str
    seed: str
    facts: dict[str, Any]
    places: list[tuple[int, str, int]] = field(default_factory=list)


ReadRecord: TypeAlias = ReadCall | ReadBytes | ReadTurn | ReadFault


@dataclass(slots=True)
class ReadTrace:
    """What a file has.

    records: in the order of the file.
    sockets: in the order in which they appear.
    rules: those that the recorded network had.
    notes: what is missing, a sentence each: the end of a file that was cut short, a packet that is not whole.
    """

    path: str
    records: list[ReadRecord] = field(default_factory=list)
    sockets: list[ReadSocket] = field(default_factory=list)
    rules: list[ReadRule] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, socket: ReadSocket) -> Iterator[ReadRecord]:
        """The records of one socket."""
        return (record for record in self.records if record.socket is socket)
