"""Large sends and receives have fast paths: what can go wrong on them, one thing at a time.

The tests play the node, at the other end of two pipes, and the peer. The scenarios of erl/test/xc_bulk.erl
show that the results are those of the stock driver.
"""

from __future__ import annotations

import json
import shlex
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from conftest import TOP, erl
from fake_node import FakeNode, fake_nodes
from inetpy.codec import implementation
from inetpy.codec.terms import Atom
from inetpy.fast import BEGINNING
from inetpy.host import pipes

OK = Atom("ok")
DATA = bytes(range(256)) * 1200
LINGER_NOT = struct.pack("ii", 1, 0)
ROOM = (Atom("recbuf"), 4 * len(DATA))  # for all of DATA in the socket

NewNode = Callable[..., FakeNode]


@pytest.fixture
def new_node() -> Iterator[NewNode]:
    with fake_nodes() as new:
        yield new


@pytest.fixture
def node(new_node: NewNode) -> FakeNode:
    return new_node()


class Counted(socket.socket):
    """Remembers what it reads, and what it is given to send."""

    got: list[bytes]
    sent: list[bytes | memoryview]

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        self.got.append(data)
        return data

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        self.sent.append(data)
        return super().send(data, flags)


def connected(node: FakeNode, *options: object) -> tuple[int, socket.socket, Counted]:
    """A socket, its peer, and the socket of the system. The next request is of its only active caller."""

    def open_socket(family: int, kind: int, _netns: object = None) -> Counted:
        sock = Counted(family, kind | socket.SOCK_NONBLOCK)
        sock.got, sock.sent = [], []
        return sock

    node.connection.host.open_socket = open_socket  # type: ignore[method-assign, assignment]
    ident, peer = node.connect(ROOM, *options)
    assert node.ask("family", ident, [])[0] == OK
    return ident, peer, node.handle(ident).sock


def arrived(sock: Counted, peer: socket.socket, data: bytes) -> None:
    """Sends, and waits until all of it is there to be read."""
    before = pipes.readable(sock)
    peer.sendall(data)
    while pipes.readable(sock) < before + len(data):
        assert socket.socket.recv(sock, 1, socket.MSG_PEEK)


