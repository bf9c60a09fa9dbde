"""What `inetpy_trace` asks: traces of one node, which begin and end with its requests, and as terms.

trace_start   {Key, Pid, #{match, file, memory, redact}}     a trace, until `trace_stop` or the end of Pid
trace_stop    Key
trace_events  Key                                            what it has
trace_leaks   Key                                            its sockets that are open
trace_stray   {Number, [{Pid, [Text]}]}                      messages that Python has asked for
trace_keys    {Pid, [Line]}                                  keys of TLS that Python has asked for
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from ..codec.etf import decode, encode_body
from ..codec.terms import Atom, Pid
from ..host.errors import posix_name
from ..trace.events import Call, Chance, Chunk, Event, Fault, Keys, RuleAdded, Track, Turn
from ..trace.log import Record
from ..wire.messages import OK, build_error, build_ok
from .requests import named
from .trace import MEMORY, begin, end, new_record
from .whom import text_of

if TYPE_CHECKING:
    from .node import NodeNetwork

__all__ = ["NodeTrace", "events", "keys", "leaks", "start", "stop", "stray"]

log = logging.getLogger(__name__)

_UNDEFINED = Atom("undefined")
_UNKNOWN = encode_body((Atom("error"), (Atom("inetpy"), Atom("no_trace"), b"Python has not got this trace")))


class NodeTrace:
    """A trace of a node. It is gone when its process has ended."""

    def __init__(self, node: NodeNetwork, key: int, process: Pid, record: Record) -> None:
        self.record = record
        self.process = process
        self._node = node
        self._key = key

    def begin(self) -> None:
        self._node.session.watch(self.process, self)
        begin(self._node.engine, self.record)

    def end(self) -> None:
        """What it has can still be asked for."""
        end(self._node.engine, self.record)

    def forget(self) -> None:
        """Nobody asks for it any more."""
        self._node.session.unwatch(self.process, self)
        self.end()

    def on_down(self, _pid: Pid) -> None:
        self._node.traces.pop(self._key, None)
        self.end()

    def fail(self, error: Exception) -> None:
        log.error("a trace has not ended", exc_info=error)


def start(node: NodeNetwork, argument: Any) -> bytes:
    key, process, options = argument
    try:
        given = named(options, "an option of a trace")
        match, file = named(given.pop("match", {}), "whom"), given.pop("file", None)
        memory, redact = given.pop("memory", MEMORY), given.pop("redact", [])
        if given:
            raise ValueError(f"a trace has no {next(iter(given))!r}: it has match, file, memory and redact")
        if file is not None and not node.engine.runs_files:
            raise ValueError("a Python that serves nodes writes no file for them: start it with INETPY_TRACE")
        record = new_record(memory, map(_word, redact), match, None if file is None else text_of(file))
    except ValueError as error:
        return encode_body((Atom("error"), (Atom("bad_trace"), str(error).encode())))
    except OSError as error:
        return build_error(posix_name(error))
    record.limit_to(lambda facts: getattr(facts, "node", None) is node)
    former = node.traces.get(key)
    if former is not None:
        former.forget()
    trace = node.traces[key] = NodeTrace(node, key, process, record)
    trace.begin()
    return OK


def _word(term: Any) -> str | re.Pattern[bytes]:
    """The name of a header, or `{pattern, Regex}`."""
    match term:
        case (Atom(name="pattern"), regex):
            try:
                return re.compile(text_of(regex).encode())
            except re.error as error:
                raise ValueError(f"{text_of(regex)!r} is no regular expression: {error}") from error
    return text_of(term)


def stop(node: NodeNetwork, key: int) -> bytes:
    trace = node.traces.get(key)
    if trace is None:
        return _UNKNOWN
    trace.end()
    failure = trace.record.failure
    return OK if failure is None else encode_body((Atom("error"), (Atom("trace_failed"), failure.encode())))


def events(node: NodeNetwork, key: int) -> bytes:
    trace = node.traces.get(key)
    if trace is None:
        return _UNKNOWN
    seen = [event for event in trace.record.ring if not isinstance(event, (Keys, RuleAdded, Chance))]
    return build_ok(encode_body([_shown(event) for event in seen]))


def keys(node: NodeNetwork, argument: Any) -> bytes:
    """What the node answers to `Link.keys`."""
    owner, lines = argument
    recorder = node.engine.recorder
    if recorder is not None:
        recorder.on_keys(node.session, owner, [line.decode("ascii", "replace") for line in lines])
    return OK


def stray(node: NodeNetwork, argument: Any) -> bytes:
    """What the node answers to `Link.stray`."""
    node.engine.strays.answered(*argument)
    return OK


def leaks(node: NodeNetwork, key: int) -> bytes:
    trace, recorder = node.traces.get(key), node.engine.recorder
    if trace is None or recorder is None or trace.record not in recorder.records:
        return _UNKNOWN
    tracks = [recorder.track_of(handle) for handle in node.session.sockets.values()]
    return build_ok(encode_body([_leak(track) for track in tracks if trace.record.wants(track.facts)]))


def _leak(track: Track) -> dict[Atom, Any]:
    call = track.opened_by
    return _map(
        kind=Atom(track.kind),
        label=track.label.encode(),
        owner=track.facts.owner,
        opened_at=_or_undefined(track.opened_at),
        opened_by=_UNDEFINED if call is None else Atom(call.op),
    )


# --- events as terms ---


def _shown(event: Event) -> dict[Atom, Any]:
    made = _map(event=Atom(event.word), time=event.time, label=event.label.encode())
    match event:
        case Call():
            made |= _call(event)
        case Chunk():
            made |= _map(direction=Atom(event.direction), offset=event.offset, data=event.data)
            made |= _map(owner=event.owner, call=Atom(event.call or "undefined"), faults=_texts(event.faults))
            if not event.track.is_stream:
                made |= _map(peer=_address(event.peer))
        case Turn():
            made |= _map(what=Atom(event.what), detail=Atom(event.detail or "undefined"))
            made |= _map(faults=_texts(event.faults))
        case Fault():
            made |= _map(rule=event.rule.encode(), call=Atom(event.call), offset=_or_undefined(event.offset))
    return made


def _call(call: Call) -> dict[Atom, Any]:
    host, port = call.peer
    return _map(
        op=Atom(call.op),
        peer=(_UNDEFINED if host is None else host.encode(), _or_undefined(port)),
        owner=call.owner_pid,
        args={Atom(name): value for name, value in call.fields.items()},
        answer=_UNDEFINED if call.encoded_answer is None else decode(b"\x83" + call.encoded_answer),
        start=call.start,
        end=_or_undefined(call.end),
        faults=_texts(call.faults),
    )  # fmt: skip


def _address(address: Any) -> Any:
    if isinstance(address, tuple):
        return str(address[0]).encode(), address[1]
    return address if isinstance(address, bytes) else _UNDEFINED


def _texts(texts: list[str]) -> list[bytes]:
    return [text.encode() for text in texts]


def _or_undefined(value: int | None) -> Any:
    return _UNDEFINED if value is None else value


def _map(**fields: Any) -> dict[Atom, Any]:
    return {Atom(name): value for name, value in fields.items()}
