%% What a bridge must know when its Python dies: the open sockets and their owners, the processes that Python
%% watches, and the monitors of inet:monitor/1.
%%
%% The module is pure. A function answers with the new registry, and with actions for the bridge: messages to send,
%% and monitors to remove. The bridge also makes the monitors of processes, and passes them in.
-module(inetpy_registry).

-export([new/0, without/2, sockets/1, plain_sockets/1]).
-export([opened/5, set_active/3, set_owner/3, closed/2]).
-export([selects/4, ready/3, abort/4, unselect/3]).
-export([watch/3, unwatch/2, ended/4]).
-export([monitors/1, monitor/6, cancel_monitor/2, down/3]).
-export([lost/2]).

-export_type([registry/0, action/0, kind/0, name/0]).

-type id() :: pos_integer().
%% `plain` and `unlisted` are sockets of inetpy_socket; the latter are not in its listings.
-type kind() :: stream | listener | datagram | plain | unlisted.
%% `waits`: so many processes more wait for a socket of inetpy_socket.
-type action() ::
    {send, pid(), term()} | {demonitor, reference()} | {close, reference()} | {waits, reference(), 1 | -1}.
%% The last is a socket of OTP's gen_tcp_socket or gen_udp_socket, which has one of Python's in it.
-type name() :: inetpy_handle:socket() | {'$socket', term()} | {'$inet', module(), {pid(), {'$socket', term()}}}.

-record(socket, {
    name :: name(),
    kind :: kind(),
    owner :: pid(),
    active = false :: boolean(),
    %% The processes that wait for a message of a plain socket, by the handle in that message. Nothing forbids the
    %% same handle for several calls; the first of them is told first.
    selects = #{} :: #{reference() => [pid(), ...]}
}).

%% inet:monitor/1: the process that gets the 'DOWN', the socket in it, and the bridge's monitor of that process. Newer
%% monitors have larger numbers.
-record(monitor, {
    number :: pos_integer(),
    socket :: id(),
    name :: name(),
    pid :: pid(),
    process_monitor :: reference()
}).

-record(registry, {
    sockets = #{} :: #{id() => #socket{}},
    %% The processes that Python watches, each with the bridge's monitor of it. When a process has ended, its
    %% reason is kept until Python has closed the sockets of that process: the reason is part of the 'DOWN'
    %% of these sockets.
    watched = #{} :: #{pid() => reference() | {ended, Reason :: term()}},
    monitors = #{} :: #{reference() => #monitor{}},
    last_monitor = 0 :: non_neg_integer(),
    %% The monitors of each socket.
    monitored = #{} :: #{id() => #{reference() => []}}
}).
-opaque registry() :: #registry{}.

-spec new() -> registry().
new() -> #registry{}.

