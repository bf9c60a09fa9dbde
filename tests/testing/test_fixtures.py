"""The fixtures `erlang` and `network`: a test sees nothing of the tests before it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from project import Project

pytest_plugins = ["of_project"]


def test_both_tests_have_one_node(project: Project) -> None:
    project.write(
        "test_it.py",
        "import pytest\n"
        '@pytest.mark.parametrize("number", range(3))\n'
        "def test_it(erlang, number):\n"
        '    with open("nodes", "a") as file:\n'
        '        file.write(f"{erlang.os_pid}\\n")\n',
    )
    assert project.run().outcomes() == {"passed": 3}
    assert len(set((project.folder / "nodes").read_text().splitlines())) == 1


# A test that leaves everything behind. The next one looks for it.
LEAVES = """
import os
import pytest
from inetpy import Atom
from inetpy.network import latency
from inetpy.testing import charlist

APPLICATION = '''
-module(left_app).
-behaviour(application).
-export([start/2, stop/1]).
start(_, _) ->
    {ok, spawn_link(fun() -> register(of_application, self()), receive after infinity -> ok end end)}.
stop(_) -> ok.
'''

@pytest.mark.parametrize("number", [1, 2])
def test_leaves(erlang, network, number):
    waits = "receive none -> ok end"
    erlang.eval("spawn(fun() -> process_flag(trap_exit, true), register(left, self()), %s end)" % waits)
    erlang.eval("spawn(fun() -> spawn(fun() -> register(left2, self()), %s end) end)" % waits)
    erlang.wait_until("whereis(left) =/= undefined andalso whereis(left2) =/= undefined")
    assert erlang.eval("inetpy:which_sockets()") == []
    erlang.eval("{ok, _} = gen_tcp:listen(0, []), {ok, _} = gen_udp:open(0)")
    erlang.spawn("timer", "sleep", Atom("infinity"))
    assert erlang.eval("erlang:process_info(self(), message_queue_len)") == (Atom("message_queue_len"), 0)
    erlang.eval("self() ! message")
    assert erlang.eval("ets:info(left)") == Atom("undefined")
    erlang.eval("ets:new(left, [named_table, public])")
    assert erlang.eval('os:getenv("LEFT")') == Atom("false")
    erlang.eval('os:putenv("LEFT", "1")')
    assert erlang.eval("application:get_env(kernel, left)") == Atom("undefined")
    erlang.eval("application:set_env(kernel, left, 1)")
    assert erlang.eval("{ok, D} = file:get_cwd(), list_to_binary(D)") == os.getcwd().encode()
    erlang.eval('ok = file:set_cwd("/")')
    assert erlang.eval("maps:get(level, logger:get_primary_config())") == Atom("notice")
    erlang.eval("logger:set_primary_config(level, debug)")
    erlang.eval("logger:add_handler(left, logger_std_h, #{})")
    assert erlang.eval("logger:get_handler_ids()") == [Atom("left"), Atom("inetpy_agent"), Atom("default")]
    erlang.compile(APPLICATION)
    erlang.eval('ok = application:load({application, left_app, [{mod, {left_app, []}}, {vsn, "1"}]})')
    erlang.eval("ok = application:start(left_app), application:set_env(left_app, key, 1)")
    erlang.eval('logger:error("left")')
    assert erlang.log[-1].text == "left"
    erlang.eval("logger:remove_handler(inetpy_agent)")
    erlang.peer("other")
    erlang.eval('io:format("printed~n")')

    assert (network.rules, network.failures, network.trace.calls("resolve")) == ([], [], [])
    network.static("left.test", 80, b"")
    network.names({"other.test": "127.0.0.1"})
    network.fault(latency(1))
    network.clock.advance(10)
    erlang.eval("{ok, _} = inetpy_fault:add(#{port => 1}, refuse)")
    erlang.eval("inetpy:uninstall()")

def test_ended(erlang):
    assert erlang.eval("[whereis(N) || N <- [left, left2, of_application]]") == [Atom("undefined")] * 3
    assert erlang.eval("inetpy_install:is_installed()")
    assert erlang.log == []
    assert erlang.output == ""
