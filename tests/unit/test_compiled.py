"""The compiled codec and the pure code agree: the same terms, the same bytes, the same errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, strategies as st

from inetpy.codec import etf, implementation, terms
from inetpy.codec.etf import EtfError, decode, encode, encode_body
from inetpy.codec.terms import Atom, BitString, Charlist, Export, Fun, ImproperList, LocalTerm, Pid, Port, Ref
from inetpy.wire.messages import LIMITS

pytestmark = pytest.mark.skipif(implementation.compiled is None, reason="there is no compiled codec")

pure_decode, pure_encode, pure_encode_body = etf.PURE

NODE = b"w\x0dnonode@nohost"
texts = st.text(max_size=20)
leaves = st.one_of(
    st.integers(),
    st.integers(-(1 << 33), 1 << 33),
    st.sampled_from([0, 255, 256, -1, 1 << 31, (1 << 31) - 1, -(1 << 31), -(1 << 31) - 1, True, False, None]),
    st.floats(),
    st.binary(max_size=40),
    st.binary(max_size=40).map(bytearray),
    st.sampled_from([b"", bytes(5000), "", "x" * 3000]),
    texts,
    st.text(st.characters(), max_size=300).map(Atom),
    st.binary(max_size=40).map(Charlist),
    st.builds(BitString, st.binary(min_size=1, max_size=9), st.integers(1, 7)),
    st.builds(Export, texts.map(Atom), texts.map(Atom), st.integers(-1, 256)),
    st.binary(min_size=12, max_size=12).map(lambda words: Pid(b"X" + NODE + words)),
    st.binary(min_size=4, max_size=20).map(lambda words: Ref(b"Z\0\3" + NODE + words)),
    st.binary(min_size=8, max_size=8).map(lambda words: Port(b"Y" + NODE + words)),
    st.just(Fun(b"p\0\0\0\5x")),
    st.just(LocalTerm(b"y1234")),
    st.sampled_from([object(), 1j, {1, 2}]),
)
anything: st.SearchStrategy[object] = st.deferred(lambda: leaves | containers)
lists = st.lists(anything, max_size=5)
hashable = leaves.filter(lambda leaf: leaf.__hash__ is not None)
containers: st.SearchStrategy[object] = st.one_of(
    lists,
    lists.map(tuple),
    st.lists(st.integers(0, 256), max_size=300),
    st.dictionaries(hashable, anything, max_size=4),
    st.lists(anything, min_size=1, max_size=3).map(lambda items: ImproperList(items, 1)),
    st.lists(leaves, max_size=300).map(tuple),
)


def outcome(call: Callable[..., object], *arguments: object, **options: object) -> tuple[object, ...]:
    """The result or the error of a call, in a form that can be compared."""
    try:
        return "returns", call(*arguments, **options)
    except EtfError as error:
        return "fails", str(error), error.tag, error.offset
    except (ValueError, TypeError) as error:
        return "fails", type(error), str(error)


@given(anything)
def test_encoding(term: object) -> None:
    assert outcome(encode, term) == outcome(pure_encode, term)
    assert outcome(encode_body, term) == outcome(pure_encode_body, term)
    assert outcome(encode, term, compressed=6) == outcome(pure_encode, term, compressed=6)


@given(anything, st.data())
def test_decoding(term: object, data: st.DataObject) -> None:
    """Both decode terms, and terms with a few changed bytes, in the same way."""
    written = outcome(pure_encode, term)[1]
    if not isinstance(written, bytes):
        return
    assert same(written)
    changed = bytearray(written)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert same(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    assert same(bytes(changed) + data.draw(st.binary(max_size=2)))


@given(st.binary(max_size=60))
def test_decoding_of_anything(data: bytes) -> None:
    assert same(b"\x83" + data)


def same(data: bytes) -> bool:
    """Whether both decoders agree on `data`, and on a view of it inside other bytes."""
    pure = outcome(pure_decode, data)
    view = memoryview(b"\x83a" + data + b"\1j")[2:-2]
    return alike(outcome(decode, data), pure) and alike(outcome(decode, view), pure)


def alike(ours: tuple[object, ...], pure: tuple[object, ...]) -> bool:
    """Whether two outcomes are equal. Terms are compared as bytes, because in Python 1 == 1.0."""
    if ours[0] == pure[0] == "returns":
        return type(ours[1]) is type(pure[1]) and outcome(pure_encode, ours[1]) == outcome(
            pure_encode, pure[1]
        )
    return ours == pure


@given(st.lists(anything, max_size=6), st.data())
def test_frames(parts: list[object], data: st.DataObject) -> None:
    """Both take the same frames from a stream, also from one with a few changed bytes."""
    stream = bytearray()
    for part in parts:
        written = outcome(pure_encode, (part, 1))[1]
        if isinstance(written, bytes):
            stream += len(written).to_bytes(4, "big") + written
    for _ in range(data.draw(st.integers(0, 3)) if stream else 0):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    end, large = data.draw(st.integers(0, len(stream))), data.draw(st.sampled_from([20, 200, 1 << 17]))
    limits = data.draw(st.sampled_from([etf.DEFAULT_LIMITS, LIMITS, etf.Limits(2), etf.Limits(elements=4)]))
    ours, pure = (
        take(bytes(stream[:end]), 0, large, limits) for take in (etf.decode_frames, etf.PURE_FRAMES)
    )
    assert ours[1] == pure[1]
    assert alike(("returns", ours[0]), ("returns", pure[0]))


@given(st.integers(16_300, 16_500), st.integers(0, 3), st.integers(0, 3))
def test_views_of_large_binaries(size: int, before: int, behind: int) -> None:
    """In a memoryview, binaries of 16 KB and more are decoded as views that equal the binary."""
    term = (*range(before), bytes(range(256)) * (size // 256), [b"small", bytes(size)], *range(behind))
    data = encode(term)
    read = decode(memoryview(b"in front" + data)[8:])
    assert read == term
    assert isinstance(read, tuple)
    assert [type(read[before]), *map(type, read[before + 1])] == [
        memoryview if size // 256 * 256 >= 16_384 else bytes,
        bytes,
        memoryview if size >= 16_384 else bytes,
    ]
    assert encode(read) == data


def test_views_that_are_none() -> None:
    """Views of a bytearray, views with gaps, and released views."""
    data = encode((1, bytes(20_000)))
    assert decode(memoryview(bytearray(data))) == decode(memoryview(data)) == (1, bytes(20_000))
    gaps = bytes(byte for pair in zip(data, data, strict=True) for byte in pair)
    assert decode(memoryview(gaps)[::2]) == (1, bytes(20_000))
    released = memoryview(data)
    released.release()
    with pytest.raises(ValueError, match="released"):
        decode(released)


def test_other_bytes_and_limits() -> None:
    """A bytearray and limits given by the caller work as in the pure decoder."""
    assert decode(bytearray(b"\x83a\1")) == decode(memoryview(b"\x83a\1")) == 1
    shallow = etf.Limits(depth=1)
    with pytest.raises(EtfError, match="nested deeper than 1"):
        decode(b"\x83h\1h\1a\1", shallow)
    assert decode(b"\x83h\1a\1", limits=shallow) == (1,)


@pytest.mark.parametrize("depth", [99, 100, 101, 102, 20_000])
def test_deep_parts_are_left_by_both(depth: int) -> None:
    """Parts below the limit are `Unread` in both, also at the depth at which the compiled codec stops."""
    data = b"\x83h\2" + b"l\0\0\0\1" * (depth - 1) + b"a\1" + b"j" * (depth - 1) + b"a\7"
    limits = etf.Limits(depth=100, leave_deep=True)
    ours, pure = decode(data, limits), pure_decode(data, limits)
    assert repr(ours) == repr(pure)
    assert ("Unread" in repr(ours)) is (depth > 100)


@pytest.mark.parametrize("depth", [99, 100, 101, 9_999, 10_000, 10_001])
def test_depth(depth: int) -> None:
    """Below the depth at which the compiled codec stops, the pure code continues up to its limit."""
    data = b"\x83" + b"h\1" * depth + b"j"
    assert same(data)
    nested: object = []
    for _ in range(depth):
        nested = (nested,)
    assert outcome(encode, nested) == outcome(pure_encode, nested)


@pytest.mark.parametrize("name", sorted(terms.PURE))
def test_classes(name: str) -> None:
    """The compiled classes behave like the pure ones."""
    compiled, pure = getattr(terms, name), terms.PURE[name]
    assert compiled is not pure
    argument = {
        "Atom": "name",
        "Charlist": b"chars",
        "Pid": b"X" + NODE + bytes(range(12)),
        "Port": b"Y" + NODE + bytes(range(8)),
        "Ref": b"Z\0\1" + NODE + bytes(range(8)),
    }[name]
    ours, theirs = compiled(argument), pure(argument)
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)
    assert hash(ours) == hash(theirs)
    assert ours == compiled(argument) != argument
    assert pickle.loads(pickle.dumps(ours)) == copy.deepcopy(ours) == ours
    for part in ("node", "parts", "name", "raw", "data"):
        assert getattr(ours, part, None) == getattr(theirs, part, None)
    for part in ("name", "raw", "data"):
        if hasattr(ours, part):
            with pytest.raises(AttributeError):
                setattr(ours, part, argument)
    with pytest.raises(TypeError):
        compiled(17)


def test_charlist_is_a_sequence() -> None:
    text = Charlist(b"hello")
    assert isinstance(text, Sequence)
    assert text == list(b"hello") == list(text)
    assert text != b"hello"
    assert (len(text), text[1], text[-1], text[1:3]) == (5, 101, 111, b"el")
    assert 104 in text
    assert 200 not in text
    assert (text.index(108), text.count(108), list(reversed(text))) == (2, 2, list(b"olleh"))
