"""Runs Common Test and EUnit in an empty folder, as a user does."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from projects import output_of

from conftest import EBIN
from test_suites import private_epmd

__all__ = ["FILES", "SUITES", "Run", "compiled", "ct_run", "erl_run", "texts"]

SUITES = Path(__file__).parent / "suites"

# The network files of the suites.
FILES = {
    "net.py": """
@network.server("db.example", 5432)
async def database(conn):
    await conn.write(b"row 1, row 2")


network.fault(short_read(4), host="db.example", when=nth(1000))
network.names({"unused.example": "10.1.2.3"})
""",
    "strict.py": """
network.strict()


@network.server("raises.example", 80)
async def raises(conn):
    raise RuntimeError("on purpose")
""",
    "both.py": """
@network.server("db.example", 5432)
async def database(conn):
    await conn.write(b"row 1, row 2")
    await conn.read()


@network.server("raises.example", 80)
async def raises(conn):
    raise RuntimeError("on purpose")
""",
    "broken.py": """
@network.server("db.example", 5432)
async def database(conn):
    pass


network.fault(latncy(200))
""",
}


class Run(NamedTuple):
    output: str
    logs: Path

    def counts(self) -> list[tuple[int, int, int]]:
        """Of each suite, in their order: how many cases were ok, failed, and were skipped."""
        found = re.findall(r"TEST COMPLETE, (\d+) ok, (\d+) failed(?:, (\d+) skipped)? of", self.output)
        return [(int(ok), int(failed), int(skipped or 0)) for ok, failed, skipped in found]

    def log(self, name: str) -> str:
        """The log of a case, as HTML; for example `hooked_suite.reads`."""
        (page,) = self.logs.glob(f"ct_run*/**/{name}.html")
        return page.read_text()


def texts(page: str) -> str:
    """What a page of HTML says."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def compiled(folder: Path, *modules: str) -> Path:
    """The modules and all network files in a folder `test`."""
    test = folder / "test"
    test.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (test / name).write_text(text)
    for module in modules:
        (test / f"{module}.erl").write_text((SUITES / f"{module}.erl").read_text())
        subprocess.run(["erlc", "-pa", str(EBIN), "-o", ".", f"{module}.erl"], check=True, cwd=test)
    return test


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    with private_epmd() as epmd:  # ct_run makes a distributed node
        return output_of(command, folder, os.environ | epmd | environment)


def ct_run(
    folder: Path,
    *suites: str,
    made: tuple[str, ...] = (),
    hooks: tuple[str, ...] = (),
    through: tuple[str, ...] = (),
    **environment: str,
) -> Run:
    """Runs suites of ours, and those that are made already in the folder `test`.

    `hooks` are arguments of -ct_hooks, `through` is a program that starts ct_run.
    """
    if suites:
        compiled(folder, *suites)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    command = [*through, "ct_run", "-noshell", "-pa", str(EBIN), "-dir", "test", "-logdir", "logs", "-suite"]
    command += [*suites, *made, *(("-ct_hooks", *hooks) if hooks else ())]
    return Run(_run(command, folder, environment), logs)


def erl_run(folder: Path, expression: str, *modules: str, **environment: str) -> str:
    """What a node prints that evaluates an expression, in the folder."""
    if modules:
        compiled(folder, *modules)
    command = ["erl", "-noinput", "-pa", str(EBIN), "test", "-eval", f"{expression}, halt()."]
    return _run(command, folder, environment)


def inetpy_run() -> tuple[str, ...]:
    return (sys.executable, "-m", "inetpy", "run", "--")
