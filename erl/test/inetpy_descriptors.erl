%% Makes sockets of file descriptors that this node was started with: `{fd, N}` and fdopen.
%%
%% Run by tests/test_descriptors.py, once on each backend:
%% erl -run inetpy_descriptors main BACKEND NAME=FD...
-module(inetpy_descriptors).

-export([main/1]).

-spec main([string()]) -> no_return().
main(["inet" | Given]) ->
    Same = fun(Options) -> Options end,
    report(Same, Same, Given);
main(["inetpy" | Given]) ->
    ok = inetpy:start(),
    report(fun inetpy:tcp_options/1, fun inetpy:udp_options/1, Given).

report(Tcp, Udp, Given) ->
    Fds = maps:from_list([descriptor(Text) || Text <- Given]),
    lists:foreach(
        fun({Name, Fun}) ->
            Result = inetpy_xc:normalise(xc:attempt(fun() -> Fun(maps:get(Name, Fds, 0)) end)),
            io:format("~s ~0tp~n", [Name, Result])
        end,
        cases(Tcp) ++ datagrams(Udp)
    ),
    halt(0).

descriptor(Text) ->
    [Name, Fd] = string:split(Text, "="),
    {list_to_atom(Name), list_to_integer(Fd)}.

%% A case has the name of its descriptor. Descriptors of connections have a peer that echoes until the end.
cases(Options) ->
    [
        {listening, fun(Fd) ->
            {ok, L} = gen_tcp:listen(0, Options([binary, {active, false}, {fd, Fd}])),
            {ok, {Ip, Port}} = inet:sockname(L),
            {ok, C} = gen_tcp:connect(Ip, Port, [binary, {active, false}]),
            {ok, A} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:send(A, "hello"),
            Hello = gen_tcp:recv(C, 5, 5000),
            ok = gen_tcp:close(L),
            {Hello, gen_tcp:connect(Ip, Port, []), is_open(Fd)}
        end},
        {connected, fun(Fd) ->
            {ok, S} = gen_tcp:fdopen(Fd, Options([binary, {active, false}])),
            ok = gen_tcp:send(S, "hello"),
            Echo = gen_tcp:recv(S, 5, 5000),
            {ok, {Ip, _}} = inet:peername(S),
            {Echo, Ip, inet:getopts(S, [active, mode]), gen_tcp:close(S), is_open(Fd)}
        end},
        {active, fun(Fd) ->
            {ok, S} = gen_tcp:fdopen(Fd, Options([{active, true}])),
            ok = gen_tcp:send(S, "hello"),
            [xc:next(), gen_tcp:shutdown(S, write), xc:next()]
        end},
        {fresh, fun(Fd) ->
            {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
            {ok, _} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), Options([{fd, Fd}])),
            {ok, A} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:send(A, "hello"),
            xc:next()
        end},
        {fresh_bound, fun(Fd) ->
            {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
            {ok, S} = gen_tcp:connect(
                {127, 0, 0, 1}, xc:listener_port(L), Options([{fd, Fd}, {ip, {127, 0, 0, 2}}])
            ),
            {ok, {Ip, _}} = inet:sockname(S),
            Ip
        end},
        {unconnected, fun(Fd) ->
            {ok, S} = gen_tcp:fdopen(Fd, Options([binary, {active, false}])),
            {gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 100), inet:peername(S)}
        end},
        {connected_again, fun(Fd) ->
            gen_tcp:connect({127, 0, 0, 1}, xc:dead_port(), Options([{fd, Fd}]))
        end},
        {path, fun(Fd) ->
            {ok, S} = gen_tcp:fdopen(Fd, Options([local, binary, {active, false}])),
            ok = gen_tcp:send(S, "hello"),
            gen_tcp:recv(S, 5, 5000)
        end},
        {family, fun(Fd) -> gen_tcp:fdopen(Fd, Options([inet6])) end},
        {datagram, fun(Fd) -> gen_tcp:fdopen(Fd, Options([])) end},
        {file, fun(Fd) -> gen_tcp:fdopen(Fd, Options([])) end},
        {bad_option, fun(Fd) -> gen_tcp:fdopen(Fd, Options([{no_such_option, 1}])) end},
        {not_open, fun(_) -> gen_tcp:fdopen(987654, Options([])) end},
        {negative, fun(_) -> gen_tcp:fdopen(-1, Options([])) end},
        {listen_not_open, fun(_) -> gen_tcp:listen(0, Options([{fd, 987654}])) end}
    ].

datagrams(Options) ->
    [
        {bound_datagram, fun(Fd) ->
            {ok, S} = gen_udp:fdopen(Fd, Options([binary, {active, false}])),
            {ok, {Ip, Port}} = inet:sockname(S),
            {ok, P} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
            ok = gen_udp:send(P, Ip, Port, "hello"),
            Got = element(3, element(2, gen_udp:recv(S, 0, 5000))),
            {Got, inet:getopts(S, [active, mode]), gen_udp:close(S), is_open(Fd)}
        end},
        {fresh_datagram, fun(Fd) ->
            {ok, S} = gen_udp:open(0, Options([binary, {fd, Fd}, {ip, {127, 0, 0, 1}}])),
            {ok, {Ip, Port}} = inet:sockname(S),
            ok = gen_udp:send(S, Ip, Port, "to myself"),
            receive {udp, S, Ip, Port, Data} -> Data after 5000 -> nothing end
        end},
        {active_datagram, fun(Fd) ->
            {ok, S} = gen_udp:open(0, Options([{fd, Fd}, {active, once}])),
            {ok, {Ip, Port}} = inet:sockname(S),
            ok = gen_udp:send(S, Ip, Port, "once"),
            {element(5, xc:next()), inet:getopts(S, [active])}
        end},
        {connected_datagram, fun(Fd) ->
            {ok, S} = gen_udp:fdopen(Fd, Options([binary, {active, false}])),
            {ok, {Ip, Port}} = inet:sockname(S),
            {ok, P} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
            {
                element(1, inet:peername(S)), gen_udp:send(S, "x"), gen_udp:send(P, Ip, Port, "y"),
                gen_udp:recv(S, 0, 50), lists:sort(maps:get(states, inet:info(S)))
            }
        end},
        {datagram_not_open, fun(_) -> gen_udp:fdopen(987654, Options([])) end},
        {datagram_file, fun(Fd) -> gen_udp:fdopen(Fd, Options([])) end}
    ].

is_open(Fd) ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    lists:member(integer_to_list(Fd), Names).
