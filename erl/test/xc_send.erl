%% gen_tcp:send/2, the send queue and its watermarks.
-module(xc_send).

-export([scenarios/0]).

-define(SMALL, [{sndbuf, 4096}]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {binary, "Sends a binary.", fun(B) -> sent(B, <<"binary">>) end},
        {list, "Sends a list.", fun(B) -> sent(B, "list") end},
        {iolist, "Sends an iolist.", fun(B) -> sent(B, ["io", [$l, <<"i">>], "st", []]) end},
        {improper_iolist, "Sends an improper iolist.", fun(B) -> sent(B, ["im" | <<"proper">>]) end},
        {nothing, "Sends nothing.", fun(B) ->
            {S, P} = xc:pair(B, []),
            {gen_tcp:send(S, ""), gen_tcp:send(S, <<>>), gen_tcp:recv(P, 0, 30), inet:getstat(S, [send_cnt])}
        end},
        {bad_data, "What is no iodata is einval.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Bad = [gen_tcp:send(S, X) || X <- [atom, 12, [256], [a], <<1:3>>, [<<1:3>>], {t}]],
            {Bad, gen_tcp:send(S, "good"), gen_tcp:recv(P, 0, 1000)}
        end},
        {large, "Sends five megabytes to who reads.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Data = xc:fill(5000000),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(P, byte_size(Data), 20000) =:= {ok, Data} end),
            {gen_tcp:send(S, Data), xc:await(Call)}
        end},
        {many_small, "Sends many small pieces in order.", fun(B) ->
            {S, P} = xc:pair(B, []),
            [ok = gen_tcp:send(S, <<N:32>>) || N <- lists:seq(1, 2000)],
            gen_tcp:recv(P, 8000, 5000) =:= {ok, <<<<N:32>> || N <- lists:seq(1, 2000)>>}
        end},
        {several_senders, "Several processes send: each in order.", fun(B) ->
            {S, P} = xc:pair(B, []),
            [
                spawn(fun() -> [ok = gen_tcp:send(S, <<Id, N:24>>) || N <- lists:seq(1, 200)] end)
             || Id <- lists:seq(1, 5)
            ],
            {ok, Data} = gen_tcp:recv(P, 4000, 5000),
            Pieces = [{Id, N} || <<Id, N:24>> <= Data],
            [[N || {I, N} <- Pieces, I =:= Id] =:= lists:seq(1, 200) || Id <- lists:seq(1, 5)]
        end},
        {first_is_queued, "The first large send is queued whole, whatever the peer does.", fun(B) ->
            {S, P} = xc:pair(B, [{send_timeout, 200}]),
            Sent = gen_tcp:send(S, xc:fill(20000000)),
            {ok, [{send_pend, Pending}]} = inet:getstat(S, [send_pend]),
            {Sent, Pending > 10000000, xc:reset(P)}
        end},
        {second_times_out, "The next send is over the watermark: it waits, and times out.", fun(B) ->
            {S, _} = xc:pair(B, [{send_timeout, 100}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            [gen_tcp:send(S, "x"), gen_tcp:send(S, "y")]
        end},
        {timeout_zero, "A send_timeout of 0 does not wait.", fun(B) ->
            {S, _} = xc:pair(B, [{send_timeout, 0}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            [gen_tcp:send(S, "x"), gen_tcp:send(S, "y")]
        end},
        {timed_out_data_is_sent, "Data of a send that timed out is still sent.", fun(B) ->
            {S, P} = xc:pair(B, [{send_timeout, 50}]),
            Size = 10000000,
            ok = gen_tcp:send(S, xc:fill(Size)),
            Timeout = gen_tcp:send(S, "after"),
            {ok, Data} = gen_tcp:recv(P, Size + 5, 20000),
            {Timeout, binary:part(Data, Size, 5)}
        end},
        {timeout_close, "send_timeout_close: closed after the timeout.", fun(B) ->
            {S, P} = xc:pair(B, [{send_timeout, 50}, {send_timeout_close, true}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Sends = [gen_tcp:send(S, "x") || _ <- [1, 2, 3]],
            {Sends, gen_tcp:recv(S, 0, 100), gen_tcp:close(S), gen_tcp:close(P)}
        end},
        {blocked_then_ok, "A send that waits goes on when the peer reads.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Size = 10000000,
            ok = gen_tcp:send(S, xc:fill(Size)),
            Call = xc:spawn_call(fun() -> gen_tcp:send(S, "more") end),
            Early = receive {'DOWN', _, _, _, _} -> answered after 60 -> waiting end,
            {ok, Data} = gen_tcp:recv(P, Size + 4, 20000),
            {Early, xc:await(Call), binary:part(Data, Size, 4)}
        end},
        {blocked_senders, "Several sends wait, and all go on.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Size = 5000000,
            ok = gen_tcp:send(S, xc:fill(Size)),
            Calls = [xc:spawn_call(fun() -> gen_tcp:send(S, [C]) end) || C <- "abcd"],
            true = sent_count(S, 2),
            {ok, Data} = gen_tcp:recv(P, Size + 4, 20000),
            {[xc:await(Call) || Call <- Calls], lists:sort(binary_to_list(binary:part(Data, Size, 4)))}
        end},
        {below_high_watermark, "Below the high watermark sends are queued.", fun(B) ->
            {S, _} = xc:pair(B, [{high_watermark, 30000000}, {send_timeout, 100}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            [gen_tcp:send(S, xc:fill(1000)) || _ <- [1, 2, 3]]
        end},
        {low_watermark, "A send waits for the low watermark.", fun(B) ->
            {S, P} = xc:pair(B, [{high_watermark, 8000000}, {low_watermark, 7000000}]),
            Size = 16000000,
            ok = gen_tcp:send(S, xc:fill(Size)),
            Call = xc:spawn_call(fun() -> gen_tcp:send(S, "x"), inet:getstat(S, [send_pend]) end),
            true = sent_count(S, 2),
            {ok, _} = gen_tcp:recv(P, Size - 1000000, 20000),
            {ok, [{send_pend, Pending}]} = xc:await(Call),
            Pending =< 7000000
        end},
        {send_pend_empty, "send_pend is 0 when all is sent.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:send(S, "all"),
            inet:getstat(S, [send_pend])
        end},
        {close_while_blocked, "The socket is closed while a process waits in send.", fun(B) ->
            {S, P} = xc:pair(B, [{linger, {true, 0}}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Call = xc:spawn_call(fun() -> gen_tcp:send(S, "x") end),
            true = sent_count(S, 2),
            ok = gen_tcp:close(S),
            {element(1, result(Call)), gen_tcp:close(P)}
        end},
        {peer_resets_while_blocked, "The peer resets while a process waits in send.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Call = xc:spawn_call(fun() -> gen_tcp:send(S, "x") end),
            true = sent_count(S, 2),
            ok = xc:reset(P),
            {xc:await(Call), gen_tcp:send(S, "y"), gen_tcp:recv(S, 0, 100), gen_tcp:recv(S, 0, 100)}
        end},
        {peer_resets_while_blocked_active, "The same on an active socket.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Call = xc:spawn_call(fun() -> gen_tcp:send(S, "x") end),
            true = sent_count(S, 2),
            ok = xc:reset(P),
            Blocked = result(Call),
            {Blocked, xc:next(), gen_tcp:send(S, "y")}
        end},
        {after_reset, "Sends after a reset: closed once, then enotconn.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = xc:reset(P),
            timer:sleep(20),
            Sends = [gen_tcp:send(S, "x") || _ <- [1, 2, 3]],
            {Sends, [gen_tcp:recv(S, 0, 100) || _ <- [1, 2]]}
        end},
        {after_reset_shown, "With show_econnreset: econnreset.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            ok = xc:reset(P),
            timer:sleep(20),
            Sends = [gen_tcp:send(S, "x") || _ <- [1, 2, 3]],
            {Sends, [gen_tcp:recv(S, 0, 100) || _ <- [1, 2]]}
        end},
        {after_reset_shown_recv_first, "The same, recv first.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            ok = xc:reset(P),
            timer:sleep(20),
            Recv = gen_tcp:recv(S, 0, 100),
            {Recv, [gen_tcp:send(S, "x") || _ <- [1, 2, 3]]}
        end},
        {after_close, "Sends to a peer that has closed: ok, then closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            First = gen_tcp:send(S, "x"),
            timer:sleep(50),
            {First, [gen_tcp:send(S, "x") || _ <- [1, 2, 3]], gen_tcp:recv(S, 0, 100)}
        end},
        {after_close_shown, "The same with show_econnreset.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            ok = gen_tcp:close(P),
            First = gen_tcp:send(S, "x"),
            timer:sleep(50),
            {First, [gen_tcp:send(S, "x") || _ <- [1, 2, 3]], [gen_tcp:recv(S, 0, 100) || _ <- [1, 2]]}
        end},
        {after_recv_closed, "Sends after recv has said closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            [gen_tcp:send(S, "x") || _ <- [1, 2, 3]]
        end},
        {after_tcp_closed, "Sends after tcp_closed.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:close(P),
            {xc:next(), [gen_tcp:send(S, "x") || _ <- [1, 2]]}
        end},
        {error_on_active, "A send fails on an active socket without exit_on_close.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {exit_on_close, false}]),
            ok = xc:reset(P),
            Closed = xc:next(),
            {Closed, [gen_tcp:send(S, "x") || _ <- [1, 2]], xc:next(60)}
        end},
        {nopush, "What nopush holds back goes when it is turned off.", fun(B) ->
            {S, P} = xc:pair(B, []),
            On = inet:setopts(S, [{nopush, true}]),
            Sent = [gen_tcp:send(S, Piece) || Piece <- ["a", "bc", "def"]],
            Off = inet:setopts(S, [{nopush, false}]),
            {On, Sent, Off, gen_tcp:recv(P, 6, 5000)}
        end},
        {shutdown_write, "After shutdown of writing the peer reads the end.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, "last"),
            ok = gen_tcp:shutdown(S, write),
            Read = [gen_tcp:recv(P, 0, 1000), gen_tcp:recv(P, 0, 1000)],
            {Read, [gen_tcp:send(S, "x") || _ <- [1, 2]]}
        end},
        {shutdown_write_then_recv, "And can still answer.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = inet:setopts(P, [{exit_on_close, false}]),
            ok = gen_tcp:shutdown(S, write),
            {error, closed} = gen_tcp:recv(P, 0, 1000),
            ok = gen_tcp:send(P, "answer"),
            gen_tcp:recv(S, 0, 1000)
        end},
        {shutdown_write_shown, "A send after shutdown with show_econnreset.", fun(B) ->
            {S, _} = xc:pair(B, [{show_econnreset, true}]),
            ok = gen_tcp:shutdown(S, write),
            {[gen_tcp:send(S, "x") || _ <- [1, 2]], gen_tcp:recv(S, 0, 50)}
        end},
        {shutdown_write_active, "A send after shutdown on an active socket.", fun(B) ->
            {S, _} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:shutdown(S, write),
            {gen_tcp:send(S, "x"), xc:next(1000), gen_tcp:send(S, "x")}
        end},
        {shutdown_write_queued, "A shutdown waits for what is queued.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Size = 10000000,
            ok = gen_tcp:send(S, xc:fill(Size)),
            Shut = gen_tcp:shutdown(S, write),
            Read = gen_tcp:recv(P, Size, 20000) =:= {ok, xc:fill(Size)},
            {Shut, Read, gen_tcp:recv(P, 0, 1000)}
        end},
        {send_after_queued_shutdown, "A send after a shutdown that still waits.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            Shut = gen_tcp:shutdown(S, write),
            {Shut, [gen_tcp:send(S, "x") || _ <- [1, 2]], gen_tcp:recv(S, 0, 50)}
        end},
        {shutdown_twice, "shutdown twice.", fun(B) ->
            {S, _} = xc:pair(B, []),
            [gen_tcp:shutdown(S, write), gen_tcp:shutdown(S, write), gen_tcp:shutdown(S, read_write)]
        end},
        {shutdown_bad, "shutdown of what does not exist.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:shutdown(S, sideways) end)
        end},
        {shutdown_after_reset, "shutdown after a reset.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = xc:reset(P),
            timer:sleep(20),
            [gen_tcp:shutdown(S, write), gen_tcp:shutdown(S, read)]
        end},
        {shutdown_after_closed, "shutdown after recv has said closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            gen_tcp:shutdown(S, write)
        end},
        {small_buffers, "Sends through small kernel buffers.", fun(B) ->
            {S, P} = xc:pair(B, ?SMALL),
            Data = xc:fill(300000),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(P, byte_size(Data), 20000) =:= {ok, Data} end),
            {gen_tcp:send(S, Data), xc:await(Call)}
        end}
    ].

%% Waits until the socket has got so many sends.
sent_count(S, Count) ->
    xc:until(fun() -> inet:getstat(S, [send_cnt]) =:= {ok, [{send_cnt, Count}]} end).

sent(B, Data) ->
    {S, P} = xc:pair(B, []),
    {gen_tcp:send(S, Data), gen_tcp:recv(P, iolist_size(Data), 1000)}.

%% As xc:await, but longer: prim_inet looks only every five seconds whether the queue is empty.
result({Pid, Ref}) ->
    receive
        {'DOWN', Ref, process, Pid, {result, Result}} -> Result
    after 20000 -> no_result
    end.
