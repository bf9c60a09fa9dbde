"""A listening socket.

Those in accept wait in a queue and are served in order. As in inet_drv, only
the first of them tries at once: while others wait, a new one goes behind them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from socket import SO_PRIORITY, SOL_SOCKET
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import posix_name
from ..messages import build_error, build_ok
from ..packet import PacketType
from ..syscalls import READ
from ..terms import Pid
from .handle import CONNECTED, LISTENING, Handle
from .stream import Stream

if TYPE_CHECKING:
    import socket

    from ..session import Session
    from ..terms import Atom

__all__ = ["Listener"]


class Acceptor:
    """One caller in accept. It is dropped when it dies, so that it takes no connection."""

    __slots__ = ("caller", "listener", "ref", "timer")

    def __init__(self, listener: Listener, ref: bytes, caller: Pid, timeout: int) -> None:
        self.listener = listener
        self.ref = ref
        self.caller = caller
        self.timer: asyncio.TimerHandle | None = None
        if timeout >= 0:
            self.timer = listener.session.after(timeout, self.on_timeout)
        listener.session.watch(caller, self)

    def on_timeout(self) -> None:
        self.timer = None
        self.listener.drop(self)
        self.listener.session.reply(self.ref, build_error("timeout"))

    def on_down(self, _pid: Pid) -> None:
        self.listener.drop(self)

    def release(self) -> None:
        """Gives up the timer and the watch."""
        if self.timer is not None:
            self.timer.cancel()
        self.listener.session.unwatch(self.caller, self)


class Listener(Handle):
    """See the module."""

    __slots__ = ("acceptors",)

    kind: ClassVar[str] = "listener"

    def __init__(self, session: Session, module: Atom, owner: Pid, sock: socket.socket) -> None:
        super().__init__(session, module, owner, sock)
        self.acceptors: deque[Acceptor] = deque()

    def op_accept(self, ref: bytes, args: Any) -> None:
        caller, timeout = args
        if not self.acceptors:
            try:
                sock = self.syscalls.accept(self._listening())
            except BlockingIOError:
                pass
            except OSError as error:
                return self.session.reply(ref, build_error(posix_name(error)))
            else:
                return self._hand_over(ref, caller, sock)
        if timeout == 0:
            return self.session.reply(ref, build_error("timeout"))
        self.acceptors.append(Acceptor(self, ref, caller, timeout))
        self.want(READ)

    def _listening(self) -> socket.socket:
        assert self.sock is not None  # a listener loses its descriptor with its name only
        return self.sock

    def on_ready(self, _events: int) -> None:
        if not self.acceptors:
            return self.want(0)
        while self.acceptors:
            try:
                sock = self.syscalls.accept(self._listening())
            except BlockingIOError:
                return
            except OSError as error:
                acceptor = self._next()
                return self.session.reply(acceptor.ref, build_error(posix_name(error)))
            acceptor = self._next()
            self._hand_over(acceptor.ref, acceptor.caller, sock)

    def _next(self) -> Acceptor:
        acceptor = self.acceptors.popleft()
        acceptor.release()
        return acceptor

    def _hand_over(self, ref: bytes, caller: Pid, sock: socket.socket) -> None:
        stream = Stream(self.session, self.module, caller, sock, like=self)
        stream.state = CONNECTED
        self.session.enter(stream)
        self.session.reply(ref, build_ok(stream.name))
        # Here inet_drv's Erlang side gives some options of the listener to the new
        # socket (prim_inet:accept_opts); most of the system's came with the descriptor.
        if self.marked:
            priority = self.get_system_option(SOL_SOCKET, SO_PRIORITY, 0)
            stream.set_system_option(SOL_SOCKET, SO_PRIORITY, priority)  # type: ignore[arg-type]
        stream.set_active(self.active, self.active_count)
        stream.settle(0, stream.packet)

    def states(self) -> tuple[str, ...]:
        waiting = ("accepting",) if self.acceptors else ()
        return waiting + super().states()

    def watched(self) -> list[Pid]:
        return [acceptor.caller for acceptor in self.acceptors]

    def drop(self, acceptor: Acceptor) -> None:
        # When its process owned the listener too, it may have been answered before.
        if acceptor in self.acceptors:
            self.acceptors.remove(acceptor)
            acceptor.release()

    def settle(self, old_active: int, old_packet: PacketType) -> None:
        pass  # a listener receives nothing

    def terminate(self) -> None:
        super().terminate()
        while self.acceptors:
            self.session.reply(self._next().ref, build_error("closed"))

    def listen(self, backlog: int) -> None:
        """listen(2). Raises OSError, and then the socket is gone."""
        try:
            self.syscalls.listen(self._listening(), backlog)
        except OSError:
            self.terminate()
            raise
        self.state = LISTENING


Listener.ops = Handle.ops | {"accept": Listener.op_accept}
