"""One session: the sockets of one peer, their owners, and who asks what of them.

The session is fed decoded terms and does not know where they come from. Of its
transport it needs little: to answer an alias, to send a term to a pid, to watch
a pid, and to note what happens to sockets. See `Transport`.

A request names its socket by number; number 0 is the session itself, which
opens sockets. Nothing that comes in may end the session: a request of a wrong shape is refused
at the door (`requests`), and a bug behind it is logged, answered, and ends its socket only.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from . import bugs, messages, options
from .bugs import Fallible
from .errors import posix_name, use_release
from .etf import decode, encode_body
from .identity import Identity, identity_of, moved, moved_term
from .messages import OK, build_error, build_failure, build_ok
from .openers import OPENERS
from .requests import OPENING, QUERIES, SHAPES, anything
from .show import shown
from .syscalls import Poller, Syscalls
from .terms import Atom, Pid, Port, Ref
from .waiting import SLACK, Timer, Waiting, failure

if TYPE_CHECKING:
    import socket
    from concurrent.futures import Future, ThreadPoolExecutor

    from .sockets.datagram import Datagram
    from .sockets.handle import Handle
    from .sockets.outbox import Remote
    from .sockets.stream import Stream

__all__ = ["Session", "Transport"]

T = TypeVar("T")

log = logging.getLogger(__name__)

# What a socket that is gone answers, where it is not {error, closed}: what the
# closed port of a stock socket answers.
_GONE = dict.fromkeys(
    ("setopts", "getopts", "sockname", "peername", "socknames", "peernames", "getstat", "sendfile"),
    build_error("einval"),
) | {"close": OK}
_CLOSED = build_error("closed")

_VIEWED = ("piece", "send", "send_large", "sendto")  # operations that take views for bytes


OLD = 100  # ms: a request that is older was held up, by a process that stood still

MAX_THREADS = 32  # lookups at a time: those that wait for a slow server keep nobody else


class Transport(Protocol):
    """How a session reaches its peer. All terms are bodies: without a version byte.

    `outward`, when it is set, changes the references and pids that `reply` and `send` get.
    """

    outward: Callable[[bytes], bytes] | None

    def reply(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `{Ref, Body}` to the alias `ref`. `tail` continues `body`."""

    def send(self, pid: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `body` to the process `pid`."""

    def take(self, sock: socket.socket, size: int) -> int:
        """Moves up to `size` bytes from the stream `sock` to where `forward` finds them. 0: none.

        Then either `forward` or `give_back` must follow.
        """

    def give_back(self, size: int) -> bytes:
        """The bytes that `take` has moved."""

    def forward(self, ref: bytes, body: bytes, size: int) -> None:
        """`reply` with a tail of the `size` bytes that `take` has moved, at once and uncopied."""

    def alone(self) -> bool:
        """True if no other answer is queued and no unread request is buffered."""

    def flush(self) -> None:
        """What has been answered so far leaves now."""

    def note(self, body: bytes) -> None:
        """Tells the peer's end of the bridge what it must know to survive us."""

    def acknowledged(self, count: int) -> None:
        """The peer's end has passed on `count` frames more."""


class Watcher(Fallible, Protocol):
    """What ends with a process."""

    def on_down(self, pid: Pid) -> None: ...


class Session:
    """See the module.

    `bridge` and `out` name the peer's end in each socket's name; `capabilities` are those
    of its greeting.
    """

    def __init__(
        self,
        transport: Transport,
        syscalls: Syscalls,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        bridge: Pid,
        out: Port | Pid,
        capabilities: list[object],
    ) -> None:
        told = dict(pair for pair in capabilities if isinstance(pair, tuple) and len(pair) == 2)
        # Where the stock driver changed between editions of OTP, the node's edition counts.
        release = told.get(Atom("otp_release"), 0)
        self.before_28 = release < 28
        use_release(release)
        self.default_buffer = told.get(Atom("buffer"), options.DEFAULTS["buffer"])
        self.node_process = told.get(Atom("os_pid"))
        self.syscalls = syscalls
        self.poller = poller
        self.reply = transport.reply
        self.send = transport.send
        self.take = transport.take
        self.give_back = transport.give_back
        self.forward = transport.forward
        self.flush = transport.flush
        self.note = transport.note
        self._acknowledged = transport.acknowledged
        self.congested = False
        self.sockets: dict[int, Handle] = {}
        self.waiting: dict[bytes, Waiting] = {}
        self.remotes: dict[bytes, Remote] = {}
        self.loop = loop
        self._newest: Handle | None = None  # the last socket that was entered
        # How far our clock is ahead of the node's, in ms, as the last pings had it.
        self._ahead: deque[int] = deque(maxlen=4)
        self._bridge = bridge
        # Where identifiers in here are of, and where those on the wire are: see identity.
        self._home = self._identity = identity_of(bridge.raw)
        self._origin = self._home.atom + self._home.creation
        self._transport = transport
        self._out = out
        self._idents = itertools.count(1)
        self._watchers: dict[Pid, set[Watcher]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._paused: list[Stream | Datagram] = []
        self._latest = self._before = 0  # the sockets of the last two requests

    # --- requests ---

    def handle_frame(self, frame: bytes | memoryview) -> None:
        """One frame from the peer. Raises EtfError when it holds no term."""
        term = decode(frame, messages.LIMITS)
        if type(term) is tuple and len(term) == 4 and self._identity is self._home:
            # The short way of what follows in `handle`, for a node that has kept its name.
            op, ident, ref, args = term
            known = type(ref) is Ref and ref.raw.startswith(self._origin, 3)
            named = type(op) is Atom and (type(frame) is bytes or op.name in _VIEWED)
            if known and named and type(ident) is int:
                return self.request(op.name, ident, ref.raw, args)
        self.handle(term if type(frame) is bytes else decode(bytes(frame), messages.LIMITS))

    def handle(self, term: object) -> None:
        """One term from the peer: see messages."""
        match term:
            case (Atom() as op, int() as ident, Ref() as ref, args):
                # Only the node itself asks: a reference of another is its new name.
                self._rename(identity_of(ref.raw))
                here, home = self._identity, self._home
                self.request(op.name, ident, moved(ref.raw, here, home), moved_term(args, here, home))
            case (Atom(name="down"), Pid() as pid):
                self._on_down(Pid(moved(pid.raw, self._identity, self._home)))
            case (Atom(name="renamed"), Pid() as bridge):
                self._rename(identity_of(bridge.raw))
                self.note(messages.RENAMED)
            case (Atom(name="ack"), int() as count):
                self._acknowledged(count)
            case (Atom(name="ping"), int() as sent_at):
                self._on_ping(sent_at)
            case _:
                log.warning("not a request: %s", shown(term))

    def request(self, op: str, ident: int, ref: bytes, args: Any) -> None:
        self._before, self._latest = self._latest, ident
        if ident == 0:
            return self._open(op, ref, args)
        target = self.sockets.get(ident)
        if target is None:
            if op == "send_large" and SHAPES[op](args):
                self.send(self.outward(args[1].raw), messages.STOP)  # its caller may have died
            return self.reply(ref, _GONE.get(op, _CLOSED))
        method = target.ops.get(op)
        if method is None:
            return self.reply(ref, build_failure("unknown_op", op))
        if not SHAPES.get(op, anything)(args):
            return self._refuse(op, ref, args)
        try:
            method(target, ref, args)
        except Exception as error:
            self._failed_request(op, ref, error)
            if op not in QUERIES:
                bugs.end(target, error)

    def _open(self, op: str, ref: bytes, args: Any) -> None:
        """A request that names no socket."""
        opener = self.ops.get(op)
        if opener is None:
            return self.reply(ref, build_failure("unknown_op", op))
        if not OPENING.get(op, anything)(args):
            return self._refuse(op, ref, args)
        self._newest = None
        try:
            opener(self, ref, args)
        except Exception as error:
            self._failed_request(op, ref, error)
            if self._newest is not None:
                bugs.end(self._newest, error)

    def _refuse(self, op: str, ref: bytes, args: object) -> None:
        """Arguments of another shape than this version's Erlang side sends."""
        log.warning("bad request %s: %s", op, shown(args))
        self.reply(ref, build_failure("bad_request", op))

    def _failed_request(self, op: str, ref: bytes, error: Exception) -> None:
        log.error("request %s failed", op, exc_info=error)
        waiting = self.waiting.get(ref)
        if waiting is not None:
            waiting.withdraw()
        self.reply(ref, failure(error, op))

    def fail_callers(self, socket: Fallible, error: Exception) -> None:
        """Answers all callers that wait for `socket`."""
        for waiting in [waiting for waiting in self.waiting.values() if waiting.socket is socket]:
            waiting.fail(error)

    def borrow(self, number: int) -> int:
        """A copy of the node's descriptor `number`. Raises OSError."""
        if self.node_process is None:
            raise OSError(errno.EPERM, "the node is not on this host")
        return self.syscalls.borrow(self.node_process, number)

    def op_inet(self, ref: bytes, args: Any) -> None:
        """{Function, Arguments, Timeout}: see lookups."""
        try:
            from . import lookups  # few programs need it, and none at the start

            lookups.answer(self, ref, args)
        except OSError as error:  # without a descriptor no module can be loaded
            self.reply(ref, build_error(posix_name(error)))

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Runs `work` in a thread; then `done`, a method of a `Fallible`, with its result here.

        When `work` raises, the object of `done` ends.
        """
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(MAX_THREADS, "inetpy")
        future = self._threads.submit(work)
        future.add_done_callback(lambda it: self.loop.call_soon_threadsafe(self._on_thread, it, done))

    def _on_thread(self, future: Future[T], done: Callable[[T], None]) -> None:
        error = future.exception()
        if error is None:
            bugs.guard(done, future.result())
        else:
            bugs.failed(done.__self__, error)  # type: ignore[arg-type, attr-defined]

    def op_info(self, ref: bytes, _args: Any) -> None:
        """What `inetpy:info/0` shows of this side."""
        kinds = [handle.kind for handle in self.sockets.values()]
        counts = {Atom(kind): kinds.count(kind) for kind in ("stream", "listener", "datagram")}
        self.reply(ref, build_ok(encode_body(counts)))

    def send_all(self, pid: bytes, bodies: list[bytes]) -> None:
        """Sends messages to a process, in one frame."""
        if len(bodies) == 1:
            self.send(pid, bodies[0])
        elif bodies:
            self.note(messages.build_deliver(self.outward(pid), bodies))

    # --- sockets ---

    def new_name(self, module: Atom) -> tuple[int, bytes]:
        """A number for a new socket, and the external form of its name."""
        ident = next(self._idents)
        return ident, messages.build_socket(self._bridge, self._out, module, ident)

    def enter(self, handle: Handle) -> None:
        """The socket is there: it can be asked for, and ends with its owner."""
        self.sockets[handle.ident] = self._newest = handle
        owner = self.outward(handle.owner.raw)
        self.note(messages.build_open(handle.ident, handle.name, handle.kind, owner))
        self.watch(handle.owner, handle)

    def forget(self, handle: Handle) -> bool:
        """The socket is gone. False when it already was."""
        if self.sockets.pop(handle.ident, None) is None:
            return False
        self.unwatch(handle.owner, handle)
        self.note(messages.build_closed(handle.ident))
        return True

    # --- processes ---

    def watch(self, pid: Pid, watcher: Watcher) -> None:
        """`watcher.on_down` is called when `pid` ends, until `unwatch`."""
        watchers = self._watchers.get(pid)
        if watchers is None:
            self._watchers[pid] = {watcher}
            self.note(messages.build_watch(self.outward(pid.raw), True))
        else:
            watchers.add(watcher)

    def unwatch(self, pid: Pid, watcher: Watcher) -> None:
        watchers = self._watchers.get(pid)
        if watchers is None:
            return
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[pid]
            self.note(messages.build_watch(self.outward(pid.raw), False))

    def _on_down(self, pid: Pid) -> None:
        for watcher in self._watchers.pop(pid, ()):
            bugs.guard(watcher.on_down, pid)
        self.note(messages.build_watch(self.outward(pid.raw), False))

    # --- the node's name ---

    def _rename(self, identity: Identity) -> None:
        """From now on the node's identifiers are of `identity`; the names of sockets are, too."""
        if identity == self._identity:
            return
        before, self._identity = self._identity, self._home if identity == self._home else identity
        self._bridge = Pid(moved(self._bridge.raw, before, identity))
        self._out = type(self._out)(moved(self._out.raw, before, identity))
        self._transport.outward = None if self._identity is self._home else self.outward
        for handle in self.sockets.values():
            handle.rename(messages.build_socket(self._bridge, self._out, handle.module, handle.ident))

    def outward(self, raw: bytes) -> bytes:
        """An identifier as the node knows it by its name of today."""
        return moved(raw, self._home, self._identity)

    # --- time and pressure ---

    def after(self, milliseconds: int, callback: Callable[[], None]) -> Timer:
        """Calls `callback`, a method of a `Fallible`, once, unless the result is cancelled."""
        return Timer(self, milliseconds, callback)

    def remaining(self, timeout: int | tuple[int, int]) -> int | None:
        """What is left of the timeout of a request, in ms; None when its caller has given up by now.

        `{Milliseconds, SentAt}` says when the caller asked, by the node's clock. The request can be
        old: this process may have been stopped. Data or a connection for such a caller would be lost.
        """
        if isinstance(timeout, int):
            return timeout
        milliseconds, sent_at = timeout
        if not self._ahead:
            return milliseconds
        age = _now() - min(self._ahead) - sent_at
        if age > milliseconds + 1000 * SLACK:
            return None
        # Not for the moment that every request takes: no timeout may end early.
        return milliseconds if age < OLD else max(milliseconds - age, 0)

    def _on_ping(self, sent_at: int) -> None:
        self._ahead.append(_now() - sent_at)
        self.note(messages.PONG)

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, a method of a `Fallible`, when what is being done is done."""
        self.poller.soon(callback)

    def in_turn(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, a method of a `Fallible`, when the other sockets have had their turn."""
        self.poller.in_turn(callback)

    def pause(self, stream: Stream | Datagram) -> None:
        """`stream` has something to read, but the peer is behind: see `set_congested`."""
        self._paused.append(stream)

    def alone(self, ident: int) -> bool:
        """True if the last two requests were for socket `ident`, and nothing else is under way.

        Then an answer that leaves early lets it go on early. Where there are more, it would only cost
        what they save by being answered together.
        """
        return self._latest == self._before == ident and self._transport.alone()

    def op_piece(self, ref: bytes, data: Any) -> None:
        """The next bytes of a large send: see `Remote`. There is no answer."""
        remote = self.remotes.get(ref)
        if remote is not None:
            remote.arrived(data)

    def set_congested(self, congested: bool) -> None:
        """The transport's output is (or is no longer) too far behind.

        Streams then stop reading, and TCP slows their peers down.
        """
        self.congested = congested
        if not congested:
            paused, self._paused = self._paused, []
            for stream in paused:
                bugs.guard(stream.resume)

    ops: ClassVar[dict[str, Callable[[Session, bytes, Any], None]]] = {
        **OPENERS,
        "inet": op_inet,
        "info": op_info,
        "piece": op_piece,
    }


def _now() -> int:
    return int(monotonic() * 1000)
