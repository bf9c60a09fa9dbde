%% IPv6 next to IPv4: v6only, mapped addresses, scopes; and corners of connecting.
-module(xc_families).

-export([scenarios/0]).

-define(ANY6, {0, 0, 0, 0, 0, 0, 0, 0}).
-define(LOOPBACK6, (xc:loopback6())).
-define(MAPPED, {0, 0, 0, 0, 0, 16#FFFF, 16#7F00, 1}).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {v6only_off, "Without v6only an IPv6 listener takes connections of IPv4, with mapped addresses.", fun(B) ->
            L = xc:listen(B, [inet6, {ipv6_v6only, false}]),
            {ok, C} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), []),
            A = xc:accept(L),
            {ok, {Peer, _}} = inet:peername(A),
            {ok, {Own, _}} = inet:sockname(A),
            ok = gen_tcp:close(C),
            {Peer, Own, gen_tcp:recv(A, 0, 5000)}
        end},
        {v6only_on, "With v6only it does not.", fun(B) ->
            L = xc:listen(B, [inet6, {ipv6_v6only, true}]),
            Port = xc:listener_port(L),
            {ok, Six} = gen_tcp:connect(?LOOPBACK6, Port, [inet6]),
            ok = gen_tcp:close(Six),
            {gen_tcp:connect({127, 0, 0, 1}, Port, []), inet:getopts(L, [ipv6_v6only])}
        end},
        {v6only_same_port, "With v6only, IPv4 has the port for itself.", fun(B) ->
            same_port(B, 5)
        end},
        {v6only_off_same_port, "Without it, the port is taken.", fun(B) ->
            L = xc:listen(B, [inet6, {ipv6_v6only, false}]),
            gen_tcp:listen(xc:listener_port(L), xc:options(B, []))
        end},
        {v6only_late, "v6only cannot be changed once the socket is bound.", fun(B) ->
            L = xc:listen(B, [inet6, {ipv6_v6only, false}]),
            {inet:setopts(L, [{ipv6_v6only, true}]), inet:getopts(L, [ipv6_v6only])}
        end},
        {v6only_inherited, "An accepted socket shows the listener's v6only.", fun(B) ->
            L = xc:listen(B, [inet6, {ip, ?LOOPBACK6}, {ipv6_v6only, true}]),
            {ok, _} = gen_tcp:connect(?LOOPBACK6, xc:listener_port(L), [inet6]),
            inet:getopts(xc:accept(L), [ipv6_v6only])
        end},
        {v6only_inet, "v6only on an IPv4 socket.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{ipv6_v6only, true}])) end)
        end},
        {v6only_connect, "v6only is no option of connect.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, ?LOOPBACK6, 1, [inet6, {ipv6_v6only, true}]) end)
        end},
        {mapped_connect, "An IPv6 socket reaches IPv4 by a mapped address.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
            {ok, S} = xc:connect(B, ?MAPPED, xc:listener_port(L), [inet6]),
            {ok, {Peer, _}} = inet:peername(S),
            {ok, {Own, _}} = inet:sockname(S),
            {Peer, Own}
        end},
        {mapped_listen, "A listener at a mapped address.", fun(B) ->
            L = xc:listen(B, [inet6, {ip, ?MAPPED}, {ipv6_v6only, false}]),
            {ok, _} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), []),
            {ok, {Own, _}} = inet:sockname(xc:accept(L)),
            Own
        end},
        {mapped_v6only, "A mapped address and v6only.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [inet6, {ip, ?MAPPED}, {ipv6_v6only, true}])) end)
        end},
        {tos_of_mapped, "The options of IPv4 on an IPv6 socket.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
            {ok, S} = xc:connect(B, ?MAPPED, xc:listener_port(L), [inet6]),
            {inet:setopts(S, [{tos, 16}]), inet:getopts(S, [tos, tclass])}
        end},
        {link_local_scope, "A link-local address needs its scope, which a sockaddr has.", fun(B) ->
            with_link_local(fun(Address, Index) ->
                Where = #{family => inet6, addr => Address, port => 0, scope_id => Index},
                L = xc:listen(B, [inet6, {ifaddr, Where}]),
                Port = xc:listener_port(L),
                {ok, S} = gen_tcp:connect(Where#{port := Port}, xc:options(B, [inet6, {active, false}]), 5000),
                A = xc:accept(L),
                {ok, {Peer, _}} = inet:peername(S),
                {ok, {Own, _}} = inet:sockname(A),
                {Peer =:= Address, Own =:= Address}
            end)
        end},
        {link_local_no_scope, "Without a scope.", fun(B) ->
            with_link_local(fun(Address, _) ->
                xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [inet6, {ip, Address}])) end)
            end)
        end},
        {link_local_connect, "Connecting without a scope.", fun(B) ->
            with_link_local(fun(Address, _) -> xc:connect(B, Address, xc:dead_port(), [inet6]) end)
        end},
        {scope_bad, "A scope that is none.", fun(B) ->
            with_link_local(fun(Address, _) ->
                Where = #{family => inet6, addr => Address, port => 0, scope_id => 987654},
                xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [inet6, {ifaddr, Where}])) end)
            end)
        end},
        {scope_string, "An address string with a scope.", fun(B) ->
            with_link_local(fun(Address, _) ->
                Text = inet:ntoa(Address) ++ "%lo",
                xc:attempt(fun() -> xc:connect(B, Text, xc:dead_port(), [inet6]) end)
            end)
        end},
        {flowinfo, "A sockaddr with flowinfo.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, ?LOOPBACK6}]),
            Where = #{family => inet6, addr => ?LOOPBACK6, port => xc:listener_port(L), flowinfo => 5},
            element(1, gen_tcp:connect(Where, xc:options(B, [inet6]), 5000))
        end},
        {any6, "Connecting to the unspecified address of IPv6.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6]),
            {ok, S} = xc:connect(B, ?ANY6, xc:listener_port(L), [inet6]),
            {ok, {Peer, _}} = inet:peername(S),
            Peer
        end},
        {any4, "Connecting to the unspecified address of IPv4.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, []),
            {ok, S} = xc:connect(B, {0, 0, 0, 0}, xc:listener_port(L), []),
            {ok, {Peer, _}} = inet:peername(S),
            Peer
        end},
        {another_loopback, "Another address of the loopback network.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [{ip, {127, 1, 2, 3}}]),
            {ok, S} = xc:connect(B, {127, 1, 2, 3}, xc:listener_port(L), []),
            {ok, {Own, _}} = inet:sockname(S),
            Own
        end},
        {privileged_port, "A port below 1024 for who may have it.", fun(B) ->
            Port = free_privileged(1023),
            case gen_tcp:listen(Port, xc:options(B, [{ip, {127, 0, 0, 1}}])) of
                {ok, L} -> ok = gen_tcp:close(L), opened;
                Error -> Error
            end
        end},
        {unreachable, "A network without a route.", fun(B) ->
            %% there are no hosts in 240/4: the error depends only on the kernel's routes
            xc:connect(B, {240, 0, 0, 1}, 9, [], 200)
        end},
        {multicast_address, "A multicast address.", fun(B) -> xc:connect(B, {224, 0, 0, 251}, 9, [], 200) end},
        {unreachable6, "A network of IPv6 without a route.", fun(B) ->
            xc:connect(B, {16#2001, 16#DB8, 0, 0, 0, 0, 0, 1}, 9, [inet6], 200)
        end},
        {names_in_turn, "A name with several addresses: all are tried.", fun(B) ->
            %% no address of localhost in this family answers
            xc:connect(B, "localhost", xc:dead_port(), [], 5000)
        end},
        {backlog_overflow, "More connections than the backlog holds wait for their turn.", fun(B) ->
            L = xc:listen(B, [{backlog, 1}]),
            Port = xc:listener_port(L),
            Client = fun() ->
                xc:spawn_call(fun() ->
                    {ok, S} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}], 20000),
                    %% a client whose handshake was dropped gets an error only when it sends
                    ok = gen_tcp:send(S, "hello"),
                    gen_tcp:recv(S, 0, 20000)
                end)
            end,
            Clients = [Client() || _ <- lists:seq(1, 4)],
            Serve = fun(_) ->
                {ok, A} = gen_tcp:accept(L, 20000),
                {ok, <<"hello">>} = gen_tcp:recv(A, 5, 20000),
                gen_tcp:send(A, "hi")
            end,
            Sent = lists:map(Serve, Clients),
            {Sent, [xc:await(C, 20000) || C <- Clients]}
        end},
        {bad_sockaddr, "A map to bind to that is no sockaddr, or lacks a part of one.", fun(B) ->
            Maps = [
                #{x => y}, #{}, #{[] => x}, #{family => inet}, #{family => x}, #{family => inet, addr => any},
                #{addr => {127, 0, 0, 1}}, #{family => inet, port => 0}, #{family => inet, addr => x},
                #{family => inet, addr => x, port => 0}, #{family => inet, addr => {127, 0, 0, 1}, port => x},
                #{family => inet, addr => {127, 0, 0, 1}, port => 70000}, #{family => local, path => "/"},
                #{family => inet, addr => {-1, 0, 0, 1}, port => 0}, #{family => inet, addr => any, port => 0, [] => 1}
            ],
            Dead = xc:dead_port(),
            To = #{family => inet, addr => {127, 0, 0, 1}, port => Dead},
            [
                {Map, Name, [
                    tag(fun() -> gen_tcp:listen(0, xc:options(B, [inet, {Name, Map}])) end),
                    tag(fun() -> gen_tcp:connect({127, 0, 0, 1}, Dead, xc:options(B, [inet, {Name, Map}])) end),
                    tag(fun() -> gen_tcp:connect(To, xc:options(B, [inet, {Name, Map}])) end),
                    tag(fun() -> gen_udp:open(0, xc:udp_options(B, [inet, {Name, Map}])) end)
                ]}
             || Map <- Maps, Name <- [ip, ifaddr]
            ]
        end},
        {accept_race, "A connection that comes when accept gives up is there for the next.", fun(B) ->
            L = xc:listen(B, []),
            Port = xc:listener_port(L),
            Rounds = 60,
            Clients = xc:spawn_call(fun() ->
                [
                    begin
                        timer:sleep(N rem 3),
                        {ok, S} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}]),
                        ok = gen_tcp:send(S, <<N>>),
                        S
                    end
                 || N <- lists:seq(1, Rounds)
                ],
                receive done -> ok end
            end),
            Got = accept_all(L, Rounds),
            element(1, Clients) ! done,
            {lists:sort(Got) =:= lists:seq(1, Rounds), xc:await(Clients)}
        end}
    ].

