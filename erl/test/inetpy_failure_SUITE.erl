%% What happens when something dies, or says what nobody understands.
-module(inetpy_failure_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2, log/2]).
-export([
    python_dies_under_load/1, owners_are_told/1, monitors_are_told/1, bridge_comes_back_often/1,
    calls_after_death/1, malformed_frames/1, unknown_requests/1, bad_arguments/1,
    unknown_atoms/1, large_terms_are_logged/1, application_stops/1, wrong_python/1, other_protocol/1,
    options_order/1, no_leaks/1, killed_without_end/1, python_is_gone/1, told_to_end/1
]).

-define(INETPY, [{tcp_module, inetpy_tcp}, binary]).
-define(PASSIVE, [{active, false} | ?INETPY]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        python_dies_under_load, owners_are_told, monitors_are_told, bridge_comes_back_often,
        calls_after_death, malformed_frames, unknown_requests, bad_arguments,
        unknown_atoms, large_terms_are_logged, application_stops, wrong_python, other_protocol, options_order,
        no_leaks, killed_without_end, python_is_gone, told_to_end
    ].

init_per_testcase(_, Config) ->
    ok = inetpy:start(),
    Config.

end_per_testcase(_, _Config) ->
    _ = inetpy:stop(),
    ok.

%% kill -9 of Python while many callers wait: each gets {error, closed} in less
%% than a second, and afterwards new sockets work.
python_dies_under_load(_Config) ->
    {ok, L} = gen_tcp:listen(0, [{backlog, 100} | ?PASSIVE]),
    {ok, Port} = inet:port(L),
    Before = length(processes()),
    Receivers = [
        waiting(fun() ->
            {ok, S} = gen_tcp:connect({127, 0, 0, 1}, Port, ?PASSIVE),
            fun() -> gen_tcp:recv(S, 0) end
        end)
     || _ <- lists:seq(1, 20)
    ],
    Accepted = [begin {ok, A} = gen_tcp:accept(L), A end || _ <- Receivers],
    Acceptors = [waiting(fun() -> fun() -> gen_tcp:accept(L) end end) || _ <- lists:seq(1, 10)],
    {ok, Silent} = gen_tcp:listen(0, []),
    {ok, SilentPort} = inet:port(Silent),
    Blocked = waiting(fun() ->
        {ok, S} = gen_tcp:connect({127, 0, 0, 1}, SilentPort, ?PASSIVE),
        ok = gen_tcp:send(S, binary:copy(<<"x">>, 20000000)),
        fun() -> gen_tcp:send(S, "more") end
    end),
    Callers = [
        waiting(fun() -> fun() -> hammer(A) end end)
     || A <- Accepted
    ],
    Waiting = Receivers ++ Acceptors ++ [Blocked] ++ Callers,
    [receive {prepared, Pid} -> ok after 30000 -> ct:fail(not_prepared) end || Pid <- Waiting],
    timer:sleep(100),
    Killed = erlang:monotonic_time(millisecond),
    kill_python(),
    Answers = [await(Pid) || Pid <- Waiting],
    [{error, closed} = Answer || {Answer, _} <- Answers],
    Slowest = lists:max([At - Killed || {_, At} <- Answers]),
    ct:pal("~b callers told, the last after ~b ms", [length(Answers), Slowest]),
    true = Slowest < 1000,
    works(),
    true = xc:until(fun() -> length(processes()) =< Before + 2 end).

%% Owners get what a lost connection gives.
owners_are_told(_Config) ->
    {C, A} = pair([{active, true}], [{active, false}]),
    {O, P} = pair([{active, once}], [{active, false}]),
    kill_python(),
    Messages = [next() || _ <- lists:seq(1, 6)],
    [{tcp_error, C, inetpy_down}, {tcp_closed, C}] = about(C, Messages),
    [{tcp_error, O, inetpy_down}, {tcp_closed, O}] = about(O, Messages),
    [{tcp_closed, A}] = about(A, Messages),
    [{tcp_closed, P}] = about(P, Messages),
    nothing = next(50).

about(Socket, Messages) -> [M || M <- Messages, element(2, M) =:= Socket].

