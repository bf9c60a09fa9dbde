%% The process that owns a link to Python, and forwards what Python says.
%%
%% Callers write their requests to the link themselves (inetpy_request). Frames from Python come to this
%% process. The bridge decodes them, sends answers and messages to the processes that they are for, and keeps
%% what Python says about sockets in a registry. All frames are listed in the Python module `messages`.
-module(inetpy_bridge).

-dialyzer(no_opaque).  % see inetpy_socket_ref
-behaviour(gen_server).

-export([start_link/2, where/2, of_life/2, ahead/2, info/1, is_responsive/1]).
-export([sockets/1, plain_sockets/1, monitor_socket/2, monitor_plain/3, monitors/1, cancel_monitor/2]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([handle/0, out/0]).

-type out() :: inetpy_link:out().
%% The third element of a socket: its bridge, where to write requests, and its number. In requests the
%% number 0 stands for the bridge itself.
-type handle() :: {Bridge :: pid(), Out :: out(), Id :: non_neg_integer()}.

%% In ms.
-define(GREETING_TIMEOUT, 15000).
%% The same while Python reads the file of its network.
-define(FILE_TIMEOUT, 60000).

%% Python stops reading active sockets when too much of what it has sent is not acknowledged. So the mailbox of
%% this process stays short. Acknowledgements count units: a frame is one unit, and one more for each so
%% many bytes.
-define(ACKNOWLEDGE_EVERY, 32).
-define(BYTES_PER_UNIT, (1 bsl 14)).

%% In place of an answer with an atom that this node does not have.
-define(UNKNOWN_ATOM, {error, {inetpy, exception, "an answer with an unknown atom"}}).

%% In place of a bridge that has not been started.
-define(NOWHERE, {undefined, undefined, 0, undefined}).

-record(state, {
    number :: pos_integer(),
    %% Tells the sockets of this bridge from those of a bridge of the same number before it.
    life = erlang:unique_integer() :: integer(),
    link :: inetpy_link:link(),
    %% The timer that ends the waiting for Python's greeting, and for its answers to the rules that it gets then.
    greeting :: reference() | done,
    %% The alias for these answers, and how many are not there yet.
    rules = none :: none | {reference(), non_neg_integer()},
    %% Whether Python has still to tell the names of a network that a file describes.
    awaits_names = false :: boolean(),
    registry = inetpy_registry:new() :: inetpy_registry:registry(),
    %% What callers may do without an answer.
    early = inetpy_early:new() :: inetpy_early:table(),
    %% Bytes that have come before a process has asked for them.
    ahead = inetpy_ahead:new() :: ets:table(),
    heartbeat :: inetpy_heartbeat:heartbeat(),
    %% Units that have been forwarded since the last acknowledgement.
    passed = 0 :: non_neg_integer(),
    %% The name of this node that Python was told last, and the names that it had before.
    node = node() :: node(),
    former = inetpy_identity:new() :: inetpy_identity:former(),
    %% Whether the log has a frame with an atom that this node does not have.
    unknown_logged = false :: boolean()
}).

-spec start_link(pos_integer(), inetpy_link:spec()) -> gen_server:start_ret().
start_link(Number, Spec) ->
    gen_server:start_link({local, name(Number)}, ?MODULE, {Number, Spec}, []).

name(1) -> ?MODULE;
name(Number) -> list_to_atom(atom_to_list(?MODULE) ++ integer_to_list(Number)).

%% The bridge of a number. Waits while it is starting, but no longer than Timeout.
-spec where(pos_integer(), timeout()) ->
    {ok, pid(), out()} | {error, timeout | {inetpy, not_started | down, string()}}.
where(Number, Timeout) ->
    {Pid, Out, _, _} = persistent_term:get({?MODULE, Number}, ?NOWHERE),
    case is_pid(Pid) andalso is_process_alive(Pid) of
        true ->
            {ok, Pid, Out};
        false ->
            case inetpy_keeper:await(Number, Timeout) of
                ok -> where(Number, Timeout);
                {error, _} = Error -> Error
            end
    end.

%% The bridge of a number, in one of its lives: with another Python it has another.
-spec of_life(pos_integer(), integer()) -> {pid(), out()} | gone.
of_life(Number, Life) ->
    case persistent_term:get({?MODULE, Number}, ?NOWHERE) of
        {Pid, Out, Life, _} -> {Pid, Out};
        _ -> gone
    end.

%% The table of inetpy_ahead of such a bridge.
-spec ahead(pos_integer(), integer()) -> ets:table() | gone.
ahead(Number, Life) ->
    case persistent_term:get({?MODULE, Number}, ?NOWHERE) of
        {_, _, Life, Table} -> Table;
        _ -> gone
    end.

%% When the socket ends, the calling process gets a 'DOWN' with this Ref.
-spec monitor_socket(inetpy_handle:socket(), reference()) -> ok.
monitor_socket({'$inet', _, {Bridge, _, Id}} = Socket, Ref) ->
    case ask(Bridge, {monitor, Id, Ref, self(), Socket}, no_bridge) of
        ok ->
            ok;
        no_bridge ->
            self() ! inetpy_registry:down(Ref, Socket, noproc),
            ok
    end.

%% The same for a socket of inetpy_socket, which says itself where it is.
-spec monitor_plain({pid(), out(), integer()} | gone, inetpy_registry:name(), reference()) -> ok.
monitor_plain({Bridge, _, Id}, Socket, Ref) ->
    case ask(Bridge, {monitor, Id, Ref, self(), Socket}, no_bridge) of
        ok -> ok;
        no_bridge -> monitor_plain(gone, Socket, Ref)
    end;
monitor_plain(gone, Socket, Ref) ->
    self() ! inetpy_registry:down(Ref, Socket, closed),
    ok.

%% The monitors of sockets: the process, the reference, and the socket.
-spec monitors(pid()) -> [{pid(), reference(), inetpy_registry:name()}].
monitors(Bridge) -> ask(Bridge, monitors, []).

-spec cancel_monitor(pid(), reference()) -> boolean().
cancel_monitor(Bridge, Ref) -> ask(Bridge, {cancel_monitor, Ref}, false).

%% Whether Python answers a ping within half a second. When the answer is true, everything that Python had said
%% before it has been passed on.
-spec is_responsive(pid()) -> boolean().
is_responsive(Bridge) -> ask(Bridge, is_responsive, false).

%% All sockets that are open on a bridge.
-spec sockets(pid()) -> [inetpy_registry:name()].
sockets(Bridge) -> ask(Bridge, sockets, []).

%% Those of inetpy_socket, also those that are not in its listings.
-spec plain_sockets(pid()) -> [inetpy_registry:name()].
plain_sockets(Bridge) -> ask(Bridge, plain_sockets, []).

%% What inetpy:info/0 shows of a bridge.
-spec info(pid()) ->
    #{
        bridge := pid(), number := pos_integer(), os_pid := non_neg_integer() | undefined,
        sockets := non_neg_integer()
    }
    | gone.