%% The result of a call that opens a socket, without the socket.
tag(Call) ->
    case xc:attempt(Call) of
        {ok, Socket} -> inet:close(Socket);
        Failed -> Failed
    end.

%% Another scenario can have the IPv4 port by chance. Then Fun is tried with another port.
same_port(B, Tries) ->
    L = xc:listen(B, [inet6, {ipv6_v6only, true}]),
    case gen_tcp:listen(xc:listener_port(L), xc:options(B, [])) of
        {ok, _} -> both_listen;
        {error, eaddrinuse} when Tries > 1 -> same_port(B, Tries - 1);
        Error -> Error
    end.

%% Accepts with a very short timeout, again and again.
accept_all(_, 0) ->
    [];
accept_all(L, Left) ->
    case gen_tcp:accept(L, 1) of
        {ok, A} ->
            {ok, <<N>>} = gen_tcp:recv(A, 1, 5000),
            [N | accept_all(L, Left - 1)];
        {error, timeout} ->
            accept_all(L, Left)
    end.

free_privileged(Port) ->
    case gen_tcp:connect({127, 0, 0, 1}, Port, [], 1000) of
        {ok, S} -> ok = gen_tcp:close(S), free_privileged(Port - 1);
        {error, _} -> Port
    end.

%% Fun is called with a link-local address of this host and the number of its interface.
with_link_local(Fun) ->
    {ok, Interfaces} = inet:getifaddrs(),
    case [{Name, Address} || {Name, Values} <- Interfaces, {addr, {16#FE80, _, _, _, _, _, _, _} = Address} <- Values] of
        [] ->
            xc:skip("no interface has a link-local address");
        [{Name, Address} | _] ->
            {ok, Index} = net:if_name2index(Name),
            Fun(Address, Index)
    end.
