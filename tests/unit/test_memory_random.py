"""Random calls of sockets in memory give what the kernel gives. TEST_SEED=N repeats a run."""

from __future__ import annotations

import errno
import os
import random
import socket
import tempfile
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SCM_RIGHTS,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ACCEPTCONN,
    SO_ERROR,
    SO_LINGER,
    SO_OOBINLINE,
    SO_PASSCRED,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from struct import pack
from typing import Any

import pytest

from inetpy.host.api import ERROR, HANGUP, READ, WRITE
from seeds import SEED, times
from worlds import Kernel, MemoryOnThisHost, World

COUNT = times(150)
TRIES = 4

Script = Callable[[World, random.Random, float], None]  # the last is how long to wait after each call


# --- a connection ----------------------------------------------------------------

CALLS: dict[str, Callable[[Any], Any]] = {
    "send": lambda sock: sock.send(b"abc"),
    "recv": lambda sock: sock.recv(2),
    "shut for reading": lambda sock: sock.shutdown(SHUT_RD),
    "shut for writing": lambda sock: sock.shutdown(SHUT_WR),
    "shut": lambda sock: sock.shutdown(SHUT_RDWR),
    "close": lambda sock: sock.close(),
    "linger": lambda sock: sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)),
    "has a peer": lambda sock: bool(sock.getpeername()) or True,
    "error": lambda sock: sock.getsockopt(SOL_SOCKET, SO_ERROR),
}


def connection(world: World, dice: random.Random, pause: float) -> None:
    ends = dict(enumerate(world.path_pair() if dice.random() < 0.3 else world.pair()))
    names = dice.choices(["recv", "recv", "send", *CALLS], k=dice.randint(2, 9))
    for name in [*names, "recv", "error", "has a peer", "send", "recv"]:
        number = dice.choice(list(ends))
        end = ends[number]
        world.seen.append((number, name))
        world.note_plain(lambda: CALLS[name](end))  # noqa: B023
        time.sleep(pause)
        if name == "close":
            del ends[number]
        if not ends:
            break
        for end in ends.values():
            world.seen.append(world.ready(end, 0) & (READ | WRITE | ERROR | HANGUP))


# --- addresses --------------------------------------------------------------------

BOUND = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"]
REACHED = ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"]


def addresses(world: World, dice: random.Random, pause: float) -> None:
    """Sockets at one port, and which of them is reached."""
    kind, port = dice.choice((SOCK_STREAM, SOCK_DGRAM)), _free_port()
    bound: dict[int, Any] = {}
    for number in range(dice.randint(2, 5)):
        ip = dice.choice(BOUND)
        sock = world.open(_family(ip), kind)
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, int(dice.random() < 0.5))
        if ":" in ip and dice.random() < 0.5:
            sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, int(dice.random() < 0.5))
        is_listener = dice.random() < 0.6
        world.note(sock.bind, (ip, port))
        if world.seen[-1] == ("bind", None):
            bound[number] = sock
            if is_listener and kind == SOCK_STREAM:
                world.note(sock.listen, 5)
        if dice.random() < 0.15:
            bound.pop(number, sock).close()
    for ip in dice.choices(REACHED, k=3):
        client = world.open(_family(ip), kind)
        with suppress(OSError):
            client.connect((ip, port)) if kind == SOCK_STREAM else client.sendto(b"x", (ip, port))
        time.sleep(pause)
        world.seen.append((ip, client.getsockopt(SOL_SOCKET, SO_ERROR)))
        for number, sock in bound.items():
            world.seen.append(number)
            world.note_plain(lambda: _came(sock, kind))  # noqa: B023


# --- all states ---------------------------------------------------------------------

KINDS = [(AF_INET, SOCK_STREAM), (AF_INET, SOCK_DGRAM), (AF_UNIX, SOCK_STREAM), (AF_UNIX, SOCK_DGRAM),
         (AF_UNIX, SOCK_SEQPACKET)]  # fmt: skip
FIONREAD, SIOCATMARK, SO_PEEK_OFF = 0x541B, 0x8905, 42


class States:
    """A socket with a socket to connect to, and an address where nobody is."""

    def __init__(self, world: World, family: int, kind: int) -> None:
        self.world, self.kind = world, kind
        self.there: Any
        self.nobody: Any
        self.own: Any
        self.accepted: Any = None
        self.closed: list[Any] = []
        self.sock, self.other = world.open(family, kind), world.open(family, kind)
        if family == AF_UNIX:
            self.there = world.path
            self.nobody, self.own = world.path + "-nobody", world.path + "-own"
            self.other.bind(self.there)
        else:
            self.other.bind(("127.0.0.1", 0))
            self.there, self.nobody = self.other.getsockname(), ("127.0.0.1", _free_port())
            self.own = ("127.0.0.1", _free_port())
        if kind != SOCK_DGRAM:
            self.other.listen(5)

    def peer(self) -> Any:
        peer = self.other if self.accepted is None else self.accepted
        if peer in self.closed:
            raise OSError(errno.EBADF, "closed")
        return peer

    def close_peer(self) -> None:
        peer = self.peer()
        self.closed.append(peer)
        peer.close()

    def accept(self) -> None:
        if self.other in self.closed:
            raise OSError(errno.EBADF, "closed")
        self.accepted = self.world.accept(self.other)

    def recv(self, size: int, flags: int) -> object:
        data, control, received, address = self.sock.recvmsg(size, 0, flags)
        return data, control, received, bool(address)

    def send_too_much(self) -> int:
        """Without a peer it depends on the kernel whether that or the size is reported."""
        self.sock.getpeername()
        return int(self.sock.send(bytes(300_000)))

    def has_name(self) -> bool:
        name = self.sock.getsockname()
        return bool(name[1] if isinstance(name, tuple) else name)


