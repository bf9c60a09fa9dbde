"""The words for faults, for whom they concern and for when they happen: what is refused, and why.

A refusal is a ValueError whose text is a sentence for the writer of the rule.
"""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import pytest

from inetpy import network as words
from inetpy.codec.terms import Atom
from inetpy.host.memory import MemoryHost
from inetpy.network.engine import Engine
from inetpy.network.faults import FAULTS, NEEDED, Fault, When, make_fault, make_when
from inetpy.network.network import Network
from inetpy.network.requests import parse_rule
from inetpy.network.rules import Rule
from inetpy.network.whom import Whom

HUGE = 10**400  # no float is as large
NOT_NUMBERS: list[object] = [HUGE, -HUGE, "5", None, True, math.nan, math.inf, -math.inf, b"5", [5]]
BAD: dict[str, list[object]] = {
    "ms": [*NOT_NUMBERS, -1, 1 << 41],
    "jitter": [*NOT_NUMBERS, -0.1],
    "delay": [*NOT_NUMBERS, -1],
    "p": [*NOT_NUMBERS, -0.1, 1.1],
    "rate": [
        HUGE,
        None,
        True,
        math.nan,
        math.inf,
        0,
        -5,
        "",
        "5",
        "5 kbit",
        "kbit/s",
        "-5kbit/s",
        "5 parsecs/s",
        "0kbit/s",
    ],
    "size": [*NOT_NUMBERS, -1, 1.5],
    "variation": [*NOT_NUMBERS, -1, 1.5, 100],
    "bytes": [*NOT_NUMBERS, -1, 1.5],
    "after_bytes": [HUGE, "5", True, math.nan, -1, 1.5],
    "after_ms": [HUGE, "5", True, math.nan, math.inf, -1],
    "then": [None, 5, "stop", ""],
    "gap": [*NOT_NUMBERS, 0, 1.5],
    "n": [*NOT_NUMBERS, 0, 1.5],
    "call": [None, 5, "conect", "recvfrom"],
    "errno": [None, 104, "econreset", "ECONNRESETT", ""],
}
GOOD = {
    "ms": 5,
    "rate": 1000,
    "size": 100,
    "bytes": 5,
    "p": 0.5,
    "call": "connect",
    "errno": "econnrefused",
    "n": 2,
}


def good_arguments(word: str) -> dict[str, Any]:
    return {
        argument.name: GOOD[argument.name]
        for argument in FAULTS[word].arguments
        if argument.default is NEEDED
    }


def is_plain(text: str) -> bool:
    """A sentence: no name of a Python class or module, no memory address."""
    return len(text.split()) >= 3 and not re.search(
        r"Error|object at|<class|inetpy\.|Traceback|NoneType", text
    )


CASES = [
    (word, argument.name, value)
    for word, fault in FAULTS.items()
    for argument in fault.arguments
    for value in BAD[argument.name]
]


@pytest.mark.parametrize(("word", "name", "value"), CASES, ids=str)
def test_a_bad_argument(word: str, name: str, value: object) -> None:
    """The text says which fault, which argument, and which value."""
    if value == 0 and name == "size" and word == "truncate":
        pytest.skip("an empty datagram is one")
    with pytest.raises(ValueError, match=rf"^{word}, {name}: ") as refused:
        make_fault(word, good_arguments(word) | {name: value})
    text = str(refused.value)
    assert is_plain(text)
    if name != "variation" and value != "0kbit/s":
        assert str(value).lower() in text.lower()


@pytest.mark.parametrize("word", FAULTS)
def test_a_word_and_its_function(word: str) -> None:
    """The function has the arguments of the table, with the same values where none are given."""
    function = getattr(words, word)
    given = {
        name: NEEDED if parameter.default is inspect.Parameter.empty else parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
    }
    assert given == {argument.name: argument.default for argument in FAULTS[word].arguments}
    made = function(**good_arguments(word))
    assert made == make_fault(word, good_arguments(word))
    assert isinstance(made, Fault)
    assert str(made).startswith(f"{word}(")


