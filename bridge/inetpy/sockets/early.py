"""Requests whose callers do not wait.

A send of a few bytes, and `{active, once}`, cannot fail on an open socket in a way that their caller could
tell. A program that makes them all the time spends its time on waiting for `ok`. So after some of them
(`FastPaths.early_after`) the node is told that their callers may answer themselves. They write
`{early, Id, Data}`, `{early, Id, {Destination, Data}}` or `{early, Id, once}`, and go on.

What fails behind such an answer is told to the next call or to the owner, as it is with bytes that were
queued. So a socket takes early requests only while nothing is known to be wrong:

    SENDS  of a connection: nothing is queued, no timeout of a send counts, and the peer has not ended its
           direction: that is watched for, because the peer's end is why sends fail;
           of a datagram socket: to the destination of the last sends
    ONCE   it is open, and holds no bytes that could be a message: that would be in the owner's mailbox
           when setopts answers

While a network is in play, or a recorder looks on, all callers wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..codec.terms import Atom
from ..host.api import PEER_END, Socket
from ..wire.mode import ONCE, SENDS

if TYPE_CHECKING:
    from ..session.session import Session

__all__ = ["ASKS_ONCE", "after_once", "after_send", "end", "review", "stop"]

ASKS_ONCE = [(Atom("active"), Atom("once"))]
NEVER_AGAIN = -(1 << 62)  # requests until callers may answer themselves


class Chatty(Protocol):
    """What is asked of a socket. early: what the node knows; repeats: requests of these kinds so far."""

    session: Session
    sock: Socket | None
    early: int
    repeats: int

    def watch(self, events: int) -> None: ...
    def set_early(self, early: int) -> None: ...
    def may_send_early(self) -> bool: ...
    def may_ask_once(self) -> bool: ...


def after_send(stream: Chatty) -> None:
    """A small send of a connection has been answered."""
    stream.repeats += 1
    if is_due(stream) and stream.may_send_early():
        assert stream.sock is not None
        if stream.session.poller.has_ended(stream.sock):
            return end(stream)
        stream.watch(PEER_END)
        stream.set_early(stream.early | SENDS)


def after_once(sock: Chatty) -> None:
    """`{active, once}` has been set, or has been used up by a message."""
    may = is_due(sock) and sock.may_ask_once()
    sock.set_early(sock.early | ONCE if may else sock.early & ~ONCE)


def review(sock: Chatty) -> None:
    """Something has changed that counts."""
    if sock.early & SENDS and not sock.may_send_early():
        sock.set_early(sock.early & ~SENDS)
    if sock.early & ONCE and not sock.may_ask_once():
        sock.set_early(sock.early & ~ONCE)


def end(stream: Chatty) -> None:
    """The connection ends, or one of its directions: from here on callers hear of each failure."""
    stream.repeats = NEVER_AGAIN
    stream.watch(0)
    stream.set_early(0)


def stop(session: Session) -> None:
    """All callers wait again, until they have repeated themselves again."""
    for sock in session.sockets.values():
        if getattr(sock, "early", 0):
            _stop(sock)  # type: ignore[arg-type]


def _stop(sock: Chatty) -> None:
    sock.repeats = 0
    sock.watch(0)
    sock.set_early(0)


def is_due(sock: Chatty) -> bool:
    """Whether there were enough requests, and nobody interferes or looks on."""
    session = sock.session
    return (
        sock.repeats >= session.fast.early_after
        and session.fast.on
        and (session.network is None or not session.network.is_in_play())
        and hasattr(sock.sock, "fileno")
    )
