%% The owner of the port: one Python process, and all that it says.
%%
%% Callers write their requests to the port themselves (inetpy_request). What
%% Python says comes here, and is decoded and sent on; the frames are listed in
%% bridge/inetpy/messages.py. So that the owners of sockets can be told when
%% Python dies, its notes about sockets are kept here and nowhere else.
-module(inetpy_bridge).
-behaviour(gen_server).

-export([start_link/1, where/1, where/2, monitor_socket/2, cancel_monitor/2, sockets/1, is_responsive/1]).
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
-define(ACK_EVERY, 32).
%% Bytes: a larger frame counts as one more for each.
-define(UNIT, (1 bsl 14)).

%% In ms: how often Python is asked whether it is there, when a caller that asks is told that it
%% is not, and when its silence is logged.
-define(PING_EVERY, 1000).
-define(MOMENT, 400).
-define(SILENT, 5000).
%% Until what a full port did not take is tried again, in ms.
-define(RETRY, 10).

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
    %% Frames with atoms that this node does not have.
    unknown = 0 :: non_neg_integer(),
    %% inet:monitor/1: the process that is to get a 'DOWN' for a socket, and our monitor of that process.
    monitors = #{} :: #{reference() => {pos_integer(), pid(), reference()}},
    %% The monitors of each socket.
    monitored = #{} :: #{pos_integer() => #{reference() => []}},
    %% Frames for Python that the port was too full for.
    unsent = queue:new() :: queue:queue(binary()),
    %% When the ping was sent that has no answer yet, in ms; and whether that has been logged.
    pinged :: integer() | undefined,
    silent = false :: boolean(),
    %% Callers of is_responsive/1, with the timers that end their waiting.
    asking = #{} :: #{gen_server:from() => reference()}
}).

-spec start_link(pos_integer()) -> gen_server:start_ret().
start_link(Number) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, Number, []).

name(1) -> ?MODULE;
name(Number) -> list_to_atom(atom_to_list(?MODULE) ++ integer_to_list(Number)).

%% The bridge of a number. Waits while it is starting.
-spec where(pos_integer()) -> {ok, pid(), out()} | {error, timeout | {inetpy, not_started | down, string()}}.
where(Number) -> where(Number, infinity).

-spec where(pos_integer(), timeout()) ->
    {ok, pid(), out()} | {error, timeout | {inetpy, not_started | down, string()}}.
where(Number, Timeout) ->
    {Pid, Out} = persistent_term:get({?MODULE, Number}, {undefined, undefined}),
    case is_pid(Pid) andalso is_process_alive(Pid) of
        true ->
            {ok, Pid, Out};
        false ->
            case inetpy_keeper:await(Number, Timeout) of
                ok -> where(Number, Timeout);
                {error, _} = Error -> Error
            end
    end.

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

%% Whether Python answers a ping within a moment. What Python had said before has been passed on then.
-spec is_responsive(pid()) -> boolean().
is_responsive(Bridge) ->
    try
        gen_server:call(Bridge, is_responsive, infinity)
    catch
        exit:_ -> false
    end.

%% All sockets that are open on a bridge.
-spec sockets(pid()) -> [inetpy_handle:socket()].
sockets(Bridge) ->
    try
        gen_server:call(Bridge, sockets, infinity)
    catch
        exit:_ -> []
    end.

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
    %% This process only passes messages on. A backlog here would delay every socket.
    process_flag(priority, high),
    %% Reasons of this shape make no crash report: the keeper tells them in a line.
    case start_python(Number) of
        {ok, _} = Started -> Started;
        {error, Reason} -> {stop, {shutdown, Reason}}
    end.

start_python(Number) ->
    try inetpy_python:command() of
        Command -> greet(Number, Command)
    catch
        throw:Reason -> {error, Reason}
    end.

greet(Number, {Program, Arguments, Environment}) ->
    try
        open_port({spawn_executable, Program}, [
            {args, Arguments},
            {env, Environment},
            {packet, 4},
            {busy_limits_port, ?BUSY_LIMITS},
            {busy_limits_msgq, disabled},
            binary,
            use_stdio,
            exit_status,
            hide
        ])
    of
        Port -> greet(Number, Port)
    catch
        error:Reason -> {error, inetpy_python:cannot_run(Program, Reason)}
    end;
