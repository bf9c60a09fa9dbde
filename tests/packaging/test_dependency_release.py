"""inetpy in a release of rebar3 or Mix, which runs far from where it was made, as another user, read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from projects import TALK, environment, plain_python, run, source, write

import inetpy

# An application of the release does one of these things when it starts, and ends the node.
APPLICATION = """
-module(mine_app).
-behaviour(application).
-export([start/2, stop/1]).

start(_Type, _Args) ->
    Mode = list_to_atom(os:getenv("RELEASE_MODE", "embedded")),
    Mode = code:get_mode(),
    todo(os:getenv("TODO")),
    halt(0).

stop(_State) -> ok.

todo("install") ->
    ok = inetpy:install(),
    ok = talk:talk(),
    ok = inetpy:uninstall(),
    {ok, S} = gen_tcp:listen(0, [{inet_backend, socket}]),
    {'$inet', gen_tcp_socket, _} = S;
todo("talk") ->
    ok = talk:talk();
todo("no Python") ->
    {error, {inetpy, down, Text}} = gen_tcp:listen(0, inetpy:tcp_options([])),
    {error, {inetpy_python, Text}} = inetpy:install(),
    {ok, Stock} = gen_tcp:listen(0, []),
    true = is_port(Stock),
    io:format("~ts~n", [Text]).
"""

KEYS = """
{application, mine, [{vsn, "1"}, {applications, [kernel, stdlib]}, {mod, {mine_app, []}}]}.
"""

# inetpy is before an application that does not know it.
REBAR = """
{deps, [inetpy]}.
{relx, [
    {release, {mine, "1"}, [inetpy, mine]},
    {mode, prod},
    {extended_start_script, false},
    {sys_config, "sys.config"},
    {vm_args, "vm.args"}
]}.
"""

MIX = """
defmodule Mine.MixProject do
  use Mix.Project
  def project, do: [app: :mine, version: "1.0.0", deps: [{:inetpy, path: "../inetpy"}]]
  def application, do: [mod: {:mine_app, []}]
end
"""


def by_rebar3(folder: Path, variables: dict[str, str], installs: str) -> Path:
    write(
        folder,
        {
            "rebar.config": REBAR,
            "sys.config": f"[{{inetpy, [{{install, {installs}}}]}}].\n",
            "vm.args": "-noinput\n-mode embedded\n",
            "src/mine.app.src": KEYS,
            "src/mine_app.erl": APPLICATION,
            "src/talk.erl": TALK,
        },
    )
    source(folder / "_checkouts" / "inetpy")
    run(["rebar3", "as", "prod", "release"], folder, variables)
    return folder / "_build" / "prod" / "rel" / "mine"


def by_mix(folder: Path, variables: dict[str, str], installs: str) -> Path:
    write(
        folder,
        {
            "mix.exs": MIX,
            "config/config.exs": f"import Config\nconfig :inetpy, install: {installs}\n",
            "src/mine_app.erl": APPLICATION,
            "src/talk.erl": TALK,
        },
    )
    source(folder.parent / "inetpy")
    run(["mix", "release", "--quiet"], folder, variables)
    return folder / "_build" / "prod" / "rel" / "mine"


@dataclass
class Release:
    """A release at its place, and what it takes to start it."""

    top: Path
    command: list[str]
    variables: dict[str, str]

    def start(self, todo: str, *prefix: str, **more: str) -> str:
        variables = self.variables | {"TODO": todo, "ERL_CRASH_DUMP_BYTES": "0"} | more
        return run([*prefix, *self.command], self.top, variables)

    def own_python(self) -> str:
        """The command line of its Python process."""
        package = self.top / "release" / "lib" / f"inetpy-{inetpy.__version__}" / "priv" / "python" / "inetpy"
        return f"Python: {self.top}/home/bin/python3 {package}/start.py"


def make(tool: str, installs: str) -> Iterator[Release]:
    with (
        tempfile.TemporaryDirectory(prefix="inetpy-") as made,
        tempfile.TemporaryDirectory(prefix="inetpy-") as name,
    ):
        top = Path(name)
        top.chmod(0o755)
        variables = environment(top / "home")
        build = {"rebar3": by_rebar3, "mix": by_mix}[tool]
        built = build(Path(made) / "mine", variables | {"MIX_ENV": "prod"}, installs)
        shutil.move(built, top / "release")
        words = {"rebar3": ["bin/mine"], "mix": ["bin/mine", "start"]}[tool]
        command = [str(top / "release" / words[0]), *words[1:]]
        yield Release(top, command, variables | {"RELEASE_DISTRIBUTION": "none", "RELEASE_COOKIE": "x"})


@pytest.fixture(scope="module", params=["rebar3", "mix"])
def release(request: pytest.FixtureRequest) -> Iterator[Release]:
    yield from make(request.param, "false")


@pytest.fixture(scope="module", params=["rebar3", "mix"])
def installing(request: pytest.FixtureRequest) -> Iterator[Release]:
    """A release in whose configuration inetpy has the variable `install`."""
    yield from make(request.param, "true")


def test_elsewhere(release: Release) -> None:
    """install/0 from the start of an application, in embedded mode, with the Python files of the release."""
    assert release.own_python() in release.start("install")


@pytest.mark.parametrize("release", ["mix"], indirect=True)
def test_interactive(release: Release) -> None:
    """A release of Mix that loads modules when they are called."""
    assert release.own_python() in release.start("install", RELEASE_MODE="interactive")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="no other user to be")
def test_another_user(release: Release) -> None:
    if not plain_python().startswith("/usr"):
        pytest.skip("no Python for other users")
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    assert release.own_python() in release.start("install", *nobody)


def can_mount() -> bool:
    command = ["unshare", "--mount", "mount", "-o", "remount,bind,ro", "/"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(command, check=False, capture_output=True).returncode
    )


@pytest.mark.skipif(not can_mount(), reason="no mount namespace")
def test_read_only(release: Release) -> None:
    """Nothing is written: all file systems are read-only, but for those of the kernel."""
    script = """
        for place in / /tmp "$TOP"; do mount --bind "$place" "$place"; mount -o remount,bind,ro "$place"; done
        if touch "$TOP/home/file" 2> /dev/null; then exit 1; fi
        exec "$@"
    """
    before = sorted(release.top.rglob("*"))
    output = release.start("install", "unshare", "--mount", "sh", "-ec", script, "sh", TOP=str(release.top))
    assert release.own_python() in output
    assert sorted(release.top.rglob("*")) == before


def test_installs_itself(installing: Release) -> None:
    """With the variable `install`, inetpy, which is started first, needs no call of another application."""
    assert installing.own_python() in installing.start("talk")


def test_without_python(release: Release, tmp_path: Path) -> None:
    """The release starts. The call that needs Python says that it is missing, and other calls work."""
    for folder in ("/usr/local/bin", "/bin", "/usr/bin"):
        for program in Path(folder).iterdir():
            if not program.name.startswith(("python", "inetpy")) and not (tmp_path / program.name).exists():
                (tmp_path / program.name).symlink_to(program)
    output = release.start("no Python", PATH=str(tmp_path))
    assert "no Python was found: install Python 3.11 or later, or set INETPY_PYTHON to one\n" in output
