"""What went through a bridge: sockets, bytes, calls and errors.

Counted only when the environment variable INETPY_STATS names a folder. There each bridge
keeps a file `PID.running` while it lives, and leaves `PID.json` when it ends: `inetpy run
--stats` waits for them and shows the sum.

The counting is done by a link and a dispatcher of their own classes, which a bridge without
statistics does not have.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from ..codec.terms import Atom
from ..fast import Duct
from ..operations.dispatch import PREFIX, Dispatcher
from ..session.session import Session
from ..wire.framing import FrameReader
from ..wire.messages import ERROR
from .encoding import FrameLink
from .output import Output

__all__ = ["Statistics", "total"]

_COUNTERS = ("calls", "errors", "sockets")
_BYTES = ("received", "sent")
# Of sockets of `socket` the operations begin with PREFIX.
_EARLY_CALLS: dict[object, str] = {
    bytes: "send",
    tuple: "sendto",
    Atom("once"): "setopts",
    Atom("close"): "close",
    Atom("connected"): "connected",
}


class Statistics:
    """The figures of one session, of which `new_link` and `new_dispatcher` make the parts that count.

    name: of the file, where the process has several sessions.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self._running = folder / f"{name or os.getpid()}.running"
        self._running.touch()
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.sockets: Counter[str] = Counter()
        self.asked: dict[bytes, str] = {}  # the operations that have no answer yet
        self._open: dict[int, Any] = {}
        self._session: Session | None = None
        self._closed = dict.fromkeys(_BYTES, 0)

    def new_link(self, output: Output, frames: FrameReader, fast: bool) -> FrameLink:
        return _CountingLink(self, output, frames, fast)

    def new_dispatcher(self, session: Session) -> Dispatcher:
        self._session = session
        return _CountingDispatcher(self, session)

    def opened(self, ident: int, kind: str) -> None:
        assert self._session is not None
        if ident in self._open:  # it is told again that it is listed now
            return
        self.sockets[kind] += 1
        self._open[ident] = self._session.sockets[ident]

    def closed(self, ident: int) -> None:
        handle = self._open.pop(ident)
        self._closed["received"] += handle.counters.recv_oct
        self._closed["sent"] += handle.counters.send_oct

    def write(self) -> None:
        """Leaves the figures behind: the end of the bridge."""
        for ident in list(self._open):
            self.closed(ident)
        figures = {name: dict(getattr(self, name)) for name in _COUNTERS}
        self._running.write_text(json.dumps(figures | self._closed))
        self._running.replace(self._running.with_suffix(".json"))


class _CountingDispatcher(Dispatcher):
    """Counts calls."""

    def __init__(self, statistics: Statistics, session: Session) -> None:
        super().__init__(session)
        self._statistics = statistics

    def request(self, op: str, ident: int, ref: bytes, args: Any) -> None:
        if op != "piece":  # a part of a call that has been counted
            self._statistics.calls[op] += 1
            self._statistics.asked[ref] = op
        super().request(op, ident, ref, args)

    def early(self, ident: Any, request: Any) -> None:
        kind = type(request)
        asked = _EARLY_CALLS.get(request if kind is Atom else kind)
        if asked is not None:
            target = self.session.sockets.get(ident) if type(ident) is int else None
            is_plain = target is not None and PREFIX + asked in target.ops
            self._statistics.calls[PREFIX + asked if is_plain else asked] += 1
        super().early(ident, request)


class _CountingLink(FrameLink):
    """Counts errors and sockets."""

    def __init__(self, statistics: Statistics, output: Output, frames: FrameReader, fast: bool) -> None:
        super().__init__(output, frames, fast)
        self._statistics = statistics

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        op = self._statistics.asked.pop(ref, "")
        if body.startswith(ERROR):
            self._statistics.errors[op] += 1
        super().answer(ref, body, tail)

    def select(self, ref: bytes, body: bytes, ident: int, process: bytes, handle: bytes) -> None:
        self._statistics.asked.pop(ref, None)
        super().select(ref, body, ident, process, handle)

    def forward(self, ref: bytes, body: bytes, duct: Duct, size: int) -> None:
        self._statistics.asked.pop(ref, None)
        super().forward(ref, body, duct, size)

    def opened(self, ident: int, name: bytes, kind: str, owner: bytes) -> None:
        self._statistics.opened(ident, kind)
        super().opened(ident, name, kind, owner)

    def closed(self, ident: int) -> None:
        self._statistics.closed(ident)
        super().closed(ident)


def total(folder: Path) -> dict[str, Any]:
    """The sum over all bridges that have ended, and how many they were."""
    files = list(folder.glob("*.json"))
    figures = [json.loads(file.read_text()) for file in files]
    summed: dict[str, Any] = {"bridges": len(files)}
    for name in _COUNTERS:
        summed[name] = dict(sum((Counter(each[name]) for each in figures), Counter()))
    return summed | {name: sum(each[name] for each in figures) for name in _BYTES}