STATE_CALLS: dict[str, Callable[[States], Any]] = {
    "connect": lambda it: it.sock.connect(it.there),
    "connect to nobody": lambda it: it.sock.connect(it.nobody),
    "disconnect": lambda it: it.world.disconnect(it.sock),
    "bind": lambda it: it.sock.bind(it.own),
    "listen": lambda it: it.sock.listen(1),
    "accept": lambda it: _drop(it.sock.accept()),
    "shut for reading": lambda it: it.sock.shutdown(SHUT_RD),
    "shut for writing": lambda it: it.sock.shutdown(SHUT_WR),
    "shut": lambda it: it.sock.shutdown(SHUT_RDWR),
    "send": lambda it: it.sock.send(b"abc"),
    "send nothing": lambda it: it.sock.send(b""),
    "send urgently": lambda it: it.sock.send(b"xyz", MSG_OOB),
    "send too much": lambda it: it.send_too_much(),
    "send too much to nobody": lambda it: it.sock.sendto(bytes(300_000), it.nobody),
    "send to": lambda it: it.sock.sendto(b"def", it.there),
    "recv": lambda it: it.recv(2, 0),
    "recv all": lambda it: it.recv(100, 0),
    "peek": lambda it: it.recv(3, MSG_PEEK),
    "peek from": lambda it: it.sock.setsockopt(SOL_SOCKET, SO_PEEK_OFF, 2),
    "peek from the start": lambda it: it.sock.setsockopt(SOL_SOCKET, SO_PEEK_OFF, -1),
    "offset": lambda it: it.sock.getsockopt(SOL_SOCKET, SO_PEEK_OFF),
    "recv urgent": lambda it: it.recv(3, MSG_OOB),
    "peek urgent": lambda it: it.recv(3, MSG_OOB | MSG_PEEK),
    "recv error": lambda it: it.recv(3, MSG_ERRQUEUE),
    "error": lambda it: it.sock.getsockopt(SOL_SOCKET, SO_ERROR),
    "listens": lambda it: it.sock.getsockopt(SOL_SOCKET, SO_ACCEPTCONN),
    "unread": lambda it: it.world.ioctl(it.sock, FIONREAD),
    "at mark": lambda it: it.world.ioctl(it.sock, SIOCATMARK),
    "inline": lambda it: it.sock.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1),
    "has a peer": lambda it: bool(it.sock.getpeername()) or True,
    "has a name": lambda it: it.has_name(),
    "peer accepts": lambda it: it.accept(),
    "peer binds": lambda it: it.peer().bind(it.own),
    "peer connects to itself": lambda it: it.peer().connect(it.there),
    "peer sends": lambda it: it.peer().send(b"ghi"),
    "peer sends urgently": lambda it: it.peer().send(b"jkl", MSG_OOB),
    "peer reads": lambda it: it.peer().recv(4),
    "peer shuts": lambda it: it.peer().shutdown(SHUT_WR),
    "peer closes": lambda it: it.close_peer(),
}


def _drop(_result: object) -> None:
    """What came of a call differs by chance."""


def states(world: World, dice: random.Random, pause: float) -> None:
    """Each call in each state of a socket."""
    it = States(world, *dice.choice(KINDS))
    # A unix stream has no urgent data in memory. How much of much data a stream takes is the system's affair.
    is_stream, is_unix = it.kind == SOCK_STREAM, it.sock.family == AF_UNIX
    left_out = [word for word, is_out in [("urgent", is_stream and is_unix), ("much", is_stream)] if is_out]
    names = [name for name in STATE_CALLS if not any(word in name for word in left_out)]
    for name in dice.choices(names, k=dice.randint(3, 14)):
        world.seen.append(name)
        world.note_plain(lambda: STATE_CALLS[name](it))  # noqa: B023
        time.sleep(pause)
        world.seen.append(world.ready(it.sock, 0) & (READ | WRITE | ERROR | HANGUP))


# --- what is sent and read ------------------------------------------------------------

SWITCHES = [(SOL_SOCKET, SO_PASSCRED), (SOL_SOCKET, SO_OOBINLINE)]
OFFSETS = [-1, 0, 1, 2, 5]
ROOMS = [0, 16, 20, 24, 32, 100]
READ_FLAGS = [0, 0, 0, MSG_PEEK, MSG_PEEK, MSG_PEEK | MSG_TRUNC]
RIGHTS = (SOL_SOCKET, SCM_RIGHTS, pack("ii", 0, 1))


