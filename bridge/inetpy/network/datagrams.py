"""A controlled datagram socket: what a handle has in place of its socket while rules concern it, or while
there are datagram servers in memory.

Datagrams go through the stages of the rules in each direction. Those for a server in memory go to it,
from a socket in memory that has the same address; its answers come in as others do.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ..host.api import ERROR, READ, WRITE, Buffer, Clock, Poller
from ..host.errors import os_error
from ..host.flags import MSG_CTRUNC, MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC
from ..host.memory_sockets import MemoryDatagram, MemoryNetwork
from .calls import has_input, is_readable
from .controlled import Controlled
from .course import Course, Datagram, Item, Stage, set_stages
from .datagram_stages import DATAGRAM_STAGES
from .rules import Rule
from .whom import Facts, ip_and_port

__all__ = ["ControlledDatagram"]

MOST_INBOX = 1 << 18  # bytes that wait here; the rest waits in the socket
LARGEST = 1 << 16
CONTROL_SPACE = 1 << 12


class ControlledDatagram(Controlled):
    """See the module.

    is_served: whether an address is that of a server in memory.
    is_known: whether the network has that address.
    """

    survives: ClassVar[bool] = False
    type = socket.SOCK_DGRAM

    def __init__(
        self,
        sock: Any,
        facts: Facts,
        memory: MemoryNetwork,
        is_served: Callable[[Any], bool],
        poller: Poller,
        clock: Clock,
        disconnect: Callable[[Any], None],
        is_known: Callable[[Facts, Any], bool] = lambda _facts, _address: True,
    ) -> None:
        super().__init__(sock, facts, poller)
        self.family: int = sock.family
        self.closed = False
        self._memory = memory
        self._is_served = is_served
        self._disconnect = disconnect
        self._is_known_to_all = is_known
        self._inbox: deque[Datagram | int] = deque()  # an int is an errno
        self._inbox_size = 0
        self._face: MemoryDatagram | None = None
        self._peer: Any = None  # a server in memory that the socket is connected to
        self._connected_to: Any = None
        self._is_polled = False
        self._is_readable = False  # the socket has something, which is read directly
        self._is_calling = False  # a call of Erlang is being carried out
        self._courses = {
            "recv": Course(self, "recv", clock, Inbox(self)),
            "send": Course(self, "send", clock, Outbox(self)),
        }
        self.learn_address()
        self.moved()

    @property
    def ready(self) -> int:
        readable = bool(self._inbox) or self._is_readable
        failed = bool(self._inbox) and isinstance(self._inbox[0], int)
        return WRITE | (READ if readable else 0) | (ERROR if failed else 0)

    # --- rules ---

    def set_rules(self, rules: list[Rule]) -> None:
        self._rules = rules
        self.calls.set_rules(rules)
        staged = [rule for rule in rules if rule.word in DATAGRAM_STAGES and rule.on]
        if staged and not self._courses["recv"].stages:
            self._read()  # what has come before the rule is not concerned
            self.moved()
        set_stages(self._courses, staged, DATAGRAM_STAGES)
        self.look_idle()

    def look_idle(self) -> None:
        empty = all(course.is_empty() for course in self._courses.values())
        if not self._rules and not self.closed and empty and not self._inbox and self._face is None:
            self.on_idle()

    def retire(self) -> None:
        for course in self._courses.values():
            course.stop()
        self._poller.forget(self.sock)

    def shaping(self, direction: str) -> list[Rule]:
        return self._courses[direction].shaping()

    def passed(self, direction: str) -> int:
        return self._courses[direction].passed

    # --- receiving ---

    def on_ready(self, _events: int) -> None:
        if self._receives_directly():
            self._is_readable = True
            self._poller.notify(self)
        else:
            self._read()
        self.moved()

    def _receives_directly(self) -> bool:
        """No stage stands in the way, and nothing is under way: reading is that of the socket."""
        return not self._courses["recv"].stages and not self._inbox

    def _read(self) -> None:
        self._is_readable = False
        course = self._courses["recv"]
        while self._inbox_size < MOST_INBOX and course.has_room():
            try:
                data, control, flags, address = self.sock.recvmsg(LARGEST, CONTROL_SPACE)
            except BlockingIOError:
                break
            except OSError as error:
                self.arrive(error.errno or errno.EIO)
                break
            course.put(Datagram(data, address, control, flags))

    def moved(self) -> None:
        """There may be room again."""
        wanted = (
            not self.closed
            and not self._is_readable
            and self._inbox_size < MOST_INBOX
            and self._courses["recv"].has_room()
        )
        if wanted and not self._is_polled:
            self._poller.add(self.sock, READ, self)
        elif self._is_polled and not wanted:
            self._poller.forget(self.sock)
        self._is_polled = wanted

    def arrive(self, item: Datagram | int) -> None:
        """An error comes before the datagrams."""
        if isinstance(item, int):
            self._inbox.appendleft(item)
        else:
            self._inbox.append(item)
        self._inbox_size += len(item.data) if isinstance(item, Datagram) else 0
        self._poller.notify(self)

    def _take_directly(self, size: int, control_size: int, flags: int) -> Datagram:
        if not self.calls.is_idle():
            if not has_input(self.sock):
                raise self._no_input()  # what comes this moment would escape the rules
            facts = self.facts_toward(self._next_sender())
            self.calls.check("recv", facts)
            self.calls.check_patience("recv", "recv", facts)
        try:
            data, control, received, address = self.sock.recvmsg(size, control_size, flags)
        except BlockingIOError as error:
            raise self._no_input() from error
        if not is_readable(self.sock):
            self._no_input()
        return Datagram(data, address, control, received)

    def _no_input(self) -> OSError:
        """Nothing is there to read: the poller tells when there is."""
        self._is_readable = False
        self.moved()
        return os_error(errno.EAGAIN)

    def _next_sender(self) -> Any:
        """Of the datagram that is read next."""
        return self.sock.recvfrom(1, MSG_PEEK)[1]

    def _take(self, size: int, control_size: int, flags: int) -> Datagram:
        if flags & MSG_ERRQUEUE:
            data, control, received, address = self.sock.recvmsg(size, control_size, flags)
            return Datagram(data, address, control, received)
        if self._receives_directly():
            return self._take_directly(size, control_size, flags)
        if not self._inbox:
            self._read()  # what has come by now counts, whether the poller has looked or not
        if not self._inbox:
            raise os_error(errno.EAGAIN)
        facts = self._facts_of(self._inbox[0])
        self.calls.check("recv", facts)
        self.calls.check_patience("recv", "recv", facts)
        item = self._inbox[0]
        if isinstance(item, Datagram) and flags & MSG_PEEK:
            return _cut(item, size, control_size)
        self._inbox.popleft()
        if isinstance(item, int):
            raise os_error(item)
        self._inbox_size -= len(item.data)
        self.moved()
        self.look_idle_soon()
        return _cut(item, size, control_size)

    def _facts_of(self, item: Datagram | int) -> Facts:
        return self.facts_toward(item.address if isinstance(item, Datagram) else None)

    def facts_toward(self, address: Any) -> Facts:
        peer, port = ip_and_port(self._connected_to if address is None else address)
        return self.facts if peer is None else self.facts.toward(peer, port)

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        item = self._take(size, 0, flags)
        return item.data, item.address

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return self.recvfrom(size, flags)[0]

    def recvmsg(
        self, size: int, control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        item = self._take(size, control_size, flags)
        return item.data, list(item.control), item.flags, item.address

    # --- sending ---

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self.sendmsg([data], (), flags)

    def sendto(self, data: Buffer, address: Any, /) -> int:
        return self.sendmsg([data], (), 0, address)

    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        data = b"".join(buffers)
        facts = self.facts_toward(address)
        self._raise_error()
        self.calls.check("send", facts)
        self.calls.check_patience("send", "send", facts)
        if not self._is_known(self._peer if address is None else address):
            raise os_error(errno.ECONNREFUSED)
        refusal = self.calls.refusal(self._is_refusing, facts)
        if refusal is not None:
            if self._is_connected():
                self.arrive(errno.ECONNREFUSED)  # an ICMP message
            return len(data)
        self._is_calling = True
        try:
            self._courses["send"].put(Datagram(data, address, control, flags))
        finally:
            self._is_calling = False
        return len(data)

    def _is_known(self, address: Any) -> bool:
        """A strict network has not every peer."""
        return address is None or self._is_known_to_all(self.facts, address)

    def _raise_error(self) -> None:
        """Whichever call is next has the error."""
        if self._inbox and isinstance(number := self._inbox[0], int):
            self._inbox.popleft()
            raise os_error(number)

    def _is_connected(self) -> bool:
        if self._peer is not None:
            return True
        try:
            self.sock.getpeername()
        except OSError:
            return False
        return True

    def leave(self, item: Datagram) -> None:
        """Raises OSError to the caller, if there is one. Behind a stage it has been sent for Erlang."""
        try:
            self._send(item)
        except OSError:
            if self._is_calling:
                raise

    def _send(self, item: Datagram) -> int:
        address = self._peer if item.address is None else item.address
        if address is not None and self._is_served(address):
            return self._to_memory().sendto(item.data, address)
        if item.control or item.flags:
            return int(self.sock.sendmsg([item.data], item.control, item.flags, item.address))
        if item.address is None:
            return int(self.sock.send(item.data))
        return int(self.sock.sendto(item.data, item.address))

    def _to_memory(self) -> MemoryDatagram:
        """The socket in memory with our address."""
        if self._face is None:
            if self.sock.getsockname()[1] == 0:
                self.sock.bind(("", 0))
                self.learn_address()
            self._face = MemoryDatagram(self._memory, self.family)
            self._face.bind(self.sock.getsockname())
            self._poller.add(self._face, READ, Face(self, self._face))
        return self._face

    def from_memory(self, data: bytes, address: Any) -> None:
        self._courses["recv"].put(Datagram(data, address))

    # --- the rest ---

    def connect(self, address: Any, /) -> None:
        self.calls.check("connect")
        if not self._is_known(address):
            raise os_error(errno.ECONNREFUSED)
        if self._is_served(address):
            self._peer = address
        else:
            self._peer = None
            self.sock.connect(address)
        self._connected_to = address

    def disconnect(self) -> None:
        self._peer = self._connected_to = None
        self._disconnect(self.sock)

    def getsockname(self) -> Any:
        return self.sock.getsockname()

    def getpeername(self) -> Any:
        return self.sock.getpeername() if self._peer is None else self._peer

    def setblocking(self, flag: bool, /) -> None:
        assert not flag

    def accept(self) -> tuple[Any, Any]:
        return self.sock.accept()  # type: ignore[no-any-return]

    def listen(self, backlog: int = 0, /) -> None:
        self.sock.listen(backlog)

    def shutdown(self, how: int, /) -> None:
        self.sock.shutdown(how)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for course in self._courses.values():
            course.stop()
        if self._face is not None:
            self._poller.forget(self._face)
            self._face.close()
        self._poller.forget(self.sock)
        self.sock.close()

    def _is_refusing(self, rule: Rule) -> bool:
        """A black hole is a stage."""
        return rule.word != "blackhole" and rule.occasion(self.facts, "connect")

    # --- what stages ask for ---

    def reset_both(self, _stage: Stage) -> None:
        """Datagrams have no connection."""

    def close_both(self, _stage: Stage) -> None:
        """Datagrams have no connection."""

    def fail(self, _error: Exception) -> None:
        self.arrive(errno.EIO)


def _cut(item: Datagram, size: int, control_size: int) -> Datagram:
    """As much of a datagram as recvmsg(2) has asked for. Its flags say what is missing."""
    flags = item.flags | (MSG_TRUNC if len(item.data) > size else 0)
    control: list[tuple[int, int, bytes]] = []
    for level, kind, data in item.control:
        room = control_size - socket.CMSG_LEN(0)
        if room < 0:
            flags |= MSG_CTRUNC
            break
        control.append((level, kind, data[:room]))
        flags |= MSG_CTRUNC if len(data) > room else 0
        control_size -= socket.CMSG_SPACE(len(data))
    return Datagram(item.data[:size], item.address, control, flags)


class Face:
    """Reads what servers in memory send."""

    survives: ClassVar[bool] = False

    def __init__(self, owner: ControlledDatagram, sock: MemoryDatagram) -> None:
        self._owner = owner
        self._sock = sock

    def on_ready(self, _events: int) -> None:
        while True:
            try:
                data, address = self._sock.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                return self._owner.arrive(error.errno or errno.EIO)
            self._owner.from_memory(data, address)

    def fail(self, error: Exception) -> None:
        self._owner.fail(error)


class Inbox:
    """Where the datagrams for Erlang go."""

    def __init__(self, owner: ControlledDatagram) -> None:
        self._owner = owner

    def put(self, item: Item) -> None:
        self._owner.arrive(item)


class Outbox:
    """Where those of Erlang go."""

    def __init__(self, owner: ControlledDatagram) -> None:
        self._owner = owner

    def put(self, item: Item) -> None:
        if not self._owner.closed:
            self._owner.leave(item)
