"""A port program's end of the bridge: `{packet, 4}` frames over two pipes.

The pipes get private descriptors before anything else happens, and descriptor
1 becomes a copy of descriptor 2: a `print`, here or in a library, goes to the
standard error and cannot damage the stream.

Writing never blocks. What the pipe does not take waits, and while much of it
waits, the session is told to stop reading from the net.

The end of input is the end of the process. A thread watches for it too, so
that it comes also when the loop is stuck in some handler.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import resource
import select
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .. import messages
from ..etf import EtfError, decode, encode_body
from ..framing import HEADER, FrameReader, FramingError
from ..session import Session
from ..show import shown
from ..syscalls import READ, WRITE, Poller, Syscalls
from ..terms import Atom, Pid, Port

if TYPE_CHECKING:
    from ..statistics import Statistics

__all__ = ["ProtocolError", "StdioTransport", "private_pipes", "run"]

log = logging.getLogger(__name__)

PIPE_SIZE = 1 << 20
READ_SIZE = 1 << 17  # a larger buffer for each read costs ten times a small read: malloc maps it
HIGH_WATER = 1 << 22  # bytes of output that wait: above, sockets are not read
LOW_WATER = 1 << 20
WINDOW = 128  # frames that the bridge process may be behind: above, the same
UNIT = 1 << 14  # bytes: a larger frame counts as one more for each
JOIN_LIMIT = 1 << 16
SPIN = 100e-6
LOG_SIZE = 1 << 13  # characters of a log record
GRACE = 0.5  # seconds that the loop has to see the end of input itself
EXIT_PROTOCOL = 3


class ProtocolError(Exception):
    """The two sides cannot talk to each other."""


def private_pipes() -> tuple[int, int]:
    """Descriptors of the two pipes; 0 and 1 are made harmless."""
    source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    sink = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    for descriptor in (source, sink):
        os.set_blocking(descriptor, False)
        _enlarge(descriptor)
    return source, sink


class StdioTransport:
    """Frames in, frames out. Becomes part of a session with the first frame."""

    survives: ClassVar[bool] = True

    def __init__(self, loop: asyncio.AbstractEventLoop, syscalls: Syscalls, source: int, sink: int) -> None:
        self._loop = loop
        self._syscalls = syscalls
        self._source = source
        self._sink = sink
        self._sink_is_pipe = stat.S_ISFIFO(os.fstat(sink).st_mode)
        self._frames = FrameReader()
        self._session: Session | None = None
        self._malformed = 0
        self._out: list[bytes] = []
        self._out_size = 0
        self._backlog: deque[memoryview] = deque()
        self._backlog_size = 0
        self._flush_scheduled = False
        self._unacknowledged = 0
        self._duct: tuple[int, int] | None = None  # a pipe of our own: see `take`
        self.statistics: Statistics | None = None
        self.outward: Callable[[bytes], bytes] | None = None
        self.poller = Poller(loop, self.flush, _spin())
        self.poller.add(source, READ, self)
        self._emit(messages.build_hello())

    # --- output ---

    def reply(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        if self.outward is not None:
            ref = self.outward(ref)
        self._emit(b"h\2" + ref + body, tail)

    send = reply  # the same form: the first element says where it is to go

    def note(self, body: bytes) -> None:
        self._emit(body)

    def alone(self) -> bool:
        return not self._out and self._frames.at_end

    def take(self, sock: socket.socket, size: int) -> int:
        if not self._sink_is_pipe or self._backlog:
            return 0
        if self._duct is None:
            self._duct = _open_duct()
        try:
            return self._syscalls.splice(sock, self._duct[1], size)
        except OSError:
            return 0  # recv(2) will tell what it is

    def give_back(self, size: int) -> bytes:
        assert self._duct is not None
        return os.read(self._duct[0], size) if size else b""

    def forward(self, ref: bytes, body: bytes, size: int) -> None:
        assert self._duct is not None
        if self.outward is not None:
            ref = self.outward(ref)
        self._emit(b"h\2" + ref + body, behind=size)
        self.flush()
        left = size
        try:
            while left and not self._backlog:
                left -= self._syscalls.splice_pipes(self._duct[0], self._sink, left)
        except OSError:
            pass  # most often the pipe is full
        if left:
            self._defer([self.give_back(left)], left)

    def _emit(self, body: bytes, tail: bytes = b"", behind: int = 0) -> None:
        """A frame of `body`, `tail` and `behind` bytes more, which come from elsewhere."""
        size = len(body) + len(tail) + 1
        self._out.append((size + behind).to_bytes(HEADER, "big") + b"\x83" + body)
        self._out_size += size + HEADER
        self._unacknowledged += 1 + (size + behind) // UNIT
        if tail:
            self._out.append(tail)
        if not self.poller.in_batch and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what has been collected, in one call where that is possible."""
        self._flush_scheduled = False
        out = self._out
        if not out:
            return
        self._out = []
        size, self._out_size = self._out_size, 0
        if self._unacknowledged > WINDOW:
            self._set_congested(True)
        if self._backlog:
            return self._defer(out, size)
        if size <= JOIN_LIMIT and len(out) > 1:
            out = [b"".join(out)]
        try:
            written = os.write(self._sink, out[0]) if len(out) == 1 else os.writev(self._sink, out[:1024])
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            return  # the end of input follows
        if written < size:
            self._defer(out, size)
            self._drop_written(written)

    def _defer(self, out: list[bytes], size: int) -> None:
        if not self._backlog:
            self.poller.add(self._sink, WRITE, _Sink(self))
        self._backlog.extend(map(memoryview, out))
        self._backlog_size += size
        if self._backlog_size > HIGH_WATER:
            self._set_congested(True)

    def acknowledged(self, count: int) -> None:
        self._unacknowledged -= count
        self._relieve()

    def _set_congested(self, congested: bool) -> None:
        if self._session and self._session.congested is not congested:
            self._session.set_congested(congested)

    def _relieve(self) -> None:
        """Reads sockets again when both the pipe and the bridge process keep up."""
        if self._backlog_size < LOW_WATER and self._unacknowledged <= WINDOW:
            self._set_congested(False)

    def _drop_written(self, count: int) -> None:
        backlog = self._backlog
        self._backlog_size -= count
        while count and count >= len(backlog[0]):
            count -= len(backlog.popleft())
        if count:
            backlog[0] = backlog[0][count:]

    def on_writable(self) -> None:
        """The pipe takes more of the backlog."""
        while self._backlog:
            some = [self._backlog[i] for i in range(min(len(self._backlog), 64))]
            try:
                self._drop_written(os.writev(self._sink, some))
            except BlockingIOError:
                break
            except BrokenPipeError:
                self._backlog.clear()
                self._backlog_size = 0
        if not self._backlog:
            self.poller.remove(self._sink)
        self._relieve()

    # --- input ---

    def on_ready(self, _events: int) -> None:
        try:
            data = os.read(self._source, READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            self._loop.stop()
            return
        self._frames.feed(data)
        try:
            while (frame := self._frames.next_frame()) is not None:
                self._on_frame(frame)
        except (FramingError, ProtocolError) as error:
            self._loop.call_exception_handler({"message": str(error), "exception": error})

    def fail(self, _error: Exception) -> None:
        """A bug in here has been logged. The other sessions' work goes on: there is nothing to end."""

    def _on_frame(self, frame: bytes | memoryview) -> None:
        try:
            if self._session is None:
                self._session = self._greeted(decode(frame, messages.LIMITS))
            else:
                self._session.handle_frame(frame)
        except (FramingError, ProtocolError):
            raise
        except EtfError as error:
            self._malformed += 1
            # Ten thousand of them are worth five lines in the log.
            if str(self._malformed).strip("0") == "1":
                log.error("malformed frame (%d so far): %s", self._malformed, error)
        except Exception:
            log.exception("a frame of %d bytes failed", len(frame))  # those behind it are not lost

    def _greeted(self, term: object) -> Session:
        match term:
            case (
                Atom(name="hello"),
                int() as protocol,
                list() as able,
                Pid() as bridge,
                (Port() | Pid()) as out,
            ):
                if protocol == messages.PROTOCOL:
                    self._unacknowledged = 0  # the greeting is no frame that is passed on
                    session = Session(self, self._syscalls, self._loop, self.poller, bridge, out, able)
                    if self.statistics is not None:
                        self.statistics.attach(session)
                    return session
                raise ProtocolError(
                    f"the Erlang side speaks protocol {protocol}, this inetpy {messages.PROTOCOL}: "
                    "install the same version of both"
                )
        raise ProtocolError(f"the first frame is no greeting of inetpy: {shown(term)}")


def _open_duct() -> tuple[int, int]:
    """The ends of a pipe that holds as much as the output pipe."""
    source, sink = os.pipe()
    for descriptor in (source, sink):
        os.set_blocking(descriptor, False)
    _enlarge(sink)
    return source, sink


def _enlarge(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # not a pipe, or more than this user may have: it works all the same


class _Sink:
    """The output pipe as a waiter of its own."""

    survives: ClassVar[bool] = True

    def __init__(self, transport: StdioTransport) -> None:
        self._transport = transport

    def on_ready(self, _events: int) -> None:
        self._transport.on_writable()

    def fail(self, error: Exception) -> None:
        self._transport.fail(error)


class _LogHandler(logging.Handler):
    """Log records go to Erlang's logger, in frames."""

    _LEVELS = (
        (logging.CRITICAL, "critical"),
        (logging.ERROR, "error"),
        (logging.WARNING, "warning"),
        (logging.INFO, "info"),
    )

    def __init__(self, transport: StdioTransport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for number, name in self._LEVELS if record.levelno >= number), "debug")
        try:
            text = self.format(record)
        except Exception as error:  # a log record must not be the end of what it tells of
            text = f"{record.msg} (which cannot be formatted: {shown(error)})"
        body = messages.build_log(level, text[:LOG_SIZE].encode(errors="backslashreplace"))
        if threading.get_ident() == self._thread:
            self._transport.note(body)
        else:
            self._loop.call_soon_threadsafe(self._transport.note, body)


def _watch_input(source: int) -> None:
    """Ends the process some time after the input has ended."""
    poll = select.poll()
    poll.register(source, 0)  # only what cannot be masked: the other end is gone
    poll.poll()
    time.sleep(GRACE)
    os._exit(0)


def _allow_many_sockets() -> None:
    """As many open files as this user may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(syscalls: Syscalls | None = None) -> int:
    """Serves the Erlang node at the other end of stdin and stdout until it goes.

    The exit status: 0 when the input ended, 3 when the sides do not fit.
    """
    _allow_many_sockets()
    source, sink = private_pipes()
    loop = _new_loop()
    transport = StdioTransport(loop, syscalls or Syscalls(), source, sink)
    threading.Thread(target=_watch_input, args=(source,), daemon=True).start()
    logging.basicConfig(handlers=[_LogHandler(transport, loop)], level=_log_level(), format="%(message)s")
    status = 0

    def on_error(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        nonlocal status
        error = context.get("exception")
        if isinstance(error, (ProtocolError, FramingError)):
            print(f"inetpy bridge: {error}", file=sys.stderr)
            transport.note(encode_body((Atom("refused"), str(error))))
            transport.flush()
            status = EXIT_PROTOCOL
            loop.stop()
        else:
            log.error("%s", context.get("message"), exc_info=error)  # type: ignore[arg-type]

    loop.set_exception_handler(on_error)
    folder = os.environ.get("INETPY_STATS")
    if folder:
        from ..statistics import Statistics

        transport.statistics = Statistics(Path(folder))
    loop.run_forever()
    transport.flush()
    if transport.statistics is not None:
        transport.statistics.write()
    # Not sys.exit: what is left has no bearing, and the end must not wait for a thread.
    sys.stderr.flush()
    os._exit(status)


def _spin() -> float:
    """Seconds to look for more before sleeping: INETPY_SPIN has microseconds.

    Without a core to spare, looking would keep the node from doing what we wait for:
    INETPY_BRIDGES says how many processes look.
    """
    given = os.environ.get("INETPY_SPIN")
    if given is not None:
        return int(given) / 1e6
    bridges = int(os.environ.get("INETPY_BRIDGES", "1"))
    return SPIN if len(os.sched_getaffinity(0)) > bridges else 0.0


def _log_level() -> str:
    return os.environ.get("INETPY_LOG_LEVEL", "WARNING").upper()


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed; INETPY_LOOP=asyncio forces the standard one."""
    if os.environ.get("INETPY_LOOP") != "asyncio":
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()
