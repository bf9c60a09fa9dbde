"""`inetpy.testing.Node`: what it evaluates, calls and starts, and what it says of errors."""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inetpy import Atom, Network, beams
from inetpy.codec import Charlist, Pid
from inetpy.network import reset
from inetpy.testing import ErlangError, ErlangTimeoutError, Node, NodeDownError, charlist

SRC = Path(__file__).parent / "src"


# --- eval and call ---


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 1", 2),
        ("1 + 1.", 2),
        ("X = 1, Y = X + 1, {X, Y}", (1, 2)),
        ('"abc"', Charlist(b"abc")),
        ('<<"abc">>', b"abc"),
        ("#{a => [1, 2.5]}", {Atom("a"): [1, 2.5]}),
        ("ok % a comment", Atom("ok")),
        ("[X * X ||\n  X <- [1, 2, 3]]", Charlist(bytes((1, 4, 9)))),
    ],
)
def test_eval(erlang: Node, source: str, value: object) -> None:
    assert erlang.eval(source) == value


@pytest.mark.parametrize(
    "value", [1, 2**80, b"bytes", "text", (Atom("a"), [1, 2]), {b"k": {1: None}}, [], True]
)
def test_values_go_both_ways(erlang: Node, value: object) -> None:
    """As docs/terms.md maps them."""
    mapped = (
        {"text": b"text", True: Atom("true")}.get(value, value) if isinstance(value, (str, bool)) else value
    )
    if isinstance(value, dict):
        mapped = {b"k": {1: Atom("undefined")}}
    assert erlang.eval("X", X=value) == mapped
    assert erlang.call("lists", "last", [value]) == mapped


def test_pids_and_funs_go_both_ways(erlang: Node) -> None:
    pid = erlang.eval("self()")
    assert erlang.eval("P =:= self()", P=pid) == Atom("true")
    assert erlang.eval("F(2)", F=erlang.eval("fun(X) -> X + 1 end")) == 3


def test_a_list_of_characters(erlang: Node) -> None:
    assert erlang.call("lists", "flatlength", charlist("grün")) == 4
    assert erlang.eval("X =:= [16#1F600]", X=charlist("\N{GRINNING FACE}")) == Atom("true")


def test_variables_are_of_one_eval(erlang: Node) -> None:
    assert erlang.eval("X = 1") == 1
    assert erlang.eval("X = 2") == 2
    with pytest.raises(ErlangError, match="variable 'X' is unbound"):
        erlang.eval("X")


@pytest.mark.parametrize("name", ["x", "key", "1X"])
def test_names_of_variables(erlang: Node, name: str) -> None:
    with pytest.raises(ValueError, match="no variable of Erlang"):
        erlang.eval("1", **{name: 1})


def test_what_has_no_external_form(erlang: Node) -> None:
    """The error says where it is."""
    with pytest.raises(ValueError, match=r'the variable X: \[1\]\["k"\]: a set has no external form'):
        erlang.eval("X", X=[1, {"k": {2}}])
    with pytest.raises(ValueError, match=r"argument 2: \[0\]: an? object has no external form"):
        erlang.call("erlang", "hd", 1, [object()])
    assert erlang.eval("1") == 1


# --- errors ---


@pytest.mark.parametrize(
    ("source", "kind", "reason", "function"),
    [
        ("1 = 2", "error", (Atom("badmatch"), 2), None),
        ("exit(foo)", "exit", Atom("foo"), None),
        ("throw({a, 1})", "throw", (Atom("a"), 1), None),
        ("nowhere:at_all(1, 2)", "error", Atom("undef"), ("nowhere", "at_all", 2)),
        ('list_to_integer("x")', "error", Atom("badarg"), ("erlang", "list_to_integer", 1)),
        ("lists:map(fun(X) -> 1 / X end, [0])", "error", Atom("badarith"), ("erlang", "/", 2)),
    ],
)
def test_errors(
    erlang: Node, source: str, kind: str, reason: object, function: tuple[str, str, int] | None
) -> None:
    with pytest.raises(ErlangError) as caught:
        erlang.eval(source)
    assert (caught.value.kind, caught.value.reason) == (kind, reason)
    if function is not None:
        assert caught.value.stack[0][:3] == function


