"""The recorder, in memory: calls, bytes, faults, and that it comes and goes at any moment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from socket import SHUT_WR
from typing import Any

import pytest

from in_memory import OWNER, Bench
from inetpy.codec.terms import Atom, ImproperList
from inetpy.network import blackhole, error, latency, loss, nth, refuse, reset, short_write
from inetpy.trace.events import Call, Chunk, Fault, Turn
from inetpy.trace.recorder import _peer_in
from inetpy.trace.redaction import Redaction
from with_network import NetworkBench


class Scene(NetworkBench):
    """A bench with a trace that is on."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.trace = self.network.trace
        self.trace.start(**how)

    def calls(self, op: str | None = None) -> list[Call]:
        return self.trace.calls(op)

    def finish(self) -> None:
        super().finish()
        assert self.trace.failure in (None, "LookupError: a bug")

    def turns(self) -> list[tuple[str, str]]:
        return [(event.what, event.detail) for event in self.trace.events() if isinstance(event, Turn)]

    def chunks(self) -> list[tuple[str, int, bytes]]:
        found = [event for event in self.trace.events() if isinstance(event, Chunk)]
        return [(chunk.direction, chunk.offset, chunk.data) for chunk in found]


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- calls ---


def test_a_call(scene: Scene) -> None:
    listener, port = scene.listener()
    ident = scene.connect(port, 5000).socket
    call = scene.calls("connect")[0]
    assert call.peer == ("127.0.0.1", port)
    assert call.label == f"127.0.0.1:{port}"
    assert call.owner.pid == "<0.1.0>"
    assert call.args["address"] == (127, 0, 0, 1)
    assert call.args["timeout"] == 5000
    assert call.answer == ("ok", f"#Socket<{ident}>")
    assert call.end is not None
    assert call.start <= call.end
    listener.close()


def test_a_call_that_waits_has_no_answer(scene: Scene) -> None:
    ident, other = scene.pair()
    scene.recv(ident)
    call = scene.calls("recv")[0]
    assert (call.answer, call.end) == (None, None)
    other.send(b"data")
    scene.run()
    assert call.answer == ("ok", b"data")
    assert call.end is not None


def test_what_is_asked_with_a_context_is_one_call(scene: Scene) -> None:
    """The host is the one that the program asked for; the lineage says who asks."""
    _, port = scene.listener()
    lineage = [OWNER, Atom("my_server"), (Atom("application"), Atom("my_app")), Atom("my_sup")]
    args: Any = (Atom("inetpy_tcp"), Atom("inet"), OWNER, (127, 0, 0, 1), port, [], [], -1)
    scene.ask("connect", 0, (Atom("context"), (b"db.example", lineage), args))
    (call,) = scene.calls("connect")
    assert call.peer == ("db.example", port)
    assert str(call.owner) == "<0.1.0> my_server (my_app)"
    assert scene.trace.calls(host="db.*") == [call]
    assert scene.trace.calls(owner="my_sup") == [call]
    assert scene.trace.calls(host="other") == []


def test_a_call_that_is_refused(scene: Scene) -> None:
    assert scene.connect(1).answer == ("error", "econnrefused")
    (call,) = scene.calls("connect")
    assert call.answer == ("error", "econnrefused")
    assert call.peer == ("127.0.0.1", 1)
    assert scene.turns() == [("opened", ""), ("connecting", ""), ("failed", "econnrefused"), ("closed", "")]


def test_a_call_with_bad_options(scene: Scene) -> None:
    scene.connect(1, nonsense=True)
    (call,) = scene.calls("connect")
    assert call.track is None
    assert call.peer == ("127.0.0.1", 1)


def test_bad_requests_are_recorded(scene: Scene) -> None:
    scene.ask("recv", 0, [])
    scene.ask("connect", 0, [1])
    assert [call.answer[0] for call in scene.calls()] == ["error", "error"]


def test_accept_names_the_listener_and_opens(scene: Scene) -> None:
    listener = scene.listen()
    port = scene.port(listener)
    client = scene.connect(port).socket
    server = scene.accept(listener).socket
    assert scene.calls("accept")[0].label == f":{port}"
    assert [(leak.kind, leak.opened_by and leak.opened_by.op) for leak in scene.trace.leaks()] == [
        ("listener", "listen"), ("stream", "connect"), ("stream", "accept"),
    ]  # fmt: skip
    for ident in (client, server, listener):
        scene.close(ident)
    assert scene.trace.leaks() == []


def test_an_accept_that_waits_opens(scene: Scene) -> None:
    listener = scene.listen()
    scene.accept(listener)
    scene.connect(scene.port(listener))
    assert [leak.opened_by and leak.opened_by.op for leak in scene.trace.leaks(role="accepted")] == ["accept"]


# --- bytes ---


