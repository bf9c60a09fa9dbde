"""The scenarios of erl/test/xc_*.erl: inetpy behaves like inet."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import TOP, erl
from crossed import assert_equal, read_rows
from seeds import SEED, times

GROUPS = sorted(path.stem for path in (TOP / "erl" / "test").glob("xc_*.erl"))


# `make crosscheck` runs all groups in these ways.
WHOLE_NODE = ["xc_connect", "xc_listen", "xc_owner"]
FLOWING = ["xc_bulk"]


# The groups in which two of our sockets interact.
# Not xc_early: a peer in another Python is seen to end some microseconds late. See inetpy_early_SUITE.
TWO_BRIDGES = ["xc_accept", "xc_owner", "xc_inet", "xc_udp"]


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    """Every scenario gives the same observation on both backends."""
    run_groups(tmp_path, "inet,inetpy", group)


def run_groups(tmp_path: Path, *arguments: str, flags: Sequence[str] = ()) -> None:
    """`arguments`: the backends, and the groups to run on them."""
    out = tmp_path / "rows.json"
    command = [*flags, "-run", "inetpy_xc", "main", str(out), *arguments]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=200)
    assert node.returncode == 0, output.decode()
    assert_equal(read_rows(out))


@pytest.mark.parametrize("group", FLOWING)
def test_without_fast_paths(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same when frames are copied, and sends are answered after they are written."""
    monkeypatch.setenv("INETPY_FAST", "0")
    run_groups(tmp_path, "inet,inetpy", group)


@pytest.mark.parametrize("group", WHOLE_NODE)
def test_whole_node(group: str, tmp_path: Path) -> None:
    """The same with inetpy installed, and without the option tcp_module or udp_module."""
    run_groups(tmp_path, "inet,node", group)


@pytest.mark.parametrize("group", TWO_BRIDGES)
def test_two_bridges(group: str, tmp_path: Path) -> None:
    """The same with two Python processes that get new sockets in turn."""
    run_groups(tmp_path, "inet,inetpy", group, flags=["-inetpy", "bridges", "2"])


@pytest.mark.random
@pytest.mark.parametrize(
    ("sequences", "early", "count"),
    [
        ("inetpy_xc_sequences", "8", 90),
        ("inetpy_xc_sequences", "1", 20),
        ("inetpy_xc_datagrams", "8", 20),
        ("inetpy_xc_datagrams", "1", 20),
        ("inetpy_xc_datagrams", "0", 10),
    ],
)
def test_random_sequences(sequences: str, early: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random operations on sockets give the same observations. A difference is shrunk.

    early: after so many requests of a kind, callers do not wait; never with 0.
    """
    monkeypatch.setenv("INETPY_EARLY", early)
    with erl(
        *("-run", "inetpy_xc_random", "main", str(times(count)), str(SEED), sequences, "inet,inetpy"),
        stdout=subprocess.PIPE,
    ) as node:
        output, _ = node.communicate(timeout=max(280, times(280)))
    assert node.returncode == 0, f"TEST_SEED={SEED}\n{output.decode()}"
    assert b"%d sequences" % times(count) in output


# Two sequences. In a process, the first differs a few times only, the second always.
BY_CHANCE = """
-module(by_chance).
-export([api/0, sequence/1, observe/3, text/1]).
api() -> chance.
sequence(Seed) -> _ = [put(left, Left) || get(left) =:= undefined, {1, Left} <- [{Seed, 3}]], {[], [Seed, x]}.
text(Sequence) -> io_lib:format("~p", [Sequence]).
observe(#{name := inet}, _, _) -> equal;
observe(#{name := inetpy}, _, _) ->
    case put(left, case get(left) of undefined -> undefined; Left -> Left - 1 end) of
        Still when Still > 0 -> different;
        _ -> equal
    end.
"""


def test_what_differs_now_and_then_is_chance(tmp_path: Path) -> None:
    """A difference that goes while a sequence is shrunk is none."""
    source = tmp_path / "by_chance.erl"
    source.write_text(BY_CHANCE)
    subprocess.run(["erlc", "-o", tmp_path, source], check=True)
    command = ("-pa", str(tmp_path), "-run", "inetpy_xc_random", "main", "2", "1", "by_chance", "inet,inetpy")
    with erl(*command, stdout=subprocess.PIPE) as node:
        output, _ = node.communicate(timeout=60)
    assert node.returncode == 1
    assert b"seed 2:" in output
    assert b"chance: 2 sequences from seed 1, 1 different" in output


def test_failing_sequences() -> None:
    """A run whose worker fails ends with the reason."""
    with erl(
        "-run", "inetpy_xc_random", "main", "1", "1", "no_module", "inet", stdout=subprocess.PIPE
    ) as node:
        output, _ = node.communicate(timeout=60)
    assert node.returncode == 2
    assert b"undef" in output
    assert b"no_module" in output
