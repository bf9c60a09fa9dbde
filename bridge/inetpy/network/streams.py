"""A controlled stream: what a handle has in place of its socket while rules concern it.

    Erlang ↔ ControlledStream ↔ far end ↔ Relay (courses, stages) ↔ the socket itself

The stream is one end of a connection in memory, so that its errors, its end and its back-pressure are
those of Linux (see `host.memory_sockets`). The relay moves bytes between the other end and the socket,
through the stages of the rules. Options and names are the socket's own.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from ..host.api import READ, WRITE, Buffer, Clock, Poller
from ..host.errors import os_error
from ..host.flags import MSG_ERRQUEUE, MSG_OOB, MSG_PEEK
from ..host.memory_sockets import MemoryNetwork, MemoryStream
from .calls import has_input
from .controlled import Controlled
from .relay import FarEnd, Relay
from .rules import Rule
from .stages import STREAM_STAGES
from .whom import Facts

__all__ = ["ControlledStream"]

MOST_WRITES = 1 << 10  # small ones in one turn
MOST_WRITTEN = 1 << 18  # bytes of several buffers that are put together for one write
FEW_WRITTEN = 1 << 12  # the same, where a rule may take a part of them only


class ControlledStream(Controlled, MemoryStream):
    """See the module.

    is_connected: whether Erlang has the connection already. rules: those that concern all of its bytes.
    on_linger: called with True when Erlang has closed the socket while bytes are held for its peer, and with
        False when that is over.
    """

    def __init__(
        self,
        sock: Any,
        facts: Facts,
        ends: MemoryNetwork,
        poller: Poller,
        clock: Clock,
        disconnect: Callable[[Any], None],
        is_connected: bool = False,
        rules: list[Rule] | None = None,
    ) -> None:
        Controlled.__init__(self, sock, facts, poller)
        MemoryStream.__init__(self, ends, sock.family)
        self.on_linger: Callable[[ControlledStream, bool], None] = lambda _stream, _on: None
        self.pieces: deque[int] = deque()  # bytes of each piece that a read gets alone
        self._clock = clock
        self._disconnect = disconnect
        self._decided: dict[Rule, bool] = {}  # whether a rule has its occasion with this connection
        self._has_failed = False  # connecting, and the next connect has not been told
        self._unanswered: Callable[[], None] | None = None  # a connect that nobody answers
        self.is_announced = is_connected  # Erlang knows that it is connected
        self._names: tuple[Any, Any] | None = None  # of a socket whose connection is over
        self._writes = 0  # small ones, since other sockets had their turn
        self.relay: Relay | None = None
        self._rules = rules or []
        if is_connected:
            self._establish()

    # --- rules ---

    def set_rules(self, rules: list[Rule]) -> None:
        self._rules = rules
        self.calls.set_rules(rules)
        if self.relay is not None:
            self.relay.set_rules([rule for rule in rules if self._takes_part(rule)])
        if self._unanswered is not None:
            self._knock_again()
        self.look_idle()

    def _takes_part(self, rule: Rule) -> bool:
        """Whether a rule acts on the bytes of this connection."""
        return (
            rule.word in STREAM_STAGES and rule.on and rule.whom.fits(self.facts) and self._has_occasion(rule)
        )

    def _has_occasion(self, rule: Rule) -> bool:
        """Decided once for a connection."""
        if rule not in self._decided:
            dice = rule.dice(self.facts, "connection")
            self._decided[rule] = rule.occasion(self.facts, "connection", dice)
        return self._decided[rule]

    def shaping(self, direction: str) -> list[Rule]:
        return [] if self.relay is None else self.relay.courses[direction].shaping()

    def passed(self, direction: str) -> int:
        return 0 if self.relay is None else self.relay.courses[direction].passed

    def look_idle(self) -> None:
        """A socket whose connection is over stays here: `sever` has taken from it what Erlang still has."""
        relay = self.relay
        is_alive = not self.is_reset and not self.closed and not self.is_connecting
        is_empty = relay is None or not (relay.is_over or not relay.is_empty() or self.unread())
        if is_alive and not self._rules and is_empty:
            self.on_idle()

    def unread(self) -> int:
        """Bytes that Erlang can read."""
        return 0 if self.inward is None else len(self.inward.data)

    def retire(self) -> None:
        if self.relay is not None:
            self.relay.stop()
        else:
            self._poller.forget(self.sock)

    # --- connecting ---

    @property
    def is_under_way(self) -> bool:
        """It connects, or has done so, or the next connect hears that this one has failed."""
        return self.is_connecting or self.relay is not None or self._has_failed

    def connect(self, address: Any, /) -> None:
        self.connect_by(partial(self.sock.connect, address))

    def connect_by(self, connect: Callable[[], None]) -> None:
        """The same. `connect` is the call of the system, perhaps to an address that Python cannot take."""
        if self.is_connecting:
            raise os_error(errno.EALREADY)
        if self.relay is not None:
            return connect()
        if self._has_failed:
            self._has_failed = False
            self.report_error()
            raise os_error(errno.ECONNABORTED)  # as Linux has it, once
        self.calls.check("connect")
        refusal = self.calls.refusal(self._has_occasion)
        if refusal is not None:
            return self._refuse_connect(refusal.number, connect)
        try:
            connect()
        except BlockingIOError:
            self.knock()
            raise
        self.learn_address()
        self._establish()
        self._poller.soon(self._announce)

    def _refuse_connect(self, number: int | None, connect: Callable[[], None]) -> None:
        if self.family == socket.AF_UNIX:
            # connecting by path is over at once; a queue that is never taken from says EAGAIN
            number = errno.EAGAIN if number is None else number
            raise os_error(number)
        if number is None:
            self.is_connecting = True
            self._unanswered = connect
        else:
            self._has_failed = True
            self.fail_with(number)
        raise os_error(errno.EINPROGRESS)

    def _knock_again(self) -> None:
        """The black hole may have gone."""
        if any(rule.word == "blackhole" and rule.on and self._decided.get(rule) for rule in self._rules):
            return
        connect, self._unanswered = self._unanswered, None
        assert connect is not None
        try:
            connect()
        except BlockingIOError:
            pass
        except OSError as error:
            self.is_connecting = False
            return self.fail_with(error.errno or errno.EIO)
        self.knock()

    def knock(self) -> None:
        """The socket is connecting."""
        self.is_connecting = True
        self._poller.add(self.sock, WRITE, Knocking(self))

    def on_knock(self) -> None:
        """The socket has connected, or failed."""
        self._poller.remove(self.sock)
        self.is_connecting = False
        self.learn_address()
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._has_failed = not hasattr(self.sock, "fileno")  # the kernel says so itself
            return self.fail_with(number)
        self._establish()
        self.changed()

    def _establish(self) -> None:
        far = FarEnd(self.network, self.family)
        self.relay = far.relay = Relay(self, far, self.sock, self._poller, self._clock)
        self.pair_with(far)
        self.relay.start([rule for rule in self._rules if self._takes_part(rule)])

    def _announce(self) -> None:
        """Erlang has been told that the connection is there. A reset can come now."""
        self.is_announced = True
        if self.relay is not None:
            self.relay.moved()

    # --- the calls of a socket ---

    @property
    def ready(self) -> int:
        relay = self.relay
        if relay is None or self.is_reset:
            return super().ready
        waits = relay.is_blocked or self._writes >= MOST_WRITES
        return super().ready & (~WRITE if waits else -1) | (READ if relay.is_readable else 0)

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        data, _, _, address = self.recvmsg(size, 0, flags)
        return data, address

    def recvmsg(
        self, size: int, control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """Control messages are there where bytes are read directly. What is held has none."""
        if self.inward is None or self.relay is None:
            data, address = super().recvfrom(size, flags)
            return data, [], 0, address
        if flags & (MSG_OOB | MSG_ERRQUEUE):
            return self.sock.recvmsg(size, control_size, flags)  # type: ignore[no-any-return]
        if not self.inward.data:
            self.relay.moved()  # what has come by now counts, whether the poller has looked or not
        is_direct = not self.inward.data and self.relay.receives_directly()
        if is_direct and not self.calls.is_idle() and not has_input(self.sock):
            raise self.relay.no_input()  # what comes this moment would escape the rules
        if is_direct or self.ready & READ:
            self.calls.check("recv")
            self.calls.check_patience("recv", "recv")
            size = self.calls.size("short_read", "recv", size)
        if is_direct:
            return self.relay.recvmsg(size, control_size, flags)
        return self._take_out(size, flags), [], 0, None

    def _take_out(self, size: int, flags: int) -> bytes:
        """Bytes that came out of the stages."""
        has_pieces = bool(self.pieces)  # reading makes room, and then pieces may come behind what is read
        data, _ = super().recvfrom(min(size, self.pieces[0]) if has_pieces else size, flags)
        if flags & MSG_PEEK:
            return data
        if has_pieces and data:
            self.pieces[0] -= len(data)
            if not self.pieces[0]:
                self.pieces.popleft()
        self.look_idle_soon()
        return data

    def sendto(self, data: Buffer, _address: Any, /) -> int:
        return self._send_bytes(data)

    def _send_bytes(self, data: Buffer, flags: int = 0, control: Any = ()) -> int:
        """Control messages and flags go with bytes that are sent directly. What is held back loses them."""
        if self._writes >= MOST_WRITES:
            raise os_error(errno.EAGAIN)
        if self.outward is not None and self.ready & WRITE:
            self.calls.check("send")
            self.calls.check_patience("send", "send")
        size = self.calls.size("short_write", "send", len(data))
        if size < len(data):
            self._count_writes(1)
            data = data[:size]
        if self.relay is not None and not self.is_reset and self.relay.takes_output():
            if not self.relay.sends_directly():
                self._count_writes(MOST_WRITES // 4)
            return self.relay.send(data, flags, control)
        return super().send(data)

    def _count_writes(self, count: int) -> None:
        """A large send in small writes would hold up all other sockets."""
        if not self._writes:
            self._poller.in_turn(self._on_turn)
        self._writes += count

    def _on_turn(self) -> None:
        has_waited, self._writes = self._writes >= MOST_WRITES, 0
        if has_waited:
            self.changed()

    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """Takes no more of the buffers than one write is for: putting all together takes its time."""
        if self._is_aside(flags, address):
            return int(self.sock.sendmsg(buffers, control, flags, address))
        parts: list[Buffer] = []
        size = 0
        most = FEW_WRITTEN if self.calls.has("short_write") else MOST_WRITTEN
        for part in buffers:
            parts.append(part)
            size += len(part)
            if size >= most:
                break
        return self._send_bytes(parts[0] if len(parts) == 1 else b"".join(parts), flags, control)

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        if self._is_aside(flags, None):
            return int(self.sock.send(data, flags))
        return self._send_bytes(data, flags)

    def _is_aside(self, flags: int, address: Any) -> bool:
        """Urgent data is not held back, and an address is refused by connected sockets of the unix domain."""
        is_urgent = flags & MSG_OOB and self.relay is not None and self.relay.sends_directly()
        return bool(is_urgent) or (address is not None and self.family == socket.AF_UNIX)

    def listen(self, backlog: int = 0, /) -> None:
        self.sock.listen(backlog)

    def shutdown(self, how: int, /) -> None:
        if self.relay is not None and not self.is_reset and self.relay.sends_directly():
            self.sock.shutdown(how)
        super().shutdown(how)

    def getsockname(self) -> Any:
        return self.sock.getsockname() if self._names is None else self._names[0]

    def getpeername(self) -> Any:
        if self.is_reset:
            return super().getpeername()
        return self.sock.getpeername() if self._names is None else self._names[1]

    def sever(self, with_reset: bool) -> None:
        """The connection of the socket itself ends. Erlang has its names and options still."""
        try:
            self._names = (self.sock.getsockname(), self.sock.getpeername())
            if with_reset and self.family != socket.AF_UNIX:
                self._disconnect(self.sock)
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer has reset it before

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            if self.relay is not None and not self.is_announced:
                self._poller.soon(self._announce)
            return MemoryStream.getsockopt(self, level, option, size)
        return super().getsockopt(level, option, size)

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        super().setsockopt(level, option, value)
        MemoryStream.setsockopt(self, level, option, value)

    def bind_for(self, _remote: Any) -> None:
        """The socket itself has the address."""

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self.relay is None or self.relay.is_over:
            self._poller.forget(self.sock)
            self.sock.close()
        else:
            self.on_linger(self, True)
            self.relay.on_near_closed()

    def lingers_no_more(self) -> None:
        self.on_linger(self, False)

    def fail(self, error: Exception) -> None:
        """A bug in the relay ends the connection."""
        if self.relay is not None:
            self.relay.fail(error)


class Knocking:
    """Waits until a socket has connected."""

    survives: ClassVar[bool] = False

    def __init__(self, stream: ControlledStream) -> None:
        self._stream = stream

    def on_ready(self, _events: int) -> None:
        self._stream.on_knock()

    def fail(self, _error: Exception) -> None:
        self._stream.is_connecting = False
        self._stream.fail_with(errno.EIO)
