"""Faults at a call: the call fails, or does less than it could.

A controlled socket asks here at the beginning of each of its calls.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..host.api import ERROR, READ
from ..host.errors import os_error
from ..host.flags import MSG_PEEK
from .faults import names_call, number_of
from .rules import Rule
from .whom import DIRECTIONS, Facts

__all__ = ["Calls", "Refusal", "has_input", "is_readable"]

_CONNECT_WORDS = frozenset(("refuse", "down", "blackhole"))
_CALL_WORDS = frozenset(("error", "eagain", "short_read", "short_write")) | _CONNECT_WORDS


class Refusal(NamedTuple):
    """How a connect ends: with this errno, or never where it is None."""

    number: int | None


def has_input(sock: Any) -> bool:
    """Whether reading has something to do. Raises what reading would raise."""
    if hasattr(sock, "ready"):  # it is virtual
        return bool(sock.ready & (READ | ERROR))
    try:
        sock.recv(1, MSG_PEEK)
    except BlockingIOError:
        return False
    return True


def is_readable(sock: Any) -> bool:
    """Whether the poller would say so, also of an error."""
    try:
        return has_input(sock)
    except OSError:
        return True


class Calls:
    """The rules of calls for one socket.

    facts: of the socket; more may become known.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.is_forbidden = False  # a strict network has no such peer
        self._rules: list[Rule] = []
        self._patience: dict[tuple[Rule, str], int] = {}  # EAGAINs that are still to come

    def set_rules(self, rules: Iterable[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.word in _CALL_WORDS]

    def is_idle(self) -> bool:
        return not self._rules

    def has(self, word: str) -> bool:
        """Whether there is a rule of that word."""
        return any(rule.word == word for rule in self._rules)

    def _concerning(self, word: str, facts: Facts) -> Iterator[Rule]:
        for rule in self._rules:
            if rule.word == word and rule.whom.fits(facts):
                yield rule

    def check(self, call: str, facts: Facts | None = None) -> None:
        """Raises the OSError of a rule `error`. `facts` are those of one datagram."""
        for rule in self._concerning("error", facts or self.facts):
            if names_call(rule.arguments["call"], call) and rule.occasion(self.facts, call):
                rule.acted(call, self.facts)
                number = number_of(rule.arguments["errno"])
                raise os_error(number)

    def check_patience(self, call: str, direction: str, facts: Facts | None = None) -> None:
        """Raises EAGAIN as often as a rule `eagain` says, before a call that could do something."""
        for rule in self._concerning("eagain", facts or self.facts):
            if direction not in rule.whom.directions(DIRECTIONS):
                continue
            left = self._patience.get((rule, call))
            if left is None:
                left = rule.arguments["n"] if rule.occasion(self.facts, call) else 0
            self._patience[rule, call] = left - 1
            if left > 0:
                rule.acted(call, self.facts)
                raise os_error(errno.EAGAIN)
            del self._patience[rule, call]

    def size(self, word: str, call: str, wanted: int) -> int:
        """How many bytes a read or a write is for: `word` is `short_read` or `short_write`."""
        for rule in self._concerning(word, self.facts):
            if wanted > rule.arguments["size"] and rule.occasion(self.facts, call):
                rule.acted(call, self.facts)
                wanted = rule.arguments["size"]
        return wanted

    def _has_occasion(self, rule: Rule) -> bool:
        return rule.occasion(self.facts, "connect")

    def refusal(
        self, has_occasion: Callable[[Rule], bool] | None = None, facts: Facts | None = None
    ) -> Refusal | None:
        """How connecting ends, or None: it goes on."""
        if has_occasion is None:
            has_occasion = self._has_occasion
        if self.is_forbidden:
            return Refusal(errno.ECONNREFUSED)
        for rule in self._rules:
            if rule.word in _CONNECT_WORDS and rule.whom.fits(facts or self.facts) and has_occasion(rule):
                rule.acted("connect", self.facts)
                return Refusal(None if rule.word == "blackhole" else errno.ECONNREFUSED)
        return None
