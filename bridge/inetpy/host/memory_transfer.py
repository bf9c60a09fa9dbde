"""Sending and receiving of stream sockets in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from socket import (
    AF_UNIX,
    SO_OOBINLINE,
    SO_PASSCRED,
    SO_RCVLOWAT,
    SOL_SOCKET,
)
from typing import Any

from .api import HANGUP, Buffer
from .errors import os_error
from .flags import MSG_CMSG_CLOEXEC, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK
from .memory_base import MemoryAddresses, MemorySocket
from .memory_control import Message, fit, parse_unix, unix_messages, with_credentials
from .memory_places import Address
from .memory_ways import PLAIN, Head, Way

__all__ = ["Transfer"]


class Transfer(MemorySocket):
    """What an end of a connection is, and what comes of its calls.

    inward, outward: the two ways of the connection; None where there is none.
    """

    backlog: int

    def __init__(self, network: MemoryAddresses, family: int) -> None:
        super().__init__(network, family)
        self.is_connecting = False
        self.inward: Way[Transfer] | None = None
        self.outward: Way[Transfer] | None = None
        self.is_reset = False
        self.is_deaf = False  # shut down for reading
        self.is_dumb = False  # shut down for writing, before there was a connection

    # --- readiness ---

    def _hangup(self, no_input: bool, no_output: bool) -> int:
        return HANGUP if no_input and no_output else 0

    def _has_ended(self, outward: Way[Transfer]) -> bool:
        return outward.is_ended or self.is_dumb

    def _has_input(self, inward: Way[Transfer]) -> bool:
        return inward.has_input(self._is_inline, self._least)

    def _room_to(self, reader: Transfer, capacity: int | None = None) -> tuple[int, int]:
        return self.network.rules.stream_room(self, reader, capacity or self.network.capacity)

    def _has_room(self, outward: Way[Transfer]) -> bool:
        return len(outward.data) <= outward.writable

    @property
    def _is_inline(self) -> bool:
        return self.is_set(SOL_SOCKET, SO_OOBINLINE)

    @property
    def _least(self) -> int:
        """With how many bytes poll(2) says that there is something to read."""
        least = 1 if self.family == AF_UNIX else self.options.get((SOL_SOCKET, SO_RCVLOWAT), 1)
        return max(1, least if isinstance(least, int) else int.from_bytes(least[:4], "little"))

    # --- receiving and sending ---

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Address]:
        data, head, _ = self._receive(size, flags)
        if head is None:
            return data, None
        head.drop()
        return data, self._source()

    def recvmsg(
        self, size: int, control_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Message], int, Address]:
        data, head, received = self._receive(size, flags)
        messages = [] if head is None or self.family != AF_UNIX else self._messages(head)
        fitting, cut = fit(messages, control_size)
        return (
            data,
            fitting,
            received | cut | flags & MSG_CMSG_CLOEXEC,
            None if head is None else self._source(),
        )

    def _messages(self, head: Head) -> list[Message]:
        return unix_messages(self.is_set, head)

    def _source(self) -> Address:
        """A unix socket says who has sent, if that socket has a name."""
        return (self.remote or None) if self.family == AF_UNIX else None

    def _receive(self, size: int, flags: int) -> tuple[bytes, Head | None, int]:
        """The data, what came with it, and the flags of the message. None: nothing will come any more."""
        if flags & MSG_OOB:
            return self._receive_urgent(size, bool(flags & MSG_PEEK)), PLAIN, MSG_OOB
        if self.family != AF_UNIX and flags & MSG_ERRQUEUE:
            raise os_error(errno.EAGAIN)
        inward = self.inward
        if inward is None:
            return self._receive_nothing(), None, 0
        if inward.data:
            data, head = self._take_from(inward, size, flags)
            if data or not size:
                self.move_peek(flags, len(data))
                return data, head, 0
        if self.family == AF_UNIX or not inward.is_ended:
            self.report_error()
        if not (inward.is_ended or self.is_deaf or self.is_reset):
            raise os_error(errno.EAGAIN)
        return b"", None, 0

    def _receive_nothing(self) -> bytes:
        """There is no connection, or none yet. A listener keeps the error of an earlier connect."""
        is_listener = self.backlog >= 0
        if not is_listener:
            self.report_error()
        if self.is_connecting:
            raise os_error(errno.EAGAIN)
        if self.family != AF_UNIX and not is_listener and (self.is_deaf or self.is_reset):
            return b""
        raise os_error(errno.EINVAL if self.family == AF_UNIX else errno.ENOTCONN)

    def _take_from(self, inward: Way[Transfer], size: int, flags: int) -> tuple[bytes, Head]:
        start, by_sender = self.peek_start(flags), self.is_set(SOL_SOCKET, SO_PASSCRED)
        if flags & MSG_PEEK and self.family == AF_UNIX:
            data, head = inward.peek_with_head(start, size, by_sender)
            return data, head.copy()
        if flags & MSG_PEEK:
            return inward.peek(start, size, self._is_inline), PLAIN
        if self.family == AF_UNIX:
            taken = inward.take_with_head(size, by_sender)
        else:
            taken = inward.take(size, self._is_inline), PLAIN
        assert self.outward is not None
        self.outward.reader.changed()
        return taken

    def _receive_urgent(self, size: int, is_peek: bool) -> bytes:
        if self.family == AF_UNIX:
            raise os_error(errno.EOPNOTSUPP)
        if self.backlog >= 0:
            raise os_error(errno.ENOTCONN)
        if self._is_inline or self.inward is None:
            raise os_error(errno.EINVAL)
        return self.inward.take_urgent(is_peek)[:size]

    def unread(self) -> int:
        if self.backlog >= 0:
            raise os_error(errno.EINVAL)
        return 0 if self.inward is None else self.inward.unread(self._is_inline)

    def is_at_mark(self) -> bool:
        return self.inward is not None and self.inward.urgent == 0

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self._send(data, flags, PLAIN)

    def sendto(self, data: Buffer, address: Address, /) -> int:
        if address is not None and self.family == AF_UNIX:
            self._check_address()
        return self._send(data, 0, PLAIN)

    def sendmsg(
        self, buffers: Iterable[Buffer], control: Any = (), flags: int = 0, address: Address = None, /
    ) -> int:
        data = b"".join(buffers)
        if self.family != AF_UNIX:
            return self._send(data, flags, PLAIN)
        head = parse_unix(control)
        try:
            if address is not None:
                self._check_address()
            return self._send(data, flags, head)
        except OSError:
            head.drop()
            raise

    def _check_address(self) -> None:
        """A stream of the unix domain does not send to addresses."""
        raise os_error(errno.EOPNOTSUPP if self.outward is None else errno.EISCONN)

    def _send(self, data: Buffer, flags: int, head: Head) -> int:
        outward = self.outward
        if outward is None:
            return self._send_nowhere()
        if not self._is_cut():
            self.report_error()
        if self._has_ended(outward) or self.is_reset or self._is_cut():
            raise os_error(errno.EPIPE)
        reader = outward.reader
        if reader.closed:
            self._reset()  # is how the other end answers to the bytes
            return len(data)
        if self.family != AF_UNIX and reader.is_deaf_and_dumb():
            reader._reset()
            self._reset()
            return len(data)
        return self._put(outward, data, flags, head)

    def _send_nowhere(self) -> int:
        self.report_error()
        if self.is_connecting:
            raise os_error(errno.EAGAIN)
        raise os_error(errno.ENOTCONN if self.family == AF_UNIX else errno.EPIPE)

    def _put(self, outward: Way[Transfer], data: Buffer, flags: int, head: Head) -> int:
        """As many of the bytes as there is room for."""
        room = outward.capacity - len(outward.data)
        if room <= 0:
            raise os_error(errno.EAGAIN)
        data = data[:room]
        if self.family == AF_UNIX:
            if flags & MSG_OOB:
                raise os_error(errno.EOPNOTSUPP)
            if not data:
                head.drop()
                return 0
            outward.put(data, with_credentials(head, self, outward.reader))
        elif flags & MSG_OOB and data:
            outward.put_urgent(data, outward.reader._is_inline)
        else:
            outward.put(data)
        return len(data)

    def _is_cut(self) -> bool:
        """A unix socket knows that the other end has gone, or is deaf. Others learn it when they send."""
        assert self.outward is not None
        reader = self.outward.reader
        return self.family == AF_UNIX and (reader.closed or reader.is_deaf)

    # --- the end ---

    def is_deaf_and_dumb(self) -> bool:
        """Shut down in both directions: it answers to bytes as if it was closed."""
        return self.is_deaf and self.outward is not None and self.outward.is_ended

    def _is_over(self) -> bool:
        """Both ends have sent their FIN: the connection is none any more. Unix sockets do not mind."""
        assert self.inward is not None
        assert self.outward is not None
        return self.family != AF_UNIX and self.inward.is_ended and self.outward.is_ended

    def _reset_peer(self) -> None:
        assert self.outward is not None
        self.outward.reader._reset()

    def _reset(self) -> None:
        """The other end has sent a reset. What it had sent before can be read still."""
        if self.inward is not None:
            self.reset_with(errno.EPIPE if self.inward.is_ended else errno.ECONNRESET)

    def reset_with(self, number: int) -> None:
        """The connection is gone. The next call that finds no data gets the error."""
        if not self.closed:
            self.is_reset = True
            self.release_port()
            self.fail_with(number)
