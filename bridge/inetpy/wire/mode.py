"""What the node knows of the mode of a socket: bits of a number.

    IS_ACTIVE  its owner gets messages: the node tells the owner of an error when Python dies
    SENDS      a small send needs no answer
    ONCE       `{active, once}` needs no answer
    CLOSES     close needs no answer, while no other bit is set

See `sockets.early` for the last three.
"""

from __future__ import annotations

__all__ = ["CLOSES", "EARLY", "IS_ACTIVE", "ONCE", "SENDS"]

IS_ACTIVE, SENDS, ONCE, CLOSES = 1, 2, 4, 8
EARLY = SENDS | ONCE | CLOSES
