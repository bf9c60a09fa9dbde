%% One connection to Redis, which is made again when it is lost.
%%
%% Callers do not wait for each other: requests go out as they come, and answers come in their order. When the
%% connection is lost, all who wait are told; nothing is asked twice. A request without a connection fails at once.
-module(redis_connection).
-behaviour(gen_server).

-export([start_link/3, ask/2, is_connected/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([options/0, reply/0]).

%% timeout: ms that connecting and each answer may take. backoff: the pauses before connecting again, the first and the
%% longest, in ms.
-type options() :: #{timeout := timeout(), backoff := {pos_integer(), pos_integer()}}.
-type reply() :: binary() | integer() | undefined | {error, binary()} | [reply()].

-record(state, {
    place :: {inet:hostname(), inet:port_number()},
    options :: options(),
    pause :: pos_integer(),
    socket :: gen_tcp:socket() | undefined,
    why = starting :: term(),
    input = <<>> :: binary(),
    waiting = queue:new() :: queue:queue({gen_server:from(), pos_integer(), [reply()], reference()})
}).

-spec start_link(inet:hostname(), inet:port_number(), options()) -> {ok, pid()}.
start_link(Host, Port, Options) ->
    gen_server:start_link(?MODULE, {Host, Port, Options}, []).

%% The replies to several commands.
-spec ask(pid(), [[iodata()]]) -> {ok, [reply()]} | {error, term()}.
ask(Connection, Commands) ->
    gen_server:call(Connection, {ask, Commands}, infinity).

-spec is_connected(pid()) -> boolean().
is_connected(Connection) ->
    gen_server:call(Connection, is_connected, infinity).

init({Host, Port, #{backoff := {Pause, _}} = Options}) ->
    self() ! connect,
    {ok, #state{place = {Host, Port}, options = Options, pause = Pause}}.

handle_call(is_connected, _From, State) ->
    {reply, State#state.socket =/= undefined, State};
handle_call({ask, _}, _From, #state{socket = undefined, why = Why} = State) ->
    {reply, {error, {no_connection, Why}}, State};
handle_call({ask, Commands}, From, #state{socket = Socket, waiting = Waiting} = State) ->
    case gen_tcp:send(Socket, [encode(Words) || Words <- Commands]) of
        ok ->
            Timer = erlang:start_timer(maps:get(timeout, State#state.options), self(), answer),
            {noreply, State#state{waiting = queue:in({From, length(Commands), [], Timer}, Waiting)}};
        {error, Reason} ->
            {reply, {error, Reason}, lost(Reason, State)}
    end.

handle_cast(_, State) ->
    {noreply, State}.

handle_info(connect, #state{place = {Host, Port}, options = Options, pause = Pause} = State) ->
    #{timeout := Timeout, backoff := {First, Longest}} = Options,
    case gen_tcp:connect(Host, Port, [binary, {active, once}, {send_timeout, Timeout}], Timeout) of
        {ok, Socket} ->
            {noreply, State#state{socket = Socket, pause = First, input = <<>>}};
        {error, Reason} ->
            _ = erlang:send_after(Pause, self(), connect),
            {noreply, State#state{why = Reason, pause = min(2 * Pause, Longest)}}
    end;
handle_info({tcp, Socket, Data}, #state{socket = Socket, input = Input} = State) ->
    _ = inet:setopts(Socket, [{active, once}]),
    {noreply, answered(State#state{input = <<Input/binary, Data/binary>>})};
handle_info({tcp_closed, Socket}, #state{socket = Socket} = State) ->
    {noreply, lost(closed, State)};
handle_info({tcp_error, Socket, Reason}, #state{socket = Socket} = State) ->
    {noreply, lost(Reason, State)};
handle_info({timeout, Timer, answer}, #state{waiting = Waiting} = State) ->
    %% What comes later could not be told from the next answer.
    case queue:any(fun({_, _, _, Of}) -> Of =:= Timer end, Waiting) of
        true -> {noreply, lost(timeout, State)};
        false -> {noreply, State}
    end;
handle_info(_, State) ->
    {noreply, State}.

terminate(_Reason, #state{socket = undefined}) -> ok;
terminate(_Reason, #state{socket = Socket}) -> gen_tcp:close(Socket).

lost(Why, #state{socket = Socket, waiting = Waiting, pause = Pause} = State) ->
    ok = gen_tcp:close(Socket),
    [gen_server:reply(From, {error, Why}) || {From, _, _, _} <- queue:to_list(Waiting)],
    _ = erlang:send_after(Pause, self(), connect),
    State#state{socket = undefined, why = Why, waiting = queue:new()}.

answered(#state{input = Input, waiting = Waiting} = State) ->
    case {queue:out(Waiting), decode(Input)} of
        {{{value, {From, 1, Replies, Timer}}, Rest}, {Reply, More}} ->
            _ = erlang:cancel_timer(Timer),
            gen_server:reply(From, {ok, lists:reverse(Replies, [Reply])}),
            answered(State#state{input = More, waiting = Rest});
        {{{value, {From, Left, Replies, Timer}}, Rest}, {Reply, More}} ->
            Asked = {From, Left - 1, [Reply | Replies], Timer},
            answered(State#state{input = More, waiting = queue:in_r(Asked, Rest)});
        _ ->
            State
    end.

%% --- RESP ---

encode(Words) ->
    [size($*, length(Words)), [[size($$, iolist_size(Word)), Word, "\r\n"] || Word <- Words]].

size(Sign, Number) ->
    [Sign, integer_to_list(Number), "\r\n"].

%% {Reply, Rest}, or more: the input ends within it.
decode(<<Sign, Input/binary>>) ->
    case binary:split(Input, <<"\r\n">>) of
        [Line, Rest] -> decode(Sign, Line, Rest);
        _ -> more
    end;
decode(<<>>) ->
    more.

decode($+, Text, Rest) -> {Text, Rest};
decode($-, Text, Rest) -> {{error, Text}, Rest};
decode($:, Text, Rest) -> {binary_to_integer(Text), Rest};
decode($$, <<"-1">>, Rest) -> {undefined, Rest};
decode($$, Text, Rest) ->
    Size = binary_to_integer(Text),
    case Rest of
        <<Value:Size/binary, "\r\n", More/binary>> -> {Value, More};
        _ -> more
    end;
decode($*, Text, Rest) ->
    list(binary_to_integer(Text), Rest, []).

list(0, Rest, Replies) -> {lists:reverse(Replies), Rest};
list(Left, Rest, Replies) ->
    case decode(Rest) of
        {Reply, More} -> list(Left - 1, More, [Reply | Replies]);
        more -> more
    end.
