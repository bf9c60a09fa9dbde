%% Several bridges side by side: inetpy:start(#{bridges => 2}).
-module(inetpy_bridges_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([in_turn/1, across/1, accepted_are_spread/1, one_dies/1, monitors/1, bad_options/1]).

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).
-define(LOOPBACK, {127, 0, 0, 1}).

suite() -> [{timetrap, {minutes, 2}}].

all() -> [in_turn, across, accepted_are_spread, one_dies, monitors, bad_options].

init_per_testcase(_Case, Config) ->
    ok = inetpy:start(#{bridges => 2}),
    Config.

end_per_testcase(_Case, _Config) ->
    ok = inetpy:stop(),
    application:unset_env(inetpy, bridges).

%% Each bridge has a Python process of its own. New sockets are opened on the two bridges in turn.
in_turn(_Config) ->
    #{bridges := [#{os_pid := One}, #{os_pid := Two}]} = inetpy:info(),
    true = One =/= Two,
    Sockets = [listener([]) || _ <- lists:seq(1, 6)],
    [A, B, A, B, A, B] = [bridge(S) || S <- Sockets],
    true = A =/= B,
    #{sockets := 6, bridges := [#{sockets := 3}, #{sockets := 3}]} = inetpy:info(),
    [] = inetpy:which_sockets() -- Sockets.

%% A connection between sockets of the two bridges.
across(_Config) ->
    L = listener([]),
    {C, S} = connection(L),
    true = bridge(C) =/= bridge(L),
    true = bridge(S) =:= bridge(L),
    ok = gen_tcp:send(C, "across"),
    {ok, <<"across">>} = gen_tcp:recv(S, 6, 5000),
    ok = inet:setopts(C, [{active, true}]),
    ok = gen_tcp:close(S),
    receive {tcp_closed, C} -> ok after 5000 -> ct:fail(no_end) end.

%% Two listening sockets on one port share the connections that come, so both bridges get some.
accepted_are_spread(_Config) ->
    One = listener([{reuseport_lb, true}]),
    {ok, Port} = inet:port(One),
    {ok, Two} = gen_tcp:listen(Port, [{reuseport_lb, true}, {ip, ?LOOPBACK} | ?INETPY]),
    true = bridge(One) =/= bridge(Two),
    Self = self(),
    [spawn_link(fun() -> accept_all(L, Self) end) || L <- [One, Two]],
    Clients = [element(2, {ok, _} = gen_tcp:connect(?LOOPBACK, Port, [])) || _ <- lists:seq(1, 100)],
    Counts = [receive {accepted, Bridge} -> Bridge after 10000 -> ct:fail(not_accepted) end || _ <- Clients],
    2 = length(lists:usort(Counts)).

accept_all(L, To) ->
    case gen_tcp:accept(L) of
        {ok, S} ->
            To ! {accepted, bridge(S)},
            accept_all(L, To);
        {error, closed} ->
            ok
    end.

%% One Python dies: the sockets of the other bridge go on, and soon there are two bridges again.
one_dies(_Config) ->
    {C, S} = connection(listener([])),
    {ok, Stock} = gen_tcp:listen(0, [{ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(Stock),
    Others = [element(2, {ok, _} = gen_tcp:connect(?LOOPBACK, Port, [{active, true} | ?INETPY -- [{active, false}]])) || _ <- [1, 2]],
    [Lost] = [O || O <- Others, bridge(O) =:= bridge(C)],
    [Kept] = Others -- [Lost],
    [OsPid] = [P || #{bridge := B, os_pid := P} <- maps:get(bridges, inetpy:info()), B =:= bridge(C)],
    "" = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    receive {tcp_closed, Lost} -> ok after 5000 -> ct:fail(nobody_is_told) end,
    {error, closed} = gen_tcp:send(C, "x"),
    receive {tcp_closed, Kept} -> ct:fail(the_wrong_one) after 100 -> ok end,
    ok = gen_tcp:send(Kept, "x"),
    {ok, _} = inet:port(S),
    Again = [bridge(listener([])) || _ <- lists:seq(1, 4)],
    2 = length(lists:usort(Again)).

monitors(_Config) ->
    Sockets = [listener([]), listener([])],
    [One, Two] = [inet:monitor(S) || S <- Sockets],
    true = inet:cancel_monitor(One),
    false = inet:cancel_monitor(One),
    [ok = gen_tcp:close(S) || S <- Sockets],
    receive {'DOWN', Two, port, _, _} -> ok after 5000 -> ct:fail(not_told) end,
    receive {'DOWN', One, _, _, _} -> ct:fail(told) after 100 -> ok end.

bad_options(_Config) ->
    [{error, {bad_option, #{bridges := N}}} = inetpy:start(#{bridges => N}) || N <- [0, -1, two, 1.0]],
    {error, {unknown_options, [speed]}} = inetpy:start(#{speed => 1}),
    {error, {already_started, #{bridges := 2}}} = inetpy:start(#{bridges => 3}),
    ok = inetpy:start(#{bridges => 2}),
    ok = inetpy:start().

listener(Options) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK} | Options ++ ?INETPY]),
    L.

connection(L) ->
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, ?INETPY),
    {ok, S} = gen_tcp:accept(L, 5000),
    {C, S}.

bridge({'$inet', _, {Bridge, _, _}}) -> Bridge.
