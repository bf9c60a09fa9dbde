"""Runs an Erlang program that reports its jobs line by line, and shows progress.

The lines are those of erl/src/inetpy_report.erl:

    progress JOB DONE ALL
    result JOB NUMBER...
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Results", "emulator", "follow"]

Results = list[tuple[str, list[float]]]


def emulator(ebin: Path, function: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs inetpy_report:FUNCTION with ARGUMENTS and ends."""
    # More ports than any job needs; and no word of what starts and stops.
    flags = ["-noinput", "-pa", str(ebin), "+Q", "65536", "-kernel", "logger_level", "warning"]
    return ["erl", *flags, "-run", "inetpy_report", function, *arguments]


def follow(command: Sequence[str], titles: dict[str, str], console: Console) -> Results:
    """Runs `command` to its end, with a bar for each job that it reports.

    Raises SystemExit with what it said when it fails.
    """
    results: Results = []
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console) as progress,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        tasks: dict[str, TaskID] = {}
        for words in _reports(process):
            match words:
                case ["progress", job, done, total]:
                    if job not in tasks:
                        tasks[job] = progress.add_task(titles.get(job, job), total=float(total))
                    progress.update(tasks[job], completed=float(done), total=float(total))
                case ["result", job, *numbers]:
                    results.append((job, [float(number) for number in numbers]))
    if process.returncode:
        sys.exit(f"inetpy: the Erlang program failed, see above: {' '.join(command)}")
    return results


def _reports(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    """The words of the lines that are reports; the others go to the standard error."""
    assert process.stdout is not None
    for line in process.stdout:
        words = line.split()
        if words[:1] in (["progress"], ["result"]):
            yield words
        else:
            sys.stderr.write(line)
