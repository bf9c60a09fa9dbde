%% The public functions of inetpy.
-module(inetpy).

-export([install/0, uninstall/0]).
-export([install_quietly/0]).  % for inetpy_node
-export([start/0, start/1, stop/0, info/0, which_sockets/0, i/0, tcp_options/1, udp_options/1]).

%% Starts the application: one Python process, ready for sockets. What keeps it from that is
%% logged too, for `erl -s inetpy`.
-spec start() -> ok | {error, term()}.
start() ->
    logged(start_quietly()).

start_quietly() ->
    _ = application:load(inetpy),
    %% Before the application, whose failures OTP reports on a page of its own.
    case inetpy_bridges:start() of
        ok ->
            case application:ensure_all_started(inetpy) of
                {ok, _} -> ok;
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

logged(ok) ->
    ok;
logged({error, Reason} = Error) ->
    logger:error("inetpy: ~ts", [inetpy_python:text(Reason)], #{application => inetpy}),
    Error.

%% As start/0, with options: `python`, the program to start as Python; `bridges`, how many
%% Python processes share the sockets, which stays as it is while the application runs.
-spec start(#{python => file:filename(), bridges => pos_integer()}) -> ok | {error, term()}.
start(#{bridges := Count} = Options) when not (is_integer(Count) andalso Count > 0) ->
    {error, {bad_option, maps:with([bridges], Options)}};
start(Options) ->
    case maps:keys(maps:without([python, bridges], Options)) of
        [] -> start_with(Options);
        Unknown -> {error, {unknown_options, Unknown}}
    end.

start_with(Options) ->
    Running = inetpy_bridges:count(),
    case {whereis(inetpy_sup), Options} of
        {Pid, #{bridges := Count}} when is_pid(Pid), Count =/= Running ->
            {error, {already_started, #{bridges => Running}}};
        _ ->
            _ = application:load(inetpy),
            _ = [ok = application:set_env(inetpy, Key, Value) || {Key, Value} <- maps:to_list(Options)],
            start()
    end.

%% Stops it. Open sockets are closed, and their owners told.
-spec stop() -> ok | {error, term()}.
stop() ->
    application:stop(inetpy).

%% Leads every gen_tcp and gen_udp call of this node through Python, until uninstall/0 or
%% stop/0. Starts the application when it is not there.
-spec install() -> ok | {error, term()}.
install() ->
    case start() of
        ok -> inetpy_install:install();
        {error, _} = Error -> Error
    end.

%% As install/0, for a caller that says itself what went wrong.
-spec install_quietly() -> ok | {error, term()}.
install_quietly() ->
    case start_quietly() of
        ok -> inetpy_install:install();
        {error, _} = Error -> Error
    end.

%% Calls go to the stock driver again. Sockets that are open stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    inetpy_install:uninstall().

%% What runs: the bridge, its Python process, and how many sockets there are. With several
%% bridges these are the first one's, the sockets all that there are, and `bridges` has each.
-spec info() -> #{bridge := pid(), os_pid := integer(), sockets := non_neg_integer(), bridges => [map()]} | not_started.
info() ->
    case lists:flatmap(fun one/1, inetpy_bridges:all()) of
        [] -> not_started;
        [One] -> One;
        [First | _] = All -> First#{sockets := lists:sum([N || #{sockets := N} <- All]), bridges => All}
    end.

%% None, when it has just ended.
one(Bridge) ->
    try
        [#{
            bridge => Bridge,
            os_pid => gen_server:call(Bridge, os_pid, infinity),
            sockets => length(inetpy_bridge:sockets(Bridge))
        }]
    catch
        exit:_ -> []
    end.

-spec which_sockets() -> [inetpy_handle:socket()].
which_sockets() ->
    lists:append([inetpy_bridge:sockets(Bridge) || Bridge <- inetpy_bridges:all()]).

%% Prints the open sockets, as inet:i/0 does those of the stock driver.
-spec i() -> ok.
i() -> inetpy_inet:i().

%% Options for gen_tcp that lead through Python, whatever family they ask for.
%%
%% gen_tcp takes the first option that names a module, and `inet`, `inet6` and
%% `local` do; so the module must stand before them. One of the caller's own stays.
-spec tcp_options(list()) -> list().
tcp_options(Options) ->
    through(tcp_module, Options).

%% The same for gen_udp.
-spec udp_options(list()) -> list().
udp_options(Options) ->
    through(udp_module, Options).

through(Kind, Options) ->
    {Module, Others} = inetpy_family:choose(Kind, Options, undefined),
    [{Kind, Module} | Others].
