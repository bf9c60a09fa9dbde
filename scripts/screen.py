"""Writes docs/crosscheck.svg, a picture of `inetpy crosscheck` on the scenarios of demo/mine.erl."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

TOP = Path(__file__).parent.parent
PICTURE = TOP / "docs" / "crosscheck.svg"
COMMAND = ["inetpy", "crosscheck", "--backends", "socket,inetpy", "--scenario", "demo/mine.erl"]
WIDTH = 88


def screen() -> str:
    """What a terminal shows, with colours, without the line of progress. The status 1 is for a difference."""
    done = subprocess.run(
        [sys.executable, "-m", *COMMAND],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TOP,
        env=os.environ | {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color"},
    )
    assert done.returncode == 1, done.stdout
    return done.stdout[done.stdout.index("beside inet") :]


def picture() -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(f"$ {' '.join(COMMAND)}", highlight=False)
    console.print(Text.from_ansi(screen()))
    svg = console.export_svg(title="inetpy crosscheck", unique_id="crosscheck")
    return re.sub(r"\s*@font-face \{.*?\n    \}", "", svg, flags=re.DOTALL)  # fonts from the network


if __name__ == "__main__":
    PICTURE.write_text(picture())
