"""Receiving: passive and active sockets, packets, timeouts, and the end of a connection."""

from __future__ import annotations

import struct
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET

import pytest
from hypothesis import given, strategies as st

from in_memory import Bench, Call
from inetpy.host.memory_sockets import MemorySocket

SECOND = 1000


def reset(peer: MemorySocket) -> None:
    peer.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def answers(calls: list[Call]) -> list[object]:
    return [call.answer for call in calls]


# --- passive ------------------------------------------------------------------


def test_what_there_is(bench: Bench) -> None:
    ident, peer = bench.pair()
    peer.send(b"abc")
    assert bench.recv(ident).answer == ("ok", b"abc")


def test_waits_for_data(bench: Bench) -> None:
    ident, peer = bench.pair()
    call = bench.recv(ident)
    assert call.answer is None
    peer.send(b"abc")
    bench.run()
    assert call.answer == ("ok", b"abc")


def test_length(bench: Bench) -> None:
    ident, peer = bench.pair()
    peer.send(b"ab")
    call = bench.recv(ident, 5)
    bench.write(peer, b"cd")
    assert call.answer is None
    bench.write(peer, b"efgh")
    assert call.answer == ("ok", b"abcde")
    assert bench.recv(ident, 3).answer == ("ok", b"fgh")


