"""A connection of Python that is used outside of the loop of the servers: see `Network.connect`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .anywhere import call
from .conn import Conn

__all__ = ["RemoteConn"]


class RemoteConn:
    """A `Conn`, for any thread. Its methods are those of `Conn`.

    In a thread without a running loop, a method waits and gives its result:

        with network.connect("app.test", 8080) as conn:
            conn.write(b"ping\\n")
            assert conn.read_until(b"\\n") == b"pong\\n"

    In a thread with a running loop, a method gives a task, and `close`, `reset` and `half_close` need not be
    awaited:

        async with await network.connect("app.test", 8080) as conn:
            await conn.write(b"ping\\n")

    The end of a `with` closes the connection in order, or resets it where an exception leaves the block.

    host, port: where the server is, as it was described.
    peer: the address of the other end, as `socket.getpeername` gives it.
    timeout: seconds that each method waits at most, or None; it may be changed. After them the method raises
        TimeoutError, and what has come until then is there for the next one.

    All methods raise RuntimeError when the loop of the servers has ended.
    """

    def __init__(self, conn: Conn, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        self.host = conn.host
        self.port = conn.port
        self.peer = conn.peer
        self.timeout = timeout
        self._conn = conn
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._conn)

    def _call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        return call(self._loop, work, self.timeout)

    def read(self, n: int = -1) -> Any:
        """See `Conn.read`."""
        return self._call(lambda: self._conn.read(n))

    def read_exactly(self, n: int) -> Any:
        """See `Conn.read_exactly`."""
        return self._call(lambda: self._conn.read_exactly(n))

    def read_until(self, separator: bytes) -> Any:
        """See `Conn.read_until`."""
        return self._call(lambda: self._conn.read_until(separator))

    def write(self, data: bytes) -> Any:
        """See `Conn.write`."""
        return self._call(lambda: self._conn.write(data))

    def half_close(self) -> Any:
        """See `Conn.half_close`."""
        return self._call(self._conn.half_close)

    def close(self) -> Any:
        """See `Conn.close`. Waits until what has been written has been taken."""
        return self._call(lambda: asyncio.shield(self._conn.close()))

    def reset(self) -> Any:
        """See `Conn.reset`."""
        return self._call(lambda: asyncio.shield(self._conn.reset()))

    def __enter__(self) -> RemoteConn:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close() if kind is None else self.reset()

    async def __aenter__(self) -> RemoteConn:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await (self.close() if kind is None else self.reset())
