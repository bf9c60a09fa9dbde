"""The fixture `project`, for test modules that name this one in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project

__all__ = ["project"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Empty. No process of it is left when the test ends."""
    made = Project(tmp_path)
    yield made
    made.await_no_process()
