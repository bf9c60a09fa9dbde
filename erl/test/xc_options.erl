%% inet:setopts/2 and getopts/2.
-module(xc_options).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {defaults_listen, "The defaults of a listening socket.", fun(B) ->
            inet:getopts(xc:listen(B, []), names() -- [sndbuf, recbuf])
        end},
        {defaults_connect, "The defaults of a connection.", fun(B) ->
            {S, _} = xc:pair(B, []),
            inet:getopts(S, names() -- [sndbuf])
        end},
        {defaults_accept, "The defaults of an accepted connection.", fun(B) ->
            {S, _} = xc:served(B, []),
            inet:getopts(S, names() -- [sndbuf])
        end},
        {get_none, "getopts of nothing.", fun(B) -> with(B, fun(S) -> inet:getopts(S, []) end) end},
        {get_twice, "getopts of a name twice.", fun(B) ->
            with(B, fun(S) -> inet:getopts(S, [nodelay, mode, nodelay]) end)
        end},
        {get_unknown, "getopts of an unknown name.", fun(B) ->
            with(B, fun(S) -> inet:getopts(S, [mode, no_such_option]) end)
        end},
        {get_no_list, "getopts of what is no list.", fun(B) ->
            with(B, fun(S) -> xc:attempt(fun() -> inet:getopts(S, mode) end) end)
        end},
        {get_write_only, "getopts of what cannot be asked for.", fun(B) ->
            with(B, fun(S) -> [inet:getopts(S, [X]) || X <- [backlog, ip, port, binary, list]] end)
        end},
        {set_none, "setopts of nothing.", fun(B) -> with(B, fun(S) -> inet:setopts(S, []) end) end},
        {set_unknown, "setopts of an unknown name changes nothing.", fun(B) ->
            with(B, fun(S) ->
                Set = inet:setopts(S, [{nodelay, true}, {no_such_option, 1}, {packet, 2}]),
                {Set, inet:getopts(S, [nodelay, packet])}
            end)
        end},
        {set_bad_value, "setopts of a wrong value changes nothing.", fun(B) ->
            with(B, fun(S) ->
                Set = inet:setopts(S, [{nodelay, true}, {packet, nine}]),
                {Set, inet:getopts(S, [nodelay])}
            end)
        end},
        {set_bad_values, "Values of a wrong type.", fun(B) ->
            with(B, fun(S) ->
                [
                    {Name, inet:setopts(S, [{Name, Value}])}
                 || {Name, Value} <- [
                        {active, 1.5}, {mode, text}, {packet, 8}, {packet_size, -1}, {buffer, big},
                        {recbuf, 1.0}, {sndbuf, none}, {nodelay, 1}, {reuseaddr, yes}, {keepalive, 0},
                        {linger, true}, {linger, {true}}, {linger, {1, 2}}, {linger, {true, x}},
                        {exit_on_close, maybe_}, {send_timeout, -1}, {send_timeout, never},
                        {send_timeout_close, 1}, {show_econnreset, 1}, {high_watermark, high},
                        {low_watermark, []}
                    ]
                ]
            end)
        end},
        {set_open_only, "setopts of what belongs to listen and connect.", fun(B) ->
            with(B, fun(S) ->
                [inet:setopts(S, [X]) || X <- [{backlog, 5}, {ip, {127, 0, 0, 1}}, {port, 1}, inet, {fd, 1}]]
            end)
        end},
        {set_malformed, "setopts of what is no option.", fun(B) ->
            with(B, fun(S) ->
                [inet:setopts(S, [X]) || X <- [nodelay, {nodelay}, {nodelay, true, 1}, 1, "ab", {"nodelay", true}]]
            end)
        end},
        {mode, "mode, list and binary.", fun(B) ->
            with(B, fun(S) ->
                [
                    begin
                        ok = inet:setopts(S, [Option]),
                        inet:getopts(S, [mode])
                    end
                 || Option <- [list, binary, {mode, list}, {mode, binary}]
                ]
            end)
        end},
        {last_wins_in_open, "In connect the last value of a name wins.", fun(B) ->
            {S, _} = xc:pair(B, [{packet, 1}, {packet, 2}, {send_timeout, 5}, {send_timeout, 6}, list]),
            inet:getopts(S, [packet, send_timeout, mode])
        end},
        {first_wins_in_set, "In setopts a list is applied from its end.", fun(B) ->
            with(B, fun(S) ->
                ok = inet:setopts(S, [{packet, 1}, {packet, 2}]),
                inet:getopts(S, [packet])
            end)
        end},
        {buffer, "buffer is at least 1.", fun(B) -> [opened(B, [{buffer, X}], [buffer]) || X <- [1, 0, -5, 100000]] end},
        {raw_sizes, "The size of a raw option: as a number, and as a binary.", fun(B) ->
            with(B, fun(S) ->
                Sizes = [0, 1, 4, 16, 1024, 1025, 65522, 65523, 1 bsl 31, 1 bsl 32, (1 bsl 32) + 4, -1, x],
                Numbers = [inet:getopts(S, [{raw, 6, 13, Size}]) || Size <- Sizes],
                Binaries = [inet:getopts(S, [{raw, 6, 13, xc:fill(Size)}]) || Size <- [0, 4, 1025, 65522, 65523]],
                {Numbers, Binaries}
            end)
        end},
        {raw_names, "The numbers of a raw option are of 32 bits.", fun(B) ->
            with(B, fun(S) ->
                Names = [{(1 bsl 32) + 6, 1}, {6, (1 bsl 32) + 1}, {-1, 1}, {6, -1}, {6.0, 1}, {6, nodelay}],
                [[inet:getopts(S, [{raw, L, O, 4}]), inet:setopts(S, [{raw, L, O, <<1:32/native>>}])] || {L, O} <- Names]
            end)
        end},
        {recbuf_raises_buffer, "recbuf raises buffer.", fun(B) ->
            [
                opened(B, Options, [buffer])
             || Options <- [
                    [{recbuf, 8192}], [{recbuf, 100}], [{buffer, 100}, {recbuf, 8192}],
                    [{recbuf, 8192}, {buffer, 100}], [{recbuf, 4000}, {recbuf, 3000}]
                ]
            ]
        end},
        {recbuf_raises_buffer_later, "And later, until buffer is set.", fun(B) ->
            with(B, fun(S) ->
                [
                    begin
                        ok = inet:setopts(S, [Option]),
                        inet:getopts(S, [buffer])
                    end
                 || Option <- [{recbuf, 8192}, {recbuf, 2000}, {buffer, 100}, {recbuf, 9000}]
                ]
            end)
        end},
        {recbuf, "recbuf is what the kernel makes of it.", fun(B) -> opened(B, [{recbuf, 20000}], [recbuf]) end},
        {sndbuf, "sndbuf is what the kernel makes of it.", fun(B) -> opened(B, [{sndbuf, 20000}], [sndbuf]) end},
        {tiny_buffers, "recbuf and sndbuf that are too small.", fun(B) ->
            opened(B, [{recbuf, 1}, {sndbuf, 1}], [recbuf, sndbuf])
        end},
        {negative_buffers, "recbuf and sndbuf that are negative.", fun(B) ->
            element(1, opened(B, [{recbuf, -1}, {sndbuf, -1}], [recbuf, sndbuf]))
        end},
        {flags, "nodelay, keepalive and reuseaddr.", fun(B) ->
            opened(B, [{nodelay, true}, {keepalive, true}, {reuseaddr, true}], [nodelay, keepalive, reuseaddr])
        end},
        {flags_off, "And off again.", fun(B) ->
            {S, _} = xc:pair(B, [{nodelay, true}, {keepalive, true}]),
            ok = inet:setopts(S, [{nodelay, false}, {keepalive, false}]),
            inet:getopts(S, [nodelay, keepalive])
        end},
        {linger, "linger.", fun(B) ->
            [opened(B, [{linger, X}], [linger]) || X <- [{true, 5}, {false, 5}, {true, 0}, {true, -1}]]
        end},
        {watermarks, "A watermark moves the other one.", fun(B) ->
            [
                opened(B, Options, [high_watermark, low_watermark])
             || Options <- [
                    [{high_watermark, 100}], [{low_watermark, 100000}],
                    [{high_watermark, 10}, {low_watermark, 20}], [{low_watermark, 20}, {high_watermark, 10}],
                    [{high_watermark, -10}], [{low_watermark, -10}]
                ]
            ]
        end},
        {tos_keeps_priority, "Setting tos leaves the priority as it was, in any order.", fun(B) ->
            with(B, fun(S) ->
                [
                    {Options, inet:setopts(S, Options), inet:getopts(S, [tos, priority])}
                 || Options <- [
                        [{tos, 16}], [{tos, 0}], [{priority, 5}], [{tos, 16}], [{priority, 3}, {tos, 8}],
                        [{tos, 8}, {priority, 2}], [{priority, 100}], [{tos, 40}], [{tos, 256}], [{tos, -1}],
                        [{raw, 0, 1, <<16:32/native>>}], [{tos, x}], [{tos, 24}, {nodelay, true}]
                    ]
                ]
            end)
        end},
        {tos_and_priority_opened, "tos and priority as options of connect.", fun(B) ->
            [opened(B, Options, [tos, priority]) || Options <- priorities()]
        end},
        {tos_and_priority_accepted, "tos and priority of a listening socket and what it accepts.", fun(B) ->
            [
                begin
                    {S, _} = xc:served(B, Options),
                    inet:getopts(S, [tos, priority])
                end
             || Options <- priorities()
            ]
        end},
        {tos_and_priority_udp, "tos and priority of datagram sockets.", fun(B) ->
            [
                begin
                    {S, _} = xc:udp(B, Options),
                    {inet:getopts(S, [tos, priority]), inet:setopts(S, [{tos, 8}]), inet:getopts(S, [tos, priority])}
                end
             || Options <- priorities()
            ]
        end},
        {tclass_and_priority, "tclass leaves the priority as it was, too.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, {ip, xc:loopback6()}, {priority, 5}])),
            [{inet:setopts(S, [O]), inet:getopts(S, [tos, tclass, priority])} || O <- [{tclass, 16}, {tos, 8}, {tclass, 0}]]
        end},
        {message_watermarks, "A limit of the queue of messages moves the other one.", fun(B) ->
            with(B, fun(S) -> message_watermarks(S) end)
        end},
        {message_watermarks_udp, "And on datagram sockets.", fun(B) ->
            {S, _} = xc:udp(B, []),
            message_watermarks(S)
        end},
        {message_watermarks_opened, "The limits as options of connect.", fun(B) ->
            [xc:attempt(fun() -> opened(B, Options, message_names()) end) || Options <- message_limits()]
        end},
        {message_watermarks_accepted, "The limits of a listening socket and what it accepts.", fun(B) ->
            [
                xc:attempt(fun() ->
                    {S, _} = xc:served(B, Options),
                    inet:getopts(S, message_names())
                end)
             || Options <- message_limits()
            ]
        end},
        {large_numbers, "Numbers of more than 32 bits.", fun(B) ->
            Big = (1 bsl 32) + 5,
            opened(B, [{high_watermark, Big}, {packet_size, Big}, {send_timeout, Big}], [high_watermark, packet_size, send_timeout])
        end},
        {send_timeout, "send_timeout.", fun(B) ->
            [opened(B, [{send_timeout, X}, {send_timeout_close, true}], [send_timeout, send_timeout_close]) || X <- [infinity, 0, 500]]
        end},
        {packet_size, "packet_size.", fun(B) -> opened(B, [{packet_size, 4096}], [packet_size]) end},
        {booleans, "exit_on_close and show_econnreset.", fun(B) ->
            opened(B, [{exit_on_close, false}, {show_econnreset, true}], [exit_on_close, show_econnreset])
        end},
        {set_on_listener, "Options set on a listening socket are for those it accepts later.", fun(B) ->
            L = xc:listen(B, []),
            ok = inet:setopts(L, [{packet, 4}, {nodelay, true}, list, {buffer, 99}]),
            {ok, _} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), []),
            inet:getopts(xc:accept(L), [packet, nodelay, mode, buffer])
        end}
    ].

