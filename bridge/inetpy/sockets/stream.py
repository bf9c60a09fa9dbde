"""A TCP connection: the rules of inet_drv for stream sockets.

Receiving. Bytes are read from the system only when somebody is to have them:
an active owner, or a caller in recv. `inbox` cuts them into packets.

Sending. What the system does not take at once waits in `outbox`. A send that
brings it to the high watermark makes the socket busy: its caller waits for the
low watermark, and later callers wait in `suspended` before they are looked at,
as the emulator suspends them. A large send from the only active caller is answered
before all of it is written (`_send_large`), and many bytes for such a caller do
not pass through this process (`_forward`).

Errors. A connection that fails closes the descriptor; the handle goes on only
on passive sockets. `closed_send` and `closed_recv` let the next send or recv
say `closed` once, before `enotconn`.

Where inet_drv surprises, it is followed: its users know it. A recv that waits
while the socket is made active loses its timeout to the first message
(`_hand_out`), and an unfinished packet keeps its length when the type of
packets changes (`settle`), before OTP 28.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from .. import options
from ..active import MULTI, ONCE, PASSIVE, after_delivery
from ..errors import posix_name
from ..etf import encode_body
from ..framing import LARGE
from ..messages import (
    OK,
    build_binary_head,
    build_data,
    build_error,
    build_event,
    build_ok,
    build_port_data,
    build_record,
)
from ..packet import RAW, PacketType, build_header
from ..packet.buffer import InputBuffer
from ..syscalls import READ, WRITE
from ..terms import Atom, Pid
from ..waiting import Timer, Waiting, failure
from .handle import CLOSED, CONNECTED, CONNECTING, OPEN, Handle
from .late import LateError
from .outbox import FileSend, Outbox, Remote

if TYPE_CHECKING:
    from ..addresses import Sockaddr
    from ..session import Session

__all__ = ["Stream"]

MAX_RECV = 0x4000000  # TCP_MAX_PACKET_SIZE
MAX_READ = 1 << 17  # of one recv(2), where the rest can be read next: see READ_SIZE in stdio
CLOSE_WAIT = 180_000  # ms that close waits for a queue that gets shorter
CLOSE_CHECK = 5_000  # ms in which it must get shorter
FILE_CHUNK = 1 << 20  # of one sendfile(2): others get their turn between two
MAX_OFFSET = (1 << 63) - 1
MAX_DELIVERIES = 64  # packets of one socket in a turn: others get theirs in between
_BEGINNING = 4096  # of a large send: what the system takes of it before its caller gets the answer

_HOW = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "read_write": socket.SHUT_RDWR}


class Stream(Handle):
    """See the module."""

    __slots__ = (
        "inbox", "reading", "receiver", "delivering",
        "outbox", "file", "busy", "suspended", "shutting", "shut",
        "connect_done", "connect_timer", "closers",
        "closed_send", "closed_recv", "closed_told", "reset_hidden", "tcp_head", "in_headers",
    )  # fmt: skip

    kind: ClassVar[str] = "stream"

    def __init__(
        self, session: Session, module: Atom, owner: Pid, sock: socket.socket, like: Handle | None = None
    ) -> None:
        super().__init__(session, module, owner, sock, like)
        self.inbox = InputBuffer()
        self.reading = False
        self.receiver: Waiting | None = None  # the caller in recv
        self.delivering: list[Waiting] | None = None  # see _deliver_in_turn
        self.connect_done: Callable[[str | None], None] | None = None
        self.connect_timer: Timer | None = None
        self.outbox: Outbox | None = None  # always there while a file is sent
        self.file: FileSend | None = None
        self.busy: Waiting | None = None  # the caller in send, above the high watermark
        self.suspended: deque[tuple[Waiting, Any, Remote | None]] | None = None  # callers behind it
        self.shutting: int | None = None
        self.shut = False
        self.closed_send = False
        self.closed_recv = False
        self.reset_hidden = False
        self.closers: list[_Closer] | None = None
        self.closed_told = False
        self.in_headers = False
        self.rename(self.name)

    def rename(self, name: bytes) -> None:
        super().rename(name)
        self.tcp_head = build_event("tcp", name, b"")

    def start(self) -> None:
        """For a descriptor that somebody else opened: goes on where that left off."""
        assert self.sock is not None
        try:
            self.syscalls.getpeername(self.sock)
        except OSError:
            return
        self.state = CONNECTED
        if self.active != PASSIVE:
            self._start_reading()

    def begin(self, listener: Handle) -> None:
        """An accepted connection, whose owner has its name: messages may follow.

        Here inet_drv's Erlang side gives some options of the listener to the new socket
        (prim_inet:accept_opts); most of the system's came with the descriptor.
        """
        if listener.marked:
            priority = listener.get_system_option(socket.SOL_SOCKET, socket.SO_PRIORITY, 0)
            self.set_system_option(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)  # type: ignore[arg-type]
        self.set_active(listener.active, listener.active_count)
        self.settle(0, self.packet)

    # --- connecting ---

    def connect(self, address: Sockaddr, timeout: int, done: Callable[[str | None], None]) -> None:
        """Calls `done` with None when it is there, or with the name of an error when it is gone."""
        assert self.sock is not None
        self.connect_done = done
        try:
            self.syscalls.connect(self.sock, address)
        except BlockingIOError:
            self.state = CONNECTING
            self.want(WRITE)
            if timeout >= 0:
                self.connect_timer = self.session.after(timeout, self._on_connect_timeout)
        except OSError as error:
            self._fail_connect(posix_name(error))
        else:
            self._finish_connect()

    def _on_connect_timeout(self) -> None:
        self.connect_timer = None
        self._fail_connect("timeout")

    def _on_connect_ready(self) -> None:
        assert self.sock is not None
        if self.connect_timer is not None and self.connect_timer.overdue:
            return self._fail_connect("timeout")
        number = self.syscalls.getsockopt(self.sock, socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return self._fail_connect(posix_name(OSError(number, "connect")))
        try:
            self.syscalls.getpeername(self.sock)
        except OSError:
            return  # readiness that was meant for an earlier owner of the descriptor
        self._finish_connect()

    def fail(self, error: Exception) -> None:
        super().fail(error)
        done = self._end_connect()
        if done is not None:
            done("eio")  # a race goes on with another address

    def _drop_descriptor(self) -> None:
        try:
            self._drop_output()
        finally:
            super()._drop_descriptor()

    def _finish_connect(self) -> None:
        done = self._end_connect()
        self.state = CONNECTED
        if self.active != PASSIVE:
            self._start_reading()
        else:
            self.want(0)
        if done is not None:
            done(None)

    def _fail_connect(self, name: str) -> None:
        done = self._end_connect()
        self.terminate()
        if done is not None:
            done(name)

    def _end_connect(self) -> Callable[[str | None], None] | None:
        if self.connect_timer is not None:
            self.connect_timer.cancel()
            self.connect_timer = None
        done, self.connect_done = self.connect_done, None
        return done

    # --- readiness ---

    def on_ready(self, events: int) -> None:
        if self.state == CONNECTING:
            return self._on_connect_ready()
        if events & ~WRITE:
            if self.reading:
                self._on_readable()
            elif self.interest & READ:
                self.want(self.interest & ~READ)
        if events & ~READ and self.interest & WRITE:
            self._write()

    def _on_readable(self) -> None:
        if self.delivering is not None:
            self.want(self.interest & ~READ)  # not before the buffer is empty
        elif self.session.congested and self.active != PASSIVE:
            self.session.pause(self)
            self.want(self.interest & ~READ)
        elif self.receiver is not None and self.receiver.overdue:
            self._on_recv_timeout()  # its caller has gone: data for it would be lost
        else:
            self._receive(0)

    def resume(self) -> None:
        """The session takes messages again: see `pause` there."""
        if self.delivering is not None:
            self.session.in_turn(self._go_on_delivering)
        elif self.reading:
            self._start_reading()

    def _start_reading(self) -> None:
        self.reading = True
        self.want(self.interest & ~WRITE | READ | self._write_interest())

    def _stop_reading(self) -> None:
        # The interest is given up when it shows to be unwanted: most often the
        # next recv comes first, and two system calls are saved.
        self.reading = False

    def _write_interest(self) -> int:
        return WRITE if self.outbox is not None and self.state == CONNECTED else 0

    # --- receiving ---

    def op_recv(self, ref: bytes, args: Any) -> None:
        length, given = args
        timeout = self.session.remaining(given)
        if timeout is None:
            return self.session.reply(ref, build_error("timeout"))
        if self.state != CONNECTED:
            return self._reply_closed_recv(ref)
        if self.active != PASSIVE or (self.packet is not RAW and length):
            return self.session.reply(ref, build_error("einval"))
        if length > MAX_RECV:
            return self.session.reply(ref, build_error("enomem"))
        if self.receiver is not None:
            return self.session.reply(ref, build_error("ealready"))
        self.receiver = receiver = Waiting(self.session, self, ref)
        self._receive(length)
        if self.receiver is not receiver:
            return
        if timeout == 0:
            return self._answer_recv(build_error("timeout"))
        if timeout > 0:
            receiver.timer = self.session.after(timeout, self._on_recv_timeout)
        self._start_reading()

    def _reply_closed_recv(self, ref: bytes) -> None:
        name = "enotconn"
        if self.closed_recv:
            name = "econnreset" if self.reset_hidden else "closed"
            self.closed_recv = self.closed_send = self.reset_hidden = False
        self.session.reply(ref, build_error(name))

    def _on_recv_timeout(self) -> None:
        self.inbox.missing = 0
        self._stop_reading()
        self._answer_recv(build_error("timeout"))

    def _answer_recv(self, body: bytes, tail: bytes = b"") -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.answer(body, tail)

    def _cancel_recv_timer(self) -> None:
        if self.receiver is not None:
            self.receiver.cancel_timer()

    def _receive(self, request: int) -> bool:
        """Reads, and delivers what is whole.

        `request`: the bytes that a recv asked for, 0 for a packet. False when
        the connection failed on it, or would on what is in the buffer now.
        """
        inbox = self.inbox
        wanted, length = inbox.demand(request, self.buffer, self)
        while wanted > 0:
            known = inbox.missing > 0
            asked = min(wanted, MAX_READ) if known else wanted
            capped = asked < wanted
            chunk = self._forward(wanted) if wanted >= LARGE else None
            if chunk is None:
                chunk = self._read(asked)
                if not chunk:
                    return chunk is None
            elif not chunk:
                return True
            if self.packet is RAW and not inbox.data and len(chunk) >= inbox.missing:
                # All there is to a raw packet: hand it on without the buffer.
                inbox.clear()
                self.count_received(len(chunk))
                self._hand_out(chunk)
                return True
            wanted, length = inbox.fill(chunk, self)
            if wanted > 0 and self._read_enough(known, capped, len(chunk) < asked):
                return True
        if wanted < 0:
            return self._receive_error("emsgsize")
        return self._deliver(length)

    def _forward(self, wanted: int) -> bytes | None:
        """Answers a recv with bytes that do not pass through this process. Empty: that is done.

        Only for plain bytes that are all there, and only where nobody else has to wait for them: see
        `Session.alone`. None: not possible. Else what was read, when it was less than it seemed.
        """
        inbox, receiver = self.inbox, self.receiver
        if self.packet is not RAW or inbox.data or self.as_list or self.header or self.as_port:
            return None
        if receiver is None or self.active != PASSIVE or not self.session.alone(self.ident):
            return None
        assert self.sock is not None
        least = max(inbox.missing, LARGE)
        if self.syscalls.readable(self.sock) < least:
            return None
        size = self.session.take(self.sock, wanted)
        if size < least:  # the kernel counts bytes that are not for us: MSG_OOB on unix sockets
            return self.session.give_back(size) or None
        self.receiver = None
        receiver.withdraw()
        self.session.forward(receiver.ref, build_ok(build_binary_head(size)), size)
        inbox.clear()
        self.count_received(size)
        self._after_delivery()
        return b""

    def _read_enough(self, known: bool, capped: bool, short: bool) -> bool:
        """Whether to wait for more after a read that was not enough.

        Before OTP 28 inet_drv reads once and waits; what is asked for in parts (`capped`), or
        header and body apart, counts as one. Since then it reads on until it knows how much
        is missing (`known`), and asks for that once.
        """
        if capped and not short:
            return False
        if self.session.before_28:
            return short or self.read_ahead
        return known

    def _read(self, wanted: int) -> bytes | None:
        """recv(2). None: nothing is there yet. Empty: it is over, and has been dealt with."""
        assert self.sock is not None
        try:
            chunk = self.syscalls.recv(self.sock, wanted)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ECONNRESET and not self.show_econnreset:
                self._receive_closed()
            else:
                self._receive_error(posix_name(error))
            return b""
        if not chunk:
            self._receive_closed()
        return chunk

    def _deliver(self, length: int) -> bool:
        """Hands out the packet of `length` at the start of the buffer.

        And those behind it, while the socket is active. False when a bad one comes next, which
        is told when reading goes on.
        """
        inbox, wanted = self.inbox, 0
        for _ in range(MAX_DELIVERIES):
            if length <= 0:
                return wanted >= 0
            self.count_received(length)
            packet = inbox.take(length)
            self._hand_out(packet)
            if self.active == PASSIVE or inbox.data is None:
                return True
            wanted, length = inbox.look(self)
        if self.delivering is None:
            self.delivering = []
            self.session.in_turn(self._go_on_delivering)
        return wanted >= 0

    def _go_on_delivering(self) -> None:
        """The next packets of a buffer that holds many, when the other sockets have had their turn."""
        if self.delivering is None:
            return  # the socket has ended meanwhile
        if self.session.congested:
            return self.session.pause(self)
        self._deliver_turn(self.delivering)

    def _finish_delivering(self) -> None:
        """Hands out at once what waits for its turn: inet_drv has handed it out already."""
        while self.delivering is not None and self.active != PASSIVE and self.state == CONNECTED:
            self._deliver_turn(self.delivering)

    def _deliver_turn(self, settled: list[Waiting]) -> None:
        self.delivering = None
        if self.active != PASSIVE and self.state == CONNECTED:
            self._deliver_buffered()
        if self.delivering is not None:
            self.delivering += settled
            return
        if self.reading and self.state == CONNECTED:
            self._start_reading()
        for caller in settled:
            caller.answer(OK)

    def reply_settled(self, ref: bytes) -> None:
        """`ok` for a change of options, behind the messages that it brought about."""
        if self.delivering is None:
            self.session.reply(ref, OK)
        else:
            self.delivering.append(Waiting(self.session, self, ref))

    def _deliver_buffered(self) -> None:
        """Hands out what is whole in the buffer, without reading (tcp_deliver with 0)."""
        inbox = self.inbox
        if inbox.data is not None and not inbox.missing:
            self._deliver(inbox.look(self)[1])

    def _hand_out(self, packet: bytes) -> None:
        """A packet goes to who waits in recv, or to the owner (tcp_reply_data)."""
        kind = self.packet
        if kind.header:
            packet = packet[kind.header :]
        elif kind.body is not None:
            packet = kind.body(packet)
        if self.as_port:
            # As inet_drv: also when somebody waits in recv, who then waits on. The port of an
            # accepted socket has no binaries.
            body = build_data(packet, self.as_list or self.accepted, self.header)
            self.session.send(self.owner.raw, build_port_data(self.name) + body)
            return self._after_delivery()
        if kind.parse is not None:
            term, self.in_headers = kind.parse(packet, self.in_headers)
            return self._deliver_term(kind, term)
        if len(packet) >= LARGE and not self.as_list and not self.header:
            body, tail = build_binary_head(len(packet)), packet
        else:
            body, tail = self._data(packet), b""
        if self.active == PASSIVE:
            self._stop_reading()
            return self._answer_recv(build_ok(body), tail)
        self.session.send(self.owner.raw, self.tcp_head + body, tail)
        self._after_delivery()

    def _data(self, packet: bytes) -> bytes:
        return build_data(packet, self.as_list, self.header)

    def _deliver_term(self, kind: PacketType, term: object) -> None:
        """A packet that is a term: of http `{http, S, Term}`, of ssl `{ssl_tls, S, ...}`."""
        if kind.is_record:
            answer = message = build_record(self.name, term)
        else:
            answer = encode_body(term)
            message = build_event("http", self.name, answer)
        if self.active == PASSIVE:
            self._stop_reading()
            return self._answer_recv(build_ok(answer))
        self.session.send(self.owner.raw, message)
        self._after_delivery()

    def _after_delivery(self) -> None:
        """What a message does to the active mode."""
        if self.active == PASSIVE:
            self._stop_reading()
            return self._cancel_recv_timer()
        if self.active >= ONCE:
            mode, count = after_delivery(self.active, self.active_count)
            was = self.active
            self.change_active(mode, count)
            if mode == PASSIVE:
                self._stop_reading()
                self._cancel_recv_timer()
                if was == MULTI:
                    self.tell("tcp_passive")

    def op_unrecv(self, ref: bytes, args: Any) -> None:
        if self.state != CONNECTED:
            return self.session.reply(ref, build_error("enotconn"))
        self.inbox.put_back(args)
        if self.active != PASSIVE:
            self._deliver_buffered()
        self.reply_settled(ref)

    def _receive_closed(self) -> bool:
        """The peer has closed (tcp_recv_closed)."""
        if self.busy is None and self.file is None:
            self.closed_send = True
        if self.busy is not None:
            self._end_busy(build_error("closed"), drop_queue=True)
        if self.file is not None:
            self._end_file(build_error("closed"))
        return self._end_receiving(None, build_error("closed"))

    def _receive_error(self, name: str) -> bool:
        """Reading failed (tcp_recv_error)."""
        if self.busy is not None:
            self._end_busy(build_error("closed"), drop_queue=True)
        if self.file is not None:
            self._end_file(build_error(_file_error(name)))
        return self._end_receiving(name, build_error(name))

    def _end_receiving(self, error: str | None, answer: bytes) -> bool:
        self.inbox.clear()
        if self.active != PASSIVE:
            self._tell_closed(error)
            if self.exit_on_close:
                self.terminate()
            else:
                self._stop_reading()
            return False
        if self.exit_on_close:
            self.close_descriptor()
        else:
            self._stop_reading()
        self._answer_recv(answer)
        return False

    def _tell_closed(self, error: str | None) -> None:
        """Errors as often as they come, the end once in a socket's life."""
        if error is not None:
            self.tell("tcp_error", encode_body(Atom(error)))
        if not self.closed_told:
            self.closed_told = True
            self.tell("tcp_closed")

    # --- options ---

    def set_active(self, mode: int, increment: int) -> None:
        super().set_active(mode, increment)
        if self.active != PASSIVE and self.state == CLOSED:
            # The owner asks for messages of a connection that is gone: there is one.
            self._tell_closed("econnreset" if self.reset_hidden else None)
            self.reset_hidden = False
            if self.exit_on_close:
                self.terminate()
                raise options.Ended

    def settle(self, old_active: int, old_packet: PacketType) -> None:
        if self.state != CONNECTED:
            return
        if old_active == PASSIVE and self.active >= ONCE and self.packet is old_packet:
            # With a bad packet next, inet_drv does not wait for input: nobody is told of it.
            if self._receive(0) and self.active != PASSIVE and self.state == CONNECTED:
                self._start_reading()
            return
        if self.active != old_active:
            if self.active != PASSIVE:
                self._start_reading()
            else:
                self._stop_reading()
        if self.active != PASSIVE and (old_active == PASSIVE or self.packet is not old_packet):
            if old_active != PASSIVE and not self.session.before_28:
                self.inbox.missing = 0  # the length was that of the old type
            self._deliver_buffered()

    # --- sending ---

    def states(self) -> tuple[str, ...]:
        busy = ("busy",) if self.busy is not None else ()
        return busy + super().states()

    @property
    def send_pend(self) -> int:
        return 0 if self.outbox is None else self.outbox.size

    def op_send(self, ref: bytes, data: Any) -> None:
        self._send(ref, data)

    def op_send_large(self, ref: bytes, args: Any) -> None:
        """{Size, Feeder, Data}: Data is the beginning, and the process Feeder has the rest. See `Remote`."""
        size, feeder, data = args
        self._send(ref, data, Remote(self, ref, feeder, size - len(data)))

    def _send(self, ref: bytes, data: Any, rest: Remote | None = None) -> None:
        if self.busy is not None:
            if self.suspended is None:
                self.suspended = deque()
            self.suspended.append((Waiting(self.session, self, ref), data, rest))
        elif not self._take_to_send(ref, data, rest) and rest is not None:
            rest.stop()

    def _take_to_send(self, ref: bytes, data: Any, rest: Remote | None) -> bool:
        """Sends, or queues, `data` and then `rest`. False when they are refused; `ref` has been told."""
        if self.state != CONNECTED:
            self._reply_closed_send(ref)
            return False
        if self.shutting is not None:
            self._send_error(ref, "epipe")
            return False
        header = self.packet.header
        size = len(data) if rest is None else len(data) + rest.left
        if header:
            data = build_header(header, size) + data
            size += header
        self.count_sent(size)
        if self.outbox is not None:
            self._send_behind(ref, data, rest)
            return True
        if data and self.delay_send:
            self._send_later(data, 0, rest)
            self.session.soon(self._write)
        elif data:
            if rest is None and size >= LARGE and self.session.alone(self.ident):
                self._send_large(ref, data)
                return True
            sent = self._send_now(ref, data)
            if sent is None:
                return False
            if sent < size:
                self._send_later(data, sent, rest)
                self.want(self.interest | WRITE)
        self.session.reply(ref, OK)
        return True

    def _send_large(self, ref: bytes, data: bytes | memoryview) -> None:
        """For a caller that is alone: sends the beginning, answers, and sends the rest meanwhile."""
        sent = self._send_now(ref, data[:_BEGINNING], socket.MSG_MORE)
        if sent is None:
            return
        self.session.reply(ref, OK)
        if sent == _BEGINNING:
            self.session.flush()
            assert self.sock is not None
            try:
                sent += self.syscalls.send(self.sock, memoryview(data)[sent:])
            except BlockingIOError:
                pass
            except OSError as error:
                self.syscalls = LateError(self, error)  # type: ignore[assignment]
                return
        if sent < len(data):
            self._send_later(data, sent)
            self.want(self.interest | WRITE)

    def _send_now(self, ref: bytes, data: bytes | memoryview, flags: int = 0) -> int | None:
        """How much the system takes. None: it failed, and `ref` has been told."""
        assert self.sock is not None
        try:
            return self.syscalls.send(self.sock, data, flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._send_error(ref, self._send_error_name(error))
            return None

    def _send_later(self, data: bytes | memoryview, start: int, rest: Remote | None = None) -> None:
        """data[start:] and `rest` wait for the system."""
        self.outbox = Outbox()
        self.outbox.add(data, start, rest)

    def _reply_closed_send(self, ref: bytes) -> None:
        name = "enotconn"
        if self.closed_send:
            self.closed_send = False
            name = "econnreset" if self.reset_hidden else "closed"
        self.session.reply(ref, build_error(name))

    def _send_behind(self, ref: bytes, data: bytes, rest: Remote | None) -> None:
        """A send while others wait: it may have to wait for its answer too."""
        assert self.outbox is not None
        self.outbox.add(data, 0, rest)
        if self.outbox.size < self.high_watermark:
            return self.session.reply(ref, OK)
        if self.send_timeout == 0:
            return self.session.reply(ref, build_error("timeout"))
        patience = -1 if self.send_timeout is None else self.send_timeout
        self.busy = Waiting(self.session, self, ref, patience, self._on_send_timeout)

    def _on_send_timeout(self) -> None:
        busy, self.busy = self.busy, None
        if busy is not None:
            busy.answer(build_error("timeout"))
        if self.send_timeout_close:
            self.close_descriptor()
        self._resume_suspended()

    def _end_busy(self, answer: bytes, drop_queue: bool = False) -> None:
        """The send that waits gets `answer`, and those behind it their turn."""
        if drop_queue:
            self._drop_output()
        busy, self.busy = self.busy, None
        if busy is not None:
            busy.answer(answer)
        if self.suspended:
            # Not at once: the state that they will find is still in the making.
            self.session.soon(self._resume_suspended)

    def _resume_suspended(self) -> None:
        while self.suspended and self.busy is None:
            caller, data, rest = self.suspended.popleft()
            caller.withdraw()
            try:
                self._send(caller.ref, data, rest)
            except Exception as error:
                self.session.reply(caller.ref, failure(error))
                raise

    def _write(self) -> None:
        """Sends what waits, as long as the system takes it."""
        outbox = self.outbox
        if outbox is None:
            return  # all is said: it was closed meanwhile
        if self.file is not None and not self._write_file(self.file, outbox):
            return
        while outbox.size:
            assert self.sock is not None
            parts = outbox.vector()
            if not parts:
                return self.want(self.interest & ~WRITE)  # until more has come from the node
            try:
                outbox.sent(self.syscalls.sendmsg(self.sock, parts))
            except BlockingIOError:
                return self.want(self.interest | WRITE)
            except OSError as error:
                return self._write_failed(error)
            if outbox.size <= self.low_watermark and self.busy is not None:
                self._end_busy(OK)
        self.outbox = None
        if self.state != CONNECTED:
            return self.close_descriptor()
        self.want(self.interest & ~WRITE)
        if self.closers:
            return self.terminate()
        if self.shutting is not None:
            self._shutdown_now()

    def op_sendfile(self, ref: bytes, args: Any) -> None:
        """{Caller, Number, Offset, Length}: of a file that the node has open; 0 is all of it.

        Answers `enotsup` when the descriptor cannot be had: file:sendfile/5 then reads
        the file itself.
        """
        caller, number, offset, length = args
        if caller != self.owner:
            return self.session.reply(ref, build_error("not_owner"))
        length = length or MAX_OFFSET
        if not (0 <= offset <= MAX_OFFSET and 0 <= length <= MAX_OFFSET):
            return self.session.reply(ref, build_error("einval"))
        if self.state != CONNECTED:
            return self.session.reply(ref, build_error("enotconn"))
        try:
            descriptor = self.session.borrow(number)
        except OSError:
            return self.session.reply(ref, build_error("enotsup"))
        if self.outbox is None:
            self.outbox = Outbox()
        caller_waits = Waiting(self.session, self, ref)
        self.file = FileSend(caller_waits, descriptor, offset, length, self.outbox.size)
        self._write()

    def _write_file(self, file: FileSend, outbox: Outbox) -> bool:
        """Sends what waits before the file, and a part of the file. True when it is done."""
        assert self.sock is not None
        try:
            while file.ahead:
                parts = outbox.vector_of(file.ahead)
                if not parts:
                    self.want(self.interest & ~WRITE)
                    return False
                sent = self.syscalls.sendmsg(self.sock, parts)
                outbox.sent(sent)
                file.ahead -= sent
            some = min(file.left, FILE_CHUNK)
            sent = self.syscalls.sendfile(self.sock.fileno(), file.descriptor, file.offset, some)
        except BlockingIOError:
            self.want(self.interest | WRITE)
            return False
        except OSError as error:
            self._end_file(build_error(_file_error(posix_name(error))))
            self._send_error(None, self._send_error_name(error), told=self.session.before_28)
            return False
        if not file.advance(sent):
            self.want(self.interest | WRITE)
            return False
        self._end_file(build_ok(encode_body(file.sent)))
        if outbox.size <= self.low_watermark and self.busy is not None:
            self._end_busy(OK)
        return True

    def _end_file(self, answer: bytes) -> None:
        assert self.file is not None
        file, self.file = self.file, None
        self.syscalls.close_file(file.descriptor)
        file.caller.answer(answer)

    def _write_failed(self, error: OSError) -> None:
        if self.state == CONNECTED:
            return self._send_error(None, self._send_error_name(error))
        self.close_descriptor()  # it only flushed after its end: nobody is left to be told

    def close_descriptor(self) -> None:
        """Closes it, and drops what was to be sent through it (tcp_desc_close)."""
        self._drop_output()
        super().close_descriptor()

    def on_piece(self) -> None:
        """More of a large send has come from the node."""
        if self.sock is not None:
            self._write()

    def on_feeder_down(self) -> None:
        """The rest of a large send will not come: the stream ends in the middle of it."""
        if self.state == CONNECTED:
            self._send_error(None, "closed")
        else:
            self.close_descriptor()

    def _drop_output(self) -> None:
        if self.outbox is not None:
            self.outbox.drop()
            self.outbox = None
        if self.file is not None:
            self._end_file(build_error("closed"))
        if self.closers:
            self.session.soon(self.terminate)

    def _send_error_name(self, error: OSError) -> str:
        if error.errno == errno.EPIPE and not self.shut:
            return "econnreset"
        return posix_name(error)

    def _send_error(self, ref: bytes | None, name: str, told: bool = False) -> None:
        """Sending failed; `ref` is who is to be told (tcp_send_or_shutdown_error).

        `told`: somebody has been told already.
        """
        self._finish_delivering()
        show = name == "econnreset" and self.show_econnreset
        answer = build_error("econnreset" if show else "closed")
        told = told or ref is not None or self.busy is not None
        if self.active != PASSIVE:
            self._tell_closed(name if show else None)
            self._answer_send(ref, answer)
            if self.exit_on_close:
                self._drop_output()
                self.terminate()
            else:
                self.close_descriptor()
            return
        self._answer_recv(build_error("closed"))
        self._answer_send(ref, answer)
        self.close_descriptor()
        self.closed_send = self.closed_send or not told
        self.closed_recv = True
        self.reset_hidden = show

    def _answer_send(self, ref: bytes | None, answer: bytes) -> None:
        if self.busy is not None:
            self._end_busy(answer)
        if ref is not None:
            self.session.reply(ref, answer)

    # --- shutdown and close ---

    def op_shutdown(self, ref: bytes, how: Any) -> None:
        if self.state != CONNECTED:
            return self.session.reply(ref, build_error("enotconn"))
        number = _HOW[how.name]
        if number != socket.SHUT_RD and self.outbox is not None:
            self.shutting = number
            return self.session.reply(ref, OK)
        try:
            assert self.sock is not None
            self.syscalls.shutdown(self.sock, number)
        except OSError as error:
            self.shut = self.shut or number != socket.SHUT_RD
            return self.session.reply(ref, build_error(posix_name(error)))
        self.session.reply(ref, OK)

    def _shutdown_now(self) -> None:
        """The shutdown that waited for the queue to get empty."""
        assert self.sock is not None
        assert self.shutting is not None
        try:
            self.syscalls.shutdown(self.sock, self.shutting)
        except OSError as error:
            self._send_error(None, posix_name(error))
        else:
            self.shut = True

    def op_peername(self, ref: bytes, args: Any) -> None:
        if self.state != CONNECTED:
            return super().op_peername(ref, args)
        self.reply_address(ref, self.syscalls.getpeername)

    def op_close(self, ref: bytes, _args: Any) -> None:
        """As prim_inet:close/1: waits for the queue, within limits."""
        if self.outbox is not None and self.outbox.size and not self.lingers_not():
            if self.closers is None:
                self.closers = []
            self.closers.append(_Closer(self, ref))
            return
        self.terminate()
        self.session.reply(ref, OK)

    def terminate(self) -> None:
        if not self.session.forget(self):
            return  # it has ended before
        connected = self._end_connect()
        if connected is not None:
            connected("closed")
        self._answer_recv(build_error("closed"))
        settled, self.delivering = self.delivering, None
        for caller in settled or ():
            caller.answer(OK)
        self.reading = False
        self.inbox.clear()
        if self.busy is not None:
            suspended, self.suspended = self.suspended, None
            self._end_busy(build_error("closed"))
            for caller, _, rest in suspended or ():
                caller.answer(build_error("einval"))
                if rest is not None:
                    rest.stop()
        closers, self.closers = self.closers, None
        for closer in closers or ():
            closer.answer()
        if self.file is not None:
            self._drop_output()  # half a file is of no use to anybody
        if self.outbox is not None and not self.lingers_not():
            self.state = OPEN  # only flushes what is queued, then closes
            self.want(WRITE)
        else:
            self.close_descriptor()


def _file_error(name: str) -> str:
    return "closed" if name in ("econnreset", "enotconn", "epipe") else name


class _Closer:
    """A caller in close, while bytes wait to be sent.

    It waits for as long as `linger` says, or else as long as the queue gets
    shorter every five seconds, but no more than three minutes.
    """

    __slots__ = ("caller", "check", "limit", "pending", "stream")

    def __init__(self, stream: Stream, ref: bytes) -> None:
        self.stream = stream
        self.caller = Waiting(stream.session, stream, ref)
        self.pending = stream.send_pend
        self.limit = stream.session.after(self._patience(), self.finish)
        self.check = stream.session.after(CLOSE_CHECK, self._on_check)

    def _patience(self) -> int:
        value = self.stream.get_system_option(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        on, seconds = int.from_bytes(value[:4], "little"), int.from_bytes(value[4:], "little")  # type: ignore[index]
        return seconds * 1000 if on else CLOSE_WAIT

    def _on_check(self) -> None:
        if self.stream.send_pend == self.pending:
            return self.finish()
        self.check = self.stream.session.after(CLOSE_CHECK, self._on_check)

    def finish(self) -> None:
        """Closes now; `terminate` answers all who wait in close."""
        self.stream.terminate()

    def answer(self) -> None:
        self.limit.cancel()
        self.check.cancel()
        self.caller.answer(OK)

    def fail(self, error: Exception) -> None:
        self.limit.cancel()
        self.check.cancel()
        self.stream.fail(error)


def _behind_messages(op: Callable[[Any, bytes, Any], None]) -> Callable[[Any, bytes, Any], None]:
    """`op`, when the messages are out that inet_drv would have sent before it."""

    def run(stream: Stream, ref: bytes, args: Any) -> None:
        stream._finish_delivering()
        op(stream, ref, args)

    return run


Stream.ops = Handle.ops | {
    "close": _behind_messages(Stream.op_close),
    "controlling_process": _behind_messages(Stream.op_controlling_process),
    "peername": Stream.op_peername,
    "recv": Stream.op_recv,
    "send": Stream.op_send,
    "send_large": Stream.op_send_large,
    "sendfile": Stream.op_sendfile,
    "setopts": _behind_messages(Stream.op_setopts),
    "shutdown": _behind_messages(Stream.op_shutdown),
    "unrecv": _behind_messages(Stream.op_unrecv),
}
