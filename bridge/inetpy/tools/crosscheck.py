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

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import documented, pages
from .rows import (
    MEMORY,
    Row,
    annotate,
    by_group,
    count_equal,
    count_skipped,
    excuse,
    is_equal,
    is_excused,
    reference,
    short,
)
from .run import outside
from .served import NotServedError, served

__all__ = ["BACKENDS", "Options", "run"]

SERVE = "serve"
WHOLE_NODE = ("node", "node_by_address", MEMORY, SERVE)  # each of these needs a node of its own
BACKENDS = ("inet", "socket", "inetpy", *WHOLE_NODE)  # as in inetpy_xc:backends/1
CANNOT_RUN = 2
SHOWN = 4000  # characters of an observation
SEQUENCES = {"inet": ["inetpy_xc_sequences", "inetpy_xc_datagrams"], "socket": ["inetpy_xs_sequences"]}


class CannotRunError(Exception):
    """The comparison cannot be run. The text says why."""


@dataclass(frozen=True)
class Options:
    """The arguments of the command line.

    `api`: the module that is compared, inet or socket; the reference is the backend of that name. `ebin`: the
    folder of the beams. `tests`: the folder of the sources of the scenarios. `beams`:
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
    api: str = "inet"
    beams: Sequence[Path] = ()


def run(options: Options) -> int:
    """The exit status: 0 if all agree, 1 if something differs, 2 if something could not be run."""
    try:
        _check(options)
        with tempfile.TemporaryDirectory(prefix="inetpy-crosscheck-") as folder:
            ready = _compiled(options, Path(folder))
            return _run_random(ready) if options.random else _run(ready, Path(folder))
    except (CannotRunError, NotServedError) as error:
        print(f"inetpy crosscheck: {error}", file=sys.stderr)
        return CANNOT_RUN


def _check(options: Options) -> None:
    """Raises CannotRunError for mistakes that can be found before the run, which takes minutes."""
    for name in options.backends:
        if name not in BACKENDS:
            raise CannotRunError(f"no such backend: {name}; there are {', '.join(BACKENDS)}")
    if not _others(options):
        raise CannotRunError(f"nothing to compare with {options.api}: name another backend")
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
    annotate(rows, options.tests / documented.FILES[options.api])
    if MEMORY in others:
        excuse(rows, options.tests / "not_in_memory.toml")
    if options.json:
        print(json.dumps({"backends": [options.api, *others], "rows": rows}, indent=1))
    else:
        _print(console, rows, others)
    if options.html is not None:
        options.html.write_text(pages.page(rows, others))
    if options.markdown is not None:
        release = _output(options, 'io:format("~s", [erlang:system_info(otp_release)])')
        options.markdown.write_text(pages.markdown(release, rows, others))
    faults = [row for row in rows if row["fault"]]
    if faults and options.json:
        console.print(f"{len(faults)} scenarios fail by themselves")
    return CANNOT_RUN if faults else int(any(not is_equal(row, name) for row in rows for name in others))


def _others(options: Options) -> list[str]:
    return [name for name in options.backends if name != options.api]


def _runs(options: Options) -> list[list[str]]:
    """The backends of each node to run. The reference runs in every node."""
    others = _others(options)
    together = [name for name in others if name not in WHOLE_NODE]
    alone = [[name] for name in others if name in WHOLE_NODE]
    return [[options.api, *names] for names in ([together] if together else []) + alone]


def _emulator(options: Options, *arguments: str) -> list[str]:
    paths = [word for folder in (options.ebin, *options.beams) for word in ("-pa", str(folder))]
    return ["erl", "-noinput", *paths, *arguments]


def _environment() -> dict[str, str]:
    """The variables of a node, which is on no bridge of the user."""
    others = {name: value for name, value in outside().items() if name != "INETPY_BRIDGE"}
    return {"INETPY_PYTHON": sys.executable, "ERL_CRASH_DUMP": os.devnull} | others


@contextlib.contextmanager
def _python(backends: Sequence[str]) -> Iterator[dict[str, str]]:
    """The variables that give a node with these backends its Python."""
    if MEMORY in backends:
        yield {"INETPY_HOST": "memory"}
    elif SERVE in backends:
        with tempfile.TemporaryDirectory(prefix="inetpy-serve-") as folder, served(Path(folder)) as url:
            yield {"INETPY_BRIDGE": url}
    else:
        yield {}


def _compiled(options: Options, folder: Path) -> Options:
    """The options with the folders of the scenarios' beams. Compiles them if `make` has not."""
    built = options.tests / "ebin"
    sources = []
    if not (built / "inetpy_xc.beam").is_file():
        built = folder
        names = ["xc", "inetpy_xc", "inetpy_xc_random", *SEQUENCES[options.api]]
        if options.api == "socket":
            names += ["xs", "inetpy_xs_steps"]
        sources = [options.tests / f"{name}.erl" for name in names]
        if options.scenario is None or options.groups:
            pattern = "xs_*.erl" if options.api == "socket" else "xc_*.erl"
            sources += sorted(options.tests.glob(pattern))
        if not sources[0].is_file():
            raise CannotRunError(
                f"the scenarios are not here, in {options.tests}: they come with the source tree"
            )
    if options.scenario is not None:
        if not options.scenario.is_file():
            raise CannotRunError(f"no such file: {options.scenario}")
        sources.append(options.scenario)
    if sources:
        files = [str(source.resolve()) for source in sources]
        command = ["erlc", "-pa", str(built), "-pa", str(options.ebin), "-o", str(folder), *files]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        if done.returncode:
            raise CannotRunError(f"this does not compile\n{done.stdout}{done.stderr}".rstrip())
    return replace(options, beams=(built, folder))


