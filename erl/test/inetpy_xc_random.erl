%% Runs random sequences of operations, and compares the observations of all backends. A sequence with a difference is
%% shrunk to its shortest form.
%%
%% The sequences of an API are a module with the callbacks below. A sequence with a difference runs again, more
%% slowly. If there is no difference then, it was one of timing. A sequence is dropped, too, if the reference itself
%% behaves differently in two runs, or if the difference is gone after the shrinking.
-module(inetpy_xc_random).

-export([main/1, run/4]).
%% for sequences
-export([pick/1, observed/1, quiet/1, heir/0]).

%% What is done before the operations, and the operations. Shrinking leaves out elements of both.
-type sequence() :: {list(), list()}.
-type seen() :: [{Backend :: atom(), term()}].

%% What the calls are of.
-callback api() -> atom().

%% The sequence of a seed.
-callback sequence(integer()) -> sequence().

%% What a backend does with it. `Quiet` is how many milliseconds without news are the end of an operation.
-callback observe(xc:backend(), sequence(), Quiet :: pos_integer()) -> term().

%% A sequence for people to read.
-callback text(sequence()) -> iolist().

-define(PARALLEL, 6).
%% How slowly a sequence runs at first, when it differed, and while it is shrunk.
-define(QUICK, 12).
-define(AGAIN, [60, 150]).
-define(SHRINKING, 30).

%% From the shell: COUNT sequences from SEED on, of each module of MODULE,MODULE..., on BACKEND,BACKEND... Prints the differences.
%% If there are any, halts with 1.
-spec main([string()]) -> no_return().
main(Arguments) ->
    inetpy_xc:main_or_cannot(fun() -> compared(Arguments) end).

compared([Count, Seed, Modules, Names]) ->
    Backends = inetpy_xc:started(Names),
    Different = [compared(list_to_atom(Module), Count, Seed, Backends) || Module <- string:lexemes(Modules, ",")],
    halt(min(1, lists:sum(Different))).

compared(Module, Count, Seed, Backends) ->
    Differences = run(Module, list_to_integer(Count), list_to_integer(Seed), Backends),
    [print(Module, Difference) || Difference <- Differences],
    io:format("~s: ~s sequences from seed ~s, ~b different~n", [Module:api(), Count, Seed, length(Differences)]),
    length(Differences).

print(Module, {Seed, Sequence, Seen}) ->
    io:format("seed ~b:~n~ts~n", [Seed, Module:text(Sequence)]),
    [io:format("~s: ~tp~n", [Name, Observation]) || {Name, Observation} <- only_different(Seen)].

%% Observations that are lists of the same length, without their elements that are equal everywhere.
only_different(Seen) ->
    {Names, Observations} = lists:unzip(Seen),
    case lists:all(fun is_list/1, Observations) andalso lists:usort(lists:map(fun length/1, Observations)) of
        [Length] ->
            Rows = [[lists:nth(N, O) || O <- Observations] || N <- lists:seq(1, Length)],
            Different = [Row || Row <- Rows, length(lists:usort(Row)) > 1],
            lists:zip(Names, [[lists:nth(N, Row) || Row <- Different] || N <- lists:seq(1, length(Names))]);
        _ ->
            Seen
    end.

-spec run(module(), pos_integer(), non_neg_integer(), [xc:backend()]) -> [{integer(), sequence(), seen()}].
run(Module, Count, Seed, Backends) ->
    Seeds = lists:seq(Seed, Seed + Count - 1),
    Suspects = lists:append(parallel(fun(S) -> [S || differs(Module, Module:sequence(S), ?QUICK, Backends)] end, Seeds)),
    lists:append(parallel(fun(S) -> difference(Module, S, Backends) end, Suspects)).

parallel(Fun, Items) ->
    Numbered = lists:zip(lists:seq(1, length(Items)), Items),
    Lanes = [[I || {N, I} <- Numbered, N rem ?PARALLEL =:= Lane] || Lane <- lists:seq(0, ?PARALLEL - 1)],
    Workers = [spawn_monitor(fun() -> exit({results, [Fun(I) || I <- Lane]}) end) || Lane <- Lanes],
    lists:append([results(Worker) || Worker <- Workers]).

