"""tshark reads what a trace has written, without a complaint, and finds the same in it."""

from __future__ import annotations

import random
import subprocess
from ipaddress import ip_address
from pathlib import Path
from socket import SHUT_WR
from typing import Any

import pytest

from in_memory import LOCALHOST, OWNER
from inetpy.codec.terms import Atom
from inetpy.network import latency, reset
from inetpy.network.network import Network
from inetpy.trace.packets import ACK, PSH, Ends, build_tcp, build_udp
from inetpy.trace.pcapng import LINK_RAW, build_interface, build_packet, build_section
from with_network import NetworkBench

CHECKED = [
    option
    for value in (
        "ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE",
        # docs/trace.md says so to its readers
        'uat:user_dlts:"User 0 (DLT=147)","json","0","","0",""',
        'uat:user_dlts:"User 1 (DLT=148)","data","0","","0",""',
    )
    for option in ("-o", value)
]  # fmt: skip
# What Wireshark complains of.
COMPLAINTS = " || ".join((
    "_ws.malformed", "tcp.analysis.flags", "_ws.expert.severity >= 8388608",
    *(f"{protocol}.checksum.status == 0" for protocol in ("ip", "tcp", "udp")),
))  # fmt: skip


def tshark(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["tshark", "-r", str(path), *CHECKED, *arguments], check=False, capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if 'as user "root"' not in line]
    assert complaints == []
    assert done.returncode == 0
    return done.stdout


def fields(path: Path, *names: str, only: str = "") -> list[list[str]]:
    """The fields of each packet, of those that the filter has."""
    wanted = [part for name in names for part in ("-e", name)]
    chosen = ["-Y", only] if only else []
    rows = tshark(path, "-T", "fields", *wanted, *chosen)
    return [line.split("\t") for line in rows.splitlines()]


def stream(path: Path, number: int) -> list[bytes]:
    """The bytes of a TCP stream, as tshark puts them together: those of the first end, and of the other."""
    lines = tshark(path, "-q", "-z", f"follow,tcp,raw,{number}").splitlines()
    data = [line for line in lines if line and set(line.strip()) <= set("0123456789abcdef")]
    return [
        bytes.fromhex("".join(line for line in data if line.startswith("\t") is back))
        for back in (False, True)
    ]


def assert_no_complaint(path: Path) -> None:
    assert tshark(path, "-Y", COMPLAINTS) == ""
    assert fields(path, "frame.number")


