%% Stream sockets of the unix domain: the address family local.
-module(xc_local).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {by_path, "A path as a binary.", fun(B) -> over(B, fun(Path) -> list_to_binary(Path) end) end},
        {by_string, "A path as a string.", fun(B) -> over(B, fun(Path) -> Path end) end},
        {abstract, "An abstract name begins with a NUL.", fun(B) -> over(B, fun(Path) -> list_to_binary([0 | Path]) end) end},
        {unnamed_names, "The names of the two ends.", fun(B) ->
            {L, Path} = listen(B),
            {ok, C} = dial(B, Path),
            {ok, S} = gen_tcp:accept(L, 5000),
            Own = {local, list_to_binary(Path)},
            [
                inet:sockname(L) =:= {ok, Own}, inet:sockname(C), inet:peername(C) =:= {ok, Own},
                inet:sockname(S) =:= {ok, Own}, inet:peername(S), inet:port(L) =:= {ok, element(2, Own)}
            ]
        end},
        {full_queue, "A listener whose queue is full: a connection that is none.", fun(B) ->
            Path = path(),
            {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, Path}}, {backlog, 0}]),
            {ok, _} = gen_tcp:connect({local, Path}, 0, [local]),
            {ok, S} = dial(B, Path),
            Seen = {inet:peername(S), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 100), gen_tcp:close(S)},
            ok = gen_tcp:close(L),
            ok = file:delete(Path),
            Seen
        end},
        {bound_client, "A client with a name.", fun(B) ->
            {L, Path} = listen(B),
            Mine = Path ++ ".client",
            {ok, _} = gen_tcp:connect({local, Path}, 0, xc:options(B, [{ifaddr, {local, Mine}}]), 1000),
            {ok, S} = gen_tcp:accept(L, 5000),
            Result = inet:peername(S) =:= {ok, {local, list_to_binary(Mine)}},
            ok = file:delete(Mine),
            Result
        end},
        {active, "Messages and the end.", fun(B) ->
            {L, Path} = listen(B),
            {ok, _} = gen_tcp:connect({local, Path}, 0, xc:options(B, [local, binary, {active, true}, {packet, 2}]), 1000),
            {ok, S} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:send(S, <<3:16, "abc">>),
            Data = xc:next(),
            ok = gen_tcp:close(S),
            {Data, xc:next()}
        end},
        {internet_options, "Options of the internet, asked of sockets with a path.", fun(B) ->
            {L, Path} = listen(B),
            {ok, C} = dial(B, Path),
            {ok, S} = gen_tcp:accept(L, 5000),
            [
                [{Name, inet:getopts(Socket, [Name]), inet:getopts(Socket, [mode, Name])} || Name <- internet_options()]
             || Socket <- [L, C, S]
            ]
        end},
        {no_listener, "Nobody listens at the path.", fun(B) ->
            {L, Path} = listen(B),
            ok = gen_tcp:close(L),
            dial(B, Path)
        end},
        {no_file, "There is no such path.", fun(B) -> dial(B, path() ++ "/nothing") end},
        {in_use, "The path is in use.", fun(B) ->
            {_, Path} = listen(B),
            gen_tcp:listen(0, xc:options(B, [{ifaddr, {local, Path}}]))
        end},
        {too_long, "A path that is too long.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [{ifaddr, {local, lists:duplicate(200, $x)}}])) end)
        end},
        {connect_too_long, "Connecting to a path that is too long.", fun(B) ->
            xc:attempt(fun() -> dial(B, lists:duplicate(300, $x)) end)
        end},
        {no_address, "Listening without a path.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [local])) end)
        end},
        {with_port, "A port is not for a path.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(5, xc:options(B, [{ifaddr, {local, path()}}])) end)
        end},
        {connect_port, "Connecting to a path and a port.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:connect({local, path()}, 5, xc:options(B, [local]), 1000) end)
        end},
        {wrong_address, "An ip address for a path.", fun(B) ->
            xc:attempt(fun() -> gen_tcp:listen(0, xc:options(B, [local, {ip, {127, 0, 0, 1}}])) end)
        end},
        {tcp_options, "Options of TCP are not for paths.", fun(B) ->
            {_, Path} = listen(B),
            {ok, C} = dial(B, Path),
            [
                inet:setopts(C, [{nodelay, true}]), inet:getopts(C, [nodelay, keepalive, linger, ttl, tclass]),
                inet:setopts(C, [{ttl, 5}]), inet:setopts(C, [{ipv6_v6only, true}])
            ]
        end},
        {half_close, "Shutdown of writing.", fun(B) ->
            {L, Path} = listen(B),
            {ok, C} = dial(B, Path),
            {ok, S} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:shutdown(C, write),
            ok = inet:setopts(S, [{exit_on_close, false}]),
            End = gen_tcp:recv(S, 0, 1000),
            ok = gen_tcp:send(S, "answer"),
            {End, gen_tcp:recv(C, 6, 1000)}
        end},
        {after_close, "Sends to a peer that has closed.", fun(B) ->
            {L, Path} = listen(B),
            {ok, C} = dial(B, Path),
            {ok, S} = gen_tcp:accept(L, 5000),
            ok = gen_tcp:close(S),
            {[gen_tcp:send(C, "x") || _ <- [1, 2]], [gen_tcp:recv(C, 0, 100) || _ <- [1, 2]]}
        end}
    ].

internet_options() ->
    [
        pktoptions, tos, ttl, tclass, priority, recvtos, recvttl, recvtclass, nodelay, keepalive, nopush, ipv6_v6only,
        bind_to_device, dontroute, multicast_if, multicast_ttl, multicast_loop, linger, debug
    ].

path() ->
    "/tmp/inetpy-xc-" ++ os:getpid() ++ "-" ++ integer_to_list(erlang:unique_integer([positive])).

%% The file is deleted when the process of the scenario ends.
listen(B) ->
    Path = path(),
    {ok, L} = gen_tcp:listen(0, xc:options(B, [binary, {active, false}, {ifaddr, {local, Path}}])),
    Self = self(),
    _ = spawn(fun() ->
        Ref = erlang:monitor(process, Self),
        receive {'DOWN', Ref, _, _, _} -> file:delete(Path) end
    end),
    {L, Path}.

dial(B, Path) ->
    gen_tcp:connect({local, Path}, 0, xc:options(B, [local, binary, {active, false}]), 1000).

over(B, Form) ->
    Path = path(),
    Address = {local, Form(Path)},
    {ok, L} = gen_tcp:listen(0, xc:options(B, [binary, {active, false}, {ifaddr, Address}])),
    {ok, C} = gen_tcp:connect(Address, 0, xc:options(B, [local, binary, {active, false}]), 1000),
    {ok, S} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(C, "by path"),
    Result = gen_tcp:recv(S, 7, 1000),
    _ = file:delete(Path),
    Result.
