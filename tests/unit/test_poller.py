"""Readiness, with descriptors and without, in the poller of the loop and in that of the memory."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from socket import AF_INET, AF_UNIX, SOCK_STREAM
from typing import Any, ClassVar

import pytest

from inetpy.host.api import READ, WRITE, Poller
from inetpy.host.memory import MemoryPoller
from inetpy.host.memory_sockets import MemoryNetwork
from inetpy.host.poller import LoopPoller


class Bench:
    """A poller, and how to make it run what is ready."""

    def __init__(self, poller: Poller, run: Callable[[], None]) -> None:
        self.poller = poller
        self.run = run
        self.network = MemoryNetwork(poller.notify)

    def pair(self) -> tuple[Any, Any]:
        listener, client = (self.network.socket(AF_UNIX, SOCK_STREAM) for _ in range(2))
        listener.bind(b"")
        listener.listen(1)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


class LoopBench(Bench):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.looks = 0
        super().__init__(LoopPoller(loop, [self._after_batch]), self._run)

    def _after_batch(self) -> None:
        self.looks += 1

    def _run(self) -> None:
        for _ in range(10):
            self.loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def loop_bench() -> Iterator[LoopBench]:
    loop = asyncio.new_event_loop()
    bench = LoopBench(loop)
    yield bench
    bench.poller.close()  # type: ignore[attr-defined]
    loop.close()


@pytest.fixture(params=["loop", "memory"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        poller = MemoryPoller()
        return Bench(poller, poller.run)
    found: Bench = request.getfixturevalue("loop_bench")
    return found


class Reader:
    """Reads up to `size` bytes each time that it is called."""

    survives: ClassVar[bool] = False

    def __init__(self, sock: Any, size: int = 1) -> None:
        self.sock = sock
        self.size = size
        self.data = b""
        self.events: list[int] = []

    def on_ready(self, events: int) -> None:
        self.events.append(events)
        self.data += self.sock.recv(self.size)

    def fail(self, error: Exception) -> None:
        pass


class Noting(Reader):
    """Notes in a list that it has been called."""

    def __init__(self, sock: Any, name: str, calls: list[str]) -> None:
        super().__init__(sock)
        self.name, self.calls = name, calls

    def on_ready(self, events: int) -> None:
        super().on_ready(events)
        self.calls.append(self.name)


def test_level_triggered(bench: Bench) -> None:
    sock, peer = bench.pair()
    reader = Reader(sock)
    bench.poller.add(sock, READ, reader)
    bench.run()
    assert reader.events == []
    peer.send(b"abc")
    bench.run()
    assert reader.data == b"abc"
    assert reader.events == [READ] * 3


def test_the_last(loop_bench: LoopBench) -> None:
    """Once, what was ready first is called behind the others, and when what they have said has left."""
    (last, last_peer), (first, first_peer) = socket.socketpair(), socket.socketpair()
    with last, last_peer, first, first_peer:
        calls: list[str] = []
        poller = loop_bench.poller
        assert isinstance(poller, LoopPoller)
        poller.after_batch.append(lambda: calls.append("leaves"))
        poller.add_last(last, Noting(last, "last", calls))
        poller.add(first, READ, Noting(first, "first", calls))
        last_peer.send(b"x")
        first_peer.send(b"x")
        poller.others_first()
        loop_bench.run()
        assert calls == ["first", "leaves", "last", "leaves"]
        last_peer.send(b"x")
        first_peer.send(b"x")
        loop_bench.run()
        assert calls[4:] == ["last", "first", "leaves"]
        poller.others_first()
        last_peer.send(b"x")
        loop_bench.run()
        assert calls[7:] == ["last", "leaves"]
        poller.remove(last)
        poller.add(last, READ, Noting(last, "no longer last", calls))
        last_peer.send(b"x")
        first_peer.send(b"x")
        poller.others_first()
        loop_bench.run()
        assert calls[9:] == ["no longer last", "first", "leaves"]


def test_ready_before_it_is_added(bench: Bench) -> None:
    sock, peer = bench.pair()
    peer.send(b"abc")
    reader = Reader(sock)
    bench.poller.add(sock, READ, reader)
    bench.run()
    assert reader.data == b"abc"


def test_change_and_remove(bench: Bench) -> None:
    sock, peer = bench.pair()

    class Changing(Reader):
        def on_ready(self, events: int) -> None:
            self.events.append(events)
            bench.poller.change(sock, READ)

    waiter = Changing(sock)
    bench.poller.add(sock, WRITE, waiter)
    bench.run()
    assert waiter.events == [WRITE]
    bench.poller.remove(sock)
    peer.send(b"abc")
    bench.run()
    assert waiter.events == [WRITE]
    bench.poller.forget(sock)  # it is not there: nothing happens
    bench.poller.notify(sock)


def test_one_waiter_removes_another(bench: Bench) -> None:
    (one, peer), (two, other) = bench.pair(), bench.pair()
    second = Reader(two)

    class Remover(Reader):
        def on_ready(self, events: int) -> None:
            super().on_ready(events)
            bench.poller.remove(two)

    first = Remover(one)
    bench.poller.add(one, READ, first)
    bench.poller.add(two, READ, second)
    peer.send(b"a")
    other.send(b"b")
    bench.run()
    assert (first.data, second.data) == (b"a", b"")


@pytest.mark.parametrize("survives", [False, True])
def test_a_waiter_that_raises(bench: Bench, survives: bool, caplog: pytest.LogCaptureFixture) -> None:
    sock, peer = bench.pair()
    calls = []

    class Failing(Reader):
        def on_ready(self, events: int) -> None:
            calls.append(events)
            self.sock.recv(1)
            raise RuntimeError("a bug")

    Failing.survives = survives
    with caplog.at_level(logging.CRITICAL):
        bench.poller.add(sock, READ, Failing(sock))
        peer.send(b"abc")
        bench.run()
    assert len(calls) == (3 if survives else 1)


def test_beside_descriptors(loop_bench: LoopBench) -> None:
    bench = loop_bench
    sock, peer = bench.pair()
    virtual = Reader(sock)
    real, other = socket.socketpair()
    with real, other:
        real.setblocking(False)
        reader = Reader(real)
        bench.poller.add(sock, READ, virtual)
        bench.poller.add(real, READ, reader)
        peer.send(b"abc")
        other.send(b"def")
        bench.run()
        assert (virtual.data, reader.data) == (b"abc", b"def")
        bench.poller.remove(real)


def test_what_is_added_in_a_look_is_found_by_the_next(loop_bench: LoopBench) -> None:
    """The node has the answer of a call that waits before it is told to go on."""
    bench = loop_bench
    sock, peer = bench.pair()
    peer.send(b"a")
    real, other = socket.socketpair()
    looks: list[int] = []

    class Noting(Reader):
        def on_ready(self, events: int) -> None:
            super().on_ready(events)
            looks.append(bench.looks)

    class Adding(Noting):
        def on_ready(self, events: int) -> None:
            super().on_ready(events)
            bench.poller.add(sock, READ, Noting(sock))

    with real, other:
        bench.poller.add(real, READ, Adding(real))
        other.send(b"b")
        bench.run()
        bench.poller.remove(real)
    assert looks == [looks[0], looks[0] + 1]


def test_what_is_not_ready_costs_nothing(loop_bench: LoopBench) -> None:
    """The loop sleeps while a virtual socket waits."""
    sock, peer = loop_bench.pair()
    reader = Reader(sock, 10)
    loop_bench.poller.add(sock, READ, reader)
    loop_bench.run()
    before = loop_bench.looks
    loop_bench.run()
    assert loop_bench.looks == before
    peer.send(b"abc")
    loop_bench.run()
    assert reader.data == b"abc"


def test_a_waiter_that_does_nothing_is_found() -> None:
    poller = MemoryPoller()
    sock, peer = Bench(poller, poller.run).pair()
    reader = Reader(sock, 0)
    poller.add(sock, READ, reader)
    peer.send(b"abc")
    with pytest.raises(RuntimeError, match="stays ready"):
        poller.run()


def test_a_coroutine_has_its_turn_while_the_poller_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that has woken a coroutine says so, and the poller does not keep the loop for its `spin`."""
    monkeypatch.setattr("inetpy.host.poller.TURN", 60.0)
    loop = asyncio.new_event_loop()
    poller = LoopPoller(loop, spin=30.0)
    network = MemoryNetwork(poller.notify)
    client, server = network.pair(AF_INET, ("10.0.0.1", 80))
    woken = loop.create_future()

    class Wakes:
        survives: ClassVar[bool] = False

        def on_ready(self, _events: int) -> None:
            poller.remove(server)
            poller.hand_over()
            woken.set_result(loop.time())

        def fail(self, error: Exception) -> None:
            woken.set_exception(error)

    poller.add(server, READ, Wakes())
    client.send(b"x")

    async def wait() -> float:
        moment: float = await woken
        return moment - loop.time()

    try:
        assert -10 < loop.run_until_complete(wait()) <= 0
    finally:
        poller.close()
        loop.close()
