"""`make demo`: two jobs on Python sockets, and the same jobs on inet_drv; then a bad network.

An Erlang node downloads a file by HTTP/1.1 from a real server, and serves two hundred clients at the
same time. All bytes are checked. Then a table compares the times. The second half is in `retry`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import retry
from rich.console import Console
from rich.table import Table

from inetpy.beams import NotBuiltError, folder as beams_folder
from inetpy.tools.report import emulator, follow

SIZE = 64 * 1024 * 1024

TITLES = {
    "download.inetpy": "download 64 MB by HTTP/1.1, on inetpy",
    "echo.inetpy": "echo with 200 clients, on inetpy",
    "download.inet": "the same download, on inet_drv",
    "echo.inet": "the same echo, on inet_drv",
}


def main() -> int:
    console = Console()
    try:
        ebin = beams_folder()
    except NotBuiltError as error:
        sys.exit(f"demo: {error}")
    with tempfile.TemporaryDirectory(prefix="inetpy-demo-") as folder:
        console.print("An Erlang node whose gen_tcp goes through Python, at work.")
        sha256 = _make_file(Path(folder) / "file.bin")
        server, port = _start_server(folder)
        try:
            console.print(
                f"http.server serves a file of {SIZE >> 20} MB on port {port}, SHA-256 {sha256[:16]}…"
            )
            results = follow(emulator(ebin, "demo", [str(port), "/file.bin", sha256]), TITLES, console)
        finally:
            server.terminate()
            server.wait()
    console.print(_table(dict(results)))
    console.print("Every byte was checked: the file by its SHA-256, the echo chunk by chunk.")
    return 0 if retry.run(console) else 1


def _make_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE >> 20):
            block = os.urandom(1 << 20)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _start_server(folder: str) -> tuple[subprocess.Popen[str], int]:
    """Starts Python's file server on a free port of the loopback address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder]
    command += ["--protocol", "HTTP/1.1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    # "Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ..."
    words = server.stdout.readline().split()
    return server, int(words[words.index("port") + 1])


def _table(results: dict[str, list[float]]) -> Table:
    table = Table(title="The same jobs on both backends", title_justify="left")
    for name in ("job", "inet_drv", "inetpy", "ratio"):
        table.add_column(name, justify="left" if name == "job" else "right")
    for job, title in (("download", "download 64 MB, SHA-256"), ("echo", "echo, 200 clients, 8 MB each way")):
        stock, stock_size = results[f"{job}.inet"]
        ours, our_size = results[f"{job}.inetpy"]
        assert stock_size == our_size
        table.add_row(
            title,
            f"{stock / 1e6:.2f} s  {stock_size / stock:6.1f} MB/s",
            f"{ours / 1e6:.2f} s  {our_size / ours:6.1f} MB/s",
            f"{ours / stock:.2f} ×",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
