"""A server of nodes, and those who connect to it: with sockets, or with no more than bytes."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from in_process import BRIDGE, OUT, OWNER
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom
from inetpy.links import serve, tokens
from inetpy.links.connection import new_host
from inetpy.links.limits import Limits
from inetpy.links.serve import Server
from inetpy.network.engine import Engine

TOKEN = b"0123456789abcdef"
PATIENCE = 20.0  # seconds


class Node:
    """What a node says, and what it hears."""

    there: ClassVar[list[Node]] = []

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.there.append(self)

    @classmethod
    async def at(cls, url: str) -> Node:
        kind, _, place = url.partition(":")
        host, _, port = place.rpartition(":")
        sock = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, place if kind == "unix" else (host, int(port)))
        return cls(sock)

    async def say(self, *terms: object) -> None:
        for term in terms:
            body = encode(term)
            await self.write(len(body).to_bytes(4, "big") + body)

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def greet(self, token: bytes = TOKEN, protocol: int = 1) -> None:
        capabilities = [(Atom("otp_release"), 25), (Atom("os_pid"), 1)]
        await self.say((Atom("connect"), protocol, token), (Atom("hello"), 1, capabilities, BRIDGE, OUT))

    async def hear(self) -> Any:
        """The next frame. Raises EOFError at the end."""
        size = int.from_bytes(await self._read(4), "big")
        return decode(await self._read(size))

    async def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await asyncio.get_running_loop().sock_recv(self.socket, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    async def is_served(self) -> bool:
        """Whether it is heard as a node: a ping has its pong."""
        await self.say((Atom("ping"), 0))
        while (term := await self.hear()) != Atom("pong"):
            assert term[0] != Atom("refused"), term
        return True

    async def is_closed(self) -> bool:
        """Waits for the end."""
        try:
            while True:
                await self.hear()
        except (EOFError, ConnectionError):
            return True


def serving(
    act: Callable[[Server, str], Awaitable[None]],
    *,
    url: str = "tcp:127.0.0.1:0",
    admitted: list[bytes] = [TOKEN],  # noqa: B006
    **given: Any,
) -> None:
    """Runs `act` with a server and its URL."""

    async def run() -> None:
        host = new_host(asyncio.get_running_loop(), False)
        server = Server(host, Engine(host, 1), tokens.admit(admitted), limits=Limits(**given))
        try:
            async with asyncio.timeout(PATIENCE):
                await act(server, await server.listen(url))
        finally:
            await server.close()
            host.poller.close()
            while Node.there:
                Node.there.pop().socket.close()

    asyncio.run(run())


def fill(sock: socket.socket) -> None:
    """With frames that mean nothing, until the system takes no more."""
    try:
        while True:
            sock.send(b"\0\0\0\x01\x83" * 1000)
    except BlockingIOError:
        pass


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@pytest.fixture
def folder() -> Iterator[Path]:
    """The path of a unix socket must be short; pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        yield Path(name)


# --- who comes in ---------------------------------------------------------------


def test_a_node_with_the_token_has_a_session() -> None:
    async def act(server: Server, url: str) -> None:
        came: list[str] = []
        server.on_session = lambda session: came.append(session.node_name)
        node = await Node.at(url)
        await node.greet()
        assert await node.is_served()
        assert came == ["nonode@nohost"]

    serving(act)


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([(Atom("connect"), 1, b"0123456789abcdeF")], "the token is not the right one"),
        ([(Atom("connect"), 1, b"")], "needs INETPY_TOKEN"),
        ([(Atom("connect"), 99, TOKEN)], "install the same version of both"),
        ([(Atom("hello"), 1, [], BRIDGE, OUT)], "none of a node of inetpy"),
        ([(Atom("connect"), 1, [48, 49])], "none of a node of inetpy"),
        ([[[[[]]]]], "none of a node of inetpy"),
    ],
)
def test_who_is_refused_is_told_why(frames: list[object], why: str, caplog: pytest.LogCaptureFixture) -> None:
    """It has no session, and what it says after that is not read. The log has its address."""

    async def act(server: Server, url: str) -> None:
        came: list[object] = []
        server.on_session = came.append
        node = await Node.at(url)
        await node.say(*frames, (Atom("hello"), 1, [], BRIDGE, OUT), (Atom("ping"), 0))
        word, text = await node.hear()
        assert word == Atom("refused")
        assert why in text.decode()
        assert await node.is_closed()
        assert not came
        host, port = node.socket.getsockname()
        assert f"{host}:{port} was refused" in caplog.text

    serving(act)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\0\0\0\x05\x83hello", b"\0\0\0\0"]
)
def test_garbage_is_refused(data: bytes) -> None:
    async def act(_server: Server, url: str) -> None:
        stranger, node = await Node.at(url), await Node.at(url)
        await stranger.write(data)
        assert await stranger.is_closed()
        await node.greet()
        assert await node.is_served()

    serving(act)


