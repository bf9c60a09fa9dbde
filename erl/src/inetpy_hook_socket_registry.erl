%% Stands in for `socket_registry` behind OTP's `socket`, as inetpy_hook_prim_socket does for `prim_socket`: there may be
%% sockets of Python and of OTP.
-module(inetpy_hook_socket_registry).

%% OTP imports a function of the same name into all modules.
-compile({no_auto_import, [monitor/2]}).

-export([number_of/0, which_sockets/1, monitor/1, monitor/2, cancel_monitor/1]).
-export([number_of_monitors/0, number_of_monitors/1, which_monitors/1, monitored_by/1]).

%% The types of arguments and answers are those of `socket_registry`.
-type answer() :: term().

-spec of_socket(term()) -> module().
of_socket({'$socket', Ref}) ->
    case inetpy_socket_ref:is_ours(Ref) of
        true -> inetpy_socket_registry;
        false -> socket_registry
    end;
of_socket(_) ->
    socket_registry.

-spec number_of() -> non_neg_integer().
number_of() -> inetpy_socket_registry:number_of() + socket_registry:number_of().

-spec which_sockets(term()) -> list().
which_sockets(Filter) -> inetpy_socket_registry:which_sockets(Filter) ++ socket_registry:which_sockets(Filter).

-spec monitor(term()) -> answer().
monitor(Socket) -> (of_socket(Socket)):monitor(Socket).

%% For sockets of gen_tcp and gen_udp: the options say which socket the message is about.
-spec monitor(term(), map()) -> answer().
monitor(Socket, Options) -> (of_socket(Socket)):monitor(Socket, Options).

-spec cancel_monitor(reference()) -> answer().
cancel_monitor(Ref) ->
    case inetpy_socket_registry:cancel_monitor(Ref) of
        {error, unknown_monitor} -> socket_registry:cancel_monitor(Ref);
        Other -> Other
    end.

-spec number_of_monitors() -> non_neg_integer().
number_of_monitors() -> inetpy_socket_registry:number_of_monitors() + socket_registry:number_of_monitors().

-spec number_of_monitors(term()) -> answer().
number_of_monitors(Pid) when is_pid(Pid) ->
    inetpy_socket_registry:number_of_monitors(Pid) + socket_registry:number_of_monitors(Pid);
number_of_monitors(Socket) ->
    (of_socket(Socket)):number_of_monitors(Socket).

-spec which_monitors(term()) -> answer().
which_monitors(Pid) when is_pid(Pid) ->
    inetpy_socket_registry:which_monitors(Pid) ++ socket_registry:which_monitors(Pid);
which_monitors(Socket) ->
    (of_socket(Socket)):which_monitors(Socket).

-spec monitored_by(term()) -> answer().
monitored_by(Socket) -> (of_socket(Socket)):monitored_by(Socket).
