"""What the owners of sockets are and descend from, as far as the node has said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from ..codec.terms import Pid
from ..session.link import Link
from .whom import Lineage

__all__ = ["Lineages"]

MOST = 10_000  # processes of which it is remembered


class Lineages:
    """See the module. The context of a request says it; `ask` is for sockets that were opened without one."""

    def __init__(self) -> None:
        self._known: dict[Pid, Lineage] = {}
        self._numbers = itertools.count(1)
        self._questions: set[int] = set()  # the numbers of those that the node has not answered yet

    def of(self, owner: Pid) -> Lineage | None:
        return self._known.get(owner)

    def heard(self, lineage: Lineage) -> None:
        """What a context says. The owner comes first."""
        if lineage and isinstance(lineage[0], Pid):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[lineage[0]] = lineage

    def ask(self, link: Link, owners: Iterable[Pid]) -> None:
        """Asks the node, about each owner once."""
        number = next(self._numbers)
        self._questions.add(number)
        link.lineage(number, list({owner.raw: None for owner in owners}))

    def answered(self, number: int, answers: Mapping[Pid, Lineage]) -> None:
        """What was heard before may have changed since."""
        self._questions.discard(number)
        self._known |= {owner: answers[owner] for owner in answers.keys() & self._known.keys()}

    def is_settled(self) -> bool:
        """Whether the node has answered all questions."""
        return not self._questions
