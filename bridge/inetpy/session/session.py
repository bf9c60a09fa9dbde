"""One session: what the sockets of one node have in common.

Its sockets by number, the processes whose ends are watched, the callers that wait, the host, and the
link to the node. `operations.dispatch` leads requests here; `sockets` has what they mean.
"""

from __future__ import annotations

import errno
import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Protocol

from ..codec.terms import Atom, Pid, Port
from ..host import bugs
from ..host.api import Host, Timer
from ..host.bugs import Fallible
from ..host.errors import PosixNames
from ..wire import messages
from ..wire.identity import Identity, identity_of, name_of, translate
from ..wire.requests import Operation
from .interference import Context, Interference
from .link import Link
from .waiting import Waiting

__all__ = ["Door", "Feeder", "Paused", "Session", "Socket", "Watcher"]


MAX_ENDED = 1000


class Watcher(Fallible, Protocol):
    """Is called when a watched process ends."""

    def on_down(self, pid: Pid) -> None: ...


class Paused(Fallible, Protocol):
    """A socket that stopped reading because the node is behind."""

    def resume(self) -> None:
        """The node takes messages again."""


class Socket(Watcher, Protocol):
    """A socket, as its session knows it.

    ops: its operations by name, each a function of the socket, the reference and the record; `requests` has
    their shapes.
    """

    ops: ClassVar[dict[str, Callable[[Any, bytes, Any], None]]]
    requests: ClassVar[Mapping[str, Operation]]
    ident: int
    name: bytes
    owner: Pid
    floods: bool  # see `sockets.early`

    @property
    def kind(self) -> str: ...

    @property
    def role(self) -> str | None:
        """See `Interference`."""

    def renamed(self) -> None:
        """The node has another name, and so has the socket on the wire."""

    def terminate(self) -> None:
        """The end of the socket. All callers are answered."""


class Feeder(Protocol):
    """The rest of a large send, which the node hands out in pieces."""

    def arrived(self, data: bytes | memoryview) -> None: ...


class Door(Protocol):
    """Where the requests of the node come in: `operations.dispatch`."""

    def request(self, op: str, ident: int, ref: bytes, args: Any) -> None: ...


