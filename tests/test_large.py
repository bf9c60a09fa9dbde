"""Large sends and receives take ways of their own: what can go wrong on them, one thing at a time.

That their results are those of the stock driver, the scenarios of erl/test/xc_bulk.erl show.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import TOP, erl
from in_process import REF, sessions
from inetpy import core
from inetpy.etf import decode, encode
from inetpy.framing import FrameReader
from inetpy.messages import OK, build_binary_head, build_ok
from inetpy.sockets.late import LateError
from inetpy.syscalls import READ, Syscalls
from inetpy.terms import Atom
from inetpy.transports.stdio import StdioTransport

DATA = bytes(range(256)) * 1200
LINGER_NOT = struct.pack("ii", 1, 0)


class Pipes:
    """A transport in this process, and the other end of its pipes."""

    def __init__(self, syscalls: Syscalls) -> None:
        self.loop = asyncio.new_event_loop()
        self.failures: list[dict[str, object]] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self._input, self._to_input = os.pipe()
        self._output, sink = os.pipe()
        os.set_blocking(self._output, False)
        os.set_blocking(sink, False)
        self._sink = sink
        self.transport = StdioTransport(self.loop, syscalls, self._input, sink)
        self._frames = FrameReader()

    def heard(self) -> list[object]:
        """All frames that the transport has written, or would write when it is read from."""
        terms = []
        while True:
            self.loop.run_until_complete(asyncio.sleep(0))  # what has been scheduled
            try:
                self._frames.feed(os.read(self._output, 1 << 20))
            except BlockingIOError:
                return terms
            while (frame := self._frames.next_frame()) is not None:
                terms.append(decode(bytes(frame)))

    def close(self) -> None:
        self.transport.poller.close()
        self.loop.close()
        for descriptor in (self._input, self._to_input, self._output, self._sink):
            os.close(descriptor)


@pytest.fixture
def arrived() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection, and its peer, which has sent DATA."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname())
        sock, _ = server.accept()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * len(DATA))
    peer.sendall(DATA)
    while Syscalls().readable(sock) < len(DATA):
        assert sock.recv(1, socket.MSG_PEEK)
    sock.setblocking(False)
    with sock, peer:
        yield sock, peer


def answer(size: int) -> bytes:
    return build_ok(build_binary_head(size))


class Counting(Syscalls):
    """Counts the bytes that are spliced and read."""

    def __init__(self) -> None:
        self.spliced = self.read = 0

    def splice(self, sock: socket.socket, pipe: int, size: int) -> int:
        moved = super().splice(sock, pipe, size)
        self.spliced += moved
        return moved

    def recv(self, sock: socket.socket, size: int, flags: int = 0) -> bytes:  # type: ignore[override]
        data = sock.recv(size, flags)
        self.read += len(data)
        return data


def test_forwarded_bytes_are_spliced(arrived: tuple[socket.socket, socket.socket]) -> None:
    """They go from the socket to the pipe in the kernel, all of them where the pipe has room."""
    counting = Counting()
    pipes = Pipes(counting)
    pipes.heard()
    size = 50_000  # a pipe has room for 64 KB
    assert pipes.transport.take(arrived[0], size) == size
    pipes.transport.forward(REF.raw, answer(size), size)
    assert (counting.spliced, counting.read) == (size, 0)
    assert pipes.heard() == [(REF, (Atom("ok"), DATA[:size]))]
    pipes.close()


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
def test_forwarded_in_order(arrived: tuple[socket.socket, socket.socket], full: bool) -> None:
    """Before what is answered later; also when the pipe has room for a part, or for nothing."""
    sock, _ = arrived
    pipes = Pipes(Syscalls())
    pipes.heard()
    before = [bytes(60_000)] * (2 if full else 0)  # a pipe has room for one of them
    for data in before:
        pipes.transport.reply(REF.raw, answer(len(data)), data)
    pipes.transport.flush()
    size = pipes.transport.take(sock, 150_000)
    assert size == (0 if full else 150_000)
    if size:
        pipes.transport.forward(REF.raw, answer(size), size)
    pipes.transport.reply(REF.raw, OK)
    said = [(REF, (Atom("ok"), data)) for data in [*before, *([DATA[:size]] if size else [])]]
    assert pipes.heard() == [*said, (REF, Atom("ok"))]
    assert sock.recv(len(DATA)) == DATA[size:]
    assert not pipes.failures
    pipes.close()


def test_where_the_kernel_cannot(arrived: tuple[socket.socket, socket.socket]) -> None:
    """Bytes that cannot be spliced are read as always."""

    class Unable(Syscalls):
        def splice(self, *_: object) -> int:
            raise OSError(22, "Invalid argument")

    pipes = Pipes(Unable())
    pipes.heard()
    assert pipes.transport.take(arrived[0], len(DATA)) == 0
    pipes.close()


def test_pipe_that_fills_up(arrived: tuple[socket.socket, socket.socket]) -> None:
    """Bytes that were taken and that the pipe to the node does not take wait like other output."""

    class Full(Syscalls):
        def splice_pipes(self, *_: object) -> int:
            raise BlockingIOError

    pipes = Pipes(Full())
    pipes.heard()
    size = pipes.transport.take(arrived[0], len(DATA))
    pipes.transport.forward(REF.raw, answer(size), size)
    pipes.transport.reply(REF.raw, OK)
    assert pipes.heard() == [(REF, (Atom("ok"), DATA[:size])), (REF, Atom("ok"))]
    pipes.close()


def test_given_back(arrived: tuple[socket.socket, socket.socket]) -> None:
    """Bytes that were taken can be had again, and the next ones are others."""
    pipes = Pipes(Syscalls())
    pipes.heard()
    for start in (0, 20_000):
        assert pipes.transport.take(arrived[0], 20_000) == 20_000
        assert pipes.transport.give_back(20_000) == DATA[start : start + 20_000]
    pipes.close()


@pytest.mark.parametrize("alone", [False, True])
def test_forwarded_or_not(alone: bool) -> None:
    """A caller that is alone gets many bytes past this process."""
    with sessions() as bench:
        forwarded: list[int] = []
        bench.session.take = lambda sock, size: len(sock.recv(size))
        bench.session.forward = lambda _ref, _body, size: forwarded.append(size)
        bench.transport.is_alone = alone
        client = bench.session.sockets[bench.client].sock
        server = bench.session.sockets[bench.server].sock
        assert client is not None
        assert server is not None
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * len(DATA))
        server.setblocking(True)
        server.sendall(DATA)
        for _ in range(2):
            assert bench.ask("recv", bench.client, (20_000, 5000)) is not None
        assert forwarded == ([20_000] if alone else [])


class Meanwhile(Syscalls):
    """Something happens, once, between the look how much is there and the splice."""

    def __init__(self, happening: Callable[[socket.socket], object]) -> None:
        self._happening = happening

    def readable(self, sock: socket.socket) -> int:
        size = super().readable(sock)
        happening, self._happening = self._happening, lambda _sock: None
        happening(sock)
        return size


@pytest.mark.parametrize("left", [0, 1, 5_000, 19_999])
def test_another_reader(left: int) -> None:
    """Bytes that another process reads in between are missing in the stream, and in no frame."""
    pipes = Pipes(Syscalls())
    pipes.heard()
    with sessions() as bench:
        bench.transport.is_alone = True
        client = bench.session.sockets[bench.client]
        server = bench.session.sockets[bench.server].sock
        assert server is not None
        bench.session.take, bench.session.give_back = pipes.transport.take, pipes.transport.give_back
        client.syscalls = Meanwhile(lambda sock: sock.recv(20_000 - left))
        server.send(DATA[:20_000])
        bench.ask("family", bench.client, [])  # two requests for one socket: its caller is alone
        said = len(bench.transport.said)
        bench.ask("recv", bench.client, (20_000, -1))
        assert len(bench.transport.said) == said  # it waits for the others
        server.send(DATA[: 20_000 - left])
        client.syscalls, bench.transport.is_alone = Syscalls(), False
        client.on_ready(READ)
        expected = DATA[20_000 - left : 20_000] + DATA[: 20_000 - left]
        assert decode(b"\x83" + bench.transport.said[-1]) == (Atom("ok"), expected)
    pipes.close()


@pytest.mark.parametrize("happening", ["reset", "shutdown"])
def test_the_peer_ends_in_between(happening: str) -> None:
    """A recv of many bytes is answered as if no splice had been tried."""
    answers = []
    for alone in (True, False):
        pipes = Pipes(Syscalls())
        pipes.heard()
        with sessions() as bench:
            bench.transport.is_alone = alone
            client = bench.session.sockets[bench.client]
            server = bench.session.sockets[bench.server]
            assert server.sock is not None
            peer = server.sock
            server.sock = None
            bench.session.take, bench.session.give_back = pipes.transport.take, pipes.transport.give_back
            bench.session.forward = lambda _ref, _body, size, pipes=pipes, bench=bench: (
                bench.transport.said.append(answer(size) + pipes.transport.give_back(size))
            )
            end = reset if happening == "reset" else lambda peer: peer.shutdown(socket.SHUT_WR)
            peer.send(DATA[:20_000])
            bench.ask("family", bench.client, [])
            if alone:
                client.syscalls = Meanwhile(lambda _sock, end=end, peer=peer: end(peer))
            else:
                end(peer)
            answers.append([bench.ask("recv", bench.client, (20_000, 1000)) for _ in range(3)])
            peer.close()
        pipes.close()
    assert answers[0] == answers[1]


class ResetAfterTheBeginning(Syscalls):
    """The peer of a large send resets the connection when it has been answered."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def send(self, sock: socket.socket, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        sent = sock.send(data, flags)
        if flags & socket.MSG_MORE:
            reset(self._peer)
        return sent


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    peer.close()


