"""A server of names, in memory and on the loopback interface.

`www.test` has one address; other names are not known.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

WWW = b"\3www\4test\0"
A, IN = b"\0\1", b"\0\1"


def answer(query: bytes, address: str) -> bytes:
    """The answer to a query of one question (RFC 1035)."""
    number, question = query[:2], query[12:]
    if question.lower() != WWW + A + IN:
        return number + b"\x81\x83" + b"\0\1\0\0\0\0\0\0" + question  # no such name
    record = b"\xc0\x0c" + A + IN + b"\0\0\0\0" + b"\0\4" + socket.inet_aton(address)  # good for 0 seconds
    return number + b"\x81\x80" + b"\0\1\0\1\0\0\0\0" + question + record


# --- the real event -----------------------------------------------------------

Event = Callable[[bytes], list[bytes]]  # the datagrams that come in place of an answer


def lost(_answer: bytes) -> list[bytes]:
    return []


def twice(answer: bytes) -> list[bytes]:
    return [answer, answer]


def cut(size: int) -> Event:
    return lambda answer: [answer[:size]]


def unknown(answer: bytes) -> list[bytes]:
    return [answer[:2] + b"\x81\x83" + b"\0\1\0\0\0\0\0\0" + answer[12 : 12 + len(WWW) + 4]]


class Overtaken:
    """An answer comes behind the next one."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def __call__(self, answer: bytes) -> list[bytes]:
        if not self._held:
            self._held.append(answer)
            return []
        return [answer, *self._held]


class RealNames:
    """The server on a port of the loopback interface, where www.test is too.

    events: one for each query, in their order; the last one is for all further queries.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(1 << 16)
            if not query:
                return
            event = self.events.pop(0) if len(self.events) > 1 else self.events[0]
            for datagram in event(answer(query, "127.0.0.1")):
                self._socket.sendto(datagram, sender)

    def end(self) -> None:
        with suppress(OSError):
            self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
