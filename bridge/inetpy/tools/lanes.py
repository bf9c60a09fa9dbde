"""A trace as a time line: a lane for each socket, and on it what happened, in the order of time.

    picture = lanes_of(read_trace("run.jsonl"), Filters(label="db.*"))
    picture.lanes, picture.items

The terminal (`timeline`) and the page (`trace_page`) show the same items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ..trace.records import ReadBytes, ReadCall, ReadFault, ReadRecord, ReadSocket, ReadTrace, ReadTurn

__all__ = ["Filters", "Item", "Lane", "Lanes", "lanes_of", "text_of_bytes"]

ENDS = ("closed", "failed")  # turns after which nothing happens on a socket
ERRORS = ("failed", "reset", "error")  # turns that are errors


class Filters(NamedTuple):
    """What is to be seen; None is everything.

    socket: its number. owner: a pattern of the pid, the registered name or the application of its owner.
    label: a pattern. op: the name of a call, or of a turn: only these, and the bytes that moved in the call.
    problems: only errors, and what a rule has touched.
    """

    socket: int | None = None
    owner: str | None = None
    label: str | None = None
    op: str | None = None
    problems: bool = False


class Lane(NamedTuple):
    """One socket. number: that of the socket; None for calls that have none. owner: of its calls."""

    number: int | None
    kind: str
    label: str
    node: str
    owner: str

    @property
    def title(self) -> str:
        return f"#{self.number} {self.label}" if self.number is not None else "no socket"


class Item(NamedTuple):
    """Something that happened.

    kind: call, send, recv, socket or fault.
    start, end: in ns; None where the file has no times. They are equal for all but calls.
    lane: an index. what: a few words. data: the bytes that moved.
    facts: the rest by name, for those who want to know more.
    """

    kind: str
    start: int | None
    end: int | None
    lane: int
    what: str
    is_error: bool
    faults: list[str]
    data: bytes | None
    facts: dict[str, Any]


class Lanes(NamedTuple):
    """notes: what is missing in the file, a sentence each."""

    lanes: list[Lane]
    items: list[Item]
    notes: list[str]


def lanes_of(trace: ReadTrace, filters: Filters = Filters()) -> Lanes:  # noqa: B008  it does not change
    """The items that the filters let through, and the lanes that these are on."""
    owners = _owners(trace.records)
    indices: dict[ReadSocket | None, int] = {}
    items = []
    for record in trace.records:
        if _passes(record, filters, owners):
            lane = indices.setdefault(record.socket, len(indices))
            items.append(_ITEMS[type(record)](record, lane))
    if all(item.start is not None for item in items):
        items.sort(key=lambda item: item.start or 0)
    return Lanes([_lane(socket, owners) for socket in indices], items, trace.notes)


def _owners(records: Iterable[ReadRecord]) -> dict[ReadSocket | None, dict[str, str | None]]:
    """The owner of each socket, as its last call has it."""
    return {
        record.socket: record.owner for record in records if isinstance(record, ReadCall) and record.owner
    }


def _lane(socket: ReadSocket | None, owners: dict[ReadSocket | None, dict[str, str | None]]) -> Lane:
    if socket is None:
        return Lane(None, "", "", "", "")
    owner = " ".join(value for value in owners.get(socket, {}).values() if value)
    return Lane(socket.number, socket.kind, socket.label, socket.node, owner)


def _passes(
    record: ReadRecord, filters: Filters, owners: dict[ReadSocket | None, dict[str, str | None]]
) -> bool:
    socket = record.socket
    owner = record.owner if isinstance(record, ReadCall) else owners.get(socket, {})
    label = socket.label if socket is not None else _label(record)
    return (
        filters.socket in (None, None if socket is None else socket.number)
        and (filters.label is None or fnmatchcase(label, filters.label))
        and (filters.owner is None or any(fnmatchcase(name or "", filters.owner) for name in owner.values()))
        and filters.op in (None, *_ops(record))
        and not (filters.problems and not is_problem(record))
    )


def _label(record: ReadRecord) -> str:
    """Of what has no socket: where a call goes."""
    match record:
        case ReadCall(peer=(host, port)):
            return f"{host or ''}:{port}" if port is not None else host or ""
        case ReadFault(at=at):
            return at
    return ""


def _ops(record: ReadRecord) -> tuple[str, ...]:
    match record:
        case ReadCall(op=op):
            return (op,)
        case ReadBytes(call=call, direction=direction):
            return (call or direction,)
        case ReadTurn(what=what):
            return (what,)
        case ReadFault(call=call):
            return (call,)


def is_problem(record: ReadRecord) -> bool:
    """Whether it is an error, or a rule has touched it."""
    match record:
        case ReadCall(answer=answer, faults=faults):
            return bool(faults) or _is_error(answer)
        case ReadTurn(what=what, faults=faults):
            return bool(faults) or what in ERRORS
        case ReadBytes(faults=faults):
            return bool(faults)
    return True


def _is_error(answer: Any) -> bool:
    return isinstance(answer, list) and bool(answer) and answer[0] == "error"


# --- items ---------------------------------------------------------------------


def _call(call: ReadCall, lane: int) -> Item:
    answer = "no answer yet" if call.answer is None else _words(call.answer)
    facts = {
        "op": call.op, "peer": _place(call.peer), "owner": " ".join(filter(None, call.owner.values())),
        "args": call.args, "answer": call.answer,
    }  # fmt: skip
    start = call.start if call.start is not None else call.time
    end = call.end if call.end is not None else start
    where = _place(call.peer) if call.op in ("connect", "getaddrs", "gethostbyname") else ""
    what = f"{call.op} {where}".rstrip() + f" → {answer}"
    return Item("call", start, end, lane, what, _is_error(call.answer), call.faults, None, facts)


def _bytes(chunk: ReadBytes, lane: int) -> Item:
    unit = "byte" if chunk.socket.kind == "stream" else "datagram"
    facts = {"size": len(chunk.data), "offset": f"{unit} {chunk.offset}", "in the call": chunk.call or "none"}
    if chunk.peer is not None:
        facts["peer"] = _place(chunk.peer)
    if chunk.redacted:
        facts["hidden"] = chunk.redacted
    what = f"{chunk.direction} {len(chunk.data):,} B at {chunk.offset:,}"
    data = chunk.data
    return Item(chunk.direction, chunk.time, chunk.time, lane, what, False, chunk.faults, data, facts)


def _turn(turn: ReadTurn, lane: int) -> Item:
    facts = {"local": _place(turn.local), "remote": _place(turn.remote)}
    what = f"{turn.what} {turn.detail}".rstrip()
    is_error = turn.what in ERRORS
    return Item("socket", turn.time, turn.time, lane, what, is_error, turn.faults, None, facts)


def _fault(fault: ReadFault, lane: int) -> Item:
    facts = {"rule": fault.rule, "at": fault.at, "call": fault.call, "offset": fault.offset}
    what = f"{fault.rule} at {fault.call}" + ("" if fault.offset is None else f" {fault.offset:,}")
    return Item("fault", fault.time, fault.time, lane, what, False, [fault.rule], None, facts)


_ITEMS: dict[type, Callable[[Any, int], Item]] = {
    ReadCall: _call,
    ReadBytes: _bytes,
    ReadTurn: _turn,
    ReadFault: _fault,
}


def _place(address: Any) -> str:
    """An address, or a host and a port."""
    if isinstance(address, (tuple, list)):
        host, port = (*address, None)[:2]
        name = f"[{host}]" if isinstance(host, str) and ":" in host else host or ""
        return f"{name}" if port is None else f"{name}:{port}"
    return "" if address is None else str(address)


def _words(answer: Any) -> str:
    """A short answer: `ok`, `error econnrefused`, `ok "users"`."""
    if isinstance(answer, list) and answer and isinstance(answer[0], str):
        return " ".join([answer[0], *map(_words, answer[1:])])
    if isinstance(answer, dict) and ("text" in answer or "hex" in answer):
        return json.dumps(answer["text"], ensure_ascii=False) if "text" in answer else answer["hex"]
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def text_of_bytes(data: bytes, most: int) -> str:
    """The beginning of bytes on one line: text in quotes where it is printable, else hexadecimal digits."""
    part = data[:most]
    more = " …" if len(data) > most else ""
    try:
        text = part.decode("utf-8", "strict" if len(data) <= most else "ignore")
    except UnicodeDecodeError:
        return part.hex(" ") + more
    if all(character.isprintable() or character in "\r\n\t" for character in text):
        return json.dumps(text, ensure_ascii=False) + more
    return part.hex(" ") + more
