"""The way to a connection."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...host.api import WRITE
from ...names.addresses import Sockaddr
from ...session.waiting import Waiting
from .. import early
from .part import Part
from .state import IN_PROGRESS

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["Connecting", "Done"]

# Called with the stream, and None when the connection is there, or else the name of an error.
Done = Callable[["Stream", str | None], None]


class Connecting(Part):
    """One connect(2), until it has come to something.

    caller: the one that waits for it, with a timer of its own. None in a race of several connections.
    done: is called once.
    """

    __slots__ = ("_caller", "_done")

    def __init__(self, stream: Stream, done: Done, caller: Waiting | None) -> None:
        super().__init__(stream)
        self._caller = caller
        self._done = done

    def start(self, address: Sockaddr, timeout: int) -> None:
        stream = self.stream
        assert stream.sock is not None
        try:
            stream.sock.connect(address)
        except BlockingIOError as error:
            if error.errno == errno.EAGAIN:
                # The queue of a unix listener is full. inet_drv takes this for a connection.
                return self._finish()
            stream.move(IN_PROGRESS)
            if timeout and self._is_there():
                return self._finish()
            stream.set_interest(WRITE)
            if self._caller is not None:
                self._caller.start_timer(timeout, self.on_timeout)
        except OSError as error:
            self.give_up(stream.session.posix_name(error))
        else:
            self._finish()

    def _is_there(self) -> bool:
        """Whether the connection is there already: on this host it is, when connect(2) returns.

        A controlled socket and a trace have to hear of it first. A caller with a timeout of 0 gets that.
        """
        sock = self.stream.sock
        if sock is None or not early.is_unseen(self.stream):
            return False
        try:
            sock.getpeername()
        except OSError:
            return False
        return True

    def on_ready(self) -> None:
        stream = self.stream
        assert stream.sock is not None
        if self._caller is not None and self._caller.expire():
            return
        number = stream.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return self.give_up(stream.session.posix_name(OSError(number, "connect")))
        try:
            stream.sock.getpeername()
        except OSError:
            return  # readiness that was meant for an earlier owner of the descriptor
        self._finish()

    def on_timeout(self) -> None:
        if self.stream.connecting is self:
            self.give_up("timeout")

    def give_up(self, name: str) -> None:
        self.stream.connecting = None
        try:
            self.stream.terminate()
        finally:  # a race goes on, also behind a bug
            self._done(self.stream, name)

    def end(self, name: str) -> None:
        """The socket has ended meanwhile."""
        self.stream.connecting = None
        self._done(self.stream, name)

    def _finish(self) -> None:
        self.stream.establish()
        self.stream.connecting = None
        self._done(self.stream, None)
