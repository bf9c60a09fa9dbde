"""What went through a bridge: sockets, bytes, calls and errors.

Counted only when the environment variable INETPY_STATS names a folder. There each bridge
keeps a file `PID.running` while it lives, and leaves `PID.json` when it ends: `inetpy run
--stats` waits for them and shows the sum.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .messages import ERROR

if TYPE_CHECKING:
    from .session import Session
    from .sockets.handle import Handle

__all__ = ["Statistics", "total"]

_COUNTERS = ("calls", "errors", "sockets")
_BYTES = ("received", "sent")


class Statistics:
    """Of one session, from `attach` to `write`."""

    def __init__(self, folder: Path) -> None:
        self._running = folder / f"{os.getpid()}.running"
        self._running.touch()
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.sockets: Counter[str] = Counter()
        self.received = 0
        self.sent = 0
        self._session: Session | None = None

    def attach(self, session: Session) -> None:
        """Puts counting in front of what the session does."""
        self._session = session
        request, reply, forward = session.request, session.reply, session.forward
        enter, forget = session.enter, session.forget
        asked: dict[bytes, str] = {}

        def counted_request(op: str, ident: int, ref: bytes, args: Any) -> None:
            if op != "piece":  # a part of a call that has been counted
                self.calls[op] += 1
                asked[ref] = op
            request(op, ident, ref, args)

        def counted_reply(ref: bytes, body: bytes, tail: bytes = b"") -> None:
            op = asked.pop(ref, "")
            if body.startswith(ERROR):
                self.errors[op] += 1
            reply(ref, body, tail)

        def counted_forward(ref: bytes, body: bytes, size: int) -> None:
            asked.pop(ref, "")
            forward(ref, body, size)

        def counted_enter(handle: Handle) -> None:
            self.sockets[handle.kind] += 1
            enter(handle)

        def counted_forget(handle: Handle) -> bool:
            known = forget(handle)
            if known:
                self._add_bytes(handle)
            return known

        session.request, session.reply = counted_request, counted_reply  # type: ignore[method-assign]
        session.forward = counted_forward
        session.enter, session.forget = counted_enter, counted_forget  # type: ignore[method-assign]

    def _add_bytes(self, handle: Handle) -> None:
        self.received += handle.recv_oct
        self.sent += handle.send_oct

    def write(self) -> None:
        """Leaves the figures behind: the end of the bridge."""
        if self._session is not None:
            for handle in self._session.sockets.values():
                self._add_bytes(handle)
        figures = {name: dict(getattr(self, name)) for name in _COUNTERS}
        self._running.write_text(json.dumps(figures | {name: getattr(self, name) for name in _BYTES}))
        self._running.replace(self._running.with_suffix(".json"))


def total(folder: Path) -> dict[str, Any]:
    """The sum over all bridges that have ended, and how many they were."""
    files = list(folder.glob("*.json"))
    figures = [json.loads(file.read_text()) for file in files]
    summed: dict[str, Any] = {"bridges": len(files)}
    for name in _COUNTERS:
        summed[name] = dict(sum((Counter(each[name]) for each in figures), Counter()))
    return summed | {name: sum(each[name] for each in figures) for name in _BYTES}
