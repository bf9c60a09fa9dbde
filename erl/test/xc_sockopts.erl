%% Every option, at every place, with good and bad values: the scenarios are made
%% from a table of values.
-module(xc_sockopts).

-export([scenarios/0, every_scenario/0, values/0]).

-define(LOOPBACK6, (xc:loopback6())).

%% An option, and values to try. Some are accepted, some refused.
-spec values() -> [{atom(), [term()]}].
values() ->
    [
        {active, [true, false, once, 5, 0, -1, 32767, 32768, sometimes]},
        {bind_to_device, [<<"lo">>, <<"nodev0">>, <<>>, "lo", lo, <<"a-name-that-is-too-long">>]},
        {broadcast, [true, false, 1]},
        {buffer, [1, 0, -1, 5000, 1.5]},
        {debug, [false, 1, x]},
        {delay_send, [true, false, 1]},
        {deliver, [port, term, both]},
        {dontroute, [true, false, 1]},
        {exit_on_close, [true, false, 1]},
        {header, [0, 3, -1, x]},
        {high_msgq_watermark, [1, 5000, 0, -1, -2, 1 bsl 31, x]},
        {high_watermark, [0, 1, 100000, -1, x]},
        {ipv6_v6only, [true, false, 1]},
        {keepalive, [true, false, 1]},
        {line_delimiter, [0, 65, 255, 300, -1, $\n, x]},
        {linger, [{true, 0}, {true, 7}, {false, 0}, {true, -1}, true, {1, 1}, [true, 1]]},
        {low_msgq_watermark, [1, 5000, 0, -1, -2, 1 bsl 31, x]},
        {low_watermark, [0, 1, 100000, -1, x]},
        {mode, [list, binary, text]},
        {multi, [1]},
        {netns, [<<"/no/such/namespace">>, "/no/such/namespace", 5, [1 bsl 70]]},
        {nodelay, [true, false, 1]},
        {nopush, [true, false, 1]},
        {packet, [
            0, 1, 2, 3, 4, raw, asn1, cdr, sunrm, fcgi, tpkt, line, http, http_bin, httph, httph_bin, ssl, x
        ]},
        {packet_size, [0, 1, 70000, -1, x]},
        {pktoptions, [[], x]},
        {priority, [0, 3, 6, 100, x]},
        {raw, [{6, 1, <<1:32/native>>}, {6, 1, <<>>}, {999, 1, <<1:32>>}, {6, 1, 1}, {6, 1}, {a, 1, <<>>}, [6, 1, <<1:32/native>>], x]},
        {read_packets, [1, 5, 0, -1, x]},
        {recbuf, [2000, 20000, 0, -1, x]},
        {recvtclass, [true, false, 1]},
        {recvtos, [true, false, 1]},
        {recvttl, [true, false, 1]},
        {reuseaddr, [true, false, 1]},
        {send_timeout, [infinity, 0, 1000, -1, x]},
        {send_timeout_close, [true, false, 1]},
        {show_econnreset, [true, false, 1]},
        {sndbuf, [3000, 20000, 0, x]},
        {tclass, [0, 4, 40, 256, -1, x]},
        {tos, [0, 16, 40, 256, -1, x]},
        {ttl, [1, 33, 255, 256, 0, -1, x]}
    ] ++ [Newer || inetpy_handle:since_28(), Newer <- newer()].

%% Options of datagram sockets that a connection takes too; xc_udpopts has more values of them.
groups() ->
    [{Option, [{{239, 1, 2, 3}, {127, 0, 0, 1}}, x]} || Option <- [add_membership, drop_membership]].

%% Options that only newer editions of the stock driver have. They are compared on these editions.
newer() ->
    [
        {exclusiveaddruse, [true, false, 1]},
        {keepcnt, [3, 0, -1, x]},
        {keepidle, [10, 0, x]},
        {keepintvl, [7, 0, x]},
        {read_ahead, [true, false, 1]},
        {reuseport, [true, false, 1]},
        {reuseport_lb, [true, false, 1]},
        {user_timeout, [0, 100, -1, x]}
    ].

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() -> of_values(values() ++ groups()).

%% The options of all editions of OTP.
-spec every_scenario() -> [inetpy_xc:scenario()].
every_scenario() -> of_values(lists:ukeysort(1, values() ++ groups() ++ newer())).

of_values(Table) ->
    lists:append([places(Option, Values) || {Option, Values} <- Table]).

places(Option, Values) ->
    [
        {name(Option, connect), "As an option of connect.", fun(B) -> each(Values, fun(V) -> connected(B, Option, V) end) end},
        {name(Option, listen), "As an option of listen.", fun(B) -> each(Values, fun(V) -> listening(B, Option, V) end) end},
        {name(Option, set), "Set on a connection.", fun(B) -> each(Values, fun(V) -> set(B, Option, V) end) end},
        {name(Option, set6), "Set on a connection of IPv6.", fun(B) -> each(Values, fun(V) -> set6(B, Option, V) end) end},
        {name(Option, set_listen), "Set on a listening socket, and inherited.", fun(B) ->
            each(Values, fun(V) -> set_listening(B, Option, V) end)
        end},
        {name(Option, set_closed), "Set on a connection whose descriptor is closed.", fun(B) ->
            each(Values, fun(V) -> set_closed(B, Option, V) end)
        end}
    ].

name(Option, Place) ->
    list_to_atom(atom_to_list(Option) ++ "_" ++ atom_to_list(Place)).

each(Values, Fun) ->
    [{Value, xc:attempt(fun() -> Fun(Value) end)} || Value <- Values].

connected(B, Option, Value) ->
    {ok, L} = gen_tcp:listen(0, [{active, false}]),
    case xc:connect(B, {127, 0, 0, 1}, xc:listener_port(L), [{Option, Value}]) of
        {ok, S} -> got(S, Option);
        Other -> Other
    end.

listening(B, Option, Value) ->
    case gen_tcp:listen(0, xc:options(B, [{Option, Value}])) of
        {ok, L} -> {got(L, Option), inherited(L, Option)};
        Other -> Other
    end.

set(B, Option, Value) ->
    {S, _} = xc:pair(B, []),
    {got(S, Option), inet:setopts(S, [{Option, Value}]), got(S, Option)}.

set6(B, Option, Value) ->
    {ok, L} = gen_tcp:listen(0, [inet6, {ip, ?LOOPBACK6}]),
    {ok, S} = xc:connect(B, ?LOOPBACK6, xc:listener_port(L), [inet6]),
    {got(S, Option), inet:setopts(S, [{Option, Value}]), got(S, Option)}.

set_listening(B, Option, Value) ->
    L = xc:listen(B, []),
    {inet:setopts(L, [{Option, Value}]), got(L, Option), inherited(L, Option)}.

%% The socket is still there when its peer has gone.
set_closed(B, Option, Value) ->
    {S, P} = xc:pair(B, []),
    ok = gen_tcp:close(P),
    {error, closed} = gen_tcp:recv(S, 0, 2000),
    {inet:setopts(S, [{Option, Value}]), got(S, Option)}.

inherited(L, Option) ->
    {ok, _} = gen_tcp:connect({127, 0, 0, 1}, xc:listener_port(L), []),
    case gen_tcp:accept(L, 2000) of
        {ok, S} -> got(S, Option);
        Other -> Other
    end.

%% The answer of getopts. Not of the send buffer of a connection, which the kernel tunes.
got(S, sndbuf) -> element(1, inet:getopts(S, [sndbuf]));
got(S, raw) -> inet:getopts(S, [{raw, 6, 1, 4}]);
got(S, Option) -> inet:getopts(S, [Option]).
