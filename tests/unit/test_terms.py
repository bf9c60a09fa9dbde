"""The codec as users see it: patterns, native values, paths in errors, help."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import subprocess
import sys
from enum import Enum

import pytest

import inetpy
from conftest import TOP
from inetpy import codec
from inetpy.codec import etf, implementation, terms
from inetpy.codec.etf import PURE, EtfError, Map, decode, encode, encode_body
from inetpy.codec.terms import Atom, BitString, Charlist, Export, Fun, ImproperList, LocalTerm, Pid, Port, Ref

NODE = b"w\x0dnonode@nohost"
PURE_TERMS = terms.PURE
ATOMS = [Atom, PURE_TERMS["Atom"]]
DECODERS = pytest.mark.parametrize("read", [decode, PURE[0]], ids=["decode", "pure"])


def test_atom_of_the_package() -> None:
    assert inetpy.Atom is Atom
    assert "Atom" in dir(inetpy)
    with pytest.raises(AttributeError, match="no attribute 'Adam'"):
        inetpy.Adam  # noqa: B018


def test_package_imports_nothing() -> None:
    """`import inetpy` imports no other module of inetpy."""
    program = "import sys, inetpy; print(sorted(name for name in sys.modules if 'inetpy' in name))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in eval(done.stdout) if not name.startswith("__editable__")] == ["inetpy"]


@pytest.mark.parametrize("atom", ATOMS, ids=["atom", "pure"])
def test_atom_in_a_pattern(atom: type[Atom]) -> None:
    """Atoms are matched by position, as in `{ok, Value}`."""

    def text(term: object) -> object:
        match term:
            case (atom("ok"), value):
                return value
            case (atom("error"), atom(reason)):
                return f"error {reason}"
            case atom(name="none"):
                return None
        return "other"

    assert text((atom("ok"), 1)) == 1
    assert text((atom("error"), atom("closed"))) == "error closed"
    assert text(atom("none")) is None
    assert text(("ok", 1)) == text((b"ok", 1)) == text((atom("okay"), 1)) == "other"


def test_other_terms_in_patterns() -> None:
    pid = Pid(b"X" + NODE + bytes(12))
    match (BitString(b"a", 3), Export(Atom("m"), Atom("f"), 2), ImproperList([1], 2), Charlist(b"ab"), pid):
        case (BitString(data, 3), Export(Atom("m"), f, 2), ImproperList((1,), 2), Charlist(text), Pid(raw)):
            assert (data, f, text, raw) == (b"\x60", Atom("f"), b"ab", pid.raw)
        case other:
            pytest.fail(f"no match: {other}")


@pytest.mark.parametrize("charlist", [Charlist, PURE_TERMS["Charlist"]], ids=["charlist", "pure"])
def test_charlist_is_matched_as_a_sequence(charlist: type[Charlist]) -> None:
    match charlist(b"abc"):
        case [97, *rest]:
            assert rest == [98, 99]
        case other:
            pytest.fail(f"no match: {other}")


@pytest.mark.parametrize("atom", ATOMS, ids=["atom", "pure"])
def test_atoms_in_conditions(atom: type[Atom]) -> None:
    """In a condition an atom counts as its native value: `assert` on Erlang's false fails."""
    assert not atom("false")
    assert not atom("undefined")
    assert not atom("nil")
    assert all(atom(name) for name in ("true", "ok", "error", "null", "none", "", "False"))


NATIVE = [
    (True, Atom("true")),
    (False, Atom("false")),
    (None, Atom("undefined")),
]


@DECODERS
@pytest.mark.parametrize(("native", "atom"), [*NATIVE, (None, Atom("nil")), (Atom("null"), Atom("null"))])
def test_native(read: object, native: object, atom: Atom) -> None:
    """native=True works at every place in a term, also for keys. Without it, atoms stay atoms."""
    assert callable(read)

    def around(value: object) -> list[object]:
        terms = [value, (value, 1), [Atom("a"), value], {value: 1}, {Atom("key"): [value]}]
        return [*terms, ImproperList([value], value), [(value,) * 300], dict.fromkeys(range(70), value)]

    for written, expected in zip(around(atom), around(native), strict=True):
        for data in (encode(written), encode(written, compressed=9)):
            assert repr(read(data, native=True)) == repr(expected)
            assert read(data) == written


@DECODERS
def test_native_leaves_identifiers_and_funs(read: object) -> None:
    """Atoms inside identifiers and funs stay atoms."""
    assert callable(read)
    export = Export(Atom("true"), Atom("nil"), 0)
    pid = Pid(b"X" + b"w\5false" + bytes(12))
    assert read(encode((export, pid)), native=True) == (export, pid)
    assert read(encode(Map([(Atom("true"), 1), (1, 2)])), native=True) == Map([(True, 1), (1, 2)])
    with pytest.raises(EtfError, match="duplicate key None"):
        read(encode({Atom("nil"): 1, Atom("undefined"): 2}), native=True)


def test_native_is_written_back() -> None:
    for native, atom in NATIVE:
        assert encode(native) == encode(atom)


class Foo:
    def __repr__(self) -> str:
        raise AssertionError


class Colour(Enum):
    RED = 1


