"""The commands on pages about tests, replays and traces run."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_docs import SLOW, run_commands


@pytest.mark.parametrize("page", sorted(SLOW))
def test_commands(page: str, tmp_path: Path) -> None:
    run_commands(page, tmp_path)
