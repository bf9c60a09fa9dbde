%% What a process waits in, as text: where it is, its messages, and the same of those whose answers it waits for.
-module(inetpy_waiting).

-export([text/1]).

%% How far it is looked: a process that waits for a process that waits for a process.
-define(DEPTH, 3).
%% Messages that are shown of each, and elements of a message.
-define(MESSAGES, 5).
-define(ELEMENTS, 20).
%% More than so many messages are not copied.
-define(MANY, 1000).
-define(HIDDEN, [inetpy_agent, inetpy_evaluator, erl_eval, inetpy_bridge, inetpy_keeper]).
-define(ITEMS, [registered_name, status, current_stacktrace, message_queue_len, monitors]).

-spec text(pid()) -> binary().
text(Pid) ->
    {Text, _} = text(Pid, "", ?DEPTH, [self()]),
    unicode:characters_to_binary(Text).

text(Pid, Verb, Depth, Seen) ->
    case process_info(Pid, ?ITEMS) of
        undefined ->
            {io_lib:format("~ts~p has ended~n", [Verb, Pid]), [Pid | Seen]};
        Info ->
            Head = io_lib:format("~ts~ts ~ts~n", [Verb, name(Pid, Info), status(Info)]),
            Own = [Head, operation(Pid, Info), stack(Info), messages(Pid, Info)],
            others(awaited(Info), Depth - 1, [Pid | Seen], Own)
    end.

others(_, 0, Seen, Text) ->
    {Text, Seen};
others([], _, Seen, Text) ->
    {Text, Seen};
others([Pid | Pids], Depth, Seen, Text) ->
    case lists:member(Pid, Seen) of
        true ->
            others(Pids, Depth, Seen, Text);
        false ->
            {More, SeenNow} = text(Pid, "which waits for ", Depth, Seen),
            others(Pids, Depth, SeenNow, [Text, More])
    end.

%% A call of a server monitors it. Bridges serve the sockets, which the stack names.
awaited(Info) ->
    Monitored = [pid(Item) || {process, Item} <- proplists:get_value(monitors, Info)],
    [
        Pid
     || Pid <- Monitored, is_pid(Pid), node(Pid) =:= node(),
        not lists:member(registered(Pid), ?HIDDEN)
    ].

pid({Name, Node}) when Node =:= node() -> whereis(Name);
pid(Pid) -> Pid.

registered(Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> Name;
        _ -> none
    end.

name(Pid, Info) ->
    case proplists:get_value(registered_name, Info) of
        Name when is_atom(Name), Name =/= [] -> io_lib:format("~p (~tp)", [Pid, Name]);
        _ -> io_lib:format("~p", [Pid])
    end.

status(Info) ->
    case proplists:get_value(status, Info) of
        waiting -> "waits in";
        Status -> [atom_to_list(Status), ", in"]
    end.

stack(Info) ->
    [
        io_lib:format("    ~tp:~tp/~b~ts~n", [Module, Function, Arity, place(Location)])
     || {Module, Function, Arity, Location} <- proplists:get_value(current_stacktrace, Info),
        not lists:member(Module, ?HIDDEN)
    ].

place(Location) ->
    case {proplists:get_value(file, Location), proplists:get_value(line, Location)} of
        {File, Line} when is_list(File), is_integer(Line) -> io_lib:format(" (~ts, line ~b)", [File, Line]);
        _ -> ""
    end.

%% A call of a socket leaves no other frame than ours. The name of the operation is in it.
operation(Pid, Info) ->
    case proplists:get_value(current_stacktrace, Info) of
        [{inetpy_request, answer, _, _} | _] -> operation_of(process_info(Pid, backtrace));
        _ -> ""
    end.

operation_of(undefined) ->
    "";
operation_of({backtrace, Text}) ->
    case re:run(Text, "inetpy_request:answer/.*?\\)\\s+(?!(?:infinity|undefined|none|true|false)\n)([a-z]\\w+)\n", [dotall, {capture, all_but_first, list}]) of
        {match, [Operation]} -> ["    in the operation ", Operation, " of a socket\n"];
        nomatch -> ""
    end.

messages(Pid, Info) ->
    case proplists:get_value(message_queue_len, Info) of
        0 -> "  no messages\n";
        Count when Count > ?MANY -> io_lib:format("  ~b messages~n", [Count]);
        Count -> [io_lib:format("  ~b messages:~n", [Count]), first_messages(Pid)]
    end.

first_messages(Pid) ->
    case process_info(Pid, messages) of
        {messages, Messages} ->
            [io_lib:format("    ~0tP~n", [Message, ?ELEMENTS]) || Message <- lists:sublist(Messages, ?MESSAGES)];
        undefined ->
            ""
    end.