"""


def test_what_a_test_leaves_is_gone(project: Project) -> None:
    project.write("test_it.py", LEAVES)
    assert project.run().outcomes() == {"passed": 3}


def test_code_stays_for_the_file(project: Project) -> None:
    """A file of tests compiles once. The next file has none of it."""
    (project.folder / "ebin").mkdir()
    for number in (1, 2):
        project.write(
            f"test_{number}.py",
            "import pytest\n"
            "from inetpy.testing import ErlangError\n"
            "def test_first(erlang):\n"
            "    with pytest.raises(ErlangError, match='undefined function'):\n"
            "        erlang.call('mine', 'f')\n"
            f"    erlang.compile('-module(mine).\\n-export([f/0]).\\nf() -> {number}.\\n')\n"
            "    erlang.add_path('ebin')\n"
            "def test_second(erlang):\n"
            f"    assert erlang.call('mine', 'f') == {number}\n"
            f"    folder = b'{project.folder}/ebin'\n"
            "    times = 'length([P || P <- code:get_path(), list_to_binary(P) =:= F])'\n"
            "    assert erlang.eval(times, F=folder) == 1\n",
        )
    assert project.run().outcomes() == {"passed": 4}


def test_what_conftest_does_to_a_node_stays(project: Project) -> None:
    """Also for the node that comes after one that has died."""
    project.write(
        "conftest.py",
        "def pytest_inetpy_node(node):\n"
        "    node.compile('-module(shared).\\n-export([f/0]).\\nf() -> 7.\\n')\n"
        "    node.eval('application:set_env(kernel, shared, 1)')\n",
    )
    for name in ("test_1.py", "test_2.py"):
        project.write(
            name,
            "import pytest\n"
            "from inetpy.testing import NodeDownError\n"
            "def test_shared(erlang):\n"
            "    assert erlang.call('shared', 'f') == 7\n"
            "    assert erlang.eval('application:get_env(kernel, shared)')[1] == 1\n"
            "def test_halts(erlang):\n"
            "    with pytest.raises(NodeDownError, match='last words'):\n"
            "        erlang.eval('io:format(\"last words\"), halt()')\n"
            "def test_again(erlang):\n"
            "    test_shared(erlang)\n",
        )
    assert project.run().outcomes() == {"passed": 6}


# --- failures ---

FAILS = """
from inetpy.network import reset

def test_get(erlang, network):
    network.static("redis.test", 6379, b"$5\\r\\nhello\\r\\n")
    erlang.compile('''
-module(client).
-export([get/0]).
get() ->
    {ok, Socket} = gen_tcp:connect("redis.test", 6379, [binary, {active, false}]),
    logger:error("about to read"),
    io:format("reading~n"),
    {ok, Data} = gen_tcp:recv(Socket, 10),
    Data.
''')
    with network.fault(reset(after_bytes=3), host="redis.test"):
        erlang.call("client", "get")
"""


def test_the_report_of_a_failure(project: Project) -> None:
    project.write("test_it.py", FAILS)
    run = project.run("--inetpy-seed", "7")
    assert run.outcomes() == {"failed": 1}
    section = run.section()
    error, _, rest = section.partition("seed 7")
    assert "exception error: no match of right hand side value {error," in error
    assert "client:get/0 (client.erl, line 8)" in error
    assert re.search(r'reset\(after_bytes=3\), host="redis.test".*: fired once', rest)
    assert "redis.test:6379" in rest
    assert "repeat with --inetpy-seed 7" in rest
    assert re.search(r"the last log events of erlang\n  \d\d:\d\d:\d\d\.\d\d\d error: about to read", rest)
    assert "the last output of erlang\n  reading" in rest
    assert "inetpy.node.erlang" in run.output  # pytest's captured log
    found = re.search(r"^trace: (\S+)\.pcapng$", section, re.MULTILINE)
    assert found is not None
    lines = [json.loads(line) for line in Path(f"{found[1]}.jsonl").read_text().splitlines()]
    assert any("redis.test" in str(line) for line in lines)


def test_a_failure_of_python_alone(project: Project) -> None:
    """No Erlang error, but all the rest."""
    project.write("test_it.py", "def test_it(erlang, network):\n    assert erlang.eval('1') == 2\n")
    section = project.run("--inetpy-seed", "8").section()
    assert section.startswith("seed 8\nrepeat with --inetpy-seed 8\ntrace: ")


def test_what_was_not_reached(project: Project) -> None:
    """Once each: a name that no server has, and a port."""
    project.write(
        "test_it.py",
        """
