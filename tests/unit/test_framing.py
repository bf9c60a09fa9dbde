"""FrameReader cuts a stream into frames."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from inetpy.wire.framing import HEADER, FrameReader, FramingError


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
