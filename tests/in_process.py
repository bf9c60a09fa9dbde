"""A session in this process, with real sockets and a transport that keeps what it is given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inetpy.etf import decode, encode
from inetpy.session import Session
from inetpy.syscalls import Poller, Syscalls
from inetpy.terms import Atom, Pid, Port, Ref

NODE = b"w\x0dnonode@nohost"
BRIDGE = Pid(b"X" + NODE + bytes(12))
OWNER = Pid(b"X" + NODE + b"\0\0\0\1" + bytes(8))
OUT = Port(b"Y" + NODE + b"\0\0\0\5" + bytes(4))
REF = Ref(b"Z\0\3" + NODE + bytes(16))


class Recorder:
    """A transport that keeps what it is given."""

    outward = None

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.is_alone = False

    def reply(self, _ref: bytes, body: bytes, tail: bytes = b"") -> None:
        self.said.append(body + tail)

    send = reply

    def take(self, _sock: object, _size: int) -> int:
        return 0

    def give_back(self, _size: int) -> bytes:
        return b""

    def forward(self, _ref: bytes, _body: bytes, _size: int) -> None:
        raise AssertionError("nothing was taken")

    def alone(self) -> bool:
        return self.is_alone

    def flush(self) -> None:
        pass

    def note(self, body: bytes) -> None:
        self.said.append(body)

    def acknowledged(self, count: int) -> None:
        pass


class Bench:
    """A session with two connected sockets in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = Recorder()
        poller = Poller(loop, lambda: None, 0.0)
        able: list[object] = [(Atom("otp_release"), 25), (Atom("buffer"), 1460)]
        self.session = Session(self.transport, Syscalls(), loop, poller, BRIDGE, OUT, able)
        module, inet = Atom("inetpy_tcp"), Atom("inet")
        options = [Atom("binary"), (Atom("active"), Atom("false"))]
        self.ask("listen", 0, (module, inet, OWNER, 0, options, []))
        listener = max(self.session.sockets)
        name: Any = self.ask("sockname", listener, [])
        port = name[1][1]
        said = len(self.transport.said)
        self.ask("connect", 0, (module, inet, OWNER, (127, 0, 0, 1), port, options, [], 5000))
        while not any(body.startswith(b"h\2w\2ok") for body in self.transport.said[said:]):
            loop.run_until_complete(asyncio.sleep(0.01))  # connecting has to be waited for
        self.client = max(self.session.sockets)
        self.ask("accept", listener, (OWNER, 5000))
        self.server = max(self.session.sockets)
        assert len(self.session.sockets) == 3

    def ask(self, op: str, ident: int, args: object) -> object:
        self.session.handle_frame(encode((Atom(op), ident, REF, args)))
        return decode(b"\x83" + self.transport.said[-1]) if self.transport.said else None

    def calls(self, op: str, ident: int, args: object) -> int:
        """How many functions, of Python and of C, one request calls."""
        frame = encode((Atom(op), ident, REF, args))
        count = 0

        def on_event(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(on_event)
        try:
            self.session.handle_frame(frame)
        finally:
            sys.setprofile(None)
        return count


@contextmanager
def sessions() -> Iterator[Bench]:
    """A `Bench` while it is used."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    bench = Bench(loop)
    yield bench
    for handle in list(bench.session.sockets.values()):
        handle.terminate()
    loop.close()
