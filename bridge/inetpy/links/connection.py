"""A node at the other end of two descriptors: its greeting, and then a session of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..codec.etf import EtfError, decode
from ..codec.show import shown
from ..fast.paths import EARLY_AFTER, LARGE, NEVER
from ..host import pipes
from ..host.linux import LinuxHost
from ..operations.dispatch import Dispatcher
from ..session.session import Session
from ..wire.framing import MAX_FRAME, Frame, FrameReader
from ..wire.messages import LIMITS
from .encoding import FrameLink
from .greeting import ProtocolError, parse_greeting
from .input import Input
from .output import Output

if TYPE_CHECKING:
    from ..network.engine import Engine
    from .statistics import Statistics

__all__ = ["Connection", "new_host"]

log = logging.getLogger(__name__)


class Connection:
    """See the module. The frames are the same whatever the descriptors are of.

    on_end, on_error: what is to be done at the end of the input, and when the sides do not fit.
    fast: whether there are fast paths.
    early_after: see `FastPaths`.
    in_play: whether a network is described already, so that the first request has a context.
    longest: the bytes of the largest frame.
    statistics: what counts, or None.
    """

    def __init__(
        self,
        host: LinuxHost,
        source: int,
        sink: int,
        on_end: Callable[[], None],
        on_error: Callable[[Exception], None],
        *,
        fast: bool = True,
        early_after: int = EARLY_AFTER,
        in_play: bool = False,
        longest: int = MAX_FRAME,
        statistics: Statistics | None = None,
    ) -> None:
        frames = FrameReader(longest, LARGE if fast else NEVER)
        self.output = Output(sink)
        self.host = host
        self.output.start(self.host.poller)
        new_link = FrameLink if statistics is None else statistics.new_link
        self.link = new_link(self.output, frames, fast)
        if fast:
            self.link.fast.early_after = early_after
        self.session: Session | None = None
        self._new_dispatcher = Dispatcher if statistics is None else statistics.new_dispatcher
        self._dispatcher: Dispatcher | None = None
        self._malformed = 0
        self.engine: Engine | None = None  # of a network that is described before the node greets
        self.on_session: Callable[[Session], None] = lambda _: None
        self._source = pipes.End(source)
        self._input = Input(source, frames, self._on_frames, on_end, on_error)
        protocols = host.raw.protocols()
        self.link.hello(in_play, [name for _, names in protocols for name in names])

    def begin(self) -> None:
        """From now on the node is heard. The loop may have run before: see `network.file`."""
        self.host.poller.add_last(self._source, self._input)

    @property
    def reads(self) -> int:
        """How many times something has come from the node."""
        return self._input.reads

    def hold(self, held: bool) -> None:
        """While the node takes nothing, it is not heard: its answers would have no place."""
        if held:
            self.host.poller.remove(self._source)
        else:
            self.host.poller.add_last(self._source, self._input)

    def end(self) -> None:
        """The node has gone. Its sockets are closed; the descriptors of the link are the caller's."""
        self.output.close()
        self.host.poller.forget(self._source)
        if self.session is not None:
            self.session.end()
            if self.engine is not None:
                self.engine.detach(self.session)
        self.link.fast.close()

    def close(self) -> None:
        """The same, and the end of the host."""
        self.end()
        self.host.poller.close()

    def _on_frames(self, frames: Iterable[Frame]) -> None:
        """A frame that fails costs nothing but itself. Raises ProtocolError for a wrong greeting."""
        try:
            for frame in frames:
                try:
                    if self._dispatcher is None:
                        self._greeted(frame if type(frame) is tuple else decode(frame, LIMITS))  # type: ignore[arg-type]
                    else:
                        self._dispatcher.handle_frame(frame)
                except ProtocolError:
                    raise
                except EtfError as error:
                    self._on_malformed(error)
                except Exception:
                    log.exception("a frame failed: %s", shown(frame))  # those behind it are not lost
        finally:
            if self._dispatcher is not None:
                self._dispatcher.settle()

    def _on_malformed(self, error: EtfError) -> None:
        self._malformed += 1
        # Ten thousand of them are worth five lines in the log.
        if str(self._malformed).strip("0") == "1":
            log.error("malformed frame (%d so far): %s", self._malformed, error)

    def _greeted(self, term: object) -> None:
        able, bridge, out = parse_greeting(term)
        self.output.open_window()
        self.session = Session(self.link, self.host, bridge, out, able)
        self._dispatcher = self._new_dispatcher(self.session)
        if self.engine is not None:
            self.engine.attach(self.session)
        self.output.on_congestion = self.session.set_congested
        self.on_session(self.session)


def new_host(loop: asyncio.AbstractEventLoop, in_memory: bool, spin: float = 0.0) -> LinuxHost:
    """The host of a process, for all its connections.

    in_memory: whether the sockets are in memory, and reach each other alone.
    spin: see `LoopPoller`.
    """
    if not in_memory:
        return LinuxHost(loop, spin=spin)
    from ..host.memory_loop import MemoryLoopHost  # takes milliseconds to load

    return MemoryLoopHost(loop, spin=spin)
