%% The packet types with headers of their own, http, and the options header,
%% deliver and line_delimiter.
-module(xc_types).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    lists:append([of_type(Type, Stream) || {Type, Stream} <- streams()]) ++ others().

%% Each packet type with valid packets, and with bytes that begin no packet.
streams() ->
    [
        {asn1, <<16#30, 3, "abc", 16#30, 16#81, 2, "de", 16#1F, 16#81, 1, 2, "fg", 16#30, 16#85>>},
        {cdr, <<"GIOP", 1, 0, 0, 0, 3:32, "abc", "GIOP", 1, 0, 1, 0, 2:32/little, "de", "NOPE", 0:64>>},
        {sunrm, <<1:1, 3:31, "abc", 0:1, 2:31, "de">>},
        {fcgi, <<1, 1, 0, 1, 3:16, 2, 0, "abc", 0, 0, 1, 1, 0, 1, 2:16, 0, 0, "de", 9, 9, 9, 9, 9, 9, 9, 9>>},
        {tpkt, <<3, 0, 7:16, "abc", 3, 0, 6:16, "de", 4, 0, 6:16>>},
        {ssl_tls, <<22, 3, 3, 3:16, "abc", 23, 3, 3, 2:16, "de">>},
        {http, <<"GET /x HTTP/1.1\r\nHost: h\r\nX-a: b\r\n c\r\n\r\nHTTP/1.0 200 OK\r\nEtag: e\r\n\r\nbad\r\n">>},
        {http_bin, <<"POST http://h:8/p HTTP/1.0\r\nnew-header: v\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\nPATCH a HTTP/1.1\r\n">>},
        {httph, <<"Host: h\r\nContent-Length: 5\r\nNo colon\r\nlast: v\r\n\r\n">>},
        {httph_bin, <<"Host: h\r\nx-y-z: \t v \r\n\r\nCookie: c\r\n\r\n">>}
    ].

of_type(Type, Stream) ->
    Name = fun(Suffix) -> list_to_atom(atom_to_list(Type) ++ "_" ++ Suffix) end,
    [
        {Name("passive"), "Received packet by packet, then the end.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}]),
            ok = gen_tcp:send(P, Stream),
            ok = gen_tcp:shutdown(P, write),
            receive_all(S, 12)
        end},
        {Name("list"), "In list mode.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}, list]),
            ok = gen_tcp:send(P, Stream),
            ok = gen_tcp:shutdown(P, write),
            receive_all(S, 12)
        end},
        {Name("active"), "As messages.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}, {active, true}]),
            ok = gen_tcp:send(P, Stream),
            ok = gen_tcp:shutdown(P, write),
            {S =/= P, xc:messages(fun(M) -> element(1, M) =:= tcp_closed end)}
        end},
        {Name("once"), "One by one.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}]),
            ok = gen_tcp:send(P, Stream),
            {S =/= P, [begin Set = inet:setopts(S, [{active, once}]), {Set, xc:next(60)} end || _ <- lists:seq(1, 4)]}
        end},
        {Name("cut"), "A packet that comes in pieces.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}, {active, true}]),
            ok = inet:setopts(P, [{nodelay, true}]),
            [begin ok = gen_tcp:send(P, [C]), timer:sleep(1) end || <<C>> <= binary:part(Stream, 0, min(16, byte_size(Stream)))],
            {S =/= P, xc:next(60)}
        end},
        {Name("length"), "recv with a length.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}]),
            ok = gen_tcp:send(P, Stream),
            [gen_tcp:recv(S, 4, 100), gen_tcp:recv(S, 0, 1000)]
        end},
        {Name("oversize"), "A packet over packet_size.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}, {packet_size, 2}]),
            ok = gen_tcp:send(P, Stream),
            [gen_tcp:recv(S, 0, 200), gen_tcp:recv(S, 0, 200)]
        end},
        {Name("small_buffer"), "With a buffer smaller than packets.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}, {buffer, 16}]),
            ok = gen_tcp:send(P, Stream),
            ok = gen_tcp:shutdown(P, write),
            receive_all(S, 6)
        end},
        {Name("send"), "Sends as it is.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}]),
            ok = gen_tcp:send(S, "as it is"),
            gen_tcp:recv(P, 8, 1000)
        end},
        {Name("then_raw"), "Switched to raw in mid-stream.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, Type}]),
            ok = gen_tcp:send(P, Stream),
            First = gen_tcp:recv(S, 0, 1000),
            ok = inet:setopts(S, [{packet, raw}]),
            {First, gen_tcp:recv(S, 0, 1000)}
        end}
    ].

receive_all(_, 0) ->
    [];
receive_all(S, N) ->
    case gen_tcp:recv(S, 0, 1000) of
        {ok, _} = Ok -> [Ok | receive_all(S, N - 1)];
        Error -> [Error, gen_tcp:recv(S, 0, 100)]
    end.

others() ->
    [
        {header_active, "header: the first bytes as a list.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {header, 2}]),
            ok = gen_tcp:send(P, "abcd"),
            {S =/= P, xc:next()}
        end},
        {header_passive, "header with recv.", fun(B) ->
            {S, P} = xc:pair(B, [{header, 2}]),
            ok = gen_tcp:send(P, "abcdefgh"),
            [gen_tcp:recv(S, N, 1000) || N <- [1, 2, 3, 0]]
        end},
        {header_packet, "header with a packet type.", fun(B) ->
            {S, P} = xc:pair(B, [{header, 1}, {packet, 2}]),
            ok = gen_tcp:send(P, <<3:16, "abc", 0:16, 1:16, "x">>),
            [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2, 3]]
        end},
        {header_list, "header in list mode.", fun(B) ->
            {S, P} = xc:pair(B, [{header, 2}, list]),
            ok = gen_tcp:send(P, "abcd"),
            gen_tcp:recv(S, 0, 1000)
        end},
        {deliver_port, "deliver port: messages of a port.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {deliver, port}]),
            ok = gen_tcp:send(P, "data"),
            First = xc:next(),
            ok = gen_tcp:close(P),
            {S =/= P, First, xc:next()}
        end},
        {deliver_port_list, "deliver port in list mode, with a header.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {deliver, port}, list]),
            ok = gen_tcp:send(P, "data"),
            {S =/= P, xc:next()}
        end},
        {deliver_port_header, "deliver port with a header.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {deliver, port}, {header, 2}]),
            ok = gen_tcp:send(P, "data"),
            {S =/= P, xc:next()}
        end},
        {deliver_port_accepted, "deliver port of an accepted socket: lists, whatever the mode.", fun(B) ->
            [
                begin
                    {S, P} = xc:served(B, [{active, true}, {deliver, port} | Options]),
                    ok = gen_tcp:send(P, Data),
                    {Options, inet:getopts(S, [deliver, mode]), S =/= P, xc:next()}
                end
             || {Options, Data} <- delivered()
            ]
        end},
        {deliver_port_connected, "deliver port of a connected one: as the mode says.", fun(B) ->
            [
                begin
                    {S, P} = xc:pair(B, [{active, true}, {deliver, port} | Options]),
                    ok = gen_tcp:send(P, Data),
                    {Options, inet:getopts(S, [deliver, mode]), S =/= P, xc:next()}
                end
             || {Options, Data} <- delivered()
            ]
        end},
        {deliver_port_accepted_later, "deliver port set on an accepted socket.", fun(B) ->
            [
                begin
                    {S, P} = xc:served(B, Options),
                    ok = inet:setopts(S, Later),
                    ok = gen_tcp:send(P, "data"),
                    {Options, Later, S =/= P, xc:next()}
                end
             || {Options, Later} <- [
                    {[binary], [{deliver, port}, {active, true}]},
                    {[list], [{active, true}, binary, {deliver, port}]},
                    {[binary, {deliver, port}], [{deliver, term}, {active, once}]}
                ]
            ]
        end},
        {deliver_port_recv, "deliver port takes the data of recv.", fun(B) ->
            {S, P} = xc:pair(B, [{deliver, port}]),
            _ = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 1000) end),
            timer:sleep(30),
            ok = gen_tcp:send(P, "data"),
            {S =/= P, xc:next(1000), xc:next(30), gen_tcp:recv(S, 0, 50)}
        end},
        {deliver_port_http, "deliver port with http.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {deliver, port}, {packet, http_bin}]),
            ok = gen_tcp:send(P, "GET / HTTP/1.1\r\n"),
            {S =/= P, xc:next()}
        end},
        {deliver_port_given_away, "Messages of a port move to a new owner.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {deliver, port}]),
            ok = gen_tcp:send(P, "data"),
            true = xc:until(fun() -> inet:getstat(S, [recv_cnt]) =:= {ok, [{recv_cnt, 1}]} end),
            timer:sleep(20),
            Self = self(),
            Heir = spawn(fun() -> Self ! {heir, xc:next()}, receive after 5000 -> ok end end),
            {gen_tcp:controlling_process(S, Heir), xc:next()}
        end},
        {line_delimiter, "Another end of lines.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {line_delimiter, $;}]),
            ok = gen_tcp:send(P, "one;two\n;three"),
            [gen_tcp:recv(S, 0, 200) || _ <- [1, 2, 3]]
        end},
        {line_delimiter_set, "Another end of lines, set later.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}]),
            ok = gen_tcp:send(P, "one\ntwo;three\n"),
            First = gen_tcp:recv(S, 0, 1000),
            ok = inet:setopts(S, [{line_delimiter, $;}]),
            [First, gen_tcp:recv(S, 0, 1000), gen_tcp:recv(S, 0, 100)]
        end},
        {http_then_body, "A request, its headers, and the body as it is.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, http_bin}]),
            ok = gen_tcp:send(P, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"),
            Head = [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2, 3]],
            ok = inet:setopts(S, [{packet, raw}]),
            {Head, gen_tcp:recv(S, 4, 1000)}
        end},
        {http_long_line, "A request line longer than the buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, http_bin}]),
            ok = gen_tcp:send(P, ["GET /", xc:fill(3000), " HTTP/1.1\r\n"]),
            gen_tcp:recv(S, 0, 300)
        end},
        {http_long_line_packet_size, "A request line longer than the buffer, with packet_size.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, http_bin}, {packet_size, 8000}]),
            ok = gen_tcp:send(P, ["GET /", xc:fill(3000), " HTTP/1.1\r\n"]),
            element(1, gen_tcp:recv(S, 0, 1000))
        end},
        {http_count, "http with active N.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, http}, {active, 2}]),
            ok = gen_tcp:send(P, "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"),
            {S =/= P, [xc:next() || _ <- [1, 2, 3]], gen_tcp:recv(S, 0, 100)}
        end},
        {delay_send, "delay_send: all is sent all the same.", fun(B) ->
            {S, P} = xc:pair(B, [{delay_send, true}]),
            [ok = gen_tcp:send(S, <<N:16>>) || N <- lists:seq(1, 500)],
            gen_tcp:recv(P, 1000, 2000) =:= {ok, <<<<N:16>> || N <- lists:seq(1, 500)>>}
        end},
        {delay_send_large, "delay_send with more than the kernel takes.", fun(B) ->
            {S, P} = xc:pair(B, [{delay_send, true}, {send_timeout, 100}]),
            Sends = [gen_tcp:send(S, xc:fill(20000000)), gen_tcp:send(S, "x")],
            {Sends, element(1, gen_tcp:recv(P, 20000001, 20000))}
        end},
        {delay_send_close, "close sends what was delayed.", fun(B) ->
            {S, P} = xc:pair(B, [{delay_send, true}]),
            ok = gen_tcp:send(S, "delayed"),
            ok = gen_tcp:close(S),
            [gen_tcp:recv(P, 0, 1000), gen_tcp:recv(P, 0, 1000)]
        end},
        {delay_send_reset, "delay_send to a peer that has reset.", fun(B) ->
            {S, P} = xc:pair(B, [{delay_send, true}]),
            ok = xc:reset(P),
            timer:sleep(20),
            First = gen_tcp:send(S, "x"),
            timer:sleep(50),
            {First, [gen_tcp:send(S, "x") || _ <- [1, 2]], gen_tcp:recv(S, 0, 100)}
        end},
        {tos_pktoptions, "recvtos and pktoptions.", fun(B) ->
            {S, P} = xc:pair(B, [{recvtos, true}, {recvttl, true}]),
            ok = inet:setopts(P, [{tos, 16}]),
            ok = gen_tcp:send(P, "marked"),
            {ok, _} = gen_tcp:recv(S, 6, 1000),
            inet:getopts(S, [pktoptions])
        end},
        {raw_values, "Raw options, read and written.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Set = [inet:setopts(S, [X]) || X <- [{raw, 6, 1, <<1:32/native>>}, {raw, 6, 4, <<33:32/native>>}]],
            {Set, inet:getopts(S, [{raw, 6, 1, 4}, {raw, 6, 4, <<0:32>>}, {raw, 999, 1, 4}, nodelay, {raw, {6, 1, 4}}])}
        end},
        {raw_in_connect, "Several raw options in connect.", fun(B) ->
            {S, _} = xc:pair(B, [{raw, 6, 1, <<1:32/native>>}, {raw, 6, 4, <<44:32/native>>}]),
            inet:getopts(S, [{raw, 6, 1, 4}, {raw, 6, 4, 4}])
        end},
        {raw_bad, "Raw options that are none.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Bad = [{raw, 6, 1}, {raw, a, 1, 4}, {raw, 6, 1, -1}, {raw, 6, 1, a}, raw],
            {[inet:getopts(S, [X]) || X <- Bad], [inet:setopts(S, [X]) || X <- Bad]}
        end}
    ].

%% Options that change the contents of messages, and the bytes that are sent.
delivered() ->
    [
        {[binary], "abc"}, {[list], "abc"}, {[binary, {header, 1}], "abc"}, {[list, {header, 1}], "abc"},
        {[binary, {packet, 1}], [3, "abc"]}, {[binary, {packet, line}, {header, 2}], "abc\n"},
        {[binary, {packet, http}], "GET / HTTP/1.0\r\n"}, {[binary, {packet, httph_bin}], "Host: a\r\n\r\n"},
        {[binary, {packet, ssl}], <<23, 3, 1, 0, 2, 1, 2>>}
    ].
