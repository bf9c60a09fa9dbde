"""Requests whose callers do not wait.

A send of a few bytes, `{active, once}`, and close cannot fail on an open socket in a way that their caller
could tell. A program that makes them all the time spends its time on waiting for `ok`. So after some of them
(`FastPaths.early_after`) the node is told that their callers may answer themselves. They write
`{early, Id, Data}`, `{early, Id, {Destination, Data}}`, `{early, Id, once}`, `{early, Id, close}`,
`{early, Id, {close, Taken}}` or `{early, Id, connected}`, and go on.

What fails behind such an answer is told to the next call or to the owner, as it is with bytes that were
queued. So a socket takes early requests only while nothing is known to be wrong:

    SENDS     of a connection: nothing is queued, no timeout of a send counts, and the peer has not ended its
              direction: that is watched for, because the peer's end is why sends fail;
              of a datagram socket: to the destination of the last sends;
              of a stream of `socket`, which has no queue: nobody waits to send, and the system has room for
              all that can be on its way (`sockets.plain.held`);
              never in the unix domain: a peer that does not read any more is not seen, and a datagram that
              finds no room is refused
    ONCE      it is open, and holds no bytes that could be a message: that would be in the owner's mailbox
              when setopts answers
    CLOSES    a connection of a program that has closed others; it is passive, nothing is queued, and it does
              not linger. The node adds that nobody monitors the socket, and that no process waits for a
              message of `socket`: see inetpy_early.erl
    CONNECTS  a connection of `socket`, of such a program: the process that waits for it is told that it is
              there, and asks what has become of it. From the message on the peer's end is watched for

Callers of a socket that a rule or a server in memory concerns wait, and so do all while a recorder looks on.
"""

from __future__ import annotations

from socket import AF_UNIX
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..codec.terms import Atom
from ..host.api import PEER_END, Socket
from ..host.bugs import Fallible
from ..session.waiting import failure
from ..wire.messages import OK
from ..wire.mode import CLOSES, CONNECTS, ONCE, SENDS

if TYPE_CHECKING:
    from ..session.session import Session

__all__ = [
    "ASKS_ONCE", "LARGEST", "Unanswered", "after_once", "after_opening", "after_send", "answer",
    "asks_once_again", "await_close", "comes_and_goes", "end", "is_unseen", "may_send", "review",
    "review_sends", "stop", "wait_again",
]  # fmt: skip

ASKS_ONCE = [(Atom("active"), Atom("once"))]
LARGEST = 1 << 13  # bytes of a send that need not wait: see inetpy_early.erl
LONGEST_TURN = 0.0005  # seconds: a process that takes longer for 32 requests has other work, too
NEVER_AGAIN = -(1 << 62)  # requests until callers may answer themselves


class Unanswered(Fallible, Protocol):
    """A socket that takes early requests. early_request: the type of those that have data."""

    early_request: ClassVar[type]
    ident: int

    def send_early(self, parts: list[Any]) -> None: ...


class Told(Protocol):
    """What the node knows of a socket, and how many requests of these kinds it has had."""

    early: int
    repeats: int

    def watch(self, events: int) -> None: ...
    def set_early(self, early: int) -> None: ...


class Chatty(Told, Protocol):
    """What is asked of a socket. floods, turn: see `answer`."""

    session: Session
    sock: Socket | None
    floods: bool
    turn: tuple[float, int]

    def may_send_early(self) -> bool: ...
    def may_ask_once(self) -> bool: ...


class Closable(Chatty, Protocol):
    """A connection."""

    def may_close_early(self) -> bool: ...
    def linger(self) -> tuple[bool, int]: ...


def after_send(stream: Chatty) -> None:
    """A small send of a connection has been answered."""
    stream.repeats += 1
    if may_send(stream):
        assert stream.sock is not None
        if stream.session.poller.has_ended(stream.sock):
            return end(stream)
        stream.watch(PEER_END)
        stream.set_early(stream.early | SENDS)


