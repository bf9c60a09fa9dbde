"""recv, recvfrom and recvmsg of a plain socket."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_PACKET, AF_UNIX, SOCK_STREAM
from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom, Pid
from ...host.api import Socket
from ...host.cmsg import ControlMessage
from ...names.sockaddr import BadTerm, build_sockaddr
from ...options.plain_control import build_control
from ...wire.messages import OK, build_binary_head, build_ok
from ...wire.plain_requests import Recv, Recvfrom, Recvmsg
from .answers import CLOSED, bad_state
from .flags import build_flags, parse_flags
from .plain import Plain
from .values import OutOfRange, parse_size
from .waiters import Waiters

__all__ = ["recv", "recvfrom", "recvmsg"]

_TIMEOUT = encode_body(Atom("timeout"))
_ZERO = Atom("zero")
_SELECT_READ = b"h\2" + encode_body(Atom("select_read"))
_TIMEOUT_DATA = b"h\2" + _TIMEOUT
_MORE = b"h\2" + encode_body(Atom("more"))
_SELECT_DATA = b"h\2" + encode_body(Atom("select"))
# Families whose addresses are Python's; those of others are the bytes behind the family.
_KNOWN = (AF_INET, AF_INET6, AF_UNIX, AF_PACKET)
_LARGEST = 1 << 26  # bytes of one read: a larger length is no reason to have so much memory


def recv(plain: Plain, ref: bytes, request: Recv) -> None:
    process, handle, length, given, _ = request
    flags, length = parse_flags(given), parse_size(length)
    check_flags(flags)
    size = length or plain.rcvbuf
    data = _read(plain, ref, process, handle, lambda sock: sock.recv(min(size, _LARGEST), flags))
    if data is None:
        return _wants(plain, handle, 0 if flags else length)
    count = len(data)
    if not count and plain.type == SOCK_STREAM:
        return _end(plain, ref)
    head = build_binary_head(count)
    is_part = count < size and length and plain.type == SOCK_STREAM
    if is_part and request.handle != _ZERO:
        plain.counters["read_byte"] += count
        plain.wait(ref, plain.readers, process, handle, _SELECT_DATA + head + data)
        return _wants(plain, handle, 0 if flags else size - count)
    _count(plain, count)
    if is_part and not plain.session.before_28:
        plain.served(plain.readers, request.process)
        return plain.answer(ref, _TIMEOUT_DATA + head, data)
    more = not length and count == size and _reads_on(plain)
    if more:
        return plain.answer(ref, _MORE + head, data)
    _answer(plain, ref, request, head, data)


def _answer(
    plain: Plain, ref: bytes, request: Recv | Recvfrom | Recvmsg, body: bytes, tail: bytes = b""
) -> None:
    """`{ok, Body}`. With the option select_read who may wait waits for more, too: `{select_read, Body}`."""
    if plain.select_read and request.handle != _ZERO:
        body = _SELECT_READ + body + tail
        return plain.wait(ref, plain.readers, request.process, request.handle, body)
    plain.served(plain.readers, request.process)
    plain.answer(ref, build_ok(body), tail)


def _reads_on(plain: Plain) -> bool:
    """Whether recv with length 0 is to read on after a full buffer."""
    plain.reads += 1
    if plain.reads < plain.rcvcount:
        return True
    plain.reads = 0
    return False


def _wants(plain: Plain, handle: Any, size: int) -> None:
    """Whoever waits with this handle wants so many bytes."""
    waiter = plain.readers.first
    if waiter is not None and waiter.handle == handle:
        waiter.size = size


def check_flags(flags: int) -> int:
    """Flags as C has them: an int."""
    if flags >= 1 << 31:
        raise OutOfRange(flags)
    return flags


def recvfrom(plain: Plain, ref: bytes, request: Recvfrom) -> None:
    flags, length = check_flags(parse_flags(request.flags)), parse_size(request.length)
    size = min(length or plain.rcvbuf, _LARGEST)

    def call(sock: Socket) -> tuple[bytes, Any]:
        if plain.domain in _KNOWN:
            return sock.recvfrom(size, flags)
        data, _, _, address = plain.session.host.raw.recvmsg(sock, size, 0, flags)
        return data, address

    result = _read(plain, ref, request.process, request.handle, call)
    if result is None:
        return
    data, address = result
    if not data and plain.type == SOCK_STREAM:
        return _end(plain, ref, not plain.session.before_28)
    _count(plain, len(data), not plain.session.before_28)
    _answer(plain, ref, request, encode_body((_source(plain, address), data)))


def _source(plain: Plain, address: Any) -> Any:
    """The address of a sender; of family `unspec` where the system says none."""
    if not address:
        return build_sockaddr(b"", 0)
    if plain.domain == AF_PACKET:
        address = plain.session.host.raw.interface_index(address[0]), *address[1:]
    return build_sockaddr(address, plain.domain)


def recvmsg(plain: Plain, ref: bytes, request: Recvmsg) -> None:
    flags = check_flags(parse_flags(request.flags))
    length, control_length = parse_size(request.length), parse_size(request.control_length)
    size = min(length or plain.rcvbuf, _LARGEST)
    control_size = min(control_length or plain.rcvctrlbuf, _LARGEST)

    def call(sock: Socket) -> tuple[bytes, list[ControlMessage], int, Any]:
        if plain.domain in _KNOWN:
            return sock.recvmsg(size, control_size, flags)
        return plain.session.host.raw.recvmsg(sock, size, control_size, flags)

    result = _read(plain, ref, request.process, request.handle, call)
    if result is None:
        return
    data, control, received, address = result
    if not data and plain.type == SOCK_STREAM and not control:
        return _end(plain, ref, not plain.session.before_28)
    _count(plain, len(data), not plain.session.before_28)
    _answer(plain, ref, request, encode_body(_message(plain, data, control, received, address)))


def _message(plain: Plain, data: bytes, control: list[ControlMessage], flags: int, address: Any) -> Any:
    message = {
        Atom("iov"): [data],
        Atom("ctrl"): build_control(control),
        Atom("flags"): build_flags(flags),
    }
    if address:
        message[Atom("addr")] = _source(plain, address)
    return message


def _count(plain: Plain, size: int, largest: bool = True) -> None:
    """`largest`: whether the largest packet is noted. Before OTP 28 only recv does that."""
    counters = plain.counters
    counters["read_pkg"] += 1
    counters["read_byte"] += size
    if largest:
        counters["read_pkg_max"] = max(counters["read_pkg_max"], size)


def _read(plain: Plain, ref: bytes, process: Pid, handle: Any, call: Callable[[Socket], Any]) -> Any:
    """What the system gives. None when it gives nothing, and the caller has been answered."""
    sock = plain.open_socket
    readers: Waiters = plain.readers
    if plain.acceptors.first is not None:
        raise BadTerm(Atom("state"))
    if readers.is_queued(process):
        raise bad_state()
    if not readers.has_turn(process) and (handle != _ZERO or not plain.session.before_28):
        return _nothing(plain, ref, process, handle)
    plain.counters["read_tries"] += 1
    try:
        result = call(sock)
        if plain.late_error is not None and _is_end(result):
            plain.raise_late_error()
        return result
    except BlockingIOError:
        return _nothing(plain, ref, process, handle)
    except OSError as error:
        plain.counters["read_fails"] += 1
        plain.answer_error(ref, error)
        plain.failed(plain.readers, plain.session.posix_name(error))
    return None


def _is_end(result: Any) -> bool:
    """Whether a stream has ended: no bytes, and what comes with them."""
    return not (result if isinstance(result, bytes) else result[0])


def _nothing(plain: Plain, ref: bytes, process: Pid, handle: Any) -> None:
    """There is nothing to read for the process now."""
    if handle != _ZERO:
        plain.wait(ref, plain.readers, process, handle)
    elif plain.session.before_28:
        plain.answer(ref, OK)
    else:
        plain.answer(ref, _TIMEOUT)
        if plain.readers.has_turn(process):
            plain.served(plain.readers, process, was_ready=False)


def _end(plain: Plain, ref: bytes, is_told: bool = True) -> None:
    """The peer has closed. `is_told`: all that wait are to hear so. Before OTP 28 only recv does that."""
    plain.counters["read_fails"] += 1
    plain.answer(ref, CLOSED)
    if is_told:
        plain.failed(plain.readers, "closed")
