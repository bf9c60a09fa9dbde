"""The options of a socket in memory, as the kernel has them.

The kernel knows more of options than anybody would write down. So a socket keeps a `Journal` of
what was set. To read an option, the journal is played to a new socket of the same kind, which answers and
is closed again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SO_LINGER, SOL_SOCKET

__all__ = ["Journal"]

Entry = tuple[int, int, int | bytes]
# Options that add to what is there instead of replacing it.
_ADDING = {
    (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP), (socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP),
    (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP), (socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP),
}  # fmt: skip


class Journal:
    """The options of a socket, as the kernel has them."""

    def __init__(self, family: int, kind: int, entries: list[Entry]) -> None:
        self.family = family
        self.kind = kind
        self._entries = entries

    def copy(self) -> Journal:
        return Journal(self.family, self.kind, list(self._entries))

    def set(self, level: int, option: int, value: int | bytes) -> None:
        """Raises OSError where the kernel refuses."""
        with self.played() as sock:
            sock.setsockopt(level, option, value)
        entry = (level, option, value)
        if (level, option) not in _ADDING:
            slot = _slot(entry)
            self._entries = [other for other in self._entries if _slot(other) != slot]
        self._entries.append(entry)

    def get(self, level: int, option: int, size: int) -> int | bytes:
        with self.played() as sock:
            return sock.getsockopt(level, option, size) if size else sock.getsockopt(level, option)

    @contextmanager
    def played(self) -> Iterator[socket.socket]:
        with socket.socket(self.family, self.kind) as sock:
            for entry in self._entries:
                sock.setsockopt(*entry)
            yield sock


def _slot(entry: Entry) -> tuple[object, ...]:
    """Of entries with the same slot the last one alone counts. Linger that is switched off keeps its time."""
    level, option, value = entry
    if (level, option) == (SOL_SOCKET, SO_LINGER) and isinstance(value, bytes):
        return level, option, any(value[:4])
    return level, option
