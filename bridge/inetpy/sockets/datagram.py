"""A datagram socket: the rules of inet_drv for UDP, and for unix sockets of datagrams.

Receiving. Datagrams are read from the system only when somebody is to have them: an
active owner, up to `read_packets` of them in a turn, or one caller in recv. What a turn
reads goes to the owner in one frame. A datagram longer than `buffer` is cut.

Sending. A datagram goes at once, or its sender is told why not: `eagain` when the system has
no room for it.

Errors of the network (a connected peer that refuses) are an answer, or `udp_error`; the
socket goes on.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from .. import addresses, options
from ..active import MULTI, PASSIVE, after_delivery
from ..addresses import Sender, Sockaddr
from ..errors import posix_name
from ..etf import encode_body
from ..messages import (
    OK,
    build_address,
    build_data,
    build_error,
    build_event,
    build_ok,
    build_port_data,
    build_raise,
)
from ..packet import PacketType
from ..syscalls import READ, WRITE
from ..terms import Atom, Pid
from ..waiting import Waiting
from .handle import CLOSED, Handle

if TYPE_CHECKING:
    from ..session import Session

__all__ = ["Datagram"]

CONTROL_SPACE = 256  # bytes for control messages: three integers, with room

_CONNECTED = Atom("connected")
# Where a datagram goes when nobody said where (prim_inet:sendto/4 to `{any, 0}`).
_NOWHERE: dict[int, Sockaddr] = {
    socket.AF_INET: ("0.0.0.0", 0),  # noqa: S104
    socket.AF_INET6: ("::", 0, 0, 0),
    socket.AF_UNIX: b"",
}
_TUPLE3, _TUPLE4 = b"h\3", b"h\4"


class Datagram(Handle):
    """See the module. `peer` is where it is connected to, or None."""

    __slots__ = (
        "last_address", "last_term", "peer", "receiver", "udp_heads",
    )  # fmt: skip

    kind: ClassVar[str] = "datagram"
    protocol: ClassVar[str] = "udp"

    def __init__(self, session: Session, module: Atom, owner: Pid, sock: socket.socket) -> None:
        super().__init__(session, module, owner, sock)
        self.peer: Sockaddr | None = None
        self.last_term: Any = None
        self.last_address: Sockaddr | None = None
        self.receiver: Waiting | None = None  # the caller in recv
        self.rename(self.name)

    def rename(self, name: bytes) -> None:
        super().rename(name)
        # {udp, Socket, ...} with five elements, and with six.
        head = build_event("udp", name)[2:]
        self.udp_heads = (b"h\5" + head, b"h\6" + head)

    def start(self) -> None:
        """All options are set, and it is bound."""
        if self.active != PASSIVE:
            self.want(READ)

    # --- connecting ---

    def op_connect(self, ref: bytes, args: Any) -> None:
        """{Ip, Port}, a path or a sockaddr: sets the peer (packet_inet_ctl, INET_REQ_CONNECT)."""
        assert self.sock is not None
        try:
            address = self._parse_destination(args)
        except ValueError:
            return self.session.reply(ref, build_raise("error", "function_clause"))
        except OSError as error:
            return self.session.reply(ref, build_error(posix_name(error)))
        try:
            if self.peer is not None:
                # Linux would keep the source address of the old association.
                self._dissolve()
            self.syscalls.connect(self.sock, address)
        except OSError as error:
            self._dissolve()
            return self.session.reply(ref, build_error(posix_name(error)))
        self.peer = address
        self.session.reply(ref, OK)

    def _dissolve(self) -> None:
        assert self.sock is not None
        self.peer = None
        self.syscalls.disconnect(self.sock)

    def _parse_destination(self, term: Any) -> Sockaddr:
        assert self.sock is not None
        return addresses.parse_destination(term, self.sock.family)

    # --- sending ---

    def op_sendto(self, ref: bytes, args: Any) -> None:
        """{Destination, AncillaryData, Data}; a connected socket takes no notice of the first.

        `connected` stands for the peer.
        """
        destination, ancillary, data = args
        sock = self.sock
        assert sock is not None
        try:
            if destination != self.last_term:
                self._look_at(destination)
            address = self.last_address
            control = options.build_control(ancillary) if ancillary != [] else None
            if self.peer is not None:
                address = None
            elif address is None:
                address = _NOWHERE[sock.family]
            self.count_sent(len(data))
            if control:
                self.syscalls.sendmsg(sock, [data], control, 0, address)
            elif address is None:
                self.syscalls.send(sock, data)
            else:
                self.syscalls.sendto(sock, data, address)
        except OSError as error:
            self.session.reply(ref, build_error(posix_name(error)))
        except options.OptionError:
            self.session.reply(ref, build_error("einval"))
        except ValueError:
            self.session.reply(ref, build_raise("error", "function_clause"))
        else:
            self.session.reply(ref, OK)

    def _look_at(self, destination: Any) -> None:
        """Most datagrams go where the one before went."""
        self.last_address = None if destination == _CONNECTED else self._parse_destination(destination)
        self.last_term = destination

    # --- receiving ---

    def op_recv(self, ref: bytes, args: Any) -> None:
        """{Length, Timeout}; the length has no meaning."""
        _, given = args
        timeout = self.session.remaining(given)
        if timeout is None:
            return self.session.reply(ref, build_error("timeout"))
        if self.active != PASSIVE:
            return self.session.reply(ref, build_error("einval"))
        if self.receiver is not None:
            return self.session.reply(ref, build_error("ealready"))
        self.receiver = Waiting(self.session, self, ref)
        if self._receive_one():
            return
        if timeout >= 0:
            self.receiver.timer = self.session.after(timeout, self._on_recv_timeout)
        self.want(self.interest | READ)

    def _on_recv_timeout(self) -> None:
        if self.active == PASSIVE:
            self.want(self.interest & ~READ)
        elif self.session.before_28:
            return  # it has lost its timeout to the active mode, as in packet_inet_timeout
        self._answer_recv(build_error("timeout"))

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
                self.want(self.interest & ~READ)
            else:
                self._receive_many()
        elif self.receiver is None:
            self.want(self.interest & ~READ)
        elif self.receiver.overdue:
            self._on_recv_timeout()  # its caller has gone: a datagram for it would be lost
        else:
            self._receive_one()

    def resume(self) -> None:
        """The session takes messages again: see `pause` there."""
        if self.active != PASSIVE:
            self.want(self.interest | READ)

    def _receive_one(self) -> bool:
        """For the caller in recv. False when there is nothing."""
        try:
            received = self._read()
        except BlockingIOError:
            return False
        except OSError as error:
            self._answer_recv(build_error(posix_name(error)))
            return True
        arity, body = self._body(*received)
        self._answer_recv(build_ok((_TUPLE3, _TUPLE4)[arity - 3] + body))
        return True

    def _receive_many(self) -> None:
        """For the owner of an active socket: all that may be read in one turn."""
        bodies: list[bytes] = []
        passive = False
        for _ in range(max(self.read_packets, 1)):
            try:
                received = self._read()
            except BlockingIOError:
                break
            except OSError as error:
                bodies.append(build_event("udp_error", self.name, encode_body(Atom(posix_name(error)))))
                break
            bodies.append(self._message(*received))
            mode, count = after_delivery(self.active, self.active_count)
            if mode != self.active:
                passive = self.active == MULTI
                self.change_active(mode, count)
                break
            self.active_count = count
        if passive:
            bodies.append(build_event("udp_passive", self.name))
        if self.active == PASSIVE:
            self.want(self.interest & ~READ)
        self.session.send_all(self.owner.raw, bodies)

    def _read(self) -> tuple[bytes, Any, list[Any] | None]:
        """(data, sender, control messages or None). Raises OSError."""
        sock = self.sock
        assert sock is not None
        if self.controls:
            data, control, _, sender = self.syscalls.recvmsg(sock, self.buffer, CONTROL_SPACE)
            return data, sender, control
        if self.peer is not None:
            return self.syscalls.recv(sock, self.buffer), self.peer, None
        data, sender = self.syscalls.recvfrom(sock, self.buffer)
        return data, sender, None

    def _body(self, data: bytes, sender: Any, control: list[Any] | None) -> tuple[int, bytes]:
        """How many elements tell of a datagram: address, port, control, data; and they."""
        self.count_received(len(data))
        payload = build_data(data, self.as_list, self.header)
        if control is None:
            return 3, _sender(sender) + payload
        return 4, _sender(sender) + encode_body(options.parse_messages(control)) + payload

    def _message(self, data: bytes, sender: Any, control: list[Any] | None) -> bytes:
        if self.as_port:
            self.count_received(len(data))
            whole = addresses.pack_address(sender) + data
            return build_port_data(self.name) + build_data(whole, self.as_list, self.header)
        arity, body = self._body(data, sender, control)
        return self.udp_heads[arity - 3] + body

    # --- options ---

    def settle(self, old_active: int, _old_packet: PacketType) -> None:
        if self.sock is None or self.active == old_active:
            return
        if self.active != PASSIVE:
            self.want(self.interest | READ)
        else:
            self.want(self.interest & ~READ)

    # --- names ---

    def op_peername(self, ref: bytes, args: Any) -> None:
        if self.peer is None:
            return super().op_peername(ref, args)
        self.reply_address(ref, self.syscalls.getpeername)

    def states(self) -> tuple[str, ...]:
        connected = ("connected",) if self.peer is not None and self.state != CLOSED else ()
        return connected + super().states()

    # --- ends ---

    def terminate(self) -> None:
        super().terminate()
        self._answer_recv(build_error("closed"))


@lru_cache(maxsize=1024)
def _sender(address: Sender) -> bytes:
    """The elements Address and Port of a message: of few senders come most datagrams."""
    return build_address(address)


Datagram.ops = Handle.ops | {
    "connect": Datagram.op_connect,
    "peername": Datagram.op_peername,
    "recv": Datagram.op_recv,
    "sendto": Datagram.op_sendto,
}
