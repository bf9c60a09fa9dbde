%% Sockets of inetpy_socket under hostile use: Python dies, owners die by the hundred, nobody reads, all wait at once.
-module(inetpy_plain_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    python_dies/1, python_dies_again/1, nobody_reads/1, owners_die/1, many_wait/1, cancelled_when_ready/1,
    closed_elsewhere/1, on_another_node/1
]).

-define(M, inetpy_socket).
-define(LOOPBACK, #{family => inet, addr => loopback, port => 0}).
-define(B, #{api => ?M}).

suite() -> [{timetrap, {minutes, 1}}].

all() ->
    [
        python_dies, python_dies_again, nobody_reads, owners_die, many_wait, cancelled_when_ready, closed_elsewhere,
        on_another_node
    ].

init_per_testcase(_Case, Config) ->
    ok = inetpy:start(),
    Config.

end_per_testcase(_Case, _Config) ->
    inetpy:stop().

%% --- the end of Python -----------------------------------------------------

%% Those that wait in any call are told, and their sockets are closed. Sockets that are opened later work.
python_dies(_Config) ->
    {Sockets, Infos} = waiting_for_all(),
    Calls = [xc:spawn_call(Call) || Call <- blocking_calls()],
    {C, S} = xs:pair(?B),
    Ref = ?M:monitor(C),
    %% Calls that have not begun before Python ends fail in the same way.
    kill_python(),
    [
        receive {'$socket', Socket, abort, {Handle, closed}} -> ok
        after 5000 -> ct:fail({not_told, Tag, process_info(self(), messages)})
        end
     || {Socket, {select_info, Tag, Handle}} <- lists:zip(Sockets, Infos)
    ],
    receive {'DOWN', Ref, socket, C, closed} -> ok after 5000 -> ct:fail(no_down) end,
    [{error, closed} = reason(xc:await(Call)) || Call <- Calls],
    [
        {error, closed} = xs:attempt(Call)
     || Socket <- [C, S | Sockets],
        Call <- [
            fun() -> ?M:recv(Socket, 0, 0) end, fun() -> ?M:send(Socket, "x") end, fun() -> ?M:sockname(Socket) end,
            fun() -> ?M:close(Socket) end, fun() -> ?M:accept(Socket, 0) end
        ]
    ],
    works().

python_dies_again(Config) ->
    [python_dies(Config) || _ <- lists:seq(1, 2)].

%% Sockets for each of which this process waits, and the SelectInfos.
waiting_for_all() ->
    {R, _} = xs:pair(?B),
    {W, _} = xs:pair(?B),
    {F, _} = xs:pair(?B),
    {L, _} = xs:listener(?B),
    {U, _} = xs:udp(?B),
    {V, _} = xs:udp(?B),
    {ok, C} = ?M:open(inet, stream),
    {select, Recv} = ?M:recv(R, 0, nowait),
    Send = xs:fill_up(fun(Data) -> ?M:send(W, Data, nowait) end),
    {select, Accept} = ?M:accept(L, nowait),
    {select, Recvfrom} = ?M:recvfrom(U, 0, nowait),
    {select, Recvmsg} = ?M:recvmsg(V, nowait),
    {select, Connect} = ?M:connect(C, xs:full_listener(?B), nowait),
    _ = xs:fill_up(fun(Data) -> ?M:send(F, Data, nowait) end),
    {[R, W, L, U, V, C], [Recv, Send, Accept, Recvfrom, Recvmsg, Connect]}.

%% Calls that would wait for ever.
blocking_calls() ->
    {R, _} = xs:pair(?B),
    {W, _} = xs:pair(?B),
    {L, _} = xs:listener(?B),
    {U, _} = xs:udp(?B),
    To = xs:full_listener(?B),
    {ok, C} = ?M:open(inet, stream),
    {F, _} = xs:pair(?B),
    Large = large_file(),
    [
        fun() -> ?M:recv(R) end, fun() -> ?M:recv(R, 5) end, fun() -> ?M:send(W, xc:fill(20000000)) end,
        fun() -> ?M:accept(L) end, fun() -> ?M:recvfrom(U) end, fun() -> ?M:recvmsg(U) end,
        fun() -> ?M:connect(C, To) end, fun() -> sent_file(F, Large) end
    ].

%% A file of 20 MB, which takes no room.
large_file() ->
    Path = xs:path(),
    {ok, File} = file:open(Path, [write, raw]),
    {ok, _} = file:position(File, 20000000),
    ok = file:truncate(File),
    ok = file:close(File),
    Path.

sent_file(Socket, Path) ->
    {ok, File} = file:open(Path, [read, raw, binary]),
    ok = file:delete(Path),
    ?M:sendfile(Socket, File, 0, 0, infinity).

%% A call that has written something says what is left, or how much it was.
reason({error, {Reason, _}}) -> {error, Reason};
reason(Other) -> Other.

kill_python() ->
    #{os_pid := Pid} = inetpy:info(),
    [] = os:cmd("kill -9 " ++ integer_to_list(Pid)).

works() ->
    true = xc:until(fun() -> element(1, ?M:open(inet, dgram)) =:= ok end),
    {C, S} = xs:pair(?B),
    ok = ?M:send(C, "works"),
    {ok, <<"works">>} = ?M:recv(S, 5),
    ok = ?M:close(C),
    ok = ?M:close(S).

%% --- many ------------------------------------------------------------------

%% A process gets 500 select messages, and reads none.
nobody_reads(_Config) ->
    {C, S} = xs:udp_pair(?B),
    [Reader] = inetpy_xs_steps:processes(1),
    Handles = [
        begin
            {select, {select_info, _, Handle}} = inetpy_xs_steps:in(Reader, fun() -> ?M:recv(C, 0, nowait) end),
            ok = ?M:send(S, "x"),
            true = xc:until(fun() -> {message_queue_len, N} =:= process_info(Reader, message_queue_len) end),
            {ok, <<"x">>} = inetpy_xs_steps:in(Reader, fun() -> ?M:recv(C, 0, 0) end),
            Handle
        end
     || N <- lists:seq(1, 500)
    ],
    Handles = [Handle || {'$socket', _, select, Handle} <- inetpy_xs_steps:in(Reader, fun inetpy_xs_steps:flush/0)],
    0 = maps:get(num_readers, ?M:info(C)),
    works().

%% 1,000 sockets whose owners die while they wait: nothing is left of them, here or in Python.
owners_die(_Config) ->
    works(),
    Before = {Sockets, _} = {?M:number_of(), descriptors()},
    Opened = [
        begin
            Call = xc:spawn_call(fun() -> [opened(N) || N <- lists:seq(1, 20)] end),
            length(xc:await(Call))
        end
     || _ <- lists:seq(1, 50)
    ],
    1000 = lists:sum(Opened),
    true = xc:until(fun() -> {?M:number_of(), descriptors()} =:= Before end),
    #{counters := #{num_sockets := Sockets}} = ?M:info(),
    works().

opened(N) when N rem 2 =:= 0 ->
    {Socket, _} = xs:udp(?B),
    {select, _} = ?M:recvfrom(Socket, 0, nowait),
    Socket;
opened(_) ->
    {L, _} = xs:listener(?B),
    {select, _} = ?M:accept(L, nowait),
    L.

descriptors() ->
    #{os_pid := Pid} = inetpy:info(),
    {ok, Names} = file:list_dir("/proc/" ++ integer_to_list(Pid) ++ "/fd"),
    length(Names).

%% 200 processes wait for one socket: each gets its part, in the order in which they came.
many_wait(_Config) ->
    {C, S} = xs:pair(?B),
    Parent = self(),
    Numbers = lists:seq(1, 200),
    [
        begin
            spawn_link(fun() -> Parent ! {N, ?M:recv(C, 1)} end),
            true = xc:until(fun() -> maps:get(num_readers, ?M:info(C)) =:= N end)
        end
     || N <- Numbers
    ],
    ok = ?M:send(S, << <<N>> || N <- Numbers >>),
    [receive {N, {ok, <<N>>}} -> ok after 5000 -> ct:fail({nothing, N}) end || N <- Numbers],
    0 = maps:get(num_readers, ?M:info(C)),
    works().

%% --- races -----------------------------------------------------------------

%% A process cancels at the moment when data comes: after that it gets no message, and the data is there.
cancelled_when_ready(_Config) ->
    {C, S} = xs:udp_pair(?B),
    [
        begin
            {select, Info} = ?M:recv(C, 0, nowait),
            Sender = xc:spawn_call(fun() -> ?M:send(S, "x") end),
            _ = [erlang:yield() || _ <- lists:seq(1, N rem 50)],
            ok = ?M:cancel(C, Info),
            ok = xc:await(Sender),
            {ok, <<"x">>} = ?M:recv(C, 0, 5000),
            receive {'$socket', C, _, _} = Message -> ct:fail({N, Message}) after 0 -> ok end,
            0 = maps:get(num_readers, ?M:info(C))
        end
     || N <- lists:seq(1, 500)
    ],
    works().

%% Another process closes the socket of a call that waits.
closed_elsewhere(_Config) ->
    {R, _} = xs:pair(?B),
    {W, _} = xs:pair(?B),
    {F, _} = xs:pair(?B),
    {L, _} = xs:listener(?B),
    {U, _} = xs:udp(?B),
    {ok, C} = ?M:open(inet, stream),
    To = xs:full_listener(?B),
    Path = large_file(),
    [
        begin
            Waiting = xc:spawn_call(Call),
            true = xc:until(fun() -> waits(What, Socket) end),
            ok = ?M:close(Socket),
            {What, {error, closed}} = {What, reason(xc:await(Waiting))}
        end
     || {What, Socket, Call} <- [
            {num_readers, R, fun() -> ?M:recv(R, 5) end}, {num_writers, W, fun() -> ?M:send(W, xc:fill(20000000)) end},
            {num_writers, F, fun() -> sent_file(F, Path) end}, {num_acceptors, L, fun() -> ?M:accept(L) end},
            {num_readers, U, fun() -> ?M:recvmsg(U) end}, {connecting, C, fun() -> ?M:connect(C, To) end}
        ]
    ],
    works().

waits(connecting, Socket) -> lists:member(connecting, maps:get(wstates, ?M:info(Socket)));
waits(What, Socket) -> maps:get(What, ?M:info(Socket)) > 0.

%% A socket that is sent to another node is none there, as one of OTP's.
on_another_node(_Config) ->
    {ok, Peer, Node} = peer:start_link(#{name => peer:random_name(), args => ["-pa" | code:get_path()]}),
    ok = erpc:call(Node, inetpy, start, []),
    Seen = [
        begin
            {ok, Socket} = M:open(inet, dgram),
            Seen = [
                try erpc:call(Node, M, Function, [Socket | Arguments])
                catch Class:{exception, Reason, _} -> {Class, Reason}
                end
             || {Function, Arguments} <- [
                    {recv, [0, 0]}, {send, ["x"]}, {sockname, []}, {close, []}, {getopt, [{otp, rcvbuf}]}, {cancel, [x]}
                ]
            ],
            ok = M:close(Socket),
            Seen
        end
     || M <- [socket, ?M]
    ],
    peer:stop(Peer),
    [Same, Same] = Seen,
    works().
