%% A program each of whose calls fails once, by Python's each_call and by that of Erlang: see tests/network/each_call.py.
-module(each_call_clients).
-export([equal/0]).

%% The same calls fail in the same order, and the program answers the same.
equal() ->
    _ = [equal(Program) || Program <- [fun program/0, fun plain_program/0]],
    ok.

equal(Program) ->
    Ours = inetpy_fault:each_call(econnreset, Program),
    {ok, Control} = gen_tcp:connect("runs.test", 1, [binary, {active, false}, {packet, line}]),
    Theirs = runs(Control, Program),
    Ours = Theirs,
    [resolve, connect, send, recv] = [Call || {Call, _} <- Ours],
    {ok, <<"hello">>} = Program().

%% Python says when a run begins, and which call has failed in it.
runs(Control, Program) ->
    case asked(Control, "begin") of
        <<"run\n">> ->
            Result = Program(),
            case asked(Control, "end") of
                <<"none\n">> -> runs(Control, Program);
                Call -> [{binary_to_atom(string:trim(Call)), Result} | runs(Control, Program)]
            end;
        <<"over\n">> ->
            []
    end.

asked(Control, Word) ->
    ok = gen_tcp:send(Control, [Word, "\n"]),
    {ok, Line} = gen_tcp:recv(Control, 0),
    Line.

%% The same with a socket of inetpy_socket.
plain_program() ->
    case inetpy_inet:getaddr("echo.test", inet) of
        {ok, Address} ->
            {ok, S} = inetpy_socket:open(inet, stream),
            Result = plain_calls(S, #{family => inet, addr => Address, port => 1}),
            ok = inetpy_socket:close(S),
            Result;
        Error ->
            {resolve, Error}
    end.

plain_calls(S, Address) ->
    case inetpy_socket:connect(S, Address) of
        ok ->
            case inetpy_socket:send(S, "hello") of
                ok -> inetpy_socket:recv(S, 5);
                Error -> {send, Error}
            end;
        Error ->
            {connect, Error}
    end.

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
