"""A plain socket in a session of its own, and its peer, for tests that ask it step by step."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from in_process import BRIDGE, NODE, OUT
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.host.api import WRITE
from inetpy.host.linux import LinuxHost
from inetpy.operations.dispatch import Dispatcher
from inetpy.session.session import Session
from inetpy.sockets.plain import Plain
from recorder import Recorder

__all__ = ["OK", "OWNER", "PlainWorld", "linux_host", "pid"]

OK = Atom("ok")


def pid(number: int) -> Pid:
    return Pid(b"X" + NODE + number.to_bytes(4, "big") + bytes(8))


OWNER = pid(1)


@contextmanager
def linux_host() -> Iterator[LinuxHost]:
    """A host with a loop of its own, which does not run."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    host = LinuxHost(loop)
    yield host
    host.poller.close()
    loop.close()


class PlainWorld:
    """A plain socket that is connected to `peer`, a socket of Python.

    early_after: see `FastPaths`; None is the default.
    """

    def __init__(self, host: LinuxHost, has_fast_paths: bool = True, early_after: int | None = None) -> None:
        self.refs = 0
        self.link = Recorder(has_fast_paths)
        self.session = Session(self.link, host, BRIDGE, OUT, [(Atom("otp_release"), 25)])
        self.dispatcher = Dispatcher(self.session)
        if early_after is not None:
            self.session.fast.early_after = early_after
        inet: Any = (self.ref(), OWNER, Atom("inet"), Atom("stream"), Atom("tcp"), {})
        opened = self.answer(self.ask(0, "socket_open", *inet))
        found: Any = next(iter(self.session.sockets.values()))
        assert opened == (OK, (Atom("$socket"), found.reference))
        self.plain: Plain = found
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            address = {Atom("family"): Atom("inet"), Atom("addr"): (127, 0, 0, 1), Atom("port"): port}
            if self.answer(self.ask(found.ident, "socket_connect", OWNER, self.ref(), address)) != OK:
                self.plain.on_ready(WRITE)
                assert self.answer(self.ask(found.ident, "socket_connected", OWNER)) == OK
            self.peer = listener.accept()[0]

    def end(self) -> None:
        self.plain.terminate()
        self.link.assert_balanced(self.session)
        self.peer.close()

    def ref(self) -> Ref:
        self.refs += 1
        return Ref(b"Z\0\3" + NODE + self.refs.to_bytes(16, "big"))

    def ask(self, ident: int, op: str, *args: Any) -> Ref:
        """The reference of a request. It has all that can be done at once behind it."""
        ref = self.ref()
        given = args if len(args) > 1 else [*args, []][0]
        self.dispatcher.handle_frame(encode((Atom(op), ident, ref, given)))
        return ref

    def answer(self, ref: Ref) -> Any:
        """None while there is no answer."""
        body = self.link.answers.get(ref.raw)
        return None if body is None else decode(b"\x83" + body)
