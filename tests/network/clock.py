"""A network whose clock does what a server in memory is told: a file for INETPY_NETWORK."""

from __future__ import annotations

import asyncio

from inetpy.network import latency, resolve_timeout
from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it

network.clock.advance(0)  # from now on time stands still


@network.server("clock.test", 1)
async def clock(conn: Conn) -> None:
    """`advance 1000`, `rate 10`, or `real`: the answer is `done`."""
    word, *number = (await conn.read_until(b"\n")).split()
    if word == b"advance":
        await network.clock.advance(int(number[0]))
    elif word == b"rate":
        network.clock.rate(int(number[0]))
    else:
        network.clock.real()
    await conn.write(b"done\n")


@network.server("silent.test", 1)
async def silent(_conn: Conn) -> None:
    await asyncio.Event().wait()


@network.server("echo.test", 1)
async def echo(conn: Conn) -> None:
    while data := await conn.read(1 << 16):
        await conn.write(data)


network.names({"hole.test": "10.0.0.1"})
network.blackhole("hole.test")
network.fault(latency(20_000), host="echo.test")
network.fault(resolve_timeout(), host="gone.test")
