%% Runs the jobs of the demo and of the benchmark, and reports on standard output,
%% a line of words each, for a program that shows them: bridge/inetpy/tools/report.py.
%%
%%   progress JOB DONE ALL        result JOB NUMBER [TEXT]
-module(inetpy_report).

-export([demo/1, bench/1]).

-define(ECHO_CLIENTS, 200).
-define(ECHO_SIZE, 40000).
-define(MANY, 10000).

%% PORT and PATH of the file to download, and its SHA-256 in hexadecimal.
-spec demo([string()]) -> no_return().
demo([Port, Path, Sha256]) ->
    started(),
    Expected = binary:decode_hex(list_to_binary(Sha256)),
    lists:foreach(
        fun(Name) ->
            Backend = inetpy_jobs:backend(Name),
            job(download, Name, fun(Progress) ->
                {Expected, Size} = inetpy_jobs:download(Backend, list_to_integer(Port), Path, Progress),
                Size
            end),
            job(echo, Name, fun(Progress) ->
                inetpy_jobs:echo_clients(Backend, ?ECHO_CLIENTS, ?ECHO_SIZE, Progress)
            end)
        end,
        [inetpy, inet]
    ),
    halt(0).

job(Job, Name, Fun) ->
    Label = label(Job, Name),
    Parent = self(),
    put(shown, -1),
    Progress = fun(Done, All) ->
        Percent = 100 * Done div max(1, All),
        case self() =:= Parent andalso get(shown) =/= Percent of
            true ->
                put(shown, Percent),
                say("progress ~s ~b ~b", [Label, Done, All]);
            false ->
                ok
        end
    end,
    {Time, Amount} = timer:tc(fun() -> Fun(Progress) end),
    say("result ~s ~b ~b", [Label, Time, Amount]).

%% Rounds of the benchmark jobs that give one of the results asked for; what each means is in bench.py.
-spec bench([string()]) -> no_return().
bench([Rounds, Python, EchoProgram, Asked]) ->
    started(),
    Wanted = string:lexemes(Asked, ","),
    Jobs = [Job || {Names, _} = Job <- jobs(Python, EchoProgram), Names -- Wanted =/= Names],
    All = (list_to_integer(Rounds) + 1) * length(Jobs),
    lists:foldl(
        fun({Round, {Names, Fun}}, Done) ->
            %% The first run of each job warms up what it uses, and does not count.
            Results = lists:zip(Names, by_itself(Fun)),
            _ = [say("result ~s ~.3f", [Name, float(Result)]) || {Name, Result} <- Results, Round > 0],
            say("progress bench ~b ~b", [Done + 1, All]),
            Done + 1
        end,
        0,
        [{Round, Job} || Round <- lists:seq(0, list_to_integer(Rounds)), Job <- Jobs]
    ),
    halt(0).

%% What a fun returns, in a process of its own. Messages that a job leaves behind, late datagrams say,
%% would make the next ones slower: a send of inet_drv looks through the mailbox for its answer.
by_itself(Fun) ->
    Parent = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Parent ! {self(), Fun()} end),
    receive
        {'DOWN', Monitor, process, Pid, normal} -> receive {Pid, Result} -> Result end;
        {'DOWN', Monitor, process, Pid, Reason} -> exit(Reason)
    end.

