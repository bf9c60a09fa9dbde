%% Keeps one bridge: starts it, and starts it again whenever it ends.
%%
%% A supervisor gives up after some restarts, and a node without its bridge would be off Python sockets for
%% good. So this process starts the bridge. Its delays grow while Python cannot be started, or ends soon after
%% its start. When the bridge ends, calls that open a socket wait for the next one. They get an error at once
%% when Python could not be started.
%%
%% A Python that could not be started even once is started again for the next call that needs it, and not before:
%% a node that never opens a socket has no attempt every two seconds. A link to a Python that others start is tried
%% again without end: that Python may come later than this node.
-module(inetpy_keeper).
-behaviour(gen_server).

-export([start_link/2, await/2, first_start/1, is_ready/2, stop/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% Milliseconds between two starts: none after a long life, else from the least to the most.
-define(LONG_LIFE, 10000).
-define(LEAST_DELAY, 100).
-define(MOST_DELAY, 2000).
%% Time for the bridge to close its link.
-define(SHUTDOWN, 2000).

-record(state, {
    number :: pos_integer(),
    %% The link of the bridge.
    spec :: inetpy_link:spec(),
    bridge :: pid() | undefined,
    %% When the bridge became ready, in ms; `undefined` while it is starting.
    ready_at :: integer() | undefined,
    %% Whether a bridge has ever been ready.
    started = false :: boolean(),
    %% Why the last start failed; `none` when it did not.
    failure = none :: none | term(),
    %% Whether the log has that failure.
    logged = false :: boolean(),
    delay = 0 :: non_neg_integer(),
    %% For the next start, or until a call may cause it.
    timer :: reference() | undefined,
    %% Callers that wait for the bridge, with the function that they called.
    waiting = [] :: [{await | first_start, gen_server:from()}]
}).

-spec start_link(pos_integer(), inetpy_link:spec()) -> gen_server:start_ret().
start_link(Number, Spec) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, {Number, Spec}, []).

name(Number) -> list_to_atom(atom_to_list(?MODULE) ++ integer_to_list(Number)).

%% Waits until there is a bridge, but no longer than Timeout. Answers at once when Python could not be started
%% a moment ago.
-spec await(pos_integer(), timeout()) -> ok | {error, timeout | {inetpy, not_started | down, string()}}.
await(Number, Timeout) ->
    try
        gen_server:call(name(Number), await, Timeout)
    catch
        exit:{timeout, _} -> {error, timeout};
        exit:_ -> {error, {inetpy, not_started, "call inetpy:start() first"}}
    end.

%% The result of the first start that succeeded, or else of another one now. It is that of inetpy:start/0, which logs
%% an error itself. A Python that others start, and that is not there yet, is no error: this process has logged it.
-spec first_start(pos_integer()) -> ok | {error, term()}.
first_start(Number) ->
    gen_server:call(name(Number), first_start, infinity).

%% Called by the bridge: Python has greeted.
-spec is_ready(pos_integer(), pid()) -> ok.
is_ready(Number, Bridge) ->
    gen_server:cast(name(Number), {is_ready, Bridge}).

%% Ends the bridge, which tells the owners of its sockets.
-spec stop(pos_integer()) -> ok.
stop(Number) ->
    gen_server:call(name(Number), stop, infinity).

%% --- gen_server ------------------------------------------------------------

-spec init({pos_integer(), inetpy_link:spec()}) -> {ok, #state{}, {continue, start}}.
init({Number, Spec}) ->
    process_flag(trap_exit, true),
    {ok, #state{number = Number, spec = Spec}, {continue, start}}.

-spec handle_continue(start, #state{}) -> {noreply, #state{}}.
handle_continue(start, State) ->
    {noreply, start(State)}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call(stop, _From, State) ->
    end_bridge(State#state.bridge, {shutdown, stopped}),
    ok = inetpy_names:set(State#state.number, []),
    %% a timer that is still running must not start a bridge
    Stopped = State#state{bridge = undefined, ready_at = undefined, failure = stopped, timer = undefined},
    {reply, ok, answer_all(Stopped)};
handle_call(Function, From, Before) when Function =:= await; Function =:= first_start ->
    #state{waiting = Waiting} = State = wake(Function, Before),
    {noreply, answer_all(State#state{waiting = [{Function, From} | Waiting]})}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast({is_ready, Bridge}, #state{bridge = Bridge, started = Started} = State) ->
    _ = [log(notice, "Python is back", []) || State#state.logged orelse (Started andalso not starts_python(State))],
    Now = erlang:monotonic_time(millisecond),
    Ready = State#state{ready_at = Now, started = true, failure = none, logged = false},
    {noreply, answer_all(Ready)};
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({timeout, Timer, start}, #state{timer = Timer} = State) ->
    case is_in_vain(State) of
        true -> {noreply, State#state{timer = undefined}};
        false -> {noreply, start(State)}
    end;
handle_info({'EXIT', Bridge, Reason}, #state{bridge = Bridge} = State) ->
    {noreply, ended(Reason, State)};
handle_info(_Other, State) ->
    {noreply, State}.

%% After init:restart/0 the node is as it was at first.
-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    end_bridge(State#state.bridge, Reason),
    _ = [ok = inetpy_install:uninstall() || inetpy_app:node_goes_down()],
    ok.

%% --- the bridge ------------------------------------------------------------

start(#state{number = Number, spec = Spec} = State) ->
    case inetpy_bridge:start_link(Number, Spec) of
        {ok, Bridge} -> State#state{bridge = Bridge, ready_at = undefined};
        {error, Reason} -> answer_all(failed(Reason, State))
    end.

%% The bridge has ended. If it was starting, Python could not be started, unless somebody has killed the bridge.
ended(Reason, #state{ready_at = undefined} = State) when Reason =/= killed ->
    answer_all(failed(Reason, State));
ended(Reason, #state{ready_at = ReadyAt} = State) ->
    Format = case starts_python(State) of
        true -> "~ts. Its sockets are closed, and it is started again";
        false -> "~ts. Its sockets are closed, and the node connects again"
    end,
    log(error, Format, [inetpy_python:text(Reason)]),
    Now = erlang:monotonic_time(millisecond),
    case is_integer(ReadyAt) andalso Now - ReadyAt >= ?LONG_LIFE of
        true -> start_later(State#state{delay = 0});
        false -> start_later(State)
    end.

%% The names that Python had are still known while another Python is being started, which may have them too.
failed(Reason, #state{number = Number, started = Started, delay = Delay} = State) ->
    ok = inetpy_names:set(Number, []),
    Failed = State#state{failure = reason(Reason), delay = max(Delay, ?LEAST_DELAY)},
    start_later(case Started orelse not starts_python(Failed) of true -> log_failure(Failed); false -> Failed end).

%% Whether Python is started by others, and is not there yet.
comes_later(#state{failure = Failure} = State) ->
    not starts_python(State) andalso is_tuple(Failure) andalso element(1, Failure) =/= inetpy_protocol.

starts_python(#state{spec = Spec}) -> inetpy_link:starts_python(Spec).

%% Whether another start is of use before a call needs Python.
is_in_vain(#state{started = Started, failure = Failure} = State) ->
    not Started andalso Failure =/= none andalso starts_python(State).

%% Only the first failure of several is logged. Before a bridge has ever been ready, it is logged for the first call
%% that needs one.
log_failure(#state{failure = Reason, logged = false} = State) ->
    Format = case starts_python(State) of
        true -> "~ts. No socket can be opened until it can be started";
        false -> "~ts. No socket can be opened until Python is there"
    end,
    log(error, Format, [inetpy_python:text(Reason)]),
    State#state{logged = true};
log_failure(State) ->
    State.

%% Starts the bridge for a call if no start has succeeded yet. inetpy:start/0 does not wait for the delay.
wake(Function, #state{started = false, bridge = undefined, failure = Failure, timer = Timer} = State) when
    Failure =/= none, Failure =/= stopped, (Timer =:= undefined orelse Function =:= first_start)
->
    case comes_later(State) of
        true -> State;
        false -> start(State#state{failure = none, timer = undefined})
    end;
wake(_, State) ->
    State.

reason({shutdown, Reason}) -> Reason;
reason(Reason) -> Reason.

start_later(#state{delay = Delay} = State) ->
    Timer = erlang:start_timer(Delay, self(), start),
    State#state{bridge = undefined, timer = Timer, delay = min(max(2 * Delay, ?LEAST_DELAY), ?MOST_DELAY)}.

answer_all(#state{waiting = Waiting} = State) ->
    {Left, Answered} = lists:partition(fun({Function, _}) -> answer(Function, State) =:= wait end, Waiting),
    lists:foreach(fun({Function, From}) -> gen_server:reply(From, answer(Function, State)) end, Answered),
    Rest = State#state{waiting = Left},
    case [failed || {await, _} <- Answered, {error, _} <- [answer(await, State)]] of
        [] -> Rest;
        _ -> log_failure(Rest)
    end.

%% A caller can see the end of a bridge before this process gets the exit signal, so `await` looks whether the
%% bridge is alive. After stop/1 callers wait until this process ends.
answer(first_start, #state{started = true}) ->
    ok;
answer(first_start, #state{failure = none}) ->
    wait;
answer(first_start, #state{failure = Reason} = State) ->
    case comes_later(State) of
        true -> ok;
        false -> {error, readable(Reason)}
    end;
answer(await, #state{failure = none, ready_at = ReadyAt, bridge = Bridge}) ->
    case is_integer(ReadyAt) andalso is_pid(Bridge) andalso is_process_alive(Bridge) of
        true -> ok;
        false -> wait
    end;
answer(await, #state{failure = stopped}) ->
    wait;
answer(await, #state{failure = Reason}) ->
    {error, {inetpy, down, lists:flatten(inetpy_python:text(Reason))}}.

%% A user gets a sentence, and not the status of a port.
readable({Kind, _} = Reason) when Kind =:= inetpy_python; Kind =:= inetpy_protocol ->
    {Kind, lists:flatten(inetpy_python:text(Reason))};
readable(Reason) ->
    Reason.

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
