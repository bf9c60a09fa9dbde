"""inetpy as a dependency of a Mix project: nothing is installed, and Mix alone builds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import TALK, environment, repository, run, snippet, source, write

PROJECT = """
defmodule Mine.MixProject do
  use Mix.Project
  def project, do: [app: :mine, version: "1.0.0", deps: deps()]
  DEPENDENCIES
end
"""

TEST = """
defmodule MineTest do
  use ExUnit.Case

  test "sockets are Python's" do
    :ok = :inetpy.install()
    :ok = :talk.talk()
    :ok = :inetpy.uninstall()
  end
end
"""


def project(folder: Path, place: str) -> Path:
    dependencies = snippet(r"^(defp deps.*)").replace('git: "URL"', place)
    files = {
        "mix.exs": PROJECT.replace("DEPENDENCIES", dependencies),
        "src/talk.erl": TALK,
        "test/test_helper.exs": "ExUnit.start()\n",
        "test/mine_test.exs": TEST,
    }
    write(folder, files)
    return folder


@pytest.fixture(params=["git", "path"])
def mine(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A project with inetpy from a git repository, or from another folder."""
    if request.param == "git":
        place = f'git: "{repository(tmp_path / "inetpy.git")}"'
    else:
        source(tmp_path / "inetpy")
        place = 'path: "../inetpy"'
    return project(tmp_path / "mine", place)


def test_mix_test(mine: Path, tmp_path: Path) -> None:
    """In a test too, Python is that of the application."""
    variables = environment(tmp_path)
    run(["mix", "deps.get"], mine, variables)
    output = run(["mix", "test"], mine, variables)
    own = mine / "_build" / "test" / "lib" / "inetpy" / "priv" / "python" / "inetpy" / "start.py"
    assert f"Python: {tmp_path}/bin/python3 {own}" in output
    assert "1 test, 0 failures" in output


def test_iex(tmp_path: Path) -> None:
    """What a user types in `iex -S mix`; IEx prints the answers. inetpy is started with the project."""
    source(tmp_path / "inetpy")
    mine = project(tmp_path / "mine", 'path: "../inetpy"')
    variables = environment(tmp_path)
    run(["mix", "compile"], mine, variables)
    documentation = snippet(r"^    (escript deps/.*)$").replace("deps/inetpy", "../inetpy")
    run(["sh", "-c", documentation], mine, variables)
    install = snippet(r"^(:ok = :inetpy\.install\(\))$")
    lines = [
        "List.keymember?(Application.started_applications(), :inetpy, 0)",
        install,
        ":talk.talk()",
        '{:ok, {:"$inet", :inetpy_tcp, _}} = :gen_tcp.listen(0, [])',
        "h :inetpy.start",
        "System.halt(0)",
    ]
    output = run(["iex", "-S", "mix"], mine, variables, "\n".join(lines) + "\n")
    assert "iex(1)> true\n" in output
    assert "iex(2)> :ok\n" in output
    own = mine / "_build" / "dev" / "lib" / "inetpy" / "priv" / "python" / "inetpy" / "start.py"
    assert f"iex(3)> Python: {tmp_path}/bin/python3 {own}" in output
    assert 'iex(4)> {:ok, {:"$inet", :inetpy_tcp, ' in output
    assert "Starts the application" in output


def test_mix_run(mine: Path, tmp_path: Path) -> None:
    """inetpy is started with the project."""
    talk = (
        "[_] = for {:inetpy, _, _} <- Application.started_applications(), do: :inetpy.install(); :talk.talk()"
    )
    output = run(["mix", "do", "deps.get,", "run", "-e", talk], mine, environment(tmp_path))
    assert "Python: " in output
