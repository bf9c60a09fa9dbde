"""A suite of Common Test with two nodes, whose distribution is on Python sockets: suites/two_nodes_SUITE.erl.

Each node has its own Python and the loopback interface is between them; or all have one `inetpy serve`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import output_of

from conftest import EBIN
from test_suites import private_epmd

SUITES = Path(__file__).parent / "suites"
EXAMPLE = "examples/gen_tcp_dist/src/gen_tcp_dist.erl"


def carrier() -> Path:
    """The source of OTP's gen_tcp_dist."""
    find = "io:put_chars(code:lib_dir(kernel)), halt()."
    found = subprocess.run(["erl", "-noinput", "-eval", find], check=True, capture_output=True, text=True)
    source = Path(found.stdout, EXAMPLE)
    if not source.exists():
        pytest.skip(f"there is no {source}")
    return source


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """`inetpy serve`, and the environment of its nodes."""
    command = [sys.executable, "-m", "inetpy", "serve", f"unix:{folder}/bridge"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix("inetpy serve: ").strip()
        try:
            yield {"INETPY_BRIDGE": url}
        finally:
            server.terminate()


def run(folder: Path, environment: dict[str, str]) -> str:
    """What ct_run prints."""
    sources = [SUITES / "two_nodes_SUITE.erl", SUITES / "dist_names.erl", carrier()]
    subprocess.run(["erlc", "-o", folder, *sources], check=True, capture_output=True)
    command = ["ct_run", "-noshell", "-pa", str(EBIN), "-dir", ".", "-no_auto_compile"]
    command += ["-suite", "two_nodes_SUITE"]
    with private_epmd() as epmd:  # ct_run makes a distributed node
        return output_of(command, folder, os.environ | epmd | environment)


def assert_all_ok(output: str) -> None:
    cases = re.search(r"^all\(\) -> \[(.*)\]\.$", (SUITES / "two_nodes_SUITE.erl").read_text(), re.MULTILINE)
    assert cases is not None
    assert f"{len(cases[1].split(','))} ok, 0 failed" in output, output


def test_each_its_own_python(tmp_path: Path) -> None:
    assert_all_ok(run(tmp_path, {}))


def test_one_python(tmp_path: Path) -> None:
    with served(tmp_path) as environment:
        assert_all_ok(run(tmp_path, environment))
