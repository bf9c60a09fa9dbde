"""Terms and errors as text, for logs and messages.

`repr` of a term from Erlang can be gigabytes long, can exceed the recursion limit, and fails for
an integer of more than 4,300 digits. `shown` is always one short line, is cheap, and never raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from .terms import Atom, BitString, Charlist, ImproperList

__all__ = ["LIMIT", "shown"]

LIMIT = 200  # characters of a line
PARTS = 6  # elements of a container
LEVELS = 4  # of nesting
HEAD = 60  # bytes or characters shown of a long text
BITS = 256  # the largest integer that is written in digits


def shown(value: object) -> str:
    """`value` as a line of at most `LIMIT` characters."""
    text = _shown(value, LEVELS)
    return text if len(text) <= LIMIT else text[: LIMIT - 3] + "..."


def _shown(value: object, levels: int) -> str:
    if isinstance(value, int):
        bits = value.bit_length()
        return repr(value) if bits <= BITS else f"<integer of {bits} bits>"
    if value is None or isinstance(value, (float, Atom)):
        return repr(value)
    if isinstance(value, Charlist):
        return f"Charlist({_shown(value.data, levels)})"
    if isinstance(value, BitString):
        return f"BitString({_shown(value.data, levels)}, {value.bits})"
    if isinstance(value, memoryview):
        return f"memoryview({_shown(bytes(value[:HEAD]), levels)})"
    if isinstance(value, (bytes, bytearray, str)):
        more = f"...<{len(value)}>" if len(value) > HEAD else ""
        return repr(value[:HEAD]) + more
    if isinstance(value, tuple):
        return "(" + _parts(value, levels) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, list):
        return "[" + _parts(value, levels) + "]"
    if isinstance(value, ImproperList):
        return f"[{_parts(value.items, levels)} | {_parts((value.tail,), levels)}]"
    if isinstance(value, dict):
        return "{" + _parts(value, levels) + "}"
    if isinstance(value, BaseException):
        return f"{type(value).__name__}({_parts(value.args, levels)})"
    return f"<{type(value).__name__}>"


def _parts(values: Iterable[object], levels: int) -> str:
    """The first elements of a container; for a map, its first keys."""
    if not levels:
        return "..."
    texts = [_shown(value, levels - 1) for value in islice(values, PARTS + 1)]
    return ", ".join(texts[:PARTS] + ["..."] * (len(texts) > PARTS))
