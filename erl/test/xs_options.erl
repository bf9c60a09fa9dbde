%% Options: each one of every level, set to all kinds of values and got again, on sockets of several kinds.
-module(xs_options).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    each_option() ++ each_native() ++ own().

%% One scenario for each option that `socket` has a name for, by the first name of its level, or documents.
each_option() ->
    Known = [Option || {Option, _} <- (inetpy_socket_modules:stock()):supports(options)],
    [
        {name(Level, Option), "set and got", fun(B) -> set_and_get(B, {Level, Option}) end}
     || {Level, Option} <- lists:usort(Known ++ documented()), lists:member(Level, levels())
    ].

levels() -> [socket, ip, ipv6, tcp, udp, sctp].

%% Those in the type that OTP's documents list, if the beam has its types.
documented() ->
    {socket, Beam, _} = code:get_object_code(socket),
    case beam_lib:chunks(Beam, [abstract_code]) of
        {ok, {_, [{abstract_code, {_, Forms}}]}} ->
            [{type, _, union, Types}] = [Type || {attribute, _, type, {socket_option, Type, []}} <- Forms],
            [{L, O} || {type, _, tuple, [Level, Option]} <- Types, L <- atoms(Level), O <- atoms(Option)];
        _ ->
            []
    end.

atoms({atom, _, Atom}) -> [Atom];
atoms({ann_type, _, [_, Type]}) -> atoms(Type);
atoms({type, _, union, Types}) -> lists:flatmap(fun atoms/1, Types).

name(Level, Option) -> list_to_atom(lists:concat([Level, "_", Option])).

