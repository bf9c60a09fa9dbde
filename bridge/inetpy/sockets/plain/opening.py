"""socket:open: a new plain socket, or one of a descriptor of the node."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Any

from ...codec.terms import Atom, Charlist
from ...host.api import Socket
from ...names.sockaddr import BadTerm
from ...options.plain_values import DOMAINS, TYPES
from ...session.session import Session
from ...wire.messages import build_ok
from ...wire.plain_requests import Fdopen, Open
from .plain import Plain
from .protocols import protocol_number
from .values import NoClause, WrongType, c_int

__all__ = ["fdopen", "open_plain"]

# Those that `open` takes: `rdm` is a name in answers only, as in OTP.
_OPEN_TYPES = {name: number for name, number in TYPES.items() if name != "rdm"}

SO_DOMAIN, SO_PROTOCOL = 39, 38  # of asm/socket.h
_KEEP_DOMAIN = (socket.SOCK_STREAM, socket.SOCK_DGRAM)  # SOCK_PACKET does not


def open_plain(session: Session, ref: bytes, request: Open) -> None:
    protocol = _protocol(session, request.protocol)
    domain = _number("domain", DOMAINS, request.domain)
    kind = _number("type", _OPEN_TYPES, request.type)
    netns = _namespace(request.options)
    # Python takes -1 for a default; the system looks at the type first
    if kind == -1:
        raise OSError(errno.EINVAL, "no type")
    if domain == -1:
        raise OSError(errno.EAFNOSUPPORT, "no domain")
    if protocol == -1:
        raise OSError(errno.EINVAL, "no protocol")
    _check_sealed(session)
    sock = session.host.open_socket(domain, kind, netns, protocol)
    plain = Plain(session, request.socket, request.owner, sock)
    plain.type, plain.protocol = kind, protocol
    if kind in _KEEP_DOMAIN:
        plain.domain = domain
    _begin(session, ref, plain, request.options)


def _begin(session: Session, ref: bytes, plain: Plain, options: Any) -> None:
    """The socket with what its options and the system say of it. The type and protocol that the caller has
    asked for count, also where the system has made something else of them.
    """
    sock = plain.sock
    assert sock is not None
    try:
        plain.domain = plain.domain or sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
        plain.type = plain.type or sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        plain.protocol = plain.protocol or sock.getsockopt(socket.SOL_SOCKET, SO_PROTOCOL)
        if session.network is not None:
            session.network.check_opening(plain.role, plain.domain)
        plain.debug = options.get(Atom("debug")) == Atom("true")
        plain.listed = _flag(options, "use_registry", session.lists_plain)
        session.add(plain)
    except Exception:
        sock.close()
        raise
    if session.network is not None:
        session.network.adopted(plain)
    session.answer(ref, build_ok(plain.name))


def _flag(options: Mapping[Any, Any], name: str, default: bool) -> bool:
    value = options.get(Atom(name))
    return (
        {Atom("true"): True, Atom("false"): False}.get(value, default) if isinstance(value, Atom) else default
    )


def _protocol(session: Session, term: Any) -> int:
    if type(term) is tuple and len(term) == 2 and term[0] == Atom("raw") and type(term[1]) is int:
        return c_int(term[1])
    if term == Atom("default"):
        return 0
    if isinstance(term, Atom):
        number = protocol_number(session, term.name)
        if number is None:
            raise BadTerm((Atom("protocol"), term))
        return number
    if type(term) is int:
        return c_int(term)
    raise BadTerm((Atom("protocol"), term), fails=True)


def _number(what: str, names: Mapping[str, int], term: Any) -> int:
    if isinstance(term, Atom) and term.name in names:
        return names[term.name]
    if type(term) is int and -(1 << 31) <= term < 1 << 31:
        return term
    raise BadTerm((Atom(what), term))


def _namespace(options: Any) -> bytes | None:
    """The path of a network namespace. What is no path is no option."""
    path = options.get(Atom("netns"))
    if isinstance(path, (list, Charlist)):
        raise WrongType(path)  # a text would be bytes here: see inetpy_prim_socket.erl
    return bytes(path) if isinstance(path, bytes) else None


def fdopen(session: Session, ref: bytes, request: Fdopen) -> None:
    options: Any = request.options
    if Atom("protocol") in options:
        _protocol(session, options[Atom("protocol")])
    if type(request.descriptor) is not int:
        raise WrongType(request.descriptor)
    if not -(1 << 31) <= request.descriptor < 1 << 31:
        raise NoClause(None)
    try:
        sock = _adopt(session, request.descriptor)
    except OSError as error:
        if error.errno == errno.EBADF and not {Atom("domain"), Atom("type"), Atom("protocol")} <= set(
            options
        ):
            raise BadTerm((Atom("options"), Atom("domain"), options)) from None
        raise
    plain = Plain(session, request.socket, request.owner, sock)
    plain.shared = True
    _begin(session, ref, plain, options)


def _check_sealed(session: Session) -> None:
    if session.network is not None and session.network.is_sealed:
        raise OSError(errno.EACCES, "a replay has sockets in memory alone")


def _adopt(session: Session, number: int) -> Socket:
    _check_sealed(session)
    if number < 0:
        raise OSError(errno.EBADF, "no descriptor")
    copy = session.borrow(number)
    try:
        return session.host.adopt_socket(copy)
    except OSError:
        session.host.close_file(copy)
        raise
