"""The Python half of nodes, in a thread of the process that tests: the loop, the network, the server.

Nodes connect to a unix socket in a private folder, each with a token that is good for once.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import secrets
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from ..links.connection import new_host
from ..links.process import new_loop
from ..links.serve import Server
from ..network.engine import Engine
from ..network.network import Network
from ..session.session import Session

__all__ = ["Guest", "Half", "half_of"]

T = TypeVar("T")

STUCK = 1.0  # seconds
LONGEST = 80  # characters of a folder: the path of a unix socket has at most 107
HERE = "127.0.0.1"  # where the nodes of this process are


class Guest(Protocol):
    """A node, as the server tells it of its session. Called in the loop."""

    name: str

    def on_session(self, session: Session) -> None: ...

    def on_session_end(self) -> None: ...


class Half:
    """See the module. All methods may be called from any thread.

    network: of all nodes that are here.
    folder: private to this user.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.folder = Path(_new_folder())
        self.loop = new_loop(False)
        self._guests: dict[str, Guest] = {}  # by name
        self._tokens: dict[bytes, str] = {}
        self._thread = threading.Thread(target=self.loop.run_forever, name="inetpy", daemon=True)
        self._thread.start()
        self.network: Network = self._run(self._begin(seed))
        _HALVES[self.network] = self
        atexit.register(self.close)

    async def _begin(self, seed: int | None) -> Network:
        self._host = new_host(self.loop, in_memory=False)
        engine = Engine(self._host, seed)
        self._server = Server(self._host, engine, self._admit)
        self._server.on_session = self._on_session
        self._server.on_end = self._on_end
        self.url = await self._server.listen(f"unix:{self.folder}/bridge")
        return Network(engine, self.loop)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def do(self, work: Callable[[], T]) -> T:
        """The result of a function that runs in the loop."""
        if self.is_here():
            return work()

        async def run() -> T:
            return work()

        result: T = self._run(run())
        return result

    def is_here(self) -> bool:
        """Whether the caller is called by the loop. It must not wait for the loop, then."""
        return threading.current_thread() is self._thread

    def stuck_in(self) -> str | None:
        """The stack of a loop that has no turn for a second: a server waits in it. None while it runs."""
        turn = threading.Event()
        self.loop.call_soon_threadsafe(turn.set)
        if self.is_here() or turn.wait(STUCK):
            return None
        frame = sys._current_frames().get(self._thread.ident or 0)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def abandon(self) -> None:
        """The end of a half whose loop is stuck. Its thread ends with the process."""
        atexit.unregister(self.close)
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """The end of the loop. Nodes that are still there end with it. Nothing happens when it is closed."""
        if self.loop.is_closed():
            return
        atexit.unregister(self.close)
        self._run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _end(self) -> None:
        await self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._host.poller.close()

    # --- nodes ---

    def new_name(self, wanted: str | None) -> str:
        """A name that no node has. Raises ValueError where one has it."""
        if wanted is None:
            names = ("node", *(f"node{number}" for number in range(2, len(self._guests) + 3)))
            return next(name for name in names if name not in self._guests)
        if wanted in self._guests:
            raise ValueError(f"there is a node {wanted!r} already")
        return wanted

    def expect(self, guest: Guest) -> dict[str, str]:
        """A node is to come. The variables of its environment by which it finds the way."""
        token = secrets.token_hex(16)
        self._guests[guest.name] = guest
        self._tokens[token.encode()] = guest.name
        return {"INETPY_BRIDGE": self.url, "INETPY_TOKEN": token}

    def forget(self, guest: Guest) -> None:
        """The node has gone, and its name is free."""
        if self._guests.get(guest.name) is guest:
            del self._guests[guest.name]
        for token in [token for token, name in self._tokens.items() if name == guest.name]:
            del self._tokens[token]

    def is_empty(self) -> bool:
        """Whether there is no node."""
        return not self._guests

    def name_nodes(self) -> None:
        """The nodes find each other by their names."""
        self.network.names(dict.fromkeys(self._guests, HERE))

    def _admit(self, token: bytes) -> str | None:
        return self._tokens.pop(token, None)

    def _on_session(self, session: Session) -> None:
        self._guests[session.label].on_session(session)

    def _on_end(self, session: Session) -> None:
        guest = self._guests.get(session.label)
        if guest is not None:
            guest.on_session_end()


_HALVES: WeakKeyDictionary[Network, Half] = WeakKeyDictionary()


def half_of(network: Network) -> Half:
    """Raises ValueError for a network that is not of a node."""
    with contextlib.suppress(KeyError):
        return _HALVES[network]
    raise ValueError("a node is on the network of another node, or of the fixture `network`")


def _new_folder() -> str:
    folder = tempfile.mkdtemp(prefix="inetpy-")
    if len(folder) <= LONGEST:
        return folder
    shutil.rmtree(folder)
    return tempfile.mkdtemp(prefix="inetpy-", dir="/tmp")
