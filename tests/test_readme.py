"""The README's programs run as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import EBIN, TOP

README = (TOP / "README.md").read_text()


def program(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_erlang(tmp_path: Path) -> None:
    """Typed into erl, line by line."""
    lines = program("erlang") + 'io:format("all lines ran~n").\nhalt().\n'
    result = subprocess.run(
        ["erl", "-pa", str(EBIN)],
        check=False,
        input=lines,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert "all lines ran" in result.stdout, result.stdout
    assert "exception" not in result.stdout, result.stdout


def test_elixir(tmp_path: Path) -> None:
    """As a script of Elixir."""
    script = tmp_path / "readme.exs"
    script.write_text(program("elixir") + '\nIO.puts("all lines ran")\n')
    result = subprocess.run(
        ["elixir", "-pa", str(EBIN), str(script)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert "all lines ran" in result.stdout, result.stdout + result.stderr


def test_scenario_count() -> None:
    """The README tells the number of scenarios."""
    groups = (TOP / "erl" / "test").glob("xc_*.erl")
    count = sum(
        len(re.findall(r"^        \{[a-z_0-9]+, \"", group.read_text(), re.MULTILINE)) for group in groups
    )
    assert f"{count} scenarios" in README
