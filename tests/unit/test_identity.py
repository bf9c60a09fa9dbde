"""Identifiers of a node whose name changes."""

from __future__ import annotations

import pytest

from inetpy.codec.terms import Atom, Pid, Port, Ref
from inetpy.wire.identity import Identity, identity_of, translate, translate_term

HOME = Identity(b"w\x0dnonode@nohost", bytes(4))
NAMED = Identity(b"w\x03a@b", b"\0\0\0\7")


def pid(identity: Identity) -> bytes:
    return b"X" + identity.atom + b"\0\0\0\5\0\0\0\6" + identity.creation


def port(identity: Identity) -> bytes:
    return b"Y" + identity.atom + b"\0\0\0\5" + identity.creation


def big_port(identity: Identity) -> bytes:
    return b"x" + identity.atom + b"\1\0\0\0\0\0\0\5" + identity.creation


def ref(identity: Identity) -> bytes:
    return b"Z\0\3" + identity.atom + identity.creation + b"r" * 12


KINDS = [pid, port, big_port, ref]


@pytest.mark.parametrize("make", KINDS)
def test_there_and_back(make: object) -> None:
    there = translate(make(HOME), HOME, NAMED)  # type: ignore[operator]
    assert there == make(NAMED)  # type: ignore[operator]
    assert identity_of(there) == NAMED
    assert translate(there, NAMED, HOME) == make(HOME)  # type: ignore[operator]


@pytest.mark.parametrize("make", KINDS)
def test_other_nodes(make: object) -> None:
    """Identifiers of another node, or of an earlier start of this node, stay unchanged."""
    for other in (Identity(b"w\x03c@d", bytes(4)), Identity(HOME.atom, b"\0\0\0\1")):
        assert translate(make(other), HOME, NAMED) == make(other)  # type: ignore[operator]


def test_terms() -> None:
    owner = {Atom("owner"): Pid(pid(HOME))}
    term = (Atom("a"), [1, owner], (Pid(pid(HOME)), b"data"), Ref(ref(NAMED)), Port(port(HOME)))
    assert translate_term(term, HOME, NAMED) == (
        Atom("a"),
        [1, {Atom("owner"): Pid(pid(NAMED))}],
        (Pid(pid(NAMED)), b"data"),
        Ref(ref(NAMED)),
        Port(port(NAMED)),
    )
