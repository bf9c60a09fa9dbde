%% Breaks the network of this node: delays, resets, lost datagrams, errors of single calls.
%%
%% A rule says whom it concerns, what happens, and when:
%%
%%     inetpy_fault:with(#{port => 5432}, [{latency, #{ms => 200, jitter => 50}}], fun() -> my_app:query() end).
%%     {ok, Rule} = inetpy_fault:add(#{owner => self()}, {reset, #{after_bytes => 4096}}).
%%     {ok, Rule2} = inetpy_fault:add(#{host => "db.*"}, {error, #{call => connect, errno => ehostunreach}}, #{'when' => {nth, 2}}).
%%
%% Whom: a map of `host` (the name as the program asked for it, or a pattern of it), `peer` (an address or a network as
%% text, or an address as a tuple), `port`, `local_port`, `proto` (`tcp`, `udp`, `unix`), `role` (`client`, `listener`,
%% `accepted`), `direction` (`send`, `recv`, `both`), `label` and `owner`. An empty map concerns all sockets. The owner is
%% a pid, a registered name or the name of an application. The rule is then for sockets of this process and of those
%% that it has started, and that these have started: by `$ancestors`, `$callers`, and the process that called spawn. So
%% tests that run side by side do not see each other's rules. What a process has started that has ended is known only
%% where both are processes of proc_lib, as those of OTP's behaviours are.
%%
%% What: a word with a map of arguments, such as `{latency, #{ms => 200}}`, or the word alone, such as `blackhole`. Times
%% are in ms, sizes in bytes, rates in bytes/s or texts as `"256kbit/s"`, probabilities from 0 to 1. docs/faults.md has
%% all words.
%%
%% When: a map of `'when'`, which is `{nth, N}`, `{nth, {First, Last}}`, `{probability, P}`, `{first, N}` or
%% `{periodic, {Period, Duty}}`, and of `for_ms`, after which the rule has no effect any more.
%%
%% When `add` has answered, the rule holds, also for sockets that are open. A rule ends with the process that added
%% it. It outlives the end of Python; the next Python begins to count anew. With several Python processes (`bridges` of
%% `inetpy:start/1`) each of them has all rules, and counts by itself.
-module(inetpy_fault).

-export([add/2, add/3, with/3, remove/1, reset/0, rules/0, fired/0, fired/1, events/1, each_call/2, each_call/3]).
-export_type([rule/0]).

-opaque rule() :: {fault, inetpy_faults:key()}.
-type what() :: atom() | {atom(), map()}.
-type reason() :: {bad_rule, Why :: string()} | {inetpy, atom(), term()}.

%% Adds a rule, until `remove/1` or the end of the calling process. A misspelt or impossible rule is
%% `{error, {bad_rule, Why}}`, where Why is a sentence, and changes nothing.
-spec add(Whom :: map(), what()) -> {ok, rule()} | {error, reason()}.
add(Whom, What) -> add(Whom, What, #{}).

%% The same, but only at some calls, or for some time.
-spec add(Whom :: map(), what(), When :: map()) -> {ok, rule()} | {error, reason()}.
add(Whom, What, When) ->
    case inetpy_fault_terms:rule(Whom, What, When) of
        {ok, Rule} ->
            case ask({add, self(), Rule}) of
                {ok, Key} -> {ok, {fault, Key}};
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

%% Adds rules, calls Fun, and removes the rules, however Fun ends. Answers what Fun answers. An element of the list is
%% what happens, or `{What, When}`. If a rule cannot be added, the call fails with the reason, and Fun is not called:
%% otherwise a test that ignores the answer would pass on a good network.
-spec with(Whom :: map(), [what() | {what(), When :: map()}], fun(() -> Result)) -> Result.
with(_, [], Fun) ->
    Fun();
with(Whom, [First | Others], Fun) ->
    {What, When} = what_and_when(First),
    case add(Whom, What, When) of
        {ok, Rule} ->
            try
                with(Whom, Others, Fun)
            after
                remove(Rule)
            end;
        {error, Reason} ->
            erlang:error(Reason)
    end.

what_and_when({{_, _} = What, When}) -> {What, When};
what_and_when({Word, #{'when' := _} = When}) -> {Word, When};
what_and_when({Word, #{for_ms := _} = When}) -> {Word, When};
what_and_when(What) -> {What, #{}}.

%% Removes a rule. What the rule holds back flows on: no byte is lost, no socket is closed. A rule that is gone is no
%% error.
-spec remove(rule()) -> ok.
remove({fault, Key}) ->
    _ = ask({remove, Key}),
    ok.

%% Removes all rules, also those that Python or other processes have added.
-spec reset() -> ok.
reset() ->
    _ = ask(reset),
    ok.

%% The rules, and how often each has fired.
-spec rules() ->
    [#{rule := rule(), whom := map(), what := {atom(), map()}, fired := non_neg_integer()}] | {error, reason()}.
rules() ->
    case ask(rules) of
        {ok, Rules} ->
            [
                #{rule => {fault, Key}, whom => Whom, what => What, fired => Fired}
             || {Key, Whom, What, Fired} <- Rules
            ];
        {error, _} = Error ->
            Error
    end.

%% How often all rules together have fired.
-spec fired() -> non_neg_integer() | {error, reason()}.
fired() -> count(ask({fired, all})).

%% How often a rule has fired: how many calls, connections or datagrams it has changed, since it was added or since
%% the last start of Python. 0 for a rule that is gone.
-spec fired(rule()) -> non_neg_integer() | {error, reason()}.
fired({fault, Key}) -> count(ask({fired, Key})).

count({ok, Count}) -> Count;
count({error, _} = Error) -> Error.

%% What a rule has done, in order, as far as the first 10,000 times: maps of `call`, `what`, `label` (the peer, or the name
%% that was asked for) and `offset` (bytes or datagrams before it, or `undefined`).
-spec events(rule()) -> [map()] | {error, reason()}.
events({fault, Key}) ->
    case ask({events, Key}) of
        {ok, Events} -> Events;
        {error, _} = Error -> Error
    end.

%% Calls Fun again and again. In the first run its first network call fails with Errno, in the second run its second, and
%% so on, until a run has no call that is left to fail. So each error path of a program runs once:
%%
%%     [{connect, {error, etimedout}}, {send, {error, closed}}, {recv, {error, etimedout}}] =
%%         inetpy_fault:each_call(etimedout, fun() -> my_client:get("db.test", 5432) end).
%%
%% Answers which call failed in each run, and what Fun answered then. A run that failed itself is
%% `{raised, Class, Reason}`. It concerns the calls of this process, and of processes that it starts.
-spec each_call(Errno :: atom(), fun(() -> Result)) -> [{Call, Result | {raised, Class, Reason}}] | {error, reason()} when
    Call :: atom(), Class :: error | exit | throw, Reason :: term().
each_call(Errno, Fun) -> each_call(#{owner => self()}, Errno, Fun).

%% The same for other sockets.
-spec each_call(Whom :: map(), Errno :: atom(), fun(() -> Result)) ->
    [{Call, Result | {raised, Class, Reason}}] | {error, reason()}
when
    Call :: atom(), Class :: error | exit | throw, Reason :: term().
each_call(Whom, Errno, Fun) when is_function(Fun, 0) -> each_call(Whom, {error, #{call => any, errno => Errno}}, Fun, 1).

each_call(Whom, What, Fun, N) ->
    case add(Whom, What, #{'when' => {nth, N}}) of
        {ok, Rule} ->
            {Result, Events} =
                try
                    {run(Fun), events(Rule)}
                after
                    remove(Rule)
                end,
            case Events of
                [#{call := Call} | _] -> go_on({Call, Result}, each_call(Whom, What, Fun, N + 1));
                [] -> [];
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

go_on(Run, Runs) when is_list(Runs) -> [Run | Runs];
go_on(_, {error, _} = Error) -> Error.

run(Fun) ->
    try
        Fun()
    catch
        Class:Reason -> {raised, Class, Reason}
    end.

ask(Request) -> inetpy_faults:ask(Request).
