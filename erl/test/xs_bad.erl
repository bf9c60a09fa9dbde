%% Bad input: in each function, of each arity, each argument is a bad value in turn, and the others are good ones.
%%
%% Both the functions and the values are tables: calls/0 has the kinds of arguments, good/2 a value for each kind, bad/1 the
%% values that are none.
-module(xs_bad).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {name(Function, Kinds), "Bad values of each argument", fun(B) -> each_argument(B, Function, Kinds) end}
     || {Function, Arities} <- calls(), Kinds <- Arities
    ] ++
        [
            {list_to_atom(lists:concat([two_, Function])), "Two bad arguments at once: which is told",
                fun(B) -> [two_arguments(B, Function, Kinds) || Kinds <- Arities, length(Kinds) > 1] end}
         || {Function, Arities} <- calls(), lists:any(fun(Kinds) -> length(Kinds) > 1 end, Arities)
        ].

%% `recv_stream_flags` is recv/2 with flags.
name(Function, Kinds) -> list_to_atom(lists:flatten(lists:join("_", [atom_to_list(Word) || Word <- [Function | Kinds]]))).

%% --- the functions -----------------------------------------------------------

calls() ->
    [
        {open, [[descriptor], [descriptor, descriptor_options], [domain, type], [domain, type, protocol], [domain, type, options],
            [domain, type, protocol, options]]},
        {bind, [[fresh, address], [fresh, addresses, action]]},
        {connect, [[fresh], [fresh, address], [fresh, address, patience]]},
        {listen, [[bound], [bound, backlog]]},
        {accept, [[listener, timeout]]},
        {send, [[stream, data], [stream, data, flags], [stream, data, timeout], [stream, data, continuation], [stream, data, flags, timeout],
            [stream, data, continuation, timeout]]},
        {sendto, [[dgram, data, address], [dgram, data, address, flags], [dgram, data, address, timeout], [dgram, data, continuation],
            [dgram, data, address, flags, timeout], [dgram, data, continuation, timeout]]},
        {sendmsg, [[stream, message], [stream, message, flags], [stream, message, timeout], [stream, message, flags, timeout],
            [stream, message, continuation], [stream, message, continuation, timeout]]},
        {sendv, [[stream, vector], [stream, vector, timeout], [stream, vector, continuation], [stream, vector, continuation, timeout]]},
        {sendfile, [[stream, file], [stream, file, timeout], [stream, file, offset, count], [stream, file, offset, count, timeout],
            [stream, continuation, offset, count, timeout]]},
        {rest_iov, [[count, vector]]},
        {recv, [[stream, length, timeout], [stream, flags, timeout], [stream, length, flags, timeout]]},
        {recvfrom, [[dgram, length, timeout], [dgram, flags, timeout], [dgram, length, flags, timeout]]},
        {recvmsg, [[dgram, timeout], [dgram, flags, timeout], [dgram, length, length, timeout], [dgram, length, length, flags, timeout]]},
        {cancel, [[stream, continuation]]},
        {shutdown, [[stream, direction]]},
        {close, [[fresh]]},
        {getopt, [[stream, option], [stream, level, option_name]]},
        {setopt, [[stream, option, option_value], [stream, level, option_name, option_value]]},
        {getopt_native, [[stream, native_option, native_type]]},
        {setopt_native, [[stream, native_option, native_value]]},
        {sockname, [[stream]]},
        {peername, [[stream]]},
        {ioctl, [[dgram, request], [dgram, request_of, interface], [dgram, setting, interface, setting_value]]},
        {info, [[fresh]]},
        {i, [[i_filter], [i_keys], [i_filter, i_keys]]},
        {supports, [[supports_key], [supports_key, supports_level]]},
        {is_supported, [[supports_key], [supports_key, supports_level], [supports_key, supports_level, option_name]]},
        {tables, []},
        {table, [[supports_key]]},
        {protocol, [[protocol]]},
        {options, [[level], [level, boolean]]},
        {option, [[option], [level, option_name]]},
        {which_sockets, [[filter]]},
        {which_socket_kind, [[fresh]]},
        {to_list, [[fresh]]},
        {use_registry, [[switch]]},
        {debug, [[switch]]},
        {socket_debug, [[switch]]},
        {monitor, [[fresh]]},
        {cancel_monitor, [[monitor]]},
        {number_of_monitors, [[fresh]]},
        {which_monitors, [[fresh]]},
        {monitored_by, [[fresh]]}
    ].

