%% Jobs of the benchmark: an echo of 64 bytes, while others keep the backend busy.
-module(inetpy_floods).

-export([chunks/2, unread/2, sends/2, datagrams/3]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(ECHO, 64).  % bytes
-define(SMALL, 100).
-define(CHUNK, 65536).

%% Count round trips while another connection of the backend carries all it can: microseconds each.
-spec chunks(inetpy_jobs:backend(), pos_integer()) -> float().
chunks(Backend, Count) ->
    {Source, Sink} = inetpy_jobs:pair(Backend, Backend, [{buffer, ?CHUNK}]),
    while(carried(Source, rand:bytes(?CHUNK), Sink), fun() -> inetpy_jobs:ping_pong(Backend, ?ECHO, Count) end).

%% The same while a peer sends lines to an active socket of the backend, whose owner does not read them.
-spec unread(inetpy_jobs:backend(), pos_integer()) -> float().
unread(Backend, Count) ->
    {Source, Sink} = inetpy_jobs:pair(inetpy_jobs:backend(inet), Backend, [{packet, line}, {buffer, ?CHUNK}]),
    Lines = binary:copy(<<"a line of some length, not too long\n">>, 50),
    Owner = spawn_link(fun() -> receive go -> inet:setopts(Sink, [{active, true}]) end, timer:sleep(infinity) end),
    ok = gen_tcp:controlling_process(Sink, Owner),
    Owner ! go,
    Flood = [Owner, flood(gen_tcp, Source, fun() -> gen_tcp:send(Source, Lines) end)],
    while(Flood, fun() -> inetpy_jobs:ping_pong(Backend, ?ECHO, Count) end).

%% Round trips with `{active, once}`, while a process sends 100 bytes at a time without a pause.
-spec sends(inetpy_jobs:backend(), pos_integer()) -> float().
sends(Backend, Count) ->
    {Source, Sink} = inetpy_jobs:pair(Backend, inetpy_jobs:backend(inet), [{nodelay, true}]),
    while(carried(Source, rand:bytes(?SMALL), Sink), fun() -> active_once(Backend, Count) end).

%% The same with datagrams. Nobody reads them.
-spec datagrams(Tcp, Udp, pos_integer()) -> float() when Tcp :: inetpy_jobs:backend(), Udp :: inetpy_jobs:backend().
datagrams(Tcp, Udp, Count) ->
    {ok, Sink} = gen_udp:open(0, [{active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(Sink),
    {ok, Source} = gen_udp:open(0, Udp([{ip, ?LOOPBACK}])),
    Data = rand:bytes(?SMALL),
    Flood = [flood(gen_udp, Source, fun() -> gen_udp:send(Source, ?LOOPBACK, Port, Data) end)],
    Time = while(Flood, fun() -> active_once(Tcp, Count) end),
    ok = gen_udp:close(Sink),
    Time.

active_once(Backend, Count) ->
    inetpy_jobs:ping_pong({Backend, once}, {Backend, once}, ?ECHO, Count).

%% One process sends all the time, another receives.
carried(Source, Data, Sink) ->
    [flood(gen_tcp, Source, fun() -> gen_tcp:send(Source, Data) end), flood(gen_tcp, Sink, fun() -> gen_tcp:recv(Sink, 0) end)].

%% A process that owns a socket, and makes one call after the other until one fails.
flood(Module, Socket, Call) ->
    Pid = spawn_link(fun() -> receive go -> flood(Call) end end),
    ok = Module:controlling_process(Socket, Pid),
    Pid ! go,
    Pid.

flood(Call) ->
    case Call() of
        {error, _} -> ok;
        _ -> flood(Call)
    end.

while(Flood, Job) ->
    Time = Job(),
    _ = [begin true = unlink(Pid), exit(Pid, kill) end || Pid <- Flood],
    Time.
