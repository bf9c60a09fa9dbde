"""What sockets do, in scenes: all operations, those that wait, and all ways in which waiting ends.

A scene plays in a world: a session on a host in memory, a session with the sockets of the system, or a
connection with a node at the other end of two pipes. Each scene has a world of its own. What its requests
are answered is not looked at in here, but all of them must be.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, NamedTuple

from fake_node import PASSIVE, FakeNode
from in_memory import LOCALHOST, OWNER, Bench, Call, pid, term
from in_process import BRIDGE, NODE, OUT
from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.host.api import LINGER_NOW
from inetpy.host.linux import LinuxHost
from inetpy.host.memory_sockets import MemorySocket
from inetpy.network.engine import Engine
from inetpy.network.network import Network
from inetpy.operations.dispatch import Dispatcher
from inetpy.session.session import Session
from inetpy.wire.mode import CLOSES, IS_ACTIVE
from recorder import NetworkRecorder, Recorder

__all__ = ["SCENES", "Linked", "Memory", "Real", "Scene"]

OTHER, FEEDER = pid(2), pid(3)
SECOND, MINUTE = 1000, 60_000
RESET = struct.pack("ii", 1, 0)
PATIENCE = 5.0  # seconds for what comes at once
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
TLS = b"\x16\3\1\0\2ab"


class Memory(Bench):
    """A session on a host in memory. A connection holds 1,000 bytes.

    excused: requests without an answer, because their process has ended.
    """

    def __init__(self) -> None:
        super().__init__(capacity=1000)
        self.patience = 0.0  # nothing is waited for
        self.made.remove(self)  # test_bugs looks itself at what is left
        self.asked: list[bytes] = []
        self.excused: set[bytes] = set()
        self.host.names["slow"] = ["192.0.2.1", "192.0.2.2", "127.0.0.1"]
        self.host.names["silent"] = ["192.0.2.1", "192.0.2.2"]
        self.host.network.silent |= {"192.0.2.1", "192.0.2.2"}
        self.host.descriptors[7] = bytes(5000)

    def request(self, op: str, ident: int, args: object) -> Call:
        ref = self.next_ref()
        self.asked.append(ref.raw)
        self.say((Atom(op), ident, ref, args))
        return Call(self.link, ref.raw)

    def say(self, said: object) -> None:
        self.dispatcher.handle_frame(encode(said))

    def excuse(self) -> None:
        """The last request needs no answer."""
        self.excused.add(self.asked[-1])

    def full(self, **options: object) -> tuple[int, MemorySocket]:
        """A connection that takes no more: 1,000 bytes are with the peer, and 1,000 wait."""
        ident, peer = self.pair(high_watermark=2000, low_watermark=500, **options)
        self.send(ident, bytes(2000))
        return ident, peer

    def reset(self, peer: MemorySocket) -> None:
        peer.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        peer.close()
        self.run()

    def congest(self, congested: bool) -> None:
        self.session.set_congested(congested)
        self.run()

    def end(self) -> None:
        """All processes end, and all time goes by."""
        for process in (OTHER, FEEDER, OWNER):
            self.down(process)
        self.advance(4 * MINUTE)

    def unanswered(self) -> set[bytes]:
        return set(self.asked) - self.link.answers.keys() - self.excused

    def works(self) -> bool:
        """Whether new sockets do what they should."""
        listening = self.listen()
        accepted = self.accept(listening)
        client = self.connect(self.port(listening), active=False).socket
        waiting = self.recv(accepted.socket, 5)
        sent = self.send(client, b"works").answer
        return bool(sent == "ok" and waiting.answer == ("ok", b"works"))

    def leave(self) -> None:
        """Nothing is left that another test could see."""


class Real:
    """A session with the sockets of the system, and all fast paths."""

    def __init__(self) -> None:
        self.patience = PATIENCE
        self.loop = asyncio.new_event_loop()
        self.link = Recorder(has_fast_paths=True)
        self.link.is_idle = self.link.has_pipe = True
        self.host = LinuxHost(self.loop, [self._count])
        self.looks = 0
        able: list[object] = [
            (Atom("otp_release"), 25),
            (Atom("buffer"), 1460),
            (Atom("os_pid"), os.getpid()),
        ]
        self.session = Session(self.link, self.host, BRIDGE, OUT, able)
        self.dispatcher = Dispatcher(self.session)
        self.asked: list[bytes] = []
        self.excused: set[bytes] = set()
        self.peers: list[socket.socket] = []

    def _count(self) -> None:
        self.looks += 1

    def ask(self, op: str, ident: int, args: object) -> bytes:
        ref = b"Z\0\3" + NODE + len(self.asked).to_bytes(16, "big")
        self.asked.append(ref)
        self.dispatcher.handle_frame(encode((Atom(op), ident, Ref(ref), args)))
        return ref

    def run(self, until: Callable[[], object], patience: float | None = None) -> bool:
        """Lets the session work until something is so."""

        async def wait() -> bool:
            end = self.loop.time() + (self.patience if patience is None else patience)
            while not until():
                if self.loop.time() > end:
                    return False
                await asyncio.sleep(0.001)
            return True

        return self.loop.run_until_complete(wait())

    def get(self, op: str, ident: int, args: object) -> Any:
        ref = self.ask(op, ident, args)
        assert self.run(lambda: ref in self.link.answers), op
        return self.link.term(ref)

    def connect(self, **options: object) -> tuple[int, socket.socket]:
        """A connected passive socket, and its other end, which is not the session's."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.5)
            given = [*PASSIVE, *(term(pair) for pair in options.items())]
            port = server.getsockname()[1]
            answer = self.get(
                "connect", 0, (Atom("inetpy_tcp"), Atom("inet"), OWNER, LOCALHOST, port, given, [], 5000)
            )
            ident = self.number(answer)
            self.peers.append(server.accept()[0])
        self.peers[-1].settimeout(0.5)
        return ident, self.peers[-1]

    def number(self, answer: Any) -> int:
        """Of the socket that was opened."""
        assert answer[0] == Atom("ok"), answer
        ident: int = answer[1][2][2]
        return ident

    def end(self) -> None:
        for process in (OTHER, FEEDER, OWNER):
            self.link.ended.add(process.raw)
            self.dispatcher.handle_frame(encode((Atom("down"), process)))
        self.run(lambda: not self.unanswered(), 1.0)
        # The loop is idle then: nothing is looked at again and again.
        looks = self.looks
        self.run(lambda: False, 0.02)
        assert self.looks - looks < 20

    def unanswered(self) -> set[bytes]:
        return set(self.asked) - self.link.answers.keys() - self.excused

    def works(self) -> bool:
        client, peer = self.connect()
        self.get("send", client, b"works")
        return peer.recv(5) == b"works"

    def leave(self) -> None:
        self.link.fast.close()
        flushing: list[Any] = list(self.host.poller._waiters.values())
        for handle in [*self.session.sockets.values(), *flushing]:
            handle.drop_descriptor()
        for peer in self.peers:
            peer.close()
        self.host.poller.close()
        self.loop.close()


