"""What the node knows of the mode of a socket: bits of a number.

    IS_ACTIVE  its owner gets messages: the node tells the owner of an error when Python dies
    SENDS      a small send needs no answer
    ONCE       `{active, once}` needs no answer
    CLOSES     close needs no answer, while no other bit is set
    CONNECTS   `socket:connect/1` of one process needs no answer, once

See `sockets.early` for all but the first.
"""

from __future__ import annotations

__all__ = ["CLOSES", "CONNECTS", "EARLY", "IS_ACTIVE", "ONCE", "SENDS"]

IS_ACTIVE, SENDS, ONCE, CLOSES, CONNECTS = 1, 2, 4, 8, 16
EARLY = SENDS | ONCE | CLOSES | CONNECTS
