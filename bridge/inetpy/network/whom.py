"""Whom a fault concerns: what is known of a socket, and the words that are compared with it.

Whom(port=5432, role="client")     facts of a socket fit, do not fit, or may fit still
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from socket import AF_INET6, AF_UNIX, inet_ntop, inet_pton
from typing import Any, NamedTuple

from ..codec.terms import Atom, Pid

__all__ = [
    "DIRECTIONS",
    "WORDS",
    "Facts",
    "Lineage",
    "PeerNetwork",
    "Whom",
    "ip_and_port",
    "number_of",
    "proto_of",
    "system_name",
    "text_of",
]

DIRECTIONS = ("recv", "send")

Lineage = tuple[object, ...]  # pids, registered names, and (Atom("application"), name)


class PeerNetwork(NamedTuple):
    """The network of a peer: the version of IP, the bits that do not count, and the number of the others."""

    version: int
    shift: int
    prefix: int


class Facts:
    """What is known of a socket. None is not known yet, or does not apply.

    role: `FRESH` where a socket of inetpy_socket neither connects nor listens yet.
    host: as the program asked for it, else the peer's address; in lower case.
    lineage: the owner, and what the owner descends from.
    node: the `NodeNetwork` of the socket's node.
    number: of this socket, for those that look on.
    """

    __slots__ = (
        "host", "label", "lineage", "local_port", "node", "number", "owner", "peer", "port", "proto", "role",
    )  # fmt: skip

    _numbers = itertools.count(1)

    def __init__(
        self,
        proto: str,
        role: str | None,
        owner: Pid,
        lineage: Lineage | None = None,
        host: str | None = None,
        peer: str | None = None,
        port: int | None = None,
        local_port: int | None = None,
        node: Any = None,
    ) -> None:
        self.node = node
        self.number = next(self._numbers)
        self.proto = proto
        self.role = role
        self.owner = owner
        self.lineage = lineage
        self.host = (host or peer or "").lower() or None
        self.peer = peer
        self.port = port
        self.local_port = local_port
        self.label = self._label()

    def _label(self) -> str:
        if self.role == "client" and self.host is not None:
            name = self.peer if self.proto == "unix" and self.peer else self.host  # a path is as it is
            return name if self.port is None else f"{name}:{self.port}"
        return f":{self.local_port}" if self.local_port else self.proto

    def connects(self, host: str | None, peer: str | None, port: int | None) -> None:
        """The socket is about to connect there."""
        self.role = "client"
        self.host = (host or peer or "").lower() or None
        self.peer = peer
        self.port = port
        self.label = self._label()

    def listens(self) -> None:
        """The socket is about to listen."""
        self.role = "listener"
        self.host = self.peer = self.port = None
        self.label = self._label()

    def learn(self, local_port: int | None) -> None:
        """The socket has been bound."""
        self.local_port = local_port
        self.label = self._label()

    def toward(self, peer: str | None, port: int | None) -> Facts:
        """The same socket, for one datagram."""
        facts = Facts(
            self.proto, self.role, self.owner, self.lineage, None, peer, port, self.local_port, self.node
        )
        facts.number = self.number
        return facts


def ip_and_port(address: Any) -> tuple[str | None, int | None]:
    """Of a unix socket the path stands for the IP address."""
    if isinstance(address, tuple):
        return _plain_ip(str(address[0])), address[1]
    if isinstance(address, bytes) and address:
        return address.decode("utf-8", "replace"), None
    return (address, None) if isinstance(address, str) and address else (None, None)


def proto_of(family: int, is_datagram: bool) -> str:
    if family == AF_UNIX:
        return "unix"
    return "udp" if is_datagram else "tcp"


def system_name(sock: Any, method: str) -> Any:
    """What `getsockname` or `getpeername` says. None without a socket, or without a name."""
    if sock is None:
        return None
    try:
        return getattr(sock, method)()
    except OSError:
        return None


def _plain_ip(ip: str) -> str:
    """An IP address as the system writes it; an IPv4 address also where it is mapped to IPv6."""
    if ":" not in ip or "%" in ip:
        return ip
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, ip)).removeprefix("::ffff:")


Test = Callable[[Facts], bool | None]  # None: it is not known yet


def text_of(value: object) -> str:
    """An atom, a binary, a string of Erlang or a `str` as text. Raises ValueError for anything else."""
    name = getattr(value, "name", value)
    if isinstance(name, (bytes, bytearray)):
        return bytes(name).decode("utf-8", "replace")
    if isinstance(name, list) and all(isinstance(code, int) for code in name):
        return bytes(name).decode("latin-1")
    if not isinstance(name, str):
        raise ValueError(f"text is wanted, not {value!r}")
    return name


def _ip_text(value: object) -> str:
    """An address may be a tuple, as in Erlang."""
    if isinstance(value, tuple) and len(value) == 4:
        return ".".join(str(number) for number in value)
    if isinstance(value, tuple) and len(value) == 8 and all(isinstance(number, int) for number in value):
        return ":".join(f"{number:x}" for number in value)
    return text_of(value)


def _glob(field: str) -> Callable[[object], Test]:
    def make(value: object) -> Test:
        pattern = _ip_text(value).lower()

        def test(facts: Facts) -> bool | None:
            known = getattr(facts, field)
            return None if known is None else fnmatchcase(known, pattern)

        return test

    return make


@functools.lru_cache(1024)
def number_of(text: str) -> tuple[int, int]:
    """The version and the number of an IP address; no version for other text. Rules ask for the same ones."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 0, 0
    return address.version, int(address)