%% Each job has the names of its results, and a fun that gives them.
jobs(Python, EchoProgram) ->
    Inet = inetpy_jobs:backend(inet),
    Ours = inetpy_jobs:backend(inetpy),
    Tcp = {Inet, Ours},
    Udp = {inetpy_jobs:udp_backend(inet), inetpy_jobs:udp_backend(inetpy)},
    Server = echo_server(Python, EchoProgram),
    Bare = {Python, filename:join(filename:dirname(EchoProgram), "bare_port.py")},
    Remote = spawn_link(fun() -> remote(Python, EchoProgram) end),
    Receive = fun(Reads, Count) -> fun(Backend) -> inetpy_jobs:bulk(Inet, Backend, Count, Reads) end end,
    Out = fun(Processes, Size, Count) ->
        fun(Backend) -> inetpy_jobs:datagrams_out(Backend, Processes, Size, Count) end
    end,
    lists:append([
        one("floor", fun() -> echo_port(Python, EchoProgram, 64, 5000) end),
        one("remote", fun() -> remote_calls(Remote, 2000) end),
        one("call", fun() -> inetpy_jobs:calls(Ours, 5000) end),
        both("client", Tcp, fun(Backend) -> inetpy_jobs:echo_client(Backend, Server, 64, 3000) end),
        both("echo", Tcp, fun(Backend) -> inetpy_jobs:ping_pong(Backend, 64, 3000) end),
        both("once", Tcp, fun(Backend) ->
            inetpy_jobs:ping_pong({Inet, passive}, {Backend, once}, 64, 3000)
        end),
        both("once2", Tcp, fun(Backend) ->
            inetpy_jobs:ping_pong({Backend, once}, {Backend, once}, 64, 3000)
        end),
        both("flooded", Tcp, fun(Backend) -> inetpy_floods:chunks(Backend, 500) end),
        both("unread", Tcp, fun(Backend) -> inetpy_floods:unread(Backend, 100) end),
        one("once2.sends", fun() -> inetpy_floods:sends(Ours, 1000) end),
        one("once2.datagrams", fun() -> inetpy_floods:datagrams(Ours, element(2, Udp), 1000) end),
        both("receive", Tcp, Receive(chunks, 3000)),
        both("active", Tcp, Receive(active, 3000)),
        both("once64k", Tcp, Receive({once, 65536}, 3000)),
        one("once64k.bare", fun() -> inetpy_bare:receives(Bare, 65536, 4 * 65536, 3000) end),
        both("once1k", Tcp, Receive({once, 1024}, 200)),
        both("recv0", Tcp, Receive(default, 300)),
        one("recv0.bare", fun() -> inetpy_bare:receives(Bare, 1460, default, 300) end),
        one("recv0.call", fun() -> 1460 / inetpy_jobs:bulk(Inet, Ours, 300, default) end),
        both("setopts", Tcp, fun(Backend) -> inetpy_jobs:setopts_once(Backend, 10000) end),
        both("pipelined", Tcp, fun(Backend) -> inetpy_jobs:pipelined(Backend, 20, 500) end),
        one("pipelined.bare", fun() -> inetpy_bare:pipelined(Bare, 20, 500) end),
        one("send.inetpy", fun() -> inetpy_jobs:bulk(Ours, Inet, 3000, chunks) end),
        one("both.inetpy", fun() -> inetpy_jobs:bulk(Ours, Ours, 3000, chunks) end),
        both("sends", Tcp, fun(Backend) -> inetpy_jobs:sends(Backend, 100, 10000) end),
        both("in100", Udp, fun(Backend) -> inetpy_jobs:datagrams_in(Backend, 100, 20000) end),
        both("in1400", Udp, fun(Backend) -> inetpy_jobs:datagrams_in(Backend, 1400, 20000) end),
        both("read100", Udp, fun(Backend) -> inetpy_jobs:datagrams_read(Backend, 100, 10000) end),
        one("read100.call", fun() -> 1.0e6 / inetpy_jobs:datagrams_read(element(2, Udp), 100, 10000) end),
        both("out100", Udp, Out(8, 100, 20000)),
        both("out1400", Udp, Out(8, 1400, 20000)),
        both("alone100", Udp, Out(1, 100, 10000)),
        both("connections", Tcp, fun(Backend) -> inetpy_jobs:connections(Backend, 500) end),
        one("connections.bare", fun() -> inetpy_bare:connections(Bare, 500) end),
        sockets("echo", fun(Backend) -> inetpy_socket_jobs:ping_pong(Backend, 64, 3000) end),
        sockets("selects", fun(Backend) -> inetpy_socket_jobs:selects(Backend, 3000) end),
        one("socket.selects.bare", fun() -> inetpy_bare:selects(Bare, 3000) end),
        sockets("receive", fun(Backend) -> inetpy_socket_jobs:bulk(socket, Backend, 3000) end),
        one("socket.send.inetpy", fun() -> inetpy_socket_jobs:bulk(inetpy_socket, socket, 3000) end),
        one("socket.both.inetpy", fun() -> inetpy_socket_jobs:bulk(inetpy_socket, inetpy_socket, 3000) end),
        sockets("connections", fun(Backend) -> inetpy_socket_jobs:connections(Backend, 500) end),
        one("rules.none", fun() -> half(Inet, Ours) end),
        one("rules.one", fun() -> with_rules([#{}], fun() -> half(Inet, Ours) end) end),
        one("rules.others", fun() -> with_rules(others(), fun() -> half(Inet, Ours) end) end),
        one("traced.echo", fun() -> traced(fun() -> half(Inet, Ours) end) end),
        one("rules.connections", fun() -> with_rules(others(), fun() -> inetpy_jobs:connections(Ours, 500) end) end),
        one("idle", fun() -> idle(1000) end),
        one("start", fun start_up/0),
        one("bridges.1", fun() -> inetpy_jobs:together(Ours, 8, 64, 500) end),
        one("packets.1", fun() -> inetpy_jobs:packets(Ours, 8, 3000) end),
        [{["bridges.2", "packets.2"], fun() -> two_bridges(Ours) end}],
        %% Of these both ends are this node's, which may not have twice as many descriptors.
        one("open.inet", fun() -> element(1, inetpy_jobs:scale(Inet, ?MANY div 2, fun() -> ok end)) end),
        [{["open.inetpy", "many.memory", "many.busy", "many.alone", "many.among"], fun() -> scale(Ours) end}],
        [{["memory.echo", "memory.open", "memory.one", "memory.among"], fun() -> in_memory(Ours, EchoProgram) end}]
    ]).

one(Name, Fun) -> [{[Name], fun() -> [Fun()] end}].

both(Name, {Inet, Ours}, Fun) ->
    one(Name ++ ".inet", fun() -> Fun(Inet) end) ++ one(Name ++ ".inetpy", fun() -> Fun(Ours) end).

%% The same for `socket` and inetpy_socket.
sockets(Name, Fun) ->
    one("socket." ++ Name ++ ".otp", fun() -> Fun(socket) end) ++
        one("socket." ++ Name ++ ".inetpy", fun() -> Fun(inetpy_socket) end).

%% A round trip of which one end is Python's: one send and one recv.
half(Inet, Ours) -> inetpy_jobs:ping_pong({Inet, passive}, {Ours, passive}, 64, 3000).

%% With rules that hold and do nothing.
with_rules(Whoms, Fun) ->
    _ = [{ok, _} = inetpy_fault:add(Whom, {latency, #{ms => 0}}) || Whom <- Whoms],
    try
        Fun()
    after
        inetpy_fault:reset()
    end.

%% With a trace in memory of all calls and bytes.
traced(Fun) ->
    {ok, Trace} = inetpy_trace:start(),
    try
        Fun()
    after
        ok = inetpy_trace:stop(Trace)
    end.

%% A thousand sockets that are not there: half of them as ports, half of them as networks.
others() ->
    [#{port => N} || N <- lists:seq(1, 500)] ++
        [#{peer => <<"10.", (integer_to_binary(N))/binary, ".0.0/16">>} || _ <- [1, 2], N <- lists:seq(1, 250)].

%% Milliseconds from inetpy:start/0 to the first socket.
start_up() ->
    ok = inetpy:stop(),
    {Time, {ok, Socket}} = timer:tc(fun() ->
        started(),
        gen_tcp:listen(0, inetpy:tcp_options([]))
    end),
    ok = gen_tcp:close(Socket),
    Time / 1000.

%% The same as bridges.1 and packets.1.
two_bridges(Backend) ->
    ok = inetpy:stop(),
    ok = inetpy:start(#{bridges => 2}),
    Results = [inetpy_jobs:together(Backend, 8, 64, 500), inetpy_jobs:packets(Backend, 8, 3000)],
    ok = inetpy:stop(),
    ok = inetpy:start(#{bridges => 1}),
    Results.

%% Many connections on one bridge: how fast they are opened, the kilobytes that each takes, the
%% processor's share in percent while they are idle, and a round trip of one pair among them
%% beside one alone.
scale(Backend) ->
    ok = inetpy:stop(),
    started(),
    #{os_pid := OsPid} = inetpy:info(),
    Alone = inetpy_jobs:ping_pong(Backend, 64, 1000),
    Before = resident(OsPid),
    {Rate, {Memory, Busy, Among}} = inetpy_jobs:scale(Backend, ?MANY, fun() ->
        Memory = (resident(OsPid) - Before) / ?MANY,
        Start = ticks(OsPid),
        timer:sleep(2000),
        Busy = (ticks(OsPid) - Start) / 2,
        {Memory, Busy, inetpy_jobs:ping_pong(Backend, 64, 1000)}
    end),
    [Rate, Memory, Busy, Alone, Among].

%% A server in memory, in Python: a round trip, how fast many connections are opened, the kilobytes that both ends of
%% each take, and a round trip among them.
in_memory(Backend, EchoProgram) ->
    Network = filename:join(filename:dirname(EchoProgram), "bench_network.py"),
    ok = inetpy:stop(),
    true = os:putenv("INETPY_NETWORK", Network),
    started(),
    true = os:unsetenv("INETPY_NETWORK"),
    #{os_pid := OsPid} = inetpy:info(),
    Echo = fun() -> inetpy_jobs:echo_client(Backend, 1, 64, 3000) end,
    Alone = Echo(),
    Before = resident(OsPid),
    {Rate, {Memory, Among}} = inetpy_jobs:open(Backend, 1, ?MANY, fun() ->
        {(resident(OsPid) - Before) / ?MANY, Echo()}
    end),
    ok = inetpy:stop(),
    started(),
    [Alone, Rate, Memory, Among].

%% Hundredths of a second that a process has had of the processor.
ticks(OsPid) ->
    {ok, Stat} = file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/stat"),
    [_, Behind] = binary:split(Stat, <<") ">>),
    Words = binary:split(Behind, <<" ">>, [global]),
    binary_to_integer(lists:nth(12, Words)) + binary_to_integer(lists:nth(13, Words)).

%% The port of an echo server in a Python program of its own; it ends with this node.
echo_server(Python, Program) ->
    Port = open_port({spawn_executable, Python}, [{args, ["-S", "-E", Program, "tcp"]}, {line, 80}]),
    receive {Port, {data, {eol, Number}}} -> list_to_integer(Number) end.

%% Calls of a Python function as erlport makes them: by a server that owns the port.
remote_calls(Remote, Count) ->
    Call = fun(_) -> [1, 2, 3] = gen_server:call(Remote, {call, operator, add, [1, 2, 3]}) end,
    lists:foreach(Call, lists:seq(1, Count div 10)),
    {Time, ok} = timer:tc(fun() -> lists:foreach(Call, lists:seq(1, Count)) end),
    Time / Count.

remote(Python, Program) ->
    Port = open_port({spawn_executable, Python}, [{args, [Program, "terms"]}, {packet, 4}, binary]),
    remote_loop(Port, #{}, 1).

remote_loop(Port, Waiting, Id) ->
    receive
        {'$gen_call', From, {call, Module, Function, Arguments}} ->
            true = port_command(Port, term_to_binary({call, Id, Module, Function, Arguments})),
            remote_loop(Port, Waiting#{Id => From}, Id + 1);
        {Port, {data, Frame}} ->
            {reply, Answered, Result} = binary_to_term(Frame),
            gen_server:reply(maps:get(Answered, Waiting), Result),
            remote_loop(Port, maps:remove(Answered, Waiting), Id)
    end.

%% Kilobytes for each of the sockets of Count connections, both ends of them, in a
%% Python process that has just started: later it has memory to use again.
idle(Count) ->
    ok = inetpy:stop(),
    started(),
    #{os_pid := OsPid} = inetpy:info(),
    inetpy_jobs:idle(Count, fun() -> resident(OsPid) end) / (2 * Count).

%% The floor: a port program that gives every frame back.
echo_port(Python, Program, Size, Count) ->
    Port = open_port({spawn_executable, Python}, [{args, ["-S", "-E", Program]}, {packet, 4}, binary]),
    Data = rand:bytes(Size),
    Trip = fun() ->
        true = port_command(Port, Data),
        receive {Port, {data, Data}} -> ok end
    end,
    lists:foreach(fun(_) -> Trip() end, lists:seq(1, Count div 10)),
    {Time, ok} = timer:tc(fun() -> lists:foreach(fun(_) -> Trip() end, lists:seq(1, Count)) end),
    true = port_close(Port),
    Time / Count.

%% Kilobytes that a process has in memory.
resident(OsPid) ->
    {ok, Status} = file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/status"),
    {match, [Size]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, [1], list}]),
    list_to_integer(Size).

started() ->
    case inetpy:start() of
        ok ->
            ok;
        {error, Reason} ->
            io:format(standard_error, "inetpy does not start: ~tp~n", [Reason]),
            halt(1)
    end.

label(Job, Name) -> atom_to_list(Job) ++ "." ++ atom_to_list(Name).

say(Format, Arguments) ->
    io:format(Format ++ "~n", Arguments).
