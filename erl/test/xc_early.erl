%% Programs that make the same small call all the time: gen_tcp:send/2 of a few bytes, and {active, once}. Their callers
%% need not wait for Python after a while. Both ends are of the backend.
-module(xc_early).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {echo, "Questions and answers, with {active, once} at both ends.", fun(B) ->
            {S, P} = chatty(B, []),
            Echo = served(P),
            Answers = [ask(S, <<N:32>>) || N <- lists:seq(1, 300)],
            ok = gen_tcp:close(S),
            {Answers =:= [<<N:32>> || N <- lists:seq(1, 300)], xc:await(Echo)}
        end},
        {echo_of_packets, "The same with {packet, 2}.", fun(B) ->
            {S, P} = chatty(B, [{packet, 2}]),
            Echo = served(P),
            Answers = [ask(S, binary:copy(<<"x">>, N)) || N <- lists:seq(0, 200)],
            ok = gen_tcp:close(S),
            {[byte_size(A) || A <- Answers] =:= lists:seq(0, 200), xc:await(Echo)}
        end},
        {sizes, "Small sends and large ones keep their order.", fun(B) ->
            {S, P} = chatty(B, []),
            Pieces = [binary:copy(<<N>>, Size) || N <- lists:seq(1, 40), Size <- [1, 100, 8192, 8193, 20000]],
            Sent = xc:spawn_call(fun() -> [gen_tcp:send(S, Piece) || Piece <- Pieces] end),
            Whole = iolist_to_binary(Pieces),
            {gen_tcp:recv(P, byte_size(Whole), 5000) =:= {ok, Whole}, lists:usort(xc:await(Sent))}
        end},
        {senders, "Several processes send: each in order.", fun(B) ->
            {S, P} = chatty(B, []),
            [
                spawn(fun() -> [ok = gen_tcp:send(S, <<Id, N:24>>) || N <- lists:seq(1, 300)] end)
             || Id <- lists:seq(1, 5)
            ],
            {ok, Data} = gen_tcp:recv(P, 6000, 5000),
            Pieces = [{Id, N} || <<Id, N:24>> <= Data],
            [[N || {I, N} <- Pieces, I =:= Id] =:= lists:seq(1, 300) || Id <- lists:seq(1, 5)]
        end},
        {slow_reader, "A peer that does not read stops the sender; nothing is lost.", fun(B) ->
            {S, P} = chatty(B, [{sndbuf, 4096}, {recbuf, 4096}]),
            Counter = counters:new(1, []),
            Sender = spawn_link(fun() -> send_for_ever(S, 1, Counter) end),
            Stopped = xc:rests(Counter),
            Data = take(P, 1000 * 100, <<>>),
            unlink(Sender),
            exit(Sender, kill),
            {Stopped, Data =:= <<<<N:800>> || N <- lists:seq(1, 1000)>>}
        end},
        {close, "What was sent comes before the end.", fun(B) ->
            {S, P} = chatty(B, []),
            Sent = [gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), gen_tcp:close(S), gen_tcp:recv(P, 400, 5000) =:= {ok, numbers(100)}, gen_tcp:recv(P, 0, 5000)}
        end},
        {shutdown, "The same with shutdown; no send goes behind it.", fun(B) ->
            {S, P} = chatty(B, []),
            [ok = gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 100)],
            Shut = gen_tcp:shutdown(S, write),
            {Shut, [gen_tcp:send(S, "x") || _ <- [1, 2, 3]], gen_tcp:recv(P, 400, 5000) =:= {ok, numbers(100)}, gen_tcp:recv(P, 0, 5000)}
        end},
        {hand_over, "The socket gets another owner between two sends.", fun(B) ->
            {S, P} = chatty(B, []),
            [ok = gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 50)],
            ok = xc:hand_over(S, fun() ->
                [ok = gen_tcp:send(S, <<N:32>>) || N <- lists:seq(51, 100)],
                receive stop -> ok end
            end),
            {gen_tcp:recv(P, 400, 5000) =:= {ok, numbers(100)}, gen_tcp:recv(P, 0, 50)}
        end},
        {hand_over_once, "{active, once} goes with it.", fun(B) ->
            {S, P} = chatty(B, []),
            Self = self(),
            ok = inet:setopts(S, [{active, once}]),
            ok = xc:hand_over(S, fun() -> Self ! {got, xc:next(), inet:setopts(S, [{active, once}]), xc:next()} end),
            ok = gen_tcp:send(P, "one"),
            timer:sleep(50),
            ok = gen_tcp:send(P, "two"),
            {got, {tcp, S, One}, Again, {tcp, S, Two}} = xc:next(),
            {One, Again, Two}
        end},
        {hand_over_in_a_burst, "From owner to owner, with each message, while the peer sends: all of it comes, in order.", fun(B) ->
            {S, P} = chatty(B, []),
            Sent = xc:spawn_call(fun() -> lists:usort([gen_tcp:send(P, <<N:32>>) || N <- lists:seq(1, 20000)]) end),
            ok = inet:setopts(S, [{active, once}]),
            {handed_on(S, 4 * 20000) =:= numbers(20000), xc:await(Sent)}
        end},
        {hand_over_while_another_sends, "From owner to owner, while a process that never owns it sends.", fun(B) ->
            {S, P} = chatty(B, []),
            Sent = xc:spawn_call(fun() -> lists:usort([gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 2000)]) end),
            ok = given(S, 20, self()),
            {gen_tcp:recv(P, 8000, 5000) =:= {ok, numbers(2000)}, xc:await(Sent), xc:next()}
        end},
        {owner_dies, "The owner ends behind its sends: all of them come.", fun(B) ->
            {S, P} = chatty(B, []),
            ok = xc:hand_over(S, fun() -> [ok = gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 100)] end),
            {gen_tcp:recv(P, 400, 5000) =:= {ok, numbers(100)}, gen_tcp:recv(P, 0, 5000)}
        end},
        {bad_data, "What is no iodata is einval, and changes nothing.", fun(B) ->
            {S, P} = chatty(B, []),
            {[gen_tcp:send(S, X) || X <- [atom, [256], <<1:3>>, {t}]], gen_tcp:send(S, "good"), gen_tcp:recv(P, 0, 5000)}
        end},
        {counters, "Each send is counted.", fun(B) ->
            {S, _} = chatty(B, []),
            {ok, Before} = inet:getstat(S, [send_cnt, send_oct]),
            [ok = gen_tcp:send(S, "12345") || _ <- lists:seq(1, 100)],
            {ok, After} = inet:getstat(S, [send_cnt, send_oct]),
            [A - C || {{K, A}, {K, C}} <- lists:zip(After, Before)]
        end},
        {options_behind, "A list of options, {active, false}, and {active, N} answer as ever.", fun(B) ->
            {S, P} = chatty(B, []),
            ok = inet:setopts(S, [{active, once}]),
            First = [inet:setopts(S, [{active, false}]), gen_tcp:send(P, "x"), gen_tcp:recv(S, 0, 5000)],
            Second = [inet:setopts(S, [{active, once}, {nodelay, true}]), inet:getopts(S, [active, nodelay])],
            Third = [inet:setopts(S, [{active, 32767}]), inet:setopts(S, [{active, 1}]), inet:getopts(S, [active])],
            {First, Second, Third, inet:setopts(S, [{active, once}]), inet:getopts(S, [active])}
        end},
        {recv_while_active, "recv is einval behind {active, once}.", fun(B) ->
            {S, P} = chatty(B, []),
            ok = inet:setopts(S, [{active, once}]),
            Refused = gen_tcp:recv(S, 0, 0),
            ok = gen_tcp:send(P, "x"),
            {Refused, data(S, xc:next()), gen_tcp:recv(S, 0, 0)}
        end},
        {lines, "A line that is there is in the mailbox when setopts answers.", fun(B) ->
            {S, P} = chatty(B, [{packet, line}]),
            ok = inet:setopts(S, [{active, once}]),
            ok = gen_tcp:send(P, "1\n2\n3\n4\n"),
            First = data(S, xc:next()),
            Next = [{inet:setopts(S, [{active, once}]), data(S, xc:next(0))} || _ <- [1, 2, 3]],
            {First, Next, inet:setopts(S, [{active, once}]), xc:next(0)}
        end},
        {unrecv, "Nor does what was put back wait.", fun(B) ->
            {S, _} = chatty(B, []),
            {gen_tcp:unrecv(S, "back"), inet:setopts(S, [{active, once}]), data(S, xc:next(0))}
        end},
        {closed_by_peer, "The owner hears of the end; the socket is gone for setopts and send.", fun(B) ->
            {S, P} = chatty(B, []),
            ok = inet:setopts(S, [{active, once}]),
            ok = gen_tcp:close(P),
            {name(S, xc:next()), inet:setopts(S, [{active, once}]), [gen_tcp:send(S, "x") || _ <- [1, 2]], xc:next(0)}
        end},
        {closed_by_peer_later, "The same when the socket becomes active again after the end.", fun(B) ->
            {S, P} = chatty(B, []),
            ok = gen_tcp:close(P),
            timer:sleep(50),
            {inet:setopts(S, [{active, once}]), name(S, xc:next()), inet:setopts(S, [{active, once}])}
        end},
        {first_sends_behind_the_end, "Sends of a socket that has only received so far, when its peer has gone.", fun(B) ->
            {S, P} = xc:both(B, [], []),
            [ok = inet:setopts(S, [{active, once}]) || _ <- lists:seq(1, 40)],
            ok = gen_tcp:send(P, "x"),
            Got = data(S, xc:next()),
            ok = gen_tcp:close(P),
            {Got, [gen_tcp:send(S, "x") || _ <- [1, 2, 3]]}
        end},
        {closed_here, "Behind close everything is as on a socket that is closed.", fun(B) ->
            {S, _} = chatty(B, []),
            ok = gen_tcp:close(S),
            {gen_tcp:send(S, "x"), inet:setopts(S, [{active, once}]), gen_tcp:recv(S, 0), gen_tcp:close(S)}
        end},
        {many_closes, "Connections opened and closed one after the other: what follows close finds a socket that is closed.", fun(B) ->
            ok = close_many(B),
            {S, _} = xc:both(B, [{active, false}], [{active, false}]),
            Closed = gen_tcp:close(S),
            Ref = inet:monitor(S),
            {'DOWN', Ref, Type, S, Reason} = xc:next(),
            {
                Closed, Type, Reason, inet:peername(S), inet:sockname(S), inet:getopts(S, [active]), inet:setopts(S, [{active, true}]),
                gen_tcp:send(S, "x"), gen_tcp:recv(S, 0), gen_tcp:shutdown(S, write), gen_tcp:close(S), xc:next(0)
            }
        end},
        {close_of_monitored, "The 'DOWN' of a socket is in the mailbox when close answers.", fun(B) ->
            ok = close_many(B),
            {S, P} = xc:both(B, [{active, false}], [{active, false}]),
            Refs = [inet:monitor(X) || X <- [S, P, S]],
            Downs = [{gen_tcp:close(X), xc:next(0)} || X <- [S, P]] ++ [{ok, xc:next(0)}],
            [{Ok, Type, Reason, lists:member(Ref, Refs)} || {Ok, {'DOWN', Ref, Type, _, Reason}} <- Downs]
        end},
        {close_of_active, "No message comes behind close.", fun(B) ->
            ok = close_many(B),
            {S, P} = xc:both(B, [{active, false}], [{active, false}]),
            Sender = spawn(fun() -> send_until_closed(P) end),
            ok = inet:setopts(S, [{active, true}]),
            {tcp, S, _} = xc:next(),
            Closed = gen_tcp:close(S),
            _ = xc:messages(fun(_) -> false end, 0),
            Later = xc:next(50),
            exit(Sender, kill),
            {Closed, Later}
        end},
        {close_behind_once, "The same when the message of {active, once} has come.", fun(B) ->
            ok = close_many(B),
            {S, P} = xc:both(B, [{active, false}], [{active, false}]),
            Set = inet:setopts(S, [{active, once}]),
            ok = gen_tcp:send(P, "one"),
            One = data(S, xc:next()),
            ok = gen_tcp:send(P, "two"),
            {Set, One, gen_tcp:close(S), xc:next(50)}
        end},
        {close_behind_queue, "Close waits for what is queued, and all of it comes.", fun(B) ->
            ok = close_many(B),
            Options = [{active, false}, {sndbuf, 4096}, {recbuf, 4096}, {high_watermark, 1 bsl 22}],
            {S, P} = xc:both(B, Options, Options),
            Data = binary:copy(<<"0123456789">>, 30000),
            Sent = gen_tcp:send(S, Data),
            Closer = xc:spawn_call(fun() -> gen_tcp:close(S) end),
            Waits = xc:await(Closer, 100),
            {Sent, Waits, gen_tcp:recv(P, byte_size(Data), 5000) =:= {ok, Data}, gen_tcp:recv(P, 0, 5000), xc:await(Closer)}
        end},
        {close_while_received, "The caller in recv gets closed, and so does one behind close.", fun(B) ->
            ok = close_many(B),
            {S, _} = xc:both(B, [{active, false}], [{active, false}]),
            Receiver = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 5000) end),
            timer:sleep(50),
            {gen_tcp:close(S), xc:await(Receiver), gen_tcp:recv(S, 0, 5000)}
        end},
        {close_that_lingers, "With linger close answers when the peer has all, or resets.", fun(B) ->
            ok = close_many(B),
            [
                begin
                    {S, P} = xc:both(B, [{active, false}], [{active, false}]),
                    ok = inet:setopts(S, [{linger, Linger}]),
                    ok = gen_tcp:send(S, "x"),
                    {gen_tcp:close(S), [gen_tcp:recv(P, 0, 5000) || Linger =/= {true, 0}], gen_tcp:recv(P, 0, 5000)}
                end
             || Linger <- [{true, 5}, {false, 0}, {true, 0}]
            ]
        end},
        {close_by_others, "Processes that are not the owner close, all at the same time.", fun(B) ->
            ok = close_many(B),
            {S, P} = xc:both(B, [{active, false}], [{active, false}]),
            Closers = [xc:spawn_call(fun() -> {gen_tcp:close(S), gen_tcp:send(S, "x")} end) || _ <- [1, 2, 3, 4]],
            {[xc:await(Closer) || Closer <- Closers], gen_tcp:recv(P, 0, 5000)}
        end},
        {local, "A unix socket.", fun(B) ->
            {S, P} = chatty_local(B),
            Echo = served(P),
            Answers = [ask(S, <<N:32>>) || N <- lists:seq(1, 50)],
            ok = gen_tcp:close(S),
            {Answers =:= [<<N:32>> || N <- lists:seq(1, 50)], xc:await(Echo)}
        end},
        {local_reads_no_more, "The peer of a unix socket does not read any more: each send says so.", fun(B) ->
            {S, P} = chatty_local(B),
            ok = gen_tcp:shutdown(P, read),
            [gen_tcp:send(S, "x") || _ <- [1, 2, 3]]
        end},
        {datagrams, "Datagrams in a loop: all of them, in order.", fun(B) ->
            {S, P, Port} = roomy(B),
            Sent = [gen_udp:send(S, {127, 0, 0, 1}, Port, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), [datagram(P) || _ <- Sent] =:= [<<N:32>> || N <- lists:seq(1, 100)]}
        end},
        {datagrams_to_two, "To two destinations in turn, of all sizes: each gets its own.", fun(B) ->
            {S, P, Port} = roomy(B),
            {_, Q, Other} = roomy(B),
            [ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "x") || _ <- lists:seq(1, 20)],
            Sent = [
                gen_udp:send(S, {{127, 0, 0, 1}, To}, binary:copy(<<N>>, Size))
             || N <- lists:seq(1, 5), To <- [Port, Port, Other], Size <- [0, 1, 1400, 8192, 8193, 65507, 65508]
            ],
            {Sent, [byte_size(datagram(P)) || _ <- lists:seq(1, 20 + 60)], [byte_size(datagram(Q)) || _ <- lists:seq(1, 30)]}
        end},
        {datagrams_connected, "On a connected socket, with {active, once} around each.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            {ok, {Address, PeerPort}} = inet:sockname(P),
            ok = gen_udp:connect(S, Address, PeerPort),
            [
                begin
                    ok = inet:setopts(S, [{active, once}]),
                    ok = gen_udp:send(S, <<N:32>>),
                    Question = datagram(P),
                    ok = gen_udp:send(P, {127, 0, 0, 1}, Port, Question),
                    {udp, S, _, _, <<N:32>>} = xc:next(),
                    N
                end
             || N <- lists:seq(1, 60)
            ]
        end},
        {datagrams_bad, "What cannot be sent is refused as ever, and the next goes.", fun(B) ->
            {S, P, Port} = roomy(B),
            [ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "x") || _ <- lists:seq(1, 20)],
            Bad = [xc:attempt(fun() -> gen_udp:send(S, {127, 0, 0, 1}, Port, X) end) || X <- [atom, [256], {t}]],
            Zero = gen_udp:send(S, {127, 0, 0, 1}, 0, "x"),
            {Bad, Zero, gen_udp:send(S, {127, 0, 0, 1}, Port, "last"), lists:last([datagram(P) || _ <- lists:seq(1, 21)])}
        end},
        {datagrams_refused, "A peer that has gone: recv says it, and then the second send.", fun(B) ->
            {S, P, Port} = roomy(B),
            ok = gen_udp:connect(S, {127, 0, 0, 1}, Port),
            [ok = gen_udp:send(S, "x") || _ <- lists:seq(1, 20)],
            [<<"x">> = datagram(P) || _ <- lists:seq(1, 20)],
            ok = gen_udp:close(P),
            ok = gen_udp:send(S, "x"),
            {gen_udp:recv(S, 0, 5000), [gen_udp:send(S, "x") || _ <- [1, 2, 3]]}
        end},
        {datagrams_closed, "Behind close, and with the counters.", fun(B) ->
            {S, P, Port} = roomy(B),
            [ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "12345") || _ <- lists:seq(1, 50)],
            Counted = inet:getstat(S, [send_cnt, send_oct]),
            {Counted, gen_udp:close(S), xc:attempt(fun() -> gen_udp:send(S, {127, 0, 0, 1}, Port, "x") end), datagram(P)}
        end}
    ] ++ [
        {list_to_atom("behind_" ++ How ++ "_" ++ atom_to_list(Name)), "What the next call says after the peer's end, and the one behind it.", fun(B) ->
            {S, P} = chatty(B, [{show_econnreset, How =:= "shown_reset"}]),
            ok = ends(How, P),
            First = Next(S),
            {First, Next(S), gen_tcp:recv(S, 0, 100), [Tag || {Tag, _} <- xc:messages(fun(M) -> M =:= nothing end, 0), is_atom(Tag)]}
        end}
     || How <- ["close", "reset", "shown_reset", "shutdown"],
        {Name, Next} <- [
            {send, fun(S) -> gen_tcp:send(S, "x") end},
            {recv, fun(S) -> gen_tcp:recv(S, 0, 1000) end},
            {setopts, fun(S) -> inet:setopts(S, [{active, false}]) end},
            {shutdown, fun(S) -> gen_tcp:shutdown(S, write) end},
            {getopts, fun(S) -> inet:getopts(S, [active]) end},
            {unrecv, fun(S) -> gen_tcp:unrecv(S, "x") end},
            {sendfile, fun(S) -> file:sendfile(code:which(lists), S) end},
            {close, fun(S) -> gen_tcp:close(S) end}
        ]
    ].

