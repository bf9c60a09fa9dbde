"""Flags of recv(2) and send(2) as plain numbers.

Those of the socket module are of an enum: `flags & socket.MSG_PEEK` calls five functions of Python, and a
socket in memory asks so four times for each read.
"""

from __future__ import annotations

import socket

__all__ = [
    "MSG_CMSG_CLOEXEC",
    "MSG_CTRUNC",
    "MSG_ERRQUEUE",
    "MSG_MORE",
    "MSG_OOB",
    "MSG_PEEK",
    "MSG_TRUNC",
]

MSG_CMSG_CLOEXEC = int(socket.MSG_CMSG_CLOEXEC)
MSG_CTRUNC = int(socket.MSG_CTRUNC)
MSG_ERRQUEUE = int(socket.MSG_ERRQUEUE)
MSG_MORE = int(socket.MSG_MORE)
MSG_OOB = int(socket.MSG_OOB)
MSG_PEEK = int(socket.MSG_PEEK)
MSG_TRUNC = int(socket.MSG_TRUNC)
