%% The owner of the port: one Python process, and all that it says.
%%
%% Callers write their requests to the port themselves (inetpy_request). What
%% Python says comes here, and is decoded and sent on; the frames are listed in
%% bridge/inetpy/messages.py. So that the owners of sockets can be told when
%% Python dies, its notes about sockets are kept here and nowhere else.
-module(inetpy_bridge).
-behaviour(gen_server).

-export([start_link/1, where/1, monitor_socket/2, cancel_monitor/2, sockets/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([handle/0, out/0]).

%% Where requests are written to.
-type out() :: port().
%% The third element of a socket: its bridge, the way there, and its number. In
%% requests 0 stands for the bridge itself.
-type handle() :: {Bridge :: pid(), Out :: out(), Id :: non_neg_integer()}.

-define(PROTOCOL, 1).
-define(GREETING_TIMEOUT, 15000).
%% The emulator's default limits suspend callers at 8 kB of output.
-define(BUSY_LIMITS, {1 bsl 20, 4 bsl 20}).

%% Python stops reading active sockets when it has not heard of more frames than its window:
%% so the queue of this process stays short, and what it passes on is never old.
-define(ACK_EVERY, 128).

-record(socket, {
    name :: inetpy_handle:socket(),
    kind :: stream | listener | datagram,
    owner :: pid(),
    active = false :: boolean()
}).

-record(state, {
    port :: port(),
    os_pid :: non_neg_integer() | undefined,
    sockets = #{} :: #{pos_integer() => #socket{}},
    %% Frames passed on since the last that we told Python of.
    passed = 0 :: non_neg_integer(),
    %% The name of this node, and those that it had before: identifiers from Python can
    %% be of one of them, until it says that it has heard of the new one.
    node = node() :: node(),
    former = [] :: [node()],
    renaming = 0 :: non_neg_integer(),
    %% Processes whose end Python wants to know. The reason of an end is kept until Python has
    %% closed the sockets of that process.
    watched = #{} :: #{pid() => reference() | {ended, term()}},
    unknown = 0 :: non_neg_integer(),
    %% inet:monitor/1: who is to get a 'DOWN' for a socket.
    monitors = #{} :: #{pos_integer() => [{reference(), pid()}]}
}).

-spec start_link(pos_integer()) -> gen_server:start_ret().
start_link(Number) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, Number, []).

name(1) -> ?MODULE;
name(Number) -> list_to_atom(atom_to_list(?MODULE) ++ integer_to_list(Number)).

%% The bridge of a number. Waits while it is starting.
-spec where(pos_integer()) -> {ok, pid(), out()} | {error, {inetpy, not_started, string()}}.
where(Number) ->
    case persistent_term:get({?MODULE, Number}, undefined) of
        {Pid, Out} ->
            case is_process_alive(Pid) of
                true -> {ok, Pid, Out};
                false -> where_started(Number, 50)
            end;
        undefined ->
            where_started(Number, 50)
    end.

%% Started again after a crash it is there in a moment; before inetpy:start/0, never.
where_started(Number, Tries) ->
    try
        {Pid, Out} = gen_server:call(name(Number), where, infinity),
        {ok, Pid, Out}
    catch
        exit:_ when Tries > 0 ->
            case whereis(inetpy_sup) of
                undefined -> not_started();
                _ -> timer:sleep(20), where_started(Number, Tries - 1)
            end;
        exit:_ ->
            not_started()
    end.

not_started() ->
    {error, {inetpy, not_started, "call inetpy:start() first"}}.

%% Ref will be in the 'DOWN' that the calling process gets when the socket ends.
-spec monitor_socket(inetpy_handle:socket(), reference()) -> ok.
monitor_socket({'$inet', _, {Bridge, _, Id}} = Socket, Ref) ->
    try
        gen_server:call(Bridge, {monitor, Id, Ref, self(), Socket}, infinity)
    catch
        exit:_ -> down(self(), Ref, Socket, noproc)
    end.

-spec cancel_monitor(pid(), reference()) -> boolean().
cancel_monitor(Bridge, Ref) ->
    try
        gen_server:call(Bridge, {cancel_monitor, Ref}, infinity)
    catch
        exit:_ -> false
    end.

%% All sockets that are open on a bridge.
-spec sockets(pid()) -> [inetpy_handle:socket()].
sockets(Bridge) ->
    gen_server:call(Bridge, sockets, infinity).

down(Pid, Ref, Socket, Reason) ->
    Pid ! {'DOWN', Ref, down_type(Reason), Socket, Reason},
    ok.

%% Before OTP 28 the emulator calls a port a process when the reason is no single word.
down_type(Reason) ->
    case erts_debug:flat_size(Reason) =:= 0 orelse inetpy_handle:since_28() of
        true -> port;
        false -> process
    end.

%% --- gen_server ------------------------------------------------------------

-spec init(pos_integer()) -> {ok, #state{}} | {stop, term()}.
init(Number) ->
    process_flag(trap_exit, true),
    process_flag(message_queue_data, off_heap),
    %% What Python says must not wait behind those that it is for: this process only
    %% passes it on, and a queue here would delay all sockets for the busiest of them.
    process_flag(priority, high),
    try inetpy_python:command() of
        {Program, Arguments, Environment} ->
            Port = open_port({spawn_executable, Program}, [
                {args, Arguments},
                {env, Environment},
                {packet, 4},
                {busy_limits_port, ?BUSY_LIMITS},
                {busy_limits_msgq, disabled},
                binary,
                use_stdio,
                exit_status,
                hide
            ]),
            greet(Number, Port)
    catch
        throw:Reason -> {stop, Reason}
    end.

greet(Number, Port) ->
    Here = {os_pid, list_to_integer(os:getpid())},
    Hello = {hello, ?PROTOCOL, [tcp, Here | stock()], self(), Port},
    true = port_command(Port, term_to_binary(Hello)),
    receive
        {Port, {data, Frame}} ->
            case catch binary_to_term(Frame, [safe]) of
                {hello, ?PROTOCOL, Capabilities} ->
                    ok = learn(proplists:get_value(atoms, Capabilities, [])),
                    persistent_term:put({?MODULE, Number}, {self(), Port}),
                    {ok, #state{port = Port, os_pid = os_pid(Port)}};
                {hello, Other, _} ->
                    {stop,
                        {inetpy_protocol,
                            lists:flatten(
                                io_lib:format(
                                    "Python speaks protocol ~p, this inetpy ~p: "
                                    "install the same version of both",
                                    [Other, ?PROTOCOL]
                                )
                            )}};
                _ ->
                    {stop, {inetpy_protocol, "the first frame from Python is no greeting"}}
            end;
        {Port, {exit_status, Status}} ->
            {stop, {inetpy_python, {exit_status, Status}}};
        {'EXIT', Port, Reason} ->
            {stop, {inetpy_python, Reason}}
    after ?GREETING_TIMEOUT ->
        {stop, {inetpy_python, "no greeting from Python"}}
    end.

%% What the stock driver of this node does differently in other editions of OTP.
stock() ->
    Release = list_to_integer(erlang:system_info(otp_release)),
    case gen_tcp:listen(0, [{inet_backend, inet}, inet, {ip, {127, 0, 0, 1}}]) of
        {ok, Socket} ->
            {ok, [Buffer]} = inet:getopts(Socket, [buffer]),
            ok = gen_tcp:close(Socket),
            [{otp_release, Release}, Buffer];
        {error, _} ->
            [{otp_release, Release}]
    end.

os_pid(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, Pid} -> Pid;
        undefined -> undefined
    end.

%% binary_to_term with `safe` takes only atoms that are there already. Python's greeting tells
%% which it will say.
learn(Names) ->
    lists:foreach(fun(Name) -> _ = binary_to_atom(Name) end, Names).

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(where, _From, State) ->
    {reply, {self(), State#state.port}, State};
handle_call(sockets, _From, #state{sockets = Sockets} = State) ->
    {reply, [S#socket.name || S <- maps:values(Sockets)], State};
handle_call(os_pid, _From, State) ->
    {reply, State#state.os_pid, State};
handle_call({monitor, Id, Ref, Pid, Name}, _From, State) ->
    #state{sockets = Sockets, monitors = Monitors} = State,
    case is_map_key(Id, Sockets) of
        true ->
            Entries = [{Ref, Pid} | maps:get(Id, Monitors, [])],
            {reply, ok, State#state{monitors = Monitors#{Id => Entries}}};
        false ->
            {reply, down(Pid, Ref, Name, noproc), State}
    end;
handle_call({cancel_monitor, Ref}, _From, #state{monitors = Monitors} = State) ->
    Left = maps:filtermap(
        fun(_, Entries) ->
            case lists:keydelete(Ref, 1, Entries) of
                [] -> false;
                Rest -> {true, Rest}
            end
        end,
        Monitors
    ),
    {reply, Left =/= Monitors, State#state{monitors = Left}};
handle_call(Request, _From, State) ->
    {reply, {error, {unknown_call, Request}}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(Message, #state{node = Node} = State) when Node =/= node() ->
    ok = tell_python(State#state.port, {renamed, self()}),
    Former = lists:usort([Node | State#state.former]) -- [node()],
    Renaming = State#state.renaming + 1,
    handle_info(Message, State#state{node = node(), former = Former, renaming = Renaming});
handle_info({Port, {data, Frame}}, #state{port = Port, passed = ?ACK_EVERY} = State) ->
    ok = tell_python(Port, {ack, ?ACK_EVERY}),
    handle_info({Port, {data, Frame}}, State#state{passed = 0});
handle_info({Port, {data, Frame}}, #state{port = Port, passed = Passed} = State0) ->
    State = State0#state{passed = Passed + 1},
    try local(binary_to_term(Frame, [safe]), State#state.former) of
        {To, _} = Reply when is_reference(To) ->
            To ! Reply,
            {noreply, State};
        {To, Message} when is_pid(To) ->
            To ! Message,
            {noreply, State};
        {deliver, To, Messages} ->
            lists:foreach(fun(Message) -> To ! Message end, Messages),
            {noreply, State};
        Note ->
            {noreply, note(Note, State)}
    catch
        error:badarg ->
            {noreply, not_understood(Frame, State)}
    end;
handle_info({'DOWN', Ref, process, Pid, Reason}, #state{watched = Watched} = State) ->
    case Watched of
        #{Pid := Ref} ->
            ok = tell_python(State#state.port, {down, Pid}),
            {noreply, State#state{watched = Watched#{Pid := {ended, Reason}}}};
        #{} ->
            {noreply, State}
    end;
handle_info({Port, {exit_status, Status}}, #state{port = Port} = State) ->
    {stop, {inetpy_python, {exit_status, Status}}, State};
handle_info({'EXIT', Port, Reason}, #state{port = Port} = State) ->
    {stop, {inetpy_python, Reason}, State};
handle_info(_Other, State) ->
    {noreply, State}.

tell_python(Port, Term) ->
    try port_command(Port, term_to_binary(Term)) of
        true -> ok
    catch
        error:badarg -> ok  % it is gone; the news of that are on their way
    end.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, State) ->
    #state{port = Port, sockets = Sockets, monitors = Monitors} = State,
    %% Closing the port ends Python, which leaves by itself within a second.
    _ = catch port_close(Port),
    maps:foreach(fun(_Id, Socket) -> tell_lost(Socket) end, Sockets),
    maps:foreach(
        fun(Id, Entries) ->
            #{Id := #socket{name = Name}} = Sockets,
            [down(Pid, Ref, Name, normal) || {Ref, Pid} <- Entries]
        end,
        Monitors
    ).

%% What the owner of a lost connection gets.
tell_lost(#socket{kind = stream, name = Name, owner = Owner, active = Active}) ->
    _ = [Owner ! {tcp_error, Name, inetpy_down} || Active],
    Owner ! {tcp_closed, Name},
    ok;
tell_lost(#socket{kind = datagram, name = Name, owner = Owner, active = Active}) ->
    _ = [Owner ! {udp_error, Name, inetpy_down} || Active],
    Owner ! {udp_closed, Name},
    ok;
tell_lost(#socket{kind = listener}) ->
    ok.

%% Identifiers of this node that were written under a name that it had before. In its own
%% terms they have no name; read from the wire they are another node's.
local(Term, []) ->
    Term;
local(Id, Former) when is_pid(Id); is_reference(Id); is_port(Id) ->
    case lists:member(node(Id), Former) of
        true -> renamed(Id);
        false -> Id
    end;
local(Tuple, Former) when is_tuple(Tuple) ->
    list_to_tuple([local(Element, Former) || Element <- tuple_to_list(Tuple)]);
local([Head | Tail], Former) when is_tuple(Head) ->
    [local(Head, Former) | local(Tail, Former)];
local(Other, _) ->
    Other.

%% A frame with an atom that this node does not have (safe decoding makes none). An answer is
%% for one caller, who is told; all others go on.
not_understood(Frame, #state{unknown = Unknown} = State) ->
    _ = [logger:error("Python said what this node has no atom for: ~0P", [Frame, 50], #{domain => [inetpy]}) || Unknown =:= 0],
    case caller(Frame) of
        {ok, Ref} -> Ref ! {Ref, {error, {inetpy, exception, "an answer with an unknown atom"}}}, ok;
        error -> ok
    end,
    State#state{unknown = Unknown + 1}.

%% The reference that a frame begins with.
caller(<<131, 104, 2, 90, Words:16, Rest/binary>>) ->
    try
        {Atom, <<Numbers:(4 + 4 * Words)/binary, _/binary>>} = atom_and_rest(Rest),
        {ok, binary_to_term(<<131, 90, Words:16, Atom/binary, Numbers/binary>>, [safe])}
    catch
        error:_ -> error
    end;
caller(_) ->
    error.

%% The same identifier, with the name and the creation that self() has.
renamed(Id) ->
    {_, Mine} = split(term_to_binary(self())),
    {{Head, Before, Behind}, _} = split(term_to_binary(Id)),
    {Atom, Creation} = Mine,
    binary_to_term(<<131, Head/binary, Atom/binary, Before/binary, Creation/binary, Behind/binary>>).

%% {{What stands before the name, between it and the creation, and behind that},
%% {name, creation}}.
split(<<131, 90, Count:2/binary, Rest/binary>>) ->
    {Atom, <<Creation:4/binary, Words/binary>>} = atom_and_rest(Rest),
    {{<<90, Count/binary>>, <<>>, Words}, {Atom, Creation}};
split(<<131, Tag, Rest/binary>>) ->
    {Atom, Numbers} = atom_and_rest(Rest),
    Size = byte_size(Numbers) - 4,
    <<Before:Size/binary, Creation:4/binary>> = Numbers,
    {{<<Tag>>, Before, <<>>}, {Atom, Creation}}.

atom_and_rest(<<Tag, Size:16, Name:Size/binary, Rest/binary>>) when Tag =:= 100; Tag =:= 118 ->
    {<<Tag, Size:16, Name/binary>>, Rest};
atom_and_rest(<<Tag, Size, Name:Size/binary, Rest/binary>>) when Tag =:= 115; Tag =:= 119 ->
    {<<Tag, Size, Name/binary>>, Rest}.

%% --- notes -----------------------------------------------------------------

note({active, Id, Active}, #state{sockets = Sockets} = State) ->
    case Sockets of
        #{Id := Socket} -> State#state{sockets = Sockets#{Id := Socket#socket{active = Active}}};
        #{} -> State
    end;
note({open, Id, Name, Kind, Owner}, #state{sockets = Sockets} = State) ->
    State#state{sockets = Sockets#{Id => #socket{name = Name, kind = Kind, owner = Owner}}};
note({owner, Id, Owner}, #state{sockets = Sockets} = State) ->
    #{Id := Socket} = Sockets,
    State#state{sockets = Sockets#{Id := Socket#socket{owner = Owner}}};
note({closed, Id}, #state{sockets = Sockets, monitors = Monitors} = State) ->
    {#socket{name = Name, owner = Owner}, Left} = maps:take(Id, Sockets),
    case maps:take(Id, Monitors) of
        {Entries, MonitorsLeft} ->
            Reason = reason(Owner, State),
            _ = [down(Pid, Ref, Name, Reason) || {Ref, Pid} <- Entries],
            State#state{sockets = Left, monitors = MonitorsLeft};
        error ->
            State#state{sockets = Left}
    end;
note({watch, Pid}, #state{watched = Watched} = State) ->
    State#state{watched = Watched#{Pid => erlang:monitor(process, Pid)}};
note({unwatch, Pid}, #state{watched = Watched} = State) ->
    case maps:take(Pid, Watched) of
        {{ended, _}, Left} ->
            State#state{watched = Left};
        {Ref, Left} ->
            true = erlang:demonitor(Ref, [flush]),
            State#state{watched = Left};
        error ->
            State
    end;
note(renamed, #state{renaming = 1} = State) ->
    State#state{former = [], renaming = 0};
note(renamed, #state{renaming = Renaming} = State) ->
    State#state{renaming = Renaming - 1};
note({log, Level, Text}, State) ->
    logger:log(Level, "~ts", [Text], #{domain => [inetpy]}),
    State;
note({refused, Text}, State) ->
    logger:error("Python refused the connection: ~ts", [Text], #{domain => [inetpy]}),
    State.

%% Why a socket ends: with its owner for the reason of that, or else because it was closed.
reason(Owner, #state{watched = Watched}) ->
    case Watched of
        #{Owner := {ended, Reason}} -> Reason;
        #{} -> normal
    end.