def test_the_text_of_an_error(erlang: Node) -> None:
    """That of the shell of OTP, with what is wrong with an argument."""
    with pytest.raises(ErlangError) as caught:
        erlang.call("erlang", "list_to_integer", charlist("x"))
    shell = (
        'try list_to_integer("x") catch C:R:S -> iolist_to_binary(erl_error:format_exception(C, R, S)) end'
    )
    assert str(caught.value).splitlines()[:4] == erlang.eval(shell).decode().splitlines()[:4]
    assert "not a textual representation of an integer" in str(caught.value)


def test_the_line_of_an_error(erlang: Node) -> None:
    erlang.compile("-module(lines).\n-export([f/1]).\n\nf(X) ->\n    {ok, Y} = X,\n    Y.\n")
    with pytest.raises(ErlangError) as caught:
        erlang.call("lines", "f", 1)
    assert str(caught.value.stack[0]) == "lines:f/1 (lines.erl, line 5)"


@pytest.mark.parametrize("source", ["{}", "error({})"])
def test_an_answer_that_is_too_large(erlang: Node, source: str) -> None:
    """A frame of that size would end the node."""
    with pytest.raises(ErlangError, match="bytes is not sent: 67108864 at most") as caught:
        erlang.eval(source.format("binary:copy(<<1>>, 70000000)"), timeout=60)
    assert caught.value.reason == Atom("system_limit")
    assert len(erlang.eval("binary:copy(<<1>>, 60000000)", timeout=60)) == 60_000_000


def test_an_event_that_is_too_large(erlang: Node) -> None:
    erlang.eval('logger:error("~ts", [binary:copy(<<"x">>, 70000000)])', timeout=60)
    assert [event.text[:2] for event in erlang.log] == ["xx"]


def test_syntax(erlang: Node) -> None:
    """The place has a mark."""
    with pytest.raises(ErlangError) as caught:
        erlang.eval("A = 1,\n{ok, }.")
    assert caught.value.kind == "syntax"
    assert str(caught.value) == "line 2: syntax error before: '}'\n    {ok, }.\n         ^"


@pytest.mark.parametrize("source", ["", "1 2", '"abc', "a. b.", "f(1", "'"])
def test_no_erlang(erlang: Node, source: str) -> None:
    with pytest.raises(ErlangError) as caught:
        erlang.eval(source)
    assert caught.value.kind == "syntax"


def test_functions_without_a_module(erlang: Node) -> None:
    with pytest.raises(ErlangError, match="there is no function double/1"):
        erlang.eval("double(2)")


# --- the process of a test ---


def test_sockets_and_messages_stay(erlang: Node) -> None:
    """The shell is the same process for all calls of a thread."""
    erlang.eval("self() ! {hello, 1}")
    listener = erlang.eval("{ok, L} = gen_tcp:listen(0, []), L")
    assert erlang.eval("receive {hello, X} -> X after 0 -> none end") == 1
    port = erlang.eval("{ok, P} = inet:port(L), P", L=listener)
    assert erlang.call("inet", "port", listener) == (Atom("ok"), port)


def test_an_error_ends_no_process(erlang: Node) -> None:
    pid = erlang.eval("self()")
    with pytest.raises(ErlangError):
        erlang.eval("error(oops)")
    assert erlang.eval("self()") == pid


def test_a_linked_process_that_crashes(erlang: Node) -> None:
    """As in the shell of OTP, the shell ends with it, and another one comes."""
    pid = erlang.eval("self()")
    with pytest.raises(ErlangError, match="an exit signal has ended the process: crash") as caught:
        erlang.eval("spawn_link(fun() -> exit(crash) end), receive after infinity -> ok end")
    assert (caught.value.kind, caught.value.reason) == ("exit", Atom("crash"))
    assert erlang.eval("self()") != pid


def test_threads_do_not_wait_for_each_other(erlang: Node) -> None:
    """Each has a process of its own, which is its next time, too."""

    def work(_: int) -> tuple[object, object]:
        return erlang.eval("self()"), erlang.eval("self()")

    with ThreadPoolExecutor(4) as pool:
        future = pool.submit(erlang.eval, "register(waiter, self()), receive {from, X} -> X end")
        erlang.wait_until("whereis(waiter)")
        erlang.eval("waiter ! {from, 7}")
        assert future.result(20) == 7
        assert all(first == second for first, second in pool.map(work, range(20)))


