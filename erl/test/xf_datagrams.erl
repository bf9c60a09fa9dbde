%% What happens to datagrams.
-module(xf_datagrams).

-export([scenarios/0]).

-define(FIVE, {udp, [{send, 5}]}).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() -> xf:scenarios(lists:append([received(), sent(), slow(), refused()])).

received() ->
    lists:append([
        xf:variants(xf:few(), {Name, Text, {udp_relay, [{recv, Way}], [{send, 5}]},
            {?FIVE, [{#{direction => recv}, What, #{'when' => {nth, 2}}}]}, fun greeted/2, #{quiet => 600}})
     || {Name, Text, Way, What} <- [
            {loss, "The second datagram is lost.", {lose, 2}, {loss, #{p => 1.0}}},
            {duplicate, "The second datagram comes twice.", {twice, 2}, {duplicate, #{p => 1.0}}},
            {corrupt, "A bit of the second datagram is wrong.", {flip, 2}, {corrupt, #{p => 1.0}}},
            {truncate, "The second datagram is cut off.", {cut, 2, 10}, {truncate, #{size => 10}}},
            {truncate_to_nothing, "Nothing is left of the second datagram.", {cut, 2, 0}, {truncate, #{size => 0}}},
            {reorder, "The third datagram overtakes the second.", {behind, 2, 1}, {reorder, #{p => 1.0}}},
            {reorder_far, "Three datagrams overtake the second.", {behind, 2, 3}, {reorder, #{p => 1.0, gap => 3}}}
        ]
    ]).

%% What comes after a greeting.
greeted(B, #{active := Active, port := Port} = Env) ->
    {S, _} = xc:udp(B, [{active, Active}, {recbuf, 1 bsl 20}]),
    ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "hello"),
    Seen = xf:datagrams(S, Env),
    {Seen, inet:getopts(S, [active])}.

sent() ->
    [
        {Name, Text, {udp_relay, [{send, Way}], [{collect, 300}]},
            {{udp, [{collect, 300}]}, [{#{direction => send}, What, #{'when' => {nth, 3}}}]}, fun sends/2}
     || {Name, Text, Way, What} <- [
            %% the greeting is the first datagram
            {send_loss, "A sent datagram is lost: the sender does not know.", {lose, 3}, {loss, #{p => 1.0}}},
            {send_duplicate, "A sent datagram arrives twice.", {twice, 3}, {duplicate, #{p => 1.0}}},
            {send_corrupt, "A sent datagram arrives with a wrong bit.", {flip, 3}, {corrupt, #{p => 1.0}}},
            {send_truncate, "A sent datagram arrives cut off.", {cut, 3, 10}, {truncate, #{size => 10}}},
            {send_reorder, "A sent datagram is overtaken.", {behind, 3, 1}, {reorder, #{p => 1.0}}}
        ]
    ].

sends(B, #{port := Port} = Env) ->
    {S, _} = xc:udp(B, []),
    Sent = [
        gen_udp:send(S, {127, 0, 0, 1}, Port, Data)
     || Data <- ["hello" | [binary:copy(<<N>>, 101) || N <- lists:seq(1, 5)]]
    ],
    {lists:usort(Sent), xf:told(Env), inet:getstat(S, [send_cnt])}.

slow() ->
    xf:variants(xf:few(), {black_hole, "Nothing comes back, and nobody says why.",
        {udp_relay, [{send, {lose, N}} || N <- lists:seq(1, 5)], [echo]}, {{udp, [echo]}, [{#{}, blackhole}]},
        fun(B, Env) -> [greeted(B, Env) || _ <- [1, 2]] end, #{quiet => 200}}) ++
    xf:variants(xf:few(), {eagain, "Wakings with nothing to read: nobody is told.",
        {udp, [{send, 5}]}, {{udp, [{send, 5}]}, [{#{direction => recv}, {eagain, #{n => 3}}}]}, fun greeted/2, #{quiet => 600}}) ++
    xf:variants(xf:few(), {bandwidth, "A relay that passes on 400 bytes a second.",
        {udp_relay, [{recv, {rate, 400}}], [{send, 3}]}, {{udp, [{send, 3}]}, [{#{direction => recv}, {bandwidth, #{rate => 400}}}]},
        fun(B, #{active := Active, port := Port} = Env) ->
            {S, _} = xc:udp(B, [{active, Active}]),
            ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "hello"),
            {xf:datagrams(S, Env#{quiet => 150}), xf:paced(450, fun() -> xf:datagrams(S, Env#{quiet => 600}) end)}
        end}) ++
    xf:variants(xf:few(), {latency, "A relay that delays what comes.",
        {udp_relay, [{recv, {delay, 600}}], [{send, 3}]}, {{udp, [{send, 3}]}, [{#{}, {latency, #{ms => 600}}}]},
        fun(B, #{active := Active, port := Port} = Env) ->
            {S, _} = xc:udp(B, [{active, Active}]),
            ok = gen_udp:send(S, {127, 0, 0, 1}, Port, "hello"),
            {xf:datagrams(S, Env#{quiet => 100}), xf:datagrams(S, Env#{quiet => 1200})}
        end})
    ++
    [
        {latency_recv_timeout, "A recv whose time is over before the datagram comes.",
            {udp_relay, [{recv, {delay, 500}}], [echo]}, {{udp, [echo]}, [{#{}, {latency, #{ms => 500}}}]},
            fun(B, #{port := Port}) ->
                {S, _} = xc:udp(B, []),
                [ok = gen_udp:send(S, {127, 0, 0, 1}, Port, Data) || Data <- ["hello", "again"]],
                {element(1, gen_udp:recv(S, 0, 200)), element(1, gen_udp:recv(S, 0, 20000))}
            end},
        {black_hole_connected, "The same when the socket is connected.",
            {udp_relay, [{send, {lose, N}} || N <- lists:seq(1, 5)], [echo]}, {{udp, [echo]}, [{#{}, blackhole}]},
            fun(B, #{port := Port}) ->
                {S, _} = xc:udp(B, []),
                ok = gen_udp:connect(S, {127, 0, 0, 1}, Port),
                {[gen_udp:send(S, "hello") || _ <- [1, 2, 3]], gen_udp:recv(S, 0, 300)}
            end}
    ].

refused() ->
    Refused =
        xf:variants(xf:few(), {
            refused, "A connected socket whose peer has no socket.",
            nobody, {{udp, [echo]}, [{#{}, refuse}]},
            fun(B, #{port := Port, active := Active}) ->
                {S, _} = xc:udp(B, [{active, Active}]),
                ok = gen_udp:connect(S, {127, 0, 0, 1}, Port),
                First = gen_udp:send(S, "hello"),
                timer:sleep(50),
                Seen = case Active of false -> gen_udp:recv(S, 0, 300); _ -> xc:next(300) end,
                {First, Seen, inet:getopts(S, [active])}
            end}),
    Refused ++
    [
        {refused_send, "The second send says so.",
            nobody, {{udp, [echo]}, [{#{}, refuse}]},
            fun(B, #{port := Port}) ->
                {S, _} = xc:udp(B, []),
                ok = gen_udp:connect(S, {127, 0, 0, 1}, Port),
                First = gen_udp:send(S, "hello"),
                timer:sleep(50),
                {First, gen_udp:send(S, "again"), gen_udp:recv(S, 0, 100)}
            end},
        {refused_unconnected, "A socket that is not connected hears nothing.",
            nobody, {{udp, [echo]}, [{#{}, refuse}]},
            fun(B, #{port := Port}) ->
                {S, _} = xc:udp(B, []),
                First = gen_udp:send(S, {127, 0, 0, 1}, Port, "hello"),
                timer:sleep(50),
                {First, gen_udp:send(S, {127, 0, 0, 1}, Port, "again"), gen_udp:recv(S, 0, 100)}
            end},
        {message_too_long, "A datagram that is too long.",
            {with, #{size => 70000}, {udp, [echo]}},
            {{with, #{size => 1000}, {udp, [echo]}}, [{#{}, {error, #{call => send, errno => emsgsize}}}]},
            fun(B, #{port := Port, size := Size}) ->
                {S, _} = xc:udp(B, []),
                {gen_udp:send(S, {127, 0, 0, 1}, Port, xc:fill(Size)), gen_udp:recv(S, 0, 100)}
            end},
        {orders, "What is doubled first, and then what is lost.",
            {udp_relays, [[{recv, {lose, 2}}], [{recv, {twice, 1}}]], [{send, 4}]},
            {{udp, [{send, 4}]}, [
                {#{direction => recv}, {duplicate, #{p => 1.0}}, #{'when' => {nth, 1}}},
                {#{direction => recv}, {loss, #{p => 1.0}}, #{'when' => {nth, 2}}}
            ]}, fun(B, Env) -> greeted(B, Env#{quiet => 600}) end},
        {orders_reversed, "What is lost first, and then what is doubled.",
            {udp_relays, [[{recv, {twice, 1}}], [{recv, {lose, 2}}]], [{send, 4}]},
            {{udp, [{send, 4}]}, [
                {#{direction => recv}, {loss, #{p => 1.0}}, #{'when' => {nth, 2}}},
                {#{direction => recv}, {duplicate, #{p => 1.0}}, #{'when' => {nth, 1}}}
            ]}, fun(B, Env) -> greeted(B, Env#{quiet => 600}) end},
        {recv_error, "A read that fails.",
            nobody, {{udp, [{send, 1}]}, [{#{}, {error, #{call => recv, errno => econnrefused}}, #{'when' => {nth, 1}}}]},
            fun(B, #{port := Port}) ->
                {S, _} = xc:udp(B, []),
                ok = gen_udp:connect(S, {127, 0, 0, 1}, Port),
                First = gen_udp:send(S, "hello"),
                {First, gen_udp:recv(S, 0, 1000)}
            end}
    ]
    ++
    [
        {Name, Text, {address, Address}, {{udp, [echo]}, [{#{}, {error, #{call => send, errno => Errno}}}]},
            fun(B, #{address := To, port := Port}) ->
                {ok, S} = gen_udp:open(0, xc:udp_options(B, [binary, {active, false}])),
                {gen_udp:send(S, To, Port, "x"), gen_udp:recv(S, 0, 100)}
            end}
     || {Name, Text, Address, Errno} <- [
            {unreachable, "The route says that the host is unreachable.", {10, 7, 2, 1}, ehostunreach},
            {no_route, "There is no route.", {10, 8, 0, 1}, enetunreach},
            {prohibited, "The route is prohibited.", {10, 7, 3, 1}, eacces}
        ]
    ]
    ++
    [
        {eagain_send, "The same as a send that does not go.",
            {made, fun bound/1, nobody},
            {{made, fun bound/1, nobody},
                [{#{host => path, direction => send}, {eagain, #{n => 1}}, #{'when' => {nth, 2}}}]},
            fun unix_fills/2},
        {unix_full, "A datagram socket of the unix domain whose queue is full.",
            {made, fun bound/1, nobody},
            {{made, fun bound/1, nobody},
                [{#{host => path}, {error, #{call => send, errno => eagain}}, #{'when' => {nth, {2, 1000}}}}]},
            fun unix_fills/2}
    ].

unix_fills(B, #{address := To}) ->
    {ok, S} = gen_udp:open(0, xc:udp_options(B, [local, binary, {active, false}])),
    [lists:usort(fills(S, To, 300)), gen_udp:close(S)].

%% A socket that is never read from.
bound(Env) ->
    Path = "/run/xf.udp." ++ integer_to_list(xf:number()),
    {ok, _} = gen_udp:open(0, [{ifaddr, {local, Path}}, {active, false}]),
    Env#{address => {local, Path}}.

fills(_, _, 0) -> [never];
fills(S, To, N) ->
    case gen_udp:send(S, To, 0, "x") of
        ok -> [ok | fills(S, To, N - 1)];
        Error -> [Error]
    end.