class Linked(FakeNode):
    """A connection, with its link, and a node at the other end."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[socket.socket] = []

    def connected(self, *options: object) -> tuple[int, socket.socket]:
        ident, peer = self.connect(*options)
        peer.settimeout(0.5)
        self.peers.append(peer)
        return ident, peer

    def settle(self) -> None:
        for _ in range(3):
            self.read()

    def end(self) -> None:
        self.settle()

    def unanswered(self) -> set[bytes]:
        return set()  # a link that fails may have lost an answer

    def works(self) -> bool:
        self.read()
        ident, peer = self.connected()
        return bool(self.ask("send", ident, b"works") == Atom("ok") and peer.recv(5) == b"works")

    def leave(self) -> None:
        for peer in self.peers:
            peer.close()
        self.close()


class Scene(NamedTuple):
    name: str
    world: Any
    play: Callable[[Any], None]

    @contextmanager
    def open_world(self) -> Iterator[Any]:
        world = self.world()
        try:
            yield world
        finally:
            world.leave()


SCENES: list[Scene] = []


def scene(world: Any) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def add(play: Callable[[Any], None]) -> Callable[[Any], None]:
        SCENES.append(Scene(play.__name__, world, play))
        return play

    return add


# --- listeners, and connecting --------------------------------------------------


@scene(Memory)
def accepting(memory: Memory) -> None:
    listening = memory.listen(priority=1)
    port = memory.port(listening)
    memory.accept(listening)  # waits
    memory.ask("info", listening, [])
    memory.connect(port)
    memory.connect(port, active=False)
    memory.accept(listening, 100)  # finds a connection
    memory.accept(listening, 0)
    memory.accept(listening, 5)
    memory.advance(5)
    memory.accept(listening, owner=OTHER)
    memory.excuse()
    memory.down(OTHER)
    memory.accept(listening, 5)
    memory.host.clock.stand_still(10 * SECOND)
    memory.accept(listening)
    memory.setopts(listening, active=True, backlog=3)
    memory.recv(listening)
    memory.ask("connect", listening, (LOCALHOST, 1))
    memory.close(listening)


@scene(Memory)
def accepting_late(memory: Memory) -> None:
    """A connection comes when its caller has given up."""
    listening = memory.listen()
    memory.accept(listening, 5)
    memory.host.clock.milliseconds += 10 * SECOND
    memory.connect(memory.port(listening))


@scene(Memory)
def connecting(memory: Memory) -> None:
    silent = (192, 0, 2, 1)
    memory.connect(1)
    memory.connect(1, 100, silent)
    memory.advance(100)
    memory.connect(1, -1, silent)
    memory.down(OWNER)
    memory.connect(1, 100, silent)
    memory.send(max(memory.sockets), b"x")
    memory.close(max(memory.sockets))


@scene(Memory)
def connecting_by_path(memory: Memory) -> None:
    memory.path_listener(b"/path")
    memory.connect_path(b"/path")
    memory.run()
    memory.connect_path(b"/none")


@scene(Memory)
def racing(memory: Memory) -> None:
    _, port = memory.listener()
    memory.connect_name(b"localhost", port)
    memory.connect_name(b"localhost", 1)
    memory.connect_name(b"none", port)
    memory.connect_name(b"slow", port)
    memory.advance(SECOND)
    memory.connect_name(b"silent", port, 300)
    memory.advance(400)
    memory.connect_name(b"silent", port)
    memory.excuse()
    memory.advance(300)
    memory.down(OWNER)


@scene(Memory)
def racing_late(memory: Memory) -> None:
    """A connection comes when its caller has given up."""
    listening = memory.listener()[1]
    memory.connect_name(b"silent", listening, 300)
    memory.host.clock.stand_still(10 * SECOND)


@scene(Memory)
def descriptors(memory: Memory) -> None:
    peer = memory.pair()[1]
    memory.host.descriptors[8] = peer
    memory.host.descriptors[9] = memory.host.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
    inet = Atom("inet")
    memory.ask(
        "fdopen", 0, (Atom("inetpy_tcp"), Atom("tcp"), inet, OWNER, 8, [(Atom("active"), Atom("true"))])
    )
    memory.ask("fdopen", 0, (Atom("inetpy_udp"), Atom("udp"), inet, OWNER, 9, []))
    memory.ask("fdopen", 0, (Atom("inetpy_tcp"), Atom("tcp"), inet, OWNER, 7, []))
    memory.ask("fdopen", 0, (Atom("inetpy_tcp"), Atom("tcp"), inet, OWNER, 99, []))


# --- receiving ------------------------------------------------------------------


@scene(Memory)
def receiving(memory: Memory) -> None:
    ident, peer = memory.pair()
    memory.recv(ident)
    memory.recv(ident)
    memory.write(peer, b"hello")
    memory.recv(ident, 0, 5)
    memory.advance(5)
    memory.recv(ident, 0, 0)
    memory.recv(ident, 10, 5)
    memory.host.clock.milliseconds += 10 * SECOND  # its caller has given up when bytes come
    memory.write(peer, b"late")
    memory.ask("unrecv", ident, b"back")
    memory.recv(ident, 4)
    memory.recv(ident, 0, 100)
    memory.setopts(ident, active="once")  # the first message takes the timeout away
    memory.write(peer, b"hello")
    memory.close(ident)
    memory.recv(ident)


@scene(Memory)
def messages(memory: Memory) -> None:
    ident, peer = memory.pair(active="once", packet=1)
    memory.write(peer, b"\1a\1b\1c")
    for active in ("once", 1, True, False):
        memory.setopts(ident, active=active)
    memory.ask("unrecv", ident, b"\1d")
    memory.setopts(ident, active=True, packet=0)
    memory.ask("unrecv", ident, b"back")
    memory.write(peer, bytes(5))
    memory.setopts(ident, packet=2)
    memory.write(peer, b"\0\1a\0\1b")
    memory.setopts(ident, active=30, header=1, mode="list")
    memory.write(peer, b"\0\1a\0\1b")
    memory.setopts(ident, deliver="port")
    memory.write(peer, b"\0\1a\0\1b")


@scene(Memory)
def many_messages(memory: Memory) -> None:
    """More than one turn has, and what comes behind them."""
    ident, peer = memory.pair(packet=1)
    peer.send(b"\0" * 900)
    memory.request("setopts", ident, [term(("active", True))])
    memory.request("setopts", ident, [term(("active", True))])
    memory.request("controlling_process", ident, (OWNER, OTHER))
    memory.run()
    memory.ask("take_over", ident, (OTHER, 1, 0))
    peer.send(b"\0" * 900)
    memory.run()
    memory.ask("controlling_process", ident, (OTHER, OWNER))
    memory.request("take_over", ident, (OWNER, 1, 0))
    memory.ask("shutdown", ident, Atom("write"))
    memory.ask("controlling_process", ident, (OTHER, OTHER))


@scene(Memory)
def many_messages_at_the_end(memory: Memory) -> None:
    ident, peer = memory.pair(packet=1)
    peer.send(b"\0" * 900)
    memory.request("take_over", ident, (OTHER, 1, 0))
    memory.down(OTHER)


@scene(Memory)
def terms(memory: Memory) -> None:
    for packet, data in (("http", HTTP), ("http_bin", HTTP), ("ssl_tls", TLS), ("asn1", b"0\2ab")):
        for active in (False, True):
            ident, peer = memory.pair(packet=packet, active=active)
            memory.recv(ident)
            memory.write(peer, data[:4])
            memory.write(peer, data[4:])
            memory.close(ident)
    for cut in (4, "line"):
        ident, peer = memory.pair(packet=cut, packet_size=100)
        memory.recv(ident)
        memory.write(peer, b"\xff" * 200)
    ident, peer = memory.pair(packet=2, read_ahead=False)
    memory.recv(ident)
    memory.write(peer, b"\0\2ab")


@scene(Memory)
def congestion(memory: Memory) -> None:
    ident, peer = memory.pair(active=True)
    many, other = memory.pair(packet=1)
    datagram = memory.open(active=True)
    other.send(b"\0" * 900)
    memory.congest(True)
    memory.request("setopts", many, [term(("active", True))])
    memory.write(peer, b"hello")
    memory.sendto(datagram, memory.port(datagram), b"hello")
    memory.congest(False)
    memory.congest(True)
    memory.write(peer, b"hello")
    memory.close(ident)
    memory.congest(False)


# --- the peer goes ----------------------------------------------------------------


def _ends(event: str, active: bool, exit_on_close: bool, waits: str) -> Callable[[Memory], None]:
    def play(memory: Memory) -> None:
        options = {"active": active, "exit_on_close": exit_on_close, "show_econnreset": event == "reset"}
        ident, peer = (memory.full if waits == "send" else memory.pair)(**options)
        match waits:
            case "send":
                memory.send(ident, bytes(1000))
                memory.send(ident, b"suspended")
                memory.send(ident, b"suspended, too")
            case "sendfile":
                memory.ask("sendfile", ident, (OWNER, 7, 0, 0))
        if not active:
            memory.recv(ident)
        match event:
            case "close":
                peer.close()
            case "reset":
                memory.reset(peer)
            case "half-close":
                peer.shutdown(socket.SHUT_WR)
        memory.run()
        memory.send(ident, b"x")
        memory.send(ident, b"x")
        memory.recv(ident)
        memory.recv(ident)
        memory.ask("shutdown", ident, Atom("write"))
        memory.ask("peername", ident, [])
        memory.setopts(ident, active=True)
        memory.send(ident, b"x")
        memory.close(ident)

    return play


SCENES.extend(
    Scene(
        f"{event} active={active} exit_on_close={exits} {waits}", Memory, _ends(event, active, exits, waits)
    )
    for event in ("close", "reset", "half-close")
    for active in (False, True)
    for exits in (False, True)
    for waits in ("nothing", "send", "sendfile")
)


# --- sending ------------------------------------------------------------------------


@scene(Memory)
def sending(memory: Memory) -> None:
    ident, peer = memory.full(send_timeout=2 * SECOND)
    for _ in range(3):
        memory.send(ident, bytes(1000))
    memory.ask("info", ident, [])
    memory.read(peer)
    for _ in range(2):
        memory.send(ident, bytes(4000))
    memory.advance(2 * SECOND)
    memory.setopts(ident, send_timeout=0, delay_send=True)
    memory.send(ident, b"x")
    memory.read(peer)
    memory.send(ident, b"delayed")
    other, _ = memory.full(send_timeout=SECOND, send_timeout_close=True)
    for _ in range(3):
        memory.send(other, bytes(1000))
    memory.advance(SECOND)


@scene(Memory)
def sending_large(memory: Memory) -> None:
    ident, peer = memory.pair()
    call = memory.ask("send_large", ident, (4000, FEEDER, bytes(2000)))
    memory.send(ident, b"behind")
    memory.say((Atom("piece"), 0, Ref(call.ref), bytes(1000)))
    memory.read(peer)
    memory.say((Atom("piece"), 0, Ref(call.ref), bytes(1000)))
    memory.read(peer)
    memory.ask("send_large", ident, (4000, FEEDER, bytes(2000)))
    memory.reset(peer)
    memory.run()


@scene(Memory)
def sending_large_without_a_feeder(memory: Memory) -> None:
    ident, peer = memory.pair()
    memory.ask("send_large", ident, (4000, FEEDER, bytes(2000)))
    memory.ask("sendfile", ident, (OWNER, 7, 0, 0))
    memory.read(peer)
    memory.down(FEEDER)
    ident, peer = memory.full()
    memory.ask("send_large", ident, (4000, FEEDER, bytes(2000)))
    memory.down(OWNER)
    memory.down(FEEDER)


@scene(Memory)
def sending_files(memory: Memory) -> None:
    ident, peer = memory.full()
    memory.ask("sendfile", ident, (OWNER, 7, 0, 4000))
    memory.read(peer)
    for args in ((OWNER, 99, 0, 0), (OTHER, 7, 0, 0), (OWNER, 7, -1, 0)):
        memory.ask("sendfile", ident, args)
    memory.ask("sendfile", ident, (OWNER, 7, 0, 0))
    memory.close(ident)
    memory.ask("sendfile", ident, (OWNER, 7, 0, 0))


@scene(Memory)
def closing(memory: Memory) -> None:
    ident, peer = memory.full()
    memory.close(ident)
    memory.close(ident)
    memory.read(peer)
    ident, _ = memory.full()
    memory.close(ident)
    memory.advance(6 * SECOND)  # nothing moves
    ident, peer = memory.full()
    memory.close(ident)
    peer.recv(100)
    memory.advance(4 * MINUTE)  # it did once
    ident, _ = memory.full(linger=(True, 2))
    memory.close(ident)
    memory.advance(2 * SECOND)
    ident, _ = memory.full(linger=(True, 0))
    memory.close(ident)
    ident, peer = memory.full()
    memory.close(ident)
    memory.reset(peer)
    ident, peer = memory.full()
    memory.send(ident, bytes(1000))
    memory.send(ident, bytes(1000))
    memory.recv(ident)
    memory.down(OWNER)


@scene(Memory)
def shutting_down(memory: Memory) -> None:
    ident, peer = memory.full()
    memory.shutdown(ident, "write")
    memory.send(ident, b"x")
    ident, peer = memory.full()
    memory.shutdown(ident, "read_write")
    memory.read(peer)
    memory.shutdown(ident, "read")
    memory.shutdown(ident, "write")
    memory.close(ident)
    memory.shutdown(ident, "write")


# --- options, names, owners -----------------------------------------------------------


@scene(Memory)
def asking(memory: Memory) -> None:
    stream, _ = memory.pair()
    for ident in (stream, memory.listen(), memory.open()):
        memory.setopts(ident, tos=16, priority=2, buffer=100, nonsense=1)
        memory.setopts(ident, tos=16, priority=2, buffer=100)
        memory.setopts(ident, active=-40_000)
        memory.setopts(ident, active=3)
        memory.setopts(ident, active=-3)
        for names in ([], [Atom("active"), Atom("tos"), Atom("linger")], [Atom("nonsense")], 1):
            memory.ask("getopts", ident, names)
        for names in ([Atom("recv_cnt"), Atom("send_pend"), Atom("recv_dvi")], [Atom("x")], 1):
            memory.ask("getstat", ident, names)
        for op in ("info", "peername", "peernames", "sockname", "socknames", "family"):
            memory.ask(op, ident, [])
        memory.ask("unknown", ident, [])
        memory.ask("close", ident, [1])
        memory.ask("controlling_process", ident, (OWNER, OWNER))
        memory.ask("controlling_process", ident, (OTHER, OTHER))
        memory.ask("controlling_process", ident, (OWNER, OTHER))
        memory.ask("take_over", ident, (OTHER, 0, 0))
        memory.close(ident)
    memory.ask("info", 0, [])
    memory.inet("getaddrs", "localhost", "inet")
    memory.inet("ntoa", LOCALHOST)


@scene(Memory)
def a_closed_descriptor(memory: Memory) -> None:
    ident, peer = memory.pair()
    memory.recv(ident)
    memory.reset(peer)
    memory.setopts(ident, tos=16)
    for op in ("info", "peername", "peernames", "sockname", "socknames", "family"):
        memory.ask(op, ident, [])
    memory.ask("getopts", ident, [Atom("tos")])
    memory.ask("unrecv", ident, b"x")


@scene(Memory)
def another_name(memory: Memory) -> None:
    """The node gets another name, and asks with it."""
    ident, _ = memory.pair()
    memory.open()
    memory.say((Atom("renamed"), Pid(b"Xw\x04a@bc" + bytes(3) + b"\1" + bytes(4) + b"\0\0\0\1")))
    memory.ask("info", ident, [])
    memory.recv(ident, 0, 0)
    memory.say((Atom("ping"), 0))
    memory.say((Atom("ack"), 1))


# --- datagrams ----------------------------------------------------------------------


@scene(Memory)
def datagrams(memory: Memory) -> None:
    ident = memory.open()
    port = memory.port(ident)
    memory.recv(ident)
    memory.recv(ident)
    memory.sendto(ident, port, b"hello")
    memory.recv(ident, 0, 5)
    memory.advance(5)
    memory.recv(ident, 0, 5)
    memory.host.clock.milliseconds += 10 * SECOND
    memory.sendto(ident, port, b"late")
    memory.recv(ident, 0, 0)
    for active in ("once", 1, True, False, True):
        memory.setopts(ident, active=active)
        memory.sendto(ident, port, b"hello")
        memory.request("sendto", ident, ((LOCALHOST, port), [], b"hello"))
        memory.sendto(ident, port, b"hello")
    memory.setopts(ident, deliver="port")
    memory.sendto(ident, port, b"hello")
    memory.setopts(ident, active=False)
    for address in ((LOCALHOST, port), (LOCALHOST, port), 1, (LOCALHOST, -1)):
        memory.ask("connect", ident, address)
    memory.ask("sendto", ident, (Atom("connected"), [], b"hello"))
    memory.ask("sendto", ident, (Atom("connected"), [(Atom("tos"), 1)], b"hello"))
    memory.ask("sendto", ident, (1, [], b"hello"))
    memory.ask("peername", ident, [])
    memory.ask("info", ident, [])
    memory.recv(ident)
    memory.recv(ident)
    memory.close(ident)


@scene(Memory)
def refused_datagrams(memory: Memory) -> None:
    other = memory.open()
    port = memory.port(other)
    memory.close(other)
    for active in (False, True):
        ident = memory.open(active=active)
        memory.ask("connect", ident, (LOCALHOST, port))
        memory.recv(ident)
        memory.ask("sendto", ident, (Atom("connected"), [], b"hello"))


# --- with the system's sockets --------------------------------------------------------


@scene(Real)
def system(real: Real) -> None:
    """A little of all, for the poller that has descriptors."""
    tcp, udp, inet = Atom("inetpy_tcp"), Atom("inetpy_udp"), Atom("inet")
    listening = real.number(real.get("listen", 0, (tcp, inet, OWNER, 0, PASSIVE, [])))
    port = real.get("sockname", listening, [])[1][1]
    accepted = real.ask("accept", listening, (OWNER, -1))
    real.excused.add(accepted)  # should its process end first
    real.peers.append(socket.create_connection(("127.0.0.1", port)))
    real.run(lambda: accepted in real.link.answers)
    real.get("accept", listening, (OWNER, 2))
    ident, peer = real.connect(packet=1)
    received = real.ask("recv", ident, (0, -1))
    peer.send(b"\1x")
    real.run(lambda: received in real.link.answers)
    peer.send(b"\0" * 600)
    real.get("setopts", ident, [term(("active", True))])
    real.get("setopts", ident, [term(("active", "once"))])
    real.get("connect_name", 0, (tcp, OWNER, b"localhost", port, PASSIVE, [], 2000))
    real.get("connect", 0, (tcp, inet, OWNER, LOCALHOST, 1, [], [], 1000))
    real.get("inet", 0, (Atom("getaddrs"), [Atom("localhost"), inet], -1))
    datagram = real.number(real.get("open", 0, (udp, inet, OWNER, 0, PASSIVE)))
    there = (LOCALHOST, real.get("sockname", datagram, [])[1][1])
    real.get("setopts", datagram, [term(("recvtos", True))])
    received = real.ask("recv", datagram, (0, -1))
    real.get("sendto", datagram, (there, [(Atom("tos"), 16)], b"hello"))
    real.run(lambda: received in real.link.answers)
    real.get("connect", datagram, there)
    real.get("connect", datagram, there)
    real.get("fdopen", 0, (tcp, Atom("tcp"), inet, OWNER, peer.fileno(), []))


@scene(Real)
def a_queue(real: Real) -> None:
    """Callers in send and sendfile, with the system's buffers full."""
    ident, peer = real.connect(sndbuf=4096, send_timeout=30)
    real.get("send", ident, bytes(4_000_000))
    real.ask("send", ident, bytes(10_000))
    real.get("send", ident, bytes(10_000))
    real.ask("send_large", ident, (3_000_000, FEEDER, bytes(1000)))
    with tempfile.TemporaryFile() as file:
        file.write(bytes(10_000))
        file.flush()
        real.ask("sendfile", ident, (OWNER, file.fileno(), 0, 0))
    real.ask("close", ident, [])
    peer.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
    peer.close()
    real.run(lambda: not real.unanswered(), 0.2)