def test_many_calls_at_a_time(erlang: Node) -> None:
    """Answers find their callers."""
    failures: list[object] = []

    def work(number: int) -> None:
        answers = [erlang.eval("{N, I}", N=number, I=index) for index in range(50)]
        failures.extend(answer for index, answer in enumerate(answers) if answer != (number, index))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --- what takes too long ---


def test_a_call_that_hangs(erlang: Node) -> None:
    """The error names what the process waits in, and its messages. The process is ended."""
    pid = erlang.eval("self()")
    with pytest.raises(ErlangTimeoutError) as caught:
        erlang.eval("self() ! unread, timer:sleep(infinity)", timeout=0.2)
    assert caught.value.pid == pid
    assert "waits in\n    timer:sleep/1" in str(caught.value)
    assert "1 messages:\n    unread" in str(caught.value)
    assert erlang.eval("is_process_alive(P)", P=pid) == Atom("false")


def test_a_call_that_waits_for_a_server(erlang: Node) -> None:
    """What the server waits in is there too."""
    server = erlang.spawn("timer", "sleep", 100_000)
    with pytest.raises(ErlangTimeoutError) as caught:
        erlang.call("gen_server", "call", server.pid, Atom("question"), Atom("infinity"), timeout=0.2)
    text = str(caught.value)
    assert text.index("gen_server:call/3") < text.index("which waits for") < text.index("timer:sleep/1")
    assert "question" in text


@pytest.mark.parametrize(
    ("call", "operation"),
    [("gen_tcp:accept(L), gen_tcp:accept(L)", "accept"), ("gen_tcp:recv(S, 0)", "recv")],
)
def test_a_call_of_a_socket_that_hangs(erlang: Node, call: str, operation: str) -> None:
    """The operation, and the sockets of the process by the name that was asked for."""
    open_both = (
        "{ok, L} = gen_tcp:listen(0, []), {ok, P} = inet:port(L), "
        '{ok, S} = gen_tcp:connect("localhost", P, [{active, false}]), '
    )
    with pytest.raises(ErlangTimeoutError) as caught:
        erlang.eval(open_both + call, timeout=0.5)
    assert f"in the operation {operation} of a socket" in str(caught.value)
    assert "its socket: stream localhost:" in str(caught.value)


def test_a_timeout_is_a_timeout_error(erlang: Node) -> None:
    with pytest.raises(TimeoutError):
        erlang.call("timer", "sleep", Atom("infinity"), timeout=0)


@pytest.mark.parametrize("timeout", [-1, 1e12])
def test_wrong_timeouts(erlang: Node, timeout: float) -> None:
    with pytest.raises(ValueError, match="a timeout is seconds"):
        erlang.eval("1", timeout=timeout)


def test_wait_until(erlang: Node) -> None:
    erlang.eval("spawn(fun() -> timer:sleep(50), register(late, self()), timer:sleep(infinity) end)")
    assert isinstance(erlang.wait_until("whereis(late)"), Pid)
    with pytest.raises(ErlangTimeoutError, match="the value is still false"):
        erlang.wait_until("X > 1", timeout=0.1, X=1)
    with pytest.raises(ErlangError):
        erlang.wait_until("1 = 2")
    with pytest.raises(ErlangTimeoutError, match="timer:sleep"):
        erlang.wait_until("timer:sleep(infinity)", timeout=0.1)


# --- spawn ---


def test_spawn(erlang: Node) -> None:
    spawned = erlang.spawn("lists", "sum", [1, 2])
    assert isinstance(spawned.pid, Pid)
    assert spawned.result() == 3
    assert spawned.result() == 3
    assert spawned.done()


def test_the_error_of_a_spawned_process(erlang: Node) -> None:
    with pytest.raises(ErlangError, match="evaluating an arithmetic expression"):
        erlang.spawn("erlang", "+", Atom("a"), 1).result()
    killed = erlang.spawn("timer", "sleep", Atom("infinity"))
    erlang.call("erlang", "exit", killed.pid, Atom("kill"))
    with pytest.raises(ErlangError) as caught:
        killed.result()
    assert (caught.value.kind, caught.value.reason) == ("exit", Atom("killed"))


