"""The Common Test suites of rules and of traces."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_suites import NETWORK, run_suite


@pytest.mark.parametrize("suite", NETWORK)
def test_suite(suite: str, tmp_path: Path) -> None:
    run_suite(suite, tmp_path, {})
