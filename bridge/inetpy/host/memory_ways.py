"""A direction of a connection in memory: bytes, what came with them, and urgent data."""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Generic, NamedTuple, Protocol, TypeVar

from .errors import os_error

__all__ = ["Head", "PLAIN", "Reader", "Way", "passes"]


class Head(NamedTuple):
    """What came with bytes of a unix socket.

    credentials: process, user and group of the sender, if somebody wanted to know. rights: descriptors.
    is_peeked: of a packet without bytes: a read with MSG_PEEK and an offset has seen it already.
    """

    credentials: tuple[int, int, int] | None = None
    rights: tuple[int, ...] = ()
    is_peeked: bool = False

    def copy(self) -> Head:
        """With copies of the descriptors."""
        return self._replace(rights=tuple(map(os.dup, self.rights)))

    def drop(self) -> None:
        """Nobody gets the descriptors."""
        for descriptor in self.rights:
            os.close(descriptor)


PLAIN = Head()


def passes(start: int, length: int, is_peeked: bool) -> bool:
    """Whether a read that starts at `start` passes over a packet."""
    return start >= length and bool(start or is_peeked)


class Reader(Protocol):
    """A socket, the end of a way."""

    def changed(self) -> None: ...


R = TypeVar("R", bound=Reader)


class Way(Generic[R]):
    """One direction of a connection: bytes on their way to `reader`.

    capacity: how many it takes. writable: with how many of them, or fewer, poll(2) says that it is writable.
    packets: the sizes of the packets of a seqpacket socket.
    urgent: how many bytes stand before the urgent one; None if there is none, or it has been passed.
    urgent_byte: the urgent byte, which nobody has read yet.
    """

    __slots__ = (
        "capacity", "data", "heads", "is_ended", "packets", "reader", "urgent", "urgent_byte", "writable",
    )  # fmt: skip

    def __init__(self, reader: R, capacity: int, writable: int | None = None) -> None:
        self.reader = reader
        self.capacity = capacity
        self.writable = capacity - 1 if writable is None else writable
        self.data = bytearray()
        self.heads: deque[tuple[int, Head]] = deque()  # with the number of the bytes; none if all are PLAIN
        self.packets: deque[int] = deque()
        self.is_ended = False  # a FIN stands behind the data
        self.urgent: int | None = None
        self.urgent_byte: bytes | None = None

    def end(self) -> None:
        self.is_ended = True
        self.reader.changed()

    # --- putting ---

    def put(self, data: bytes | memoryview, head: Head = PLAIN) -> None:
        """Appends bytes; with a head only a unix socket."""
        if self.heads or head != PLAIN:
            if not self.heads and self.data:
                self.heads.append((len(self.data), PLAIN))
            self.heads.append((len(data), head))
        self.data += data
        self.reader.changed()

    def put_urgent(self, data: bytes | memoryview, is_inline: bool) -> None:
        """The last byte is the urgent one from now on. If the one before it stands first, it is lost."""
        if self.urgent == 0 and not is_inline:
            del self.data[:1]
        self.urgent = len(self.data) + len(data) - 1
        self.urgent_byte = bytes(data[-1:])
        self.put(data)

    # --- taking ---

    def has_input(self, is_inline: bool, least: int = 1) -> bool:
        """Whether poll(2) says that there is something to read."""
        return len(self.data) >= least + (self.urgent == 0 and not is_inline)

    def unread(self, is_inline: bool) -> int:
        """How many bytes can be read at once: those before the urgent one."""
        return len(self.data) if is_inline or self.urgent is None else self.urgent

    def peek(self, start: int, size: int, is_inline: bool) -> bytes:
        """As `take`, of bytes from `start` on, which stay."""
        urgent = -1 if self.urgent is None else self.urgent - start
        if urgent == 0 and not is_inline:
            start += 1
        elif urgent > 0:
            size = min(size, urgent)
        return bytes(self.data[start : start + size])

    def take(self, size: int, is_inline: bool) -> bytes:
        """Up to `size` bytes, and up to the urgent one. Where it stands first, it is left out, or inline."""
        data = self.peek(0, size, is_inline)
        self._drop(len(data) + (self.urgent == 0 and not is_inline))
        return data

    def _drop(self, count: int) -> None:
        del self.data[:count]
        if self.urgent is not None:
            self.urgent -= count
            if self.urgent < 0:
                self.urgent = self.urgent_byte = None

    def take_urgent(self, is_peek: bool) -> bytes:
        """Raises EINVAL where there is none to be read."""
        byte = self.urgent_byte
        if byte is None:
            raise os_error(errno.EINVAL)
        if not is_peek:
            self.urgent_byte = None
        return byte

    def peek_with_head(
        self, start: int, size: int, by_sender: bool, is_peek: bool = True
    ) -> tuple[bytes, Head]:
        """Bytes of a unix socket from `start` on, and what came with them. They stay.

        Bytes behind those with descriptors are left; with `by_sender` those of another sender, too. A peek
        tells of the first descriptors also where its bytes end before.
        """
        found: Head | None = None
        end = 0
        for number, head in self.heads:
            if found is not None and by_sender and head.credentials != found.credentials:
                break
            end += number
            if end > start:
                found = (found or head)._replace(rights=head.rights)
                if head.rights or (end >= start + size and not is_peek):
                    break
        if not self.heads:
            end = len(self.data)
        return bytes(self.data[start : min(start + size, end)]), found or PLAIN

    def take_with_head(self, size: int, by_sender: bool) -> tuple[bytes, Head]:
        data, head = self.peek_with_head(0, size, by_sender, is_peek=False)
        del self.data[: len(data)]
        self._drop_heads(len(data))
        return data, head

    def _drop_heads(self, count: int) -> None:
        while count and self.heads:
            number, head = self.heads.popleft()
            if number > count:  # its descriptors went with its first bytes
                self.heads.appendleft((number - count, head._replace(rights=())))
            count -= min(number, count)
        if not self.data:
            self.heads.clear()

    def peek_packet(self, start: int, with_offset: bool) -> tuple[bytes, Head] | None:
        """The rest of the packet that has the byte at `start`, and what came with it. None: there is none.

        with_offset: a packet without bytes is seen once.
        """
        at = 0
        for number, (length, (_, head)) in enumerate(zip(self.packets, self.heads, strict=True)):
            if not passes(start, length, with_offset and head.is_peeked):
                if not length:
                    self.heads[number] = (0, head._replace(is_peeked=True))
                return bytes(self.data[at + start : at + length]), head
            start -= length
            at += length
        return None

    def drop_packet(self) -> None:
        """The first packet is gone."""
        del self.data[: self.packets.popleft()]
        self.heads.popleft()

    def put_packet(self, data: bytes, head: Head) -> None:
        self.packets.append(len(data))
        self.heads.append((len(data), head))
        self.data += data
        self.reader.changed()

    def discard(self) -> None:
        """Nobody reads what is left."""
        for _, head in self.heads:
            head.drop()
        self.heads.clear()
