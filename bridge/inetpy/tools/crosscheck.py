"""`inetpy crosscheck`: runs scenarios on several backends and reports differences.

A scenario is a fun with the backend as its argument. Its result, its failure and the messages left
in its mailbox are compared with those on `inet`. The corpus is erl/test/xc_*.erl. A user's own
scenarios are a module with a function scenarios/0, written with the helpers of `xc`
(docs/crosscheck.md).

If something cannot be run, one line says why, and the exit status is 2. A scenario with a bug of
its own has that status too: it would fail equally on all backends and prove nothing
(inetpy_xc:fault/2).
"""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import documented
from .run import outside

__all__ = ["BACKENDS", "Options", "run"]

REFERENCE = "inet"
MEMORY = "memory"
BACKENDS = ("inet", "socket", "inetpy", "node", "node_by_address", MEMORY)  # as in inetpy_xc:backends/1
WHOLE_NODE = ("node", "node_by_address", MEMORY)  # each of these needs a node of its own
CANNOT_RUN = 2

Row = dict[str, Any]


class CannotRunError(Exception):
    """The comparison cannot be run. The text says why."""


@dataclass(frozen=True)
class Options:
    """The arguments of the command line.

    `ebin`: the folder of the beams. `tests`: the folder of the sources of the scenarios. `beams`:
    more folders for the code path.
    """

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
    beams: Sequence[Path] = ()


def run(options: Options) -> int:
    """The exit status: 0 if all agree, 1 if something differs, 2 if something could not be run."""
    try:
        _check(options)
        with tempfile.TemporaryDirectory(prefix="inetpy-crosscheck-") as folder:
            ready = _compiled(options, Path(folder))
            return _run_random(ready) if options.random else _run(ready, Path(folder))
    except CannotRunError as error:
        print(f"inetpy crosscheck: {error}", file=sys.stderr)
        return CANNOT_RUN


def _check(options: Options) -> None:
    """Raises CannotRunError for mistakes that can be found before the run, which takes minutes."""
    for name in options.backends:
        if name not in BACKENDS:
            raise CannotRunError(f"no such backend: {name}; there are {', '.join(BACKENDS)}")
    if not _others(options):
        raise CannotRunError(f"nothing to compare with {REFERENCE}: name another backend")
    if shutil.which("erl") is None:
        raise CannotRunError("there is no erl: install Erlang/OTP")
    for file in (options.html, options.markdown):
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.open("a").close()
            except OSError as error:
                raise CannotRunError(f"{file} cannot be written: {error.strerror}") from None


def _run(options: Options, folder: Path) -> int:
    console = Console(stderr=options.json)
    groups = _groups(options)
    rows = _merged([_observed(options, names, groups, folder, console) for names in _runs(options)])
    others = _others(options)
    _annotate(rows, options.tests / "documented.toml")
    if MEMORY in others:
        _excuse(rows, options.tests / "not_in_memory.toml")
    if options.json:
        print(json.dumps({"backends": [REFERENCE, *others], "rows": rows}, indent=1))
    else:
        _print(console, rows, others)
    if options.html is not None:
        options.html.write_text(page(rows, others))
    if options.markdown is not None:
        options.markdown.write_text(markdown(options, rows, others))
    faults = [row for row in rows if row["fault"]]
    if faults and options.json:
        console.print(f"{len(faults)} scenarios fail by themselves")
    return CANNOT_RUN if faults else int(any(not _equal(row, name) for row in rows for name in others))


def _others(options: Options) -> list[str]:
    return [name for name in options.backends if name != REFERENCE]


def _runs(options: Options) -> list[list[str]]:
    """The backends of each node to run. The reference runs in every node."""
    others = _others(options)
    together = [name for name in others if name not in WHOLE_NODE]
    alone = [[name] for name in others if name in WHOLE_NODE]
    return [[REFERENCE, *names] for names in ([together] if together else []) + alone]


def _emulator(options: Options, *arguments: str) -> list[str]:
    paths = [word for folder in (options.ebin, *options.beams) for word in ("-pa", str(folder))]
    return ["erl", "-noinput", *paths, *arguments]


def _environment(backends: Sequence[str] = ()) -> dict[str, str]:
    """The variables of a node with these backends."""
    host = {"INETPY_HOST": "memory"} if MEMORY in backends else {}
    return {"INETPY_PYTHON": sys.executable, "ERL_CRASH_DUMP": os.devnull} | outside() | host


