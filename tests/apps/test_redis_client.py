"""A client of Redis with a pool, pipelines and reconnection, and each fault of docs/faults.md.

The client is tests/apps/src/redis_pool.erl. The server is in memory, or it is that of fakeredis, which has a
port of the loopback interface.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from redis_server import MiniRedis

from inetpy import Atom, Network
from inetpy.network import (
    Fault,
    PlannedFault,
    bandwidth,
    blackhole,
    down,
    eagain,
    error,
    first,
    half_open,
    latency,
    limit,
    nxdomain,
    refuse,
    reset,
    resolve_timeout,
    short_read,
    short_write,
    slice,  # noqa: A004
    slow_close,
)
from inetpy.network.faults import CALLS, FAULTS
from inetpy.testing import Node, charlist, faults

# fakeredis leaves the file of a socket open whose connection it has closed.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket .closed:pytest.PytestUnraisableExceptionWarning"
)

SOURCES = Path(__file__).parent / "src"
HOST = "redis.test"
VALUE = b"v" * 5_000
OK = Atom("ok")
GOT = (OK, VALUE)


def failed(reason: str) -> object:
    return (Atom("error"), Atom(reason))


def no_connection(reason: str) -> object:
    return (Atom("error"), (Atom("no_connection"), Atom(reason)))


class Row(NamedTuple):
    """What a request gets with a fault: on a connection that was there before, and on a new one.

    It is a set where the loss of the connection may be seen before the request or with it.
    """

    fault: Fault
    open: object
    new: object
    for_ms: float | None = None

    def __str__(self) -> str:
        return str(self.fault)


LOST = {failed("closed"), no_connection("closed")}
REFUSED = no_connection("econnrefused")
ROWS = [
    Row(latency(50), GOT, GOT),
    Row(bandwidth(200_000), GOT, GOT),
    Row(slice(500), GOT, GOT),
    Row(limit(1_000), failed("closed"), failed("closed")),
    Row(limit(1_000, then="reset"), failed("closed"), failed("closed")),
    Row(limit(1_000, then="blackhole"), failed("timeout"), failed("timeout")),
    Row(reset(), LOST, LOST),
    Row(reset(after_bytes=1_000), failed("closed"), failed("closed")),
    Row(slow_close(50), GOT, GOT),
    Row(blackhole(), failed("timeout"), no_connection("timeout")),
    Row(half_open(), failed("closed"), failed("closed")),
    Row(down(), {*LOST, REFUSED}, REFUSED),
    Row(refuse(), GOT, REFUSED),
    Row(error("connect", "ehostunreach"), GOT, no_connection("ehostunreach")),
    Row(error("resolve", "try_again"), GOT, no_connection("try_again")),
    Row(error("send", "epipe"), failed("closed"), failed("closed")),
    Row(error("recv", "econnreset"), failed("closed"), failed("closed")),
    Row(error("any", "etimedout"), {*LOST, no_connection("nxdomain")}, no_connection("nxdomain")),
    Row(error("setopt", "eperm"), GOT, GOT),
    Row(error("accept", "emfile"), GOT, GOT),
    Row(error("bind", "eaddrinuse"), GOT, GOT),
    Row(error("listen", "eaddrinuse"), GOT, GOT),
    Row(short_read(10), GOT, GOT),
    Row(short_write(10), GOT, GOT),
    Row(eagain(3), GOT, GOT),
    Row(nxdomain(), GOT, no_connection("nxdomain")),
    Row(resolve_timeout(), GOT, GOT, for_ms=200),
]
OF_DATAGRAMS = {word for word in FAULTS if FAULTS[word].kinds == {"datagram"}}


def test_each_word_has_a_row() -> None:
    assert {row.fault.word for row in ROWS} | OF_DATAGRAMS == set(FAULTS)
    assert {row.fault.arguments["call"] for row in ROWS if row.fault.word == "error"} == {*CALLS, "any"}


@pytest.mark.parametrize("word", sorted(OF_DATAGRAMS))
def test_no_fault_of_streams(word: str, network: Network) -> None:
    what = Fault(word, {argument.name: 1 for argument in FAULTS[word].arguments})
    with pytest.raises(ValueError, match=word):
        network.fault(what, host=HOST, proto="tcp")
    assert network.rules == []


# --- servers ------------------------------------------------------------------


@pytest.fixture
def memory(network: Network) -> MiniRedis:
    """The server in memory."""
    server = MiniRedis()
    server.serve(network, HOST, 6379)
    return server


@pytest.fixture(scope="module")
def loopback() -> Iterator[int]:
    """The port of fakeredis."""
    fakeredis = pytest.importorskip("fakeredis")
    with fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis") as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(params=["memory", "fakeredis"])
def port(request: pytest.FixtureRequest, network: Network) -> int:
    """Where a server is at HOST."""
    if request.param == "memory":
        request.getfixturevalue("memory")
        return 6379
    network.names({HOST: "127.0.0.1"})
    found: int = request.getfixturevalue("loopback")
    return found


@pytest.fixture
def client(erlang: Node) -> Node:
    erlang.compile(SOURCES / "redis_connection.erl")
    erlang.compile(SOURCES / "redis_pool.erl")
    return erlang


class Pool:
    """A pool in a node; its methods are the functions of redis_pool."""

    def __init__(self, node: Node, port: int = 6379, *, size: int = 1, timeout: int = 500) -> None:
        self._node = node
        options = {Atom("size"): size, Atom("timeout"): timeout, Atom("backoff"): (10, 80)}
        self.handle = node.call("redis_pool", "open", charlist(HOST), port, options)[1]

    def wait(self, ms: int = 10_000) -> Any:
        return self._node.call("redis_pool", "await", self.handle, ms, timeout=30)

    def q(self, *words: bytes) -> Any:
        return self._node.call("redis_pool", "q", self.handle, list(words), timeout=30)

    def pipeline(self, *commands: list[bytes]) -> Any:
        return self._node.call("redis_pool", "pipeline", self.handle, list(commands), timeout=30)

    def close(self) -> None:
        self._node.call("redis_pool", "close", self.handle)


def assert_got(found: object, expected: object) -> None:
    assert found in expected if isinstance(expected, set) else found == expected


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_open_connection(row: Row, client: Node, network: Network, port: int) -> None:
    pool = Pool(client, port)
    assert pool.wait() == OK
    assert pool.q(b"SET", b"key", VALUE) == (OK, b"OK")
    with network.fault(row.fault, host=HOST, for_ms=row.for_ms):
        assert_got(pool.q(b"GET", b"key"), row.open)
    assert pool.wait() == OK
    assert pool.q(b"GET", b"key") == GOT


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_new_connection(row: Row, client: Node, network: Network, port: int) -> None:
    pool = Pool(client, port)
    pool.wait()
    assert pool.q(b"SET", b"key", VALUE) == (OK, b"OK")
    pool.close()
    with network.fault(row.fault, host=HOST, for_ms=row.for_ms):
        pool = Pool(client, port)
        pool.wait(600)
        assert_got(pool.q(b"GET", b"key"), row.new)
    assert pool.wait() == OK
    assert pool.q(b"GET", b"key") == GOT


# --- the whole client ---------------------------------------------------------


def test_pipeline_is_cut(client: Node, network: Network, port: int) -> None:
    """Nobody knows how many of the commands were carried out; none is carried out twice."""
    pool = Pool(client, port)
    assert pool.wait() == OK
    assert pool.q(b"SET", b"n", b"0") == (OK, b"OK")
    assert pool.pipeline(*[[b"INCR", b"n"]] * 100) == (OK, list(range(1, 101)))
    with network.fault(reset(after_bytes=200), host=HOST) as rule:
        assert pool.pipeline(*[[b"INCR", b"n"]] * 100) == failed("closed")
    assert rule.fired == 1
    assert pool.wait() == OK
    assert 100 < int(pool.q(b"GET", b"n")[1]) <= 200


CALLERS = """
Ask = fun(N) -> redis_pool:q(Pool, ["GET", integer_to_list(N rem 2)]) end,
Of = fun(N) -> spawn_monitor(fun() -> exit({N, Ask(N)}) end) end,
[receive {'DOWN', Monitor, _, _, Seen} -> Seen end || {_, Monitor} <- [Of(N) || N <- lists:seq(1, 100)]]
"""


def test_many_callers(client: Node, network: Network, memory: MiniRedis) -> None:
    """Two connections are lost below a hundred callers: each gets its own answer, or hears of the loss."""
    memory.values.update({b"0": b"even", b"1": b"odd"})
    pool = Pool(client, size=4)
    assert pool.wait() == OK
    with network.fault(limit(30, then="reset"), host=HOST, when=first(2)) as rule:
        found = client.eval(CALLERS, Pool=pool.handle)
    assert rule.fired == 2
    answers = dict(found)
    told = [
        number for number, answer in answers.items() if answer in (failed("closed"), no_connection("closed"))
    ]
    assert told
    assert len(told) < 100
    assert all(answers[n] == (OK, b"odd" if n % 2 else b"even") for n in answers.keys() - set(told))
    assert pool.wait() == OK
    assert memory.connections == 6


def test_backoff(client: Node, network: Network, memory: MiniRedis) -> None:
    """Between the attempts to connect are 10, 20, 40, 80, 80 ms, and no less."""
    with network.refuse(HOST, 6379):
        pool = Pool(client)
        assert pool.wait(500) == failed("timeout")
    calls = network.trace.calls("connect")
    assert {call.answer for call in calls} == {("error", "econnrefused")}
    gaps = [(later.start - (call.end or 0)) / 1e6 for call, later in pairwise(calls)]
    assert len(gaps) > 2
    assert all(gap >= pause for gap, pause in zip(gaps, [10, 20, 40, *[80] * len(gaps)], strict=False))
    assert pool.wait() == OK
    assert pool.q(b"PING") == (OK, b"PONG")


@pytest.mark.parametrize(("errno", "seen"), [("econnreset", "closed"), ("etimedout", "etimedout")])
def test_each_call(errno: str, seen: str, client: Node, network: Network, memory: MiniRedis) -> None:
    """Every error path, once: the client hears of it, and goes on."""
    ops = []
    for run in network.each_call(errno, host=HOST):
        memory.connections = 0
        pool = Pool(client)
        assert pool.wait() == OK, run
        answers = [pool.q(b"PING")]
        assert pool.wait() == OK, run
        answers.append(pool.q(b"PING"))
        assert pool.wait() == OK, run
        pool.close()
        ops.append(run.call and run.call.op)
        expected = {"send": failed("closed"), "recv": failed(seen)}
        lost = [answer for answer in answers if answer != (OK, b"PONG")]
        assert lost == ([expected[ops[-1]]] if ops[-1] in expected else []), run
        assert memory.connections == 1 + len(lost), run
    assert ops == ["resolve", "connect", "send", "recv", "send", "recv", None]


SCHEDULES = faults(whom={"host": HOST}, times=(1, 100))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=SCHEDULES)
def test_schedule(schedule: list[PlannedFault], client: Node, network: Network) -> None:
    """Whatever happens: no answer is a wrong one, nothing is carried out twice, and the client comes back."""
    network.clear()
    server = MiniRedis()
    server.serve(network, HOST, 6379)
    pool = Pool(client, timeout=150)
    with network.schedule(schedule):
        answers = [pool.q(b"INCR", b"n") for _ in range(5)]
        numbers = [answer[1] for answer in answers if answer[0] == OK]
    assert all(answer[0] in (OK, Atom("error")) for answer in answers)
    assert numbers == sorted(set(numbers))
    assert pool.wait() == OK
    assert len(numbers) <= int(server.values.get(b"n", b"0")) <= 5
    assert pool.q(b"PING") == (OK, b"PONG")
    pool.close()
