%% In a node of the Python class `inetpy.testing.Node`: carries out what a test in Python asks for.
%%
%% Python's requests and this node's answers are payloads of frames `{agent, Payload}` on the link of the bridge.
%% A request is a tuple; its second element is a number, which its answers have:
%%
%%     {run, Id, Shell, Milliseconds, Work}    in the process that evaluates for `Shell`, a term
%%     {spawn, Id, Work}                       in a process of its own; its pid is the first answer
%%     {cancel, Id}                            ends what runs
%%     {inspect, Id, Pid}                      what a process waits in, as text
%%     {mark, Id}, {reset, Id, Code :: boolean()},
%%     {keep, Id, Folders, Applications}       see inetpy_tidy
%%     {stop, Id}                              the node ends; there is no answer
%%
%%     {Id, ok | raised | timeout | started, External}
%%     {0, log, External}                      an event of the logger
%%     {0, ready, External}                    the node can be asked from now on
%%
%% A shell evaluates one thing after the other, as the shell of Erlang does. So the sockets and the messages of one
%% evaluation are there in the next one. All processes of a test have a group leader of their own, by which `reset`
%% finds them.
%%
%% The node ends when the link is lost, or its standard input: the test that started it has gone.
-module(inetpy_agent).
-behaviour(gen_server).

-export([start/1, log/2]).
-export([guard/1]).  % a process
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-type id() :: non_neg_integer().
-type run() :: {pid(), reference() | none}.

%% Between the end of the link and that of the standard input, where the other process has ended: in ms.
-define(EOF, 500).
%% Bytes of an answer: a larger frame would end the link.
-define(LARGEST, 16#4000000).
%% Characters of an event of the logger.
-define(LONGEST, 1000000).

-record(state, {
    install :: boolean(),
    input :: port(),
    socket :: none | file:filename(),
    out :: inetpy_link:out() | undefined,
    bridge :: reference() | undefined,
    leader :: pid(),
    mark :: inetpy_tidy:mark() | undefined,
    shells = #{} :: #{term() => pid()},
    %% What runs: its process, and the timer that ends it.
    runs = #{} :: #{id() => run()},
    %% The processes that are monitored.
    watched = #{} :: #{reference() => pid()}
}).

%% Called by the command line of the node, with `install` or `start`: whether the whole node is put on inetpy.
-spec start([atom()]) -> ok.
start([How]) ->
    ok = code:stick_dir(filename:dirname(code:which(?MODULE))),
    {ok, Agent} = gen_server:start({local, ?MODULE}, ?MODULE, How =:= install, []),
    _ = spawn(?MODULE, guard, [Agent]),
    ok = connect(How),
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity),
    Agent ! {?MODULE, ready, Bridge, Out},
    ok.

%% A node without its agent would neither answer nor end.
-spec guard(pid()) -> no_return().
guard(Agent) ->
    Ref = erlang:monitor(process, Agent),
    receive
        {'DOWN', Ref, process, Agent, _} -> halt(1)
    end.

connect(install) ->
    inetpy_node:install();
connect(start) ->
    case inetpy:start() of
        ok -> ok;
        {error, _} -> halt(1)
    end.

