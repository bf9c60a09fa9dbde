"""The Python half without a parent: nodes connect to it.

    server = Server(host, engine, admit)
    await server.listen("unix:/run/inetpy/bridge")

The first frame of a node is `{connect, Protocol, Token}`: see `admission`. What follows is as on the pipes of
a port program: each node has a session of its own, with its own sockets, on one host and one network.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..fast.paths import EARLY_AFTER
from . import admission
from .admission import Refusals, RefusedError
from .limits import Limits
from .nodes import NodeConnection
from .tls import Wrapped, new_context
from .urls import Listening, parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from ..host.linux import LinuxHost
    from ..network.engine import Engine
    from ..session.session import Session

__all__ = ["Server"]

log = logging.getLogger(__name__)

PAUSE = 0.2  # seconds after a failure of accept(2): most often there is no descriptor left
CHECKS = 3  # of whether a node has said something, in the time of the limit `silence`
GOODBYE = 1.0  # seconds for TLS to end


class Server:
    """See the module. All methods are called in the loop.

    admit: the label of the node that has this token; None: it is refused.
    on_session, on_end: are told of each session.
    statistics: a folder for figures, one file for each session.
    """

    def __init__(
        self,
        host: LinuxHost,
        engine: Engine,
        admit: Callable[[bytes], str | None],
        *,
        fast: bool = True,
        early_after: int = EARLY_AFTER,
        limits: Limits = Limits(),  # noqa: B008  it is immutable
        statistics: Path | None = None,
    ) -> None:
        self.on_session: Callable[[Session], None] = lambda _: None
        self.on_end: Callable[[Session], None] = lambda _: None
        self._host = host
        self._engine = engine
        engine.runs_files = False  # a node that has a token may open sockets, and not run programs here
        self._admit = admit
        self._fast = fast
        self._early_after = early_after
        self._limits = limits
        self._statistics = statistics
        self._refusals = Refusals(log.warning)
        self._listening: list[Listening] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.Task[None], str] = {}  # the oldest first
        self._nodes: set[NodeConnection] = set()
        self._wrapped: set[asyncio.Task[None]] = set()

    async def listen(self, url: str) -> str:
        """Serves the nodes that connect there. The URL with the port that the system has given.

        Raises ValueError for a wrong URL, and OSError where the system refuses.
        """
        address = parse_url(url)
        context = new_context(address)
        listening = address.listen()
        if not self._tasks and self._limits.silence:
            self._start(self._watch())
        self._listening.append(listening)
        self._start(self._accept(listening, context))
        return listening.url

    async def close(self) -> None:
        """No node is served any more. Their sockets are closed."""
        ending = [*self._tasks, *self._strangers]
        for task in ending:
            task.cancel()
        for listening in self._listening:
            listening.close()
        for node in list(self._nodes):
            node.end("the server ends")
        await asyncio.gather(*ending, return_exceptions=True)
        if self._wrapped:
            await asyncio.wait(self._wrapped, timeout=GOODBYE)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- those who come ---

    async def _accept(self, listening: Listening, context: ssl.SSLContext | None) -> None:
        """An error of accept(2) does not end the server: its connection waits, or has gone."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening.socket)
            except OSError as error:
                self._refusals.say(f"{listening.url}: no connection can be accepted: {error.strerror}")
                await asyncio.sleep(PAUSE)
            else:
                self._meet(sock, context)

    def _meet(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        peer = admission.peer_of(sock)
        if len(self._strangers) >= self._limits.strangers:
            oldest = next(iter(self._strangers))
            self._refusals.say(
                f"{self._strangers.pop(oldest)} was closed: too many connections do not say who they are"
            )
            oldest.cancel()
        task = asyncio.ensure_future(self._greet(sock, context, peer))
        self._strangers[task] = peer
        task.add_done_callback(lambda task: self._strangers.pop(task, None))

    async def _greet(self, sock: socket.socket, context: ssl.SSLContext | None, peer: str) -> None:
        """A node that says the right thing in time gets a session."""
        known = admission.credentials(sock)
        try:
            async with asyncio.timeout(self._limits.patience):
                sock = await self._unwrapped(sock, context)
                label = await admission.label_of(sock, self._admit, self._limits.first_frame)
            self._require_room()
            self._connect(sock, label, peer, None if known is None else known[0])
        except RefusedError as refusal:
            self._refusals.say(f"{peer} was refused: {refusal}")
            await admission.refuse(sock, str(refusal))
        except TimeoutError:
            self._refusals.say(f"{peer} has not said who it is for {self._limits.patience:g} s")
        except ssl.SSLError as error:
            self._refusals.say(f"{peer} was refused: {_of_tls(error)}")
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                self._refusals.say(f"{peer} was refused: {error.strerror}")
            # else it has gone
        finally:
            sock.close()  # that of a node is the session's

    def _require_room(self) -> None:
        if len(self._nodes) >= self._limits.nodes:
            raise RefusedError(f"{self._limits.nodes} nodes are here already, which is the limit `nodes`")

    async def _unwrapped(self, sock: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
        """A socket on which the node speaks without TLS."""
        if context is not None:
            wrapped = await Wrapped.accepted(sock, context)
            sock = wrapped.plain
            task = asyncio.ensure_future(wrapped.run())
            self._wrapped.add(task)
            task.add_done_callback(self._wrapped.discard)
        sock.setblocking(False)
        return sock

    def _connect(self, sock: socket.socket, label: str, peer: str, process: int | None) -> None:
        node = NodeConnection(
            self._host,
            self._engine,
            sock,
            peer,
            label,
            process,
            fast=self._fast,
            early_after=self._early_after,
            longest=self._limits.frame,
            statistics=self._statistics,
        )
        node.on_session = self.on_session
        node.on_end = self._ended
        self._nodes.add(node)
        node.begin(self._limits.patience)

    def _ended(self, node: NodeConnection) -> None:
        self._nodes.discard(node)
        if node.session is not None:
            self.on_end(node.session)

    # --- those who are silent ---

    async def _watch(self) -> None:
        """Ends the connections of hosts that have vanished.

        One check is not enough: this process may have been stopped itself.
        """
        while True:
            await asyncio.sleep(self._limits.silence / CHECKS)
            for node in list(self._nodes):
                if node.is_remote and node.silent_checks() >= CHECKS:
                    node.end(f"it has said nothing for {self._limits.silence:g} s: its host may be gone")


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate: {error.verify_message}"
    return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