class Session:
    """See the module.

    door: for whoever wants to see the requests; None before there is one.
    bridge, out: name the peer's end in each socket's name.
    capabilities: those of the peer's greeting.
    after: see `Clock.after`. A network has a clock of its own.
    network: what interferes with the sockets; None while nothing is in play.
    node_process: the process of the node, where it is on this host.
    label: what the process that serves the node calls it; empty without one.
    on_agent: takes what a node of `inetpy.testing` says, in a form that this room does not know.
    context: what the node says of the request that is being carried out; None where it says nothing.
    """

    def __init__(
        self, link: Link, host: Host, bridge: Pid, out: Port | Pid, capabilities: list[object]
    ) -> None:
        known = dict(pair for pair in capabilities if isinstance(pair, tuple) and len(pair) == 2)
        # Where the stock driver changed between editions of OTP, the node's edition counts.
        release = known.get(Atom("otp_release"), 0)
        self.release: int = release
        # Whether the node's `socket` has names for options of SCTP.
        self.knows_sctp: bool = known.get(Atom("sctp")) == Atom("true")
        self.before_26, self.before_28 = release < 26, release < 28
        self.posix_name = PosixNames(release).name
        self.default_buffer: int | None = known.get(Atom("buffer"))
        self.node_process: int | None = known.get(Atom("os_pid"))
        self.host = host
        self.poller = host.poller
        self.after: Callable[[int, Callable[[], None]], Timer] = host.clock.after
        self.soon = host.poller.soon
        self.in_turn = host.poller.in_turn
        self.link = link
        self.fast = link.fast
        self.answer = link.answer
        self.select = link.select
        self.tell = link.tell
        self.network: Interference | None = None
        self.context: Context | None = None
        self.door: Door | None = None
        self.label = ""
        self.on_agent: Callable[[bytes], None] = lambda _: None
        self.lists_plain = True  # plain sockets are in the listings of `socket`, unless they say otherwise
        self.plain_debug: set[str] = set()  # debug and socket_debug, where they are on
        self.congested = False
        self.sockets: dict[int, Socket] = {}
        self.ended: OrderedDict[int, Socket] = OrderedDict()  # see keep_ended
        self.closes = 0  # connections that were closed by their users: see sockets.early
        self.newest: Socket | None = None  # the last socket that was opened
        self.waiting: dict[bytes, Waiting] = {}
        self.feeders: dict[bytes, Feeder] = {}
        self._bridge = bridge
        self._out = out
        # Identifiers in here are those of `home`, and those on the wire of `identity`: see wire.identity.
        self.home = self.identity = identity_of(bridge.raw)
        self._idents = itertools.count(1)
        self._watchers: dict[Pid, dict[Watcher, None]] = {}  # in the order in which they came
        self._paused: dict[object, Paused] = {}  # in the order in which they stopped

    def fail_callers(self, target: Fallible, error: Exception) -> None:
        """Answers all callers that wait for `target`."""
        for waiting in [waiting for waiting in self.waiting.values() if waiting.target is target]:
            waiting.fail(error)

    # --- protocols ---

    @cached_property
    def protocols(self) -> list[tuple[int, list[str]]]:
        """The protocols of the host, each with its names."""
        return self.host.raw.protocols()

    def borrow(self, number: int) -> int:
        """A copy of the node's descriptor `number`. Raises OSError."""
        if self.node_process is None:
            raise OSError(errno.EPERM, "the node is not on this host")
        return self.host.borrow(self.node_process, number)

    @property
    def node_name(self) -> str:
        """The name that the node has now."""
        return name_of(self.identity)

    # --- sockets ---

    def new_number(self) -> int:
        """A number for a new socket."""
        return next(self._idents)

    def new_name(self, module: Atom) -> tuple[int, bytes]:
        """A number for a new socket, and the external form of its name."""
        ident = next(self._idents)
        return ident, self.name_of(module, ident)

    def name_of(self, module: Atom, ident: int) -> bytes:
        """The name of a socket of a module of `inet`, as the node has it now."""
        return messages.build_socket(self._bridge, self._out, module, ident)

    def add(self, socket: Socket) -> None:
        """The socket is there: it can be asked for, and ends with its owner."""
        self.sockets[socket.ident] = self.newest = socket
        self.link.opened(socket.ident, socket.name, socket.kind, socket.owner.raw)
        self.watch(socket.owner, socket)

    def remove(self, socket: Socket) -> bool:
        """The socket is gone. False when it already was."""
        if self.sockets.pop(socket.ident, None) is None:
            return False
        self._paused.pop(socket, None)
        self.unwatch(socket.owner, socket)
        self.link.closed(socket.ident)
        return True

    def keep_ended(self, ident: int, socket: Socket) -> None:
        """A socket that is closed, and can still be asked what it was. Only the last ones are kept."""
        self.ended[ident] = socket
        if len(self.ended) > MAX_ENDED:
            self.ended.popitem(last=False)

    # --- processes ---

    def watch(self, pid: Pid, watcher: Watcher) -> None:
        """`watcher.on_down` is called when `pid` ends, until `unwatch`."""
        watchers = self._watchers.get(pid)
        if watchers is None:
            self._watchers[pid] = {watcher: None}
            self.link.watch(pid.raw)
        else:
            watchers[watcher] = None

    def unwatch(self, pid: Pid, watcher: Watcher) -> None:
        watchers = self._watchers.get(pid)
        if watchers is None:
            return
        watchers.pop(watcher, None)
        if not watchers:
            del self._watchers[pid]
            self.link.unwatch(pid.raw)

    def on_down(self, pid: Pid) -> None:
        """A process has ended."""
        for watcher in list(self._watchers.pop(pid, ())):
            bugs.guard(watcher.on_down, pid)
        if pid not in self._watchers:  # else somebody watches it again, and hears of the end again
            self.link.unwatch(pid.raw)

    def end(self) -> None:
        """The node has gone. Its sockets are closed, as the system closes those of a process that ends."""
        for socket in list(self.sockets.values()):
            bugs.guard(socket.terminate)
        for waiting in list(self.waiting.values()):
            waiting.withdraw()

    # --- the node's name ---

    def rename(self, identity: Identity) -> None:
        """From now on the node's identifiers are of `identity`; the names of sockets are, too."""
        if identity == self.identity:
            return
        before, self.identity = self.identity, self.home if identity == self.home else identity
        self._bridge = Pid(translate(self._bridge.raw, before, identity))
        self._out = type(self._out)(translate(self._out.raw, before, identity))
        self.link.outward = None if self.identity is self.home else self.outward
        for socket in list(self.sockets.values()):
            bugs.guard(socket.renamed)

    def outward(self, raw: bytes) -> bytes:
        """An identifier as the node knows it by its name of today."""
        return translate(raw, self.home, self.identity)

    # --- back-pressure ---

    def pause(self, socket: Paused) -> None:
        """`socket` has something to read, but the node is behind: see `set_congested`."""
        self._paused[socket] = socket

    def set_congested(self, congested: bool) -> None:
        """The link's output is (or is no longer) too far behind.

        Streams then stop reading, and TCP slows their peers down.
        """
        self.congested = congested
        if not congested:
            paused, self._paused = self._paused, {}
            for socket in paused.values():
                bugs.guard(socket.resume)
