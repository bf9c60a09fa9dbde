%% gen_udp on unix sockets.
-module(xc_local_udp).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {path, "Bound to a path, and sent to by it.", fun(B) ->
            with_path(fun(Path) ->
                S = open(B, [{ip, {local, Path}}]),
                {ok, P} = gen_udp:open(0, [local, binary, {active, false}]),
                Sent = gen_udp:send(P, {local, Path}, 0, "hello"),
                {Sent, gen_udp:recv(S, 0, 5000), inet:sockname(S) =:= {ok, {local, list_to_binary(Path)}}}
            end)
        end},
        {internet_options, "Options of the internet, asked of a socket with a path.", fun(B) ->
            with_path(fun(Path) ->
                S = open(B, [{ip, {local, Path}}]),
                [
                    {Name, inet:getopts(S, [Name]), inet:getopts(S, [mode, Name])}
                 || Name <- [
                        pktoptions, tos, ttl, tclass, priority, recvtos, recvttl, recvtclass, ipv6_v6only, dontroute,
                        bind_to_device, multicast_if, multicast_ttl, multicast_loop, broadcast
                    ]
                ]
            end)
        end},
        {sender_path, "The sender's path.", fun(B) ->
            with_path(fun(Path) ->
                with_path(fun(From) ->
                    %% prim_inet:recvfrom/3 fails on the path of a sender in binary mode
                    S = open(B, [{ip, {local, Path}}, list]),
                    {ok, P} = gen_udp:open(0, [local, {ip, {local, From}}]),
                    ok = gen_udp:send(P, {local, Path}, 0, "hello"),
                    {ok, {{local, Sender}, 0, Data}} = gen_udp:recv(S, 0, 5000),
                    {Sender =:= list_to_binary(From), Data}
                end)
            end)
        end},
        {active, "Active messages, with and without a sender's path.", fun(B) ->
            with_path(fun(Path) ->
                with_path(fun(From) ->
                    S = open(B, [{ip, {local, Path}}, {active, true}]),
                    {ok, P} = gen_udp:open(0, [local, {ip, {local, From}}]),
                    {ok, Q} = gen_udp:open(0, [local]),
                    ok = gen_udp:send(P, {local, Path}, 0, "named"),
                    {udp, S, {local, Sender}, 0, Named} = xc:next(),
                    ok = gen_udp:send(Q, {local, Path}, 0, "unnamed"),
                    {Sender =:= list_to_binary(From), Named, xc:next()}
                end)
            end)
        end},
        {send_forms, "All forms of send.", fun(B) ->
            with_path(fun(Path) ->
                {ok, P} = gen_udp:open(0, [local, binary, {active, false}, {ip, {local, Path}}]),
                S = open(B, []),
                Forms = [
                    fun() -> gen_udp:send(S, {local, Path}, "a") end,
                    fun() -> gen_udp:send(S, {local, Path}, 0, "b") end,
                    fun() -> gen_udp:send(S, {local, list_to_binary(Path)}, 0, "c") end,
                    fun() -> gen_udp:send(S, {local, Path}, [], "d") end,
                    fun() -> gen_udp:send(S, {local, Path}, 1, "e") end,
                    fun() -> gen_udp:send(S, {local, Path}, 0, [], "f") end,
                    fun() -> gen_udp:send(S, {local, Path}, 1, [], "g") end,
                    fun() -> gen_udp:send(S, {{127, 0, 0, 1}, 9}, "h") end,
                    fun() -> gen_udp:send(S, {127, 0, 0, 1}, 9, "i") end,
                    fun() -> gen_udp:send(S, "localhost", 9, "j") end
                ],
                Sent = [xc:attempt(F) || F <- Forms],
                {Sent, [gen_udp:recv(P, 0, 50) || _ <- lists:seq(1, 6)]}
            end)
        end},
        {no_such_path, "A path where nobody is.", fun(B) ->
            S = open(B, []),
            gen_udp:send(S, {local, "/no/such/path"}, 0, "x")
        end},
        {refused, "A path whose socket is closed.", fun(B) ->
            with_path(fun(Path) ->
                {ok, P} = gen_udp:open(0, [local, {ip, {local, Path}}]),
                ok = gen_udp:close(P),
                S = open(B, []),
                gen_udp:send(S, {local, Path}, 0, "x")
            end)
        end},
        {long_path, "A path that is too long.", fun(B) ->
            S = open(B, []),
            Path = lists:duplicate(200, $x),
            {
                xc:attempt(fun() -> gen_udp:send(S, {local, Path}, 0, "x") end),
                xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [local, {ip, {local, Path}}])) end)
            }
        end},
        {bad_path, "A path that is none.", fun(B) ->
            S = open(B, []),
            {
                xc:attempt(fun() -> gen_udp:send(S, {local, x}, 0, "x") end),
                xc:attempt(fun() -> gen_udp:send(S, {local, 5}, 0, "x") end)
            }
        end},
        {in_use, "A path that is taken.", fun(B) ->
            with_path(fun(Path) ->
                {ok, _} = gen_udp:open(0, [local, {ip, {local, Path}}]),
                gen_udp:open(0, xc:udp_options(B, [local, {ip, {local, Path}}]))
            end)
        end},
        {unbound, "The name of a socket without a path.", fun(B) ->
            S = open(B, []),
            {inet:sockname(S), inet:peername(S), inet:port(S)}
        end},
        {ifaddr, "The option ifaddr, with a binary.", fun(B) ->
            with_path(fun(Path) ->
                S = open(B, [{ifaddr, {local, list_to_binary(Path)}}]),
                element(1, element(2, inet:sockname(S)))
            end)
        end},
        {loopback, "Bound to loopback: a name of the system's choice.", fun(B) ->
            S = open(B, [{ip, loopback}]),
            {ok, {local, Name}} = inet:sockname(S),
            {binary:first(Name), byte_size(Name)}
        end},
        {abstract, "An abstract name.", fun(B) ->
            Name = <<0, "inetpy_", (integer_to_binary(erlang:unique_integer([positive])))/binary>>,
            S = open(B, [{ip, {local, Name}}]),
            {ok, P} = gen_udp:open(0, [local]),
            Sent = gen_udp:send(P, {local, Name}, 0, "hello"),
            {Sent, gen_udp:recv(S, 0, 5000), inet:sockname(S) =:= {ok, {local, Name}}}
        end},
        {port, "A port is refused.", fun(B) ->
            [
                xc:attempt(fun() -> gen_udp:open(5, xc:udp_options(B, [local])) end),
                xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [local, {port, 5}])) end),
                xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [local, {ip, {127, 0, 0, 1}}])) end)
            ]
        end},
        {connect, "Connected to a path.", fun(B) ->
            with_path(fun(Path) ->
                {ok, P} = gen_udp:open(0, [local, binary, {active, false}, {ip, {local, Path}}]),
                S = open(B, []),
                Done = gen_udp:connect(S, {local, Path}, 0),
                Sent = gen_udp:send(S, "x"),
                {ok, {local, Peer}} = inet:peername(S),
                {Done, Sent, gen_udp:recv(P, 0, 5000), Peer =:= list_to_binary(Path)}
            end)
        end},
        {connect_bad, "Connected to what is not there.", fun(B) ->
            S = open(B, []),
            [
                xc:attempt(fun() -> gen_udp:connect(S, {local, "/no/such/path"}, 0) end),
                xc:attempt(fun() -> gen_udp:connect(S, {local, "/no/such/path"}, 1) end),
                xc:attempt(fun() -> gen_udp:connect(S, {127, 0, 0, 1}, 1) end)
            ]
        end},
        {not_connected, "send/2 without a peer.", fun(B) -> gen_udp:send(open(B, []), "x") end},
        {deliver_port, "deliver port.", fun(B) ->
            with_path(fun(Path) ->
                S = open(B, [{ip, {local, Path}}, {active, true}, {deliver, port}]),
                {ok, Q} = gen_udp:open(0, [local]),
                ok = gen_udp:send(Q, {local, Path}, 0, "unnamed"),
                {S, {data, Unnamed}} = xc:next(),
                Unnamed
            end)
        end},
        {sizes, "Large datagrams.", fun(B) ->
            with_path(fun(Path) ->
                {ok, P} = gen_udp:open(0, [local, binary, {active, false}, {ip, {local, Path}}, {recbuf, 200000}]),
                S = open(B, [{sndbuf, 200000}]),
                [
                    {N, gen_udp:send(S, {local, Path}, 0, xc:fill(N)), erlang:crc32(element(3, element(2, gen_udp:recv(P, 0, 5000))))}
                 || N <- [0, 1, 1000, 65000]
                ]
            end)
        end},
        {no_room, "More than the receiver has room for, and nothing is left behind.", fun(B) ->
            with_path(fun(Path) ->
                S = open(B, [{ip, {local, Path}}]),
                T = open(B, []),
                Sent = [gen_udp:send(T, {local, Path}, 0, <<N>>) || N <- lists:seq(1, 100)],
                {ok, _} = gen_udp:recv(S, 0, 1000),
                {lists:usort(Sent), gen_udp:send(T, {local, Path}, 0, "now there is"), process_info(self(), message_queue_len)}
            end)
        end},
        {options, "Options of the internet on a unix socket.", fun(B) ->
            S = open(B, []),
            {
                [inet:setopts(S, [O]) || O <- [{tos, 4}, {ttl, 4}, {recvtos, true}, {broadcast, true}, {multicast_ttl, 1}]],
                inet:getopts(S, [tos, ttl, recvtos, multicast_ttl, multicast_if, active, recbuf, buffer])
            }
        end}
    ].

open(B, Options) ->
    {ok, S} = gen_udp:open(0, xc:udp_options(B, [local, binary, {active, false} | Options])),
    S.

%% Fun is called with a free path. All paths have the same length.
with_path(Fun) ->
    N = erlang:unique_integer([positive]) rem 1000000,
    Path = lists:flatten(io_lib:format("/tmp/inetpy_~6..0b_~6..0b", [list_to_integer(os:getpid()) rem 1000000, N])),
    try
        Fun(Path)
    after
        file:delete(Path)
    end.
