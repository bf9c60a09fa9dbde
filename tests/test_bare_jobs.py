"""The jobs of the benchmark on its bare port program (erl/tools/inetpy_bare.erl), with small counts."""

from __future__ import annotations

import sys

import pytest

from conftest import EBIN
from evaluated import evaluated
from inetpy.tools import bare_port

TOOLS = str(EBIN.parent / "tools" / "ebin")
JOBS = (
    "pipelined(P, 3, 20)",
    "connections(P, 5)",
    "selects(P, 5)",
    "receives(P, 65536, 262144, 3)",
    "receives(P, 1460, default, 3)",
)


def result(job: str, program: str) -> str:
    """What a job gives, or why it has ended."""
    bare = f'P = {{"{sys.executable}", "{program}"}}'
    script = f"{bare}, {{_, M}} = spawn_monitor(fun() -> exit(inetpy_bare:{job}) end)"
    ended = "receive {'DOWN', M, _, _, Reason} -> io:format(\"~p~n\", [Reason]) end"
    return evaluated(f"{script}, {ended}", "-pa", TOOLS)[-1]


@pytest.mark.parametrize("job", JOBS)
def test_job(job: str) -> None:
    """Each job checks what it gets, and says how fast it was."""
    assert float(result(job, bare_port.__file__)) > 0


@pytest.mark.parametrize("job", JOBS)
def test_program_that_ends(job: str) -> None:
    """A job whose program ends with an error ends, too."""
    assert result(job, "/no/such/program.py") == "{bare_port,2}"
