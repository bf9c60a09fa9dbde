"""Nodes of Erlang on a Python that serves them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import AGAIN, ECHO, PAIR, PING, TOKEN, Erlang, Serve, error_of, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """The path of a unix socket must be short; pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        yield Path(name)


@pytest.fixture
def url(folder: Path) -> str:
    return f"unix:{folder}/bridge"


# --- several nodes ---------------------------------------------------------------------


def test_two_nodes_have_their_own_sockets(url: str) -> None:
    """One is killed in the middle of a transfer. Its sockets are closed, and the other goes on."""
    with Serve(url) as serve, Erlang(url) as first, Erlang(url) as second:
        first.start()
        second.start()
        assert first.eval(PAIR) == second.eval(PAIR) == "paired"
        port = int(first.eval("P"))
        joined = f'{{ok, X}} = gen_tcp:connect("127.0.0.1", {port}, [binary, {{active, true}}]), ok'
        assert second.eval(joined) == "ok"
        assert first.eval('{ok, Y} = gen_tcp:accept(L), gen_tcp:send(Y, "hello")') == "ok"
        assert second.eval("receive {tcp, X, D} -> D end") == '<<"hello">>'
        assert first.eval("inetpy:which_sockets() =/= []") == "true"
        first.eval(
            "spawn(fun() -> [gen_tcp:send(Y, binary:copy(<<0>>, 1000000)) || _ <- lists:seq(1, 1000)] end)"
        )
        first.end()
        assert (
            second.eval("F = fun F() -> receive {tcp_closed, X} -> gone; {tcp, X, _} -> F() end end, F()")
            == "gone"
        )
        assert second.eval(ECHO) == PING
        serve.line("has gone")
        assert serve.log.count("has come") == 2


def test_sigterm(url: str, folder: Path) -> None:
    """The server ends with status 0, owners are told, and the path goes."""
    with Serve(url) as serve, Erlang(url) as node:
        node.start()
        node.eval(PAIR)
        node.eval("inet:setopts(C, [{active, true}])")
        assert serve.end(signal.SIGTERM) == 0
        assert node.eval("receive {tcp_error, C, E} -> receive {tcp_closed, C} -> E end end") == "inetpy_down"
        assert not list(folder.iterdir())
        assert "Traceback" not in serve.log


def test_python_is_killed_and_comes_again(url: str) -> None:
    """Callers are told. A call gets the URL at once. When Python is there again, the node is too."""
    with Erlang(url) as node:
        with Serve(url) as serve:
            node.start()
            node.eval(PAIR)
            node.eval("Test = self(), spawn(fun() -> Test ! {got, gen_tcp:recv(C, 0)} end)")
            serve.end()
            assert node.eval("receive {got, G} -> G end") == "{error,closed}"
        node.line("No socket can be opened until Python is there")
        until(lambda: f"the bridge {url}: connection refused: start `inetpy serve` there" in error_of(node))
        started = time.monotonic()
        assert error_of(node).startswith("{inetpy,down,")
        assert time.monotonic() - started < 1.0
        with Serve(url):
            node.line("Python is back")
            assert node.eval(AGAIN) == "paired"


def test_python_comes_after_the_node(url: str) -> None:
    with Erlang(url) as node:
        node.start()
        assert error_of(node).startswith(f'{{inetpy,down,"the bridge {url}: ')
        with Serve(url):
            node.line("Python is back")
            assert node.eval(PAIR) == "paired"
            assert node.eval(ECHO) == PING


def test_bridges_of_the_application(url: str) -> None:
    """As in sys.config, where the application of a release starts inetpy."""
    bridges = f'[{{net, <<"{url}">>}}, port]'
    with Serve(url) as serve, Erlang("", "-inetpy", "bridges", bridges, "install", "true") as node:
        assert node.eval("application:start(inetpy)") == "ok"
        assert node.eval("{ok, L} = gen_tcp:listen(0, [{inetpy_bridge, net}]), element(2, L)") == "inetpy_tcp"
        assert node.eval("length(maps:get(bridges, inetpy:info()))") == "2"
        assert node.eval("application:stop(inetpy)") == "ok"
        serve.line("has gone; 1 socket was closed")
        assert node.eval("application:start(inetpy), gen_tcp:listen(0, [{inetpy_bridge, net}]), ok") == "ok"
        assert node.eval("inetpy:start()") == "ok"
    with Erlang("", "-inetpy", "bridges", '["nowhere:1"]') as node:
        assert "no address of a bridge" in node.eval("application:start(inetpy)")


