%% sendmsg and recvmsg: addresses, parts, flags, and control messages both ways.
-module(xs_message).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {netlink, "A family that has no maps of its own: the addresses are bytes.", fun(#{api := M}) ->
            Kernel = #{family => 16, addr => <<0:80>>},
            {ok, S} = M:open(16, raw, 0),
            Request = fun(Number) -> <<32:32/native, 18:16/native, 16#301:16/native, Number:32/native, 0:160>> end,
            From = fun({ok, {Address, <<_:32, Type:16/native, _/binary>>}}) -> {Address, Type} end,
            Seen = [
                M:sockname(S), M:sendto(S, Request(1), Kernel), From(M:recvfrom(S, 1 bsl 16, [], 5000)), rest(M, S),
                M:sendmsg(S, #{addr => Kernel, iov => [Request(2)]}), xs:without([iov], M:recvmsg(S, 1 bsl 16, 0, [], 5000)), rest(M, S),
                M:sendmsg(S, #{addr => Kernel, iov => [Request(3)], ctrl => [#{level => socket, type => 2, data => <<0:96>>}]}),
                M:sendmsg(S, #{addr => Kernel, iov => [Request(4)], ctrl => [#{level => 270, type => 1, data => <<0:32>>}]}), rest(M, S)
            ],
            ok = M:close(S),
            Seen
        end},
        {control_to_bytes, "Control messages to an address that is bytes.", fun(#{api := M} = B) ->
            {U, #{port := Port}} = xs:udp(B),
            {ok, S} = M:open(inet, dgram),
            ok = M:setopt(U, {ip, recvttl}, true),
            ok = M:setopt(U, {ip, recvtos}, true),
            Bytes = <<Port:16, 127, 0, 0, 1, 0:64>>,
            [
                case xs:attempt(fun() -> M:sendmsg(S, #{addr => #{family => F, addr => Bytes}, iov => IOV, ctrl => C}) end) of
                    ok -> {ok, xs:without([addr], M:recvmsg(U, 0, 0, [], 5000))};
                    Other -> Other
                end
             || F <- [2, unspec, 99],
                IOV <- [[<<"abc">>], [<<"ab">>, <<"c">>]],
                C <- [
                    [], [#{level => ip, type => ttl, value => 5}], [#{level => ip, type => tos, value => lowdelay}, #{level => ip, type => ttl, data => <<6:32/native>>}],
                    [#{level => ip, type => ttl, data => <<5>>}], [#{level => 99, type => 1, data => <<5>>}]
                ]
            ]
        end},
        {stream, "Parts of a message on a stream.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Result = M:sendmsg(C, #{iov => [<<"ab">>, <<>>, <<"cde">>, "f"]}),
            Result2 = M:sendmsg(C, #{iov => [<<"ab">>, <<>>, <<"cde">>]}),
            [Result, Result2, M:recvmsg(S), M:recvmsg(S, 0)]
        end},
        {datagram, "A message to an address.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            {P, From} = xs:udp(B),
            ok = M:sendmsg(P, #{addr => To, iov => [<<"ab">>, <<"cd">>]}),
            {ok, #{addr := Source} = Msg} = M:recvmsg(A),
            [Source =:= From, maps:remove(addr, Msg)]
        end},
        {recvmsg_arities, "recvmsg in all its forms.", fun(#{api := M} = B) ->
            [
                begin
                    {A, To} = xs:udp(B),
                    ok = M:sendto(A, "abcdef", To),
                    {ok, _} = M:recvfrom(A, [peek], 1000),
                    Result = xs:without([addr], Call(M, A)),
                    ok = M:close(A),
                    {N, Result}
                end
             || {N, Call} <- lists:enumerate([
                    fun(X, S) -> X:recvmsg(S) end, fun(X, S) -> X:recvmsg(S, []) end, fun(X, S) -> X:recvmsg(S, [peek]) end,
                    fun(X, S) -> X:recvmsg(S, 100) end, fun(X, S) -> X:recvmsg(S, infinity) end, fun(X, S) -> X:recvmsg(S, nowait) end,
                    fun(X, S) -> X:recvmsg(S, [], 100) end, fun(X, S) -> X:recvmsg(S, 3, 0) end, fun(X, S) -> X:recvmsg(S, 0, 100) end,
                    fun(X, S) -> X:recvmsg(S, 3, 0, 100) end, fun(X, S) -> X:recvmsg(S, 3, 0, nowait) end,
                    fun(X, S) -> X:recvmsg(S, 10, 10, [], 100) end, fun(X, S) -> X:recvmsg(S, 2, 0, [peek], nowait) end,
                    fun(X, S) -> X:recvmsg(S, make_ref()) end, fun(X, S) -> X:recvmsg(S, [], nowait) end
                ])
            ]
        end},
        {recvmsg_nothing, "recvmsg when there is nothing.", fun(#{api := M} = B) ->
            {A, _} = xs:udp(B),
            [M:recvmsg(A, 0), M:recvmsg(A, 20), M:recvmsg(A, 5, 0, [], 20), M:recvmsg(A, nowait)]
        end},
        {recvmsg_nowait, "recvmsg with nowait, and the message.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            First = M:recvmsg(A, nowait),
            ok = M:sendto(A, "abc", To),
            [First, xs:message(), xs:without([addr], M:recvmsg(A, nowait)), M:recvmsg(A, nowait)]
        end},
        {recvmsg_closed, "recvmsg after the peer has closed.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(C, "abc"),
            ok = M:close(C),
            [M:recvmsg(S, 0, 0, [], 1000), M:recvmsg(S, 0, 0, [], 1000), M:recvmsg(S, nowait)]
        end},
        {sendmsg_arities, "sendmsg in all its forms.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Msg = fun(T) -> #{iov => [T]} end,
            Results = [
                M:sendmsg(C, Msg(<<"a">>)), M:sendmsg(C, Msg(<<"b">>), []), M:sendmsg(C, Msg(<<"c">>), 100), M:sendmsg(C, Msg(<<"d">>), infinity),
                M:sendmsg(C, Msg(<<"e">>), nowait), M:sendmsg(C, Msg(<<"f">>), [], 100), M:sendmsg(C, Msg(<<"g">>), [nosignal], nowait),
                M:sendmsg(C, Msg(<<"h">>), [], make_ref()), M:sendmsg(C, #{iov => []}), M:sendmsg(C, #{iov => [], ctrl => []})
            ],
            {Results, xs:received(M, S, 8)}
        end},
        {bad_sendmsg, "Bad messages.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {A, To} = xs:udp(B),
            Good = #{iov => [<<"a">>]},
            xs:attempts([
                fun() -> M:sendmsg(S, Msg) end
             || S <- [C, A],
                Msg <- [
                    #{}, x, #{iov => x}, #{iov => <<"a">>}, #{iov => ["a"]}, #{iov => [<<"a">>, x]}, #{iov => [<<"a">> | <<"b">>]}, #{iov => [<<1:3>>]},
                    Good#{addr => x}, Good#{addr => #{}}, Good#{addr => #{family => x}}, Good#{addr => To#{port => x}}, Good#{nonsense => 1}, Good#{flags => []},
                    Good#{ctrl => x}, Good#{ctrl => [x]}, Good#{ctrl => [#{}]}, Good#{ctrl => [#{level => ip}]}, Good#{ctrl => [#{level => ip, type => ttl}]},
                    Good#{ctrl => [#{level => ip, type => ttl, value => x}]}, Good#{ctrl => [#{level => nonsense, type => ttl, value => 1}]},
                    Good#{ctrl => [#{level => ip, type => nonsense, value => 1}]}, Good#{ctrl => [#{level => ip, type => ttl, data => x}]},
                    Good#{ctrl => [#{level => 0, type => 2, value => 1}]}, Good#{ctrl => [#{level => ip, type => ttl, value => 1, more => 2}]},
                    Good#{ctrl => [#{level => ip, type => 9999, data => <<>>} | x]}, Good#{ctrl => [#{level => x, type => 1, data => <<>>}]}
                ]
            ]) ++
                xs:attempts([
                    fun() -> M:sendmsg(C, Good, x) end, fun() -> M:sendmsg(C, Good, [x]) end, fun() -> M:sendmsg(C, Good, -1) end, fun() -> M:sendmsg(x, Good) end,
                    fun() -> M:sendmsg(C, Good, x, 0) end, fun() -> M:sendmsg(C, Good, [], x) end, fun() -> M:sendmsg(C, Good#{addr => x}, [x], 0) end
                ])
        end},
        {bad_recvmsg, "Bad arguments of recvmsg.", fun(#{api := M} = B) ->
            {A, _} = xs:udp(B),
            xs:attempts([
                fun() -> M:recvmsg(A, x) end, fun() -> M:recvmsg(A, -1) end, fun() -> M:recvmsg(A, [x]) end, fun() -> M:recvmsg(A, [x], 0) end,
                fun() -> M:recvmsg(A, x, 0) end, fun() -> M:recvmsg(A, -1, 0) end, fun() -> M:recvmsg(A, 0, -1) end, fun() -> M:recvmsg(A, 0, 0, x) end,
                fun() -> M:recvmsg(A, 0, 0, x, 0) end, fun() -> M:recvmsg(A, 0, 0, [x], 0) end, fun() -> M:recvmsg(x) end, fun() -> M:recvmsg(A, 1 bsl 70, 0, [], 0) end,
                fun() -> M:recvmsg(A, 0, 1 bsl 70, [], 0) end
            ])
        end},
        {truncated, "A datagram that is larger than the buffer.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            [
                begin ok = M:sendto(A, "abcdef", To), xs:without([addr], M:recvmsg(A, Size, 0, Flags, 1000)) end
             || Size <- [1, 3, 6, 7], Flags <- [[], [peek]]
            ] ++ [M:recvmsg(A, 0, 0, [], 20) =/= {error, timeout}]
        end},
        {many_parts, "More parts than the system takes in one call.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            IOV = [integer_to_binary(N) || N <- lists:seq(1, 5000)],
            Result = M:sendmsg(C, #{iov => IOV}),
            {Result, xs:received(M, S, iolist_size(IOV)) =:= iolist_to_binary(IOV)}
        end},
        {many_parts_udp, "The same for a datagram.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            [
                {N, M:sendmsg(A, #{iov => lists:duplicate(N, <<"x">>)}), case M:recv(P, 0, 50) of {ok, D} -> byte_size(D); E -> E end}
             || N <- [1, 1023, 1024, 1025, 3000]
            ]
        end},
        {large, "A large message to a peer that reads.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Data = xc:fill(3000000),
            Call = xc:spawn_call(fun() -> M:sendmsg(C, #{iov => [Data, Data]}) end),
            {xs:received(M, S, 6000000) =:= <<Data/binary, Data/binary>>, xc:await(Call)}
        end},
        {goes_on, "A message that goes on with its SelectInfo.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Data = xc:fill(10000000),
            {select, {Info, Rest}} = M:sendmsg(C, #{iov => [Data, Data]}, nowait),
            Call = xc:spawn_call(fun() -> xs:received(M, S, 20000000) =:= <<Data/binary, Data/binary>> end),
            Message = xs:message(),
            [element(3, Message), is_list(Rest), M:sendmsg(C, Rest, Info, infinity), xc:await(Call)]
        end},
        {timeout, "A message with a timeout to a peer that does not read.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            Data = xc:fill(10000000),
            {error, {Reason, Rest}} = M:sendmsg(C, #{iov => [Data, Data]}, 20),
            [Reason, is_list(Rest)]
        end},
        {ttl, "recvttl, and a ttl that is told with the message.", fun(B) -> control(B, inet, [{ip, recvttl}], [[], ctrl(ip, ttl, 7), ctrl_data(ip, ttl, <<9:32/native>>), ctrl(ip, 2, 11)]) end},
        {tos, "recvtos, and tos.", fun(B) ->
            control(B, inet, [{ip, recvtos}], [[], ctrl(ip, tos, 16), ctrl(ip, tos, lowdelay), ctrl(ip, tos, mincost), ctrl(ip, tos, 300), ctrl_data(ip, tos, <<8:32/native>>), ctrl(ip, tos, 2)])
        end},
        {pktinfo, "pktinfo.", fun(B) -> control(B, inet, [{ip, pktinfo}], [[], ctrl(ip, pktinfo, x)]) end},
        {recvorigdstaddr, "recvorigdstaddr.", fun(B) -> control(B, inet, [{ip, recvorigdstaddr}], [[]]) end},
        {recvopts, "recvopts and retopts.", fun(B) -> control(B, inet, [{ip, recvopts}, {ip, retopts}], [[]]) end},
        {timestamp, "timestamp.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            ok = M:setopt(A, {socket, timestamp}, true),
            ok = M:send(P, "abc"),
            {ok, #{ctrl := [C]}} = M:recvmsg(A, 1000),
            #{value := #{sec := Sec, usec := Usec}, data := Data} = C,
            [maps:without([value, data], C), byte_size(Data), abs(Sec - erlang:system_time(second)) < 100, Usec >= 0]
        end},
        {all_together, "Several control messages.", fun(B) ->
            control(B, inet, [{ip, recvttl}, {ip, recvtos}, {ip, pktinfo}], [[], ctrl(ip, ttl, 7) ++ ctrl(ip, tos, 16), ctrl(ip, tos, 16) ++ ctrl(ip, ttl, 7)])
        end},
        {ipv6, "Control messages of IPv6.", fun(B) ->
            control(B, inet6, [{ipv6, recvtclass}, {ipv6, recvhoplimit}, {ipv6, recvpktinfo}], [
                [], ctrl(ipv6, tclass, 5), ctrl(ipv6, hoplimit, 9), ctrl_data(ipv6, hoplimit, <<9:32/native>>), ctrl(ipv6, tclass, 1000), ctrl(ipv6, tclass, x), ctrl(ipv6, 67, 5)
            ])
        end},
        {recverr, "The error of a datagram from the error queue.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            ok = M:setopt(A, {ip, recverr}, true),
            ok = M:close(P),
            ok = M:send(A, "abc"),
            true = xc:until(fun() -> M:recv(A, 0, [peek], 0) =/= {error, timeout} end),
            xs:without([addr], M:recvmsg(A, 0, 0, [errqueue], 0))
        end},
        {recverr6, "The same with IPv6.", fun(#{api := M}) ->
            {ok, A} = M:open(inet6, dgram),
            ok = M:setopt(A, {ipv6, recverr}, true),
            ok = M:connect(A, #{family => inet6, addr => loopback, port => xc:dead_port()}),
            ok = M:send(A, "abc"),
            true = xc:until(fun() -> M:recv(A, 0, [peek], 0) =/= {error, timeout} end),
            xs:without([addr], M:recvmsg(A, 0, 0, [errqueue], 0))
        end},
        {credentials, "Credentials of the sender on a unix socket.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            ok = M:setopt(S, {socket, passcred}, true),
            ok = M:send(C, "abc"),
            {ok, #{ctrl := Control} = Msg} = M:recvmsg(S, 1000),
            [maps:without([ctrl], Msg), [maps:map(fun(K, V) when K =:= data; K =:= value -> size_of(V); (_, V) -> V end, One) || One <- Control]]
        end},
        {rights, "A descriptor as a control message.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            Result = xs:attempt(fun() -> M:sendmsg(C, #{iov => [<<"a">>], ctrl => [#{level => socket, type => rights, data => <<0:32/native>>}]}) end),
            {ok, #{ctrl := Control} = Msg} = M:recvmsg(S, 1000),
            [Result, maps:without([ctrl], Msg), [{maps:without([data, value], One), byte_size(maps:get(data, One))} || One <- Control]]
        end},
        {bad_rights, "Descriptors that are none.", fun(#{api := M} = B) ->
            {C, _} = xs:local_pair(B, stream),
            [xs:attempt(fun() -> M:sendmsg(C, #{iov => [<<"a">>], ctrl => [#{level => socket, type => rights, data => D}]}) end) || D <- [<<-1:32>>, <<>>, <<1>>, x, <<99999:32/native>>]] ++
                [xs:attempt(fun() -> M:sendmsg(C, #{iov => [<<"a">>], ctrl => [#{level => socket, type => T, value => V}]}) end) || T <- [rights, credentials, timestamp, 1], V <- [1, x, #{sec => 1, usec => 2}]]
        end},
        {ctrl_size, "Room for control messages.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            ok = M:setopt(A, {ip, recvttl}, true),
            [
                begin ok = M:send(P, "abc"), xs:without([addr], M:recvmsg(A, 0, Size, [], 1000)) end
             || Size <- [0, 1, 10, 16, 20, 24, 32, 100]
            ]
        end},
        {sndctrlbuf, "Room for control messages to send.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            {ok, _} = M:sockname(P),
            [
                begin ok = M:setopt(A, {otp, sndctrlbuf}, Size), xs:attempt(fun() -> M:sendmsg(A, #{iov => [<<"a">>], ctrl => ctrl(ip, ttl, 7)}) end) end
             || Size <- [1, 16, 20, 24, 32, 1000]
            ]
        end}
    ].

ctrl(Level, Type, Value) -> [#{level => Level, type => Type, value => Value}].

ctrl_data(Level, Type, Data) -> [#{level => Level, type => Type, data => Data}].

%% What the receiver sees of messages with these control messages.
control(#{api := M}, Domain, Options, Controls) ->
    {ok, A} = M:open(Domain, dgram),
    ok = M:bind(A, loopback),
    {ok, To} = M:sockname(A),
    {ok, P} = M:open(Domain, dgram),
    Set = [M:setopt(A, Option, true) || Option <- Options],
    Seen = [
        begin
            Sent = xs:attempt(fun() -> M:sendmsg(P, #{addr => To, iov => [<<"abc">>], ctrl => Control}) end),
            {Control, Sent, without_port(M:recvmsg(A, 100))}
        end
     || Control <- Controls
    ],
    {Set, Seen}.

%% The port differs by chance: in the address, and in what a control message says of it.
without_port({ok, #{ctrl := Control} = Msg}) ->
    {ok, maps:remove(addr, Msg#{ctrl := [
        case One of
            #{value := #{port := Port} = Value} -> One#{value := Value#{port := is_integer(Port)}, data := byte_size(maps:get(data, One))};
            _ -> One
        end
     || One <- Control
    ]})};
without_port(Other) ->
    Other.

size_of(Binary) when is_binary(Binary) -> byte_size(Binary);
size_of(Map) when is_map(Map) -> lists:sort(maps:keys(Map));
size_of(Other) -> Other.

%% What else comes, for as long as it does.
rest(M, Socket) ->
    case M:recv(Socket, 1 bsl 16, [], 200) of
        {ok, _} -> rest(M, Socket);
        {error, timeout} -> done
    end.
