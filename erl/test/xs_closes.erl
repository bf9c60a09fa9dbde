%% Programs that close connections all the time. Their callers need not wait for Python after a while. On OTP's `socket`
%% close is a call of the emulator, and whoever asks afterwards finds the socket closed.
-module(xs_closes).

-export([scenarios/0]).

-define(LONG, 5000).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {Name, Text, fun(B) -> ok = warm(B), Fun(B, xs:pair(B)) end}
     || {Name, Text, Fun} <- on_a_connection()
    ] ++ [
        {list_to_atom("local_" ++ atom_to_list(Name)), Text ++ " In the unix domain.", fun(B) ->
            ok = warm(B),
            Fun(B, xs:local_pair(B, stream))
        end}
     || {Name, Text, Fun} <- on_a_connection(), lists:member(Name, [behind, unread, listings, monitor, two_closers])
    ] ++ [
        {Name, Text, fun(B) -> ok = warm(B), Fun(B) end}
     || {Name, Text, Fun} <- others()
    ].

on_a_connection() ->
    [
        {behind, "All functions right behind close.", fun(#{api := M}, {C, S}) ->
            {M:close(C), functions(M, C), M:recv(S, 0, ?LONG), M:close(S), functions(M, S)}
        end},
        {behind_by_another, "The same by another process, which hears of the close from the first.", fun(#{api := M}, {C, S}) ->
            Other = xs:holder(fun() -> ok end),
            [{M:close(E), xs:in(Other, fun() -> functions(M, E) end)} || E <- [C, S]]
        end},
        {info, "What the closed socket was.", fun(#{api := M}, {C, S}) ->
            ok = M:send(S, "abc"),
            {ok, "abc"} = {ok, binary_to_list(element(2, M:recv(C, 3, ?LONG)))},
            [{M:close(E), M:info(E)} || E <- [C, S]]
        end},
        {listings, "No listing has it any more, whoever asks.", fun(#{api := M}, {C, S}) ->
            Other = xs:holder(fun() -> ok end),
            Listed = fun() -> {xs:sockets([C, S], M:which_sockets()), xs:sockets([C, S], M:which_sockets(tcp))} end,
            [{Close(), xs:in(Other, Listed), Listed()} || Close <- [fun() -> ok end, fun() -> M:close(C) end, fun() -> M:close(S) end]]
        end},
        {monitor, "Who monitors the socket is told, before close or behind it.", fun(#{api := M}, {C, S}) ->
            Before = M:monitor(C),
            Closed = M:close(C),
            First = receive {'DOWN', Before, socket, C, Why} -> Why after ?LONG -> nothing end,
            ok = M:close(S),
            Behind = M:monitor(S),
            Second = receive {'DOWN', Behind, socket, S, Why2} -> Why2 after ?LONG -> nothing end,
            {Closed, First, Second}
        end},
        {monitors_of_others, "The same for processes that do not close it, and one that has given it up.", fun(#{api := M}, {C, S}) ->
            Others = [xs:holder(fun() -> put(monitors, [M:monitor(E) || E <- [C, S]]) end) || _ <- [1, 2]],
            Given = M:monitor(C),
            Cancelled = M:cancel_monitor(Given),
            Closed = [M:close(E) || E <- [C, S]],
            Told = [
                xs:in(Other, fun() ->
                    [receive {'DOWN', Ref, socket, _, Why} -> Why after ?LONG -> nothing end || Ref <- get(monitors)]
                end)
             || Other <- Others
            ],
            {Cancelled, Closed, Told, mailbox()}
        end},
        {two_closers, "Of several processes one closes the socket.", fun(#{api := M} = B, Pair) ->
            {L, Address} = xs:listener(B),
            Pairs = [Pair | [connected(M, L, Address) || _ <- lists:seq(1, 40)]],
            lists:usort([
                lists:sort([
                    xc:await(Call)
                 || Call <- [xc:spawn_call(fun() -> {M:close(E), M:close(E), M:recv(E, 0, 0)} end) || _ <- [1, 2, 3]]
                ])
             || {C, S} <- Pairs, E <- [C, S]
            ])
        end},
        {abort_is_there, "Who has asked for a message has `abort` when close is over.", fun(#{api := M} = B, {C, _}) ->
            {S, _} = xs:pair(B),
            {select, {select_info, recv, Handle}} = M:recv(C, 0, [], nowait),
            Closed = M:close(C),
            Mine = xs:message(0),
            Other = xs:holder(fun() -> put(select, M:recv(S, 5, [], nowait)) end),
            ClosedToo = M:close(S),
            {Tag, {select_info, recv, TheirHandle}} = xs:in(Other, fun() -> get(select) end),
            Theirs = xs:in(Other, fun() -> xs:message(0) end),
            {Closed, Mine =:= {'$socket', C, abort, {Handle, closed}}, ClosedToo, Tag,
                Theirs =:= {'$socket', S, abort, {TheirHandle, closed}}}
        end},
        {cancelled, "Who has waited and does not any more gets no message.", fun(#{api := M}, {C, S}) ->
            {select, Info} = M:recv(C, 0, [], nowait),
            Cancelled = M:cancel(C, Info),
            Closed = M:close(C),
            {Cancelled, Closed, M:cancel(C, Info), xs:message(0), M:recv(S, 0, ?LONG)}
        end},
        {waits_in_recv, "Processes that wait in recv hear that it is closed.", fun(#{api := M} = B, {C, _}) ->
            {_, S} = xs:pair(B),
            [
                begin
                    Calls = [xc:spawn_call(fun() -> M:recv(E, N) end) || N <- [1, 2, 3]],
                    true = xc:until(fun() -> maps:get(num_readers, M:info(E)) =:= 3 end),
                    {M:close(E), [xc:await(Call) || Call <- Calls]}
                end
             || E <- [C, S]
            ]
        end},
        {waited_before, "The same when the socket has been read in this way.", fun(#{api := M}, {C, S}) ->
            _ = [
                begin
                    Call = xc:spawn_call(fun() -> M:recv(C, 3) end),
                    true = xc:until(fun() -> maps:get(num_readers, M:info(C)) =:= 1 end),
                    ok = M:send(S, "abc"),
                    {ok, <<"abc">>} = xc:await(Call)
                end
             || _ <- [1, 2, 3]
            ],
            {M:close(C), M:recv(C, 1, 0), M:recv(S, 0, ?LONG), M:close(S), mailbox()}
        end},
        {waits_in_send, "A process that waits in send hears how much is left.", fun(#{api := M}, {C, _}) ->
            Call = xc:spawn_call(fun() ->
                case M:send(C, xc:fill(20000000)) of
                    {error, {Reason, Rest}} -> {Reason, byte_size(Rest) > 0};
                    Other -> Other
                end
            end),
            true = xc:until(fun() -> maps:get(num_writers, M:info(C)) =:= 1 end),
            {M:close(C), xc:await(Call)}
        end},
        {told_and_closed, "Who has had the message, and has not read. The peer is reset.", fun(#{api := M}, {C, S}) ->
            {select, {select_info, recv, Handle}} = M:recv(C, 3, [], nowait),
            ok = M:send(S, "abc"),
            Told = receive {'$socket', C, select, Handle} -> told after ?LONG -> nothing end,
            {Told, M:close(C), functions(M, C), M:recv(S, 0, ?LONG)}
        end},
        {told_another_and_closed, "The same for another process.", fun(#{api := M}, {C, S}) ->
            Other = xs:holder(fun() -> put(select, M:recv(C, 3, [], nowait)) end),
            ok = M:send(S, "abc"),
            Told = xs:in(Other, fun() -> receive {'$socket', C, select, _} -> told after ?LONG -> nothing end end),
            {Told, M:close(C), xs:in(Other, fun() -> {M:recv(C, 3, [], nowait), functions(M, C)} end), M:recv(S, 0, ?LONG)}
        end},
        {read_and_closed, "Who has read what was announced. The peer hears of the end.", fun(#{api := M}, {C, S}) ->
            {select, {select_info, recv, Handle}} = M:recv(C, 3, [], nowait),
            ok = M:send(S, "abc"),
            ok = receive {'$socket', C, select, Handle} -> ok after ?LONG -> nothing end,
            {M:recv(C, 3, [], nowait), M:close(C), functions(M, C), M:recv(S, 0, ?LONG)}
        end},
        {port_is_free, "The port of a server's connection that was not read is free at once; and so it is behind the peer's end.", fun(#{api := M} = B, _) ->
            [
                begin
                    {L, Address} = xs:listener(B),
                    {C, S} = connected(M, L, Address),
                    {ok, New} = M:open(inet, stream),
                    ok = M:close(L),
                    {select, {select_info, recv, Handle}} = M:recv(S, 3, [], nowait),
                    ok = M:send(C, "abc"),
                    ok = receive {'$socket', S, select, Handle} -> ok after ?LONG -> nothing end,
                    Did = Before(C, S),
                    {Did, M:close(S), M:bind(New, Address), M:close(C), M:close(New)}
                end
             || Before <- [fun(_, _) -> nothing end, fun(C, S) -> {M:recv(S, 3, [], nowait), M:close(C)} end]
            ]
        end},
        {unread, "What is not read resets the peer.", fun(#{api := M}, {C, S}) ->
            ok = M:send(S, "abc"),
            {ok, <<"abc">>} = M:recv(C, 3, [peek], ?LONG),
            {M:close(C), M:recv(S, 0, ?LONG), M:close(S)}
        end},
        {sent, "What was sent comes before the end.", fun(#{api := M}, {C, S}) ->
            Sent = [M:send(C, <<N:32>>) || N <- lists:seq(1, 5)],
            {Sent, M:close(C), M:recv(S, 20, ?LONG), M:recv(S, 0, ?LONG), M:send(S, "x"), M:close(S)}
        end},
        {sent_much, "The same with all that the buffers take.", fun(#{api := M}, {C, S}) ->
            Size = until_full(M, C, 0),
            Closed = M:close(C),
            {Closed, byte_size(xs:received(M, S, Size)) =:= Size, M:recv(S, 0, ?LONG)}
        end},
        {lingers, "A close that lingers, and one that resets.", fun(#{api := M}, {C, S}) ->
            ok = M:setopt(C, socket, linger, #{onoff => true, linger => 5}),
            ok = M:send(C, "abc"),
            Closed = M:close(C),
            ok = M:setopt(S, socket, linger, #{onoff => true, linger => 0}),
            {Closed, M:recv(S, 3, ?LONG), M:recv(S, 0, ?LONG), M:close(S)}
        end},
        {resets, "A close that resets, also by a number of the option.", fun(#{api := M} = B, {C, S}) ->
            {C2, S2} = xs:pair(B),
            ok = M:setopt(C, socket, linger, #{onoff => true, linger => 0}),
            ok = M:setopt_native(C2, {1, 13}, <<1:32/native, 0:32>>),
            [{M:close(E), M:recv(P, 0, ?LONG)} || {E, P} <- [{C, S}, {C2, S2}]]
        end},
        {half_closed, "A connection of which directions have ended.", fun(#{api := M}, {C, S}) ->
            ok = M:shutdown(C, write),
            {M:recv(S, 0, ?LONG), M:close(S), M:recv(C, 0, ?LONG), M:close(C), M:close(C)}
        end},
        {peer_closed, "A connection that the peer has closed, or reset.", fun(#{api := M} = B, {C, S}) ->
            ok = M:close(S),
            {C2, S2} = xs:pair(B),
            ok = M:setopt(S2, socket, linger, #{onoff => true, linger => 0}),
            ok = M:close(S2),
            {M:recv(C, 0, ?LONG), M:close(C), M:close(C2), M:recv(C2, 0, 0)}
        end},
        {not_the_owner, "Another process closes it; the owner ends afterwards.", fun(#{api := M} = B, _) ->
            {L, Address} = xs:listener(B),
            Owner = xs:holder(fun() -> put(pair, connected(M, L, Address)) end),
            {C, S} = xs:in(Owner, fun() -> get(pair) end),
            Closed = M:close(C),
            Owned = xs:in(Owner, fun() -> {M:recv(S, 0, ?LONG), M:close(C), M:getopt(C, otp, controlling_process)} end),
            ok = xs:ends(Owner),
            {Closed, Owned, xc:until(fun() -> M:close(S) =:= {error, closed} end)}
        end},
        {handed_over, "A socket with another owner, who closes it.", fun(#{api := M}, {C, S}) ->
            Owner = xs:holder(fun() -> ok end),
            ok = M:setopt(C, otp, controlling_process, Owner),
            {xs:in(Owner, fun() -> {M:close(C), M:close(C)} end), M:close(C), M:recv(S, 0, ?LONG), xs:ends(Owner)}
        end},
        {owner_ends, "The owner ends right behind close.", fun(#{api := M} = B, _) ->
            {L, Address} = xs:listener(B),
            {_, Ref} = spawn_monitor(fun() ->
                {ok, C} = M:open(inet, stream),
                ok = M:connect(C, Address),
                ok = M:send(C, "last words"),
                exit(M:close(C))
            end),
            {ok, S} = M:accept(L, ?LONG),
            Reason = receive {'DOWN', Ref, process, _, Why} -> Why end,
            {Reason, M:recv(S, 10, ?LONG), M:recv(S, 0, ?LONG)}
        end},
        {sends_and_closes, "A program that sends all the time, too.", fun(#{api := M}, {C, S}) ->
            Sent = lists:usort([M:send(C, <<N:32>>) || N <- lists:seq(1, 50)]),
            {Sent, M:close(C), functions(M, C), byte_size(xs:received(M, S, 200)), M:recv(S, 0, ?LONG)}
        end},
        {sendfile, "Behind sendfile.", fun(#{api := M}, {C, S}) ->
            Sent = xs:with_file("a file", fun(File) -> {M:sendfile(C, File), M:close(C)} end),
            {Sent, M:recv(S, 6, ?LONG), M:recv(S, 0, ?LONG)}
        end},
        {options, "Options of the socket itself, and counters, set before.", fun(#{api := M}, {C, S}) ->
            [
                begin
                    ok = M:setopt(E, otp, meta, {meta, data}),
                    ok = M:setopt(E, otp, iow, true),
                    ok = M:setopt(E, otp, rcvbuf, {3, 100}),
                    {M:close(E), M:getopt(E, otp, meta), M:setopt(E, otp, meta, x), M:info(E)}
                end
             || E <- [C, S]
            ]
        end}
    ].

others() ->
    [
        {inherits_linger, "An accepted connection that resets, as its listener would.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            ok = M:setopt(L, socket, linger, #{onoff => true, linger => 0}),
            {C, S} = connected(M, L, Address),
            {M:getopt(S, socket, linger), M:close(S), M:recv(C, 0, ?LONG)}
        end},
        {linger_before, "A connection that resets: it was told so before it was connected.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            ok = M:setopt(C, socket, linger, #{onoff => true, linger => 0}),
            ok = M:connect(C, Address),
            {ok, S} = M:accept(L, ?LONG),
            {M:close(C), M:recv(S, 0, ?LONG)}
        end},
        {descriptor, "A connection whose descriptor somebody knows.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {ok, Number} = M:getopt(C, otp, fd),
            {is_integer(Number), M:close(C), functions(M, C), M:recv(S, 0, ?LONG)}
        end},
        {connects_again, "A connection that is dissolved is closed like others.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:connect(C, #{family => unspec, addr => <<>>}),
            {M:recv(S, 0, ?LONG), M:close(C), M:close(C), M:close(S)}
        end},
        {in_connect, "A socket that is about to connect.", fun(#{api := M} = B) ->
            {ok, C} = M:open(inet, stream),
            {select, {select_info, connect, Handle}} = M:connect(C, xs:full_listener(B), nowait),
            {M:close(C), xs:message(0) =:= {'$socket', C, abort, {Handle, closed}}, functions(M, C)}
        end},
        {all_states, "Sockets that are no connection, or not yet.", fun(#{api := M} = B) ->
            {ok, New} = M:open(inet, stream),
            {L, Address} = xs:listener(B),
            {Udp, Udp2} = xs:udp_pair(B),
            Closed = [{M:close(E), M:close(E), functions(M, E)} || E <- [New, L, Udp, Udp2]],
            {ok, C} = M:open(inet, stream),
            {Closed, M:connect(C, Address, ?LONG), M:close(C)}
        end},
        {waits_in_accept, "A listener whose connections are closed all the time.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Acceptors = [xc:spawn_call(fun() -> accepts(M, L, 0) end) || _ <- [1, 2, 3]],
            Seen = [
                begin
                    {ok, C} = M:open(inet, stream),
                    ok = M:connect(C, Address),
                    {M:recv(C, 0, ?LONG), M:close(C), M:close(C)}
                end
             || _ <- lists:seq(1, 60)
            ],
            Closed = M:close(L),
            Ends = [xc:await(Acceptor) || Acceptor <- Acceptors],
            {lists:usort(Seen), Closed, [End || {End, _} <- Ends], lists:sum([Count || {_, Count} <- Ends])}
        end},
        {restarts, "A server that listens on its port again and again. With two bridges, on the one and the other.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            ok = M:close(L),
            lists:usort([
                begin
                    {ok, Again} = M:open(inet, stream),
                    Bound = M:bind(Again, Address),
                    ok = M:listen(Again),
                    {C, S} = connected(M, Again, Address),
                    {ok, Other} = M:open(inet, stream),
                    [ok = M:close(E) || E <- [Again, C, Other]],
                    {Bound, M:recv(S, 0, ?LONG), M:close(S)}
                end
             || _ <- lists:seq(1, 60)
            ])
        end},
        {many, "Sockets of several processes come and go; none is left.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Calls = [
                xc:spawn_call(fun() ->
                    lists:usort([
                        begin
                            {ok, C} = M:open(inet, stream),
                            ok = M:connect(C, Address),
                            {ok, S} = M:accept(L, ?LONG),
                            {M:close(C), M:close(S), M:close(C), M:recv(S, 0, 0), xs:sockets([C, S], M:which_sockets())}
                        end
                     || _ <- lists:seq(1, 40)
                    ])
                end)
             || _ <- [1, 2, 3]
            ],
            {[xc:await(Call) || Call <- Calls], M:close(L)}
        end}
    ].

%% Callers of close do not wait any more, where they may be early at all.
warm(#{api := M} = B) ->
    {L, Address} = xs:listener(B),
    _ = [[ok = M:close(E) || E <- tuple_to_list(connected(M, L, Address))] || _ <- lists:seq(1, 5)],
    M:close(L).

connected(M, L, Address) ->
    {ok, C} = M:open(inet, stream),
    ok = M:connect(C, Address),
    {ok, S} = M:accept(L, ?LONG),
    {C, S}.

functions(M, S) ->
    xs:attempts([
        fun() -> M:close(S) end, fun() -> M:sockname(S) end, fun() -> M:peername(S) end,
        fun() -> M:send(S, "a") end, fun() -> M:send(S, "a", nowait) end, fun() -> M:send(S, "a", [bad]) end,
        fun() -> M:recv(S, 1, 0) end, fun() -> M:recv(S, 1, nowait) end, fun() -> M:recv(S, 0, [bad], 0) end,
        fun() -> M:sendmsg(S, #{iov => [<<"a">>]}) end, fun() -> M:recvmsg(S, 0) end,
        fun() -> M:connect(S, xs:loopback()) end, fun() -> M:connect(S, bad) end, fun() -> M:accept(S, 0) end,
        fun() -> M:shutdown(S, read) end, fun() -> M:shutdown(S, bad) end,
        fun() -> M:getopt(S, socket, type) end, fun() -> M:getopt(S, otp, owner) end,
        fun() -> M:setopt(S, otp, controlling_process, self()) end,
        fun() -> M:cancel(S, {select_info, recv, make_ref()}) end,
        fun() -> maps:without([counters, rstates, wstates], M:info(S)) end
    ]).

%% How many bytes go out before there is no room. Nobody waits afterwards.
until_full(M, C, Size) ->
    Data = binary:copy(<<"x">>, 100000),
    case M:send(C, Data, nowait) of
        ok ->
            until_full(M, C, Size + byte_size(Data));
        {select, {Info, Rest}} when is_binary(Rest) ->
            ok = M:cancel(C, Info),
            until_full(M, C, Size + byte_size(Data) - byte_size(Rest));
        {select, Info} ->
            ok = M:cancel(C, Info),
            Size
    end.

accepts(M, L, Count) ->
    case M:accept(L) of
        {ok, S} -> ok = M:close(S), accepts(M, L, Count + 1);
        {error, Reason} -> {Reason, Count}
    end.

mailbox() ->
    receive Message -> [Message | mailbox()] after 0 -> [] end.
