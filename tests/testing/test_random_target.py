"""`make random` runs the random tests of all folders."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import TOP

TESTS = TOP / "tests"
# Their programs are installed by other targets, or they run tests of Hypothesis that others have written.
OTHERS = {"apps", "packaging", "testing"}


def test_all_files_are_there() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "random", "ARGS=--collect-only", "SEED=7"],
        check=True, cwd=TOP, capture_output=True, text=True,
    )  # fmt: skip
    assert "SEED=7" in done.stdout
    collected = set(re.findall(r"<Module (\S+)>", done.stdout))
    assert collected == {path.name for path in TESTS.rglob("test_*.py") if is_random(path)}


def is_random(path: Path) -> bool:
    folder = path.relative_to(TESTS).parts[0]
    text = path.read_text()
    return folder not in OTHERS and ("@pytest.mark.random" in text or "@given(" in text)