def test_who_does_not_greet_in_time_is_closed() -> None:
    """Silent from the beginning, in the middle of a frame, or after the token."""

    async def act(_server: Server, url: str) -> None:
        silent, slow, half = [await Node.at(url) for _ in range(3)]
        await slow.write(b"\0\0\0\x20\x83")
        await half.say((Atom("connect"), 1, TOKEN))
        node = await Node.at(url)
        await node.greet()
        assert all([await stranger.is_closed() for stranger in (silent, slow, half)])
        assert await node.is_served()

    serving(act, patience=0.2)


@pytest.fixture
def many_files() -> Iterator[None]:
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_that_say_nothing() -> None:
    """A node is served at once all the same: the oldest of them give way."""

    async def act(server: Server, url: str) -> None:
        for _ in range(1000):
            await Node.at(url)
        node = await Node.at(url)
        await node.greet()
        assert await node.is_served()
        assert len(server._strangers) <= 20

    serving(act, strangers=20, patience=60.0)


def test_too_many_nodes() -> None:
    async def act(server: Server, url: str) -> None:
        first, second = await Node.at(url), await Node.at(url)
        await first.greet()
        assert await first.is_served()
        await second.greet()
        word, text = await second.hear()
        assert (word, text) == (Atom("refused"), b"1 nodes are here already, which is the limit `nodes`")
        first.socket.close()
        await until(lambda: not server._nodes)
        third = await Node.at(url)
        await third.greet()
        assert await third.is_served()

    serving(act, nodes=1)


