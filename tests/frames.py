"""Frames of a bridge, as a test that plays the node reads them."""

from __future__ import annotations

from typing import Any

from inetpy.codec.terms import Atom, Ref

__all__ = ["parts"]


def parts(term: Any) -> list[Any]:
    """A frame that is a note and the answer behind it, as two."""
    match term:
        case (Atom(name="open") as op, Ref() as ref, ident, name, *rest):
            return [(op, ident, name, *rest), (ref, (Atom("ok"), name))]
        case (Atom(name="closed") as op, ident, Ref() as ref):
            return [(op, ident), (ref, Atom("ok"))]
    return [term]
