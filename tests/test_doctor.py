"""`inetpy doctor` finds what is wrong, and says what to type."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from conftest import EBIN
from inetpy import __version__, beams
from inetpy.tools import doctor
from inetpy.tools.doctor import Finding

Findings = dict[str, Finding]


def findings(release: Path | None = None) -> Findings:
    found = doctor.examine(release)
    assert all(finding.advice for finding in found if finding.state != doctor.OK)
    return {finding.subject: finding for finding in found}


def application(folder: Path, version: str = __version__) -> Path:
    """A copy of the Erlang side."""
    shutil.copytree(EBIN, folder / "ebin")
    app = folder / "ebin" / "inetpy.app"
    app.write_text(re.sub(r'\{vsn,"[^"]*"', f'{{vsn,"{version}"', app.read_text()))
    return folder


def script(file: Path, line: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)
    return file


def test_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which inetpy the shell finds: this one, also by a link; another one; none."""
    scripts = sysconfig.get_path("scripts")
    own = Path(scripts) / "inetpy"
    monkeypatch.setenv("PATH", scripts)
    assert doctor._path() == Finding("PATH", "ok", str(own))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "inetpy").symlink_to(own)
    assert doctor._path().state == "ok"
    (tmp_path / "inetpy").unlink()
    assert doctor._path() == Finding(
        "PATH", "note", "the shell finds no inetpy", f'export PATH="{scripts}:$PATH"'
    )
    other = script(tmp_path / "inetpy", "exit 1")
    assert doctor._path().found == f"{other} is of another installation"


def test_beams_of_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = application(tmp_path / "erl", "9.8.7")
    monkeypatch.setattr(beams, "_TREE", tree)
    assert findings()["beams"] == Finding(
        "beams",
        "problem",
        f"{tree}/ebin is of version 9.8.7, the Python side of {__version__}",
        "run make build in the source tree",
    )


