"""Control messages: what asks for them, and what they hold."""

from __future__ import annotations

import socket
import struct

import pytest
from option_target import FakeDatagramSocket, FakeSocket, pair

from inetpy import options
from inetpy.codec.terms import Atom

TRUE, FALSE = Atom("true"), Atom("false")
_IP, _IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6


def test_controls() -> None:
    """Datagrams come with control messages as long as one option asks for them."""
    target = FakeDatagramSocket()
    target.set(pair("recvtos", TRUE), pair("recvttl", TRUE))
    target.set(pair("recvtos", FALSE), pair("recvtclass", FALSE))
    assert target.options.controls
    target.set(pair("recvttl", FALSE))
    assert not target.options.controls


def message(level: int, kind: int, data: bytes) -> bytes:
    """As cmsg(3) has it, on a machine with 64 bits."""
    padding = bytes(-len(data) % 8)
    return struct.pack("Nii", 16 + len(data), level, kind) + data + padding


@pytest.mark.parametrize(
    ("family", "level", "constant"), [(socket.AF_INET, _IP, 9), (socket.AF_INET6, _IPV6, 6)]
)
def test_pktoptions(family: int, level: int, constant: int) -> None:
    target = FakeSocket(family)
    target.values[level, constant, 1024] = (
        message(_IP, socket.IP_TOS, b"\x28")
        + message(_IP, 99, b"not ours")
        + message(_IPV6, socket.IPV6_TCLASS, struct.pack("i", 300))
        + struct.pack("Nii", 3, 0, 0)  # too short: the end
        + message(_IP, socket.IP_TTL, struct.pack("i", 1))
    )
    assert target.get(Atom("pktoptions")) == [pair("pktoptions", [pair("tos", 40), pair("tclass", 300)])]


def test_pktoptions_of_unix_sockets() -> None:
    with pytest.raises(options.OptionError):
        FakeSocket(socket.AF_UNIX).get(Atom("pktoptions"))


def test_build_control() -> None:
    def built(*terms: object) -> list[options.ControlMessage]:
        return options.build_control(options.parse_settings(options.DATAGRAM, list(terms)))

    assert built(pair("tos", 8), pair("tclass", 9)) == [
        (_IP, socket.IP_TOS, struct.pack("i", 8)),
        (_IPV6, socket.IPV6_TCLASS, struct.pack("i", 9)),
    ]
    assert options.parse_messages(built(pair("ttl", 7))) == [pair("ttl", 7)]
    with pytest.raises(options.OptionError):
        built(pair("nodelay", TRUE))