monitors_are_told(_Config) ->
    {C, _} = pair([{active, false}], [{active, false}]),
    Ref = inet:monitor(C),
    kill_python(),
    {'DOWN', Ref, port, C, normal} = receive {'DOWN', _, _, _, _} = Down -> Down after 5000 -> nothing end,
    Again = inet:monitor(C),
    {'DOWN', Again, port, C, noproc} = receive {'DOWN', _, _, _, _} = Gone -> Gone after 5000 -> nothing end.

%% It is started as often as it dies.
bridge_comes_back_often(_Config) ->
    [
        begin
            kill_python(),
            works()
        end
     || _ <- lists:seq(1, 5)
    ].

%% Sockets of a bridge that is dead answer as closed ones.
calls_after_death(_Config) ->
    {C, _} = pair([{active, false}], [{active, false}]),
    kill_python(),
    [
        {error, closed}, {error, closed}, {error, closed}, {error, closed}, {error, closed},
        {error, einval}, {error, einval}, {error, einval}, {error, einval}, {error, einval}, ok
    ] = [
        gen_tcp:send(C, "x"), gen_tcp:recv(C, 0), gen_tcp:accept(C), gen_tcp:shutdown(C, write),
        gen_tcp:controlling_process(C, spawn(fun() -> ok end)), inet:setopts(C, [{active, once}]),
        inet:getopts(C, [active]), inet:sockname(C), inet:peername(C), inet:getstat(C), gen_tcp:close(C)
    ].

