%% gen_tcp:close/1, and calls on a closed socket.
-module(xc_close).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {ok, "close answers ok, every time.", fun(B) ->
            {S, _} = xc:pair(B, []),
            [gen_tcp:close(S), gen_tcp:close(S), inet:close(S)]
        end},
        {peer_sees_end, "The peer reads the end.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, "bye"),
            ok = gen_tcp:close(S),
            [gen_tcp:recv(P, 0, 1000), gen_tcp:recv(P, 0, 1000)]
        end},
        {no_message, "close leaves no message.", fun(B) ->
            {S, _} = xc:pair(B, [{active, true}]),
            gen_tcp:close(S)
        end},
        {takes_tcp_closed, "close takes a tcp_closed that waits.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:close(P),
            true = xc:until(fun() -> inet:getopts(S, [active]) =:= {error, einval} end),
            gen_tcp:close(S)
        end},
        {leaves_data, "close leaves the data messages that wait.", fun(B) ->
            {S, P} = xc:pair(B, [{active, once}]),
            ok = gen_tcp:send(P, "unread"),
            true = xc:until(fun() -> inet:getopts(S, [active]) =:= {ok, [{active, false}]} end),
            gen_tcp:close(S)
        end},
        {calls_afterwards, "What a closed socket answers.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:close(S),
            [
                gen_tcp:send(S, "x"), gen_tcp:recv(S, 0), gen_tcp:recv(S, 1, 10),
                gen_tcp:shutdown(S, read), gen_tcp:accept(S), gen_tcp:unrecv(S, "x"),
                gen_tcp:controlling_process(S, self()), inet:setopts(S, [{active, true}]),
                inet:getopts(S, [active]), inet:sockname(S), inet:peername(S), inet:port(S),
                inet:getstat(S), inet:socknames(S), inet:info(S)
            ]
        end},
        {bad_calls_afterwards, "And to what is wrong.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:close(S),
            [
                inet:setopts(S, [{no_such, 1}]), inet:getopts(S, [no_such]),
                xc:attempt(fun() -> gen_tcp:recv(S, -1) end),
                xc:attempt(fun() -> gen_tcp:shutdown(S, sideways) end)
            ]
        end},
        {unread_data_resets, "Closing with data unread resets the connection.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = inet:setopts(P, [{show_econnreset, true}]),
            ok = gen_tcp:send(P, "unread"),
            timer:sleep(20),
            ok = gen_tcp:close(S),
            gen_tcp:recv(P, 0, 1000)
        end},
        {read_data_does_not_reset, "Closing with all data read does not.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = inet:setopts(P, [{show_econnreset, true}]),
            ok = gen_tcp:send(P, "read"),
            {ok, _} = gen_tcp:recv(S, 4, 1000),
            ok = gen_tcp:close(S),
            gen_tcp:recv(P, 0, 1000)
        end},
        {half_closed_with_a_queue, "A peer that half-closes: what an active socket has queued is dropped.", fun(B) ->
            [half_closed(B, Active, ExitOnClose) || Active <- [true, false], ExitOnClose <- [true, false]]
        end},
        {reset_with_a_queue, "A peer that resets while bytes are queued, with and without exit_on_close.", fun(B) ->
            %% passive and without exit_on_close, what is met first, by reading or by writing, is chance
            [reset_with_queue(B, true, true), reset_with_queue(B, true, false), reset_with_queue(B, false, true)]
        end},
        {reset_without_exit, "A peer that resets, without exit_on_close and with nothing queued.", fun(B) ->
            [reset_plain(B, Active, Show) || Active <- [true, false], Show <- [true, false]]
        end},
        {suspended_senders, "A connection that fails while senders wait: who gets which error.", fun(B) ->
            [
                suspended(B, Active, ExitOnClose, Reset)
             || {Active, ExitOnClose, Reset} <- [
                    {true, true, false}, {true, true, true}, {true, false, true}, {once, true, true}
                ]
            ]
        end},
        {linger_zero, "linger {true, 0} resets.", fun(B) ->
            {S, P} = xc:pair(B, [{linger, {true, 0}}]),
            ok = inet:setopts(P, [{show_econnreset, true}]),
            ok = gen_tcp:close(S),
            gen_tcp:recv(P, 0, 1000)
        end},
        {linger_zero_drops, "And drops what is queued, at once.", fun(B) ->
            {S, P} = xc:pair(B, [{linger, {true, 0}}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Closed = gen_tcp:close(S),
            {Closed, element(1, gen_tcp:recv(P, 20000000, 5000))}
        end},
        {linger_time, "linger {true, T} waits so long for what is queued.", fun(B) ->
            {S, P} = xc:pair(B, [{linger, {true, 1}}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            {Time, ok} = timer:tc(fun() -> gen_tcp:close(S) end),
            {Time > 500000, gen_tcp:close(P)}
        end},
        {flushes, "close sends what is queued.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Data = xc:fill(10000000),
            ok = gen_tcp:send(S, Data),
            Call = xc:spawn_call(fun() -> gen_tcp:close(S) end),
            Read = gen_tcp:recv(P, byte_size(Data), 20000) =:= {ok, Data},
            {Read, xc:await(Call), gen_tcp:recv(P, 0, 1000)}
        end},
        {waits_for_queue, "close waits while what is queued gets shorter.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(10000000)),
            Call = xc:spawn_call(fun() -> gen_tcp:close(S) end),
            Early = receive {'DOWN', _, _, _, _} -> closed after 80 -> waiting end,
            Usable = inet:getopts(S, [mode]),
            {ok, _} = gen_tcp:recv(P, 10000000, 20000),
            {Early, Usable, xc:await(Call)}
        end},
        {by_other, "Any process may close.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:close(S) end),
            {xc:await(Call), gen_tcp:recv(P, 0, 1000), gen_tcp:send(S, "x")}
        end},
        {by_other_active, "Any process may close; the owner is not told.", fun(B) ->
            {S, _} = xc:pair(B, [{active, true}]),
            Call = xc:spawn_call(fun() -> gen_tcp:close(S) end),
            {xc:await(Call), xc:next(60)}
        end},
        {after_recv_closed, "After recv has said closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            Open = inet:getopts(S, [mode]),
            {Open, gen_tcp:close(S), inet:getopts(S, [mode])}
        end},
        {end_with_queue, "An end that closes the descriptor drops what is queued.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            ok = gen_tcp:shutdown(P, write),
            End = gen_tcp:recv(S, 0, 2000),
            Pending = inet:getstat(S, [send_pend]),
            {End, Pending, gen_tcp:close(S), inet:getopts(S, [mode])}
        end},
        {end_with_delayed, "The same with what delay_send holds back.", fun(B) ->
            {S, P} = xc:pair(B, [{delay_send, true}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            ok = gen_tcp:shutdown(P, write),
            End = gen_tcp:recv(S, 0, 2000),
            {End, inet:getstat(S, [send_pend]), gen_tcp:close(S), inet:getopts(S, [mode])}
        end},
        {descriptor_closed_calls, "What answers when the descriptor is closed and the socket is not.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            [
                inet:sockname(S), inet:peername(S), inet:port(S), inet:getstat(S, [recv_cnt]),
                inet:setopts(S, [{nodelay, true}, {sndbuf, 4000}]), inet:getopts(S, [nodelay, mode, sndbuf]),
                gen_tcp:shutdown(S, write), gen_tcp:unrecv(S, "x"), gen_tcp:accept(S, 0)
            ]
        end},
        {eof_then_close_both, "Both ends close at once.", fun(B) ->
            {C, S} = xc:both(B, [], []),
            ok = gen_tcp:close(C),
            {gen_tcp:recv(S, 0, 1000), gen_tcp:close(S)}
        end}
    ].

%% 8 MB are queued, of which the system has some; then the peer says that it will send no more, and reads.
half_closed(B, Active, ExitOnClose) ->
    Size = 8 bsl 20,
    {S, P} = xc:pair(B, [{active, false}, {exit_on_close, ExitOnClose}, {high_watermark, 16 bsl 20}]),
    ok = gen_tcp:send(S, binary:copy(<<"q">>, Size)),
    true = xc:until(fun() -> is_full(S) end),
    ok = inet:setopts(S, [{active, Active}]),
    ok = gen_tcp:shutdown(P, write),
    Seen =
        case Active of
            true -> xc:messages(fun({Word, _}) -> Word =:= tcp_closed; (_) -> false end);
            false -> gen_tcp:recv(S, 0, 5000)
        end,
    Queued = inet:getstat(S, [send_pend]),
    Got = count(P, 0),
    {Active, ExitOnClose, Seen, pending(Queued), Got =:= Size, gen_tcp:send(S, "x"), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 1000)}.

%% The system takes no more.
is_full(S) ->
    Before = inet:getstat(S, [send_pend]),
    timer:sleep(50),
    Before =:= inet:getstat(S, [send_pend]).

pending({ok, [{send_pend, 0}]}) -> nothing;
pending({ok, [{send_pend, _}]}) -> some;
pending(Error) -> Error.

count(P, Got) ->
    case gen_tcp:recv(P, 0, 5000) of
        {ok, Data} -> count(P, Got + byte_size(iolist_to_binary(Data)));
        {error, _} -> Got
    end.

reset_with_queue(B, Active, ExitOnClose) ->
    {S, P} = xc:pair(B, [{active, false}, {exit_on_close, ExitOnClose}, {high_watermark, 16 bsl 20}, {show_econnreset, true}]),
    ok = gen_tcp:send(S, binary:copy(<<"q">>, 8 bsl 20)),
    true = xc:until(fun() -> is_full(S) end),
    ok = inet:setopts(S, [{active, Active}]),
    ok = xc:reset(P),
    Seen =
        case Active of
            true -> xc:messages(fun({Word, _}) -> Word =:= tcp_closed; (_) -> false end);
            false -> gen_tcp:recv(S, 0, 5000)
        end,
    {Active, ExitOnClose, Seen, pending(inet:getstat(S, [send_pend])), [gen_tcp:send(S, "x"), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 1000), inet:getopts(S, [active])]}.

reset_plain(B, Active, Show) ->
    {S, P} = xc:pair(B, [{active, Active}, {exit_on_close, false}, {show_econnreset, Show}]),
    ok = xc:reset(P),
    Seen =
        case Active of
            false -> gen_tcp:recv(S, 0, 5000);
            _ -> xc:messages(fun({Word, _}) -> Word =:= tcp_closed; (_) -> false end)
        end,
    %% what comes behind the first send is chance
    {Active, Show, Seen, gen_tcp:send(S, "x"), inet:getopts(S, [active])}.

%% One sender is over the high watermark, and two more are suspended behind it.
suspended(B, Active, ExitOnClose, Reset) ->
    {S, P} = xc:pair(B, [{active, false}, {exit_on_close, ExitOnClose}, {sndbuf, 8192}]),
    ok = inet:setopts(P, [{recbuf, 8192}]),
    ok = gen_tcp:send(S, binary:copy(<<0>>, 3000000)),
    true = xc:until(fun() -> is_full(S) end),
    ok = inet:setopts(S, [{active, Active}]),
    Senders = [
        begin
            Sender = xc:spawn_call(fun() -> gen_tcp:send(S, "more") end),
            timer:sleep(50),
            Sender
        end
     || _ <- [busy, suspended, suspended]
    ],
    ok = case Reset of true -> xc:reset(P); false -> gen_tcp:close(P) end,
    Seen = xc:messages(fun({Word, _}) -> Word =:= tcp_closed; (_) -> false end),
    {Active, ExitOnClose, Reset, Seen, [xc:await(Sender) || Sender <- Senders]}.
