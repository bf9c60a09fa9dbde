%% The option active: messages for data, for errors and for the end.
-module(xc_active).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {true, "active true: every piece is a message.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:send(P, "one"),
            First = xc:next(),
            ok = gen_tcp:send(P, "two"),
            {First, xc:next(), inet:getopts(S, [active])}
        end},
        {list_mode, "In list mode messages have lists.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, list]),
            ok = gen_tcp:send(P, "chars"),
            {S =/= P, xc:next()}
        end},
        {chunks, "Messages are as long as the buffer at most.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, xc:fill(60000)),
            timer:sleep(30),
            ok = inet:setopts(S, [{active, true}]),
            xc:sizes([xc:next() || _ <- [1, 2, 3]])
        end},
        {once, "active once: one message, then passive.", fun(B) ->
            {S, P} = xc:pair(B, [{active, once}]),
            ok = gen_tcp:send(P, "one"),
            First = xc:next(),
            Mode = inet:getopts(S, [active]),
            ok = gen_tcp:send(P, "two"),
            {First, Mode, xc:next(50), gen_tcp:recv(S, 0, 1000)}
        end},
        {once_with_data_waiting, "active once delivers what waits.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "waiting"),
            timer:sleep(20),
            ok = inet:setopts(S, [{active, once}]),
            {xc:next(), inet:getopts(S, [active])}
        end},
        {once_twice, "active once, set twice, is once.", fun(B) ->
            {S, P} = xc:pair(B, [{buffer, 3}]),
            ok = inet:setopts(S, [{active, once}]),
            ok = inet:setopts(S, [{active, once}]),
            ok = gen_tcp:send(P, "abcdef"),
            {xc:next(), xc:next(50)}
        end},
        {false, "active false stops the messages.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = inet:setopts(S, [{active, false}]),
            ok = gen_tcp:send(P, "silence"),
            {xc:next(50), gen_tcp:recv(S, 0, 1000)}
        end},
        {count, "active N: so many messages, then tcp_passive.", fun(B) ->
            {S, P} = xc:pair(B, [{active, 3}, {packet, 1}]),
            ok = gen_tcp:send(P, <<1, "a", 1, "b", 1, "c", 1, "d">>),
            Messages = xc:messages(fun(M) -> element(1, M) =:= tcp_passive end),
            {Messages, inet:getopts(S, [active]), gen_tcp:recv(S, 0, 1000)}
        end},
        {count_adds, "active N adds to the count.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 3}]),
            ok = inet:setopts(S, [{active, 4}]),
            inet:getopts(S, [active])
        end},
        {count_subtracts, "A negative N is subtracted.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 10}]),
            ok = inet:setopts(S, [{active, -3}]),
            inet:getopts(S, [active])
        end},
        {count_to_zero, "A count of 0 makes the socket passive, and says so.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 2}]),
            {inet:setopts(S, [{active, -2}]), xc:next(1000), inet:getopts(S, [active])}
        end},
        {count_below_zero, "A count below 0 is 0.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 2}]),
            {inet:setopts(S, [{active, -20}]), xc:next(1000), inet:getopts(S, [active])}
        end},
        {zero, "active 0 on a passive socket.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {inet:setopts(S, [{active, 0}]), xc:next(1000), inet:getopts(S, [active])}
        end},
        {zero_in_connect, "active 0 as an option of connect.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 0}]),
            {xc:next(1000), inet:getopts(S, [active])}
        end},
        {overflow, "A count over 32767 is refused.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 32767}]),
            {inet:setopts(S, [{active, 1}]), inet:getopts(S, [active])}
        end},
        {too_large, "N over 32767 is refused.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {inet:setopts(S, [{active, 32768}]), inet:setopts(S, [{active, -32769}])}
        end},
        {too_large_in_connect, "N over 32767 as an option of connect.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{active, 40000}]) end)
        end},
        {count_then_true, "active true forgets the count.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 5}]),
            ok = inet:setopts(S, [{active, true}]),
            ok = inet:setopts(S, [{active, 2}]),
            inet:getopts(S, [active])
        end},
        {count_with_data_waiting, "active N delivers what waits.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}]),
            ok = gen_tcp:send(P, <<1, "a", 1, "b", 1, "c">>),
            timer:sleep(20),
            ok = inet:setopts(S, [{active, 2}]),
            {[xc:next() || _ <- [1, 2, 3]], gen_tcp:recv(S, 0, 1000)}
        end},
        {closed, "The peer closes: tcp_closed.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:close(P),
            Message = xc:next(),
            {Message, inet:setopts(S, [{active, once}]), gen_tcp:send(S, "x")}
        end},
        {data_then_closed, "Data comes before the end.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:send(P, "last"),
            ok = gen_tcp:close(P),
            {S =/= P, [xc:next(), xc:next()]}
        end},
        {once_then_closed, "active once: data, and the end when it is set again.", fun(B) ->
            {S, P} = xc:pair(B, [{active, once}]),
            ok = gen_tcp:send(P, "last"),
            ok = gen_tcp:close(P),
            Data = xc:next(),
            Quiet = xc:next(50),
            Set = inet:setopts(S, [{active, once}]),
            {Data, Quiet, Set, xc:next(), inet:setopts(S, [{active, once}])}
        end},
        {count_then_closed, "active N against the end.", fun(B) ->
            {S, P} = xc:pair(B, [{active, 5}]),
            ok = gen_tcp:send(P, "data"),
            Data = xc:next(),
            ok = gen_tcp:close(P),
            {Data, xc:next(), inet:getopts(S, [active])}
        end},
        {closed_without_exit, "Without exit_on_close the socket stays.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {exit_on_close, false}]),
            ok = gen_tcp:shutdown(P, write),
            Message = xc:next(),
            {Message, gen_tcp:send(S, "reply"), gen_tcp:recv(P, 5, 1000), inet:getopts(S, [active])}
        end},
        {closed_without_exit_again, "And tells the end again when asked.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {exit_on_close, false}]),
            ok = gen_tcp:shutdown(P, write),
            First = xc:next(),
            ok = inet:setopts(S, [{active, false}]),
            Recv = gen_tcp:recv(S, 0, 1000),
            ok = inet:setopts(S, [{active, true}]),
            {First, Recv, xc:next()}
        end},
        {half_close_exit, "With exit_on_close an end closes both directions.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = gen_tcp:shutdown(P, write),
            Message = xc:next(),
            {Message, gen_tcp:send(S, "x"), gen_tcp:recv(P, 0, 1000)}
        end},
        {reset, "A reset is tcp_closed.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            ok = xc:reset(P),
            {xc:next(), inet:getopts(S, [active])}
        end},
        {reset_shown, "With show_econnreset: tcp_error, then tcp_closed.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {show_econnreset, true}]),
            ok = xc:reset(P),
            {S =/= P, [xc:next(), xc:next()]}
        end},
        {reset_with_data, "A reset drops the data that was not read.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "unread"),
            ok = xc:reset(P),
            timer:sleep(20),
            ok = inet:setopts(S, [{active, true}]),
            xc:next()
        end},
        {active_after_recv_closed, "active after recv has said closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            Recv = gen_tcp:recv(S, 0, 1000),
            Set = inet:setopts(S, [{active, true}]),
            {Recv, Set, xc:next(), inet:setopts(S, [{active, true}])}
        end},
        {once_after_recv_reset, "active after recv has said econnreset.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            ok = xc:reset(P),
            Recv = gen_tcp:recv(S, 0, 1000),
            Set = inet:setopts(S, [{active, once}]),
            {Recv, Set, xc:next()}
        end},
        {bad_value, "A value that does not exist.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {inet:setopts(S, [{active, sometimes}]), inet:setopts(S, [{active, 1.0}])}
        end},
        {stream_of_messages, "A megabyte in messages, whole and in order.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {buffer, 16384}]),
            Data = xc:fill(1000000),
            _ = xc:spawn_call(fun() -> gen_tcp:send(P, Data), receive after infinity -> ok end end),
            xc:received(S, byte_size(Data)) =:= Data
        end},
        {once_by_once, "Many packets, one by one.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(P, [<<2:16, N:16>> || N <- lists:seq(1, 300)]),
            Got = [
                begin
                    ok = inet:setopts(S, [{active, once}]),
                    {tcp, S, <<N:16>>} = xc:next(),
                    N
                end
             || _ <- lists:seq(1, 300)
            ],
            Got =:= lists:seq(1, 300)
        end}
    ].
