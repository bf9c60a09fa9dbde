%% Behaviour of datagram sockets that cannot be compared with the stock driver.
-module(inetpy_udp_SUITE).

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([membership_by_index/1, newer_options/1, sender_path/1, network_namespace/1, device/1]).
-export([connected_controls/1, flood_and_quiet/1, burst_in_few_frames/1, bridge_dies/1, sctp/1]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(INETPY, [{udp_module, inetpy_udp}, binary, {active, false}]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        connected_controls, membership_by_index, newer_options, sender_path, network_namespace, device, flood_and_quiet,
        burst_in_few_frames, bridge_dies, sctp
    ].

init_per_suite(Config) ->
    ok = inetpy:start(),
    Config.

end_per_suite(_Config) ->
    inetpy:stop().

%% Ancillary data on a connected socket. The stock driver cannot be asked: it reads control messages that it has not
%% asked for, and can crash the node.
connected_controls(_Config) ->
    {ok, P} = gen_udp:open(0, [{inet_backend, inet}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(P),
    {ok, S} = gen_udp:open(0, ?INETPY ++ [{ip, ?LOOPBACK}]),
    {ok, Own} = inet:port(S),
    ok = gen_udp:connect(S, ?LOOPBACK, Port),
    ok = inet:setopts(S, [{recvttl, true}]),
    [ok = gen_udp:send(P, ?LOOPBACK, Own, Data) || Data <- ["one", "two"]],
    {ok, {?LOOPBACK, Port, [{ttl, 64}], <<"one">>}} = gen_udp:recv(S, 0, 5000),
    ok = inet:setopts(S, [{active, once}]),
    {udp, S, ?LOOPBACK, Port, [{ttl, 64}], <<"two">>} = receive Message -> Message after 5000 -> nothing end.

%% Joining a group by the number of an interface, as documented. OTP 25's driver answers ok and does not join.
membership_by_index(_Config) ->
    Group = {239, 77, 1, 1},
    {ok, S} = gen_udp:open(0, ?INETPY ++ [{add_membership, {Group, any, 1}}]),
    {ok, Port} = inet:port(S),
    {ok, Sender} = gen_udp:open(0, [{multicast_if, ?LOOPBACK}]),
    ok = gen_udp:send(Sender, Group, Port, "x"),
    {ok, {?LOOPBACK, _, <<"x">>}} = gen_udp:recv(S, 0, 5000),
    ok = inet:setopts(S, [{drop_membership, {Group, any, 1}}]),
    ok = gen_udp:send(Sender, Group, Port, "y"),
    {error, timeout} = gen_udp:recv(S, 0, 100),
    {ok, [{multicast_if, {127, 0, 0, 1}}]} =
        begin
            ok = inet:setopts(S, [{multicast_if, {127, 0, 0, 1}}]),
            inet:getopts(S, [multicast_if])
        end.

%% Options of OTP 28, on any edition of OTP.
newer_options(_Config) ->
    [
        begin
            {ok, One} = gen_udp:open(0, ?INETPY ++ [{Option, true}]),
            {ok, Port} = inet:port(One),
            {ok, Two} = gen_udp:open(Port, ?INETPY ++ [{Option, true}]),
            {error, eaddrinuse} = gen_udp:open(Port, ?INETPY),
            ok = gen_udp:close(One),
            ok = gen_udp:close(Two)
        end
     || Option <- [reuseport, reuseport_lb]
    ].

%% The path of a sender in binary mode. prim_inet:recvfrom/3 of OTP 25 fails there.
sender_path(_Config) ->
    [A, B] = Paths = ["/tmp/inetpy_udp_" ++ os:getpid() ++ Name || Name <- ["a", "b"]],
    try
        {ok, S} = gen_udp:open(0, [{udp_module, inetpy_local_udp}, binary, {active, false}, {ip, {local, A}}]),
        {ok, P} = gen_udp:open(0, [local, {ip, {local, B}}]),
        ok = gen_udp:send(P, {local, A}, 0, "x"),
        From = list_to_binary(B),
        {ok, {{local, From}, 0, <<"x">>}} = gen_udp:recv(S, 0, 5000)
    after
        [file:delete(Path) || Path <- Paths]
    end.

%% A socket in another network namespace does not see our sockets.
network_namespace(_Config) ->
    Program = open_port({spawn, "unshare --net sh -c 'ip link set lo up; echo $$; cat'"}, [{line, 80}]),
    receive
        {Program, {data, {eol, Pid}}} ->
            Namespace = "/proc/" ++ Pid ++ "/ns/net",
            {ok, S} = gen_udp:open(0, ?INETPY ++ [{netns, Namespace}, {ip, ?LOOPBACK}]),
            {ok, Port} = inet:port(S),
            {ok, Here} = gen_udp:open(0, ?INETPY),
            ok = gen_udp:send(Here, ?LOOPBACK, Port, "from here"),
            {ok, There} = gen_udp:open(0, ?INETPY ++ [{netns, Namespace}]),
            ok = gen_udp:send(There, ?LOOPBACK, Port, "from there"),
            {ok, {_, _, <<"from there">>}} = gen_udp:recv(S, 0, 5000),
            {error, timeout} = gen_udp:recv(S, 0, 50)
    after 10000 ->
        ct:fail("no namespace")
    end,
    port_close(Program).

%% A socket that is bound to the loopback interface reaches sockets on loopback.
device(_Config) ->
    {ok, S} = gen_udp:open(0, ?INETPY ++ [{bind_to_device, <<"lo">>}]),
    {ok, Port} = inet:port(S),
    {ok, P} = gen_udp:open(0, ?INETPY),
    ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
    {ok, {?LOOPBACK, _, <<"x">>}} = gen_udp:recv(S, 0, 5000),
    {ok, [{bind_to_device, <<"lo">>}]} = inet:getopts(S, [bind_to_device]).

%% While one socket is flooded, a hundred quiet sockets work, and calls are answered.
flood_and_quiet(_Config) ->
    {ok, Flooded} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {active, true}, {recbuf, 1 bsl 20}]),
    {ok, Port} = inet:port(Flooded),
    Floods = [spawn_link(fun() -> flood(Port) end) || _ <- [1, 2]],
    %% the flood is running
    receive {udp, Flooded, _, _, _} -> ok end,
    drain_in_background(Flooded),
    {ok, P} = gen_udp:open(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, To} = inet:port(P),
    Quiet = [element(2, gen_udp:open(0, ?INETPY)) || _ <- lists:seq(1, 100)],
    [
        begin
            ok = gen_udp:send(S, ?LOOPBACK, To, "quiet"),
            {ok, {Ip, From, <<"quiet">>}} = gen_udp:recv(P, 0, 20000),
            ok = gen_udp:send(P, Ip, From, "answer"),
            {ok, {_, To, <<"answer">>}} = gen_udp:recv(S, 0, 20000),
            {ok, [{active, false}]} = inet:getopts(S, [active])
        end
     || S <- Quiet
    ],
    [begin unlink(F), exit(F, kill) end || F <- Floods],
    [ok = gen_udp:close(S) || S <- Quiet].

flood(Port) ->
    {ok, S} = gen_udp:open(0, []),
    flood(S, Port, binary:copy(<<"f">>, 100)).

flood(S, Port, Data) ->
    _ = gen_udp:send(S, ?LOOPBACK, Port, Data),
    flood(S, Port, Data).

drain_in_background(Socket) ->
    Drain = spawn_link(fun() -> drain(Socket) end),
    ok = gen_udp:controlling_process(Socket, Drain).

drain(Socket) ->
    receive {udp, Socket, _, _, _} -> drain(Socket) end.

%% All datagrams of a burst arrive, in order.
burst_in_few_frames(_Config) ->
    {ok, S} = gen_udp:open(0, ?INETPY ++ [{recbuf, 1 bsl 20}, {read_packets, 100}]),
    {ok, Port} = inet:port(S),
    {ok, P} = gen_udp:open(0, []),
    [ok = gen_udp:send(P, ?LOOPBACK, Port, <<N:16>>) || N <- lists:seq(1, 300)],
    ok = inet:setopts(S, [{active, 300}]),
    Expected = lists:seq(1, 300),
    Expected = [receive {udp, S, _, _, <<N:16>>} -> N after 5000 -> none end || _ <- Expected],
    receive {udp_passive, S} -> ok after 5000 -> ct:fail("no udp_passive") end.

%% When Python dies, owners get their messages, and there is a new bridge.
bridge_dies(_Config) ->
    {ok, Passive} = gen_udp:open(0, ?INETPY),
    {ok, Active} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
    Self = self(),
    spawn(fun() -> Self ! {waited, gen_udp:recv(Passive, 0)} end),
    #{bridge := Bridge, os_pid := OsPid} = inetpy:info(),
    Ref = erlang:monitor(process, Bridge),
    os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    receive {'DOWN', Ref, _, _, _} -> ok after 10000 -> ct:fail("the bridge lives") end,
    receive {udp_error, Active, inetpy_down} -> ok after 5000 -> ct:fail("no udp_error") end,
    [receive {udp_closed, S} -> ok after 5000 -> ct:fail("no udp_closed") end || S <- [Active, Passive]],
    receive {waited, {error, closed}} -> ok after 5000 -> ct:fail("no answer") end,
    {error, closed} = gen_udp:send(Passive, ?LOOPBACK, 9, "x"),
    {ok, _} = gen_udp:open(0, ?INETPY).

%% SCTP stays with the stock driver, which answers an error on a kernel without SCTP.
sctp(_Config) ->
    [
        case gen_sctp:open([{type, Type}]) of
            {ok, S} -> ok = gen_sctp:close(S);
            {error, Reason} -> true = lists:member(Reason, [esocktnosupport, eprotonosupport])
        end
     || Type <- [seqpacket, stream]
    ].
