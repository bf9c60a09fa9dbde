"""The first frame from a node: who is there, and what that side can do."""

from __future__ import annotations

from typing import NamedTuple

from ..codec.show import shown
from ..codec.terms import Atom, Pid, Port
from ..wire.messages import PROTOCOL

__all__ = ["Greeting", "ProtocolError", "parse_greeting"]


class ProtocolError(Exception):
    """The two sides cannot talk to each other."""


class Greeting(NamedTuple):
    """`bridge` and `out` name the node's end in the name of each socket: see `Session`."""

    capabilities: list[object]
    bridge: Pid
    out: Port | Pid


def parse_greeting(term: object) -> Greeting:
    """Raises ProtocolError when the term is no greeting, or one of another protocol."""
    match term:
        case (
            Atom(name="hello"),
            int() as protocol,
            list() as able,
            Pid() as bridge,
            (Port() | Pid()) as out,
        ):
            if protocol == PROTOCOL:
                return Greeting(able, bridge, out)
            raise ProtocolError(
                f"the Erlang side speaks protocol {protocol}, this inetpy {PROTOCOL}: "
                "install the same version of both"
            )
    raise ProtocolError(f"the first frame is no greeting of inetpy: {shown(term)}")
