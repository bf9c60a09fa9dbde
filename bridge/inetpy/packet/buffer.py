"""The receive buffer of a stream: bytes in, packets out, without I/O.

The rules are those of inet_drv (tcp_remain and its callers). A buffer is allocated when it is first
needed: with the length that the caller requested, otherwise with the size of the option `buffer` at
that time. It is freed when it is empty.
"""

from __future__ import annotations

from . import RAW, Settings

__all__ = ["InputBuffer"]


class InputBuffer:
    """Bytes that have been read from the socket and not yet delivered.

    data: None without a buffer. size: the capacity of the buffer. missing: how many bytes the
    current packet still needs; 0 if that is not known.

    `demand`, `fill` and `look` return the next step as a pair: (number of bytes to read, 0), or
    (0, length of the complete packet), or (-1, 0) if the bytes cannot start a packet.
    """

    __slots__ = ("data", "missing", "size")

    def __init__(self) -> None:
        self.data: bytearray | None = None
        self.size = 0
        self.missing = 0

    def demand(self, request: int, size: int, settings: Settings) -> tuple[int, int]:
        """The next step. `request`: the number of bytes that the caller wants, 0 for a packet.

        `size`: the capacity of a new buffer.
        """
        data = self.data
        if data is None:
            self.data = bytearray()
            self.size = request or size
            self.missing = request
            if request or settings.read_ahead:
                return self.size, 0
            return self._without_read_ahead(settings), 0
        if request:
            have = len(data)
            if have >= request:
                return 0, request
            self.size = max(self.size, request)
            self.missing = request - have
            return self.missing, 0
        if self.missing:
            return self.missing, 0
        return self.look(settings)

    def fill(self, chunk: bytes, settings: Settings) -> tuple[int, int]:
        """Adds bytes that were read, and returns the next step."""
        assert self.data is not None
        self.data += chunk
        if self.missing:
            self.missing -= len(chunk)
            return (self.missing, 0) if self.missing else (0, len(self.data))
        return self.look(settings)

    def look(self, settings: Settings) -> tuple[int, int]:
        """Looks for a packet at the start, and returns the next step."""
        assert self.data is not None
        have = len(self.data)
        length = settings.packet.length(self.data, settings, self.size)
        if length > have:
            self.size = max(self.size, length)
            self.missing = length - have
            return self.missing, 0
        if length > 0:
            return 0, length
        if length < 0:
            return -1, 0
        if not settings.read_ahead and settings.packet is not RAW:
            return self._without_read_ahead(settings), 0
        if self.size > have:
            return self.size - have, 0
        if settings.packet_size > have:
            self.size = settings.packet_size
            return self.size - have, 0
        return -1, 0

    def _without_read_ahead(self, settings: Settings) -> int:
        """How many bytes to read without read-ahead, while the length is unknown (packet_header_length)."""
        if settings.packet is RAW:
            return self.size
        return max(1, settings.packet.length_known_at - len(self.data or b""))

    def take(self, length: int) -> bytes:
        """Removes and returns the first `length` bytes."""
        assert self.data is not None
        self.missing = 0
        if length == len(self.data):
            taken = bytes(self.data)
            self.data = None
        else:
            taken = bytes(memoryview(self.data)[:length])
            del self.data[:length]
        return taken

    def put_back(self, data: bytes) -> None:
        """Puts bytes back in front of the others."""
        if self.data is None:
            self.data = bytearray(data)
            self.size = len(data)
        else:
            self.data[:0] = data
            self.size += len(data)
        self.missing = 0

    def clear(self) -> None:
        self.data = None
        self.missing = 0
