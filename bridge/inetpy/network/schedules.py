"""Schedules: faults that are described before they hold, so that a test can draw, print and shrink them.

schedule = [fault(reset(after_bytes=1000), host="db.example", when=nth(2)), fault(latency(200))]
with network.schedule(schedule) as rules:
    ...
assert rules.fired == 2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .faults import Fault, When, code_of, make_fault
from .rules import Rule
from .whom import Whom

__all__ = ["PlannedFault", "Schedule", "code_of_rule", "fault"]


class PlannedFault:
    """A fault for some sockets, that does not hold yet. Made by `fault`. Equal to another of the same words.

    Its repr is Python code with the words of `inetpy.network`.
    """

    def __init__(
        self, what: Fault, when: When | None, for_ms: float | None, whom: Mapping[str, object]
    ) -> None:
        self.what = what
        self.when = when
        self.for_ms = for_ms
        self.whom = dict(whom)

    def __repr__(self) -> str:
        return f"fault({code_of_rule(self.rule())})"

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, PlannedFault) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    def rule(self) -> Rule:
        """A new rule. Raises ValueError for what cannot be."""
        return Rule(self.what, Whom(self.whom), self.when, self.for_ms)


def fault(
    what: Fault | str, *, when: When | None = None, for_ms: float | None = None, **whom: Any
) -> PlannedFault:
    """A fault as `network.fault` takes it, for a schedule: it holds when `network.schedule` has it.

    Arguments and errors are those of `network.fault`.
    """
    made = make_fault(what, {}) if isinstance(what, str) else what
    if not isinstance(made, Fault):
        raise ValueError(f"a fault is made by a function as latency(200), not {what!r}")
    if when is not None and not isinstance(when, When):
        raise ValueError(f"when is made by a function as nth(2), not {when!r}")
    planned = PlannedFault(made, when, for_ms, whom)
    planned.rule()
    return planned


def code_of_rule(rule: Rule) -> str:
    """The arguments of `network.fault` for a rule, as Python code."""
    words = dict(rule.whom.words)
    if rule.when is not None:
        words["when"] = rule.when
    if rule.for_ms is not None:
        words["for_ms"] = rule.for_ms
    return ", ".join([repr(rule.what), *(f"{word}={code_of(value)}" for word, value in words.items())])


class Schedule:
    """The rules of a schedule that holds, in their order: a context manager, which removes them at its end.

    fired: how often they have acted together.
    """

    def __init__(self, rules: list[Rule], remove: Callable[..., None]) -> None:
        self._rules = rules
        self._remove = remove

    def __repr__(self) -> str:
        return f"<Schedule {self._rules}>"

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __getitem__(self, index: int) -> Rule:
        return self._rules[index]

    def __enter__(self) -> Schedule:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def fired(self) -> int:
        return sum(rule.fired for rule in self._rules)

    def remove(self) -> None:
        """Removes all of its rules at once. Twice is as once."""
        self._remove(*self._rules)
