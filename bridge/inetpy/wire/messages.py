"""The whole vocabulary of the wire between Erlang and Python.

Every frame is one term. From Erlang:

    {hello, Protocol, Capabilities, Bridge, Out}   first; the last two go into sockets' names
    {Op, SocketId, Ref, Args}                      a request; SocketId 0 is the session
    {down, Pid}                                    a watched process has ended
    {renamed, Bridge}                              the node has another name
    {ack, Count}                                   so many frames more have been passed on
    {ping, SentAt}                                 are you there? SentAt is the node's time, in ms
    {recalled, Id, Number, Bool}                   whether data that was recalled had not been taken
    {lineage, Number, [{Pid, Lineage}]}            what processes are and descend from, when Python has asked
    {agent, Payload}                               what `inetpy_agent` says to `inetpy.testing`
    {early, SocketId, Request}                     nobody waits: Data, {Destination, Data}, `once`, `close`,
                                                   `{close, Taken}`, `connected`
    {connect, Protocol, Token}                     first of all, where Python serves: see links.serve

The capabilities of the Erlang side include, where they are known, `{otp_release, N}`;
`{buffer, N}`, the default of the stock driver; and `{os_pid, N}`, the process of a node on
this host, whose descriptors can be borrowed.

Timeouts are `{Milliseconds, SentAt}`, -1 for infinity: see `Dispatcher._remaining`. The fields of
each operation are in `requests`.

To Erlang:

    {hello, Protocol, Capabilities}                first, with `{atoms, Names}`: see vocabulary; and with
                                                   `{context, true}` when a network is described already:
                                                   then its names follow
    {Ref, Reply}          sent on as it is to the alias Ref, where its caller waits
    {Pid, Message}        Message sent on to Pid
    {Id, Mode, Ref, Reply}, {Id, Mode, Pid, Message}
                          the same, and socket Id has another mode now: see `sockets.early`
    {deliver, Pid, Messages}                       all of them sent on to Pid
    {watch, Pid}, {unwatch, Pid}                   tell, or stop telling, of its end
    {open, Id, Socket, Kind, Owner, Mode}          a socket is there: stream, listener, datagram, plain (one
                                                   of `socket`) or unlisted (the same, in no listing)
    {open, Ref, Id, Socket, Kind, Owner, Mode}     the same, and then `{Ref, {ok, Socket}}`
    {select, Id, Pid, Handle, Ref, Reply}          `{Ref, Reply}`; Pid waits for plain socket Id
    {ready, Id, Handle}                            it gets `{'$socket', Socket, select, Handle}`
    {ready, Id, Handle, {Number, Pid, Data}}       the same, and its next recv may take Data: see
                                                   sockets.plain.ahead
    {recall, Id, Number}                           give that Data up
    {abort, Id, Handle, Reason}                    it gets `{'$socket', Socket, abort, {Handle, Reason}}`
    {unselect, Id, Handle}                         it waits no longer
    {mode, Id, Mode}                               its mode, when no other frame could carry that
    {mode, Id, Mode, Destination}                  the same; early sends of a datagram socket go there alone
    {mode, Id, Mode, {Pid, Number}}                the same; early is one `socket:connect/1` of Pid
    {owner, Id, Pid}                               it has another owner
    {closed, Id}                                   it is gone
    {closed, Id, Ref}                              the same, and then `{Ref, ok}`
    {context, Bool}                                say (no longer) who opens a socket, and for which name
    {names, [{Name, [Address]}]}                   all names of the network, in lower case
    {lineage, Number, [Pid]}                       what are these processes, and what do they descend from?
    {keys, Pid}                                    the keys of a connection of TLS: see inetpy_keys
    {stray, Number, [Pid]}                         which messages of sockets are in their mailboxes?
    {keep, Key, {Whom, What, When}}                a rule that is to be added again when Python has died
    {forget, Key}                                  no longer that one
    {agent, Payload}                               for `inetpy_agent`, which only a node of tests has
    renamed                                        Python has the name that it was told
    pong                                           the answer to a ping
    {log, Level, Text}                             for the logger
    {refused, Text}                                why Python ends: the sides do not fit

What is told of sockets lets the node tell their owners when Python has died.

Replies and events are assembled from encoded pieces, because most of each is
the same every time; everything here gives bodies without the version byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from struct import Struct
from typing import Any

from ..codec.etf import Limits, encode_body
from ..codec.terms import Atom, Charlist, ImproperList, Pid, Port
from ..names import addresses
from ..names.addresses import Sender
from .vocabulary import ATOMS

__all__ = [
    "ERROR",
    "LIMITS",
    "MORE",
    "OK",
    "PASS_ON",
    "PONG",
    "PROTOCOL",
    "RENAMED",
    "STOP",
    "build_abort",
    "build_aborted",
    "build_address",
    "build_agent",
    "build_binary_head",
    "build_carrying",
    "build_closed",
    "build_data",
    "build_deliver",
    "build_error",
    "build_event",
    "build_raise",
    "build_failure",
    "build_forget",
    "build_hello",
    "build_in_play",
    "build_keep",
    "build_keys",
    "build_lineage",
    "build_log",
    "build_mode",
    "build_mode_to",
    "build_names",
    "build_note",
    "build_ok",
    "build_open",
    "build_owner",
    "build_port_data",
    "build_ready_with",
    "build_recall",
    "build_record",
    "build_select",
    "build_socket",
    "build_stray",
    "build_watch",
]

PROTOCOL = 1
# The Erlang side compresses nothing, and nests no request as deep as this: what is deeper in one is
# refused like any other term that is no option, no address and no name.
LIMITS = Limits(depth=100, inflated=0, leave_deep=True)

_U32 = Struct(">I").pack
_TUPLE2 = b"h\2"
_TUPLE3 = b"h\3"
_OK_ATOM = encode_body(Atom("ok"))
_OK_HEAD = _TUPLE2 + _OK_ATOM

_BOOLEANS = (encode_body(False), encode_body(True))

OK = _OK_ATOM
PASS_ON = _TUPLE2  # what `{Ref, Reply}` and `{Pid, Message}` begin with
RENAMED = encode_body(Atom("renamed"))
PONG = encode_body(Atom("pong"))
MORE = encode_body(Atom("more"))  # to the feeder of a large send: the next piece
STOP = encode_body(Atom("stop"))  # to the same: no more
ERROR = _TUPLE2 + encode_body(Atom("error"))  # what every `{error, _}` begins with


def build_ok(body: bytes) -> bytes:
    """`{ok, Body}`."""
    return _OK_HEAD + body


@cache
def build_error(name: str) -> bytes:
    """`{error, Name}`, for the posix atoms and their like."""
    return encode_body((Atom("error"), Atom(name)))


@cache
def build_raise(kind: str, name: str) -> bytes:
    """`{raise, exit | error, Name}`: how the caller is to fail, as gen_tcp does on bad options."""
    return encode_body((Atom("raise"), Atom(kind), Atom(name)))


def build_failure(kind: str, text: str) -> bytes:
    """`{error, {inetpy, Kind, Text}}`: a fault of the bridge or of the request, not of the net."""
    return encode_body((Atom("error"), (Atom("inetpy"), Atom(kind), text)))


def build_data(data: bytes, as_list: bool, header: int = 0) -> bytes:
    """Received data as the options `mode` and `header` have it.

    With a header, its bytes are a list whose tail is the rest as a binary.
    """
    if as_list or header > len(data):
        return encode_body(Charlist(data))
    if header:
        return encode_body(ImproperList(data[:header], data[header:]))
    return build_binary_head(len(data)) + data


def build_binary_head(size: int) -> bytes:
    """A binary of `size` bytes without them."""
    return b"m" + _U32(size)


def build_port_data(socket: bytes) -> bytes:
    """`{Socket, {data, ...}}` without its last element: the option `deliver` is `port`."""
    return _TUPLE2 + socket + _TUPLE2 + _tag("data")


def build_socket(bridge: Pid, out: Port | Pid, module: Atom, ident: int) -> bytes:
    """`{'$inet', Module, {Bridge, Out, Id}}`."""
    return encode_body((Atom("$inet"), module, (bridge, out, ident)))


@cache
def _tag(name: str) -> bytes:
    return encode_body(Atom(name))


def build_event(name: str, socket: bytes, body: bytes | None = None) -> bytes:
    """`{Name, Socket}` or `{Name, Socket, Body}`."""
    if body is None:
        return _TUPLE2 + _tag(name) + socket
    return _TUPLE3 + _tag(name) + socket + body


def build_address(address: Sender) -> bytes:
    """The address and the port of a datagram's sender: two elements, for a tuple of more."""
    host: object
    port: object
    if not address:
        host, port = (Atom("unspec"), b""), 0
    elif isinstance(address, (str, bytes)):
        host, port = addresses.build_address(address), 0
    else:
        host, port = addresses.build_address(address)
    return encode_body(host) + encode_body(port)


