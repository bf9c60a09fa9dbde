"""Datagrams."""

from __future__ import annotations

from socket import AF_INET, SOCK_DGRAM

import pytest

from in_memory import LOCALHOST, Bench, pid
from inetpy.host.memory_sockets import MemorySocket

SECOND = 1000


def peer_of(bench: Bench) -> tuple[MemorySocket, int]:
    sock = bench.host.open_socket(AF_INET, SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def write(bench: Bench, sock: MemorySocket, ident: int, *datagrams: bytes) -> None:
    port = bench.port(ident)
    for data in datagrams:
        sock.sendto(data, ("127.0.0.1", port))
    bench.run()


def test_there_and_back(bench: Bench) -> None:
    ident = bench.open()
    peer, port = peer_of(bench)
    assert bench.sendto(ident, port, b"ping").answer == "ok"
    data, sender = peer.recvfrom(100)
    assert (data, sender) == (b"ping", ("127.0.0.1", bench.port(ident)))
    peer.sendto(b"pong", sender)
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"pong"))


def test_waits(bench: Bench) -> None:
    ident = bench.open()
    peer, port = peer_of(bench)
    call = bench.recv(ident)
    assert bench.recv(ident).answer == ("error", "ealready")
    write(bench, peer, ident, b"one", b"two")
    assert call.answer == ("ok", (LOCALHOST, port, b"one"))
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"two"))


def test_timeout(bench: Bench) -> None:
    ident = bench.open()
    peer, port = peer_of(bench)
    call = bench.recv(ident, 0, SECOND)
    bench.advance(SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    write(bench, peer, ident, b"late")
    assert bench.recv(ident, 0, 0).answer == ("ok", (LOCALHOST, port, b"late"))
    assert bench.recv(ident, 0, 0).answer == ("error", "timeout")


def test_a_datagram_for_a_caller_that_has_gone_is_kept(bench: Bench) -> None:
    """This process stood still until after the timeout."""
    ident = bench.open()
    peer, port = peer_of(bench)
    to = ("127.0.0.1", bench.port(ident))
    call = bench.recv(ident, 0, SECOND)
    peer.sendto(b"late", to)
    bench.host.clock.stand_still(2 * SECOND)
    assert call.answer == ("error", "timeout")
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"late"))


def test_active(bench: Bench) -> None:
    ident = bench.open(active=True)
    peer, port = peer_of(bench)
    write(bench, peer, ident, *(b"%d" % number for number in range(20)))
    assert bench.messages() == [("udp", ident, LOCALHOST, port, b"%d" % number) for number in range(20)]


def test_once(bench: Bench) -> None:
    ident = bench.open(active="once")
    peer, port = peer_of(bench)
    write(bench, peer, ident, b"one", b"two")
    assert bench.messages() == [("udp", ident, LOCALHOST, port, b"one")]
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"two"))


def test_a_number_of_datagrams(bench: Bench) -> None:
    ident = bench.open(active=2)
    peer, port = peer_of(bench)
    write(bench, peer, ident, b"one", b"two", b"three")
    assert bench.messages() == [
        ("udp", ident, LOCALHOST, port, b"one"),
        ("udp", ident, LOCALHOST, port, b"two"),
        ("udp_passive", ident),
    ]
    bench.setopts(ident, active="once")
    assert bench.messages() == [("udp", ident, LOCALHOST, port, b"three")]


def test_cut_to_the_buffer(bench: Bench) -> None:
    ident = bench.open(buffer=10)
    peer, port = peer_of(bench)
    write(bench, peer, ident, b"a" * 30, b"b")
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"a" * 10))
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"b"))


def test_connected(bench: Bench) -> None:
    """Datagrams of others do not come."""
    ident = bench.open()
    peer, port = peer_of(bench)
    other, _ = peer_of(bench)
    assert bench.ask("connect", ident, (LOCALHOST, port)).answer == "ok"
    write(bench, other, ident, b"no")
    write(bench, peer, ident, b"yes")
    assert bench.recv(ident).answer == ("ok", (LOCALHOST, port, b"yes"))


def test_refused(bench: Bench) -> None:
    ident = bench.open()
    peer, port = peer_of(bench)
    peer.close()
    assert bench.sendto(ident, port, b"lost").answer == "ok"
    assert bench.recv(ident, 0, 0).answer == ("error", "timeout")
    assert bench.ask("connect", ident, (LOCALHOST, port)).answer == "ok"
    assert bench.sendto(ident, port, b"lost").answer == "ok"
    assert bench.recv(ident).answer == ("error", "econnrefused")


def test_refused_while_active(bench: Bench) -> None:
    ident = bench.open(active=True)
    peer, port = peer_of(bench)
    peer.close()
    bench.ask("connect", ident, (LOCALHOST, port))
    bench.sendto(ident, port, b"lost")
    assert bench.messages() == [("udp_error", ident, "econnrefused")]


def test_close(bench: Bench) -> None:
    ident = bench.open()
    call = bench.recv(ident)
    assert bench.close(ident).answer == "ok"
    assert call.answer == ("error", "closed")


def test_the_owner_dies(bench: Bench) -> None:
    ident = bench.open()
    port = bench.port(ident)
    bench.down(pid(1))
    assert bench.sockets == set()
    peer, _ = peer_of(bench)
    peer.connect(("127.0.0.1", port))
    peer.send(b"lost")
    with pytest.raises(ConnectionRefusedError):
        peer.send(b"lost")


def test_what_is_there_before_the_call_is_no_timeout(bench: Bench) -> None:
    """As with connections: the timer may run before the next look of the poller."""
    ident = bench.open()
    peer, port = peer_of(bench)
    bench.recv(ident)
    write(bench, peer, ident, b"one")
    peer.sendto(b"two", ("127.0.0.1", bench.port(ident)))
    call = bench.request("recv", ident, (0, (1, 0)))
    waiting = bench.session.waiting[call.ref]
    assert waiting.timer is not None
    waiting.timer.callback()  # type: ignore[attr-defined]
    assert call.answer == ("ok", (LOCALHOST, port, b"two"))
