%% Runs random sequences of operations on a pair of sockets, and compares the observations of all backends. A
%% sequence with a difference is shrunk to its shortest form.
%%
%% One end of the pair is a socket of the backend, the other of inet. After every operation the messages are collected
%% until no more come. So the observation does not depend on speed. A sequence with a difference runs again, more
%% slowly. If there is no difference then, it was one of timing.
-module(inetpy_xc_random).

-export([main/1, run/3]).

-type operation() :: tuple().
-type sequence() :: {Options :: list(), [operation()]}.
-type difference() :: {sequence(), [{atom(), term()}]}.

-define(LENGTH, 14).
-define(PARALLEL, 6).

%% From the shell: COUNT sequences from SEED on, on BACKEND,BACKEND... Prints the differences. If there are any, halts
%% with 1.
-spec main([string()]) -> no_return().
main(Arguments) ->
    inetpy_xc:main_or_cannot(fun() -> compared(Arguments) end).

compared([Count, Seed, Names]) ->
    Backends = inetpy_xc:started(Names),
    Differences = run(list_to_integer(Count), list_to_integer(Seed), Backends),
    [io:format("seed ~b:~n~p~n", [S, D]) || {S, D} <- Differences],
    io:format("~s sequences from seed ~s, ~b different~n", [Count, Seed, length(Differences)]),
    halt(min(1, length(Differences))).

-spec run(pos_integer(), non_neg_integer(), [xc:backend()]) -> [{integer(), difference()}].
run(Count, Seed, Backends) ->
    Seeds = lists:seq(Seed, Seed + Count - 1),
    Differs = fun(Sequence, Quiet) -> differs(Sequence, Quiet, Backends) end,
    Suspects = lists:append(parallel(fun(S) -> [S || Differs(sequence(S), 12)] end, Seeds)),
    [
        {S, shrink(sequence(S), Backends)}
     || S <- Suspects, Differs(sequence(S), 60), Differs(sequence(S), 150)
    ].

parallel(Fun, Items) ->
    Parent = self(),
    Lanes = [[I || I <- Items, I rem ?PARALLEL =:= Lane] || Lane <- lists:seq(0, ?PARALLEL - 1)],
    Workers = [spawn_link(fun() -> Parent ! {self(), [Fun(I) || I <- Lane]} end) || Lane <- Lanes],
    lists:append([receive {Worker, Results} -> Results end || Worker <- Workers]).

differs(Sequence, Quiet, Backends) ->
    length(lists:usort([O || {_, O} <- observations(Sequence, Quiet, Backends)])) > 1.

