"""The first frame of a node: `{connect, Protocol, Token}`. Whoever says something else is refused."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable

from ..codec.etf import EtfError, Limits, decode, encode_body
from ..codec.show import shown
from ..codec.terms import Atom
from ..wire.framing import HEADER
from ..wire.messages import PROTOCOL

__all__ = ["Refusals", "RefusedError", "credentials", "label_of", "peer_of", "refuse"]

TERM = Limits(depth=2, inflated=0)
CREDENTIALS = struct.Struct("3i")  # process, user, group: struct ucred
FAREWELL = 1.0  # seconds: for the node to read why it is refused


class RefusedError(Exception):
    """Why a node gets no session."""


async def label_of(sock: socket.socket, admit: Callable[[bytes], str | None], longest: int) -> str:
    """What this process calls the node. Raises RefusedError, EOFError and OSError."""
    size = int.from_bytes(await _read(sock, HEADER), "big")
    if size > longest:
        raise RefusedError(f"its first frame has {size} bytes: this is no node of inetpy")
    try:
        term = decode(await _read(sock, size), TERM)
    except EtfError:
        term = None
    match term:
        case (Atom(name="connect"), protocol, bytes() as token):
            if protocol != PROTOCOL:
                raise RefusedError(
                    f"the node speaks protocol {shown(protocol)}, this inetpy {PROTOCOL}: "
                    "install the same version of both"
                )
            label = admit(token)
            if label is None:
                raise RefusedError(
                    "the token is not the right one"
                    if token
                    else "the node shows no token: it needs INETPY_TOKEN or INETPY_TOKEN_FILE"
                )
            return label
    raise RefusedError("its first frame is none of a node of inetpy")


async def refuse(sock: socket.socket, why: str) -> None:
    """Tells a node, and waits a moment until it has read that.

    What it has sent is not read, and to close at once would drop what is on its way to it.
    """
    frame = encode_body((Atom("refused"), why))
    try:
        sock.send((len(frame) + 1).to_bytes(HEADER, "big") + b"\x83" + frame)
        sock.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(FAREWELL):
            while await asyncio.get_running_loop().sock_recv(sock, 1 << 12):
                pass
    except (OSError, TimeoutError):
        pass


async def _read(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises EOFError."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(sock, size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def credentials(sock: socket.socket) -> tuple[int, int] | None:
    """The process and the user at the other end of a unix socket; the process is 0 in another namespace."""
    if sock.family != socket.AF_UNIX:
        return None
    process, user, _ = CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    )
    return process, user


def peer_of(sock: socket.socket) -> str:
    """For the log."""
    known = credentials(sock)
    if known is not None:
        return f"process {known[0] or 'of another namespace'} of user {known[1]}"
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "gone"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Refusals:
    """Lines of the log about strangers, who could write as many as they like: at most ten in ten seconds."""

    def __init__(self, write: Callable[[str], None], most: int = 10, seconds: float = 10.0) -> None:
        self._write = write
        self._most = most
        self._seconds = seconds
        self._begun = float("-inf")
        self._count = 0

    def say(self, line: str) -> None:
        now = time.monotonic()
        if now - self._begun >= self._seconds:
            left_out = self._count - self._most
            if left_out > 0:
                self._write(f"{left_out} more lines like these were left out")
            self._begun, self._count = now, 0
        self._count += 1
        if self._count <= self._most:
            self._write(line)
