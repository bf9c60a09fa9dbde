%% A hook for Common Test: the sockets of the node are Python's, and each case begins on a network without the rules of
%% the case before.
%%
%%     suite() -> [{ct_hooks, [{inetpy_cth, [{network, "net.py"}, {seed, 7}]}]}].
%%
%% Or for all suites: `ct_run -ct_hooks inetpy_cth`, and in rebar.config `{ct_opts, [{ct_hooks, [inetpy_cth]}]}`.
%%
%% - `{network, File}`: servers, names and rules, as docs/network.md has them. A path that is relative is looked for in
%%   the suite's data folder, beside the suite, and where the run was started. The file runs for each suite anew, and
%%   what it has described goes at the end of the suite.
%% - `{seed, N}`: where the random numbers of faults begin in each suite. A failed case shows its seed.
%% - `{trace, never | on_failure | always}`: whether a case keeps a trace, beside its log. Otherwise `on_failure`.
%%
%% Rules of the file, and those that init_per_suite or init_per_group has added, hold until the end of the suite or
%% group. A rule that a case adds goes at the end of the case. A case fails when a strict network has refused something in
%% it, or when a server in memory has raised an error.
%%
%% When the hook ends, so do its networks, and the node is on stock sockets again if it was before.
-module(inetpy_cth).

-export([id/1, init/2, terminate/1]).
-export([pre_init_per_suite/3, post_init_per_suite/4, post_end_per_suite/4]).
-export([pre_init_per_group/4, post_init_per_group/5, post_end_per_group/5]).
-export([pre_init_per_testcase/4, post_init_per_testcase/5, post_end_per_testcase/5]).
-export([on_tc_fail/4, on_tc_skip/4]).

-export_type([state/0]).

-type config() :: [tuple()].
%% What Common Test takes in place of the value of a function of the suite.
-type return() :: term().

-record(state, {
    run :: inetpy_tests:run() | {error, string()} | ended,
    %% Whether the hook is one of the whole run, and not of one suite or group.
    is_of_run :: boolean(),
    %% The suite whose network is there.
    suite :: module() | undefined
}).
-opaque state() :: #state{}.

%% Hooks of the run and of a suite with the same options are one.
-spec id(term()) -> term().
id(Options) -> {?MODULE, Options}.

