"""The variables of the environment that a bridge reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inetpy.links.environment import SPIN, Settings, read_settings


def test_defaults() -> None:
    spin = SPIN if len(os.sched_getaffinity(0)) > 1 else 0.0
    assert read_settings({}) == Settings(True, "WARNING", True, spin, None)


@pytest.mark.parametrize(
    ("name", "value", "field", "meaning"),
    [
        ("FAST", "0", "fast", False),
        ("FAST", "1", "fast", True),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOOP", "asyncio", "uvloop", False),
        ("SPIN", "250", "spin", 250e-6),
        ("BRIDGES", "1000", "spin", 0.0),  # more than any machine has cores
        ("STATS", "/tmp/x", "statistics", Path("/tmp/x")),
        ("STATS", "", "statistics", None),
    ],
)
def test_setting(name: str, value: str, field: str, meaning: object) -> None:
    assert getattr(read_settings({f"INETPY_{name}": value}), field) == meaning