def transfers(world: World, dice: random.Random, pause: float) -> None:
    """Bytes, packets, urgent bytes and descriptors, and reads of all forms."""
    family, kind = dice.choice(KINDS)
    sender, receiver = _ends(world, family, kind)
    calls = [_sends, _sends, _reads, _reads, _reads, _switches]
    for call in [*dice.choices(calls, k=dice.randint(4, 20)), _reads, _reads]:
        call(world, dice, sender, receiver)
        time.sleep(pause)
        world.seen.append(world.ready(receiver, 0) & (READ | ERROR | HANGUP))
        world.note_plain(lambda: world.ioctl(receiver, FIONREAD))
        if kind == SOCK_STREAM:
            world.seen.append(world.ioctl(receiver, SIOCATMARK))


def _ends(world: World, family: int, kind: int) -> tuple[Any, Any]:
    if kind != SOCK_DGRAM:
        return world.pair() if family == AF_INET else world.path_pair(kind)
    sender, receiver = world.open(family, kind), world.open(family, kind)
    receiver.bind(("127.0.0.1", 0) if family == AF_INET else world.path)
    sender.connect(receiver.getsockname())
    return sender, receiver


def _sends(world: World, dice: random.Random, sender: Any, _receiver: Any) -> None:
    data = bytes(dice.choices(b"abcdefgh", k=dice.randint(0, 5)))
    is_unix = sender.family == AF_UNIX
    flags = MSG_OOB if dice.random() < 0.3 and not is_unix else 0
    control = [RIGHTS] if dice.random() < 0.3 and is_unix else []
    world.seen.append((data, flags, len(control)))
    world.note_plain(lambda: sender.sendmsg([data], control, flags))


def _reads(world: World, dice: random.Random, _sender: Any, receiver: Any) -> None:
    size, room, flags = dice.randint(1, 7), dice.choice(ROOMS), dice.choice(READ_FLAGS)
    if receiver.family == AF_INET and dice.random() < 0.2:
        flags |= MSG_OOB
    if receiver.family == AF_INET:
        flags &= ~MSG_TRUNC  # says how long it is, and not how much of it there is
    world.seen.append((size, room, flags))
    world.note_plain(lambda: _read(receiver, size, room, flags))


def _read(sock: Any, size: int, room: int, flags: int) -> object:
    data, control, received, _ = sock.recvmsg(size, room, flags)
    return data, [_plain(*message) for message in control], received


def _plain(level: int, kind: int, data: bytes) -> tuple[int, int, object]:
    """Of descriptors only how many. They are closed."""
    if (level, kind) != (SOL_SOCKET, SCM_RIGHTS):
        return level, kind, data
    numbers = array("i", data)
    for number in numbers:
        os.close(number)
    return level, kind, len(numbers)


def _switches(world: World, dice: random.Random, _sender: Any, receiver: Any) -> None:
    if dice.random() < 0.5:
        offset = dice.choice(OFFSETS)
        world.seen.append(("offset", offset))
        world.note_plain(lambda: receiver.setsockopt(SOL_SOCKET, SO_PEEK_OFF, offset))
    else:
        option, value = dice.choice(SWITCHES), dice.randint(0, 1)
        world.seen.append((option, value))
        world.note_plain(lambda: receiver.setsockopt(*option, value))
    world.note_plain(lambda: receiver.getsockopt(SOL_SOCKET, SO_PEEK_OFF))


def _came(sock: Any, kind: int) -> object:
    if kind == SOCK_DGRAM:
        data, sender = sock.recvfrom(10)
        return data, sender[0]
    server, client = sock.accept()
    own = server.getsockname()
    server.close()
    return client[0], own[0]


def _family(ip: str) -> int:
    return AF_INET6 if ":" in ip else AF_INET


def _free_port() -> int:
    with socket.socket(AF_INET6, SOCK_STREAM) as sock:
        sock.bind(("::", 0))
        return int(sock.getsockname()[1])


@pytest.mark.random
@pytest.mark.parametrize(
    "script", [connection, addresses, states, transfers], ids=lambda script: script.__name__
)
def test_random_calls(script: Script) -> None:
    for seed in range(SEED, SEED + COUNT):
        memory = _seen(MemoryOnThisHost, script, seed, 0)
        # Where the kernel is late, it gets more time.
        kernel: list[object] = []
        for attempt in range(TRIES):
            kernel = _seen(Kernel, script, seed, 0.02 * attempt)
            if kernel == memory:
                break
        assert memory == kernel, f"TEST_SEED={seed}"


def _seen(kind: type[World], script: Script, seed: int, pause: float) -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        world = kind(Path(folder))
        try:
            script(world, random.Random(seed), pause)
        finally:
            for sock in world.sockets:
                sock.close()
    return world.seen
