%% Hosts that are cut off while a connection is open, and hosts that vanish and come back.
-module(xf_far).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    xf:scenarios(lists:append([
        xf:variants(xf:few() ++ [{packet_4, #{packet => 4}}], {
            blackhole_recv, "A host that is cut off, and is there again: what it has sent comes then.",
            {far, [{send, 200}, await, {send, 300}, {tell, sent}, wait], cut},
            {{peer, [{send, 200}, await, {send, 300}, {tell, sent}, wait]}, [{later, {#{}, blackhole}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                First = xf:take(S, Env, 2),
                ok = xf:event(Env),
                sent = xf:told(Env),
                Cut = xf:read(S, Env#{quiet => 400}),
                ok = xf:heal(Env),
                {First, Cut, xf:take(S, Env, 3)}
            end
        }),
        [
            {blackhole_send, "What is sent to a host that is cut off arrives when it is there again.",
                {far, [echo], cut}, {{peer, [echo]}, [{later, {#{}, blackhole}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    ok = gen_tcp:send(S, "one"),
                    {ok, <<"one">>} = gen_tcp:recv(S, 3, 20000),
                    ok = xf:event(Env),
                    Cut = {gen_tcp:send(S, "two"), gen_tcp:recv(S, 0, 300)},
                    ok = xf:heal(Env),
                    {Cut, gen_tcp:recv(S, 3, 20000)}
                end},
            {blackhole_full, "Sending on to a host that is cut off: busy, and send_timeout.",
                {far, [drain], cut}, {{peer, [drain]}, [{later, {#{}, blackhole}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, [{send_timeout, 200}, {sndbuf, 4096}]),
                    ok = xf:event(Env),
                    Sent = fills(S, 100),
                    {lists:usort(Sent), gen_tcp:send(S, "x"), inet:getopts(S, [active])}
                end},
            {blackhole_close, "Closing, when nothing is queued here.",
                {far, [echo], cut}, {{peer, [echo]}, [{later, {#{}, blackhole}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    ok = xf:event(Env),
                    {gen_tcp:send(S, "lost"), xf:paced(0, fun() -> gen_tcp:close(S) end)}
                end},
            {blackhole_connect, "A new connection to a host that is cut off, and one when it is there again.",
                {with, #{timeout => 300}, {far, [{send, 200}, wait], cut}},
                {{with, #{timeout => 300}, {peer, [{send, 200}, wait]}}, [{later, {#{}, blackhole}}]},
                fun(B, Env) ->
                    ok = xf:event(Env),
                    Cut = xf:paced(300, fun() -> xf:open(B, Env, []) end),
                    ok = xf:heal(Env),
                    {Cut, gen_tcp:recv(xf:open(B, Env#{timeout => 5000}, []), 200, 20000) =:= {ok, xc:fill(200)}}
                end},
            {blackhole_connect_heals, "A connection that waits is made when the host is there again.",
                {far, [{send, 200}, wait], cut},
                {{peer, [{send, 200}, wait]}, [{later, {#{}, blackhole}}]},
                fun(B, Env) ->
                    ok = xf:event(Env),
                    Call = xc:spawn_call(fun() -> {ok, Data} = gen_tcp:recv(xf:open(B, Env, []), 200, 20000), byte_size(Data) end),
                    Early = xc:await(Call, 300),
                    ok = xf:heal(Env),
                    receive {'DOWN', _, process, _, {result, Result}} -> {Early, Result} after 10000 -> {Early, nothing} end
                end}
        ],
        xf:variants(xf:few() ++ [{packet_4, #{packet => 4}}, {econnreset, #{options => [{show_econnreset, true}]}},
                             {econnreset_active, #{active => true, options => [{show_econnreset, true}]}},
                             {half_closed, #{options => [{exit_on_close, false}, {show_econnreset, true}]}}], {
            half_open, "A host that has forgotten the connection: nothing comes, and what is sent is answered by a reset.",
            {far, [{send, 200}, wait], vanish},
            {{peer, [{send, 200}, await, {send, 300}, wait]}, [{later, {#{}, half_open}}]},
            fun(B, Env) ->
                S = xf:open(B, Env, []),
                First = xf:take(S, Env, 2),
                ok = xf:event(Env),
                Gone = xf:read(S, Env#{quiet => 300}),
                Sent = gen_tcp:send(S, "anyone?"),
                {First, Gone, Sent, xf:read(S, Env), gen_tcp:send(S, "x")}
            end
        }),
        [
            {half_open_close, "Closing towards a host that has forgotten the connection.",
                {far, [echo], vanish}, {{peer, [echo]}, [{later, {#{}, half_open}}]},
                fun(B, Env) ->
                    S = xf:open(B, Env, []),
                    ok = xf:event(Env),
                    {gen_tcp:shutdown(S, write), gen_tcp:recv(S, 0, 2000), gen_tcp:close(S)}
                end}
        ]
    ])).

fills(_, 0) -> [never];
fills(S, N) ->
    case gen_tcp:send(S, xc:fill(100000)) of
        ok -> [ok | fills(S, N - 1)];
        Error -> [Error]
    end.
