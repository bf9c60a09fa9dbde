"""`inetpy crosscheck`: one set of scenarios on several backends, and where they differ.

A scenario is a fun of a backend; what it returns, how it fails and what is left in its
mailbox is compared with `inet`. The corpus is that of erl/test/xc_*.erl; a user's own is a
module with a function scenarios/0, written with the helpers of `xc` (docs/crosscheck.md).
"""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import documented

__all__ = ["BACKENDS", "Options", "run"]

REFERENCE = "inet"
BACKENDS = ("inet", "socket", "inetpy", "node", "node_by_address")
ALONE = ("node", "node_by_address")  # each needs a node of its own

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What the command line asks for. `ebin` and `tests` are the folders of the beams."""

    ebin: Path
    tests: Path
    backends: Sequence[str]
    groups: Sequence[str]
    scenario: Path | None = None
    json: bool = False
    html: Path | None = None
    markdown: Path | None = None
    random: int = 0
    seed: int = 1


def run(options: Options) -> int:
    """0 when all agree, 1 when something differs, 2 when it could not be run."""
    console = Console(stderr=options.json)
    if options.random:
        return _run_random(options)
    with tempfile.TemporaryDirectory(prefix="inetpy-crosscheck-") as folder:
        groups = list(options.groups)
        if options.scenario is not None:
            groups = [_compiled(options, options.scenario, Path(folder))]
        rows = _merged(
            [_observed(options, names, groups, Path(folder), console) for names in _runs(options.backends)]
        )
    others = [name for name in options.backends if name != REFERENCE]
    _annotate(rows, options.tests.parent / "documented.toml")
    different = [row for row in rows if any(not _equal(row, name) for name in others)]
    if options.json:
        print(json.dumps({"backends": options.backends, "rows": rows}, indent=1))
    else:
        _print(console, rows, different, others)
    if options.html is not None:
        options.html.write_text(page(rows, others))
    if options.markdown is not None:
        options.markdown.write_text(markdown(options, rows, others))
    return int(bool(different))


def _runs(backends: Sequence[str]) -> list[list[str]]:
    """The backends that fit in one node, with the reference in each."""
    together = [name for name in backends if name not in (REFERENCE, *ALONE)]
    runs = [[REFERENCE, *together]] if together else []
    return runs + [[REFERENCE, name] for name in backends if name in ALONE]


def _emulator(options: Options, *arguments: str) -> list[str]:
    return ["erl", "-noinput", "-pa", str(options.ebin), "-pa", str(options.tests), *arguments]


def _environment() -> dict[str, str]:
    return {"INETPY_PYTHON": sys.executable} | os.environ


def _compiled(options: Options, source: Path, folder: Path) -> str:
    """The name of the user's module, compiled into `folder`."""
    command = ["erlc", "-pa", str(options.tests), "-o", str(folder), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return source.stem


def _observed(
    options: Options, backends: list[str], groups: list[str], folder: Path, console: Console
) -> list[Row]:
    out = folder / f"{'-'.join(backends)}.json"
    arguments = ["-pa", str(folder), "-run", "inetpy_xc", "main", str(out), ",".join(backends), *groups]
    title = " and ".join(backends)
    bar = (TextColumn(f"{title:<28}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    total = len(groups) or _group_count(options)
    with Progress(*bar, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=total)
        node = subprocess.Popen(
            _emulator(options, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
        )
        assert node.stdout is not None
        said = []
        for line in node.stdout:
            words = line.split()
            if words[:1] == ["group"]:
                progress.update(task, advance=1, description=words[1].removeprefix("xc_"))
            else:
                said.append(line)
        if node.wait():
            console.print("".join(said), highlight=False)
            sys.exit(2)
    return [json.loads(line) for line in out.read_text().splitlines()]


def _group_count(options: Options) -> int:
    expression = 'io:format("~b", [length(inetpy_xc:groups())]), halt().'
    done = subprocess.run(_emulator(options, "-eval", expression), check=True, capture_output=True, text=True)
    return int(done.stdout)


def _merged(runs: list[list[Row]]) -> list[Row]:
    """One row a scenario, with the observations of all runs.

    Where the reference itself was observed otherwise in another run, both are kept: the
    later as `inet again`.
    """
    rows = runs[0]
    for later in runs[1:]:
        for row, again in zip(rows, later, strict=True):
            mine, theirs = row["observations"], again["observations"]
            if mine[REFERENCE] != theirs[REFERENCE]:
                mine[f"{REFERENCE} again"] = theirs[REFERENCE]
            mine |= {name: text for name, text in theirs.items() if name != REFERENCE}
            row["skipped"] |= again["skipped"]
    return rows


def _annotate(rows: list[Row], file: Path) -> None:
    """Gives each row what OTP's documentation states about it, where that is known."""
    statements = documented.load(file) if file.is_file() else []
    for row in rows:
        shown = documented.of_scenario(statements, row["group"], row["name"])
        row["documented"] = [f"{statement.subject}: {statement.text}" for statement in shown]


def _equal(row: Row, backend: str) -> bool:
    """Whether a backend is observed as the reference is; what cannot be run here is no difference."""
    seen, skipped = row["observations"], row["skipped"]
    return (
        REFERENCE in skipped
        or backend in skipped
        or seen[backend] in (seen[REFERENCE], seen.get(f"{REFERENCE} again"))
    )


def _by_group(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    yield from groups.items()


def _print(console: Console, rows: list[Row], different: list[Row], others: list[str]) -> None:
    table = Table(title=f"beside {REFERENCE}", title_justify="left", show_footer=True)
    table.add_column("group", footer="all")
    table.add_column("scenarios", justify="right", footer=str(len(rows)))
    table.add_column("equal", justify="right", footer=str(_count_equal(rows, others)))
    for name in others:
        count = sum(not _equal(row, name) for row in rows)
        table.add_column(f"{name} differs", justify="right", footer=str(count))
    table.add_column("skipped", justify="right", footer=str(_count_skipped(rows)))
    for group, members in _by_group(rows):
        counts = [sum(not _equal(row, name) for row in members) for name in others]
        numbers = [len(members), _count_equal(members, others), *counts, _count_skipped(members)]
        table.add_row(group.removeprefix("xc_"), *(str(number or "") for number in numbers))
    console.print(table)
    for reason in sorted({why for row in rows for why in row["skipped"].values()}):
        console.print(f"skipped: {reason}", markup=False, highlight=False)
    for row in different:
        console.rule(f"{row['group']}: {row['name']}", align="left")
        console.print(row["statement"], markup=False, highlight=False)
        for text in row["documented"]:
            console.print(f"documented: {text}", markup=False, highlight=False, style="italic")
        for backend, text in row["observations"].items():
            console.print(f"[bold]{backend}[/]:", end=" ")
            console.print(text, markup=False, highlight=False)


def _count_equal(rows: list[Row], others: list[str]) -> int:
    return sum(not row["skipped"] and all(_equal(row, name) for name in others) for row in rows)


def _count_skipped(rows: list[Row]) -> int:
    return sum(bool(row["skipped"]) for row in rows)


def _run_random(options: Options) -> int:
    status = 0
    for names in _runs(options.backends):
        print("random sequences on", " and ".join(names), flush=True)
        arguments = ["-run", "inetpy_xc_random", "main", str(options.random), str(options.seed)]
        status |= subprocess.call(_emulator(options, *arguments, ",".join(names)), env=_environment())
    return status


def markdown(options: Options, rows: list[Row], others: list[str]) -> str:
    """The table as a page of documentation."""
    release = subprocess.run(
        _emulator(options, "-eval", 'io:format("~s", [erlang:system_info(otp_release)]), halt().'),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [
        "# What the cross-check says",
        "",
        f"Made by `inetpy crosscheck --backends {','.join(others)} --markdown FILE` on OTP {release}:",
        f"how many scenarios of each group are observed otherwise than on `{REFERENCE}`.",
        "",
        f"| group | scenarios | {' | '.join(others)} | skipped |",
        f"|---|--:|{'--:|' * len(others)}--:|",
    ]
    for group, members in [*_by_group(rows), ("**all**", rows)]:
        numbers = [
            *(sum(not _equal(row, name) for row in members) for name in others),
            _count_skipped(members),
        ]
        cells = " | ".join(str(number or "") for number in numbers)
        lines.append(f"| {group.removeprefix('xc_')} | {len(members)} | {cells} |")
    return "\n".join(lines) + "\n"


# --- the page ------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>inetpy crosscheck</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
h1 {{ font-size: 1.4rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #e4e4e4 }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
.bar {{ background: #d9534f; height: .7rem; border-radius: .35rem; overflow: hidden; min-width: 8rem }}
.bar i {{ display: block; height: 100%; background: #3c9d5f }}
input {{ font: inherit; padding: .3rem .6rem; width: 20rem; margin: 1rem 0 .5rem }}
label {{ margin-left: 1rem }}
details {{ border: 1px solid #e4e4e4; border-radius: .4rem; margin: .3rem 0; padding: .3rem .8rem }}
details.equal summary::before {{ content: "\\2713 "; color: #3c9d5f }}
details.differs summary::before {{ content: "\\2717 "; color: #d9534f }}
details.skipped summary::before {{ content: "\\2013 "; color: #999 }}
summary {{ cursor: pointer }}
summary b {{ font-weight: 600 }}
pre {{ background: #f6f6f6; padding: .5rem; overflow-x: auto; white-space: pre-wrap; margin: .2rem 0 .6rem }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #ddd; background: #181818 }}
  th, td, details {{ border-color: #383838 }}
  pre {{ background: #242424 }}
}}
</style>
<h1>{others} beside {reference}</h1>
<p>{count:,} scenarios; {summary}.</p>
<table>
<tr><th>group<th>scenarios{heads}<th>skipped<th></tr>
{groups}
</table>
<input id="filter" placeholder="filter by name or words" autofocus>
<label><input id="only" type="checkbox" style="width: auto" {checked}> differences only</label>
<div id="rows">
{rows}
</div>
<script>
const filter = document.getElementById("filter"), only = document.getElementById("only");
function show() {{
  const words = filter.value.toLowerCase();
  for (const row of document.querySelectorAll("details"))
    row.hidden = (only.checked && row.className != "differs") || !row.dataset.text.includes(words);
}}
filter.oninput = only.onchange = show;
show();
</script>
</html>
"""


def page(rows: list[Row], others: list[str]) -> str:
    """One page that needs nothing else: bars for groups, a filter, and each scenario to open."""
    different = {name: sum(not _equal(row, name) for row in rows) for name in others}
    summary = ", ".join(f"{name} differs in {count:,}" for name, count in different.items())
    return _PAGE.format(
        others=html.escape(", ".join(others)),
        reference=REFERENCE,
        count=len(rows),
        summary=summary,
        heads="".join(f"<th>{html.escape(name)} differs" for name in others),
        groups="\n".join(_group_line(group, members, others) for group, members in _by_group(rows)),
        rows="\n".join(_scenario(row, others) for row in rows),
        checked="checked" if any(different.values()) else "",
    )


def _group_line(group: str, members: list[Row], others: list[str]) -> str:
    counts = [sum(not _equal(row, name) for row in members) for name in others]
    same = len(members) - sum(not all(_equal(row, name) for name in others) for row in members)
    cells = "".join(f'<td class="n">{count or ""}' for count in [*counts, _count_skipped(members)])
    bar = f'<div class="bar"><i style="width: {100 * same / len(members):.1f}%"></i></div>'
    name = html.escape(group.removeprefix("xc_"))
    return f'<tr><td>{name}<td class="n">{len(members)}{cells}<td>{bar}</tr>'


def _scenario(row: Row, others: list[str]) -> str:
    name, statement = f"{row['group'].removeprefix('xc_')}: {row['name']}", row["statement"]
    seen = row["observations"]
    equal = all(_equal(row, other) for other in others)
    shown = {REFERENCE: seen[REFERENCE]} if equal else seen
    body = "".join(f"<p>Documented: {html.escape(text)}</p>" for text in row["documented"])
    body += "".join(
        f"{html.escape(backend)}<pre>{html.escape(text)}</pre>" for backend, text in shown.items()
    )
    words = html.escape(f"{name} {statement}".lower(), quote=True)
    state = "differs" if not equal else "skipped" if row["skipped"] else "equal"
    summary = f"<summary><b>{html.escape(name)}</b> {html.escape(statement)}</summary>"
    return f'<details class="{state}" data-text="{words}">{summary}{body}</details>'
