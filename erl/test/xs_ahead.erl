%% Between the message that a socket can be read and the recv that reads it: what may happen there, and who sees it.
%%
%% inetpy_socket sends the bytes that a recv of a certain length has asked for together with that message. Nobody may
%% see that: until the recv comes, the bytes are still in the socket.
-module(xs_ahead).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {exact, "recv of a length, the message, and recv of that length.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recv(C, 3, nowait), M:recv(C, 0, nowait), M:recv(C, 3, 0)] end)
        end},
        {exact_at_once, "The same with a recv that must not wait.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recv(C, 3, 0), M:recv(C, 2, 0), M:recv(C, 0, 0)] end)
        end},
        {exact_waits, "The same with a recv that may wait.", fun(B) ->
            between(B, fun(M, C, S) -> [M:recv(C, 3), M:recv(C, 2), M:send(S, "fg"), M:recv(C, 2)] end)
        end},
        {blocked, "A process is in recv of a length.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Call = xc:spawn_call(fun() -> [M:recv(C, 3), M:recv(C, 1), M:recv(C, 4)] end),
            waits_for(M, C, 1),
            ok = M:send(S, "abcde"),
            ok = M:send(S, "fgh"),
            xc:await(Call)
        end},
        {round_trips, "Requests and answers of a length, by two processes.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Call = xc:spawn_call(fun() -> echo(M, S, 8) end),
            Results = [
                begin
                    ok = M:send(C, <<N:64>>),
                    {ok, <<N:64>>} = M:recv(C, 8)
                end
             || N <- lists:seq(1, 50)
            ],
            ok = M:close(C),
            [length(Results), xc:await(Call)]
        end},
        {more_comes, "More comes before the recv.", fun(B) ->
            between(B, fun(M, C, S) -> [M:send(S, "fgh"), M:recv(C, 3, nowait), M:recv(C, 0, nowait)] end)
        end},
        {other_length, "recv of another length.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recv(C, 2, nowait), M:recv(C, 3, nowait), M:recv(C, 0, nowait)] end)
        end},
        {longer, "recv of a greater length.", fun(B) ->
            between(B, fun(M, C, S) -> [M:recv(C, 6, nowait), M:send(S, "f"), xs:message(), M:recv(C, 1)] end)
        end},
        {any_length, "recv of what there is.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recv(C, 0, nowait), M:recv(C, 3, nowait)] end)
        end},
        {rest_of_part, "The rest, after a part.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(S, "ab"),
            {ok, _} = M:recv(C, 1, [peek]),
            Part = M:recv(C, 5, nowait),
            ok = M:send(S, "cdefg"),
            [Part, xs:message(), M:recv(C, 3, nowait), M:recv(C, 0, nowait)]
        end},
        {peek, "recv that leaves the bytes there.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recv(C, 3, [peek]), M:recv(C, 3, nowait), M:recv(C, 2)] end)
        end},
        {peeks, "The recv that waits leaves the bytes there.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            First = M:recv(C, 3, [peek], nowait),
            ok = M:send(S, "abcde"),
            [First, xs:message(), M:recv(C, 3, [peek], nowait), M:recv(C, 3), M:recv(C, 2)]
        end},
        {recvfrom, "recvfrom in place of recv.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recvfrom(C, 3), M:recv(C, 2)] end)
        end},
        {recvmsg, "recvmsg in place of recv.", fun(B) ->
            between(B, fun(M, C, _) -> [M:recvmsg(C, 3, 0), M:recv(C, 2)] end)
        end},
        {nread, "How many bytes there are.", fun(B) ->
            between(B, fun(M, C, _) ->
                [M:ioctl(C, nread), M:recv(C, 3), M:ioctl(C, nread), M:recv(C, 2), M:ioctl(C, nread)]
            end)
        end},
        {info, "The counters and those that wait.", fun(B) ->
            between(B, fun(M, C, _) -> [seen(M, C), M:recv(C, 3), seen(M, C), M:recv(C, 2), seen(M, C)] end)
        end},
        {other_info, "The same, asked by another process.", fun(B) ->
            between(B, fun(M, C, _) ->
                Seen = fun() -> xc:await(xc:spawn_call(fun() -> seen(M, C) end)) end,
                [Seen(), M:recv(C, 3), Seen()]
            end)
        end},
        {cancel, "cancel in place of recv.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            [xs:message(), M:cancel(C, Info), M:recv(C, 3), M:recv(C, 2)]
        end},
        {cancel_after, "cancel after recv.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, Info} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            [xs:message(), M:recv(C, 3), M:cancel(C, Info), M:recv(C, 2)]
        end},
        {another_reads, "Another process reads what there is, without waiting.", fun(B) ->
            between(B, fun(M, C, _) ->
                Other = xc:await(xc:spawn_call(fun() -> M:recv(C, 2, 0) end)),
                [Other, M:recv(C, 3, nowait), M:recv(C, 0, nowait)]
            end)
        end},
        {another_peeks, "Another process looks at what there is.", fun(B) ->
            between(B, fun(M, C, _) ->
                Other = xc:await(xc:spawn_call(fun() -> M:recv(C, 0, [peek], 0) end)),
                [Other, M:recv(C, 3, nowait), M:recv(C, 0, nowait)]
            end)
        end},
        {another_waits, "Another process waits behind.", fun(B) ->
            between(B, fun(M, C, S) ->
                Other = xc:spawn_call(fun() -> M:recv(C, 4) end),
                waits_for(M, C, 2),
                [M:recv(C, 3), M:send(S, "fghi"), xc:await(Other), M:recv(C, 2)]
            end)
        end},
        {in_turn, "Two processes wait, each for its length.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            First = xc:spawn_call(fun() -> M:recv(C, 3) end),
            waits_for(M, C, 1),
            Second = xc:spawn_call(fun() -> M:recv(C, 2) end),
            waits_for(M, C, 2),
            ok = M:send(S, "abcde"),
            [xc:await(First), xc:await(Second)]
        end},
        {waiter_ends, "The process that was told ends.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            told_and_ended(M, C, S),
            waits_for(M, C, 0),
            [M:ioctl(C, nread), M:recv(C, 3), M:recv(C, 2), M:recv(C, 3, 0)]
        end},
        {next_waits, "The process that was told ends, and another waits.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Teller = self(),
            First = spawn(fun() ->
                {select, _} = M:recv(C, 3, nowait),
                Teller ! waits,
                _ = xs:message(),
                Teller ! told,
                receive stop -> ok end
            end),
            receive waits -> ok end,
            Second = xc:spawn_call(fun() -> M:recv(C, 4) end),
            waits_for(M, C, 2),
            ok = M:send(S, "abcde"),
            receive told -> ok end,
            exit(First, kill),
            [xc:await(Second), M:recv(C, 1)]
        end},
        {close, "close in place of recv: what the peer sees.", fun(B) ->
            between(B, fun(M, C, S) -> [M:close(C), M:recv(C, 3), M:recv(S, 1), M:recv(S, 1)] end)
        end},
        {read_and_close, "close after all has been read.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abc"),
            [xs:message(), M:recv(C, 3), M:close(C), M:recv(S, 1), M:recv(S, 1)]
        end},
        {owner_ends, "The owner ends before the recv of another process.", fun(#{api := M} = B) ->
            {C, S, Owner} = owned(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abc"),
            Message = xs:message(),
            exit(Owner, kill),
            [Message, M:recv(S, 1), M:recv(C, 3)]
        end},
        {owner_ends_after, "The owner ends after the recv of another process.", fun(#{api := M} = B) ->
            {C, S, Owner} = owned(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abc"),
            Results = [xs:message(), M:recv(C, 3)],
            exit(Owner, kill),
            Results ++ [M:recv(S, 1)]
        end},
        {handed_over, "The socket gets another owner, who reads.", fun(B) ->
            between(B, fun(M, C, _) ->
                Reader = spawn(fun() ->
                    receive {read, From} -> From ! {read, M:recv(C, 2, 0)} end,
                    receive stop -> ok end
                end),
                Set = M:setopt(C, otp, controlling_process, Reader),
                Reader ! {read, self()},
                Read = receive {read, Result} -> Result end,
                Left = M:recv(C, 3, 0),
                Reader ! stop,
                [Set, Read, Left]
            end)
        end},
        {shutdown, "shutdown of the direction before recv.", fun(B) ->
            between(B, fun(M, C, _) -> [M:shutdown(C, read), M:recv(C, 3), M:recv(C, 2), M:recv(C, 1)] end)
        end},
        {peer_closes, "The peer closes before recv.", fun(B) ->
            between(B, fun(M, C, S) -> [M:close(S), M:recv(C, 3), M:recv(C, 2), M:recv(C, 1)] end)
        end},
        {peer_resets, "The peer resets before recv.", fun(B) ->
            between(B, fun(M, C, S) ->
                ok = M:setopt(S, socket, linger, #{onoff => true, linger => 0}),
                [M:close(S), M:recv(C, 3), M:recv(C, 2), M:recv(C, 1), M:recv(C, 1)]
            end)
        end},
        {peer_closed_short, "The peer closes, and there is less than was asked for.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, _} = M:recv(C, 6, nowait),
            ok = M:send(S, "abc"),
            Message = xs:message(),
            ok = M:close(S),
            [Message, M:recv(C, 6)]
        end},
        {options, "Options are set and read before recv.", fun(B) ->
            between(B, fun(M, C, _) ->
                [
                    M:setopt(C, otp, rcvbuf, 2),
                    M:setopt(C, socket, rcvlowat, 2),
                    M:getopt(C, socket, rcvlowat),
                    M:recv(C, 3),
                    M:recv(C, 0)
                ]
            end)
        end},
        {sends, "send before recv.", fun(B) ->
            between(B, fun(M, C, S) -> [M:send(C, "xyz"), M:recv(S, 3), M:recv(C, 3), M:recv(C, 2)] end)
        end},
        {inet6, "The same over IPv6.", fun(#{api := M} = B) ->
            {C, S} = xs:pair6(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            [xs:message(), M:recv(C, 3), M:recv(C, 2)]
        end},
        {local, "The same in the unix domain.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, stream),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            [xs:message(), M:recv(C, 3), M:recv(C, 2)]
        end},
        {seqpacket, "The same with packets.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, seqpacket),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            ok = M:send(S, "fgh"),
            [xs:message(), M:recv(C, 3), M:recv(C, 3)]
        end},
        {datagram, "The same with datagrams.", fun(#{api := M} = B) ->
            {C, S} = xs:udp_pair(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "abcde"),
            ok = M:send(S, "fgh"),
            [xs:message(), M:recv(C, 3), M:recv(C, 3)]
        end},
        {urgent, "An urgent byte in the middle.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            {select, _} = M:recv(C, 3, nowait),
            ok = M:send(S, "ab"),
            ok = M:send(S, "c", [oob]),
            ok = M:send(S, "de"),
            [xs:message(), M:recv(C, 2), M:recv(C, 1, [oob]), M:recv(C, 2)]
        end}
    ].

%% Fun of a socket that has been told that there is something to read, and of its peer: five bytes have come, and the
%% process that was told has asked for three of them.
between(#{api := M} = Backend, Fun) ->
    {C, S} = xs:pair(Backend),
    First = M:recv(C, 3, nowait),
    ok = M:send(S, "abcde"),
    [First, xs:message() | Fun(M, C, S)].

%% A process waits, is told, and ends.
told_and_ended(M, C, S) ->
    Teller = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        {select, _} = M:recv(C, 3, nowait),
        Teller ! waits,
        _ = xs:message()
    end),
    receive waits -> ok end,
    ok = M:send(S, "abcde"),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.

%% A connection whose one end has another owner: that end, the other, and the owner.
owned(#{api := M} = Backend) ->
    {C, S} = xs:pair(Backend),
    Owner = spawn(fun() -> receive stop -> ok end end),
    ok = M:setopt(C, otp, controlling_process, Owner),
    {C, S, Owner}.

echo(M, Socket, Size) ->
    case M:recv(Socket, Size) of
        {ok, Data} ->
            ok = M:send(Socket, Data),
            echo(M, Socket, Size);
        {error, _} = Error ->
            Error
    end.

%% Until so many processes wait to read.
waits_for(M, Socket, Count) ->
    case M:info(Socket) of
        #{num_readers := Count} ->
            ok;
        #{} ->
            timer:sleep(1),
            waits_for(M, Socket, Count)
    end.

seen(M, Socket) ->
    #{counters := Counters, num_readers := Readers, rstates := States} = M:info(Socket),
    {Readers, States, maps:with([read_byte, read_pkg, read_pkg_max, read_tries, read_fails, read_waits], Counters)}.
