"""Names for OTP's own resolver: a file for INETPY_NETWORK.

`control.example` carries out a line, a word of COMMANDS, and answers with a line.
"""

from __future__ import annotations

from collections.abc import Callable

from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it

network.names({"Two.example": ["10.0.0.2", "10.0.0.1", "fd00::1"], "other.example": "10.0.0.1"})


async def web(conn: Conn) -> None:
    await conn.read_until(b"\r\n\r\n")
    await conn.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\nreached")


network.server("web.example", 80)(web)
network.server("web.example", 443, tls=True)(web)


def strict_failures() -> str:
    return ";".join(network.failures)


COMMANDS: dict[str, Callable[[], object]] = {
    "refuse": lambda: network.refuse("x.example"),
    "blackhole": lambda: network.blackhole("X.example", 80),
    "refuse localhost": lambda: network.refuse("localhost", 9),
    "heal": network.heal,
    "strict": network.strict,
    "failures": strict_failures,
    "swap": lambda: network.names({"two.example": ["10.0.0.1", "10.0.0.2"]}),
}


@network.server("control.example", 7)
async def control(conn: Conn) -> None:
    line = await conn.read_until(b"\n")
    result = COMMANDS[line.decode().strip()]()
    await conn.write(f"{result if isinstance(result, str) else 'ok'}\n".encode())
