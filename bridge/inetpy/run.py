"""`inetpy run -- CMD`: any Erlang or Elixir program, its whole node on Python sockets.

The program is not changed and not looked at: the emulator reads ERL_AFLAGS, which load
our beams and install inetpy before the program's own start functions run.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import statistics

__all__ = ["environment", "run"]

PATIENCE = 5.0  # seconds for bridges to end after their node has


def environment(ebin: Path) -> dict[str, str]:
    """The variables that put a node on Python sockets.

    A distributed node is registered with epmd before that, and its connection could not be led
    away from OTP's `socket` backend any more: so the node begins with the stock driver, whatever
    its own flags say. Of several values the emulator takes the first.
    """
    flags = f"-pa {shlex.quote(str(ebin))} -kernel inet_backend inet -run inetpy_node install"
    given = os.environ.get("ERL_AFLAGS")
    return {
        "ERL_AFLAGS": f"{flags} {given}" if given else flags,
        "INETPY_PYTHON": os.environ.get("INETPY_PYTHON", sys.executable),
    }


def run(ebin: Path, command: Sequence[str], stats: bool, as_json: bool) -> int:
    """Runs the command to its end; the result is its exit status, 127 when there is no such program."""
    variables = os.environ | environment(ebin)
    try:
        if not (stats or as_json):
            os.execvpe(command[0], list(command), variables)  # noqa: S606  it is that program now
        with tempfile.TemporaryDirectory(prefix="inetpy-stats-") as folder:
            status = _call(command, variables | {"INETPY_STATS": folder})
            _await_bridges(Path(folder))
            _show(statistics.total(Path(folder)), as_json)
    except FileNotFoundError:
        print(f"inetpy run: no such program: {command[0]}", file=sys.stderr)
        return 127
    return status if status >= 0 else 128 - status


def _call(command: Sequence[str], variables: dict[str, str]) -> int:
    """The status of a program that gets the signals that we get."""
    program = subprocess.Popen(command, env=variables)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: program.send_signal(received))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the program too
    return program.wait()


def _await_bridges(folder: Path) -> None:
    """A bridge sees the end of its node a moment after we do."""
    deadline = time.monotonic() + PATIENCE
    while any(folder.glob("*.running")) and time.monotonic() < deadline:
        time.sleep(0.02)


def _show(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        print(json.dumps(figures, indent=2), file=sys.stderr)
        return
    console = Console(stderr=True)
    if not figures["bridges"]:
        console.print("inetpy: no node came up on Python sockets")
        return
    table = Table(title="what went through Python", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for kind in ("listener", "stream", "datagram"):
        table.add_row(f"{kind}s opened", f"{figures['sockets'].get(kind, 0):,}")
    table.add_row("bytes received", f"{figures['received']:,}")
    table.add_row("bytes sent", f"{figures['sent']:,}")
    table.add_row("calls", f"{sum(figures['calls'].values()):,}", end_section=True)
    for op, count in sorted(figures["calls"].items(), key=lambda pair: -pair[1]):
        errors = figures["errors"].get(op, 0)
        table.add_row(f"  {op}", f"{count:,}" + (f", {errors:,} errors" if errors else ""))
    console.print(table)
