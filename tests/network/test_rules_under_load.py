"""Rules come and go under the load of 200 connections: see erl/test/rules_under_load.erl."""

from __future__ import annotations

import subprocess

import pytest

from conftest import erl
from seeds import SEED

TIMEOUT = 120  # seconds


@pytest.mark.random
@pytest.mark.parametrize("case", ["come_and_go", "killed_python"])
def test_under_load(case: str) -> None:
    with erl(
        "-kernel", "logger_level", "critical", "-eval", f"ok = rules_under_load:{case}({SEED}), halt(0).",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as node:  # fmt: skip
        try:
            output, _ = node.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            node.kill()
            raise
    assert node.returncode == 0, f"TEST_SEED={SEED}: {output.decode()}"
