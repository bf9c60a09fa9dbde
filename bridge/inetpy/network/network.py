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
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from . import anywhere, each_call
from .addresses import is_ip, normal_host
from .clock import ClockControl
from .faults import Fault, When, error, make_fault, nth
from .remote import RemoteConn
from .report import report
from .rules import Rule
from .schedules import PlannedFault, Schedule, fault
from .servers import TLS, Conn, Factory, H, Servers
from .trace import Trace
from .whom import Whom

if TYPE_CHECKING:
    from ..replay.matching import Match
    from .engine import Engine
    from .replay import Replay

__all__ = ["Network"]

T = TypeVar("T")

log = logging.getLogger(__name__)


class Network:
    """The network of the sockets of one Python process.

    engine: what does the work.
    clock: the time of its sockets: `real()`, `rate(10)`, `advance(30_000)`; see `ClockControl`.
    trace: what was asked of the sockets, and what they sent and received; see `Trace`.

    The argument `loop` is the loop of that process; None where the caller runs everything itself.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.engine = engine
        self._loop = loop
        self._servers: Servers | None = None
        # A host in memory runs when it is told to; a loop runs by itself.
        run_ready = getattr(engine.poller, "run", lambda: None)
        self.clock = ClockControl(engine.clock, self._do, loop, run_ready)
        self.trace = Trace(engine, self._do, loop)

    def __repr__(self) -> str:
        return f"<Network, seed {self.seed}>"

    def _do(self, work: Callable[[], T]) -> T:
        """Runs `work` where the sockets are, and waits for it. RuntimeError when the loop has ended."""
        return anywhere.do(self._loop, work)

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
        rule = fault(what, when=when, for_ms=for_ms, **whom).rule()
        self._do(lambda: self._add_all([rule]))
        return rule

    def schedule(self, faults: Iterable[PlannedFault]) -> Schedule:
        """Adds several rules at once, which `fault(...)` of `inetpy.network` describes.

        faults: a list of these, as `inetpy.testing.faults` draws it.

        The rules hold when this returns. The schedule is a context manager, which removes them. Raises
        ValueError for anything else in the list; then nothing has changed.
        """
        planned = list(faults)
        for item in planned:
            if not isinstance(item, PlannedFault):
                raise ValueError(f"a schedule has faults as fault(latency(200), port=80), not {item!r}")
        rules = [item.rule() for item in planned]
        self._do(lambda: self._add_all(rules))
        return Schedule(rules, self._remove)

    def _add_all(self, rules: list[Rule]) -> None:
        for rule in rules:
            self.engine.add(rule)
            rule.on_remove = self._remove

    def _remove(self, *rules: Rule) -> None:
        def remove() -> None:
            for rule in rules:
                self.engine.end(rule)

        self._do(remove)

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
            if engine.servers is None:
                engine.servers = Servers(
                    engine.memory,
                    self.loop,
                    engine.poller,
                    self._report,
                    engine.inject,
                    engine.places_changed,
                    engine.places.addresses,
                    engine.outside,
                    engine.keylog.watch,
                )
                engine.places.served = engine.servers.served
                engine.places.clients = engine.servers.clients
            self._servers = engine.servers
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

    def connect(self, host: str, port: int, *, tls: TLS = None, timeout: float | None = 5.0) -> Any:
        """Python as a client: of a server in memory there, or else of the Erlang listener of that port.

        In the loop of the servers: a task that gives a `Conn`. In a thread without a running loop: this
        waits, and gives a `RemoteConn`, whose methods wait. In a thread with another running loop: a task
        that gives a `RemoteConn`, whose methods are to be awaited.

        tls: as for `server`; with True no certificate is checked.
        timeout: seconds that connecting may take, and then each call of a `RemoteConn`; None is for ever.

        Raises ConnectionRefusedError when nobody listens, TimeoutError, and RuntimeError when the loop of the
        servers has ended.
        """
        loop, elsewhere = self.loop, anywhere.is_elsewhere(self.loop)

        async def reach() -> Conn | RemoteConn:
            conn = await self.servers.connect(host, port, tls=tls)
            return RemoteConn(conn, loop, timeout) if elsewhere else conn

        return anywhere.call(loop, reach, timeout)

    def strict(self, on: bool = True) -> None:
        """What is not described is refused, and noted in `failures` with the caller and the address.

        Described are the servers in memory, the addresses of `names` with all ports, and the listeners and
        datagram sockets of the node. `strict(False)` takes it back.
        """

        def set_strict() -> None:
            self.engine.places.strict = on
            self.engine.places_changed()

        self._do(set_strict)

    # --- replay ---

    def replay(
        self,
        path: str | PathLike[str],
        *,
        role: str = "server",
        match: Match = "exact",
        chunks: str = "recorded",
        speed: float | None = None,
        at: Mapping[str, str] | None = None,
        only: str | None = None,
        patience: float = 5.0,
    ) -> Replay:
        """Plays one side of a recorded trace, and compares the other side with the record.

        path: a `.jsonl` or `.pcapng` of `trace.save`, or a pcapng of another program.
        role: "server": servers in memory play what the recorded servers said. "client": Python connects to
            the listeners of Erlang, as the recorded clients did. "live": Python plays the recorded clients
            over the real network, and compares what the servers there answer.
        match: how what the other side says is compared: "exact", "prefix", "length", "regex" (the record is
            a regular expression), a pattern of bytes (what it matches may differ), or a function
            `(expected, got) -> bool`.
        chunks: in which pieces bytes are sent: "recorded", "one_byte", "coalesced", "random" (with the seed
            of this network), or "random(7)".
        speed: how many times as fast as recorded, in the time of this network's clock; None: each message
            when all before it has happened.
        at: other places: `{"db.example:5432": "127.0.0.1:15432"}`.
        only: a pattern, `"db.*:5432"`: the connections of the record that are played.
        patience: seconds that a listener may take to come, and a message that does not fit to become one
            that does.

        The n-th connection to a host and port is the n-th of the record there. As server and as client, the
        network is strict from now on, and each new socket is in memory. A mismatch resets its connection and
        is one of the `failures`.

        Raises `TraceFileError` for a broken file, ValueError for a wrong word and for a file without
        connections, OSError, and RuntimeError for "live" in a strict network.
        """
        from .replay import make_replay

        return make_replay(
            self,
            path,
            role=role,
            match=match,
            chunks=chunks,
            speed=speed,
            at=at,
            only=only,
            patience=patience,
        )

    # --- the end of a test ---

    def report(self) -> str:
        """What a failing test shows: seed, rules and how often they fired, names, servers, and failures.

        The last 20 rules that have ended since `clear` are in it, too. It can be asked for while the loop is
        stuck, and after its end. The text has no line break at its end.
        """
        return report(self.engine, self._servers)

    def clear(self) -> Awaitable[None]:
        """All is as in a new network: no rules, names, servers, failures, not strict; the system's time.

        Rules of Erlang and of `inetpy faults` go too. The connections of servers, and those of `connect`, are
        reset, and handlers are cancelled. Other sockets of Erlang stay open, and are as without rules. The
        trace forgets what it has, and goes on where it is on. The seed stays, and a name that gets a server
        again has the addresses that it had.

        When this returns, all of it has happened. Only a caller in the loop itself has to `await` it:
        then nothing happens before that. A handler that does so goes on.
        """
        if self.engine.servers is None:
            self._do(self._forget)
            return anywhere.DONE
        if not anywhere.is_elsewhere(self.loop) and self.loop.is_running():
            return self._clear()  # in the task of the caller: a handler does not cancel itself
        return anywhere.finish(self.loop, self._clear)

    async def _clear(self) -> None:
        self.engine.end_all()  # at first: no rule is to act on the end of the servers
        await self.servers.close_all()
        self._forget()

    def _forget(self) -> None:
        for replay in list(self.engine.replays):
            replay.cancel()
        self.trace.clear()
        self.engine.end_all()
        self.engine.rules.ended.clear()
        self.engine.places.clear()
        self.engine.places_changed()
        self.clock.real()
