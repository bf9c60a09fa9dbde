%% socket:open/1,2,3,4 and what a new socket says of itself.
-module(xs_open).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {types, "Every domain and type that there is.", fun(#{api := M}) ->
            [
                case M:open(Domain, Type) of
                    {ok, S} ->
                        Seen = [M:getopt(S, {socket, O}) || O <- [domain, type, protocol]],
                        {Domain, Type, Seen, M:close(S)};
                    Error ->
                        {Domain, Type, Error}
                end
             || Domain <- [inet, inet6, local], Type <- [stream, dgram, seqpacket, rdm]
            ]
        end},
        {numbers, "Domain, type and protocol as numbers.", fun(#{api := M}) ->
            [
                begin
                    {ok, S} = M:open(D, T, P),
                    [M:getopt(S, {socket, O}) || O <- [domain, type, protocol]]
                end
             || {D, T, P} <- [{2, 1, 6}, {2, 2, 17}, {10, 1, 0}, {1, 1, 0}, {2, 1, tcp}, {inet, 2, udp}, {inet, stream, default}]
            ]
        end},
        {protocols, "Protocols by their names.", fun(B) -> protocols(B, [stream, dgram]) end},
        {raw_protocols, "Those of raw sockets.", fun(B) -> protocols(B, [raw]) end},
        {bad_domain, "Domains that there are not.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:open(D, stream) end) || D <- [nonsense, unspec, 4711, -1, 1 bsl 40, "inet", 1.5, [], {inet}]]
        end},
        {bad_type, "Types that there are not.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:open(inet, T) end) || T <- [nonsense, 4711, -1, 1 bsl 40, "stream", 1.5, [], {stream}]]
        end},
        {bad_protocol, "Protocols that there are not.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:open(inet, stream, P) end) || P <- [nonsense, -1, 1 bsl 40, "tcp", 1.5, [], {raw}, {raw, x}]]
        end},
        {options_map, "The third argument may be options.", fun(#{api := M}) ->
            [
                case xs:attempt(fun() -> M:open(inet, stream, Options) end) of
                    {ok, S} -> {ok, M:getopt(S, {otp, debug}), M:getopt(S, {socket, protocol})};
                    Other -> Other
                end
             || Options <- [#{}, #{debug => true}, #{debug => false}, #{debug => 1}, #{nonsense => 1}, #{use_registry => false}, #{use_registry => x}]
            ]
        end},
        {four_arguments, "Domain, type, protocol and options.", fun(#{api := M}) ->
            [
                case xs:attempt(fun() -> M:open(inet, dgram, P, Options) end) of
                    {ok, S} -> {ok, M:getopt(S, {socket, protocol})};
                    Other -> Other
                end
             || {P, Options} <- [{udp, #{}}, {tcp, #{}}, {default, []}, {udp, x}, {nonsense, #{}}, {17, #{debug => true}}]
            ]
        end},
        {namespaces, "The option netns.", fun(#{api := M}) ->
            [
                case xs:attempt(fun() -> M:open(inet, stream, #{netns => N}) end) of
                    {ok, S} -> {ok, M:getopt(S, {socket, domain})};
                    Other -> Other
                end
             || N <- ["/proc/self/ns/net", "/nonsense", "", <<"/proc/self/ns/net">>, x, 1, "/etc/passwd", [x]]
            ]
        end},
        {bad_arguments, "Arguments of other types.", fun(#{api := M}) ->
            xs:attempts([
                fun() -> M:open(x) end,
                fun() -> M:open(x, #{}) end,
                fun() -> M:open(1.0) end,
                fun() -> M:open([], []) end,
                fun() -> M:open({a, b}, c) end
            ])
        end},
        {no_descriptor, "A descriptor that is none.", fun(#{api := M}) ->
            xs:attempts([
                fun() -> M:open(-1) end,
                fun() -> M:open(54321) end,
                fun() -> M:open(54321, #{dup => false}) end,
                fun() -> M:open(54321, #{domain => inet, type => stream, protocol => tcp}) end,
                fun() -> M:open(1 bsl 40) end,
                fun() -> M:open(54321, #{dup => x}) end,
                fun() -> M:open(54321, #{domain => nonsense}) end,
                fun() -> M:open(54321, #{type => nonsense}) end,
                fun() -> M:open(54321, #{protocol => nonsense}) end
            ])
        end},
        {descriptor, "A socket of a descriptor of the node.", fun(#{api := M} = B) ->
            {Descriptor, Peer} = connected_descriptor(B),
            {ok, S} = M:open(Descriptor),
            ok = M:send(S, "abc"),
            ok = gen_tcp:send(Peer, "def"),
            [gen_tcp:recv(Peer, 3), M:recv(S, 3), [M:getopt(S, {socket, O}) || O <- [domain, type, protocol]], M:close(S)]
        end},
        {descriptor_told, "Its domain, type and protocol can be told.", fun(#{api := M} = B) ->
            {Descriptor, _} = connected_descriptor(B),
            [
                case xs:attempt(fun() -> M:open(Descriptor, Options) end) of
                    {ok, S} -> {ok, maps:with([domain, type, protocol], M:info(S))};
                    Other -> Other
                end
             || Options <- [
                    #{domain => inet, type => stream, protocol => tcp}, #{domain => inet6}, #{type => dgram},
                    #{protocol => udp}, #{dup => true}, #{nonsense => x}, #{protocol => 99}
                ]
            ]
        end},
        {the_term, "A socket is a tuple with a reference, which can be compared, and is a key.", fun(#{api := M}) ->
            {ok, S1} = M:open(inet, stream),
            {ok, S2} = M:open(inet, stream),
            {'$socket', Ref} = S1,
            Keys = #{S1 => one, S2 => two},
            "#Socket" ++ _ = M:to_list(S1),
            {is_reference(Ref), S1 =:= S2, maps:get(S1, Keys), binary_to_term(term_to_binary(S1)) =:= S1}
        end},
        {to_list, "to_list of what is no socket.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:to_list(T) end) || T <- [x, {'$socket', x}, make_ref(), {'$socket', 1, 2}]]
        end},
        {new_info, "What info says of a new socket.", fun(#{api := M}) ->
            [begin {ok, S} = M:open(D, T), M:info(S) end || {D, T} <- [{inet, stream}, {inet6, dgram}, {local, stream}, {local, seqpacket}]]
        end},
        {closed_info, "What info says of a closed socket.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            ok = M:close(S),
            M:info(S)
        end},
        {bad_info, "Info of what is no socket.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:info(T) end) || T <- [x, {'$socket', x}, make_ref(), {'$socket', make_ref()}]]
        end},
        {made_up, "Functions of a reference that is of no socket.", fun(#{api := M}) ->
            S = {'$socket', make_ref()},
            xs:attempts([
                fun() -> M:close(S) end, fun() -> M:sockname(S) end, fun() -> M:peername(S) end,
                fun() -> M:bind(S, any) end, fun() -> M:listen(S) end, fun() -> M:accept(S, 0) end,
                fun() -> M:connect(S, xs:loopback()) end, fun() -> M:connect(S) end,
                fun() -> M:send(S, "a") end, fun() -> M:recv(S, 0, 0) end, fun() -> M:recvfrom(S, 0, 0) end,
                fun() -> M:recvmsg(S, 0) end, fun() -> M:sendto(S, "a", xs:loopback()) end,
                fun() -> M:sendmsg(S, #{iov => [<<"a">>]}) end, fun() -> M:shutdown(S, read) end,
                fun() -> M:getopt(S, {socket, type}) end, fun() -> M:setopt(S, {socket, rcvbuf}, 1) end,
                fun() -> M:getopt_native(S, {socket, type}, integer) end, fun() -> M:setopt_native(S, {socket, 1}, 1) end,
                fun() -> M:ioctl(S, gifconf) end, fun() -> M:monitor(S) end,
                fun() -> M:cancel(S, {select_info, recv, make_ref()}) end
            ])
        end}
    ].

%% The descriptor of a connected socket of the stock driver, and its peer.
connected_descriptor(_) ->
    Stock = [{inet_backend, inet}, inet, binary, {active, false}],
    {ok, Listener} = gen_tcp:listen(0, Stock),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(Listener), Stock),
    {ok, Peer} = gen_tcp:accept(Listener),
    {ok, Descriptor} = prim_inet:getfd(Socket),
    {Descriptor, Peer}.

%% What comes of protocols of these types.
protocols(#{api := M}, Types) ->
    [
        case xs:attempt(fun() -> M:open(inet, Type, Protocol) end) of
            {ok, S} -> {Type, Protocol, M:getopt(S, {socket, protocol})};
            Other -> {Type, Protocol, Other}
        end
     || Type <- Types, Protocol <- [tcp, 'TCP', udp, icmp, igmp, ip, default, 0, {raw, 6}, {raw, 17}, nonsense, 999]
    ].
