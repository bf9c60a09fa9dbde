"""Datagrams that wait at their receiver. Those of the unix domain have a sender that waits for room."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .memory_base import MemoryAddresses
from .memory_groups import Member
from .memory_marks import Mark, Origin
from .memory_places import Address
from .memory_ways import PLAIN, Head

__all__ = ["Inbox", "Packet"]


class Packet(NamedTuple):
    """A datagram, with the address of its sender as the receiver sees it.

    origin, marks: of IP. head, owner: of the unix domain; it takes room of its owner until it is read.
    """

    data: bytes
    sender: Address
    origin: Origin | None = None
    marks: list[tuple[Mark, int]] = []  # noqa: RUF012
    head: Head = PLAIN
    owner: Inbox | None = None


class Inbox(Member):
    """What has come, and of the unix domain who sends here and what is on its way.

    peer: of the unix domain, also when it has lost its name.
    unread_sizes: of the datagrams that it has sent and nobody has read.
    """

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.inbox: deque[Packet] = deque()
        self.peer: Inbox | None = None
        self.unread_sizes: list[int] = []
        self._callers: dict[Inbox, None] = {}  # whose peer this is: an ordered set
        self.is_deaf = self.is_dumb = False  # shut down

    def set_peer(self, peer: Inbox | None) -> None:
        if self.peer is not None:
            self.peer._callers.pop(self, None)
        self.peer = peer
        if peer is not None:
            peer._callers[self] = None
        self.changed()

    @property
    def is_full(self) -> bool:
        sizes = [len(packet.data) for packet in self.inbox]
        return self.network.rules.is_full(self, sizes, self.network.capacity)

    def arrived(self, packet: Packet) -> None:
        """One too many is lost."""
        if not self.is_full:
            self.inbox.append(packet)
            self.changed()

    def has_room(self) -> bool:
        """A unix socket waits until most of what it has sent is read, and its peer has room."""
        if not self.network.rules.packets_fit(self, self.unread_sizes, self.network.capacity, 4):
            return False
        return self.peer is None or self.peer.closed or self.peer.takes_from(self)

    def takes_from(self, sender: Inbox) -> bool:
        """How much a unix socket has in its inbox counts for all but its peer, and itself."""
        return sender in (self, self.peer) or not self.is_full

    def free(self, packet: Packet) -> None:
        """What waits for room in this inbox, or for that of the packet, may go on."""
        if packet.owner is not None:
            packet.owner.unread_sizes.remove(len(packet.data))
            for sock in {packet.owner: None} | self._callers:
                sock.changed()

    def close(self) -> None:
        super().close()
        while self.inbox:
            packet = self.inbox.popleft()
            packet.head.drop()
            self.free(packet)
        for sock in self._callers:
            sock.changed()
        self.set_peer(None)
