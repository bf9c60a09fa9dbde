%% Servers in memory as Erlang sees them, beside the same servers on the loopback interface: see
%% tests/network/seen_from_erlang.py. Each function returns ok.
-module(memory_scenes).

-export([same/0, same/1, names/0, both_families/0, listener/0, tls/0, static/0, wrong/0, many/0]).

-define(HOST, "memory.example").
-define(TIMEOUT, 20_000).

%% The number of a handler, and what is done with a connection to it.
scenes() ->
    [
        {1, fun echo/1},
        {1, fun echo_active/1},
        {1, fun echo_much/1},
        {1, fun recv_times_out/1},
        {2, fun ends_its_direction/1},
        {3, fun reads_to_the_end/1},
        {4, fun is_reset_passive/1},
        {4, fun is_reset_active/1},
        {5, fun resets/1},
        {5, fun leaves_bytes_unread/1},
        {6, fun goes_away/1},
        {7, fun is_held_back/1},
        {8, fun reads_much/1},
        {9, fun is_closed_active/1},
        {9, fun is_closed_passive/1},
        {9, fun sends_to_the_closed/1}
    ].

same() ->
    same([{Number, fun(_, To) -> Scene(To) end} || {Number, Scene} <- scenes()]).

%% A scene is called with `kernel` or `memory`, and where to connect. Both calls answer the same.
same(Scenes) ->
    {ok, Udp} = gen_udp:open(0, [binary, {active, false}]),
    Ports = [binary_to_integer(P) || P <- binary:split(ask(Udp, 1, <<"ports">>), <<" ">>, [global])],
    _ = [same(Udp, Number, lists:nth(Number, Ports), Scene) || {Number, Scene} <- Scenes],
    ok.

same(Udp, Number, Port, Scene) ->
    Kernel = {Scene(kernel, {{127, 0, 0, 1}, Port}), seen(Udp, <<"kernel">>, Number)},
    case {Scene(memory, {?HOST, Number}), seen(Udp, <<"memory">>, Number)} of
        Kernel -> ok;
        Memory -> error({differ, Number, [{kernel, Kernel}, {memory, Memory}]})
    end.

ask(Udp, Port, Question) ->
    ok = gen_udp:send(Udp, ?HOST, Port, Question),
    {ok, {_, Port, Answer}} = gen_udp:recv(Udp, 0, ?TIMEOUT),
    Answer.

%% What the handler has seen, when it says nothing new for a while.
seen(Udp, Where, Number) ->
    Question = <<Where/binary, " ", (integer_to_binary(Number))/binary>>,
    seen(Udp, Question, ask(Udp, 2, Question), 5).

seen(_, _, Seen, 0) ->
    Seen;
seen(Udp, Question, Seen, Left) ->
    timer:sleep(20),
    case ask(Udp, 2, Question) of
        Seen -> seen(Udp, Question, Seen, Left - 1);
        Other -> seen(Udp, Question, Other, 5)
    end.

connect({Host, Port}, Options) ->
    {ok, Socket} = gen_tcp:connect(Host, Port, [binary, {show_econnreset, true} | Options], ?TIMEOUT),
    Socket.

passive(To) ->
    connect(To, [{active, false}]).

%% --- scenes ---

echo(To) ->
    Socket = passive(To),
    ok = gen_tcp:send(Socket, "hello"),
    Results = [gen_tcp:recv(Socket, 5, ?TIMEOUT), gen_tcp:recv(Socket, 0, 50), inet:getstat(Socket, [recv_oct, send_oct])],
    ok = gen_tcp:close(Socket),
    Results.

echo_active(To) ->
    Socket = connect(To, [{active, true}, {packet, 4}]),
    [ok = gen_tcp:send(Socket, binary:copy(<<N>>, N)) || N <- lists:seq(1, 200)],
    ok = gen_tcp:shutdown(Socket, write),
    messages(Socket, 201).

echo_much(To) ->
    Socket = passive(To),
    Data = crypto:strong_rand_bytes(5_000_000),
    spawn_link(fun() -> ok = gen_tcp:send(Socket, Data) end),
    {ok, Data} = gen_tcp:recv(Socket, byte_size(Data), ?TIMEOUT),
    gen_tcp:close(Socket).

