%% What a caller may answer itself.
%%
%% `gen_tcp:send/2` of a few bytes on an open connection, `inet:setopts(S, [{active, once}])`, `gen_tcp:close(S)` of a
%% passive one with nothing to send, and `socket:close(S)` of one that nobody waits for cannot fail in a way that their
%% caller could tell. The same goes for `socket:connect/1` right behind the message that the connection is there. So a
%% caller that does so all the time need not wait for Python: the caller writes the request, and goes on with `ok`. What
%% fails then is told to the next call, or to the owner.
%%
%% Python says on which sockets that is possible at the moment, and the bridge keeps it in a table. The bridge writes into
%% the table before it passes on what comes behind: an owner that has had `{tcp_closed, S}` finds that callers wait.
%%
%% A socket that a caller has closed in this way is marked, until Python says that it is gone: for the listings, for
%% monitors, and for the end of Python it is closed already.
-module(inetpy_early).

-export([new/0, delete/0, opened/3, set/3, set/4, closed/2, closing/1, await_close/2, waits/2, waits/3]).
-export([may_send/3, may_send/4, may_ask_once/2, closes/2, may_connect/2, is_behind/1]).
-export([send/4, sendto/5, ask_once/2, close/3, connected/2]).

-export_type([table/0]).

-type table() :: ets:table().

%% What Python says of a socket: see `sockets.early` in Python.
-define(SENDS, 2).
-define(ONCE, 4).
-define(CLOSES, 8).
-define(CONNECTS, 16).

%% Bytes of data. With larger ones waiting costs little beside the work.
-define(LARGEST, (1 bsl 13)).
%% The same for sockets of inetpy_socket. ?AHEAD of them must find room in the system: see `sockets.plain.held` in Python.
-define(SMALL, (1 bsl 9)).
%% So many requests of a socket go without an answer, then one waits. No caller is further ahead of Python than that.
-define(AHEAD, 32).

%% The counters of a socket: requests without an answer; its close; those that wait for a message of inetpy_socket; the
%% number of the last connect/1 without an answer.
%% A socket of inetpy_socket has them in its reference, and so from its beginning on: see inetpy_socket_ref.
-define(REQUESTS, 1).
-define(CLOSE, 2).
-define(WAITING, 3).
-define(CONNECTED, 4).
%% Who closes it: nobody yet; a caller has, without an answer; or callers of close wait.
-define(NOBODY, 0).
-define(CALLER, 1).
-define(WAITS, 2).

%% --- for the bridge --------------------------------------------------------

%% The table of the calling process, which ends with it.
-spec new() -> table().
new() ->
    Table = ets:new(?MODULE, [{read_concurrency, true}]),
    ok = persistent_term:put({?MODULE, self()}, Table),
    Table.

-spec delete() -> ok.
delete() ->
    _ = persistent_term:erase({?MODULE, self()}),
    ok.

%% A socket that has counters of its own. Nothing changes when it is there already.
-spec opened(table(), pos_integer(), atomics:atomics_ref()) -> ok.
opened(Table, Id, Counters) ->
    _ = ets:insert_new(Table, {Id, 0, peer, Counters, nobody}),
    ok.

%% From now on this is what callers of a socket may do.
-spec set(table(), non_neg_integer(), non_neg_integer()) -> ok.
set(Table, Id, Mode) ->
    _ = ets:update_element(Table, Id, {2, Mode}) orelse Mode < ?SENDS orelse insert(Table, Id, Mode, peer),
    ok.

%% The same, for datagrams to one destination; or for one `socket:connect/1` of a process, with a number that tells it from
%% others of this socket.
-spec set(table(), non_neg_integer(), non_neg_integer(), Destination :: term()) -> ok.
set(Table, Id, Mode, {Pid, Number} = Connects) when is_pid(Pid), is_integer(Number) ->
    _ = ets:update_element(Table, Id, [{2, Mode}, {5, Connects}]),
    ok;
set(Table, Id, Mode, Destination) ->
    _ = ets:update_element(Table, Id, [{2, Mode}, {3, Destination}]) orelse insert(Table, Id, Mode, Destination),
    ok.

insert(Table, Id, Mode, Destination) ->
    ets:insert(Table, {Id, Mode, Destination, atomics:new(4, []), nobody}).

-spec closed(table(), non_neg_integer()) -> ok.
closed(Table, Id) ->
    true = ets:delete(Table, Id),
    ok.

%% The sockets that callers have closed, and that Python has not.
-spec closing(table()) -> [non_neg_integer()].
closing(Table) ->
    [Id || {Id, Counters} <- ets:select(Table, [{{'$1', '_', '_', '$2', '_'}, [], [{{'$1', '$2'}}]}]), is_closing(Counters)].

is_closing(Counters) -> atomics:get(Counters, ?CLOSE) =:= ?CALLER.

%% Callers of close wait from now on. False when one has closed the socket before.
-spec await_close(table(), non_neg_integer()) -> boolean().
await_close(Table, Id) ->
    case ets:lookup(Table, Id) of
        [{_, _, _, Counters, _}] -> atomics:compare_exchange(Counters, ?CLOSE, ?NOBODY, ?WAITS) =/= ?CALLER;
        [] -> true
    end.

%% So many processes more wait for a message of a socket: the bridge counts them before they hear so. The counters may be
%% gone, with all processes that knew the socket.
-spec waits(atomics:atomics_ref(), integer()) -> ok.
waits(Counters, More) ->
    try atomics:add(Counters, ?WAITING, More)
    catch error:badarg -> ok
    end.

