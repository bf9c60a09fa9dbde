"""The options of sockets in memory."""

from __future__ import annotations

import errno
import struct
from socket import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_PEERCRED,
    SO_PROTOCOL,
    SO_SNDBUF,
    SO_TYPE,
    SOL_SOCKET,
)
from typing import Any

from .errors import os_error
from .flags import MSG_PEEK
from .memory_journal import Journal
from .memory_kinds import kind_of
from .memory_rules import Rules

__all__ = ["Options"]

SO_PEEK_OFF = 42  # of asm-generic/socket.h
_MTU = {(IPPROTO_IP, 14), (IPPROTO_IPV6, 24)}  # IP_MTU and IPV6_MTU
_INT = struct.Struct("=i")
_OVERHEAD = 32  # bytes of the send buffer that a packet of the unix domain cannot have


class Options:
    """What getsockopt(2) and setsockopt(2) know of a socket.

    options: the values that were set last.
    journal: all that was set, for the kernel to say what it makes of it; None where no kernel is asked.
    """

    type: int
    is_bound: bool

    def __init__(self, rules: Rules, family: int) -> None:
        self.family = family
        self.peek_offset = -1  # SO_PEEK_OFF: where the next read with MSG_PEEK starts; negative: at the start
        self.error = 0  # SO_ERROR: the next call reports it
        self.options: dict[tuple[int, int], int | bytes] = {}
        self.journal: Journal | None = rules.new_journal(family, self.type)

    @property
    def protocol(self) -> int:
        return kind_of(self.family, self.type)[1]

    @property
    def is_listening(self) -> bool:
        return False

    def report_error(self) -> None:
        """The kernel reports an error once."""
        number, self.error = self.error, 0
        if number:
            raise os_error(number)

    def is_set(self, level: int, option: int) -> bool:
        """Whether an option was switched on, without asking the kernel."""
        value = self.options.get((level, option), 0)
        return bool(value if isinstance(value, int) else any(value[:4]))

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        """What the kernel makes of what was set; without a kernel the value as it was set, or zero."""
        value = self._own_option(option) if level == SOL_SOCKET else None
        if (level, option) in _MTU:
            value = self.path_mtu()
        if value is not None:
            return self._in_form(value if isinstance(value, bytes) else _INT.pack(value), size)
        if self.journal is not None:
            return self.journal.get(level, option, size)
        value = self.options.get((level, option), 0)
        if isinstance(value, bytes):
            return self._in_form(value, size)
        return value.to_bytes(size, "little", signed=value < 0) if size else value

    def _in_form(self, value: bytes, size: int) -> int | bytes:
        """A value as bytes, or as a number where no size is asked for."""
        return value[:size] if size else int.from_bytes(value[:4], "little", signed=True)

    def path_mtu(self) -> int | None:
        """The largest packet on the way to the peer, in bytes. None: there is no peer."""
        return None

    def _own_option(self, option: int) -> int | bytes | None:
        """The value of an option of SOL_SOCKET that the socket itself knows. None of others."""
        if option == SO_ERROR:
            number, self.error = self.error, 0
            return number
        if option == SO_ACCEPTCONN:
            return int(self.is_listening)
        if option == SO_PEEK_OFF:
            return self.peek_offset
        if option == SO_PEERCRED:
            return self.peer_credentials()
        return {SO_DOMAIN: self.family, SO_TYPE: int(self.type), SO_PROTOCOL: self.protocol}.get(option)

    def check_packet(self, size: int) -> None:
        """Raises EMSGSIZE for a packet of the unix domain that the send buffer cannot have as a whole."""
        if size > self.getsockopt(SOL_SOCKET, SO_SNDBUF) - _OVERHEAD > 0:
            raise os_error(errno.EMSGSIZE)

    def peer_credentials(self) -> bytes | None:
        """A struct ucred. None: there is no peer."""
        return None

    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None:
        if (level, option) == (IPPROTO_IPV6, IPV6_V6ONLY) and self.is_bound:
            raise os_error(errno.EINVAL)
        self._note(level, option, value)
        if (level, option) == (SOL_SOCKET, SO_PEEK_OFF):
            self.peek_offset = value if isinstance(value, int) else _INT.unpack(value[:4])[0]

    # --- SO_PEEK_OFF ---

    def peek_start(self, flags: int) -> int:
        """How many bytes a read with MSG_PEEK passes over."""
        return max(self.peek_offset, 0) if flags & MSG_PEEK else 0

    def peeks_from(self, flags: int) -> bool:
        """Whether a read is one with MSG_PEEK from an offset on."""
        return bool(flags & MSG_PEEK) and self.peek_offset >= 0

    def move_peek(self, flags: int, count: int) -> None:
        """A read with MSG_PEEK moves the offset on, one without moves it back."""
        if self.peek_offset >= 0:
            self.peek_offset = max(0, self.peek_offset + (count if flags & MSG_PEEK else -count))

    def _note(self, level: int, option: int, value: int | bytes) -> None:
        if self.journal is not None:
            self.journal.set(level, option, value)
        self.options[level, option] = value
