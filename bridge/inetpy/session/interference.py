"""What a network in Python's hands is to a session: the rules, servers and recorders that are in play.

A session has it as `network`, None while nothing is in play. Sockets ask it; the node's requests
`fault` go to it. Its code is in rooms above, which this room does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..codec.terms import Atom, Pid
from ..host.api import Host, Socket

__all__ = ["FRESH", "OTHER", "Context", "Interference", "kind_of", "parse_context", "parse_lineages"]

FRESH = "fresh"  # the role of a stream that neither connects nor listens yet
OTHER = "other"  # that of a socket which no network controls: raw, seqpacket, packet, netlink


def kind_of(role: str | None) -> str:
    """What a socket of this role is: `stream`, `listener`, `datagram` or `other`."""
    return {"listener": "listener", None: "datagram", OTHER: OTHER}.get(role, "stream")


class Context(NamedTuple):
    """What the node says of a request while something is in play.

    asked: the name or address as the program asked for it; None where the node does not know it.
    lineage: what the socket's owner is and descends from: `Pid`, the `Atom` of a registered name, and
    `(Atom("application"), Atom)`. The owner itself comes first.
    """

    asked: str | None
    lineage: tuple[Any, ...]


class Interference(Protocol):
    """The network of a session: what its sockets are made of, and whom they reach.

    A role is `client`, `listener`, `accepted`, or None for a datagram socket. A socket of inetpy_socket is
    `FRESH` until it connects or listens, and `OTHER` where no network controls it.
    """

    @property
    def is_sealed(self) -> bool:
        """Whether no socket of the system may be opened, nor one of a descriptor of the node."""

    def heard(self, context: Context) -> None:
        """A request has come with this context."""

    def open_socket(
        self, role: str | None, family: int, kind: int, netns: bytes | None, owner: Pid, remote: Any
    ) -> Socket:
        """A new socket, in place of `Host.open_socket`. `remote`: what a client is to connect to."""

    def opened(self, handle: Any) -> None:
        """The handle of the socket that was opened or accepted last."""

    def adopted(self, handle: Any) -> None:
        """A handle of a socket that somebody else opened."""

    def check_opening(self, role: str | None, family: int) -> None:
        """A socket of inetpy_socket is to be opened. Raises OSError where the network has none like that."""

    def connects(self, handle: Any, remote: Any) -> None:
        """A fresh socket is about to connect: it may be another one from now on."""

    def listens(self, handle: Any) -> None:
        """A fresh socket is about to listen."""

    def accepted(self, owner: Pid, sock: Socket) -> Socket:
        """A connection that a listener has accepted. Its handle comes with `opened`."""

    def owner_changed(self, handle: Any) -> None:
        """A socket has been given away."""

    def lookup_host(self) -> Host:
        """The host to ask for names, for the caller of this request."""

    def aged(self, milliseconds: int) -> float:
        """How many ms of the time of the network go by in so many ms of the system."""

    def request(self, verb: str, argument: Any, answer: Callable[[bytes], None]) -> None:
        """The request `{fault, 0, Ref, {Verb, Argument}}` of the node. `answer` gets the encoded answer."""

    def on_lineage(self, number: int, answers: list[tuple[Pid, tuple[Any, ...]]]) -> None:
        """What `Link.lineage` asked for: the processes, each with what it is and descends from."""


def parse_context(args: Any) -> tuple[Context, Any] | None:
    """The context and the arguments of `{context, {Asked, Lineage}, Args}`. None for other arguments."""
    match args:
        case (Atom(name="context"), (Atom() | bytes() as asked, lineage), inner) if _is_lineage(lineage):
            name = asked.decode("utf-8", "replace") if isinstance(asked, bytes) else None
            return Context(name, tuple(lineage)), inner
    return None


def parse_lineages(answers: list[Any]) -> list[tuple[Pid, tuple[Any, ...]]] | None:
    """What comes back for `Link.lineage`: `[{Pid, Lineage}]`. None for another list."""
    parsed: list[tuple[Pid, tuple[Any, ...]]] = []
    for answer in answers:
        match answer:
            case (Pid() as pid, lineage) if _is_lineage(lineage):
                parsed.append((pid, tuple(lineage)))
            case _:
                return None
    return parsed


def _is_lineage(term: Any) -> bool:
    return type(term) is list and all(map(_is_member, term))


def _is_member(term: Any) -> bool:
    match term:
        case Pid() | Atom() | (Atom(), Atom()):
            return True
    return False
