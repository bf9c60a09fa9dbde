"""A datagram socket: the rules of inet_drv for UDP, and for unix sockets of datagrams.

Receiving. Datagrams are read from the system for an active owner, up to `read_packets` of them in a
turn, or for one caller in recv. The datagrams of a turn go to the owner in one frame. A datagram longer
than `buffer` is cut.

Sending. A datagram is sent at once, or refused: `eagain` means that the system has no room for it.

Errors of the network (a connected peer that refuses) are an answer, or `udp_error`; the
socket goes on.
"""

from __future__ import annotations

import logging
import socket
from functools import lru_cache
from typing import Any, ClassVar

from .. import options
from ..codec.etf import encode_body
from ..codec.show import shown
from ..codec.terms import Atom, Pid
from ..host.api import READ, WRITE, Socket
from ..names import addresses
from ..names.addresses import Sender, Sockaddr
from ..packet import PacketType
from ..session.session import Session
from ..session.waiting import Waiting
from ..wire.active import MULTI, ONCE, PASSIVE, after_delivery
from ..wire.messages import (
    OK,
    build_address,
    build_data,
    build_error,
    build_event,
    build_ok,
    build_port_data,
    build_raise,
)
from ..wire.mode import SENDS
from ..wire.requests import ConnectPeer, Peername, Recv, Sendto, Setopts
from . import early
from .handle import CLOSED, Handle

__all__ = ["Datagram"]

log = logging.getLogger(__name__)

MAX_TURN = 256  # datagrams of one socket in a turn: others get theirs in between
MORE_OFTEN = -8  # sends, behind one that was refused, until their number counts for `early` again
CONTROL_SPACE = 256  # bytes for control messages: three integers, with room

_CONNECTED = Atom("connected")
# The destination of a datagram without one (prim_inet:sendto/4 to `{any, 0}`).
_NOWHERE: dict[int, Sockaddr] = {
    socket.AF_INET: ("0.0.0.0", 0),  # noqa: S104
    socket.AF_INET6: ("::", 0, 0, 0),
    socket.AF_UNIX: b"",
}
_TUPLE3, _TUPLE4 = b"h\3", b"h\4"


