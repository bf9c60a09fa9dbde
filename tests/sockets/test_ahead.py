"""Bytes that go to the node before they are asked for: nobody may see a difference.

What stock `socket` does between a select message and the next recv is in erl/test/xs_ahead.erl. Here is what
no scenario can show: in which moment what is read, and requests that cross.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import erl
from inetpy.codec import implementation
from inetpy.codec.etf import encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.host import pipes
from inetpy.host.api import READ
from inetpy.host.linux import LinuxHost
from inetpy.sockets.plain.ahead import MOST
from inetpy.sockets.plain.plain import Plain
from plain_world import OK, OWNER, PlainWorld, linux_host, pid

ZERO = Atom("zero")
READER, OTHER = pid(2), pid(3)
ERRHUP = 8 | 16  # of epoll


class World(PlainWorld):
    """Processes that read."""

    def request(self, op: str, *args: Any) -> Ref:
        return self.ask(self.plain.ident, op, *args)

    def recv(self, process: Pid, length: int, handle: Any = None, flags: Any = (), taken: int = 0) -> Ref:
        return self.request("socket_recv", process, handle or self.ref(), length, list(flags), taken)

    def peek(self) -> Ref:
        """Another process looks at what there is, without waiting."""
        return self.recv(OTHER, 0, ZERO, [Atom("peek")])

    def recalled(self, number: int, given_up: bool) -> None:
        boolean = Atom("true" if given_up else "false")
        self.dispatcher.handle_frame(encode((Atom("recalled"), self.plain.ident, number, boolean)))

    def send(self, data: bytes) -> None:
        self.peer.sendall(data)
        while self.unread < len(data):
            time.sleep(0.001)

    @property
    def unread(self) -> int:
        return pipes.readable(self.plain.sock)

    @property
    def ahead(self) -> tuple[int, bytes, bytes] | None:
        """What the node has got: number, process, data."""
        return self.link.aheads.get(self.plain.ident)

    def told(self, length: int = 3, data: bytes = b"abcde", process: Pid = READER) -> int:
        """The process waits for so many bytes, and has been told. The number of what it has got with that."""
        assert self.answer(self.recv(process, length)) == Atom("select")
        self.send(data)
        self.plain.on_ready(READ)
        assert self.ahead is not None
        return self.ahead[0]


@pytest.fixture
def host() -> Iterator[LinuxHost]:
    with linux_host() as host:
        yield host


@pytest.fixture
def world(host: LinuxHost) -> Iterator[World]:
    world = World(host)
    yield world
    world.end()


def test_they_stay_in_the_socket(world: World) -> None:
    """Until the next recv says that they are taken. That recv then gets what is behind them."""
    number = world.told()
    assert world.ahead == (number, READER.raw, b"abc")
    assert world.unread == 5
    assert world.answer(world.recv(READER, 2, taken=number)) == (OK, b"de")
    counters = world.plain.counters
    assert (counters["read_pkg"], counters["read_byte"], counters["read_pkg_max"]) == (2, 5, 3)
    assert world.link.recalls == []


def test_again_and_again(world: World) -> None:
    """A process that always waits for the same length."""
    number = world.told(3, b"abc")
    for data in (b"def", b"ghi", b"jkl"):
        assert world.answer(world.recv(READER, 3, taken=number)) == Atom("select")
        world.send(data)
        world.plain.on_ready(READ)
        assert world.ahead is not None
        number, _, had = world.ahead
        assert had == data


@pytest.mark.parametrize("given_up", [True, False])
def test_other_requests_wait(world: World, given_up: bool) -> None:
    """Until the node has given the bytes up, or says that they are taken."""
    number = world.told()
    peek = world.peek()
    other = world.recv(OTHER, 2, ZERO)
    assert world.answer(peek) is None
    assert world.answer(other) is None
    assert world.link.recalls == [(world.plain.ident, number)]
    world.recalled(number, given_up)
    assert world.answer(peek) == (OK, b"abcde" if given_up else b"de")
    assert world.answer(other) == (OK, b"ab" if given_up else b"de")


def test_a_send_does_not_wait(world: World) -> None:
    world.told()
    assert world.answer(world.request("socket_send", READER, world.ref(), [], Atom("true"), b"xyz")) == OK
    assert world.link.recalls == []


def test_the_recv_comes_before_the_answer(world: World) -> None:
    """The process took them, and asks on. What waited is done, and the late answer changes nothing."""
    number = world.told()
    peek = world.peek()
    second = world.recv(READER, 1, taken=number)
    assert world.answer(peek) == (OK, b"de")
    assert world.answer(second) == (OK, b"d")
    world.recalled(number, given_up=False)
    assert world.unread == 1


def test_the_recv_comes_after_the_answer(world: World) -> None:
    """The recv that says it once more changes nothing, also when other bytes have gone ahead by then."""
    first = world.told(3, b"abc")
    world.request("socket_info")
    world.recalled(first, given_up=False)
    assert world.unread == 0
    second = world.told(2, b"de", OTHER)
    recv = world.recv(READER, 2, ZERO, taken=first)
    assert world.answer(recv) is None
    world.recalled(first, given_up=False)
    assert world.answer(recv) is None
    world.recalled(second, given_up=True)
    assert world.answer(recv) == (OK, b"de")


def test_the_process_reads_otherwise(world: World) -> None:
    """It asks for another length: the node has given it nothing."""
    number = world.told()
    recv = world.recv(READER, 4)
    world.recalled(number, given_up=True)
    assert world.answer(recv) == (OK, b"abcd")


def test_the_owner_ends(world: World) -> None:
    """The peer is reset when there are bytes that nobody has taken, and not otherwise."""
    number = world.told()
    world.session.on_down(OWNER)
    assert world.plain.sock is not None
    world.recalled(number, given_up=True)
    assert world.plain.sock is None
    with pytest.raises(ConnectionResetError):
        world.peer.recv(1)


def test_the_owner_ends_after_they_are_taken(world: World) -> None:
    number = world.told(5)
    world.session.on_down(OWNER)
    world.recalled(number, given_up=False)
    assert world.plain.sock is None
    assert world.peer.recv(1) == b""


@pytest.mark.parametrize("given_up", [True, False])
def test_the_process_ends(world: World, given_up: bool) -> None:
    """It is the turn of the next."""
    number = world.told()
    second = world.recv(OTHER, 2)
    world.session.on_down(READER)
    world.recalled(number, given_up)
    assert world.answer(second) == (Atom("select") if given_up else (OK, b"de"))
    world.plain.on_ready(READ)
    assert len(world.link.selected) == (3 if given_up else 2)  # that of connect among them


def test_the_socket_ends(world: World) -> None:
    """Those whose requests wait are answered."""
    world.told()
    peek = world.peek()
    world.plain.terminate()
    assert world.answer(peek) == (Atom("error"), Atom("closed"))


def test_a_bug_in_what_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the socket, and all callers are answered."""
    number = world.told()
    world.peek()
    later = world.request("socket_sockname")

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Plain, "answer", fails)
    world.recalled(number, given_up=True)
    assert world.plain.sock is None
    assert world.answer(later) == (Atom("error"), Atom("closed"))


