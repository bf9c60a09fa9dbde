%% gen_tcp:accept/1,2.
-module(xc_accept).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {waiting_connection, "A connection that is there is taken at once.", fun(B) ->
            L = xc:listen(B, []),
            _ = dial(L),
            element(1, gen_tcp:accept(L, 0))
        end},
        {later_connection, "Waits for a connection.", fun(B) ->
            L = xc:listen(B, []),
            Call = xc:spawn_call(fun() -> element(1, gen_tcp:accept(L)) end),
            _ = dial(L),
            xc:await(Call)
        end},
        {timeout, "The timeout.", fun(B) -> gen_tcp:accept(xc:listen(B, []), 30) end},
        {timeout_zero, "A timeout of 0.", fun(B) -> gen_tcp:accept(xc:listen(B, []), 0) end},
        {after_timeout, "A timeout loses no connection.", fun(B) ->
            L = xc:listen(B, []),
            Timeout = gen_tcp:accept(L, 20),
            _ = dial(L),
            {Timeout, element(1, gen_tcp:accept(L, 5000))}
        end},
        {bad_timeout, "A timeout that is none.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:accept(xc:listen(B, []), soon) end)
        end},
        {negative_timeout, "A negative timeout is infinity.", fun(B) ->
            L = xc:listen(B, []),
            Call = xc:spawn_call(fun() -> element(1, gen_tcp:accept(L, -5)) end),
            _ = dial(L),
            xc:await(Call)
        end},
        {on_connection, "A connection accepts nothing.", fun(B) ->
            {S, _} = xc:pair(B, []),
            gen_tcp:accept(S, 100)
        end},
        {on_closed, "A closed listening socket.", fun(B) ->
            L = xc:listen(B, []),
            ok = gen_tcp:close(L),
            gen_tcp:accept(L, 100)
        end},
        {closed_while_waiting, "The listening socket is closed by another process.", fun(B) ->
            L = xc:listen(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:accept(L) end),
            wait_for_acceptors(L, 1),
            ok = gen_tcp:close(L),
            xc:await(Call)
        end},
        {many_closed_while_waiting, "All who wait are told.", fun(B) ->
            L = xc:listen(B, []),
            Calls = [xc:spawn_call(fun() -> gen_tcp:accept(L) end) || _ <- lists:seq(1, 5)],
            wait_for_acceptors(L, 5),
            ok = gen_tcp:close(L),
            [xc:await(Call) || Call <- Calls]
        end},
        {several_acceptors, "Several processes in accept get one connection each.", fun(B) ->
            L = xc:listen(B, []),
            Calls = [
                xc:spawn_call(fun() ->
                    {ok, S} = gen_tcp:accept(L, 5000),
                    gen_tcp:recv(S, 1, 5000)
                end)
             || _ <- lists:seq(1, 4)
            ],
            [gen_tcp:send(dial(L), [C]) || C <- "abcd"],
            lists:sort([xc:await(Call) || Call <- Calls])
        end},
        {acceptors_in_order, "Those who wait are served in order.", fun(B) ->
            L = xc:listen(B, []),
            Self = self(),
            [
                begin
                    spawn(fun() ->
                        {ok, S} = gen_tcp:accept(L, 5000),
                        Self ! {accepted, N, gen_tcp:recv(S, 1, 5000)}
                    end),
                    timer:sleep(40)
                end
             || N <- [1, 2, 3]
            ],
            [
                begin
                    ok = gen_tcp:send(dial(L), [C]),
                    xc:next()
                end
             || C <- "xyz"
            ]
        end},
        {mixed_timeouts, "Each who waits has a timeout of its own.", fun(B) ->
            L = xc:listen(B, []),
            Short = xc:spawn_call(fun() -> gen_tcp:accept(L, 50) end),
            Long = xc:spawn_call(fun() -> element(1, gen_tcp:accept(L, 5000)) end),
            Told = xc:await(Short),
            _ = dial(L),
            {Told, xc:await(Long)}
        end},
        {acceptor_dies, "A process that died in accept takes no connection.", fun(B) ->
            L = xc:listen(B, []),
            {Pid, Ref} = xc:spawn_call(fun() -> gen_tcp:accept(L) end),
            wait_for_acceptors(L, 1),
            exit(Pid, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            P = dial(L),
            {ok, S} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:send(P, "for the living"),
            gen_tcp:recv(S, 0, 5000)
        end},
        {owner, "The accepting process owns the connection.", fun(B) ->
            L = xc:listen(B, []),
            P = dial(L),
            Call = xc:spawn_call(fun() -> {ok, _} = gen_tcp:accept(L, 5000), accepted end),
            accepted = xc:await(Call),
            gen_tcp:recv(P, 0, 5000)
        end},
        {names, "The names of an accepted connection.", fun(B) ->
            L = xc:listen(B, [{ip, {127, 0, 0, 1}}]),
            P = dial(L),
            S = xc:accept(L),
            {inet:sockname(S) =:= inet:peername(P), inet:peername(S) =:= inet:sockname(P)}
        end},
        {inherits, "The options of the listening socket are inherited.", fun(B) ->
            Options = [
                {packet, 2}, {packet_size, 100}, {nodelay, true}, {keepalive, true},
                {send_timeout, 1234}, {send_timeout_close, true}, {exit_on_close, false},
                {show_econnreset, true}, {high_watermark, 777}, {low_watermark, 555},
                {buffer, 4321}, {linger, {true, 3}}, list
            ],
            {S, _} = xc:served(B, Options),
            inet:getopts(S, [
                packet, packet_size, nodelay, keepalive, send_timeout, send_timeout_close,
                exit_on_close, show_econnreset, high_watermark, low_watermark, buffer, linger,
                mode, active
            ])
        end},
        {inherits_active_true, "active true is inherited.", fun(B) -> inherits_active(B, true) end},
        {inherits_active_once, "active once is inherited.", fun(B) -> inherits_active(B, once) end},
        {inherits_active_count, "An active count is inherited.", fun(B) -> inherits_active(B, 2) end},
        {data_before_accept, "Data sent before accept is delivered.", fun(B) ->
            L = xc:listen(B, [{active, once}]),
            P = dial(L),
            ok = gen_tcp:send(P, "early"),
            {ok, _} = gen_tcp:accept(L, 5000),
            xc:next()
        end},
        {closed_before_accept, "A connection that its peer has closed is accepted.", fun(B) ->
            L = xc:listen(B, []),
            P = dial(L),
            ok = gen_tcp:send(P, "gone"),
            ok = gen_tcp:close(P),
            {ok, S} = gen_tcp:accept(L, 5000),
            [gen_tcp:recv(S, 0), gen_tcp:recv(S, 0), gen_tcp:recv(S, 0)]
        end},
        {listener_closed_afterwards, "A connection outlives its listening socket.", fun(B) ->
            {S, P} = xc:served(B, []),
            ok = gen_tcp:send(S, "still here"),
            gen_tcp:recv(P, 0, 5000)
        end},
        {many, "Fifty connections, accepted one by one.", fun(B) ->
            L = xc:listen(B, [{backlog, 64}]),
            Peers = [dial(L) || _ <- lists:seq(1, 50)],
            Sockets = [xc:accept(L) || _ <- Peers],
            [ok = gen_tcp:send(P, integer_to_list(N)) || {N, P} <- lists:zip(lists:seq(11, 60), Peers)],
            lists:sort([gen_tcp:recv(S, 2, 5000) || S <- Sockets])
        end}
    ].

dial(Listener) ->
    {ok, Peer} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(Listener), [binary, {active, false}]),
    Peer.

inherits_active(B, Active) ->
    L = xc:listen(B, [{active, Active}]),
    P = dial(L),
    {ok, S} = gen_tcp:accept(L, 5000),
    Before = inet:getopts(S, [active]),
    ok = gen_tcp:send(P, "one"),
    First = xc:next(),
    {Before, First, inet:getopts(S, [active]), inet:getopts(L, [active])}.

%% Acceptors cannot be counted from outside. When a later one on the same path has arrived, so have these.
wait_for_acceptors(_Listener, Count) ->
    timer:sleep(30 * Count).
