"""A session in this process, with real sockets and a transport that keeps what it is given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom, Pid, Port, Ref
from inetpy.host.linux import LinuxHost
from inetpy.operations.dispatch import Dispatcher
from inetpy.session.session import Session
from recorder import Recorder

NODE = b"w\x0dnonode@nohost"
BRIDGE = Pid(b"X" + NODE + bytes(12))
OWNER = Pid(b"X" + NODE + b"\0\0\0\1" + bytes(8))
OUT = Port(b"Y" + NODE + b"\0\0\0\5" + bytes(4))
REF = Ref(b"Z\0\3" + NODE + bytes(16))


class Bench:
    """A session with two connected sockets in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, has_fast_paths: bool = False) -> None:
        self.loop = loop
        self.link = Recorder(has_fast_paths)
        able: list[object] = [(Atom("otp_release"), 25), (Atom("buffer"), 1460)]
        self.host = LinuxHost(loop)
        self.session = Session(self.link, self.host, BRIDGE, OUT, able)
        self.dispatcher = Dispatcher(self.session)
        module, inet = Atom("inetpy_tcp"), Atom("inet")
        options = [Atom("binary"), (Atom("active"), Atom("false"))]
        self.ask("listen", 0, (module, inet, OWNER, 0, options, []))
        listener = max(self.session.sockets)
        name: Any = self.ask("sockname", listener, [])
        port = name[1][1]
        self.ask("connect", 0, (module, inet, OWNER, (127, 0, 0, 1), port, options, [], 5000))
        while REF.raw not in self.link.answers:
            loop.run_until_complete(asyncio.sleep(0.01))  # connecting has to be waited for
        self.client = max(self.session.sockets)
        self.ask("accept", listener, (OWNER, 5000))
        self.server = max(self.session.sockets)
        assert len(self.session.sockets) == 3

    def ask(self, op: str, ident: int, args: object) -> object:
        """The answer, or None while there is none."""
        self.link.answers.pop(REF.raw, None)
        self.dispatcher.handle_frame(encode((Atom(op), ident, REF, args)))
        return self.link.term(REF.raw) if REF.raw in self.link.answers else None

    def called(self, op: str, ident: int, args: object) -> list[str]:
        """The functions, of Python and of C, that one request calls: their qualified names."""
        frame = encode((Atom(op), ident, REF, args))
        self.link.answers.pop(REF.raw, None)
        names: list[str] = []

        def on_event(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call":
                names.append(frame.f_code.co_qualname)
            elif event == "c_call":
                names.append(argument.__qualname__)

        sys.setprofile(on_event)
        try:
            self.dispatcher.handle_frame(frame)
        finally:
            sys.setprofile(None)
        return names

    def wait(self) -> object:
        """The answer of the last request, which had to wait."""
        while REF.raw not in self.link.answers:
            self.loop.run_until_complete(asyncio.sleep(0.001))
        return self.link.term(REF.raw)


@contextmanager
def sessions(has_fast_paths: bool = False) -> Iterator[Bench]:
    """A `Bench` while it is used."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    bench = Bench(loop, has_fast_paths)
    try:
        yield bench
        for handle in list(bench.session.sockets.values()):
            handle.terminate()
        bench.link.assert_balanced(bench.session)
    finally:
        bench.host.poller.close()
        loop.close()
