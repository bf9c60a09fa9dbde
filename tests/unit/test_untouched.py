"""A socket that no rule concerns runs the same functions as without a network, and as often."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from in_process import Bench, sessions
from inetpy.codec.terms import Atom
from inetpy.fast.paths import EARLY_AFTER
from inetpy.network.engine import Engine
from inetpy.network.faults import latency, make_fault, nth, reset
from inetpy.network.network import Network
from inetpy.network.rules import Rule
from inetpy.network.whom import Whom
from inetpy.wire.mode import SENDS

RULES = 1000


@pytest.fixture
def bench() -> Iterator[Bench]:
    with sessions() as bench:
        yield bench


def put_in_play(bench: Bench) -> Engine:
    """Many rules, none of which concerns the sockets of the test; names, too."""
    engine = Engine(bench.host, 1)
    engine.places.names["db.example"] = ["10.0.0.7"]
    engine.attach(bench.session)
    for number in range(RULES // 4):
        engine.add(Rule(latency(200), Whom({"host": f"db{number}.example"})))
        engine.add(Rule(reset(after_bytes=1), Whom({"peer": f"10.0.{number % 256}.0/24"}), nth(2)))
        engine.add(Rule(make_fault("blackhole", {}), Whom({"port": number + 1})))
        engine.add(Rule(make_fault("loss", {"p": 0.5}), Whom({"proto": "udp"})))
    return engine


def functions(work: Callable[[], object]) -> Counter[str]:
    """What `work` calls of Python and of C, and how often."""
    called: Counter[str] = Counter()

    def on_event(frame: Any, event: str, argument: object) -> None:
        if event == "call":
            called[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            called[repr(getattr(argument, "__qualname__", argument))] += 1

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def echo(bench: Bench) -> None:
    """Each end sends and receives; a caller that waits in recv is woken by the poller."""
    for near, far in ((bench.client, bench.server), (bench.server, bench.client)):
        assert bench.ask("send", near, b"ping") == Atom("ok")
        bench.ask("recv", far, (4, Atom("infinity")))
        bench.host.poller._on_wakeup()
    bench.ask("recv", bench.server, (4, Atom("infinity")))
    assert bench.ask("send", bench.client, b"pong") == Atom("ok")
    bench.host.poller._on_wakeup()


WORK: dict[str, Callable[[Bench], object]] = {
    "send": lambda bench: bench.ask("send", bench.client, b"data"),
    "recv with nothing there": lambda bench: bench.ask("recv", bench.server, (0, 0)),
    "setopts": lambda bench: bench.ask("setopts", bench.client, [(Atom("nodelay"), Atom("true"))]),
    "echo": echo,
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_the_same_functions(work: Callable[[Bench], object], bench: Bench) -> None:
    work(bench)  # what is loaded and remembered once
    before = functions(lambda: work(bench))
    engine = put_in_play(bench)
    work(bench)
    assert functions(lambda: work(bench)) == before
    for rule in engine.rules:
        engine.remove(rule)
    assert functions(lambda: work(bench)) == before
    assert sum(before.values()) > 5  # otherwise the test sees nothing
    assert not any("/network/" in name for name in before)


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_the_same_functions_without_a_trace(work: Callable[[Bench], object], bench: Bench) -> None:
    """Before it is started, and when it has been stopped. While it is on, the test sees it."""
    work(bench)
    before = functions(lambda: work(bench))
    engine = Engine(bench.host, 1)
    engine.attach(bench.session)
    trace = Network(engine).trace
    assert functions(lambda: work(bench)) == before
    trace.start()
    assert any("/trace/" in name for name in functions(lambda: work(bench)))
    assert trace.calls()
    trace.stop()
    assert functions(lambda: work(bench)) == before


def test_its_callers_do_not_wait() -> None:
    """They do once a rule concerns the socket, before whoever adds the rule goes on."""
    with sessions(has_fast_paths=True) as bench:
        engine, socket = put_in_play(bench), bench.client

        def chat() -> int:
            for _ in range(EARLY_AFTER):
                WORK["send"](bench)
            return bench.link.modes.get(socket, 0)

        port = bench.session.sockets[socket].sock.getpeername()[1]  # type: ignore[attr-defined]
        assert chat() & SENDS
        engine.add(Rule(latency(0), Whom({"port": port + 1})))
        assert bench.link.modes[socket] & SENDS
        rule = Rule(latency(0), Whom({"port": port}))
        engine.add(rule)
        assert not bench.link.modes[socket] & SENDS
        assert not chat() & SENDS
        engine.remove(rule)
        for _ in range(10):
            bench.host.poller._on_wakeup()
        assert chat() & SENDS


def test_a_trace_sees_it() -> None:
    """While a trace is on, all callers wait."""
    with sessions(has_fast_paths=True) as bench:
        engine = Engine(bench.host, 1)
        engine.attach(bench.session)
        for _ in range(EARLY_AFTER):
            WORK["send"](bench)
        assert bench.link.modes[bench.client] & SENDS
        trace = Network(engine).trace
        trace.start()
        assert not bench.link.modes[bench.client] & SENDS
        trace.stop()


def test_a_rule_that_concerns_it_is_seen(bench: Bench) -> None:
    """And when it has gone, and what it held has moved on, the code is as before."""
    send = WORK["send"]
    send(bench)
    before = functions(lambda: send(bench))
    engine = Engine(bench.host, 1)
    engine.attach(bench.session)
    rule = Rule(latency(0), Whom({"direction": "both"}))
    engine.add(rule)
    assert functions(lambda: send(bench)) != before
    engine.remove(rule)
    for _ in range(10):
        bench.host.poller._on_wakeup()
    assert functions(lambda: send(bench)) == before
