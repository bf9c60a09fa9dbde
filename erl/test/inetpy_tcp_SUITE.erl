%% Behaviour of TCP sockets that cannot be compared with the stock driver of this node.
-module(inetpy_tcp_SUITE).

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([newer_options/1, newer_options_inherited/1, reuseport/1, no_read_ahead/1, sendfile/1]).
-export([reuseport_is_reuseport_lb/1, keepalive_without_answer/1, default_options_of_kernel/1]).
-export([network_namespace/1, out_of_descriptors/1, names_without_descriptors/1, flood_and_quiet/1, logs_reach_the_logger/1]).
-export([log/2]).

-define(INETPY, [{tcp_module, inetpy_tcp}, binary, {active, false}]).

suite() -> [{timetrap, {minutes, 2}}].

all() ->
    [
        newer_options, newer_options_inherited, reuseport, no_read_ahead, sendfile,
        reuseport_is_reuseport_lb, keepalive_without_answer, default_options_of_kernel,
        network_namespace, out_of_descriptors, names_without_descriptors, flood_and_quiet, logs_reach_the_logger
    ].

init_per_suite(Config) ->
    ok = inetpy:start(),
    Config.

end_per_suite(_Config) ->
    inetpy:stop().

%% Options of OTP 28, as documented, on any edition of OTP. Raw options read from the kernel what was set. Their
%% numbers are those of linux/tcp.h.
newer_options(_Config) ->
    {C, _} = pair([{keepcnt, 3}, {keepidle, 11}, {keepintvl, 7}, {user_timeout, 1500}, {read_ahead, false}]),
    {ok, [{keepcnt, 3}, {keepidle, 11}, {keepintvl, 7}, {user_timeout, 1500}, {read_ahead, false}]} =
        inet:getopts(C, [keepcnt, keepidle, keepintvl, user_timeout, read_ahead]),
    Kernel = [<<N:32/native>> || N <- [3, 11, 7, 1500]],
    {ok, Raw} = inet:getopts(C, [{raw, 6, Option, 4} || Option <- [6, 4, 5, 18]]),
    Kernel = [Value || {raw, _, _, Value} <- Raw],
    ok = inet:setopts(C, [{keepcnt, 4}, {exclusiveaddruse, true}]),
    {ok, [{keepcnt, 4}, {exclusiveaddruse, false}]} = inet:getopts(C, [keepcnt, exclusiveaddruse]),
    [{error, einval} = inet:setopts(C, [Bad]) || Bad <- [{keepcnt, x}, {user_timeout, -1}, {read_ahead, 1}, {reuseport, 1}]].

