%% gen_tcp:connect/2,3,4.
-module(xc_connect).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {by_address, "Connects to an address given as a tuple.", fun(B) ->
            with_listener(fun(_, Port) -> finish(xc:connect(B, {127, 0, 0, 1}, Port, [])) end)
        end},
        {by_name, "Connects to a host given by name.", fun(B) ->
            with_listener(fun(_, Port) -> finish(xc:connect(B, "localhost", Port, [])) end)
        end},
        {by_atom, "A host name may be an atom.", fun(B) ->
            with_listener(fun(_, Port) -> finish(xc:connect(B, localhost, Port, [])) end)
        end},
        {by_address_string, "An address may be a string.", fun(B) ->
            with_listener(fun(_, Port) -> finish(xc:connect(B, "127.0.0.1", Port, [])) end)
        end},
        {loopback, "The address may be the atom loopback.", fun(B) ->
            with_listener(fun(_, Port) ->
                Try = fun() -> gen_tcp:connect(loopback, Port, xc:options(B, []), 5000) end,
                finish(xc:attempt(Try))
            end)
        end},
        {any, "The address may be the atom any.", fun(B) ->
            with_listener(fun(_, Port) ->
                Try = fun() -> gen_tcp:connect(any, Port, xc:options(B, []), 5000) end,
                finish(xc:attempt(Try))
            end)
        end},
        {three_arguments, "Without a timeout.", fun(B) ->
            with_listener(fun(_, Port) ->
                finish(gen_tcp:connect({127, 0, 0, 1}, Port, xc:options(B, [])))
            end)
        end},
        {sockaddr, "connect/2 takes a sockaddr.", fun(B) ->
            with_listener(fun(_, Port) ->
                Address = #{family => inet, addr => {127, 0, 0, 1}, port => Port},
                finish(gen_tcp:connect(Address, xc:options(B, [binary])))
            end)
        end},
        {sockaddr_timeout, "connect/3 takes a sockaddr and a timeout.", fun(B) ->
            with_listener(fun(_, Port) ->
                Address = #{family => inet, addr => {127, 0, 0, 1}, port => Port},
                finish(gen_tcp:connect(Address, xc:options(B, [binary]), 5000))
            end)
        end},
        {sockaddr_loopback, "The address of a sockaddr may be loopback.", fun(B) ->
            with_listener(fun(_, Port) ->
                Address = #{family => inet, addr => loopback, port => Port},
                finish(xc:attempt(fun() -> gen_tcp:connect(Address, xc:options(B, []), 5000) end))
            end)
        end},
        {sockaddr6_loopback, "And in one of IPv6.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, xc:loopback6()}]),
            Address = #{family => inet6, addr => loopback, port => xc:listener_port(L)},
            finish(xc:attempt(fun() -> gen_tcp:connect(Address, xc:options(B, [inet6]), 5000) end))
        end},
        {sockaddr_without_port, "A sockaddr without a port.", fun(B) ->
            Address = #{family => inet, addr => {127, 0, 0, 1}},
            xc:attempt(fun() -> gen_tcp:connect(Address, xc:options(B, []), 5000) end)
        end},
        {sockaddr6, "A sockaddr of IPv6.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, xc:loopback6()}]),
            Address = #{family => inet6, addr => xc:loopback6(), port => xc:listener_port(L)},
            finish(gen_tcp:connect(Address, xc:options(B, [inet6]), 5000))
        end},
        {inet6, "The option inet6 and an address of IPv6.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, xc:loopback6()}]),
            {ok, S} = xc:connect(B, xc:loopback6(), xc:listener_port(L), [inet6]),
            {ok, {Peer, _}} = inet:peername(S),
            {ok, {Own, _}} = inet:sockname(S),
            {Peer, Own}
        end},
        {inet6_by_name, "A name that has no address of IPv6 here, or has.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [inet6, {ip, xc:loopback6()}]),
            finish(xc:connect(B, "::1", xc:listener_port(L), [inet6]))
        end},
        {inet6_with_ipv4_address, "An IPv4 address on an IPv6 socket.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, xc:dead_port(), [inet6]) end)
        end},
        {inet_with_ipv6_address, "An IPv6 address on an IPv4 socket.", fun(B) ->
            xc:attempt(fun() ->
                gen_tcp:connect(xc:loopback6(), 1, xc:options(B, [inet]), 1000)
            end)
        end},
        {refused, "Nobody listens.", fun(B) -> xc:connect(B, {127, 0, 0, 1}, xc:dead_port(), []) end},
        {refused_by_name, "Nobody listens at any address of the name.", fun(B) ->
            xc:connect(B, "localhost", xc:dead_port(), [])
        end},
        {unknown_host, "A host that does not exist.", fun(B) ->
            xc:connect(B, "no-such-host.invalid", 80, [])
        end},
        {empty_host, "An empty host name.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, "", 80, []) end)
        end},
        {broadcast_address, "An address that cannot be connected to.", fun(B) ->
            xc:connect(B, {255, 255, 255, 255}, 80, [])
        end},
        {port_zero, "Port 0.", fun(B) -> xc:connect(B, {127, 0, 0, 1}, 0, []) end},
        {port_too_large, "A port above 65535 exits.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 70000, []) end)
        end},
        {port_negative, "A negative port exits.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, -1, []) end)
        end},
        {port_name, "A port may be the name of a service.", fun(B) ->
            element(1, xc:with_service(fun() -> xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, ftp, []) end) end))
        end},
        {port_unknown_name, "A service that does not exist exits.", fun(B) ->
            xc:with_service(fun() -> xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, no_such_service, []) end) end)
        end},
        {bad_address, "A tuple that is no address exits.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {300, 1, 1, 1}, 80, []) end)
        end},
        {bad_timeout, "A timeout that is none.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [], soon) end)
        end},
        {unknown_option, "An unknown option exits with badarg.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{no_such_option, 1}]) end)
        end},
        {unknown_atom, "An unknown atom exits with badarg.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [no_such_option]) end)
        end},
        {bad_option_value, "A value of a wrong type exits with badarg.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{nodelay, 1}]) end)
        end},
        {options_no_list, "Options that are no list.", fun(B) ->
            Try = fun() -> gen_tcp:connect({127, 0, 0, 1}, 80, xc:options(B, []) ++ [{nodelay, true} | x], 10) end,
            element(1, xc:attempt(Try))
        end},
        {backlog, "backlog is no option of connect.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{backlog, 5}]) end)
        end},
        {bind_ip, "The option ip binds to an address.", fun(B) ->
            with_listener(fun(_, Port) ->
                {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, [{ip, {127, 0, 0, 2}}]),
                {ok, {Own, _}} = inet:sockname(S),
                Own
            end)
        end},
        {bind_ifaddr, "The option ifaddr binds to an address.", fun(B) ->
            with_listener(fun(_, Port) ->
                {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, [{ifaddr, {127, 0, 0, 3}}]),
                {ok, {Own, _}} = inet:sockname(S),
                Own
            end)
        end},
        {bind_ip_loopback, "The option ip may be loopback.", fun(B) ->
            with_listener(fun(_, Port) ->
                {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, [{ip, loopback}]),
                {ok, {Own, _}} = inet:sockname(S),
                Own
            end)
        end},
        {bind_port, "The option port binds to a port.", fun(B) ->
            with_listener(fun(_, Port) ->
                Own = xc:dead_port(),
                {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, [{port, Own}]),
                {ok, {_, Bound}} = inet:sockname(S),
                Bound =:= Own
            end)
        end},
        {bind_sockaddr, "The option ifaddr may be a sockaddr.", fun(B) ->
            with_listener(fun(_, Port) ->
                Own = #{family => inet, addr => {127, 0, 0, 4}, port => 0},
                Try = fun() -> xc:connect(B, {127, 0, 0, 1}, Port, [{ifaddr, Own}]) end,
                case xc:attempt(Try) of
                    {ok, S} -> {ok, {Addr, _}} = inet:sockname(S), Addr;
                    Other -> Other
                end
            end)
        end},
        {bind_port_in_use, "A port that is in use.", fun(B) ->
            with_listener(fun(_, Port) -> xc:connect(B, {127, 0, 0, 1}, Port, [{port, Port}]) end)
        end},
        {bind_foreign_address, "An address that is not ours.", fun(B) ->
            with_listener(fun(_, Port) ->
                xc:connect(B, {127, 0, 0, 1}, Port, [{ip, {192, 0, 2, 1}}])
            end)
        end},
        {bind_bad_ip, "An ip that is none exits with badarg.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{ip, {1, 2, 3}}]) end)
        end},
        {bind_bad_port, "A port option that is none exits with badarg.", fun(B) ->
            xc:attempt(fun() -> xc:connect(B, {127, 0, 0, 1}, 80, [{port, 70000}]) end)
        end},
        {timeout, "A peer that does not answer: the timeout is kept.", fun(B) ->
            %% A full backlog drops our segments.
            {L, Fillers} = full_listener(),
            Result = xc:connect(B, {127, 0, 0, 1}, xc:listener_port(L), [], 200),
            [gen_tcp:close(F) || F <- Fillers],
            Result
        end},
        {timeout_zero, "A timeout of 0 leaves no time, or just enough on loopback.", fun(B) ->
            with_listener(fun(_, Port) ->
                case xc:connect(B, {127, 0, 0, 1}, Port, [], 0) of
                    {ok, _} -> ok_or_timeout;
                    {error, timeout} -> ok_or_timeout;
                    Other -> Other
                end
            end)
        end},
        {active_data, "Data is there as soon as the connection is.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
            Call = xc:spawn_call(fun() ->
                {ok, A} = gen_tcp:accept(L, 5000),
                ok = gen_tcp:send(A, "welcome"),
                gen_tcp:recv(A, 0)
            end),
            {ok, S} = xc:connect(B, {127, 0, 0, 1}, xc:listener_port(L), [{active, true}]),
            Message = xc:next(),
            ok = gen_tcp:close(S),
            {S =:= element(2, Message), Message, xc:await(Call)}
        end},
        {default_options, "The options of a new connection.", fun(B) ->
            with_listener(fun(_, Port) ->
                {ok, S} = gen_tcp:connect({127, 0, 0, 1}, Port, xc:options(B, [])),
                inet:getopts(S, [active, mode, packet, buffer, send_timeout, exit_on_close])
            end)
        end}
    ].

with_listener(Fun) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {backlog, 20}]),
    Fun(L, xc:listener_port(L)).

finish({ok, Socket}) ->
    {ok, {Address, _}} = inet:peername(Socket),
    ok = gen_tcp:close(Socket),
    {connected, Address};
finish(Other) ->
    Other.

full_listener() ->
    {ok, L} = gen_tcp:listen(0, [{backlog, 0}, {ip, {127, 0, 0, 1}}]),
    Port = xc:listener_port(L),
    Try = fun() -> gen_tcp:connect({127, 0, 0, 1}, Port, [], 100) end,
    {L, [S || {ok, S} <- [Try() || _ <- lists:seq(1, 3)]]}.