def test_bytes_and_turns(scene: Scene) -> None:
    ident, other = scene.pair()
    scene.send(ident, b"ping")
    other.send(b"pong")
    scene.recv(ident)
    scene.send(ident, b"more")
    other.shutdown(SHUT_WR)
    scene.recv(ident)
    scene.close(ident)
    assert scene.chunks() == [("send", 0, b"ping"), ("recv", 0, b"pong"), ("send", 4, b"more")]
    assert scene.turns()[-2:] == [("eof", ""), ("closed", "fin")]
    label = scene.calls("send")[0].label
    assert scene.trace.bytes(label) == (b"pingmore", b"pong")
    assert scene.trace.bytes("other") == (b"", b"")


def test_a_reset_is_told_from_an_end(scene: Scene) -> None:
    ident, other = scene.pair()
    scene.setopts(ident, linger=(True, 0))
    scene.close(ident)
    assert scene.turns()[-1] == ("closed", "reset")
    ident, other = scene.pair()
    scene.host.disconnect(other)
    scene.recv(ident)
    assert scene.turns()[-2:] == [("reset", "econnreset"), ("closed", "")]


def test_datagrams(scene: Scene) -> None:
    one, two = scene.open(), scene.open()
    scene.sendto(one, scene.port(two), b"data")
    scene.recv(two)
    chunks = [event for event in scene.trace.events() if isinstance(event, Chunk)]
    assert [(chunk.direction, chunk.peer, chunk.data) for chunk in chunks] == [
        ("send", ("127.0.0.1", scene.port(two)), b"data"),
        ("recv", ("127.0.0.1", scene.port(one)), b"data"),
    ]
    (call,) = scene.calls("send")
    assert call.peer == ("127.0.0.1", scene.port(two))
    assert scene.trace.sent(to=f"127.0.0.1:{scene.port(two)}", contains=b"at")
    assert not scene.trace.sent(to="127.0.0.1:1")


def test_active_sockets(scene: Scene) -> None:
    ident, other = scene.pair(active=True)
    other.send(b"data")
    scene.run()
    (chunk,) = [event for event in scene.trace.events() if isinstance(event, Chunk)]
    assert (chunk.data, chunk.call) == (b"data", "")
    assert scene.messages() == [("tcp", ident, b"data")]


# --- rules ---


