%% The smallest client of Redis: what a test of a network has to test.
-module(miniredis).

-export([get/3]).

-spec get(inet:hostname(), inet:port_number(), binary()) -> {ok, binary()} | {error, term()}.
get(Host, Port, Key) ->
    case gen_tcp:connect(Host, Port, [binary, {active, false}, {packet, line}]) of
        {ok, Socket} ->
            Answer = ask(Socket, ["GET ", Key, "\r\n"]),
            ok = gen_tcp:close(Socket),
            Answer;
        {error, _} = Error ->
            Error
    end.

ask(Socket, Request) ->
    case gen_tcp:send(Socket, Request) of
        ok -> value(Socket);
        {error, _} = Error -> Error
    end.

value(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, <<"$", Line/binary>>} -> bytes(Socket, binary_to_integer(string:trim(Line)));
        {error, _} = Error -> Error
    end.

bytes(Socket, Size) ->
    ok = inet:setopts(Socket, [{packet, raw}]),
    case gen_tcp:recv(Socket, Size + 2) of
        {ok, <<Value:Size/binary, "\r\n">>} -> {ok, Value};
        {error, _} = Error -> Error
    end.
