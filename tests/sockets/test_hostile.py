"""inetpy_socket under hostile use: the Common Test suite of plain sockets."""

from __future__ import annotations

from pathlib import Path

from test_suites import run_suite


def test_suite(tmp_path: Path) -> None:
    run_suite("inetpy_plain_SUITE", tmp_path, {})
