%% Runs a sequence of calls of `socket` in several processes, and prints it as Erlang.
%%
%% A step is {Number, Process, Call}. A call is `exit`, the end of the process; `flush`, which takes all of its messages;
%% or {Function, Arguments}. Among the arguments are atoms like '$A', whose value is that of an expression: see value/2.
-module(inetpy_xs_steps).

-export([run/4, text/2, scene/3]).
-export_type([scene/0, step/0]).
-export([info/1, rest/1, ref/1, processes/1, in/2, flush/0]).

-type scene() :: tcp | local | seqpacket | udp | local_dgram.
-type step() :: {pos_integer(), 1..3, exit | flush | {atom(), list()}}.

-define(PROCESSES, 3).
%% Milliseconds for the answer of a call that does not wait long.
-define(LONG, 3000).
%% Bytes of a binary that is compared by its beginning only: how much goes into a full buffer depends on timing.
-define(LARGE, 50000).

%% --- what the printed text uses, too ---------------------------------------

%% The sockets of a scene and some addresses, by their names in the text. Each end of a connection has an owner of
%% its own, or it would be a matter of timing which end the other hears of when both owners end.
-spec scene(module(), scene(), [pid()]) -> #{atom() => term()}.
scene(M, Scene, [P1, P2, P3]) ->
    Names = scene(M, Scene),
    [
        ok = M:setopt(map_get(Name, Names), {otp, controlling_process}, Owner)
     || {Name, Owner} <- [{'A', P1}, {'B', P2}, {'C', P3}, {'L', P3}], Owner =/= self()
    ],
    Names.