@scene(Memory)
def a_lookup_that_takes_too_long(memory: Memory) -> None:
    memory.host.in_thread = lambda _work, _done: None  # type: ignore[method-assign, assignment]
    memory.ask("inet", 0, (Atom("getaddrs"), [Atom("localhost"), Atom("inet")], (5, 0)))
    memory.advance(5)


@scene(Real)
def fast_paths(real: Real) -> None:
    """The only active caller, with the link idle."""
    ident, peer = real.connect(recbuf=1 << 20, sndbuf=1 << 20, buffer=1 << 20)
    real.get("send", ident, bytes(100))
    real.get("send", ident, bytes(100_000))
    left = 100_100
    while left:
        data = peer.recv(left)
        assert data
        left -= len(data)
    peer.sendall(bytes(50_000))
    handle: Any = real.session.sockets[ident]
    real.run(lambda: len(handle.sock.recv(50_000, socket.MSG_PEEK)) == 50_000)
    real.get("recv", ident, (0, -1))
    real.ask("recv", ident, (40_000, -1))
    peer.sendall(bytes(40_000))
    real.run(lambda: not real.unanswered())


@scene(Real)
def early_closes(real: Real) -> None:
    """A caller that has closed others does not wait. With a queue, or with linger, it does."""
    real.session.fast.early_after = 1
    close = Atom("early"), Atom("close")
    first, _ = real.connect()
    real.get("close", first, [])
    idents = [real.connect()[0] for _ in range(3)]
    for ident in idents:
        assert real.link.modes[ident] & CLOSES
    real.get("setopts", idents[0], [term(("linger", (True, 0)))])
    real.ask("send", idents[1], bytes(10_000_000))
    for ident in idents[:2]:
        assert not real.link.modes[ident] & CLOSES
    real.dispatcher.handle_frame(encode((close[0], idents[2], close[1])))
    real.dispatcher.handle_frame(encode((close[0], idents[2], close[1])))
    for ident in idents[:2]:
        real.ask("close", ident, [])
    real.run(lambda: not real.unanswered())


