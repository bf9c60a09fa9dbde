"""Packets that have come whole go to a caller in recv, or to the owner.

Where inet_drv surprises, it is followed: its users know it. A recv that waits while the socket is
made active loses its timeout to the first message (`_to_owner`), and an unfinished packet keeps its
length when the type of packets changes (`on_options`), before OTP 28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...codec.etf import encode_body
from ...fast import LARGE
from ...packet import RAW, PacketType
from ...session.waiting import Waiting
from ...wire.active import MULTI, ONCE, PASSIVE, after_delivery
from ...wire.messages import (
    build_binary_head,
    build_data,
    build_event,
    build_ok,
    build_port_data,
    build_record,
)
from .. import early
from ..handle import CONNECTED
from .part import Part

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Delivery"]

MAX_DELIVERIES = 4  # packets of one socket in a turn: others get theirs in between


class Delivery(Part):
    """The way of packets to the user of a socket.

    A buffer can hold many packets. After four of them the other sockets get their turn, and the rest
    `waits`. Callers whose answers belong behind these messages wait in `_behind`.
    """

    __slots__ = ("_behind", "_head", "waits")

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.waits = False
        self._behind: list[tuple[Waiting, bytes]] | None = None
        self._head = b""

    def rename(self, name: bytes) -> None:
        """The beginning of `{tcp, Socket, Data}` is the same for every packet."""
        self._head = build_event("tcp", name, b"")

    def is_plain(self) -> bool:
        """Whether packets are bytes as they come."""
        options = self.stream.options
        return options.packet is RAW and not (options.as_list or options.header or options.as_port)

    # --- from the buffer ---

    def deliver(self, length: int) -> bool:
        """Hands out the packet of `length` at the start of the buffer.

        And those behind it, while the socket is active. False when a bad one comes next, which
        is told when reading goes on.
        """
        stream = self.stream
        inbox, wanted = stream.receiving.inbox, 0
        for _ in range(MAX_DELIVERIES):
            if length <= 0:
                return wanted >= 0
            stream.counters.received(length)
            self.hand_out(inbox.take(length))
            if stream.active == PASSIVE or inbox.data is None:
                return True
            wanted, length = inbox.look(stream.options)
        if not self.waits:
            self.waits = True
            stream.session.in_turn(self.on_turn)
        return wanted >= 0

    def deliver_buffered(self) -> None:
        """Hands out what is whole in the buffer, without reading (tcp_deliver with 0)."""
        inbox = self.stream.receiving.inbox
        if inbox.data is not None and not inbox.missing:
            self.deliver(inbox.look(self.stream.options)[1])

    def on_turn(self) -> None:
        """The next packets: the other sockets have had their turn, or `finish` does not wait for them."""
        if not self.waits:
            return  # the socket has ended meanwhile
        if self.stream.session.congested:
            return self.stream.session.pause(self.stream)
        self._next_turn()

    def finish(self) -> None:
        """Hands out at once what waits for its turn: inet_drv has handed it out already."""
        stream = self.stream
        while self.waits and stream.active != PASSIVE and stream.state == CONNECTED:
            self._next_turn()

    def _next_turn(self) -> None:
        stream = self.stream
        self.waits = False
        if stream.active != PASSIVE and stream.state == CONNECTED:
            self.deliver_buffered()
        if self.waits:
            return
        if stream.receiving.reading and stream.state == CONNECTED:
            stream.receiving.start()
        self._answer_behind()

    def answer_behind(self, ref: bytes, body: bytes) -> None:
        """An answer that comes behind the messages that wait."""
        session = self.stream.session
        if self.waits:
            self._behind = self._behind or []
            self._behind.append((Waiting(session, self.stream, ref), body))
        else:
            session.answer(ref, body)

    def _answer_behind(self) -> None:
        behind, self._behind = self._behind, None
        for caller, body in behind or ():
            caller.answer(body)

    def end(self) -> None:
        """Nothing is delivered any more."""
        self.waits = False
        self._answer_behind()

    # --- one packet ---

    def hand_out(self, packet: bytes) -> None:
        """A packet goes to the caller in recv, or to the owner (tcp_reply_data)."""
        stream = self.stream
        options = stream.options
        kind = options.packet
        if kind.header:
            packet = packet[kind.header :]
        elif kind.body is not None:
            packet = kind.body(packet)
        if options.as_port:
            # As inet_drv: also when somebody waits in recv, who then waits on. The port of an
            # accepted socket has no binaries.
            body = build_data(packet, options.as_list or stream.accepted, options.header)
            return self._to_owner(build_port_data(stream.name) + body)
        if kind.parse is not None:
            term, options.in_headers = kind.parse(packet, options.in_headers)
            return self._hand_out_term(kind, term)
        if options.as_list or options.header:
            body, tail = build_data(packet, options.as_list, options.header), b""
        elif len(packet) >= LARGE and stream.session.fast.on:
            body, tail = build_binary_head(len(packet)), packet
        else:
            body, tail = build_binary_head(len(packet)) + packet, b""
        if stream.active == PASSIVE:
            self._to_caller(build_ok(body), tail)
        else:
            self._to_owner(self._head + body, tail)

    def _hand_out_term(self, kind: PacketType, term: object) -> None:
        """A packet that is a term: of http `{http, S, Term}`, of ssl `{ssl_tls, S, ...}`."""
        stream = self.stream
        if kind.is_record:
            answer = message = build_record(stream.name, term)
        else:
            answer = encode_body(term)
            message = build_event("http", stream.name, answer)
        if stream.active == PASSIVE:
            self._to_caller(build_ok(answer))
        else:
            self._to_owner(message)

    def _to_caller(self, body: bytes, tail: bytes = b"") -> None:
        receiving = self.stream.receiving
        receiving.reading = False
        receiving.answer(body, tail)

    def _to_owner(self, message: bytes, tail: bytes = b"") -> None:
        """A message, and what it does to the active mode."""
        was = self._use_up()
        self.stream.session.tell(self.stream.owner.raw, message, tail)
        self._end_message(was)

    def forward(self, size: int) -> None:
        """The same with `size` bytes of data that `FastPaths.take` has moved."""
        was = self._use_up()
        message = self._head + build_binary_head(size)
        self.stream.session.fast.forward(self.stream.owner.raw, message, size)
        self._end_message(was)

    def _use_up(self) -> int:
        """A message is about to leave. The active mode before it."""
        stream = self.stream
        was = stream.active
        if was >= ONCE:
            stream.change_active(*after_delivery(was, stream.active_count))
            if was == ONCE:
                early.after_once(stream)
        return was

    def _end_message(self, was: int) -> None:
        stream = self.stream
        if stream.active == PASSIVE:
            stream.receiving.stop()
            stream.receiving.cancel_timer()
            if was == MULTI:
                stream.tell_owner("tcp_passive")

    # --- options ---

    def on_options(self, old_active: int, old_packet: PacketType) -> None:
        """The active mode or the type of packets may have changed: reads, delivers, or stops."""
        stream = self.stream
        receiving, active = stream.receiving, stream.active
        same_packet = stream.options.packet is old_packet
        if stream.state != CONNECTED:
            return
        if old_active == PASSIVE and active >= ONCE and same_packet:
            # With a bad packet next, inet_drv does not wait for input, and tells nobody.
            if receiving.receive(0) and stream.active != PASSIVE and stream.state == CONNECTED:
                receiving.start()
            return
        if active != old_active:
            if active != PASSIVE:
                receiving.start()
            else:
                receiving.stop()
        if active != PASSIVE and (old_active == PASSIVE or not same_packet):
            if old_active != PASSIVE and not stream.session.before_28:
                receiving.inbox.missing = 0  # the length was that of the old type
            self.deliver_buffered()
