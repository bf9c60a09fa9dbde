"""Reads lines of JSON: see `jsonl`, which writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .records import (
    Address,
    ReadBytes,
    ReadCall,
    ReadFault,
    ReadRecord,
    ReadRule,
    ReadSocket,
    ReadTrace,
    ReadTurn,
)

__all__ = ["LineReader", "read_lines"]


def read_lines(data: bytes, trace: ReadTrace) -> None:
    """The last line may be cut short. Raises ValueError for another one that is no event."""
    reader = LineReader(trace)
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reader.read(line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if number == len(lines) and reader.count:
                trace.notes.append(f"line {number} is cut short: the trace is read up to there")
                return
            raise ValueError(f"line {number} is no event of a trace: {_reason(error)}") from None
    if not reader.count:
        raise ValueError("the file has no event of a trace")


def _check(event: dict[str, Any]) -> None:
    """Raises TypeError for what would be no good later on: who shows or plays a trace trusts its types."""
    for name, value in event.items():
        fits = _TYPES.get(name)
        if fits is not None and not fits(value):
            raise TypeError(f"{name!r} is not as in a trace")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    """Of 64 bits, as times and places are."""
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(element, str) for element in value)


def _is_owner(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str | None) for part in value.values())


def _is_peer(value: Any) -> bool:
    """(host, port) of a call, or the address of a datagram."""
    return _is_address(value) or (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str | None)
        and _is_number_or_none(value[1])
    )


def _is_address(value: Any) -> bool:
    """An IP address with its port and more, the path of a unix socket, or numbers of another family."""
    if isinstance(value, list):
        return len(value) > 1 and isinstance(value[0], str | int) and _is_number(value[1])
    return value is None or isinstance(value, str)


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(span, list) and len(span) == 2 and all(map(_is_number, span)) for span in value
    )


def _is_place(value: Any) -> bool:
    match value:
        case [socket, str(), nth]:
            return _is_number(socket) and _is_number(nth)
    return False


def _reason(error: Exception) -> str:
    return f"there is no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)


class LineReader:
    """Adds events to a trace, each from its line. Raises ValueError, KeyError or TypeError for no event.

    count: how many there were.
    """

    def __init__(self, trace: ReadTrace) -> None:
        self.count = 0
        self._trace = trace
        self._sockets: dict[tuple[str, int], ReadSocket] = {}
        self._rules: dict[int, ReadRule] = {}

    def read(self, line: bytes) -> None:
        event = json.loads(line)
        if not isinstance(event, dict):
            raise TypeError("it is no object")
        _check(event)
        if event["event"] in ("rule", "chance"):
            self._rule(event)
            self.count += 1
            return
        read = _READERS.get(event["event"])
        if read is None:
            raise ValueError(f"there is no event {event['event']!r}")
        self._trace.records.append(read(event, self.socket_of(event)))
        self.count += 1

    def _rule(self, event: dict[str, Any]) -> None:
        """A rule that is said twice is known better the second time."""
        known = self._rules.get(event["number"])
        if event["event"] == "chance":
            if known is None:
                raise ValueError("the rule of a chance is missing: the beginning of the trace is not there")
            socket, at, nth = event["place"]
            known.places.append((socket, at, nth))
        elif known is None:
            known = ReadRule(event["number"], event["by"], event.get("seed", ""), event["facts"])
            self._rules[event["number"]] = known
            self._trace.rules.append(known)
        else:
            known.by = event["by"]

    def socket_of(self, event: dict[str, Any]) -> ReadSocket | None:
        """The socket that an event says; None: it has none. A number is used again by the next Python."""
        if "socket" not in event:
            return None
        node, number, kind, label = (event[key] for key in ("node", "socket", "kind", "label"))
        known = self._sockets.get((node, number))
        begins = event["event"] == "socket" and event["what"] in ("opened", "accepted")
        if known is None or (begins and known.begun):
            known = self._sockets[node, number] = ReadSocket(node, number, kind, label)
            self._trace.sockets.append(known)
        known.label = label  # it is known better later on
        known.begun = known.begun or begins
        return known


def _call(event: dict[str, Any], socket: ReadSocket | None) -> ReadRecord:
    host, port = event.get("peer") or (None, None)
    return ReadCall(
        event.get("time"), socket, event["op"], (host, port), event.get("owner") or {},
        event.get("args"), event.get("answer"), event.get("start"), event.get("end"), event.get("faults", []),
    )  # fmt: skip


def _bytes(event: dict[str, Any], socket: ReadSocket | None) -> ReadRecord:
    if socket is None:
        raise KeyError("socket")
    data = event["data"]
    read = data["text"].encode() if "text" in data else bytes.fromhex(data["hex"])
    return ReadBytes(
        event.get("time"), socket, event["direction"], event["offset"], read, _address(event.get("peer")),
        event.get("call", ""), [(start, end) for start, end in event.get("redacted", ())],
        event.get("faults", []),
    )  # fmt: skip


def _turn(event: dict[str, Any], socket: ReadSocket | None) -> ReadRecord:
    if socket is None:
        raise KeyError("socket")
    local, remote = _address(event.get("local")), _address(event.get("remote"))
    turn = ReadTurn(
        event.get("time"),
        socket,
        event["what"],
        event.get("detail", ""),
        local,
        remote,
        event.get("faults", []),
    )
    learn(socket, turn)
    return turn


def learn(socket: ReadSocket, turn: ReadTurn) -> None:
    """What a turn tells of its socket. A connection that has failed has lost its addresses."""
    socket.local = turn.local or socket.local
    socket.remote = turn.remote or socket.remote
    if turn.what in ("connecting", "connected", "failed"):
        socket.is_client = True
    elif turn.what == "accepted":
        socket.is_client = False


def _fault(event: dict[str, Any], socket: ReadSocket | None) -> ReadRecord:
    return ReadFault(
        event.get("time"),
        socket,
        event["rule"],
        event.get("at", ""),
        event.get("call", ""),
        event.get("offset"),
    )


def _address(value: Any) -> Address:
    return tuple(value) if isinstance(value, list) else value


_READERS: dict[str, Callable[[dict[str, Any], ReadSocket | None], ReadRecord]] = {
    "call": _call,
    "bytes": _bytes,
    "socket": _turn,
    "fault": _fault,
}
_TYPES: dict[str, Callable[[Any], bool]] = {
    "time": _is_number_or_none,
    "node": _is_text,
    "socket": _is_number,
    "kind": lambda value: value in ("stream", "datagram", "listener"),
    "label": _is_text,
    "op": _is_text,
    "peer": _is_peer,
    "owner": _is_owner,
    "start": _is_number_or_none,
    "end": _is_number_or_none,
    "faults": _are_texts,
    "direction": lambda value: value in ("send", "recv"),
    "offset": _is_number_or_none,
    "call": _is_text,
    "redacted": _are_spans,
    "what": _is_text,
    "detail": _is_text,
    "local": _is_address,
    "remote": _is_address,
    "rule": _is_text,
    "at": _is_text,
    "number": _is_number,
    "by": _is_text,
    "seed": _is_text,
    "facts": lambda value: isinstance(value, dict),
    "place": _is_place,
}
