"""A link that keeps what it is given, and sees whether it makes sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inetpy.codec.etf import decode
from inetpy.codec.terms import Pid
from inetpy.fast import Duct, FastPaths
from inetpy.host.api import Host, Socket
from inetpy.session.interference import Context
from inetpy.session.session import Session
from inetpy.wire.messages import OK, build_failure
from inetpy.wire.mode import IS_ACTIVE

__all__ = ["NetworkRecorder", "Recorder"]

# The answer after a bug. It may come behind another: an alias of the node takes one.
BUG = build_failure("exception", "")[:-5]


class Recorder:
    """See the module. A `session.link.Link`, and a `fast.Channel`.

    answers: the body of the answer to each reference.
    messages: (pid, body), in order.
    opened_sockets, active_sockets, watched: what the node knows at this moment.
    aheads: what went with the last message for a plain socket: number, process, data.
    recalls: what was recalled of that: socket and number.
    selects: who waits for plain sockets, by the handle; `selected` are those that were told, and what.
    is_in_play, known_names, lineages, asked_keys, asked_stray, kept, forgotten: what the node was told, or
        asked for, of a network in play.
    faults: what must not be. The code under test may catch an exception, and so none is raised here.
    fast: without fast paths, unless `has_fast_paths`.
    is_idle, has_pipe: what the fast paths are told.
    """

    def __init__(self, has_fast_paths: bool = False) -> None:
        self.outward: Callable[[bytes], bytes] | None = None
        self.fast = FastPaths(self if has_fast_paths else None)
        self.is_idle = self.has_pipe = False
        self.answers: dict[bytes, bytes] = {}
        self.messages: list[tuple[bytes, bytes]] = []
        self.opened_sockets: dict[int, bytes] = {}  # the owner of each
        self.modes: dict[int, int] = {}
        self.destinations: dict[int, bytes] = {}
        self.watched: set[bytes] = set()
        self.ended: set[bytes] = set()
        self.selects: dict[bytes, bytes] = {}  # the process that waits with each handle
        self.selected: list[tuple[str, bytes]] = []
        self.aheads: dict[int, tuple[int, bytes, bytes]] = {}
        self.recalls: list[tuple[int, int]] = []
        self.is_in_play = False
        self.known_names: dict[str, list[str]] = {}
        self.lineages: dict[int, list[bytes]] = {}
        self.asked_keys: list[bytes] = []
        self.asked_stray: dict[int, list[bytes]] = {}
        self.kept: dict[int, bytes] = {}
        self.forgotten: list[int] = []
        self.said: list[bytes] = []  # to the agent
        self.faults: list[str] = []
        self.renames = self.pongs = self.frames_acknowledged = 0

    def term(self, ref: bytes) -> object:
        """The answer to a reference, which must be there."""
        return decode(b"\x83" + self.answers[ref])

    # --- what the node passes on ---

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        if ref not in self.answers:
            self.answers[ref] = body + tail
        elif not body.startswith(BUG):
            self.faults.append(f"{ref!r} is answered twice: {self.answers[ref]!r}, {body!r}")

    def tell(self, pid: bytes, body: bytes, tail: bytes = b"") -> None:
        self.messages.append((pid, body + tail))

    def tell_all(self, pid: bytes, bodies: list[bytes]) -> None:
        self.messages.extend((pid, body) for body in bodies)

    # --- what concerns sockets ---

    def select(self, ref: bytes, body: bytes, ident: int, process: bytes, handle: bytes) -> None:
        self.answer(ref, body)
        if self.selects.setdefault(handle, process) != process:
            self.faults.append(f"two processes wait for {ident} with {handle!r}")

    def ready(self, ident: int, handle: bytes) -> None:
        self.selected.append(("select", self._waits(ident, handle)))

    def ready_with(self, ident: int, handle: bytes, number: int, process: bytes, data: bytes) -> None:
        self.ready(ident, handle)
        self.aheads[ident] = (number, process, data)

    def recall(self, ident: int, number: int) -> None:
        self.recalls.append((ident, number))

    def abort(self, ident: int, handle: bytes, reason: str) -> None:
        self.selected.append((reason, self._waits(ident, handle)))

    def unselect(self, ident: int, handle: bytes) -> None:
        self._waits(ident, handle)

    def _waits(self, ident: int, handle: bytes) -> bytes:
        """Who waits with this handle, and does so no longer."""
        if handle not in self.selects:
            self.faults.append(f"nobody waits for {ident} with {handle!r}")
        return self.selects.pop(handle, b"")

    def opened(self, ident: int, name: bytes, kind: str, owner: bytes) -> None:
        if ident in self.opened_sockets:
            self.faults.append(f"{kind} {ident} {name!r} is opened twice")
        self.opened_sockets[ident] = owner

    def owned(self, ident: int, owner: bytes) -> None:
        self._expect_open(ident, "owned")
        self.opened_sockets[ident] = owner

    def mode(self, ident: int, before: int, after: int) -> None:
        """A link drops two changes that follow each other: so each must be one."""
        self._expect_open(ident, "told")
        if before != self.modes.get(ident, 0) or before == after:
            self.faults.append(f"{ident} goes from {before} to {after}, but was {self.modes.get(ident, 0)}")
        self.modes[ident] = after

    def mode_to(self, ident: int, mode: int, destination: bytes) -> None:
        self._expect_open(ident, "told")
        self.modes[ident] = mode
        self.destinations[ident] = destination

    @property
    def active_sockets(self) -> set[int]:
        return {ident for ident, mode in self.modes.items() if mode & IS_ACTIVE}

    def closed(self, ident: int) -> None:
        self._expect_open(ident, "closed")
        self.opened_sockets.pop(ident, None)
        self.modes.pop(ident, None)

    def _expect_open(self, ident: int, what: str) -> None:
        if ident not in self.opened_sockets:
            self.faults.append(f"{ident} is {what}, but not open")

    # --- what concerns processes ---

    def watch(self, pid: bytes) -> None:
        if pid in self.watched:
            self.faults.append(f"{pid!r} is watched twice")
        self.watched.add(pid)

    def unwatch(self, pid: bytes) -> None:
        if pid not in self.watched | self.ended:
            self.faults.append(f"{pid!r} was not watched")
        self.watched.discard(pid)

    # --- what concerns the network in play ---

    def in_play(self, on: bool) -> None:
        self.is_in_play = on

    def names(self, known: Mapping[str, list[str]]) -> None:
        self.known_names = dict(known)

    def lineage(self, number: int, pids: list[bytes]) -> None:
        self.lineages[number] = pids

    def keys(self, pid: bytes) -> None:
        self.asked_keys.append(pid)

    def stray(self, number: int, pids: list[bytes]) -> None:
        self.asked_stray[number] = pids

    def keep(self, key: int, rule: bytes) -> None:
        self.kept[key] = rule

    def forget(self, key: int) -> None:
        self.forgotten.append(key)
        self.kept.pop(key, None)

    def agent(self, payload: bytes) -> None:
        self.said.append(payload)

    # --- what concerns the node ---

    def renamed(self) -> None:
        self.renames += 1

    def pong(self) -> None:
        self.pongs += 1

    def acknowledged(self, count: int) -> None:
        self.frames_acknowledged += count

    # --- what the fast paths need ---

    def idle(self) -> bool:
        return self.is_idle

    def flush(self) -> None:
        """Nothing is held back here."""

    def takes_pipe(self) -> bool:
        return self.has_pipe

    def forward(self, ref: bytes, body: bytes, duct: Duct, size: int) -> None:
        self.answer(ref, body, duct.read(size))

    # --- the balance ---

    def assert_balanced(self, session: Session, waiting: frozenset[bytes] = frozenset()) -> None:
        """All sockets have ended: nothing is left, but the callers `waiting` for a known reason."""
        assert self.faults == []
        assert session.sockets == {}
        assert self.opened_sockets == {}, "opened, and not closed"
        assert self.watched == set(), "watched, and not unwatched"
        assert session.waiting.keys() <= waiting, "callers without an answer"
        assert session.feeders == {}


class NetworkRecorder:
    """An `Interference` that keeps what it is told, and answers ok. Its sockets are those of the host."""

    is_sealed = False

    def __init__(self, host: Host) -> None:
        self.host = host
        self.contexts: list[Context] = []
        self.requests: list[tuple[str, Any]] = []
        self.lineages: dict[int, list[tuple[Pid, tuple[Any, ...]]]] = {}

    def is_in_play(self) -> bool:
        return True

    def heard(self, context: Context) -> None:
        self.contexts.append(context)

    def open_socket(
        self, role: str | None, family: int, kind: int, netns: bytes | None, owner: Pid, remote: Any
    ) -> Socket:
        assert owner is not None, (role, remote)
        return self.host.open_socket(family, kind, netns)

    def opened(self, handle: Any) -> None:
        pass

    def adopted(self, handle: Any) -> None:
        pass

    def accepted(self, owner: Pid, sock: Socket) -> Socket:
        assert owner is not None
        return sock

    def check_opening(self, role: str | None, family: int) -> None:
        pass

    def connects(self, handle: Any, remote: Any) -> None:
        pass

    def listens(self, handle: Any) -> None:
        pass

    def owner_changed(self, handle: Any) -> None:
        pass

    def lookup_host(self) -> Host:
        return self.host

    def aged(self, milliseconds: int) -> float:
        return milliseconds

    def request(self, verb: str, argument: Any, answer: Callable[[bytes], None]) -> None:
        self.requests.append((verb, argument))
        answer(OK)

    def on_lineage(self, number: int, answers: list[tuple[Pid, tuple[Any, ...]]]) -> None:
        self.lineages[number] = answers
