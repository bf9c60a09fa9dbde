"""The requests that open sockets.

Each is a function of the session, the reference to answer, and the arguments.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from socket import AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from typing import TypeVar

from .. import options
from ..codec.terms import Atom, Charlist, ImproperList, Pid
from ..host.api import Socket
from ..names import addresses
from ..session.session import Session
from ..session.waiting import Waiting
from ..sockets import early
from ..sockets.datagram import Datagram
from ..sockets.handle import Handle
from ..sockets.listener import Listener
from ..sockets.tcp.connecting import Done
from ..sockets.tcp.stream import Stream
from ..wire.messages import build_error, build_ok, build_raise
from ..wire.requests import Connect, ConnectName, Fdopen, Listen, Open

__all__ = ["connect", "connect_name", "fdopen", "listen", "open_datagram"]

S = TypeVar("S", bound=Handle)


class BadSockaddr(Exception):  # noqa: N818
    """A sockaddr to bind to has an invalid atom as address: the caller fails with `error`, not `exit`."""


def connect(session: Session, ref: bytes, request: Connect) -> None:
    """gen_tcp:connect."""
    family = addresses.FAMILIES[request.family.name]
    address = request.address
    try:
        opening = options.parse_open(request.options, request.preset, options.CONNECT)
        if isinstance(opening.address, Mapping) and not isinstance(address, Mapping):
            raise ValueError("a sockaddr to bind to goes with a sockaddr to connect to")
        local = _local_address(opening, family, always=False)
    except _REFUSALS as error:
        return session.answer(ref, _refusal(session, error))
    try:
        remote: addresses.Sockaddr
        if family == AF_UNIX:
            remote = addresses.parse_local(address)
        elif isinstance(address, Mapping):
            remote = addresses.parse_sockaddr(address, family)
        else:
            remote = addresses.parse_address(address, request.port, family)
    except (OSError, ValueError):
        return session.answer(ref, build_error("einval"))
    try:
        stream = _open(
            session, Stream, SOCK_STREAM, request.module, family, request.owner, opening, local, remote
        )
    except OSError as error:
        return session.answer(ref, build_error(session.posix_name(error)))

    caller = Waiting(session, stream, ref)

    def done(stream: Stream, error: str | None) -> None:
        if error is None:
            early.after_opening(stream)
        caller.answer(build_ok(stream.name) if error is None else build_error(error))

    stream.connect(remote, done, caller, request.timeout)


def connect_name(session: Session, ref: bytes, request: ConnectName) -> None:
    """To any address of a name, RFC 8305."""
    port = request.port
    try:
        opening = options.parse_open(request.options, request.preset, options.CONNECT)
    except ValueError:
        return session.answer(ref, build_raise("exit", "badarg"))

    def begin(address: tuple[int, str], on_end: Done) -> Stream:
        family, ip = address
        try:
            local = _local_address(opening, family, always=False)
        except (ValueError, BadSockaddr):
            raise OSError(errno.EAFNOSUPPORT, "bound to the other family") from None
        remote = (ip, port) if family == AF_INET else (ip, port, 0, 0)
        session.context = context
        try:
            stream = _open(
                session, Stream, SOCK_STREAM, request.module, family, request.owner, opening, local, remote
            )
        finally:
            session.context = None
        stream.connect(remote, on_end)  # the race has the time
        return stream

    try:
        from ..sockets.race import Race
        from . import lookups

        name = bytes(request.name).decode("latin-1")
        context = session.context and session.context._replace(asked=name)
        host = session.host if session.network is None else session.network.lookup_host()
        race = Race(session, ref, request.timeout, request.owner, begin)

        def find() -> tuple[list[tuple[int, str]], str]:
            return ([], "timeout") if race.is_over else lookups.all_addresses(host, name)

        host.in_thread(find, race.start)
    except OSError as error:  # without a descriptor no module can be loaded
        session.answer(ref, build_error(session.posix_name(error)))


def listen(session: Session, ref: bytes, request: Listen) -> None:
    """gen_tcp:listen."""
    family = addresses.FAMILIES[request.family.name]
    try:
        opening = options.parse_open(_with_port(request), request.preset, options.LISTEN)
        local = _local_address(opening, family, always=True)
    except _REFUSALS as error:
        return session.answer(ref, _refusal(session, error))
    if type(opening.backlog) is not int:
        return session.answer(ref, build_raise("error", "function_clause"))
    try:
        listener = _open(
            session, Listener, SOCK_STREAM, request.module, family, request.owner, opening, local
        )
        # Sixteen bits go to the driver, signed for listen(2).
        listener.listen(opening.backlog & 0xFFFF)
    except OSError as error:
        return session.answer(ref, build_error(session.posix_name(error)))
    session.answer(ref, build_ok(listener.name))


def open_datagram(session: Session, ref: bytes, request: Open) -> None:
    """gen_udp:open."""
    family = addresses.FAMILIES[request.family.name]
    try:
        opening = options.parse_open(_with_port(request), [], options.OPEN)
        local = _local_address(opening, family, always=True)
        datagram = _open(session, Datagram, SOCK_DGRAM, request.module, family, request.owner, opening, local)
    except _REFUSALS as error:
        return session.answer(ref, _refusal(session, error))
    datagram.adopt()
    session.answer(ref, build_ok(datagram.name))


def _with_port(request: Listen | Open) -> object:
    """The options of a caller, the port among them as inet has it."""
    given = request.options
    return [(Atom("port"), request.port), *given] if isinstance(given, list) else given


def fdopen(session: Session, ref: bytes, request: Fdopen) -> None:
    """A socket of a descriptor of the node."""
    try:
        sock = _adopt(session, request.descriptor, addresses.FAMILIES[request.family.name])
    except OSError as error:
        return session.answer(ref, build_error(session.posix_name(error)))
    handler: type[Stream] | type[Datagram] = Stream if request.protocol == Atom("tcp") else Datagram
    handle = _handle(session, handler, request.module, request.owner, sock)
    try:
        options.apply(handle, options.parse_settings(handle.table, request.options))
    except ValueError as error:
        handle.terminate()
        refused = isinstance(error, options.OptionError)
        return session.answer(
            ref, build_error("einval") if refused else build_raise("error", "function_clause")
        )
    handle.adopt()
    if session.network is not None:
        session.network.adopted(handle)
    session.answer(ref, build_ok(handle.name))


_ROLES: dict[type[Handle], str | None] = {Stream: "client", Listener: "listener", Datagram: None}


def _open(
    session: Session,
    handler: type[S],
    kind: int,
    module: Atom,
    family: int,
    owner: Pid,
    opening: options.OpenOptions,
    local: addresses.Sockaddr | None,
    remote: addresses.Sockaddr | None = None,
) -> S:
    """A socket with its options set, and bound. Raises OSError."""
    number, network = opening.descriptor, session.network
    try:
        # A list holds options for opening the descriptor; any other term is ignored.
        if isinstance(number, (list, Charlist, ImproperList)):
            options.parse_settings(handler.table, number)
    except ValueError as error:
        raise OSError(errno.EINVAL, "an option was refused") from error
    if type(number) is int and number >= 0:
        if network is not None and network.is_sealed:
            raise OSError(errno.EACCES, "a replay has sockets in memory alone")
        sock = _adopt(session, number, family)
        local = None if opening.address is None and not opening.port else local
        network = None
    elif network is None:
        sock = session.host.open_socket(family, kind, opening.netns)
    else:
        sock = network.open_socket(_ROLES[handler], family, kind, opening.netns, owner, remote)
    handle = _handle(session, handler, module, owner, sock)
    if network is not None:
        network.opened(handle)
    try:
        options.apply(handle, opening.assignments)
        if local is not None:
            sock.bind(local)
    except options.OptionError as error:
        handle.terminate()
        raise OSError(errno.EINVAL, "an option was refused") from error
    except OSError:
        handle.terminate()
        raise
    return handle


def _handle(session: Session, handler: type[S], module: Atom, owner: Pid, sock: Socket) -> S:
    """The handle of a new descriptor, which is closed when something fails."""
    try:
        handle = handler(session, module, owner, sock)
        session.add(handle)
    except Exception:
        sock.close()
        raise
    return handle


def _adopt(session: Session, number: int, family: int) -> Socket:
    """The socket that is the node's descriptor `number` (inet_ctl_fdopen). Raises OSError."""
    try:
        copy = session.borrow(options.parse_int(number))
    except PermissionError:
        raise OSError(errno.ENOTSUP, "the descriptors of the node cannot be had") from None
    try:
        sock = session.host.adopt_socket(copy)
    except OSError:
        session.host.close_file(copy)
        raise
    if sock.family != family:
        sock.close()
        raise OSError(errno.EINVAL, "a socket of another family")
    return sock


