"""Ranch, of Debian's RabbitMQ, unmodified: a listener in all its states does the same on both drivers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Prints what happens, step by step.
TALK = """
-module(talk).
-export([main/0, start_link/3, echo/2]).

start_link(Ref, Transport, []) -> {ok, proc_lib:spawn_link(?MODULE, echo, [Ref, Transport])}.

echo(Ref, Transport) ->
    {ok, Socket} = ranch:handshake(Ref),
    echo_all(Socket, Transport).

echo_all(Socket, Transport) ->
    case Transport:recv(Socket, 0, infinity) of
        {ok, Data} -> ok = Transport:send(Socket, Data), echo_all(Socket, Transport);
        {error, closed} -> Transport:close(Socket)
    end.

main() ->
    {ok, _} = application:ensure_all_started(ranch),
    Options = #{max_connections => 3, num_acceptors => 1},
    {ok, Supervisor} = ranch:start_listener(talk, ranch_tcp, Options, ?MODULE, []),
    Port = ranch:get_port(talk),
    First = connect(Port),
    show(echo, talk(First)),
    show(options, ranch_tcp:getopts(First, [nodelay, active, packet])),
    ok = ranch:suspend_listener(talk),
    show(suspended, {ranch:get_status(talk), gen_tcp:connect("localhost", Port, []), talk(First)}),
    ok = ranch:set_transport_options(talk, Options#{socket_opts => [{port, Port}]}),
    ok = ranch:resume_listener(talk),
    Second = connect(Port),
    show(resumed, {ranch:get_status(talk), talk(First), talk(Second)}),
    show(in_use, ranch:start_listener(other, ranch_tcp, #{socket_opts => [{port, Port}]}, ?MODULE, [])),
    [Third, Fourth] = [connect(Port), connect(Port)],
    ok = gen_tcp:send(Fourth, "waits"),
    show(third, talk(Third)),
    show(at_most, {gen_tcp:recv(Fourth, 5, 200), maps:get(active_connections, ranch:info(talk))}),
    ok = gen_tcp:close(Third),
    show(fourth, gen_tcp:recv(Fourth, 5, 5000)),
    {_, Acceptors, _, _} = lists:keyfind(ranch_acceptors_sup, 1, supervisor:which_children(Supervisor)),
    Monitor = monitor(process, Acceptors),
    exit(Acceptors, kill),
    receive {'DOWN', Monitor, _, _, _} -> ok end,
    show(killed, talk(First)),
    ok = gen_tcp:close(Second),
    show(restarted, talk(reconnect(Port, 50))),
    ok = ranch:stop_listener(talk),
    show(stopped, {gen_tcp:recv(First, 0), gen_tcp:connect("localhost", Port, [])}),
    halt().

connect(Port) ->
    {ok, Socket} = gen_tcp:connect("localhost", Port, [binary, {active, false}]),
    Socket.

reconnect(Port, Times) ->
    case gen_tcp:connect("localhost", Port, [binary, {active, false}]) of
        {ok, Socket} -> Socket;
        {error, econnrefused} when Times > 0 -> timer:sleep(100), reconnect(Port, Times - 1)
    end.

talk(Socket) ->
    ok = gen_tcp:send(Socket, "hello"),
    gen_tcp:recv(Socket, 5, 5000).

show(Step, Result) -> io:format("~p: ~0p~n", [Step, Result]).
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    [ranch] = Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/plugins/ranch-*/ebin")
    (tmp_path / "talk.erl").write_text(TALK)
    subprocess.run(["erlc", "-o", str(tmp_path), str(tmp_path / "talk.erl")], check=True)
    folders = ["-pa", str(tmp_path), "-pa", str(ranch)]
    return ["erl", "-noinput", "-kernel", "logger_level", "none", *folders, "-run", "talk", "main"]


def output(command: list[str]) -> str:
    variables = {name: value for name, value in os.environ.items() if name != "ERL_AFLAGS"}
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=variables,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_listener(command: list[str]) -> None:
    stock = output(command)
    assert stock.count("\n") == 11
    assert output([sys.executable, "-m", "inetpy", "run", "--", *command]) == stock
