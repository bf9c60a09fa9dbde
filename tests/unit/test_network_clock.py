"""The time of a network, in memory: nothing waits, and each timer runs at its moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from in_memory import Bench
from inetpy.codec.terms import Atom
from inetpy.host.memory import MemoryClock
from inetpy.network import bandwidth, latency, periodic, refuse, reset, resolve_timeout
from inetpy.network.clock import ClockControl, NetworkClock
from inetpy.network.engine import Engine
from inetpy.network.resolver import GIVES_UP
from with_network import NetworkBench

TIMEOUT = ("error", "timeout")
FOR_EVER = 1 << 40


class Scene(NetworkBench):
    """A bench with a network. `advance` is the host's time, `clock.advance` that of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.network.clock

    def got(self, ident: int) -> Any:
        """What recv answers now."""
        call = self.recv(ident, 0, 0)
        self.clock.advance(0)
        return call.answer


@pytest.fixture
def scene() -> Scene:
    return Scene()


class Log:
    """Timers that write down when they run."""

    def __init__(self) -> None:
        self.host = MemoryClock()
        self.clock = NetworkClock(self.host)
        self.entries: list[tuple[int, str]] = []

    def after(self, milliseconds: int, name: str) -> Any:
        return self.clock.after(milliseconds, Entry(self, name).write)

    def advance(self, milliseconds: float) -> None:
        self.clock.begin(milliseconds)
        while self.clock.step():
            pass

    def taken(self) -> list[tuple[int, str]]:
        """The entries since the last time, with the ms of the network's time."""
        taken, self.entries = self.entries, []
        return taken


class Entry:
    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self._name = name

    def write(self) -> None:
        self._log.entries.append((round(self._log.clock.now() * 1000), self._name))

    def fail(self, error: Exception) -> None:
        raise error


# --- the clock ---


def test_at_first_it_is_the_clock_of_the_host() -> None:
    log = Log()
    log.after(100, "a")
    cancelled = log.after(50, "b")
    cancelled.cancel()
    log.host.advance(99)
    assert (log.taken(), log.clock.now()) == ([], log.host.now())
    log.host.advance(1)
    assert log.taken() == [(100, "a")]
    assert not log.clock.timers


def test_rate() -> None:
    log = Log()
    log.clock.set_rate(10)
    log.after(30_000, "a")
    log.host.advance(2_999)
    assert log.taken() == []
    log.host.advance(1)
    assert log.taken() == [(30_000, "a")]


def test_by_hand() -> None:
    log = Log()
    log.after(300, "c")
    log.after(100, "a")
    log.after(100, "b")
    log.after(150, "gone").cancel()
    log.advance(0)
    log.host.advance(FOR_EVER)
    assert log.taken() == []
    for step in (99, 1, 199, 1):
        log.advance(step)
    assert log.taken() == [(100, "a"), (100, "b"), (300, "c")]
    assert log.clock.now() == pytest.approx(0.3)


def test_what_is_left_of_a_timer_is_left_in_the_new_time() -> None:
    """1000 ms: 400 by the host, 300 at ten times the rate, 100 by hand, and the rest by the host."""
    log = Log()
    log.after(1000, "a")
    log.host.advance(400)
    log.clock.set_rate(10)
    log.host.advance(30)
    log.advance(100)
    log.host.advance(5000)
    assert log.taken() == []
    log.clock.set_rate(1)
    log.host.advance(199)
    assert log.taken() == []
    log.host.advance(1)
    assert log.taken() == [(1000, "a")]


@pytest.mark.parametrize("begin", [0, 1, 700, 12_345_678])
def test_steps_add_up(begin: int) -> None:
    """Floats are not exact: a timer is due all the same when the steps make its time."""
    for step in (1, 3, 7, 100):
        log = Log()
        log.host.advance(begin)
        log.after(step * 30, "a")
        for _ in range(29):
            log.advance(step)
        assert log.taken() == []
        log.advance(step)
        assert log.taken() == [(begin + step * 30, "a")]


def test_timers_of_timers() -> None:
    """What a timer begins in the middle of an advance has its moment there, too."""
    log = Log()

    class Again(Entry):
        def write(self) -> None:
            super().write()
            log.after(10, "b")

    log.clock.after(10, Again(log, "a").write)
    log.after(25, "c")
    log.advance(100)
    assert log.taken() == [(10, "a"), (20, "b"), (25, "c")]
    assert log.clock.now() == pytest.approx(0.1)


def test_a_timer_that_raises_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    failed = []

    class Bad(Entry):
        def write(self) -> None:
            raise LookupError

        def fail(self, error: Exception) -> None:
            failed.append(error)

    log.clock.after(10, Bad(log, "a").write)
    log.after(10, "b")
    log.advance(10)
    assert (len(failed), log.taken()) == (1, [(10, "b")])
    assert "a bug ends" in caplog.text


def test_cancelled_timers_are_not_kept() -> None:
    log = Log()
    log.advance(0)
    for _ in range(10_000):
        log.after(30_000, "a").cancel()
    assert len(log.clock._queue) < 1000


