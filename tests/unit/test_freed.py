"""A closed socket is freed at once, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from in_memory import OWNER, Bench


@pytest.fixture(autouse=True)
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_closed_stream(bench: Bench) -> None:
    """Also after it has sent and received, in both modes."""
    ident, peer = bench.pair()
    bench.recv(ident)
    bench.write(peer, b"hello")
    bench.setopts(ident, active=True)
    bench.write(peer, b"hello")
    bench.send(ident, b"hello")
    stream: weakref.ref[Any] = weakref.ref(bench.session.sockets[ident])
    bench.close(ident)
    bench.session.newest = None
    bench.run()
    assert stream() is None


def test_stream_that_is_flushed(bench: Bench) -> None:
    ident, peer = bench.pair()
    bench.send(ident, bytes(1 << 18))
    stream: weakref.ref[Any] = weakref.ref(bench.session.sockets[ident])
    bench.session.newest = None
    bench.down(OWNER)
    bench.read(peer)
    assert stream() is None


@pytest.mark.parametrize("kind", ["listen", "open"])
def test_other_kinds(bench: Bench, kind: str) -> None:
    ident = getattr(bench, kind)()
    handle: weakref.ref[Any] = weakref.ref(bench.session.sockets[ident])
    bench.close(ident)
    bench.session.newest = None
    assert handle() is None
