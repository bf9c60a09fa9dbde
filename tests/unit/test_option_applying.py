"""Lists of options, on a socket without a system: what they set, and what getopts answers."""

from __future__ import annotations

import socket

import pytest
from option_target import FakeSocket, pair

from inetpy import options
from inetpy.codec.terms import Atom, ImproperList

TRUE, RAW = Atom("true"), Atom("raw")


def test_from_the_end() -> None:
    """The first of two values of a name is the one that stays."""
    target = FakeSocket()
    target.set(pair("packet_size", 1), Atom("binary"), pair("packet_size", 2))
    assert target.get(Atom("packet_size"), Atom("mode")) == [
        pair("packet_size", 1),
        pair("mode", Atom("binary")),
    ]


@pytest.mark.parametrize(
    "terms",
    [
        Atom("x"),
        [pair("nonsense", 1)],
        [pair("packet", 3)],
        [pair("pktoptions", [])],  # to be read only
        [Atom("packet")],
        [(Atom("packet"),)],
        [(Atom("packet"), 1, 2)],
        [(1, 2)],
        [[RAW, 6, 1, b""]],
        [(RAW, [6, 1, b""])],
        [(RAW, 6, 1)],
        ImproperList([Atom("x")], 1),
    ],
)
def test_refused_list(terms: object) -> None:
    with pytest.raises(options.OptionError):
        options.parse_settings(options.STREAM, terms)


def test_improper_list() -> None:
    """The stock functions fail behind its elements."""
    with pytest.raises(ValueError, match="improper") as caught:
        options.parse_settings(options.STREAM, ImproperList([Atom("binary")], 1))
    assert not isinstance(caught.value, options.OptionError)


def test_until_one_fails() -> None:
    target = FakeSocket()
    target.refuses = True
    with pytest.raises(options.OptionError):
        target.set(pair("packet_size", 1), pair("priority", 1), pair("header", 2))
    assert (target.options.packet_size, target.options.header) == (0, 2)


def test_until_the_socket_is_closed() -> None:
    target = FakeSocket()
    target.closes = True
    target.set(pair("packet_size", 1), pair("active", TRUE), pair("header", 2))
    assert (target.options.packet_size, target.options.header) == (0, 2)


def test_refusal_of_the_system() -> None:
    """Most are not reported, and what follows from the option follows all the same."""
    target = FakeSocket()
    target.refuses = True
    target.set(pair("nodelay", TRUE), pair("recbuf", 5000))
    assert target.options.buffer == 5000
    with pytest.raises(options.OptionError):
        target.set(pair("recvtos", TRUE))
    assert target.options.controls == 0


def test_get_leaves_out() -> None:
    """What the system refuses, and what is not set; but a name that is none is refused."""
    target = FakeSocket()
    target.values[socket.IPPROTO_TCP, socket.TCP_NODELAY, 0] = 1
    assert target.get(Atom("sndbuf"), Atom("nodelay"), Atom("netns")) == [pair("nodelay", TRUE)]
    for name in (Atom("nonsense"), Atom("add_membership"), RAW, 5, (1, 2), (RAW, 1, 2), [RAW, 6, 1, 4]):
        with pytest.raises(options.OptionError):
            target.get(name)


def test_raw() -> None:
    target = FakeSocket()
    target.set((RAW, 6, 1, b"one"), (RAW, (6, 2, b"two")))
    assert target.asked == [(6, 2, b"two"), (6, 1, b"one")]
    target.values[6, 1, 4] = b"four"
    target.values[6, 1, 1024] = b"much"
    assert target.get((RAW, 6, 1, 4), (RAW, (6, 1, b"size")), (RAW, 6, 1, 60000)) == [
        (RAW, 6, 1, b"four"),
        (RAW, 6, 1, b"four"),
        (RAW, 6, 1, b"much"),
    ]
    assert target.get((RAW, 6, 1, 0), (RAW, 6, 9, 4)) == [(RAW, 6, 1, b"")]
    for request in ((6, 1, 65536), (6, 1, -1), (6, 1, Atom("x")), (Atom("x"), 1, 4)):
        with pytest.raises(options.OptionError):
            target.get((RAW, *request))
