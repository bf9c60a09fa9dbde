%% The packet types raw, 0, 1, 2, 4 and line.
-module(xc_packet).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {raw_is_zero, "raw is another name of 0.", fun(B) ->
            {S, _} = xc:pair(B, [{packet, raw}]),
            inet:getopts(S, [packet])
        end},
        {recv_1, "Packets with a length of one byte.", fun(B) -> prefixed(B, 1) end},
        {recv_2, "Packets with a length of two bytes.", fun(B) -> prefixed(B, 2) end},
        {recv_4, "Packets with a length of four bytes.", fun(B) -> prefixed(B, 4) end},
        {list_2, "Packets as lists.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}, list]),
            ok = gen_tcp:send(P, <<3:16, "abc">>),
            gen_tcp:recv(S, 0)
        end},
        {empty_packet, "A packet of no bytes.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(P, <<0:16, 1:16, "x">>),
            [gen_tcp:recv(S, 0), gen_tcp:recv(S, 0)]
        end},
        {active_2, "Packets as messages.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}, {active, true}]),
            ok = gen_tcp:send(P, <<1:16, "a", 2:16, "bc", 3:16, "def">>),
            {S =/= P, [xc:next() || _ <- [1, 2, 3]]}
        end},
        {cut_packet, "A packet that arrives in pieces.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {active, true}]),
            ok = inet:setopts(P, [{nodelay, true}]),
            [begin ok = gen_tcp:send(P, [C]), timer:sleep(2) end || <<C>> <= <<5:32, "piece">>],
            {S =/= P, xc:next()}
        end},
        {large_packet, "A packet larger than the buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {buffer, 64}]),
            _ = xc:spawn_call(fun() -> gen_tcp:send(P, <<200000:32, (xc:fill(200000))/binary>>) end),
            gen_tcp:recv(S, 0, 5000) =:= {ok, xc:fill(200000)}
        end},
        {length_in_packet_mode, "recv with a length in packet mode.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(P, <<3:16, "abc">>),
            [gen_tcp:recv(S, 3, 100), gen_tcp:recv(S, 0, 1000)]
        end},
        {truncated_by_eof, "A packet cut by the end of the stream is lost.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(P, <<1:16, "a", 10:16, "short">>),
            ok = gen_tcp:close(P),
            [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2, 3]]
        end},
        {oversize, "A packet over packet_size.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {packet_size, 10}]),
            ok = gen_tcp:send(P, <<11:32, "elevenbytes">>),
            [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2]]
        end},
        {oversize_active, "A packet over packet_size on an active socket.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {packet_size, 10}, {active, true}]),
            ok = gen_tcp:send(P, <<11:32, "elevenbytes">>),
            {S =/= P, [xc:next(), xc:next()]}
        end},
        {oversize_behind_another, "A packet over packet_size behind one that is delivered.", fun(B) ->
            [
                begin
                    {S, P} = xc:pair(B, [{packet, 1}, {packet_size, 12}]),
                    ok = gen_tcp:unrecv(S, <<2, "ab", 100, "more">>),
                    ok = inet:setopts(S, [{active, Mode}]),
                    First = xc:next(),
                    ok = gen_tcp:send(P, "x"),
                    {First, xc:next(100), xc:next(100), inet:setopts(S, [{active, true}]), xc:next(200), xc:next(100)}
                end
             || Mode <- [true, once, 5]
            ]
        end},
        {put_back_makes_room, "What is put back does not take the room of what comes.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {buffer, 20}]),
            ok = gen_tcp:send(P, "abcde"),
            {error, timeout} = gen_tcp:recv(S, 0, 100),
            ok = gen_tcp:unrecv(S, "hello\n"),
            Hello = gen_tcp:recv(S, 0, 1000),
            ok = gen_tcp:send(P, "a line of 22 and more\n"),
            {Hello, gen_tcp:recv(S, 0, 1000), gen_tcp:recv(S, 0, 1000)}
        end},
        {just_size, "A packet of packet_size.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {packet_size, 10}]),
            ok = gen_tcp:send(P, <<10:32, "tencharact">>),
            gen_tcp:recv(S, 0, 1000)
        end},
        {negative_length, "A length over 2 GB.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}]),
            ok = gen_tcp:send(P, <<16#FFFFFFFF:32, "x">>),
            [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2]]
        end},
        {timeout_in_packet, "A timeout keeps a part of a packet.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(P, <<4:16, "ab">>),
            Timeout = gen_tcp:recv(S, 0, 30),
            ok = gen_tcp:send(P, "cd"),
            {Timeout, gen_tcp:recv(S, 0, 1000)}
        end},
        {line, "Lines.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}]),
            ok = gen_tcp:send(P, "one\ntwo\r\n\nthree"),
            ok = gen_tcp:close(P),
            [gen_tcp:recv(S, 0, 1000) || _ <- lists:seq(1, 5)]
        end},
        {line_active, "Lines as messages.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {active, true}, list]),
            ok = gen_tcp:send(P, "one\ntwo\n"),
            {S =/= P, [xc:next(), xc:next()]}
        end},
        {line_over_buffer, "A line longer than the buffer comes in pieces.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {buffer, 8}]),
            ok = gen_tcp:send(P, "0123456789abcdefghij\nnext\n"),
            [gen_tcp:recv(S, 0, 1000) || _ <- lists:seq(1, 4)]
        end},
        {line_of_buffer, "A line as long as the buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {buffer, 8}]),
            ok = gen_tcp:send(P, "1234567\n12345678\nx\n"),
            [gen_tcp:recv(S, 0, 1000) || _ <- lists:seq(1, 4)]
        end},
        {line_over_packet_size, "A line over packet_size.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {packet_size, 6}]),
            ok = gen_tcp:send(P, "short\nlonger than six\n"),
            [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2, 3]]
        end},
        {line_recbuf, "recbuf makes room for longer lines.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {recbuf, 5000}]),
            Line = [xc:fill(4000), $\n],
            ok = gen_tcp:send(P, Line),
            {ok, Got} = gen_tcp:recv(S, 0, 1000),
            byte_size(Got)
        end},
        {line_default_buffer, "A line longer than the default buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}]),
            ok = gen_tcp:send(P, [xc:fill(60000), $\n]),
            [begin {ok, D} = gen_tcp:recv(S, 0, 1000), byte_size(D) end || _ <- [1, 2]]
        end},
        {switch_passive, "Another type with bytes in the buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}]),
            ok = gen_tcp:send(P, <<"head\n", 3:16, "abc", "rest">>),
            Head = gen_tcp:recv(S, 0, 1000),
            ok = inet:setopts(S, [{packet, 2}]),
            Body = gen_tcp:recv(S, 0, 1000),
            ok = inet:setopts(S, [{packet, raw}]),
            [Head, Body, gen_tcp:recv(S, 0, 1000)]
        end},
        {switch_active, "Another type on an active socket.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}, {active, true}]),
            ok = gen_tcp:send(P, "a line\n"),
            Quiet = xc:next(60),
            ok = inet:setopts(S, [{packet, line}]),
            {Quiet, xc:next()}
        end},
        {switch_once, "From line by once to raw by once.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}, {active, once}]),
            ok = gen_tcp:send(P, "first\nsecond"),
            First = xc:next(),
            ok = inet:setopts(S, [{packet, raw}, {active, once}]),
            {First, xc:next()}
        end},
        {send_1, "Sends the length in one byte.", fun(B) -> sends(B, 1) end},
        {send_2, "Sends the length in two bytes.", fun(B) -> sends(B, 2) end},
        {send_4, "Sends the length in four bytes.", fun(B) -> sends(B, 4) end},
        {send_line, "Sends lines as they are.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, line}]),
            ok = gen_tcp:send(S, "no newline"),
            gen_tcp:recv(P, 0, 1000)
        end},
        {send_empty, "Sends an empty packet.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 2}]),
            ok = gen_tcp:send(S, ""),
            gen_tcp:recv(P, 0, 1000)
        end},
        {send_too_long, "A packet too long for its length.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 1}]),
            Sent = gen_tcp:send(S, xc:fill(300)),
            ok = gen_tcp:close(S),
            {Sent, gen_tcp:recv(P, 1, 1000), gen_tcp:recv(P, 0, 1000)}
        end},
        {counters, "The counters count the lengths too.", fun(B) ->
            {S, P} = xc:pair(B, [{packet, 4}]),
            ok = gen_tcp:send(S, "four"),
            ok = gen_tcp:send(P, <<2:32, "ab">>),
            {ok, _} = gen_tcp:recv(S, 0, 1000),
            inet:getstat(S, [recv_oct, recv_cnt, send_oct, send_cnt])
        end},
        {bad_type, "A type that does not exist.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {inet:setopts(S, [{packet, 3}]), inet:getopts(S, [packet])}
        end}
    ].

prefixed(B, Width) ->
    {S, P} = xc:pair(B, [{packet, Width}]),
    Bits = 8 * Width,
    ok = gen_tcp:send(P, <<3:Bits, "abc", 5:Bits, "defgh">>),
    [gen_tcp:recv(S, 0, 1000), gen_tcp:recv(S, 0, 1000), gen_tcp:recv(S, 0, 0)].

sends(B, Width) ->
    {S, P} = xc:pair(B, [{packet, Width}]),
    ok = gen_tcp:send(S, ["ab", <<"cd">>]),
    gen_tcp:recv(P, Width + 4, 1000).
