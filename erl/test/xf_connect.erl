%% Connections that do not come about, names that are not known, calls that are refused.
-module(xf_connect).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() -> xf:scenarios(lists:append([refused(), routes(), listening(), setting(), names(), unix()])).

-define(PEER, {peer, [{send, 200}, wait]}).

refused() ->
    Modes = [{passive, #{}}, {active, #{active => true}}, {half_closed, #{options => [{exit_on_close, false}, {show_econnreset, true}]}}],
    lists:append([
        xf:variants(Modes, {refused, "A port where nobody listens.", nobody, {?PEER, [{#{}, refuse}]}, fun opened/2}),
        [
            {refused_error, "The same as the error of a call.", nobody,
                {?PEER, [{#{}, {error, #{call => connect, errno => econnrefused}}}]}, fun opened/2},
            {refused_down, "The same when the host is down.", nobody, {?PEER, [{#{}, down}]}, fun opened/2},
            {refused_twice, "Refused, and refused again.", nobody, {?PEER, [{#{}, refuse}]},
                fun(B, Env) -> [opened(B, Env), opened(B, Env)] end},
            {refused_once, "Refused, and then somebody listens.",
                {made, fun(Env) -> Env#{between => fun() -> listen(Env) end} end, nobody},
                {{with, #{between => fun() -> ok end}, ?PEER}, [{#{}, refuse, #{'when' => {nth, 1}}}]},
                fun(B, #{between := Between} = Env) ->
                    First = opened(B, Env),
                    _ = Between(),
                    {First, element(1, opened(B, Env))}
                end}
        ]
    ]).

%% A listener on inet.
listen(#{port := Port}) -> {ok, _} = gen_tcp:listen(Port, [{ip, {127, 0, 0, 1}}]).

opened(B, Env) ->
    case xf:open(B, Env, []) of
        {error, _} = Error -> Error;
        S -> {opened, gen_tcp:close(S)}
    end.

%% --- routes -------------------------------------------------------------------

routes() ->
    [
        {unreachable, "The route says that the host is unreachable.",
            {address, {10, 7, 2, 1}}, {?PEER, [connect(ehostunreach)]}, fun opened/2},
        {unreachable_far, "A router says that the host is unreachable.",
            {address, {10, 7, 5, 1}}, {?PEER, [connect(ehostunreach)]}, fun opened/2},
        {no_route, "There is no route.",
            {address, {10, 8, 0, 1}}, {?PEER, [connect(enetunreach)]}, fun opened/2},
        {prohibited, "The route is prohibited.",
            {address, {10, 7, 3, 1}}, {?PEER, [connect(eacces)]}, fun opened/2},
        {dropped_here, "The route drops what is sent: the system tells.",
            {address, {10, 7, 4, 1}}, {?PEER, [connect(einval)]}, fun opened/2},
        {timed_out, "Nobody answers, and the system gives up.",
            {with, #{timeout => 20000}, {address, {10, 7, 6, 1}}},
            {{with, #{timeout => 20000}, ?PEER}, [connect(etimedout)]}, fun opened/2},
        {black_hole, "Nobody answers, and the caller's time is over.",
            {with, #{timeout => 400}, {address, {10, 7, 6, 2}}},
            {{with, #{timeout => 400}, ?PEER}, [{#{}, blackhole}]},
            fun(B, Env) -> xf:paced(400, fun() -> opened(B, Env) end) end},
        {black_hole_no_time, "Nobody answers, and the caller has no time.",
            {with, #{timeout => 0}, {address, {10, 7, 6, 3}}},
            {{with, #{timeout => 0}, ?PEER}, [{#{}, blackhole}]}, fun opened/2},
        {address_not_ours, "A local address that the host does not have.",
            {with, #{local => [{ip, {192, 0, 2, 1}}]}, ?PEER}, {{with, #{local => [{ip, {127, 0, 0, 1}}]}, ?PEER}, [bind(eaddrnotavail)]},
            fun bound/2},
        {port_in_use, "A local port that is in use.",
            {made, fun in_use/1, ?PEER}, {{made, fun free/1, ?PEER}, [bind(eaddrinuse)]}, fun bound/2},
        {port_of_root, "A local port that is not for everybody.",
            {with, #{local => [{port, 22}]}, ?PEER}, {{made, fun free/1, ?PEER}, [bind(eacces)]}, fun bound/2}
    ].

connect(Errno) -> {#{}, {error, #{call => connect, errno => Errno}}}.

bind(Errno) -> {#{owner => self}, {error, #{call => bind, errno => Errno}}}.

bound(B, #{local := Options} = Env) -> opened(B, Env#{options => Options}).

in_use(Env) ->
    {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    Env#{local => [{ip, {127, 0, 0, 1}}, {port, xc:listener_port(L)}], free => xc:listener_port(L)}.

free(#{port := Port} = Env) ->
    Free = Port + 5000,
    Env#{local => [{ip, {127, 0, 0, 1}}, {port, Free}], free => Free}.

%% --- listening ----------------------------------------------------------------

listening() ->
    [
        {listen_in_use, "listen on a port that is in use.",
            {made, fun in_use/1, nobody}, {{made, fun free/1, nobody}, [listen_error(eaddrinuse)]}, fun listened/2},
        {listen_of_root, "listen on a port that is not for everybody.",
            {with, #{local => [], free => 22}, nobody},
            {{made, fun free/1, nobody}, [{#{owner => self}, {error, #{call => bind, errno => eacces}}}]}, fun listened/2},
        {listen_not_ours, "listen on an address that the host does not have.",
            {with, #{local => [{ip, {192, 0, 2, 1}}], free => 0}, nobody},
            {{made, fun free/1, nobody}, [bind(eaddrnotavail)]}, fun listened/2},
        {listen_udp_in_use, "A datagram socket on a port that is in use.",
            {made, fun udp_in_use/1, nobody}, {{made, fun free/1, nobody}, [bind(eaddrinuse)]},
            fun(B, #{free := Port}) ->
                case gen_udp:open(Port, xc:udp_options(B, [{ip, {127, 0, 0, 1}}])) of
                    {ok, S} -> {opened, gen_udp:close(S)};
                    Error -> Error
                end
            end},
        {accept_eagain, "Wakings with nothing to accept: nobody is told.",
            nobody, {nobody, [{#{local_port => port}, {eagain, #{n => 3}}}]},
            fun(B, #{port := Port}) ->
                L = xc:listen(B, Port, []),
                ok = stay(Port),
                First = element(1, gen_tcp:accept(L, 2000)),
                Call = xc:spawn_call(fun() -> element(1, gen_tcp:accept(L, 2000)) end),
                timer:sleep(50),
                ok = stay(Port),
                {First, xc:await(Call), gen_tcp:accept(L, 50)}
            end},
        {accept_reset, "A client that resets before it is accepted: the socket is accepted, and reset.",
            {made, fun(Env) -> Env#{between => fun reset_early/1} end, nobody},
            {{made, fun(Env) -> Env#{between => fun stay/1} end, nobody}, [{#{local_port => port, role => accepted}, reset}]},
            fun(B, #{port := Port, between := Between}) ->
                L = xc:listen(B, Port, [{show_econnreset, true}]),
                ok = Between(Port),
                S = xc:accept(L),
                {gen_tcp:recv(S, 0, 20000), gen_tcp:close(S), gen_tcp:close(L)}
            end}
    ].

listen_error(Errno) -> {#{owner => self}, {error, #{call => listen, errno => Errno}}}.

listened(B, #{free := Port, local := Local}) ->
    case gen_tcp:listen(Port, xc:options(B, lists:keydelete(port, 1, Local))) of
        {ok, L} -> {opened, gen_tcp:close(L)};
        Error -> Error
    end.

udp_in_use(Env) ->
    {ok, P} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
    Env#{free => xc:listener_port(P)}.

reset_early(Port) ->
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]),
    xc:reset(C).

stay(Port) ->
    {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]),
    ok.

%% --- options ------------------------------------------------------------------

setting() ->
    [
        {option_no_device, "A device that does not exist.",
            {with, #{option => {bind_to_device, <<"nosuch">>}}, ?PEER},
            {{with, #{option => {bind_to_device, <<"lo">>}}, ?PEER}, [{#{}, {error, #{call => setopt, errno => enodev}}}]}, fun set/2},
        {option_unknown, "An option that the system does not know.",
            {with, #{option => {raw, 6, 9999, <<1:32/native>>}}, ?PEER},
            {{with, #{option => {raw, 6, 1, <<1:32/native>>}}, ?PEER},
                [{#{}, {error, #{call => setopt, errno => enoprotoopt}}}]}, fun set/2},
        {option_in_a_list, "A refused option among others.",
            {with, #{option => {raw, 6, 9999, <<1:32/native>>}}, ?PEER},
            {{with, #{option => {raw, 6, 1, <<1:32/native>>}}, ?PEER},
                [{#{}, {error, #{call => setopt, errno => enoprotoopt}}, #{'when' => {nth, 2}}}]},
            fun(B, #{option := Option} = Env) ->
                S = xf:open(B, Env, []),
                Set = inet:setopts(S, [{nodelay, true}, Option, {keepalive, true}]),
                {Set, inet:getopts(S, [nodelay, keepalive]), gen_tcp:recv(S, 200, 2000)}
            end}
    ].

set(B, #{option := Option} = Env) ->
    S = xf:open(B, Env, []),
    {inet:setopts(S, [Option]), inet:getopts(S, [active]), gen_tcp:recv(S, 200, 2000)}.

%% --- names --------------------------------------------------------------------

%% The resolver's server is xf_names. Names of `ok.test` have the address 127.0.0.1.
names() ->
    [
        {nxdomain, "A name that nobody knows.", named("a.nx.test"), {named("a.ok.test"), [{#{host => name}, nxdomain}]}, fun looked_up/2},
        {nxdomain_connect, "connect to it.", named("b.nx.test"), {named("b.ok.test"), [{#{host => name}, nxdomain}]}, fun by_name/2},
        {nxdomain_udp, "A datagram to it.", named("c.nx.test"),
            {named("c.ok.test"), [{#{host => name}, nxdomain}]}, fun datagram_by_name/2},
        {nxdomain_glob, "All names of a domain.", named("d.nx.test"),
            {named("d.ok.test"), [{#{host => <<"d.*">>}, nxdomain}]}, fun looked_up/2},
        {servfail, "A resolver's server that fails.", named("e.fail.test"),
            {named("e.ok.test"), [{#{host => name}, {error, #{call => resolve, errno => nxdomain}}}]}, fun looked_up/2},
        {no_data, "A name without an address.", named("f.none.test"),
            {named("f.ok.test"), [{#{host => name}, {error, #{call => resolve, errno => nxdomain}}}]}, fun looked_up/2},
        {dead_resolver, "A resolver's server that does not answer.", named("h.dead.test"),
            {named("h.ok.test"), [{#{host => name}, resolve_timeout}]},
            fun(B, Env) -> xf:paced(7500, fun() -> by_name(B, Env#{timeout => 15000}) end) end},
        {dead_resolver_others, "Other names are found meanwhile.", named("j.dead.test"),
            {named("j.ok.test"), [{#{host => name}, resolve_timeout}]},
            fun(B, Env) ->
                Call = xc:spawn_call(fun() -> looked_up(B, Env) end),
                {looked_up(B, Env#{name => "k.ok.test"}), xc:await(Call, 15000)}
            end},
        {refused_by_name, "A name whose host refuses.", {made, fun with_name/1, nobody},
            {{made, fun with_name/1, ?PEER}, [{#{host => name}, refuse}]}, fun by_name/2}
    ].

named(Name) -> {made, fun(Env) -> ok = xf_names:start(), Env#{name => Name} end, ?PEER}.

with_name(Env) -> ok = xf_names:start(), Env#{name => "l.ok.test"}.

looked_up(#{inet := Inet} = B, #{name := Name}) ->
    case Inet of
        inet -> inet:getaddr(Name, inet);
        _ -> _ = B, inetpy_tcp:getaddr(Name)
    end.

by_name(B, #{name := Name} = Env) -> opened(B, Env#{address => Name}).

datagram_by_name(B, #{name := Name, port := Port}) ->
    {S, _} = xc:udp(B, []),
    {gen_udp:send(S, Name, Port, "x"), gen_udp:close(S)}.

%% --- unix sockets -------------------------------------------------------------

unix() ->
    [
        {unix_no_file, "A path that does not exist.", {address, {local, "/run/nosuch"}},
            {{local, [wait]}, [{#{}, {error, #{call => connect, errno => enoent}}}]}, fun unix_opened/2},
        {unix_refused, "A path where nobody listens.", {made, fun left_over/1, nobody},
            {{local, [wait]}, [{#{}, refuse}]}, fun unix_opened/2},
        {unix_full, "A listener whose queue is full.", {made, fun full/1, nobody},
            {{local, [wait]}, [{#{}, {error, #{call => connect, errno => eagain}}}]}, fun unix_opened/2}
    ].

%% The stock driver takes a full queue for a connection.
unix_opened(B, #{address := Address}) ->
    case gen_tcp:connect(Address, 0, xc:options(B, [local, binary, {active, false}]), 1000) of
        {ok, S} -> {opened, inet:peername(S), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 100), gen_tcp:close(S)};
        Error -> Error
    end.

left_over(Env) ->
    Path = "/run/xf.left." ++ integer_to_list(xf:number()),
    {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, Path}}]),
    ok = gen_tcp:close(L),
    Env#{address => {local, Path}}.

full(Env) ->
    Path = "/run/xf.full." ++ integer_to_list(xf:number()),
    {ok, _} = gen_tcp:listen(0, [{ifaddr, {local, Path}}, {backlog, 0}]),
    {ok, _} = gen_tcp:connect({local, Path}, 0, [local]),
    Env#{address => {local, Path}}.
