%% gen_udp: opening, sending, receiving, connecting.
-module(xc_udp).

-export([scenarios/0]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(LOOPBACK6, (xc:loopback6())).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() -> opening() ++ sending() ++ receiving() ++ active() ++ connecting() ++ owning().

opening() ->
    [
        {open_any, "open/1 takes a free port on all addresses.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [])),
            {ok, {Ip, Port}} = inet:sockname(S),
            {Ip, Port > 0, inet:getopts(S, [active, mode])}
        end},
        {open_port, "A given port.", fun(B) ->
            Port = free_port(),
            {ok, S} = gen_udp:open(Port, xc:udp_options(B, [])),
            inet:port(S) =:= {ok, Port}
        end},
        {open_port_option, "The option port wins.", fun(B) ->
            Port = free_port(),
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{port, Port}])),
            inet:port(S) =:= {ok, Port}
        end},
        {open_in_use, "A port that is taken.", fun(B) ->
            {ok, T} = gen_udp:open(0, []),
            gen_udp:open(xc:listener_port(T), xc:udp_options(B, []))
        end},
        {open_ip, "The option ip.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{ip, {127, 0, 0, 2}}])),
            {ok, {Ip, _}} = inet:sockname(S),
            Ip
        end},
        {open_ip_loopback, "The option ip with loopback.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{ip, loopback}])),
            {ok, {Ip, _}} = inet:sockname(S),
            Ip
        end},
        {open_ifaddr_any, "The option ifaddr with any.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{ifaddr, any}])),
            {ok, {Ip, _}} = inet:sockname(S),
            Ip
        end},
        {open_sockaddr, "The option ifaddr with a sockaddr.", fun(B) ->
            {ok, S} = gen_udp:open(
                0, xc:udp_options(B, [{ifaddr, #{family => inet, addr => {127, 0, 0, 3}, port => 0}}])
            ),
            {ok, {Ip, _}} = inet:sockname(S),
            Ip
        end},
        {open_sockaddr_bad, "A sockaddr that is none.", fun(B) ->
            xc:attempt(fun() ->
                gen_udp:open(0, xc:udp_options(B, [{ifaddr, #{family => inet, addr => x, port => 0}}]))
            end)
        end},
        {open_foreign, "An address that is not ours.", fun(B) ->
            gen_udp:open(0, xc:udp_options(B, [{ip, {192, 0, 2, 1}}]))
        end},
        {open_bad_ip, "An address that is none.", fun(B) ->
            xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [{ip, {1, 2, 3}}])) end)
        end},
        {open_ip6_on_inet, "An IPv6 address without inet6.", fun(B) ->
            xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [{ip, ?LOOPBACK6}, inet])) end)
        end},
        {open_bad_port, "A port that is none.", fun(B) ->
            [xc:attempt(fun() -> gen_udp:open(P, xc:udp_options(B, [])) end) || P <- [-1, 65536]]
        end},
        {open_service, "A port by its name.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [])),
            ok = gen_udp:close(S),
            element(1, xc:attempt(fun() -> gen_udp:open(no_such_service, xc:udp_options(B, [])) end))
        end},
        {open_unknown_option, "An unknown option exits with badarg.", fun(B) ->
            xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [{no_such_option, 1}])) end)
        end},
        {open_tcp_option, "An option of TCP exits with badarg.", fun(B) ->
            [xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [O])) end)
             || O <- [{nodelay, true}, {backlog, 5}, {packet, 4}, {delay_send, true}, {linger, {true, 0}}]]
        end},
        {open_inet6, "The option inet6.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, {ip, ?LOOPBACK6}])),
            {ok, {Ip, _}} = inet:sockname(S),
            {Ip, inet:getopts(S, [recbuf, buffer])}
        end},
        {default_buffers, "The buffers of a new socket.", fun(B) ->
            {S, _} = xc:udp(B, []),
            inet:getopts(S, [recbuf, buffer, sndbuf, read_packets])
        end},
        {large_recbuf, "A large recbuf enlarges buffer to the largest datagram.", fun(B) ->
            {S, _} = xc:udp(B, [{recbuf, 200000}]),
            inet:getopts(S, [buffer])
        end},
        {set_buffers, "buffer keeps what it was set to.", fun(B) ->
            {S, _} = xc:udp(B, [{buffer, 100}]),
            Before = inet:getopts(S, [buffer]),
            ok = inet:setopts(S, [{recbuf, 50000}]),
            {Before, inet:getopts(S, [buffer])}
        end},
        {info, "The states and the counters of info.", fun(B) ->
            {S, _, _, Port} = xc:udp_pair(B, []),
            Fresh = states(S),
            ok = gen_udp:connect(S, ?LOOPBACK, Port),
            Connected = states(S),
            ok = gen_udp:close(S),
            {Fresh, Connected, inet:info(S)}
        end}
    ].

states(S) ->
    #{states := States, owner := Owner, counters := Counters} = inet:info(S),
    {States, Owner =:= self(), Counters}.

