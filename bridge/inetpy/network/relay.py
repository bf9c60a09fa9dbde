"""Moves bytes between a controlled stream and its socket: see `streams`.

    near end ↔ far end ↔ Relay (courses, stages) ↔ the socket itself

A relay works in one of two modes, for each direction of its own. Where no stage stands in a direction and
nothing is under way in it, the near end calls the socket directly (`receives_directly`, `sends_directly`).
Elsewhere the relay reads one side, puts what it has read into the course of that direction, and writes what
comes out of the course to the other side.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from contextlib import suppress
from typing import Any, ClassVar, Protocol

from ..host import bugs
from ..host.api import LINGER_NOW, READ, WRITE, Buffer, Clock, Poller
from ..host.errors import os_error
from ..host.memory_sockets import MemoryStream
from .calls import is_readable
from .course import END, Course, Item, Piece, Reset, Stage, set_stages
from .rules import Rule
from .stages import STREAM_STAGES
from .whom import Facts

__all__ = ["FarEnd", "Relay"]

CHUNK = 1 << 16  # bytes of one read
MOST_PIECES = 1 << 12  # that wait for Erlang before more is read
MOST_TAKEN_IN = 1 << 22  # bytes that a socket can have received before a rule comes: more than most buffers


class Near(Protocol):
    """The controlled stream, as its relay needs it: the near end.

    facts: what is known about the connection.
    closed: Erlang has closed it.
    is_announced: Erlang knows that it is connected.
    is_reset: the connection is gone for Erlang.
    pieces: the sizes, in bytes, of the pieces that a read gets alone, the next one first.
    """

    facts: Facts
    closed: bool
    is_announced: bool
    is_reset: bool
    pieces: deque[int]

    def unread(self) -> int:
        """Bytes that Erlang can read."""

    def changed(self) -> None:
        """It may be ready for something else than before."""

    def reset_with(self, number: int, /) -> None:
        """The connection has ended, with this errno for the next call."""

    def sever(self, with_reset: bool) -> None:
        """The connection of the socket itself ends."""

    def look_idle_soon(self) -> None:
        """Nothing may be held any more."""

    def lingers_no_more(self) -> None:
        """No bytes are held any more for a peer whose connection Erlang has closed."""


class FarEnd(MemoryStream):
    """The other end of the controlled stream. The relay looks when it has changed."""

    relay: Relay

    def changed(self) -> None:
        bugs.guard(self.relay.on_far_end)


class Relay:
    """Moves bytes between a controlled stream and its socket, through the stages of the rules."""

    survives: ClassVar[bool] = False

    def __init__(self, near: Near, far: FarEnd, sock: Any, poller: Poller, clock: Clock) -> None:
        self.near = near
        self.far = far
        self.sock = sock
        self.facts = near.facts
        self._poller = poller
        self._interest = 0
        self._to_near = ToNear(self)
        self._to_sock = ToSock(self)
        self.courses = {
            "recv": Course(self, "recv", clock, self._to_near),
            "send": Course(self, "send", clock, self._to_sock),
        }
        self.is_readable = False  # the socket has something, which is read directly
        self.is_blocked = False  # the socket takes no more of what is sent directly
        self._input_over = False  # the socket has nothing more to read
        self._output_over = False  # the far end has nothing more to read
        self.is_over = False
        self._is_busy = False
        self.is_calling = False  # a send of Erlang is being carried out
        self._again = False

    def __repr__(self) -> str:
        return f"<Relay {self.facts.label}>"

    def facts_toward(self, _address: Any) -> Facts:
        return self.facts

    # --- rules ---

    def set_rules(self, rules: list[Rule]) -> None:
        """The rules that act on the bytes of this connection. Not on those that came before a rule."""
        if any("recv" in rule.whom.directions(STREAM_STAGES[rule.word].directions) for rule in rules):
            self._take_in()
        self.start(rules)

    def start(self, rules: list[Rule]) -> None:
        """As `set_rules`, for a connection that is new: the rules act on all of its bytes."""
        was_busy, self._is_busy = self._is_busy, True  # moves all once, not each item that is let go
        try:
            set_stages(self.courses, rules, STREAM_STAGES, lambda: self.is_over)
        finally:
            self._is_busy = was_busy
        self.moved()

    def _take_in(self) -> None:
        """Reads what has come, for Erlang, while no stage stands in the way."""
        if not self.receives_directly():
            return
        for _ in range(MOST_TAKEN_IN // CHUNK):
            try:
                data = self.sock.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                data = Reset(error.errno or errno.ECONNRESET)
            item = data or END
            self._input_over = not isinstance(item, bytes)
            self._to_near.put(item)
            if self._input_over:
                return

    def is_empty(self) -> bool:
        """Nothing is held, in either direction."""
        return (
            all(course.is_empty() for course in self.courses.values())
            and self._to_near.is_empty()
            and self._to_sock.is_empty()
            and not (self.far.inward is not None and self.far.inward.data)
            and not (self.has_ended_output() and not self._output_over)
        )

    # --- moving ---

    def on_ready(self, events: int) -> None:
        if self.receives_directly() and events & ~WRITE:
            self.is_readable = True
            self.near.changed()
        if self.is_blocked and events & ~READ and not self.courses["send"].stages:
            self.is_blocked = False
            self.near.changed()
        self.moved()

    # Where no stage stands in a direction, and nothing is under way in it, the calls are those of the socket.

    def receives_directly(self) -> bool:
        return not self.courses["recv"].stages and self._to_near.is_empty() and not self._input_over

    def takes_output(self) -> bool:
        """The direction is open still."""
        return not self._output_over and not self.has_ended_output()

    def has_ended_output(self) -> bool:
        """Erlang has ended the direction. The end may be under way still."""
        return self.far.inward is None or self.far.inward.is_ended

    def sends_directly(self) -> bool:
        return not self.courses["send"].stages and self._to_sock.is_empty() and self.takes_output()

    def recvmsg(self, size: int, control_size: int, flags: int) -> tuple[bytes, list[Any], int, Any]:
        received: tuple[bytes, list[Any], int, Any]
        try:
            if control_size:
                received = self.sock.recvmsg(size, control_size, flags)
            else:
                received = self.sock.recv(size, flags), [], 0, None
        except BlockingIOError as error:
            raise self.no_input() from error
        if len(received[0]) < size or not is_readable(self.sock):
            self.no_input()
        return received

    def no_input(self) -> OSError:
        """Nothing is there to read: the poller tells when there is."""
        self.is_readable = False
        self._set_interest()
        return os_error(errno.EAGAIN)

    def send(self, data: Buffer, flags: int = 0, control: Any = ()) -> int:
        """Raises EAGAIN while bytes wait that a stage has let go, or a stage is full."""
        if self.sends_directly():
            try:
                if control:
                    sent = int(self.sock.sendmsg([data], control, flags))
                else:
                    sent = int(self.sock.send(data, flags))
                if sent < len(data):
                    self._block()
                return sent
            except BlockingIOError:
                self._block()
                raise
        if not self._has_room_for_output():
            self._block()
            raise os_error(errno.EAGAIN)
        chunk = bytes(data[: self._chunk_of("send")])
        self.is_calling = True
        try:
            self.courses["send"].put(chunk)
        finally:
            self.is_calling = False
        return len(chunk)

    def _chunk_of(self, direction: str) -> int:
        """How many bytes go on their way at once: as many as make no more than MOST_PIECES of them."""
        rules = self.courses[direction].stages
        sizes: list[int] = [rule.arguments["size"] for rule in rules if rule.word == "slice"]
        return min([CHUNK, *(size * MOST_PIECES for size in sizes)])

    def _block(self) -> None:
        self.is_blocked = True
        self._set_interest()

    def _has_room_for_output(self) -> bool:
        return self._to_sock.is_empty() and self.courses["send"].has_room()

    def on_far_end(self) -> None:
        """Erlang has read, written, or closed."""
        if not self._is_busy:
            self.moved()

    def on_near_closed(self) -> None:
        """Erlang has closed. After a reset, or when the end has been sent, nothing else ends the socket."""
        is_sent = self._output_over and self.courses["send"].is_empty() and self._to_sock.is_empty()
        if (is_sent or self.near.is_reset) and not self.is_over:
            self.end_socket(with_reset=self.far.is_reset)

    def moved(self) -> None:
        """There may be something to do. Called again from within, it is done afterwards."""
        if self._is_busy:
            self._again = True
            return
        self._is_busy = True
        try:
            self._again = True
            while self._again:
                self._again = False
                self._read_sock()
                self._to_near.drain()
                self._read_far_end()
                had_waiting = not self._to_sock.is_empty()
                self._to_sock.drain()
                if had_waiting and self._to_sock.is_empty():
                    self._again = True  # the end may stand behind it
        finally:
            self._is_busy = False
        if self.is_blocked and self.courses["send"].stages and self._has_room_for_output():
            self.is_blocked = False
            self.near.changed()
        self._set_interest()
        self.near.look_idle_soon()

    def _read_sock(self) -> None:
        if self.receives_directly():
            return
        self.is_readable = False
        course = self.courses["recv"]
        while not self._input_over and course.has_room() and self._to_near.has_room():
            try:
                data = self.sock.recv(self._chunk_of("recv"))
            except BlockingIOError:
                return
            except OSError as error:
                self._input_over = True
                return course.put(Reset(error.errno or errno.ECONNRESET))
            if not data:
                self._input_over = True
                return course.put(END)
            course.put(data)

    def on_send_error(self, number: int) -> None:
        """The connection is gone. Erlang learns it behind the bytes that came before."""
        self._output_over = True
        course = self.courses["recv"]
        if self._input_over:
            return self.near.reset_with(number)
        while not self._input_over:
            try:
                data = self.sock.recv(CHUNK)
            except OSError:
                data = b""
            if data:
                course.put(data)
            else:
                self._input_over = True
                course.put(Reset(number))

    def _read_far_end(self) -> None:
        course = self.courses["send"]
        while not self._output_over and course.has_room() and self._to_sock.is_empty():
            if self.far.is_reset:
                self._output_over = True
                return course.put(Reset(errno.ECONNRESET))
            try:
                data = self.far.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._output_over = True
                return course.put(Reset(errno.ECONNRESET) if self.far.is_reset else END)
            course.put(data)

    def _set_interest(self) -> None:
        if self.is_over:
            return
        has_room = self.courses["recv"].has_room() and self._to_near.has_room()
        reads = has_room and not self._input_over and not self.is_readable
        waits = self.is_blocked and not self.courses["send"].stages
        writes = waits or not self._to_sock.is_empty()
        wanted = (READ if reads else 0) | (WRITE if writes else 0)
        if wanted == self._interest:
            return
        if not self._interest:
            self._poller.add(self.sock, wanted, self)
        elif wanted:
            self._poller.change(self.sock, wanted)
        else:
            self._poller.remove(self.sock)
        self._interest = wanted

    # --- ends ---

    def reset_both(self, stage: Stage | None = None) -> None:
        if not self.is_over:
            self.end_socket(with_reset=True)
            self._tell(stage, Reset(errno.ECONNRESET))

    def close_both(self, stage: Stage | None = None) -> None:
        """What is sent from now on is answered by a reset."""
        if not self.is_over:
            self._to_sock.drain()
            self.end_socket(with_reset=False)
            self.far.closed = True
            self._tell(stage, END)

    def _tell(self, stage: Stage | None, item: Item) -> None:
        """An end for Erlang, behind what has passed the stage of that rule."""
        course = self.courses["recv"]
        own = None if stage is None else course.stages.get(stage.rule)
        (course if own is None else own.following).put(item)

    def end_socket(self, with_reset: bool) -> None:
        """The connection of the socket is over. What Erlang has not read yet it can read still."""
        if self.is_over:
            return
        self._leave_socket()
        if not self.near.closed:
            return self.near.sever(with_reset)
        if with_reset and self.sock.family != socket.AF_UNIX:
            try:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
            except OSError:
                pass  # the peer has reset it before
        self.sock.close()

    def stop(self) -> None:
        """Moves nothing any more; the socket is left as it is."""
        self._leave_socket()
        self.courses["recv"].stop()

    def _leave_socket(self) -> None:
        self.is_over = self._input_over = self._output_over = True
        self.is_readable = False
        self.courses["send"].stop()
        self._poller.forget(self.sock)
        self._interest = 0
        self.near.lingers_no_more()

    def fail(self, _error: Exception) -> None:
        self.reset_both()


class Exit:
    """Where one direction ends: what has come out of its course, and has not been taken yet."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._waiting: deque[Item] = deque()

    def is_empty(self) -> bool:
        return not self._waiting

    def put(self, item: Item) -> None:
        self._waiting.append(item)
        self._relay.moved()

    def drain(self) -> None:
        """Hands over as much as is taken."""
        raise NotImplementedError