@pytest.mark.parametrize("word", FAULTS)
def test_arguments_that_are_missing_or_unknown(word: str) -> None:
    with pytest.raises(ValueError, match=f"^{word} has no argument 'colour'; its arguments: ") as refused:
        make_fault(word, good_arguments(word) | {"colour": 1})
    assert is_plain(str(refused.value))
    for name in good_arguments(word):
        others = {other: value for other, value in good_arguments(word).items() if other != name}
        with pytest.raises(ValueError, match=f"^{word} needs '{name}'$"):
            make_fault(word, others)


def test_a_word_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^there is no fault 'latncy': there are latency, "):
        make_fault("latncy", {"ms": 5})


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("256kbit/s", 32_000), ("256 kbit/s", 32_000), ("256kbps", 256_000),  # kbps is as with tc(8)
        ("2MB/s", 2_000_000), ("1.5kB/s", 1500),
        ("8bit/s", 1), ("1Gbit/s", 125_000_000), (b"80kbit/s", 10_000), (500, 500), (0.5, 0.5),
    ],
)  # fmt: skip
def test_rates(text: Any, rate: float) -> None:
    assert words.bandwidth(text).arguments["rate"] == rate


def test_arguments_together() -> None:
    with pytest.raises(ValueError, match=r"^a reset is after_bytes or after_ms, not both$"):
        words.reset(after_bytes=5, after_ms=5)
    with pytest.raises(ValueError, match=r"^slice, variation: it is less than the size$"):
        words.slice(5, variation=5)
    with pytest.raises(ValueError, match=r"^'nxdomain' is an error of resolve only$"):
        words.error("connect", "nxdomain")
    words.error("resolve", "nxdomain")


def test_terms_of_erlang() -> None:
    """Atoms, binaries and strings stand for text."""
    assert make_fault("error", {"call": Atom("connect"), "errno": b"EMFILE"}) == words.error(
        "connect", "emfile"
    )
    assert make_fault("limit", {"bytes": 5, "then": Atom("reset")}) == words.limit(5, then="reset")
    assert make_fault("reset", {"after_bytes": Atom("undefined"), "after_ms": 5}) == words.reset(after_ms=5)


