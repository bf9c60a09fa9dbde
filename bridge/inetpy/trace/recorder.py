"""Notes the calls of some sessions, and the bytes of their sockets.

    recorder = Recorder(sees, now=time_ns)
    recorder.records.append(Record())
    recorder.attach(session)      from now on
    recorder.detach(session)      and no longer

Calls are seen at the door of the session and at its answers, bytes by the taps of the sockets. Both are
put in place when the recorder is attached, and are taken away again: without a recorder nothing of this
runs. `network.engine` tells of sockets that come, and of faults.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from threading import RLock
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from ..codec.etf import decode
from ..codec.terms import Atom, Pid
from ..names.addresses import FAMILIES, parse_address
from ..session.interference import kind_of, parse_context
from ..session.session import Session
from ..sockets import early
from ..wire.requests import SESSION, SOCKET, Operation
from .events import Call, Chance, Chunk, Event, Facts, Fault, Keys, Peer, RuleAdded, Track, Turn
from .keys import Asked, is_hello
from .log import Record
from .plain import plain, socket_in
from .redaction import STAR, hidden
from .taps import Taps

__all__ = ["Recorder", "Sees"]

log = logging.getLogger(__name__)

# The name of an operation in a trace, where it is another than on the wire.
_NAMES = {
    "connect_name": "connect", "send_large": "send", "sendto": "send",
    "socket_connected": "connect", "socket_fdopen": "open",
}  # fmt: skip
_PLAIN = "socket_"  # what operations of inetpy_socket begin with; the rest is the name that the function has
_UNSEEN = ("fault", "piece")  # the network's own requests, and parts of a call
_OPEN = {"accept", "connect", "fdopen", "listen", "open"}
# Fields that are no arguments of a program.
_INTERNAL = ("module", "owner", "preset", "feeder", "caller", "process", "handle", "socket", "last")
_ROLES = {"connect": "client", "listen": "listener"}
# The direction of a call's bytes, where it has another name.
_DIRECTIONS = {"recvfrom": "recv", "recvmsg": "recv", "sendto": "send", "sendmsg": "send", "sendv": "send"}
_NOBODY = Pid(b"X" + b"w\0" + bytes(12))


class Sees(Protocol):
    """What a recorder asks of the network."""

    def facts_of(self, handle: Any) -> Facts:
        """What is known of a socket."""

    def facts(
        self, session: Session, proto: str, role: str | None, owner: Pid, host: str | None, peer: Peer
    ) -> Facts:
        """What is known of a socket that is not there yet. `host` as the program asked for it."""

    def name_of(self, session: Session) -> str:
        """The name of its node."""

    def ask_keys(self, session: Session, owner: Pid) -> None:
        """Asks the node for the keys of a connection of TLS: see `Recorder.on_keys`."""

    def new_keys(self) -> list[str]:
        """The keys of Python's own sessions of TLS that are there since the last time."""

    def over(self, record: Record) -> None:
        """A record has ended by itself. Called in the middle of a call of a socket."""


Method = TypeVar("Method", bound=Callable[..., Any])


def _guarded(method: Method) -> Method:
    """A bug in the trace ends the trace, and not the program that is traced."""

    @functools.wraps(method)
    def guarded(recorder: Recorder, *args: Any) -> Any:
        if recorder.failure is not None:
            return None
        try:
            with recorder.lock:  # names are looked up in threads, where rules act on them
                return method(recorder, *args)
        except Exception as error:
            log.exception("the trace ends here")
            recorder.give_up(f"{type(error).__name__}: {error}")
            return None

    return cast("Method", guarded)


