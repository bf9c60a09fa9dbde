%% The bridges of this node: one, or as many as inetpy:start/1 was told, each with a Python
%% process of its own. New sockets are opened on them in turn, and stay where they are.
-module(inetpy_bridges).

-export([start/0, stop/0, init/0, count/0, next/1, all/0, cancel_monitor/1]).

%% In ms: a restart takes no longer.
-define(MOMENT, 5000).

%% Starts them, and answers when all are there.
-spec start() -> ok | {error, term()}.
start() ->
    Supervisor = #{
        id => inetpy_sup, start => {inetpy_sup, start_link, []}, restart => temporary,
        shutdown => infinity, type => supervisor
    },
    case supervisor:start_child(kernel_safe_sup, Supervisor) of
        {ok, _} -> await_all();
        {error, {already_started, _}} -> await_all();
        {error, _} = Error -> Error
    end.

await_all() ->
    case [Error || Number <- lists:seq(1, count()), {error, _} = Error <- [inetpy_keeper:first_start(Number)]] of
        [] -> ok;
        [Error | _] -> ok = stop(), Error
    end.

%% Ends them, and tells the owners of their sockets.
-spec stop() -> ok.
stop() ->
    case whereis(inetpy_sup) of
        undefined ->
            ok;
        _ ->
            lists:foreach(fun inetpy_keeper:stop/1, lists:seq(1, count())),
            _ = supervisor:terminate_child(kernel_safe_sup, inetpy_sup),
            ok
    end.

%% Called by the supervisor, before the first bridge is started.
-spec init() -> pos_integer().
init() ->
    Count = application:get_env(inetpy, bridges, 1),
    persistent_term:put(?MODULE, {Count, atomics:new(1, [{signed, false}])}),
    Count.

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

%% Those that are there, or will be in a moment.
-spec all() -> [pid()].
all() ->
    lists:append([
        case inetpy_bridge:where(Number, ?MOMENT) of
            {ok, Bridge, _} -> [Bridge];
            {error, _} -> []
        end
     || Number <- lists:seq(1, count())
    ]).

%% A monitor does not say which bridge has its socket.
-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) ->
    lists:any(fun(Bridge) -> inetpy_bridge:cancel_monitor(Bridge, Ref) end, all()).
