"""Sockets with rules, in memory: what a rule does and when, and that it goes without a trace."""

from __future__ import annotations

from socket import SHUT_WR, SOCK_STREAM
from typing import Any

import pytest

from inetpy.codec.terms import Atom
from inetpy.host.api import WRITE
from inetpy.network import (
    Fault,
    bandwidth,
    blackhole,
    down,
    eagain,
    error,
    first,
    half_open,
    latency,
    limit,
    loss,
    nth,
    periodic,
    probability,
    refuse,
    reorder,
    reset,
    short_read,
    short_write,
    slice,  # noqa: A004
    slow_close,
)
from inetpy.network.datagrams import ControlledDatagram
from inetpy.network.requests import parse_rule
from inetpy.network.streams import ControlledStream
from with_network import NetworkBench


class Scene(NetworkBench):
    """A bench with a network in play."""

    def sock(self, ident: int) -> Any:
        return self.session.sockets[ident].sock  # type: ignore[attr-defined]

    def got(self, ident: int) -> Any:
        """What recv answers now."""
        return self.recv(ident, 0, 0).answer


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_no_rule_no_controlled_socket(scene: Scene) -> None:
    ident, _ = scene.pair()
    assert not isinstance(scene.sock(ident), ControlledStream)
    rule = scene.fault(latency(10))
    assert isinstance(scene.sock(ident), ControlledStream)
    rule.remove()
    scene.run()
    assert not isinstance(scene.sock(ident), ControlledStream)


def test_a_rule_that_concerns_others(scene: Scene) -> None:
    scene.fault(latency(10), port=1)
    ident, _ = scene.pair()
    assert not isinstance(scene.sock(ident), ControlledStream)


