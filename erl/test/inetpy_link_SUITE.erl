%% Bridges over another link than the port program: see inetpy_bytes. Requests are written by a process of
%% the link, or by the bridge.
-module(inetpy_link_SUITE).

-export([suite/0, all/0]).
-export([
    frames_in_parts/1, large_data/1, active_and_datagrams/1, another_owner/1, time_runs_out/1, python_dies/1,
    descriptors_of_another_host/1, another_node/1, made_up_writers/1,
    full_writer/1, frames_of_bytes/1, wrong_urls/1
]).

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).
-define(LOOPBACK, {127, 0, 0, 1}).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        frames_in_parts, large_data, active_and_datagrams, another_owner, time_runs_out, python_dies,
        descriptors_of_another_host, another_node, made_up_writers,
        full_writer, frames_of_bytes, wrong_urls
    ].

%% The bridge gets parts of frames, and several frames at once. All calls have their answers.
frames_in_parts(_Config) -> over_both(fun frames_in_parts_over/1).

frames_in_parts_over(Writer) ->
    {C, A} = pair(),
    {ok, Expected} = inet:getopts(C, [nodelay]),
    Callers = [xc:spawn_call(fun() -> [inet:getopts(C, [nodelay]) || _ <- lists:seq(1, 50)] end) || _ <- lists:seq(1, 20)],
    Talk = [begin ok = gen_tcp:send(C, <<N:32>>), gen_tcp:recv(A, 4, 5000) end || N <- lists:seq(1, 200)],
    [{ok, <<N:32>>} = Got || {N, Got} <- lists:enumerate(Talk)],
    [[{ok, Expected}] = lists:usort(xc:await(Caller, 30000)) || Caller <- Callers],
    [Parts, Several, Written] = inetpy_bytes:counts(),
    true = Parts > 0 andalso Several > 0,
    true = (Written > 0) =:= (Writer =:= bridge).

%% Sends of one and of several pieces, as a binary and as a list.
large_data(_Config) -> over_both(fun large_data_over/1).

large_data_over(_Writer) ->
    {C, A} = pair(),
    Data = rand:bytes(3000000),
    Sender = xc:spawn_call(fun() -> [gen_tcp:send(C, D) || D <- [Data, binary_to_list(Data)]] end),
    {ok, <<Data:3000000/binary, Data:3000000/binary>>} = gen_tcp:recv(A, 6000000, 60000),
    [ok, ok] = xc:await(Sender, 20000).

active_and_datagrams(_Config) -> over_both(fun active_and_datagrams_over/1).

