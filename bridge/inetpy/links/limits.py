"""What a server of nodes allows, so that no connection costs it more than that."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MEANINGS", "Limits", "parse_limits"]


class Limits(NamedTuple):
    """See `MEANINGS`."""

    nodes: int = 256
    strangers: int = 256
    patience: float = 5.0
    first_frame: int = 1 << 12
    frame: int = 65 << 20
    silence: float = 60.0


MEANINGS = {
    "nodes": "nodes that are connected at the same time; one more is refused",
    "strangers": "connections that have not said who they are; where one more comes, the oldest is closed",
    "patience": "seconds from the connection to the greeting, with the handshake of TLS",
    "first_frame": "bytes of the first frame of a node, in which its token is",
    "frame": "bytes of each later frame of a node; a larger one ends its connection",
    "silence": "seconds without a word from a node, after which its host is taken for dead; a node says "
    "something each second. Not on a unix socket, where the system tells the end of a process",
}


def parse_limits(texts: list[str]) -> Limits:
    """`["nodes=10", "patience=1.5"]`. Raises ValueError."""
    limits = Limits()
    for text in texts:
        name, _, number = text.partition("=")
        if name not in MEANINGS:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(MEANINGS)}")
        kind = type(getattr(limits, name))
        try:
            value = kind(number)
        except ValueError:
            value = 0
        if not value > 0:
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"the limit {name} is {what} above 0, as in {name}={getattr(limits, name):g}")
        limits = limits._replace(**{name: value})
    return limits
