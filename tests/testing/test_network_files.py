"""The Common Test suite of inetpy_network."""

from __future__ import annotations

from pathlib import Path

from test_suites import run_suite


def test_suite(tmp_path: Path) -> None:
    run_suite("inetpy_network_SUITE", tmp_path, {})
