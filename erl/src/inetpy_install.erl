%% The whole node on Python sockets.
%%
%% gen_tcp and gen_udp read from a persistent term which backend serves a call without the option
%% `inet_backend`. install/0 sets the term to `socket`, and loads our modules (inetpy_hook_tcp, inetpy_hook_udp) in
%% place of the two modules of that backend, under their names. Our modules call gen_tcp and gen_udp again, with the
%% stock backend and with modules of ours as options. So every call gets here, whatever its options and addresses are.
%%
%% Libraries that ask OTP for a module and call that (inet:tcp_module/1,2, inet_db:tcp_module/0) get the default
%% module of inet_db. So that is ours too (inetpy_default_tcp). A call with `{inet_backend, inet}` still goes to the
%% stock driver. Distribution has modules of its own.
%%
%% With the option `socket` the module `socket` is loaded again, with ours behind it. OTP's gen_tcp_socket and
%% gen_udp_socket run on that, unless the option `inet` has put our modules in their place.
-module(inetpy_install).

-export([install/1, uninstall/0, is_installed/0, leads_sockets/0, text/1, hooks/0]).
-export([connect_options/3, tcp_options/2, udp_options/1]).

-define(BACKEND, {kernel, inet_backend}).
-define(STATE, {inetpy, installed}).
%% The modules that are loaded with ours behind them, which may be after uninstall/0, too.
-define(ON_OURS, {inetpy, on_our_sockets}).
%% OTP's modules, and ours in their place.
-define(HOOKS, [{gen_tcp_socket, inetpy_hook_tcp}, {gen_udp_socket, inetpy_hook_udp}]).

%% OTP's modules on `socket`, which ask `socket_registry` for monitors, too.
-define(ON_SOCKET, [gen_tcp_socket, gen_udp_socket]).

-type reason() :: {sockets_open, [term()]} | {no_hook, module()} | {bad_option, term()}.
%% What goes to Python: `inet` for calls of gen_tcp and gen_udp (unless it is false), `socket` for those of the module
%% `socket` (if it is true).
-type options() :: #{inet => boolean(), socket => boolean()}.
-export_type([reason/0, options/0]).

-spec is_installed() -> boolean().
is_installed() -> state() =/= #{}.

%% Whether new sockets of the module `socket` are Python's.
-spec leads_sockets() -> boolean().
leads_sockets() -> is_map_key(socket, state()).

