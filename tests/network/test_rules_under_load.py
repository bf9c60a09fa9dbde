"""Rules come and go under the load of 200 connections: see erl/test/rules_under_load.erl."""

from __future__ import annotations

import random
import subprocess

import pytest

from conftest import erl

TIMEOUT = 120  # seconds


@pytest.mark.parametrize("case", ["come_and_go", "killed_python"])
def test_under_load(case: str) -> None:
    seed = random.SystemRandom().getrandbits(32)
    with erl(
        "-kernel", "logger_level", "critical", "-eval", f"ok = rules_under_load:{case}({seed}), halt(0).",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as node:  # fmt: skip
        try:
            output, _ = node.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            node.kill()
            raise
    assert node.returncode == 0, f"seed {seed}: {output.decode()}"
