%% The tools of scenarios about faults: a fault is equal to the real event.
%%
%% An entry is {Name, Text, Real, {Ordinary, Rules}, Scene}, with a map of variants behind it where there are any.
%% On `inet`, and on `socket` for xf_socket, the world `Real` makes the event with real means. On other backends the world `Ordinary` has peers that
%% behave, and the rules make the fault. The scene is the same code for both, and gives what Erlang sees. So an entry
%% becomes a scenario of `xc`, and inetpy_xc compares the two. A rule that has not fired is a difference.
%%
%% A rule is {Whom, What} or {Whom, What, When}. {later, Rule} is added at event/1. The atoms `port` and `address` in
%% Whom stand for those of the world.
%%
%% A peer's steps: {send, Size}, {bytes, Data}, {drip, Size} (byte by byte), {recv, Size}, {setopts, Options},
%% {sleep, Ms}, await (until event/1, or tell/2 with `go`), echo, sink (reads all), drain (the same, and tells how much it
%% was), {tell, Term}, reset, close, half_close, wait. Those of a datagram peer, which begin when it has been greeted:
%% {send, Number}, {collect, Ms} (and tells what came), echo.
%%
%% The scenarios need the network of tests/network/namespace.sh. Each has ports and addresses of its own.
-module(xf).

-export([scenarios/1, variants/2, modes/0, few/0]).
-export([open/3, options/1, read/2, take/3, event/1, heal/1, tell/2, told/1, paced/2, number/0]).
-export([datagrams/2]).

-type step() :: term().
-type way() :: {recv | send, term()}.
-type world() ::
    {peer, [step()]} | {peer, [step()], list()} | {relay, [way()], [step()]} | {far, [step()], cut | vanish}
    | nobody | {address, inet:ip_address()} | {local, [step()]}
    | {udp, [step()]} | {udp_relay, [way()], [step()]} | {udp_relays, [[way()]], [step()]}
    | {with, map(), world()} | {made, fun((map()) -> map()), world()}.
-type rule() :: {map(), term()} | {map(), term(), map()} | {later, rule()}.
-type scene() :: fun((xc:backend(), env()) -> term()).
-type env() :: #{
    role := client | accepted, active := term(), packet := raw | 4 | line, options := list(), quiet := timeout(),
    port := inet:port_number(), address := term(), peer => pid(), event => fun(() -> term()),
    heal => fun(() -> term()), rules => [term()], atom() => term()
}.
-type entry() ::
    {atom(), string(), world(), {world(), [rule()]}, scene()}
    | {atom(), string(), world(), {world(), [rule()]}, scene(), map()}.
-export_type([world/0, rule/0, entry/0, env/0]).

-define(LONG, 20000).
-define(FIRST_PORT, 20000).

%% --- entries ------------------------------------------------------------------

-spec scenarios([entry()]) -> [inetpy_xc:scenario()].
scenarios(Entries) -> [scenario(Entry) || Entry <- Entries].

