"""Requests: each operation has a record, a method, and a line in docs/requests.md."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from conftest import TOP
from inetpy.codec.terms import Atom, Pid
from inetpy.operations.dispatch import OPERATIONS
from inetpy.sockets.datagram import Datagram
from inetpy.sockets.listener import Listener
from inetpy.sockets.plain import SESSION_OPERATIONS, Plain
from inetpy.sockets.tcp.stream import Stream
from inetpy.wire.plain_requests import PLAIN, PLAIN_SESSION
from inetpy.wire.requests import LATE, SESSION, SOCKET, Operation, Recv, SendLarge

sys.path.insert(0, str(TOP / "scripts"))
import requests_page


def remaining(milliseconds: int, _sent_at: int) -> int | None:
    return milliseconds


PID = Pid(b"Xw\x0dnonode@nohost" + bytes(12))
# Terms of every kind: no operation takes all of them.
TERMS: list[Any] = [0, -1, 1 << 70, 1.5, b"", b"x", [], [1], (), (1, 2), Atom("inet"), PID, {}]


def test_the_page_is_true() -> None:
    assert requests_page.PAGE.read_text() == requests_page.page(), "run python scripts/requests_page.py"


def test_every_operation_is_done_by_somebody() -> None:
    """And nobody does an operation without a record."""
    done = {op for kind in (Stream, Listener, Datagram) for op in kind.ops}
    assert done == set(SOCKET)
    assert set(OPERATIONS) == set(SESSION)


def test_the_method_has_the_name() -> None:
    """op_... of the operation, or one of the two refusals; an override is listed again."""
    for kind in (Stream, Listener, Datagram):
        for op, method in kind.ops.items():
            name = getattr(method, "__name__", "")
            assert name in (f"op_{op}", "op_not_connected", "op_invalid"), (kind, op)
            assert getattr(kind, name) is method, (kind, op)
            assert getattr(kind, f"op_{op}", method) is method, (kind, op)


def test_every_method_is_an_operation() -> None:
    for kind in (Stream, Listener, Datagram):
        names = {name for name in dir(kind) if name.startswith("op_")} - {"op_not_connected", "op_invalid"}
        assert names <= {f"op_{op}" for op in kind.ops}, kind


def test_erlang_uses_the_same_names() -> None:
    """Every operation that erl/src asks for has a record, and every record is asked for."""
    sources = "".join(path.read_text() for path in (TOP / "erl" / "src").glob("*.erl"))
    called = set(re.findall(r"inetpy_request:call\(\s*\w+,\s*(\w+)", sources))
    opened = set(re.findall(r"inetpy_request:open\((\w+)", sources))
    framed = set(re.findall(r"head\(\{([a-z]\w*), ", sources))
    plain = {name for name in called | opened if name.startswith("socket_")}
    called, opened = called - plain, opened - plain
    assert opened <= set(SESSION)
    assert called - {"fault"} | framed - {"piece"} <= set(SOCKET)
    assert set(SESSION) - opened <= {"piece", "fault"}
    assert set(SOCKET) - called - framed == set()


def test_erlang_uses_the_same_names_for_plain_sockets() -> None:
    source = (TOP / "erl" / "src" / "inetpy_prim_socket.erl").read_text()
    asked = set(re.findall(r"\b(socket_\w+)\b", source)) - {"socket_debug", "socket_ref"}
    assert asked == set(PLAIN) | set(PLAIN_SESSION)


def test_every_operation_of_a_plain_socket_is_done() -> None:
    assert set(Plain.ops) == set(PLAIN)
    assert set(SESSION_OPERATIONS) == set(PLAIN_SESSION)


@pytest.mark.parametrize(
    ("operation", "where"),
    [(operation, where) for where in (SESSION, SOCKET, PLAIN, PLAIN_SESSION) for operation in where.values()],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_other_shapes_are_refused(operation: Operation, where: object) -> None:
    """Whatever comes, parsing gives a record of the operation or None, and never raises."""
    count = len(operation.shapes)
    for term in [*TERMS, *[(term,) * count for term in TERMS], *[(term,) * (count + 1) for term in TERMS]]:
        request = operation.parse(term, remaining)
        assert request is None or type(request) is operation.record
    if count > 1:
        assert operation.parse((0,) * (count + 1), remaining) is None
        assert operation.parse([], remaining) is None


def test_timeouts_at_the_door() -> None:
    """The record has what is left, in ms; a caller that has given up gets no record."""
    parse = SOCKET["recv"].parse
    assert parse((0, (5000, 7)), lambda milliseconds, sent_at: milliseconds - sent_at) == (0, 4993)
    assert parse((0, (5000, 7)), lambda *_: None) is LATE
    assert parse((0, -1), lambda *_: None) == (0, -1)  # it waits for ever
    assert parse((0, (5000,)), remaining) is None


def test_records() -> None:
    """What comes in is in the record."""
    assert SOCKET["recv"].parse((10, (5000, 7)), remaining) == Recv(10, 5000)
    assert SOCKET["recv"].parse((-1, -1), remaining) is None
    assert SOCKET["send"].parse(memoryview(b"data"), remaining).data == b"data"
    assert SOCKET["send_large"].parse((10, PID, b"data"), remaining) == SendLarge(10, PID, b"data")
    assert SOCKET["send_large"].parse((4, PID, b"data"), remaining) is None  # nothing is left for the feeder
    assert SOCKET["send_large"].parse((10, PID, b""), remaining) is None
    assert SOCKET["close"].parse([], remaining) == ()
    assert SOCKET["close"].parse([1], remaining) is None
