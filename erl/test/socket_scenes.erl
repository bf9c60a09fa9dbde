%% Servers in memory as a program of `socket` sees them, beside the same servers on the loopback interface, which stock
%% `socket` sees: see tests/network/seen_from_erlang.py. Each function returns ok.
-module(socket_scenes).

-export([same/0, names/0, listener/0, datagrams/0]).

-define(HOST, "memory.example").
-define(TIMEOUT, 20_000).

%% The number of a handler, and what is done with a connection to it.
scenes() ->
    [
        {1, fun echo/2},
        {1, fun echo_much/2},
        {1, fun echo_without_waiting/2},
        {1, fun options/2},
        {2, fun ends_its_direction/2},
        {3, fun reads_to_the_end/2},
        {4, fun is_reset/2},
        {4, fun is_reset_while_it_waits/2},
        {5, fun resets/2},
        {5, fun leaves_bytes_unread/2},
        {6, fun goes_away/2},
        {7, fun is_held_back/2},
        {8, fun reads_much/2},
        {9, fun is_closed/2},
        {9, fun peeks/2}
    ].

same() ->
    memory_scenes:same([{Number, fun(Where, To) -> Scene(module(Where), To) end} || {Number, Scene} <- scenes()]).

module(kernel) -> socket;
module(memory) -> inetpy_socket.

address({Host, Port}) ->
    {ok, Ip} = inetpy_inet:getaddr(Host, inet),
    #{family => inet, addr => Ip, port => Port}.

connect(M, To) ->
    {ok, S} = M:open(inet, stream),
    ok = M:connect(S, address(To), ?TIMEOUT),
    S.

%% --- scenes ---

echo(M, To) ->
    S = connect(M, To),
    ok = M:send(S, "hello"),
    Results = [M:recv(S, 5, ?TIMEOUT), M:recv(S, 0, 50), M:recv(S, 0, 0), element(1, M:recv(S, 1, nowait))],
    ok = M:close(S),
    Results.

echo_much(M, To) ->
    S = connect(M, To),
    Data = xc:fill(5_000_000),
    spawn_link(fun() -> ok = M:send(S, Data) end),
    {ok, Data} = M:recv(S, byte_size(Data), ?TIMEOUT),
    M:close(S).

