%% The socket as a term, what is told of it, lists of sockets, and its owner.
-module(xs_term).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    the_term() ++ told() ++ listed() ++ owned().

%% --- the term --------------------------------------------------------------------------

the_term() ->
    [
        {shape, "A tuple of an atom and a reference.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            {'$socket', Ref} = S,
            [is_tuple(S), tuple_size(S), is_reference(Ref), element(1, S), is_record(S, '$socket', 2), S =:= {'$socket', Ref}]
        end},
        {in_guards, "Guards tell it from other terms.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            {ok, Other} = M:open(inet, stream),
            Kind = fun
                (X) when X =:= S -> this;
                ({'$socket', R}) when is_reference(R), {'$socket', R} =:= Other -> other;
                (X) when is_tuple(X), element(1, X) =:= '$socket' -> some;
                (_) -> none
            end,
            [Kind(X) || X <- [S, Other, {'$socket', make_ref()}, make_ref(), x]]
        end},
        {printed, "It is printed as a tuple of a reference in all forms.", fun(#{api := M}) ->
            {ok, {_, Ref} = S} = M:open(inet, stream),
            Text = ref_to_list(Ref),
            [string:replace(lists:flatten(io_lib:format(F, [S])), Text, "REF") || F <- ["~p", "~w", "~tp", "~0p"]] ++
                [M:to_list(S) =:= "#Socket" ++ lists:nthtail(4, Text), string:prefix(Text, "#Ref<") =/= nomatch]
        end},
        {as_key, "A key of a map, of a table, of a dictionary, of a set, and a name of a term that lasts.", fun(#{api := M}) ->
            Sockets = [begin {ok, S} = M:open(inet, dgram), S end || _ <- lists:seq(1, 50)],
            Numbered = lists:zip(Sockets, lists:seq(1, 50)),
            Map = maps:from_list(Numbered),
            Table = ets:new(t, [set]),
            Ordered = ets:new(t, [ordered_set]),
            _ = [true = ets:insert(T, Numbered) || T <- [Table, Ordered]],
            Dict = dict:from_list(Numbered),
            [
                lists:all(fun({S, N}) -> maps:get(S, Map) =:= N andalso ets:lookup_element(Table, S, 2) =:= N andalso ets:lookup_element(Ordered, S, 2) =:= N andalso
                    dict:fetch(S, Dict) =:= N end, Numbered),
                length(lists:usort(Sockets)), sets:size(sets:from_list(Sockets ++ Sockets)), ets:info(Ordered, size)
            ]
        end},
        {kept_alive, "A socket that is in a table alone can be used.", fun(#{api := M}) ->
            Table = ets:new(t, [public]),
            Owner = xs:holder(fun() -> {ok, S} = M:open(inet, dgram), ets:insert(Table, {socket, S}) end),
            true = garbage_collect(),
            true = garbage_collect(Owner),
            [{socket, S}] = ets:lookup(Table, socket),
            M:getopt(S, {socket, type})
        end},
        {in_messages, "It is used by a process that got it in a message, and is equal there.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Parent = self(),
            Pid = spawn_link(fun() -> receive {Socket, Known} -> Parent ! {Socket =:= maps:get(x, Known), M:send(Socket, "abc"), Socket} end end),
            Pid ! {C, #{x => C}},
            {Equal, Sent, Back} = xc:next(),
            [Equal, Sent, Back =:= C, M:recv(S, 3, 5000)]
        end},
        {as_binary, "Made a binary and a term again, it is the same socket.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Again = binary_to_term(term_to_binary(C)),
            [Again =:= C, M:send(Again, "abc"), M:recv(S, 3, 5000), erlang:phash2(Again) =:= erlang:phash2(C)]
        end},
        {on_another_node, "On another node it is no socket, and comes back as the socket that it was.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            {ok, Peer, _} = peer:start_link(#{connection => standard_io, args => ["-pa" | code:get_path()]}),
            There = peer:call(Peer, erlang, apply, [fun(Module, Socket) ->
                {[try Call() catch Class:Reason -> {fails, Class, Reason} end || Call <- [
                    fun() -> Module:getopt(Socket, {socket, type}) end, fun() -> Module:send(Socket, "abc") end, fun() -> Module:recv(Socket, 0, 0) end,
                    fun() -> Module:close(Socket) end, fun() -> Module:sockname(Socket) end, fun() -> Module:monitor(Socket) end
                ]], Socket}
            end, [M, S]]),
            {Results, Back} = There,
            ok = peer:stop(Peer),
            [Results, Back =:= S, M:getopt(Back, {socket, type})]
        end},
        {not_equal, "A closed socket and one that comes after it are not the same.", fun(#{api := M}) ->
            {ok, S1} = M:open(inet, stream),
            ok = M:close(S1),
            {ok, S2} = M:open(inet, stream),
            [S1 =:= S2, xs:attempt(fun() -> M:sockname(S1) end), M:getopt(S2, {socket, type}), M:close(S2), M:close(S2)]
        end},
        {accepted, "An accepted socket is another term than its listener and its peer.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, To),
            {ok, S} = M:accept(L),
            length(lists:usort([L, C, S]))
        end}
    ].

%% --- what is told -------------------------------------------------------------------------

told() ->
    [
        {i_all, "i/0 prints a line for each socket.", fun(#{api := M}) -> of_mine(M, fun() -> M:i() end) end},
        {i_keys, "i/1 prints what is asked for.", fun(#{api := M}) ->
            Keys = [[domain, owner], [owner, type, protocol], [owner, state], [owner, recv, sent], [owner, local_address, remote_address], [owner], [owner, owner]],
            [of_mine(M, fun() -> M:i(K) end) || K <- Keys]
        end},
        {i_filters, "i/1 prints sockets of a domain, type or protocol.", fun(#{api := M}) ->
            [{F, of_mine(M, fun() -> M:i(F) end)} || F <- [inet, inet6, local, stream, dgram, seqpacket, tcp, udp, sctp]]
        end},
        {i_both, "i/2 prints what is asked for of these.", fun(#{api := M}) ->
            [{F, of_mine(M, fun() -> M:i(F, [owner, domain, type]) end)} || F <- [inet, inet6, local, stream, dgram, seqpacket, tcp, udp, sctp]]
        end},
        {i_states, "i/1 prints states and addresses of sockets in use.", fun(#{api := M} = B) ->
            {L, _} = xs:listener(B),
            {_, _} = xs:pair(B),
            {select, _} = M:accept(L, nowait),
            lists:sort(mine_of(fun() -> M:i([owner, state, type]) end))
        end},
        {i_nothing, "i/1 prints nothing where there is no such socket.", fun(#{api := M}) -> xs:printed(fun() -> M:i(sctp) end) end},
        {info_of_library, "info/0 has these keys.", fun(#{api := M}) -> maps:map(fun(counters, C) -> lists:sort(maps:keys(C)); (_, V) -> V end, M:info()) end},
        {info_of_kinds, "info/1 of sockets of all kinds.", fun(B) -> infos(B, [{D, T} || D <- [inet, inet6, local], T <- [stream, dgram, rdm, seqpacket]]) end},
        {info_of_raw_kinds, "The same below UDP and TCP.", fun(B) ->
            infos(B, [{D, raw} || D <- [inet, inet6, local]] ++ [{D, T} || D <- [16, 17], T <- [stream, dgram, raw, rdm, seqpacket]])
        end},
        {counters_of_stream, "What info/1 counts of a stream.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            _ = [ok = M:send(C, D) || D <- ["a", "bcd", ""]],
            {ok, _} = M:recv(S, 4, 5000),
            {error, timeout} = M:recv(S, 0, 0),
            {select, Info} = M:recv(S, 0, nowait),
            ok = M:cancel(S, Info),
            [maps:without([read_tries, read_waits, write_waits], maps:get(counters, M:info(X))) || X <- [C, S]]
        end},
        {counters_of_datagrams, "What it counts of datagrams.", fun(#{api := M} = B) ->
            {A, P} = xs:udp_pair(B),
            _ = [begin ok = M:send(A, D), {ok, D} = M:recv(P, 0, 5000) end || D <- [<<"a">>, <<"bcd">>, <<>>]],
            ok = M:sendmsg(A, #{iov => [<<"ab">>, <<"cd">>]}),
            {ok, _} = M:recvmsg(P),
            {error, _} = M:send(A, xc:fill(70000)),
            [maps:without([read_tries, read_waits, write_waits], maps:get(counters, M:info(X))) || X <- [A, P]]
        end},
        {counters_of_listener, "What it counts of a listener.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            {error, timeout} = M:accept(L, 0),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, To),
            {ok, S} = M:accept(L, 5000),
            [maps:with([acc_success, acc_fails], maps:get(counters, M:info(X))) || X <- [L, C, S]]
        end},
        {info_when_counters_wrap, "With iow a socket tells its owner when a counter begins anew; none does here.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:setopt(S, {otp, iow}, true),
            ok = M:send(C, "abc"),
            [M:recv(S, 3, 5000), M:getopt(S, {otp, iow}), M:getopt(C, {otp, iow})]
        end}
    ].

infos(#{api := M}, Kinds) ->
    [
        case M:open(D, T, P) of
            {ok, S} -> {D, T, P, owner(M:info(S))};
            Other -> {D, T, P, Other}
        end
     || {D, T} <- Kinds, P <- [default, tcp, udp, icmp, 253]
    ].

owner(#{owner := Owner} = Info) -> Info#{owner := Owner =:= self()}.

%% One socket of several kinds, and what a function prints of them.
of_mine(M, Fun) ->
    Sockets = [begin {ok, S} = M:open(D, T), S end || {D, T} <- [{inet, stream}, {inet, dgram}, {inet6, stream}, {inet6, dgram}, {local, stream}, {local, dgram}, {local, seqpacket}]],
    Lines = mine_of(Fun),
    _ = [ok = M:close(S) || S <- Sockets],
    lists:sort(Lines).

%% The lines of what is printed that have the process in it, and the heads; without descriptors and the width of columns,
%% which depends on other sockets of the node.
mine_of(Fun) ->
    {Result, Text} = printed(Fun, 100),
    Me = pid_to_list(self()),
    [Result | [[case Word of Me -> me; _ -> Word end || Word <- words(Line)] || Line <- string:split(Text, "\n", all), is_mine(Line, Me)]].

%% A socket of another scenario that is closed meanwhile makes it fail.
printed(Fun, Times) ->
    case xs:printed(fun() -> xs:attempt(Fun) end) of
        {{fails, error, _}, _} when Times > 0 -> printed(Fun, Times - 1);
        Other -> Other
    end.

is_mine(Line, Me) -> string:find(Line, Me) =/= nomatch orelse string:find(Line, "Owner") =/= nomatch.

words(Line) -> [Word || Word <- string:lexemes(Line, " "), re:run(Word, "^[0-9]+$|:[0-9]+$", [{capture, none}]) =:= nomatch].

%% --- lists ---------------------------------------------------------------------------------

listed() ->
    [
        {list_by_filter, "which_sockets/1 with each filter, of sockets of all kinds.", fun(#{api := M}) ->
            Mine = [begin {ok, S} = M:open(D, T), S end || {D, T} <- [{inet, stream}, {inet, dgram}, {inet6, stream}, {inet6, dgram}, {local, stream}, {local, dgram}, {local, seqpacket}]],
            Me = self(),
            Filters = [inet, inet6, local, stream, dgram, seqpacket, tcp, udp, sctp, Me, spawn(fun() -> ok end)],
            Funs = [fun(#{domain := D}) -> D =:= local end, fun(#{type := T}) -> T =:= dgram end, fun(#{owner := O}) -> O =:= Me end, fun(_) -> false end, fun(_) -> true end,
                fun(Info) -> is_map_key(counters, Info) end, fun(#{ctype := C}) -> C =:= normal end],
            [{F, xs:sockets(Mine, M:which_sockets(F))} || F <- Filters] ++ [xs:sockets(Mine, M:which_sockets(F)) || F <- Funs]
        end},
        {list_fun_fails, "A filter that fails or is no boolean.", fun(#{api := M}) ->
            {ok, _} = M:open(inet, stream),
            [xs:attempt(fun() -> M:which_sockets(F) end) || F <- [fun(_) -> exit(x) end, fun(_) -> error(x) end, fun(_) -> throw(x) end]]
        end},
        {list_after_close, "A closed socket is in no list, also when its owner has ended.", fun(#{api := M}) ->
            Parent = self(),
            {Pid, Ref} = spawn_monitor(fun() -> {ok, S} = M:open(inet, stream), Parent ! {socket, S}, receive stop -> ok end end),
            S = receive {socket, It} -> It end,
            Before = xs:sockets([S], M:which_sockets(Pid)),
            Pid ! stop,
            receive {'DOWN', Ref, process, Pid, _} -> ok end,
            [Before, xc:until(fun() -> not lists:member(S, M:which_sockets()) end), M:which_sockets(Pid)]
        end},
        {list_by_owner, "A list by process follows a socket to its next owner.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Owner = xs:holder(fun() -> ok end),
            Before = [lists:member(S, M:which_sockets(P)) || P <- [self(), Owner]],
            ok = M:setopt(S, {otp, controlling_process}, Owner),
            [Before, [lists:member(S, M:which_sockets(P)) || P <- [self(), Owner]]]
        end},
        {list_unlisted, "use_registry of open, of accept and of a descriptor.", fun(#{api := M} = B) ->
            [
                begin
                    {ok, L} = M:open(inet, stream, Options),
                    ok = M:bind(L, xs:loopback()),
                    ok = M:listen(L),
                    {ok, To} = M:sockname(L),
                    {ok, C} = M:open(inet, stream),
                    ok = M:connect(C, To),
                    {ok, S} = M:accept(L, 5000),
                    {Options, xs:sockets([L, C, S], M:which_sockets(self())), [M:getopt(X, {otp, use_registry}) || X <- [L, C, S]], is_map(B)}
                end
             || Options <- [#{}, #{use_registry => true}, #{use_registry => false}]
            ]
        end},
        {list_counts, "number_of/0 counts what which_sockets/0 lists.", fun(#{api := M}) ->
            {ok, _} = M:open(inet, stream),
            is_integer(M:number_of()) andalso M:number_of() > 0
        end}
    ].

%% --- owners ----------------------------------------------------------------------------------

owned() ->
    [
        {owner_chain, "A socket goes from owner to owner; the last one's end closes it.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Next = xs:holder(fun() -> ok end),
            Last = xs:holder(fun() -> ok end),
            ok = M:setopt(S, {otp, controlling_process}, Next),
            Given = xs:in(Next, fun() -> M:setopt(S, {otp, controlling_process}, Last) end),
            ok = xs:ends(Next),
            Alive = M:getopt(S, {socket, type}),
            Ref = M:monitor(S),
            ok = xs:ends(Last),
            [Given, Alive, receive {'DOWN', Ref, socket, S, Info} -> Info after 5000 -> nothing end, M:getopt(S, {socket, type})]
        end},
        {owner_itself, "A socket may be given to its own owner.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            [M:setopt(S, {otp, controlling_process}, self()), M:getopt(S, {otp, controlling_process}) =:= {ok, self()}]
        end},
        {owner_dead, "A socket that is given to a process that has ended.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Dead = xs:holder(fun() -> ok end),
            ok = xs:ends(Dead),
            [xs:attempt(fun() -> M:setopt(S, {otp, controlling_process}, Dead) end), xs:attempt(fun() -> M:getopt(S, {socket, type}) end)]
        end},
        {owner_accepts, "An accepted socket belongs to who has accepted it.", fun(#{api := M} = B) ->
            {L, To} = xs:listener(B),
            {ok, C} = M:open(inet, stream),
            ok = M:connect(C, To),
            Holder = xs:holder(fun() -> ok end),
            {ok, S} = xs:in(Holder, fun() -> M:accept(L, 5000) end),
            Owner = M:getopt(S, {otp, controlling_process}) =:= {ok, Holder},
            ok = xs:ends(Holder),
            [Owner, M:recv(C, 0, 5000), M:getopt(L, {socket, acceptconn})]
        end},
        {owner_options, "Who may set options of the level otp.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Holder = xs:holder(fun() -> ok end),
            [{O, xs:in(Holder, fun() -> xs:attempt(fun() -> M:setopt(S, {otp, O}, V) end) end), xs:attempt(fun() -> M:setopt(S, {otp, O}, V) end)}
             || {O, V} <- [{debug, false}, {iow, true}, {rcvbuf, 100}, {rcvctrlbuf, 100}, {sndctrlbuf, 100}, {meta, x}, {controlling_process, Holder}, {use_registry, true}, {fd, 1}, {domain, inet}]]
        end},
        {owner_killed, "All sockets of a process that is killed are closed, and their peers told.", fun(#{api := M} = B) ->
            Holder = xs:holder(fun() -> ok end),
            Pairs = xs:in(Holder, fun() -> [xs:pair(B) || _ <- lists:seq(1, 5)] end),
            Parent = self(),
            _ = [ok = xs:in(Holder, fun() -> M:setopt(S, {otp, controlling_process}, Parent) end) || {_, S} <- Pairs],
            true = exit(Holder, kill),
            [M:recv(S, 0, 5000) || {_, S} <- Pairs]
        end},
        {monitors_many, "Several monitors of several processes, each is told once.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Holders = [xs:holder(fun() -> ok end) || _ <- [1, 2, 3]],
            Refs = [xs:in(H, fun() -> M:monitor(S) end) || H <- Holders],
            Mine = [M:monitor(S), M:monitor(S)],
            ok = M:close(S),
            Told = [xs:in(H, fun() -> receive {'DOWN', R, socket, S, Info} -> Info after 5000 -> nothing end end) || {H, R} <- lists:zip(Holders, Refs)],
            [length(lists:usort(Refs ++ Mine)), Told, [receive {'DOWN', R, socket, S, Info} -> Info after 5000 -> nothing end || R <- Mine]]
        end},
        {monitor_watcher_ends, "Monitors of a process that has ended are gone.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Holder = xs:holder(fun() -> ok end),
            Ref = xs:in(Holder, fun() -> M:monitor(S) end),
            ok = xs:ends(Holder),
            [is_reference(Ref), xs:attempt(fun() -> M:cancel_monitor(Ref) end), M:close(S)]
        end}
    ].
