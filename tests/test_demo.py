"""The second half of `make demo`: the good network shows no bug, the bad one does, and always the same."""

from __future__ import annotations

import subprocess
import sys

from conftest import TOP


def test_retry() -> None:
    done = subprocess.run(
        [sys.executable, "demo/retry.py"], check=False, cwd=TOP, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("--seed 7") == 4
    assert "20 of 20 right" in done.stdout
    assert "8:wrong" in done.stdout
    assert "demo/store_client.erl" in done.stdout
