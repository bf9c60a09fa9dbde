%% Calls of functions that do not exist, and functions that nobody calls.
main([Ebin]) ->
    {ok, _} = xref:start(s),
    ok = xref:set_default(s, [{warnings, false}]),
    ok = xref:set_library_path(s, code:get_path() -- [Ebin]),
    {ok, _} = xref:add_directory(s, Ebin),
    Found = [{Kind, Calls} || Kind <- [undefined_function_calls, locals_not_used, deprecated_function_calls],
                              {ok, Calls} <- [xref:analyze(s, Kind)], Calls =/= []],
    [io:format("~p: ~p~n", [Kind, Calls]) || {Kind, Calls} <- Found],
    halt(case Found of [] -> 0; _ -> 1 end).
