"""The process of `inetpy serve`: serves nodes until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..network.control import Control, UnsafeFolderError
from ..network.engine import Engine
from ..network.file import NetworkFileError, load
from ..network.network import Network
from ..network.script_file import read_scripts
from .connection import new_host
from .environment import Settings
from .limits import Limits
from .process import allow_many_sockets, new_loop, trace_to
from .serve import Server
from .tokens import TokenError, admit, read_tokens
from .urls import parse_url

__all__ = ["serve"]

log = logging.getLogger(__name__)

CANNOT_BEGIN = 1
OPEN_DOOR = (
    "{url} needs a token or mutual TLS, else anybody who reaches it could open sockets here: "
    "give --token-file FILE or INETPY_TOKEN, or tls: with cert=, key= and ca=. "
    "`openssl rand -hex 32 > FILE` makes a token"
)


def serve(
    urls: Sequence[str],
    token_file: Path | None,
    environ: Mapping[bytes, bytes],
    limits: Limits,
    settings: Settings,
) -> int:
    """Serves nodes at these URLs. The exit status: 0 after SIGTERM or SIGINT, 1 when it cannot begin."""
    logging.basicConfig(stream=sys.stderr, level=settings.log_level, format="inetpy serve: %(message)s")
    allow_many_sockets()
    loop = new_loop(settings.uvloop)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, loop.stop)
    try:
        tokens = read_tokens(token_file, environ)
        if not tokens:
            _refuse_open_doors(urls)
        return _Service(loop, settings, tokens, limits).run(urls)
    except (TokenError, NetworkFileError, ValueError) as error:
        log.error("%s", error)
        return CANNOT_BEGIN


def _refuse_open_doors(urls: Sequence[str]) -> None:
    for url in urls:
        if parse_url(url).needs_token:
            raise TokenError(OPEN_DOOR.format(url=url.partition("?")[0]))


class _Service:
    """The parts of the process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, tokens: Sequence[bytes], limits: Limits
    ) -> None:
        """Raises NetworkFileError."""
        self._loop = loop
        host = new_host(loop, settings.in_memory, settings.spin)
        self._engine = Engine(host, settings.seed)
        if settings.schedule is not None:
            self._follow(settings.schedule)
        if settings.network is not None:
            load(settings.network, Network(self._engine, loop))
        self._engine.add_left()
        self._end_trace = trace_to(settings.trace, self._engine)
        self._server = Server(
            host,
            self._engine,
            admit(tokens),
            fast=settings.fast,
            early_after=settings.early_after,
            limits=limits,
            statistics=settings.statistics,
        )
        self._control = None if settings.control is None else self._new_control(settings.control)

    def _new_control(self, folder: Path) -> Control | None:
        """`inetpy faults` finds this process. A server without that is a server all the same."""
        try:
            return Control(lambda: self._engine, self._engine.poller, folder)
        except (OSError, UnsafeFolderError) as error:
            log.warning("`inetpy faults` cannot reach this server: %s", error)
            return None

    def _follow(self, schedule: Path) -> None:
        try:
            self._engine.follow(read_scripts(schedule))
        except OSError as error:
            raise ValueError(f"there is no schedule: {schedule}: {error.strerror}") from None

    def run(self, urls: Sequence[str]) -> int:
        try:
            status = 0 if self._listen(urls) else CANNOT_BEGIN
            if not status:
                self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._server.close())
            self._end_trace()
            if self._control is not None:
                self._control.close()
        return status

    def _listen(self, urls: Sequence[str]) -> bool:
        """A URL for each line, on standard output: the port is known now."""
        for url in urls:
            try:
                found = self._loop.run_until_complete(self._server.listen(url))
            except OSError as error:
                log.error("%s: %s", url.partition("?")[0], error.strerror or error)
                return False
            print(f"inetpy serve: {found}", flush=True)
            if found.startswith("tcp:"):
                log.warning(
                    "%s: the token and all data can be read on the way; use tls: between hosts", found
                )
        return True
