%% EUnit tests on the network of Python:
%%
%%     reset_test_() ->
%%         inetpy_eunit:with_network("net.py", fun() ->
%%             {ok, _} = inetpy_fault:add(#{host => "db.example"}, {reset, #{after_bytes => 5}}),
%%             ?assertMatch({error, _}, my_db:query("db.example"))
%%         end).
%%
%% The node is on Python sockets, and the network of the file is there, while these tests run. Rules that a test adds go
%% at its end. A test that fails shows the seed, the faults that fired, and where its trace is, in its output. A test
%% fails also when a strict network has refused something in it, or when a server in memory has raised an error.
-module(inetpy_eunit).

-export([with_network/2]).

%% Whatever EUnit takes as tests.
-type tests() :: term().

%% In the current folder, as that of rebar3 and Mix.
-define(TRACES, "_build/inetpy").

%% Network is a file, as docs/network.md has them, or a list of `{network, File}`, `{seed, N}` and `{trace, never |
%% on_failure | always}`, as for inetpy_cth. A relative path is looked for in the current folder, in its folder `test`, and
%% beside the module of the tests. Tests are a test or a set of tests, as EUnit takes them: but no file and no application,
%% and tests on other nodes are not changed.
-spec with_network(file:filename_all() | inetpy_tests:options(), tests()) -> tests().
with_network(Network, Tests) ->
    Suite = {?MODULE, make_ref()},
    Each = each(Tests, Suite),
    {setup,
        fun() -> open(options(Network), Suite, folders(Tests)) end,
        fun(Run) -> close(Run, Suite) end,
        fun(_) -> Each end}.

options([{_, _} | _] = Options) -> Options;
options([Char | _] = File) when is_integer(Char) -> [{network, File}];
options(File) when is_binary(File) -> [{network, File}];
options(Options) -> Options.

open(Options, Suite, Folders) ->
    case inetpy_tests:open(Options, self()) of
        {ok, Run} ->
            case inetpy_tests:enter(Run, Suite, Folders) of
                ok -> Run;
                {error, Why} -> ok = inetpy_tests:close(Run), error({inetpy_eunit, Why})
            end;
        {error, Why} ->
            error({inetpy_eunit, Why})
    end.

close(Run, Suite) ->
    ok = abandon(Suite),
    ok = inetpy_tests:leave(Suite),
    inetpy_tests:close(Run).

folders(Tests) ->
    {ok, Current} = file:get_cwd(),
    Sources = [File || Module <- modules(Tests), {source, File} <- proplists:get_value(compile, Module:module_info(), [])],
    lists:uniq([Current, filename:join(Current, "test") | [filename:dirname(File) || File <- Sources]]).

%% Where the functions in a term come from.
modules(Fun) when is_function(Fun) -> [element(2, erlang:fun_info(Fun, module))];
modules([First | Others]) -> modules(First) ++ modules(Others);
modules(Tuple) when is_tuple(Tuple) -> modules(tuple_to_list(Tuple));
modules(_) -> [].

%% --- a test in a set of tests ------------------------------------------------

%% The same tests, each of them with a beginning and an end. The shapes are those of eunit_data.
each(Test, Suite) when is_function(Test, 0) -> test(erlang:fun_info_mfa(Test), Test, Suite);
each({test, Module, Function}, Suite) -> each({Module, Function}, Suite);
each({module, Module}, Suite) -> each(Module, Suite);
each({generator, Fun}, Suite) when is_function(Fun, 0) -> {generator, fun() -> each(Fun(), Suite) end};
each({generator, Fun, Place}, Suite) when is_function(Fun, 0) -> {generator, fun() -> each(Fun(), Suite) end, Place};
each({generator, Module, Function}, Suite) ->
    {generator, fun() -> each(Module:Function(), Suite) end, {Module, Function, 0}};
each({with, Value, Tests}, Suite) ->
    [test(erlang:fun_info_mfa(Test), fun() -> Test(Value) end, Suite) || Test <- Tests];
each({Where, Node, _} = Set, _) when Where =:= spawn orelse Where =:= node, is_atom(Node) -> Set;
each({node, _, _, _} = Set, _) -> Set;
each({Kind, _} = Set, _) when Kind =:= file; Kind =:= dir; Kind =:= application -> error({no_tests_of_with_network, Set});
each({application, _, _} = Set, _) -> error({no_tests_of_with_network, Set});
each({Module, Function}, Suite) when is_atom(Function), Module =/= inorder, Module =/= inparallel, Module =/= spawn ->
    test({Module, Function, 0}, fun Module:Function/0, Suite);
each(Set, Suite) when tuple_size(Set) > 2, (is_list(element(1, Set)) orelse is_binary(element(1, Set))) ->
    [Described | Others] = tuple_to_list(Set),
    {Described, each(list_to_tuple(Others), Suite)};
each(Set, Suite) when tuple_size(Set) > 1 ->
    {Head, [Tests]} = lists:split(tuple_size(Set) - 1, tuple_to_list(Set)),
    list_to_tuple(Head ++ [last(element(1, Set), Tests, Suite)]);
each(Module, Suite) when is_atom(Module) ->
    Names = [{Name, lists:reverse(atom_to_list(Name))} || {Name, 0} <- Module:module_info(exports)],
    {atom_to_list(Module),
        [each({Module, Name}, Suite) || {Name, "tset_" ++ _} <- Names] ++
            [each({generator, Module, Name}, Suite) || {Name, "_tset_" ++ _} <- Names]};
each([_ | _] = List, Suite) ->
    case io_lib:char_list(List) of
        true -> error({no_tests_of_with_network, List});
        false -> [each(Test, Suite) || Test <- List]
    end;
each(Other, _) ->
    Other.

%% The tests in a set are its last element.
last(setup, Tests, Suite) -> instantiated(Tests, Suite);
last(foreach, Tests, Suite) -> [instantiated(Test, Suite) || Test <- Tests];
last(foreachx, Pairs, Suite) -> [{X, fun(A, B) -> each(Fun(A, B), Suite) end} || {X, Fun} <- Pairs];
last(_, Tests, Suite) -> each(Tests, Suite).

instantiated(Fun, Suite) when is_function(Fun, 1) -> fun(Value) -> each(Fun(Value), Suite) end;
instantiated({with, Tests}, Suite) -> fun(Value) -> each({with, Value, Tests}, Suite) end;
instantiated(Tests, Suite) -> each(Tests, Suite).

%% EUnit shows the place as that of the test.
test(Place, Test, Suite) -> {Place, fun() -> run(Place, Test, Suite) end}.

run(Place, Test, Suite) ->
    ok = abandon(Suite),
    Name = {Suite, make_ref()},
    ok = inetpy_tests:begin_test(Name, trace(Place)),
    try Test() of
        Value -> passed(inetpy_tests:end_test(Name, passed)), Value
    catch
        Class:Reason:Stack ->
            io:format("~ts~n", [inetpy_tests:text(inetpy_tests:end_test(Name, failed))]),
            erlang:raise(Class, Reason, Stack)
    end.

passed(#{failures := [_ | _] = Failures} = Report) ->
    io:format("~ts~n", [inetpy_tests:text(Report)]),
    error({network, [unicode:characters_to_list(Failure) || Failure <- Failures]});
passed(_) ->
    ok.

%% EUnit kills a test that takes too long, so nothing of it can be shown as its output.
abandon(Suite) ->
    Reports = inetpy_tests:abandon(fun(Name) -> is_tuple(Name) andalso element(1, Name) =:= Suite end),
    _ = [io:format(user, "~nof the test before, which was killed:~n~ts~n", [inetpy_tests:text(Report)]) || Report <- Reports],
    ok.

trace({Module, Function, _}) ->
    Name = [if Char =:= $/ -> $-; true -> Char end || Char <- string:trim(atom_to_list(Function), both, "-")],
    filename:absname(filename:join(?TRACES, atom_to_list(Module) ++ "-" ++ Name)).
