%% A client library as programs have them: it fetches values from a store, and tries again when a connection breaks.
%% It has a bug, which no test on a good network finds.
-module(store_client).
-export([fetch/1, main/0]).

-define(HOST, "store.example").
-define(PORT, 6379).
-define(TRIES, 3).

%% The request is `get KEY\r\n`, and the answer `$LENGTH\r\nVALUE\r\n`.
-spec fetch(binary()) -> {ok, binary()} | {error, term()}.
fetch(Key) -> fetch(Key, <<>>, ?TRIES).

fetch(_, _, 0) ->
    {error, closed};
fetch(Key, Buffer, Tries) ->
    {ok, Socket} = gen_tcp:connect(?HOST, ?PORT, [binary, {active, false}]),
    ok = gen_tcp:send(Socket, ["get ", Key, "\r\n"]),
    case read(Socket, Buffer) of
        {ok, Value} -> ok = gen_tcp:close(Socket), {ok, Value};
        %% The bug: the new connection begins with a whole answer, but the buffer still has a part of the old one.
        {broken, Read} -> fetch(Key, Read, Tries - 1)
    end.

read(Socket, Buffer) ->
    case value(Buffer) of
        {ok, Value} ->
            {ok, Value};
        more ->
            case gen_tcp:recv(Socket, 0) of
                {ok, Data} -> read(Socket, <<Buffer/binary, Data/binary>>);
                {error, _} -> {broken, Buffer}
            end
    end.

value(Buffer) ->
    case binary:split(Buffer, <<"\r\n">>) of
        [<<"$", Length/binary>>, Rest] ->
            case binary_to_integer(Length) of
                Size when byte_size(Rest) >= Size + 2 -> {ok, binary:part(Rest, 0, Size)};
                _ -> more
            end;
        [_] ->
            more
    end.

%% --- the test ----------------------------------------------------------------

%% Fetches 20 values, whose right contents are known, and prints a line for each.
-spec main() -> no_return().
main() ->
    lists:foreach(
        fun(N) ->
            Key = integer_to_binary(N),
            Right = binary:copy(<<"value ", Key/binary, " ">>, 500),
            io:format("~s ~s~n", [Key, verdict(fetch(Key), Right)])
        end,
        lists:seq(1, 20)
    ),
    halt(0).

verdict({ok, Right}, Right) -> "right";
verdict({ok, Value}, Right) -> ["wrong ", integer_to_list(binary:longest_common_prefix([Value, Right]))];
verdict({error, Reason}, _) -> io_lib:format("failed ~p", [Reason]).
