%% gen_tcp:listen/2.
-module(xc_listen).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {any_port, "Port 0 takes a free one.", fun(B) ->
            {ok, Port} = inet:port(xc:listen(B, [])),
            Port > 1023
        end},
        {default_address, "Listens on all addresses.", fun(B) ->
            {ok, {Address, _}} = inet:sockname(xc:listen(B, [])),
            Address
        end},
        {given_port, "Listens on the given port.", fun(B) ->
            Port = xc:dead_port(),
            {ok, L} = gen_tcp:listen(Port, xc:options(B, [{reuseaddr, true}])),
            {ok, Bound} = inet:port(L),
            Bound =:= Port
        end},
        {ip, "The option ip.", fun(B) ->
            {ok, {Address, _}} = inet:sockname(xc:listen(B, [{ip, {127, 0, 0, 5}}])),
            Address
        end},
        {ip_loopback, "The option ip with loopback.", fun(B) ->
            {ok, {Address, _}} = inet:sockname(xc:listen(B, [{ip, loopback}])),
            Address
        end},
        {ifaddr_any, "The option ifaddr with any.", fun(B) ->
            {ok, {Address, _}} = inet:sockname(xc:listen(B, [{ifaddr, any}])),
            Address
        end},
        {ifaddr_sockaddr, "The option ifaddr with a sockaddr.", fun(B) ->
            Own = #{family => inet, addr => {127, 0, 0, 6}, port => 0},
            case xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{ifaddr, Own}])) end) of
                {ok, L} -> {ok, {Address, _}} = inet:sockname(L), Address;
                Other -> Other
            end
        end},
        {ifaddr_sockaddr_bad, "A sockaddr that is none.", fun(B) ->
            [xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{ifaddr, A}])) end)
             || A <- [#{}, #{family => inet, addr => x, port => 0}, #{family => inet, addr => any, port => 70000}]]
        end},
        {port_option, "The option port wins over the argument.", fun(B) ->
            Port = xc:dead_port(),
            {ok, L} = gen_tcp:listen(0, xc:options(B, [{port, Port}, {reuseaddr, true}])),
            {ok, Bound} = inet:port(L),
            Bound =:= Port
        end},
        {inet6, "The option inet6.", fun(B) ->
            {ok, {Address, _}} = inet:sockname(xc:listen(B, [inet6])),
            Address
        end},
        {inet6_ip, "The option inet6 with an address.", fun(B) ->
            L = xc:listen(B, [inet6, {ip, xc:loopback6()}]),
            {ok, C} = gen_tcp:connect(xc:loopback6(), xc:listener_port(L), [inet6, binary]),
            S = xc:accept(L),
            {ok, {Peer, _}} = inet:peername(S),
            ok = gen_tcp:send(C, "six"),
            {Peer, gen_tcp:recv(S, 3)}
        end},
        {in_use, "A port that is in use.", fun(B) ->
            Port = xc:listener_port(xc:listen(B, [{ip, {127, 0, 0, 1}}])),
            gen_tcp:listen(Port, xc:options(B, [{ip, {127, 0, 0, 1}}]))
        end},
        {in_use_reuseaddr, "A port that is in use, with reuseaddr.", fun(B) ->
            Options = [{ip, {127, 0, 0, 1}}, {reuseaddr, true}],
            Port = xc:listener_port(xc:listen(B, Options)),
            gen_tcp:listen(Port, xc:options(B, Options))
        end},
        {after_close, "A port is free again after close.", fun(B) ->
            L = xc:listen(B, []),
            Port = xc:listener_port(L),
            ok = gen_tcp:close(L),
            element(1, gen_tcp:listen(Port, xc:options(B, [])))
        end},
        {foreign_address, "An address that is not ours.", fun(B) ->
            gen_tcp:listen(0, xc:options(B, [{ip, {192, 0, 2, 1}}]))
        end},
        {bad_address, "An address that is none.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{ip, {1, 2, 3, 400}}])) end)
        end},
        {wrong_family_address, "An IPv6 address with inet.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [inet, {ip, xc:loopback6()}])) end)
        end},
        {bad_port, "A port that is none.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(70000, xc:options(B, [])) end)
        end},
        {unknown_option, "An unknown option exits with badarg.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{no_such_option, 1}])) end)
        end},
        {bad_value, "A value of a wrong type exits with badarg.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{backlog, 5}, {recbuf, big}])) end)
        end},
        {bad_backlog, "A backlog that is no integer.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{backlog, many}])) end)
        end},
        {backlog, "A backlog of one still takes connections.", fun(B) ->
            L = xc:listen(B, [{backlog, 1}]),
            {ok, _} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), []),
            element(1, gen_tcp:accept(L, 5000))
        end},
        {send, "A listening socket sends nothing.", fun(B) -> gen_tcp:send(xc:listen(B, []), "x") end},
        {recv, "A listening socket receives nothing.", fun(B) -> gen_tcp:recv(xc:listen(B, []), 0) end},
        {shutdown, "A listening socket is not shut down.", fun(B) ->
            gen_tcp:shutdown(xc:listen(B, []), read_write)
        end},
        {unrecv, "A listening socket takes nothing back.", fun(B) ->
            gen_tcp:unrecv(xc:listen(B, []), <<"x">>)
        end},
        {peername, "A listening socket has no peer.", fun(B) -> inet:peername(xc:listen(B, [])) end},
        {getstat, "The counters of a listening socket.", fun(B) -> inet:getstat(xc:listen(B, [])) end},
        {active_zero, "{active, 0} on a listening socket.", fun(B) ->
            L = xc:listen(B, []),
            {inet:setopts(L, [{active, 0}]), xc:next(1000)}
        end},
        {active_option, "Setting active on a listening socket.", fun(B) ->
            L = xc:listen(B, []),
            {inet:setopts(L, [{active, 3}]), inet:getopts(L, [active])}
        end},
        {close_twice, "close/1 answers ok as often as it is called.", fun(B) ->
            L = xc:listen(B, []),
            {gen_tcp:close(L), gen_tcp:close(L)}
        end}
    ].
