"""Writes docs/failure.svg, a picture of the test in docs/testing.md that fails in pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from screen import TOP, drawn

PICTURE = TOP / "docs" / "failure.svg"
PAGE = TOP / "docs" / "testing.md"
HOME = "/home/anna/weather"  # where the picture is
COMMAND = ["pytest", "-q", "--inetpy-seed", "7"]
WIDTH = 88
# A block that begins with a comment is the file of this name.
FILE = re.compile(r"^```(\w+)\n((?:#|%%) ([\w/]+\.\w+)\n.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
TIME = re.compile(r"\d+\.\d+s\b")


def files() -> dict[str, str]:
    """The files that the page has, by their names."""
    return {name: text for _, text, name in FILE.findall(PAGE.read_text())}


def variables() -> dict[str, str]:
    """The variables of pytest, without those of CI: there pytest does not cut long lines."""
    of_ci = {"CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"}
    kept = {name: value for name, value in os.environ.items() if name not in of_ci}
    return kept | {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def screen() -> str:
    """What a terminal shows, with colours. Places, pids and times are always the same."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("src/weather.erl", "test_weather.py"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(files()[name])
        done = subprocess.run(
            [
                *(sys.executable, "-m", *COMMAND, "--color=yes", f"--basetemp={folder}/pytest-0"),
                *("-p", "no:cacheprovider", "-p", "inetpy.testing.plugin"),
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=variables(),
        )
    assert done.returncode == 1, done.stdout
    text = done.stdout.replace(f"{folder}/pytest-0", "/tmp/pytest-of-anna/pytest-0")  # noqa: S108  what is shown
    return TIME.sub("0.93s", text.replace(str(folder), HOME))


if __name__ == "__main__":
    PICTURE.write_text(drawn(COMMAND, screen(), "failure", WIDTH))