class Recorder:
    """See the module.

    now: the time, in ns.
    records: who gets the events. What one of them hides, all of them do not see.
    failure: why nothing is noted any more; None: all is well.
    """

    def __init__(self, sees: Sees, now: Callable[[], int]) -> None:
        self.records: list[Record] = []
        self.failure: str | None = None
        self.lock = RLock()
        self._sees = sees
        self._now = now
        self._taps = Taps(self)
        self._sessions: dict[Session, int] = {}  # their numbers
        self._numbered = 0
        self._tracks: WeakKeyDictionary[Any, Track] = WeakKeyDictionary()  # by handle
        self._by_number: WeakValueDictionary[int, Track] = WeakValueDictionary()  # of the facts
        self._calls: dict[tuple[int, bytes], Call] = {}  # those that have no answer yet
        self._current: Call | None = None  # the one that is carried out
        self._asked = Asked(self._ask_keys, self._note)

    # --- sessions ---

    def attach(self, session: Session) -> None:
        """Calls that wait already have been missed; sockets that are open are there from now on."""
        door: Any = session.door
        self._numbered += 1
        number = self._sessions[session] = self._numbered
        carry_out, answer = door.request, session.answer

        def request(op: str, ident: int, ref: bytes, args: Any) -> None:
            before = self._current
            self._current = None if op in _UNSEEN else self._begin(session, number, op, ident, ref, args)
            try:
                carry_out(op, ident, ref, args)
            finally:
                self._current = before

        def answered(ref: bytes, body: bytes, tail: bytes = b"") -> None:
            call = self._calls.pop((number, ref), None)
            if call is not None:
                self._end(session, call, ref, body + tail if tail else body)
            answer(ref, body, tail)

        def selected(ref: bytes, body: bytes, ident: int, process: bytes, handle: bytes) -> None:
            call = self._calls.pop((number, ref), None)
            if call is not None:
                self._end(session, call, ref, body)
            session.link.select(ref, body, ident, process, handle)

        door.request = request
        session.answer = answered
        session.select = selected
        session.fast.step_aside(True)
        early.stop(session)
        for handle in list(session.sockets.values()):
            self.follow(handle)

    def detach(self, session: Session) -> None:
        number = self._sessions.pop(session, None)
        if number is None:
            return
        self._asked.gone(self._now(), number)
        door: Any = session.door
        del door.request  # the method of its class is there again
        session.answer = session.link.answer
        session.select = session.link.select
        session.fast.step_aside(False)
        for handle in list(session.sockets.values()):
            self.leave(handle)

    def finish(self, record: Record) -> None:
        """The record gets nothing more. What it has it keeps. Twice is as once."""
        if record in self.records:
            self.records.remove(record)
            for call in self._calls.values():
                record.completed(call)  # without an answer
            record.close()

    def give_up(self, why: str) -> None:
        """All records end."""
        self.failure = why
        while self.records:
            record = self.records.pop()
            record.failure = why
            record.close()
            self._sees.over(record)

    def stop(self) -> None:
        """Nothing is noted any more."""
        for session in list(self._sessions):
            self.detach(session)
        self._taps.take_off_all()
        self._calls.clear()

    # --- sockets ---

    @_guarded
    def opened(self, handle: Any) -> None:
        """A socket is new: it was opened, or accepted."""
        track = self._track(handle)
        track.begun = True
        track.opened_at = self._now()
        call = self._current
        if call is not None and call.track is None:
            self._belongs(call, track)
        elif call is not None and track.facts.role == "accepted":
            track.opened_by = call
        self.follow(handle)
        self.on_turn(track, "accepted" if track.facts.role == "accepted" else "opened")

    def _belongs(self, call: Call, track: Track) -> None:
        """The call has opened the socket."""
        track.opened_by = call
        call.track = track
        for key, waiting in self._calls.items():
            if waiting is call:
                track.calls[key[1]] = call

    @_guarded
    def follow(self, handle: Any) -> None:
        """The socket of the handle is seen from now on; it may be another than before."""
        sock = handle.sock
        if sock is None or handle.session not in self._sessions:
            return
        track = self._track(handle)
        for direction, count in (("send", track.sent), ("recv", track.received)):
            track.base[direction] = count - (sock.passed(direction) if hasattr(sock, "passed") else 0)
        self._taps.put_on(sock, track, getattr(handle, "connecting", None) is not None)

    def leave(self, handle: Any) -> None:
        """The socket of the handle is as it was."""
        if handle.sock is not None:
            self._taps.take_off(handle.sock)

    def _track(self, handle: Any) -> Track:
        track = self._tracks.get(handle)
        if track is None:
            session = handle.session
            family = 0 if handle.sock is None else handle.sock.family
            facts = self._sees.facts_of(handle)
            number = self._sessions.get(session, 0)
            track = Track(
                number, self._sees.name_of(session), handle.ident, kind_of(handle.role), family, facts
            )
            self._tracks[handle] = track
            self._by_number[facts.number] = track
        track.kind = kind_of(handle.role)  # a socket of inetpy_socket listens later than it is opened
        return track

    def track_of(self, handle: Any) -> Track:
        """What is known of a socket, also of one that has been silent since the trace began."""
        return self._track(handle)

    # --- calls ---

    @_guarded
    def _begin(
        self, session: Session, number: int, op: str, ident: int, ref: bytes, args: Any
    ) -> Call | None:
        known = self._calls.get((number, ref))
        if known is not None:
            return known  # the same call, without its context now
        asked, owner = None, None
        found = parse_context(args)
        if found is not None:
            (asked, lineage), args = found
            owner = lineage[0] if lineage and isinstance(lineage[0], Pid) else None
        args = _copied(args)
        name, fields = _fields(op, ident, args)
        size = sum(len(value) for value in fields.values() if isinstance(value, bytes))
        if self._hides() and "data" in fields:
            fields["data"] = STAR * len(fields["data"])  # a secret may go over several calls
        if self._hides() and "iov" in fields:
            fields["iov"] = _HIDDEN_TERM
        track, peer = None, _peer_in(fields)
        handle = session.sockets.get(ident)
        if handle is not None:
            if handle not in self._tracks:
                self.follow(handle)  # it was opened where the network does not look
            track = self._track(handle)
            facts = track.facts
        else:
            facts = self._facts(session, name, fields, args, owner, asked, peer)
        if asked is not None:
            peer = Peer(asked, peer.port)
        call = Call(name, self._now(), track, fields, size, self._sees.name_of(session), facts, peer)
        self._calls[number, ref] = call
        if track is not None:
            track.calls[ref] = call
        for record in self.records:
            record.add(call, is_whole=False)
        return call

    def _hides(self) -> bool:
        return any(record.redaction for record in self.records)

    def _facts(
        self,
        session: Session,
        op: str,
        fields: dict[str, Any],
        args: Any,
        owner: Pid | None,
        asked: str | None,
        peer: Peer,
    ) -> Facts:
        """Of a socket that the call is to open."""
        pids = [field for field in args if isinstance(field, Pid)] if isinstance(args, tuple) else []
        family = fields.get("family", fields.get("domain"))
        is_datagram = op == "open" and fields.get("type", _DGRAM) == _DGRAM
        proto = "unix" if family == Atom("local") else "udp" if is_datagram else "tcp"
        return self._sees.facts(session, proto, _ROLES.get(op), (*pids, owner or _NOBODY)[0], asked, peer)

    @_guarded
    def _end(self, session: Session, call: Call, ref: bytes, body: bytes) -> None:
        if _DIRECTIONS.get(call.op, call.op) == "recv" and self._hides():
            body = _HIDDEN
        call.answered(self._now(), body)
        if call.op in _OPEN:
            self._opened_by(session, call, body)
        if call.track is not None:
            call.track.calls.pop(ref, None)
        for record in list(self.records):
            record.completed(call)
            self._look_at(record)

    def _opened_by(self, session: Session, call: Call, body: bytes) -> None:
        """The answer has the socket that the call opened."""
        ident = socket_in(decode(b"\x83" + body))
        handle = None if ident is None else session.sockets.get(ident)
        if handle is not None:
            track = self._track(handle)
            track.opened_by = call
            if call.track is None:
                call.track = track

    # --- what taps tell ---

    @_guarded
    def on_bytes(self, track: Track, direction: str, data: bytes, peer: Any, sock: Any) -> None:
        before = track.sent if direction == "send" else track.received
        count = len(data) if track.is_stream else 1
        if direction == "send":
            track.sent += count
        else:
            track.received += count
        call = self._call_of(track, direction)
        if track.is_stream and not self._hides():
            self._look_for_keys(track, data)
        masked = data
        for record in self.records:
            if record.redaction:
                masked = record.redaction.mask(masked, (track, direction) if track.is_stream else None)
        chunk = Chunk(self._now(), track, direction, before, masked, peer, "" if call is None else call.op)
        chunk.redacted = hidden(data, masked)
        shaping = [str(rule.what) for rule in sock.shaping(direction)] if hasattr(sock, "shaping") else []
        chunk.faults = [*shaping, *self._faults_until(track, direction, before + count)]
        self._blame(call, chunk.faults)
        self._note(chunk)

    def _look_for_keys(self, track: Track, data: bytes) -> None:
        """Before the bytes are noted that they are for."""
        if not track.is_tls:
            if not is_hello(data):
                return
            track.is_tls = True
            self._asked.ask(track)
        lines = self._sees.new_keys()
        if lines:
            self._note(Keys(self._now(), None, lines))

    def _ask_keys(self, number: int, owner: Pid) -> None:
        for session in [session for session, its in self._sessions.items() if its == number]:
            self._sees.ask_keys(session, owner)

    @_guarded
    def on_keys(self, session: Session, owner: Pid, lines: list[str]) -> None:
        """What the node answers; none where the process has no keys, or keeps them for itself."""
        number = self._sessions.get(session)
        if number is not None:
            self._asked.answered(self._now(), number, owner, [] if self._hides() else lines)

    def _faults_until(self, track: Track, direction: str, end: int) -> list[str]:
        """The faults of the method that runs, and those that had acted on what comes now."""
        faults, track.pending = track.pending, []
        marks = track.marks[direction]
        if marks:
            faults += [rule for offset, rule in marks if offset < end]
            track.marks[direction] = [mark for mark in marks if mark[0] >= end]
        return faults

    @_guarded
    def on_turn(self, track: Track, what: str, detail: str = "") -> None:
        turn = Turn(self._now(), track, what, detail)
        if what in ("failed", "eof", "reset", "error", "closed"):
            turn.faults = track.pending + track.struck
            track.pending, track.struck = [], []
            for call in track.calls.values():
                self._blame(call, turn.faults)
        if what == "closed":
            for record in self.records:
                record.redaction.forget((track, "send"))
                record.redaction.forget((track, "recv"))
        self._note(turn)

    def _call_of(self, track: Track, op: str) -> Call | None:
        """The call for which bytes move: the one that is carried out, or the one that waits."""
        current = self._current
        if current is not None and current.track is track and _moves(current, op):
            return current
        return next((call for call in track.calls.values() if _moves(call, op)), None)

    # --- faults ---

    @_guarded
    def on_fault(
        self, rule: str, call: str, number: int, label: str, offset: int | None, shapes: bool
    ) -> None:
        """A rule has acted on the socket with that number. shapes: on all that passes, from now on."""
        track = self._by_number.get(number)
        if track is not None and offset is not None:
            offset += track.base.get(call, 0)
        self._note(Fault(self._now(), track, label, rule, call, offset))
        if track is None:
            for waiting in self._asking(call, label):
                self._blame(waiting, [rule])
        elif not shapes:
            self._blame_socket(track, rule, call, offset)

    def _blame_socket(self, track: Track, rule: str, call: str, offset: int | None) -> None:
        if offset is None:
            if track.tap is not None and track.tap.is_inside:
                track.pending.append(rule)
        elif call in track.marks:
            track.marks[call].append((offset, rule))
            track.struck.append(rule)
        current = self._current
        if offset is None and current is not None and current.track is track:
            return self._blame(current, [rule])
        for waiting in track.calls.values():
            if offset is not None or _moves(waiting, call):
                self._blame(waiting, [rule])

    def _asking(self, call: str, label: str) -> Iterator[Call]:
        """The calls that a fault without a socket concerns: that look up a name, or open a socket."""
        if call != "resolve":
            if self._current is not None and self._current.track is None:
                yield self._current
            return
        for waiting in list(self._calls.values()):
            if waiting.track is None and waiting.peer.host == label:
                yield waiting

    def _blame(self, call: Call | None, rules: list[str]) -> None:
        if call is not None:
            call.faults += [rule for rule in rules if rule not in call.faults]

    @_guarded
    def on_rule(self, number: int, rule: str, by: str, seed: str, facts: dict[str, Any]) -> None:
        """A rule is there."""
        self._note(RuleAdded(self._now(), number, rule, by, seed, facts))

    @_guarded
    def on_chance(self, number: int, rule: str, place: tuple[int, str, int]) -> None:
        """The rule with that number happens."""
        self._note(Chance(self._now(), number, rule, place))

    # --- notes ---

    def _note(self, event: Event) -> None:
        for record in list(self.records):
            record.add(event)
            self._look_at(record)

    def _look_at(self, record: Record) -> None:
        """A record whose file takes no more has ended."""
        if record.failure is not None:
            self.records.remove(record)
            log.error("the trace ends: %s", record.failure)
            self._sees.over(record)


