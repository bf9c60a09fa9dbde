"""Writes the pictures of docs/trace.md: the run of that page in tshark, in the terminal, and in Chromium.

Chromium is the Debian package `chromium`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from screen import TOP, drawn

DOCS = TOP / "docs"
# A block that begins with a comment is the file of this name.
FILE = re.compile(r"^```\w+\n(# (net\.py)\n.*?|-module\(client\)\..*?)^```$", re.DOTALL | re.MULTILINE)
ERL = ("--", "erl", "-noshell", "-s", "client", "main")
WIDTH = 128
EVENT = 19  # the one that is chosen on the page: the reset


def _files(folder: Path) -> None:
    for text, name in FILE.findall((DOCS / "trace.md").read_text()):
        (folder / (name or "client.erl")).write_text(text)


def _run(folder: Path, *command: str) -> str:
    colours = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color", "PAGER": "cat"}
    done = subprocess.run(
        command, check=True, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | colours
    )
    return done.stdout


def main() -> None:
    inetpy = (sys.executable, "-m", "inetpy")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _files(folder)
        _run(folder, "erlc", "client.erl")
        for name in ("run.jsonl", "run.pcapng"):
            _run(folder, *inetpy, "run", "--network", "net.py", "--trace", name, *ERL)
        tshark = ["tshark", "-r", "run.pcapng", "-N", "n", "-Y", "tcp"]
        (DOCS / "trace-tshark.svg").write_text(drawn(tshark, _run(folder, *tshark), "tshark", WIDTH))
        shown = _run(folder, *inetpy, "trace", "run.jsonl")
        (DOCS / "trace-terminal.svg").write_text(
            drawn(["inetpy", "trace", "run.jsonl"], shown, "timeline", WIDTH)
        )
        _run(folder, *inetpy, "trace", "run.jsonl", "--html", "run.html")
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,640")
        picture, page = DOCS / "trace-page.png", (folder / "run.html").as_uri()
        _run(folder, "chromium", *flags, f"--screenshot={picture}", f"{page}#event={EVENT}")


if __name__ == "__main__":
    main()
