%% inetpy_network: network files that come into a node that runs, and go again.
-module(inetpy_network_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    comes_and_goes/1, sockets_stay/1, two_networks/1, same_place_twice/1, fails_half_way/1, hangs_nobody/1, ends_with_its_process/1,
    python_dies/1, seeds/1, wrong_options/1, not_started/1, two_bridges/1, rules_are_reset/1, clock_and_strict/1, given_names_come_back/1,
    replays/1, replays_as_client/1, replay_that_differs/1, replay_options/1
]).

-include_lib("common_test/include/ct.hrl").

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        comes_and_goes, sockets_stay, two_networks, same_place_twice, fails_half_way, hangs_nobody, ends_with_its_process,
        python_dies, seeds, wrong_options, not_started, two_bridges, rules_are_reset, clock_and_strict, given_names_come_back,
        replays, replays_as_client, replay_that_differs, replay_options
    ].

init_per_testcase(not_started, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    ok = inetpy:start(#{bridges => case Case of two_bridges -> 2; _ -> 1 end}),
    Config.

end_per_testcase(_Case, _Config) ->
    _ = inetpy:stop(),
    application:unset_env(inetpy, bridges),
    ok.

%% The path of a file with that text.
file(Text, Config) ->
    Number = erlang:unique_integer([positive]),
    Path = filename:join(?config(priv_dir, Config), "net" ++ integer_to_list(Number) ++ ".py"),
    ok = file:write_file(Path, Text),
    Path.

server(Host, Text) -> ["network.static('", Host, "', 80, b'", Text, "')\n"].

ask(Host) ->
    case gen_tcp:connect(Host, 80, ?INETPY) of
        {ok, S} ->
            Answer = gen_tcp:recv(S, 0),
            ok = gen_tcp:close(S),
            Answer;
        Error ->
            Error
    end.

%% Servers, names and rules are there, and are not there any more.
comes_and_goes(Config) ->
    File = file([server("a.test", "hello"), "network.names({'b.test': '10.0.0.7'})\n", "network.fault(latency(1), host='c.test')\n"], Config),
    {error, nxdomain} = ask("a.test"),
    [
        begin
            {ok, Network} = inetpy_network:load(File),
            {ok, <<"hello">>} = ask("a.test"),
            {ok, {10, 0, 0, 7}} = inetpy_tcp:getaddr("b.test"),
            [#{what := {latency, _}}] = inetpy_fault:rules(),
            ok = inetpy_network:unload(Network),
            ok = inetpy_network:unload(Network),
            {error, nxdomain} = ask("a.test"),
            {error, nxdomain} = inetpy_tcp:getaddr("b.test"),
            [] = inetpy_fault:rules()
        end
     || _ <- [1, 2]
    ].

%% Sockets of the kernel go on; those of the servers are reset.
sockets_stay(Config) ->
    {ok, L} = gen_tcp:listen(0, ?INETPY),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, ?INETPY),
    {ok, A} = gen_tcp:accept(L),
    Waits = "import asyncio\n@network.server('a.test', 80)\nasync def waits(conn):\n    await asyncio.sleep(100)\n",
    {ok, Network} = inetpy_network:load(file(Waits, Config)),
    {ok, S} = gen_tcp:connect("a.test", 80, ?INETPY),
    ok = inetpy_network:unload(Network),
    {error, closed} = gen_tcp:recv(S, 0),
    ok = gen_tcp:send(C, "still here"),
    {ok, <<"still here">>} = gen_tcp:recv(A, 10).

%% One inside of the other, or one beside the other: each takes back its own.
two_networks(Config) ->
    {ok, One} = inetpy_network:load(file([server("a.test", "one"), "network.fault(latency(1), port=1)\n"], Config)),
    {ok, Two} = inetpy_network:load(file([server("b.test", "two"), "network.fault(latency(1), port=2)\n"], Config)),
    {{ok, <<"one">>}, {ok, <<"two">>}} = {ask("a.test"), ask("b.test")},
    ok = inetpy_network:unload(One),
    {{error, nxdomain}, {ok, <<"two">>}} = {ask("a.test"), ask("b.test")},
    [#{whom := #{port := 2}}] = inetpy_fault:rules(),
    ok = inetpy_network:unload(Two),
    [] = inetpy_fault:rules().

%% The second file fails, and the first one is as it was.
same_place_twice(Config) ->
    File = file(["network.names({'b.test': '10.0.0.7'})\n", server("a.test", "one")], Config),
    {ok, _} = inetpy_network:load(File),
    {error, {bad_network, Why}} = inetpy_network:load(File),
    true = string:find(Why, "Address already in use") =/= nomatch,
    {ok, <<"one">>} = ask("a.test"),
    {ok, {10, 0, 0, 7}} = inetpy_tcp:getaddr("b.test").

%% What a file has described before its error is taken back. The error has the line.
fails_half_way(Config) ->
    File = file([server("a.test", "one"), "network.fault(latency(1))\n", "raise KeyError('x')\n"], Config),
    {error, {bad_network, Why}} = inetpy_network:load(File),
    true = string:find(Why, "KeyError: 'x'") =/= nomatch,
    true = string:find(Why, "line 3") =/= nomatch,
    nomatch = string:find(Why, "described.py"),
    {error, nxdomain} = ask("a.test"),
    [] = inetpy_fault:rules(),
    {error, {bad_network, _}} = inetpy_network:load(filename:join(?config(priv_dir, Config), "no_such_file.py")).

%% A file that takes long keeps no socket waiting.
hangs_nobody(Config) ->
    {ok, L} = gen_tcp:listen(0, [{backlog, 20} | ?INETPY]),
    {ok, Port} = inet:port(L),
    Go = filename:join(?config(priv_dir, Config), "go"),
    Waits = ["import os, time\nwhile not os.path.exists('", Go, "'):\n    time.sleep(0.01)\n", server("a.test", "late")],
    File = file(Waits, Config),
    Case = self(),
    spawn_link(fun() -> Case ! inetpy_network:load(File), receive stop -> ok end end),
    [{ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, ?INETPY) || _ <- lists:seq(1, 10)],
    {error, nxdomain} = ask("a.test"),
    ok = file:write_file(Go, ""),
    receive {ok, _} -> ok end,
    {ok, <<"late">>} = ask("a.test").

ends_with_its_process(Config) ->
    File = file(server("a.test", "hello"), Config),
    {Pid, Monitor} = spawn_monitor(fun() ->
        {ok, _} = inetpy_network:load(File),
        {ok, <<"hello">>} = ask("a.test"),
        exit(done)
    end),
    receive {'DOWN', Monitor, process, Pid, done} -> ok end,
    %% a request behind the end of the process
    ok = sys:suspend(inetpy_network), ok = sys:resume(inetpy_network),
    {error, nxdomain} = ask("a.test").

%% The next Python runs the file before a socket is opened, and unload/1 ends that too.
python_dies(Config) ->
    {ok, Network} = inetpy_network:load(file([server("a.test", "hello"), "network.fault(latency(1), port=1)\n"], Config)),
    {ok, Rule} = inetpy_fault:add(#{port => 2}, refuse),
    kill_python(),
    {ok, <<"hello">>} = ask("a.test"),
    [#{rule := Rule}, #{whom := #{port := 1}}] = inetpy_fault:rules(),
    ok = inetpy_network:unload(Network),
    {error, nxdomain} = ask("a.test"),
    kill_python(),
    {error, nxdomain} = ask("a.test"),
    [#{rule := Rule}] = inetpy_fault:rules().

kill_python() ->
    #{os_pid := Python, bridge := Bridge} = inetpy:info(),
    Monitor = monitor(process, Bridge),
    _ = os:cmd("kill -9 " ++ integer_to_list(Python)),
    receive {'DOWN', Monitor, process, _, _} -> ok end.

%% With the same seed the same datagrams are lost, also in a Python that has lost others before.
seeds(_Config) ->
    {ok, A} = gen_udp:open(0, [{udp_module, inetpy_udp}, {ip, {127, 0, 0, 1}}, {active, false}, {recbuf, 1 bsl 18}]),
    {ok, Port} = inet:port(A),
    [One, Other, Again] = [arrived(Seed, A, Port) || Seed <- [1, 2, 1]],
    One = Again,
    true = One =/= Other.

arrived(Seed, A, Port) ->
    {ok, Network} = inetpy_network:load(#{seed => Seed}),
    {ok, B} = gen_udp:open(0, [{udp_module, inetpy_udp}, {ip, {127, 0, 0, 1}}]),
    Send = fun(N) -> ok = gen_udp:send(B, {127, 0, 0, 1}, Port, [N]) end,
    inetpy_fault:with(#{direction => send}, [{loss, #{p => 0.5}}], fun() -> lists:foreach(Send, lists:seq(1, 40)) end),
    Send(0),
    ok = gen_udp:close(B),
    ok = inetpy_network:unload(Network),
    all(A).

all(S) ->
    case gen_udp:recv(S, 0) of
        {ok, {_, _, [0]}} -> [];
        {ok, {_, _, [N]}} -> [N | all(S)]
    end.

wrong_options(_Config) ->
    [
        {error, {bad_option, Option}} = inetpy_network:load(Options)
     || {Option, Options} <- [
            {#{}, #{}},
            {#{seed => x}, #{seed => x}},
            {#{seed => -1}, #{file => "net.py", seed => -1}},
            {#{file => 7}, #{file => 7}},
            {#{colour => red}, #{file => "net.py", colour => red}}
        ]
    ].

not_started(_Config) ->
    {error, {inetpy, not_started, _}} = inetpy_network:load("net.py").

%% Each Python runs the file.
two_bridges(Config) ->
    {ok, Network} = inetpy_network:load(file(server("a.test", "hello"), Config)),
    [{ok, <<"hello">>} = ask("a.test") || _ <- lists:seq(1, 4)],
    ok = inetpy_network:unload(Network),
    [{error, nxdomain} = ask("a.test") || _ <- lists:seq(1, 4)].

%% inetpy_fault:reset/0 removes rules, and leaves servers.
rules_are_reset(Config) ->
    {ok, Network} = inetpy_network:load(file([server("a.test", "hello"), "network.fault(refuse(), host='a.test')\n"], Config)),
    {error, econnrefused} = ask("a.test"),
    ok = inetpy_fault:reset(),
    {ok, <<"hello">>} = ask("a.test"),
    kill_python(),
    {error, econnrefused} = ask("a.test"),
    ok = inetpy_network:unload(Network).

clock_and_strict(Config) ->
    {ok, Network} = inetpy_network:load(file("network.strict()\nnetwork.clock.rate(1000)\n", Config)),
    {ok, L} = gen_tcp:listen(0, ?INETPY),
    {Fast, {error, timeout}} = timer:tc(fun() -> gen_tcp:accept(L, 60000) end),
    true = Fast < 30000000,
    {error, nxdomain} = ask("localhost.example"),
    ok = inetpy_network:unload(Network),
    {Slow, {error, timeout}} = timer:tc(fun() -> gen_tcp:accept(L, 100) end),
    true = Slow >= 100000.

%% A name that had other addresses before has these again.
given_names_come_back(Config) ->
    {ok, One} = inetpy_network:load(file("network.names({'a.test': '10.0.0.1'})\n", Config)),
    {ok, Two} = inetpy_network:load(file("network.names({'a.test': '10.0.0.2'})\n", Config)),
    {ok, {10, 0, 0, 2}} = inetpy_tcp:getaddr("a.test"),
    ok = inetpy_network:unload(Two),
    {ok, {10, 0, 0, 1}} = inetpy_tcp:getaddr("a.test"),
    ok = inetpy_network:unload(One).

%% A server of a network file is recorded, and played again without the file.
recorded(Config) ->
    Text = ["@network.server('a.test', 80)\n", "async def a(conn):\n",
            "    while data := await conn.read(100):\n        await conn.write(b're:' + data)\n"],
    {ok, Network} = inetpy_network:load(file(Text, Config)),
    Trace = filename:join(?config(priv_dir, Config), "a" ++ integer_to_list(erlang:unique_integer([positive])) ++ ".jsonl"),
    {ok, Recording} = inetpy_trace:start(#{file => Trace}),
    {<<"re:one">>, <<"re:two">>} = talk("a.test", <<"one">>, <<"two">>),
    ok = inetpy_trace:stop(Recording),
    ok = inetpy_network:unload(Network),
    Trace.

talk(Host, One, Two) ->
    {ok, S} = gen_tcp:connect(Host, 80, ?INETPY),
    ok = gen_tcp:send(S, One),
    {ok, A} = gen_tcp:recv(S, 6),
    ok = gen_tcp:send(S, Two),
    {ok, B} = gen_tcp:recv(S, 6),
    ok = gen_tcp:close(S),
    {A, B}.

replays(Config) ->
    Trace = recorded(Config),
    [
        begin
            {ok, Network} = inetpy_network:replay(Trace, #{chunks => Chunks}),
            {error, {replay, [Missing]}} = inetpy_network:check(Network),
            true = lists:suffix("it has never come", Missing),
            {<<"re:one">>, <<"re:two">>} = talk("a.test", <<"one">>, <<"two">>),
            ok = inetpy_network:wait(Network, 20000),
            ok = inetpy_network:unload(Network),
            {error, nxdomain} = gen_tcp:connect("a.test", 80, ?INETPY)
        end
     || Chunks <- [recorded, one_byte, coalesced, random, {random, 7}]
    ],
    ok.

%% Python plays the client of a listener, which is there already, or comes.
replays_as_client(Config) ->
    Trace = recorded(Config),
    {ok, Listener} = gen_tcp:listen(0, ?INETPY),
    {ok, Port} = inet:port(Listener),
    At = #{<<"a.test:80">> => "127.0.0.1:" ++ integer_to_list(Port)},
    {ok, Network} = inetpy_network:replay(Trace, #{role => client, at => At}),
    {ok, S} = gen_tcp:accept(Listener),
    {ok, <<"one">>} = gen_tcp:recv(S, 0),
    ok = gen_tcp:send(S, <<"re:one">>),
    {ok, <<"two">>} = gen_tcp:recv(S, 0),
    {error, {replay, [_]}} = inetpy_network:wait(Network, 0),
    ok = gen_tcp:send(S, <<"re:two">>),
    {error, closed} = gen_tcp:recv(S, 0),
    ok = gen_tcp:close(S),
    ok = inetpy_network:wait(Network, infinity),
    ok = inetpy_network:unload(Network).

replay_that_differs(Config) ->
    {ok, Network} = inetpy_network:replay(recorded(Config)),
    {ok, S} = gen_tcp:connect("a.test", 80, ?INETPY),
    ok = gen_tcp:send(S, <<"onx">>),
    {error, _} = gen_tcp:recv(S, 0),
    {error, {replay, [Text]}} = inetpy_network:wait(Network, 20000),
    {match, _} = re:run(Text, "connection 1 with a.test:80: byte 2 of the client is not as recorded"),
    {match, _} = re:run(Text, "6f 6e 78"),
    %% nobody else is reached
    {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}} | ?INETPY]),
    {ok, Port} = inet:port(Listener),
    {ok, Stock} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Outside} = inet:port(Stock),
    {error, econnrefused} = gen_tcp:connect({127, 0, 0, 1}, Outside, ?INETPY),
    {error, econnrefused} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
    {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, ?INETPY),
    ok = inetpy_network:unload(Network),
    {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Outside, ?INETPY),
    ok.

replay_options(Config) ->
    Trace = recorded(Config),
    {error, {bad_option, #{how := fast}}} = inetpy_network:replay(Trace, #{how => fast}),
    {error, {bad_network, Role}} = inetpy_network:replay(Trace, #{role => nobody}),
    {match, _} = re:run(Role, "a role is server, client or live"),
    {error, {bad_network, Gone}} = inetpy_network:replay("not_there.jsonl"),
    {match, _} = re:run(Gone, "No such file"),
    {ok, Network} = inetpy_network:replay(Trace, #{match => length, only => "a.*", speed => 1000, patience => 500}),
    {<<"re:one">>, <<"re:two">>} = talk("a.test", <<"ONE">>, <<"TWO">>),
    ok = inetpy_network:unload(Network).
