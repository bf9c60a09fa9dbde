"""Writes docs/crosscheck.svg, a picture of `inetpy crosscheck` on the scenarios of demo/mine.erl."""

from __future__ import annotations

import html
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


def drawn(command: list[str], shown: str, name: str, width: int) -> str:
    """A picture, as SVG, of a terminal in which a command was typed. `name` is that of the picture."""
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(f"$ {' '.join(command)}", highlight=False)
    console.print(Text.from_ansi(shown))
    svg = console.export_svg(title=" ".join(command[:2]), unique_id=name)
    return re.sub(r"\s*@font-face \{.*?\n    \}", "", svg, flags=re.DOTALL)  # fonts from the network


def text_of(picture: Path) -> str:
    """What a picture says, without blanks."""
    tags = r"<style>.*?</style>|<[^>]*>"
    return "".join(html.unescape(re.sub(tags, "", picture.read_text(), flags=re.DOTALL)).split())


if __name__ == "__main__":
    PICTURE.write_text(drawn(COMMAND, screen(), "crosscheck", WIDTH))
