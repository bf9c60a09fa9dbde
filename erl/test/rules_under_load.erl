%% Rules come and go while 200 connections carry data in both directions: no byte is lost, changed or reordered.
%%
%% One end of each connection is Python's, the other is a stock socket. What is random depends on a seed.
-module(rules_under_load).
-export([come_and_go/1, killed_python/1]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(CONNECTIONS, 200).
-define(CHUNKS, 40).
-define(CHANGERS, 4).
%% In ms, without a byte. A rule of a changer may hold all bytes back until the changer ends.
-define(PATIENCE, 60000).
-define(CHANGES, 20).

%% Processes add and remove rules of their own, and are killed before they have removed all.
-spec come_and_go(integer()) -> ok.
come_and_go(Seed) ->
    ok = inetpy:start(),
    Pairs = [{_, _, Port} | _] = pairs(),
    Flows = [Flow || Pair <- Pairs, Flow <- flows(Pair, Seed)],
    Changers = [spawn_monitor(fun() -> changer({Seed, N}, Port) end) || N <- lists:seq(1, ?CHANGERS)],
    lists:foreach(fun({Pid, Ref}) -> receive {'DOWN', Ref, process, Pid, killed} -> ok end end, Changers),
    true = xc:until(fun() -> inetpy_fault:rules() =:= [] end),
    [] = [Reason || {Pid, Ref} <- Flows, Reason <- [receive {'DOWN', Ref, process, Pid, R} -> R end], Reason =/= ok],
    inetpy:stop().

%% Python is killed: its connections end, and the rules are there again.
-spec killed_python(integer()) -> ok.
killed_python(Seed) ->
    ok = inetpy:start(),
    Pairs = [{_, _, Port} | _] = pairs(),
    {ok, Gone} = gen_tcp:listen(0, [{ip, ?LOOPBACK}]),
    {ok, Other} = inet:port(Gone),
    {ok, _} = inetpy_fault:add(#{port => Other}, {error, #{call => connect, errno => ehostunreach}}),
    {ok, _} = inetpy_fault:add(#{port => Port}, {latency, #{ms => 20}}),
    {_, DiedRef} = spawn_monitor(fun() ->
        {ok, _} = inetpy_fault:add(#{port => Port}, {error, #{call => connect, errno => enetdown}}),
        exit(dead)
    end),
    receive {'DOWN', DiedRef, process, _, dead} -> ok end,
    true = xc:until(fun() -> length(inetpy_fault:rules()) =:= 2 end),
    Before = inetpy_fault:rules(),
    Flows = [Flow || Pair <- Pairs, Flow <- flows(Pair, Seed)],
    timer:sleep(500),
    #{os_pid := OsPid} = inetpy:info(),
    [] = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    Reasons = [receive {'DOWN', Ref, process, Pid, Reason} -> Reason end || {Pid, Ref} <- Flows],
    true = lists:member(broken, Reasons),
    [] = [Reason || Reason <- Reasons, Reason =/= broken, Reason =/= ok],
    true = xc:until(fun() -> is_list(inetpy_fault:rules()) end),
    Same = fun(Rules) -> [maps:remove(fired, Rule) || Rule <- Rules] end,
    true = Same(Before) =:= Same(inetpy_fault:rules()),
    {error, ehostunreach} = gen_tcp:connect(?LOOPBACK, Other, inetpy:tcp_options([])),
    {Ours, Stock, _} = pair(),
    ok = gen_tcp:send(Ours, "again"),
    {ok, <<"again">>} = gen_tcp:recv(Stock, 5),
    inetpy:stop().

%% --- connections -------------------------------------------------------------

pairs() -> [pair() || _ <- lists:seq(1, ?CONNECTIONS)].

%% {the end of Python, the stock end, the port to which Python has connected}.
pair() ->
    Options = [binary, {active, false}, {ip, ?LOOPBACK}],
    {ok, Listener} = gen_tcp:listen(0, Options),
    {ok, Port} = inet:port(Listener),
    {ok, Ours} = gen_tcp:connect(?LOOPBACK, Port, inetpy:tcp_options([binary, {active, false}])),
    {ok, Stock} = gen_tcp:accept(Listener),
    ok = gen_tcp:close(Listener),
    {Ours, Stock, Port}.

%% Both directions, each checked by its receiver.
flows({Ours, Stock, _}, Seed) -> [flow(Ours, Stock, {Seed, Ours, 1}), flow(Stock, Ours, {Seed, Ours, 2})].

flow(From, To, Seed) ->
    spawn_monitor(fun() ->
        Receiver = self(),
        {Sender, Ref} = spawn_monitor(fun() -> send(From, seeded(Seed), ?CHUNKS, Receiver, crypto:hash_init(sha256), 0) end),
        receive
            {sent, Size, Hash} -> exit(checked(received(To, Size, crypto:hash_init(sha256)), Hash));
            {'DOWN', Ref, process, Sender, Reason} -> exit(Reason)
        after 0 ->
            exit(read(To, 0, crypto:hash_init(sha256), Sender, Ref))
        end
    end).

%% Reads what has come, while the sender goes on.
read(Socket, Got, Hash, Sender, Ref) ->
    receive
        {sent, Size, Sent} -> checked(received(Socket, Size - Got, Hash), Sent);
        {'DOWN', Ref, process, Sender, Reason} when Reason =/= normal -> Reason
    after 0 ->
        case gen_tcp:recv(Socket, 0, 50) of
            {ok, Data} -> read(Socket, Got + byte_size(Data), crypto:hash_update(Hash, Data), Sender, Ref);
            {error, timeout} -> read(Socket, Got, Hash, Sender, Ref);
            {error, _} -> broken
        end
    end.

received(_, 0, Hash) ->
    crypto:hash_final(Hash);
received(Socket, Left, Hash) ->
    case gen_tcp:recv(Socket, 0, ?PATIENCE) of
        {ok, Data} when byte_size(Data) =< Left -> received(Socket, Left - byte_size(Data), crypto:hash_update(Hash, Data));
        {ok, Data} -> {too_many, byte_size(Data) - Left};
        {error, timeout} -> {missing, Left};
        {error, _} -> broken
    end.

checked(Hash, Hash) -> ok;
checked(broken, _) -> broken;
checked(Received, Sent) when is_binary(Received) -> {differs, Received, Sent};
checked(Problem, _) -> Problem.

send(_, _, 0, Receiver, Hash, Size) ->
    Receiver ! {sent, Size, crypto:hash_final(Hash)};
send(Socket, State, Left, Receiver, Hash, Size) ->
    {Length, State1} = rand:uniform_s(4000, State),
    {Pause, State2} = rand:uniform_s(200, State1),
    Data = crypto:strong_rand_bytes(Length),
    case gen_tcp:send(Socket, Data) of
        ok -> timer:sleep(Pause), send(Socket, State2, Left - 1, Receiver, crypto:hash_update(Hash, Data), Size + Length);
        {error, _} -> exit(broken)
    end.

seeded(Seed) -> rand:seed_s(exsss, erlang:phash2(Seed, 1 bsl 32)).

%% --- rules -------------------------------------------------------------------

changer(Seed, Port) ->
    _ = rand:seed(exsss, erlang:phash2(Seed, 1 bsl 32)),
    change(?CHANGES, [], Port).

change(0, _, _) ->
    exit(self(), kill);
change(Left, Rules, Port) ->
    timer:sleep(rand:uniform(100)),
    case rand:uniform(5) > 2 orelse Rules =:= [] of
        true ->
            {ok, Rule} = inetpy_fault:add(whom(Port), what()),
            change(Left - 1, [Rule | Rules], Port);
        false ->
            Rule = lists:nth(rand:uniform(length(Rules)), Rules),
            ok = inetpy_fault:remove(Rule),
            change(Left - 1, lists:delete(Rule, Rules), Port)
    end.

whom(Port) ->
    Whom = one_of([#{}, #{role => client}, #{proto => tcp}, #{port => Port}, #{host => "127.0.0.*"}, #{peer => "127.0.0.0/8"}]),
    Whom#{direction => one_of([send, recv, both])}.

what() ->
    one_of([
        {latency, #{ms => rand:uniform(100), jitter => rand:uniform(50)}},
        {bandwidth, #{rate => 20000 + rand:uniform(200000)}},
        {slice, #{size => 1000 + rand:uniform(1000), variation => rand:uniform(1000), delay => rand:uniform(3)}},
        blackhole
    ]).

one_of(List) -> lists:nth(rand:uniform(length(List)), List).
