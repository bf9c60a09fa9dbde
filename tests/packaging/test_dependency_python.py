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


def test_python3(application: Path, tmp_path: Path) -> None:
    output = python_of(application, tmp_path)
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


def test_versions_agree() -> None:
    """The beams and the Python package are of one version."""
    assert f'{{vsn,"{__version__}"}}' in (EBIN / "inetpy.app").read_text().replace(" ", "")
