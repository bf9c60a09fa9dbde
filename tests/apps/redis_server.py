"""A server that understands some commands of Redis: PING, SET, GET, INCR."""

from __future__ import annotations

from typing import Protocol

from inetpy import Network


class Conn(Protocol):
    async def read_exactly(self, n: int) -> bytes: ...
    async def read_until(self, separator: bytes) -> bytes: ...
    async def write(self, data: bytes) -> None: ...


class MiniRedis:
    """The data of one server. `connections`: how many there were."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.connections = 0

    def serve(self, network: Network, host: str, port: int) -> None:
        network.server(host, port)(self.handle)

    async def handle(self, conn: Conn) -> None:
        self.connections += 1
        while True:
            await conn.write(self.answer(*await read_command(conn)))

    def answer(self, word: bytes, *rest: bytes) -> bytes:
        match word.upper(), rest:
            case b"PING", ():
                return b"+PONG\r\n"
            case b"SET", (key, value):
                self.values[key] = value
                return b"+OK\r\n"
            case b"GET", (key,):
                if (found := self.values.get(key)) is None:
                    return b"$-1\r\n"
                return b"$%d\r\n%b\r\n" % (len(found), found)
            case b"INCR", (key,):
                number = int(self.values.get(key, b"0")) + 1
                self.values[key] = b"%d" % number
                return b":%d\r\n" % number
        return b"-ERR unknown command '%b'\r\n" % word


async def read_command(conn: Conn) -> list[bytes]:
    count = await read_number(conn)
    return [(await conn.read_exactly(await read_number(conn) + 2))[:-2] for _ in range(count)]


async def read_number(conn: Conn) -> int:
    return int((await conn.read_until(b"\r\n"))[1:])