def build_deliver(pid: bytes, messages: list[bytes]) -> bytes:
    """`{deliver, Pid, [Message]}`."""
    return _TUPLE3 + _tag("deliver") + pid + _list(messages)


def _list(bodies: list[bytes]) -> bytes:
    return b"l" + _U32(len(bodies)) + b"".join(bodies) + b"j"


def build_record(socket: bytes, record: Any) -> bytes:
    """`{ssl_tls, Socket, Type, Version, Data}` of the last three."""
    kind, version, data = record
    return b"h\5" + _tag("ssl_tls") + socket + b"".join(map(encode_body, (kind, version, data)))


def build_hello(in_play: bool = False, names: Iterable[str] = ()) -> bytes:
    """`names`: atoms that this host has besides, those of its protocols."""
    atoms = (Atom("atoms"), sorted({*ATOMS, *names}))
    capabilities = [atoms, (Atom("context"), Atom("true"))] if in_play else [atoms]
    return encode_body((Atom("hello"), PROTOCOL, capabilities))


def build_watch(pid: bytes, on: bool) -> bytes:
    return _TUPLE2 + _tag("watch" if on else "unwatch") + pid


def build_open(ident: int, socket: bytes, kind: str, owner: bytes, ref: bytes = b"", mode: int = 0) -> bytes:
    head = (b"h\7" if ref else b"h\6") + _tag("open") + ref
    return head + encode_body(ident) + socket + _tag(kind) + owner + encode_body(mode)


