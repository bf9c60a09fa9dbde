"""The requests: one record per operation, and how each is parsed.

    {recv, 7, Ref, {0, {5000, 1234}}}    becomes    Recv(length=0, timeout=5000)

`{Op, SocketId, Ref, Args}` asks for an operation. Args is a tuple of the record's fields; the field
itself where the record has one; `[]` where it has none. Operations of the session (SocketId 0) are in
`SESSION`, those of a socket in `SOCKET`. Arguments of another shape are the caller's fault, and
refused before the operation is called: `{error, {inetpy, bad_request, Text}}`. What fails behind that
is a bug of ours.

While something is in play, Args of a request that opens is `{context, {Asked, Lineage}, Args}`: see
`session.interference`.

Fields of the type `Term` are a user's: addresses, options, names. The operation refuses them as
inet_drv would.

docs/requests.md is made from these tables.
"""

# Not `from __future__ import annotations`: the annotations are read.

import typing
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

from ..codec.terms import Atom, Charlist, Pid
from ..names.addresses import FAMILIES
from .active import COUNT_RANGE, MULTI

__all__ = ["LATE", "SESSION", "SOCKET", "Operation", "table"]


class Shape(NamedTuple):
    """What a field looks like: as Erlang writes the type, and as a test."""

    text: str
    fits: Callable[[Any], bool]


class Record(tuple[Any, ...]):
    """A request: a tuple with names, `Recv(length, timeout)`.

    The annotations of a subclass are its fields. Such classes are made twenty times faster than those of
    NamedTuple, which counts when a bridge starts.
    """

    __slots__ = ()
    fields: tuple[str, ...] = ()

    def __new__(cls, *fields: Any) -> Any:
        return tuple.__new__(cls, fields)

    def __init_subclass__(cls) -> None:
        cls.fields = tuple(cls.__annotations__)
        for number, name in enumerate(cls.fields):
            setattr(cls, name, property(itemgetter(number)))


def _is_integer(term: object) -> bool:
    return type(term) is int


def _is_size(term: Any) -> bool:
    return type(term) is int and 0 <= term < 1 << 63


def _is_port(term: Any) -> bool:
    return type(term) is int and 0 <= term <= 0xFFFF


def _is_binary(term: object) -> bool:
    return type(term) is bytes or type(term) is memoryview


def _are_binaries(term: object) -> bool:
    return type(term) is list and all(type(element) is bytes for element in term)


def _is_timeout(term: Any) -> bool:
    if type(term) is tuple:
        return len(term) == 2 and type(term[0]) is int and 0 <= term[0] < 1 << 63 and type(term[1]) is int
    return type(term) is int and term >= -1


def _one_of(*names: str) -> Shape:
    return Shape(" | ".join(names), lambda term: isinstance(term, Atom) and term.name in names)


_ANYTHING = Shape("term()", lambda _: True)

Term = Annotated[Any, _ANYTHING]
Name = Annotated[Atom, Shape("atom()", lambda term: isinstance(term, Atom))]
Process = Annotated[Pid, Shape("pid()", lambda term: isinstance(term, Pid))]
Terms = Annotated[Any, Shape("list()", lambda term: isinstance(term, (list, Charlist)))]
# Not of the shape of a context.
Destination = Annotated[Any, Shape("{Address, Port} | map()", lambda t: type(t) is not tuple or len(t) == 2)]
Binary = Annotated[bytes | memoryview, Shape("binary()", _is_binary)]
Integer = Annotated[int, Shape("integer()", _is_integer)]
Size = Annotated[int, Shape("0..2^63-1", _is_size)]
PortNumber = Annotated[int, Shape("0..65535", _is_port)]
Mode = Annotated[int, Shape(f"0..{MULTI}", lambda term: type(term) is int and 0 <= term <= MULTI)]
Count = Annotated[int, Shape("-32768..32767", lambda term: type(term) is int and term in COUNT_RANGE)]
Family = Annotated[Atom, _one_of(*FAMILIES)]
Protocol = Annotated[Atom, _one_of("tcp", "udp")]
_FITS_VERB: Mapping[str, Callable[[Any], bool]] = {
    "add": lambda term: type(term) is tuple and len(term) == 4 and type(term[0]) is int,
    "remove": _is_integer,
    "reset": lambda term: term == [],
    "rules": lambda term: term == [],
    "fired": lambda term: type(term) is int or term == Atom("all"),
    "events": _is_integer,
    "trace_start": lambda term: (
        type(term) is tuple
        and len(term) == 3
        and type(term[0]) is int
        and isinstance(term[1], Pid)
        and isinstance(term[2], dict)
    ),
    "describe": lambda term: type(term) is tuple and len(term) == 3 and type(term[0]) is int,
    "take_back": _is_integer,
    "replayed": _is_integer,
    "scene": _is_integer,
    "scene_end": lambda term: type(term) is tuple and len(term) == 2 and type(term[0]) is int,
    **dict.fromkeys(("trace_stop", "trace_events", "trace_leaks"), _is_integer),
    "trace_stray": lambda term: type(term) is tuple and len(term) == 2 and type(term[0]) is int,
    "trace_keys": lambda term: (
        type(term) is tuple and len(term) == 2 and isinstance(term[0], Pid) and _are_binaries(term[1])
    ),
}
Verb = Annotated[Atom, _one_of(*_FITS_VERB)]
Direction = Annotated[Atom, _one_of("read", "write", "read_write")]
# In a record: milliseconds that are left, -1 for infinity.
Timeout = Annotated[int, Shape("{Milliseconds, SentAt} | -1", _is_timeout)]