class Datagram(Handle):
    """See the module. `peer` is where it is connected to, or None."""

    __slots__ = (
        "early_term", "last_address", "last_term", "late_error", "peer", "receiver", "udp_heads", "untried",
    )  # fmt: skip

    kind: ClassVar[str] = "datagram"
    table = options.DATAGRAM
    protocol: ClassVar[str] = "udp"
    early_request: ClassVar[type] = tuple  # (destination, data)

    def __init__(self, session: Session, module: Atom, owner: Pid, sock: Socket) -> None:
        super().__init__(session, module, owner, sock)
        self.peer: Sockaddr | None = None
        self.last_term: Any = None
        self.last_address: Sockaddr | None = None
        self.early_term: Any = None  # the destination to which callers may send without an answer
        self.late_error: OSError | None = None  # of such a send, for the next call
        self.receiver: Waiting | None = None  # the caller in recv
        self.untried = False  # it has left the first look to the poller
        self.rename(self.name)

    def rename(self, name: bytes) -> None:
        super().rename(name)
        # {udp, Socket, ...} with five elements, and with six.
        head = build_event("udp", name)[2:]
        self.udp_heads = (b"h\5" + head, b"h\6" + head)

    def adopt(self) -> None:
        """All options are set, and it is bound."""
        if self.active != PASSIVE:
            self.set_interest(READ)

    # --- connecting ---

    def op_connect(self, ref: bytes, request: ConnectPeer) -> None:
        """{Ip, Port}, a path or a sockaddr: sets the peer (packet_inet_ctl, INET_REQ_CONNECT)."""
        assert self.sock is not None
        try:
            address = self._parse_destination(request.address)
        except ValueError:
            return self.session.answer(ref, build_raise("error", "function_clause"))
        except OSError as error:
            return self.session.answer(ref, build_error(self.session.posix_name(error)))
        try:
            if self.peer is not None:
                # Linux would keep the source address of the old association.
                self._disconnect()
            self.sock.connect(address)
        except OSError as error:
            self._disconnect()
            return self.session.answer(ref, build_error(self.session.posix_name(error)))
        self.peer = address
        self.session.answer(ref, OK)

    def _disconnect(self) -> None:
        assert self.sock is not None
        self.peer = None
        self.session.host.disconnect(self.sock)

    def _parse_destination(self, term: Any) -> Sockaddr:
        assert self.sock is not None
        return addresses.parse_destination(term, self.sock.family)

    # --- sending ---

    def op_sendto(self, ref: bytes, request: Sendto) -> None:
        """A connected socket takes no notice of the destination.

        `connected` stands for the peer.
        """
        destination, ancillary, data = request
        try:
            self._raise_late_error()
            self._send(destination, ancillary, data)
        except OSError as error:
            self._refused()
            self.session.answer(ref, build_error(self.session.posix_name(error)))
        except options.OptionError:
            self.session.answer(ref, build_error("einval"))
        except ValueError:
            self.session.answer(ref, build_raise("error", "function_clause"))
        else:
            if ancillary == [] and destination != self.early_term:
                self._repeated(destination)
            elif ancillary == [] and len(data) <= early.LARGEST:
                return early.answer(self, ref)
            self.session.answer(ref, OK)

    def _send(self, destination: Any, ancillary: Any, data: bytes | memoryview) -> None:
        """Raises OSError, OptionError or ValueError."""
        sock = self.sock
        assert sock is not None
        before = self.last_term
        if destination != before:
            self._parse_cached(destination)
            self.repeats = 0
        address = self.last_address
        control = self._control(ancillary) if ancillary != [] else None
        if self.peer is not None:
            address = None
        elif address is None:
            address = _NOWHERE[sock.family]
        self.counters.sent(len(data))
        if control:
            sock.sendmsg([data], control, 0, address)
        elif address is None:
            sock.send(data)
        else:
            sock.sendto(data, address)

    # --- sending without an answer: see `early` ---

    def _repeated(self, destination: Any) -> None:
        """A datagram has gone where the one before went."""
        self.repeats += 1
        if early.may_send(self):
            self.early_term = destination
            self.early |= SENDS
            mode = self.early | (self.active != PASSIVE)
            self.session.link.mode_to(self.ident, mode, encode_body(destination))

    def set_early(self, early: int) -> None:
        if not early & SENDS:
            self.early_term = None
        super().set_early(early)

    def may_send_early(self) -> bool:
        return self.late_error is None

    def may_ask_once(self) -> bool:
        return self.sock is not None

    def send_early(self, requests: list[Any]) -> None:
        """Datagrams whose senders have had their answer."""
        for request in requests:
            try:
                destination, data = request
                self._send(destination, [], data)
            except OSError as error:
                self.late_error = error
                self._refused()
            except (TypeError, ValueError):
                log.warning("not an early request: %s", shown(request))

    def _refused(self) -> None:
        """More of that may come, so senders wait again: they are to hear of it."""
        self.repeats = MORE_OFTEN
        self.set_early(self.early & ~SENDS)

    def _raise_late_error(self) -> None:
        error, self.late_error = self.late_error, None
        if error is not None:
            raise error

    def ask_once(self) -> None:
        """`{active, once}`, which has been answered."""
        old_active = self.active
        self.set_active(ONCE, 0)
        self.on_options(old_active, self.options.packet)

    def op_setopts(self, ref: bytes, request: Setopts) -> None:
        if early.asks_once_again(self, request.options):
            self.ask_once()
            return early.answer(self, ref)
        super().op_setopts(ref, request)
        if request.options == early.ASKS_ONCE:
            self.repeats += 1
            early.after_once(self)

    def _control(self, ancillary: object) -> list[options.ControlMessage]:
        return options.build_control(options.parse_settings(self.table, ancillary))

    def _parse_cached(self, destination: Any) -> None:
        """Most datagrams go where the one before went."""
        self.last_address = None if destination == _CONNECTED else self._parse_destination(destination)
        self.last_term = destination

    # --- receiving ---

    def op_recv(self, ref: bytes, request: Recv) -> None:
        if self.active != PASSIVE:
            return self.session.answer(ref, build_error("einval"))
        if self.receiver is not None and not self.receiver.expire():
            return self.session.answer(ref, build_error("ealready"))
        try:
            self._raise_late_error()
        except OSError as error:
            return self.session.answer(ref, build_error(self.session.posix_name(error)))
        # While there is interest in reading, the last look has found nothing, and the next one tells.
        self.untried = bool(request.timeout and self.interest & READ)
        body = None if self.untried else self._receive_one()
        if body is not None:
            return self.session.answer(ref, body)
        self.receiver = Waiting(self.session, self, ref, request.timeout, self._on_recv_timeout)
        self.set_interest(self.interest | READ)

    def _on_recv_timeout(self) -> None:
        if self.active == PASSIVE:
            body = self._find_late()
            if body is not None:
                return self._answer_recv(body)
            self.set_interest(self.interest & ~READ)
        elif self.session.before_28:
            return  # it has lost its timeout to the active mode, as in packet_inet_timeout
        self._answer_recv(build_error("timeout"))

    def _find_late(self) -> bytes | None:
        """What was there before the call, where its timer comes before the next look: see `Receiving`."""
        receiver = self.receiver
        if not self.untried or receiver is None or receiver.timer is None or receiver.timer.overdue:
            return None
        return self._receive_one()

    def _answer_recv(self, body: bytes) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.answer(body)

    def on_ready(self, events: int) -> None:
        if not events & ~WRITE or not self.interest & READ:
            return
        if self.active != PASSIVE:
            if self.session.congested:
                self.session.pause(self)
                self.set_interest(self.interest & ~READ)
            else:
                self._receive_many()
        elif self.receiver is None:
            self.set_interest(self.interest & ~READ)
        elif not self.receiver.expire():
            body = self._receive_one()
            if body is not None:
                self._answer_recv(body)

    def resume(self) -> None:
        """The session takes messages again: see `pause` there."""
        if self.active != PASSIVE:
            self.set_interest(self.interest | READ)

    def _receive_one(self) -> bytes | None:
        """The answer for a caller in recv. None when there is nothing."""
        try:
            received = self._read()
        except BlockingIOError:
            return None
        except OSError as error:
            self._refused()
            return build_error(self.session.posix_name(error))
        arity, body = self._body(*received)
        return build_ok((_TUPLE3, _TUPLE4)[arity - 3] + body)

    def _receive_many(self) -> None:
        """For the owner of an active socket: all that may be read in one turn."""
        bodies: list[bytes] = []
        passive = False
        for _ in range(min(max(self.options.read_packets, 1), MAX_TURN)):
            try:
                received = self._read()
            except BlockingIOError:
                break
            except OSError as error:
                self._refused()
                bodies.append(
                    build_event("udp_error", self.name, encode_body(Atom(self.session.posix_name(error))))
                )
                break
            bodies.append(self._message(*received))
            mode, count = after_delivery(self.active, self.active_count)
            if mode != self.active:
                passive = self.active == MULTI
                was = self.active
                self.change_active(mode, count)
                if was == ONCE:
                    early.after_once(self)
                break
            self.active_count = count
        if passive:
            bodies.append(build_event("udp_passive", self.name))
        if self.active == PASSIVE:
            self.set_interest(self.interest & ~READ)
        self.session.link.tell_all(self.owner.raw, bodies)

    def _read(self) -> tuple[bytes, Any, list[Any] | None]:
        """(data, sender, control messages or None). Raises OSError."""
        sock = self.sock
        assert sock is not None
        if self.options.controls:
            data, control, _, sender = sock.recvmsg(self.options.buffer, CONTROL_SPACE)
            return data, sender, control
        if self.peer is not None:
            return sock.recv(self.options.buffer), self.peer, None
        data, sender = sock.recvfrom(self.options.buffer)
        return data, sender, None

    def _body(self, data: bytes, sender: Any, control: list[Any] | None) -> tuple[int, bytes]:
        """The elements of a datagram (address, port, control, data): their number, and their encoding."""
        self.counters.received(len(data))
        payload = build_data(data, self.options.as_list, self.options.header)
        if control is None:
            return 3, _sender(sender) + payload
        return 4, _sender(sender) + encode_body(options.parse_messages(control)) + payload

    def _message(self, data: bytes, sender: Any, control: list[Any] | None) -> bytes:
        if self.options.as_port:
            self.counters.received(len(data))
            whole = addresses.pack_address(sender) + data
            return build_port_data(self.name) + build_data(whole, self.options.as_list, self.options.header)
        arity, body = self._body(data, sender, control)
        return self.udp_heads[arity - 3] + body

    # --- options ---

    def on_options(self, old_active: int, _old_packet: PacketType) -> None:
        if self.sock is None or self.active == old_active:
            return
        if self.active != PASSIVE:
            self.set_interest(self.interest | READ)
        else:
            self.set_interest(self.interest & ~READ)

    # --- names ---

    def op_peername(self, ref: bytes, request: Peername) -> None:
        if self.peer is None:
            return super().op_peername(ref, request)
        self.answer_address(ref, peer=True)

    def states(self) -> tuple[str, ...]:
        connected = ("connected",) if self.peer is not None and self.state != CLOSED else ()
        return connected + super().states()

    # --- ends ---

    def terminate(self) -> None:
        super().terminate()
        self._answer_recv(build_error("closed"))


@lru_cache(maxsize=1024)
def _sender(address: Sender) -> bytes:
    """The elements Address and Port of a message. Most datagrams come from few senders."""
    return build_address(address)


Datagram.ops = Handle.ops | {
    "connect": Datagram.op_connect,
    "peername": Datagram.op_peername,
    "recv": Datagram.op_recv,
    "sendto": Datagram.op_sendto,
    "setopts": Datagram.op_setopts,
}
