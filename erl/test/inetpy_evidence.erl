%% The atoms of each scenario and of each case of a suite: those in its code, in the functions that it calls in its
%% own module and in `xc` and `xs`, and in the variables that its fun has captured. With them a test can tell whether the
%% evidence of a statement (erl/test/documented*.toml) deals with the subject of the statement.
-module(inetpy_evidence).

-export([main/1]).

%% From the shell: erl -run inetpy_evidence main inet|socket. Prints [["GROUP.NAME" | "SUITE:CASE", RunsHere, [Atom]]] in
%% JSON. The scenarios are those of all editions of OTP. RunsHere says whether a scenario runs on this edition.
-spec main([string()]) -> no_return().
main([Api]) ->
    Scenarios = [
        {
            io_lib:format("~s.~s", [string:slice(atom_to_list(Group), 3), Name]),
            lists:keymember(Name, 1, inetpy_xc:scenarios(Group)),
            of_fun(Fun)
        }
     || Group <- inetpy_xc:groups(list_to_existing_atom(Api)), {Name, _, Fun} <- inetpy_xc:every_scenario(Group)
    ],
    Cases = [
        {io_lib:format("~s:~s", [Suite, Case]), true, reached([{Suite, Case, 1}])}
     || Suite <- suites(), Case <- Suite:all()
    ],
    io:format("[~ts]~n", [lists:join(",", lists:map(fun line/1, Scenarios ++ Cases))]),
    halt().

suites() ->
    Beams = filelib:wildcard(filename:join(filename:dirname(code:which(?MODULE)), "*_SUITE.beam")),
    [list_to_atom(filename:basename(Beam, ".beam")) || Beam <- Beams].

line({Name, Here, Atoms}) ->
    Texts = [io_lib:format("\"~ts\"", [Text]) || Text <- lists:usort(lists:map(fun atom_to_list/1, Atoms)), is_name(Text)],
    io_lib:format("[\"~ts\",~s,[~ts]]", [Name, Here, lists:join(",", Texts)]).

is_name(Text) -> re:run(Text, "^[a-z0-9_]+$", [{capture, none}]) =:= match.

%% The instructions of all functions of a module.
code_of(Module) ->
    case get({code, Module}) of
        undefined ->
            {beam_file, Module, _, _, _, Functions} = beam_disasm:file(code:which(Module)),
            Code = maps:from_list([{{Module, Name, Arity}, Each} || {function, Name, Arity, _, Each} <- Functions]),
            put({code, Module}, Code),
            Code;
        Code ->
            Code
    end.

of_fun(Fun) ->
    [{module, Module}, {name, Name}, {env, Kept}, {type, Type}] =
        [erlang:fun_info(Fun, Item) || Item <- [module, name, env, type]],
    of_fun(Type, Module, Name, Kept).

of_fun(external, _, Name, _) ->
    [Name];
of_fun(local, Module, Name, Kept) ->
    atoms(Kept) ++ reached([Function || {_, Each, _} = Function <- maps:keys(code_of(Module)), Each =:= Name]).

%% The atoms of functions, and of the functions that they call in their own modules, in `xc` and in `xs`.
reached(Functions) -> reached(Functions, #{}, []).

reached([], _, Atoms) ->
    Atoms;
reached([Function | More], Seen, Atoms) when is_map_key(Function, Seen) ->
    reached(More, Seen, Atoms);
reached([{Module, _, _} = Function | More], Seen, Atoms) ->
    {Called, Found} = read(maps:get(Function, code_of(Module)), Module, {[], []}),
    reached(Called ++ More, Seen#{Function => true}, Found ++ Atoms).

%% The calls and the atoms in a part of an instruction. Names of instructions do not count.
read({atom, Atom}, _, {Called, Atoms}) -> {Called, [Atom | Atoms]};
read({literal, Term}, _, {Called, Atoms}) -> {Called, atoms(Term) ++ Atoms};
read({extfunc, Tools, Name, Arity}, _, {Called, Atoms}) when Tools =:= xc; Tools =:= xs -> {[{Tools, Name, Arity} | Called], Atoms};
read({extfunc, _, Name, _}, _, {Called, Atoms}) -> {Called, [Name | Atoms]};
read({Module, Name, Arity} = Function, Module, {Called, Atoms}) when is_atom(Name), is_integer(Arity) ->
    case is_map_key(Function, code_of(Module)) of
        true -> {[Function | Called], Atoms};
        false -> {Called, Atoms}
    end;
read(Tuple, Module, Read) when is_tuple(Tuple) -> read(tuple_to_list(Tuple), Module, Read);
read([Head | Tail], Module, Read) -> read(Tail, Module, read(Head, Module, Read));
read(_, _, Read) -> Read.

%% The atoms of a term, also of the funs in it.
atoms(Atom) when is_atom(Atom) -> [Atom];
atoms(Fun) when is_function(Fun) -> of_fun(Fun);
atoms(Tuple) when is_tuple(Tuple) -> atoms(tuple_to_list(Tuple));
atoms(Map) when is_map(Map) -> atoms(maps:to_list(Map));
atoms([Head | Tail]) -> atoms(Head) ++ atoms(Tail);
atoms(_) -> [].
