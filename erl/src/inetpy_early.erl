%% What a caller may answer itself.
%%
%% `gen_tcp:send/2` of a few bytes on an open connection, and `inet:setopts(S, [{active, once}])`, cannot fail in a way
%% that their caller could tell. So a caller that does so all the time need not wait for Python: the caller writes the
%% request, and goes on with `ok`. What fails then is told to the next call, or to the owner.
%%
%% Python says on which sockets that is possible at the moment, and the bridge keeps it in a table. The bridge writes into
%% the table before it passes on what comes behind: an owner that has had `{tcp_closed, S}` finds nothing there.
-module(inetpy_early).

-export([new/0, delete/0, set/3, set/4, closed/2]).
-export([may_send/4, may_ask_once/2, send/4, sendto/5, ask_once/2]).

-export_type([table/0]).

-type table() :: ets:table().

%% What Python says of a socket: see `sockets.early` in Python.
-define(SENDS, 2).
-define(ONCE, 4).

%% Bytes of data. With larger ones waiting costs little beside the work.
-define(LARGEST, (1 bsl 13)).
%% So many requests of a socket go without an answer, then one waits. No caller is further ahead of Python than that.
-define(AHEAD, 32).

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

%% From now on this is what callers of a socket may do.
-spec set(table(), non_neg_integer(), non_neg_integer()) -> ok.
set(Table, Id, Mode) when Mode < ?SENDS ->
    closed(Table, Id);
set(Table, Id, Mode) ->
    _ = ets:update_element(Table, Id, {2, Mode}) orelse insert(Table, Id, Mode, peer),
    ok.

%% The same, for datagrams to one destination.
-spec set(table(), non_neg_integer(), non_neg_integer(), Destination :: term()) -> ok.
set(Table, Id, Mode, Destination) ->
    _ = ets:update_element(Table, Id, [{2, Mode}, {3, Destination}]) orelse insert(Table, Id, Mode, Destination),
    ok.

insert(Table, Id, Mode, Destination) ->
    ets:insert(Table, {Id, Mode, Destination, atomics:new(1, [{signed, false}])}).

-spec closed(table(), non_neg_integer()) -> ok.
closed(Table, Id) ->
    true = ets:delete(Table, Id),
    ok.

%% --- for callers -----------------------------------------------------------

%% Whether a send of so many bytes needs no answer: to the peer of a connection, or to a destination.
-spec may_send(pid(), non_neg_integer(), non_neg_integer(), peer | term()) -> boolean().
may_send(Bridge, Id, Size, Destination) when Size =< ?LARGEST ->
    case row(Bridge, Id) of
        [{_, Mode, Destination, Ahead}] when Mode band ?SENDS =/= 0 -> goes_ahead(Ahead);
        _ -> false
    end;
may_send(_, _, _, _) ->
    false.

%% Whether `{active, once}` needs no answer.
-spec may_ask_once(pid(), non_neg_integer()) -> boolean().
may_ask_once(Bridge, Id) ->
    case row(Bridge, Id) of
        [{_, Mode, _, Ahead}] when Mode band ?ONCE =/= 0 -> goes_ahead(Ahead);
        _ -> false
    end.

goes_ahead(Ahead) -> atomics:add_get(Ahead, 1, 1) rem ?AHEAD =/= 0.

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
