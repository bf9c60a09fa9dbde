%% Each operation that can wait, in each way of waiting, and all that can happen meanwhile.
%%
%% operations/0 is a table: how an operation is made to wait, how it is called, and what lets it go on. Each scenario of
%% events/0 is run for each operation that it can happen to.
-module(xs_async).

-export([scenarios/0]).

%% socket, peer: what the operation waits on, and who can let it go on.
%% call: the operation with the last argument of its way of waiting. go_on: what the peer does. continue: the operation with
%% the SelectInfo of one that has waited.
-type operation() :: #{
    name := atom(), side := accept | connect | read | write,
    start := fun((xc:backend()) -> {socket:socket(), Peer :: term()}),
    call := fun((module(), socket:socket(), Peer :: term(), Wait :: term()) -> term()),
    go_on := fun((module(), Peer :: term()) -> term()),
    continue => fun((module(), socket:socket(), SelectInfo :: term(), Wait :: term()) -> term())
}.

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {list_to_atom(lists:concat([Name, "_", Event])), Statement, fun(B) -> without_path(Fun(B, Operation)) end}
     || {Event, Statement, Sides, Fun} <- events(), #{name := Name, side := Side} = Operation <- operations(), lists:member(Side, Sides)
    ].

%% --- operations ----------------------------------------------------------------

-spec operations() -> [operation()].
operations() ->
    [
        #{name => accept, side => accept, start => fun accepting/1,
            call => fun(M, S, _, Wait) -> without_socket(M:accept(S, Wait)) end,
            go_on => fun connected_to/2},
        #{name => connect, side => connect, start => fun connecting/1,
            call => fun(M, S, {To, _}, Wait) -> M:connect(S, To, Wait) end,
            go_on => fun(M, {_, Listener}) -> {ok, _} = M:accept(Listener) end},
        #{name => recv, side => read, start => fun xs:pair/1,
            call => fun(M, S, _, Wait) -> M:recv(S, 3, Wait) end,
            go_on => fun(M, Peer) -> ok = M:send(Peer, "abc") end},
        #{name => recv_all, side => read, start => fun xs:pair/1,
            call => fun(M, S, _, Wait) -> M:recv(S, 0, [], Wait) end,
            go_on => fun(M, Peer) -> ok = M:send(Peer, "abc") end},
        #{name => recvfrom, side => read, start => fun xs:udp_pair/1,
            call => fun(M, S, _, Wait) -> without_port(M:recvfrom(S, 0, Wait)) end,
            go_on => fun(M, Peer) -> ok = M:send(Peer, "abc") end},
        #{name => recvmsg, side => read, start => fun xs:udp_pair/1,
            call => fun(M, S, _, Wait) -> without_port(M:recvmsg(S, 0, 0, Wait)) end,
            go_on => fun(M, Peer) -> ok = M:send(Peer, "abc") end},
        #{name => recvmsg_stream, side => read, start => fun xs:pair/1,
            call => fun(M, S, _, Wait) -> without_port(M:recvmsg(S, Wait)) end,
            go_on => fun(M, Peer) -> ok = M:send(Peer, "abc") end},
        #{name => send, side => write, start => fun full/1,
            call => fun(M, S, _, Wait) -> M:send(S, "abc", Wait) end, go_on => fun read_all/2,
            continue => fun(M, S, Info, Wait) -> M:send(S, "abc", Info, Wait) end},
        #{name => sendto, side => write, start => fun full_of_datagrams/1,
            call => fun(M, S, _, Wait) -> M:sendto(S, "abc", address_of(M, S), Wait) end, go_on => fun read_all/2,
            continue => fun(M, S, Info, Wait) -> M:sendto(S, "abc", Info, Wait) end},
        #{name => sendmsg, side => write, start => fun full/1,
            call => fun(M, S, _, Wait) -> M:sendmsg(S, #{iov => [<<"a">>, <<"bc">>]}, Wait) end, go_on => fun read_all/2,
            continue => fun(M, S, Info, Wait) -> M:sendmsg(S, [<<"a">>, <<"bc">>], Info, Wait) end},
        #{name => sendfile, side => write, start => fun full/1,
            call => fun(M, S, _, Wait) -> xs:with_file("abcdef", fun(File) -> M:sendfile(S, File, 0, 3, Wait) end) end, go_on => fun read_all/2,
            continue => fun(M, S, Info, Wait) -> M:sendfile(S, Info, 0, 3, Wait) end}
    ].

accepting(B) -> xs:listener(B).

