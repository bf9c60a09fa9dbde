"""Scenes: what has happened in a part of a test run, and what goes at its end."""

from __future__ import annotations

from pathlib import Path

from in_process import OWNER
from inetpy.codec.terms import Atom
from inetpy.network.engine import network_of
from inetpy.network.faults import error, latency, nth
from inetpy.network.scenes import Report, Scenes
from with_network import NetworkBench


def bench_and_scenes() -> tuple[NetworkBench, Scenes]:
    bench = NetworkBench(seed=7)
    return bench, network_of(bench.session).scenes


def test_rules_that_are_gone_are_told() -> None:
    """A rule that was added and removed in the scene has fired in it."""
    bench, scenes = bench_and_scenes()
    scenes.begin(1)
    with bench.fault(error("connect", "etimedout"), host="db.example", when=nth(2)) as rule:
        rule.fired += 2
    assert scenes.end(1, heal=True) == Report(
        7, [("error(call=connect, errno=etimedout) for host=db.example nth(2, 2)", 2, [])], []
    )


def test_what_was_before_is_not_told() -> None:
    bench, scenes = bench_and_scenes()
    rule = bench.fault(latency(1))
    rule.fired = 5
    bench.network.failures.append("before")
    scenes.begin(1)
    rule.fired += 1
    bench.network.failures.append("meanwhile")
    assert scenes.end(1, heal=True) == Report(
        7, [("latency(ms=1, jitter=0) for all sockets", 1, [])], ["meanwhile"]
    )
    assert bench.network.rules == [rule]


def test_own_new_rules_go() -> None:
    """Not those from before, nor those of the node, nor those of a shell."""
    bench, scenes = bench_and_scenes()
    before = bench.fault(latency(1))
    scenes.begin(1)
    bench.fault(latency(2))
    kept = bench.fault(latency(3))
    bench.engine.keep(kept)
    bench.ask("fault", 0, (Atom("add"), (4, {}, Atom("refuse"), {})))
    scenes.end(1, heal=True)
    assert bench.network.rules[:2] == [before, kept]
    assert [rule.word for rule in bench.network.rules[2:]] == ["refuse"]


def test_scenes_overlap() -> None:
    """Each has its own beginning. One that is not to heal leaves the rules."""
    bench, scenes = bench_and_scenes()
    scenes.begin(1)
    rule = bench.fault(latency(1))
    rule.fired = 1
    scenes.begin(2)
    rule.fired += 1
    assert [count for _, count, _ in scenes.end(2, heal=False).fired] == [1]
    assert [count for _, count, _ in scenes.end(1, heal=False).fired] == [2]
    assert bench.network.rules == [rule]


def test_scene_of_a_python_before() -> None:
    """A scene that began before this Python did has only the seed."""
    bench, scenes = bench_and_scenes()
    bench.fault(latency(1)).fired = 3
    assert scenes.end(9, heal=True) == Report(7, [], [])
    assert len(bench.network.rules) == 1


def test_a_server_of_nodes_runs_no_files() -> None:
    """A network file is a program: who may open sockets here may not run it."""
    bench, _ = bench_and_scenes()
    bench.engine.runs_files = False
    asked = bench.ask("fault", 0, (Atom("describe"), (1, b"/no/such/net.py", Atom("undefined"))))
    error, (word, why) = asked.answer
    assert (error, word) == ("error", "bad_network")
    assert b"runs no file" in why


def test_a_server_of_nodes_writes_no_files(tmp_path: Path) -> None:
    """The path is one of the server's host, and its user's file would be overwritten."""
    bench, _ = bench_and_scenes()
    bench.engine.runs_files = False
    file = str(tmp_path / "run.jsonl").encode()
    asked = bench.ask("fault", 0, (Atom("trace_start"), (1, OWNER, {Atom("file"): file})))
    error, (word, why) = asked.answer
    assert (error, word) == ("error", "bad_trace")
    assert b"writes no file" in why
    assert list(tmp_path.iterdir()) == []
    assert bench.ask("fault", 0, (Atom("trace_start"), (1, OWNER, {}))).answer == "ok"
    bench.engine.detach(bench.session)


def test_a_trace_ends_with_its_node(tmp_path: Path) -> None:
    """So does one whose number another has taken."""
    bench, _ = bench_and_scenes()
    for name in ("a", "b"):
        file = str(tmp_path / f"{name}.jsonl").encode()
        assert bench.ask("fault", 0, (Atom("trace_start"), (1, OWNER, {Atom("file"): file}))).answer == "ok"
    recorder = bench.engine.recorder
    assert recorder is not None
    assert len(recorder.records) == 1
    bench.engine.detach(bench.session)
    assert bench.engine.recorder is None


def test_as_a_request() -> None:
    bench, _ = bench_and_scenes()
    assert bench.ask("fault", 0, (Atom("scene"), 1)).answer == "ok"
    report = {Atom("seed"): 7, Atom("fired"): [], Atom("failures"): []}
    assert bench.ask("fault", 0, (Atom("scene_end"), (1, Atom("true")))).answer == ("ok", report)