%% {Socket, a peer on inet with room for many datagrams, its port}
roomy(Backend) ->
    {S, _, P, Port} = xc:udp_pair(Backend, []),
    ok = inet:setopts(P, [{recbuf, 1 bsl 20}, {buffer, 1 bsl 17}]),
    {S, P, Port}.

datagram(Peer) ->
    {ok, {_, _, Data}} = gen_udp:recv(Peer, 0, 5000),
    Data.

%% {Socket, its peer}: both have had many small calls.
chatty(Backend, Options) ->
    {S, P} = xc:both(Backend, [{nodelay, true} | Options], [{nodelay, true} | Options]),
    ok = warm(S, P, 12),
    {S, P}.

chatty_local(Backend) ->
    Path = "/tmp/inetpy-early-" ++ integer_to_list(erlang:unique_integer([positive])) ++ os:getpid(),
    {ok, L} = gen_tcp:listen(0, xc:options(Backend, [binary, {active, false}, {ifaddr, {local, Path}}])),
    {ok, S} = gen_tcp:connect({local, Path}, 0, xc:options(Backend, [binary, {active, false}])),
    P = xc:accept(L),
    ok = file:delete(Path),
    ok = warm(S, P, 12),
    {S, P}.

warm(_, _, 0) ->
    ok;
