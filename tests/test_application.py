"""What an Erlang program gets with the application: it stands on kernel and stdlib alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import EBIN, TOP
from inetpy import beams, cli

CALLS_CRYPTO = "-module(more).\n-export([hash/1]).\nhash(Data) -> crypto:hash(sha256, Data).\n"
CALLS_CT = "-module(more).\n-export([log/1]).\nlog(Data) -> ct:log(Data).\n"  # as the hook may, and it alone


def xref(ebin: Path) -> subprocess.CompletedProcess[str]:
    command = ["escript", str(TOP / "erl" / "test" / "xref.escript"), str(ebin)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def ebin(tmp_path: Path) -> Path:
    """A copy of the application, to change."""
    return Path(shutil.copytree(EBIN, tmp_path / "ebin"))


def test_calls_no_other_application() -> None:
    """It calls what its .app file names, and that is no more than every node has."""
    assert "{applications,[kernel,stdlib]}" in re.sub(r"\s", "", (EBIN / "inetpy.app").read_text())
    done = xref(EBIN)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("program", "call"),
    [(CALLS_CRYPTO, "{{more,hash,1},{crypto,hash,2}}"), (CALLS_CT, "{{more,log,1},{ct,log,1}}")],
)
def test_a_call_of_another_application_is_seen(ebin: Path, program: str, call: str) -> None:
    source = ebin / "more.erl"
    source.write_text(program)
    subprocess.run(["erlc", "+debug_info", "-o", str(ebin), str(source)], check=True)
    done = xref(ebin)
    assert done.returncode == 1
    assert call in done.stdout


def test_has_no_tools() -> None:
    """Neither in its list of modules nor in its folder is there more than its own sources."""
    sources = {path.stem for path in (TOP / "erl" / "src").glob("*.erl")}
    listed = re.search(r"\{modules,\s*\[(.*?)\]\}", (EBIN / "inetpy.app").read_text(), re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"\w+", listed[1])) == sources
    assert {path.stem for path in EBIN.glob("*.beam")} == sources
    tools = {path.stem for path in (TOP / "erl" / "tools").glob("*.erl")}
    assert tools
    assert not tools & sources


def test_bench_without_the_tools(
    ebin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An application that was copied to another place has no benchmark beside it; one line says so."""
    monkeypatch.setattr(beams, "_TREE", ebin.parent)
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench"])
    tools = ebin.parent / "tools" / "ebin"
    assert (
        str(ended.value) == f"inetpy: {tools} has no inetpy_report.beam; run `make build` in the source tree"
    )
    assert not capsys.readouterr().out
