"""Sockets in memory, as Linux has them on the loopback interface.

A `MemoryNetwork` has the sockets by address. A stream connects with EINPROGRESS, and the answer of the
other end is there at once; a unix socket connects at once. Data is with the other end as soon as it is
sent. Errors have the number that Linux gives.

By default all addresses are local, each can be bound, options are what was set, and the names of unix
sockets are no files. With `memory_rules.SystemRules` all that is as on this host.

Left out: TIME_WAIT; urgent data of unix streams; that many small packets fill a stream's buffer sooner than
a few large ones; the hash by which the kernel chooses among sockets with SO_REUSEPORT; options of IP in
control messages; segments of UDP; and that TCP holds bytes back for
MSG_MORE and TCP_CORK. tests/unit/test_memory_sockets.py and test_memory_random.py compare with the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM

from .memory_base import MemoryAddresses, MemorySocket
from .memory_datagrams import MemoryDatagram
from .memory_kinds import kind_of
from .memory_packets import MemorySeqpacket
from .memory_places import Address
from .memory_rules import FreeRules, Rules
from .memory_streams import MemoryStream

__all__ = ["MemoryDatagram", "MemoryNetwork", "MemorySocket", "MemoryStream"]


_CLASSES: dict[int, Callable[[MemoryAddresses, int], MemorySocket]] = {
    SOCK_STREAM: MemoryStream, SOCK_DGRAM: MemoryDatagram, SOCK_SEQPACKET: MemorySeqpacket,
}  # fmt: skip


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

    def socket(self, family: int, kind: int, protocol: int = 0) -> MemorySocket:
        """socket(2). Raises OSError for sockets that there are not in memory: see `memory_kinds`."""
        kind, _ = kind_of(family, kind, protocol)
        return _CLASSES[kind](self, family)

    def pair(self, family: int, address: Address) -> tuple[MemoryStream, MemoryStream]:
        """A client and the connection that a listener at `address` would have accepted from it."""
        client = MemoryStream(self, family)
        server = client.join(MemoryStream(self, family), address)
        return client, server
