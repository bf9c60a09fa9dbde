"""The programs in README.md run unchanged."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import EBIN, TOP, erl

README = (TOP / "README.md").read_text()


def program(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_erlang(tmp_path: Path) -> None:
    """The Erlang program, line by line in a shell."""
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
    """The Elixir program, as a script."""
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
    """There are at least as many scenarios as README.md claims."""
    count = (
        'io:format("~b", [lists:sum([length(inetpy_xc:scenarios(G)) || G <- inetpy_xc:groups()])]), halt().'
    )
    with erl("-noshell", "-eval", count, stdout=subprocess.PIPE) as node:
        there, _ = node.communicate(timeout=60)
    claimed = re.search(r"over (\d+) scenarios", README)
    assert claimed is not None
    assert int(claimed[1]) < int(there)
