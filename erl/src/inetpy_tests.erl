%% What Common Test, EUnit and ExUnit have in common: tests on the network of Python.
%%
%% A run puts the node on Python sockets, and takes it back at its end, if it was not there before. Inside are scenes: a
%% suite, a group of tests, a test. For example a suite with `{network, "net.py"}` and one test:
%%
%%     {ok, Run} = open([{network, "net.py"}, {seed, 7}]),
%%     ok = enter(Run, mine_SUITE, ["test"]),         the servers, names and rules of net.py are there
%%     ok = begin_test({mine_SUITE, reads}, none),
%%     #{seed := 7, fired := Fired} = end_test({mine_SUITE, reads}, failed),
%%     ok = leave(mine_SUITE),                        those of net.py are gone
%%     ok = close(Run)
%%
%% The end of a scene removes the rules that were added in it. So a test is rid of the rules of the test before, and
%% those that a suite has set up hold for all of its tests. While other tests run at the same time, the end of a test
%% removes only the rules of the processes that it has started; the rest goes with the last of these tests.
%%
%% The process behind these functions outlives inetpy:stop/0, and ends with the last run. Rules of processes that only
%% set up something are given to it (`adopt/0`), for they would end with these processes.
-module(inetpy_tests).
-behaviour(gen_server).

