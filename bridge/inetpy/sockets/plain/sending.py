"""send, sendto, sendmsg and sendv of a plain socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM
from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom, BitString, Pid
from ...host.api import Socket
from ...host.cmsg import ControlMessage
from ...names.sockaddr import Address, BadTerm, is_encodable, parse_sockaddr
from ...wire.messages import OK
from ...wire.mode import SENDS
from ...wire.plain_requests import Send, Sendmsg, Sendto, Sendv
from .. import early
from .answers import bad_state
from .cmsg import borrowed, check_levels, close, parse_control
from .flags import parse_flags
from .plain import Plain
from .values import NoClause, elements

__all__ = ["check_connected", "has_turn", "send", "sendmsg", "sendto", "sendv"]

_SELECT = Atom("select")
IOV_MAX = 1024
SMALL = 512  # bytes of a send whose caller may answer itself: see inetpy_early.erl


def send(plain: Plain, ref: bytes, request: Send) -> None:
    flags = _flags(request.flags, lambda number: (Atom("invalid"), (Atom("integer_range"), number)))
    data, last = request.data, request.last == Atom("true")
    prepared = len(data), lambda sock: sock.send(data, flags)
    _write(plain, ref, request.process, request.handle, flags, lambda: prepared, last)


def sendto(plain: Plain, ref: bytes, request: Sendto) -> None:
    is_encodable(request.address)
    flags = _flags(request.flags, lambda number: (Atom("integer_range"), number))
    address, data = parse_sockaddr(request.address), request.data

    def call(sock: Socket) -> int:
        return _send_to(plain, sock, [data], [], flags, address)

    _write(plain, ref, request.process, request.handle, flags, lambda: (len(data), call))


def check_connected(plain: Plain) -> None:
    """Nobody sends while somebody connects. Raises BadTerm."""
    if plain.connector is not None:
        raise BadTerm(Atom("state"))


def _flags(term: Any, clause: Callable[[int], Any]) -> int:
    """Flags as C has them. `clause`: what OTP has no clause for when the number is no int of C."""
    if term == []:
        return 0
    flags = parse_flags(term)
    if flags >= 1 << 31:
        raise NoClause(clause(flags))
    return flags


def _send_to(
    plain: Plain,
    sock: Socket,
    data: list[bytes | memoryview],
    control: Any,
    flags: int,
    address: Address | None,
) -> int:
    if address is None:
        return sock.sendmsg(data, control, flags)
    if address.family == plain.domain and not address.raw:
        return sock.sendmsg(data, control, flags, address.value)
    if _is_mapped(plain, address):
        ip, port = address.value
        return sock.sendmsg(data, control, flags, (f"::ffff:{ip}", port, 0, 0))
    raw = plain.session.host.raw
    return raw.sendmsg(plain.system_socket, data, control, flags, address.family, address.value)


def _is_mapped(plain: Plain, address: Address) -> bool:
    """Whether a network is to see the IPv6 form of an IPv4 address, which an IPv6 datagram socket takes."""
    is_taken = plain.domain == AF_INET6 and plain.type == SOCK_DGRAM
    return plain.session.network is not None and is_taken and address.family == AF_INET and not address.raw


def sendmsg(plain: Plain, ref: bytes, request: Sendmsg) -> None:
    """Flags, and the names in a message, are checked first. The rest is when the process has its turn."""
    message: Any = request.message
    if not isinstance(message, Mapping):
        raise BadTerm((Atom("msg"), message), fails=True)
    where = message.get(Atom("addr"))
    if where is not None:
        is_encodable(where)
    control = message.get(Atom("ctrl"), [])
    messages = check_levels(plain, control)
    flags = _flags(request.flags, lambda _: None)

    def prepare() -> _Prepared:
        address = None if where is None else _address(where)
        data = _binaries(plain, request.iov)
        ancillary = parse_control(plain, control, messages)
        if plain.type != SOCK_STREAM and len(data) > IOV_MAX:
            raise BadTerm((Atom("iov"), (Atom("list"), len(data))))
        return sum(map(len, data)), lambda sock: _send_message(plain, sock, data, ancillary, flags, address)

    _write(plain, ref, request.process, request.handle, flags, prepare)


def _send_message(
    plain: Plain,
    sock: Socket,
    data: list[Any],
    ancillary: list[ControlMessage],
    flags: int,
    address: Address | None,
) -> int:
    given, copies = borrowed(plain, ancillary)
    try:
        return _in_parts(data, lambda part: _send_to(plain, sock, part, given, flags, address))
    finally:
        close(plain, copies)


def _address(where: Any) -> Address:
    try:
        return parse_sockaddr(where)
    except BadTerm:
        raise BadTerm((Atom("msg"), Atom("addr"), {Atom("addr"): where})) from None


def _binaries(plain: Plain, iov: Any) -> list[Any]:
    """Raises BadTerm for what is no list of binaries: `{iov, {element_not_binary, N}}` and the like."""
    bits = (BitString,) if plain.session.before_28 else ()
    parts, end = elements(iov)
    for number, part in enumerate(parts, 1):
        if not isinstance(part, (bytes, memoryview, *bits)):
            raise BadTerm((Atom("iov"), (Atom("element_not_binary"), number)))
    if end is not None:
        raise BadTerm((Atom("iov"), (Atom("improper_list"), len(parts))))
    # of a bitstring only its whole bytes go out
    return [part.data[: part.bits // 8] if isinstance(part, BitString) else bytes(part) for part in parts]


def sendv(plain: Plain, ref: bytes, request: Sendv) -> None:
    try:
        data = _binaries(plain, request.iov)
    except BadTerm:
        raise NoClause((Atom("invalid"), Atom("iov"))) from None
    prepared = sum(map(len, data)), lambda sock: _in_parts(data, sock.sendmsg)
    _write(plain, ref, request.process, request.handle, None, lambda: prepared)


def _in_parts(data: list[Any], send: Callable[[list[Any]], int]) -> int:
    """Sends as many parts in a call as the system takes, as long as it takes all of them. Answers with the
    bytes that were written, if any; raises OSError.
    """
    written = 0
    for at in range(0, len(data) or 1, IOV_MAX):
        part = data[at : at + IOV_MAX]
        try:
            count = send(part)
        except OSError:
            if not written:
                raise
            break  # the next call says so
        written += count
        if count < sum(map(len, part)):
            break
    return written


def has_turn(plain: Plain, process: Pid) -> bool:
    """Whether the process may write now. If not, it is to wait. Raises BadTerm if it cannot.

    Python, as OTP, waits for a connection and for room in the same way, so it cannot do both.
    """
    check_connected(plain)
    if plain.writers.is_queued(process):
        raise bad_state()
    return plain.writers.has_turn(process)


# The bytes that are to be written, and the call that writes them.
_Prepared = tuple[int, Callable[[Socket], int]]


def _write(
    plain: Plain,
    ref: bytes,
    process: Pid,
    handle: Any,
    flags: int | None,
    prepare: Callable[[], _Prepared],
    last: bool = True,
) -> None:
    """Writes, and answers `ok`, `{select, Flags}`, or `{select, Written, Flags}`, without flags for sendv.

    last: False for a piece of a large send. For the counters all its pieces are one.
    """
    sock = plain.open_socket
    writers, counters = plain.writers, plain.counters
    goes_on = () if flags is None else (flags,)
    if not has_turn(plain, process):
        return plain.wait(ref, writers, process, handle, encode_body((_SELECT, *goes_on)))
    size, call = prepare()
    try:
        if plain.late_error is not None:
            plain.raise_late_error()
        written = call(sock)
    except BlockingIOError:
        counters.note_part(0)
        return plain.wait(ref, writers, process, handle, encode_body((_SELECT, *goes_on)))
    except OSError as error:
        counters["write_tries"] += 1
        counters["write_fails"] += 1
        plain.answer_error(ref, error)
        return plain.failed(writers, plain.session.posix_name(error))
    if written < size:
        counters.note_part(written)
        return plain.wait(ref, writers, process, handle, encode_body((_SELECT, written, *goes_on)))
    if last:
        counters.note_written(written)
    else:
        counters.package += written
    is_small = written <= SMALL and flags == 0
    if plain.early & SENDS:
        early.review_sends(plain)
    elif is_small:
        early.after_send(plain)
    if is_small and plain.early & SENDS:
        early.answer(plain, ref)
    else:
        plain.answer(ref, OK)
    plain.served(writers, process, was_ready=False)
