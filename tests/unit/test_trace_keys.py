"""Keys of TLS in a trace: when they are asked for, and where they come in a capture."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from in_memory import OWNER
from inetpy.trace.capture import LONGEST_WAIT, MOST_WAITING, CaptureWriter
from inetpy.trace.events import Chunk, Keys
from inetpy.trace.jsonl import LineWriter
from inetpy.trace.keys import is_hello
from with_network import NetworkBench

HELLO = bytes.fromhex("16030100310100002d0303") + bytes(38)
DATA = b"\x17\x03\x03\x00\x05hello"
LINES = ["CLIENT_RANDOM 00 01"]
SECRETS, PACKET = 10, 6  # kinds of blocks


@pytest.fixture
def scene() -> NetworkBench:
    scene = NetworkBench()
    scene.network.trace.start()
    return scene


def handshake(scene: NetworkBench) -> int:
    ident, _ = scene.pair()
    scene.send(ident, HELLO)
    return ident


def answer(scene: NetworkBench, lines: list[str] = LINES) -> None:
    assert scene.engine.recorder is not None
    scene.engine.recorder.on_keys(scene.session, OWNER, lines)


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, size = struct.unpack_from("<II", data)
        found.append((kind, data[8 : size - 4]))
        data = data[size:]
    return found


def kinds_of(data: bytes) -> list[int | bytes]:
    """The keys, and the payloads of the bytes that were sent, in their order."""
    return [
        kind if kind == SECRETS else payload
        for kind, body in blocks(data)
        for payload in (HELLO, DATA)
        if (kind == SECRETS and payload == HELLO)
        or (kind == PACKET and payload in body and b'"event"' not in body)
    ]


def test_the_node_is_asked_when_a_handshake_begins(scene: NetworkBench) -> None:
    """Once; not for other bytes."""
    ident, _ = scene.pair()
    scene.send(ident, b"GET / HTTP/1.1\r\n\r\n")
    assert scene.link.asked_keys == []
    scene.send(ident, HELLO)
    scene.send(ident, DATA)
    assert scene.link.asked_keys == [OWNER.raw]


def test_the_answer_is_an_event(scene: NetworkBench) -> None:
    handshake(scene)
    answer(scene)
    (keys,) = [event for event in scene.network.trace.events() if isinstance(event, Keys)]
    assert keys.lines == LINES
    assert keys.track is not None
    assert not keys.track.awaits_keys


def test_no_keys_where_something_is_hidden() -> None:
    """Bytes that they open would not be."""
    scene = NetworkBench()
    scene.network.trace.start(redact=["authorization"])
    handshake(scene)
    assert scene.link.asked_keys == []
    answer(scene)
    assert not [event for event in scene.network.trace.events() if isinstance(event, Keys)]


def test_no_keys_when_hiding_begins_before_the_answer(scene: NetworkBench) -> None:
    from inetpy.network.trace import begin, new_record

    handshake(scene)
    begin(scene.engine, new_record(1 << 20, ["authorization"], {}, None))
    answer(scene)
    assert [event.lines for event in scene.network.trace.events() if isinstance(event, Keys)] == [[]]


class Written:
    """A capture that is written while the trace goes on."""

    def __init__(self, scene: NetworkBench) -> None:
        self.data = b""
        self.writer = CaptureWriter(self._add)
        self._scene = scene
        self._done = 0

    def _add(self, data: bytes) -> None:
        self.data += data

    def catch_up(self) -> list[int | bytes]:
        events = self._scene.network.trace.events()
        for event in events[self._done :]:
            self.writer.event(event)
        self._done = len(events)
        return kinds_of(self.data)


def test_packets_wait_for_their_keys(scene: NetworkBench) -> None:
    written = Written(scene)
    ident = handshake(scene)
    assert written.catch_up() == []
    scene.send(ident, DATA)
    assert written.catch_up() == []
    answer(scene)
    assert written.catch_up() == [SECRETS, HELLO, DATA]
    scene.send(ident, DATA)
    assert written.catch_up() == [SECRETS, HELLO, DATA, DATA]


def test_packets_go_on_where_there_are_no_keys(scene: NetworkBench) -> None:
    written = Written(scene)
    handshake(scene)
    assert written.catch_up() == []
    answer(scene, [])
    assert written.catch_up() == [HELLO]


def test_others_do_not_wait(scene: NetworkBench) -> None:
    written = Written(scene)
    handshake(scene)
    other, _ = scene.pair()
    scene.send(other, DATA)
    assert written.catch_up() == [DATA]


def test_the_end_of_the_file(scene: NetworkBench) -> None:
    written = Written(scene)
    handshake(scene)
    written.catch_up()
    written.writer.finish()
    assert kinds_of(written.data) == [HELLO]


def test_the_end_of_the_node(scene: NetworkBench) -> None:
    """Nobody answers any more."""
    written = Written(scene)
    handshake(scene)
    scene.engine.detach(scene.session)
    assert written.catch_up() == [HELLO]


def much(scene: NetworkBench, written: Written, ident: int) -> None:
    chunk = next(event for event in scene.network.trace.events() if isinstance(event, Chunk))
    chunk.size = MOST_WAITING + 1


def late(scene: NetworkBench, written: Written, ident: int) -> None:
    written.catch_up()
    scene.send(ident, DATA)
    chunk = scene.network.trace.events()[-1]
    chunk.time += LONGEST_WAIT + 1


@pytest.mark.parametrize("happens", [much, late])
def test_packets_wait_no_longer(
    scene: NetworkBench, happens: Callable[[NetworkBench, Written, int], None]
) -> None:
    """When there is too much of them, or the time is over; and not again."""
    written = Written(scene)
    ident = handshake(scene)
    happens(scene, written, ident)
    before = written.catch_up()
    assert before[0] == HELLO
    scene.send(ident, DATA)
    assert written.catch_up() == [*before, DATA]


def test_a_saved_capture_begins_with_its_keys(scene: NetworkBench, tmp_path: object) -> None:
    ident = handshake(scene)
    scene.send(ident, DATA)
    answer(scene)
    path = f"{tmp_path}/run.pcapng"
    scene.network.trace.save(path)
    with open(path, "rb") as file:
        assert kinds_of(file.read()) == [SECRETS, HELLO, DATA]


def test_lines_have_none(scene: NetworkBench) -> None:
    lines: list[bytes] = []
    LineWriter(lines.append).event(Keys(1, None, LINES))
    assert lines == []


@pytest.mark.parametrize(
    ("data", "is_one"),
    [(HELLO, True), (DATA, False), (b"", False), (HELLO[:5], False), (b"\x16\x03\x03\x00\x31\x02", False)],
)
def test_hello(data: bytes, is_one: bool) -> None:
    assert is_hello(data) is is_one