@scene(Real)
def early_requests(real: Real) -> None:
    """Callers that do not wait, until the system takes no more, and until the peer's end."""
    early, once = Atom("early"), [term(("active", "once"))]
    real.session.fast.early_after = 1
    ident, peer = real.connect(packet=1, sndbuf=4096)
    real.get("send", ident, b"x")
    real.get("setopts", ident, once)
    peer.send(b"\1x")
    real.run(lambda: real.link.modes.get(ident, 0) & ~IS_ACTIVE)
    for request in b"a", b"", Atom("once"), b"b", b"c":
        real.dispatcher.handle_frame(encode((early, ident, request)))
    real.dispatcher.settle()
    real.get("setopts", ident, [term(("send_timeout", 10)), term(("delay_send", True))])
    for _ in range(10):
        real.dispatcher.handle_frame(encode((early, ident, bytes(8000))))
        real.ask("send", ident, bytes(200_000))
    peer.close()
    real.run(lambda: not real.unanswered())
    real.dispatcher.handle_frame(encode((early, ident, b"too late")))
    real.dispatcher.handle_frame(encode((early, ident, Atom("once"))))


@scene(Real)
def early_datagrams(real: Real) -> None:
    """Senders of datagrams that do not wait, up to one that the system refuses."""
    early, udp, inet = Atom("early"), Atom("inetpy_udp"), Atom("inet")
    real.session.fast.early_after = 1
    ident = real.number(real.get("open", 0, (udp, inet, OWNER, 0, PASSIVE)))
    there = (LOCALHOST, real.get("sockname", ident, [])[1][1])
    for _ in range(2):
        real.get("setopts", ident, [term(("active", "once"))])
        real.get("sendto", ident, (there, [], b"hello"))
        real.run(lambda: real.link.modes.get(ident, 0) & ~IS_ACTIVE)
    for request in (there, b"a"), (there, b"b"), Atom("once"), ((LOCALHOST, 0), b"c"):
        real.dispatcher.handle_frame(encode((early, ident, request)))
    real.dispatcher.settle()
    real.get("sendto", ident, (there, [], b"late error"))
    real.get("recv", ident, (0, 0))


