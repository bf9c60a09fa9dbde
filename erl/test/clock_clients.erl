%% Programs on a network whose clock is in the hands of a test: see tests/network/clock.py. The server clock.test does with
%% the clock what it is told. Each function returns ok.
-module(clock_clients).
-export([by_hand/0, standing/0, delay/0, lookup/0, rate/0]).

%% In ms, of the emulator: more than anything here takes.
-define(PATIENCE, 30000).

%% Calls of thirty seconds are over at once. What gen_tcp:connect needs for the name goes off its timeout, in real time.
by_hand() ->
    {ok, S} = connect("silent.test"),
    {ok, L} = gen_tcp:listen(0, []),
    {ok, U} = gen_udp:open(0, [{active, false}]),
    Calls = [
        calling(fun() -> gen_tcp:recv(S, 0, 30000) end),
        calling(fun() -> gen_tcp:accept(L, 30000) end),
        calling(fun() -> gen_udp:recv(U, 0, 30000) end),
        calling(fun() -> gen_tcp:connect("hole.test", 1, [], 30000) end)
    ],
    ok = clock("advance 20000"),
    none = answer_of_any(0),
    ok = clock("advance 10000"),
    [{error, timeout} = answer(Call) || Call <- Calls],
    ok.

%% The caller of a call with a timeout waits on while time stands still: Python answers, so it does not give up.
standing() ->
    {ok, S} = connect("silent.test"),
    Call = calling(fun() -> gen_tcp:recv(S, 0, 100) end),
    none = answer_of_any(3000),
    ok = clock("advance 100"),
    {error, timeout} = answer(Call),
    ok.

%% What comes within the timeout counts, though both are over in one step.
delay() ->
    {ok, S} = connect("echo.test"),
    ok = gen_tcp:send(S, "hello"),
    Call = calling(fun() -> gen_tcp:recv(S, 5, 30000) end),
    ok = clock("advance 19999"),
    none = answer_of_any(0),
    ok = clock("advance 40001"),
    {ok, <<"hello">>} = answer(Call),
    ok.

%% Nobody answers, and the lookup ends in its time.
lookup() ->
    Call = calling(fun() -> gen_tcp:connect("gone.test", 1, []) end),
    none = answer_of_any(0),
    ok = clock("advance 60000"),
    {error, nxdomain} = answer(Call),
    ok.

%% Ten minutes in 0.6 s; and then time goes by as it does.
rate() ->
    {ok, S} = connect("silent.test"),
    ok = clock("rate 1000"),
    {Fast, {error, timeout}} = timer:tc(fun() -> gen_tcp:recv(S, 0, 600000) end),
    true = Fast >= 600000 andalso Fast < 1000 * ?PATIENCE,
    ok = clock("real"),
    {Real, {error, timeout}} = timer:tc(fun() -> gen_tcp:recv(S, 0, 700) end),
    true = Real >= 700000,
    ok.

%% --- tools -------------------------------------------------------------------

connect(Host) -> gen_tcp:connect(Host, 1, [binary, {active, false}]).

%% Tells the clock, and waits until it is done.
clock(Command) ->
    {ok, S} = connect("clock.test"),
    ok = gen_tcp:send(S, [Command, "\n"]),
    {ok, <<"done\n">>} = gen_tcp:recv(S, 5),
    gen_tcp:close(S).

%% A process that carries out a call. It waits for Python when this returns.
calling(Fun) ->
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {answer, self(), Fun()} end),
    wait_for(Pid),
    Pid.

wait_for(Pid) ->
    case process_info(Pid, [status, current_function]) of
        [{status, waiting}, {current_function, {inetpy_request, answer, _}}] ->
            ok;
        undefined ->
            error(answered_at_once);
        _ ->
            erlang:yield(),
            wait_for(Pid)
    end.

answer(Pid) ->
    receive
        {answer, Pid, Answer} -> Answer
    after ?PATIENCE ->
        error({no_answer, process_info(Pid)})
    end.

answer_of_any(Milliseconds) ->
    receive
        {answer, _, Answer} -> Answer
    after Milliseconds ->
        none
    end.
