%% What happens to sockets of the module `socket`. The real event is one of stock `socket`.
-module(xf_socket).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    xf:scenarios(lists:append([
        connecting(), listening(), ends(), writing(), pieces(), pace(), far(), unix(), datagrams(), refused_datagrams()
    ])).

%% A peer that would send more and stay.
-define(ORDINARY, {peer, [{send, 5000}, wait]}).
-define(PEER, {peer, [{send, 200}, wait]}).
-define(LONG, 20000).

%% The ways to read.
ways() -> [{recv, #{way => recv}}, {nowait, #{way => nowait}}, {recvmsg, #{way => recvmsg}}].

%% The same, and an accepted socket.
modes() -> ways() ++ [{accepted, #{way => recv, role => accepted}}, {accepted_nowait, #{way => nowait, role => accepted}}].

%% --- connecting ---------------------------------------------------------------

connecting() ->
    [
        {Name, Text, Real, {?PEER, [{#{}, What}]}, fun opened/2}
     || {Name, Text, Real, What} <- [
            {refused, "A port where nobody listens.", nobody, refuse},
            {refused_error, "The same as the error of a call.", nobody, {error, #{call => connect, errno => econnrefused}}},
            {refused_down, "The same when the host is down.", nobody, down},
            {unreachable, "The route says that the host is unreachable.",
                {address, {10, 7, 2, 1}}, {error, #{call => connect, errno => ehostunreach}}},
            {no_route, "There is no route.", {address, {10, 8, 0, 1}}, {error, #{call => connect, errno => enetunreach}}}
        ]
    ] ++
    [
        {refused_nowait, "A connect that does not wait hears of it by a message.",
            nobody, {?PEER, [{#{}, refuse}]}, fun(B, Env) -> {S, Result} = connect(B, Env, nowait), finished(B, S, Env, Result) end},
        {refused_again, "The same socket tries again.",
            nobody, {?PEER, [{#{}, refuse}]},
            fun(#{api := M} = B, Env) ->
                {S, First} = connect(B, Env, ?LONG),
                {First, [M:connect(S, address(Env), ?LONG) || _ <- [1, 2, 3]], M:close(S)}
            end},
        {refused_and_elsewhere, "The same socket tries another port, where somebody listens.",
            {made, fun elsewhere/1, nobody}, {{made, fun elsewhere/1, ?PEER}, [{#{}, refuse}]},
            fun(#{api := M} = B, #{elsewhere := Port} = Env) ->
                {S, First} = connect(B, Env, ?LONG),
                {First, [M:connect(S, address(Env#{port := Port}), ?LONG) || _ <- [1, 2, 3]], M:close(S)}
            end},
        {black_hole, "Nobody answers, and the caller's time is over.",
            {address, {10, 7, 6, 2}}, {?PEER, [{#{}, blackhole}]},
            fun(B, Env) -> xf:paced(400, fun() -> {_, Result} = connect(B, Env, 400), Result end) end},
        {black_hole_nowait, "Nobody answers, and nobody waits.",
            {address, {10, 7, 6, 3}}, {?PEER, [{#{}, blackhole}]},
            fun(#{api := M} = B, Env) ->
                {S, {select, {select_info, connect, _} = Info}} = connect(B, Env, nowait),
                {message(300), M:peername(S), M:cancel(S, Info), M:close(S)}
            end}
    ] ++
    [
        {Name, Text, {with, #{bind => Real}, nobody},
            {{with, #{bind => #{family => inet, addr => loopback, port => 0}}, nobody},
                [{#{owner => self}, {error, #{call => bind, errno => Errno}}}]},
            fun(#{api := M}, #{bind := Address}) -> {ok, S} = M:open(inet, stream), {M:bind(S, Address), M:close(S)} end}
     || {Name, Text, Real, Errno} <- [
            {bind_not_ours, "A local address that the host does not have.",
                #{family => inet, addr => {192, 0, 2, 1}, port => 0}, eaddrnotavail},
            {bind_of_root, "A local port that is not for everybody.",
                #{family => inet, addr => any, port => 22}, eacces}
        ]
    ].

opened(#{api := M} = B, Env) ->
    {S, Result} = connect(B, Env, ?LONG),
    {Result, M:close(S)}.

%% A second port, where a peer listens.
elsewhere(Env) ->
    {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    Env#{elsewhere => xc:listener_port(L)}.

connect(#{api := M}, #{address := Address} = Env, How) ->
    {ok, S} = M:open(case Address of {local, _} -> local; _ -> inet end, stream),
    {S, M:connect(S, address(Env), How)}.

address(#{address := {local, Path}}) -> #{family => local, path => Path};
address(#{address := Address, port := Port}) -> #{family => inet, addr => Address, port => Port}.

finished(#{api := M}, S, Env, {select, {select_info, connect, Handle}}) ->
    receive
        {'$socket', S, select, Handle} -> {told, M:connect(S, address(Env))}
    after ?LONG -> silence
    end;
finished(_, _, _, Result) ->
    Result.

message(Ms) ->
    receive {'$socket', _, What, _} -> What after Ms -> silence end.

%% --- listening ----------------------------------------------------------------

listening() ->
    [
        {accept_eagain, "Wakings with nothing to accept: nobody is told.",
            nobody, {nobody, [{#{local_port => port}, {eagain, #{n => 3}}}]},
            fun(#{api := M} = B, #{port := Port} = Env) ->
                L = listener(B, Env),
                {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
                First = element(1, M:accept(L, 2000)),
                Call = xc:spawn_call(fun() -> element(1, M:accept(L, 2000)) end),
                timer:sleep(50),
                {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
                {First, xc:await(Call), M:accept(L, 50)}
            end},
        {accept_reset, "A client that resets before it is accepted: the socket is accepted, and reset.",
            {with, #{early => fun xc:reset/1}, nobody},
            {{with, #{early => fun(_) -> ok end}, nobody}, [{#{local_port => port, role => accepted}, reset}]},
            fun(#{api := M} = B, #{port := Port, early := Early} = Env) ->
                L = listener(B, Env),
                {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]),
                _ = Early(C),
                timer:sleep(50),
                {ok, S} = M:accept(L, 2000),
                {M:recv(S, 0, 2000), M:send(S, "x"), M:close(S)}
            end}
    ].

listener(#{api := M}, #{port := Port}) ->
    {ok, L} = M:open(inet, stream),
    ok = M:setopt(L, {socket, reuseaddr}, true),
    ok = M:bind(L, #{family => inet, addr => {127, 0, 0, 1}, port => Port}),
    ok = M:listen(L),
    L.

%% --- streams ------------------------------------------------------------------

%% The scene's socket: connected, or accepted from a peer that connects.
open(#{api := M} = B, #{role := client} = Env) ->
    {S, ok} = connect(B, Env, ?LONG),
    _ = [ok = M:setopt(S, {socket, sndbuf}, Size) || #{sndbuf := Size} <- [Env]],
    xf:tell(Env, opened),
    S;
open(#{api := M} = B, #{role := accepted} = Env) ->
    L = listener(B, Env),
    xf:tell(Env, connect),
    {ok, S} = M:accept(L, ?LONG),
    ok = M:close(L),
    xf:tell(Env, opened),
    S.

%% What a reader sees until an error or silence, or until it has so many bytes. Bytes next to each other are one.
read(B, S, Env) -> joined(read_all(B, S, Env)).

take(B, S, Env, Size) -> joined(read_all(B, S, Env#{enough => Size})).

read_all(_, _, #{enough := Enough}) when Enough =< 0 -> [];
read_all(B, S, #{way := Way, quiet := Quiet} = Env) ->
    case one(Way, B, S, Quiet) of
        {ok, Data} ->
            xf:tell(Env, next),
            [Data | read_all(B, S, case Env of #{enough := N} -> Env#{enough := N - byte_size(Data)}; _ -> Env end)];
        Error ->
            [Error]
    end.

one(recv, #{api := M}, S, Quiet) ->
    M:recv(S, 0, Quiet);
one(recvmsg, #{api := M}, S, Quiet) ->
    case M:recvmsg(S, 0, 0, [], Quiet) of
        {ok, #{iov := [Data]}} -> {ok, Data};
        Error -> Error
    end;
one(nowait, #{api := M} = B, S, Quiet) ->
    case M:recv(S, 0, nowait) of
        {select, {select_info, _, Handle} = Info} ->
            receive
                {'$socket', S, select, Handle} -> one(nowait, B, S, Quiet);
                {'$socket', S, abort, {Handle, Why}} -> {aborted, Why}
            after Quiet -> _ = M:cancel(S, Info), {error, timeout}
            end;
        Other ->
            Other
    end.

joined([Data | _] = Seen) when is_binary(Data) ->
    {Pieces, Rest} = lists:splitwith(fun is_binary/1, Seen),
    Bytes = iolist_to_binary(Pieces),
    [{bytes, byte_size(Bytes), Bytes =:= xc:fill(byte_size(Bytes))} | joined(Rest)];
joined([Event | Rest]) -> [Event | joined(Rest)];
joined([]) -> [].

ends() ->
    lists:append([
        xf:variants(modes(), Entry)
     || Entry <- [
            {reset_at_byte, "A peer that sends 1050 bytes and resets.",
                {peer, [{send, 1050}, reset]},
                {?ORDINARY, [{#{direction => recv}, {reset, #{after_bytes => 1050}}}]}, fun to_the_end/2},
            {limit_close, "A peer that sends 1050 bytes and closes.",
                {peer, [{send, 1050}, close]},
                {?ORDINARY, [{#{direction => recv}, {limit, #{bytes => 1050}}}]}, fun to_the_end/2},
            {limit_blackhole, "A peer from which nothing comes behind 1050 bytes.",
                {peer, [{send, 1050}, wait]},
                {?ORDINARY, [{#{direction => recv}, {limit, #{bytes => 1050, then => blackhole}}}]},
                fun to_the_end/2, #{quiet => 300}},
            {reset_open, "A peer that resets while the connection is used.",
                {peer, [{send, 200}, await, reset]}, {?PEER, [{later, {#{}, reset}}]}, fun event_open/2},
            {recv_error, "The same as the error of a call.",
                {peer, [{send, 200}, await, reset]},
                {{peer, [{send, 200}, await, {send, 100}, wait]},
                    [{later, {#{}, {error, #{call => recv, errno => econnreset}}, #{'when' => {first, 1}}}}]},
                fun(B, Env) -> S = open(B, Env), First = take(B, S, Env, 200), ok = xf:event(Env), {First, read(B, S, Env)} end},
            {reset_waiting, "A peer that resets while somebody waits in recv.",
                {peer, [{send, 200}, await, reset]}, {?PEER, [{later, {#{}, reset}}]},
                fun(#{api := M} = B, Env) ->
                    S = open(B, Env),
                    First = take(B, S, Env, 200),
                    Call = xc:spawn_call(fun() -> M:recv(S, 0) end),
                    ok = waits(M, S),
                    ok = xf:event(Env),
                    {First, xc:await(Call, ?LONG), M:send(S, "x"), M:close(S)}
                end},
            {down, "The host goes down: the connection is reset.",
                {peer, [{send, 200}, await, reset]}, {?PEER, [{later, {#{}, down}}]}, fun event_open/2},
            {half_closed_peer, "The peer's direction ends at a byte, the other stays.",
                {peer, [{send, 1050}, half_close, sink]},
                {{peer, [{send, 5000}, sink]}, [{#{direction => recv}, {limit, #{bytes => 1050}}}]},
                fun(B, Env) -> S = open(B, Env), read(B, S, Env) end}
        ]
    ]) ++
    [
        {reset_names, "The names and options of a socket that was reset.",
            {peer, [{send, 200}, await, reset]}, {?PEER, [{later, {#{}, reset}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env#{way => recv}),
                ok = M:setopt(S, {socket, keepalive}, true),
                First = take(B, S, Env#{way => recv}, 200),
                ok = xf:event(Env),
                {First, read(B, S, Env#{way => recv}), M:peername(S), element(1, M:sockname(S)),
                    M:getopt(S, {socket, keepalive}), M:getopt(S, {socket, type}), M:getopt(S, {socket, protocol}),
                    M:shutdown(S, write), M:close(S)}
            end}
    ].

%% Somebody waits in recv.
waits(M, S) ->
    xc:until(fun() -> maps:get(num_readers, M:info(S)) =:= 1 end),
    ok.

to_the_end(#{api := M} = B, Env) ->
    S = open(B, Env),
    {read(B, S, Env), M:send(S, "x")}.

event_open(#{api := M} = B, Env) ->
    S = open(B, Env),
    First = take(B, S, Env, 200),
    ok = xf:event(Env),
    {First, read(B, S, Env), M:send(S, "x"), M:close(S)}.

writing() ->
    Small = #{sndbuf => 2048},
    [
        {reset_while_sending, "A peer that resets when it has 10000 bytes.",
            {peer, [{recv, 10000}, reset]},
            {{peer, [sink]}, [{#{direction => send}, {reset, #{after_bytes => 10000}}}]}, fun send_until_error/2},
        {closed_while_sending, "A peer that closes when it has 10000 bytes.",
            {peer, [{recv, 10000}, close]},
            {{peer, [sink]}, [{#{direction => send}, {limit, #{bytes => 10000}}}]}, fun send_until_error/2},
        {full_buffers, "A peer that does not read, and a send with a timeout. Its rest is what has not gone out.",
            {peer, [{setopts, [{recbuf, 4096}]}, wait]},
            {{peer, [sink]}, [{later, {#{direction => send}, blackhole}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                ok = M:setopt(S, {socket, sndbuf}, 4096),
                ok = xf:event(Env),
                {error, {timeout, Rest}} = M:send(S, xc:fill(10000000), 200),
                {select, {Info, _}} = fill(M, S),
                {byte_size(Rest) < 10000000, message(200), M:cancel(S, Info), M:close(S)}
            end},
        {eagain_send, "Buffers that are full for a while.",
            {with, Small, {peer, [{setopts, [{recbuf, 2048}]}, {sleep, 50}, drain]}},
            {{peer, [drain]}, [{#{direction => send}, {eagain, #{n => 5}}}]}, fun all_arrives/2},
        {short_write, "A socket with a small buffer, and a peer with a small window: all comes, in order.",
            {with, Small, {peer, [{setopts, [{recbuf, 2048}]}, drain]}},
            {{peer, [drain]}, [{#{}, {short_write, #{size => 700}}}]}, fun all_arrives/2},
        {short_write_nowait, "A send that does not wait says what is left.",
            {with, Small, {peer, [drain]}}, {{peer, [drain]}, [{#{}, {short_write, #{size => 700}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                {select, {Info, Rest}} = M:send(S, xc:fill(1000000), nowait),
                Left = byte_size(Rest) < 1000000,
                {Left, element(2, Info), message(2000), M:close(S), setelement(1, xf:told(Env), some)}
            end},
        {send_error, "A send on a connection that was reset.",
            {peer, [await, reset]},
            {{peer, [sink]}, [{later, {#{}, {error, #{call => send, errno => econnreset}}, #{'when' => {first, 1}}}}]},
            fun(#{api := M} = B, Env) -> S = open(B, Env), ok = xf:event(Env), timer:sleep(50), M:send(S, "x") end}
    ].

send_until_error(#{api := M} = B, Env) ->
    S = open(B, Env),
    {lists:usort(sends(M, S, 1000)), M:recv(S, 0, 1000), M:send(S, "x")}.

sends(_, _, 0) -> [never];
sends(M, S, N) ->
    case M:send(S, xc:fill(1000)) of
        ok -> timer:sleep(2), [ok | sends(M, S, N - 1)];
        Error -> [Error]
    end.

%% Sends until nothing goes out any more.
fill(M, S) ->
    case M:send(S, xc:fill(100000), nowait) of
        {select, {_, _}} = Full -> Full;
        {select, Info} -> {select, {Info, nothing}};
        ok -> fill(M, S)
    end.

all_arrives(#{api := M} = B, Env) ->
    S = open(B, Env),
    Sent = [M:send(S, xc:fill(16000)) || _ <- lists:seq(1, 10)],
    ok = M:close(S),
    {lists:usort(Sent), xf:told(Env)}.

pieces() ->
    lists:append([
        xf:variants(modes(), Entry)
     || Entry <- [
            {short_read, "A peer that writes byte by byte.",
                {peer, [{drip, 150}, close]},
                {{peer, [{send, 150}, close]}, [{#{}, {short_read, #{size => 1}}}]}, fun to_the_end/2},
            {eagain, "Wakings with nothing to read: nobody is told.",
                {peer, [{drip, 100}, close]},
                {{peer, [{send, 100}, close]}, [{#{direction => recv}, {eagain, #{n => 5}}}]}, fun to_the_end/2},
            {slice, "A relay that passes on pieces of 30 bytes.",
                {relay, [{recv, {slice, 30, 5}}], [{send, 350}, close]},
                {{peer, [{send, 350}, close]}, [{#{direction => recv}, {slice, #{size => 30, delay => 5}}}]}, fun to_the_end/2}
        ]
    ]) ++
    [
        {short_read_length, "recv of a length waits for all of it, and peeks leave what they see.",
            {peer, [{bytes, "0123456789"}, wait]},
            {{peer, [{bytes, "0123456789"}, wait]}, [{#{}, {latency, #{ms => 50}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                {M:recv(S, 4, [peek], ?LONG), M:recv(S, 4, ?LONG), M:recv(S, 4, [peek], ?LONG), M:recv(S, 6, ?LONG), M:recv(S, 0, 0)}
            end}
    ].

pace() ->
    lists:append([
        xf:variants(modes(), Entry)
     || Entry <- [
            {latency, "A relay that delays what comes.",
                {relay, [{recv, {delay, 300}}], [{send, 300}, close]},
                {{peer, [{send, 300}, close]}, [{#{}, {latency, #{ms => 300}}}]},
                fun(B, Env) -> S = open(B, Env), xf:paced(250, fun() -> read(B, S, Env) end) end},
            {bandwidth, "A relay that passes on 40000 bytes a second.",
                {relay, [{recv, {rate, 40000}}], [{send, 20000}, close]},
                {{peer, [{send, 20000}, close]}, [{#{direction => recv}, {bandwidth, #{rate => 40000}}}]},
                fun(B, Env) -> S = open(B, Env), xf:paced(400, fun() -> read(B, S, Env) end) end},
            {slow_close, "A relay that holds the end back. The bytes before it come at once.",
                {relay, [{recv, {hold_end, 1500}}], [{send, 200}, close]},
                {{peer, [{send, 200}, close]}, [{#{direction => recv}, {slow_close, #{ms => 1500}}}]},
                fun(B, Env) ->
                    S = open(B, Env),
                    {take(B, S, Env, 200), xf:paced(800, fun() -> read(B, S, Env) end)}
                end}
        ]
    ]) ++
    [
        {latency_timeout, "A recv whose time is over before the answer comes. The next one gets it.",
            {relay, [{recv, {delay, 500}}], [echo]}, {{peer, [echo]}, [{#{}, {latency, #{ms => 500}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                ok = M:send(S, "late"),
                {M:recv(S, 0, 200), M:recv(S, 0, ?LONG)}
            end},
        {latency_close, "close does not drop what is on its way.",
            {relay, [{send, {delay, 300}}], [drain]},
            {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 300}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                {M:send(S, xc:fill(1000)), M:close(S), xf:paced(250, fun() -> xf:told(Env) end)}
            end},
        {bulk, "Much that is late, in messages of several binaries.",
            {relay, [{send, {delay, 100}}], [drain]},
            {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 100}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                Sent = [M:sendmsg(S, #{iov => [xc:fill(16000), xc:fill(32000)]}) || _ <- lists:seq(1, 20)],
                {lists:usort(Sent), M:close(S), xf:told(Env)}
            end},
        {sendfile, "A file that is late.",
            {relay, [{send, {delay, 100}}], [drain]},
            {{peer, [drain]}, [{#{direction => send}, {latency, #{ms => 100}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                Path = "/run/xf.file." ++ integer_to_list(xf:number()),
                ok = file:write_file(Path, xc:fill(1600000)),
                {ok, File} = file:open(Path, [read, raw, binary]),
                {M:sendfile(S, File), M:close(S), xf:told(Env)}
            end},
        {healed, "A network that is good again: what was held back comes at once, and all that follows.",
            {peer, [echo]}, {{peer, [echo]}, [{later, {#{}, {latency, #{ms => 60000}}}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                ok = xf:event(Env),
                ok = M:send(S, xc:fill(100000)),
                timer:sleep(200),
                ok = xf:heal(Env),
                First = M:recv(S, 100000, ?LONG) =:= {ok, xc:fill(100000)},
                ok = M:send(S, "again"),
                {First, M:recv(S, 5, ?LONG), M:close(S)}
            end}
    ].

%% --- hosts that vanish --------------------------------------------------------

far() ->
    xf:variants(ways(), {
        half_open, "A host that has forgotten the connection: nothing comes, and what is sent is answered by a reset.",
        {far, [{send, 200}, wait], vanish},
        {{peer, [{send, 200}, await, {send, 300}, wait]}, [{later, {#{}, half_open}}]},
        fun(#{api := M} = B, Env) ->
            S = open(B, Env),
            First = take(B, S, Env, 200),
            ok = xf:event(Env),
            Gone = read(B, S, Env#{quiet => 300}),
            Sent = M:send(S, "anyone?"),
            {First, Gone, Sent, read(B, S, Env), M:send(S, "x")}
        end
    }) ++
    xf:variants(ways(), {
        blackhole, "A host that is cut off, and is there again: what it has sent comes then.",
        {far, [{send, 200}, await, {send, 300}, {tell, sent}, wait], cut},
        {{peer, [{send, 200}, await, {send, 300}, {tell, sent}, wait]}, [{later, {#{}, blackhole}}]},
        fun(B, Env) ->
            S = open(B, Env),
            First = take(B, S, Env, 200),
            ok = xf:event(Env),
            sent = xf:told(Env),
            Cut = read(B, S, Env#{quiet => 400}),
            ok = xf:heal(Env),
            {First, Cut, take(B, S, Env, 300)}
        end
    }).

%% --- unix sockets -------------------------------------------------------------

unix() ->
    xf:variants(ways(), {
        unix_limit, "A peer on a unix socket that closes.",
        {local, [{send, 1050}, close]},
        {{local, [{send, 5000}, wait]}, [{#{direction => recv}, {limit, #{bytes => 1050}}}]}, fun to_the_end/2
    }) ++
    [
        {unix_refused, "A path where nobody listens any more.",
            {made, fun abandoned/1, nobody}, {{local, [wait]}, [{#{}, refuse}]}, fun opened/2},
        {unix_reset, "A peer on a unix socket that closes with bytes unread.",
            {local, [{send, 200}, await, close]}, {{local, [{send, 200}, wait]}, [{later, {#{}, reset}}]},
            fun(#{api := M} = B, Env) ->
                S = open(B, Env),
                First = take(B, S, Env#{way => recv}, 200),
                Sent = M:send(S, "unread"),
                ok = xf:event(Env),
                {First, Sent, read(B, S, Env#{way => recv}), M:send(S, "x")}
            end}
    ].

abandoned(Env) ->
    Path = "/run/xf.old." ++ integer_to_list(xf:number()),
    {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, Path}}]),
    ok = gen_tcp:close(L),
    Env#{address => {local, Path}, port => 0}.

%% --- datagrams ----------------------------------------------------------------

-define(FIVE, {udp, [{send, 5}]}).

datagrams() ->
    lists:append([
        xf:variants([{recvfrom, #{way => recvfrom}}, {recvmsg, #{way => recvmsg}}],
            {Name, Text, {udp_relay, [{recv, Way}], [{send, 5}]},
                {?FIVE, [{#{direction => recv}, What, #{'when' => {nth, 2}}}]}, fun greeted/2, #{quiet => 600}})
     || {Name, Text, Way, What} <- [
            {loss, "The second datagram is lost.", {lose, 2}, {loss, #{p => 1.0}}},
            {duplicate, "The second datagram comes twice.", {twice, 2}, {duplicate, #{p => 1.0}}},
            {corrupt, "A bit of the second datagram is wrong.", {flip, 2}, {corrupt, #{p => 1.0}}},
            {truncate, "The second datagram is cut off.", {cut, 2, 10}, {truncate, #{size => 10}}},
            {reorder, "The third datagram overtakes the second.", {behind, 2, 1}, {reorder, #{p => 1.0}}}
        ]
    ]) ++
    [
        {udp_latency, "A relay that delays what comes.",
            {udp_relay, [{recv, {delay, 600}}], [{send, 3}]}, {{udp, [{send, 3}]}, [{#{}, {latency, #{ms => 600}}}]},
            fun(B, Env) ->
                S = greeting(B, Env),
                {received(B, S, Env#{way => recvfrom, quiet => 100}), received(B, S, Env#{way => recvfrom, quiet => 1200})}
            end},
        {udp_eagain, "Wakings with nothing to read: nobody is told.",
            ?FIVE, {?FIVE, [{#{direction => recv}, {eagain, #{n => 3}}}]}, fun greeted/2, #{way => recvfrom, quiet => 600}},
        {udp_short, "A datagram that is longer than what recvmsg asks for.",
            {udp_relay, [{recv, {delay, 100}}], [{send, 2}]}, {{udp, [{send, 2}]}, [{#{}, {latency, #{ms => 100}}}]},
            fun(#{api := M} = B, Env) ->
                S = greeting(B, Env),
                Peeked = M:recvmsg(S, 10, 0, [peek], 5000),
                [tidy(Result) || Result <- [Peeked, M:recvmsg(S, 10, 0, [], 5000), M:recvmsg(S, 200, 0, [], 5000)]]
            end}
    ] ++
    [
        {Name, Text, {address, Address}, {{udp, [echo]}, [{#{}, {error, #{call => send, errno => Errno}}}]},
            fun(#{api := M}, Env) -> {ok, S} = M:open(inet, dgram), M:sendto(S, "x", address(Env)) end}
     || {Name, Text, Address, Errno} <- [
            {udp_unreachable, "The route says that the host is unreachable.", {10, 7, 2, 1}, ehostunreach},
            {udp_no_route, "There is no route.", {10, 8, 0, 1}, enetunreach}
        ]
    ].

tidy({ok, Message}) -> {ok, maps:without([addr], Message)};
tidy(Error) -> Error.

greeting(#{api := M}, Env) ->
    {ok, S} = M:open(inet, dgram),
    ok = M:sendto(S, "hello", address(Env)),
    S.

greeted(B, Env) -> received(B, greeting(B, Env), Env).

%% What comes until nothing has come for a while: {number, size, intact or damaged}.
received(#{api := M} = B, S, #{way := Way, quiet := Quiet} = Env) ->
    Result =
        case Way of
            recvfrom -> M:recvfrom(S, 0, [], Quiet);
            recvmsg -> M:recvmsg(S, 0, 0, [], Quiet)
        end,
    case Result of
        {ok, {#{port := _}, Data}} -> [number(Data) | received(B, S, Env)];
        {ok, #{iov := [Data], addr := #{port := _}}} -> [number(Data) | received(B, S, Env)];
        {error, timeout} -> [];
        Error -> [Error | received(B, S, Env)]
    end.

number(<<>>) -> empty;
number(<<N, _/binary>> = Data) ->
    case Data =:= binary:copy(<<N>>, byte_size(Data)) of
        true -> {N, byte_size(Data)};
        false -> {damaged, byte_size(Data)}
    end.

refused_datagrams() ->
    [
        {udp_refused, "A connected socket whose peer has no socket: recv says so.",
            nobody, {{udp, [echo]}, [{#{}, refuse}]},
            fun(#{api := M}, Env) ->
                {ok, S} = M:open(inet, dgram),
                ok = M:connect(S, address(Env)),
                First = M:send(S, "hello"),
                timer:sleep(50),
                {First, M:recv(S, 0, 300), M:recv(S, 0, 20)}
            end},
        {udp_refused_nowait, "Who waits already is told.",
            nobody, {{udp, [echo]}, [{#{}, refuse}]},
            fun(#{api := M}, Env) ->
                {ok, S} = M:open(inet, dgram),
                ok = M:connect(S, address(Env)),
                {select, _} = M:recv(S, 0, nowait),
                {M:send(S, "hello"), message(2000), M:recv(S, 0, 300)}
            end},
        {udp_black_hole, "Nothing comes back, and nobody says why.",
            {udp_relay, [{send, {lose, N}} || N <- lists:seq(1, 5)], [echo]}, {{udp, [echo]}, [{#{}, blackhole}]},
            fun(#{api := M}, Env) ->
                {ok, S} = M:open(inet, dgram),
                ok = M:connect(S, address(Env)),
                {[M:send(S, "hello") || _ <- [1, 2, 3]], M:recv(S, 0, 300)}
            end}
    ].
