"""A session on a host in memory: requests go in, and answers and messages are kept.

Nothing happens by itself: see `inetpy.host.memory`. Terms are shown as plain Python values: an atom as
text, a string as text, a socket as its number.
"""

from __future__ import annotations

import itertools
from socket import AF_INET, AF_UNIX, SOCK_STREAM
from typing import Any, ClassVar

from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Charlist, Pid, Port, Ref
from inetpy.host.memory import MemoryHost
from inetpy.host.memory_sockets import MemorySocket
from inetpy.operations.dispatch import Dispatcher
from inetpy.session.session import Session
from recorder import Recorder

__all__ = ["LOCALHOST", "OWNER", "Bench", "Call", "pid", "term"]

NODE = b"w\x0dnonode@nohost"
LOCALHOST = (127, 0, 0, 1)


def pid(number: int) -> Pid:
    return Pid(b"X" + NODE + number.to_bytes(4, "big") + bytes(8))


OWNER = pid(1)


def term(value: object) -> object:
    """A plain value as a term."""
    if isinstance(value, bool):
        return Atom(str(value).lower())
    if isinstance(value, str):
        return Atom(value)
    if isinstance(value, tuple):
        return tuple(map(term, value))
    if isinstance(value, list):
        return [term(element) for element in value]
    return value


def plain(value: Any) -> Any:
    match value:
        case Atom(name=name):
            return name
        case (Atom(name="$inet"), _, (_, _, ident)):
            return ident
        case tuple():
            return tuple(map(plain, value))
        case Charlist():
            return bytes(value).decode("latin-1")
        case list():
            return [plain(element) for element in value]
    return value


def option_list(given: dict[str, object]) -> list[object]:
    return [Atom("binary"), *(term((name, value)) for name, value in given.items())]


class Call:
    """A request. `answer` is None until there is one."""

    def __init__(self, link: Recorder, ref: bytes) -> None:
        self._link = link
        self.ref = ref

    @property
    def answer(self) -> Any:
        return plain(self._link.term(self.ref)) if self.ref in self._link.answers else None

    @property
    def socket(self) -> int:
        """The socket that was opened."""
        word, ident = self.answer
        assert word == "ok"
        assert isinstance(ident, int)
        return ident


