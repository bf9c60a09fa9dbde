%% The rules of inetpy_fault: gives them numbers, tells all bridges, and keeps them.
%%
%% A rule ends with the process that has added it, which is monitored. A Python that starts gets all rules from its
%% bridge before a socket can be opened (inetpy_bridge). So they are in a table, which the bridges read, and which
%% belongs to inetpy_sup: it outlives this process. A rule is in the table before the first bridge is asked. Each bridge
%% thus gets a rule by one of the two ways, or by both: a rule with a number that Python has already is the same rule.
-module(inetpy_faults).
-behaviour(gen_server).

-export([start_link/0, new_table/0, ask/1, ask_bridge/2]).
%% for the bridges
-export([kept/1, keep/3, forget/2, lineage/3]).
%% for inetpy_network and inetpy_tests
-export([ask_all/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([key/0]).

%% A rule of this node has a positive number. Rules that Python keeps here have a negative number, and each Python has
%% its own.
-type key() :: integer().
-type rule() :: inetpy_fault_terms:rule().
-type request() ::
    {add, pid(), rule()} | {remove, key()} | {fired, key() | all} | {events, key()} | rules | reset |
    {adopt, From :: pid(), To :: pid()} | {heal, Since :: key(), all | pid()}.

%% Rows of the table: {Key, Owner, Rule} for rules of this node, {{Bridge, Key}, python, Rule} for those of a Python.
-define(TABLE, ?MODULE).

%% In ms: a restart of Python takes no longer.
-define(RESTART_TIME, 5000).

%% The monitors of processes that have added rules.
-record(state, {monitors = #{} :: #{pid() => reference()}}).

-spec start_link() -> gen_server:start_ret().
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Called by inetpy_sup, whose process has the table.
-spec new_table() -> ok.
new_table() ->
    ?TABLE = ets:new(?TABLE, [named_table, public, {read_concurrency, true}]),
    ok.

-spec ask(request()) -> {ok, term()} | ok | {error, {bad_rule, string()} | {inetpy, atom(), term()}}.
ask(Request) ->
    inetpy_sup:ask(?MODULE, Request).

%% --- for the bridges -------------------------------------------------------

%% The arguments of the requests that bring the rules to the Python of a bridge, which has just started: in the order in
%% which they were added, those of Python first.
-spec kept(pos_integer()) -> [{add, {key(), map(), {atom(), map()}, map()}}].
kept(Bridge) ->
    Its = [{-Key, Rule} || [Key, Rule] <- ets:match(?TABLE, {{Bridge, '$1'}, '_', '$2'})],
    Ours = [{Key, Rule} || [Key, Rule] <- ets:match(?TABLE, {'$1', '_', '$2'}), is_integer(Key)],
    [addition(-Key, Rule) || {Key, Rule} <- lists:sort(Its)] ++ [addition(Key, Rule) || {Key, Rule} <- lists:sort(Ours)].

addition(Key, {Whom, What, When}) -> {add, {Key, Whom, What, When}}.

%% A rule that somebody has added to the Python of a bridge is to be there also after its end.
-spec keep(pos_integer(), key(), rule()) -> ok.
keep(Bridge, Key, Rule) ->
    true = ets:insert(?TABLE, {{Bridge, Key}, python, Rule}),
    ok.

%% It is no longer to be there. Of a rule of this node, Python says so when its time is over.
-spec forget(pos_integer(), key()) -> ok.
forget(_, Key) when Key > 0 ->
    tell({forgotten, Key});
forget(Bridge, Key) ->
    true = ets:delete(?TABLE, {Bridge, Key}),
    ok.

%% Python asks what processes descend from. It may take a moment, so the bridge process does not look by itself.
-spec lineage(inetpy_link:out(), integer(), [pid()]) -> ok.
lineage(Out, Number, Pids) ->
    tell({lineage, Out, Number, Pids}).

tell(Message) ->
    _ = [Faults ! Message || Faults <- [whereis(?MODULE)], is_pid(Faults)],
    ok.

%% --- gen_server ------------------------------------------------------------

%% After a failure of this process, the rules are still there, and some of their owners may be gone.
-spec init([]) -> {ok, #state{}}.
init([]) ->
    Owners = ets:select(?TABLE, [{{'_', '$1', '_'}, [{is_pid, '$1'}], ['$1']}]),
    ok = tell_context(),
    {ok, lists:foldl(fun watch/2, #state{}, Owners)}.

-spec handle_call(request(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call({add, Owner, Rule}, _From, State) ->
    Key = erlang:unique_integer([positive, monotonic]),
    true = ets:insert(?TABLE, {Key, Owner, Rule}),
    ok = tell_context(),
    case add(Key, Rule) of
        ok -> {reply, {ok, Key}, watch(Owner, State)};
        Error -> ok = remove([Key]), {reply, Error, State}
    end;
handle_call({remove, Key}, _From, State) ->
    {reply, ok, forgotten(Key, State)};
handle_call(reset, _From, #state{monitors = Monitors} = State) ->
    true = ets:delete_all_objects(?TABLE),
    _ = ask_all({reset, []}),
    ok = tell_context(),
    _ = [true = erlang:demonitor(Monitor, [flush]) || Monitor <- maps:values(Monitors)],
    {reply, ok, State#state{monitors = #{}}};
handle_call({adopt, From, To}, _From, State) ->
    case keys(From) of
        [] ->
            {reply, ok, State};
        Keys ->
            _ = [true = ets:update_element(?TABLE, Key, {2, To}) || Key <- Keys],
            {reply, ok, watch(To, unwatch(From, State))}
    end;
handle_call({heal, Since, Whose}, _From, State) ->
    Rows = [{Key, Owner} || {Key, Owner, _} <- ets:tab2list(?TABLE), is_integer(Key), Key > Since],
    Keys = [Key || {Key, Owner} <- Rows, Whose =:= all orelse lists:member(Whose, inetpy_lineage:of_process(Owner))],
    {reply, ok, lists:foldl(fun forgotten/2, State, Keys)};
handle_call(rules, _From, State) ->
    {reply, merge(ask_all({rules, []}), fun rules/1), State};
handle_call({fired, Key}, _From, State) ->
    {reply, merge(ask_all({fired, Key}), fun lists:sum/1), State};
handle_call({events, Key}, _From, State) ->
    {reply, merge(ask_all({events, Key}), fun lists:append/1), State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({'DOWN', _, process, Owner, _}, #state{monitors = Monitors} = State) ->
    ok = remove(keys(Owner)),
    {noreply, State#state{monitors = maps:remove(Owner, Monitors)}};
handle_info({forgotten, Key}, State) ->
    {noreply, forgotten(Key, State)};
handle_info({lineage, Out, Number, Pids}, State) ->
    ok = tell_lineage(Out, Number, Pids),
    {noreply, State};
handle_info(_Other, State) ->
    {noreply, State}.

forgotten(Key, State) ->
    Owners = [Owner || {_, Owner, _} <- ets:lookup(?TABLE, Key)],
    ok = remove([Key]),
    lists:foldl(fun unwatch/2, State, Owners).

%% --- owners ----------------------------------------------------------------

watch(Owner, #state{monitors = Monitors} = State) when is_map_key(Owner, Monitors) ->
    State;
watch(Owner, #state{monitors = Monitors} = State) ->
    State#state{monitors = Monitors#{Owner => erlang:monitor(process, Owner)}}.

%% When an owner has no rule any more.
unwatch(Owner, #state{monitors = Monitors} = State) ->
    case keys(Owner) of
        [] ->
            {Monitor, Others} = maps:take(Owner, Monitors),
            true = erlang:demonitor(Monitor, [flush]),
            State#state{monitors = Others};
        _ ->
            State
    end.

keys(Owner) -> [Key || [Key] <- ets:match(?TABLE, {'$1', Owner, '_'})].

%% --- rules -----------------------------------------------------------------

%% All bridges have the rule, or none.
add(Key, {Whom, _, _} = Rule) ->
    case [Answer || Answer <- ask_all(addition(Key, Rule)), Answer =/= ok] of
        [] when is_map_key(owner, Whom) ->
            answer_lineages(),
            confirm(ask_all({fired, Key}));
        [] ->
            ok;
        [{error, {bad_rule, Why}} | _] ->
            inetpy_fault_terms:why(Why);
        [Error | _] ->
            Error
    end.

%% Before Python answers, it asks for the lineages of the owners of open sockets. The questions are in the mailbox then.
answer_lineages() ->
    receive
        {lineage, Out, Number, Pids} ->
            ok = tell_lineage(Out, Number, Pids),
            answer_lineages()
    after 0 ->
        ok
    end.

%% A request behind the lineages: when it is answered, Python has them.
confirm(Answers) ->
    case [Error || {error, _} = Error <- Answers] of
        [] -> ok;
        [Error | _] -> Error
    end.

remove(Keys) ->
    lists:foreach(
        fun(Key) ->
            true = ets:delete(?TABLE, Key),
            _ = ask_all({remove, Key})
        end,
        Keys
    ),
    ok = tell_context().

tell_context() ->
    Owners = ets:select(?TABLE, [{{'_', '$1', '_'}, [{is_pid, '$1'}], ['$1']}], 1),
    inetpy_context:set(rules, Owners =/= '$end_of_table').

merge(Answers, Function) ->
    case [Error || {error, _} = Error <- Answers] of
        [] -> {ok, Function([Answer || {ok, Answer} <- Answers])};
        [Error | _] -> Error
    end.

%% Each Python has all rules of this node, and its own.
rules(Lists) ->
    {Ours, Others} = lists:partition(fun({Key, _, _, _}) -> is_integer(Key) andalso Key > 0 end, lists:append(Lists)),
    [
        {Key, Whom, What, lists:sum([Fired || {K, _, _, Fired} <- Ours, K =:= Key])}
     || {Key, _, {Whom, What, _}} <- lists:keysort(1, ets:tab2list(?TABLE)), is_integer(Key)
    ] ++ Others.

%% --- requests --------------------------------------------------------------

%% The answers of all Pythons to a request.
-spec ask_all({atom(), term()}) -> [term()].
ask_all(Args) -> [ask_bridge(Number, Args) || Number <- lists:seq(1, inetpy_bridges:count())].

%% The answer of a bridge to a request of the network. If its Python dies meanwhile, the next one is asked.
-spec ask_bridge(pos_integer(), {Verb :: atom(), term()}) -> ok | {ok, term()} | {error, term()}.
ask_bridge(Number, Args) ->
    case inetpy_bridge:where(Number, ?RESTART_TIME) of
        {ok, Bridge, Out} ->
            Socket = {'$inet', ?MODULE, {Bridge, Out, 0}},
            case inetpy_request:call(Socket, fault, Args) of
                {error, closed} -> ask_bridge(Number, Args);
                Answer -> Answer
            end;
        {error, timeout} ->
            {error, {inetpy, down, "Python does not start"}};
        {error, _} = Error ->
            Error
    end.

tell_lineage(Out, Number, Pids) ->
    Answers = [{Pid, inetpy_lineage:of_process(Pid)} || Pid <- Pids],
    try inetpy_link:write(Out, term_to_binary({lineage, Number, Answers})) of
        true -> ok
    catch
        error:badarg -> ok  % the link is gone
    end.
