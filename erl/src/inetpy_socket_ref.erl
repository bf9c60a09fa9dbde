%% The reference in `{'$socket', Ref}`, and what it leads to: the bridge of the socket, and its number there.
%%
%% `Ref` is a reference of `atomics`, and its fields have the number. So no table must be kept of sockets: the fields
%% go when nobody has the reference any more. A reference that somebody made up is a badarg, as in OTP, where the
%% reference is a resource of the emulator. After the socket is closed its fields say so.
-module(inetpy_socket_ref).

%% For dialyzer the references of `atomics` are opaque. Users see them, in the names of sockets.
-dialyzer(no_opaque).

-export([new/0, open/4, close/1, where/1, take/2, taken/1, is_ours/1]).

%% The first four fields are the counters of inetpy_early. Then: the number of the socket, 0 before it is open, and
%% negative after it is closed; the number of its bridge; the life of that bridge. Sockets of a former life are closed.
%% The last is what taken/1 answers.
-define(ID, 5).
-define(BRIDGE, 6).
-define(LIFE, 7).
-define(TAKEN, 8).

-spec new() -> term().
new() -> atomics:new(8, []).

%% Called by the bridge, before anybody hears of the socket. The process that opens it may have ended by now, and
%% the reference with it: then the answer is false.
-spec open(term(), pos_integer(), pos_integer(), integer()) -> boolean().
open(Ref, Id, Bridge, Life) ->
    try
        ok = atomics:put(Ref, ?BRIDGE, Bridge),
        ok = atomics:put(Ref, ?LIFE, Life),
        ok = atomics:put(Ref, ?ID, Id),
        true
    catch
        error:badarg -> false
    end.

-spec close(term()) -> ok.
close(Ref) ->
    try
        atomics:put(Ref, ?ID, -abs(atomics:get(Ref, ?ID)))
    catch
        error:badarg -> ok
    end.

%% The number is negative when the socket is closed. Fails with badarg when the reference is of no socket.
-spec where(term()) -> {pid(), inetpy_bridge:out(), integer()} | gone.
where(Ref) ->
    Id = atomics:get(Ref, ?ID),
    case inetpy_bridge:of_life(atomics:get(Ref, ?BRIDGE), atomics:get(Ref, ?LIFE)) of
        {Bridge, Out} -> {Bridge, Out, Id};
        gone -> gone
    end.

%% So many bytes that have come ahead of a recv of the calling process: see inetpy_ahead.
-spec take(term(), pos_integer()) -> binary() | none.
take(Ref, Length) ->
    Id = atomics:get(Ref, ?ID),
    case inetpy_bridge:ahead(atomics:get(Ref, ?BRIDGE), atomics:get(Ref, ?LIFE)) of
        gone ->
            none;
        Table ->
            case inetpy_ahead:take(Table, Id, Length) of
                {Number, Data} ->
                    ok = atomics:put(Ref, ?TAKEN, Number),
                    ok = inetpy_early:waits(Ref, -1),
                    Data;
                none ->
                    none
            end
    end.

%% The number of such bytes, for Python, which has not been told that they are taken. 0 when there are none.
-spec taken(term()) -> non_neg_integer().
taken(Ref) ->
    case atomics:get(Ref, ?TAKEN) of
        0 -> 0;
        _ -> atomics:exchange(Ref, ?TAKEN, 0)
    end.

%% Whether a reference is of a socket of Python, and not of one that OTP has opened.
-spec is_ours(term()) -> boolean().
is_ours(Ref) ->
    try atomics:get(Ref, ?ID) of
        _ -> true
    catch
        error:badarg -> false
    end.
