"""Projects that depend on inetpy, for the tests beside it: each begins in an empty folder.

Their programs find no installed inetpy: neither the command, nor a Python that has the package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conftest import TOP

# What `make build` and the tests leave in the source tree, and no clone has.
_MADE = shutil.ignore_patterns(
    ".git", ".venv", "_build", "build", "ebin", "__pycache__", "*.so", "*.egg-info", ".*_cache", ".hypothesis"
)

# Opens sockets through Python and prints "Python: " with the command line of the Python process.
TALK = """
-module(talk).
-export([talk/0]).

talk() ->
    Options = [binary, {active, false}],
    {ok, L} = gen_tcp:listen(0, Options),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, Options),
    {ok, A} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(A, 5),
    {ok, _} = gen_udp:open(0),
    #{os_pid := OsPid, sockets := 4} = inetpy:info(),
    {ok, Words} = file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/cmdline"),
    io:format("Python: ~s~n", [binary:replace(Words, <<0>>, <<" ">>, [global])]).
"""


def snippet(pattern: str) -> str:
    """What docs/in-your-project.md says, by a regular expression with a group."""
    found = re.search(pattern, (TOP / "docs" / "in-your-project.md").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes files by their paths in a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def output_of(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> str:
    """What a program prints that runs tests, whatever they come to. `variables`: its whole environment."""
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    return done.stdout


def source(folder: Path) -> Path:
    """A copy of the source tree in which nothing is built."""
    shutil.copytree(TOP, folder, symlinks=True, ignore=_MADE)
    return folder


def repository(folder: Path) -> str:
    """The URL of a git repository with the source tree."""
    source(folder)
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@invalid")
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "."),
        (*identity, "commit", "-qm", "all"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return f"file://{folder}"


def environment(home: Path, python: str | None = None) -> dict[str, str]:
    """Variables with which `python3` is `python`, or a Python without inetpy, and `inetpy` is no command."""
    programs = home / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "python3").symlink_to(python or plain_python())
    folders = [folder for folder in os.environ["PATH"].split(":") if not Path(folder, "inetpy").exists()]
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "LC_ALL", "TMPDIR"}}
    return kept | {"PATH": ":".join([str(programs), *folders]), "HOME": str(home)}


# Its status is 0 in a Python that can run inetpy, and has none.
_IS_PLAIN = (
    "import sys, importlib.util as i; sys.exit(sys.version_info < (3, 11) or bool(i.find_spec('inetpy')))"
)


def plain_python() -> str:
    """A Python without inetpy. The first choice is one that other users can execute too."""
    for python in ("/usr/bin/python3", os.path.realpath(sys.executable)):
        command = [python, "-P", "-c", _IS_PLAIN]
        if Path(python).exists() and not subprocess.run(command, check=False, capture_output=True).returncode:
            return python
    raise AssertionError("no Python without inetpy")


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], typed: str = "") -> str:
    """What a program prints; it must succeed. Its input, what is typed, has no end: a shell would leave."""
    reading, writing = os.pipe()
    try:
        os.write(writing, typed.encode())
        done = subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env=env,
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 0, f"status {done.returncode}: {done.stdout}"
    return done.stdout
