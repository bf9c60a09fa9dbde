"""TLS between a node and a server. Bytes go through a pair of sockets: a `Connection` has its descriptors.

    node ══TLS══ Wrapped ──socketpair── Connection

Both directions wait while the other side takes nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from .urls import Address

__all__ = ["Wrapped", "new_context"]

CHUNK = 1 << 16  # bytes
GOODBYE = 1.0  # seconds for the last bytes, and for the end of TLS: a stranger may stay silent for ever


def new_context(address: Address) -> ssl.SSLContext | None:
    """For `tls:`. Raises ValueError for files that cannot be used."""
    if address.kind != "tls":
        return None
    options = address.options
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options["cert"], options.get("key"))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"cert={options['cert']}: {_why(error)}") from None
    if "ca" in options:
        try:
            context.load_verify_locations(options["ca"])
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"ca={options['ca']}: {_why(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "this is no certificate with its private key, in PEM"
    return error.strerror or str(error)


class Wrapped:
    """A node that is reached over TLS. `plain`: what it says, and what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.plain, self._inner = socket.socketpair()
        self._reader = reader
        self._writer = writer

    @classmethod
    async def accepted(cls, sock: socket.socket, context: ssl.SSLContext) -> Wrapped:
        """After the handshake. Takes `sock`. Raises OSError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
        try:
            return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        except OSError:  # there is no descriptor left
            transport.abort()
            raise

    async def run(self) -> None:
        """Until one of both sides has ended."""
        inner_reader, inner_writer = await asyncio.open_connection(sock=self._inner, limit=CHUNK)
        inward = asyncio.ensure_future(_copy(self._reader, inner_writer))
        outward = asyncio.ensure_future(_copy(inner_reader, self._writer))
        try:
            await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
        finally:
            inward.cancel()
            outward.cancel()
            inner_writer.close()
            self._writer.close()
            asyncio.get_running_loop().call_later(GOODBYE, self._writer.transport.abort)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:  # of TLS, too
        pass