active_and_datagrams_over(_Writer) ->
    {C, A} = pair(),
    [
        begin
            ok = inet:setopts(C, [{active, once}]),
            ok = gen_tcp:send(A, <<N>>),
            {tcp, C, <<N>>} = xc:next()
        end
     || N <- lists:seq(1, 20)
    ],
    {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(U),
    ok = gen_udp:send(U, ?LOOPBACK, Port, <<"to myself">>),
    {udp, U, ?LOOPBACK, Port, <<"to myself">>} = xc:next(),
    ok = gen_tcp:close(A),
    ok = inet:setopts(C, [{active, true}]),
    {tcp_closed, C} = xc:next().

another_owner(_Config) -> over_both(fun another_owner_over/1).

another_owner_over(_Writer) ->
    {C, A} = pair(),
    Test = self(),
    Owner = spawn_link(fun() -> receive Message -> Test ! {got, Message} end end),
    ok = inet:setopts(C, [{active, true}]),
    ok = gen_tcp:controlling_process(C, Owner),
    ok = gen_tcp:send(A, "for the owner"),
    {got, {tcp, C, <<"for the owner">>}} = xc:next(),
    true = xc:until(fun() -> inet:port(C) =:= {error, einval} end).

%% A call with a timeout ends in time while Python stands still, and its request is not carried out later.
time_runs_out(_Config) -> over_both(fun time_runs_out_over/1).

time_runs_out_over(_Writer) ->
    {C, A} = pair(),
    {error, timeout} = gen_tcp:recv(C, 0, 10),
    OsPid = python(),
    [] = os:cmd("kill -STOP " ++ OsPid),
    {error, timeout} = gen_tcp:recv(C, 0, 10),
    Sender = xc:spawn_call(fun() -> gen_tcp:send(A, "later") end),
    [] = os:cmd("kill -CONT " ++ OsPid),
    ok = xc:await(Sender, 5000),
    {ok, <<"later">>} = gen_tcp:recv(C, 5, 5000).

%% The end of the link is an answer for callers, and a message for owners. Then there is a new link.
python_dies(_Config) -> over_both(fun python_dies_over/1).

python_dies_over(_Writer) ->
    {C, _A} = pair(),
    ok = inet:setopts(C, [{active, true}]),
    {P, _B} = pair(),
    Caller = xc:spawn_call(fun() -> gen_tcp:recv(P, 0) end),
    ok = inet:setopts(C, [{active, true}]),
    [] = os:cmd("kill -9 " ++ python()),
    {error, closed} = xc:await(Caller, 5000),
    Messages = xc:messages(fun(Message) -> Message =:= {tcp_closed, C} end, 5000),
    [{tcp_error, C, inetpy_down}, {tcp_closed, C}] = [M || M <- Messages, element(2, M) =:= C],
    {error, closed} = gen_tcp:send(C, "x"),
    {error, closed} = gen_tcp:send(C, binary:copy(<<"x">>, 3000000)),
    {New, _} = pair(),
    false = element(3, New) =:= element(3, C),
    #{os_pid := undefined, sockets := 2} = inetpy:info().

%% Python is not told the process of this node, whose number may be that of any process there.
descriptors_of_another_host(_Config) -> over_both(fun descriptors_of_another_host_over/1).

descriptors_of_another_host_over(_Writer) ->
    {ok, Stock} = gen_tcp:listen(0, [{inet_backend, inet}]),
    {ok, Fd} = prim_inet:getfd(Stock),
    {error, enotsup} = gen_tcp:listen(0, [{fd, Fd} | ?INETPY]),
    {ok, _} = inet:port(Stock).

%% As with a port, only processes of the node itself can write.
another_node(_Config) -> over_both(fun another_node_over/1).

another_node_over(_Writer) ->
    %% a pid of another node: <<131, NEW_PID_EXT, SMALL_ATOM_UTF8_EXT, ...>>
    Name = <<"other@host">>,
    Other = binary_to_term(<<131, 88, 119, (byte_size(Name)), Name/binary, 1:32, 0:32, 1:32>>),
    {'EXIT', {badarg, _}} = catch inetpy_link:write(Other, "x"),
    {'EXIT', {badarg, _}} = catch inetpy_link:try_write(Other, "x"),
    {{'$inet', M, {Bridge, _, Id}}, _} = pair(),
    {error, closed} = gen_tcp:send({'$inet', M, {Bridge, Other, Id}}, "x").

%% A made-up socket whose writer has ended answers when the bridge does; one that names the bridge is as good as any.
made_up_writers(_Config) -> over_both(fun made_up_writers_over/1).

made_up_writers_over(_Writer) ->
    {{'$inet', M, {Bridge, _, Id}}, A} = pair(),
    ok = gen_tcp:send({'$inet', M, {Bridge, Bridge, Id}}, "by the bridge"),
    {ok, <<"by the bridge">>} = gen_tcp:recv(A, 13, 5000),
    Gone = spawn(fun() -> ok end),
    Caller = xc:spawn_call(fun() -> gen_tcp:send({'$inet', M, {Bridge, Gone, Id}}, "x") end),
    exit(Bridge, kill),
    {error, closed} = xc:await(Caller, 5000).

%% --- the parts of inetpy_stream ----------------------------------------------

%% A caller with a timeout does not add to a long mailbox. What it has to say is written later, or ends with the caller.
full_writer(_Config) ->
    Writer = spawn_link(fun() -> receive go -> ok end end),
    Length = fun() -> element(2, process_info(Writer, message_queue_len)) end,
    true = lists:all(fun(_) -> inetpy_link:try_write(Writer, "x") end, lists:seq(1, 10001)),
    false = inetpy_link:try_write(Writer, "x"),
    10001 = Length(),
    true = inetpy_link:write(Writer, "of a caller that waits for its answer"),
    {Caller, Monitor} = spawn_monitor(fun() -> exit(inetpy_link:write_later(Writer, "x")) end),
    Later = receive {'DOWN', Monitor, process, Caller, Pid} -> Pid end,
    true = xc:until(fun() -> not is_process_alive(Later) end),
    Waiting = inetpy_link:write_later(Writer, "x"),
    true = is_process_alive(Waiting),
    10002 = Length(),
    exit(Waiting, kill),
    Test = self(),
    Free = spawn_link(fun() -> receive {write, [Frame]} -> Test ! Frame end end),
    _ = inetpy_link:write_later(Free, <<"later">>),
    <<"later">> = xc:next(),
    unlink(Writer),
    exit(Writer, kill).

%% However the bytes come, the frames are the same. What is no frame of inetpy is found at once.
frames_of_bytes(_Config) ->
    Frames = [rand:bytes(Size) || Size <- [0, 1, 3, 4, 5, 100, 70000, 0, 2]],
    Bytes = iolist_to_binary([[<<(byte_size(Frame)):32>>, Frame] || Frame <- Frames]),
    [Frames = fed(Bytes, Cut, inetpy_frames:new()) || Cut <- [1, 2, 3, 7, 1000, 65536, byte_size(Bytes)]],
    no_frames = inetpy_frames:feed(<<"HTTP/1.1 400 Bad Request">>, inetpy_frames:new()).

fed(<<>>, _, _) ->
    [];
fed(Bytes, Cut, Buffer) ->
    {Part, Rest} = split_binary(Bytes, min(Cut, byte_size(Bytes))),
    {Frames, After} = inetpy_frames:feed(Part, Buffer),
    Frames ++ fed(Rest, Cut, After).

wrong_urls(_Config) ->
    [
        {error, [_ | _]} = inetpy_url:parse(Url)
     || Url <- [
            "", "x", "unix:", "tcp:", "tcp:h", "tcp:h:", "tcp:h:0", "tcp:h:65536", "tcp::1", "tls:h:1?mode=600",
            "unix:/b?ca=x", "tls:h:1?ca=", "tls:h:1?ca", "tls:h:1?%", <<"udp:h:1">>, [1, 2], [a, b]
        ]
    ],
    [
        begin
            {ok, Url} = inetpy_url:parse(Text),
            {Text, Address} = {inetpy_url:text(Url), hd(inetpy_url:addresses(Url))}
        end
     || {Text, Address} <- [
            {"unix:/a:b", {{local, "/a:b"}, 0, local}},
            {"tcp:127.0.0.1:7", {{127, 0, 0, 1}, 7, inet}},
            {"tls:[::1]:7", {{0, 0, 0, 0, 0, 0, 0, 1}, 7, inet6}},
            {"tls:net.example:65535", {"net.example", 65535, inet}}
        ]
    ].

%% --- tools -------------------------------------------------------------------

%% The application is not running: its first bridge is the one that is started here, with what the bridge needs of
%% inetpy_sup.
over_both(Case) ->
    ok = inetpy_context:init(1),
    ok = inetpy_faults:new_table(),
    ok = inetpy_network:new_table(),
    [
        begin
            {ok, Keeper} = inetpy_keeper:start_link(1, {inetpy_bytes, Writer}),
            ok = inetpy_keeper:first_start(1),
            _ = Case(Writer),
            Ref = erlang:monitor(process, Keeper),
            unlink(Keeper),
            exit(Keeper, shutdown),
            receive {'DOWN', Ref, _, _, _} -> ok end
        end
     || Writer <- [process, bridge]
    ].

%% The process of the relay's Python.
python() ->
    {Program, _, _} = inetpy_python:command(),
    [OsPid] = [
        OsPid
     || Port <- erlang:ports(), {name, Program} =:= erlang:port_info(Port, name),
        {os_pid, OsPid} <- [erlang:port_info(Port, os_pid)]
    ],
    integer_to_list(OsPid).

pair() ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK} | ?INETPY]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, ?INETPY),
    {ok, A} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:close(L),
    {C, A}.