sending() ->
    [
        {host_and_port, "send/4 with an address and a port.", fun(B) ->
            {S, Port, P, To} = xc:udp_pair(B, []),
            Sent = gen_udp:send(S, ?LOOPBACK, To, <<"hello">>),
            {ok, {Ip, From, Data}} = gen_udp:recv(P, 0, 5000),
            {Sent, Ip, From =:= Port, Data}
        end},
        {by_name, "send/4 with a name.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            Sent = gen_udp:send(S, "localhost", To, "hello"),
            {Sent, element(3, element(2, gen_udp:recv(P, 0, 5000)))}
        end},
        {by_atom, "send/4 with a name that is an atom.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            Sent = gen_udp:send(S, localhost, To, "hello"),
            {Sent, element(3, element(2, gen_udp:recv(P, 0, 5000)))}
        end},
        {by_string, "send/4 with an address that is a string.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:send(S, "127.0.0.1", To, "hello"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {unknown_name, "send/4 with a name that does not exist.", fun(B) ->
            {S, _} = xc:udp(B, []),
            gen_udp:send(S, "no-such-host.invalid", 9, "x")
        end},
        {service_name, "send/4 with the name of a service.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Send = fun(Name) -> xc:with_service(fun() -> xc:attempt(fun() -> gen_udp:send(S, ?LOOPBACK, Name, "x") end) end) end,
            {Send(domain), Send(no_such_service)}
        end},
        {pair_destination, "send/3 with {Address, Port}.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:send(S, {?LOOPBACK, To}, "hello"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {family_destination, "send/3 with {inet, {Address, Port}}.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:send(S, {inet, {?LOOPBACK, To}}, "hello"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {family_loopback, "send/3 with {inet, {loopback, Port}}.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:send(S, {inet, {loopback, To}}, "hello"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {family_any, "send/3 with {inet, {any, Port}}.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            xc:attempt(fun() -> gen_udp:send(S, {inet, {any, To}}, "hello") end)
        end},
        {wrong_family, "send/3 with another family.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            [
                xc:attempt(fun() -> gen_udp:send(S, D, "hello") end)
             || D <- [{inet6, {?LOOPBACK6, To}}, {?LOOPBACK6, To}, {local, "/tmp/x"}, {any, To}, {loopback, To}]
            ]
        end},
        {sockaddr_destination, "send/3 with a sockaddr.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            Where = #{family => inet, addr => ?LOOPBACK, port => To},
            {gen_udp:send(S, Where, "hello"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {sockaddr_loopback, "send/3 with a sockaddr of loopback.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            Where = #{family => inet, addr => loopback, port => To},
            xc:attempt(fun() -> gen_udp:send(S, Where, "hello") end)
        end},
        {sockaddr_bad, "send/3 with maps that are no sockaddr.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [
                xc:attempt(fun() -> gen_udp:send(S, D, "hello") end)
             || D <- [#{}, #{family => inet}, #{family => inet, addr => x, port => 1}, #{family => local, path => "x"}]
            ]
        end},
        {port_zero_form, "send/4 with {Address, Port} and 0.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {
                gen_udp:send(S, {?LOOPBACK, To}, 0, "hello"),
                element(1, gen_udp:recv(P, 0, 5000)),
                gen_udp:send(S, {?LOOPBACK, To}, 1, "hello"),
                xc:attempt(fun() -> gen_udp:send(S, {?LOOPBACK, To}, x, "hello") end)
            }
        end},
        {ancillary, "send/4 and send/5 with ancillary data.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            ok = inet:setopts(P, [{recvtos, true}, {recvttl, true}]),
            Sent = [
                gen_udp:send(S, {?LOOPBACK, To}, [{tos, 16}], "a"),
                gen_udp:send(S, ?LOOPBACK, To, [{ttl, 33}], "b"),
                gen_udp:send(S, ?LOOPBACK, To, [{ttl, 3}, {tos, 40}], "c"),
                gen_udp:send(S, ?LOOPBACK, To, [], "d")
            ],
            {Sent, [controls(gen_udp:recv(P, 0, 5000)) || _ <- Sent]}
        end},
        {ancillary_bad, "Ancillary data that is none.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            [
                xc:attempt(fun() -> gen_udp:send(S, ?LOOPBACK, To, A, "x") end)
             || A <- [
                 [{tos, x}], [{nodelay, true}], [{no_such_option, 1}], [x], [{active, true}], [{ttl, 0}],
                 [{ttl, 256}], [{tos, -1}], [{tclass, 4}], [{tos, 4} | x], x
             ]
            ]
        end},
        {empty, "A datagram without a byte.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:send(S, ?LOOPBACK, To, <<>>), element(3, element(2, gen_udp:recv(P, 0, 5000)))}
        end},
        {iolist, "A datagram of an iolist.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            Data = [<<"a">>, ["b", $c], [[], <<"d">>] | <<"e">>],
            {gen_udp:send(S, ?LOOPBACK, To, Data), element(3, element(2, gen_udp:recv(P, 0, 5000)))}
        end},
        {bad_data, "What is no iolist.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            [xc:attempt(fun() -> gen_udp:send(S, ?LOOPBACK, To, D) end) || D <- [x, 5, [x], [256], {}]]
        end},
        {sizes, "Datagrams of all sizes, up to the largest.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, [{sndbuf, 300000}]),
            ok = inet:setopts(P, [{recbuf, 300000}]),
            [
                {N, gen_udp:send(S, ?LOOPBACK, To, xc:fill(N)),
                 erlang:crc32(element(3, element(2, gen_udp:recv(P, 0, 5000))))}
             || N <- [0, 1, 100, 1400, 1472, 9000, 65000, 65507]
            ]
        end},
        {too_large, "A datagram that is too large.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            {[gen_udp:send(S, ?LOOPBACK, To, xc:fill(N)) || N <- [65508, 70000, 1000000]],
             gen_udp:send(S, ?LOOPBACK, To, "x")}
        end},
        {no_destination, "send/2 on a socket that is not connected.", fun(B) ->
            {S, _} = xc:udp(B, []),
            gen_udp:send(S, "x")
        end},
        {port_zero, "To port 0.", fun(B) ->
            {S, _} = xc:udp(B, []),
            gen_udp:send(S, ?LOOPBACK, 0, "x")
        end},
        {port_too_large, "To a port that is none.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [xc:attempt(fun() -> gen_udp:send(S, ?LOOPBACK, P, "x") end) || P <- [65536, -1, 1.0, "5"]]
        end},
        {bad_host, "To hosts that are none.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [xc:attempt(fun() -> gen_udp:send(S, H, 9, "x") end) || H <- [{1, 2, 3}, {256, 0, 0, 1}, 5, <<"x">>, ""]]
        end},
        {broadcast, "A broadcast without the option, and with it.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Without = gen_udp:send(S, {255, 255, 255, 255}, 9, "x"),
            ok = inet:setopts(S, [{broadcast, true}]),
            {Without, gen_udp:send(S, {127, 255, 255, 255}, 9, "x"), inet:getopts(S, [broadcast])}
        end},
        {broadcast_received, "A broadcast on the loopback network.", fun(B) ->
            {ok, P} = gen_udp:open(0, [binary, {active, false}]),
            {S, _} = xc:udp(B, [{broadcast, true}]),
            {gen_udp:send(S, {127, 255, 255, 255}, xc:listener_port(P), "x"),
             element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {inet6, "IPv6.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, {ip, ?LOOPBACK6}])),
            {ok, P} = gen_udp:open(0, [inet6, binary, {active, false}, {ip, ?LOOPBACK6}]),
            To = xc:listener_port(P),
            Sent = [
                gen_udp:send(S, ?LOOPBACK6, To, "a"), gen_udp:send(S, "::1", To, "b"),
                gen_udp:send(S, {?LOOPBACK6, To}, "c"), gen_udp:send(S, {inet6, {loopback, To}}, "d"),
                gen_udp:send(S, #{family => inet6, addr => ?LOOPBACK6, port => To}, "e")
            ],
            {Sent, [begin {ok, {Ip, _, D}} = gen_udp:recv(P, 0, 5000), {Ip, D} end || _ <- Sent]}
        end},
        {inet6_to_inet, "IPv4 addresses on an IPv6 socket.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6])),
            {ok, P} = gen_udp:open(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
            To = xc:listener_port(P),
            Sent = xc:attempt(fun() -> gen_udp:send(S, ?LOOPBACK, To, "a") end),
            {Sent, xc:attempt(fun() -> gen_udp:send(S, {?LOOPBACK, To}, "a") end),
             gen_udp:send(S, {0, 0, 0, 0, 0, 16#FFFF, 16#7F00, 1}, To, "b")}
        end},
        {tclass_ancillary, "Ancillary data of IPv6.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, {ip, ?LOOPBACK6}])),
            {ok, P} = gen_udp:open(0, [inet6, binary, {active, false}, {ip, ?LOOPBACK6}, {recvtclass, true}]),
            Sent = gen_udp:send(S, ?LOOPBACK6, xc:listener_port(P), [{tclass, 12}], "a"),
            {Sent, controls(gen_udp:recv(P, 0, 5000))}
        end},
        {closed, "On a closed socket.", fun(B) ->
            {S, _} = xc:udp(B, []),
            ok = gen_udp:close(S),
            [
                gen_udp:send(S, "x"), gen_udp:send(S, ?LOOPBACK, 9, "x"), gen_udp:send(S, {?LOOPBACK, 9}, "x"),
                gen_udp:send(S, "localhost", 9, "x"), gen_udp:recv(S, 0), gen_udp:recv(S, 0, 10),
                gen_udp:connect(S, ?LOOPBACK, 9), gen_udp:close(S), inet:setopts(S, [{active, true}]),
                inet:getopts(S, [active]), inet:sockname(S), inet:peername(S), inet:port(S), inet:getstat(S)
            ]
        end},
        {counters, "The counters.", fun(B) ->
            {S, Port, P, To} = xc:udp_pair(B, []),
            [ok = gen_udp:send(S, ?LOOPBACK, To, xc:fill(N)) || N <- [10, 0, 500]],
            {error, emsgsize} = gen_udp:send(S, ?LOOPBACK, To, xc:fill(70000)),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, xc:fill(N)) || N <- [100, 7]],
            [{ok, _} = gen_udp:recv(S, 0, 5000) || _ <- [1, 2]],
            inet:getstat(S)
        end}
    ].

controls({ok, {_, _, Controls, Data}}) -> {lists:sort(Controls), Data};
controls(Other) -> Other.

receiving() ->
    [
        {recv, "recv/2,3 gives address, port and data.", fun(B) ->
            {S, Port, P, From} = xc:udp_pair(B, []),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "one"),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "two"),
            {ok, {Ip, F1, One}} = gen_udp:recv(S, 0),
            {ok, {_, F2, Two}} = gen_udp:recv(S, 0, 5000),
            {Ip, F1 =:= From, F2 =:= From, One, Two}
        end},
        {recv_waits, "recv waits for a datagram.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            Call = xc:spawn_call(fun() -> element(3, element(2, gen_udp:recv(S, 0, 5000))) end),
            true = xc:until(fun() -> waiting(Call) end),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "late"),
            xc:await(Call)
        end},
        {recv_timeout, "Timeouts.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            Outs = [gen_udp:recv(S, 0, T) || T <- [0, 1, 20]],
            ok = gen_udp:send(P, ?LOOPBACK, Port, "there"),
            {Outs, element(1, gen_udp:recv(S, 0, 5000))}
        end},
        {recv_bad, "Lengths and timeouts that are none.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [xc:attempt(fun() -> gen_udp:recv(S, L, T) end)
             || {L, T} <- [{-1, 10}, {x, 10}, {0, -1}, {0, x}, {1 bsl 32, 10}, {0, 16#ffffffff}, {1.0, 10}]] ++
            [xc:attempt(fun() -> gen_udp:recv(S, L) end) || L <- [x, -1]]
        end},
        {recv_length, "The length has no meaning.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            ok = gen_udp:send(P, ?LOOPBACK, Port, xc:fill(3000)),
            byte_size(element(3, element(2, gen_udp:recv(S, 10, 5000))))
        end},
        {recv_two, "Only one process may wait.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            Call = xc:spawn_call(fun() -> element(1, gen_udp:recv(S, 0, 5000)) end),
            true = xc:until(fun() -> waiting(Call) end),
            Second = gen_udp:recv(S, 0, 100),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            {Second, xc:await(Call)}
        end},
        {recv_closed, "The socket is closed while a process waits.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Call = xc:spawn_call(fun() -> gen_udp:recv(S, 0, 5000) end),
            true = xc:until(fun() -> waiting(Call) end),
            ok = gen_udp:close(S),
            xc:await(Call)
        end},
        {recv_active, "recv on an active socket.", fun(B) ->
            {S, _} = xc:udp(B, [{active, true}]),
            gen_udp:recv(S, 0, 10)
        end},
        {recv_made_active, "The socket becomes active while a process waits.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            Call = xc:spawn_call(fun() -> gen_udp:recv(S, 0, 300) end),
            true = xc:until(fun() -> waiting(Call) end),
            ok = inet:setopts(S, [{active, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            {payload(xc:next()), xc:await(Call)}
        end},
        {list, "Mode list.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [list]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, <<1, 2, 200>>),
            element(3, element(2, gen_udp:recv(S, 0, 5000)))
        end},
        {header, "The option header.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{header, 2}]),
            [
                begin
                    ok = gen_udp:send(P, ?LOOPBACK, Port, D),
                    element(3, element(2, gen_udp:recv(S, 0, 5000)))
                end
             || D <- ["abcd", "ab", "a", ""]
            ]
        end},
        {header_active, "The option header on an active socket, with lists too.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{header, 3}, {active, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abcdef"),
            One = payload(xc:next()),
            ok = inet:setopts(S, [list]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abcdef"),
            {One, payload(xc:next())}
        end},
        {truncated, "A datagram longer than the buffer is cut.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{buffer, 100}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, xc:fill(500)),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "next"),
            [byte_size(element(3, element(2, gen_udp:recv(S, 0, 5000)))) || _ <- [1, 2]]
        end},
        {truncated6, "On IPv6, whose buffers are others.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, binary, {active, false}, {ip, ?LOOPBACK6}])),
            {ok, P} = gen_udp:open(0, [inet6, {ip, ?LOOPBACK6}]),
            ok = gen_udp:send(P, ?LOOPBACK6, xc:listener_port(S), xc:fill(5000)),
            byte_size(element(3, element(2, gen_udp:recv(S, 0, 5000))))
        end},
        {small_buffer_setting, "A buffer of 1 byte.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{buffer, 1}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            element(3, element(2, gen_udp:recv(S, 0, 5000)))
        end},
        {control_passive, "recvtos and recvttl, passive.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recvtos, true}, {recvttl, true}]),
            ok = inet:setopts(P, [{tos, 16}, {ttl, 9}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            controls(gen_udp:recv(S, 0, 5000))
        end},
        {control_switched, "recvtos set, and taken back.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            [
                begin
                    ok = inet:setopts(S, [{recvtos, On}]),
                    ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
                    {ok, Got} = gen_udp:recv(S, 0, 5000),
                    setelement(2, Got, port)
                end
             || On <- [true, false, true]
            ]
        end},
        {control_order, "The order of ancillary data.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recvtos, true}, {recvttl, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            element(3, element(2, gen_udp:recv(S, 0, 5000)))
        end},
        {control_header, "Ancillary data and a header.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recvttl, true}, {header, 1}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "xyz"),
            setelement(2, element(2, gen_udp:recv(S, 0, 5000)), port)
        end},
        {control_inet6, "recvtclass on IPv6.", fun(B) ->
            {ok, S} = gen_udp:open(
                0, xc:udp_options(B, [inet6, binary, {active, false}, {ip, ?LOOPBACK6}, {recvtclass, true}])
            ),
            {ok, P} = gen_udp:open(0, [inet6, {ip, ?LOOPBACK6}, {tclass, 12}]),
            ok = gen_udp:send(P, ?LOOPBACK6, xc:listener_port(S), "x"),
            controls(gen_udp:recv(S, 0, 5000))
        end},
        {many_waiting, "Datagrams that came before recv are there in order.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recbuf, 200000}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, <<N>>) || N <- lists:seq(1, 50)],
            [element(3, element(2, gen_udp:recv(S, 0, 5000))) || _ <- lists:seq(1, 50)]
        end}
    ].

waiting({Pid, _}) -> erlang:process_info(Pid, status) =:= {status, waiting} andalso settled().

%% Long enough for a request to arrive, on each backend.
settled() ->
    timer:sleep(30),
    true.

payload({udp, _, Ip, _, Data}) -> {Ip, Data};
payload({udp, _, Ip, _, Controls, Data}) -> {Ip, Controls, Data};
payload({Socket, {data, Data}}) when is_port(Socket); is_tuple(Socket) -> {port_data, unport(Data)};
payload(Other) -> Other.

%% The port of the sender differs by chance.
unport(<<F, _:16, Rest/binary>>) -> {F, Rest};
unport([F, _, _ | Rest]) -> {F, Rest};
unport(Other) -> Other.

active() ->
    [
        {active_true, "Messages of an active socket.", fun(B) ->
            {S, Port, P, From} = xc:udp_pair(B, [{active, true}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, D) || D <- ["a", "b", "c"]],
            Messages = [xc:next() || _ <- [1, 2, 3]],
            {[payload(M) || M <- Messages], [F =:= From || {udp, X, _, F, _} <- Messages, X =:= S]}
        end},
        {active_once, "active once: one message, and no more.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, once}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, D) || D <- ["a", "b"]],
            First = payload(xc:next()),
            Mode = inet:getopts(S, [active]),
            Nothing = xc:next(50),
            Second = element(3, element(2, gen_udp:recv(S, 0, 5000))),
            {First, Mode, Nothing, Second}
        end},
        {active_count, "active N: N messages, then udp_passive.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, 3}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, [D]) || D <- "abcd"],
            Messages = [payload(xc:next()) || _ <- lists:seq(1, 4)],
            Mode = inet:getopts(S, [active]),
            ok = inet:setopts(S, [{active, 2}]),
            Fourth = payload(xc:next()),
            {Messages, Mode, Fourth, inet:getopts(S, [active])}
        end},
        {active_count_many, "active N with more datagrams than are read at once.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recbuf, 200000}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, <<N>>) || N <- lists:seq(1, 30)],
            ok = inet:setopts(S, [{active, 20}]),
            Messages = [payload(xc:next()) || _ <- lists:seq(1, 21)],
            {Messages, xc:next(50), inet:getopts(S, [active])}
        end},
        {active_sum, "active N adds up, and ends at 0.", fun(B) ->
            {S, _} = xc:udp(B, [{active, 5}]),
            ok = inet:setopts(S, [{active, -2}]),
            Three = inet:getopts(S, [active]),
            ok = inet:setopts(S, [{active, -10}]),
            {Three, inet:getopts(S, [active]), xc:next(),
             inet:setopts(S, [{active, 32767}]), inet:setopts(S, [{active, 1}]), inet:getopts(S, [active])}
        end},
        {active_zero, "{active, 0} on a passive socket.", fun(B) ->
            {S, _} = xc:udp(B, []),
            {inet:setopts(S, [{active, 0}]), xc:next()}
        end},
        {active_opened_zero, "Opened with {active, 0}.", fun(B) ->
            {S, _} = xc:udp(B, [{active, 0}]),
            {xc:next(100), inet:getopts(S, [active])}
        end},
        {active_later, "Datagrams wait until the socket is active.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, []),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, [D]) || D <- "ab"],
            ok = inet:setopts(S, [{active, true}]),
            [payload(xc:next()) || _ <- [1, 2]]
        end},
        {active_off, "Made passive again.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, true}]),
            ok = inet:setopts(S, [{active, false}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            {xc:next(50), element(3, element(2, gen_udp:recv(S, 0, 5000)))}
        end},
        {active_list, "Lists.", fun(B) ->
            {_, Port, P, _} = xc:udp_pair(B, [{active, true}, list]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, <<1, 200>>),
            ok = gen_udp:send(P, ?LOOPBACK, Port, <<>>),
            [payload(xc:next()) || _ <- [1, 2]]
        end},
        {active_controls, "Ancillary data.", fun(B) ->
            {_, Port, P, _} = xc:udp_pair(B, [{active, true}, {recvtos, true}, {recvttl, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            payload(xc:next())
        end},
        {bits, "A datagram of bits: less than a byte counts for nothing, more is refused.", fun(B) ->
            {S, Port, P, PPort} = xc:udp_pair(B, []),
            Data = [
                <<1:3>>, <<1, 1:3>>, [<<1:3>>], [<<1>>, <<1:3>>], [<<1:3>>, <<1:5>>], ["ab" | <<1:3>>], ["ab" | <<1, 1:3>>],
                ["ab", [<<1:1>>, <<"c">>], $d], [<<1, 2:4>>, <<1:3>>], [<<1:3>>, x], [<<1:3>>, 256], xc:fill(1000),
                [xc:fill(1000), <<1:3>>], [xc:fill(1000), <<1, 1:3>>], [x], 5, 256, -1, [256], {}, ["ab" | c], ["ab" | <<"c">>]
            ],
            Sent = [
                {
                    D,
                    gen_udp:send(S, ?LOOPBACK, PPort, D), gen_udp:send(S, {?LOOPBACK, PPort}, [{tos, 0}], D),
                    [element(1, R) =:= ok andalso element(3, element(2, R)) || R <- [gen_udp:recv(P, 0, 30), gen_udp:recv(P, 0, 0)]]
                }
             || D <- Data
            ],
            ok = gen_udp:connect(S, ?LOOPBACK, PPort),
            {Port =/= PPort, Sent, [gen_udp:send(S, D) || D <- Data]}
        end},
        {deliver_port, "deliver port.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, true}, {deliver, port}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            Binary = payload(xc:next()),
            ok = inet:setopts(S, [list]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            {Binary, payload(xc:next())}
        end},
        {deliver_port_header, "deliver port, with a header.", fun(B) ->
            {_, Port, P, _} = xc:udp_pair(B, [{active, true}, {deliver, port}, {header, 2}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            case xc:next() of
                {_, {data, [1, _, _ | Rest]}} -> {address_as_header, Rest};
                {_, {data, Data}} -> {other, length_of(Data)}
            end
        end},
        {deliver_port_once, "deliver port, and active once.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, once}, {deliver, port}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            {payload(xc:next()), inet:getopts(S, [active])}
        end},
        {deliver_port_passive, "deliver port, and recv.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{deliver, port}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            {element(3, element(2, gen_udp:recv(S, 0, 1000))), xc:next(20)}
        end},
        {deliver_port_controls, "deliver port, and ancillary data.", fun(B) ->
            {_, Port, P, _} = xc:udp_pair(B, [{active, true}, {deliver, port}, {recvttl, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "abc"),
            payload(xc:next())
        end},
        {read_packets, "read_packets reads on all the same.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{recbuf, 200000}, {read_packets, 2}]),
            [ok = gen_udp:send(P, ?LOOPBACK, Port, <<N>>) || N <- lists:seq(1, 20)],
            ok = inet:setopts(S, [{active, true}]),
            {[payload(xc:next()) || _ <- lists:seq(1, 20)], inet:getopts(S, [read_packets])}
        end},
        {read_packets_zero, "read_packets of 0, and of more than there are.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{read_packets, 1000}]),
            ok = inet:setopts(S, [{active, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "x"),
            {payload(xc:next()), inet:setopts(S, [{read_packets, 0}]), inet:getopts(S, [read_packets])}
        end},
        {inet6_active, "IPv6.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, binary, {ip, ?LOOPBACK6}])),
            {ok, P} = gen_udp:open(0, [inet6, {ip, ?LOOPBACK6}]),
            ok = gen_udp:send(P, ?LOOPBACK6, xc:listener_port(S), "x"),
            payload(xc:next())
        end},
        {inet6_deliver_port, "IPv6, with deliver port.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, binary, {ip, ?LOOPBACK6}, {deliver, port}])),
            {ok, P} = gen_udp:open(0, [inet6, {ip, ?LOOPBACK6}]),
            ok = gen_udp:send(P, ?LOOPBACK6, xc:listener_port(S), "x"),
            payload(xc:next())
        end},
        {inet6_mapped, "An IPv4 sender on an IPv6 socket.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, binary, {ipv6_v6only, false}])),
            {ok, P} = gen_udp:open(0, [{ip, ?LOOPBACK}]),
            ok = gen_udp:send(P, ?LOOPBACK, xc:listener_port(S), "x"),
            payload(xc:next())
        end}
    ].

length_of(Data) when is_binary(Data) -> byte_size(Data);
length_of([H | T]) -> 1 + length_of(T) + 0 * H;
length_of([]) -> 0.

connecting() ->
    [
        {connect, "A connected socket sends without a destination.", fun(B) ->
            {S, Port, P, To} = xc:udp_pair(B, []),
            Done = gen_udp:connect(S, ?LOOPBACK, To),
            Sent = gen_udp:send(S, "hello"),
            {ok, {_, From, Data}} = gen_udp:recv(P, 0, 5000),
            {Done, Sent, From =:= Port, Data, inet:peername(S) =:= {ok, {?LOOPBACK, To}}}
        end},
        {connect_name, "By name.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            {gen_udp:connect(S, "localhost", To), gen_udp:send(S, "x"), element(1, gen_udp:recv(P, 0, 5000))}
        end},
        {connect_bad, "To what is no address.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [
                xc:attempt(fun() -> gen_udp:connect(S, H, P) end)
             || {H, P} <- [
                 {{1, 2, 3}, 5}, {?LOOPBACK, 65536}, {?LOOPBACK, -1}, {?LOOPBACK, x}, {"no-such-host.invalid", 5},
                 {?LOOPBACK6, 5}, {any, 5}, {loopback, 5}, {?LOOPBACK, 0}
             ]
            ]
        end},
        {connect_unreachable, "To a broadcast address.", fun(B) ->
            {S, _} = xc:udp(B, []),
            {gen_udp:connect(S, {255, 255, 255, 255}, 5), inet:peername(S)}
        end},
        {connect_again, "To another peer, and the socket's address follows.", fun(B) ->
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [binary, {active, false}])),
            {ok, P} = gen_udp:open(0, [binary, {active, false}]),
            To = xc:listener_port(P),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            {ok, {One, _}} = inet:sockname(S),
            ok = gen_udp:connect(S, {127, 0, 0, 2}, To),
            {ok, {Two, _}} = inet:sockname(S),
            {ok, {Peer, _}} = inet:peername(S),
            {One, Two, Peer}
        end},
        {connect_failed_again, "A second connect that fails dissolves the first.", fun(B) ->
            {S, _, _, To} = xc:udp_pair(B, []),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            {gen_udp:connect(S, {255, 255, 255, 255}, 5), inet:peername(S), gen_udp:send(S, "x")}
        end},
        {connected_other_destination, "A connected socket takes no notice of a destination.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            Sent = gen_udp:send(S, {127, 0, 0, 2}, 9, "x"),
            {Sent, element(3, element(2, gen_udp:recv(P, 0, 5000)))}
        end},
        {connected_ancillary, "Ancillary data on a connected socket.", fun(B) ->
            {S, _, P, To} = xc:udp_pair(B, []),
            ok = inet:setopts(P, [{recvttl, true}]),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            Sent = gen_udp:send(S, ?LOOPBACK, To, [{ttl, 44}], "x"),
            {Sent, controls(gen_udp:recv(P, 0, 5000))}
        end},
        {connected_recv, "A connected socket receives from its peer only.", fun(B) ->
            {S, Port, P, To} = xc:udp_pair(B, []),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            {ok, Other} = gen_udp:open(0, [{ip, ?LOOPBACK}]),
            ok = gen_udp:send(Other, ?LOOPBACK, Port, "other"),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "peer"),
            {ok, {Ip, From, Data}} = gen_udp:recv(S, 0, 5000),
            {Ip, From =:= To, Data, gen_udp:recv(S, 0, 20)}
        end},
        {connected_active, "And tells of it when active.", fun(B) ->
            {S, Port, P, To} = xc:udp_pair(B, [{active, true}]),
            ok = gen_udp:connect(S, ?LOOPBACK, To),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "peer"),
            {udp, S, Ip, From, Data} = xc:next(),
            {Ip, From =:= To, Data}
        end},
        {refused_passive, "A peer that is not there: recv, and the next send.", fun(B) ->
            {S, _} = xc:udp(B, []),
            ok = gen_udp:connect(S, ?LOOPBACK, dead_udp_port()),
            ok = gen_udp:send(S, "x"),
            Received = gen_udp:recv(S, 0, 2000),
            ok = gen_udp:send(S, "x"),
            {Received, gen_udp:send(S, "x"), gen_udp:send(S, "x")}
        end},
        {refused_waiting, "A peer that is not there, and a process in recv.", fun(B) ->
            {S, _} = xc:udp(B, []),
            ok = gen_udp:connect(S, ?LOOPBACK, dead_udp_port()),
            Call = xc:spawn_call(fun() -> gen_udp:recv(S, 0, 5000) end),
            true = xc:until(fun() -> waiting(Call) end),
            ok = gen_udp:send(S, "x"),
            xc:await(Call)
        end},
        {refused_active, "A peer that is not there, on an active socket.", fun(B) ->
            {S, _} = xc:udp(B, [{active, true}]),
            ok = gen_udp:connect(S, ?LOOPBACK, dead_udp_port()),
            [
                begin
                    ok = gen_udp:send(S, "x"),
                    {xc:next(), inet:getopts(S, [active])}
                end
             || _ <- [1, 2]
            ]
        end},
        {refused_once, "And with active once, and a count.", fun(B) ->
            {S, _} = xc:udp(B, [{active, once}]),
            ok = gen_udp:connect(S, ?LOOPBACK, dead_udp_port()),
            ok = gen_udp:send(S, "x"),
            One = {xc:next(), inet:getopts(S, [active])},
            ok = inet:setopts(S, [{active, 2}]),
            _ = gen_udp:send(S, "x"),
            {One, xc:next(), inet:getopts(S, [active])}
        end},
        {refused_unconnected, "A socket that is not connected learns nothing.", fun(B) ->
            {S, _} = xc:udp(B, []),
            ok = gen_udp:send(S, ?LOOPBACK, dead_udp_port(), "x"),
            {gen_udp:recv(S, 0, 30), gen_udp:send(S, ?LOOPBACK, dead_udp_port(), "x")}
        end},
        {names, "sockname, peername, socknames and port.", fun(B) ->
            {S, Port} = xc:udp(B, []),
            {ok, Name} = inet:sockname(S),
            {Name =:= {?LOOPBACK, Port}, inet:peername(S), inet:socknames(S) =:= {ok, [Name]}, inet:port(S) =:= {ok, Port}}
        end}
    ].

owning() ->
    [
        {controlling_process, "Another process gets the messages, those that came before too.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "before"),
            true = xc:until(fun() -> element(2, process_info(self(), message_queue_len)) > 0 end),
            Parent = self(),
            Other = spawn(fun() -> Parent ! {got, [payload(xc:next()) || _ <- [1, 2]]} end),
            Done = gen_udp:controlling_process(S, Other),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "after"),
            receive {got, Got} -> {Done, Got} after 5000 -> nothing end
        end},
        {controlling_controls, "Messages with ancillary data, on a change of owner.", fun(B) ->
            {S, Port, P, _} = xc:udp_pair(B, [{active, true}, {recvttl, true}]),
            ok = gen_udp:send(P, ?LOOPBACK, Port, "before"),
            true = xc:until(fun() -> element(2, process_info(self(), message_queue_len)) > 0 end),
            Other = spawn(fun() -> receive done -> ok end end),
            Done = gen_udp:controlling_process(S, Other),
            Left = process_info(self(), message_queue_len),
            Queue = element(2, process_info(Other, message_queue_len)),
            Other ! done,
            {Done, Left, Queue, payload(xc:next(10))}
        end},
        {controlling_count, "The count of {active, N} is kept.", fun(B) ->
            {S, _} = xc:udp(B, [{active, 7}]),
            Other = spawn(fun() -> receive done -> ok end end),
            {gen_udp:controlling_process(S, Other), inet:getopts(S, [active]), Other ! done}
        end},
        {controlling_self, "To itself.", fun(B) ->
            {S, _} = xc:udp(B, []),
            gen_udp:controlling_process(S, self())
        end},
        {controlling_not_owner, "By another than the owner.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Parent = self(),
            xc:await(xc:spawn_call(fun() -> gen_udp:controlling_process(S, spawn(fun() -> Parent end)) end))
        end},
        {controlling_dead, "To a dead process.", fun(B) ->
            {S, _} = xc:udp(B, []),
            {Pid, Ref} = spawn_monitor(fun() -> ok end),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            gen_udp:controlling_process(S, Pid)
        end},
        {controlling_closed, "Of a closed socket.", fun(B) ->
            {S, _} = xc:udp(B, []),
            ok = gen_udp:close(S),
            xc:attempt(fun() -> gen_udp:controlling_process(S, spawn(fun() -> ok end)) end)
        end},
        {controlling_no_pid, "To what is no process.", fun(B) ->
            {S, _} = xc:udp(B, []),
            xc:attempt(fun() -> gen_udp:controlling_process(S, x) end)
        end},
        {owner_dies, "A socket ends with its owner.", fun(B) ->
            Port = xc:await(xc:spawn_call(fun() -> element(2, xc:udp(B, [])) end)),
            xc:until(fun() ->
                case gen_udp:open(Port, [{ip, ?LOOPBACK}]) of
                    {ok, S} -> gen_udp:close(S) =:= ok;
                    {error, eaddrinuse} -> false
                end
            end)
        end},
        {monitor, "inet:monitor/1.", fun(B) ->
            {S, _} = xc:udp(B, []),
            Ref = inet:monitor(S),
            ok = gen_udp:close(S),
            receive {'DOWN', Ref, Kind, _, Reason} -> {Kind, Reason} after 5000 -> nothing end
        end},
        {close_twice, "close/1 answers ok as often as one likes.", fun(B) ->
            {S, _} = xc:udp(B, []),
            [gen_udp:close(S), gen_udp:close(S), inet:close(S)]
        end},
        {close_active, "Closing an active socket leaves nothing behind.", fun(B) ->
            {S, _} = xc:udp(B, [{active, true}]),
            gen_udp:close(S)
        end},
        {close_by_other, "Closed by another process.", fun(B) ->
            {S, _} = xc:udp(B, [{active, true}]),
            {xc:await(xc:spawn_call(fun() -> gen_udp:close(S) end)), gen_udp:send(S, ?LOOPBACK, 9, "x")}
        end}
    ].

free_port() ->
    {ok, S} = gen_udp:open(0, []),
    Port = xc:listener_port(S),
    ok = gen_udp:close(S),
    Port.

dead_udp_port() ->
    {ok, S} = gen_udp:open(0, [{ip, ?LOOPBACK}]),
    Port = xc:listener_port(S),
    ok = gen_udp:close(S),
    Port.
