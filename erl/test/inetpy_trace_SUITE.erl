%% inetpy_trace: what it records, how long, and its files.
-module(inetpy_trace_SUITE).

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    as_in_the_docs/1, a_call/1, bytes_and_turns/1, a_rule_is_named/1, match/1, owner/1, datagrams/1, leaks/1, stray_messages/1, stray_messages_of_socket/1,
    redact/1, bad_options/1, ends_with_its_process/1, python_dies/1, side_by_side/1, files/1, full_disk/1,
    two_bridges/1, not_started/1, nothing_in_play/1
]).

-include_lib("stdlib/include/assert.hrl").

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).
-define(LOOPBACK, {127, 0, 0, 1}).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        as_in_the_docs, a_call, bytes_and_turns, a_rule_is_named, match, owner, datagrams, leaks, stray_messages, stray_messages_of_socket,
        redact, bad_options, ends_with_its_process, python_dies, side_by_side, files, full_disk,
        two_bridges, not_started, nothing_in_play
    ].

init_per_testcase(not_started, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    Bridges = case Case of two_bridges -> 2; _ -> 1 end,
    ok = inetpy:start(#{bridges => Bridges}),
    {ok, Listener} = gen_tcp:listen(0, [binary, {ip, ?LOOPBACK}, {backlog, 200}, {active, false}]),
    {ok, Port} = inet:port(Listener),
    [{port, Port}, {listener, Listener} | Config].

end_per_testcase(_Case, _Config) ->
    _ = inetpy:stop(),
    application:unset_env(inetpy, bridges),
    ok.

as_in_the_docs(Config) ->
    {Socket, Other} = pair(Config),
    {ok, Trace} = inetpy_trace:start(#{match => #{port => port(Config)}}),
    ok = gen_tcp:send(Socket, <<"select ">>),
    ok = gen_tcp:send(Socket, <<"1">>),
    ok = gen_tcp:send(Other, <<"one">>),
    {ok, <<"one">>} = gen_tcp:recv(Socket, 0),
    ok = inetpy_trace:stop(Trace),
    ok = gen_tcp:send(Socket, <<"not recorded">>),
    [#{answer := ok}, #{answer := ok}] = inetpy_trace:calls(Trace, send),
    ?assert(inetpy_trace:sent(Trace, #{contains => <<"select 1">>})),
    ?assert(inetpy_trace:sent(Trace, #{to => "127.0.0.1", contains => "ct 1"})),
    ?assertNot(inetpy_trace:sent(Trace, #{contains => <<"not">>})),
    ?assertNot(inetpy_trace:sent(Trace, #{to => "127.0.0.2"})),
    ?assertEqual({<<"select 1">>, <<"one">>}, inetpy_trace:bytes(Trace)),
    ?assert(inetpy_trace:order(Trace, [send, recv])),
    ?assertNot(inetpy_trace:order(Trace, [recv, send])).

a_call(Config) ->
    {ok, Trace} = inetpy_trace:start(),
    Port = port(Config),
    {ok, Socket} = gen_tcp:connect("localhost", Port, ?INETPY),
    Self = self(),
    [Call] = inetpy_trace:calls(Trace, connect),
    #{op := connect, peer := {<<"localhost">>, Port}, owner := Self, answer := {ok, Socket}, faults := []} = Call,
    #{start := Start, 'end' := End, args := #{port := Port}} = Call,
    ?assert(Start =< End),
    Label = iolist_to_binary(["localhost:", integer_to_list(Port)]),
    #{label := Label} = Call,
    {error, timeout} = gen_tcp:recv(Socket, 0, 0),
    [#{answer := {error, timeout}, args := #{timeout := 0}}] = inetpy_trace:calls(Trace, recv).

bytes_and_turns(Config) ->
    {ok, Trace} = inetpy_trace:start(),
    {Socket, Other} = pair(Config),
    ok = gen_tcp:send(Socket, <<"ping">>),
    ok = gen_tcp:close(Other),
    {error, closed} = gen_tcp:recv(Socket, 0),
    Events = inetpy_trace:events(Trace),
    [#{direction := send, offset := 0, data := <<"ping">>, call := send}] = [E || #{event := bytes} = E <- Events],
    [opened, connecting, connected, Last, closed] = [What || #{event := socket, what := What} <- Events],
    ?assert(lists:member(Last, [eof, reset])),
    ?assertEqual(Events, lists:sort(fun(#{time := A}, #{time := B}) -> A =< B end, Events)).

a_rule_is_named(Config) ->
    {Socket, _} = pair(Config),
    {ok, Trace} = inetpy_trace:start(),
    Send = fun() -> gen_tcp:send(Socket, <<"x">>) end,
    ok = inetpy_fault:with(#{}, [{{error, #{call => send, errno => eagain}}, #{'when' => {nth, 1}}}], Send),
    [#{faults := [<<"error(", _/binary>>]}] = inetpy_trace:calls(Trace, send),
    [#{rule := <<"error(", _/binary>>, call := send}] = [E || #{event := fault} = E <- inetpy_trace:events(Trace)].

match(Config) ->
    {ok, Trace} = inetpy_trace:start(#{match => #{role => listener}}),
    _ = pair(Config),
    {ok, _} = gen_tcp:listen(0, ?INETPY),
    [listen] = [Op || #{op := Op} <- inetpy_trace:calls(Trace)].

%% The owner, also by its name, and of sockets that were open before.
owner(Config) ->
    {Socket, _} = pair(Config),
    true = register(?MODULE, self()),
    {ok, Trace} = inetpy_trace:start(#{match => #{owner => ?MODULE}}),
    spawn_other(fun() -> pair(Config) end),
    ok = eventually(fun() ->
        ok = gen_tcp:send(Socket, <<"x">>),
        inetpy_trace:calls(Trace, send) =/= []
    end).

datagrams(_Config) ->
    {ok, Trace} = inetpy_trace:start(),
    {ok, One} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {active, false}]),
    {ok, Two} = gen_udp:open(0, [{udp_module, inetpy_udp}, binary, {active, false}]),
    {ok, Port} = inet:port(Two),
    ok = gen_udp:send(One, ?LOOPBACK, Port, <<"data">>),
    {ok, {_, _, <<"data">>}} = gen_udp:recv(Two, 0),
    [#{direction := send, peer := {<<"127.0.0.1">>, Port}}, #{direction := recv, data := <<"data">>}] =
        [E || #{event := bytes} = E <- inetpy_trace:events(Trace)].

leaks(Config) ->
    {Before, _} = pair(Config),
    {ok, Trace} = inetpy_trace:start(),
    {Socket, _} = pair(Config),
    Self = self(),
    [#{opened_by := undefined}, #{opened_by := connect, kind := stream, owner := Self}] = inetpy_trace:leaks(Trace),
    ok = gen_tcp:close(Socket),
    ok = gen_tcp:close(Before),
    [] = inetpy_trace:leaks(Trace).

stray_messages(Config) ->
    ok = inetpy_trace:no_stray_messages(),
    {Socket, Other} = pair(Config),
    ok = inet:setopts(Socket, [{active, once}]),
    self() ! {tcp, not_a_socket, <<>>},
    ok = gen_tcp:send(Other, <<"stray">>),
    ok = eventually(fun() -> inetpy_trace:no_stray_messages() =/= ok end),
    {error, {stray_messages, [{tcp, Socket, <<"stray">>}]}} = inetpy_trace:no_stray_messages(),
    receive {tcp, Socket, _} -> ok end,
    ok = inetpy_trace:no_stray_messages().

%% A select message whose recv was given up, and the end of a socket that somebody waits for.
stray_messages_of_socket(Config) ->
    {ok, Plain} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:connect(Plain, #{family => inet, addr => ?LOOPBACK, port => port(Config)}),
    {ok, Other} = gen_tcp:accept(proplists:get_value(listener, Config)),
    {select, {select_info, _, Handle}} = inetpy_socket:recv(Plain, 0, nowait),
    self() ! {'$socket', not_a_socket, select, Handle},
    ok = inetpy_trace:no_stray_messages(),
    ok = gen_tcp:send(Other, <<"stray">>),
    ok = eventually(fun() -> inetpy_trace:no_stray_messages() =/= ok end),
    Select = {'$socket', Plain, select, Handle},
    {error, {stray_messages, [Select]}} = inetpy_trace:no_stray_messages(),
    receive Select -> ok end,
    {ok, <<"stray">>} = inetpy_socket:recv(Plain, 0),
    {select, {select_info, _, Again}} = inetpy_socket:recv(Plain, 0, nowait),
    Abort = {'$socket', Plain, abort, {Again, closed}},
    {_, Closer} = spawn_monitor(fun() -> ok = inetpy_socket:close(Plain) end),
    receive {'DOWN', Closer, process, _, normal} -> ok end,
    ok = eventually(fun() -> inetpy_trace:no_stray_messages() =/= ok end),
    {error, {stray_messages, [Abort]}} = inetpy_trace:no_stray_messages(),
    receive Abort -> ok end,
    ok = inetpy_trace:no_stray_messages().

redact(Config) ->
    {Socket, _} = pair(Config),
    {ok, Trace} = inetpy_trace:start(#{redact => ["authorization", {pattern, "key=(\\w+)"}]}),
    ok = gen_tcp:send(Socket, <<"GET /?key=abc HTTP/1.1\r\nAuthorization: Basic x\r\n\r\n">>),
    {<<"GET /?key=*** HTTP/1.1\r\nAuthorization: *******\r\n\r\n">>, <<>>} = inetpy_trace:bytes(Trace).

bad_options(_Config) ->
    Start = fun(Options) ->
        {error, {bad_trace, Why}} = inetpy_trace:start(Options),
        ?assert(io_lib:printable_unicode_list(Why))
    end,
    Bad = [
        #{match => #{nonsense => 1}}, #{match => 1}, #{file => "run.txt"}, #{memory => 0}, #{nonsense => 1},
        #{redact => [{pattern, "("}]}, #{redact => "authorization"}, #{redact => <<"authorization">>},
        #{redact => [authorization]}, #{redact => {pattern, "a"}}, #{redact => [{header, "a"}]}, #{file => 3}
    ],
    lists:foreach(Start, Bad),
    {error, enoent} = inetpy_trace:start(#{file => "/missing/run.jsonl"}).

ends_with_its_process(Config) ->
    Self = self(),
    Pid = spawn(fun() -> Self ! inetpy_trace:start(), receive stop -> ok end end),
    Trace = receive {ok, It} -> It end,
    {Socket, _} = pair(Config),
    true = exit(Pid, kill),
    ok = eventually(fun() -> {error, {inetpy, no_trace, _}} = inetpy_trace:events(Trace), true end),
    ok = gen_tcp:send(Socket, <<"x">>).

python_dies(Config) ->
    {ok, Trace} = inetpy_trace:start(),
    _ = pair(Config),
    [true = exit(Bridge, kill) || {ok, Bridge, _} <- [inetpy_bridge:where(1, 5000)]],
    {error, {inetpy, no_trace, _}} = inetpy_trace:events(Trace),
    {error, {inetpy, no_trace, _}} = inetpy_trace:stop(Trace).

%% Each has its own, and stopping one leaves the other.
side_by_side(Config) ->
    {Socket, _} = pair(Config),
    {ok, One} = inetpy_trace:start(),
    ok = gen_tcp:send(Socket, <<"1">>),
    {ok, Two} = inetpy_trace:start(),
    ok = gen_tcp:send(Socket, <<"2">>),
    ok = inetpy_trace:stop(One),
    ok = gen_tcp:send(Socket, <<"3">>),
    {{<<"12">>, <<>>}, {<<"23">>, <<>>}} = {inetpy_trace:bytes(One), inetpy_trace:bytes(Two)},
    ok = inetpy_trace:stop(One).

files(Config) ->
    Folder = proplists:get_value(priv_dir, Config),
    Files = [filename:join(Folder, Name) || Name <- ["run.pcapng", "run.jsonl"]],
    Traces = [Trace || File <- Files, {ok, Trace} <- [inetpy_trace:start(#{file => File})]],
    {Socket, _} = pair(Config),
    ok = gen_tcp:send(Socket, <<"written">>),
    [ok = inetpy_trace:stop(Trace) || Trace <- Traces],
    [{_, _} = binary:match(element(2, {ok, _} = file:read_file(File)), <<"written">>) || File <- Files].

%% The trace ends, and not the program.
full_disk(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "full.jsonl"),
    ok = file:make_symlink("/dev/full", File),
    {ok, Trace} = inetpy_trace:start(#{file => File}),
    {Socket, Other} = pair(Config),
    ok = eventually(fun() ->
        ok = gen_tcp:send(Socket, <<"x">>),
        {ok, <<"x">>} = gen_tcp:recv(Other, 1),
        Before = length(inetpy_trace:events(Trace)),
        ok = gen_tcp:send(Socket, <<"x">>),
        {ok, <<"x">>} = gen_tcp:recv(Other, 1),
        length(inetpy_trace:events(Trace)) =:= Before
    end),
    {error, {trace_failed, Why}} = inetpy_trace:stop(Trace),
    ?assert(string:find(Why, "No space left") =/= nomatch).

two_bridges(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "two.jsonl"),
    {ok, Trace} = inetpy_trace:start(#{file => File}),
    _ = [pair(Config) || _ <- [1, 2, 3, 4]],
    4 = length(inetpy_trace:calls(Trace, connect)),
    4 = length(inetpy_trace:leaks(Trace)),
    ok = inetpy_trace:stop(Trace),
    ?assert(filelib:is_regular(filename:rootname(File) ++ "-2.jsonl")).

not_started(_Config) ->
    {error, {inetpy, not_started, _}} = inetpy_trace:start().

%% Requests have no context any more when the last trace has ended.
nothing_in_play(_Config) ->
    false = persistent_term:get(inetpy_context, false),
    {ok, Trace} = inetpy_trace:start(),
    true = persistent_term:get(inetpy_context, false),
    ok = inetpy_trace:stop(Trace),
    ok = eventually(fun() -> not persistent_term:get(inetpy_context, false) end).

%% --- what the cases need -----------------------------------------------------

port(Config) -> proplists:get_value(port, Config).

pair(Config) ->
    {ok, Socket} = gen_tcp:connect(?LOOPBACK, port(Config), ?INETPY),
    {ok, Other} = gen_tcp:accept(proplists:get_value(listener, Config), 5000),
    {Socket, Other}.

spawn_other(Fun) ->
    {Pid, Monitor} = spawn_monitor(fun() -> _ = Fun(), ok end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end.

eventually(Fun) -> eventually(Fun, 1000).

eventually(_, 0) ->
    timeout;
eventually(Fun, N) ->
    try true = Fun(), ok
    catch error:{badmatch, _} -> timer:sleep(5), eventually(Fun, N - 1)
    end.
