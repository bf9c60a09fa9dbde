%% A node gets a name while sockets are open, and loses the name again. All sockets work on.
%%
%% Run by tests/test_suites.py on a node without a name. Pids and references have the name of their node on the
%% wire.
-module(inetpy_rename).

-export([main/0]).

-define(LOOPBACK, {127, 0, 0, 1}).
%% A port where nobody listens.
-define(NOBODY, 9).
-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).

-spec main() -> no_return().
main() ->
    false = is_alive(),
    ok = inetpy:start(),
    chatty(),
    Old = open(),
    {ok, _} = inetpy_fault:add(#{owner => self(), port => ?NOBODY}, {error, #{call => connect, errno => ehostunreach}}),
    rules_hold(Old),
    Waiting = start_waiting(Old),
    named(),
    told(Waiting),
    rules_hold(Old),
    works(Old),
    New = open(),
    works(New),
    works(Old),
    Again = start_waiting(New),
    ok = net_kernel:stop(),
    told(Again),
    works(New),
    works(Old),
    works(open()),
    rules_hold(Old),
    rules_hold(New),
    owner_ends(Old),
    bridge_ends(New),
    io:format("all went on~n"),
    halt(0).

named() ->
    Name = list_to_atom("inetpy_rename_" ++ os:getpid() ++ "@localhost"),
    {ok, _} = net_kernel:start(Name, #{name_domain => longnames}),
    Name = node().

%% Programs that do not wait for answers talk on, and nothing of it is lost, as on the stock driver.
chatty() ->
    Mine = inetpy_talk:start(fun inetpy:tcp_options/1),
    Talks = [Mine, inetpy_talk:start(fun(Options) -> [{inet_backend, inet} | Options] end)],
    GoesOn = fun() ->
        ok = inetpy_talk:until_early(Mine),
        lists:foreach(fun inetpy_talk:goes_on/1, Talks)
    end,
    GoesOn(),
    Name = named(),
    GoesOn(),
    ok = net_kernel:stop(),
    GoesOn(),
    Name = named(),
    GoesOn(),
    ok = net_kernel:stop(),
    GoesOn(),
    lists:foreach(fun inetpy_talk:stop/1, Talks).

%% {listener, connected, its peer, active, its peer, datagram, its port}
open() ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK} | ?INETPY]),
    {C, P} = pair(L),
    {A, Q} = pair(L),
    {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(U),
    {L, C, P, A, Q, U, Port}.

pair(L) ->
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, ?INETPY),
    {ok, P} = gen_tcp:accept(L, 5000),
    {C, P}.

%% Processes that wait for an answer: in accept, in recv of either kind.
start_waiting({L, C, _, _, _, U, _}) ->
    Calls = [
        xc:spawn_call(fun() -> element(1, gen_tcp:accept(L)) end),
        xc:spawn_call(fun() -> gen_tcp:recv(C, 0) end),
        xc:spawn_call(fun() -> element(1, gen_udp:recv(U, 0)) end)
    ],
    timer:sleep(100),
    {L, U, Calls}.

%% There was no request since the name changed. The callers that wait get their answers.
told({L, U, [Accepting, Receiving, ReceivingDatagram]}) ->
    {ok, Port} = inet:port(L),
    {ok, _} = gen_tcp:connect(?LOOPBACK, Port, [{inet_backend, inet}]),
    ok = xc:await(Accepting),
    {ok, Peer} = gen_udp:open(0, [{inet_backend, inet}]),
    {ok, UdpPort} = inet:port(U),
    ok = gen_udp:send(Peer, ?LOOPBACK, UdpPort, "x"),
    ok = xc:await(ReceivingDatagram),
    put(receiving, Receiving).

works({L, C, P, A, Q, U, Port}) ->
    ok = gen_tcp:send(P, "hello"),
    case erase(receiving) of
        undefined -> {ok, <<"hello">>} = gen_tcp:recv(C, 5, 5000);
        Call -> {ok, <<"hello">>} = xc:await(Call)
    end,
    %% an active message gets to the owner, and names the socket as the owner does
    ok = inet:setopts(A, [{active, once}]),
    ok = gen_tcp:send(Q, "active"),
    receive {tcp, A, <<"active">>} -> ok after 5000 -> error(no_message) end,
    Other = spawn(fun() -> receive stop -> ok end end),
    {error, not_owner} = xc:await(xc:spawn_call(fun() -> gen_tcp:controlling_process(A, Other) end)),
    {New, _} = pair(L),
    ok = gen_tcp:close(New),
    ok = gen_udp:send(U, ?LOOPBACK, Port, "datagram"),
    {ok, {?LOOPBACK, Port, <<"datagram">>}} = gen_udp:recv(U, 0, 5000),
    Self = self(),
    #{owner := Self} = inet:info(C),
    {ok, [{active, false}]} = inet:getopts(C, [active]),
    Ref = inet:monitor(C),
    true = inet:cancel_monitor(Ref),
    true = lists:member(A, inetpy:which_sockets()).

%% One that was added under another name, and a new one for a socket that is open: owners are known by all names.
rules_hold({_, _, _, A, Q, _, _}) ->
    {error, ehostunreach} = xc:await(xc:spawn_call(fun() -> gen_tcp:connect(?LOOPBACK, ?NOBODY, ?INETPY) end)),
    {ok, {_, Port}} = inet:peername(A),
    {ok, Rule} = inetpy_fault:add(#{owner => self(), port => Port}, {latency, #{ms => 1}}),
    ok = gen_tcp:send(Q, "late"),
    {ok, <<"late">>} = gen_tcp:recv(A, 4, 5000),
    1 = inetpy_fault:fired(Rule),
    ok = inetpy_fault:remove(Rule).

%% A socket with a new owner ends with the new owner.
owner_ends({_, C, P, _, _, _, _}) ->
    Owner = spawn(fun() -> receive stop -> ok end end),
    ok = gen_tcp:controlling_process(C, Owner),
    Owner ! stop,
    {error, closed} = gen_tcp:recv(P, 0, 5000).

bridge_ends({_, _, _, A, _, _, _}) ->
    ok = inet:setopts(A, [{active, true}]),
    ok = inetpy:stop(),
    receive {tcp_closed, A} -> ok after 5000 -> error(not_told) end.
