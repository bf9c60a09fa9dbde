"""Which sockets of a session a network can control."""

from __future__ import annotations

from typing import Any

from ..session.interference import OTHER
from ..session.session import Session

__all__ = ["controllable"]


def controllable(session: Session) -> list[Any]:
    """Streams and datagram sockets of IP and of the unix domain. Others are always sockets of the system."""
    return [sock for sock in session.sockets.values() if sock.role != OTHER]
