%% Large sends and receives. With only one active caller they take fast paths. Received bytes are spliced from the
%% socket to the node's pipe. A send is answered when the system has its beginning.
-module(xc_bulk).

-export([scenarios/0]).

-define(CHUNK, 65536).
-define(MUCH, 300000).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {recv_exact, "Chunk after chunk, and what is left.", fun(B) ->
            {S, P} = arrived(B, []),
            Chunks = [gen_tcp:recv(S, ?CHUNK, 5000) || _ <- lists:seq(1, ?MUCH div ?CHUNK)],
            Rest = gen_tcp:recv(S, ?MUCH rem ?CHUNK, 5000),
            ok = gen_tcp:close(P),
            {hashes(Chunks), hashes([Rest]), gen_tcp:recv(S, ?CHUNK, 5000)}
        end},
        {recv_any, "A buffer full at a time.", fun(B) ->
            {S, _} = arrived(B, [{buffer, 100000}]),
            hashes([gen_tcp:recv(S, 0, 5000) || _ <- lists:seq(1, 3)])
        end},
        {recv_part, "Fewer bytes than were asked for are there: they wait for the others.", fun(B) ->
            {S, P} = arrived(B, []),
            First = [gen_tcp:recv(S, 100000, 5000), gen_tcp:recv(S, 100000, 5000)],
            Timeout = gen_tcp:recv(S, 200000, 20),
            ok = gen_tcp:send(P, xc:fill(100000)),
            {hashes(First), Timeout, hashes([gen_tcp:recv(S, 200000, 5000)])}
        end},
        {recv_closed, "The end behind many bytes.", fun(B) ->
            {S, P} = arrived(B, []),
            ok = gen_tcp:close(P),
            {hashes([gen_tcp:recv(S, ?CHUNK, 5000) || _ <- lists:seq(1, 4)]),
             [gen_tcp:recv(S, ?CHUNK, 5000) || _ <- lists:seq(1, 3)]}
        end},
        {recv_reset, "A reset behind many bytes.", fun(B) ->
            [begin
                {S, P} = arrived(B, [{show_econnreset, Show}]),
                First = gen_tcp:recv(S, ?CHUNK, 5000),
                ok = xc:reset(P),
                true = xc:until(fun() -> gen_tcp:send(S, "x") =/= ok end),
                {hashes([First]), [closed_or_data(gen_tcp:recv(S, ?CHUNK, 5000)) || _ <- lists:seq(1, 3)]}
             end
             || Show <- [true, false]]
        end},
        {recv_forms, "A list, a header, and bytes that were put back.", fun(B) ->
            {S, _} = arrived(B, []),
            Plain = [gen_tcp:recv(S, 30000, 5000), gen_tcp:recv(S, 30000, 5000)],
            ok = inet:setopts(S, [list]),
            List = gen_tcp:recv(S, 30000, 5000),
            ok = inet:setopts(S, [binary, {header, 3}]),
            Header = gen_tcp:recv(S, 30000, 5000),
            ok = inet:setopts(S, [{header, 0}]),
            ok = gen_tcp:unrecv(S, "put back"),
            Mixed = [gen_tcp:recv(S, 30000, 5000), gen_tcp:recv(S, 30000, 5000)],
            {hashes(Plain), erlang:phash2(List), erlang:phash2(Header), hashes(Mixed)}
        end},
        {recv_packets, "A packet behind plain bytes, and plain bytes behind a packet.", fun(B) ->
            {S, P} = xc:pair(B, [{recbuf, 1000000}]),
            Data = xc:fill(50000),
            ok = gen_tcp:send(P, [Data, <<50000:32>>, Data, Data]),
            Raw = [gen_tcp:recv(S, 25000, 5000), gen_tcp:recv(S, 25000, 5000)],
            ok = inet:setopts(S, [{packet, 4}]),
            Packet = gen_tcp:recv(S, 0, 5000),
            ok = inet:setopts(S, [{packet, raw}]),
            {hashes(Raw), hashes([Packet]), hashes([gen_tcp:recv(S, 50000, 5000)])}
        end},
        {recv_counts, "The counters.", fun(B) ->
            {S, _} = arrived(B, []),
            _ = [gen_tcp:recv(S, ?CHUNK, 5000) || _ <- lists:seq(1, 4)],
            inet:getstat(S, [recv_cnt, recv_oct, recv_max, recv_avg, recv_dvi])
        end},
        {recv_then_active, "What is left goes to the owner.", fun(B) ->
            {S, P} = arrived(B, []),
            Chunks = [gen_tcp:recv(S, ?CHUNK, 5000) || _ <- lists:seq(1, 3)],
            ok = inet:setopts(S, [{active, true}]),
            Left = xc:received(S, ?MUCH - 3 * ?CHUNK),
            ok = gen_tcp:close(P),
            {hashes(Chunks), erlang:phash2(Left), xc:next() =:= {tcp_closed, S}}
        end},
        {send_many, "Chunk after chunk: what comes and what is counted.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Chunk = xc:fill(?CHUNK),
            Count = 50,
            Sender = fun() -> [gen_tcp:send(S, Chunk) || _ <- lists:seq(1, Count)] end,
            Reader = xc:spawn_call(fun() -> hashes([gen_tcp:recv(P, Count * ?CHUNK, 10000)]) end),
            ok = gen_tcp:controlling_process(P, element(1, Reader)),
            Sent = lists:usort(Sender()),
            {Sent, xc:await(Reader, 15000), inet:getstat(S, [send_cnt, send_oct, send_max])}
        end},
        {send_forms, "Lists of binaries, and headers of packets.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Data = xc:fill(20000),
            Results = [gen_tcp:send(S, Form) || Form <- [[Data, "and", Data], binary_to_list(Data)]],
            ok = inet:setopts(S, [{packet, 2}]),
            Packets = [gen_tcp:send(S, Data), gen_tcp:send(S, [Data | Data])],
            {Results, Packets, hashes([gen_tcp:recv(P, 100007, 5000)])}
        end},
        {send_full, "A peer that does not read: how much is pending.", fun(B) ->
            {S, P} = xc:pair(B, [{sndbuf, 20000}, {high_watermark, 1000000}]),
            Results = [gen_tcp:send(S, xc:fill(500000)) || _ <- lists:seq(1, 2)],
            {ok, [{send_pend, Pending}]} = inet:getstat(S, [send_pend]),
            Received = gen_tcp:recv(P, 1000000, 10000),
            true = xc:until(fun() -> inet:getstat(S, [send_pend]) =:= {ok, [{send_pend, 0}]} end),
            {Results, Pending > 100000, hashes([Received])}
        end},
        {send_timeout, "Or does not read in time.", fun(B) ->
            {S, _} = xc:pair(B, [{send_timeout, 30}, {sndbuf, 20000}]),
            Chunk = xc:fill(1000000),
            Send = fun() -> gen_tcp:send(S, Chunk) end,
            Results = [Send() || _ <- lists:seq(1, 40)],
            lists:usort(Results)
        end},
        {send_shut, "Behind a shutdown.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Before = [gen_tcp:send(S, xc:fill(30000)) || _ <- lists:seq(1, 2)],
            ok = gen_tcp:shutdown(S, write),
            After = [gen_tcp:send(S, xc:fill(30000)) || _ <- lists:seq(1, 3)],
            {Before, After, hashes([gen_tcp:recv(P, 60000, 5000)]), gen_tcp:recv(P, 0, 5000)}
        end},
        {send_reset, "To a peer that has gone.", fun(B) ->
            [begin
                {S, P} = xc:pair(B, [{show_econnreset, Show}]),
                Before = [gen_tcp:send(S, xc:fill(30000)) || _ <- lists:seq(1, 2)],
                ok = xc:reset(P),
                First = gen_tcp:recv(S, 0, 5000),
                {Before, First, [gen_tcp:send(S, xc:fill(30000)) || _ <- lists:seq(1, 3)], gen_tcp:recv(S, 0, 100)}
             end
             || Show <- [true, false], _ <- lists:seq(1, 10)]
        end},
        {send_reset_active, "And the owner of a socket whose peer has gone.", fun(B) ->
            [begin
                {S, P} = xc:pair(B, [{active, true}, {show_econnreset, Show}]),
                Before = [gen_tcp:send(S, xc:fill(30000)) || _ <- lists:seq(1, 2)],
                ok = xc:reset(P),
                {Before, [element(1, Message) || Message <- xc:messages(fun(M) -> element(1, M) =:= tcp_closed end)]}
             end
             || Show <- [true, false], _ <- lists:seq(1, 10)]
        end},
        {send_close, "Closing does not lose what was sent.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Chunk = xc:fill(?MUCH),
            Reader = xc:spawn_call(fun() -> {hashes([gen_tcp:recv(P, 3 * ?MUCH, 10000)]), gen_tcp:recv(P, 0, 5000)} end),
            ok = gen_tcp:controlling_process(P, element(1, Reader)),
            Sent = [gen_tcp:send(S, Chunk) || _ <- lists:seq(1, 3)],
            {Sent, gen_tcp:close(S), xc:await(Reader, 15000)}
        end},
        {local, "A unix socket, both ways.", fun(B) ->
            Name = iolist_to_binary([0, "inetpy_bulk_", os:getpid(), integer_to_list(erlang:unique_integer([positive]))]),
            {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ifaddr, {local, Name}}]),
            {ok, S} = xc:connect(B, {local, Name}, 0, [local]),
            P = xc:accept(L),
            Chunk = xc:fill(50000),
            There = [{gen_tcp:send(P, Chunk), hashes([gen_tcp:recv(S, 50000, 5000)])} || _ <- lists:seq(1, 3)],
            Back = [{gen_tcp:send(S, Chunk), hashes([gen_tcp:recv(P, 50000, 5000)])} || _ <- lists:seq(1, 3)],
            {There, Back}
        end},
        {ping_pong, "Large questions and large answers, both ends of the backend.", fun(B) ->
            {C, S} = xc:both(B, [{buffer, ?CHUNK}], [{buffer, ?CHUNK}]),
            Server = xc:spawn_call(fun() -> echo(S, 20) end),
            ok = gen_tcp:controlling_process(S, element(1, Server)),
            Trips = [{gen_tcp:send(C, xc:fill(?CHUNK + N)), hashes([gen_tcp:recv(C, ?CHUNK + N, 5000)])} || N <- lists:seq(1, 20)],
            {Trips, xc:await(Server)}
        end}
    ].

echo(_, 0) -> done;
echo(S, Left) ->
    {ok, Data} = gen_tcp:recv(S, ?CHUNK + 21 - Left, 5000),
    ok = gen_tcp:send(S, Data),
    echo(S, Left - 1).

%% A pair. ?MUCH bytes have come to its first socket.
arrived(B, Options) ->
    {S, P} = xc:pair(B, [{recbuf, 1000000} | Options]),
    ok = inet:setopts(P, [{sndbuf, 1000000}, {nodelay, true}]),
    ok = gen_tcp:send(P, xc:fill(?MUCH)),
    {S, P}.

%% A short form of received data.
hashes(Results) ->
    [case Result of {ok, Data} -> {byte_size(Data), erlang:phash2(Data)}; Error -> Error end || Result <- Results].

closed_or_data({ok, Data}) -> byte_size(Data);
closed_or_data(Error) -> Error.
