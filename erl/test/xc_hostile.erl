%% A peer or a caller that does harm: extreme numbers and sizes, bytes out of band, garbage in every packet type,
%% floods, and sends that are larger than all buffers.
-module(xc_hostile).

-export([scenarios/0]).

-define(MEGABYTE, (1 bsl 20)).
-define(PACKETS, [0, 1, 2, 4, line, asn1, cdr, sunrm, fcgi, tpkt, ssl_tls, http, http_bin, httph, httph_bin]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {http_numbers, "Numbers of HTTP that no integer of C holds.", fun(B) ->
            [http(B, Line) || Number <- numbers(), Line <- http_lines(Number)]
        end},
        {recv_is_not_early, "No recv ends before its timeout.", fun(B) ->
            {S, _} = xc:pair(B, []),
            early(100, fun() -> gen_tcp:recv(S, 0, 5) end)
        end},
        {accept_is_not_early, "Nor an accept.", fun(B) ->
            L = xc:listen(B, []),
            early(50, fun() -> gen_tcp:accept(L, 5) end)
        end},
        {udp_recv_is_not_early, "Nor a recv of datagrams.", fun(B) ->
            {S, _} = xc:udp(B, []),
            early(50, fun() -> gen_udp:recv(S, 0, 5) end)
        end},
        {send_is_not_early, "Nor a send.", fun(B) ->
            {S, _} = xc:pair(B, [{send_timeout, 20}]),
            ok = gen_tcp:send(S, xc:fill(8 * ?MEGABYTE)),
            early(5, fun() -> gen_tcp:send(S, xc:fill(10000)) end)
        end},
        {flood_of_packets, "Thirty thousand packets of no bytes, from a large buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}, {buffer, ?MEGABYTE}, {active, true}]),
            ok = gen_tcp:send(P, <<0:(30000 * 8), 3, "end">>),
            Messages = xc:messages(fun({tcp, _, Data}) -> Data =:= <<"end">>; (_) -> false end),
            {S =/= P, length(Messages)}
        end},
        {flood_and_setopts, "A thousand packets in the buffer are in the mailbox before setopts is over.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}, {buffer, ?MEGABYTE}]),
            ok = gen_tcp:send(P, <<1, "a", (binary:copy(<<1, "b">>, 1000))/binary>>),
            {ok, <<"a">>} = gen_tcp:recv(S, 0, 5000),
            ok = inet:setopts(S, [{active, true}]),
            length(xc:messages(fun(Message) -> Message =:= nothing end, 0))
        end},
        {flood_counted, "A thousand packets for an owner that wants 700.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}, {buffer, ?MEGABYTE}, {active, 700}]),
            ok = gen_tcp:send(P, binary:copy(<<1, "b">>, 1000)),
            Messages = xc:messages(fun({tcp_passive, _}) -> true; (_) -> false end),
            {length(Messages), [gen_tcp:recv(S, 0, 5000) || _ <- [1, 2]], inet:getopts(S, [active])}
        end},
        {flood_stopped, "An owner that stops a flood gets no more.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}, {buffer, ?MEGABYTE}, {active, once}]),
            ok = gen_tcp:send(P, binary:copy(<<1, "b">>, 1000)),
            First = xc:next(),
            ok = inet:setopts(S, [{active, 2}]),
            {First, [xc:next() || _ <- [1, 2, 3]], gen_tcp:recv(S, 0, 5000)}
        end},
        {large_send, "Thirty megabytes in one send, in order.", fun(B) ->
            {S, P} = xc:both(B, [], []),
            through(S, P, [], 30 * ?MEGABYTE)
        end},
        {large_send_pieces, "The same as a list of lists of binaries of all sizes, in a packet.", fun(B) ->
            {S, P} = xc:both(B, [{packet, 4}], [{packet, 4}]),
            Data = [[binary:part(xc:fill(N), 0, N), [N band 255]] || N <- lists:seq(1, 3000)],
            Sender = xc:spawn_call(fun() -> [gen_tcp:send(S, Data), gen_tcp:send(S, "after")] end),
            {ok, Got} = gen_tcp:recv(P, 0, 5000),
            {Got =:= iolist_to_binary(Data), gen_tcp:recv(P, 0, 5000), xc:await(Sender)}
        end},
        {large_sends_of_two, "Large sends of two processes do not mix.", fun(B) ->
            {S, P} = xc:both(B, [{packet, 4}, {high_watermark, 20 * ?MEGABYTE}], [{packet, 4}]),
            Senders = [xc:spawn_call(fun() -> gen_tcp:send(S, binary:copy(C, 3 * ?MEGABYTE)) end) || C <- [<<"a">>, <<"b">>]],
            Got = [element(2, {ok, _} = gen_tcp:recv(P, 0, 5000)) || _ <- Senders],
            {[xc:await(Sender) || Sender <- Senders], lists:sort([erlang:crc32(Data) || Data <- Got])}
        end},
        {large_send_unread, "To a peer that does not read: queued at once, and the next send waits.", fun(B) ->
            {S, _} = xc:pair(B, [{send_timeout, 50}]),
            Size = 20 * ?MEGABYTE,
            First = gen_tcp:send(S, xc:fill(Size)),
            Pending = pending(S),
            Next = gen_tcp:send(S, xc:fill(2 * ?MEGABYTE)),
            {First, Pending > Size div 2, Next, pending(S) - Pending}
        end},
        {large_send_closed, "A send is queued, the sender dies, and the peer gets all of it.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = xc:hand_over(S, fun() -> gen_tcp:send(S, xc:fill(10 * ?MEGABYTE)) end),
            {ok, Got} = gen_tcp:recv(P, 10 * ?MEGABYTE, 5000),
            {erlang:crc32(Got), gen_tcp:recv(P, 0, 5000)}
        end},
        {large_send_and_close, "Close waits for a large send.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Reader = xc:spawn_call(fun() -> receive go -> gen_tcp:recv(P, 10 * ?MEGABYTE, 5000) end end),
            ok = gen_tcp:controlling_process(P, element(1, Reader)),
            ok = gen_tcp:send(S, xc:fill(10 * ?MEGABYTE)),
            element(1, Reader) ! go,
            ok = gen_tcp:close(S),
            {ok, Got} = xc:await(Reader),
            erlang:crc32(Got)
        end},
        {large_send_reset, "The peer resets the connection in the middle of a large send.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            First = gen_tcp:send(S, xc:fill(20 * ?MEGABYTE)),
            {ok, _} = gen_tcp:recv(P, ?MEGABYTE, 5000),
            ok = xc:reset(P),
            {First, xc:next(), gen_tcp:send(S, "more"), inet:getstat(S, [send_pend])}
        end},
        {large_send_and_file, "A file behind a large send.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Name = "/tmp/inetpy_hostile_" ++ os:getpid() ++ "_" ++ integer_to_list(erlang:unique_integer([positive])),
            ok = file:write_file(Name, "the file"),
            Sender = xc:spawn_call(fun() ->
                receive go -> [gen_tcp:send(S, xc:fill(8 * ?MEGABYTE)), file:sendfile(Name, S)] end
            end),
            ok = gen_tcp:controlling_process(S, element(1, Sender)),
            element(1, Sender) ! go,
            {ok, Got} = gen_tcp:recv(P, 8 * ?MEGABYTE, 5000),
            Result = {erlang:crc32(Got), gen_tcp:recv(P, 8, 5000), xc:await(Sender)},
            ok = file:delete(Name),
            Result
        end},
        {large_send_refused, "A large send on a socket that was closed, or shut down.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:shutdown(S, write),
            Shut = gen_tcp:send(S, xc:fill(3 * ?MEGABYTE)),
            ok = gen_tcp:close(S),
            {Shut, gen_tcp:send(S, xc:fill(3 * ?MEGABYTE))}
        end},
        {large_send_elsewhere, "Small and large sends on a listening socket.", fun(B) ->
            L = xc:listen(B, []),
            [gen_tcp:send(L, xc:fill(Size)) || Size <- [1, 3 * ?MEGABYTE]]
        end},
        {large_messages, "Messages of megabytes, one behind the other: active, and in recv.", fun(B) ->
            [
                begin
                    {S, P} = xc:pair(B, [{packet, 4}, {active, Active}]),
                    Sender = xc:spawn_call(fun() -> [gen_tcp:send(P, large_packet(N)) || N <- lists:seq(1, 6)] end),
                    Received = [large_message(S, Active) || _ <- lists:seq(1, 6)],
                    {Received, xc:await(Sender)}
                end
             || Active <- [true, false]
            ]
        end},
        {flood_and_unrecv, "A thousand packets are put back, and are in the mailbox before unrecv is over.", fun(B) ->
            {S, _} = xc:pair(B, [{packet, line}, {active, true}]),
            ok = gen_tcp:unrecv(S, binary:copy(<<"line\n">>, 1000)),
            length(xc:messages(fun(Message) -> Message =:= nothing end, 0))
        end},
        {flood_and_close, "An owner that stops, or closes, after the first of a thousand packets has them all.", fun(B) ->
            [
                begin
                    {S, P} = xc:pair(B, [{packet, 1}, {buffer, ?MEGABYTE}]),
                    ok = gen_tcp:send(P, <<1, "a", (binary:copy(<<1, "b">>, 1000))/binary>>),
                    {ok, <<"a">>} = gen_tcp:recv(S, 0, 5000),
                    Setter = xc:spawn_call(fun() -> inet:setopts(S, [{active, true}]) end),
                    {tcp, S, First} = xc:next(),
                    Result = End(S),
                    ok = xc:await(Setter),
                    {First, Result, length(xc:messages(fun(Message) -> Message =:= nothing end, 0))}
                end
             || End <- [
                    fun(S) -> inet:setopts(S, [{active, false}]) end, fun gen_tcp:close/1
                ]
            ]
        end},
        {large_datagram, "A datagram larger than any.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Sends = [gen_udp:send(S, {127, 0, 0, 1}, 9, xc:fill(Size)) || Size <- [70000, 3 * ?MEGABYTE]],
            {Sends, inet:getopts(S, [active])}
        end},
        {large_raw_option, "A raw option with a value of megabytes.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Value = <<1:32/native, (xc:fill(70 * ?MEGABYTE))/binary>>,
            [inet:setopts(S, [Option]) || Option <- [{raw, 6, 1, Value}, {raw, {6, 1, Value}}, {raw, 77, 1, Value}]] ++
                [inet:getopts(S, [nodelay])]
        end}
    ] ++
        [
            {list_to_atom(lists:concat(["garbage_", Packet])), "Garbage, for the packet type of the name.", fun(B) ->
                [garbage(B, Packet, Seed) || Seed <- lists:seq(1, 12)]
            end}
         || Packet <- ?PACKETS
        ] ++
        [
            {list_to_atom(lists:concat(["out_of_band_", Size, "_", Ask])), "A unix peer sends bytes out of band.", fun(B) ->
                out_of_band(B, Size, Ask)
            end}
         || Size <- [1000, 65536, 100000], Ask <- [0, 20000, 65536]
        ].

