"""A rule with a script happens where it happened in the recorded run: see `network.scripts`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from inetpy.network import (
    corrupt,
    error,
    first,
    latency,
    loss,
    nth,
    periodic,
    probability,
    reset,
    short_write,
)
from inetpy.network.rules import Rule
from inetpy.network.script_file import read_scripts
from inetpy.network.scripts import Place
from with_network import NetworkBench


class Run(NetworkBench):
    """One run: its rules, and traffic that each of them may touch."""

    def __init__(self, seed: int, schedule: Path | None = None) -> None:
        super().__init__(seed)
        if schedule is not None:
            self.engine.follow(read_scripts(schedule))
        self.network.trace.start()

    def sends(self, count: int) -> None:
        """So many on each of two new connections, in turn."""
        idents = [self.pair()[0] for _ in range(2)]
        for _ in range(count):
            for ident in idents:
                self.send(ident, b"hello")

    def faults(self) -> list[tuple[Any, ...]]:
        lines = [event for event in self.network.trace.events() if event.word == "fault"]
        return [(event.rule, event.call, event.offset) for event in lines]

    def save(self, path: Path) -> Path:
        self.network.trace.save(path)
        return path


def rules(run: Run) -> list[Rule]:
    """All may happen at each send."""
    return [
        run.fault(error("send", "enobufs"), when=probability(0.3)),
        run.fault(short_write(2), when=probability(0.3)),
        run.fault(latency(5, jitter=3), when=probability(0.5)),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_another_seed(tmp_path: Path, ending: str) -> None:
    recorded, other = Run(1), Run(2)
    for run in (recorded, other):
        rules(run)
        run.sends(20)
    assert recorded.faults() != other.faults()
    again = Run(2, recorded.save(tmp_path / f"run.{ending}"))
    rules(again)
    again.sends(20)
    assert again.faults() == recorded.faults()


def test_longer_traffic_has_no_more_faults(tmp_path: Path) -> None:
    recorded = Run(1)
    rules(recorded)
    recorded.sends(20)
    again = Run(2, recorded.save(tmp_path / "run.jsonl"))
    rules(again)
    again.sends(60)
    assert sorted(again.faults(), key=str) == sorted(recorded.faults(), key=str)


@pytest.mark.parametrize("when", [nth(2), nth(2, 3), first(2), probability(0.5), periodic(1000, 1)])
def test_each_when(tmp_path: Path, when: Any) -> None:
    recorded = Run(1)
    recorded.fault(error("send", "enobufs"), when=when)
    recorded.sends(6)
    again = Run(2, recorded.save(tmp_path / "run.jsonl"))
    rule = again.fault(error("send", "enobufs"), when=when)
    again.sends(6)
    assert again.faults() == recorded.faults() != []
    assert rule.script is not None


def test_equal_rules_are_told_apart_by_their_order(tmp_path: Path) -> None:
    """Also where one has gone before the next comes."""

    def play(run: Run) -> None:
        for _ in range(3):
            with run.fault(error("send", "enobufs"), when=probability(0.4)):
                run.sends(5)

    recorded = Run(1)
    play(recorded)
    again = Run(2, recorded.save(tmp_path / "run.jsonl"))
    play(again)
    assert again.faults() == recorded.faults() != []


def test_a_rule_that_the_recorded_run_had_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorded = Run(1)
    recorded.fault(error("send", "enobufs"), when=nth(1))
    again = Run(1, recorded.save(tmp_path / "run.jsonl"))
    with caplog.at_level(logging.WARNING):
        rule = again.fault(error("send", "eperm"), when=nth(1))
    assert "the schedule has no such rule" in caplog.text
    again.sends(2)
    assert rule.fired == 1


def test_a_rule_that_never_happened(tmp_path: Path) -> None:
    recorded = Run(1)
    recorded.fault(reset(), when=nth(50))
    again = Run(1, recorded.save(tmp_path / "run.jsonl"))
    rule = again.fault(reset(), when=nth(50))
    again.sends(60)
    assert rule.fired == 0


def test_places_are_in_the_trace(tmp_path: Path) -> None:
    """In lines, with what was said to make the rule."""
    run = Run(1)
    run.fault(error("send", "enobufs"), when=nth(3), port=80)
    run.fault(error("send", "enobufs"), when=nth(3))
    run.sends(3)
    path = run.save(tmp_path / "run.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    _, rule = [line for line in lines if line["event"] == "rule"]
    assert rule["facts"]["word"] == "error"
    assert rule["facts"]["when"] == ["nth", [3, 3]]
    (chance,) = [line for line in lines if line["event"] == "chance"]
    assert chance["number"] == rule["number"]
    assert Place(*chance["place"]) == Place(socket=1, at="send", nth=2)


def test_rules_that_nobody_adds(tmp_path: Path) -> None:
    """Those of a file are there, and those of the program are left to the program."""
    recorded = Run(1)
    recorded.fault(error("send", "enobufs"), when=probability(0.5)).by = "file"
    recorded.fault(corrupt(0.5), proto="udp")
    path = recorded.save(tmp_path / "run.jsonl")
    text = path.read_text()
    path.write_text(text.replace('"by": "program"', '"by": "file"', 1))
    again = Run(2, path)
    again.engine.add_left()
    assert [rule.word for rule in again.engine.rules] == ["error"]


def test_a_trace_without_times_has_no_seeds(tmp_path: Path) -> None:
    """So equal runs have equal lines. The places are there."""
    run = Run(1)
    run.fault(loss(0.5), proto="udp")
    run.network.trace.save(tmp_path / "run.jsonl", times=False)
    assert '"seed"' not in (tmp_path / "run.jsonl").read_text()
    again = Run(2, tmp_path / "run.jsonl")
    rule = again.fault(loss(0.5), proto="udp")
    assert rule.script is not None
    assert rule.seed.startswith("2|")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"word": "nothing"}, "there is no fault 'nothing'"),
        ({"for_ms": "x"}, "for_ms is a time in ms, 0 or more, not 'x'"),
        ({"for_ms": -1}, "for_ms is a time in ms, 0 or more, not -1"),
    ],
)
def test_a_rule_that_cannot_be(tmp_path: Path, wrong: dict[str, Any], text: str) -> None:
    """It is told before the program begins."""
    path = tmp_path / "run.jsonl"
    facts: dict[str, Any] = {"word": "reset", "arguments": {}, "when": None, "for_ms": None, "whom": {}}
    rule = {"event": "rule", "number": 1, "by": "file"}
    path.write_text(json.dumps(rule | {"facts": facts}) + "\n")
    assert len(read_scripts(path)._waiting) == 1
    path.write_text(json.dumps(rule | {"facts": facts | wrong}) + "\n")
    with pytest.raises(ValueError, match=f"a rule of the trace cannot be: {text}"):
        read_scripts(path)


def test_a_rule_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(
        json.dumps({"event": "rule", "number": 1, "by": "file", "facts": {"arguments": {}}}) + "\n"
    )
    with pytest.raises(ValueError, match="a rule of the trace cannot be: there is no 'whom'"):
        read_scripts(path)
