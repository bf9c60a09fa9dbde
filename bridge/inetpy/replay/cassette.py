"""What a test keeps of a recording, as lines of JSON that `read_trace` reads.

Only what a replay needs is kept: names that were looked up, and connections to others with their bytes.
So two recordings of the same conversation are equal: there are no times, no ports of clients, no pids, and
the pieces in which bytes came are put together. With times, pieces and times since the beginning are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from ..trace.events import Call, Chunk, Event, Track, Turn
from ..trace.jsonl import build_line, show_bytes
from .conversations import LOOKUPS

__all__ = ["build_cassette"]

_TURNS = ("connected", "failed", "eof", "shutdown", "reset", "closed")


def build_cassette(events: Iterable[Event], is_outside: Callable[[Event], bool], times: bool) -> list[str]:
    """The lines. is_outside: whether a lookup, a turn or bytes concern somebody else than the test."""
    numbers: dict[Track, int] = {}
    lines: list[dict[str, Any]] = []
    pending: dict[tuple[int, str], dict[str, Any]] = {}  # bytes that can still grow, by socket and direction
    begun = None
    kept = sorted((event for event in events if _is_kept(event) and is_outside(event)), key=_time)
    reached = {event.track.facts.host for event in kept if event.track is not None and event.track.is_stream}
    for event in kept:
        if isinstance(event, Call) and _name_of(event) in reached:
            continue  # the connection has the name, and its address may be another the next time
        begun = event.time if begun is None else begun
        line = json.loads(build_line(event, times=False))
        line = ({"time": event.time - begun} if times else {}) | _slim(event, line, numbers)
        if isinstance(event, Chunk) and event.track.is_stream and not times:
            other = (line["socket"], "recv" if event.direction == "send" else "send")
            pending.pop(other, None)
            before = pending.get((line["socket"], event.direction))
            if before is not None:
                _join(before, line)
                continue
            pending[line["socket"], event.direction] = line
        lines.append(line)
    return [json.dumps(_readable(line), ensure_ascii=False) for line in lines]


def _time(event: Event) -> int:
    return event.time


def _name_of(call: Call) -> str:
    return str(call.args.get("arguments", [""])[0])


def _is_kept(event: Event) -> bool:
    match event:
        case Call(op=op):
            return op in LOOKUPS
        case Turn(what=what, track=track):
            return track.is_stream and what in _TURNS
    return isinstance(event, Chunk)


def _slim(event: Event, line: dict[str, Any], numbers: dict[Track, int]) -> dict[str, Any]:
    """Without what differs from run to run."""
    if isinstance(event, Call):
        return {"event": "call"} | {name: line[name] for name in ("op", "args", "answer")}
    track = event.track
    assert track is not None
    label = track.label if track.is_stream else "udp"
    socket = {"node": "", "socket": numbers.setdefault(track, len(numbers) + 1), "kind": track.kind}
    slim: dict[str, Any] = {"event": event.word, **socket, "label": label}
    if isinstance(event, Turn):
        slim |= {"what": event.what, "detail": event.detail}
        return slim | ({"remote": line["remote"]} if isinstance(line["remote"], str) else {})
    assert isinstance(event, Chunk)
    slim |= {"direction": event.direction, "offset": event.offset, "data": event.data}
    if not track.is_stream:
        slim["peer"] = line["peer"]
    return slim | ({"redacted": [list(span) for span in event.redacted]} if event.redacted else {})


def _join(before: dict[str, Any], line: dict[str, Any]) -> None:
    size = len(before["data"])
    before["data"] += line["data"]
    hidden = [[start + size, end + size] for start, end in line.get("redacted", ())]
    if hidden:
        before["redacted"] = before.get("redacted", []) + hidden


def _readable(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"data": show_bytes(line["data"])} if "data" in line else line
