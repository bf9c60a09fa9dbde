"""The codec on the forms of erl_ext_dist."""

from __future__ import annotations

import resource
import zlib
from collections.abc import Callable

import pytest

from inetpy.codec.etf import EtfError, Limits, Map, decode, decode_prefix, encode
from inetpy.codec.terms import (
    Atom,
    BitString,
    Charlist,
    Export,
    Fun,
    ImproperList,
    Pid,
    Port,
    Ref,
    Unread,
)

A = Atom("a")
NODE = b"w\3a@b"
LATIN_NODE = b"d\0\3a@b"
LATIN_1 = "é".encode("latin-1")

# The results for the older forms of identifiers.
OLD_PID = b"X" + NODE + bytes(11) + b"\3"
OLD_PORT = b"Y" + NODE + bytes(7) + b"\3"
NEW_REF = b"Z\0\1" + NODE + b"\0\0\0\3" + bytes(4)
OLD_REF = b"Z\0\1" + NODE + b"\0\0\0\3\0\0\0\5"

# external form (without the version), term, form that inetpy writes (None: the same)
FORMS: list[tuple[str, bytes, object, bytes | None]] = [
    ("SMALL_INTEGER_EXT", b"a\xff", 255, None),
    ("INTEGER_EXT", b"b\xff\xff\xff\xff", -1, None),
    ("INTEGER_EXT, not shortest", b"b\0\0\0\1", 1, b"a\1"),
    ("SMALL_BIG_EXT", b"n\4\0\0\0\0\x80", 1 << 31, None),
    ("SMALL_BIG_EXT, negative", b"n\4\1\1\0\0\x80", -(1 << 31) - 1, None),
    ("SMALL_BIG_EXT, leading zeros", b"n\5\0\1\0\0\0\0", 1, b"a\1"),
    ("SMALL_BIG_EXT, negative zero", b"n\1\1\0", 0, b"a\0"),
    ("SMALL_BIG_EXT, empty", b"n\0\0", 0, b"a\0"),
    ("LARGE_BIG_EXT", b"o\0\0\1\0\0" + b"\0" * 255 + b"\1", 1 << 2040, None),
    ("NEW_FLOAT_EXT", b"F\x3f\xf8\0\0\0\0\0\0", 1.5, None),
    ("FLOAT_EXT", b"c" + b"1.50000000000000000000e+00".ljust(31, b"\0"), 1.5, b"F\x3f\xf8\0\0\0\0\0\0"),
    ("ATOM_EXT", b"d\0\1" + LATIN_1, Atom("é"), b"w\2" + "é".encode()),
    ("SMALL_ATOM_EXT", b"s\1" + LATIN_1, Atom("é"), b"w\2" + "é".encode()),
    ("ATOM_UTF8_EXT", b"v\0\1a", A, b"w\1a"),
    ("ATOM_UTF8_EXT, long", b"v\1\x0e" + "漢".encode() * 90, Atom("漢" * 90), None),
    ("SMALL_ATOM_UTF8_EXT", b"w\1a", A, None),
    ("empty atom", b"w\0", Atom(""), None),
    ("SMALL_TUPLE_EXT", b"h\2a\1w\1a", (1, A), None),
    ("SMALL_TUPLE_EXT, empty", b"h\0", (), None),
    ("LARGE_TUPLE_EXT", b"i\0\0\1\0" + b"a\7" * 256, (7,) * 256, None),
    ("LARGE_TUPLE_EXT, small", b"i\0\0\0\1a\7", (7,), b"h\1a\7"),
    ("NIL_EXT", b"j", [], None),
    ("STRING_EXT", b"k\0\3abc", Charlist(b"abc"), None),
    ("STRING_EXT, empty", b"k\0\0", [], b"j"),
    ("LIST_EXT", b"l\0\0\0\2w\1aa\1j", [A, 1], None),
    ("LIST_EXT of bytes", b"l\0\0\0\2a\1a\2j", [1, 2], b"k\0\2\1\2"),
    ("LIST_EXT, no elements", b"l\0\0\0\0w\1a", A, b"w\1a"),
    ("LIST_EXT, list as tail", b"l\0\0\0\1w\1al\0\0\0\1a\1j", [A, 1], b"l\0\0\0\2w\1aa\1j"),
    ("LIST_EXT, string as tail", b"l\0\0\0\1w\1ak\0\1\1", [A, 1], b"l\0\0\0\2w\1aa\1j"),
    ("improper LIST_EXT", b"l\0\0\0\1w\1aw\1a", ImproperList([A], A), None),
    ("BINARY_EXT", b"m\0\0\0\3abc", b"abc", None),
    ("BIT_BINARY_EXT", b"M\0\0\0\2\3\xff\xe0", BitString(b"\xff\xff", 3), None),
    ("BIT_BINARY_EXT, whole bytes", b"M\0\0\0\1\x08a", b"a", b"m\0\0\0\1a"),
    ("MAP_EXT", b"t\0\0\0\1w\1aa\1", {A: 1}, None),
    ("MAP_EXT, empty", b"t\0\0\0\0", {}, None),
    ("EXPORT_EXT", b"qw\1aw\1aa\2", Export(A, A, 2), None),
    ("NEW_PID_EXT", b"X" + NODE + bytes(12), Pid(b"X" + NODE + bytes(12)), None),
    ("PID_EXT", b"g" + LATIN_NODE + bytes(8) + b"\3", Pid(OLD_PID), OLD_PID),
    ("NEW_PORT_EXT", b"Y" + NODE + bytes(8), Port(b"Y" + NODE + bytes(8)), None),
    ("PORT_EXT", b"f" + NODE + bytes(4) + b"\3", Port(OLD_PORT), OLD_PORT),
    ("V4_PORT_EXT", b"x" + NODE + b"\1" + bytes(11), Port(b"x" + NODE + b"\1" + bytes(11)), None),
    ("V4_PORT_EXT, small", b"x" + NODE + bytes(12), Port(b"Y" + NODE + bytes(8)), b"Y" + NODE + bytes(8)),
    ("NEWER_REFERENCE_EXT", b"Z\0\2" + NODE + bytes(12), Ref(b"Z\0\2" + NODE + bytes(12)), None),
    ("NEW_REFERENCE_EXT", b"r\0\1" + NODE + b"\3" + bytes(4), Ref(NEW_REF), NEW_REF),
    ("REFERENCE_EXT", b"e" + NODE + b"\0\0\0\5\3", Ref(OLD_REF), OLD_REF),
]  # fmt: skip