observations(Sequence, Quiet, Backends) ->
    [{Name, observe(Backend, Sequence, Quiet)} || #{name := Name} = Backend <- Backends].

%% Leaves out every operation and option without which the difference stays.
shrink({Options, Operations}, Backends) ->
    Differs = fun(Sequence) -> differs(Sequence, 30, Backends) end,
    FewerOperations = fewer(Operations, fun(Some) -> Differs({Options, Some}) end),
    FewerOptions = fewer(Options, fun(Some) -> Differs({Some, FewerOperations}) end),
    Shortest = {FewerOptions, FewerOperations},
    {Shortest, observations(Shortest, 30, Backends)}.

fewer(List, Differs) ->
    lists:foldl(
        fun(N, Kept) ->
            Tried = without(N, Kept),
            case Differs(Tried) of
                true -> Tried;
                false -> Kept
            end
        end,
        List,
        lists:seq(length(List), 1, -1)
    ).

without(N, List) ->
    {Before, [_ | After]} = lists:split(N - 1, List),
    Before ++ After.

%% --- sequences -------------------------------------------------------------

-spec sequence(integer()) -> sequence().
sequence(Seed) ->
    _ = rand:seed(exsss, Seed),
    Options = [pick([packet(), option(), option()]) || _ <- lists:seq(1, rand:uniform(4) - 1)],
    {Options, [operation() || _ <- lists:seq(1, ?LENGTH)]}.

operation() ->
    case rand:uniform(20) of
        N when N =< 5 -> {peer_sends, data()};
        N when N =< 7 -> {send, data()};
        N when N =< 11 -> {recv, pick([0, 0, 0, 1, 3, 10, 20000]), pick([0, 0, 15])};
        N when N =< 15 -> {setopts, [option() || _ <- lists:seq(1, rand:uniform(2))]};
        16 -> {getopts, [active, packet, mode, packet_size, buffer, exit_on_close, header]};
        17 -> {getstat};
        18 -> {unrecv, data()};
        19 -> pick([{peer_shuts}, {peer_closes}, {peer_resets}]);
        20 -> pick([{shutdown, read}, {shutdown, write}, {close}, {sockname}, {peername}, {give_away}])
    end.

%% The packet type is set only at the start. The driver of OTP 25 can crash when the type changes later: after a
%% recv of fewer bytes than the new header has timed out with 0, when bytes come.
packet() ->
    {packet, pick([raw, 1, 2, 4, line, http_bin, httph, sunrm, tpkt, asn1])}.

option() ->
    case rand:uniform(8) of
        N when N =< 4 -> {active, pick([true, false, once, once, 2, 1, 0, -1])};
        5 -> {mode, pick([list, binary])};
        6 -> {header, pick([0, 2])};
        7 -> pick([{packet_size, 12}, {packet_size, 0}, {buffer, 20}, {buffer, 30000}, {line_delimiter, $;}]);
        8 -> pick([{exit_on_close, false}, {show_econnreset, true}, {nodelay, true}, {delay_send, true}])
    end.

data() ->
    pick([
        <<"x">>, <<"hello\nworld\n">>, <<0, 3, "abc">>, <<3, "abc">>, <<0, 0, 0, 2, "ab">>,
        <<"a;b\n">>, <<"GET / HTTP/1.1\r\nHost: h\r\n\r\n">>, xc:fill(50), <<3, 0, 0, 7, "tpk">>, <<48, 2, "as">>, <<>>,
        xc:fill(40000)
    ]).

pick(List) -> lists:nth(rand:uniform(length(List)), List).

%% --- running ---------------------------------------------------------------

observe(Backend, {Options, Operations}, Quiet) ->
    {Pid, Ref} = spawn_monitor(fun() ->
        {S, P} = xc:pair(Backend, Options),
        ok = inet:setopts(P, [{nodelay, true}, {linger, {false, 0}}]),
        First = quiet(Quiet),
        Seen = [{Operation, perform(Operation, S, P), quiet(Quiet)} || Operation <- Operations],
        exit({observed, inetpy_xc:normalise({First, Seen})})
    end),
    receive
        {'DOWN', Ref, process, Pid, {observed, Observed}} -> Observed;
        {'DOWN', Ref, process, Pid, Reason} -> {died, inetpy_xc:normalise(Reason)}
    after 5000 ->
        exit(Pid, kill),
        stuck
    end.

quiet(Quiet) ->
    receive
        Message -> [Message | quiet(Quiet)]
    after Quiet -> []
    end.

perform({peer_sends, Data}, _, P) -> gen_tcp:send(P, Data);
perform({peer_shuts}, _, P) -> gen_tcp:shutdown(P, write);
perform({peer_closes}, _, P) -> gen_tcp:close(P);
perform({peer_resets}, _, P) -> _ = inet:setopts(P, [{linger, {true, 0}}]), gen_tcp:close(P);
perform({send, Data}, S, _) -> gen_tcp:send(S, Data);
perform({recv, Length, Timeout}, S, _) -> gen_tcp:recv(S, Length, Timeout);
perform({setopts, Options}, S, _) -> inet:setopts(S, Options);
perform({getopts, Names}, S, _) -> inet:getopts(S, Names);
perform({getstat}, S, _) -> inet:getstat(S, [recv_oct, recv_cnt, send_oct, send_cnt, send_pend]);
perform({unrecv, Data}, S, _) -> gen_tcp:unrecv(S, Data);
perform({shutdown, How}, S, _) -> gen_tcp:shutdown(S, How);
perform({close}, S, _) -> gen_tcp:close(S);
perform({sockname}, S, _) -> element(1, inet:sockname(S));
perform({peername}, S, _) -> element(1, inet:peername(S));
perform({give_away}, S, _) ->
    Self = self(),
    Heir = spawn(fun() -> relay(Self) end),
    gen_tcp:controlling_process(S, Heir).

relay(To) ->
    receive
        Message ->
            To ! {heir, Message},
            relay(To)
    end.