# --- calls ---


def test_a_timeout_is_over_at_once(scene: Scene) -> None:
    ident, _ = scene.pair()
    call = scene.recv(ident, 0, 30_000)
    scene.clock.advance(29_999)
    scene.advance(FOR_EVER)
    assert call.answer is None
    scene.clock.advance(1)
    assert call.answer == TIMEOUT


def test_all_calls_of_a_socket(scene: Scene) -> None:
    """recv, accept, connect, send and close of streams, and recv of datagrams."""
    ident, _ = scene.pair(send_timeout=1000)
    full, _ = scene.pair()
    scene.host.network.silent.add("192.0.2.1")
    for sender in (ident, full):
        assert scene.send(sender, bytes(1 << 20)).answer == "ok"  # more than the peer takes: it is queued
    waiting = [
        scene.recv(ident, 0, 1000),
        scene.accept(scene.listen(), 1000),
        scene.connect(1, 1000, (192, 0, 2, 1)),
        scene.send(ident, b"behind it"),
        scene.recv(scene.open(), 0, 1000),
    ]
    scene.clock.advance(999)
    assert [call.answer for call in waiting] == [None] * 5
    scene.clock.advance(1)
    assert [call.answer for call in waiting] == [TIMEOUT] * 5
    close = scene.close(full)
    scene.clock.advance(4_999)
    assert close.answer is None
    scene.clock.advance(1)  # it waits for five seconds in which nothing is taken
    assert close.answer == "ok"


def test_a_request_that_was_held_up(scene: Scene) -> None:
    """Its age is real time. While time stands still, that is no time of the network."""
    ident, _ = scene.pair()
    scene.dispatcher.handle((Atom("ping"), 0))
    scene.clock.advance(0)
    scene.host.clock.stand_still(600)
    asked = scene.request("recv", ident, (0, (100, 0)))
    scene.advance(10_000)
    assert asked.answer is None
    scene.clock.advance(100)
    assert asked.answer == TIMEOUT


def test_a_request_whose_caller_has_given_up(scene: Scene) -> None:
    """Erlang waits so long in real time for a process that does not answer."""
    ident, _ = scene.pair()
    scene.dispatcher.handle((Atom("ping"), 0))
    scene.clock.advance(0)
    scene.host.clock.stand_still(1001)
    assert scene.ask("recv", ident, (0, (100, 0))).answer == TIMEOUT


