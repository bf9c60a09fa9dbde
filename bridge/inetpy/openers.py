"""The requests that open sockets.

Each is a function of the session, the reference to answer, and the arguments.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from socket import AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from typing import TYPE_CHECKING, Any, TypeVar

from . import addresses, options
from .errors import posix_name
from .messages import build_error, build_ok, build_raise
from .sockets.datagram import Datagram
from .sockets.handle import Handle
from .sockets.listener import Listener
from .sockets.stream import Stream
from .terms import Atom, Charlist, ImproperList, Pid
from .waiting import Waiting

if TYPE_CHECKING:
    import socket

    from .session import Session

__all__ = ["OPENERS"]

S = TypeVar("S", bound=Handle)


class BadSockaddr(Exception):  # noqa: N818
    """A sockaddr to bind to whose address is a word that is none: its caller fails otherwise."""


def connect(session: Session, ref: bytes, args: Any) -> None:
    """{Module, Family, Owner, Address, Port, Options, Preset, Timeout}; a sockaddr has Port 0."""
    module, family_name, owner, address, port, given, preset, patience = args
    timeout = session.remaining(patience)
    if timeout is None:
        return session.reply(ref, build_error("timeout"))
    family = addresses.FAMILIES[family_name.name]
    try:
        opening = options.parse_open(given, preset, options.CONNECT)
        if isinstance(opening.address, Mapping) and not isinstance(address, Mapping):
            raise ValueError("a sockaddr to bind to goes with a sockaddr to connect to")
        local = _local_address(opening, family, always=False)
    except _REFUSALS as error:
        return session.reply(ref, _refusal(error))
    try:
        remote: addresses.Sockaddr
        if family == AF_UNIX:
            remote = addresses.parse_local(address)
        elif isinstance(address, Mapping):
            remote = addresses.parse_sockaddr(address, family)
        else:
            remote = addresses.parse_address(address, port, family)
    except (OSError, ValueError):
        return session.reply(ref, build_error("einval"))
    try:
        stream = _open(session, Stream, SOCK_STREAM, module, family, owner, opening, local)
    except OSError as error:
        return session.reply(ref, build_error(posix_name(error)))

    caller = Waiting(session, stream, ref)

    def done(error: str | None) -> None:
        caller.answer(build_ok(stream.name) if error is None else build_error(error))

    stream.connect(remote, timeout, done)


def connect_name(session: Session, ref: bytes, args: Any) -> None:
    """{Module, Owner, Name, Port, Options, Preset, Timeout}: any address of a name, RFC 8305."""
    module, owner, name, port, given, preset, patience = args
    timeout = session.remaining(patience)
    if timeout is None:
        return session.reply(ref, build_error("timeout"))
    try:
        opening = options.parse_open(given, preset, options.CONNECT)
    except ValueError:
        return session.reply(ref, build_raise("exit", "badarg"))

    def begin(address: tuple[int, str], on_end: Callable[[str | None], None]) -> Stream:
        family, host = address
        try:
            local = _local_address(opening, family, always=False)
        except (ValueError, BadSockaddr):
            raise OSError(errno.EAFNOSUPPORT, "bound to the other family") from None
        stream = _open(session, Stream, SOCK_STREAM, module, family, owner, opening, local)
        remote = (host, port) if family == AF_INET else (host, port, 0, 0)
        stream.connect(remote, -1, on_end)  # the race has the time
        return stream

    try:
        from . import lookups
        from .sockets.race import Race

        race = Race(session, ref, timeout, begin)
        session.in_thread(lambda: lookups.all_addresses(name.decode("latin-1")), race.start)
    except OSError as error:  # without a descriptor no module can be loaded
        session.reply(ref, build_error(posix_name(error)))


def listen(session: Session, ref: bytes, args: Any) -> None:
    """{Module, Family, Owner, Port, Options, Preset}."""
    module, family_name, owner, port, given, preset = args
    family = addresses.FAMILIES[family_name.name]
    try:
        opening = options.parse_open(_with_port(port, given), preset, options.LISTEN)
        local = _local_address(opening, family, always=True)
    except _REFUSALS as error:
        return session.reply(ref, _refusal(error))
    if type(opening.backlog) is not int:
        return session.reply(ref, build_raise("error", "function_clause"))
    try:
        listener = _open(session, Listener, SOCK_STREAM, module, family, owner, opening, local)
        # Sixteen bits go to the driver, signed for listen(2).
        listener.listen(opening.backlog & 0xFFFF)
    except OSError as error:
        return session.reply(ref, build_error(posix_name(error)))
    session.reply(ref, build_ok(listener.name))


def open_datagram(session: Session, ref: bytes, args: Any) -> None:
    """{Module, Family, Owner, Port, Options}: a datagram socket."""
    module, family_name, owner, port, given = args
    family = addresses.FAMILIES[family_name.name]
    try:
        opening = options.parse_open(_with_port(port, given), [], options.OPEN)
        local = _local_address(opening, family, always=True)
        datagram = _open(session, Datagram, SOCK_DGRAM, module, family, owner, opening, local)
    except _REFUSALS as error:
        return session.reply(ref, _refusal(error))
    datagram.start()
    session.reply(ref, build_ok(datagram.name))


def _with_port(port: object, given: object) -> object:
    """The options of a caller, the port among them as inet has it."""
    return [(Atom("port"), port), *given] if isinstance(given, list) else given


def fdopen(session: Session, ref: bytes, args: Any) -> None:
    """{Module, Protocol, Family, Owner, Number, Options}: a socket of a descriptor of the node."""
    module, protocol, family_name, owner, number, given = args
    try:
        sock = _adopt(session, number, addresses.FAMILIES[family_name.name])
    except OSError as error:
        return session.reply(ref, build_error(posix_name(error)))
    handler: type[Stream] | type[Datagram] = Stream if protocol == Atom("tcp") else Datagram
    handle = _handle(session, handler, module, owner, sock)
    try:
        options.apply(handle, options.parse_settings(given))
    except options.OptionError:
        handle.terminate()
        return session.reply(ref, build_error("einval"))
    handle.start()
    session.reply(ref, build_ok(handle.name))


def _open(
    session: Session,
    handler: type[S],
    kind: int,
    module: Atom,
    family: int,
    owner: Pid,
    opening: options.OpenOptions,
    local: addresses.Sockaddr | None,
) -> S:
    """A socket with its options set, and bound. Raises OSError."""
    number = opening.descriptor
    try:
        # A list is of options for the opening of the descriptor, and other terms count for nothing.
        if isinstance(number, (list, Charlist, ImproperList)):
            options.parse_settings(number)
    except ValueError as error:
        raise OSError(errno.EINVAL, "an option was refused") from error
    if type(number) is int and number >= 0:
        sock = _adopt(session, number, family)
        local = None if opening.address is None and not opening.port else local
    else:
        sock = session.syscalls.open_socket(family, kind, opening.netns)
    handle = _handle(session, handler, module, owner, sock)
    try:
        options.apply(handle, opening.settings)
        if local is not None:
            session.syscalls.bind(sock, local)
    except options.OptionError as error:
        handle.terminate()
        raise OSError(errno.EINVAL, "an option was refused") from error
    except OSError:
        handle.terminate()
        raise
    return handle


def _handle(session: Session, handler: type[S], module: Atom, owner: Pid, sock: socket.socket) -> S:
    """The handle of a new descriptor, which is closed when something fails."""
    try:
        handle = handler(session, module, owner, sock)
        session.enter(handle)
    except Exception:
        session.syscalls.close(sock)
        raise
    return handle


def _adopt(session: Session, number: int, family: int) -> socket.socket:
    """The socket that is the node's descriptor `number` (inet_ctl_fdopen). Raises OSError."""
    try:
        copy = session.borrow(options.parse_int(number))
    except PermissionError:
        raise OSError(errno.ENOTSUP, "the descriptors of the node cannot be had") from None
    try:
        sock = session.syscalls.adopt_socket(copy)
    except OSError:
        session.syscalls.close_file(copy)
        raise
    if sock.family != family:
        session.syscalls.close(sock)
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


def _refusal(error: Exception) -> bytes:
    """How a call that opens a socket fails on its options: as gen_tcp and gen_udp do."""
    if isinstance(error, OSError):
        return build_error(posix_name(error))
    return build_raise("error" if isinstance(error, BadSockaddr) else "exit", "badarg")


OPENERS: dict[str, Callable[[Session, bytes, Any], None]] = {
    "connect": connect,
    "connect_name": connect_name,
    "fdopen": fdopen,
    "listen": listen,
    "open": open_datagram,
}
