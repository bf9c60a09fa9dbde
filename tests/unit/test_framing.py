"""FrameReader cuts a stream into frames."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom
from inetpy.wire.framing import HEADER, SMALL, FrameReader, FramingError


def frame_header(size: int) -> bytes:
    return size.to_bytes(HEADER, "big")


def drain(reader: FrameReader) -> list[bytes | memoryview]:
    return list(iter(reader.next_frame, None))


@given(frames=st.lists(st.binary(max_size=50), max_size=10), cuts=st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_out_as_they_went_in(frames: list[bytes], cuts: list[int]) -> None:
    """The frames come out complete and in order, however the stream is cut."""
    stream = b"".join(frame_header(len(frame)) + frame for frame in frames)
    reader = FrameReader()
    out: list[bytes | memoryview] = []
    turn = 0
    while stream:
        cut = cuts[turn % len(cuts)]
        turn += 1
        reader.feed(stream[:cut])
        out += drain(reader)
        stream = stream[cut:]
    assert out == frames


def test_byte_by_byte() -> None:
    """The stream arrives byte by byte."""
    reader = FrameReader()
    out: list[bytes | memoryview] = []
    for byte in b"\0\0\0\2hi\0\0\0\0\0\0\0\1x":
        reader.feed(bytes((byte,)))
        out += drain(reader)
    assert out == [b"hi", b"", b"x"]


def test_large_frames_are_views() -> None:
    """Large frames are memoryviews of the data that was fed."""
    reader = FrameReader(large=1000)
    large = bytes(range(256)) * 64
    stream = frame_header(2) + b"hi" + frame_header(len(large)) + large
    reader.feed(stream)
    first, second = drain(reader)
    assert first == b"hi"
    assert isinstance(second, memoryview)
    assert second.obj is stream
    assert second == large


def test_limit() -> None:
    """A frame of the limit is accepted; a larger one is refused when its header has been read."""
    reader = FrameReader(limit=4)
    reader.feed(b"\0\0\0\4four")
    assert drain(reader) == [b"four"]
    reader.feed(b"\0\0\0\5")
    with pytest.raises(FramingError):
        reader.next_frame()


def test_work_is_linear() -> None:
    """The pieces of a large frame are joined once."""
    reader = FrameReader()
    piece = bytes(1000)
    reader.feed(frame_header(20_000_000))
    for _ in range(20_000):
        assert reader.next_frame() is None
        reader.feed(piece)
    assert reader.next_frame() == bytes(20_000_000)


REQUESTS = [
    encode((Atom("early"), 7, b"data")),
    encode((1, (2, [3]), bytes(SMALL))),
    encode([Atom("no"), Atom("tuple")]),
    b"\x83h\2a",
    b"no term",
    b"",
]


@given(
    frames=st.lists(st.sampled_from(REQUESTS), max_size=12),
    cuts=st.lists(st.integers(1, 40), min_size=1),
    large=st.sampled_from([30, SMALL, SMALL + 100]),
)
def test_frames_are_taken_with_their_terms(frames: list[bytes], cuts: list[int], large: int) -> None:
    """What `take` gives is what `next_frame` gives: small tuples as terms, everything else as it came."""
    stream = b"".join(frame_header(len(frame)) + frame for frame in frames)
    reader = FrameReader(large=large)
    taken: list[object] = []
    turn = 0
    while stream:
        cut = cuts[turn % len(cuts)] ** 3
        turn += 1
        reader.feed(stream[:cut])
        taken += list(reader.take())
        assert not reader.at_end or reader.next_frame() is None
        stream = stream[cut:]
    small = (REQUESTS[0],) if large > len(REQUESTS[0]) else ()
    assert taken == [decode(frame) if frame in small else frame for frame in frames]


def test_the_end_is_at_the_last_frame() -> None:
    """While frames are handled, `at_end` says whether others wait."""
    reader = FrameReader()
    stream = b"".join(frame_header(len(frame)) + frame for frame in REQUESTS[:3] + REQUESTS[:1])
    reader.feed(stream)
    assert [reader.at_end for _ in reader.take()] == [False, False, False, True]
    reader.feed(stream + b"\0")
    assert [reader.at_end for _ in reader.take()] == [False] * 4


def test_a_frame_over_the_limit_comes_behind_those_before_it() -> None:
    small = REQUESTS[0]
    reader = FrameReader(limit=len(small))
    reader.feed(frame_header(len(small)) + small + frame_header(len(small) + 1) + b"\x83h\0")
    taken = reader.take()
    assert next(taken) == decode(small)
    with pytest.raises(FramingError):
        next(taken)
