"""asyncio transports over the sockets of a host.

An asyncio loop makes transports of descriptors alone. These are for any `api.Socket`, of memory too, and a
`Poller` says when it is ready. A protocol sees what it sees on a transport of the loop: the order of the
calls, the moments of pause_writing and resume_writing, and what close, abort and write_eof do.

    StreamTransport     a connection; `loop.start_tls` takes it
    DatagramTransport   one or two datagram sockets, of IPv4 and IPv6

Left out: a transport without an owner is not closed by the collector, and `writelines` joins its parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from socket import AF_INET, AF_INET6, SHUT_WR, SO_LINGER, SOL_SOCKET
from typing import Any, ClassVar

from ..host.api import ERROR, HANGUP, LINGER_NOW, READ, WRITE, Poller, Socket

__all__ = ["DatagramTransport", "StreamTransport"]

READ_SIZE = 256 * 1024  # bytes of one call of recv, as asyncio has it
HIGH_WATER = 64 * 1024  # bytes of output from which on a protocol is to pause
MAX_DATAGRAM = 65536
_BROKEN = ERROR | HANGUP

OnBug = Callable[[BaseException], None]


class _Reporting:
    """A transport that tells of what its protocol has raised: `on_bug`, or the loop."""

    _loop: asyncio.AbstractEventLoop
    _protocol: asyncio.BaseProtocol
    _on_bug: OnBug | None

    def _report(self, error: BaseException) -> None:
        if self._on_bug is None:
            about = {"message": f"bug in {self._protocol!r}", "exception": error, "transport": self}
            self._loop.call_exception_handler(about)
        else:
            self._on_bug(error)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol


class StreamTransport(_Reporting, asyncio.Transport):
    """A connection, for an `asyncio.Protocol` or an `asyncio.BufferedProtocol`.

    sock: connected. It is closed with the transport.
    on_end: called when the protocol has had its connection_lost and the socket is closed.
    on_bug: called when a method of the protocol has raised; the connection is reset then.
    closes_in_order: input that nobody has read is thrown away when the socket is closed. Otherwise it
        makes a reset of the close, as it does on a socket of the kernel.

    `get_extra_info` knows socket, sockname and peername, and "stream_transport": this object, also when
    it is asked of the transport that TLS gives to a protocol.
    """

    survives: ClassVar[bool] = False  # see `api.Waiter`
    _start_tls_compatible = True  # loop.start_tls looks for it

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        sock: Socket,
        protocol: asyncio.BaseProtocol,
        on_end: Callable[[StreamTransport], None] = lambda _: None,
        on_bug: OnBug | None = None,
    ) -> None:
        names = {"sockname": sock.getsockname(), "peername": _peer(sock)}
        super().__init__({"socket": sock, "stream_transport": self, **names})
        self.closes_in_order = False
        self._loop = loop
        self._poller = poller
        self._sock = sock
        self._on_end = on_end
        self._on_bug = on_bug
        self._output = bytearray()
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._events = 0  # what the poller watches for
        self._has_started = False
        self._is_reading = True  # not paused
        self._input_ended = False
        self._output_ends = False  # write_eof has been called
        self._writing_paused = False
        self._closes_after_output = False
        self._is_closing = False
        self._is_lost = False  # connection_lost is on its way
        self.set_protocol(protocol)
        loop.call_soon(self._start)

    def __repr__(self) -> str:
        return f"<StreamTransport {self._sock!r}>"

    def _start(self) -> None:
        if self._is_lost:
            return
        self._has_started = True
        if self._tell(self._protocol.connection_made, self):
            self._watch()

    def _tell(self, method: Callable[..., object], *arguments: object) -> bool:
        """Calls a method of the protocol. False when it raised: the connection is reset then.

        A method wakes coroutines as a rule, so the loop has its turn next.
        """
        try:
            method(*arguments)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  of the protocol, and reported
            self.fail(error)
            return False
        self._poller.hand_over()
        return True

    def fail(self, error: BaseException) -> None:
        """Something has raised that should not."""
        self._report(error)
        self._reset_by(error)

    # --- readiness ---

    def _watch(self) -> None:
        """Tells the poller what the transport waits for."""
        events = 0
        if self._has_started and not self._is_lost:
            reads = self._is_reading and not self._input_ended and not self._is_closing
            events = (READ if reads else 0) | (WRITE if self._output else 0)
        if events == self._events:
            return
        if not events:
            self._poller.forget(self._sock)
        elif self._events:
            self._poller.change(self._sock, events)
        else:
            self._poller.add(self._sock, events, self)
        self._events = events

    def on_ready(self, events: int) -> None:
        if self._events & WRITE and events & (WRITE | _BROKEN):
            self._write_rest()
        if self._events & READ and events & (READ | _BROKEN):
            self._read()

    # --- input ---

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_SIZE if self._buffered is None else self._room())
        except BlockingIOError:
            return
        except OSError as error:
            return self._lose(error)
        except BaseException as error:  # noqa: BLE001  of get_buffer
            return self.fail(error)
        if not data:
            self._read_end()
        elif self._buffered is None:
            self._tell(self._protocol.data_received, data)  # type: ignore[attr-defined]
        else:
            self._buffer[: len(data)] = data
            self._tell(self._buffered.buffer_updated, len(data))

    def _room(self) -> int:
        assert self._buffered is not None
        self._buffer = memoryview(self._buffered.get_buffer(-1))
        if not self._buffer:
            raise RuntimeError("get_buffer() returned an empty buffer")
        return len(self._buffer)

    def _read_end(self) -> None:
        """The peer has ended its direction. A protocol that wants to write on says so."""
        keeps_open = False

        def tell() -> None:
            nonlocal keeps_open
            keeps_open = bool(self._protocol.eof_received())  # type: ignore[attr-defined]

        self._input_ended = True
        if not self._tell(tell):
            return
        if keeps_open:
            self._watch()
        else:
            self.close()

    def pause_reading(self) -> None:
        self._is_reading = False
        self._watch()

    def resume_reading(self) -> None:
        self._is_reading = True
        self._watch()

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    # --- output ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends at once what the socket takes, and keeps the rest."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._output_ends:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._is_lost:
            return
        if not self._output:
            data = memoryview(data)[self._send(data) :]
        if not data or self._is_lost:
            return
        self._output += data
        self._watch()
        if len(self._output) > self._high and not self._writing_paused:
            self._writing_paused = True
            self._tell(self._protocol.pause_writing)

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """How many bytes the socket has taken."""
        try:
            with memoryview(data) as view:
                return self._sock.send(view)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lose(error)
            return 0

    def _write_rest(self) -> None:
        sent = self._send(self._output)
        del self._output[:sent]
        if self._is_lost:
            return
        if len(self._output) <= self._low and self._writing_paused:
            self._writing_paused = False
            self._tell(self._protocol.resume_writing)
        if not self._output and not self._is_lost:
            self._watch()
            self._on_flushed()

    def _on_flushed(self) -> None:
        if self._is_closing:
            self._end(None)
        elif self._closes_after_output:
            self.close()
        elif self._output_ends:
            self._end_output()

    def write_eof(self) -> None:
        if self._is_closing or self._output_ends:
            return
        self._output_ends = True
        if not self._output:
            self._end_output()

    def _end_output(self) -> None:
        try:
            self._sock.shutdown(SHUT_WR)
        except OSError as error:
            self._lose(error)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._output)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    # --- the protocol ---

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._buffered = protocol if isinstance(protocol, asyncio.BufferedProtocol) else None

    # --- ending ---

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Ends when the output has been sent."""
        if self._is_closing:
            return
        self._is_closing = True
        self._watch()
        if not self._output:
            self._end(None)

    def close_after_output(self) -> None:
        """As `close`, but a protocol that holds output back while writing is paused may write it still."""
        self._closes_after_output = True
        if not self._output:
            self.close()

    def abort(self) -> None:
        """Ends at once. As on a socket, that is a reset only when input is left: see `reset`."""
        self._end(None)

    def reset(self) -> None:
        """Ends at once. The peer sees a reset."""
        self._reset_by(None)

    def _reset_by(self, error: BaseException | None) -> None:
        if not self._is_lost:
            self._sock.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_NOW)
            self.closes_in_order = False
            self._end(error)

    def _force_close(self, error: BaseException | None) -> None:
        """What TLS calls: with an OSError of its own, or with what a protocol has raised."""
        if error is None or isinstance(error, OSError):
            self._end(error)
        else:
            self.fail(error)

    def _lose(self, error: OSError) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if self._is_lost:
            return
        self._is_closing = self._is_lost = True
        self._output.clear()
        self._watch()
        self._loop.call_soon(self._connection_lost, error)

    def _connection_lost(self, error: BaseException | None) -> None:
        try:
            if self._has_started:
                self._protocol.connection_lost(error)  # type: ignore[arg-type]
        except Exception as bug:  # noqa: BLE001  of the protocol, and reported
            self.fail(bug)
        finally:
            if self.closes_in_order:
                self._discard_input()
            self._sock.close()
            self._on_end(self)

    def _discard_input(self) -> None:
        try:
            while self._sock.recv(READ_SIZE):
                pass
        except OSError:
            pass  # nothing is there, or the connection is broken


