%% The functions of inet that take a socket.
-module(xc_inet).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {names, "sockname and peername of the two ends agree.", fun(B) ->
            {S, P} = xc:pair(B, []),
            {inet:sockname(S) =:= inet:peername(P), inet:peername(S) =:= inet:sockname(P)}
        end},
        {port, "port of a connection is that of sockname.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {ok, {_, Port}} = inet:sockname(S),
            inet:port(S) =:= {ok, Port}
        end},
        {socknames, "socknames has the one name.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {ok, Name} = inet:sockname(S),
            inet:socknames(S) =:= {ok, [Name]}
        end},
        {peername_after_close, "peername after the peer has closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            timer:sleep(20),
            element(1, inet:peername(S))
        end},
        {peername_after_reset, "peername after a reset.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = xc:reset(P),
            timer:sleep(20),
            inet:peername(S)
        end},
        {getstat_new, "The counters of a new connection.", fun(B) ->
            {S, _} = xc:pair(B, []),
            inet:getstat(S)
        end},
        {getstat_sent, "The counters of what was sent.", fun(B) ->
            {S, _} = xc:pair(B, []),
            [ok = gen_tcp:send(S, xc:fill(N)) || N <- [3, 11, 7]],
            inet:getstat(S)
        end},
        {getstat_received, "The counters of what was received.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, xc:fill(40)),
            [{ok, _} = gen_tcp:recv(S, N, 1000) || N <- [10, 1, 20, 9]],
            inet:getstat(S)
        end},
        {getstat_names, "Some counters, in the order of the names.", fun(B) ->
            {S, _} = xc:pair(B, []),
            inet:getstat(S, [send_cnt, recv_oct, send_cnt])
        end},
        {getstat_unknown, "A counter that does not exist.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> inet:getstat(S, [no_such_counter]) end)
        end},
        {monitor_close, "A monitor tells of close.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Ref = inet:monitor(S),
            ok = gen_tcp:close(S),
            {Ref, xc:next()}
        end},
        {monitors_in_order, "The oldest of many monitors is the first that is told.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Refs = [inet:monitor(S) || _ <- lists:seq(1, 40)],
            ok = gen_tcp:close(S),
            {Refs, [receive {'DOWN', Ref, _, S, _} -> Ref after 5000 -> nothing end || _ <- Refs]}
        end},
        {monitor_peer_close, "A monitor tells of an end that closes the socket.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            Ref = inet:monitor(S),
            ok = gen_tcp:close(P),
            Messages = [xc:next(), xc:next()],
            {Ref, lists:sort(fun(X, Y) -> element(1, X) =< element(1, Y) end, Messages)}
        end},
        {monitor_not_passive_end, "A passive socket that read the end is still there.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Ref = inet:monitor(S),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            {Ref, xc:next(60)}
        end},
        {monitor_listener, "A monitor of a listening socket.", fun(B) ->
            L = xc:listen(B, []),
            Ref = inet:monitor(L),
            ok = gen_tcp:close(L),
            {Ref, xc:next()}
        end},
        {monitor_by_other, "Any process may monitor.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Self = self(),
            Call = xc:spawn_call(fun() ->
                _ = inet:monitor(S),
                Self ! ready,
                xc:next()
            end),
            ready = xc:next(),
            ok = gen_tcp:close(S),
            xc:await(Call)
        end},
        {monitor_closed, "A monitor of a closed socket.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:close(S),
            Ref = inet:monitor(S),
            {Ref, xc:next()}
        end},
        {monitor_twice, "Two monitors, two messages.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Refs = [inet:monitor(S), inet:monitor(S)],
            ok = gen_tcp:close(S),
            Told = [element(2, xc:next()), element(2, xc:next())],
            lists:sort(Refs) =:= lists:sort(Told)
        end},
        {monitor_owner_reason, "A monitor tells why the owner died, and the socket with it.", fun(B) ->
            Ways = [
                {exit, kill}, {exit, shutdown}, {exit, {shutdown, because}}, {exit, {a, [b]}}, {leave, normal},
                {leave, killed}, {leave, "text"}, return, crash
            ],
            [{Way, ends_with_owner(B, Way)} || Way <- Ways]
        end},
        {monitor_new_owner_reason, "And of an owner that it was given to.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Ref = inet:monitor(S),
            xc:hand_over(S, fun() -> exit(because) end),
            {Ref, xc:next()}
        end},
        {monitor_closed_by_owner, "A socket that its owner closes ends normally, whatever becomes of the owner.", fun(B) ->
            Self = self(),
            Owner = spawn(fun() ->
                {S, _} = xc:pair(B, []),
                Self ! S,
                receive stop -> ok = gen_tcp:close(S), exit(because) end
            end),
            _ = inet:monitor(xc:next()),
            Owner ! stop,
            xc:next()
        end},
        {monitor_owner_dies, "A monitor tells when the owner dies.", fun(B) ->
            Self = self(),
            Owner = spawn(fun() -> Self ! xc:pair(B, []), receive stop -> ok end end),
            {S, _} = xc:next(),
            _ = inet:monitor(S),
            Owner ! stop,
            {'DOWN', _, Type, S, _} = xc:next(),
            Type
        end},
        {cancel_monitor, "A monitor that is cancelled is silent.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Ref = inet:monitor(S),
            Cancelled = [inet:cancel_monitor(Ref), inet:cancel_monitor(Ref)],
            ok = gen_tcp:close(S),
            {Cancelled, xc:next(60)}
        end},
        {cancel_fired, "Cancelling a monitor that has told.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Ref = inet:monitor(S),
            ok = gen_tcp:close(S),
            Message = xc:next(),
            {Message, inet:cancel_monitor(Ref)}
        end},
        {cancel_unknown, "Cancelling what is no monitor.", fun(_B) ->
            [inet:cancel_monitor(make_ref()), xc:attempt(fun() -> inet:cancel_monitor(nothing) end)]
        end},
        {close, "inet:close/1.", fun(B) ->
            {S, P} = xc:pair(B, []),
            {inet:close(S), gen_tcp:recv(P, 0, 1000), gen_tcp:send(S, "x")}
        end},
        {info_all, "All that info tells of new sockets.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {A, _} = xc:served(B, []),
            {U, _} = xc:udp(B, []),
            Sockets = [S, A, xc:listen(B, []), U],
            {self(), [{Socket, inet:info(Socket)} || Socket <- Sockets]}
        end},
        {info_memory, "The memory that info tells of does not count bytes that wait to be sent.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            #{memory := Memory, counters := #{send_pend := Pending}} = inet:info(S),
            {Memory, Pending > 0}
        end},
        {info_links, "The owner that info tells of is linked, and nobody else.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Self = self(),
            Other = spawn(fun() -> receive stop -> ok end end),
            ok = gen_tcp:controlling_process(S, Other),
            #{owner := Owner, links := Links} = inet:info(S),
            {Self, Other, Owner, Links}
        end},
        {info_monitors, "Those in accept are monitored, as info tells.", fun(B) ->
            L = xc:listen(B, []),
            Ref = inet:monitor(L),
            Alone = maps:get(monitors, inet:info(L)),
            {Pid, _} = xc:spawn_call(fun() -> gen_tcp:accept(L, 300) end),
            Waiting = xc:until(fun() -> lists:member(accepting, maps:get(states, inet:info(L))) end),
            One = maps:get(monitors, inet:info(L)),
            {Second, _} = xc:spawn_call(fun() -> gen_tcp:accept(L, 300) end),
            _ = xc:until(fun() -> process_info(Second, status) =:= {status, waiting} end),
            timer:sleep(50),
            {Ref, Pid, Second, Alone, Waiting, One, lists:sort(maps:get(monitors, inet:info(L))), xc:next(), xc:next()}
        end},
        {gone, "What is asked of sockets that are closed.", fun(#{inet := Module} = B) ->
            {S, _} = xc:pair(B, []),
            {U, _} = xc:udp(B, []),
            L = xc:listen(B, []),
            [ok = inet:close(Socket) || Socket <- [S, U, L]],
            [asked(Module, Socket) || Socket <- [S, U, L]]
        end},
        {descriptor_gone, "What is asked of a socket whose descriptor is closed.", fun(#{inet := Module} = B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            asked(Module, S)
        end},
        {unconnected, "The peers of sockets that have none.", fun(#{inet := Module} = B) ->
            {U, _} = xc:udp(B, []),
            [{Module:peername(S), Module:peernames(S), Module:peernames(S, 1)} || S <- [U, xc:listen(B, [])]]
        end},
        {info_connected, "info of a connection.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, "four"),
            ok = gen_tcp:send(P, "answer"),
            {ok, _} = gen_tcp:recv(S, 6, 1000),
            Info = inet:info(S),
            {maps:with([states, owner, counters, input, output], Info), maps:get(owner, Info) =:= self()}
        end},
        {info_listening, "info of a listening socket, alone and with one in accept.", fun(B) ->
            L = xc:listen(B, []),
            Alone = maps:get(states, inet:info(L)),
            _ = xc:spawn_call(fun() -> gen_tcp:accept(L, 300) end),
            Waiting = xc:until(fun() -> lists:member(accepting, maps:get(states, inet:info(L))) end),
            {Alone, Waiting, maps:get(states, inet:info(L)), xc:next()}
        end},
        {info_busy, "info of a socket whose sender waits.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(S, xc:fill(20000000)),
            _ = xc:spawn_call(fun() -> gen_tcp:send(S, "x") end),
            Busy = xc:until(fun() -> lists:member(busy, maps:get(states, inet:info(S))) end),
            {Busy, maps:get(states, inet:info(S)), element(1, gen_tcp:recv(P, 20000001, 20000)), xc:next()}
        end},
        {info_descriptor_closed, "info of a socket whose descriptor is closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            maps:get(states, inet:info(S))
        end},
        {info_closed, "info of a closed socket.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:close(S),
            inet:info(S)
        end}
    ].

%% The 'DOWN' messages of sockets whose owner dies with a given reason.
ends_with_owner(B, Way) ->
    Self = self(),
    Owner = spawn(fun() ->
        {S, _} = xc:pair(B, []),
        {U, _} = xc:udp(B, []),
        Self ! {sockets, [S, xc:listen(B, []), U]},
        receive
            {leave, Reason} -> exit(Reason);
            return -> ok;
            crash -> exit({crash, [{?MODULE, ends_with_owner, 2, []}]})
        end
    end),
    Sockets = receive {sockets, Some} -> Some end,
    Refs = [inet:monitor(Socket) || Socket <- Sockets],
    _ =
        case Way of
            {exit, Reason} -> exit(Owner, Reason);
            _ -> Owner ! Way
        end,
    [
        receive
            {'DOWN', Ref, Type, Socket, {Crash, [{_, _, _, _} | _]}} -> {Type, Crash};
            {'DOWN', Ref, Type, Socket, Why} -> {Type, Why}
        after 5000 -> nothing
        end
     || {Ref, Socket} <- lists:zip(Refs, Sockets)
    ].

asked(Module, Socket) ->
    [{F, xc:attempt(fun() -> Module:F(Socket) end)} || F <- [socknames, sockname, peername, peernames, port, getstat]] ++
        [{F, A, xc:attempt(fun() -> Module:F(Socket, A) end)} || F <- [socknames, peernames], A <- [0, 1, x]] ++
        [{states, maps:get(states, Module:info(Socket))}].
