%% Cases that fail on purpose, and cases that see what the cases before them have left.
-module(hooked_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([init_per_testcase/2, end_per_testcase/2]).
-export([
    reads/1, reset_and_fails/1, killed/1, in_time/1, not_begun/1, skipped/1, others_process/1, in_group/1,
    in_group_too/1, waits_for_other/1, goes_meanwhile/1
]).
%% Common Test runs each case once.
-export([
    after_failure/1, after_kill/1, after_timeout/1, after_no_begin/1, after_skip/1, after_others/1, after_group/1,
    after_parallel/1
]).

suite() -> [{ct_hooks, [{inetpy_cth, [{network, "net.py"}, {seed, 7}, {trace, never}]}]}, {timetrap, {minutes, 1}}].

all() ->
    [
        reads, reset_and_fails, after_failure, killed, after_kill, in_time, after_timeout, not_begun, after_no_begin,
        skipped, after_skip, others_process, after_others, {group, rules}, after_group, {group, side_by_side},
        after_parallel
    ].

groups() -> [{rules, [], [in_group, in_group_too]}, {side_by_side, [parallel], [waits_for_other, goes_meanwhile]}].

%% The suite's own rule: it holds for all cases, though this process ends.
init_per_suite(Config) ->
    {ok, Rule} = inetpy_fault:add(#{port => 1}, refuse),
    [{rule, Rule} | Config].

end_per_suite(Config) ->
    [#{whom := #{port := 1}}, _Of_the_file] = inetpy_fault:rules(),
    {ok, _} = inet:getaddr("db.example", inet),
    Config.

init_per_group(rules, Config) ->
    {ok, _} = inetpy_fault:add(#{port => 2}, refuse),
    Config;
init_per_group(_, Config) ->
    Config.

end_per_group(_, _Config) -> ok.

init_per_testcase(not_begun, _Config) ->
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, refuse),
    error(not_begun);
init_per_testcase(_, Config) ->
    Config.

end_per_testcase(_, _Config) -> ok.

ask() ->
    {ok, {'$inet', _, _} = S} = gen_tcp:connect("db.example", 5432, [{active, false}]),
    gen_tcp:recv(S, 12).

ports() -> lists:sort([Port || #{whom := #{port := Port}} <- inetpy_fault:rules()]).

reads(_Config) -> {ok, "row 1, row 2"} = ask().

reset_and_fails(_Config) ->
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, {reset, #{after_bytes => 5}}),
    {ok, "row 1, row 2"} = ask().

after_failure(Config) -> no_rule_is_left(Config).
after_kill(Config) -> no_rule_is_left(Config).
after_timeout(Config) -> no_rule_is_left(Config).
after_no_begin(Config) -> no_rule_is_left(Config).
after_skip(Config) -> no_rule_is_left(Config).
after_group(Config) -> no_rule_is_left(Config).
after_parallel(Config) -> no_rule_is_left(Config).

no_rule_is_left(_Config) ->
    [1] = ports(),
    {ok, "row 1, row 2"} = ask().

killed(_Config) ->
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, blackhole),
    exit(self(), kill),
    ask().

in_time(_Config) ->
    ct:timetrap(500),
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, blackhole),
    ask().

not_begun(_Config) -> ok.

skipped(_Config) ->
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, refuse),
    {skip, "on purpose"}.

%% A process that goes on has added a rule.
others_process(_Config) ->
    Case = self(),
    spawn(fun() ->
        register(of_others, self()),
        {ok, _} = inetpy_fault:add(#{port => 3}, refuse),
        Case ! added,
        receive stop -> ok end
    end),
    receive added -> ok end,
    [1, 3] = ports().

after_others(_Config) ->
    of_others ! stop,
    [1] = ports().

in_group(_Config) ->
    [1, 2] = ports(),
    {ok, _} = inetpy_fault:add(#{port => 4}, refuse),
    ok.

in_group_too(Config) -> in_group(Config).

%% This case begins first or second, and ends after the other.
waits_for_other(_Config) ->
    register(waits, self()),
    {ok, _} = inetpy_fault:add(#{port => 5}, refuse),
    receive
        {over, Pid} ->
            Monitor = monitor(process, Pid),
            receive {'DOWN', Monitor, _, _, _} -> ok end
    end,
    [1, 5] = ports().

goes_meanwhile(_Config) ->
    {ok, _} = inetpy_fault:add(#{port => 6}, refuse),
    tell_waiting().

tell_waiting() ->
    case {whereis(waits), ports()} of
        {Pid, [1, 5, 6]} when is_pid(Pid) ->
            Pid ! {over, self()};
        _ ->
            receive after 10 -> tell_waiting() end
    end.
