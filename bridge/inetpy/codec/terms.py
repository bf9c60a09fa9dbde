"""Classes for the Erlang terms that Python has no type for.

The classes are small, immutable values without behaviour. docs/terms.md has the whole mapping.

Identifiers (pids, ports, references) and funs are stored as the bytes of their external form,
because a bridge only passes them on. Decoding makes the form canonical, so equal identifiers are
equal bytes. Properties such as `node` and `parts` read the bytes on demand.

With the compiled codec the commonest of these classes are replaced by compiled ones: see
`implementation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import unpack_from
from typing import TYPE_CHECKING, Any

from .implementation import compiled

__all__ = [
    "Atom",
    "BitString",
    "Charlist",
    "Export",
    "Fun",
    "ImproperList",
    "LocalTerm",
    "Pid",
    "Port",
    "Ref",
    "Unread",
    "charlist",
]


# Atoms that `etf.decode` reads as Python values with `native=True`.
NATIVE: dict[str, bool | None] = {"true": True, "false": False, "undefined": None, "nil": None}

_set = object.__setattr__


class _Frozen:
    """Base of the value classes. Equality, hash, pattern and pickle use the slots in `__match_args__`."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in type(self).__match_args__)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self._key()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._key()))})"


class Atom(_Frozen):
    """An Erlang atom. Never equal to a `str`, so atom and binary keys stay apart.

    `name` is the text of the atom. In a pattern: `case (Atom("ok"), value)`. In a condition the
    atoms `false`, `undefined` and `nil` are false, and all other atoms are true.
    """

    __slots__ = ("name",)
    __match_args__ = ("name",)
    name: str

    def __init__(self, name: str) -> None:
        _set(self, "name", name)

    def __bool__(self) -> bool:
        return bool(NATIVE.get(self.name, True))

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Atom and self.name == other.name)

    def __hash__(self) -> int:
        return ~hash(self.name)

    def __str__(self) -> str:
        return self.name


class _Raw(_Frozen):
    """A term stored in its external form: with the tag, without the version byte."""

    __slots__ = ("raw",)
    __match_args__ = ("raw",)
    raw: bytes

    def __init__(self, raw: bytes) -> None:
        _set(self, "raw", raw)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.raw == other.raw

    def __hash__(self) -> int:
        return ~hash(self.raw)


def _node(raw: bytes, at: int) -> tuple[str, int]:
    """(node name at `at` in the canonical form of an identifier, offset behind the name)."""
    if raw[at] == 119:
        end = at + 2 + raw[at + 1]
        return raw[at + 2 : end].decode(), end
    end = at + 3 + unpack_from(">H", raw, at + 1)[0]
    return raw[at + 3 : end].decode(), end


class Pid(_Raw):
    """A process identifier (NEW_PID_EXT). `raw` is its external form."""

    __slots__ = ()

    @property
    def node(self) -> str:
        """The name of its node."""
        return _node(self.raw, 1)[0]

    @property
    def parts(self) -> tuple[int, int, int]:
        """(id, serial, creation)."""
        ident, serial, creation = unpack_from(">III", self.raw, _node(self.raw, 1)[1])
        return ident, serial, creation


class Port(_Raw):
    """A port identifier (NEW_PORT_EXT, or V4_PORT_EXT for large numbers). `raw` is its external form."""

    __slots__ = ()

    @property
    def node(self) -> str:
        """The name of its node."""
        return _node(self.raw, 1)[0]

    @property
    def parts(self) -> tuple[int, int]:
        """(id, creation)."""
        layout = ">QI" if self.raw[0] == 120 else ">II"
        ident, creation = unpack_from(layout, self.raw, _node(self.raw, 1)[1])
        return ident, creation


class Ref(_Raw):
    """A reference (NEWER_REFERENCE_EXT); an alias is one too. `raw` is its external form."""

    __slots__ = ()

    @property
    def node(self) -> str:
        """The name of its node."""
        return _node(self.raw, 3)[0]

    @property
    def parts(self) -> tuple[tuple[int, ...], int]:
        """(id words, creation)."""
        (count,) = unpack_from(">H", self.raw, 1)
        creation, *words = unpack_from(f">I{count}I", self.raw, _node(self.raw, 3)[1])
        return tuple(words), creation


class Fun(_Raw):
    """A closure (NEW_FUN_EXT). Python cannot call it; it can only be sent back to Erlang."""

    __slots__ = ()

    @property
    def arity(self) -> int:
        """The number of its arguments."""
        return self.raw[5]


class LocalTerm(_Raw):
    """A whole term in the emulator's private form (LOCAL_EXT). It can only be sent back to Erlang."""

    __slots__ = ()


class Unread(_Raw):
    """A part of a term that was nested too deeply to decode: see `etf.Limits`."""

    __slots__ = ()


class Export(_Frozen):
    """An external fun, `fun module:function/arity`."""

    __slots__ = ("module", "function", "arity")
    __match_args__ = ("module", "function", "arity")
    module: Atom
    function: Atom
    arity: int

    def __init__(self, module: Atom, function: Atom, arity: int) -> None:
        _set(self, "module", module)
        _set(self, "function", function)
        _set(self, "arity", arity)


class BitString(_Frozen):
    """A bitstring: of its last byte only the high `bits` bits (1 to 7) are used.

    The unused low bits of the last byte are set to zero, as in the emulator.
    """

    __slots__ = ("data", "bits")
    __match_args__ = ("data", "bits")
    data: bytes
    bits: int

    def __init__(self, data: bytes, bits: int) -> None:
        if not data or not 1 <= bits <= 7:
            raise ValueError("a bitstring has a last byte of 1 to 7 bits")
        _set(self, "data", data[:-1] + bytes((data[-1] & (0xFF00 >> bits) & 0xFF,)))
        _set(self, "bits", bits)


class ImproperList(_Frozen):
    """A list whose tail is not a list: `[a, b | tail]`."""

    __slots__ = ("items", "tail")
    __match_args__ = ("items", "tail")
    items: tuple[object, ...]
    tail: object

    def __init__(self, items: Iterable[object], tail: object) -> None:
        _set(self, "items", tuple(items))
        _set(self, "tail", tail)
        if not self.items:
            raise ValueError("an improper list has at least one element")


class Charlist(_Frozen, Sequence[int]):
    """A list of small integers as the emulator sends it (STRING_EXT).

    `data` holds the integers as bytes. A charlist equals the list of the same integers, and is
    hashable. It never equals `bytes`, because a binary is a different term.
    """

    __slots__ = ("data",)
    __match_args__ = ("data",)
    data: bytes

    def __init__(self, data: bytes) -> None:
        _set(self, "data", data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.data[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self.data)

    def __eq__(self, other: object) -> bool:
        if type(other) is Charlist:
            return self.data == other.data
        return isinstance(other, list) and list(self.data) == other

    def __hash__(self) -> int:
        return ~hash(self.data)

    def __str__(self) -> str:
        return self.data.decode("latin-1")


# The pure classes by name, also when the compiled ones replace them below.
PURE: dict[str, type[Any]] = {kind.__name__: kind for kind in (Atom, Charlist, Pid, Port, Ref)}

if compiled is not None and not TYPE_CHECKING:
    Atom, Charlist = compiled.Atom, compiled.Charlist
    Pid, Port, Ref = compiled.Pid, compiled.Port, compiled.Ref
    compiled.connect_terms(NATIVE)


def charlist(text: str) -> Charlist | list[int]:
    """A list of characters, as `"text"` is one in Erlang. A `str` itself is written as a binary."""
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return [ord(character) for character in text]
    return Charlist(data) if data else []
