%% The family of a call: by an option, by the address to bind to, by the address to connect to.
-module(xc_address).

-export([scenarios/0]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(LOOPBACK6, (xc:loopback6())).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {connect, "Connecting to an address of IPv4.", fun(B) -> connect(B, fun(Port) -> [?LOOPBACK, Port] end) end},
        {connect6, "Connecting to an address of IPv6.", fun(B) -> connect(B, fun(Port) -> [?LOOPBACK6, Port] end) end},
        {connect_text, "Connecting to IPv4 as text.", fun(B) -> connect(B, fun(Port) -> ["127.0.0.1", Port] end) end},
        {connect_text6, "Connecting to IPv6 as text.", fun(B) -> connect(B, fun(Port) -> ["::1", Port] end) end},
        {connect_map, "Connecting to a sockaddr of IPv4.", fun(B) ->
            connect(B, fun(Port) -> [#{family => inet, addr => ?LOOPBACK, port => Port}] end)
        end},
        {connect_map6, "Connecting to a sockaddr of IPv6.", fun(B) ->
            connect(B, fun(Port) -> [#{family => inet6, addr => ?LOOPBACK6, port => Port}] end)
        end},
        {connect_path, "Connecting to a path.", fun(B) ->
            Path = path(),
            {ok, _} = gen_tcp:listen(0, [local, {ifaddr, {local, Path}}, {backlog, 50}]),
            Results = all(fun(Options) -> gen_tcp:connect({local, Path}, 0, xc:options(B, Options), 5000) end),
            ok = file:delete(Path),
            Results
        end},
        {connect_no_path, "Connecting to a path where nobody is.", fun(B) ->
            [xc:attempt(fun() -> gen_tcp:connect({local, path()}, 0, xc:options(B, O), 5000) end) || O <- [[], [local], [inet]]]
        end},
        {connect_short, "Connecting with three arguments.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, ?LOOPBACK6}]),
            seen(gen_tcp:connect(?LOOPBACK6, xc:listener_port(L), xc:options(B, [])))
        end},
        {listen, "Listening.", fun(B) -> all(fun(Options) -> gen_tcp:listen(0, xc:options(B, Options)) end) end},
        {open, "Opening a datagram socket.", fun(B) -> all(fun(Options) -> gen_udp:open(0, xc:udp_options(B, udp(Options))) end) end},
        {open_connected, "A datagram socket that the address put among IPv6 reaches a peer there.", fun(B) ->
            {ok, Peer} = gen_udp:open(0, [inet6, binary, {active, false}, {ip, ?LOOPBACK6}]),
            {ok, U} = gen_udp:open(0, xc:udp_options(B, [{ip, ?LOOPBACK6}])),
            ok = gen_udp:send(U, ?LOOPBACK6, xc:listener_port(Peer), "x"),
            {ok, {From, _, Data}} = gen_udp:recv(Peer, 0, 5000),
            {From, Data}
        end},
        {send_map, "Datagrams to sockaddrs whose family and address are of IPv4 or of IPv6.", fun(B) ->
            [
                begin
                    {ok, U} = gen_udp:open(0, xc:udp_options(B, [{active, false}, {ip, Own}])),
                    Map = #{family => Family, addr => Address, port => xc:listener_port(U)},
                    xc:attempt(fun() -> gen_udp:send(U, Map, "x") end)
                end
             || Own <- [?LOOPBACK, ?LOOPBACK6], Family <- [inet, inet6], Address <- [?LOOPBACK, ?LOOPBACK6]
            ]
        end},
        {served, "A listener that the address put among IPv6 serves.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, xc:options(B, [{ip, ?LOOPBACK6}, {active, false}])),
            {ok, C} = gen_tcp:connect(?LOOPBACK6, xc:listener_port(L), []),
            A = xc:accept(L),
            ok = gen_tcp:send(C, "hello"),
            {ok, {Peer, _}} = inet:peername(A),
            {Peer, gen_tcp:recv(A, 5, 5000)}
        end}
    ].

%% Options that name a family, some of them several that contradict each other.
options() ->
    Map = #{family => inet, addr => ?LOOPBACK, port => 0},
    Map6 = #{family => inet6, addr => ?LOOPBACK6, port => 0},
    [
        [], [inet], [inet6], [local], [inet, inet6], [inet6, inet],
        [{ip, ?LOOPBACK}], [{ip, ?LOOPBACK6}], [{ifaddr, ?LOOPBACK}], [{ifaddr, ?LOOPBACK6}],
        [{ip, loopback}], [{ifaddr, any}], [inet6, {ip, loopback}],
        [{ifaddr, Map}], [{ifaddr, Map6}], [{ip, Map}], [{ip, Map6#{flowinfo => 0, scope_id => 0}}],
        [{ip, ?LOOPBACK}, {ip, ?LOOPBACK6}], [{ip, ?LOOPBACK6}, {ip, ?LOOPBACK}],
        [inet, {ip, ?LOOPBACK6}], [inet6, {ip, ?LOOPBACK}], [{ip, ?LOOPBACK6}, inet], [inet, {ifaddr, Map6}], [inet6, {ifaddr, Map}],
        [{tcp_module, inet_tcp}, {ip, ?LOOPBACK6}], [{tcp_module, inet6_tcp}], [{tcp_module, local_tcp}],
        [inet, {tcp_module, inet6_tcp}], [{ifaddr, {local, path}}], [local, {ifaddr, {local, path}}],
        [inet, {ifaddr, {local, path}}], [local, {ip, ?LOOPBACK}]
    ].

all(Call) ->
    lists:map(
        fun(Options) ->
            Path = path(),
            Given = [with_path(Option, Path) || Option <- Options],
            Result = xc:attempt(fun() -> seen(Call(Given)) end),
            _ = file:delete(Path),
            Result
        end,
        options()
    ).

with_path({ifaddr, {local, path}}, Path) -> {ifaddr, {local, Path}};
with_path(Option, _) -> Option.

udp(Options) ->
    Udp = #{inet_tcp => inet_udp, inet6_tcp => inet6_udp, local_tcp => local_udp},
    [
        case Option of
            {tcp_module, Module} -> {udp_module, maps:get(Module, Udp)};
            _ -> Option
        end
     || Option <- Options
    ].

path() -> "/tmp/inetpy_address_" ++ os:getpid() ++ "_" ++ integer_to_list(erlang:unique_integer([positive])).

%% A port that has listeners of both families.
connect(B, Target) ->
    {ok, L6} = gen_tcp:listen(0, [inet6, {ipv6_v6only, true}, {backlog, 50}]),
    Port = xc:listener_port(L6),
    case gen_tcp:listen(Port, [{ip, ?LOOPBACK}, {backlog, 50}]) of
        {ok, _} ->
            all(fun(Options) ->
                apply(gen_tcp, connect, Target(Port) ++ [xc:options(B, Options), 5000])
            end);
        {error, eaddrinuse} ->
            connect(B, Target)
    end.

seen({ok, Socket}) ->
    {ok, Name} = inet:sockname(Socket),
    ok = inet:close(Socket),
    case Name of
        {local, _} -> local;
        {IP, _} -> IP
    end;
seen(Error) ->
    Error.