def _local_address(opening: options.OpenOptions, family: int, always: bool) -> addresses.Sockaddr | None:
    """Where to bind. None: a connecting socket leaves it to the system."""
    if family == AF_UNIX:
        if opening.port != 0:
            raise ValueError("a local address has no port")
        return None if opening.address is None else addresses.parse_local(opening.address)
    if isinstance(opening.address, Mapping):
        other = errno.EAFNOSUPPORT if family == AF_INET else errno.EINVAL  # as bind(2) has it
        try:
            return addresses.parse_sockaddr(opening.address, family, other)
        except ValueError as error:
            if isinstance(opening.address.get(Atom("addr")), Atom):
                raise BadSockaddr from error
            raise OSError(errno.EINVAL, "a sockaddr that is none") from error
    if opening.address is None or opening.address == Atom("undefined"):
        bound = addresses.parse_address(Atom("any"), opening.port, family)
        return bound if always or opening.port else None
    return addresses.parse_address(opening.address, opening.port, family)


_REFUSALS = (ValueError, BadSockaddr, OSError)


def _refusal(session: Session, error: Exception) -> bytes:
    """How a call that opens a socket fails on its options: as gen_tcp and gen_udp do."""
    if isinstance(error, OSError):
        return build_error(session.posix_name(error))
    return build_raise("error" if isinstance(error, BadSockaddr) else "exit", "badarg")