recv_times_out(To) ->
    Socket = passive(To),
    Result = gen_tcp:recv(Socket, 1, 50),
    ok = gen_tcp:close(Socket),
    Result.

ends_its_direction(To) ->
    Socket = passive(To),
    ok = gen_tcp:send(Socket, "the question"),
    ok = gen_tcp:shutdown(Socket, write),
    [gen_tcp:send(Socket, "more"), gen_tcp:recv(Socket, 0, ?TIMEOUT), gen_tcp:recv(Socket, 0, ?TIMEOUT)].

reads_to_the_end(To) ->
    Socket = connect(To, [{active, false}, {exit_on_close, false}]),
    Results = [gen_tcp:recv(Socket, 9, ?TIMEOUT), gen_tcp:recv(Socket, 0, ?TIMEOUT), gen_tcp:send(Socket, "thanks")],
    ok = gen_tcp:close(Socket),
    Results.

is_reset_passive(To) ->
    Socket = passive(To),
    ok = gen_tcp:send(Socket, "ping"),
    [gen_tcp:recv(Socket, 0, ?TIMEOUT), gen_tcp:recv(Socket, 0, ?TIMEOUT), gen_tcp:send(Socket, "more")].

is_reset_active(To) ->
    Socket = connect(To, [{active, true}]),
    ok = gen_tcp:send(Socket, "ping"),
    messages(Socket, 2).

resets(To) ->
    Socket = passive(To),
    ok = gen_tcp:send(Socket, "ping"),
    {ok, <<"hello">>} = gen_tcp:recv(Socket, 5, ?TIMEOUT),
    timer:sleep(100),
    ok = inet:setopts(Socket, [{linger, {true, 0}}]),
    gen_tcp:close(Socket).

leaves_bytes_unread(To) ->
    Socket = passive(To),
    ok = gen_tcp:send(Socket, "ping"),
    {ok, <<"h">>} = gen_tcp:recv(Socket, 1, ?TIMEOUT),
    timer:sleep(100),
    gen_tcp:close(Socket).

goes_away(To) ->
    gen_tcp:close(passive(To)).

is_held_back(To) ->
    Socket = connect(To, [{active, false}, {send_timeout, 300}]),
    {ok, <<"hello">>} = gen_tcp:recv(Socket, 5, ?TIMEOUT),
    Result = gen_tcp:send(Socket, binary:copy(<<"x">>, 50_000_000)),
    ok = inet:setopts(Socket, [{linger, {true, 0}}]),
    ok = gen_tcp:close(Socket),
    Result.

reads_much(To) ->
    Socket = passive(To),
    timer:sleep(100),
    {ok, _} = gen_tcp:recv(Socket, 20_000_000, ?TIMEOUT),
    gen_tcp:recv(Socket, 1, ?TIMEOUT).

is_closed_active(To) ->
    messages(connect(To, [{active, once}]), 1).

is_closed_passive(To) ->
    Socket = passive(To),
    [gen_tcp:recv(Socket, 3, ?TIMEOUT), gen_tcp:recv(Socket, 1, ?TIMEOUT), gen_tcp:recv(Socket, 1, ?TIMEOUT)].

sends_to_the_closed(To) ->
    Socket = connect(To, [{active, false}, {exit_on_close, false}]),
    {ok, <<"bye">>} = gen_tcp:recv(Socket, 3, ?TIMEOUT),
    {error, closed} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    First = gen_tcp:send(Socket, "one"),
    timer:sleep(50),
    [First, gen_tcp:send(Socket, "two"), gen_tcp:send(Socket, "three")].

messages(_, 0) ->
    [];
messages(Socket, Count) ->
    receive
        {tcp, Socket, Data} -> [Data | messages(Socket, Count - 1)];
        {tcp_closed, Socket} -> [closed | messages(Socket, Count - 1)];
        {tcp_error, Socket, Reason} -> [{error, Reason} | messages(Socket, Count - 1)]
    after ?TIMEOUT -> [timeout]
    end.

%% --- in memory alone ---

