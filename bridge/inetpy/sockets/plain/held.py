"""Small sends of plain sockets whose callers do not wait: see `sockets.early`.

A plain socket has no queue of bytes: where the system takes no more, its senders wait. A sender that has had
its answer cannot wait any more. So callers may answer themselves only while the system has room for all that
can be on its way (`ROOM`). Several processes that send at the same time can be further ahead than that. What
does not find room then is `Held`: it waits for its turn among the senders, and the socket writes it. So
nothing is lost, those who ask later wait behind it, and shutdown and close come after it.
"""

from __future__ import annotations

import errno
import struct
from socket import SHUT_RD, SHUT_RDWR, SHUT_WR, SOL_SOCKET
from typing import Protocol

from ...codec.terms import Ref
from ...host.api import Socket
from .. import early
from .counters import Counters
from .waiters import NOBODY, Waiter, Waiters

__all__ = ["Held", "Sender", "end", "has_room", "held_of", "send_early", "shutdown"]

ROOM = 32 * 1024  # bytes of the system's memory: as much as 32 sends of 512 bytes take. See inetpy_early.erl
_SO_MEMINFO = 55
_MEMORY = struct.Struct("8xII4xI12x")  # bytes on their way, the option sndbuf, bytes in TCP's queue
_NO_HANDLE = Ref(b"")


def has_room(sock: Socket) -> bool:
    """Whether the system takes `ROOM` bytes at once. `sock` is a stream with a descriptor."""
    try:
        sent, most, queued = _MEMORY.unpack(sock.getsockopt(SOL_SOCKET, _SO_MEMINFO, _MEMORY.size))
    except (OSError, struct.error):  # a system that does not tell
        return False
    return bool(most - max(sent, queued) >= ROOM)


class Held(Waiter):
    """What waits among the senders for nobody: bytes, or the end of the direction."""

    __slots__ = ("data", "ends")

    def __init__(self, data: memoryview, ends: bool = False) -> None:
        super().__init__(NOBODY, _NO_HANDLE)
        self.data = data
        self.ends = ends

    def write(self, sock: Socket) -> int:
        """Bytes that were written. Raises OSError."""
        if self.ends:
            sock.shutdown(SHUT_WR)
            return 0
        written = sock.send(self.data)
        self.data = self.data[written:]
        return written


class Sender(early.Chatty, Protocol):
    """What is asked of a plain socket. always, closing, late_error: see `Plain`."""

    always: int
    closing: bool
    connector: Waiter | None
    counters: Counters
    late_error: OSError | None
    writers: Waiters

    @property
    def open_socket(self) -> Socket: ...
    def update_interest(self) -> None: ...


def send_early(plain: Sender, parts: list[bytes]) -> None:
    """Sends whose callers have had their answer. What fails is told to the next call."""
    sock = plain.sock
    if sock is None or plain.closing or plain.connector is not None:
        return  # closed, or connected anew, by another process
    written = 0
    if plain.writers.first is None:
        try:
            written = sock.send(parts[0] if len(parts) == 1 else b"".join(parts))
        except BlockingIOError:
            pass
        except OSError as error:
            return _failed(plain, error, len(parts))
        plain.session.poller.others_first()
    counters = plain.counters
    for at, part in enumerate(parts):
        size = len(part)
        if written < size:
            return _hold(plain, part, written, parts[at + 1 :])
        counters.note_written(size)
        written -= size
    early.review_sends(plain)


def _hold(plain: Sender, part: bytes, written: int, others: list[bytes]) -> None:
    """They wait for their turn. Of the first, so many bytes are written."""
    if written:
        plain.counters.note_part(written)
    plain.writers.hold(Held(memoryview(part)[written:]))
    for other in others:
        plain.writers.hold(Held(memoryview(other)))
    early.review_sends(plain)
    plain.update_interest()


def write(plain: Sender, held: Held) -> None:
    """It is its turn, and there is room."""
    assert plain.sock is not None
    try:
        written = held.write(plain.sock)
    except BlockingIOError:
        return
    except OSError as error:
        if not held.ends:
            _failed(plain, error, 1)
    else:
        if held.data:
            return plain.counters.note_part(written)
        if not held.ends:
            plain.counters.note_written(written)
    plain.writers.next()


def _failed(plain: Sender, error: OSError, sends: int) -> None:
    """The system says once that a connection was reset, and always that its direction has ended."""
    plain.counters["write_tries"] += sends
    plain.counters["write_fails"] += sends
    if error.errno != errno.EPIPE:
        plain.late_error = error
    end(plain)


def end(plain: Sender) -> None:
    """From here on senders wait for their answers."""
    if plain.early or plain.always:
        early.end(plain)


def held_of(plain: Sender) -> list[Held]:
    """What is still to be written, in order."""
    return [waiter for waiter in plain.writers if isinstance(waiter, Held)]


def shutdown(plain: Sender, how: int) -> None:
    """shutdown(2), for writing behind all that has been answered."""
    if how != SHUT_RD:
        end(plain)
    if how == SHUT_RD or not held_of(plain):
        return plain.open_socket.shutdown(how)
    if how == SHUT_RDWR:
        plain.open_socket.shutdown(SHUT_RD)
    plain.writers.hold(Held(memoryview(b""), ends=True))
    plain.update_interest()