# bytes after the version, tag and text of the error
BAD: list[tuple[str, bytes, int | None]] = [
    ("nothing", b"", None),
    ("a second version byte", b"\x83a\1", 131),
    ("an unknown tag", b"\0", 0),
    ("FUN_EXT, gone since OTP 23", b"u\0\0\0\0", 117),
    ("a nested compressed term", b"h\1P\0\0\0\2", 80),
    ("a count without elements", b"h\5a\1", 104),
    ("four thousand million elements", b"i\xff\xff\xff\xffa\1", 105),
    ("four thousand million list elements", b"l\xff\xff\xff\xffa\1", 108),
    ("four thousand million pairs", b"t\xff\xff\xff\xffa\1", 116),
    ("4 GB of binary", b"m\xff\xff\xff\xffa", 109),
    ("4 GB of bits", b"M\xff\xff\xff\xff\1a", 77),
    ("4 GB of integer", b"o\xff\xff\xff\xff\0a", 111),
    ("a string that ends early", b"k\0\5abc", 107),
    ("not a number", b"F\x7f\xf8\0\0\0\0\0\0", 70),
    ("infinity", b"F\x7f\xf0\0\0\0\0\0\0", 70),
    ("text that is no float", b"c" + b"nan".ljust(31, b"\0"), 99),
    ("text with a separator", b"c" + b"1_0.0".ljust(31, b"\0"), 99),
    ("an atom of 256 characters", b"v\1\0" + b"a" * 256, 118),
    ("an atom that is not UTF-8", b"w\1\xff", 119),
    ("a surrogate in an atom", b"w\3\xed\xa0\x80", 119),
    ("bits in no bytes", b"M\0\0\0\0\3", 77),
    ("bytes of no bits", b"M\0\0\0\1\0a", 77),
    ("nine bits in a byte", b"M\0\0\0\1\x09a", 77),
    ("a reference of six words", b"Z\0\6" + NODE + bytes(28), 90),
    ("a reference of no words", b"Z\0\0" + NODE + bytes(4), 90),
    ("a pid without a node", b"Xa\1" + bytes(12), 88),
    ("an export with a large arity", b"qw\1aw\1ab\0\0\0\1", 113),
    ("a duplicate key", b"t\0\0\0\2w\1aa\1w\1aa\2", 116),
    ("a fun without an end", b"p\0\0\0\x20" + bytes(10), 112),
    (
        "a fun of a wrong size",
        b"p\0\0\0\x40\0" + bytes(24) + b"w\1aa\1a\1X" + NODE + bytes(12) + bytes(40),
        112,
    ),
    ("bytes after the term", b"a\1a\1", None),
]


