%% The module `socket` of the running OTP, made into modules with other names.
%%
%% inetpy_otp_socket calls our modules in place of `prim_socket` and `socket_registry`: see docs/socket.md. It is made
%% when it is needed first. The beam of `socket` is read from the code path, so what is loaded under that name has no
%% part in it.
%%
%% The module `socket` of a node with inetpy calls modules that know sockets of both.
-module(inetpy_socket_modules).

-export([ours/0, stock/0, beam/1]).

-define(OURS, inetpy_otp_socket).
-define(STOCK, inetpy_stock_socket).
-define(OURS_ONLY, #{prim_socket => inetpy_prim_socket, socket_registry => inetpy_socket_registry}).
-define(BOTH, #{prim_socket => inetpy_hook_prim_socket, socket_registry => inetpy_hook_socket_registry}).

%% The module whose sockets are Python's.
-spec ours() -> module().
ours() -> loaded(?OURS).

%% OTP's module as it is, under a name that stays its own when `socket` is ours.
-spec stock() -> module().
stock() -> loaded(?STOCK).

loaded(Module) ->
    case erlang:module_loaded(Module) of
        true -> Module;
        false -> load(Module)
    end.

%% Only one process at a time, because a module that is loaded twice ends processes that run its first version.
load(Module) ->
    global:trans({?MODULE, self()}, fun() -> erlang:module_loaded(Module) orelse load_binary(Module) end, [node()]),
    Module.

load_binary(Module) ->
    {module, Module} = code:load_binary(Module, atom_to_list(Module) ++ ".beam", beam(Module)),
    true.

%% The beam of one of these modules, or of OTP's modules `socket`, gen_tcp_socket and gen_udp_socket with sockets of both.
-spec beam(module()) -> binary().
beam(?STOCK) -> renamed(socket, #{socket => ?STOCK});
beam(?OURS) -> renamed(socket, ?OURS_ONLY#{socket => ?OURS});
beam(Module) -> renamed(Module, ?BOTH).

renamed(Module, Names) ->
    case code:get_object_code(Module) of
        {Module, Beam, _} -> inetpy_beam:rename(Names, Beam);
        error -> erlang:error({inetpy, {no_hook, Module}, "the code path has no beam of this module of kernel"})
    end.
