"""A socket whose callers do not wait, and the other sockets: see `sockets.early.answer`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from in_memory import Bench, Call
from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom
from inetpy.host.poller import LoopPoller
from inetpy.sockets import early
from inetpy.wire.mode import ONCE, SENDS

QUICK, SLOW = early.LONGEST_TURN / 2, early.LONGEST_TURN * 2  # seconds for many requests
ASKS_ONCE = [(Atom("active"), Atom("once"))]


class Scene:
    """Sockets whose callers need not wait, and a clock. held: the answers that are to come, and when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = Bench()
        self.held: list[tuple[float, Callable[[], None]]] = []
        self.now = 1.0
        monkeypatch.setattr(self.bench.host.clock, "now", lambda: self.now)
        monkeypatch.setattr(self.bench.host.poller, "in_time", lambda *held: self.held.append(held))

    def socket(self) -> int:
        ident, _ = self.bench.pair()
        self.bench.session.sockets[ident].set_early(SENDS | ONCE)  # type: ignore[attr-defined]
        return ident

    def talk(self, ident: int, takes: float, *others: int) -> Call:
        """Some requests of a socket, one of others meanwhile, and one that waits."""
        for sender in (ident, *others, ident):
            self.bench.dispatcher.handle_frame(encode((Atom("early"), sender, b"x")))
        self.now += takes
        return self.bench.send(ident, b"x")

    def floods(self, ident: int) -> None:
        """It has done so for some time, alone."""
        assert [self.talk(ident, QUICK).answer for _ in range(3)] == ["ok"] * 3

    def comes(self) -> None:
        """The time of the next answer that is held."""
        self.held.pop(0)[1]()


@pytest.fixture
def scene(only_memory: None, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_alone(scene: Scene) -> None:
    flood = scene.socket()
    assert [scene.talk(flood, QUICK).answer for _ in range(5)] == ["ok"] * 5
    assert scene.held == []


def test_others_have_as_much_time(scene: Scene) -> None:
    flood, other = scene.socket(), scene.socket()
    scene.floods(flood)
    call = scene.talk(flood, QUICK, other)
    assert call.answer is None
    assert [seconds for seconds, _ in scene.held] == [pytest.approx(QUICK)]
    scene.now += QUICK
    scene.comes()
    assert call.answer == "ok"
    assert scene.talk(flood, QUICK).answer == "ok"  # nobody else asked since


def test_a_request_that_waits_counts_too(scene: Scene) -> None:
    flood, other = scene.socket(), scene.socket()
    scene.floods(flood)
    scene.bench.ask("getopts", other, [Atom("active")])
    assert scene.talk(flood, QUICK).answer is None
    scene.comes()


def test_who_takes_time_does_not_flood(scene: Scene) -> None:
    one, other = scene.socket(), scene.socket()
    assert [scene.talk(one, SLOW, other).answer for _ in range(3)] == ["ok"] * 3


def test_large_sends_do_not_flood(scene: Scene) -> None:
    """They wait in any case."""
    one, other = scene.socket(), scene.socket()
    scene.floods(one)
    scene.talk(one, QUICK)
    scene.bench.ask("getopts", other, [Atom("active")])
    assert scene.bench.send(one, bytes(early.LARGEST + 1)).answer == "ok"


def test_two_floods_do_not_wait_for_each_other(scene: Scene) -> None:
    one, other = scene.socket(), scene.socket()
    scene.floods(one)
    scene.floods(other)
    assert [scene.talk(ident, QUICK).answer for ident in (one, other, one, other)] == ["ok"] * 4


def test_once(scene: Scene) -> None:
    """The same of `{active, once}`."""
    flood, other = scene.socket(), scene.socket()
    scene.floods(flood)
    scene.bench.ask("getopts", other, [Atom("active")])
    call = scene.bench.ask("setopts", flood, ASKS_ONCE)
    assert call.answer is None
    scene.comes()
    assert call.answer == "ok"


def test_in_time() -> None:
    """The poller looks on, and calls back in the order of the calls, not before the time is over."""
    loop = asyncio.new_event_loop()
    poller = LoopPoller(loop)
    come = loop.create_future()
    calls: list[tuple[str, float]] = []

    class Waits:
        def first(self) -> None:
            calls.append(("first", loop.time()))

        def second(self) -> None:
            calls.append(("second", loop.time()))
            come.set_result(None)

        def fail(self, error: Exception) -> None:
            come.set_exception(error)

    began = loop.time()
    try:
        poller.in_time(0.003, Waits().first)  # longer than the poller keeps the loop
        poller.in_time(0.001, Waits().second)
        loop.run_until_complete(asyncio.wait_for(come, 60))
        assert [name for name, _ in calls] == ["first", "second"]
        assert calls[0][1] - began >= 0.003
    finally:
        poller.close()
        loop.close()
