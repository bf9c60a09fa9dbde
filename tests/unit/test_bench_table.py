"""The table of `inetpy bench` in the width that is left of a terminal, or without one."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from inetpy.tools.bench import ROWS, Row, table_of

# No value is longer than these.
LONGEST = {"MB/s": 12345.0, "1/s": 1234567.0, "µs": 12345.6, "ms": 1234.5, "KB": 1234.5, "%": 12.34}


def results() -> list[tuple[str, list[float]]]:
    """Two rounds of all jobs, with long numbers."""
    jobs = {job: row for row in ROWS for job in (row.base, row.job) if job}
    return [(job, [LONGEST[row.unit] * part]) for job, row in jobs.items() for part in (1.0, 0.9)]


def shown(width: int) -> list[str]:
    """The lines of the table, without its frame."""
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table_of(ROWS, results()))
    return capture.get().replace("│", " ").splitlines()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_numbers_are_whole(width: int) -> None:
    """Each row has a line with all of its numbers, and no line is longer than the terminal is wide."""
    lines = shown(width)
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if re.search(r"[≤≥] ", line)]
    assert [row.title for row, line in zip(ROWS, rows, strict=True) if not is_whole(row, line)] == []


def is_whole(row: Row, line: str) -> bool:
    """Whether a line has all numbers of a row, with their units, and the answer."""
    ratio = r" +\d\S* +\d+\.\d\d × +\d+\.\d\d × +" if row.base else " +"
    return re.search(rf" \d\S* {re.escape(row.unit)}{ratio}[≤≥] \S+ \S+ +(yes|no)", line) is not None


def test_heading_is_explained() -> None:
    text = " ".join(" ".join(shown(80)).split())
    assert re.search(r"ratio\W+best\W+goal", text)
    assert "best: the ratio of the best rounds" in text
