"""A TCP connection, or a unix socket of streams: the rules of inet_drv.

A connection holds its concerns as parts: `connecting` (while it does), `receiving`, `delivery`,
`sending`, `closing`. What a failure brings about is a table in `state`.
"""

from __future__ import annotations

import socket
from typing import ClassVar

from ... import options
from ...codec.etf import encode_body
from ...codec.terms import Atom, Pid
from ...host.api import READ, WRITE, Socket
from ...names.addresses import Sockaddr
from ...packet import PacketType
from ...session.session import Session
from ...session.waiting import Waiting
from ...wire import requests
from ...wire.active import ONCE, PASSIVE
from .. import early
from ..handle import CLOSED, CONNECTED, Handle
from . import failures
from .closing import Closing
from .connecting import Connecting, Done
from .delivery import Delivery
from .failures import Failure
from .outbox import Remote
from .receiving import Receiving
from .sending import Sending
from .state import ESTABLISHED, FLUSH, LIFE, LastWords

__all__ = ["Stream"]

_READY = READ | WRITE


class Stream(Handle):
    """See the module."""

    __slots__ = ("closing", "connecting", "delivery", "last_words", "receiving", "sending")

    kind: ClassVar[str] = "stream"
    table = options.STREAM
    life = LIFE
    early_request: ClassVar[type] = bytes

    def __init__(
        self, session: Session, module: Atom, owner: Pid, sock: Socket, like: Handle | None = None
    ) -> None:
        super().__init__(session, module, owner, sock, like)
        self.connecting: Connecting | None = None
        self.receiving = Receiving(self)
        self.delivery = Delivery(self)
        self.sending = Sending(self)
        self.closing = Closing(self)
        self.last_words = LastWords()
        self.rename(self.name)

    def rename(self, name: bytes) -> None:
        super().rename(name)
        self.delivery.rename(name)

    # --- beginnings ---

    def connect(
        self,
        address: Sockaddr,
        done: Done,
        caller: Waiting | None = None,
        timeout: int = -1,
    ) -> None:
        """Calls `done` when it has come to something.

        `caller` is the one that waits for it, for `timeout` ms.
        """
        self.connecting = Connecting(self, done, caller)
        self.connecting.start(address, timeout)

    def establish(self) -> None:
        """The connection is there."""
        self.move(ESTABLISHED)
        if self.active != PASSIVE:
            self.receiving.start()
        else:
            self.set_interest(0)

    def adopt(self) -> None:
        """For a descriptor that somebody else opened: goes on where that left off."""
        assert self.sock is not None
        try:
            self.sock.getpeername()
        except OSError:
            return
        self.establish()

    def begin_accepted(self, listener: Handle) -> None:
        """An accepted connection, whose owner has its name: messages may follow.

        Here inet_drv's Erlang side gives some options of the listener to the new socket
        (prim_inet:accept_opts); most of the system's came with the descriptor.
        """
        if listener.options.priority_set:
            priority = listener.get_system_option(socket.SOL_SOCKET, socket.SO_PRIORITY, 0)
            self.set_system_option(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)  # type: ignore[arg-type]
        self.set_active(listener.active, listener.active_count)
        self.on_options(PASSIVE, self.options.packet)

    # --- states ---

    def run_failure(
        self, event: str, error: str | None = None, ref: bytes | None = None, reported: bool = False
    ) -> None:
        """The connection has failed: see `state.FAILURES`."""
        failures.run(self, event, Failure(error, ref, reported))

    def states(self) -> tuple[str, ...]:
        busy = ("busy",) if self.sending.busy is not None else ()
        return busy + super().states()

    @property
    def send_pend(self) -> int:
        return self.sending.pending

    # --- readiness ---

    def on_ready(self, events: int) -> None:
        if self.connecting is not None:
            return self.connecting.on_ready()
        if self.always and events & ~_READY:
            early.end(self)
        # Output first, as the emulator has it: a reset is told once, by the write that meets it.
        if events & ~READ and self.interest & WRITE:
            self.sending.write()
        if events & ~WRITE and self.interest & READ:
            self.receiving.on_ready()

    def resume(self) -> None:
        if self.delivery.waits:
            self.session.in_turn(self.delivery.on_turn)
        else:
            self.receiving.resume()

    def on_output_empty(self) -> None:
        """All that was queued has been written."""
        if self.state != CONNECTED:
            return self.close_descriptor()
        self.set_interest(self.interest & ~WRITE)
        self.closing.on_output_empty()

    # --- the owner ---

    def tell_closed(self, error: str | None) -> None:
        """Errors as often as they come, the end once in a socket's life."""
        words = self.last_words
        if not words.closed_sent:
            words.closed_sent = True
            super().tell_closed(error)
        elif error is not None:
            self.tell_owner("tcp_error", encode_body(Atom(error)))

    def set_active(self, mode: int, increment: int) -> None:
        super().set_active(mode, increment)
        if self.active != PASSIVE and self.state == CLOSED:
            # The owner asks for messages of a connection that is gone: there is one.
            self.tell_closed(self.last_words.for_owner())
            if self.options.exit_on_close:
                self.terminate()
                raise options.SocketClosed

    def on_options(self, old_active: int, old_packet: PacketType) -> None:
        self.delivery.on_options(old_active, old_packet)
        if self.early:
            early.review(self)

    def answer_behind_messages(self, ref: bytes, body: bytes) -> None:
        self.delivery.answer_behind(ref, body)

    # --- operations ---

    def op_recv(self, ref: bytes, request: requests.Recv) -> None:
        self.receiving.recv(ref, request)

    def op_send(self, ref: bytes, request: requests.Send) -> None:
        self.sending.send(ref, request.data)

    def may_send_early(self) -> bool:
        options, sending = self.options, self.sending
        return (
            self.state == CONNECTED
            and sending.outbox is None
            and sending.late_error is None
            and options.send_timeout is None
            and not options.delay_send
        )

    def may_ask_once(self) -> bool:
        return self.state == CONNECTED and not self.receiving.inbox.data

    def may_close_early(self) -> bool:
        return self.state == CONNECTED and self.active == PASSIVE and self.sending.outbox is None

    def close_early(self) -> None:
        """`close`, which has been answered. What a send has queued meanwhile is still written."""
        self.session.closes += 1
        self.terminate()

    def send_early(self, parts: list[bytes]) -> None:
        """Sends that have been answered."""
        self.sending.send_early(parts)

    def ask_once(self) -> None:
        """`{active, once}`, which has been answered."""
        old_active = self.active
        if old_active == ONCE and self.state == CONNECTED and not self.delivery.waits:
            return  # it is so already
        self.delivery.finish()
        try:
            self.set_active(ONCE, 0)
        except options.SocketClosed:
            return
        self.delivery.on_options(old_active, self.options.packet)

    def op_send_large(self, ref: bytes, request: requests.SendLarge) -> None:
        size, feeder, data = request
        self.sending.send(ref, data, Remote(self, ref, feeder, size - len(data)))

    def op_sendfile(self, ref: bytes, request: requests.Sendfile) -> None:
        self.sending.sendfile(ref, request)

    def op_peername(self, ref: bytes, request: requests.Peername) -> None:
        if self.state != CONNECTED:
            return super().op_peername(ref, request)
        self.answer_address(ref, peer=True)

    # These come behind the messages that inet_drv would have sent before them.

    def op_close(self, ref: bytes, _request: requests.Close) -> None:
        self.delivery.finish()
        self.closing.close(ref)

    def op_controlling_process(self, ref: bytes, request: requests.ControllingProcess) -> None:
        self.delivery.finish()
        super().op_controlling_process(ref, request)

    def op_setopts(self, ref: bytes, request: requests.Setopts) -> None:
        if early.asks_once_again(self, request.options):
            self.ask_once()
            return early.answer(self, ref)
        self.delivery.finish()
        super().op_setopts(ref, request)
        if request.options == early.ASKS_ONCE:
            self.repeats += 1
            early.after_once(self)

    def op_shutdown(self, ref: bytes, request: requests.Shutdown) -> None:
        self.delivery.finish()
        self.closing.shutdown(ref, request)

    def op_unrecv(self, ref: bytes, request: requests.Unrecv) -> None:
        self.delivery.finish()
        self.receiving.unrecv(ref, bytes(request.data))

    # --- ends ---

    def close_descriptor(self) -> None:
        """Closes it, and drops what was to be sent through it (tcp_desc_close)."""
        self.sending.drop()
        super().close_descriptor()
        if self.ident not in self.session.sockets:
            self.session.soon(self._release)

    def _release(self) -> None:
        """The handle is gone, and so is the descriptor: no circle of references is left.

        Not at once: methods of the parts may be under way.
        """
        if hasattr(self.sending, "stream"):  # the descriptor can be closed twice in one turn
            del self.receiving.stream, self.delivery.stream, self.sending.stream, self.closing.stream

    def terminate(self) -> None:
        if not self.session.remove(self):
            return  # it has ended before
        if self.connecting is not None:
            self.connecting.end("closed")
        self.receiving.end()
        self.delivery.end()
        self.sending.end_callers()
        self.closing.end()
        if self.sending.outbox is not None and not self.discards_on_close():
            self.move(FLUSH)
            self.set_interest(WRITE)
        else:
            self.close_descriptor()

    def fail(self, error: Exception) -> None:
        super().fail(error)
        if self.connecting is not None:
            self.connecting.end("eio")  # a race goes on with another address

    def drop_descriptor(self) -> None:
        try:
            self.sending.drop()
        finally:
            super().drop_descriptor()


Stream.ops = Handle.ops | {
    "close": Stream.op_close,
    "controlling_process": Stream.op_controlling_process,
    "peername": Stream.op_peername,
    "recv": Stream.op_recv,
    "send": Stream.op_send,
    "send_large": Stream.op_send_large,
    "sendfile": Stream.op_sendfile,
    "setopts": Stream.op_setopts,
    "shutdown": Stream.op_shutdown,
    "unrecv": Stream.op_unrecv,
}
