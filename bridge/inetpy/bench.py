"""`inetpy bench`: what inetpy costs, as ratios to inet_drv and to a bare echo port.

All figures of a row come from one run on one machine, in alternation, and the
ratios are between medians. Times on their own say little: machines differ.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import __version__, echo_port
from .report import Results, emulator, follow

__all__ = ["run"]


@dataclass(frozen=True)
class Row:
    """A row of the table: two jobs, and what their ratio should be.

    job, base: names in inetpy_report:bench/1; base may be empty. faster: whether
    a large number is good. goal: the worst ratio (or number, without a base) that
    is wanted.
    """

    title: str
    unit: str
    job: str
    base: str
    goal: float
    faster: bool = False


ROWS = (
    Row("inet:port/1 *", "µs", "call", "floor", 2.2),
    Row("echo 64 B", "µs", "echo.inetpy", "echo.inet", 4.0),
    Row("  in a flood", "µs", "flooded.inetpy", "flooded.inet", 8.0),
    Row("receive 64 KB", "MB/s", "receive.inetpy", "receive.inet", 400, faster=True),
    Row("  active", "MB/s", "active.inetpy", "active.inet", 400, faster=True),
    Row("send 64 KB", "MB/s", "send.inetpy", "receive.inet", 400, faster=True),
    Row("  both ends", "MB/s", "both.inetpy", "receive.inet", 400, faster=True),
    Row("datagrams in, 100 B", "1/s", "in100.inetpy", "in100.inet", 0.4, faster=True),
    Row("  1,400 B", "1/s", "in1400.inetpy", "in1400.inet", 0.4, faster=True),
    Row("datagrams out, 100 B", "1/s", "out100.inetpy", "out100.inet", 0.4, faster=True),
    Row("  1,400 B", "1/s", "out1400.inetpy", "out1400.inet", 0.4, faster=True),
    Row("connections", "1/s", "connections.inetpy", "connections.inet", 0.1, faster=True),
    Row("idle socket", "KB", "idle", "", 8),
)


def run(ebin: Path, rounds: int, as_json: bool, output: Path | None) -> int:
    """Runs the benchmark; prints the table or JSON, and writes JSON to `output`."""
    console = Console(stderr=as_json)
    command = emulator(ebin, "bench", [str(rounds), sys.executable, echo_port.__file__])
    results = follow(command, {"bench": f"benchmark, {rounds} rounds"}, console)
    report = _report(results, rounds)
    text = json.dumps(report, indent=2, ensure_ascii=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")
    if as_json:
        print(text)
    else:
        console.print(_table(results))
    return 0


def _median(results: Results, job: str) -> tuple[float, float, float]:
    """(median, smallest, largest)."""
    numbers = [values[0] for name, values in results if name == job]
    return statistics.median(numbers), min(numbers), max(numbers)


def _ratio(row: Row, results: Results) -> float | None:
    if not row.base:
        return None
    return _median(results, row.job)[0] / _median(results, row.base)[0]


def _reached(row: Row, results: Results) -> bool:
    measured = _median(results, row.job)[0]
    # A goal for throughput is a number of megabytes, the others are ratios.
    if row.base and row.unit != "MB/s":
        measured = _median(results, row.job)[0] / _median(results, row.base)[0]
    return measured >= row.goal if row.faster else measured <= row.goal


def _goal(row: Row) -> str:
    unit = "×" if row.base and row.unit != "MB/s" else row.unit
    return f"{'≥' if row.faster else '≤'} {row.goal:g} {unit}"


def _table(results: Results) -> Table:
    table = Table(
        title="inetpy beside inet_drv; * beside a bare echo port",
        title_justify="left",
        caption="Medians. In a flood: while another connection carries all it can. "
        "Datagrams come to an active socket; they go out from eight processes through one. "
        "Connections are opened, accepted and closed one after the other; "
        "the memory is Python's, for each of 2,000 sockets.",
        caption_justify="left",
    )
    for name, justify in (
        ("", "left"),
        ("inetpy", "right"),
        ("spread", "right"),
        ("other", "right"),
        ("ratio", "right"),
        ("goal", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in ROWS:
        median, low, high = _median(results, row.job)
        ratio = _ratio(row, results)
        table.add_row(
            row.title,
            f"{median:.4g} {row.unit}" if row.unit != "1/s" else f"{median:.0f} /s",
            f"{_short(low)}..{_short(high)}",
            f"{_median(results, row.base)[0]:.5g}" if row.base else "",
            "" if ratio is None else f"{ratio:.2f} ×",
            _goal(row),
            "[green]yes[/]" if _reached(row, results) else "[red]no[/]",
        )
    return table


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _report(results: Results, rounds: int) -> dict[str, object]:
    return {
        "inetpy": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": rounds,
        "rows": [
            asdict(row)
            | dict(zip(("median", "min", "max"), _median(results, row.job), strict=True))
            | {"ratio": _ratio(row, results), "reached": _reached(row, results)}
            for row in ROWS
        ],
        "jobs": {name: [v[0] for n, v in results if n == name] for name, _ in results},
    }
