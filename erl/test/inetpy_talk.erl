%% Two connections on which somebody talks all the time, so that callers need not wait for Python: tests let something
%% happen meanwhile. On one there are questions and answers, with {active, once} around each; on the other numbers go one
%% way, in many small sends. stop/1 says whether anything was lost or changed its place.
-module(inetpy_talk).

-export([start/1, goes_on/1, stop/1, killed/1, numbers/1, port/1]).
-export([is_early/1, until_early/1]).
-export_type([talk/0]).

-type call() :: {pid(), reference()}.
-type talk() :: #{
    asking := call(), echoing := call(), telling := call(), hearing := call(),
    sockets := [gen_tcp:socket()], port := inet:port_number(), counters := counters:counters_ref()
}.

-define(LOOPBACK, {127, 0, 0, 1}).
%% The counters.
-define(ANSWERS, 1).
-define(TOLD, 2).
%% How many of each are enough to say that it goes on: more than callers wait for at first.
-define(MANY, 60).

%% `Options` adds the options that choose a backend. The reader of the numbers is on `inet`, so it outlives Python.
-spec start(fun((list()) -> list())) -> talk().
start(Options) ->
    {ok, Listener} = gen_tcp:listen(0, Options([binary, {active, false}, {ip, ?LOOPBACK}])),
    {ok, Stock} = gen_tcp:listen(0, [{inet_backend, inet}, binary, {active, false}, {ip, ?LOOPBACK}]),
    {Asker, Echo} = pair(Listener, Options),
    {Teller, Reader} = pair(Stock, Options),
    Counters = counters:new(2, []),
    {ok, {_, Port}} = inet:peername(Teller),
    #{
        asking => owned(Asker, fun() -> ask(Asker, 1, Counters) end),
        echoing => owned(Echo, fun() -> echo(Echo) end),
        telling => owned(Teller, fun() -> tell(Teller, 1, Counters) end),
        hearing => owned(Reader, fun() -> hear(Reader, <<>>, 0) end),
        sockets => [Asker, Echo, Teller], port => Port, counters => Counters
    }.

pair(Listener, Options) ->
    {ok, Port} = inet:port(Listener),
    {ok, S} = gen_tcp:connect(?LOOPBACK, Port, Options([binary, {active, false}, {nodelay, true}])),
    {ok, P} = gen_tcp:accept(Listener, 5000),
    ok = gen_tcp:close(Listener),
    {S, P}.

owned(Socket, Fun) ->
    {Pid, _} = Call = xc:spawn_call(fun() -> receive go -> Fun() end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    Call.

%% Waits until there have been many more answers and numbers.
-spec goes_on(talk()) -> ok.
goes_on(#{counters := Counters}) ->
    Enough = [{N, counters:get(Counters, N) + ?MANY} || N <- [?ANSWERS, ?TOLD]],
    true = xc:until(fun() -> lists:all(fun({N, Least}) -> counters:get(Counters, N) >= Least end, Enough) end),
    ok.

%% Ends the talk. Each question must have had its answer, and each number must have come, in order.
-spec stop(talk()) -> ok.
stop(#{asking := {Asking, _} = Ask, echoing := Echo, telling := {Telling, _} = Tell, hearing := Hear}) ->
    _ = [Pid ! stop || Pid <- [Asking, Telling]],
    {asked, []} = xc:await(Ask),
    closed = xc:await(Echo),
    {told, Last, ok, []} = xc:await(Tell),
    {heard, Last} = xc:await(Hear),
    ok.

%% What the calls and the owners of the talk were told when it has ended by itself: {of the questions, of the numbers}. What
%% the reader has had of the numbers are the first ones, in order.
-spec killed(talk()) -> {term(), term()}.
killed(#{asking := Ask, echoing := Echo, telling := Tell, hearing := Hear}) ->
    Asked = xc:await(Ask),
    _ = xc:await(Echo),
    {told, Last, Told, _} = xc:await(Tell),
    {heard, Heard} = xc:await(Hear),
    true = Heard =< Last + 1,  % the one whose call failed may have been sent
    {Asked, Told}.

%% {the first, the last} of these numbers. Fails unless they follow on each other.
-spec numbers(binary()) -> {pos_integer(), pos_integer()}.
numbers(<<First:32, _/binary>> = Data) ->
    {<<>>, Last} = follow(Data, First - 1),
    {First, Last}.

%% The port to which the numbers go.
-spec port(talk()) -> inet:port_number().
port(#{port := Port}) -> Port.

%% Whether callers need not wait on any socket of the talk.
-spec is_early(talk()) -> boolean().
is_early(#{sockets := Sockets}) -> lists:any(fun may_send/1, Sockets).

%% Of many sends one waits.
may_send({'$inet', _, {Bridge, _, Id}}) -> lists:any(fun(_) -> inetpy_early:may_send(Bridge, Id, 1, peer) end, [1, 2]).

-spec until_early(talk()) -> ok.
until_early(#{sockets := Sockets}) ->
    true = xc:until(fun() -> lists:all(fun may_send/1, Sockets) end),
    ok.

%% --- those who talk ----------------------------------------------------------

ask(S, N, Counters) ->
    ok = counters:add(Counters, ?ANSWERS, 1),
    receive
        stop -> ok = gen_tcp:close(S), {asked, rest()}
    after 0 ->
        case {inet:setopts(S, [{active, once}]), gen_tcp:send(S, <<N:64>>), answer(S)} of
            {ok, ok, {tcp, S, <<N:64>>}} -> ask(S, N + 1, Counters);
            Other -> {not_answered, Other, rest()}
        end
    end.

answer(S) ->
    receive {_, S, _} = Message -> Message; {_, S} = Message -> Message after 5000 -> nothing end.

echo(S) ->
    case {inet:setopts(S, [{active, once}]), answer(S)} of
        {ok, {tcp, S, Data}} -> ok = gen_tcp:send(S, Data), echo(S);
        {ok, {tcp_closed, S}} -> closed;
        Other -> Other
    end.

tell(S, N, Counters) ->
    receive
        stop -> {told, N - 1, gen_tcp:close(S), rest()}
    after 0 ->
        case gen_tcp:send(S, <<N:32>>) of
            ok -> ok = counters:add(Counters, ?TOLD, 1), tell(S, N + 1, Counters);
            Error -> {told, N - 1, Error, rest()}
        end
    end.

%% Ends in a failure when a number does not follow on the one before.
hear(S, Rest, Last) ->
    ok = inet:setopts(S, [{active, once}]),
    receive
        {tcp, S, Data} ->
            {Less, Now} = follow(<<Rest/binary, Data/binary>>, Last),
            hear(S, Less, Now);
        {tcp_closed, S} ->
            {heard, Last}
    end.

follow(<<Next:32, Rest/binary>>, Last) when Next =:= Last + 1 -> follow(Rest, Next);
follow(Rest, Last) when byte_size(Rest) < 4 -> {Rest, Last}.

rest() ->
    receive Message -> [Message | rest()] after 0 -> [] end.
