"""A network that is used from the thread of a test, or from another loop; and that is as new again."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from in_memory import OWNER, option_list
from inetpy.codec.terms import Atom
from inetpy.network import blackhole, latency, nth, reset
from inetpy.network.conn import Conn
from inetpy.network.remote import RemoteConn
from loop_in_thread import PATIENCE, Running, in_a_thread, running
from with_network import NetworkBench

HOST, PORT = "db.example", 5432


@pytest.fixture
def world() -> Iterator[Running]:
    with running() as it:
        yield it


async def echo(conn: Conn) -> None:
    while line := await conn.read_until(b"\n"):
        await conn.write(b"you said " + line)


# --- a thread without a loop ---


def test_a_connection_that_blocks(world: Running) -> None:
    world.network.server(HOST, PORT)(echo)
    with world.network.connect(HOST, PORT) as conn:
        assert isinstance(conn, RemoteConn)
        conn.write(b"one\ntwo")
        assert conn.read_until(b"\n") == b"you said one\n"
        conn.write(b"\n")
        assert conn.read_exactly(9) == b"you said "
        assert conn.read(2) == b"tw"
        assert conn.read(100) == b"o\n"
        conn.half_close()
        assert conn.read() == b""
    assert world.network.failures == []
    assert (conn.host, conn.port, conn.peer[1]) == (HOST, PORT, PORT)


def test_a_connection_to_a_listener_of_erlang(world: Running) -> None:
    listener, port = world.listen()
    with world.network.connect("app.example", port) as conn:
        ident = world.accept(listener)
        world.send(ident, b"hello")
        assert conn.read_exactly(5) == b"hello"
        conn.write(b"bye")
        assert world.recv(ident, 3) == ("ok", b"bye")
    assert world.recv(ident) == ("error", "closed")


def test_an_exception_in_the_block_resets_the_connection(world: Running) -> None:
    listener, port = world.listen()
    conn = world.network.connect("app.example", port)
    ident = world.accept(listener)
    world.setopts(ident, show_econnreset=True)
    with pytest.raises(ZeroDivisionError), conn:
        raise ZeroDivisionError
    assert world.recv(ident) == ("error", "econnreset")


def test_reset(world: Running) -> None:
    listener, port = world.listen()
    conn = world.network.connect("app.example", port)
    ident = world.accept(listener)
    world.setopts(ident, show_econnreset=True)
    conn.reset()
    assert world.recv(ident) == ("error", "econnreset")


def test_nobody_listens(world: Running) -> None:
    with pytest.raises(ConnectionRefusedError):
        world.network.connect(HOST, PORT)


def test_a_timeout_loses_nothing(world: Running) -> None:
    go = asyncio.Event()

    @world.network.server(HOST, PORT)
    async def halves(conn: Conn) -> None:
        await conn.write(b"first")
        await go.wait()
        await conn.write(b"second")

    conn = world.network.connect(HOST, PORT, timeout=0.05)
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        conn.read_exactly(11)
    world.do(go.set)
    conn.timeout = PATIENCE
    assert conn.read_exactly(11) == b"firstsecond"


def test_an_interrupted_call_is_cancelled(world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C while a call waits: the next call may read, though only one coroutine at a time may."""

    @world.network.server(HOST, PORT)
    async def slow(conn: Conn) -> None:
        await conn.write(await conn.read_exactly(3))

    conn = world.network.connect(HOST, PORT, timeout=None)
    with monkeypatch.context() as patch:

        def interrupted(_future: object, _timeout: float) -> None:
            raise KeyboardInterrupt

        patch.setattr("concurrent.futures.Future.result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            conn.read(3)
    conn.write(b"abc")
    assert conn.read(3) == b"abc"


def test_a_handler_that_raises_is_read_in_the_test(world: Running) -> None:
    @world.network.server(HOST, PORT)
    async def wrong(conn: Conn) -> None:
        raise ValueError("this is no query")

    conn = world.network.connect(HOST, PORT)
    with pytest.raises(ConnectionResetError):
        conn.read()
    [failure] = world.network.failures
    assert failure.startswith(f"server {HOST}:{PORT}: Traceback")
    assert failure.endswith("ValueError: this is no query")


def test_a_client_that_has_gone_before_the_end_of_the_output(world: Running) -> None:
    """The handler learns it as any other reset, and that is no failure of it."""
    go = asyncio.Event()
    errors: list[str] = []

    @world.network.server(HOST, PORT)
    async def late(conn: Conn) -> None:
        await go.wait()
        conn.half_close()
        try:
            await conn.read()
        except ConnectionResetError:
            errors.append("reset")
            raise

    world.network.connect(HOST, PORT).reset()
    world.do(go.set)
    world.until(lambda: errors)
    (service,) = world.network.servers._services.values()
    world.until(lambda: not service._transports)  # type: ignore[attr-defined]
    assert world.network.failures == []


# --- another loop ---


def other_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(work(), PATIENCE)

    asyncio.run(run())


def test_a_connection_that_is_awaited(world: Running) -> None:
    async def work() -> None:
        world.network.server(HOST, PORT)(echo)
        async with await world.network.connect(HOST, PORT) as conn:
            assert isinstance(conn, RemoteConn)
            reading = conn.read_until(b"\n")
            await conn.write(b"one\n")
            assert await reading == b"you said one\n"
            await conn.half_close()
            assert await conn.read() == b""

    other_loop(work)
    assert world.network.failures == []


def test_one_connection_is_made_by_a_fixture_and_awaited_by_a_test(world: Running) -> None:
    world.network.server(HOST, PORT)(echo)
    conn = world.network.connect(HOST, PORT)

    async def work() -> None:
        await conn.write(b"one\n")
        assert await conn.read_until(b"\n") == b"you said one\n"

    other_loop(work)
    conn.write(b"two\n")
    assert conn.read_until(b"\n") == b"you said two\n"


def test_the_other_loop_runs_on_meanwhile(world: Running) -> None:
    """The server waits for what the other loop does only while it waits for the connection."""

    async def work() -> None:
        here, ready = asyncio.get_running_loop(), asyncio.Event()

        @world.network.server(HOST, PORT)
        async def serve(conn: Conn) -> None:
            await conn.read_exactly(1)
            here.call_soon_threadsafe(ready.set)
            await conn.write(await conn.read_exactly(1))

        conn = await world.network.connect(HOST, PORT)
        await conn.write(b"a")
        reading = conn.read_exactly(1)
        await ready.wait()
        await conn.write(b"b")
        assert await reading == b"b"

    other_loop(work)


def test_a_task_that_is_cancelled(world: Running) -> None:
    ended = threading.Event()

    async def work() -> None:
        @world.network.server(HOST, PORT)
        async def serve(conn: Conn) -> None:
            await conn.write(await conn.read_exactly(3))

        conn = await world.network.connect(HOST, PORT)
        reading = asyncio.ensure_future(conn.read(3))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await conn.write(b"abc")
        assert await conn.read(3) == b"abc"
        ended.set()

    other_loop(work)
    assert ended.is_set()


def test_what_is_not_awaited_happens_all_the_same(world: Running) -> None:
    async def work() -> None:
        seen = threading.Event()

        @world.network.server(HOST, PORT)
        async def serve(conn: Conn) -> None:
            assert await conn.read() == b"all"
            seen.set()

        conn = await world.network.connect(HOST, PORT)
        await conn.write(b"all")
        conn.close()
        del conn
        gc.collect()
        assert await asyncio.to_thread(seen.wait, PATIENCE)

    other_loop(work)


# --- the loop of the servers ---


def test_the_loop_of_the_servers_has_a_plain_connection(world: Running) -> None:
    async def work() -> bytes:
        world.network.server(HOST, PORT)(echo)
        async with await world.network.connect(HOST, PORT) as conn:
            assert type(conn) is Conn
            await conn.write(b"one\n")
            line: bytes = await conn.read_until(b"\n")
            return line

    assert asyncio.run_coroutine_threadsafe(work(), world.loop).result(PATIENCE) == b"you said one\n"


def test_a_network_without_a_loop_has_no_connections() -> None:
    with pytest.raises(RuntimeError, match="this network has no loop"):
        NetworkBench().network.connect(HOST, PORT)


# --- the loop ends ---


def everything(network: Any, conn: RemoteConn) -> list[Callable[[], object]]:
    return [
        lambda: network.connect(HOST, PORT),
        lambda: network.server(HOST, PORT + 1)(echo),
        lambda: network.fault("blackhole"),
        lambda: network.names({"a": "10.0.0.1"}),
        lambda: network.rules,
        network.heal,
        network.clear,
        lambda: network.clock.advance(1),
        lambda: conn.read(1),
        lambda: conn.write(b"x"),
        conn.close,
    ]


def test_after_the_end_each_call_says_so(world: Running) -> None:
    world.network.server(HOST, PORT)(echo)
    conn = world.network.connect(HOST, PORT)
    world.network.clear()
    world.end()
    for call in everything(world.network, conn):
        with pytest.raises(RuntimeError, match="the loop of this network has ended"):
            call()


def test_a_loop_that_ends_while_a_thread_waits(world: Running) -> None:
    world.network.server(HOST, PORT)(echo)
    conn = world.network.connect(HOST, PORT, timeout=None)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            conn.read(1)
        except RuntimeError as error:
            errors.append(error)

    thread = in_a_thread(wait)
    world.until(lambda: conn._conn._protocol._reader is not None)
    world.loop.call_soon_threadsafe(world.loop.stop)
    thread.join(PATIENCE)
    assert "the loop of this network has ended" in str(errors[0])
    _restart(world)


def test_a_loop_that_ends_while_another_loop_waits(world: Running) -> None:
    world.network.server(HOST, PORT)(echo)
    conn = world.network.connect(HOST, PORT, timeout=None)

    async def work() -> None:
        reading = conn.read(1)
        world.loop.call_soon_threadsafe(world.loop.stop)
        with pytest.raises(RuntimeError, match="the loop of this network has ended"):
            await reading

    other_loop(work)
    _restart(world)


def _restart(world: Running) -> None:
    """So that the servers of the test can end."""
    world.thread.join()
    world.thread = in_a_thread(world.loop.run_forever)
    world.until(lambda: True)


# --- as new ---


def test_all_is_as_new(world: Running) -> None:
    network = world.network
    handlers: list[str] = []

    @network.server(HOST, PORT)
    async def forever(conn: Conn) -> None:
        handlers.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            handlers.append("ended")

    @network.server("rude.example", 1)
    async def rude(conn: Conn) -> None:
        raise ValueError

    @network.datagrams("time.example", 123)
    async def time(data: bytes, sender: object, reply: object) -> None: ...

    network.static("web.example", 80, b"hello")
    network.protocol("proto.example", 80, asyncio.Protocol)
    network.names({"given.example": "10.0.0.7"})
    network.fault(latency(1), host=HOST, when=nth(1))
    network.refuse("away.example")
    network.blackhole("silent.example", 80)
    listener, port = world.listen()
    client = network.connect("app.example", port)
    served = world.accept(listener)
    with pytest.raises(ConnectionResetError):
        network.connect("rude.example", 1).read()
    network.strict()
    network.clock.advance(1000)
    network.trace.start()
    _, ident = world.connect(HOST, PORT, show_econnreset=True)
    assert handlers == ["began"]
    assert len(network.trace.calls("connect")) == 1
    failures = network.failures
    assert len(failures) == 1
    assert world.link.is_in_play
    assert set(world.link.known_names) > {HOST, "away.example", "silent.example", "given.example"}

    network.clear()

    assert handlers == ["began", "ended"]
    assert world.recv(ident) == ("error", "econnreset")
    assert world.recv(served) == ("error", "closed"), "the connection of Python is reset"
    assert client.read() == b""
    assert network.rules == []
    assert network.failures == []
    assert len(failures) == 1, "what the test keeps stays"
    assert network.engine.clock.rate == 1.0
    assert network.trace.is_on, "a test that clears goes on to be traced"
    assert network.trace.calls("connect") == []
    assert not network.engine.places.strict
    assert world.link.known_names == {}
    assert network.engine.places.is_empty()
    network.trace.stop()
    assert not world.link.is_in_play
    for host, at in [(HOST, PORT), ("rude.example", 1), ("web.example", 80), ("proto.example", 80)]:
        with pytest.raises(ConnectionRefusedError):
            network.connect(host, at)
    network.server(HOST, PORT)(echo)
    with network.connect(HOST, PORT) as conn:
        conn.write(b"again\n")
        assert conn.read_until(b"\n") == b"you said again\n"


def test_sockets_of_erlang_stay_and_are_as_without_rules(world: Running) -> None:
    listener, port = world.listen()
    given = option_list({"active": False})
    args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, (127, 0, 0, 1), port, given, [], -1)
    client, server = world.ask("connect", 0, args)[1], world.accept(listener)
    world.network.fault(blackhole(), port=port)
    world.send(server, b"held")
    handle: Any = world.session.sockets[client]
    held = handle.sock
    assert type(held).__name__ == "ControlledStream"
    world.network.clear()
    assert world.recv(client, 4) == ("ok", b"held")
    world.until(lambda: type(handle.sock) is not type(held))


