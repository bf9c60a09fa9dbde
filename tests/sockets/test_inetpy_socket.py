"""inetpy_socket where stock `socket` cannot be the oracle: the end of Python, and the whole node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EBIN, erl
from evaluated import evaluated
from inetpy.tools import run


def test_the_end_of_python() -> None:
    """Those that wait are told, and so are monitors. The socket is closed, and new ones can be opened."""
    lines = evaluated("""
        ok = inetpy:start(),
        {ok, S} = inetpy_socket:open(inet, dgram),
        ok = inetpy_socket:bind(S, loopback),
        Self = self(),
        spawn(fun() -> Self ! {result, inetpy_socket:recv(S)} end),
        Until = fun Until() ->
            case inetpy_socket:info(S) of #{num_readers := 1} -> ok; _ -> timer:sleep(5), Until() end
        end,
        ok = Until(),
        {select, {select_info, _, Handle}} = inetpy_socket:recvfrom(S, 0, nowait),
        Ref = inetpy_socket:monitor(S),
        #{os_pid := Python} = inetpy:info(),
        os:cmd("kill -9 " ++ integer_to_list(Python)),
        receive {result, Result} -> io:format("~w~n", [Result]) end,
        receive {'$socket', S, abort, {Handle, Reason}} -> io:format("~w~n", [Reason]) end,
        receive {'DOWN', Ref, socket, S, Info} -> io:format("~w~n", [Info]) end,
        {ok, _} = inetpy_socket:open(inet, stream),
        io:format("~w~n", [inetpy_socket:sockname(S)])
    """)
    answers = [line for line in lines if not line.startswith(("=", "inetpy:", "20"))]
    assert answers[-4:] == ["{error,closed}", "closed", "closed", "{error,closed}"], lines


# A connection whose sends are answered early, after `Warm`.
CHATTY = """
    ok = inetpy:start(),
    {ok, L} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:bind(L, #{family => inet, addr => loopback, port => 0}),
    ok = inetpy_socket:listen(L),
    {ok, Address} = inetpy_socket:sockname(L),
    {ok, {'$socket', Reference} = S} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:connect(S, Address),
    {ok, Peer} = inetpy_socket:accept(L),
    Warm = fun() ->
        [
            begin ok = inetpy_socket:send(S, "x"), {ok, <<"x">>} = inetpy_socket:recv(Peer, 1) end
         || _ <- lists:seq(1, 9)
        ]
    end,
    IsEarly = fun() ->
        {Bridge, _, Id} = inetpy_socket_ref:where(Reference),
        inetpy_early:may_send(Bridge, Id, 1)
    end,
    Warm(),
    io:format("~w~n", [IsEarly()]),
"""


def test_the_end_of_python_behind_an_answer() -> None:
    """What was answered is lost. The next call says that the socket is closed."""
    lines = evaluated(f"""{CHATTY}
        #{{os_pid := Python}} = inetpy:info(),
        Ref = inetpy_socket:monitor(S),
        [] = os:cmd("kill -STOP " ++ integer_to_list(Python)),
        io:format("~w~n", [lists:usort([inetpy_socket:send(S, "lost") || _ <- lists:seq(1, 10)])]),
        [] = os:cmd("kill -9 " ++ integer_to_list(Python)),
        receive {{'DOWN', Ref, socket, S, Info}} -> io:format("~w~n", [Info]) end,
        Behind = [inetpy_socket:send(S, "x"), inetpy_socket:recv(Peer, 1), inetpy_socket:close(S)],
        io:format("~w~n", [Behind]),
        {{ok, _}} = inetpy_socket:open(inet, stream)
    """)
    answers = [line for line in lines if not line.startswith(("=", "inetpy:", "20"))]
    assert answers[-4:] == ["true", "[ok]", "closed", "[{error,closed},{error,closed},{error,closed}]"], lines


# Connections whose callers of close do not wait any more.
COMES_AND_GOES = """
    ok = inetpy:start(),
    {ok, L} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:bind(L, #{family => inet, addr => loopback, port => 0}),
    ok = inetpy_socket:listen(L),
    {ok, Address} = inetpy_socket:sockname(L),
    Connected = fun() ->
        {ok, C} = inetpy_socket:open(inet, stream),
        ok = inetpy_socket:connect(C, Address),
        {ok, S} = inetpy_socket:accept(L),
        {C, S}
    end,
    _ = [
        begin {C0, S0} = Connected(), ok = inetpy_socket:close(C0), ok = inetpy_socket:close(S0) end
     || _ <- lists:seq(1, 5)
    ],
    #{os_pid := Python, bridge := Bridge} = inetpy:info(),
    Signal = fun(Name) -> [] = os:cmd("kill -" ++ Name ++ " " ++ integer_to_list(Python)) end,
    Other = fun(Fun) ->
        {_, Ref} = spawn_monitor(fun() -> exit({result, Fun()}) end),
        receive {'DOWN', Ref, process, _, {result, Result}} -> Result end
    end,
"""


def test_what_is_closed_while_python_stands_still() -> None:
    """For all of the node the socket is closed, and stays so when Python dies."""
    lines = evaluated(f"""{COMES_AND_GOES}
        {{C, S}} = Connected(),
        Signal("STOP"),
        io:format("~w~n", [[inetpy_socket:close(C), inetpy_socket:close(S)]]),
        Seen = fun() ->
            {{
                [inetpy_socket:which_sockets() =:= [L], inetpy:which_sockets() =:= [L]],
                inetpy_socket:number_of(),
                [
                    begin Ref = inetpy_socket:monitor(E), receive {{'DOWN', Ref, _, E, Info}} -> Info end end
                 || E <- [C, S]
                ],
                inetpy_socket:number_of_monitors()
            }}
        end,
        io:format("~w~n", [Seen()]),
        io:format("~w~n", [Other(Seen)]),
        Calls = [spawn_monitor(fun() -> exit({{result, inetpy_socket:close(E)}}) end) || E <- [C, S]],
        Gone = monitor(process, Bridge),
        Signal("KILL"),
        receive {{'DOWN', Gone, process, _, _}} -> ok end,
        Answers = [receive {{'DOWN', R, _, _, {{result, Answer}}}} -> Answer end || {{_, R}} <- Calls],
        io:format("~w~n", [Answers]),
        io:format("~w~n", [[inetpy_socket:close(E) || E <- [C, S, L]]])
    """)
    answers = [line for line in lines if not line.startswith(("=", "inetpy:", "20"))]
    seen = "{[true,true],1,[closed,closed],0}"
    closed = "{error,closed}"
    assert answers[-5:] == ["[ok,ok]", seen, seen, f"[{closed},{closed}]", f"[{closed},{closed},{closed}]"], (
        lines
    )


def test_a_call_that_comes_before_a_close_and_is_answered_behind_it() -> None:
    """Its process hears of the end."""
    lines = evaluated(f"""{COMES_AND_GOES}
        {{C, _}} = Connected(),
        Signal("STOP"),
        Self = self(),
        Waits = spawn_monitor(fun() -> Self ! asks, exit({{result, inetpy_socket:recv(C)}}) end),
        receive asks -> ok end,
        {{Pid, Ref}} = Waits,
        true = xc:until(fun() -> process_info(Pid, status) =:= {{status, waiting}} end),
        io:format("~w~n", [inetpy_socket:close(C)]),
        Signal("CONT"),
        receive {{'DOWN', Ref, process, Pid, Result}} -> io:format("~w~n", [Result]) end
    """)
    assert lines[-2:] == ["ok", "{result,{error,closed}}"]


def test_whoever_waits_for_a_closed_socket_is_told_when_python_dies() -> None:
    """The owner of a closed connection of gen_tcp is not."""
    lines = evaluated("""
        Ref = make_ref(),
        Opened = inetpy_registry:opened(1, {'$socket', Ref}, plain, self(), inetpy_registry:new()),
        {[{waits, Ref, 1}], Waits} = inetpy_registry:selects(1, Ref, self(), Opened),
        Stream = {'$inet', inetpy_tcp, {self(), self(), 2}},
        Both = inetpy_registry:opened(2, Stream, stream, self(), Waits),
        [{send, _, {'$socket', _, abort, {Ref, closed}}}, {close, Ref}] = inetpy_registry:lost([1, 2], Both),
        [_, _, {send, _, {tcp_closed, Stream}}] = inetpy_registry:lost([1], Both),
        {[{waits, Ref, -1}], None} = inetpy_registry:unselect(1, Ref, Both),
        [{close, Ref}] = inetpy_registry:lost([1, 2], None)
    """)
    assert lines == []


def test_processes_that_are_killed_while_they_close() -> None:
    """None of their sockets is left, also of those that they have closed for others."""
    lines = evaluated(f"""{COMES_AND_GOES}
        Test = self(),
        Worker = fun Worker() ->
            {{C, S}} = Pair = Connected(),
            Test ! {{opened, Pair}},
            ok = inetpy_socket:close(C),
            ok = inetpy_socket:close(S),
            Worker()
        end,
        Closer = fun Closer() ->
            receive {{close, {{C, S}}}} -> _ = [inetpy_socket:close(E) || E <- [C, S, C]], Closer() end
        end,
        Round = fun(_) ->
            Killed = [spawn(Worker) || _ <- [1, 2]] ++ [spawn(Closer)],
            Mine = [
                begin Pair = Connected(), lists:last(Killed) ! {{close, Pair}}, Pair end
             || _ <- lists:seq(1, 10)
            ],
            _ = [receive {{opened, _}} -> ok end || _ <- lists:seq(1, 20)],
            _ = [exit(Pid, kill) || Pid <- Killed],
            [receive {{'DOWN', Ref, _, _, _}} -> ok end || Pid <- Killed, Ref <- [monitor(process, Pid)]],
            [[inetpy_socket:close(E) || E <- [C, S]] || {{C, S}} <- Mine],
            xc:until(fun() -> inetpy_bridge:plain_sockets(Bridge) =:= [L] end)
        end,
        io:format("~w~n", [lists:usort(lists:map(Round, lists:seq(1, 20)))]),
        #{{sockets := Count}} = inetpy_bridge:info(Bridge),
        {{_, _}} = Connected(),
        io:format("~w~n", [Count])
    """)
    assert lines[-2:] == ["[true]", "1"]


def test_senders_wait_while_a_rule_concerns_them() -> None:
    """They go on beside a rule for others."""
    lines = evaluated(f"""{CHATTY}
        inetpy_fault:with(#{{port => 1}}, [{{latency, #{{ms => 1}}}}], fun() ->
            io:format("~w~n", [IsEarly()])
        end),
        inetpy_fault:with(#{{port => maps:get(port, Address)}}, [{{latency, #{{ms => 1}}}}], fun() ->
            io:format("~w~n", [IsEarly()]),
            Warm(),
            io:format("~w~n", [IsEarly()])
        end),
        Warm(),
        io:format("~w~n", [IsEarly()])
    """)
    assert lines[-5:] == ["true", "true", "false", "false", "true"]


def test_senders_wait_where_they_shall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INETPY_EARLY", "0")
    assert evaluated(f"{CHATTY} ok")[-1] == "false"


def test_the_whole_node() -> None:
    """Calls of `socket` get here, until they do not any longer. OTP's module stays reachable."""
    lines = evaluated("""
        ok = inetpy:install(#{socket => true}),
        {ok, S} = socket:open(inet, dgram),
        io:format("~w~n", [{lists:member(S, inetpy:which_sockets()), inetpy_stock_socket:which_sockets()}]),
        ok = inetpy:uninstall(),
        {ok, Stock} = socket:open(inet, dgram),
        io:format("~w~n", [{inetpy_stock_socket:which_sockets() =:= [Stock], inetpy_socket:close(S)}]),
        {error, {sockets_open, Open}} = inetpy:install(#{socket => true}),
        io:format("~w~n", [Open =:= [Stock]]),
        {error, {bad_option, #{nonsense := true}}} = inetpy:install(#{nonsense => true})
    """)
    assert lines[-3:] == ["{true,[]}", "{true,ok}", "true"]


OPEN = '{ok, S} = socket:open(inet, dgram), io:format("~w~n", [lists:member(S, inetpy:which_sockets())])'


@pytest.mark.parametrize("option", [run.SOCKET, run.ONLY])
def test_run(option: str) -> None:
    """`inetpy run --socket` and `--socket-only`: the program's own calls of socket are Python's."""
    backend = f'{OPEN}, {{ok, {{_, Module, _}}}} = gen_tcp:listen(0, []), io:format("~w~n", [Module])'
    flags = ["-kernel", "inet_backend", "socket"]
    lines = evaluated(backend, *flags, env=os.environ | run.environment(EBIN, option))
    assert lines[-2:] == ["true", {run.SOCKET: "inetpy_tcp", run.ONLY: "gen_tcp_socket"}[option]]


def test_run_when_sockets_are_open() -> None:
    """The node ends and says why: a program of the boot script has opened a stock socket."""
    early = "{ok, S} = socket:open(inet, dgram), register(owner, self()), receive after infinity -> S end"
    variables = run.environment(EBIN, run.SOCKET)
    flags = variables["ERL_AFLAGS"].replace("-run inetpy_node", f"-eval '{wait_for(early)}' -run inetpy_node")
    output = subprocess.PIPE
    with erl(env=os.environ | variables | {"ERL_AFLAGS": flags}, stdout=output, stderr=output) as node:
        _, said = node.communicate(timeout=60)
    assert node.returncode == 1
    assert b"cannot install: 1 sockets of OTP's module socket are open" in said, said
    assert b"install inetpy before they are opened" in said


def wait_for(owner: str) -> str:
    """A script that starts a process and waits until that has a name."""
    until = "case whereis(owner) of undefined -> timer:sleep(5), Until(); _ -> ok end"
    return f"spawn(fun() -> {owner} end), Until = fun Until() -> {until} end, Until()."


def test_protocols_that_the_node_has_no_name_for(tmp_path: Path) -> None:
    """Those of Python's host: the node may be elsewhere."""
    own = tmp_path / "protocols"
    own.write_text(f"ip 0 IP\ntcp 6 TCP\nmy-own-protocol 254 MY-OWN # comment\n{'x' * 256} 253 short\n")
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import sys\nfrom pathlib import Path\nfrom inetpy import cli\nfrom inetpy.host import protocols\n"
        f"protocols.FILE = Path({str(own)!r})\nsys.exit(cli.main(['bridge']))\n"
    )
    python.chmod(0o755)
    script = """
        ok = inetpy:start(),
        {ok, S} = inetpy_socket:open(inet, raw, 254),
        io:format("~w~n", [inetpy_socket:getopt(S, {socket, protocol})]),
        io:format("~w~n", [inetpy_socket:supports(protocols)])
    """
    lines = evaluated(script, env=os.environ | {"INETPY_PYTHON": str(python)})
    names = ["ip", "'IP'", "tcp", "'TCP'", "'my-own-protocol'", "'MY-OWN'"]
    assert lines[-2] == "{ok,'my-own-protocol'}"
    assert lines[-1] == "[" + ",".join(f"{{{name},true}}" for name in names) + "]"


def test_the_global_registry() -> None:
    """use_registry/1 is for all sockets to come of a node, so no scenario sets it: others run beside it."""
    lines = evaluated("""
        ok = inetpy:start(),
        [begin
            Opened = [begin
                ok = M:use_registry(Global),
                {ok, S} = M:open(inet, dgram, Options),
                {Global, Options, lists:member(S, M:which_sockets()), M:getopt(S, {otp, use_registry}),
                    maps:get(use_registry, M:info()), is_reference(M:monitor(S)), M:close(S)}
            end
             || Global <- [false, true], Options <- [#{}, #{use_registry => true}, #{use_registry => false}]],
            io:format("~w~n", [Opened])
        end || M <- [socket, inetpy_socket]]
    """)
    stock, ours = lines[-2:]
    assert stock.startswith("[{false,")
    assert ours == stock
