"""The scenarios of erl/test/xc_*.erl: inetpy behaves as inet does."""

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


# The groups in which calls differ by how they find their backend.
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


# Those in which the address can tell the family.
BY_ADDRESS = ["xc_connect", "xc_families", "xc_listen", "xc_local", "xc_udp", "xc_local_udp", "xc_multicast"]


# And those in which sockets meet.
TWO_BRIDGES = ["xc_accept", "xc_owner", "xc_inet", "xc_udp"]


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    """Every scenario is observed the same on both backends."""
    _run(tmp_path, "inet,inetpy", group)


def _run(tmp_path: Path, *arguments: str, flags: Sequence[str] = ()) -> None:
    out = tmp_path / "rows.json"
    command = [*flags, "-run", "inetpy_xc", "main", str(out), *arguments]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        said, _ = node.communicate(timeout=200)
    assert node.returncode == 0, said.decode()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows
    different = [row for row in rows if not row["equal"]]
    assert not different, "\n\n".join(map(_show, different))


@pytest.mark.parametrize("group", WHOLE_NODE)
def test_whole_node(group: str, tmp_path: Path) -> None:
    """The same when inetpy is installed, and no call says that it wants Python."""
    _run(tmp_path, "inet,node", group)


@pytest.mark.parametrize("group", BY_ADDRESS)
def test_family_by_address(group: str, tmp_path: Path) -> None:
    """The same when no option names the family, on both sides."""
    _run(tmp_path, "inet,node_by_address", group)


@pytest.mark.parametrize("group", TWO_BRIDGES)
def test_two_bridges(group: str, tmp_path: Path) -> None:
    """The same when every other socket is in another Python process."""
    _run(tmp_path, "inet,inetpy", group, flags=["-inetpy", "bridges", "2"])


def test_random_sequences() -> None:
    """Random operations on a pair of sockets are observed the same; a difference is shrunk."""
    seed = os.environ.get("INETPY_SEED", str(random.randrange(1 << 30)))
    with erl("-run", "inetpy_xc_random", "main", "150", seed, "inet,inetpy", stdout=subprocess.PIPE) as node:
        said, _ = node.communicate(timeout=280)
    assert node.returncode == 0, f"INETPY_SEED={seed}\n{said.decode()}"
    assert b"150 sequences" in said


def _show(row: dict[str, object]) -> str:
    observations = row["observations"]
    assert isinstance(observations, dict)
    lines = [f"{row['group']}:{row['name']}: {row['statement']}"]
    if row["fault"]:
        lines.append(f"  the scenario itself fails: {row['fault']}")
    return "\n".join(lines + [f"  {backend}: {text}" for backend, text in observations.items()])
