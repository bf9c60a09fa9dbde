%% Bytes of sockets of inetpy_socket that Python has sent together with a select message, and that nobody has asked
%% for yet.
%%
%% In Python the bytes are still in the socket. The process that was told takes them with its next recv of that
%% length, and the next request for recv tells Python. Python asks for them back when something else happens to the
%% socket. Of the two, one gets them: `ets:take/2`. The Python module `ahead` says why.
%%
%% Each bridge has a table, which ends with it.
-module(inetpy_ahead).

-export([new/0, keep/4, take/3, give_up/3, forget/2]).

-spec new() -> ets:table().
new() -> ets:new(?MODULE, [public]).

%% Data for a process, of a socket. Number tells Python which they are.
-spec keep(ets:table(), pos_integer(), pos_integer(), {pid(), binary()}) -> ok.
keep(Table, Id, Number, {Pid, Data}) ->
    true = ets:insert(Table, {Id, Number, Pid, Data}),
    ok.

%% So many bytes of a socket for the calling process. The table is gone when the bridge is.
-spec take(ets:table(), integer(), pos_integer()) -> {pos_integer(), binary()} | none.
take(Table, Id, Length) ->
    try ets:lookup(Table, Id) of
        [{_, _, Pid, Data}] when Pid =:= self(), byte_size(Data) =:= Length -> taken(ets:take(Table, Id));
        _ -> none
    catch
        error:badarg -> none
    end.

taken([{_, Number, _, Data}]) -> {Number, Data};
taken([]) -> none.

%% Python wants them back. False when they have been taken.
-spec give_up(ets:table(), pos_integer(), pos_integer()) -> boolean().
give_up(Table, Id, Number) ->
    ets:select_delete(Table, [{{Id, Number, '_', '_'}, [], [true]}]) =:= 1.

%% The socket is closed.
-spec forget(ets:table(), pos_integer()) -> ok.
forget(Table, Id) ->
    true = ets:delete(Table, Id),
    ok.
