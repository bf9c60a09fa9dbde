"""Reading from the system.

Bytes are read only when somebody is to have them: an active owner, or a caller in recv. `inbox` cuts
them into packets.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ...fast import LARGE
from ...host.api import READ, WRITE
from ...packet import RAW
from ...packet.buffer import InputBuffer
from ...session.waiting import Waiting
from ...wire.active import ONCE, PASSIVE
from ...wire.messages import OK, build_binary_head, build_error, build_ok
from ...wire.requests import Recv
from .. import early
from ..handle import CONNECTED
from .part import Part
from .state import PEER_CLOSED, READ_FAILED

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Receiving"]

MAX_RECV = 0x4000000  # bytes: TCP_MAX_PACKET_SIZE
MAX_READ = 1 << 17  # bytes of one recv(2), where the rest can be read next: malloc maps larger ones

TIMEOUT = build_error("timeout")


class Receiving(Part):
    """The input of a connection.

    reading: True while a recv or an active owner wants input.
    asking: the reference of a recv that is being carried out, else empty. Most find their bytes, and do
        not wait.
    caller: the one that waits in recv.
    untried: it has left the first look at its bytes to the poller.
    """

    __slots__ = ("asking", "caller", "inbox", "reading", "untried")

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.inbox = InputBuffer()
        self.reading = False
        self.asking = b""
        self.caller: Waiting | None = None
        self.untried = False

    # --- recv ---

    def recv(self, ref: bytes, request: Recv) -> None:
        stream = self.stream
        session = stream.session
        length, timeout = request
        if stream.state != CONNECTED:
            return session.answer(ref, build_error(stream.last_words.for_recv()))
        if stream.active != PASSIVE or (length and stream.options.packet is not RAW):
            return session.answer(ref, build_error("einval"))
        if length > MAX_RECV:
            return session.answer(ref, build_error("enomem"))
        if self.caller is not None and not self.caller.expire():
            return session.answer(ref, build_error("ealready"))
        if timeout and self.inbox.data is None and stream.interest & READ:
            # The last look has found nothing, or there would be no interest any more: see `stop`. The
            # next one tells, and a system call is saved that most often fails.
            self.inbox.demand(length, stream.options.buffer, stream.options)
            self.untried = True
        elif self._read_for(ref, length):
            return
        elif timeout == 0:
            return session.answer(ref, TIMEOUT)
        else:
            self.untried = False
        self.caller = Waiting(session, stream, ref, timeout, self.on_timeout)
        self.start()

    def _read_for(self, ref: bytes, length: int) -> bool:
        """Reads for a recv. True when it has its answer."""
        self.asking = ref
        try:
            self.receive(length)
        finally:
            asking, self.asking = self.asking, b""
        return not asking

    def on_timeout(self) -> None:
        if self._finds_late():
            return
        self.inbox.missing = 0
        self.reading = False
        self.answer(TIMEOUT)

    def _finds_late(self) -> bool:
        """Whether the caller has its answer now. Its bytes may have been there before it asked, and its timer
        have come before the next look: uvloop runs timers first.
        """
        caller = self.caller
        if not self.untried or caller is None or caller.timer is None or caller.timer.overdue:
            return False
        self.untried = False
        self.receive(0)
        return self.caller is not caller

    def answer(self, body: bytes, tail: bytes = b"") -> None:
        """For the caller in recv, if there is one."""
        ref, self.asking = self.asking, b""
        if ref:
            return self.stream.session.answer(ref, body, tail)
        caller, self.caller = self.caller, None
        if caller is not None:
            caller.answer(body, tail)

    def cancel_timer(self) -> None:
        """The caller in recv waits without a limit from here on."""
        if self.caller is not None:
            self.caller.cancel_timer()

    def unrecv(self, ref: bytes, data: bytes) -> None:
        """Puts bytes in front of what has come."""
        stream = self.stream
        if stream.state != CONNECTED:
            return stream.session.answer(ref, build_error("enotconn"))
        self.inbox.put_back(data)
        early.review(stream)
        if stream.active != PASSIVE:
            stream.delivery.deliver_buffered()
        stream.answer_behind_messages(ref, OK)

    # --- readiness ---

    def start(self) -> None:
        self.reading = True
        stream = self.stream
        stream.set_interest(stream.interest & ~WRITE | READ | stream.sending.interest())

    def stop(self) -> None:
        """The interest in reading stays until the first event that nobody waits for.

        Most often the next recv comes first, and two system calls are saved.
        """
        self.reading = False

    def on_ready(self) -> None:
        stream = self.stream
        if not self.reading or stream.delivery.waits:  # what is in the buffer comes first
            stream.set_interest(stream.interest & ~READ)
        elif stream.active != PASSIVE and stream.session.congested:
            stream.session.pause(stream)
            stream.set_interest(stream.interest & ~READ)
        elif self.caller is None or not self.caller.expire():
            self.receive(0)

    def resume(self) -> None:
        """The session takes messages again."""
        if self.reading:
            self.start()

    # --- reading ---

    def receive(self, request: int) -> bool:
        """Reads, and delivers what is whole.

        `request`: the bytes that a recv asked for, 0 for a packet. False when the connection failed
        on it, or would on what is in the buffer now.
        """
        stream, inbox = self.stream, self.inbox
        options = stream.options
        wanted, length = inbox.demand(request, options.buffer, options)
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
            if options.packet is RAW and not inbox.data and len(chunk) >= inbox.missing:
                # All there is to a raw packet: hand it on without the buffer.
                inbox.clear()
                stream.counters.received(len(chunk))
                stream.delivery.hand_out(chunk)
                return True
            wanted, length = inbox.fill(chunk, options)
            if wanted > 0 and self._read_enough(known, capped, len(chunk) < asked):
                return True
        if wanted < 0:
            stream.run_failure(READ_FAILED, "emsgsize")
            return False
        return stream.delivery.deliver(length)

    def _read_enough(self, known: bool, capped: bool, short: bool) -> bool:
        """Whether to wait for more after a read that was not enough.

        Before OTP 28 inet_drv reads once and waits; what is asked for in parts (`capped`), or
        header and body apart, counts as one. Since then it reads on until it knows how much
        is missing (`known`), and asks for that once.
        """
        if capped and not short:
            return False
        if self.stream.session.before_28:
            return short or self.stream.options.read_ahead
        return known

    def _read(self, wanted: int) -> bytes | None:
        """recv(2). None: nothing is there yet. Empty: the connection has ended, and that is dealt with."""
        stream = self.stream
        assert stream.sock is not None
        try:
            chunk = stream.sock.recv(wanted)
            if not chunk:
                stream.sending.raise_late_error()
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ECONNRESET and not stream.options.show_econnreset:
                stream.run_failure(PEER_CLOSED)
            else:
                stream.run_failure(READ_FAILED, stream.session.posix_name(error))
            return b""
        if not chunk:
            stream.run_failure(PEER_CLOSED)
        return chunk

    def _forward(self, wanted: int) -> bytes | None:
        """Answers a recv or `{active, once}` with bytes that do not pass through here. Empty: that is done.

        Only for plain bytes that are all there, and only where nobody else has to wait for them: see
        `FastPaths.alone`. None: not possible. Else what was read, when it was less than it seemed.
        """
        stream, inbox = self.stream, self.inbox
        if inbox.data or stream.sock is None or not stream.delivery.is_plain():
            return None
        fast = stream.session.fast
        ref = self.asking if self.caller is None else self.caller.ref
        is_wanted = bool(ref) if stream.active == PASSIVE else stream.active == ONCE
        if not is_wanted or not fast.alone(stream.ident):
            return None
        taken = fast.take(stream.sock, max(inbox.missing, LARGE), wanted)
        if isinstance(taken, bytes):
            return taken or None
        inbox.clear()
        stream.counters.received(taken)
        if stream.active != PASSIVE:
            stream.delivery.forward(taken)
            return b""
        fast.forward(ref, build_ok(build_binary_head(taken)), taken)
        self.asking = b""
        caller, self.caller = self.caller, None
        if caller is not None:
            caller.withdraw()
        self.stop()
        return b""

    # --- ends ---

    def end(self) -> None:
        self.answer(build_error("closed"))
        self.reading = False
        self.inbox.clear()
