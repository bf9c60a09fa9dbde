"""The name of the node in identifiers, which changes when a node gets a name or loses it.

Processes, references and ports go over the wire with their node's name and creation. In the
node they stay what they are when that changes; on the wire they look like another node's.
So a session keeps them as they were when it began, its home, and changes them at its edges:
`Session.handle` changes those of requests, `Session.outward` those of answers and messages.
"""

from __future__ import annotations

from typing import NamedTuple

from .terms import Pid, Port, Ref

__all__ = ["Identity", "identity_of", "moved", "moved_term"]

_PID, _PORT, _BIG_PORT, _REF = 88, 89, 120, 90
# The bytes between the node's name and the creation, and behind the creation.
_IDENTIFIERS = {_PID: 8, _PORT: 4, _BIG_PORT: 8}


class Identity(NamedTuple):
    """The node's name as an atom in its newer external form, and its creation."""

    atom: bytes
    creation: bytes


def _split(raw: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """(head, atom, identifier before the creation, creation, identifier behind it)."""
    start = 3 if raw[0] == _REF else 1
    if raw[start] == 119:
        end = start + 2 + raw[start + 1]
    else:  # ATOM_UTF8_EXT, of a very long name
        end = start + 3 + int.from_bytes(raw[start + 1 : start + 3], "big")
    middle = end + _IDENTIFIERS.get(raw[0], 0)
    return raw[:start], raw[start:end], raw[end:middle], raw[middle : middle + 4], raw[middle + 4 :]


def identity_of(raw: bytes) -> Identity:
    """Of the node that an identifier in its external form is of."""
    _, atom, _, creation, _ = _split(raw)
    return Identity(atom, creation)


def moved(raw: bytes, source: Identity, target: Identity) -> bytes:
    """The same identifier of `target`, if it is of `source`."""
    head, atom, before, creation, behind = _split(raw)
    if (atom, creation) != source:
        return raw
    return head + target.atom + before + target.creation + behind


def moved_term(term: object, source: Identity, target: Identity) -> object:
    """A term in which every process, reference and port is moved; those of requests are small."""
    if isinstance(term, (Pid, Port, Ref)):
        return type(term)(moved(term.raw, source, target))
    if isinstance(term, tuple):
        return tuple(moved_term(element, source, target) for element in term)
    return term