# --- of the session -----------------------------------------------------------


class Connect(Record):
    """gen_tcp:connect: opens a stream. A sockaddr map as address comes with port 0."""

    module: Name
    family: Family
    owner: Process
    address: Term
    port: Term
    options: Term
    preset: Term
    timeout: Timeout


class ConnectName(Record):
    """gen_tcp:connect with `inetpy_happy_tcp`: to any address of a name (RFC 8305)."""

    module: Name
    owner: Process
    name: Binary
    port: PortNumber
    options: Term
    preset: Term
    timeout: Timeout


class Fault(Record):
    """The rules of the network that Python plays. `add` takes `{Key, Whom, What, When}`, `remove` and
    `events` a key, `fired` a key or `all`, `rules` and `reset` nothing (`[]`). `describe` takes
    `{Key, File | {replay, File, Options} | undefined, Seed | undefined}`, `take_back` and `replayed` that
    key; `scene` a number, and `scene_end` `{Number, Heal}`. `trace_start` takes `{Key, Process, Options}`,
    `trace_keys` `{Process, Lines}`, `trace_stray` `{Number, [{Process, Messages}]}`, and the other verbs of
    traces a key.
    """

    verb: Verb
    argument: Term

    def is_sound(self) -> bool:
        """The argument is one of the verb."""
        return _FITS_VERB[self.verb.name](self.argument)


class Fdopen(Record):
    """gen_tcp:fdopen, gen_udp:fdopen: a socket of a descriptor of the node."""

    module: Name
    protocol: Protocol
    family: Family
    owner: Process
    descriptor: Size
    options: Term


class Inet(Record):
    """A function of `inet` that takes no socket."""

    function: Name
    arguments: Terms
    timeout: Timeout


class Listen(Record):
    """gen_tcp:listen: opens a listener."""

    module: Name
    family: Family
    owner: Process
    port: Term
    options: Term
    preset: Term


class Open(Record):
    """gen_udp:open: opens a datagram socket."""

    module: Name
    family: Family
    owner: Process
    port: Term
    options: Term


class Piece(Record):
    """The next bytes of a large send, from its feeder. Ref is that of the send; there is no answer."""

    data: Binary


# --- of a socket --------------------------------------------------------------


class Accept(Record):
    """gen_tcp:accept: a connection, for `owner`."""

    owner: Process
    timeout: Timeout


class Close(Record):
    """gen_tcp:close, gen_udp:close."""


class ConnectPeer(Record):
    """gen_udp:connect: the peer of a datagram socket."""

    address: Destination


class ControllingProcess(Record):
    """First step of controlling_process: stops delivery, answers `{transfer, Mode, Count}`."""

    caller: Process
    owner: Process


class FamilyOf(Record):
    """The family of a socket."""


class Getopts(Record):
    """inet:getopts."""

    names: Term


class Getstat(Record):
    """inet:getstat."""

    names: Term


class Info(Record):
    """inet:info: states, owner, watched processes, counters."""


class Peername(Record):
    """inet:peername."""


class Peernames(Record):
    """inet:peernames."""


class Recv(Record):
    """gen_tcp:recv, gen_udp:recv, where the length has no meaning."""

    length: Size
    timeout: Timeout


class Send(Record):
    """gen_tcp:send of up to 1 MB."""

    data: Binary


class SendLarge(Record):
    """gen_tcp:send of more: `data` is the beginning, and the process `feeder` has the rest."""

    size: Size
    feeder: Process
    data: Binary

    def is_sound(self) -> bool:
        """There is a beginning, and a rest."""
        return self.size > len(self.data) > 0


class Sendfile(Record):
    """file:sendfile of a descriptor of the node; length 0 is all of the file."""

    caller: Process
    descriptor: Size
    offset: Integer
    length: Integer


class Sendto(Record):
    """gen_udp:send. The destination `connected` is the peer of the socket."""

    destination: Term
    ancillary: Term
    data: Binary


class Setopts(Record):
    """inet:setopts."""

    options: Term


class Shutdown(Record):
    """gen_tcp:shutdown."""

    how: Direction