# --- with a link ------------------------------------------------------------------------


@scene(Linked)
def link(linked: Linked) -> None:
    ident, peer = linked.connected()
    peer.send(b"hello")
    linked.session.network = NetworkRecorder(linked.connection.host)
    linked.ask("fault", 0, (Atom("rules"), []))
    linked.ask("setopts", ident, [term(("active", "once"))])
    linked.settle()
    linked.ask("setopts", ident, [term(("active", True))])
    linked.ask("setopts", ident, [term(("active", False))])
    linked.ask("controlling_process", ident, (OWNER, OTHER))
    linked.ask("take_over", ident, (OTHER, 0, 0))
    datagram = linked.ask("open", 0, (Atom("inetpy_udp"), Atom("inet"), OWNER, 0, [Atom("binary")]))[1][2][2]
    port = linked.ask("sockname", datagram, [])[1][1]
    for _ in range(3):
        linked.request("sendto", datagram, ((LOCALHOST, port), [], b"hello"))
    linked.settle()
    linked.ask("close", ident, [])
    to_node = linked.connection.link
    to_node.in_play(True)
    to_node.names({"db.test": ["10.0.0.1", "fd00::1"]})
    to_node.lineage(1, [OWNER.raw])
    to_node.keys(OWNER.raw)
    to_node.stray(1, [OWNER.raw])
    to_node.keep(1, b"j")
    to_node.forget(1)
    linked.say((Atom("ping"), 0), (Atom("ack"), 3))
    to_node.log("error", b"text")
    linked.settle()
    linked.say((Atom("renamed"), BRIDGE))
    linked.settle()


