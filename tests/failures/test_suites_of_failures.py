"""The Common Test suites about what fails: Python, a link, a peer, a caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_suites import FAILURES, run_suite


@pytest.mark.parametrize("suite", FAILURES)
def test_suite(suite: str, tmp_path: Path) -> None:
    run_suite(suite, tmp_path, {})
