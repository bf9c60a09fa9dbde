"""A socket of the module `socket`: what all its operations have in common.

Such a socket has no buffer and no mode: each operation is one call of the system, and answers `select` when
it would have to wait. What is done then is `socket`'s, in the node.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_UDP,
    IPPROTO_UDPLITE,
    SO_LINGER,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from typing import Any, ClassVar, cast

from ...codec.etf import encode_body
from ...codec.terms import Atom, Pid, Ref
from ...host import bugs
from ...host.api import READ, WRITE, Socket
from ...host.virtual import system_socket
from ...names.sockaddr import BadTerm
from ...session.interference import FRESH, OTHER
from ...session.session import Session
from ...wire.messages import OK, build_error
from ...wire.plain_requests import PLAIN
from ...wire.requests import Operation
from .ahead import Ahead, peek
from .counters import COUNTERS, Counters
from .waiters import Waiter, Waiters

__all__ = ["CLOSED", "SELECT", "STATES", "ZERO", "Closed", "Plain", "bad_state", "build_invalid"]

log = logging.getLogger(__name__)

# States of each direction, in the order in which info/1 has them.
STATES = ("bound", "listening", "accepting", "connecting", "connected", "selected", "closing", "closed")

MANY = 8  # processes that are watched: then those that do not wait any more are not

RCVBUF, RCVCTRLBUF, SNDCTRLBUF = 8192, 1024, 1024  # bytes

_INET = (AF_INET, AF_INET6)
SELECT = encode_body(Atom("select"))
ZERO = Atom("zero")
CLOSED = build_error("closed")
_UDP = (IPPROTO_UDP, IPPROTO_UDPLITE)
_ERROR, _INVALID, _RAISE = Atom("error"), Atom("invalid"), Atom("raise")


class Closed(Exception):  # noqa: N818
    """The socket is closed."""


def bad_state() -> BadTerm:
    """The failure of a process that calls while it waits behind others.

    Each time another, because an exception keeps the frames that it has passed.
    """
    return BadTerm(Atom("state"), fails=True)


def build_invalid(error: BadTerm) -> bytes:
    """How the caller hears of an argument that is none."""
    reason = (_INVALID, error.term)
    kind = Atom("throw") if error.fails == "throw" else _ERROR
    return encode_body((_RAISE, kind, reason) if error.fails else (_ERROR, reason))


class Plain:
    """See the module. `sock` is None when the socket is closed.

    reference: what is in the socket's name, `{'$socket', Reference}`.
    listed: the socket is in which_sockets/0.
    accepted: a listener has accepted it. listens: it listens, or is about to.
    rcvcount: how often recv with length 0 reads on after a full buffer; `reads` is how often it has.
    ahead: bytes that the node has before they are read; `shared`: somebody else may have the descriptor.
    watched: the processes whose end is watched, besides the owner: those that wait, or have waited lately.
    """

    __slots__ = (
        "__weakref__", "accepted", "acceptors", "ahead", "closer", "connector", "counters", "debug", "domain",
        "file", "file_sent", "ident", "interest", "iow", "listed", "listens", "meta", "name", "owner",
        "protocol", "rcvbuf", "rcvcount", "rcvctrlbuf", "read_state", "readers", "reads", "reference",
        "select_read", "session", "shared", "sndctrlbuf", "sock", "type", "watched", "write_state", "writers",
    )  # fmt: skip

    survives: ClassVar[bool] = False
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
        self.counters = Counters((name, 0) for name in COUNTERS)
        self.debug = self.iow = self.select_read = False
        self.rcvbuf, self.rcvcount, self.reads = RCVBUF, 0, 0
        self.rcvctrlbuf, self.sndctrlbuf = RCVCTRLBUF, SNDCTRLBUF
        self.file: int | None = None  # the descriptor of a file that is being sent
        self.file_sent = 0  # bytes of that file
        self.closer: bytes | None = None  # who waits until the socket is closed
        self.meta: Any = Atom("undefined")
        self.watched: dict[Pid, None] = {}
        self.ahead: Ahead | None = None
        self.shared = False
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
        if self.sock is None:
            raise Closed
        return self.sock

    @property
    def system_socket(self) -> Socket:
        """The same, where a network has put another socket in its place. Raises Closed."""
        return cast("Socket", system_socket(self.open_socket))

    def exchange(self, other: Callable[[Socket], Socket]) -> None:
        """Goes on with another socket, which `other` makes of this one."""
        assert self.sock is not None
        self._leave_poller(self.sock)
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
            self.watch(process)
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
        if not waiter.told:
            self.session.link.unselect(self.ident, waiter.handle.raw)

    def abort(self, waiters: Waiters, reason: str) -> None:
        """All that wait are told that it is in vain."""
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
        if not waiter.told:
            self.session.link.abort(self.ident, waiter.handle.raw, reason)

    def watch(self, process: Pid) -> None:
        """The process waits. It stays watched afterwards: it will wait again, as a rule, and to tell the
        node each time costs more than the rest of a recv.
        """
        if process == self.owner or process in self.watched:
            return
        if len(self.watched) >= MANY:
            waiting = {waiter.process for waiter in self._waiters()}
            for other in [other for other in self.watched if other not in waiting]:
                self.unwatch(other)
        self.watched[process] = None
        self.session.watch(process, self)

    def unwatch(self, process: Pid) -> None:
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
        events = (READ if reading else 0) | (WRITE if self.writers.untold or connecting else 0)
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

    def _leave_poller(self, sock: Socket) -> None:
        if self.interest:
            self.session.poller.remove(sock)
            self.interest = 0

    def on_ready(self, events: int) -> None:
        """The first of those that wait are told. An error of the socket makes it ready in both directions."""
        if events & ~WRITE:
            self._tell_reader(self.readers.first, events)
            self._tell(self.acceptors.first)
            self._tell_left(self.readers)
            self._tell_left(self.acceptors)
        if events & ~READ:
            self._tell(self.connector)
            self._tell(self.writers.first)
            self._tell_left(self.writers)
        self.update_interest()

    def _tell(self, waiter: Waiter | None) -> None:
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
        size = len(self.open_socket.recv(ahead.size))
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

    # --- ends ---

    def on_down(self, pid: Pid) -> None:
        """The owner has ended, or one that waits or has waited."""
        if self.ahead is not None:
            return self.defer(lambda: self.on_down(pid))
        if pid == self.owner:
            return self.terminate()
        self.watched.pop(pid, None)
        for waiters in (self.readers, self.writers, self.acceptors):
            for waiter in [waiter for waiter in waiters if waiter.process == pid]:
                waiters.remove(waiter)
                self.forget(waiter)
            if waiters.left is not None and waiters.left.process == pid:
                self.forget(waiters.left)
                waiters.left = None
        if self.connector is not None and self.connector.process == pid:
            self.forget(self.connector)
            self.connector = None
        self.update_interest()

    def terminate(self, ref: bytes | None = None) -> None:
        """The end of the socket, for the caller `ref` if there is one."""
        if self.session.sockets.get(self.ident) is not self:
            return
        self.abort_all()
        self.session.remove(self)
        for process in list(self.watched):
            self.unwatch(process)
        self.session.keep_ended(self.ident, self)
        self.close_file()
        sock, self.sock = self.sock, None
        if sock is not None:
            self._leave_poller(sock)
            self._close(sock, ref)
        self.settle()

    def _close(self, sock: Socket, ref: bytes | None) -> None:
        """close(2), which waits as long as the option linger says."""
        on, seconds = struct.unpack("ii", sock.getsockopt(SOL_SOCKET, SO_LINGER, 8))
        if on and seconds:
            self.closer = ref
            return self.session.host.close_lingering(sock, self._on_closed)
        sock.close()
        self.session.poller.look_again()  # its peer may be one of ours: see `early`
        if ref is not None:
            self.answer(ref, OK)

    def _on_closed(self, _result: None) -> None:
        ref, self.closer = self.closer, None
        if ref is not None:
            self.answer(ref, OK)

    def close_file(self) -> None:
        if self.file is not None:
            file, self.file = self.file, None
            self.session.host.close_file(file)

    def abort_all(self) -> None:
        """All that wait hear that the socket is closed, in the order of OTP."""
        if self.connector is not None:
            connector, self.connector = self.connector, None
            self.abort_one(connector, "closed")
        for waiters in (self.writers, self.readers, self.acceptors):
            self.abort(waiters, "closed")

    def close(self, ref: bytes, _request: Any) -> None:
        self.open_socket  # noqa: B018  raises what a closed one answers
        self.terminate(ref)

    def fail(self, _error: Exception) -> None:
        """The end after a bug."""
        try:
            self.terminate()
        except Exception:
            log.exception("while %r was ended", self)
        if self.sock is not None:
            self.session.poller.forget(self.sock)
            self.sock.close()
            self.sock = None
