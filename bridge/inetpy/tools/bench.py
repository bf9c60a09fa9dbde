"""`inetpy bench`: what inetpy costs, as ratios to inet_drv and to bare port programs in Python.

All jobs run in alternation on one machine, and a ratio is one of medians. Absolute times cannot be
compared between machines.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .. import __version__
from . import echo_port
from .report import Results, emulator, follow

__all__ = ["rows_of", "run", "table_of"]


@dataclass(frozen=True)
class Row:
    """A row of the table: two jobs, and the goal for their ratio.

    title: the group before a colon, which the table shows once. job, base: names in
    inetpy_report:jobs/2; base may be empty. faster: whether a large number is good.
    goal: the worst ratio (or number, without a base) that is wanted.
    """

    title: str
    unit: str
    job: str
    base: str
    goal: float
    faster: bool = False


ROWS = (
    Row("inet:port/1: echo port", "µs", "call", "floor", 0.65),
    Row("inet:port/1: erlport-like call", "µs", "call", "remote", 0.65),
    Row("echo 64 B", "µs", "echo.inetpy", "echo.inet", 1.3),
    Row("echo 64 B: with a Python server", "µs", "client.inetpy", "client.inet", 1.5),
    Row("echo 64 B: active once, one end", "µs", "once.inetpy", "once.inet", 1.8),
    Row("echo 64 B: active once, both", "µs", "once2.inetpy", "once2.inet", 2.5),
    Row("echo 64 B: in a flood", "µs", "flooded.inetpy", "flooded.inet", 2.0),
    Row("echo 64 B: in a flood nobody reads", "µs", "unread.inetpy", "unread.inet", 2.0),
    Row("echo 64 B: active once, in small sends", "µs", "once2.sends", "once2.inetpy", 2.5),
    Row("echo 64 B: active once, in datagrams", "µs", "once2.datagrams", "once2.inetpy", 2.5),
    Row("20 clients, 500 lines each", "ms", "pipelined.inetpy", "pipelined.inet", 2.0),
    Row("20 clients, 500 lines each: beside a bare port", "ms", "pipelined.inetpy", "pipelined.bare", 2.0),
    Row("setopts {active, once}", "µs", "setopts.inetpy", "", 3),
    Row("receive 64 KB", "MB/s", "receive.inetpy", "receive.inet", 0.35, faster=True),
    Row("receive 64 KB: active", "MB/s", "active.inetpy", "active.inet", 0.35, faster=True),
    Row("receive 64 KB: active once", "MB/s", "once64k.inetpy", "once64k.inet", 0.4, faster=True),
    Row(
        "receive 64 KB: active once, beside a bare port",
        "MB/s",
        "once64k.inetpy",
        "once64k.bare",
        0.65,
        faster=True,
    ),
    Row("receive 1 KB: active once", "MB/s", "once1k.inetpy", "once1k.inet", 0.02, faster=True),
    Row("receive 1,460 B: recv(S, 0)", "MB/s", "recv0.inetpy", "recv0.inet", 0.03, faster=True),
    Row(
        "receive 1,460 B: recv(S, 0), beside a bare port",
        "MB/s",
        "recv0.inetpy",
        "recv0.bare",
        0.65,
        faster=True,
    ),
    Row("receive 1,460 B: recv(S, 0), a call", "µs", "recv0.call", "call", 1.15),
    Row("send 64 KB", "MB/s", "send.inetpy", "receive.inet", 0.35, faster=True),
    Row("send 64 KB: both ends", "MB/s", "both.inetpy", "receive.inet", 0.35, faster=True),
    Row("send 100 B", "1/s", "sends.inetpy", "sends.inet", 0.35, faster=True),
    Row("datagrams in: 100 B", "1/s", "in100.inetpy", "in100.inet", 0.4, faster=True),
    Row("datagrams in: 1,400 B", "1/s", "in1400.inetpy", "in1400.inet", 0.4, faster=True),
    Row("datagrams in: recv, 100 B", "1/s", "read100.inetpy", "read100.inet", 0.03, faster=True),
    Row("datagrams in: recv, 100 B, a call", "µs", "read100.call", "call", 1.1),
    Row("datagrams out: 100 B", "1/s", "out100.inetpy", "out100.inet", 0.4, faster=True),
    Row("datagrams out: 1,400 B", "1/s", "out1400.inetpy", "out1400.inet", 0.4, faster=True),
    Row("datagrams out: one sender", "1/s", "alone100.inetpy", "alone100.inet", 0.35, faster=True),
    Row("connections", "1/s", "connections.inetpy", "connections.inet", 0.6, faster=True),
    Row(
        "connections: beside a bare port",
        "1/s",
        "connections.inetpy",
        "connections.bare",
        0.65,
        faster=True,
    ),
    Row("socket: echo 64 B", "µs", "socket.echo.inetpy", "socket.echo.otp", 4.0),
    Row("socket: select, 64 B", "µs", "socket.selects.inetpy", "socket.selects.otp", 8.0),
    Row(
        "socket: select, 64 B: beside a bare port",
        "µs",
        "socket.selects.inetpy",
        "socket.selects.bare",
        2.0,
    ),
    Row("socket: receive 64 KB", "MB/s", "socket.receive.inetpy", "socket.receive.otp", 0.35, faster=True),
    Row("socket: send 64 KB", "MB/s", "socket.send.inetpy", "socket.receive.otp", 0.35, faster=True),
    Row("socket: both ends", "MB/s", "socket.both.inetpy", "socket.receive.otp", 0.35, faster=True),
    Row(
        "socket: connections", "1/s", "socket.connections.inetpy", "socket.connections.otp", 0.3, faster=True
    ),
    Row("10,000 connections: opening", "1/s", "open.inetpy", "open.inet", 0.3, faster=True),
    Row("10,000 connections: memory of one", "KB", "many.memory", "", 4),
    Row("10,000 connections: idle processor", "%", "many.busy", "", 1),
    Row("10,000 connections: echo, alone", "µs", "many.among", "many.alone", 1.5),
    Row("server in memory: echo 64 B, Python server", "µs", "memory.echo", "client.inetpy", 1.5),
    Row("server in memory: connections", "1/s", "memory.open", "open.inetpy", 0.5, faster=True),
    Row("server in memory: memory of one of 10,000", "KB", "memory.one", "", 20),
    Row("server in memory: echo, alone", "µs", "memory.among", "memory.echo", 1.5),
    Row("two bridges, one: echo", "1/s", "bridges.2", "bridges.1", 1.6, faster=True),
    Row("two bridges, one: lines", "1/s", "packets.2", "packets.1", 1.6, faster=True),
    Row("a rule that does nothing: echo 64 B", "µs", "rules.one", "rules.none", 3),
    Row("a trace that is on: echo 64 B", "µs", "traced.echo", "rules.none", 3),
    Row("1,000 rules for others: echo 64 B", "µs", "rules.others", "rules.none", 1.05),
    Row(
        "1,000 rules for others: connections",
        "1/s",
        "rules.connections",
        "connections.inetpy",
        0.7,
        faster=True,
    ),
    Row("idle socket", "KB", "idle", "", 4),
    Row("start to first socket", "ms", "start", "", 150),
)


def rows_of(pattern: re.Pattern[str]) -> list[Row]:
    """The rows in whose title or job `pattern` is found."""
    return [row for row in ROWS if pattern.search(row.title) or pattern.search(row.job)]


def run(
    ebin: Path, rows: Sequence[Row], rounds: int, as_json: bool, output: Path | None, picture: Path | None
) -> int:
    """Runs the benchmark; prints the table or JSON, writes JSON to `output` and a PNG to `picture`."""
    console = Console(stderr=as_json)
    jobs = ",".join(job for row in rows for job in (row.job, row.base) if job)
    command = emulator(ebin, "bench", [str(rounds), sys.executable, echo_port.__file__, jobs])
    results = follow(command, {"bench": f"benchmark, {rounds} rounds"}, console)
    report = _report(rows, results, rounds)
    text = json.dumps(report, indent=2, ensure_ascii=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")
    if picture is not None:
        from .bench_plot import plot

        plot(report["rows"], picture)
    if as_json:
        print(text)
    else:
        console.print(table_of(rows, results))
    return 0


def _median(results: Results, job: str) -> tuple[float, float, float]:
    """(median, smallest, largest)."""
    numbers = [values[0] for name, values in results if name == job]
    return statistics.median(numbers), min(numbers), max(numbers)


def _ratio(row: Row, results: Results) -> float | None:
    if not row.base:
        return None
    return _median(results, row.job)[0] / _median(results, row.base)[0]


def _best(row: Row, results: Results) -> float | None:
    """The ratio of the best rounds: what is left when nothing else disturbs either side."""
    if not row.base:
        return None
    best = 2 if row.faster else 1
    return _median(results, row.job)[best] / _median(results, row.base)[best]


def _reached(row: Row, results: Results) -> bool:
    ratio = _ratio(row, results)
    measured = _median(results, row.job)[0] if ratio is None else ratio
    return measured >= row.goal if row.faster else measured <= row.goal


def _goal(row: Row) -> str:
    unit = "×" if row.base else row.unit
    return f"{'≥' if row.faster else '≤'} {row.goal:g} {unit}"


def table_of(rows: Sequence[Row], results: Results) -> Table:
    """The table of what was measured, a line a row."""
    table = Table(
        title="inetpy beside inet_drv, or what the row says",
        title_justify="left",
        caption="Medians; best: the ratio of the best rounds. "
        "In a flood: while another connection carries all it can. "
        "Active once: setopts before each message; at one end, the other is inet_drv's. "
        "A bare port: a Python program that does nothing but the system calls. "
        "Datagrams come to an active socket; they go out from eight processes through one. "
        "Connections are opened, accepted and closed one after the other. Memory and processor are Python's. "
        "Socket: inetpy_socket beside OTP's socket; select: recv with nowait, the message, and recv again. "
        "Rules: one end is Python's, so a round trip is one send and one recv; beside no rule. "
        "Two bridges carry eight echoing pairs, and lines to eight active sockets; "
        "there are as many cores as the machine has.",
        caption_justify="left",
    )
    # Without a terminal there are 80 columns: titles go on in a second line, and the numbers stay whole.
    table.add_column("")
    for name in ("inetpy", "other", "ratio", "best", "goal"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    group = ""
    for row in rows:
        median = _median(results, row.job)[0]
        ratio, best = _ratio(row, results), _best(row, results)
        above, (group, _, title) = group, row.title.partition(": ")
        table.add_row(
            f"  {title}" if group == above else row.title,
            f"{_short(median)} {row.unit}",
            _short(_median(results, row.base)[0]) if row.base else "",
            "" if ratio is None else f"{ratio:.2f} ×",
            "" if best is None else f"{best:.2f} ×",
            _goal(row),
            "[green]yes[/]" if _reached(row, results) else "[red]no[/]",
        )
    return table


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _report(rows: Sequence[Row], results: Results, rounds: int) -> dict[str, Any]:
    return {
        "inetpy": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": rounds,
        "rows": [
            asdict(row)
            | dict(zip(("median", "min", "max"), _median(results, row.job), strict=True))
            | {"ratio": _ratio(row, results), "best": _best(row, results), "reached": _reached(row, results)}
            for row in rows
        ],
        "jobs": {name: [v[0] for n, v in results if n == name] for name, _ in results},
    }