class Sockname(Record):
    """inet:sockname."""


class Socknames(Record):
    """inet:socknames."""


class TakeOver(Record):
    """Second step of controlling_process: the new owner, and the active mode as it was."""

    owner: Process
    mode: Mode
    packets: Count


class Unrecv(Record):
    """gen_tcp:unrecv: puts bytes back in front of what was received."""

    data: Binary


# --- parsing ------------------------------------------------------------------


# What is left of a timeout, from its two numbers on the wire; None when its caller has given up.
Remaining = Callable[[int, int], int | None]
Parser = Callable[[Any, Remaining], Any]

LATE = object()  # in place of a record: the caller has given up


class Operation(NamedTuple):
    """An operation: its record, and how its arguments are parsed.

    parse: gives the record, None for arguments of another shape, or LATE.
    is_query: it leaves a socket as it was, so that a bug in it does not end the socket.
    takes_views: its data may be a memoryview of what was read.
    """

    name: str
    record: Any
    shapes: tuple[Shape, ...]
    parse: Parser
    is_query: bool
    takes_views: bool


# Records are made past their own __new__, which is written in Python and costs three times as much.
new_record: Callable[[Any, tuple[Any, ...]], Any] = tuple.__new__


def _parser(record: Any, shapes: tuple[Shape, ...]) -> Parser:
    if not shapes:
        nothing = record()
        return lambda args, _: nothing if args == [] else None
    if len(shapes) == 1:
        fits = shapes[0].fits
        return lambda args, _: new_record(record, (args,)) if fits(args) else None
    tests = tuple((at, shape.fits) for at, shape in enumerate(shapes) if shape is not _ANYTHING)
    if shapes[-1] is _TIMEOUT:
        return _timeout_parser(record, len(shapes), tests[:-1])
    return _tuple_parser(record, len(shapes), tests, getattr(record, "is_sound", None))


Tests = tuple[tuple[int, Callable[[Any], bool]], ...]  # the number of a field, and what it must fit


def _tuple_parser(record: Any, count: int, tests: Tests, is_sound: Callable[[Any], bool] | None) -> Parser:
    def parse(args: Any, _: Remaining) -> Any:
        if type(args) is not tuple or len(args) != count:
            return None
        for at, fits in tests:
            if not fits(args[at]):
                return None
        request = new_record(record, args)
        return request if is_sound is None or is_sound(request) else None

    return parse


def _timeout_parser(record: Any, count: int, tests: Tests) -> Parser:
    """For records whose last field is a timeout."""

    def parse(args: Any, remaining: Remaining) -> Any:
        if type(args) is not tuple or len(args) != count:
            return None
        for at, fits in tests:
            if not fits(args[at]):
                return None
        timeout = args[-1]
        if type(timeout) is int and timeout >= -1:
            return new_record(record, args)
        if not _is_timeout(timeout):
            return None
        left = remaining(*timeout)
        return LATE if left is None else new_record(record, (*args[:-1], left))

    return parse


def _shapes(record: Any) -> tuple[Shape, ...]:
    return tuple(typing.get_args(annotation)[-1] for annotation in record.__annotations__.values())


_TIMEOUT = typing.get_args(Timeout)[-1]
_BINARY = typing.get_args(Binary)[-1]
_QUERIES = frozenset((
    "family", "getopts", "getstat", "info", "peername", "peernames", "sockname", "socknames",
    "socket_getopt", "socket_getopt_native", "socket_info", "socket_ioctl", "socket_peername",
    "socket_sockname",
))  # fmt: skip
# `unrecv` keeps its bytes for long, so it gets a copy.
_COPIES = frozenset(("connect_name", "unrecv"))


def table(**records: Any) -> Mapping[str, Operation]:
    """The operations of these records."""
    operations = {}
    for name, record in records.items():
        shapes = _shapes(record)
        takes_views = _BINARY in shapes and name not in _COPIES
        parse = _parser(record, shapes)
        operations[name] = Operation(name, record, shapes, parse, name in _QUERIES, takes_views)
    return operations


SESSION = table(
    connect=Connect,
    connect_name=ConnectName,
    fault=Fault,
    fdopen=Fdopen,
    inet=Inet,
    listen=Listen,
    open=Open,
    piece=Piece,
)

SOCKET = table(
    accept=Accept,
    close=Close,
    connect=ConnectPeer,
    controlling_process=ControllingProcess,
    family=FamilyOf,
    getopts=Getopts,
    getstat=Getstat,
    info=Info,
    peername=Peername,
    peernames=Peernames,
    recv=Recv,
    send=Send,
    send_large=SendLarge,
    sendfile=Sendfile,
    sendto=Sendto,
    setopts=Setopts,
    shutdown=Shutdown,
    sockname=Sockname,
    socknames=Socknames,
    take_over=TakeOver,
    unrecv=Unrecv,
)
