"""The receive buffer of a stream: bytes in, packets out, without I/O.

The rules are those of inet_drv (tcp_remain and its callers). A buffer is made
when it is first needed, with room for what was asked for, or else of the size
that the option `buffer` has then; it is dropped when it has been emptied.
"""

from __future__ import annotations

from . import RAW, Settings

__all__ = ["InputBuffer"]


class InputBuffer:
    """Bytes that have been read and not yet handed out.

    data: None when there is no buffer. size: how many bytes it has room for.
    missing: how many bytes are known to be wanted, 0 when that is not known.

    The methods that say what comes next answer a pair: the number of bytes to
    read, or 0 and the length of the packet that is whole, or -1 when there
    cannot be a packet.
    """

    __slots__ = ("data", "missing", "size")

    def __init__(self) -> None:
        self.data: bytearray | None = None
        self.size = 0
        self.missing = 0

    def demand(self, request: int, size: int, settings: Settings) -> tuple[int, int]:
        """What comes next. `request`: the bytes that a caller wants, 0 for a packet.

        `size` is that of a new buffer.
        """
        data = self.data
        if data is None:
            self.data = bytearray()
            self.size = request or size
            self.missing = request
            if request or settings.read_ahead:
                return self.size, 0
            return self._just_enough(settings), 0
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
        """Adds what was read, and says what comes next."""
        assert self.data is not None
        self.data += chunk
        if self.missing:
            self.missing -= len(chunk)
            return (self.missing, 0) if self.missing else (0, len(self.data))
        return self.look(settings)

    def look(self, settings: Settings) -> tuple[int, int]:
        """Looks for a packet at the start, and says what comes next."""
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
            return self._just_enough(settings), 0
        if self.size > have:
            return self.size - have, 0
        if settings.packet_size > have:
            self.size = settings.packet_size
            return self.size - have, 0
        return -1, 0

    def _just_enough(self, settings: Settings) -> int:
        """The bytes to read when none beyond the packet may be (packet_header_length)."""
        if settings.packet is RAW:
            return self.size
        return max(1, settings.packet.smallest - len(self.data or b""))

    def take(self, length: int) -> bytes:
        """The first `length` bytes."""
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
        """Puts bytes in front of all others."""
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
