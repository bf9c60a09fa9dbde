"""The network of one Python process: its rules, its names, and the sockets that they concern.

    engine = Engine(host, seed)       one for a host
    engine.attach(session)           from now on its sockets are looked at
    engine.add(Rule(...))            holds when this returns, also for sockets that are open
    engine.remove(rule)

All methods are called by the loop. `Network` is what users see.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_address
from socket import AF_UNIX, SOCK_DGRAM
from typing import Any, cast
from weakref import WeakKeyDictionary

from ..codec.etf import encode_body
from ..codec.terms import Pid
from ..host.api import Host, Socket
from ..host.memory_sockets import MemoryNetwork, MemoryStream
from ..session.interference import Context
from ..session.session import Session
from .clock import NetworkClock
from .controlled import Controlled
from .datagrams import ControlledDatagram
from .faults import FAULTS, names_call
from .lineages import Lineages
from .listeners import ControlledListener
from .periods import Expiry, Period
from .places import Places
from .requests import term_of_rule
from .resolver import LookupHost, SilentLookup
from .rules import Rule, Rules
from .streams import ControlledStream
from .verbs import VERBS
from .whom import Facts, ip_and_port

__all__ = ["Engine", "engine_of"]

CAPACITY = 1 << 18  # bytes that a controlled stream takes, in each direction, before they are moved on
_ANY = ("0.0.0.0", "::")  # noqa: S104
_OF_LISTENERS = frozenset(("error", "eagain", "refuse", "down"))
_OF_NAMES = frozenset(("nxdomain", "resolve_timeout", "error"))


class Engine:
    """See the module.

    clock: the time of this network, which its sessions have, too.
    memory: the net of the servers in memory, and of the sockets that reach them.
    silent: lookups that nobody answers, each with the rule that makes it so.
    """

    def __init__(self, host: Host, seed: int | None = None) -> None:
        self.host = host
        self.clock = NetworkClock(host.clock)
        self.poller = host.poller
        self.rules = Rules(random.SystemRandom().getrandbits(32) if seed is None else seed)
        self.memory = MemoryNetwork(host.poller.notify)
        self.session: Session | None = None
        self.places = Places()
        self._told: dict[str, list[str]] = {}  # the names that the node knows
        self.silent: dict[SilentLookup, Rule] = {}
        self._ends = MemoryNetwork(host.poller.notify, CAPACITY)
        self._keys: dict[int, Rule] = {}
        self._kept: set[int] = set()  # of our own: the node adds these rules to the next Python
        self._lowest = 0
        self._timers: dict[Rule, list[Expiry | Period]] = {}
        self._facts: WeakKeyDictionary[Any, Facts] = WeakKeyDictionary()
        self._lineages = Lineages()
        self._lingering: dict[ControlledStream, None] = {}  # closed by Erlang, with bytes that are held
        self._newest: Facts | None = None

    def attach(self, session: Session) -> None:
        """The sockets of this session are looked at from now on."""
        self.session = session
        session.network = self
        session.after = self.clock.after
        session.link.in_play(self.is_in_play())
        self._tell_names(session)

    def is_in_play(self) -> bool:
        return bool(len(self.rules)) or not self.places.is_empty()

    def numbered(self, key: int) -> Rule | None:
        return self._keys.get(key)

    def changed(self) -> None:
        """Something has come into play, or nothing is in play any more."""
        if self.session is not None:
            self.session.link.in_play(self.is_in_play())
            if self.places.known_names() != self._told:
                self._tell_names(self.session)

    def _tell_names(self, session: Session) -> None:
        self._told = self.places.known_names()
        session.link.names(self._told)

    def _handles(self) -> Iterator[Any]:
        if self.session is not None:
            yield from list(self.session.sockets.values())

    # --- rules ---

    def add(self, rule: Rule, key: int | None = None) -> None:
        """A rule of the node comes with its number. Our own get negative ones."""
        self.rules.add(rule)
        self._number(rule, key)
        self._timers[rule] = []
        if rule.for_ms is not None:
            self._timers[rule].append(Expiry(rule, self.clock, self.end))
        if rule.when is not None and rule.when.word == "periodic":
            self._timers[rule].append(Period(rule, self.clock, self._look_at_those_of))
        if len(self.rules) == 1:
            self.changed()
        if rule.whom.wants_owner:  # a process can have been registered since its sockets were opened
            self._ask_lineages(everyone=not isinstance(rule.whom.words["owner"], Pid))
        self._look_at_those_of(rule)

    def _number(self, rule: Rule, key: int | None) -> None:
        if key is None:
            key = self._lowest - 1
        self._lowest = min(self._lowest, key)
        rule.key = key
        self._keys[key] = rule

    def add_kept(self, rule: Rule, key: int) -> None:
        """A rule that another Python has kept comes back. A rule of a file with its number gives way."""
        other = self._keys.pop(key, None)
        self.add(rule, key)
        self._kept.add(key)
        if other is not None:
            self._number(other, None)

    def keep(self, rule: Rule) -> None:
        """The rule is to outlive this process: the node adds it to the Python that comes next."""
        assert rule.key is not None
        self._kept.add(rule.key)
        if self.session is not None:
            self.session.link.keep(rule.key, encode_body(term_of_rule(rule)))

    def is_kept(self, rule: Rule) -> bool:
        return rule.key in self._kept

    def end(self, rule: Rule) -> None:
        """Removes a rule, also one of the node, which would give it to the Python that comes next."""
        key = rule.key
        self.remove(rule)
        if key is not None and key > 0:
            self._forget(key)

    def end_all(self) -> int:
        """How many rules there were."""
        rules = list(self.rules)
        for rule in rules:
            self.end(rule)
        return len(rules)

    def _forget(self, key: int) -> None:
        if self.session is not None:
            self.session.link.forget(key)

    def remove(self, rule: Rule) -> None:
        """Nothing happens when it is not there any more."""
        if rule not in self.rules:
            return
        self.rules.remove(rule)
        assert rule.key is not None
        del self._keys[rule.key]
        if rule.key in self._kept:
            self._kept.discard(rule.key)
            self._forget(rule.key)
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
        for handle in self._handles():
            if rule.whom.may_fit(self._facts_of(handle)):
                self._look(handle)
        for stream in list(self._lingering):
            stream.set_rules(self._rules_for(stream.facts))

    def places_changed(self) -> None:
        """Names or servers have come or gone, or the network is strict from now on, or no longer."""
        self.changed()
        for handle in self._handles():
            if handle.kind == "datagram":  # see `_is_always_controlled`
                self._look(handle)

    # --- sockets ---

    def _facts_of(self, handle: Any) -> Facts:
        facts = self._facts.get(handle)
        if facts is None:
            facts = self._facts[handle] = self._observed(handle)
        elif not facts.local_port:
            facts.learn(ip_and_port(_name_of(handle.sock, "getsockname"))[1])
        return facts

    def _observed(self, handle: Any) -> Facts:
        """The facts of a socket that was opened when nothing was in play."""
        role = {"stream": "accepted" if handle.accepted else "client", "listener": "listener"}.get(
            handle.kind
        )
        peer, port = ip_and_port(_name_of(handle.sock, "getpeername"))
        _, local_port = ip_and_port(_name_of(handle.sock, "getsockname"))
        proto = _proto(handle.sock.family if handle.sock is not None else 0, handle.kind == "datagram")
        asked = self.places.name_of(peer)
        lineage = self._lineages.of(handle.owner)
        return Facts(proto, role, handle.owner, lineage, asked, peer, port, local_port)

    def _rules_for(self, facts: Facts) -> list[Rule]:
        """Those that can happen to a socket of this kind."""
        kind = "datagram" if facts.role is None else "stream"
        found = [rule for rule in self.rules.concerning(facts) if kind in FAULTS[rule.word].kinds]
        if facts.role == "listener":
            found = [rule for rule in found if rule.word in _OF_LISTENERS]
        return [rule for rule in found if rule.arguments.get("call") != "resolve"]

    def _look(self, handle: Any) -> None:
        """The rules of a socket may be others than before."""
        sock = handle.sock
        if sock is None:
            return
        facts = self._facts_of(handle)
        rules = self._rules_for(facts)
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
        is_connected = handle.kind == "stream" and _name_of(handle.sock, "getpeername") is not None
        if handle.kind == "stream" and not is_knocking and not is_connected:
            return  # its connection is over
        handle.exchange(lambda sock: self._controlled(sock, facts, is_connected, handle.kind == "listener"))
        if is_knocking and not is_connected:
            handle.sock.knock()
        self._tie(handle)

    def _controlled(
        self,
        sock: Any,
        facts: Facts,
        is_connected: bool = False,
        is_listening: bool = False,
        rules: list[Rule] | None = None,
    ) -> Controlled:
        if facts.role == "listener":
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
                handle.exchange(lambda _: controlled.retire() or controlled.sock)

        controlled.on_idle = give_back
        if isinstance(controlled, ControlledStream):
            controlled.on_linger = self._on_linger

    def _on_linger(self, stream: ControlledStream, on: bool) -> None:
        if on:
            self._lingering[stream] = None
        else:
            self._lingering.pop(stream, None)

    # --- what a session tells: see session.interference ---

    def heard(self, context: Context) -> None:
        self._lineages.heard(context.lineage)

    def open_socket(
        self, role: str | None, family: int, kind: int, netns: bytes | None, owner: Pid, remote: Any
    ) -> Socket:
        context = self.session.context if self.session is not None else None
        peer, port = ip_and_port(remote)
        asked = context.asked if context is not None and role == "client" else None
        if asked is None or asked == peer:
            asked = self.places.name_of(peer)
        lineage = self._lineages.of(owner)
        facts = Facts(_proto(family, role is None), role, owner, lineage, asked, peer, port)
        sock: Any
        if role == "client" and self.places.serves(kind, peer, port):
            sock = self.memory.socket(family, kind)
        else:
            sock = self.host.open_socket(family, kind, netns)
        sock = self._with_rules(sock, facts)
        if role == "client" and self.places.strict and not self.is_known(kind, peer, port):
            sock = self._refused(sock, facts)
        self._newest = facts
        return cast("Socket", sock)

    def _with_rules(self, sock: Any, facts: Facts, is_connected: bool = False) -> Any:
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

    def opened(self, handle: Any) -> None:
        assert self._newest is not None
        self._facts[handle], self._newest = self._newest, None
        if isinstance(handle.sock, Controlled):
            self._tie(handle)
        if self._facts[handle].lineage is None:
            self._ask_lineages()

    def adopted(self, handle: Any) -> None:
        self._facts[handle] = self._observed(handle)
        self._look(handle)

    def accepted(self, owner: Pid, sock: Socket) -> Socket:
        peer, port = ip_and_port(_name_of(sock, "getpeername"))
        _, local_port = ip_and_port(_name_of(sock, "getsockname"))
        lineage = self._lineages.of(owner)
        proto = _proto(sock.family, False)
        facts = self._newest = Facts(proto, "accepted", owner, lineage, None, peer, port, local_port)
        return cast("Socket", self._with_rules(sock, facts, is_connected=True))

    def owner_changed(self, handle: Any) -> None:
        facts = self._facts_of(handle)
        facts.owner = handle.owner
        facts.lineage = self._lineages.of(handle.owner)
        self._look(handle)
        if facts.lineage is None:
            self._ask_lineages()

    # --- owners ---

    def _ask_lineages(self, everyone: bool = False) -> None:
        """Asks the node about the owners of sockets of which nothing is known, where a rule wants to know."""
        if self.session is None or not self.rules.want_owner:
            return
        handles = [handle for handle in self._handles() if everyone or self._facts_of(handle).lineage is None]
        if handles:
            self._lineages.ask(self.session.link, [handle.owner for handle in handles])

    def is_settled(self) -> bool:
        """Whether the node has answered about all owners, so that each open socket has its rules."""
        return self._lineages.is_settled()

    def on_lineage(self, number: int, answers: list[tuple[Pid, tuple[Any, ...]]]) -> None:
        known = dict(answers)
        self._lineages.answered(number, known)
        for handle in self._handles():
            if handle.owner in known:
                self._facts_of(handle).lineage = known[handle.owner]
                self._look(handle)

    # --- connections from Python ---

    def inject(self, port: int, stream: MemoryStream) -> bool:
        """Hands a connection to the listener of a port. False when there is none of its family."""
        for handle in self._handles():
            if handle.kind != "listener" or handle.sock is None or handle.sock.family != stream.family:
                continue
            facts = self._facts_of(handle)
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

    def lookup_host(self) -> Host:
        context = self.session.context if self.session is not None else None
        lineage = None if context is None else context.lineage
        owner = lineage[0] if lineage else None
        return cast("Host", LookupHost(self, owner, lineage))

    def aged(self, milliseconds: int) -> float:
        return milliseconds * self.clock.rate

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
        wanted = "datagram" if kind == SOCK_DGRAM else "listener"
        return any(
            handle.kind == wanted and self._is_at(handle.sock, peer, port) for handle in self._handles()
        )

    def _is_at(self, sock: Any, peer: str, port: int | None) -> bool:
        """Whether a socket of this node is reached at an address."""
        ip, local_port = ip_and_port(_name_of(sock, "getsockname"))
        return local_port == port and (ip == peer or (ip in _ANY and self._is_of_this_host(peer)))

    def _is_of_this_host(self, ip: str) -> bool:
        address = ip_address(ip)
        return (
            address.is_loopback
            or address.is_unspecified
            or any(ip == own.address for interface in self.host.interfaces() for own in interface.addresses)
        )

    # --- requests of the node ---

    def request(self, verb: str, argument: Any) -> bytes:
        return VERBS[verb](self, argument)


def engine_of(session: Session) -> Engine:
    """That of the session, which may have had none."""
    if session.network is None:
        Engine(session.host).attach(session)
    return cast("Engine", session.network)


def _proto(family: int, is_datagram: bool) -> str:
    if family == AF_UNIX:
        return "unix"
    return "udp" if is_datagram else "tcp"


def _name_of(sock: Any, method: str) -> Any:
    if sock is None:
        return None
    try:
        return getattr(sock, method)()
    except OSError:
        return None
