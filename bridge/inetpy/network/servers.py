"""Servers in memory: Python is the other end of a connection that an Erlang program makes.

    @servers.server("db.example", 5432)
    async def database(conn):
        assert await conn.read_until(b"\\n") == b"ping\\n"
        await conn.write(b"pong\\n")

A server is a listening `MemoryStream`, on each address of its host. A connection has a coroutine, or any
`asyncio.Protocol`; its transport sees what it would see on the loopback interface of the kernel. No
descriptor and no port of the system is used.

All methods are called on the thread of the loop; those that are no coroutines also before it runs.
"""

from __future__ import annotations

import asyncio
import errno
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from socket import AF_INET, AF_INET6, AF_UNIX, SO_ERROR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from ssl import SSLContext
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from ..host.api import READ, WRITE, Poller
from ..host.memory_sockets import MemoryNetwork, MemorySocket, MemoryStream
from .addresses import Addresses, is_ip, normal_host
from .certificates import TLS, client_context, server_context
from .conn import Conn, ConnProtocol
from .transport import DatagramTransport, StreamTransport

__all__ = ["TLS", "Conn", "Factory", "Servers"]

Handler: TypeAlias = Callable[[Conn], Awaitable[Any]]
DatagramHandler: TypeAlias = Callable[[bytes, tuple[Any, ...], Callable[[bytes], None]], Awaitable[Any]]
Factory: TypeAlias = Callable[[], asyncio.BaseProtocol]
Report: TypeAlias = Callable[[str], None]
H = TypeVar("H", bound=Callable[..., Any])

_LOOPBACK: dict[int, str] = {AF_INET: "127.0.0.1", AF_INET6: "::1"}
PATIENCE = 5.0  # seconds that a handler has to end in when it is cancelled


class _Service(Protocol):
    """What is at a host and a port."""

    def shown(self) -> str: ...

    async def close(self) -> None: ...


class _Tasks:
    """The handlers of one service that run, and the report of those that raise."""

    def __init__(self, loop: asyncio.AbstractEventLoop, where: str, report: Report) -> None:
        self._loop = loop
        self._where = where
        self._report = report
        self._running: set[asyncio.Task[None]] = set()

    def run(self, work: Any) -> None:
        task = self._loop.create_task(work, name=f"inetpy {self._where}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def failed(self, error: BaseException) -> None:
        self._report(f"{self._where}: {''.join(traceback.format_exception(error)).rstrip()}")

    async def cancel(self) -> None:
        """Ends all but the task that asks. Reports those that go on all the same."""
        tasks = self._running - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, busy = await asyncio.wait(tasks, timeout=PATIENCE)
            for task in busy:
                self._report(f"{self._where}: a handler goes on after it was cancelled: {task!r}")


class _Listeners:
    """A server of streams: a waiter on its listening sockets, and its connections."""

    survives: ClassVar[bool] = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        sockets: list[MemoryStream],
        factory: Factory,
        tasks: _Tasks,
    ) -> None:
        self._loop = loop
        self._poller = poller
        self._sockets = sockets
        self._factory = factory
        self._tasks = tasks
        self._transports: set[StreamTransport] = set()
        self._accepted = 0
        for sock in sockets:
            sock.listen()
            poller.add(sock, READ, self)

    def on_ready(self, _events: int) -> None:
        for sock in self._sockets:
            while sock.ready & READ:
                self._begin(sock.accept()[0])

    def _begin(self, sock: MemorySocket) -> None:
        try:
            protocol = self._factory()
        except Exception as error:  # noqa: BLE001  of a guest, and reported
            self._tasks.failed(error)
            protocol = _Refusal()
        transport = StreamTransport(
            self._loop, self._poller, sock, protocol, self._transports.discard, self._tasks.failed
        )
        self._transports.add(transport)
        self._accepted += 1
        self._poller.hand_over()  # connection_made

    def fail(self, error: Exception) -> None:
        self._tasks.failed(error)

    def shown(self) -> str:
        # Those that are over count too: whether a server has seen an end by now is a matter of chance.
        count = self._accepted
        return f"{count} connection{'s' * (count != 1)}"

    async def close(self) -> None:
        for sock in self._sockets:
            self._poller.forget(sock)
            sock.close()
        for transport in set(self._transports):
            transport.reset()
        await self._tasks.cancel()
        while self._transports:
            await asyncio.sleep(0)


