"""The variables of the environment that a bridge reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inetpy.fast.paths import EARLY_AFTER, NEVER
from inetpy.links.environment import SPIN, Settings, control_folder, read_settings


def test_defaults() -> None:
    spin = SPIN if len(os.sched_getaffinity(0)) > 1 else 0.0
    assert read_settings({}) == Settings(
        True, EARLY_AFTER, False, "WARNING", True, spin, None, None, None, None, None, None, 1
    )


@pytest.mark.parametrize(
    ("name", "value", "field", "meaning"),
    [
        ("FAST", "0", "fast", False),
        ("FAST", "1", "fast", True),
        ("EARLY", "0", "early_after", NEVER),
        ("EARLY", "1", "early_after", 1),
        ("EARLY", "", "early_after", EARLY_AFTER),
        ("HOST", "memory", "in_memory", True),
        ("HOST", "linux", "in_memory", False),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOOP", "asyncio", "uvloop", False),
        ("SPIN", "250", "spin", 250e-6),
        ("BRIDGES", "1000", "spin", 0.0),  # more than any machine has cores
        ("BRIDGES", "2", "bridges", 2),
        ("STATS", "/tmp/x", "statistics", Path("/tmp/x")),
        ("STATS", "", "statistics", None),
        ("TRACE", "/tmp/x.jsonl", "trace", "/tmp/x.jsonl"),
        ("TRACE", "", "trace", None),
        ("NETWORK", "/tmp/net.py", "network", Path("/tmp/net.py")),
        ("SEED", "7", "seed", 7),
        ("SCHEDULE", "/tmp/x.jsonl", "schedule", Path("/tmp/x.jsonl")),
        ("CONTROL", "0", "control", None),
    ],
)
def test_setting(name: str, value: str, field: str, meaning: object) -> None:
    assert getattr(read_settings({f"INETPY_{name}": value}), field) == meaning


def test_control_folder() -> None:
    """It belongs to the user alone."""
    assert control_folder({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/inetpy")
    assert control_folder({}) == Path(f"/tmp/inetpy-{os.geteuid()}")
    assert read_settings({"INETPY_CONTROL": "1"}).control == control_folder({})
