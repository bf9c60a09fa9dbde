%% Processes that die, and frames that cannot be understood.
-module(inetpy_failure_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2, log/2]).
-export([
    python_dies_under_load/1, owners_are_told/1, monitors_are_told/1, bridge_comes_back_often/1,
    calls_after_death/1, answered_and_lost/1, closed_and_lost/1, gone_and_dead/1, malformed_frames/1, unknown_requests/1, bad_arguments/1,
    unknown_atoms/1, large_terms_are_logged/1, application_stops/1, wrong_python/1, other_protocol/1,
    starts_without_python/1, installs_itself/1,
    options_order/1, no_leaks/1, killed_without_end/1, python_is_gone/1, told_to_end/1,
    hanging_python/1, hanging_first_python/1, killed_in_its_start/1, made_up_handles/1, frames_with_mode/1
]).

-define(INETPY, [{tcp_module, inetpy_tcp}, binary]).
-define(PASSIVE, [{active, false} | ?INETPY]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        python_dies_under_load, owners_are_told, monitors_are_told, bridge_comes_back_often,
        calls_after_death, answered_and_lost, closed_and_lost, gone_and_dead, malformed_frames, unknown_requests, bad_arguments,
        unknown_atoms, large_terms_are_logged, application_stops, wrong_python, starts_without_python,
        installs_itself, other_protocol, options_order,
        no_leaks, killed_without_end, python_is_gone, told_to_end,
        hanging_python, hanging_first_python, killed_in_its_start, made_up_handles, frames_with_mode
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

%% Owners get the messages of a lost connection.
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

%% Python is started again as often as it dies.
bridge_comes_back_often(_Config) ->
    [
        begin
            kill_python(),
            works()
        end
     || _ <- lists:seq(1, 5)
    ].

%% Requests that were answered, and that Python never read: its owner is told, and the next calls fail.
answered_and_lost(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    [
        begin
            ok = inet:setopts(C, [{active, once}]),
            ok = gen_tcp:send(C, "x"),
            ok = gen_tcp:send(A, "y"),
            {tcp, C, _} = next()
        end
     || _ <- lists:seq(1, 20)
    ],
    #{os_pid := OsPid} = inetpy:info(),
    [] = os:cmd("kill -STOP " ++ integer_to_list(OsPid)),
    ok = gen_tcp:send(C, "lost"),
    ok = inet:setopts(C, [{active, once}]),
    ok = gen_tcp:send(C, "lost"),
    kill_python(),
    Messages = [next() || _ <- [1, 2]],
    true = lists:member({tcp_closed, C}, Messages),
    true = lists:member({tcp_closed, A}, Messages),
    {error, closed} = gen_tcp:send(C, "x"),
    {error, einval} = inet:setopts(C, [{active, once}]),
    works().

%% A close that was answered, and that Python never read. The socket is closed for the listing and for monitors, and
%% its owner hears nothing more of it.
closed_and_lost(_Config) ->
    _ = [[ok, ok] = [gen_tcp:close(S) || S <- tuple_to_list(pair([{active, false}], [{active, false}]))] || _ <- lists:seq(1, 10)],
    {C, A} = pair([{active, false}], [{active, false}]),
    #{os_pid := OsPid, sockets := Before} = inetpy:info(),
    [] = os:cmd("kill -STOP " ++ integer_to_list(OsPid)),
    ok = gen_tcp:close(C),
    #{sockets := After} = inetpy:info(),
    1 = Before - After,
    false = lists:member(C, inetpy:which_sockets()),
    true = lists:member(A, inetpy:which_sockets()),
    Ref = inet:monitor(C),
    {'DOWN', Ref, port, C, noproc} = receive {'DOWN', _, _, _, _} = Gone -> Gone after 5000 -> nothing end,
    kill_python(),
    {tcp_closed, A} = next(),
    nothing = next(50),
    ok = gen_tcp:close(C),
    works().

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

%% A socket that is gone answers each operation as one whose bridge has died: the first answer is from Python (`_GONE`),
%% the second from this node (inetpy_request:closed/1).
gone_and_dead(_Config) ->
    {C, _} = pair([{active, false}], [{active, false}]),
    ok = gen_tcp:close(C),
    Calls = [
        {Op, fun() -> inetpy_request:call(C, Op, Args) end}
     || Op <- operations(), Args <- [[], {nothing}]
    ] ++ [
        {send, fun() -> inetpy_request:send(C, "x") end},
        {send_large, fun() -> inetpy_request:send(C, binary:copy(<<"x">>, 3000000)) end},
        {sendto, fun() -> inetpy_request:sendto(C, connected, [], "x") end},
        {recv, fun() -> inetpy_request:call(C, recv, {0, inetpy_request:patience(100)}, inetpy_request:patience(100)) end},
        {unknown, fun() -> inetpy_request:call(C, unknown, []) end}
    ],
    Answers = fun() -> [{Op, Call()} || {Op, Call} <- Calls] end,
    Gone = Answers(),
    kill_python(),
    Gone = Answers(),
    [ok, {error, closed}, {error, einval}] = lists:usort([Answer || {_, Answer} <- Gone]).

%% The operations on sockets that Python knows.
operations() ->
    Script = "from inetpy.wire.requests import SOCKET; print(*SOCKET)",
    Names = string:lexemes(os:cmd(os:getenv("INETPY_TEST_PYTHON", "python3") ++ " -c '" ++ Script ++ "'"), " \n"),
    true = lists:member("sendfile", Names),
    [list_to_atom(Name) || Name <- Names].

%% Ten thousand frames that are no terms, or terms that are no requests. A socket that is in use meanwhile works on.
malformed_frames(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    Echo = spawn_link(fun() -> echo(A) end),
    ok = gen_tcp:controlling_process(A, Echo),
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity),
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
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity),
    works().

bad_frame(0) -> <<>>;
bad_frame(1) -> rand:bytes(rand:uniform(64));
bad_frame(2) -> <<131, (rand:bytes(20))/binary>>;
bad_frame(3) -> <<131, 109, 16#FFFFFFFF:32, "short">>;
bad_frame(4) -> term_to_binary(rand:uniform(1000));
bad_frame(5) -> term_to_binary({send, 1, not_a_reference, <<"x">>});
bad_frame(6) -> term_to_binary({hello, 1, [], self(), hd(erlang:ports())});
bad_frame(7) -> term_to_binary({down, self(), extra});
%% A valid request, but compressed.
bad_frame(8) -> term_to_binary({info, 0, make_ref(), lists:duplicate(1000, 0.0)}, [compressed]).

%% Unknown operations are answered with a clear error.
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

%% An answer with an atom that this node does not have is an error for its caller, and one line in the log. All
%% other sockets go on.
unknown_atoms(Config) ->
    ok = inetpy:stop(),
    Program = filename:join(proplists:get_value(priv_dir, Config), "strange"),
    ok = file:write_file(Program, [
        "#!", os:getenv("INETPY_TEST_PYTHON", "python3"), "\n",
        "from inetpy.codec.etf import encode_body\n"
        "from inetpy.codec.terms import Atom\n"
        "from inetpy.links.stdio import run\n"
        "from inetpy.operations.dispatch import OPERATIONS\n"
        "from inetpy.wire.requests import SESSION, SOCKET\n"
        "def strange(session, ref, request):\n"
        "    word = encode_body(Atom('no_such_word_' + ref[-12:].hex()))\n"
        "    session.link.opened(1 << 20, word, 'stream', ref)\n"
        "    session.answer(ref, b'h\\2w\\2ok' + word)\n"
        "SESSION['strange'] = SOCKET['close']\n"
        "OPERATIONS['strange'] = strange\n"
        "run()\n"
    ]),
    ok = file:change_mode(Program, 8#755),
    Before = os:getenv("INETPY_PYTHON"),
    true = os:putenv("INETPY_PYTHON", Program),
    ok = inetpy:start(),
    {C, A} = pair([{active, false}], [{active, false}]),
    #{bridge := Bridge} = inetpy:info(),
    ok = logger:add_handler(?FUNCTION_NAME, ?MODULE, #{config => self()}),
    [{error, {inetpy, exception, _}} = inetpy_request:open(strange, []) || _ <- lists:seq(1, 20)],
    ok = logger:remove_handler(?FUNCTION_NAME),
    [_] = logged(),
    #{bridge := Bridge} = inetpy:info(),
    ok = gen_tcp:send(C, "still there"),
    {ok, <<"still there">>} = gen_tcp:recv(A, 11, 5000),
    _ = [os:unsetenv("INETPY_PYTHON") || Before =:= false],
    _ = [os:putenv("INETPY_PYTHON", Before) || Before =/= false].

%% A logger handler that sends its events to the test.
log(Event, #{config := Pid}) ->
    Pid ! {log, Event}.

logged() ->
    receive
        {log, Event} -> [Event | logged()]
    after 100 -> []
    end.

%% A malformed request is one short line in the log, however large it is. The frames that were read with it are
%% not lost.
large_terms_are_logged(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity),
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
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity).

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

%% A program that does not exist, or is no inetpy, gives a readable error.
wrong_python(_Config) ->
    ok = inetpy:stop(),
    Before = os:getenv("INETPY_PYTHON", ""),
    _ = logger:set_primary_config(level, emergency),
    true = os:putenv("INETPY_PYTHON", "/no/such/python"),
    {error, {inetpy_python, "INETPY_PYTHON names no program: /no/such/python"}} = inetpy:start(),
    true = os:putenv("INETPY_PYTHON", "/bin/true"),
    {error, {inetpy_python, "Python (/bin/true) ended" ++ _}} = inetpy:start(),
    {error, {inetpy_python, "Python (/bin/true) ended" ++ _}} = inetpy:install(),
    _ = logger:set_primary_config(level, notice),
    case Before of
        "" -> os:unsetenv("INETPY_PYTHON");
        _ -> os:putenv("INETPY_PYTHON", Before)
    end,
    ok = inetpy:start(),
    works().

%% The application starts without Python. The calls that need Python say what is missing, and the log does once.
starts_without_python(Config) ->
    ok = inetpy:stop(),
    Before = os:getenv("INETPY_PYTHON", ""),
    _ = logger:set_primary_config(level, emergency),
    true = os:putenv("INETPY_PYTHON", "/no/such/python"),
    ok = application:start(inetpy),
    Missing = "INETPY_PYTHON names no program: /no/such/python",
    {error, {inetpy, down, Missing}} = gen_tcp:listen(0, ?PASSIVE),
    {error, {inetpy, down, Missing}} = gen_udp:open(0, [{udp_module, inetpy_udp}]),
    {error, {inetpy_python, Missing}} = inetpy:start(),
    {error, {inetpy_python, Missing}} = inetpy:install(),
    false = inetpy_install:is_installed(),
    not_started = inetpy:info(),
    true = lists:keymember(inetpy, 1, application:which_applications()),
    %% A program that fails is started for calls only.
    Counted = filename:join(proplists:get_value(priv_dir, Config), "starts"),
    Program = Counted ++ ".sh",
    ok = file:write_file(Program, ["#!/bin/sh\necho >> ", Counted, "\n"]),
    ok = file:change_mode(Program, 8#755),
    true = os:putenv("INETPY_PYTHON", Program),
    ok = inetpy:stop(),
    ok = application:start(inetpy),
    {error, {inetpy, down, _}} = gen_tcp:listen(0, ?PASSIVE),
    timer:sleep(500),  % several attempts, if it were attempted without a call
    {ok, <<"\n">>} = file:read_file(Counted),
    {error, {inetpy, down, _}} = gen_tcp:listen(0, ?PASSIVE),
    {ok, <<"\n\n">>} = file:read_file(Counted),
    _ = logger:set_primary_config(level, notice),
    case Before of
        "" -> os:unsetenv("INETPY_PYTHON");
        _ -> os:putenv("INETPY_PYTHON", Before)
    end,
    ok = inetpy:start(),
    works().

%% The application variable `install` puts the node on Python sockets, with Python or without.
installs_itself(_Config) ->
    ok = inetpy:stop(),
    ok = application:set_env(inetpy, install, true),
    ok = application:start(inetpy),
    ok = application:unset_env(inetpy, install),
    true = inetpy_install:is_installed(),
    {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
    ok = inetpy:uninstall(),
    works().

%% A Python with another version of the protocol gives a readable error.
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

%% However often the bridge is killed, it comes back, and the whole node stays on Python sockets.
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

%% Python dies and cannot be started again. Calls fail with `{inetpy, down, _}` and never go to the stock driver,
%% and one line in the log says why. When Python can be started, calls work again.
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

%% A service manager that stops a node sends SIGTERM to all its processes. Python goes on until the node ends.
told_to_end(_Config) ->
    {C, A} = pair([{active, false}], [{active, false}]),
    #{os_pid := OsPid} = inetpy:info(),
    [] = os:cmd("kill -TERM " ++ integer_to_list(OsPid)),
    ok = gen_tcp:send(C, "still there"),
    {ok, <<"still there">>} = gen_tcp:recv(A, 11, 5000),
    #{os_pid := OsPid} = inetpy:info().

%% A Python that neither reads nor greets is ended by inetpy:stop/0, which does not wait for a greeting.
hanging_python(Config) ->
    with_python(hanging(Config), fun(HasStarted) ->
        kill_python(),
        OsPid = HasStarted(),
        {Time, ok} = timer:tc(fun inetpy:stop/0),
        true = Time < 10000000,
        true = xc:until(fun() -> not filelib:is_dir("/proc/" ++ OsPid) end)
    end).

%% The same while inetpy:start/0 waits for the greeting.
hanging_first_python(Config) ->
    ok = inetpy:stop(),
    _ = logger:set_primary_config(level, emergency),
    with_python(hanging(Config), fun(HasStarted) ->
        Starting = xc:spawn_call(fun inetpy:start/0),
        OsPid = HasStarted(),
        {error, {not_started, inetpy}} = inetpy:stop(),
        {error, stopped} = xc:await(Starting, 10000),
        true = xc:until(fun() -> not filelib:is_dir("/proc/" ++ OsPid) end)
    end),
    _ = logger:set_primary_config(level, notice),
    ok = inetpy:start(),
    works().

%% {Program, a function that waits until it runs}
hanging(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "hangs"),
    _ = file:delete(File),
    Program = write_program(Config, "hanging_python", ["#!/bin/sh\necho $$ > ", File, "\nexec sleep 600\n"]),
    {Program, fun() ->
        true = xc:until(fun() -> filelib:file_size(File) > 0 end),
        {ok, OsPid} = file:read_file(File),
        string:trim(binary_to_list(OsPid))
    end}.

%% A bridge process that is killed in its start does not mean that Python cannot be started: calls wait.
killed_in_its_start(_Config) ->
    _ = logger:set_primary_config(level, emergency),
    Calls = [
        begin
            true = xc:until(fun() -> is_pid(whereis(inetpy_bridge)) end),
            Bridge = whereis(inetpy_bridge),
            Ref = erlang:monitor(process, Bridge),
            exit(Bridge, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            xc:spawn_call(fun() -> element(1, gen_tcp:listen(0, ?PASSIVE)) end)
        end
     || _ <- lists:seq(1, 5)
    ],
    [ok = xc:await(Call, 20000) || Call <- Calls],
    _ = logger:set_primary_config(level, notice),
    works().

%% Made-up sockets, with a number, a bridge or a port that is none, answer as closed ones.
made_up_handles(_Config) ->
    {{'$inet', inetpy_tcp, {Bridge, Out, _}}, _} = pair([{active, false}], [{active, false}]),
    Huge = binary:copy(<<"x">>, 3000000),
    Stock = closed_answers(fun() -> {ok, S} = gen_tcp:listen(0, [{active, false}]), ok = gen_tcp:close(S), S end, Huge),
    [
        Stock = closed_answers(fun() -> {'$inet', inetpy_tcp, Handle} end, Huge)
     || Handle <- [
            {Bridge, Out, foo}, {Bridge, Out, 1.0}, {Bridge, Out, <<"1">>}, {Bridge, Out, -1}, {Bridge, Out, 1 bsl 100},
            {Bridge, foo, 1}, {Bridge, Bridge, 1}, {no_such_bridge, Out, foo}
        ]
    ],
    Datagrams = {'$inet', inetpy_udp, {Bridge, Out, foo}},
    {error, closed} = gen_udp:recv(Datagrams, 0),
    {error, closed} = gen_udp:send(Datagrams, {127, 0, 0, 1}, 9, "x"),
    ok = gen_udp:close(Datagrams),
    works().

closed_answers(Closed, Huge) ->
    S = Closed(),
    Calls = [
        fun() -> gen_tcp:send(S, "x") end, fun() -> gen_tcp:send(S, Huge) end, fun() -> gen_tcp:recv(S, 0) end,
        fun() -> gen_tcp:recv(S, 0, 100) end, fun() -> gen_tcp:accept(S) end, fun() -> gen_tcp:shutdown(S, write) end,
        fun() -> inet:setopts(S, [{active, once}]) end, fun() -> inet:getopts(S, [active]) end,
        fun() -> inet:sockname(S) end, fun() -> inet:peername(S) end, fun() -> inet:getstat(S) end,
        fun() ->
            Ref = inet:monitor(S),
            receive {'DOWN', Ref, _, _, Reason} -> Reason after 5000 -> nothing end
        end,
        fun() -> gen_tcp:close(S) end
    ],
    [xc:await(xc:spawn_call(Call), 5000) || Call <- Calls].

%% A frame `{Id, Active, To, Message}` forwards a message, and sets the mode of the socket. The mode decides
%% which messages the owner gets when Python ends.
frames_with_mode(Config) ->
    ok = inetpy:stop(),
    _ = logger:set_primary_config(level, emergency),
    Fake = filename:join([filename:dirname(code:which(?MODULE)), "..", "fake_python.py"]),
    Program = write_program(Config, "fake_python", ["#!/bin/sh\nexec python3 ", Fake, "\n"]),
    Error = {error, {inetpy, exception, "an answer with an unknown atom"}},
    with_python({Program, none}, fun(none) ->
        [
            begin
                ok = inetpy:start(),
                {Heard, WasActive} = told_by_fake(Frames),
                ok = inetpy:stop()
            end
         || {Frames, Heard, WasActive} <- [
                {[], [], false},
                {[{mode, 1, 1}], [], true},
                {[{1, 1, self(), one}], [one], true},
                {[{1, 1, self(), one}, {1, 0, self(), two}], [one, two], false},
                {[{1, 1, alias, one}], [{alias, one}], true},
                {[{1, 1, self(), one}, {1, 0, alias, two}], [one, {alias, two}], false},
                {[{1, 1, self(), one}, {mode, 1, 0}], [one], false},
                %% frames of other sockets, which are closed
                {[{mode, 1, 1}, {2, 0, self(), one}, {300, 0, alias, two}], [one, {alias, two}], true},
                %% a message with an atom that this node does not have: only the message is lost
                {[{1, 1, self(), unknown_atom}, {1, 1, self(), one}], [one], true},
                {[{1, 1, self(), one}, {300, 0, alias, unknown_atom}], [one, {alias, Error}], true},
                {[{1, 1, self(), one}, {1, 0, alias, unknown_atom}], [one, {alias, Error}], false}
            ]
        ]
    end),
    _ = logger:set_primary_config(level, notice),
    ok.

%% The fake Python opens socket 1, sends the frames, and leaves. {The messages, whether the socket was active}
told_by_fake(Frames) ->
    {ok, Bridge, Out} = inetpy_bridge:where(1, infinity),
    Socket = {'$inet', inetpy_tcp, {Bridge, Out, 1}},
    Alias = erlang:alias(),
    [
        begin
            Text = binary:replace(term_to_binary(Frame), <<"unknown_atom">>, <<"no_atom_here">>),
            true = port_command(Out, term_to_binary({say, 0, Alias, <<"SAY:", Text/binary>>}))
        end
     || Frame <- [{open, 1, Socket, stream, self(), 0} | [with_alias(Frame, Alias) || Frame <- Frames]]
    ],
    true = port_command(Out, term_to_binary({say, 0, Alias, <<"LEAVE:">>})),
    Heard = xc:messages(fun(Message) -> Message =:= {tcp_closed, Socket} end, 5000),
    true = erlang:unalias(Alias),
    Messages = Heard -- [{tcp_error, Socket, inetpy_down}, {tcp_closed, Socket}],
    {
        [case Message of {Alias, Answer} -> {alias, Answer}; _ -> Message end || Message <- Messages],
        lists:member({tcp_error, Socket, inetpy_down}, Heard)
    }.

with_alias({Id, Active, alias, Message}, Alias) -> {Id, Active, Alias, Message};
with_alias(Frame, _) -> Frame.

%% gen_tcp takes the first option that names a module, so our module must come first.
options_order(_Config) ->
    {ok, Stock} = gen_tcp:listen(0, [inet, {tcp_module, inetpy_tcp}]),
    true = is_port(Stock),
    {ok, Ours} = gen_tcp:listen(0, [{tcp_module, inetpy_tcp}, inet]),
    {'$inet', inetpy_tcp, _} = Ours,
    {ok, Helped} = gen_tcp:listen(0, inetpy:tcp_options([inet])),
    {'$inet', inetpy_tcp, _} = Helped,
    {ok, Six} = gen_tcp:listen(0, inetpy:tcp_options([inet6])),
    {ok, {{0, 0, 0, 0, 0, 0, 0, 0}, _}} = inet:sockname(Six).

%% Opening and closing sockets leaks nothing, in Python or in the bridge.
no_leaks(_Config) ->
    works(),
    #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
    Descriptors = fun() -> length(filelib:wildcard("/proc/" ++ integer_to_list(OsPid) ++ "/fd/*")) end,
    Before = Descriptors(),
    [works() || _ <- lists:seq(1, 200)],
    [spawn_wait(fun() -> _ = pair([{active, true}], [{active, false}]) end) || _ <- lists:seq(1, 50)],
    true = xc:until(fun() -> inetpy:which_sockets() =:= [] end),
    true = xc:until(fun() -> Descriptors() =< Before end),
    0 = xc:map_sizes(sys:get_state(Bridge)).

%% --- tools -----------------------------------------------------------------

%% Runs Fun with another program as Python.
with_python({Program, Argument}, Fun) ->
    Before = os:getenv("INETPY_PYTHON"),
    true = os:putenv("INETPY_PYTHON", Program),
    try
        Fun(Argument)
    after
        _ = [os:unsetenv("INETPY_PYTHON") || Before =:= false],
        _ = [os:putenv("INETPY_PYTHON", Before) || Before =/= false]
    end.

write_program(Config, Name, Text) ->
    Program = filename:join(proplists:get_value(priv_dir, Config), Name),
    ok = file:write_file(Program, Text),
    ok = file:change_mode(Program, 8#755),
    Program.

kill_python() ->
    #{os_pid := OsPid, bridge := Bridge} = inetpy:info(),
    Ref = erlang:monitor(process, Bridge),
    [] = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    receive {'DOWN', Ref, _, _, _} -> ok after 5000 -> ct:fail(bridge_did_not_notice) end.

%% A process that runs Prepare, and then makes the call that Prepare returns.
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