def test_it(erlang, network):
    network.static("here.test", 80, b"")
    network.fault("nxdomain", host="gone.test")
    for _ in range(2):
        erlang.eval('gen_tcp:connect("gone.test", 80, [])')
        erlang.eval('gen_tcp:connect("here.test", 81, [])')
    erlang.eval('gen_tcp:connect("here.test", 80, [])')
    assert 0
""",
    )
    expected = "not reached\n  gone.test: nxdomain\n  here.test:81: econnrefused\n"
    section = project.run().section()
    assert expected in section
    assert "here.test:80:" not in section


def test_tests_without_fixtures_show_nothing(project: Project) -> None:
    project.write("test_it.py", "def test_uses(erlang): pass\ndef test_fails(): assert False\n")
    run = project.run()
    assert run.outcomes() == {"passed": 1, "failed": 1}
    assert " inetpy " not in run.output


@pytest.mark.parametrize(
    ("mode", "passed", "failed"),
    [("never", False, False), ("on-failure", False, True), ("always", True, True)],
)
def test_traces(project: Project, mode: str, passed: bool, failed: bool) -> None:
    project.write(
        "test_it.py",
        "import pytest\n"
        '@pytest.mark.parametrize("fine", [True, False], ids=["passes", "fails"])\n'
        "def test_it(erlang, network, fine):\n"
        "    network.refuse('refuses.test')\n"
        "    erlang.eval('gen_tcp:connect(\"refuses.test\", 80, [])')\n"
        f"    assert bool(network.trace.calls('connect')) is {mode != 'never'}\n"
        "    assert fine\n",
    )
    run = project.run("--inetpy-trace", mode, "-rA")
    assert run.outcomes() == {"passed": 1, "failed": 1}
    kept = [file for file in project.folder.rglob("*.jsonl") if "refuses.test" in file.read_text()]
    assert all(file.with_suffix(".pcapng").stat().st_size > 0 for file in kept)
    assert sorted(file.stem for file in kept) == ["test_it-fails-"] * failed + ["test_it-passes-"] * passed
    assert run.output.count("trace: ") == passed + failed


def test_failures_of_the_network(project: Project) -> None:
    """What a strict network refuses, and a server that raises, is a failure of the test."""
    project.write(
        "test_it.py",
        "import pytest\n"
        "def connect(host): return 'gen_tcp:connect(\"%s\", 80, [{active, false}])' % host\n"
        "def test_strict(erlang, network):\n"
        "    network.strict()\n"
        "    erlang.eval(connect('unknown.test'))\n"
        "def test_server(erlang, network):\n"
        "    @network.server('raises.test', 80)\n"
        "    async def handler(conn): raise KeyError('of the handler')\n"
        "    erlang.eval('{ok, S} = %s, gen_tcp:recv(S, 0)' % connect('raises.test'))\n"
        "def test_expected(erlang, network):\n"
        "    network.strict()\n"
        "    erlang.eval(connect('unknown.test'))\n"
        "    assert 'unknown.test' in network.failures.pop()\n"
        "def test_not_of_this_test(erlang, network):\n"
        "    @network.server('waits.test', 80)\n"
        "    async def handler(conn):\n"
        "        assert await conn.read() == b'more'\n"
        "    erlang.eval(connect('waits.test'))\n",
    )
    run = project.run()
    assert run.outcomes() == {"passed": 4, "errors": 2}
    assert "unknown.test is looked up, which the network does not have" in run.output
    assert "of the handler" in run.output
    assert re.search(r"the network has failures:(?s:.*?)^(E\s+)?trace: \S+pcapng$", run.output, re.MULTILINE)


def test_a_server_that_blocks_the_loop(project: Project) -> None:
    """The test fails and says where the server waits. The next test has a network and a node that work."""
    project.write(
        "test_it.py",
        "import time\n"
        "def test_blocks(erlang, network):\n"
        "    @network.server('blocks.test', 80)\n"
        "    async def handler(conn):\n"
        "        time.sleep(600)\n"
        "    connect = 'gen_tcp:connect(\"blocks.test\", 80, [{active, false}])'\n"
        "    erlang.eval('{ok, S} = ' + connect + ', gen_tcp:recv(S, 0)', timeout=1)\n"
        "def test_next(erlang, network):\n"
        "    assert erlang.eval('1') == 1\n",
    )
    run = project.run()
    assert run.outcomes() == {"failed": 1, "passed": 1, "error": 1}
    assert "blocks.test:80" in run.section()
    assert "a server of the network blocks its loop" in run.output
    assert "time.sleep(600)" in run.output


def test_seed(project: Project) -> None:
    project.write("test_it.py", "def test_it(network):\n    assert network.seed == 7\n")
    assert project.run("--inetpy-seed", "7").outcomes() == {"passed": 1}
    assert "a whole number from 0 on, not -1" in project.run("--inetpy-seed=-1").output


def test_no_erlang(project: Project) -> None:
    project.write("test_it.py", "def test_it(erlang): pass\n")
    run = project.run("--inetpy-erl", "/nowhere/erl")
    assert run.outcomes() == {"error": 1}
    assert "there is no Erlang at /nowhere/erl" in run.output


def test_network_alone(project: Project) -> None:
    """Without a node: Python's clients of Python's servers."""
    project.write(
        "test_it.py",
        "def test_it(network):\n"
        "    network.static('server.test', 80, b'hello')\n"
        "    conn = network.connect('server.test', 80)\n"
        "    assert conn.read_exactly(5) == b'hello'\n",
    )
    assert project.run().outcomes() == {"passed": 1}


def test_where_the_temporary_folder_has_a_long_name(project: Project) -> None:
    """The path of a unix socket has at most 107 characters."""
    folder = project.folder / ("long" * 30)
    folder.mkdir()
    project.write("test_it.py", "def test_it(erlang):\n    assert erlang.eval('1') == 1\n")
    project.temporary = lambda: folder  # type: ignore[method-assign]
    assert project.run().outcomes() == {"passed": 1}


@pytest.mark.parametrize(
    "end",
    [
        "erlang.stop()",
        "erlang.peer('other').stop()",
        "pytest.raises(NodeDownError, erlang.eval, 'application:stop(inetpy), timer:sleep(9000)', timeout=9)",
        "pytest.raises(NodeDownError, erlang.eval, 'inetpy:stop(), timer:sleep(9000)', timeout=9)",
    ],
)
def test_after_a_node_has_stopped_there_is_another(project: Project, end: str) -> None:
    project.write(
        "test_it.py",
        "import pytest\nfrom inetpy.testing import NodeDownError\n"
        f"def test_stops(erlang):\n    {end}\n"
        "def test_next(erlang):\n    assert erlang.eval('1 + 1') == 2\n"
        "def test_peer(erlang):\n    assert erlang.peer('one more').eval('1 + 1') == 2\n",
    )
    assert project.run().outcomes() == {"passed": 3}


LOSES = """
from inetpy.network import loss

