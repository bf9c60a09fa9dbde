"""Rows of inetpy_xc: what a scenario has shown on each backend."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from signal import SIGABRT
from typing import Any

from conftest import erl


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that inetpy_xc:main/1 has written."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def observed_group(folder: Path, backends: str, group: str, *flags: str) -> list[dict[str, Any]]:
    """The rows of a group, which a node observes now. `flags`: more of its command line.

    OTP 25 aborts now and then in its own `socket`, by an assertion in prim_socket_nif.c. The group runs
    again then.
    """
    out = folder / "rows.json"
    command = [*flags, "-run", "inetpy_xc", "main", str(out), backends, group]
    for _attempt in range(2):
        with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
            others = _paths(node.pid)
            output, _ = node.communicate(timeout=200)
        if node.returncode != -SIGABRT:
            break
    assert node.returncode == 0, output.decode()
    assert _paths(node.pid) <= others, "scenarios leave no sockets of the unix domain"
    return read_rows(out)


def _paths(process: int) -> set[Path]:
    """What is there of xs:path/0. A run that was killed may have left some, with the same process number."""
    return set(Path("/tmp").glob(f"inetpy-xs-{process}-*"))


def assert_equal(rows: list[dict[str, Any]]) -> None:
    """Every scenario has shown the same on all backends."""
    assert rows
    different = [row for row in rows if not row["equal"]]
    assert not different, "\n\n".join(map(show_row, different))


def show_row(row: dict[str, Any]) -> str:
    """A row as text for a person."""
    observations = row["observations"]
    lines = [f"{row['group']}:{row['name']}: {row['statement']}"]
    if row["fault"]:
        lines.append(f"  the scenario itself fails: {row['fault']}")
    return "\n".join(lines + [f"  {backend}: {text}" for backend, text in observations.items()])
