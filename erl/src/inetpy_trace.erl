%% What the sockets of this node were asked, and what they sent and received.
%%
%%     {ok, Trace} = inetpy_trace:start(#{file => "run.pcapng", match => #{port => 5432}}),
%%     ok = my_app:query(),
%%     ok = inetpy_trace:stop(Trace),
%%     [#{answer := {ok, _}}] = inetpy_trace:calls(Trace, connect),
%%     true = inetpy_trace:sent(Trace, #{contains => <<"select">>}).
%%
%% Without a trace nothing is recorded, and nothing is slower. A trace ends with `stop/1`, or with the process that has
%% started it; what it has can be asked for until that process ends. It is in Python: when Python dies, it is gone. With
%% several Python processes (`bridges` of `inetpy:start/1`) each records its own sockets, into a file of its own: the
%% second one writes `run-2.pcapng`.
-module(inetpy_trace).

-export([start/0, start/1, stop/1, events/1, calls/1, calls/2, bytes/1, sent/2, order/2, leaks/1, no_stray_messages/0]).
-export_type([trace/0, event/0, reason/0]).

-opaque trace() :: {trace, pos_integer()}.
%% Its keys: see `events/1`.
-type event() :: #{event := call | bytes | socket | fault, time := integer(), label := binary(), atom() => term()}.
-type reason() ::
    {bad_trace, Why :: string()} | {trace_failed, Why :: string()} | {inetpy, atom(), term()} | inet:posix().

%% Records all sockets from now on.
-spec start() -> {ok, trace()} | {error, reason()}.
start() -> start(#{}).

%% Records from now on, also sockets that are open. Options:
%%
%% - `match`: the sockets, a map as for `inetpy_fault:add/2`;
%% - `file`: where events go at once, besides memory. Its name ends in `.jsonl` or `.pcapng`. When it cannot be written any
%%   more, the trace ends, and `stop/1` says why;
%% - `memory`: how many bytes of memory it takes, 64 MB if nothing is said. The oldest events make room;
%% - `redact`: a list of what nobody may see: names of headers, `"authorization"`, and `{pattern, "password=(\\w+)"}`. Stars
%%   take its place before anything is recorded.
%%
%% A wrong option is `{error, {bad_trace, Why}}`, where Why is a sentence.
-spec start(#{match => map(), file => file:filename(), memory => pos_integer(), redact => list()}) ->
    {ok, trace()} | {error, reason()}.
start(#{} = Options) ->
    case inetpy_fault_terms:rule(maps:get(match, Options, #{}), trace, #{}) of
        {ok, {Match, _, _}} ->
            Key = erlang:unique_integer([positive, monotonic]),
            try maps:map(fun option/2, Options#{match => Match}) of
                Plain -> start(Key, Plain)
            catch
                throw:{bad_trace, _} = Bad -> {error, Bad}
            end;
        {error, {bad_rule, Why}} ->
            {error, {bad_trace, Why}}
    end.

start(Key, Options) ->
    Answers = [ask(N, {trace_start, {Key, self(), own_file(N, Options)}}) || N <- bridges()],
    case [Error || {error, _} = Error <- Answers] of
        [] ->
            {ok, {trace, Key}};
        [Error | _] ->
            _ = ask_all({trace_stop, Key}),
            Error
    end.

option(file, File) ->
    case inetpy_fault_terms:path(File) of
        error -> bad("file is the path of a file, not ~tp", File);
        Path -> Path
    end;
option(redact, []) -> [];
option(redact, [Word | _] = Words) when not is_integer(Word) -> [word(Each) || Each <- Words];
option(redact, Words) -> bad("redact takes a list of words, not ~tp", Words);
option(_, Value) -> Value.

word({pattern, Regex}) -> {pattern, text(Regex, "a pattern is text, not ~tp")};
word(Header) -> text(Header, "redact takes names of headers, and {pattern, Text}, not ~tp").

text(Text, Otherwise) ->
    try unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> bad(Otherwise, Text)
    catch
        error:_ -> bad(Otherwise, Text)
    end.

-spec bad(io:format(), term()) -> no_return().
bad(Format, Given) -> throw({bad_trace, lists:flatten(io_lib:format(Format, [Given]))}).

own_file(N, #{file := File} = Options) when N > 1 ->
    Extension = filename:extension(File),
    Root = filename:rootname(File),
    Options#{file := <<Root/binary, $-, (integer_to_binary(N))/binary, Extension/binary>>};
own_file(_, Options) ->
    Options.

%% Records no longer. What was recorded can still be asked for.
-spec stop(trace()) -> ok | {error, reason()}.
stop({trace, Key}) ->
    case [Error || {error, _} = Error <- ask_all({trace_stop, Key})] of
        [] -> ok;
        [Error | _] -> Error
    end.

%% What was recorded, in the order of time. Each event is a map with `event`, `time` (ns since 1970) and `label` (of the
%% socket), and
%%
%% - of a `call`: `op`, `args`, `answer`, `peer` (the host as the program asked for it, and the port), `owner`, `start`,
%%   `end` and `faults` (the rules that acted on it). A call that waits still has the answer `undefined`;
%% - of `bytes`: `direction` (`send`, `recv`), `offset`, `data`, `owner`, `call` (in which they moved) and `faults`; of a
%%   datagram, `peer`, too;
%% - of a `socket`: `what` (`opened`, `connecting`, `connected`, `accepted`, `failed`, `eof`, `shutdown`, `reset`, `error`,
%%   `closed`), `detail` and `faults`;
%% - of a `fault`: `rule`, `call` and `offset`.
-spec events(trace()) -> [event()] | {error, reason()}.
events({trace, Key}) ->
    Answers = ask_all({trace_events, Key}),
    case [Error || {error, _} = Error <- Answers] of
        [] -> by_time(Answers);
        [Error | _] -> Error
    end.

by_time(Answers) ->
    lists:sort(fun(#{time := A}, #{time := B}) -> A =< B end, lists:append([Events || {ok, Events} <- Answers])).

%% The calls, in the order in which they were answered.
-spec calls(trace()) -> [event()].
calls(Trace) -> [Call || #{event := call} = Call <- found(Trace)].

%% The calls of that name: `connect`, `listen`, `accept`, `send`, `recv`, `close`, `setopts`, `getaddrs`, and so on.
-spec calls(trace(), Op :: atom()) -> [event()].
calls(Trace, Op) -> [Call || #{op := Its} = Call <- calls(Trace), Its =:= Op].

%% What all sockets of the trace have sent, and received.
-spec bytes(trace()) -> {Sent :: binary(), Received :: binary()}.
bytes(Trace) ->
    Chunks = chunks(Trace),
    {way(send, Chunks), way(recv, Chunks)}.

way(Direction, Chunks) -> iolist_to_binary([Data || #{direction := Its, data := Data} <- Chunks, Its =:= Direction]).

chunks(Trace) -> [Chunk || #{event := bytes} = Chunk <- found(Trace)].

%% Whether these bytes were sent, in one piece or in several. `to` is the label of the socket, `"db.test:5432"`, or a host.
%% Without `to` all sockets are looked at, each label by itself.
-spec sent(trace(), #{to => string() | binary(), contains => iodata()}) -> boolean().
sent(Trace, Wanted) ->
    Contains = iolist_to_binary(maps:get(contains, Wanted, <<>>)),
    Sent = [Chunk || #{direction := send} = Chunk <- chunks(Trace), goes_to(Chunk, Wanted)],
    Labels = lists:usort([Label || #{label := Label} <- Sent]),
    lists:any(
        fun(Label) ->
            Data = iolist_to_binary([Data || #{label := Its, data := Data} <- Sent, Its =:= Label]),
            Contains =:= <<>> orelse binary:match(Data, Contains) =/= nomatch
        end,
        Labels
    ).

goes_to(#{label := Label}, #{to := To}) ->
    Wanted = unicode:characters_to_binary(To),
    Label =:= Wanted orelse hd(string:split(Label, ":", trailing)) =:= Wanted;
goes_to(_, _) ->
    true.

%% Whether calls of these names began in this order. Others may come in between.
-spec order(trace(), [Op :: atom()]) -> boolean().
order(Trace, Ops) ->
    Calls = lists:sort(fun(#{start := A}, #{start := B}) -> A =< B end, calls(Trace)),
    is_in_order(Ops, [Op || #{op := Op} <- Calls]).

is_in_order([], _) -> true;
is_in_order([Op | Ops], [Op | Others]) -> is_in_order(Ops, Others);
is_in_order(Ops, [_ | Others]) -> is_in_order(Ops, Others);
is_in_order(_, []) -> false.

%% The sockets that are open now, each with `kind`, `label`, `owner`, `opened_at` and `opened_by` (the call that opened it;
%% `undefined` where that was before the trace). The trace must not be stopped before.
-spec leaks(trace()) -> [map()].
leaks({trace, Key}) -> lists:append([ok(Answer) || Answer <- ask_all({trace_leaks, Key})]).

ok({ok, Value}) -> Value;
ok({error, Reason}) -> erlang:error(Reason).

%% The messages of sockets in the mailbox of the calling process that nobody has received, `{tcp, Socket, Data}` for
%% example. They stay there. A test asserts that there are none.
-spec no_stray_messages() -> ok | {error, {stray_messages, [tuple()]}}.
no_stray_messages() ->
    case inetpy_stray:messages(self()) of
        [] -> ok;
        Stray -> {error, {stray_messages, Stray}}
    end.

%% --- requests --------------------------------------------------------------

found(Trace) ->
    case events(Trace) of
        {error, Reason} -> erlang:error(Reason);
        Events -> Events
    end.

bridges() -> lists:seq(1, inetpy_bridges:count()).

ask_all(Args) -> [ask(N, Args) || N <- bridges()].

ask(N, Args) ->
    case inetpy_faults:ask_bridge(N, Args) of
        {error, {Word, Why}} when is_binary(Why) -> {error, {Word, unicode:characters_to_list(Why)}};
        {error, {inetpy, Word, Why}} when is_binary(Why) -> {error, {inetpy, Word, unicode:characters_to_list(Why)}};
        Answer -> Answer
    end.