def may_send(sock: Chatty) -> bool:
    """Whether the sends of a socket need not wait from here on."""
    assert sock.sock is not None
    return is_due(sock) and sock.sock.family != AF_UNIX and sock.may_send_early()


def after_once(sock: Chatty) -> None:
    """`{active, once}` has been set, or has been used up by a message."""
    may = is_due(sock) and sock.may_ask_once()
    sock.set_early(sock.early | ONCE if may else sock.early & ~ONCE)


def after_opening(stream: Closable) -> None:
    """A connection is there, and its owner is about to hear of it."""
    early = stream.early & ~CONNECTS
    stream.set_early(early | CLOSES if _may_close(stream) else early)


def _may_close(stream: Closable) -> bool:
    try:
        return comes_and_goes(stream) and stream.may_close_early() and not stream.linger()[0]
    except OSError:
        return False


def comes_and_goes(sock: Chatty) -> bool:
    """Whether its program opens and closes connections all the time, and nobody interferes or looks on."""
    session = sock.session
    return session.closes >= session.fast.early_after and is_unseen(sock)


def await_close(sock: Told) -> None:
    """From here on callers of close wait."""
    if sock.early & CLOSES:
        sock.set_early(sock.early & ~CLOSES)


def review_sends(sock: Chatty) -> None:
    """Something has changed that counts for sends."""
    if sock.early & SENDS and not sock.may_send_early():
        sock.set_early(sock.early & ~SENDS)


def review(sock: Closable) -> None:
    """Something has changed that counts for any of them."""
    review_sends(sock)
    if sock.early & ONCE and not sock.may_ask_once():
        sock.set_early(sock.early & ~ONCE)
    if sock.early & CLOSES and not sock.may_close_early():
        await_close(sock)


def asks_once_again(sock: Chatty, options: object) -> bool:
    """Whether this is `{active, once}`, and others like it do not wait."""
    return bool(sock.early & ONCE) and options == ASKS_ONCE


class Turn:
    """The answer that lets the callers of a socket go on."""

    __slots__ = ("_ref", "_sock")

    def __init__(self, sock: Chatty, ref: bytes) -> None:
        self._sock, self._ref = sock, ref

    def come(self) -> None:
        session = self._sock.session
        self._sock.turn = session.host.clock.now(), session.fast.others
        session.answer(self._ref, OK)

    def fail(self, error: Exception) -> None:
        self._sock.session.answer(self._ref, failure(error))


def answer(sock: Chatty, ref: bytes) -> None:
    """`ok` for the one of many requests that waits: see `inetpy_early`.

    When the others took no time, the socket floods. If sockets that do not flood have asked for something
    too, they have as much time before this one goes on.
    """
    began, others = sock.turn
    took = sock.session.host.clock.now() - began
    flooded, sock.floods = sock.floods, took < LONGEST_TURN
    turn = Turn(sock, ref)
    if flooded and sock.floods and others != sock.session.fast.others:
        sock.session.poller.in_time(took, turn.come)
    else:
        turn.come()


def end(stream: Chatty) -> None:
    """The connection ends, or one of its directions: from here on callers hear of each failure."""
    stream.repeats = NEVER_AGAIN
    stream.watch(0)
    stream.set_early(0)


def stop(session: Session) -> None:
    """All callers wait again, until they have repeated themselves again."""
    for sock in session.sockets.values():
        if getattr(sock, "early", 0):
            wait_again(sock)  # type: ignore[arg-type]


def wait_again(sock: Told) -> None:
    """Callers of this socket wait, until they have repeated themselves again."""
    sock.repeats = 0
    sock.watch(0)
    sock.set_early(0)


def is_due(sock: Chatty) -> bool:
    """Whether there were enough requests, and nobody interferes with the socket or looks on."""
    return sock.repeats >= sock.session.fast.early_after and is_unseen(sock)


def is_unseen(sock: Chatty) -> bool:
    """Whether the socket is the system's, and nobody looks on."""
    return sock.session.fast.on and hasattr(sock.sock, "fileno")
