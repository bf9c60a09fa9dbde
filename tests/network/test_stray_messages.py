"""`network.trace.no_stray_messages()`: the mailboxes of processes that have had sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inetpy import Atom, Network
from inetpy.testing import Node

# An active socket of a process, which receives the first message only, or all of them.
OPEN = """
    Test = self(),
    Pid = spawn(fun() ->
        {ok, S} = gen_tcp:connect("chatty.test", 80, [binary, {active, true}]), Test ! connected,
        receive {tcp, S, <<"hello">>} -> ok end,
        Test ! heard, receive go -> ok end
    end),
    register(owner, Pid),
    receive connected -> ok end,
    receive heard -> ok end
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node() as started:
        yield started


@pytest.fixture
def network(node: Node) -> Iterator[Network]:
    network = node.network
    network.trace.start()
    yield network
    node.eval("[exit(Pid, kill) || Pid <- [whereis(owner)], is_pid(Pid)]")
    node.wait_until("whereis(owner) =:= undefined")
    network.trace.stop()
    network.clear()


def test_all_is_received(node: Node, network: Network) -> None:
    @network.server("chatty.test", 80)
    async def chatty(conn):  # type: ignore[no-untyped-def]
        await conn.write(b"hello")
        await conn.read()

    node.eval(OPEN)
    assert network.trace.no_stray_messages()


def test_a_message_that_nobody_receives(node: Node, network: Network) -> None:
    """It says which, and whose it is. The message stays."""

    @network.server("chatty.test", 80)
    async def chatty(conn):  # type: ignore[no-untyped-def]
        await conn.write(b"hello")

    node.eval(OPEN)
    node.wait_until("process_info(whereis(owner), message_queue_len) =:= {message_queue_len, 1}")
    for _ in range(2):
        with pytest.raises(AssertionError, match=r"<0\.\d+\.\d+>: \{tcp_closed,"):
            network.trace.no_stray_messages()
    assert network.trace.no_stray_messages(host="other.test")


def test_a_select_message(node: Node, network: Network) -> None:
    """Of inetpy_socket, in a process that has no other socket."""

    @network.server("10.0.0.9", 80)
    async def chatty(conn):  # type: ignore[no-untyped-def]
        await conn.read(1)
        await conn.write(b"hello")

    node.eval("""
        Test = self(),
        register(owner, spawn(fun() ->
            {ok, S} = inetpy_socket:open(inet, stream),
            ok = inetpy_socket:connect(S, #{family => inet, addr => {10, 0, 0, 9}, port => 80}),
            {select, _} = inetpy_socket:recv(S, 0, nowait),
            ok = inetpy_socket:send(S, "x"),
            Test ! asked, receive go -> ok end
        end)),
        receive asked -> ok end
    """)
    node.wait_until("process_info(whereis(owner), message_queue_len) =:= {message_queue_len, 1}")
    with pytest.raises(AssertionError, match=r"<0\.\d+\.\d+>: \{'\$socket',.*select,"):
        network.trace.no_stray_messages()


def test_messages_of_others_do_not_count(node: Node, network: Network) -> None:
    @network.server("chatty.test", 80)
    async def chatty(conn):  # type: ignore[no-untyped-def]
        await conn.write(b"hello")
        await conn.read()

    node.eval(OPEN)
    node.eval("owner ! {tcp, no_socket, <<>>}")
    assert network.trace.no_stray_messages()
    assert node.eval("whereis(owner) =/= undefined") == Atom("true")
