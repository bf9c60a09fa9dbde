%% What `socket_registry` is to OTP's `socket`: which sockets there are, and who monitors them. The bridges know.
-module(inetpy_socket_registry).

-dialyzer(no_opaque).  % see inetpy_socket_ref

%% OTP imports a function of the same name into all modules.
-compile({no_auto_import, [monitor/2]}).

-export([number_of/0, which_sockets/1, monitor/1, monitor/2, cancel_monitor/1]).
-export([number_of_monitors/0, number_of_monitors/1, which_monitors/1, monitored_by/1]).

-type socket() :: {'$socket', term()}.

-spec number_of() -> non_neg_integer().
number_of() -> length(all()).

all() -> [Socket || Bridge <- inetpy_bridges:all(), {'$socket', _} = Socket <- inetpy_bridge:sockets(Bridge)].

%% A filter is a boolean, a key of info/1 with its value, or a fun of info/1.
-spec which_sockets(boolean() | {atom(), term()} | fun((map()) -> boolean())) -> [socket()].
which_sockets(Filter) when is_boolean(Filter) ->
    [Socket || Socket <- all(), Filter];
which_sockets(Filter) when tuple_size(Filter) =:= 2; is_function(Filter, 1) ->
    try
        [Socket || {'$socket', Ref} = Socket <- all(), fits(Filter, inetpy_prim_socket:info(Ref))]
    catch
        _:_ -> erlang:error(badarg, [Filter])
    end;
which_sockets(Filter) ->
    erlang:error(badarg, [Filter]).

fits({Key, Value}, Info) ->
    case Info of
        #{Key := Value} -> true;
        #{} -> false
    end;
fits(Fun, Info) ->
    Fun(Info) =:= true.

-spec monitor(socket()) -> reference().
monitor(Socket) -> monitor(Socket, #{}).

%% With the option `msocket` the message is about another socket, which is on top of this one.
-spec monitor(socket(), #{msocket => term()}) -> reference().
monitor({'$socket', SocketRef} = Socket, Options) ->
    Ref = make_ref(),
    ok = inetpy_bridge:monitor_plain(inetpy_socket_ref:where(SocketRef), maps:get(msocket, Options, Socket), Ref),
    Ref.

-spec cancel_monitor(reference()) -> ok | {error, unknown_monitor | not_owner}.
cancel_monitor(Ref) ->
    case [Owner || Bridge <- inetpy_bridges:all(), {Owner, R, _} <- inetpy_bridge:monitors(Bridge), R =:= Ref] of
        [] -> {error, unknown_monitor};
        [Owner] when Owner =/= self() -> {error, not_owner};
        [_] -> _ = inetpy_bridges:cancel_monitor(Ref), ok
    end.

monitors() ->
    [
        {Pid, Ref, Socket}
     || Bridge <- inetpy_bridges:all(), {Pid, Ref, {'$socket', _} = Socket} <- inetpy_bridge:monitors(Bridge)
    ].

-spec number_of_monitors() -> non_neg_integer().
number_of_monitors() -> length(monitors()).

-spec number_of_monitors(pid() | socket()) -> non_neg_integer().
number_of_monitors(Whose) -> length(which_monitors(Whose)).

%% Of a process, or of a socket.
-spec which_monitors(pid() | socket()) -> [reference()].
which_monitors(Whose) -> [Ref || {Pid, Ref, Socket} <- monitors(), Whose =:= Pid orelse Whose =:= Socket].

-spec monitored_by(socket()) -> [pid()].
monitored_by(Socket) -> lists:usort([Pid || {Pid, _, S} <- monitors(), S =:= Socket]).
