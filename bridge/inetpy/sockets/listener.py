"""A listening socket.

Those in accept wait in a queue and are served in order. As in inet_drv, only
the first of them tries at once: while others wait, a new one goes behind them.
"""

from __future__ import annotations

from typing import ClassVar

from .. import options
from ..codec.terms import Atom, Pid
from ..host import bugs
from ..host.api import READ, Socket
from ..session.session import Session
from ..session.waiting import Waiting
from ..wire.active import PASSIVE
from ..wire.messages import build_error, build_ok
from ..wire.requests import Accept
from . import early
from .handle import CLOSED, LIFE, LISTEN, LISTENING, LOSE, OPEN, Handle, Life
from .tcp.state import ESTABLISHED
from .tcp.stream import Stream

__all__ = ["Listener"]


class Acceptor:
    """One caller in accept. A process that dies meanwhile takes no connection."""

    __slots__ = ("caller", "listener", "owner")

    def __init__(self, listener: Listener, ref: bytes, request: Accept) -> None:
        self.listener = listener
        self.owner = request.owner
        self.caller = Waiting(
            listener.session, listener, ref, request.timeout, self.on_timeout, request.owner, self.drop
        )

    def on_timeout(self) -> None:
        self.drop()
        self.caller.answer(build_error("timeout"))

    def drop(self) -> None:
        """The caller waits no longer. It may have been dropped before, with the listener."""
        self.listener.acceptors.pop(self, None)

    def fail(self, error: Exception) -> None:
        self.listener.fail(error)


class Listener(Handle):
    """See the module."""

    __slots__ = ("acceptors",)

    kind: ClassVar[str] = "listener"
    table = options.LISTENER
    life: ClassVar[Life] = LIFE | {OPEN: {LISTEN: LISTENING, LOSE: CLOSED}, LISTENING: {LOSE: CLOSED}}

    def __init__(self, session: Session, module: Atom, owner: Pid, sock: Socket) -> None:
        super().__init__(session, module, owner, sock)
        self.acceptors: dict[Acceptor, None] = {}  # in the order in which they came

    def op_accept(self, ref: bytes, request: Accept) -> None:
        if not self.acceptors:
            try:
                sock = self._accept()
            except BlockingIOError:
                pass
            except OSError as error:
                return self.session.answer(ref, build_error(self.session.posix_name(error)))
            else:
                stream = self._hand_over(request.owner, sock)
                self.session.answer(ref, build_ok(stream.name))
                return bugs.guard(stream.begin_accepted, self)
        if request.timeout == 0:
            return self.session.answer(ref, build_error("timeout"))
        self.acceptors[Acceptor(self, ref, request)] = None
        self.set_interest(READ)

    def _listening(self) -> Socket:
        assert self.sock is not None  # a listener loses its descriptor with its name only
        return self.sock

    def _accept(self) -> Socket:
        sock: Socket = self._listening().accept()[0]
        sock.setblocking(False)
        return sock

    def on_ready(self, _events: int) -> None:
        if not self.acceptors:
            return self.set_interest(0)
        while self.acceptors:
            acceptor = next(iter(self.acceptors))
            if acceptor.caller.expire():
                continue
            try:
                sock = self._accept()
            except BlockingIOError:
                return
            except OSError as error:
                acceptor.drop()
                return acceptor.caller.answer(build_error(self.session.posix_name(error)))
            stream = self._hand_over(acceptor.owner, sock)
            acceptor.drop()
            acceptor.caller.answer(build_ok(stream.name))
            bugs.guard(stream.begin_accepted, self)

    def _hand_over(self, owner: Pid, sock: Socket) -> Stream:
        """The connection of `sock`, for its new owner."""
        network = self.session.network
        if network is not None:
            sock = network.accepted(owner, sock)
        try:
            stream = Stream(self.session, self.module, owner, sock, like=self)
            stream.move(ESTABLISHED)
            self.session.add(stream)
        except Exception:
            sock.close()
            raise
        if network is not None:
            network.opened(stream)
        if self.active == PASSIVE:
            early.after_opening(stream)
        return stream

    def tell_closed(self, error: str | None) -> None:
        """The owner of a listener gets no messages."""

    def states(self) -> tuple[str, ...]:
        waiting = ("accepting",) if self.acceptors else ()
        return waiting + super().states()

    def watched(self) -> list[Pid]:
        return [acceptor.owner for acceptor in self.acceptors]

    def terminate(self) -> None:
        super().terminate()
        for acceptor in list(self.acceptors):
            acceptor.drop()
            acceptor.caller.answer(build_error("closed"))

    def listen(self, backlog: int) -> None:
        """listen(2). Raises OSError, and then the socket is gone."""
        try:
            self._listening().listen(backlog)
        except OSError:
            self.terminate()
            raise
        self.move(LISTEN)


Listener.ops = Handle.ops | {"accept": Listener.op_accept}
