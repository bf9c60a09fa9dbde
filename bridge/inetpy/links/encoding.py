"""What a session says to its node, as frames: see `wire.messages`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ..codec.etf import encode_body
from ..codec.terms import Atom
from ..fast import Duct, FastPaths
from ..wire import messages
from ..wire.framing import FrameReader
from ..wire.messages import OK, PASS_ON
from ..wire.mode import EARLY, IS_ACTIVE, ONCE
from .output import Output

__all__ = ["FrameLink"]


class FrameLink:
    """A `session.link.Link` of frames. `frames` are those that come in.

    A change of a socket's mode is held back until another frame can carry it. When the mode is
    changed back before that, the node hears of neither change.

    The last note of a socket that has opened or closed is held back, too: the answer to its caller comes next
    most often, and then one frame is both.
    """

    def __init__(self, output: Output, frames: FrameReader, fast: bool = True) -> None:
        self.outward: Callable[[bytes], bytes] | None = None
        self.fast = FastPaths(self if fast else None)
        self.acknowledged = output.acknowledged
        self._output = output
        self._emit: Callable[..., None] = output.emit
        self._frames = frames
        # Changes that are held back, by socket: what the node knows, and what it is to know. Those of
        # sockets that change with every message come when there is nothing else to do: most are taken back.
        self._modes: dict[int, tuple[int, int]] = {}
        self._later: dict[int, tuple[int, int]] = {}
        # The note that is held back: by the answer which it goes with, what builds it.
        self._note: dict[bytes, Callable[..., bytes]] = {}
        self._opening = 0  # the socket of such a note
        output.hold(self._note, self._tell_note)
        output.hold(self._modes, self._tell_modes)
        output.on_idle = self._tell_later

    # --- what the node passes on ---

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        if self.outward is not None:
            ref = self.outward(ref)
        if self._note and body in self._note and not self._modes:
            return self._tell_note(ref)
        self._emit((self._carrying() if self._modes else PASS_ON) + ref + body, tail)

    tell = answer  # the same form: an alias or a pid says where it is to go

    def tell_all(self, pid: bytes, bodies: list[bytes]) -> None:
        if len(bodies) == 1:
            self.tell(pid, bodies[0])
        elif bodies:
            self._emit(messages.build_deliver(self._named(pid), bodies))

    def _carrying(self) -> bytes:
        """What a frame that carries a change of a mode begins with."""
        ident, (_, mode) = self._modes.popitem()
        return messages.build_carrying(ident, mode)

    def _named(self, raw: bytes) -> bytes:
        """An identifier as the node knows it by its name of today."""
        return raw if self.outward is None else self.outward(raw)

    # --- what concerns sockets ---

    def opened(self, ident: int, name: bytes, kind: str, owner: bytes) -> None:
        build = partial(messages.build_open, ident, name, kind, self._named(owner))
        self._hold(messages.build_ok(name), build)
        self._opening = ident

    def _open_with(self, mode: int) -> None:
        """The note that is held back tells the mode, too."""
        ((answer, build),) = self._note.items()
        self._note[answer] = partial(build, mode=mode)

    def owned(self, ident: int, owner: bytes) -> None:
        self._emit(messages.build_owner(ident, self._named(owner)))

    def mode(self, ident: int, before: int, after: int) -> None:
        told = before
        for held in (self._modes, self._later):
            if ident in held:
                told = held.pop(ident)[0]
        if not told and self._opening == ident and self._note:
            self._open_with(after)
        elif told & ~after & EARLY:
            self._emit(messages.build_mode(ident, after))  # callers must not hear anything before that
        elif told != after:
            held = self._later if after & ONCE and told ^ after == IS_ACTIVE else self._modes
            held[ident] = told, after
            self._output.schedule_flush()

    def mode_to(self, ident: int, mode: int, destination: bytes) -> None:
        self._modes.pop(ident, None)
        self._later.pop(ident, None)
        self._emit(messages.build_mode_to(ident, mode, destination))

    def select(self, ref: bytes, body: bytes, ident: int, process: bytes, handle: bytes) -> None:
        if self.outward is not None:
            ref, process, handle = map(self.outward, (ref, process, handle))
        self._emit(messages.build_select(ident, ref, body, process, handle))

    def ready(self, ident: int, handle: bytes) -> None:
        self._emit(messages.build_note("ready", ident, self._named(handle)))

    def ready_with(self, ident: int, handle: bytes, number: int, process: bytes, data: bytes) -> None:
        if self.outward is not None:
            handle, process = map(self.outward, (handle, process))
        self._emit(messages.build_ready_with(ident, handle, number, process, data))

    def recall(self, ident: int, number: int) -> None:
        self._emit(messages.build_recall(ident, number))

    def abort(self, ident: int, handle: bytes, reason: str) -> None:
        self._emit(messages.build_abort(ident, self._named(handle), reason))

    def unselect(self, ident: int, handle: bytes) -> None:
        self._emit(messages.build_note("unselect", ident, self._named(handle)))

    def closed(self, ident: int) -> None:
        self._modes.pop(ident, None)
        self._later.pop(ident, None)
        self._hold(OK, partial(messages.build_closed, ident))

    def _hold(self, answer: bytes, build: Callable[..., bytes]) -> None:
        """A note that can be one frame with an answer. Whatever else is said comes behind it."""
        if self._note:
            self._tell_note()
        self._opening = 0
        self._note[answer] = build
        self._emit = self._emit_behind
        self._output.schedule_flush()

    def _emit_behind(self, body: bytes, tail: bytes = b"") -> None:
        self._tell_note()
        self._emit(body, tail)

    def _tell_note(self, ref: bytes = b"") -> None:
        _, build = self._note.popitem()
        self._emit = self._output.emit
        self._emit(build(ref))

    def _tell_modes(self) -> None:
        """The changes that no frame has carried."""
        while self._modes:
            ident, (_, mode) = self._modes.popitem()
            self._emit(messages.build_mode(ident, mode))

    def _tell_later(self) -> None:
        """What has waited until there is nothing else to do."""
        if self._later:
            self._modes.update(self._later)
            self._later.clear()
            self._output.flush()

    # --- what concerns the network in play ---

    def in_play(self, on: bool) -> None:
        self._emit(messages.build_in_play(on))

    def names(self, known: Mapping[str, list[str]]) -> None:
        self._emit(messages.build_names(known))

    def lineage(self, number: int, pids: list[bytes]) -> None:
        self._emit(messages.build_lineage(number, [self._named(pid) for pid in pids]))

    def keys(self, pid: bytes) -> None:
        self._emit(messages.build_keys(self._named(pid)))

    def stray(self, number: int, pids: list[bytes]) -> None:
        self._emit(messages.build_stray(number, [self._named(pid) for pid in pids]))

    def keep(self, key: int, rule: bytes) -> None:
        self._emit(messages.build_keep(key, rule))

    def forget(self, key: int) -> None:
        self._emit(messages.build_forget(key))

    # --- what concerns tests ---

    def agent(self, payload: bytes) -> None:
        self._emit(messages.build_agent(payload))

    # --- what concerns the node ---

    def hello(self, in_play: bool = False, names: Iterable[str] = ()) -> None:
        """The first frame. `in_play`: see `in_play`, for the first socket. `names`: see `build_hello`."""
        self._emit(messages.build_hello(in_play, names))

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
