%% A program each of whose calls fails once, by Python's each_call and by that of Erlang: see tests/network/each_call.py.
-module(each_call_clients).
-export([equal/0]).

%% The same calls fail in the same order, and the program answers the same.
equal() ->
    Ours = inetpy_fault:each_call(econnreset, fun program/0),
    {ok, Control} = gen_tcp:connect("runs.test", 1, [binary, {active, false}, {packet, line}]),
    Theirs = runs(Control),
    Ours = Theirs,
    [resolve, connect, send, recv] = [Call || {Call, _} <- Ours],
    {ok, <<"hello">>} = program(),
    ok.

%% Python says when a run begins, and which call has failed in it.
runs(Control) ->
    case asked(Control, "begin") of
        <<"run\n">> ->
            Result = program(),
            case asked(Control, "end") of
                <<"none\n">> -> runs(Control);
                Call -> [{binary_to_atom(string:trim(Call)), Result} | runs(Control)]
            end;
        <<"over\n">> ->
            []
    end.

asked(Control, Word) ->
    ok = gen_tcp:send(Control, [Word, "\n"]),
    {ok, Line} = gen_tcp:recv(Control, 0),
    Line.

program() ->
    case gen_tcp:connect("echo.test", 1, [binary, {active, false}, {nodelay, true}]) of
        {ok, S} ->
            Result =
                case gen_tcp:send(S, "hello") of
                    ok -> {recv, gen_tcp:recv(S, 5)};
                    Error -> {send, Error}
                end,
            ok = gen_tcp:close(S),
            case Result of
                {recv, {ok, _} = Data} -> Data;
                _ -> Result
            end;
        Error ->
            {connect, Error}
    end.
