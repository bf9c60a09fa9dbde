"""A network that leads a program through its error paths: a file for INETPY_NETWORK."""

from __future__ import annotations

import asyncio

from inetpy.network.each_call import Run
from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it


@network.server("echo.test", 1)
async def echo(conn: Conn) -> None:
    while data := await conn.read(1 << 16):
        await conn.write(data)


@network.server("runs.test", 1)
async def lead(conn: Conn) -> None:
    """`begin` is answered by `run`, or by `over`; `end` by the call that has failed, or by `none`."""
    runs = network.each_call("econnreset", host="echo.test")

    def begin() -> Run | None:
        return next(runs, None)

    # The loop over the runs stands in another thread, as in a test.
    while run := await asyncio.to_thread(begin):
        assert await conn.read_until(b"\n") == b"begin\n"
        await conn.write(b"run\n")
        assert await conn.read_until(b"\n") == b"end\n"
        await conn.write(b"none\n" if run.call is None else run.call.op.encode() + b"\n")
    assert await conn.read_until(b"\n") == b"begin\n"
    await conn.write(b"over\n")
