"""Answers of several operations of a plain socket."""

from __future__ import annotations

from ...codec.etf import encode_body
from ...codec.terms import Atom
from ...names.sockaddr import BadTerm
from ...wire.messages import build_error

__all__ = ["CLOSED", "SELECT", "Closed", "bad_state", "build_invalid"]

SELECT = encode_body(Atom("select"))
CLOSED = build_error("closed")
_ERROR, _INVALID, _RAISE = Atom("error"), Atom("invalid"), Atom("raise")


class Closed(Exception):  # noqa: N818
    """The socket is closed."""


def bad_state() -> BadTerm:
    """The failure of a process that calls while it waits behind others.

    Each time another, because an exception keeps the frames that it has passed.
    """
    return BadTerm(Atom("state"), fails=True)


def build_invalid(error: BadTerm) -> bytes:
    """How the caller hears of an argument that is none."""
    reason = (_INVALID, error.term)
    kind = Atom("throw") if error.fails == "throw" else _ERROR
    return encode_body((_RAISE, kind, reason) if error.fails else (_ERROR, reason))
