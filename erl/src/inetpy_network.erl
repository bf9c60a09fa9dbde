%% Loads a network file into a node that runs, and takes back what the file has described:
%%
%%     {ok, Network} = inetpy_network:load("net.py"),
%%     {ok, S} = gen_tcp:connect("db.example", 5432, inetpy:tcp_options([])),   % a server of net.py
%%     ok = inetpy_network:unload(Network).
%%
%% docs/network.md says what such a file has. Sockets that are open stay open, and no Python is started. A network ends
%% with the process that has loaded it. It outlives the end of Python: the next Python runs the file again.
%%
%% The Python is one that this node has started. A Python that serves nodes (`inetpy serve`) runs no file for them: who
%% may open sockets there may not run programs.
%%
%% With several Python processes (`bridges` of `inetpy:start/1`) each of them runs the file.
-module(inetpy_network).
-behaviour(gen_server).

-export([load/1, unload/1, replay/1, replay/2, wait/2, check/1]).
%% for inetpy_sup and the bridges
-export([start_link/0, new_table/0, kept/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([network/0, replay_options/0]).

-opaque network() :: {network, pos_integer()}.
-type reason() :: {bad_network, Why :: string()} | {bad_option, map()} | {inetpy, atom(), term()}.
-type replay_options() :: #{
    role => server | client | live,
    match => exact | prefix | length | regex | (Pattern :: binary()),
    chunks => recorded | one_byte | coalesced | random | {random, Seed :: non_neg_integer()},
    speed => number(),
    at => #{Recorded :: binary() | string() => Place :: binary() | string()},
    only => binary() | string(),
    patience => Milliseconds :: pos_integer()
}.

%% What a network comes from: a file of Python, none, or a trace that is played again.
-type source() :: binary() | undefined | {replay, binary(), replay_options()}.

%% Rows of the table: {Key, Owner, source(), Seed}. It belongs to inetpy_sup, as that of inetpy_faults does.
-define(TABLE, ?MODULE).

%% The monitors of processes that have loaded networks.
-record(state, {monitors = #{} :: #{pos_integer() => reference()}}).

%% Runs a file, and answers when all that it describes is there. A map has the options `file` and `seed`, one of them at
%% least: with `seed`, the random numbers of faults that come from then on begin there, until `unload/1`. A relative
%% path is one of the current folder.
%%
%% When the file fails, what it has described is taken back, and Why has the place in the file.
-spec load(file:filename_all() | #{file => file:filename_all(), seed => non_neg_integer()}) ->
    {ok, network()} | {error, reason()}.
load(Options) when is_map(Options) ->
    case [Option || {Name, Value} = Option <- maps:to_list(Options), not is_option(Name, Value)] of
        [] when map_size(Options) > 0 -> ask({load, self(), file(Options), maps:get(seed, Options, undefined)});
        [] -> {error, {bad_option, Options}};
        [{Name, Value} | _] -> {error, {bad_option, #{Name => Value}}}
    end;
load(File) ->
    load(#{file => File}).

is_option(file, File) -> inetpy_fault_terms:path(File) =/= error;
is_option(seed, Seed) -> is_integer(Seed) andalso Seed >= 0;
is_option(_, _) -> false.

file(#{file := File}) -> inetpy_fault_terms:path(File);
file(_) -> undefined.

%% Ends the servers, names and rules of a file: their connections are reset. Other sockets stay open, and are as if
%% the file had not been loaded. A network that is gone is no error.
-spec unload(network()) -> ok.
unload({network, Key}) ->
    _ = ask({unload, Key}),
    ok.

%% Plays a trace again, with its servers: see replay/2.
-spec replay(file:filename_all()) -> {ok, network()} | {error, reason()}.
replay(File) ->
    replay(File, #{}).

%% Plays one side of a recorded trace, as `network.replay` of docs/replay.md does, until unload/1. The options have the
%% words of `network.replay`; `patience` is in milliseconds.
%%
%% A mismatch, and what is missing at the end, makes a case of Common Test, EUnit or ExUnit fail, as the failures of
%% servers in memory do. check/1 and wait/2 tell it to any program.
-spec replay(file:filename_all(), replay_options()) -> {ok, network()} | {error, reason()}.
replay(File, Options) ->
    case {maps:without([role, match, chunks, speed, at, only, patience], Options), inetpy_fault_terms:path(File)} of
        {Unknown, _} when map_size(Unknown) > 0 -> {error, {bad_option, Unknown}};
        {_, error} -> {error, {bad_option, #{file => File}}};
        {_, Path} -> ask({load, self(), {replay, Path, maps:map(fun texts/2, Options)}, undefined})
    end.

texts(at, #{} = Places) -> maps:from_list([{text(From), text(To)} || {From, To} <- maps:to_list(Places)]);
texts(only, Pattern) -> text(Pattern);
texts(_, Value) -> Value.

text(Text) when is_list(Text) -> unicode:characters_to_binary(Text);
text(Text) -> Text.

%% Whether all that a replay has recorded has been played, and nothing differed. Each text is a mismatch with its
%% hexdump, or a sentence about what is missing by now.
-spec check(network()) -> ok | {error, {replay, [string()]} | term()}.
check({network, Key}) ->
    case replayed(Key) of
        {ok, {_, [], []}} -> ok;
        {ok, {_, Failures, Missing}} -> {error, {replay, [unicode:characters_to_list(Text) || Text <- Failures ++ Missing]}};
        Error -> Error
    end.

%% Waits until all has been played, or something has failed, and checks then.
-spec wait(network(), timeout()) -> ok | {error, {replay, [string()]} | term()}.
wait(Network, infinity) ->
    wait_until(Network, infinity);
wait(Network, Timeout) ->
    wait_until(Network, erlang:monotonic_time(millisecond) + Timeout).

wait_until({network, Key} = Network, Deadline) ->
    case replayed(Key) of
        {ok, {false, [], _}} when is_atom(Deadline) ->
            sleep_and_wait(Network, Deadline);
        {ok, {false, [], _}} ->
            case erlang:monotonic_time(millisecond) < Deadline of
                true -> sleep_and_wait(Network, Deadline);
                false -> check(Network)
            end;
        _ ->
            check(Network)
    end.

sleep_and_wait(Network, Deadline) ->
    ok = timer:sleep(10),
    wait_until(Network, Deadline).

%% Of all Pythons together.
replayed(Key) ->
    case lists:partition(fun({Tag, _}) -> Tag =:= ok end, inetpy_faults:ask_all({replayed, Key})) of
        {Answers, []} ->
            {Done, Failures, Missing} = lists:unzip3([Answer || {ok, Answer} <- Answers]),
            {ok, {lists:all(fun(Is) -> Is end, Done), lists:append(Failures), lists:append(Missing)}};
        {_, [Error | _]} ->
            Error
    end.

ask(Request) ->
    inetpy_sup:ask(?MODULE, Request).

-spec start_link() -> gen_server:start_ret().
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Called by inetpy_sup, whose process has the table.
-spec new_table() -> ok.
new_table() ->
    ?TABLE = ets:new(?TABLE, [named_table, public, ordered_set]),
    ok.

%% The arguments of the requests that bring the networks to a Python that has just started.
-spec kept() -> [{describe, {pos_integer(), source(), non_neg_integer() | undefined}}].
kept() -> [{describe, {Key, File, Seed}} || {Key, _, File, Seed} <- ets:tab2list(?TABLE)].

%% --- gen_server ------------------------------------------------------------

%% After a failure of this process the networks are still there, and some of their owners may be gone.
-spec init([]) -> {ok, #state{}}.
init([]) ->
    Monitors = [{Key, erlang:monitor(process, Owner)} || {Key, Owner, _, _} <- ets:tab2list(?TABLE)],
    {ok, #state{monitors = maps:from_list(Monitors)}}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call({load, Owner, File, Seed}, _From, #state{monitors = Monitors} = State) ->
    Key = erlang:unique_integer([positive, monotonic]),
    true = ets:insert(?TABLE, {Key, Owner, File, Seed}),
    case [Error || {error, _} = Error <- inetpy_faults:ask_all({describe, {Key, File, Seed}})] of
        [] ->
            Loaded = Monitors#{Key => erlang:monitor(process, Owner)},
            {reply, {ok, {network, Key}}, State#state{monitors = Loaded}};
        [Error | _] ->
            ok = take_back(Key),
            {reply, readable(Error), State}
    end;
handle_call({unload, Key}, _From, #state{monitors = Monitors} = State) ->
    _ = [true = erlang:demonitor(Monitor, [flush]) || #{Key := Monitor} <- [Monitors]],
    ok = take_back(Key),
    {reply, ok, State#state{monitors = maps:remove(Key, Monitors)}}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Request, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({'DOWN', Monitor, process, _, _}, #state{monitors = Monitors} = State) ->
    Keys = [Key || {Key, M} <- maps:to_list(Monitors), M =:= Monitor],
    lists:foreach(fun take_back/1, Keys),
    {noreply, State#state{monitors = maps:without(Keys, Monitors)}};
handle_info(_Other, State) ->
    {noreply, State}.

take_back(Key) ->
    true = ets:delete(?TABLE, Key),
    _ = inetpy_faults:ask_all({take_back, Key}),
    ok.

readable({error, {bad_network, Why}}) -> {error, {bad_network, unicode:characters_to_list(Why)}};
readable(Error) -> Error.