def test_timeout(bench: Bench) -> None:
    ident, peer = bench.pair()
    call = bench.recv(ident, 0, 5 * SECOND)
    bench.advance(5 * SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    peer.send(b"late")
    bench.run()
    assert bench.recv(ident, 0, 0).answer == ("ok", b"late")
    assert bench.recv(ident, 0, 0).answer == ("error", "timeout")


def test_half_of_a_length_stays(bench: Bench) -> None:
    ident, peer = bench.pair()
    call = bench.recv(ident, 4, SECOND)
    bench.write(peer, b"ab")
    bench.advance(SECOND)
    assert call.answer == ("error", "timeout")
    assert bench.recv(ident).answer == ("ok", b"ab")


def test_data_for_a_caller_that_has_gone_is_kept(bench: Bench) -> None:
    """This process stood still until after the timeout."""
    ident, peer = bench.pair()
    call = bench.recv(ident, 0, SECOND)
    peer.send(b"abc")
    bench.host.clock.stand_still(2 * SECOND)
    assert call.answer == ("error", "timeout")
    assert bench.recv(ident).answer == ("ok", b"abc")


def test_one_caller_at_a_time(bench: Bench) -> None:
    ident, peer = bench.pair()
    first = bench.recv(ident)
    assert bench.recv(ident).answer == ("error", "ealready")
    peer.send(b"abc")
    bench.run()
    assert first.answer == ("ok", b"abc")


def test_a_caller_that_has_given_up_is_in_nobodys_way(bench: Bench) -> None:
    ident, peer = bench.pair()
    late = bench.recv(ident, 0, SECOND)
    bench.host.clock.milliseconds += 2 * SECOND  # the next request comes before the timer
    assert bench.recv(ident, 0, SECOND).answer is None
    assert late.answer == ("error", "timeout")
    peer.send(b"abc")
    bench.run()


def test_active_sockets_have_no_recv(bench: Bench) -> None:
    ident, _ = bench.pair(active=True)
    assert bench.recv(ident).answer == ("error", "einval")


def test_closed_by_the_owner(bench: Bench) -> None:
    ident, _ = bench.pair()
    call = bench.recv(ident)
    assert bench.close(ident).answer == "ok"
    assert call.answer == ("error", "closed")


# --- packets ------------------------------------------------------------------


def test_packets_with_a_length(bench: Bench) -> None:
    ident, peer = bench.pair(packet=4)
    call = bench.recv(ident)
    for byte in b"\0\0\0\3abc\0\0":
        assert call.answer is None or byte == 0
        bench.write(peer, bytes((byte,)))
    assert call.answer == ("ok", b"abc")
    bench.write(peer, b"\0\0")
    assert bench.recv(ident).answer == ("ok", b"")


def test_lines(bench: Bench) -> None:
    ident, peer = bench.pair(packet="line", active=True)
    bench.write(peer, b"one\ntw")
    assert bench.messages() == [("tcp", ident, b"one\n")]
    bench.write(peer, b"o\nthree\n")
    assert bench.messages() == [("tcp", ident, b"two\n"), ("tcp", ident, b"three\n")]


def test_a_packet_that_is_too_large(bench: Bench) -> None:
    ident, peer = bench.pair(packet=2, packet_size=10)
    bench.write(peer, b"\0\x0b")
    assert bench.recv(ident).answer == ("error", "emsgsize")


# --- active -------------------------------------------------------------------


def test_active(bench: Bench) -> None:
    ident, peer = bench.pair(active=True)
    bench.write(peer, b"one")
    bench.write(peer, b"two")
    assert bench.messages() == [("tcp", ident, b"one"), ("tcp", ident, b"two")]


def test_once(bench: Bench) -> None:
    ident, peer = bench.pair(active="once", packet=1)
    bench.write(peer, b"\1a\1b")
    assert bench.messages() == [("tcp", ident, b"a")]
    assert bench.setopts(ident, active="once").answer == "ok"
    assert bench.messages() == [("tcp", ident, b"b")]
    assert bench.setopts(ident, active="once").answer == "ok"
    assert bench.messages() == []
    bench.write(peer, b"\1c")
    assert bench.messages() == [("tcp", ident, b"c")]
    assert bench.recv(ident, 0, 0).answer == ("error", "timeout")


def test_a_number_of_packets(bench: Bench) -> None:
    ident, peer = bench.pair(active=2, packet=1)
    bench.write(peer, b"\1a\1b\1c")
    assert bench.messages() == [("tcp", ident, b"a"), ("tcp", ident, b"b"), ("tcp_passive", ident)]
    assert bench.recv(ident).answer == ("ok", b"c")


def test_made_passive_in_time(bench: Bench) -> None:
    ident, peer = bench.pair(active=True)
    bench.setopts(ident, active=False)
    bench.write(peer, b"abc")
    assert bench.messages() == []
    assert bench.recv(ident).answer == ("ok", b"abc")


def test_many_packets_at_once(bench: Bench) -> None:
    """More than are delivered in one turn."""
    ident, peer = bench.pair(active=True, packet=1)
    bench.write(peer, b"\1x" * 500)
    assert bench.messages() == [("tcp", ident, b"x")] * 500


# --- the end ------------------------------------------------------------------


def test_half_close(bench: Bench) -> None:
    """The peer has no more to send, and gets what comes."""
    ident, peer = bench.pair(exit_on_close=False)
    peer.send(b"last")
    peer.shutdown(SHUT_WR)
    assert bench.recv(ident).answer == ("ok", b"last")
    assert bench.recv(ident).answer == ("error", "closed")
    assert bench.send(ident, b"answer").answer == "ok"
    assert bench.read(peer) == b"answer"


def test_end_while_waiting(bench: Bench) -> None:
    ident, peer = bench.pair()
    call = bench.recv(ident, 5)
    bench.write(peer, b"abc")
    peer.close()
    bench.run()
    assert call.answer == ("error", "closed")


@pytest.mark.parametrize("exit_on_close", [True, False])
def test_end_of_an_active_socket(bench: Bench, exit_on_close: bool) -> None:
    ident, peer = bench.pair(active=True, exit_on_close=exit_on_close)
    peer.send(b"last")
    peer.close()
    bench.run()
    assert bench.messages() == [("tcp", ident, b"last"), ("tcp_closed", ident)]
    assert bench.sockets == (set() if exit_on_close else {ident})


def test_reset(bench: Bench) -> None:
    ident, peer = bench.pair()
    call = bench.recv(ident)
    reset(peer)
    bench.run()
    assert call.answer == ("error", "closed")


def test_reset_shown(bench: Bench) -> None:
    ident, peer = bench.pair(show_econnreset=True)
    call = bench.recv(ident)
    reset(peer)
    bench.run()
    assert call.answer == ("error", "econnreset")
    ident, peer = bench.pair(show_econnreset=True, active=True)
    reset(peer)
    bench.run()
    assert bench.messages() == [("tcp_error", ident, "econnreset"), ("tcp_closed", ident)]


# --- any bytes, in any pieces ---------------------------------------------------

PIECES = st.lists(st.binary(max_size=40), max_size=12)


@given(pieces=PIECES, lengths=st.lists(st.integers(0, 50), max_size=12))
def test_any_lengths(pieces: list[bytes], lengths: list[int]) -> None:
    """Whatever callers ask for, and however it comes: each byte is received once, in order."""
    bench = Bench()
    ident, peer = bench.pair()
    waiting, received, steps = b"", b"", [*pieces]
    for length in lengths:
        call = bench.recv(ident, length, SECOND)
        if call.answer is None and steps:
            bench.write(peer, steps[0])
            waiting += steps.pop(0)
        bench.advance(SECOND)
        match call.answer:
            case ("ok", data):
                assert len(data) == length or length == 0
                received += data
            case other:
                assert other == ("error", "timeout")
    for piece in steps:
        bench.write(peer, piece)
        waiting += piece
    peer.close()
    while (answer := bench.recv(ident).answer)[0] == "ok":
        received += answer[1]
    assert received == waiting


@given(
    packets=st.lists(st.binary(max_size=20), max_size=8),
    cuts=st.lists(st.integers(1, 9), min_size=1),
    active=st.sampled_from([False, True, "once", 3]),
)
def test_any_cuts(packets: list[bytes], cuts: list[int], active: object) -> None:
    """The packets come out as they went in, wherever the stream is cut, in each mode."""
    bench = Bench()
    ident, peer = bench.pair(active=active, packet=2)
    stream = b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)
    received: list[object] = []

    def collect() -> None:
        """Takes what has been delivered, and makes it go on."""
        while True:
            found = bench.messages()
            received.extend(message[2] for message in found if message[0] == "tcp")  # type: ignore[index]
            if active is False:
                answer = bench.recv(ident, 0, 0).answer
                if answer[0] == "error":
                    return
                received.append(answer[1])
            elif active is True or not found:
                return
            elif active == "once" or ("tcp_passive", ident) in found:
                assert bench.setopts(ident, active=active).answer == "ok"

    at = 0
    for cut in cuts * (len(stream) + 1):
        bench.write(peer, stream[at : at + cut])
        collect()
        at += cut
        if at >= len(stream):
            break
    collect()
    assert received == packets


def test_what_is_there_before_the_call_is_no_timeout(bench: Bench) -> None:
    """While the poller looks at a socket, recv does not read itself. Its timer may run before the next look:
    with uvloop it does when what came with the request took longer than the timeout.
    """
    ident, peer = bench.pair()
    first = bench.recv(ident)
    bench.write(peer, b"one")  # from here on the poller looks
    peer.send(b"two")
    second = bench.request("recv", ident, (0, (1, 0)))
    waiting = bench.session.waiting[second.ref]
    assert waiting.timer is not None
    waiting.timer.callback()  # type: ignore[attr-defined]
    assert answers([first, second]) == [("ok", b"one"), ("ok", b"two")]


def test_part_of_what_is_asked_for_is_a_timeout(bench: Bench) -> None:
    ident, peer = bench.pair()
    bench.recv(ident)
    bench.write(peer, b"one")
    peer.send(b"two")
    second = bench.request("recv", ident, (5, (1, 0)))
    waiting = bench.session.waiting[second.ref]
    assert waiting.timer is not None
    waiting.timer.callback()  # type: ignore[attr-defined]
    assert second.answer == ("error", "timeout")
    assert bench.recv(ident, 3).answer == ("ok", b"two")