# --- whom ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "wrong"),
    [
        *(("host", value) for value in (5, None, (1, 2), ["a"])),
        *(("label", value) for value in (5, None)),
        *(("peer", value) for value in ("", "db.example", "10.0.0.0/33", "10.0.0", 5, None)),
        *((word, value) for word in ("port", "local_port") for value in (-1, 65536, "80", 80.0, True, None)),
        *(("proto", value) for value in ("sctp", "TCP", 6, None)),
        *(("role", value) for value in ("server", 5, None)),
        *(("direction", value) for value in ("in", "up", 5, None)),
        *(("owner", value) for value in (5, None, [5], (1, 2, 3))),
    ],
    ids=str,
)  # fmt: skip
def test_bad_whom(word: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        Whom({word: wrong})
    assert is_plain(str(refused.value))


def test_a_whom_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^there is no 'prot' of a socket: there are host, peer, "):
        Whom({"prot": "tcp"})


DATAGRAMS = [word for word, (kinds, _) in FAULTS.items() if kinds == {"datagram"}]
STREAMS = [word for word, (kinds, _) in FAULTS.items() if kinds == {"stream"}]
NAMES = [word for word, (kinds, _) in FAULTS.items() if kinds == {"resolve"}]


@pytest.mark.parametrize(
    ("word", "whom", "why"),
    [
        *((word, {"proto": "tcp"}, f"^{word} is for datagrams: [a-zA-Z ]+") for word in DATAGRAMS),
        *((word, {"role": "client"}, f"^{word} is for datagrams, .* no role$") for word in DATAGRAMS),
        *((word, {"proto": "udp"}, f"^{word} is for streams: UDP has no connection$") for word in STREAMS),
        *((word, {"port": 53}, "^a name is looked up for .*: there is no 'port'") for word in NAMES),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be(word: str, whom: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Rule(make_fault(word, good_arguments(word)), Whom(whom))
    assert is_plain(str(refused.value))


@pytest.mark.parametrize("word", DATAGRAMS)
def test_datagrams_of_unix_sockets(word: str) -> None:
    Rule(make_fault(word, good_arguments(word)), Whom({"proto": "unix"}))


# --- when ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "numbers"),
    [
        *(("nth", given) for given in (0, -1, 1.5, "2", None, True, (3, 2), (0, 2), (1, 2, 3), ())),
        *(("first", given) for given in (0, -1, 1.5, None, True, (1, 2))),
        *(("probability", given) for given in (-0.1, 1.1, "0.5", None, True, math.nan, (0.1, 0.2))),
        *(("periodic", given) for given in (1000, (0, 0.5), (-1, 0.5), (1000, 2), (1000, "x"))),
        ("sometimes", 5),
    ],
    ids=str,
)  # fmt: skip
def test_bad_when(word: str, numbers: object) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        make_when(word, numbers)
    assert is_plain(str(refused.value))


@pytest.mark.parametrize(
    ("made", "word", "numbers"),
    [
        (words.nth(2), "nth", 2),
        (words.nth(2, 4), "nth", (2, 4)),
        (words.first(3), "first", 3),
        (words.probability(0.5), "probability", 0.5),
        (words.periodic(1000, 0.3), "periodic", (1000, 0.3)),
    ],
    ids=str,
)
def test_when(made: When, word: str, numbers: object) -> None:
    assert make_when(word, numbers) == made


# --- rules --------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"what": "latncy"},
        {"what": "latency"},
        {"what": 5},
        {"when": "nth"},
        {"for_ms": -1},
        {"for_ms": "5"},
        {"for_ms": True},
        {"for_ms": math.nan},
        {"for_ms": math.inf},
        {"prot": "tcp"},
        {"proto": "udp"},
    ],
    ids=str,
)
def test_a_refused_rule_changes_nothing(given: dict[str, Any]) -> None:
    engine = Engine(MemoryHost(), 1)
    with pytest.raises(ValueError, match=r".+") as refused:
        Network(engine).fault(given.pop("what", words.slice(5)), **given)
    assert is_plain(str(refused.value))
    assert not list(engine.rules)
    assert not engine.is_in_play()


@pytest.mark.parametrize(
    "term",
    [
        (1, {}, (Atom("latncy"), {}), {}),
        (1, {}, (Atom("latency"), {Atom("ms"): b"5"}), {}),
        (1, {}, (Atom("latency"), {b"ms": 5}), {}),
        (1, {}, b"latency", {}),
        (1, {b"port": 5}, Atom("blackhole"), {}),
        (1, {}, Atom("blackhole"), {Atom("when"): 2}),
        (1, {}, Atom("blackhole"), {Atom("when"): (Atom("nth"), 0)}),
        (1, {}, Atom("blackhole"), {Atom("wen"): (Atom("nth"), 1)}),
        (1, {}, Atom("blackhole"), {Atom("for_ms"): b"5"}),
        (1, {}, Atom("blackhole"), {Atom("for_ms"): -5}),
        (1, [], Atom("blackhole"), {}),
        5,
    ],
    ids=str,
)
def test_refused_terms(term: object) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        parse_rule(term)
    assert is_plain(str(refused.value))


@pytest.mark.parametrize(
    "names", [None, [1], {5: "10.0.0.1"}, {"a": 5}, {"a": "b.example"}, {"a": ["::1", "5.6"]}]
)
def test_wrong_names(names: Any) -> None:
    network = Network(Engine(MemoryHost(), 1))
    with pytest.raises(ValueError, match=" "):
        network.names(names)
    assert network.engine.places.is_empty()