%% --- the calls ------------------------------------------------------------------

each_argument(B, Function, Kinds) ->
    [{At, Kind, seen(B, Function, Kinds, [[{At, Bad}] || Bad <- bad(Kind, B)])} || {At, Kind} <- lists:enumerate(Kinds)].

two_arguments(B, Function, Kinds) ->
    Places = lists:seq(1, length(Kinds)),
    {Kinds, seen(B, Function, Kinds, [[{I, V}, {J, W}] || I <- Places, J <- Places, I < J, V <- [x, -1, #{}], W <- [x, -1, #{}]])}.

%% A call for each list of bad values. What a bad value does to a socket is not to be seen by the next call; where a new socket
%% takes long, only by those of the same argument.
seen(B, Function, [Kind | _] = Kinds, Bads) when Kind =:= fresh; Kind =:= bound ->
    lists:append([with_good_values(B, Kinds, fun(Good) -> [called(B, Function, Good, Bad)] end) || Bad <- Bads]);
seen(B, Function, Kinds, Bads) ->
    with_good_values(B, Kinds, fun(Good) -> [called(B, Function, Good, Bad) || Bad <- Bads] end).

called(B, Function, Good, Bad) ->
    {Bad, call(B, Function, lists:foldl(fun({At, Value}, Values) -> replaced(At, Value, Values) end, Good, Bad))}.

%% What i/1 and i/2 print is the business of xs_info.
call(#{api := M}, Function, Arguments) ->
    {Result, _} = xs:printed(fun() -> xs:attempt(fun() -> apply(M, Function, Arguments) end) end),
    opaque(Result).

%% A socket that came of it all the same is closed. A count and a list of what a node has differ by chance.
opaque({ok, {'$socket', _}}) -> {ok, socket};
opaque("#Socket<" ++ _) -> "#Socket";
opaque([{_, Supported} | _] = List) when is_boolean(Supported); is_list(Supported) -> lists:sort(List);
opaque({ok, Data}) when byte_size(Data) > 200 -> {ok, byte_size(Data)};
opaque({ok, {#{port := _} = Source, Data}}) -> {ok, {maps:remove(port, Source), Data}};
opaque({ok, #{addr := #{port := _} = Source} = Message}) -> {ok, Message#{addr := maps:remove(port, Source)}};
opaque(Other) -> Other.

replaced(At, Bad, Values) ->
    {Before, [_ | After]} = lists:split(At - 1, Values),
    Before ++ [Bad | After].

%% --- good values ---------------------------------------------------------------

%% No call waits: there is enough to read for all of them, and then the end of the stream.

with_good_values(B, Kinds, Fun) ->
    {Values, Ends} = lists:unzip([good(Kind, B) || Kind <- Kinds]),
    Result = Fun(Values),
    lists:foreach(fun(End) -> End() end, Ends),
    Result.

good(fresh, #{api := M}) ->
    {ok, S} = M:open(inet, stream),
    closed_later(M, [S]);
good(bound, #{api := M}) ->
    {ok, S} = M:open(inet, stream),
    ok = M:bind(S, xs:loopback()),
    closed_later(M, [S]);
good(stream, #{api := M} = B) ->
    {C, S} = xs:pair(B),
    ok = M:send(S, xc:fill(1000)),
    ok = M:shutdown(S, write),
    closed_later(M, [C, S]);
good(dgram, #{api := M} = B) ->
    {S, Address} = xs:udp(B),
    _ = [ok = M:sendto(S, "abcdefghijkl", Address) || _ <- lists:seq(1, 100)],
    closed_later(M, [S]);
good(listener, #{api := M} = B) ->
    {L, _} = xs:listener(B),
    closed_later(M, [L]);
good(Kind, #{api := M}) when Kind =:= i_filter; Kind =:= i_keys; Kind =:= filter ->
    {ok, S} = M:open(local, dgram),
    {_, Done} = closed_later(M, [S]),
    {value(Kind), Done};
good(file, _) ->
    Path = xs:path(),
    ok = file:write_file(Path, "abc"),
    {ok, File} = file:open(Path, [read, raw, binary]),
    {File, fun() -> ok = file:close(File), ok = file:delete(Path) end};
good(Kind, _) ->
    {value(Kind), fun() -> ok end}.

closed_later(M, [Socket | _] = Sockets) -> {Socket, fun() -> lists:foreach(fun(Each) -> M:close(Each) end, Sockets) end}.

value(domain) -> inet;
value(type) -> stream;
value(protocol) -> tcp;
value(options) -> #{};
value(descriptor) -> 54321;
value(descriptor_options) -> #{};
value(address) -> #{family => inet, addr => {127, 0, 0, 1}, port => 0};
value(addresses) -> [value(address)];
value(action) -> add;
value(backlog) -> 5;
value(timeout) -> 0;
value(patience) -> 5000;
value(data) -> <<"abc">>;
value(vector) -> [<<"abc">>, <<"de">>];
value(message) -> #{iov => [<<"abc">>]};
value(flags) -> [];
value(continuation) -> {select_info, {send, x}, make_ref()};
value(offset) -> 0;
value(count) -> 1;
value(length) -> 10;
value(direction) -> write;
value(option) -> {socket, keepalive};
value(level) -> socket;
value(option_name) -> keepalive;
value(option_value) -> true;
value(native_option) -> {socket, 9};
value(native_type) -> integer;
value(native_value) -> 1;
value(request) -> gifconf;
value(request_of) -> gifmtu;
value(interface) -> "nonsense";
value(setting) -> sifmtu;
value(setting_value) -> 1500;
value(i_filter) -> local;
value(i_keys) -> [domain];
value(supports_key) -> options;
value(supports_level) -> socket;
value(boolean) -> true;
value(filter) -> sctp;
value(switch) -> true;
value(monitor) -> make_ref().

%% --- bad values ------------------------------------------------------------------

bad(Socket, B) when Socket =:= fresh; Socket =:= bound; Socket =:= stream; Socket =:= dgram; Socket =:= listener -> bad_sockets(B);
%% There is no such descriptor. A small number would be one of the node's own.
bad(descriptor, _) -> [Value || Value <- anything(), Value =/= 7] ++ [54321, 1 bsl 31, 1 bsl 32];
%% A size of -1 is one of 4 GB. Whether a connect waits at all is chance.
bad(patience, B) -> bad(timeout, B) -- [7, 1 bsl 64];
%% A wait of 24 days is no bad value, and a node that has no room for a buffer ends.
bad(native_type, _) -> [Value || Value <- anything(), Value =/= 1 bsl 31, Value =/= -1] ++ more(native_type);
bad(Kind, _) when Kind =:= timeout; Kind =:= length -> [Value || Value <- anything(), Value =/= 1 bsl 31] ++ more(Kind);
bad(Kind, _) -> anything() ++ more(Kind).

bad_sockets(#{api := M}) ->
    {ok, Closed} = M:open(inet, stream),
    ok = M:close(Closed),
    {'$socket', Ref} = Closed,
    [Value || Value <- anything(), not is_map(Value)] ++
        [Closed, Ref, {'$socket', Ref, Ref}, {socket, Ref}, {'$socket', x}, {'$socket', 1}, {'$socket'}, {'$inet', x, Ref}, ['$socket', Ref]].

%% No list of numbers is one of flags with `trunc`: a call with it may show what was in memory before. One of each type, the numbers beside those that C has, and lists that are none.
anything() ->
    [x, '', 1.5, 7, -1, 1 bsl 31, 1 bsl 64, -(1 bsl 64), "AB", [a | b], [256], <<"abc">>, <<1:3>>, {}, {a, b}, #{}, #{a => 1}, fun lists:sort/1].

more(domain) -> [0, 9999, {inet}, 'INET', tcp];
more(type) -> [9999, {stream}, tcp, 16#800, #{type => stream}];
more(protocol) -> [9999, 'no protocol', udp, {raw, 6}, 'TCP', stream];
more(options) -> [[x], [{netns, 1}], #{netns => 1}, #{netns => "/nonsense"}, #{debug => x}, #{use_registry => x}, #{use_registry => 1}, #{domain => x}];
more(descriptor_options) -> [#{dup => x}, #{domain => x}, #{type => x}, #{protocol => x}, #{debug => x}, #{use_registry => x}, #{netns => x}, #{1 => 2}];
more(address) -> addresses();
more(addresses) -> [[x], [[]], [value(address) | x], [value(address), #{}], []];
more(action) -> [remove, 'ADD'];
more(backlog) -> [-(1 bsl 31), (1 bsl 31) - 1, infinity];
more(timeout) -> ["INFINITY", 'Infinity', {0}, no_wait];
more(data) -> [["a", x], ["a" | b], [<<"a">> | <<"b">>], [256], [-1], [1.0], [<<1:3>>], [[[]]], {<<"a">>}];
more(vector) -> [[x], [<<"a">> | <<"b">>], ["a"], [<<1:3>>], [[<<"a">>]], [1]];
more(message) -> [#{iov => V} || V <- [x, [x], ["a"], <<"a">>, [<<"a">> | <<"b">>], [<<1:3>>], [], #{}]] ++ [#{iov => [<<"a">>], K => V} || K <- [addr, ctrl, flags, x], V <- [x, 1, [], [x], #{}, [#{}]]] ++
    [#{iov => [<<"a">>], addr => A} || A <- addresses()] ++ [#{iov => [<<"a">>], ctrl => C} || C <- controls()];
more(flags) -> [[x], [peek | oob], [1.5], [-1], [[peek]], [1 bsl 31], [1 bsl 64], [peek, x], {peek}, peek, "PEEK", [<<"peek">>]];
more(continuation) -> [{select_info, T, H} || T <- [x, send, sendto, sendmsg, sendfile, recv, accept, {send, x}, {sendto, x}, {sendmsg, x}, {sendfile, x}, {recv, x}, 1], H <- [make_ref(), x]] ++
    [{select_info, send}, {select_info, send, make_ref(), x}, {completion_info, send, make_ref()}, select_info];
more(file) -> [{file_descriptor, x, #{}}, {file_descriptor, prim_file, x}, {file_descriptor, prim_file, #{handle => x}}, {file_descriptor, prim_file, #{handle => make_ref()}}];
more(N) when N =:= offset; N =:= count -> [(1 bsl 63) - 1, 1 bsl 63];
more(length) -> [default, nowait];
more(direction) -> [both, 0, 'READ', [read]];
more(option) -> options();
more(level) -> [ip, udp, sctp, 'SOCKET', 'IP', 6, 65536];
more(option_name) -> [nodelay, nonsense, 'KEEPALIVE', 9];
more(option_value) -> [null, [true], {true}, on];
more(native_option) -> [{socket, 9999}, {9999, 9}, {x, 9}, {socket, x}, {socket, 1 bsl 31}, {1 bsl 31, 9}, {1 bsl 64, 9}, {socket, -1}, {-1, 9}, {1.5, 9}, {socket, 1.5} | options()];
more(native_type) -> ['INTEGER', binary, string, <<>>, <<0:800>>];
more(native_value) -> [[], ["a", x], <<>>, null, [<<"a">>]];
more(request) -> [gifaddr, sifmtu, 'GIFCONF', atmark, nread, tcp_info, rcvall];
more(request_of) -> [gifconf, sifmtu, gifname, 'GIFMTU', rcvall, tcp_info];
more(interface) -> ["a name that is too long", "", [0], [$l, 0, $o], ["lo"], lo];
more(setting) -> [gifmtu, gifconf, 'SIFMTU', sifhwaddr, sifflags, sifaddr, siftxqlen];
more(setting_value) -> [#{family => inet}, 1 bsl 31, 1.0];
more(i_filter) -> [packet, 'INET', [inet]];
more(i_keys) -> [[x], [domain | type], [domain, x], domain, [1]];
more(supports_key) -> ['OPTIONS', [options], level, msg_flags, protocols];
more(supports_level) -> ['SOCKET', tcp, 6, {socket}, {socket, keepalive}, {socket, x}];
more(filter) -> [rdm, raw, packet, fun() -> true end, fun(_) -> x end, fun(_) -> 1 end];
more(monitor) -> [{'$socket', make_ref()}];
more(switch) -> [1, 0, 'True', on];
more(boolean) -> [maybe].

addresses() ->
    In = #{family => inet, addr => {127, 0, 0, 1}, port => 0},
    [maps:remove(Key, In) || Key <- [family, addr, port]] ++
        [In#{Key := V} || {Key, Vs} <- [
            {family, [inet6, local, x, 2, -1, 1 bsl 31, "inet"]},
            {addr, [x, {127, 0, 0}, {127, 0, 0, 256}, {127, 0, 0, -1}, {127, 0, 0, 1.0}, {1, 2, 3, 4, 5, 6, 7, 8}, "127.0.0.1", <<127, 0, 0, 1>>, 1, []]},
            {port, [65536, 1 bsl 64, x, 1.0, "1"]}
        ], V <- Vs] ++
        [In#{more => 1}, any, loopback, broadcast, {local, "/x"}, {{127, 0, 0, 1}, 1},
            #{family => local}, #{family => local, path => x}, #{family => local, path => [300]}, #{family => local, path => lists:duplicate(200, $x)},
            #{family => inet6, addr => {0, 0, 0, 0, 0, 0, 0, 65536}, port => 0}, #{family => inet6, addr => {0, 0, 0, 0, 0, 0, 0, 1}, port => 1, flowinfo => x},
            #{family => inet6, addr => {0, 0, 0, 0, 0, 0, 0, 1}, port => 1, scope_id => -1}, #{family => packet}, #{family => unspec}, #{family => 99, addr => x}].

controls() ->
    Good = #{level => ip, type => ttl, value => 1},
    [[maps:remove(Key, Good)] || Key <- maps:keys(Good)] ++
        [[Good#{Key := V}] || {Key, Vs} <- [
            {level, [x, 1.5, -1, 1 bsl 64, "ip", tcp, socket, ipv6]}, {type, [x, 1.5, 1 bsl 64, "ttl", tos, hoplimit, rights]},
            {value, [x, 1.5, 1 bsl 64, "1", <<"1">>, <<1:3>>, #{}]}
        ], V <- Vs] ++
        [[Good | x], [Good, x], Good, [Good#{data => x}], [Good | #{}]] ++
        [[#{level => ip, type => ttl, data => Data}] || Data <- ["abc", ["a" | <<"b">>], [256], [x], <<1:3>>, 1, true, 1 bsl 31, 1.5, [[<<1:32/native>>]]]].

options() -> [{socket}, {socket, x}, {x, keepalive}, {socket, keepalive, x}, {tcp, keepalive}, {socket, "keepalive"}, {<<"socket">>, keepalive}, {1, 9}, {socket, 9}, [socket, keepalive], {otp, x}, {otp, 1}].
