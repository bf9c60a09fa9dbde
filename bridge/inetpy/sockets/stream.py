"""A TCP connection: the rules of inet_drv for stream sockets.

Receiving. Bytes are read from the system only when somebody is to have them:
an active owner, or a caller in recv. `inbox` cuts them into packets.

Sending. What the system does not take at once waits in `outbox`. A send that
brings it to the high watermark makes the socket busy: its caller waits for the
low watermark, and later callers wait in `suspended` before they are looked at,
as the emulator suspends them. Much data of a caller who is alone is on its way
when he has his answer (`_send_large`), as many bytes for such a caller do not
come by here (`_forward`).

Errors. A connection that fails closes the descriptor; the handle goes on only
on passive sockets. `closed_send` and `closed_recv` let the next send or recv
say `closed` once, before `enotconn`.

Where inet_drv surprises, it is followed: its users know it. A recv that waits
while the socket is made active loses its timeout to the first message
(`_hand_out`), and an unfinished packet keeps its length when the type of
packets changes (`settle`), before OTP 28.
"""

from __future__ import annotations

import asyncio
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
from .handle import CLOSED, CONNECTED, CONNECTING, OPEN, Handle
from .late import LateError
from .outbox import FileSend, Outbox

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
_BEGINNING = 4096  # of a large send: what the system takes of it before its caller gets the answer

_HOW = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "read_write": socket.SHUT_RDWR}


