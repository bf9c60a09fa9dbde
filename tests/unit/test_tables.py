"""The tables: active mode, errors, addresses."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, strategies as st

from inetpy.codec.terms import Atom
from inetpy.host.errors import posix_name
from inetpy.names.addresses import build_address, parse_address, parse_sockaddr
from inetpy.wire import active

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("count", "increment", "result"),
    [
        (0, 3, (active.MULTI, 3)),
        (3, 4, (active.MULTI, 7)),
        (3, -3, (active.PASSIVE, 0)),
        (3, -20, (active.PASSIVE, 0)),
        (0, 0, (active.PASSIVE, 0)),
        (32767, 1, None),
        (1, 32767, None),
        (0, 32767, (active.MULTI, 32767)),
    ],
)
def test_add_count(count: int, increment: int, result: object) -> None:
    """The arithmetic of {active, N}."""
    assert active.add_count(count, increment) == result


@pytest.mark.parametrize(
    ("mode", "count", "result"),
    [
        (active.ACTIVE, 0, (active.ACTIVE, 0)),
        (active.ONCE, 0, (active.PASSIVE, 0)),
        (active.MULTI, 2, (active.MULTI, 1)),
        (active.MULTI, 1, (active.PASSIVE, 0)),
        (active.PASSIVE, 0, (active.PASSIVE, 0)),
    ],
)
def test_after_delivery(mode: int, count: int, result: object) -> None:
    """What a delivery does to the mode."""
    assert active.after_delivery(mode, count) == result


def test_posix_name_without_a_number() -> None:
    assert posix_name(OSError("no number")) == "unknown"


@given(fields=st.tuples(*[st.integers(0, 255)] * 4), port=st.integers(0, 65535))
def test_ipv4(fields: tuple[int, ...], port: int) -> None:
    """An address is parsed and built again."""
    assert build_address(parse_address(fields, port, V4)) == (fields, port)


@given(fields=st.tuples(*[st.integers(0, 65535)] * 8), port=st.integers(0, 65535))
def test_ipv6(fields: tuple[int, ...], port: int) -> None:
    """An address is parsed and built again."""
    assert build_address(parse_address(fields, port, V6)) == (fields, port)


@pytest.mark.parametrize(
    ("term", "port", "family"),
    [
        ((1, 2, 3), 80, V4),
        ((1, 2, 3, 256), 80, V4),
        ((1, 2, 3, -1), 80, V4),
        ((1, 2, 3, Atom("a")), 80, V4),
        ((1, 2, 3, True), 80, V4),
        ([1, 2, 3, 4], 80, V4),
        ((1, 2, 3, 4), 65536, V4),
        ((1, 2, 3, 4), -1, V4),
        ((1, 2, 3, 4), Atom("http"), V4),
        ((1, 2, 3, 4), 80, V6),
        ((0,) * 7 + (65536,), 80, V6),
        (Atom("somewhere"), 80, V4),
    ],
)
def test_bad_address(term: object, port: object, family: int) -> None:
    """A term that is not an address of the family raises ValueError."""
    with pytest.raises(ValueError, match="bad"):
        parse_address(term, port, family)


def test_sockaddr() -> None:
    """A sockaddr map, with the fields of IPv6."""
    term: dict[object, object] = {
        Atom("family"): Atom("inet6"),
        Atom("addr"): Atom("loopback"),
        Atom("port"): 5,
        Atom("scope_id"): 3,
    }
    assert parse_sockaddr(term, V6) == ("::1", 5, 0, 3)
    with pytest.raises(OSError, match="family"):
        parse_sockaddr(term, V4)
    with pytest.raises(ValueError, match="family"):
        parse_sockaddr(term | {Atom("family"): Atom("local")}, V6)