def test_a_spawned_process_that_takes_long(erlang: Node) -> None:
    """It goes on."""
    spawned = erlang.spawn("timer", "sleep", 300)
    with pytest.raises(ErlangTimeoutError, match="timer:sleep"):
        spawned.result(0.01)
    assert not spawned.done()
    assert spawned.result() == Atom("ok")


def test_kill_a_spawned_process(erlang: Node) -> None:
    spawned = erlang.spawn("timer", "sleep", Atom("infinity"))
    pid = spawned.pid
    spawned.kill()
    erlang.wait_until("not is_process_alive(P)", P=pid)


# --- code ---


def test_compile(erlang: Node, tmp_path: Path) -> None:
    """Headers are found beside the file and in ../include."""
    (tmp_path / "src").mkdir()
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "far.hrl").write_text("-define(FAR, far).\n")
    (tmp_path / "src" / "near.hrl").write_text("-define(NEAR, near).\n")
    file = tmp_path / "src" / "headers.erl"
    file.write_text(
        '-module(headers).\n-export([f/0]).\n-include("far.hrl").\n-include("near.hrl").\n'
        "f() -> {?NEAR, ?FAR}.\n"
    )
    assert erlang.compile(file) == Atom("headers")
    assert erlang.call("headers", "f") == (Atom("near"), Atom("far"))


def test_compile_text(erlang: Node) -> None:
    for number in (1, 2):
        assert erlang.compile(f"%% grün\n-module(text).\n-export([f/0]).\nf() -> {number}.\n") == Atom("text")
        assert erlang.call("text", "f") == number


@pytest.mark.parametrize("name", ["text@1", "'Elixir.Text'", "'an odd/name'", r"'it\'s'"])
def test_names_of_modules_of_text(erlang: Node, name: str) -> None:
    module = erlang.compile(f"-module({name}).\n-export([f/0]).\nf() -> {name}.\n")
    assert erlang.call(module, "f") == module


def test_what_does_not_compile(erlang: Node, tmp_path: Path) -> None:
    """The error has the file, the line and a mark."""
    with pytest.raises(ErlangError) as caught:
        erlang.compile("-module(wrong).\n-export([f/0]).\nf() -> X.\n")
    assert caught.value.kind == "compile"
    assert str(caught.value) == "wrong.erl, line 3: variable 'X' is unbound\n    f() -> X.\n           ^"
    file = tmp_path / "wrong.erl"
    file.write_text('-module(wrong).\n-include("nowhere.hrl").\n')
    with pytest.raises(ErlangError, match=r"wrong.erl, line 2: can't find include file \"nowhere.hrl\""):
        erlang.compile(file)
    with pytest.raises(FileNotFoundError, match=r"nowhere.erl"):
        erlang.compile("nowhere.erl")


def test_warnings_of_the_compiler(erlang: Node) -> None:
    erlang.compile("-module(warns).\n-export([f/1]).\nf(X) -> ok.\n")
    assert [(event.level, event.text.splitlines()[0]) for event in erlang.log] == [
        ("warning", "warns.erl, line 3: variable 'X' is unused")
    ]


def test_add_path(erlang: Node, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / "lib" / name / "ebin"
        folder.mkdir(parents=True)
        source = tmp_path / f"on_path_{name}.erl"
        source.write_text(f"-module(on_path_{name}).\n-export([f/0]).\nf() -> {name}.\n")
        erlang.call("compile", "file", charlist(str(source)), [(Atom("outdir"), charlist(str(folder)))])
    erlang.add_path(tmp_path / "lib" / "*" / "ebin")
    assert [erlang.call(f"on_path_{name}", "f") for name in ("one", "two")] == [Atom("one"), Atom("two")]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        erlang.add_path(tmp_path / "nowhere")


# --- the log ---


def test_log(erlang: Node, caplog: pytest.LogCaptureFixture) -> None:
    """Events are there when the call that logged them has returned, and in pytest's log."""
    before = time.time()
    with caplog.at_level(logging.INFO):
        pid = erlang.eval('logger:error("hello ~p", [1]), logger:notice("grün"), self()')
    assert [(event.level, event.text, event.pid) for event in erlang.log] == [
        ("error", "hello 1", pid),
        ("notice", "grün", pid),
    ]
    assert before - 1 < erlang.log[0].time < time.time() + 1
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("inetpy.node.erlang", "ERROR", "hello 1"),
        ("inetpy.node.erlang", "INFO", "grün"),
    ]