priorities() ->
    [[{priority, 5}], [{tos, 16}], [{priority, 3}, {tos, 8}], [{tos, 8}, {priority, 2}], [{tos, 16}, {tos, 8}]].

message_names() -> [high_msgq_watermark, low_msgq_watermark].

message_limits() ->
    [
        [{high_msgq_watermark, 100}], [{low_msgq_watermark, 10000}],
        [{high_msgq_watermark, 10}, {low_msgq_watermark, 20}], [{low_msgq_watermark, 20}, {high_msgq_watermark, 10}],
        [{high_msgq_watermark, 0}], [{low_msgq_watermark, 0}], [{high_msgq_watermark, 1}], [{low_msgq_watermark, 1}],
        [{high_msgq_watermark, 1 bsl 31}], [{low_msgq_watermark, 1 bsl 31}], [{low_msgq_watermark, -1}],
        [{low_msgq_watermark, -2}], [{high_msgq_watermark, -2}], [{high_msgq_watermark, (1 bsl 31) - 1}],
        [{low_msgq_watermark, (1 bsl 32) + 5}], [{nodelay, true}, {low_msgq_watermark, 0}]
    ].

message_watermarks(S) ->
    [{Options, inet:setopts(S, Options), inet:getopts(S, message_names())} || Options <- message_limits()].

names() ->
    [
        active, mode, packet, packet_size, buffer, recbuf, sndbuf, nodelay, reuseaddr, keepalive,
        linger, exit_on_close, send_timeout, send_timeout_close, show_econnreset,
        high_watermark, low_watermark
    ].

with(B, Fun) ->
    {S, _} = xc:pair(B, []),
    Fun(S).

opened(B, Options, Names) ->
    {S, _} = xc:pair(B, Options),
    inet:getopts(S, Names).
