"""Erlang terms that Python has no type of its own for.

Small, frozen and without behaviour: what they mean is the business of `etf`
and of the layers above. The whole mapping is the table in docs/terms.md.

Identifiers (pids, ports, references) and funs are kept as the bytes of their
external form, because to a bridge they are names to give back unchanged. The
form is made canonical when it is decoded, so equal identifiers are equal
bytes; the parts are read from it on demand.

The commonest of these classes are taken from the compiled core where there is one: see `core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import unpack_from
from typing import TYPE_CHECKING

from .core import compiled

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
]


class Atom:
    """An Erlang atom; never equal to a `str`, so atom and binary keys stay apart."""

    __slots__ = ("name",)
    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("atoms are immutable")

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return Atom, (self.name,)

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Atom and self.name == other.name)

    def __hash__(self) -> int:
        return ~hash(self.name)

    def __repr__(self) -> str:
        return f"Atom({self.name!r})"

    def __str__(self) -> str:
        return self.name


class _Raw:
    """A term kept as its external form, tag included (no version byte)."""

    __slots__ = ("raw",)
    raw: bytes

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.raw == other.raw

    def __hash__(self) -> int:
        return ~hash(self.raw)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


def _node(raw: bytes, at: int) -> tuple[str, int]:
    """The node name in the canonical form of an identifier, and where it ends."""
    if raw[at] == 119:
        end = at + 2 + raw[at + 1]
        return raw[at + 2 : end].decode(), end
    end = at + 3 + unpack_from(">H", raw, at + 1)[0]
    return raw[at + 3 : end].decode(), end


class Pid(_Raw):
    """A process identifier (NEW_PID_EXT)."""

    __slots__ = ()

    @property
    def node(self) -> str:
        return _node(self.raw, 1)[0]

    @property
    def parts(self) -> tuple[int, int, int]:
        """(id, serial, creation)."""
        ident, serial, creation = unpack_from(">III", self.raw, _node(self.raw, 1)[1])
        return ident, serial, creation


class Port(_Raw):
    """A port identifier (NEW_PORT_EXT, or V4_PORT_EXT for large numbers)."""

    __slots__ = ()

    @property
    def node(self) -> str:
        return _node(self.raw, 1)[0]

    @property
    def parts(self) -> tuple[int, int]:
        """(id, creation)."""
        layout = ">QI" if self.raw[0] == 120 else ">II"
        ident, creation = unpack_from(layout, self.raw, _node(self.raw, 1)[1])
        return ident, creation


class Ref(_Raw):
    """A reference (NEWER_REFERENCE_EXT); an alias is one too."""

    __slots__ = ()

    @property
    def node(self) -> str:
        return _node(self.raw, 3)[0]

    @property
    def parts(self) -> tuple[tuple[int, ...], int]:
        """(id words, creation)."""
        (count,) = unpack_from(">H", self.raw, 1)
        creation, *words = unpack_from(f">I{count}I", self.raw, _node(self.raw, 3)[1])
        return tuple(words), creation


class Fun(_Raw):
    """A closure (NEW_FUN_EXT). Python cannot call it, only give it back."""

    __slots__ = ()

    @property
    def arity(self) -> int:
        return self.raw[5]


class LocalTerm(_Raw):
    """A whole term in the emulator's private form (LOCAL_EXT): opaque, only echoed."""

    __slots__ = ()


class Unread(_Raw):
    """A part of a term that was nested too deep to be decoded: see `etf.Limits`."""

    __slots__ = ()


class _Frozen:
    """Equality and hash over the slots, for the small value classes below."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, slot) for slot in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._key()!r}"


class Export(_Frozen):
    """An external fun, `fun module:function/arity`."""

    __slots__ = ("module", "function", "arity")

    def __init__(self, module: Atom, function: Atom, arity: int) -> None:
        self.module = module
        self.function = function
        self.arity = arity


class BitString(_Frozen):
    """A bitstring whose last byte counts only its first `bits` bits (1 to 7).

    The unused low bits of the last byte are zero, as the emulator keeps them.
    """

    __slots__ = ("data", "bits")

    def __init__(self, data: bytes, bits: int) -> None:
        if not data or not 1 <= bits <= 7:
            raise ValueError("a bitstring has a last byte of 1 to 7 bits")
        self.data = data[:-1] + bytes((data[-1] & (0xFF00 >> bits) & 0xFF,))
        self.bits = bits


class ImproperList(_Frozen):
    """A list that ends in something else than `[]`: `[a, b | tail]`."""

    __slots__ = ("items", "tail")

    def __init__(self, items: Iterable[object], tail: object) -> None:
        self.items = tuple(items)
        self.tail = tail
        if not self.items:
            raise ValueError("an improper list has at least one element")


class Charlist(Sequence[int]):
    """A list of small integers as the emulator sends it (STRING_EXT).

    Equal to the list of the same integers, hashable, and never equal to
    `bytes`: a binary and a charlist are different terms.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

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

    def __repr__(self) -> str:
        return f"Charlist({self.data!r})"

    def __str__(self) -> str:
        return self.data.decode("latin-1")


# The classes above, by name, whichever are in use.
PURE: dict[str, type] = {kind.__name__: kind for kind in (Atom, Charlist, Pid, Port, Ref)}

if compiled is not None and not TYPE_CHECKING:
    Atom, Charlist = compiled.Atom, compiled.Charlist
    Pid, Port, Ref = compiled.Pid, compiled.Port, compiled.Ref
