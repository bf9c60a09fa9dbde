%% Starts and stops inetpy, and says which calls of `gen_tcp` and `gen_udp` go through Python.
%%
%% One call, or the whole node:
%%
%%     ok = inetpy:start().
%%     {ok, L} = gen_tcp:listen(0, inetpy:tcp_options([binary])).
%%     ok = inetpy:install().
%%     {ok, M} = gen_tcp:listen(0, [binary]).
-module(inetpy).

-export([install/0, install/1, uninstall/0]).
-export([install_quietly/1]).  % for inetpy_node and inetpy_tests
-export([start/0, start/1, stop/0, info/0, which_sockets/0, i/0, tcp_options/1, udp_options/1]).

-type target() :: port | string() | binary().
-type bridge() :: target() | {inetpy_bridges:label(), target()}.
-export_type([bridge/0]).

%% Starts the application, and answers when its Python process is ready for sockets. An error is logged too,
%% because `erl -s inetpy` drops the answer. A Python that serves nodes and is not there yet is no error: the node
%% connects as soon as it is.
-spec start() -> ok | {error, term()}.
start() ->
    logged(start_quietly()).

start_quietly() ->
    _ = application:load(inetpy),
    %% Bridges start before the application: when an application fails to start, OTP logs a long report.
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

%% As `start/0`, with options, such as `#{bridges => 2}`. `python` is the program to start as Python. `bridges` is
%% how many Python processes share the sockets, or a list: `port` for a Python that this node starts, a URL for one that
%% serves nodes (`"unix:/run/inetpy/bridge"`), or either with a label, `{Label, Url}`, by which a call can choose it with
%% the option `{inetpy_bridge, Label}`. The bridges cannot be changed while the application runs.
-spec start(#{python => file:filename_all(), bridges => pos_integer() | [bridge(), ...]}) -> ok | {error, term()}.
start(Options) ->
    case {maps:keys(maps:without([python, bridges], Options)), inetpy_bridges:parse(maps:get(bridges, Options, 1))} of
        {[], {ok, _}} -> start_with(Options);
        {[], Error} -> Error;
        {Unknown, _} -> {error, {unknown_options, Unknown}}
    end.

start_with(Options) ->
    case is_map_key(bridges, Options) andalso inetpy_bridges:are_others(map_get(bridges, Options)) of
        true ->
            {error, {already_started, #{bridges => inetpy_bridges:count()}}};
        false ->
            _ = application:load(inetpy),
            _ = [ok = application:set_env(inetpy, Key, Value) || {Key, Value} <- maps:to_list(Options)],
            start()
    end.

%% Stops the application. Open sockets are closed, and their owners get a message.
-spec stop() -> ok | {error, term()}.
stop() ->
    case application:stop(inetpy) of
        ok ->
            ok;
        {error, _} = Error ->
            %% While start/0 waits for Python, there are bridges and no application yet.
            ok = inetpy_bridges:stop(),
            Error
    end.

%% From now on every gen_tcp and gen_udp call of this node goes through Python, until `uninstall/0`
%% or `stop/0`. Starts the application if it is not running.
%%
%% Refuses with `{sockets_open, Sockets}` while sockets of OTP's `socket` backend are open, because these would lose
%% their module.
-spec install() -> ok | {error, term()}.
install() ->
    install(#{}).

%% As `install/0`. With `socket => true` calls of OTP's module `socket` go through Python, too. Refuses while stock
%% sockets of that module are open. With `inet => false` as well, only these do: gen_tcp and gen_udp are OTP's, and
%% those of their sockets that have the option `{inet_backend, socket}` run on the module `socket`, so on Python.
-spec install(#{inet => boolean(), socket => boolean()}) -> ok | {error, term()}.
install(Options) ->
    case start() of
        ok -> inetpy_install:install(Options);
        {error, _} = Error -> Error
    end.

%% As `install/1`, for a caller that prints the error itself.
-spec install_quietly(#{inet => boolean(), socket => boolean()}) -> ok | {error, term()}.
install_quietly(Options) ->
    case start_quietly() of
        ok -> inetpy_install:install(Options);
        {error, _} = Error -> Error
    end.

%% New calls go to the stock driver again. Open sockets stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    inetpy_install:uninstall().

%% The bridge, its Python process, and the number of open sockets. `label` and `url` are there where the bridge has
%% them. With several bridges, these are those of the first bridge, `sockets` is the sum, and `bridges` is the list of
%% all. A bridge that is not connected is left out.
-spec info() ->
    #{
        bridge := pid(), os_pid := non_neg_integer() | undefined, sockets := non_neg_integer(),
        label => inetpy_bridges:label(), url => string(), bridges => [map()]
    }
    | not_started.
info() ->
    Several = inetpy_bridges:count() > 1,
    case [described(Info) || Bridge <- inetpy_bridges:all(), #{} = Info <- [inetpy_bridge:info(Bridge)]] of
        [] -> not_started;
        [One] when not Several -> One;
        [First | _] = All -> First#{sockets := lists:sum([N || #{sockets := N} <- All]), bridges => All}
    end.

described(#{number := Number} = Info) ->
    maps:merge(maps:remove(number, Info), inetpy_bridges:describe(Number)).

%% The open sockets of all bridges.
-spec which_sockets() -> [inetpy_handle:socket()].
which_sockets() ->
    lists:append([inetpy_bridge:sockets(Bridge) || Bridge <- inetpy_bridges:all()]).

%% Prints the open sockets, as `inet:i/0` does those of the stock driver.
-spec i() -> ok.
i() -> inetpy_inet:i().

%% Options for gen_tcp that make a call go through Python. For example `[inet6, binary]` becomes
%% `[{tcp_module, inetpy6_tcp}, binary]`.
%%
%% gen_tcp takes the first option that names a module. `inet`, `inet6` and `local` name one too, so the module
%% must come first. A module that the caller has chosen stays.
-spec tcp_options(list()) -> list().
tcp_options(Options) ->
    with_module(tcp_module, Options).

%% The same for gen_udp.
-spec udp_options(list()) -> list().
udp_options(Options) ->
    with_module(udp_module, Options).

with_module(Kind, Options) ->
    {Module, Others} = inetpy_family:choose(Kind, Options, undefined),
    [{Kind, Module} | Others].
