"""Processes that wait for a plain socket, in one direction.

Only the first of them is told when the socket is ready: `{'$socket', Socket, select, Handle}`. It stays the
first until it has asked again with success, or has given up. Then it is the turn of the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from ...codec.terms import Pid, Ref

__all__ = ["NOBODY", "Waiter", "Waiters"]

NOBODY = Pid(b"")


class Waiter:
    """One process, with the handle of the message that it is to get. `told`: it has got it.
    Bytes that are `Held` are of NOBODY.

    known: the handle by which it is found, and which it is told when it waits in vain.
    size: how many bytes it wants to read, or 0 where that is not a number. See `ahead`.
    """

    __slots__ = ("handle", "known", "process", "size", "told")

    def __init__(self, process: Pid, handle: Ref) -> None:
        self.process = process
        self.handle = self.known = handle
        self.told = False
        self.size = 0


class Waiters:
    """Those that wait in one direction. `first` is None when nobody waits.

    left: a process that waits no longer, as far as calls are concerned, but is still told when the socket is
    ready. In OTP that happens to the first when it calls again with success, or when a call of any process
    has an error. Nobody else waits then.
    """

    __slots__ = ("first", "left", "others")

    def __init__(self) -> None:
        self.first: Waiter | None = None
        self.left: Waiter | None = None
        self.others: deque[Waiter] = deque()

    def __len__(self) -> int:
        return (self.first is not None) + len(self.others)

    def __iter__(self) -> Iterator[Waiter]:
        if self.first is not None:
            yield self.first
            yield from self.others

    @property
    def untold(self) -> bool:
        """Whether somebody is to be told."""
        return self.left is not None or (self.first is not None and not self.first.told)

    def has_turn(self, process: Pid) -> bool:
        """Whether a call of the process is tried at once: nobody waits, or it is the first itself."""
        return self.first is None or self.first.process == process

    def is_queued(self, process: Pid) -> bool:
        """Whether the process waits behind another."""
        return bool(self.others) and any(waiter.process == process for waiter in self.others)

    def wait(self, process: Pid, handle: Ref) -> Waiter | None:
        """The process waits. Answers with whom it waited for before with another handle, itself."""
        waiter = Waiter(process, handle)
        if not self.has_turn(process):
            self.others.append(waiter)
            return None
        before, self.first = self.first, waiter
        return before

    def hold(self, waiter: Waiter) -> None:
        """Behind all that wait."""
        if self.first is None:
            self.first = waiter
        else:
            self.others.append(waiter)

    def next(self) -> Waiter | None:
        """The first has got what it wanted: it is the turn of the next. Answers with the former first."""
        before = self.first
        self.first = self.others.popleft() if self.others else None
        return before

    def take_first(self) -> Waiter:
        """The first, who gives its place to the same process with another handle."""
        first, self.first = self.first, None
        assert first is not None
        return first

    def find(self, process: Pid, handle: Any) -> Waiter | None:
        for waiter in self:
            if waiter.process == process and waiter.known == handle:
                return waiter
        return None

    def take_left(self) -> Waiter | None:
        left, self.left = self.left, None
        return left

    def remove(self, waiter: Waiter) -> None:
        if waiter is self.first:
            self.next()
        else:
            self.others.remove(waiter)

    def take_others(self) -> list[Waiter]:
        """All processes but the first, who wait no longer."""
        others = [waiter for waiter in self.others if waiter.process is not NOBODY]
        self.others = deque(waiter for waiter in self.others if waiter.process is NOBODY)
        return others

    def take_all(self) -> list[Waiter]:
        """All of them, who wait no longer."""
        everybody = list(self)
        self.first = None
        self.others.clear()
        return everybody
