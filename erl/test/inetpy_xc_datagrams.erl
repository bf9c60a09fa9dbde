%% Random sequences of operations on a socket of gen_udp, which has two peers of inet: see inetpy_xc_random.
%%
%% After every operation the messages are collected until no more come. So the observation does not depend on speed.
-module(inetpy_xc_datagrams).

-behaviour(inetpy_xc_random).

-export([api/0, sequence/1, observe/3, text/1]).

-import(inetpy_xc_random, [heir/0, pick/1, quiet/1]).

-type operation() :: tuple().
-type sequence() :: {Options :: list(), [operation()]}.

-define(LENGTH, 14).
%% The peers have room for all that can come before they read.
-define(ROOM, [{recbuf, 1 bsl 20}, {buffer, 1 bsl 17}]).
-define(LOOPBACK, {127, 0, 0, 1}).

-spec api() -> gen_udp.
api() -> gen_udp.

-spec sequence(integer()) -> sequence().
sequence(Seed) ->
    _ = rand:seed(exsss, Seed),
    Options = [option() || _ <- lists:seq(1, rand:uniform(4) - 1)],
    {Options, steady([operation() || _ <- lists:seq(1, ?LENGTH)])}.

%% A datagram to a peer that has gone makes an error, and which call says so is a matter of early answers: see xc_early.
%% So only one leaves behind the peer's end.
steady(Operations) ->
    {Before, Behind} = lists:splitwith(fun(O) -> O =/= {peer_closes} end, Operations),
    {Silent, Rest} = lists:splitwith(fun(O) -> not sends(O) end, Behind),
    Before ++ Silent ++ [O || [{send, _, _} = O | _] <- [Rest]] ++ [O || O <- Rest, not sends(O)].

sends(Operation) -> lists:member(element(1, Operation), [send, sends, talk]).

operation() ->
    case rand:uniform(26) of
        N when N =< 5 -> {peer_sends, peer(), data()};
        N when N =< 9 -> {send, pick([p, p, q, connected]), pick([data(), xc:fill(pick([8192, 8193, 65507, 65508]))])};
        N when N =< 13 -> {recv, pick([0, 0, 0, 1, 20000]), pick([0, 0, 15])};
        N when N =< 16 -> {setopts, [option() || _ <- lists:seq(1, rand:uniform(2))]};
        17 -> {getopts, [active, mode, buffer, header, read_packets]};
        18 -> {getstat};
        19 -> {connect, peer()};
        20 -> pick([{peer_closes}, {close}, {sockname}, {peername}, {give_away}]);
        21 -> {send, nobody, <<"x">>};
        N when N =< 25 -> chatty();
        26 -> {peer_reads, peer()}
    end.

%% What is done so often that inetpy answers without Python: see xc_early.
chatty() ->
    pick([
        {sends, pick([connected, p, p, q]), rand:uniform(50), pick([<<"x">>, <<>>, xc:fill(500)])},
        {setopts_often, rand:uniform(50), pick([[{active, once}], [{active, once}, {read_packets, 3}]])},
        {talk, peer(), rand:uniform(12), pick([<<"x">>, xc:fill(50)])}
    ]).

peer() -> pick([p, p, p, q]).

option() ->
    case rand:uniform(7) of
        N when N =< 4 -> {active, pick([true, false, once, once, 2, 1, 0, -1])};
        5 -> {mode, pick([list, binary])};
        6 -> {header, pick([0, 2])};
        7 -> pick([{buffer, 20}, {buffer, 30000}, {read_packets, 1}, {read_packets, 10}])
    end.

data() -> pick([<<"x">>, <<>>, <<"hello">>, xc:fill(50), xc:fill(1400)]).

%% --- running ---------------------------------------------------------------

-spec text(sequence()) -> iolist().
text(Sequence) -> io_lib:format("~p", [Sequence]).

-spec observe(xc:backend(), sequence(), pos_integer()) -> term().
observe(Backend, {Options, Operations}, Quiet) ->
    inetpy_xc_random:observed(fun() ->
        Scene = scene(Backend, Options),
        First = quiet(Quiet),
        Seen = [{Operation, perform(Operation, Scene), quiet(Quiet)} || Operation <- Operations],
        named({First, Seen}, maps:from_list([{Port, Name} || {Name, {_, Port}} <- maps:to_list(Scene)]))
    end).

