%% Every option on datagram sockets, at every place, with good and bad values. The scenarios are made from two tables
%% of values: that of TCP, and that of the options that only UDP has.
-module(xc_udpopts).

-export([scenarios/0, values/0]).

-define(LOOPBACK6, (xc:loopback6())).
-define(GROUP, {239, 1, 2, 3}).
-define(GROUP6, {16#FF02, 0, 0, 0, 0, 0, 0, 16#1234}).

-spec values() -> [{atom(), [term()]}].
values() ->
    xc_sockopts:values() ++
        [
            {add_membership, memberships()},
            {drop_membership, memberships()},
            {multicast_if, [{127, 0, 0, 1}, {0, 0, 0, 0}, {192, 0, 2, 1}, 0, 1, 987654, -1, {1, 2, 3}, x]},
            {multicast_loop, [true, false, 1]},
            {multicast_ttl, [0, 1, 255, 256, -1, x]}
        ].

memberships() ->
    [
        {?GROUP, {127, 0, 0, 1}}, {?GROUP, any}, {?GROUP, {127, 0, 0, 1}, 1}, {?GROUP, any, 1},
        {?GROUP, {192, 0, 2, 1}}, {{127, 0, 0, 1}, any}, {?GROUP, 1}, {?GROUP}, ?GROUP, {?GROUP, any, x},
        {?GROUP6, 1}, {?GROUP6, 987654}, {?GROUP6, any}, {?GROUP6, {127, 0, 0, 1}}, x
    ].

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    lists:append([places(Option, Values) || {Option, Values} <- values()]).

places(Option, Values) ->
    [
        {name(Option, open), "As an option of open.", fun(B) ->
            each(Values, fun(V) -> opened(B, Option, V) end)
        end},
        {name(Option, open6), "As an option of open, on IPv6.", fun(B) ->
            each(Values, fun(V) -> opened6(B, Option, V) end)
        end},
        {name(Option, set), "Set on a socket.", fun(B) -> each(Values, fun(V) -> set(B, Option, V) end) end},
        {name(Option, set6), "Set on a socket of IPv6.", fun(B) ->
            each(Values, fun(V) -> set6(B, Option, V) end)
        end}
    ].

name(Option, Place) ->
    list_to_atom(atom_to_list(Option) ++ "_udp_" ++ atom_to_list(Place)).

each(Values, Fun) ->
    [{Value, xc:attempt(fun() -> Fun(Value) end)} || Value <- Values].

opened(B, Option, Value) -> opened_with(B, Option, Value, []).

opened6(B, Option, Value) -> opened_with(B, Option, Value, [inet6, {ip, ?LOOPBACK6}]).

opened_with(B, Option, Value, Options) ->
    case gen_udp:open(0, xc:udp_options(B, Options ++ [{Option, Value}])) of
        {ok, S} -> got(S, Option);
        Other -> Other
    end.

set(B, Option, Value) ->
    {S, _} = xc:udp(B, []),
    {got(S, Option), inet:setopts(S, [{Option, Value}]), got(S, Option)}.

set6(B, Option, Value) ->
    {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, {active, false}, {ip, ?LOOPBACK6}])),
    {got(S, Option), inet:setopts(S, [{Option, Value}]), got(S, Option)}.

got(S, raw) -> inet:getopts(S, [{raw, 1, 6, 4}]);
%% the stock driver of OTP 25 answers uninitialised memory for multicast_if
got(S, multicast_if) -> element(1, inet:getopts(S, [multicast_if]));
got(S, Option) -> inet:getopts(S, [Option]).