@pytest.fixture
def spliced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each splice(2) from a socket moves."""
    moved: list[int] = []
    splice = pipes.splice

    def counted(sock: Any, pipe: int, size: int) -> int:
        moved.append(splice(sock, pipe, size))
        return moved[-1]

    monkeypatch.setattr(pipes, "splice", counted)
    return moved


# --- receiving ---------------------------------------------------------------------


def test_many_bytes_are_spliced(node: FakeNode, spliced: list[int]) -> None:
    """They go from the socket to the pipe in the kernel, all of them where the pipe has room."""
    ident, peer, sock = connected(node)
    with peer:
        arrived(sock, peer, DATA)
        size = 50_000  # a pipe has room for 64 KB
        assert node.ask("recv", ident, (size, 5000)) == (OK, DATA[:size])
        assert (spliced, sock.got) == ([size], [])


RECEIVING = """
    ok = inetpy:start(#{python => "%s"}),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect("localhost", Port, inetpy:tcp_options([binary, {active, false}])),
    {ok, A} = gen_tcp:accept(L),
    Data = rand:bytes(1000000),
    spawn_link(fun() -> ok = gen_tcp:send(A, Data) end),
    Parts = [element(2, {ok, _} = gen_tcp:recv(C, 50000)) || _ <- lists:seq(1, 20)],
    Data = iolist_to_binary(Parts),
    io:format("all is there"),
    halt().
"""


def test_the_port_program_splices(tmp_path: Path) -> None:
    """Every byte of large receives is either spliced or read by Python, and some are spliced."""
    counts, program = tmp_path / "counts", tmp_path / "python"
    command = [sys.executable, str(TOP / "erl" / "test" / "counting_python.py"), str(counts)]
    program.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    program.chmod(0o755)
    with erl("-eval", RECEIVING % program, stdout=subprocess.PIPE) as node:
        said, _ = node.communicate(timeout=120)
    assert said == b"all is there"
    told = json.loads(counts.read_text())
    assert told["spliced"] + told["read"] == 1_000_000
    assert told["spliced"] > 0


@pytest.mark.parametrize("full", [False, True], ids=["room", "full"])
def test_order(node: FakeNode, spliced: list[int], full: bool) -> None:
    """Spliced bytes stand before what is answered later; behind output that waits nothing is spliced."""
    ident, peer, sock = connected(node)
    with peer:
        arrived(sock, peer, DATA)
        requests: list[tuple[str, int, object]] = [("recv", ident, (150_000, 5000))]
        data = [DATA[:150_000]]
        if full:  # a pipe has room for one of these, whose callers are not alone
            requests = [("recv", ident, (60_000, 5000)), ("family", ident, []), *requests]
            data = [DATA[:60_000], DATA[60_000:120_000], DATA[120_000:270_000]]
            other, other_peer = node.connect()
            other_peer.close()
            refs = [node.request("family", other, []), node.request("recv", ident, (60_000, 5000))]
            node.turn()
            refs.append(node.request("family", other, []))
        else:
            refs = []
        for request in [*requests, ("family", ident, [])]:
            refs.append(node.request(*request))
            node.turn()
        said = node.read()
        assert [term[0] for term in said] == refs
        assert [term[1][1] for term in said if term[1][1] != Atom("inet")] == data
        assert bool(spliced) is not full
        assert not node.failures


def no_splice(*_: object) -> int:
    raise OSError(22, "Invalid argument")


def no_room(*_: object) -> int:
    raise BlockingIOError


def no_descriptor() -> tuple[int, int]:
    raise OSError(24, "Too many open files")


@pytest.mark.parametrize(
    ("function", "failing"),
    [("splice", no_splice), ("splice_pipes", no_room), ("open_pipe", no_descriptor)],
    ids=["kernel", "pipe", "descriptor"],
)
def test_where_it_cannot_be(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, function: str, failing: Callable[..., Any]
) -> None:
    """The caller gets the same bytes when the kernel cannot splice, when the pipe to the node is full, and
    when no descriptor is left for a pipe of our own."""
    monkeypatch.setattr(pipes, function, failing)
    ident, peer, sock = connected(node)
    with peer:
        arrived(sock, peer, DATA)
        for start in (0, 100_000):
            assert node.ask("recv", ident, (100_000, 5000)) == (OK, DATA[start : start + 100_000])
    assert not node.failures


def test_only_for_a_caller_that_is_alone(node: FakeNode, spliced: list[int]) -> None:
    """Another socket is asked in between: its caller shall not wait."""
    other, other_peer = node.connect()
    ident, peer, sock = connected(node)
    with peer, other_peer:
        arrived(sock, peer, DATA)
        node.ask("family", other, [])
        assert node.ask("recv", ident, (20_000, 5000)) == (OK, DATA[:20_000])
        assert spliced == []
        assert node.ask("recv", ident, (20_000, 5000)) == (OK, DATA[20_000:40_000])
        assert spliced == [20_000]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happening: Callable[[Any], object]) -> None:
    """Lets something happen, once, between the look how much is there and the splice."""
    readable = pipes.readable

    def interrupted(sock: Any) -> int:
        size = readable(sock)
        monkeypatch.setattr(pipes, "readable", readable)
        happening(sock)
        return size

    monkeypatch.setattr(pipes, "readable", interrupted)


@pytest.mark.parametrize("left", [0, 1, 5_000, 19_999])
def test_another_reader(node: FakeNode, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """Bytes that another process reads in between are missing in the stream, and in no frame."""
    ident, peer, sock = connected(node)
    with peer:
        arrived(sock, peer, DATA[:20_000])
        meanwhile(monkeypatch, lambda sock: socket.socket.recv(sock, 20_000 - left))
        ref = node.request("recv", ident, (20_000, -1))
        assert node.read() == []  # the caller waits for the others
        peer.sendall(DATA[: 20_000 - left])
        expected = DATA[20_000 - left : 20_000] + DATA[: 20_000 - left]
        assert node.hear(lambda term: term[0] == ref) == (ref, (OK, expected))


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    peer.close()


def half_close(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("end", [reset, half_close], ids=["reset", "half-close"])
def test_the_peer_ends_in_between(
    new_node: NewNode, monkeypatch: pytest.MonkeyPatch, end: Callable[[socket.socket], None]
) -> None:
    """A recv of many bytes is answered as if no splice had been tried."""
    answers = []
    for fast in (True, False):
        node = new_node(fast)
        ident, peer, sock = connected(node)
        with peer:
            arrived(sock, peer, DATA[:20_000])
            if fast:
                meanwhile(monkeypatch, partial(lambda peer, _sock: end(peer), peer))
            else:
                end(peer)
            answers.append([node.ask("recv", ident, (20_000, 1000)) for _ in range(3)])
    assert answers[0] == answers[1]


# --- sending -----------------------------------------------------------------------


SEND = ("send", bytes(30_000))
RECV = ("recv", (0, 0))


def on_early_answer(node: FakeNode, happening: Callable[[], object]) -> None:
    """Lets something happen behind an answer that leaves early."""
    flush = node.connection.link.fast.flush

    def flushed() -> None:
        flush()
        happening()

    node.connection.link.fast.flush = flushed  # type: ignore[method-assign]


def test_large_send_is_answered_early(node: FakeNode) -> None:
    """Its answer leaves when the system has the beginning, and the rest follows."""
    ident, peer, sock = connected(node)
    node.read()
    with peer:
        written = []

        on_early_answer(node, lambda: written.append(sum(map(len, sock.sent))))
        assert node.ask(*SEND[:1], ident, DATA) == OK
        assert written == [BEGINNING]
        received = bytearray()
        while len(received) < len(DATA):
            node.turn()
            received += peer.recv(1 << 16)
        assert received == DATA


@pytest.mark.parametrize("show", ["true", "false"])
@pytest.mark.parametrize(
    "behind",
    [[RECV, SEND, SEND, RECV], [SEND, RECV, SEND], [("getopts", [Atom("active")]), RECV, RECV]],
    ids=["recv", "send", "getopts"],
)
@pytest.mark.parametrize("unread", [b"", b"x" * 100], ids=["nothing", "unread"])
def test_reset_behind_the_answer(
    new_node: NewNode, behind: list[tuple[str, object]], show: str, unread: bytes
) -> None:
    """A caller that was answered early sees what it would see of a reset that came a moment later."""
    seen = []
    for fast in (True, False):
        node = new_node(fast)
        ident, peer, _ = connected(node, (Atom("show_econnreset"), Atom(show)))
        peer.sendall(unread)
        if fast:
            on_early_answer(node, partial(reset, peer))
        answers = [node.ask(*SEND[:1], ident, SEND[1])]
        assert (peer.fileno() < 0) is fast
        if not fast:
            reset(peer)
        seen.append(answers + [node.ask(op, ident, args) for op, args in behind])
    assert seen[0] == seen[1]
    assert seen[0][0] == OK


def test_reset_behind_the_answer_of_an_active_socket(new_node: NewNode) -> None:
    """The owner gets the messages that a reset brings."""
    seen = []
    for fast in (True, False):
        node = new_node(fast)
        ident, peer, _ = connected(node, (Atom("active"), Atom("true")))
        if fast:
            on_early_answer(node, partial(reset, peer))
        assert node.ask(*SEND[:1], ident, SEND[1]) == OK
        if not fast:
            reset(peer)
        node.hear(partial(eq, (Atom("closed"), ident)))
        said = [term[-1] for term in node.heard if isinstance(term[-1], tuple)]
        seen.append(
            [term[0] for term in said if term[0] == Atom("tcp_closed") or term[0] == Atom("tcp_error")]
        )
        assert node.ask(*SEND[:1], ident, SEND[1]) == (Atom("error"), Atom("closed"))
    assert seen[0] == seen[1]


# --- copies, and the switch --------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False])
def test_large_frames_are_not_copied(new_node: NewNode, fast: bool) -> None:
    """What is sent is a view of what was read from the pipe; other operations get bytes."""
    node = new_node(fast)
    ident, peer, sock = connected(node)
    other, other_peer = node.connect()
    with peer, other_peer:
        node.ask("family", other, [])  # nobody is alone
        assert node.ask("send", ident, DATA) == OK
        assert len(sock.sent[0]) == len(DATA)
        view = fast and implementation.compiled is not None
        assert isinstance(sock.sent[0], memoryview if view else bytes)
        assert node.ask("unrecv", ident, DATA) == OK
        assert node.ask("recv", ident, (0, 0)) == (OK, DATA)


def test_without_fast_paths(new_node: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is spliced or looked at, and a send is written before it is answered."""
    for function in ("readable", "splice", "splice_pipes", "open_pipe"):
        monkeypatch.setattr(pipes, function, no_descriptor)
    node = new_node(fast=False)
    handle = connected(node)
    ident, peer, sock = handle
    with peer:
        peer.sendall(DATA)
        assert node.ask("recv", ident, (len(DATA), 5000)) == (OK, DATA)
        assert node.ask("send", ident, DATA[:100_000]) == OK
        assert [len(data) for data in sock.sent] == [100_000]
    assert not node.failures
