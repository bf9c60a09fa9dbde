%% The conformance harness: runs scenarios on backends and compares.
%%
%% Each scenario runs in a process of its own. The observation is the result of its fun, or how the fun failed, and the
%% messages that are left in the mailbox. Sockets, processes, references and stack traces always differ. They
%% are replaced by numbers first. Everything else must be equal.
%%
%% The failure of a call of the backend is an observation. A failure of the scenario itself is a fault: for example
%% a module that does not exist, or a match in the scenario's own code that fails on the reference. It would be
%% the same on all backends, and prove nothing. See fault/2.
-module(inetpy_xc).

-export([main/1, main_or_cannot/1, run/2, observe/3, groups/0, groups/1, scenarios/1, every_scenario/1, backends/1, started/1, normalise/1]).

-type scenario() :: {Name :: atom(), Statement :: string(), fun((xc:backend()) -> term())}.
-type observation() :: {Result :: term(), Mailbox :: [term()]} | {skipped, Why :: string()}.
-type row() :: #{
    group := atom(), name := atom(), statement := string(),
    observations := [{atom(), observation()}], equal := boolean(),
    unsteady := [{atom(), observation()}],  % those of a first run that differed, when the second was equal
    fault := none | string()
}.
-export_type([scenario/0, row/0]).

-define(SCENARIO_TIMEOUT, 60000).
-define(QUIET, 40).
-define(PARALLEL, 6).
%% Scenarios of a group: where more of them differ, chance has no part in it.
-define(MOST_AGAIN, 10).

%% The backends by their names. The backends of a run are compared with its first, which is `inet`. `node` is
%% a node on which inetpy is installed. `node_by_address` is the same without `inet`, `inet6` and `local` among the
%% options, on both sides: then the address decides on the family. `memory` is such a node, too: its Python has been
%% told by INETPY_HOST=memory to keep all sockets in memory. `serve` is one that INETPY_BRIDGE has led to a Python that
%% runs already. `on_socket` is OTP's backend `socket` of gen_tcp and gen_udp on a node whose module `socket` is ours.
-spec backends([atom()]) -> [xc:backend()].
backends(Names) ->
    Options =
        case lists:member(node_by_address, Names) of
            true -> {fun without_family/1, fun without_told_family/1};
            false -> {fun same/1, fun same/1}
        end,
    %% On OTP's gen_tcp_socket many scenarios of inet do not end, on both backends.
    Patience = case lists:member(on_socket, Names) of true -> #{patience => 2000}; false -> #{} end,
    [maps:merge(backend(Name, Options), Patience) || Name <- Names].

backend(inet, {Tcp, Udp}) ->
    #{name => inet, options => Tcp, udp => Udp, inet => inet};
backend(socket, _) ->
    First = fun(Options) -> [{inet_backend, socket} | Options] end,
    #{name => socket, options => First, udp => First, inet => inet, api => socket, patience => 5000};
backend(inetpy, _) ->
    #{name => inetpy, options => fun inetpy:tcp_options/1, udp => fun inetpy:udp_options/1, inet => inetpy_inet,
      api => inetpy_socket};
backend(Node, {Tcp, Udp}) when
    Node =:= node; Node =:= node_by_address; Node =:= memory; Node =:= serve
->
    #{name => Node, options => Tcp, udp => Udp, inet => inetpy_inet, api => socket, installed => #{}};
backend(on_socket, _) ->
    (backend(socket, none))#{name := on_socket, installed => #{inet => false, socket => true}}.

same(Options) -> Options.

%% The address of connect is not among the options, so all families are left out. Options that exist only for
%% IPv6 need the family when there is no address.
without_family(Options) when is_list(Options), length(Options) >= 0 ->
    case lists:keymember(ipv6_v6only, 1, Options) of
        true -> Options;
        false -> without([inet, inet6, local], Options)
    end;
without_family(Options) ->
    Options.

%% For datagram sockets `inet` is left out, and a family that the address to bind to has. Others are needed, because
%% there is no other address.
without_told_family(Options) when is_list(Options), length(Options) >= 0 ->
    without([inet | [family(IP) || {Name, IP} <- Options, Name =:= ip orelse Name =:= ifaddr]], Options);
without_told_family(Options) ->
    Options.

