"""Sockets in memory, as Linux has them on the loopback interface.

A `MemoryNetwork` has the sockets by address. A stream connects with EINPROGRESS, and the answer of the
other end is there at once; a unix socket connects at once. Data is with the other end as soon as it is
sent. Errors have the number that Linux gives.

By default all addresses are local, each can be bound, options are what was set, and the names of unix
sockets are no files. With `memory_rules.SystemRules` all that is as on this host.

Left out: TIME_WAIT; urgent data; that many small packets fill a stream's buffer sooner than a few large ones;
the hash by which the kernel chooses among sockets with SO_REUSEPORT; and that the first connect(2) after
EINPROGRESS reports success. tests/unit/test_memory_sockets.py and test_memory_random.py compare with
the kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from socket import SOCK_DGRAM, SOCK_STREAM

from .errors import os_error
from .memory_base import MemoryAddresses, MemorySocket
from .memory_datagrams import MemoryDatagram
from .memory_places import Address
from .memory_rules import FreeRules, Rules
from .memory_streams import MemoryStream, _Way

__all__ = ["MemoryDatagram", "MemoryNetwork", "MemorySocket", "MemoryStream", "_Way"]


class MemoryNetwork(MemoryAddresses):
    """The sockets that can reach each other.

    notify: called with a socket whose readiness has changed: `Poller.notify`.
    capacity: how many bytes a stream takes before they are read; of datagrams how many a socket keeps.
    silent: IP addresses that answer nothing: connecting to them takes for ever.
    rules: what is as on this host.
    """

    def __init__(
        self, notify: Callable[[MemorySocket], None], capacity: int = 1 << 16, rules: Rules | None = None
    ) -> None:
        super().__init__(notify, capacity, FreeRules() if rules is None else rules)

    def socket(self, family: int, kind: int) -> MemorySocket:
        if kind == SOCK_STREAM:
            return MemoryStream(self, family)
        if kind == SOCK_DGRAM:
            return MemoryDatagram(self, family)
        raise os_error(errno.EPROTONOSUPPORT)

    def pair(self, family: int, address: Address) -> tuple[MemoryStream, MemoryStream]:
        """A client and the connection that a listener at `address` would have accepted from it."""
        client = MemoryStream(self, family)
        server = client.join(MemoryStream(self, family), address)
        return client, server
