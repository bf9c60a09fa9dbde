"""The network of the benchmark's jobs with a server in memory: a file for INETPY_NETWORK."""

from __future__ import annotations

from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it


@network.server("127.0.0.1", 1)
async def echo(conn: Conn) -> None:
    while data := await conn.read(1 << 16):
        await conn.write(data)
