"""Which Python an application starts that has the Python files with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import TALK, environment, run, write

from conftest import EBIN, TOP
from inetpy import __version__


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """The application as a release has it, with a module more."""
    folder = tmp_path / "lib" / "inetpy"
    shutil.copytree(EBIN, folder / "ebin")
    shutil.copytree(TOP / "bridge", folder / "priv" / "python", ignore=shutil.ignore_patterns("*.so"))
    write(tmp_path, {"talk.erl": TALK})
    subprocess.run(["erlc", "-o", str(folder / "ebin"), str(tmp_path / "talk.erl")], check=True)
    return folder


def python_of(application: Path, home: Path, **more: str) -> str:
    talk = "ok = inetpy:install(), ok = talk:talk(), halt()."
    command = ["erl", "-noshell", "-pa", str(application / "ebin"), "-eval", talk]
    return run(command, home, environment(home) | more)


def command_named_inetpy(home: Path, version: str) -> Path:
    """A command `inetpy` on the path that says it has this version."""
    script = (
        f'[ "$1" = --version ] && echo inetpy {version} && exit\nexec "{sys.executable}" -P -m inetpy "$@"\n'
    )
    program = home / "bin" / "inetpy"
    write(home, {"bin/inetpy": "#!/bin/sh\n" + script})
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("variables", [{}, {"INETPY_PYTHON": ""}])
def test_python3(variables: dict[str, str], application: Path, tmp_path: Path) -> None:
    """A variable that is empty, as CI systems set it, counts as not set."""
    output = python_of(application, tmp_path, **variables)
    assert f"Python: {tmp_path}/bin/python3 {application}/priv/python/inetpy/start.py" in output


@pytest.mark.parametrize(("version", "is_started"), [(__version__, True), ("0.0.1", False)])
def test_command(version: str, is_started: bool, application: Path, tmp_path: Path) -> None:
    """An installed command is started only if it has the version of the application."""
    command_named_inetpy(tmp_path, version)
    output = python_of(application, tmp_path)
    assert (f"Python: {sys.executable} -P -m inetpy bridge" in output) == is_started
    assert (f"{application}/priv/python/inetpy/start.py" in output) != is_started


def test_variable(application: Path, tmp_path: Path) -> None:
    """INETPY_PYTHON wins, and its Python need not have inetpy."""
    command_named_inetpy(tmp_path, __version__)
    (tmp_path / "mine").symlink_to(sys.executable)
    output = python_of(application, tmp_path, INETPY_PYTHON=str(tmp_path / "mine"))
    assert f"Python: {tmp_path}/mine {application}/priv/python/inetpy/start.py" in output


@pytest.mark.parametrize(
    ("configured", "result"),
    [
        ('<<"{python}">>', "ok"),  # as in config/config.exs
        ("nil", "ok"),  # System.get_env of a variable that is not set
        ('<<"/nowhere">>', "the application variable python of inetpy names no program: /nowhere"),
        ("17", "the application variable python of inetpy names no program: 17"),
    ],
)
def test_application_variable(configured: str, result: str, application: Path, tmp_path: Path) -> None:
    """The variable `python` may be a string of Erlang or of Elixir."""
    flag = configured.format(python=sys.executable)
    assert result_of_start(application, tmp_path, "-inetpy", "python", flag) == result


@pytest.mark.parametrize(("name", "value"), [("install", "yes"), ("bridges", "0")])
def test_bad_variable(name: str, value: str, application: Path, tmp_path: Path) -> None:
    result = result_of_start(application, tmp_path, "-inetpy", name, value)
    assert "bad_option" in result
    assert f"{name} => {value}" in result


def test_without_python_files(application: Path, tmp_path: Path) -> None:
    """Beams alone in a folder, or in an escript. Python is there."""
    shutil.rmtree(application / "priv")
    assert result_of_start(application, tmp_path) == (
        "there are no Python files beside the beams: install inetpy with pip, "
        "or set INETPY_PYTHON to a Python that has it"
    )


def result_of_start(application: Path, home: Path, *flags: str) -> str:
    """What inetpy:start() returns: `ok`, or the text or term of the error."""
    show = """
        case inetpy:start() of
            {error, {inetpy_python, Text}} -> io:format("~ts", [Text]);
            {error, Reason} -> io:format("~0p", [Reason]);
            ok -> io:format("ok")
        end, halt().
    """
    options = ["-noinput", "-kernel", "logger_level", "none", "-pa", str(application / "ebin")]
    return run(["erl", *options, *flags, "-eval", show], home, environment(home))


def test_versions_agree() -> None:
    """The beams and the Python package are of one version."""
    assert f'{{vsn,"{__version__}"}}' in (EBIN / "inetpy.app").read_text().replace(" ", "")