@pytest.mark.parametrize(
    ("data", "term", "written"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS]
)
def test_form(data: bytes, term: object, written: bytes | None) -> None:
    """Each form is read, and written as the emulator writes it."""
    assert decode(b"\x83" + data) == term
    assert type(decode(b"\x83" + data)) is type(term)
    assert encode(term) == b"\x83" + (data if written is None else written)


@pytest.mark.parametrize(("data", "tag"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_bad_form(data: bytes, tag: int | None) -> None:
    """A bad form is refused with its tag and offset."""
    with pytest.raises(EtfError) as raised:
        decode(b"\x83" + data)
    assert raised.value.tag == tag
    assert raised.value.offset is not None


@pytest.mark.parametrize("data", [b"", b"\x82a\1", b"\x83"], ids=["empty", "wrong version", "version only"])
def test_bad_start(data: bytes) -> None:
    """Data with a bad first byte is refused."""
    with pytest.raises(EtfError):
        decode(data)


def test_error_says_where() -> None:
    """The text of an error has the name of the tag and the offset."""
    with pytest.raises(EtfError, match=r"truncated in INTEGER_EXT \(98\) at offset 3"):
        decode(b"\x83h\1b\0")


@pytest.mark.parametrize(
    "opening",
    [b"h\1", b"l\0\0\0\1", b"t\0\0\0\1a\1", b"t\0\0\0\1"],
    ids=["tuples", "lists", "values", "keys"],
)
def test_depth_is_limited(opening: bytes) -> None:
    """A hundred thousand levels are refused. The number of levels in the limit is read."""
    with pytest.raises(EtfError, match="nested deeper"):
        decode(b"\x83" + opening * 100_000)
    data = b"\x83" + b"h\1" * 50 + b"a\1"
    assert decode(data, Limits(depth=50)) is not None
    with pytest.raises(EtfError, match="nested deeper"):
        decode(data, Limits(depth=49))


NESTED: dict[str, Callable[[object], object]] = {
    "tuple": lambda term: (term,),
    "list": lambda term: [term, 2],
    "improper": lambda term: ImproperList([term], Atom("end")),
    "value": lambda term: {Atom("key"): term},
    "key": lambda term: Map([(term, 1)]),
}


@pytest.mark.parametrize("levels", [1, 3, 50, 9_000])
@pytest.mark.parametrize("nest", NESTED)
def test_deep_parts_are_left(nest: str, levels: int) -> None:
    """Parts nested too deeply stay as bytes, the rest is read, and the term is written back unchanged."""
    term: object = (Atom("x"), b"data", 2.5, 1 << 100, Charlist(b"text"), Pid(b"Xw\3a@b" + bytes(12)))
    for _ in range(levels if nest != "key" else min(levels, 50)):
        term = NESTED[nest](term)
    data = encode((Atom("op"), 1, term, [3]))
    read = decode(data, Limits(depth=3, leave_deep=True))
    assert isinstance(read, tuple)
    assert (read[0], read[1], read[3]) == (Atom("op"), 1, [3])
    assert encode(read) == data
    assert ("Unread" in repr(read)) is (levels > 1)


@pytest.mark.parametrize("form", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_parts_of_what_is_left_are_skipped(form: bytes) -> None:
    """A skipped form has the same size as a decoded one."""
    limits = Limits(depth=1, leave_deep=True)
    data = b"\x83h\2h\1" + form + b"a\7"
    assert decode(data, limits) == (Unread(b"h\1" + form), 7)
    with pytest.raises(EtfError):
        decode(data[:-3], limits)


@pytest.mark.parametrize("form", [b"\0", b"l\xff\xff\xff\xffa\1", b"h\2a\1", b"m\0\0\0\5abc", b"p\0\0\1\0"])
def test_bad_parts_of_what_is_left(form: bytes) -> None:
    """Unknown tags and missing bytes are errors in skipped parts too."""
    with pytest.raises(EtfError):
        decode(b"\x83h\1h\1" + form, Limits(depth=1, leave_deep=True))


def test_deep_terms_are_written_and_read() -> None:
    """Neither direction uses the stack."""
    term: object = 1
    for _ in range(9_000):
        term = (term,)
    data = encode(term)
    read = decode(data)
    assert encode(read) == data
    while isinstance(read, tuple):
        read = read[0]
    assert read == 1


def test_a_cycle_has_an_end() -> None:
    """A list that contains itself is refused, not written for ever."""
    endless: list[object] = []
    endless.append(endless)
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(EtfError, match="deeper"):
        encode(endless)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_zip_bomb_is_bounded() -> None:
    """Decompression stops at the announced size."""
    bomb = zlib.compress(b"m\7\0\0\0" + bytes(100_000_000), 9)
    with pytest.raises(EtfError, match="not 1000 bytes"):
        decode(b"\x83P" + (1000).to_bytes(4, "big") + bomb)
    with pytest.raises(EtfError, match="limit"):
        decode(b"\x83P\xff\xff\xff\xff" + bomb)


@pytest.mark.parametrize("packed", [b"", b"no zlib", zlib.compress(b"a\1")[:-1], zlib.compress(b"a\1a\1")])
def test_bad_compressed_term(packed: bytes) -> None:
    """Bad data, truncated data and a wrong size are refused."""
    with pytest.raises(EtfError) as raised:
        decode(b"\x83P\0\0\0\2" + packed)
    assert raised.value.tag == 80


def test_prefix_tells_what_it_used() -> None:
    """decode_prefix returns the size of the term, also of a compressed one."""
    assert decode_prefix(b"\x83a\1rest") == (1, 3)
    packed = b"\x83P\0\0\0\2" + zlib.compress(b"a\1")
    assert decode_prefix(packed + b"rest") == (1, len(packed))


def test_keys_that_python_confuses() -> None:
    """1 and 1.0, atoms and binaries, true and 1 are different keys."""
    pairs = [
        (1, b"int"),
        (1.0, b"float"),
        (Atom("true"), b"atom"),
        (b"true", b"binary"),
        (-0.0, b"-0"),
        (0.0, b"0"),
    ]
    term = decode(encode(Map(pairs)))
    assert isinstance(term, Map)
    assert [term[key] for key, _ in pairs] == [value for _, value in pairs]
    assert list(term.items()) == pairs
    assert len(term) == len(pairs)
    plain = decode(encode({Atom("true"): 1, b"true": 2, 1: 3}))
    assert plain == {Atom("true"): 1, b"true": 2, 1: 3}


def test_keys_that_python_cannot_hash() -> None:
    """Lists and maps may be keys."""
    term = decode(encode(Map([([A, 1], 1), ({A: 1}, 2), ((A, []), 3)])))
    assert isinstance(term, Map)
    assert term[[A, 1]] == 1
    assert term[{A: 1}] == 2
    assert term[A, []] == 3
    with pytest.raises(KeyError):
        term[A]


def test_charlists_and_binaries_stay_apart() -> None:
    """A charlist equals the list of its integers, and never a binary."""
    term = decode(b"\x83k\0\3abc")
    assert term != b"abc"
    assert term == [97, 98, 99]
    assert str(term) == "abc"


def test_long_charlist() -> None:
    """A charlist that is too long for STRING_EXT is written as a list."""
    term = Charlist(bytes(70000))
    assert decode(encode(term)) == [0] * 70000


@pytest.mark.parametrize(
    ("value", "term"),
    [
        (True, Atom("true")),
        (False, Atom("false")),
        (None, Atom("undefined")),
        ("é", "é".encode()),
        (bytearray(b"x"), b"x"),
    ],
)
def test_python_conveniences(value: object, term: object) -> None:
    """Python values without an exact term are written as a similar term."""
    assert decode(encode(value)) == term


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        object(),
        {1, 2},
        Atom("a" * 256),
        "\ud800",
        Atom("\ud800"),
        Export(A, A, 256),
    ],
)
def test_what_has_no_form(value: object) -> None:
    """Values without an external form raise EtfError."""
    with pytest.raises(EtfError):
        encode(value)


def test_parts_of_identifiers() -> None:
    """Identifiers have properties for node, numbers and creation."""
    pid = Pid(b"X" + NODE + b"\0\0\0\1\0\0\0\2\0\0\0\3")
    assert (pid.node, pid.parts) == ("a@b", (1, 2, 3))
    port = Port(b"Y" + NODE + b"\0\0\0\1\0\0\0\2")
    assert (port.node, port.parts) == ("a@b", (1, 2))
    ref = Ref(b"Z\0\2" + NODE + b"\0\0\0\1\0\0\0\2\0\0\0\3")
    assert (ref.node, ref.parts) == ("a@b", ((2, 3), 1))


def test_fun_is_kept_whole() -> None:
    """A closure is written back unchanged."""
    inside = b"w\1aa\1a\1X" + NODE + bytes(12) + b"k\0\3abc"
    data = b"p" + (29 + len(inside)).to_bytes(4, "big") + b"\2" + bytes(16) + bytes(4) + b"\0\0\0\1" + inside
    fun = decode(b"\x83" + data)
    assert isinstance(fun, Fun)
    assert fun.arity == 2
    assert encode((fun, 1)) == b"\x83h\2" + data + b"a\1"
