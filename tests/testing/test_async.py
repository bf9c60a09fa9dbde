"""Tests that are coroutines await the same calls."""

from __future__ import annotations

import pytest
from project import ASYNCIO, Project

pytest_plugins = ["of_project"]

TESTS = """
import asyncio
import pytest
from inetpy import Atom
from inetpy.testing import ErlangError, ErlangTimeoutError, NodeDownError

{marks}

async def test_calls(erlang):
    assert await erlang.eval("X + 1", X=1) == 2
    assert await erlang.call("erlang", "abs", -1) == 1
    assert await erlang.wait_until("true") == Atom("true")
    assert await erlang.spawn("erlang", "abs", -2).result() == 2

async def test_errors(erlang):
    with pytest.raises(ErlangError):
        await erlang.eval("1 = 2")
    with pytest.raises(ErlangTimeoutError, match="timer:sleep"):
        await erlang.call("timer", "sleep", Atom("infinity"), timeout=0.1)
    with pytest.raises(ErlangTimeoutError, match="timer:sleep"):
        await erlang.spawn("timer", "sleep", Atom("infinity")).result(0.1)

async def test_at_the_same_time(erlang):
    waiting = asyncio.ensure_future(
        erlang.eval("register(waiter, self()), receive {{answer, X}} -> X end", timeout=20)
    )
    await erlang.wait_until("whereis(waiter) =/= undefined")
    await erlang.eval("waiter ! {{answer, 7}}")
    assert await waiting == 7
    assert await asyncio.gather(*(erlang.eval("X * X", X=x) for x in range(5))) == [0, 1, 4, 9, 16]

async def test_the_same_process(erlang):
    assert await erlang.eval("self()") == await erlang.eval("self()")

async def test_cancelled(erlang):
    '''The process ends.'''
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await erlang.eval("register(hangs, self()), timer:sleep(infinity)", timeout=None)
    await erlang.wait_until("whereis(hangs) =:= undefined")

async def test_servers_ask_the_node(erlang, network):
    '''In the loop of the network.'''
    @network.server("server.test", 80)
    async def server(conn):
        await conn.write(await erlang.eval("integer_to_binary(41 + 1)"))
    ask = '{{ok, S}} = gen_tcp:connect("server.test", 80, [binary, {{active, false}}]), gen_tcp:recv(S, 2)'
    assert await erlang.eval(ask) == (Atom("ok"), b"42")

async def test_a_client_in_python(erlang, network):
    listener = await erlang.eval("{{ok, L}} = gen_tcp:listen(0, [binary, {{active, false}}]), L")
    port = (await erlang.call("inet", "port", listener))[1]
    accepted = erlang.spawn("gen_tcp", "accept", listener)
    conn = await network.connect("app.test", port)
    assert (await accepted.result())[0] == Atom("ok")
    await conn.close()

async def test_a_node_that_dies(erlang):
    with pytest.raises(NodeDownError, match="exit status 3"):
        await erlang.eval("halt(3)")"""
SYNC = """
def test_without_a_loop(erlang):
    assert erlang.eval("1") == 1
"""


def test_pytest_asyncio(project: Project) -> None:
    project.write("test_it.py", TESTS.format(marks="pytestmark = pytest.mark.asyncio"))
    project.write("test_more.py", SYNC)
    assert project.run(*ASYNCIO, "-p", "no:anyio").outcomes() == {"passed": 9}


def test_anyio(project: Project) -> None:
    backend = "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    project.write("test_it.py", TESTS.format(marks=f"pytestmark = pytest.mark.anyio\n\n{backend}"))
    project.write("test_more.py", SYNC)
    assert project.run().outcomes() == {"passed": 9}


@pytest.mark.parametrize("call", ["erlang.compile('-module(m).')", "erlang.peer('b')", "erlang.stop()"])
def test_what_waits_is_refused_in_a_server(project: Project, call: str) -> None:
    """It would wait for the loop that it is called by."""
    project.write(
        "test_it.py",
        "def test_it(erlang, network):\n"
        "    said = []\n"
        "    @network.server('server.test', 80)\n"
        "    async def server(conn):\n"
        "        try:\n"
        f"            {call}\n"
        "        except RuntimeError as error:\n"
        "            said.append(str(error))\n"
        "    connect = 'gen_tcp:connect(\"server.test\", 80, [{active, false}])'\n"
        "    erlang.eval('{ok, S} = ' + connect + ', gen_tcp:recv(S, 0)')\n"
        "    assert 'may not be called in a server' in said[0]\n",
    )
    assert project.run().outcomes() == {"passed": 1}
