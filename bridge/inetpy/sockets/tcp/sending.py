"""Writing to the system.

What the system does not take at once waits in `outbox`. A send that brings the outbox to the high
watermark makes the socket busy: its caller waits for the low watermark. Callers behind it are suspended
before their sends are looked at, as the emulator suspends them.

A large send from the only active caller is answered before all of it is written (`_send_large`).
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ...fast import BEGINNING, LARGE
from ...host.api import WRITE
from ...host.flags import MSG_MORE
from ...packet import build_header
from ...session.waiting import Waiting, failure
from ...wire.messages import OK, build_error
from ...wire.mode import SENDS
from ...wire.requests import Sendfile
from .. import early
from ..handle import CONNECTED
from .outbox import Outbox, Remote
from .part import Part
from .sendfile import MAX_OFFSET, FileSend
from .state import WRITE_FAILED

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Sending"]

Data = bytes | memoryview


class Suspended(NamedTuple):
    """A send that is not looked at yet."""

    caller: Waiting
    data: Data
    rest: Remote | None


class Sending(Part):
    """The output of a connection.

    outbox: bytes that the system has not taken; always there while a file is sent.
    busy: the caller in send, above the high watermark.
    late_error: an error that came behind an early answer. The kernel reports an error once, and the
        rest of that send consumed it. So it is raised again on the next call, behind the bytes that
        can still be read.
    """

    __slots__ = ("_suspended", "busy", "file", "late_error", "outbox")

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.outbox: Outbox | None = None
        self.file: FileSend | None = None
        self.busy: Waiting | None = None
        self.late_error: OSError | None = None
        self._suspended: deque[Suspended] | None = None

    @property
    def pending(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self.outbox is None else self.outbox.size

    def interest(self) -> int:
        """WRITE, where bytes wait for the system."""
        return WRITE if self.outbox is not None and self.stream.state == CONNECTED else 0

    def raise_late_error(self) -> None:
        error, self.late_error = self.late_error, None
        if error is not None:
            raise error

    # --- send ---

    def send(self, ref: bytes, data: Data, rest: Remote | None = None) -> None:
        """Sends or queues `data`, and then `rest`, which is still with the node."""
        stream = self.stream
        session, options = stream.session, stream.options
        if self.busy is not None:
            return self._suspend(ref, data, rest)
        if stream.state != CONNECTED:
            return session.answer(ref, build_error(stream.last_words.for_send()))
        if stream.closing.pending_shutdown is not None:
            return stream.run_failure(WRITE_FAILED, "epipe", ref)
        header = options.packet.header
        size = len(data) if rest is None else len(data) + rest.left
        if header:
            data = build_header(header, size) + data
            size += header
        stream.counters.sent(size)
        if self.outbox is not None:
            return self._queue_behind(ref, data, rest)
        if data and options.delay_send:
            self._queue(data, rest)
            session.soon(self.write)
        elif data:
            if rest is None and size >= LARGE and session.fast.alone(stream.ident):
                return self._send_large(ref, data)
            sent = self._send_now(ref, data)
            if sent is None:
                return
            if sent < size:
                self._queue(memoryview(data)[sent:], rest)
                stream.set_interest(stream.interest | WRITE)
            elif not stream.early & SENDS:
                early.after_send(stream)
            elif size <= early.LARGEST:
                return early.answer(stream, ref)
        session.answer(ref, OK)

    def send_early(self, parts: list[bytes]) -> None:
        """Sends whose callers have had their answer. What fails is told to the next call, or to the owner.

        They do not wait for a busy sender: they are queued behind its data, where close finds them.
        """
        stream = self.stream
        if stream.state != CONNECTED:
            return  # the failure before it has been told
        if stream.closing.pending_shutdown is not None:
            return stream.run_failure(WRITE_FAILED, "epipe")
        header = stream.options.packet.header
        if header:
            parts = [build_header(header, len(part)) + part for part in parts]
        for part in parts:
            stream.counters.sent(len(part))
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if not data:
            return
        if self.outbox is not None:
            return self.outbox.add(data, None)
        sent = self._send_now(None, data)
        if sent is not None and sent < len(data):
            self._queue(memoryview(data)[sent:], None)
            stream.set_interest(stream.interest | WRITE)

    def _suspend(self, ref: bytes, data: Data, rest: Remote | None) -> None:
        """The send waits until the one before it has its answer."""
        if self._suspended is None:
            self._suspended = deque()
        self._suspended.append(Suspended(Waiting(self.stream.session, self.stream, ref), data, rest))

    def _send_large(self, ref: bytes, data: Data) -> None:
        """For a caller that is alone: sends the beginning, answers, and sends the rest meanwhile."""
        stream = self.stream
        fast = stream.session.fast
        early.await_close(stream)  # the rest may be queued behind the answer
        sent = self._send_now(ref, data[:BEGINNING], MSG_MORE)
        if sent is None:
            return
        stream.session.answer(ref, OK)
        if sent == BEGINNING:
            fast.flush()
            assert stream.sock is not None
            try:
                sent += stream.sock.send(memoryview(data)[sent:])
            except BlockingIOError:
                pass
            except OSError as error:
                self.late_error = error
                return
        if sent < len(data):
            self._queue(memoryview(data)[sent:], None)
            stream.set_interest(stream.interest | WRITE)

    def _send_now(self, ref: bytes | None, data: Data, flags: int = 0) -> int | None:
        """How much the system takes. None: it failed, and `ref` has its answer, where there is one."""
        stream = self.stream
        assert stream.sock is not None
        try:
            if self.late_error is not None:
                self.raise_late_error()
            return stream.sock.send(data, flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._failed(error, ref)
            return None

    def _failed(self, error: OSError, ref: bytes | None = None, reported: bool = False) -> None:
        reset = error.errno == errno.EPIPE and not self.stream.closing.epipe_is_plain
        name = "econnreset" if reset else self.stream.session.posix_name(error)
        self.stream.run_failure(WRITE_FAILED, name, ref, reported)

    # --- the queue ---

    def _queue(self, data: Data, rest: Remote | None) -> None:
        """`data` and `rest` wait for the system."""
        self.outbox = Outbox()
        self.outbox.add(data, rest)
        early.review(self.stream)

    def _queue_behind(self, ref: bytes, data: Data, rest: Remote | None) -> None:
        """A send while others wait: it may have to wait for its answer too."""
        assert self.outbox is not None
        stream = self.stream
        self.outbox.add(data, rest)
        timeout = stream.options.send_timeout
        if self.outbox.size < stream.options.high_watermark:
            stream.session.answer(ref, OK)
        elif timeout == 0:
            stream.session.answer(ref, build_error("timeout"))
        else:
            limit = -1 if timeout is None else timeout
            self.busy = Waiting(stream.session, stream, ref, limit, self.on_timeout)

    def on_timeout(self) -> None:
        """The option send_timeout."""
        busy, self.busy = self.busy, None
        if busy is not None:
            busy.answer(build_error("timeout"))
        if self.stream.options.send_timeout_close:
            self.stream.close_descriptor()
        self._resume_suspended()

    def end_busy(self, answer: bytes) -> None:
        """The send that waits gets `answer`, and those behind it their turn."""
        busy, self.busy = self.busy, None
        if busy is not None:
            busy.answer(answer)
        if self._suspended:
            # Not at once: the state that they will find is still in the making.
            self.stream.session.soon(self._resume_suspended)

    def _resume_suspended(self) -> None:
        while self._suspended and self.busy is None:
            caller, data, rest = self._suspended.popleft()
            try:
                if not caller.withdraw():
                    continue  # it had its answer after a bug
                self.send(caller.ref, data, rest)
            except Exception as error:
                self.stream.session.answer(caller.ref, failure(error))
                raise

    # --- writing ---

    def write(self) -> None:
        """Sends what waits, as long as the system takes it."""
        stream, outbox = self.stream, self.outbox
        if outbox is None:
            return  # it was closed meanwhile
        try:
            if self.late_error is not None:
                self.raise_late_error()
            if not self._write(outbox):
                return stream.set_interest(stream.interest & ~WRITE)  # until more has come from the node
        except BlockingIOError:
            return stream.set_interest(stream.interest | WRITE)
        except OSError as error:
            return self._write_failed(error)
        self.outbox = None
        stream.on_output_empty()

    def _write(self, outbox: Outbox) -> bool:
        """True when all is sent. False: the rest is still with the node. Raises OSError."""
        sock = self.stream.sock
        assert sock is not None
        if self.file is not None:
            if not self.file.write(outbox):
                return False
            self.file.finish()
            self._end_busy_if_low(outbox)
        while outbox.size:
            parts = outbox.vector()
            if not parts:
                return False
            outbox.sent(sock.sendmsg(parts))
            self._end_busy_if_low(outbox)
        return True

    def _end_busy_if_low(self, outbox: Outbox) -> None:
        if self.busy is not None and outbox.size <= self.stream.options.low_watermark:
            self.end_busy(OK)

    def _write_failed(self, error: OSError) -> None:
        stream = self.stream
        if self.file is not None:
            self.file.end(stream.session.posix_name(error))
            return self._failed(error, reported=stream.session.before_28)
        if stream.state == CONNECTED:
            return self._failed(error)
        stream.close_descriptor()  # the handle is gone: there is no owner and no caller to tell

    def sendfile(self, ref: bytes, request: Sendfile) -> None:
        """Answers `enotsup` when the descriptor cannot be had: file:sendfile/5 then reads the file itself."""
        stream = self.stream
        session = stream.session
        caller, number, offset, length = request
        if caller != stream.owner:
            return session.answer(ref, build_error("not_owner"))
        length = length or MAX_OFFSET
        if not (0 <= offset <= MAX_OFFSET and 0 <= length <= MAX_OFFSET):
            return session.answer(ref, build_error("einval"))
        if stream.state != CONNECTED:
            return session.answer(ref, build_error("enotconn"))
        if self.file is not None:
            return session.answer(ref, build_error("einval"))  # one at a time: its caller waits
        try:
            descriptor = session.borrow(number)
        except OSError:
            return session.answer(ref, build_error("enotsup"))
        if self.outbox is None:
            self.outbox = Outbox()
            early.review(stream)
        waiting = Waiting(session, stream, ref)
        self.file = FileSend(stream, waiting, descriptor, offset, length, self.outbox.size)
        self.write()

    # --- large sends ---

    def on_piece(self) -> None:
        """More of a large send has come from the node."""
        if self.stream.sock is not None:
            self.write()

    def on_feeder_down(self) -> None:
        """The rest of a large send will not come: the stream ends in the middle of it."""
        if self.stream.state == CONNECTED:
            self.stream.run_failure(WRITE_FAILED, "closed")
        else:
            self.stream.close_descriptor()

    # --- ends ---

    def drop(self) -> None:
        """Nothing of what waits is sent."""
        if self.outbox is not None:
            self.outbox.drop()
            self.outbox = None
        if self.file is not None:
            self.file.end("closed")
        self.stream.closing.on_output_dropped()

    def end_callers(self) -> None:
        """The socket is gone: all callers are answered. What is queued may still be written."""
        suspended, self._suspended = self._suspended, None
        if self.busy is not None:
            self.end_busy(build_error("closed"))
        for caller, _, _ in suspended or ():
            caller.answer(build_error("einval"))
        if self.file is not None:
            self.drop()  # half a file is of no use to anybody