-export([open/1, open/2, close/1, enter/3, enter/1, leave/1, adopt/0, begin_test/2, end_test/2, abandon/1, text/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([run/0, options/0, outcome/0, report/0]).

-opaque run() :: {run, reference()}.
%% network: a file with servers, names and rules. seed: where the random numbers of faults begin. trace: whether what goes
%% over the network is kept of each test; only of failed ones where it is not said.
-type options() :: [{network, file:filename_all()} | {seed, non_neg_integer()} | {trace, never | on_failure | always}].
-type outcome() :: passed | failed.
-type report() :: #{
    seed := non_neg_integer() | undefined,
    %% rules that have fired, how often, and some of what they did
    fired := [{Rule :: binary(), Count :: pos_integer(), Examples :: [binary()]}],
    %% what a strict network refused, and servers that raised
    failures := [binary()],
    trace := file:filename_all() | none | {error, term()}
}.

%% Bytes of events of a test that Python keeps besides the file, which has all of them.
-define(TRACE_MEMORY, (1 bsl 16)).

-record(run, {
    id :: reference(),
    options :: options(),
    %% Whether the node was on Python sockets before.
    installed :: boolean(),
    %% The scene in which the network of the options is there.
    network = none :: none | {Scene :: term(), inetpy_network:network()}
}).
-record(scene, {
    %% Rules with a higher number were added in the scene: both come from erlang:unique_integer/1.
    number :: pos_integer(),
    %% Of a test: its process, its trace, and the first of the scenes of tests that ran at the same time.
    process :: pid() | undefined,
    since :: pos_integer(),
    trace = none :: none | {file:filename_all(), term()} | {error, term()}
}).
-record(state, {
    runs = [] :: [#run{}],
    scenes = #{} :: #{term() => #scene{}},
    %% How many traces there have been of each name.
    traces = #{} :: #{file:filename_all() => pos_integer()}
}).

%% Puts the node on Python sockets. Wrong options are an error in words, and so is a Python that cannot be started.
-spec open(options()) -> {ok, run()} | {error, string()}.
open(Options) -> open(Options, none).

%% The run ends with a process, if it has not been closed before.
-spec open(options(), pid() | none) -> {ok, run()} | {error, string()}.
open(Options, Owner) ->
    case wrong(Options) of
        none -> ask_or_start({open, Options, Owner});
        Why -> {error, lists:flatten(Why)}
    end.

%% The node is as before `open/1`: sockets that are open stay with Python.
-spec close(run()) -> ok.
close({run, Id}) -> ask({close, Id}, ok).

%% A scene begins, in which the network of the run's options is there, and its seed. The file is looked for in these
%% folders, in their order.
-spec enter(run(), Scene :: term(), Folders :: [file:filename_all()]) -> ok | {error, string()}.
enter({run, Id}, Scene, Folders) -> ask({enter, Id, Scene, Folders}, {error, "the run is over"}).

%% A scene begins. Twice is as once.
-spec enter(Scene :: term()) -> ok.
enter(Scene) -> ask({enter, Scene}, ok).

%% A scene ends, with its rules, and with the network if it began with one.
-spec leave(Scene :: term()) -> ok.
leave(Scene) -> ask({leave, Scene}, ok).

%% The rules of the calling process do not end with it.
-spec adopt() -> ok.
adopt() -> ask({adopt, self()}, ok).

%% The calling process begins a test. Its trace has the name that is given, a number if the run has several of that name, and
%% `.pcapng`. What a trace has in the memory of Python goes with the process that has started it, which is this one.
-spec begin_test(Test :: term(), file:filename_all() | none) -> ok.
begin_test(Test, Name) ->
    case ask({begin_test, Test, self(), Name}, none) of
        none -> ok;
        File -> ask({traced, Test, start_trace(File)}, ok)
    end.

start_trace(File) ->
    case filelib:ensure_dir(File) of
        ok -> start_trace(File, inetpy_trace:start(#{file => File, memory => ?TRACE_MEMORY}));
        {error, _} = Error -> Error
    end.

start_trace(File, {ok, Trace}) -> {File, Trace};
start_trace(_, {error, _} = Error) -> Error.

%% The test ends. `none`: somebody has ended it before.
-spec end_test(Test :: term(), outcome()) -> report() | none.
end_test(Test, Outcome) -> ask({end_test, Test, Outcome}, none).

%% Ends tests that have failed without an end: whose processes are gone. `IsOne` is asked for each.
-spec abandon(fun((Test :: term()) -> boolean())) -> [report()].
abandon(IsOne) -> ask({abandon, IsOne}, []).

ask(Request, Otherwise) ->
    case call(Request) of
        {ok, Answer} -> Answer;
        over -> Otherwise
    end.

%% The process can just be ending, with the run before this one.
ask_or_start(Request) ->
    _ = gen_server:start({local, ?MODULE}, ?MODULE, [], []),
    case call(Request) of
        {ok, Answer} -> Answer;
        over -> ask_or_start(Request)
    end.

call(Request) ->
    try
        {ok, gen_server:call(?MODULE, Request, infinity)}
    catch
        exit:{Reason, _} when Reason =:= noproc; Reason =:= normal -> over
    end.

%% --- options -----------------------------------------------------------------

wrong(Options) when is_list(Options) ->
    case [Option || Option <- Options, not is_option(Option)] of
        [] -> none;
        [{Name, Value} | _] when Name =:= network; Name =:= seed; Name =:= trace ->
            io_lib:format("~ts cannot be ~0tp: ~ts", [Name, Value, meant(Name)]);
        [{Name, _} | _] -> unknown(Name);
        [Other | _] -> unknown(Other)
    end;
wrong(Other) ->
    io_lib:format("the options are a list, such as [{network, \"net.py\"}], and not ~0tp", [Other]).

unknown(Name) -> io_lib:format("there is no option ~0tp: there are network, seed and trace", [Name]).

is_option({network, File}) -> is_binary(File) orelse (is_list(File) andalso File =/= [] andalso io_lib:char_list(File));
is_option({seed, Seed}) -> is_integer(Seed) andalso Seed >= 0;
is_option({trace, When}) -> lists:member(When, [never, on_failure, always]);
is_option(_) -> false.

meant(network) -> "it is the path of a file, \"net.py\" for example";
meant(seed) -> "it is an integer, 0 or more";
meant(trace) -> "it is never, on_failure or always".

%% --- gen_server --------------------------------------------------------------

-spec init([]) -> {ok, #state{}}.
init([]) -> {ok, #state{}}.

-spec handle_call(term(), gen_server:from(), #state{}) ->
    {reply, term(), #state{}} | {stop, normal, term(), #state{}}.
handle_call({open, Options, Owner}, _From, #state{runs = Runs} = State) ->
    WasInstalled = inetpy_install:is_installed(),
    case inetpy:install_quietly(#{}) of
        ok ->
            Id = case Owner of none -> make_ref(); _ -> erlang:monitor(process, Owner) end,
            Run = #run{id = Id, options = Options, installed = WasInstalled},
            {reply, {ok, {run, Run#run.id}}, State#state{runs = [Run | Runs]}};
        {error, Reason} ->
            answer({error, lists:flatten(["cannot put the node on Python sockets: ", inetpy_install:text(Reason)])}, State)
    end;
handle_call({close, Id}, _From, State) ->
    true = erlang:demonitor(Id, [flush]),
    answer(ok, closed(Id, State));
handle_call({enter, Id, Scene, Folders}, _From, #state{runs = Runs} = State) ->
    case lists:keyfind(Id, #run.id, Runs) of
        #run{network = none} = Run -> enter_with(Run, Folders, Scene, enter_scene(Scene, undefined, State));
        #run{} -> {reply, {error, "the run has a network already"}, State};
        false -> {reply, {error, "the run is over"}, State}
    end;
handle_call({enter, Scene}, _From, State) ->
    {reply, ok, enter_scene(Scene, undefined, State)};
handle_call({leave, Scene}, _From, State) ->
    {reply, ok, leave_scene(Scene, State)};
handle_call({adopt, Pid}, _From, State) ->
    _ = inetpy_faults:ask({adopt, Pid, self()}),
    {reply, ok, State};
handle_call({begin_test, Test, Pid, Name}, _From, State) ->
    #state{scenes = #{Test := Scene}, traces = Traces} = Entered = enter_scene(Test, Pid, State),
    case Name =/= none andalso Scene#scene.trace =:= none andalso trace(State) =/= never of
        true ->
            Counted = maps:update_with(Name, fun(N) -> N + 1 end, 1, Traces),
            {reply, trace_file(Name, maps:get(Name, Counted)), Entered#state{traces = Counted}};
        false ->
            {reply, none, Entered}
    end;
handle_call({traced, Test, Trace}, _From, #state{scenes = Scenes} = State) ->
    #{Test := Scene} = Scenes,
    {reply, ok, State#state{scenes = Scenes#{Test := Scene#scene{trace = Trace}}}};
handle_call({end_test, Test, Outcome}, _From, State) ->
    {Report, Ended} = end_scene(Test, Outcome, State),
    {reply, Report, Ended};
handle_call({abandon, IsOne}, _From, #state{scenes = Scenes} = State) ->
    Tests = [Test || {Test, #scene{process = Pid}} <- maps:to_list(Scenes), is_pid(Pid), not is_process_alive(Pid), IsOne(Test)],
    {Reports, Ended} = lists:mapfoldl(fun(Test, S) -> end_scene(Test, failed, S) end, State, Tests),
    {reply, Reports, Ended}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) -> {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, normal, #state{}}.
handle_info({'DOWN', Id, process, _, _}, State) ->
    case closed(Id, State) of
        #state{runs = []} = Last -> {stop, normal, Last};
        Closed -> {noreply, Closed}
    end;
handle_info(_Other, State) ->
    {noreply, State}.

closed(Id, #state{runs = Runs} = State) ->
    case lists:keytake(Id, #run.id, Runs) of
        {value, #run{installed = WasInstalled, network = Network}, Others} ->
            Left = case Network of none -> State; {Scene, _} -> leave_scene(Scene, State) end,
            _ = [ok = inetpy:uninstall() || not WasInstalled],
            Left#state{runs = Others};
        false ->
            State
    end.

%% The scene is there before its network, so the rules of the network are not among those from before.
enter_with(#run{id = Id, options = Options} = Run, Folders, Scene, #state{runs = Runs} = State) ->
    case load(Options, Folders) of
        none ->
            {reply, ok, State};
        {ok, Network} ->
            Loaded = Run#run{network = {Scene, Network}},
            {reply, ok, State#state{runs = lists:keyreplace(Id, #run.id, Runs, Loaded)}};
        {error, Why} ->
            {reply, {error, lists:flatten(Why)}, leave_scene(Scene, State)}
    end.

answer(Answer, #state{runs = []} = State) -> {stop, normal, Answer, State};
answer(Answer, State) -> {reply, Answer, State}.

%% --- networks ----------------------------------------------------------------

load(Options, Folders) ->
    Wanted = [{Option, Value} || {Name, Value} <- lists:reverse(Options), Option <- option(Name)],
    case maps:from_list(Wanted) of
        #{file := Name} = Network -> load_file(found(Name, Folders), Network);
        #{seed := _} = Network -> load_network(Network);
        _ -> none
    end.

option(network) -> [file];
option(seed) -> [seed];
option(trace) -> [].

found(Name, Folders) ->
    Paths = [filename:absname(Name, Folder) || Folder <- Folders],
    case [Path || Path <- Paths, filelib:is_regular(Path)] of
        [Path | _] -> {ok, Path};
        [] -> {error, io_lib:format("there is no network file ~ts in ~ts", [Name, lists:join(" and ", lists:uniq(Folders))])}
    end.

load_file({ok, Path}, Network) -> load_network(Network#{file := Path});
load_file({error, _} = Error, _) -> Error.

load_network(Network) ->
    case inetpy_network:load(Network) of
        {ok, _} = Loaded -> Loaded;
        {error, {bad_network, Why}} -> {error, Why};
        {error, Reason} -> {error, io_lib:format("cannot load the network: ~0tp", [Reason])}
    end.

%% --- scenes ------------------------------------------------------------------

enter_scene(Name, _, #state{scenes = Scenes} = State) when is_map_key(Name, Scenes) ->
    State;
enter_scene(Name, Process, #state{scenes = Scenes} = State) ->
    Number = erlang:unique_integer([positive, monotonic]),
    _ = inetpy_faults:ask_all({scene, Number}),
    Since = case tests(State) of [] -> Number; Others -> lists:min([S || #scene{since = S} <- Others]) end,
    State#state{scenes = Scenes#{Name => #scene{number = Number, process = Process, since = Since}}}.

tests(#state{scenes = Scenes}) -> [Scene || #scene{process = Pid} = Scene <- maps:values(Scenes), is_pid(Pid)].

leave_scene(Name, #state{runs = Runs} = State) ->
    {_, Left} = end_scene(Name, passed, State),
    Left#state{runs = [unloaded(Name, Run) || Run <- Runs]}.

unloaded(Name, #run{network = {Name, Network}} = Run) ->
    ok = inetpy_network:unload(Network),
    Run#run{network = none};
unloaded(_, Run) ->
    Run.

end_scene(Name, Outcome, #state{scenes = Scenes} = State) ->
    case maps:take(Name, Scenes) of
        {#scene{number = Number} = Scene, Others} ->
            Left = State#state{scenes = Others},
            IsAlone = tests(Left) =:= [],
            ok = heal(Scene, IsAlone),
            Report = report(inetpy_faults:ask_all({scene_end, {Number, IsAlone}})),
            {Report#{trace => stop_trace(Scene#scene.trace, outcome(Outcome, Report), trace(State))}, Left};
        error ->
            {none, State}
    end.

%% What the network has to say makes a test fail.
outcome(_, #{failures := [_ | _]}) -> failed;
outcome(Outcome, _) -> Outcome.

%% The rules of this node. Those that Python has added itself are removed by `scene_end`.
heal(#scene{process = undefined, number = Number}, true) -> healed({heal, Number, all});
heal(#scene{process = undefined}, false) -> ok;
heal(#scene{since = Since}, true) -> healed({heal, Since, all});
heal(#scene{number = Number, process = Pid}, false) -> healed({heal, Number, Pid}).

healed(Request) ->
    _ = inetpy_faults:ask(Request),
    ok.

report(Answers) ->
    Reports = [Report || {ok, Report} <- Answers],
    #{
        seed => case Reports of [#{seed := Seed} | _] -> Seed; [] -> undefined end,
        fired => lists:append([Fired || #{fired := Fired} <- Reports]),
        failures => lists:append([Failures || #{failures := Failures} <- Reports])
    }.

%% --- traces ------------------------------------------------------------------

%% What the run that was opened last says, if it says something.
trace(#state{runs = Runs}) ->
    case [When || #run{options = Options} <- Runs, {trace, When} <- Options] of
        [When | _] -> When;
        [] -> on_failure
    end.

trace_file(Name, 1) -> unicode:characters_to_list([Name, ".pcapng"]);
trace_file(Name, N) -> trace_file([Name, $-, integer_to_list(N)], 1).

%% The file of a trace that is to stay. A trace whose process was killed has ended before.
stop_trace(none, _, _) ->
    none;
stop_trace({error, _} = Error, _, _) ->
    Error;
stop_trace({File, Trace}, Outcome, When) ->
    case {inetpy_trace:stop(Trace), Outcome} of
        {{error, {trace_failed, _}} = Error, _} ->
            Error;
        {_, passed} when When =/= always ->
            _ = [file:delete(Each) || Each <- files(File)],
            none;
        {_, _} ->
            File
    end.

%% Each Python writes a file of its own.
files(File) -> [File | filelib:wildcard(filename:rootname(File) ++ "-[0-9]*.pcapng")].

%% --- the report as text ------------------------------------------------------

%% Lines for the log of a failed test.
-spec text(report()) -> io_lib:chars().
text(#{seed := Seed, fired := Fired, failures := Failures, trace := Trace}) ->
    lists:join($\n, [seed_text(Seed)] ++ fired_text(Fired) ++ failures_text(Failures) ++ trace_text(Trace)).

seed_text(undefined) -> "inetpy: Python cannot be asked what has happened";
seed_text(Seed) -> io_lib:format("inetpy: seed ~b (repeat with {seed, ~b})", [Seed, Seed]).

fired_text([]) -> ["no fault has fired"];
fired_text(Fired) -> ["faults that fired:" | [fired_line(Rule, Count, Examples) || {Rule, Count, Examples} <- Fired]].

fired_line(Rule, Count, []) -> io_lib:format("  ~ts: ~ts", [Rule, times(Count)]);
fired_line(Rule, Count, Examples) ->
    More = [", ..." || Count > length(Examples)],
    io_lib:format("  ~ts: ~ts (~ts~ts)", [Rule, times(Count), lists:join(", ", Examples), More]).

times(1) -> "once";
times(Count) -> io_lib:format("~b times", [Count]).

failures_text([]) -> [];
failures_text(Failures) -> ["failures of the network:" | [["  ", string:replace(Text, "\n", "\n  ", all)] || Text <- Failures]].

trace_text(none) -> [];
trace_text({error, Reason}) -> [io_lib:format("no trace: ~0tp", [Reason])];
trace_text(File) -> [io_lib:format("trace: ~ts", [File])].