warm(S, P, N) ->
    ok = hand(S, P, "a\n"),
    ok = hand(P, S, "b\n"),
    warm(S, P, N - 1).

hand(From, To, Data) ->
    ok = inet:setopts(To, [{active, once}]),
    ok = gen_tcp:send(From, Data),
    {tcp, To, _} = xc:next(),
    ok.

%% A program that opens connections, and closes both ends of each.
close_many(Backend) ->
    lists:foreach(
        fun(_) ->
            {S, P} = xc:both(Backend, [{active, false}], [{active, false}]),
            [ok, ok] = [gen_tcp:close(X) || X <- [S, P]]
        end,
        lists:seq(1, 10)
    ).

send_until_closed(S) ->
    case gen_tcp:send(S, "data") of
        ok -> send_until_closed(S);
        {error, _} -> ok
    end.

%% The data of a socket that goes to a new owner with each message, as it comes. {active, once} is set before.
handed_on(S, Size) ->
    Caller = self(),
    Heir = spawn(fun() -> receive go -> hand_on(S, Size, <<>>, Caller) end end),
    ok = gen_tcp:controlling_process(S, Heir),
    Heir ! go,
    receive {all, Data} -> Data after 30000 -> nothing end.

hand_on(S, Size, Before, Caller) ->
    {tcp, S, More} = xc:next(),
    Data = <<Before/binary, More/binary>>,
    case byte_size(Data) < Size of
        false ->
            Caller ! {all, Data};
        true ->
            ok = inet:setopts(S, [{active, once}]),
            ok = xc:hand_over(S, fun() -> hand_on(S, Size, Data, Caller) end)
    end.