def test_crashes_are_in_the_log(erlang: Node) -> None:
    erlang.eval("proc_lib:spawn(fun() -> error(oops) end)")
    deadline = time.monotonic() + 20
    while not any("oops" in event.text for event in erlang.log):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- several nodes ---


def test_peers_reach_each_other_by_name(erlang: Node, network: Network) -> None:
    other = erlang.peer("other")
    listener = other.eval("{ok, L} = gen_tcp:listen(0, [binary, {active, false}]), L")
    port = other.eval("{ok, P} = inet:port(L), P", L=listener)
    accepted = other.spawn("gen_tcp", "accept", listener)
    socket = erlang.eval('{ok, S} = gen_tcp:connect("other", P, [binary, {active, false}]), S', P=port)
    assert accepted.result()[0] == Atom("ok")
    assert erlang.call("inet", "peername", socket)[0] == Atom("ok")
    conn = network.connect("other", port)
    again = other.spawn("gen_tcp", "accept", listener)
    assert again.result()[0] == Atom("ok")
    conn.close()


def test_rules_of_one_node(erlang: Node, network: Network) -> None:
    """The word `node` takes the names of nodes."""
    network.static("server.test", 80, b"hello")
    other = erlang.peer("other")
    ask = (
        'case gen_tcp:connect("server.test", 80, [binary, {active, false}]) of '
        "{ok, S} -> gen_tcp:recv(S, 5); E -> E end"
    )
    with network.fault("refuse", node="other"):
        assert erlang.eval(ask) == (Atom("ok"), b"hello")
        assert other.eval(ask) == (Atom("error"), Atom("econnrefused"))


def test_nodes_of_their_own() -> None:
    """Two nodes without pytest, each with its own network."""
    with Node() as one, Node("two") as two:
        one.network.static("server.test", 80, b"one")
        two.network.static("server.test", 80, b"two")
        connect = 'gen_tcp:connect("server.test", 80, [binary, {active, false}])'
        ask = f"{{ok, S}} = {connect}, {{ok, D}} = gen_tcp:recv(S, 3), D"
        assert [node.eval(ask) for node in (one, two)] == [b"one", b"two"]
        assert one.network is not two.network
        with Node(network=one.network) as three:
            assert three.eval(ask) == b"one"
            with pytest.raises(ValueError, match="there is a node 'node' already"):
                Node("node", network=one.network)
    assert not one.is_alive
    assert not two.is_alive


def test_a_node_that_is_not_on_inetpy() -> None:
    with Node(install=False) as node:
        assert node.eval("inetpy_install:is_installed()") == Atom("false")
        assert node.eval("{ok, {_, M, _}} = gen_udp:open(0, inetpy:udp_options([])), M") == Atom("inetpy_udp")


def test_options_of_a_node(tmp_path: Path) -> None:
    (tmp_path / "sys.config").write_text("[{kernel, [{of_test, 7}]}].\n")
    with Node(flags=["-config", str(tmp_path / "sys"), "-of_test", "8"], env={"OF_TEST": "yes"}) as node:
        assert node.eval("application:get_env(kernel, of_test)") == (Atom("ok"), 7)
        assert node.eval("init:get_argument(of_test)") == (Atom("ok"), [[charlist("8")]])
        assert node.eval('os:getenv("OF_TEST")') == charlist("yes")


def test_seed() -> None:
    with Node(seed=7) as node:
        assert node.network.seed == 7


# --- the end ---


def test_a_node_that_halts(erlang: Node) -> None:
    """Those that wait hear of it at once, with its last output; and so do those that come later."""
    with Node("fragile") as node:
        waiting = node.spawn("timer", "sleep", Atom("infinity"))
        began = time.monotonic()
        with pytest.raises(NodeDownError) as caught:
            node.eval('io:format("the last words~n"), halt(7)', timeout=60)
        assert time.monotonic() - began < 30
        assert "the node fragile has ended (exit status 7)" in str(caught.value)
        assert "the last words" in str(caught.value)
        for ask in (waiting.result, lambda: node.eval("1"), lambda: node.spawn("erlang", "self")):
            with pytest.raises(NodeDownError, match="the last words"):
                ask()
        assert not node.is_alive
    assert erlang.eval("1") == 1


