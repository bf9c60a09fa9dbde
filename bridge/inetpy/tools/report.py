"""Runs an Erlang program that prints a report line by line, and shows its progress.

The lines are those of erl/tools/inetpy_report.erl:

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

from .run import outside

__all__ = ["Results", "emulator", "follow"]

Results = list[tuple[str, list[float]]]


def emulator(ebin: Path, function: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs inetpy_report:FUNCTION with ARGUMENTS and ends.

    Raises SystemExit where there is no such module beside the application.
    """
    tools = ebin.parent / "tools" / "ebin"
    if not (tools / "inetpy_report.beam").is_file():
        sys.exit(f"inetpy: {tools} has no inetpy_report.beam; run `make build` in the source tree")
    # More ports than any job needs; and no word of what starts and stops.
    flags = ["-noinput", "+Q", "65536", "-kernel", "logger_level", "warning"]
    return ["erl", *flags, "-pa", str(ebin), str(tools), "-run", "inetpy_report", function, *arguments]


def follow(command: Sequence[str], titles: dict[str, str], console: Console) -> Results:
    """Runs `command` to its end, with a progress bar for each job. Raises SystemExit if it fails."""
    results: Results = []
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console) as progress,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=outside()) as process,
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
    """The words of the lines that are reports. Other lines go to the standard error."""
    assert process.stdout is not None
    for line in process.stdout:
        words = line.split()
        if words[:1] in (["progress"], ["result"]):
            yield words
        else:
            sys.stderr.write(line)
