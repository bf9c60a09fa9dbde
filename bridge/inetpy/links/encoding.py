"""What a session says to its node, as frames: see `wire.messages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..codec.etf import encode_body
from ..codec.terms import Atom
from ..fast import Duct, FastPaths
from ..wire import messages
from ..wire.framing import FrameReader
from ..wire.messages import PASS_ON
from .output import Output

__all__ = ["FrameLink"]


class FrameLink:
    """A `session.link.Link` of frames. `frames` are those that come in.

    A change of a socket's mode is held back until another frame can carry it. When the mode is
    changed back before that, the node hears of neither change.
    """

    def __init__(self, output: Output, frames: FrameReader, fast: bool = True) -> None:
        self.outward: Callable[[bytes], bytes] | None = None
        self.fast = FastPaths(self if fast else None)
        self.acknowledged = output.acknowledged
        self._output = output
        self._emit = output.emit
        self._frames = frames
        self._modes: dict[int, bool] = {}  # changes that are held back, by socket
        output.hold(self._modes, self._tell_modes)

    # --- what the node passes on ---

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        if self.outward is not None:
            ref = self.outward(ref)
        self._emit((self._carrying() if self._modes else PASS_ON) + ref + body, tail)

    tell = answer  # the same form: an alias or a pid says where it is to go

    def tell_all(self, pid: bytes, bodies: list[bytes]) -> None:
        if len(bodies) == 1:
            self.tell(pid, bodies[0])
        elif bodies:
            self._emit(messages.build_deliver(self._named(pid), bodies))

    def _carrying(self) -> bytes:
        """What a frame that carries a change of a mode begins with."""
        return messages.build_carrying(*self._modes.popitem())

    def _named(self, raw: bytes) -> bytes:
        """An identifier as the node knows it by its name of today."""
        return raw if self.outward is None else self.outward(raw)

    # --- what concerns sockets ---

    def opened(self, ident: int, name: bytes, kind: str, owner: bytes) -> None:
        self._emit(messages.build_open(ident, name, kind, self._named(owner)))

    def owned(self, ident: int, owner: bytes) -> None:
        self._emit(messages.build_owner(ident, self._named(owner)))

    def active(self, ident: int, active: bool) -> None:
        if self._modes.get(ident) is (not active):
            del self._modes[ident]
        else:
            self._modes[ident] = active
            self._output.schedule_flush()

    def closed(self, ident: int) -> None:
        self._modes.pop(ident, None)
        self._emit(messages.build_closed(ident))

    def _tell_modes(self) -> None:
        """The changes that no frame has carried."""
        while self._modes:
            self._emit(messages.build_active(*self._modes.popitem()))

    # --- what concerns the network in play ---

    def in_play(self, on: bool) -> None:
        self._emit(messages.build_in_play(on))

    def names(self, known: Mapping[str, list[str]]) -> None:
        self._emit(messages.build_names(known))

    def lineage(self, number: int, pids: list[bytes]) -> None:
        self._emit(messages.build_lineage(number, [self._named(pid) for pid in pids]))

    def keep(self, key: int, rule: bytes) -> None:
        self._emit(messages.build_keep(key, rule))

    def forget(self, key: int) -> None:
        self._emit(messages.build_forget(key))

    # --- what concerns tests ---

    def agent(self, payload: bytes) -> None:
        self._emit(messages.build_agent(payload))

    # --- what concerns the node ---

    def hello(self, in_play: bool = False) -> None:
        """The first frame. `in_play`: see `in_play`, for the first socket."""
        self._emit(messages.build_hello(in_play))

    def watch(self, pid: bytes) -> None:
        self._emit(messages.build_watch(self._named(pid), True))

    def unwatch(self, pid: bytes) -> None:
        self._emit(messages.build_watch(self._named(pid), False))

    def renamed(self) -> None:
        self._emit(messages.RENAMED)

    def pong(self) -> None:
        self._emit(messages.PONG)

    def log(self, level: str, text: bytes) -> None:
        """For the logger of the node."""
        self._emit(messages.build_log(level, text))

    def refused(self, text: str) -> None:
        """Why this side ends: the sides do not fit."""
        self._emit(encode_body((Atom("refused"), text)))

    # --- what the fast paths need: see fast.Channel ---

    def idle(self) -> bool:
        return self._output.is_empty() and self._frames.at_end

    def flush(self) -> None:
        self._output.flush()

    def takes_pipe(self) -> bool:
        return self._output.takes_pipe()

    def forward(self, ref: bytes, body: bytes, duct: Duct, size: int) -> None:
        head = self._carrying() if self._modes else PASS_ON
        self._output.emit_from(duct, head + self._named(ref) + body, size)
