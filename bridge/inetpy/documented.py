"""What OTP's documentation states, and which scenarios show it: erl/test/documented.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["Statement", "load", "of_scenario"]


@dataclass(frozen=True)
class Statement:
    """One statement about `subject`, an option or a function.

    `evidence` are patterns of scenarios (`GROUP.NAME`) and cases (`SUITE:CASE`); where there
    can be none, `reason` says why.
    """

    subject: str
    text: str
    evidence: tuple[str, ...] = ()
    reason: str = ""


def load(file: Path) -> list[Statement]:
    """The statements of a file, in its order."""
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
    """Those that a scenario shows. A scenario that is about one statement names it plainly,
    so patterns count only where nothing else does."""
    scenario = f"{group.removeprefix('xc_')}.{name}"
    plain = [statement for statement in statements if scenario in statement.evidence]
    return plain or [
        statement
        for statement in statements
        if any(fnmatchcase(scenario, pattern) for pattern in statement.evidence)
    ]
