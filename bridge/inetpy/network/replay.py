"""A trace is played again: Python plays one side of what was recorded, and compares the other side.

    replay = network.replay("run.jsonl")                      the servers, in memory
    replay = network.replay("run.jsonl", role="client")       the clients of an Erlang listener
    replay = network.replay("run.jsonl", role="live")         the clients of a server of the real network

`Network.replay` has all of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from math import inf
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from ..replay.chunking import make_chunking
from ..replay.conversations import Conversation, conversations, looked_up
from ..replay.matching import Match, make_matching
from ..replay.player import Line, Manner, Mismatch, Player
from ..trace.read import read_trace
from . import anywhere
from .addresses import is_ip, is_own
from .clock import NetworkClock
from .conn import Conn
from .faults import error, nth
from .lines import ConnLine, DatagramLine, dial, dial_in_memory

if TYPE_CHECKING:
    from .network import Network

__all__ = ["ROLES", "Replay", "ReplayError"]

ROLES = ("server", "client", "live")
LOOK = 0.02  # seconds between two looks whether somebody listens by now

log = logging.getLogger(__name__)


class ReplayError(AssertionError):
    """What was played is not what was recorded. The text has the mismatches, and what is missing."""


class Replay:
    """What `Network.replay` gives.

    mismatches: `Mismatch`es, with `conversation`, `offset`, `expected`, `got`, and a hexdump as text.
    failures: the texts of these, and of connections that nobody has recorded or that could not be made. They
        are failures of the network, too.
    notes: what the file does not have, and what was hidden when it was recorded.
    """

    def __init__(self, network: Network, path: str, role: str, manner: Manner, patience: float) -> None:
        self.mismatches: list[Mismatch] = []
        self.failures: list[str] = []
        self.notes: list[str] = []
        self._network = network
        self._path = path
        self._role = role
        self._manner = manner
        self._patience = patience
        self.paths: list[str] = []  # of the unix sockets that it serves
        self._left: list[Conversation] = []  # that have not begun
        self._players: list[Player] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Event = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Replay of {self._path} as {self._role}, {len(self._left)} to come>"

    # --- what users ask ---

    @property
    def is_done(self) -> bool:
        """Whether all that was recorded has been played."""
        return not self._left and all(player.is_over for player in self._players)

    def missing(self) -> list[str]:
        """What has not come yet, a sentence each."""
        never = [f"{conversation}: it has never come" for conversation in self._left]
        return never + [text for player in self._players if (text := player.missing)]

    def check(self) -> None:
        """Raises ReplayError where something differs, or is missing by now."""
        texts = self.failures + self.missing()
        if texts:
            raise ReplayError(f"replay of {self._path}:\n" + "\n".join(texts))

    def wait(self, timeout: float | None = 5.0) -> Any:
        """Waits until all has been played, or something has failed, and checks as `check` does.

        timeout: seconds, after which ReplayError says what is missing; None: for ever. In a thread with a
        running loop this gives a task.
        """

        async def wait() -> None:
            try:
                async with asyncio.timeout(timeout):
                    while not (self.is_done or self.failures):
                        self._changed.clear()
                        await self._changed.wait()
            except TimeoutError:
                pass
            self.check()

        return anywhere.call(self._network.loop, wait)

    def finish(self) -> None:
        """Ends it: what is missing now is a failure of the network. Servers stay until `Network.clear`."""
        if self not in self._network.engine.replays:
            return
        missing = self.missing()
        self.cancel()
        for text in missing:
            self._fail(text)

    def cancel(self) -> None:
        """Ends it, whatever is missing."""
        for task in self._tasks:
            task.cancel()
        if self in self._network.engine.replays:
            self._network.engine.replays.remove(self)

    # --- what happens ---

    def _fail(self, text: str) -> None:
        self.failures.append(text)
        log.error("replay of %s: %s", self._path, text)
        self._network.engine.places.failures.append(f"replay of {self._path}: {text}")
        self._changed.set()

    def _task(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._network.loop.create_task(work, name=f"inetpy replay {self._path}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _play(self, player: Player, line: Line) -> None:
        """A failure is told before the other side sees the reset."""
        try:
            await player.play(line)
        except BaseException as error:
            if isinstance(error, Mismatch):
                self.mismatches.append(error)
                self._fail(str(error))
            elif isinstance(error, Exception):  # of a function of the user
                self._fail(f"{player.conversation}: {error!r}")
            line.reset()
            if not isinstance(error, Exception):
                raise
        finally:
            self._changed.set()

    def _next(self, queue: deque[Conversation], who: str) -> Player | None:
        """The one who plays for a client that has come; None: the record has no further one."""
        if not queue:
            self._fail(f"a client more than was recorded has come: {who}")
            return None
        conversation = queue.popleft()
        self._left.remove(conversation)
        player = Player(conversation, False, self._manner, self._changed.set)
        self._players.append(player)
        return player

    # --- as the servers ---

    def serve(self, found: list[Conversation], names: Mapping[str, list[str]]) -> None:
        """Describes the servers. `names`: addresses as the program looked them up."""
        self._left = [conversation for conversation in found if conversation.refused is None]
        served = {conversation.host for conversation in found}
        network = self._network
        for name, addresses in names.items():
            if name not in served and not is_ip(name):
                if not addresses:
                    network.fault("nxdomain", host=name)
                elif not any(is_own(address) for address in addresses):  # a name of the network that recorded
                    network.names({name: addresses})
        places: dict[tuple[bool, str, int | None], list[Conversation]] = {}
        for conversation in found:
            key = (conversation.is_stream, conversation.host, conversation.port)
            places.setdefault(key, []).append(conversation)
        for (is_stream, host, port), those in places.items():
            queue = deque(conversation for conversation in those if conversation.refused is None)
            if port is None:
                self._serve_path(host, queue)
            elif is_stream:
                network.server(host, port)(self._handler(f"{host}:{port}", queue))
            else:
                self._serve_datagrams(host, port, queue)
            for number, conversation in enumerate(those, 1):
                if conversation.refused is not None and port is not None:
                    network.fault(
                        error("connect", conversation.refused), when=nth(number), host=host, port=port
                    )

    def _handler(self, place: str, queue: deque[Conversation]) -> Callable[[Conn], Awaitable[None]]:
        async def play(conn: Conn) -> None:
            player = self._next(queue, place)
            if player is None:
                conn.reset()
            else:
                await self._play(player, ConnLine(conn))

        return play

    def _serve_path(self, path: str, queue: deque[Conversation]) -> None:
        play = self._handler(path, queue)
        self.paths.append(path)
        anywhere.do(self._network.loop, lambda: self._network.servers.serve_path(path, play))

    def _serve_datagrams(self, host: str, port: int, queue: deque[Conversation]) -> None:
        lines: dict[Any, DatagramLine | None] = {}

        async def take(data: bytes, sender: Any, reply: Callable[[bytes], None]) -> None:
            if sender not in lines:
                player = self._next(queue, f"{sender[0]}:{sender[1]} at {host}:{port}")
                line = lines[sender] = None if player is None else DatagramLine(reply)
                if player is not None and line is not None:
                    self._task(self._play(player, line))
            line = lines[sender]
            if line is not None:
                line.put(data)

        self._network.datagrams(host, port)(take)

    # --- as the clients ---

    def connect(self, found: list[Conversation]) -> None:
        """Begins to play them: each when those that had ended before it are over."""
        self._left = list(found)
        over: dict[Conversation, asyncio.Event] = {conversation: asyncio.Event() for conversation in found}
        begun = min((item.begun for item in found if item.begun is not None), default=0)
        for conversation in found:
            before = [over[other] for other in found if other.last < conversation.first]
            at = (conversation.begun or begun) - begun
            self._task(self._run(conversation, before, over[conversation], at))

    async def _run(
        self, conversation: Conversation, before: list[asyncio.Event], over: asyncio.Event, at: int
    ) -> None:
        """at: ns from the beginning of the record to this conversation."""
        clock = self._network.engine.clock
        start = clock.now()
        try:
            for other in before:
                await other.wait()
            if self._manner.speed is not None:
                passed = (clock.now() - start) * 1e9
                await self._manner.pause(at / self._manner.speed - passed)
            line = await self._dial(conversation)
            self._left.remove(conversation)
            if line is not None:

                def on_over() -> None:
                    over.set()  # though the connection may be open still
                    self._changed.set()

                player = Player(conversation, True, self._manner, on_over)
                self._players.append(player)
                await self._play(player, line)
        finally:
            over.set()
            self._changed.set()

    async def _dial(self, conversation: Conversation) -> Line | None:
        """A listener may come later. None: nobody listens, and that is a failure."""
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    try:
                        return await self._reach(conversation)
                    except (ConnectionRefusedError, FileNotFoundError):
                        await asyncio.sleep(LOOK)
        except TimeoutError:
            self._fail(f"{conversation}: nobody has listened there for {self._patience:g} s")
        except OSError as error:
            self._fail(f"{conversation}: {error}")
        return None

    async def _reach(self, conversation: Conversation) -> Line:
        if self._role == "live":
            return await dial(conversation.host, conversation.port, conversation.is_stream)
        servers = self._network.servers
        if conversation.is_stream:
            return ConnLine(await servers.connect(conversation.host, conversation.port or 0))
        return dial_in_memory(servers, conversation.host, conversation.port or 0)


def make_manner(
    network: Network, *, match: Match, chunks: str, speed: float | None, patience: float
) -> Manner:
    """How a replay is played. Raises ValueError for a wrong word."""
    for name, value in (("speed", speed), ("patience", patience)):
        if value is not None and (
            not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < inf
        ):
            raise ValueError(f"{name} is a number above 0, not {value!r}")
    return Manner(
        make_matching(match),
        make_chunking(chunks, network.seed),
        speed,
        pauses(network.engine.clock),
        patience,
    )


def make_replay(
    network: Network,
    path: str | PathLike[str],
    *,
    role: str,
    match: Match,
    chunks: str,
    speed: float | None,
    at: Mapping[str, str] | None,
    only: str | None,
    patience: float,
) -> Replay:
    """See `Network.replay`. Nothing has changed where it raises."""
    if role not in ROLES:
        raise ValueError(f"a role is server, client or live, not {role!r}")
    manner = make_manner(network, match=match, chunks=chunks, speed=speed, patience=patience)
    trace = read_trace(path)
    found = conversations(trace, of_servers=role != "server")
    found = [item for item in found if only is None or fnmatchcase(item.place, only)]
    if role != "server":
        found = [item for item in found if item.refused is None]
    names = looked_up(trace) if role == "server" else {}
    if not found and (only is not None or not names):
        which = "" if only is None else f" with {only}"
        raise ValueError(f"{fspath(path)} has no connection and no datagram of a client{which}")
    if speed is not None and any(item.begun is None for item in found):
        raise ValueError(
            f"{fspath(path)} has no times: it cannot be played at a speed (record it with times)"
        )
    _move(found, at or {})
    if role == "live" and (network.engine.places.strict or network.engine.places.sealed):
        raise RuntimeError("the network is strict: a live replay would reach the real network")
    replay = Replay(network, fspath(path), role, manner, patience)
    replay.notes += trace.notes
    for item in found:
        count = item.redacted(by_client=role != "server")
        if count:
            parts = f"{count} part{'s' * (count > 1)}"
            replay.notes.append(f"{item}: {parts} that the recording has hidden are sent as stars")
    for note in replay.notes:
        log.warning("replay of %s: %s", fspath(path), note)
    engine = network.engine
    if role != "live":
        anywhere.do(network.loop, engine.seal)
    if role == "server":
        replay.serve(found, names)
    else:
        anywhere.do(network.loop, lambda: replay.connect(found))
    anywhere.do(network.loop, lambda: engine.replays.append(replay))
    return replay


def _move(found: list[Conversation], at: Mapping[str, str]) -> None:
    """Other places than those of the record."""
    for recorded in at:
        if not any(recorded == item.place for item in found):
            places = ", ".join(sorted({item.place for item in found}))
            raise ValueError(f"{recorded!r} is not in the record, which has {places}")
    for item in found:
        place = at.get(item.place)
        if place is not None:
            host, _, port = place.rpartition(":")
            if not host or not port.isdecimal():
                raise ValueError(f"a place is host:port, not {place!r}")
            item.host, item.port = host, int(port)


def pauses(clock: NetworkClock) -> Callable[[float], Any]:
    """Waits for so many ns of the network's time, without those below a ms."""

    async def pause(ns: float) -> None:
        milliseconds = round(ns / 1_000_000)
        if milliseconds <= 0:
            return
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        timer = clock.after(milliseconds, end)
        try:
            await over
        finally:
            timer.cancel()

    return pause