set_and_get(#{api := M} = B, Option) ->
    [
        begin
            S = open(B, Kind),
            First = M:getopt(S, Option),
            Seen = [{Value, xs:attempt(fun() -> M:setopt(S, Option, Value) end), M:getopt(S, Option)} || Value <- values(Option)],
            _ = M:close(S),
            {Kind, First, Seen}
        end
     || Kind <- kinds()
    ].

kinds() -> [{Domain, Type} || Domain <- [inet, inet6, local], Type <- [stream, dgram]].

open(#{api := M}, {Domain, Type}) ->
    {ok, S} = M:open(Domain, Type),
    S.

%% OTP 28 takes a binary for a text, and reads beyond the end of one that has no 0 and is short.
values(Option) -> [Value || Value <- all_values(Option), not is_binary(Value) orelse not is_text(Option) orelse ends(Value)].

ends(Value) -> byte_size(Value) > 20 orelse binary:match(Value, <<0>>) =/= nomatch.

is_text(Option) -> lists:member(Option, [{socket, bindtodevice}, {tcp, congestion}]).

all_values(Option) ->
    [true, false, 0, 1, 2, 64, 1500, 4242, -1, 1 bsl 31, x, "", "lo", <<"lo">>, 1.5, [], [1 bsl 20], {1}, default, #{}] ++ more(Option).

more({socket, linger}) ->
    [#{onoff => O, linger => L} || O <- [true, false, 1], L <- [0, 5, -1, x, 1 bsl 40]] ++
        [#{onoff => true}, #{linger => 1}, #{onoff => true, linger => 1, more => 2}, abort, {true, 5}];
more({socket, T}) when T =:= rcvtimeo; T =:= sndtimeo ->
    [#{sec => 1, usec => 5}, #{sec => 0, usec => 0}, #{sec => x, usec => 0}, #{sec => 1}];
more({socket, bindtodevice}) ->
    ["nonsense", lists:duplicate(14, $x), lists:duplicate(15, $x), lists:duplicate(16, $x), lists:duplicate(17, $x), "a name that is too long for a device", [0], "lo" ++ [0]] ++
        [<<"lo", 0>>, <<"lo", 0, 0, 0, 0>>, <<"nonsense", 0>>, <<0>>, binary:copy(<<"x">>, 400), <<1:3>>];
more({ip, O}) when O =:= add_membership; O =:= drop_membership ->
    [
        Base#{interface => I}
     || Base <- [#{multiaddr => {224, 0, 0, 251}}, #{multiaddr => {127, 0, 0, 1}}, #{multiaddr => x}, #{}],
        I <- [any, {127, 0, 0, 1}, {192, 0, 2, 1}, x, 1, loopback]
    ];
more({ip, O}) when O =:= add_source_membership; O =:= drop_source_membership; O =:= block_source; O =:= unblock_source ->
    [
        #{multiaddr => {232, 0, 0, 1}, interface => I, sourceaddr => A}
     || I <- [any, {127, 0, 0, 1}, x], A <- [{127, 0, 0, 1}, {192, 0, 2, 1}, x, any]
    ] ++ [#{multiaddr => {232, 0, 0, 1}, interface => any}];
more({ip, multicast_if}) -> [any, loopback, {127, 0, 0, 1}, {192, 0, 2, 1}, {127, 0, 0}, {127, 0, 0, 256}];
more({ip, tos}) -> [lowdelay, throughput, reliability, mincost, 16#20, 300];
more({_, mtu_discover}) -> [dont, want, do, probe, 3, 4, 5];
more({ip, msfilter}) ->
    [
        #{multiaddr => {232, 0, 0, 1}, interface => {127, 0, 0, 1}, mode => M, slist => L}
     || M <- [include, exclude, x], L <- [[], [{127, 0, 0, 1}], x]
    ] ++ [null];
more({ipv6, O}) when O =:= add_membership; O =:= drop_membership ->
    [
        #{multiaddr => A, interface => I}
     || A <- [{16#ff02, 0, 0, 0, 0, 0, 0, 16#fb}, {0, 0, 0, 0, 0, 0, 0, 1}, x, any], I <- [0, 1, 999, -1, x, any]
    ];
more({ipv6, addrform}) -> [inet, inet6, local];
more({tcp, congestion}) -> [lists:duplicate(255, $x), lists:duplicate(256, $x), "reno", "cubic", "nonsense", <<"reno">>, [$r, 0], lists:duplicate(300, $x)] ++
        [<<"reno", 0>>, <<"cubic", 0, 0>>, <<"nonsense", 0>>, <<0>>, binary:copy(<<"x">>, 400)];
more({sctp, _}) -> [];
more(_) -> [].

%% --- native ------------------------------------------------------------------

each_native() ->
    [
        {native, "Options by their numbers.", fun(B) ->
            [native(B, Option) || Option <- [
                {socket, 7}, {1, 7}, {1, 3}, {socket, sndbuf}, {socket, linger}, {socket, 13}, {ip, 2}, {ip, ttl}, {0, 2}, {'IP', 2},
                {tcp, 1}, {6, 1}, {tcp, nodelay}, {tcp, 13}, {socket, 999}, {999, 1}, {nonsense, 1}, {socket, nonsense},
                {otp, 1}, {otp, debug}, {tcp, keepidle}, {tcp, 4}, {-1, -1}, {1 bsl 40, 1}, {1, 1 bsl 40}, x, {x}, {1, x}, {1.5, 1}
            ]]
        end},
        {getopt_numbers, "getopt and setopt take no numbers.", fun(#{api := M} = B) ->
            S = open(B, {inet, stream}),
            [{xs:attempt(fun() -> M:getopt(S, O) end), xs:attempt(fun() -> M:setopt(S, O, 1) end)} || O <- [{1, 7}, {socket, 7}, {ip, 2}, x, {x}, {a, b, c}, [], {socket, nonsense}, {nonsense, ttl}]]
        end},
        {arities, "The forms with level and option apart.", fun(#{api := M} = B) ->
            S = open(B, {inet, stream}),
            xs:attempts([
                fun() -> M:getopt(S, socket, keepalive) end, fun() -> M:setopt(S, socket, keepalive, true) end,
                fun() -> M:getopt(S, socket, keepalive) end, fun() -> M:getopt(S, {socket, keepalive}) end,
                fun() -> M:getopt(S, otp, debug) end, fun() -> M:setopt(S, otp, debug, false) end,
                fun() -> M:getopt(S, 'TCP', nodelay) end, fun() -> M:getopt(S, {'TCP', nodelay}) end,
                fun() -> M:getopt(x, socket, keepalive) end, fun() -> M:setopt(x, socket, keepalive, true) end,
                fun() -> M:getopt(x, {socket, keepalive}) end, fun() -> M:setopt(x, {socket, keepalive}, true) end,
                fun() -> M:getopt_native(x, {socket, 9}, integer) end, fun() -> M:setopt_native(x, {socket, 9}, 1) end,
                fun() -> M:getopt(S, 1, 7) end, fun() -> M:getopt(S, 1, {integer, 7}) end, fun() -> M:setopt(S, 1, 9, 1) end
            ])
        end}
    ].

native(#{api := M} = B, Option) ->
    S = open(B, {inet, stream}),
    Got = [{Spec, xs:attempt(fun() -> M:getopt_native(S, Option, Spec) end)} || Spec <- [integer, boolean, 4, 8, 1, 0, <<0:32>>, <<>>, x, 1.5, "abc"]],
    Set = [
        {Value, xs:attempt(fun() -> M:setopt_native(S, Option, Value) end), xs:attempt(fun() -> M:getopt_native(S, Option, integer) end)}
     || Value <- [1, 0, 5000, true, false, <<1:32/native>>, <<1>>, <<>>, x, 1 bsl 40, "abc", ["a", <<"bcd">>], [a], 1.5, <<1:3>>, []]
    ],
    {Option, Got, Set}.

%% --- of the level otp ---------------------------------------------------------

own() ->
    [
        {list_to_atom("otp_" ++ atom_to_list(Option)), "set and got", fun(#{api := M} = B) ->
            [
                begin
                    S = open(B, Kind),
                    First = opaque(Option, M:getopt(S, {otp, Option})),
                    Seen = [
                        {V, xs:attempt(fun() -> M:setopt(S, {otp, Option}, V) end), opaque(Option, M:getopt(S, {otp, Option}))}
                     || V <- [false, 0, 1, 100, -1, 1 bsl 40, 1 bsl 70, x, default, {0, 5}, {1, 5}, {5, 100}, {5, 0}, {default, 5}, {5, default}, {x, y},
                              "abc", #{}, undefined, 1.5, {1, 2, 3}]
                    ],
                    Others = xc:await(xc:spawn_call(fun() -> xs:attempt(fun() -> M:setopt(S, {otp, Option}, 77) end) end)),
                    ok = M:close(S),
                    {First, Seen, Others}
                end
             || Kind <- [{inet, stream}, {inet, dgram}]
            ]
        end}
     || Option <- [debug, iow, rcvbuf, sndbuf, rcvctrlbuf, sndctrlbuf, fd, meta, use_registry, domain, type, protocol, dtp, controlling_process, nonsense, select_read]
    ].

%% The number of a descriptor differs by chance.
opaque(fd, {ok, Number}) when is_integer(Number) -> {ok, number};
opaque(_, Other) -> Other.
