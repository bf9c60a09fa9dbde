%% Calls that do not wait, the messages that follow, cancel, and processes that wait in order.
-module(xs_waiting).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {connect_local_full, "A local listener whose queue is full: a connection that is none.", fun(#{api := M}) ->
            Address = #{family => local, path => xs:path()},
            {ok, Listener} = M:open(local, stream),
            ok = M:bind(Listener, Address),
            ok = M:listen(Listener, 0),
            [Filler, Now, Later] = [element(2, {ok, _} = M:open(local, stream)) || _ <- [filler, now, later]],
            ok = M:connect(Filler, Address),
            Seen = [
                case M:connect(Later, Address, nowait) of
                    {select, _} = Select -> [Select, xs:message(), M:connect(Later)];
                    Other -> Other
                end,
                M:connect(Now, Address), xs:attempt(fun() -> M:connect(Now) end),
                M:send(Now, "x"), M:recv(Now, 0, 10), M:peername(Now)
            ],
            ok = file:delete(maps:get(path, Address)),
            Seen
        end},
        {connect_local_backlogs, "A local listener with a backlog below 0 has room for many.", fun(#{api := M}) ->
            [
                begin
                    Address = #{family => local, path => xs:path()},
                    {ok, Listener} = M:open(local, stream),
                    ok = M:bind(Listener, Address),
                    ok = M:listen(Listener, Backlog),
                    Clients = [element(2, {ok, _} = M:open(local, stream)) || _ <- lists:seq(1, 8)],
                    Seen = [case M:connect(Client, Address, nowait) of ok -> ok; {select, _} -> {full, xs:message()}; Error -> Error end || Client <- Clients],
                    ok = file:delete(maps:get(path, Address)),
                    [ok = M:close(Socket) || Socket <- [Listener | Clients]],
                    {Backlog, Seen}
                end
             || Backlog <- [-1, -(1 bsl 31), 1 bsl 31 - 1, 0]
            ]
        end},
        {zero_while_waiting, "A timeout of 0 of a process that waits already.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            Seen = [readers(B, C), M:recv(C, 0, 0), readers(B, C)],
            ok = M:send(S, "abc"),
            [Seen, xs:message(), M:cancel(C, Info), M:recv(C, 0, 0), readers(B, C)]
        end},
        {zero_before_others, "A timeout of 0 of a process that others wait behind.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            Other = xc:spawn_call(fun() -> {M:recv(C, 0, 2000), readers(B, C)} end),
            true = xc:until(fun() -> readers(B, C) =:= 2 end),
            Seen = [M:recv(C, 0, 0), readers(B, C)],
            ok = M:send(S, "abc"),
            Cancelled = case readers(B, C) of 2 -> [xs:message(), M:cancel(C, Info)]; _ -> M:cancel(C, Info) end,
            [Seen, Cancelled, xc:await(Other)]
        end},
        {zero_then_again, "A timeout of 0, and waiting again, for the same and for another process.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, First} = M:recv(C, 0, nowait),
            Zero = M:recvmsg(C, 0),
            {select, {select_info, _, Handle}} = M:recv(C, 0, nowait),
            ok = M:send(S, "abc"),
            {'$socket', C, select, Told} = xs:message(),
            [Zero, Told =:= Handle, M:cancel(C, First), M:recv(C, 0, nowait), readers(B, C)]
        end},
        {zero_then_close, "A timeout of 0, and close.", fun(#{api := M} = B) ->
            {C, _S} = xs:pair(B),
            {select, _} = M:recv(C, 0, nowait),
            [M:recv(C, 0, 0), M:close(C), receive Message -> Message after 200 -> nothing end]
        end},
        {recv_nowait, "recv with nowait, the message, and recv again.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            First = M:recv(C, 0, nowait),
            ok = M:send(S, "abc"),
            [First, xs:message(), M:recv(C, 0, nowait), M:recv(C, 0, nowait)]
        end},
        {recv_handle, "recv with a handle of the caller.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Handle = make_ref(),
            {select, {select_info, Tag, Same}} = M:recv(C, 0, Handle),
            ok = M:send(S, "abc"),
            {'$socket', C, select, Told} = xs:message(),
            [Tag, Same =:= Handle, Told =:= Handle, M:recv(C, 0, [], Handle), M:recv(C, 3, [], Handle)]
        end},
        {recv_part_nowait, "recv with nowait and less than asked for.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "abc"),
            {ok, _} = M:recv(C, 1, [peek]),
            Part = M:recv(C, 5, nowait),
            ok = M:send(S, "defgh"),
            [Part, xs:message(), M:recv(C, 2, nowait), M:recv(C, 0, nowait)]
        end},
        {accept_nowait, "accept with nowait, the message, and accept again.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            First = M:accept(L, nowait),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, To),
            Message = xs:message(),
            {ok, S} = M:accept(L, nowait),
            [First, Message, M:peername(S) =:= M:sockname(C), M:accept(L, nowait)]
        end},
        {accept_handle, "accept with a handle of the caller.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            Handle = make_ref(),
            First = M:accept(L, Handle),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, To),
            Message = xs:message(),
            {ok, _} = M:accept(L, Handle),
            [Handle, First, Message]
        end},
        {send_nowait, "send with nowait to a peer that does not read.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Info = xs:fill_up(fun(Data) -> M:send(C, Data, nowait) end),
            _ = xc:spawn_call(fun() -> drain(M, S) end),
            [Info, xs:message()]
        end},
        {send_cont, "A send that goes on with its SelectInfo.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Data = xc:fill(20000000),
            {select, {Info, Rest}} = M:send(C, Data, nowait),
            Call = xc:spawn_call(fun() -> xs:received(M, S, byte_size(Data)) =:= Data end),
            {select_info, Tag, _} = Info,
            Message = xs:message(),
            [element(1, Message), tag(Tag), M:send(C, Rest, Info, infinity), xc:await(Call)]
        end},
        {send_timeout, "send with a timeout to a peer that does not read.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {error, {Reason, Rest}} = M:send(C, xc:fill(20000000), 20),
            [Reason, is_binary(Rest)]
        end},
        {send_list_timeout, "The same with a list.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {error, {Reason, Rest}} = M:send(C, [xc:fill(10000000), [xc:fill(10000000)]], 20),
            [Reason, is_binary(Rest)]
        end},
        {cancel_recv, "cancel of recv.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            First = M:cancel(C, Info),
            ok = M:send(S, "abc"),
            [Info, First, M:cancel(C, Info), M:recv(C, 3)]
        end},
        {cancel_late, "cancel after the message was sent.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            ok = M:send(S, "abc"),
            true = xc:until(fun() -> {_, Count} = process_info(self(), message_queue_len), Count > 0 end),
            [M:cancel(C, Info), M:cancel(C, Info), M:recv(C, 3)]
        end},
        {cancel_received, "cancel after the message was received.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            ok = M:send(S, "abc"),
            Message = xs:message(),
            [Message, M:cancel(C, Info), M:cancel(C, Info), M:recv(C, 3)]
        end},
        {cancel_others, "cancel of what another process waits for.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            Other = xc:await(xc:spawn_call(fun() -> M:cancel(C, Info) end)),
            [Other, M:cancel(C, Info)]
        end},
        {cancel_accept, "cancel of accept.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            {select, Info} = M:accept(L, nowait),
            [Info, M:cancel(L, Info), M:cancel(L, Info), M:accept(L, 0)]
        end},
        {cancel_send, "cancel of send.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            Info = xs:fill_up(fun(Data) -> M:send(C, Data, nowait) end),
            [tag(element(2, Info)), M:cancel(C, Info), M:cancel(C, Info)]
        end},
        {cancel_connect, "cancel of connect.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            {select, Info} = M:connect(C, To, nowait),
            [Info, M:cancel(C, Info), M:cancel(C, Info), xs:attempt(fun() -> M:connect(C) end)]
        end},
        {bad_cancel, "cancel with bad arguments.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {select, {select_info, Tag, Handle}} = M:recv(C, 0, nowait),
            xs:attempts([
                fun() -> M:cancel(C, T) end
             || T <- [
                    x, {select_info, x, Handle}, {select_info, send, Handle}, {select_info, accept, Handle},
                    {select_info, Tag, make_ref()}, {select_info, Tag, x}, {select_info, connect, Handle},
                    {select_info, {recv, x}, make_ref()}, {select_info, 1, Handle}, {select_info, recvfrom, Handle},
                    {completion_info, Tag, Handle}, {select_info, sendto, Handle}, {select_info, recvmsg, Handle}
                ]
            ]) ++ [xs:attempt(fun() -> M:cancel(x, {select_info, Tag, Handle}) end)]
        end},
        {in_order, "Readers are served in the order in which they came.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = three_read(M, C),
            Seen = [begin ok = M:send(S, Data), xc:next() end || Data <- ["abc", "def", "ghi"]],
            [Seen, maps:get(num_readers, M:info(C))]
        end},
        {at_once, "The same when all data comes at once.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = three_read(M, C),
            ok = M:send(S, "abcdefghi"),
            [xc:next(), xc:next(), xc:next()]
        end},
        {accept_in_order, "So are those that wait in accept.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            Parent = self(),
            _ = [
                begin
                    spawn_link(fun() -> {ok, S} = M:accept(L), Parent ! {N, M:peername(S)}, receive stop -> ok end end),
                    true = xc:until(fun() -> maps:get(num_acceptors, M:info(L)) =:= N end)
                end
             || N <- [1, 2, 3]
            ],
            [
                begin
                    {ok, C} = M:open(inet, stream),
                    ok = M:connect(C, To),
                    Mine = M:sockname(C),
                    {N, Name} = xc:next(),
                    {N, Name =:= Mine}
                end
             || _ <- [1, 2, 3]
            ]
        end},
        {queued_cancel, "One that waits in the middle is cancelled.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Parent = self(),
            Wait = fun(N) ->
                Pid = spawn_link(fun() ->
                    Parent ! {N, M:recv(C, 0, nowait)},
                    receive
                        {cancel, Info} -> Parent ! {N, M:cancel(C, Info)};
                        Message -> Parent ! {N, Message, M:recv(C, 1, nowait)}
                    end
                end),
                {N, {select, Info}} = xc:next(),
                {Pid, Info}
            end,
            [_, {Pid2, Info2}, _] = [Wait(N) || N <- [1, 2, 3]],
            Pid2 ! {cancel, Info2},
            Cancelled = xc:next(),
            ok = M:send(S, "ab"),
            Seen = [xc:next(), xc:next()],
            [Cancelled, Seen, maps:get(num_readers, M:info(C))]
        end},
        {same_twice, "One process asks twice.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            First = M:recv(C, 0, nowait),
            Second = M:recv(C, 0, nowait),
            Readers = maps:get(num_readers, M:info(C)),
            ok = M:send(S, "abc"),
            [First, Second, Readers, xs:message(), M:recv(C, 0, nowait)]
        end},
        {queued_twice, "One that waits behind another asks twice.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {select, _} = M:recv(C, 0, nowait),
            Twice = fun() ->
                [xs:attempt(Call) || Call <- [fun() -> M:recv(C, 0, nowait) end, fun() -> M:recv(C, 0, nowait) end,
                    fun() -> M:recv(C, 0, 0) end, fun() -> maps:get(num_readers, M:info(C)) end]]
            end,
            xc:await(xc:spawn_call(Twice))
        end},
        {read_and_accept, "recv while somebody accepts, and accept while somebody reads.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            {C, _} = xs:pair(B),
            {select, _} = M:accept(L, nowait),
            {select, _} = M:recv(C, 0, nowait),
            Others = xc:await(xc:spawn_call(fun() ->
                xs:attempts([fun() -> M:recv(L, 0, 0) end, fun() -> M:recv(L, 0, nowait) end, fun() -> M:accept(C, 0) end])
            end)),
            [Others | xs:attempts([
                fun() -> M:recv(L, 0, 0) end, fun() -> M:recv(L, 0, nowait) end, fun() -> M:recvfrom(L, 0, nowait) end,
                fun() -> M:accept(C, 0) end, fun() -> M:accept(C, nowait) end
            ])]
        end},
        {zero_first, "recv with timeout 0 by who waits already.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            Empty = M:recv(C, 0, 0),
            ok = M:send(S, "abc"),
            true = xc:until(fun() -> {_, Count} = process_info(self(), message_queue_len), Count > 0 end),
            [Empty, M:recv(C, 3, 1000), xs:message(), maps:get(num_readers, M:info(C)), M:cancel(C, Info)]
        end},
        {zero_takes, "recv with timeout 0 takes what another waits for.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            ok = M:send(S, "abc"),
            Message = xs:message(),
            Taken = xc:await(xc:spawn_call(fun() -> M:recv(C, 0, 0) end)),
            Readers = maps:get(num_readers, M:info(C)),
            Again = M:recv(C, 0, nowait),
            [Message, Taken, Readers, Again, M:cancel(C, Info), maps:get(num_readers, M:info(C))]
        end},
        {zero_behind, "recv with timeout 0 behind another.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, _} = M:recv(C, 0, nowait),
            Empty = xc:await(xc:spawn_call(fun() -> M:recv(C, 0, 0) end)),
            ok = M:send(S, "abc"),
            Message = xs:message(),
            [Empty, Message, xc:await(xc:spawn_call(fun() -> M:recv(C, 0, 0) end)), M:recv(C, 0, 0)]
        end},
        {timeout_in_queue, "One that waits behind another has its timeout.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {select, _} = M:recv(C, 0, nowait),
            [xc:await(xc:spawn_call(fun() -> M:recv(C, 0, 30) end)), maps:get(num_readers, M:info(C))]
        end},
        {peer_closes, "The peer closes while several wait.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Calls = [
                begin
                    Call = xc:spawn_call(fun() -> M:recv(C, 3) end),
                    true = xc:until(fun() -> maps:get(num_readers, M:info(C)) =:= N end),
                    Call
                end
             || N <- [1, 2, 3]
            ],
            ok = M:close(S),
            [xc:await(Call) || Call <- Calls]
        end},
        {peer_resets, "The peer resets while several wait.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Calls = [
                begin
                    Call = xc:spawn_call(fun() -> M:recv(C, 3) end),
                    true = xc:until(fun() -> maps:get(num_readers, M:info(C)) =:= N end),
                    Call
                end
             || N <- [1, 2, 3]
            ],
            ok = M:setopt(S, {socket, linger}, #{onoff => true, linger => 0}),
            ok = M:close(S),
            [[xc:await(Call) || Call <- Calls], M:recv(C, 1, 0)]
        end},
        {close_nowait, "close while its own process waits for several.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            {select, {select_info, _, H1}} = M:recv(C, 0, nowait),
            {select_info, _, H2} = xs:fill_up(fun(Data) -> M:send(C, Data, nowait) end),
            Result = M:close(C),
            Told = lists:sort([case xs:message() of {'$socket', C, abort, {H1, R}} -> {recv, R}; {'$socket', C, abort, {H2, R}} -> {send, R}; Other -> Other end || _ <- [1, 2]]),
            [Result, Told]
        end},
        {select_read, "With select_read a read waits for more at once: from OTP 28 on.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Set = M:setopt(C, {otp, select_read}, true),
            ok = M:send(S, "abcdef"),
            {ok, _} = M:recv(C, 6, [peek], 1000),
            First = M:recv(C, 3, nowait),
            Message = case Set of ok -> xs:message(); _ -> none end,
            Second = M:recv(C, 0, nowait),
            ok = M:send(S, "ghijkl"),
            Message2 = case Set of ok -> xs:message(); _ -> none end,
            Third = [M:recv(C, 3, 1000), M:recv(C, 3, 0), M:recv(C, 3, 0), maps:get(num_readers, M:info(C))],
            {A, To} = xs:udp(B),
            _ = M:setopt(A, {otp, select_read}, true),
            ok = M:sendto(A, "abc", To),
            {ok, _} = M:recvfrom(A, [peek], 1000),
            {Tag, _} = M:recvmsg(A, nowait),
            [Set, First, Message, Second, Message2, Third, Tag, maps:get(num_readers, M:info(A))]
        end},
        {writers_in_order, "Writers are served in order, too.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            _ = xs:fill_up(fun(Data) -> M:send(C, Data, nowait) end),
            Parent = self(),
            _ = [
                begin
                    spawn_link(fun() -> Parent ! {N, M:send(C, integer_to_binary(N))} end),
                    true = xc:until(fun() -> maps:get(num_writers, M:info(C)) =:= N + 1 end)
                end
             || N <- [1, 2, 3]
            ],
            _ = spawn_link(fun() -> drain(M, S) end),
            {'$socket', C, select, _} = xs:message(),
            ok = M:send(C, "first", nowait),
            [xc:next(), xc:next(), xc:next()]
        end}
    ] ++ [accepts_again(Steps) || Steps <- [
        [accept, timeout, connect], [accept, accept, connect], [accept, accept, {cancel, 2}, connect],
        [accept, accept, {cancel, 1}, connect], [accept, accept, {cancel, 2}, {cancel, 1}, connect],
        [accept, accept, accept, {cancel, 2}, connect], [accept, accept, accept, {cancel, 3}, connect],
        [accept, timeout, {cancel, 1}, connect], [accept, timeout, timeout, connect],
        [accept, timeout, connect, timeout], [accept, timeout, connect, accept],
        [accept, timeout, {cancel, 1}, accept, connect], [accept, accept, connect, {cancel, 1}],
        [accept, accept, connect, {cancel, 2}], [accept, timeout, info], [accept, timeout, close],
        [accept, accept, close], [accept, timeout, accept, close], [accept, accept, accept, close]
    ]].

