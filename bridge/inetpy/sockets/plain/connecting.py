"""bind, connect, listen, accept and shutdown of a plain socket."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from ...codec.terms import Atom, Pid, Ref
from ...host.api import Socket
from ...names.sockaddr import Address, BadTerm, build_sockaddr, is_encodable, parse_sockaddr
from ...session.interference import FRESH
from ...wire.messages import OK, build_error, build_ok, build_raise
from ...wire.plain_requests import Accept, Bind, Bindx, Connect, Connected, Listen, Shutdown
from .. import early
from . import connector, held
from .answers import SELECT, bad_state
from .plain import Plain
from .values import Fails, elements, parse_integer
from .waiters import Waiter

__all__ = ["accept", "bind", "bindx", "connect", "connected", "listen", "peername", "shutdown", "sockname"]

_LARGEST = 0x7FFFFFFF

_HOW = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "read_write": socket.SHUT_RDWR}


def bind(plain: Plain, ref: bytes, request: Bind) -> None:
    address = parse_sockaddr(request.address)
    sock = plain.open_socket
    if _is_plain(plain, address):
        sock.bind(address.value)
    else:
        plain.session.host.raw.bind(plain.system_socket, address.family, address.value)
    plain.read_state.add("bound")
    early.await_close(plain)
    plain.answer(ref, OK)


def _is_plain(plain: Plain, address: Address) -> bool:
    """Whether Python takes the address for this socket."""
    return address.family == plain.domain and not address.raw


_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def bindx(plain: Plain, ref: bytes, request: Bindx) -> None:
    """Of SCTP: OTP fails with notsup."""
    addresses, end = elements(request.addresses)
    for address in addresses:
        is_encodable(address)
    if end is not None:
        raise Fails((Atom("bad_generator"), end))
    plain.answer(ref, build_raise("error", "notsup"))


def connect(plain: Plain, ref: bytes, request: Connect) -> None:
    address = parse_sockaddr(request.address)
    sock = plain.open_socket
    held.end(plain)
    if plain.writers.first is not None:
        raise BadTerm(Atom("state"))
    if plain.connector is not None:
        return _finish(plain, ref, request.process)
    try:
        if _is_plain(plain, address):
            _connect(plain, address.value)
        elif address.family == socket.AF_UNSPEC and _is_disconnected_by_network(plain, sock):
            plain.session.host.disconnect(sock)
        else:
            _connect_raw(plain, address)
    except BlockingIOError as error:
        # EAGAIN, of a full queue of a local listener, is a connection on its way to OTP before 28.
        if error.errno != errno.EINPROGRESS and not (error.errno == errno.EAGAIN and plain.session.before_28):
            raise
        return _wait_for_connection(plain, ref, request)
    plain.write_state.discard("connecting")
    plain.write_state.add("connected")
    early.after_opening(plain)
    plain.answer(ref, OK)


def _connect(plain: Plain, remote: Any) -> None:
    """Raises OSError."""
    _tell_network(plain, remote)
    plain.open_socket.connect(remote)


def _connect_raw(plain: Plain, address: Address) -> None:
    """Connects to an address that Python cannot take. Raises OSError.

    What a network has put before the socket of the system is to know of it.
    """
    is_connection = address.family != socket.AF_UNSPEC
    if is_connection:
        _tell_network(plain, None)
    sock = plain.open_socket
    connect = partial(plain.session.host.raw.connect, plain.system_socket, address.family, address.value)
    if is_connection and hasattr(sock, "connect_by"):
        sock.connect_by(connect)
    else:
        connect()


def _tell_network(plain: Plain, remote: Any) -> None:
    """A network may have another socket for this peer. `remote` is None when it is not known."""
    network = plain.session.network
    if network is not None and plain.role == FRESH:
        network.connects(plain, remote)


def _is_disconnected_by_network(plain: Plain, sock: Socket) -> bool:
    """Whether what stands before the socket of the system has a peer to forget. Unix streams keep theirs."""
    is_unix_stream = plain.domain == socket.AF_UNIX and plain.type != socket.SOCK_DGRAM
    return sock is not plain.system_socket and hasattr(sock, "disconnect") and not is_unix_stream


def _wait_for_connection(plain: Plain, ref: bytes, request: Connect) -> None:
    plain.connector = Waiter(request.process, request.handle)
    plain.write_state.add("connecting")
    plain.watch_process(request.process)
    plain.session.select(ref, SELECT, plain.ident, request.process.raw, request.handle.raw)
    plain.update_interest()
    plain.session.poller.look_again()  # on this host it is there by now


def connected(plain: Plain, ref: bytes, request: Connected) -> None:
    """socket:connect/1."""
    plain.open_socket  # noqa: B018  raises what a closed one answers
    if plain.connector is None or plain.connector.process != request.process:
        raise bad_state()
    _finish(plain, ref, request.process)


def _finish(plain: Plain, ref: bytes, process: Pid) -> None:
    """What has become of the connection, as far as the system knows by now."""
    waiter = plain.connector
    assert waiter is not None
    if waiter.process != process:
        return plain.answer(ref, build_error("already"))
    connector.take(plain)
    plain.forget(waiter)
    connector.complete(plain)
    plain.answer(ref, OK)


def listen(plain: Plain, ref: bytes, request: Listen) -> None:
    backlog = parse_integer(request.backlog)
    if backlog < 0:
        # For listen(2) it is a very large number. Python would make it 0.
        backlog = _LARGEST
    sock, listened = plain.open_socket, plain.listens
    network = plain.session.network
    if plain.role == FRESH:
        plain.listens = True
        if network is not None:
            network.listens(plain)
            sock = plain.open_socket
    try:
        sock.listen(backlog)
    except OSError:
        plain.listens = listened
        raise
    plain.read_state.add("listening")
    early.review(plain)  # it may have been a connection before
    plain.answer(ref, OK)


def accept(plain: Plain, ref: bytes, request: Accept) -> None:
    listener = plain.open_socket
    waiters, process = plain.acceptors, request.process
    if plain.readers.first is not None:
        raise BadTerm(Atom("state"))
    if waiters.is_queued(process):
        raise bad_state()
    if not waiters.has_turn(process):
        return plain.wait(ref, waiters, process, request.handle)
    plain.counters["acc_tries"] += 1
    try:
        sock = listener.accept()[0]
    except BlockingIOError:
        return _accept_later(plain, ref, request)
    except OSError as error:
        plain.counters["acc_fails"] += 1
        plain.answer_error(ref, error)
        return plain.served(waiters, process)
    sock.setblocking(False)
    plain.counters["acc_success"] += 1
    if plain.session.before_28:
        plain.write_state.add("connected")
    _hand_over(plain, ref, request.socket, process, sock)
    plain.served(waiters, process)


def _accept_later(plain: Plain, ref: bytes, request: Accept) -> None:
    """The process waits. When it has waited before, the message has the new handle.

    Before OTP 26 the process is still known by the old one.
    """
    waiters = plain.acceptors
    before = waiters.first
    plain.read_state.add("accepting")
    if before is not None:
        plain.counters["acc_waits"] += 1
        if not plain.session.before_26:
            plain.abort_one(waiters.take_first(), "cancelled")
    plain.wait(ref, waiters, request.process, request.handle)
    if before is not None and waiters.first is not None and plain.session.before_26:
        waiters.first.known = before.known


def _hand_over(plain: Plain, ref: bytes, reference: Ref, owner: Pid, sock: Socket) -> None:
    network = plain.session.network
    is_controlled = network is not None and plain.role == "listener"
    try:
        if network is not None and is_controlled:
            sock = network.accepted(owner, sock)
        connection = Plain(plain.session, reference, owner, sock, like=plain)
        if not plain.session.before_28:
            connection.write_state.add("connected")
        plain.session.add(connection)
    except Exception:
        sock.close()
        raise
    if network is not None:
        (network.opened if is_controlled else network.adopted)(connection)
    early.after_opening(connection)
    plain.answer(ref, build_ok(connection.name))


def shutdown(plain: Plain, ref: bytes, request: Shutdown) -> None:
    how = _HOW.get(request.how.name) if isinstance(request.how, Atom) else None
    if how is None:
        raise BadTerm((Atom("how"), request.how), fails=True)
    held.shutdown(plain, how)
    plain.session.poller.look_again()  # as after a close
    plain.answer(ref, OK)


def sockname(plain: Plain, ref: bytes, _request: Any) -> None:
    sock = plain.open_socket
    plain.answer_ok(ref, _name(plain, sock.getsockname, plain.session.host.raw.sockname))


def peername(plain: Plain, ref: bytes, _request: Any) -> None:
    sock = plain.open_socket
    plain.answer_ok(ref, _name(plain, sock.getpeername, plain.session.host.raw.peername))


def _name(plain: Plain, call: Callable[[], Any], raw_call: Callable[[Socket], tuple[int, bytes]]) -> Any:
    if plain.domain in _FAMILIES:
        return build_sockaddr(call(), plain.domain)
    family, address = raw_call(plain.system_socket)
    return build_sockaddr(address, family)
