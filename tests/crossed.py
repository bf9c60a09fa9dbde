"""Rows of inetpy_xc: what a scenario has shown on each backend."""

from __future__ import annotations

import json
from pathlib import Path


def read_rows(path: Path) -> list[dict[str, object]]:
    """The rows that inetpy_xc:main/1 has written."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_equal(rows: list[dict[str, object]]) -> None:
    """Every scenario has shown the same on all backends."""
    assert rows
    different = [row for row in rows if not row["equal"]]
    assert not different, "\n\n".join(map(show_row, different))


def show_row(row: dict[str, object]) -> str:
    """A row as text for a person."""
    observations = row["observations"]
    assert isinstance(observations, dict)
    lines = [f"{row['group']}:{row['name']}: {row['statement']}"]
    if row["fault"]:
        lines.append(f"  the scenario itself fails: {row['fault']}")
    return "\n".join(lines + [f"  {backend}: {text}" for backend, text in observations.items()])
