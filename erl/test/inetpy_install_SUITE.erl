%% The whole node on Python sockets: inetpy:install/0.
-module(inetpy_install_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([module_asked_for/1, own_default/1, default_of_inetrc/1]).
-export([all_calls/1, stock_by_option/1, own_module/1, idempotent/1, uninstalled/1, stopped/1, started_by_install/1]).
-export([bridge_dies/1, many_at_once/1, refused_while_in_use/1, listings/1, distribution/1, bad_options/1]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(LOOPBACK6, {0, 0, 0, 0, 0, 0, 0, 1}).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        all_calls, stock_by_option, module_asked_for, own_default, default_of_inetrc, own_module, idempotent, uninstalled, stopped, started_by_install, bridge_dies,
        many_at_once, refused_while_in_use, listings, distribution, bad_options
    ].

init_per_testcase(_Case, Config) ->
    ok = inetpy:install(),
    Config.

end_per_testcase(_Case, _Config) ->
    _ = inetpy:stop(),
    {ok, L} = gen_tcp:listen(0, []),
    true = is_port(L),
    gen_tcp:close(L).

%% Calls of every arity, with all options and addresses that name a family.
all_calls(_Config) ->
    Path = "/tmp/inetpy_install_" ++ os:getpid(),
    Listeners = [
        element(2, {ok, _} = gen_tcp:listen(0, Options))
     || Options <- [
            [], [inet], [inet6], [{ip, ?LOOPBACK}], [inet6, {ip, ?LOOPBACK6}], [local, {ip, {local, Path}}],
            [{ifaddr, {local, Path ++ "2"}}], [{tcp_module, inet_tcp}], [{tcp_module, inet6_tcp}],
            [inet, {tcp_module, inet_tcp}], [{ifaddr, #{family => inet, addr => ?LOOPBACK, port => 0}}]
        ]
    ],
    [] = [L || L <- Listeners, element(2, L) =/= inetpy_tcp],
    {ok, Port} = inet:port(lists:nth(4, Listeners)),
    {ok, Port6} = inet:port(lists:nth(5, Listeners)),
    Where = #{family => inet, addr => ?LOOPBACK, port => Port},
    {ok, Connected} = {ok, [
        element(2, {ok, _} = apply(gen_tcp, connect, Arguments))
     || Arguments <- [
            [?LOOPBACK, Port, []], ["localhost", Port, [inet]], ["localhost", Port, [], 5000], [?LOOPBACK6, Port6, [inet6]],
            ["::1", Port6, [inet6], 5000], [Where, []], [Where, [inet], 5000], [{local, Path}, 0, [local]],
            [?LOOPBACK, Port, [{tcp_module, inet_tcp}]]
        ]
    ]},
    [] = [S || S <- Connected, element(2, S) =/= inetpy_tcp],
    Opened = [
        element(2, {ok, _} = apply(gen_udp, open, Arguments))
     || Arguments <- [[0], [0, [inet]], [0, [inet6]], [0, [local]], [0, [{ip, ?LOOPBACK}]], [0, [{udp_module, inet6_udp}]]]
    ],
    [] = [U || U <- Opened, element(2, U) =/= inetpy_udp],
    true = lists:sort(Listeners ++ Connected ++ Opened) =:= lists:sort(inetpy:which_sockets()),
    [file:delete(Name) || Name <- [Path, Path ++ "2"]].

stock_by_option(_Config) ->
    Path = "/tmp/inetpy_stock_" ++ os:getpid(),
    Stock = [{inet_backend, inet}],
    Listeners = [
        element(2, {ok, _} = gen_tcp:listen(0, Stock ++ Options))
     || Options <- [[], [inet], [{ip, ?LOOPBACK6}], [{ip, {local, Path}}], [{ifaddr, #{family => inet6, addr => ?LOOPBACK6, port => 0}}]]
    ],
    [L, _, L6 | _] = Listeners,
    [{ok, Port}, {ok, Port6}] = [inet:port(Listener) || Listener <- [L, L6]],
    Connected = [
        element(2, {ok, _} = apply(gen_tcp, connect, Arguments))
     || Arguments <- [
            [?LOOPBACK, Port, Stock], [?LOOPBACK, Port, Stock, 5000], ["localhost", Port, Stock], [?LOOPBACK6, Port6, Stock],
            [{local, Path}, 0, Stock], [#{family => inet, addr => ?LOOPBACK, port => Port}, Stock],
            [#{family => inet6, addr => ?LOOPBACK6, port => Port6}, Stock, 5000], [?LOOPBACK, Port, [{inet_backend, inet}, inet]]
        ]
    ],
    Opened = [element(2, {ok, _} = gen_udp:open(0, Stock ++ O)) || O <- [[], [inet], [{ip, ?LOOPBACK6}], [{ip, {local, Path ++ "2"}}]]],
    [] = [S || S <- Listeners ++ Connected ++ Opened, not is_port(S)],
    [ok = file:delete(F) || F <- [Path, Path ++ "2"]],
    %% a call can still ask for Python
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:connect(?LOOPBACK, Port, [{inet_backend, inet}, {tcp_module, inetpy_tcp}]).

%% Libraries that ask OTP for a module, and call the module.
module_asked_for(_Config) ->
    {Listening, Options} = inet:tcp_module([binary, {active, false}, {ip, ?LOOPBACK6}]),
    {ok, {'$inet', inetpy_tcp, _} = L} = Listening:listen(0, Options),
    {ok, Port} = inet:port(L),
    {Module, []} = inet:tcp_module([], ?LOOPBACK6),
    {ok, [IP]} = Module:getaddrs(?LOOPBACK6),
    {ok, Number} = Module:getserv(Port),
    {ok, {'$inet', inetpy_tcp, _} = S} = Module:connect(IP, Number, [binary], 5000),
    {ok, A} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(A, "hello"),
    receive {tcp, S, <<"hello">>} -> ok after 5000 -> ct:fail(nothing) end,
    Path = "/tmp/inetpy_asked_" ++ os:getpid(),
    Default = inet_db:tcp_module(),
    {ok, {'$inet', inetpy_tcp, _}} = Default:listen(0, [{ip, ?LOOPBACK}]),
    {ok, {'$inet', inetpy_tcp, _}} = Default:listen(0, [{ifaddr, {local, Path}}]),
    {ok, {'$inet', inetpy_tcp, _}} = Default:connect({local, Path}, 0, [], 5000),
    {ok, {'$inet', inetpy_tcp, _}} = Default:connect(#{family => inet6, addr => ?LOOPBACK6, port => Port}, [], 5000),
    Udp = inet_db:udp_module(),
    [{ok, {'$inet', inetpy_udp, _}} = Udp:open(0, O) || O <- [[], [{ip, ?LOOPBACK6}], [{ip, {local, Path ++ "2"}}]]],
    [ok = file:delete(F) || F <- [Path, Path ++ "2"]],
    ok = inetpy:uninstall(),
    [inet_tcp, inet_udp] = [inet_db:tcp_module(), inet_db:udp_module()].

%% uninstall/0 restores a default module that is not OTP's. A default that was set meanwhile stays.
own_default(_Config) ->
    ok = inetpy:uninstall(),
    ok = inet_db:set_tcp_module(inet6_tcp),
    ok = inetpy:install(),
    inetpy6_tcp = inet_db:tcp_module(),
    {ok, {'$inet', inetpy_tcp, _} = L} = gen_tcp:listen(0, []),
    {ok, {{0, 0, 0, 0, 0, 0, 0, 0}, _}} = inet:sockname(L),
    ok = inetpy:uninstall(),
    inet6_tcp = inet_db:tcp_module(),
    ok = inetpy:install(),
    ok = inet_db:set_tcp_module(inet_tcp),
    ok = inetpy:uninstall(),
    inet_tcp = inet_db:tcp_module().

%% Without install/0, with `{tcp, inetpy_tcp}` in an inetrc: the address decides on the family.
default_of_inetrc(_Config) ->
    ok = inetpy:uninstall(),
    ok = inet_db:set_tcp_module(inetpy_tcp),
    ok = inet_db:set_udp_module(inetpy_udp),
    {ok, {'$inet', inetpy_tcp, _} = L} = gen_tcp:listen(0, [{ip, ?LOOPBACK6}]),
    {ok, Port} = inet:port(L),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:connect(?LOOPBACK6, Port, []),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:connect(#{family => inet6, addr => ?LOOPBACK6, port => Port}, []),
    {ok, {'$inet', inetpy_udp, _}} = gen_udp:open(0, [{ip, ?LOOPBACK6}]),
    ok = inet_db:set_tcp_module(inet_tcp),
    ok = inet_db:set_udp_module(inet_udp).

%% A module that the caller names is used.
own_module(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{tcp_module, inetpy_happy_tcp}]),
    {'$inet', inetpy_tcp, _} = L,
    {error, undef} = xc:attempt(fun() -> element(1, gen_tcp:listen(0, [{tcp_module, no_such_module}])) end).

idempotent(_Config) ->
    ok = inetpy:install(),
    ok = inetpy:install(),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
    ok = inetpy:uninstall(),
    ok = inetpy:uninstall(),
    {ok, L} = gen_tcp:listen(0, []),
    true = is_port(L),
    ok = inetpy:install(),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []).

%% After uninstall/0 everything is as before. Open sockets work on.
uninstalled(_Config) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    ok = inetpy:uninstall(),
    Kernel = filename:join(code:lib_dir(kernel), "ebin"),
    [Kernel, Kernel] = [filename:dirname(code:which(Module)) || Module <- [gen_tcp_socket, gen_udp_socket]],
    true = code:is_sticky(gen_tcp_socket),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, [binary, {active, false}]),
    true = is_port(C),
    {ok, {'$inet', inetpy_tcp, _} = A} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(C, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(A, 5, 5000),
    %% the `socket` backend works, whose modules were replaced
    {ok, {'$inet', gen_tcp_socket, _} = S} = gen_tcp:listen(0, [{inet_backend, socket}]),
    ok = gen_tcp:close(S).

stopped(_Config) ->
    ok = inetpy:stop(),
    false = inetpy_install:is_installed(),
    {ok, L} = gen_tcp:listen(0, []),
    true = is_port(L).

started_by_install(_Config) ->
    ok = inetpy:stop(),
    ok = inetpy:install(),
    {ok, {'$inet', inetpy_udp, _}} = gen_udp:open(0).

%% A bridge that dies is started again. Calls wait until it is there.
bridge_dies(_Config) ->
    [
        begin
            #{bridge := Bridge, os_pid := OsPid} = inetpy:info(),
            Ref = erlang:monitor(process, Bridge),
            os:cmd("kill -9 " ++ integer_to_list(OsPid)),
            receive {'DOWN', Ref, _, _, _} -> ok after 10000 -> ct:fail("the bridge lives") end,
            {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, [])
        end
     || _ <- [1, 2]
    ].

%% Installing, uninstalling and calling from many processes at once.
many_at_once(_Config) ->
    Work = fun(N) ->
        case N rem 3 of
            0 -> ok = inetpy:install();
            1 -> ok = inetpy:uninstall();
            2 -> {ok, L} = gen_tcp:listen(0, []), ok = gen_tcp:close(L)
        end
    end,
    Workers = [spawn_monitor(fun() -> Work(N) end) || N <- lists:seq(1, 60)],
    [receive {'DOWN', Ref, process, Pid, Reason} -> normal = Reason after 30000 -> ct:fail(Pid) end || {Pid, Ref} <- Workers],
    ok = inetpy:install(),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []).

%% install/0 refuses while sockets of OTP's socket backend are open: they would lose their module.
refused_while_in_use(_Config) ->
    ok = inetpy:uninstall(),
    {ok, S} = gen_tcp:listen(0, [{inet_backend, socket}]),
    {error, {sockets_open, [_]}} = inetpy:install(),
    ok = gen_tcp:close(S),
    true = xc:until(fun() -> inetpy:install() =:= ok end).

%% inet:i/0 shows stock sockets and Python's.
listings(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    ct:capture_start(),
    ok = inetpy:i(),
    ok = inet:i(tcp),
    ct:capture_stop(),
    Text = lists:append(ct:capture_get([])),
    [_, _, _] = string:split(Text, ":" ++ integer_to_list(Port), all).

%% Two distributed nodes with a table of mnesia on both. Distribution stays on the stock driver. ct_run has made
%% this node a distributed one.
distribution(_Config) ->
    {ok, Peer, Node} = peer:start(#{
        name => peer:random_name(), args => ["-pa" | [filename:dirname(code:which(M)) || M <- [inetpy, ?MODULE]]]
    }),
    ok = erpc:call(Node, inetpy, install, []),
    {'$inet', inetpy_tcp, _} = erpc:call(Node, fun() -> element(2, gen_tcp:listen(0, [])) end),
    {Node, Link} = lists:keyfind(Node, 1, erlang:system_info(dist_ctrl)),
    true = is_port(Link),
    mnesia_pair(Node),
    ok = peer:stop(Peer).

mnesia_pair(Node) ->
    [ok = erpc:call(N, mnesia, start, []) || N <- [node(), Node]],
    {ok, [Node]} = mnesia:change_config(extra_db_nodes, [Node]),
    {atomic, ok} = mnesia:create_table(numbers, [{ram_copies, [node(), Node]}]),
    {atomic, ok} = mnesia:sync_transaction(fun() -> [ok = mnesia:write({numbers, N, N * N}) || N <- lists:seq(1, 500)], ok end),
    500 = erpc:call(Node, mnesia, table_info, [numbers, size]),
    [{numbers, 20, 400}] = erpc:call(Node, mnesia, dirty_read, [numbers, 20]),
    [stopped = erpc:call(N, mnesia, stop, []) || N <- [Node, node()]].

%% Options that are none are refused, and change nothing.
bad_options(_Config) ->
    [
        {error, {bad_option, Options}} = inetpy:install(Options)
     || Options <- [true, [], [{socket, true}], #{socket => 1}, #{inet => yes}, #{udp => true}]
    ],
    false = inetpy_install:leads_sockets().
