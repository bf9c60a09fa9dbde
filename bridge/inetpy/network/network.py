"""What a test says of the network.

    network = Network(...)                                  `inetpy run --network FILE` gives one to the file
    network.names({"db.example": "127.0.0.1"})
    with network.fault(reset(after_bytes=1000), host="db.example") as rule:
        ...
    assert rule.fired == 1

Methods may be called from any thread. They return when what they ask for holds.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from . import each_call
from .addresses import is_ip, normal_host
from .clock import ClockControl, is_running_here
from .engine import Engine
from .faults import Fault, When, error, make_fault, nth
from .rules import Rule
from .servers import TLS, Conn, Factory, H, Servers
from .whom import Whom

__all__ = ["Network"]

T = TypeVar("T")

log = logging.getLogger(__name__)


class Network:
    """The network of the sockets of one Python process.

    engine: what does the work.
    clock: the time of its sockets: `real()`, `rate(10)`, `advance(30_000)`; see `ClockControl`.

    The argument `loop` is the loop of that process; None where the caller runs everything itself.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.engine = engine
        self._loop = loop
        self._servers: Servers | None = None
        # A host in memory runs when it is told to; a loop runs by itself.
        run_ready = getattr(engine.poller, "run", lambda: None)
        self.clock = ClockControl(engine.clock, self._do, loop, run_ready)

    def _do(self, work: Callable[[], T]) -> T:
        """Runs `work` where the sockets are, and waits for it."""
        loop = self._loop
        if loop is None or not loop.is_running() or is_running_here(loop):
            return work()
        done: list[T] = []
        failed: list[BaseException] = []
        over = threading.Event()

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:  # noqa: BLE001  raised again by the caller
                failed.append(error)
            over.set()

        loop.call_soon_threadsafe(run)
        over.wait()
        if failed:
            raise failed[0]
        return done[0]

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the servers. A file can use it before it runs: `network.loop.run_until_complete(...)`.

        Raises RuntimeError where there is none.
        """
        if self._loop is None:
            raise RuntimeError("this network has no loop")
        return self._loop

    @property
    def seed(self) -> int:
        """Where all random numbers begin. The same seed and the same traffic give the same faults."""
        return self.engine.rules.seed

    @property
    def failures(self) -> list[str]:
        """What a strict network refused, and servers that raised."""
        return self.engine.places.failures

    # --- faults ---

    def fault(
        self, what: Fault | str, *, when: When | None = None, for_ms: float | None = None, **whom: Any
    ) -> Rule:
        """Adds a rule. It holds when this returns, for sockets that are open too.

        what: a fault, `latency(200)` for example, or the word alone of one without arguments, "blackhole".
        when: `nth(2)` for example; each time where it is None.
        for_ms: the rule goes after so many ms of this network's clock; None: it stays.
        whom: host, peer, port, local_port, proto, role, direction, label, owner; none is all sockets.

        Raises ValueError for a wrong word, a wrong unit, or a fault that cannot be; then nothing has changed.
        """
        fault = make_fault(what, {}) if isinstance(what, str) else what
        if not isinstance(fault, Fault):
            raise ValueError(f"a fault is made by a function as latency(200), not {what!r}")
        if when is not None and not isinstance(when, When):
            raise ValueError(f"when is made by a function as nth(2), not {when!r}")
        rule = Rule(fault, Whom(whom), when, for_ms)
        self._do(lambda: self.engine.add(rule))
        rule.on_remove = self._remove
        return rule

    def _remove(self, rule: Rule) -> None:
        self._do(lambda: self.engine.end(rule))

    def each_call(self, errno: str, **whom: Any) -> Iterator[each_call.Run]:
        """Runs of the body of a loop: in the n-th run the n-th call of its sockets fails with `errno`.

        The last run is the one in which no call is left to fail; its `call` is None. See `each_call`.

        errno: as in Erlang, "econnreset" for example. The lookup of a name, which has no errors of sockets,
        fails with nxdomain.
        whom: as for `fault`; give an owner, a host or a port when other programs use the network meanwhile.

        Raises ValueError for a wrong word.
        """
        what = error("any", errno)
        Whom(whom)  # before the first run
        return each_call.runs(lambda number: self.fault(what, when=nth(number), **whom))

    @property
    def rules(self) -> list[Rule]:
        """All rules, in the order in which they were added: also those of Erlang and of `inetpy faults`."""
        rules = self._do(lambda: list(self.engine.rules))
        for rule in rules:
            rule.on_remove = self._remove
        return rules

    def heal(self) -> None:
        """Removes all rules, also those of Erlang and of `inetpy faults`. Names and servers stay."""
        self._do(self.engine.end_all)

    def refuse(self, host: str, port: int | None = None) -> Rule:
        """Nobody is there: connecting is refused. Without a port: at all ports of the host.

        While the rule holds, a name that is neither in `names` nor a server's has an address of its own.
        """
        return self._avoid(make_fault("refuse", {}), host, port)

    def blackhole(self, host: str, port: int | None = None) -> Rule:
        """Nobody answers: connecting takes for ever, and open connections are silent. Else as `refuse`."""
        return self._avoid(make_fault("blackhole", {}), host, port)

    def _avoid(self, what: Fault, host: str, port: int | None) -> Rule:
        rule = self.fault(what, **({"host": host} if port is None else {"host": host, "port": port}))
        self._do(lambda: self.engine.avoid(rule, host))
        return rule

    # --- names ---

    def names(self, known: Mapping[str, str | list[str]]) -> None:
        """Addresses of names, before the system is asked: `{"db.example": "10.0.0.7"}`.

        A name that is said again has its new addresses only. Raises ValueError where an address is not an IP
        address; then nothing has changed.
        """
        if not isinstance(known, Mapping) or not all(isinstance(name, str) for name in known):
            raise ValueError(f"names are a dict of names and their addresses, not {known!r}")
        names = {
            normal_host(name): list(addresses) if isinstance(addresses, (list, tuple)) else [addresses]
            for name, addresses in known.items()
        }
        found = [address for addresses in names.values() for address in addresses]
        wrong = [address for address in found if not isinstance(address, str) or not is_ip(address)]
        if wrong:
            raise ValueError(f"a name has IP addresses, not {wrong[0]!r}")

        def add() -> None:
            self.engine.places.names.update(names)
            self.engine.places_changed()

        self._do(add)

    # --- servers in memory ---

    @property
    def servers(self) -> Servers:
        """The servers, for what is not said here: `close`, `close_all`, `address_of`."""
        if self._servers is None:
            engine = self.engine
            self._servers = Servers(
                engine.memory,
                self.loop,
                engine.poller,
                self._report,
                engine.inject,
                engine.places_changed,
                engine.places.addresses,
            )
            engine.places.served = self._servers.served
        return self._servers

    def _report(self, text: str) -> None:
        log.error("%s", text)
        self.engine.places.failures.append(text)

    def server(self, host: str, port: int, *, tls: TLS = None, buffer: int | None = None) -> Callable[[H], H]:
        """A server: a decorator of `async def handler(conn)`, which runs for each connection. See `Servers`.

        The connection is closed in order when the handler returns. A handler that raises is logged, noted in
        `failures`, and resets the connection.

        host: a name or an IP address.
        port: 1 to 65535.
        tls: None for plain bytes; True for a certificate that is made on the spot; (certificate, key) as
            paths; or an ssl.SSLContext.
        buffer: how many bytes each direction holds that nobody has read; 65,536 where it is None.

        Raises OSError with EADDRINUSE where a server is already, and ValueError for a wrong port.
        """
        return lambda handler: self._do(
            lambda: self.servers.server(host, port, tls=tls, buffer=buffer)(handler)
        )

    def protocol(
        self, host: str, port: int, factory: Factory, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        """A server of any asyncio.Protocol, as by `loop.create_server(factory, host, port)`.

        Arguments and errors are those of `server`.
        """
        self._do(lambda: self.servers.protocol(host, port, factory, tls=tls, buffer=buffer))

    def static(
        self, host: str, port: int, data: bytes, *, tls: TLS = None, buffer: int | None = None
    ) -> None:
        """A server that sends `data` to each connection, ends its output, and reads until the client ends.

        Arguments and errors are those of `server`.
        """
        self._do(lambda: self.servers.static(host, port, data, tls=tls, buffer=buffer))

    def datagrams(self, host: str, port: int, factory: Factory | None = None) -> Callable[[H], H]:
        """A server of datagrams: a decorator of `async def handler(data, sender, reply)`.

        `data` is one datagram, `sender` the address that it is from, and `reply(data)` sends one back. With
        `factory`, which makes an asyncio.DatagramProtocol, the server is that protocol instead. Errors are
        those of `server`.
        """
        add = self._do(lambda: self.servers.datagrams(host, port, factory))
        return lambda handler: self._do(lambda: add(handler))

    async def connect(self, host: str, port: int, *, tls: TLS = None) -> Conn:
        """Python as a client: of a server in memory there, or else of the Erlang listener of that port.

        `tls` as for `server`; with True no certificate is checked. Raises ConnectionRefusedError when nobody
        listens. To be called in the loop of the servers.
        """
        return await self.servers.connect(host, port, tls=tls)

    def strict(self, on: bool = True) -> None:
        """What is not described is refused, and noted in `failures` with the caller and the address.

        Described are the servers in memory, the addresses of `names` with all ports, and the listeners and
        datagram sockets of the node. `strict(False)` takes it back.
        """

        def set_strict() -> None:
            self.engine.places.strict = on
            self.engine.places_changed()

        self._do(set_strict)
