%% Keeps one bridge: starts it, and again whenever it ends, for as long as it takes.
%%
%% A supervisor gives up after some restarts, and a node without its bridge would be off Python
%% sockets for good. So the bridge is started by this process, which waits longer and longer
%% while that fails, or while the bridge ends as soon as it is there. Calls that open a socket wait
%% for a bridge that ended, and get an error at once when Python could not be started.
-module(inetpy_keeper).
-behaviour(gen_server).

-export([start_link/1, await/2, first_start/1, stop/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% Milliseconds between two starts: none after a long life, else from the least to the most.
-define(LONG_LIFE, 10000).
-define(LEAST_DELAY, 100).
-define(MOST_DELAY, 2000).
%% Time for Python to see the end of its input and go.
-define(SHUTDOWN, 2000).

-record(state, {
    number :: pos_integer(),
    bridge :: pid() | undefined,
    %% Why the last start failed; `none` when it did not.
    failure = none :: none | term(),
    started :: integer() | undefined,
    delay = 0 :: non_neg_integer(),
    timer :: reference() | undefined,
    %% Callers of await/2 while there is no bridge.
    waiting = [] :: [gen_server:from()]
}).

-spec start_link(pos_integer()) -> gen_server:start_ret().
start_link(Number) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, Number, []).

name(Number) -> list_to_atom(atom_to_list(?MODULE) ++ integer_to_list(Number)).

%% Waits for the bridge, where one is about to come, but no longer than Timeout.
-spec await(pos_integer(), timeout()) -> ok | {error, timeout | {inetpy, not_started | down, string()}}.
await(Number, Timeout) ->
    try
        gen_server:call(name(Number), await, Timeout)
    catch
        exit:{timeout, _} -> {error, timeout};
        exit:_ -> {error, {inetpy, not_started, "call inetpy:start() first"}}
    end.

%% The result of the first start, which is that of inetpy:start/0.
-spec first_start(pos_integer()) -> ok | {error, term()}.
first_start(Number) ->
    gen_server:call(name(Number), first_start, infinity).

%% Ends the bridge, which tells the owners of its sockets.
-spec stop(pos_integer()) -> ok.
stop(Number) ->
    gen_server:call(name(Number), stop, infinity).

%% --- gen_server ------------------------------------------------------------

-spec init(pos_integer()) -> {ok, #state{}, {continue, start}}.
init(Number) ->
    process_flag(trap_exit, true),
    {ok, #state{number = Number}, {continue, start}}.

-spec handle_continue(start, #state{}) -> {noreply, #state{}}.
handle_continue(start, State) ->
    {noreply, start(State)}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call(await, From, State) ->
    case ended_unseen(State) of
        #state{bridge = undefined, failure = none, waiting = Waiting} = After ->
            {noreply, After#state{waiting = [From | Waiting]}};
        After ->
            {reply, answer(After), After}
    end;
handle_call(first_start, _From, #state{started = undefined, failure = Reason} = State) ->
    {reply, {error, Reason}, State};
handle_call(first_start, _From, State) ->
    {reply, ok, State};
handle_call(stop, _From, State) ->
    end_bridge(State#state.bridge, {shutdown, stopped}),
    %% a timer that runs still must start nothing
    {reply, ok, State#state{bridge = undefined, failure = stopped, timer = undefined}}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({timeout, Timer, start}, #state{timer = Timer} = State) ->
    {noreply, start(State)};
handle_info({'EXIT', Bridge, Reason}, #state{bridge = Bridge} = State) ->
    {noreply, ended(Reason, State)};
handle_info(_Other, State) ->
    {noreply, State}.

%% After init:restart/0 the node is what it was.
-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    end_bridge(State#state.bridge, Reason),
    _ = [ok = inetpy_install:uninstall() || inetpy_app:node_goes_down()],
    ok.

%% --- the bridge ------------------------------------------------------------

start(#state{number = Number} = State) ->
    case inetpy_bridge:start_link(Number) of
        {ok, Bridge} -> answered(is_up(State#state{bridge = Bridge, started = erlang:monotonic_time(millisecond)}));
        {error, {shutdown, Reason}} -> answered(failed(Reason, State));
        {error, Reason} -> answered(failed(Reason, State))
    end.

is_up(#state{failure = none} = State) ->
    State;
is_up(State) ->
    log(notice, "Python is back", []),
    State#state{failure = none}.

%% The first failure is the one that is told: by inetpy:start/0 if there was no bridge before.
failed(Reason, #state{failure = Before, started = Started, delay = Delay} = State) ->
    _ = [
        log(error, "~ts. No socket can be opened until it can be started", [inetpy_python:text(Reason)])
     || Before =:= none, Started =/= undefined
    ],
    again(State#state{failure = Reason, delay = max(Delay, ?LEAST_DELAY)}).

ended(Reason, #state{started = Started} = State) ->
    log(error, "~ts. Its sockets are closed, and it is started again", [inetpy_python:text(Reason)]),
    case erlang:monotonic_time(millisecond) - Started < ?LONG_LIFE of
        true -> again(State#state{bridge = undefined});
        false -> again(State#state{bridge = undefined, delay = 0})
    end.

again(#state{delay = Delay} = State) ->
    Timer = erlang:start_timer(Delay, self(), start),
    State#state{timer = Timer, delay = min(max(2 * Delay, ?LEAST_DELAY), ?MOST_DELAY)}.

%% A caller can have seen the end of the bridge before its exit signal is here.
ended_unseen(#state{bridge = Bridge} = State) when is_pid(Bridge) ->
    case is_process_alive(Bridge) of
        true -> State;
        false -> receive {'EXIT', Bridge, Reason} -> ended(Reason, State) end
    end;
ended_unseen(State) ->
    State.

answered(#state{waiting = Waiting} = State) ->
    lists:foreach(fun(From) -> gen_server:reply(From, answer(State)) end, Waiting),
    State#state{waiting = []}.

answer(#state{failure = none}) -> ok;
answer(#state{failure = Reason}) -> {error, {inetpy, down, lists:flatten(inetpy_python:text(Reason))}}.

end_bridge(undefined, _) ->
    ok;
end_bridge(Bridge, Reason) ->
    exit(Bridge, Reason),
    receive
        {'EXIT', Bridge, _} -> ok
    after ?SHUTDOWN -> exit(Bridge, kill), ok
    end.

log(Level, Format, Arguments) ->
    logger:log(Level, "inetpy: " ++ Format, Arguments, #{application => inetpy}).
