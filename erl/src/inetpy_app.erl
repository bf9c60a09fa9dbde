%% The application. Its bridges are not in its own supervision tree, but under the kernel's supervisor. When the
%% node goes down, applications end in the reverse order of their starts. An application that ends after this one
%% can still use its sockets, as with the stock driver.
%%
%% The application starts without Python too: it is a dependency of applications that may never open a socket
%% through it. The first call that opens one gets the reason.
-module(inetpy_app).
-behaviour(application).
-behaviour(supervisor).

-export([start/2, prep_stop/1, stop/1]).
-export([init/1]).
-export([node_goes_down/0]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    load_modules(),
    case inetpy_bridges:begin_start() of
        {ok, _} ->
            case install(application:get_env(inetpy, install, false)) of
                ok -> supervisor:start_link(?MODULE, []);
                {error, _} = Error -> ok = inetpy_bridges:stop(), Error
            end;
        {error, _} = Error ->
            Error
    end.

%% A node loads a module when it is called first. Until then the folder of the beams may have been removed, as a
%% cache is, or replaced by another version. A module that is missing is missed when it is called.
load_modules() ->
    {ok, Modules} = application:get_key(inetpy, modules),
    _ = code:ensure_modules_loaded(Modules),
    ok.

%% The application variable `install` is for releases: inetpy, started first, puts the node on Python sockets before
%% the other applications open theirs.
install(true) -> inetpy_install:install(#{});
install(Options) when is_map(Options) -> inetpy_install:install(Options);
install(false) -> ok;
install(Other) -> {error, {bad_option, #{install => Other}}}.

%% An application needs a process, so it has a supervisor without children.
-spec init([]) -> {ok, {supervisor:sup_flags(), []}}.
init([]) ->
    {ok, {#{}, []}}.

%% Before the bridges end, new calls go to the stock driver again.
-spec prep_stop(State) -> State.
prep_stop(State) ->
    _ = [ok = inetpy_install:uninstall() || not node_goes_down()],
    State.

-spec stop(term()) -> ok.
stop(_State) ->
    _ = [ok = inetpy_bridges:stop() || not node_goes_down()],
    ok.

%% Whether all applications are being stopped, and not this one alone: by init:stop/0, or because a permanent
%% application ended.
-spec node_goes_down() -> boolean().
node_goes_down() ->
    case process_info(whereis(application_controller), current_stacktrace) of
        {current_stacktrace, Stack} -> [here || {application_controller, terminate, 2, _} <- Stack] =/= [];
        undefined -> true
    end.