@pytest.mark.parametrize(("size", "is_taken"), [(1000, True), (1001, False)])
def test_the_largest_frame(size: int, is_taken: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A larger one ends the connection before it is read."""

    async def act(_server: Server, url: str) -> None:
        node = await Node.at(url)
        await node.greet()
        await node.is_served()
        await node.write(size.to_bytes(4, "big") + (bytes(size) if is_taken else b""))
        if is_taken:
            assert await node.is_served()
        else:
            assert await node.is_closed()
            assert "over the limit of 1000" in caplog.text

    with caplog.at_level(logging.INFO):
        serving(act, frame=1000)


def test_a_node_that_says_nothing_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """Its host may have vanished. One that goes on saying something stays."""

    async def act(_server: Server, url: str) -> None:
        vanished, node = await Node.at(url), await Node.at(url)
        for each in (vanished, node):
            await each.greet()
            await each.is_served()
        ended = asyncio.ensure_future(vanished.is_closed())
        while not ended.done():
            assert await node.is_served()
        assert "its host may be gone" in caplog.text

    with caplog.at_level(logging.INFO):
        serving(act, silence=0.3)


def test_a_node_that_reads_nothing_is_not_heard() -> None:
    """What it asks for does not fill the memory of the server. When it reads, it has all its answers."""

    async def act(server: Server, url: str) -> None:
        node = await Node.at(url)
        await node.greet()
        await node.is_served()
        (served,) = server._nodes
        connection = served._connection
        asked = 0
        while not connection.output._full:  # its answers, as many as the system does not take
            connection.link.answer(encode(OWNER)[1:], encode(bytes(60000))[1:])
            connection.output.flush()
            asked += 1
        reads = connection.reads
        fill(node.socket)
        await asyncio.sleep(0.05)
        assert connection.reads == reads
        for _ in range(asked):
            await node.hear()
        await until(lambda: connection.reads > reads)

    serving(act)


def test_accept_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Without a descriptor for a connection the server waits, and goes on when there is one."""
    monkeypatch.setattr(serve, "PAUSE", 0.01)

    async def act(_server: Server, url: str) -> None:
        node = await Node.at(url)
        await node.greet()
        await node.is_served()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        late = socket.socket()
        late.setblocking(False)
        lowest = os.dup(late.fileno())
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            host, _, port = url.removeprefix("tcp:").rpartition(":")
            await asyncio.get_running_loop().sock_connect(late, (host, int(port)))
            await until(lambda: "no connection can be accepted" in caplog.text)
            started = os.times().user
            await asyncio.sleep(0.2)
            assert os.times().user - started < 0.1
            assert await node.is_served()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        after = Node(late)
        await after.greet()
        assert await after.is_served()

    serving(act)


def test_lines_about_strangers_are_few(caplog: pytest.LogCaptureFixture) -> None:
    async def act(_server: Server, url: str) -> None:
        for _ in range(50):
            stranger = await Node.at(url)
            await stranger.say((Atom("connect"), 1, b"wrong"))
            await stranger.hear()
        assert caplog.text.count("was refused") == 10

    serving(act)


def test_the_end_of_the_server_is_that_of_its_nodes() -> None:
    async def act(server: Server, url: str) -> None:
        ended: list[object] = []
        server.on_end = ended.append
        node = await Node.at(url)
        await node.greet()
        await node.is_served()
        await server.close()
        assert await node.is_closed()
        assert len(ended) == 1

    serving(act)


def test_the_process_of_another_namespace_is_not_believed(folder: Path) -> None:
    """The number that a node gives counts only where the system says the same."""

    async def act(server: Server, url: str) -> None:
        found: list[int | None] = []
        server.on_session = lambda session: found.append(session.node_process)
        for process in (os.getpid(), 1):
            node = await Node.at(url)
            able = [(Atom("otp_release"), 25), (Atom("os_pid"), process)]
            await node.say((Atom("connect"), 1, TOKEN), (Atom("hello"), 1, able, BRIDGE, OUT))
            await node.is_served()
        assert found == [os.getpid(), None]

    serving(act, url=f"unix:{folder}/bridge")


def test_a_node_for_which_there_is_no_descriptor(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, and nothing of it stays."""

    async def act(_server: Server, url: str) -> None:
        node = await Node.at(url)
        await asyncio.sleep(0.05)
        before = len(os.listdir("/proc/self/fd"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            await node.greet()
            assert await node.is_closed()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(os.listdir("/proc/self/fd")) == before - 1
        assert "was refused: Too many open files" in caplog.text

    serving(act, url=f"unix:{folder}/bridge")


def test_a_named_pipe_as_a_network_namespace(folder: Path) -> None:
    """To open it would wait for a writer, and all nodes with it."""
    os.mkfifo(folder / "pipe")
    loop = asyncio.new_event_loop()
    host = new_host(loop, False)
    with pytest.raises(OSError):  # noqa: PT011  it is not the same for all users
        host.open_socket(socket.AF_INET, socket.SOCK_STREAM, os.fsencode(folder / "pipe"))
    host.poller.close()
    loop.close()


def test_what_strangers_say_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Also a number that Python does not write."""
    caplog.set_level(logging.INFO)
    name = b"a\nb\xff"
    bridge, out = (
        type(it)(it.raw[:1] + b"d" + bytes([0, 4]) + name + bytes(rest))
        for it, rest in ((BRIDGE, 12), (OUT, 8))
    )

    async def act(_server: Server, url: str) -> None:
        for protocol in (1 << 30000, Atom("1\nfake")):
            stranger = await Node.at(url)
            await stranger.say((Atom("connect"), protocol, TOKEN))
            assert "speaks protocol" in str(await stranger.hear())
        node = await Node.at(url)
        await node.say((Atom("connect"), 1, TOKEN), (Atom("hello"), 1, [], bridge, out))
        assert await node.is_served()

    serving(act)
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert "node a?b\xff has gone" in caplog.text
    assert "exception" not in caplog.text