def _groups(options: Options) -> list[str]:
    """The modules with the scenarios to run. By default all groups, or only the user's module."""
    own = [] if options.scenario is None else [options.scenario.stem]
    if own and not options.groups:
        return own
    known = _output(options, f'[io:format("~p ", [G]) || G <- inetpy_xc:groups({options.api})]').split()
    for name in options.groups:
        if name not in known:
            names = ", ".join(short(group) for group in known)
            raise CannotRunError(f"no such group: {short(name)}; there are {names}")
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
        _python(backends) as python,
        Progress(*bar, TimeElapsedColumn(), console=console) as progress,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment() | python,
        ) as node,
    ):
        task = progress.add_task("", total=len(groups))
        assert node.stdout is not None
        other_lines = []
        for line in node.stdout:
            words = line.split()
            if words[:1] == ["group"]:
                progress.update(task, advance=1, description=short(words[1]))
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
            first = reference(row)
            if seen[first] != later_seen[first]:
                seen[f"{first} again"] = later_seen[first]
            seen |= {name: text for name, text in later_seen.items() if name != first}
            row["skipped"] |= again["skipped"]
            row["fault"] = row["fault"] or again["fault"]
            row["unsteady"] = row["unsteady"] or again["unsteady"]
    return rows


def _print(console: Console, rows: list[Row], others: list[str]) -> None:
    table = Table(title=f"beside {reference(rows[0])}", title_justify="left", show_footer=True)
    table.add_column("group", footer="all")
    table.add_column("scenarios", justify="right", footer=str(len(rows)))
    table.add_column("equal", justify="right", footer=str(count_equal(rows, others)))
    for name in others:
        count = sum(not is_equal(row, name) for row in rows)
        table.add_column(f"{name} differs", justify="right", footer=str(count))
    table.add_column("skipped", justify="right", footer=str(count_skipped(rows)))
    for group, members in by_group(rows):
        counts = [sum(not is_equal(row, name) for row in members) for name in others]
        numbers = [len(members), count_equal(members, others), *counts, count_skipped(members)]
        table.add_row(short(group), *(str(number or "") for number in numbers))
    console.print(table)
    for reason in sorted({why for row in rows for why in row["skipped"].values()}):
        console.print(f"skipped: {reason}", markup=False, highlight=False)
    for reason, count in Counter(row["not_in_memory"] for row in rows if is_excused(row)).items():
        console.print(f"{count} not in memory: {reason}", markup=False, highlight=False)
    for row in rows:
        if row["unsteady"]:
            _print_unsteady(console, row)
        if not row["fault"] and all(is_equal(row, name) for name in others):
            continue
        console.rule(f"{row['group']}: {row['name']}", align="left")
        console.print(row["statement"], markup=False, highlight=False)
        if row["fault"]:
            console.print(
                f"the scenario itself fails: {row['fault']}", markup=False, highlight=False, style="red"
            )
        if "not_in_memory" in row and not is_equal(row, MEMORY):
            console.print("listed in not_in_memory.toml, but equal", style="red")
        for text in row["documented"]:
            console.print(f"documented: {text}", markup=False, highlight=False, style="italic")
        for backend, text in row["observations"].items():
            console.print(f"[bold]{backend}[/]:", end=" ")
            console.print(_cut(text), markup=False, highlight=False)


def _cut(text: str) -> str:
    """What fits on a screen."""
    more = len(text) - SHOWN
    return text if more <= 0 else f"{text[:SHOWN]}... and {more:,} characters more, which --json has"


def _print_unsteady(console: Console, row: Row) -> None:
    """A scenario that differed, and was equal when it was run again."""
    console.print(f"unsteady: {row['group']}: {row['name']}, whose first run was", style="yellow")
    for backend, text in row["unsteady"].items():
        console.print(f"  {backend}: {_cut(text)}", markup=False, highlight=False)


def _run_random(options: Options) -> int:
    status = 0
    for names in _runs(options):
        print("random sequences on", " and ".join(names), flush=True)
        arguments = ["-run", "inetpy_xc_random", "main", str(options.random), str(options.seed)]
        with _python(names) as python:
            command = _emulator(options, *arguments, ",".join(SEQUENCES[options.api]), ",".join(names))
            status = max(status, subprocess.call(command, env=_environment() | python))
    return status
