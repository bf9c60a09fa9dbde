"""The External Term Format: bytes to terms and back.

Reference: erl_ext_dist, "External Term Format". Decoding accepts every tag
that OTP 25 to 28 send or accept outside of the distribution header; encoding
writes what OTP 26 and later write (atoms in UTF-8), which OTP 25 writes with
`{minor_version, 2}`.

Neither direction recurses: a deeply nested term uses heap, not stack. Every count and length is
checked against the remaining bytes, and against `Limits`, before anything of that size is
allocated. Time and memory are linear in the number of bytes and elements, also for hostile input:
a list that is the tail of another list is read into the same list, a fun inside a fun is not
copied, and maps are compared by digest.

With the compiled codec (see `implementation`), its `decode`, `encode` and `encode_body` replace
those of this module. They call the functions of this module for rare terms and for every error.

Not here: the distribution header and its atom cache. They belong to the distribution protocol.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct, error as struct_error
from typing import TYPE_CHECKING, Any

from .implementation import compiled
from .show import shown
from .terms import (
    NATIVE,
    Atom,
    BitString,
    Charlist,
    Export,
    Fun,
    ImproperList,
    LocalTerm,
    Pid,
    Port,
    Ref,
    Unread,
)

__all__ = [
    "DEFAULT_LIMITS",
    "EtfError",
    "Limits",
    "Map",
    "decode",
    "decode_frames",
    "decode_prefix",
    "encode",
]

VERSION = 131

TAGS = {
    70: "NEW_FLOAT_EXT",
    77: "BIT_BINARY_EXT",
    80: "COMPRESSED",
    88: "NEW_PID_EXT",
    89: "NEW_PORT_EXT",
    90: "NEWER_REFERENCE_EXT",
    97: "SMALL_INTEGER_EXT",
    98: "INTEGER_EXT",
    99: "FLOAT_EXT",
    100: "ATOM_EXT",
    101: "REFERENCE_EXT",
    102: "PORT_EXT",
    103: "PID_EXT",
    104: "SMALL_TUPLE_EXT",
    105: "LARGE_TUPLE_EXT",
    106: "NIL_EXT",
    107: "STRING_EXT",
    108: "LIST_EXT",
    109: "BINARY_EXT",
    110: "SMALL_BIG_EXT",
    111: "LARGE_BIG_EXT",
    112: "NEW_FUN_EXT",
    113: "EXPORT_EXT",
    114: "NEW_REFERENCE_EXT",
    115: "SMALL_ATOM_EXT",
    116: "MAP_EXT",
    118: "ATOM_UTF8_EXT",
    119: "SMALL_ATOM_UTF8_EXT",
    120: "V4_PORT_EXT",
    121: "LOCAL_EXT",
}

MAX_ATOM_CHARACTERS = 255
MAX_REFERENCE_WORDS = 5
MAX_COLLISIONS = 64  # keys with the same hash that a dict may have; a few are normal


class EtfError(ValueError):
    """The bytes are not a valid term, or the value has no external form.

    `tag` is the tag that was being read, `offset` its position in the data. For a compressed term
    the position is that in the inflated data. Both are None when encoding.
    """

    def __init__(self, reason: str, tag: int | None = None, offset: int | None = None) -> None:
        self.reason = reason
        self.tag = tag
        self.offset = offset
        where = ""
        if offset is not None:
            name = "" if tag is None else f" in {TAGS.get(tag, 'unknown tag')} ({tag})"
            where = f"{name} at offset {offset}"
        super().__init__(reason + where)


@dataclass(frozen=True, slots=True)
class Limits:
    """What decoding one term may cost.

    `depth`: levels of nesting. `inflated`: bytes after decompression; 0 refuses every compressed
    term. `elements`: elements of all lists, tuples and maps together. An element takes up to some
    hundred bytes of memory.

    A term that is nested deeper than `depth` raises EtfError. With `leave_deep`, each part that is
    too deep becomes an `Unread`, and the rest is decoded.
    """

    depth: int = 10_000
    inflated: int = 256 * 1024 * 1024
    elements: int = 10_000_000
    leave_deep: bool = False


DEFAULT_LIMITS = Limits()


class Map(Mapping[object, object]):
    """An immutable map for keys that a `dict` would merge (`1` and `1.0`) or refuse (lists).

    It is made from (key, value) pairs. Two keys are equal if Erlang's `=:=` says so. `decode`
    returns a `dict` where a `dict` can hold the map without loss. It returns a `Map` otherwise, and
    for a map with many keys of the same hash, with which a `dict` would be slow.
    """

    __slots__ = ("_digest", "_entries")

    def __init__(self, pairs: Iterable[tuple[object, object]]) -> None:
        self._digest: bytes | None = None  # computed on demand
        self._entries: dict[bytes, tuple[object, object]] = {}
        for key, value in pairs:
            identity = _identity(key)
            if identity in self._entries:
                raise ValueError(f"duplicate key {shown(key)}")
            self._entries[identity] = (key, value)

    def __getitem__(self, key: object) -> object:
        try:
            return self._entries[_identity(key)][1]
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[object]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> _Items:
        """The (key, value) pairs in the order of the external form."""
        return _Items(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and _identity(self) == _identity(other)

    def __hash__(self) -> int:
        return hash(_identity(self))

    def __repr__(self) -> str:
        return f"Map({list(self._entries.values())!r})"


class _Items(ItemsView[object, object]):
    """The pairs, without looking up each key."""

    def __init__(self, entries: Map) -> None:
        super().__init__(entries)
        self._pairs = entries._entries.values()

    def __iter__(self) -> Iterator[tuple[object, object]]:
        return iter(self._pairs)

    def __reversed__(self) -> Iterator[tuple[object, object]]:
        return reversed(self._pairs)


def _identity(term: object) -> bytes:
    """A key for `term`: two terms have the same bytes if they are `=:=` (for -0.0 as OTP 27 does)."""
    return _write(term, _digest)


def _digest(entries: list[bytes]) -> bytes:
    """Replaces a map in an identity. Its fixed size keeps maps inside the keys of maps cheap."""
    from hashlib import blake2b

    return b"\xff" + blake2b(b"".join(entries), digest_size=32).digest()


# --- decoding ---------------------------------------------------------------

_U16 = Struct(">H").unpack_from
_U32 = Struct(">I").unpack_from
_I32 = Struct(">i").unpack_from
_U64 = Struct(">Q").unpack_from
_F64 = Struct(">d").unpack_from

# The same few atoms are decoded again and again. Key: the external form of the atom.
_ATOM_CACHE_SIZE = 4096
_atom_cache: dict[bytes, Atom] = {}

_TERM, _TUPLE, _LIST, _MAP, _FUN = range(5)


def decode(
    data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS, *, native: bool = False
) -> object:
    """The term in `data`, which holds exactly one term.

    With `native`, the atoms `true` and `false` become `True` and `False`, and `undefined` and `nil`
    become `None`, at every place in the term. Without it they are `Atom`s.

    If `data` is a memoryview, large binaries may be returned as memoryviews of it, like the
    sub-binaries of the emulator. Such a view is not a copy; it keeps all of `data` in memory.

    Raises EtfError, with tag and offset, for bad data and for a term over the limits.
    """
    term, used = decode_prefix(data, limits, native=native)
    if used != len(data):
        raise EtfError(f"{len(data) - used} bytes after the term", None, used)
    return term


def decode_frames(data: bytes, pos: int, large: int, limits: Limits) -> tuple[list[tuple[Any, ...]], int]:
    """The terms of the frames in `data` from `pos` on, and where the next frame begins.

    A frame has four bytes before it, which say how long it is (`{packet, 4}`). The next is not whole, has
    `large` bytes or more, or holds no tuple.
    """
    terms: list[tuple[Any, ...]] = []
    end = len(data)
    while end - pos >= 4:
        start = pos + 4
        size = int.from_bytes(data[pos:start], "big")
        if size >= large or size > end - start:
            break
        try:
            term = decode(data[start : start + size], limits)
        except EtfError:
            break
        if type(term) is not tuple:
            break
        terms.append(term)
        pos = start + size
    return terms, pos


def decode_prefix(
    data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS, *, native: bool = False
) -> tuple[object, int]:
    """(the term at the start of `data`, the number of bytes it takes)."""
    if type(data) is not bytes:
        data = bytes(data)
    if not data:
        raise EtfError("no data", None, 0)
    if data[0] != VERSION:
        raise EtfError(f"version byte is {data[0]}, not {VERSION}", None, 0)
    if len(data) > 1:
        if data[1] == 80:
            return _decode_compressed(data, limits, native)
        if data[1] == 121:
            return LocalTerm(data[1:]), len(data)
    return _decode(data, 1, limits, native)


def _decode_compressed(data: bytes, limits: Limits, native: bool) -> tuple[object, int]:
    if not limits.inflated:
        raise EtfError("a compressed term is not accepted here", 80, 1)
    if len(data) < 6:
        raise EtfError("truncated", 80, 1)
    (size,) = _U32(data, 2)
    if size > limits.inflated:
        raise EtfError(f"inflated size {size} is over the limit of {limits.inflated}", 80, 1)
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data[6:], size + 1)
    except zlib.error as error:
        raise EtfError(f"bad zlib data ({error})", 80, 1) from None
    if len(plain) != size or not inflater.eof:
        raise EtfError(f"inflated data is not {size} bytes long", 80, 1)
    term, used = _decode(plain, 0, limits, native)
    if used != size:
        raise EtfError(f"{size - used} bytes after the compressed term", 80, 1)
    return term, len(data) - len(inflater.unused_data)


def _decode(data: bytes, pos: int, limits: Limits, native: bool) -> tuple[object, int]:
    """(the term at `pos`, the offset behind it).

    The container that is being filled is (kind, items, remaining, opened): its type, its parts so
    far, the number of missing parts, and the offset of its tag. The containers around it are on the
    stack `enclosing`. The outermost is a list of one term.
    """
    end = len(data)
    depth = limits.depth
    room = limits.elements
    funs = 0  # number of funs around the current position
    enclosing: list[tuple[int, list[object], int, int]] = []
    items: list[object] = []
    kind, remaining, opened = _TERM, 1, pos
    start = pos
    tag: int | None = None
    value: object
    try:
        while True:
            start = pos
            tag = None
            tag = data[pos]
            if tag == 97:
                value = data[pos + 1]
                pos += 2
            elif tag == 119 or tag == 115 or tag == 100 or tag == 118:
                if tag == 119 or tag == 115:
                    pos += 2 + data[pos + 1]
                else:
                    pos += 3 + _U16(data, pos + 1)[0]
                atom = _atom_cache.get(data[start:pos])
                if atom is None:
                    atom = _atom(data, start, pos)
                value = NATIVE.get(atom.name, atom) if native else atom
            elif tag == 104 or tag == 105:
                if tag == 104:
                    count = data[pos + 1]
                    pos += 2
                else:
                    (count,) = _U32(data, pos + 1)
                    pos += 5
                if not count:
                    value = ()
                elif count > end - pos:
                    raise EtfError(f"{count} elements in {end - pos} bytes", tag, start)
                elif len(enclosing) < depth:
                    room -= count
                    if room < 0:
                        raise EtfError(f"more than {limits.elements} elements", tag, start)
                    enclosing.append((kind, items, remaining, opened))
                    kind, items, remaining, opened = _TUPLE, [], count, start
                    continue
                else:
                    value, pos = _deep(data, start, limits)
            elif tag == 109:
                (count,) = _U32(data, pos + 1)
                pos += 5
                if count > end - pos:
                    raise EtfError(f"{count} bytes announced, {end - pos} there", tag, start)
                value = data[pos : pos + count]
                pos += count
            elif tag == 106:
                value = []
                pos += 1
            elif tag == 98:
                (value,) = _I32(data, pos + 1)
                pos += 5
            elif tag == 108 or tag == 116:
                (count,) = _U32(data, pos + 1)
                pos += 5
                needed = count + 1 if tag == 108 else 2 * count
                if needed > end - pos:
                    raise EtfError(f"{count} entries in {end - pos} bytes", tag, start)
                continues_list = tag == 108 and kind == _LIST and remaining == 1
                room -= count if continues_list else needed
                if room < 0:
                    raise EtfError(f"more than {limits.elements} elements", tag, start)
                if continues_list:
                    remaining += count
                    continue
                if not needed:
                    value = {}
                elif len(enclosing) < depth:
                    enclosing.append((kind, items, remaining, opened))
                    kind = _LIST if tag == 108 else _MAP
                    items, remaining, opened = [], needed, start
                    continue
                else:
                    value, pos = _deep(data, start, limits)
            elif tag == 107:
                (count,) = _U16(data, pos + 1)
                pos += 3
                if count > end - pos:
                    raise EtfError(f"{count} bytes announced, {end - pos} there", tag, start)
                value = Charlist(data[pos : pos + count]) if count else []
                pos += count
                if kind == _LIST and remaining == 1:  # a tail: its integers become elements
                    room -= count
                    if room < 0:
                        raise EtfError(f"more than {limits.elements} elements", tag, start)
            elif tag == 112:
                (size,) = _U32(data, pos + 1)
                (free,) = _U32(data, pos + 26)
                if pos + 1 + size > end:
                    raise EtfError(f"{size} bytes announced, {end - pos - 1} there", tag, start)
                if free > size:
                    raise EtfError(f"{free} free variables in {size} bytes", tag, start)
                room -= free
                if room < 0:
                    raise EtfError(f"more than {limits.elements} elements", tag, start)
                if len(enclosing) < depth:
                    pos += 30
                    funs += 1
                    enclosing.append((kind, items, remaining, opened))
                    # module, old index, old uniq, pid, then the free variables
                    kind, items, remaining, opened = _FUN, [], free + 4, start
                    continue
                value, pos = _deep(data, start, limits)
            else:
                leaf = _LEAVES.get(tag)
                if leaf is None:
                    raise EtfError("unknown tag", tag, start)
                value, pos = leaf(data, pos)
                if pos > end:
                    raise IndexError
            # `value` is complete. Add it to its container, and close every container that is full now.
            items.append(value)
            remaining -= 1
            while not remaining:
                if kind == _TUPLE:
                    value = tuple(items)
                elif kind == _LIST:
                    value = _build_list(items)
                elif kind == _MAP:
                    value = _build_map(items, opened)
                elif kind == _FUN:
                    funs -= 1
                    value = _build_fun(data, opened, pos, within=funs > 0)
                else:
                    return items[0], pos
                kind, items, remaining, opened = enclosing.pop()
                items.append(value)
                remaining -= 1
    except (IndexError, struct_error):
        raise EtfError("truncated", tag, start) from None


def _deep(data: bytes, start: int, limits: Limits) -> tuple[Unread, int]:
    """(the container at `start`, which is nested too deeply, as bytes; the offset behind it)."""
    if not limits.leave_deep:
        raise EtfError(f"nested deeper than {limits.depth}", data[start], start)
    end = _skip(data, start)
    return Unread(data[start:end]), end


# tag -> (size of the head of a container, function that gives the number of parts)
_CONTAINERS: dict[int, tuple[int, Callable[[bytes, int], int]]] = {
    104: (2, lambda data, pos: data[pos + 1]),
    105: (5, lambda data, pos: _U32(data, pos + 1)[0]),
    108: (5, lambda data, pos: _U32(data, pos + 1)[0] + 1),
    116: (5, lambda data, pos: 2 * _U32(data, pos + 1)[0]),
}
# tag -> function that gives the size of a term without parts
_SIZES: dict[int, Callable[[bytes, int], int]] = {
    97: lambda _data, _pos: 2,
    98: lambda _data, _pos: 5,
    100: lambda data, pos: 3 + _U16(data, pos + 1)[0],
    106: lambda _data, _pos: 1,
    107: lambda data, pos: 3 + _U16(data, pos + 1)[0],
    109: lambda data, pos: 5 + _U32(data, pos + 1)[0],
    112: lambda data, pos: 1 + _U32(data, pos + 1)[0],
    115: lambda data, pos: 2 + data[pos + 1],
    118: lambda data, pos: 3 + _U16(data, pos + 1)[0],
    119: lambda data, pos: 2 + data[pos + 1],
}


def _skip(data: bytes, pos: int) -> int:
    """The offset behind the term at `pos`. Builds nothing, so any depth is cheap."""
    missing = 1
    while missing:
        if missing > len(data) - pos:
            raise IndexError
        tag = data[pos]
        missing -= 1
        if tag in _CONTAINERS:
            head, count = _CONTAINERS[tag]
            missing += count(data, pos)
            pos += head
        elif tag in _SIZES:
            pos += _SIZES[tag](data, pos)
        elif tag in _LEAVES:
            pos = _LEAVES[tag](data, pos)[1]
        else:
            raise EtfError("unknown tag", tag, pos)
    if pos > len(data):
        raise IndexError
    return pos


def _build_list(items: list[object]) -> object:
    """A list from its elements followed by its tail."""
    tail = items.pop()
    if type(tail) is list or not items:
        return items or tail
    if type(tail) is Charlist:
        items.extend(tail.data)
        return items
    return ImproperList(items, tail)


def _build_map(items: list[object], start: int) -> object:
    keys = items[::2]
    values = items[1::2]
    try:
        if len(keys) <= MAX_COLLISIONS or not _has_many_collisions(keys):
            plain = dict(zip(keys, values, strict=True))
            if len(plain) == len(keys):
                return plain
    except (TypeError, RecursionError):  # a key is not hashable, or is nested too deeply
        pass
    try:
        return Map(zip(keys, values, strict=True))
    except ValueError as error:
        raise EtfError(str(error), 116, start) from None


def _has_many_collisions(keys: list[object]) -> bool:
    """Whether many of `keys` have the same hash, which would make a dict slow. Integers can be chosen so."""
    if set(map(type, keys)) <= {Atom, bytes}:
        return False  # their hashes are randomised
    from collections import Counter

    return max(Counter(map(hash, keys)).values()) > MAX_COLLISIONS


def _build_fun(data: bytes, start: int, end: int, within: bool) -> Fun:
    """The fun at `start`, as its bytes. Its parts were decoded only to check its size.

    A fun inside another fun (`within`) is a part of the outer bytes. It only gets a unique
    placeholder, because it could be a key of a map.
    """
    (size,) = _U32(data, start + 1)
    if start + 1 + size != end:
        raise EtfError(f"size is {size}, its parts take {end - start - 1}", 112, start)
    return Fun(b"p%d" % start if within else data[start:end])


def _atom(data: bytes, start: int, pos: int) -> Atom:
    """The atom with the external form data[start:pos]. Checks it, and adds it to the cache."""
    tag = data[start]
    raw = data[start:pos]
    if pos > len(data):
        raise IndexError
    text = raw[2:] if tag in (115, 119) else raw[3:]
    try:
        name = text.decode("latin-1" if tag in (100, 115) else "utf-8")
    except UnicodeDecodeError:
        raise EtfError("bad UTF-8", tag, start) from None
    if len(name) > MAX_ATOM_CHARACTERS:
        raise EtfError(f"atom of {len(name)} characters", tag, start)
    atom = Atom(name)
    if len(_atom_cache) < _ATOM_CACHE_SIZE:
        _atom_cache[raw] = atom
    return atom


def _inner_atom(data: bytes, pos: int, outer: int, start: int) -> tuple[Atom, int]:
    """(the atom at `pos`, the offset behind it). `outer` and `start`: the term around it, for errors."""
    tag = data[pos]
    if tag in (119, 115):
        end = pos + 2 + data[pos + 1]
    elif tag in (100, 118):
        end = pos + 3 + _U16(data, pos + 1)[0]
    else:
        raise EtfError("an atom was expected", outer, start)
    atom = _atom_cache.get(data[pos:end])
    return _atom(data, pos, end) if atom is None else atom, end


def _leaf_float(data: bytes, pos: int) -> tuple[object, int]:
    (value,) = _F64(data, pos + 1)
    if not math.isfinite(value):
        raise EtfError("not a finite number", 70, pos)
    return value, pos + 9


def _leaf_old_float(data: bytes, pos: int) -> tuple[object, int]:
    text = data[pos + 1 : pos + 32]
    if len(text) < 31:
        raise IndexError
    digits = text.split(b"\0", 1)[0]
    try:
        value = float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or b"_" in digits or digits != digits.strip():
        raise EtfError("not a finite number", 99, pos)
    return value, pos + 32


def _leaf_small_big(data: bytes, pos: int) -> tuple[object, int]:
    return _big(data, pos, 110, data[pos + 1], pos + 2)


def _leaf_large_big(data: bytes, pos: int) -> tuple[object, int]:
    return _big(data, pos, 111, _U32(data, pos + 1)[0], pos + 5)


def _big(data: bytes, start: int, tag: int, count: int, pos: int) -> tuple[object, int]:
    if count + 1 > len(data) - pos:
        raise EtfError(f"{count} bytes announced, {len(data) - pos - 1} there", tag, start)
    magnitude = int.from_bytes(data[pos + 1 : pos + 1 + count], "little")
    return -magnitude if data[pos] else magnitude, pos + 1 + count


def _leaf_bits(data: bytes, pos: int) -> tuple[object, int]:
    (count,) = _U32(data, pos + 1)
    bits = data[pos + 5]
    body = pos + 6
    if count > len(data) - body:
        raise EtfError(f"{count} bytes announced, {len(data) - body} there", 77, pos)
    if bits > 8 or (bits == 0) != (count == 0):
        raise EtfError(f"{bits} bits in the last of {count} bytes", 77, pos)
    raw = data[body : body + count]
    return BitString(raw, bits) if 0 < bits < 8 else raw, body + count


def _node_raw(data: bytes, pos: int, outer: int, start: int) -> tuple[bytes, int]:
    atom, end = _inner_atom(data, pos, outer, start)
    return _atom_raw(atom.name), end


def _leaf_pid(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 88, pos)
    return Pid(b"X" + node + _exactly(data, end, 12)), end + 12


def _leaf_old_pid(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 103, pos)
    words = _exactly(data, end, 9)
    return Pid(b"X" + node + words[:8] + b"\0\0\0" + words[8:]), end + 9


def _leaf_v4_port(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 120, pos)
    words = _exactly(data, end, 12)
    return _port(node, words[:8], words[8:]), end + 12


def _port(node: bytes, number: bytes, creation: bytes) -> Port:
    """The canonical form: numbers below 2**28 in the older form, larger ones in the newer."""
    if _U64(number, 0)[0] < 1 << 28:
        return Port(b"Y" + node + number[4:] + creation)
    return Port(b"x" + node + number + creation)


def _leaf_port(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 89, pos)
    words = _exactly(data, end, 8)
    return _port(node, b"\0\0\0\0" + words[:4], words[4:]), end + 8


def _leaf_old_port(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 102, pos)
    words = _exactly(data, end, 5)
    return _port(node, b"\0\0\0\0" + words[:4], b"\0\0\0" + words[4:]), end + 5


def _leaf_ref(data: bytes, pos: int) -> tuple[object, int]:
    count = _reference_words(data, pos, 90)
    node, end = _node_raw(data, pos + 3, 90, pos)
    size = 4 + 4 * count
    return Ref(b"Z" + data[pos + 1 : pos + 3] + node + _exactly(data, end, size)), end + size


def _leaf_new_ref(data: bytes, pos: int) -> tuple[object, int]:
    count = _reference_words(data, pos, 114)
    node, end = _node_raw(data, pos + 3, 114, pos)
    size = 1 + 4 * count
    raw = b"Z" + data[pos + 1 : pos + 3] + node + b"\0\0\0" + _exactly(data, end, size)
    return Ref(raw), end + size


def _leaf_old_ref(data: bytes, pos: int) -> tuple[object, int]:
    node, end = _node_raw(data, pos + 1, 101, pos)
    words = _exactly(data, end, 5)
    return Ref(b"Z\0\1" + node + b"\0\0\0" + words[4:] + words[:4]), end + 5


def _reference_words(data: bytes, pos: int, tag: int) -> int:
    (count,) = _U16(data, pos + 1)
    if not 1 <= count <= MAX_REFERENCE_WORDS:
        raise EtfError(f"a reference of {count} words", tag, pos)
    return int(count)


def _leaf_export(data: bytes, pos: int) -> tuple[object, int]:
    module, at = _inner_atom(data, pos + 1, 113, pos)
    function, at = _inner_atom(data, at, 113, pos)
    if data[at] != 97:
        raise EtfError("the arity is no small integer", 113, pos)
    return Export(module, function, data[at + 1]), at + 2


def _exactly(data: bytes, pos: int, count: int) -> bytes:
    part = data[pos : pos + count]
    if len(part) < count:
        raise IndexError
    return part


_LEAVES: dict[int, Callable[[bytes, int], tuple[object, int]]] = {
    70: _leaf_float,
    77: _leaf_bits,
    88: _leaf_pid,
    89: _leaf_port,
    90: _leaf_ref,
    99: _leaf_old_float,
    101: _leaf_old_ref,
    102: _leaf_old_port,
    103: _leaf_old_pid,
    110: _leaf_small_big,
    111: _leaf_large_big,
    113: _leaf_export,
    114: _leaf_new_ref,
    120: _leaf_v4_port,
}


# --- encoding ---------------------------------------------------------------

_PACK_U32 = Struct(">BI").pack
_PACK_I32 = Struct(">Bi").pack
_PACK_U16 = Struct(">BH").pack
_PACK_F64 = Struct(">Bd").pack


def encode(term: object, *, compressed: int = 0, deterministic: bool = False) -> bytes:
    """The external form of `term`, as OTP 26 and later write it.

    `compressed` is a zlib level from 1 to 9 (0: plain). As in OTP, a term stays plain if
    compression does not make it smaller. `deterministic` sorts the entries of maps.
    `True`, `False` and `None` become the atoms `true`, `false` and `undefined`; a `str` becomes a
    binary in UTF-8. Raises EtfError for a value that has no external form.
    """
    if type(term) is LocalTerm:
        return b"\x83" + term.raw
    body = PURE[2](term, deterministic)
    if compressed:
        packed = b"\x83P" + len(body).to_bytes(4, "big") + zlib.compress(body, compressed)
        if len(packed) < len(body) + 1:
            return packed
    return b"\x83" + body


def encode_body(term: object, deterministic: bool = False) -> bytes:
    """The external form without the version byte, to build larger terms from."""
    try:
        return _write(term, b"".join if deterministic else None)
    except EtfError as error:
        path = _path(term)
        raise EtfError(f"{path}: {error.reason}" if path else error.reason) from None


def _write(term: object, seal: Callable[[list[bytes]], bytes] | None) -> bytes:
    """The external form. With `seal`, the entries of maps are sorted, and `seal` joins them.

    In a sorted map, `out` has the pieces of the current entry and `entries` the entries before it.
    `enclosing` is the stack of the maps around it.
    """
    out: list[bytes] = []
    entries: list[bytes] = []
    enclosing: list[tuple[list[bytes], list[bytes], object]] = []
    todo: list[object] = [term]
    depth = 0
    while todo:
        part = todo.pop()
        simple = _SIMPLE.get(type(part))
        if simple is not None:
            out.append(simple(part))
        elif part is _CLOSE:
            depth -= 1
        elif part is _ENTRY:
            entries.append(b"".join(out))
            out.clear()
        elif part is _SEAL:
            assert seal is not None
            sealed = seal(sorted(entries))
            out, entries, whole = enclosing.pop()
            if seal is _digest and type(whole) is Map:
                whole._digest = sealed
            out.append(sealed)
        elif seal is _digest and type(part) is Map and part._digest is not None:
            out.append(part._digest)
        else:
            depth += 1
            if depth > DEFAULT_LIMITS.depth:
                raise EtfError(f"nested deeper than {depth - 1}, or within itself")
            todo.append(_CLOSE)
            if seal is not None and isinstance(part, (dict, Map)):
                out.append(_PACK_U32(116, len(part)))
                enclosing.append((out, entries, part))
                out, entries = [], []
                todo.append(_SEAL)
                for key, value in reversed(part.items()):
                    todo += (_ENTRY, value, key)
            else:
                _encode_container(part, out, todo)
    return b"".join(out)


def _encode_container(term: object, out: list[bytes], todo: list[object]) -> None:
    """Adds the head of `term` to `out`, and pushes its parts on `todo`, the first part on top."""
    if isinstance(term, tuple):
        count = len(term)
        out.append(bytes((104, count)) if count < 256 else _PACK_U32(105, count))
        todo.extend(reversed(term))
    elif isinstance(term, list):
        if not term:
            out.append(b"j")
        elif type(term[0]) is int and (text := _as_string(term)) is not None:
            out.append(_PACK_U16(107, len(text)) + text)
        else:
            out.append(_PACK_U32(108, len(term)))
            todo.append(_NIL)
            todo.extend(reversed(term))
    elif isinstance(term, (dict, Map)):
        out.append(_PACK_U32(116, len(term)))
        flat = [part for pair in term.items() for part in pair]
        todo.extend(reversed(flat))
    elif isinstance(term, ImproperList):
        out.append(_PACK_U32(108, len(term.items)))
        todo.append(term.tail)
        todo.extend(reversed(term.items))
    else:
        name = type(term).__name__
        raise EtfError(f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name} has no external form")


# --- where a term has no external form ------------------------------------------

PATH_STEPS = 20  # steps of a path that an error shows: half from its beginning, half from its end


def _path(term: object) -> str:
    """The path to the first part without an external form, like `[2]["key"]`, or an empty string."""
    todo: list[tuple[object, tuple[object, ...], int]] = [(term, (), 0)]
    while todo:
        part, path, depth = todo.pop()
        if depth > DEFAULT_LIMITS.depth:
            return ""  # the error is the depth itself
        try:
            simple = _SIMPLE.get(type(part))
            if simple is not None:
                simple(part)
            else:
                _encode_container(part, [], [])
                steps = [(inner, (path, *step), depth + 1) for inner, step in _steps(part)]
                todo.extend(reversed(steps))
        except EtfError:
            return _path_text(path)
    return ""


def _steps(term: object) -> Iterator[tuple[object, tuple[str, object]]]:
    """(part, (attribute, index or key)) for each part of a container, in the order of writing."""
    if isinstance(term, (dict, Map)):
        for index, (key, value) in enumerate(term.items()):
            yield key, (".keys()", index)
            yield value, ("", key)
    elif isinstance(term, ImproperList):
        yield from ((item, (".items", index)) for index, item in enumerate(term.items))
        yield term.tail, (".tail", _NIL)
    elif isinstance(term, (tuple, list)):
        yield from ((item, ("", index)) for index, item in enumerate(term))


def _path_text(path: tuple[object, ...]) -> str:
    """The text of a path, a linked list: (path before, attribute, index or key)."""
    steps = []
    while path:
        path, attribute, key = path  # type: ignore[assignment]
        steps.append(f"{attribute}{'' if key is _NIL else f'[{_key(key)}]'}")
    steps.reverse()
    if len(steps) > PATH_STEPS:
        half = PATH_STEPS // 2
        steps[half:-half] = [f"...({len(steps) - 2 * half} more)..."]
    return "".join(steps)


def _key(key: object) -> str:
    """The text of a key of a map in a path: `"key"`, `Atom('key')`."""
    if type(key) is not str:
        return shown(key)
    return f'"{repr(key[:60])[1:-1]}{"..." if len(key) > 60 else ""}"'


def _as_string(items: list[object]) -> bytes | None:
    """The bytes of a list that the emulator writes as STRING_EXT; None for other lists."""
    if len(items) > 65535 or set(map(type, items)) != {int}:
        return None
    try:
        return bytes(items)  # type: ignore[arg-type]
    except ValueError:
        return None


class _Nil:
    """The end of a proper list, as distinct from an empty list that is an element."""


_NIL = _Nil()
# Marks on the stack of `_write`.
_CLOSE = object()  # end of a container
_ENTRY = object()  # end of an entry of a sorted map
_SEAL = object()  # end of a sorted map


def _encode_int(value: int) -> bytes:
    if 0 <= value <= 255:
        return bytes((97, value))
    if -(1 << 31) <= value < 1 << 31:
        return _PACK_I32(98, value)
    magnitude = abs(value)
    raw = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "little")
    head = bytes((110, len(raw))) if len(raw) < 256 else _PACK_U32(111, len(raw))
    return head + (b"\1" if value < 0 else b"\0") + raw


def _encode_float(value: float) -> bytes:
    if not math.isfinite(value):
        raise EtfError(f"{value} is no Erlang float")
    return _PACK_F64(70, value)


def _atom_raw(name: str) -> bytes:
    raw = name.encode()
    if len(name) > MAX_ATOM_CHARACTERS:
        raise EtfError(f"atom of {len(name)} characters")
    return (bytes((119, len(raw))) if len(raw) < 256 else _PACK_U16(118, len(raw))) + raw


def _encode_atom(atom: Atom) -> bytes:
    try:
        return _atom_raw(atom.name)
    except UnicodeEncodeError:
        raise EtfError("an atom with surrogates") from None


def _encode_binary(value: bytes | bytearray | memoryview) -> bytes:
    return _PACK_U32(109, len(value)) + bytes(value)


def _encode_str(value: str) -> bytes:
    try:
        return _encode_binary(value.encode())
    except UnicodeEncodeError:
        raise EtfError("a string with surrogates") from None


def _encode_charlist(value: Charlist) -> bytes:
    data = value.data
    if not data:
        return b"j"
    if len(data) <= 65535:
        return _PACK_U16(107, len(data)) + data
    body = bytearray(2 * len(data))
    body[::2] = b"a" * len(data)
    body[1::2] = data
    return _PACK_U32(108, len(data)) + bytes(body) + b"j"


def _encode_export(value: Export) -> bytes:
    if not 0 <= value.arity <= 255:
        raise EtfError(f"an export of arity {value.arity}")
    return b"q" + _encode_atom(value.module) + _encode_atom(value.function) + bytes((97, value.arity))


def _encode_raw(value: Pid | Port | Ref | Fun | Unread) -> bytes:
    return value.raw


_SIMPLE: dict[type, Callable[..., bytes]] = {
    int: _encode_int,
    bool: lambda value: b"w\4true" if value else b"w\5false",
    type(None): lambda _: b"w\tundefined",
    float: _encode_float,
    Atom: _encode_atom,
    bytes: _encode_binary,
    bytearray: _encode_binary,
    memoryview: _encode_binary,
    str: _encode_str,
    Charlist: _encode_charlist,
    BitString: lambda value: _PACK_U32(77, len(value.data)) + bytes((value.bits,)) + value.data,
    Export: _encode_export,
    Pid: _encode_raw,
    Port: _encode_raw,
    Ref: _encode_raw,
    Fun: _encode_raw,
    Unread: _encode_raw,
    _Nil: lambda _: b"j",
}


# The pure functions, also when the compiled ones replace them below.
PURE = (decode, encode, encode_body)
PURE_FRAMES = decode_frames

if compiled is not None and not TYPE_CHECKING:
    compiled.connect(DEFAULT_LIMITS, *PURE, _atom, _build_list, _build_map, _LEAVES, _SIMPLE, EtfError)
    decode, encode, encode_body = compiled.decode, compiled.encode, compiled.encode_body
    decode_frames = compiled.decode_frames
    for pure in (*PURE, PURE_FRAMES):
        getattr(compiled, pure.__name__).__doc__ = pure.__doc__