def test_latency(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(latency(200))
    scene.write(peer, b"late")
    scene.advance(199)
    assert scene.got(ident) == ("error", "timeout")
    scene.advance(1)
    assert scene.got(ident) == ("ok", b"late")
    assert scene.send(ident, b"at once").answer == "ok"
    assert scene.read(peer) == b"at once"


def test_latency_blocks_nobody(scene: Scene) -> None:
    pairs = [scene.pair() for _ in range(5)]
    scene.fault(latency(200))
    for _, peer in pairs:
        scene.write(peer, b"x")
    scene.advance(200)
    assert [scene.got(ident) for ident, _ in pairs] == [("ok", b"x")] * 5


def test_held_bytes_flow_on_when_the_rule_goes(scene: Scene) -> None:
    ident, peer = scene.pair()
    rules = [scene.fault(what, direction="both") for what in (latency(10_000), blackhole(), bandwidth(1))]
    scene.write(peer, b"in")
    assert scene.send(ident, b"out").answer == "ok"
    assert (scene.got(ident), scene.read(peer)) == (("error", "timeout"), b"")
    for rule in rules:
        rule.remove()
        scene.run()
    assert (scene.got(ident), scene.read(peer)) == (("ok", b"in"), b"out")
    assert not isinstance(scene.sock(ident), ControlledStream)


@pytest.mark.parametrize("goes", [False, True], ids=["the rule stays", "the rule goes"])
def test_a_connection_that_a_rule_has_closed(scene: Scene, goes: bool) -> None:
    """The owner sees what he sees when the peer closes."""

    def sees(ident: int) -> list[object]:
        scene.run()
        names = [scene.ask(name, ident, []).answer[0] for name in ("peername", "sockname")]
        return [*names, scene.send(ident, b"a").answer, scene.send(ident, b"b").answer, scene.got(ident)]

    ident, peer = scene.pair()
    peer.close()
    closed = sees(ident)
    ident, peer = scene.pair()
    rule = scene.fault(limit(0))
    scene.write(peer, b"x")
    if goes:
        rule.remove()
    assert sees(ident) == closed


def test_the_end_comes_behind_the_bytes(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(latency(100))
    scene.write(peer, b"last")
    peer.close()
    scene.advance(100)
    assert scene.got(ident) == ("ok", b"last")
    assert scene.got(ident) == ("error", "closed")


def test_bytes_leave_also_when_the_socket_has_been_closed(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(latency(100), direction="send")
    scene.send(ident, b"bye")
    assert scene.close(ident).answer == "ok"
    scene.advance(100)
    assert (peer.recv(10), peer.recv(10)) == (b"bye", b"")


@pytest.mark.parametrize("unread", [b"", b"unread"])
def test_a_socket_that_was_shut_down_is_closed(scene: Scene, unread: bytes) -> None:
    """The end has been sent by then. Bytes that nobody has read make a reset of the close."""
    ident, peer = scene.pair()
    scene.fault(reset(after_bytes=1 << 50))
    itself = scene.sock(ident).sock
    assert scene.shutdown(ident, "write").answer == "ok"
    scene.write(peer, unread)
    assert peer.recv(1) == b""
    assert not itself.closed
    assert scene.close(ident).answer == "ok"
    scene.run()
    assert itself.closed


def test_a_socket_that_was_reset_is_closed(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(reset(after_bytes=1 << 50))
    itself = scene.sock(ident).sock
    scene.send(ident, b"unread")
    peer.close()
    assert scene.got(ident) == ("error", "closed")
    assert scene.close(ident).answer == "ok"
    scene.run()
    assert itself.closed


def test_bytes_of_a_closed_socket_flow_on_when_the_rule_goes(scene: Scene) -> None:
    ident, peer = scene.pair()
    rule = scene.fault(blackhole())
    scene.send(ident, b"bye")
    assert scene.close(ident).answer == "ok"
    scene.advance(100_000)
    assert scene.read(peer) == b""
    rule.remove()
    scene.run()
    assert (peer.recv(10), peer.recv(10)) == (b"bye", b"")


@pytest.mark.parametrize("direction", ["recv", "send"])
def test_reset_after_bytes(scene: Scene, direction: str) -> None:
    ident, peer = scene.pair(show_econnreset=True)
    rule = scene.fault(reset(after_bytes=3), direction=direction)
    if direction == "recv":
        scene.write(peer, b"hello")
        assert scene.got(ident) == ("ok", b"hel")
    else:
        scene.send(ident, b"hello")
        assert peer.recv(10) == b"hel"
    assert scene.got(ident) == ("error", "econnreset")
    with pytest.raises(ConnectionResetError):
        peer.recv(10)
    assert rule.fired == 1


def test_reset_after_a_time(scene: Scene) -> None:
    ident, _ = scene.pair(active=True, show_econnreset=True)
    scene.fault(reset(after_ms=50))
    scene.advance(49)
    assert scene.messages() == []
    scene.advance(1)
    assert scene.messages() == [("tcp_error", ident, "econnreset"), ("tcp_closed", ident)]


@pytest.mark.parametrize("what", [slice(1, delay=5), latency(5), slow_close(5), bandwidth(1000)])
@pytest.mark.parametrize("sends", [False, True])
def test_the_end_comes_after_the_socket_has_been_closed(
    scene: Scene, what: Fault, sends: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nobody any more whom the end concerns."""
    ident, peer = scene.pair()
    scene.fault(what)
    scene.write(peer, b"abc")
    peer.close()
    scene.run()
    if sends:
        scene.send(ident, b"x")
    scene.close(ident)
    scene.advance(100)
    assert caplog.messages == [], "a bug"


def test_limit_closes(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(limit(3), direction="recv")
    scene.write(peer, b"hello")
    assert [scene.got(ident), scene.got(ident)] == [("ok", b"hel"), ("error", "closed")]


def test_bandwidth(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(bandwidth("8kbit/s"), direction="recv")
    scene.write(peer, bytes(2000))
    scene.advance(1000)
    word, data = scene.got(ident)
    assert word == "ok"
    assert 980 <= len(data) <= 1000
    scene.advance(1100)
    assert len(scene.got(ident)[1]) == 2000 - len(data)


def test_slices(scene: Scene) -> None:
    ident, peer = scene.pair(active=True)
    scene.fault(slice(2), direction="recv")
    scene.write(peer, b"hello")
    assert scene.messages() == [("tcp", ident, b"he"), ("tcp", ident, b"ll"), ("tcp", ident, b"o")]


def test_one_turn_cuts_no_more_than_erlang_can_read_soon(scene: Scene) -> None:
    """A peer that floods a socket with small pieces would hold all other sockets back."""
    ident, peer = scene.pair()
    scene.fault(slice(1), direction="recv")
    for _ in range(4):
        if peer.ready & WRITE:
            peer.send(bytes(1 << 16))
        scene.run()
    assert len(scene.sock(ident).pieces) <= 1 << 13
    assert sum(len(scene.got(ident)[1]) for _ in range(3)) == 3


def test_slow_lines_cut_what_is_due(scene: Scene) -> None:
    ident, peer = scene.pair()
    rules = [
        scene.fault(bandwidth(5e-324), direction="recv"),
        scene.fault(slice(1, delay=1000), direction="send"),
    ]
    data = bytes(range(250)) * 4
    scene.write(peer, data)
    assert scene.send(ident, data).answer == "ok"
    scene.advance(2500)
    assert (scene.got(ident), scene.read(peer)) == (("error", "timeout"), data[:3])
    for rule in rules:
        rule.remove()
        scene.run()
    assert (scene.got(ident), scene.read(peer)) == (("ok", data), data[3:])
    assert not isinstance(scene.sock(ident), ControlledStream)


def test_more_comes_while_a_line_lets_go(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(bandwidth(1e6), direction="both")
    sent = bytes(range(250)) * 200
    into, out = b"", b""
    for turn in range(100):
        if turn < 20:
            scene.write(peer, sent)
            assert scene.send(ident, sent).answer == "ok"
        scene.advance(25)
        out += scene.read(peer)
        while (got := scene.got(ident))[0] == "ok":
            into += got[1]
    assert (len(into), len(out)) == (20 * len(sent), 20 * len(sent))
    assert into == out == sent * 20


def test_many_buffers_and_short_writes(scene: Scene) -> None:
    ident, peer = scene.pair()
    hole = scene.fault(blackhole(), direction="send")
    sent = bytes(range(250)) * 1000
    for at in range(0, len(sent), 50_000):
        scene.send(ident, sent[at : at + 50_000])
    rule = scene.fault(short_write(7))
    hole.remove()
    got = b""
    while data := scene.read(peer):
        got += data
    assert got == sent
    assert rule.fired > 1000


@pytest.mark.parametrize("is_closed", [False, True])
def test_the_end_behind_bytes_that_the_peer_takes_late(scene: Scene, is_closed: bool) -> None:
    ident, peer = scene.pair()
    rule = scene.fault(blackhole(), direction="send")
    sent = bytes(range(250)) * 400
    scene.send(ident, sent[:60_000])
    scene.send(ident, sent[60_000:])
    end = scene.close(ident) if is_closed else scene.shutdown(ident, "write")
    rule.remove()
    scene.run()
    assert scene.read(peer) == sent
    assert end.answer == "ok"
    assert peer.recv(1) == b""


def test_pieces_come_while_bytes_that_are_none_are_read(scene: Scene) -> None:
    ident, peer = scene.pair()
    with scene.fault(latency(1), direction="recv"):
        scene.write(peer, bytes(100))
        scene.advance(1)
    scene.fault(slice(1), direction="recv")
    peer.send(b"abcd")  # the poller has not looked yet
    assert scene.request("recv", ident, (0, (0, 0))).answer == ("ok", bytes(100))
    assert [scene.got(ident) for _ in range(5)] == [
        *(("ok", bytes([code])) for code in b"abcd"),
        ("error", "timeout"),
    ]


def test_small_writes_leave_the_others_their_turn(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(short_write(1))
    scene.request("send", ident, bytes(60_000))
    scene.host.poller._look()
    assert len(peer.recv(1 << 20)) < 10_000
    scene.run()
    assert len(scene.read(peer)) > 50_000


def test_slow_close(scene: Scene) -> None:
    ident, peer = scene.pair(active=True)
    scene.fault(slow_close(100), direction="recv")
    scene.write(peer, b"last")
    peer.shutdown(SHUT_WR)
    scene.advance(99)
    assert scene.messages() == [("tcp", ident, b"last")]
    scene.advance(1)
    assert scene.messages() == [("tcp_closed", ident)]


def test_half_open(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(half_open())
    scene.write(peer, b"lost")
    assert scene.got(ident) == ("error", "timeout")
    assert scene.send(ident, b"anybody?").answer == "ok"
    assert scene.got(ident) == ("error", "closed")


def test_down_and_refuse(scene: Scene) -> None:
    ident, _ = scene.pair(active=True)
    _, port = scene.listener()
    with scene.fault(refuse()):
        assert scene.connect(port).answer == ("error", "econnrefused")
        assert scene.messages() == []
    assert scene.connect(port).answer[0] == "ok"
    with scene.fault(down()):
        scene.run()
        assert ("tcp_closed", ident) in scene.messages()
        assert scene.connect(port).answer == ("error", "econnrefused")
    assert scene.connect(port).answer[0] == "ok"


def test_blackhole_at_connect(scene: Scene) -> None:
    _, port = scene.listener()
    rule = scene.fault(blackhole())
    assert scene.connect(port, timeout=0).answer == ("error", "timeout")
    waiting = scene.connect(port)
    scene.advance(60_000)
    assert waiting.answer is None
    rule.remove()
    scene.run()
    assert waiting.answer is not None
    assert waiting.answer[0] == "ok"


def test_when(scene: Scene) -> None:
    _, port = scene.listener(backlog=100)
    for when, expected in ((nth(2), "ABA"), (nth(2, 3), "ABB"), (first(2), "BBA"), (None, "BBB")):
        with scene.fault(error("connect", "ehostunreach"), when=when) as rule:
            answers = [scene.connect(port).answer for _ in range(3)]
        assert "".join("B" if answer == ("error", "ehostunreach") else "A" for answer in answers) == expected
        assert rule.fired == expected.count("B")


def test_periodic(scene: Scene) -> None:
    _, port = scene.listener(backlog=100)
    scene.fault(refuse(), when=periodic(1000, 0.5))
    answers = []
    for _ in range(4):
        answers.append(scene.connect(port).answer[0])
        scene.advance(500)
    assert answers == ["error", "ok", "error", "ok"]


def test_for_ms(scene: Scene) -> None:
    _, port = scene.listener()
    scene.fault(refuse(), for_ms=100)
    assert scene.connect(port).answer[0] == "error"
    scene.advance(100)
    assert scene.connect(port).answer[0] == "ok"
    assert scene.network.rules == []


def _losses(seed: int, *others: Any) -> list[bytes]:
    """What comes of twenty datagrams, half of which are lost."""
    scene = Scene(seed)
    for other in others:
        scene.fault(other)
    scene.fault(loss(0.5), direction="send")
    sender, receiver = scene.open(), scene.open(active=True)
    for number in range(20):
        scene.sendto(sender, scene.port(receiver), bytes([number]))
    return [message[4] for message in scene.messages()]  # type: ignore[index]


def test_dice_are_those_of_the_seed() -> None:
    assert _losses(7) == _losses(7)
    assert _losses(7) != _losses(8)
    assert _losses(7, loss(0), latency(0), reorder(0)) == _losses(7)


def test_probability_of_connections(scene: Scene) -> None:
    def refused(seed: int) -> list[str]:
        scene = Scene(seed)
        _, port = scene.listener(backlog=100)
        scene.fault(refuse(), when=probability(0.5))
        return [scene.connect(port).answer[0] for _ in range(20)]

    assert refused(3) == refused(3)
    assert set(refused(3)) == {"ok", "error"}


def test_short_read_and_eagain(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(short_read(2))
    scene.fault(eagain(3))
    scene.write(peer, b"hello")
    answer = scene.recv(ident, 5)
    assert answer.answer == ("ok", b"hello")
    assert [rule.fired for rule in scene.network.rules] == [2, 9]


def test_a_read_of_nothing_does_not_fail(scene: Scene) -> None:
    """Also not a second read, which finds out that the first one has taken all."""
    ident, peer = scene.pair()
    rule = scene.fault(error("recv", "econnreset"), when=nth(2))
    assert scene.got(ident) == ("error", "timeout")
    scene.write(peer, b"first")
    assert scene.got(ident) == ("ok", b"first")
    assert scene.got(ident) == ("error", "timeout")
    scene.write(peer, b"second")
    assert scene.got(ident) == ("error", "closed")
    assert rule.fired == 1


def test_a_wrong_rule_changes_nothing(scene: Scene) -> None:
    ident, _ = scene.pair()
    for how in ({"proto": "tcp"}, {"prot": "udp"}, {"port": -1}):
        with pytest.raises(ValueError, match=r"\w+ "):
            scene.network.fault(reorder(0.1), **how)
    assert scene.network.rules == []
    assert not isinstance(scene.sock(ident), ControlledStream)


def test_a_periodic_rule_comes_back_to_its_place(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(limit(3), direction="recv", when=periodic(1000, 0.5))
    scene.fault(latency(100))
    scene.advance(1000)
    stages = scene.sock(ident).relay.courses["recv"].stages
    assert [rule.word for rule in stages] == ["limit", "latency"]
    scene.write(peer, b"hello")
    scene.advance(100)
    assert [scene.got(ident), scene.got(ident)] == [("ok", b"hel"), ("error", "closed")]


def test_rules_act_in_the_order_in_which_they_were_added(scene: Scene) -> None:
    ident, peer = scene.pair()
    scene.fault(limit(3), direction="recv")
    scene.fault(latency(100))
    scene.write(peer, b"hello")
    scene.advance(100)
    assert scene.got(ident) == ("ok", b"hel")


def test_rules_of_others_are_removed_by_python(scene: Scene) -> None:
    """Those of the node, too: the node forgets them, and does not give them to the next Python."""
    _, rule = parse_rule((5, {}, Atom("blackhole"), {}))
    scene.network.engine.add(rule, 5, scene.node)
    (found,) = scene.network.rules
    found.remove()
    scene.run()
    assert scene.network.rules == []
    assert scene.link.forgotten == [5]


def test_datagram_sockets_that_are_open_when_the_network_becomes_strict(scene: Scene) -> None:
    sender = scene.open()
    answer = scene.sendto(sender, 9, b"to the system").answer
    scene.network.strict()
    assert scene.sendto(sender, 9, b"to nobody").answer == ("error", "econnrefused") != answer
    assert len(scene.network.failures) == 1
    scene.network.strict(False)
    scene.run()
    assert not isinstance(scene.sock(sender), ControlledDatagram)


@pytest.mark.parametrize("wrong", ["db.example", "", ["10.0.0.1", "10.0.0"], 5])
def test_names_have_ip_addresses(scene: Scene, wrong: Any) -> None:
    with pytest.raises(ValueError, match="a name has IP addresses, not "):
        scene.network.names({"right.example": "10.0.0.1", "wrong.example": wrong})
    assert scene.network.engine.places.is_empty()


def test_what_a_strict_network_has(scene: Scene) -> None:
    """The addresses of names, and the sockets of the node at their own addresses. A port alone is nothing."""
    listener = scene.listen(ip=(127, 0, 0, 1))
    port = scene.port(listener)
    scene.network.names({"db.example": "10.0.0.7"})
    scene.network.strict()
    known = scene.network.engine.is_known
    assert [known(SOCK_STREAM, ip, port) for ip in ("127.0.0.1", "127.0.0.2", "192.0.2.1")] == [
        True,
        False,
        False,
    ]
    assert not known(SOCK_STREAM, "127.0.0.1", port + 1)
    assert known(SOCK_STREAM, "10.0.0.7", 5432)
    scene.close(listener)
    assert not known(SOCK_STREAM, "127.0.0.1", port)
    everywhere = scene.port(scene.listen())
    assert [known(SOCK_STREAM, ip, everywhere) for ip in ("127.0.0.1", "127.0.0.2", "192.0.2.1")] == [
        True,
        True,
        False,
    ]
    assert not known(SOCK_STREAM, "/a/path", None)


EARLY = {
    "reset": (reset(), ["early", "econnreset"]),
    "down": (down(), ["early", "econnreset"]),
    "blackhole": (blackhole(), ["early", "timeout"]),
    "half_open": (half_open(), ["early", "timeout"]),
    "latency": (latency(100), ["early", "timeout"]),
    "limit": (limit(3), ["earlylat", "closed"]),
    "slice": (slice(3), ["early", "lat", "er"]),
}


@pytest.mark.parametrize(("what", "seen"), EARLY.values(), ids=EARLY)
def test_bytes_that_came_before_the_rule(scene: Scene, what: Fault, seen: list[str]) -> None:
    """They are in the buffer of the system, where no fault of the network reaches them."""
    ident, peer = scene.pair(show_econnreset=True)
    scene.write(peer, b"early")
    scene.fault(what)
    if what.word not in ("reset", "down"):
        scene.write(peer, b"later")
    answers = [scene.got(ident)[1] for _ in seen]
    assert [answer.decode() if isinstance(answer, bytes) else answer for answer in answers] == seen


def test_bytes_that_came_before_the_connection_was_accepted(scene: Scene) -> None:
    """The rule was there before them."""
    listener = scene.listen()
    scene.fault(limit(3), role="accepted")
    client = scene.connect(scene.port(listener)).socket
    scene.send(client, b"early")
    accepted = scene.accept(listener).socket
    assert [scene.got(accepted), scene.got(accepted)] == [("ok", b"ear"), ("error", "closed")]
