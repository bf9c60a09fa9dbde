"""Every error path of a program, once: in each run another call of it fails.

    for run in network.each_call("econnreset", host="db.example"):
        result = erlang.call("client", "get", "db.example")
        if run.call is not None:
            assert result[0] == Atom("error"), run

In the first run the first call fails, in the second run the second, and so on. The run in which no call is
left to fail is the last one, and its `call` is None: a program of connect, send and recv has four runs, of
which three fail. A program that makes one call more with each run has no last run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .rules import Rule

__all__ = ["FailedCall", "Run", "runs"]


class FailedCall(NamedTuple):
    """A call that has failed.

    op: connect, accept, bind, listen, recv, send or resolve.
    label: of its socket, the peer of a client for example; or the name that was looked up.
    nth: which call of this op it was in its run, counted from 1.
    """

    op: str
    label: str
    nth: int


class Run:
    """One run of a program. `number` is counted from 1: the number of the call that fails."""

    def __init__(self, number: int, rule: Rule, before: list[FailedCall]) -> None:
        self.number = number
        self._rule = rule
        self._before = before

    def __repr__(self) -> str:
        return f"<Run {self.number}: {self.call or 'no call has failed'}>"

    @property
    def call(self) -> FailedCall | None:
        """The call that has failed in this run. None: no call yet, or none at all in the last run."""
        if not self._rule.events:
            return None
        event = self._rule.events[0]
        # The calls before this one are those that failed in the runs before.
        nth = 1 + sum(call.op == event.call for call in self._before)
        return FailedCall(event.call, event.label, nth)


def runs(add: Callable[[int], Rule]) -> Iterator[Run]:
    """The runs of a program. `add` gives the rule by which the n-th call fails."""
    failed: list[FailedCall] = []
    for number in itertools.count(1):
        with add(number) as rule:
            run = Run(number, rule, list(failed))
            yield run
        if run.call is None:
            return
        failed.append(run.call)
