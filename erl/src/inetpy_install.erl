%% The whole node on Python sockets.
%%
%% gen_tcp and gen_udp ask a persistent term which backend a call without one goes to. It is
%% set to `socket`, and in place of the two modules of that backend stand ours (erl/hook),
%% which call gen_tcp and gen_udp again, with the stock backend and our modules as options.
%% So every call arrives, whatever atoms and addresses it carries. Libraries that ask OTP for a
%% module and call that (inet:tcp_module/1,2, inet_db:tcp_module/0) get inet_db's default, so that is
%% ours too (inetpy_default_tcp). A call with `{inet_backend, inet}` still goes to the stock driver,
%% and distribution has modules of its own.
-module(inetpy_install).

-export([install/0, uninstall/0, is_installed/0, connect_options/3, tcp_options/2, udp_options/1]).

-define(BACKEND, {kernel, inet_backend}).
-define(STATE, {inetpy, installed}).
-define(HOOKS, [gen_tcp_socket, gen_udp_socket]).

-type reason() :: {sockets_open, [term()]} | {no_hook, file:filename()}.
-export_type([reason/0]).

-spec is_installed() -> boolean().
is_installed() -> persistent_term:get(?STATE, none) =/= none.

%% Answers ok when it is installed already. While sockets of OTP's `socket` backend are open
%% it refuses: they would lose their module.
-spec install() -> ok | {error, reason()}.
install() ->
    locked(fun() ->
        case is_installed() of
            true -> ok;
            false -> install_hooks()
        end
    end).

install_hooks() ->
    Open = gen_tcp_socket:which_sockets() ++ gen_udp_socket:which_sockets(),
    case [Socket || {'$inet', Module, _} = Socket <- Open, lists:member(Module, ?HOOKS)] of
        [] ->
            case read_hooks() of
                {ok, Hooks} ->
                    lists:foreach(fun replace/1, Hooks),
                    persistent_term:put(?STATE, #{
                        backend => persistent_term:get(?BACKEND, inet),
                        defaults => [replace_default(Kind) || Kind <- [tcp_module, udp_module]],
                        epmd => epmd_port()
                    }),
                    persistent_term:put(?BACKEND, socket);
                {error, _} = Error ->
                    Error
            end;
        Sockets ->
            {error, {sockets_open, Sockets}}
    end.

read_hooks() ->
    Folder = filename:join([filename:dirname(filename:dirname(code:which(?MODULE))), "hook", "ebin"]),
    read_hooks(?HOOKS, Folder, []).

read_hooks([], _, Hooks) ->
    {ok, Hooks};
read_hooks([Module | Modules], Folder, Hooks) ->
    File = filename:join(Folder, atom_to_list(Module) ++ ".beam"),
    case erl_prim_loader:get_file(File) of
        {ok, Beam, _} -> read_hooks(Modules, Folder, [{Module, File, Beam} | Hooks]);
        error -> {error, {no_hook, File}}
    end.

replace({Module, File, Beam}) ->
    true = code:unstick_mod(Module),
    _ = code:purge(Module),
    {module, Module} = code:load_binary(Module, File, Beam),
    ok.

replace_default(Kind) ->
    Stock = inet_db:Kind(),
    Ours = inetpy_family:default(Kind, Stock),
    ok = set_default(Kind, Ours),
    {Kind, Stock, Ours}.

set_default(tcp_module, Module) -> inet_db:set_tcp_module(Module);
set_default(udp_module, Module) -> inet_db:set_udp_module(Module).

%% As erl_epmd has it.
epmd_port() ->
    case init:get_argument(epmd_port) of
        {ok, [[Port | _] | _]} -> list_to_integer(Port);
        _ -> 4369
    end.

%% Everything as it was. Sockets that are open stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    locked(fun() ->
        case persistent_term:get(?STATE, none) of
            none ->
                ok;
            #{backend := Backend, defaults := Defaults} ->
                persistent_term:put(?BACKEND, Backend),
                lists:foreach(fun restore_default/1, Defaults),
                lists:foreach(fun restore/1, ?HOOKS),
                _ = persistent_term:erase(?STATE),
                ok
        end
    end).

%% Who has set another meanwhile keeps that.
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

%% Options that lead a call to Python, and past the hook that they came through. Who names a
%% module of his own gets that. Without install/0, where the hooks are found on the code path, the
%% stock driver has them.
-spec tcp_options(list(), term()) -> list().
tcp_options(Options, Address) -> through(tcp_module, Options, Address).

-spec udp_options(list()) -> list().
udp_options(Options) -> through(udp_module, Options, undefined).

%% Those of a call that connects. That to epmd stays with the stock driver: the registration of
%% the node must not end with Python.
-spec connect_options(term(), term(), list()) -> list().
connect_options(Address, Port, Options) ->
    case persistent_term:get(?STATE, none) of
        #{epmd := Port} -> [{inet_backend, inet} | Options];
        _ -> tcp_options(Options, Address)
    end.

through(Kind, Options, Address) when is_list(Options), length(Options) >= 0 ->
    case is_installed() of
        true ->
            {Module, Others} = inetpy_family:choose(Kind, Options, Address),
            [{inet_backend, inet}, {Kind, Module} | Others];
        false ->
            [{inet_backend, inet} | Options]
    end;
through(_, Options, _) ->
    %% no list: what comes of it is for OTP to say
    [{inet_backend, inet} | Options].
