"""Random calls of sockets in memory give what the kernel gives. INETPY_SEED=N repeats a run."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ERROR,
    SO_LINGER,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from struct import pack
from typing import Any

import pytest

from inetpy.host.api import ERROR, HANGUP, READ, WRITE
from worlds import Kernel, MemoryOnThisHost, World

SEED = int(os.environ.get("INETPY_SEED", random.randrange(1 << 30)))
COUNT = 150
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


@pytest.mark.parametrize("script", [connection, addresses], ids=lambda script: script.__name__)
def test_random_calls(script: Script) -> None:
    for seed in range(SEED, SEED + COUNT):
        memory = _seen(MemoryOnThisHost, script, seed, 0)
        # Where the kernel is late, it gets more time.
        kernel: list[object] = []
        for attempt in range(TRIES):
            kernel = _seen(Kernel, script, seed, 0.02 * attempt)
            if kernel == memory:
                break
        assert memory == kernel, f"INETPY_SEED={seed}"


def _seen(kind: type[World], script: Script, seed: int, pause: float) -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        world = kind(Path(folder))
        try:
            script(world, random.Random(seed), pause)
        finally:
            for sock in world.sockets:
                sock.close()
    return world.seen