%% The listener takes no more connections until one is accepted.
connecting(#{api := M} = B) ->
    {To, Listener} = xs:busy_listener(B),
    {ok, S} = M:open(inet, stream),
    {S, {To, Listener}}.

%% A socket whose peer has so much to read that nothing more goes out. In the unix domain no data is under way.
full(B) -> filled(B, xs:local_pair(B, stream)).

full_of_datagrams(B) -> filled(B, xs:local_udp_pair(B)).

filled(#{api := M}, {S, Peer}) ->
    Info = xs:fill_up(fun(Data) -> M:send(S, binary:part(Data, 0, 10000), nowait) end),
    ok = M:cancel(S, Info),
    {S, Peer}.

connected_to(M, To) ->
    {ok, C} = M:open(inet, stream),
    ok = M:connect(C, To),
    {ok, C}.

%% In a process of its own, which reads on.
read_all(M, Peer) ->
    _ = spawn_link(fun() -> read_on(M, Peer) end),
    ok.

read_on(M, Peer) ->
    case M:recv(Peer, 0, 5000) of
        {ok, _} -> read_on(M, Peer);
        Other -> Other
    end.

address_of(M, S) ->
    {ok, Peer} = M:peername(S),
    Peer.

%% --- what can happen --------------------------------------------------------------

%% {Event, Statement, for which sides, fun((Backend, Operation) -> Observation)}.
events() ->
    All = [accept, connect, read, write],
    [
        {nowait, "nowait: a SelectInfo with a new handle, the message with it, and the result", All, fun(B, Op) -> selected(B, Op, nowait) end},
        {continued, "it goes on with the SelectInfo, which another process must not do", [write], fun continued/2},
        {handle, "a handle of the caller is in the SelectInfo and in the message", All, fun(B, Op) -> selected(B, Op, make_ref()) end},
        {zero, "a timeout of 0 is over at once", All, fun(B, Op) -> waits_no_more(B, Op, 0) end},
        {timeout, "a timeout that is over", All, fun(B, Op) -> waits_no_more(B, Op, 10) end},
        {in_time, "it goes on before the timeout", All, fun(B, Op) -> goes_on(B, Op, 60000) end},
        {infinity, "it waits until it goes on", All, fun(B, Op) -> goes_on(B, Op, infinity) end},
        {cancelled, "cancel of one that waits; then it may be done again", All, fun cancelled/2},
        {cancelled_after_message, "cancel of one whose message has come", All, fun cancelled_after_message/2},
        {cancelled_unread_message, "cancel takes back a message that has not been received", All, fun cancelled_unread_message/2},
        {cancelled_when_done, "cancel of one that is done", All, fun cancelled_when_done/2},
        {cancelled_by_other, "cancel by another process", All, fun cancelled_by_other/2},
        {cancelled_closed, "cancel on a socket that is closed", All, fun cancelled_closed/2},
        {cancelled_otherwise, "cancel with the handle of another operation", All, fun cancelled_otherwise/2},
        {twice, "the same process asks again: the first handle is aborted", [accept, read, write], fun twice/2},
        {other_waits, "another process queues up, and is told in its turn", [accept, read, write], fun other_waits/2},
        {other_connects, "another process asks while one connects", [connect], fun other_connects/2},
        {other_cancels, "one of two that wait cancels", [accept, read, write], fun other_cancels/2},
        {closed, "the socket is closed by the process that waits", All, fun closed/2},
        {closed_by_other, "the socket is closed while one waits", All, fun closed_by_other/2},
        {closed_by_two, "two processes close it at the same time", All, fun closed_by_two/2},
        {closed_for_three, "the socket is closed while three wait", [accept, read, write], fun closed_for_three/2},
        {owner_ends, "the owner ends while another waits", All, fun owner_ends/2},
        {waiting_ends, "who waits ends, and the next gets its turn", [accept, read, write], fun waiting_ends/2},
        {connecting_ends, "who connects ends, and others ask", [connect], fun connecting_ends/2},
        {handed_over, "the socket is handed over while another waits", All, fun handed_over/2},
        {shut_down, "both directions are shut down while one waits", [read, write], fun shut_down/2},
        {monitored, "a monitor is told of the end while one waits", All, fun monitored/2},
        {counted, "what info says while one waits, and afterwards", All, fun counted/2}
    ].

start(#{api := M} = B, #{start := Start, call := Call, go_on := GoOn}) ->
    {S, Peer} = Start(B),
    {S, fun(Wait) -> Call(M, S, Peer, Wait) end, fun() -> GoOn(M, Peer) end}.

selected(B, Op, Wait) ->
    {_, Call, GoOn} = start(B, Op),
    First = Call(Wait),
    _ = GoOn(),
    [First, xs:message(), Call(nowait)].

%% The result of an operation whose message has come. A file that is on its way is told by the SelectInfo alone.
finish(M, S, #{name := sendfile, continue := Continue}, _, First) -> Continue(M, S, info(First), nowait);
finish(_, _, _, Call, _) -> Call(nowait).

info({select, {{select_info, _, _} = Info, _}}) -> Info;
info({select, Info}) -> Info.

continued(#{api := M} = B, #{continue := Continue} = Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    _ = GoOn(),
    Message = xs:message(),
    Goes = fun(Wait) -> xs:attempt(fun() -> Continue(M, S, Info, Wait) end) end,
    Others = xc:await(xc:spawn_call(fun() -> Goes(0) end)),
    [Message, Others, Goes(60000), Goes(nowait), waiting(M, S)].

waits_no_more(#{api := M} = B, Op, Wait) ->
    {S, Call, _} = start(B, Op),
    [Call(Wait), waiting(M, S)].

goes_on(#{api := M} = B, Op, Wait) ->
    {S, Call, GoOn} = start(B, Op),
    Waiting = xc:spawn_call(fun() -> Call(Wait) end),
    ok = until_waiting(M, S, Op, 1),
    _ = GoOn(),
    [xc:await(Waiting), waiting(M, S)].

cancelled(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    Cancelled = [M:cancel(S, Info), M:cancel(S, Info), waiting(M, S)],
    _ = GoOn(),
    [Cancelled, again(Op, Call)].

%% A connect that was cancelled may have gone on by itself.
again(#{side := connect}, _) -> unknown;
again(_, Call) -> Call(60000).

cancelled_after_message(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    _ = GoOn(),
    [xs:message(), M:cancel(S, Info), waiting(M, S), again(Op, Call)].

cancelled_unread_message(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    _ = GoOn(),
    self() ! xs:message(),  % back into the mailbox, where nobody has read it
    [M:cancel(S, Info), waiting(M, S), again(Op, Call)].

cancelled_when_done(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    First = Call(nowait),
    _ = GoOn(),
    Message = xs:message(),
    [Message, finish(M, S, Op, Call, First), M:cancel(S, info(First))].

cancelled_by_other(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    Other = xc:await(xc:spawn_call(fun() -> xs:attempt(fun() -> M:cancel(S, Info) end) end)),
    _ = GoOn(),
    [Other, xs:message()].

cancelled_closed(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    Info = info(Call(nowait)),
    ok = M:close(S),
    xs:attempt(fun() -> M:cancel(S, Info) end).

cancelled_otherwise(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    {select_info, Tag, Handle} = info(Call(nowait)),
    Others = [{select_info, T, H} || T <- [accept, connect, recv, recvfrom, recvmsg, send, sendto, sendmsg, sendfile, x], H <- [make_ref(), x]],
    [[{T, is_reference(H), xs:attempt(fun() -> element(1, M:cancel(S, {select_info, T, H})) end)} || {select_info, T, H} <- Others],
        waiting(M, S), M:cancel(S, {select_info, Tag, Handle})].

twice(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    [First, Second] = [xs:attempt(fun() -> Call(nowait) end), xs:attempt(fun() -> Call(nowait) end)],
    Waiting = waiting(M, S),
    _ = GoOn(),
    [First, Second, Waiting, xs:message(), Call(nowait)].

other_waits(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    First = Call(nowait),
    Other = xc:spawn_call(fun() -> Call(60000) end),
    ok = until_waiting(M, S, Op, 2),
    _ = GoOn(),
    Message = xs:message(),
    Result = finish(M, S, Op, Call, First),
    _ = GoOn(),
    [First, Message, Result, xc:await(Other), waiting(M, S)].

other_connects(B, Op) ->
    {_, Call, GoOn} = start(B, Op),
    First = Call(nowait),
    Others = xc:await(xc:spawn_call(fun() -> [xs:attempt(fun() -> Call(Wait) end) || Wait <- [nowait, 0, infinity]] end)),
    _ = GoOn(),
    [First, Others, xs:message()].

other_cancels(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Info = info(Call(nowait)),
    Parent = self(),
    Other = xc:spawn_call(fun() ->
        Result = Call(nowait),
        Parent ! asked,
        receive go_on -> [Result, xs:message(), Call(60000)] end
    end),
    receive asked -> ok end,
    Cancelled = [M:cancel(S, Info), waiting(M, S)],
    _ = GoOn(),
    element(1, Other) ! go_on,
    [Cancelled, xc:await(Other)].

closed(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    [Call(nowait), M:close(S), xs:message(), xs:attempt(fun() -> Call(nowait) end)].

closed_by_other(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    Waiting = xc:spawn_call(fun() -> Call(infinity) end),
    ok = until_waiting(M, S, Op, 1),
    [M:close(S), xc:await(Waiting)].

closed_by_two(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    Waiting = xc:spawn_call(fun() -> Call(infinity) end),
    ok = until_waiting(M, S, Op, 1),
    Closers = [xc:spawn_call(fun() -> M:close(S) end) || _ <- [1, 2, 3]],
    [lists:sort([xc:await(Closer) || Closer <- Closers]), xc:await(Waiting)].

closed_for_three(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    First = Call(nowait),
    Others = [begin Waiting = xc:spawn_call(fun() -> Call(infinity) end), ok = until_waiting(M, S, Op, N), Waiting end || N <- [2, 3]],
    [First, M:close(S), xs:message(), [xc:await(Other) || Other <- Others]].

owner_ends(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    Owner = spawn(fun() -> receive stop -> ok end end),
    ok = M:setopt(S, {otp, controlling_process}, Owner),
    First = Call(nowait),
    Owner ! stop,
    [First, xs:message(), xs:attempt(fun() -> Call(0) end)].

waiting_ends(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    Parent = self(),
    {Pid, Ref} = spawn_monitor(fun() -> _ = Call(nowait), Parent ! asked, receive stop -> ok end end),
    receive asked -> ok end,
    Mine = Call(nowait),
    Pid ! stop,
    receive {'DOWN', Ref, process, Pid, normal} -> ok end,
    true = xc:until(fun() -> waits(M, S, Op) =:= 1 end),
    _ = GoOn(),
    [Mine, xs:message(), finish(M, S, Op, Call, Mine)].

connecting_ends(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    {Pid, Ref} = spawn_monitor(fun() -> exit(Call(nowait)) end),
    First = receive {'DOWN', Ref, process, Pid, Result} -> Result end,
    Ended = xc:until(fun() -> waits(M, S, Op) =:= 0 end),
    While = [state(M, S), xs:attempt(fun() -> M:connect(S) end), Call(nowait)],
    _ = GoOn(),
    Goes = xc:until(fun() -> element(1, M:peername(S)) =:= ok end),
    [First, Ended, While, Goes, state(M, S), Call(nowait), state(M, S)].

handed_over(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    First = Call(nowait),
    Owner = spawn_link(fun() -> receive stop -> ok end end),
    Given = [M:setopt(S, {otp, controlling_process}, Owner), M:setopt(S, {otp, controlling_process}, self()), M:getopt(S, {otp, controlling_process}) =:= {ok, Owner}],
    _ = GoOn(),
    [First, Given, xs:message(), finish(M, S, Op, Call, First)].

shut_down(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    [Call(nowait), M:shutdown(S, read_write), xs:message(), reason(xs:attempt(fun() -> Call(0) end))].

%% A datagram socket may still be asked after that.
reason({error, {Reason, _}}) -> {error, Reason};
reason(Other) -> Other.

monitored(#{api := M} = B, Op) ->
    {S, Call, _} = start(B, Op),
    Ref = M:monitor(S),
    First = Call(nowait),
    ok = M:close(S),
    Down = receive {'DOWN', Ref, socket, S, Info} -> Info after 5000 -> nothing end,
    [First, Down, xs:message(), M:cancel_monitor(Ref)].

counted(#{api := M} = B, Op) ->
    {S, Call, GoOn} = start(B, Op),
    First = Call(nowait),
    While = state(M, S),
    _ = GoOn(),
    _ = xs:message(),
    _ = finish(M, S, Op, Call, First),
    [While, state(M, S)].

%% --- what info says -----------------------------------------------------------------

waiting(M, S) -> maps:with([num_readers, num_writers, num_acceptors], M:info(S)).

%% How many bytes and packets have filled a socket differs by chance.
state(M, S) ->
    #{counters := Counters} = Info = M:info(S),
    {maps:without([counters, owner], Info), maps:with([acc_success, acc_tries, acc_waits, acc_fails, read_fails], Counters)}.

waits(M, S, #{side := Side}) ->
    case M:info(S) of
        #{num_acceptors := N} when Side =:= accept -> N;
        #{num_readers := N} when Side =:= read -> N;
        #{num_writers := N} when Side =:= write -> N;
        #{wstates := States} -> length([connecting || connecting <- States])
    end.

until_waiting(M, S, Op, Number) ->
    true = xc:until(fun() -> waits(M, S, Op) =:= Number end),
    ok.

%% --- what differs by chance ---------------------------------------------------------

without_socket({ok, _}) -> {ok, socket};
without_socket(Other) -> Other.

without_port({ok, {Source, Data}}) -> {ok, {maps:remove(port, Source), Data}};
without_port({ok, #{addr := #{port := _} = Source} = Msg}) -> {ok, Msg#{addr := maps:remove(port, Source)}};
without_port(Other) -> Other.

without_path(#{family := local, path := _} = Address) -> Address#{path := path};
without_path(Map) when is_map(Map) -> maps:map(fun(_, Value) -> without_path(Value) end, Map);
without_path(Tuple) when is_tuple(Tuple) -> list_to_tuple(without_path(tuple_to_list(Tuple)));
without_path([Head | Tail]) -> [without_path(Head) | without_path(Tail)];
without_path(Other) -> Other.