echo_without_waiting(M, To) ->
    {ok, S} = M:open(inet, stream),
    Address = address(To),
    ok =
        case M:connect(S, Address, nowait) of
            ok -> ok;
            {select, {select_info, _, Connecting}} ->
                receive {'$socket', S, select, Connecting} -> M:connect(S, Address) after ?TIMEOUT -> silence end
        end,
    {select, {select_info, _, Handle}} = M:recv(S, 0, nowait),
    ok = M:sendmsg(S, #{iov => [<<"he">>, <<"llo">>]}),
    Told = receive {'$socket', S, select, Handle} -> told after ?TIMEOUT -> silence end,
    {ok, #{iov := Iov}} = M:recvmsg(S),
    {Told, Iov, M:close(S)}.

%% Those that were set before connect count, and those that are set afterwards.
options(M, To) ->
    {ok, S} = M:open(inet, stream),
    ok = M:setopt(S, {socket, keepalive}, true),
    ok = M:setopt(S, {socket, rcvbuf}, 20000),
    ok = M:connect(S, address(To), ?TIMEOUT),
    ok = M:setopt(S, {tcp, nodelay}, true),
    Options = [
        M:getopt(S, Option)
     || Option <- [{socket, keepalive}, {socket, rcvbuf}, {tcp, nodelay}, {socket, type}, {socket, protocol}, {ip, ttl},
                   {socket, acceptconn}, {socket, error}]
    ],
    {Options, M:connect(S, address(To)), M:bind(S, #{family => inet, addr => any, port => 0}), M:listen(S), M:close(S)}.

ends_its_direction(M, To) ->
    S = connect(M, To),
    ok = M:send(S, "the question"),
    ok = M:shutdown(S, write),
    [M:send(S, "more"), M:recv(S, 0, ?TIMEOUT), M:recv(S, 0, ?TIMEOUT)].

reads_to_the_end(M, To) ->
    S = connect(M, To),
    Results = [M:recv(S, 9, ?TIMEOUT), M:recv(S, 0, ?TIMEOUT), M:send(S, "thanks")],
    ok = M:close(S),
    Results.

is_reset(M, To) ->
    S = connect(M, To),
    ok = M:send(S, "ping"),
    [M:recv(S, 0, ?TIMEOUT), M:recv(S, 0, ?TIMEOUT), M:send(S, "more"), M:peername(S), M:close(S)].

is_reset_while_it_waits(M, To) ->
    S = connect(M, To),
    {select, {select_info, _, Handle}} = M:recv(S, 0, nowait),
    ok = M:send(S, "ping"),
    Told = receive {'$socket', S, What, Handle} -> What after ?TIMEOUT -> silence end,
    {Told, M:recv(S, 0, nowait)}.

resets(M, To) ->
    S = connect(M, To),
    ok = M:send(S, "ping"),
    {ok, <<"hello">>} = M:recv(S, 5, ?TIMEOUT),
    timer:sleep(100),
    ok = M:setopt(S, {socket, linger}, #{onoff => true, linger => 0}),
    M:close(S).

leaves_bytes_unread(M, To) ->
    S = connect(M, To),
    ok = M:send(S, "ping"),
    {ok, <<"h">>} = M:recv(S, 1, ?TIMEOUT),
    timer:sleep(100),
    M:close(S).

goes_away(M, To) ->
    M:close(connect(M, To)).

is_held_back(M, To) ->
    S = connect(M, To),
    {ok, <<"hello">>} = M:recv(S, 5, ?TIMEOUT),
    {error, {timeout, Rest}} = M:send(S, xc:fill(50_000_000), 300),
    ok = M:setopt(S, {socket, linger}, #{onoff => true, linger => 0}),
    {byte_size(Rest) < 50_000_000, M:close(S)}.

reads_much(M, To) ->
    S = connect(M, To),
    timer:sleep(100),
    {ok, _} = M:recv(S, 20_000_000, ?TIMEOUT),
    M:recv(S, 1, ?TIMEOUT).

is_closed(M, To) ->
    S = connect(M, To),
    Results = [M:recv(S, 3, ?TIMEOUT), M:recv(S, 1, ?TIMEOUT), M:recv(S, 1, ?TIMEOUT), M:send(S, "one")],
    timer:sleep(50),
    {Results, M:send(S, "two"), M:send(S, "three")}.

peeks(M, To) ->
    S = connect(M, To),
    [M:recv(S, 3, [peek], ?TIMEOUT), M:recv(S, 2, ?TIMEOUT), M:recv(S, 5, [peek], ?TIMEOUT), M:recv(S, 5, ?TIMEOUT)].

%% --- in memory alone ---

%% The names and ports of both ends, and a port where nobody listens. The same socket can try elsewhere then.
names() ->
    M = inetpy_socket,
    {ok, S} = M:open(inet, stream),
    ok = M:bind(S, #{family => inet, addr => any, port => 0}),
    {ok, #{port := Port}} = M:sockname(S),
    #{addr := Ip} = To = address({?HOST, 9}),
    {error, econnrefused} = M:connect(S, To#{port := 1000}),
    {error, econnaborted} = M:connect(S, To),
    ok = M:connect(S, To),
    {ok, #{addr := Ip, port := 9}} = M:peername(S),
    {ok, #{addr := {198, 18, _, _}, port := Port}} = M:sockname(S),
    {ok, <<"bye">>} = M:recv(S, 3, ?TIMEOUT),
    ok = M:close(S),
    {ok, S6} = M:open(inet6, stream),
    {ok, Ip6} = inetpy_inet:getaddr(?HOST, inet6),
    ok = M:connect(S6, #{family => inet6, addr => Ip6, port => 9}),
    {ok, <<"bye">>} = M:recv(S6, 3, ?TIMEOUT),
    M:close(S6).

%% Python connects to a listener of the node, and so does the system.
listener() ->
    M = inetpy_socket,
    {ok, Listener} = M:open(inet, stream),
    ok = M:bind(Listener, #{family => inet, addr => loopback, port => 0}),
    ok = M:listen(Listener),
    {ok, #{port := Port} = Address} = M:sockname(Listener),
    Client = connect(M, {?HOST, 100}),
    ok = M:send(Client, [integer_to_list(Port), "\n"]),
    {ok, S} = M:accept(Listener, ?TIMEOUT),
    {ok, #{port := Port}} = M:sockname(S),
    {ok, <<"hello from Python\n">>} = M:recv(S, 0, ?TIMEOUT),
    ok = M:send(S, "hello from Erlang\n"),
    {ok, <<"hello from Erlang\n">>} = M:recv(Client, 18, ?TIMEOUT),
    {error, closed} = M:recv(S, 0, ?TIMEOUT),
    ok = M:close(S),
    {error, closed} = M:recv(Client, 0, ?TIMEOUT),
    {ok, Other} = socket:open(inet, stream),
    ok = socket:connect(Other, Address),
    {ok, _} = M:accept(Listener, ?TIMEOUT),
    ok = socket:close(Other),
    ok = M:close(Listener),
    Again = connect(M, {?HOST, 100}),
    ok = M:send(Again, [integer_to_list(Port), "\n"]),
    {ok, <<"refused">>} = M:recv(Again, 0, ?TIMEOUT),
    ok.

%% A datagram server, for a socket that is connected and for one that is not.
datagrams() ->
    M = inetpy_socket,
    {ok, S} = M:open(inet, dgram),
    #{addr := Ip} = To = address({?HOST, 1}),
    ok = M:sendto(S, "ports", To),
    {ok, {#{addr := Ip, port := 1}, Ports}} = M:recvfrom(S, 0, ?TIMEOUT),
    ok = M:connect(S, To),
    {ok, #{addr := Ip, port := 1}} = M:peername(S),
    {select, {select_info, _, Handle}} = M:recvmsg(S, nowait),
    ok = M:send(S, "ports"),
    receive {'$socket', S, select, Handle} -> ok end,
    {ok, #{addr := #{addr := Ip}, iov := [Ports]}} = M:recvmsg(S, nowait),
    {ok, S6} = M:open(inet6, dgram),
    {ok, Ip6} = inetpy_inet:getaddr(?HOST, inet6),
    ok = M:sendto(S6, "ports", #{family => inet6, addr => Ip6, port => 1}),
    {ok, {#{addr := Ip6}, Ports}} = M:recvfrom(S6, 0, ?TIMEOUT),
    ok.
