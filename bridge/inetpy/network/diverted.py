"""A socket of inetpy_socket that reaches a server in memory.

Such a socket is one of the system from the beginning, and has options and perhaps an address when it is told
where to connect. So it is not exchanged for a stream in memory: the stream stands before it, and options are
those of the system still.
"""

from __future__ import annotations

import socket
from typing import Any

from ..host.memory_sockets import MemoryNetwork, MemoryStream
from ..host.memory_streams import Phase
from .controlled import Controlled

__all__ = ["DivertedStream", "own_socket"]

_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)


class DivertedStream(MemoryStream):
    """See the module. `sock` is the socket of the system."""

    def __init__(self, network: MemoryNetwork, sock: Any) -> None:
        super().__init__(network, sock.family)
        self.sock = sock
        self.options[_LINGER] = sock.getsockopt(*_LINGER, 8)  # says how a close looks to the peer
        name = sock.getsockname()
        if sock.family != socket.AF_UNIX and name[1]:
            self.bind(name)

    @property
    def is_under_way(self) -> bool:
        """It connects, or has done so, or the next connect hears that this one has failed."""
        return self.phase != Phase.UNCONNECTED

    def leave(self) -> None:
        """The socket is used without the stream again."""
        super().close()

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return super().getsockopt(level, option, size)
        return self.sock.getsockopt(level, option, size) if size else self.sock.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        self.sock.setsockopt(level, option, value)
        super().setsockopt(level, option, value)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.sock.close()


def own_socket(sock: Any) -> Any:
    """The socket of the system that a handle had before a network put others in its place."""
    while isinstance(sock, (Controlled, DivertedStream)):
        if isinstance(sock, Controlled):
            sock.retire()
        else:
            sock.leave()
        sock = sock.sock
    return sock
