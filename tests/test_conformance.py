"""The scenarios of erl/test/xc_*.erl: inetpy behaves like inet."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import TOP, erl

GROUPS = sorted(path.stem for path in (TOP / "erl" / "test").glob("xc_*.erl"))


# The groups in which it matters how a call finds its backend.
WHOLE_NODE = [
    "xc_connect",
    "xc_address",
    "xc_listen",
    "xc_accept",
    "xc_active",
    "xc_local",
    "xc_udp",
    "xc_local_udp",
    "xc_owner",
]


# The groups in which the address can determine the family.
BY_ADDRESS = ["xc_connect", "xc_families", "xc_listen", "xc_local", "xc_udp", "xc_local_udp", "xc_multicast"]


# The groups in which two of our sockets interact.
TWO_BRIDGES = ["xc_accept", "xc_owner", "xc_inet", "xc_udp"]


# Those in which bytes flow. `make crosscheck` runs all groups without the fast paths.
FLOWING = ["xc_bulk", "xc_recv", "xc_send", "xc_active", "xc_packet", "xc_close", "xc_sendfile", "xc_hostile"]


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    """Every scenario gives the same observation on both backends."""
    _run(tmp_path, "inet,inetpy", group)


def _run(tmp_path: Path, *arguments: str, flags: Sequence[str] = ()) -> None:
    out = tmp_path / "rows.json"
    command = [*flags, "-run", "inetpy_xc", "main", str(out), *arguments]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=200)
    assert node.returncode == 0, output.decode()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows
    different = [row for row in rows if not row["equal"]]
    assert not different, "\n\n".join(map(_show, different))


@pytest.mark.parametrize("group", FLOWING)
def test_without_fast_paths(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same when frames are copied, and sends are answered after they are written."""
    monkeypatch.setenv("INETPY_FAST", "0")
    _run(tmp_path, "inet,inetpy", group)


@pytest.mark.parametrize("group", WHOLE_NODE)
def test_whole_node(group: str, tmp_path: Path) -> None:
    """The same with inetpy installed, and without the option tcp_module or udp_module."""
    _run(tmp_path, "inet,node", group)


@pytest.mark.parametrize("group", BY_ADDRESS)
def test_family_by_address(group: str, tmp_path: Path) -> None:
    """The same without options for the family, on both backends."""
    _run(tmp_path, "inet,node_by_address", group)


@pytest.mark.parametrize("group", TWO_BRIDGES)
def test_two_bridges(group: str, tmp_path: Path) -> None:
    """The same with two Python processes that get new sockets in turn."""
    _run(tmp_path, "inet,inetpy", group, flags=["-inetpy", "bridges", "2"])


def test_random_sequences() -> None:
    """Random operations on a pair of sockets give the same observations. A difference is shrunk."""
    seed = os.environ.get("INETPY_SEED", str(random.randrange(1 << 30)))
    with erl("-run", "inetpy_xc_random", "main", "150", seed, "inet,inetpy", stdout=subprocess.PIPE) as node:
        output, _ = node.communicate(timeout=280)
    assert node.returncode == 0, f"INETPY_SEED={seed}\n{output.decode()}"
    assert b"150 sequences" in output


def _show(row: dict[str, object]) -> str:
    observations = row["observations"]
    assert isinstance(observations, dict)
    lines = [f"{row['group']}:{row['name']}: {row['statement']}"]
    if row["fault"]:
        lines.append(f"  the scenario itself fails: {row['fault']}")
    return "\n".join(lines + [f"  {backend}: {text}" for backend, text in observations.items()])