def test_inetpy_run(url: str) -> None:
    """The variable leads a program to the server that does not know of inetpy."""
    program = '{ok, L} = gen_tcp:listen(0, []), io:format("~p~n", [element(2, L)]), halt().'
    with Serve(url) as serve:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "inetpy", "run", "--", "erl", "-noinput", "-eval", program],
            check=True, capture_output=True, text=True, timeout=60, env=os.environ | {"INETPY_BRIDGE": url},
        )  # fmt: skip
        assert done.stdout == "inetpy_tcp\n"
        serve.line("has gone; 1 socket was closed")


def test_rules_of_a_node_are_told_again(url: str) -> None:
    """They concern that node alone."""
    with Erlang(url) as node, Erlang(url) as other:
        with Serve(url):
            node.start()
            other.start()
            rule = (
                "{ok, R} = inetpy_fault:add(#{port => 9}, {error, #{call => connect, errno => eacces}}), ok"
            )
            assert node.eval(rule) == "ok", node.log
            ask = 'element(2, gen_tcp:connect("127.0.0.1", 9, []))'
            assert (node.eval(ask), other.eval(ask)) == ("eacces", "econnrefused")
        with Serve(url):
            node.line("Python is back")
            other.line("Python is back")
            assert (node.eval(ask), other.eval(ask)) == ("eacces", "econnrefused")


# --- bridges by name ---------------------------------------------------------------------


def test_a_call_names_its_bridge(url: str, folder: Path) -> None:
    second = f"unix:{folder}/second"
    with Serve(url) as one, Serve(second) as two, Erlang() as node:
        bridges = f'[{{one, "{url}"}}, {{<<"two">>, <<"{second}">>}}, {{own, port}}]'
        assert node.eval(f"inetpy:start(#{{bridges => {bridges}}})") == "ok"
        shown = node.eval(
            "[{maps:get(label, B), maps:get(url, B, none)} || B <- maps:get(bridges, inetpy:info())]"
        )
        assert shown == f'[{{one,"{url}"}},{{<<"two">>,"{second}"}},{{own,none}}]'
        node.eval(
            "Bridge = fun({_, _, {B, _, _}}) -> "
            "[Label || #{bridge := X, label := Label} <- maps:get(bridges, inetpy:info()), X =:= B] end"
        )
        for label in ("one", '<<"two">>', "own"):
            options = f"inetpy:tcp_options([{{inetpy_bridge, {label}}}, {{ip, {{127, 0, 0, 1}}}}])"
            opened = (
                f"(fun() -> {{ok, L}} = gen_tcp:listen(0, {options}), {{ok, P}} = inet:port(L), "
                f'{{ok, C}} = gen_tcp:connect("127.0.0.1", P, {options}), {{ok, S}} = gen_tcp:accept(L), '
                f"{{ok, U}} = gen_udp:open(0, inetpy:udp_options([{{inetpy_bridge, {label}}}])), "
                "lists:usort([Bridge(X) || X <- [L, C, S, U]]) end)()"
            )
            assert node.eval(opened) == f"[[{label}]]"
        unknown = "catch gen_tcp:listen(0, inetpy:tcp_options([{inetpy_bridge, three}]))"
        assert node.eval(unknown) == node.eval("catch gen_tcp:listen(0, [{inetpy_bridge, three}])")
        assert node.eval(unknown) == "{'EXIT',badarg}"
        assert (
            node.eval("ok = inetpy:install(), Bridge(element(2, gen_tcp:listen(0, [{inetpy_bridge, own}])))")
            == "[own]"
        )
        for serve in (one, two):
            assert serve.log.count("has come") == 1
        one.process.send_signal(signal.SIGSTOP)
        by_name = """
            On = {inetpy_bridge, <<"two">>}, Ip = {ip, {127, 0, 0, 1}}, Local = "localhost",
            {ok, L} = gen_tcp:listen(0, [On, Ip]), {ok, P} = inet:port(L),
            {ok, U} = gen_udp:open(0, [On, Ip]), {ok, UP} = inet:port(U),
            Connect = fun() -> {ok, C} = gen_tcp:connect(Local, P, [On], 2000), gen_tcp:close(C) end,
            Send = fun() -> gen_udp:send(U, Local, UP, "x") end,
            lists:usort([Act() || Act <- [Connect, Connect, Connect, Send, Send, Send]])
        """
        assert node.eval(by_name) == "[ok]"  # also the names are looked up there
        one.process.send_signal(signal.SIGCONT)
        again = node.eval(f'inetpy:start(#{{bridges => ["{url}"]}})')
        assert again == "{error,{already_started,#{bridges => 3}}}"
        assert node.eval(f'inetpy:stop(), inetpy:start(#{{bridges => ["{url}"]}})') == "ok"
        assert node.eval("maps:get(url, inetpy:info())") == f'"{url}"'
        assert (
            node.eval(
                "inetpy:stop(), inetpy:start(#{bridges => 2}), length(maps:get(bridges, inetpy:info()))"
            )
            == "2"
        )