scenario({Name, Text, Real, Fault, Scene}) ->
    scenario({Name, Text, Real, Fault, Scene, #{}});
scenario({Name, Text, Real, Fault, Scene, How}) ->
    {Name, Text, fun(B) -> run(B, Real, Fault, Scene, maps:merge(defaults(), How)) end}.

defaults() ->
    #{role => client, active => false, packet => raw, options => [], quiet => ?LONG}.

%% The entry in several variants: their names, and what they change in the environment.
-spec variants([{atom(), map()}], entry()) -> [entry()].
variants(Variants, {Name, Text, Real, Fault, Scene}) ->
    variants(Variants, {Name, Text, Real, Fault, Scene, #{}});
variants(Variants, {Name, Text, Real, Fault, Scene, How}) ->
    [{named(Name, Variant), Text, Real, Fault, Scene, maps:merge(How, Change)} || {Variant, Change} <- Variants].

named(Name, Variant) -> list_to_atom(lists:concat([Name, "_", Variant])).

%% The ways to read.
-spec few() -> [{atom(), map()}].
few() -> [{passive, #{}}, {active, #{active => true}}, {once, #{active => once}}, {n, #{active => 2}}].

%% The same, and what matters to a stream.
-spec modes() -> [{atom(), map()}].
modes() ->
    few() ++ [
        {accepted, #{role => accepted}},
        {accepted_active, #{role => accepted, active => true}},
        {packet_4, #{packet => 4}},
        {packet_4_active, #{packet => 4, active => true}},
        {line, #{packet => line}},
        {line_n, #{packet => line, active => 3}},
        {econnreset, #{options => [{show_econnreset, true}]}},
        {econnreset_active, #{active => true, options => [{show_econnreset, true}]}},
        {half_closed, #{options => [{exit_on_close, false}, {show_econnreset, true}]}},
        {half_closed_active, #{active => true, options => [{exit_on_close, false}, {show_econnreset, true}]}}
    ].

%% The rules end with the scenario's process. What has come until then is in the observation, because what the rules
%% hold back comes after that.
run(#{name := Name} = B, Real, _, Scene, How) when Name =:= inet; Name =:= socket ->
    seen(Scene, B, world(Real, How#{port => port(), address => {127, 0, 0, 1}, later => []}));
run(B, _, {Ordinary, Rules}, Scene, How) ->
    Env = world(Ordinary, How#{port => port(), address => {127, 0, 0, 1}}),
    Later = [Rule || {later, Rule} <- Rules],
    ok = added([add(Env, Rule) || Rule <- Rules, element(1, Rule) =/= later]),
    Seen = seen(Scene, B, Env#{later => Later}),
    case [What || {Rule, What} <- get(?MODULE), fired(Rule) =:= 0] of
        [] when length(Rules) > 0 -> Seen;
        Idle -> {these_did_not_fire, Idle, Seen}
    end.

seen(Scene, B, Env) ->
    try
        Result = Scene(B, Env),
        {Result, messages()}
    after
        mend(Env)
    end.

messages() ->
    receive
        Message -> [Message | messages()]
    after 0 -> []
    end.

add(Env, {Whom, What}) -> add(Env, {Whom, What, #{}});
add(Env, {Whom, What, When}) ->
    {ok, Rule} = inetpy_fault:add(maps:map(fun(_, Word) -> meant(Word, Env) end, whom(Whom, Env)), What, When),
    {Rule, What}.

added(Rules) ->
    put(?MODULE, Rules ++ case get(?MODULE) of undefined -> []; Before -> Before end),
    ok.

fired({gone, Fired}) -> Fired;
fired(Rule) -> inetpy_fault:fired(Rule).

%% A rule is for the sockets of its own world.
whom(#{host := _} = Whom, _) -> Whom;
whom(#{owner := _} = Whom, _) -> Whom;
whom(#{local_port := _} = Whom, _) -> Whom;
whom(Whom, #{address := {local, _}}) -> maps:merge(#{host => path}, Whom);
whom(Whom, #{role := accepted}) -> maps:merge(#{local_port => port, role => accepted}, Whom);
whom(Whom, _) -> maps:merge(#{port => port}, Whom).

meant(port, #{port := Port}) -> Port;
meant(address, #{address := Address}) -> list_to_binary(inet:ntoa(Address));
meant(name, #{name := Name}) -> list_to_binary(Name);
meant(path, #{address := {local, Path}}) -> list_to_binary(Path);
meant(self, _) -> self();
meant(Word, _) -> Word.

%% The event happens: the later rules are added, the world does what it can, and the peer goes on.
-spec event(env()) -> ok.
event(#{later := Later} = Env) ->
    ok = added([add(Env, Rule) || Rule <- Later]),
    _ = [Fun() || #{event := Fun} <- [Env]],
    tell(Env, go).

%% The event is over.
-spec heal(env()) -> ok.
heal(Env) ->
    Rules = case get(?MODULE) of undefined -> []; Set -> Set end,
    put(?MODULE, [{gone(Rule), What} || {Rule, What} <- Rules]),
    mend(Env).

gone(Rule) ->
    Fired = fired(Rule),
    ok = inetpy_fault:remove(Rule),
    {gone, Fired}.

mend(Env) ->
    _ = [Fun() || #{heal := Fun} <- [Env]],
    ok.

%% Told to the peer, for whom it may mean something (the step await).
-spec tell(env(), term()) -> ok.
tell(#{peer := Peer}, Message) -> Peer ! Message, ok;
tell(_, _) -> ok.

%% What the peer tells of what it has got (the steps tell and drain).
-spec told(env()) -> term().
told(_) ->
    receive
        {told, Term} -> Term
    after ?LONG -> not_told
    end.

%% {early | in_time | late, Result of Fun}: whether Fun takes about so long. The machine may be slow.
-spec paced(number(), fun(() -> term())) -> {early | in_time | late, term()}.
paced(Ms, Fun) ->
    {Us, Result} = timer:tc(Fun),
    {if Us < Ms * 900 -> early; Us > Ms * 2000 + 20000000 -> late; true -> in_time end, Result}.

%% --- worlds -------------------------------------------------------------------

%% A port that nobody else has: the namespace is ours, and the kernel gives out ports from 32768 on.
port() -> ?FIRST_PORT + number().

%% A number that nobody else has.
-spec number() -> 0..9999.
number() -> erlang:unique_integer([positive, monotonic]) rem 10000.

-spec world(world(), map()) -> env().
world({with, Change, World}, Env) -> world(World, maps:merge(Env, Change));
world({made, Fun, World}, Env) -> world(World, Fun(Env));
world(nobody, Env) -> Env;
world({address, Address}, Env) -> Env#{address => Address};
world({peer, Steps}, Env) -> world({peer, Steps, []}, Env);
world({peer, Steps, Options}, #{role := client} = Env) -> Env#{peer => server(Steps, Options, Env)};
world({peer, Steps, Options}, #{role := accepted} = Env) -> Env#{peer => client(Steps, Options, Env)};
world({relay, Ways, Steps}, #{role := client} = Env) ->
    #{port := Behind} = Last = world({peer, [relayed | Steps]}, Env#{port => port()}),
    _ = relay(Ways, Last, maps:get(port, Env), Behind),
    Last#{port => maps:get(port, Env)};
world({relay, Ways, Steps}, #{role := accepted, port := Port} = Env) ->
    %% seen from the relay the scene is the one behind
    #{port := Before} = Last = world({peer, [relayed | Steps]}, Env#{port => port()}),
    _ = relay([{other(Direction), Way} || {Direction, Way} <- Ways], Last, Before, Port),
    Last#{port => Port};
world({far, Steps, cut}, Env) -> far(Steps, fun(Address, _) -> cut(Address) end, Env);
world({far, Steps, vanish}, Env) -> far(Steps, fun vanish/2, Env);
world({udp, Steps}, Env) -> Env#{peer => udp(Steps, Env)};
world({udp_relay, Ways, Steps}, Env) -> world({udp_relays, [Ways], Steps}, Env);
world({udp_relays, [], Steps}, Env) -> world({udp, Steps}, Env);
world({udp_relays, [Ways | More], Steps}, #{port := Port} = Env) ->
    #{port := Behind} = Last = world({udp_relays, More, Steps}, Env#{port => port()}),
    _ = xf_relay:datagrams(Ways, Port, Behind),
    Last#{port => Port};
world({local, Steps}, Env) ->
    Path = "/run/xf." ++ integer_to_list(number()),
    world({peer, Steps}, Env#{address => {local, Path}, port => 0}).

other(recv) -> send;
other(send) -> recv.

%% The peer waits until the relay has both connections.
relay(Ways, Env, Port, Behind) ->
    xf_relay:stream(Ways, Port, Behind, fun() -> tell(Env, relayed) end).

%% A host of its own behind the router.
far(Steps, Event, Env) ->
    Address = {10, 7, 1, 1 + number() rem 250},
    Peer = server(Steps, [{netns, "/run/netns/far"}], Env#{address => Address}),
    Env#{peer => Peer, address => Address, event => fun() -> Event(Address, Peer) end, heal => fun() -> join(Address) end}.

%% The router drops what comes from and goes to a host.
cut(Address) ->
    _ = [command("ip -n router rule add " ++ Way ++ inet:ntoa(Address) ++ " blackhole") || Way <- ["from ", "to "]],
    ok.

join(Address) ->
    _ = [os:cmd("ip -n router rule delete " ++ Way ++ inet:ntoa(Address) ++ " blackhole") || Way <- ["from ", "to "]],
    ok.

%% The host forgets its connections, without a word, and is there again.
vanish(Address, Peer) ->
    ok = cut(Address),
    Peer ! {die, self()},
    receive {Peer, dead} -> join(Address) end.

-spec command(string()) -> ok.
command(Command) ->
    case os:cmd(Command) of
        "" -> ok;
        Text -> error({Command, Text})
    end.

%% --- peers --------------------------------------------------------------------

%% A peer that plays its steps with each connection. What it is told goes to each connection, also to later ones.
server(Steps, Options, #{port := Port, address := Address} = Env) ->
    Scene = self(),
    Pid = spawn_link(fun() ->
        {ok, L} = gen_tcp:listen(Port, [binary, {active, false}, {reuseaddr, true}, {nodelay, true}, {ip, Address} | Options]),
        Scene ! {self(), ready},
        serve(L, Steps, Env#{scene => Scene})
    end),
    receive {Pid, ready} -> Pid end.

serve(L, Steps, Env) ->
    Self = self(),
    Acceptor = spawn_link(fun() -> accept_all(L, Self) end),
    serve(L, Acceptor, Steps, Env, [], []).

accept_all(L, Server) ->
    case gen_tcp:accept(L) of
        {ok, S} ->
            ok = gen_tcp:controlling_process(S, Server),
            Server ! {accepted, S},
            accept_all(L, Server);
        {error, _} -> ok
    end.

serve(L, Acceptor, Steps, Env, Players, Said) ->
    receive
        {accepted, S} ->
            Player = spawn_link(fun() -> receive {socket, S} -> started(Steps, S, Env) end end),
            _ = gen_tcp:controlling_process(S, Player),
            Player ! {socket, S},
            _ = [Player ! Message || Message <- lists:reverse(Said)],
            serve(L, Acceptor, Steps, Env, [{Player, S} | Players], Said);
        close_listener ->
            unlink(Acceptor),
            exit(Acceptor, kill),
            _ = gen_tcp:close(L),
            serve(L, Acceptor, Steps, Env, Players, Said);
        {die, From} ->
            _ = [end_of(Player, S) || {Player, S} <- Players],
            From ! {self(), dead},
            serve(L, Acceptor, Steps, Env, [], []);
        Message ->
            _ = [Player ! Message || {Player, _} <- Players],
            serve(L, Acceptor, Steps, Env, Players, [Message | Said])
    end.

end_of(Player, S) ->
    _ = inet:setopts(S, [{linger, {true, 0}}]),
    unlink(Player),
    exit(Player, kill),
    xc:until(fun() -> erlang:port_info(S) =:= undefined end).

%% A peer that connects when it is told to.
client(Steps, Options, #{port := Port, address := Address} = Env) ->
    Scene = self(),
    spawn_link(fun() ->
        receive connect -> ok end,
        case gen_tcp:connect(Address, Port, [binary, {active, false}, {nodelay, true} | Options]) of
            {ok, S} ->
                Player = spawn_link(fun() -> receive {socket, S} -> started(Steps, S, Env#{scene => Scene}) end end),
                ok = gen_tcp:controlling_process(S, Player),
                Player ! {socket, S},
                pass_on(Player);
            {error, econnreset} ->
                ok
        end
    end).

pass_on(Player) ->
    receive Message -> Player ! Message, pass_on(Player) end.

%% Not before the scene has its socket: a connect that is reset early can say so.
started(Steps, S, Env) ->
    receive opened -> play(Steps, S, Env) end.

%% The steps of a peer. What it waits for may never come: then the scene's end ends it.
play([], S, _) ->
    {S, receive never -> ok end};
play([Step | Steps], S, #{packet := Packet, scene := Scene} = Env) ->
    _ =
        case Step of
            {send, Size} -> gen_tcp:send(S, stream(Packet, Size));
            {bytes, Data} -> gen_tcp:send(S, Data);
            {drip, Size} -> drip(stream(Packet, Size), S, Packet);
            {recv, Size} -> gen_tcp:recv(S, Size);
            {setopts, Options} -> inet:setopts(S, Options);
            {sleep, Ms} -> timer:sleep(Ms);
            await -> receive go -> ok end;
            relayed -> receive relayed -> ok end;
            echo -> echo(S);
            {tell, What} -> Scene ! {told, What};
            drain -> Scene ! {told, drain(S, 0, true)};
            sink -> drain(S, 0, true);
            reset -> xc:reset(S);
            close -> gen_tcp:close(S);
            half_close -> gen_tcp:shutdown(S, write);
            wait -> receive never -> ok end
        end,
    play(Steps, S, Env).

%% One byte after the other. A raw one waits until the scene has the one before it.
drip(<<>>, _, _) -> ok;
drip(<<Byte, Rest/binary>>, S, Packet) ->
    _ = gen_tcp:send(S, <<Byte>>),
    receive next -> ok after case Packet of raw -> ?LONG; _ -> 1 end -> ok end,
    drip(Rest, S, Packet).

echo(S) ->
    case gen_tcp:recv(S, 0) of
        {ok, Data} -> _ = gen_tcp:send(S, Data), echo(S);
        {error, _} -> ok
    end.

%% Reads all there is: {Size, intact | damaged, how it ended}.
drain(S, Size, Intact) ->
    case gen_tcp:recv(S, 0) of
        {ok, Data} -> drain(S, Size + byte_size(Data), Intact andalso Data =:= piece(Size, byte_size(Data)));
        {error, Why} -> {Size, if Intact -> intact; true -> damaged end, Why}
    end.

piece(From, Size) ->
    binary:part(xc:fill(From rem 16 + Size), From rem 16, Size).

%% --- streams ------------------------------------------------------------------

%% Size bytes of a stream as peers send it: packets of 100 bytes. It can end within one.
-spec stream(raw | 4 | line, non_neg_integer()) -> binary().
stream(raw, Size) -> xc:fill(Size);
stream(4, Size) -> binary:part(binary:copy(<<96:32, (xc:fill(96))/binary>>, Size div 100 + 1), 0, Size);
stream(line, Size) -> binary:part(binary:copy(line(), Size div 100 + 1), 0, Size).

line() -> <<(binary:copy(<<"line ">>, 19))/binary, "four\n">>.

%% The options of the scene's socket.
-spec options(env()) -> list().
options(#{active := Active, packet := Packet, options := Options}) -> [{active, Active}, {packet, Packet} | Options].

%% The scene's socket: connected, or accepted from a peer that connects. Or the error of that.
-spec open(xc:backend(), env(), list()) -> gen_tcp:socket() | {error, term()}.
open(B, #{role := client, address := Address, port := Port} = Env, Options) ->
    case xc:connect(B, Address, Port, options(Env) ++ Options, maps:get(timeout, Env, ?LONG)) of
        {ok, S} -> tell(Env, opened), S;
        Error -> Error
    end;
open(B, #{role := accepted, address := Address, port := Port} = Env, Options) ->
    Active = lists:keydelete(active, 1, options(Env)),
    L = xc:listen(B, Port, [{ip, Address} | Active] ++ Options),
    tell(Env, connect),
    S = xc:accept(L),
    ok = gen_tcp:close(L),
    _ = inet:setopts(S, [{active, maps:get(active, Env)}]),
    tell(Env, opened),
    S.

%% What a reader sees, to the last message: bytes that are next to each other are one.
-spec read(gen_tcp:socket(), env()) -> [term()].
read(S, #{active := false} = Env) -> joined(passive(S, Env), Env);
read(S, Env) -> joined(active(S, Env), Env).

%% The same, up to so many hundreds of bytes as the peer sends them.
-spec take(gen_tcp:socket(), env(), pos_integer()) -> [term()].
take(S, #{packet := 4} = Env, Hundreds) -> read(S, Env#{enough => Hundreds * 96});
take(S, Env, Hundreds) -> read(S, Env#{enough => Hundreds * 100}).

passive(_, #{enough := Enough}) when Enough =< 0 -> [];
passive(S, #{quiet := Quiet} = Env) ->
    case gen_tcp:recv(S, 0, Quiet) of
        {ok, Data} -> tell(Env, next), [Data | passive(S, less(Env, Data))];
        Error -> [Error]
    end.

less(#{enough := Enough} = Env, Data) -> Env#{enough := Enough - byte_size(Data)};
less(Env, _) -> Env.

active(_, #{enough := Enough}) when Enough =< 0 -> [];
active(S, #{quiet := Quiet, active := Active} = Env) ->
    receive
        {tcp, S, Data} ->
            tell(Env, next),
            _ = [inet:setopts(S, [{active, once}]) || Active =:= once],
            [Data | active(S, less(Env, Data))];
        {tcp_passive, S} ->
            _ = inet:setopts(S, [{active, Active}]),
            [tcp_passive | active(S, Env)];
        {tcp_closed, S} = Message -> [Message];
        Other -> [Other | active(S, Env)]
    after Quiet -> [silence]
    end.

%% tcp_passive comes after a number of packets. Without packets their number is chance.
joined(Seen, #{packet := raw} = Env) -> join([Event || Event <- Seen, Event =/= tcp_passive], Env);
joined(Seen, Env) -> join(Seen, Env).

join([Data | _] = Seen, Env) when is_binary(Data) ->
    {Pieces, Rest} = lists:splitwith(fun is_binary/1, Seen),
    [got(iolist_to_binary(Pieces), length(Pieces), Env) | join(Rest, Env)];
join([Event | Rest], Env) -> [Event | join(Rest, Env)];
join([], _) -> [].

got(Data, _, #{packet := raw}) -> {bytes, byte_size(Data), like(Data, xc:fill(byte_size(Data)))};
got(Data, Number, #{packet := 4}) -> {packets, Number, byte_size(Data), like(Data, xc:fill(byte_size(Data)))};
got(Data, Number, #{packet := line}) -> {lines, Number, byte_size(Data), like(Data, stream(line, byte_size(Data)))}.

like(Same, Same) -> intact;
like(_, _) -> damaged.

%% --- datagrams ----------------------------------------------------------------

%% A peer that is greeted first, and plays its steps with the one who has greeted.
udp(Steps, #{port := Port, address := Address} = Env) ->
    Scene = self(),
    Pid = spawn_link(fun() ->
        {ok, P} = gen_udp:open(Port, [binary, {active, false}, {ip, Address}, {recbuf, 1 bsl 20}]),
        Scene ! {self(), ready},
        {ok, {From, FromPort, _}} = gen_udp:recv(P, 0),
        play_udp(Steps, P, {From, FromPort}, Env#{scene => Scene})
    end),
    receive {Pid, ready} -> Pid end.

play_udp([], P, _, _) -> {P, receive never -> ok end};
play_udp([Step | Steps], P, {Address, Port} = To, #{scene := Scene} = Env) ->
    _ =
        case Step of
            {send, Number} -> [gen_udp:send(P, Address, Port, datagram(N)) || N <- lists:seq(1, Number)];
            {collect, Ms} -> Scene ! {told, collect(P, Ms)};
            echo -> echo_udp(P)
        end,
    play_udp(Steps, P, To, Env).

echo_udp(P) ->
    {ok, {Address, Port, Data}} = gen_udp:recv(P, 0),
    ok = gen_udp:send(P, Address, Port, Data),
    echo_udp(P).

collect(P, Ms) ->
    case gen_udp:recv(P, 0, Ms) of
        {ok, {_, _, Data}} -> [number_of(Data) | collect(P, Ms)];
        {error, timeout} -> []
    end.

datagram(N) -> binary:copy(<<N>>, 101).

%% What comes until nothing has come for a while: {number, its size, intact or damaged}.
-spec datagrams(gen_udp:socket(), env()) -> [term()].
datagrams(S, #{active := false, quiet := Quiet} = Env) ->
    case gen_udp:recv(S, 0, Quiet) of
        {ok, {_, _, Data}} -> [number_of(Data) | datagrams(S, Env)];
        {error, timeout} -> [];
        Error -> [Error | datagrams(S, Env)]
    end;
datagrams(S, #{active := Active, quiet := Quiet} = Env) ->
    receive
        {udp, S, _, _, Data} ->
            _ = [inet:setopts(S, [{active, once}]) || Active =:= once],
            [number_of(Data) | datagrams(S, Env)];
        {udp_passive, S} ->
            ok = inet:setopts(S, [{active, Active}]),
            [udp_passive | datagrams(S, Env)];
        {udp_closed, S} = Message -> [Message];
        Other -> [Other | datagrams(S, Env)]
    after Quiet -> []
    end.

number_of(<<>>) -> empty;
number_of(<<N, _/binary>> = Data) ->
    case Data =:= binary:copy(<<N>>, byte_size(Data)) of
        true -> {N, byte_size(Data)};
        false -> {damaged, byte_size(Data)}
    end.