class ToNear(Exit):
    """Where the bytes for Erlang go."""

    def has_room(self) -> bool:
        return not self._waiting and len(self._relay.near.pieces) < MOST_PIECES

    def drain(self) -> None:
        far, near = self._relay.far, self._relay.near
        waiting = self._waiting
        while waiting:
            item = waiting[0]
            if isinstance(item, Reset):
                if not near.is_announced:
                    return
                waiting.clear()
                return near.reset_with(item.number)
            if item is END:
                waiting.popleft()
                with suppress(OSError):  # Erlang has closed
                    far.shutdown(socket.SHUT_WR)
                continue
            unread = near.unread()
            try:
                taken = far.send(item)
            except BlockingIOError:
                return
            except OSError:
                waiting.clear()  # Erlang has closed, and reads nothing any more
                return
            if isinstance(item, Piece) and unread and not near.pieces:
                near.pieces.append(unread)
            if isinstance(item, Piece) or near.pieces:
                near.pieces.append(taken)
            waiting.popleft()
            if taken < len(item):
                waiting.appendleft(type(item)(item[taken:]))


class ToSock(Exit):
    """Where the bytes of Erlang go."""

    def drain(self) -> None:
        relay, waiting = self._relay, self._waiting
        while waiting and not relay.is_over:
            item = waiting[0]
            if isinstance(item, Reset):
                waiting.clear()
                return relay.end_socket(with_reset=True)
            if item is END:
                waiting.popleft()
                self._end()
                continue
            try:
                taken = relay.sock.send(item)
            except BlockingIOError:
                return
            except OSError as error:
                waiting.clear()
                if relay.is_calling:
                    raise
                return relay.on_send_error(error.errno or errno.EPIPE)
            waiting.popleft()
            if taken < len(item):
                waiting.appendleft(item[taken:])

    def _end(self) -> None:
        relay = self._relay
        if relay.near.closed:
            return relay.end_socket(with_reset=relay.far.is_reset)
        try:
            relay.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer has reset the connection; reading says so
