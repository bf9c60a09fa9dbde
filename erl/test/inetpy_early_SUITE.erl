%% What happens while programs talk that do not wait for Python's answers: see inetpy_talk, and xc_early for what the stock
%% driver can do too.
-module(inetpy_early_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([nothing_happens/1, rules_come_and_go/1, traces_come_and_go/1, python_dies/1, two_bridges/1, datagrams_of_many_owners/1]).

-define(LOOPBACK, {127, 0, 0, 1}).

suite() -> [{timetrap, {minutes, 2}}].

all() -> [nothing_happens, rules_come_and_go, traces_come_and_go, python_dies, two_bridges, datagrams_of_many_owners].

init_per_testcase(Case, Config) ->
    Bridges = case Case of two_bridges -> 2; _ -> 1 end,
    ok = inetpy:start(#{bridges => Bridges}),
    Config.

end_per_testcase(_Case, _Config) ->
    _ = inetpy:stop(),
    application:unset_env(inetpy, bridges),
    ok.

%% Callers do not wait, and the talk is one of the stock driver's.
nothing_happens(_Config) ->
    Stock = inetpy_talk:start(fun(Options) -> [{inet_backend, inet} | Options] end),
    ok = inetpy_talk:goes_on(Stock),
    ok = inetpy_talk:stop(Stock),
    ok = inetpy_talk:stop(talk()).

%% Callers wait while a rule is in play, and not behind it.
rules_come_and_go(_Config) ->
    Talk = talk(),
    [
        begin
            {ok, Rule} = inetpy_fault:add(#{direction => send}, {latency, #{ms => 1}}),
            false = inetpy_talk:is_early(Talk),
            ok = inetpy_talk:goes_on(Talk),
            true = inetpy_fault:fired(Rule) > 0,
            ok = inetpy_fault:remove(Rule),
            ok = inetpy_talk:until_early(Talk)
        end
     || _ <- lists:seq(1, 5)
    ],
    ok = inetpy_talk:stop(Talk).

%% The same with traces. The numbers in a trace follow on each other. It has their calls, but for those that were answered
%% before it started: fewer than 32 (inetpy_early). One call may be under way at the end.
traces_come_and_go(_Config) ->
    Talk = talk(),
    Runs = [
        begin
            {ok, Trace} = inetpy_trace:start(#{match => #{port => inetpy_talk:port(Talk)}}),
            false = inetpy_talk:is_early(Talk),
            ok = inetpy_talk:goes_on(Talk),
            ok = inetpy_trace:stop(Trace),
            {Sent, <<>>} = inetpy_trace:bytes(Trace),
            {First, Last} = inetpy_talk:numbers(Sent),
            Before = Last - First + 1 - length(inetpy_trace:calls(Trace, send)),
            true = Before >= -1 andalso Before < 32,
            ok = inetpy_talk:until_early(Talk),
            {First, Last}
        end
     || _ <- [1, 2, 3]
    ],
    Ends = lists:append([[First, Last] || {First, Last} <- Runs]),
    Ends = lists:usort(Ends),
    ok = inetpy_talk:stop(Talk).

%% kill -9: what was answered and not yet sent is lost, and nothing before it. Calls fail, and owners are told.
python_dies(_Config) ->
    [
        begin
            Talk = talk(),
            #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
            Ref = monitor(process, Bridge),
            [] = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
            receive {'DOWN', Ref, process, Bridge, _} -> ok end,
            {Asked, {error, closed}} = inetpy_talk:killed(Talk),
            is_told(Asked)
        end
     || _ <- [1, 2, 3]
    ],
    ok = inetpy_talk:stop(talk()).

%% One of the calls of a question fails, or its answer is the end of the socket.
is_told({not_answered, {{error, einval}, _, _}, _}) -> ok;
is_told({not_answered, {ok, {error, closed}, _}, _}) -> ok;
is_told({not_answered, {ok, ok, {Tag, _, _}}, Rest}) when Tag =:= tcp_error -> [{tcp_closed, _} | _] = Rest;
is_told({not_answered, {ok, ok, {tcp_closed, _}}, _}) -> ok.

%% Each socket has early answers of its own bridge; a rule ends those of both, unless it is for others.
two_bridges(_Config) ->
    Talks = [talk(), talk()],
    {ok, Others} = inetpy_fault:add(#{port => 1}, down),
    [true, true] = [inetpy_talk:is_early(Talk) || Talk <- Talks],
    ok = inetpy_fault:remove(Others),
    {ok, Rule} = inetpy_fault:add(#{}, {latency, #{ms => 0}}),
    [false, false] = [inetpy_talk:is_early(Talk) || Talk <- Talks],
    _ = [ok = inetpy_talk:goes_on(Talk) || Talk <- Talks],
    ok = inetpy_fault:remove(Rule),
    _ = [ok = inetpy_talk:until_early(Talk) || Talk <- Talks],
    _ = [ok = inetpy_talk:stop(Talk) || Talk <- Talks],
    ok.

%% The stock driver loses datagrams when its socket goes to another owner in a burst.
datagrams_of_many_owners(_Config) ->
    Given = [binary, {active, false}, {ip, ?LOOPBACK}, {recbuf, 1 bsl 20}],
    {ok, S} = gen_udp:open(0, inetpy:udp_options(Given)),
    {ok, P} = gen_udp:open(0, Given),
    {ok, Port} = inet:port(S),
    [ok = inet:setopts(S, [{active, once}]) || _ <- lists:seq(1, 40)],
    _ = xc:spawn_call(fun() -> [ok = gen_udp:send(P, ?LOOPBACK, Port, <<N:32>>) || N <- lists:seq(1, 200)] end),
    Self = self(),
    ok = xc:hand_over(S, fun() -> hand_on(S, 1, 200, Self) end),
    receive all -> ok after 30000 -> ct:fail(not_all) end.

%% The next owner receives the next datagram. Another number fails the owner.
hand_on(S, N, Last, Test) ->
    receive {udp, S, _, _, <<N:32>>} -> ok end,
    ok = inet:setopts(S, [{active, once}]),
    case N of
        Last -> Test ! all;
        _ -> ok = xc:hand_over(S, fun() -> hand_on(S, N + 1, Last, Test) end)
    end.

%% A talk whose callers do not wait any more.
talk() ->
    Talk = inetpy_talk:start(fun inetpy:tcp_options/1),
    ok = inetpy_talk:until_early(Talk),
    Talk.
