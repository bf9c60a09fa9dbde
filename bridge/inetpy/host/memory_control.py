"""Control messages of sockets in memory: cmsg(3)."""

from __future__ import annotations

import array
import errno
import os
import struct
import time
from collections.abc import Iterable
from socket import SCM_CREDENTIALS, SCM_RIGHTS, SO_PASSCRED, SOL_SOCKET
from typing import Any

from .errors import os_error
from .flags import MSG_CTRUNC
from .memory_ways import Head

__all__ = [
    "Control",
    "Message",
    "fit",
    "now_stamps",
    "own_credentials",
    "parse_unix",
    "unix_messages",
    "with_credentials",
]

Message = tuple[int, int, bytes]
Control = Iterable[tuple[int, int, Any]]

HEADER = 16  # bytes of a struct cmsghdr
_NOBODY = (0, 65534, 65534)  # the credentials of a sender that nobody asked for when he sent
_CREDENTIALS = struct.Struct("=iII")
SO_TIMESTAMP, SO_TIMESTAMPNS = 29, 35


def fit(messages: Iterable[Message], room: int) -> tuple[list[Message], int]:
    """The messages as far as there is room, and MSG_CTRUNC if it is too little: put_cmsg() of the kernel."""
    fitting: list[Message] = []
    is_cut = False
    for level, kind, data in messages:
        left = max(room - HEADER, 0)
        is_rights = (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
        kept = _fit_rights(data, left) if is_rights else data[:left]
        is_cut = is_cut or len(kept) < len(data) or room < HEADER
        if room >= HEADER and (kept or not is_rights):
            fitting.append((level, kind, kept))
            room -= min(room, HEADER + (len(data) + 7 & ~7))
    return fitting, MSG_CTRUNC if is_cut else 0


def _fit_rights(data: bytes, room: int) -> bytes:
    """As many descriptors as there is room for. The others are closed."""
    kept = room & ~3
    for descriptor in array.array("i", data[kept:]):
        os.close(descriptor)
    return data[:kept]


def now_stamps(is_set: Any) -> list[Message]:
    """When data has come, if the receiver wants to know."""
    if is_set(SOL_SOCKET, SO_TIMESTAMPNS):
        seconds, rest = divmod(time.time_ns(), 10**9)
        return [(SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("=qq", seconds, rest))]
    if is_set(SOL_SOCKET, SO_TIMESTAMP):
        seconds, rest = divmod(time.time_ns() // 1000, 10**6)
        return [(SOL_SOCKET, SO_TIMESTAMP, struct.pack("=qq", seconds, rest))]
    return []


def parse_unix(control: Control) -> Head:
    """What a unix socket sends with its bytes. Raises OSError; the descriptors are copies."""
    credentials: tuple[int, int, int] | None = None
    rights: list[int] = []
    try:
        for level, kind, data in control:
            if level != SOL_SOCKET:
                continue
            if kind == SCM_RIGHTS:
                numbers = array.array("i", bytes(data)[: len(data) & ~3])
                rights.extend(map(os.dup, numbers))
            elif kind == SCM_CREDENTIALS:
                credentials = _parse_credentials(bytes(data))
            else:
                raise os_error(errno.EINVAL)
    except OSError:
        Head(None, tuple(rights)).drop()
        raise
    return Head(credentials, tuple(rights))


def _parse_credentials(data: bytes) -> tuple[int, int, int]:
    if len(data) != _CREDENTIALS.size:
        raise os_error(errno.EINVAL)
    process, user, group = _CREDENTIALS.unpack(data)
    if os.geteuid() and (process, user, group) != own_credentials():
        raise os_error(errno.EPERM)
    if process <= 0:  # for kill(2) these are groups
        raise os_error(errno.ESRCH)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        raise os_error(errno.ESRCH) from None
    except PermissionError:
        pass  # it is there
    return process, user, group


def own_credentials() -> tuple[int, int, int]:
    return os.getpid(), os.getuid(), os.getgid()


def with_credentials(head: Head, sender: Any, receiver: Any) -> Head:
    """The kernel notes the sender where one of the two wants that, when he sends."""
    if head.credentials is None and any(end.is_set(SOL_SOCKET, SO_PASSCRED) for end in (sender, receiver)):
        return head._replace(credentials=own_credentials())
    return head


def unix_messages(is_set: Any, head: Head) -> list[Message]:
    """What the receiver of a head gets of it, in the order of the kernel."""
    messages: list[Message] = []
    if is_set(SOL_SOCKET, SO_PASSCRED):
        messages.append((SOL_SOCKET, SCM_CREDENTIALS, _CREDENTIALS.pack(*(head.credentials or _NOBODY))))
    if head.rights:
        messages.append((SOL_SOCKET, SCM_RIGHTS, array.array("i", head.rights).tobytes()))
    return messages
