%% What a process is, and what it descends from: the owners of a rule are compared with that.
%%
%% For example the lineage of a worker of `my_app`, which a test has asked for something, has the worker, its
%% supervisors, the application, and what called it. A process descends from
%%
%% - the processes in its `$ancestors`, which proc_lib keeps: those that have started it, and their starters;
%% - the processes in its `$callers`, which Elixir's Task keeps: those for which it works;
%% - its parent: the process that has called spawn;
%%
%% and from all that these descend from. A process that has ended is in the lineage of those that it has started; what
%% it descended from is not known any more.
-module(inetpy_lineage).

-export([of_process/1]).
-export_type([lineage/0]).

-type lineage() :: [pid() | atom() | {application, atom()}].

%% The process itself comes first. Of a process that has ended or that is on another node nothing else is known.
-spec of_process(pid()) -> lineage().
of_process(Pid) -> walk([Pid], [], []).

%% Looks at processes, and then at those that they descend from. A name stands for the process that has it now.
walk([], _, Found) ->
    lists:reverse(Found);
walk([Id | Ids], Seen, Found) ->
    case lists:member(Id, Seen) of
        true ->
            walk(Ids, Seen, Found);
        false ->
            {Names, Starters} = about(Id),
            walk(Ids ++ Starters, [Id | Seen], new(Names, new([Id], Found)))
    end.

%% Adds to a list, in reverse, what is not in it.
new(Ids, Found) -> lists:foldl(fun(Id, Before) -> [Id || not lists:member(Id, Before)] ++ Before end, Found, Ids).

%% The names of a process, and what it has been started by.
about(Name) when is_atom(Name) ->
    {[], [Pid || Pid <- [whereis(Name)], is_pid(Pid)]};
about(Pid) when node(Pid) =/= node() ->
    {[], []};
about(Pid) ->
    case process_info(Pid, [registered_name, dictionary, parent]) of
        [{registered_name, Name}, {dictionary, Dictionary}, {parent, Parent}] ->
            Applications = [{application, App} || {ok, App} <- [application:get_application(Pid)]],
            Starters = listed('$ancestors', Dictionary) ++ listed('$callers', Dictionary) ++ [Parent],
            {[Name || is_atom(Name)] ++ Applications, [Id || Id <- Starters, is_identifier(Id)]};
        undefined ->
            {[], []}
    end.

listed(Key, Dictionary) ->
    case lists:keyfind(Key, 1, Dictionary) of
        {_, List} when is_list(List), length(List) >= 0 -> List;
        _ -> []
    end.

%% `undefined` stands for no parent. Anything else in the dictionary is a program's own.
is_identifier(undefined) -> false;
is_identifier(Id) -> is_pid(Id) orelse is_atom(Id).
