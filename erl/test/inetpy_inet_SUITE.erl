%% Names and interfaces through Python: the cases that need a resolver with given answers and delays. That
%% resolver is slow_python.py in this folder.
-module(inetpy_inet_SUITE).

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([slow_lookup_blocks_nobody/1, many_slow_lookups/1, timeout/1, connect_timeout/1, by_name/1]).
-export([own_resolver/1, inet6_first/1, happy_eyeballs/1, happy_eyeballs_fails/1, happy_eyeballs_waits/1]).
-export([happy_eyeballs_bound/1, happy_eyeballs_address/1, interfaces_of_namespace/1, bad_requests/1, sockets/1]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(LOOPBACK6, {0, 0, 0, 0, 0, 0, 0, 1}).
-define(SLEEP, "1.5").
-define(HAPPY, [{tcp_module, inetpy_happy_tcp}, binary, {active, false}]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        slow_lookup_blocks_nobody, many_slow_lookups, timeout, connect_timeout, by_name, own_resolver, inet6_first,
        happy_eyeballs, happy_eyeballs_fails, happy_eyeballs_waits, happy_eyeballs_bound, happy_eyeballs_address,
        interfaces_of_namespace, bad_requests, sockets
    ].

init_per_suite(Config) ->
    Here = filename:dirname(code:which(?MODULE)),
    Top = filename:join([Here, "..", "..", ".."]),
    Python =
        case os:getenv("INETPY_PYTHON") of
            false -> filename:join([Top, ".venv", "bin", "python"]);
            Given -> Given
        end,
    os:unsetenv("INETPY_PYTHON"),
    os:putenv("INETPY_TEST_SLEEP", ?SLEEP),
    Program = filename:join(proplists:get_value(priv_dir, Config), "python"),
    Script = filename:join([Top, "erl", "test", "slow_python.py"]),
    ok = file:write_file(Program, ["#!/bin/sh\nexec ", Python, " ", Script, "\n"]),
    ok = file:change_mode(Program, 8#755),
    ok = inetpy:start(#{python => Program}),
    Config.

end_per_suite(_Config) ->
    inetpy:stop(),
    application:unset_env(inetpy, python).

%% During a slow lookup, sockets of the same bridge work.
slow_lookup_blocks_nobody(_Config) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit(inetpy_inet:getaddr("slow.test", inet)) end),
    {C, A} = pair(),
    Rounds = echo_until_down(C, A, Pid, Ref, 0),
    true = Rounds > 50.

echo_until_down(C, A, Pid, Ref, N) ->
    ok = gen_tcp:send(C, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(A, 5, 5000),
    receive
        {'DOWN', Ref, process, Pid, Result} -> {ok, ?LOOPBACK} = Result, N
    after 0 ->
        echo_until_down(C, A, Pid, Ref, N + 1)
    end.

%% More lookups at a time than a machine has cores do not wait for each other.
many_slow_lookups(_Config) ->
    Parent = self(),
    Start = erlang:monotonic_time(millisecond),
    Pids = [spawn(fun() -> Parent ! {self(), inetpy_inet:getaddr("slow.test", inet)} end) || _ <- lists:seq(1, 20)],
    [receive {Pid, {ok, ?LOOPBACK}} -> ok after 20000 -> ct:fail("no answer") end || Pid <- Pids],
    %% one after another they would take half a minute
    true = erlang:monotonic_time(millisecond) - Start < 15000.

%% A lookup with a timeout ends in time, and its late answer is dropped.
timeout(_Config) ->
    {error, timeout} = inetpy_inet:getaddrs("slow.test", inet, 50),
    {error, timeout} = inetpy_inet:gethostbyname("slow.test", inet, 50),
    receive Message -> ct:fail({left_over, Message}) after 2000 -> ok end.

%% The timeout of a connect passes during the lookup.
connect_timeout(_Config) ->
    {error, timeout} = gen_tcp:connect("slow.test", 9, [{tcp_module, inetpy_tcp}], 50),
    {error, timeout} = gen_tcp:connect("slow.test", 9, ?HAPPY, 50),
    {_, _} = pair().

%% Connecting and sending by name look up names in Python too.
by_name(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    {ok, S} = gen_tcp:connect("both.test", Port, [{tcp_module, inetpy_tcp}]),
    {ok, {?LOOPBACK, Port}} = inet:peername(S),
    {error, nxdomain} = gen_tcp:connect("unknown.test", Port, [{tcp_module, inetpy_tcp}]),
    {ok, U} = gen_udp:open(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, UdpPort} = inet:port(U),
    {ok, Sender} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
    ok = gen_udp:send(Sender, "both.test", UdpPort, "x"),
    {ok, {?LOOPBACK, _, <<"x">>}} = gen_udp:recv(U, 0, 5000),
    {error, nxdomain} = gen_udp:send(Sender, "unknown.test", UdpPort, "x").

%% A node with a resolver of its own looks up names itself.
own_resolver(_Config) ->
    ok = inet_db:set_lookup([file]),
    ok = inet_db:add_host({192, 0, 2, 77}, ["only.erlang.test"]),
    try
        {ok, {192, 0, 2, 77}} = inetpy_inet:getaddr("only.erlang.test", inet),
        {ok, {hostent, "only.erlang.test", _, inet, 4, [{192, 0, 2, 77}]}} =
            inetpy_inet:gethostbyname("only.erlang.test"),
        {ok, _} = inetpy_inet:gethostbyaddr({192, 0, 2, 77})
    after
        inet_db:del_host({192, 0, 2, 77}),
        inet_db:set_lookup([native])
    end,
    {error, nxdomain} = inetpy_inet:getaddr("only.erlang.test", inet).

%% The first address refuses, the second answers.
happy_eyeballs(_Config) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    {ok, S} = gen_tcp:connect("both.test", Port, ?HAPPY, 5000),
    {ok, {?LOOPBACK, Port}} = inet:peername(S),
    {ok, A} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(A, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(S, 5, 5000),
    %% and the other way, with IPv6 first
    {ok, L6} = gen_tcp:listen(0, [inet6, {ip, ?LOOPBACK6}]),
    {ok, Port6} = inet:port(L6),
    {ok, S6} = gen_tcp:connect("both.test", Port6, ?HAPPY, 5000),
    {ok, {?LOOPBACK6, Port6}} = inet:peername(S6),
    [] = inetpy:which_sockets() -- [S, S6].

happy_eyeballs_fails(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    ok = gen_tcp:close(L),
    Before = inetpy:which_sockets(),
    {error, econnrefused} = gen_tcp:connect("dead.test", Port, ?HAPPY, 5000),
    {error, nxdomain} = gen_tcp:connect("unknown.test", Port, ?HAPPY, 5000),
    {'EXIT', badarg} = (catch gen_tcp:connect("both.test", Port, [{no_such_option, 1} | ?HAPPY], 5000)),
    {'EXIT', badarg} = (catch gen_tcp:connect("", Port, ?HAPPY, 5000)),
    Before = inetpy:which_sockets().

%% An address that does not answer at all is overtaken by the next. It is the address of a listener with a full
%% backlog.
happy_eyeballs_waits(_Config) ->
    {Port, L} = listen_twice(20),
    Fillers = [gen_tcp:connect(?LOOPBACK6, Port, [inet6], 300) || _ <- lists:seq(1, 4)],
    {error, timeout} = lists:last(Fillers),
    {ok, S} = gen_tcp:connect("both.test", Port, ?HAPPY, 10000),
    {ok, {?LOOPBACK, Port}} = inet:peername(S),
    {ok, _} = gen_tcp:accept(L, 5000).

%% A listener of IPv6 with no backlog, and one of IPv4 on the same port, which somebody else may have.
listen_twice(Tries) ->
    {ok, Full} = gen_tcp:listen(0, [inet6, {ip, ?LOOPBACK6}, {backlog, 0}]),
    {ok, Port} = inet:port(Full),
    case gen_tcp:listen(Port, [{ip, ?LOOPBACK}]) of
        {ok, L} ->
            {Port, L};
        {error, eaddrinuse} when Tries > 1 ->
            ok = gen_tcp:close(Full),
            listen_twice(Tries - 1)
    end.

%% The address that a socket is bound to decides on its family.
happy_eyeballs_bound(_Config) ->
    {ok, L} = gen_tcp:listen(0, [inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 0}}, {ipv6_v6only, false}]),
    {ok, Port} = inet:port(L),
    {ok, S} = gen_tcp:connect("both.test", Port, [{ip, {127, 0, 0, 2}} | ?HAPPY], 5000),
    {ok, {{127, 0, 0, 2}, _}} = inet:sockname(S).

%% A call with an address needs no race.
happy_eyeballs_address(_Config) ->
    {ok, L} = gen_tcp:listen(0, [inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 0}}, {ipv6_v6only, false}]),
    {ok, Port} = inet:port(L),
    [
        begin
            {ok, S} = gen_tcp:connect(Address, Port, ?HAPPY, 5000),
            {ok, {Address, Port}} = inet:peername(S)
        end
     || Address <- [?LOOPBACK, ?LOOPBACK6]
    ].

%% The interfaces of another namespace, by its path and by a socket that lives in it.
interfaces_of_namespace(_Config) ->
    Program = open_port({spawn, "unshare --net sh -c 'echo $$; cat'"}, [{line, 80}]),
    receive
        {Program, {data, {eol, Pid}}} ->
            Namespace = "/proc/" ++ Pid ++ "/ns/net",
            {ok, There} = inetpy_inet:getifaddrs([{netns, Namespace}]),
            {ok, There} = inet:getifaddrs([{netns, Namespace}]),
            {ok, Here} = inetpy_inet:getifaddrs(),
            true = lists:keymember("lo", 1, There),
            false = There =:= Here,
            {ok, S} = gen_udp:open(0, [{udp_module, inetpy_udp}, {netns, Namespace}]),
            {ok, There} = inetpy_inet:getifaddrs(S),
            {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
            {ok, Here} = inetpy_inet:getifaddrs(U)
    after 10000 ->
        ct:fail("no namespace")
    end,
    port_close(Program).

%% Lookups of things that are no names are answered, and the bridge goes on.
bad_requests(_Config) ->
    {error, {inetpy, _, _}} = inetpy_request:open(inet, {no_such_function, [], -1}),
    {error, {inetpy, _, _}} = inetpy_request:open(inet, {getaddrs, [], -1}),
    {error, {inetpy, _, _}} = inetpy_request:open(inet, {ntoa, [], -1}),
    {error, {inetpy, _, _}} = inetpy_request:open(inet, x),
    {ok, _} = inetpy_inet:gethostname().

%% With the resolver's option inet6, IPv6 addresses are looked up.
inet6_first(_Config) ->
    {ok, {hostent, "both.test", [], inet, 4, [?LOOPBACK]}} = inetpy_inet:gethostbyname("both.test"),
    ok = inet_db:set_inet6(true),
    {ok, Host} = inetpy_inet:gethostbyname("both.test"),
    ok = inet_db:set_inet6(false),
    {hostent, "both.test", [], inet6, 16, [{0, 0, 0, 0, 0, 0, 0, 1}]} = Host.

%% The functions that take a socket, on Python's sockets and on stock sockets.
sockets(_Config) ->
    {C, A} = pair(),
    {ok, Name} = inet:sockname(C),
    {ok, Name} = inetpy_inet:sockname(C),
    {ok, Name} = inetpy_inet:peername(A),
    {ok, [Name]} = inetpy_inet:socknames(C),
    {ok, [Name]} = inetpy_inet:socknames(C, 0),
    {ok, [Name]} = inetpy_inet:peernames(A),
    {ok, [Name]} = inetpy_inet:peernames(A, 0),
    {ok, Port} = inetpy_inet:port(C),
    Port = element(2, Name),
    ok = inetpy_inet:setopts(C, [{nodelay, true}]),
    {ok, [{nodelay, true}]} = inetpy_inet:getopts(C, [nodelay]),
    {ok, [{recv_oct, 0}]} = inetpy_inet:getstat(C, [recv_oct]),
    {ok, [_ | _]} = inetpy_inet:getstat(C),
    #{states := _} = inetpy_inet:info(C),
    Ref = inetpy_inet:monitor(C),
    true = inetpy_inet:cancel_monitor(Ref),
    ok = inetpy_inet:close(C),
    {ok, Stock} = gen_udp:open(0, [{inet_backend, inet}]),
    {ok, _} = inetpy_inet:sockname(Stock),
    {ok, [_]} = inetpy_inet:socknames(Stock),
    {ok, _} = inetpy_inet:getifaddrs(Stock),
    ok = inetpy_inet:close(Stock).

pair() ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, [{tcp_module, inetpy_tcp}, binary, {active, false}]),
    {ok, A} = gen_tcp:accept(L, 5000),
    {C, A}.