class Scene(NetworkBench):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path / "run.pcapng"
        self.network.trace.start()

    def save(self) -> Path:
        assert self.network.trace.failure is None
        self.network.trace.save(self.path)
        assert_no_complaint(self.path)
        return self.path


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_connection(scene: Scene) -> None:
    """Handshake, bytes in both directions, and the ends."""
    ident, other = scene.pair()
    scene.send(ident, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    other.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    scene.recv(ident)
    other.shutdown(SHUT_WR)
    scene.recv(ident)
    path = scene.save()
    flags = [row[0] for row in fields(path, "tcp.flags.str", only="tcp")]
    plain = ["".join(letter for letter in text if letter.isalpha()) for text in flags]
    assert plain == ["S", "AS", "A", "AP", "A", "AP", "A", "AF", "A", "AF", "A"]
    assert stream(path, 0) == [*scene.network.trace.bytes()]
    assert fields(path, "http.response.code", only="http.response") == [["200"]]


def test_much_data(scene: Scene) -> None:
    """More than one packet holds."""
    ident, other = scene.pair()
    data = random.Random(1).randbytes(150_000)
    for start in range(0, len(data), 50_000):
        scene.send(ident, data[start : start + 50_000])
        while scene.session.sockets[ident].send_pend or len(other.inward.data):  # type: ignore[attr-defined]
            other.recv(1 << 20)
            scene.run()
    path = scene.save()
    assert stream(path, 0) == [data, b""]


def test_a_reset_of_ours(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.setopts(ident, linger=(True, 0))
    scene.close(ident)
    path = scene.save()
    assert len(fields(path, "frame.number", only="tcp.flags.reset == 1")) == 1


def test_a_reset_of_the_peer_names_the_rule(scene: Scene) -> None:
    scene.fault(reset(after_bytes=4))
    ident, _ = scene.pair()
    scene.send(ident, b"12345678")
    scene.recv(ident)
    path = scene.save()
    ((comments,),) = fields(path, "frame.comment", only="tcp.flags.reset == 1")
    assert "rule: reset(after_bytes=4" in comments


def test_a_refused_connect(scene: Scene) -> None:
    scene.connect(1)
    path = scene.save()
    rows = fields(path, "tcp.flags.syn", "tcp.flags.reset", "tcp.dstport", only="tcp")
    assert rows == [["1", "0", "1"], ["0", "1", rows[1][2]]]


def test_an_accepted_connection(scene: Scene) -> None:
    """The other end is no socket of the trace."""
    listener = scene.listen()
    client = scene.host.open_socket(2, 1)
    with pytest.raises(BlockingIOError):
        client.connect(("127.0.0.1", scene.port(listener)))
    server = scene.accept(listener).socket
    client.send(b"ping")
    scene.recv(server)
    scene.send(server, b"pong")
    path = scene.save()
    assert stream(path, 0) == [b"ping", b"pong"]
    first = fields(path, "tcp.dstport", only="tcp.flags.syn == 1 && tcp.flags.ack == 0")
    assert first == [[str(scene.port(listener))]]


def test_both_ends_of_a_connection(scene: Scene) -> None:
    """The packets are there once. The other end's bytes are with the calls."""
    listener = scene.listen()
    client = scene.connect(scene.port(listener)).socket
    server = scene.accept(listener).socket
    scene.send(client, b"ping")
    scene.recv(server)
    scene.send(server, b"pong")
    scene.recv(client)
    path = scene.save()
    assert stream(path, 0) == [b"ping", b"pong"]
    assert len(fields(path, "frame.number", only="tcp.flags.syn == 1 && tcp.flags.ack == 0")) == 1
    other = fields(path, "frame.interface_name", "data", only='frame.interface_name contains "other end"')
    assert [bytes.fromhex(row[1]) for row in other] == [b"ping", b"pong"]


def test_datagrams(scene: Scene) -> None:
    one, two = scene.open(), scene.open()
    scene.sendto(one, scene.port(two), b"question")
    scene.recv(two)
    path = scene.save()
    rows = fields(path, "udp.dstport", "udp.payload", only="udp")
    assert [(int(port), bytes.fromhex(data)) for port, data in rows] == [(scene.port(two), b"question")] * 2


def test_times_are_in_nanoseconds(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.send(ident, b"x")
    path = scene.save()
    times = [row[0].replace(".", "") for row in fields(path, "frame.time_epoch")]
    assert {len(time) for time in times} == {19}
    assert times == sorted(times)
    (chunk,) = [event for event in scene.network.trace.events() if event.word == "bytes"]
    assert str(chunk.time) in times


def test_names_interfaces_and_comments(scene: Scene) -> None:
    """Names as the program asked for them, an interface per label, and who did it."""
    _, port = scene.listener()
    lineage = [OWNER, Atom("my_server"), (Atom("application"), Atom("my_app"))]
    args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, LOCALHOST, port, [], [], -1)
    answer = scene.ask("connect", 0, (Atom("context"), (b"db.example", lineage), args))
    scene.fault(latency(1), direction="both")
    scene.send(answer.socket, b"select")
    path = scene.save()
    assert ["127.0.0.1", "db.example"] in [
        line.split() for line in tshark(path, "-q", "-z", "hosts").splitlines()
    ]
    rows = fields(path, "frame.interface_name", "frame.comment", only="tcp.len > 0")
    assert rows[0][0] == f"db.example:{port}"
    for part in ("owner: <0.1.0> my_server (my_app)", "call: send", "rule: latency(ms=1"):
        assert part in rows[0][1]


def test_calls_have_a_link_type_of_their_own(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.send(ident, b"x")
    path = scene.save()
    only = 'frame.interface_name == "calls"'
    rows = fields(path, "frame.encap_type", "_ws.col.Protocol", "json.value.string", only=only)
    assert [row[:2] for row in rows] == [["45", "JSON"]] * 2  # WTAP_ENCAP_USER0
    assert [{"connect", "send"} & set(row[2].split(",")) for row in rows] == [{"connect"}, {"send"}]
    assert f"#Socket<{ident}>" in rows[0][2]


def test_unix_sockets(scene: Scene) -> None:
    other = scene.path_listener(b"/tmp/it")
    ident = scene.connect_path(b"/tmp/it").socket
    scene.run()
    server, _ = other.accept()
    scene.send(ident, b"hello")
    server.send(b"world")
    scene.recv(ident)
    path = scene.save()
    rows = fields(
        path, "data", "frame.packet_flags_direction", only='frame.interface_name != "calls" && data'
    )
    assert [(bytes.fromhex(data), flag) for data, flag in rows] == [
        (b"hello", "0x00000002"),
        (b"world", "0x00000001"),
    ]


def test_ipv6(tmp_path: Path) -> None:
    """The packets alone: addresses, lengths and checksums."""
    path = tmp_path / "v6.pcapng"
    ends = Ends("fe80::1%eth0", 1000, "2001:db8::2", 50000)
    blocks = [build_section("test"), build_interface(LINK_RAW, "one", "one")]
    generator = random.Random(2)
    sequence = 0xFFFFFF00  # it begins anew
    for number in range(50):
        data = generator.randbytes(number)
        blocks.append(build_packet(0, number, build_udp(ends.turned(), data)))
        blocks.append(build_packet(0, number, build_tcp(ends, sequence, 1, PSH | ACK, data)))
        sequence += number
    path.write_bytes(b"".join(blocks))
    assert_no_complaint(path)
    rows = fields(path, "ipv6.src", "tcp.dstport", "tcp.len", only="tcp")
    assert [row[2] for row in rows] == [str(number) for number in range(50)]
    assert {(str(ip_address(row[0])), row[1]) for row in rows} == {("fe80::1", "50000")}


def test_a_file_that_is_written_meanwhile_is_equal(tmp_path: Path) -> None:
    scene = NetworkBench()
    live, saved = tmp_path / "live.pcapng", tmp_path / "saved.pcapng"
    trace = Network(scene.engine).trace
    trace.start(file=live)
    ident, other = scene.pair()
    scene.send(ident, b"one")
    other.send(b"two")
    scene.recv(ident)
    trace.stop()
    trace.save(saved)
    assert_no_complaint(live)
    names = ("frame.time_epoch", "frame.interface_name", "frame.len", "tcp.seq", "tcp.payload")
    assert sorted(fields(live, *names)) == sorted(fields(saved, *names))
