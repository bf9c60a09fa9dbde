"""Sockets of the module `socket`, one file per concern.

plain       what all operations have in common: those that wait, readiness
closing     ends: close, the end of the owner, a bug
answers     answers of several operations
counters    what info/1 counts
ahead       bytes that go to the node together with a select message
waiters     processes that wait, in one direction
opening     open
connector   the process that waits for a connection
connecting  bind, connect, listen, accept, shutdown, names
receiving   recv, recvfrom, recvmsg
sending     send, sendto, sendmsg, sendv
held        sends whose callers do not wait
sendfile    sendfile
cancelling  cancel, info
settings    getopt, setopt and their native forms
ioctl       ioctl
system      what is asked of no socket
protocols   their names
flags       flags of messages
cmsg        control messages to send
values      arguments that are numbers or data
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom
from ...names.sockaddr import BadTerm
from ...session.session import Session
from ...wire.messages import build_error, build_raise
from ...wire.plain_requests import Recv
from . import cancelling, closing, connecting, ioctl, opening, receiving, sendfile, sending, settings, system
from .answers import CLOSED, Closed, build_invalid
from .plain import Plain
from .values import Fails, NoClause, OutOfRange, WrongType

__all__ = ["SESSION_OPERATIONS", "Plain"]

Operation = Callable[[Any, bytes, Any], None]


def _checked(operation: Operation) -> Operation:
    """The operation. What is wrong with its arguments, and an error of the system, is an answer."""

    def checked(target: Plain | Session, ref: bytes, request: Any) -> None:
        try:
            operation(target, ref, request)
        except _REFUSALS as error:
            _refuse(target if isinstance(target, Session) else target.session, ref, error)

    return checked


def _in_order(operation: Operation) -> Operation:
    """The same. It waits until it is known what has been read: see `ahead`."""

    def in_order(plain: Plain, ref: bytes, request: Any) -> None:
        if plain.ahead is not None:
            if type(request) is Recv:
                plain.on_recalled(request.taken, given_up=False)
            if plain.ahead is not None:
                return plain.defer(lambda: in_order(plain, ref, request))
        try:
            operation(plain, ref, request)
        except _REFUSALS as error:
            _refuse(plain.session, ref, error)

    return in_order


_REFUSALS = (Closed, BadTerm, Fails, WrongType, OutOfRange, NoClause, OSError)


def _refuse(session: Session, ref: bytes, error: Exception) -> None:
    match error:
        case Closed():
            body = CLOSED
        case BadTerm():
            body = build_invalid(error)
        case Fails():
            body = encode_body((Atom("raise"), Atom("error"), error.term))
        case WrongType():
            body = build_raise("error", "badarg")
        case OutOfRange():
            body = encode_body(error.term)
        case NoClause():
            reason = Atom("if_clause") if error.term is None else (Atom("case_clause"), error.term)
            body = encode_body((Atom("raise"), Atom("error"), reason))
        case OSError():
            body = build_error(session.posix_name(error))
    session.answer(ref, body)


_OPERATIONS: dict[str, Operation] = {
    "socket_accept": connecting.accept,
    "socket_bind": connecting.bind,
    "socket_bindx": connecting.bindx,
    "socket_cancel": cancelling.cancel,
    "socket_close": closing.close,
    "socket_connect": connecting.connect,
    "socket_connected": connecting.connected,
    "socket_getopt": settings.getopt,
    "socket_getopt_native": settings.getopt_native,
    "socket_info": cancelling.info,
    "socket_ioctl": ioctl.ioctl,
    "socket_listen": connecting.listen,
    "socket_peername": connecting.peername,
    "socket_recv": receiving.recv,
    "socket_recvfrom": receiving.recvfrom,
    "socket_recvmsg": receiving.recvmsg,
    "socket_send": sending.send,
    "socket_sendfile": sendfile.sendfile,
    "socket_sendmsg": sending.sendmsg,
    "socket_sendto": sending.sendto,
    "socket_sendv": sending.sendv,
    "socket_setopt": settings.setopt,
    "socket_setopt_native": settings.setopt_native,
    "socket_shutdown": connecting.shutdown,
    "socket_sockname": connecting.sockname,
}
# What is sent has nothing to do with what is read.
_SENDS = frozenset(("socket_send", "socket_sendto", "socket_sendmsg", "socket_sendv", "socket_sendfile"))
Plain.ops = {
    name: (_checked if name in _SENDS else _in_order)(operation) for name, operation in _OPERATIONS.items()
}

# What a session answers.
SESSION_OPERATIONS: dict[str, Operation] = {
    "socket_fdopen": _checked(opening.fdopen),
    "socket_open": _checked(opening.open_plain),
    "socket_system": _checked(system.answer),
}
