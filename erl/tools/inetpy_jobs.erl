%% The jobs that the demo and the benchmark run on a backend: gen_tcp in and out,
%% integrity checked. A backend is a fun that adds its options.
-module(inetpy_jobs).

-export([backend/1, download/4, echo_clients/4]).
-export([calls/2, ping_pong/3, ping_pong/4, echo_client/4, together/4, packets/3, pair/3]).
-export([at_once/2, repeat/2, timed/1]).
-export([bulk/4, sender/4, sends/3, setopts_once/2, pipelined/3, connections/2, idle/2, scale/3, open/4]).
-export([udp_backend/1, datagrams_in/3, datagrams_read/3, datagrams_out/4]).

-type backend() :: fun((list()) -> list()).
%% How one end of a request and its answer reads: by gen_tcp:recv, or by `{active, once}`.
-type exchange() :: {backend(), passive | once}.
%% How a receiver reads: chunks as they were sent; active messages; `{active, once}` for each message
%% of so many bytes at most; or whatever has come, into a buffer of the default size.
-type reader() :: chunks | active | {once, Buffer :: pos_integer()} | default.
-export_type([backend/0, exchange/0, reader/0]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(CHUNK, 65536).

-spec backend(inet | inetpy) -> backend().
backend(inet) -> fun(Options) -> Options end;
backend(inetpy) -> fun inetpy:tcp_options/1.

%% --- for the demo ----------------------------------------------------------

%% Downloads a file by HTTP/1.1, streaming. Progress is called with the bytes so
%% far and in all. The result is the SHA-256 of the body and its size.
-spec download(backend(), inet:port_number(), string(), fun((integer(), integer()) -> term())) ->
    {Sha256 :: binary(), Size :: integer()}.
download(Backend, Port, Path, Progress) ->
    Options = [binary, {active, false}, {packet, line}, {buffer, ?CHUNK}, {recbuf, 4 * ?CHUNK}],
    {ok, Socket} = gen_tcp:connect("localhost", Port, Backend(Options), 5000),
    Request = ["GET ", Path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
    ok = gen_tcp:send(Socket, Request),
    {ok, <<"HTTP/1.", _, " 200 ", _/binary>>} = gen_tcp:recv(Socket, 0, 10000),
    Size = content_length(Socket, unknown),
    ok = inet:setopts(Socket, [{packet, raw}]),
    Hash = body(Socket, 0, Size, crypto:hash_init(sha256), Progress),
    {ok, _} = {ok, gen_tcp:close(Socket)},
    {crypto:hash_final(Hash), Size}.

content_length(Socket, Length) ->
    {ok, Line} = gen_tcp:recv(Socket, 0, 10000),
    case string:lowercase(string:trim(Line)) of
        <<>> -> Length;
        <<"content-length:", Value/binary>> -> content_length(Socket, binary_to_integer(string:trim(Value)));
        _ -> content_length(Socket, Length)
    end.

body(_, Size, Size, Hash, Progress) ->
    _ = Progress(Size, Size),
    Hash;
body(Socket, Got, Size, Hash, Progress) ->
    {ok, Data} = gen_tcp:recv(Socket, 0, 10000),
    Now = Got + byte_size(Data),
    _ = Progress(Now, Size),
    body(Socket, Now, Size, crypto:hash_update(Hash, Data), Progress).

%% An echo server, and Count clients at once that send Size bytes each in chunks
%% of random sizes and check what comes back. The result is the bytes echoed.
-spec echo_clients(backend(), pos_integer(), pos_integer(), fun((integer(), integer()) -> term())) ->
    integer().
echo_clients(Backend, Count, Size, Progress) ->
    Options = [binary, {active, false}, {backlog, 1024}, {reuseaddr, true}],
    {ok, Listener} = gen_tcp:listen(0, Backend([{ip, ?LOOPBACK} | Options])),
    {ok, Port} = inet:port(Listener),
    Server = spawn_link(fun() -> accept_echo(Listener) end),
    Parent = self(),
    Clients = [
        spawn_link(fun() -> Parent ! {done, self(), echo_client(Backend, Port, Size)} end)
     || _ <- lists:seq(1, Count)
    ],
    Echoed = wait_for(Clients, 0, Count, 0, Progress),
    true = unlink(Server),
    true = exit(Server, kill),
    ok = gen_tcp:close(Listener),
    Echoed.

wait_for([], Done, Count, Bytes, Progress) ->
    _ = Progress(Done, Count),
    Bytes;
wait_for([Client | Clients], Done, Count, Bytes, Progress) ->
    _ = Progress(Done, Count),
    receive
        {done, Client, Size} -> wait_for(Clients, Done + 1, Count, Bytes + Size, Progress)
    end.

accept_echo(Listener) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            Worker = spawn(fun() -> receive go -> echo(Socket) end end),
            ok = gen_tcp:controlling_process(Socket, Worker),
            Worker ! go,
            accept_echo(Listener);
        {error, closed} ->
            ok
    end.

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            ok = gen_tcp:send(Socket, Data),
            echo(Socket);
        {error, closed} ->
            gen_tcp:close(Socket)
    end.

echo_client(Backend, Port, Size) ->
    {ok, Socket} = gen_tcp:connect(?LOOPBACK, Port, Backend([binary, {active, false}]), 30000),
    Data = rand:bytes(Size),
    ok = echo_chunks(Socket, Data),
    ok = gen_tcp:close(Socket),
    Size.

echo_chunks(_, <<>>) ->
    ok;
echo_chunks(Socket, Data) ->
    Size = min(rand:uniform(8192), byte_size(Data)),
    <<Chunk:Size/binary, Rest/binary>> = Data,
    ok = gen_tcp:send(Socket, Chunk),
    {ok, Chunk} = gen_tcp:recv(Socket, Size, 30000),
    echo_chunks(Socket, Rest).

%% --- for the benchmark -----------------------------------------------------

%% Count calls of inet:port/1: microseconds each.
-spec calls(backend(), pos_integer()) -> float().
calls(Backend, Count) ->
    {ok, Listener} = gen_tcp:listen(0, Backend([{ip, ?LOOPBACK}])),
    Time = timed(fun() -> repeat(Count, fun() -> {ok, _} = inet:port(Listener) end) end),
    ok = gen_tcp:close(Listener),
    Time / Count.

%% Count round trips of Size bytes, both ends on the backend: microseconds each.
-spec ping_pong(backend(), pos_integer(), pos_integer()) -> float().
ping_pong(Backend, Size, Count) ->
    ping_pong({Backend, passive}, {Backend, passive}, Size, Count).

%% The same, where each end may be another backend's.
-spec ping_pong(exchange(), exchange(), pos_integer(), pos_integer()) -> float().
ping_pong({Near, ClientReads}, {Far, ServerReads}, Size, Count) ->
    {Client, Server} = pair(Near, Far, [{nodelay, true}]),
    Echo = spawn_link(fun() -> receive go -> echo_exactly(Server, ServerReads, Size) end end),
    ok = gen_tcp:controlling_process(Server, Echo),
    Echo ! go,
    round_trips(Client, ClientReads, Size, Count).

%% Count round trips of Size bytes with the echo server at Port: microseconds each.
-spec echo_client(backend(), inet:port_number(), pos_integer(), pos_integer()) -> float().
echo_client(Backend, Port, Size, Count) ->
    {ok, Client} = gen_tcp:connect(?LOOPBACK, Port, Backend([binary, {active, false}, {nodelay, true}])),
    round_trips(Client, passive, Size, Count).

round_trips(Client, Reads, Size, Count) ->
    Data = rand:bytes(Size),
    Trip = fun() ->
        ok = gen_tcp:send(Client, Data),
        {ok, Data} = received(Client, Reads, Size)
    end,
    repeat(Count div 10 + 1, Trip),
    Time = timed(fun() -> repeat(Count, Trip) end),
    ok = gen_tcp:close(Client),
    Time / Count.

%% Round trips of Pairs connections at once, Count each: a second, all together.
-spec together(backend(), pos_integer(), pos_integer(), pos_integer()) -> float().
together(Backend, Pairs, Size, Count) ->
    1.0e6 * Pairs * Count / at_once(Pairs, fun() -> ping_pong(Backend, Size, Count) end).

%% Count lines to each of Sockets active sockets, from sockets of inet: a second, all together.
-spec packets(backend(), pos_integer(), pos_integer()) -> float().
packets(Backend, Sockets, Count) ->
    1.0e6 * Sockets * Count / at_once(Sockets, fun() -> lines(Backend, Count) end).

lines(Backend, Count) ->
    Options = [binary, {active, false}, {packet, line}, {buffer, ?CHUNK}],
    {ok, Listener} = gen_tcp:listen(0, Backend([{ip, ?LOOPBACK} | Options])),
    {ok, Port} = inet:port(Listener),
    Lines = binary:copy(<<"a line of some length, not too long\n">>, 50),
    Sender = spawn_link(fun() ->
        {ok, Peer} = gen_tcp:connect(?LOOPBACK, Port, []),
        repeat(Count div 50, fun() -> ok = gen_tcp:send(Peer, Lines) end),
        receive stop -> gen_tcp:close(Peer) end
    end),
    {ok, Socket} = gen_tcp:accept(Listener),
    ok = inet:setopts(Socket, [{active, true}]),
    repeat(Count div 50 * 50, fun() -> receive {tcp, Socket, _} -> ok end end),
    Sender ! stop,
    ok = gen_tcp:close(Socket),
    gen_tcp:close(Listener).

%% Microseconds until Count processes have done a job.
-spec at_once(pos_integer(), fun(() -> term())) -> pos_integer().
at_once(Count, Job) ->
    Parent = self(),
    timed(fun() ->
        Pids = [spawn_link(fun() -> _ = Job(), Parent ! {done, self()} end) || _ <- lists:seq(1, Count)],
        lists:foreach(fun(Pid) -> receive {done, Pid} -> ok end end, Pids)
    end).

echo_exactly(Socket, Reads, Size) ->
    case received(Socket, Reads, Size) of
        {ok, Data} ->
            ok = gen_tcp:send(Socket, Data),
            echo_exactly(Socket, Reads, Size);
        {error, _} ->
            ok
    end.

%% Size bytes that the peer has sent at once.
received(Socket, passive, Size) ->
    gen_tcp:recv(Socket, Size);
received(Socket, once, _) ->
    ok = inet:setopts(Socket, [{active, once}]),
    receive
        {tcp, Socket, Data} -> {ok, Data};
        {tcp_closed, Socket} -> {error, closed}
    end.

%% Count chunks of 64 KB from a sender to a receiver, each on a backend of its own: megabytes a second.
%% The receiver checks how much came.
-spec bulk(backend(), backend(), pos_integer(), reader()) -> float().
bulk(Sender, Receiver, Count, Reads) ->
    Options = [{ip, ?LOOPBACK}, binary, {active, false} | buffers(Reads)],
    {ok, Listener} = gen_tcp:listen(0, Receiver(Options)),
    {ok, Port} = inet:port(Listener),
    Chunk = rand:bytes(?CHUNK),
    _ = sender(Sender, Port, Chunk, Count) ! go,
    {ok, Socket} = gen_tcp:accept(Listener),
    Time = timed(fun() -> read(Socket, Reads, Chunk, Count) end),
    receive sent -> ok end,
    ok = gen_tcp:close(Socket),
    ok = gen_tcp:close(Listener),
    ?CHUNK * Count / Time.

%% A process that connects to Port. When it is told `go`, it sends a chunk Count times, closes, and tells `sent`.
-spec sender(backend(), inet:port_number(), binary(), pos_integer()) -> pid().
sender(Backend, Port, Chunk, Count) ->
    Parent = self(),
    spawn_link(fun() ->
        {ok, Socket} = gen_tcp:connect(?LOOPBACK, Port, Backend([binary, {active, false} | buffers(chunks)])),
        receive go -> ok end,
        repeat(Count, fun() -> ok = gen_tcp:send(Socket, Chunk) end),
        ok = gen_tcp:close(Socket),
        Parent ! sent
    end).

buffers(default) -> [];
buffers({once, Buffer}) -> [{recbuf, 4 * ?CHUNK}, {buffer, Buffer}];
buffers(_) -> [{recbuf, 4 * ?CHUNK}, {sndbuf, 4 * ?CHUNK}, {buffer, ?CHUNK}].

read(Socket, chunks, Chunk, Count) ->
    repeat(Count, fun() -> {ok, Chunk} = gen_tcp:recv(Socket, ?CHUNK) end),
    {error, closed} = gen_tcp:recv(Socket, 0);
read(Socket, active, _, Count) ->
    ok = inet:setopts(Socket, [{active, true}]),
    drain(Socket, ?CHUNK * Count);
read(Socket, {once, _}, _, Count) ->
    drain_once(Socket, ?CHUNK * Count);
read(Socket, default, _, Count) ->
    recv_all(Socket, ?CHUNK * Count).

drain(Socket, Left) ->
    receive
        {tcp, Socket, Data} -> drain(Socket, Left - byte_size(Data));
        {tcp_closed, Socket} when Left =:= 0 -> ok
    end.

drain_once(Socket, Left) ->
    ok = inet:setopts(Socket, [{active, once}]),
    receive
        {tcp, Socket, Data} -> drain_once(Socket, Left - byte_size(Data));
        {tcp_closed, Socket} when Left =:= 0 -> ok
    end.

recv_all(Socket, Left) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} -> recv_all(Socket, Left - byte_size(Data));
        {error, closed} when Left =:= 0 -> ok
    end.

%% Count sends of Size bytes by one process: a second. The peer is a socket of inet. It reads between
%% bursts, which is not measured: reading at the same time would cost more than inet_drv's sending.
-spec sends(backend(), pos_integer(), pos_integer()) -> float().
sends(Backend, Size, Count) ->
    Burst = 1000,
    Room = {recbuf, 10 * Burst * Size},
    {Socket, Peer} = pair(Backend, backend(inet), [{nodelay, true}, Room, {sndbuf, 10 * Burst * Size}]),
    Data = rand:bytes(Size),
    Time = in_bursts(
        Count,
        Burst,
        fun() -> ok = gen_tcp:send(Socket, Data) end,
        fun() -> ok end,
        fun() -> {ok, _} = gen_tcp:recv(Peer, Burst * Size) end
    ),
    ok = gen_tcp:close(Socket),
    ok = gen_tcp:close(Peer),
    1.0e6 * Count / Time.

%% Count calls of setopts with `{active, once}`: microseconds each. No message comes.
-spec setopts_once(backend(), pos_integer()) -> float().
setopts_once(Backend, Count) ->
    {Socket, Peer} = pair(Backend, backend(inet), []),
    Time = timed(fun() -> repeat(Count, fun() -> ok = inet:setopts(Socket, [{active, once}]) end) end),
    ok = gen_tcp:close(Socket),
    ok = gen_tcp:close(Peer),
    Time / Count.

%% Clients that send Count lines each without waiting, and then read the answers: milliseconds for all. Both ends are
%% the backend's. The server answers each line that it reads.
-spec pipelined(backend(), pos_integer(), pos_integer()) -> float().
pipelined(Backend, Clients, Count) ->
    at_once(Clients, fun() -> pipeline(Backend, Count) end) / 1000.

pipeline(Backend, Count) ->
    {Client, Server} = pair(Backend, [{packet, line}, {nodelay, true}]),
    Answerer = spawn_link(fun() -> receive go -> answer_lines(Server) end end),
    ok = gen_tcp:controlling_process(Server, Answerer),
    Answerer ! go,
    repeat(Count, fun() -> ok = gen_tcp:send(Client, <<"a question of a client\n">>) end),
    repeat(Count, fun() -> {ok, <<"an answer\n">>} = gen_tcp:recv(Client, 0) end),
    true = unlink(Answerer),
    ok = gen_tcp:close(Client).

answer_lines(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, _} -> ok = gen_tcp:send(Socket, <<"an answer\n">>), answer_lines(Socket);
        {error, closed} -> gen_tcp:close(Socket)
    end.

%% Microseconds for Count calls of a fun, without what is done before and after each burst of them.
in_bursts(Count, Burst, Fun, Before, After) ->
    lists:sum([
        begin
            _ = Before(),
            Time = timed(fun() -> repeat(Burst, Fun) end),
            _ = After(),
            Time
        end
     || _ <- lists:seq(1, Count div Burst)
    ]).

%% Count connections opened, accepted and closed, one after the other: a second.
-spec connections(backend(), pos_integer()) -> float().
connections(Backend, Count) ->
    {ok, Listener} = gen_tcp:listen(0, Backend([{ip, ?LOOPBACK}, {active, false}])),
    {ok, Port} = inet:port(Listener),
    Time = timed(fun() ->
        repeat(Count, fun() ->
            {ok, Client} = gen_tcp:connect(?LOOPBACK, Port, Backend([{active, false}])),
            {ok, Server} = gen_tcp:accept(Listener),
            ok = gen_tcp:close(Client),
            ok = gen_tcp:close(Server)
        end)
    end),
    ok = gen_tcp:close(Listener),
    1.0e6 * Count / Time.

-spec udp_backend(inet | inetpy) -> backend().
udp_backend(inet) -> fun(Options) -> Options end;
udp_backend(inetpy) -> fun inetpy:udp_options/1.

%% Count datagrams of Size bytes to an active socket of the backend: a second. The source
%% is a socket of inet, which sends on when half of what it sent has come.
-spec datagrams_in(backend(), pos_integer(), pos_integer()) -> float().
datagrams_in(Backend, Size, Count) ->
    {ok, Sink} = gen_udp:open(0, Backend([binary, {active, true}, {recbuf, 4000000}, {ip, ?LOOPBACK}])),
    {ok, Port} = inet:port(Sink),
    {ok, Peer} = gen_udp:open(0, []),
    ok = gen_udp:connect(Peer, ?LOOPBACK, Port),
    Data = rand:bytes(Size),
    Source = spawn_link(fun() -> source(Peer, Data) end),
    Time = timed(fun() ->
        Source ! go,
        Source ! go,
        sink(Sink, Source, Data, Count)
    end),
    true = unlink(Source),
    true = exit(Source, kill),
    ok = gen_udp:close(Sink),
    ok = gen_udp:close(Peer),
    1.0e6 * Count / Time.

-define(BURST, 100).

source(Socket, Data) ->
    receive
        go ->
            repeat(?BURST, fun() -> ok = gen_udp:send(Socket, Data) end),
            source(Socket, Data)
    end.

sink(_, _, _, 0) ->
    ok;
sink(Socket, Source, Data, Left) ->
    receive
        {udp, Socket, _, _, Data} -> ok
    end,
    _ = [Source ! go || Left rem ?BURST =:= 0],
    sink(Socket, Source, Data, Left - 1).

%% Count datagrams of Size bytes that gen_udp:recv reads: a second. A socket of inet has sent them
%% before, a burst at a time, for which the socket has room.
-spec datagrams_read(backend(), pos_integer(), pos_integer()) -> float().
datagrams_read(Backend, Size, Count) ->
    Burst = 250,
    Options = [binary, {active, false}, {recbuf, 400000}, {buffer, 8192}, {ip, ?LOOPBACK}],
    {ok, Sink} = gen_udp:open(0, Backend(Options)),
    {ok, Port} = inet:port(Sink),
    {ok, Peer} = gen_udp:open(0, []),
    ok = gen_udp:connect(Peer, ?LOOPBACK, Port),
    Data = rand:bytes(Size),
    Time = in_bursts(
        Count,
        Burst,
        fun() -> {ok, {_, _, Data}} = gen_udp:recv(Sink, 0) end,
        fun() -> repeat(Burst, fun() -> ok = gen_udp:send(Peer, Data) end) end,
        fun() -> ok end
    ),
    ok = gen_udp:close(Sink),
    ok = gen_udp:close(Peer),
    1.0e6 * Count / Time.

%% Count datagrams of Size bytes from so many processes through one socket of the backend: a
%% second. Nobody reads them, so that only the sending is measured.
-spec datagrams_out(backend(), pos_integer(), pos_integer(), pos_integer()) -> float().
datagrams_out(Backend, Processes, Size, Count) ->
    {ok, Sink} = gen_udp:open(0, [{active, false}, {recbuf, 10000}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(Sink),
    {ok, Socket} = gen_udp:open(0, Backend([])),
    Data = rand:bytes(Size),
    Parent = self(),
    Each = Count div Processes,
    Sender = fun() ->
        repeat(Each, fun() -> ok = gen_udp:send(Socket, ?LOOPBACK, Port, Data) end),
        Parent ! {sent, self()}
    end,
    Time = timed(fun() ->
        Senders = [spawn_link(Sender) || _ <- lists:seq(1, Processes)],
        lists:foreach(fun(Pid) -> receive {sent, Pid} -> ok end end, Senders)
    end),
    ok = gen_udp:close(Socket),
    ok = gen_udp:close(Sink),
    1.0e6 * Count / Time.

%% Opens Count connections; Measure is called before and while they are idle. The
%% result is the difference.
-spec idle(pos_integer(), fun(() -> number())) -> number().
idle(Count, Measure) ->
    Backend = backend(inetpy),
    Before = Measure(),
    Pairs = [pair(Backend, [{active, true}]) || _ <- lists:seq(1, Count)],
    Measured = Measure() - Before,
    lists:foreach(fun({C, S}) -> ok = gen_tcp:close(C), ok = gen_tcp:close(S) end, Pairs),
    Measured.

%% Opens Count connections of the backend to a stock listener, and calls Measure while they are
%% idle: {connections opened in a second, what Measure said}.
-spec scale(backend(), pos_integer(), fun(() -> Measured)) -> {float(), Measured}.
scale(Backend, Count, Measure) ->
    {ok, Listener} = gen_tcp:listen(0, [{ip, ?LOOPBACK}, {active, false}, {backlog, 1000}]),
    {ok, Port} = inet:port(Listener),
    Options = Backend([{active, true}]),
    Parent = self(),
    Acceptor = spawn_link(fun() ->
        repeat(Count, fun() -> {ok, _} = gen_tcp:accept(Listener) end),
        Parent ! accepted,
        receive stop -> ok end
    end),
    {Time, Sockets} = timer:tc(fun() ->
        Opened = [element(2, {ok, _} = gen_tcp:connect(?LOOPBACK, Port, Options)) || _ <- lists:seq(1, Count)],
        receive
            accepted -> Opened;
            {'EXIT', Acceptor, Reason} -> exit(Reason)
        end
    end),
    Measured = Measure(),
    lists:foreach(fun gen_tcp:close/1, Sockets),
    Acceptor ! stop,
    ok = gen_tcp:close(Listener),
    {1.0e6 * Count / Time, Measured}.

%% Count connections to a server at Port: a second, and what Measure gives while they are open.
-spec open(backend(), inet:port_number(), pos_integer(), fun(() -> Result)) -> {float(), Result}.
open(Backend, Port, Count, Measure) ->
    Options = Backend([{active, true}]),
    {Time, Sockets} = timer:tc(fun() ->
        [element(2, {ok, _} = gen_tcp:connect(?LOOPBACK, Port, Options)) || _ <- lists:seq(1, Count)]
    end),
    Measured = Measure(),
    lists:foreach(fun gen_tcp:close/1, Sockets),
    {1.0e6 * Count / Time, Measured}.

pair(Backend, Options) -> pair(Backend, Backend, Options).

%% The ends of a connection: {that which connected, that which was accepted}.
-spec pair(backend(), backend(), list()) -> {gen_tcp:socket(), gen_tcp:socket()}.
pair(Near, Far, Options) ->
    All = [binary, {active, false} | Options],
    {ok, Listener} = gen_tcp:listen(0, Far([{ip, ?LOOPBACK} | All])),
    {ok, Port} = inet:port(Listener),
    {ok, Client} = gen_tcp:connect(?LOOPBACK, Port, Near(All)),
    {ok, Server} = gen_tcp:accept(Listener),
    ok = gen_tcp:close(Listener),
    {Client, Server}.

-spec repeat(non_neg_integer(), fun(() -> term())) -> ok.
repeat(0, _) ->
    ok;
repeat(Count, Fun) ->
    _ = Fun(),
    repeat(Count - 1, Fun).

-spec timed(fun(() -> term())) -> pos_integer().
timed(Fun) ->
    {Time, _} = timer:tc(Fun),
    max(1, Time).
