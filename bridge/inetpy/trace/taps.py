"""Sockets whose methods are noted.

    taps = Taps(note)
    taps.put_on(sock, track)      from now on what `sock` does is noted
    taps.take_off(sock)           it is as before

A tap changes the class of the socket to a subclass, whose methods call those of the socket and note what
came of them. The socket stays the same object, so whoever has it or polls it need not know; and without
a tap not an instruction more is run.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterable
from socket import (
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SOL_SOCKET,
)
from typing import Any, Protocol

from ..host import pipes
from ..host.errors import posix_name
from ..host.flags import MSG_OOB, MSG_PEEK
from .events import Track

__all__ = ["Notes", "Taps"]

_HOW = {SHUT_RD: "read", SHUT_WR: "write", SHUT_RDWR: "read_write"}


class Notes(Protocol):
    """What a tap tells."""

    def on_bytes(self, track: Track, direction: str, data: bytes, peer: Any, sock: Any) -> None: ...
    def on_turn(self, track: Track, what: str, detail: str = "") -> None: ...


class Tap:
    """What is known of one socket with a tap.

    is_inside: a method runs; those that it calls of the same socket are no calls of the program.
    is_connecting: connect(2) is under way. is_connected: there is a connection to end.
    is_over: all has been received. is_shut: nothing more is sent.
    """

    __slots__ = ("is_connected", "is_connecting", "is_inside", "is_over", "is_shut", "notes", "track")

    def __init__(self, notes: Notes, track: Track, is_connected: bool, is_connecting: bool) -> None:
        self.notes = notes
        self.track = track
        self.is_inside = False
        self.is_connecting = is_connecting
        self.is_connected = is_connected
        self.is_over = False
        self.is_shut = False

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        self.is_inside = True
        try:
            return call(*args)
        except BlockingIOError:
            raise
        except OSError as error:
            self._failed(error)
            raise
        finally:
            self.is_inside = False

    def _failed(self, error: OSError) -> None:
        is_reset = error.errno == errno.ECONNRESET or (error.errno == errno.EPIPE and not self.is_shut)
        if self.is_connected and is_reset:
            self.is_connected = False
            self.notes.on_turn(self.track, "reset", posix_name(error))
        else:
            self.notes.on_turn(self.track, "error", posix_name(error))

    # --- connecting ---

    def connect(self, sock: Any, call: Callable[..., Any], address: Any) -> Any:
        track = self.track
        track.remote = address
        if not track.is_stream:
            return self.run(call, address)
        self.is_inside = True
        try:
            call(address)
        except BlockingIOError as error:
            if error.errno == errno.EINPROGRESS:
                self.is_connecting = True
                _learn(track, sock)
                self.notes.on_turn(track, "connecting")
            elif error.errno == errno.EAGAIN:  # of a unix socket whose peer takes no more
                self.notes.on_turn(track, "failed", posix_name(error))
            raise  # else it goes on
        except OSError as error:
            self.notes.on_turn(track, "failed", posix_name(error))
            raise
        finally:
            self.is_inside = False
        self.established(sock)
        return None

    def looked_for_error(self, sock: Any, number: int) -> None:
        """SO_ERROR was read: that tells how connecting has ended."""
        if number:
            self.is_connecting = False
            self.notes.on_turn(self.track, "failed", posix_name(OSError(number, "")))
            return
        try:
            sock.getpeername()
        except OSError:
            return  # it goes on
        self.established(sock)

    def established(self, sock: Any) -> None:
        self.is_connecting = False
        self.is_connected = True
        _learn(self.track, sock)
        self.notes.on_turn(self.track, "connected")

    # --- bytes ---

    def took(self, sock: Any, data: bytes, peer: Any, size: int, flags: int) -> None:
        if flags & (MSG_PEEK | MSG_OOB):
            return
        track = self.track
        if data or not track.is_stream:
            self.notes.on_bytes(track, "recv", data, peer, sock)
        elif size and not self.is_over:
            self.is_over = True
            self.notes.on_turn(track, "eof")

    def gave(self, sock: Any, data: Any, count: int, peer: Any) -> None:
        sent = bytes(data[:count]) if self.track.is_stream else bytes(data)
        self.notes.on_bytes(self.track, "send", sent, peer, sock)

    # --- ending ---

    def close(self, sock: Any) -> None:
        detail = ""
        if self.is_connected:
            try:
                detail = "reset" if _resets(sock) else "fin"
            except OSError:
                detail = "fin"
        self.notes.on_turn(self.track, "closed", detail)


def _learn(track: Track, sock: Any) -> None:
    """The addresses, as far as there are any."""
    for name in ("local", "remote"):
        try:
            setattr(track, name, sock.getsockname() if name == "local" else sock.getpeername())
        except OSError:
            pass
    if not track.facts.local_port and isinstance(track.local, tuple) and track.local[1]:
        track.facts.learn(track.local[1])


def _resets(sock: Any) -> bool:
    """Whether closing sends a reset: of linger {true, 0}, or of bytes that nobody has read."""
    on, seconds = struct.unpack("ii", sock.getsockopt(SOL_SOCKET, SO_LINGER, 8))
    if on and not seconds:
        return True
    if hasattr(sock, "fileno"):
        return pipes.readable(sock) > 0
    return bool(sock.inward is not None and sock.inward.data)


def _tapped(base: Any, taps: dict[Any, Tap]) -> Any:  # noqa: C901  one short method each
    """A subclass of a class of sockets, of the same layout. `taps` has the tap of each socket."""

    class Tapped(base):  # type: ignore[misc]
        __slots__ = ()

        def accept(self) -> Any:
            tap = taps[self]
            call = super().accept
            return call() if tap.is_inside else tap.run(call)

        def bind(self, address: Any, /) -> None:
            tap = taps[self]
            tap.run(super().bind, address)
            _learn(tap.track, self)

        def listen(self, *backlog: int) -> None:
            tap = taps[self]
            tap.run(super().listen, *backlog)
            _learn(tap.track, self)
            tap.notes.on_turn(tap.track, "listening")

        def connect(self, address: Any, /) -> None:
            tap = taps[self]
            tap.connect(self, super().connect, address)

        def getsockopt(self, level: int, option: int, *size: int) -> Any:
            tap = taps[self]
            value = super().getsockopt(level, option, *size)
            if tap.is_connecting and (level, option) == (SOL_SOCKET, SO_ERROR):
                tap.looked_for_error(self, value)
            return value

        def recv(self, size: int, flags: int = 0, /) -> Any:
            tap = taps[self]
            call = super().recv
            if tap.is_inside:
                return call(size, flags)
            data = tap.run(call, size, flags)
            tap.took(self, data, tap.track.remote, size, flags)
            return data

        def recvfrom(self, size: int, flags: int = 0, /) -> Any:
            tap = taps[self]
            call = super().recvfrom
            if tap.is_inside:
                return call(size, flags)
            received = tap.run(call, size, flags)
            tap.took(self, received[0], received[1], size, flags)
            return received

        def recvmsg(self, size: int, control_size: int = 0, flags: int = 0, /) -> Any:
            tap = taps[self]
            call = super().recvmsg
            if tap.is_inside:
                return call(size, control_size, flags)
            received = tap.run(call, size, control_size, flags)
            tap.took(self, received[0], received[3], size, flags)
            return received

        def send(self, data: Any, flags: int = 0, /) -> Any:
            tap = taps[self]
            call = super().send
            if tap.is_inside:
                return call(data, flags)
            count = tap.run(call, data, flags)
            if not flags & MSG_OOB:
                tap.gave(self, data, count, tap.track.remote)
            return count

        def sendto(self, data: Any, address: Any, /) -> Any:
            tap = taps[self]
            call = super().sendto
            if tap.is_inside:
                return call(data, address)
            count = tap.run(call, data, address)
            tap.gave(self, data, count, address)
            return count

        def sendmsg(
            self, buffers: Iterable[Any], control: Any = (), flags: int = 0, address: Any = None, /
        ) -> Any:
            tap = taps[self]
            call = super().sendmsg
            if tap.is_inside:
                return call(buffers, control, flags, address)
            parts = list(buffers)
            count = tap.run(call, parts, control, flags, address)
            tap.gave(self, b"".join(parts), count, tap.track.remote if address is None else address)
            return count

        def shutdown(self, how: int, /) -> None:
            tap = taps[self]
            if tap.is_inside:
                super().shutdown(how)
                return
            tap.run(super().shutdown, how)
            tap.is_shut = tap.is_shut or how != SHUT_RD
            tap.notes.on_turn(tap.track, "shutdown", _HOW[how])

        def close(self) -> None:
            tap = taps.pop(self)
            _restore(self)
            tap.close(self)
            self.close()

    Tapped.__name__ = Tapped.__qualname__ = f"Tapped{base.__name__}"
    return Tapped


def _restore(sock: Any) -> None:
    """The class that the socket had."""
    sock.__class__ = type(sock).__base__


class Taps:
    """See the module."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._taps: dict[Any, Tap] = {}
        self._classes: dict[type, Any] = {}

    def put_on(self, sock: Any, track: Track, is_connecting: bool = False) -> None:
        """A socket that has a tap already keeps it. A track that had one on another socket goes on."""
        if sock in self._taps:
            return
        _learn(track, sock)
        if track.tap is None:
            is_connected = track.is_stream and track.remote is not None
            track.tap = Tap(self._notes, track, is_connected, is_connecting and not is_connected)
        base = type(sock)
        if base not in self._classes:
            self._classes[base] = _tapped(base, self._taps)
        self._taps[sock] = track.tap
        sock.__class__ = self._classes[base]

    def take_off(self, sock: Any) -> None:
        if self._taps.pop(sock, None) is not None:
            _restore(sock)

    def take_off_all(self) -> None:
        for sock in list(self._taps):
            self.take_off(sock)
