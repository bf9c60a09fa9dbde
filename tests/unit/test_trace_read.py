"""Reading traces: what `save` has written is read again, and so are captures of other programs."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from socket import SHUT_WR
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from inetpy.network import reset
from inetpy.trace.packets import ACK, FIN, PSH, RST, SYN, Ends, build_tcp, build_udp
from inetpy.trace.pcapng import LINK_RAW, build_interface, build_names, build_packet, build_section
from inetpy.trace.read import TraceFileError, read_trace
from inetpy.trace.records import ReadBytes, ReadCall, ReadFault, ReadSocket, ReadTrace, ReadTurn
from seeds import times
from with_network import NetworkBench

ENDS = Ends("10.0.0.1", 40000, "10.0.0.2", 80)


class Scene(NetworkBench):
    def __init__(self, folder: Path, **how: Any) -> None:
        super().__init__()
        self.folder = folder
        self.network.trace.start(**how)

    def saved(self, ending: str, **how: Any) -> ReadTrace:
        path = self.folder / f"run.{ending}"
        self.network.trace.save(path, **how)
        trace = read_trace(path)
        assert trace.notes == []
        return trace

    def talk(self) -> None:
        """Two connections: one ends in order, and a rule resets the other."""
        ident, other = self.pair()
        self.send(ident, b"GET /\r\n")
        other.send(b"\x00\xff" * 40_000)
        other.shutdown(SHUT_WR)
        for _ in range(100):
            self.recv(ident)
        self.close(ident)
        self.fault(reset(after_bytes=4))
        ident, _ = self.pair()
        self.send(ident, b"12345678")
        self.recv(ident)
        self.close(ident)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def of(trace: ReadTrace, kind: type) -> list[Any]:
    return [record for record in trace.records if isinstance(record, kind)]


def moved(trace: ReadTrace) -> dict[tuple[int, str], bytes]:
    """The bytes of each direction of each socket. Offsets are right."""
    found: dict[tuple[int, str], bytes] = {}
    for record in of(trace, ReadBytes):
        key = (record.socket.number, record.direction)
        assert record.offset == len(found.get(key, b""))
        found[key] = found.get(key, b"") + record.data
    return found


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_what_was_saved_is_read(scene: Scene, ending: str) -> None:
    scene.talk()
    events = sorted(scene.network.trace.events(), key=lambda event: event.time)
    trace = scene.saved(ending)
    calls = [event for event in events if event.word == "call"]
    assert [(call.op, call.time, call.start, call.faults) for call in calls] == [
        (call.op, call.time, call.start, call.faults) for call in of(trace, ReadCall)
    ]
    faults = [event for event in events if event.word == "fault"]
    assert faults
    assert [fault.rule for fault in faults] == [fault.rule for fault in of(trace, ReadFault)]
    expected: dict[tuple[int, str], bytes] = {}
    for event in events:
        if event.word == "bytes":
            key = (event.track.ident, event.direction)
            expected[key] = expected.get(key, b"") + event.data
    assert moved(trace) == expected
    with_packets = {"connecting", "connected", "failed", "eof", "reset", "shutdown", "closed"}
    turns = [
        (event.track.ident, event.what, event.detail, event.faults)
        for event in events
        if event.word == "socket" and event.what in with_packets
    ]
    read = [(turn.socket.number, turn.what, turn.detail, turn.faults) for turn in of(trace, ReadTurn)]
    found = [turn for turn in read if turn[1] in with_packets]
    if ending == "jsonl":
        assert found == turns
    else:  # a connection that has been reset has no further packet
        left = iter(turns)
        assert all(turn in left for turn in found)
        assert {turn[1] for turn in found} == {"connecting", "connected", "eof", "reset", "closed"}


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_sockets(scene: Scene, ending: str) -> None:
    scene.talk()
    trace = scene.saved(ending)
    streams = [socket for socket in trace.sockets if socket.kind == "stream"]
    assert [(socket.is_client, socket.begun, socket.host) for socket in streams] == [
        (True, True, "127.0.0.1")
    ] * 2
    for socket in streams:
        assert socket.port == socket.remote[1]  # type: ignore[index]
        assert list(trace.of(socket))


def test_without_times(scene: Scene) -> None:
    scene.talk()
    assert {record.time for record in scene.saved("jsonl", times=False).records} == {None}


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_what_was_hidden_is_known(tmp_path: Path, ending: str) -> None:
    scene = Scene(tmp_path, redact=["authorization", rb"key=(\w+)"])
    ident, _ = scene.pair()
    scene.send(ident, b"**")
    scene.send(ident, b"GET /?key=abc&n=* HTTP/1.1\r\nAuthorization: Basic xyz\r\n\r\n")
    plain, chunk = of(scene.saved(ending), ReadBytes)
    assert plain.redacted == []
    assert [chunk.data[start:end] for start, end in chunk.redacted] == [b"***", b"*********"]
    assert chunk.data.startswith(b"GET /?key=***&n=* HTTP")


# --- files that are broken ------------------------------------------------------


def test_lines_that_are_cut_short(scene: Scene) -> None:
    scene.talk()
    trace = scene.saved("jsonl")
    path = Path(trace.path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    read = read_trace(path)
    assert len(read.records) == len(trace.records) - 1
    assert read.notes == [f"line {len(whole.splitlines())} is cut short: the trace is read up to there"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line 2 is no event of a trace: Expecting property name"),
        (b"[]", "line 2 is no event of a trace: it is no object"),
        (b"{}", "line 2 is no event of a trace: there is no 'event'"),
        (b'{"event": "other"}', "line 2 is no event of a trace: there is no event 'other'"),
        (b'{"event": "bytes"}', "line 2 is no event of a trace: there is no 'socket'"),
        (b"[" * 100_000, "line 2 is no event of a trace: maximum recursion depth"),
    ],
)
def test_a_line_that_is_broken(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "run.jsonl"
    good = json.dumps({"event": "fault", "rule": "reset"}).encode()
    path.write_bytes(b"\n".join((good, line, good, b"")))
    with pytest.raises(TraceFileError) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}: {reason}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "now"}, {"time": 1 << 70}, {"time": True}, {"socket": [1]}, {"kind": "pipe"}, {"label": 1},
        {"node": None}, {"offset": 1.5}, {"direction": "up"}, {"peer": ["::1", "80"]}, {"peer": ["::1"]},
        {"redacted": [[1]]}, {"faults": [None]}, {"call": None},
    ],
)  # fmt: skip
def test_a_value_of_another_type(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "run.jsonl"
    good = {"event": "bytes", "node": "", "socket": 1, "kind": "datagram", "label": ":80"}
    good |= {"direction": "send", "offset": 0, "data": {"text": "x"}, "peer": ["::1", 80, 0, 0]}
    path.write_text(json.dumps(good) + "\n")
    assert len(read_trace(path).records) == 1
    path.write_text(json.dumps(good | wrong) + "\n\n")
    with pytest.raises(TraceFileError, match=f"line 1 .*{next(iter(wrong))!r} is not as in a trace"):
        read_trace(path)


@pytest.mark.parametrize("owner", ["me", {"pid": 1}])
def test_an_owner_of_another_type(tmp_path: Path, owner: object) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps({"event": "call", "op": "connect", "owner": owner}) + "\n\n")
    with pytest.raises(TraceFileError, match="'owner' is not as in a trace"):
        read_trace(path)


@pytest.mark.parametrize("data", [b"", b"\n", b"hello", b"{"])
def test_no_trace(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceFileError, match="no event of a trace"):
        read_trace(path)


def test_a_pcap(tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20))
    with pytest.raises(TraceFileError, match="editcap -F pcapng"):
        read_trace(path)


def test_a_capture_that_is_cut_anywhere(scene: Scene) -> None:
    """What is whole is read, up to the last block."""
    scene.talk()
    whole = scene.saved("pcapng")
    path = Path(whole.path)
    data = path.read_bytes()
    for size in range(12, len(data) - 1, 997):
        path.write_bytes(data[:size])
        if size < data.index(b"owner: "):  # before the first packet
            with pytest.raises(TraceFileError, match="no bytes of TCP or UDP"):
                read_trace(path)
        else:
            assert len(read_trace(path).records) <= len(whole.records)


def test_an_interface_whose_resolution_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    body = struct.pack("<HHIHHI", LINK_RAW, 0, 0, 9, 0, 0)
    size = struct.pack("<I", len(body) + 12)
    path.write_bytes(build_section("") + struct.pack("<I", 1) + size + body + size)
    with pytest.raises(TraceFileError, match="no bytes of TCP or UDP"):
        read_trace(path)


def test_a_block_that_is_broken(scene: Scene) -> None:
    scene.talk()
    path = Path(scene.saved("pcapng").path)
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    data[first + 4] += 1
    path.write_bytes(data)
    with pytest.raises(TraceFileError, match=f"the block at byte {first} is broken"):
        read_trace(path)


# --- captures of other programs --------------------------------------------------


def foreign(path: Path, packets: list[bytes], *before: bytes, link: int = LINK_RAW) -> ReadTrace:
    blocks = [build_section("Dumpcap"), build_interface(link, "eth0", "eth0"), *before]
    blocks += [build_packet(0, 1_000 + number, packet) for number, packet in enumerate(packets)]
    path.write_bytes(b"".join(blocks))
    return read_trace(path)


def handshake(ends: Ends = ENDS) -> list[bytes]:
    back = ends.turned()
    return [build_tcp(ends, 99, 0, SYN), build_tcp(back, 499, 100, SYN | ACK), build_tcp(ends, 100, 500, ACK)]


def words(trace: ReadTrace, socket: ReadSocket) -> list[tuple[str, Any]]:
    return [
        (record.direction, record.data) if isinstance(record, ReadBytes) else (record.what, record.detail)
        for record in trace.of(socket)
        if isinstance(record, (ReadBytes, ReadTurn))
    ]


def test_a_connection_of_another_program(tmp_path: Path) -> None:
    back = ENDS.turned()
    packets = [
        *handshake(),
        build_tcp(ENDS, 100, 500, PSH | ACK, b"ping"),
        build_tcp(back, 500, 104, PSH | ACK, b"pong"),
        build_tcp(back, 504, 104, FIN | ACK, b"!"),
        build_tcp(ENDS, 104, 506, FIN | ACK),
    ]
    trace = foreign(tmp_path / "a.pcapng", packets, build_names([("10.0.0.2", "web.example")]))
    (socket,) = trace.sockets
    assert (socket.label, socket.host, socket.port, socket.is_client) == (
        "web.example:80", "web.example", 80, True,
    )  # fmt: skip
    assert words(trace, socket) == [
        ("connecting", ""), ("connected", ""), ("send", b"ping"), ("recv", b"pong"), ("recv", b"!"),
        ("eof", ""), ("closed", "fin"),
    ]  # fmt: skip
    assert trace.records[0].time == 1_000


def test_a_connection_that_was_there_before(tmp_path: Path) -> None:
    """The end with the lower port is the server's."""
    trace = foreign(tmp_path / "a.pcapng", [build_tcp(ENDS.turned(), 500, 0, PSH | ACK, b"pong")])
    (socket,) = trace.sockets
    assert (socket.label, socket.begun) == ("10.0.0.2:80", False)
    assert words(trace, socket) == [("recv", b"pong")]


