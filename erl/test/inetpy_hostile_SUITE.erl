%% One socket, one peer or one caller cannot harm all others. And a Python that stands still.
-module(inetpy_hostile_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    out_of_band/1, flood_and_neighbour/1, flood_and_memory/1, send_of_a_gigabyte/1,
    send_that_nobody_reads/1, feeder_dies/1, feeders_end/1, caller_of_feeder_dies/1, many_monitors/1, monitoring_process_dies/1,
    stopped_twice/1, stopped_recv/1, stopped_accept/1, stopped_connect/1, stopped_lookup/1, stopped_with_full_pipe/1,
    silence_is_logged/1, environment/1
]).
%% logger handler
-export([log/2]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).
-define(MEGABYTE, (1 bsl 20)).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        out_of_band, flood_and_neighbour, flood_and_memory, send_of_a_gigabyte,
        send_that_nobody_reads, feeder_dies, feeders_end, caller_of_feeder_dies, many_monitors, monitoring_process_dies,
        stopped_twice, stopped_recv, stopped_accept, stopped_connect, stopped_lookup, stopped_with_full_pipe, silence_is_logged, environment
    ].

init_per_testcase(_Case, Config) ->
    ok = inetpy:start(),
    #{bridge := Bridge} = inetpy:info(),
    [{bridge, Bridge} | Config].

%% The bridge must survive every case, except the one that restarts it.
end_per_testcase(environment, _Config) ->
    inetpy:stop();
end_per_testcase(_Case, Config) ->
    Bridge = proplists:get_value(bridge, Config),
    case inetpy:info() of
        #{bridge := Bridge} -> inetpy:stop();
        Other -> {fail, {the_bridge_died, Other}}
    end.

%% --- peers -------------------------------------------------------------------

%% A peer sends bytes out of band, by a unix socket and by TCP. The results are those of stock sockets.
out_of_band(_Config) ->
    [
        begin
            Stock = bytes_out_of_band(Family, [{inet_backend, inet}], Size, Ask),
            Stock = bytes_out_of_band(Family, [{tcp_module, module(Family)}], Size, Ask)
        end
     || Family <- [local, inet], Size <- [1000, 65536, 100000], Ask <- [0, 20000, Size]
    ],
    works().

module(local) -> inetpy_local_tcp;
module(inet) -> inetpy_tcp.