info(Bridge) -> ask(Bridge, info, gone).

%% The answer of a bridge, or another when the bridge is gone.
ask(Bridge, Request, Otherwise) ->
    try
        gen_server:call(Bridge, Request, infinity)
    catch
        exit:_ -> Otherwise
    end.

%% --- gen_server ------------------------------------------------------------

%% Until the link is open, the state is the argument.
-spec init(Argument) -> {ok, Argument, {continue, open}} when Argument :: {pos_integer(), inetpy_link:spec()}.
init(Argument) ->
    process_flag(trap_exit, true),
    process_flag(message_queue_data, off_heap),
    %% A backlog here would delay every socket, and the work for a message is small.
    process_flag(priority, high),
    {ok, Argument, {continue, open}}.

%% A reason `{shutdown, _}` makes no crash report: the keeper logs it in a line.
-spec handle_continue(open, Argument) -> {noreply, #state{}} | {stop, term(), Argument} when
    Argument :: {pos_integer(), inetpy_link:spec()}.
handle_continue(open, {Number, Spec} = Argument) ->
    case inetpy_link:open(Spec) of
        {ok, Link} ->
            Hello = inetpy_greeting:hello(self(), Link),
            {noreply, #state{
                number = Number,
                link = inetpy_link:send(Hello, Link),
                greeting = erlang:start_timer(?GREETING_TIMEOUT, self(), greeting),
                heartbeat = inetpy_heartbeat:new(inetpy_link:os_pid(Link))
            }};
        {error, Reason} ->
            {stop, {shutdown, Reason}, Argument}
    end.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call(is_responsive, From, #state{heartbeat = Heartbeat} = State) ->
    {noreply, beat(inetpy_heartbeat:ask(From, Heartbeat), State)};
handle_call(sockets, _From, State) ->
    {reply, inetpy_registry:sockets(open_sockets(State)), State};
handle_call(plain_sockets, _From, State) ->
    {reply, inetpy_registry:plain_sockets(open_sockets(State)), State};
handle_call(monitors, _From, #state{registry = Registry} = State) ->
    {reply, inetpy_registry:monitors(Registry), State};
handle_call(info, _From, #state{link = Link} = State) ->
    Count = length(inetpy_registry:sockets(open_sockets(State))),
    {reply, #{bridge => self(), number => State#state.number, os_pid => inetpy_link:os_pid(Link), sockets => Count}, State};
handle_call({monitor, Id, Ref, Pid, Name}, _From, #state{registry = Registry, early = Early} = State) ->
    case inetpy_early:await_close(Early, Id) of
        true ->
            ProcessMonitor = erlang:monitor(process, Pid, [{tag, {monitor, Ref}}]),
            {reply, ok, act(inetpy_registry:monitor(Id, Name, Ref, Pid, ProcessMonitor, Registry), State)};
        false ->
            {reply, ok, act({[{send, Pid, inetpy_registry:down(Ref, Name, noproc)}], Registry}, State)}
    end;
handle_call({cancel_monitor, Ref}, _From, #state{registry = Registry} = State) ->
    {WasThere, Actions, After} = inetpy_registry:cancel_monitor(Ref, Registry),
    {reply, WasThere, act({Actions, After}, State)};
handle_call(Request, _From, State) ->
    {reply, {error, {unknown_call, Request}}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(Message, #state{node = Node} = State) when Node =/= node() ->
    handle_info(Message, renamed(State));
handle_info(Message, #state{link = Link} = State) ->
    case inetpy_link:read(Message, Link) of
        {Frames, After} when is_list(Frames) -> frames(Frames, State#state{link = After});
        {down, Reason} -> {stop, {shutdown, Reason}, State#state{greeting = done}};
        ignore -> other(Message, State)
    end.

other({'DOWN', Ref, process, Pid, Reason}, #state{registry = Registry} = State) ->
    case inetpy_registry:ended(Pid, Ref, Reason, Registry) of
        {true, After} -> {noreply, tell_python({down, Pid}, State#state{registry = After})};
        false -> {noreply, State}
    end;
other({{monitor, Ref}, _, process, _, _}, #state{registry = Registry} = State) ->
    {_, Actions, After} = inetpy_registry:cancel_monitor(Ref, Registry),
    {noreply, act({Actions, After}, State)};
other({Ref, Answer}, #state{rules = {Ref, Count}} = State) ->
    _ = [
        logger:error("Python has not taken a rule again: ~0tP", [Answer, 20], #{application => inetpy})
     || Answer =/= ok
    ],
    {noreply, await_rules(State#state{rules = {Ref, Count - 1}})};
other({heartbeat, Event}, #state{heartbeat = Heartbeat, link = Link} = State) ->
    case inetpy_heartbeat:is_over(inetpy_link:is_local(Link), Heartbeat) of
        true -> {stop, {shutdown, {inetpy_python, "Python has not answered for long: its host may be gone"}}, State};
        false -> {noreply, beat(inetpy_heartbeat:handle(Event, Heartbeat), State)}
    end;
other({timeout, Timer, greeting}, #state{greeting = Timer} = State) ->
    {stop, {shutdown, {inetpy_python, "no greeting from Python"}}, State};
other({timeout, Timer, file}, #state{greeting = Timer} = State) ->
    {stop, {shutdown, {inetpy_python, "the network file has not ended within a minute"}}, State};
other(_, State) ->
    {noreply, State}.

-spec terminate(term(), #state{} | {pos_integer(), inetpy_link:spec()}) -> ok.
terminate(_Reason, {_Number, _Spec}) ->
    ok;
terminate(Reason, State) ->
    ok = inetpy_early:delete(),
    ends(Reason, State).

ends(_Reason, #state{greeting = Timer, link = Link}) when is_reference(Timer) ->
    %% A Python that has not greeted may not read, and would not see the end of its input.
    inetpy_link:kill(Link);
ends(shutdown, #state{link = Link}) ->
    %% The node ends, and no owner is told, as with stock sockets.
    inetpy_link:close(Link);
ends(_Reason, #state{link = Link, registry = Registry, early = Early}) ->
    ok = inetpy_link:close(Link),
    lists:foreach(fun act/1, inetpy_registry:lost(inetpy_early:closing(Early), Registry)).

%% The registry without the sockets that callers have closed, and that Python has not closed yet.
open_sockets(#state{registry = Registry, early = Early}) ->
    inetpy_registry:without(inetpy_early:closing(Early), Registry).

%% Carries out the actions of the registry.
act({Actions, Registry}, State) ->
    lists:foreach(fun act/1, Actions),
    State#state{registry = Registry}.

act({send, Pid, Message}) ->
    Pid ! Message,
    ok;
act({close, Ref}) ->
    inetpy_socket_ref:close(Ref);
act({waits, Ref, More}) ->
    inetpy_early:waits(Ref, More);
act({demonitor, Ref}) ->
    true = erlang:demonitor(Ref, [flush]),
    ok.

beat({Pings, Heartbeat}, State) ->
    lists:foldl(fun tell_python/2, State#state{heartbeat = Heartbeat}, Pings).

%% --- frames from Python ----------------------------------------------------

frames([Frame | Frames], State) ->
    case frame(Frame, State) of
        {noreply, After} -> frames(Frames, After);
        Stop -> Stop
    end;
frames([], State) ->
    {noreply, State}.

frame(Frame, #state{greeting = Timer, rules = none} = State) when is_reference(Timer) ->
    case inetpy_greeting:read(Frame) of
        {ok, InPlay} ->
            ok = inetpy_context:set(State#state.number, InPlay),
            {noreply, tell_rules(await_names(InPlay, State))};
        {error, Reason} ->
            _ = erlang:cancel_timer(Timer),
            {stop, {shutdown, Reason}, State#state{greeting = done}}
    end;
frame(Frame, State) ->
    {noreply, acknowledge(Frame, pass_on(Frame, State))}.

%% No name is looked up before the node has those of a network that is described already. Its Python tells them after
%% the file. Another Python has none yet, also where its predecessor had some.
await_names(false, #state{number = Number} = State) ->
    ok = inetpy_names:set(Number, []),
    State;
await_names(true, State) ->
    await_file(State#state{awaits_names = true}).

await_file(#state{greeting = Timer} = State) ->
    _ = erlang:cancel_timer(Timer),
    State#state{greeting = erlang:start_timer(?FILE_TIMEOUT, self(), file)}.

%% A Python that starts gets the networks and the rules that its predecessor had. No socket is opened before it has
%% all of them.
tell_rules(#state{number = Number} = State) ->
    Ref = erlang:alias(),
    Networks = inetpy_network:kept(),
    Rules = Networks ++ inetpy_faults:kept(Number),
    Waiting = case Networks of [] -> State; _ -> await_file(State) end,
    Told = lists:foldl(fun(Rule, S) -> tell_python({fault, 0, Ref, Rule}, S) end, Waiting, Rules),
    await_rules(Told#state{rules = {Ref, length(Rules)}}).

await_rules(#state{rules = {Ref, 0}, awaits_names = false, greeting = Timer} = State) ->
    true = erlang:unalias(Ref),
    _ = erlang:cancel_timer(Timer),
    ready(State#state{greeting = done, rules = none});
await_rules(State) ->
    State.

ready(#state{number = Number, link = Link, heartbeat = Heartbeat} = State) ->
    persistent_term:put({?MODULE, Number}, {self(), inetpy_link:out(Link), State#state.life, State#state.ahead}),
    ok = inetpy_keeper:is_ready(Number, self()),
    beat(inetpy_heartbeat:start(Heartbeat), State).

%% A frame is for another process, or a note for this one.
pass_on(Frame, #state{former = Former} = State) ->
    try inetpy_identity:local(binary_to_term(Frame, [safe]), Former) of
        {To, _} = Reply when is_reference(To) ->
            To ! Reply,
            State;
        {To, Message} when is_pid(To) ->
            To ! Message,
            State;
        {Id, Mode, To, Message} when is_integer(Id) ->
            After = set_mode(Id, Mode, State),
            ok = deliver(To, Message),
            After;
        {select, Id, Pid, Handle, To, Reply} ->
            Waiting = act(inetpy_registry:selects(Id, Handle, Pid, State#state.registry), State),
            ok = deliver(To, Reply),
            Waiting;
        {deliver, To, Messages} ->
            lists:foreach(fun(Message) -> To ! Message end, Messages),
            State;
        Note ->
            note(Note, State)
    catch
        error:badarg -> not_decoded(Frame, State)
    end.

deliver(Pid, Message) when is_pid(Pid) ->
    Pid ! Message,
    ok;
deliver(Alias, Reply) when is_reference(Alias) ->
    Alias ! {Alias, Reply},
    ok.

set_mode(Id, Mode, #state{registry = Registry, early = Early} = State) ->
    ok = inetpy_early:set(Early, Id, Mode),
    State#state{registry = inetpy_registry:set_active(Id, Mode band 1 =:= 1, Registry)}.

note({mode, Id, Mode, Destination}, #state{early = Early} = State) ->
    ok = inetpy_early:set(Early, Id, Mode, Destination),
    set_mode(Id, Mode, State);
note({mode, Id, Mode}, State) ->
    set_mode(Id, Mode, State);
note({open, Id, {'$socket', Ref} = Name, Kind, Owner, Mode}, #state{number = Number, life = Life, early = Early} = State) ->
    _ = inetpy_socket_ref:open(Ref, Id, Number, Life) andalso inetpy_early:opened(Early, Id, Ref),
    opened(Id, Name, Kind, Owner, Mode, State);
note({open, Id, Name, Kind, Owner, Mode}, State) ->
    opened(Id, Name, Kind, Owner, Mode, State);
note({open, Ref, Id, Name, Kind, Owner, Mode}, State) ->
    Opened = note({open, Id, Name, Kind, Owner, Mode}, State),
    ok = deliver(Ref, {ok, Name}),
    Opened;
note({owner, Id, Owner}, #state{registry = Registry} = State) ->
    State#state{registry = inetpy_registry:set_owner(Id, Owner, Registry)};
note({closed, Id}, #state{registry = Registry, early = Early, ahead = Table} = State) ->
    ok = inetpy_early:closed(Early, Id),
    ok = inetpy_ahead:forget(Table, Id),
    act(inetpy_registry:closed(Id, Registry), State);
note({closed, Id, Ref}, State) ->
    Closed = note({closed, Id}, State),
    ok = deliver(Ref, ok),
    Closed;
note({ready, Id, Handle}, #state{registry = Registry} = State) ->
    act(inetpy_registry:ready(Id, Handle, Registry), State);
note({ready, Id, Handle, {Number, Pid, Data}}, #state{ahead = Table, early = Early} = State) ->
    %% until the bytes are taken or given up, close waits: Python must know which
    ok = inetpy_early:waits(Early, Id, 1),
    ok = inetpy_ahead:keep(Table, Id, Number, {Pid, Data}),
    note({ready, Id, Handle}, State);
note({recall, Id, Number}, #state{ahead = Table, early = Early} = State) ->
    GivenUp = inetpy_ahead:give_up(Table, Id, Number),
    ok = if GivenUp -> inetpy_early:waits(Early, Id, -1); true -> ok end,
    tell_python({recalled, Id, Number, GivenUp}, State);
note({abort, Id, Handle, Reason}, #state{registry = Registry} = State) ->
    act(inetpy_registry:abort(Id, Handle, Reason, Registry), State);
note({unselect, Id, Handle}, #state{registry = Registry} = State) ->
    act(inetpy_registry:unselect(Id, Handle, Registry), State);
note({watch, Pid}, #state{registry = Registry} = State) ->
    State#state{registry = inetpy_registry:watch(Pid, monitor_at_once(Pid), Registry)};
note({unwatch, Pid}, #state{registry = Registry} = State) ->
    act(inetpy_registry:unwatch(Pid, Registry), State);
note({context, InPlay}, #state{number = Number} = State) ->
    ok = inetpy_context:set(Number, InPlay),
    State;
note({names, Names}, #state{number = Number, awaits_names = Awaited} = State) ->
    ok = inetpy_names:set(Number, Names),
    if Awaited -> await_rules(State#state{awaits_names = false}); true -> State end;
note({lineage, Number, Pids}, #state{link = Link} = State) ->
    ok = inetpy_faults:lineage(inetpy_link:out(Link), Number, Pids),
    State;
note({keys, Pid}, #state{number = Number} = State) ->
    ok = inetpy_keys:give(Number, Pid),
    State;
note({stray, Question, Pids}, #state{number = Number} = State) ->
    ok = inetpy_stray:tell(Number, Question, Pids),
    State;
note({keep, Key, Rule}, #state{number = Number} = State) ->
    ok = inetpy_faults:keep(Number, Key, Rule),
    State;
note({forget, Key}, #state{number = Number} = State) ->
    ok = inetpy_faults:forget(Number, Key),
    State;
note({agent, Payload}, #state{link = Link} = State) ->
    ok = tell_agent(whereis(inetpy_agent), {agent, inetpy_link:out(Link), Payload}),
    State;
note(pong, #state{heartbeat = Heartbeat} = State) ->
    State#state{heartbeat = inetpy_heartbeat:pong(Heartbeat)};
note(renamed, #state{former = Former} = State) ->
    State#state{former = inetpy_identity:confirmed(Former)};
note({log, Level, Text}, State) ->
    logger:log(Level, "~ts", [Text], #{application => inetpy}),
    State;
note({refused, Text}, State) ->
    logger:error("Python refused the connection: ~ts", [Text], #{application => inetpy}),
    State.

opened(Id, Name, Kind, Owner, 0, #state{registry = Registry} = State) ->
    State#state{registry = inetpy_registry:opened(Id, Name, Kind, Owner, Registry)};
opened(Id, Name, Kind, Owner, Mode, State) ->
    set_mode(Id, Mode, opened(Id, Name, Kind, Owner, 0, State)).

%% Only a node that tests have started has such a process.
tell_agent(undefined, _) ->
    logger:error("Python asks for an agent that this node has not", #{application => inetpy});
tell_agent(Agent, Message) ->
    Agent ! Message,
    ok.

%% The emulator holds a monitor back until the caller makes another one or is scheduled out. A process that
%% hears from the bridge before that could end with a reason that nobody monitors.
monitor_at_once(Pid) ->
    Ref = erlang:monitor(process, Pid),
    true = erlang:demonitor(erlang:monitor(process, inetpy_keeper), [flush]),
    Ref.

%% A frame with an atom that this node does not have. Decoding with `safe` creates no atoms. If the frame is an
%% answer, its caller gets an error. If it says whether a socket is active, the registry is told. Nothing
%% else is lost.
not_decoded(Frame, #state{former = Former, unknown_logged = Logged} = State0) ->
    _ = [
        logger:error("Python said what this node has no atom for: ~0P", [Frame, 50], #{domain => [inetpy]})
     || not Logged
    ],
    State = State0#state{unknown_logged = true},
    case [inetpy_identity:local(Element, Former) || Element <- decoded_elements(Frame)] of
        [To] when is_reference(To) ->
            ok = deliver(To, ?UNKNOWN_ATOM),
            State;
        [open, To | _] when is_reference(To) ->
            ok = deliver(To, ?UNKNOWN_ATOM),
            State;
        [Id, Mode, To] when is_integer(Id), is_reference(To) ->
            After = set_mode(Id, Mode, State),
            ok = deliver(To, ?UNKNOWN_ATOM),
            After;
        [Id, Mode, _] when is_integer(Id) ->
            set_mode(Id, Mode, State);
        _ ->
            State
    end.

%% The elements of a tuple up to the first that cannot be decoded.
decoded_elements(<<131, 104, Arity, Elements/binary>>) -> decoded_elements(Arity, Elements);
decoded_elements(_) -> [].

decoded_elements(0, _) ->
    [];
decoded_elements(Arity, Elements) ->
    try binary_to_term(<<131, Elements/binary>>, [safe, used]) of
        {Element, Used} ->
            <<_:(Used - 1)/binary, Rest/binary>> = Elements,
            [Element | decoded_elements(Arity - 1, Rest)]
    catch
        error:badarg -> []
    end.

%% --- frames to Python ------------------------------------------------------

%% Python goes on reading active sockets when it knows that this process keeps up.
acknowledge(Frame, #state{passed = Passed} = State) ->
    case Passed + 1 + byte_size(Frame) div ?BYTES_PER_UNIT of
        Units when Units >= ?ACKNOWLEDGE_EVERY -> tell_python({ack, Units}, State#state{passed = 0});
        Units -> State#state{passed = Units}
    end.

%% The node has another name. Frames to Python have the new name from now on.
renamed(#state{node = Before, former = Former} = State) ->
    tell_python({renamed, self()}, State#state{node = node(), former = inetpy_identity:renamed(Before, Former)}).

tell_python(Term, #state{link = Link} = State) ->
    State#state{link = inetpy_link:send(term_to_binary(Term), Link)}.