@pytest.mark.parametrize(
    ("flags", "ends", "turn"),
    [
        (RST, ENDS.turned(), ("reset", "econnreset")),
        (RST | ACK, ENDS, ("closed", "reset")),
    ],
)
def test_a_reset(tmp_path: Path, flags: int, ends: Ends, turn: tuple[str, str]) -> None:
    trace = foreign(tmp_path / "a.pcapng", [*handshake(), build_tcp(ends, 100, 0, flags)])
    assert words(trace, trace.sockets[0])[-1] == turn


def test_nobody_listened(tmp_path: Path) -> None:
    packets = [build_tcp(ENDS, 99, 0, SYN), build_tcp(ENDS.turned(), 0, 100, RST | ACK)]
    trace = foreign(tmp_path / "a.pcapng", packets)
    assert words(trace, trace.sockets[0]) == [("connecting", ""), ("failed", "econnrefused")]


def test_datagrams_of_another_program(tmp_path: Path) -> None:
    ends = Ends("2001:db8::1", 5000, "2001:db8::2", 53)
    trace = foreign(
        tmp_path / "a.pcapng",
        [build_udp(ends, b"who?"), build_udp(ends.turned(), b"me"), build_udp(ends, b"")],
    )
    (socket,) = trace.sockets
    assert (socket.kind, socket.label) == ("datagram", "2001:db8::2:53")
    assert words(trace, socket) == [("send", b"who?"), ("recv", b"me"), ("send", b"")]


