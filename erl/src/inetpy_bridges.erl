%% The bridges of this node: one, or those that the option `bridges` of inetpy:start/1 says. Each has a Python
%% process of its own, which it starts (`port`) or connects to (the URL of an `inetpy serve`). New sockets are opened on
%% the bridges in turn, or on the one that the call names. A socket stays on its bridge, and those that a listener
%% accepts are on that of the listener.
-module(inetpy_bridges).

-export([start/0, begin_start/0, stop/0, init/0, parse/1, are_others/1, count/0, ports/0, describe/1]).
-export([choose/1, lookups_on/2, next/2, all/0, cancel_monitor/1]).
-export_type([label/0]).

%% What a call names a bridge by.
-type label() :: atom() | binary().

%% In the process dictionary of a process that looks a name up for a socket: the bridge of that socket.
-define(LOOKUPS, '$inetpy_lookups').

%% In ms: a restart of Python takes no longer.
-define(RESTART_TIME, 5000).

%% Starts the bridges, and answers when all are ready. If one cannot be started, they are stopped again, unless the
%% application runs: then they are started for the next call that needs one.
-spec start() -> ok | {error, term()}.
start() ->
    case begin_start() of
        {ok, Running} ->
            Answers = [inetpy_keeper:first_start(Number) || Number <- lists:seq(1, count())],
            case [Error || {error, _} = Error <- Answers] of
                [] -> ok;
                [Error | _] -> _ = [ok = stop() || not Running], Error
            end;
        {error, _} = Error ->
            Error
    end.

%% Begins to start the bridges, and tells whether that had been done before.
-spec begin_start() -> {ok, Running :: boolean()} | {error, term()}.
begin_start() ->
    case wanted() of
        {ok, _} -> start_supervisor();
        {error, _} = Error -> Error
    end.

start_supervisor() ->
    Supervisor = #{
        id => inetpy_sup, start => {inetpy_sup, start_link, []}, restart => temporary,
        shutdown => infinity, type => supervisor
    },
    case supervisor:start_child(kernel_safe_sup, Supervisor) of
        {ok, _} -> {ok, false};
        {error, {already_started, _}} -> {ok, true};
        {error, _} = Error -> Error
    end.

%% Stops the bridges, which tell the owners of their sockets.
-spec stop() -> ok.
stop() ->
    case whereis(inetpy_sup) of
        undefined ->
            ok;
        _ ->
            lists:foreach(fun inetpy_keeper:stop/1, lists:seq(1, count())),
            _ = supervisor:terminate_child(kernel_safe_sup, inetpy_sup),
            inetpy_context:init(count())
    end.

%% Called by the supervisor, before the first bridge is started: the links of the bridges.
-spec init() -> [inetpy_link:spec(), ...].
init() ->
    {ok, Bridges} = wanted(),
    persistent_term:put(?MODULE, #{
        asked => asked(), bridges => list_to_tuple(Bridges), turn => atomics:new(1, [{signed, false}]),
        numbers => maps:from_list([{Label, Number} || {Number, {Label, _}} <- lists:enumerate(Bridges), Label =/= none])
    }),
    [Link || {_, Link} <- Bridges].

%% --- which bridges are wanted -----------------------------------------------

%% A list of the application counts before the environment, and the environment before a number, which is about
%% processes that this node starts.
asked() ->
    case {os:getenv("INETPY_BRIDGE", ""), application:get_env(inetpy, bridges, 1)} of
        {Url, Count} when Url =/= "", is_integer(Count) -> [Url];
        {_, Bridges} -> Bridges
    end.

wanted() -> parse(asked()).

%% The label and the link of each bridge.
-spec parse(term()) -> {ok, [{none | label(), inetpy_link:spec()}, ...]} | {error, {bad_option, map()} | {bad_url, string()}}.
parse(Count) when is_integer(Count), Count > 0 ->
    {ok, lists:duplicate(Count, {none, {inetpy_port, python}})};