%% Ten thousand frames that are no terms, or terms that are no requests. A socket
%% that is in use meanwhile does not notice.
malformed_frames(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    Echo = spawn_link(fun() -> echo(A) end),
    ok = gen_tcp:controlling_process(A, Echo),
    {ok, Bridge, Out} = inetpy_bridge:where(1),
    _ = logger:set_primary_config(level, emergency),
    lists:foreach(
        fun(N) ->
            true = port_command(Out, bad_frame(N rem 9)),
            case N rem 100 of
                0 ->
                    ok = gen_tcp:send(C, <<N:32>>),
                    {ok, <<N:32>>} = gen_tcp:recv(C, 4, 5000);
                _ ->
                    ok
            end
        end,
        lists:seq(1, 10000)
    ),
    _ = logger:set_primary_config(level, notice),
    {ok, Bridge, Out} = inetpy_bridge:where(1),
    works().

bad_frame(0) -> <<>>;
bad_frame(1) -> rand:bytes(rand:uniform(64));
bad_frame(2) -> <<131, (rand:bytes(20))/binary>>;
bad_frame(3) -> <<131, 109, 16#FFFFFFFF:32, "short">>;
bad_frame(4) -> term_to_binary(rand:uniform(1000));
bad_frame(5) -> term_to_binary({send, 1, not_a_reference, <<"x">>});
bad_frame(6) -> term_to_binary({hello, 1, [], self(), hd(erlang:ports())});
bad_frame(7) -> term_to_binary({down, self(), extra});
%% A request as it should be, but for being compressed.
bad_frame(8) -> term_to_binary({info, 0, make_ref(), lists:duplicate(1000, 0.0)}, [compressed]).

%% What is not known is answered with a clear error.
unknown_requests(_Config) ->
    {C, _} = pair([{active, false}], [{active, false}]),
    {error, {inetpy, unknown_op, <<"fly">>}} = inetpy_request:call(C, fly, []),
    {error, {inetpy, unknown_op, <<"fly">>}} = inetpy_request:open(fly, []),
    {'$inet', M, {Bridge, Out, _}} = C,
    {error, closed} = inetpy_request:call({'$inet', M, {Bridge, Out, 999999}}, fly, []),
    ok = gen_tcp:send(C, "still there").

bad_arguments(_Config) ->
    {C, _} = pair([{active, false}], [{active, false}]),
    _ = logger:set_primary_config(level, emergency),
    Requests = [
        {recv, nothing}, {recv, {1}}, {recv, {a, b}}, {send, 17}, {send, [a]}, {shutdown, sideways},
        {accept, 5}, {controlling_process, []}, {take_over, {1, 2}}, {unrecv, 5}, {getstat, x},
        {setopts, 5}, {getopts, 5}
    ],
    [{error, _} = inetpy_request:call(C, Op, Args) || {Op, Args} <- Requests],
    [{error, {inetpy, bad_request, _}} = inetpy_request:open(Op, Args) || Op <- [connect, listen], Args <- [[], {1, 2}]],
    _ = logger:set_primary_config(level, notice),
    ok = gen_tcp:send(C, "still there").

%% What a Python says in words that this node does not have is an error of the one who asked, and
%% one line in the log. Nobody else notices.
unknown_atoms(Config) ->
    ok = inetpy:stop(),
    Program = filename:join(proplists:get_value(priv_dir, Config), "strange"),
    ok = file:write_file(Program, [
        "#!", os:getenv("INETPY_TEST_PYTHON", "python3"), "\n",
        "from inetpy.etf import encode_body\n"
        "from inetpy.session import Session\n"
        "from inetpy.terms import Atom\n"
        "from inetpy.transports.stdio import run\n"
        "def strange(session, ref, args):\n"
        "    word = Atom('_'.join(('no', 'such', 'word', str(args))))\n"
        "    session.note(encode_body((word, 1)))\n"
        "    session.reply(ref, encode_body((Atom('ok'), word)))\n"
        "Session.ops['strange'] = strange\n"
        "run()\n"
    ]),
    ok = file:change_mode(Program, 8#755),
    Before = os:getenv("INETPY_PYTHON"),
    true = os:putenv("INETPY_PYTHON", Program),
    ok = inetpy:start(),
    {C, A} = pair([{active, false}], [{active, false}]),
    #{bridge := Bridge} = inetpy:info(),
    ok = logger:add_handler(?FUNCTION_NAME, ?MODULE, #{config => self()}),
    [{error, {inetpy, exception, _}} = inetpy_request:open(strange, N) || N <- lists:seq(1, 20)],
    ok = logger:remove_handler(?FUNCTION_NAME),
    [_] = logged(),
    #{bridge := Bridge} = inetpy:info(),
    ok = gen_tcp:send(C, "still there"),
    {ok, <<"still there">>} = gen_tcp:recv(A, 11, 5000),
    _ = [os:unsetenv("INETPY_PYTHON") || Before =:= false],
    _ = [os:putenv("INETPY_PYTHON", Before) || Before =/= false].

%% A handler of logger that sends on what it gets.
log(Event, #{config := Pid}) ->
    Pid ! {log, Event}.

logged() ->
    receive
        {log, Event} -> [Event | logged()]
    after 100 -> []
    end.

%% A request that nobody understands is a line in the log, whatever is in it, and what was read
%% with it is not lost.
large_terms_are_logged(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    {ok, Bridge, Out} = inetpy_bridge:where(1),
    Terms = [1 bsl 20000, lists:duplicate(10000, 1 bsl 20000), nested(20000), #{nested(20000) => <<0:8000000>>}, {}],
    ok = logger:add_handler(?FUNCTION_NAME, ?MODULE, #{config => self()}),
    _ = logger:set_primary_config(level, all),
    Frames = [term_to_binary(T) || Term <- Terms, T <- [Term, {recv, Term}, {fly, 0, Term, []}]],
    [true = port_command(Out, Frame) || Frame <- Frames],
    Answers = [inetpy_request:call(C, recv, Term) || Term <- Terms] ++ [inetpy_request:open(connect, Term) || Term <- Terms],
    [{error, {inetpy, bad_request, Text}} = Answer || {error, {_, _, Text}} = Answer <- Answers, byte_size(Text) < 250],
    true = length(Answers) =:= length([ok || {error, {inetpy, bad_request, _}} <- Answers]),
    ok = gen_tcp:send(C, "still there"),
    {ok, <<"still there">>} = gen_tcp:recv(A, 11, 5000),
    _ = logger:set_primary_config(level, notice),
    ok = logger:remove_handler(?FUNCTION_NAME),
    Lines = [Text || #{level := warning, msg := {"~ts", [Text]}} <- logged()],
    true = length(Lines) =:= length(Frames) + length(Answers),
    [] = [Line || Line <- Lines, byte_size(Line) > 250],
    {ok, Bridge, Out} = inetpy_bridge:where(1).

nested(0) -> [];
nested(N) -> [nested(N - 1)].

application_stops(_Config) ->
    {C, _} = pair([{active, true}], [{active, false}]),
    #{os_pid := OsPid} = inetpy:info(),
    ok = inetpy:stop(),
    {tcp_error, C, inetpy_down} = next(),
    {tcp_closed, C} = next(),
    true = xc:until(fun() -> not filelib:is_dir("/proc/" ++ integer_to_list(OsPid)) end),
    {error, {inetpy, not_started, _}} = gen_tcp:connect({127, 0, 0, 1}, 1, ?PASSIVE),
    not_started = inetpy:info(),
    ok = inetpy:start(),
    works().

%% A Python that is not there, or is not ours, is a readable error.
wrong_python(_Config) ->
    ok = inetpy:stop(),
    Before = os:getenv("INETPY_PYTHON", ""),
    _ = logger:set_primary_config(level, emergency),
    true = os:putenv("INETPY_PYTHON", "/no/such/python"),
    {error, {inetpy_python, "INETPY_PYTHON names no program: /no/such/python"}} = inetpy:start(),
    true = os:putenv("INETPY_PYTHON", "/bin/true"),
    {error, {inetpy_python, Ended}} = inetpy:start(),
    true = lists:member(Ended, [{exit_status, 0}, epipe]),
    _ = logger:set_primary_config(level, notice),
    case Before of
        "" -> os:unsetenv("INETPY_PYTHON");
        _ -> os:putenv("INETPY_PYTHON", Before)
    end,
    ok = inetpy:start(),
    works().

%% A Python that speaks another version is a readable error.
other_protocol(Config) ->
    ok = inetpy:stop(),
    Hello = term_to_binary({hello, 9, []}),
    Octal = [io_lib:format("\\~3.8.0b", [Byte]) || <<Byte>> <= <<(byte_size(Hello)):32, Hello/binary>>],
    Program = filename:join(proplists:get_value(priv_dir, Config), "python"),
    ok = file:write_file(Program, ["#!/bin/sh\nprintf '", Octal, "'\ncat > /dev/null\n"]),
    ok = file:change_mode(Program, 8#755),
    Before = os:getenv("INETPY_PYTHON"),
    _ = logger:set_primary_config(level, emergency),
    true = os:putenv("INETPY_PYTHON", Program),
    {error, {inetpy_protocol, Text}} = inetpy:start(),
    _ = logger:set_primary_config(level, notice),
    _ = [os:unsetenv("INETPY_PYTHON") || Before =:= false],
    _ = [os:putenv("INETPY_PYTHON", Before) || Before =/= false],
    "Python speaks protocol 9, this inetpy 1" ++ _ = Text,
    ok = inetpy:start(),
    works().

%% However often it is killed, it comes back, and the whole node stays on it.
killed_without_end(_Config) ->
    ok = inetpy:install(),
    [
        begin
            #{bridge := Bridge} = inetpy:info(),
            Ref = erlang:monitor(process, Bridge),
            exit(Bridge, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end
        end
     || _ <- lists:seq(1, 11)
    ],
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
    true = lists:keymember(inetpy, 1, application:which_applications()),
    works().

%% A Python that cannot be started again: calls fail with an error of ours, and never go to the
%% stock driver; one line in the log says so; and all is well when it can.
python_is_gone(Config) ->
    ok = inetpy:install(),
    Tries = filename:join(proplists:get_value(priv_dir, Config), "tries"),
    Program = filename:join(proplists:get_value(priv_dir, Config), "no_python"),
    ok = file:write_file(Program, ["#!/bin/sh\necho >> ", Tries, "\nexit 3\n"]),
    ok = file:change_mode(Program, 8#755),
    ok = logger:add_handler(?FUNCTION_NAME, ?MODULE, #{config => self()}),
    Before = os:getenv("INETPY_PYTHON"),
    true = os:putenv("INETPY_PYTHON", Program),
    kill_python(),
    Sentence = "Python (" ++ Program ++ ") ended",
    [Sentence, Sentence, Sentence, Sentence] = [string:slice(Text, 0, length(Sentence)) || {error, {inetpy, down, Text}} <- [
        gen_tcp:listen(0, []), gen_tcp:connect({127, 0, 0, 1}, 1, []), gen_udp:open(0),
        gen_tcp:connect("localhost", 1, [{tcp_module, inetpy_tcp}])
    ]],
    {error, {inetpy, down, _}} = inetpy_inet:getaddr("localhost", inet),
    true = xc:until(fun() -> {ok, Text} = file:read_file(Tries), byte_size(Text) >= 4 end),
    {error, {inetpy, down, _}} = gen_tcp:listen(0, []),
    true = inetpy_install:is_installed(),
    not_started = inetpy:info(),
    _ = [os:unsetenv("INETPY_PYTHON") || Before =:= false],
    _ = [os:putenv("INETPY_PYTHON", Before) || Before =/= false],
    true = xc:until(fun() -> element(1, gen_tcp:listen(0, [])) =:= ok end),
    works(),
    ok = logger:remove_handler(?FUNCTION_NAME),
    [error, error, notice] = [Level || #{level := Level, meta := #{application := inetpy}} <- logged()].

%% A service manager that stops a node sends SIGTERM to all its processes: Python waits for the node.
told_to_end(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    #{os_pid := OsPid} = inetpy:info(),
    [] = os:cmd("kill -TERM " ++ integer_to_list(OsPid)),
    ok = gen_tcp:send(C, "still there"),
    {ok, <<"still there">>} = gen_tcp:recv(A, 11, 5000),
    #{os_pid := OsPid} = inetpy:info().

%% gen_tcp takes the first option that names a module: ours must come first.
options_order(_Config) ->
    {ok, Stock} = gen_tcp:listen(0, [inet, {tcp_module, inetpy_tcp}]),
    true = is_port(Stock),
    {ok, Ours} = gen_tcp:listen(0, [{tcp_module, inetpy_tcp}, inet]),
    {'$inet', inetpy_tcp, _} = Ours,
    {ok, Helped} = gen_tcp:listen(0, inetpy:tcp_options([inet])),
    {'$inet', inetpy_tcp, _} = Helped,
    {ok, Six} = gen_tcp:listen(0, inetpy:tcp_options([inet6])),
    {ok, {{0, 0, 0, 0, 0, 0, 0, 0}, _}} = inet:sockname(Six).

%% Opening and closing leaves nothing behind, on either side.
no_leaks(_Config) ->
    works(),
    #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
    Descriptors = fun() -> length(filelib:wildcard("/proc/" ++ integer_to_list(OsPid) ++ "/fd/*")) end,
    Before = Descriptors(),
    [works() || _ <- lists:seq(1, 200)],
    [spawn_wait(fun() -> _ = pair([{active, true}], [{active, false}]) end) || _ <- lists:seq(1, 50)],
    true = xc:until(fun() -> inetpy:which_sockets() =:= [] end),
    true = xc:until(fun() -> Descriptors() =< Before end),
    State = sys:get_state(Bridge),
    [] = [Size || Map <- tuple_to_list(State), is_map(Map), Size <- [map_size(Map)], Size =/= 0].

%% --- tools -----------------------------------------------------------------

kill_python() ->
    #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
    Ref = erlang:monitor(process, Bridge),
    [] = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    receive {'DOWN', Ref, _, _, _} -> ok after 5000 -> ct:fail(bridge_did_not_notice) end.

%% A process that prepares, and then makes one call that waits.
waiting(Prepare) ->
    Parent = self(),
    spawn_link(fun() ->
        Call = Prepare(),
        Parent ! {prepared, self()},
        Result = Call(),
        Parent ! {result, self(), {Result, erlang:monotonic_time(millisecond)}}
    end).

await(Pid) ->
    receive
        {result, Pid, Result} -> Result
    after 10000 -> ct:fail({still_waiting, Pid})
    end.

hammer(Socket) ->
    case inet:getopts(Socket, [nodelay]) of
        {ok, _} -> hammer(Socket);
        {error, einval} -> {error, closed}
    end.

works() ->
    {C, A} = pair([{active, false}], [{active, false}]),
    ok = gen_tcp:send(C, "works"),
    {ok, <<"works">>} = gen_tcp:recv(A, 5, 5000),
    ok = gen_tcp:close(C),
    ok = gen_tcp:close(A).

pair(ConnectOptions, AcceptOptions) ->
    {ok, L} = gen_tcp:listen(0, ?INETPY ++ AcceptOptions),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, ?INETPY ++ ConnectOptions),
    {ok, A} = gen_tcp:accept(L),
    ok = gen_tcp:close(L),
    {C, A}.

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} -> ok = gen_tcp:send(Socket, Data), echo(Socket);
        {error, closed} -> ok
    end.

next() -> next(5000).

next(Timeout) ->
    receive
        Message -> Message
    after Timeout -> nothing
    end.

spawn_wait(Fun) ->
    {Pid, Ref} = spawn_monitor(Fun),
    receive {'DOWN', Ref, process, Pid, normal} -> ok end.