names() ->
    {ok, {198, 18, _, _} = Ip} = inetpy_inet:getaddr(?HOST, inet),
    {ok, {16#2001, 2, 0, 0, 0, 0, 0, _}} = inetpy_inet:getaddr(?HOST, inet6),
    {error, nxdomain} = inetpy_inet:getaddr("app.example", inet),
    Socket = passive({string:uppercase(?HOST), 1}),
    {ok, {Ip, 1}} = inet:peername(Socket),
    {ok, {_, Port}} = inet:sockname(Socket),
    true = Port > 1023,
    {error, econnrefused} = gen_tcp:connect(?HOST, 1000, []),
    gen_tcp:close(Socket).

both_families() ->
    [
        begin
            Socket = connect({?HOST, 9}, [Family, {active, false}]),
            {ok, <<"bye">>} = gen_tcp:recv(Socket, 3, ?TIMEOUT)
        end
     || Family <- [inet, inet6]
    ],
    ok.

%% Python connects to a listener of the node.
listener() ->
    [listener(Options) || Options <- [[], [{ip, {127, 0, 0, 1}}], [inet6]]],
    Socket = passive({?HOST, 100}),
    ok = gen_tcp:send(Socket, "1\n"),
    {ok, <<"refused">>} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    ok.

listener(Options) ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {active, false} | Options]),
    {ok, Port} = inet:port(Listener),
    Client = passive({?HOST, 100}),
    ok = gen_tcp:send(Client, [integer_to_list(Port), "\n"]),
    {ok, Socket} = gen_tcp:accept(Listener, ?TIMEOUT),
    {ok, {_, Port}} = inet:sockname(Socket),
    {ok, <<"hello from Python\n">>} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    ok = gen_tcp:send(Socket, "hello from Erlang\n"),
    {ok, <<"hello from Erlang\n">>} = gen_tcp:recv(Client, 18, ?TIMEOUT),
    {error, closed} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    gen_tcp:close(Socket),
    {error, closed} = gen_tcp:recv(Client, 0, ?TIMEOUT),
    %% and it accepts from the system still
    Loopback =
        case Options of
            [inet6] -> {0, 0, 0, 0, 0, 0, 0, 1};
            _ -> {127, 0, 0, 1}
        end,
    {ok, Other} = gen_tcp:connect(Loopback, Port, [], ?TIMEOUT),
    {ok, _} = gen_tcp:accept(Listener, ?TIMEOUT),
    gen_tcp:close(Other),
    gen_tcp:close(Listener).

tls() ->
    {ok, _} = application:ensure_all_started(ssl),
    [tls(Version) || Version <- ['tlsv1.2', 'tlsv1.3']],
    ok.

tls(Version) ->
    Options = [binary, {active, false}, {verify, verify_none}, {versions, [Version]}],
    {ok, Socket} = ssl:connect("secure.example", 443, Options, ?TIMEOUT),
    {ok, Der} = ssl:peercert(Socket),
    true = public_key:pkix_verify_hostname(Der, [{dns_id, "secure.example"}]),
    Data = crypto:strong_rand_bytes(1_000_000),
    spawn_link(fun() -> ok = ssl:send(Socket, Data) end),
    {ok, Data} = ssl:recv(Socket, byte_size(Data), ?TIMEOUT),
    ssl:close(Socket).

static() ->
    Socket = connect({"static.example", 1}, [{active, false}, {exit_on_close, false}]),
    {ok, _} = gen_tcp:recv(Socket, 1_000_000, ?TIMEOUT),
    {error, closed} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    [ok = gen_tcp:send(Socket, binary:copy(<<"x">>, 1_000_000)) || _ <- lists:seq(1, 10)],
    gen_tcp:close(Socket).

wrong() ->
    Socket = passive({"wrong.example", 1}),
    ok = gen_tcp:send(Socket, "x"),
    {error, econnreset} = gen_tcp:recv(Socket, 0, ?TIMEOUT),
    timer:sleep(200),
    ok.

many() ->
    Sockets = [passive({?HOST, 1}) || _ <- lists:seq(1, 2000)],
    [ok = gen_tcp:send(Socket, "hello") || Socket <- Sockets],
    [{ok, <<"hello">>} = gen_tcp:recv(Socket, 5, ?TIMEOUT) || Socket <- Sockets],
    [ok = gen_tcp:close(Socket) || Socket <- Sockets],
    ok.
