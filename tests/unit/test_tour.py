"""docs/ARCHITECTURE.md and the docstrings of the packages name all modules, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import inetpy
from conftest import TOP

PACKAGE = Path(inetpy.__file__).parent
ARCHITECTURE = (TOP / "docs" / "ARCHITECTURE.md").read_text()


def modules(folder: Path, ending: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*.{ending}")} - {"__init__", "__main__"}


def named(text: str) -> set[str]:
    return set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", text))))


PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
ROOMS = [folder for folder in PACKAGES if folder != PACKAGE]


@pytest.mark.parametrize(
    ("folder", "ending"),
    [*((folder, "py") for folder in PACKAGES), (TOP / "erl" / "src", "erl"), (TOP / "erl" / "tools", "erl")],
    ids=lambda value: "/".join(value.parts[-2:]) if isinstance(value, Path) else value,
)
def test_architecture_names_every_module(folder: Path, ending: str) -> None:
    assert modules(folder, ending) <= named(ARCHITECTURE)


def rows(title: str, head: str) -> list[list[str]]:
    """The cells of the table behind `title` that begins with `head`."""
    lines = ARCHITECTURE.split(title)[1].split(head)[1].split("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ", maxsplit=1) for line in lines]


@pytest.mark.parametrize(
    ("title", "folder"), [("## The Erlang half", "src"), ("in `erl/tools`:", "tools")], ids=["src", "tools"]
)
def test_no_module_of_erlang_but_those_that_are_there(title: str, folder: str) -> None:
    listed = named(" ".join(row[0] for row in rows(title, "| module | job |")))
    assert listed == modules(TOP / "erl" / folder, "erl")


def test_the_table_of_files_is_true() -> None:
    """Each row names the modules of its folder and the folders in it, and nothing else."""
    listed = {room.strip("`"): named(files) for room, files in rows("The files:", "| room | files |")}
    there = {}
    for folder in ROOMS:
        inner = {path.parent.name for path in folder.glob("*/__init__.py")}
        there[folder.relative_to(PACKAGE).as_posix()] = modules(folder, "py") | inner
    # A module that is compiled may be named by itself, too.
    assert {room: files - modules(PACKAGE / room, "pyx") for room, files in listed.items()} == there


@pytest.mark.parametrize("folder", ROOMS, ids=lambda folder: folder.name)
def test_every_room_lists_its_files(folder: Path) -> None:
    """The docstring of a package names all of its files and folders, each on a line, and no others."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    listed = set(re.findall(r"^ *([a-z_0-9]+)/?  ", text, re.MULTILINE))
    inner = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules(folder, "py") <= listed
    assert listed <= modules(folder, "py") | modules(folder, "pyx") | inner


@pytest.mark.parametrize("title", ["One `send`", "One `recv`", "One active packet", "One rule"])
def test_a_tour_is_short(title: str) -> None:
    """It names at most seven files, each once, which exist."""
    section = ARCHITECTURE.split(f"## {title}\n")[1].split("\n## ")[0]
    stops = "".join(re.findall(r"^\d\. .*(?:\n   .*)*", section, re.MULTILINE))
    files = re.findall(r"`([a-z_/0-9]+\.(?:py|erl))`", stops)
    assert 5 <= len(files) <= 7
    assert len(set(files)) == len(files)
    for name in files:
        assert (TOP / name).is_file() or (PACKAGE / name).is_file()