%% As if these sockets were closed.
-spec without([id()], registry()) -> registry().
without(Ids, #registry{sockets = Sockets} = Registry) -> Registry#registry{sockets = maps:without(Ids, Sockets)}.

-spec sockets(registry()) -> [name()].
sockets(#registry{sockets = Sockets}) ->
    [Socket#socket.name || Socket <- maps:values(Sockets), Socket#socket.kind =/= unlisted].

%% Those of inetpy_socket, also those that are not in its listings.
-spec plain_sockets(registry()) -> [name()].
plain_sockets(#registry{sockets = Sockets}) ->
    [Name || #socket{name = {'$socket', _} = Name} <- maps:values(Sockets)].

%% --- sockets ---------------------------------------------------------------

-spec opened(id(), name(), kind(), pid(), registry()) -> registry().
opened(Id, _, Kind, _, #registry{sockets = Sockets} = Registry) when is_map_key(Id, Sockets) ->
    %% a plain socket that is listed from now on
    #{Id := Socket} = Sockets,
    Registry#registry{sockets = Sockets#{Id := Socket#socket{kind = Kind}}};
opened(Id, Name, Kind, Owner, #registry{sockets = Sockets} = Registry) ->
    Registry#registry{sockets = Sockets#{Id => #socket{name = Name, kind = Kind, owner = Owner}}}.

%% Nothing changes when the socket is closed already.
-spec set_active(id(), boolean(), registry()) -> registry().
set_active(Id, Active, #registry{sockets = Sockets} = Registry) ->
    case Sockets of
        #{Id := #socket{active = Active}} -> Registry;
        #{Id := Socket} -> Registry#registry{sockets = Sockets#{Id := Socket#socket{active = Active}}};
        #{} -> Registry
    end.

-spec set_owner(id(), pid(), registry()) -> registry().
set_owner(Id, Owner, #registry{sockets = Sockets} = Registry) ->
    #{Id := Socket} = Sockets,
    Registry#registry{sockets = Sockets#{Id := Socket#socket{owner = Owner}}}.

%% The reason in the 'DOWN' of the socket is that of its owner's end, or `normal` when the owner lives.
-spec closed(id(), registry()) -> {[action()], registry()}.
closed(Id, #registry{sockets = Sockets} = Registry) ->
    {#socket{name = Name, owner = Owner}, Left} = maps:take(Id, Sockets),
    {Actions, After} = tell_monitors(Id, reason_of_end(Owner, Registry), Registry#registry{sockets = Left}),
    {close_ref(Name) ++ Actions, After}.

close_ref({'$socket', Ref}) -> [{close, Ref}];
close_ref(_) -> [].

reason_of_end(Owner, #registry{watched = Watched}) ->
    case Watched of
        #{Owner := {ended, Reason}} -> Reason;
        #{} -> normal
    end.

%% --- processes that wait for a plain socket --------------------------------

%% The process is to get a message with this handle. What Python says of a socket that is closed changes nothing.
-spec selects(id(), reference(), pid(), registry()) -> {[action()], registry()}.
selects(Id, Handle, Pid, #registry{sockets = Sockets} = Registry) ->
    case Sockets of
        #{Id := #socket{name = {_, Ref}, selects = Selects} = Socket} ->
            Changed = Socket#socket{selects = Selects#{Handle => maps:get(Handle, Selects, []) ++ [Pid]}},
            {[{waits, Ref, 1}], Registry#registry{sockets = Sockets#{Id := Changed}}};
        #{} ->
            {[], Registry}
    end.

%% The process waits no longer.
-spec unselect(id(), reference(), registry()) -> {[action()], registry()}.
unselect(Id, Handle, Registry) ->
    end_wait(Id, Handle, fun(_, _) -> [] end, Registry).

%% The socket is ready.
-spec ready(id(), reference(), registry()) -> {[action()], registry()}.
ready(Id, Handle, Registry) ->
    end_wait(Id, Handle, fun(Name, Pid) -> [{send, Pid, {'$socket', Name, select, Handle}}] end, Registry).

%% The socket will not be ready.
-spec abort(id(), reference(), atom(), registry()) -> {[action()], registry()}.
abort(Id, Handle, Reason, Registry) ->
    end_wait(Id, Handle, fun(Name, Pid) -> [{send, Pid, {'$socket', Name, abort, {Handle, Reason}}}] end, Registry).

%% Tell makes the actions for the first process that waits with the handle.
end_wait(Id, Handle, Tell, #registry{sockets = Sockets} = Registry) ->
    case Sockets of
        #{Id := #socket{name = {_, Ref} = Name, selects = #{Handle := [Pid | Others]} = Selects} = Socket} ->
            Left = case Others of [] -> maps:remove(Handle, Selects); _ -> Selects#{Handle := Others} end,
            Changed = Socket#socket{selects = Left},
            {[{waits, Ref, -1} | Tell(Name, Pid)], Registry#registry{sockets = Sockets#{Id := Changed}}};
        #{} ->
            {[], Registry}
    end.

%% --- watched processes -----------------------------------------------------

-spec watch(pid(), reference(), registry()) -> registry().
watch(Pid, ProcessMonitor, #registry{watched = Watched} = Registry) ->
    Registry#registry{watched = Watched#{Pid => ProcessMonitor}}.

-spec unwatch(pid(), registry()) -> {[action()], registry()}.
unwatch(Pid, #registry{watched = Watched} = Registry) ->
    case maps:take(Pid, Watched) of
        {{ended, _}, Left} -> {[], Registry#registry{watched = Left}};
        {ProcessMonitor, Left} -> {[{demonitor, ProcessMonitor}], Registry#registry{watched = Left}};
        error -> {[], Registry}
    end.

%% A process has ended. False when Python does not watch it.
-spec ended(pid(), reference(), term(), registry()) -> {true, registry()} | false.
ended(Pid, ProcessMonitor, Reason, #registry{watched = Watched} = Registry) ->
    case Watched of
        #{Pid := ProcessMonitor} -> {true, Registry#registry{watched = Watched#{Pid := {ended, Reason}}}};
        #{} -> false
    end.

%% --- inet:monitor/1 --------------------------------------------------------

%% The newest first.
-spec monitors(registry()) -> [{pid(), reference(), name()}].
monitors(#registry{sockets = Sockets, monitors = Monitors}) ->
    [
        {Pid, Ref, (maps:get(Id, Sockets))#socket.name}
     || {Ref, #monitor{pid = Pid, socket = Id}} <- lists:reverse(oldest_first(Monitors))
    ].

oldest_first(Monitors) ->
    lists:sort(fun({_, One}, {_, Other}) -> One#monitor.number =< Other#monitor.number end, maps:to_list(Monitors)).

%% Process Pid monitors a socket. Ref is what inet:monitor/1 answers.
-spec monitor(id(), name(), reference(), pid(), reference(), registry()) -> {[action()], registry()}.
monitor(Id, Name, Ref, Pid, ProcessMonitor, #registry{sockets = Sockets} = Registry) when is_map_key(Id, Sockets) ->
    #registry{monitors = Monitors, monitored = Monitored, last_monitor = Last} = Registry,
    Refs = maps:get(Id, Monitored, #{}),
    Monitor = #monitor{number = Last + 1, socket = Id, name = Name, pid = Pid, process_monitor = ProcessMonitor},
    Added = Registry#registry{monitors = Monitors#{Ref => Monitor}, monitored = Monitored#{Id => Refs#{Ref => []}}},
    {[], Added#registry{last_monitor = Last + 1}};
monitor(_, Name, Ref, Pid, ProcessMonitor, Registry) ->
    {[{demonitor, ProcessMonitor}, {send, Pid, down(Ref, Name, noproc)}], Registry}.

%% The first element of the answer says whether there was such a monitor.
-spec cancel_monitor(reference(), registry()) -> {boolean(), [action()], registry()}.
cancel_monitor(Ref, #registry{monitors = Monitors, monitored = Monitored} = Registry) ->
    case maps:take(Ref, Monitors) of
        {#monitor{socket = Id, process_monitor = ProcessMonitor}, Left} ->
            #{Id := Refs} = Monitored,
            LeftOfSocket =
                case maps:remove(Ref, Refs) of
                    Others when map_size(Others) =:= 0 -> maps:remove(Id, Monitored);
                    Others -> Monitored#{Id := Others}
                end,
            {true, [{demonitor, ProcessMonitor}], Registry#registry{monitors = Left, monitored = LeftOfSocket}};
        error ->
            {false, [], Registry}
    end.

tell_monitors(Id, Reason, #registry{monitors = Monitors, monitored = Monitored} = Registry) ->
    Refs = maps:keys(maps:get(Id, Monitored, #{})),
    Actions = [
        Action
     || {Ref, Monitor} <- told_in_order(maps:with(Refs, Monitors)),
        #monitor{name = Name, pid = Pid, process_monitor = ProcessMonitor} <- [Monitor],
        Action <- [{send, Pid, down(Ref, Name, Reason)}, {demonitor, ProcessMonitor}]
    ],
    {Actions, Registry#registry{monitors = maps:without(Refs, Monitors), monitored = maps:remove(Id, Monitored)}}.

%% The emulator tells the monitors of a port from the oldest on, socket_registry those of a socket from the newest on.
told_in_order(Monitors) ->
    case oldest_first(Monitors) of
        [{_, #monitor{name = Name}} | _] = OldestFirst ->
            case is_plain(Name) of
                true -> lists:reverse(OldestFirst);
                false -> OldestFirst
            end;
        [] ->
            []
    end.

is_plain({'$socket', _}) -> true;
is_plain({'$inet', _, {_, {'$socket', _}}}) -> true;
is_plain(_) -> false.

%% The message that a monitor sends.
-spec down(reference(), name(), term()) -> term().
down(Ref, Name, Reason) ->
    case is_plain(Name) of
        true -> {'DOWN', Ref, socket, Name, closed};
        false -> {'DOWN', Ref, down_type(Reason), Name, Reason}
    end.

%% Before OTP 28 the emulator calls a port a process when the reason is not an immediate term.
down_type(Reason) ->
    case erts_debug:flat_size(Reason) =:= 0 orelse inetpy_handle:since_28() of
        true -> port;
        false -> process
    end.

%% --- the end of Python -----------------------------------------------------

%% The messages when Python has died. Owners get those of a lost connection; then each monitor gets its 'DOWN'. `Closed` are
%% sockets that callers have closed: their owners get none. A process that waits for a socket of inetpy_socket gets `abort`
%% in any case.
-spec lost([id()], registry()) -> [action()].
lost(Closed, #registry{sockets = Sockets} = Registry) ->
    ToOwners = [
        Action
     || {Id, #socket{name = Name} = Socket} <- maps:to_list(Sockets),
        element(1, Name) =:= '$socket' orelse not lists:member(Id, Closed),
        Action <- tell_owner(Socket)
    ],
    ToMonitors = [
        Action
     || Id <- maps:keys(Sockets),
        Action <- element(1, tell_monitors(Id, normal, Registry))
    ],
    ToOwners ++ ToMonitors.

tell_owner(#socket{kind = stream} = Socket) -> tell_owner(tcp_error, tcp_closed, Socket);
tell_owner(#socket{kind = datagram} = Socket) -> tell_owner(udp_error, udp_closed, Socket);
tell_owner(#socket{kind = listener}) -> [];
tell_owner(#socket{name = {'$socket', Ref} = Name, selects = Selects}) ->
    [
        {send, Pid, {'$socket', Name, abort, {Handle, closed}}}
     || {Handle, Pids} <- maps:to_list(Selects), Pid <- Pids
    ] ++ [{close, Ref}].

tell_owner(Error, Closed, #socket{name = Name, owner = Owner, active = Active}) ->
    [{send, Owner, {Error, Name, inetpy_down}} || Active] ++ [{send, Owner, {Closed, Name}}].