class Stream(Handle):
    """See the module."""

    __slots__ = (
        "inbox", "reading", "recv_ref", "recv_timer",
        "outbox", "file", "busy_ref", "send_timer", "suspended", "shutting", "shut",
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
        self.recv_ref: bytes | None = None
        self.recv_timer: asyncio.TimerHandle | None = None
        self.connect_done: Callable[[str | None], None] | None = None
        self.connect_timer: asyncio.TimerHandle | None = None
        self.outbox: Outbox | None = None  # always there while a file is sent
        self.file: FileSend | None = None
        self.busy_ref: bytes | None = None
        self.send_timer: asyncio.TimerHandle | None = None
        self.suspended: deque[tuple[bytes, bytes]] | None = None
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
        number = self.syscalls.getsockopt(self.sock, socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return self._fail_connect(posix_name(OSError(number, "connect")))
        try:
            self.syscalls.getpeername(self.sock)
        except OSError:
            return  # readiness that was meant for an earlier owner of the descriptor
        self._finish_connect()

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
                if self.session.congested:
                    self.session.pause(self)
                    self.want(self.interest & ~READ)
                else:
                    self._receive(0)
            elif self.interest & READ:
                self.want(self.interest & ~READ)
        if events & ~READ and self.interest & WRITE:
            self._write()

    def resume(self) -> None:
        """The session takes messages again: see `pause` there."""
        if self.reading:
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
        length, timeout = args
        if self.state != CONNECTED:
            return self._reply_closed_recv(ref)
        if self.active != PASSIVE or (self.packet is not RAW and length):
            return self.session.reply(ref, build_error("einval"))
        if length > MAX_RECV:
            return self.session.reply(ref, build_error("enomem"))
        if self.recv_ref is not None:
            return self.session.reply(ref, build_error("ealready"))
        self.recv_ref = ref
        self._receive(length)
        if self.recv_ref is None:
            return
        if timeout == 0:
            self._answer_recv(build_error("timeout"))
            return
        if timeout > 0:
            self.recv_timer = self.session.after(timeout, self._on_recv_timeout)
        self._start_reading()

    def _reply_closed_recv(self, ref: bytes) -> None:
        name = "enotconn"
        if self.closed_recv:
            name = "econnreset" if self.reset_hidden else "closed"
            self.closed_recv = self.closed_send = self.reset_hidden = False
        self.session.reply(ref, build_error(name))

    def _on_recv_timeout(self) -> None:
        self.recv_timer = None
        self.inbox.missing = 0
        self._stop_reading()
        self._answer_recv(build_error("timeout"))

    def _answer_recv(self, body: bytes, tail: bytes = b"") -> None:
        ref, self.recv_ref = self.recv_ref, None
        self._cancel_recv_timer()
        if ref is not None:
            self.session.reply(ref, body, tail)

    def _cancel_recv_timer(self) -> None:
        if self.recv_timer is not None:
            self.recv_timer.cancel()
            self.recv_timer = None

    def _receive(self, request: int) -> bool:
        """Reads, and delivers what is whole.

        `request`: the bytes that a recv asked for, 0 for a packet. False when
        the connection failed on it, or would on what is in the buffer now.
        """
        inbox = self.inbox
        wanted, length = inbox.demand(request, self.buffer, self)
        while wanted > 0:
            if wanted >= LARGE and self._forward(wanted):
                return True
            known = inbox.missing > 0
            asked = min(wanted, MAX_READ) if known else wanted
            capped = asked < wanted
            chunk = self._read(asked)
            if not chunk:
                return chunk is None
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

    def _forward(self, wanted: int) -> bool:
        """Answers a recv with bytes that do not come by here, when they are many and all there.

        Only plain ones, and only where they keep nobody else waiting: see `Session.alone`.
        """
        inbox, ref = self.inbox, self.recv_ref
        if self.packet is not RAW or inbox.data or self.as_list or self.header or self.as_port:
            return False
        if ref is None or self.active != PASSIVE or self.shared or not self.session.alone(self.ident):
            return False
        assert self.sock is not None
        size = min(wanted, self.syscalls.readable(self.sock))
        if size < max(inbox.missing, LARGE):
            return False
        if not self.session.forward(ref, build_ok(build_binary_head(size)), self.sock, size):
            return False
        inbox.clear()
        self.count_received(size)
        self.recv_ref = None
        self._after_delivery()
        return True

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
        while length > 0:
            self.count_received(length)
            packet = inbox.take(length)
            self._hand_out(packet)
            if self.active == PASSIVE or inbox.data is None:
                return True
            wanted, length = inbox.look(self)
        return wanted >= 0

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
        self.session.reply(ref, OK)

    def _receive_closed(self) -> bool:
        """The peer has closed (tcp_recv_closed)."""
        if self.busy_ref is None and self.file is None:
            self.closed_send = True
        if self.busy_ref is not None:
            self._end_busy(build_error("closed"), drop_queue=True)
        if self.file is not None:
            self._end_file(build_error("closed"))
        return self._end_receiving(None, build_error("closed"))

    def _receive_error(self, name: str) -> bool:
        """Reading failed (tcp_recv_error)."""
        if self.busy_ref is not None:
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
        busy = ("busy",) if self.busy_ref is not None else ()
        return busy + super().states()

    @property
    def send_pend(self) -> int:
        return 0 if self.outbox is None else self.outbox.size

    def op_send(self, ref: bytes, data: Any) -> None:
        if self.busy_ref is not None:
            if self.suspended is None:
                self.suspended = deque()
            self.suspended.append((ref, data))
            return
        if self.state != CONNECTED:
            return self._reply_closed_send(ref)
        if self.shutting is not None:
            return self._send_error(ref, "epipe")
        header = self.packet.header
        if header:
            data = build_header(header, len(data)) + data
        self.count_sent(len(data))
        if self.outbox is not None:
            return self._send_behind(ref, data)
        if data and self.delay_send:
            self.outbox = Outbox()
            self.outbox.add(data)
            self.session.soon(self._write)
        elif data:
            if len(data) >= LARGE and self.session.alone(self.ident):
                return self._send_large(ref, data)
            sent = self._send_now(ref, data)
            if sent is None:
                return
            if sent < len(data):
                self._send_later(data, sent)
        self.session.reply(ref, OK)

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
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self.syscalls = LateError(self, error)  # type: ignore[assignment]
                return
        if sent < len(data):
            self._send_later(data, sent)

    def _send_now(self, ref: bytes, data: bytes | memoryview, flags: int = 0) -> int | None:
        """How much the system takes. None: it failed, and `ref` has been told."""
        assert self.sock is not None
        try:
            return self.syscalls.send(self.sock, data, flags)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._send_error(ref, self._send_error_name(error))
            return None

    def _send_later(self, data: bytes | memoryview, start: int) -> None:
        """data[start:] waits for the system."""
        self.outbox = Outbox()
        self.outbox.add(data, start)
        self.want(self.interest | WRITE)

    def _reply_closed_send(self, ref: bytes) -> None:
        name = "enotconn"
        if self.closed_send:
            self.closed_send = False
            name = "econnreset" if self.reset_hidden else "closed"
        self.session.reply(ref, build_error(name))

    def _send_behind(self, ref: bytes, data: bytes) -> None:
        """A send while others wait: it may have to wait for its answer too."""
        assert self.outbox is not None
        self.outbox.add(data)
        if self.outbox.size < self.high_watermark:
            return self.session.reply(ref, OK)
        if self.send_timeout == 0:
            return self.session.reply(ref, build_error("timeout"))
        self.busy_ref = ref
        if self.send_timeout is not None:
            self.send_timer = self.session.after(self.send_timeout, self._on_send_timeout)

    def _on_send_timeout(self) -> None:
        self.send_timer = None
        ref, self.busy_ref = self.busy_ref, None
        if ref is not None:
            self.session.reply(ref, build_error("timeout"))
        if self.send_timeout_close:
            self.close_descriptor()
        self._resume_suspended()

    def _end_busy(self, answer: bytes, drop_queue: bool = False) -> None:
        """The send that waits gets `answer`, and those behind it their turn."""
        if drop_queue:
            self._drop_output()
        if self.send_timer is not None:
            self.send_timer.cancel()
            self.send_timer = None
        ref, self.busy_ref = self.busy_ref, None
        if ref is not None:
            self.session.reply(ref, answer)
        if self.suspended:
            # Not at once: the state that they will find is still in the making.
            self.session.soon(self._resume_suspended)

    def _resume_suspended(self) -> None:
        while self.suspended and self.busy_ref is None:
            ref, data = self.suspended.popleft()
            self.op_send(ref, data)

    def _write(self) -> None:
        """Sends what waits, as long as the system takes it."""
        outbox = self.outbox
        if outbox is None:
            return  # all is said: it was closed meanwhile
        if self.file is not None and not self._write_file(self.file, outbox):
            return
        while outbox.size:
            assert self.sock is not None
            try:
                outbox.sent(self.syscalls.sendmsg(self.sock, outbox.vector()))
            except (BlockingIOError, InterruptedError):
                return self.want(self.interest | WRITE)
            except OSError as error:
                return self._write_failed(error)
            if outbox.size <= self.low_watermark and self.busy_ref is not None:
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
        self.file = FileSend(ref, descriptor, offset, length, self.outbox.size)
        self._write()

    def _write_file(self, file: FileSend, outbox: Outbox) -> bool:
        """Sends what waits before the file, and a part of the file. True when it is done."""
        assert self.sock is not None
        try:
            while file.ahead:
                sent = self.syscalls.sendmsg(self.sock, outbox.vector_of(file.ahead))
                outbox.sent(sent)
                file.ahead -= sent
            some = min(file.left, FILE_CHUNK)
            sent = self.syscalls.sendfile(self.sock.fileno(), file.descriptor, file.offset, some)
        except (BlockingIOError, InterruptedError):
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
        if outbox.size <= self.low_watermark and self.busy_ref is not None:
            self._end_busy(OK)
        return True

    def _end_file(self, answer: bytes) -> None:
        assert self.file is not None
        file, self.file = self.file, None
        self.syscalls.close_file(file.descriptor)
        self.session.reply(file.ref, answer)

    def _write_failed(self, error: OSError) -> None:
        if self.state == CONNECTED:
            return self._send_error(None, self._send_error_name(error))
        self.close_descriptor()  # it only flushed after its end: nobody is left to be told

    def close_descriptor(self) -> None:
        """Closes it, and drops what was to be sent through it (tcp_desc_close)."""
        self._drop_output()
        super().close_descriptor()

    def _drop_output(self) -> None:
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
        show = name == "econnreset" and self.show_econnreset
        answer = build_error("econnreset" if show else "closed")
        told = told or ref is not None or self.busy_ref is not None
        if self.active != PASSIVE:
            self._tell_closed(name if show else None)
            self._answer_send(ref, answer)
            if self.exit_on_close:
                self.outbox = None
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
        if self.busy_ref is not None:
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
        if self.connect_timer is not None:
            self.connect_timer.cancel()
        self._answer_recv(build_error("closed"))
        self.reading = False
        self.inbox.clear()
        if self.busy_ref is not None:
            suspended, self.suspended = self.suspended, None
            self._end_busy(build_error("closed"))
            for ref, _ in suspended or ():
                self.session.reply(ref, build_error("einval"))
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

    __slots__ = ("check", "limit", "pending", "ref", "stream")

    def __init__(self, stream: Stream, ref: bytes) -> None:
        self.stream = stream
        self.ref = ref
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
        self.stream.session.reply(self.ref, OK)


Stream.ops = Handle.ops | {
    "close": Stream.op_close,
    "peername": Stream.op_peername,
    "recv": Stream.op_recv,
    "send": Stream.op_send,
    "sendfile": Stream.op_sendfile,
    "shutdown": Stream.op_shutdown,
    "unrecv": Stream.op_unrecv,
}
