%% Datagram sockets: sendto, recvfrom, send and recv with a peer.
-module(xs_dgram).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {echo, "A datagram there, and one back.", fun(#{api := M} = B) ->
            {A, AddressA} = xs:udp(B),
            {P, AddressP} = xs:udp(B),
            ok = M:sendto(A, "abc", AddressP),
            {ok, {From, Data}} = M:recvfrom(P),
            ok = M:sendto(P, [Data, "def"], From),
            {ok, {Back, All}} = M:recvfrom(A, 0, 1000),
            [From =:= AddressA, Back =:= AddressP, Data, All]
        end},
        {recvfrom_arities, "recvfrom in all its forms.", fun(#{api := M} = B) ->
            [
                begin
                    {A, AddressA} = xs:udp(B),
                    {P, _} = xs:udp(B),
                    ok = M:sendto(P, "abcd", AddressA),
                    {ok, _} = M:recvfrom(A, [peek], 1000),
                    Result = Call(M, A),
                    ok = M:close(A),
                    ok = M:close(P),
                    case Result of {ok, {#{addr := Addr}, Data}} -> {ok, Addr, Data}; Other -> Other end
                end
             || Call <- [
                    fun(X, S) -> X:recvfrom(S) end, fun(X, S) -> X:recvfrom(S, 2) end, fun(X, S) -> X:recvfrom(S, []) end,
                    fun(X, S) -> X:recvfrom(S, 2, []) end, fun(X, S) -> X:recvfrom(S, 2, 100) end,
                    fun(X, S) -> X:recvfrom(S, [], 100) end, fun(X, S) -> X:recvfrom(S, 0, infinity) end,
                    fun(X, S) -> X:recvfrom(S, 10, [], 100) end, fun(X, S) -> X:recvfrom(S, 10, [peek], nowait) end,
                    fun(X, S) -> X:recvfrom(S, 2, nowait) end, fun(X, S) -> X:recvfrom(S, 2, [], 0) end,
                    fun(X, S) -> X:recvfrom(S, [], make_ref()) end
                ]
            ]
        end},
        {recvfrom_nothing, "recvfrom when there is nothing.", fun(#{api := M} = B) ->
            {A, _} = xs:udp(B),
            [M:recvfrom(A, 0, 0), M:recvfrom(A, 5, 20), M:recvfrom(A, [], 20), M:recvfrom(A, nowait)]
        end},
        {recvfrom_nowait, "recvfrom with nowait, and the message.", fun(#{api := M} = B) ->
            {A, Address} = xs:udp(B),
            {P, From} = xs:udp(B),
            First = M:recvfrom(A, 0, nowait),
            ok = M:sendto(P, "abc", Address),
            Message = xs:message(),
            {ok, {Source, Data}} = M:recvfrom(A, 0, nowait),
            {select, Info} = M:recvfrom(A, 0, nowait),
            [First, Message, Source =:= From, Data, M:cancel(A, Info)]
        end},
        {recv, "recv of a datagram.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            [
                begin ok = M:send(P, "abcdef"), {ok, _} = M:recv(A, 0, [peek], 1000), {Length, M:recv(A, Length, [], Wait), M:recv(A, 0, 0)} end
             || Length <- [0, 3, 6, 10], Wait <- [0, 1000, nowait]
            ]
        end},
        {empty, "An empty datagram.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            Results = [M:send(P, ""), M:send(P, <<>>), M:sendmsg(P, #{iov => []})],
            [Results, M:recv(A, 0, 1000), element(2, element(2, M:recvfrom(A, 0, [], 1000))), M:recv(A, 5, 0), M:recv(A, 0, 0)]
        end},
        {connected, "Datagrams of others do not come to a connected socket.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            {O, _} = xs:udp(B),
            {ok, Address} = M:sockname(A),
            ok = M:sendto(O, "others", Address),
            ok = M:send(P, "peer"),
            [M:recv(A, 0, 1000), M:recv(A, 0, 0), M:sendto(A, "x", Address)]
        end},
        {refused, "The error of a datagram that nobody took.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            ok = M:close(P),
            ok = M:send(A, "abc"),
            [M:recv(A, 0, 1000), M:recv(A, 0, 0), M:send(A, "abc")]
        end},
        {too_large, "A datagram that is too large.", fun(#{api := M} = B) ->
            {A, Address} = xs:udp(B),
            [M:sendto(A, xc:fill(N), Address) || N <- [65507, 65508, 70000, 2000000]]
        end},
        {large, "The largest datagram.", fun(#{api := M} = B) ->
            {A, Address} = xs:udp(B),
            ok = M:sendto(A, xc:fill(65507), Address),
            {ok, {_, Default}} = M:recvfrom(A, [peek], 1000),
            {ok, {_, All}} = M:recvfrom(A, 70000, 1000),
            [byte_size(Default), byte_size(All)]
        end},
        {sendto_arities, "sendto in all its forms.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            Results = [
                M:sendto(A, "a", To), M:sendto(A, <<"b">>, To, []), M:sendto(A, ["c"], To, 100), M:sendto(A, "d", To, nowait),
                M:sendto(A, "e", To, infinity), M:sendto(A, "f", To, [], 100), M:sendto(A, "g", To, [dontroute], nowait),
                M:sendto(A, "h", To, [], make_ref()), M:sendto(A, "i", To, make_ref())
            ],
            {Results, [element(2, element(2, M:recvfrom(A, 0, 1000))) || _ <- Results]}
        end},
        {bad_sendto, "Bad arguments of sendto.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            xs:attempts([
                fun() -> M:sendto(A, x, To) end, fun() -> M:sendto(A, [x], To) end, fun() -> M:sendto(A, "a", x) end,
                fun() -> M:sendto(A, "a", To, x) end, fun() -> M:sendto(A, "a", To, [x]) end, fun() -> M:sendto(A, "a", To, -1) end,
                fun() -> M:sendto(A, "a", To, [], x) end, fun() -> M:sendto(x, "a", To) end, fun() -> M:sendto(A, "a", To, x, 0) end,
                fun() -> M:sendto(A, "a", x, [x], 0) end, fun() -> M:sendto(A, "a", #{family => x}, [x], 0) end
            ])
        end},
        {bad_recvfrom, "Bad arguments of recvfrom.", fun(#{api := M} = B) ->
            {A, _} = xs:udp(B),
            xs:attempts([
                fun() -> M:recvfrom(A, -1) end, fun() -> M:recvfrom(A, x) end, fun() -> M:recvfrom(A, 0, x) end,
                fun() -> M:recvfrom(A, 0, -1) end, fun() -> M:recvfrom(A, [x], 0) end, fun() -> M:recvfrom(A, 0, [x], 0) end,
                fun() -> M:recvfrom(A, 0, [], x) end, fun() -> M:recvfrom(x) end, fun() -> M:recvfrom(x, 0, [], 0) end,
                fun() -> M:recvfrom(A, 1 bsl 70, [], 0) end, fun() -> M:recvfrom(A, 0, x, 0) end
            ])
        end},
        {local, "Datagrams of the unix domain.", fun(#{api := M}) ->
            Path = xs:path(),
            {ok, A} = M:open(local, dgram),
            ok = M:bind(A, #{family => local, path => Path}),
            {ok, P} = M:open(local, dgram),
            ok = M:sendto(P, "unnamed", #{family => local, path => Path}),
            Unnamed = M:recvfrom(A, 0, 1000),
            Path2 = xs:path(),
            ok = M:bind(P, #{family => local, path => Path2}),
            ok = M:sendto(P, "named", #{family => local, path => list_to_binary(Path)}),
            {ok, {#{path := From}, Named}} = M:recvfrom(A, 0, 1000),
            ok = M:connect(P, #{family => local, path => Path}),
            ok = M:send(P, "connected"),
            Connected = M:recv(A, 0, 1000),
            [ok, ok] = [file:delete(F) || F <- [Path, Path2]],
            [Unnamed, From =:= list_to_binary(Path2), Named, Connected, M:sendto(P, "x", #{family => local, path => "/nonsense"})]
        end},
        {local_refused, "Datagrams of the unix domain that are too large, and for a socket that has another peer.", fun(#{api := M}) ->
            [A, B, C] = Sockets = [element(2, {ok, _} = M:open(local, dgram)) || _ <- "ABC"],
            [ToA, ToB] = [#{family => local, path => list_to_binary([0 | xs:path()])} || _ <- "AB"],
            [ok, ok] = [M:bind(A, ToA), M:bind(B, ToB)],
            ok = M:connect(A, ToB),
            Large = xc:fill(300000),
            Seen = [M:sendto(C, Large, ToB), M:sendto(C, Large, ToA), M:send(C, "x"), M:sendto(C, "x", ToA), M:connect(C, ToA), M:connect(B, ToA)],
            [ok = M:close(Socket) || Socket <- Sockets],
            Seen
        end},
        {bind_accepted, "An accepted socket has the address of its listener.", fun(#{api := M} = B) ->
            {Client, Server} = xs:pair(B),
            {LocalClient, LocalServer} = xs:local_pair(B, stream),
            Path = list_to_binary([0 | xs:path()]),
            [M:bind(S, xs:loopback()) || S <- [Client, Server]] ++
                [M:bind(S, #{family => local, path => Path}) || S <- [LocalServer, LocalClient]]
        end},
        {stream, "sendto and recvfrom of a stream.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {ok, To} = M:peername(C),
            Result = M:sendto(C, "abc", To),
            [Result, M:recvfrom(S, 0, 1000), M:recvfrom(S, 0, 0), M:close(C), M:recvfrom(S, 0, 1000)]
        end},
        {not_connected, "send without a peer.", fun(#{api := M} = B) ->
            {A, _} = xs:udp(B),
            [M:send(A, "abc"), M:send(A, "abc", nowait), M:sendmsg(A, #{iov => [<<"abc">>]})]
        end},
        {broadcast, "Broadcast needs an option.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            To = #{family => inet, addr => broadcast, port => 9},
            Before = M:sendto(S, "abc", To),
            ok = M:setopt(S, {socket, broadcast}, true),
            [Before, case M:sendto(S, "abc", To) of {error, enetunreach} -> ok; Other -> Other end]
        end},
        {counters, "What info counts.", fun(#{api := M} = B) ->
            {A, To} = xs:udp(B),
            ok = M:sendto(A, "abc", To),
            ok = M:sendto(A, "defgh", To),
            {ok, _} = M:recvfrom(A, 2, 1000),
            {ok, _} = M:recvfrom(A, 0, 1000),
            {error, timeout} = M:recvfrom(A, 0, 0),
            {error, emsgsize} = M:sendto(A, xc:fill(70000), To),
            maps:get(counters, M:info(A))
        end},
        {raw, "A raw socket of ICMP.", fun(#{api := M}) ->
            case M:open(inet, raw, icmp) of
                {ok, S} -> [maps:remove(owner, M:info(S)), M:sockname(S), M:close(S)];
                {error, eperm} -> xc:skip("raw sockets are for root")
            end
        end},
        {packet, "A socket of the link layer.", fun(#{api := M}) ->
            case M:open(17, raw) of
                {ok, S} -> [maps:remove(owner, M:info(S)), M:sockname(S), M:getopt(S, {socket, domain}), M:close(S)];
                {error, eperm} -> xc:skip("sockets of the link layer are for root")
            end
        end},
        {packet_by_name, "Domains by the names of other systems.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:open(D, raw) end) || D <- [packet, link, implink, netlink]]
        end},
        {netlink, "A socket of another family, by its number.", fun(#{api := M}) ->
            {ok, S} = M:open(16, raw, 0),
            [maps:remove(owner, M:info(S)), M:sockname(S), M:getopt(S, {socket, domain}), M:getopt(S, {socket, protocol}), M:close(S)]
        end}
    ].