bytes_out_of_band(Family, Options, Size, Ask) ->
    {L, Address} = listen(Family, Options),
    {ok, P} = socket:open(Family, stream),
    ok = socket:connect(P, Address),
    {ok, S} = gen_tcp:accept(L, 5000),
    _ = [ok = file:delete(Path) || #{path := Path} <- [Address]],
    ok = gen_tcp:close(L),
    ok = inet:setopts(S, [{buffer, 100000}]),
    ok = socket:send(P, binary:copy(<<"x">>, Size div 2)),
    ok = send_all(P, binary:copy(<<"y">>, Size div 2), [oob]),
    First = gen_tcp:recv(S, Ask, 200),
    ok = socket:send(P, <<"behind">>),
    ok = socket:close(P),
    {sized(First), rest(S, 0)}.

listen(local, Options) ->
    Path = "/tmp/inetpy_hostile_" ++ integer_to_list(erlang:unique_integer([positive])) ++ os:getpid(),
    {ok, L} = gen_tcp:listen(0, Options ++ [local, {ip, {local, Path}}, binary, {active, false}]),
    {L, #{family => local, path => Path}};
listen(inet, Options) ->
    {ok, L} = gen_tcp:listen(0, Options ++ [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    {L, #{family => inet, addr => ?LOOPBACK, port => Port}}.

send_all(P, Data, Flags) ->
    case socket:send(P, Data, Flags) of
        {ok, Rest} -> send_all(P, Rest, Flags);
        Result -> Result
    end.

sized({ok, Data}) -> {ok, byte_size(Data)};
sized(Error) -> Error.

%% How many bytes come until the end, and the error of the end.
rest(S, Size) ->
    case gen_tcp:recv(S, 0, 200) of
        {ok, More} -> rest(S, Size + byte_size(More));
        {error, Reason} -> {Size, Reason}
    end.

%% --- floods ------------------------------------------------------------------

%% While a socket delivers 300,000 packets from its buffer, other sockets are answered.
flood_and_neighbour(_Config) ->
    Packets = 300000,
    {Flooded, Flooder} = pair([{packet, 1}, {buffer, 4 * ?MEGABYTE}, {recbuf, 4 * ?MEGABYTE}], []),
    {Neighbour, Echo} = pair([], []),
    Test = self(),
    Owner = spawn_link(fun() -> count(Test, Packets, 0) end),
    ok = gen_tcp:controlling_process(Flooded, Owner),
    ok = gen_tcp:send(Flooder, binary:copy(<<0>>, Packets)),
    Setter = xc:spawn_call(fun() -> inet:setopts(Flooded, [{active, true}]) end),
    receive first -> ok end,
    [
        begin
            ok = gen_tcp:send(Neighbour, "ping"),
            {ok, <<"ping">>} = gen_tcp:recv(Echo, 4, 5000)
        end
     || _ <- lists:seq(1, 20)
    ],
    Owner ! {how_many, self()},
    receive {so_many, Count} when Count < Packets -> ct:pal("~b of ~b packets before 20 echoes", [Count, Packets]) end,
    receive {all, Packets} -> ok after 60000 -> ct:fail(packets_are_missing) end,
    ok = xc:await(Setter).

count(Test, Packets, N) ->
    receive
        {tcp, _, <<>>} ->
            _ = [Test ! first || N =:= 0],
            _ = [Test ! {all, Packets} || N + 1 =:= Packets],
            count(Test, Packets, N + 1);
        {how_many, From} ->
            From ! {so_many, N},
            count(Test, Packets, N)
    end.

%% Such a flood costs Python little memory.
flood_and_memory(_Config) ->
    {Flooded, Flooder} = pair([{packet, 1}, {buffer, 4 * ?MEGABYTE}, {recbuf, 4 * ?MEGABYTE}], []),
    Before = python_memory(),
    ok = gen_tcp:send(Flooder, [binary:copy(<<0>>, 300000), 3, "end"]),
    ok = inet:setopts(Flooded, [{active, true}]),
    _ = xc:messages(fun({tcp, _, Data}) -> Data =:= <<"end">> end, 30000),
    Grown = python_memory() - Before,
    ct:pal("Python's largest size grew by ~b kB", [Grown]),
    true = Grown < 64 * 1024.

%% --- large sends -------------------------------------------------------------

%% A send that is larger than the largest frame.
send_of_a_gigabyte(_Config) ->
    Size = 1100 * ?MEGABYTE,
    {S, P} = pair([], []),
    Reader = spawn_monitor(fun() -> receive {read, Peer} -> exit({read, drain(Peer, 0)}) end end),
    ok = gen_tcp:controlling_process(P, element(1, Reader)),
    element(1, Reader) ! {read, P},
    ok = gen_tcp:send(S, binary:copy(<<0>>, Size)),
    ok = gen_tcp:close(S),
    {read, Size} = receive {'DOWN', _, process, _, Reason} -> Reason end,
    %% the same size for a datagram and for a raw option
    Huge = binary:copy(<<0>>, 1 bsl 30),
    {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
    {error, emsgsize} = gen_udp:send(U, ?LOOPBACK, 9, Huge),
    ok = inet:setopts(U, [{raw, 1, 2, Huge}]),
    ok = gen_udp:close(U),
    works().

drain(Peer, Size) ->
    case gen_tcp:recv(Peer, ?MEGABYTE) of
        {ok, Data} -> drain(Peer, Size + byte_size(Data));
        {error, closed} -> Size
    end.

%% The bytes stay with the node. Python and the emulator need little memory besides.
send_that_nobody_reads(_Config) ->
    Size = 200 * ?MEGABYTE,
    {S, P} = pair([], []),
    Data = binary:copy(<<"abcdefgh">>, Size div 8),
    Python = python_memory(),
    Emulator = memory(os:getpid(), "VmRSS"),
    ok = gen_tcp:send(S, Data),
    {ok, [{send_pend, Pending}]} = inet:getstat(S, [send_pend]),
    true = Pending > Size div 2,
    {ok, _} = gen_tcp:recv(P, ?MEGABYTE, 5000),
    Grown = {python_memory() - Python, memory(os:getpid(), "VmRSS") - Emulator},
    ct:pal("grown, in kB: {Python, emulator} = ~p", [Grown]),
    true = element(1, Grown) < 32 * 1024,
    true = element(2, Grown) < 64 * 1024,
    Received = lists:sum([byte_size(element(2, {ok, _} = gen_tcp:recv(P, ?MEGABYTE, 5000))) || _ <- lists:seq(2, 200)]),
    Size = Received + ?MEGABYTE,
    {ok, [{send_pend, 0}]} = inet:getstat(S, [send_pend]),
    true = byte_size(Data) =:= Size.

%% The feeder of a large send is killed: the connection ends in the middle of the data.
feeder_dies(_Config) ->
    {S, P} = pair([{active, true}], []),
    Before = processes(),
    ok = gen_tcp:send(S, binary:copy(<<0>>, 50 * ?MEGABYTE)),
    true = xc:until(fun() -> feeders(Before) =/= [] end),
    [exit(Pid, kill) || Pid <- feeders(Before)],
    {tcp_closed, S} = xc:next(),
    {error, closed} = gen_tcp:recv(P, 50 * ?MEGABYTE, 10000),
    works().

feeders(Before) ->
    [Pid || Pid <- processes() -- Before, {current_function, {inetpy_request, feed, _}} <- [process_info(Pid, current_function)]].

%% Whatever becomes of a large send, its feeder ends.
feeders_end(_Config) ->
    Before = processes(),
    Huge = binary:copy(<<0>>, 20 * ?MEGABYTE),
    Ways = [
        fun(S, P) -> ok = gen_tcp:send(S, Huge), {ok, _} = gen_tcp:recv(P, byte_size(Huge), 10000) end,
        fun(S, P) -> ok = gen_tcp:send(S, Huge), ok = gen_tcp:close(P) end,
        fun(S, _) -> ok = gen_tcp:send(S, Huge), {error, timeout} = gen_tcp:send(S, Huge) end,
        fun(S, _) -> ok = gen_tcp:close(S), {error, closed} = gen_tcp:send(S, Huge) end,
        fun(S, _) -> ok = gen_tcp:shutdown(S, write), {error, closed} = gen_tcp:send(S, Huge) end,
        fun(S, _) -> ok = inet:setopts(S, [{linger, {true, 0}}]), ok = gen_tcp:send(S, Huge), ok = gen_tcp:close(S) end
    ],
    [
        begin
            {S, P} = pair([{send_timeout, 50}], []),
            Way(S, P),
            _ = inet:setopts(P, [{linger, {true, 0}}]),
            ok = gen_tcp:close(P),
            true = xc:until(fun() -> feeders(Before) =:= [] end),
            _ = inet:setopts(S, [{linger, {true, 0}}]),
            ok = gen_tcp:close(S)
        end
     || Way <- Ways
    ],
    works().

%% The caller of a large send is killed before Python has answered. A connection gets all of the data. On a socket
%% that refuses the send, the feeder ends.
caller_of_feeder_dies(_Config) ->
    Huge = binary:copy(<<0>>, 20 * ?MEGABYTE),
    {S, P} = pair([], []),
    {ok, L} = gen_tcp:listen(0, ?INETPY),
    {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
    {ok, Closed} = gen_tcp:listen(0, ?INETPY),
    ok = gen_tcp:close(Closed),
    Before = processes(),
    [
        begin
            Stopped = stop_python(),
            {Caller, Ref} = xc:spawn_call(fun() -> inetpy_request:send(Socket, Huge) end),
            true = xc:until(fun() -> feeders(Before) =/= [] end),
            exit(Caller, kill),
            receive {'DOWN', Ref, process, Caller, killed} -> ok end,
            resume_python(Stopped),
            _ = [{ok, _} = gen_tcp:recv(P, byte_size(Huge), 10000) || Socket =:= S],
            true = xc:until(fun() -> feeders(Before) =:= [] end)
        end
     || Socket <- [L, U, Closed, S]
    ],
    works().

%% --- monitors ----------------------------------------------------------------

%% The cost of cancelling a monitor does not grow with the number of monitors. The cost is counted in reductions.
many_monitors(Config) ->
    Bridge = proplists:get_value(bridge, Config),
    {S, P} = pair([], []),
    Cost = fun(Count) ->
        Refs = [inet:monitor(S) || _ <- lists:seq(1, Count)],
        Before = reductions(Bridge),
        [true = inet:cancel_monitor(Ref) || Ref <- Refs],
        (reductions(Bridge) - Before) / Count
    end,
    Few = Cost(200),
    Many = Cost(12000),
    ct:pal("reductions for a monitor among 200: ~w, among 12,000: ~w", [Few, Many]),
    true = Many < 5 * Few,
    false = inet:cancel_monitor(make_ref()),
    Last = inet:monitor(S),
    ok = gen_tcp:close(S),
    {'DOWN', Last, port, S, _} = xc:next(),
    gen_tcp:close(P).

reductions(Pid) ->
    {reductions, Count} = process_info(Pid, reductions),
    Count.

%% The monitors that a process has of sockets end with the process.
monitoring_process_dies(Config) ->
    Bridge = proplists:get_value(bridge, Config),
    {S, _} = pair([], []),
    Size = fun() -> xc:map_sizes(sys:get_state(Bridge)) end,
    Before = Size(),
    {Pid, Ref} = spawn_monitor(fun() -> [inet:monitor(S) || _ <- lists:seq(1, 50)] end),
    receive {'DOWN', Ref, process, Pid, normal} -> ok end,
    true = xc:until(fun() -> Size() =:= Before end).

%% --- Python stands still ------------------------------------------------------

%% A caller with a timeout gets its answer, and no byte is lost.
stopped_recv(_Config) ->
    {S, P} = pair([], []),
    {ok, U} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(U),
    {ok, Peer} = gen_udp:open(0, [{inet_backend, inet}]),
    %% one caller waits already, the others call while Python stands still
    Waiting = xc:spawn_call(fun() -> timed(fun() -> gen_tcp:recv(S, 0, 1000) end) end),
    {W, Q} = pair([], []),
    true = xc:until(fun() -> waits(element(1, Waiting)) end),
    Stopped = stop_python(),
    ok = gen_tcp:send(P, "late"),
    ok = gen_tcp:send(Q, "late"),
    ok = gen_udp:send(Peer, ?LOOPBACK, Port, "late"),
    Calls = [xc:spawn_call(fun() -> timed(Call) end) || Call <- [
        fun() -> gen_tcp:recv(W, 0, 500) end, fun() -> gen_tcp:recv(W, 4, 0) end, fun() -> gen_udp:recv(U, 0, 300) end
    ]],
    [{{error, timeout}, true} = xc:await(Call, 20000) || Call <- [Waiting | Calls]],
    resume_python(Stopped),
    [{ok, <<"late">>} = gen_tcp:recv(Socket, 0, 5000) || Socket <- [S, W]],
    {ok, {_, _, <<"late">>}} = gen_udp:recv(U, 0, 5000),
    nothing = xc:next(0).

%% Python stands still for a part of a timeout, and again when the timeout has passed. The timeout counts from the
%% call. Data that comes after it is for the next recv.
stopped_twice(_Config) ->
    {S, P} = pair([], []),
    Stopped = stop_python(),
    Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 2000) end),
    timer:sleep(1500),
    resume_python(Stopped),
    timer:sleep(100),
    Stopped = stop_python(),
    {error, timeout} = xc:await(Call, 20000),
    ok = gen_tcp:send(P, "late"),
    resume_python(Stopped),
    {ok, <<"late">>} = gen_tcp:recv(S, 0, 5000).

%% A connection that comes while Python stands still is for the next accept.
stopped_accept(_Config) ->
    {ok, L} = gen_tcp:listen(0, ?INETPY),
    {ok, Port} = inet:port(L),
    Waiting = xc:spawn_call(fun() -> timed(fun() -> gen_tcp:accept(L, 700) end) end),
    true = xc:until(fun() -> waits(element(1, Waiting)) end),
    Stopped = stop_python(),
    {ok, P} = gen_tcp:connect(?LOOPBACK, Port, [{inet_backend, inet}, binary, {active, false}]),
    Late = xc:spawn_call(fun() -> timed(fun() -> gen_tcp:accept(L, 500) end) end),
    [{{error, timeout}, true} = xc:await(Call, 20000) || Call <- [Waiting, Late]],
    resume_python(Stopped),
    {ok, S} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(P, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(S, 5, 5000).

%% A connection whose caller has given up is closed.
stopped_connect(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{inet_backend, inet}, binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    Stopped = stop_python(),
    {{error, timeout}, true} = timed(fun() -> gen_tcp:connect(?LOOPBACK, Port, ?INETPY, 700) end),
    resume_python(Stopped),
    works(),
    true = xc:until(fun() -> inetpy:which_sockets() =:= [] end),
    case gen_tcp:accept(L, 0) of
        {error, timeout} -> ok;
        {ok, S} -> {error, closed} = gen_tcp:recv(S, 0, 5000)
    end.

stopped_lookup(_Config) ->
    Stopped = stop_python(),
    {{error, timeout}, true} = timed(fun() -> inetpy_inet:getaddr("localhost", inet, 500) end),
    resume_python(Stopped),
    {ok, ?LOOPBACK} = inetpy_inet:getaddr("localhost", inet, 5000).

%% A call with a timeout ends in time even when the pipe to Python is full.
stopped_with_full_pipe(_Config) ->
    {S, P} = pair([], []),
    {W, _} = pair([], []),
    Stopped = stop_python(),
    Senders = [xc:spawn_call(fun() -> gen_tcp:send(S, binary:copy(<<0>>, ?MEGABYTE)) end) || _ <- lists:seq(1, 20)],
    {ok, _, Port} = inetpy_bridge:where(1, infinity),
    true = xc:until(fun() -> not port_command(Port, term_to_binary({ping, 0}), [nosuspend]) end),
    {{error, timeout}, true} = timed(fun() -> gen_tcp:recv(W, 0, 500) end),
    resume_python(Stopped),
    {ok, _} = gen_tcp:recv(P, 20 * ?MEGABYTE, 20000),
    [ok = xc:await(Sender, 20000) || Sender <- Senders],
    {error, timeout} = gen_tcp:recv(W, 0, 10).

%% A Python that has not answered for five seconds is logged, once. So is its next answer.
silence_is_logged(_Config) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => #{test => self()}, level => notice}),
    Stopped = stop_python(),
    {log, warning, Silent} = receive {log, _, _} = First -> First after 20000 -> nothing end,
    resume_python(Stopped),
    {log, notice, Back} = receive {log, _, _} = Second -> Second after 20000 -> nothing end,
    ok = logger:remove_handler(?MODULE),
    {match, _} = re:run(Silent, "has not answered for [5-9] s"),
    {match, _} = re:run(Back, "answers again").

log(#{level := Level, msg := {Format, Arguments}, meta := #{application := inetpy}}, #{config := #{test := Test}}) ->
    Test ! {log, Level, lists:flatten(io_lib:format(Format, Arguments))};
log(_, _) ->
    ok.

%% Python gets only a part of the node's environment.
environment(_Config) ->
    true = os:putenv("SECRET_OF_THE_NODE", "1"),
    true = os:putenv("WANTED_BY_PYTHON", "1"),
    true = os:putenv("INETPY_ENVIRONMENT", "WANTED_BY_PYTHON,SOMETHING_ELSE"),
    ok = inetpy:stop(),
    ok = inetpy:start(),
    #{os_pid := OsPid} = inetpy:info(),
    {ok, Data} = file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/environ"),
    Names = [hd(binary:split(Pair, <<"=">>)) || Pair <- binary:split(Data, <<0>>, [global])],
    [true = os:unsetenv(Name) || Name <- ["SECRET_OF_THE_NODE", "WANTED_BY_PYTHON", "INETPY_ENVIRONMENT"]],
    [true, true, true, false, false] = [
        lists:member(Name, Names)
     || Name <- [<<"PATH">>, <<"INETPY_BRIDGES">>, <<"WANTED_BY_PYTHON">>, <<"SECRET_OF_THE_NODE">>, <<"ROOTDIR">>]
    ].

%% --- tools -------------------------------------------------------------------

%% {Socket of inetpy, its peer on inet}
pair(Options, PeerOptions) ->
    {ok, L} = gen_tcp:listen(0, [{inet_backend, inet}, binary, {active, false}, {ip, ?LOOPBACK} | PeerOptions]),
    {ok, Port} = inet:port(L),
    {ok, S} = gen_tcp:connect(?LOOPBACK, Port, ?INETPY ++ Options),
    {ok, P} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:close(L),
    {S, P}.

works() ->
    {S, P} = pair([], []),
    ok = gen_tcp:send(S, "works"),
    {ok, <<"works">>} = gen_tcp:recv(P, 5, 5000),
    ok = gen_tcp:close(S).

%% {Result, whether the call ended in time}.
timed(Call) ->
    {Time, Result} = timer:tc(Call),
    {Result, Time < 10000000}.

waits(Pid) ->
    {status, waiting} =:= process_info(Pid, status).

stop_python() ->
    #{os_pid := OsPid} = inetpy:info(),
    [] = os:cmd("kill -STOP " ++ integer_to_list(OsPid)),
    OsPid.

resume_python(OsPid) ->
    [] = os:cmd("kill -CONT " ++ integer_to_list(OsPid)),
    ok.

python_memory() ->
    #{os_pid := OsPid} = inetpy:info(),
    memory(integer_to_list(OsPid), "VmHWM").

%% In kB.
memory(OsPid, Field) ->
    {ok, Text} = file:read_file("/proc/" ++ OsPid ++ "/status"),
    {match, [Size]} = re:run(Text, Field ++ ":\\s*(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Size).
