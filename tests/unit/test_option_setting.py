"""Options whose setting is more than an assignment."""

from __future__ import annotations

import pytest
from option_target import FakeDatagramSocket, FakeSocket, pair

from inetpy import options
from inetpy.codec.terms import Atom, Charlist
from inetpy.wire import active

TRUE, FALSE = Atom("true"), Atom("false")


def test_active() -> None:
    target = FakeSocket()
    target.set(pair("active", 5))
    assert (target.active, target.active_count) == (active.MULTI, 5)
    assert target.get(Atom("active")) == [pair("active", 5)]
    target.set(pair("active", Atom("once")))
    assert target.get(Atom("active")) == [pair("active", Atom("once"))]


def test_buffer() -> None:
    """A larger kernel buffer enlarges ours, until `buffer` is set."""
    target = FakeSocket()
    for recbuf, buffer in ((5000, 5000), (2000, 5000), (100_000, 100_000)):
        target.set(pair("recbuf", recbuf))
        assert target.options.buffer == buffer
    target.set(pair("buffer", 0))
    target.set(pair("recbuf", 5000))
    assert target.options.buffer == 1


def test_buffer_of_datagrams() -> None:
    """No datagram is larger than 64 KB."""
    target = FakeDatagramSocket()
    for recbuf, buffer in ((100_000, 65536), (5000, 65536)):
        target.set(pair("recbuf", recbuf))
        assert target.options.buffer == buffer
    target.set(pair("buffer", 100_000), pair("recbuf", 5000))
    assert target.options.buffer == 100_000
    target.set(pair("recbuf", 200_000))
    assert target.options.buffer == 100_000


@pytest.mark.parametrize("name", ["watermark", "msgq_watermark"])
def test_watermarks(name: str) -> None:
    """The low one is never above the high one."""
    target = FakeSocket()
    high, low = f"high_{name}", f"low_{name}"
    target.set(pair(high, 1000))
    assert target.get(Atom(high), Atom(low)) == [pair(high, 1000), pair(low, 1000)]
    target.set(pair(low, 2000))
    assert target.get(Atom(high), Atom(low)) == [pair(high, 2000), pair(low, 2000)]


@pytest.mark.parametrize("value", [0, -1])
def test_no_message_limit(value: int) -> None:
    with pytest.raises(options.OptionError):
        FakeSocket().set(pair("high_msgq_watermark", value))
    FakeSocket().set(pair("high_watermark", value))


def test_read_packets() -> None:
    """Without effect on streams."""
    stream, datagram = FakeSocket(), FakeDatagramSocket()
    stream.set(pair("read_packets", 0))
    assert stream.get(Atom("read_packets")) == []
    datagram.set(pair("read_packets", 3))
    assert datagram.get(Atom("read_packets")) == [pair("read_packets", 3)]
    with pytest.raises(options.OptionError):
        datagram.set(pair("read_packets", 0))


def test_of_streams_only() -> None:
    datagram = FakeDatagramSocket()
    datagram.set(pair("send_timeout", 5))
    assert datagram.options.send_timeout is None
    assert datagram.get(Atom("send_timeout")) == []


def test_priority() -> None:
    target = FakeSocket()
    target.set(pair("priority", 3))
    assert target.options.priority_set


def test_exclusiveaddruse() -> None:
    target = FakeSocket()
    target.set(pair("exclusiveaddruse", TRUE))
    assert target.get(Atom("exclusiveaddruse")) == [pair("exclusiveaddruse", FALSE)]


def test_netns() -> None:
    target = FakeSocket()
    target.set(pair("netns", b"/there"))
    assert target.get(Atom("netns")) == [pair("netns", Charlist(b"/there"))]
