%% What random faults make of the same traffic. Writes a line for each kind of traffic: `datagrams TERM`, `stream TERM`.
%% The seed is that of the environment, INETPY_SEED. Each traffic has its own port, which is the same in each run: a
%% rule's random numbers depend on whom it concerns.
-module(xf_seeds).

-export([main/1]).

-define(DATAGRAMS, 21000).
-define(STREAM, 21001).

%% What = alone: the rules of the traffic only. more: others beside them. twice: the traffic two times, the rules
%% added anew.
-spec main([string()]) -> no_return().
main([What]) ->
    ok = inetpy:start(),
    [Backend] = inetpy_xc:backends([inetpy]),
    _ = [more() || What =:= "more"],
    traffic(Backend),
    _ = [traffic(Backend) || What =:= "twice"],
    halt(0).

%% Rules for nobody, for another port, and for these ports without an effect.
more() ->
    [
        {ok, _} = inetpy_fault:add(Whom, Fault, When)
     || {Whom, Fault, When} <- [
            {#{port => 9}, {loss, #{p => 0.5}}, #{}},
            {#{port => ?DATAGRAMS, direction => send}, {loss, #{p => 0.0}}, #{}},
            {#{port => ?DATAGRAMS, direction => recv}, {truncate, #{size => 100000}}, #{'when' => {probability, 0.5}}},
            {#{port => ?STREAM, direction => recv}, {limit, #{bytes => 1000000}}, #{}}
        ]
    ].

traffic(B) ->
    io:format("datagrams ~w~n", [with(?DATAGRAMS, datagram_faults(), fun() -> datagrams(B) end)]),
    io:format("stream ~w~n", [with(?STREAM, [{slice, #{size => 50, variation => 40}}], fun() -> stream(B) end)]).

datagram_faults() ->
    [{loss, #{p => 0.3}}, {duplicate, #{p => 0.3}}, {corrupt, #{p => 0.2}}, {reorder, #{p => 0.2, gap => 2}}].

with(Port, Faults, Fun) -> inetpy_fault:with(#{port => Port, direction => recv}, Faults, Fun).

%% Two sockets, each with dice of its own.
datagrams(B) ->
    {ok, P} = gen_udp:open(?DATAGRAMS, [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    Seen = [one(B, P) || _ <- [1, 2]],
    ok = gen_udp:close(P),
    Seen.

one(B, P) ->
    {S, Port} = xc:udp(B, [{recbuf, 1 bsl 20}]),
    ok = gen_udp:send(S, {127, 0, 0, 1}, ?DATAGRAMS, "hello"),
    {ok, _} = gen_udp:recv(P, 0, 5000),
    _ = [ok = gen_udp:send(P, {127, 0, 0, 1}, Port, <<N, 0:800>>) || N <- lists:seq(1, 60)],
    Seen = received(S),
    ok = gen_udp:close(S),
    Seen.

received(S) ->
    case gen_udp:recv(S, 0, 300) of
        {ok, {_, _, <<N, Rest/binary>>}} -> [{N, binary:decode_unsigned(<<0, Rest/binary>>)} | received(S)];
        {error, timeout} -> []
    end.

%% The sizes of what each read gets.
stream(B) ->
    {ok, L} = gen_tcp:listen(?STREAM, [binary, {active, false}, {ip, {127, 0, 0, 1}}, {reuseaddr, true}]),
    {ok, S} = xc:connect(B, {127, 0, 0, 1}, ?STREAM, []),
    {ok, P} = gen_tcp:accept(L),
    ok = gen_tcp:send(P, xc:fill(2000)),
    ok = gen_tcp:close(P),
    Sizes = sizes(S),
    ok = gen_tcp:close(S),
    ok = gen_tcp:close(L),
    Sizes.

sizes(S) ->
    case gen_tcp:recv(S, 0, 5000) of
        {ok, Data} -> [byte_size(Data) | sizes(S)];
        {error, closed} -> []
    end.