def test_kill() -> None:
    node = Node()
    node.kill()
    with pytest.raises(NodeDownError, match="killed by SIGKILL"):
        node.eval("1")
    node.kill()
    node.stop()


def test_a_node_whose_agent_has_died() -> None:
    """It could neither answer nor end."""
    with Node() as erlang, pytest.raises(NodeDownError):
        erlang.eval("exit(whereis(inetpy_agent), kill), timer:sleep(infinity)")


def test_the_agent_is_not_replaced() -> None:
    with Node() as erlang:
        with pytest.raises(ErlangError, match="sticky_directory"):
            erlang.compile("-module(inetpy_agent). -export([a/0]). a() -> 1.")
        assert erlang.eval("1 + 1") == 2


def test_stop_ends_applications_in_order(tmp_path: Path) -> None:
    node = Node()
    node.compile(
        "-module(tidy).\n-behaviour(application).\n-export([start/2, stop/1]).\n"
        "start(_, _) -> {ok, spawn_link(fun() -> receive after infinity -> ok end end)}.\n"
        f'stop(_) -> file:write_file("{tmp_path}/stopped", "").\n'
    )
    node.eval(
        'application:load({application, tidy, [{mod, {tidy, []}}, {vsn, "1"}]}), ok = application:start(tidy)'
    )
    node.stop()
    assert (tmp_path / "stopped").exists()


def test_names_of_files_are_those_of_python(tmp_path: Path) -> None:
    """In the locale C, in which a container often runs, Erlang takes them for Latin-1."""
    folder = tmp_path / "grün"
    folder.mkdir()
    (folder / "here.erl").write_text("-module(here).\n-export([f/0]).\nf() -> 1.\n")
    with Node(env={"LC_ALL": "C"}) as node:
        assert node.compile(folder / "here.erl") == Atom("here")
        node.add_path(folder)
        assert node.eval("filelib:wildcard(P)", P=charlist(f"{folder}/*.erl")) == [
            charlist(f"{folder}/here.erl")
        ]


def test_no_erlang_there() -> None:
    with pytest.raises(FileNotFoundError, match="there is no Erlang at /nowhere/erl"):
        Node(erl="/nowhere/erl")


def test_a_node_that_does_not_start(tmp_path: Path) -> None:
    """It says why, with what it has printed."""
    with pytest.raises(NodeDownError, match="nowhere"):
        Node(flags=["-config", str(tmp_path / "nowhere")])


def test_only_nodes_that_were_started_are_admitted(erlang: Node) -> None:
    """The token of a node is good for once."""
    found = {
        name: str(erlang.call("os", "getenv", charlist(name))) for name in ("INETPY_TOKEN", "INETPY_BRIDGE")
    }
    stranger = subprocess.run(
        ["erl", "-noinput", "-pa", str(beams.folder()), "-run", "inetpy_node", "install"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | found,
    )
    assert stranger.returncode == 1
    assert "token" in stranger.stdout + stranger.stderr


# --- how fast it is ---


def test_a_node_starts_within_a_second() -> None:
    """The best of three: the machine may be busy."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        with Node():
            times.append(time.perf_counter() - began)
    assert min(times) < 1


def test_a_call_takes_less_than_a_millisecond(erlang: Node) -> None:
    def timed() -> float:
        began = time.perf_counter()
        erlang.call("erlang", "abs", -1)
        return time.perf_counter() - began

    assert min(statistics.median(timed() for _ in range(100)) for _ in range(5)) < 1e-3


def test_with_faults_of_the_network(erlang: Node, network: Network) -> None:
    erlang.compile(SRC / "miniredis.erl")
    network.static("redis.test", 6379, b"$5\r\nhello\r\n")
    ask = 'miniredis:get("redis.test", 6379, <<"k">>)'
    assert erlang.eval(ask) == (Atom("ok"), b"hello")
    with network.fault(reset(after_bytes=5), direction="recv") as fault:
        assert erlang.eval(ask)[0] == Atom("error")
    assert fault.fired == 1


def test_what_is_no_pid_waits_in_nothing(erlang: Node) -> None:
    with pytest.raises(TypeError, match="a pid, not 5"):
        erlang.waits_in(5)  # type: ignore[arg-type]
    assert erlang.eval("1 + 1") == 2