%% The socket of the backend, its peers, and the ports of all.
-spec scene(xc:backend(), list()) -> #{s | p | q := {gen_udp:socket(), inet:port_number()}}.
scene(Backend, Options) ->
    Peers = #{udp => maps:get(peer, Backend, fun(Given) -> Given end)},
    maps:from_list([{s, xc:udp(Backend, Options)} | [{Peer, xc:udp(Peers, ?ROOM)} || Peer <- [p, q]]]).

%% With names instead of ports, which differ in each run.
named(Tuple, Names) when is_tuple(Tuple) -> list_to_tuple(named(tuple_to_list(Tuple), Names));
named([Head | Tail], Names) -> [named(Head, Names) | named(Tail, Names)];
named(Term, Names) -> maps:get(Term, Names, Term).

perform({peer_sends, Peer, Data}, #{s := {_, Port}} = Scene) -> gen_udp:send(socket(Peer, Scene), ?LOOPBACK, Port, Data);
perform({peer_closes}, Scene) -> gen_udp:close(socket(p, Scene));
perform({peer_reads, Peer}, Scene) -> reads(socket(Peer, Scene));
perform({talk, Peer, Times, Data}, #{s := {S, _}} = Scene) -> taken(S) ++ rounds(Times, Data, Peer, Scene);
perform({sends, To, Times, Data}, #{s := {S, _}} = Scene) -> sends(To, Times, Data, S, Scene);
perform({send, To, Data}, #{s := {S, _}} = Scene) -> send(S, To, Data, Scene);
perform({connect, Peer}, #{s := {S, _}} = Scene) -> gen_udp:connect(S, ?LOOPBACK, port(Peer, Scene));
perform({setopts_often, Times, Options}, #{s := {S, _}}) -> {taken(S), [inet:setopts(S, Options) || _ <- lists:seq(1, Times)]};
perform(Operation, #{s := {S, _}}) -> perform_alone(Operation, S).

perform_alone({recv, Length, Timeout}, S) -> gen_udp:recv(S, Length, Timeout);
perform_alone({setopts, Options}, S) -> inet:setopts(S, Options);
perform_alone({getopts, Names}, S) -> inet:getopts(S, Names);
perform_alone({getstat}, S) -> inet:getstat(S, [recv_oct, recv_cnt, recv_max, send_oct, send_cnt, send_max]);
perform_alone({close}, S) -> gen_udp:close(S);
perform_alone({sockname}, S) -> inet:sockname(S);
perform_alone({peername}, S) -> inet:peername(S);
perform_alone({give_away}, S) ->
    xc:attempt(fun() -> gen_udp:controlling_process(S, heir()) end).

socket(Name, Scene) -> element(1, maps:get(Name, Scene)).

port(nobody, _) -> 0;
port(Name, Scene) -> element(2, maps:get(Name, Scene)).

send(S, connected, Data, _) -> gen_udp:send(S, Data);
send(S, To, Data, Scene) -> gen_udp:send(S, ?LOOPBACK, port(To, Scene), Data).

sends(To, Times, Data, S, Scene) ->
    Sent = [send(S, To, Data, Scene) || _ <- lists:seq(1, Times)],
    {Sent, [reads(socket(Peer, Scene)) || Peer <- [p, q]]}.

reads(Peer) ->
    case gen_udp:recv(Peer, 0, 30) of
        {ok, Datagram} -> [Datagram | reads(Peer)];
        {error, Reason} -> [Reason]
    end.

%% Questions of the peer, and answers, as long as questions come. What has come before is taken first.
rounds(0, _, _, _) ->
    [];
rounds(Times, Data, Peer, #{s := {S, Port}} = Scene) ->
    Once = inet:setopts(S, [{active, once}]),
    Asked = gen_udp:send(socket(Peer, Scene), ?LOOPBACK, Port, Data),
    Message = xc:next(60),
    Answered = send(S, Peer, Data, Scene),
    Round = {Once, Asked, Message, Answered, gen_udp:recv(socket(Peer, Scene), 0, 60)},
    [Round | [R || is_tuple(Message), R <- rounds(Times - 1, Data, Peer, Scene)]].

%% How many datagrams that wait come with one `{active, once}` is a matter of speed, so they are taken one by one.
taken(S) ->
    case {inet:setopts(S, [{active, once}]), xc:next(60)} of
        {ok, {udp, S, _, _, _}} = Taken -> [Taken | taken(S)];
        {ok, {heir, {udp, S, _, _, _}}} = Taken -> [Taken | taken(S)];
        Other -> [Other]
    end.
