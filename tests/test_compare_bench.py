"""scripts/compare_bench.py, with checkouts whose benchmark says what it is told to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TOP

SCRIPT = TOP / "scripts" / "compare_bench.py"

PROGRAM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here.parents[2] / "order").open("a") as order:
    order.write(here.parents[1].name)
calls = here / "calls"
number = len(calls.read_text().split()) if calls.exists() else 0
calls.write_text("call " * (number + 1))
print(json.dumps({{"arguments": sys.argv[1:], "rows": json.loads((here / "rows").read_text())[number]}}))
"""


def row(job: str, median: float, faster: bool = False) -> dict[str, object]:
    return {
        "title": f"the row {job}",
        "unit": "MB/s" if faster else "µs",
        "job": job,
        "base": "",
        "faster": faster,
        "median": median,
    }


def checkout(folder: Path, runs: list[list[dict[str, object]]]) -> Path:
    """A checkout whose benchmark gives these rows, one list a run."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "rows").write_text(json.dumps(runs))
    (programs / "inetpy").write_text(PROGRAM.format(python=sys.executable))
    (programs / "inetpy").chmod(0o755)
    return folder


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_rows_of_both(tmp_path: Path) -> None:
    """In turns; medians, their ratio and its spread; what only one of them has is left out."""
    a = [
        [row("call", number), row("send", 100, True), row("idle", 0), row("old", 1)] for number in range(1, 6)
    ]
    b = [
        [row("call", 2 * number), row("new", 1), row("send", 150, True), row("idle", 0)]
        for number in range(1, 6)
    ]
    done = compare(checkout(tmp_path / "A", a), checkout(tmp_path / "B", b), "--rounds", 5)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "order").read_text() == "ABBAABBAAB"
    assert lines(done.stdout) == [
        "A B B / A middle half",
        "the row call 3 6 µs 2.00 × 2.00 to 2.00 WORSE",
        "the row send 100 150 MB/s 1.50 × 1.50 to 1.50 better",
        "the row idle 0 0 µs",
    ]


@pytest.mark.parametrize("after", [[1, 3, 3, 3, 3], [3, 3, 3, 3]], ids=["one disagrees", "too few"])
def test_noise_is_not_marked(after: list[float], tmp_path: Path) -> None:
    a = checkout(tmp_path / "A", [[row("call", 2)] for _ in after])
    b = checkout(tmp_path / "B", [[row("call", number)] for number in after])
    done = compare(a, b, "--rounds", len(after))
    assert lines(done.stdout)[1:] == ["the row call 2 3 µs 1.50 × 1.50 to 1.50"]


def test_a_checkout_that_is_not_built(tmp_path: Path) -> None:
    done = compare(tmp_path, tmp_path)
    assert done.returncode == 1
    program = tmp_path / ".venv" / "bin" / "inetpy"
    assert (
        done.stderr.splitlines()[-1]
        == f"compare_bench: {program}: No such file or directory; run `make build` there"
    )


def test_a_benchmark_that_fails(tmp_path: Path) -> None:
    """An older one that has no --rows, say: what it says itself is shown."""
    broken = checkout(tmp_path / "A", [])
    done = compare(broken, broken, "--rounds", 1)
    assert done.returncode == 1
    assert "bench --rounds 1 --json failed:\nTraceback" in done.stderr
    assert "IndexError" in done.stderr
