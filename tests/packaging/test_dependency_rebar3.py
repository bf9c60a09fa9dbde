"""inetpy as a dependency of a rebar3 project: nothing is installed, and rebar3 alone builds it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from projects import TALK, environment, repository, run, snippet, source, write

SUITE = """
-module(mine_SUITE).
-export([all/0, init_per_suite/1, end_per_suite/1, talks/1]).

all() -> [talks].

init_per_suite(Config) ->
    ok = inetpy:install(),
    Config.

end_per_suite(_Config) -> ok = inetpy:uninstall().

talks(_Config) ->
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
    #{sockets := 1} = inetpy:info(),
    ok.
"""

FILES = {
    "src/mine.app.src": '{application, mine, [{vsn, "1"}, {applications, [kernel, stdlib, inetpy]}]}.\n',
    "src/talk.erl": TALK,
    "test/mine_SUITE.erl": SUITE,
    "talk.escript": "#!/usr/bin/env escript\nmain(_) -> ok = inetpy:install(), ok = talk:talk(), halt(0).\n",
}


def project(folder: Path, url: str) -> Path:
    dependencies = snippet(r"^(\{deps, .*)").replace("URL", url)
    write(folder, FILES | {"rebar.config": dependencies + "\n{shell, [{apps, [mine]}]}.\n"})
    return folder


@pytest.fixture
def with_git(tmp_path: Path) -> Path:
    """A project with inetpy from a git repository."""
    return project(tmp_path / "mine", repository(tmp_path / "inetpy.git"))


def shell(folder: Path, variables: Mapping[str, str]) -> str:
    """What the script prints in `rebar3 shell`.

    The emulator of OTP 25 dies of SIGSEGV in some of these starts, also in a project without inetpy.
    Such a start is repeated.
    """
    command = ["rebar3", "shell", "--script", "talk.escript"]
    for _ in range(5):
        try:
            return run(command, folder, variables)
        except AssertionError as error:
            if f"status {-signal.SIGSEGV}" not in str(error):
                raise
    raise AssertionError("the emulator died five times")


def test_shell(with_git: Path, tmp_path: Path) -> None:
    """The applications of the project run, and its sockets are Python's; Python is the application's own."""
    output = shell(with_git, environment(tmp_path))
    own = with_git / "_build" / "default" / "lib" / "inetpy" / "priv" / "python" / "inetpy" / "start.py"
    assert f"Python: {tmp_path}/bin/python3 {own}" in output


def test_documentation(with_git: Path, tmp_path: Path) -> None:
    """After the command of the page, h(inetpy) in a shell has more than the specs."""
    variables = environment(tmp_path)
    run(["rebar3", "compile"], with_git, variables)
    run(["sh", "-ec", snippet(r"^    (D=.*\n.*)$")], with_git, variables)
    ebin = with_git / "_build" / "default" / "lib" / "inetpy" / "ebin"
    shown = run(
        ["erl", "-noinput", "-pa", str(ebin), "-eval", "c:h(inetpy, start), halt()."], with_git, variables
    )
    assert "Starts the application" in shown


def test_common_test(with_git: Path, tmp_path: Path) -> None:
    assert "All 1 tests passed" in run(["rebar3", "ct"], with_git, environment(tmp_path))


def test_checkout(tmp_path: Path) -> None:
    """A source tree in _checkouts replaces a dependency that cannot be fetched, in a folder of any name."""
    folder = project(tmp_path / "my pröject", "file:///no/such/repository")
    source(folder / "_checkouts" / "inetpy")
    output = shell(folder, environment(tmp_path))
    assert f"{folder}/_build/default/checkouts/inetpy/priv/python/inetpy/start.py" in output
