"""One connection, as a coroutine reads and writes it."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

from ..host.errors import os_error
from .transport import StreamTransport

__all__ = ["Conn", "ConnProtocol"]

Address = tuple[Any, ...]


class ConnProtocol(asyncio.Protocol):
    """What happens to a connection, for the coroutines that wait for it.

    Input is taken from the socket while somebody waits for it, and only then. So what nobody reads stays
    in the buffer of the socket, and the peer is held back.

    on_made: called with the protocol and its transport when the connection is there, after TLS's handshake.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_made: Callable[[ConnProtocol, asyncio.Transport], None]
    ) -> None:
        self.input = bytearray()
        self.error: Exception | None = None  # what the connection was lost by
        self.has_ended = False  # the input
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._on_made = on_made
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] = []
        self._writing_paused = False
        self._keeps_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.socket_transport: StreamTransport = transport.get_extra_info("stream_transport")
        self.socket_transport.closes_in_order = True
        self.socket_transport.set_write_buffer_limits(high=0)  # TLS has a buffer of its own above
        self._keeps_open = transport.can_write_eof()  # TLS ends both directions at once
        transport.pause_reading()
        self._on_made(self, transport)

    async def more(self) -> bool:
        """Waits for input. False at its end. Raises the error by which the connection was lost."""
        if not self.has_ended:
            had = len(self.input)
            await self._wait_for_input()
            if len(self.input) > had:
                return True
        if self.error is not None:
            raise self.error
        return False

    async def _wait_for_input(self) -> None:
        if self._reader is not None:
            raise RuntimeError("another coroutine is reading from this connection")
        self._reader = self._loop.create_future()
        self.transport.resume_reading()
        try:
            await self._reader
        finally:
            self._reader = None
            self._pause()

    def _pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.input += data
        self._pause()
        self._wake()

    def eof_received(self) -> bool:
        self.has_ended = True
        self._wake()
        return self._keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        if isinstance(error, OSError) and error.errno == errno.ENOTCONN:
            # the peer's reset has come, and `half_close` was the first to notice
            error = os_error(errno.ECONNRESET)
        self.error = error
        self.has_ended = True
        self._wake()
        self.resume_writing()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        for writer in self._writers:
            if not writer.done():
                writer.set_result(None)
        self._writers.clear()

    def check_writable(self) -> None:
        """Raises ConnectionError when the connection is lost."""
        if self.closed.done():
            raise self.error or ConnectionResetError("the connection is closed")

    async def drained(self) -> None:
        """Waits until the socket has taken all output."""
        if self._writing_paused:
            writer = self._loop.create_future()
            self._writers.append(writer)
            await writer
            self.check_writable()


class Conn:
    """A connection of a server in memory, or of a client: the words of asyncio's streams.

    host, port: where the server is, as it was described.
    peer: the address of the other end, as `socket.getpeername` gives it.
    transport: the transport below; `get_extra_info("ssl_object")` is the session of TLS.

    Each method can be awaited, and `close`, `reset` and `half_close` need not be.
    """

    def __init__(self, protocol: ConnProtocol, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.transport = protocol.transport
        self.peer: Address = protocol.transport.get_extra_info("peername")
        self._protocol = protocol
        self._input = protocol.input

    def __repr__(self) -> str:
        return f"<Conn {self.host}:{self.port} with {self.peer!r}>"

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, as soon as there are some; b"" at the end. All until the end without `n`.

        Raises ConnectionResetError when the peer resets the connection. Bytes that were there come first.
        """
        if n < 0:
            while await self._protocol.more():
                pass
            return self._take(len(self._input))
        if n > 0 and not self._input:
            await self._protocol.more()
        return self._take(n)

    async def read_exactly(self, n: int) -> bytes:
        """`n` bytes. Raises asyncio.IncompleteReadError when the input ends before."""
        while len(self._input) < n:
            if not await self._protocol.more():
                raise asyncio.IncompleteReadError(self._take(n), n)
        return self._take(n)

    async def read_until(self, separator: bytes) -> bytes:
        """All until `separator`, which is the end of the result. Raises as `read_exactly` does."""
        if not separator:
            raise ValueError("the separator is empty")
        start = 0
        while (found := self._input.find(separator, start)) < 0:
            start = max(0, len(self._input) - len(separator) + 1)
            if not await self._protocol.more():
                raise asyncio.IncompleteReadError(self._take(len(self._input)), None)
        return self._take(found + len(separator))

    def _take(self, size: int) -> bytes:
        data = bytes(self._input[:size])
        del self._input[:size]
        return data

    async def write(self, data: bytes) -> None:
        """Waits until the socket has taken the bytes: a peer that does not read holds the writer back.

        TLS takes half a megabyte before it does so.

        Raises ConnectionError when the connection is lost, RuntimeError after `half_close`.
        """
        self._protocol.check_writable()
        self.transport.write(data)
        await self._protocol.drained()

    def half_close(self) -> asyncio.Future[None]:
        """Ends the output, behind all that has been written. Reading goes on. RuntimeError with TLS."""
        if not self.transport.can_write_eof():
            raise RuntimeError("TLS has no half-close: close the connection")
        self.transport.write_eof()
        done: asyncio.Future[None] = self._protocol.closed.get_loop().create_future()
        done.set_result(None)
        return done

    def close(self) -> asyncio.Future[None]:
        """Closes in order: what has been written still arrives. Input that nobody has read is thrown away."""
        self.transport.close()
        if self.transport is not self._protocol.socket_transport:
            # asyncio would wait for the other end to say that it closes TLS. OTP's ssl does not say so before
            # the connection is closed.
            self._protocol.socket_transport.close_after_output()
        return self._protocol.closed

    def reset(self) -> asyncio.Future[None]:
        """The peer sees a reset. Output that has not been sent is lost."""
        self._protocol.socket_transport.reset()
        return self._protocol.closed

    async def __aenter__(self) -> Conn:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes in order; resets where an exception leaves the block."""
        await asyncio.shield(self.close() if kind is None else self.reset())

    def is_cause(self, error: BaseException) -> bool:
        """Whether an error says no more than that this connection has ended."""
        if isinstance(error, asyncio.IncompleteReadError):
            return self._protocol.has_ended
        return isinstance(error, ConnectionError) and self._protocol.closed.done()