_HIDDEN = b"w\x06hidden"  # the atom `hidden`
_HIDDEN_TERM = Atom("hidden")
_DGRAM = Atom("dgram")


def _moves(call: Call, direction: str) -> bool:
    """Whether the bytes of a direction are those of the call; or a fault at a call of that name is."""
    return direction in (call.op, _DIRECTIONS.get(call.op))


def _copied(args: Any) -> Any:
    """Arguments that last: a view of a frame does not."""
    if isinstance(args, memoryview):
        return bytes(args)
    if isinstance(args, tuple) and any(isinstance(field, memoryview) for field in args):
        return tuple(bytes(field) if isinstance(field, memoryview) else field for field in args)
    return args


def _fields(op: str, ident: int, args: Any) -> tuple[str, dict[str, Any]]:
    """The name of a call, and its arguments by name. Arguments of a wrong shape are `args`."""
    operation = _operation(op, ident)
    names = () if operation is None else operation.record.fields
    values = (
        args if isinstance(args, tuple) and len(names) > 1 else () if args == [] and not names else (args,)
    )
    if operation is None or len(values) != len(names):
        return op.removeprefix(_PLAIN), {"args": args}
    fields = dict(zip(names, values, strict=True))
    if op in ("inet", "socket_system") and isinstance(fields["function"], Atom):
        op = fields.pop("function").name
    timeout = fields.get("timeout")
    if isinstance(timeout, tuple):
        fields["timeout"] = timeout[0]
    op = _NAMES.get(op, op).removeprefix(_PLAIN)
    return op, {name: value for name, value in fields.items() if name not in _INTERNAL}


