"""Each statement of OTP's documentation in erl/test/documented.toml has evidence.

Evidence is a scenario or a case of a suite. It must be run, by `make test`, or by `make test-otp28` for
options of newer drivers. And the option or function of the statement must occur in its code
(erl/test/inetpy_evidence.erl).
"""

from __future__ import annotations

import json
import subprocess
from fnmatch import fnmatchcase
from functools import cache

import pytest

from conftest import TOP, erl
from inetpy import options
from inetpy.tools import documented
from test_conformance import GROUPS
from test_suites import ELSEWHERE, SUITES

STATEMENTS = documented.load(TOP / "erl" / "test" / "documented.toml")

# Words in the code of a scenario that count as the name of the subject.
WORDS = {
    "ancillary data": ["tos", "tclass", "ttl"],
    "kernel parameters": ["inet_default_connect_options", "inherited", "connect"],
    "line_delimiter": ["line_delimiter", "line"],
    "local addresses": ["local"],
    "mode": ["mode", "list", "binary"],
    "parse_address": ["parse_address", "parse_strict_address", "parse_ipv4_address", "parse_ipv6_address"],
    "the first option": ["inet_backend"],
}


@cache
def evidence() -> dict[str, tuple[bool, set[str]]]:
    """name of a scenario or case -> (whether this release of OTP runs it, the atoms in its code)."""
    with erl("-run", "inetpy_evidence", "main", stdout=subprocess.PIPE) as node:
        output, _ = node.communicate(timeout=120)
    return {name: (here, set(atoms)) for name, here, atoms in json.loads(output)}


def named(pattern: str) -> list[str]:
    return [name for name in evidence() if fnmatchcase(name, pattern)]


@pytest.mark.parametrize("subject", sorted({statement.subject for statement in STATEMENTS}))
def test_statements(subject: str) -> None:
    """A statement has evidence that exists and is about its subject, or a reason to have none."""
    words = {subject, *WORDS.get(subject, ())}
    for statement in (statement for statement in STATEMENTS if statement.subject == subject):
        assert statement.evidence or len(statement.reason) > 10, statement
        for pattern in statement.evidence:
            assert named(pattern), (statement, pattern)
        if statement.evidence and not _is_of_absence(statement.text):
            found = [name for pattern in statement.evidence for name in named(pattern)]
            assert any(words & evidence()[name][1] for name in found), (statement, "none is about it")


def _is_of_absence(text: str) -> bool:
    """Whether the statement is about calls without the option: their code does not name it."""
    return "default" in text or text.startswith("without")


def test_evidence_is_run() -> None:
    """`make test` runs all groups and suites. An older release leaves out only scenarios of newer options."""
    with erl("-eval", 'io:format("~w", [inetpy_xc:groups()]), halt().', stdout=subprocess.PIPE) as node:
        groups, _ = node.communicate(timeout=60)
    assert sorted(groups.decode().strip("[]").split(",")) == GROUPS
    assert {path.stem for path in (TOP / "erl" / "test").glob("*_SUITE.erl")} == set(SUITES) | ELSEWHERE
    newer = {row.name for row in options.OPTIONS.values() if row.since >= 28}
    for name, (here, atoms) in evidence().items():
        assert here or atoms & newer, name


def test_code_is_read() -> None:
    """Atoms count if they occur in called functions, in values kept by a fun, or in `xc`."""
    _, of_option = evidence()["sockopts.keepidle_set"]
    assert {"keepidle", "setopts", "getopts"} <= of_option
    assert "keepcnt" not in of_option
    _, of_case = evidence()["inetpy_tcp_SUITE:keepalive_without_answer"]
    assert "keepalive" in of_case
    assert not {"move", "call_ext", "func_info"} & (of_option | of_case)


def test_every_option() -> None:
    assert set(options.OPTIONS) <= {statement.subject for statement in STATEMENTS}


def test_statement_of_scenario() -> None:
    """A statement with the full name of a scenario precedes statements with a pattern."""
    named = documented.of_scenario(STATEMENTS, "xc_udp", "header")
    assert [statement.subject for statement in named] == ["header"]
    assert [each.subject for each in documented.of_scenario(STATEMENTS, "xc_sockopts", "tos_set")] == ["tos"]
    assert documented.of_scenario(STATEMENTS, "xc_udp", "no_such_scenario") == []
