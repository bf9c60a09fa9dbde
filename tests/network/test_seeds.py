"""The same seed and the same traffic give the same faults: erl/test/xf_seeds.erl on several nodes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest
from test_real_events import NAMESPACE, needs_a_network

from conftest import EBIN, TEST_EBIN

pytestmark = needs_a_network

Run = Callable[[int, str], list[str]]


@pytest.fixture(scope="module")
def run() -> Run:
    """The lines of a run, made once."""
    done: dict[tuple[int, str], list[str]] = {}

    def lines(seed: int, what: str) -> list[str]:
        if (seed, what) not in done:
            done[seed, what] = _run(seed, what)
        return done[seed, what]

    return lines


def _run(seed: int, what: str) -> list[str]:
    paths = ["-pa", str(EBIN), "-pa", str(TEST_EBIN)]
    command = [str(NAMESPACE), "erl", "-noinput", *paths, "-run", "xf_seeds", "main", what]
    environment = os.environ | {"INETPY_SEED": str(seed)}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return output.decode().splitlines()


def test_the_same_again(run: Run) -> None:
    """Two runs with one seed have the same faults."""
    assert run(7, "alone") == _run(7, "alone")


def test_rules_added_again(run: Run) -> None:
    """So have two times in one run, when the rules are added anew."""
    first = run(7, "alone")
    assert run(7, "twice") == first + first


def test_a_rule_more(run: Run) -> None:
    """A rule more, for the same sockets or for others, does not change what the others do."""
    assert run(7, "more") == run(7, "alone")


def test_another_seed(run: Run) -> None:
    """Another seed has other faults, at each kind of traffic."""
    for one, other in zip(run(7, "alone"), run(8, "alone"), strict=True):
        assert one.split()[0] == other.split()[0]
        assert one != other


def test_each_socket_has_its_own(run: Run) -> None:
    """Two sockets of a rule do not have the same faults."""
    first, second = run(7, "alone")[0].removeprefix("datagrams [[").removesuffix("]]").split("],[")
    assert first != second
