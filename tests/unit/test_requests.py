"""The short way of reading requests agrees with the decoder, or leaves them to it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from inetpy.etf import EtfError, decode, encode
from inetpy.identity import identity_of
from inetpy.requests import RequestReader
from inetpy.terms import Atom, Charlist, Pid, Ref

NODE = b"nonode@nohost"
CREATION = b"\0\0\0\3"
BRIDGE = Pid(b"Xw\x0d" + NODE + b"\0\0\0\7\0\0\0\0" + CREATION)
READER = RequestReader(identity_of(BRIDGE.raw))


def ref(atom: bytes, words: int, fill: bytes) -> bytes:
    return b"Z" + words.to_bytes(2, "big") + atom + NODE + CREATION + (fill * 20)[: 4 * words]


OLD_ATOM, NEW_ATOM = b"d\0\x0d", b"w\x0d"

refs = st.builds(
    ref, st.sampled_from([OLD_ATOM, NEW_ATOM]), st.sampled_from([3, 5]), st.binary(min_size=1, max_size=20)
)
numbers = st.integers(0, 300) | st.integers(-(2**31), 2**31 - 1)
addresses = st.tuples(st.tuples(*[st.integers(0, 255)] * 4), st.integers(0, 65535) | st.just(0x6A6D))
data = st.binary(max_size=400) | st.sampled_from([b"jm", b"", b"jm\0\0\0\0", b"m"])
arguments = st.one_of(
    data,
    st.tuples(numbers, numbers),
    st.tuples(addresses, st.just([]), data),
    st.tuples(addresses, st.just([(Atom("tos"), 1)]), data),
    st.tuples(data, st.just([]), data),
    st.lists(st.tuples(st.sampled_from([Atom("active"), Atom("jm")]), numbers), max_size=30),
    st.just([]),
    st.builds(Charlist, st.binary(min_size=1, max_size=300)),
)


def frame(op: str, ident: int, ref: bytes, args: object, old: bool) -> bytes:
    name = (b"d" + len(op).to_bytes(2, "big") if old else b"w" + bytes((len(op),))) + op.encode()
    return b"\x83h\4" + name + encode(ident)[1:] + ref + encode(args)[1:]


@given(
    st.sampled_from(["send", "recv", "sendto", "a", "take_over"]),
    st.integers(0, 2**31 - 1),
    refs,
    arguments,
    st.booleans(),
)
def test_agrees(op: str, ident: int, ref: bytes, args: object, old: bool) -> None:
    data = frame(op, ident, ref, args, old)
    read = READER.read(data)
    assert read is not None or not isinstance(args, bytes)
    if read is not None:
        name, number, reference, theirs = read
        assert decode(data) == (Atom(name), number, decode(b"\x83" + reference), theirs)


@given(
    frame_bytes=st.builds(frame, st.just("sendto"), st.integers(0, 999), refs, arguments, st.booleans()),
    at=st.floats(0, 1),
    change=st.binary(max_size=2),
    cut=st.integers(0, 3),
)
def test_mutated(frame_bytes: bytes, at: float, change: bytes, cut: int) -> None:
    """What the decoder refuses, the short way does not take; what both take is the same."""
    start = int(at * len(frame_bytes))
    data = frame_bytes[:start] + change + frame_bytes[start + cut :]
    read = READER.read(data)
    if read is None:
        return
    name, number, reference, args = read
    assert decode(data) == (Atom(name), number, decode(b"\x83" + reference), args)


@pytest.mark.parametrize("words", [3, 5])
def test_common_requests_are_taken(words: int) -> None:
    reference = ref(OLD_ATOM, words, b"r")
    for op, args in (("send", b"data"), ("recv", (0, 5000)), ("sendto", (((127, 0, 0, 1), 9), [], b"x"))):
        assert READER.read(frame(op, 7, reference, args, old=True)) == (op, 7, reference, args)


def test_others_are_left() -> None:
    """Another node's references, and what is no request."""
    elsewhere = b"Z\0\3" + NEW_ATOM + b"other@nohost!" + CREATION + b"x" * 12
    assert READER.read(frame("send", 1, elsewhere, b"x", old=True)) is None
    assert READER.read(encode((Atom("down"), BRIDGE))) is None
    with pytest.raises(EtfError):
        decode(b"\x83h\4")
    assert READER.read(b"\x83h\4") is None


def test_ref_of_another_kind() -> None:
    assert isinstance(decode(b"\x83" + ref(NEW_ATOM, 3, b"r")), Ref)