_plain_references = itertools.count(1 << 64)


def _plain_ref() -> Ref:
    return Ref(b"Z\0\3" + NODE + bytes(4) + next(_plain_references).to_bytes(12, "big"))


def _plain_opened(linked: Linked, kind: str) -> int:
    linked.ask("socket_open", 0, (_plain_ref(), OWNER, Atom("inet"), Atom(kind), 0, {}))
    number = linked.session.newest
    assert number is not None
    return number.ident


@scene(Linked)
def plain_sockets(linked: Linked) -> None:
    """Sockets of inetpy_socket: those that wait are told, or give up."""
    new_ref = _plain_ref

    def opened() -> int:
        return _plain_opened(linked, "dgram")

    ident = opened()
    linked.ask("socket_bind", ident, {Atom("family"): Atom("inet"), Atom("addr"): Atom("loopback")})
    address = linked.ask("socket_sockname", ident, [])[1]
    handle = new_ref()
    linked.ask("socket_recv", ident, (OWNER, handle, 0, [], 0))
    linked.ask("socket_cancel", ident, (OWNER, Atom("recv"), handle))
    linked.ask("socket_recv", ident, (OWNER, new_ref(), 0, [], 0))
    linked.ask("socket_sendto", opened(), (OWNER, new_ref(), address, [], b"hello"))
    linked.settle()
    linked.ask("socket_recv", ident, (OWNER, new_ref(), 0, [], 0))
    linked.ask("socket_recv", ident, (OWNER, new_ref(), 0, [], 0))
    linked.ask("socket_close", ident, [])
    linked.settle()


