"""A session on the sockets of the kernel, whose loop has a thread of its own: as under pytest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from in_memory import OWNER, Call, option_list, pid, term
from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom, Port, Ref
from inetpy.host.linux import LinuxHost
from inetpy.network.engine import Engine
from inetpy.network.network import Network
from inetpy.operations.dispatch import Dispatcher
from inetpy.session.session import Session
from recorder import Recorder

__all__ = ["PATIENCE", "Running", "in_a_thread", "running"]

T = TypeVar("T")
NODE = b"w\x0dnonode@nohost"
PATIENCE = 20.0  # seconds


class Running:
    """See the module. `network` is used from the test's thread; requests are asked in the loop's."""

    def __init__(self, seed: int = 1) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="network")
        self.thread.start()
        self._count = 0
        self.link = Recorder()
        self.engine, self.network, self.session, self.dispatcher = self.do(lambda: self._begin(seed))

    def _begin(self, seed: int) -> tuple[Engine, Network, Session, Dispatcher]:
        self.host = LinuxHost(self.loop)
        engine = Engine(self.host, seed)
        able: list[object] = [(Atom("otp_release"), 25), (Atom("buffer"), 1460), (Atom("os_pid"), 1)]
        session = Session(self.link, engine.host, pid(0), Port(b"Y" + NODE + b"\0\0\0\5" + bytes(4)), able)
        engine.attach(session)
        return engine, Network(engine, self.loop), session, Dispatcher(session)

    def do(self, work: Callable[[], T]) -> T:
        """Runs it in the loop."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    def until(self, condition: Callable[[], T]) -> T:
        """What is true in the loop at some time."""

        async def look() -> T:
            async with asyncio.timeout(PATIENCE):
                while not (found := condition()):
                    await asyncio.sleep(0.001)
                return found

        return asyncio.run_coroutine_threadsafe(look(), self.loop).result()

    def ask(self, op: str, ident: int, args: object) -> Any:
        """The answer of a request, as plain values. Waits for it."""
        self._count += 1
        ref = Ref(b"Z\0\3" + NODE + bytes(4) + self._count.to_bytes(12, "big"))
        self.do(lambda: self.dispatcher.handle_frame(encode((Atom(op), ident, ref, args))))
        call = Call(self.link, ref.raw)
        self.until(lambda: ref.raw in self.link.answers)
        return call.answer

    def connect(self, host: str, port: int, **options: object) -> Any:
        """Erlang connects: {ok, number of the socket} or {error, reason}."""
        ip = tuple(map(int, self.do(lambda: self.network.servers.address_of(host)).split(".")))
        given = option_list({"active": False} | options)
        args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, ip, port, given, [], -1)
        return self.ask("connect", 0, args)

    def listen(self) -> tuple[int, int]:
        """Erlang listens: the number of the socket and its port."""
        args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, 0, option_list({"active": False}), [])
        _, ident = self.ask("listen", 0, args)
        return ident, self.ask("sockname", ident, [])[1][1]

    def accept(self, listener: int) -> int:
        ident: int = self.ask("accept", listener, (OWNER, -1))[1]
        return ident

    def recv(self, ident: int, length: int = 0) -> Any:
        return self.ask("recv", ident, (length, -1))

    def send(self, ident: int, data: bytes) -> Any:
        return self.ask("send", ident, data)

    def close(self, ident: int) -> None:
        self.ask("close", ident, [])

    def setopts(self, ident: int, **options: object) -> Any:
        return self.ask("setopts", ident, [term(pair) for pair in options.items()])

    def end(self) -> None:
        """The loop ends, and its thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()

    def _terminate(self) -> None:
        for handle in list(self.session.sockets.values()):
            handle.terminate()

    def finish(self) -> None:
        if not self.loop.is_closed():
            self.network.clear()
            self.do(self._terminate)
            self.until(lambda: not self.session.sockets)
            self.do(self.host.poller.close)
        self.end()


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@contextmanager
def running(seed: int = 1) -> Iterator[Running]:
    """A `Running` while it is used."""
    it = Running(seed)
    try:
        yield it
    finally:
        it.finish()