newer_options_inherited(_Config) ->
    {ok, L} = gen_tcp:listen(0, ?INETPY ++ [{keepidle, 22}, {user_timeout, 99}, {read_ahead, false}]),
    {ok, Port} = inet:port(L),
    {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
    {ok, A} = gen_tcp:accept(L, 5000),
    {ok, [{keepidle, 22}, {user_timeout, 99}, {read_ahead, false}]} =
        inet:getopts(A, [keepidle, user_timeout, read_ahead]).

%% Several sockets listen on one port.
reuseport(_Config) ->
    [
        begin
            {ok, L} = gen_tcp:listen(0, ?INETPY ++ [{Option, true}]),
            {ok, Port} = inet:port(L),
            {ok, Other} = gen_tcp:listen(Port, ?INETPY ++ [{Option, true}]),
            {error, eaddrinuse} = gen_tcp:listen(Port, ?INETPY),
            ok = gen_tcp:close(L),
            ok = gen_tcp:close(Other)
        end
     || Option <- [reuseport, reuseport_lb]
    ].

%% On Linux the two are one option of the kernel.
reuseport_is_reuseport_lb(_Config) ->
    [
        begin
            {ok, L} = gen_tcp:listen(0, ?INETPY ++ [{On, true}]),
            {ok, [{On, true}, {Off, true}]} = inet:getopts(L, [On, Off]),
            ok = inet:setopts(L, [{Off, false}]),
            {ok, [{On, false}, {Off, false}]} = inet:getopts(L, [On, Off]),
            ok = gen_tcp:close(L)
        end
     || {On, Off} <- [{reuseport, reuseport_lb}, {reuseport_lb, reuseport}]
    ].

%% A peer that does not answer keepalive probes: the connection breaks, and the owner gets the stock driver's
%% messages. The peer stops answering when the loopback interface of its namespace goes down.
keepalive_without_answer(_Config) ->
    in_namespace(fun(Namespace, Command) ->
        "" = Command("ip link set lo up"),
        %% one probe after a second; the connection breaks a second later
        Quick = [{raw, 6, Option, <<1:32/native>>} || Option <- [4, 5, 6]],
        Options = [{netns, Namespace}, {keepalive, true}, {active, true}, {show_econnreset, true} | Quick],
        {ok, L} = gen_tcp:listen(0, [{netns, Namespace}]),
        {ok, Port} = inet:port(L),
        [Stock, Ours] =
            [element(2, {ok, _} = gen_tcp:connect({127, 0, 0, 1}, Port, Way ++ Options)) || Way <- [[], ?INETPY]],
        "" = Command("ip link set lo down"),
        Said = fun(S) ->
            [receive {tcp_error, S, Reason} -> Reason; {tcp_closed, S} -> closed after 30000 -> silent end || _ <- [1, 2]]
        end,
        [etimedout, closed] = Said(Stock),
        [etimedout, closed] = Said(Ours)
    end).

%% Options in the environment of kernel come before the caller's own. `active` cannot be set there.
default_options_of_kernel(_Config) ->
    Options = [{delay_send, true}, {high_watermark, 12345}, {low_watermark, 1234}, {active, false}],
    Names = [delay_send, high_watermark, low_watermark, active],
    set_kernel([{inet_default_connect_options, Options}, {inet_default_listen_options, Options}]),
    [Stock, Ours] =
        [
            begin
                {ok, L} = gen_tcp:listen(0, Way ++ [{low_watermark, 99}]),
                {ok, Port} = inet:port(L),
                {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, Way ++ [{low_watermark, 99}]),
                {ok, A} = gen_tcp:accept(L, 5000),
                [inet:getopts(S, Names) || S <- [L, C, A]]
            end
         || Way <- [[], [{tcp_module, inetpy_tcp}]]
        ],
    set_kernel([{inet_default_udp_options, [{recbuf, 23456}, {active, false}]}]),
    [StockUdp, OurUdp] =
        [
            begin
                {ok, U} = gen_udp:open(0, Way),
                inet:getopts(U, [recbuf, active])
            end
         || Way <- [[], [{udp_module, inetpy_udp}]]
        ],
    [application:unset_env(kernel, Name) || Name <- [inet_default_connect_options, inet_default_listen_options, inet_default_udp_options]],
    Stock = Ours,
    StockUdp = OurUdp,
    {ok, [{delay_send, true}, {high_watermark, 12345}, {low_watermark, 99} | _]} = hd(Ours).

set_kernel(Settings) ->
    [ok = application:set_env(kernel, Name, Value) || {Name, Value} <- Settings].

%% Without `read_ahead` only the packet is read from the kernel, so another program can read the rest.
no_read_ahead(_Config) ->
    {C, A} = pair([{read_ahead, false}, {packet, 2}]),
    ok = gen_tcp:send(A, <<3:16, "abc", "not yet">>),
    {ok, <<"abc">>} = gen_tcp:recv(C, 0, 5000),
    %% FIONREAD cannot be asked. But a socket that is closed with unread bytes in the kernel sends a reset.
    ok = inet:setopts(A, [{show_econnreset, true}]),
    ok = gen_tcp:close(C),
    {error, econnreset} = gen_tcp:recv(A, 0, 5000).

%% Python sends a file from a copy of the node's descriptor. When there is no copy, OTP reads the file and sends it.
sendfile(_Config) ->
    {C, A} = pair([]),
    Name = code:which(gen_tcp),
    {ok, File} = file:open(Name, [read, raw, binary]),
    {ok, Bytes} = file:read_file(Name),
    Size = byte_size(Bytes),
    {ok, Size} = inetpy_tcp:sendfile(C, File, 0, 0),
    {ok, Bytes} = gen_tcp:recv(A, Size, 5000),
    {error, enotsup} = inetpy_tcp:sendfile(C, {file_descriptor, some_other_module, #{}}, 0, 0),
    ok = file:close(File).

%% A socket in another network namespace does not see our listeners. The namespace belongs to a process, and ends
%% with the process.
network_namespace(_Config) ->
    in_namespace(fun(Namespace, _) ->
        {ok, L} = gen_tcp:listen(0, ?INETPY ++ [{netns, Namespace}]),
        {ok, [{netns, Namespace}]} = inet:getopts(L, [netns]),
        {ok, Number} = inet:port(L),
        {error, econnrefused} = gen_tcp:connect({127, 0, 0, 1}, Number, ?INETPY),
        %% the loopback interface of the namespace is down, ours is up
        {error, Unreachable} = gen_tcp:connect({127, 0, 0, 1}, Number, ?INETPY ++ [{netns, Namespace}]),
        true = lists:member(Unreachable, [enetunreach, ehostunreach]),
        {error, enoent} = gen_tcp:listen(0, ?INETPY ++ [{netns, "/no/such/file"}]),
        {error, einval} = gen_tcp:listen(0, ?INETPY ++ [{netns, "/proc/self/ns/uts"}]),
        {ok, Ours} = gen_tcp:listen(0, ?INETPY),
        {ok, OurPort} = inet:port(Ours),
        {ok, _} = gen_tcp:connect({127, 0, 0, 1}, OurPort, ?INETPY)
    end).

%% Calls Fun with the file of a new network namespace, and a fun that runs a command in it.
in_namespace(Fun) ->
    Port = open_port({spawn, "unshare --net sh -c 'echo $$; cat'"}, [{line, 80}]),
    receive
        {Port, {data, {eol, Pid}}} ->
            Command = fun(Line) -> os:cmd(["nsenter --net --target ", Pid, " ", Line]) end,
            Fun("/proc/" ++ Pid ++ "/ns/net", Command),
            true = port_close(Port);
        {Port, {data, Other}} ->
            {skip, {no_namespaces_here, Other}}
    after 5000 ->
        {skip, no_namespaces_here}
    end.

%% accept answers emfile when Python has no descriptor left. With a free descriptor accept works again.
out_of_descriptors(_Config) ->
    {ok, L} = gen_tcp:listen(0, ?INETPY ++ [{backlog, 50}]),
    {ok, Number} = inet:port(L),
    #{os_pid := OsPid} = inetpy:info(),
    Used = length(filelib:wildcard("/proc/" ++ integer_to_list(OsPid) ++ "/fd/*")),
    Peers = [begin {ok, P} = gen_tcp:connect({127, 0, 0, 1}, Number, []), P end || _ <- lists:seq(1, 5)],
    limit(OsPid, Used + 2),
    {ok, A1} = gen_tcp:accept(L, 5000),
    Answers = [gen_tcp:accept(L, 200) || _ <- lists:seq(1, 4)],
    true = lists:member({error, emfile}, Answers),
    {error, emfile} = gen_tcp:connect({127, 0, 0, 1}, Number, ?INETPY),
    limit(OsPid, 1000),
    Left = [gen_tcp:accept(L, 5000) || _ <- Peers, not lists:all(fun({R, _}) -> R =:= ok end, Answers)],
    true = lists:any(fun({R, _}) -> R =:= ok end, Left),
    ok = gen_tcp:close(A1).

%% Names, services and interfaces are looked up when no descriptor is left, the first time and later. The errors are
%% those of the system. A node without descriptors answers emfile too.
names_without_descriptors(_Config) ->
    ok = inetpy:stop(),
    ok = inetpy:start(),
    #{os_pid := OsPid} = inetpy:info(),
    Happy = [{tcp_module, inetpy_happy_tcp}],
    Calls = [
        fun() -> gen_tcp:connect("localhost", 1, Happy) end,
        fun() -> inetpy_inet:getaddr("localhost", inet) end,
        fun() -> inetpy_inet:gethostbyname("no-such-host.invalid", inet6) end,
        fun() -> inetpy_inet:gethostbyaddr({192, 0, 2, 1}) end,
        fun() -> inetpy_inet:getservbyname(http, tcp) end,
        fun() -> inetpy_inet:getservbyport(80, tcp) end,
        fun() -> inetpy_inet:getifaddrs() end,
        fun() -> gen_tcp:connect({127, 0, 0, 1}, 1, [{fd, 0} | ?INETPY]) end
    ],
    Unloaded = without_descriptors(OsPid, Calls),
    {ok, _} = inetpy_inet:getaddr("localhost", inet),
    {ok, _} = inetpy_inet:getifaddrs(),
    Loaded = without_descriptors(OsPid, Calls),
    [{error, emfile}] = lists:usort(Unloaded ++ Loaded),
    {ok, _} = inetpy_inet:getaddr("localhost", inet),
    {error, econnrefused} = gen_tcp:connect("localhost", 1, Happy).

without_descriptors(OsPid, Calls) ->
    limit(OsPid, 3),
    Answers = [Call() || Call <- Calls],
    limit(OsPid, 1000),
    Answers.

limit(OsPid, Number) ->
    [] = os:cmd(io_lib:format("prlimit --pid ~b --nofile=~b:", [OsPid, Number])).

%% A hundred quiet connections are served while one connection floods.
flood_and_quiet(_Config) ->
    {F, Flooder} = pair([{active, true}, {buffer, 65536}]),
    Chunk = binary:copy(<<"flood">>, 13107),
    Flood = spawn_link(fun() -> flood(Flooder, Chunk) end),
    ok = gen_tcp:controlling_process(Flooder, Flood),
    Sink = spawn_link(fun Sink() -> receive {tcp, _, _} -> Sink(); stop -> ok end end),
    ok = gen_tcp:controlling_process(F, Sink),
    Quiet = [pair([]) || _ <- lists:seq(1, 100)],
    [
        begin
            ok = gen_tcp:send(A, "ping"),
            {ok, <<"ping">>} = gen_tcp:recv(C, 4, 5000)
        end
     || _ <- lists:seq(1, 3), {C, A} <- Quiet
    ],
    unlink(Flood),
    exit(Flood, kill),
    Sink ! stop.

flood(Socket, Chunk) ->
    case gen_tcp:send(Socket, Chunk) of
        ok -> flood(Socket, Chunk);
        {error, _} -> ok
    end.

%% Log messages of Python get to the logger of this node, and pass the filters of its default handler.
logs_reach_the_logger(_Config) ->
    true = register(inetpy_log_listener, self()),
    {ok, Default} = logger:get_handler_config(default),
    ok = logger:add_handler(inetpy_test, ?MODULE, maps:with([filters, filter_default], Default)),
    {ok, _, Out} = inetpy_bridge:where(1, infinity),
    true = port_command(Out, term_to_binary({not_a, request})),
    receive
        {logged, #{level := warning, meta := #{application := inetpy}, msg := {"~ts", [Text]}}} ->
            <<"not a request", _/binary>> = Text
    after 5000 -> ct:fail(no_log)
    end,
    ok = logger:remove_handler(inetpy_test),
    true = unregister(inetpy_log_listener).

%% A logger handler.
log(Event, _Config) ->
    case whereis(inetpy_log_listener) of
        undefined -> ok;
        Pid -> Pid ! {logged, Event}
    end.

pair(Options) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, ?INETPY ++ Options),
    {ok, A} = gen_tcp:accept(L),
    ok = gen_tcp:close(L),
    {C, A}.