def _compiled(options: Options, folder: Path) -> Options:
    """The options with the folders of the scenarios' beams. Compiles them if `make` has not."""
    built = options.tests / "ebin"
    sources = []
    if not (built / "inetpy_xc.beam").is_file():
        built = folder
        sources = [options.tests / name for name in ("xc.erl", "inetpy_xc.erl", "inetpy_xc_random.erl")]
        if options.scenario is None or options.groups:
            sources += sorted(options.tests.glob("xc_*.erl"))
        if not sources[0].is_file():
            raise CannotRunError(
                f"the scenarios are not here, in {options.tests}: they come with the source tree"
            )
    if options.scenario is not None:
        if not options.scenario.is_file():
            raise CannotRunError(f"no such file: {options.scenario}")
        sources.append(options.scenario)
    if sources:
        names = [str(source.resolve()) for source in sources]
        command = ["erlc", "-pa", str(built), "-pa", str(options.ebin), "-o", str(folder), *names]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        if done.returncode:
            raise CannotRunError(f"this does not compile\n{done.stdout}{done.stderr}".rstrip())
    return replace(options, beams=(built, folder))


def _groups(options: Options) -> list[str]:
    """The modules with the scenarios to run. By default all groups, or only the user's module."""
    own = [] if options.scenario is None else [options.scenario.stem]
    if own and not options.groups:
        return own
    known = _output(options, '[io:format("~p ", [G]) || G <- inetpy_xc:groups()]').split()
    for name in options.groups:
        if name not in known:
            names = ", ".join(group.removeprefix("xc_") for group in known)
            raise CannotRunError(f"no such group: {name.removeprefix('xc_')}; there are {names}")
    return [*options.groups, *own] or known