scene(M, tcp) ->
    {L, ToL} = xs:listener(#{api => M}),
    {A, B} = connected(M, inet, stream, L, ToL),
    {ok, C} = M:open(inet, stream),
    #{'A' => A, 'B' => B, 'C' => C, 'L' => L, 'ToL' => ToL, 'ToAny' => xs:loopback(), 'ToNobody' => (xs:loopback())#{port => 9}};
scene(M, Local) when Local =:= local; Local =:= seqpacket ->
    Type = case Local of local -> stream; seqpacket -> seqpacket end,
    ToL = #{family => local, path => list_to_binary(xs:path())},
    {ok, L} = M:open(local, Type),
    ok = M:bind(L, ToL),
    ok = M:listen(L),
    {A, B} = connected(M, local, Type, L, ToL),
    {ok, C} = M:open(local, Type),
    #{'A' => A, 'B' => B, 'C' => C, 'L' => L, 'ToL' => ToL, 'ToAny' => local_address(), 'ToNobody' => local_address()};
scene(M, udp) ->
    {A, ToA} = xs:udp(#{api => M}),
    {B, ToB} = xs:udp(#{api => M}),
    {C, ToC} = xs:udp(#{api => M}),
    ok = M:connect(A, ToB),
    {ok, L} = M:open(inet, dgram),
    #{
        'A' => A, 'B' => B, 'C' => C, 'L' => L, 'ToA' => ToA, 'ToB' => ToB, 'ToC' => ToC, 'ToL' => ToC,
        'ToAny' => xs:loopback(), 'ToNobody' => (xs:loopback())#{port => 9}
    };
scene(M, local_dgram) ->
    [{A, ToA}, {B, ToB}, {C, ToC}] = [
        begin
            {ok, Socket} = M:open(local, dgram),
            To = local_address(),
            ok = M:bind(Socket, To),
            {Socket, To}
        end
     || _ <- "ABC"
    ],
    ok = M:connect(A, ToB),
    {ok, L} = M:open(local, dgram),
    #{
        'A' => A, 'B' => B, 'C' => C, 'L' => L, 'ToA' => ToA, 'ToB' => ToB, 'ToC' => ToC, 'ToL' => ToC,
        'ToAny' => local_address(), 'ToNobody' => local_address()
    }.

connected(M, Domain, Type, L, ToL) ->
    {ok, A} = M:open(Domain, Type),
    ok = M:connect(A, ToL),
    {ok, B} = M:accept(L, ?LONG),
    {A, B}.

local_address() -> #{family => local, path => list_to_binary(xs:path())}.

%% What later calls use of an answer. A made-up handle, where the answer has none.
-spec info(term()) -> term().
info({select, {{select_info, _, _} = Info, _}}) -> Info;
info({select, {select_info, _, _} = Info}) -> Info;
info(_) -> {select_info, recv, make_ref()}.

-spec rest(term()) -> term().
rest({select, {{select_info, _, _}, Rest}}) -> Rest;
rest({error, {_, Rest}}) when is_binary(Rest) -> Rest;
rest(_) -> <<"rest">>.

-spec ref(term()) -> term().
ref(Ref) when is_reference(Ref) -> Ref;
ref(_) -> make_ref().

%% Processes that call.
-spec processes(pos_integer()) -> [pid()].
processes(Count) -> [spawn(fun loop/0) || _ <- lists:seq(1, Count)].

loop() ->
    receive
        {perform, From, N, Fun} ->
            From ! {answer, self(), N, xs:attempt(Fun)},
            loop()
    end.

%% The answer of a call in a process, or `waits`.
-spec in(pid(), fun(() -> term())) -> term().
in(Process, Fun) -> in(Process, Fun, 500).

in(Process, Fun, Timeout) ->
    Process ! {perform, self(), 0, Fun},
    receive
        {answer, Process, 0, Answer} -> Answer
    after Timeout -> waits
    end.

%% All messages that a process has.
-spec flush() -> [term()].
flush() ->
    receive
        Message -> [Message | flush()]
    after 0 -> []
    end.

%% --- running ---------------------------------------------------------------

-record(run, {
    module :: module(),
    names :: #{atom() => term()},
    processes :: [pid()],
    quiet :: pos_integer(),
    results = #{} :: #{pos_integer() => term()},
    %% Those that have not got an answer yet, with the number of the step.
    busy = #{} :: #{pid() => pos_integer()}
}).

-spec run(module(), scene(), [step()], pos_integer()) -> term().
run(Module, Scene, Steps, Quiet) ->
    [First | _] = Processes = processes(?PROCESSES),
    Names = in(First, fun() -> scene(Module, Scene, Processes) end, 3 * ?LONG),
    Handles = maps:from_list([{Handle, make_ref()} || Handle <- handles()]),
    Pids = maps:from_list([{list_to_atom("P" ++ integer_to_list(N)), Pid} || {N, Pid} <- numbered(Processes)]),
    Run = #run{module = Module, names = maps:merge(maps:merge(Names, Handles), Pids), processes = Processes, quiet = Quiet},
    {Seen, _} = lists:mapfoldl(fun step/2, Run, Steps),
    [exit(Process, kill) || Process <- Processes],
    [file:delete(Path) || #{path := Path} <- maps:values(Names)],
    inetpy_xc:normalise(comparable(Seen, named(Names))).

numbered(List) -> lists:zip(lists:seq(1, length(List)), List).

%% What is seen after a step: the answers that there are now, and the mailboxes.
step({N, P, Call} = Step, #run{busy = Busy, processes = Processes} = Run) ->
    Process = lists:nth(P, Processes),
    case is_map_key(Process, Busy) orelse not is_process_alive(Process) of
        true ->
            {{Step, skipped}, Run};
        false ->
            Started = start(N, Process, Call, Run),
            {Answers, After} = settled(kind(Call), Started, patience(Call, Run), mailboxes(Run)),
            {{Step, lists:sort(Answers), mailboxes(After)}, After}
    end.

start(_, Process, exit, Run) ->
    Ref = monitor(process, Process),
    exit(Process, kill),
    receive {'DOWN', Ref, process, Process, _} -> Run end;
start(N, Process, Call, #run{busy = Busy} = Run) ->
    Process ! {perform, self(), N, performed(Call, Run)},
    Run#run{busy = Busy#{Process => N}}.

performed(flush, _) ->
    fun flush/0;
performed({Function, Arguments}, #run{module = Module} = Run) ->
    Values = value(Arguments, Run),
    fun() -> apply(Module, Function, Values) end.

%% Whether a call only looks, or answers soon, with or without success.
kind({Function, _}) when Function =:= info; Function =:= sockname; Function =:= peername; Function =:= getopt -> looks;
kind({_, [_, _, _ | _] = Arguments}) ->
    case lists:last(Arguments) of
        Short when Short =:= 0; Short =:= 10; Short =:= nowait -> answers;
        _ -> waits
    end;
kind(_) ->
    waits.

%% Large data takes its time.
patience({_, Arguments}, #run{quiet = Quiet}) ->
    case string:find(io_lib:format("~p", [Arguments]), "00000)") of
        nomatch -> Quiet;
        _ -> 4 * Quiet
    end;
patience(_, #run{quiet = Quiet}) ->
    Quiet.

%% The answers until nothing has changed for a while.
settled(looks, Run, _, _) ->
    answers(?LONG, Run);
settled(answers, Run, Quiet, Before) ->
    {Answers, After} = answers(?LONG, Run),
    {Others, Last} = settled(waits, After, Quiet, Before),
    {Answers ++ Others, Last};
settled(waits, Run, Quiet, Before) ->
    {Answers, After} = answers(Quiet, Run),
    case {Answers, mailboxes(After)} of
        {[], Before} ->
            {[], After};
        {_, Changed} ->
            {More, Last} = settled(waits, After, After#run.quiet, Changed),
            {Answers ++ More, Last}
    end.

answers(Timeout, #run{results = Results, busy = Busy} = Run) ->
    receive
        {answer, Process, N, Answer} ->
            {[{answer, N, Answer}], Run#run{results = Results#{N => Answer}, busy = maps:remove(Process, Busy)}}
    after Timeout -> {[], Run}
    end.

mailboxes(#run{processes = Processes}) ->
    [
        {N, Messages}
     || {N, Process} <- numbered(Processes), {messages, [_ | _] = Messages} <- [process_info(Process, messages)]
    ].

%% An argument with the values of its expressions.
value(Atom, Run) when is_atom(Atom) ->
    case atom_to_list(Atom) of
        "$" ++ Text -> evaluated(Text, Run);
        _ -> Atom
    end;
value(Tuple, Run) when is_tuple(Tuple) -> list_to_tuple(value(tuple_to_list(Tuple), Run));
value([Head | Tail], Run) -> [value(Head, Run) | value(Tail, Run)];
value(Map, Run) when is_map(Map) -> maps:map(fun(_, Value) -> value(Value, Run) end, Map);
value(Other, _) -> Other.

evaluated(Text, #run{names = Names, results = Results}) ->
    case string:lexemes(Text, ":()") of
        [Name] -> maps:get(list_to_atom(Name), Names);
        [Module, Function, [$R | N]] -> apply(list_to_atom(Module), list_to_atom(Function), [maps:get(list_to_integer(N), Results, none)]);
        [Module, Function, N] -> apply(list_to_atom(Module), list_to_atom(Function), [list_to_integer(N)])
    end.

%% --- comparing -------------------------------------------------------------

named(Names) -> maps:from_list([{Value, Name} || {Name, Value} <- maps:to_list(Names), is_map(Value)]).

%% A term without what differs each time: ports, paths, how much of a large binary is left.
comparable(inetpy_stock_socket, _) -> socket;  % how OTP's module is called where `socket` is ours: its monitors say it
comparable(Address, Known) when is_map_key(Address, Known) -> map_get(Address, Known);
comparable(#{port := Port} = Address, _) when Port > 0 -> Address#{port := some};
comparable(#{type := credentials} = Message, _) -> Message#{data := some};
comparable(#{counters := Counters} = Info, Known) ->
    Small = maps:map(fun(_, Count) when Count > ?LARGE -> large; (_, Count) -> Count end, Counters),
    maps:map(fun(_, Value) -> comparable(Value, Known) end, Info#{counters := Small});
comparable(Map, Known) when is_map(Map) -> maps:map(fun(_, Value) -> comparable(Value, Known) end, Map);
comparable(Binary, _) when byte_size(Binary) > ?LARGE -> {large, binary:part(Binary, byte_size(Binary), -8)};
comparable(Tuple, Known) when is_tuple(Tuple) -> list_to_tuple(comparable(tuple_to_list(Tuple), Known));
comparable([Head | Tail], Known) -> [comparable(Head, Known) | comparable(Tail, Known)];
comparable(Other, _) -> Other.

%% --- printing --------------------------------------------------------------

%% The sequence for the shell of a node with these modules: M is `socket` or `inetpy_socket`.
-spec text(scene(), [step()]) -> iolist().
text(Scene, Steps) ->
    Names = lists:usort(lists:append([names(Call) || {_, _, Call} <- Steps])),
    Taken = [[atom_to_list(Name), " := ", atom_to_list(Name)] || Name <- Names, is_of_scene(atom_to_list(Name))],
    Handles = [[atom_to_list(Name), " = make_ref(),\n"] || Name <- handles(), lists:member(Name, Names)],
    [
        "[P1, P2, P3] = inetpy_xs_steps:processes(3),\n",
        io_lib:format("#{~ts} = inetpy_xs_steps:in(P1, fun() -> inetpy_xs_steps:scene(M, ~p, [P1, P2, P3]) end),~n", [
            lists:join(", ", [["'", N, "' := ", V] || [N, _, V] <- Taken]), Scene
        ]),
        Handles,
        lists:join(",\n", [line(Step) || Step <- Steps]),
        "."
    ].

%% Handles of a process's own, two for each.
handles() -> [list_to_atom(lists:concat(["H", P, N])) || P <- lists:seq(1, ?PROCESSES), N <- [a, b]].

is_of_scene([$H | _]) -> false;
is_of_scene([$P, _]) -> false;
is_of_scene(Name) -> not lists:member($:, Name).

names(Atom) when is_atom(Atom) ->
    case atom_to_list(Atom) of
        "$" ++ Name -> [list_to_atom(Name)];
        _ -> []
    end;
names(Tuple) when is_tuple(Tuple) -> names(tuple_to_list(Tuple));
names(Map) when is_map(Map) -> names(maps:values(Map));
names([Head | Tail]) -> names(Head) ++ names(Tail);
names(_) -> [].

line({N, P, Call}) -> io_lib:format("R~b = ~ts", [N, call(P, Call)]).

call(P, exit) -> io_lib:format("exit(P~b, kill)", [P]);
call(P, flush) -> io_lib:format("inetpy_xs_steps:in(P~b, fun inetpy_xs_steps:flush/0)", [P]);
call(P, {Function, Arguments}) ->
    Texts = [re:replace(io_lib:format("~0tp", [A]), "'\\$([^']*)'", "\\1", [global]) || A <- Arguments],
    io_lib:format("inetpy_xs_steps:in(P~b, fun() -> M:~ts(~ts) end)", [P, Function, lists:join(", ", Texts)]).
