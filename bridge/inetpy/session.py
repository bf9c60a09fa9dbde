"""One session: the sockets of one peer, their owners, and who asks what of them.

The session is fed decoded terms and does not know where they come from. Of its
transport it needs little: to answer an alias, to send a term to a pid, to watch
a pid, and to note what happens to sockets. See `Transport`.

A request names its socket by number; number 0 is the session itself, which
opens sockets. Nothing that comes in may end the session: what cannot be
understood, and what goes wrong in here, is answered and logged.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from socket import AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from . import addresses, inet, messages, options, resolver
from .errors import posix_name
from .etf import decode, encode_body
from .identity import Identity, identity_of, moved, moved_term
from .messages import OK, build_error, build_failure, build_ok, build_raise
from .resolver import ResolverError
from .sockets.datagram import Datagram
from .sockets.handle import Handle
from .sockets.listener import Listener
from .sockets.race import Race
from .sockets.stream import Stream
from .syscalls import Poller, Syscalls
from .terms import Atom, Pid, Port, Ref

if TYPE_CHECKING:
    import socket

__all__ = ["Session", "Transport"]

S = TypeVar("S", bound=Handle)
T = TypeVar("T")

log = logging.getLogger(__name__)

# What a socket that is gone answers, where it is not {error, closed}: what the
# closed port of a stock socket answers.
_GONE = dict.fromkeys(
    ("setopts", "getopts", "sockname", "peername", "socknames", "getstat", "sendfile"),
    build_error("einval"),
) | {"close": OK}
_CLOSED = build_error("closed")

_VIEWED = ("send", "sendto")  # what takes views for bytes


MAX_THREADS = 32  # lookups at a time: those that wait for a slow server keep nobody else


class BadSockaddr(Exception):  # noqa: N818
    """A sockaddr to bind to that is none: its caller fails otherwise than for a tuple."""


class Transport(Protocol):
    """How a session reaches its peer. All terms are bodies: without a version byte.

    `outward`, when it is set, changes the references and pids that `reply` and `send` get.
    """

    outward: Callable[[bytes], bytes] | None

    def reply(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `{Ref, Body}` to the alias `ref`. `tail` continues `body`."""

    def send(self, pid: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `body` to the process `pid`."""

    def forward(self, ref: bytes, body: bytes, sock: socket.socket, size: int) -> bool:
        """`reply` with a tail of `size` bytes that wait in the stream `sock`, at once and uncopied.

        False, and nothing is done, where that is not possible. Nobody else may read from `sock`.
        """

    def alone(self) -> bool:
        """Whether nothing else has been answered, or could be, before what has been answered leaves."""

    def flush(self) -> None:
        """What has been answered so far leaves now."""

    def note(self, body: bytes) -> None:
        """Tells the peer's end of the bridge what it must know to survive us."""

    def acknowledged(self, count: int) -> None:
        """The peer's end has passed on `count` frames more."""


class Watcher(Protocol):
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
        self.default_buffer = told.get(Atom("buffer"), options.DEFAULTS["buffer"])
        self.node_process = told.get(Atom("os_pid"))
        self.syscalls = syscalls
        self.poller = poller
        self.reply = transport.reply
        self.send = transport.send
        self.forward = transport.forward
        self.flush = transport.flush
        self.note = transport.note
        self._transport_alone = transport.alone
        self._acknowledged = transport.acknowledged
        self.congested = False
        self.sockets: dict[int, Handle] = {}
        self._loop = loop
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
        term = decode(frame)
        if type(term) is tuple and len(term) == 4 and self._identity is self._home:
            # The short way of what follows in `handle`, for a node that has kept its name.
            op, ident, ref, args = term
            known = type(ref) is Ref and ref.raw.startswith(self._origin, 3)
            named = type(op) is Atom and (type(frame) is bytes or op.name in _VIEWED)
            if known and named and type(ident) is int:
                return self.request(op.name, ident, ref.raw, args)
        self.handle(term if type(frame) is bytes else decode(bytes(frame)))

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
            case _:
                log.warning("not a request: %.200r", term)

    def request(self, op: str, ident: int, ref: bytes, args: Any) -> None:
        self._before, self._latest = self._latest, ident
        try:
            if ident == 0:
                opener = self.ops.get(op)
                if opener is None:
                    return self.reply(ref, build_failure("unknown_op", op))
                return opener(self, ref, args)
            target = self.sockets.get(ident)
            if target is None:
                return self.reply(ref, _GONE.get(op, _CLOSED))
            method = target.ops.get(op)
            if method is None:
                return self.reply(ref, build_failure("unknown_op", op))
            method(target, ref, args)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            # Arguments of another shape than this version's Erlang side sends.
            log.warning("bad request %s: %r", op, error, exc_info=log.isEnabledFor(logging.DEBUG))
            self.reply(ref, build_failure("bad_request", f"{op}: {error!r}"))
        except Exception as error:
            log.exception("request %s failed", op)
            self.reply(ref, build_failure("exception", f"{op}: {error!r}"))

    def op_connect(self, ref: bytes, args: Any) -> None:
        """{Module, Family, Owner, Address, Port, Options, Preset, Timeout}; a sockaddr has Port 0."""
        module, family_name, owner, address, port, given, preset, timeout = args
        family = addresses.FAMILIES[family_name.name]
        try:
            opening = options.parse_open(given, preset, options.CONNECT)
            local = self._local_address(opening, family, always=False)
            if isinstance(opening.address, dict) and not isinstance(address, dict):
                raise ValueError("a sockaddr to bind to goes with a sockaddr to connect to")
        except _REFUSALS as error:
            return self.reply(ref, _refusal(error))
        try:
            remote: addresses.Sockaddr
            if family == AF_UNIX:
                remote = addresses.parse_local(address)
            elif isinstance(address, dict):
                remote = addresses.parse_sockaddr(address, family)
            else:
                remote = addresses.parse_address(address, port, family)
        except (OSError, ValueError):
            return self.reply(ref, build_error("einval"))
        try:
            stream = self._open(Stream, SOCK_STREAM, module, family, owner, opening, local)
        except OSError as error:
            return self.reply(ref, build_error(posix_name(error)))

        def done(error: str | None) -> None:
            self.reply(ref, build_ok(stream.name) if error is None else build_error(error))

        stream.connect(remote, timeout, done)

    def op_connect_name(self, ref: bytes, args: Any) -> None:
        """{Module, Owner, Name, Port, Options, Preset, Timeout}: any address of a name, RFC 8305."""
        module, owner, name, port, given, preset, timeout = args
        try:
            opening = options.parse_open(given, preset, options.CONNECT)
        except ValueError:
            return self.reply(ref, build_raise("exit", "badarg"))

        def begin(address: tuple[int, str], on_end: Callable[[str | None], None]) -> Stream:
            family, host = address
            try:
                local = self._local_address(opening, family, always=False)
            except (ValueError, BadSockaddr):
                raise OSError(errno.EAFNOSUPPORT, "bound to the other family") from None
            stream = self._open(Stream, SOCK_STREAM, module, family, owner, opening, local)
            remote = (host, port) if family == AF_INET else (host, port, 0, 0)
            stream.connect(remote, -1, on_end)  # the race has the time
            return stream

        def done(result: Stream | str) -> None:
            won = not isinstance(result, str)
            self.reply(ref, build_ok(result.name) if won else build_error(result))  # type: ignore[union-attr]

        race = Race(self, timeout, begin, done)
        self.in_thread(lambda: _all_addresses(name.decode("latin-1")), race.start)

    def op_listen(self, ref: bytes, args: Any) -> None:
        """{Module, Family, Owner, Port, Options, Preset}."""
        module, family_name, owner, port, given, preset = args
        family = addresses.FAMILIES[family_name.name]
        try:
            opening = options.parse_open([(Atom("port"), port), *given], preset, options.LISTEN)
            local = self._local_address(opening, family, always=True)
        except _REFUSALS as error:
            return self.reply(ref, _refusal(error))
        if type(opening.backlog) is not int:
            return self.reply(ref, build_raise("error", "function_clause"))
        try:
            listener = self._open(Listener, SOCK_STREAM, module, family, owner, opening, local)
            # Sixteen bits go to the driver, signed for listen(2).
            listener.listen(opening.backlog & 0xFFFF)
        except OSError as error:
            return self.reply(ref, build_error(posix_name(error)))
        self.reply(ref, build_ok(listener.name))

    def op_open(self, ref: bytes, args: Any) -> None:
        """{Module, Family, Owner, Port, Options}: a datagram socket."""
        module, family_name, owner, port, given = args
        family = addresses.FAMILIES[family_name.name]
        try:
            opening = options.parse_open([(Atom("port"), port), *given], [], options.OPEN)
            local = self._local_address(opening, family, always=True)
            datagram = self._open(Datagram, SOCK_DGRAM, module, family, owner, opening, local)
        except _REFUSALS as error:
            return self.reply(ref, _refusal(error))
        datagram.start()
        self.reply(ref, build_ok(datagram.name))

    def _local_address(
        self, opening: options.OpenOptions, family: int, always: bool
    ) -> addresses.Sockaddr | None:
        """Where to bind. None: a connecting socket leaves it to the system."""
        if family == AF_UNIX:
            if opening.port != 0:
                raise ValueError("a local address has no port")
            return None if opening.address is None else addresses.parse_local(opening.address)
        if isinstance(opening.address, dict):
            try:
                return addresses.parse_sockaddr(opening.address, family)
            except ValueError as error:
                raise BadSockaddr from error
        if opening.address is None or opening.address == Atom("undefined"):
            bound = addresses.parse_address(Atom("any"), opening.port, family)
            return bound if always or opening.port else None
        return addresses.parse_address(opening.address, opening.port, family)

    def borrow(self, number: int) -> int:
        """A copy of the node's descriptor `number`. Raises OSError."""
        if self.node_process is None:
            raise OSError(errno.EPERM, "the node is not on this host")
        return self.syscalls.borrow(self.node_process, number)

    def _open(
        self,
        handler: type[S],
        kind: int,
        module: Atom,
        family: int,
        owner: Pid,
        opening: options.OpenOptions,
        local: addresses.Sockaddr | None,
    ) -> S:
        """A socket with its options set, and bound. Raises OSError."""
        number = opening.descriptor
        adopted = False
        if type(number) is int and number >= 0:
            adopted = True
            sock = self._adopt(number, family)
            local = None if opening.address is None and not opening.port else local
        else:
            sock = self.syscalls.open_socket(family, kind, opening.netns)
        handle = handler(self, module, owner, sock)
        handle.shared = adopted
        self.enter(handle)
        try:
            options.apply(handle, opening.settings)
            if local is not None:
                self.syscalls.bind(sock, local)
        except options.OptionError as error:
            handle.terminate()
            raise OSError(errno.EINVAL, "an option was refused") from error
        except OSError:
            handle.terminate()
            raise
        return handle

    def _adopt(self, number: int, family: int) -> socket.socket:
        """The socket that is the node's descriptor `number` (inet_ctl_fdopen). Raises OSError."""
        try:
            copy = self.borrow(number)
        except PermissionError:
            raise OSError(errno.ENOTSUP, "the descriptors of the node cannot be had") from None
        try:
            sock = self.syscalls.adopt_socket(copy)
        except OSError:
            self.syscalls.close_file(copy)
            raise
        if sock.family != family:
            self.syscalls.close(sock)
            raise OSError(errno.EINVAL, "a socket of another family")
        return sock

    def op_fdopen(self, ref: bytes, args: Any) -> None:
        """{Module, Protocol, Family, Owner, Number, Options}: a socket of a descriptor of the node."""
        module, protocol, family_name, owner, number, given = args
        try:
            sock = self._adopt(number, addresses.FAMILIES[family_name.name])
        except OSError as error:
            return self.reply(ref, build_error(posix_name(error)))
        handler = Stream if protocol == Atom("tcp") else Datagram
        handle = handler(self, module, owner, sock)
        self.enter(handle)
        try:
            options.apply(handle, options.parse_settings(given))
        except options.OptionError:
            handle.terminate()
            return self.reply(ref, build_error("einval"))
        handle.start()
        self.reply(ref, build_ok(handle.name))

    def op_inet(self, ref: bytes, args: Any) -> None:
        """{Function, Arguments, Timeout}: a function of `inet` that takes no socket."""
        function, arguments, timeout = args
        quick = inet.QUICK.get(function.name)
        if quick is not None:
            return self.reply(ref, _inet_answer(quick, list(arguments)))
        _Lookup(self, ref, timeout).start(inet.SLOW[function.name], list(arguments))

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Runs `work`, which must not raise, in a thread; then `done` with its result here."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_THREADS, "inetpy")
        future = self._threads.submit(work)
        future.add_done_callback(lambda it: self._loop.call_soon_threadsafe(done, it.result()))

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
        self.sockets[handle.ident] = handle
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
            try:
                watcher.on_down(pid)
            except Exception:  # what else the process owned must end all the same
                log.exception("the end of %r failed for %r", pid, watcher)

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

    def after(self, milliseconds: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Calls `callback` once, unless the result is cancelled."""
        return self._loop.call_later(milliseconds / 1000, callback)

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when what is being done is done."""
        self.poller.soon(callback)

    def pause(self, stream: Stream | Datagram) -> None:
        """`stream` has something to read, but the peer is behind: see `set_congested`."""
        self._paused.append(stream)

    def alone(self, ident: int) -> bool:
        """Whether the caller of socket `ident` is the only one these days.

        Then an answer that leaves early lets it go on early. Where there are more, it would only cost
        what they save by being answered together.
        """
        return self._latest == self._before == ident and self._transport_alone()

    def set_congested(self, congested: bool) -> None:
        """The transport's output is (or is no longer) too far behind.

        Streams then stop reading, and TCP slows their peers down.
        """
        self.congested = congested
        if not congested:
            paused, self._paused = self._paused, []
            for stream in paused:
                stream.resume()

    ops: ClassVar[dict[str, Callable[[Session, bytes, Any], None]]] = {
        "connect": op_connect,
        "connect_name": op_connect_name,
        "fdopen": op_fdopen,
        "listen": op_listen,
        "open": op_open,
        "inet": op_inet,
        "info": op_info,
    }


_REFUSALS = (ValueError, BadSockaddr, OSError)


def _refusal(error: Exception) -> bytes:
    """How a call that opens a socket fails on its options: as gen_tcp and gen_udp do."""
    if isinstance(error, OSError):
        return build_error(posix_name(error))
    return build_raise("error" if isinstance(error, BadSockaddr) else "exit", "badarg")


def _inet_answer(function: Callable[[list[Any]], object], arguments: list[Any]) -> bytes:
    """The answer of a function of `inet`, whatever it comes to."""
    try:
        return encode_body(function(arguments))
    except inet.NoClause:
        return build_raise("error", "function_clause")
    except ResolverError as error:
        return build_error(error.name)
    except Exception as error:  # in a thread nobody else would see it
        log.exception("%s failed", function.__name__)
        return build_failure("exception", repr(error))


def _all_addresses(name: str) -> list[tuple[int, str]]:
    """None when the name is unknown."""
    try:
        return resolver.all_addresses(name)
    except ResolverError:
        return []
    except Exception:  # in a thread nobody else would see it
        log.exception("the addresses of %s", name)
        return []


class _Lookup:
    """A function that runs in a thread, for a caller who may not wait for ever."""

    __slots__ = ("ref", "session", "timer")

    def __init__(self, session: Session, ref: bytes, timeout: int) -> None:
        self.session = session
        self.ref: bytes | None = ref
        self.timer = session.after(timeout, self.on_timeout) if timeout >= 0 else None

    def start(self, function: Callable[[list[Any]], object], arguments: list[Any]) -> None:
        self.session.in_thread(lambda: _inet_answer(function, arguments), self.on_done)

    def on_timeout(self) -> None:
        self.answer(build_error("timeout"))

    def on_done(self, body: bytes) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.answer(body)

    def answer(self, body: bytes) -> None:
        """The first one counts."""
        ref, self.ref = self.ref, None
        if ref is not None:
            self.session.reply(ref, body)
