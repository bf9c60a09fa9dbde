"""getopt and setopt of a plain socket, and their native forms."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ...codec.terms import Atom, Pid
from ...names.sockaddr import BadTerm
from ...options.plain import PLAIN_OPTIONS, PlainOption
from ...options.plain_values import CONGESTION, DEVICE, LEVELS, PlainType, parse_native
from ...session.session import Session
from ...wire.messages import OK
from ...wire.plain_requests import Getopt, GetoptNative, Setopt, SetoptNative
from .. import early
from .plain import Plain
from .protocols import level_name, protocol_name, protocol_number
from .values import c_int

__all__ = ["OWN", "Own", "getopt", "is_known", "getopt_native", "setopt", "setopt_native"]

_ERROR = (socket.SOL_SOCKET, socket.SO_ERROR)
_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)
INT_SIZE = 4  # bytes of an int of C
MAX_VALUE = 1 << 20  # bytes of the value of an option: no option has as many
_TRUE, _FALSE = Atom("true"), Atom("false")
_REFUSED = (KeyError, OverflowError, struct.error, TypeError, ValueError)


def _bool(value: Any) -> Atom:
    return _TRUE if value else _FALSE


def _parse_bool(term: Any) -> bool:
    if isinstance(term, Atom) and term in (_TRUE, _FALSE):
        return term == _TRUE
    raise ValueError(term)


# --- options of the socket itself, level otp ----------------------------------


class Own(NamedTuple):
    """An option of the level `otp`. Without `set` it cannot be set. `form`: see `PlainType`."""

    form: str
    get: Callable[[Plain], Any]
    set: Callable[[Plain, Pid, Any], None] | None = None


def _tell_descriptor(plain: Plain) -> int:
    """Whoever knows the descriptor may make copies of it."""
    plain.shared = True
    early.review(plain)
    return plain.session.host.raw.descriptor(plain.system_socket)


def _flag(name: str) -> Own:
    def set_flag(plain: Plain, _process: Pid, term: Any) -> None:
        setattr(plain, name, _parse_bool(term))

    return Own("`true`, `false`", lambda plain: _bool(getattr(plain, name)), set_flag)


def _size(name: str, default: int) -> Own:
    def set_size(plain: Plain, _process: Pid, term: Any) -> None:
        setattr(plain, name, default if term == Atom("default") else _parse_size(term))

    return Own("number from 1, `default`", lambda plain: getattr(plain, name), set_size)


def _parse_size(term: Any) -> int:
    if type(term) is not int or not 0 < term < 1 << 63:
        raise ValueError(term)
    return term


def _get_rcvbuf(plain: Plain) -> Any:
    return (plain.rcvcount, plain.rcvbuf) if plain.rcvcount else plain.rcvbuf


def _set_rcvbuf(plain: Plain, _process: Pid, term: Any) -> None:
    if type(term) is tuple and len(term) == 2:
        size = 8192 if term[1] == Atom("default") else _parse_size(term[1])
        plain.rcvcount, plain.rcvbuf = _parse_size(term[0]), size
    elif term == Atom("default"):
        plain.rcvcount, plain.rcvbuf = 0, 8192
    else:
        plain.rcvcount, plain.rcvbuf = 0, _parse_size(term)


def _set_owner(plain: Plain, process: Pid, term: Any) -> None:
    if process != plain.owner:
        raise BadTerm(Atom("not_owner"))
    if not isinstance(term, Pid):
        raise ValueError(term)
    plain.set_owner(term)


def _set_meta(plain: Plain, process: Pid, term: Any) -> None:
    if process != plain.owner:
        raise BadTerm(Atom("not_owner"))
    plain.meta = term


def _set_listed(plain: Plain, _process: Pid, term: Any) -> None:
    """A socket that is listed stays so."""
    if not _parse_bool(term):
        raise ValueError(term)
    plain.set_listed(True)


OWN = {
    "debug": _flag("debug"),
    "iow": _flag("iow"),
    "select_read": _flag("select_read"),
    "controlling_process": Own(
        "process", lambda plain: Pid(plain.session.outward(plain.owner.raw)), _set_owner
    ),
    "rcvbuf": Own("number from 1, `{count, number}`, `default`", _get_rcvbuf, _set_rcvbuf),
    "rcvctrlbuf": _size("rcvctrlbuf", 1024),
    "sndctrlbuf": _size("sndctrlbuf", 1024),
    "fd": Own("number", _tell_descriptor),
    "meta": Own("any term", lambda plain: plain.meta, _set_meta),
    "use_registry": Own("`true`", lambda plain: _bool(plain.listed), _set_listed),
    "domain": Own(
        "domain",
        lambda plain: {2: Atom("inet"), 10: Atom("inet6"), 1: Atom("local")}.get(plain.domain, plain.domain),
    ),
}


# By the numbers that OTP has for them, and names in its refusal.
_READ_ONLY = {"fd": 1008, "domain": 1999}


# --- which option -------------------------------------------------------------


def _unknown(option: Any) -> BadTerm:
    return BadTerm((Atom("socket_option"), option))


def _own(plain: Plain, option: Any) -> Own | None:
    """The option of level otp. None for another level."""
    if type(option) is not tuple or len(option) != 2 or option[0] != Atom("otp"):
        return None
    found = OWN.get(option[1].name) if isinstance(option[1], Atom) else None
    if found is None or (option[1].name == "select_read" and plain.session.before_28):
        raise _unknown(option)
    return found


def is_known(session: Session, row: PlainOption) -> bool:
    """Whether the node's OTP has a name for the option."""
    return row.named <= session.release and (row.level != "sctp" or session.knows_sctp)


