"""What a network has: names, and servers in memory. What a strict network has not is refused."""

from __future__ import annotations

from itertools import chain
from socket import SOCK_STREAM
from typing import Any

from ..codec.terms import Atom
from ..names.ip_text import parse_address
from .addresses import Addresses, is_ip, normal_host
from .rules import Rule
from .whom import Facts, ip_and_port

__all__ = ["Places"]

_PATTERN = frozenset("*?[")


def _is_ip(text: str) -> bool:
    """As in Erlang, "127.1" is one, too."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


class Places:
    """See the module.

    names: addresses that names were given.
    addresses: of names that exist here alone. `own_names` are those that servers have brought into play.
    served: (kind of socket, IP address, port) of each server in memory.
    clients: the same of each socket of Python that sends datagrams.
    strict: whether there is nothing else.
    sealed: whether new sockets are in memory, all of them: no call of the system opens one.
    failures: what a strict network refused, and servers that raised; a test asks for it at its end.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.addresses = Addresses()
        self.own_names = self.addresses.names
        self._avoided: dict[Rule, str] = {}
        self.served: set[tuple[int, str, int]] = set()
        self.clients: set[tuple[int, str, int]] = set()
        self.strict = False
        self.sealed = False
        self.failures: list[str] = []

    def is_empty(self) -> bool:
        return not (
            self.names or self.own_names or self._avoided or self.served or self.strict or self.sealed
        )

    def clear(self) -> None:
        """As at first. Names of rules go with their rules, and servers are to be closed."""
        self.names.clear()
        self.own_names.clear()
        self.strict = self.sealed = False
        self.failures = []  # a list that somebody has keeps its items

    def known_names(self) -> dict[str, list[str]]:
        """Given addresses come before others: of servers, and of names that nobody is to reach."""
        return {**self._names_of_its_own(), **self.names}

    def _names_of_its_own(self) -> dict[str, list[str]]:
        return {name: self.addresses.of(name) for name in self._avoided.values()} | self.own_names

    def avoid(self, rule: Rule, host: str) -> bool:
        """While the rule holds, a name has an address of its own, if the network gives it no other one.

        So the rule acts on connecting to it also where the system does not know the name. Nothing happens
        for an IP address, a pattern and localhost. Tells whether anything has.
        """
        name = normal_host(host)
        if is_ip(name) or name == "localhost" or _PATTERN & set(name):
            return False
        if name in self.names or name in self.own_names:
            return False
        self._avoided[rule] = name
        return True

    def is_over(self, rule: Rule) -> bool:
        """The rule has gone. Tells whether that is the end of a name."""
        return self._avoided.pop(rule, None) is not None

    def addresses_of(self, name: str, hostname: str) -> list[str] | None:
        """None: the system knows, as it does what an IP address is. `hostname` is that of the system."""
        known = self.known_names().get(normal_host(name))
        if known is None and self.strict and name.lower() not in ("localhost", hostname) and not _is_ip(name):
            failure = f"{name} is looked up, which the network does not have"
            if failure not in self.failures:  # a client asks for both families, and often again
                self.failures.append(failure)
            return []
        return known

    def note_stranger(self, facts: Facts, address: str) -> None:
        """A strict network has nothing at an address that a socket wants to reach."""
        named = [item.name for item in facts.lineage or () if isinstance(item, Atom)]
        who = named[0] if named else repr(facts.owner)
        verb = "sends" if facts.role is None else "connects"
        self.failures.append(f"{who} {verb} to {address}, which the network does not have")

    def name_of(self, ip: str | None) -> str | None:
        """The name that has an address."""
        if ip is None:
            return None
        named = chain(self.names.items(), self._names_of_its_own().items())
        return next((name for name, addresses in named if ip in addresses), None)

    def serves(self, kind: int, ip: str | None, port: int | None) -> bool:
        """A server in memory, or an address that only such servers have. Without a port it is a path."""
        if ip is None:
            return False
        return (kind, ip, port or 0) in self.served or any(
            ip in known for known in self._names_of_its_own().values()
        )

    def has_datagrams(self) -> bool:
        return any(kind != SOCK_STREAM for kind, _, _ in self.served)

    def serves_datagrams(self, address: Any) -> bool:
        kinds = {kind for kind, _, _ in self.served} - {SOCK_STREAM}
        return any(self.serves(kind, *ip_and_port(address)) for kind in kinds)
