"""Callers that open and close connections of plain sockets, and do not wait.

What a program may see is in erl/test/xs_closes.erl. Here is when the node is told so, what takes it back,
and what no scenario can bring about at will: the end of the peer while an answer is on its way, and bytes
that the node has when a caller closes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Ref
from inetpy.host.api import PEER_END, READ, WRITE
from inetpy.host.linux import LinuxHost
from inetpy.sockets import early
from inetpy.sockets.plain import Plain
from inetpy.sockets.plain.held import Held
from inetpy.wire.mode import CLOSES, CONNECTS, SENDS
from plain_world import OK, OWNER, PlainWorld, linux_host, pid

CLOSED = (Atom("error"), Atom("closed"))
OTHER = pid(3)
LINGER = {Atom("onoff"): Atom("true"), Atom("linger"): 3}


class World(PlainWorld):
    """Its callers do not wait, from the first connection on."""

    def __init__(self, host: LinuxHost, early_after: int = 0) -> None:
        super().__init__(host, early_after=early_after)
        self.peer.settimeout(10)

    def end(self) -> None:
        for ended in list(self.session.sockets.values()):
            ended.terminate()
        super().end()

    def request(self, op: str, *args: Any, ident: int | None = None) -> Any:
        return self.answer(self.ask(self.plain.ident if ident is None else ident, op, *args))

    def early(self, request: str, plain: Plain | None = None) -> None:
        target = plain or self.plain
        self.dispatcher.handle_frame(encode((Atom("early"), target.ident, Atom(request))))

    def mode(self, plain: Plain | None = None) -> int:
        """What the node knows."""
        return self.link.modes.get((plain or self.plain).ident, 0)

    def connecting(self, port: int) -> tuple[Plain, Ref]:
        """A socket that connects to a port. The answer is not read."""
        assert self.request("socket_open", self.ref(), OWNER, Atom("inet"), Atom("stream"), 0, {}, ident=0)
        plain: Any = self.session.newest
        address = {Atom("family"): Atom("inet"), Atom("addr"): (127, 0, 0, 1), Atom("port"): port}
        return plain, self.ask(plain.ident, "socket_connect", OWNER, self.ref(), address)


@pytest.fixture
def host() -> Iterator[LinuxHost]:
    with linux_host() as host:
        yield host


@pytest.fixture
def world(host: LinuxHost) -> Iterator[World]:
    world = World(host)
    yield world
    world.end()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


# --- close ---------------------------------------------------------------------------


def test_callers_of_close_wait_at_first(host: LinuxHost, listener: socket.socket) -> None:
    world = World(host, early_after=1)
    assert world.mode() == 0
    assert world.request("socket_close") == OK
    assert world.session.closes == 1
    second, _ = world.connecting(listener.getsockname()[1])
    second.on_ready(WRITE)
    world.early("connected", second)
    assert world.mode(second) == CLOSES
    world.end()


def test_what_is_no_connection_does_not_count(world: World) -> None:
    for kind in ("dgram", "stream"):
        world.request("socket_open", world.ref(), OWNER, Atom("inet"), Atom(kind), 0, {}, ident=0)
        opened: Any = world.session.newest
        assert world.request("socket_close", ident=opened.ident) == OK
        assert world.mode(opened) == 0
    assert world.session.closes == 0


def test_a_close_behind_its_answer(world: World) -> None:
    assert world.mode() == CLOSES
    world.early("close")
    assert world.peer.recv(1) == b""
    assert world.session.closes == 1
    assert (
        world.request("socket_send", OTHER, world.ref(), [], Atom("true"), b"x", ident=-world.plain.ident)
        == CLOSED
    )
    world.early("close")  # of a caller that found another before itself
    assert world.session.closes == 1


def test_a_call_that_crosses_the_close(world: World) -> None:
    """The socket can still be asked what it was, as behind the close."""
    world.early("close")
    crossing, behind = (world.request("socket_info", ident=sign * world.plain.ident) for sign in (1, -1))
    assert crossing == behind
    assert crossing[Atom("domain")] == Atom("inet")


def test_accepted_connections(world: World) -> None:
    world.request("socket_open", world.ref(), OWNER, Atom("inet"), Atom("stream"), 0, {}, ident=0)
    listens: Any = world.session.newest
    assert world.request("socket_listen", 5, ident=listens.ident) == OK
    with socket.create_connection(("127.0.0.1", listens.sock.getsockname()[1])) as peer:
        accepted = world.request("socket_accept", OTHER, world.ref(), world.ref(), ident=listens.ident)
        connection: Any = world.session.newest
        assert accepted == (OK, (Atom("$socket"), connection.reference))
        assert world.mode(connection) == CLOSES
        assert world.mode(listens) == 0
        world.early("close", connection)
        assert peer.recv(1) == b""


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.request("socket_setopt", OWNER, (Atom("socket"), Atom("linger")), LINGER),
        lambda world: world.request("socket_setopt_native", (1, socket.SO_LINGER), struct.pack("ii", 1, 1)),
        lambda world: world.request("socket_getopt", (Atom("otp"), Atom("fd"))),
        lambda world: early.stop(world.session),
    ],
    ids=["linger", "native", "descriptor", "trace"],
)
def test_what_makes_callers_wait_again(world: World, change: Callable[[World], Any]) -> None:
    change(world)
    assert world.mode() == 0


def test_a_connection_that_becomes_a_listener(world: World) -> None:
    """Its port is free when close is over."""
    nobody = {Atom("family"): Atom("unspec"), Atom("addr"): b""}
    assert world.request("socket_connect", OWNER, world.ref(), nobody) == OK
    assert world.request("socket_listen", 5) == OK
    assert world.mode() == 0
    assert world.request("socket_close") == OK
    assert world.session.closes == 0


def test_an_option_that_does_not_matter(world: World) -> None:
    assert world.request("socket_setopt", OWNER, (Atom("socket"), Atom("rcvbuf")), 4096) == OK
    assert world.mode() == CLOSES


def test_a_listener_that_lingers(world: World) -> None:
    """Its connections do, too."""
    world.request("socket_open", world.ref(), OWNER, Atom("inet"), Atom("stream"), 0, {}, ident=0)
    listens: Any = world.session.newest
    option = (Atom("socket"), Atom("linger"))
    assert world.request("socket_setopt", OWNER, option, LINGER, ident=listens.ident) == OK
    assert world.request("socket_listen", 5, ident=listens.ident) == OK
    with socket.create_connection(("127.0.0.1", listens.sock.getsockname()[1])):
        world.request("socket_accept", OTHER, world.ref(), world.ref(), ident=listens.ident)
        assert world.mode(world.session.newest) == 0  # type: ignore[arg-type]


def test_an_address_that_somebody_has_chosen(world: World, listener: socket.socket) -> None:
    """It may be wanted again at once, perhaps from another process of Python."""
    world.request("socket_open", world.ref(), OWNER, Atom("inet"), Atom("stream"), 0, {}, ident=0)
    bound: Any = world.session.newest
    address = {Atom("family"): Atom("inet"), Atom("addr"): (127, 0, 0, 1), Atom("port"): 0}
    assert world.request("socket_bind", address, ident=bound.ident) == OK
    remote = {**address, Atom("port"): listener.getsockname()[1]}
    world.request("socket_connect", OWNER, world.ref(), remote, ident=bound.ident)
    bound.on_ready(WRITE)
    assert world.request("socket_connected", OWNER, ident=bound.ident) == OK
    assert bound.is_connection
    assert world.mode(bound) == 0


@pytest.mark.parametrize("taken", [False, True])
def test_bytes_that_the_node_has(world: World, taken: bool) -> None:
    """The socket is closed for all when one caller has closed it. The peer is reset if they were not read."""
    waits = world.ask(world.plain.ident, "socket_recv", OTHER, world.ref(), 3, [], 0)
    assert world.answer(waits) == Atom("select")
    world.peer.sendall(b"abc")
    assert world.plain.sock is not None
    select_readable(world.plain.sock)
    world.plain.on_ready(READ)
    number = world.link.aheads[world.plain.ident][0]
    world.early("close")
    assert world.link.recalls == [(world.plain.ident, number)]
    ident = -world.plain.ident
    assert world.request("socket_send", OTHER, world.ref(), [], Atom("true"), b"x", ident=ident) == CLOSED
    name = world.ask(ident, "socket_sockname")
    world.early("close")  # of another caller
    assert world.session.closes == 1
    given_up = Atom("false" if taken else "true")
    world.dispatcher.handle_frame(encode((Atom("recalled"), world.plain.ident, number, given_up)))
    assert world.answer(name) == CLOSED
    if taken:
        assert world.peer.recv(1) == b""
    else:
        with pytest.raises(ConnectionResetError):
            world.peer.recv(1)


def test_bytes_that_have_been_taken_come_with_the_close(world: World) -> None:
    """The socket is closed at once: its descriptor and its port are free for the next request."""
    waits = world.ask(world.plain.ident, "socket_recv", OTHER, world.ref(), 3, [], 0)
    assert world.answer(waits) == Atom("select")
    world.peer.sendall(b"abc")
    assert world.plain.sock is not None
    select_readable(world.plain.sock)
    world.plain.on_ready(READ)
    number = world.link.aheads[world.plain.ident][0]
    request = (Atom("early"), world.plain.ident, (Atom("close"), number))
    world.dispatcher.handle_frame(encode(request))
    assert world.plain.sock is None
    assert world.link.recalls == []
    assert world.peer.recv(1) == b""
    assert world.plain.counters["read_byte"] == 3
    assert world.session.closes == 1


def test_sends_around_a_close_that_waits_for_the_node(world: World) -> None:
    """What was sent before it goes out, what comes behind it does not."""
    world.ask(world.plain.ident, "socket_recv", OTHER, world.ref(), 3, [], 0)
    world.peer.sendall(b"abc")
    assert world.plain.sock is not None
    select_readable(world.plain.sock)
    world.plain.on_ready(READ)
    world.plain.writers.hold(Held(memoryview(b"before")))
    world.early("close")
    world.plain.on_ready(WRITE)
    world.dispatcher.handle_frame(encode((Atom("early"), world.plain.ident, b"behind")))
    world.dispatcher.settle()
    number = world.link.aheads[world.plain.ident][0]
    world.dispatcher.handle_frame(encode((Atom("recalled"), world.plain.ident, number, Atom("false"))))
    assert world.peer.recv(100) == b"before"
    assert world.peer.recv(100) == b""


def select_readable(sock: Any) -> None:
    sock.setblocking(True)
    assert sock.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL) == b"abc"
    sock.setblocking(False)


# --- connect/1 -----------------------------------------------------------------------


def test_a_process_that_is_told_may_answer_itself(world: World, listener: socket.socket) -> None:
    plain, asked = world.connecting(listener.getsockname()[1])
    assert world.answer(asked) == Atom("select")
    plain.on_ready(WRITE)
    assert world.mode(plain) == CONNECTS
    told: Any = decode(b"\x83" + world.link.destinations[plain.ident])
    assert told[0] == OWNER
    assert plain.interest == PEER_END
    world.early("connected", plain)
    assert world.mode(plain) == CLOSES
    assert plain.interest == 0
    assert plain.write_state >= {"connected"}
    listener.accept()[0].close()


def test_each_offer_has_its_number(world: World, listener: socket.socket) -> None:
    told = []
    for _ in range(2):
        plain, _ = world.connecting(listener.getsockname()[1])
        plain.on_ready(WRITE)
        told.append(world.link.destinations[plain.ident])
    assert told[0] != told[1]


def test_a_process_that_asks_all_the_same(world: World, listener: socket.socket) -> None:
    plain, _ = world.connecting(listener.getsockname()[1])
    plain.on_ready(WRITE)
    assert world.request("socket_connected", OTHER, ident=plain.ident) != OK
    assert world.mode(plain) == CONNECTS
    assert world.request("socket_connected", OWNER, ident=plain.ident) == OK
    assert world.mode(plain) == CLOSES
    assert plain.interest == 0


def test_a_connection_that_fails(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    plain, _ = world.connecting(port)
    plain.on_ready(WRITE | READ)
    assert world.mode(plain) == 0
    refused = (Atom("error"), Atom("econnrefused"))
    assert world.request("socket_connected", OWNER, ident=plain.ident) == refused


def test_a_process_that_waits_no_longer(world: World, listener: socket.socket) -> None:
    plain, _ = world.connecting(listener.getsockname()[1])
    plain.on_ready(WRITE)
    plain.on_down(pid(9))  # another
    assert plain.connector is not None
    handle = plain.connector.handle
    assert world.request("socket_cancel", OWNER, Atom("connect"), handle, ident=plain.ident) == Atom(
        "select_sent"
    )
    assert world.mode(plain) == 0
    assert plain.interest == 0
    world.early("connected", plain)
    assert "connected" not in plain.write_state


def reset(listener: socket.socket) -> None:
    peer = listener.accept()[0]
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_the_peers_end_takes_it_back(world: World, listener: socket.socket) -> None:
    plain, _ = world.connecting(listener.getsockname()[1])
    plain.on_ready(WRITE)
    reset(listener)
    plain.on_ready(PEER_END | READ | WRITE)
    assert world.mode(plain) == 0
    was_reset = (Atom("error"), Atom("econnreset"))
    assert world.request("socket_connected", OWNER, ident=plain.ident) == was_reset


def test_an_end_on_the_way_is_told_to_the_next_call(world: World, listener: socket.socket) -> None:
    plain, _ = world.connecting(listener.getsockname()[1])
    plain.on_ready(WRITE)
    reset(listener)
    world.early("connected", plain)
    assert world.mode(plain) & (CLOSES | CONNECTS | SENDS) == 0
    was_reset = (Atom("error"), Atom("econnreset"))
    assert (
        world.request("socket_send", OWNER, world.ref(), [], Atom("true"), b"x", ident=plain.ident)
        == was_reset
    )


def test_nobody_is_told_where_callers_wait(host: LinuxHost, listener: socket.socket) -> None:
    world = World(host, early_after=1)
    plain, _ = world.connecting(listener.getsockname()[1])
    plain.on_ready(WRITE)
    assert world.mode(plain) == 0
    assert plain.interest == 0
    world.end()
