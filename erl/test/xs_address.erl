%% Addresses: bind and sockname, connect and sendto with all kinds of maps, good and bad.
-module(xs_address).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {bind_words, "The words any, loopback and broadcast.", fun(#{api := M}) ->
            [
                begin
                    {ok, S} = M:open(Domain, dgram),
                    Result = xs:attempt(fun() -> M:bind(S, Word) end),
                    {Domain, Word, Result, without_port(M:sockname(S)), M:close(S)}
                end
             || Domain <- [inet, inet6, local], Word <- [any, loopback, broadcast, nonsense]
            ]
        end},
        {bind_maps, "Maps of IPv4.", fun(#{api := M}) -> bound(M, inet, inet_maps()) end},
        {bind_maps6, "Maps of IPv6.", fun(#{api := M}) -> bound(M, inet6, inet6_maps()) end},
        {bind_others, "Maps of another family, or of none.", fun(#{api := M}) -> bound(M, inet, other_maps()) end},
        {bind_others6, "The same on a socket of IPv6.", fun(#{api := M}) -> bound(M, inet6, other_maps() ++ inet_maps()) end},
        {bind_others_local, "The same on a socket of the unix domain.", fun(#{api := M}) -> bound(M, local, other_maps()) end},
        {bind_no_maps, "What is no map.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [xs:attempt(fun() -> M:bind(S, A) end) || A <- [x, 1, [], "abc", {127, 0, 0, 1}, {{127, 0, 0, 1}, 80}, <<"abc">>, 1.5, make_ref()]]
        end},
        {bind_twice, "A second bind.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [M:bind(S, xs:loopback()), M:bind(S, xs:loopback()), maps:get(rstates, M:info(S))]
        end},
        {in_use, "An address that is in use.", fun(#{api := M} = B) ->
            {_, Address} = xs:listener(B),
            {ok, S} = M:open(inet, stream),
            M:bind(S, Address)
        end},
        {bindx_others, "bind/3 of every kind of socket, of what is none, and with every kind of address.", fun(#{api := M}) ->
            [A4, A6] = [#{family => F, addr => loopback, port => 0} || F <- [inet, inet6]],
            {ok, Closed} = M:open(inet, stream),
            ok = M:close(Closed),
            Sockets = [element(2, {ok, _} = M:open(D, T)) || D <- [inet, inet6, local], T <- [stream, dgram]],
            [
                xs:attempt(fun() -> M:bind(S, Addresses, Action) end)
             || S <- Sockets ++ [Closed, {'$socket', make_ref()}, x],
                Addresses <- [[], [A4], [A6, A4], [#{family => local, path => "x"}], [#{family => local, path => [16#110000]}],
                              [#{family => local, path => lists:duplicate(200, $x)}], [any], [x], [A4, x], [A4 | x], x],
                Action <- [add, remove, x]
            ]
        end},
        {sctp, "Sockets of SCTP.", fun(#{api := M}) ->
            [
                {D, T, P, element(1, R), case R of {ok, S} -> M:close(S); _ -> R end}
             || D <- [inet, inet6, local], T <- [stream, seqpacket, dgram], P <- [sctp, 132, {raw, 132}],
                R <- [xs:attempt(fun() -> M:open(D, T, P) end)]
            ]
        end},
        {bindx, "bind/3 is of SCTP.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [xs:attempt(fun() -> M:bind(S, L, A) end) || {L, A} <- [{[xs:loopback()], add}, {[], add}, {x, add}, {[xs:loopback()], x}, {[x], remove}]]
        end},
        {local_paths, "Paths of the unix domain.", fun(#{api := M}) ->
            Path = xs:path(),
            Long = fun(Size) -> lists:flatten(string:pad(Path, Size, trailing, $x)) end,
            [
                begin
                    {ok, S} = M:open(local, dgram),
                    Result = xs:attempt(fun() -> M:bind(S, #{family => local, path => P}) end),
                    Name = M:sockname(S),
                    ok = M:close(S),
                    _ = file:delete(lists:takewhile(fun(C) -> C =/= 0 end, binary_to_list(iolist_to_binary(P)))),
                    {N, without(P, Result), case Name of {ok, #{path := Q}} -> {ok, byte_size(Q), Q =:= iolist_to_binary(P)}; _ -> Name end}
                end
             || {N, P} <- lists:enumerate([Path, list_to_binary(Path), Path ++ [0], Path ++ [0, $b, 0], Long(107), Long(108), Long(109), Long(256), [0 | Path],
                                           list_to_binary([0, 1 | Path]),
                                           [0, 0, 0], "/nonsense/nonsense"])
            ]
        end},
        {local_bad_paths, "Paths that are none.", fun(#{api := M}) ->
            {ok, S} = M:open(local, dgram),
            [xs:attempt(fun() -> M:bind(S, #{family => local, path => P}) end) || P <- [x, 1, [x], {a}, [16#10FFFF + 1], [-1], [$a | b], ["/nonsense", "/x"]]] ++
                [xs:attempt(fun() -> M:bind(S, A) end) || A <- [#{family => local}, #{family => local, path => "x", more => 1}]]
        end},
        {unicode_path, "A path with characters that are not ASCII.", fun(#{api := M}) ->
            {ok, S} = M:open(local, dgram),
            Path = xs:path() ++ [16#e4, 16#20ac],
            Result = xs:attempt(fun() -> M:bind(S, #{family => local, path => Path}) end),
            _ = file:delete(Path),
            case Result of ok -> {ok, #{path := P}} = M:sockname(S), {ok, byte_size(P)}; Other -> Other end
        end},
        {autobind, "An empty path.", fun(#{api := M}) ->
            {ok, S} = M:open(local, dgram),
            Results = [M:bind(S, #{family => local, path => P}) || P <- ["", <<>>]],
            {ok, #{family := local, path := Path}} = M:sockname(S),
            {Results, byte_size(Path), binary:part(Path, 0, min(1, byte_size(Path)))}
        end},
        {connect_maps, "connect with these maps.", fun(#{api := M}) ->
            [
                begin
                    {ok, S} = M:open(Domain, dgram),
                    Result = xs:attempt(fun() -> M:connect(S, A) end),
                    Peer = M:peername(S),
                    ok = M:close(S),
                    {Domain, A, Result, Peer}
                end
             || Domain <- [inet, inet6], A <- inet_maps() ++ inet6_maps() ++ other_maps()
            ]
        end},
        {sendto_maps, "sendto with these maps.", fun(#{api := M}) ->
            [
                begin
                    {ok, S} = M:open(Domain, dgram),
                    Result = xs:attempt(fun() -> M:sendto(S, "abc", A) end),
                    ok = M:close(S),
                    {Domain, A, Result}
                end
             || Domain <- [inet, inet6, local], A <- inet_maps() ++ inet6_maps() ++ other_maps() ++ [x, {127, 0, 0, 1}]
            ]
        end},
        {disconnect, "connect with family unspec ends an association.", fun(#{api := M} = B) ->
            {S, _} = xs:udp_pair(B),
            [
                M:connect(S, #{family => unspec}), M:peername(S), without_port(M:sockname(S)),
                xs:attempt(fun() -> M:connect(S, #{family => unspec, addr => <<0:64>>}) end), M:send(S, "abc")
            ]
        end},
        {listen, "listen with all kinds of backlogs.", fun(#{api := M}) ->
            [
                begin
                    {ok, S} = M:open(Domain, Type),
                    Result = xs:attempt(fun() -> M:listen(S, Backlog) end),
                    {Domain, Type, Backlog, Result, maps:get(rstates, M:info(S)), M:close(S)}
                end
             || {Domain, Type, Backlog} <- [
                    {inet, stream, 0}, {inet, stream, 5}, {inet, stream, -1}, {inet, stream, 100000}, {inet, stream, x},
                    {inet, stream, 1 bsl 40}, {inet, dgram, 5}, {local, stream, 5}, {inet, stream, 1.5}, {inet6, stream, 1}
                ]
            ] ++ [xs:attempt(fun() -> M:listen(x, 5) end), xs:attempt(fun() -> M:listen(x) end)]
        end},
        {names_of_no_socket, "sockname and peername of what is no socket.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:F(T) end) || F <- [sockname, peername], T <- [x, {'$socket', x}, make_ref()]]
        end}
    ].

bound(M, Domain, Addresses) ->
    [
        begin
            {ok, S} = M:open(Domain, dgram),
            Result = xs:attempt(fun() -> M:bind(S, Address) end),
            Name = without_port(M:sockname(S)),
            ok = M:close(S),
            {Address, Result, Name}
        end
     || Address <- Addresses
    ].

without_port({ok, #{port := Port} = Map}) -> {ok, Map#{port := Port =/= 0}};
without_port(Other) -> Other.

inet_maps() ->
    Base = #{family => inet},
    [
        Base, Base#{addr => any}, Base#{addr => loopback}, Base#{addr => {127, 0, 0, 1}, port => 0},
        Base#{addr => broadcast}, Base#{addr => none}, Base#{addr => {127, 0, 0, 256}}, Base#{addr => {127, 0, 0}},
        Base#{addr => {127, 0, 0, -1}}, Base#{addr => "127.0.0.1"}, Base#{addr => <<127, 0, 0, 1>>}, Base#{addr => 1},
        Base#{addr => {192, 0, 2, 1}}, Base#{port => -1}, Base#{port => x}, Base#{port => 1 bsl 40}, Base#{port => 1.5},
        Base#{flowinfo => 1}, Base#{nonsense => 1, other => 2}, Base#{addr => {0, 0, 0, 0, 0, 0, 0, 1}},
        Base#{"text" => 1}, Base#{addr => {127, 0, 0, x}}
    ].

inet6_maps() ->
    Base = #{family => inet6},
    [
        Base, Base#{addr => any}, Base#{addr => loopback}, Base#{addr => {0, 0, 0, 0, 0, 0, 0, 1}, port => 0},
        Base#{addr => broadcast}, Base#{addr => {0, 0, 0, 0, 0, 0, 0, 65536}}, Base#{addr => {127, 0, 0, 1}},
        Base#{addr => loopback, flowinfo => 5}, Base#{addr => loopback, scope_id => 1}, Base#{addr => loopback, scope_id => 999},
        Base#{addr => loopback, flowinfo => x}, Base#{addr => loopback, scope_id => x}, Base#{addr => loopback, flowinfo => -1},
        Base#{addr => loopback, flowinfo => 1 bsl 33}, Base#{addr => loopback, scope_id => 1 bsl 31}, Base#{path => "x"},
        Base#{addr => {16#2001, 16#db8, 0, 0, 0, 0, 0, 1}}, Base#{port => 1 bsl 20}
    ].

other_maps() ->
    [
        #{}, #{addr => any}, #{family => unspec}, #{family => unspec, addr => <<>>}, #{family => unspec, addr => x},
        #{family => unspec, addr => <<0:112>>}, #{family => unspec, port => 1}, #{family => nonsense}, #{family => "inet"},
        #{family => 2}, #{family => 2, addr => <<0, 0, 127, 0, 0, 1, 0:64>>}, #{family => 2, addr => <<0, 0, 127>>},
        #{family => 99, addr => <<>>}, #{family => -1, addr => <<>>}, #{family => 1 bsl 40, addr => <<>>}, #{family => 2, addr => x},
        #{family => 2, port => 1, addr => <<>>}, #{family => packet}, #{family => link}, #{family => local, path => "/nonsense/x"},
        #{family => implink}, #{family => undefined}, #{family => 2, addr => <<0:1024>>}, #{family => 2, addr => <<0:4096>>}
    ].

%% A refusal without this path, which differs by chance.
without(Path, {error, {invalid, Term}}) when is_tuple(Term) ->
    {error, {invalid, list_to_tuple([case Part of #{path := Path} -> Part#{path := path}; _ -> Part end || Part <- tuple_to_list(Term)])}};
without(_, Other) ->
    Other.