def test_the_age_of_a_request_goes_by_as_time_does(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.dispatcher.handle((Atom("ping"), 0))
    scene.clock.rate(10)
    scene.host.clock.stand_still(200)
    call = scene.ask("recv", ident, (0, (3000, 0)))
    scene.advance(99)
    assert call.answer is None
    scene.advance(1)
    assert call.answer == TIMEOUT


# --- faults ---


def test_latency(scene: Scene) -> None:
    """Data that comes within a timeout counts, though both are over in one step."""
    ident, peer = scene.pair()
    scene.fault(latency(200))
    call = scene.recv(ident, 0, 1000)
    scene.clock.advance(0)
    scene.write(peer, b"late")
    scene.advance(FOR_EVER)
    assert call.answer is None
    scene.clock.advance(30_000)
    assert call.answer == ("ok", b"late")
    scene.write(peer, b"again")
    late = scene.recv(ident, 0, 199)
    scene.clock.advance(30_000)
    assert late.answer == TIMEOUT


@pytest.mark.parametrize("begin", range(0, 1000, 37))
def test_a_delay_is_exact(begin: int) -> None:
    scene = Scene()
    ident, peer = scene.pair()
    scene.fault(latency(100))
    scene.clock.advance(begin)
    scene.write(peer, b"late")
    scene.clock.advance(99)
    assert scene.got(ident) == TIMEOUT
    scene.clock.advance(1)
    assert scene.got(ident) == ("ok", b"late")


def test_bandwidth(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(bandwidth(1000))
    scene.clock.advance(0)
    scene.write(peer, bytes(100))
    scene.clock.advance(50)
    assert scene.got(ident) == ("ok", bytes(50))
    scene.clock.advance(50)
    assert scene.got(ident) == ("ok", bytes(50))


def test_for_ms_and_periodic_and_after_ms(scene: Scene) -> None:
    scene.clock.advance(0)
    ident, _ = scene.pair()
    passing = scene.fault(refuse(), for_ms=5000)
    by_turns = scene.fault(refuse(), when=periodic(1000, 0.5))
    later = scene.fault(reset(after_ms=4000), role="client")
    assert (passing in scene.network.rules, by_turns.on) == (True, True)
    scene.advance(FOR_EVER)
    scene.clock.advance(500)
    assert not by_turns.on
    scene.clock.advance(3499)
    assert scene.got(ident) == TIMEOUT
    scene.clock.advance(1)
    assert (scene.got(ident), later.fired) == (("error", "closed"), 1)
    assert passing in scene.network.rules
    scene.clock.advance(1000)
    assert passing not in scene.network.rules


def test_race(scene: Scene) -> None:
    """The second address is tried when the first has not answered for a quarter of a second."""
    _, port = scene.listener()
    scene.host.names["twin.example"] = ["192.0.2.1", "127.0.0.1"]
    scene.host.network.silent.add("192.0.2.1")
    scene.clock.advance(0)
    call = scene.connect_name(b"twin.example", port, 5000)
    scene.clock.advance(249)
    assert not call.answer
    scene.clock.advance(1)
    assert call.answer[0] == "ok"


def test_resolve_timeout(scene: Scene) -> None:
    """Nobody answers for some seconds, and no thread waits for it."""
    scene.host.names["db.example"] = ["127.0.0.1"]
    rule = scene.fault(resolve_timeout(), host="db.example")
    call = scene.connect_name(b"db.example", 1, 60_000)
    scene.clock.advance(GIVES_UP - 1)
    assert (call.answer, rule.fired) == (None, 1)
    scene.clock.advance(1)
    assert (call.answer, rule.fired) == (("error", "nxdomain"), 1)


def test_resolve_timeout_ends_with_its_rule(scene: Scene) -> None:
    _, port = scene.listener()
    scene.host.names["db.example"] = ["127.0.0.1"]
    scene.clock.advance(0)
    rule = scene.fault(resolve_timeout())
    call = scene.connect_name(b"db.example", port)
    assert not call.answer
    rule.remove()
    scene.run()
    assert call.answer[0] == "ok"
    assert not scene.network.engine.clock.timers


def test_resolve_timeout_of_a_caller_with_a_timeout(scene: Scene) -> None:
    scene.fault(resolve_timeout())
    call = scene.connect_name(b"db.example", 1, 1000)
    scene.clock.advance(1000)
    assert call.answer == TIMEOUT
    scene.clock.advance(10_000)


# --- the words ---


@pytest.mark.parametrize("wrong", [0, -1, True, "2", float("inf"), float("nan"), 10**400, 1e300, None])
def test_a_wrong_rate(scene: Scene, wrong: Any) -> None:
    with pytest.raises(ValueError, match="a rate is a number above 0"):
        scene.clock.rate(wrong)
    assert scene.network.engine.clock.rate == 1


@pytest.mark.parametrize("wrong", [-1, True, "2", float("inf"), 10**400, 1e300, None])
def test_a_wrong_advance(scene: Scene, wrong: Any) -> None:
    with pytest.raises(ValueError, match="a time to advance"):
        scene.clock.advance(wrong)
    assert scene.network.engine.clock.rate == 1


# --- on a loop ---


class OnLoop:
    """A clock of the host in memory, but a loop that runs: nothing here waits for time."""

    def __init__(self) -> None:
        self.log = Log()
        loop = asyncio.get_running_loop()
        self.control = ClockControl(self.log.clock, self.do, loop, lambda: None)
        self._loop = loop

    def do(self, work: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            return work()

        async def run() -> None:
            work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


def test_advance_from_another_thread() -> None:
    """When it returns, all of it has happened."""

    async def scene() -> None:
        here = OnLoop()
        here.log.after(30_000, "a")

        def advance() -> list[tuple[int, str]]:
            here.control.advance(30_000)
            return here.log.taken()

        assert await asyncio.to_thread(advance) == [(30_000, "a")]

    asyncio.run(scene())


def test_advance_in_the_loop() -> None:
    """Coroutines react before the next moment; steps that come meanwhile are added."""

    async def scene() -> None:
        here = OnLoop()
        arrived = asyncio.Event()

        class Arrival(Entry):
            def write(self) -> None:
                arrived.set()

        here.log.clock.after(10, Arrival(here.log, "").write)
        timeout = here.log.after(20, "timeout")

        async def server() -> None:
            await arrived.wait()
            timeout.cancel()
            here.log.after(1000, "later")
            await here.control.advance(1000)

        task = asyncio.ensure_future(server())
        await here.control.advance(100)
        await task
        assert here.log.taken() == [(1010, "later")]
        assert here.log.clock.now() == pytest.approx(1.1)

    asyncio.run(scene())


def test_real_in_the_middle_of_an_advance() -> None:
    """The rest of the advance is void: time goes by itself again."""

    async def scene() -> None:
        here = OnLoop()

        class Real(Entry):
            def write(self) -> None:
                here.control.real()

        here.log.clock.after(10, Real(here.log, "").write)
        here.log.after(20, "a")
        await here.control.advance(100)
        assert (here.log.taken(), here.log.clock.rate) == ([], 1)
        here.log.host.advance(10)
        assert here.log.taken() == [(20, "a")]

    asyncio.run(scene())


def test_without_a_network_time_is_that_of_the_host() -> None:
    """No Python frame stands between a timer and the host's clock."""
    bench = Bench()
    assert bench.session.after == bench.host.clock.after
    Engine(bench.host, 1).attach(bench.session)
    assert bench.session.after != bench.host.clock.after
