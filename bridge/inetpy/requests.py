"""The shapes of requests: what the arguments of each operation look like.

`Session.request` looks here before it calls an operation. Arguments of another shape than this
version's Erlang side sends are the caller's fault: `{error, {inetpy, bad_request, Text}}`. What
fails behind this door is ours, and is answered and logged as `exception`.

A shape is a function of the arguments. Values that a user gave (addresses, options, names of
statistics) have the shape `anything`: the operation refuses them as inet_drv would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .active import COUNT_RANGE, MULTI
from .addresses import FAMILIES
from .terms import Atom, Charlist, Pid

__all__ = ["OPENING", "QUERIES", "SHAPES", "anything"]

Shape = Callable[[Any], bool]


def anything(_term: object) -> bool:
    return True


def is_integer(term: object) -> bool:
    return type(term) is int


def is_size(term: Any) -> bool:
    return type(term) is int and 0 <= term < 1 << 63


def is_port(term: Any) -> bool:
    return type(term) is int and 0 <= term <= 0xFFFF


def is_binary(term: object) -> bool:
    return type(term) is bytes or type(term) is memoryview


def is_atom(term: object) -> bool:
    return isinstance(term, Atom)


def is_pid(term: object) -> bool:
    return isinstance(term, Pid)


def is_list(term: object) -> bool:
    return isinstance(term, (list, Charlist))


def is_timeout(term: Any) -> bool:
    """Milliseconds, -1 for infinity; or `{Milliseconds, SentAt}`: see `Session.remaining`."""
    if type(term) is tuple:
        return len(term) == 2 and is_size(term[0]) and type(term[1]) is int
    return type(term) is int and term >= -1


def is_mode(term: Any) -> bool:
    return type(term) is int and 0 <= term <= MULTI


def is_count(term: Any) -> bool:
    return type(term) is int and term in COUNT_RANGE


def one_of(*names: str) -> Shape:
    return lambda term: isinstance(term, Atom) and term.name in names


def fields(*shapes: Shape) -> Shape:
    """A tuple whose elements have these shapes."""
    count = len(shapes)

    def is_tuple(args: Any) -> bool:
        return (
            type(args) is tuple
            and len(args) == count
            and all(shape(field) for shape, field in zip(shapes, args, strict=True))
        )

    return is_tuple


def _is_recv(args: Any) -> bool:
    """{Length, Timeout}. Spelled out, because it is asked for every recv."""
    return (
        type(args) is tuple
        and len(args) == 2
        and type(args[0]) is int
        and args[0] >= 0
        and is_timeout(args[1])
    )


_is_large = fields(is_size, is_pid, is_binary)


def _is_send_large(args: Any) -> bool:
    """{Size, Feeder, Data}: Data is the beginning, and not all."""
    return _is_large(args) and args[0] > len(args[2]) > 0


is_family = one_of(*FAMILIES)

# Of the session: see openers and lookups.
OPENING: dict[str, Shape] = {
    "connect": fields(is_atom, is_family, is_pid, anything, anything, anything, anything, is_timeout),
    "connect_name": fields(is_atom, is_pid, is_binary, is_port, anything, anything, is_timeout),
    "fdopen": fields(is_atom, one_of("tcp", "udp"), is_family, is_pid, is_size, anything),
    "inet": fields(is_atom, is_list, is_timeout),
    "info": anything,
    "listen": fields(is_atom, is_family, is_pid, anything, anything, anything),
    "open": fields(is_atom, is_family, is_pid, anything, anything),
    "piece": is_binary,
}

# Of a socket.
SHAPES: dict[str, Shape] = {
    "accept": fields(is_pid, is_timeout),
    "close": anything,
    "connect": anything,
    "controlling_process": fields(is_pid, is_pid),
    "family": anything,
    "getopts": anything,
    "getstat": anything,
    "info": anything,
    "peername": anything,
    "recv": _is_recv,
    "send": is_binary,
    "send_large": _is_send_large,
    "sendfile": fields(is_pid, is_size, is_integer, is_integer),
    "sendto": fields(anything, anything, is_binary),
    "setopts": anything,
    "shutdown": one_of("read", "write", "read_write"),
    "sockname": anything,
    "socknames": anything,
    "take_over": fields(is_pid, is_mode, is_count),
    "unrecv": is_binary,
}

# Operations that leave a socket as it was: a bug in one of them does not end the socket.
QUERIES = frozenset(("family", "getopts", "getstat", "info", "peername", "sockname", "socknames"))
