"""What a player of a replay has its connection by: see `replay.player.Line`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from socket import IPPROTO_TCP, SOCK_DGRAM, TCP_NODELAY, socket
from typing import Any, TypeAlias

from ..host.memory_sockets import MemoryStream
from .conn import Conn
from .servers import Servers

__all__ = ["ConnLine", "DatagramLine", "Dialed", "dial", "dial_in_memory"]

PATIENCE = 1.0  # seconds for the other side to read a piece before the next is sent
TURNS, MOMENT = 50, 0.001  # how often it looks at once, and seconds between two looks after that
SIZE = 1 << 16


class ConnLine:
    """A connection in memory."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn
        sock = conn.transport.get_extra_info("socket")
        self._sock = sock if isinstance(sock, MemoryStream) else None
        self._has_waited = False

    async def receive(self, patience: float | None) -> bytes:
        async with asyncio.timeout(patience):
            data = await self._conn.read(SIZE)
        if not data:
            raise EOFError
        return data

    async def send(self, data: bytes) -> None:
        await self._conn.write(data)

    async def taken(self) -> None:
        """When the other side speaks instead, or has read enough, there is no more waiting."""
        sock = self._sock
        if sock is None or self._has_waited:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        turns = 0
        while (way := sock.outward) is not None and way.data and not way.reader.closed:
            if (sock.inward is not None and sock.inward.data) or loop.time() > end:
                self._has_waited = True
                return
            turns += 1
            await asyncio.sleep(0 if turns < TURNS else MOMENT)

    def end(self) -> None:
        if not self._conn.transport.is_closing():
            self._conn.half_close()

    def close(self) -> None:
        self._conn.close()

    def reset(self) -> None:
        self._conn.reset()


class DatagramLine:
    """The datagrams of one peer. `send`: sends it one."""

    def __init__(self, send: Callable[[bytes], object], close: Callable[[], object] = lambda: None) -> None:
        self._send = send
        self._close = close
        self._input: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, data: bytes) -> None:
        """One has come."""
        self._input.put_nowait(data)

    async def receive(self, patience: float | None) -> bytes:
        async with asyncio.timeout(patience):
            return await self._input.get()

    async def send(self, data: bytes) -> None:
        self._send(data)

    async def taken(self) -> None:
        """Datagrams are not put together."""

    def end(self) -> None:
        """Datagrams have no end."""

    def close(self) -> None:
        self._close()

    reset = close


# --- the real network ---


class _RealLine:
    """A connection of the system."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        sock = writer.get_extra_info("socket")
        if sock is not None and len(sock.getsockname()) > 1 and not isinstance(sock.getsockname(), str):
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    async def receive(self, patience: float | None) -> bytes:
        async with asyncio.timeout(patience):
            data = await self._reader.read(SIZE)
        if not data:
            raise EOFError
        return data

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def taken(self) -> None:
        """Nobody can know."""
        await asyncio.sleep(0)

    def end(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.line: DatagramLine | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        if self.line is not None:
            self.line.put(data)


Dialed: TypeAlias = _RealLine | DatagramLine


async def dial(host: str, port: int | None, is_stream: bool) -> Dialed:
    """A connection to the real network. Without a port, the host is a path. Raises OSError."""
    if port is None:
        return _RealLine(*await asyncio.open_unix_connection(host))
    if is_stream:
        return _RealLine(*await asyncio.open_connection(host, port))
    return await _dial_datagrams(host, port)


async def _dial_datagrams(host: str, port: int) -> DatagramLine:
    """Without a transport of asyncio, which sends no empty datagram."""
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=SOCK_DGRAM))[0]
    sock = socket(family, kind, protocol)
    sock.setblocking(False)
    sock.connect(address)

    def take() -> None:
        with suppress(OSError):  # also that nobody is there: then nothing comes
            line.put(sock.recv(SIZE))

    def close() -> None:
        loop.remove_reader(sock)
        sock.close()

    line = DatagramLine(sock.send, close)
    loop.add_reader(sock, take)
    return line


def dial_in_memory(servers: Servers, host: str, port: int) -> DatagramLine:
    """Datagrams to a socket of this network."""
    protocol = _Datagrams()
    transport = servers.open_datagrams(host, port, lambda: protocol)
    ip, own_port = transport.get_extra_info("sockname")[:2]
    servers.clients.add((SOCK_DGRAM, ip, own_port))

    def close() -> None:
        servers.clients.discard((SOCK_DGRAM, ip, own_port))
        transport.close()

    protocol.line = DatagramLine(lambda data: transport.sendto(data, (host, port)), close)
    return protocol.line
