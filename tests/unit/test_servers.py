"""Servers in memory do what servers on the loopback interface do: each scene runs on both.

The client of a scene is a plain socket: of the kernel, or a `MemoryStream` as an Erlang socket would use
it. The server in memory is a `Servers`, on the loop of asyncio and on uvloop; the kernel has asyncio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from socket import AF_INET, AF_INET6, SHUT_WR, SO_LINGER, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from typing import Any, TypeVar

import pytest

from inetpy.host.linux import LinuxHost
from inetpy.host.memory_sockets import MemoryNetwork
from inetpy.network.certificates import client_context, server_context
from inetpy.network.servers import Servers

T = TypeVar("T")
HOST, PORT = "db.example", 5432
MUCH = 20_000_000  # bytes: more than the kernel's buffers hold
PATIENCE = 20.0


async def until(attempt: Callable[[], T]) -> T:
    """The result of a call that would block at first."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return attempt()
        except BlockingIOError:
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError from None
            await asyncio.sleep(0.001)


async def until_true(condition: Callable[[], bool]) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, "too late"
        await asyncio.sleep(0.001)


class Client:
    """A socket without asyncio, whose methods wait."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock

    async def connect(self, address: Any) -> Client:
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(address)

        def connected() -> None:
            try:
                self.sock.getpeername()
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
                number = self.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR)
                raise OSError(number or errno.EAGAIN, "connecting") from None

        await until(connected)
        return self

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[await until(lambda: self.sock.send(view)) :]  # noqa: B023

    async def recv(self, size: int = 1 << 16) -> bytes | str:
        """The bytes, or the name of an error."""
        try:
            return await until(lambda: self.sock.recv(size))
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    async def recv_all(self) -> bytes | str:
        """All until the end; the name of an error only where no bytes were before."""
        got = bytearray()
        while isinstance(data := await self.recv(1 << 20), bytes) and data:
            got += data
        return bytes(got) or data

    def end(self) -> None:
        self.sock.shutdown(SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class KernelConn:
    """The words of `Conn` over asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.read, self.read_exactly, self.read_until = reader.read, reader.readexactly, reader.readuntil
        self.peer = writer.get_extra_info("peername")
        self.transport = writer.transport
        self.half_close = writer.write_eof
        self.close = writer.close
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


Handler = Callable[[Any], Awaitable[None]]


class Kernel:
    """Servers on the loopback interface."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self.clients: list[Client] = []
        self.failures: list[str] = []

    async def server(self, handler: Handler) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(KernelConn(reader, writer))
            finally:
                writer.close()

        self._servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))

    async def protocol(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(factory, "127.0.0.1", 0))

    async def connect(self) -> Client:
        sock = socket.socket(AF_INET, SOCK_STREAM)
        sock.setblocking(False)
        self.clients.append(Client(sock))
        return await self.clients[-1].connect(self._servers[-1].sockets[0].getsockname())

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for client in self.clients:
            client.close()


class Memory:
    """Servers in memory."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.host = LinuxHost(loop)
        self.net = MemoryNetwork(self.host.poller.notify)
        self.failures: list[str] = []
        self.servers = Servers(self.net, loop, self.host.poller, self.failures.append)
        self.clients: list[Client] = []

    async def server(self, handler: Handler) -> None:
        self.servers.server(HOST, PORT)(handler)

    async def protocol(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self.servers.protocol(HOST, PORT, factory)

    async def connect(self, family: int = AF_INET, host: str = HOST, port: int = PORT) -> Client:
        address = self.servers.addresses_of(host)[0 if family == AF_INET else -1]
        self.clients.append(Client(self.net.socket(family, SOCK_STREAM)))
        return await self.clients[-1].connect((address, port))

    async def close(self) -> None:
        await self.servers.close_all()
        for client in self.clients:
            client.close()
        self.host.poller.close()


World = Any
Scene = Callable[[World, Callable[..., None]], Awaitable[None]]


def play(scene: Scene, world: type[World], new_loop: Callable[[], Any] | None = None) -> list[Any]:
    """What a scene has noted."""
    notes: list[Any] = []

    async def run() -> None:
        it = world()
        try:
            await asyncio.wait_for(scene(it, lambda *note: notes.append(note)), PATIENCE * 2)
        finally:
            await it.close()
        assert it.failures == []

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())
    return notes


