%% The bridges of this node: one, or as many as the option `bridges` of inetpy:start/1 says. Each has a Python
%% process of its own. New sockets are opened on the bridges in turn. A socket stays on its bridge.
-module(inetpy_bridges).

-export([start/0, begin_start/0, stop/0, init/0, count/0, next/1, all/0, cancel_monitor/1]).

%% In ms: a restart of Python takes no longer.
-define(RESTART_TIME, 5000).

%% Starts the bridges, and answers when all are ready. If one cannot be started, they are stopped again, unless the
%% application runs: then they are started for the next call that needs one.
-spec start() -> ok | {error, term()}.
start() ->
    case begin_start() of
        {ok, Running} ->
            Answers = [inetpy_keeper:first_start(Number) || Number <- lists:seq(1, count())],
            case [Error || {error, _} = Error <- Answers] of
                [] -> ok;
                [Error | _] -> _ = [ok = stop() || not Running], Error
            end;
        {error, _} = Error ->
            Error
    end.

%% Begins to start the bridges, and tells whether that had been done before.
-spec begin_start() -> {ok, Running :: boolean()} | {error, term()}.
begin_start() ->
    case application:get_env(inetpy, bridges, 1) of
        Count when is_integer(Count), Count > 0 -> start_supervisor();
        Other -> {error, {bad_option, #{bridges => Other}}}
    end.

start_supervisor() ->
    Supervisor = #{
        id => inetpy_sup, start => {inetpy_sup, start_link, []}, restart => temporary,
        shutdown => infinity, type => supervisor
    },
    case supervisor:start_child(kernel_safe_sup, Supervisor) of
        {ok, _} -> {ok, false};
        {error, {already_started, _}} -> {ok, true};
        {error, _} = Error -> Error
    end.

%% Stops the bridges, which tell the owners of their sockets.
-spec stop() -> ok.
stop() ->
    case whereis(inetpy_sup) of
        undefined ->
            ok;
        _ ->
            lists:foreach(fun inetpy_keeper:stop/1, lists:seq(1, count())),
            _ = supervisor:terminate_child(kernel_safe_sup, inetpy_sup),
            inetpy_context:init(count())
    end.

%% Called by the supervisor, before the first bridge is started: the links of the bridges.
-spec init() -> [inetpy_link:spec(), ...].
init() ->
    Count = application:get_env(inetpy, bridges, 1),
    persistent_term:put(?MODULE, {Count, atomics:new(1, [{signed, false}])}),
    lists:duplicate(Count, {inetpy_port, python}).

-spec count() -> pos_integer().
count() ->
    {Count, _} = persistent_term:get(?MODULE, {1, none}),
    Count.

%% The bridge for the next socket. Waits while it is starting, but no longer than Timeout.
-spec next(timeout()) ->
    {ok, pid(), inetpy_bridge:out()} | {error, timeout | {inetpy, not_started | down, string()}}.
next(Timeout) ->
    case persistent_term:get(?MODULE, {1, none}) of
        {1, _} -> inetpy_bridge:where(1, Timeout);
        {Count, Turn} -> inetpy_bridge:where(atomics:add_get(Turn, 1, 1) rem Count + 1, Timeout)
    end.

%% All bridges. Waits for one that is being restarted, and leaves out one that does not come back.
-spec all() -> [pid()].
all() ->
    lists:append([
        case inetpy_bridge:where(Number, ?RESTART_TIME) of
            {ok, Bridge, _} -> [Bridge];
            {error, _} -> []
        end
     || Number <- lists:seq(1, count())
    ]).

%% A monitor does not say which bridge has its socket, so all are asked.
-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) ->
    lists:any(fun(Bridge) -> inetpy_bridge:cancel_monitor(Bridge, Ref) end, all()).
