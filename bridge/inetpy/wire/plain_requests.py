"""The requests of plain sockets: those of `socket`, which `inetpy_socket` sends.

One record per function of `prim_socket`, as in `requests`. Most arguments are a user's own terms: the
operation checks them, and answers what OTP says of a wrong one.

`process` is who asks, and who is to get the message with `handle` when the operation has to wait. In place
of a handle there is `zero` when a read must not wait. `flags` is a number when an operation goes on.
"""

# Not `from __future__ import annotations`: the annotations are read.

from collections.abc import Mapping
from typing import Annotated, Any

from ..codec.terms import Atom, Ref
from .requests import Binary, Process, Record, Shape, Size, Term, Terms, table

__all__ = [
    "PLAIN", "PLAIN_SESSION", "Accept", "Bind", "Bindx", "Cancel", "Close", "Connect", "Connected",
    "Fdopen", "Getopt", "GetoptNative", "Info", "Ioctl", "Listen", "Open", "Peername", "Recv", "Recvfrom",
    "Recvmsg", "Send", "Sendfile", "Sendmsg", "Sendto", "Sendv", "Setopt", "SetoptNative", "Shutdown",
    "Sockname", "System",
]  # fmt: skip


def _is_handle(term: Any) -> bool:
    return isinstance(term, Ref) or (isinstance(term, Atom) and term.name == "zero")


Reference = Annotated[Ref, Shape("reference()", lambda term: isinstance(term, Ref))]
Handle = Annotated[Any, Shape("reference() | zero", _is_handle)]
Options = Annotated[Mapping[Any, Any], Shape("map()", lambda term: isinstance(term, Mapping))]
Name = Annotated[Atom, Shape("atom()", lambda term: isinstance(term, Atom))]


class Open(Record):
    """socket:open with a domain. `socket` is the reference in the new socket's name."""

    socket: Reference
    owner: Process
    domain: Term
    type: Term
    protocol: Term
    options: Options


class Fdopen(Record):
    """socket:open with a descriptor of the node."""

    socket: Reference
    owner: Process
    descriptor: Term
    options: Options


class System(Record):
    """A function that takes no socket: info, supports, is_supported, debug, socket_debug, use_registry,
    table.
    """

    function: Name
    arguments: Terms


class Accept(Record):
    """socket:accept. `socket` is the reference in the name of the connection, if there is one."""

    process: Process
    handle: Reference
    socket: Reference


class Bind(Record):
    """socket:bind."""

    address: Term


class Bindx(Record):
    """socket:bind/3, of SCTP."""

    addresses: Term
    action: Term


class Cancel(Record):
    """socket:cancel."""

    process: Process
    operation: Name
    handle: Term


class Close(Record):
    """socket:close."""


class Connect(Record):
    """socket:connect/2,3."""

    process: Process
    handle: Reference
    address: Term


class Connected(Record):
    """socket:connect/1: the end of a connect that had to wait."""

    process: Process


class Getopt(Record):
    """socket:getopt."""

    option: Term


class GetoptNative(Record):
    """socket:getopt_native."""

    option: Term
    spec: Term


class Info(Record):
    """socket:info."""


class Ioctl(Record):
    """socket:ioctl."""

    request: Term
    arguments: Terms


class Listen(Record):
    """socket:listen."""

    backlog: Term


class Peername(Record):
    """socket:peername."""


class Recv(Record):
    """socket:recv. `taken` is the number of what the node has given to a recv ahead of this, or 0."""

    process: Process
    handle: Handle
    length: Term
    flags: Term
    taken: Size


class Recvfrom(Record):
    """socket:recvfrom."""

    process: Process
    handle: Handle
    length: Term
    flags: Term


class Recvmsg(Record):
    """socket:recvmsg."""

    process: Process
    handle: Handle
    length: Term
    control_length: Term
    flags: Term


class Send(Record):
    """socket:send. `last` is false for a piece of a large send."""

    process: Process
    handle: Reference
    flags: Term
    last: Name
    data: Binary


class Sendfile(Record):
    """socket:sendfile."""

    process: Process
    handle: Reference
    offset: Term
    count: Term
    file: Term


class Sendmsg(Record):
    """socket:sendmsg. `message` is without its data, which is `iov`."""

    process: Process
    handle: Reference
    message: Term
    flags: Term
    iov: Term


class Sendto(Record):
    """socket:sendto."""

    process: Process
    handle: Reference
    address: Term
    flags: Term
    data: Binary


class Sendv(Record):
    """socket:sendv."""

    process: Process
    handle: Reference
    iov: Term


class Setopt(Record):
    """socket:setopt."""

    process: Process
    option: Term
    value: Term


class SetoptNative(Record):
    """socket:setopt_native."""

    option: Term
    value: Term


class Shutdown(Record):
    """socket:shutdown."""

    how: Term


class Sockname(Record):
    """socket:sockname."""


PLAIN_SESSION = table(socket_open=Open, socket_fdopen=Fdopen, socket_system=System)

PLAIN = table(
    socket_accept=Accept,
    socket_bind=Bind,
    socket_bindx=Bindx,
    socket_cancel=Cancel,
    socket_close=Close,
    socket_connect=Connect,
    socket_connected=Connected,
    socket_getopt=Getopt,
    socket_getopt_native=GetoptNative,
    socket_info=Info,
    socket_ioctl=Ioctl,
    socket_listen=Listen,
    socket_peername=Peername,
    socket_recv=Recv,
    socket_recvfrom=Recvfrom,
    socket_recvmsg=Recvmsg,
    socket_send=Send,
    socket_sendfile=Sendfile,
    socket_sendmsg=Sendmsg,
    socket_sendto=Sendto,
    socket_sendv=Sendv,
    socket_setopt=Setopt,
    socket_setopt_native=SetoptNative,
    socket_shutdown=Shutdown,
    socket_sockname=Sockname,
)