class Bench:
    """See the module. `capacity` is that of the network.

    made: all of them, for the fixture that finishes them when the test is over.
    """

    made: ClassVar[list[Bench]] = []

    def __init__(self, capacity: int = 1 << 16) -> None:
        self.host = MemoryHost(capacity)
        self.link = Recorder()
        able: list[object] = [
            (Atom("otp_release"), 25), (Atom("buffer"), 1460), (Atom("os_pid"), 1),
        ]  # fmt: skip
        out = Port(b"Y" + NODE + b"\0\0\0\5" + bytes(4))
        self.session = Session(self.link, self.host, pid(0), out, able)
        self.dispatcher = Dispatcher(self.session)
        self._refs = itertools.count(1)
        self.made.append(self)

    def finish(self) -> None:
        """All sockets end, and nothing is left."""
        while self.session.sockets:
            for handle in list(self.session.sockets.values()):
                handle.terminate()
            self.run()
        self.link.assert_balanced(self.session)

    @property
    def sockets(self) -> set[int]:
        return set(self.session.sockets)

    def advance(self, milliseconds: int) -> None:
        self.host.clock.advance(milliseconds)

    def run(self) -> None:
        """Runs what is ready, and the timers that are due."""
        self.advance(0)

    # --- requests ---

    def request(self, op: str, ident: int, args: object) -> Call:
        """Asks, and lets nothing happen after that."""
        ref = self.next_ref()
        self.dispatcher.handle_frame(encode((Atom(op), ident, ref, args)))
        return Call(self.link, ref.raw)

    def next_ref(self) -> Ref:
        return Ref(b"Z\0\3" + NODE + bytes(4) + next(self._refs).to_bytes(12, "big"))

    def ask(self, op: str, ident: int, args: object) -> Call:
        """Asks, and runs what follows at once."""
        call = self.request(op, ident, args)
        self.run()
        return call

    def connect(
        self, port: int, timeout: int = -1, ip: tuple[int, ...] = LOCALHOST, **options: object
    ) -> Call:
        family = Atom("inet" if len(ip) == 4 else "inet6")
        args: Any = (
            Atom("inetpy_tcp"),
            family,
            OWNER,
            ip,
            port,
            option_list(options),
            [],
            self._timeout(timeout),
        )
        return self.ask("connect", 0, args)

    def connect_path(self, path: bytes, timeout: int = -1, **options: object) -> Call:
        """Without running what is ready then."""
        to, given = (Atom("local"), path), option_list(options)
        args: Any = (Atom("inetpy_local_tcp"), Atom("local"), OWNER, to, 0, given, [], self._timeout(timeout))
        return self.request("connect", 0, args)

    def connect_name(self, name: bytes, port: int, timeout: int = -1) -> Call:
        args: Any = (Atom("inetpy_happy_tcp"), OWNER, name, port, option_list({}), [], self._timeout(timeout))
        return self.ask("connect_name", 0, args)

    def listen(self, **options: object) -> int:
        args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, 0, option_list({"active": False} | options), [])
        return self.ask("listen", 0, args).socket

    def open(self, **options: object) -> int:
        args: Any = (Atom("inetpy_udp"), Atom("inet"), OWNER, 0, option_list({"active": False} | options))
        return self.ask("open", 0, args).socket

    def accept(self, listener: int, timeout: int = -1, owner: Pid = OWNER) -> Call:
        return self.ask("accept", listener, (owner, self._timeout(timeout)))

    def recv(self, ident: int, length: int = 0, timeout: int = -1) -> Call:
        return self.ask("recv", ident, (length, self._timeout(timeout)))

    def send(self, ident: int, data: bytes) -> Call:
        return self.ask("send", ident, data)

    def sendto(self, ident: int, port: int, data: bytes) -> Call:
        return self.ask("sendto", ident, ((LOCALHOST, port), [], data))

    def setopts(self, ident: int, **options: object) -> Call:
        return self.ask("setopts", ident, [term(pair) for pair in options.items()])

    def shutdown(self, ident: int, how: str) -> Call:
        return self.ask("shutdown", ident, Atom(how))

    def close(self, ident: int) -> Call:
        return self.ask("close", ident, [])

    def inet(self, function: str, *arguments: object) -> Any:
        """A function that takes no socket."""
        return self.ask("inet", 0, (Atom(function), [term(argument) for argument in arguments], -1)).answer

    def port(self, ident: int) -> int:
        port = self.ask("sockname", ident, []).answer[1][1]
        assert isinstance(port, int)
        return port

    def down(self, process: Pid) -> None:
        """The process has ended."""
        self.link.ended.add(process.raw)
        self.dispatcher.handle((Atom("down"), process))
        self.run()

    def _timeout(self, milliseconds: int) -> object:
        now = int(self.host.clock.now() * 1000)
        return milliseconds if milliseconds < 0 else (milliseconds, now)

    def messages(self, to: Pid = OWNER) -> list[object]:
        """The messages to a process since the last time."""
        found = [plain(decode(b"\x83" + body)) for pid, body in self.link.messages if pid == to.raw]
        self.link.messages = [entry for entry in self.link.messages if entry[0] != to.raw]
        return found

    # --- the other end ---

    def listener(self, backlog: int = 5, ip: str = "127.0.0.1") -> tuple[MemorySocket, int]:
        """A listening socket that is not the session's, and its port."""
        sock = self.host.open_socket(AF_INET, SOCK_STREAM)
        sock.bind((ip, 0))
        sock.listen(backlog)
        return sock, sock.getsockname()[1]

    def path_listener(self, path: bytes) -> MemorySocket:
        sock = self.host.open_socket(AF_UNIX, SOCK_STREAM)
        sock.bind(path)
        sock.listen(5)
        return sock

    def pair(self, **options: object) -> tuple[int, MemorySocket]:
        """A connection of the session, and its other end."""
        listener, port = self.listener()
        options.setdefault("active", False)
        ident = self.connect(port, -1, LOCALHOST, **options).socket
        peer, _ = listener.accept()
        listener.close()
        return ident, peer

    def write(self, peer: MemorySocket, data: bytes) -> None:
        """All of it."""
        while data:
            sent = peer.send(data)
            data = data[sent:]
            self.run()

    def read(self, peer: MemorySocket) -> bytes:
        """All that comes, while the session goes on."""
        data = b""
        while True:
            try:
                some = peer.recv(1 << 20)
            except BlockingIOError:
                return data
            if not some:
                return data
            data += some
            self.run()
