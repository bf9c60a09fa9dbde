"""A host whose sockets are in memory, on a real loop: INETPY_HOST=memory.

Time, threads, files, names and interfaces are those of the system. A program that asks for its own name,
or for a service, gets what the system says: these answers are data, and no traffic. The sockets are those
of `memory_sockets`, by the rules of this host: see `memory_rules.SystemRules`. They reach each other,
and nobody else: another host is silent, and another process of this host refuses.

Two kinds of sockets are the kernel's all the same: those that are made of a descriptor of the node, and
those in another network namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from .api import RawCalls
from .linux import LinuxHost
from .memory_linger import close_lingering
from .memory_rules import SystemRules
from .memory_sockets import MemoryNetwork, MemorySocket

__all__ = ["MemoryLoopHost"]


class MemoryLoopHost(LinuxHost):
    """See `api.Host`.

    network: the sockets of this process. Those of another bridge are in another network.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        after_batch: Iterable[Callable[[], None]] = (),
        spin: float = 0.0,
    ) -> None:
        super().__init__(loop, after_batch, spin)
        self.network = MemoryNetwork(self.poller.notify, rules=SystemRules())

    @cached_property
    def raw(self) -> RawCalls:
        from .memory_calls import MemoryCalls  # needs ctypes

        return MemoryCalls()

    def close_lingering(self, sock: Any, done: Callable[[None], None]) -> None:
        if isinstance(sock, MemorySocket):
            return close_lingering(sock, self.clock, done)
        super().close_lingering(sock, done)

    def open_socket(self, family: int, kind: int, netns: bytes | None = None, protocol: int = 0) -> Any:
        if netns is not None:
            return super().open_socket(family, kind, netns, protocol)
        return self.network.socket(family, kind, protocol)
