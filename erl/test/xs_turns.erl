%% Several processes and several calls of one socket, in the order that random sequences have found.
-module(xs_turns).

-export([scenarios/0]).

-import(inetpy_xs_steps, [processes/1, in/2]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {error_of_another, "An error of a read that does not wait: who waits behind the first is told.", fun(#{api := M} = B) ->
            [
                begin
                    {C, S, [P1, P2]} = two_readers(B),
                    Seen = [Read(M, C), readers(M, C), told(P2)],
                    ok = M:send(S, "x"),
                    [Seen, told(P1)]
                end
             || Read <- [
                    fun(M_, C_) -> M_:recv(C_, 0, [oob], 0) end, fun(M_, C_) -> M_:recvfrom(C_, 0, [oob], 0) end,
                    fun(M_, C_) -> M_:recvmsg(C_, 0, 0, [oob], 0) end
                ]
            ]
        end},
        {end_for_one, "The peer has closed, and the first of two readers hears so.", fun(#{api := M} = B) ->
            [
                begin
                    {C, S, [P1, P2]} = two_readers(B),
                    ok = M:close(S),
                    [told(P1), in(P1, fun() -> Read(M, C) end), readers(M, C), told(P2)]
                end
             || Read <- [
                    fun(M_, C_) -> M_:recv(C_, 0, [], nowait) end, fun(M_, C_) -> M_:recvfrom(C_, 0, [], nowait) end,
                    fun(M_, C_) -> M_:recvmsg(C_, 0, 0, [], nowait) end
                ]
            ]
        end},
        {told_later, "A writer that has had an error is still told when there is room.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            {select, _} = M:send(C, xc:fill(400000), nowait),
            Error = M:sendto(C, "x", #{family => local, path => "/tmp/inetpy-xs-nobody"}, [], nowait),
            Writers = maps:get(num_writers, M:info(C)),
            ok = M:close(S),
            [Error, Writers, xs:message()]
        end},
        {write_and_connect, "Nobody writes while a connection is awaited, or connects while somebody writes.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            {select, _} = M:connect(C, To, nowait),
            Writes = xs:attempts([
                fun() -> M:send(C, "x", nowait) end, fun() -> M:sendto(C, "x", To, [], nowait) end,
                fun() -> M:sendmsg(C, #{iov => [<<"x">>]}, [], nowait) end, fun() -> M:send(C, "x", 0) end
            ]),
            {A, _} = xs:pair(B),
            _ = xs:fill_up(fun(Data) -> M:send(A, Data, nowait) end),
            [Writes, M:connect(A, To, nowait), xc:await(xc:spawn_call(fun() -> M:connect(A, To, nowait) end))]
        end},
        {connect_of_another, "connect while another process connects.", fun(#{api := M} = B) ->
            To = xs:full_listener(B),
            {ok, C} = M:open(inet, stream),
            {select, _} = M:connect(C, To, nowait),
            [P] = processes(1),
            [in(P, fun() -> M:connect(C) end), in(P, fun() -> M:connect(C, To, nowait) end)]
        end},
        {accepting, "The state of a listener is that of those that wait in accept.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            States = fun() -> {maps:get(rstates, M:info(L)), maps:get(num_acceptors, M:info(L))} end,
            timeout = element(2, M:accept(L, 0)),
            First = States(),
            [P1, P2] = processes(2),
            {select, _} = in(P1, fun() -> M:accept(L, nowait) end),
            {select, _} = in(P2, fun() -> M:accept(L, nowait) end),
            Both = States(),
            exit(P1, kill),
            true = xc:until(fun() -> element(2, States()) =:= 1 end),
            One = States(),
            exit(P2, kill),
            true = xc:until(fun() -> element(2, States()) =:= 0 end),
            [First, Both, One, States()]
        end},
        {asks_again, "Counters of accept when its process asks again.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            Tags = [element(1, M:accept(L, nowait)) || _ <- [1, 2, 3]],
            [Tags, counters(M, L)]
        end},
        {part_read, "Counters of a read that has less than it asks for.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "abc"),
            {ok, _} = M:recv(C, 3, [peek]),
            {select, {_, Part}} = M:recv(C, 10, nowait),
            First = counters(M, C),
            ok = M:send(S, "12345"),
            _ = xs:message(),
            [Part, First, M:recv(C, 5, nowait), counters(M, C)]
        end},
        {part_written, "Counters of a write of which only a part goes out.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            {select, {Info, Rest}} = M:send(C, xc:fill(300000), nowait),
            First = counters(M, C),
            _ = xs:received(M, S, 300000 - byte_size(Rest)),
            Again = M:send(C, Rest, Info, nowait),
            Last = counters(M, C),
            ok = M:close(C),
            [First, Again, Last, length(lists:usort([select || {'$socket', _, select, _} <- inetpy_xs_steps:flush()])) < 2]
        end},
        {goes_on, "The SelectInfo of messages and datagrams that go on.", fun(#{api := M} = B) ->
            {C, _} = xs:local_pair(B, stream),
            {select, {Info, [_]}} = M:sendmsg(C, #{iov => [xc:fill(400000)], ctrl => []}, [], nowait),
            {select_info, {sendmsg, {Msg, Encoded, Flags}}, _} = Info,
            To = #{family => local, path => list_to_binary(xs:path())},
            {ok, A} = M:open(local, dgram),
            ok = M:bind(A, To),
            {ok, Sender} = M:open(local, dgram),
            {select_info, {sendto, {Address, Same, _}}, _} = xs:fill_up(fun(_) -> M:sendto(Sender, "x", To, [], nowait) end),
            ok = file:delete(maps:get(path, To)),
            [maps:keys(Msg), maps:keys(Encoded), Flags, Address =:= To, Same =:= To]
        end},
        {checked_late, "sendmsg to a closed socket, with what is no message.", fun(#{api := M} = B) ->
            Bad = [
                #{iov => ["a"]}, #{iov => [<<"a">>], addr => #{family => inet, addr => x}}, #{iov => [<<"a">>], ctrl => [a]},
                #{iov => [<<"a">>], ctrl => [#{level => socket, type => x, data => a}]},
                #{iov => ["a"], addr => #{family => inet, addr => x}},
                #{iov => ["a"], ctrl => [#{level => socket, type => x, data => a}]},
                #{iov => [<<"a">>], addr => #{family => inet, addr => x}, ctrl => [#{level => socket, type => x, data => a}]}
            ],
            {C, _} = xs:pair(B),
            ok = M:close(C),
            {U, _} = xs:udp_pair(B),
            [[xs:attempt(fun() -> M:sendmsg(S, Msg, 0) end) || Msg <- Bad] || S <- [C, U]]
        end},
        {zero_again, "A reader that asks again with timeout 0, and finds nothing.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 0, nowait),
            Empty = [M:recv(C, 0, 0), readers(M, C)],
            [P] = processes(1),
            Other = in(P, fun() -> element(1, M:recv(C, 0, nowait)) end),
            Readers = readers(M, C),
            ok = M:send(S, "abc"),
            [Empty, Other, Readers, told(P), M:cancel(C, Info), readers(M, C)]
        end},
        {same_handle, "One handle for two calls, and for two processes.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {L, To} = xs:listener(B),
            Handle = make_ref(),
            {select, _} = M:recv(C, 0, Handle),
            {select, _} = xs:fill_up(fun(Data) -> case M:send(C, Data, Handle) of ok -> ok; _ -> {select, {select, send}} end end),
            ok = M:close(S),
            Told = length([H || {'$socket', Socket, select, H} <- [xs:message(), xs:message()], Socket =:= C, H =:= Handle]),
            [P1, P2] = processes(2),
            [{select, _} = in(P, fun() -> M:accept(L, Handle) end) || P <- [P1, P2]],
            {ok, A} = M:open(inet, stream),
            ok = M:connect(A, To),
            [Told, length(told(P1)), length(told(P2))]
        end},
        {large_lengths, "Lengths for which nobody has the memory.", fun(#{api := M} = B) ->
            {C, _} = xs:pair(B),
            [M:recvmsg(C, 0, 1 bsl 31, [], 0), M:recvmsg(C, 1 bsl 27, 0, [], 0), M:recv(C, 1 bsl 27, [], 0)]
        end},
        {own_flag, "A flag of the caller's that the system gives back.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, seqpacket),
            ok = M:send(S, "abc"),
            [xs:without([addr], M:recvmsg(C, 0, 0, Flags, 0)) || Flags <- [[peek, cmsg_cloexec], [cmsg_cloexec], [cmsg_cloexec]]]
        end},
        {same_owner, "A socket that is handed to its owner is closed when its owner ends.", fun(#{api := M}) ->
            [P] = processes(1),
            {ok, S} = in(P, fun() -> M:open(inet, dgram) end),
            ok = in(P, fun() -> M:setopt(S, {otp, controlling_process}, P) end),
            Ref = M:monitor(S),
            exit(P, kill),
            [receive {'DOWN', Ref, socket, S, Info} -> Info after 5000 -> nothing end, M:recv(S, 0, 0)]
        end}
    ].

%% A connection, and two processes that wait for one end of it, in this order.
two_readers(#{api := M} = B) ->
    {C, S} = xs:pair(B),
    Processes = processes(2),
    _ = [{select, _} = in(P, fun() -> M:recv(C, 0, nowait) end) || P <- Processes],
    {C, S, Processes}.

readers(M, Socket) -> maps:get(num_readers, M:info(Socket)).

counters(M, Socket) -> maps:filter(fun(_, Count) -> Count > 0 end, maps:get(counters, M:info(Socket))).

%% What a process has been told about a socket within a while.
told(Process) ->
    told(Process, 20).

told(Process, Left) ->
    case process_info(Process, message_queue_len) of
        {message_queue_len, 0} when Left > 0 -> timer:sleep(10), told(Process, Left - 1);
        _ -> flushed(Process)
    end.

flushed(Process) ->
    [{Tag, What} || {'$socket', _, Tag, What} <- in(Process, fun inetpy_xs_steps:flush/0)].
