"""Events as lines of JSON: one object each, with its keys in the same order.

    {"time": 1700000000123456789, "event": "call", "op": "connect", "peer": ["db.example", 5432], ...}

Bytes are text where they are printable UTF-8, `{"text": "GET /"}`, and else `{"hex": "00ff"}`. Keys of TLS
are not written: lines are for people, and go into logs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..codec.show import shown
from .events import Call, Chance, Chunk, Event, Fault, Keys, RuleAdded, Track, Turn

__all__ = ["LineWriter", "build_line", "show_bytes"]

MOST_DATA = 256  # bytes of a binary, or elements of a list, in arguments and answers: bytes are events, too
MOST_BITS = 256  # of a number that is written in digits


class LineWriter:
    """Writes events. `times`: whether with what differs from run to run: the times, and the seeds."""

    def __init__(self, write: Callable[[bytes], object], times: bool = True) -> None:
        self._write = write
        self._times = times

    def event(self, event: Event) -> None:
        if not isinstance(event, Keys):
            self._line(event)

    def finish(self) -> None:
        """All is written."""

    def _line(self, event: Event) -> None:
        self._write(build_line(event, self._times).encode("utf-8", "replace") + b"\n")


def build_line(event: Event, times: bool = True) -> str:
    """One event as a line, without its end."""
    return json.dumps(_object(event, times), ensure_ascii=False, default=shown)


def _object(event: Event, times: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"time": event.time} if times else {}
    made["event"] = event.word
    if event.track is not None:
        made |= _socket(event.track)
    match event:
        case Call():
            made |= _call(event, times)
        case Chunk():
            made |= _chunk(event)
        case Turn():
            made |= {"what": event.what, "detail": event.detail}
            made |= {"local": _address(event.local), "remote": _address(event.remote)}
            made["faults"] = event.faults
        case Fault():
            made |= {"rule": event.rule, "at": event.at, "call": event.call, "offset": event.offset}
        case RuleAdded():
            made |= {"number": event.number, "rule": event.rule, "by": event.by}
            made |= (
                {"seed": event.seed, "facts": event.facts_of_rule}
                if times
                else {"facts": event.facts_of_rule}
            )
        case Chance():
            made |= {"number": event.number, "rule": event.rule, "place": list(event.place)}
    return made


def _socket(track: Track) -> dict[str, Any]:
    return {"node": track.node, "socket": track.ident, "kind": track.kind, "label": track.label}


def _call(call: Call, times: bool) -> dict[str, Any]:
    owner = call.owner
    made: dict[str, Any] = {} if call.track is not None else {"node": call.node, "label": call.label}
    made |= {"op": call.op, "peer": list(call.peer), "owner": owner._asdict()}
    made |= {"args": _shown(call.args), "answer": _shown(call.answer)}
    if times:
        made |= {"start": call.start, "end": call.end}
    return made | {"faults": call.faults}


def _chunk(chunk: Chunk) -> dict[str, Any]:
    made: dict[str, Any] = {"direction": chunk.direction, "offset": chunk.offset, "size": len(chunk.data)}
    if not chunk.track.is_stream:
        made["peer"] = _address(chunk.peer)
    made |= {"data": show_bytes(chunk.data), "call": chunk.call}
    if chunk.redacted:
        made["redacted"] = chunk.redacted
    return made | {"faults": chunk.faults}


def _address(address: Any) -> Any:
    if isinstance(address, tuple):
        return list(address)
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else address


def show_bytes(data: bytes) -> dict[str, str]:
    """`{"text": ...}` where they are printable UTF-8, and else `{"hex": ...}`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    if all(character.isprintable() or character in "\r\n\t" for character in text):
        return {"text": text}
    return {"hex": data.hex()}


def _shown(value: Any) -> Any:
    """A plain value: see `plain`. Of long binaries the beginning."""
    if isinstance(value, (bytes, bytearray)):
        if len(value) <= MOST_DATA:
            return show_bytes(bytes(value))
        return show_bytes(bytes(value[:MOST_DATA])) | {"size": len(value)}
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"<integer of {value.bit_length()} bits>"
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else shown(key): _shown(element) for key, element in value.items()
        }
    if isinstance(value, (list, tuple)):
        if len(value) > MOST_DATA:
            return {"first": [_shown(element) for element in value[:MOST_DATA]], "size": len(value)}
        return [_shown(element) for element in value]
    if isinstance(value, str) and len(value) > MOST_DATA:
        return {"text": value[:MOST_DATA], "size": len(value)}
    return value