def _plain_connected(linked: Linked) -> tuple[int, socket.socket]:
    ident = _plain_opened(linked, "stream")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        address = {Atom("family"): Atom("inet"), Atom("addr"): (127, 0, 0, 1), Atom("port"): port}
        linked.ask("socket_connect", ident, (OWNER, _plain_ref(), address))
        linked.settle()
        linked.ask("socket_connected", ident, OWNER)
        listener.settimeout(0.5)
        peer = listener.accept()[0]
    linked.peers.append(peer)
    return ident, peer


@scene(Linked)
def early_plain(linked: Linked) -> None:
    """Plain sockets whose senders do not wait: there is no room, and the peer has gone."""
    linked.session.fast.early_after = 1
    early = Atom("early")
    for ends in ("held", "broken"):
        ident, peer = _plain_connected(linked)
        linked.ask("socket_send", ident, (OWNER, _plain_ref(), [], Atom("true"), b"x"))
        linked.say((early, ident, b"y"))
        if ends == "held":
            sock: Any = linked.session.sockets[ident]
            with suppress(BlockingIOError, AttributeError):
                while True:
                    sock.sock.send(bytes(1 << 16))
            linked.say((early, ident, b"held"))
            linked.ask("socket_close", ident, [])
            peer.close()
        else:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
            peer.close()
            linked.say((early, ident, b"lost"))
            linked.ask("socket_send", ident, (OWNER, _plain_ref(), [], Atom("true"), b"x"))
            linked.ask("socket_close", ident, [])
        linked.settle()


@scene(Linked)
def early_plain_connections(linked: Linked) -> None:
    """Connections that are opened and closed by callers that do not wait."""
    linked.session.fast.early_after = 0
    early = Atom("early")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        address = {Atom("family"): Atom("inet"), Atom("addr"): (127, 0, 0, 1), Atom("port"): port}
        for reads in (False, True):
            ident = _plain_opened(linked, "stream")
            linked.ask("socket_connect", ident, (OWNER, _plain_ref(), address))
            linked.settle()
            linked.say((early, ident, Atom("connected")))
            peer = listener.accept()[0]
            linked.peers.append(peer)
            if reads:
                linked.ask("socket_recv", ident, (OWNER, _plain_ref(), 3, [], 0))
                peer.sendall(b"abc")
                linked.settle()
            linked.say((early, ident, Atom("close")))
            linked.settle()
    ours = _plain_opened(linked, "stream")
    linked.ask("socket_bind", ours, address | {Atom("port"): 0})
    linked.ask("socket_listen", ours, 5)
    port = linked.ask("socket_sockname", ours, [])[1][Atom("port")]
    linked.peers.append(socket.create_connection(("127.0.0.1", port)))
    linked.ask("socket_accept", ours, (OWNER, _plain_ref(), _plain_ref()))
    linked.say((early, ours + 1, Atom("close")))
    linked.ask("socket_close", ours, [])
    linked.settle()


