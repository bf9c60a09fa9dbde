"""What `inetpy crosscheck` has seen: a row for each scenario, and whether backends agree on it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import documented

__all__ = [
    "MEMORY",
    "Row",
    "annotate",
    "by_group",
    "count_equal",
    "count_skipped",
    "excuse",
    "is_equal",
    "is_excused",
    "reference",
    "short",
]

MEMORY = "memory"

Row = dict[str, Any]


def reference(row: Row) -> str:
    """The backend that the others are compared with: the first of the observations."""
    return str(next(iter(row["observations"])))


def short(group: str) -> str:
    """The name of a group on the command line: without xc_ (of inet) or xs_ (of socket)."""
    return group.removeprefix("xc_").removeprefix("xs_")


def annotate(rows: list[Row], file: Path) -> None:
    """Adds to each row the statements of OTP's documentation that it is evidence for."""
    statements = documented.load(file) if file.is_file() else []
    for row in rows:
        matching = documented.of_scenario(statements, row["group"], row["name"])
        row["documented"] = [f"{statement.subject}: {statement.text}" for statement in matching]


def excuse(rows: list[Row], file: Path) -> None:
    """Adds to the rows that the file lists what it says of them: why memory does not behave as the kernel."""
    listed = tomllib.loads(file.read_text())["scenario"] if file.is_file() else []
    for row in rows:
        for entry in listed:
            if entry["group"] in (row["group"], short(row["group"])) and fnmatchcase(
                row["name"], entry["name"]
            ):
                row["not_in_memory"] = entry["reason"]
                row["depends"] = entry.get("depends", False)


def is_equal(row: Row, backend: str) -> bool:
    """Whether a backend behaves as the reference, or as it should. A skipped scenario counts as equal.

    One that is listed as different in memory has to be different there.
    """
    if reference(row) in row["skipped"] or backend in row["skipped"]:
        return True
    if backend == MEMORY and "not_in_memory" in row:
        return is_excused(row) or row["depends"]
    return _is_same(row, backend)


def _is_same(row: Row, backend: str) -> bool:
    seen, first = row["observations"], reference(row)
    return seen[backend] in (seen[first], seen.get(f"{first} again"))


def is_excused(row: Row) -> bool:
    """Whether memory behaves differently, and may."""
    return "not_in_memory" in row and not row["skipped"] and not _is_same(row, MEMORY)


def by_group(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    yield from groups.items()


def count_equal(rows: list[Row], others: list[str]) -> int:
    passed = [row for row in rows if not row["skipped"] and not row["fault"] and not is_excused(row)]
    return sum(all(is_equal(row, name) for name in others) for row in passed)


def count_skipped(rows: list[Row]) -> int:
    return sum(bool(row["skipped"]) for row in rows)
