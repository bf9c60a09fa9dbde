"""A node of Erlang that a test has started, and asks.

    with Node() as erlang:
        assert erlang.eval("X + 1", X=2) == 3
        erlang.compile("src/client.erl")
        with erlang.network.fault(reset(after_bytes=10)):
            erlang.call("client", "run", b"db.example")

Its sockets are those of `Node.network`: the whole node is on inetpy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from ..codec.terms import Atom, Pid, charlist
from ..network.network import Network
from ..session.interference import kind_of
from ..session.session import Session
from .emulator import Emulator, elixir_folders, find
from .errors import ErlangError, ErlangTimeoutError, NodeDownError
from .half import Half, half_of
from .requests import Request, Requests, wait
from .shells import Shells
from .sources import folders, source
from .spawned import Spawned
from .values import (
    ELIXIR,
    ERLANG,
    FOR_EVER,
    Answer,
    LogEvent,
    atom,
    check_bindings,
    event_of,
    forward,
    milliseconds,
    parts_of,
    value_of,
)

__all__ = ["STUCK", "Node"]

START = 30.0  # seconds for the node to come up
GRACE = 5.0  # seconds more than the node has, for its answer
SLOW = 60.0  # seconds for what a test does not wait for as a rule: to compile, to tidy
ENDING = 10.0  # seconds for the process to end
STUCK = "a server of the network blocks its loop, so nothing goes on. It waits in"
SHOWN = 4000  # characters of output in the text of an error


class Node:
    """A node of Erlang. It runs when this has been made, and ends with `stop` or with the `with` block.

    name: of the node in logs, in rules (`node="..."`) and for other nodes; a new one where it is None. It is
        no name of Erlang's distribution, which does not run.
    network: that of another node; None is a new one.
    erl: the program `erl`, of OTP 25 or later.
    install: whether all sockets of the node are of the network. Without it those are that ask for it, by
        `inetpy:tcp_options/1`.
    seed: of a new network.
    flags: more arguments for `erl`, `["-config", "sys"]`.
    env: more variables of the environment.

    In a thread with a running loop `eval`, `elixir`, `call`, `wait_until` and `Spawned.result` give an
    awaitable; else they wait. All methods may be called from any thread.

    Raises FileNotFoundError without Erlang, and NodeDownError when the node does not start.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        network: Network | None = None,
        erl: str | os.PathLike[str] = "erl",
        install: bool = True,
        seed: int | None = None,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        if network is not None and seed is not None:
            raise ValueError("the seed is that of the network: give it to the node that makes the network")
        self._options: dict[str, Any] = {
            "erl": find(erl),
            "install": install,
            "flags": tuple(flags),
            "env": dict(env or {}),
        }
        self._is_owner = network is None
        self._half = Half(seed) if network is None else half_of(network)
        self._not_in_loop()
        self.network = self._half.network
        self.name = self._half.new_name(name)
        self.log: list[LogEvent] = []
        self.peers: list[Node] = []
        self._session: Session | None = None
        self._requests = Requests(self._half.loop, self._on_ready, self._on_log, self._sockets_of)
        self._shells = Shells()
        self._has_elixir = False
        self._printed = 0  # bytes, before this test
        self._connected: Future[None] = Future()
        self._down: Future[str] = Future()
        try:
            self._start()
        except BaseException:
            self._leave()
            raise

    def _start(self) -> None:
        options = self._options
        variables = options["env"] | self._half.expect(self)
        self._process = Emulator(
            options["erl"], options["flags"], options["install"], variables, self._half.loop, self._on_end
        )
        try:
            self._connected.result(START)
        except BaseException as error:
            self._process.kill()
            if isinstance(error, TimeoutError):
                raise NodeDownError(f"the node {self.name} does not start:\n{self.output}") from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "" if self.is_alive else ", which has ended"
        return f"<Node {self.name}{state}>"

    # --- what happens to it; called in the loop ---

    def on_session(self, session: Session) -> None:
        self._session = session
        self._requests.begin(session)

    def _on_ready(self) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def on_session_end(self) -> None:
        """The node ends now by itself."""
        self._half.loop.call_later(ENDING, self._process.kill)

    def _on_end(self, status: str) -> None:
        error = self._down_error(status)
        self._half.forget(self)
        self._requests.fail(error, lost=True)
        if not self._connected.done():
            self._connected.set_exception(error)
        self._down.set_result(status)

    def _down_error(self, status: str) -> NodeDownError:
        said = self._process.output()[-SHOWN:].rstrip() or "(none)"
        events = "".join(f"\n{event.level}: {event.text}" for event in self.log[-3:])
        logged = f"\nIts last log events:{events}" if events else ""
        return NodeDownError(f"the node {self.name} has ended ({status}). Its last output:\n{said}{logged}")

    def _on_log(self, data: bytes) -> None:
        event = event_of(data)
        self.log.append(event)
        forward(self.name, event)

    # --- what it is ---

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not self._down.done()

    @property
    def os_pid(self) -> int:
        """The process of the system."""
        return self._process.pid

    @property
    def output(self) -> str:
        """The end of what the node has printed since it was started or reset."""
        return self._process.output(self._printed)

    # --- questions ---

    def eval(self, source: str, *, timeout: float | None = 5.0, **bindings: object) -> Any:
        """The value of the last of some expressions of Erlang: `eval("lists:sum(L)", L=[1, 2])`.

        The dot at the end may be left out. Bindings are variables; those that the text binds are gone
        afterwards. The next call from this thread runs in the same process, so sockets stay open and
        messages stay in the mailbox, until the end of the test. Calls that run at the same time have
        processes of their own.

        timeout: seconds; None is for ever.

        Raises ErlangError; ErlangTimeoutError, then the process has ended with its sockets; ValueError for a
        value that has no external form; NodeDownError.
        """
        __tracebackhide__ = True
        check_bindings(bindings, ERLANG, "Erlang")
        return self._evaluate("eval", source, timeout, bindings)

    def elixir(self, source: str, *, timeout: float | None = 5.0, **bindings: object) -> Any:
        """The same in Elixir: `elixir("Enum.sum(list)", list=[1, 2])`.

        Raises also FileNotFoundError where Elixir is not installed.
        """
        __tracebackhide__ = True
        check_bindings(bindings, ELIXIR, "Elixir")
        if not self._has_elixir:
            self.keep(*elixir_folders(), applications=["elixir"])
            self._has_elixir = True
        return self._evaluate("elixir", source, timeout, bindings)

    def wait_until(self, source: str, *, timeout: float | None = 5.0, **bindings: object) -> Any:
        """Evaluates until the value is neither false nor undefined. The value.

        Raises ErlangTimeoutError after `timeout` seconds; else as `eval`.
        """
        __tracebackhide__ = True
        check_bindings(bindings, ERLANG, "Erlang")
        return self._evaluate("until", source, timeout, bindings)

    def _evaluate(self, word: str, source: str, timeout: float | None, bindings: Mapping[str, object]) -> Any:
        __tracebackhide__ = True
        names = {Atom(name): value for name, value in bindings.items()}
        limit = milliseconds(timeout)
        work = (Atom(word), source, names, limit)
        more = 1000 if word == "until" else 0  # it says itself that it was too long
        return self._run(
            work, min(limit + more, FOR_EVER), timeout, {f"the variable {k}": v for k, v in bindings.items()}
        )

    def call(
        self, module: str | Atom, function: str | Atom, *arguments: object, timeout: float | None = 5.0
    ) -> Any:
        """What a function gives. It runs where `eval` does, with the same errors."""
        __tracebackhide__ = True
        work = (Atom("call"), atom(module), atom(function), list(arguments))
        return self._run(work, milliseconds(timeout), timeout, parts_of(arguments))

    def _run(self, work: object, limit: int, timeout: float | None, parts: Mapping[str, object]) -> Any:
        __tracebackhide__ = True
        self._check()
        shell = self._shells.take()
        try:
            request = self._requests.ask("run", shell, limit, work, parts=parts)
        except BaseException:
            self._shells.give_back(shell)
            raise
        request.answer.add_done_callback(lambda _: self._shells.give_back(shell))
        patience = None if timeout is None else limit / 1000 + GRACE
        return wait(
            request.answer, value_of, patience, self._why_late, lambda: self._requests.cancel(request)
        )

    def spawn(self, module: str | Atom, function: str | Atom, *arguments: object) -> Spawned:
        """Calls a function in a process of its own, which ends with the function. Does not wait."""
        self._check()
        work = (Atom("call"), atom(module), atom(function), list(arguments))
        request = self._requests.ask("spawn", work, parts=parts_of(arguments))
        return Spawned(self._requests, request, self._first_answer, self.waits_in)

    def waits_in(self, pid: Pid) -> str:
        """What a process waits in: its stack, its messages, and the same of those that it has called.

        Raises TypeError for what is no pid.
        """
        if not isinstance(pid, Pid):
            raise TypeError(f"waits_in takes a pid, not {pid!r}")
        text: bytes = self._ask("inspect", pid)
        return text.decode(errors="replace").rstrip()

    # --- code ---

    def compile(self, path_or_source: str | os.PathLike[str], *, include: Sequence[str] = ()) -> Atom:
        """Compiles a module, from a file or from its text, and loads it. Its name.

        A header is looked for beside the file, in `../include`, and in the folders of `include`. Warnings are
        events of the node's logger.

        Raises FileNotFoundError, and ErlangError with the kind "compile".
        """
        __tracebackhide__ = True
        with source(path_or_source, include, self._half.folder) as module:
            options = [(Atom("i"), charlist(str(folder))) for folder in module.include]
            work = (Atom("compile"), charlist(str(module.file)), module.shown, options)
            name: Atom = self._ask("spawn", work)
        return name

    def add_path(self, *paths: str | os.PathLike[str]) -> None:
        """Folders of beams, before all others; `*` stands for any name: `"_build/default/lib/*/ebin"`.

        Raises FileNotFoundError.
        """
        found = [charlist(folder) for given in paths for folder in folders(given)]
        self._ask("spawn", (Atom("call"), Atom("code"), Atom("add_pathsa"), [found]))

    # --- nodes ---

    def peer(self, name: str) -> Node:
        """Another node on the same network, with the options of this one. It ends with this node's test.

        The nodes reach each other, and Python reaches them, by their names: `gen_tcp:connect("b", ...)`. They
        share the ports of this host.
        """
        node = Node(name, network=self.network, **self._options)
        self.peers.append(node)
        self._half.name_nodes()
        return node

    # --- the next test ---

    def mark(self) -> None:
        """What there is now stays after `reset`."""
        self._ask("mark")

    def keep(self, *folders: str, applications: Sequence[str] = ()) -> None:
        """Adds folders of beams to the path, and starts applications. They stay after `reset`."""
        self._ask("keep", [charlist(str(f)) for f in folders], [Atom(name) for name in applications])

    def reset(self, *, code: bool = True) -> None:
        """The node as it was at `mark`: what was started, loaded and set since then goes.

        These are processes, also those that nobody is linked to, applications and their variables, sockets,
        variables of the environment, the folder, settings of the logger, and peers; and with `code` modules
        and the code path. `log` is empty. Persistent terms stay, and what a test has changed in processes
        that were there before.
        """
        for peer in self.peers:
            peer._end_now()
        self.peers.clear()
        self._requests.fail(ErlangError("exit", Atom("killed"), "the test has ended"), lost=False)
        self._shells.clear()
        ended = frozenset(self._ask("reset", code))
        self._await_closed(ended)
        self.log.clear()
        self._printed = self._process.printed

    def _await_closed(self, owners: frozenset[Pid]) -> None:
        """The sockets of these processes are closed in this moment."""
        session = self._session
        assert session is not None
        deadline = time.monotonic() + ENDING

        def is_open() -> bool:
            return any(sock.owner in owners for sock in session.sockets.values())

        while self._half.do(is_open) and time.monotonic() < deadline:
            time.sleep(0.001)

    # --- the end ---

    def stop(self) -> None:
        """Ends the node as `init:stop/0` does: applications are stopped first.

        A node that does not stop within ten seconds is killed. Nothing happens when it has ended.
        """
        self._not_in_loop()
        for peer in self.peers:
            peer._end_now()
        if self.is_alive:
            try:
                self._requests.ask("stop")
                self._down.result(ENDING)
            except (TimeoutError, NodeDownError):
                pass
        self._end_now()

    def kill(self) -> None:
        """Ends the node at once, as a crash of the machine would."""
        self._not_in_loop()
        self._end_now()

    def abandon(self) -> None:
        """Ends the node where the loop of the network is stuck, and does not wait."""
        for node in (*self.peers, self):
            node._process.kill()

    def _end_now(self) -> None:
        if self.is_alive:
            self._process.kill()
            self._down.result(ENDING)
        self._leave()

    def _leave(self) -> None:
        self._half.forget(self)
        if self._is_owner and self._half.is_empty():
            self._half.close()

    # --- helpers ---

    def _why_late(self) -> str:
        """The node answers in time, where it can."""
        stack = self._half.stuck_in()
        if stack is None:
            return f"the node {self.name} does not answer"
        return f"{STUCK}\n{stack}"

    def _sockets_of(self, owner: Pid) -> list[str]:
        """Lines for the error of a process that was ended. The loop calls this while it has the sockets."""
        session, engine = self._session, self.network.engine
        assert session is not None
        found = [sock for sock in session.sockets.values() if sock.owner == owner]
        return [f"  its socket: {kind_of(sock.role)} {engine.facts_of(sock).label}" for sock in found]

    def _ask(self, verb: str, *rest: object) -> Any:
        """A request that nobody can await, and whose answer comes soon."""
        __tracebackhide__ = True
        self._check()
        self._not_in_loop()
        request = self._requests.ask(verb, *rest)
        try:
            answer = request.answer.result(SLOW)
        except TimeoutError:
            raise ErlangTimeoutError(f"the node {self.name} does not answer") from None
        return value_of(answer)

    def _check(self) -> None:
        if not self.is_alive:
            raise self._down_error(self._down.result())

    def _not_in_loop(self) -> None:
        if self._half.is_here():
            raise RuntimeError("this waits, and may not be called in a server of the network")

    def _first_answer(self, request: Request) -> Answer:
        """That of a process which has started."""
        self._not_in_loop()
        return request.started.result(GRACE)