%% What is installed, with what uninstall/0 needs to know.
state() -> persistent_term:get(?STATE, #{}).

%% Answers ok when inetpy is installed already. What is installed stays so: the options say what is added. Refuses while
%% sockets of the modules are open that are replaced, because these would lose their module.
-spec install(options()) -> ok | {error, reason()}.
install(Options) when is_map(Options) ->
    case maps:merge(#{inet => true, socket => false}, Options) of
        #{inet := Inet, socket := Socket} = All when map_size(All) =:= 2, is_boolean(Inet), is_boolean(Socket) ->
            Wanted = [{inet, fun install_hooks/0} || Inet] ++ [{socket, fun install_socket/0} || Socket],
            locked(fun() -> add([{Key, Install} || {Key, Install} <- Wanted, not is_map_key(Key, state())]) end);
        _ ->
            {error, {bad_option, Options}}
    end;
install(Other) ->
    {error, {bad_option, Other}}.

%% Nothing is added when one part is refused.
add(Parts) ->
    case [Module || {Key, _} <- Parts, Module <- needs(Key), code:get_object_code(Module) =:= error] of
        [] ->
            case lists:append([open_sockets(Key) || {Key, _} <- Parts]) of
                [] -> add_each(Parts);
                Sockets -> {error, {sockets_open, Sockets}}
            end;
        [Missing | _] ->
            {error, {no_hook, Missing}}
    end.

%% The modules whose beams must be on the code path.
needs(inet) -> [Hook || {_, Hook} <- ?HOOKS];
needs(socket) -> [socket | ?ON_SOCKET].

add_each([]) ->
    ok;
add_each([{Key, Install} | Parts]) ->
    persistent_term:put(?STATE, (state())#{Key => Install()}),
    add_each(Parts).

%% Sockets that would lose their module.
open_sockets(socket) ->
    (inetpy_socket_modules:stock()):which_sockets();
open_sockets(inet) ->
    Open = [Socket || code:which(socket) =/= non_existing, Module <- ?ON_SOCKET, Socket <- Module:which_sockets()],
    [Socket || {'$inet', Module, _} = Socket <- Open, lists:keymember(Module, 1, ?HOOKS)].

%% OTP's `socket` is reachable as inetpy_stock_socket.
install_socket() ->
    Modules = [socket | [Module || Module <- ?ON_SOCKET, not is_map_key(inet, state())]],
    [ok = replace({Module, inetpy_socket_modules:beam(Module)}) || Module <- Modules -- on_ours()],
    persistent_term:put(?ON_OURS, lists:usort(Modules ++ on_ours())),
    [].

on_ours() -> persistent_term:get(?ON_OURS, []).

%% While sockets of Python are open, the modules stay, and open new sockets with OTP's. The next uninstall/0 finds them.
uninstall_socket() ->
    case on_ours() =/= [] andalso lists:append([inetpy_bridge:plain_sockets(Bridge) || Bridge <- inetpy_bridges:all()]) of
        [] ->
            lists:foreach(fun restore/1, on_ours()),
            persistent_term:erase(?ON_OURS);
        _ ->
            false
    end.

%% Why a node cannot be put on Python sockets.
-spec text(term()) -> io_lib:chars().
text({sockets_open, Sockets}) ->
    io_lib:format(
        "~b sockets of OTP's module socket are open: install inetpy before they are opened. In a distributed node "
        "with -kernel inet_backend socket one is that with epmd: start the node with -kernel inet_backend inet",
        [length(Sockets)]
    );
text({no_hook, Module}) ->
    io_lib:format("the code path has no module ~s", [Module]);
text(Reason) ->
    inetpy_python:text(Reason).

install_hooks() ->
    lists:foreach(fun replace/1, hooks()),
    persistent_term:put(?ON_OURS, on_ours() -- ?ON_SOCKET),
    Found = #{
        backend => persistent_term:get(?BACKEND, inet),
        defaults => [replace_default(Kind) || Kind <- [tcp_module, udp_module]],
        epmd => epmd_port()
    },
    persistent_term:put(?BACKEND, socket),
    ok = inetpy_names:install(true),
    Found.

%% Our modules under OTP's names. A release can have only one module of a name, so the application has ours under
%% other names, and they are renamed here.
-spec hooks() -> [{module(), binary()}].
hooks() ->
    [
        {Module, inetpy_beam:rename(#{Hook => Module}, Beam)}
     || {Module, Hook} <- ?HOOKS, {_, Beam, _} <- [code:get_object_code(Hook)]
    ].

replace({Module, Beam}) ->
    true = code:unstick_mod(Module),
    _ = code:purge(Module),
    {module, Module} = code:load_binary(Module, atom_to_list(Module) ++ ".beam", Beam),
    ok.

replace_default(Kind) ->
    Stock = inet_db:Kind(),
    Ours = inetpy_family:default(Kind, Stock),
    ok = set_default(Kind, Ours),
    {Kind, Stock, Ours}.

set_default(tcp_module, Module) -> inet_db:set_tcp_module(Module);
set_default(udp_module, Module) -> inet_db:set_udp_module(Module).

%% The port of epmd, found as erl_epmd does.
epmd_port() ->
    case init:get_argument(epmd_port) of
        {ok, [[Port | _] | _]} -> list_to_integer(Port);
        _ -> 4369
    end.

%% Undoes install/1. Open sockets stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    locked(fun() ->
        State = state(),
        _ = persistent_term:erase(?STATE),
        _ = [uninstall_hooks(Found) || #{inet := Found} <- [State]],
        _ = uninstall_socket(),
        ok
    end).

uninstall_hooks(#{backend := Backend, defaults := Defaults}) ->
    persistent_term:put(?BACKEND, Backend),
    lists:foreach(fun restore_default/1, Defaults),
    lists:foreach(fun({Module, _}) -> restore(Module) end, ?HOOKS),
    inetpy_names:install(false).

%% A default module that somebody has set since install/0 stays.
restore_default({Kind, Stock, Ours}) ->
    case inet_db:Kind() of
        Ours -> set_default(Kind, Stock);
        _ -> ok
    end.

restore(Module) ->
    _ = code:purge(Module),
    {module, Module} = code:load_file(Module),
    true = code:stick_mod(Module),
    ok.

locked(Fun) ->
    global:trans({?MODULE, self()}, Fun, [node()]).

%% Options that make a call go to Python, and not to the hook again. A module that the caller names stays. Hooks
%% that are on the code path are called without install/0 too: then the call goes to the stock driver.
-spec tcp_options(list(), term()) -> list().
tcp_options(Options, Address) -> with_module(tcp_module, Options, Address).

-spec udp_options(list()) -> list().
udp_options(Options) -> with_module(udp_module, Options, undefined).

%% Options for connect. The connection to epmd stays with the stock driver: if it ended with Python, so
%% would the registration of the node.
-spec connect_options(term(), term(), list()) -> list().
connect_options(Address, Port, Options) ->
    case state() of
        #{inet := #{epmd := Port}} -> [{inet_backend, inet} | Options];
        _ -> tcp_options(Options, Address)
    end.

with_module(Kind, Options, Address) when is_list(Options), length(Options) >= 0 ->
    case is_map_key(inet, state()) of
        true ->
            {Module, Others} = inetpy_family:choose(Kind, Options, Address),
            [{inet_backend, inet}, {Kind, Module} | Others];
        false ->
            [{inet_backend, inet} | Options]
    end;
with_module(_, Options, _) ->
    %% no list of options: OTP makes an error of it
    [{inet_backend, inet} | Options].