%% The same by the number of the socket.
-spec waits(table(), pos_integer(), integer()) -> ok.
waits(Table, Id, More) ->
    case ets:lookup(Table, Id) of
        [{_, _, _, Counters, _}] -> waits(Counters, More);
        [] -> ok
    end.

%% --- for callers -----------------------------------------------------------

%% Whether a send of so many bytes needs no answer: to the peer of a connection, or to a destination.
-spec may_send(pid(), non_neg_integer(), non_neg_integer(), peer | term()) -> boolean().
may_send(Bridge, Id, Size, Destination) when Size =< ?LARGEST ->
    case row(Bridge, Id) of
        [{_, Mode, Destination, Ahead, _}] when Mode band ?SENDS =/= 0 -> goes_ahead(Ahead);
        _ -> false
    end;
may_send(_, _, _, _) ->
    false.

%% The same for a stream of inetpy_socket.
-spec may_send(pid(), integer(), non_neg_integer()) -> boolean().
may_send(Bridge, Id, Size) -> Size =< ?SMALL andalso may_send(Bridge, Id, Size, peer).

%% Whether `{active, once}` needs no answer.
-spec may_ask_once(pid(), non_neg_integer()) -> boolean().
may_ask_once(Bridge, Id) ->
    case row(Bridge, Id) of
        [{_, Mode, _, Ahead, _}] when Mode band ?ONCE =/= 0 -> goes_ahead(Ahead);
        _ -> false
    end.

%% Who closes the socket: the caller, and needs no answer; another caller has done so; or Python, and callers wait.
-spec closes(pid(), integer()) -> caller | other | python.
closes(Bridge, Id) ->
    case row(Bridge, Id) of
        [{_, Mode, _, Counters, _}] -> closes(Counters, Mode, atomics:get(Counters, ?WAITING));
        [] -> python
    end.

closes(Counters, ?CLOSES, 0) ->
    case atomics:compare_exchange(Counters, ?CLOSE, ?NOBODY, ?CALLER) of
        ok -> caller;
        ?CALLER -> other;
        ?WAITS -> python
    end;
closes(Counters, _, _) ->
    case atomics:compare_exchange(Counters, ?CLOSE, ?NOBODY, ?WAITS) of
        ?CALLER -> other;
        _ -> python
    end.

%% Whether `socket:connect/1` of the calling process needs no answer: the connection is there. Once.
-spec may_connect(pid(), integer()) -> boolean().
may_connect(Bridge, Id) ->
    case row(Bridge, Id) of
        [{_, Mode, _, Counters, {Pid, Number}}] when Mode band ?CONNECTS =/= 0, Pid =:= self() ->
            atomics:exchange(Counters, ?CONNECTED, Number) =/= Number;
        _ ->
            false
    end.

%% Whether Python has still to close what callers have closed.
-spec is_behind(pid()) -> boolean().
is_behind(Bridge) ->
    case persistent_term:get({?MODULE, Bridge}, none) of
        none -> false;
        Table ->
            try closing(Table) =/= []
            catch error:badarg -> false
            end
    end.

goes_ahead(Counters) -> atomics:add_get(Counters, ?REQUESTS, 1) rem ?AHEAD =/= 0.

row(Bridge, Id) ->
    case persistent_term:get({?MODULE, Bridge}, none) of
        none -> [];
        Table -> look(Table, Id)
    end.

%% The bridge, and its table, may have ended.
look(Table, Id) ->
    try ets:lookup(Table, Id)
    catch error:badarg -> []
    end.

%% The request `{early, Id, Data}`. Fails as inetpy_link:write/2.
-spec send(inetpy_link:out(), non_neg_integer(), non_neg_integer(), iodata()) -> true.
send(Out, Id, Size, Data) -> inetpy_link:write(Out, [<<131, 104, 3, 119, 5, "early", 98, Id:32, 109, Size:32>> | Data]).

%% The request `{early, Id, {Destination, Data}}`. The same.
-spec sendto(inetpy_link:out(), non_neg_integer(), non_neg_integer(), term(), iodata()) -> true.
sendto(Out, Id, Size, Destination, Data) ->
    <<131, To/binary>> = term_to_binary(Destination),
    Head = [<<131, 104, 3, 119, 5, "early", 98, Id:32, 104, 2>>, To, <<109, Size:32>>],
    inetpy_link:write(Out, [Head, Data]).

%% The request `{early, Id, once}`. The same.
-spec ask_once(inetpy_link:out(), non_neg_integer()) -> true.
ask_once(Out, Id) -> inetpy_link:write(Out, <<131, 104, 3, 119, 5, "early", 98, Id:32, 119, 4, "once">>).

%% The request `{early, Id, close}`, or `{early, Id, {close, Taken}}`: see inetpy_socket_ref:taken/1. The same.
-spec close(inetpy_link:out(), non_neg_integer(), Taken :: non_neg_integer()) -> true.
close(Out, Id, 0) ->
    inetpy_link:write(Out, <<131, 104, 3, 119, 5, "early", 98, Id:32, 119, 5, "close">>);
close(Out, Id, Taken) ->
    inetpy_link:write(Out, <<131, 104, 3, 119, 5, "early", 98, Id:32, 104, 2, 119, 5, "close", 98, Taken:32>>).

%% The request `{early, Id, connected}`. The same.
-spec connected(inetpy_link:out(), non_neg_integer()) -> true.
connected(Out, Id) -> inetpy_link:write(Out, <<131, 104, 3, 119, 5, "early", 98, Id:32, 119, 9, "connected">>).
