"""Sending: watermarks, timeouts, and closing while bytes wait."""

from __future__ import annotations

import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest
from hypothesis import given, strategies as st

from in_memory import OWNER, Bench
from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom
from inetpy.host.memory_sockets import MemorySocket

SECOND = 1000
LINGER_NOW = struct.pack("ii", 1, 0)


@pytest.fixture
def bench(only_memory: None) -> Bench:
    """Connections that hold 1,000 bytes."""
    return Bench(capacity=1000)


def full(bench: Bench, **options: object) -> tuple[int, MemorySocket]:
    """A connection that takes no more; 1,000 bytes are with the peer, and 1,000 wait."""
    ident, peer = bench.pair(high_watermark=2000, low_watermark=500, **options)
    assert bench.send(ident, b"a" * 2000).answer == "ok"
    return ident, peer


def test_arrives(bench: Bench) -> None:
    ident, peer = bench.pair()
    assert bench.send(ident, b"abc").answer == "ok"
    assert peer.recv(10) == b"abc"


def test_packet_header(bench: Bench) -> None:
    ident, peer = bench.pair(packet=2)
    assert bench.send(ident, b"abc").answer == "ok"
    assert peer.recv(10) == b"\0\3abc"


def test_queued_below_the_high_watermark(bench: Bench) -> None:
    ident, peer = full(bench)
    assert bench.send(ident, b"b" * 999).answer == "ok"
    assert bench.read(peer) == b"a" * 2000 + b"b" * 999


def test_busy_from_the_high_to_the_low_watermark(bench: Bench) -> None:
    ident, peer = full(bench)
    call = bench.send(ident, b"b" * 1000)
    assert call.answer is None
    assert peer.recv(1000) == b"a" * 1000
    bench.run()
    assert call.answer is None  # 1,000 bytes wait, still
    assert peer.recv(499) == b"a" * 499
    bench.run()
    assert call.answer is None
    assert peer.recv(1) == b"a"
    bench.run()
    assert call.answer == "ok"
    assert bench.read(peer) == b"a" * 500 + b"b" * 1000


def test_a_sender_behind_a_busy_one(bench: Bench) -> None:
    ident, peer = full(bench)
    first, second, third = (bench.send(ident, letter * 1000) for letter in (b"b", b"c", b"d"))
    assert [call.answer for call in (first, second, third)] == [None, None, None]
    assert bench.read(peer) == b"".join(letter * 1000 for letter in (b"a", b"a", b"b", b"c", b"d"))
    assert [call.answer for call in (first, second, third)] == ["ok", "ok", "ok"]


def test_send_timeout(bench: Bench) -> None:
    ident, peer = full(bench, send_timeout=2 * SECOND)
    call = bench.send(ident, b"b" * 1000)
    bench.advance(2 * SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    assert bench.read(peer) == b"a" * 2000 + b"b" * 1000


def test_send_timeout_close(bench: Bench) -> None:
    ident, peer = full(bench, send_timeout=SECOND, send_timeout_close=True)
    call = bench.send(ident, b"b" * 1000)
    bench.advance(SECOND)
    assert call.answer == ("error", "timeout")
    assert bench.send(ident, b"c").answer == ("error", "enotconn")
    assert bench.read(peer) == b"a" * 1000


def test_delay_send(bench: Bench) -> None:
    ident, peer = bench.pair(delay_send=True)
    call = bench.request("send", ident, b"abc")
    assert call.answer == "ok"
    with pytest.raises(BlockingIOError):
        peer.recv(10)
    bench.run()
    assert peer.recv(10) == b"abc"


def test_the_peer_has_gone(bench: Bench) -> None:
    ident, peer = bench.pair()
    peer.close()
    bench.send(ident, b"abc")
    assert bench.send(ident, b"abc").answer == ("error", "closed")
    assert bench.send(ident, b"abc").answer == ("error", "enotconn")


def test_the_peer_goes_while_a_sender_waits(bench: Bench) -> None:
    ident, peer = full(bench)
    call = bench.send(ident, b"b" * 1000)
    peer.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_NOW)
    peer.close()
    bench.run()
    assert call.answer == ("error", "closed")


def test_shutdown_waits_for_the_queue(bench: Bench) -> None:
    ident, peer = full(bench)
    assert bench.shutdown(ident, "write").answer == "ok"
    assert bench.read(peer) == b"a" * 2000
    assert peer.recv(1) == b""
    assert bench.send(ident, b"b").answer == ("error", "closed")


