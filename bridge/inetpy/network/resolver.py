"""Names as the network has them: those of servers in memory, names that were given, and faults."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..codec.terms import Pid
from ..host.api import Host, Timer
from ..host.bugs import Fallible
from ..names.resolver import ResolverError
from .faults import ANY_CALL, RESOLVER_ERRORS
from .rules import Rule
from .whom import Facts, Lineage

if TYPE_CHECKING:
    from .engine import Engine
    from .node import NodeNetwork

__all__ = ["LookupHost", "SilentLookup"]

T = TypeVar("T")

GIVES_UP = 8_000  # ms: then the stock driver gives up, whatever resolv.conf(5) says

# Errors of socket(2): a resolver that gets no socket fails with them. All other errors of its sockets make
# a name unknown.
_NO_SOCKET = frozenset(("eacces", "emfile", "enfile", "enobufs", "enomem", "eperm"))


class LookupHost:
    """A host for the lookups of one request, with what the network makes of names. All else is the host's."""

    def __init__(self, node: NodeNetwork, owner: Pid | None, lineage: Lineage | None) -> None:
        self._engine = node.engine
        self._host: Host = node.engine.host
        self.resolver = NetworkResolver(node, owner, lineage)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def in_thread(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        SilentLookup(self._engine, self.resolver, work, done).begin()


class NoAnswer(BaseException):
    """The servers that know names do not answer. Not an error: nobody on the way makes an answer of it."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


class SilentLookup:
    """A lookup whose servers may not answer. It holds no thread meanwhile.

    After a time it is made again, and finds that there is no such name. When the rule goes before,
    it is made again, too.
    """

    def __init__(
        self, engine: Engine, resolver: NetworkResolver, work: Callable[[], Any], done: Callable[[Any], None]
    ) -> None:
        self._engine = engine
        self._resolver = resolver
        self._lookup = work
        self._done = done
        self._timer: Timer | None = None

    def begin(self) -> None:
        self._engine.host.in_thread(self._work, self._on_done)

    def _work(self) -> Any:
        try:
            return self._lookup()
        except NoAnswer as silence:
            return silence

    def _on_done(self, result: Any) -> None:
        if not isinstance(result, NoAnswer):
            return self._done(result)
        if result.rule not in self._engine.rules:
            return self.begin()
        self._engine.silent[self] = result.rule
        self._timer = self._engine.clock.after(GIVES_UP, self._give_up)

    def _give_up(self) -> None:
        self._resolver.given_up.add(self._engine.silent[self])
        self.resume()

    def resume(self) -> None:
        """The waiting is over."""
        del self._engine.silent[self]
        if self._timer is not None:
            self._timer.cancel()
        self.begin()

    def fail(self, error: Exception) -> None:
        """A bug in here, or in the lookup."""
        owner: Fallible = self._done.__self__  # type: ignore[attr-defined]
        owner.fail(error)


class NetworkResolver:
    """See `host.api.Resolver`. Its functions run in threads, for one request.

    given_up: the rules by which nobody answered, and which the caller has waited for.
    """

    def __init__(self, node: NodeNetwork, owner: Pid | None, lineage: Lineage | None) -> None:
        self.given_up: set[Rule] = set()
        self._node = node
        self._engine = node.engine
        self._system = node.engine.host.resolver
        self._owner = owner
        self._lineage = lineage
        # One request may ask for a name several times. It is one lookup, and counts once.
        self._acting: dict[tuple[Rule, str], bool] = {}
        self._found: dict[str, list[str] | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def getaddrinfo(
        self, host: str, port: int | None, family: int = 0, kind: int = 0, flags: int = 0, **others: int
    ) -> list[Any]:
        known = self._look(host)
        if known is None:
            return self._system.getaddrinfo(host, port, family, kind, flags=flags, **others)
        found = [address for address in known if family in (0, _family(address))]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(_family(address), kind, 0, host, (address, port or 0)) for address in found]

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        if self._look(name) is None:
            return self._system.gethostbyname_ex(name)
        entries = self.getaddrinfo(name, None, socket.AF_INET)
        return name, [], [entry[4][0] for entry in entries]

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        name = self._engine.places.name_of(address)
        if name is not None:
            return name, [], [address]
        if self._engine.places.sealed:
            raise socket.herror(1, "Unknown host")
        return self._system.gethostbyaddr(address)

    def _look(self, name: str) -> list[str] | None:
        """The addresses that the network has for a name; None: the system knows. Raises after a fault."""
        if name not in self._found:
            facts = Facts("", None, self._owner or _NOBODY, self._lineage, host=name, node=self._node)
            facts.label = facts.host or ""
            for rule in self._engine.rules_of_names(facts):
                if self._acts(rule, name, facts):
                    self._fail(rule)
            self._found[name] = self._engine.addresses_of(name)
        return self._found[name]

    def _acts(self, rule: Rule, name: str, facts: Facts) -> bool:
        if (rule, name) not in self._acting:
            acts = self._acting[rule, name] = rule.whom.fits(facts) and rule.occasion(None, "resolve")
            if acts:
                rule.acted("resolve", facts)
        return self._acting[rule, name]

    def _fail(self, rule: Rule) -> None:
        if rule.word == "error":
            raise ResolverError(_error_of(rule))
        if rule.word == "resolve_timeout" and rule not in self.given_up:
            raise NoAnswer(rule)
        raise ResolverError("nxdomain")


def _error_of(rule: Rule) -> str:
    """An errno of any call is an error of sockets: what a lookup makes of it."""
    name = str(rule.arguments["errno"])
    if rule.arguments["call"] != ANY_CALL or name in _NO_SOCKET or name in RESOLVER_ERRORS:
        return name
    return "nxdomain"


_NOBODY = Pid(b"X" + b"w\0" + bytes(12))


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