%% --- numbers -----------------------------------------------------------------

numbers() ->
    [<<"4294967297">>, <<"2147483648">>, binary:copy(<<"9">>, 40), binary:copy(<<"12345">>, 1000)].

http_lines(Number) ->
    [
        <<"GET / HTTP/1.", Number/binary, "\r\n">>,
        <<"HTTP/", Number/binary, ".1 200 OK\r\n">>,
        <<"HTTP/1.1 ", Number/binary, " OK\r\n">>,
        <<"GET http://host:", Number/binary, "/ HTTP/1.1\r\n">>
    ].

http(B, Line) ->
    {S, P} = xc:pair(B, [{packet, http_bin}, {buffer, 10000}]),
    ok = gen_tcp:send(P, [Line, "Host: x\r\n\r\n"]),
    [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2, 3]].

%% How many of Count calls timed out too early.
early(Count, Call) ->
    Calls = [timer:tc(Call) || _ <- lists:seq(1, Count)],
    {lists:usort([Result || {_, Result} <- Calls]), length([ok || {Time, _} <- Calls, Time < 5000])}.

%% --- garbage -----------------------------------------------------------------

%% The results of recv for random bytes of the alphabet of a packet type, the same bytes for each backend.
garbage(B, Packet, Seed) ->
    State = rand:seed_s(exsss, erlang:phash2({Packet, Seed})),
    {Bytes, _} = lists:mapfoldl(fun(_, S) -> one_of(alphabet(Packet), S) end, State, lists:seq(1, 60)),
    {S, P} = xc:pair(B, [{packet, Packet}]),
    ok = gen_tcp:send(P, Bytes),
    ok = gen_tcp:shutdown(P, write),
    all(S).

