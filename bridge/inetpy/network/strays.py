"""Messages of sockets that nobody has received, in the mailboxes of processes: `Trace.no_stray_messages`.

A node is asked, and answers with the request `{trace_stray, {Number, [{Pid, [Text]}]}}`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..codec.terms import Pid

if TYPE_CHECKING:
    from .node import NodeNetwork

__all__ = ["Found", "Strays"]

Found: TypeAlias = list[tuple[Pid, list[str]]]  # the processes that have such messages, and these as text


class Strays:
    """The questions that nodes have not answered yet. All runs in the loop of the sockets."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Found]] = {}

    async def ask(self, node: NodeNetwork, pids: Iterable[Pid]) -> Found:
        """A node that has gone never answers."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            node.session.link.stray(number, [pid.raw for pid in pids])
            found: Found = await answer
            return found
        finally:
            del self._waiting[number]

    def answered(self, number: int, found: list[tuple[Any, Any]]) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(
                [(pid, [text.decode("utf-8", "replace") for text in texts]) for pid, texts in found]
            )