@pytest.mark.skipif(implementation.compiled is None, reason="the pure codec calls more")
def test_calls_of_an_exchange(world: World) -> None:
    """A recv that says that bytes are taken, and waits; the message; a send. Some more functions than were
    called when this was written, as in tests/test_guard.py: more means a detour on the hot path.
    """
    number = world.told(3, b"abc")
    ident = world.plain.ident
    frames = [
        encode((Atom("socket_recv"), ident, world.ref(), (READER, world.ref(), 3, [], number))),
        encode((Atom("socket_send"), ident, world.ref(), (READER, world.ref(), [], Atom("true"), b"xyz"))),
    ]
    count = 0

    def on_event(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    for frame in frames:
        sys.setprofile(on_event)
        world.dispatcher.handle_frame(frame)
        sys.setprofile(None)
    world.send(b"def")
    sys.setprofile(on_event)
    world.plain.on_ready(READ)
    sys.setprofile(None)
    print(count)
    assert count <= 150


@pytest.mark.parametrize("given_up", [True, False])
def test_a_rule_for_the_socket(world: World, given_up: bool) -> None:
    """It holds when it is known what has been read: no byte is lost, and none comes twice."""
    number = world.told()
    own = world.plain.sock
    world.ask(0, "fault", Atom("add"), (1, {}, (Atom("latency"), {Atom("ms"): 0}), {}))
    assert world.plain.sock is own
    world.recalled(number, given_up)
    assert world.plain.sock is not own
    world.session.poller._run_ready()  # type: ignore[attr-defined]
    assert world.answer(world.recv(READER, 0)) == (OK, b"abcde" if given_up else b"de")


# --- what does not go ahead -------------------------------------------------------------------------


def nothing_ahead(
    world: World, length: int = 3, data: bytes = b"abc", events: int = READ, **more: Any
) -> None:
    assert world.answer(world.recv(READER, length, **more)) == Atom("select")
    before = len(world.link.selected)
    world.send(data)
    world.plain.on_ready(events)
    assert world.ahead is None
    assert len(world.link.selected) == before + 1


@pytest.mark.parametrize(
    "case",
    [{"length": 0}, {"length": 4}, {"length": MOST + 1, "data": bytes(MOST + 1)}, {"flags": [Atom("peek")]},
     {"events": READ | ERRHUP}],
    ids=str,
)  # fmt: skip
def test_only_a_certain_length(world: World, case: dict[str, Any]) -> None:
    nothing_ahead(world, **case)


def test_up_to_a_limit(world: World) -> None:
    world.told(MOST, bytes(MOST))


def test_without_fast_paths(host: LinuxHost) -> None:
    world = World(host, has_fast_paths=False)
    nothing_ahead(world)
    world.end()


def test_while_a_trace_sees_all(world: World) -> None:
    world.link.fast.step_aside(True)
    nothing_ahead(world)


def test_where_the_descriptor_is_known(world: World) -> None:
    world.request("socket_getopt", (Atom("otp"), Atom("fd")))
    nothing_ahead(world)


def test_while_others_wait(world: World) -> None:
    assert world.answer(world.recv(READER, 3)) == Atom("select")
    assert world.answer(world.recv(OTHER, 3)) == Atom("select")
    world.send(b"abc")
    world.plain.on_ready(READ)
    assert world.ahead is None


def test_an_error_is_not_lost(world: World) -> None:
    """A reset after the peer's end: the next recv tells it."""
    recv = world.recv(READER, 3)
    assert world.answer(recv) == Atom("select")
    world.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    world.peer.close()
    world.plain.on_ready(READ)
    assert world.answer(world.recv(READER, 3)) == (Atom("error"), Atom("econnreset"))


# --- with a node ------------------------------------------------------------------------------------


def test_readers_at_once() -> None:
    """Processes read from one socket, each in its way, and others ask and end: each byte comes once."""
    script = """
        ok = inetpy:start(),
        M = inetpy_socket,
        {ok, L} = M:open(inet, stream),
        ok = M:bind(L, #{family => inet, addr => loopback, port => 0}),
        ok = M:listen(L),
        {ok, To} = M:sockname(L),
        {ok, C} = M:open(inet, stream),
        ok = M:connect(C, To),
        {ok, S} = M:accept(L),
        Count = 3000,
        Parent = self(),
        Nowait = fun(Size) ->
            case M:recv(C, Size, nowait) of
                {select, {select_info, _, Handle}} ->
                    receive
                        {'$socket', C, select, Handle} -> M:recv(C, Size, 0);
                        {'$socket', C, abort, {Handle, Reason}} -> {error, Reason}
                    end;
                {select, {{select_info, _, Handle}, Part}} ->
                    receive {'$socket', C, _, _} -> {ok, Part} end;
                Other -> Other
            end
        end,
        Ways = [
            fun() -> M:recv(C, 1) end,
            fun() -> M:recv(C, 1, 0) end,
            fun() -> M:recv(C, 1, 1) end,
            fun() -> Nowait(1) end,
            fun() -> M:recv(C, 1, [], rand:uniform(3)) end
        ],
        Reader = fun Reader(Way, Got) ->
            case Way() of
                {ok, Data} -> Reader(Way, [Data | Got]);
                {error, timeout} -> erlang:yield(), Reader(Way, Got);
                {error, {timeout, Data}} -> Reader(Way, [Data | Got]);
                {error, _} -> Parent ! {got, Got}
            end
        end,
        [spawn_link(fun() -> Reader(Way, []) end) || Way <- Ways],
        Asker = fun Asker() ->
            _ = M:recv(C, 0, [peek], 0),
            _ = M:info(C),
            timer:sleep(rand:uniform(3)),
            Asker()
        end,
        _ = spawn(Asker),
        Waiter = fun Waiter() ->
            {Pid, Monitor} = spawn_monitor(fun() ->
                _ = M:recv(C, 1, [peek], nowait),
                timer:sleep(rand:uniform(2))
            end),
            receive {'DOWN', Monitor, process, Pid, _} -> Waiter() end
        end,
        _ = spawn(Waiter),
        [begin
            ok = M:send(S, <<(N rem 251)>>),
            N rem 10 =:= 0 andalso timer:sleep(1)
         end || N <- lists:seq(1, Count)],
        ok = M:shutdown(S, write),
        All = lists:append([receive {got, Got} -> Got end || _ <- Ways]),
        Bytes = lists:sort(binary_to_list(iolist_to_binary(All))),
        Bytes =:= lists:sort([N rem 251 || N <- lists:seq(1, Count)]) orelse
            io:format("~p bytes~n", [length(Bytes)]),
        io:format("~p~n", [length(Bytes)])
    """
    with erl("-eval", f"{script}, halt(0).", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=100)
    assert node.returncode == 0, output.decode()
    assert output.decode().splitlines()[-1] == "3000", output.decode()
