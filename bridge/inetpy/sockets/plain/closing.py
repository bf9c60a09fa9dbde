"""Ends of a plain socket: its owner's, that of a process that waits, close, and a bug.

Bytes that are held (see `held`) are written after the end, as the system writes those in its buffer.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any, ClassVar

from ...codec.terms import Pid
from ...host.api import WRITE, Socket, Timer
from ...session.session import Session
from ...session.waiting import failure
from ...wire.messages import OK
from . import connector
from .held import Held, held_of

if TYPE_CHECKING:
    from .plain import Plain

__all__ = ["close", "close_early", "close_file", "fail", "linger", "on_down", "terminate"]

log = logging.getLogger(__name__)


def close(plain: Plain, ref: bytes, _request: Any) -> None:
    """socket:close/1."""
    plain.open_socket  # noqa: B018  raises what a closed one answers
    plain.session.closes += plain.is_connection
    plain.terminate(ref)


def close_early(plain: Plain, taken: int = 0) -> None:
    """The same, for a caller that has answered itself: see `sockets.early`.

    taken: the number of bytes that the node has given to a recv ahead of this, or 0.

    Where a recv has crossed the close, it is not known yet whether bytes of it were read. For all others the
    socket is closed at once then, too.
    """
    if plain.closing:
        return  # by a caller before this one
    plain.on_recalled(taken, given_up=False)
    if plain.sock is None:
        return
    plain.session.closes += 1
    if plain.ahead is None:
        return plain.terminate()
    plain.closing = True
    plain.session.keep_ended(plain.ident, plain)
    plain.defer(plain.terminate)


def linger(plain: Plain, sock: Socket) -> tuple[bool, int]:
    """The option linger: (on, seconds). Raises OSError."""
    if not (plain.may_linger or plain.shared):
        return False, 0
    on, seconds = struct.unpack("ii", sock.getsockopt(SOL_SOCKET, SO_LINGER, 8))
    return bool(on), seconds


def on_down(plain: Plain, pid: Pid) -> None:
    """The owner has ended, or a process that waits or has waited."""
    if plain.ahead is not None:
        return plain.defer(lambda: on_down(plain, pid))
    if pid == plain.owner:
        return plain.terminate()
    plain.watched.pop(pid, None)
    for waiters in (plain.readers, plain.writers, plain.acceptors):
        for waiter in [waiter for waiter in waiters if waiter.process == pid]:
            waiters.remove(waiter)
            plain.forget(waiter)
        if waiters.left is not None and waiters.left.process == pid:
            plain.forget(waiters.left)
            waiters.left = None
    if plain.connector is not None and plain.connector.process == pid:
        plain.forget(plain.connector)
        connector.take(plain)
    plain.update_interest()


def terminate(plain: Plain, ref: bytes | None = None) -> None:
    """The end of the socket, for the caller `ref` if there is one."""
    session = plain.session
    if session.sockets.get(plain.ident) is not plain:
        return
    held = held_of(plain)
    _abort_all(plain)
    session.remove(plain)
    for process in list(plain.watched):
        plain.unwatch_process(process)
    session.keep_ended(plain.ident, plain)
    close_file(plain)
    sock, plain.sock = plain.sock, None
    if sock is not None:
        plain.leave_poller(sock)
        _close(session, sock, held, linger(plain, sock), ref)
    plain.settle()


def fail(plain: Plain) -> None:
    """The end after a bug."""
    try:
        plain.terminate()
    except Exception:
        log.exception("while %r was ended", plain)
    if plain.sock is not None:
        plain.session.poller.forget(plain.sock)
        plain.sock.close()
        plain.sock = None


def close_file(plain: Plain) -> None:
    """Of sendfile: the descriptor is a copy."""
    if plain.file is not None:
        file, plain.file = plain.file, None
        plain.session.host.close_file(file)


def _abort_all(plain: Plain) -> None:
    """All that wait hear that the socket is closed, in the order of OTP."""
    if plain.connector is not None:
        waiter, plain.connector = plain.connector, None
        plain.abort_one(waiter, "closed")
    for waiters in (plain.writers, plain.readers, plain.acceptors):
        plain.abort(waiters, "closed")


def _close(
    session: Session, sock: Socket, held: list[Held], linger: tuple[bool, int], ref: bytes | None
) -> None:
    """Closes the socket when what is held has been written. The caller waits only as long as linger says."""
    on, seconds = linger
    closer = _Closer(session, ref)
    if on and seconds:
        if held:
            _Remains(session, sock, held, seconds * 1000, closer.close)
        else:
            closer.close(sock)
        return
    if held and not on:
        _Remains(session, sock, held, None, lambda sock: sock.close())
    else:
        sock.close()
        session.poller.look_again()  # its peer may be one of ours: see `early`
    closer.answer(None)


class _Closer:
    """The caller of close. ref: None when there is no caller."""

    __slots__ = ("_ref", "_session")

    def __init__(self, session: Session, ref: bytes | None) -> None:
        self._session = session
        self._ref = ref

    def close(self, sock: Socket) -> None:
        """Answers when close(2) has waited as long as the option linger says."""
        self._session.host.close_lingering(sock, self.answer)

    def answer(self, _result: None) -> None:
        self._answer(OK)

    def fail(self, error: Exception) -> None:
        self._answer(failure(error))

    def _answer(self, body: bytes) -> None:
        ref, self._ref = self._ref, None
        if ref is not None:
            self._session.answer(ref, body)


class _Remains:
    """What a socket that is closed has still to write.

    limit: in ms, or None.
    done: is called with the socket when all is written, cannot be, or the time is over.
    """

    survives: ClassVar[bool] = False

    def __init__(
        self,
        session: Session,
        sock: Socket,
        held: list[Held],
        limit: int | None,
        done: Callable[[Socket], None],
    ) -> None:
        self._sock = sock
        self._held = deque(held)
        self._poller = session.poller
        self._done = done
        self._timer: Timer | None = None
        if limit is not None:
            self._timer = session.host.clock.after(limit, self._end)
        self._poller.add(sock, WRITE, self)

    def on_ready(self, _events: int) -> None:
        try:
            while self._held:
                self._held[0].write(self._sock)
                if self._held[0].data:
                    return
                self._held.popleft()
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._poller.remove(self._sock)
        self._done(self._sock)

    def fail(self, _error: Exception) -> None:
        self._poller.forget(self._sock)
        self._done(self._sock)
