"""What was asked of the sockets, and what they sent and received: `network.trace`.

    network.trace.start()
    ...
    assert network.trace.calls("connect")[0].peer == ("redis.test", 6379)
    assert network.trace.sent(to="redis.test:6379", contains=b"PING")
    assert network.trace.leaks() == []
    network.trace.save("run.pcapng")

While nothing is recorded, nothing of this runs. Methods may be called from any thread.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import chain
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..codec.terms import Pid
from ..host.clock import time_ns
from ..host.files import claimed, replaced_file
from ..session.session import Session
from . import anywhere
from .whom import Facts, Whom

if TYPE_CHECKING:
    import asyncio

    from ..trace.events import Call, Owner, Peer, Track
    from ..trace.log import Record
    from ..trace.output import Writer
    from .engine import Engine
    from .node import NodeNetwork

__all__ = ["Leak", "Trace", "Transferred", "begin", "begin_in_file", "end", "new_record"]

T = TypeVar("T")

log = logging.getLogger(__name__)

MEMORY = 64 << 20  # bytes
MEMORY_BESIDE_FILE = 1 << 20  # where only the file is read


class Transferred(NamedTuple):
    """The bytes of some sockets, one socket behind the other. Datagrams come without a mark between them."""

    sent: bytes
    received: bytes


class Leak(NamedTuple):
    """A socket that is open.

    opened_by: the call that opened it; None where that was before the trace.
    opened_at: in ns since 1970; None as above.
    """

    kind: str
    label: str
    peer: Peer
    owner: Owner
    opened_at: int | None
    opened_by: Call | None


Data = bytes  # `Trace.bytes` hides the name
Step = str | tuple[str, str]


class Trace:
    """The trace of one network. `engine` has the sockets; `do` runs something where they are, in `loop`."""

    def __init__(
        self,
        engine: Engine,
        do: Callable[[Callable[[], T]], T],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = loop
        self._engine = engine
        self._do: Callable[[Callable[[], Any]], Any] = do
        self._record: Record | None = None  # the last one: what it has noted stays
        self._is_on = False

    def __repr__(self) -> str:
        return f"<Trace {'on' if self._is_on else 'off'}>"

    # --- on and off ---

    @property
    def is_on(self) -> bool:
        """Whether calls and bytes are recorded."""
        return self._is_on

    def start(
        self,
        *,
        file: str | PathLike[str] | None = None,
        memory: int = MEMORY,
        redact: Iterable[str | Data | re.Pattern[Data]] = (),
        **whom: Any,
    ) -> None:
        """Records from now on, also sockets that are open. What was recorded before is forgotten.

        file: where events go at once, besides memory. Its name ends in .jsonl or .pcapng. A file
            that is there is replaced. When it cannot be written any more, the trace ends: see `failure`.
        memory: bytes. The oldest events make room for new ones.
        redact: what nobody may see: names of headers, `"authorization"`, and patterns of bytes,
            `rb"password=(\\w+)"`. It is replaced by stars before it is noted.
        whom: the sockets, as for `Network.fault`; none is all sockets.

        Raises RuntimeError when it is on, ValueError for a wrong word, and OSError where the file cannot be
        opened.
        """
        if self._is_on:
            raise RuntimeError("the trace is on already: stop it first")
        record = new_record(memory, redact, whom, None if file is None else fspath(file))
        self._do(lambda: begin(self._engine, record))
        self._record = record
        self._is_on = True

    def stop(self) -> None:
        """Records no longer. What was recorded stays. Nothing happens when it is off."""
        record = self._record
        if self._is_on and record is not None:
            self._is_on = False
            self._do(lambda: end(self._engine, record))

    def clear(self) -> None:
        """Forgets what was recorded. Recording goes on, where it is on."""
        if self._record is not None:
            self._do(self._record.ring.clear)

    # --- what was recorded ---

    @property
    def dropped(self) -> int:
        """How many events had to make room for newer ones."""
        return 0 if self._record is None else self._record.ring.dropped

    @property
    def failure(self) -> str | None:
        """Why the trace has ended by itself; None: it has not."""
        return None if self._record is None else self._record.failure

    def events(self) -> list[Any]:
        """Calls, bytes, faults, turns in the life of sockets, rules, and more: see `inetpy.trace.events`."""
        record = self._record
        return [] if record is None else list(self._do(lambda: list(record.ring)))

    def calls(self, op: str | None = None, **whom: Any) -> list[Call]:
        """The calls of that name, in the order in which they began; of all names where it is None.

        op: connect, listen, accept, send, recv, close, setopts, getaddrs, ...
        whom: the sockets, as for `Network.fault`.

        Raises ValueError for a wrong word.
        """
        fits = Whom(whom).fits
        found: list[Any] = [event for event in self.events() if event.word == "call"]
        return [call for call in found if op in (None, call.op) and fits(call.facts)]

    def bytes(self, label: str | None = None, **whom: Any) -> Transferred:
        """What those sockets sent and received.

        label: a pattern, `"db.*:5432"`. whom: as for `calls`.
        """
        if label is not None:
            whom["label"] = label
        sent: dict[Track, list[bytes]] = {}
        received: dict[Track, list[bytes]] = {}
        for chunk in self._chunks(**whom):
            ways = sent if chunk.direction == "send" else received
            ways.setdefault(chunk.track, []).append(chunk.data)
        return Transferred(*(b"".join(chain.from_iterable(ways.values())) for ways in (sent, received)))

    def _chunks(self, **whom: Any) -> Iterator[Any]:
        fits = Whom(whom).fits
        for event in self.events():
            if event.word == "bytes" and fits(event.facts):
                yield event

    def save(self, path: str | PathLike[str], *, times: bool = True) -> None:
        """Writes what was recorded to a file, which is replaced.

        path: its name ends in `.jsonl` (a JSON object in each line), or in `.pcapng` (for Wireshark).
        times: False leaves out what differs from run to run in a `.jsonl`: the times.

        Raises ValueError for another ending, and OSError; then there is no file, or the one of before.
        """
        new_writer = writer_for(fspath(path), times)
        events = sorted(self.events(), key=lambda event: (event.word != "keys", event.time))
        with replaced_file(fspath(path)) as file:
            writer = new_writer(file.write)
            for event in events:
                writer.event(event)
            writer.finish()

    # --- assertions ---

    def sent(self, to: str | None = None, contains: Data = b"") -> bool:
        """Whether one of those sockets sent these bytes, in one piece or in several.

        to: a pattern of labels or of hosts, `"db.example:5432"` or `"db.*"`; all sockets where it is None.
            A datagram is looked at by its own destination, too.
        """
        streams: dict[Any, bytearray] = {}
        for chunk in self._chunks():
            if chunk.direction == "send" and _goes_to(chunk, to):
                key = chunk.track if chunk.track.is_stream else chunk
                streams.setdefault(key, bytearray()).extend(chunk.data)
        return any(contains in data for data in streams.values())

    def order(self, *steps: Step) -> bool:
        """Whether these calls were made in this order. Others may come in between.

        A step is the name of a call, `"connect"`, or that and a pattern of labels, `("send", "db.*")`.
        """
        wanted = [(step, "*") if isinstance(step, str) else step for step in steps]
        for call in self.calls():
            if wanted and call.op == wanted[0][0] and fnmatchcase(call.label, wanted[0][1]):
                del wanted[0]
        return not wanted

    def no_stray_messages(self, *, timeout: float | None = 5.0, **whom: Any) -> Any:
        """True where no process has a message of a socket that it has not received, `{tcp, Socket, Data}`.

        Looked at are the mailboxes of the processes that own, or have owned, a socket of the trace. The
        messages stay there.

        timeout: seconds that the nodes have for their answers; None is for ever.
        whom: the sockets, as for `calls`.

        In the loop of the servers: a task that gives True. Raises AssertionError with the messages,
        TimeoutError, and RuntimeError when the loop of the servers has ended.
        """
        if self._loop is None:
            raise RuntimeError("this network has no loop")
        from ..trace.plain import text_of_pid

        owners = self._owners(Whom(whom).fits)

        async def ask() -> bool:
            found = [
                one for node, pids in owners.items() for one in await self._engine.strays.ask(node, pids)
            ]
            lines = [f"  {text_of_pid(pid)}: {message}" for pid, messages in found for message in messages]
            if lines:
                raise AssertionError("\n".join(["nobody has received these messages of sockets:", *lines]))
            return True

        return anywhere.call(self._loop, ask, timeout)

    def _owners(self, fits: Callable[[Facts], bool]) -> dict[NodeNetwork, dict[Pid, None]]:
        """The processes that have had a socket, by their nodes."""
        owners: dict[NodeNetwork, dict[Pid, None]] = {}
        for event in self.events():
            if event.track is None:
                continue
            facts = event.facts
            if not fits(facts) or facts.node not in self._engine.nodes.values():
                continue
            pids = [facts.owner] + ([event.owner_pid] if event.word == "call" else [])
            owners.setdefault(facts.node, {}).update(dict.fromkeys(pids))
        return owners

    def leaks(self, **whom: Any) -> list[Leak]:
        """The sockets that are open now, each with the call that opened it. `whom` as for `calls`."""
        fits = Whom(whom).fits

        def find() -> list[Leak]:
            recorder = self._engine.recorder
            if recorder is None or not self._is_on:
                raise RuntimeError("the trace is off")
            tracks = [recorder.track_of(handle) for handle in self._engine.all_handles()]
            return [_leak(track) for track in tracks if fits(track.facts)]

        found: list[Leak] = self._do(find)
        return found


# --- how a trace begins and ends: also for Erlang, see `verbs` ---


def new_record(
    memory: int, redact: Iterable[str | bytes | re.Pattern[bytes]], whom: dict[str, Any], path: str | None
) -> Record:
    """A trace that is still to begin. Raises as `Trace.start`."""
    from ..trace.log import Record
    from ..trace.output import FileOutput
    from ..trace.redaction import Redaction

    if type(memory) is not int or memory <= 0:
        raise ValueError(f"memory is a number of bytes, not {memory!r}")
    match = Whom(whom).fits if whom else None
    redaction = Redaction(redact)
    output = None if path is None else FileOutput(path, writer_for(path))
    return Record(memory, match, redaction, output)


def begin(engine: Engine, record: Record) -> None:
    """From now on the record gets events."""
    from ..trace.recorder import Recorder

    recorder = engine.recorder or Recorder(_Sees(engine), time_ns)
    recorder.records.append(record)
    if engine.recorder is None:
        engine.record(recorder)
    for rule in engine.rules:
        engine.note_rule(rule)


def end(engine: Engine, record: Record) -> None:
    """The record gets no more. With the last one the recorder goes."""
    recorder = engine.recorder
    if recorder is not None:
        recorder.finish(record)
        if not recorder.records:
            engine.record(None)


def begin_in_file(engine: Engine, path: str) -> Record | None:
    """A trace of all sockets for `inetpy run --trace`. None, and a line in the log, where there is none."""
    try:
        own = claimed(path)
        if own is None:
            log.warning("the trace has another Python process already: this one is not traced")
            return None
        record = new_record(MEMORY_BESIDE_FILE, (), {}, own)
    except OSError as error:
        log.error("there is no trace: %s: %s", path, error.strerror)
        return None
    begin(engine, record)
    return record


def writer_for(path: str, times: bool = True) -> Callable[[Callable[[bytes], object]], Writer]:
    """What writes events to a file of that name. Raises ValueError where no format has that ending."""
    if path.endswith(".jsonl"):
        from ..trace.jsonl import LineWriter

        return lambda write: LineWriter(write, times)
    if path.endswith(".pcapng"):
        from ..trace.capture import CaptureWriter

        return CaptureWriter
    raise ValueError(f"the name of a trace ends in .jsonl or .pcapng, not {path!r}")


class _Sees:
    """What the recorder asks: see `trace.recorder.Sees`."""

    def __init__(self, engine: Engine) -> None:
        self.facts_of = engine.facts_of
        self._engine = engine

    def facts(
        self, session: Session, proto: str, role: str | None, owner: Pid, host: str | None, peer: Peer
    ) -> Facts:
        node = self._engine.nodes.get(session)
        asked = host or self._engine.places.name_of(peer.host)
        lineage = None if node is None else node.lineages.of(owner)
        return Facts(proto, role, owner, lineage, asked, peer.host, peer.port, node=node)

    def name_of(self, session: Session) -> str:
        node = self._engine.nodes.get(session)
        return session.node_name if node is None else node.name

    def ask_keys(self, session: Session, owner: Pid) -> None:
        session.link.keys(owner.raw)

    def new_keys(self) -> list[str]:
        return self._engine.keylog.lines()

    def over(self, _record: Record) -> None:
        self._engine.poller.soon(self._retire)

    def _retire(self) -> None:
        recorder = self._engine.recorder
        if recorder is not None and not recorder.records:
            self._engine.record(None)

    def fail(self, error: Exception) -> None:
        log.error("the recorder has not ended", exc_info=error)


def _goes_to(chunk: Any, pattern: str | None) -> bool:
    if pattern is None:
        return True
    facts = chunk.track.facts
    names = [facts.label, facts.host or ""]
    if isinstance(chunk.peer, tuple) and not chunk.track.is_stream:
        names += [str(chunk.peer[0]), f"{chunk.peer[0]}:{chunk.peer[1]}"]
    return any(fnmatchcase(name, pattern) for name in names)


def _leak(track: Track) -> Leak:
    from ..trace.events import owner_of

    facts = track.facts
    owner = owner_of(facts.owner, facts.lineage)
    return Leak(track.kind, track.label, track.peer, owner, track.opened_at, track.opened_by)
