%% gen_tcp:recv/2,3 and unrecv/2 in raw mode.
-module(xc_recv).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {all, "A length of 0 takes what is there.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "what is there"),
            gen_tcp:recv(S, 0)
        end},
        {list, "In list mode data is a list.", fun(B) ->
            {S, P} = xc:pair(B, [list]),
            ok = gen_tcp:send(P, <<1, 2, 200, 255>>),
            gen_tcp:recv(S, 0)
        end},
        {long_list, "A list longer than 65535.", fun(B) ->
            {S, P} = xc:pair(B, [list]),
            Size = 100000,
            _ = xc:spawn_call(fun() -> gen_tcp:send(P, xc:fill(Size)) end),
            {ok, Data} = gen_tcp:recv(S, Size, 5000),
            {length(Data), list_to_binary(Data) =:= xc:fill(Size)}
        end},
        {exact, "A length takes so many bytes.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "abcdefgh"),
            [gen_tcp:recv(S, 3), gen_tcp:recv(S, 3), gen_tcp:recv(S, 2), gen_tcp:recv(S, 1, 0)]
        end},
        {exact_later, "Waits until so many bytes are there.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "abc"),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 6, 5000) end),
            timer:sleep(20),
            ok = gen_tcp:send(P, "def"),
            xc:await(Call)
        end},
        {default_buffer, "A length of 0 takes a buffer full at most.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, xc:fill(60000)),
            Call = fun() -> {ok, D} = gen_tcp:recv(S, 0, 5000), byte_size(D) end,
            [Call(), Call(), Call()]
        end},
        {given_buffer, "The option buffer is the size of a read.", fun(B) ->
            {S, P} = xc:pair(B, [{buffer, 100}]),
            ok = gen_tcp:send(P, xc:fill(250)),
            Call = fun() -> {ok, D} = gen_tcp:recv(S, 0, 5000), byte_size(D) end,
            [Call(), Call(), Call()]
        end},
        {large_exact, "A length larger than the buffer.", fun(B) ->
            {S, P} = xc:pair(B, [{buffer, 100}]),
            Size = 3000000,
            _ = xc:spawn_call(fun() -> gen_tcp:send(P, xc:fill(Size)) end),
            {ok, Data} = gen_tcp:recv(S, Size, 10000),
            Data =:= xc:fill(Size)
        end},
        {too_large, "A length over 64 MB.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {gen_tcp:recv(S, 67108865, 0), gen_tcp:recv(S, 0, 0)}
        end},
        {negative_length, "A negative length.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:recv(S, -1) end)
        end},
        {bad_length, "A length that is none.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:recv(S, many) end)
        end},
        {bad_timeout, "A timeout that is none.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:recv(S, 0, soon) end)
        end},
        {timeout, "The timeout.", fun(B) ->
            {S, _} = xc:pair(B, []),
            [gen_tcp:recv(S, 0, 20), gen_tcp:recv(S, 5, 20)]
        end},
        {timeout_zero, "A timeout of 0 takes what is there and does not wait.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Nothing = gen_tcp:recv(S, 0, 0),
            ok = gen_tcp:send(P, "now"),
            {Nothing, gen_tcp:recv(S, 0, 0), gen_tcp:recv(S, 0, 0)}
        end},
        {timeout_keeps_data, "A timeout keeps the bytes for a later recv.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "ab"),
            Timeout = gen_tcp:recv(S, 10, 30),
            {Timeout, gen_tcp:recv(S, 0, 1000)}
        end},
        {timeout_then_more, "And joins them with what comes later.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "ab"),
            Timeout = gen_tcp:recv(S, 4, 30),
            ok = gen_tcp:send(P, "cdef"),
            [Timeout, gen_tcp:recv(S, 4, 1000), gen_tcp:recv(S, 0, 1000)]
        end},
        {timeout_zero_then_all, "After a timeout of 0 the length is still wanted.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "ab"),
            Timeout = gen_tcp:recv(S, 4, 0),
            Again = gen_tcp:recv(S, 0, 30),
            [Timeout, Again, gen_tcp:recv(S, 0, 30)]
        end},
        {timeout_zero_then_less, "After a timeout of 0 a shorter length.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "abc"),
            [gen_tcp:recv(S, 4, 0), gen_tcp:recv(S, 2, 30), gen_tcp:recv(S, 0, 30)]
        end},
        {timeout_then_buffer, "A buffer keeps the size it was made with.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Timeout = gen_tcp:recv(S, 10, 20),
            ok = gen_tcp:send(P, xc:fill(30)),
            [Timeout | [gen_tcp:recv(S, 0, 1000) || _ <- [1, 2]]]
        end},
        {second_recv, "A second process in recv.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 5000) end),
            true = xc:until(fun() -> gen_tcp:recv(S, 0, 0) =:= {error, ealready} end),
            Second = gen_tcp:recv(S, 0, 100),
            ok = gen_tcp:send(P, "for the first"),
            {Second, xc:await(Call), gen_tcp:recv(S, 0, 0)}
        end},
        {receiver_dies, "The process in recv dies.", fun(B) ->
            {S, P} = xc:pair(B, []),
            {Pid, Ref} = xc:spawn_call(fun() -> gen_tcp:recv(S, 0) end),
            true = xc:until(fun() -> gen_tcp:recv(S, 0, 0) =:= {error, ealready} end),
            exit(Pid, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            Second = gen_tcp:recv(S, 0, 50),
            ok = gen_tcp:send(P, "lost"),
            timer:sleep(50),
            {Second, gen_tcp:recv(S, 0, 50)}
        end},
        {closed_by_peer, "The peer has closed: closed, then enotconn.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "last words"),
            ok = gen_tcp:close(P),
            [gen_tcp:recv(S, 0) || _ <- lists:seq(1, 4)]
        end},
        {closed_by_peer_waiting, "The peer closes while a process waits.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 5000) end),
            timer:sleep(20),
            ok = gen_tcp:close(P),
            {xc:await(Call), gen_tcp:recv(S, 0, 100)}
        end},
        {incomplete_at_eof, "Fewer bytes than wanted, then the end: they are lost.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "ab"),
            ok = gen_tcp:close(P),
            [gen_tcp:recv(S, 10), gen_tcp:recv(S, 0)]
        end},
        {no_exit_on_close, "Without exit_on_close: closed, every time.", fun(B) ->
            {S, P} = xc:pair(B, [{exit_on_close, false}]),
            ok = gen_tcp:shutdown(P, write),
            Recv = [gen_tcp:recv(S, 0) || _ <- [1, 2, 3]],
            {Recv, gen_tcp:send(S, "reply"), gen_tcp:recv(P, 5, 5000)}
        end},
        {exit_on_close, "With exit_on_close the other direction is closed too.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:shutdown(P, write),
            Recv = gen_tcp:recv(S, 0),
            {Recv, gen_tcp:recv(P, 0, 5000), gen_tcp:send(S, "x"), gen_tcp:send(S, "x")}
        end},
        {reset, "A reset is a close.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = xc:reset(P),
            [gen_tcp:recv(S, 0, 5000) || _ <- [1, 2, 3]]
        end},
        {reset_shown, "With show_econnreset it is an error.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            ok = xc:reset(P),
            [gen_tcp:recv(S, 0, 5000) || _ <- [1, 2, 3]]
        end},
        {reset_waiting, "A reset while a process waits.", fun(B) ->
            {S, P} = xc:pair(B, [{show_econnreset, true}]),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 5000) end),
            timer:sleep(20),
            ok = xc:reset(P),
            {xc:await(Call), gen_tcp:recv(S, 0, 100)}
        end},
        {closed_by_other, "Another process closes the socket.", fun(B) ->
            {S, _} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 5000) end),
            timer:sleep(20),
            {gen_tcp:close(S), xc:await(Call)}
        end},
        {while_active, "An active socket is not to be read.", fun(B) ->
            {S, _} = xc:pair(B, [{active, true}]),
            gen_tcp:recv(S, 0, 100)
        end},
        {set_active_while_waiting, "A socket becomes active under a process in recv.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Call = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 300) end),
            timer:sleep(30),
            Set = inet:setopts(S, [{active, once}]),
            ok = gen_tcp:send(P, "whose"),
            {Set, xc:next(100), xc:await(Call)}
        end},
        {shutdown_read, "After shutdown of reading.", fun(B) ->
            {S, _} = xc:pair(B, []),
            [gen_tcp:shutdown(S, read), gen_tcp:recv(S, 0, 1000), gen_tcp:recv(S, 0, 1000)]
        end},
        {unrecv, "unrecv puts data back.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "world"),
            {ok, World} = gen_tcp:recv(S, 5),
            ok = gen_tcp:unrecv(S, World),
            ok = gen_tcp:unrecv(S, <<"hello ">>),
            [gen_tcp:recv(S, 6), gen_tcp:recv(S, 0)]
        end},
        {unrecv_list, "unrecv takes iodata.", fun(B) ->
            {S, _} = xc:pair(B, []),
            {gen_tcp:unrecv(S, ["a", <<"b">>, [$c]]), gen_tcp:recv(S, 0, 0)}
        end},
        {unrecv_active, "unrecv on an active socket delivers.", fun(B) ->
            {S, _} = xc:pair(B, [{active, true}]),
            {gen_tcp:unrecv(S, <<"again">>), xc:next()}
        end},
        {unrecv_empty, "unrecv of nothing.", fun(B) ->
            {S, P} = xc:pair(B, []),
            Put = gen_tcp:unrecv(S, <<>>),
            ok = gen_tcp:send(P, "abc"),
            {Put, gen_tcp:recv(S, 3, 1000)}
        end},
        {unrecv_bad, "unrecv of what is no data.", fun(B) ->
            {S, _} = xc:pair(B, []),
            xc:attempt(fun() -> gen_tcp:unrecv(S, not_data) end)
        end},
        {unrecv_closed, "unrecv after the end.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:close(P),
            {error, closed} = gen_tcp:recv(S, 0),
            gen_tcp:unrecv(S, <<"x">>)
        end},
        {backpressure, "Who does not read stops the sender.", fun(B) ->
            {S, P} = xc:pair(B, [{recbuf, 8192}]),
            ok = inet:setopts(P, [{sndbuf, 8192}, {send_timeout, 100}]),
            Stopped = lists:any(
                fun(_) -> gen_tcp:send(P, xc:fill(65536)) =:= {error, timeout} end, lists:seq(1, 200)
            ),
            {Stopped, gen_tcp:recv(S, 10)}
        end}
    ].
