%% A node as it was before a test: what the test has started, loaded and set goes.
%%
%% Not restored: persistent terms, tables and processes of applications that run already, and the host's files.
-module(inetpy_tidy).

-export([mark/0, keep/3, reset/3]).
-export_type([mark/0]).

%% In ms: for an application to stop, and for processes to end.
-define(STOP, 5000).
-define(ENDING, 1000).
%% A process that ends can have started another one meanwhile.
-define(ROUNDS, 10).

-opaque mark() :: #{
    path := [file:filename()],
    modules := #{module() => term()},
    variables := [{string(), string()}],
    folder := file:filename(),
    started := [atom()],
    loaded := #{atom() => [{atom(), term()}]},
    logger := map(),
    handlers := [atom()]
}.

-spec mark() -> mark().
mark() ->
    {ok, Folder} = file:get_cwd(),
    #{
        path => code:get_path(),
        modules => maps:from_list(code:all_loaded()),
        variables => os:env(),
        folder => Folder,
        started => started(),
        loaded => maps:from_list([{Name, application:get_all_env(Name)} || Name <- loaded()]),
        logger => logger:get_primary_config(),
        handlers => logger:get_handler_ids()
    }.

%% Adds folders to the code path and starts applications, which stay after a reset.
-spec keep([file:filename()], [atom()], mark()) -> {ok | {error, term()}, mark()}.
keep(Folders, Applications, #{path := Path, started := Started, loaded := Loaded} = Mark) ->
    ok = code:add_pathsz(Folders),
    case start_all(Applications) of
        {ok, Names} ->
            New = maps:from_list([{Name, application:get_all_env(Name)} || Name <- Names]),
            {ok, Mark#{path := Path ++ (Folders -- Path), started := Names ++ Started, loaded := maps:merge(Loaded, New)}};
        {error, _} = Error ->
            {Error, Mark}
    end.

start_all(Applications) ->
    lists:foldl(
        fun
            (Name, {ok, Started}) ->
                case application:ensure_all_started(Name) of
                    {ok, Names} -> {ok, Names ++ Started};
                    {error, _} = Error -> Error
                end;
            (_, Error) ->
                Error
        end,
        {ok, []}, Applications
    ).

%% Ends the applications that were started since, and the processes with this group leader. Answers with the latter.
%% Code: whether modules and the code path are to be as before, too.
-spec reset(mark(), pid(), Code :: boolean()) -> [pid()].
reset(Mark, Leader, Code) ->
    stop_applications(started() -- maps:get(started, Mark)),
    Ended = end_processes(Leader, ?ROUNDS, []),
    true = unlink(Leader),
    true = exit(Leader, kill),
    restore_applications(maps:get(loaded, Mark)),
    restore_variables(maps:get(variables, Mark)),
    _ = file:set_cwd(maps:get(folder, Mark)),
    restore_logger(Mark),
    _ = [restore_code(Mark) || Code],
    Ended.

%% The newest first.
started() -> [Name || {Name, _, _} <- application:which_applications()].

loaded() -> [Name || {Name, _, _} <- application:loaded_applications()].

stop_applications(Names) ->
    lists:foreach(fun stop_application/1, Names).

%% An application that does not stop is killed.
stop_application(Name) ->
    {Pid, Ref} = spawn_monitor(fun() -> application:stop(Name) end),
    receive
        {'DOWN', Ref, process, Pid, _} -> ok
    after ?STOP ->
        true = erlang:demonitor(Ref, [flush]),
        true = exit(Pid, kill),
        logger:error("the application ~p does not stop", [Name])
    end.

end_processes(Leader, Rounds, Ended) ->
    case [Pid || Pid <- processes(), process_info(Pid, group_leader) =:= {group_leader, Leader}] of
        [] ->
            Ended;
        Pids when Rounds > 0 ->
            Monitors = [{Pid, erlang:monitor(process, Pid)} || Pid <- Pids],
            lists:foreach(fun(Pid) -> exit(Pid, kill) end, Pids),
            lists:foreach(fun await_end/1, Monitors),
            end_processes(Leader, Rounds - 1, Pids ++ Ended);
        Pids ->
            logger:error("~b processes of a test do not end", [length(Pids)]),
            Ended
    end.

await_end({Pid, Ref}) ->
    receive
        {'DOWN', Ref, process, Pid, _} -> ok
    after ?ENDING ->
        true = erlang:demonitor(Ref, [flush])
    end.

restore_applications(Before) ->
    lists:foreach(fun application:unload/1, loaded() -- maps:keys(Before)),
    maps:foreach(fun restore_environment/2, Before).

restore_environment(Name, Before) ->
    Now = application:get_all_env(Name),
    lists:foreach(fun({Key, _}) -> application:unset_env(Name, Key) end, Now -- Before),
    lists:foreach(fun({Key, Value}) -> application:set_env(Name, Key, Value) end, Before -- Now).

restore_variables(Before) ->
    Now = os:env(),
    lists:foreach(fun({Name, _}) -> os:unsetenv(Name) end, Now -- Before),
    lists:foreach(fun({Name, Value}) -> os:putenv(Name, Value) end, Before -- Now).

restore_logger(#{logger := Primary, handlers := Handlers}) ->
    ok = logger:set_primary_config(Primary),
    ok = logger:unset_module_level(),
    lists:foreach(fun logger:remove_handler/1, logger:get_handler_ids() -- Handlers).

%% Modules that were loaded since, and are not of the path of before, or are from another file than before.
restore_code(#{path := Path, modules := Before}) ->
    Folders = maps:from_keys(Path, true),
    true = code:set_path(Path),
    Strange = [
        Module
     || {Module, File} <- code:all_loaded(), maps:get(Module, Before, none) =/= File,
        not is_of(Folders, Module, File)
    ],
    lists:foreach(fun unload/1, Strange).

%% A relative name is that of a binary which was loaded, or of the folder of the test.
is_of(Folders, Module, File) when is_list(File) ->
    filename:pathtype(File) =:= absolute andalso filename:basename(File) =:= atom_to_list(Module) ++ ".beam" andalso
            maps:is_key(filename:dirname(File), Folders);
is_of(_, _, _) ->
    false.

unload(Module) ->
    _ = code:purge(Module),
    _ = code:delete(Module),
    code:purge(Module).
