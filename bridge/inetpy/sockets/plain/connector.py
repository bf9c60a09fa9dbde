"""The process that waits for a connection of a plain socket.

The system tells that a connection is there, the process is told so, and asks what has become of it. As a
rule nothing has happened meanwhile. So a process that connects all the time may answer itself: see
`sockets.early`.
"""

from __future__ import annotations

from socket import SO_ERROR, SOL_SOCKET
from typing import TYPE_CHECKING

from ...codec.etf import encode_body
from ...codec.terms import Pid
from ...host.api import PEER_END, WRITE
from ...host.errors import os_error
from ...wire.mode import CONNECTS
from .. import early
from .waiters import Waiter

if TYPE_CHECKING:
    from .plain import Plain

__all__ = ["complete", "connect_early", "offer", "take"]


def take(plain: Plain) -> Waiter | None:
    """Who waits, and does so no longer."""
    waiter, plain.connector = plain.connector, None
    plain.write_state.discard("connecting")
    if plain.early & CONNECTS:
        plain.watch(0)
        plain.set_early(plain.early & ~CONNECTS)
    return waiter


def offer(plain: Plain, waiter: Waiter, events: int) -> None:
    """The process is about to be told. When all is well it may answer itself, once.

    The peer's end takes that back.
    """
    if events == WRITE and early.comes_and_goes(plain):
        session = plain.session
        plain.always = PEER_END
        plain.early |= CONNECTS
        process = Pid(session.outward(waiter.process.raw))
        session.link.mode_to(plain.ident, plain.early, encode_body((process, session.new_number())))


def complete(plain: Plain) -> None:
    """The process has asked, and waits no longer. Raises OSError where the system has not connected."""
    plain.write_state.discard("connecting")
    plain.update_interest()
    number = plain.open_socket.getsockopt(SOL_SOCKET, SO_ERROR)
    if number:
        raise os_error(number)
    plain.write_state.add("connected")
    early.after_opening(plain)


def connect_early(plain: Plain) -> None:
    """The process has answered itself. An error is told to the next call, as that of an early send."""
    if plain.connector is None:
        return  # another process has ended the waiting
    plain.connector, plain.always = None, 0
    try:
        complete(plain)
    except OSError as error:
        plain.late_error = error
        plain.set_early(0)
