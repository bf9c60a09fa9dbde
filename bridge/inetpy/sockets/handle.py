"""What every socket has, whatever it is connected to.

A handle stands for what the port of a stock socket stands for. It can outlive
its descriptor: after a passive socket has reported that its peer is gone, the
descriptor is closed and the handle still answers, as in inet_drv.

Requests come as `op_...(ref, args)` methods, found through the class table
`ops`. An answer goes to `session.reply(ref, body)`, now or later.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from .. import messages, options
from ..active import MULTI, PASSIVE, add_count
from ..addresses import FAMILY_NAMES, build_address
from ..errors import posix_name
from ..etf import encode_body
from ..messages import OK, build_error, build_event, build_ok, build_raise
from ..packet import PacketType
from ..terms import Atom, Pid

if TYPE_CHECKING:
    from ..session import Session

log = logging.getLogger(__name__)

__all__ = ["CLOSED", "CONNECTED", "CONNECTING", "LISTENING", "OPEN", "Handle"]

# The states of inet_drv that can be told apart from outside.
CLOSED, OPEN, CONNECTING, CONNECTED, LISTENING = "closed", "open", "connecting", "connected", "listen"

_STATISTICS = (
    "recv_oct", "recv_cnt", "recv_max", "recv_avg", "recv_dvi",
    "send_oct", "send_cnt", "send_max", "send_avg", "send_pend",
)  # fmt: skip

_STATES = {
    CLOSED: (),
    OPEN: ("open",),
    CONNECTING: ("connecting", "open"),
    CONNECTED: ("connected", "open"),
    LISTENING: ("listen", "open"),
}

_TOS = (socket.IPPROTO_IP, socket.IP_TOS)
_PRIORITY = (socket.SOL_SOCKET, socket.SO_PRIORITY)
_LINGER_NOW = struct.pack("ii", 1, 0)


def _statistic(name: object) -> str:
    """The attribute of a counter. Raises OptionError for a name of none."""
    if not isinstance(name, Atom) or name.name not in _STATISTICS:
        raise options.OptionError("no counter")
    return name.name


class Handle:
    """The common part of sockets. `sock` is None once the descriptor is closed."""

    __slots__ = (
        "__weakref__", "session", "syscalls", "ident", "module", "name", "owner", "sock", "state",
        "accepted", "interest", "active", "active_count", "as_list", "controls",
        "read_packets", "buffer", "buffer_set", "exit_on_close",
        "high_watermark", "low_watermark", "high_msgq_watermark", "low_msgq_watermark", "as_port", "debug",
        "delay_send", "header", "line_delimiter", "netns", "marked", "read_ahead", "exclusiveaddruse",
        "packet", "packet_size", "send_timeout", "send_timeout_close", "show_econnreset", "recv_oct",
        "recv_cnt", "recv_max", "recv_avg", "recv_dvi", "send_oct", "send_cnt", "send_max",
    )  # fmt: skip

    kind: ClassVar[str]
    survives: ClassVar[bool] = False  # a bug in a socket's code ends the socket
    protocol: ClassVar[str] = "tcp"  # the first word of messages
    ops: ClassVar[dict[str, Callable[[Any, bytes, Any], None]]] = {}

    active: int
    as_list: bool
    buffer: int
    exit_on_close: bool
    as_port: bool
    delay_send: bool
    header: int
    line_delimiter: int
    netns: bytes | None
    read_ahead: bool
    high_watermark: int
    low_watermark: int
    high_msgq_watermark: int
    low_msgq_watermark: int
    packet: PacketType
    packet_size: int
    read_packets: int
    send_timeout: int | None
    send_timeout_close: bool
    show_econnreset: bool

    def __init__(
        self, session: Session, module: Atom, owner: Pid, sock: socket.socket, like: Handle | None = None
    ) -> None:
        """`like`: the listener whose options this socket starts with."""
        self.session = session
        self.syscalls = session.syscalls
        self.module = module
        self.owner = owner
        self.sock: socket.socket | None = sock
        self.accepted = like is not None
        self.state = OPEN
        self.interest = 0
        self.ident, self.name = session.new_name(module)
        if like is None:
            for attribute, value in options.DEFAULTS.items():
                setattr(self, attribute, value)
            self.buffer = session.default_buffer
        else:
            for attribute, value in options.DEFAULTS.items():
                setattr(
                    self, attribute, getattr(like, attribute) if attribute in options.INHERITED else value
                )
        self.active_count = 0
        self.controls = 0
        self.buffer_set = False
        self.marked = False
        self.recv_oct = self.recv_cnt = self.recv_max = 0
        self.send_oct = self.send_cnt = self.send_max = 0
        self.recv_avg = self.recv_dvi = 0.0

    def __repr__(self) -> str:
        return f"<{self.kind} {self.ident}>"

    def rename(self, name: bytes) -> None:
        """The node has another name, and so has the socket on the wire."""
        self.name = name

    # --- readiness ---

    def want(self, events: int) -> None:
        """Sets what `on_ready` is to be called for; 0 for nothing."""
        if events == self.interest or self.sock is None:
            return
        poller = self.session.poller
        descriptor = self.sock.fileno()
        if not self.interest:
            poller.add(descriptor, events, self)
        elif events:
            poller.change(descriptor, events)
        else:
            poller.remove(descriptor)
        self.interest = events

    def on_ready(self, events: int) -> None:
        raise NotImplementedError

    def close_descriptor(self) -> None:
        """Closes the descriptor; the handle goes on answering."""
        if self.sock is not None:
            self.want(0)
            self.syscalls.close(self.sock)
            self.sock = None
        self.state = CLOSED

    # --- options ---

    def set_system_option(self, level: int, constant: int, value: int | bytes) -> bool:
        """setsockopt(2). False when the system refuses; a closed descriptor takes all."""
        if (level, constant) == _TOS:
            return self._set_tos(value)
        if self.sock is not None:
            try:
                self.syscalls.setsockopt(self.sock, level, constant, value)
            except OSError:
                return False
        return True

    def _set_tos(self, value: int | bytes) -> bool:
        """Linux makes a priority of the type of service. It stays what it was, as in inet_drv."""
        if self.sock is None:
            return True
        try:
            priority = self.syscalls.getsockopt(self.sock, *_PRIORITY)
            self.syscalls.setsockopt(self.sock, *_TOS, value)
        except OSError:
            return False
        self.set_system_option(*_PRIORITY, priority)
        return True

    def family(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX. Raises OSError on a closed descriptor."""
        if self.sock is None:
            raise OSError("closed")
        return self.sock.family

    def get_system_option(self, level: int, constant: int, size: int) -> object:
        """getsockopt(2): an int, or `size` bytes where a size is given. Raises OSError."""
        if self.sock is None:
            raise OSError("closed")
        return self.syscalls.getsockopt(self.sock, level, constant, size)  # type: ignore[call-arg]

    def set_active(self, mode: int, increment: int) -> None:
        """Sets the active mode. What follows from it comes in `settle`."""
        if mode != MULTI:
            return self.change_active(mode, 0)
        changed = add_count(self.active_count, increment)
        if changed is None:
            raise options.OptionError("active count out of range")
        mode, count = changed
        self.change_active(mode, count)
        if self.active == PASSIVE:
            self.tell(f"{self.protocol}_passive")

    def change_active(self, mode: int, count: int) -> None:
        if (mode != PASSIVE) != (self.active != PASSIVE):
            self.session.note(messages.build_active(self.ident, mode != PASSIVE))
        self.active = mode
        self.active_count = count

    def settle(self, old_active: int, old_packet: PacketType) -> None:
        """Does what a change of options brings about: reads, delivers, or stops."""

    def op_setopts(self, ref: bytes, args: Any) -> None:
        old_active, old_packet = self.active, self.packet
        try:
            options.apply(self, options.parse_settings(args))
        except ValueError:
            return self.session.reply(ref, build_error("einval"))
        self.settle(old_active, old_packet)
        self.reply_settled(ref)

    def reply_settled(self, ref: bytes) -> None:
        """`ok`, when `settle` has done all that the change brings about."""
        self.session.reply(ref, OK)

    def op_getopts(self, ref: bytes, args: Any) -> None:
        try:
            answer = options.get(self, args)
        except ValueError as error:
            return self.session.reply(ref, _refusal(error))
        self.session.reply(ref, build_ok(encode_body(answer)))

    # --- names and counters ---

    def op_sockname(self, ref: bytes, _args: Any) -> None:
        self.reply_address(ref, self.syscalls.getsockname)

    def op_peername(self, ref: bytes, _args: Any) -> None:
        self.session.reply(ref, build_error("enotconn"))

    def op_family(self, ref: bytes, _args: Any) -> None:
        try:
            name = FAMILY_NAMES[self.family()]
        except OSError:
            return self.session.reply(ref, build_error("closed"))
        self.session.reply(ref, build_ok(encode_body(Atom(name))))

    def op_socknames(self, ref: bytes, _args: Any) -> None:
        self._reply_addresses(ref, self.syscalls.getsockname)

    def op_peernames(self, ref: bytes, _args: Any) -> None:
        self._reply_addresses(ref, self.syscalls.getpeername)

    def _reply_addresses(self, ref: bytes, ask: Callable[[socket.socket], Any]) -> None:
        """Of all addresses there are more than one in SCTP only."""
        if self.sock is None:
            return self.session.reply(ref, build_error("exbadport"))
        try:
            address = self._address(ask)
        except OSError as error:
            return self.session.reply(ref, build_error(posix_name(error)))
        self.session.reply(ref, build_ok(encode_body([address])))

    def reply_address(self, ref: bytes, ask: Callable[[socket.socket], Any]) -> None:
        try:
            address = self._address(ask)
        except OSError as error:
            return self.session.reply(ref, build_error(posix_name(error)))
        self.session.reply(ref, build_ok(encode_body(address)))

    def _address(self, ask: Callable[[socket.socket], Any]) -> object:
        if self.sock is None:
            raise OSError(9, "closed")
        return build_address(ask(self.sock))

    def op_getstat(self, ref: bytes, args: Any) -> None:
        try:
            answer = [(name, self._counter(_statistic(name))) for name in options.elements(args)]
        except ValueError as error:
            return self.session.reply(ref, _refusal(error))
        self.session.reply(ref, build_ok(encode_body(answer)))

    def _counter(self, name: str) -> int:
        return abs(int(getattr(self, name)))

    @property
    def send_pend(self) -> int:
        """Bytes that wait to be sent."""
        return 0

    @property
    def send_avg(self) -> float:
        return self.send_oct / self.send_cnt if self.send_cnt else 0.0

    def count_received(self, size: int) -> None:
        count = self.recv_cnt = self.recv_cnt + 1
        self.recv_oct += size
        if size > self.recv_max:
            self.recv_max = size
        self.recv_avg += (size - self.recv_avg) / count
        self.recv_dvi += (size - self.recv_avg - self.recv_dvi) / count

    def count_sent(self, size: int) -> None:
        self.send_cnt += 1
        self.send_oct += size
        if size > self.send_max:
            self.send_max = size

    def op_info(self, ref: bytes, _args: Any) -> None:
        """`{ok, {States, Owner, Watched, Counters}}`; the states are those of prim_inet:getstatus/1."""
        outward = self.session.outward
        states = [Atom(name) for name in self.states()]
        owner, *watched = (Pid(outward(pid.raw)) for pid in (self.owner, *self.watched()))
        counters = {Atom(name): self._counter(name) for name in _STATISTICS}
        self.session.reply(ref, build_ok(encode_body((states, owner, watched, counters))))

    def watched(self) -> list[Pid]:
        """The processes, besides the owner, whose ends this socket wants to know."""
        return []

    def states(self) -> tuple[str, ...]:
        return _STATES[self.state]

    # --- the owner ---

    def tell(self, name: str, body: bytes | None = None) -> None:
        """Sends the owner `{Name, Socket}` or `{Name, Socket, Body}`."""
        self.session.send(self.owner.raw, build_event(name, self.name, body))

    def op_controlling_process(self, ref: bytes, args: Any) -> None:
        """First step of two: stops delivery, so that the caller can move its messages.

        Answers `transfer`, and the caller goes on with `take_over`; see
        `inet:tcp_controlling_process/2` for the rules.
        """
        caller, owner = args
        if owner == self.owner:
            return self.session.reply(ref, OK)
        if caller != self.owner:
            return self.session.reply(ref, build_error("not_owner"))
        mode, count = self.active, self.active_count
        if mode != PASSIVE:
            packet = self.packet
            self.change_active(PASSIVE, 0)
            self.settle(mode, packet)
        self.session.reply(ref, encode_body((Atom("transfer"), mode, count)))

    def op_take_over(self, ref: bytes, args: Any) -> None:
        """Second step: the new owner, and the active mode as it was."""
        owner, mode, count = args
        self.session.unwatch(self.owner, self)
        self.owner = owner
        self.session.watch(owner, self)
        self.session.note(messages.build_owner(self.ident, self.session.outward(owner.raw)))
        if mode != PASSIVE:
            old = self.active
            try:
                self.set_active(mode, count)
            except options.Ended:
                pass
            self.settle(old, self.packet)
        self.reply_settled(ref)

    def on_down(self, _pid: Pid) -> None:
        """The owner has died."""
        self.terminate()

    # --- ends ---

    def op_close(self, ref: bytes, _args: Any) -> None:
        self.terminate()
        self.session.reply(ref, OK)

    def terminate(self) -> None:
        """The end of the handle: nothing answers for it any more."""
        if self.session.forget(self):
            self.close_descriptor()

    def fail(self, error: Exception) -> None:
        """The end after a bug, at any point of any method: see `bugs`.

        Callers get `{error, {inetpy, exception, _}}`; the owner of an active socket gets an error
        and the end. Each step is taken, whatever the one before came to.
        """
        self.session.fail_callers(self, error)
        for step in (self._tell_failure, self.terminate, self._drop_descriptor):
            try:
                step()
            except Exception:
                log.exception("while %r was ended", self)

    def _tell_failure(self) -> None:
        if self.active != PASSIVE and self.kind != "listener" and self.ident in self.session.sockets:
            self.tell(f"{self.protocol}_error", encode_body(Atom("inetpy_exception")))
            self.tell(f"{self.protocol}_closed")

    def _drop_descriptor(self) -> None:
        """Closes the descriptor past all rules, if `terminate` has not."""
        self.session.sockets.pop(self.ident, None)
        sock, self.sock = self.sock, None
        if sock is not None:
            self.session.poller.forget(sock.fileno())
            sock.close()

    def lingers_not(self) -> bool:
        """Whether the option linger is `{true, 0}`: what is not sent is dropped."""
        try:
            value = self.get_system_option(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        except OSError:
            return False
        return value == _LINGER_NOW

    # --- what a socket that is no connection answers ---

    def op_not_connected(self, ref: bytes, _args: Any) -> None:
        self.session.reply(ref, build_error("enotconn"))

    def op_invalid(self, ref: bytes, _args: Any) -> None:
        self.session.reply(ref, build_error("einval"))


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
