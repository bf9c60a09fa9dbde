%% Random sequences of operations on a pair of sockets of gen_tcp: see inetpy_xc_random.
%%
%% One end of the pair is a socket of the backend, the other of inet. After every operation the messages are collected
%% until no more come. So the observation does not depend on speed.
-module(inetpy_xc_sequences).

-behaviour(inetpy_xc_random).

-export([api/0, sequence/1, observe/3, text/1]).

-import(inetpy_xc_random, [heir/0, pick/1, quiet/1]).

-type operation() :: tuple().
-type sequence() :: {Options :: list(), [operation()]}.

-define(LENGTH, 14).

-spec api() -> gen_tcp.
api() -> gen_tcp.

-spec sequence(integer()) -> sequence().
sequence(Seed) ->
    _ = rand:seed(exsss, Seed),
    Options = [pick([packet(), option(), option()]) || _ <- lists:seq(1, rand:uniform(4) - 1)],
    {Options, steady(Options, [operation() || _ <- lists:seq(1, ?LENGTH)])}.

%% In how many messages much data comes is a matter of speed, if the socket is made active again all the time. So is it how
%% many calls go well behind the end of what comes: see xc_early.
%% With delay_send the stock driver sees that nothing can be sent while the next call is under way.
steady(Options, Operations) ->
    Set = lists:append([Options | [Some || {setopts, Some} <- Operations]]),
    Ends = [{peer_shuts}, {peer_closes}, {peer_resets}, {shutdown, read}] ++ [{shutdown, write} || {delay_send, true} <- Set],
    {Before, Behind} = lists:splitwith(fun(O) -> not lists:member(O, Ends) end, without_overflow(Set, Operations)),
    without_much(Before ++ [O || O <- Behind, not is_chatty(element(1, O))]).

%% A buffer that unrecv has made is full. If packet_size is larger, the driver of OTP 25 makes the buffer as large, and reads so many
%% bytes behind those that are there, past the end of it.
without_overflow(Set, Operations) ->
    [O || O <- Operations, element(1, O) =/= unrecv orelse not lists:member({packet_size, 12}, Set)].

is_chatty(Name) -> lists:member(Name, [sends, setopts_often, talk]).

%% How much of it has come is a matter of the system when a peer's bytes to a closed socket make a reset.
without_much(Operations) ->
    Often = lists:any(fun(O) -> lists:member(element(1, O), [talk, setopts_often]) end, Operations),
    Closes = lists:member({close}, Operations),
    [O || O <- Operations, not (Often andalso is_much(peer_sends, O)), not (Closes andalso is_much(sends, O))].

is_much(Name, Operation) ->
    element(1, Operation) =:= Name andalso byte_size(element(tuple_size(Operation), Operation)) > 1000.

operation() ->
    case rand:uniform(26) of
        N when N =< 5 -> {peer_sends, data()};
        N when N =< 7 -> {send, data()};
        N when N =< 11 -> {recv, pick([0, 0, 0, 1, 3, 10, 20000]), pick([0, 0, 15])};
        N when N =< 15 -> {setopts, [option() || _ <- lists:seq(1, rand:uniform(2))]};
        16 -> {getopts, [active, packet, mode, packet_size, buffer, exit_on_close, header]};
        17 -> {getstat};
        18 -> {unrecv, data()};
        19 -> pick([{peer_shuts}, {peer_closes}, {peer_resets}]);
        20 -> pick([{shutdown, read}, {shutdown, write}, {close}, {sockname}, {peername}, {give_away}]);
        N when N =< 23 -> chatty();
        N when N =< 26 -> {peer_reads}
    end.

%% What is done so often that inetpy answers without Python: see xc_early.
chatty() ->
    pick([
        {sends, rand:uniform(50), pick([<<"x">>, <<"a;b\n">>, <<>>, xc:fill(50), xc:fill(8192)])},
        {setopts_often, rand:uniform(50), pick([[{active, once}], [{active, once}, {nodelay, true}]])},
        {talk, rand:uniform(12), pick([<<"x">>, <<0, 3, "abc">>, <<3, "abc">>, <<0, 0, 0, 2, "ab">>, <<"a\n">>, <<"a\nb\n">>])}
    ]).

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

%% --- running ---------------------------------------------------------------

-spec text(sequence()) -> iolist().
text(Sequence) -> io_lib:format("~p", [Sequence]).

-spec observe(xc:backend(), sequence(), pos_integer()) -> term().
observe(Backend, {Options, Operations}, Quiet) ->
    inetpy_xc_random:observed(fun() ->
        {S, P} = xc:pair(Backend, Options),
        ok = inet:setopts(P, [{nodelay, true}, {linger, {false, 0}}]),
        First = quiet(Quiet),
        {First, [{Operation, perform(Operation, S, P), quiet(Quiet)} || Operation <- Operations]}
    end).

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
perform({sends, Times, Data}, S, _) -> [gen_tcp:send(S, Data) || _ <- lists:seq(1, Times)];
perform({setopts_often, Times, Options}, S, _) -> {taken(S), [inet:setopts(S, Options) || _ <- lists:seq(1, Times)]};
perform({talk, Times, Data}, S, P) -> talk(Times, Data, S, P);
perform({peer_reads}, _, P) -> peer_reads(P);
perform({give_away}, S, _) ->
    gen_tcp:controlling_process(S, heir()).

%% Questions of the peer, and answers, as long as data comes. What has come before is taken first: how much of it is
%% one message with the first question is a matter of speed. So is how many calls go well before an error of such bytes is seen.
talk(Times, Data, S, P) ->
    taken(S) ++ rounds(Times, Data, S, P).

taken(S) ->
    case {inet:setopts(S, [{active, once}]), xc:next(60)} of
        {ok, {_, S, _}} = Taken -> [Taken | taken(S)];
        {ok, {heir, {_, S, _}}} = Taken -> [Taken | taken(S)];
        Other -> [Other]
    end.

rounds(0, _, _, _) ->
    [];
rounds(Times, Data, S, P) ->
    case inet:setopts(S, [{active, once}]) of
        ok ->
            Asked = gen_tcp:send(P, Data),
            Message = xc:next(60),
            Answered = gen_tcp:send(S, Data),
            [{Asked, Message, Answered} | [R || is_whole(Message, Data), R <- rounds(Times - 1, Data, S, P)]];
        Refused ->
            [Refused]
    end.

%% Of the rest of a question, too, it is a matter of speed how much comes with the next one. A whole one is the end of the
%% question: all of it, or what is behind its header.
is_whole({tcp, _, Some}, Data) ->
    Size = iolist_size(Some),
    Size =< byte_size(Data) andalso binary:part(Data, byte_size(Data), -Size) =:= iolist_to_binary(Some);
is_whole(_, _) ->
    false.

%% All that has come, and why there is no more.
peer_reads(P) -> peer_reads(P, []).

peer_reads(P, Data) ->
    case gen_tcp:recv(P, 0, 50) of
        {ok, More} -> peer_reads(P, [Data | More]);
        {error, Reason} -> {iolist_to_binary(Data), Reason}
    end.