def test_a_rule_at_a_call_is_named(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.fault(error("send", "epipe"), when=nth(2))
    scene.send(ident, b"one")
    scene.send(ident, b"two")
    assert [call.faults for call in scene.calls("send")] == [[], ["error(call=send, errno=epipe)"]]
    (fault,) = [event for event in scene.trace.events() if isinstance(event, Fault)]
    assert (fault.rule, fault.call) == ("error(call=send, errno=epipe)", "send")


def test_a_rule_that_shapes_touches_all_bytes(scene: Scene) -> None:
    ident, other = scene.pair()
    with scene.fault(latency(10)):
        for _ in range(2):
            other.send(b"data")
            scene.recv(ident)
            scene.advance(10)
        scene.send(ident, b"out")
    chunks = [event for event in scene.trace.events() if isinstance(event, Chunk)]
    assert [(chunk.direction, chunk.faults) for chunk in chunks] == [
        ("recv", ["latency(ms=10, jitter=0)"]), ("recv", ["latency(ms=10, jitter=0)"]), ("send", []),
    ]  # fmt: skip
    assert [call.faults for call in scene.calls("recv")] == [["latency(ms=10, jitter=0)"]] * 2


def test_a_reset_names_its_rule(scene: Scene) -> None:
    scene.fault(reset(after_bytes=6))
    ident, _ = scene.pair()
    scene.send(ident, b"1234")
    scene.send(ident, b"5678")
    scene.recv(ident)
    fault = next(event for event in scene.trace.events() if isinstance(event, Fault))
    assert (fault.rule, fault.call, fault.offset) == ("reset(after_bytes=6, after_ms=None)", "send", 6)
    (touched,) = [
        event for event in scene.trace.events() if isinstance(event, Turn) and event.what == "reset"
    ]
    assert touched.faults == ["reset(after_bytes=6, after_ms=None)"]
    assert scene.calls("recv")[0].faults == ["reset(after_bytes=6, after_ms=None)"]


def test_connecting_names_its_rule(scene: Scene) -> None:
    with scene.fault(refuse()):
        scene.connect(1)
    with scene.fault(blackhole()):
        scene.connect(1, 100)
        scene.advance(100)
    assert [call.faults for call in scene.calls("connect")] == [["refuse()"], ["blackhole()"]]


def test_a_datagram_that_is_lost(scene: Scene) -> None:
    scene.fault(loss(1.0))
    one, two = scene.open(), scene.open()
    scene.sendto(one, scene.port(two), b"data")
    assert [event.rule for event in scene.trace.events() if isinstance(event, Fault)] == ["loss(p=1.0)"]


def test_bytes_are_those_of_the_program(scene: Scene) -> None:
    """A rule comes and goes while the trace is on: nothing is seen twice, and nothing is missed."""
    ident, other = scene.pair()
    rule = scene.fault(short_write(2))
    scene.send(ident, b"abcde")
    other.send(b"one")
    scene.run()
    assert scene.recv(ident, 3).answer == ("ok", b"one")
    rule.remove()
    scene.run()
    scene.send(ident, b"fgh")
    other.send(b"two")
    scene.run()
    assert scene.recv(ident, 3).answer == ("ok", b"two")
    assert scene.trace.bytes() == (b"abcdefgh", b"onetwo")
    assert other.recv(100) == b"abcdefgh"


# --- on and off ---


def test_on_and_off_at_any_moment() -> None:
    scene = NetworkBench()
    ident, other = scene.pair()
    before = type(scene.session.sockets[ident].sock)  # type: ignore[attr-defined]
    answer, request = scene.session.answer, scene.dispatcher.request
    scene.send(ident, b"before")
    scene.network.trace.start()
    scene.send(ident, b"during")
    scene.network.trace.stop()
    scene.send(ident, b"behind")
    assert other.recv(100) == b"beforeduringbehind"
    assert scene.network.trace.bytes() == (b"during", b"")
    assert type(scene.session.sockets[ident].sock) is before  # type: ignore[attr-defined]
    assert (scene.session.answer, scene.dispatcher.request) == (answer, request)
    assert not scene.link.is_in_play


def test_a_socket_that_connects_when_it_begins() -> None:
    scene = NetworkBench()
    scene.fault(latency(0))
    ident, _ = scene.pair()
    scene.network.trace.start()
    scene.send(ident, b"data")
    scene.network.trace.stop()
    scene.send(ident, b"data")
    scene.close(ident)
    assert scene.network.trace.bytes() == (b"data", b"")


def test_it_starts_before_the_session() -> None:
    """As in a network file."""
    bench = Bench()
    from inetpy.network.engine import Engine
    from inetpy.network.network import Network

    engine = Engine(bench.host, 1)
    trace = Network(engine).trace
    trace.start()
    engine.attach(bench.session)
    bench.listen()
    assert [call.op for call in trace.calls()] == ["listen"]
    assert bench.link.is_in_play


def test_several_nodes() -> None:
    """Each has its own pids and numbers of sockets; the node is with each event."""
    scene = Scene()
    other = Bench()
    other.session.label = "second"
    scene.session.label = "first"
    scene.engine.attach(other.session)
    one, two = scene.listen(), other.listen()
    assert one == two
    assert [call.node for call in scene.calls("listen")] == ["first", "second"]
    assert len(scene.trace.leaks()) == 2
    scene.engine.detach(other.session)
    other.listen()
    assert len(scene.calls("listen")) == 2


def test_a_bug_of_the_trace_is_not_one_of_the_program(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ident, other = scene.pair()

    def fail(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("inetpy.trace.recorder.Chunk", fail)
    assert scene.send(ident, b"one").answer == "ok"
    assert scene.send(ident, b"two").answer == "ok"
    assert other.recv(100) == b"onetwo"
    assert scene.trace.failure == "LookupError: a bug"
    assert caplog.text.count("the trace ends here") == 1
    scene.trace.stop()
    scene.trace.start()
    monkeypatch.undo()
    scene.send(ident, b"three")
    assert scene.trace.bytes().sent == b"three"


HOSTILE = {
    "number": 1 << 100_000,
    "improper": ImproperList([1 << 100_000], 2),
    "atom": Atom("ä"),
    "map": {1: {}},
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_any_term_can_be_written(value: object, scene: Scene, tmp_path: Path) -> None:
    """What a program gives as an option, right or wrong."""
    ident = scene.listen()
    scene.ask("setopts", ident, [value, {value: value}] if value == 1 << 100_000 else [value])
    scene.ask("connect", 0, (Atom("inetpy_tcp"), Atom("inet"), OWNER, (127, 0, 0, 1), value, [value], [], -1))
    scene.trace.save(tmp_path / "run.jsonl")
    scene.trace.save(tmp_path / "run.pcapng")
    assert scene.trace.failure is None
    for line in (tmp_path / "run.jsonl").read_text().splitlines():
        json.loads(line)


def test_on_twice(scene: Scene) -> None:
    with pytest.raises(RuntimeError, match="stop it first"):
        scene.trace.start()
    scene.trace.stop()
    scene.trace.stop()
    scene.trace.start()
    assert scene.trace.events() == []


def test_some_sockets_only() -> None:
    scene = Scene(role="listener")
    ident = scene.listen()
    scene.connect(scene.port(ident))
    assert {call.op for call in scene.calls()} == {"listen", "sockname"}
    with pytest.raises(ValueError, match="there is no 'rolle'"):
        Scene(rolle="listener")


def test_memory_has_a_limit() -> None:
    scene = Scene(memory=100_000)
    ident, other = scene.pair()
    for _ in range(50):
        scene.send(ident, b"x" * 10_000)
        other.recv(100_000)
    sent = scene.trace.bytes().sent
    assert 10_000 <= len(sent) <= 100_000
    assert scene.trace.dropped > 50
    scene.trace.clear()
    assert (scene.trace.events(), scene.trace.dropped) == ([], 0)
    scene.send(ident, b"goes on")
    assert scene.trace.bytes().sent == b"goes on"


def test_order(scene: Scene) -> None:
    ident, _ = scene.pair()
    scene.send(ident, b"x")
    scene.close(ident)
    assert scene.trace.order("connect", "send", "close")
    assert scene.trace.order("connect", ("close", "127.0.0.1:*"))
    assert not scene.trace.order("send", "connect")
    assert not scene.trace.order(("connect", "other"))


# --- lines of JSON ---


def test_lines(scene: Scene, tmp_path: Path) -> None:
    ident, other = scene.pair()
    scene.send(ident, b"text\n")
    other.send(b"\0\xff")
    scene.recv(ident)
    scene.trace.save(tmp_path / "run.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert [line["data"] for line in lines if line["event"] == "bytes"] == [
        {"text": "text\n"},
        {"hex": "00ff"},
    ]
    calls = {line["op"]: line for line in lines if line["event"] == "call"}
    assert calls["connect"]["peer"] == list(scene.calls("connect")[0].peer)
    assert calls["recv"]["answer"] == ["ok", {"hex": "00ff"}]
    assert calls["recv"]["owner"] == {"pid": "<0.1.0>", "name": None, "application": None}
    assert {line["event"] for line in lines} == {"bytes", "call", "socket"}


def test_lines_without_times_are_equal_in_each_run(tmp_path: Path) -> None:
    files = []
    for number in range(2):
        scene = Scene()
        ident, other = scene.pair()
        scene.fault(short_write(2))
        scene.send(ident, b"text")
        path = tmp_path / f"{number}.jsonl"
        scene.trace.save(path, times=False)
        files.append(path.read_text())
        other.close()
    assert files[0] == files[1]
    assert "short_write" in files[0]


def test_a_file_of_another_kind(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends in"):
        scene.trace.save(tmp_path / "run.txt")
    with pytest.raises(OSError, match="No such file"):
        scene.trace.save(tmp_path / "missing" / "run.jsonl")
    assert list(tmp_path.iterdir()) == []


# --- redaction ---


def test_redaction() -> None:
    scene = Scene(redact=["authorization", rb"key=(\w+)"])
    ident, other = scene.pair()
    scene.send(ident, b"GET / HTTP/1.1\r\nAuthorization: Bas")
    scene.send(ident, b"ic abc\r\nHost: x\r\n\r\n")
    other.send(b"key=secret&a=b")
    assert scene.recv(ident).answer == ("ok", b"key=secret&a=b")
    assert scene.trace.bytes() == (
        b"GET / HTTP/1.1\r\nAuthorization: ******\r\nHost: x\r\n\r\n".replace(b"******", b"*" * 9),
        b"key=******&a=b",
    )
    noted = repr([(call.args, call.answer) for call in scene.calls()])
    assert "secret" not in noted
    assert "abc" not in noted


def test_redaction_takes_patterns() -> None:
    assert Redaction([re.compile(b"a+")]).mask(b"baab") == b"b**b"
    for wrong in (1, re.compile("text")):
        with pytest.raises(ValueError, match="names of headers, and patterns"):
            Redaction([wrong])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="is no pattern: missing"):
        Redaction([b"("])


@pytest.mark.parametrize("word", ["authorization", b"key=", re.compile(b"key="), 7])
def test_one_word_alone_hides_nothing(word: object) -> None:
    """Its letters would be the names of headers, so it is refused."""
    with pytest.raises(ValueError, match="redact takes a list"):
        Redaction(word)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ((127, 0, 0, 1), "127.0.0.1"),
        ((0, 0, 0, 0, 0, 0, 0, 1), "::1"),
        ((0xFE80, 0, 0, 0, 0, 0, 0, 7), "fe80::7"),
    ],
)
def test_a_peer_is_written_as_people_write_it(term: tuple[int, ...], text: str) -> None:
    """The same for each call that has it, whatever the socket."""
    assert _peer_in({"address": term, "port": 80}) == (text, 80)
    assert _peer_in({"destination": (term, 80)}) == (text, 80)
