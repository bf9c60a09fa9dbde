%% Each operation in each state of a socket of each kind: a scenario for a kind in a state, with all operations, each on a
%% socket of its own.
-module(xs_states).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {list_to_atom(lists:concat([Domain, "_", Type, "_", State])), lists:concat(["All operations of a socket that is: ", State]),
            fun(B) -> all_operations(B, Kind, State) end}
     || {{Domain, Type} = Kind, States} <- kinds(), State <- States
    ].

kinds() ->
    Stream = [new, bound, listening, connected, peer_closed, data_then_closed, peer_shut, shut_read, shut_write, shut_both, reset, closed],
    Datagram = [new, bound, connected, peer_closed, shut_read, shut_write, shut_both, disconnected, closed],
    [
        {{inet, stream}, [connecting, refused | Stream]}, {{inet6, stream}, Stream}, {{local, stream}, Stream}, {{local, seqpacket}, Stream},
        {{inet, dgram}, Datagram},
        {{inet6, dgram}, Datagram}, {{local, dgram}, Datagram}, {{inet, raw}, [bound, closed]}
    ].

all_operations(#{api := M} = B, Kind, State) ->
    [
        begin
            {S, Others} = socket_in(State, Kind, B),
            Result = without_chance(xs:attempt(fun() -> Operation(M, S) end)),
            _ = [M:close(Each) || Each <- [S | Others]],
            ok = no_messages(),
            {Name, Result}
        end
     || {Name, Operation} <- operations(Kind)
    ].

%% Whether a socket is ready before it is closed is chance. xs_async has the messages.
no_messages() ->
    case xs:message(0) of
        nothing -> ok;
        _ -> no_messages()
    end.

%% --- states ------------------------------------------------------------------------

%% {The socket, others to be closed}.
socket_in(new, Kind, B) -> {opened(Kind, B), []};
socket_in(bound, Kind, B) -> {bound(Kind, B), []};
socket_in(closed, Kind, #{api := M} = B) ->
    S = opened(Kind, B),
    ok = M:close(S),
    {S, []};
socket_in(listening, Kind, B) ->
    {listening(Kind, B), []};
socket_in(connecting, _, #{api := M} = B) ->
    {To, Listener} = xs:busy_listener(B),
    {ok, S} = M:open(inet, stream),
    {select, _} = M:connect(S, To, nowait),
    {S, [Listener]};
socket_in(refused, _, #{api := M}) ->
    {ok, S} = M:open(inet, stream),
    {error, econnrefused} = M:connect(S, #{family => inet, addr => loopback, port => xc:dead_port()}),
    {S, []};
socket_in(connected, Kind, B) ->
    {S, Peer} = pair(Kind, B),
    {S, [Peer]};
socket_in(peer_closed, Kind, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:close(Peer),
    ok = at_end(Kind, M, S),
    {S, []};
socket_in(data_then_closed, Kind, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:send(Peer, "abc"),
    ok = M:close(Peer),
    {S, []};
socket_in(peer_shut, Kind, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:shutdown(Peer, read_write),
    {S, [Peer]};
socket_in(shut_read, Kind, B) -> shut(Kind, read, B);
socket_in(shut_write, Kind, B) -> shut(Kind, write, B);
socket_in(shut_both, Kind, B) -> shut(Kind, read_write, B);
socket_in(reset, {local, _} = Kind, #{api := M} = B) ->
    %% Data that nobody has read makes a reset of the end.
    {S, Peer} = pair(Kind, B),
    ok = M:send(S, "abc"),
    ok = M:close(Peer),
    {S, []};
socket_in(reset, Kind, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:setopt(Peer, {socket, linger}, #{onoff => true, linger => 0}),
    ok = M:close(Peer),
    {S, []};
socket_in(disconnected, Kind, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:connect(S, #{family => unspec}),
    {S, [Peer]}.

shut(Kind, How, #{api := M} = B) ->
    {S, Peer} = pair(Kind, B),
    ok = M:shutdown(S, How),
    {S, [Peer]}.

%% The end of a stream has arrived.
at_end({_, stream}, M, S) -> {error, closed} = M:recv(S, 0, [peek], 5000), ok;
at_end(_, _, _) -> ok.

%% A raw socket of a protocol that nobody speaks.
opened({inet, raw}, #{api := M}) ->
    {ok, S} = M:open(inet, raw, 253),
    S;
opened({Domain, Type}, #{api := M}) ->
    {ok, S} = M:open(Domain, Type),
    S.

bound({Domain, _} = Kind, #{api := M} = B) ->
    S = opened(Kind, B),
    ok = M:bind(S, address(Domain)),
    S.

listening(Kind, #{api := M} = B) ->
    S = bound(Kind, B),
    ok = M:listen(S),
    S.

address(local) -> #{family => local, path => list_to_binary([0 | xs:path()])};
address(Domain) -> #{family => Domain, addr => loopback, port => 0}.

%% Two that are connected with each other.
pair({_, Type} = Kind, #{api := M} = B) when Type =:= dgram; Type =:= raw ->
    [S, Peer] = [bound(Kind, B) || _ <- [1, 2]],
    _ = [begin {ok, To} = M:sockname(Other), ok = M:connect(One, To) end || {One, Other} <- [{S, Peer}, {Peer, S}]],
    {S, Peer};
pair(Kind, #{api := M} = B) ->
    L = listening(Kind, B),
    {ok, To} = M:sockname(L),
    S = opened(Kind, B),
    ok = M:connect(S, To),
    {ok, Peer} = M:accept(L, 5000),
    ok = M:close(L),
    {S, Peer}.

%% --- operations -----------------------------------------------------------------------

operations({Domain, _} = Kind) ->
    Dead = dead(Kind),
    [
        {bind, fun(M, S) -> M:bind(S, address(Domain)) end},
        {bind_any, fun(M, S) -> M:bind(S, any) end},
        {listen, fun(M, S) -> M:listen(S) end},
        {accept, fun(M, S) -> M:accept(S, 0) end},
        {accept_nowait, fun(M, S) -> M:accept(S, nowait) end},
        {connected, fun(M, S) -> M:connect(S) end},
        {connect, fun(M, S) -> M:connect(S, Dead, 5000) end},
        {connect_unspec, fun(M, S) -> M:connect(S, #{family => unspec}) end},
        {sockname, fun(M, S) -> M:sockname(S) end},
        {peername, fun(M, S) -> M:peername(S) end},
        {send, fun(M, S) -> M:send(S, "abc", 0) end},
        {send_nothing, fun(M, S) -> M:send(S, "", 0) end},
        {send_twice, fun(M, S) -> [M:send(S, "abc", nowait), M:send(S, "def", nowait)] end},
        {sendto, fun(M, S) -> M:sendto(S, "abc", Dead, 0) end},
        {sendmsg, fun(M, S) -> M:sendmsg(S, #{iov => [<<"abc">>]}, 0) end},
        {sendmsg_to, fun(M, S) -> M:sendmsg(S, #{addr => Dead, iov => [<<"abc">>]}, 0) end},
        {sendfile, fun(M, S) -> xs:with_file("abc", fun(File) -> M:sendfile(S, File, 0, 3, 0) end) end},
        {recv, fun(M, S) -> M:recv(S, 0, 0) end},
        {recv_length, fun(M, S) -> M:recv(S, 2, 0) end},
        {recv_peek, fun(M, S) -> M:recv(S, 0, [peek], 0) end},
        {recv_nowait, fun(M, S) -> M:recv(S, 0, nowait) end},
        {recv_twice, fun(M, S) -> [M:recv(S, 5, 0), M:recv(S, 5, 0)] end},
        {recvfrom, fun(M, S) -> M:recvfrom(S, 0, 0) end},
        {recvfrom_nowait, fun(M, S) -> M:recvfrom(S, 0, nowait) end},
        {recvmsg, fun(M, S) -> M:recvmsg(S, 0) end},
        {recvmsg_nowait, fun(M, S) -> M:recvmsg(S, nowait) end},
        {shutdown_read, fun(M, S) -> M:shutdown(S, read) end},
        {shutdown_write, fun(M, S) -> M:shutdown(S, write) end},
        {shutdown_both, fun(M, S) -> [M:shutdown(S, read_write), M:shutdown(S, read_write)] end},
        {options, fun(M, S) -> [M:getopt(S, {socket, O}) || O <- [domain, type, protocol, acceptconn, reuseaddr]] end},
        {set_option, fun(M, S) -> M:setopt(S, {socket, reuseaddr}, true) end},
        {set_buffer, fun(M, S) -> M:setopt(S, {otp, rcvbuf}, 100) end},
        {info, fun(M, S) -> maps:without([owner, counters], M:info(S)) end},
        {monitor, fun(M, S) -> is_reference(M:monitor(S)) end},
        {close, fun(M, S) -> [M:close(S), M:close(S), maps:with([rstates, wstates], M:info(S))] end},
        {close_waiting, fun(M, S) -> [M:recv(S, 0, nowait), M:close(S)] end}
    ].

%% Where nobody is. A raw socket that is bound gets what others send to its address: none of them sends there.
dead({local, _}) -> #{family => local, path => <<0, "inetpy-nobody">>};
dead({_, raw}) -> #{family => inet, addr => {127, 0, 0, 99}, port => 0};
dead({Domain, _}) -> #{family => Domain, addr => loopback, port => xc:dead_port()}.

%% A port and an abstract path of the system's choice, and a new socket.
without_chance({ok, {'$socket', _}}) -> {ok, socket};
without_chance(#{family := _} = Address) -> maps:map(fun(Key, Value) when Key =:= port, Value =/= 0; Key =:= path, Value =/= <<>> -> Key; (_, Value) -> Value end, Address);
without_chance(Map) when is_map(Map) -> maps:map(fun(_, Value) -> without_chance(Value) end, Map);
without_chance(Tuple) when is_tuple(Tuple) -> list_to_tuple(without_chance(tuple_to_list(Tuple)));
without_chance([Head | Tail]) -> [without_chance(Head) | without_chance(Tail)];
without_chance(Other) -> Other.
