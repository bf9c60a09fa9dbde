%% What happens to a stream: resets, ends, small pieces, delays.
-module(xf_stream).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() -> xf:scenarios(lists:append([ends(), writing(), pieces(), pace(), orders(), unix()])).

%% A peer that would send more and stay.
-define(ORDINARY, {peer, [{send, 5000}, wait]}).

ends() ->
    lists:append([
        xf:variants(xf:modes(), {
            reset_at_byte, "A peer that sends 1050 bytes and resets.",
            {peer, [{send, 1050}, reset]},
            {?ORDINARY, [{#{direction => recv}, {reset, #{after_bytes => 1050}}}]},
            fun to_the_end/2
        }),
        xf:variants(xf:modes(), {
            limit_reset, "The same as a limit.",
            {peer, [{send, 1050}, reset]},
            {?ORDINARY, [{#{direction => recv}, {limit, #{bytes => 1050, then => reset}}}]},
            fun to_the_end/2
        }),
        xf:variants(xf:modes(), {
            limit_close, "A peer that sends 1050 bytes and closes.",
            {peer, [{send, 1050}, close]},
            {?ORDINARY, [{#{direction => recv}, {limit, #{bytes => 1050}}}]},
            fun to_the_end/2
        }),
        xf:variants(xf:modes(), {
            limit_blackhole, "A peer from which nothing comes behind 1050 bytes.",
            {peer, [{send, 1050}, wait]},
            {?ORDINARY, [{#{direction => recv}, {limit, #{bytes => 1050, then => blackhole}}}]},
            fun to_the_end/2, #{quiet => 300}
        }),
        xf:variants(xf:modes(), {
            reset_later, "A peer that resets after a time.",
            {peer, [{send, 200}, {sleep, 250}, reset]},
            {{peer, [{send, 200}, wait]}, [{#{}, {reset, #{after_ms => 250}}}]},
            fun(B, Env) -> S = xf:open(B, Env, []), xf:paced(200, fun() -> ended(S, Env) end) end
        }),
        xf:variants(xf:modes(), {
            reset_open, "A peer that resets while the connection is used.",
            {peer, [{send, 200}, await, reset]},
            {{peer, [{send, 200}, wait]}, [{later, {#{}, reset}}]},
            fun reset_open/2
        }),
        xf:variants(xf:few() ++ [{accepted, #{role => accepted}}], {
            reset_at_once, "A peer that resets when it has accepted.",
            {peer, [reset]},
            {{peer, [{send, 200}, wait]}, [{#{}, reset}]},
            fun to_the_end/2
        }),
        [
            {reset_names, "The names and options of a socket that was reset.",
                {peer, [{send, 200}, await, reset]},
                {{peer, [{send, 200}, wait]}, [{later, {#{}, reset}}]}, fun names_and_options/2},
            {closed_names, "The names and options of a socket whose peer has closed.",
                {peer, [{send, 200}, await, close]},
                {{peer, [{send, 200}, wait]}, [{later, {#{}, {limit, #{bytes => 0}}}}]}, fun names_and_options/2}
        ],
        xf:variants(xf:few(), {
            half_closed_peer, "The peer's direction ends at a byte, the other stays.",
            {peer, [{send, 1050}, half_close, sink]},
            {{peer, [{send, 5000}, sink]}, [{#{direction => recv}, {limit, #{bytes => 1050}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, [{exit_on_close, false}]),
                {xf:read(S, Env), inet:getopts(S, [active])}
            end
        }),
        xf:variants(xf:few() ++ [{accepted, #{role => accepted}}], {
            down, "The host goes down: open connections are reset, new ones refused.",
            {peer, [{send, 200}, await, reset]},
            {{peer, [{send, 200}, wait]}, [{later, {#{}, down}}]},
            fun goes_down/2
        })
    ]).

names_and_options(B, Env) ->
    S = xf:open(B, Env, [{exit_on_close, false}, {sndbuf, 20000}, {keepalive, true}]),
    {ok, {Ip, _}} = inet:sockname(S),
    First = gen_tcp:recv(S, 200, 20000) =:= {ok, xc:fill(200)},
    ok = xf:event(Env),
    Seen = xf:read(S, Env),
    {
        First, Seen, inet:peername(S) =:= {ok, {maps:get(address, Env), maps:get(port, Env)}},
        case inet:sockname(S) of {ok, {Ip, _}} -> same; Other -> Other end,
        inet:getopts(S, [sndbuf, keepalive, nodelay, priority, tos]), inet:setopts(S, [{keepalive, false}, {nodelay, true}]),
        inet:getopts(S, [keepalive, nodelay]), gen_tcp:shutdown(S, write), gen_tcp:close(S)
    }.

to_the_end(B, Env) ->
    S = xf:open(B, Env, []),
    ended(S, Env).

ended(S, Env) ->
    {xf:read(S, Env), gen_tcp:send(S, "x"), inet:getopts(S, [active])}.

reset_open(B, Env) ->
    S = xf:open(B, Env, []),
    First = xf:take(S, Env, 2),
    ok = xf:event(Env),
    {First, xf:read(S, Env), gen_tcp:send(S, "x"), inet:getopts(S, [active])}.

goes_down(B, #{role := Role} = Env) ->
    S = xf:open(B, Env, []),
    First = xf:take(S, Env, 2),
    ok = xf:tell(Env, close_listener),
    ok = xf:event(Env),
    Seen = xf:read(S, Env),
    {First, Seen, [xf:open(B, Env, []) || Role =:= client]}.

%% --- writing ------------------------------------------------------------------

writing() ->
    [
        {reset_while_sending, "A peer that resets when it has 10000 bytes.",
            {peer, [{recv, 10000}, reset]},
            {{peer, [sink]}, [{#{direction => send}, {reset, #{after_bytes => 10000}}}]},
            fun send_until_error/2},
        {reset_while_sending_active, "The same, active.",
            {peer, [{recv, 10000}, reset]},
            {{peer, [sink]}, [{#{direction => send}, {reset, #{after_bytes => 10000}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, [{active, true}]),
                {lists:usort(sends(S, 200)), xc:messages(fun({Word, _}) -> Word =:= tcp_closed; (_) -> false end)}
            end},
        {closed_while_sending, "A peer that closes when it has 10000 bytes.",
            {peer, [{recv, 10000}, close]},
            {{peer, [sink]}, [{#{direction => send}, {limit, #{bytes => 10000}}}]},
            fun send_until_error/2},
        {peer_has_the_bytes, "A connection that is reset behind 10000 sent bytes: the peer has these.",
            {peer, [{recv, 10000}, await, reset]},
            {{peer, [{recv, 10000}, await, sink]}, [{#{direction => send}, {reset, #{after_bytes => 10000}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                Sent = gen_tcp:send(S, xc:fill(10000)),
                ok = xf:event(Env),
                {Sent, gen_tcp:recv(S, 0, 20000)}
            end},
        {full_buffers, "A peer that does not read: a zero window, and send_timeout.",
            {peer, [{setopts, [{recbuf, 4096}]}, wait]},
            {{peer, [sink]}, [{later, {#{direction => send}, blackhole}}]},
            fun(B, Env) -> not_read(B, Env, [{send_timeout, 200}]) end},
        {full_buffers_close, "A peer that does not read, and send_timeout_close.",
            {peer, [{setopts, [{recbuf, 4096}]}, wait]},
            {{peer, [sink]}, [{later, {#{direction => send}, blackhole}}]},
            fun(B, Env) -> not_read(B, Env, [{send_timeout, 200}, {send_timeout_close, true}]) end},
        {full_buffers_active, "The same, active.",
            {peer, [{setopts, [{recbuf, 4096}]}, wait]},
            {{peer, [sink]}, [{later, {#{direction => send}, blackhole}}]},
            fun(B, Env) -> not_read(B, Env, [{send_timeout, 200}, {send_timeout_close, true}, {active, true}]) end},
        {watermark, "A peer that does not read, and then does: who waits, and that all comes.",
            {peer, [{setopts, [{recbuf, 4096}]}, await, await, {setopts, [{recbuf, 1 bsl 20}]}, drain]},
            {{peer, [drain]}, [{later, {#{direction => send}, blackhole}}]},
            fun busy/2},
        {short_write_packet, "The same with packets.",
            {with, #{options => [{sndbuf, 2048}]}, {peer, [{setopts, [{recbuf, 2048}]}, drain]}},
            {{peer, [drain]}, [{#{}, {short_write, #{size => 3}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, [{packet, 4}]),
                Sent = [gen_tcp:send(S, "four") || _ <- lists:seq(1, 50)],
                ok = gen_tcp:close(S),
                {Size, _, Why} = xf:told(Env),
                {lists:usort(Sent), Size, Why}
            end},
        {eagain_send, "Buffers that are full for a while: nobody is told.",
            {with, #{options => [{sndbuf, 2048}]}, {peer, [{setopts, [{recbuf, 2048}]}, {sleep, 50}, drain]}},
            {{peer, [drain]}, [{#{}, {eagain, #{n => 5}}}]},
            fun all_arrives/2},
        {send_error, "A send on a connection that was reset.",
            {peer, [await, reset]},
            {{peer, [sink]}, [{later, {#{}, {error, #{call => send, errno => econnreset}}}}]},
            fun(B, Env) -> send_after(B, Env, []) end},
        {send_error_shown, "The same with show_econnreset.",
            {peer, [await, reset]},
            {{peer, [sink]}, [{later, {#{}, {error, #{call => send, errno => econnreset}}}}]},
            fun(B, Env) -> send_after(B, Env, [{show_econnreset, true}]) end}
    ] ++
    xf:variants(xf:few() ++ [{accepted, #{role => accepted}}], {
        short_write, "A socket with a small buffer, and a peer with a small window: all comes, in order.",
        {with, #{options => [{sndbuf, 2048}]}, {peer, [{setopts, [{recbuf, 2048}]}, drain]}},
        {{peer, [drain]}, [{#{}, {short_write, #{size => 700}}}]},
        fun all_arrives/2
    }) ++
    xf:variants(xf:few() ++ [{accepted, #{role => accepted}}], {
        eagain, "Wakings with nothing to read: nobody is told.",
        {peer, [{drip, 300}, close]},
        {{peer, [{send, 300}, close]}, [{#{direction => recv}, {eagain, #{n => 5}}}]},
        fun to_the_end/2
    }) ++
    xf:variants(xf:few() ++ [{shown, #{options => [{show_econnreset, true}]}}], {
        recv_error, "A read on a connection that was reset.",
        {peer, [{send, 200}, await, reset]},
        {{peer, [{send, 200}, await, {send, 100}, wait]}, [{later, {#{}, {error, #{call => recv, errno => econnreset}}}}]},
        fun reset_open/2
    }).

send_until_error(B, Env) ->
    S = xf:open(B, Env, []),
    {lists:usort(sends(S, 1000)), gen_tcp:recv(S, 0, 1000), gen_tcp:send(S, "x")}.

sends(_, 0) -> [never];
sends(S, N) ->
    case gen_tcp:send(S, xc:fill(1000)) of
        ok -> timer:sleep(2), [ok | sends(S, N - 1)];
        Error -> [Error]
    end.

not_read(B, Env, Options) ->
    S = xf:open(B, Env, [{sndbuf, 4096} | Options]),
    ok = xf:event(Env),
    {Ok, [Error]} = lists:split(1, lists:usort(fills(S, 200))),
    Pending = inet:getstat(S, [send_pend]),
    {Ok, Error, pending(Pending), gen_tcp:send(S, "x"), inet:getopts(S, [active])}.

fills(_, 0) -> [never];
fills(S, N) ->
    case gen_tcp:send(S, xc:fill(100000)) of
        ok -> [ok | fills(S, N - 1)];
        Error -> [Error]
    end.

pending({ok, [{send_pend, 0}]}) -> nothing;
pending({ok, [{send_pend, _}]}) -> some;
pending(Error) -> Error.

%% 200 kB are more than what buffers and the watermark take: the second caller waits until bytes flow.
busy(B, Env) ->
    S = xf:open(B, Env, [{sndbuf, 4096}]),
    ok = xf:event(Env),
    Sent = gen_tcp:send(S, xc:fill(200000)),
    Second = xc:spawn_call(fun() -> gen_tcp:send(S, xc:fill(1000)) end),
    Early = xc:await(Second, 200),
    Pending = pending(inet:getstat(S, [send_pend])),
    ok = xf:heal(Env),
    ok = xf:tell(Env, go),
    Late = xc:await(Second, 20000),
    Closed = gen_tcp:close(S),
    {Sent, Early, Pending, Late, Closed, element(1, xf:told(Env))}.

all_arrives(B, Env) ->
    S = xf:open(B, Env, []),
    Sent = [gen_tcp:send(S, xc:fill(16000)) || _ <- lists:seq(1, 10)],
    ok = gen_tcp:close(S),
    {lists:usort(Sent), xf:told(Env)}.

send_after(B, Env, Options) ->
    S = xf:open(B, Env, Options),
    ok = xf:event(Env),
    timer:sleep(50),
    {gen_tcp:send(S, "x"), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 1000)}.

%% --- pieces -------------------------------------------------------------------

pieces() ->
    xf:variants(xf:modes(), {
        short_read, "A peer that writes byte by byte.",
        {peer, [{drip, 350}, close]},
        {{peer, [{send, 350}, close]}, [{#{}, {short_read, #{size => 1}}}]},
        fun to_the_end/2
    }) ++
    [
        {short_read_sizes, "What each recv gets of a peer that writes byte by byte.",
            {peer, [{drip, 20}, close]},
            {{peer, [{send, 20}, close]}, [{#{}, {short_read, #{size => 1}}}]},
            fun(B, Env) -> S = xf:open(B, Env, []), [one(S, Env) || _ <- lists:seq(1, 21)] end},
        {short_read_length, "recv of a length waits for all of it.",
            {peer, [{drip, 40}, close]},
            {{peer, [{send, 40}, close]}, [{#{}, {short_read, #{size => 1}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                [xf:tell(Env, next) || _ <- lists:seq(1, 40)],
                [gen_tcp:recv(S, 30, 20000), gen_tcp:recv(S, 30, 20000)]
            end},
        {short_read_messages, "The messages of a peer that writes byte by byte.",
            {peer, [{drip, 20}, close]},
            {{peer, [{send, 20}, close]}, [{#{}, {short_read, #{size => 1}}}]},
            fun(B, Env) -> S = xf:open(B, Env, [{active, once}]), sizes(S, Env) end},
        {slice_sizes, "A relay that passes on pieces of 10 bytes.",
            {relay, [{recv, {slice, 10, 30}}], [{send, 50}, wait]},
            {{peer, [{send, 50}, wait]}, [{#{direction => recv}, {slice, #{size => 10, delay => 30}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                {Pace, Sizes} = xf:paced(120, fun() -> [one(S, Env) || _ <- lists:seq(1, 5)] end),
                {Pace, lists:sum(Sizes)}
            end},
        {slice_send, "The same in the other direction: all comes, in order.",
            {relay, [{send, {slice, 100, 1}}], [drain]},
            {{peer, [drain]}, [{#{direction => send}, {slice, #{size => 100, delay => 1}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                Sent = gen_tcp:send(S, xc:fill(20000)),
                ok = gen_tcp:close(S),
                xf:paced(180, fun() -> {Sent, xf:told(Env)} end)
            end}
    ] ++
    xf:variants(xf:modes(), {
        slice, "A relay that passes on pieces of 30 bytes.",
        {relay, [{recv, {slice, 30, 5}}], [{send, 350}, close]},
        {{peer, [{send, 350}, close]}, [{#{direction => recv}, {slice, #{size => 30, delay => 5}}}]},
        fun to_the_end/2
    }).

one(S, Env) ->
    case gen_tcp:recv(S, 0, 20000) of
        {ok, Data} -> xf:tell(Env, next), byte_size(Data);
        Error -> Error
    end.

sizes(S, Env) ->
    receive
        {tcp, S, Data} -> ok = inet:setopts(S, [{active, once}]), xf:tell(Env, next), [byte_size(Data) | sizes(S, Env)];
        Other -> [Other]
    after 20000 -> [silence]
    end.

%% --- pace ---------------------------------------------------------------------

pace() ->
    lists:append([
        xf:variants(xf:few() ++ [{packet, #{packet => 4}}, {accepted, #{role => accepted}}], {
            latency, "A relay that delays what comes.",
            {relay, [{recv, {delay, 300}}], [{send, 300}, close]},
            {{peer, [{send, 300}, close]}, [{#{}, {latency, #{ms => 300}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                {Pace, Seen} = xf:paced(250, fun() -> xf:read(S, Env) end),
                {Pace, Seen}
            end
        }),
        [
            {latency_round_trips, "A relay that delays: three questions and answers.",
                {relay, [{recv, {delay, 150}}], [echo]},
                {{peer, [echo]}, [{#{}, {latency, #{ms => 150}}}]},
                fun(B, Env) -> S = xf:open(B, Env, []), xf:paced(450, fun() -> [asked(S) || _ <- [1, 2, 3]] end) end},
            {latency_timeout, "A recv whose time is over before the answer comes. The next one gets it.",
                {relay, [{recv, {delay, 500}}], [echo]},
                {{peer, [echo]}, [{#{}, {latency, #{ms => 500}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    ok = gen_tcp:send(S, "late"),
                    {gen_tcp:recv(S, 0, 200), gen_tcp:recv(S, 0, 20000)}
                end},
            {latency_send, "What is sent comes later. The caller of send does not wait.",
                {relay, [{send, {delay, 300}}], [echo]},
                {{peer, [echo]}, [{#{direction => send}, {latency, #{ms => 300}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    {xf:paced(0, fun() -> gen_tcp:send(S, "ping") end), xf:paced(250, fun() -> gen_tcp:recv(S, 0, 20000) end)}
                end},
            {latency_close, "close does not drop what is on its way.",
                {relay, [{send, {delay, 300}}], [drain]},
                {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 300}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    {gen_tcp:send(S, xc:fill(1000)), gen_tcp:close(S), xf:paced(250, fun() -> xf:told(Env) end)}
                end},
            {bulk_recv, "Much that is late, asked for at once.",
                {relay, [{recv, {delay, 100}}], [{send, 3000000}, close]},
                {{peer, [{send, 3000000}, close]}, [{#{}, {latency, #{ms => 100}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    {gen_tcp:recv(S, 3000000, 20000) =:= {ok, xc:fill(3000000)}, gen_tcp:recv(S, 0, 20000)}
                end},
            {bulk_send, "Much that is sent and late, by one who does not wait.",
                {relay, [{send, {delay, 100}}], [drain]},
                {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 100}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    Sent = [gen_tcp:send(S, xc:fill(1600000)) || _ <- [1, 2]],
                    {Sent, gen_tcp:close(S), xf:told(Env)}
                end},
            {sendfile, "A file that is late.",
                {relay, [{send, {delay, 100}}], [drain]},
                {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 100}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    Path = "/run/xf.file." ++ integer_to_list(xf:number()),
                    ok = file:write_file(Path, xc:fill(1600000)),
                    {file:sendfile(Path, S), gen_tcp:close(S), xf:told(Env)}
                end},
            {healed, "A network that is good again: what was held back comes at once, and all that follows.",
                {peer, [echo]}, {{peer, [echo]}, [{later, {#{}, {latency, #{ms => 60000}}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    ok = xf:event(Env),
                    ok = gen_tcp:send(S, xc:fill(100000)),
                    timer:sleep(200),
                    ok = xf:heal(Env),
                    First = gen_tcp:recv(S, 100000, 20000) =:= {ok, xc:fill(100000)},
                    ok = gen_tcp:send(S, "again"),
                    {First, gen_tcp:recv(S, 5, 20000), gen_tcp:close(S)}
                end},
            {bandwidth_send, "In the other direction.",
                {relay, [{send, {rate, 40000}}], [drain]},
                {{peer, [drain]}, [{#{direction => send}, {bandwidth, #{rate => 40000}}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    Sent = gen_tcp:send(S, xc:fill(20000)),
                    ok = gen_tcp:close(S),
                    xf:paced(400, fun() -> {Sent, xf:told(Env)} end)
                end}
        ],
        xf:variants(xf:few() ++ [{accepted, #{role => accepted}}], {
            bandwidth, "A relay that passes on 40000 bytes a second.",
            {relay, [{recv, {rate, 40000}}], [{send, 20000}, close]},
            {{peer, [{send, 20000}, close]}, [{#{direction => recv}, {bandwidth, #{rate => 40000}}}]},
            fun(B, Env) -> S = xf:open(B, Env, []), xf:paced(400, fun() -> xf:read(S, Env) end) end
        }),
        xf:variants(xf:few() ++ [{line, #{packet => line}}, {accepted, #{role => accepted}}], {
            slow_close, "A relay that holds the end back. The bytes before it come at once.",
            {relay, [{recv, {hold_end, 1500}}], [{send, 200}, close]},
            {{peer, [{send, 200}, close]}, [{#{direction => recv}, {slow_close, #{ms => 1500}}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                {xf:take(S, Env, 2), xf:paced(800, fun() -> xf:read(S, Env) end)}
            end
        })
    ]).

asked(S) ->
    ok = gen_tcp:send(S, "ping"),
    gen_tcp:recv(S, 4, 20000).

%% --- several rules ------------------------------------------------------------

%% What comes goes through the rule that was added first, and then through the others.
orders() ->
    Late = {relay, [{recv, {delay, 300}}], [{send, 1050}, reset]},
    Reset = {#{direction => recv}, {reset, #{after_bytes => 1050}}},
    Latency = {#{}, {latency, #{ms => 300}}},
    Limit = {#{direction => recv}, {limit, #{bytes => 1050}}},
    SlowClose = {#{direction => recv}, {slow_close, #{ms => 1500}}},
    Slice = {#{direction => recv}, {slice, #{size => 50, delay => 20}}},
    Shown = #{options => [{show_econnreset, true}]},
    [
        {reset_then_latency, "A reset behind 1050 bytes, and all of that is late.",
            Late, {?ORDINARY, [Reset, Latency]}, fun late_end/2, Shown},
        {latency_then_reset, "The bytes are late, and behind 1050 of them is a reset.",
            Late, {?ORDINARY, [Latency, Reset]}, fun late_end/2, Shown},
        {limit_then_slow_close, "An end behind 1050 bytes, and that end is held back.",
            {relay, [{recv, {hold_end, 1500}}], [{send, 1050}, close]}, {?ORDINARY, [Limit, SlowClose]}, fun held_end/2},
        {slice_then_latency, "Pieces, each of which is late.",
            {relay, [{recv, {delay, 200}}, {recv, {slice, 50, 20}}], [{send, 500}, close]},
            {{peer, [{send, 500}, close]}, [Slice, {#{}, {latency, #{ms => 200}}}]},
            fun(B, Env) -> S = xf:open(B, Env, []), xf:paced(350, fun() -> xf:read(S, Env) end) end}
    ].

late_end(B, Env) ->
    S = xf:open(B, Env, []),
    {xf:paced(250, fun() -> gen_tcp:recv(S, 1050, 20000) =:= {ok, xc:fill(1050)} end), xf:read(S, Env)}.

held_end(B, Env) ->
    S = xf:open(B, Env, []),
    {gen_tcp:recv(S, 1050, 20000) =:= {ok, xc:fill(1050)}, gen_tcp:recv(S, 0, 150), gen_tcp:recv(S, 0, 20000)}.

%% --- unix sockets -------------------------------------------------------------

%% A unix socket has no reset of a peer's choice: it is what a close with unread bytes looks like.
unix() ->
    lists:append([
        xf:variants([{passive, #{}}, {active, #{active => true}}, {econnreset, #{options => [{show_econnreset, true}]}}], {
            unix_reset, "A peer on a unix socket that closes with bytes unread.",
            {local, [{send, 200}, await, close]},
            {{local, [{send, 200}, wait]}, [{later, {#{}, reset}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, [local]),
                First = xf:take(S, Env, 2),
                Sent = gen_tcp:send(S, "unread"),
                ok = xf:event(Env),
                {First, Sent, xf:read(S, Env), gen_tcp:send(S, "x")}
            end
        }),
        xf:variants(xf:few(), {
            unix_limit, "A peer on a unix socket that closes.",
            {local, [{send, 1050}, close]},
            {{local, [{send, 5000}, wait]}, [{#{direction => recv}, {limit, #{bytes => 1050}}}]},
            fun(B, Env) -> S = xf:open(B, Env, [local]), {xf:read(S, Env), gen_tcp:send(S, "x")} end
        }),
        [
            {unix_full, "A peer on a unix socket that does not read.",
                {local, [wait]},
                {{local, [sink]}, [{later, {#{direction => send}, blackhole}}]},
                fun(B, Env) -> not_read(B, Env, [local, {send_timeout, 200}]) end},
            {unix_short_write, "A small buffer.",
                {with, #{options => [{sndbuf, 2048}]}, {local, [drain]}},
                {{local, [drain]}, [{#{}, {short_write, #{size => 700}}}]},
                fun(B, Env) -> all_arrives(B, Env#{options => [local | maps:get(options, Env)]}) end}
        ]
    ]).
