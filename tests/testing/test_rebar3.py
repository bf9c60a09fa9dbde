"""The hook and inetpy_eunit in a rebar3 project, whose suites and network files are in the folder `test`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from frameworks import FILES, SUITES, texts
from projects import environment, output_of, source, write

# As in docs/testing-erlang.md, but the options.
CONFIG = """
{deps, [inetpy]}.
{ct_opts, [{ct_hooks, [{inetpy_cth, [{network, "net.py"}, {seed, 7}, {trace, never}]}]}]}.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with nothing but tests. inetpy is a source tree in _checkouts."""
    folder = tmp_path / "mine"
    source(folder / "_checkouts" / "inetpy")
    modules = ("plain_SUITE.erl", "unit_tests.erl")
    tests = FILES | {name: (SUITES / name).read_text() for name in modules}
    files = {
        "rebar.config": CONFIG,
        "src/mine.app.src": '{application, mine, [{vsn, "1"}, {applications, [kernel, stdlib, inetpy]}]}.\n',
    }
    write(folder, files | {f"test/{name}": text for name, text in tests.items()})
    return folder


def rebar3(folder: Path, *words: str) -> str:
    return output_of(["rebar3", *words], folder, environment(folder.parent))


def test_common_test(project: Path) -> None:
    """The network file beside the suite is found. The terminal and the log have the seed."""
    output = rebar3(project, "ct")
    assert "Failed 1 tests. Passed 2 tests." in output, output
    logs = project / "_build" / "test" / "logs"
    assert re.findall(r"plain: (\w+ \w+ \w+)", (logs / "ct.latest.log").read_text()) == [
        "sockets python net",
        "fails python net",
        "in_group python net",
    ]
    assert "inetpy: seed 7 (repeat with {seed, 7})" in output
    (log,) = logs.glob("ct_run*/**/plain_suite.fails.html")
    assert "inetpy: seed 7 (repeat with {seed, 7})" in texts(log.read_text())


def test_eunit(project: Path) -> None:
    output = rebar3(project, "eunit", "--module=unit_tests")
    assert "reset(after_bytes=5) for host=db.example: once (recv of db.example:5432 at 5)" in output, output
    assert "34 tests, 2 failures, 4 cancelled" in output, output
