"""What a session needs of its peer, a node of Erlang.

`links` has the implementations. Identifiers and bodies are in the External Term Format, without the
version byte. A link keeps the order of all that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from ..fast import FastPaths

__all__ = ["Link"]


class Link(Protocol):
    """The way to a node.

    outward: when set, changes the identifiers that go out (see `wire.identity`). All methods take
    identifiers as the session knows them.
    """

    outward: Callable[[bytes], bytes] | None
    fast: FastPaths

    def answer(self, ref: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `{Ref, Body}` to the alias `ref`. `tail` continues `body`."""

    def tell(self, pid: bytes, body: bytes, tail: bytes = b"") -> None:
        """Sends `body` to the process `pid`."""

    def tell_all(self, pid: bytes, bodies: list[bytes]) -> None:
        """Sends some messages to a process."""

    def watch(self, pid: bytes) -> None:
        """From now on the node tells when this process ends."""

    def unwatch(self, pid: bytes) -> None:
        """The end of a process is not of interest any more, or has been heard of."""

    def opened(self, ident: int, name: bytes, kind: str, owner: bytes) -> None:
        """There is a socket: the node tells its owner when the link is lost."""

    def owned(self, ident: int, owner: bytes) -> None:
        """A socket has another owner."""

    def mode(self, ident: int, before: int, after: int) -> None:
        """A socket has another mode: see `wire.mode`.

        Comes before the message or the answer that belongs to the change: one frame can tell both.
        """

    def mode_to(self, ident: int, mode: int, destination: bytes) -> None:
        """The same, and what is meant: sends to `destination`, a term; or one `socket:connect/1`, with
        `{Process, Number}` for it.
        """

    def select(self, ref: bytes, body: bytes, ident: int, process: bytes, handle: bytes) -> None:
        """Answers the alias `ref`; the process waits from now on for a message about a plain socket."""

    def ready(self, ident: int, handle: bytes) -> None:
        """The socket is ready: whoever waits with this handle gets the message, and waits no longer."""

    def ready_with(self, ident: int, handle: bytes, number: int, process: bytes, data: bytes) -> None:
        """The same, and the node keeps `data` for the process."""

    def recall(self, ident: int, number: int) -> None:
        """The node gives such data up, and says whether it had them still."""

    def abort(self, ident: int, handle: bytes, reason: str) -> None:
        """It will not be ready: another message."""

    def unselect(self, ident: int, handle: bytes) -> None:
        """Nobody waits with this handle any longer."""

    def closed(self, ident: int) -> None:
        """A socket is gone."""

    def in_play(self, on: bool) -> None:
        """Whether the node is to say who asks, and for which name: see `session.interference.Context`."""

    def names(self, known: Mapping[str, list[str]]) -> None:
        """All names of the network and their IP addresses, for the resolver of the node."""

    def lineage(self, number: int, pids: list[bytes]) -> None:
        """Asks what these processes are and descend from. The answer, with this number, comes later."""

    def keys(self, pid: bytes) -> None:
        """Asks for the keys of a connection of TLS. The answer comes later: see `network.traces.keys`."""

    def stray(self, number: int, pids: list[bytes]) -> None:
        """Asks for messages of sockets in the mailboxes of these processes: see `network.strays`."""

    def keep(self, key: int, rule: bytes) -> None:
        """The node is to add this rule again when Python has died.

        `rule` is `{Whom, What, When}`, without pids.
        """

    def forget(self, key: int) -> None:
        """The rule that was to be kept is gone."""

    def agent(self, payload: bytes) -> None:
        """For `inetpy_agent`, which only a node of `inetpy.testing` has."""

    def renamed(self) -> None:
        """The session uses the new name of the node from here on."""

    def pong(self) -> None:
        """The answer to a ping."""

    def acknowledged(self, count: int) -> None:
        """The node has passed on `count` frames more."""
