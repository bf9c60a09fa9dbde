"""What a store answers: `get KEY` with a value that is made of the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inetpy.network.conn import Conn


async def store(conn: Conn) -> None:
    """One request and its answer."""
    _, key = (await conn.read_until(b"\r\n")).split()
    value = b"value %s " % key * 500
    await conn.write(b"$%d\r\n%s\r\n" % (len(value), value))
