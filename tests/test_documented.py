"""Each statement of OTP's documentation has its evidence: erl/test/documented.toml."""

from __future__ import annotations

import json
import re
import subprocess
from fnmatch import fnmatchcase
from functools import cache

import pytest

from conftest import TOP, erl
from inetpy import documented, options

STATEMENTS = documented.load(TOP / "erl" / "test" / "documented.toml")
CORPUS = (
    'io:format("[\\"\\"~s]", [[io_lib:format(",\\"~s.~s\\"", [string:slice(atom_to_list(G), 3), N])'
    " || G <- inetpy_xc:groups(), {N, _, _} <- inetpy_xc:scenarios(G)]]), halt()."
)
# The only options that older editions of OTP do not have: no scenario of theirs can be compared there.
NEWER = {row.name for row in options.OPTIONS.values() if row.since >= 28}


@cache
def evidence() -> list[str]:
    """All that can be named: scenarios, and the cases of suites that run."""
    with erl("-eval", CORPUS, stdout=subprocess.PIPE) as node:
        said, _ = node.communicate(timeout=60)
    return json.loads(said) + [
        f"{suite.stem}:{case}"
        for suite in (TOP / "erl" / "test").glob("*_SUITE.erl")
        for case in re.findall(
            r"\w+", re.search(r"^all\(\) ->\s*\[(.*?)\]", suite.read_text(), re.DOTALL | re.MULTILINE)[1]
        )  # type: ignore[index]
    ]


@pytest.mark.parametrize("subject", sorted({statement.subject for statement in STATEMENTS}))
def test_statements(subject: str) -> None:
    """Scenarios that exist, or a reason."""
    for statement in (statement for statement in STATEMENTS if statement.subject == subject):
        assert statement.evidence or len(statement.reason) > 10, statement
        for pattern in statement.evidence:
            newer = pattern in {f"sockopts.{name}_*" for name in NEWER}
            assert newer or any(fnmatchcase(name, pattern) for name in evidence()), (statement, pattern)


def test_every_option() -> None:
    assert set(options.OPTIONS) <= {statement.subject for statement in STATEMENTS}


def test_statement_of_scenario() -> None:
    """A statement that names a scenario goes before those whose pattern it fits."""
    named = documented.of_scenario(STATEMENTS, "xc_udp", "header")
    assert [statement.subject for statement in named] == ["header"]
    assert [each.subject for each in documented.of_scenario(STATEMENTS, "xc_sockopts", "tos_set")] == ["tos"]
    assert documented.of_scenario(STATEMENTS, "xc_udp", "no_such_scenario") == []
