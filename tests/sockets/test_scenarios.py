"""The scenarios of erl/test/xs_*.erl: inetpy_socket behaves like OTP's socket."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conftest import TOP, erl
from crossed import assert_equal, observed_group
from inetpy.tools.rows import excuse
from seeds import SEED, times

NOT_IN_MEMORY = TOP / "erl" / "test" / "not_in_memory.toml"
GROUPS = sorted(path.stem for path in (TOP / "erl" / "test").glob("xs_*.erl"))
STOCK: dict[str, dict[str, str]] = {}  # what the scenarios of a group have shown on OTP's `socket`


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    """Every scenario gives the same observation on both modules, also where `socket` itself is ours."""
    rows = observed_group(tmp_path, "socket,inetpy,node", group)
    STOCK[group] = {row["name"]: row["observations"]["socket"] for row in rows}
    assert_equal(rows)


@pytest.mark.parametrize("early", ["1", "0"])
@pytest.mark.parametrize("group", ["xs_closes", "xs_early"])
def test_callers_that_do_not_wait(
    group: str, early: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same after one request of a kind, and where all callers wait."""
    monkeypatch.setenv("INETPY_EARLY", early)
    rows = beside_stock(group, observed_group(tmp_path, "inetpy", group))
    if not all(row["equal"] for row in rows):
        rows = observed_group(tmp_path, "socket,inetpy", group)  # chance, perhaps: both are run now
    assert_equal(rows)


@pytest.mark.parametrize("group", ["xs_closes", "xs_functions"])
def test_two_bridges(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with two Python processes that get new sockets in turn, and with callers that do not wait."""
    monkeypatch.setenv("INETPY_EARLY", "1")
    assert_equal(observed_group(tmp_path, "socket,inetpy", group, "-inetpy", "bridges", "2"))


@pytest.mark.random
@pytest.mark.parametrize(("early", "count"), [("8", 14), ("1", 14), ("0", 6)])
def test_random_sequences(early: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random calls in several processes give the same observations. A difference is shrunk.

    early: after so many requests of a kind, callers do not wait; never with 0.
    """
    monkeypatch.setenv("INETPY_EARLY", early)
    tries = str(times(count))
    command = ("-run", "inetpy_xc_random", "main", tries, str(SEED), "inetpy_xs_sequences", "socket,inetpy")
    with erl(*command, stdout=subprocess.PIPE) as node:
        output, _ = node.communicate(timeout=max(280, times(280)))
    assert node.returncode == 0, f"TEST_SEED={SEED}\n{output.decode()}"
    assert f"{tries} sequences".encode() in output


def test_random_on_the_whole_node() -> None:
    """The command runs them, too, where the module `socket` is ours."""
    command = [sys.executable, "-m", "inetpy", "crosscheck", "--api", "socket", "--backends", "node"]
    done = subprocess.run(
        [*command, "--random", "6", "--seed", "5"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 sequences from seed 5, 0 different" in done.stdout


@pytest.mark.parametrize("group", GROUPS)
def test_in_memory(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where no socket is in the kernel, but for what is listed. What is listed differs."""
    monkeypatch.setenv("INETPY_HOST", "memory")
    entries = tomllib.loads(NOT_IN_MEMORY.read_text())["scenario"]
    listed = {entry["name"] for entry in entries if entry["group"] == group}
    rows = beside_stock(group, observed_group(tmp_path, "memory", group))
    if {row["name"] for row in rows if not row["equal"]} != listed:
        rows = observed_group(tmp_path, "socket,memory", group)  # chance, perhaps: both are run now
    excuse(rows, NOT_IN_MEMORY)
    assert_equal([row for row in rows if "not_in_memory" not in row])
    assert {row["name"] for row in rows if not row["equal"]} == listed


def beside_stock(group: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a backend, with what OTP's `socket` has shown in `test_group`."""
    stock = STOCK.get(group, {})
    for row in rows:
        [(backend, seen)] = row["observations"].items()
        row["observations"] = {"socket": stock.get(row["name"]), backend: seen}
        row["equal"] = stock.get(row["name"]) == seen
    return rows
