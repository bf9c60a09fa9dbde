"""Accepting: callers in a queue, timeouts, and callers that die."""

from __future__ import annotations

import errno
from socket import AF_INET, SO_ERROR, SOCK_STREAM, SOL_SOCKET

import pytest

from in_memory import OWNER, Bench, pid
from inetpy.host.memory_sockets import MemorySocket

SECOND = 1000


def connect(bench: Bench, listener: int) -> MemorySocket:
    sock = bench.host.open_socket(AF_INET, SOCK_STREAM)
    with pytest.raises(BlockingIOError):
        sock.connect(("127.0.0.1", bench.port(listener)))
    bench.run()
    return sock


def test_a_connection_that_is_there(bench: Bench) -> None:
    listener = bench.listen()
    peer = connect(bench, listener)
    ident = bench.accept(listener, 0).socket
    bench.send(ident, b"hello")
    assert peer.recv(10) == b"hello"


def test_a_connection_that_comes(bench: Bench) -> None:
    listener = bench.listen()
    call = bench.accept(listener)
    assert call.answer is None
    connect(bench, listener)
    assert call.socket in bench.sockets


def test_timeout(bench: Bench) -> None:
    listener = bench.listen()
    call = bench.accept(listener, SECOND)
    bench.advance(SECOND - 1)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    connect(bench, listener)
    assert bench.accept(listener, 0).answer[0] == "ok"
    assert bench.accept(listener, 0).answer == ("error", "timeout")


def test_in_the_order_of_the_callers(bench: Bench) -> None:
    listener = bench.listen()
    calls = [bench.accept(listener, timeout) for timeout in (-1, SECOND, -1)]
    connect(bench, listener)
    assert [call.answer is None for call in calls] == [False, True, True]
    bench.advance(SECOND)
    connect(bench, listener)
    assert calls[1].answer == ("error", "timeout")
    assert calls[2].answer[0] == "ok"


def test_a_dead_caller_takes_no_connection(bench: Bench) -> None:
    listener = bench.listen()
    dead = bench.accept(listener, owner=pid(2))
    alive = bench.accept(listener, owner=pid(3))
    bench.down(pid(2))
    connect(bench, listener)
    assert dead.answer is None
    assert alive.answer[0] == "ok"


def test_a_caller_whose_time_is_over_takes_no_connection(bench: Bench) -> None:
    """This process stood still, and finds the connection before the timer."""
    listener = bench.listen()
    port = bench.port(listener)
    late, patient = bench.accept(listener, SECOND), bench.accept(listener)
    sock = bench.host.open_socket(AF_INET, SOCK_STREAM)
    with pytest.raises(BlockingIOError):
        sock.connect(("127.0.0.1", port))
    bench.host.clock.stand_still(2 * SECOND)
    assert late.answer == ("error", "timeout")
    assert patient.answer[0] == "ok"


def test_the_owner_of_a_connection_dies(bench: Bench) -> None:
    listener = bench.listen()
    peer = connect(bench, listener)
    ident = bench.accept(listener, owner=pid(2)).socket
    bench.down(pid(2))
    assert bench.sockets == {listener}
    assert ident != listener
    assert peer.recv(1) == b""


def test_close(bench: Bench) -> None:
    listener = bench.listen()
    call = bench.accept(listener)
    assert bench.close(listener).answer == "ok"
    assert call.answer == ("error", "closed")


def test_connections_that_nobody_has_accepted(bench: Bench) -> None:
    listener = bench.listen(backlog=0)
    first, second = connect(bench, listener), connect(bench, listener)
    bench.down(OWNER)
    assert first.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNRESET
    assert second.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNREFUSED


def test_what_a_connection_has_of_its_listener(bench: Bench) -> None:
    listener = bench.listen(active=True, packet=2)
    peer = connect(bench, listener)
    peer.send(b"\0\3abc")
    ident = bench.accept(listener).socket
    assert bench.messages() == [("tcp", ident, b"abc")]
