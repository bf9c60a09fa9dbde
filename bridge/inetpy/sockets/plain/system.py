"""What `socket` says of no socket: info/0, supports, is_supported, and its switches."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom
from ...options.plain import PLAIN_OPTIONS, PlainOption
from ...options.plain_values import LEVELS
from ...session.session import Session
from ...wire.messages import OK
from ...wire.plain_requests import System
from .flags import FLAGS
from .ioctl import REQUESTS, interface_flags
from .plain import Plain
from .protocols import level_aliases, protocol_names
from .sending import IOV_MAX
from .settings import is_known
from .values import WrongType

__all__ = ["answer"]

_TRUE, _FALSE = Atom("true"), Atom("false")


def _bool(value: Any) -> Atom:
    return _TRUE if value else _FALSE


def answer(session: Session, ref: bytes, request: System) -> None:
    function, arities = _FUNCTIONS.get(request.function.name, (_info, ()))
    if len(request.arguments) not in arities:
        raise WrongType(request.function)
    function(session, ref, list(request.arguments))


def _info(session: Session, ref: bytes, _arguments: list[Any]) -> None:
    sockets = [sock for sock in session.sockets.values() if isinstance(sock, Plain)]
    domains = Counter(sock.domain for sock in sockets)
    kinds = Counter(sock.type for sock in sockets)
    protocols = Counter(sock.protocol for sock in sockets)
    counters = {
        "num_cnt_bits": 64,
        "num_sockets": len(sockets),
        "num_dinet": domains[socket.AF_INET],
        "num_dinet6": domains[socket.AF_INET6],
        "num_dlocal": domains[socket.AF_UNIX],
        "num_tstreams": kinds[socket.SOCK_STREAM],
        "num_tdgrams": kinds[socket.SOCK_DGRAM],
        "num_tseqpkgs": kinds[socket.SOCK_SEQPACKET],
        "num_pip": protocols[socket.IPPROTO_IP],
        "num_psctp": protocols[LEVELS["sctp"]],
        "num_ptcp": protocols[socket.IPPROTO_TCP],
        "num_pudp": protocols[socket.IPPROTO_UDP],
    }
    term = {
        Atom("debug"): _bool("debug" in session.plain_debug),
        Atom("socket_debug"): _bool("socket_debug" in session.plain_debug),
        Atom("iow"): _FALSE,
        Atom("use_registry"): _bool(session.lists_plain),
        Atom("iov_max"): IOV_MAX,
        Atom("counters"): {Atom(name): count for name, count in counters.items()},
    }
    if not session.before_28:
        term |= {Atom("eei"): _TRUE, Atom("io_backend"): {Atom("name"): Atom("unix_essio")}}
    session.answer(ref, encode_body(term))


def _use_registry(session: Session, ref: bytes, arguments: list[Any]) -> None:
    session.lists_plain = arguments == [_TRUE]
    session.answer(ref, OK)


def _switch(name: str) -> Callable[[Session, bytes, list[Any]], None]:
    """debug and socket_debug: kept and shown; there is nothing here that would print."""

    def switch(session: Session, ref: bytes, arguments: list[Any]) -> None:
        (session.plain_debug.add if arguments == [_TRUE] else session.plain_debug.discard)(name)
        session.answer(ref, OK)

    return switch


def _supported(session: Session, key: Any) -> list[tuple[Any, bool]] | None:
    """What is known of a key, with whether it is supported. None for another key."""
    match key.name if isinstance(key, Atom) else None:
        case "msg_flags":
            return [(Atom(name), True) for name in FLAGS]
        case "protocols":
            return [(Atom(name), True) for name in protocol_names(session)]
        case "ioctl_requests":
            return [(Atom(name), True) for name, row in REQUESTS.items() if row.since <= session.release]
        case "ioctl_flags":
            return [(name, number != 0) for name, number in interface_flags(session)]
        case "options":
            return [
                ((Atom(alias), Atom(name)), row.is_supported(session.release) and name != "peek_off")
                for (level, name), row in PLAIN_OPTIONS.items()
                if is_known(session, row)
                for alias in level_aliases(session, level)
            ]
    return None


# Those that OTP has a name of its own for: their numbers have it before those of the system, last line and
# last alias first.
_OWN_PROTOCOLS = [(0, ["ip"]), (2, ["igmp"]), (6, ["tcp"]), (17, ["udp"]), (41, ["ipv6"]), (262, ["mptcp"])]
_TABLES = ("ioctl_flags", "ioctl_requests", "msg_flags", "options", "protocols")


def _general(session: Session) -> dict[Atom, bool]:
    known = {"sctp": session.knows_sctp, "ipv6": True, "local": True, "netns": True, "sendfile": True}
    return {Atom(name): value for name, value in known.items()}


def _supports(session: Session, ref: bytes, arguments: list[Any]) -> None:
    found: list[tuple[Any, Any]] = []
    if not arguments:
        found = list(_general(session).items())
    elif len(arguments) == 1:
        found = _supported(session, arguments[0]) or []
    elif arguments[0] == Atom("options"):
        pairs = _supported(session, arguments[0]) or []
        found = [(name[1], value) for name, value in pairs if name[0] == arguments[1]]
    session.answer(ref, encode_body([(name, _bool(value)) for name, value in found]))


def _is_supported(session: Session, ref: bytes, arguments: list[Any]) -> None:
    if len(arguments) == 1:
        known = _general(session)
        if not session.before_28:
            known |= {Atom(name): True for name in _TABLES}
        found = known.get(arguments[0], False) if isinstance(arguments[0], Atom) else False
    else:
        known = dict(_supported(session, arguments[0]) or [])
        try:
            found = known.get(arguments[1], False)
        except TypeError:
            found = False
    session.answer(ref, encode_body(_bool(found)))


def _table(session: Session, ref: bytes, arguments: list[Any]) -> None:
    """The names that `socket` has numbers for, as a map: from OTP 28 on."""
    name = arguments[0].name if isinstance(arguments[0], Atom) else None
    table: dict[Any, Any]
    match name:
        case "msg_flags":
            table = {Atom(name): number for name, number in FLAGS.items()}
        case "ioctl_flags":
            table = dict(interface_flags(session))
        case "ioctl_requests":
            table = {Atom(name): row.number for name, row in REQUESTS.items()}
        case "protocols":
            table = {Atom(alias): number for number, names in session.protocols for alias in names}
            for number, names in [*_OWN_PROTOCOLS, *reversed(session.protocols)]:
                table.setdefault(number, []).extend(map(Atom, [names[0], *reversed(names[1:])]))
        case "options":
            table = {
                (Atom(row.level), Atom(row.name)): _numbers(session, row)
                for row in PLAIN_OPTIONS.values()
                if is_known(session, row)
            }
        case _:
            raise WrongType(arguments)
    session.answer(ref, encode_body(table))


def _numbers(session: Session, row: PlainOption) -> Any:
    if not row.is_supported(session.release):
        return Atom("undefined")
    return Atom("socket") if row.level == "socket" else LEVELS[row.level], row.number


# With the numbers of arguments that each takes.
_FUNCTIONS: dict[str, tuple[Callable[[Session, bytes, list[Any]], None], tuple[int, ...]]] = {
    "info": (_info, (0,)),
    "table": (_table, (1,)),
    "use_registry": (_use_registry, (1,)),
    "debug": (_switch("debug"), (1,)),
    "socket_debug": (_switch("socket_debug"), (1,)),
    "supports": (_supports, (0, 1, 2)),
    "is_supported": (_is_supported, (1, 2)),
}
