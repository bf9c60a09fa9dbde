%% inetpy_fault: rules of this node, how long they hold, and whom they concern.
-module(inetpy_fault_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    as_in_the_docs/1, every_way_out/1, killed_in_with/1, dies_with_its_process/1, removed_twice/1, bad_rules/1,
    refused_in_with/1, for_a_time/1, not_started/1, reset_removes_all/1, nothing_in_play/1
]).
-export([python_dies/1, python_dies_often/1, python_keeps_rules/1, many_rules/1, described/1, no_python/1, keeper_of_rules_dies/1, two_bridges/1]).
-export([
    own_process/1, spawned/1, gen_servers/1, supervised/1, callers/1, registered/1, applications/1, given_away/1,
    accepted/1, open_sockets/1, chatty_sockets/1, gone_and_remote/1, side_by_side/1
]).
-export([name_asked/1, address_asked/1, second_address/1, datagrams/1, each_call/1, each_call_raises/1]).
%% for processes of other modules
-export([start_link/0, init/1, handle_call/3, handle_cast/2, start/2, stop/1]).

-include_lib("common_test/include/ct.hrl").

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).
-define(LOOPBACK, {127, 0, 0, 1}).
-define(REFUSED, {error, ehostunreach}).
%% What a failed write looks like to the process that sends: as with the stock driver.
-define(NO_SEND, {error, #{call => send, errno => enobufs}}).
-define(NOT_SENT, {error, closed}).
-define(NO_CONNECT, {error, #{call => connect, errno => ehostunreach}}).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        as_in_the_docs, every_way_out, killed_in_with, dies_with_its_process, removed_twice, bad_rules,
        refused_in_with, for_a_time, not_started, reset_removes_all, nothing_in_play,
        python_dies, python_dies_often, python_keeps_rules, many_rules, described, no_python, keeper_of_rules_dies, two_bridges,
        own_process, spawned, gen_servers, supervised, callers, registered, applications, given_away,
        accepted, open_sockets, chatty_sockets, gone_and_remote, side_by_side,
        name_asked, address_asked, second_address, datagrams, each_call, each_call_raises
    ].

init_per_testcase(not_started, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    Bridges = case Case of two_bridges -> 2; _ -> 1 end,
    ok = inetpy:start(#{bridges => Bridges}),
    {ok, Listener} = gen_tcp:listen(0, [{ip, ?LOOPBACK}, {backlog, 200}, {active, false}]),
    {ok, Port} = inet:port(Listener),
    [{port, Port}, {listener, Listener} | Config].

end_per_testcase(_Case, _Config) ->
    Strangers = [Id || {Id, _, _, [?MODULE]} <- supervisor:which_children(kernel_safe_sup)],
    [ok = supervisor:terminate_child(kernel_safe_sup, Id) || Id <- Strangers],
    _ = inetpy:stop(),
    application:unset_env(inetpy, bridges),
    ok.

%% --- rules -------------------------------------------------------------------

%% The examples of docs/faults.md and of the module.
as_in_the_docs(Config) ->
    Port = port(Config),
    {Microseconds, answer} = timer:tc(fun() ->
        inetpy_fault:with(#{port => Port}, [{latency, #{ms => 200, jitter => 50}}], fun() ->
            {ok, S} = gen_tcp:connect("localhost", Port, ?INETPY),
            {ok, A} = gen_tcp:accept(?config(listener, Config)),
            ok = gen_tcp:send(A, "hello"),
            {ok, <<"hello">>} = gen_tcp:recv(S, 5),
            answer
        end)
    end),
    true = Microseconds > 140000,
    {ok, Rule} = inetpy_fault:add(#{owner => self()}, {reset, #{after_bytes => 4096}}),
    {ok, Rule2} = inetpy_fault:add(#{host => "local*"}, ?NO_CONNECT, #{'when' => {nth, 2}}),
    {ok, _} = connect("localhost", Config),
    ?REFUSED = connect("localhost", Config),
    {ok, _} = connect("localhost", Config),
    1 = inetpy_fault:fired(Rule2),
    [#{call := connect}] = inetpy_fault:events(Rule2),
    0 = inetpy_fault:fired(Rule),
    1 = inetpy_fault:fired(),
    [
        #{rule := Rule, whom := #{owner := Self}, what := {reset, #{after_bytes := 4096}}, fired := 0},
        #{rule := Rule2, whom := #{host := <<"local*">>}, what := {error, _}, fired := 1}
    ] = inetpy_fault:rules(),
    Self = self(),
    ok = inetpy_fault:remove(Rule),
    ok = inetpy_fault:remove(Rule2),
    ok = inetpy_fault:reset().

%% The rule holds inside, and is gone behind, whatever Fun does.
every_way_out(Config) ->
    Whom = #{port => port(Config)},
    [
        begin
            {ok, _} = connect(Config),
            Outcome = outcome(fun() ->
                inetpy_fault:with(Whom, [?NO_CONNECT, {latency, #{ms => 1}}], fun() ->
                    ?REFUSED = connect(Config),
                    2 = length(inetpy_fault:rules()),
                    Fun()
                end)
            end),
            [] = inetpy_fault:rules(),
            {ok, _} = connect(Config)
        end
     || {Fun, Outcome} <- [
            {fun() -> value end, {returned, value}},
            {fun() -> throw(ball) end, {throw, ball}},
            {fun() -> error(bug) end, {error, bug}},
            {fun() -> exit(normal) end, {exit, normal}}
        ]
    ].

outcome(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        Class:Reason -> {Class, Reason}
    end.

%% The process is killed inside: nothing of it runs any more, but its rules go.
killed_in_with(Config) ->
    Test = self(),
    {Pid, Ref} = spawn_monitor(fun() ->
        inetpy_fault:with(#{port => port(Config)}, [?NO_CONNECT], fun() -> Test ! inside, receive never -> ok end end)
    end),
    receive inside -> ok end,
    ?REFUSED = connect(Config),
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok end,
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    {ok, _} = connect(Config).

%% Each rule ends with its own process.
dies_with_its_process(Config) ->
    Owners = [Other, One] = [owner_of(#{port => port(Config)}, ?NO_CONNECT) || _ <- [1, 2]],
    2 = length(inetpy_fault:rules()),
    stop(One),
    true = xc:until(fun() -> length(inetpy_fault:rules()) =:= 1 end),
    ?REFUSED = connect(Config),
    stop(Other),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    {ok, _} = connect(Config),
    2 = length(Owners),
    %% a process that has ended before its rule is known
    Dead = xc:spawn_call(fun() -> inetpy_fault:add(#{}, down) end),
    {ok, _} = xc:await(Dead),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end).

%% Removing a rule that is gone is no error; nor is it one of another start of inetpy.
removed_twice(Config) ->
    {ok, Rule} = inetpy_fault:add(#{}, ?NO_CONNECT),
    ?REFUSED = connect(Config),
    ok = inetpy_fault:remove(Rule),
    ok = inetpy_fault:remove(Rule),
    0 = inetpy_fault:fired(Rule),
    [] = inetpy_fault:events(Rule),
    ok = inetpy:stop(),
    ok = inetpy_fault:remove(Rule),
    ok = inetpy:start(),
    ok = inetpy_fault:remove(Rule),
    {ok, New} = inetpy_fault:add(#{}, ?NO_CONNECT),
    true = New =/= Rule,
    ok = inetpy_fault:remove(Rule),
    ?REFUSED = connect(Config).

%% A sentence says what is wrong, and nothing has changed.
bad_rules(Config) ->
    [
        begin
            ct:pal("~p", [{Whom, What, When}]),
            {error, {bad_rule, Why}} = inetpy_fault:add(Whom, What, When),
            ct:pal("~ts", [Why]),
            true = io_lib:printable_unicode_list(Why) andalso length(Why) > 10
        end
     || {Whom, What, When} <- [
            {[], blackhole, #{}},
            {#{prot => 1}, blackhole, #{}},
            {#{port => "http"}, blackhole, #{}},
            {#{owner => "me"}, blackhole, #{}},
            {#{proto => sctp}, blackhole, #{}},
            {#{}, "blackhole", #{}},
            {#{}, blakchole, #{}},
            {#{}, {latency, [{ms, 5}]}, #{}},
            {#{}, {latency, #{}}, #{}},
            {#{}, {latency, #{ms => "5 s"}}, #{}},
            {#{}, {latency, #{ms => 5, jiter => 1}}, #{}},
            {#{}, {error, #{call => connect, errno => eoops}}, #{}},
            {#{}, {error, #{call => fly, errno => einval}}, #{}},
            {#{}, {bandwidth, #{rate => "256 parsec"}}, #{}},
            {#{proto => tcp}, {reorder, #{p => 0.5}}, #{}},
            {#{}, blackhole, []},
            {#{}, blackhole, #{'when' => {nth, 0}}},
            {#{}, blackhole, #{'when' => never}},
            {#{}, blackhole, #{'when' => {probability, 1.5}}},
            {#{}, blackhole, #{wenn => {nth, 1}}},
            {#{}, blackhole, #{for_ms => soon}}
        ]
    ],
    [] = inetpy_fault:rules(),
    none = persistent_term:get(inetpy_context, none),
    {ok, _} = connect(Config).

%% `with` fails, and no rule of it is left.
refused_in_with(Config) ->
    {error, {bad_rule, _}} = outcome(fun() ->
        inetpy_fault:with(#{}, [?NO_CONNECT, {latensy, #{ms => 5}}], fun() -> ct:fail(called) end)
    end),
    [] = inetpy_fault:rules(),
    2 = inetpy_fault:with(#{}, [{?NO_CONNECT, #{'when' => {nth, 2}}}, {down, #{'when' => {nth, 3}}}], fun() ->
        {ok, _} = connect(Config),
        ?REFUSED = connect(Config),
        length(inetpy_fault:rules())
    end).

%% A rule whose time is over is gone, and does not come back with the next Python.
for_a_time(Config) ->
    {ok, _} = inetpy_fault:add(#{}, ?NO_CONNECT, #{for_ms => 200}),
    ?REFUSED = connect(Config),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    true = xc:until(fun() -> persistent_term:get(inetpy_context, none) =:= none end),
    {ok, _} = connect(Config),
    kill_python(),
    {ok, _} = connect(Config).

not_started(_Config) ->
    ok = inetpy:start(),
    {ok, Rule} = inetpy_fault:add(#{}, blackhole),
    ok = inetpy:stop(),
    {error, {inetpy, not_started, "call inetpy:start() first"}} = NotStarted = inetpy_fault:add(#{}, blackhole),
    {error, {bad_rule, _}} = inetpy_fault:add([], blackhole),
    NotStarted = inetpy_fault:rules(),
    NotStarted = inetpy_fault:fired(),
    NotStarted = inetpy_fault:fired(Rule),
    NotStarted = inetpy_fault:each_call(einval, fun() -> ct:fail(called) end),
    {error, {inetpy, not_started, _}} = outcome(fun() ->
        inetpy_fault:with(#{}, [blackhole], fun() -> ct:fail(called) end)
    end),
    ok = inetpy_fault:remove(Rule),
    ok = inetpy_fault:reset().

%% Also those of other processes.
reset_removes_all(Config) ->
    Owner = owner_of(#{}, ?NO_CONNECT),
    {ok, _} = inetpy_fault:add(#{}, {latency, #{ms => 1}}),
    ok = inetpy_fault:reset(),
    [] = inetpy_fault:rules(),
    {ok, _} = connect(Config),
    %% a process whose rules are gone can add one, and still its end is seen
    {ok, _} = xc:await(xc:spawn_call(fun() -> inetpy_fault:add(#{}, ?NO_CONNECT) end)),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    stop(Owner).

%% No request has a context while nothing is in play, nothing looks at processes, and nothing is left in a dictionary.
nothing_in_play(Config) ->
    Calls = fun() ->
        {ok, S} = connect("localhost", Config),
        ok = gen_tcp:send(S, "hello"),
        ok = gen_tcp:close(S)
    end,
    [] = traced([inetpy_lineage], Calls),
    undefined = get('$inetpy_asked'),
    {ok, Rule} = inetpy_fault:add(#{}, {latency, #{ms => 1}}),
    true = persistent_term:get(inetpy_context),
    [_ | _] = traced([inetpy_lineage], Calls),
    ok = inetpy_fault:remove(Rule),
    none = persistent_term:get(inetpy_context, none),
    [] = traced([inetpy_lineage], Calls),
    {ok, S} = connect("localhost", Config),
    [] = traced([inetpy_lineage, inetpy_context, inetpy_faults], fun() ->
        ok = gen_tcp:send(S, "hello"),
        {error, timeout} = gen_tcp:recv(S, 0, 0),
        ok = inet:setopts(S, [{active, once}]),
        {ok, _} = inet:getopts(S, [active]),
        ok = gen_tcp:close(S)
    end).

%% The calls of functions of these modules that this process makes meanwhile.
traced(Modules, Fun) ->
    Tracer = spawn_link(fun() -> collect([]) end),
    [_ = erlang:trace_pattern({Module, '_', '_'}, true, [local]) || Module <- Modules],
    1 = erlang:trace(self(), true, [call, {tracer, Tracer}]),
    Fun(),
    1 = erlang:trace(self(), false, [call]),
    Ref = erlang:trace_delivered(self()),
    receive {trace_delivered, _, Ref} -> ok end,
    [_ = erlang:trace_pattern({Module, '_', '_'}, false, [local]) || Module <- Modules],
    Tracer ! {all, self()},
    receive {calls, Calls} -> Calls end.

collect(Calls) ->
    receive
        {trace, _, call, Call} -> collect([Call | Calls]);
        {all, To} -> To ! {calls, Calls}
    end.

%% --- the end of Python, and of other processes -------------------------------

%% The rules hold for the first socket of the next Python.
python_dies(Config) ->
    {ok, Rule} = inetpy_fault:add(#{port => port(Config)}, ?NO_CONNECT),
    Others = [owner_of(#{port => N}, down) || N <- lists:seq(1, 20)],
    kill_python(),
    ?REFUSED = connect(Config),
    1 = inetpy_fault:fired(Rule),
    21 = length(inetpy_fault:rules()),
    %% one that is removed before the next end does not come back
    ok = inetpy_fault:remove(Rule),
    kill_python(),
    {ok, _} = connect(Config),
    20 = length(inetpy_fault:rules()),
    lists:foreach(fun stop/1, Others).

%% Python is killed again and again, while rules are added, used and removed.
python_dies_often(Config) ->
    Killer = spawn_link(fun() -> kill_often(5) end),
    Ref = erlang:monitor(process, Killer),
    Rounds = rounds(Config, Ref, 0),
    ct:pal("~b rounds", [Rounds]),
    true = Rounds > 0.

kill_often(0) ->
    ok;
kill_often(N) ->
    kill_python(),
    _ = inetpy_fault:rules(),  % answered by the next Python
    kill_often(N - 1).

rounds(Config, Ref, N) ->
    {ok, Rule} = inetpy_fault:add(#{port => port(Config)}, ?NO_CONNECT),
    %% a connect that was under way is {error, closed}
    true = xc:until(fun() -> connect(Config) =/= {error, closed} end),
    case connect(Config) of
        ?REFUSED -> ok;
        {error, closed} -> ok
    end,
    ok = inetpy_fault:remove(Rule),
    receive
        {'DOWN', Ref, process, _, normal} -> N + 1
    after 0 ->
        rounds(Config, Ref, N + 1)
    end.

%% What was added to Python for good, from a shell, is told to the next Python.
python_keeps_rules(Config) ->
    ok = inetpy_faults:keep(1, -1, {#{port => port(Config)}, ?NO_CONNECT, #{}}),
    ok = inetpy_faults:keep(1, -2, {#{port => 1}, {down, #{}}, #{}}),
    ok = inetpy_faults:keep(2, -1, {#{}, {blackhole, #{}}, #{}}),  % of another bridge
    kill_python(),
    ?REFUSED = connect(Config),
    [#{fired := 1}, #{fired := 0}] = inetpy_fault:rules(),
    ok = inetpy_faults:forget(1, -1),
    kill_python(),
    {ok, _} = connect(Config),
    [#{whom := #{port := 1}}] = inetpy_fault:rules(),
    ok = inetpy_fault:reset(),
    kill_python(),
    [] = inetpy_fault:rules().

%% A new Python has them all before a socket is opened.
many_rules(Config) ->
    Whoms = [#{port => 1 + N rem 50000, label => integer_to_list(N)} || N <- lists:seq(1, 1000)],
    [{ok, _} = inetpy_fault:add(Whom, {latency, #{ms => 1}}) || Whom <- Whoms],
    {ok, _} = inetpy_fault:add(#{port => port(Config)}, ?NO_CONNECT),
    kill_python(),
    ?REFUSED = connect(Config),
    1001 = length(inetpy_fault:rules()),
    ok = inetpy_fault:reset(),
    [] = inetpy_fault:rules(),
    {ok, _} = connect(Config).

%% A file describes the network: its rules hold for the first socket, and a rule of this node changes nothing of them.
described(Config) ->
    File = filename:join(?config(priv_dir, Config), "net.py"),
    ok = file:write_file(File, "network.fault(error('connect', 'ehostunreach'), host='local*')\n"),
    true = os:putenv("INETPY_NETWORK", File),
    try
        [
            begin
                ok = inetpy:stop(),
                ok = inetpy:start(),
                ?REFUSED = connect("localhost", Config),
                {ok, _} = connect(Config)
            end
         || _ <- lists:seq(1, 5)
        ],
        {ok, Rule} = inetpy_fault:add(#{}, ?NO_CONNECT),
        [_, _] = inetpy_fault:rules(),
        ?REFUSED = connect(Config),
        ok = inetpy_fault:remove(Rule),
        ?REFUSED = connect("localhost", Config),
        kill_python(),
        ?REFUSED = connect("localhost", Config)
    after
        os:unsetenv("INETPY_NETWORK")
    end.

%% Python cannot be started: the call says so, and adds nothing.
no_python(Config) ->
    ok = inetpy:stop(),
    _ = logger:set_primary_config(level, emergency),
    _ = inetpy:start(#{python => "/nothing/here"}),
    ok = application:start(inetpy),
    {error, {inetpy, down, Why}} = inetpy_fault:add(#{}, blackhole),
    true = is_list(Why),
    none = persistent_term:get(inetpy_context, none),
    ok = inetpy:stop(),
    application:unset_env(inetpy, python),
    _ = logger:set_primary_config(level, notice),
    ok = inetpy:start(),
    [] = inetpy_fault:rules(),
    {ok, _} = connect(Config).

%% The process with the numbers and the monitors ends by a bug: rules go on, and end with their processes.
keeper_of_rules_dies(Config) ->
    Owner = owner_of(#{port => port(Config)}, ?NO_CONNECT),
    Faults = whereis(inetpy_faults),
    Ref = erlang:monitor(process, Faults),
    exit(Faults, kill),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    true = xc:until(fun() -> is_list(inetpy_fault:rules()) end),
    ?REFUSED = connect(Config),
    [_] = inetpy_fault:rules(),
    stop(Owner),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    {ok, _} = connect(Config).

%% Both have a rule, or none has it.
two_bridges(Config) ->
    {ok, Rule} = inetpy_fault:add(#{port => port(Config)}, ?NO_CONNECT),
    [?REFUSED = connect(Config) || _ <- lists:seq(1, 4)],
    4 = inetpy_fault:fired(Rule),
    [#{fired := 4}] = inetpy_fault:rules(),
    {error, {bad_rule, _}} = inetpy_fault:add(#{}, {latensy, #{}}),
    [#{fired := 4}] = inetpy_fault:rules(),
    kill_python(),
    [?REFUSED = connect(Config) || _ <- lists:seq(1, 4)],
    ok = inetpy_fault:remove(Rule),
    [{ok, _} = connect(Config) || _ <- lists:seq(1, 4)],
    none = persistent_term:get(inetpy_context, none).

%% --- owners ------------------------------------------------------------------

%% Each case: a rule for the sockets of this process concerns those of another, or it does not.
own_process(Config) ->
    {ok, _} = inetpy_fault:add(#{owner => self()}, ?NO_CONNECT),
    ?REFUSED = connect(Config).

spawned(Config) ->
    {ok, _} = inetpy_fault:add(#{owner => self()}, ?NO_CONNECT),
    ?REFUSED = in_process(fun() -> connect(Config) end),
    ?REFUSED = in_process(fun() -> in_process(fun() -> connect(Config) end) end),
    Stranger = stranger(),
    {ok, _} = asked(Stranger, fun() -> connect(Config) end),
    %% a link alone says nothing
    link(Stranger),
    {ok, _} = asked(Stranger, fun() -> connect(Config) end).

gen_servers(Config) ->
    {ok, _} = inetpy_fault:add(#{owner => self()}, ?NO_CONNECT),
    {ok, Server} = start_link(),
    ?REFUSED = asked(Server, fun() -> connect(Config) end),
    %% started by a process of proc_lib that has ended since: the ancestors of that one are known
    Old = started_by(fun proc_lib:spawn/1),
    ?REFUSED = asked(Old, fun() -> connect(Config) end),
    %% what a plain process descended from is forgotten with it
    Lost = started_by(fun erlang:spawn/1),
    {ok, _} = asked(Lost, fun() -> connect(Config) end),
    lists:foreach(fun gen_server:stop/1, [Old, Lost]),
    ok = gen_server:stop(Server).

%% A server that is started by a process that ends then.
started_by(Spawn) ->
    Test = self(),
    Starter = Spawn(fun() -> {ok, Pid} = gen_server:start(?MODULE, [], []), Test ! {self(), Pid} end),
    Ref = erlang:monitor(process, Starter),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    receive {Starter, Server} -> Server end.

%% A worker descends from its supervisors.
supervised(Config) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    [{_, Inner, supervisor, _}] = supervisor:which_children(Supervisor),
    [{_, Worker, worker, _}] = supervisor:which_children(Inner),
    [
        begin
            {ok, Rule} = inetpy_fault:add(#{owner => Owner}, ?NO_CONNECT),
            ?REFUSED = asked(Worker, fun() -> connect(Config) end),
            ok = inetpy_fault:remove(Rule),
            {ok, _} = asked(Worker, fun() -> connect(Config) end)
        end
     || Owner <- [self(), Supervisor, Inner, Worker]
    ],
    {ok, _} = inetpy_fault:add(#{owner => Inner}, ?NO_CONNECT),
    {ok, _} = connect(Config),
    unlink(Supervisor),
    stop(Supervisor).

%% What Elixir's Task keeps, where a task supervisor has started the process.
callers(Config) ->
    Stranger = stranger(),
    Test = self(),
    {ok, _} = inetpy_fault:add(#{owner => Test}, ?NO_CONNECT),
    {ok, _} = asked(Stranger, fun() -> connect(Config) end),
    ?REFUSED = asked(Stranger, fun() -> put('$callers', [Test]), connect(Config) end),
    {ok, _} = asked(Stranger, fun() -> put('$callers', nonsense), connect(Config) end),
    {ok, Between} = gen_server:start(?MODULE, [], []),
    ?REFUSED = asked(Stranger, fun() -> put('$callers', [Between]), connect(Config) end),
    gen_server:stop(Between).

registered(Config) ->
    Stranger = stranger(),
    true = register(inetpy_fault_owner, Stranger),
    {ok, _} = inetpy_fault:add(#{owner => inetpy_fault_owner}, ?NO_CONNECT),
    {ok, _} = connect(Config),
    ?REFUSED = asked(Stranger, fun() -> connect(Config) end),
    ?REFUSED = asked(Stranger, fun() -> in_process(fun() -> connect(Config) end) end),
    %% a process that gets the name later
    true = unregister(inetpy_fault_owner),
    true = register(inetpy_fault_owner, self()),
    ?REFUSED = connect(Config),
    true = unregister(inetpy_fault_owner),
    {ok, _} = connect(Config).

%% The processes of an application have its group leader. A registered name comes before an application.
applications(Config) ->
    Application =
        {application, inetpy_fault_app, [
            {vsn, "1"}, {modules, []}, {registered, []}, {applications, [kernel, stdlib]}, {mod, {?MODULE, application}}
        ]},
    ok = application:load(Application),
    ok = application:start(inetpy_fault_app),
    Worker = whereis(inetpy_fault_app_worker),
    {ok, inetpy_fault_app} = application:get_application(Worker),
    {ok, Rule} = inetpy_fault:add(#{owner => inetpy_fault_app}, ?NO_CONNECT),
    [#{whom := #{owner := {application, inetpy_fault_app}}}] = inetpy_fault:rules(),
    {ok, _} = connect(Config),
    ?REFUSED = asked(Worker, fun() -> connect(Config) end),
    ?REFUSED = asked(Worker, fun() -> in_process(fun() -> connect(Config) end) end),
    ok = inetpy_fault:remove(Rule),
    true = register(inetpy_fault_app, self()),
    {ok, _} = inetpy_fault:add(#{owner => inetpy_fault_app}, ?NO_CONNECT),
    ?REFUSED = connect(Config),
    {ok, _} = asked(Worker, fun() -> connect(Config) end),
    true = unregister(inetpy_fault_app),
    {ok, _} = inetpy_fault:add(#{owner => {application, inetpy_fault_app}}, ?NO_CONNECT),
    ?REFUSED = asked(Worker, fun() -> connect(Config) end),
    ok = application:stop(inetpy_fault_app),
    ok = application:unload(inetpy_fault_app).

%% The rules of a socket are those of its owner of today.
given_away(Config) ->
    Stranger = stranger(),
    {ok, _} = inetpy_fault:add(#{owner => Stranger}, ?NO_SEND),
    {ok, S} = connect(Config),
    ok = gen_tcp:send(S, "mine"),
    ok = gen_tcp:controlling_process(S, Stranger),
    ?NOT_SENT = gen_tcp:send(S, "his").

%% A connection belongs to the process that has accepted it.
accepted(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK} | ?INETPY]),
    {ok, Port} = inet:port(L),
    Clients = [element(2, {ok, _} = gen_tcp:connect(?LOOPBACK, Port, [{active, false}])) || _ <- [1, 2, 3]],
    Accepting = self(),
    Stranger = stranger(),
    {ok, _} = inetpy_fault:add(#{owner => Accepting, role => accepted}, ?NO_SEND),
    Accept = fun() ->
        {ok, S} = gen_tcp:accept(L, 5000),
        gen_tcp:send(S, "hello")
    end,
    ?NOT_SENT = Accept(),
    ?NOT_SENT = in_process(Accept),
    ok = asked(Stranger, Accept),
    lists:foreach(fun gen_tcp:close/1, Clients).

%% When add has answered, the rule holds for the sockets that the process had before.
open_sockets(Config) ->
    Strangers = [stranger() || _ <- lists:seq(1, 20)],
    Sockets = [{Pid, element(2, {ok, _} = asked(Pid, fun() -> connect(Config) end))} || Pid <- Strangers],
    lists:foldl(
        fun(Owner, Before) ->
            {ok, Rule} = inetpy_fault:add(#{owner => Owner}, ?NO_SEND),
            After = [{Pid, S} || {Pid, S} <- Before, gen_tcp:send(S, "x") =:= ok],
            [Owner] = [Pid || {Pid, _} <- Before -- After],
            ok = inetpy_fault:remove(Rule),
            After
        end,
        Sockets,
        lists:sublist(Strangers, 10)
    ),
    %% one of a process that a stranger has started
    [First | _] = lists:reverse(Strangers),
    {ok, Child} = asked(First, fun() -> gen_server:start(?MODULE, [], []) end),
    {ok, S} = asked(Child, fun() -> connect(Config) end),
    {ok, _} = inetpy_fault:add(#{owner => First}, ?NO_SEND),
    ?NOT_SENT = gen_tcp:send(S, "x").

%% A socket whose callers do not wait for answers: they do while there is a rule for it, from the call that added the
%% rule on.
chatty_sockets(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOOPBACK} | ?INETPY]),
    {ok, Port} = inet:port(L),
    {ok, S} = gen_tcp:connect(?LOOPBACK, Port, ?INETPY),
    {ok, Peer} = gen_tcp:accept(L),
    Talk = fun(Numbers) -> [begin ok = said(S, Peer, <<N:32>>), ok = said(Peer, S, <<N:32>>) end || N <- Numbers] end,
    _ = Talk(lists:seq(1, 50)),
    {ok, Slow} = inetpy_fault:add(#{local_port => Port}, {latency, #{ms => 1}}),
    _ = Talk(lists:seq(1, 20)),
    true = inetpy_fault:fired(Slow) > 0,
    ok = inetpy_fault:remove(Slow),
    _ = Talk(lists:seq(1, 50)),
    {ok, _} = inetpy_fault:add(#{port => Port, role => client}, ?NO_SEND),
    ?NOT_SENT = gen_tcp:send(S, "x").

said(From, To, Data) ->
    ok = inet:setopts(To, [{active, once}]),
    ok = gen_tcp:send(From, Data),
    receive {tcp, To, Data} -> ok after 5000 -> nothing end.

%% Of processes that have ended, or are elsewhere, only their pids are known.
gone_and_remote(_Config) ->
    {Dead, Ref} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    [Dead] = inetpy_lineage:of_process(Dead),
    Remote = binary_to_term(<<131, 88, 119, 3, "a@b", 5:32, 0:32, 1:32>>),
    [Remote] = inetpy_lineage:of_process(Remote),
    put('$ancestors', [Remote, Dead, nobody_has_this_name, "nonsense" | improper]),
    [Self | _] = Lineage = inetpy_lineage:of_process(self()),
    Self = self(),
    false = lists:member(Remote, Lineage),
    put('$ancestors', [Remote, Dead, nobody_has_this_name, "nonsense"]),
    [] = [Remote, Dead, nobody_has_this_name] -- inetpy_lineage:of_process(self()),
    erase('$ancestors').

%% Fifty processes, each with a rule of its own, and with children: none sees the rule of another.
side_by_side(Config) ->
    Errnos = [ehostunreach, enetunreach, etimedout, econnrefused, eaddrnotavail],
    Expected = [{N, lists:nth(N rem 5 + 1, Errnos)} || N <- lists:seq(1, 50)],
    Calls = [
        xc:spawn_call(fun() ->
            What = {error, #{call => connect, errno => Errno}},
            {ok, Rule} = inetpy_fault:add(#{owner => self()}, What, #{'when' => {nth, {1, N}}}),
            Answers = [
                begin
                    Connect = fun() -> connect(Config) end,
                    case I rem 2 of 0 -> Connect(); 1 -> in_process(Connect) end
                end
             || I <- lists:seq(1, N + 2)
            ],
            {lists:split(N, Answers), inetpy_fault:fired(Rule)}
        end)
     || {N, Errno} <- Expected
    ],
    [
        begin
            {{Failed, Worked}, N} = xc:await(Call),
            [{error, Errno}] = lists:usort(Failed),
            [{ok, _}, {ok, _}] = Worked
        end
     || {{N, Errno}, Call} <- lists:zip(Expected, Calls)
    ],
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end).

%% --- names -------------------------------------------------------------------

%% The name as the program asked for it, and nothing else.
name_asked(Config) ->
    {ok, _} = inetpy_fault:add(#{host => "localhost"}, ?NO_CONNECT),
    ?REFUSED = connect("localhost", Config),
    ?REFUSED = connect(localhost, Config),
    {ok, _} = connect(?LOOPBACK, Config),
    {ok, _} = connect("127.0.0.1", Config),
    ?REFUSED = connect("localhost", Config),
    %% Python looks up this name
    ?REFUSED = gen_tcp:connect("localhost", port(Config), [{tcp_module, inetpy_happy_tcp}, binary], 10000),
    %% a sockaddr is not looked up
    {ok, _} = gen_tcp:connect(#{family => inet, addr => ?LOOPBACK, port => port(Config)}, ?INETPY),
    %% neither does the name stay with the process
    undefined = get('$inetpy_asked').

address_asked(Config) ->
    {ok, Rule} = inetpy_fault:add(#{host => "127.0.0.*"}, ?NO_CONNECT),
    ?REFUSED = connect(?LOOPBACK, Config),
    ?REFUSED = connect("127.0.0.1", Config),
    ?REFUSED = gen_tcp:connect(#{family => inet, addr => ?LOOPBACK, port => port(Config)}, ?INETPY),
    {ok, _} = connect("localhost", Config),
    ok = inetpy_fault:remove(Rule),
    {ok, _} = inetpy_fault:add(#{peer => ?LOOPBACK}, ?NO_CONNECT),
    ?REFUSED = connect("localhost", Config).

%% gen_tcp goes on to the second address of a name: that is one of the name, too.
second_address(Config) ->
    {ok, Rule} = inetpy_fault:add(#{host => "two.test"}, ?NO_CONNECT),
    Remember = fun() -> inetpy_context:asked(inetpy_tcp, "two.test", {ok, [{127, 0, 0, 9}, ?LOOPBACK]}) end,
    _ = Remember(),
    ?REFUSED = inetpy_tcp:connect({127, 0, 0, 9}, port(Config), [binary], 5000),
    ?REFUSED = inetpy_tcp:connect(?LOOPBACK, port(Config), [binary], 5000),
    {ok, _} = inetpy_tcp:connect(?LOOPBACK, port(Config), [binary], 5000),
    _ = Remember(),
    ?REFUSED = inetpy_tcp:connect(?LOOPBACK, port(Config), [binary], 5000),  % the first was left out
    2 = inetpy_fault:fired(Rule) - 1,
    undefined = get('$inetpy_asked').

%% The owners of datagram sockets, and the name that one is connected to.
datagrams(_Config) ->
    Open = fun() -> gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {ip, ?LOOPBACK}]) end,
    {ok, Sink} = Open(),
    {ok, Port} = inet:port(Sink),
    Stranger = stranger(),
    {ok, Theirs} = asked(Stranger, Open),
    {ok, _} = inetpy_fault:add(#{owner => Stranger}, ?NO_SEND),
    {error, enobufs} = gen_udp:send(Theirs, "localhost", Port, "x"),
    {ok, Later} = asked(Stranger, Open),
    {error, enobufs} = gen_udp:send(Later, ?LOOPBACK, Port, "x"),
    {ok, Mine} = Open(),
    ok = gen_udp:send(Mine, "localhost", Port, "x"),
    ok = gen_udp:connect(Mine, "localhost", Port),
    ok = gen_udp:send(Mine, "y").

%% --- each call ---------------------------------------------------------------

%% A program of four calls fails in four ways.
each_call(Config) ->
    Echo = echo(),
    Program = fun() ->
        case gen_tcp:connect(?LOOPBACK, Echo, ?INETPY) of
            {ok, S} ->
                Result =
                    case gen_tcp:send(S, "hello") of
                        ok -> gen_tcp:recv(S, 5);
                        {error, Reason} -> {error, {send, Reason}}
                    end,
                ok = gen_tcp:close(S),
                Result;
            {error, Reason} ->
                {error, {connect, Reason}}
        end
    end,
    {ok, <<"hello">>} = Program(),
    Runs = inetpy_fault:each_call(etimedout, Program),
    ct:pal("~p", [Runs]),
    [{connect, {error, {connect, etimedout}}}, {send, {error, {send, _}}}, {recv, {error, _}}] = Runs,
    [] = inetpy_fault:rules(),
    {ok, <<"hello">>} = Program(),
    %% of no call
    [] = inetpy_fault:each_call(etimedout, fun() -> ok end),
    %% not of other processes
    Stranger = stranger(),
    [] = inetpy_fault:each_call(etimedout, fun() -> {ok, _} = asked(Stranger, fun() -> connect(Config) end) end),
    %% of those of a port
    [{connect, {error, etimedout}}] =
        inetpy_fault:each_call(#{port => port(Config)}, etimedout, fun() -> asked(Stranger, fun() -> connect(Config) end) end),
    {error, {bad_rule, _}} = inetpy_fault:each_call(eoops, fun() -> ct:fail(called) end).

%% A run may fail itself. That is what it is for.
each_call_raises(Config) ->
    [{connect, {raised, error, {badmatch, {error, etimedout}}}}] =
        inetpy_fault:each_call(etimedout, fun() -> {ok, _} = connect(Config) end),
    {error, function_clause} = outcome(fun() -> inetpy_fault:each_call(etimedout, not_a_fun) end),
    [] = inetpy_fault:rules().

%% --- tools -------------------------------------------------------------------

port(Config) -> ?config(port, Config).

connect(Config) -> connect(?LOOPBACK, Config).

connect(Host, Config) -> gen_tcp:connect(Host, port(Config), ?INETPY, 10000).

%% A port where what is sent comes back.
echo() ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    Echo = spawn_link(fun() -> receive go -> echo(L) end end),
    ok = gen_tcp:controlling_process(L, Echo),
    Echo ! go,
    Port.

echo(L) ->
    {ok, S} = gen_tcp:accept(L),
    Served = spawn(fun() ->
        receive go -> ok end,
        case gen_tcp:recv(S, 0) of
            {ok, Data} -> gen_tcp:send(S, Data), gen_tcp:recv(S, 0);
            {error, _} -> ok
        end
    end),
    ok = gen_tcp:controlling_process(S, Served),
    Served ! go,
    echo(L).

kill_python() ->
    #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
    Ref = erlang:monitor(process, Bridge),
    [] = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    receive {'DOWN', Ref, _, _, _} -> ok after 5000 -> ct:fail(bridge_did_not_notice) end.

%% A process that has added a rule.
owner_of(Whom, What) ->
    Test = self(),
    Owner = spawn(fun() ->
        {ok, _} = inetpy_fault:add(Whom, What),
        Test ! {added, self()},
        receive stop -> ok end
    end),
    receive {added, Owner} -> Owner end.

%% Ends a process; and the end of the application of a test.
stop(application) ->
    ok;
stop(Pid) ->
    Ref = erlang:monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, _} -> ok end.

%% What Fun answers in a process that this one has started.
in_process(Fun) -> xc:await(xc:spawn_call(Fun)).

%% A process that does not descend from this one. It descends from the supervisor that starts it, and not from the process that asked for it.
stranger() ->
    {ok, Pid} = supervisor:start_child(kernel_safe_sup, #{
        id => make_ref(), start => {?MODULE, start_link, []}, restart => temporary
    }),
    Pid.

%% What Fun answers in a process of this module.
asked(Pid, Fun) -> gen_server:call(Pid, {do, Fun}, 20000).

%% The application of a test.
start(_, application) -> supervisor:start_link(?MODULE, application).

start_link() -> gen_server:start_link(?MODULE, [], []).

init([]) -> {ok, []};
init(named) -> true = register(inetpy_fault_app_worker, self()), {ok, []};
init(supervisor) -> {ok, {#{}, [child(inner, {supervisor, start_link, [?MODULE, inner]}, supervisor)]}};
init(inner) -> {ok, {#{}, [child(worker, {?MODULE, start_link, []}, worker)]}};
init(application) -> {ok, {#{}, [child(worker, {gen_server, start_link, [?MODULE, named, []]}, worker)]}}.

child(Id, Start, Type) -> #{id => Id, start => Start, type => Type}.

handle_call({do, Fun}, _From, State) -> {reply, Fun(), State}.

handle_cast(_, State) -> {noreply, State}.