def test_loses(erlang, network):
    @network.datagrams("sink.test", 53)
    async def sink(data, sender, reply):
        reply(data)

    network.fault(loss(0.5), proto="udp", direction="recv")
    seen = erlang.eval('''
        {ok, S} = gen_udp:open(0, [binary, {active, false}]),
        [ok = gen_udp:send(S, "sink.test", 53, <<N>>) || N <- lists:seq(1, 40)],
        (fun Read(All) -> case gen_udp:recv(S, 0, 300) of
            {ok, {_, _, <<N>>}} -> Read([N | All]);
            {error, timeout} -> list_to_tuple(lists:reverse(All))
        end end)([])
    ''')
    with open("seen", "a") as file:
        file.write(f"{seen}\\n")
    assert not seen
"""


def test_schedule(project: Project) -> None:
    """The report says how the faults of a failed test are repeated, whatever the seed."""
    project.write("test_it.py", LOSES)
    section = project.run("--inetpy-seed", "7").section()
    found = re.search(r"^repeat its faults with --inetpy-schedule (\S+)$", section, re.MULTILINE)
    assert found is not None
    trace = Path(found[1]).rename(project.folder / "trace.pcapng")  # the next run has the same folder
    project.run("--inetpy-seed", "8")
    again = project.run("--inetpy-seed", "8", "--inetpy-schedule", str(trace)).section()
    first, other, repeated = (project.folder / "seen").read_text().splitlines()
    assert first == repeated != other
    assert "repeat its faults" in again


def test_no_schedule(project: Project) -> None:
    project.write("test_it.py", LOSES)
    assert "No such file" in project.run("--inetpy-schedule", "nothing.jsonl").output
