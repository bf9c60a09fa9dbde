"""A fault is equal to the real event: the scenarios of erl/test/xf_*.erl.

On `inet`, and on OTP's `socket` for xf_socket, each scenario makes the real event, in a network of its own
(namespace.sh). On inetpy it makes the fault. The observations must be equal. The groups run side by side:
they wait most of the time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import EBIN, TEST_EBIN, TOP
from crossed import assert_equal, read_rows
from inetpy.network.faults import CALLS, FAULTS

NAMESPACE = Path(__file__).parent / "namespace.sh"
GROUPS = ["xf_connect", "xf_datagrams", "xf_far", "xf_limits", "xf_socket", "xf_stream"]
EVIDENCE = tomllib.loads((TOP / "erl" / "test" / "faults.toml").read_text())


def _can_have_a_network() -> bool:
    tools = ("unshare", "ip", "setpriv", "prlimit")
    return os.geteuid() == 0 and all(shutil.which(tool) is not None for tool in tools)


needs_a_network = pytest.mark.skipif(not _can_have_a_network(), reason="needs root and iproute2")
pytestmark = needs_a_network


class Run(NamedTuple):
    """A node that runs a group."""

    node: subprocess.Popen[bytes]
    out: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    folder = tmp_path_factory.mktemp("rows")
    started = {group: _start(group, folder / group) for group in GROUPS}
    yield started
    for run in started.values():
        run.node.kill()
        run.node.communicate()


def _start(group: str, out: Path) -> Run:
    paths = ["-pa", str(EBIN), "-pa", str(TEST_EBIN)]
    backends = "socket,inetpy" if group == "xf_socket" else "inet,inetpy"
    command = ["erl", "-noinput", *paths, "-run", "inetpy_xc", "main", str(out), backends, group]
    node = subprocess.Popen([str(NAMESPACE), *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Run(node, out)


def _rows(run: Run) -> list[dict[str, object]]:
    if run.node.poll() is None:
        output, _ = run.node.communicate(timeout=200)
        assert run.node.returncode == 0, output.decode()
    return read_rows(run.out)


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, runs: dict[str, Run]) -> None:
    """Each fault shows Erlang what the real event shows."""
    assert_equal(_rows(runs[group]))


def test_groups() -> None:
    """All groups run."""
    entries = {path.stem for path in (TOP / "erl" / "test").glob("xf_*.erl")}
    assert entries - {"xf_names", "xf_relay", "xf_seeds"} == set(GROUPS)


def test_evidence(runs: dict[str, Run]) -> None:
    """Each fault has a scenario that compares it with the real event, or a reason to have none."""
    names = {
        f"{group.removeprefix('xf_')}.{row['name']}" for group, run in runs.items() for row in _rows(run)
    }
    assert set(EVIDENCE) == set(FAULTS)
    used = set()
    for lines in EVIDENCE.values():
        for patterns in lines.values():
            if isinstance(patterns, str):
                assert len(patterns) > 10
                continue
            for pattern in patterns:
                found = {name for name in names if fnmatchcase(name, pattern)}
                assert found, pattern
                used |= found
    assert names - used == set()


def test_each_call() -> None:
    """Each call that can fail has a line."""
    words = {word for line in EVIDENCE["error"] for word in line.replace(",", "").split()}
    assert set(CALLS) <= words
