"""The cost of decoding a term is linear in its size, also for hostile input, and bounded by `Limits`.

Each of these terms is small. A naive decoder needs minutes, gigabytes, or too much stack for it.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from in_process import REF, sessions
from inetpy.codec.etf import PURE, EtfError, Limits, Map, decode, encode
from inetpy.codec.terms import Atom, Charlist, Fun, ImproperList

pure_decode = PURE[0]
DECODERS = pytest.mark.parametrize("read", [decode, pure_decode], ids=["decode", "pure"])
Read = Callable[..., object]

LEVELS = 9_000
MODULUS = (1 << 61) - 1  # hash(n) of a positive integer is n % MODULUS


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def packed(body: bytes) -> bytes:
    return b"\x83P" + u32(len(body)) + zlib.compress(body, 9)


def numbers(count: int) -> bytes:
    return b"l" + u32(count) + b"a\1" * count + b"j"


def binary(size: int) -> bytes:
    return b"m" + u32(size) + bytes(size)


def funs(levels: int, inside: bytes) -> bytes:
    """Nested funs: each has the next as its only free variable."""
    parts = [inside]
    size = len(inside)
    fixed = b"w\1aa\1a\1Xw\3a@b" + bytes(12)
    for _ in range(levels):
        size += 30 + len(fixed)
        parts.append(b"p" + u32(size - 1) + b"\2" + bytes(20) + u32(1) + fixed)
    return b"".join(reversed(parts))


def multiple(number: int) -> bytes:
    return b"n\x0c\0" + (number * MODULUS).to_bytes(12, "little")


TERMS: dict[str, Callable[[], bytes]] = {
    "a list that is the tail of a list": lambda: b"\x83" + b"l\0\0\0\1a\1" * LEVELS + numbers(2_000_000),
    "the same, compressed": lambda: packed(b"l\0\0\0\1a\1" * LEVELS + numbers(2_000_000)),
    "a fun in a fun": lambda: b"\x83" + funs(LEVELS, binary(1 << 24)),
    "a map that is the key of a map": lambda: (
        b"\x83" + b"t\0\0\0\1" * LEVELS + binary(1 << 22) + b"a\1" * LEVELS
    ),
    "a map in a list that is a key": lambda: (
        b"\x83" + b"t\0\0\0\1l\0\0\0\1" * (LEVELS // 2) + binary(1 << 22) + b"ja\1" * (LEVELS // 2)
    ),
    "an improper list in a tuple that is a key": lambda: (
        b"\x83t\0\0\0\1" + b"h\1l\0\0\0\1a\1" * (LEVELS // 2) + b"a\1a\1"
    ),
    "keys of one hash": lambda: (
        b"\x83t" + u32(100_000) + b"".join(multiple(number) + b"j" for number in range(1, 100_001))
    ),
    "tuples of one hash": lambda: (
        b"\x83t" + u32(100_000) + b"".join(b"h\1" + multiple(number) + b"j" for number in range(1, 100_001))
    ),
    "two deep keys": lambda: b"\x83t\0\0\0\2" + (b"h\1" * LEVELS + b"j" + b"a\1") * 2,
    "counts within counts": lambda: b"\x83" + (b"i" + u32(90_000)) * 99 + b"a\1" * 45_000,
    "lists within lists": lambda: b"\x83" + (b"l" + u32(90_000)) * 99 + b"a\1" * 45_000,
    "empty lists, compressed": lambda: packed(b"l" + u32(100_000_000) + b"j" * 100_000_001),
    "strings as tails, compressed": lambda: packed(
        b"l" + u32(2_000) + (b"l\0\0\0\1a\1k\xff\xff" + bytes(65_535)) * 2_000 + b"j"
    ),
    "a large integer": lambda: b"\x83o" + u32(20_000_000) + b"\0" + b"\xff" * 20_000_000,
}

# The program of a child process, with limits of seconds of processor time and of a gigabyte.
PROGRAM = """
import resource, sys
from inetpy.codec import etf
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
data = sys.stdin.buffer.read()
try:
    print(type(etf.decode(data)).__name__)
except etf.EtfError as error:
    print(str(error)[:300])
"""


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("pure", ["", "1"], ids=["compiled", "pure"])
def test_cost(name: str, pure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The term is decoded or refused within the limits of the child process."""
    monkeypatch.setenv("INETPY_PURE", pure)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=TERMS[name](), check=False, capture_output=True, timeout=250
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout


@DECODERS
def test_no_compressed_terms(read: Read) -> None:
    """With `inflated=0` every compressed term is refused, also a small or truncated one."""
    strict = Limits(inflated=0)
    for data in (encode(bytes(1000), compressed=9), packed(b""), b"\x83P", b"\x83P\0\0\0\0"):
        with pytest.raises(EtfError, match=r"compressed term is not accepted here in COMPRESSED \(80\)"):
            read(data, strict)
    assert read(encode((1, [2])), strict) == (1, [2])