@scene(Linked)
def bytes_ahead(linked: Linked) -> None:
    """A plain socket whose bytes go to the node with the message, and are asked back."""
    ident, peer = _plain_connected(linked)
    linked.ask("socket_recv", ident, (OWNER, _plain_ref(), 3, [], 0))
    peer.sendall(b"abc")
    linked.settle()
    linked.request("socket_info", ident, [])
    linked.settle()
    numbers = range(ident, ident + 5)  # one of them is that of the bytes
    linked.say(*((Atom("recalled"), ident, number, Atom("true")) for number in numbers))
    linked.settle()
    linked.ask("socket_recv", ident, (OWNER, _plain_ref(), 3, [], 0))
    linked.ask("socket_recv", ident, (OWNER, _plain_ref(), 3, [], 0))
    peer.sendall(b"abc")
    linked.settle()
    linked.request("socket_info", ident, [])
    linked.settle()
    linked.say(*((Atom("recalled"), ident, number, Atom("false")) for number in range(ident, ident + 9)))
    linked.settle()
    linked.ask("socket_close", ident, [])
    linked.settle()


@scene(Linked)
def early_link(linked: Linked) -> None:
    linked.session.fast.early_after = 1
    datagram = linked.ask("open", 0, (Atom("inetpy_udp"), Atom("inet"), OWNER, 0, PASSIVE))[1][2][2]
    port = linked.ask("sockname", datagram, [])[1][1]
    for _ in range(2):
        linked.ask("sendto", datagram, ((LOCALHOST, port), [], b"hello"))
    linked.ask("close", datagram, [])


@scene(Linked)
def plain_connections(linked: Linked) -> None:
    """Connections of inetpy_socket: errors, owners that change and end, a close that takes its time."""
    numbers = itertools.count(2 << 64)
    loopback = {Atom("family"): Atom("inet"), Atom("addr"): Atom("loopback")}

    def new_ref() -> Ref:
        return Ref(b"Z\0\3" + NODE + bytes(4) + next(numbers).to_bytes(12, "big"))

    def newest() -> int:
        number = linked.session.newest
        assert number is not None
        return number.ident

    def opened(owner: Pid = OWNER) -> int:
        linked.ask("socket_open", 0, (new_ref(), owner, Atom("inet"), Atom("stream"), 0, {}))
        return newest()

    listener = opened()
    linked.ask("socket_bind", listener, loopback)
    linked.ask("socket_listen", listener, 5)
    address = linked.ask("socket_sockname", listener, [])[1]
    client = opened(OTHER)
    linked.ask("socket_connect", client, (OTHER, new_ref(), address))
    linked.settle()
    linked.ask("socket_connected", client, OTHER)
    linked.ask("socket_accept", listener, (OWNER, new_ref(), new_ref()))
    server = newest()
    linked.say((Atom("renamed"), BRIDGE))
    linked.ask("socket_setopt", client, (OTHER, (Atom("otp"), Atom("use_registry")), Atom("true")))
    linked.ask("socket_recv", client, (OTHER, new_ref(), 0, [], 0))
    linked.ask("socket_recv", client, (OWNER, new_ref(), 0, [], 0))
    linked.ask("socket_recv", client, (OTHER, new_ref(), 0, [Atom("oob")], 0))  # an error, which both hear of
    linked.ask("socket_setopt", server, (OWNER, (Atom("otp"), Atom("controlling_process")), OTHER))
    linked.ask("socket_recv", server, (OWNER, new_ref(), 0, [], 0))
    for number in range(100, 110):  # more than are watched without a look at who waits
        linked.ask("socket_recv", server, (pid(number), new_ref(), 0, [], 0))
    slow = {Atom("onoff"): Atom("true"), Atom("linger"): 1}
    linked.ask("socket_setopt", client, (OTHER, (Atom("socket"), Atom("linger")), slow))
    linked.ask("socket_close", client, [])
    linked.say((Atom("down"), OTHER))
    linked.ask("socket_close", listener, [])
    linked.settle()


@scene(Linked)
def rules(linked: Linked) -> None:
    ident, peer = linked.connected()
    rule: object = (1, {}, (Atom("latency"), {Atom("ms"): 1}), {})
    linked.ask("fault", 0, (Atom("add"), rule))
    peer.send(b"hello")
    linked.ask("recv", ident, (5, -1))
    linked.ask("send", ident, b"hello")
    linked.ask("fault", 0, (Atom("remove"), 1))
    linked.settle()
    linked.ask("close", ident, [])


@scene(Linked)
def traced(linked: Linked) -> None:
    """A trace is on: it changes nothing of what follows on a bug."""
    trace = Network(Engine(linked.connection.host, 1)).trace
    trace._engine.attach(linked.session)
    trace.start()
    ident, peer = linked.connected()
    peer.send(b"hello")
    linked.ask("recv", ident, (5, -1))
    linked.ask("send", ident, b"hello")
    linked.settle()
    linked.ask("close", ident, [])
    trace.stop()
    assert trace.failure is None


@scene(Linked)
def fast_link(linked: Linked) -> None:
    ident, peer = linked.connected(term(("recbuf", 1 << 20)), term(("buffer", 1 << 20)))
    linked.ask("send", ident, bytes(100))
    linked.ask("send", ident, bytes(100_000))
    left = 100_100
    while left:
        data = peer.recv(left)
        assert data
        left -= len(data)
    peer.sendall(bytes(50_000))
    handle = linked.handle(ident)
    linked.run(lambda: len(handle.sock.recv(50_000, socket.MSG_PEEK)) == 50_000)
    linked.ask("recv", ident, (0, -1))
    linked.ask("setopts", ident, [term(("active", "once"))])
    peer.sendall(bytes(50_000))
    linked.run(lambda: not handle.active)