def test_ethernet_with_a_vlan(tmp_path: Path) -> None:
    frame = bytes(12) + b"\x81\x00\x00\x01\x08\x00"
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    packets = [arp, *(frame + packet + bytes(6) for packet in handshake())]  # short frames are filled up
    trace = foreign(tmp_path / "a.pcapng", [*packets, frame + build_tcp(ENDS, 100, 500, PSH, b"hi")], link=1)
    assert words(trace, trace.sockets[0])[-1] == ("send", b"hi")
    assert trace.notes == ["packets that are neither TCP nor UDP, or fragments: 1"]


def test_no_packet_that_is_read(tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match="no bytes of TCP or UDP; packets of link type 105 are not read"):
        foreign(tmp_path / "a.pcapng", [bytes(40)], link=105)


@settings(deadline=None, max_examples=times(60))
@given(data=st.data(), first=st.sampled_from([100, 2**32 - 5]))
def test_segments_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, first: int
) -> None:
    """Sent again, out of order, overlapping, and with numbers that begin again: the bytes are the same."""
    sent = data.draw(st.binary(min_size=1, max_size=40))
    spans = [(at, at + 1) for at in range(len(sent))] + data.draw(
        st.lists(st.tuples(st.integers(0, len(sent)), st.integers(0, 60)).map(sorted).map(tuple), max_size=9)
    )
    segments = [
        build_tcp(ENDS, first + start, 0, PSH | ACK, sent[start:end])
        for start, end in data.draw(st.permutations(spans))
    ]
    syn = build_tcp(ENDS, first - 1, 0, SYN)
    trace = foreign(tmp_path_factory.mktemp("random") / "a.pcapng", [syn, *segments])
    assert moved(trace) == {(1, "send"): sent}
    assert trace.notes == []