def name(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__


# --- scenes: a coroutine is the server ---


async def echo_of_lines(world: World, note: Callable[..., None]) -> None:
    async def serve(conn: Any) -> None:
        for _ in range(2):
            await conn.write(b"you said " + await conn.read_until(b"\r\n"))
        await conn.write(await conn.read_exactly(4))

    await world.server(serve)
    client = await world.connect()
    await client.send(b"one\r")
    await client.send(b"\ntwo\r\nabcdef")
    note(await client.recv_all())


async def client_ends_its_direction(world: World, note: Callable[..., None]) -> None:
    async def serve(conn: Any) -> None:
        note("server", await conn.read())
        note("server", await conn.read(10), await conn.read())
        await conn.write(b"the answer")

    await world.server(serve)
    client = await world.connect()
    await client.send(b"the question")
    client.end()
    note("client", await client.recv_all(), await client.recv())


async def server_ends_its_direction(world: World, note: Callable[..., None]) -> None:
    done = asyncio.Event()

    async def serve(conn: Any) -> None:
        await conn.write(b"that was all")
        conn.half_close()
        note("server", await conn.read())
        done.set()

    await world.server(serve)
    client = await world.connect()
    note("client", await client.recv_all())
    await client.send(b"but not from here")
    client.end()
    await done.wait()


async def client_resets(world: World, note: Callable[..., None]) -> None:
    done = asyncio.Event()

    async def serve(conn: Any) -> None:
        note(await conn.read_exactly(1))
        try:
            await conn.read(1)
        except ConnectionError as error:
            note(name(error))
        try:
            for _ in range(3):
                await conn.write(b"x")
                await asyncio.sleep(0.01)
        except ConnectionError as error:
            note(name(error))
        done.set()

    await world.server(serve)
    client = await world.connect()
    await client.send(b"x")
    await asyncio.sleep(0.05)
    client.reset()
    await done.wait()


async def client_leaves_bytes_unread(world: World, note: Callable[..., None]) -> None:
    done = asyncio.Event()

    async def serve(conn: Any) -> None:
        await conn.write(b"nobody reads this")
        try:
            note(await conn.read(1))
        except ConnectionError as error:
            note(name(error))
        done.set()

    await world.server(serve)
    client = await world.connect()
    await until(lambda: client.sock.recv(1))
    client.close()
    await done.wait()


async def server_resets(world: World, note: Callable[..., None]) -> None:
    async def serve(conn: Any) -> None:
        await conn.read_exactly(4)
        conn.reset()

    await world.server(serve)
    client = await world.connect()
    await client.send(b"ping")
    note(await client.recv(), await client.recv())


async def server_leaves_input_unread(world: World, note: Callable[..., None]) -> None:
    """What is there already when the handler returns does not make a reset of the close."""

    async def serve(conn: Any) -> None:
        await conn.read_exactly(1)
        await asyncio.sleep(0.05)
        await conn.write(b"bye")

    await world.server(serve)
    client = await world.connect()
    await client.send(b"x" * 1000)
    note(await client.recv_all(), await client.recv())


async def input_ends_too_early(world: World, note: Callable[..., None]) -> None:
    done = asyncio.Event()

    async def serve(conn: Any) -> None:
        for read, what in ((conn.read_exactly, 10), (conn.read_until, b"\n")):
            try:
                await read(what)
            except asyncio.IncompleteReadError as error:
                note(error.partial, error.expected)
        done.set()

    await world.server(serve)
    client = await world.connect()
    await client.send(b"abc")
    client.end()
    await done.wait()
    note(await client.recv())


async def writer_waits_for_its_reader(world: World, note: Callable[..., None]) -> None:
    has_written = asyncio.Event()

    async def serve(conn: Any) -> None:
        await conn.write(b"x" * MUCH)
        has_written.set()

    await world.server(serve)
    client = await world.connect()
    await asyncio.sleep(0.05)
    note(has_written.is_set())
    note(len(await client.recv_all()))
    await has_written.wait()


async def reader_holds_its_writer_back(world: World, note: Callable[..., None]) -> None:
    may_read, counted = asyncio.Event(), asyncio.Event()

    async def serve(conn: Any) -> None:
        await may_read.wait()
        count = 0
        while data := await conn.read(100_000):
            count += len(data)
        note("server", count)
        counted.set()

    await world.server(serve)
    client = await world.connect()
    sending = asyncio.ensure_future(client.send(b"x" * MUCH))
    await asyncio.sleep(0.05)
    note("is sending still", not sending.done())
    may_read.set()
    await sending
    client.end()
    await counted.wait()


async def client_has_gone(world: World, note: Callable[..., None]) -> None:
    """The first write meets a closed socket, which answers with a reset."""
    done = asyncio.Event()

    async def serve(conn: Any) -> None:
        note(await conn.read())
        try:
            for _ in range(100):
                await conn.write(b"x")
                await asyncio.sleep(0.001)
        except ConnectionError as error:
            note(isinstance(error, (ConnectionResetError, BrokenPipeError)))
        done.set()

    await world.server(serve)
    (await world.connect()).close()
    await done.wait()


async def many_clients(world: World, note: Callable[..., None]) -> None:
    async def serve(conn: Any) -> None:
        while data := await conn.read(100):
            await conn.write(data.upper())

    await world.server(serve)

    async def ask(number: int) -> bytes | str:
        client = await world.connect()
        await client.send(b"client %d" % number)
        client.end()
        answer: bytes | str = await client.recv_all()
        return answer

    note(await asyncio.gather(*(ask(number) for number in range(50))))


# --- scenes: a protocol is the server ---


class Recorder(asyncio.Protocol):
    """Notes its calls. Input is noted when it has ended: it may come in any parts."""

    keeps_open = False

    def __init__(self, note: Callable[..., None]) -> None:
        self.note = note
        self.input = b""
        self.made = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("connection_made", transport.is_closing(), transport.is_reading())
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self.input += data

    def eof_received(self) -> bool:
        self.note("eof_received", self.input)
        return self.keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        self.note("connection_lost", name(error), self.transport.is_closing())
        self.lost.set()

    def pause_writing(self) -> None:
        self.note("pause_writing")

    def resume_writing(self) -> None:
        self.note("resume_writing")


async def start(world: World, protocol: Any) -> Client:
    await world.protocol(lambda: protocol)
    client: Client = await world.connect()
    await protocol.made.wait()
    return client


async def a_life(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    await client.send(b"hello")
    client.end()
    await protocol.lost.wait()
    note(await client.recv())


async def a_protocol_that_keeps_its_output_open(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    protocol.keeps_open = True
    client = await start(world, protocol)
    client.end()
    await asyncio.sleep(0.02)
    protocol.transport.write(b"still here")
    protocol.transport.close()
    note(protocol.transport.is_closing())
    await protocol.lost.wait()
    note(await client.recv_all())


async def close_with_output(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    protocol.transport.set_write_buffer_limits(high=MUCH * 2)
    protocol.transport.write(b"x" * MUCH)
    protocol.transport.close()
    protocol.transport.close()
    note(protocol.transport.is_closing(), protocol.lost.is_set())
    note(len(await client.recv_all()))
    await protocol.lost.wait()


async def abort(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    protocol.transport.abort()
    note(protocol.transport.is_closing(), protocol.lost.is_set())
    await protocol.lost.wait()
    protocol.transport.write(b"lost")
    protocol.transport.abort()
    protocol.transport.close()
    note(await client.recv())


async def client_resets_a_protocol(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    client.reset()
    await protocol.lost.wait()


async def high_and_low_water(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    protocol.transport.set_write_buffer_limits(high=1000, low=500)
    protocol.transport.write(b"x" * MUCH)
    note("written", protocol.transport.get_write_buffer_size() > 1000)
    protocol.transport.write(b"y")
    protocol.transport.write_eof()
    protocol.transport.write_eof()
    try:
        protocol.transport.write(b"z")
    except RuntimeError as error:
        note(str(error))
    note(len(await client.recv_all()), protocol.transport.get_write_buffer_size())
    client.close()
    await protocol.lost.wait()


async def limits_of_output(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    await start(world, protocol)
    transport = protocol.transport
    for high, low in ((None, None), (100, None), (None, 100), (0, None), (1, 2), (-1, None)):
        try:
            transport.set_write_buffer_limits(high, low)
        except ValueError as error:
            note(str(error))
        note(transport.get_write_buffer_limits())
    note(transport.can_write_eof(), type(transport.get_extra_info("nonsense", 7)))
    for wrong in ("text", 1, None):
        try:
            transport.write(wrong)
        except TypeError:
            note("TypeError")
    note(transport.get_protocol() is protocol)
    note(len(transport.get_extra_info("peername")), len(transport.get_extra_info("sockname")))
    transport.close()
    await protocol.lost.wait()


async def reading_paused(world: World, note: Callable[..., None]) -> None:
    protocol = Recorder(note)
    client = await start(world, protocol)
    protocol.transport.pause_reading()
    protocol.transport.pause_reading()
    await client.send(b"later")
    await asyncio.sleep(0.05)
    note(protocol.input, protocol.transport.is_reading())
    protocol.transport.resume_reading()
    protocol.transport.resume_reading()
    await until_true(lambda: protocol.input == b"later")
    protocol.transport.close()
    note(protocol.transport.is_reading())
    protocol.transport.resume_reading()
    await protocol.lost.wait()


async def another_protocol(world: World, note: Callable[..., None]) -> None:
    first, second = Recorder(note), Recorder(note)
    client = await start(world, first)
    await client.send(b"one")
    await until_true(lambda: first.input == b"one")
    second.transport = first.transport
    first.transport.set_protocol(second)
    await client.send(b"two")
    client.end()
    await second.lost.wait()
    note(first.input, second.input)


class Buffered(asyncio.BufferedProtocol):
    def __init__(self, note: Callable[..., None]) -> None:
        self.note = note
        self.input = b""
        self.buffer = bytearray(4)
        self.made, self.lost = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.made.set()

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.note("buffer_updated", nbytes)
        self.input += self.buffer[:nbytes]

    def eof_received(self) -> None:
        self.note("eof_received", self.input)

    def connection_lost(self, error: Exception | None) -> None:
        self.note("connection_lost", name(error))
        self.lost.set()


async def buffered_protocol(world: World, note: Callable[..., None]) -> None:
    protocol = Buffered(note)
    client = await start(world, protocol)
    await client.send(b"0123456789")
    client.end()
    await protocol.lost.wait()


async def written_in_connection_made(world: World, note: Callable[..., None]) -> None:
    class Greets(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"220 welcome\r\n")
            transport.close()

    protocol = Greets(note)
    client = await start(world, protocol)
    note(await client.recv_all())
    await protocol.lost.wait()


SCENES: list[Scene] = [
    echo_of_lines, client_ends_its_direction, server_ends_its_direction, client_resets,
    client_leaves_bytes_unread, server_resets, server_leaves_input_unread, input_ends_too_early,
    writer_waits_for_its_reader, reader_holds_its_writer_back, client_has_gone, many_clients,
    a_life, a_protocol_that_keeps_its_output_open, close_with_output, abort, client_resets_a_protocol,
    high_and_low_water, limits_of_output, reading_paused, another_protocol, buffered_protocol,
    written_in_connection_made,
]  # fmt: skip


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Any:
    if request.param == "asyncio":
        return asyncio.new_event_loop
    return pytest.importorskip("uvloop").new_event_loop


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_as_on_the_loopback_interface(scene: Scene, new_loop: Any) -> None:
    on_kernel = play(scene, Kernel)
    assert on_kernel
    assert play(scene, Memory, new_loop) == on_kernel


# --- in memory alone ---


@pytest.fixture
def run(new_loop: Any) -> Iterator[Callable[[Callable[[Memory], Awaitable[None]]], Memory]]:
    """Runs a scene in memory. No task and no address is left then."""

    def run_scene(scene: Callable[[Memory], Awaitable[None]]) -> Memory:
        async def whole() -> Memory:
            world = Memory()
            try:
                await asyncio.wait_for(scene(world), PATIENCE)
            finally:
                await world.close()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert not world.net._ports
            assert not world.net._reached
            return world

        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(whole())

    return run_scene  # type: ignore[return-value]


async def greet(conn: Any) -> None:
    await conn.write(b"hello")


def test_a_name_has_addresses_of_both_families(run: Any) -> None:
    async def scene(world: Memory) -> None:
        servers = world.servers
        servers.server("DB.example.", 5432)(greet)
        assert servers.names == {"db.example": ["198.18.0.1", "2001:2::1"]}
        assert servers.addresses_of("db.Example") == ["198.18.0.1", "2001:2::1"]
        assert servers.address_of("other") == "198.18.0.2"
        assert servers.address_of("10.0.0.1") == "10.0.0.1"
        assert servers.address_of("2001:0db8::0001") == "2001:db8::1"
        assert servers.addresses_of("localhost") == ["127.0.0.1", "::1"]
        assert servers.name_of("2001:2::1") == "db.example"
        assert set(servers.names) == {"db.example", "other"}
        for family in (AF_INET, AF_INET6):
            assert await (await world.connect(family)).recv_all() == b"hello"
        await servers.close_all()
        assert servers.names == {}
        assert servers.address_of("db.example") == "198.18.0.1"

    run(scene)


def test_what_is_served(run: Any) -> None:
    async def scene(world: Memory) -> None:
        servers = world.servers
        servers.server("db.example", 5432)(greet)
        servers.server("10.0.0.1", 80)(greet)
        servers.server("localhost", 81)(greet)
        servers.datagrams("log.example", 514)(greet)
        log = servers.addresses_of("log.example")
        assert servers.served == {
            (SOCK_STREAM, "198.18.0.1", 5432), (SOCK_STREAM, "2001:2::1", 5432),
            (SOCK_STREAM, "10.0.0.1", 80), (SOCK_STREAM, "127.0.0.1", 81), (SOCK_STREAM, "::1", 81),
            (SOCK_DGRAM, log[0], 514), (SOCK_DGRAM, log[1], 514),
        }  # fmt: skip
        await servers.close("10.0.0.1", 80)
        assert (SOCK_STREAM, "10.0.0.1", 80) not in servers.served
        await servers.close_all()
        assert not servers.served

    run(scene)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_server_needs_a_port(run: Any, port: int) -> None:
    async def scene(world: Memory) -> None:
        with pytest.raises(ValueError, match="port"):
            world.servers.server("db.example", port)(greet)

    run(scene)


def test_one_server_at_an_address(run: Any) -> None:
    async def scene(world: Memory) -> None:
        world.servers.server("2001:2::1", 5432)(greet)
        with pytest.raises(OSError, match=r"in use: there is a server at [a-z0-9.:]+"):
            world.servers.server("db.example", 5432)(greet)
        await world.servers.close("2001:2::1", 5432)
        world.servers.server("db.example", 5432)(greet)
        with pytest.raises(OSError, match="in use"):
            world.servers.server("db.example", 5432)(greet)
        assert await (await world.connect()).recv_all() == b"hello"

    run(scene)


def test_a_handler_that_raises_is_reported_and_resets(run: Any) -> None:
    async def serve(conn: Any) -> None:
        assert await conn.read(10) == b"ping", "not what was expected"

    async def scene(world: Memory) -> None:
        await world.server(serve)
        client = await world.connect()
        await client.send(b"pong")
        assert await client.recv() == "ECONNRESET"

    (failure,) = run(scene).failures
    assert failure.startswith("server db.example:5432: Traceback")
    assert "not what was expected" in failure


def test_a_protocol_that_raises_is_reported_and_resets(run: Any) -> None:
    class Raises(asyncio.Protocol):
        def data_received(self, _data: bytes) -> None:
            raise LookupError("what I looked for")

    def factory() -> asyncio.Protocol:
        if made.pop():
            raise LookupError("a protocol")
        return Raises()

    made = [True, False]

    async def scene(world: Memory) -> None:
        await world.protocol(factory)
        for _ in range(2):
            client = await world.connect()
            with contextlib.suppress(OSError):
                await client.send(b"x")
            assert await client.recv() == "ECONNRESET"

    first, second = run(scene).failures
    assert "what I looked for" in first
    assert "a protocol" in second


def test_the_end_of_a_connection_is_no_failure_of_its_handler(run: Any) -> None:
    async def serve(conn: Any) -> None:
        while True:
            await conn.write(await conn.read_until(b"\n"))

    async def scene(world: Memory) -> None:
        await world.server(serve)
        client = await world.connect()
        await client.send(b"one\ntw")
        client.end()
        assert await client.recv_all() == b"one\n"
        (await world.connect()).reset()
        await asyncio.sleep(0.02)

    assert run(scene).failures == []


def test_another_error_of_a_broken_connection_is_a_failure(run: Any) -> None:
    async def serve(conn: Any) -> None:
        await conn.read()
        raise ConnectionError("of another connection")

    async def scene(world: Memory) -> None:
        await world.server(serve)
        client = await world.connect()
        client.end()
        assert await client.recv() == "ECONNRESET"

    assert len(run(scene).failures) == 1


@pytest.mark.parametrize("buffer", [1, 1000, 1_000_000])
def test_a_buffer_holds_what_nobody_reads(run: Any, buffer: int) -> None:
    may_read = asyncio.Event()

    async def serve(conn: Any) -> None:
        await may_read.wait()
        assert await conn.read_exactly(buffer) == b"x" * buffer
        await conn.write(b"y" * buffer)
        written.append(buffer)
        await conn.write(b"z")
        written.append(1)

    written: list[int] = []

    async def scene(world: Memory) -> None:
        world.servers.server(HOST, PORT, buffer=buffer)(serve)
        client = await world.connect()
        assert client.sock.send(b"x" * (buffer + 1)) == buffer
        with pytest.raises(BlockingIOError):
            client.sock.send(b"x")
        may_read.set()
        await until_true(lambda: written == [buffer])
        await asyncio.sleep(0.02)
        assert written == [buffer]
        assert await client.recv_all() == b"y" * buffer + b"z"

    run(scene)


def test_a_static_server_ends_its_direction_and_reads_on(run: Any) -> None:
    data = bytes(range(256)) * 1000

    async def scene(world: Memory) -> None:
        world.servers.static(HOST, PORT, data)
        client = await world.connect()
        assert await client.recv_all() == data
        await client.send(b"x" * MUCH)
        assert await client.recv() == b""

    run(scene)


def test_closing_a_server_resets_cancels_and_waits(run: Any) -> None:
    ended: list[str] = []

    async def serve(conn: Any) -> None:
        try:
            await conn.write(b"hello")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(conn.host)

    async def scene(world: Memory) -> None:
        await world.server(serve)
        world.servers.server("other", 1)(serve)
        protocol = Recorder(lambda *_note: None)
        world.servers.protocol("third", 1, lambda: protocol)
        client, other = await world.connect(), await world.connect(host="other", port=1)
        await world.connect(host="third", port=1)
        for it in (client, other):
            assert await it.recv() == b"hello"
        await world.servers.close(HOST, PORT)
        assert ended == [HOST]
        assert await client.recv() == "ECONNRESET"
        with pytest.raises(ConnectionRefusedError):
            await world.connect()
        with pytest.raises(KeyError):
            await world.servers.close(HOST, PORT)
        assert HOST in world.servers.names  # refused, and not unknown
        await world.servers.close_all()
        assert ended == [HOST, "other"]
        assert protocol.lost.is_set()
        assert await other.recv() == "ECONNRESET"

    run(scene)


def test_a_handler_can_close_its_own_server(run: Any) -> None:
    async def scene(world: Memory) -> None:
        async def serve(conn: Any) -> None:
            await world.servers.close(HOST, PORT)
            closed.set()

        closed = asyncio.Event()
        await world.server(serve)
        client = await world.connect()
        await closed.wait()
        assert await client.recv() == "ECONNRESET"

    assert run(scene).failures == []


def test_two_coroutines_cannot_read_at_once(run: Any) -> None:
    async def serve(conn: Any) -> None:
        reading = asyncio.ensure_future(conn.read(1))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another coroutine"):
            await conn.read(1)
        await conn.write(b"go on")
        assert await reading == b"x"

    async def scene(world: Memory) -> None:
        await world.server(serve)
        client = await world.connect()
        assert await client.recv() == b"go on"
        await client.send(b"x")
        assert await client.recv() == b""

    assert run(scene).failures == []


# --- clients in Python ---


def test_python_connects_to_a_server_in_memory(run: Any) -> None:
    async def serve(conn: Any) -> None:
        await conn.write(await conn.read_until(b"\n"))
        assert await conn.read() == b"and this"

    async def scene(world: Memory) -> None:
        await world.server(serve)
        conn = await world.servers.connect("DB.Example", PORT)
        assert conn.peer == ("198.18.0.1", PORT)
        assert (conn.host, conn.port) == ("DB.Example", PORT)
        await conn.write(b"hello\n")
        assert await conn.read_until(b"\n") == b"hello\n"
        await conn.write(b"and this")
        await conn.half_close()
        assert await conn.read() == b""
        await conn.close()

    assert run(scene).failures == []


def test_python_connects_to_a_plain_socket_and_waits_for_its_backlog(run: Any) -> None:
    async def scene(world: Memory) -> None:
        listener = world.net.socket(AF_INET, SOCK_STREAM)
        listener.bind(("10.0.0.1", 80))
        listener.listen(0)
        first = await world.servers.connect("10.0.0.1", 80)
        second = asyncio.ensure_future(world.servers.connect("10.0.0.1", 80))
        await asyncio.sleep(0.02)
        assert not second.done()
        Client(listener.accept()[0]).reset()
        with pytest.raises(ConnectionResetError):
            await first.read()
        await (await second).close()
        listener.close()

    run(scene)


def test_python_connects_to_a_listener_that_takes_its_end(run: Any) -> None:
    async def scene(world: Memory) -> None:
        def inject(port: int, stream: Any) -> bool:
            taken.append(stream)
            return port == 8080

        taken: list[Any] = []
        world.servers.inject = inject
        conn = await world.servers.connect("app", 8080)
        assert world.servers.names == {}
        (stream,) = taken
        assert stream.getsockname() == conn.peer == (world.servers.address_of("app"), 8080)
        assert stream.getpeername() == conn.transport.get_extra_info("sockname")
        await conn.write(b"hello")
        assert await Client(stream).recv() == b"hello"
        stream.close()
        assert await conn.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await world.servers.connect("app", 8081)

    run(scene)


def test_nobody_listens(run: Any) -> None:
    async def scene(world: Memory) -> None:
        for host in ("nobody", "10.0.0.1", "::1"):
            with pytest.raises(ConnectionRefusedError, match=host):
                await world.servers.connect(host, 80)

    run(scene)


# --- TLS ---


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_tls(run: Any, size: int) -> None:
    async def serve(conn: Any) -> None:
        assert conn.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        with pytest.raises(RuntimeError):
            conn.half_close()
        await conn.write(await conn.read_exactly(size))

    async def scene(world: Memory) -> None:
        world.servers.server(HOST, PORT, tls=True)(serve)
        conn = await world.servers.connect(HOST, PORT, tls=True)
        writing = asyncio.ensure_future(conn.write(b"x" * size))
        assert await conn.read() == b"x" * size
        await writing
        await conn.close()

    assert run(scene).failures == []


def test_a_protocol_and_a_static_server_over_tls(run: Any) -> None:
    async def scene(world: Memory) -> None:
        notes: list[Any] = []
        protocol = Recorder(lambda *note: notes.append(note))
        world.servers.protocol(HOST, PORT, lambda: protocol, tls=True)
        conn = await world.servers.connect(HOST, PORT, tls=True)
        await conn.write(b"hello")
        conn.close()
        await protocol.lost.wait()
        assert ("eof_received", b"hello") in notes
        world.servers.static("static", 443, b"data", tls=True)
        conn = await world.servers.connect("static", 443, tls=True)
        assert await conn.read() == b"data"

    assert run(scene).failures == []


def test_a_handler_over_tls_that_raises(run: Any) -> None:
    async def serve(conn: Any) -> None:
        raise LookupError

    async def scene(world: Memory) -> None:
        world.servers.server(HOST, PORT, tls=True)(serve)
        conn = await world.servers.connect(HOST, PORT, tls=True)
        with pytest.raises(ConnectionResetError):
            await conn.read()

    assert len(run(scene).failures) == 1


def test_a_failed_handshake_ends_the_connection(run: Any) -> None:
    async def scene(world: Memory) -> None:
        world.servers.server(HOST, PORT, tls=True)(greet)
        client = await world.connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        while isinstance(data := await client.recv(), bytes) and data:
            pass
        await world.connect()  # and says nothing until the server is closed
        world.servers.server("plain", 1)(greet)
        with pytest.raises(OSError):  # noqa: PT011  what TLS says of it differs
            await world.servers.connect("plain", 1, tls=True)

    assert run(scene).failures == []


def test_start_tls(run: Any, new_loop: Any) -> None:
    """A server that begins in the clear, as SMTP with STARTTLS does."""
    if new_loop is not asyncio.new_event_loop:
        pytest.skip("uvloop's start_tls takes transports of its own alone")
    context, trusting = server_context(True, HOST), client_context(True)
    assert context is not None
    assert trusting is not None
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.start_tls(context)
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        done.set()

    def factory() -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)

    async def scene(world: Memory) -> None:
        await world.protocol(factory)
        conn = await world.servers.connect(HOST, PORT)
        await conn.write(b"STARTTLS\n")
        assert await conn.read_until(b"\n") == b"go ahead\n"
        secret = asyncio.StreamReader()
        transport: Any = await asyncio.get_running_loop().start_tls(
            conn.transport, asyncio.StreamReaderProtocol(secret), trusting
        )
        transport.write(b"in secret\n")
        assert await secret.readline() == b"in secret\n"
        transport.close()
        await done.wait()

    run(scene)


# --- datagrams ---


def test_datagrams_have_a_handler(run: Any) -> None:
    async def scene(world: Memory) -> None:
        @world.servers.datagrams("log.example", 514)
        async def serve(data: bytes, sender: Any, reply: Callable[[bytes], None]) -> None:
            if data == b"raise":
                raise LookupError("what I looked for")
            reply(data.upper())
            reply(repr(sender).encode())

        for family, address in zip(
            (AF_INET, AF_INET6), world.servers.addresses_of("log.example"), strict=True
        ):
            sock = world.net.socket(family, SOCK_DGRAM)
            sock.connect((address, 514))
            sock.send(b"one")
            sock.send(b"two")
            sock.send(b"raise")
            mine = repr(sock.getsockname()).encode()
            answers = [await until(lambda: sock.recv(100)) for _ in range(4)]  # noqa: B023
            assert answers == [b"ONE", mine, b"TWO", mine]
            sock.close()

    failures = run(scene).failures
    assert len(failures) == 2
    assert "what I looked for" in failures[0]


def test_datagrams_have_a_protocol(run: Any) -> None:
    notes: list[Any] = []

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            notes.append(transport.get_extra_info("sockname"))

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

        def error_received(self, exc: Exception) -> None:
            notes.append(name(exc))

        def connection_lost(self, exc: Exception | None) -> None:
            notes.append(exc)

    async def scene(world: Memory) -> None:
        world.servers.datagrams("echo", 7, Echo)
        sock = world.net.socket(AF_INET, SOCK_DGRAM)
        sock.sendto(b"hello", (world.servers.address_of("echo"), 7))
        assert await until(lambda: sock.recv(100)) == b"hello"
        sock.sendto(b"x" * 60_000, (world.servers.address_of("echo"), 7))
        assert len(await until(lambda: sock.recv(1 << 16))) == 60_000
        sock.close()
        await world.servers.close("echo", 7)

    run(scene)
    assert notes == [("198.18.0.1", 7), None]


# --- bytes in any sizes ---


@pytest.mark.parametrize("tls", [None, True])
@pytest.mark.parametrize("seed", range(12))
def test_no_byte_is_lost_or_moved(run: Any, seed: int, tls: bool | None) -> None:
    """Both directions at once, with buffers, writes and reads of any size, and an end of each direction."""
    dice = random.Random(seed)
    buffer = dice.choice((1, 7, 100, 5000, 1 << 16, 1 << 20))
    most = dice.choice((10, 1000, 50_000)) if buffer > 10 else 300
    there, back = dice.randbytes(dice.randrange(5 * most)), dice.randbytes(dice.randrange(5 * most))

    async def write(conn: Any, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = dice.randint(1, most)
            await conn.write(data[start : start + size])
            start += size
            if dice.random() < 0.2:
                await asyncio.sleep(0)

    async def read(conn: Any, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            size = dice.randint(1, most)
            exact = size <= count - len(got) and dice.random() < 0.5
            got += await (conn.read_exactly if exact else conn.read)(min(size, count - len(got)))
        return bytes(got)

    async def serve(conn: Any) -> None:
        got, _ = await asyncio.gather(read(conn, len(there)), write(conn, back))
        assert got == there
        assert await conn.read() == b""

    async def scene(world: Memory) -> None:
        world.servers.server(HOST, PORT, tls=tls, buffer=buffer)(serve)
        conn = await world.servers.connect(HOST, PORT, tls=tls)
        _, got = await asyncio.gather(write(conn, there), read(conn, len(back)))
        assert got == back
        if tls is None:
            conn.half_close()
            assert await conn.read() == b""
        await conn.close()

    assert run(scene).failures == []


async def _handler(_conn: Any) -> None: ...


@pytest.mark.parametrize(
    "describe",
    [
        lambda servers: servers.server(None, PORT)(_handler),
        lambda servers: servers.server(b"db.example", PORT)(_handler),
        lambda servers: servers.server("", PORT)(_handler),
        lambda servers: servers.server(HOST, 0)(_handler),
        lambda servers: servers.server(HOST, "80")(_handler),
        lambda servers: servers.server(HOST, True)(_handler),
        lambda servers: servers.server(HOST, PORT, buffer=0)(_handler),
        lambda servers: servers.server(HOST, PORT, buffer="1")(_handler),
        lambda servers: servers.server(HOST, PORT)(5),
        lambda servers: servers.protocol(HOST, PORT, 5),
        lambda servers: servers.static(HOST, PORT, "text"),
        lambda servers: servers.datagrams(HOST, PORT)(5),
        lambda servers: servers.datagrams(HOST, -1)(_handler),
    ],
)
def test_a_wrong_description_changes_nothing(describe: Callable[[Servers], object]) -> None:
    async def main() -> None:
        host = LinuxHost(asyncio.get_running_loop())
        servers = Servers(MemoryNetwork(host.poller.notify), asyncio.get_running_loop(), host.poller, print)
        with pytest.raises(ValueError, match=" "):
            describe(servers)
        assert not servers.served

    asyncio.run(main())