def _peer(sock: Socket) -> Any:
    """The address of the other end. None where that has reset the connection already."""
    try:
        return sock.getpeername()
    except OSError:
        return None


class _Side:
    """One of the sockets of a `DatagramTransport`, as a waiter."""

    survives: ClassVar[bool] = True

    def __init__(self, transport: DatagramTransport, sock: Socket) -> None:
        self._transport = transport
        self._sock = sock

    def on_ready(self, _events: int) -> None:
        self._transport.receive(self._sock)

    def fail(self, error: Exception) -> None:
        self._transport.fail(error)


class DatagramTransport(_Reporting, asyncio.DatagramTransport):
    """Datagram sockets with one `asyncio.DatagramProtocol`: one socket for each family of addresses.

    on_bug: called when a method of the protocol has raised. The transport goes on.

    `get_extra_info` knows socket and sockname, of the first socket.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        sockets: list[Socket],
        protocol: asyncio.BaseProtocol,
        on_bug: OnBug | None = None,
    ) -> None:
        super().__init__({"socket": sockets[0], "sockname": sockets[0].getsockname()})
        self._loop = loop
        self._poller = poller
        self._sockets = {sock.family: sock for sock in sockets}
        self._protocol = protocol
        self._on_bug = on_bug
        self._is_closing = False
        loop.call_soon(self._start)

    def _start(self) -> None:
        if self._is_closing:
            return
        self._tell(self._protocol.connection_made, self)
        for sock in self._sockets.values():
            self._poller.add(sock, READ, _Side(self, sock))

    def _tell(self, method: Callable[..., object], *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception as error:  # noqa: BLE001  of the protocol, and reported
            self.fail(error)
        self._poller.hand_over()

    def fail(self, error: Exception) -> None:
        """Something has raised that should not."""
        self._report(error)

    def receive(self, sock: Socket) -> None:
        """Hands one datagram to the protocol."""
        protocol: Any = self._protocol
        try:
            data, sender = sock.recvfrom(MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            return self._tell(protocol.error_received, error)
        self._tell(protocol.datagram_received, data, sender)

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """To `addr`: (IP address, port, ...). An error is told to the protocol."""
        if self._is_closing:
            return
        protocol: Any = self._protocol
        family = AF_INET6 if addr is not None and ":" in addr[0] else AF_INET
        sock = self._sockets.get(family) or next(iter(self._sockets.values()))
        try:
            sock.sendto(bytes(data), addr)
        except OSError as error:
            self._tell(protocol.error_received, error)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        return 0  # a datagram is sent at once, or not at all

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        for sock in self._sockets.values():
            self._poller.forget(sock)
        self._loop.call_soon(self._connection_lost)

    abort = close

    def _connection_lost(self) -> None:
        self._tell(self._protocol.connection_lost, None)
        for sock in self._sockets.values():
            sock.close()