def _network(value: object) -> PeerNetwork:
    text = _ip_text(value)
    try:
        text = text if "/" in text else _plain_ip(text)
        network = ipaddress.ip_network(text, strict=False)
    except (ValueError, OSError):
        raise ValueError(f"peer is an IP address or a network as 10.0.0.0/8, not {text!r}") from None
    shift = network.max_prefixlen - network.prefixlen
    return PeerNetwork(network.version, shift, int(network.network_address) >> shift)


def _peer(value: object) -> Test:
    version, shift, prefix = _network(value)

    def test(facts: Facts) -> bool | None:
        if facts.peer is None:
            return None
        known, address = number_of(facts.peer)
        return known == version and address >> shift == prefix

    return test


def _port(field: str) -> Callable[[object], Test]:
    def make(value: object) -> Test:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFF:
            raise ValueError(f"{field} is a number from 0 to 65535, not {value!r}")

        def test(facts: Facts) -> bool | None:
            known = getattr(facts, field)
            return None if known is None else known == value

        return test

    return make


def _word(field: str, *words: str) -> Callable[[object], Test]:
    def make(value: object) -> Test:
        word = text_of(value)
        if word not in words:
            raise ValueError(f"{field} is one of {', '.join(words)}, not {word!r}")
        return lambda facts: getattr(facts, field) == word

    return make


def _direction(value: object) -> Test:
    if text_of(value) not in (*DIRECTIONS, "both"):
        raise ValueError(f"direction is send, recv or both, not {text_of(value)!r}")
    return lambda _: True


def _owner(value: object) -> Test:
    ancestors: tuple[object, ...] = (value,)
    if isinstance(value, (str, bytes)):  # Python does not know which of the two the node has
        name = Atom(text_of(value))
        ancestors = (name, (Atom("application"), name))
    elif isinstance(value, tuple) and len(value) == 2:
        ancestors = ((Atom("application"), Atom(text_of(value[1]))),)
    elif not isinstance(value, (Pid, Atom)):
        raise ValueError(f"owner is a pid, a registered name or an application, not {value!r}")

    def test(facts: Facts) -> bool | None:
        if any(ancestor == facts.owner or ancestor in (facts.lineage or ()) for ancestor in ancestors):
            return True
        return None if facts.lineage is None else False

    return test


def _node(value: object) -> Test:
    """Nodes have names, and a pattern is of names."""
    pattern = text_of(value)
    return lambda facts: facts.node is not None and fnmatchcase(facts.node.name, pattern)


WORDS: dict[str, Callable[[object], Test]] = {
    "host": _glob("host"),
    "peer": _peer,
    "port": _port("port"),
    "local_port": _port("local_port"),
    "proto": _word("proto", "tcp", "udp", "unix"),
    "role": _word("role", "client", "listener", "accepted"),
    "direction": _direction,
    "label": _glob("label"),
    "owner": _owner,
    "node": _node,
}


class Whom:
    """The sockets that a rule concerns: those that fit all of the words. No words: all sockets.

    words: as they were given.
    """

    def __init__(self, words: Mapping[str, object]) -> None:
        unknown = [word for word in words if word not in WORDS]
        if unknown:
            raise ValueError(f"there is no {unknown[0]!r} of a socket: there are {', '.join(WORDS)}")
        self.words = dict(words)
        self._tests = [WORDS[word](value) for word, value in words.items()]

    def limit_to(self, node: object) -> None:
        """The sockets of one node only."""
        self._tests.insert(0, lambda facts: facts.node is node)

    @property
    def exact_port(self) -> int | None:
        port = self.words.get("port")
        return port if isinstance(port, int) else None

    @property
    def exact_host(self) -> str | None:
        """None where there is no host, or a pattern."""
        if "host" not in self.words:
            return None
        text = _ip_text(self.words["host"]).lower()
        return None if set(text) & set("*?[") else text

    @property
    def network(self) -> PeerNetwork | None:
        """That of `peer`."""
        return _network(self.words["peer"]) if "peer" in self.words else None

    @property
    def wants_owner(self) -> bool:
        return "owner" in self.words

    def directions(self, default: tuple[str, ...]) -> tuple[str, ...]:
        if "direction" not in self.words:
            return default
        word = text_of(self.words["direction"])
        return DIRECTIONS if word == "both" else (word,)

    def fits(self, facts: Facts) -> bool:
        """All is known, and fits."""
        return all(test(facts) for test in self._tests)

    def may_fit(self, facts: Facts) -> bool:
        """Nothing that is known forbids it."""
        for test in self._tests:  # noqa: SIM110  at each opening of a socket: `all` takes twice as long
            if test(facts) is False:
                return False
        return True
