"""The network of one Python process: its rules, its names, and the sockets that they concern.

    engine = Engine(host, seed)       one for a host
    engine.attach(session)           from now on the sockets of this node are looked at
    engine.add(Rule(...))            holds when this returns, also for sockets that are open
    engine.remove(rule)

All methods are called by the loop. `Network` is what users see, and `NodeNetwork` what a session sees.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from socket import SOCK_DGRAM, SOCK_STREAM
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from ..codec.terms import Pid
from ..host.api import Host
from ..host.errors import os_error
from ..host.memory_sockets import MemoryNetwork, MemoryStream
from ..session.interference import FRESH, OTHER, kind_of
from ..session.session import Session
from .clock import NetworkClock
from .controllable import controllable
from .controlled import Controlled
from .datagrams import ControlledDatagram
from .diverted import DivertedStream, own_socket
from .faults import FAULTS, names_call
from .keylog import KeyLog
from .listeners import ControlledListener
from .node import NodeNetwork
from .periods import Expiry, Period
from .places import Places
from .resolver import SilentLookup
from .rules import Event, Rule, Rules
from .scripts import Place, Scripts, parse_facts
from .stages import SHAPING
from .strays import Strays
from .streams import ControlledStream
from .whom import DIRECTIONS, Facts, Lineage, ip_and_port, proto_of, system_name

if TYPE_CHECKING:
    from ..trace.recorder import Recorder
    from .replay import Replay
    from .servers import Servers

__all__ = ["Engine", "network_of"]

CAPACITY = 1 << 18  # bytes that a controlled stream takes, in each direction, before they are moved on
_ANY = ("0.0.0.0", "::")  # noqa: S104
_WORDS: dict[str | None, frozenset[str]] = {
    "listener": frozenset(("error", "eagain", "refuse", "down")),
    FRESH: frozenset(("error",)),
    OTHER: frozenset(),
}  # what happens to sockets of a role that is not that of a connection
_OF_NAMES = frozenset(("nxdomain", "resolve_timeout", "error"))


class Engine:
    """See the module.

    clock: the time of this network, which its sessions have, too.
    memory: the net of the servers in memory, and of the sockets that reach them.
    outside: stands for the system while the network is sealed: sockets of nodes, which reach each other.
    silent: lookups that nobody answers, each with the rule that makes it so.
    servers: those in memory, once there was one.
    runs_files: whether a node may have network files run here: what they say is code of Python.
    describing: held while a file of a node describes something, or is taken back.
    replays: those that go on.
    recorder: what notes calls and bytes; None: nobody does.
    keylog: the keys of Python's sessions of TLS, for the recorder.
    strays: what nodes are asked about messages that nobody has received.
    """

    def __init__(self, host: Host, seed: int | None = None) -> None:
        self.host = host
        self.clock = NetworkClock(host.clock)
        self.poller = host.poller
        self.rules = Rules(random.SystemRandom().getrandbits(32) if seed is None else seed)
        self.memory = MemoryNetwork(host.poller.notify)
        self.outside = MemoryNetwork(host.poller.notify)
        self.nodes: dict[Session, NodeNetwork] = {}
        self.places = Places()
        self._told: dict[str, list[str]] = {}  # the names that the node knows
        self.silent: dict[SilentLookup, Rule] = {}
        self.servers: Servers | None = None
        self.runs_files = True
        self.describing = asyncio.Lock()
        self.replays: list[Replay] = []
        self.recorder: Recorder | None = None
        self.keylog = KeyLog()
        self.strays = Strays()
        self._ends = MemoryNetwork(host.poller.notify, CAPACITY)
        self._keys: dict[tuple[NodeNetwork | None, int], Rule] = {}  # nodes number their rules themselves
        self._kept: set[int] = set()  # of our own: the node adds these rules to the next Python
        self._lowest = 0
        self._timers: dict[Rule, list[Expiry | Period]] = {}
        self._facts: WeakKeyDictionary[Any, Facts] = WeakKeyDictionary()
        self._lingering: dict[ControlledStream, None] = {}  # closed by Erlang, with bytes that are held

    def attach(self, session: Session) -> NodeNetwork:
        """The sockets of this session are looked at from now on."""
        node = self.nodes[session] = NodeNetwork(self, session)
        session.network = node
        session.after = self.clock.after
        session.link.in_play(self.is_in_play())
        self._told = self.places.known_names()
        session.link.names(self._told)
        for rule in self.rules:
            if self.is_kept(rule):
                node.keep(rule)
        if self.recorder is not None:
            self.recorder.attach(session)
        return node

    def seal(self) -> None:
        """Strict, and each new socket is in memory from now on: no call of the system opens one."""
        self.places.strict = self.places.sealed = True
        self.places_changed()

    def end_replays(self) -> None:
        """What the replays that go on wait for is missing, and one of the failures."""
        for replay in list(self.replays):
            replay.finish()

    def detach(self, session: Session) -> None:
        """The node has gone, and so have the rules that it has set, its network files and its traces."""
        node = self.nodes.pop(session, None)
        if node is not None:
            node.take_all_back()
        for rule in list(self.rules):
            if node is not None and rule.node is node:
                self.remove(rule)
        if self.recorder is not None:
            self.recorder.detach(session)

    def is_in_play(self) -> bool:
        return bool(len(self.rules)) or not self.places.is_empty() or self.recorder is not None

    def record(self, recorder: Recorder | None) -> None:
        """The calls and bytes of all sockets are noted from now on; with None no longer."""
        if self.recorder is not None:
            self.recorder.stop()
        self.recorder = recorder
        self.keylog.turn(recorder is not None)
        self.changed()
        for rule in self.rules:
            self._watch(rule)
        if recorder is not None:
            for session in list(self.nodes):
                recorder.attach(session)
            self.ask_lineages()

    def _watch(self, rule: Rule) -> None:
        rule.on_acted = None if self.recorder is None else self._on_acted
        rule.on_chance = None if self.recorder is None else self._on_chance

    def _on_chance(self, rule: Rule, place: Place) -> None:
        if self.recorder is not None:
            self.recorder.on_chance(rule.number, str(rule.what), place)

    def note_rule(self, rule: Rule) -> None:
        """For the trace: what it needs to repeat the run."""
        if self.recorder is not None:
            self.recorder.on_rule(rule.number, str(rule.what), rule.by, rule.seed, rule.facts)

    def follow(self, scripts: Scripts) -> None:
        """From now on rules happen where they happened in a recorded run."""
        self.rules.scripts = scripts

    def add_left(self) -> None:
        """The rules of the recorded run that nobody adds."""
        for facts in [] if self.rules.scripts is None else self.rules.scripts.left():
            self.add(Rule(*parse_facts(facts)))

    def _on_acted(self, rule: Rule, event: Event, facts: Facts) -> None:
        if self.recorder is not None:
            shapes = event.call in DIRECTIONS and rule.word in SHAPING
            self.recorder.on_fault(
                str(rule.what), event.call, facts.number, event.label, event.offset, shapes
            )

    def numbered(self, key: int, node: NodeNetwork | None = None) -> Rule | None:
        """A rule of a node, which has a positive number, or of all nodes."""
        return self._keys.get((node if key > 0 else None, key))

    def changed(self) -> None:
        """Something has come into play, or nothing is in play any more."""
        names = self.places.known_names()
        for session in self.nodes:
            session.link.in_play(self.is_in_play())
            if names != self._told:
                session.link.names(names)
        if self.nodes:
            self._told = names

    def handles(self) -> Iterator[Any]:
        """All sockets that are open and can be controlled."""
        for session in list(self.nodes):
            yield from controllable(session)

    def all_handles(self) -> Iterator[Any]:
        """All sockets that are open."""
        for session in list(self.nodes):
            yield from list(session.sockets.values())

    # --- rules ---

    def add(self, rule: Rule, key: int | None = None, node: NodeNetwork | None = None) -> None:
        """A rule of a node comes with its number, and concerns that node alone. Our own get negative ones."""
        if node is not None:
            rule.limit_to(node)
        elif not self.nodes:
            rule.by = "file"
        self.rules.add(rule)
        self._watch(rule)
        self.note_rule(rule)
        self._number(rule, key)
        self._timers[rule] = []
        if rule.for_ms is not None:
            self._timers[rule].append(Expiry(rule, self.clock, self.end))
        if rule.when is not None and rule.when.word == "periodic":
            self._timers[rule].append(Period(rule, self.clock, self._look_at_those_of))
        if len(self.rules) == 1:
            self.changed()
        if rule.whom.wants_owner:  # a process can have been registered since its sockets were opened
            self.ask_lineages(everyone=not isinstance(rule.whom.words["owner"], Pid))
        self._look_at_those_of(rule)

    def _number(self, rule: Rule, key: int | None) -> None:
        if key is None:
            key = self._lowest - 1
        self._lowest = min(self._lowest, key)
        rule.key = key
        self._keys[rule.node, key] = rule

    def add_kept(self, rule: Rule, key: int) -> None:
        """A rule that another Python has kept comes back. A rule of a file with its number gives way."""
        if key in self._kept:
            return  # each node has kept it
        other = self._keys.pop((None, key), None)
        self.add(rule, key)
        self._kept.add(key)
        if other is not None:
            self._number(other, None)

    def keep(self, rule: Rule) -> None:
        """The rule is to outlive this process: the node adds it to the Python that comes next."""
        assert rule.key is not None
        rule.by = "shell"
        self.note_rule(rule)
        self._kept.add(rule.key)
        for node in self.nodes.values():
            node.keep(rule)

    def is_kept(self, rule: Rule) -> bool:
        return rule.key in self._kept

    def is_own(self, rule: Rule) -> bool:
        """Neither a node nor a shell has added it."""
        return rule.node is None and rule.key not in self._kept

    def end(self, rule: Rule) -> None:
        """Removes a rule, also one of a node, which would give it to the Python that comes next."""
        key, node = rule.key, rule.node
        self.remove(rule)
        if key is not None and node is not None:
            node.forget(key)

    def end_all(self) -> int:
        """How many rules there were."""
        rules = list(self.rules)
        for rule in rules:
            self.end(rule)
        return len(rules)

    def remove(self, rule: Rule) -> None:
        """Nothing happens when it is not there any more."""
        if rule not in self.rules:
            return
        self.rules.remove(rule)
        for node in self.nodes.values():
            node.scenes.removed(rule)
        assert rule.key is not None
        del self._keys[rule.node, rule.key]
        if rule.key in self._kept:
            self._kept.discard(rule.key)
            for node in self.nodes.values():
                node.forget(rule.key)
        for timer in self._timers.pop(rule):
            timer.cancel()
        self._look_at_those_of(rule)
        for lookup in [lookup for lookup, silencer in self.silent.items() if silencer is rule]:
            lookup.resume()
        if self.places.is_over(rule) or not len(self.rules):
            self.changed()

    def avoid(self, rule: Rule, host: str) -> None:
        """See `Places.avoid`."""
        if self.places.avoid(rule, host):
            self.changed()

    def _look_at_those_of(self, rule: Rule) -> None:
        """The rule has come, gone, or changed, for sockets that it may concern."""
        for handle in self.handles():
            if rule.whom.may_fit(self.facts_of(handle)):
                self._look(handle)
        for stream in list(self._lingering):
            stream.set_rules(self._rules_for(stream.facts))

    def places_changed(self) -> None:
        """Names or servers have come or gone, or the network is strict from now on, or no longer."""
        self.changed()
        for handle in self.handles():
            if handle.role is None:  # see `_is_always_controlled`
                self._look(handle)

    # --- sockets ---

    def facts_of(self, handle: Any) -> Facts:
        facts = self._facts.get(handle)
        if facts is None:
            facts = self._facts[handle] = self._observed(handle)
        elif not facts.local_port:
            facts.learn(ip_and_port(system_name(handle.sock, "getsockname"))[1])
        return facts

    def _observed(self, handle: Any) -> Facts:
        """The facts of a socket that was opened when nothing was in play."""
        node = self.nodes[handle.session]
        peer, port = ip_and_port(system_name(handle.sock, "getpeername"))
        _, local_port = ip_and_port(system_name(handle.sock, "getsockname"))
        proto = proto_of(handle.sock.family if handle.sock is not None else 0, handle.role is None)
        asked = self.places.name_of(peer)
        lineage = node.lineages.of(handle.owner)
        return Facts(proto, handle.role, handle.owner, lineage, asked, peer, port, local_port, node)

    def _rules_for(self, facts: Facts) -> list[Rule]:
        """Those that can happen to a socket of this kind."""
        kind = "datagram" if facts.role is None else "stream"
        found = [rule for rule in self.rules.concerning(facts) if kind in FAULTS[rule.word].kinds]
        if facts.role in _WORDS:
            found = [rule for rule in found if rule.word in _WORDS[facts.role]]
        return [rule for rule in found if rule.arguments.get("call") != "resolve"]

    def _look(self, handle: Any) -> None:
        """The rules of a socket may be others than before."""
        sock = handle.sock
        if sock is None:
            return
        if getattr(handle, "ahead", None) is not None:
            handle.defer(lambda: self._look(handle))  # of a plain socket: see sockets.plain.ahead
            return
        facts = self.facts_of(handle)
        rules = self._rules_for(facts)
        if facts.role == OTHER:
            return
        if isinstance(sock, Controlled):
            sock.set_rules(rules)
        elif rules or self._is_always_controlled(facts):
            self._control(handle, facts)
            if isinstance(handle.sock, Controlled):
                handle.sock.set_rules(rules)

    def _is_always_controlled(self, facts: Facts) -> bool:
        """Where a datagram goes is known when it is sent."""
        return facts.role is None and (self.places.strict or self.places.has_datagrams())

    def _control(self, handle: Any, facts: Facts) -> None:
        """Puts a controlled socket in place of the handle's. Its rules are still to come."""
        is_knocking = getattr(handle, "connecting", None) is not None
        is_stream = facts.role in ("client", "accepted")
        is_connected = is_stream and system_name(handle.sock, "getpeername") is not None
        if is_stream and not is_knocking and not is_connected:
            return  # its connection is over
        self._exchange(
            handle, lambda sock: self._controlled(sock, facts, is_connected, facts.role == "listener")
        )
        if is_knocking and not is_connected:
            handle.sock.knock()
        self._tie(handle)

    def _exchange(self, handle: Any, other: Callable[[Any], Any]) -> None:
        """See `Handle.exchange`."""
        if self.recorder is not None:
            self.recorder.leave(handle)
        handle.exchange(other)
        if self.recorder is not None:
            self.recorder.follow(handle)

    def _controlled(
        self,
        sock: Any,
        facts: Facts,
        is_connected: bool = False,
        is_listening: bool = False,
        rules: list[Rule] | None = None,
    ) -> Controlled:
        if facts.role in ("listener", FRESH):
            return ControlledListener(sock, facts, self.poller, is_listening)
        if facts.role is None:
            return ControlledDatagram(
                sock,
                facts,
                self.memory,
                self.places.serves_datagrams,
                self.poller,
                self.clock,
                self.host.disconnect,
                self._has_peer,
            )
        return ControlledStream(
            sock, facts, self._ends, self.poller, self.clock, self.host.disconnect, is_connected, rules
        )

    def _tie(self, handle: Any) -> None:
        """When nothing concerns the socket any more, the handle has its own again."""
        controlled = handle.sock

        def give_back() -> None:
            if handle.sock is controlled and not self._is_always_controlled(controlled.facts):
                self._exchange(handle, lambda _: controlled.retire() or controlled.sock)

        controlled.on_idle = give_back
        if isinstance(controlled, ControlledStream):
            controlled.on_linger = self._on_linger

    def _on_linger(self, stream: ControlledStream, on: bool) -> None:
        if on:
            self._lingering[stream] = None
        else:
            self._lingering.pop(stream, None)

    # --- sockets that nodes open: see `NodeNetwork` ---

    def new_socket(self, family: int, kind: int, netns: bytes | None, facts: Facts) -> Any:
        """A socket as the network has it for a caller with these facts."""
        sock: Any
        if self.places.sealed and netns is not None:
            raise os_error(errno.EACCES)  # that namespace is not this network
        if facts.role == "client" and self.places.serves(kind, facts.peer, facts.port):
            sock = self.memory.socket(family, kind)
        elif self.places.sealed:
            sock = self.outside.socket(family, kind)
        else:
            sock = self.host.open_socket(family, kind, netns)
        return self._in_place_of(sock, facts)

    def _in_place_of(self, sock: Any, facts: Facts) -> Any:
        """What a caller gets for a new socket."""
        sock = self.with_rules(sock, facts)
        is_client = facts.role == "client"
        if is_client and self.places.strict and not self.is_known(SOCK_STREAM, facts.peer, facts.port):
            sock = self._refused(sock, facts)
        return sock

    def connects(self, handle: Any, asked: str | None, remote: Any) -> None:
        """A socket whose role was not known is about to connect. It may have tried before, elsewhere."""
        if getattr(handle.sock, "is_under_way", False):
            return  # nobody waits for it any more
        facts = self.facts_of(handle)
        peer, port = ip_and_port(remote)
        facts.connects(asked if asked not in (None, peer) else self.places.name_of(peer), peer, port)
        is_served = self.places.serves(SOCK_STREAM, peer, port)

        def other(sock: Any) -> Any:
            sock = own_socket(sock)
            return self._in_place_of(DivertedStream(self.memory, sock) if is_served else sock, facts)

        self._become(handle, other)

    def listens(self, handle: Any) -> None:
        """A socket whose role was not known is about to listen."""
        facts = self.facts_of(handle)
        facts.listens()
        self._become(handle, lambda sock: self._in_place_of(own_socket(sock), facts))

    def _become(self, handle: Any, other: Callable[[Any], Any]) -> None:
        self._exchange(handle, other)
        if isinstance(handle.sock, Controlled):
            self._tie(handle)

    def with_rules(self, sock: Any, facts: Facts, is_connected: bool = False) -> Any:
        rules = self._rules_for(facts)
        if not rules and not self._is_always_controlled(facts):
            return sock
        controlled = self._controlled(sock, facts, is_connected, rules=rules)
        controlled.set_rules(rules)
        return controlled

    def _refused(self, sock: Any, facts: Facts) -> Any:
        """A strict network has nothing at that address."""
        self.places.note_stranger(facts, f"{facts.label} ({facts.peer})")
        controlled = sock if isinstance(sock, Controlled) else self._controlled(sock, facts)
        controlled.calls.is_forbidden = True
        return controlled

    def _has_peer(self, facts: Facts, address: Any) -> bool:
        """Whether a datagram may go there."""
        peer, port = ip_and_port(address)
        if not self.places.strict or self.is_known(SOCK_DGRAM, peer, port):
            return True
        self.places.note_stranger(facts, f"{peer}:{port}")
        return False

    def has(self, handle: Any, facts: Facts) -> None:
        """The handle of a socket that was opened with these facts."""
        self._facts[handle] = facts
        if isinstance(handle.sock, Controlled):
            self._tie(handle)
        if self.recorder is not None:
            self.recorder.opened(handle)

    def adopt(self, handle: Any) -> None:
        """A handle of a socket that somebody else opened."""
        self._facts[handle] = self._observed(handle)
        self._look(handle)
        if self.recorder is not None:
            self.recorder.opened(handle)

    def look_again(self, handle: Any, lineage: Lineage | None) -> None:
        """The owner of a socket is another, or more is known of it."""
        facts = self.facts_of(handle)
        facts.owner = handle.owner
        facts.lineage = lineage
        self._look(handle)

    # --- owners ---

    def ask_lineages(self, everyone: bool = False) -> None:
        """Asks the nodes about owners of whom nothing is known, where somebody wants to know."""
        if self.rules.want_owner or self.recorder is not None:
            for node in self.nodes.values():
                node.ask_lineages(everyone)

    def is_settled(self) -> bool:
        """Whether the nodes have answered about all owners, so that each open socket has its rules."""
        return all(node.lineages.is_settled() for node in self.nodes.values())

    # --- connections from Python ---

    def inject(self, port: int, stream: MemoryStream) -> bool:
        """Hands a connection to the listener of a port. False when there is none of its family."""
        for handle in self.handles():
            if handle.role != "listener" or handle.sock is None or handle.sock.family != stream.family:
                continue
            facts = self.facts_of(handle)
            if facts.local_port != port:
                continue
            if not isinstance(handle.sock, Controlled):
                self._control(handle, facts)
            try:
                handle.sock.inject(stream, stream.getpeername())
            except ConnectionRefusedError:
                return False
            return True
        return False

    # --- names and addresses ---

    def addresses_of(self, name: str) -> list[str] | None:
        """None: the system knows."""
        return self.places.addresses_of(name, self.host.resolver.gethostname())

    def rules_of_names(self, facts: Facts) -> list[Rule]:
        rules = [rule for rule in self.rules.concerning(facts) if rule.word in _OF_NAMES]
        return [rule for rule in rules if names_call(rule.arguments.get("call", "resolve"), "resolve")]

    def is_known(self, kind: int, peer: str | None, port: int | None) -> bool:
        """What a strict network has: servers in memory, addresses of names, and sockets of this node."""
        if peer is None or self.places.serves(kind, peer, port) or self.places.name_of(peer) is not None:
            return True
        if (kind, peer, port) in self.places.clients:
            return True
        wanted = "datagram" if kind == SOCK_DGRAM else "listener"
        return any(
            kind_of(handle.role) == wanted and self._is_at(handle.sock, peer, port)
            for handle in self.handles()
        )

    def _is_at(self, sock: Any, peer: str, port: int | None) -> bool:
        """Whether a socket of this node is reached at an address."""
        ip, local_port = ip_and_port(system_name(sock, "getsockname"))
        return local_port == port and (ip == peer or (ip in _ANY and self._is_of_this_host(peer)))

    def _is_of_this_host(self, ip: str) -> bool:
        address = ip_address(ip)
        return (
            address.is_loopback
            or address.is_unspecified
            or any(ip == own.address for interface in self.host.interfaces() for own in interface.addresses)
        )


def network_of(session: Session) -> NodeNetwork:
    """That of the session, which may have had none."""
    if session.network is None:
        return Engine(session.host).attach(session)
    return cast("NodeNetwork", session.network)