all(S) ->
    case gen_tcp:recv(S, 0, 5000) of
        {ok, Packet} -> [Packet | all(S)];
        Error -> [Error, gen_tcp:recv(S, 0, 5000)]
    end.

one_of(Alphabet, State) ->
    {N, Next} = rand:uniform_s(tuple_size(Alphabet), State),
    {element(N, Alphabet), Next}.

alphabet(Packet) when Packet =:= http; Packet =:= http_bin; Packet =:= httph; Packet =:= httph_bin ->
    {
        "GET ", "HTTP/1.1", "HTTP/", " ", "\r\n", "\n", "\r", ":", "http://", "/", "Host", "*", "9", "0",
        <<0>>, <<255>>, <<"123456789012">>, "\t", ".", "abc", "%", "\r\n\r\n", " 200 OK"
    };
alphabet(line) ->
    {"a", "\n", "\r\n", <<0>>, <<255>>, "bcd"};
alphabet(_) ->
    {<<0>>, <<1>>, <<2>>, <<3>>, <<4>>, <<16#30>>, <<16#1f>>, <<16#80>>, <<16#81>>, <<16#82>>, <<16#ff>>, "GIOP", <<22>>, "x"}.

%% --- out of band -------------------------------------------------------------

%% The results of recv when the last of Size bytes was sent with MSG_OOB, and more bytes follow.
out_of_band(B, Size, Ask) ->
    Path = "/tmp/inetpy_hostile_" ++ os:getpid() ++ "_" ++ integer_to_list(erlang:unique_integer([positive])),
    {ok, L} = gen_tcp:listen(0, xc:options(B, [local, {ip, {local, Path}}, binary, {active, false}])),
    {ok, P} = socket:open(local, stream),
    ok = socket:connect(P, #{family => local, path => Path}),
    S = xc:accept(L),
    ok = file:delete(Path),
    case send_out_of_band(P, xc:fill(Size)) of
        ok -> ok;
        {error, Reason} -> xc:skip(lists:concat(["no bytes out of band on unix sockets: ", Reason]))
    end,
    First = gen_tcp:recv(S, Ask, 500),
    ok = socket:send(P, <<"behind">>),
    ok = socket:close(P),
    Rest = rest(S, <<>>),
    {sized(First), byte_size(Rest), erlang:crc32(Rest)}.

send_out_of_band(P, Data) ->
    case socket:send(P, Data, [oob]) of
        {ok, Rest} -> send_out_of_band(P, Rest);
        Result -> Result
    end.

rest(S, Data) ->
    case gen_tcp:recv(S, 0, 500) of
        {ok, More} -> rest(S, <<Data/binary, More/binary>>);
        {error, _} -> Data
    end.

sized({ok, Data}) -> {byte_size(Data), erlang:crc32(Data)};
sized(Error) -> Error.

%% --- large -------------------------------------------------------------------

large_packet(N) ->
    Size = 3 * ?MEGABYTE + N,
    <<Size:32, (xc:fill(Size))/binary>>.

large_message(S, true) ->
    receive {tcp, S, Data} -> erlang:crc32(Data) after 5000 -> nothing end;
large_message(S, false) ->
    {ok, Data} = gen_tcp:recv(S, 0, 5000),
    erlang:crc32(Data).

through(S, P, Options, Size) ->
    ok = inet:setopts(S, Options),
    Data = xc:fill(Size),
    Sender = xc:spawn_call(fun() -> gen_tcp:send(S, Data) end),
    {ok, Got} = gen_tcp:recv(P, Size, 10000),
    {xc:await(Sender), Got =:= Data}.

%% The number of bytes that wait to be sent, when it has not changed for a while.
pending(S) ->
    {ok, [{send_pend, Before}]} = inet:getstat(S, [send_pend]),
    timer:sleep(200),
    case inet:getstat(S, [send_pend]) of
        {ok, [{send_pend, Before}]} -> Before;
        {ok, _} -> pending(S)
    end.