@pytest.mark.parametrize(
    ("bridges", "why"),
    [
        ('["unix:/" ++ lists:duplicate(107, $x)]', "the path has more than 107 bytes"),
        ('["udp:host:1"]', "there are unix:/path, tcp:host:port and tls:host:port"),
        ('["tcp:host"]', "it has no port"),
        ('["tcp:host:0"]', "a host and a port from 1 to 65535"),
        ('["unix:/b?ca=x"]', "the node knows no option ca of unix, but token_file"),
        ('["tls:h:1?ca="]', "ca has no value"),
        ("[{a, port}, {a, port}]", "twice"),
        ("[]", "bad_option"),
        ('"unix:/b"', "bad_option"),
    ],
)
def test_wrong_bridges(bridges: str, why: str) -> None:
    with Erlang() as node:
        said = node.eval(f"inetpy:start(#{{bridges => {bridges}}})")
        assert said.startswith("{error,")
        assert why in said


# --- a peer that is silent, or another -----------------------------------------------------


def test_a_server_on_another_host_that_vanishes(url: str) -> None:
    """A link to another host ends when nothing comes for long. On a unix socket Python is there."""
    with (
        Serve("tcp:127.0.0.1:0", INETPY_TOKEN=TOKEN) as remote,
        Serve(url) as local,
        Erlang(INETPY_TOKEN=TOKEN) as node,
    ):
        node.eval("application:load(inetpy), application:set_env(inetpy, silence_ms, 2000)")
        assert node.eval(f'inetpy:start(#{{bridges => [{{r, "{remote.url}"}}, {{l, "{url}"}}]}})') == "ok"
        for label in "rl":
            node.eval(
                f"{{ok, {label.upper()}}} = gen_udp:open(0, inetpy:udp_options([{{inetpy_bridge, {label}}}]))"
            )
        remote.process.send_signal(signal.SIGSTOP)
        local.process.send_signal(signal.SIGSTOP)
        try:
            assert (
                node.eval("receive {udp_error, R, E} -> receive {udp_closed, R} -> E end end")
                == "inetpy_down"
            )
            node.line("Python has not answered for long")
            assert node.eval("receive {udp_closed, L} -> closed after 1000 -> open end") == "open"
        finally:
            for serve in (remote, local):
                serve.process.send_signal(signal.SIGCONT)
        assert node.eval("inet:port(L) =/= {error, einval}") == "true"
        node.line("Python is back")


def test_calls_with_a_timeout_while_python_stands_still(url: str) -> None:
    """They end in time, however many come, and leave nothing behind in the node."""
    with Serve(url) as serve, Erlang(url) as node:
        node.start()
        node.eval(PAIR)
        serve.process.send_signal(signal.SIGSTOP)
        try:
            flood = """
                Test = self(),
                Data = binary:copy(<<0>>, 100000),
                Senders = [spawn(fun() -> gen_tcp:send(C, Data) end) || _ <- lists:seq(1, 50)],
                Recv = fun() -> Test ! {self(), gen_tcp:recv(S, 1, 10)} end,
                Callers = [spawn(Recv) || _ <- lists:seq(1, 200)],
                lists:usort([receive {Caller, Got} -> Got end || Caller <- Callers])
            """
            assert node.eval(flood) == "[{error,timeout}]"
        finally:
            serve.process.send_signal(signal.SIGCONT)
        assert node.eval("byte_size(element(2, gen_tcp:recv(S, 5000000, 20000)))") == "5000000"
        until(lambda: node.eval("[Pid || Pid <- Senders, is_process_alive(Pid)]") == "[]")
        assert node.eval(ECHO) == PING


