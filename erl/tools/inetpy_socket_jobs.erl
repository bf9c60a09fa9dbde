%% The jobs of the benchmark for sockets of the module `socket`. A backend is the module whose functions open them:
%% `socket` of OTP, or `inetpy_socket`.
-module(inetpy_socket_jobs).

-export([ping_pong/3, bulk/3, connections/2, selects/2]).

-type backend() :: socket | inetpy_socket.

-define(LOOPBACK, #{family => inet, addr => {127, 0, 0, 1}, port => 0}).
-define(CHUNK, 65536).

%% Count round trips of Size bytes, both ends on the backend: microseconds each.
-spec ping_pong(backend(), pos_integer(), pos_integer()) -> float().
ping_pong(Backend, Size, Count) ->
    {Client, Server} = pair(Backend, Backend),
    Data = rand:bytes(Size),
    Parent = self(),
    Echo = spawn_link(fun() -> echo(Backend, Server, Size), Parent ! echoed end),
    Trip = fun() ->
        ok = Backend:send(Client, Data),
        {ok, Data} = Backend:recv(Client, Size)
    end,
    Time = warm(Count, Trip),
    ok = Backend:close(Client),
    receive echoed -> true = unlink(Echo) end,
    ok = Backend:close(Server),
    Time / Count.

echo(Backend, Socket, Size) ->
    case Backend:recv(Socket, Size) of
        {ok, Data} ->
            ok = Backend:send(Socket, Data),
            echo(Backend, Socket, Size);
        {error, closed} ->
            ok
    end.

%% Count chunks of 64 KB from a sender to a receiver, each on a backend of its own: megabytes a second.
%% The receiver checks what has come.
-spec bulk(backend(), backend(), pos_integer()) -> float().
bulk(Sender, Receiver, Count) ->
    {Source, Sink} = pair(Sender, Receiver),
    Chunk = rand:bytes(?CHUNK),
    Sending = spawn_link(fun() -> repeat(Count, fun() -> ok = Sender:send(Source, Chunk) end) end),
    Monitor = monitor(process, Sending),
    Time = timed(fun() -> repeat(Count, fun() -> {ok, Chunk} = Receiver:recv(Sink, ?CHUNK) end) end),
    receive {'DOWN', Monitor, process, _, normal} -> ok end,
    ok = Sender:close(Source),
    {error, closed} = Receiver:recv(Sink, 0),
    ok = Receiver:close(Sink),
    ?CHUNK * Count / Time.

%% Count connections opened, accepted and closed, one after the other: a second.
-spec connections(backend(), pos_integer()) -> float().
connections(Backend, Count) ->
    Listener = listener(Backend),
    {ok, Address} = Backend:sockname(Listener),
    Time = timed(fun() ->
        repeat(Count, fun() ->
            {Client, Server} = connected(Backend, Address, Backend, Listener),
            ok = Backend:close(Client),
            ok = Backend:close(Server)
        end)
    end),
    ok = Backend:close(Listener),
    1.0e6 * Count / Time.

%% Count times: recv with `nowait` on a socket of the backend, the message that something has come, and the recv that
%% reads it. Microseconds each. The peer is a socket of OTP.
-spec selects(backend(), pos_integer()) -> float().
selects(Backend, Count) ->
    {Peer, Socket} = pair(socket, Backend),
    Data = rand:bytes(64),
    Time = warm(Count, fun() ->
        {select, {select_info, recv, Handle}} = Backend:recv(Socket, 0, [], nowait),
        ok = socket:send(Peer, Data),
        receive {'$socket', Socket, select, Handle} -> ok end,
        {ok, Data} = Backend:recv(Socket, 0, [], nowait)
    end),
    ok = socket:close(Peer),
    ok = Backend:close(Socket),
    Time / Count.

%% The ends of a connection: {that which connected, that which was accepted}.
pair(Near, Far) ->
    Listener = listener(Far),
    {ok, Address} = Far:sockname(Listener),
    Ends = connected(Near, Address, Far, Listener),
    ok = Far:close(Listener),
    _ = [
        ok = Backend:setopt(Socket, Option, Value)
     || {Backend, Socket} <- lists:zip([Near, Far], tuple_to_list(Ends)),
        {Option, Value} <- [{{tcp, nodelay}, true}, {{socket, rcvbuf}, 4 * ?CHUNK}, {{socket, sndbuf}, 4 * ?CHUNK}]
    ],
    Ends.

listener(Backend) ->
    {ok, Listener} = Backend:open(inet, stream, tcp),
    ok = Backend:bind(Listener, ?LOOPBACK),
    ok = Backend:listen(Listener),
    Listener.

connected(Near, Address, Far, Listener) ->
    {ok, Client} = Near:open(inet, stream, tcp),
    ok = Near:connect(Client, Address),
    {ok, Server} = Far:accept(Listener),
    {Client, Server}.

%% Microseconds for Count calls of a fun, after a tenth of them that do not count.
warm(Count, Fun) ->
    repeat(Count div 10 + 1, Fun),
    timed(fun() -> repeat(Count, Fun) end).

repeat(0, _) ->
    ok;
repeat(Count, Fun) ->
    _ = Fun(),
    repeat(Count - 1, Fun).

timed(Fun) ->
    {Time, _} = timer:tc(Fun),
    max(1, Time).
