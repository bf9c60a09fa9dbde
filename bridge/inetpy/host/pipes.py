"""Pipes, and bytes that move into them and between them without passing through this process."""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from typing import Any

__all__ = ["End", "close", "enlarge", "open_pipe", "read", "readable", "splice", "splice_pipes"]

PIPE_SIZE = 1 << 20
_NUMBER = bytes(4)  # where ioctl(2) writes one


class End:
    """An end of a pipe, for a poller: an object with the method fileno()."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


def open_pipe() -> tuple[int, int]:
    """The two ends of a large pipe, which do not block: where to read, and where to write."""
    source, sink = os.pipe()
    for descriptor in (source, sink):
        os.set_blocking(descriptor, False)
    enlarge(sink)
    return source, sink


def read(pipe: int, size: int) -> bytes:
    """Up to `size` bytes of a pipe."""
    return os.read(pipe, size)


def close(*pipe: int) -> None:
    """Both ends, or one."""
    for end in pipe:
        os.close(end)


def enlarge(pipe: int) -> None:
    """Makes room for a megabyte in a pipe (F_SETPIPE_SZ), where the system lets us."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # not a pipe, or more than this user may have: it works all the same


def readable(sock: Any) -> int:
    """How many bytes of a stream can be read at once (FIONREAD)."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, _NUMBER), sys.byteorder)


def splice(sock: Any, pipe: int, size: int) -> int:
    """Moves up to `size` bytes of a stream into a pipe (splice(2)).

    Raises BlockingIOError when the pipe has no room or the stream no bytes.
    """
    return os.splice(sock.fileno(), pipe, size, flags=os.SPLICE_F_NONBLOCK)


def splice_pipes(source: int, sink: int, size: int) -> int:
    """The same from a pipe into a pipe."""
    return os.splice(source, sink, size, flags=os.SPLICE_F_NONBLOCK)
