"""What must not get slower unnoticed. Counts, which are the same on every machine, and one ratio
with room for any noise; what it really takes, `make bench` and `make bench-codec` measure."""

from __future__ import annotations

import timeit
from collections.abc import Iterator
from functools import partial

import erlang
import pytest

from in_process import OWNER, REF, Bench, sessions
from inetpy.codec import implementation
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom
from inetpy.sockets.tcp.stream import Stream


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with sessions() as bench:
        yield bench


# Request, its arguments, and how many calls it may take: some more than it took when this was written.
# More means a detour on the hot path.
REQUESTS = [
    ("sockname", [], 30),
    ("getopts", [Atom("nodelay"), Atom("active")], 48),
    ("send", bytes(64), 28),
    ("recv", (0, 0), 42),
]


@pytest.mark.skipif(implementation.compiled is None, reason="the pure codec calls more")
@pytest.mark.parametrize(("op", "args", "most"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_calls_of_a_request(bench: Bench, op: str, args: object, most: int) -> None:
    bench.ask(op, bench.client, args)  # the first one fills caches
    bench.ask("send", bench.server, bytes(64))
    taken = bench.called(op, bench.client, args)
    print(op, len(taken))
    assert len(taken) <= most


def test_a_recv_that_waits_asks_the_system_nothing(bench: Bench) -> None:
    """Where the last look has found nothing, the next one tells. A recv with timeout 0 reads."""
    client = bench.session.sockets[bench.client]
    assert isinstance(client, Stream)
    assert client.sock is not None
    while bench.ask("recv", bench.server, (0, 0)) != (Atom("error"), Atom("timeout")):
        pass  # what other tests have left
    assert bench.ask("recv", bench.server, (0, -1)) is None  # from here on the poller looks
    client.sock.send(b"one")
    assert bench.wait() == (Atom("ok"), b"one")
    assert "socket.recv" not in bench.called("recv", bench.server, (0, -1))
    client.sock.send(b"two")
    assert bench.wait() == (Atom("ok"), b"two")
    assert "socket.recv" in bench.called("recv", bench.server, (0, 0))
    assert bench.link.term(REF.raw) == (Atom("error"), Atom("timeout"))


@pytest.mark.skipif(implementation.compiled is None, reason="there is no compiled codec")
def test_compiled_codec_is_quick() -> None:
    """Twenty times as fast as erlang-py when this was written; a quarter of that is a fault."""
    request = encode((Atom("recv"), 12, REF, (OWNER, 5000)))
    theirs = erlang.binary_to_term(request)
    ours = decode(request)
    for quick, slow in (
        (partial(decode, request), partial(erlang.binary_to_term, request)),
        (partial(encode, ours), partial(erlang.term_to_binary, theirs)),
    ):
        assert 5 * min(timeit.repeat(quick, number=2000, repeat=7)) < min(
            timeit.repeat(slow, number=2000, repeat=7)
        )
