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
-module(inetpy_install).

-export([install/0, uninstall/0, is_installed/0, text/1, hooks/0, connect_options/3, tcp_options/2, udp_options/1]).

-define(BACKEND, {kernel, inet_backend}).
-define(STATE, {inetpy, installed}).
%% OTP's modules, and ours in their place.
-define(HOOKS, [{gen_tcp_socket, inetpy_hook_tcp}, {gen_udp_socket, inetpy_hook_udp}]).

-type reason() :: {sockets_open, [term()]} | {no_hook, module()}.
-export_type([reason/0]).

-spec is_installed() -> boolean().
is_installed() -> persistent_term:get(?STATE, none) =/= none.

%% Answers ok when inetpy is installed already. Refuses while sockets of OTP's `socket` backend are open, because
%% these would lose their module.
-spec install() -> ok | {error, reason()}.
install() ->
    locked(fun() ->
        case is_installed() of
            true -> ok;
            false -> install_hooks()
        end
    end).

%% Why a node cannot be put on Python sockets.
-spec text(term()) -> io_lib:chars().
text({sockets_open, Sockets}) ->
    io_lib:format(
        "~b sockets of OTP's socket backend are open, of a distributed node that with epmd: "
        "start the node with -kernel inet_backend inet", [length(Sockets)]
    );
text({no_hook, Module}) ->
    io_lib:format("the code path has no module ~s", [Module]);
text(Reason) ->
    inetpy_python:text(Reason).

install_hooks() ->
    Open = gen_tcp_socket:which_sockets() ++ gen_udp_socket:which_sockets(),
    case [Socket || {'$inet', Module, _} = Socket <- Open, lists:keymember(Module, 1, ?HOOKS)] of
        [] ->
            case hooks() of
                {ok, Hooks} ->
                    lists:foreach(fun replace/1, Hooks),
                    persistent_term:put(?STATE, #{
                        backend => persistent_term:get(?BACKEND, inet),
                        defaults => [replace_default(Kind) || Kind <- [tcp_module, udp_module]],
                        epmd => epmd_port()
                    }),
                    persistent_term:put(?BACKEND, socket),
                    inetpy_names:install(true);
                {error, _} = Error ->
                    Error
            end;
        Sockets ->
            {error, {sockets_open, Sockets}}
    end.

%% Our modules under OTP's names. A release can have only one module of a name, so the application has ours under
%% other names, and they are renamed here.
-spec hooks() -> {ok, [{module(), binary()}]} | {error, reason()}.
hooks() ->
    Read = [{Module, Hook, code:get_object_code(Hook)} || {Module, Hook} <- ?HOOKS],
    case [Hook || {_, Hook, error} <- Read] of
        [] -> {ok, [{Module, rename(Hook, Module, Beam)} || {Module, Hook, {_, Beam, _}} <- Read]};
        [Missing | _] -> {error, {no_hook, Missing}}
    end.

%% A beam names its module as the first of its atoms.
rename(From, To, Beam) ->
    {ok, _, Chunks} = beam_lib:all_chunks(Beam),
    {_, Atoms} = lists:keyfind("AtU8", 1, Chunks),
    Renamed = rename_first(atom_to_binary(From), atom_to_binary(To), Atoms),
    {ok, Result} = beam_lib:build_module(lists:keyreplace("AtU8", 1, Chunks, {"AtU8", Renamed})),
    Result.

%% The compiler of OTP 28 writes lengths in another encoding, and says so by a negative count of atoms.
rename_first(From, To, <<Count:32/signed, _Length, Atoms/binary>>) ->
    Size = byte_size(From),
    <<From:Size/binary, Others/binary>> = Atoms,
    Length = if Count < 0 -> byte_size(To) bsl 4; true -> byte_size(To) end,
    <<Count:32/signed, Length, To/binary, Others/binary>>.

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

%% Undoes install/0. Open sockets stay with Python.
-spec uninstall() -> ok.
uninstall() ->
    locked(fun() ->
        case persistent_term:get(?STATE, none) of
            none ->
                ok;
            #{backend := Backend, defaults := Defaults} ->
                persistent_term:put(?BACKEND, Backend),
                lists:foreach(fun restore_default/1, Defaults),
                lists:foreach(fun({Module, _}) -> restore(Module) end, ?HOOKS),
                _ = persistent_term:erase(?STATE),
                inetpy_names:install(false)
        end
    end).

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
    case persistent_term:get(?STATE, none) of
        #{epmd := Port} -> [{inet_backend, inet} | Options];
        _ -> tcp_options(Options, Address)
    end.

with_module(Kind, Options, Address) when is_list(Options), length(Options) >= 0 ->
    case is_installed() of
        true ->
            {Module, Others} = inetpy_family:choose(Kind, Options, Address),
            [{inet_backend, inet}, {Kind, Module} | Others];
        false ->
            [{inet_backend, inet} | Options]
    end;
with_module(_, Options, _) ->
    %% no list of options: OTP makes an error of it
    [{inet_backend, inet} | Options].
