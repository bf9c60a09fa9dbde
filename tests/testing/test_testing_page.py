"""The tests in docs/testing-erlang.md run, pass and fail as the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from frameworks import ct_run, erl_run
from projects import environment, source, write
from test_exunit import mix_test

from conftest import EBIN, TOP
from test_docs import files, modules

PAGE = "testing-erlang.md"
TEXT = (TOP / "docs" / PAGE).read_text()


def block(language: str, beginning: str) -> str:
    found = re.search(rf"^```{language}\n({beginning}.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def made_in(folder: Path) -> Path:
    """The files of the page."""
    test = folder / "test"
    test.mkdir()
    files(PAGE, test)
    for module in modules(PAGE, test):
        subprocess.run(["erlc", "-pa", str(EBIN), "-o", ".", module.name], check=True, cwd=test)
    return test


def test_common_test(tmp_path: Path) -> None:
    """The report is that of the page."""
    made_in(tmp_path)
    run = ct_run(tmp_path, made=("my_db_SUITE",))
    assert run.counts() == [(2, 1, 0)], run.output
    *report, trace = block("", "inetpy: seed").splitlines()
    assert "\n".join(report) in run.output
    assert re.search(re.escape(trace).replace(re.escape("..."), ".*"), run.output)


def test_eunit(tmp_path: Path) -> None:
    made_in(tmp_path)
    output = erl_run(tmp_path, "eunit:test(my_db, [verbose])")
    assert "2 tests passed" in output, output
    assert "is_reset (a reset in the middle of a row)..." in output


def test_exunit(tmp_path: Path) -> None:
    files(PAGE, tmp_path)
    others = {
        "src/my_db.erl": block("erlang", r"-module\(my_db\)"),
        "test/net.py": (tmp_path / "net.py").read_text(),
    }
    output = mix_test(tmp_path, block("elixir", "defmodule"), others)
    assert "3 tests, 0 failures" in output, output


def test_one_file(tmp_path: Path) -> None:
    """`elixir/inetpy/case.ex` alone, in a project that has only the beams of inetpy."""
    files(PAGE, tmp_path)
    case = source(tmp_path / "source") / "elixir" / "inetpy" / "case.ex"
    write(tmp_path, {"my_db.erl": block("erlang", r"-module\(my_db\)")})
    subprocess.run(["erlc", "my_db.erl"], check=True, cwd=tmp_path)
    script = f'ExUnit.start()\nCode.require_file("{case}")\n' + block("elixir", "defmodule")
    (tmp_path / "page.exs").write_text(script)
    done = subprocess.run(
        ["elixir", "-pa", str(EBIN), "-pa", ".", "page.exs"],
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "3 tests, 0 failures" in done.stdout, done.stdout + done.stderr