def test_no_compressed_request() -> None:
    """The bridge refuses a valid compressed request, and accepts the next request."""
    with sessions() as bench:
        request = (Atom("fly"), 0, REF, [1.5] * 1000)
        for frame in (encode(request, compressed=9), memoryview(encode(request, compressed=9))):
            with pytest.raises(EtfError, match="not accepted"):
                bench.dispatcher.handle_frame(frame)
        assert isinstance(bench.ask("fly", 0, []), tuple)


@DECODERS
@pytest.mark.parametrize(
    ("body", "elements"),
    [
        (b"h\3a\1a\1a\1", 3),
        (b"i\0\0\0\3a\1a\1a\1", 3),
        (b"l\0\0\0\2a\1a\1j", 3),  # the end of the list counts
        (b"l\0\0\0\1a\1l\0\0\0\1a\1j", 3),
        (b"l\0\0\0\1a\1k\0\3abc", 5),
        (b"t\0\0\0\2a\1ja\2j", 4),
        (b"h\1h\1h\1j", 3),
        (b"k\0\3abc", 0),  # a charlist is stored as bytes
        (b"h\0", 0),
        (b"t\0\0\0\0", 0),
    ],
)
def test_elements(read: Read, body: bytes, elements: int) -> None:
    """A term with as many elements as the limit is read; one more element is refused. Also compressed."""
    for data in (b"\x83" + body, packed(body)):
        read(data, Limits(elements=elements))
        if elements:
            with pytest.raises(EtfError, match=f"more than {elements - 1} elements"):
                read(data, Limits(elements=elements - 1))


@DECODERS
def test_tails(read: Read) -> None:
    """A list as the tail of a list is read into the same list."""
    one = b"l\0\0\0\1w\1a"
    a = Atom("a")
    assert read(b"\x83" + one * 3 + b"j") == [a] * 3
    assert read(b"\x83" + one * 2 + b"k\0\2\1\2") == [a, a, 1, 2]
    assert read(b"\x83" + one * 2 + b"w\1a") == ImproperList([a, a], a)
    assert read(b"\x83" + one + b"l\0\0\0\0" + b"w\1a") == ImproperList([a], a)
    assert read(b"\x83l\0\0\0\0" + one + b"j") == [a]
    assert read(b"\x83l\0\0\0\0l\0\0\0\0k\0\1x") == Charlist(b"x")
    assert read(b"\x83" + one * 50_000 + b"j") == [a] * 50_000  # tails do not count as nesting
    with pytest.raises(EtfError, match="truncated"):
        read(b"\x83" + one * 3)


@DECODERS
def test_funs_in_funs(read: Read) -> None:
    """The outer fun is kept as bytes. Funs inside it are different keys of a map."""
    inner = funs(1, b"j")
    data = funs(1, b"t\0\0\0\2" + inner + b"a\1" + funs(1, b"a\1") + b"a\2")
    fun = read(b"\x83h\2" + data + inner)
    assert fun == (Fun(data), Fun(inner))
    assert encode(fun) == b"\x83h\2" + data + inner


@DECODERS
def test_many_keys(read: Read) -> None:
    """Few keys with the same hash (-1 has the hash of -2) give a dict; many give a `Map`."""
    for term in (
        {number * MODULUS: 1 for number in range(1, 65)},
        dict.fromkeys(range(-500, 500), 1),
        {(one, two): 1 for one in range(-30, 30) for two in range(-30, 30)},
        {float(number): 1 for number in range(200)},
        {b"%d" % number: Atom(f"a{number}") for number in range(200)},
    ):
        again = read(encode(term))
        assert type(again) is dict
        assert again == term
    crowd = {number * MODULUS: number for number in range(1, 70)}
    again = read(encode(crowd))
    assert isinstance(again, Map)
    assert dict(again.items()) == crowd


def test_maps_as_keys() -> None:
    """Maps with equal entries are equal, in any order, at any depth."""
    one = Map([([1], Map([([2], 3), ({}, 4)])), (1, 2), (1.0, 2)])
    same = Map([(1.0, 2), (1, 2), ([1], Map([({}, 4), ([2], 3)]))])
    other = Map([(1.0, 2), (1, 2), ([1], Map([({}, 4), ([2], 3.0)]))])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    holder = Map([(one, 1), (other, 2)])
    assert (holder[same], holder[other], len(holder)) == (1, 2, 2)
    with pytest.raises(ValueError, match="duplicate key"):
        Map([(one, 1), (same, 2)])
    assert encode(one, deterministic=True) == encode(same, deterministic=True)


def test_sorted_entries_however_deep() -> None:
    """Writing sorted entries does not recurse either."""
    term: object = {2: 1, 1: 2}
    for _ in range(LEVELS):
        term = {2: term, 1: b""}
    data = encode(term, deterministic=True)
    again = decode(data)
    assert encode(again) == data
    assert data.startswith(b"\x83t\0\0\0\2a\1m")
