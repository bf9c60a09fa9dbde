"""What a failing test shows of its network."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

from inetpy.network import blackhole, error, latency, nth, reset
from inetpy.network.conn import Conn
from loop_in_thread import PATIENCE, Running, in_a_thread, running
from with_network import NetworkBench


@pytest.fixture
def world() -> Iterator[Running]:
    with running(seed=7) as it:
        yield it


def test_a_network_in_which_nothing_was_said() -> None:
    assert NetworkBench(seed=7).network.report() == "seed 7"


def test_rules_that_hold_and_rules_that_have_ended() -> None:
    bench = NetworkBench(seed=7)
    network = bench.network
    _, port = bench.listener()
    with network.fault(error("connect", "eacces"), port=port, when=nth(1, 4)):
        for _ in range(4):
            assert bench.connect(port).answer == ("error", "eacces")
    with network.fault(reset(after_bytes=1000), host="redis.test"):
        pass
    network.fault(latency(200), host="db.*", for_ms=5)
    assert (
        network.report()
        == f"""\
seed 7
rules
  error("connect", "eacces"), port={port}, when=nth(1, 4) (ended): fired 4 times
    ...
    connect 127.0.0.1:{port}
    connect 127.0.0.1:{port}
    connect 127.0.0.1:{port}
  reset(after_bytes=1000), host="redis.test" (ended): fired never
  latency(200), host="db.*", for_ms=5: fired never"""
    )
    bench.advance(5)
    assert "for_ms=5 (ended): fired never" in network.report()
    network.clear()
    assert network.report() == "seed 7"


def test_the_last_rules_are_kept() -> None:
    network = NetworkBench().network
    for number in range(1, 31):
        network.fault(latency(number)).remove()
    shown = re.findall(r"latency\((\d+)\)", network.report())
    assert [int(number) for number in shown] == [*range(11, 31)]


def test_where_in_a_stream(world: Running) -> None:
    world.network.static("web.example", 80, b"x" * 5000)
    with world.network.fault(reset(after_bytes=1000), host="web.example") as rule:
        _, ident = world.connect("web.example", 80)
        assert world.recv(ident, 1000)[0] == "ok"
        world.recv(ident, 1)
    assert rule.fired == len(rule.events) == 1, "it is read in another thread"
    assert "(ended): fired once" in world.network.report()


def test_servers_names_and_failures(world: Running) -> None:
    network = world.network

    @network.server("db.example", 5432)
    async def database(conn: Conn) -> None:
        await conn.read()

    @network.server("rude.example", 1)
    async def rude(conn: Conn) -> None:
        raise ValueError("this is no query")

    @network.datagrams("time.example", 123)
    async def time(data: bytes, sender: object, reply: object) -> None: ...

    network.names({"given.example": ["10.0.0.7", "10.0.0.8"]})
    network.strict()
    network.clock.advance(1)
    with pytest.raises(ConnectionResetError):
        network.connect("rude.example", 1).read()
    with network.connect("db.example", 5432):
        report = network.report()
    assert report.startswith(
        "seed 7, strict, time stands still\nnames\n  given.example: 10.0.0.7, 10.0.0.8\n"
    )
    assert (
        "\nservers\n  db.example:5432, 1 connection\n  rude.example:1, 1 connection\n"
        "  time.example:123, datagrams\nfailures\n  server rude.example:1: Traceback"
    ) in report
    assert report.endswith("\n  ValueError: this is no query")
    network.clock.rate(10)
    assert network.report().startswith("seed 7, strict, time goes by 10 times as fast\n")


def test_failures_without_number(world: Running) -> None:
    world.network.failures.extend(f"failure {number}" for number in range(25))
    assert world.network.report().endswith("\n  failure 19\n  and 5 more")


def test_a_loop_that_is_stuck_or_has_ended(world: Running) -> None:
    """A test that fails for that reason has a report, too."""
    world.network.fault(blackhole(), port=1)
    stuck, go = threading.Event(), threading.Event()

    def hang() -> None:
        stuck.set()
        go.wait(PATIENCE)

    world.loop.call_soon_threadsafe(hang)
    assert stuck.wait(PATIENCE)
    assert "blackhole(), port=1: fired never" in world.network.report()
    go.set()
    world.network.clear()
    world.end()
    assert world.network.report() == "seed 7"


def test_it_is_read_while_rules_act(world: Running) -> None:
    """In the thread of the test, while the loop adds events."""
    rule = world.network.fault("refuse", port=1)

    def act() -> None:
        for _ in range(60):
            world.connect("10.0.0.1", 1)

    thread = in_a_thread(act)
    seen = 0
    while thread.is_alive():
        events, fired = list(rule.events), rule.fired
        assert seen <= len(events) <= fired
        seen = len(events)
        world.network.report()
    thread.join()
    assert rule.fired == len(rule.events) == 60
