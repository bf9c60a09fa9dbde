"""Erlang terms in Python, and the External Term Format. docs/terms.md describes it for users.

terms           the classes of terms that Python has no type for
etf             decode and encode
implementation  the choice between the compiled codec and pure Python
show            a term as one line of text, for logs
"""

from __future__ import annotations

from .etf import EtfError, Limits, Map, decode, decode_prefix, encode
from .terms import (
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
    charlist,
)

__all__ = [
    "Atom",
    "BitString",
    "Charlist",
    "EtfError",
    "Export",
    "Fun",
    "ImproperList",
    "Limits",
    "LocalTerm",
    "Map",
    "Pid",
    "Port",
    "Ref",
    "Unread",
    "charlist",
    "decode",
    "decode_prefix",
    "encode",
]
