%% Programs that make small sends all the time. Their callers need not wait for Python after a while. On OTP's `socket`
%% nobody waits: a send is a call of the system.
-module(xs_early).

-export([scenarios/0]).

-define(LONG, 5000).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {Name, Text, fun(B) -> Fun(B, xs:pair(B)) end}
     || {Name, Text, Fun} <- on_a_connection()
    ] ++ [
        {list_to_atom("local_" ++ atom_to_list(Name)), Text ++ " In the unix domain.", fun(B) ->
            Fun(B, xs:local_pair(B, stream))
        end}
     || {Name, Text, Fun} <- on_a_connection(), Name =/= owner_ends
    ] ++ behind_the_end() ++ others().

on_a_connection() ->
    [
        {echo, "Questions and answers.", fun(#{api := M}, {C, S}) ->
            Echo = xc:spawn_call(fun() -> echo(M, S, 4) end),
            Answers = [ask(M, C, <<N:32>>) || N <- lists:seq(1, 300)],
            ok = M:close(C),
            {Answers =:= [{ok, <<N:32>>} || N <- lists:seq(1, 300)], xc:await(Echo)}
        end},
        {sizes, "Small sends and large ones keep their order.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Pieces = [binary:copy(<<N>>, Size) || N <- lists:seq(1, 40), Size <- [0, 1, 100, 512, 513, 9000, 60000]],
            Whole = iolist_to_binary(Pieces),
            Read = xc:spawn_call(fun() -> xs:received(M, S, byte_size(Whole)) =:= Whole end),
            {lists:usort([M:send(C, Piece) || Piece <- Pieces]), xc:await(Read)}
        end},
        {forms, "All forms of send, in turn.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Results = [
                Send()
             || _ <- lists:seq(1, 20),
                Send <- [
                    fun() -> M:send(C, "a") end,
                    fun() -> M:send(C, ["b", <<"c">>]) end,
                    fun() -> M:send(C, "d", []) end,
                    fun() -> M:send(C, "e", nowait) end,
                    fun() -> M:send(C, "f", 1000) end,
                    fun() -> M:send(C, "g", [], infinity) end,
                    fun() -> M:send(C, "h", [], 0) end,
                    fun() -> M:send(C, "i", [nosignal]) end,
                    fun() -> M:send(C, "j", [], make_ref()) end,
                    fun() -> M:sendmsg(C, #{iov => [<<"k">>]}) end,
                    fun() -> M:send(C, <<>>) end
                ]
            ],
            {lists:usort(Results), xs:received(M, S, 220)}
        end},
        {senders, "Several processes send: each in order.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            _ = [
                spawn(fun() -> [ok = M:send(C, <<Id, N:24>>) || N <- lists:seq(1, 300)] end)
             || Id <- lists:seq(1, 5)
            ],
            Pieces = [{Id, N} || <<Id, N:24>> <= xs:received(M, S, 6000)],
            [[N || {I, N} <- Pieces, I =:= Id] =:= lists:seq(1, 300) || Id <- lists:seq(1, 5)]
        end},
        {slow_reader, "A peer that does not read stops the senders; nothing is lost.", fun(B, {C, S}) ->
            stopped_by(B, C, S, [sndbuf])
        end},
        {slow_reader_with_room, "The same with the buffers of the system.", fun(B, {C, S}) ->
            stopped_by(B, C, S, [])
        end},
        {slow_reader_in_time, "A sender that does not wait is told so when there is no room, and when there is.", fun(
            #{api := M} = B, {C, S}
        ) ->
            ok = small(M, C, S),
            ok = warm(B, C, S),
            {Sent, {select_info, Tag, Handle}} = until_full(M, C, 0),
            Reader = xc:spawn_call(fun() -> byte_size(xs:received(M, S, Sent)) =:= Sent end),
            {'$socket', C, select, Handle} = xs:message(),
            {Tag, xc:await(Reader), M:send(C, "y"), M:recv(S, 1, ?LONG), M:recv(S, 0, 0)}
        end},
        {large_between, "Other processes send a little while one sends much.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Size = 8 bsl 20,
            Large = xc:spawn_call(fun() -> M:send(C, binary:copy(<<0>>, Size)) end),
            Small = [
                xc:spawn_call(fun() -> lists:usort([M:send(C, <<Id, N:24>>) || N <- lists:seq(1, 200)]) end)
             || Id <- [1, 2, 3]
            ],
            Data = xs:received(M, S, Size + 3 * 800),
            Pieces = [{Id, N} || <<Id, N:24>> <= nonzero(Data)],
            {
                [[N || {I, N} <- Pieces, I =:= Id] =:= lists:seq(1, 200) || Id <- [1, 2, 3]],
                xc:await(Large),
                [xc:await(Call) || Call <- Small]
            }
        end},
        {close, "What was sent comes before the end.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), M:close(C), M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}, M:recv(S, 0, ?LONG)}
        end},
        {close_lingering, "The same with a close that waits.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            ok = M:setopt(C, socket, linger, #{onoff => true, linger => 5}),
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), M:close(C), M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}, M:recv(S, 0, ?LONG)}
        end},
        {close_full, "The same with all that the buffers take.", fun(#{api := M} = B, {C, S}) ->
            ok = small(M, C, S),
            ok = warm(B, C, S),
            {Sent, _} = until_full(M, C, 0),
            ok = M:close(C),
            {byte_size(xs:received(M, S, Sent)) =:= Sent, M:recv(S, 0, ?LONG)}
        end},
        {shutdown, "The same with shutdown; no send goes behind it.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 100)],
            Shut = M:shutdown(C, write),
            {Shut, [M:send(C, "x") || _ <- [1, 2, 3]], M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}, M:recv(S, 0, ?LONG)}
        end},
        {shutdown_by_another, "Another process ends the direction between two sends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 40)],
            Shut = xc:await(xc:spawn_call(fun() -> M:shutdown(C, read_write) end)),
            {Shut, M:send(C, "x"), M:recv(C, 0, 0), M:recv(S, 160, ?LONG) =:= {ok, numbers(40)}, M:recv(S, 0, ?LONG)}
        end},
        {owner_ends, "The owner ends: what was sent comes before the end.", fun(#{api := M} = B, _) ->
            {Listener, Address} = xs:listener(B),
            Owner = xs:holder(fun() ->
                {ok, C} = M:open(inet, stream),
                ok = M:connect(C, Address),
                [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 100)]
            end),
            {ok, S} = M:accept(Listener, ?LONG),
            ok = xs:ends(Owner),
            {M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}, M:recv(S, 0, ?LONG)}
        end},
        {killed, "A sender is killed in the middle: what it has sent is there, in order.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Counter = counters:new(1, []),
            Sender = spawn(fun() -> send_for_ever(M, C, 1, Counter) end),
            First = xs:received(M, S, 100000),
            exit(Sender, kill),
            ok = M:close(C),
            Rest = to_the_end(M, S),
            Count = counters:get(Counter, 1),
            Data = <<First/binary, Rest/binary>>,
            Numbers = [N || <<N:800>> <= Data],
            {Numbers =:= lists:seq(1, length(Numbers)), length(Numbers) >= Count, byte_size(Data) rem 100}
        end},
        {hand_over, "The socket gets another owner between two sends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 50)],
            Other = xs:holder(fun() -> ok end),
            ok = M:setopt(C, otp, controlling_process, Other),
            xs:in(Other, fun() -> [ok = M:send(C, <<N:32>>) || N <- lists:seq(51, 100)] end),
            All = M:recv(S, 400, ?LONG) =:= {ok, numbers(100)},
            ok = xs:ends(Other),
            {All, M:recv(S, 0, ?LONG), M:send(C, "x")}
        end},
        {counters, "The counters are those of all sends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            [ok = M:send(C, binary:copy(<<"x">>, N)) || N <- lists:seq(1, 60)],
            #{counters := Counters, wstates := States, num_writers := Writers} = M:info(C),
            {lists:sort([C1 || {Name, _} = C1 <- maps:to_list(Counters), lists:prefix("write", atom_to_list(Name))]),
                States, Writers, byte_size(xs:received(M, S, 1830))}
        end},
        {options, "Options are set and read between sends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            [
                {M:send(C, <<N:32>>), M:setopt(C, Option, Value), M:getopt(C, Option), M:send(C, <<N:32>>), M:recv(S, 8, ?LONG)}
             || N <- lists:seq(1, 20),
                {Option, Value} <- [
                    {{socket, sndbuf}, 1 bsl (15 + N rem 4)},
                    {{otp, iow}, true},
                    {{otp, rcvbuf}, N},
                    {{socket, linger}, #{onoff => true, linger => N}}
                ]
            ]
        end},
        {both_ways, "Both ends send and receive at the same time.", fun(#{api := M}, {C, S}) ->
            Ends = [
                xc:spawn_call(fun() ->
                    Sender = xc:spawn_call(fun() -> lists:usort([M:send(E, <<N:32>>) || N <- lists:seq(1, 500)]) end),
                    {xs:received(M, E, 2000) =:= numbers(500), xc:await(Sender)}
                end)
             || E <- [C, S]
            ],
            [xc:await(E) || E <- Ends]
        end},
        {peer_half_closes, "A peer that has ended its direction still reads.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            ok = M:shutdown(S, write),
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}, M:recv(C, 0, ?LONG)}
        end},
        {closed_here, "Behind close everything is as on a socket that is closed.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            ok = M:close(C),
            {M:send(C, "x"), M:send(C, "x", nowait), M:recv(C, 0), M:close(C)}
        end},
        {waits_and_sends, "A process waits in recv while another sends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Reader = xc:spawn_call(fun() -> M:recv(C, 5, ?LONG) end),
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 60)],
            ok = M:send(S, "hello"),
            {lists:usort(Sent), xc:await(Reader), byte_size(xs:received(M, S, 240))}
        end},
        {waits_for_the_end, "The same until the peer ends.", fun(#{api := M} = B, {C, S}) ->
            ok = warm(B, C, S),
            Reader = xc:spawn_call(fun() -> M:recv(C, 5, ?LONG) end),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 60)],
            _ = xs:received(M, S, 240),
            ok = M:close(S),
            {xc:await(Reader), M:recv(C, 0, ?LONG)}
        end}
    ].