greet(Number, Port) ->
    Here = {os_pid, list_to_integer(os:getpid())},
    %% a Python that is gone already is told below
    _ = catch port_command(Port, term_to_binary({hello, ?PROTOCOL, [tcp, Here | stock()], self(), Port})),
    receive
        {Port, {data, Frame}} ->
            case catch binary_to_term(Frame, [safe]) of
                {hello, ?PROTOCOL, Capabilities} ->
                    ok = learn(proplists:get_value(atoms, Capabilities, [])),
                    persistent_term:put({?MODULE, Number}, {self(), Port}),
                    self() ! ping,
                    {ok, #state{port = Port, os_pid = os_pid(Port)}};
                {hello, Other, _} ->
                    {error, {inetpy_protocol, lists:flatten(io_lib:format(
                        "Python speaks protocol ~p, this inetpy ~p: install the same version of both",
                        [Other, ?PROTOCOL]
                    ))}};
                _ ->
                    {error, {inetpy_protocol, "the first frame from Python is no greeting"}}
            end;
        {Port, {exit_status, Status}} ->
            {error, {inetpy_python, {exit_status, Status}}};
        {'EXIT', Port, Reason} ->
            {error, {inetpy_python, Reason}}
    after ?GREETING_TIMEOUT ->
        %% it does not read, so it would not see the end of its input either
        _ = [os:cmd("kill -9 " ++ integer_to_list(OsPid)) || OsPid <- [os_pid(Port)], is_integer(OsPid)],
        {error, {inetpy_python, "no greeting from Python"}}
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

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call(is_responsive, From, #state{asking = Asking} = State) ->
    Timer = erlang:send_after(?MOMENT, self(), {unresponsive, From}),
    {noreply, ping(erlang:monotonic_time(millisecond), State#state{asking = Asking#{From => Timer}})};
handle_call(sockets, _From, #state{sockets = Sockets} = State) ->
    {reply, [S#socket.name || S <- maps:values(Sockets)], State};
handle_call(os_pid, _From, State) ->
    {reply, State#state.os_pid, State};
handle_call({monitor, Id, Ref, Pid, Name}, _From, #state{sockets = Sockets} = State) ->
    case is_map_key(Id, Sockets) of
        true ->
            #state{monitors = Monitors, monitored = Monitored} = State,
            Own = erlang:monitor(process, Pid, [{tag, {monitor, Ref}}]),
            Refs = maps:get(Id, Monitored, #{}),
            {reply, ok, State#state{
                monitors = Monitors#{Ref => {Id, Pid, Own}}, monitored = Monitored#{Id => Refs#{Ref => []}}
            }};
        false ->
            {reply, down(Pid, Ref, Name, noproc), State}
    end;
handle_call({cancel_monitor, Ref}, _From, #state{monitors = Monitors} = State) ->
    {reply, is_map_key(Ref, Monitors), cancel(Ref, State)};
handle_call(Request, _From, State) ->
    {reply, {error, {unknown_call, Request}}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(Message, #state{node = Node} = State0) when Node =/= node() ->
    State = tell_python({renamed, self()}, State0),
    Former = lists:usort([Node | State#state.former]) -- [node()],
    Renaming = State#state.renaming + 1,
    handle_info(Message, State#state{node = node(), former = Former, renaming = Renaming});
handle_info({Port, {data, Frame}}, #state{port = Port} = State) ->
    {noreply, acknowledge(Frame, pass_on(Frame, State))};
handle_info({'DOWN', Ref, process, Pid, Reason}, #state{watched = Watched} = State) ->
    case Watched of
        #{Pid := Ref} -> {noreply, tell_python({down, Pid}, State#state{watched = Watched#{Pid := {ended, Reason}}})};
        #{} -> {noreply, State}
    end;
handle_info({{monitor, Ref}, _, process, _, _}, State) ->
    {noreply, cancel(Ref, State)};
handle_info(ping, State) ->
    _ = erlang:send_after(?PING_EVERY, self(), ping),
    {noreply, ping(erlang:monotonic_time(millisecond), State)};
handle_info({unresponsive, From}, #state{asking = Asking} = State) ->
    _ = [gen_server:reply(From, false) || is_map_key(From, Asking)],
    {noreply, State#state{asking = maps:remove(From, Asking)}};
handle_info(retry, State) ->
    {noreply, send_unsent(State)};
handle_info({Port, {exit_status, Status}}, #state{port = Port} = State) ->
    {stop, {shutdown, {inetpy_python, {exit_status, Status}}}, State};
handle_info({'EXIT', Port, Reason}, #state{port = Port} = State) ->
    {stop, {shutdown, {inetpy_python, Reason}}, State};
handle_info(_Other, State) ->
    {noreply, State}.

%% What Python says goes to the process that it is for, or is a note for this one.
pass_on(Frame, State) ->
    try local(binary_to_term(Frame, [safe]), State#state.former) of
        {To, _} = Reply when is_reference(To) ->
            To ! Reply,
            State;
        {To, Message} when is_pid(To) ->
            To ! Message,
            State;
        {deliver, To, Messages} ->
            lists:foreach(fun(Message) -> To ! Message end, Messages),
            State;
        Note ->
            note(Note, State)
    catch
        error:badarg ->
            not_understood(Frame, State)
    end.

%% Python reads on when it knows that this process keeps up.
acknowledge(Frame, #state{passed = Passed} = State) ->
    case Passed + 1 + byte_size(Frame) div ?UNIT of
        Units when Units >= ?ACK_EVERY -> tell_python({ack, Units}, State#state{passed = 0});
        Units -> State#state{passed = Units}
    end.

%% Never waits for room in the port: Python may stand still, and this process must not.
tell_python(Term, #state{unsent = Unsent} = State) ->
    After = State#state{unsent = queue:in(term_to_binary(Term), Unsent)},
    case queue:is_empty(Unsent) of
        true -> send_unsent(After);
        false -> After
    end.

send_unsent(#state{port = Port, unsent = Unsent} = State) ->
    case queue:out(Unsent) of
        {empty, _} ->
            State;
        {{value, Frame}, Rest} ->
            try port_command(Port, Frame, [nosuspend]) of
                true ->
                    send_unsent(State#state{unsent = Rest});
                false ->
                    _ = erlang:send_after(?RETRY, self(), retry),
                    State
            catch
                error:badarg -> State#state{unsent = queue:new()}  % it is gone; the news of that are on their way
            end
    end.

%% One ping at a time: an old one would tell Python a wrong time.
ping(Now, #state{pinged = undefined} = State) ->
    tell_python({ping, Now}, State#state{pinged = Now});
ping(Now, #state{pinged = Pinged, silent = false} = State) when Now - Pinged >= ?SILENT ->
    logger:warning(
        "Python (process ~p) has not answered for ~b s. Is it stopped, in a debugger, or swapped out? "
        "Calls of its sockets wait; those with a timeout end in time.",
        [State#state.os_pid, (Now - Pinged) div 1000],
        #{application => inetpy}
    ),
    State#state{silent = true};
ping(_, State) ->
    State.

pong(#state{asking = Asking} = State) when map_size(Asking) > 0 ->
    maps:foreach(
        fun(From, Timer) ->
            _ = erlang:cancel_timer(Timer),
            gen_server:reply(From, true)
        end,
        Asking
    ),
    pong(State#state{asking = #{}});
pong(#state{silent = false} = State) ->
    State#state{pinged = undefined};
pong(#state{pinged = Pinged, os_pid = OsPid} = State) ->
    Silence = erlang:monotonic_time(millisecond) - Pinged,
    logger:notice("Python (process ~p) answers again, after ~b s.", [OsPid, Silence div 1000], #{application => inetpy}),
    State#state{pinged = undefined, silent = false}.

cancel(Ref, #state{monitors = Monitors, monitored = Monitored} = State) ->
    case maps:take(Ref, Monitors) of
        {{Id, _, Own}, Left} ->
            true = erlang:demonitor(Own, [flush]),
            #{Id := Refs} = Monitored,
            case maps:remove(Ref, Refs) of
                Rest when map_size(Rest) =:= 0 ->
                    State#state{monitors = Left, monitored = maps:remove(Id, Monitored)};
                Rest ->
                    State#state{monitors = Left, monitored = Monitored#{Id := Rest}}
            end;
        error ->
            State
    end.

%% All monitors of a socket that has ended.
fire(Id, Name, Reason, #state{monitored = Monitored} = State) ->
    lists:foldl(
        fun(Ref, #state{monitors = Monitors} = Before) ->
            #{Ref := {_, Pid, _}} = Monitors,
            ok = down(Pid, Ref, Name, Reason),
            cancel(Ref, Before)
        end,
        State,
        maps:keys(maps:get(Id, Monitored, #{}))
    ).

%% The node ends, and nobody is told, as with stock sockets.
-spec terminate(term(), #state{}) -> ok.
terminate(shutdown, State) ->
    close_port(State);
terminate(_Reason, State) ->
    #state{sockets = Sockets} = State,
    ok = close_port(State),
    maps:foreach(fun(_Id, Socket) -> tell_lost(Socket) end, Sockets),
    maps:foreach(fun(Id, #socket{name = Name}) -> fire(Id, Name, normal, State) end, Sockets).

%% Closing the port ends Python, which leaves by itself within a second.
close_port(#state{port = Port}) ->
    _ = catch port_close(Port),
    ok.

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
note({closed, Id}, #state{sockets = Sockets} = State) ->
    {#socket{name = Name, owner = Owner}, Left} = maps:take(Id, Sockets),
    fire(Id, Name, reason(Owner, State), State#state{sockets = Left});
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
note(pong, State) ->
    pong(State);
note(renamed, #state{renaming = 1} = State) ->
    State#state{former = [], renaming = 0};
note(renamed, #state{renaming = Renaming} = State) ->
    State#state{renaming = Renaming - 1};
note({log, Level, Text}, State) ->
    logger:log(Level, "~ts", [Text], #{application => inetpy}),
    State;
note({refused, Text}, State) ->
    logger:error("Python refused the connection: ~ts", [Text], #{application => inetpy}),
    State.

%% Why a socket ends: with its owner for the reason of that, or else because it was closed.
reason(Owner, #state{watched = Watched}) ->
    case Watched of
        #{Owner := {ended, Reason}} -> Reason;
        #{} -> normal
    end.
