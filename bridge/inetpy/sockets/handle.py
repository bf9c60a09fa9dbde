"""What all sockets have in common.

A handle stands for what the port of a stock socket stands for. It can outlive
its descriptor: after a passive socket has reported that its peer is gone, the
descriptor is closed and the handle still answers, as in inet_drv.

Requests come as `op_...(ref, request)` methods, found through the class table
`ops`. An answer goes to `session.answer(ref, body)`, now or later.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .. import options
from ..codec.etf import encode_body
from ..codec.terms import Atom, Pid
from ..host.api import Socket
from ..names.addresses import FAMILY_NAMES, build_address
from ..packet import PacketType
from ..session.session import Session
from ..wire.active import MULTI, PASSIVE, add_count
from ..wire.messages import OK, build_error, build_event, build_ok, build_raise
from ..wire.requests import (
    SOCKET,
    ControllingProcess,
    Getopts,
    Getstat,
    Operation,
    Setopts,
    TakeOver,
)  # fmt: skip
from . import early
from .counters import NAMES as COUNTERS, Counters

log = logging.getLogger(__name__)

__all__ = [
    "CLOSED", "CONNECTED", "CONNECTING", "LIFE", "LISTEN", "LISTENING", "LOSE", "OPEN", "Handle", "Life",
]  # fmt: skip

# The states of inet_drv that a user can see.
CLOSED, OPEN, CONNECTING, CONNECTED, LISTENING = "closed", "open", "connecting", "connected", "listen"

# The life of a handle: state -> event -> next state. Kinds of sockets add their own.
LOSE, LISTEN = "lose", "listen"
Life = dict[str, dict[str, str]]
LIFE: Life = {OPEN: {LOSE: CLOSED}, CLOSED: {LOSE: CLOSED}}

_STATES = {
    CLOSED: (),
    OPEN: ("open",),
    CONNECTING: ("connecting", "open"),
    CONNECTED: ("connected", "open"),
    LISTENING: ("listen", "open"),
}

_TOS = (socket.IPPROTO_IP, socket.IP_TOS)
_PRIORITY = (socket.SOL_SOCKET, socket.SO_PRIORITY)
_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)


def _counter_name(name: object) -> str:
    """Raises OptionError for an unknown counter."""
    if not isinstance(name, Atom) or name.name not in COUNTERS:
        raise options.OptionError("no counter")
    return name.name


class Handle:
    """The common part of sockets. `sock` is None once the descriptor is closed."""

    __slots__ = (
        "__weakref__", "session", "ident", "module", "name", "owner", "sock", "state", "accepted",
        "interest", "active", "active_count", "options", "counters", "always",
        "early", "repeats", "floods", "turn",
    )  # fmt: skip

    kind: ClassVar[str]
    requests: ClassVar[Mapping[str, Operation]] = SOCKET
    survives: ClassVar[bool] = False  # a bug in a socket's code ends the socket
    protocol: ClassVar[str] = "tcp"  # the first word of messages
    ops: ClassVar[dict[str, Callable[[Any, bytes, Any], None]]] = {}

    life: ClassVar[Life] = LIFE
    table: ClassVar[Mapping[str, options.Option]]  # the options of this kind of socket

    def __init__(
        self, session: Session, module: Atom, owner: Pid, sock: Socket, like: Handle | None = None
    ) -> None:
        """`like`: the listener whose options this socket starts with."""
        self.session = session
        self.module = module
        self.owner = owner
        self.sock: Socket | None = sock
        self.accepted = like is not None
        self.state = OPEN
        self.interest = 0
        self.ident, self.name = session.new_name(module)
        self.active = PASSIVE
        self.active_count = 0
        self.early = self.repeats = self.always = 0  # see `early`
        self.floods, self.turn = False, (0.0, 0)
        self.counters = Counters()
        self.options: options.Settings = (
            options.Settings.new(session.default_buffer)
            if like is None
            else options.Settings.inherited(like.options)
        )

    def __repr__(self) -> str:
        return f"<{self.kind} {self.ident}>"

    @property
    def role(self) -> str | None:
        """See `session.interference.Interference`."""
        client = "accepted" if self.accepted else "client"
        return {"stream": client, "listener": "listener"}.get(self.kind)

    def renamed(self) -> None:
        self.rename(self.session.name_of(self.module, self.ident))

    def rename(self, name: bytes) -> None:
        """The node has another name, and so has the socket on the wire."""
        self.name = name

    # --- readiness ---

    def set_interest(self, events: int) -> None:
        """Sets what `on_ready` is to be called for; 0 for nothing but what is watched for."""
        events |= self.always
        if events == self.interest or self.sock is None:
            return
        poller = self.session.poller
        if not self.interest:
            poller.add(self.sock, events, self)
        elif events:
            poller.change(self.sock, events)
        else:
            poller.remove(self.sock)
        self.interest = events

    def watch(self, events: int) -> None:
        """`on_ready` is called for these in any case."""
        interest = self.interest & ~self.always
        self.always = events
        self.set_interest(interest)

    def on_ready(self, events: int) -> None:
        raise NotImplementedError

    def exchange(self, other: Callable[[Socket], Socket]) -> None:
        """Goes on with another socket, which `other` makes of this one."""
        assert self.sock is not None
        if self.early:
            early.wait_again(self)
        interest = self.interest
        self.set_interest(0)
        self.sock = other(self.sock)
        self.set_interest(interest)

    def close_descriptor(self) -> None:
        """Closes the descriptor; the handle goes on answering."""
        if self.sock is not None:
            self.always = 0
            self.set_interest(0)
            self.sock.close()
            self.sock = None
            self.session.poller.look_again()  # its peer may be one of ours: see `early`
        self.move(LOSE)

    def move(self, event: str) -> None:
        """The next state of its life. KeyError: an event that cannot be."""
        self.state = self.life[self.state][event]

    # --- options ---

    def set_system_option(self, level: int, constant: int, value: int | bytes) -> bool:
        """setsockopt(2). False when the system refuses, as it does for a closed descriptor."""
        if self.sock is None:
            return False
        try:
            if self.early and (level, constant) == _LINGER:
                early.await_close(self)  # close may take its time from now on
            if (level, constant) == _TOS:
                self._set_tos(self.sock, value)
            else:
                self.sock.setsockopt(level, constant, value)
        except OSError:
            return False
        return True

    def _set_tos(self, sock: Socket, value: int | bytes) -> None:
        """Linux makes a priority of the type of service. It stays what it was, as in inet_drv."""
        priority = sock.getsockopt(*_PRIORITY)
        sock.setsockopt(*_TOS, value)
        self.set_system_option(*_PRIORITY, priority)

    def family(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX. Raises OSError on a closed descriptor."""
        if self.sock is None:
            raise OSError("closed")
        return self.sock.family

    def get_system_option(self, level: int, constant: int, size: int) -> object:
        """getsockopt(2): an int, or `size` bytes where a size is given. Raises OSError."""
        if self.sock is None:
            raise OSError("closed")
        return self.sock.getsockopt(level, constant, size)

    def set_active(self, mode: int, increment: int) -> None:
        """Sets the active mode. What follows from it comes in `on_options`."""
        if mode != MULTI:
            return self.change_active(mode, 0)
        changed = add_count(self.active_count, increment)
        if changed is None:
            raise options.OptionError("active count out of range")
        mode, count = changed
        self.change_active(mode, count)
        if self.active == PASSIVE:
            self.tell_owner(f"{self.protocol}_passive")

    def change_active(self, mode: int, count: int) -> None:
        is_active, was_active = mode != PASSIVE, self.active != PASSIVE
        self.active = mode
        self.active_count = count
        if is_active != was_active:
            self.session.link.mode(self.ident, self.early | was_active, self.early | is_active)

    def set_early(self, early: int) -> None:
        """What its callers may answer themselves: see `early`."""
        before, self.early = self.early, early
        if before != early and self.ident in self.session.sockets:
            is_active = self.active != PASSIVE
            self.session.link.mode(self.ident, before | is_active, early | is_active)

    def on_options(self, old_active: int, old_packet: PacketType) -> None:
        """Options may have changed: reads, delivers, or stops."""

    def op_setopts(self, ref: bytes, request: Setopts) -> None:
        old_active, old_packet = self.active, self.options.packet
        try:
            options.apply(self, options.parse_settings(self.table, request.options))
        except ValueError:
            return self.session.answer(ref, build_error("einval"))
        self.on_options(old_active, old_packet)
        self.answer_behind_messages(ref, OK)

    def answer_behind_messages(self, ref: bytes, body: bytes) -> None:
        """An answer that comes behind the messages which are on their way to the owner."""
        self.session.answer(ref, body)

    def op_getopts(self, ref: bytes, request: Getopts) -> None:
        try:
            answer = options.get(self, request.names)
        except ValueError as error:
            return self.session.answer(ref, _refusal(error))
        self.session.answer(ref, build_ok(encode_body(answer)))

    # --- names and counters ---

    def op_sockname(self, ref: bytes, _request: Any) -> None:
        self.answer_address(ref)

    def op_peername(self, ref: bytes, _request: Any) -> None:
        self.session.answer(ref, build_error("enotconn"))

    def op_family(self, ref: bytes, _request: Any) -> None:
        try:
            name = FAMILY_NAMES[self.family()]
        except OSError:
            return self.session.answer(ref, build_error("closed"))
        self.session.answer(ref, build_ok(encode_body(Atom(name))))

    def op_socknames(self, ref: bytes, _request: Any) -> None:
        self._answer_addresses(ref)

    def op_peernames(self, ref: bytes, _request: Any) -> None:
        self._answer_addresses(ref, peer=True)

    def _answer_addresses(self, ref: bytes, peer: bool = False) -> None:
        """Of all addresses there are more than one in SCTP only."""
        if self.sock is None:
            return self.session.answer(ref, build_error("exbadport"))
        try:
            address = self._address(peer)
        except OSError as error:
            return self.session.answer(ref, build_error(self.session.posix_name(error)))
        self.session.answer(ref, build_ok(encode_body([address])))

    def answer_address(self, ref: bytes, peer: bool = False) -> None:
        """The socket's own address, or its peer's."""
        try:
            address = self._address(peer)
        except OSError as error:
            return self.session.answer(ref, build_error(self.session.posix_name(error)))
        self.session.answer(ref, build_ok(encode_body(address)))

    def _address(self, peer: bool) -> object:
        if self.sock is None:
            raise OSError(errno.EBADF, "closed")
        return build_address(self.sock.getpeername() if peer else self.sock.getsockname())

    def op_getstat(self, ref: bytes, request: Getstat) -> None:
        try:
            answer = [(name, self._counter(_counter_name(name))) for name in options.elements(request.names)]
        except ValueError as error:
            return self.session.answer(ref, _refusal(error))
        self.session.answer(ref, build_ok(encode_body(answer)))

    def _counter(self, name: str) -> int:
        return abs(int(self.send_pend if name == "send_pend" else getattr(self.counters, name)))

    @property
    def send_pend(self) -> int:
        """Bytes that wait to be sent."""
        return 0

    def op_info(self, ref: bytes, _request: Any) -> None:
        """`{ok, {States, Owner, Watched, Counters}}`; the states are those of prim_inet:getstatus/1."""
        outward = self.session.outward
        states = [Atom(name) for name in self.states()]
        owner, *watched = (Pid(outward(pid.raw)) for pid in (self.owner, *self.watched()))
        counters = {Atom(name): self._counter(name) for name in COUNTERS}
        self.session.answer(ref, build_ok(encode_body((states, owner, watched, counters))))

    def watched(self) -> list[Pid]:
        """The processes, besides the owner, whose ends this socket wants to know."""
        return []

    def states(self) -> tuple[str, ...]:
        return _STATES[self.state]

    # --- the owner ---

    def tell_owner(self, name: str, body: bytes | None = None) -> None:
        """Sends the owner `{Name, Socket}` or `{Name, Socket, Body}`."""
        self.session.tell(self.owner.raw, build_event(name, self.name, body))

    def op_controlling_process(self, ref: bytes, request: ControllingProcess) -> None:
        """First step of two: stops delivery, so that the caller can move its messages.

        Answers `transfer`, and the caller goes on with `take_over`; see
        `inet:tcp_controlling_process/2` for the rules.
        """
        caller, owner = request
        if owner == self.owner:
            return self.session.answer(ref, OK)
        if caller != self.owner:
            return self.session.answer(ref, build_error("not_owner"))
        mode, count = self.active, self.active_count
        if mode != PASSIVE:
            self.change_active(PASSIVE, 0)
            self.on_options(mode, self.options.packet)
        self.session.answer(ref, encode_body((Atom("transfer"), mode, count)))

    def op_take_over(self, ref: bytes, request: TakeOver) -> None:
        """Second step: the new owner, and the active mode as it was."""
        owner, mode, count = request
        self.session.unwatch(self.owner, self)
        self.owner = owner
        self.session.watch(owner, self)
        self.session.link.owned(self.ident, owner.raw)
        if self.session.network is not None:
            self.session.network.owner_changed(self)
        if mode != PASSIVE:
            old = self.active
            try:
                self.set_active(mode, count)
            except options.SocketClosed:
                pass
            self.on_options(old, self.options.packet)
        self.answer_behind_messages(ref, OK)

    def on_down(self, _pid: Pid) -> None:
        """The owner has died."""
        self.terminate()

    # --- ends ---

    def op_close(self, ref: bytes, _request: Any) -> None:
        self.terminate()
        self.session.answer(ref, OK)

    def terminate(self) -> None:
        """The end of the handle: nothing answers for it any more."""
        if self.session.remove(self):
            self.close_descriptor()

    def fail(self, error: Exception) -> None:
        """The end after a bug, at any point of any method: see `bugs`.

        Callers get `{error, {inetpy, exception, _}}`; the owner of an active socket gets an error
        and the end. Each step is taken, whatever the one before came to.
        """
        self.session.fail_callers(self, error)
        for step in (self._tell_failure, self.terminate, self.drop_descriptor):
            try:
                step()
            except Exception:
                log.exception("while %r was ended", self)

    def _tell_failure(self) -> None:
        if self.active != PASSIVE and self.ident in self.session.sockets:
            self.tell_closed("inetpy_exception")

    def tell_closed(self, error: str | None) -> None:
        """Tells the owner of an error, if there is one, and of the end."""
        if error is not None:
            self.tell_owner(f"{self.protocol}_error", encode_body(Atom(error)))
        self.tell_owner(f"{self.protocol}_closed")

    def drop_descriptor(self) -> None:
        """Closes the descriptor past all rules, if `terminate` has not."""
        try:
            self.session.remove(self)
        finally:
            sock, self.sock = self.sock, None
            if sock is not None:
                self.session.poller.forget(sock)
                sock.close()

    def discards_on_close(self) -> bool:
        """Whether the option linger is `{true, 0}`: close drops what is not sent, and resets."""
        try:
            return self.linger() == (True, 0)
        except OSError:
            return False

    def linger(self) -> tuple[bool, int]:
        """The option linger: (on, seconds). Raises OSError."""
        value = self.get_system_option(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        on, seconds = struct.unpack("ii", value)  # type: ignore[arg-type]
        return bool(on), seconds

    # --- what a socket that is no connection answers ---

    def op_not_connected(self, ref: bytes, _request: Any) -> None:
        self.session.answer(ref, build_error("enotconn"))

    def op_invalid(self, ref: bytes, _request: Any) -> None:
        self.session.answer(ref, build_error("einval"))


def _refusal(error: ValueError) -> bytes:
    """How a list of names is refused: see `options.elements`."""
    if isinstance(error, options.OptionError):
        return build_error("einval")
    return build_raise("error", "function_clause")


Handle.ops = {
    "accept": Handle.op_invalid,
    "connect": Handle.op_invalid,
    "close": Handle.op_close,
    "controlling_process": Handle.op_controlling_process,
    "family": Handle.op_family,
    "getopts": Handle.op_getopts,
    "getstat": Handle.op_getstat,
    "info": Handle.op_info,
    "peername": Handle.op_peername,
    "peernames": Handle.op_peernames,
    "recv": Handle.op_not_connected,
    "send": Handle.op_not_connected,
    "send_large": Handle.op_not_connected,
    "sendfile": Handle.op_not_connected,
    "setopts": Handle.op_setopts,
    "shutdown": Handle.op_not_connected,
    "sockname": Handle.op_sockname,
    "socknames": Handle.op_socknames,
    "take_over": Handle.op_take_over,
    "unrecv": Handle.op_not_connected,
}
