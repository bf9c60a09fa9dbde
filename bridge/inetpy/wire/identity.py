"""The node's name in identifiers, which changes when distribution starts or stops.

On the wire a pid, port or reference has the name and the creation of its node. For example the pid
<0.5.0> of `nonode@nohost` looks like a pid of another node after `net_kernel:start/2`, although it
is still the same process. So a session stores all identifiers with the identity that the node had
when the session began (`home`). Identifiers in requests are translated to it on their way in,
identifiers in answers and messages are translated to the node's present identity on their way out.
"""

from __future__ import annotations

from typing import NamedTuple

from ..codec.terms import Pid, Port, Ref

__all__ = ["Identity", "identity_of", "name_of", "translate", "translate_term"]

_PID, _PORT, _BIG_PORT, _REF = 88, 89, 120, 90
# The number of bytes between the node's name and the creation. In a reference there are none.
_SIZES = {_PID: 8, _PORT: 4, _BIG_PORT: 8}


class Identity(NamedTuple):
    """What identifies a node: its name, as an atom in the newer external form, and its creation."""

    atom: bytes
    creation: bytes


def _split(raw: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """(tag and word count, name, bytes before the creation, creation, bytes behind it)."""
    start = 3 if raw[0] == _REF else 1
    if raw[start] == 119:
        end = start + 2 + raw[start + 1]
    else:  # ATOM_UTF8_EXT, of a very long name
        end = start + 3 + int.from_bytes(raw[start + 1 : start + 3], "big")
    middle = end + _SIZES.get(raw[0], 0)
    return raw[:start], raw[start:end], raw[end:middle], raw[middle : middle + 4], raw[middle + 4 :]


def identity_of(raw: bytes) -> Identity:
    """The identity of the node of an identifier, which is given in its external form."""
    _, atom, _, creation, _ = _split(raw)
    return Identity(atom, creation)


def name_of(identity: Identity) -> str:
    """The name of a node, `a@b` for example."""
    return identity.atom[2 if identity.atom[0] == 119 else 3 :].decode()


def translate(raw: bytes, source: Identity, target: Identity) -> bytes:
    """An identifier of `source` as one of `target`; identifiers of other nodes stay unchanged."""
    head, atom, before, creation, behind = _split(raw)
    if (atom, creation) != source:
        return raw
    return head + target.atom + before + target.creation + behind


def translate_term(term: object, source: Identity, target: Identity) -> object:
    """A term with its identifiers translated, in tuples, lists and the values of maps."""
    if isinstance(term, (Pid, Port, Ref)):
        return type(term)(translate(term.raw, source, target))
    if isinstance(term, tuple):
        return tuple(translate_term(element, source, target) for element in term)
    if type(term) is list:
        return [translate_term(element, source, target) for element in term]
    if type(term) is dict:
        return {key: translate_term(value, source, target) for key, value in term.items()}
    return term