parse([First | _] = Bridges) when length(Bridges) > 0, not is_integer(First) ->
    try
        Parsed = lists:map(fun bridge/1, Bridges),
        Labels = [Label || {Label, _} <- Parsed, Label =/= none],
        case Labels -- lists:usort(Labels) of
            [] -> {ok, Parsed};
            [Twice | _] -> {error, {bad_option, #{bridges => {Twice, twice}}}}
        end
    catch
        throw:{error, _} = Error -> Error
    end;
parse(Other) ->
    {error, {bad_option, #{bridges => Other}}}.

bridge({Label, Target}) when is_atom(Label), Label =/= none; is_binary(Label) -> {Label, link_to(Target)};
bridge(Target) -> {none, link_to(Target)}.

link_to(port) ->
    {inetpy_port, python};
link_to(Text) when is_binary(Text); is_list(Text) ->
    case inetpy_url:parse(Text) of
        {ok, Url} -> {inetpy_stream, Url};
        {error, Why} -> throw({error, {bad_url, Why}})
    end;
link_to(Other) ->
    throw({error, {bad_option, #{bridges => Other}}}).

%% Whether bridges that run are not those that an option asks for.
-spec are_others(term()) -> boolean().
are_others(Bridges) ->
    #{asked := Asked} = running(),
    whereis(inetpy_sup) =/= undefined andalso Bridges =/= Asked andalso
        not (is_integer(Bridges) andalso Bridges =:= ports() andalso Bridges =:= count()).

%% --- the bridges that run ---------------------------------------------------

running() -> persistent_term:get(?MODULE, #{asked => 1, bridges => {{none, {inetpy_port, python}}}, numbers => #{}}).

-spec count() -> pos_integer().
count() ->
    #{bridges := Bridges} = running(),
    tuple_size(Bridges).

%% How many of them start a Python of their own.
-spec ports() -> non_neg_integer().
ports() ->
    #{bridges := Bridges} = running(),
    length([Link || {_, Link} <- tuple_to_list(Bridges), inetpy_link:starts_python(Link)]).

%% What inetpy:info/0 shows of the bridge of a number.
-spec describe(pos_integer()) -> #{label => label(), url => string()}.
describe(Number) ->
    #{bridges := Bridges} = running(),
    {Label, Link} = element(Number, Bridges),
    maps:from_list(
        [{label, Label} || Label =/= none] ++
            [{url, inetpy_link:name(Link)} || not inetpy_link:starts_python(Link)]
    ).

%% The bridge that the options of a call name with `{inetpy_bridge, Label}`, and the other options. A label that no
%% bridge has is a bad option: the caller exits, as with those of OTP.
-spec choose(Options) -> {any | pos_integer(), Options} when Options :: term().
choose(Options) when is_list(Options), length(Options) >= 0 ->
    case lists:keymember(inetpy_bridge, 1, Options) of
        false -> {any, Options};
        true -> named([Option || Option <- Options, is_tuple(Option), element(1, Option) =:= inetpy_bridge], Options)
    end;
choose(Options) ->
    {any, Options}.

%% The last one counts.
named(Named, Options) ->
    #{numbers := Numbers} = running(),
    case lists:last(Named) of
        {_, Label} when is_map_key(Label, Numbers) -> {map_get(Label, Numbers), Options -- Named};
        _ -> exit(badarg)
    end.

%% Calls Fun, whose lookups of names are on a bridge: that of a number, that of a bridge process, or any.
-spec lookups_on(any | pos_integer() | pid(), fun(() -> Result)) -> Result.
lookups_on(any, Fun) ->
    Fun();
lookups_on(Bridge, Fun) when is_pid(Bridge) ->
    lookups_on(case count() of 1 -> any; _ -> number(Bridge) end, Fun);
lookups_on(Number, Fun) ->
    _ = put(?LOOKUPS, Number),
    try
        Fun()
    after
        erase(?LOOKUPS)
    end.

number(Bridge) ->
    case [Number || Number <- lists:seq(1, count()), {ok, Pid, _} <- [inetpy_bridge:where(Number, 0)], Pid =:= Bridge] of
        [Number] -> Number;
        [] -> any  % it has ended, and so has the socket
    end.

%% The bridge for the next socket. Waits while it is starting, but no longer than Timeout.
-spec next(any | pos_integer(), timeout()) ->
    {ok, pid(), inetpy_bridge:out()} | {error, timeout | {inetpy, not_started | down, string()}}.
next(any, Timeout) ->
    case running() of
        #{bridges := Bridges, turn := Turn} when tuple_size(Bridges) > 1 ->
            InTurn = fun() -> atomics:add_get(Turn, 1, 1) rem tuple_size(Bridges) + 1 end,
            Number = case get(?LOOKUPS) of undefined -> InTurn(); Chosen -> Chosen end,
            inetpy_bridge:where(Number, Timeout);
        _ ->
            inetpy_bridge:where(1, Timeout)
    end;
next(Number, Timeout) ->
    inetpy_bridge:where(Number, Timeout).

%% All bridges. Waits for one that is being restarted, and leaves out one that does not come back.
-spec all() -> [pid()].
all() ->
    lists:append([
        case inetpy_bridge:where(Number, ?RESTART_TIME) of
            {ok, Bridge, _} -> [Bridge];
            {error, _} -> []
        end
     || Number <- lists:seq(1, count())
    ]).

%% A monitor does not say which bridge has its socket, so all are asked.
-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) ->
    lists:any(fun(Bridge) -> inetpy_bridge:cancel_monitor(Bridge, Ref) end, all()).
