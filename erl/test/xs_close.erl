%% socket:close/1, what a closed socket answers, and the end of an owner.
-module(xs_close).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {twice, "A socket is closed once.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [M:close(S), M:close(S)]
        end},
        {bad, "What is no socket cannot be closed.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:close(T) end) || T <- [x, {'$socket', x}, make_ref(), [], {'$socket', 1, 2}]]
        end},
        {closed, "All functions of a closed socket.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            ok = M:close(S),
            xs:attempts([
                fun() -> M:sockname(S) end, fun() -> M:peername(S) end,
                fun() -> M:bind(S, any) end, fun() -> M:listen(S) end, fun() -> M:accept(S, 0) end,
                fun() -> M:accept(S, nowait) end, fun() -> M:accept(S) end,
                fun() -> M:connect(S, xs:loopback()) end, fun() -> M:connect(S) end,
                fun() -> M:send(S, "a") end, fun() -> M:recv(S, 0, 0) end, fun() -> M:recv(S) end,
                fun() -> M:recv(S, 0, nowait) end, fun() -> M:recvfrom(S, 0, 0) end,
                fun() -> M:recvmsg(S, 0) end, fun() -> M:sendto(S, "a", xs:loopback()) end,
                fun() -> M:sendmsg(S, #{iov => [<<"a">>]}) end, fun() -> M:shutdown(S, read) end,
                fun() -> M:getopt(S, {socket, type}) end, fun() -> M:setopt(S, {socket, rcvbuf}, 1) end,
                fun() -> M:getopt(S, {otp, owner}) end, fun() -> M:getopt(S, {otp, controlling_process}) end,
                fun() -> M:setopt(S, {otp, controlling_process}, self()) end,
                fun() -> M:getopt_native(S, {socket, type}, integer) end, fun() -> M:setopt_native(S, {socket, 1}, 1) end,
                fun() -> M:ioctl(S, gifconf) end,
                fun() -> M:cancel(S, {select_info, recv, make_ref()}) end,
                fun() -> M:close(S) end
            ])
        end},
        {ends_recv, "A process that waits in recv gets an error.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            Call = xc:spawn_call(fun() -> M:recv(S) end),
            true = waits(M, S, read),
            [M:close(S), xc:await(Call)]
        end},
        {ends_accept, "A process that waits in accept gets an error.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            Call = xc:spawn_call(fun() -> M:accept(L) end),
            true = waits(M, L, read),
            [M:close(L), xc:await(Call)]
        end},
        {ends_send, "A process that waits in send gets an error.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            Call = xc:spawn_call(fun() ->
                case M:send(S, xc:fill(20000000)) of
                    {error, {Reason, Rest}} -> {Reason, byte_size(Rest) > 0};
                    Other -> Other
                end
            end),
            true = waits(M, S, write),
            [M:close(S), xc:await(Call)]
        end},
        {abort_order, "A process that waits twice hears of its send first, then of its recv.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            {Send, Recv} = waits_twice(M, S),
            ok = M:close(S),
            [Send, Recv, xs:message(), xs:message()]
        end},
        {abort_order_owner, "The same when the owner of the socket ends.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            {Send, Recv} = waits_twice(M, S),
            Owner = spawn(fun() -> receive go -> ok end end),
            ok = M:setopt(S, {otp, controlling_process}, Owner),
            Owner ! go,
            [Send, Recv, xs:message(), xs:message()]
        end},
        {abort_order_connect, "A process that waits for connect and recv hears of its connect first.", fun(#{api := M} = B) ->
            {ok, S} = M:open(inet, stream),
            {select, Connect} = M:connect(S, xs:full_listener(B), nowait),
            {select, Recv} = M:recv(S, 1, nowait),
            ok = M:close(S),
            [Connect, Recv, xs:message(), xs:message()]
        end},
        {aborts, "Who has asked for a message gets `abort`.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            {select, _} = M:recv(S, 0, nowait),
            [M:close(S), xs:message()]
        end},
        {told_and_closed, "Who has had the message, and has not asked again, when the socket is closed.", fun(#{api := M} = B) ->
            [
                begin
                    {S, P} = xs:pair(B),
                    {select, _} = M:recv(S, 0, nowait),
                    ok = M:send(P, "abc"),
                    Message = xs:message(),
                    {Message, Close(fun() -> M:close(S) end)}
                end
             || Close <- [fun(F) -> F() end, fun(F) -> xc:await(xc:spawn_call(F)) end]
            ]
        end},
        {aborts_three, "All that wait are told.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            Calls = [xc:spawn_call(fun() -> M:recv(S, N) end) || N <- [1, 2, 3]],
            true = xc:until(fun() -> waiting(M, S) =:= 3 end),
            [M:close(S) | [xc:await(Call) || Call <- Calls]]
        end},
        {peer_reads_on, "What was sent arrives.", fun(#{api := M} = B) ->
            {S, P} = xs:pair(B),
            ok = M:send(S, "last words"),
            ok = M:close(S),
            [M:recv(P), M:recv(P)]
        end},
        {owner_ends, "The socket is closed when its owner ends.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Parent = self(),
            {Pid, Ref} = spawn_monitor(fun() ->
                {ok, S} = M:open(inet, stream),
                ok = M:connect(S, Address),
                Parent ! {socket, S},
                receive stop -> ok end
            end),
            S = receive {socket, It} -> It end,
            {ok, P} = M:accept(L),
            Pid ! stop,
            receive {'DOWN', Ref, _, _, _} -> ok end,
            Seen = M:recv(P),
            true = xc:until(fun() -> M:sockname(S) =:= {error, closed} end),
            [Seen, M:recv(S, 0, 0), M:close(S)]
        end},
        {owner_ends_waiting, "Others that wait get an error when the owner ends.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Parent = self(),
            Pid = spawn(fun() ->
                {ok, S} = M:open(inet, stream),
                ok = M:connect(S, Address),
                Parent ! {socket, S},
                receive stop -> ok end
            end),
            S = receive {socket, It} -> It end,
            {ok, _} = M:accept(L),
            Call = xc:spawn_call(fun() -> M:recv(S) end),
            true = waits(M, S, read),
            Pid ! stop,
            xc:await(Call)
        end},
        {new_owner, "The socket lives on with another owner.", fun(#{api := M} = B) ->
            {L, Address} = xs:listener(B),
            Parent = self(),
            {Pid, Ref} = spawn_monitor(fun() ->
                {ok, S} = M:open(inet, stream),
                ok = M:connect(S, Address),
                Result = M:setopt(S, {otp, controlling_process}, Parent),
                Again = M:setopt(S, {otp, controlling_process}, Parent),
                Parent ! {socket, S, Result, Again}
            end),
            {S, Results} = receive {socket, It, R1, R2} -> {It, [R1, R2]} end,
            receive {'DOWN', Ref, process, Pid, _} -> ok end,
            {ok, P} = M:accept(L),
            ok = M:send(P, "abc"),
            {Results, M:recv(S, 3), M:getopt(S, {otp, controlling_process}) =:= {ok, self()}}
        end},
        {not_owner, "Only the owner gives a socket away.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [
                xc:await(xc:spawn_call(fun() -> M:setopt(S, {otp, controlling_process}, self()) end)),
                xs:attempt(fun() -> M:setopt(S, {otp, controlling_process}, x) end),
                xs:attempt(fun() -> M:setopt(S, {otp, controlling_process}, self()) end)
            ]
        end},
        {others_close, "Any process may close a socket.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [xc:await(xc:spawn_call(fun() -> M:close(S) end)), M:close(S)]
        end},
        {dead_reader, "A waiting process that is killed waits no longer.", fun(#{api := M} = B) ->
            {S, P} = xs:pair(B),
            {Pid, Ref} = xc:spawn_call(fun() -> M:recv(S) end),
            true = waits(M, S, read),
            exit(Pid, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            ok = M:send(P, "abc"),
            [M:recv(S, 3, 5000), waiting(M, S)]
        end},
        {shutdown, "shutdown in each direction.", fun(#{api := M} = B) ->
            [
                begin
                    {S, P} = xs:pair(B),
                    [M:shutdown(S, How), M:shutdown(S, How), M:send(S, "a"), M:recv(S, 1, 0), M:recv(P, 1, 100), M:send(P, "b")]
                end
             || How <- [write, read_write]
            ]
        end},
        {shutdown_read, "shutdown of the reading side.", fun(#{api := M} = B) ->
            {S, P} = xs:pair(B),
            [M:shutdown(S, read), M:recv(S, 1, 100), M:send(S, "a"), M:recv(P, 1, 1000)]
        end},
        {bad_shutdown, "shutdown of what cannot be, or in no direction.", fun(#{api := M} = B) ->
            {ok, New} = M:open(inet, stream),
            {L, _} = xs:listener(B),
            xs:attempts([fun() -> M:shutdown(S, H) end || {S, H} <- [{New, write}, {New, x}, {New, 1}, {L, write}, {x, read}]])
        end},
        {shutdown_wakes, "shutdown of the reading side wakes a reader.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            Call = xc:spawn_call(fun() -> M:recv(S) end),
            true = waits(M, S, read),
            [M:shutdown(S, read), xc:await(Call)]
        end},
        {lingers, "A close with linger waits for the data, and nobody else does.", fun(#{api := M} = B) ->
            {S, _} = xs:pair(B),
            {Other, Peer} = xs:pair(B),
            ok = M:setopt(S, {socket, linger}, #{onoff => true, linger => 1}),
            {select, _} = {select, xs:fill_up(fun(Data) -> M:send(S, Data, nowait) end)},
            Call = xc:spawn_call(fun() -> timer:tc(fun() -> M:close(S) end) end),
            true = xc:until(fun() -> M:sockname(S) =:= {error, closed} end),
            {Short, Seen} = timer:tc(fun() -> [M:send(Other, "abc"), M:recv(Peer, 3)] end),
            {Long, Result} = xc:await(Call),
            {'$socket', S, abort, {_, Reason}} = xs:message(),
            [Short < 500000, Seen, Long > 800000, Result, Reason]
        end},
        {reset, "A close with linger 0 is a reset for the peer.", fun(#{api := M} = B) ->
            {S, P} = xs:pair(B),
            ok = M:setopt(S, {socket, linger}, #{onoff => true, linger => 0}),
            [M:close(S), M:recv(P, 0, 5000), M:recv(P, 0, 5000), M:send(P, "a")]
        end}
    ].

%% Whether a process waits for the socket; after some time.
%% Waits for a send and a recv, with the SelectInfo of each.
waits_twice(M, Socket) ->
    Send = xs:fill_up(fun(Data) -> M:send(Socket, Data, nowait) end),
    {select, Recv} = M:recv(Socket, 1, nowait),
    {Send, Recv}.

waits(M, Socket, read) -> xc:until(fun() -> waiting(M, Socket) > 0 end);
waits(M, Socket, write) -> xc:until(fun() -> maps:get(num_writers, M:info(Socket)) > 0 end).

waiting(M, Socket) ->
    #{num_readers := Readers, num_acceptors := Acceptors} = M:info(Socket),
    Readers + Acceptors.
