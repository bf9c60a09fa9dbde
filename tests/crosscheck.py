"""`make crosscheck`: the scenarios of the conformance harness as a table."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

TOP = Path(__file__).parent.parent


def main(groups: list[str]) -> int:
    console = Console()
    paths = ["-pa", str(TOP / "erl" / "ebin"), "-pa", str(TOP / "erl" / "test" / "ebin")]
    with tempfile.TemporaryDirectory(prefix="inetpy-crosscheck-") as folder:
        out = Path(folder) / "rows.json"
        command = ["erl", "-noinput", *paths, "-run", "inetpy_xc", "main", str(out), *groups]
        with console.status("running the scenarios on inet and on inetpy"):
            result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            sys.exit(result.stdout + result.stderr)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    by_group = defaultdict(list)
    for row in rows:
        by_group[row["group"]].append(row)
    console.print(_table(by_group))
    different = [row for row in rows if not row["equal"]]
    for row in different:
        console.rule(f"{row['group']}: {row['name']}", align="left")
        console.print(row["statement"])
        for backend, observation in row["observations"].items():
            console.print(f"[bold]{backend}[/]: {observation}", highlight=False)
    return 1 if different else 0


def _table(by_group: dict[str, list[dict[str, object]]]) -> Table:
    table = Table(title="inetpy beside inet", title_justify="left", show_footer=True)
    equal = sum(bool(row["equal"]) for rows in by_group.values() for row in rows)
    total = sum(map(len, by_group.values()))
    table.add_column("group", footer="all")
    table.add_column("scenarios", justify="right", footer=str(total))
    table.add_column("equal", justify="right", footer=str(equal))
    table.add_column("different", justify="right", footer=str(total - equal))
    for group, rows in by_group.items():
        same = sum(bool(row["equal"]) for row in rows)
        table.add_row(group.removeprefix("xc_"), str(len(rows)), str(same), str(len(rows) - same))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
