#!/usr/bin/env python3
"""inetpy that counts the bytes it splices and reads: for tests/test_large.py.

counting_python.py FILE; the counts are in the file from the first of them on.
"""

import json
import socket
import sys
from pathlib import Path

from inetpy.host import pipes
from inetpy.host.linux import LinuxHost
from inetpy.links import stdio

FILE = Path(sys.argv[1])
COUNTS = {"spliced": 0, "read": 0}
splice = pipes.splice


def count(what: str, amount: int) -> None:
    COUNTS[what] += amount
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(COUNTS))
    new.rename(FILE)  # the reader of the file finds it whole


def counted_splice(sock: socket.socket, pipe: int, size: int) -> int:
    moved = splice(sock, pipe, size)
    count("spliced", moved)
    return moved


class Counted(socket.socket):
    def recv(self, *arguments: int) -> bytes:
        data = super().recv(*arguments)
        count("read", len(data))
        return data


pipes.splice = counted_splice
LinuxHost.open_socket = lambda _host, family, kind, _netns=None: Counted(family, kind | socket.SOCK_NONBLOCK)
sys.exit(stdio.run())