def test_older_than_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As after a `git pull` without `make build`."""
    tree = application(tmp_path / "erl")
    (tree / "src").mkdir()
    source = tree / "src" / "inetpy.erl"
    source.touch()
    os.utime(source, (2**32, 2**32))
    monkeypatch.setattr(beams, "_TREE", tree)
    assert findings()["beams"] == Finding(
        "beams", "problem", f"{tree}/ebin is older than inetpy.erl", "run make build in the source tree"
    )
    os.utime(source, (0, 0))
    assert beams.newer_source() is None


def test_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = application(tmp_path / "erl")
    (tree / "ebin" / "inetpy_bridge.beam").write_bytes(b"FOR1")
    monkeypatch.setattr(beams, "_TREE", tree)
    assert findings()["bridge"] == Finding("bridge", "problem", "the node failed", "run make clean build")


def test_file_that_erl_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user's file .erlang may print something."""
    (tmp_path / ".erlang").write_text('io:format("hello~n").\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    found = findings()
    assert {found[subject].state for subject in ("Erlang/OTP", "bridge", "socket", "hooks")} == {"ok"}


@pytest.mark.parametrize("printed", ["", "what is this", "exit 1"])
def test_strange_erl(printed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(tmp_path / "erl", f"echo '{printed}'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert findings()["Erlang/OTP"].found == "erl does not run"


def test_without_hooks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = application(tmp_path / "erl")
    (tree / "ebin" / "inetpy_hook_tcp.beam").unlink()
    monkeypatch.setattr(beams, "_TREE", tree)
    found = findings()
    assert found["bridge"].state == "ok"
    assert found["hooks"].state == "problem"
    assert "there is no module inetpy_hook_tcp" in found["hooks"].found


def test_without_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An OTP that does not have the beam of its module socket."""
    found_erl = shutil.which("erl")
    assert found_erl is not None
    root, own = Path(found_erl).resolve().parent.parent, tmp_path / "otp"
    for name in ("bin", "releases", "erts-*", "lib/kernel-*", "lib/stdlib-*"):
        for folder in root.glob(name):
            shutil.copytree(folder, own / folder.relative_to(root), copy_function=os.symlink)
    [beam] = own.glob("lib/kernel-*/ebin/socket.beam")
    beam.unlink()
    [erlexec] = own.glob("erts-*/bin/erlexec")
    variables = f"ROOTDIR={own} BINDIR={erlexec.parent} EMU=beam PROGNAME=erl"
    script(tmp_path / "path" / "erl", f'{variables} exec {erlexec} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.environ['PATH']}")
    found = findings()
    assert (found["bridge"].state, found["hooks"].state) == ("ok", "ok")
    assert (found["socket"].state, found["socket"].found) == ("note", "there is no beam of OTP's socket")
    assert "socket.beam of OTP's kernel on the code path" in found["socket"].advice


def test_not_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(beams, "_TREE", tmp_path)
    assert findings()["beams"].advice == "run `make build` in the source tree"


def test_chosen_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """INETPY_PYTHON has to have this version."""
    monkeypatch.setenv("INETPY_PYTHON", sys.executable)
    assert doctor._chosen_python() == [Finding("INETPY_PYTHON", "ok", sys.executable)]
    for python, why in (
        (script(tmp_path / "older", "echo 0.0.1"), f"has inetpy 0.0.1, not {__version__}"),
        (script(tmp_path / "none", "exit 1"), "is no Python with inetpy"),
        (script(tmp_path / "silent", "exit 0"), "is no Python with inetpy"),
        (tmp_path / "nowhere", "is no Python with inetpy"),
    ):
        monkeypatch.setenv("INETPY_PYTHON", str(python))
        [found] = doctor._chosen_python()
        assert (found.state, found.found) == ("problem", f"{python} {why}")
        assert found.advice == f"export INETPY_PYTHON={sys.executable}"


def test_dependency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What rebar3 or Mix has compiled in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert not list(doctor._dependencies())
    application(tmp_path / "_build" / "default" / "checkouts" / "inetpy")
    application(tmp_path / "_build" / "test" / "lib" / "inetpy", "9.8.7")
    same, other = doctor._dependencies()
    assert (same.state, other.state) == ("ok", "note")
    assert f"is of version 9.8.7, the Python side of {__version__}" in other.found


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release without an emulator of its own. Its sys.config names the Python."""
    version = tmp_path / "releases" / "1"
    version.mkdir(parents=True)
    (tmp_path / "releases" / "start_erl.data").write_text("13.1.5 1\n")
    (version / "sys.config").write_text(f'[{{inetpy, [{{python, "{sys.executable}"}}]}}].\n')
    application(tmp_path / "lib" / f"inetpy-{__version__}")
    return tmp_path


def test_release(release: Path) -> None:
    found = findings(release)
    for subject in ("release", "release: Python", "release: socket", "release: hooks"):
        assert found[subject].state == "ok", found[subject]


def test_release_without_a_version(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing in a damaged release does not end the command."""
    (release / "releases" / "start_erl.data").write_text("")
    monkeypatch.setenv("INETPY_PYTHON", sys.executable)
    assert findings(release)["release: Python"].state == "ok"


def test_release_without_python(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (release / "releases" / "1" / "sys.config").write_text('[{inetpy, [{python, "/no/such"}]}].\n')
    found = findings(release)["release: Python"]
    assert found.state == "problem"
    assert found.found == "the application variable python of inetpy names no program: /no/such"
    assert "INETPY_PYTHON" in found.advice


def test_release_without_hooks(release: Path) -> None:
    (release / "lib" / f"inetpy-{__version__}" / "ebin" / "inetpy_hook_tcp.beam").unlink()
    found = findings(release)
    assert found["release: Python"].state == "ok"
    assert "there is no module inetpy_hook_tcp" in found["release: hooks"].found


def test_release_without_inetpy(release: Path) -> None:
    shutil.rmtree(release / "lib" / f"inetpy-{__version__}")
    found = findings(release)["release"]
    assert found.state == "problem"
    assert "rebar.config" in found.advice


def test_release_of_another_version(release: Path) -> None:
    shutil.rmtree(release / "lib" / f"inetpy-{__version__}")
    application(release / "lib" / "inetpy-9.8.7", "9.8.7")
    found = findings(release)["release"]
    assert found.state == "note"
    assert f"9.8.7 is of version 9.8.7, this inetpy of {__version__}" in found.found


def test_no_release(tmp_path: Path) -> None:
    found = findings(tmp_path)["release"]
    assert (found.state, found.found) == ("problem", f"{tmp_path} is no release")