def _output(options: Options, expression: str) -> str:
    """The output of an Erlang expression."""
    command = _emulator(options, "-eval", f"{expression}, halt().")
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise CannotRunError(f"erl does not run\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def _observed(
    options: Options, backends: list[str], groups: list[str], folder: Path, console: Console
) -> list[Row]:
    out = folder / f"{'-'.join(backends)}.json"
    arguments = ["-run", "inetpy_xc", "main", str(out), ",".join(backends), *groups]
    title = " and ".join(backends)
    bar = (TextColumn(f"{title:<28}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    command = _emulator(options, *arguments)
    with (
        Progress(*bar, TimeElapsedColumn(), console=console) as progress,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment(backends)
        ) as node,
    ):
        task = progress.add_task("", total=len(groups))
        assert node.stdout is not None
        other_lines = []
        for line in node.stdout:
            words = line.split()
            if words[:1] == ["group"]:
                progress.update(task, advance=1, description=words[1].removeprefix("xc_"))
            else:
                other_lines.append(line)
    if node.returncode:
        raise CannotRunError(
            f"the node with {title} ended with status {node.returncode}\n{''.join(other_lines)}".rstrip()
        )
    return [json.loads(line) for line in out.read_text().splitlines()]


def _merged(runs: list[list[Row]]) -> list[Row]:
    """One row for each scenario, with the observations of all runs.

    The reference runs in every run. If it behaves differently in a later run, that observation is
    added as `inet again`, and both count as correct.
    """
    rows = runs[0]
    for later in runs[1:]:
        for row, again in zip(rows, later, strict=True):
            seen, later_seen = row["observations"], again["observations"]
            if seen[REFERENCE] != later_seen[REFERENCE]:
                seen[f"{REFERENCE} again"] = later_seen[REFERENCE]
            seen |= {name: text for name, text in later_seen.items() if name != REFERENCE}
            row["skipped"] |= again["skipped"]
            row["fault"] = row["fault"] or again["fault"]
            row["unsteady"] = row["unsteady"] or again["unsteady"]
    return rows


def _annotate(rows: list[Row], file: Path) -> None:
    """Adds to each row the statements of OTP's documentation that it is evidence for."""
    statements = documented.load(file) if file.is_file() else []
    for row in rows:
        matching = documented.of_scenario(statements, row["group"], row["name"])
        row["documented"] = [f"{statement.subject}: {statement.text}" for statement in matching]


def _excuse(rows: list[Row], file: Path) -> None:
    """Adds to the rows that the file lists what it says of them: why memory does not behave as the kernel."""
    listed = tomllib.loads(file.read_text())["scenario"] if file.is_file() else []
    for row in rows:
        for entry in listed:
            if row["group"].removeprefix("xc_") == entry["group"] and fnmatchcase(row["name"], entry["name"]):
                row["not_in_memory"] = entry["reason"]
                row["depends"] = entry.get("depends", False)


def _equal(row: Row, backend: str) -> bool:
    """Whether a backend behaves as the reference, or as it should. A skipped scenario counts as equal.

    One that is listed as different in memory has to be different there.
    """
    if REFERENCE in row["skipped"] or backend in row["skipped"]:
        return True
    if backend == MEMORY and "not_in_memory" in row:
        return _is_excused(row) or row["depends"]
    return _is_same(row, backend)


def _is_same(row: Row, backend: str) -> bool:
    seen = row["observations"]
    return seen[backend] in (seen[REFERENCE], seen.get(f"{REFERENCE} again"))


def _is_excused(row: Row) -> bool:
    """Whether memory behaves differently, and may."""
    return "not_in_memory" in row and not row["skipped"] and not _is_same(row, MEMORY)


def _by_group(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    yield from groups.items()


def _print(console: Console, rows: list[Row], others: list[str]) -> None:
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
    for reason, count in Counter(row["not_in_memory"] for row in rows if _is_excused(row)).items():
        console.print(f"{count} not in memory: {reason}", markup=False, highlight=False)
    for row in rows:
        if row["unsteady"]:
            _print_unsteady(console, row)
        if not row["fault"] and all(_equal(row, name) for name in others):
            continue
        console.rule(f"{row['group']}: {row['name']}", align="left")
        console.print(row["statement"], markup=False, highlight=False)
        if row["fault"]:
            console.print(
                f"the scenario itself fails: {row['fault']}", markup=False, highlight=False, style="red"
            )
        if "not_in_memory" in row and not _equal(row, MEMORY):
            console.print("listed in not_in_memory.toml, but equal", style="red")
        for text in row["documented"]:
            console.print(f"documented: {text}", markup=False, highlight=False, style="italic")
        for backend, text in row["observations"].items():
            console.print(f"[bold]{backend}[/]:", end=" ")
            console.print(text, markup=False, highlight=False)


def _print_unsteady(console: Console, row: Row) -> None:
    """A scenario that differed, and was equal when it was run again."""
    console.print(f"unsteady: {row['group']}: {row['name']}, whose first run was", style="yellow")
    for backend, text in row["unsteady"].items():
        console.print(f"  {backend}: {text}", markup=False, highlight=False)


def _count_equal(rows: list[Row], others: list[str]) -> int:
    passed = [row for row in rows if not row["skipped"] and not row["fault"] and not _is_excused(row)]
    return sum(all(_equal(row, name) for name in others) for row in passed)


def _count_skipped(rows: list[Row]) -> int:
    return sum(bool(row["skipped"]) for row in rows)


def _run_random(options: Options) -> int:
    status = 0
    for names in _runs(options):
        print("random sequences on", " and ".join(names), flush=True)
        arguments = ["-run", "inetpy_xc_random", "main", str(options.random), str(options.seed)]
        status = max(
            status, subprocess.call(_emulator(options, *arguments, ",".join(names)), env=_environment(names))
        )
    return status


def markdown(options: Options, rows: list[Row], others: list[str]) -> str:
    """The table as a page of documentation: docs/crosscheck-results.md."""
    release = _output(options, 'io:format("~s", [erlang:system_info(otp_release)])')
    lines = [
        "# What the cross-check says",
        "",
        f"Made by `inetpy crosscheck --backends {','.join(others)} --markdown FILE` on OTP {release}:",
        f"how many scenarios of each group behave differently from `{REFERENCE}`.",
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
    """A self-contained HTML page: a bar for each group, a filter, and the scenarios to unfold."""
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
    same = sum(not row["fault"] and all(_equal(row, name) for name in others) for row in members)
    cells = "".join(f'<td class="n">{count or ""}' for count in [*counts, _count_skipped(members)])
    bar = f'<div class="bar"><i style="width: {100 * same / len(members):.1f}%"></i></div>'
    name = html.escape(group.removeprefix("xc_"))
    return f'<tr><td>{name}<td class="n">{len(members)}{cells}<td>{bar}</tr>'


def _scenario(row: Row, others: list[str]) -> str:
    name, statement = f"{row['group'].removeprefix('xc_')}: {row['name']}", row["statement"]
    seen = row["observations"]
    equal = not row["fault"] and all(_equal(row, other) for other in others)
    visible = {REFERENCE: seen[REFERENCE]} if equal else seen
    body = "".join(f"<p>Documented: {html.escape(text)}</p>" for text in row["documented"])
    if row["fault"]:
        body += f"<p>The scenario itself fails: {html.escape(row['fault'])}</p>"
    body += "".join(
        f"{html.escape(backend)}<pre>{html.escape(text)}</pre>" for backend, text in visible.items()
    )
    words = html.escape(f"{name} {statement}".lower(), quote=True)
    state = "differs" if not equal else "skipped" if row["skipped"] else "equal"
    summary = f"<summary><b>{html.escape(name)}</b> {html.escape(statement)}</summary>"
    return f'<details class="{state}" data-text="{words}">{summary}{body}</details>'
