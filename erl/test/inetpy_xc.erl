%% The conformance harness: runs scenarios on backends and compares.
%%
%% Each scenario runs in a process of its own. Its observation is what its fun
%% returned, or how it failed, and the messages that are left in its mailbox. Names
%% that differ by nature (sockets, processes, references, stack traces) are made
%% equal first; everything else must be equal.
-module(inetpy_xc).

-export([main/1, run/2, groups/0, scenarios/1, backends/1, started/1, normalise/1]).

-type scenario() :: {Name :: atom(), Statement :: string(), fun((xc:backend()) -> term())}.
-type observation() :: {Result :: term(), Mailbox :: [term()]} | {skipped, Why :: string()}.
-type row() :: #{
    group := atom(), name := atom(), statement := string(),
    observations := [{atom(), observation()}], equal := boolean()
}.
-export_type([scenario/0, row/0]).

-define(SCENARIO_TIMEOUT, 60000).
-define(QUIET, 40).
-define(PARALLEL, 6).

%% The backends by their names. All but the first of a run are compared with it, so that is
%% `inet`. `node` is the node on which inetpy is installed: then calls that name no backend
%% go through Python, and those of the stock driver say so.
-spec backends([atom()]) -> [xc:backend()].
backends(Names) ->
    Installed = lists:member(node, Names),
    [backend(Name, Installed) || Name <- Names].

backend(inet, true) ->
    backend(inet, {inet_backend, inet});
backend(inet, false) ->
    #{name => inet, options => fun same/1, udp => fun same/1, inet => inet};
backend(inet, Option) ->
    First = fun(Options) -> [Option | Options] end,
    #{name => inet, options => First, udp => First, inet => inet};
backend(socket, false) ->
    First = fun(Options) -> [{inet_backend, socket} | Options] end,
    #{name => socket, options => First, udp => First, inet => inet, patience => 5000};
backend(inetpy, _) ->
    #{name => inetpy, options => fun inetpy:tcp_options/1, udp => fun inetpy:udp_options/1, inet => inetpy_inet};
backend(node, _) ->
    #{name => node, options => fun same/1, udp => fun same/1, inet => inetpy_inet}.

same(Options) -> Options.

%% Those of a text like "inet,inetpy", with inetpy started or installed as they need it.
-spec started(string()) -> [xc:backend()].
started(Text) ->
    Names = [list_to_atom(Name) || Name <- string:lexemes(Text, ",")],
    ok =
        case lists:member(node, Names) of
            true -> inetpy:install();
            false -> inetpy:start()
        end,
    backends(Names).

-spec groups() -> [module()].
groups() ->
    [
        xc_connect, xc_families, xc_listen, xc_accept, xc_recv, xc_bulk, xc_packet, xc_active, xc_send,
        xc_close, xc_sendfile, xc_owner, xc_options, xc_inet, xc_local, xc_udp, xc_udpopts, xc_local_udp, xc_multicast, xc_functions, xc_sockopts, xc_types, xc_terms
    ].

-spec scenarios(module()) -> [scenario()].
scenarios(Group) -> Group:scenarios().

