"""A conversation is played again, in each role and each chunking; what differs is found where it differs."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, gaierror, herror
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from inetpy.host.linux import LinuxHost
from inetpy.network.engine import Engine
from inetpy.network.network import Network
from inetpy.network.replay import Replay, ReplayError
from inetpy.network.resolver import NetworkResolver
from inetpy.network.scenes import Scenes
from inetpy.network.whom import Facts
from inetpy.replay.conversations import End, Message, conversations
from inetpy.replay.player import Mismatch
from inetpy.trace.packets import ACK, FIN, PSH, SYN, Ends, build_tcp
from inetpy.trace.pcapng import LINK_RAW, build_interface, build_packet, build_section
from inetpy.trace.read import read_trace
from seeds import times
from with_network import NetworkBench

HOST, PORT = "db.example", 5432
PATIENCE = 20.0

Said = list[tuple[str, bytes]]  # "client" or "server", and what it says


# --- traces, as `trace.save` writes them -----------------------------------------


def stream(said: Said, number: int = 1, role: str = "client", **words: Any) -> list[dict[str, Any]]:
    """The lines of one connection, as its client or its server has seen it."""
    label = words.get("label", f"{HOST}:{PORT}" if role == "client" else f":{PORT}")
    near, far = ["127.0.0.1", 40000 + number], ["198.18.0.9", PORT]
    ends = {"local": near, "remote": far} if role == "client" else {"local": far, "remote": near}
    socket = {"node": "n", "socket": number, "kind": "stream", "label": label}
    begins = ["opened", "connecting", "connected"] if role == "client" else ["accepted"]
    lines: list[dict[str, Any]] = [{"event": "socket", "what": what, **socket, **ends} for what in begins]
    offsets = {"send": 0, "recv": 0}
    for who, data in said:
        direction = "send" if who == role else "recv"
        told = {"event": "bytes", "direction": direction, "offset": offsets[direction], "call": direction}
        lines.append(told | socket | {"data": {"hex": data.hex()}})
        offsets[direction] += len(data)
    for what, detail in words.get("ends", [("closed", "fin")]):
        lines.append({"event": "socket", "what": what, "detail": detail, **socket, **ends})
    return lines


def datagrams(said: Said, number: int = 1) -> list[dict[str, Any]]:
    """The lines of one socket that asks a server at 10.0.0.1:53."""
    socket = {"node": "n", "socket": number, "kind": "datagram", "label": ":40000"}
    offsets = {"send": 0, "recv": 0}
    lines = []
    for who, data in said:
        direction = "send" if who == "client" else "recv"
        told = {"event": "bytes", "direction": direction, "offset": offsets[direction]}
        lines.append(told | socket | {"peer": ["10.0.0.1", 53], "data": {"hex": data.hex()}})
        offsets[direction] += 1
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def write(path: Path, *connections: list[dict[str, Any]]) -> Path:
    lines = [line for connection in connections for line in connection]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def timed(lines: list[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """A step of so many ms between one line and the next."""
    return [{"time": 1_700_000_000_000_000_000 + number * step * 1_000_000} | line
            for number, line in enumerate(lines)]  # fmt: skip


# --- a network, and who talks to a replay ------------------------------------------


def on_network(scene: Callable[[Network], Awaitable[None]]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        host = LinuxHost(loop)
        network = Network(Engine(host, 1), loop)
        async with asyncio.timeout(PATIENCE):
            await scene(network)
        await network.clear()
        host.poller.close()

    asyncio.run(run())


async def speak(conn: Any, said: Said, who: str) -> None:
    """Plays one side as the record has it, by hand."""
    for speaker, data in said:
        if speaker == who:
            await conn.write(data)
        else:
            assert await conn.read_exactly(len(data)) == data
    await conn.close()


def as_client(said: Said) -> Callable[[Network], Awaitable[None]]:
    async def talk(network: Network) -> None:
        await speak(await network.connect(HOST, PORT), said, "client")

    return talk


def as_server(network: Network, said: Said) -> None:
    async def talk(conn: Any) -> None:
        await speak(conn, said, "server")

    network.server("127.0.0.1", PORT)(talk)


CONVERSATION: Said = [
    ("server", b"hello\r\n"), ("client", b"user ada\r\n"), ("server", b"ok\r\n"), ("client", b"a"),
    ("client", b"b"), ("server", bytes(range(256)) * 20), ("server", b"end"), ("client", b"quit"),
]  # fmt: skip
CHUNKS = ["recorded", "one_byte", "coalesced", "random", "random(7)"]


def as_failure(error: BaseException) -> str:
    return re.sub(r"/\S+/", "", str(error))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_as_the_servers(path: Path, chunks: str) -> None:
    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream(CONVERSATION)), chunks=chunks)
        await as_client(CONVERSATION)(network)
        await replay.wait(PATIENCE)
        assert (network.failures, replay.mismatches, replay.notes) == ([], [], [])

    on_network(scene)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("role", ["client", "server"])
def test_as_the_clients(path: Path, chunks: str, role: str) -> None:
    """Of what the server has seen, and of what the client has seen."""

    async def scene(network: Network) -> None:
        write(path, stream(CONVERSATION, role=role))
        as_server(network, CONVERSATION)
        at = {f"{HOST}:{PORT}": f"127.0.0.1:{PORT}"} if role == "client" else None
        await network.replay(path, role="client", chunks=chunks, at=at).wait(PATIENCE)
        assert network.failures == []

    on_network(scene)


def test_the_next_client_does_not_wait_for_the_end_of_a_connection(path: Path) -> None:
    """The first one was open at the end of the record, and the server keeps it open."""

    async def scene(network: Network) -> None:
        async def keep(conn: Any) -> None:
            assert await conn.read(1) == b"a"
            await asyncio.sleep(PATIENCE)

        network.server("127.0.0.1", PORT)(keep)
        said: Said = [("client", b"a")]
        write(path, stream(said, ends=[], role="server"), stream(said, 2, role="server", ends=[]))
        await network.replay(path, role="client").wait(None)

    on_network(scene)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_against_a_real_server(path: Path, chunks: str) -> None:
    async def scene(network: Network) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for speaker, data in CONVERSATION:
                if speaker == "server":
                    writer.write(data)
                else:
                    assert await reader.readexactly(len(data)) == data
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(talk, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            write(path, stream(CONVERSATION))
            at = {f"{HOST}:{PORT}": f"127.0.0.1:{port}"}
            replay = network.replay(path, role="live", at=at, chunks=chunks)
            await replay.wait(PATIENCE)
            assert network.failures == []
            assert not network.engine.places.strict

    on_network(scene)


def test_against_a_real_server_that_answers_something_else(path: Path) -> None:
    async def scene(network: Network) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            writer.write(b"no")
            await reader.read()
            writer.close()

        async with await asyncio.start_server(talk, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            write(path, stream([("client", b"?"), ("server", b"nay")]))
            replay = network.replay(path, role="live", at={f"{HOST}:{PORT}": f"127.0.0.1:{port}"})
            with pytest.raises(ReplayError, match="byte 1 of the server is not as recorded"):
                await replay.wait(PATIENCE)

    on_network(scene)


def test_a_strict_network_has_no_live_replay(path: Path) -> None:
    async def scene(network: Network) -> None:
        network.strict()
        with pytest.raises(RuntimeError, match="the network is strict: a live replay"):
            network.replay(write(path, stream(CONVERSATION)), role="live")

    on_network(scene)


# --- what differs ------------------------------------------------------------------


async def failed(replay: Replay) -> Mismatch:
    with pytest.raises(ReplayError):
        await replay.wait(PATIENCE)
    (mismatch,) = replay.mismatches
    return mismatch


def test_a_mismatch_says_where(path: Path) -> None:
    said: Said = [("client", b"GET /users HTTP/1.1\r\n"), ("server", b"ok"), ("client", b"bye")]

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream(said)))
        conn = await network.connect(HOST, PORT)
        await conn.write(b"GET /posts HTTP/1.1\r\n")
        with pytest.raises(ConnectionResetError):
            await conn.read(1)
        mismatch = await failed(replay)
        assert (mismatch.offset, mismatch.expected) == (5, b"GET /users HTTP/1.1\r\n")
        assert mismatch.got == b"GET /posts HTTP/1.1\r\n"
        (failure,) = network.failures
        assert failure == f"replay of {path}: " + "\n".join((
            "connection 1 with db.example:5432: byte 5 of the client is not as recorded",
            "  expected  00000000  47 45 54 20 2f 75 73 65 72 73 20 48 54 54 50 2f  |GET /users HTTP/|",
            "                                     ^^",
            "            00000010  31 2e 31 0d 0a                                   |1.1..|",
            "       got  00000000  47 45 54 20 2f 70 6f 73 74 73 20 48 54 54 50 2f  |GET /posts HTTP/|",
            "                                     ^^",
            "            00000010  31 2e 31 0d 0a                                   |1.1..|",
        ))  # fmt: skip

    on_network(scene)


@settings(deadline=None, max_examples=times(40))
@given(
    said=st.lists(
        st.tuples(st.sampled_from(["client", "server"]), st.binary(min_size=1, max_size=40)), min_size=1
    ),
    chunks=st.sampled_from(CHUNKS),
    data=st.data(),
)  # fmt: skip
def test_a_random_conversation(
    tmp_path_factory: pytest.TempPathFactory, said: Said, chunks: str, data: st.DataObject
) -> None:
    """As recorded there is no mismatch. With one byte changed it is at that byte."""
    path = write(tmp_path_factory.mktemp("random") / "run.jsonl", stream(said))
    at = {f"{HOST}:{PORT}": f"127.0.0.1:{PORT}"}

    async def whole(network: Network) -> None:
        replay = network.replay(path, chunks=chunks)
        await as_client(said)(network)
        await replay.wait(PATIENCE)
        await network.clear()
        as_server(network, said)
        await network.replay(path, role="client", chunks=chunks, at=at).wait(PATIENCE)
        assert network.failures == []

    on_network(whole)
    sent = b"".join(part for who, part in said if who == "client")
    if not sent:
        return
    offset = data.draw(st.integers(0, len(sent) - 1))
    changed = bytearray(sent)
    changed[offset] ^= data.draw(st.integers(1, 255))

    async def with_another_byte(network: Network) -> None:
        replay = network.replay(path, chunks=chunks)
        conn = await network.connect(HOST, PORT)
        left = bytes(changed)
        try:
            for who, part in said:
                if who == "client":
                    await conn.write(left[: len(part)])
                    left = left[len(part) :]
                else:
                    await conn.read_exactly(len(part))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        assert (await failed(replay)).offset == offset

    on_network(with_another_byte)


def test_waiting_does_not_wait_for_the_end_of_a_connection(path: Path) -> None:
    """All was said, and the client keeps its connection."""

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([("client", b"a"), ("server", b"b")], ends=[])))
        conn = await network.connect(HOST, PORT)
        waiting = replay.wait(None)
        await conn.write(b"a")
        await waiting
        assert await conn.read(1) == b"b"

    on_network(scene)


def test_a_large_message(path: Path) -> None:
    """Its last byte is another. What was compared before is shown with it."""
    data = random.Random(1).randbytes(3_000_000)

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([("client", data)])))
        conn = await network.connect(HOST, PORT)
        await conn.write(data[:-1] + bytes((data[-1] ^ 1,)))
        mismatch = await failed(replay)
        assert mismatch.offset == len(data) - 1
        assert mismatch.got[:-1] == data[:-1]

    on_network(scene)


def test_the_client_ends_too_early(path: Path) -> None:
    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([("client", b"0123456789")])))
        conn = await network.connect(HOST, PORT)
        await conn.write(b"0123")
        await conn.close()
        assert (await failed(replay)).offset == 4
        (failure,) = network.failures
        assert "the client has ended, at its byte 4; 6 bytes of it were recorded that are missing" in failure

    on_network(scene)


def test_the_client_says_more(path: Path) -> None:
    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([("client", b"a")])))
        conn = await network.connect(HOST, PORT)
        await conn.write(b"ab")
        while not network.failures:
            await asyncio.sleep(0)
        assert replay.mismatches[0].offset == 1
        assert "the client sends more than was recorded, from byte 1 on" in network.failures[0]

    on_network(scene)


def test_what_is_missing_at_the_end(path: Path) -> None:
    async def scene(network: Network) -> None:
        said: Said = [("client", b"hello")]
        short = "the client has sent 3 of the 5 bytes that were recorded"
        replay = network.replay(write(path, stream(said), stream(said, 2)))
        await (await network.connect(HOST, PORT)).write(b"hel")
        with pytest.raises(ReplayError, match="has never come"):
            await replay.wait(0.1)
        assert network.failures == []
        network.engine.end_replays()
        network.engine.end_replays()
        assert network.failures == [
            f"replay of {path}: connection 2 with db.example:5432: it has never come",
            f"replay of {path}: connection 1 with db.example:5432: {short}",
        ]

    on_network(scene)


def test_a_connection_more(path: Path) -> None:
    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([])))
        await network.connect(HOST, PORT)
        conn = await network.connect(HOST, PORT)
        with pytest.raises(ConnectionResetError):
            await conn.read(1)
        assert replay.failures == ["a client more than was recorded has come: db.example:5432"]

    on_network(scene)


def test_a_connection_that_was_refused(path: Path) -> None:
    """The first and the third are; the client is to see the same."""
    refused = [
        line for line in stream([], ends=[("failed", "econnrefused")]) if line.get("what") != "connected"
    ]
    said: Said = [("client", b"x")]
    third = [line | {"socket": 3} for line in refused]

    async def scene(network: Network) -> None:
        network.replay(write(path, refused, stream(said, 2), third))
        (first, third_rule) = network.rules
        assert (str(first.what), str(first.when), str(third_rule.when)) == (
            "error(call=connect, errno=econnrefused)", "nth(1, 1)", "nth(3, 3)",
        )  # fmt: skip
        await as_client(said)(network)
        assert network.failures == []

    on_network(scene)


# --- match -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "recorded", "said", "fits"),
    [
        ("exact", b"abc", b"abc", True),
        ("length", b"abc", b"xyz", True),
        ("prefix", b"abc", b"abcdef", True),
        ("prefix", b"abc", b"abd", False),
        ("regex", rb"id=\d+", b"id=12345", True),
        ("regex", rb"id=\d+", b"id=x", False),
        (rb"id=\d+", b"id=1&a", b"id=234&a", True),
        (rb"id=\d+", b"id=1&a", b"id=234&b", False),
        (re.compile(rb"ID", re.IGNORECASE), b"id=1", b"Id=1", True),
        (lambda expected, got: sorted(expected) == sorted(got), b"abc", b"cba", True),
        (lambda expected, got: sorted(expected) == sorted(got), b"abc", b"cbb", False),
    ],
)
def test_match(path: Path, match: Any, recorded: bytes, said: bytes, fits: bool) -> None:
    async def scene(network: Network) -> None:
        write(
            path, stream([("client", recorded), ("server", b"ok"), ("client", recorded), ("server", b"bye")])
        )
        replay = network.replay(path, match=match, patience=0.2)
        conn = await network.connect(HOST, PORT)
        await conn.write(said)
        if fits:
            assert await conn.read_exactly(2) == b"ok"
            await conn.write(said)
            assert await conn.read_exactly(3) == b"bye"
            await conn.close()
            await replay.wait(PATIENCE)
        else:
            mismatch = await failed(replay)
            assert (mismatch.expected, mismatch.got) == (recorded, said)

    on_network(scene)


def test_a_function_that_raises(path: Path) -> None:
    def match(_expected: bytes, _got: bytes) -> bool:
        raise KeyError("why")

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, stream([("client", b"a")])), match=match)
        await (await network.connect(HOST, PORT)).write(b"a")
        with pytest.raises(ReplayError, match="KeyError"):
            await replay.wait(PATIENCE)

    on_network(scene)


def test_what_was_redacted_may_be_anything(path: Path) -> None:
    recorded = b"user *** pass *****\r\nnext"
    lines = stream([("client", recorded), ("server", b"*ok*"), ("client", b"end")])
    sent = next(line for line in lines if line["event"] == "bytes")
    sent["redacted"] = [[5, 8], [14, 19]]
    lines[-3]["redacted"] = [[0, 1]]  # of the server

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, lines))
        conn = await network.connect(HOST, PORT)
        await conn.write(b"user ada pass a much longer one\r\nnextend")
        assert await conn.read_exactly(4) == b"*ok*"
        await replay.wait(PATIENCE)
        assert network.failures == []
        assert replay.notes == [
            "connection 1 with db.example:5432: 1 part that the recording has hidden are sent as stars"
        ]

    on_network(scene)


# --- time --------------------------------------------------------------------------


def test_recorded_timing_is_in_the_hands_of_the_clock(path: Path) -> None:
    said: Said = [("client", b"?"), ("server", b"1"), ("server", b"2")]

    async def scene(network: Network) -> None:
        await network.clock.advance(0)
        network.replay(write(path, timed(stream(said), 10_000)), speed=2)
        conn = await network.connect(HOST, PORT)
        await conn.write(b"?")
        waiting = asyncio.ensure_future(conn.read(10))
        await network.clock.advance(4_999)
        assert not waiting.done()
        await network.clock.advance(1)
        assert await waiting == b"1"
        waiting = asyncio.ensure_future(conn.read(10))
        await network.clock.advance(4_999)
        assert not waiting.done()
        await network.clock.advance(1)
        assert await waiting == b"2"

    on_network(scene)


@pytest.mark.parametrize("overlap", [True, False])
def test_recorded_timing_of_a_client(path: Path, overlap: bool) -> None:
    """It connects when it did, also where the one before is over by then."""
    late = [
        line | {"time": line["time"] + 60_000_000_000} for line in timed(stream([("client", b"b")], 2), 1)
    ]
    early = timed(stream([("client", b"a")], ends=[]), 1)

    async def scene(network: Network) -> None:
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def take(conn: Any) -> None:
            got.put_nowait(await conn.read(1))

        network.server("127.0.0.1", PORT)(take)
        await network.clock.advance(0)
        at = {f"{HOST}:{PORT}": f"127.0.0.1:{PORT}"}
        lines = [*early[:-1], *late, early[-1]] if overlap else [*early, *late]
        network.replay(write(path, lines), role="client", at=at, speed=10)
        await network.clock.advance(5_000)
        assert await got.get() == b"a"
        assert got.empty()
        await network.clock.advance(1_100)
        assert await got.get() == b"b"

    on_network(scene)


def test_without_times_there_is_no_speed(path: Path) -> None:
    async def scene(network: Network) -> None:
        with pytest.raises(ValueError, match="has no times: it cannot be played at a speed"):
            network.replay(write(path, stream([])), speed=1)

    on_network(scene)


# --- datagrams, unix sockets ---------------------------------------------------------


ASKED: Said = [("client", b"who?"), ("server", b"me"), ("client", b""), ("server", b"x" * 1000)]


@pytest.mark.parametrize("chunks", CHUNKS)
def test_datagrams_as_the_server(path: Path, chunks: str) -> None:
    """A datagram is never cut."""

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, datagrams(ASKED)), chunks=chunks)
        got: asyncio.Queue[bytes] = asyncio.Queue()

        class Client(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
                got.put_nowait(data)

        transport = network.servers.open_datagrams("10.0.0.1", 53, Client)
        for who, data in ASKED:
            if who == "client":
                transport.sendto(data, ("10.0.0.1", 53))
            else:
                assert await got.get() == data
        await replay.wait(PATIENCE)
        transport.sendto(b"who?", ("10.0.0.1", 53))
        transport.close()
        assert network.failures == []

    on_network(scene)


def test_datagrams_as_the_client(path: Path) -> None:
    async def scene(network: Network) -> None:
        answers = {data: answer for (_, data), (_, answer) in zip(ASKED[::2], ASKED[1::2], strict=True)}

        async def answer(data: bytes, _sender: Any, reply: Callable[[bytes], None]) -> None:
            reply(answers[data])

        network.datagrams("10.0.0.1", 53)(answer)
        replay = network.replay(write(path, datagrams(ASKED)), role="client")
        await replay.wait(PATIENCE)
        assert network.failures == []

    on_network(scene)


def test_a_datagram_that_differs(path: Path) -> None:
    async def scene(network: Network) -> None:
        async def answer(data: bytes, _sender: Any, reply: Callable[[bytes], None]) -> None:
            reply(b"me" if data else b"y")

        network.datagrams("10.0.0.1", 53)(answer)
        mismatch = await failed(network.replay(write(path, datagrams(ASKED)), role="client"))
        assert mismatch.offset == 1
        assert "datagram 2 of the server is not as recorded, from its byte 0 on" in network.failures[0]

    on_network(scene)


def test_datagrams_to_a_real_server(path: Path) -> None:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(b"me" if data else b"x" * 1000, addr)

    async def scene(network: Network) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Server, ("127.0.0.1", 0))
        at = {"10.0.0.1:53": f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"}
        await network.replay(write(path, datagrams(ASKED)), role="live", at=at).wait(PATIENCE)
        transport.close()
        assert network.failures == []

    on_network(scene)


def test_a_capture_of_another_program(tmp_path: Path) -> None:
    ends, path = Ends("10.0.0.1", 40000, "10.0.0.2", 80), tmp_path / "foreign.pcapng"
    back, said = ends.turned(), [("client", b"ping"), ("server", b"pong")]
    packets = [
        build_tcp(ends, 99, 0, SYN), build_tcp(back, 499, 100, SYN | ACK), build_tcp(ends, 100, 500, ACK),
        build_tcp(ends, 100, 500, PSH | ACK, b"ping"), build_tcp(back, 500, 104, PSH | ACK, b"pong"),
        build_tcp(ends, 104, 504, FIN | ACK), build_tcp(back, 504, 105, FIN | ACK),
    ]  # fmt: skip
    blocks = [build_packet(0, 1_000_000 * number, packet) for number, packet in enumerate(packets)]
    path.write_bytes(b"".join([build_section("Dumpcap"), build_interface(LINK_RAW, "eth0", ""), *blocks]))

    async def scene(network: Network) -> None:
        replay = network.replay(path)
        await speak(await network.connect("10.0.0.2", 80), said, "client")
        await replay.wait(PATIENCE)
        assert network.failures == []

    on_network(scene)


def test_what_is_missing_is_of_the_scene_in_which_it_began(path: Path) -> None:
    async def scene(network: Network) -> None:
        class Node:
            engine = network.engine

        scenes = Scenes(Node)  # type: ignore[arg-type]
        network.replay(write(path, stream([])), at={f"{HOST}:{PORT}": "before.example:1"})
        scenes.begin(1)
        network.replay(path)
        missing = f"replay of {path}: connection 1 with db.example:5432: it has never come"
        assert scenes.end(1, heal=True).failures == [missing]

    on_network(scene)


@settings(deadline=None, max_examples=times(30))
@given(
    said=st.lists(
        st.tuples(st.sampled_from(["client", "server"]), st.binary(min_size=1, max_size=40)), min_size=1
    ),
    ending=st.sampled_from(["jsonl", "pcapng"]),
)
def test_what_a_session_has_said_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, said: Said, ending: str
) -> None:
    """A session in memory is recorded, and its conversation read back, in each format."""
    bench = NetworkBench()
    bench.network.trace.start()
    ident, other = bench.pair()
    for who, data in said:
        if who == "client":
            bench.send(ident, data)
        else:
            other.send(data)
            assert bench.recv(ident, len(data)).answer == ("ok", data)
    bench.close(ident)
    path = tmp_path_factory.mktemp("random") / f"run.{ending}"
    bench.network.trace.save(path)
    (conversation,) = conversations(read_trace(path), of_servers=False)
    *messages, end = conversation.steps
    assert isinstance(end, End)
    assert end.by_client
    parts = [
        ("client" if message.by_client else "server", part.data)
        for message in messages
        if isinstance(message, Message)
        for part in message.parts
    ]
    assert parts == said


def test_a_unix_socket(path: Path) -> None:
    lines = [
        line
        | {"label": "/run/It.sock"}
        | ({"remote": "/run/It.sock", "local": ""} if "remote" in line else {})
        for line in stream(CONVERSATION)
    ]

    async def scene(network: Network) -> None:
        replay = network.replay(write(path, lines))
        assert network.engine.is_known(SOCK_STREAM, "/run/It.sock", None)
        await speak(await network.servers.connect("/run/It.sock", 0), CONVERSATION, "client")
        await replay.wait(PATIENCE)
        assert network.failures == []

    on_network(scene)


# --- nothing reaches the real network ---------------------------------------------------


def test_no_socket_of_the_system_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(network: Network) -> None:
        network.replay(write(path, stream([])))

        def refuse(*_: Any) -> Any:
            raise AssertionError("a socket of the system was opened")

        monkeypatch.setattr(network.engine.host, "open_socket", refuse)
        for role, proto in (("client", "tcp"), ("listener", "tcp"), (None, "udp")):
            facts = Facts(proto, role, None, (), "other.example", "10.9.9.9", 80)  # type: ignore[arg-type]
            network.engine.new_socket(AF_INET, SOCK_STREAM if role else 2, None, facts)
        with pytest.raises(PermissionError):
            network.engine.new_socket(AF_INET, SOCK_STREAM, b"/run/netns/other", facts)
        monkeypatch.setattr(type(network.engine.host.resolver), "gethostbyaddr", refuse)
        resolver = NetworkResolver(SimpleNamespace(engine=network.engine), None, None)  # type: ignore[arg-type]
        with pytest.raises(herror):
            resolver.gethostbyaddr("10.9.9.9")
        with pytest.raises(gaierror):
            resolver.getaddrinfo("other.example", 80)
        monkeypatch.undo()
        assert (
            "connects to other.example:80 (10.9.9.9), which the network does not have" in network.failures[0]
        )
        await network.clear()
        assert not network.engine.places.sealed

    on_network(scene)


# --- wrong words --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"role": "peer"}, "a role is server, client or live, not 'peer'"),
        ({"match": "glob"}, "match is exact, prefix, length, regex, a pattern of bytes"),
        ({"chunks": "random(x)"}, r"chunks are recorded, one_byte, coalesced, random or random\(SEED\)"),
        ({"speed": 0}, "speed is a number above 0"),
        ({"speed": float("nan")}, "speed is a number above 0"),
        ({"match": b"("}, "match: b'\\(' is no pattern: missing"),
        ({"patience": "1"}, "patience is a number above 0"),
        ({"only": "web.*"}, r"has no connection and no datagram of a client with web\.\*"),
        ({"at": {"web:80": "localhost:1"}}, "'web:80' is not in the record, which has db.example:5432"),
        ({"at": {"db.example:5432": "localhost"}}, "a place is host:port, not 'localhost'"),
    ],
)
def test_wrong_words(path: Path, words: dict[str, Any], text: str) -> None:
    async def scene(network: Network) -> None:
        with pytest.raises(ValueError, match=text):
            network.replay(write(path, stream(CONVERSATION)), **words)
        assert not network.engine.places.strict

    on_network(scene)


def test_only_of_nothing_beside_a_name(path: Path) -> None:
    """A name that was looked up is no reason to play nothing, and to say that all is well."""
    asked = {"event": "call", "op": "getaddrs", "args": {"arguments": [HOST, "inet"]}}
    lines = [asked | {"answer": ["ok", [[198, 18, 0, 9]]]}, *stream(CONVERSATION)]

    async def scene(network: Network) -> None:
        with pytest.raises(ValueError, match="has no connection and no datagram of a client with web"):
            network.replay(write(path, lines), only="web.*")
        network.replay(path, only=f"{HOST}:*")

    on_network(scene)
