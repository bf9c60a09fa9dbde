"""A connection in this process, and a node that is played by the test at the other end of its pipes."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from frames import parts
from in_process import BRIDGE, NODE, OUT, OWNER
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.host.linux import LinuxHost
from inetpy.links.connection import Connection
from inetpy.session.session import Session
from inetpy.wire.framing import FrameReader

__all__ = ["FakeNode", "fake_nodes"]

PATIENCE = 20.0  # seconds
TCP, INET = Atom("inetpy_tcp"), Atom("inet")
PASSIVE = [Atom("binary"), (Atom("active"), Atom("false"))]


class FakeNode:
    """See the module. The pipe to the node holds 64 KB, and is read only when the test asks for frames.

    heard: the terms of all frames so far, read or not.
    """

    def __init__(self, fast: bool = True) -> None:
        self.patience = PATIENCE
        self.loop = asyncio.new_event_loop()
        self.failures: list[object] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        source, self._to_bridge = os.pipe()
        self._from_bridge, sink = os.pipe()
        self._descriptors = (source, sink, self._to_bridge, self._from_bridge)
        for descriptor in self._descriptors:
            os.set_blocking(descriptor, False)
        self._frames = FrameReader()
        self._asked = 0
        self.heard: list[Any] = []
        self._unread: list[Any] = []
        self.connection = Connection(
            LinuxHost(self.loop), source, sink, lambda: None, self.failures.append, fast=fast
        )
        self.connection.begin()
        capabilities = [(Atom("otp_release"), 25), (Atom("buffer"), 1460)]
        self.say((Atom("hello"), 1, capabilities, BRIDGE, OUT))
        self.hear(lambda term: term[0] == Atom("hello"))
        self.run(lambda: self.connection.session is not None)

    # --- frames ---

    def say(self, *terms: object) -> None:
        """The frames are in the pipe, or have been read from it, afterwards."""
        for term in terms:
            body = encode(term)
            left = len(body).to_bytes(4, "big") + body
            while left:
                try:
                    left = left[os.write(self._to_bridge, left) :]
                except BlockingIOError:
                    self.turn()

    def request(self, op: str, ident: int, args: object) -> Ref:
        self._asked += 1
        ref = Ref(b"Z\0\3" + NODE + bytes(4) + self._asked.to_bytes(12, "big"))
        self.say((Atom(op), ident, ref, args))
        return ref

    def ask(self, op: str, ident: int, args: object) -> Any:
        """The answer to a request."""
        ref = self.request(op, ident, args)
        return self.hear(lambda term: term[-2] == ref)[-1]

    def read(self) -> list[Any]:
        """The terms of all frames that are there, and of those that come while these are read."""
        while True:
            self.turn()
            try:
                self._frames.feed(os.read(self._from_bridge, 1 << 20))
            except BlockingIOError:
                terms, self._unread = self._unread, []
                return terms
            while (frame := self._frames.next_frame()) is not None:
                terms = parts(decode(bytes(frame)))
                self._unread += terms
                self.heard += terms

    def hear(self, wanted: Callable[[Any], bool]) -> Any:
        """Waits for a frame. Those behind it can be read afterwards."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            terms = self.read()
            for at, term in enumerate(terms):
                if isinstance(term, tuple) and wanted(term):
                    self._unread = terms[at + 1 :]
                    return term
        raise AssertionError(f"not heard; failures: {self.failures}")

    def turn(self) -> None:
        """The connection does what there is to do."""
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))

    def run(self, until: Callable[[], bool]) -> None:
        """The node reads nothing meanwhile."""
        deadline = time.monotonic() + self.patience
        while not until():
            assert time.monotonic() < deadline, self.failures
            self.turn()

    # --- sockets ---

    def connect(self, *options: object, owner: Pid = OWNER) -> tuple[int, socket.socket]:
        """The number of a connected passive socket, and its peer, which blocks."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            args: object = (TCP, INET, owner, (127, 0, 0, 1), port, [*PASSIVE, *options], [], 5000)
            assert self.ask("connect", 0, args)[0] == Atom("ok")
            peer, _ = server.accept()
        return max(self.session.sockets), peer

    @property
    def session(self) -> Session:
        assert self.connection.session is not None
        return self.connection.session

    def handle(self, ident: int) -> Any:
        """The object of a socket."""
        return self.session.sockets[ident]

    def close(self) -> None:
        for ident in list(self.session.sockets):
            self.handle(ident).terminate()
        self.connection.close()
        self.loop.close()
        for descriptor in self._descriptors:
            os.close(descriptor)


@contextmanager
def fake_nodes() -> Iterator[Callable[..., FakeNode]]:
    """Makes nodes, and closes them at the end."""
    nodes: list[FakeNode] = []

    def new(fast: bool = True) -> FakeNode:
        nodes.append(FakeNode(fast))
        return nodes[-1]

    try:
        yield new
    finally:
        for node in nodes:
            node.close()
