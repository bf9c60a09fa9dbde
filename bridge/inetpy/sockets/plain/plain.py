"""A socket of the module `socket`: what all its operations have in common.

Such a socket has no buffer and no mode: each operation is one call of the system, and answers `select` when
it would have to wait. What is done then is `socket`'s, in the node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_UDP,
    IPPROTO_UDPLITE,
    SOCK_DGRAM,
    SOCK_STREAM,
)
from typing import Any, ClassVar, cast

from ...codec.etf import encode_body
from ...codec.terms import Atom, Pid, Ref
from ...host import bugs
from ...host.api import PEER_END, READ, WRITE, Socket
from ...host.virtual import system_socket
from ...session.interference import FRESH, OTHER
from ...session.session import Session
from ...wire.messages import build_aborted, build_error
from ...wire.plain_requests import PLAIN
from ...wire.requests import Operation
from .. import early
from . import closing, connector, held
from .ahead import Ahead, peek
from .answers import SELECT, Closed
from .counters import ZERO, Counters
from .held import Held
from .waiters import NOBODY, Waiter, Waiters

__all__ = ["Plain"]

MANY = 8  # processes that are watched: then those that do not wait any more are not

RCVBUF, RCVCTRLBUF, SNDCTRLBUF = 8192, 1024, 1024  # bytes

_INET = (AF_INET, AF_INET6)
_UDP = (IPPROTO_UDP, IPPROTO_UDPLITE)


class Plain:
    """See the module. `sock` is None when the socket is closed.

    reference: what is in the socket's name, `{'$socket', Reference}`.
    listed: the socket is in which_sockets/0.
    accepted: a listener has accepted it. listens: it listens, or is about to.
    rcvcount: how often recv with length 0 reads on after a full buffer; `reads` is how often it has.
    ahead: bytes that the node has before they are read; `shared`: somebody else may have the descriptor.
    early, repeats, always, floods, turn: see `sockets.early`. late_error: of an early send, told later.
    may_linger: somebody has set the option, of this socket or of its listener; the system knows its value.
    closing: its user has closed it, and `sock` has still to be closed.
    watched: the processes whose end is watched, besides the owner: those that wait, or have waited lately.
    """

    __slots__ = (
        "__weakref__", "accepted", "acceptors", "ahead", "always", "closing", "connector", "counters",
        "debug", "domain", "early", "file", "file_sent", "floods", "ident", "interest", "iow",
        "late_error", "listed", "listens", "may_linger", "meta", "name", "owner", "protocol", "rcvbuf",
        "rcvcount", "rcvctrlbuf", "read_state", "readers", "reads", "reference", "repeats", "select_read",
        "session", "shared", "sndctrlbuf", "sock", "turn", "type", "watched", "write_state", "writers",
    )  # fmt: skip

    survives: ClassVar[bool] = False
    early_request: ClassVar[type] = bytes
    requests: ClassVar[Mapping[str, Operation]] = PLAIN
    ops: ClassVar[dict[str, Callable[[Any, bytes, Any], None]]] = {}

    def __init__(
        self, session: Session, reference: Ref, owner: Pid, sock: Socket | None, like: Plain | None = None
    ) -> None:
        self.session = session
        self.reference = reference
        self.name = encode_body((Atom("$socket"), reference))
        self.ident = -1 if sock is None else session.new_number()
        self.owner = owner
        self.sock = sock
        self.domain = self.type = self.protocol = 0
        self.listed = True
        self.accepted, self.listens = like is not None, False
        self.readers, self.writers, self.acceptors = Waiters(), Waiters(), Waiters()
        self.connector: Waiter | None = None
        self.interest = 0
        self.read_state: set[str] = set()
        self.write_state: set[str] = set()
        self.counters = Counters(ZERO)
        self.debug = self.iow = self.select_read = False
        self.rcvbuf, self.rcvcount, self.reads = RCVBUF, 0, 0
        self.rcvctrlbuf, self.sndctrlbuf = RCVCTRLBUF, SNDCTRLBUF
        self.file: int | None = None  # the descriptor of a file that is being sent
        self.file_sent = 0  # bytes of that file
        self.meta: Any = Atom("undefined")
        self.watched: dict[Pid, None] = {}
        self.ahead: Ahead | None = None
        self.closing = self.may_linger = self.shared = False
        self.early = self.repeats = self.always = 0
        self.floods, self.turn = False, (0.0, 0)
        self.late_error: OSError | None = None
        if like is not None:
            self.domain, self.type, self.protocol, self.listed = (
                like.domain,
                like.type,
                like.protocol,
                like.listed,
            )
            self.rcvbuf, self.rcvcount = like.rcvbuf, like.rcvcount
            self.rcvctrlbuf, self.sndctrlbuf = like.rcvctrlbuf, like.sndctrlbuf
            self.debug, self.iow = like.debug, like.iow
            self.may_linger = like.may_linger or like.shared

    @property
    def kind(self) -> str:
        """What the bridge process calls it."""
        return "plain" if self.listed else "unlisted"

    @property
    def role(self) -> str | None:
        """See `session.interference.Interference`."""
        if self.domain not in (AF_INET, AF_INET6, AF_UNIX):
            return OTHER
        if self.type == SOCK_DGRAM:
            return None if self.domain == AF_UNIX or self.protocol in _UDP else OTHER
        if self.type != SOCK_STREAM:
            return OTHER
        if self.listens or self.accepted:
            return "listener" if self.listens else "accepted"
        return "client" if self.write_state & {"connecting", "connected"} else FRESH

    @property
    def connecting(self) -> bool | None:
        """None: it does not."""
        return "connecting" in self.write_state or None

    def __repr__(self) -> str:
        return f"<plain {self.ident}>"

    def renamed(self) -> None:
        """Its name is a reference, which is told as the node knows it at that time."""

    # --- answers ---

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        self.session.answer(ref, body, tail)

    def answer_ok(self, ref: bytes, term: Any) -> None:
        """`{ok, Term}`."""
        self.answer(ref, encode_body((Atom("ok"), term)))

    def answer_error(self, ref: bytes, error: OSError) -> None:
        self.answer(ref, self.build_error(error))

    def build_error(self, error: OSError) -> bytes:
        return build_error(self.session.posix_name(error))

    @property
    def open_socket(self) -> Socket:
        """The socket of the system. Raises Closed."""
        if self.sock is None or self.closing:
            raise Closed
        return self.sock

    @property
    def system_socket(self) -> Socket:
        """The same, where a network has put another socket in its place. Raises Closed."""
        return cast("Socket", system_socket(self.open_socket))

    def exchange(self, other: Callable[[Socket], Socket]) -> None:
        """Goes on with another socket, which `other` makes of this one."""
        assert self.sock is not None
        if self.early:
            early.wait_again(self)
        self.leave_poller(self.sock)
        self.sock = other(self.sock)
        self.update_interest()

    # --- those that wait ---

    def wait(self, ref: bytes, waiters: Waiters, process: Pid, handle: Ref, body: bytes = SELECT) -> None:
        """The process waits, and hears so: `body` is the answer."""
        before = waiters.wait(process, handle)
        for waiter in (before, waiters.take_left()):
            if waiter is not None:
                self.forget(waiter)
        if process not in self.watched:
            self.watch_process(process)
        if self.early:
            early.review_sends(self)
        self.session.select(ref, body, self.ident, process.raw, handle.raw)
        self.update_interest()

    def served(self, waiters: Waiters, process: Pid, was_ready: bool = True) -> None:
        """A call has had its result: if it was that of the first of those that wait, it is the turn of the
        next. A process that must not wait may have taken what the first was told of.

        was_ready: whether the result shows that the socket was ready. Then the first is told so.
        """
        if waiters.first is not None and (waiters.first.told or waiters.first.process == process):
            if was_ready:
                self._tell(waiters.first)
            self._leave(waiters)

    def _leave(self, waiters: Waiters) -> None:
        """The first waits no longer, but is still told when the socket is ready, unless another is then."""
        waiter = waiters.next()
        if waiter is None:
            return
        if waiter.told or waiters.first is not None:
            self.forget(waiter)
        else:
            waiters.left = waiter
        self.update_interest()

    def forget(self, waiter: Waiter) -> None:
        """The process waits no longer, or with another handle."""
        if not waiter.told and waiter.process is not NOBODY:
            self.session.link.unselect(self.ident, waiter.handle.raw)

    def abort(self, waiters: Waiters, reason: str) -> None:
        """All that wait are told that it is in vain."""
        if waiters.first is None and waiters.left is None:
            return
        left = waiters.take_left()
        if left is not None:
            self.forget(left)
        for waiter in waiters.take_all():
            self.abort_one(waiter, reason)
        self.update_interest()

    def failed(self, waiters: Waiters, reason: str) -> None:
        """A call of any process has had an error. All that wait get it but the first: see Waiters."""
        for waiter in waiters.take_others():
            self.abort_one(waiter, reason)
        self._leave(waiters)

    def abort_one(self, waiter: Waiter, reason: str) -> None:
        """Whoever has had the message is to ask again, and hears then."""
        if waiter.told or waiter.process is NOBODY:
            return
        if waiter.known == waiter.handle:
            return self.session.link.abort(self.ident, waiter.handle.raw, reason)
        self.forget(waiter)
        known = self.session.outward(waiter.known.raw)
        self.session.tell(waiter.process.raw, build_aborted(self.name, known, reason))

    def watch_process(self, process: Pid) -> None:
        """The process waits. It stays watched afterwards: it will wait again, as a rule, and to tell the
        node each time costs more than the rest of a recv.
        """
        if process == self.owner or process in self.watched:
            return
        if len(self.watched) >= MANY:
            waiting = {waiter.process for waiter in self._waiters()}
            for other in [other for other in self.watched if other not in waiting]:
                self.unwatch_process(other)
        self.watched[process] = None
        self.session.watch(process, self)

    def unwatch_process(self, process: Pid) -> None:
        del self.watched[process]
        self.session.unwatch(process, self)

    def _waiters(self) -> Iterator[Waiter]:
        """All that wait, in any direction."""
        for waiters in (self.readers, self.writers, self.acceptors):
            yield from waiters
            if waiters.left is not None:
                yield waiters.left
        if self.connector is not None:
            yield self.connector

    def set_owner(self, owner: Pid) -> None:
        """The owner before may wait still: it stays watched."""
        if owner == self.owner:
            return
        before, self.owner = self.owner, owner
        self.watched.pop(owner, None)
        self.watched[before] = None
        self.session.watch(owner, self)
        self.session.link.owned(self.ident, owner.raw)
        if self.session.network is not None:
            self.session.network.owner_changed(self)

    def set_listed(self, listed: bool) -> None:
        """Whether the socket is in the listings."""
        if listed != self.listed:
            self.listed = listed
            self.session.link.opened(self.ident, self.name, self.kind, self.owner.raw)

    # --- readiness ---

    def update_interest(self) -> None:
        """Asks the poller for what those that wait have not been told yet."""
        if self.acceptors.first is None:
            self.read_state.discard("accepting")
        reading = self.readers.untold or self.acceptors.untold
        connecting = self.connector is not None and not self.connector.told
        events = self.always | (READ if reading else 0) | (WRITE if self.writers.untold or connecting else 0)
        if events == self.interest or self.sock is None:
            return
        poller = self.session.poller
        if not self.interest:
            poller.add(self.sock, events, self)
        elif events:
            poller.change(self.sock, events)
        else:
            poller.remove(self.sock)
        self.interest = events
        if events & READ:
            self.read_state.add("selected")
        if events & WRITE:
            self.write_state.add("selected")

    def leave_poller(self, sock: Socket) -> None:
        if self.interest:
            self.session.poller.remove(sock)
            self.interest = 0

    def on_ready(self, events: int) -> None:
        """The first of those that wait are told. An error of the socket makes it ready in both directions."""
        if self.always and events & ~(READ | WRITE):
            early.end(self)
            events &= ~PEER_END
        if events & ~WRITE:
            self._tell_reader(self.readers.first, events)
            self._tell(self.acceptors.first)
            self._tell_left(self.readers)
            self._tell_left(self.acceptors)
        if events & ~READ:
            if self.connector is not None and not self.connector.told:
                connector.offer(self, self.connector, events)
            self._tell(self.connector)
            self._tell(self.writers.first)
            self._tell_left(self.writers)
        self.update_interest()

    def _tell(self, waiter: Waiter | None) -> None:
        if isinstance(waiter, Held):
            return held.write(self, waiter)
        if waiter is not None and not waiter.told:
            waiter.told = True
            self.session.link.ready(self.ident, waiter.handle.raw)

    def _tell_left(self, waiters: Waiters) -> None:
        left = waiters.take_left()
        if left is not None:
            self._tell(left)
            self.forget(left)

    def _tell_reader(self, waiter: Waiter | None, events: int) -> None:
        if waiter is None or waiter.told:
            return
        data = peek(self.sock, waiter.size) if events == READ and self._may_go_ahead() else None
        if data is None:
            return self._tell(waiter)
        waiter.told = True
        number = self.session.new_number()
        self.ahead = Ahead(number, waiter.process, len(data))
        self.session.link.ready_with(self.ident, waiter.handle.raw, number, waiter.process.raw, data)

    # --- senders that do not wait: see `sockets.early` and `held` ---

    def watch(self, events: int) -> None:
        """`on_ready` is called for these in any case."""
        self.always = events
        self.update_interest()

    def set_early(self, early: int) -> None:
        """What its callers may answer themselves."""
        before, self.early = self.early, early
        if before != early and self.ident in self.session.sockets:
            self.session.link.mode(self.ident, before, early)

    def may_send_early(self) -> bool:
        return (
            self.type == SOCK_STREAM
            and self.writers.first is None
            and self.late_error is None
            and not self.shared
            and self.sock is not None
            and held.has_room(self.sock)
        )

    def may_ask_once(self) -> bool:
        return False

    @property
    def is_connection(self) -> bool:
        """Whether it is a stream that has a peer, or had one. A listener is "connected" before OTP 28."""
        is_connected = self.accepted or "connected" in self.write_state
        return self.type == SOCK_STREAM and is_connected and "listening" not in self.read_state

    def may_close_early(self) -> bool:
        """Whoever has chosen its address may want it again at once, perhaps from another Python."""
        is_chosen = not self.read_state.isdisjoint(("bound", "listening"))
        return self.is_connection and self.connector is None and not self.shared and not is_chosen

    def linger(self) -> tuple[bool, int]:
        return closing.linger(self, self.open_socket)

    def send_early(self, parts: list[bytes]) -> None:
        held.send_early(self, parts)

    def close_early(self, taken: int = 0) -> None:
        closing.close_early(self, taken)

    def connect_early(self) -> None:
        connector.connect_early(self)

    def raise_late_error(self) -> None:
        error, self.late_error = self.late_error, None
        if error is not None:
            raise error

    # --- bytes that the node has: see `ahead` ---

    def _may_go_ahead(self) -> bool:
        """Whether bytes may go to the node before they are read."""
        return (
            self.session.fast.on
            and self.type == SOCK_STREAM
            and self.domain in _INET
            and self.ahead is None
            and not (self.shared or self.select_read or self.readers.others)
        )

    def defer(self, action: Callable[[], object]) -> None:
        """Does something when it is known whether the bytes that the node has are taken."""
        ahead = self.ahead
        assert ahead is not None
        ahead.deferred.append(action)
        if not ahead.recalled:
            ahead.recalled = True
            self.session.link.recall(self.ident, ahead.number)

    def on_recalled(self, number: int, given_up: bool) -> None:
        """The node has the bytes no longer: it has given them up, or the process has taken them."""
        if self.ahead is not None and self.ahead.number == number:
            if not given_up:
                self.read_ahead(self.ahead)
            self.settle()

    def read_ahead(self, ahead: Ahead) -> None:
        """What the process has taken is read."""
        assert self.sock is not None
        size = len(self.sock.recv(ahead.size))
        counters = self.counters
        counters["read_tries"] += 1
        counters["read_pkg"] += 1
        counters["read_byte"] += size
        counters["read_pkg_max"] = max(counters["read_pkg_max"], size)
        self.served(self.readers, ahead.process)

    def settle(self) -> None:
        """The node has no bytes of this socket any more."""
        ahead, self.ahead = self.ahead, None
        if ahead is not None:
            for action in ahead.deferred:
                try:
                    action()
                except Exception as error:  # noqa: BLE001  `failed` logs it
                    bugs.failed(self, error)

    # --- ends: see `closing` ---

    def on_down(self, pid: Pid) -> None:
        closing.on_down(self, pid)

    def terminate(self, ref: bytes | None = None) -> None:
        closing.terminate(self, ref)

    def fail(self, _error: Exception) -> None:
        closing.fail(self)