DEEP: object = 1
for _ in range(2000):
    DEEP = (DEEP,)

ERRORS: list[tuple[object, str]] = [
    (Foo(), "a Foo has no external form"),
    ([1, 2, {"key": Foo()}], '[2]["key"]: a Foo has no external form'),
    ((1, (Colour.RED,)), "[1][0]: a Colour has no external form"),
    ({Atom("a"): {b"b": {1: object()}}}, "[Atom('a')][b'b'][1]: an object has no external form"),
    ({1: 2, (3, 1j): 4}, ".keys()[1][1]: a complex has no external form"),
    (ImproperList([1, 1j], 2), ".items[1]: a complex has no external form"),
    (ImproperList([1], [2, {3}]), ".tail[1]: a set has no external form"),
    (Map([([1], float("inf"))]), "[[1]]: inf is no Erlang float"),
    ([Atom("x" * 256)], "[0]: atom of 256 characters"),
    ([["\ud800"]], "[0][0]: a string with surrogates"),
    ([Export(Atom("m"), Atom("f"), 256)], "[0]: an export of arity 256"),
    ([LocalTerm(b"y123")], "[0]: a LocalTerm has no external form"),
    ({10**5000: Foo()}, "[<integer of 16610 bits>]: a Foo has no external form"),
    ({"k" * 1000: Foo()}, f'["{"k" * 60}..."]: a Foo has no external form'),
    ({DEEP: Foo()}, "[(((((...,),),),),)]: a Foo has no external form"),
]


@pytest.mark.parametrize(("term", "text"), ERRORS, ids=[text[:40] for _, text in ERRORS])
def test_where_a_term_has_no_form(term: object, text: str) -> None:
    """All functions have the same path in the error, with and without sorted entries."""
    for write in (encode, encode_body, PURE[1], PURE[2]):
        for deterministic in (False, True):
            with pytest.raises(EtfError) as raised:
                write(term, deterministic=deterministic)
            assert str(raised.value) == text
    with pytest.raises(EtfError, match=re.escape(text)):
        encode(term, compressed=6)


def test_long_ways_are_shortened() -> None:
    term: object = Foo()
    for _ in range(3000):
        term = [term]
    with pytest.raises(EtfError) as raised:
        encode(term)
    where = "[0]" * 10 + "...(2980 more)..." + "[0]" * 10
    assert str(raised.value) == f"{where}: a Foo has no external form"


def test_depth_has_no_way() -> None:
    """The error for a term that contains itself has no path, also if it contains itself twice."""
    endless: list[object] = [1]
    endless += [endless, endless]
    for deterministic in (False, True):
        with pytest.raises(EtfError) as raised:
            encode(endless, deterministic=deterministic)
        assert str(raised.value) == "nested deeper than 10000, or within itself"


VALUES = [
    Atom("a"),
    Charlist(b"ab"),
    Pid(b"X" + NODE + bytes(12)),
    Port(b"Y" + NODE + bytes(8)),
    Ref(b"Z\0\1" + NODE + bytes(8)),
    Fun(b"p\0\0\0\5x"),
    LocalTerm(b"y1234"),
    Export(Atom("m"), Atom("f"), 2),
    BitString(b"a", 3),
    ImproperList([1], 2),
]


@pytest.mark.parametrize("value", VALUES, ids=[type(value).__name__ for value in VALUES])
def test_terms_are_values(value: object) -> None:
    """Terms are immutable, equal to their copies, and have no other attributes."""
    fields = type(value).__match_args__  # type: ignore[attr-defined]
    before = hash(value)
    for field in (*fields, "other"):
        with pytest.raises(AttributeError):
            setattr(value, field, getattr(value, field, None))
        with pytest.raises(AttributeError):
            delattr(value, field)
    assert pickle.loads(pickle.dumps(value)) == copy.copy(value) == copy.deepcopy(value) == value
    assert hash(value) == before


@pytest.mark.skipif(implementation.compiled is None, reason="there is no compiled codec")
def test_help_is_that_of_the_pure_code() -> None:
    for name, kind in PURE_TERMS.items():
        assert getattr(terms, name).__doc__ == kind.__doc__
        assert getattr(terms, name).__match_args__ == kind.__match_args__
    for pure in PURE:
        ours = getattr(etf, pure.__name__)
        assert ours is not pure
        assert ours.__doc__ == pure.__doc__
        assert [*inspect.signature(ours).parameters] == [*inspect.signature(pure).parameters]


def test_everything_has_help() -> None:
    for module in (etf, terms):
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                assert len(inspect.getdoc(thing) or "") > 20, name


def test_public_names_are_documented() -> None:
    page = (TOP / "docs" / "terms.md").read_text()
    for name in codec.__all__:
        assert re.search(rf"\b{name}\b", page), name
        assert getattr(codec, name) is getattr(etf, name, getattr(terms, name, None))


def test_page() -> None:
    """The programs in docs/terms.md run unchanged, one after the other."""
    programs = re.findall(r"```python\n(.*?)```", (TOP / "docs" / "terms.md").read_text(), re.DOTALL)
    assert len(programs) > 3
    exec("\n".join(programs), {"__name__": "page"})
