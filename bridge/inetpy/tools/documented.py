"""Statements of OTP's documentation and the scenarios that test them: erl/test/documented.toml, and
documented_socket.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["FILES", "Statement", "load", "of_scenario"]

# By the module whose documentation it is.
FILES = {"inet": "documented.toml", "socket": "documented_socket.toml"}


@dataclass(frozen=True)
class Statement:
    """One statement about `subject`, an option or a function.

    `evidence`: patterns of scenarios (`GROUP.NAME`) and of cases (`SUITE:CASE`). `reason`: why a
    statement has no evidence.
    """

    subject: str
    text: str
    evidence: tuple[str, ...] = ()
    reason: str = ""


def load(file: Path) -> list[Statement]:
    """The statements of a file, in the order of the file."""
    tables = tomllib.loads(file.read_text())
    return [_statement(*line) for line in _lines(tables)]


def _lines(tables: dict[str, dict[str, list[str] | str]]) -> Iterator[tuple[str, str, list[str] | str]]:
    for subject, statements in tables.items():
        for text, evidence in statements.items():
            yield subject, text, evidence


def _statement(subject: str, text: str, evidence: list[str] | str) -> Statement:
    if isinstance(evidence, str):
        return Statement(subject, text, reason=evidence)
    return Statement(subject, text, tuple(evidence))


def of_scenario(statements: list[Statement], group: str, name: str) -> list[Statement]:
    """The statements that a scenario is evidence for.

    If the full name of the scenario is in the evidence of a statement, only such statements count.
    Patterns count otherwise.
    """
    scenario = f"{group.removeprefix('xc_').removeprefix('xs_')}.{name}"
    by_name = [statement for statement in statements if scenario in statement.evidence]
    return by_name or [
        statement
        for statement in statements
        if any(fnmatchcase(scenario, pattern) for pattern in statement.evidence)
    ]
