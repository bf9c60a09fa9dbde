%% Owners: controlling_process, and what happens when processes die.
-module(xc_owner).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {given_to_another_node, "A process of another node cannot be the owner.", fun(B) ->
            Remote = binary_to_term(<<131, 88, 119, 5, "foo@x", 9:32, 0:32, 1:32>>),
            [
                begin
                    {S, P} = xc:pair(B, [{active, Active}]),
                    Given = gen_tcp:controlling_process(S, Remote),
                    {Given, inet:getopts(S, [active]), gen_tcp:send(S, "x"), gen_tcp:recv(P, 1, 1000)}
                end
             || Active <- [false, true, once, 5]
            ]
        end},
        {give_away, "The new owner gets the messages.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            Heir = heir(),
            Given = gen_tcp:controlling_process(S, Heir),
            ok = gen_tcp:send(P, "for the heir"),
            {Given, heard(Heir), xc:next(40)}
        end},
        {give_away_passive, "The new owner can receive.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Self = self(),
            Heir = spawn(fun() -> receive go -> Self ! {heard, gen_tcp:recv(S, 0, 1000)} end end),
            Given = gen_tcp:controlling_process(S, Heir),
            ok = gen_tcp:send(P, "data"),
            Heir ! go,
            {Given, xc:next()}
        end},
        {moves_messages, "Messages that wait move to the new owner, in order.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {packet, 1}]),
            ok = gen_tcp:send(P, <<1, "a", 1, "b">>),
            true = xc:until(fun() -> inet:getstat(S, [recv_cnt]) =:= {ok, [{recv_cnt, 2}]} end),
            timer:sleep(20),
            Heir = heir(),
            Given = gen_tcp:controlling_process(S, Heir),
            ok = gen_tcp:send(P, <<1, "c">>),
            {Given, [heard(Heir) || _ <- [1, 2, 3]], xc:next(40)}
        end},
        {moves_tcp_closed, "A tcp_closed that waits moves too.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {exit_on_close, false}]),
            ok = gen_tcp:close(P),
            timer:sleep(50),
            Heir = heir(),
            {gen_tcp:controlling_process(S, Heir), heard(Heir)}
        end},
        {keeps_mode, "The active mode is kept.", fun(B) ->
            {S, _} = xc:pair(B, [{active, 7}]),
            ok = gen_tcp:controlling_process(S, heir()),
            inet:getopts(S, [active])
        end},
        {keeps_once, "active once is kept.", fun(B) ->
            {S, P} = xc:pair(B, [{active, once}]),
            Heir = heir(),
            ok = gen_tcp:controlling_process(S, Heir),
            ok = gen_tcp:send(P, "one"),
            {heard(Heir), inet:getopts(S, [active])}
        end},
        {to_self, "To oneself.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}]),
            Given = gen_tcp:controlling_process(S, self()),
            ok = gen_tcp:send(P, "mine"),
            {Given, xc:next()}
        end},
        {not_owner, "Only the owner may.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:controlling_process(S, self()) end),
            xc:await(Call)
        end},
        {to_owner_by_other, "Giving it to its owner is no theft.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Self = self(),
            xc:await(xc:spawn_call(fun() -> gen_tcp:controlling_process(S, Self) end))
        end},
        {to_the_dead, "To a process that is dead.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {Dead, Ref} = spawn_monitor(fun() -> ok end),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            {gen_tcp:controlling_process(S, Dead), inet:getopts(S, [mode])}
        end},
        {to_no_process, "To what is no process.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:controlling_process(S, nobody) end)
        end},
        {closed, "A closed socket.", fun(B) ->
            {S, _} = xc:pair(B, []),
            ok = gen_tcp:close(S),
            gen_tcp:controlling_process(S, heir())
        end},
        {descriptor_closed, "A socket whose descriptor is closed.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0, 1000),
            gen_tcp:controlling_process(S, heir())
        end},
        {listener, "A listening socket.", fun(B) ->
            L = xc:listen(B, []),
            Heir = heir(),
            Given = gen_tcp:controlling_process(L, Heir),
            exit(Heir, kill),
            Gone = xc:until(fun() -> inet:port(L) =:= {error, einval} end),
            {Given, Gone}
        end}
    ] ++ deaths() ++ traffic().