def build_mode(ident: int, mode: int) -> bytes:
    return _TUPLE3 + _tag("mode") + encode_body(ident) + encode_body(mode)


def build_mode_to(ident: int, mode: int, destination: bytes) -> bytes:
    return b"h\4" + _tag("mode") + encode_body(ident) + encode_body(mode) + destination


def build_carrying(ident: int, mode: int) -> bytes:
    """What `{Id, Mode, Ref, Reply}` and `{Id, Mode, Pid, Message}` begin with."""
    return b"h\4" + encode_body(ident) + encode_body(mode)


def build_owner(ident: int, owner: bytes) -> bytes:
    return _TUPLE3 + _tag("owner") + encode_body(ident) + owner


def build_closed(ident: int, ref: bytes = b"") -> bytes:
    return (_TUPLE3 if ref else _TUPLE2) + _tag("closed") + encode_body(ident) + ref


def build_select(ident: int, ref: bytes, body: bytes, process: bytes, handle: bytes) -> bytes:
    """`{select, Id, Pid, Handle, Ref, Reply}`."""
    return b"h\6" + _tag("select") + encode_body(ident) + process + handle + ref + body


def build_note(name: str, ident: int, handle: bytes) -> bytes:
    """`{ready, Id, Handle}` and `{unselect, Id, Handle}`."""
    return _TUPLE3 + _tag(name) + encode_body(ident) + handle


def build_ready_with(ident: int, handle: bytes, number: int, process: bytes, data: bytes) -> bytes:
    """`{ready, Id, Handle, {Number, Pid, Data}}`."""
    head = b"h\4" + _tag("ready") + encode_body(ident) + handle
    return head + _TUPLE3 + encode_body(number) + process + build_binary_head(len(data)) + data


def build_recall(ident: int, number: int) -> bytes:
    """`{recall, Id, Number}`."""
    return _TUPLE3 + _tag("recall") + encode_body(ident) + encode_body(number)


def build_aborted(socket: bytes, handle: bytes, reason: str) -> bytes:
    """The message `{'$socket', Socket, abort, {Handle, Reason}}`."""
    return b"h\4" + _tag("$socket") + socket + _tag("abort") + _TUPLE2 + handle + _tag(reason)


def build_abort(ident: int, handle: bytes, reason: str) -> bytes:
    """`{abort, Id, Handle, Reason}`."""
    return b"h\4" + _tag("abort") + encode_body(ident) + handle + _tag(reason)


def build_in_play(on: bool) -> bytes:
    return _TUPLE2 + _tag("context") + _BOOLEANS[on]


def build_names(known: Mapping[str, list[str]]) -> bytes:
    """`{names, [{Name, [Address]}]}`."""
    names = [(name.encode(), list(map(addresses.build_ip, of))) for name, of in known.items()]
    return encode_body((Atom("names"), names))


def build_lineage(number: int, pids: list[bytes]) -> bytes:
    """`{lineage, Number, [Pid]}`."""
    return _TUPLE3 + _tag("lineage") + encode_body(number) + _list(pids)


def build_keys(pid: bytes) -> bytes:
    return _TUPLE2 + _tag("keys") + pid


def build_stray(number: int, pids: list[bytes]) -> bytes:
    return _TUPLE3 + _tag("stray") + encode_body(number) + _list(pids)


def build_keep(key: int, rule: bytes) -> bytes:
    return _TUPLE3 + _tag("keep") + encode_body(key) + rule


def build_forget(key: int) -> bytes:
    return _TUPLE2 + _tag("forget") + encode_body(key)


def build_agent(payload: bytes) -> bytes:
    return encode_body((Atom("agent"), payload))


def build_log(level: str, text: bytes) -> bytes:
    return encode_body((Atom("log"), Atom(level), text))
