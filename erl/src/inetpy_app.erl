%% The application: starts the supervisor.
-module(inetpy_app).
-behaviour(application).

-export([start/2, prep_stop/1, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    case inetpy_sup:start_link() of
        {ok, Pid} -> {ok, Pid};
        ignore -> {error, ignore};
        {error, _} = Error -> Error
    end.

%% Calls go to the stock driver again before there is nobody to take them.
-spec prep_stop(State) -> State.
prep_stop(State) ->
    ok = inetpy_install:uninstall(),
    State.

%% Also when the supervisor has given up.
-spec stop(term()) -> ok.
stop(_State) ->
    inetpy_install:uninstall().
