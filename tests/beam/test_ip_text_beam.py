"""The text of addresses, compared with inet's parsers and formatter on random and mutated input."""

from __future__ import annotations

import random

import pytest

from conftest import Oracle
from inetpy.codec.terms import Atom, Charlist
from inetpy.host.memory import MemoryHost
from inetpy.names import inet
from seeds import SEED, times

COUNT = times(30_000)

HOST = MemoryHost()  # text is text on all hosts
PARSERS = [name for name in inet.QUICK if name.startswith("parse_")]

VALID = [
    "1.2.3.4",
    "127.0.0.1",
    "0x7f.1",
    "017.1",
    "1.65535",
    "16777216",
    "255.255.255.255",
    "0.0.0.0",
    "00.01",
    "+1.2.3.4",
    "-0.1.2.3",
    "0x0.1",
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "1:2::3",
    "::ffff:1.2.3.4",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "fe80::1%01",
    "fe80::%05",
    "ff02::1%eth0",
    "fe80:0:0:0:0:0:0:1%03",
    "fe80::1.2.3.4",
    "1::8",
    "a:b:c:d:e:f:0:1",
]
CHARACTERS = "0123456789abcdefABCDEFxX.:%+-/g ä"
PIECES = ["", "0", "1", "ab", "ffff", "12345", "1.2.3.4", "fe80", "ff02"]
SCOPES = ["", "%0", "%01", "%1", "%0x", "%065536"]


def mutated(choose: random.Random) -> str:
    text = list(choose.choice(VALID))
    for _ in range(choose.choice([0, 1, 1, 2, 3])):
        at = choose.randrange(len(text) + 1)
        text[at : at + choose.choice([0, 1])] = choose.choice([[], [choose.choice(CHARACTERS)]])
    return "".join(text)


def assembled(choose: random.Random) -> str:
    return ":".join(choose.choices(PIECES, k=choose.randrange(1, 11))) + choose.choice(SCOPES)


def random_address(choose: random.Random) -> tuple[int, ...]:
    if choose.random() < 0.2:
        return tuple(choose.choices(range(256), k=4))
    return tuple(choose.choices([0, 0, 0, 1, 0xFFFF, 0xFE80, 0xFF02, choose.randrange(0x10000)], k=8))


def string(text: str) -> object:
    return Charlist(text.encode("latin-1")) if text else []


@pytest.mark.random
@pytest.mark.parametrize("make", [mutated, assembled], ids=lambda make: make.__name__)
def test_parsers(oracle: Oracle, make: object) -> None:
    choose = random.Random(SEED)
    terms = [string(make(choose)) for _ in range(COUNT // 2)]  # type: ignore[operator]
    for name in PARSERS:
        ours = [inet.QUICK[name](HOST, [term]) for term in terms]
        theirs = oracle.inet([(name, [term]) for term in terms])
        differing = [case for case in zip(terms, ours, theirs, strict=True) if case[1] != case[2]]
        assert not differing, differing[:5]
    assert len({str(answer) for answer in ours}) > 50  # otherwise nearly all input was refused


@pytest.mark.random
def test_ntoa(oracle: Oracle) -> None:
    choose = random.Random(SEED + 1)
    addresses = [random_address(choose) for _ in range(COUNT // 2)]
    ours = [inet.QUICK["ntoa"](HOST, [address]) for address in addresses]
    assert ours == oracle.inet([("ntoa", [address]) for address in addresses])


@pytest.mark.random
def test_there_and_back() -> None:
    """The output of ntoa is read as the same address."""
    choose = random.Random(SEED + 2)
    for _ in range(COUNT // 10):
        address = random_address(choose)
        if address[1] and address[0] in (0xFE80, 0xFF02):
            continue
        assert inet.QUICK["parse_address"](HOST, [inet.QUICK["ntoa"](HOST, [address])]) == (
            Atom("ok"),
            address,
        )
