"""docs/testing.md: each of its sections is typed in an empty folder, and the output is that of the page.

A block that begins with a comment is the file of that name. In a block without a language, `$` is before what
is typed, and what is printed follows; a command that prints nothing there has to succeed. `...` is any text.
Times, and seeds that nobody has given, are another in each run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import environment, repository

from conftest import TOP

sys.path.insert(0, str(TOP / "scripts"))
import failure_screen
import screen

PAGE = failure_screen.PAGE.read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODES = re.compile(r"\x1b\[[\d;]*m")
VARYING = [
    (re.compile(r"={5,}"), "====="),  # as long as the time leaves room
    (re.compile(r"\d+\.\d+(s| seconds)( \(\d+:\d\d:\d\d\))?"), r"0.00\1"),
    (re.compile(r"seed:? \d+"), "seed N"),
    (re.compile(r"\{seed, \d+\}"), "{seed, N}"),
]
# pip gets pytest from where this machine gets its packages.
PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")} | {"INETPY_PURE": "1"}


def same(text: str) -> str:
    """Without what is different in each run."""
    text = CODES.sub("", text)
    for pattern, stands in VARYING:
        text = pattern.sub(stands, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def expected(shown: str) -> re.Pattern[str]:
    """What a text of the page allows: a line `...` is any lines, and in a line `...` is any part of it."""
    lines = re.split(r"^\.\.\.\n", same(shown), flags=re.MULTILINE)
    return re.compile("(?:.*\n)*?".join(re.escape(part).replace(r"\.\.\.", ".*") for part in lines))


class Shell:
    """A shell that keeps its folder and its variables from one command to the next."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def folder(self) -> Path:
        return Path(f"/proc/{self._process.pid}/cwd").readlink()

    def type(self, command: str) -> tuple[int, str]:
        """The status of the command, and what it has printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; status=$?; echo; echo END $status\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line.startswith("END "):
                return int(line.split()[1]), printed
            printed += line
        raise AssertionError(printed)


@contextmanager
def shell(folder: Path, variables: Mapping[str, str]) -> Iterator[Shell]:
    with subprocess.Popen(
        ["bash"], cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Shell(process)


def commands(block: str) -> list[tuple[str, str]]:
    """What is typed, and what the page shows after it."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


# The framework, and the files that its section takes from others, by which it says that it does so.
SECTIONS = {
    "pytest": {"src/weather.erl": "`src/weather.erl`"},
    "Common Test": {"src/weather.erl": "`src/weather.erl`"},
    "EUnit": {
        "src/weather.erl": "The client",
        "rebar.config": "`rebar.config`",
        "test/net.py": "`test/net.py`",
    },
    "ExUnit": {"src/weather.erl": "`src/weather.erl`", "test/net.py": "`test/net.py`"},
}


@pytest.mark.parametrize("title", SECTIONS)
def test_section(title: str, tmp_path: Path) -> None:
    url = repository(tmp_path / "inetpy.git").replace("///", "//localhost/")  # pip wants a host
    text = section(title)
    assert text.count("\n```\n$ ") >= 2
    begin = tmp_path / "empty"
    begin.mkdir()
    variables = environment(tmp_path / "home", os.path.realpath(sys.executable)) | PIP
    taken = dict(SECTIONS[title])
    compared = 0
    with shell(begin, variables) as typing:
        for language, block in BLOCK.findall(text):
            if language:
                write(typing.folder(), text=block.replace("URL", url), language=language)
                continue
            if compared == 0 and typing.folder() != begin:
                for name, words in taken.items():
                    assert words in text
                    put(typing.folder() / name, failure_screen.files()[name].replace("URL", url))
            for command, shown in commands(block):
                if command.startswith("sed"):
                    time.sleep(1.1)  # Mix compares whole seconds, and no user is as fast
                status, printed = typing.type(command.replace("URL", url))
                assert status == 0 or shown, printed
                if shown:
                    assert expected(shown).match(same(printed)), printed
                    compared += 1
    assert compared == 2


def put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def write(folder: Path, text: str, language: str) -> None:
    found = failure_screen.FILE.match(f"```{language}\n{text}```")
    assert found is not None, text
    put(folder / found[3], text)


@pytest.mark.parametrize("ci", ["", "true"])
def test_picture(ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/failure.svg shows what pytest prints, in CI too; scripts/failure_screen.py writes it."""
    monkeypatch.setenv("CI", ci)
    printed = CODES.sub("", failure_screen.screen())
    assert "".join(printed.split()) in screen.text_of(failure_screen.PICTURE)


def test_a_text_that_differs() -> None:
    """The comparison finds it."""
    assert expected("a ... c\n...\nin 0.12s\n").match(same("a b c\nx\ny\nin 3.40s\n"))
    assert not expected("a ... c\n...\nin 0.12s\n").match(same("a b d\nx\nin 3.40s\n"))
    assert not expected("a\nc\n").match(same("a\nb\nc\n"))
