"""The active mode of a socket, as a table.

The modes are those of the option `active` of `inet:setopts/2`:

    set to      mode becomes            count becomes
    false       PASSIVE                 0
    true        ACTIVE                  0
    once        ONCE                    0
    N           MULTI, or PASSIVE with  the old count + N, at least 0; an error
                a passive message when  if the sum is not in -32768..32767
                the count is 0

    mode when a packet is delivered     mode becomes
    PASSIVE, ACTIVE                     the same
    ONCE                                PASSIVE
    MULTI                               MULTI with the count less one, or PASSIVE
                                        with a passive message when that is 0
"""

from __future__ import annotations

from ..codec.terms import Atom

__all__ = ["ACTIVE", "MULTI", "NAMES", "ONCE", "PASSIVE", "add_count", "after_delivery"]

PASSIVE, ACTIVE, ONCE, MULTI = range(4)

# The option values that name a mode; an integer means MULTI.
NAMES = {Atom("false"): PASSIVE, Atom("true"): ACTIVE, Atom("once"): ONCE}

COUNT_RANGE = range(-32768, 32768)


def add_count(count: int, increment: int) -> tuple[int, int] | None:
    """(mode, count) after `{active, increment}`; None if the sum is out of range."""
    total = count + increment
    if total not in COUNT_RANGE:
        return None
    return (MULTI, total) if total > 0 else (PASSIVE, 0)


def after_delivery(mode: int, count: int) -> tuple[int, int]:
    """(mode, count) after one packet has been delivered in `mode`."""
    if mode == ONCE:
        return PASSIVE, 0
    if mode == MULTI:
        return (MULTI, count - 1) if count > 1 else (PASSIVE, 0)
    return mode, count
