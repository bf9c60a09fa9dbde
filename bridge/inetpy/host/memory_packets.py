"""Sockets of the unix domain that keep packets apart, in their order: SOCK_SEQPACKET."""

from __future__ import annotations

import errno
from socket import SOCK_SEQPACKET

from .api import Buffer
from .errors import os_error
from .flags import MSG_OOB, MSG_PEEK, MSG_TRUNC
from .memory_control import Message, now_stamps, unix_messages, with_credentials
from .memory_streams import MemoryStream
from .memory_transfer import Transfer
from .memory_ways import Head, Way

__all__ = ["MemorySeqpacket"]


class MemorySeqpacket(MemoryStream):
    """It connects and ends as a stream does. A packet may be empty, and what a read leaves of it is lost."""

    type = SOCK_SEQPACKET

    def _new_server(self) -> MemoryStream:
        return MemorySeqpacket(self.network, self.family)

    def _has_input(self, inward: Way[Transfer]) -> bool:
        return bool(inward.packets)

    def _has_room(self, outward: Way[Transfer]) -> bool:
        return self.network.rules.packets_fit(self, list(outward.packets), self.network.capacity, 4)

    def _messages(self, head: Head) -> list[Message]:
        return now_stamps(self.is_set) + unix_messages(self.is_set, head)

    def _receive(self, size: int, flags: int) -> tuple[bytes, Head | None, int]:
        inward = self.inward
        if inward is None:
            raise os_error(errno.ENOTCONN)
        if flags & MSG_OOB:
            raise os_error(errno.EOPNOTSUPP)
        self.report_error()
        found = inward.peek_packet(self.peek_start(flags), self.peeks_from(flags))
        if found is None:
            if not (inward.is_ended or self.is_deaf):
                raise os_error(errno.EAGAIN)
            return b"", None, 0
        data, head = found
        if flags & MSG_PEEK:
            head = head.copy()
            self.move_peek(flags, min(size, len(data)))
        else:
            inward.drop_packet()
            self.move_peek(flags, len(data))
            assert self.outward is not None
            self.outward.reader.changed()
        return data[:size], head, MSG_TRUNC if len(data) > size else 0

    def is_at_mark(self) -> bool:
        raise os_error(errno.EOPNOTSUPP)

    def _check_address(self) -> None:
        """An address counts for nothing."""

    def _send(self, data: Buffer, flags: int, head: Head) -> int:
        if self.outward is not None:
            self.report_error()  # also where the peer has gone
            if flags & MSG_OOB:
                raise os_error(errno.EOPNOTSUPP)
            self.check_packet(len(data))
        return super()._send(data, flags, head)

    def _put(self, outward: Way[Transfer], data: Buffer, _flags: int, head: Head) -> int:
        if not self.network.rules.packets_fit(self, list(outward.packets), self.network.capacity):
            raise os_error(errno.EAGAIN)
        outward.put_packet(bytes(data), with_credentials(head, self, outward.reader))
        return len(data)
