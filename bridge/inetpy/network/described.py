"""A network file in a process that runs: what the file describes comes, and goes again.

`inetpy_network:load("net.py")` asks for it, and so do the hooks for Common Test, EUnit and ExUnit, for the
time of a suite. The file runs in a thread of its own: sockets go on meanwhile, and a file that does not end
stops nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .addresses import normal_host
from .faults import Fault, When
from .file import NetworkFileError, load
from .network import Network
from .rules import Rule
from .servers import TLS, Factory, H

if TYPE_CHECKING:
    from .engine import Engine
    from .replay import Replay

__all__ = ["Described"]

T = TypeVar("T")

LONGEST = 50  # seconds that a file may take: less than the node waits for


class Described(Network):
    """A network that knows what was described through it, and takes it back."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(engine, loop)
        self._rules: list[Rule] = []
        self._hosts: dict[tuple[str, int], None] = {}
        self._names: dict[str, list[str] | None] = {}  # as they were before
        self._before = self._settings()
        self.replays: list[Replay] = []

    def _settings(self) -> tuple[int, bool, bool, float]:
        places = self.engine.places
        return self.engine.rules.seed, places.strict, places.sealed, self.engine.clock.rate

    def fault(
        self, what: Fault | str, *, when: When | None = None, for_ms: float | None = None, **whom: Any
    ) -> Rule:
        rule = super().fault(what, when=when, for_ms=for_ms, **whom)
        self._rules.append(rule)
        return rule

    def names(self, known: Mapping[str, str | list[str]]) -> None:
        before = dict(self.engine.places.names)
        super().names(known)
        for name in map(normal_host, known):
            self._names.setdefault(name, before.get(name))

    def server(self, host: str, port: int, *, tls: TLS = None, buffer: int | None = None) -> Callable[[H], H]:
        return self._noting(host, port, super().server(host, port, tls=tls, buffer=buffer))

    def protocol(
        self, host: str, port: int, factory: Factory, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        super().protocol(host, port, factory, tls=tls, buffer=buffer)
        self._hosts[host, port] = None

    def static(
        self, host: str, port: int, data: bytes, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        super().static(host, port, data, tls=tls, buffer=buffer)
        self._hosts[host, port] = None

    def datagrams(self, host: str, port: int, factory: Factory | None = None) -> Callable[[H], H]:
        add = super().datagrams(host, port, factory)
        if factory is not None:
            self._hosts[host, port] = None
        return self._noting(host, port, add)

    def replay(self, path: str | PathLike[str], **words: Any) -> Replay:
        replay = super().replay(path, **words)
        self.replays.append(replay)
        self._hosts |= dict.fromkeys((served, 0) for served in replay.paths)
        return replay

    def _noting(self, host: str, port: int, add: Callable[[H], H]) -> Callable[[H], H]:
        def add_and_note(handler: H) -> H:
            added = add(handler)
            self._hosts[host, port] = None
            return added

        return add_and_note

    def begin(self, file: Path | None, seed: int | None, done: Callable[[str | None], None]) -> None:
        """Runs the file in the time to come. `done` gets None, or why the file has failed.

        What a file has described that fails is taken back first. To be called in the loop.
        """
        self._then(self._describe(file, seed), lambda task: done(task.result()))

    def begin_replay_of(
        self, path: str, words: Mapping[str, Any], done: Callable[[str | None], None]
    ) -> None:
        """As `begin`, with the replay of a trace. words: those of `Network.replay`."""

        def replay() -> None:
            self.replay(path, **words)

        self._then(self._describe_by(replay), lambda task: done(task.result()))

    async def _describe_by(self, describe: Callable[[], None]) -> str | None:
        async with self.engine.describing:
            self._before = self._settings()
            try:
                describe()
            except (ValueError, TypeError, OSError, RuntimeError) as error:
                await self._take_back()
                return str(error)
            return None

    def end(self, done: Callable[[], None] = lambda: None) -> None:
        """Takes back all that was described, and calls `done` then. To be called in the loop."""
        self._then(self._take_back_alone(), lambda _: done())

    def _then(self, work: Coroutine[Any, Any, T], done: Callable[[asyncio.Task[T]], None]) -> None:
        self._task: asyncio.Task[Any] = self.loop.create_task(work)
        self._task.add_done_callback(done)

    async def _describe(self, file: Path | None, seed: int | None) -> str | None:
        async with self.engine.describing:
            self._before = self._settings()
            if seed is not None:
                self.engine.rules.seed = seed
            if file is None:
                return None
            try:
                await asyncio.wait_for(self._run(file), LONGEST)
            except NetworkFileError as error:
                failure = str(error)
            except TimeoutError:
                failure = f"the network file {file} has not ended within {LONGEST} seconds"
            else:
                return None
            await self._take_back()
            return failure

    async def _run(self, file: Path) -> None:
        """In a thread that nobody waits for at the end of the process."""
        loop = self.loop
        over: asyncio.Future[None] = loop.create_future()

        def finish(error: NetworkFileError | None) -> None:
            if over.done():
                return
            if error is None:
                over.set_result(None)
            else:
                over.set_exception(error)

        def run() -> None:
            failed = None
            try:
                load(file, self)
            except NetworkFileError as error:
                failed = error
            loop.call_soon_threadsafe(finish, failed)

        threading.Thread(target=run, name=f"inetpy {file}", daemon=True).start()
        await over

    async def _take_back_alone(self) -> None:
        async with self.engine.describing:
            await self._take_back()

    async def _take_back(self) -> None:
        """All is as if the file had never run: rules, servers, names, strictness, rate of time, and seed.

        Connections of the servers are reset.
        """
        engine = self.engine
        for replay in self.replays:
            replay.finish()
        for rule in self._rules:
            engine.end(rule)
        for host, port in self._hosts:
            with suppress(KeyError):  # the file has closed it itself
                await self.servers.close(host, port)
            self.servers.forget(host)
        for name, addresses in self._names.items():
            engine.places.names.pop(name, None)
            if addresses is not None:
                engine.places.names[name] = addresses
        seed, strict, sealed, rate = self._before
        engine.rules.seed, engine.places.strict, engine.places.sealed = seed, strict, sealed
        if engine.clock.rate != rate:
            engine.clock.set_rate(rate)
        engine.places_changed()
