"""Which process of a node evaluates: the names that inetpy_agent knows its shells by."""

from __future__ import annotations

import itertools
import threading

__all__ = ["Shells"]

Name = tuple[int, int]


class Shells:
    """A thread has one shell, and more while it has several evaluations at the same time, as in a loop."""

    def __init__(self) -> None:
        self._busy: set[Name] = set()
        self._lock = threading.Lock()

    def take(self) -> Name:
        """The first shell of this thread that is idle."""
        thread = threading.get_ident()
        with self._lock:
            name = next(name for number in itertools.count() if (name := (thread, number)) not in self._busy)
            self._busy.add(name)
        return name

    def give_back(self, name: Name) -> None:
        with self._lock:
            self._busy.discard(name)

    def clear(self) -> None:
        with self._lock:
            self._busy.clear()
