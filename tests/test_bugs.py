"""A bug anywhere in the code of sockets: every caller is answered, and all other sockets go on.

Each method of each class is made to raise, one at a time, while a session does all that it can.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from in_process import BRIDGE, NODE, OUT, OWNER, Recorder
from inetpy import lookups, openers
from inetpy.etf import decode, encode
from inetpy.packet.buffer import InputBuffer
from inetpy.session import Session
from inetpy.sockets import listener, outbox, race, stream
from inetpy.sockets.datagram import Datagram
from inetpy.sockets.handle import Handle
from inetpy.syscalls import Poller, Syscalls
from inetpy.terms import Atom, Pid, Ref

TCP, UDP, INET = Atom("inetpy_tcp"), Atom("inetpy_udp"), Atom("inet")
LOOPBACK = (127, 0, 0, 1)
BINARY, PASSIVE = Atom("binary"), (Atom("active"), Atom("false"))
OTHER = Pid(b"X" + NODE + b"\0\0\0\2" + bytes(8))
CALLER = Pid(b"X" + NODE + b"\0\0\0\4" + bytes(8))
FEEDER = Pid(b"X" + NODE + b"\0\0\0\3" + bytes(8))
# A method that raises in place of what it does closes no socket: the collector does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATIENCE = 5.0  # seconds for all answers: they come at once


class Answers(Recorder):
    """A transport that knows which references have been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[bytes, Any] = {}

    def reply(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        self.answers.setdefault(ref, decode(b"\x83" + body + tail))


class Node:
    """The other side of a session: it asks, and waits for answers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.transport = Answers()
        self.looks = 0
        self.poller = Poller(self.loop, self._count, 0.0)
        able: list[object] = [(Atom("otp_release"), 25), (Atom("buffer"), 1460)]
        self.session = Session(self.transport, Syscalls(), self.loop, self.poller, BRIDGE, OUT, able)
        self.session.borrow = os.dup  # type: ignore[method-assign]
        self.asked: list[bytes] = []

    def _count(self) -> None:
        self.looks += 1

    def ask(self, op: str, ident: int, args: object) -> bytes:
        ref = b"Z\0\3" + NODE + len(self.asked).to_bytes(16, "big")
        self.asked.append(ref)
        self.session.handle_frame(encode((Atom(op), ident, Ref(ref), args)))
        return ref

    def run(self, until: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """Lets the session work until something is so."""

        async def wait() -> bool:
            end = self.loop.time() + patience
            while not until():
                if self.loop.time() > end:
                    return False
                await asyncio.sleep(0.001)
            return True

        return self.loop.run_until_complete(wait())

    def get(self, op: str, ident: int, args: object) -> Any:
        ref = self.ask(op, ident, args)
        assert self.run(lambda: ref in self.transport.answers), op
        return self.transport.answers[ref]

    def opened(self, op: str, args: object) -> int:
        """The number of a new socket, or one that is no socket's."""
        match self.get(op, 0, args):
            case (Atom(name="ok"), (_, _, (_, _, ident))):
                return int(ident)
        return 999_999

    def port(self, ident: int) -> int:
        match self.get("sockname", ident, []):
            case (Atom(name="ok"), (_, int() as port)):
                return port
        return 1

    def unanswered(self) -> list[int]:
        return [at for at, ref in enumerate(self.asked) if ref not in self.transport.answers]

    def close(self) -> None:
        self.poller.close()
        self.loop.close()


@pytest.fixture
def node() -> Iterator[Node]:
    instance = Node()
    yield instance
    flushing: list[Any] = list(instance.poller._waiters.values())
    for handle in [*instance.session.sockets.values(), *flushing]:
        handle._drop_descriptor()
    instance.close()


def everything(node: Node) -> None:
    """Every operation, those that wait, and all ways in which waiting ends."""
    ask, get = node.ask, node.get
    listening = node.opened("listen", (TCP, INET, OWNER, 0, [BINARY, PASSIVE], []))
    port = node.port(listening)

    def connect(*options: object) -> int:
        return node.opened(
            "connect", (TCP, INET, OWNER, LOOPBACK, port, [BINARY, PASSIVE, *options], [], 5000)
        )

    ask("accept", listening, (CALLER, -1))  # waits until the next line
    first = connect()
    server = max(node.session.sockets, default=0)
    second = connect()
    get("accept", listening, (CALLER, 100))  # finds a connection
    get("accept", listening, (CALLER, 5))  # ends with its time
    ask("accept", listening, (OTHER, -1))  # ends with its process, which gets no answer then
    node.asked[-1] = node.asked[0]
    ask("recv", first, (0, -1))
    ask("recv", first, (0, -1))
    get("send", server, b"hello")
    get("recv", first, (0, 5))
    get("unrecv", first, b"back")
    get("recv", first, (4, 1000))
    for op in ("getopts", "getstat", "info", "peername", "sockname", "socknames", "family"):
        get(op, first, [Atom("active")] if op == "getopts" else [])
    get("setopts", first, [(Atom("active"), Atom("true")), (Atom("packet"), 1)])
    get("send", server, b"\0" * 600)  # more packets than one turn has
    get("setopts", first, [(Atom("active"), Atom("once"))])
    get("controlling_process", first, (OWNER, OTHER))
    get("take_over", first, (OTHER, 1, 0))
    get("controlling_process", first, (OTHER, OWNER))
    get("take_over", first, (OWNER, 0, 0))
    # sends that wait, large ones with a feeder, and files
    options = [(Atom("send_timeout"), 30), (Atom("sndbuf"), 4096)]
    get("setopts", second, options)
    get("send", second, bytes(4_000_000))
    ask("send", second, bytes(10_000))
    ask("send", second, bytes(10_000))
    ask("send_large", second, (3_000_000, FEEDER, bytes(1000)))
    with tempfile.TemporaryFile() as file:
        file.write(bytes(10_000))
        file.flush()
        ask("sendfile", second, (OWNER, file.fileno(), 0, 0))
    node.run(lambda: False, 0.05)
    node.session.handle_frame(encode((Atom("down"), FEEDER)))
    third = connect()
    reference = ask("send_large", third, (2_000, FEEDER, bytes(1000)))
    node.session.handle_frame(encode((Atom("piece"), 0, Ref(reference), bytes(1000))))
    ask("shutdown", third, Atom("write"))
    get("send", third, b"x")
    fourth = connect((Atom("linger"), (Atom("true"), 1)))
    ask("send", fourth, bytes(4_000_000))
    ask("close", fourth, [])
    # names and races
    get("inet", 0, (Atom("getaddrs"), [Atom("localhost"), INET], -1))
    get("inet", 0, (Atom("ntoa"), [LOOPBACK], -1))
    get("connect_name", 0, (TCP, OWNER, b"localhost", port, [BINARY, PASSIVE], [], 2000))
    get("connect", 0, (TCP, INET, OWNER, LOOPBACK, 1, [], [], 1000))
    # datagrams
    datagram = node.opened("open", (UDP, INET, OWNER, 0, [BINARY, PASSIVE]))
    there = (LOOPBACK, node.port(datagram))
    ask("recv", datagram, (0, -1))
    get("sendto", datagram, (there, [], b"hello"))
    get("recv", datagram, (0, 5))
    get("setopts", datagram, [(Atom("active"), Atom("once"))])
    get("sendto", datagram, (there, [], b"hello"))
    node.run(lambda: False, 0.01)
    get("connect", datagram, there)
    get("sendto", datagram, (Atom("connected"), [], b"hello"))
    get("peername", datagram, [])
    ask("recv", datagram, (0, -1))
    with socket.socket() as sock:
        get("fdopen", 0, (TCP, Atom("tcp"), INET, OWNER, sock.fileno(), []))
    get("info", 0, [])


def the_end(node: Node) -> None:
    """The processes end, and with them all sockets."""
    for pid in (OTHER, FEEDER, OWNER, CALLER):
        node.session.handle_frame(encode((Atom("down"), pid)))


def methods() -> Iterator[tuple[type | Any, str]]:
    """All that may raise: the methods of sockets and of their parts, and the openers."""
    classes = [
        Handle, Datagram, InputBuffer, listener.Acceptor, listener.Listener, lookups._Lookup, outbox.FileSend,
        outbox.Outbox, outbox.Remote, race.Race, stream.Stream, stream._Closer,
    ]  # fmt: skip
    for owner in classes:
        for name, thing in vars(owner).items():
            if inspect.isfunction(thing) and name not in NOT_RAISING:
                yield owner, name
    for name in ("_open", "_adopt", "_local_address"):
        yield openers, name


# What the end of a failed socket consists of, and what only `repr` calls.
NOT_RAISING = {"fail", "__repr__", "_tell_failure", "_drop_descriptor"}

PLACES = list(methods())


def test_everything_goes_well(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    """What the cases below do raises nothing by itself, and leaves nothing."""
    before = len(os.listdir("/proc/self/fd"))
    everything(node)
    the_end(node)
    assert node.run(lambda: not node.unanswered())
    assert not node.session.sockets
    assert not node.session.waiting
    assert not node.session.remotes
    assert node.run(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=lambda value: getattr(value, "__name__", value))
def test_a_bug(owner: Any, name: str, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller is answered, the loop does not spin, and other sockets work."""
    original = getattr(owner, name)
    raised = 0

    def broken(*_arguments: object, **_named: object) -> None:
        nonlocal raised
        raised += 1
        raise KeyError(name)

    monkeypatch.setattr(owner, name, broken)
    ops = {op: broken for op, method in getattr(owner, "ops", {}).items() if method is original}
    for socket_class in (Handle, Datagram, listener.Listener, stream.Stream):
        for op, method in list(socket_class.ops.items()):
            if method is original or (op in ops and method is ops[op]):
                monkeypatch.setitem(socket_class.ops, op, broken)
    everything(node)
    the_end(node)
    assert node.run(lambda: not node.unanswered()), [node.asked[at] for at in node.unanswered()]
    monkeypatch.undo()
    # the loop is idle: nothing is looked at again and again
    node.run(lambda: False, 0.02)
    looks = node.looks
    node.run(lambda: False, 0.05)
    assert node.looks - looks < 20
    assert raised < 500
    # and others work
    node.session.borrow = os.dup  # type: ignore[method-assign]
    listening = node.opened("listen", (TCP, INET, OWNER, 0, [BINARY, PASSIVE], []))
    ref = node.ask("accept", listening, (OWNER, 5000))
    args = (TCP, INET, OWNER, LOOPBACK, node.port(listening), [BINARY, PASSIVE], [], 5000)
    client = node.opened("connect", args)
    assert node.run(lambda: ref in node.transport.answers)
    assert node.get("send", client, b"works") == Atom("ok")


def test_a_thread_that_raises(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in a lookup, which runs in a thread, is an answer too."""

    def broken(*_: object) -> None:
        raise KeyError("lookup")

    for name in ("all_addresses", "_answer_of"):
        monkeypatch.setattr(lookups, name, broken)
    for op, args in (
        ("connect_name", (TCP, OWNER, b"localhost", 1, [], [], -1)),
        ("inet", (Atom("getaddrs"), [Atom("localhost"), INET], -1)),
    ):
        match node.get(op, 0, args):
            case (Atom(name="error"), (Atom(name="inetpy"), Atom(name="exception"), text)):
                assert b"lookup" in text
            case other:
                pytest.fail(f"{op}: {other}")


def test_logged_once_with_its_traceback(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug that a readable socket meets again and again is logged once."""

    def broken(*_: object) -> None:
        raise KeyError("reading")

    listening = node.opened("listen", (TCP, INET, OWNER, 0, [BINARY, PASSIVE], []))
    waiting = node.ask("accept", listening, (OWNER, -1))
    args = (TCP, INET, OWNER, LOOPBACK, node.port(listening), [BINARY, PASSIVE], [], 5000)
    client = node.opened("connect", args)
    assert node.run(lambda: waiting in node.transport.answers)
    server = max(node.session.sockets)
    ref = node.ask("recv", client, (0, -1))
    monkeypatch.setattr(InputBuffer, "demand", broken)
    node.get("send", server, b"hello")
    assert node.run(lambda: ref in node.transport.answers)
    node.run(lambda: False, 0.05)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info
    assert node.transport.answers[ref][1][:2] == (Atom("inetpy"), Atom("exception"))
