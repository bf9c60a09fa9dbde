"""An error that came between an answer and what the answer promised."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["LateError"]


class LateError:
    """The system calls of a stream, until somebody has been told of `error`.

    A large send is answered before the system has all of it. When the rest fails, its caller
    knows already that it went well, as it would have for a connection that fails a moment
    later. The kernel reports an error once. The rest of the send consumed it, so it is raised again
    on the next call, behind the bytes that can still be read.
    """

    def __init__(self, stream: Stream, error: OSError) -> None:
        self._stream = stream
        self._error = error
        self._syscalls = stream.syscalls

    def recv(self, sock: socket.socket, size: int) -> bytes:
        return self._syscalls.recv(sock, size) or self._tell()

    def _tell(self, *_: object) -> Any:
        self._stream.syscalls = self._syscalls
        raise self._error

    send = sendmsg = sendfile = _tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._syscalls, name)