deaths() ->
    [
        {owner_exits, "The connection is closed when its owner exits.", fun(B) ->
            owner_ends(B, fun(Owner) -> Owner ! stop end)
        end},
        {owner_is_killed, "The connection is closed when its owner is killed.", fun(B) ->
            owner_ends(B, fun(Owner) -> exit(Owner, kill) end)
        end},
        {owner_dies_with_queue, "What its owner had sent is still sent.", fun(B) ->
            {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
            Port = xc:listener_port(L),
            Data = xc:fill(5000000),
            Call = xc:spawn_call(fun() ->
                {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, []),
                gen_tcp:send(S, Data)
            end),
            P = xc:accept(L),
            Sent = xc:await(Call),
            {Sent, gen_tcp:recv(P, byte_size(Data), 20000) =:= {ok, Data}, gen_tcp:recv(P, 0, 2000)}
        end},
        {owner_dies_in_accept, "All that a process owned ends when it dies in accept.", fun(B) ->
            Self = self(),
            Owner = spawn(fun() ->
                L = xc:listen(B, []),
                Pairs = [xc:pair(B, []) || _ <- lists:seq(1, 8)],
                [ok = gen_tcp:controlling_process(P, Self) || {_, P} <- Pairs],
                Self ! {xc:listener_port(L), [P || {_, P} <- Pairs]},
                gen_tcp:accept(L)
            end),
            {Port, Peers} = xc:next(),
            timer:sleep(50),
            exit(Owner, kill),
            Ends = [gen_tcp:recv(P, 0, 2000) || P <- Peers],
            Refused = fun() -> gen_tcp:connect({127, 0, 0, 1}, Port, []) =:= {error, econnrefused} end,
            {Ends, xc:until(Refused)}
        end},
        {listener_owner_dies, "A listening socket ends with its owner.", fun(B) ->
            Self = self(),
            Owner = spawn(fun() -> Self ! xc:listen(B, []), receive stop -> ok end end),
            L = xc:next(),
            Call = xc:spawn_call(fun() -> gen_tcp:accept(L, 5000) end),
            timer:sleep(50),
            Owner ! stop,
            xc:await(Call)
        end},
        {previous_owner_dies, "A previous owner is nobody.", fun(B) ->
            Self = self(),
            {Owner, Ref} = spawn_monitor(fun() ->
                {S, P} = xc:pair(B, []),
                ok = gen_tcp:controlling_process(S, Self),
                ok = gen_tcp:controlling_process(P, Self),
                Self ! {S, P}
            end),
            {S, P} = receive {X, Y} -> {X, Y} end,
            receive {'DOWN', Ref, process, Owner, _} -> ok end,
            {gen_tcp:send(S, "alive"), gen_tcp:recv(P, 0, 1000)}
        end}
    ].

traffic() ->
    [
        {handover_under_traffic, "A handover under traffic loses and reorders nothing.", fun(B) ->
            {S, P} = xc:pair(B, [{active, true}, {packet, 2}]),
            Count = 3000,
            _ = spawn(fun() -> [ok = gen_tcp:send(P, <<4:16, N:32>>) || N <- lists:seq(1, Count)], receive after 5000 -> ok end end),
            Parent = self(),
            Chain = fun(Self, Depth, Seen) ->
                Mine = collect(S, 200, Seen),
                case Depth of
                    0 -> Parent ! {numbers, lists:reverse(collect(S, Count, Mine))};
                    _ ->
                        Next = spawn(fun() -> receive {go, Numbers} -> Self(Self, Depth - 1, Numbers) end end),
                        Given = gen_tcp:controlling_process(S, Next),
                        Next ! {go, Mine},
                        Parent ! {given, Given}
                end
            end,
            Chain(Chain, 5, []),
            Given = [receive {given, G} -> G after 5000 -> none end || _ <- lists:seq(1, 5)],
            Numbers = receive {numbers, Ns} -> Ns after 20000 -> none end,
            {Given, Numbers =:= lists:seq(1, Count)}
        end}
    ].

%% The numbers in the messages of S, Count at most.
collect(S, Count, Seen) when length(Seen) < Count ->
    receive
        {tcp, S, <<N:32>>} -> collect(S, Count, [N | Seen])
    after 3000 -> Seen
    end;
collect(_, _, Seen) ->
    Seen.

owner_ends(B, End) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    Port = xc:listener_port(L),
    Self = self(),
    Owner = spawn(fun() ->
        {ok, S} = xc:connect(B, {127, 0, 0, 1}, Port, []),
        Self ! {socket, S},
        receive stop -> ok end
    end),
    P = xc:accept(L),
    S = receive {socket, X} -> X end,
    End(Owner),
    {gen_tcp:recv(P, 0, 2000), xc:until(fun() -> inet:getopts(S, [mode]) =:= {error, einval} end)}.

%% A process that sends us the messages that it gets.
heir() ->
    Parent = self(),
    spawn(fun() -> relay(Parent) end).

relay(Parent) ->
    receive
        Message ->
            Parent ! {heard, self(), Message},
            relay(Parent)
    end.

heard(Heir) ->
    receive
        {heard, Heir, Message} -> Message
    after 5000 -> nothing
    end.