%% A worker that fails ends the run: the caller halts with the reason, which a link would not let it say.
results({Worker, Ref}) ->
    receive
        {'DOWN', Ref, process, Worker, {results, Results}} -> Results;
        {'DOWN', Ref, process, Worker, Reason} -> error({worker_failed, Reason})
    end.

%% The difference of a seed in its shortest form, or in its whole length if the short form differs only now and then.
difference(Module, Seed, Backends) ->
    Sequence = Module:sequence(Seed),
    Tried = [Try || _ <- steady(Module, Sequence, Backends), Try <- [shrunk(Module, Sequence, Backends), Sequence]],
    lists:sublist([{Seed, Try, Seen} || Try <- Tried, Seen <- steady(Module, Try, Backends)], 1).

%% What is seen if the difference stays when the sequence runs slowly, and the reference does the same each time.
-spec steady(module(), sequence(), [xc:backend()]) -> [seen()].
steady(Module, Sequence, [Reference | _] = Backends) ->
    Runs = [observations(Module, Sequence, Quiet, Backends) || Quiet <- ?AGAIN],
    Same = length(lists:usort([Module:observe(Reference, Sequence, hd(?AGAIN)) | [O || [{_, O} | _] <- Runs]])) =:= 1,
    [lists:last(Runs) || Same, lists:all(fun has_difference/1, Runs)].

differs(Module, Sequence, Quiet, Backends) ->
    has_difference(observations(Module, Sequence, Quiet, Backends)).

%% What dies has a bug of its own, and proves nothing.
has_difference(Seen) ->
    length(lists:usort([O || {_, O} <- Seen])) > 1 orelse [died || {_, {died, _}} <- Seen] =/= [].

observations(Module, Sequence, Quiet, Backends) ->
    [{Name, Module:observe(Backend, Sequence, Quiet)} || #{name := Name} = Backend <- Backends].

%% Leaves out every element without which the difference stays.
shrunk(Module, {Before, Operations}, Backends) ->
    Differs = fun(Sequence) -> differs(Module, Sequence, ?SHRINKING, Backends) end,
    FewerOperations = fewer(Operations, fun(Some) -> Differs({Before, Some}) end),
    {fewer(Before, fun(Some) -> Differs({Some, FewerOperations}) end), FewerOperations}.

fewer(List, Differs) ->
    lists:foldl(
        fun(N, Kept) ->
            Tried = without(N, Kept),
            case Differs(Tried) of
                true -> Tried;
                false -> Kept
            end
        end,
        List,
        lists:seq(length(List), 1, -1)
    ).

without(N, List) ->
    {Before, [_ | After]} = lists:split(N - 1, List),
    Before ++ After.

%% An element by chance.
-spec pick([T]) -> T.
pick(List) -> lists:nth(rand:uniform(length(List)), List).

%% What Fun sees in a process of its own: its result, comparable between backends.
-spec observed(fun(() -> term())) -> term().
observed(Fun) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({observed, inetpy_xc:normalise(Fun())}) end),
    receive
        {'DOWN', Ref, process, Pid, {observed, Observed}} -> Observed;
        {'DOWN', Ref, process, Pid, Reason} -> {died, inetpy_xc:normalise(Reason)}
    after 5000 ->
        exit(Pid, kill),
        stuck
    end.

%% The messages of this process, until none comes for so many milliseconds.
-spec quiet(pos_integer()) -> [term()].
quiet(Quiet) ->
    receive
        Message -> [Message | quiet(Quiet)]
    after Quiet -> []
    end.

%% A process that passes on to the caller what it gets, as `{heir, Message}`.
-spec heir() -> pid().
heir() ->
    Caller = self(),
    spawn(fun() -> pass_on(Caller) end).

pass_on(To) ->
    receive
        Message ->
            To ! {heir, Message},
            pass_on(To)
    end.
