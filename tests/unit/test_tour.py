"""The tour of the code names what is there: docs/ARCHITECTURE.md, and the packages' own lists."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("folder", "ending"),
    [(PACKAGE, "py"), (PACKAGE / "sockets", "py"), (PACKAGE / "packet", "py"), (TOP / "erl" / "src", "erl")],
    ids=["inetpy", "sockets", "packet", "erl"],
)
def test_architecture_names_every_module(folder: Path, ending: str) -> None:
    assert modules(folder, ending) <= named(ARCHITECTURE)


def test_sockets_lists_its_files() -> None:
    text = (PACKAGE / "sockets" / "__init__.py").read_text()
    assert set(re.findall(r"^([a-z]+)  ", text, re.MULTILINE)) == modules(PACKAGE / "sockets", "py")