def test_file(bench: Bench) -> None:
    ident, peer = bench.pair()
    bench.host.descriptors[7] = bytes(range(256)) * 20
    call = bench.ask("sendfile", ident, (OWNER, 7, 100, 4000))
    assert call.answer is None
    assert bench.read(peer) == (bytes(range(256)) * 20)[100:4100]
    assert call.answer == ("ok", 4000)


# --- closing ------------------------------------------------------------------


def test_close_waits_for_the_queue(bench: Bench) -> None:
    ident, peer = full(bench)
    call = bench.close(ident)
    assert call.answer is None
    assert bench.read(peer) == b"a" * 2000
    assert call.answer == "ok"
    assert peer.recv(1) == b""


def test_close_of_a_queue_that_stands_still(bench: Bench) -> None:
    ident, peer = full(bench)
    call = bench.close(ident)
    bench.advance(5 * SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == "ok"
    assert bench.read(peer) == b"a" * 2000  # what is queued is sent all the same
    assert peer.recv(1) == b""


def test_close_of_a_queue_that_gets_shorter(bench: Bench) -> None:
    """If it has got shorter once, close waits for three minutes: so does prim_inet:close_pend_loop/3."""
    ident, peer = full(bench)
    call = bench.close(ident)
    peer.recv(100)
    bench.advance(180 * SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == "ok"


def test_close_waits_as_long_as_linger_says(bench: Bench) -> None:
    ident, peer = full(bench, linger=(True, 2))
    call = bench.close(ident)
    bench.advance(2 * SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == "ok"
    assert bench.read(peer) == b"a" * 2000


def test_close_drops_the_queue(bench: Bench) -> None:
    ident, peer = full(bench, linger=(True, 0))
    assert bench.close(ident).answer == "ok"
    assert peer.recv(2000) == b"a" * 1000
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_the_owner_dies_while_bytes_wait(bench: Bench) -> None:
    _, peer = full(bench)
    bench.down(OWNER)
    assert bench.sockets == set()
    assert bench.read(peer) == b"a" * 2000
    assert peer.recv(1) == b""


# --- any sizes ------------------------------------------------------------------

SIZES = st.lists(st.integers(0, 400), max_size=12)


@given(sends=SIZES, reads=SIZES, high=st.integers(0, 300), low=st.integers(0, 300))
def test_any_sizes(sends: list[int], reads: list[int], high: int, low: int) -> None:
    """Each send is answered in the end, and each byte arrives once, in order."""
    bench = Bench(capacity=100)
    ident, peer = bench.pair(high_watermark=high, low_watermark=low)
    calls, sent, received = [], b"", b""
    for number, size in enumerate(sends):
        data = bytes((number,)) * size
        calls.append(bench.send(ident, data))
        sent += data
        if reads and reads[0]:
            try:
                received += peer.recv(reads[0])
            except BlockingIOError:
                pass
            bench.run()
        reads = reads[1:]
    received += bench.read(peer)
    assert received == sent
    assert [call.answer for call in calls] == ["ok"] * len(calls)


def send_early(bench: Bench, ident: int, *pieces: bytes) -> None:
    """Sends whose callers have had their answer."""
    for piece in pieces:
        bench.dispatcher.handle_frame(encode((Atom("early"), ident, piece)))
    bench.dispatcher.settle()


def test_early_sends_behind_a_busy_one(bench: Bench) -> None:
    """Each is a packet of its own, and in its place."""
    ident, peer = bench.pair(packet=1, high_watermark=2000, low_watermark=500)
    calls = [bench.send(ident, b"a" * 200) for _ in range(20)]
    assert calls[-1].answer is None
    send_early(bench, ident, b"one", b"", b"three")
    assert bench.read(peer).count(b"\3one\0\5three") == 1
    assert calls[-1].answer == "ok"


def test_close_behind_early_sends(bench: Bench) -> None:
    """What has been answered `ok` comes, although another sender was busy."""
    ident, peer = full(bench)
    bench.send(ident, b"b" * 1000)
    send_early(bench, ident, b"early")
    bench.close(ident)
    assert bench.read(peer) == b"a" * 2000 + b"b" * 1000 + b"early"
