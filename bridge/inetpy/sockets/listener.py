"""A listening socket.

Those in accept wait in a queue and are served in order. As in inet_drv, only
the first of them tries at once: while others wait, a new one goes behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import bugs
from ..errors import posix_name
from ..messages import build_error, build_ok
from ..packet import PacketType
from ..syscalls import READ
from ..terms import Pid
from ..waiting import Waiting
from .handle import CONNECTED, LISTENING, Handle
from .stream import Stream

if TYPE_CHECKING:
    import socket

    from ..session import Session
    from ..terms import Atom

__all__ = ["Listener"]


class Acceptor:
    """One caller in accept. It is dropped when it dies, so that it takes no connection."""

    __slots__ = ("caller", "listener", "process")

    def __init__(self, listener: Listener, ref: bytes, process: Pid, timeout: int) -> None:
        self.listener = listener
        self.process = process
        self.caller = Waiting(listener.session, listener, ref, timeout, self.on_timeout)
        listener.session.watch(process, self)

    def on_timeout(self) -> None:
        self.listener.drop(self)
        self.caller.answer(build_error("timeout"))

    def on_down(self, _pid: Pid) -> None:
        self.listener.drop(self)
        self.caller.withdraw()

    def fail(self, error: Exception) -> None:
        self.listener.fail(error)


class Listener(Handle):
    """See the module."""

    __slots__ = ("acceptors",)

    kind: ClassVar[str] = "listener"

    def __init__(self, session: Session, module: Atom, owner: Pid, sock: socket.socket) -> None:
        super().__init__(session, module, owner, sock)
        self.acceptors: dict[Acceptor, None] = {}  # in the order in which they came

    def op_accept(self, ref: bytes, args: Any) -> None:
        process, given = args
        timeout = self.session.remaining(given)
        if timeout is None:
            return self.session.reply(ref, build_error("timeout"))
        if not self.acceptors:
            try:
                sock = self.syscalls.accept(self._listening())
            except BlockingIOError:
                pass
            except OSError as error:
                return self.session.reply(ref, build_error(posix_name(error)))
            else:
                stream = self._hand_over(process, sock)
                self.session.reply(ref, build_ok(stream.name))
                return bugs.guard(stream.begin, self)
        if timeout == 0:
            return self.session.reply(ref, build_error("timeout"))
        self.acceptors[Acceptor(self, ref, process, timeout)] = None
        self.want(READ)

    def _listening(self) -> socket.socket:
        assert self.sock is not None  # a listener loses its descriptor with its name only
        return self.sock

    def on_ready(self, _events: int) -> None:
        if not self.acceptors:
            return self.want(0)
        while self.acceptors:
            acceptor = next(iter(self.acceptors))
            if acceptor.caller.overdue:
                acceptor.on_timeout()  # its process has gone on: a connection for it would be lost
                continue
            try:
                sock = self.syscalls.accept(self._listening())
            except BlockingIOError:
                return
            except OSError as error:
                self.drop(acceptor)
                return acceptor.caller.answer(build_error(posix_name(error)))
            stream = self._hand_over(acceptor.process, sock)
            self.drop(acceptor)
            acceptor.caller.answer(build_ok(stream.name))
            bugs.guard(stream.begin, self)

    def _hand_over(self, owner: Pid, sock: socket.socket) -> Stream:
        """The connection of `sock`, for its new owner."""
        try:
            stream = Stream(self.session, self.module, owner, sock, like=self)
            stream.state = CONNECTED
            self.session.enter(stream)
        except Exception:
            self.syscalls.close(sock)
            raise
        return stream

    def states(self) -> tuple[str, ...]:
        waiting = ("accepting",) if self.acceptors else ()
        return waiting + super().states()

    def watched(self) -> list[Pid]:
        return [acceptor.process for acceptor in self.acceptors]

    def drop(self, acceptor: Acceptor) -> None:
        """The caller waits no longer. It may have been dropped before, with the listener."""
        if acceptor in self.acceptors:
            del self.acceptors[acceptor]
            self.session.unwatch(acceptor.process, acceptor)

    def settle(self, old_active: int, old_packet: PacketType) -> None:
        pass  # a listener receives nothing

    def terminate(self) -> None:
        super().terminate()
        for acceptor in list(self.acceptors):
            self.drop(acceptor)
            acceptor.caller.answer(build_error("closed"))

    def listen(self, backlog: int) -> None:
        """listen(2). Raises OSError, and then the socket is gone."""
        try:
            self.syscalls.listen(self._listening(), backlog)
        except OSError:
            self.terminate()
            raise
        self.state = LISTENING


Listener.ops = Handle.ops | {"accept": Listener.op_accept}
