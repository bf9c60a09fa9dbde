"""What controlled sockets have in common: see `streams`, `datagrams` and `listeners`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..host.api import Poller
from .calls import Calls
from .rules import Rule
from .whom import Facts

__all__ = ["Controlled"]


class Controlled:
    """What a handle has in place of its socket while rules concern it.

    sock: the socket itself.
    facts: what is known of it. More becomes known.
    calls: the faults of its calls.
    on_idle: called when no rule is left and nothing is held: the handle may have its socket back.
    """

    def __init__(self, sock: Any, facts: Facts, poller: Poller) -> None:
        self.sock = sock
        self.facts = facts
        self.calls = Calls(facts)
        self.on_idle: Callable[[], None] = lambda: None
        self._poller = poller
        self._rules: list[Rule] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.facts.label}>"

    # --- rules ---

    def set_rules(self, rules: list[Rule]) -> None:
        """The rules that concern this socket, or may. They hold when this returns."""
        raise NotImplementedError

    def look_idle(self) -> None:
        """Calls `on_idle` when it is time."""
        raise NotImplementedError

    def look_idle_soon(self) -> None:
        """Something has been handed over that was held."""
        if not self._rules:
            self._poller.soon(self.look_idle)

    def retire(self) -> None:
        """The handle has its socket back."""
        raise NotImplementedError

    def shaping(self, _direction: str) -> list[Rule]:
        """The rules that touch all bytes or datagrams of that direction."""
        return []

    def passed(self, _direction: str) -> int:
        """How many bytes or datagrams of that direction have come by."""
        return 0

    # --- the calls of a socket ---

    def bind(self, address: Any, /) -> None:
        self.calls.check("bind")
        self.sock.bind(address)
        self.learn_address()

    def learn_address(self) -> None:
        """The socket may have a port now."""
        try:
            name = self.sock.getsockname()
        except OSError:
            return
        if isinstance(name, tuple):
            self.facts.learn(name[1] or None)

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        self.calls.check("setopt")
        self.sock.setsockopt(level, option, value)

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        return self.sock.getsockopt(level, option, size) if size else self.sock.getsockopt(level, option)
