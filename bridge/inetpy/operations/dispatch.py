"""The door: requests of a node go to the session, or to one of its sockets.

Nothing that comes in may end the session. A request of a wrong shape is refused (`wire.requests`). A
bug behind the door is logged, answered, and ends its socket only.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ..codec.etf import decode
from ..codec.show import shown
from ..codec.terms import Atom, Pid, Ref
from ..host import bugs
from ..host.api import SLACK
from ..session.interference import parse_context, parse_lineages
from ..session.session import Session, Socket
from ..session.waiting import failure
from ..sockets.early import Unanswered
from ..wire import messages
from ..wire.framing import Frame
from ..wire.identity import identity_of, translate, translate_term
from ..wire.messages import OK, build_error, build_failure
from ..wire.requests import LATE, SESSION, SOCKET, Fault, Inet, Operation, Piece
from . import openers

__all__ = ["OPERATIONS", "PREFIX", "Dispatcher"]

log = logging.getLogger(__name__)

# What a socket that is gone answers, where it is not {error, closed}: what the
# closed port of a stock socket answers.
_GONE = dict.fromkeys(
    ("setopts", "getopts", "sockname", "peername", "socknames", "peernames", "getstat", "sendfile"),
    build_error("einval"),
) | {"close": OK}
_CLOSED = build_error("closed")
# Early requests without data, each with the method of a socket that has it. In a tuple, numbers follow.
_EARLY = {Atom("once"): "ask_once", Atom("close"): "close_early", Atom("connected"): "connect_early"}
_TIMEOUT = build_error("timeout")


def _viewed(*tables: Mapping[str, Operation]) -> frozenset[str]:
    """Operations that take a view of the frame for a copy of their bytes."""
    return frozenset(name for table in tables for name, operation in table.items() if operation.takes_views)


_VIEWED = _viewed(SESSION, SOCKET)

PREFIX = "socket_"  # what the operations of plain sockets begin with

OLD = 100  # ms: a request that is older was held up, by a process that stood still
WAITS = 800  # ms that a caller waits at least after its timeout, before it gives up: see inetpy_request.erl


class Dispatcher:
    """The requests of one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.door = self
        self._home = session.home.atom + session.home.creation
        self._sockets = session.sockets
        self._fast = session.fast
        self._clock = session.host.clock.now
        # How far our clock is ahead of the node's, in ms: as the last pings had it, and the least of them.
        self._pings: deque[int] = deque(maxlen=4)
        self._ahead: int | None = None
        # Data of early sends that follow each other goes to the system together.
        self._sender: Unanswered | None = None
        self._parts: list[Any] = []
        self._requests: Mapping[str, Operation] = SESSION
        self._operations: Mapping[str, Callable[[Session, bytes, Any], None]] = OPERATIONS
        self._viewed = _VIEWED

    # --- frames ---

    def handle_frame(self, frame: Frame) -> None:
        """One frame from the node, or its term. Raises EtfError when it holds no term."""
        term: Any = frame if type(frame) is tuple else decode(frame, messages.LIMITS)  # type: ignore[arg-type]
        session = self.session
        if type(term) is tuple and len(term) == 3 and type(term[0]) is Atom and term[0].name == "early":
            return self.early(term[1], term[2])
        if self._sender is not None:
            self.settle()
        if type(term) is tuple and len(term) == 4 and session.identity is session.home:
            # The short way of what follows in `handle`, for a node that has kept its name.
            op, ident, ref, args = term
            known = type(ref) is Ref and ref.raw.startswith(self._home, 3)
            named = type(op) is Atom and (type(frame) is not memoryview or op.name in self._viewed)
            if known and named and type(ident) is int:
                return self.request(op.name, ident, ref.raw, args)
        self.handle(decode(bytes(frame), messages.LIMITS) if type(frame) is memoryview else term)

    def handle(self, term: object) -> None:
        """One term from the node: see `wire.messages`."""
        session = self.session
        match term:
            case (Atom() as op, int() as ident, Ref() as ref, args):
                # Only the node itself asks: a reference of another is its new name.
                session.rename(identity_of(ref.raw))
                here, home = session.identity, session.home
                self.request(op.name, ident, translate(ref.raw, here, home), translate_term(args, here, home))
            case (Atom(name="down"), Pid() as pid):
                session.on_down(Pid(translate(pid.raw, session.identity, session.home)))
            case (Atom(name="renamed"), Pid() as bridge):
                session.rename(identity_of(bridge.raw))
                session.link.renamed()
            case (Atom(name="ack"), int() as count):
                session.link.acknowledged(count)
            case (Atom(name="ping"), int() as sent_at):
                self._pings.append(int(self._clock() * 1000) - sent_at)
                self._ahead = min(self._pings)
                session.link.pong()
            case (Atom(name="lineage"), int() as number, list() as answers):
                self._on_lineage(number, answers)
            case (Atom(name="recalled"), int() as ident, int() as number, Atom() as given_up):
                self._on_recalled(ident, number, given_up.name == "true")
            case (Atom(name="agent"), bytes() as payload):
                session.on_agent(payload)
            case _:
                log.warning("not a request: %s", shown(term))

    def _on_lineage(self, number: int, answers: list[Any]) -> None:
        """What processes are and descend from, as `Link.lineage` asked."""
        session = self.session
        known: Any = translate_term(answers, session.identity, session.home)
        lineages = parse_lineages(known)
        if lineages is None:
            log.warning("not lineages: %s", shown(answers))
        elif session.network is not None:
            session.network.on_lineage(number, lineages)

    # --- requests whose callers do not wait: see sockets.early ---

    def early(self, ident: Any, request: Any) -> None:
        """Data, or one of `_EARLY`. A socket that has ended meanwhile takes no notice."""
        sender = self._sender
        if sender is not None:
            if type(request) is sender.early_request and sender.ident == ident:
                return self._parts.append(request)
            self.settle()
        fast = self._fast
        fast.before, fast.latest = fast.latest, ident
        target: Any = self._sockets.get(ident) if type(ident) is int else None
        expected = getattr(target, "early_request", None)
        if expected is None:
            return
        if not target.floods:
            fast.others += 1
        if type(request) is expected:
            self._sender, self._parts = target, [request]
        else:
            self._carry_out(target, request)

    def _carry_out(self, target: Unanswered, request: Any) -> None:
        kind, *numbers = request if type(request) is tuple and request else (request,)
        name = _EARLY.get(kind) if type(kind) is Atom else None
        method = None if name is None else getattr(target, name, None)
        if method is None:
            return log.warning("not an early request: %s", shown(request))
        try:
            method(*numbers)
        except Exception as error:
            self._failed_early(target, error)

    def settle(self) -> None:
        """What early sends have gathered goes out."""
        sender, self._sender = self._sender, None
        if sender is not None:
            parts, self._parts = self._parts, []
            try:
                sender.send_early(parts)
            except Exception as error:
                self._failed_early(sender, error)

    def _failed_early(self, target: Unanswered, error: Exception) -> None:
        log.error("an early request failed", exc_info=error)
        bugs.end(target, error)

    def _on_recalled(self, ident: int, number: int, given_up: bool) -> None:
        from ..sockets.plain import Plain

        target = self._sockets.get(ident)
        if isinstance(target, Plain):
            bugs.guard(target.on_recalled, number, given_up)

    # --- requests ---

    def request(self, op: str, ident: int, ref: bytes, args: Any) -> None:
        """One request, by the name of its operation. It is answered now or later."""
        fast = self._fast
        fast.before, fast.latest = fast.latest, ident
        if ident == 0:
            return self._ask_session(op, ref, args)
        target = self._sockets.get(ident)
        if target is None:
            if not op.startswith(PREFIX):
                return self.session.answer(ref, _GONE.get(op, _CLOSED))
            target = self.session.ended.get(abs(ident)) or self._closed_plain()
        if not target.floods:
            fast.others += 1
        operation, method = target.requests.get(op), target.ops.get(op)
        if operation is None or method is None:
            return self.session.answer(ref, build_failure("unknown_op", op))
        request = operation.parse(args, self._remaining)
        if request is None or request is LATE:
            return self._not_plain(op, ident, ref, args, request)
        try:
            method(target, ref, request)
        except Exception as error:
            self._failed(op, ref, error)
            if not operation.is_query:
                bugs.end(target, error)

    def _ask_session(self, op: str, ref: bytes, args: Any) -> None:
        """A request that names no socket: most open one."""
        session = self.session
        if op.startswith(PREFIX):
            try:
                self._load_plain()
            except OSError as error:  # without a descriptor no module can be loaded
                return session.answer(ref, build_error(session.posix_name(error)))
        operation, function = self._requests.get(op), self._operations.get(op)
        if operation is None or function is None:
            return session.answer(ref, build_failure("unknown_op", op))
        request = operation.parse(args, self._remaining)
        if request is None or request is LATE:
            return self._not_plain(op, 0, ref, args, request)
        session.newest = None
        try:
            function(session, ref, request)
        except Exception as error:
            self._failed(op, ref, error)
            if session.newest is not None:
                bugs.end(session.newest, error)

    def _load_plain(self) -> None:
        """The operations of inetpy_socket: few nodes need it."""
        if self._requests is SESSION:
            from ..sockets.plain import SESSION_OPERATIONS
            from ..wire.plain_requests import PLAIN, PLAIN_SESSION

            self._requests = {**SESSION, **PLAIN_SESSION}
            self._operations = {**OPERATIONS, **SESSION_OPERATIONS}
            self._viewed = _viewed(SESSION, SOCKET, PLAIN)

    def _closed_plain(self) -> Socket:
        """What checks the arguments of a plain socket that is closed."""
        from ..sockets.plain import Plain

        nobody = Ref(self.session.home.atom), Pid(self.session.home.atom)
        return Plain(self.session, *nobody, None)

    def _not_plain(self, op: str, ident: int, ref: bytes, args: object, late: object) -> None:
        """The caller has given up, or there is a context around the arguments, or they are bad."""
        if late:
            return self.session.answer(ref, _TIMEOUT)
        session = self.session
        found = parse_context(args) if session.context is None else None  # no context has another in it
        if found is None:
            return self._refuse(op, ref, args)
        self._fast.latest = self._fast.before  # it is one request, and counts once
        session.context, inner = found
        try:
            if session.network is not None:
                session.network.heard(session.context)
            self.request(op, ident, ref, inner)
        finally:
            session.context = None

    def _refuse(self, op: str, ref: bytes, args: object) -> None:
        """The arguments are not those that this version's Erlang side sends."""
        log.warning("bad request %s: %s", op, shown(args))
        self.session.answer(ref, build_failure("bad_request", op))

    def _failed(self, op: str, ref: bytes, error: Exception) -> None:
        """A bug of ours is an answer, too."""
        log.error("request %s failed", op, exc_info=error)
        waiting = self.session.waiting.get(ref)
        if waiting is not None:
            waiting.withdraw()
        self.session.answer(ref, failure(error, op))

    # --- time ---

    def _remaining(self, milliseconds: int, sent_at: int) -> int | None:
        """What is left of a timeout, in ms; None when its caller has given up by now.

        `sent_at` is when the caller asked, by the node's clock. The request can be old: this process
        may have been stopped. Data or a connection for such a caller would be lost.
        """
        if self._ahead is None:
            return milliseconds
        age: float = int(self._clock() * 1000) - self._ahead - sent_at
        if age < OLD:  # the moment that every request takes; no timeout may end early
            return milliseconds
        network = self.session.network
        if network is not None and age <= milliseconds + WAITS:
            age = network.aged(int(age))  # the caller waits still, in a time that may go by slower
        return None if age > milliseconds + 1000 * SLACK else max(milliseconds - int(age), 0)


# --- what the session answers itself ------------------------------------------


def inet(session: Session, ref: bytes, request: Inet) -> None:
    """See lookups."""
    try:
        from . import lookups  # few programs need it, and none at the start

        lookups.answer(session, ref, request)
    except OSError as error:  # without a descriptor no module can be loaded
        session.answer(ref, build_error(session.posix_name(error)))


def fault(session: Session, ref: bytes, request: Fault) -> None:
    """The rules of the network in play."""
    from ..network.engine import network_of  # few nodes need it

    network_of(session).request(request.verb.name, request.argument, lambda body: session.answer(ref, body))


def piece(session: Session, ref: bytes, request: Piece) -> None:
    """There is no answer."""
    feeder = session.feeders.get(ref)
    if feeder is not None:
        feeder.arrived(request.data)


OPERATIONS: dict[str, Callable[[Session, bytes, Any], None]] = {
    "connect": openers.connect,
    "connect_name": openers.connect_name,
    "fault": fault,
    "fdopen": openers.fdopen,
    "inet": inet,
    "listen": openers.listen,
    "open": openers.open_datagram,
    "piece": piece,
}