def _operation(op: str, ident: int) -> Operation | None:
    if op.startswith(_PLAIN):
        from ..wire.plain_requests import PLAIN, PLAIN_SESSION  # few programs need it

        return (PLAIN if ident else PLAIN_SESSION).get(op)
    return (SOCKET if ident else SESSION).get(op)


def _peer_in(fields: dict[str, Any]) -> Peer:
    """Where a call goes, as far as its arguments say."""
    address, port = fields.get("address", fields.get("destination")), fields.get("port")
    name = fields.get("name")
    if isinstance(name, bytes):
        return Peer(name.decode("latin-1"), port)
    if isinstance(address, tuple) and len(address) == 2:
        if address[0] == Atom("local"):
            return Peer(_text(address[1]), None)
        address, port = address
    message = fields.get("message")
    if isinstance(message, dict):
        address = message.get(Atom("addr"))
    if isinstance(address, dict) and Atom("path") in address:
        return Peer(_text(address[Atom("path")]), None)
    if isinstance(address, dict):
        port, address = address.get(Atom("port")), address.get(Atom("addr"))
    arguments = fields.get("arguments")
    if isinstance(arguments, list) and arguments:  # of a lookup
        return Peer(_text(arguments[0]), None)
    is_port = type(port) is int and 0 <= port <= 0xFFFF
    return Peer(_ip(address), port if is_port and address is not None else None)


def _text(term: Any) -> str | None:
    value = plain(term)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else _ip(term)


def _ip(term: Any) -> str | None:
    for family in (FAMILIES["inet"], FAMILIES["inet6"]):
        try:
            return str(ip_address(parse_address(term, 0, family)[0]))
        except ValueError:
            pass
    return None
