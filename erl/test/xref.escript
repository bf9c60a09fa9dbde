%% xref.escript EBIN MORE...: calls of functions that do not exist, and functions that nobody calls,
%% of all folders; and calls of the application in EBIN that leave what its .app file says it needs.

%% A module that another application calls, when it is there: so it may call that application.
-define(HOOKS, [{inetpy_cth, common_test}]).

main([Ebin | _] = Folders) ->
    {ok, _} = xref:start(s),
    ok = xref:set_default(s, [{warnings, false}]),
    ok = xref:set_library_path(s, code:get_path() -- Folders),
    {ok, Ours} = xref:add_directory(s, Ebin),
    [{ok, _} = xref:add_directory(s, Folder) || Folder <- tl(Folders)],
    Found = [{Kind, Calls} || Kind <- [undefined_function_calls, locals_not_used, deprecated_function_calls],
                              {ok, Calls} <- [xref:analyze(s, Kind)], Calls =/= []],
    Foreign = [{calls_of_other_applications, Calls} || Calls <- [foreign(Ebin, Ours)], Calls =/= []],
    [io:format("~p: ~p~n", [Kind, Calls]) || {Kind, Calls} <- Found ++ Foreign],
    halt(case Found ++ Foreign of [] -> 0; _ -> 1 end).

foreign(Ebin, Ours) ->
    {ok, [{application, _, Keys}]} = file:consult(filename:join(Ebin, "inetpy.app")),
    Needed = [erts | proplists:get_value(applications, Keys)],
    {ok, Calls} = xref:q(s, "XC"),
    [Call || {{From, _, _}, {To, _, _}} = Call <- Calls,
             lists:member(From, Ours), not lists:member(To, ['$M_EXPR' | Ours]),
             not lists:member(application(To), Needed), not lists:member({From, application(To)}, ?HOOKS)].

%% By the folder that a module comes from, say .../stdlib-4.2/ebin/lists.beam.
application(Module) ->
    case code:which(Module) of
        preloaded ->
            erts;
        Beam when is_list(Beam) ->
            [_, "ebin", Folder | _] = lists:reverse(filename:split(Beam)),
            list_to_atom(hd(string:lexemes(Folder, "-")));
        non_existing ->
            none
    end.
