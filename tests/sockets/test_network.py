"""Faults and traces of plain sockets, as a program of Erlang asks for them."""

from __future__ import annotations

from evaluated import evaluated

PAIR = """
    ok = inetpy:start(),
    {ok, L} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:bind(L, #{family => inet, addr => loopback, port => 0}),
    ok = inetpy_socket:listen(L),
    {ok, #{port := Port} = To} = inetpy_socket:sockname(L),
    Connect = fun() ->
        {ok, S} = inetpy_socket:open(inet, stream),
        case inetpy_socket:connect(S, To, 5000) of
            ok -> {ok, A} = inetpy_socket:accept(L), {S, A};
            Error -> Error
        end
    end,
    Show = fun(Term) -> io:format("~0p~n", [Term]) end,
"""


def test_whom() -> None:
    """Rules by owner, label and role, for sockets that are opened while they hold, and for open ones."""
    lines = evaluated(
        PAIR
        + """
        Label = "127.0.0.1:" ++ integer_to_list(Port),
        {C, A} = Connect(),
        ok = inetpy_socket:send(A, "abc"),
        Short = [{short_read, #{size => 1}}],
        Show(inetpy_fault:with(#{label => Label}, Short, fun() -> inetpy_socket:recv(C, 0) end)),
        Show(inetpy_fault:with(#{role => accepted}, Short, fun() -> inetpy_socket:recv(C, 0) end)),
        Self = self(),
        Worker = spawn(fun() ->
            receive go -> spawn(fun() -> Self ! {child, Connect()} end), Self ! {own, Connect()} end
        end),
        inetpy_fault:with(#{owner => Worker}, [refuse], fun() ->
            Worker ! go,
            receive {own, Own} -> Show(Own) end,
            receive {child, Child} -> Show(Child) end,
            Show(element(1, element(1, Connect())))
        end),
        {ok, Rule} = inetpy_fault:add(#{owner => named}, {short_read, #{size => 1}}),
        Named = spawn(fun() -> register(named, self()), Self ! here, receive never -> ok end end),
        receive here -> ok end,
        ok = inetpy_socket:setopt(C, {otp, controlling_process}, Named),
        ok = inetpy_socket:send(A, "def"),
        Show([inetpy_socket:recv(C, 0), inetpy_socket:recv(C, 0), inetpy_fault:fired(Rule)])
        """
    )
    assert lines[-6] == '{ok,<<"a">>}'
    assert lines[-5] == '{ok,<<"bc">>}'
    assert lines[-4:-2] == ["{error,econnrefused}", "{error,econnrefused}"], lines
    assert lines[-2:] == ["'$socket'", '[{ok,<<"d">>},{ok,<<"e">>},2]']


def test_rules_come_and_go_while_somebody_waits() -> None:
    """What a rule holds back comes when it goes, to the process that waits."""
    lines = evaluated(
        PAIR
        + """
        {C, A} = Connect(),
        Self = self(),
        Waiter = spawn(fun() -> Self ! {got, inetpy_socket:recv(C, 5)} end),
        Until = fun Until() ->
            case inetpy_socket:info(C) of #{num_readers := 1} -> ok; _ -> timer:sleep(5), Until() end
        end,
        ok = Until(),
        {ok, Rule} = inetpy_fault:add(#{port => Port}, {latency, #{ms => 600000}}),
        ok = inetpy_socket:send(A, "hello"),
        receive {got, Early} -> Show(Early) after 200 -> Show(nothing) end,
        ok = inetpy_fault:remove(Rule),
        receive {got, Late} -> Show(Late) end,
        Show(is_pid(Waiter))
        """
    )
    assert lines[-3:] == ["nothing", '{ok,<<"hello">>}', "true"]


def test_a_trace_in_erlang() -> None:
    """Calls by the names of `socket`, bytes, and sockets that are open."""
    lines = evaluated(
        PAIR
        + """
        {ok, Trace} = inetpy_trace:start(#{match => #{port => Port}}),
        {C, A} = Connect(),
        ok = inetpy_socket:send(C, <<"users">>),
        {ok, <<"users">>} = inetpy_socket:recv(A, 5),
        Show(inetpy_trace:sent(Trace, #{to => "127.0.0.1", contains => <<"users">>})),
        Sends = inetpy_trace:calls(Trace, send),
        [#{op := send, answer := Answer, peer := {Host, Port}, owner := Owner}] = Sends,
        Show({Answer, Host, Owner =:= self()}),
        Show([{Kind, By} || #{kind := Kind, opened_by := By} <- inetpy_trace:leaks(Trace)]),
        ok = inetpy_socket:close(C),
        Show(inetpy_trace:leaks(Trace)),
        ok = inetpy_trace:stop(Trace)
        """
    )
    assert lines[-4:] == ["true", '{ok,<<"127.0.0.1">>,true}', "[{stream,open}]", "[]"]
