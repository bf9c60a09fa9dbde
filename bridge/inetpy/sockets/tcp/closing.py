"""Shutdown, and callers in close."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ...session.waiting import Waiting
from ...wire.messages import OK, build_error
from ...wire.requests import Shutdown
from .. import early
from ..handle import CONNECTED
from .part import Part
from .state import WRITE_FAILED

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Closing"]

CLOSE_WAIT = 180_000  # ms that close waits for a queue that gets shorter
CLOSE_CHECK = 5_000  # ms in which it must get shorter

_HOW = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "read_write": socket.SHUT_RDWR}


class Closing(Part):
    """The end of a connection, as its user asks for it.

    epipe_is_plain: EPIPE means that the output was shut down here; otherwise it means a reset. Set by a
        shutdown that failed or that waited for the queue (TCP_ADDF_SHUTDOWN_WR_DONE in inet_drv).
    pending_shutdown: how to shut down when the queue has been written, or None.
    """

    __slots__ = ("_callers", "_ends", "epipe_is_plain", "pending_shutdown")

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.epipe_is_plain = False
        self.pending_shutdown: int | None = None
        self._callers: list[Closer] | None = None
        self._ends = False

    def shutdown(self, ref: bytes, request: Shutdown) -> None:
        stream = self.stream
        session = stream.session
        if stream.state != CONNECTED:
            return session.answer(ref, build_error("enotconn"))
        how = _HOW[request.how.name]
        if how != socket.SHUT_RD:
            early.end(stream)
        if how != socket.SHUT_RD and stream.sending.outbox is not None:
            self.pending_shutdown = how
            return session.answer(ref, OK)
        assert stream.sock is not None
        try:
            stream.sock.shutdown(how)
        except OSError as error:
            self.epipe_is_plain = self.epipe_is_plain or how != socket.SHUT_RD
            return session.answer(ref, build_error(session.posix_name(error)))
        session.poller.look_again()  # as after the end of a socket
        session.answer(ref, OK)

    def close(self, ref: bytes) -> None:
        """As prim_inet:close/1: waits for the queue, within limits."""
        stream = self.stream
        stream.session.closes += 1
        if stream.sending.pending and not stream.discards_on_close():
            self._callers = self._callers or []
            self._callers.append(Closer(stream, ref))
            return
        stream.terminate()
        stream.session.answer(ref, OK)

    def on_output_empty(self) -> None:
        """The queue has been written."""
        stream = self.stream
        if self._callers:
            return stream.terminate()
        if self.pending_shutdown is None:
            return
        assert stream.sock is not None
        try:
            stream.sock.shutdown(self.pending_shutdown)
        except OSError as error:
            stream.run_failure(WRITE_FAILED, stream.session.posix_name(error))
        else:
            stream.session.poller.look_again()
            self.epipe_is_plain = True

    def on_output_dropped(self) -> None:
        """There is nothing to wait for any more."""
        if self._callers and not self._ends:
            self._ends = True  # once: a bug in there drops the output again
            self.stream.session.soon(self.stream.terminate)

    def end(self) -> None:
        callers, self._callers = self._callers, None
        for caller in callers or ():
            caller.answer()


class Closer:
    """A caller in close, while bytes wait to be sent.

    It waits for as long as `linger` says, or else at most three minutes. It also gives up when a look
    every five seconds finds the queue as long as it was at first (prim_inet:close_pend_loop/3).
    """

    __slots__ = ("_caller", "_check", "_pending", "_stream")

    def __init__(self, stream: Stream, ref: bytes) -> None:
        self._stream = stream
        self._caller = Waiting(stream.session, stream, ref, self._limit(), self.finish)
        self._pending = stream.sending.pending
        self._check = stream.session.after(CLOSE_CHECK, self.on_check)

    def _limit(self) -> int:
        """In ms."""
        on, seconds = self._stream.linger()
        return seconds * 1000 if on else CLOSE_WAIT

    def on_check(self) -> None:
        stream = self._stream
        if stream.sending.pending == self._pending or stream.ident not in stream.session.sockets:
            return self.finish()
        self._check = self._stream.session.after(CLOSE_CHECK, self.on_check)

    def finish(self) -> None:
        """Closes now; `Closing.end` answers all that wait in close."""
        self._stream.terminate()

    def answer(self) -> None:
        self._check.cancel()
        self._caller.answer(OK)

    def fail(self, error: Exception) -> None:
        self._check.cancel()
        self._stream.fail(error)
