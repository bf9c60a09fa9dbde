"""Schedules of faults: as a test writes them, and as Hypothesis draws and shrinks them."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings, strategies as st

from inetpy import network as words
from inetpy.network import error, fault, first, latency, loss, nth, probability, reorder, reset
from inetpy.network.faults import ANY_CALL, CALLS, FAULTS, When
from inetpy.network.schedules import PlannedFault
from inetpy.testing import faults
from inetpy.testing.schedules import ERRNOS
from seeds import times
from with_network import NetworkBench

WORDS = {name: getattr(words, name) for name in words.__all__}
Drawn = list[PlannedFault]
BEST = settings(max_examples=2000, database=None)
FIRST = settings(BEST, phases=[Phase.generate])  # that is found, not shrunk

wrong: Any = 5

WHOMS: list[Mapping[str, object]] = [
    {},
    {"host": "db.example"},
    {"host": "db.*", "port": 5432, "direction": "both"},
    {"role": "client", "proto": "tcp"},
    {"proto": "udp"},
    {"owner": "my_app"},
    {"peer": "10.0.0.0/8", "local_port": 1, "label": "*:80"},
]


# --- as a test writes them ---


def test_code() -> None:
    schedule = [
        fault(reset(after_bytes=1), host="redis.test", when=nth(2)),
        fault(latency(3.5, jitter=1), for_ms=7, port=80),
        fault("blackhole", when=nth(1, 3)),
        fault(error("connect", "econnrefused"), host='a"b', when=probability(0.5)),
    ]
    assert repr(schedule) == (
        '[fault(reset(after_bytes=1), host="redis.test", when=nth(2)), '
        "fault(latency(3.5, jitter=1), port=80, for_ms=7), "
        "fault(blackhole(), when=nth(1, 3)), "
        """fault(error("connect", "econnrefused"), host='a"b', when=probability(0.5))]"""
    )
    assert eval(repr(schedule), dict(WORDS)) == schedule
    assert fault(reset(), port=1) != fault(reset(), port=2)
    assert len({*schedule, *schedule}) == 4


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: fault("latncy"), "there is no fault 'latncy'"),
        (lambda: fault(wrong), "a fault is made by a function"),
        (lambda: fault(reset(), when=wrong), "when is made by a function"),
        (lambda: fault(reset(), hots="a"), "there is no 'hots'"),
        (lambda: fault(reorder(1), proto="tcp"), "a stream has an order"),
        (lambda: fault(reset(), for_ms=-1), "for_ms is a time"),
        (lambda: fault(latency(-1)), "a time in ms is 0 or more"),
    ],
)
def test_what_cannot_be(make: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()


def test_a_schedule_holds_until_its_end() -> None:
    bench = NetworkBench()
    network = bench.network
    with network.schedule([fault(error("connect", "eacces"), when=first(2)), fault("down")]) as rules:
        assert list(rules) == network.rules
        assert [rule.word for rule in rules] == ["error", "down"]
        _, port = bench.listener()
        assert bench.connect(port).answer == ("error", "eacces")
        assert (len(rules), rules.fired, rules[0].fired) == (2, 1, 1)
    assert network.rules == []
    rules.remove()
    assert rules.fired == 1


def test_a_wrong_item_changes_nothing() -> None:
    network = NetworkBench().network
    items: list[Any] = [reset(), network.fault(reset()), "reset", None]
    for item in items:
        network.heal()
        with pytest.raises(ValueError, match="a schedule has faults as fault"):
            network.schedule([fault(reset()), item])
        assert network.rules == []


def outcomes(seed: int, schedule: Drawn) -> list[object]:
    """What happens to forty connections."""
    bench = NetworkBench(seed)
    _, port = bench.listener(backlog=100)
    with bench.network.schedule(schedule):
        return [bench.connect(port).answer[0] for _ in range(40)]


def test_the_seed_repeats_a_run() -> None:
    schedule = [fault(error("connect", "eacces"), when=probability(0.5))]
    assert set(outcomes(1, schedule)) == {"ok", "error"}
    assert outcomes(1, schedule) == outcomes(1, schedule)
    assert outcomes(1, schedule) != outcomes(2, schedule)
    assert outcomes(1, eval(repr(schedule), dict(WORDS))) == outcomes(1, schedule)


# --- as Hypothesis draws them ---


@st.composite
def strategies(draw: st.DrawFn) -> tuple[str | None, Mapping[str, object], Drawn]:
    """A protocol, sockets, and a schedule that is drawn for them."""
    protocol, whom = draw(st.sampled_from(["tcp", "udp", None])), draw(st.sampled_from(WHOMS))
    whens = draw(st.sampled_from([(), ("nth",), ("nth", "first", "probability", "periodic")]))
    return protocol, whom, draw(faults(protocol=protocol, whom=whom, when=whens, max_faults=5))


@settings(max_examples=times(150), deadline=None)
@given(strategies())
def test_all_that_is_drawn_can_be(drawn: tuple[str | None, Mapping[str, object], Drawn]) -> None:
    protocol, whom, schedule = drawn
    network = NetworkBench().network
    assert len(network.schedule(schedule)) == len(schedule) <= 5
    for item in schedule:
        network.fault(item.what, when=item.when, for_ms=item.for_ms, **item.whom)
        assert item.whom == whom
        kinds = FAULTS[item.what.word].kinds
        assert protocol != "tcp" or kinds != {"datagram"}, "it can happen to datagrams alone"
        assert protocol != "udp" or kinds != {"stream"}, "it can happen to streams alone"
        if protocol == "udp" or whom.get("role") == "client":
            assert item.what.arguments.get("call") not in ("accept", "listen")
    assert eval(repr(schedule), dict(WORDS)) == schedule


@settings(max_examples=times(100))
@given(faults(times=(5, 9), sizes=(3, 4), protocol=None))
def test_ranges(schedule: Drawn) -> None:
    for item in schedule:
        for name, value in item.what.arguments.items():
            if name in ("ms", "jitter", "delay", "after_ms"):
                assert value in (None, 0, *range(5, 10))
            if name in ("size", "bytes", "after_bytes", "variation"):
                assert value in (None, 0, 3, 4)


@pytest.mark.parametrize("word", FAULTS)
def test_each_word_is_drawn_with_each_argument(word: str) -> None:
    strategy = faults([word], protocol=None)
    for argument in FAULTS[word].arguments:
        find(strategy, lambda drawn: any(_differs(item, word, argument) for item in drawn), settings=FIRST)  # noqa: B023


def test_all_words_are_drawn() -> None:
    drawn: set[str] = set()

    @settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate])
    @given(faults(protocol=None))
    def draw(schedule: Drawn) -> None:
        drawn.update(item.what.word for item in schedule)

    draw()
    assert drawn == FAULTS.keys()


def _differs(item: PlannedFault, word: str, argument: Any) -> bool:
    """Whether an argument is drawn, and not only has its default."""
    return item.what.word == word and item.what.arguments[argument.name] != argument.default


def test_each_call_has_errors() -> None:
    assert ERRNOS.keys() == {*CALLS, ANY_CALL}


@pytest.mark.parametrize("when", [None, "nth", "first", "probability", "periodic"])
def test_each_condition_is_drawn(when: str | None) -> None:
    strategy = faults(["down"], when=("nth", "first", "probability", "periodic"))
    find(strategy, lambda drawn: any((it.when and it.when.word) == when for it in drawn), settings=FIRST)


# --- what is left when they are shrunk ---


def uses(word: str, **least: int) -> Callable[[Drawn], bool]:
    """Whether a fault of this word has arguments that are large enough."""
    return lambda schedule: any(
        item.what.word == word
        and all((item.what.arguments[name] or 0) >= number for name, number in least.items())
        for item in schedule
    )


@pytest.mark.parametrize(
    ("strategy", "fails", "smallest"),
    [
        (faults(), lambda _: True, []),
        (faults(), uses("reset", after_bytes=1), [fault(reset(after_bytes=1))]),
        (faults(), uses("latency", ms=137), [fault(latency(137))]),
        (faults(), uses("latency", jitter=1), [fault(latency(1, jitter=1))]),
        (faults(["reset", "down"]), len, [fault("down")]),
        (faults(["down", "refuse"]), len, [fault("down")]),
        (faults(["refuse", "down"]), len, [fault("refuse")]),
        (faults(["refuse", "down"], min_faults=2), lambda _: True, [fault("refuse")] * 2),
        (faults([latency(7), "down"]), len, [fault(latency(7))]),
        (faults(["down"]), lambda drawn: len(drawn) >= 2, [fault("down")] * 2),
        (faults(["loss"], protocol="udp"), len, [fault(loss(1))]),
        (faults(["error"]), uses("error"), [fault(error("connect", "econnrefused"))]),
        (
            faults(["down"], whom=[{"host": "a"}, {"port": 1}]),
            lambda drawn: any(item.when for item in drawn),
            [fault("down", host="a", when=nth(1))],
        ),
        (
            faults(["down"]),
            lambda drawn: any(item.when and item.when.word == "first" for item in drawn),
            [fault("down", when=first(1))],
        ),
        (
            faults(["down"]),
            lambda drawn: any(item.when == When("nth", (3, 3)) for item in drawn),
            [fault("down", when=nth(3))],
        ),
    ],
)  # fmt: skip
def test_the_smallest_that_fails(strategy: Any, fails: Callable[[Drawn], bool], smallest: Drawn) -> None:
    found = find(strategy, lambda drawn: bool(fails(drawn)), settings=BEST, random=random.Random(1))
    assert found == smallest


def test_a_failing_schedule_is_printed_as_code() -> None:
    schedules: list[Drawn] = []

    @settings(database=None, max_examples=500)
    @given(faults(["reset", "latency"], whom={"host": "redis.test"}))
    def fails(schedule: Drawn) -> None:
        schedules.append(schedule)
        assert not any(item.when and item.what.arguments.get("after_bytes") for item in schedule)

    with pytest.raises(AssertionError) as caught:
        fails()
    notes = "\n".join(caught.value.__notes__)
    code = re.search(r"schedule=(\[.*\])", notes, re.DOTALL)
    assert code is not None, notes
    assert code[1] == '[fault(reset(after_bytes=1), host="redis.test", when=nth(1))]'
    assert eval(code[1], dict(WORDS)) == schedules[-1]


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        ([["latncy"]], {}, "there is no fault 'latncy'"),
        ([[5]], {}, "there is no fault 5"),
        ([["reorder"]], {}, "reorder cannot happen with protocol 'tcp'"),
        ([[reorder(1)]], {}, "reorder cannot happen with protocol 'tcp'"),
        ([["reset"]], {"protocol": "udp"}, "reset cannot happen with protocol 'udp'"),
        ([[error("accept", "emfile")]], {"protocol": "udp"}, "a socket of UDP does not accept"),
        ([["nxdomain"]], {"whom": {"port": 1}}, "there is no 'port' of it yet"),
        ([["reorder"]], {"protocol": None, "whom": {"proto": "tcp"}}, "a stream has an order"),
        ([], {"protocol": "sctp"}, "protocol is"),
        ([], {"whom": {"hots": "a"}}, "there is no word whose faults can happen"),
        ([[]], {}, "there is no word"),
        ([], {"when": ["nht"]}, "there is no 'when' of 'nht'"),
        ([], {"max_faults": -1}, "min_faults and max_faults are the least and the largest"),
        ([], {"min_faults": 4}, "min_faults and max_faults are the least and the largest"),
        ([[error("listen", "eacces")]], {"whom": {"role": "client"}}, "only a listener does listen"),
        ([], {"times": (5, 1)}, "times are the least and the largest"),
        ([], {"sizes": 5}, "sizes are the least and the largest"),
    ],
)
def test_what_cannot_be_drawn(arguments: list[Any], options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        faults(*arguments, **options)


def test_hypothesis_is_imported_when_it_is_used() -> None:
    program = """
import sys
import inetpy.testing
assert "hypothesis" not in sys.modules
assert "faults" in dir(inetpy.testing)
sys.modules["hypothesis"] = None
try:
    inetpy.testing.faults
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "inetpy.testing.faults needs Hypothesis: pip install 'inetpy[hypothesis]'\n"