def _row(plain: Plain, option: Any) -> PlainOption:
    if type(option) is tuple and len(option) == 2 and all(isinstance(part, Atom) for part in option):
        row = PLAIN_OPTIONS.get((level_name(plain.session, option[0].name), option[1].name))
        if row is not None and is_known(plain.session, row) and row.is_supported(plain.session.release):
            return row
        raise _unknown(option)
    raise BadTerm((Atom("socket_option"), option), fails="throw")


def _native(plain: Plain, option: Any) -> tuple[int, int]:
    """Level and number of an option, which may be told as numbers."""
    if type(option) is tuple and len(option) == 2:
        level, name = option
        if type(level) is int and type(name) is int:
            return c_int(level), c_int(name)
        if isinstance(level, Atom) and type(name) is int:
            number = (
                LEVELS["socket"] if level.name == "socket" else protocol_number(plain.session, level.name)
            )
            if number is None:
                raise _unknown(option)
            return number, c_int(name)
        row = _row(plain, option)
        return row.place
    raise BadTerm((Atom("socket_option"), option), fails="throw")


# --- operations ---------------------------------------------------------------


def getopt(plain: Plain, ref: bytes, request: Getopt) -> None:
    own = _own(plain, request.option)
    if own is not None:
        plain.open_socket  # noqa: B018  raises what a closed one answers
        return plain.answer_ok(ref, own.get(plain))
    row = _row(plain, request.option)
    sock = plain.open_socket
    if row.values is None or row.values.build is None:
        raise _unknown(request.option)
    value = row.values.build(sock.getsockopt(*row.place, row.values.size or INT_SIZE))
    if (row.level, row.name) == ("socket", "protocol"):
        is_default = value == 0 and plain.domain == socket.AF_UNIX
        value = Atom("default") if is_default else protocol_name(plain.session, value)
    plain.answer_ok(ref, value)


def setopt(plain: Plain, ref: bytes, request: Setopt) -> None:
    process, option, value = request
    own = _own(plain, option)
    try:
        if own is not None:
            plain.open_socket  # noqa: B018  raises what a closed one answers
            if own.set is None:
                raise BadTerm((Atom("otp_socket_option"), _READ_ONLY[option[1].name]), fails=True)
            own.set(plain, process, value)
        else:
            row = _row(plain, option)
            sock = plain.open_socket
            if row.values is None or row.values.parse is None:
                raise _unknown(option)
            sock.setsockopt(*row.place, _parse(plain, row.values, value))
            _changed(plain, row.place)
    except _REFUSED:
        raise BadTerm((Atom("socket_option"), option, value)) from None
    plain.answer(ref, OK)


def _changed(plain: Plain, place: tuple[int, int]) -> None:
    """Callers may have to wait from here on."""
    early.review_sends(plain)
    if place == _LINGER:
        plain.may_linger = True
        early.await_close(plain)


def _parse(plain: Plain, values: PlainType, term: Any) -> int | bytes:
    """OTP 28 takes a binary for a text, up to a 0. Where there is none, OTP reads on beyond the end."""
    if isinstance(term, bytes) and values in (CONGESTION, DEVICE) and not plain.session.before_28:
        return term.partition(b"\0")[0]
    assert values.parse is not None
    return values.parse(term)


def setopt_native(plain: Plain, ref: bytes, request: SetoptNative) -> None:
    option, value = request
    level, number = _native(plain, option)
    sock = plain.open_socket
    try:
        native = parse_native(value)
    except _REFUSED:
        raise BadTerm(Atom("value")) from None
    sock.setsockopt(level, number, native)
    _changed(plain, (level, number))
    plain.answer(ref, OK)


def getopt_native(plain: Plain, ref: bytes, request: GetoptNative) -> None:
    option, spec = request
    try:
        level, number = _native(plain, option)
    except BadTerm:
        raise _unknown(option) from None
    sock = plain.open_socket
    if plain.late_error is not None and (level, number) == _ERROR:
        error, plain.late_error = plain.late_error, None
        return plain.answer_ok(ref, error.errno)
    if spec == Atom("integer"):
        return plain.answer_ok(ref, sock.getsockopt(level, number))
    if spec == Atom("boolean"):
        return plain.answer_ok(ref, _bool(sock.getsockopt(level, number)))
    if type(spec) is int and -(1 << 63) <= spec < 1 << 64:
        if not 0 <= spec <= MAX_VALUE:
            raise OSError(errno.EINVAL, "no size of a value")
        return plain.answer_ok(ref, _get_bytes(plain, level, number, spec))
    if isinstance(spec, bytes):
        value = _get_bytes(plain, level, number, len(spec) or 1)
        return plain.answer_ok(ref, value[: len(spec)])
    raise BadTerm((Atom("value_spec"), spec))


def _get_bytes(plain: Plain, level: int, number: int, size: int) -> bytes:
    """getsockopt(2). Python reads 1024 bytes at most, and takes 0 for an int; OTP has no buffer then."""
    if size == 0:
        plain.session.host.raw.getsockopt_without_buffer(plain.system_socket, level, number)
    return plain.open_socket.getsockopt(level, number, min(size, 1024))