class _Refusal(asyncio.Protocol):
    """Of a connection whose protocol could not be made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, StreamTransport)
        transport.reset()


class _Datagrams:
    """A server of datagrams."""

    def __init__(self, transport: DatagramTransport, tasks: _Tasks) -> None:
        self._transport = transport
        self._tasks = tasks

    def shown(self) -> str:
        return "datagrams"

    async def close(self) -> None:
        self._transport.abort()
        await self._tasks.cancel()
        await asyncio.sleep(0)  # connection_lost


class _EachDatagram(asyncio.DatagramProtocol):
    """Runs a handler for each datagram."""

    def __init__(self, handler: DatagramHandler, tasks: _Tasks) -> None:
        self._handler = handler
        self._tasks = tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._tasks.run(self._run(data, addr))

    async def _run(self, data: bytes, sender: tuple[Any, ...]) -> None:
        try:
            await self._handler(data, sender, lambda answer: self._transport.sendto(answer, sender))
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  of a handler, and reported
            self._tasks.failed(error)


class _Ready:
    """Waits once for a socket."""

    survives: ClassVar[bool] = False

    def __init__(self, poller: Poller, sock: MemorySocket, events: int) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._poller = poller
        self._sock = sock
        poller.add(sock, events, self)

    def on_ready(self, _events: int) -> None:
        self._poller.forget(self._sock)
        self._poller.hand_over()
        if not self._future.done():
            self._future.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)

    async def wait(self) -> None:
        try:
            await self._future
        finally:
            self._poller.forget(self._sock)


def _check_place(host: object, port: object) -> None:
    if not isinstance(host, str):
        raise ValueError(f"a host is text, not {host!r}")
    if type(port) is not int or not 0 < port < 1 << 16:
        raise ValueError(f"{port!r} is no port of a server")


def _check_callable(value: object, what: str) -> None:
    if not callable(value):
        raise ValueError(f"{what}, not {value!r}")


class Servers:
    """The servers of one memory network, and Python's clients of what listens there or in Erlang.

    net: where the servers listen.
    report: called with the text of each error that a handler or a protocol has raised.
    inject: given a port and a connected `MemoryStream`, hands the stream to an Erlang listener of that port.
        False when there is none.
    changed: called when a server has come or gone.
    addresses: those of names, when others have names too.
    on_context: called with the context of each server and client that speaks TLS.
    outside: another network, whose unix sockets and datagrams Python's clients reach, too.

    `host` is a name or an IP address. A name gets addresses of its own, of both families: see `addresses`.
    `tls` is None, an ssl.SSLContext, (certificate, key) as paths, or True for a certificate that is made
    on the spot. `buffer` is how many bytes each direction of a connection holds that nobody has read yet.
    """

    def __init__(
        self,
        net: MemoryNetwork,
        loop: asyncio.AbstractEventLoop,
        poller: Poller,
        report: Report,
        inject: Callable[[int, MemoryStream], bool] = lambda _port, _stream: False,
        changed: Callable[[], None] = lambda: None,
        addresses: Addresses | None = None,
        outside: MemoryNetwork | None = None,
        on_context: Callable[[SSLContext], None] = lambda _context: None,
    ) -> None:
        self.inject = inject
        self.clients: set[tuple[int, str, int]] = set()  # those of Python that send datagrams
        self.served: set[tuple[int, str, int]] = set()  # (kind of socket, IP address, port) of each server
        self._net = net
        self._outside = outside or net
        self._loop = loop
        self._poller = poller
        self._report = report
        self._changed = changed
        self._on_context = on_context
        self._addresses = addresses or Addresses()
        self._services: dict[tuple[int, str, int], _Service] = {}  # by kind of socket, host and port
        self._clients: set[StreamTransport] = set()

    # --- names ---

    @property
    def names(self) -> dict[str, list[str]]:
        """The addresses of each name in play, for a resolver."""
        return self._addresses.names

    def address_of(self, host: str) -> str:
        """The IPv4 address of a name, which is in play from now on. An IP address is itself."""
        return self._addresses.play(host)[0]

    def addresses_of(self, host: str) -> list[str]:
        """As `address_of`: [IPv4 address, IPv6 address]. Of an IP address that address."""
        return self._addresses.play(host)

    def name_of(self, address: str) -> str | None:
        """The name that has `address` of its own."""
        return self._addresses.name_of(address)

    # --- servers ---

    def server(self, host: str, port: int, *, tls: TLS = None, buffer: int | None = None) -> Callable[[H], H]:
        """A decorator: runs `async def handler(conn)` for each connection.

        The connection is closed in order when the handler returns. A handler that raises is reported and
        resets the connection; not so when the error says no more than that the client has gone.
        Raises OSError (EADDRINUSE) where a server is already.
        """

        def add(handler: H) -> H:
            _check_callable(handler, "a handler is a coroutine function")
            tasks = self._tasks(host, port)

            def begin(protocol: ConnProtocol, _transport: asyncio.Transport) -> None:
                tasks.run(_serve(handler, Conn(protocol, host, port), tasks))

            self._listen(host, port, lambda: ConnProtocol(self._loop, begin), tls, buffer, tasks)
            return handler

        return add

    def protocol(
        self, host: str, port: int, factory: Factory, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        """A server like that of `loop.create_server(factory, host, port)`.

        A protocol that raises is reported and its connection reset.
        """
        _check_callable(factory, "a factory is a function that makes a protocol")
        self._listen(host, port, factory, tls, buffer, self._tasks(host, port))

    def static(
        self, host: str, port: int, data: bytes, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        """Sends `data` to each connection and ends its output. It reads until the client ends."""

        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"what is sent is bytes, not {data!r}")

        async def send(conn: Conn) -> None:
            await conn.write(data)
            if conn.transport.can_write_eof():
                conn.half_close()
                while await conn.read(1 << 16):
                    pass

        self.server(host, port, tls=tls, buffer=buffer)(send)

    def datagrams(self, host: str, port: int, factory: Factory | None = None) -> Callable[[H], H]:
        """A decorator: runs `async def handler(data, sender, reply)` for each datagram.

        sender: the address that it is from. reply(data): sends a datagram there, from this server.
        With `factory`, which makes an asyncio.DatagramProtocol, the server is that protocol instead.
        """
        tasks = self._tasks(host, port)
        if factory is not None:
            self._bind_datagrams(host, port, factory, tasks)

        def add(handler: H) -> H:
            _check_callable(handler, "a handler is a coroutine function")
            self._bind_datagrams(host, port, lambda: _EachDatagram(handler, tasks), tasks)
            return handler

        return add

    def serve_path(self, path: str, handler: Handler) -> None:
        """As `server`, at the path of a unix socket, which is in this network alone."""
        tasks = _Tasks(self._loop, f"server {path}", self._report)

        def begin(protocol: ConnProtocol, _transport: asyncio.Transport) -> None:
            tasks.run(_serve(handler, Conn(protocol, path, 0), tasks))

        def factory() -> ConnProtocol:
            return ConnProtocol(self._loop, begin)

        sock = self._net.socket(AF_UNIX, SOCK_STREAM)
        assert isinstance(sock, MemoryStream)
        sock.bind(path)
        self._add(SOCK_STREAM, path, 0, _Listeners(self._loop, self._poller, [sock], factory, tasks))

    def shown(self) -> list[str]:
        """Where the servers are, and how many connections they have had: `db.example:5432, 2 connections`."""
        services = list(self._services.items())
        return [
            f"{host}:{port}, {service.shown()}" if port else f"{host}, {service.shown()}"
            for (_, host, port), service in services
        ]

    async def close(self, host: str, port: int) -> None:
        """Removes a server of streams or datagrams: nobody listens then, and its connections are reset.

        Its handlers have ended then. KeyError where no server is.
        """
        found = [key for key in self._services if key[1:] == (_normal(host, port), port)]
        if not found:
            raise KeyError(f"no server at {host}:{port}")
        for key in found:
            await self._remove(key)

    def forget(self, host: str) -> None:
        """The name of a host is in play no longer, unless one of its servers is left."""
        name = normal_host(host)
        if name in self.names and not any(served == name for _, served, _ in self._services):
            del self.names[name]
            self._changed()

    async def close_all(self) -> None:
        """Removes all servers, resets the clients, and forgets the names."""
        while self._services:
            await self._remove(next(iter(self._services)))
        for client in set(self._clients):
            client.reset()
        while self._clients:
            await asyncio.sleep(0)
        self.names.clear()
        self._changed()

    def _add(self, kind: int, host: str, port: int, service: _Service) -> None:
        self._services[kind, _normal(host, port), port] = service
        self.served |= self._places(kind, host, port)
        self._changed()

    async def _remove(self, key: tuple[int, str, int]) -> None:
        service = self._services.pop(key)
        self.served -= self._places(*key)
        self._changed()
        await service.close()

    def _places(self, kind: int, host: str, port: int) -> set[tuple[int, str, int]]:
        return {(kind, address, port) for address in (self._addresses.of(host) if port else [host])}

    def _tasks(self, host: str, port: int) -> _Tasks:
        return _Tasks(self._loop, f"server {host}:{port}", self._report)

    def _listen(
        self, host: str, port: int, factory: Factory, tls: TLS, buffer: int | None, tasks: _Tasks
    ) -> None:
        if buffer is not None and (type(buffer) is not int or buffer < 1):
            raise ValueError(f"a buffer is a number of bytes from 1 on, not {buffer!r}")
        _check_place(host, port)
        context = server_context(tls, host)
        sockets = self._bind(host, port, SOCK_STREAM)
        for sock in sockets:
            sock.capacity = buffer or sock.capacity
        if context is not None:
            factory = self._over_tls(factory, context)
        listeners = _Listeners(self._loop, self._poller, sockets, factory, tasks)
        self._add(SOCK_STREAM, host, port, listeners)

    def _over_tls(self, factory: Factory, context: SSLContext, **options: Any) -> Factory:
        from asyncio.sslproto import SSLProtocol

        self._on_context(context)
        server_side = not options
        waiter: Any = None  # connection_made tells as much
        return lambda: SSLProtocol(self._loop, factory(), context, waiter, server_side, **options)

    def _bind_datagrams(self, host: str, port: int, factory: Factory, tasks: _Tasks) -> None:
        protocol = factory()
        sockets = self._bind(host, port, SOCK_DGRAM)
        transport = DatagramTransport(self._loop, self._poller, sockets, protocol, tasks.failed)
        self._add(SOCK_DGRAM, host, port, _Datagrams(transport, tasks))

    def _bind(self, host: str, port: int, kind: int) -> list[Any]:
        """A socket on each address of a host; or none, and an error."""
        _check_place(host, port)
        sockets: list[MemorySocket] = []
        try:
            for address in self._addresses.play(host):
                sockets.append(self._net.socket(_family(address), kind))
                sockets[-1].bind((address, port))
        except OSError as error:
            _close(sockets)
            if error.errno == errno.EADDRINUSE:
                raise OSError(error.errno, f"{error.strerror}: there is a server at {host}:{port}") from None
            raise
        return sockets

    # --- clients ---

    async def connect(self, host: str, port: int, *, tls: TLS = None) -> Conn:
        """A connection to what listens at a host and a port of this network, or in Erlang at that port.

        Without a port, 0, the host is the path of a unix socket in memory.
        With `tls` True no certificate is checked. Raises ConnectionRefusedError when nobody listens.
        """
        sock = await self._reach(host, port)
        made: asyncio.Future[ConnProtocol] = self._loop.create_future()

        def on_made(protocol: ConnProtocol, _transport: asyncio.Transport) -> None:
            if not made.done():
                made.set_result(protocol)

        def on_end(transport: StreamTransport) -> None:
            self._clients.discard(transport)
            if not made.done():
                made.set_exception(ConnectionResetError(f"{host}:{port} has ended the connection"))

        def factory() -> asyncio.BaseProtocol:
            return ConnProtocol(self._loop, on_made)

        context = client_context(tls)
        if context is not None:
            name = None if is_ip(host) else host
            factory = self._over_tls(factory, context, server_hostname=name)
        transport = StreamTransport(self._loop, self._poller, sock, factory(), on_end)
        self._clients.add(transport)
        try:
            return Conn(await made, host, port)
        except BaseException:
            transport.abort()
            raise

    def _net_of(self, kind: int, address: str, port: int) -> MemoryNetwork:
        return self._net if (kind, address, port) in self.served else self._outside

    def open_datagrams(
        self, host: str, port: int, factory: Callable[[], asyncio.DatagramProtocol]
    ) -> DatagramTransport:
        """A socket in memory that reaches that place. It is to be closed by who has it."""
        address = self._addresses.of(host)[0]
        sock = self._net_of(SOCK_DGRAM, address, port).socket(_family(address), SOCK_DGRAM)
        sock.bind((_LOOPBACK[sock.family], 0))
        return DatagramTransport(self._loop, self._poller, [sock], factory())

    async def _reach(self, host: str, port: int) -> MemoryStream:
        if not port:
            unix = self._net_of(SOCK_STREAM, host, 0).socket(AF_UNIX, SOCK_STREAM)
            assert isinstance(unix, MemoryStream)
            unix.connect(host)
            return unix
        for address in self._addresses.of(host):
            sock = self._net.socket(_family(address), SOCK_STREAM)
            assert isinstance(sock, MemoryStream)
            try:
                with suppress(BlockingIOError):
                    sock.connect((address, port))
                if not sock.ready & WRITE:
                    await _Ready(self._poller, sock, WRITE).wait()
            except BaseException:
                sock.close()
                raise
            if not sock.getsockopt(SOL_SOCKET, SO_ERROR):
                return sock
            sock.close()
            client, server = self._net.pair(_family(address), (address, port))
            if self.inject(port, server):
                return client
            _close([client, server])
        raise ConnectionRefusedError(f"nobody listens at {host}:{port}")


async def _serve(handler: Handler, conn: Conn, tasks: _Tasks) -> None:
    try:
        await handler(conn)
    except (asyncio.CancelledError, KeyboardInterrupt):
        conn.reset()
        raise
    except BaseException as error:  # noqa: BLE001  of a handler, and reported
        if conn.is_cause(error):
            conn.close()
            return
        tasks.failed(error)
        conn.reset()
    else:
        conn.close()


def _normal(host: str, port: int) -> str:
    """Without a port it is a path."""
    return normal_host(host) if port else host


def _close(sockets: Iterable[MemorySocket]) -> None:
    for sock in sockets:
        sock.close()


def _family(address: str) -> int:
    return AF_INET6 if ":" in address else AF_INET
