"""The port program: a process whose standard input and output lead to a node.

The pipes get private descriptors before anything else happens, and descriptor
1 becomes a copy of descriptor 2: a `print`, here or in a library, goes to the
standard error and cannot damage the stream.

The end of input is the end of the process. A thread watches for it too, so
that it comes also when the loop is stuck in some handler.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..host.pipes import enlarge
from .connection import Connection, new_host
from .environment import Settings, read_settings
from .logs import NodeHandler
from .process import allow_many_sockets, new_loop, trace_to

if TYPE_CHECKING:
    from ..host.linux import LinuxHost
    from ..network.control import Control
    from ..network.engine import Engine
    from ..session.session import Session
    from .statistics import Statistics

__all__ = ["private_pipes", "run"]

log = logging.getLogger(__name__)

GRACE = 0.5  # seconds that the loop has to see the end of input itself
EXIT_PROTOCOL = 3


def run() -> int:
    """Serves the Erlang node at the other end of stdin and stdout until it goes.

    The exit status: 0 when the input ended, 3 when the sides do not fit.
    """
    settings = read_settings()
    allow_many_sockets()
    source, sink = private_pipes()
    process = Process(settings, source, sink)
    threading.Thread(target=_watch_input, args=(source, process.has_seen_end), daemon=True).start()
    status = process.serve()
    # Not sys.exit: what is left has no bearing, and the end must not wait for a thread.
    sys.stderr.flush()
    os._exit(status)


class Process:
    """The process of one connection."""

    def __init__(self, settings: Settings, source: int, sink: int) -> None:
        self._loop = loop = new_loop(settings.uvloop)
        self._status = 0
        self.has_seen_end = threading.Event()
        self._statistics = _statistics(settings.statistics)
        self._connection = Connection(
            new_host(loop, settings.in_memory, settings.spin),
            source,
            sink,
            on_end=loop.stop,
            on_error=self._refuse,
            fast=settings.fast,
            early_after=settings.early_after,
            in_play=any(file is not None for file in (settings.network, settings.trace, settings.schedule)),
            statistics=self._statistics,
        )
        logging.basicConfig(
            handlers=[NodeHandler(self._connection.link, loop)],
            level=settings.log_level,
            format="%(message)s",
        )
        loop.set_exception_handler(_log_failure)
        self._end_trace: Callable[[], None] = lambda: None
        given = (settings.network, settings.seed, settings.trace, settings.schedule)
        if any(value is not None for value in given):
            self._connection.output.flush()  # the greeting: the node waits longer for the file
            self._connection.engine = engine = _described(settings, self._connection.host, loop)
            self._end_trace = trace_to(settings.trace, engine)
        self._control: Control | None = None
        if settings.control is not None:
            self._connection.on_session = functools.partial(self._listen, settings.control, settings.bridges)
        self._connection.begin()

    def serve(self) -> int:
        """The exit status, when the node has gone."""
        self._loop.run_forever()
        self._connection.output.flush()
        if self._control is not None:
            self._control.close()
        self.has_seen_end.set()  # what is left ends by itself: see ThreadedFile.close
        self._end_trace()
        if self._statistics is not None:
            self._statistics.write()
        return self._status

    def _listen(self, folder: Path, bridges: int, session: Session) -> None:
        """From now on `inetpy faults` finds this process. A node without that is a node all the same."""
        from ..network.control import Control, UnsafeFolderError
        from ..network.engine import network_of

        try:
            self._control = Control(lambda: network_of(session).engine, session.poller, folder, bridges)
        except (OSError, UnsafeFolderError) as error:
            log.warning("`inetpy faults` cannot reach this node: %s", error)

    def _refuse(self, error: Exception) -> None:
        """The stream of the node cannot be followed."""
        print(f"inetpy bridge: {error}", file=sys.stderr)
        self._connection.link.refused(str(error))
        self._status = EXIT_PROTOCOL
        self._loop.stop()


def _described(settings: Settings, host: LinuxHost, loop: asyncio.AbstractEventLoop) -> Engine:
    """The network that a file describes. A file that fails is logged, and describes what it came to."""
    from ..network.engine import Engine
    from ..network.file import NetworkFileError, load
    from ..network.network import Network
    from ..network.script_file import read_scripts

    engine = Engine(host, settings.seed)
    if settings.schedule is not None:
        try:
            engine.follow(read_scripts(settings.schedule))
        except (ValueError, OSError) as error:
            log.error("there is no schedule: %s", error)
    if settings.network is not None:
        try:
            load(settings.network, Network(engine, loop))
        except NetworkFileError as error:
            log.error("%s\nWhat the file has described before that holds.", error)
    engine.add_left()
    return engine


def _statistics(folder: Path | None) -> Statistics | None:
    if folder is None:
        return None
    from .statistics import Statistics

    return Statistics(folder)


def private_pipes() -> tuple[int, int]:
    """Descriptors of the two pipes; 0 and 1 are made harmless."""
    source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    sink = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    for descriptor in (source, sink):
        os.set_blocking(descriptor, False)
        enlarge(descriptor)
    return source, sink


def _watch_input(source: int, has_seen_end: threading.Event) -> None:
    """Ends a process whose loop is stuck, some time after the input has ended."""
    poll = select.poll()
    poll.register(source, 0)  # only what cannot be masked: the other end is gone
    poll.poll()
    if not has_seen_end.wait(GRACE):
        os._exit(0)


def _log_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    log.error("%s", context.get("message"), exc_info=context.get("exception"))  # type: ignore[arg-type]