%% A process that waits in accept asks again.
accepts_again(Steps) ->
    Name = string:join(["accepts_again" | [lists:concat(step(S)) || S <- Steps]], "_"),
    {list_to_atom(Name), "A process that waits in accept asks again.", fun(#{api := M} = B) ->
        {Listener, Address} = xs:listener(B),
        {ok, Client} = M:open(inet, stream),
        accepts(M, Listener, fun() -> M:connect(Client, Address) end, Steps, [])
    end}.

step({Name, N}) -> [Name, N];
step(Name) -> [Name].

accepts(_, _, _, [], _) ->
    [];
accepts(M, Listener, Connect, [Step | Steps], Infos) ->
    case accepting(M, Listener, Connect, Step, Infos) of
        {select, Info} = Select -> [Select | accepts(M, Listener, Connect, Steps, Infos ++ [Info])];
        Other -> [{Other, told(100)} | accepts(M, Listener, Connect, Steps, Infos)]
    end.

accepting(M, Listener, _, accept, _) -> M:accept(Listener, nowait);
accepting(M, Listener, _, timeout, _) -> M:accept(Listener, 0);
accepting(M, Listener, _, {cancel, N}, Infos) -> M:cancel(Listener, lists:nth(N, Infos));
accepting(M, Listener, _, info, _) -> maps:with([num_acceptors, rstates], M:info(Listener));
accepting(M, Listener, _, close, _) -> M:close(Listener);
accepting(_, _, Connect, connect, _) -> Connect().

told(Timeout) ->
    receive Message when element(1, Message) =:= '$socket' -> Message
    after Timeout -> none
    end.

%% Three processes wait in recv, in this order.
three_read(M, Socket) ->
    Parent = self(),
    lists:foreach(
        fun(N) ->
            spawn_link(fun() -> Parent ! {N, M:recv(Socket, 3)} end),
            true = xc:until(fun() -> maps:get(num_readers, M:info(Socket)) =:= N end)
        end,
        [1, 2, 3]
    ).

tag({Name, _}) when is_atom(Name) -> {Name, '_'};
tag(Name) -> Name.

drain(M, Socket) ->
    case M:recv(Socket, 0, 5000) of
        {ok, _} -> drain(M, Socket);
        Other -> Other
    end.

readers(#{api := M}, Socket) -> maps:get(num_readers, M:info(Socket)).