without(Families, Options) when is_list(Options), length(Options) >= 0 ->
    [Option || Option <- Options, not lists:member(Option, Families)];
without(_, Options) ->
    Options.

family({local, _}) -> local;
family({_, _, _, _, _, _, _, _}) -> inet6;
family(#{family := inet6}) -> inet6;
family(_) -> inet.

%% The backends of a text like "inet,inetpy". When inetpy is installed for one of them, `inet` must ask for
%% the stock driver, with its family, and so must its peers. The stock module `socket` has another name then.
-spec started(string()) -> [xc:backend()].
started(Text) ->
    Backends = [#{name := Reference} | _] = backends(names(Text)),
    case needs_install(Backends) of
        true ->
            ok = inetpy:install(#{socket => Reference =:= socket}),
            [stock(Backend) || Backend <- Backends];
        false -> ok = inetpy:start(), Backends
    end.

stock(#{name := inet} = Backend) ->
    First = fun(Options) -> [{inet_backend, inet}, inet | Options] end,
    Backend#{options := First, udp := First, peer => First};
stock(#{name := socket} = Backend) ->
    Backend#{api := inetpy_stock_socket};
stock(Backend) ->
    Backend.

names(Text) -> [list_to_atom(Name) || Name <- string:lexemes(Text, ",")].

needs_install(Backends) -> [here || #{installed := _} <- Backends] =/= [].

%% The groups of scenarios for an API: `inet`, with gen_tcp and gen_udp, or `socket`.
-spec groups(inet | socket) -> [module()].
groups(inet) ->
    groups();
groups(socket) ->
    [xs_open, xs_close, xs_stream, xs_waiting, xs_turns, xs_ahead, xs_early, xs_closes, xs_address, xs_dgram, xs_message,
        xs_options, xs_functions, xs_families, xs_term, xs_states, xs_control, xs_async, xs_bad].

-spec groups() -> [module()].
groups() ->
    [
        xc_connect, xc_address, xc_families, xc_listen, xc_accept, xc_recv, xc_bulk, xc_packet, xc_active, xc_send, xc_early,
        xc_close, xc_sendfile, xc_owner, xc_options, xc_inet, xc_local, xc_udp, xc_udpopts, xc_local_udp,
        xc_multicast, xc_functions, xc_sockopts, xc_types, xc_terms, xc_hostile
    ].

-spec scenarios(module()) -> [scenario()].
scenarios(Group) ->
    Scenarios =
        try
            Group:scenarios()
        catch
            Class:Reason:Stack -> cannot("~p:scenarios/0 fails:~n~ts", [Group, erl_error:format_exception(Class, Reason, Stack)])
        end,
    _ = is_list(Scenarios) orelse cannot("~p:scenarios/0 gives no list: ~tP", [Group, Scenarios, 20]),
    [is_scenario(S) orelse cannot("~p:scenarios/0 gives what is no {Name, Statement, Fun}: ~tP", [Group, S, 20]) || S <- Scenarios],
    Scenarios.

%% The scenarios of a group that run on all editions of OTP, or only on newer ones.
-spec every_scenario(module()) -> [scenario()].
every_scenario(Group) ->
    case erlang:function_exported(Group, every_scenario, 0) of
        true -> Group:every_scenario();
        false -> scenarios(Group)
    end.

is_scenario({Name, Statement, Fun}) ->
    is_atom(Name) andalso io_lib:char_list(Statement) andalso is_function(Fun, 1);
is_scenario(_) ->
    false.

-spec cannot(string(), [term()]) -> no_return().
cannot(Format, Terms) -> throw({cannot, io_lib:format(Format, Terms)}).

%% From the shell: erl -run inetpy_xc main FILE BACKEND,BACKEND... [GROUP...]. Writes one row a line, as JSON of
%% {Group, Name, Statement, Equal, [{Backend, Text}]}. Halts with 2 when that fails.
-spec main([string()]) -> no_return().
main(Arguments) ->
    main_or_cannot(fun() -> observed(Arguments) end).

%% When Main fails, prints why and halts with 2.
-spec main_or_cannot(fun(() -> no_return())) -> no_return().
main_or_cannot(Main) ->
    try
        Main()
    catch
        throw:{cannot, Why} ->
            io:format("~ts~n", [Why]),
            halt(2);
        Class:Reason:Stack ->
            io:format("~ts~n", [erl_error:format_exception(Class, Reason, Stack)]),
            halt(2)
    end.

observed([File, BackendNames | Names]) ->
    ok = inetpy:start(),
    Backends = backends(names(BackendNames)),
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

%% The rows of a group, in its order. A scenario that differs is run again, with the others that do. When it is
%% equal then, chance had a part in it, on the stock driver perhaps: the row says so.
-spec run(module(), [xc:backend()]) -> [row()].
run(Group, Backends) ->
    Scenarios = scenarios(Group),
    Rows = look(Group, Scenarios, Backends),
    case [Scenario || {Scenario, #{equal := false}} <- lists:zip(Scenarios, Rows)] of
        [_ | _] = Different when length(Different) =< ?MOST_AGAIN ->
            Again = maps:from_list([{Name, Row} || #{name := Name} = Row <- look(Group, Different, Backends)]),
            [second(Row, Again) || Row <- Rows];
        _ ->
            Rows
    end.

second(#{name := Name, observations := First} = Row, Again) ->
    case Again of
        #{Name := #{equal := true} = Second} -> Second#{unsteady := First};
        #{} -> Row
    end.

%% The backends that need inetpy to be installed run last.
look(Group, Scenarios, Backends) ->
    {Installed, Plain} = lists:partition(fun(Backend) -> needs_install([Backend]) end, Backends),
    ok = inetpy:uninstall(),
    Before = observe_all(Group, Scenarios, Plain),
    %% Stock sockets of scenarios that have ended are closed a moment later.
    Socket = #{socket => lists:member(Group, groups(socket))},
    _ = [true = xc:until(fun() -> inetpy:install(maps:merge(Socket, Options)) =:= ok end) || #{installed := Options} <- Installed],
    Observations = lists:zipwith(fun erlang:'++'/2, Before, observe_all(Group, Scenarios, Installed)),
    rows(Group, Scenarios, [Name || #{name := Name} <- Plain ++ Installed], Observations).

%% The observations of each scenario on the backends.
observe_all(Group, Scenarios, Backends) ->
    Jobs = [{Scenario, Backend} || Scenario <- Scenarios, Backend <- Backends],
    split(length(Backends), parallel(fun({{_, _, Fun}, Backend}) -> observe(Group, Fun, Backend) end, Jobs), Scenarios).

split(_, _, []) ->
    [];
split(Size, Observations, [_ | Scenarios]) ->
    {Mine, Rest} = lists:split(Size, Observations),
    [Mine | split(Size, Rest, Scenarios)].

rows(Group, Scenarios, Backends, Observations) ->
    [row(Group, Name, Statement, Backends, Seen) || {{Name, Statement, _}, Seen} <- lists:zip(Scenarios, Observations)].

%% The scenarios are written for `inet`. What fails in one on the two backends with `on_socket` is an observation, too.
row(Group, Name, Statement, Backends, Seen) ->
    {Mine, [OfReference | _]} = lists:unzip(Seen),
    Fault = case lists:member(on_socket, Backends) of true -> none; false -> OfReference end,
    #{
        group => Group,
        name => Name,
        statement => Statement,
        observations => lists:zip(Backends, Mine),
        unsteady => [],
        equal => Fault =:= none andalso length(lists:usort(Mine)) =:= 1,
        fault => Fault
    }.

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

%% The observation, and a fault of the scenario itself.
-spec observe(module(), fun((xc:backend()) -> term()), xc:backend()) -> {observation(), none | string()}.
observe(Group, Fun, Backend) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({observed, observed(Group, Fun, Backend)}) end),
    Patience = patience(lists:member(Group, groups(socket)), Backend),
    receive
        {'DOWN', Ref, process, Pid, {observed, Observation}} -> Observation;
        {'DOWN', Ref, process, Pid, Reason} -> {{{died, normalise(Reason)}, []}, fault(Group, Reason)}
    after Patience ->
        exit(Pid, kill),
        {{timeout, []}, text("it has not ended after ~b seconds", [Patience div 1000])}
    end.

%% `socket` may be the reference, which has time.
patience(false, #{patience := Patience}) -> Patience;
patience(_, _) -> ?SCENARIO_TIMEOUT.

observed(Group, Fun, Backend) ->
    Result =
        try
            {returned, Fun(Backend)}
        catch
            exit:{skip, Why} -> {skipped, Why};
            Class:Reason:Stack -> {Class, {Reason, Stack}}
        end,
    case Result of
        {skipped, _} ->
            {Result, none};
        _ ->
            Seen = {Result, leftovers()},
            {normalise(Seen), fault(Group, Seen)}
    end.

%% The first failure in a term, with its stack trace, that is the scenario's own: a function that does not exist,
%% or code in the scenario's module or in `xc`, also when it failed in a function of the language. Failures from
%% xc:attempt/1 have no stack trace: the scenario expects them.
-spec fault(module(), term()) -> none | string().
fault(Group, {Reason, [{M, F, A, L} | _] = Stack}) when
    is_atom(M), is_atom(F), is_integer(A) orelse is_list(A), is_list(L)
->
    case {Reason, lists:dropwhile(fun is_of_the_language/1, Stack)} of
        {undef, _} -> text("there is no function ~ts", [function(M, F, A)]);
        {_, [{Own, Name, Arity, _} | _]} when Own =:= Group; Own =:= xc; Own =:= xf; Own =:= xs ->
            text("~ts fails with ~tP", [function(Own, Name, Arity), Reason, 20]);
        _ -> none
    end;
fault(Group, Tuple) when is_tuple(Tuple) -> fault(Group, tuple_to_list(Tuple));
fault(Group, Map) when is_map(Map) -> fault(Group, maps:to_list(Map));
fault(Group, [Head | Tail]) ->
    case fault(Group, Head) of
        none -> fault(Group, Tail);
        Fault -> Fault
    end;
fault(_, _) ->
    none.

is_of_the_language({Module, _, _, _}) ->
    case code:which(Module) of
        preloaded -> Module =:= erlang;
        File when is_list(File) -> string:find(File, "/stdlib-") =/= nomatch;
        _ -> false
    end.

function(M, F, A) when is_list(A) -> function(M, F, length(A));
function(M, F, A) -> io_lib:format("~tp:~tp/~b", [M, F, A]).

text(Format, Terms) -> unicode:characters_to_list(io_lib:format(Format, Terms)).

leftovers() ->
    receive
        Message -> [Message | leftovers()]
    after ?QUIET -> []
    end.

%% Replaces sockets, processes and references by numbers, in the order of their appearance, and drops stack traces.
-spec normalise(term()) -> term().
normalise(Term) ->
    {Result, _} = normalise(Term, #{}),
    Result.

normalise({'$inet', Module, _} = Socket, Names) when is_atom(Module) -> name(socket, Socket, Names);
normalise({'$socket', Ref} = Socket, Names) when is_reference(Ref) -> name(socket, Socket, Names);
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
    [
        "{\"group\":", json_string(atom_to_list(Group)),
        ",\"name\":", json_string(atom_to_list(Name)),
        ",\"statement\":", json_string(Statement),
        ",\"equal\":", atom_to_list(Equal),
        ",\"fault\":", json_fault(maps:get(fault, Row)),
        ",\"skipped\":{", lists:join($,, skipped(Observations)), "}",
        ",\"unsteady\":{", lists:join($,, texts(maps:get(unsteady, Row))), "}",
        ",\"observations\":{", lists:join($,, texts(Observations)), "}}"
    ].

texts(Observations) ->
    [
        [json_string(atom_to_list(Backend)), $:, json_string(io_lib:format("~tp", [Observation]))]
     || {Backend, Observation} <- Observations
    ].

skipped(Observations) ->
    [[json_string(atom_to_list(Backend)), $:, json_string(Why)] || {Backend, {skipped, Why}} <- Observations].

json_fault(none) -> "null";
json_fault(Why) -> json_string(Why).

json_string(Text) ->
    [$", [json_char(C) || C <- unicode:characters_to_list(Text)], $"].

json_char($") -> "\\\"";
json_char($\\) -> "\\\\";
json_char(C) when C >= 32, C < 127 -> C;
json_char(C) when C > 16#FFFF -> "\\ufffd";
json_char(C) -> io_lib:format("\\u~4.16.0b", [C]).