-spec init(boolean()) -> {ok, #state{}}.
init(Install) ->
    %% What a test has started must not keep the others waiting.
    process_flag(priority, high),
    %% Until there is a link, a bridge would try to connect without end.
    Input = open_port({fd, 0, 0}, [in, eof, binary]),
    {ok, #state{install = Install, input = Input, socket = socket(), leader = leader()}}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, ok, #state{}}.
handle_call(_Request, _From, State) -> {reply, ok, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) -> {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({?MODULE, ready, Bridge, Out}, State) ->
    ok = add_handler(Out),
    %% Python has what would be printed.
    _ = logger:update_handler_config(default, #{level => none}),
    ok = answer(Out, 0, ready, ok),
    {noreply, State#state{out = Out, bridge = erlang:monitor(process, Bridge), mark = inetpy_tidy:mark()}};
handle_info({agent, _, Payload}, State) ->
    {noreply, request(binary_to_term(Payload), State)};
handle_info({done, Id}, State) ->
    {noreply, done(Id, State)};
handle_info({timeout, _, Id}, State) ->
    {noreply, overdue(Id, State)};
handle_info({Input, eof}, #state{input = Input, socket = Socket}) ->
    leave(Socket);
handle_info({'DOWN', Bridge, process, _, _}, #state{bridge = Bridge, input = Input, socket = Socket}) ->
    receive
        {Input, eof} -> leave(Socket)
    after ?EOF ->
        erlang:halt(0, [{flush, false}])  % the link alone has ended: other nodes need the socket
    end;
handle_info({'DOWN', Ref, process, Pid, Reason}, State) ->
    {noreply, ended(Ref, Pid, Reason, State)};
handle_info(_, State) ->
    {noreply, State}.

%% A process of tests that was killed could not remove the folder of its socket. It is empty but for that.
-spec leave(none | file:filename()) -> no_return().
leave(none) ->
    erlang:halt(0, [{flush, false}]);
leave(Socket) ->
    _ = file:delete(Socket) =:= ok andalso file:del_dir(filename:dirname(Socket)),
    erlang:halt(0, [{flush, false}]).

%% Where Python listens, as the node was told: a test may change the variable.
socket() ->
    case os:getenv("INETPY_BRIDGE", "") of
        "unix:" ++ Path -> Path;
        _ -> none
    end.

%% --- requests --------------------------------------------------------------

request({run, Id, Name, Milliseconds, Work}, State) ->
    {Shell, #state{out = Out, runs = Runs} = Ready} = shell(Name, State),
    Shell ! {?MODULE, run, Out, Id, Work},
    Timer = erlang:start_timer(Milliseconds, self(), Id),
    Ready#state{runs = Runs#{Id => {Shell, Timer}}};
request({spawn, Id, Work}, #state{out = Out, runs = Runs} = State) ->
    Agent = self(),
    {Pid, Watching} = start_process(fun() -> carry_out(Agent, Out, Id, Work) end, State),
    ok = answer(Out, Id, started, Pid),
    Pid ! {?MODULE, go},
    Watching#state{runs = Runs#{Id => {Pid, none}}};
request({cancel, Id}, #state{runs = Runs} = State) ->
    case Runs of
        #{Id := {Pid, _}} -> exit(Pid, kill), forget_shell(Pid, done(Id, State));
        #{} -> State
    end;
request({inspect, Id, Pid}, #state{out = Out} = State) ->
    ok = answer(Out, Id, ok, inetpy_waiting:text(Pid)),
    State;
request({mark, Id}, #state{out = Out} = State) ->
    ok = answer(Out, Id, ok, ok),
    State#state{mark = inetpy_tidy:mark()};
request({keep, Id, Folders, Applications}, #state{out = Out, mark = Mark} = State) ->
    {Answer, After} = inetpy_tidy:keep(Folders, Applications, Mark),
    ok = answer(Out, Id, ok, Answer),
    State#state{mark = After};
request({stop, _}, State) ->
    ok = init:stop(),
    State;
request({reset, Id, Code}, #state{out = Out, leader = Leader, mark = Mark, install = Install} = State) ->
    Ended = inetpy_tidy:reset(Mark, Leader, Code),
    _ = [inetpy:install() || Install],
    _ = add_handler(Out),  % a test may have removed it
    ok = answer(Out, Id, ok, Ended),
    lists:foreach(fun(Ref) -> erlang:demonitor(Ref, [flush]) end, maps:keys(State#state.watched)),
    lists:foreach(fun cancel_timer/1, maps:values(State#state.runs)),
    State#state{leader = leader(), shells = #{}, runs = #{}, watched = #{}}.

%% The process of this name. Python has one request at a time for each.
shell(Name, #state{shells = Shells} = State) ->
    case Shells of
        #{Name := Shell} ->
            {Shell, State};
        #{} ->
            Agent = self(),
            {Shell, Watching} = start_process(fun() -> shell_loop(Agent) end, State),
            Shell ! {?MODULE, go},
            {Shell, Watching#state{shells = Shells#{Name => Shell}}}
    end.

start_process(Work, #state{leader = Leader, watched = Watched} = State) ->
    {Pid, Ref} = spawn_monitor(fun() ->
        true = group_leader(Leader, self()),
        receive {?MODULE, go} -> Work() end
    end),
    {Pid, State#state{watched = Watched#{Ref => Pid}}}.

%% --- what runs -------------------------------------------------------------

shell_loop(Agent) ->
    receive
        {?MODULE, run, Out, Id, Work} -> carry_out(Agent, Out, Id, Work)
    end,
    shell_loop(Agent).

%% The process that has worked answers itself. So what it has logged is at Python before.
carry_out(Agent, Out, Id, Work) ->
    {Tag, Result} = inetpy_evaluator:result(Work),
    ok = answer(Out, Id, Tag, Result),
    Agent ! {done, Id},
    ok.

done(Id, #state{runs = Runs} = State) ->
    case maps:take(Id, Runs) of
        {Run, Left} -> cancel_timer(Run), State#state{runs = Left};
        error -> State
    end.

cancel_timer({_, none}) -> ok;
cancel_timer({_, Timer}) -> _ = erlang:cancel_timer(Timer), ok.

%% The text is made before the process is ended.
overdue(Id, #state{out = Out, runs = Runs} = State) ->
    receive
        {done, Id} -> done(Id, State)
    after 0 ->
        case Runs of
            #{Id := {Pid, _}} ->
                ok = answer(Out, Id, timeout, {Pid, inetpy_waiting:text(Pid)}),
                exit(Pid, kill),
                forget_shell(Pid, done(Id, State));
            #{} ->
                State
        end
    end.

%% Another evaluation gets another process.
forget_shell(Pid, #state{shells = Shells} = State) ->
    State#state{shells = maps:filter(fun(_, Shell) -> Shell =/= Pid end, Shells)}.

%% A process that runs nothing can end too: an idle shell, by an exit signal of a process that it is linked to.
ended(Ref, Pid, Reason, #state{out = Out, runs = Runs, watched = Watched} = State) ->
    Ids = [Id || {Id, {Runner, _}} <- maps:to_list(Runs), Runner =:= Pid],
    Exit = inetpy_evaluator:ended(Reason),
    lists:foreach(fun(Id) -> ok = answer(Out, Id, raised, Exit) end, Ids),
    lists:foldl(fun done/2, forget_shell(Pid, State#state{watched = maps:remove(Ref, Watched)}), Ids).

%% --- to Python -------------------------------------------------------------

answer(Out, Id, Tag, Term) ->
    case term_to_binary(Term) of
        External when byte_size(External) =< ?LARGEST -> send(Out, {Id, Tag, External});
        External -> answer(Out, Id, raised, inetpy_evaluator:too_large(byte_size(External), ?LARGEST))
    end.

send(Out, Answer) ->
    Payload = term_to_binary(Answer),
    true = inetpy_link:write(Out, term_to_binary({agent, Payload})),
    ok.

add_handler(Out) ->
    Formatter = {logger_formatter, #{template => [msg], single_line => false, chars_limit => ?LONGEST}},
    logger:add_handler(?MODULE, ?MODULE, #{config => Out, formatter => Formatter}).

%% A handler of the logger.
-spec log(logger:log_event(), logger:handler_config()) -> ok.
log(#{level := Level, meta := Meta} = Event, #{config := Out, formatter := {Formatter, Config}}) ->
    Text = unicode:characters_to_binary(Formatter:format(Event, Config)),
    #{time := Time} = Meta,
    answer(Out, 0, log, {Level, Text, maps:get(pid, Meta, self()), Time}).

%% A group leader that prints as others do.
leader() -> spawn_link(fun leader_loop/0).

leader_loop() ->
    receive
        {io_request, _, _, _} = Request -> user ! Request;
        _ -> ok
    end,
    leader_loop().
