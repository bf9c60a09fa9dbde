#!/usr/bin/env python3
"""Compares what two checkouts cost, in alternation on one machine.

    scripts/compare_bench.py A B --rounds 5 --rows 'active once|send'

A and B are built (`make build`). In every round each runs `inetpy bench --rounds 1 --json`, the other
one first in every second round. Per row: the median of A, the median of B, their ratio, and the
range of the middle half of the ratios of single rounds. A row is marked as better or worse when all
rounds agree, and there are five at least: of equal checkouts one row in sixteen is marked too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENOUGH = 5  # rounds, to say something of a row


@dataclass
class Compared:
    """A row of both benchmarks, with a number of each round."""

    title: str
    unit: str
    faster: bool
    numbers: tuple[list[float], list[float]]

    def line(self) -> list[str]:
        before, after = map(statistics.median, self.numbers)
        cells = [self.title, _short(before), f"{_short(after)} {self.unit}"]
        ratios = [b / a for a, b in zip(*self.numbers, strict=True) if a]
        if not before:  # an idle processor, say
            return [*cells, "", "", ""]
        low, high = _middle_half(ratios)
        return [*cells, f"{after / before:.2f} ×", f"{low:.2f} to {high:.2f}", self._mark(ratios)]

    def _mark(self, ratios: Sequence[float]) -> str:
        agree = all(ratio > 1 for ratio in ratios) or all(ratio < 1 for ratio in ratios)
        if len(ratios) < ENOUGH or not agree:
            return ""
        return "better" if (ratios[0] > 1) is self.faster else "WORSE"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _middle_half(ratios: Sequence[float]) -> tuple[float, float]:
    if len(ratios) == 1:
        return ratios[0], ratios[0]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, high


def measured(checkout: Path, pattern: str | None) -> list[dict[str, object]]:
    """The rows of one round. SystemExit where the checkout cannot run it."""
    command = [str(checkout / ".venv" / "bin" / "inetpy"), "bench", "--rounds", "1", "--json"]
    if pattern is not None:
        command += ["--rows", pattern]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"compare_bench: {command[0]}: {error.strerror}; run `make build` there")
    if done.returncode:
        sys.exit(f"compare_bench: {' '.join(command)} failed:\n{done.stderr}")
    rows: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return rows


def compared(checkouts: Sequence[Path], rounds: int, pattern: str | None) -> list[Compared]:
    """The rows that both have, in the order of the second one's."""
    runs: tuple[list[list[dict[str, object]]], ...] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            print(f"round {number + 1} of {rounds}: {checkouts[side]}", file=sys.stderr)
            runs[side].append(measured(checkouts[side], pattern))
    before, after = map(_medians, runs)
    return [
        Compared(str(row["title"]).strip(), str(row["unit"]), bool(row["faster"]), (before[key], after[key]))
        for row in runs[1][0]
        if (key := _key(row)) in before
    ]


def _key(row: dict[str, object]) -> tuple[object, object]:
    """What a row measures; its title may be another in the other checkout."""
    return row["job"], row["base"]


def _medians(runs: Sequence[Sequence[dict[str, object]]]) -> dict[tuple[object, object], list[float]]:
    """Of each row a number of each run."""
    numbers: dict[tuple[object, object], list[float]] = {}
    for row in (row for run in runs for row in run):
        numbers.setdefault(_key(row), []).append(float(str(row["median"])))
    return numbers


def table(rows: Sequence[Compared]) -> str:
    lines = [["", "A", "B", "B / A", "middle half", ""], *(row.line() for row in rows)]
    first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([title.ljust(first), *map(str.rjust, cells, others)]).rstrip() for title, *cells in lines
    )


def main() -> int:
    description, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs=2, type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=5, help="how often each runs (default 5)")
    parser.add_argument("--rows", metavar="PATTERN", help="only these rows: see `inetpy bench --help`")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds is at least 1")
    print(table(compared(arguments.checkouts, arguments.rounds, arguments.rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
