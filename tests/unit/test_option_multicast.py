"""Groups, and the interface to send to them."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from option_target import FakeDatagramSocket, pair

from inetpy import options
from inetpy.codec.terms import Atom

GROUP4 = ((224, 0, 0, 1), Atom("any"))
GROUP6 = ((0xFF02, 0, 0, 0, 0, 0, 0, 1), 1)
_IP, _IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6


@pytest.mark.parametrize(
    ("family", "name", "group", "level", "constant"),
    [
        (socket.AF_INET, "add_membership", GROUP4, _IP, socket.IP_ADD_MEMBERSHIP),
        (socket.AF_INET, "drop_membership", GROUP4, _IP, socket.IP_DROP_MEMBERSHIP),
        (socket.AF_INET6, "add_membership", GROUP6, _IPV6, socket.IPV6_JOIN_GROUP),
        (socket.AF_INET6, "drop_membership", GROUP6, _IPV6, socket.IPV6_LEAVE_GROUP),
    ],
)
def test_membership(family: int, name: str, group: Any, level: int, constant: int) -> None:
    target = FakeDatagramSocket(family)
    target.refuses = True  # not reported
    target.set(pair(name, group))
    assert [asked[:2] for asked in target.asked] == [(level, constant)]
    with pytest.raises(options.OptionError):
        FakeDatagramSocket(socket.AF_UNIX).set(pair(name, group))


def test_multicast_if() -> None:
    four, six, unix = map(FakeDatagramSocket, (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX))
    four.set(pair("multicast_if", (127, 0, 0, 1)))
    assert four.asked == [(_IP, socket.IP_MULTICAST_IF, b"\x7f\0\0\1")]
    four.values[_IP, socket.IP_MULTICAST_IF, 4] = b"\x7f\0\0\1"
    six.values[_IPV6, socket.IPV6_MULTICAST_IF, 0] = 1
    assert four.get(Atom("multicast_if")) == [pair("multicast_if", (127, 0, 0, 1))]
    assert six.get(Atom("multicast_if")) == [pair("multicast_if", 1)]
    for call in (lambda: unix.get(Atom("multicast_if")), lambda: unix.set(pair("multicast_if", 1))):
        with pytest.raises(options.OptionError):
            call()


class ClosedSocket(FakeDatagramSocket):
    """One whose descriptor is closed."""

    def family(self) -> int:
        raise OSError("closed")


def test_closed_descriptor() -> None:
    """It takes what it would not report the refusal of."""
    target = ClosedSocket()
    target.set(pair("add_membership", GROUP4), pair("multicast_if", 1))
    assert target.get(Atom("multicast_if"), Atom("pktoptions")) == []
