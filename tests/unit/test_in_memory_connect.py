"""Connecting, and races of connections."""

from __future__ import annotations

from socket import AF_INET6, SOCK_STREAM

from in_memory import OWNER, Bench

HOUR = 3_600_000
V6 = "2001:db8::1"


def test_at_once(bench: Bench) -> None:
    bench.path_listener(b"/here")
    assert bench.connect_path(b"/here").answer == ("ok", 1)


def test_in_progress(bench: Bench) -> None:
    _, port = bench.listener(backlog=0)
    assert bench.connect(port).answer == ("ok", 1)


def test_the_answer_comes_when_the_other_end_has_answered(bench: Bench) -> None:
    """The backlog is full until somebody accepts."""
    listener, port = bench.listener(backlog=0)
    assert bench.connect(port).answer is not None
    second = bench.connect(port)
    bench.advance(HOUR)
    assert second.answer is None
    listener.accept()
    bench.run()
    assert second.answer == ("ok", 2)


def test_refused(bench: Bench) -> None:
    listener, port = bench.listener()
    listener.close()
    assert bench.connect(port).answer == ("error", "econnrefused")
    assert bench.connect_path(b"/nowhere").answer == ("error", "enoent")
    assert bench.sockets == set()


def test_timeout(bench: Bench) -> None:
    bench.host.network.silent.add("192.0.2.1")
    call = bench.connect(80, timeout=5000, ip=(192, 0, 2, 1))
    bench.advance(4999)
    assert call.answer is None
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    assert bench.sockets == set()


def test_infinity(bench: Bench) -> None:
    bench.host.network.silent.add("192.0.2.1")
    call = bench.connect(80, ip=(192, 0, 2, 1))
    bench.advance(HOUR)
    assert call.answer is None
    assert bench.sockets == {1}


def test_the_owner_dies(bench: Bench) -> None:
    bench.host.network.silent.add("192.0.2.1")
    bench.connect(80, ip=(192, 0, 2, 1))
    bench.down(OWNER)
    assert bench.sockets == set()


def test_an_answer_that_comes_too_late(bench: Bench) -> None:
    """This process stood still until after the timeout: the caller has gone."""
    listener, port = bench.listener(backlog=0)
    bench.connect(port)
    call = bench.connect(port, timeout=1000)
    listener.accept()
    bench.host.clock.stand_still(2000)
    assert call.answer == ("error", "timeout")


def test_the_peer_has_gone_again(bench: Bench) -> None:
    listener, port = bench.listener()
    ident = bench.connect(port, active=True).socket
    listener.close()  # nobody has accepted it
    bench.run()
    assert bench.messages() == [("tcp_closed", ident)]


# --- races --------------------------------------------------------------------


def two_addresses(bench: Bench) -> int:
    """A name with an address that is silent, and one that answers. Gives the port."""
    _, port = bench.listener(ip="192.0.2.1")
    bench.host.names["example"] = [V6, "192.0.2.1"]
    bench.host.network.silent.add(V6)
    return port


def test_race_second_address_after_a_quarter_of_a_second(bench: Bench) -> None:
    call = bench.connect_name(b"example", two_addresses(bench))
    bench.advance(249)
    assert call.answer is None
    assert bench.sockets == {1}
    bench.advance(1)
    assert call.answer == ("ok", 2)
    assert bench.sockets == {2}


def test_race_first_address_wins_late(bench: Bench) -> None:
    """Both are under way, and the first answers before the second."""
    port = two_addresses(bench)
    sock = bench.host.open_socket(AF_INET6, SOCK_STREAM)
    sock.bind((V6, port, 0, 0))
    sock.listen(0)
    bench.host.network.silent.clear()
    bench.connect(port, ip=(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1))  # fills the backlog
    bench.host.network.silent.add("192.0.2.1")
    call = bench.connect_name(b"example", port)
    bench.advance(300)
    assert call.answer is None
    assert bench.sockets == {1, 2, 3}
    sock.accept()
    bench.run()
    assert call.answer == ("ok", 2)
    assert bench.sockets == {1, 2}


def test_race_a_refused_address_costs_no_time(bench: Bench) -> None:
    port = two_addresses(bench)
    bench.host.network.silent.clear()
    assert bench.connect_name(b"example", port).answer == ("ok", 2)


def test_race_all_refuse(bench: Bench) -> None:
    bench.host.names["example"] = ["192.0.2.1", V6, "192.0.2.2"]
    assert bench.connect_name(b"example", 80).answer == ("error", "econnrefused")
    assert bench.sockets == set()


def test_race_families_by_turns(bench: Bench) -> None:
    """Of four silent addresses, one more every 250 ms."""
    bench.host.names["example"] = ["192.0.2.1", "192.0.2.2", V6, "192.0.2.3"]
    bench.host.network.silent |= {"192.0.2.1", "192.0.2.2", V6}
    _, port = bench.listener(ip="192.0.2.3")
    call = bench.connect_name(b"example", port)
    for count in (1, 2, 3):
        assert call.answer is None
        assert len(bench.sockets) == count
        bench.advance(250)
    assert call.answer == ("ok", 4)
    assert bench.sockets == {4}


def test_race_timeout(bench: Bench) -> None:
    bench.host.names["example"] = ["192.0.2.1", "192.0.2.2"]
    bench.host.network.silent |= {"192.0.2.1", "192.0.2.2"}
    call = bench.connect_name(b"example", 80, timeout=1000)
    bench.advance(999)
    assert call.answer is None
    assert len(bench.sockets) == 2
    bench.advance(1)
    assert call.answer == ("error", "timeout")
    assert bench.sockets == set()


def test_race_unknown_name(bench: Bench) -> None:
    assert bench.connect_name(b"nowhere", 80).answer == ("error", "nxdomain")