%% From the shell: erl -run inetpy_xc main FILE BACKEND,BACKEND... [GROUP...]. Writes the rows,
%% one a line, as {Group, Name, Statement, Equal, [{Backend, Text}]} terms in JSON.
-spec main([string()]) -> no_return().
main([File, BackendNames | Names]) ->
    Backends = started(BackendNames),
    Groups =
        case Names of
            [] -> groups();
            _ -> [list_to_atom(Name) || Name <- Names]
        end,
    {ok, Out} = file:open(File, [write, raw, binary, delayed_write]),
    lists:foreach(
        fun(Group) ->
            Rows = run(Group, Backends),
            [ok = file:write(Out, [to_json(Row), $\n]) || Row <- Rows],
            Different = length([Row || #{equal := false} = Row <- Rows]),
            io:format("group ~s ~b ~b~n", [Group, length(Rows), Different])
        end,
        Groups
    ),
    ok = file:close(Out),
    halt(0).

%% The rows of a group, in its order.
-spec run(module(), [xc:backend()]) -> [row()].
run(Group, Backends) ->
    Scenarios = scenarios(Group),
    Jobs = [{Scenario, Backend} || Scenario <- Scenarios, Backend <- Backends],
    Observations = parallel(fun({{_, _, Fun}, Backend}) -> observe(Fun, Backend) end, Jobs),
    rows(Group, Scenarios, [Name || #{name := Name} <- Backends], Observations).

rows(_, [], _, []) ->
    [];
rows(Group, [{Name, Statement, _} | Scenarios], Backends, Observations) ->
    {Mine, Rest} = lists:split(length(Backends), Observations),
    Row = #{
        group => Group,
        name => Name,
        statement => Statement,
        observations => lists:zip(Backends, Mine),
        equal => length(lists:usort(Mine)) =:= 1
    },
    [Row | rows(Group, Scenarios, Backends, Rest)].

%% The results of Fun over the list, a few at a time.
parallel(Fun, Jobs) ->
    Parent = self(),
    Numbered = lists:zip(lists:seq(1, length(Jobs)), Jobs),
    {Now, Later} = lists:split(min(?PARALLEL, length(Numbered)), Numbered),
    Start = fun({N, Job}) -> spawn_link(fun() -> Parent ! {observed, N, Fun(Job)} end) end,
    lists:foreach(Start, Now),
    [Result || {_, Result} <- lists:sort(collect(Start, Later, length(Jobs)))].

collect(_, _, 0) ->
    [];
collect(Start, Later, Left) ->
    receive
        {observed, N, Result} ->
            Rest =
                case Later of
                    [] -> [];
                    [Job | Jobs] -> Start(Job), Jobs
                end,
            [{N, Result} | collect(Start, Rest, Left - 1)]
    end.

-spec observe(fun((xc:backend()) -> term()), xc:backend()) -> observation().
observe(Fun, Backend) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({observed, observed(Fun, Backend)}) end),
    receive
        {'DOWN', Ref, process, Pid, {observed, Observation}} -> Observation;
        {'DOWN', Ref, process, Pid, Reason} -> {{died, normalise(Reason)}, []}
    after maps:get(patience, Backend, ?SCENARIO_TIMEOUT) ->
        exit(Pid, kill),
        {timeout, []}
    end.

observed(Fun, Backend) ->
    Result =
        try
            {returned, Fun(Backend)}
        catch
            exit:{skip, Why} -> {skipped, Why};
            Class:Reason -> {Class, Reason}
        end,
    case Result of
        {skipped, _} -> Result;
        _ -> normalise({Result, leftovers()})
    end.

leftovers() ->
    receive
        Message -> [Message | leftovers()]
    after ?QUIET -> []
    end.

%% Sockets, processes and references become numbers in the order of their
%% appearance; a stack trace is dropped.
-spec normalise(term()) -> term().
normalise(Term) ->
    {Result, _} = normalise(Term, #{}),
    Result.

normalise({'$inet', Module, _} = Socket, Names) when is_atom(Module) -> name(socket, Socket, Names);
normalise(Port, Names) when is_port(Port) -> name(socket, Port, Names);
normalise(Pid, Names) when is_pid(Pid) -> name(process, Pid, Names);
normalise(Ref, Names) when is_reference(Ref) -> name(reference, Ref, Names);
normalise({Reason, [{M, F, A, L} | _]}, Names) when
    is_atom(M), is_atom(F), is_integer(A) orelse is_list(A), is_list(L)
->
    normalise(Reason, Names);
normalise(Tuple, Names) when is_tuple(Tuple) ->
    {List, After} = normalise(tuple_to_list(Tuple), Names),
    {list_to_tuple(List), After};
normalise([Head | Tail], Names) ->
    {NewHead, Between} = normalise(Head, Names),
    {NewTail, After} = normalise(Tail, Between),
    {[NewHead | NewTail], After};
normalise(Map, Names) when is_map(Map) ->
    {List, After} = normalise(lists:sort(maps:to_list(Map)), Names),
    {maps:from_list(List), After};
normalise(Other, Names) ->
    {Other, Names}.

name(Kind, Term, Names) ->
    case Names of
        #{Term := Name} ->
            {Name, Names};
        #{} ->
            Name = {Kind, length([ok || {K, _} <- maps:values(Names), K =:= Kind]) + 1},
            {Name, Names#{Term => Name}}
    end.

%% --- JSON ------------------------------------------------------------------

to_json(#{group := Group, name := Name, statement := Statement, equal := Equal} = Row) ->
    Observations = maps:get(observations, Row),
    Texts = [
        [json_string(atom_to_list(Backend)), $:, json_string(io_lib:format("~tp", [Observation]))]
     || {Backend, Observation} <- Observations
    ],
    [
        "{\"group\":", json_string(atom_to_list(Group)),
        ",\"name\":", json_string(atom_to_list(Name)),
        ",\"statement\":", json_string(Statement),
        ",\"equal\":", atom_to_list(Equal),
        ",\"skipped\":{", lists:join($,, skipped(Observations)), "}",
        ",\"observations\":{", lists:join($,, Texts), "}}"
    ].

skipped(Observations) ->
    [[json_string(atom_to_list(Backend)), $:, json_string(Why)] || {Backend, {skipped, Why}} <- Observations].

json_string(Text) ->
    [$", [json_char(C) || C <- unicode:characters_to_list(Text)], $"].

json_char($") -> "\\\"";
json_char($\\) -> "\\\\";
json_char(C) when C >= 32, C < 127 -> C;
json_char(C) when C > 16#FFFF -> "\\ufffd";
json_char(C) -> io_lib:format("\\u~4.16.0b", [C]).
