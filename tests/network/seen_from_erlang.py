"""The same servers in memory and on the loopback interface: a file for INETPY_NETWORK.

`memory.example` has the handlers at the ports 1, 2, ... A datagram to port 1 is answered with the ports that
they have on the loopback interface. A datagram to port 2 has the name of one of both networks and the number
of a handler; the answer is what that handler has seen there.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it

Note = Callable[[object], None]
Handler = Callable[[Any, Note], Awaitable[None]]
HANDLERS: list[Handler] = []
seen: dict[tuple[str, int], list[object]] = {}


class KernelConn:
    """The words of `Conn` over asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.read, self.read_exactly, self.read_until = reader.read, reader.readexactly, reader.readuntil
        self.half_close = writer.write_eof
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def scene(handler: Handler) -> Handler:
    HANDLERS.append(handler)
    return handler


@scene
async def echo(conn: Any, note: Note) -> None:
    while data := await conn.read(1 << 16):
        await conn.write(data)
    note("end")


@scene
async def answers_after_the_end(conn: Any, note: Note) -> None:
    note(await conn.read())
    await conn.write(b"the answer")


@scene
async def ends_and_reads_on(conn: Any, note: Note) -> None:
    await conn.write(b"all of it")
    conn.half_close()
    note(await conn.read())


@scene
async def resets(conn: Any, note: Note) -> None:
    note(await conn.read_exactly(4))
    conn.reset()


@scene
async def reads_until_broken(conn: Any, note: Note) -> None:
    await conn.write(b"hello")
    note(await conn.read_exactly(4))
    try:
        note(await conn.read(1))
    except ConnectionError as error:
        note(type(error).__name__)


@scene
async def writes_until_broken(conn: Any, note: Note) -> None:
    note(await conn.read())
    try:
        for _ in range(1000):
            await conn.write(b"x")
            await asyncio.sleep(0.001)
    except ConnectionError:
        note("broken")


@scene
async def never_reads(conn: Any, _note: Note) -> None:
    await conn.write(b"hello")
    await asyncio.sleep(3600)


@scene
async def writes_much(conn: Any, note: Note) -> None:
    await conn.write(b"x" * 20_000_000)
    note("written")


@scene
async def closes(conn: Any, _note: Note) -> None:
    await conn.write(b"bye")


def start(number: int, handler: Handler) -> int:
    """The port on the loopback interface."""

    def note_for(where: str) -> Note:
        return seen.setdefault((where, number), []).append

    async def on_kernel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(KernelConn(reader, writer), note_for("kernel"))
        finally:
            writer.close()

    @network.server("memory.example", number)
    async def in_memory(conn: Conn) -> None:
        await handler(conn, note_for("memory"))

    server = network.loop.run_until_complete(asyncio.start_server(on_kernel, "127.0.0.1", 0))
    port: int = server.sockets[0].getsockname()[1]
    return port


ports = [start(number, handler) for number, handler in enumerate(HANDLERS, 1)]


@network.datagrams("memory.example", 1)
async def tell_ports(_data: bytes, _sender: object, reply: Callable[[bytes], None]) -> None:
    reply(" ".join(map(str, ports)).encode())


@network.datagrams("memory.example", 2)
async def tell_seen(data: bytes, _sender: object, reply: Callable[[bytes], None]) -> None:
    where, number = data.decode().split()
    reply(repr(seen.get((where, int(number)), [])).encode())


# --- Python as the client of a listener in Erlang ---


@network.server("memory.example", 100)
async def connect_back(conn: Conn) -> None:
    """Connects to the port that the line says, and passes bytes on in both directions."""
    try:
        other = await network.connect("app.example", int(await conn.read_until(b"\n")))
    except ConnectionRefusedError:
        return await conn.write(b"refused")
    await other.write(b"hello from Python\n")
    await conn.write(await other.read_until(b"\n"))
    other.half_close()
    await conn.write(await other.read())
    await other.close()


network.server("secure.example", 443, tls=True)(lambda conn: echo(conn, lambda _: None))
network.static("static.example", 1, b"x" * 1_000_000)


@network.server("wrong.example", 1)
async def wrong(conn: Conn) -> None:
    await conn.read(1)
    raise LookupError("what was looked for")
