"""The network, as the session of one node has it.

Several nodes can be on one network. Each of them has its own processes and its own rules: the pid <0.90.0>
of one node looks like that of another.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_PACKET
from typing import TYPE_CHECKING, Any, cast

from ..codec.etf import encode_body
from ..codec.terms import Pid
from ..host.api import Host, Socket
from ..host.errors import os_error
from ..session.interference import OTHER, Context
from ..session.session import Session
from .controllable import controllable
from .lineages import Lineages
from .requests import term_of_rule
from .resolver import LookupHost
from .rules import Rule
from .scenes import Scenes
from .verbs import VERBS
from .whom import Facts, ip_and_port, proto_of, system_name

if TYPE_CHECKING:
    from .described import Described
    from .engine import Engine
    from .traces import NodeTrace

__all__ = ["NodeNetwork"]

_OUTSIDE = (AF_INET, AF_INET6, AF_PACKET)  # families of sockets that reach others than this host


class NodeNetwork:
    """A `session.interference.Interference`. Its engine does the work.

    lineages: of the owners of its sockets.
    traces: those that its processes have started.
    scenes: stretches of a test run.
    described: the networks of files that it has asked for, by their numbers.
    """

    def __init__(self, engine: Engine, session: Session) -> None:
        self.engine = engine
        self.session = session
        self.lineages = Lineages()
        self.traces: dict[int, NodeTrace] = {}
        self.scenes = Scenes(self)
        self.described: dict[int, Described] = {}
        self._newest: Facts | None = None

    @property
    def name(self) -> str:
        """What tests call the node, or else its name in Erlang."""
        return self.session.label or self.session.node_name

    # --- rules ---

    def keep(self, rule: Rule) -> None:
        """The node is to add this rule to the Python that comes next."""
        assert rule.key is not None
        self.session.link.keep(rule.key, encode_body(term_of_rule(rule)))

    def forget(self, key: int) -> None:
        self.session.link.forget(key)

    def request(self, verb: str, argument: Any, answer: Callable[[bytes], None]) -> None:
        VERBS[verb](self, argument, answer)

    def take_all_back(self) -> None:
        """What the files of this node have described, and its traces."""
        for network in self.described.values():
            network.end()
        self.described = {}
        for trace in self.traces.values():
            trace.forget()
        self.traces = {}

    # --- sockets ---

    @property
    def is_sealed(self) -> bool:
        return self.engine.places.sealed

    def heard(self, context: Context) -> None:
        self.lineages.heard(context.lineage)

    def open_socket(
        self, role: str | None, family: int, kind: int, netns: bytes | None, owner: Pid, remote: Any
    ) -> Socket:
        context = self.session.context
        peer, port = ip_and_port(remote)
        asked = context.asked if context is not None and role == "client" else None
        if asked is None or asked == peer:
            asked = self.engine.places.name_of(peer)
        proto = proto_of(family, role is None)
        facts = Facts(proto, role, owner, self.lineages.of(owner), asked, peer, port, node=self)
        sock = self.engine.new_socket(family, kind, netns, facts)
        self._newest = facts
        return cast("Socket", sock)

    def opened(self, handle: Any) -> None:
        facts, self._newest = self._newest, None
        assert facts is not None
        self.engine.has(handle, facts)
        if facts.lineage is None:
            self.engine.ask_lineages()

    def adopted(self, handle: Any) -> None:
        self.engine.adopt(handle)
        if self.engine.facts_of(handle).lineage is None:
            self.engine.ask_lineages()

    def check_opening(self, role: str | None, family: int) -> None:
        if role == OTHER and family in _OUTSIDE and self.engine.places.strict:
            self.engine.places.failures.append("a socket is opened that no strict network has: raw or packet")
            raise os_error(errno.EPERM)

    def connects(self, handle: Any, remote: Any) -> None:
        context = self.session.context
        self.engine.connects(handle, None if context is None else context.asked, remote)

    def listens(self, handle: Any) -> None:
        self.engine.listens(handle)

    def accepted(self, owner: Pid, sock: Socket) -> Socket:
        peer, port = ip_and_port(system_name(sock, "getpeername"))
        _, local_port = ip_and_port(system_name(sock, "getsockname"))
        lineage = self.lineages.of(owner)
        proto = proto_of(sock.family, False)
        facts = Facts(proto, "accepted", owner, lineage, None, peer, port, local_port, node=self)
        self._newest = facts
        return cast("Socket", self.engine.with_rules(sock, facts, is_connected=True))

    # --- owners ---

    def owner_changed(self, handle: Any) -> None:
        lineage = self.lineages.of(handle.owner)
        self.engine.look_again(handle, lineage)
        if lineage is None:
            self.engine.ask_lineages()

    def ask_lineages(self, everyone: bool) -> None:
        """Asks about the owners of whom nothing is known, or about all."""
        engine = self.engine
        handles = controllable(self.session)
        owners = [handle.owner for handle in handles if everyone or engine.facts_of(handle).lineage is None]
        if owners:
            self.lineages.ask(self.session.link, owners)

    def on_lineage(self, number: int, answers: list[tuple[Pid, tuple[Any, ...]]]) -> None:
        known = dict(answers)
        self.lineages.answered(number, known)
        for handle in controllable(self.session):
            if handle.owner in known:
                self.engine.look_again(handle, known[handle.owner])

    # --- names and time ---

    def lookup_host(self) -> Host:
        context = self.session.context
        lineage = None if context is None else context.lineage
        owner = cast("Pid | None", lineage[0] if lineage else None)
        return cast("Host", LookupHost(self, owner, lineage))

    def aged(self, milliseconds: int) -> float:
        return milliseconds * self.engine.clock.rate