%% What the next call says after the peer's end, and the one behind it.
behind_the_end() ->
    [
        {list_to_atom(lists:flatten(["behind_", How, $_, atom_to_list(Name)])), "What the next calls say after the peer's end.", fun(
            #{api := M} = B
        ) ->
            {C, S} = xs:pair(B),
            ok = warm(B, C, S),
            ok = ends(M, How, S),
            First = Next(M, C),
            {First, Next(M, C), M:recv(C, 0, 1000), M:send(C, "x"), M:recv(C, 0, 1000)}
        end}
     || How <- ["close", "reset", "shutdown"],
        {Name, Next} <- [
            {send, fun(M, C) -> M:send(C, "x") end},
            {send_nowait, fun(M, C) -> M:send(C, "x", nowait) end},
            {sendmsg, fun(M, C) -> M:sendmsg(C, #{iov => [<<"x">>]}) end},
            {recv, fun(M, C) -> M:recv(C, 0, 1000) end},
            {recvmsg, fun(M, C) -> M:recvmsg(C, 1000) end},
            {shutdown, fun(M, C) -> M:shutdown(C, write) end},
            {error, fun(M, C) -> M:getopt_native(C, {1, 4}, integer) end},
            {counters, fun(M, C) ->
                [M:send(C, "x") || _ <- lists:seq(1, 3)],
                #{counters := Counters} = M:info(C),
                maps:with([write_tries, write_fails, write_pkg], Counters)
            end},
            {close, fun(M, C) -> M:close(C) end}
        ]
    ].

others() ->
    [
        {dup, "A socket whose descriptor another socket has, too.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            _ = M:getopt(C, otp, fd),
            ok = warm(B, C, S),
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 100)],
            {lists:usort(Sent), M:recv(S, 400, ?LONG) =:= {ok, numbers(100)}}
        end},
        {inet6, "Questions and answers over IPv6.", fun(#{api := M} = B) ->
            {C, S} = xs:pair6(B),
            Echo = xc:spawn_call(fun() -> echo(M, S, 4) end),
            Answers = [ask(M, C, <<N:32>>) || N <- lists:seq(1, 100)],
            ok = M:close(C),
            {Answers =:= [{ok, <<N:32>>} || N <- lists:seq(1, 100)], xc:await(Echo)}
        end},
        {local_reads_no_more, "The peer of a unix socket does not read any more: each send says so.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            ok = warm(B, C, S),
            ok = M:shutdown(S, read),
            [M:send(C, "x") || _ <- [1, 2, 3]]
        end},
        {seqpacket, "Packets keep their bounds.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, seqpacket),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 60)],
            [M:recv(S, 0, ?LONG) || _ <- lists:seq(1, 60)] =:= [{ok, <<N:32>>} || N <- lists:seq(1, 60)]
        end},
        {datagrams, "So do datagrams.", fun(#{api := M} = B) ->
            {C, S} = xs:udp_pair(B),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 60)],
            [M:recv(S, 0, ?LONG) || _ <- lists:seq(1, 60)] =:= [{ok, <<N:32>>} || N <- lists:seq(1, 60)]
        end},
        {local_datagrams, "In the unix domain a peer that does not read stops the sender.", fun(#{api := M} = B) ->
            {C, S} = xs:local_udp_pair(B),
            Count = length(lists:takewhile(fun(_) -> M:send(C, "x", 0) =:= ok end, lists:seq(1, 1000))),
            {Count < 1000, M:send(C, "x", 0), [M:recv(S, 0, 0) || _ <- lists:seq(1, Count)] =:= lists:duplicate(Count, {ok, <<"x">>})}
        end},
        {connects_again, "A connection that is dissolved takes no more sends.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = warm(B, C, S),
            [ok = M:send(C, <<N:32>>) || N <- lists:seq(1, 40)],
            Connected = M:connect(C, #{family => unspec, addr => <<>>}),
            {Connected, M:send(C, "x"), M:send(C, "x")}
        end}
    ].

%% Both ends have sent and received a little many times.
warm(#{api := M}, C, S) ->
    lists:foreach(
        fun(_) ->
            ok = M:send(C, "a"),
            {ok, <<"a">>} = M:recv(S, 1, ?LONG),
            ok = M:send(S, "b"),
            {ok, <<"b">>} = M:recv(C, 1, ?LONG)
        end,
        lists:seq(1, 12)
    ).

ask(M, C, Question) ->
    ok = M:send(C, Question),
    M:recv(C, byte_size(Question), ?LONG).

echo(M, S, Size) ->
    case M:recv(S, Size) of
        {ok, Data} -> ok = M:send(S, Data), echo(M, S, Size);
        Other -> Other
    end.

%% Whether a sender comes to rest, and whether all that it has sent comes, and goes on when it is read.
stopped_by(#{api := M} = B, C, S, Buffers) ->
    _ = [ok = small(M, C, S) || sndbuf <- Buffers],
    ok = warm(B, C, S),
    Counter = counters:new(1, []),
    Sender = spawn(fun() -> send_for_ever(M, C, 1, Counter) end),
    Stopped = xc:rests(Counter),
    Count = counters:get(Counter, 1) + 100,
    Data = xs:received(M, S, Count * 100),
    exit(Sender, kill),
    Whole = binary:part(Data, 0, Count * 100),
    {Stopped, Whole =:= <<<<N:800>> || N <- lists:seq(1, Count)>>}.

small(M, C, S) ->
    ok = M:setopt(C, socket, sndbuf, 4096),
    M:setopt(S, socket, rcvbuf, 4096).

send_for_ever(M, C, N, Counter) ->
    case M:send(C, <<N:800>>) of
        ok ->
            ok = counters:add(Counter, 1, 1),
            send_for_ever(M, C, N + 1, Counter);
        {error, _} ->
            ok
    end.

%% How many bytes go out, in pieces of 100, before there is no room, and what the last send waits for.
until_full(M, C, Size) ->
    case M:send(C, binary:copy(<<"x">>, 100), nowait) of
        ok ->
            until_full(M, C, Size + 100);
        {select, {{select_info, _, _} = Info, Rest}} ->
            ok = M:cancel(C, Info),
            until_full(M, C, Size + 100 - byte_size(Rest));
        {select, Info} ->
            {Size, Info}
    end.

to_the_end(M, S) ->
    case M:recv(S, 0, ?LONG) of
        {ok, Data} -> <<Data/binary, (to_the_end(M, S))/binary>>;
        {error, _} -> <<>>
    end.

%% The pieces that are no zeros: large sends and small ones are in multiples of four bytes.
nonzero(Data) -> <<<<Id, N:24>> || <<Id, N:24>> <= Data, Id =/= 0>>.

numbers(Last) -> <<<<N:32>> || N <- lists:seq(1, Last)>>.

ends(M, "close", S) -> M:close(S);
ends(M, "shutdown", S) -> M:shutdown(S, read_write);
ends(M, "reset", S) ->
    ok = M:setopt(S, socket, linger, #{onoff => true, linger => 0}),
    M:close(S).
