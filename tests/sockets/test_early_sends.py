"""Small sends of plain sockets whose callers do not wait, where the system has no room for them.

What a program may see is in erl/test/xs_early.erl. Here is what no scenario can bring about at will: requests
that are on their way when the buffer of the system is full, and the end of the socket behind them.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom
from inetpy.host.api import PEER_END
from inetpy.host.linux import LinuxHost
from inetpy.wire.mode import SENDS
from plain_world import OK, OWNER, PlainWorld, linux_host, pid

SELECT = Atom("select")
SENDER = pid(2)
EARLY = 2  # requests until callers may answer themselves


class World(PlainWorld):
    """Its callers may answer themselves."""

    def __init__(self, host: LinuxHost) -> None:
        super().__init__(host)
        self.session.fast.early_after = EARLY
        self.peer.settimeout(10)

    def request(self, op: str, *args: Any) -> Any:
        return self.answer(self.ask(self.plain.ident, op, *args))

    def send(self, data: bytes) -> Any:
        return self.request("socket_send", SENDER, self.ref(), [], Atom("true"), data)

    def early(self, *parts: bytes) -> None:
        for part in parts:
            self.dispatcher.handle_frame(encode((Atom("early"), self.plain.ident, part)))
        self.dispatcher.settle()

    @property
    def may_send(self) -> bool:
        """What the node knows."""
        return bool(self.link.modes.get(self.plain.ident, 0) & SENDS)

    def warm(self) -> None:
        for _ in range(EARLY):
            assert self.send(b"x") == OK
        assert self.may_send

    def fill(self) -> int:
        """Bytes that the system has taken, until it takes no more."""
        assert self.plain.sock is not None
        count = 0
        try:
            while True:
                count += self.plain.sock.send(bytes(1 << 16))
        except BlockingIOError:
            return count

    def received(self, size: int) -> bytes:
        """So many bytes; the socket writes meanwhile what it holds."""
        data = bytearray()
        while len(data) < size:
            data += self.peer.recv(min(1 << 16, size - len(data)))
            self.turn()
        return bytes(data)

    def turn(self) -> None:
        loop = self.session.host.poller._loop  # type: ignore[attr-defined]
        loop.call_soon(loop.stop)
        loop.run_forever()

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < ends
            self.turn()


@pytest.fixture
def world() -> Iterator[World]:
    with linux_host() as host:
        world = World(host)
        yield world
        world.end()


def test_callers_may_answer_themselves_after_some_sends(world: World) -> None:
    assert world.send(b"x") == OK
    assert not world.may_send
    assert world.send(b"x") == OK
    assert world.may_send
    world.early(b"a", b"", b"bc")
    assert world.received(5) == b"xxabc"
    counters = world.plain.counters
    assert (counters["write_tries"], counters["write_pkg"], counters["write_byte"]) == (5, 5, 5)
    assert world.may_send


def test_large_sends_do_not_count(world: World) -> None:
    for _ in range(EARLY + 1):
        assert world.send(bytes(513)) == OK
    assert not world.may_send


@pytest.mark.parametrize("option", [b"sndbuf", b"fd"])
def test_what_takes_the_room_or_the_descriptor_ends_it(world: World, option: bytes) -> None:
    world.warm()
    if option == b"fd":
        world.request("socket_getopt", (Atom("otp"), Atom("fd")))
    else:
        assert world.request("socket_setopt", OWNER, (Atom("socket"), Atom("sndbuf")), 4096) == OK
    assert not world.may_send
    assert world.send(b"x") == OK
    assert not world.may_send


def test_a_send_that_fills_the_buffer_ends_it(world: World) -> None:
    world.warm()
    answer = world.send(bytes(16 << 20))
    assert answer[0] == SELECT
    assert not world.may_send


def test_what_finds_no_room_is_sent_later_and_in_order(world: World) -> None:
    world.warm()
    size = world.fill()
    parts = [bytes([number]) * 300 for number in range(1, 100)]
    world.early(*parts[:50])
    world.early(*parts[50:])
    assert not world.may_send
    assert world.send(b"behind")[0] == SELECT  # waits behind them
    assert len(world.plain.writers) == 100
    data = world.received(EARLY + size + 99 * 300)
    assert data[EARLY + size :] == b"".join(parts)
    world.until(lambda: bool(world.link.selected))
    assert world.send(b"behind") == OK
    assert world.received(6) == b"behind"
    assert world.plain.counters["write_byte"] == EARLY + 99 * 300 + 6


def test_it_waits_behind_a_process_that_waits(world: World) -> None:
    world.warm()
    size = world.fill()
    assert world.send(b"first")[0] == SELECT
    world.early(b"second")
    world.received(EARLY + size)
    world.until(lambda: bool(world.link.selected))
    assert world.send(b"first") == OK
    assert world.received(11) == b"firstsecond"


def test_an_error_of_the_first_leaves_it_there(world: World) -> None:
    world.warm()
    size = world.fill()
    assert world.send(b"first")[0] == SELECT
    world.early(b"second")
    world.plain.failed(world.plain.writers, "einval")
    assert world.received(EARLY + size + 6).endswith(b"second")


def test_shutdown_comes_behind_it(world: World) -> None:
    world.warm()
    size = world.fill()
    world.early(b"last", b"")
    assert world.request("socket_shutdown", Atom("write")) == OK
    assert world.received(EARLY + size + 4).endswith(b"last")
    world.until(lambda: world.plain.writers.first is None)
    assert world.peer.recv(1) == b""
    assert world.send(b"x") == (Atom("error"), Atom("epipe"))


@pytest.mark.parametrize("lingers", [False, True])
def test_so_does_close(world: World, lingers: bool) -> None:
    world.warm()
    size = world.fill()
    if lingers:
        linger = {Atom("onoff"): Atom("true"), Atom("linger"): 30}
        assert world.request("socket_setopt", OWNER, (Atom("socket"), Atom("linger")), linger) == OK
    world.early(b"la", b"st")
    ref = world.ask(world.plain.ident, "socket_close")
    assert world.answer(ref) == (None if lingers else OK)
    assert world.received(EARLY + size + 4).endswith(b"last")
    world.until(lambda: world.answer(ref) == OK)
    assert world.peer.recv(1) == b""


def test_a_close_that_waits_no_longer_than_it_shall(world: World) -> None:
    world.warm()
    world.fill()
    linger = {Atom("onoff"): Atom("true"), Atom("linger"): 1}
    assert world.request("socket_setopt", OWNER, (Atom("socket"), Atom("linger")), linger) == OK
    world.early(b"never")
    ref = world.ask(world.plain.ident, "socket_close")
    world.until(lambda: world.answer(ref) == OK)


def test_a_close_that_resets_drops_it(world: World) -> None:
    world.warm()
    size = world.fill()
    world.early(b"dropped")
    world.plain.open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert world.request("socket_close") == OK
    with pytest.raises(ConnectionResetError):
        world.received(EARLY + size + 7)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda world: world.send(b"x"), (Atom("error"), Atom("econnreset"))),
        (
            lambda world: world.request("socket_recv", SENDER, world.ref(), 1, [], 0),
            (Atom("error"), Atom("econnreset")),
        ),
        (lambda world: world.request("socket_getopt_native", (1, 4), Atom("integer")), (OK, 104)),
    ],
)
def test_an_error_is_told_to_the_next_call(world: World, call: Callable[[World], Any], answer: Any) -> None:
    world.warm()
    world.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    world.peer.close()
    world.early(b"lost", b"too")
    assert not world.may_send
    assert world.plain.counters["write_fails"] == 2
    assert call(world) == answer
    assert world.request("socket_recv", SENDER, world.ref(), 1, [], 0) == (Atom("error"), Atom("closed"))
    assert world.send(b"x") == (Atom("error"), Atom("epipe"))


def test_the_peers_end_is_watched_for(world: World) -> None:
    world.warm()
    assert world.plain.interest == PEER_END
    world.peer.shutdown(socket.SHUT_WR)
    world.until(lambda: not world.may_send)
    assert world.plain.interest == 0
    assert world.send(b"abc") == OK
    assert not world.may_send
    assert world.received(EARLY + 3).endswith(b"abc")


def test_a_socket_that_is_closed_takes_no_notice(world: World) -> None:
    world.warm()
    ident = world.plain.ident
    assert world.request("socket_close") == OK
    world.dispatcher.handle_frame(encode((Atom("early"), ident, b"x")))
    world.dispatcher.settle()
    assert world.peer.recv(10) == b"xx"
    assert world.peer.recv(1) == b""