def test_rules_of_erlang_and_of_the_shell_go_too() -> None:
    bench = NetworkBench()
    engine = bench.engine
    bench.network.fault(latency(1))
    of_erlang = bench.network.fault(reset(), port=1)
    engine.remove(of_erlang)
    engine.add(of_erlang, 7, bench.node)
    of_the_shell = bench.network.fault(reset(), port=2)
    engine.keep(of_the_shell)
    bench.network.clear()
    assert bench.network.rules == []
    assert bench.link.kept == {}
    assert 7 in bench.link.forgotten
    assert not engine.is_in_play()


def test_random_numbers_are_those_of_a_new_network() -> None:
    def seeds(network: Any) -> list[str]:
        return [network.fault(latency(10, jitter=5), host="a").seed for _ in range(2)]

    network = NetworkBench(seed=3).network
    before = seeds(network)
    network.clear()
    assert seeds(network) == before


def test_a_handler_may_clear(world: Running) -> None:
    over: list[bool] = []

    @world.network.server(HOST, PORT)
    async def serve(conn: Conn) -> None:
        world.network.fault("refuse", host="x")
        await world.network.clear()
        over.append(world.network.rules == [])

    world.network.connect(HOST, PORT)
    world.until(lambda: over)
    assert over == [True]


def test_a_handler_that_goes_on_is_reported(
    world: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("inetpy.network.servers.PATIENCE", 0.05)
    go = asyncio.Event()

    @world.network.server(HOST, PORT)
    async def stubborn(conn: Conn) -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    world.network.connect(HOST, PORT)
    world.network.clear()
    assert f"server {HOST}:{PORT}: a handler goes on after it was cancelled" in caplog.text
    world.do(go.set)
