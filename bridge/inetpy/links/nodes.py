"""A node that has been admitted: its connection, from the greeting to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .connection import Connection

if TYPE_CHECKING:
    from ..host.linux import LinuxHost
    from ..network.engine import Engine
    from ..session.session import Session

__all__ = ["NodeConnection"]

log = logging.getLogger(__name__)


class NodeConnection:
    """See the module.

    on_session, on_end: are told when the node has greeted, and when it has gone.
    process: its process, where the system tells; `is_remote` where it tells nothing.
    """

    _number = 0

    def __init__(
        self,
        host: LinuxHost,
        engine: Engine,
        sock: socket.socket,
        peer: str,
        label: str,
        process: int | None,
        *,
        fast: bool,
        early_after: int,
        longest: int,
        statistics: Path | None,
    ) -> None:
        self.on_session: Callable[[Session], None] = lambda _: None
        self.on_end: Callable[[NodeConnection], None] = lambda _: None
        self.is_remote = process is None
        self._peer = peer
        self._label = label
        self._process = process
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._silent = 0
        self._statistics = None
        if statistics is not None:
            from .statistics import Statistics

            NodeConnection._number += 1
            self._statistics = Statistics(statistics, f"{os.getpid()}-{self._number}")
        sink = os.dup(sock.fileno())  # there may be no descriptor left: `sock` is still the caller's then
        self._descriptors: tuple[int, ...] = (sock.detach(), sink)
        self._connection = Connection(
            host,
            *self._descriptors,
            on_end=lambda: self.end(""),
            on_error=self._refuse,
            fast=fast,
            early_after=early_after,
            in_play=engine.is_in_play(),
            longest=longest,
            statistics=self._statistics,
        )
        self._connection.engine = engine
        self._connection.on_session = self._greeted
        self._connection.output.on_full = self._connection.hold

    @property
    def session(self) -> Session | None:
        return self._connection.session

    def begin(self, patience: float) -> None:
        """The node is heard, and has so many seconds for its greeting."""
        self._timer = asyncio.get_running_loop().call_later(patience, self.end, "it does not greet")
        self._connection.begin()

    def _greeted(self, session: Session) -> None:
        if self._timer is not None:
            self._timer.cancel()
        session.label = self._label
        if session.node_process != self._process:
            session.node_process = None  # a number of another namespace
        log.info("node %s has come: %s", self._name(session), self._peer)
        self.on_session(session)

    def _name(self, session: Session) -> str:
        """In one line of the log, whatever the node says that it is."""
        name = "".join(sign if sign.isprintable() else "?" for sign in session.node_name)
        return f"{session.label} ({name})" if session.label else name

    def silent_checks(self) -> int:
        """How many times in a row this was asked, and nothing had come from the node."""
        heard = self._connection.reads
        self._silent = self._silent + 1 if heard == self._heard else 0
        self._heard = heard
        return self._silent

    def _refuse(self, error: Exception) -> None:
        """The stream of the node cannot be followed."""
        self._connection.link.refused(str(error))
        self.end(str(error))

    def end(self, why: str) -> None:
        """The sockets of the node are closed. `why` is empty when the node has gone by itself."""
        if not self._descriptors:
            return
        descriptors, self._descriptors = self._descriptors, ()
        if self._timer is not None:
            self._timer.cancel()
        session = self.session
        count = 0 if session is None else len(session.sockets)
        self._connection.output.flush()
        self._connection.end()
        for descriptor in descriptors:
            os.close(descriptor)
        if self._statistics is not None:
            self._statistics.write()
        if session is None:
            log.warning("%s has gone before its greeting%s", self._peer, f": {why}" if why else "")
        else:
            sockets = "1 socket was" if count == 1 else f"{count} sockets were"
            reason = f": {why}" if why else ""
            log.info("node %s has gone%s; %s closed", self._name(session), reason, sockets)
        self.on_end(self)