%% The socket goes from process to process, and the last one keeps it.
given(_, 0, Caller) ->
    Caller ! at_its_last_owner,
    receive stop -> ok end;
given(S, N, Caller) ->
    xc:hand_over(S, fun() -> given(S, N - 1, Caller) end).

%% A process that answers what comes, until the end.
served(Peer) ->
    Pid = spawn(fun() -> receive go -> exit({result, echo(Peer)}) end end),
    Ref = monitor(process, Pid),
    ok = gen_tcp:controlling_process(Peer, Pid),
    Pid ! go,
    {Pid, Ref}.

echo(Peer) ->
    ok = inet:setopts(Peer, [{active, once}]),
    case xc:next() of
        {tcp, Peer, Data} -> ok = gen_tcp:send(Peer, Data), echo(Peer);
        {tcp_closed, Peer} -> closed;
        Other -> Other
    end.

ask(S, Question) ->
    ok = inet:setopts(S, [{active, once}]),
    ok = gen_tcp:send(S, Question),
    data(S, xc:next()).

data(S, {tcp, S, Data}) -> Data;
data(_, Other) -> Other.

name(S, {Name, S}) -> Name;
name(_, Other) -> Other.

numbers(Last) -> <<<<N:32>> || N <- lists:seq(1, Last)>>.

ends("close", P) -> gen_tcp:close(P);
ends("shutdown", P) -> gen_tcp:shutdown(P, read_write);
ends(_, P) -> xc:reset(P).

send_for_ever(S, N, Counter) ->
    ok = gen_tcp:send(S, <<N:800>>),
    ok = counters:add(Counter, 1, 1),
    send_for_ever(S, N + 1, Counter).

take(_, Size, Data) when byte_size(Data) >= Size -> binary:part(Data, 0, Size);
take(P, Size, Data) ->
    case gen_tcp:recv(P, 0, 5000) of
        {ok, More} -> take(P, Size, <<Data/binary, More/binary>>);
        {error, Reason} -> {Reason, byte_size(Data)}
    end.
