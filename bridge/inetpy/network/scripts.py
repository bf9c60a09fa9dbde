"""Scripts: where rules have happened in a recorded run. With them another run has the same faults.

    scripts = read_scripts("run.jsonl")      the trace of a run
    engine.follow(scripts)                   its rules happen where they happened then

A rule that might or might not happen, because of a `when` or a probability, asks at places: for example at
the third datagram that its second socket sends. A trace has the places where the answer was yes, and a script
has them too. Rules are told apart by what was said to make them; of equal ones the first is the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..codec.terms import Pid
from .faults import Fault, When, make_fault, make_when
from .whom import Whom, text_of

__all__ = ["Place", "Recorded", "Script", "Scripts", "facts_of", "parse_facts"]

_SOME_PID = "a pid"  # another one in each run


class Place(NamedTuple):
    """Where a rule could have happened.

    socket: which of the sockets that have asked, counted from 1.
    at: the call, the direction, or `connection`.
    nth: which time there, counted from 1.
    """

    socket: int
    at: str
    nth: int


class Script(NamedTuple):
    """seed: where the random numbers begin that say how much: a jitter, or which bit. "": it is not known."""

    seed: str
    places: frozenset[Place]


class Recorded(NamedTuple):
    """A rule of the recorded run. facts: see `facts_of`. by: who has added it, see `rules.Rule`."""

    facts: dict[str, Any]
    by: str
    script: Script


class Scripts:
    """The rules of a recorded run that no rule of this one stands for yet."""

    def __init__(self, recorded: list[Recorded]) -> None:
        self._waiting: dict[str, list[Recorded]] = {}
        for rule in recorded:
            self._waiting.setdefault(_key(rule.facts), []).append(rule)

    def take(self, facts: dict[str, Any]) -> Script | None:
        """The script of a rule with these facts. None: the recorded run had no such rule any more."""
        waiting = self._waiting.get(_key(facts))
        return waiting.pop(0).script if waiting else None

    def left(self) -> list[dict[str, Any]]:
        """The facts of those that nobody adds: they were of a file, or `inetpy faults` has added them."""
        return [
            rule.facts
            for waiting in self._waiting.values()
            for rule in waiting
            if rule.by in ("file", "shell")
        ]


def _key(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True)


def facts_of(what: Fault, when: When | None, for_ms: float | None, whom: Mapping[str, Any]) -> dict[str, Any]:
    """What was said to make a rule, as values of JSON. Pids are all the same."""
    return {
        "word": what.word,
        "arguments": dict(what.arguments),
        "when": None if when is None else [when.word, list(when.numbers)],
        "for_ms": for_ms,
        "whom": {word: _plain(value) for word, value in whom.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Pid):
        return _SOME_PID
    return value if isinstance(value, (int, float)) else text_of(value)


def parse_facts(facts: dict[str, Any]) -> tuple[Fault, Whom, When | None, float | None]:
    """What a rule is made of. Raises ValueError, KeyError, TypeError or AttributeError."""
    arguments = {name: value for name, value in facts["arguments"].items() if value is not None}
    whom = {word: value for word, value in facts["whom"].items() if value != _SOME_PID}
    when = None
    if facts["when"] is not None:
        word, numbers = facts["when"]
        when = make_when(word, tuple(numbers))
    return make_fault(facts["word"], arguments), Whom(whom), when, facts["for_ms"]
