%% Stream sockets: connect, accept, send and recv, with data that is there.
-module(xs_stream).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {echo, "What one end sends, the other receives.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(C, "question"),
            {ok, Question} = M:recv(S, 8),
            ok = M:send(S, [Question, <<" and ">>, ["ans", [$w], "er"]]),
            M:recv(C, 0)
        end},
        {names, "sockname and peername of both ends.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            Before = [M:sockname(C), M:peername(C)],
            ok = M:connect(C, Address),
            {ok, S} = M:accept(L),
            {ok, Mine} = M:sockname(C),
            {Before, M:sockname(S) =:= {ok, Address}, M:peername(C) =:= {ok, Address}, M:peername(S) =:= {ok, Mine},
                maps:remove(port, Mine), M:peername(L)}
        end},
        {recv_arities, "recv in all its forms.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Calls = [
                fun() -> M:recv(C) end, fun() -> M:recv(C, 2) end, fun() -> M:recv(C, []) end,
                fun() -> M:recv(C, 2, []) end, fun() -> M:recv(C, 2, 100) end, fun() -> M:recv(C, [], 100) end,
                fun() -> M:recv(C, 0, infinity) end, fun() -> M:recv(C, 2, [], 100) end,
                fun() -> M:recv(C, [peek], 100) end, fun() -> M:recv(C, 1, [peek]) end,
                fun() -> M:recv(C, 2, nowait) end, fun() -> M:recv(C, [], nowait) end,
                fun() -> M:recv(C, 2, [], make_ref()) end
            ],
            [begin ok = M:send(S, "abcd"), {_, Rest} = {Call(), M:recv(C, 4, 20)}, {catch_up(M, C), Rest} end || Call <- Calls]
        end},
        {recv_results, "What recv in all its forms gives.", fun(#{api := M} = B) ->
            [
                begin
                    {C, S} = xs:pair(B),
                    ok = M:send(S, "abcd"),
                    {ok, _} = M:recv(C, 1, [peek]),
                    {Call(M, C), M:recv(C, 0, 0)}
                end
             || Call <- [
                    fun(M_, C_) -> M_:recv(C_) end, fun(M_, C_) -> M_:recv(C_, 2) end,
                    fun(M_, C_) -> M_:recv(C_, 0) end, fun(M_, C_) -> M_:recv(C_, []) end,
                    fun(M_, C_) -> M_:recv(C_, [peek]) end, fun(M_, C_) -> M_:recv(C_, 3, [peek]) end,
                    fun(M_, C_) -> M_:recv(C_, 4, nowait) end, fun(M_, C_) -> M_:recv(C_, 0, nowait) end,
                    fun(M_, C_) -> M_:recv(C_, 4, [], 0) end, fun(M_, C_) -> M_:recv(C_, 5, [], 0) end,
                    fun(M_, C_) -> M_:recv(C_, 5, 30) end, fun(M_, C_) -> M_:recv(C_, 5, [], nowait) end,
                    fun(M_, C_) -> M_:recv(C_, 0, [], 0) end
                ]
            ]
        end},
        {recv_timeout, "recv with a timeout and nothing to read.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            [M:recv(C, 0, 0), M:recv(C, 5, 0), M:recv(C, 0, 20), M:recv(C, 5, 20), M:recv(C, [], 20), M:recv(C, 0, [peek], 0)]
        end},
        {recv_more, "A length takes what comes later, too.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Call = xc:spawn_call(fun() -> M:recv(C, 6) end),
            ok = M:send(S, "abc"),
            timer:sleep(20),
            ok = M:send(S, "def"),
            xc:await(Call)
        end},
        {recv_large, "A large length, and a large send.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Size = 3000000,
            Call = xc:spawn_call(fun() -> M:send(S, xc:fill(Size)) end),
            {ok, Data} = M:recv(C, Size),
            {xc:await(Call), Data =:= xc:fill(Size)}
        end},
        {recv_all, "A length of 0 takes all that is there.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, xc:fill(60000)),
            {ok, _} = M:recv(C, 60000, [peek], 5000),
            {ok, Data} = M:recv(C),
            byte_size(Data)
        end},
        {recv_buffer, "A read takes rcvbuf bytes with nowait.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, xc:fill(30000)),
            {ok, _} = M:recv(C, 30000, [peek], 5000),
            Default = M:recv(C, 0, nowait),
            ok = M:setopt(C, {otp, rcvbuf}, 100),
            {size(element(2, Default)), M:recv(C, 0, nowait), M:recv(C, 50, nowait)}
        end},
        {recv_counted_buffer, "The option rcvbuf with a count.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, xc:fill(3000)),
            {ok, _} = M:recv(C, 3000, [peek], 5000),
            ok = M:setopt(C, {otp, rcvbuf}, {3, 100}),
            [M:getopt(C, {otp, rcvbuf}), M:recv(C, 0, nowait), M:recv(C, 0, 0)]
        end},
        {closed_by_peer, "After the peer has closed there is what it sent, then closed.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "abc"),
            ok = M:close(S),
            [M:recv(C, 2), M:recv(C, 0), M:recv(C, 0), M:recv(C, 5, 0), M:recv(C, 0, nowait), M:recv(C, 0, [peek])]
        end},
        {short, "The peer closes in the middle of a length.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "abc"),
            Call = xc:spawn_call(fun() -> M:recv(C, 6) end),
            true = xc:until(fun() -> maps:get(num_readers, M:info(C)) =:= 1 end),
            ok = M:close(S),
            [xc:await(Call), M:recv(C, 6)]
        end},
        {short_nowait, "The same with nowait.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "abc"),
            {ok, _} = M:recv(C, 1, [peek]),
            Result = M:recv(C, 6, nowait),
            ok = M:close(S),
            [Result, xs:message(), M:recv(C, 3, nowait)]
        end},
        {bad_recv, "Bad arguments of recv.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            xs:attempts([
                fun() -> M:recv(C, -1) end, fun() -> M:recv(C, x) end, fun() -> M:recv(C, 0, x) end,
                fun() -> M:recv(C, 0, -1) end, fun() -> M:recv(C, 0, [], -1) end, fun() -> M:recv(C, 0, [x]) end,
                fun() -> M:recv(C, 0, [x], 0) end, fun() -> M:recv(C, 0, [1.5], 0) end, fun() -> M:recv(C, 0, [-1], 0) end,
                fun() -> M:recv(C, 0, [peek | x], 0) end, fun() -> M:recv(C, 0, x, 0) end, fun() -> M:recv(x, 0, [], 0) end,
                fun() -> M:recv(C, 1 bsl 70, [], 0) end, fun() -> M:recv(C, 0, [1 bsl 40], 0) end,
                fun() -> M:recv(C, 0, [], 1 bsl 70) end, fun() -> M:recv(C, 0, [64], 0) end,
                fun() -> M:recv(C, 0, ["peek"], 0) end, fun() -> M:recv(C, 0, [], "x") end
            ])
        end},
        {recv_of_no_connection, "recv of sockets that have none.", fun(#{api := M} = B) ->
            {ok, New} = M:open(inet, stream),
            {L, _} = xs:listener(B),
            [M:recv(S, N, T) || S <- [New, L], N <- [0, 1], T <- [0, 20, nowait]]
        end},
        {send_arities, "send in all its forms.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Results = [
                M:send(C, "a"), M:send(C, <<"b">>), M:send(C, ["c"], []), M:send(C, <<"d">>, 100),
                M:send(C, "e", infinity), M:send(C, <<"f">>, nowait), M:send(C, <<"g">>, [], 100),
                M:send(C, <<"h">>, [], infinity), M:send(C, <<"i">>, [], nowait), M:send(C, <<"j">>, [nosignal]),
                M:send(C, <<"k">>, [], make_ref()), M:send(C, <<"l">>, 0), M:send(C, <<>>), M:send(C, []),
                M:send(C, <<"m">>, [dontroute], 100), M:send(C, <<"n">>, [more]), M:send(C, "o", [])
            ],
            {Results, xs:received(M, S, 15)}
        end},
        {bad_send, "Bad arguments of send.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            xs:attempts([
                fun() -> M:send(C, x) end, fun() -> M:send(C, 1) end, fun() -> M:send(C, [x]) end,
                fun() -> M:send(C, [256]) end, fun() -> M:send(C, "a", x) end, fun() -> M:send(C, "a", -1) end,
                fun() -> M:send(C, "a", [x]) end, fun() -> M:send(C, "a", [-1]) end, fun() -> M:send(C, "a", [x], 0) end,
                fun() -> M:send(C, "a", x, 0) end, fun() -> M:send(x, "a") end, fun() -> M:send(C, "a", [], x) end,
                fun() -> M:send(C, <<1:3>>) end, fun() -> M:send(C, "a", [{a, b}], 0) end, fun() -> M:send(C, [1 | x]) end,
                fun() -> M:send(C, "a", [more | x]) end, fun() -> M:send(C, #{}) end
            ])
        end},
        {send_of_no_connection, "send of sockets that have none.", fun(#{api := M} = B) ->
            {ok, New} = M:open(inet, stream),
            {L, _} = xs:listener(B),
            [M:send(S, "abc", T) || S <- [New, L], T <- [0, infinity, nowait]]
        end},
        {send_to_closed, "send to a peer that has closed.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:close(S),
            {error, closed} = M:recv(C),
            First = M:send(C, "abc"),
            {error, _} = M:recv(C, 0, 5000),
            [First, M:send(C, "abc"), M:send(C, "abc"), M:recv(C, 0, 0)]
        end},
        {out_of_band, "Data out of band.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(C, "a"),
            ok = M:send(C, "b", [oob]),
            true = xc:until(fun() -> M:recv(S, 1, [oob, peek], 0) =/= {error, einval} end),
            [M:recv(S, 1, [oob], 0), M:recv(S, 0, 0)]
        end},
        {two_accepts, "Connections are accepted in their order.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            {ok, C1} = M:open(inet, stream),
            {ok, C2} = M:open(inet, stream),
            ok = M:connect(C1, Address),
            ok = M:connect(C2, Address),
            {ok, S1} = M:accept(L),
            {ok, S2} = M:accept(L, 1000),
            {M:peername(S1) =:= M:sockname(C1), M:peername(S2) =:= M:sockname(C2), M:accept(L, 0), M:accept(L, 20)}
        end},
        {accept_waits, "accept waits for a connection.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Parent = self(),
            Call = xc:spawn_call(fun() ->
                {ok, S} = M:accept(L),
                Parent ! {owner, M:getopt(S, {otp, controlling_process}) =:= {ok, self()}},
                M:send(S, "hello")
            end),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, Address),
            {M:recv(C, 5), xc:await(Call), xc:next()}
        end},
        {bad_accept, "accept of what does not listen, and bad timeouts.", fun(#{api := M} = B) ->
            {ok, New} = M:open(inet, stream),
            {ok, Udp} = M:open(inet, dgram),
            {L, _} = xs:listener(B),
            {C, _} = xs:pair(B),
            xs:attempts(
                [fun() -> M:accept(S, T) end || S <- [New, Udp, C], T <- [0, infinity, nowait, 20]] ++
                [fun() -> M:accept(L, T) end || T <- [x, -1, 1.5, [], 1 bsl 70]] ++ [fun() -> M:accept(x) end, fun() -> M:accept(x, 0) end]
            )
        end},
        {accepted, "What an accepted socket has of its listener.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            ok = M:setopt(L, {socket, keepalive}, true),
            ok = M:setopt(L, {tcp, nodelay}, true),
            ok = M:setopt(L, {otp, rcvbuf}, 4321),
            ok = M:setopt(L, {otp, rcvctrlbuf}, 432),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, Address),
            {ok, S} = M:accept(L),
            [M:getopt(S, O) || O <- [{socket, keepalive}, {tcp, nodelay}, {otp, rcvbuf}, {otp, rcvctrlbuf}, {otp, sndctrlbuf}, {otp, meta}, {otp, debug}, {otp, iow}]]
        end},
        {refused, "connect to where nobody listens.", fun(#{api := M}) ->
            {ok, C} = M:open(inet, stream),
            To = #{family => inet, addr => {127, 0, 0, 1}, port => xc:dead_port()},
            [M:connect(C, To), M:connect(C, To, 1000), M:sockname(C) =/= {error, closed}]
        end},
        {bad_connect, "connect with bad arguments, and of sockets that cannot.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {L, To} = xs:listener(B),
            {ok, New} = M:open(inet, stream),
            Far = To#{port := 9},
            xs:attempts([
                fun() -> M:connect(C, To) end, fun() -> M:connect(L, To) end,
                fun() -> M:connect(New, To, x) end, fun() -> M:connect(New, To, -1) end, fun() -> M:connect(New, x) end,
                fun() -> M:connect(New, #{}) end, fun() -> M:connect(New, #{family => inet, addr => x}) end,
                fun() -> M:connect(New, To#{port => x}) end, fun() -> M:connect(New, To#{port => 70000}) end,
                fun() -> M:connect(New, Far#{nonsense => 1}) end, fun() -> M:connect(x, To) end,
                fun() -> M:connect(New, #{family => inet6, addr => loopback, port => 1}) end,
                fun() -> M:connect(New, #{family => local, path => "/nonsense"}) end,
                fun() -> M:connect(New, #{family => nonsense}) end, fun() -> M:connect(New, any) end,
                fun() -> M:connect(New) end, fun() -> M:connect(x) end
            ])
        end},
        {connect_nowait, "connect with nowait.", fun(#{api := M} = B) ->
            {_, To} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            Result = M:connect(C, To, nowait),
            Seen = case Result of {select, _} -> [xs:message(), M:connect(C)]; ok -> []  end,
            [Result, Seen, M:send(C, "abc")]
        end},
        {connect_handle, "connect with a handle of the caller.", fun(#{api := M} = B) ->
            {_, To} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            Handle = make_ref(),
            Result = M:connect(C, To, Handle),
            Seen = case Result of {select, {select_info, _, H}} -> {H =:= Handle, [xs:message(), M:connect(C)]}; ok -> [] end,
            [Result, Seen, M:send(C, "abc")]
        end},
        {connect_refused_nowait, "connect with nowait to where nobody listens.", fun(#{api := M}) ->
            {ok, C} = M:open(inet, stream),
            Result = M:connect(C, #{family => inet, addr => {127, 0, 0, 1}, port => xc:dead_port()}, nowait),
            Seen =
                case Result of
                    {select, _} -> [xs:message(), M:connect(C), xs:attempt(fun() -> M:connect(C) end)];
                    Other -> Other
                end,
            [Result, Seen]
        end},
        {connecting, "Functions of a socket that connects.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            {select, Info} = M:connect(C, To, nowait),
            Other = fun() -> xs:attempt(fun() -> M:connect(C, To, nowait) end) end,
            [xc:await(xc:spawn_call(Other)), xs:attempt(fun() -> M:connect(C) end), states(M, C) | xs:attempts([
                fun() -> M:recv(C, 0, 0) end, fun() -> M:accept(C, 0) end,
                fun() -> M:listen(C) end, fun() -> M:bind(C, any) end,
                fun() -> M:peername(C) end, fun() -> M:cancel(C, Info) end, fun() -> states(M, C) end,
                fun() -> M:connect(C, To, 0) end, fun() -> states(M, C) end, fun() -> M:close(C) end
            ])]
        end},
        {connect_again, "connect while the same process connects.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            {select, _} = M:connect(C, To, nowait),
            [xs:attempt(fun() -> M:connect(C, To, T) end) || T <- [nowait, 0, 20]]
        end},
        {connect_timeout, "connect with a timeout to a listener that takes no more.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            [M:connect(C, To, 20), states(M, C), xs:attempt(fun() -> M:connect(C, To, 0) end), states(M, C)]
        end},
        {local, "Sockets of the unix domain.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            ok = M:send(C, "abc"),
            {ok, #{path := Path}} = M:sockname(S),
            [M:recv(S, 3), M:sockname(C), M:peername(S), is_binary(Path), M:peername(C) =:= M:sockname(S)]
        end},
        {seqpacket, "Packets in their order.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, seqpacket),
            ok = M:send(C, "abc"),
            ok = M:send(C, "defgh"),
            ok = M:send(C, "ijklm"),
            [M:recv(S, 0), M:recv(S, 2), M:recv(S, 10), M:recv(S, 0, 0), M:close(C), M:recv(S, 0)]
        end},
        {ipv6, "Sockets of IPv6.", fun(#{api := M}) ->
            {ok, L} = M:open(inet6, stream),
            ok = M:bind(L, #{family => inet6, addr => loopback, port => 0}),
            ok = M:listen(L),
            {ok, To} = M:sockname(L),
            {ok, C} = M:open(inet6, stream),
            ok = M:connect(C, To),
            {ok, S} = M:accept(L),
            ok = M:send(C, "abc"),
            [maps:remove(port, To), M:recv(S, 3), M:peername(C) =:= {ok, To}]
        end},
        {info, "What info says in each state.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            Unconnected = states(M, C),
            ok = M:connect(C, To),
            {ok, S} = M:accept(L),
            ok = M:send(C, "abc"),
            {ok, _} = M:recv(S, 3),
            {select, Info} = M:recv(S, 0, nowait),
            Selected = states(M, S),
            ok = M:cancel(S, Info),
            [states(M, L), Unconnected, states(M, C), Selected, states(M, S)]
        end}
    ].

states(M, Socket) -> maps:without([owner, ctype], M:info(Socket)).

%% Takes the rest of what was sent, and what was asked for in vain.
catch_up(M, Socket) ->
    case M:recv(Socket, 0, 0) of
        {ok, _} -> more;
        {error, timeout} -> ok
    end.