SEND = ("send", bytes(30_000))
RECV = ("recv", (0, 0))


@pytest.mark.parametrize("show", ["true", "false"])
@pytest.mark.parametrize(
    "behind",
    [[RECV, SEND, SEND, RECV], [SEND, RECV, SEND], [("getopts", [Atom("active")]), RECV, RECV]],
    ids=["recv", "send", "getopts"],
)
@pytest.mark.parametrize("unread", [b"", b"x" * 100], ids=["nothing", "unread"])
def test_reset_behind_the_answer(behind: list[tuple[str, object]], show: str, unread: bytes) -> None:
    """Who was answered early sees what he would see of a reset that came a moment later."""
    seen = []
    for early in (True, False):
        with sessions() as bench:
            bench.transport.is_alone = early
            server = bench.session.sockets[bench.server]
            client = bench.session.sockets[bench.client]
            assert server.sock is not None
            server.sock.send(unread)
            bench.ask("setopts", bench.client, [(Atom("show_econnreset"), Atom(show))])
            if early:
                client.syscalls = ResetAfterTheBeginning(server.sock)
            answers = [bench.ask(*SEND[:1], bench.client, SEND[1])]
            assert isinstance(client.syscalls, LateError) is early
            if not early:
                reset(server.sock)
            answers += [bench.ask(op, bench.client, args) for op, args in behind]
            server.sock = None
            seen.append(answers)
    assert seen[0] == seen[1]
    assert seen[0][0] == Atom("ok")


class Kept(Syscalls):
    """Remembers what it was given to send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, sock: socket.socket, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        self.sent.append(data)
        return sock.send(data, flags)


def test_large_frames_are_not_copied() -> None:
    """What is sent is a view of what was read from the pipe; other operations get bytes."""
    with sessions() as bench:
        client = bench.session.sockets[bench.client]
        client.syscalls = kept = Kept()
        for op in ("send", "unrecv"):
            bench.session.handle_frame(memoryview(encode((Atom(op), bench.client, REF, DATA))))
        assert kept.sent == [DATA]
        assert isinstance(kept.sent[0], bytes if core.compiled is None else memoryview)
        assert bench.ask("recv", bench.client, (0, 0)) == (Atom("ok"), DATA)
