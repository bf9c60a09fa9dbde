"""The types of options' values: what they take and refuse."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from inetpy.codec.terms import Atom, Charlist
from inetpy.options import values
from inetpy.packet import PACKET_TYPES, RAW
from inetpy.wire import active

TRUE, FALSE = Atom("true"), Atom("false")
V4, V6 = (224, 0, 0, 1), (0xFF02, 0, 0, 0, 0, 0, 0, 1)
REFUSALS = (KeyError, OverflowError, TypeError, ValueError)  # as ValueType says

# type, term, value
PARSED = [
    (values.BOOL, TRUE, True),
    (values.INT, 1 << 32, 0),
    (values.INT, 1 << 31, -(1 << 31)),
    (values.INT, -1, -1),
    (values.UINT, (1 << 32) + 5, 5),
    (values.BYTE, 300, 44),
    (values.BYTE, -1, 255),
    (values.TIME, Atom("infinity"), None),
    (values.TIME, 7, 7),
    (values.MODE, Atom("list"), True),
    (values.DELIVER, Atom("port"), True),
    (values.PACKET, Atom("raw"), RAW),
    (values.PACKET, 4, PACKET_TYPES[4]),
    (values.ACTIVE_MODE, Atom("once"), (active.ONCE, 0)),
    (values.ACTIVE_MODE, -5, (active.MULTI, -5)),
    (values.LINGER, (TRUE, 7), struct.pack("ii", 1, 7)),
    (values.DEVICE, b"lo", b"lo\0"),
    (values.PATH, b"/a", b"/a"),
    (values.PATH, Charlist(b"/a"), b"/a"),
    (values.PATH, [0x3B1], "α".encode()),
    (values.PATH, [], b""),
    (values.INTERFACE, (127, 0, 0, 1), b"\x7f\0\0\1"),
    (values.INTERFACE, 2, b"\0\0\0\2"),
    (values.MEMBERSHIP, (V4, Atom("any")), (socket.AF_INET, bytes(V4) + bytes(8))),
    (values.MEMBERSHIP, (V4, (127, 0, 0, 1), 3), (socket.AF_INET, b"\xe0\0\0\1\x7f\0\0\1\3\0\0\0")),
    (values.MEMBERSHIP, (V6, 2), (socket.AF_INET6, b"\xff\2" + bytes(13) + b"\1\2\0\0\0")),
    (values.RAW, (6, 1, b"x"), (6, 1, b"x")),
]


@pytest.mark.parametrize(("kind", "term", "value"), PARSED)
def test_parse(kind: values.ValueType, term: object, value: object) -> None:
    assert kind.parse(term) == value


REFUSED: list[tuple[values.ValueType, list[Any]]] = [
    (values.BOOL, [1, Atom("yes"), True]),
    (values.INT, [1.5, Atom("x"), True]),
    (values.UINT, [-1, b"1"]),
    (values.TIME, [-1, Atom("never")]),
    (values.MODE, [Atom("text"), 1, []]),
    (values.PACKET, [3, Atom("x"), [1], 1.0]),
    (values.ACTIVE_MODE, [32768, -32769, Atom("sometimes"), b"true"]),
    (values.LINGER, [TRUE, (1, 1), (TRUE, 1, 1), [TRUE, 1], {TRUE: 1, FALSE: 2}]),
    (values.DEVICE, [Charlist(b"lo"), Atom("lo")]),
    (values.PATH, [5, [-1], [1 << 70], [0xD800], [Atom("a")], Atom("a")]),
    (values.INTERFACE, [(1, 2, 3), Atom("any")]),
    (values.MEMBERSHIP, [Atom("x"), (V4,), V4, (V4, 1), (V4, Atom("any"), Atom("x"))]),
    (values.MEMBERSHIP, [(V6, Atom("any")), (V6, 1, 2)]),
    (values.RAW, [(6, 1), (6, 1, 1), [6, 1, b"x"], (Atom("a"), 1, b"x"), b"abc", Atom("x")]),
    (values.NOT_SETTABLE, [Atom("x"), []]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "term"), [(kind, term) for kind, terms in REFUSED for term in terms])
def test_refused(kind: values.ValueType, term: object) -> None:
    """Nothing else is raised: the caller gets einval or badarg."""
    with pytest.raises(REFUSALS):
        kind.parse(term)


@pytest.mark.parametrize(
    ("kind", "value", "term"),
    [
        (values.BOOL, 1, TRUE),
        (values.BOOL, 0, FALSE),
        (values.MESSAGE_LIMIT, (1 << 64) - 2, (1 << 31) - 1),
        (values.MESSAGE_LIMIT, 5, 5),
        (values.TIME, None, Atom("infinity")),
        (values.MODE, False, Atom("binary")),
        (values.PACKET, RAW, 0),
        (values.PACKET, PACKET_TYPES[Atom("ssl_tls")], Atom("ssl")),
        (values.ACTIVE_MODE, (active.MULTI, 5), 5),
        (values.ACTIVE_MODE, (active.PASSIVE, 0), FALSE),
        (values.ACTIVE_MODE, (active.ACTIVE, 0), TRUE),
        (values.ACTIVE_MODE, (active.ONCE, 0), Atom("once")),
        (values.LINGER, struct.pack("ii", 1, 7), (TRUE, 7)),
        (values.DEVICE, b"lo\0garbage", b"lo"),
        (values.PATH, b"/a", Charlist(b"/a")),
        (values.PATH, "α".encode(), [0x3B1]),
        (values.PATH, b"\xff", [0xDCFF]),
        (values.INTERFACE, b"\x7f\0\0\1", (127, 0, 0, 1)),
        (values.INTERFACE, 2, 2),
    ],
)
def test_build(kind: values.ValueType, value: object, term: object) -> None:
    assert kind.build(value) == term


def test_no_path() -> None:
    """It is left out of an answer."""
    with pytest.raises(OSError, match="not set"):
        values.PATH.build(None)