%% An error is that of each suite: Common Test itself says of a hook that fails no more than that it does.
%%
%% Hooks of the run begin in the server of Common Test, the others in the process of a test.
-spec init(term(), inetpy_tests:options()) -> {ok, state()}.
init(_Id, Options) ->
    IsOfRun = whereis(ct_util_server) =:= self(),
    case inetpy_tests:open(Options) of
        {ok, Run} -> {ok, #state{run = Run, is_of_run = IsOfRun}};
        {error, _} = Error -> {ok, #state{run = Error, is_of_run = IsOfRun}}
    end.

-spec terminate(state()) -> ok.
terminate(#state{run = ended}) -> ok;
terminate(#state{run = {error, _}}) -> ok;
terminate(#state{run = Run} = State) ->
    _ = leave(State),
    inetpy_tests:close(Run).

%% --- suites ------------------------------------------------------------------

-spec pre_init_per_suite(module(), config(), state()) -> {config() | {fail, string()}, state()}.
pre_init_per_suite(Suite, Config, State) -> enter(Suite, Config, Config, State).

%% The process of init_per_suite ends before the first case.
-spec post_init_per_suite(module(), config(), return(), state()) -> {return(), state()}.
post_init_per_suite(Suite, Config, Return, State) ->
    ok = inetpy_tests:adopt(),
    enter(Suite, Config, Return, State).

-spec post_end_per_suite(module(), config(), return(), state()) -> {return(), state()}.
post_end_per_suite(_Suite, _Config, Return, State) -> {Return, leave(State)}.

%% A hook that init_per_suite or init_per_group installs comes in the middle.
enter(_, _, Return, #state{run = ended} = State) ->
    {Return, State};
enter(Suite, _, Return, #state{suite = Current} = State) when Suite =:= Current; not is_list(Return) ->
    {Return, State};
enter(_, _, _, #state{run = {error, Why}} = State) ->
    {failure(Why), State};
enter(Suite, Config, Return, State) ->
    Left = leave(State),
    case inetpy_tests:enter(Left#state.run, Suite, folders(Suite, Config)) of
        ok -> {Return, Left#state{suite = Suite}};
        {error, Why} -> {failure(Why), Left}
    end.

%% The reason of a failure is shortened, so the rest of it, the place in a file for example, is told before.
failure(Why) ->
    [Line | Others] = string:split(Why, "\n"),
    _ = [tell(["inetpy_cth: ", Why]) || Others =/= []],
    {fail, "inetpy_cth: " ++ Line}.

leave(#state{suite = undefined} = State) -> State;
leave(#state{suite = Suite} = State) ->
    ok = inetpy_tests:leave(Suite),
    State#state{suite = undefined}.

%% Common Test makes the folder of its logs the current one.
folders(Suite, Config) ->
    Data = [string:trim(Folder, trailing, "/") || {data_dir, Folder} <- Config],
    Source = [File || {source, File} <- proplists:get_value(compile, Suite:module_info(), [])],
    Data ++ [filename:dirname(Path) || Path <- Data ++ Source] ++ [ct_util:get_start_dir()].

%% --- groups ------------------------------------------------------------------

-spec pre_init_per_group(module(), atom(), config(), state()) -> {config(), state()}.
pre_init_per_group(Suite, Group, Config, State) ->
    ok = inetpy_tests:enter({Suite, Group}),
    {Config, State}.

-spec post_init_per_group(module(), atom(), config(), return(), state()) -> {return(), state()}.
post_init_per_group(Suite, Group, Config, Return, State) ->
    ok = inetpy_tests:adopt(),
    ok = inetpy_tests:enter({Suite, Group}),
    enter(Suite, Config, Return, State).

-spec post_end_per_group(module(), atom(), config(), return(), state()) -> {return(), state()}.
post_end_per_group(Suite, Group, _Config, Return, State) ->
    ok = inetpy_tests:leave({Suite, Group}),
    {Return, State}.

%% --- cases -------------------------------------------------------------------

-spec pre_init_per_testcase(module(), atom(), config(), state()) -> {config(), state()}.
pre_init_per_testcase(Suite, Case, Config, State) ->
    ok = inetpy_tests:begin_test(test(Suite, Case, Config), trace(Config)),
    {Config, State}.

%% A case whose init_per_testcase has failed has no other end.
-spec post_init_per_testcase(module(), atom(), config(), return(), state()) -> {return(), state()}.
post_init_per_testcase(_, _, _, Return, State) when Return =:= ok; is_list(Return) -> {Return, State};
post_init_per_testcase(Suite, Case, Config, Return, State) -> {ended(Suite, Case, Config, failed, Return), State}.

-spec post_end_per_testcase(module(), atom(), config(), return(), state()) -> {return(), state()}.
post_end_per_testcase(Suite, Case, Config, Return, State) ->
    {ended(Suite, Case, Config, outcome(proplists:get_value(tc_status, Config), Return), Return), State}.

outcome({failed, _}, _) -> failed;
outcome(_, Return) when element(1, Return) =:= error; element(1, Return) =:= fail -> failed;
outcome(_, _) -> passed.

ended(Suite, Case, Config, Outcome, Return) ->
    case {inetpy_tests:end_test(test(Suite, Case, Config), Outcome), Outcome} of
        {#{failures := [_ | _] = Failures} = Report, passed} ->
            show(Report),
            {fail, {network, [unicode:characters_to_list(Failure) || Failure <- Failures]}};
        {#{} = Report, failed} ->
            show(Report),
            Return;
        {_, _} ->
            Return
    end.

%% The file of the log is that of this run of the case, also when cases run side by side or again.
test(Suite, Case, Config) -> {Suite, Case, proplists:get_value(tc_logfile, Config)}.

trace(Config) ->
    case proplists:get_value(tc_logfile, Config) of
        undefined -> none;
        Log -> filename:rootname(Log) ++ ".trace"
    end.

%% A case whose process was killed before it could end.
-spec on_tc_fail(module(), term(), term(), state()) -> state().
on_tc_fail(Suite, Name, _Reason, State) -> skipped(Suite, Name, State).

-spec on_tc_skip(module(), term(), term(), state()) -> state().
on_tc_skip(_Suite, end_per_suite, _Reason, #state{is_of_run = true} = State) -> leave(State);
%% Common Test goes on to call a hook of a suite without init_per_suite: it takes `ct_framework` for that suite.
on_tc_skip(_Suite, end_per_suite, _Reason, State) ->
    ok = terminate(State),
    #state{run = ended, is_of_run = false};
on_tc_skip(Suite, Name, _Reason, State) -> skipped(Suite, Name, State).

skipped(Suite, {end_per_group, Group}, State) ->
    ok = inetpy_tests:leave({Suite, Group}),
    State;
skipped(Suite, {Case, _Group}, State) ->
    skipped(Suite, Case, State);
skipped(Suite, Name, State) ->
    Reports = inetpy_tests:abandon(fun
        ({S, Case, _}) -> S =:= Suite andalso Case =:= Name;
        (_) -> false
    end),
    lists:foreach(fun show/1, Reports),
    State.

%% The log of the case has the trace as a link, too.
show(#{trace := Trace} = Report) ->
    ok = tell(inetpy_tests:text(Report)),
    _ = [
        ct:log("<a href=\"~ts\">the trace of this case</a>", [uri_string:quote(filename:basename(Trace))])
     || Trace =/= none, not is_tuple(Trace)
    ],
    ok.

%% In the log, and on the terminal. `ct:pal` does not reach the terminal in rebar3, which sends the output of Common Test
%% to a file.
tell(Text) ->
    ok = ct:log(default, 50, "~ts", [Text], [esc_chars]),
    io:format(user, "~n~ts~n", [Text]).