def test_who_answers_is_no_server() -> None:
    """The node says so, and goes on with what else it has to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener, Erlang() as node:

        def answer() -> None:
            for text in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x02\x83a" * 9, b""):
                sock, _ = listener.accept()
                sock.sendall(text)
                sock.recv(1 << 16)
                sock.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        assert node.eval(f'inetpy:start(#{{bridges => [{{net, "{url}"}}, {{own, port}}]}})') == "ok"
        node.line("what answers there is no `inetpy serve`")
        thread.join()
        call = "gen_tcp:listen(0, inetpy:tcp_options([{inetpy_bridge, %s}]))"
        until(lambda: "closed before the greeting" in node.eval(call % "net"))
        assert node.eval(call % "own").startswith("{ok,")


# --- what does not work at a distance ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_descriptors_of_the_node(kind: str, url: str, tmp_path: Path) -> None:
    """Over a unix socket Python copies them. At a distance it cannot, and sendfile reads the file."""
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    with (
        Serve(url if kind == "unix" else "tcp:127.0.0.1:0", INETPY_TOKEN=TOKEN) as serve,
        Erlang(serve.url, INETPY_TOKEN=TOKEN) as node,
    ):
        node.start()
        node.eval(PAIR)
        send = f"""
            {{ok, F}} = file:open("{tmp_path}/file", [read, raw, binary]),
            {{ok, 256000}} = file:sendfile(F, C, 0, 0, []),
            {{ok, Sent}} = gen_tcp:recv(S, 256000, 5000),
            file:read_file("{tmp_path}/file") =:= {{ok, Sent}}
        """
        assert node.eval(send) == "true"
        given = """
            {ok, Stock} = gen_udp:open(0, [{inet_backend, inet}, {ip, {127, 0, 0, 1}}]),
            {ok, Fd} = prim_inet:getfd(Stock), gen_udp:open(0, [{fd, Fd}])
        """
        said = node.eval(given)
        assert said.startswith("{ok,") if kind == "unix" else said == "{error,enotsup}"


# --- `inetpy faults` -----------------------------------------------------------------------------


def test_faults_of_a_server(url: str, folder: Path) -> None:
    """A rule from the shell concerns all nodes, also those that come later."""

    def faults(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "inetpy", "faults", *arguments], check=False, capture_output=True,
            text=True, timeout=60, env=os.environ | {"XDG_RUNTIME_DIR": str(folder), "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    ask = 'element(2, gen_tcp:connect("127.0.0.1", 9, []))'
    with Serve(url, INETPY_CONTROL="1", XDG_RUNTIME_DIR=str(folder)) as serve:
        assert f"inetpy serve with no node, process {serve.process.pid}" in faults("list")
        with Erlang(url, "-sname", "one") as one, Erlang(url, "-sname", "two") as two:
            one.start()
            key = faults("add", 'error("connect", "eacces")', "--port", "9").strip()
            two.start()
            assert (one.eval(ask), two.eval(ask)) == ("eacces", "eacces")
            listed = faults("list", "--node", one.eval("node()").strip("'"))
            assert "one@" in listed
            assert "two@" in listed
            one.eval("inetpy_fault:add(#{port => 10}, {latency, #{ms => 1}})")
            assert "erlang of one@" in faults("list")
            faults("remove", key)
            assert (one.eval(ask), two.eval(ask)) == ("econnrefused", "econnrefused")
            faults("add", 'error("connect", "eacces")', "--port", "9")
            serve.end()
            with Serve(url, INETPY_CONTROL="1", XDG_RUNTIME_DIR=str(folder)):
                one.line("Python is back")
                two.line("Python is back")
                assert (one.eval(ask), two.eval(ask)) == ("eacces", "eacces")
                faults("reset")
                assert (one.eval(ask), two.eval(ask)) == ("econnrefused", "econnrefused")


def test_statistics(url: str, folder: Path) -> None:
    """A file for each session."""
    (folder / "stats").mkdir()
    with Serve(url, INETPY_STATS=f"{folder}/stats") as serve:
        for _ in range(2):
            with Erlang(url) as node:
                node.start()
                node.eval(PAIR)
            serve.line("has gone", serve.log.count("\n"))
        until(lambda: len(list((folder / "stats").glob("*.json"))) == 2)
