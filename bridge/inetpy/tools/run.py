"""`inetpy run -- CMD`: runs an Erlang or Elixir program with its whole node on Python sockets.

The program is not changed. The emulator reads ERL_AFLAGS: these flags load our beams and install
inetpy before the program's own start functions run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..links import statistics

__all__ = ["ONLY", "SOCKET", "environment", "outside", "run", "show_environment"]

# Flags that put a node on Python sockets, after the folder of the beams.
STOCK = "-kernel inet_backend inet "
INSTALL = "-run inetpy_node install"
# What of the module `socket` goes to Python: a word behind INSTALL. With ONLY gen_tcp and gen_udp do not.
SOCKET, ONLY = "socket", "socket_only"
PATIENCE = 5.0  # seconds that bridges have to end after their node


def environment(ebin: Path, socket: str = "") -> dict[str, str]:
    """The variables that put a node on Python sockets; `socket`: "", or what of the module `socket`.

    A distributed node registers with epmd before inetpy is installed. With `inet_backend socket`
    this connection would be a socket of OTP's `socket` backend, and `install` refuses to run while
    such sockets are open. So these flags select the stock driver. They are first, because the
    emulator takes the first of several values. With ONLY, the program has its own choice: gen_tcp
    with that backend is OTP's then, on the module `socket`.
    """
    flags = f"-pa {shlex.quote(str(ebin))} {'' if socket == ONLY else STOCK}{INSTALL} {socket}".rstrip()
    given = outside().get("ERL_AFLAGS")
    return {
        "ERL_AFLAGS": f"{flags} {given}" if given else flags,
        "INETPY_PYTHON": os.environ.get("INETPY_PYTHON") or sys.executable,
    }


def outside() -> dict[str, str]:
    """The environment without the flags above, for nodes that need stock sockets.

    They are there inside of `inetpy run -- sh`, and in a shell with `eval "$(inetpy env)"`.
    """
    flags = re.compile(rf"-pa ('[^']*'|\S+) ({STOCK})?{INSTALL}( {ONLY}| {SOCKET})? ?")
    return {
        name: flags.sub("", value) if name == "ERL_AFLAGS" else value for name, value in os.environ.items()
    }


def show_environment(ebin: Path, form: str) -> int:
    """Prints the variables: as commands of a shell (`sh`), or as lines NAME=value (`dotenv`)."""
    for name, value in environment(ebin).items():
        print(f"export {name}={shlex.quote(value)}" if form == "sh" else f"{name}={value}")
    return 0


def run(
    ebin: Path,
    command: Sequence[str],
    stats: bool,
    as_json: bool,
    network: dict[str, str] | None = None,
    trace: str | None = None,
    socket: str = "",
) -> int:
    """Runs the command to its end and returns its exit status. 127: no such program; 126: it cannot run.

    network: the variables for a network that a file describes.
    socket: "", SOCKET or ONLY: calls of the module `socket` go through Python, too, or these alone.
    trace: a file for calls and bytes, or `-`. Raises TraceFileError.
    """
    variables = os.environ | environment(ebin, socket) | (network or {}) | {"INETPY_CONTROL": "1"}
    if shutil.which(command[0]) is None and not Path(command[0]).exists():
        print(f"inetpy run: no such program: {command[0]}", file=sys.stderr)
        return 127
    try:
        if not (stats or as_json or trace):
            os.execvpe(command[0], list(command), variables)  # noqa: S606  replaces this process
        from . import trace_file  # loads the network

        opened = trace_file.opened(trace, variables.get("INETPY_SCHEDULE"))
        with tempfile.TemporaryDirectory(prefix="inetpy-stats-") as folder, opened as to:
            status = _call(command, variables | to.variables | {"INETPY_STATS": folder}, to.stdout)
            _await_bridges(Path(folder))
            figures = statistics.total(Path(folder))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"inetpy run: {where}{error.strerror}", file=sys.stderr)
        return 126
    if stats or as_json:
        _show(figures, as_json)
    return status if status >= 0 else 128 - status


def _call(command: Sequence[str], variables: dict[str, str], stdout: int | None) -> int:
    """Runs the program, forwards signals to it, and returns its status."""
    program = subprocess.Popen(command, env=variables, stdout=stdout)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: program.send_signal(received))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the program too
    return program.wait()


def _await_bridges(folder: Path) -> None:
    """Waits for the bridges: they end a moment after their node."""
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
