%% The whole node on Python sockets.
%%
%% gen_tcp and gen_udp ask a persistent term which backend a call without one goes to. It is
%% set to `socket`, and in place of the two modules of that backend stand ours (erl/hook),
%% which call gen_tcp and gen_udp again, with the stock backend and our modules as options.
%% So every call arrives, whatever atoms and addresses it carries, and `{inet_backend, inet}`
%% still means the stock driver. Distribution, epmd and the shell use that by themselves.
-module(inetpy_install).

-export([install/0, uninstall/0, is_installed/0, tcp_options/1, udp_options/1]).

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
    case gen_tcp_socket:which_sockets() ++ gen_udp_socket:which_sockets() of
        [] ->
            case read_hooks() of
                {ok, Hooks} ->
                    lists:foreach(fun replace/1, Hooks),
                    persistent_term:put(?STATE, persistent_term:get(?BACKEND, inet)),
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

%% Everything as it was. Sockets that are open stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    locked(fun() ->
        case persistent_term:get(?STATE, none) of
            none ->
                ok;
            Backend ->
                persistent_term:put(?BACKEND, Backend),
                lists:foreach(fun restore/1, ?HOOKS),
                _ = persistent_term:erase(?STATE),
                ok
        end
    end).

restore(Module) ->
    _ = code:purge(Module),
    {module, Module} = code:load_file(Module),
    true = code:stick_mod(Module),
    ok.

locked(Fun) ->
    global:trans({?MODULE, self()}, Fun, [node()]).

%% Options that lead a call to Python, and past the hook that they came through. Who names a
%% module of his own gets that.
-spec tcp_options(list()) -> list().
tcp_options(Options) ->
    through(Options, tcp_module, [inet_tcp, inet6_tcp, local_tcp], fun inetpy:tcp_options/1).

-spec udp_options(list()) -> list().
udp_options(Options) ->
    through(Options, udp_module, [inet_udp, inet6_udp, local_udp], fun inetpy:udp_options/1).

through(Options, Name, Stock, Through) when is_list(Options), length(Options) >= 0 ->
    Led =
        case [Module || {N, Module} <- Options, N =:= Name] of
            [] ->
                Through(Options);
            [Module | _] ->
                case lists:member(Module, Stock) of
                    true -> Through(of_module(Module, Options));
                    false -> Options
                end
        end,
    [{inet_backend, inet} | Led];
through(Options, _, _, _) ->
    %% no list: what comes of it is for OTP to say
    [{inet_backend, inet} | Options].

%% The family that naming a stock module means.
of_module(Module, Options) when Module =:= inet6_tcp; Module =:= inet6_udp -> [inet6 | Options];
of_module(Module, Options) when Module =:= local_tcp; Module =:= local_udp -> [local | Options];
of_module(_, Options) -> Options.
