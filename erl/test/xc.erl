%% The tools of scenarios.
%%
%% A scenario is a fun with a backend as its argument. Its result is compared between backends. So the result is what
%% a user can observe, without what differs by chance. The other end of a connection is always a socket of inet,
%% unless the scenario is about both ends.
-module(xc).

-export([udp_options/2, udp/2, udp_pair/2]).
-export([options/2, listen/2, listen/3, connect/4, connect/5, accept/1]).
-export([pair/2, served/2, both/3, listener_port/1, dead_port/0]).
-export([next/0, next/1, messages/1, messages/2, received/2, spawn_call/1, await/1, await/2]).
-export([skip/1, loopback6/0, with_service/1]).
-export([hand_over/2, reset/1, attempt/1, fill/1, sizes/1, until/1, rests/1, map_sizes/1]).

%% A backend: the options for gen_tcp and for gen_udp that make calls go there, and the module with the
%% functions of inet.
-type backend() :: #{
    name := atom(), options := fun((list()) -> list()), udp := fun((list()) -> list()), inet := module(),
    api => module(), peer => fun((list()) -> list()), patience => timeout(), installed => inetpy_install:options()
}.
-type socket() :: gen_tcp:socket().
-export_type([backend/0]).

-define(LONG, 5000).

%% Adds the options that make a gen_tcp call go to the backend.
-spec options(backend(), list()) -> list().
options(#{options := Fun}, Options) -> Fun(Options).

%% The same for gen_udp.
-spec udp_options(backend(), list()) -> list().
udp_options(#{udp := Fun}, Options) -> Fun(Options).

%% A datagram socket of the backend on loopback, passive, and its port.
-spec udp(backend(), list()) -> {socket(), inet:port_number()}.
udp(Backend, Options) ->
    Given = [binary, {active, false}, {ip, {127, 0, 0, 1}} | Options],
    {ok, Socket} = gen_udp:open(0, udp_options(Backend, Given)),
    {Socket, listener_port(Socket)}.

%% {Socket of the backend, its port, a peer on inet, its port}.
-spec udp_pair(backend(), list()) -> {socket(), inet:port_number(), socket(), inet:port_number()}.
udp_pair(Backend, Options) ->
    {Socket, Port} = udp(Backend, Options),
    {ok, Peer} = gen_udp:open(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    {Socket, Port, Peer, listener_port(Peer)}.

-spec listen(backend(), list()) -> socket().
listen(Backend, Options) -> listen(Backend, 0, Options).

-spec listen(backend(), 0..65535, list()) -> socket().
listen(Backend, Port, Options) ->
    {ok, Listener} = gen_tcp:listen(Port, options(Backend, [binary, {active, false} | Options])),
    Listener.

-spec connect(backend(), term(), term(), list()) -> {ok, socket()} | {error, term()}.
connect(Backend, Address, Port, Options) ->
    connect(Backend, Address, Port, Options, ?LONG).

-spec connect(backend(), term(), term(), list(), timeout()) -> {ok, socket()} | {error, term()}.
connect(Backend, Address, Port, Options, Timeout) ->
    gen_tcp:connect(Address, Port, options(Backend, [binary, {active, false} | Options]), Timeout).

-spec accept(socket()) -> socket().
accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener, ?LONG),
    Socket.

%% On a node with inetpy installed the peer of a stock socket must ask for the stock driver, too.
peer_options(#{peer := Fun}, Options) -> Fun(Options);
peer_options(_, Options) -> Options.

%% {Socket of the backend that has connected, its peer on inet}.
-spec pair(backend(), list()) -> {socket(), socket()}.
pair(Backend, Options) ->
    {ok, Listener} = gen_tcp:listen(0, peer_options(Backend, [binary, {active, false}])),
    {ok, Socket} = connect(Backend, {127, 0, 0, 1}, listener_port(Listener), Options),
    Peer = accept(Listener),
    ok = gen_tcp:close(Listener),
    {Socket, Peer}.

%% {Socket that a listener of the backend has accepted, its peer on inet}.
-spec served(backend(), list()) -> {socket(), socket()}.
served(Backend, Options) ->
    Listener = listen(Backend, Options),
    {ok, Peer} = gen_tcp:connect({127, 0, 0, 1}, listener_port(Listener), peer_options(Backend, [binary, {active, false}])),
    Socket = accept(Listener),
    ok = gen_tcp:close(Listener),
    {Socket, Peer}.

%% {connected, accepted}, both of the backend.
-spec both(backend(), list(), list()) -> {socket(), socket()}.
both(Backend, ConnectOptions, ListenOptions) ->
    Listener = listen(Backend, ListenOptions),
    {ok, Client} = connect(Backend, {127, 0, 0, 1}, listener_port(Listener), ConnectOptions),
    Server = accept(Listener),
    ok = gen_tcp:close(Listener),
    {Client, Server}.

-spec listener_port(socket()) -> inet:port_number().
listener_port(Listener) ->
    {ok, Port} = inet:port(Listener),
    Port.

%% A port of 127.0.0.1 where nobody listens.
-spec dead_port() -> inet:port_number().
dead_port() ->
    {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    Port = listener_port(Listener),
    ok = gen_tcp:close(Listener),
    Port.

%% The next message, or `nothing` after a long time.
-spec next() -> term().
next() -> next(?LONG).

-spec next(timeout()) -> term().
next(Timeout) ->
    receive
        Message -> Message
    after Timeout -> nothing
    end.

%% The messages up to the one for which Fun is true.
-spec messages(fun((term()) -> boolean())) -> [term()].
messages(IsLast) -> messages(IsLast, ?LONG).

-spec messages(fun((term()) -> boolean()), timeout()) -> [term()].
messages(IsLast, Timeout) ->
    case next(Timeout) of
        nothing ->
            [nothing];
        Message ->
            case IsLast(Message) of
                true -> [Message];
                false -> [Message | messages(IsLast, Timeout)]
            end
    end.

%% The data of active messages, joined, until there are Size bytes.
-spec received(socket(), non_neg_integer()) -> binary() | {short, binary()}.
received(Socket, Size) -> received(Socket, Size, <<>>).

received(_, Size, Data) when byte_size(Data) >= Size -> Data;
received(Socket, Size, Data) ->
    receive
        {tcp, Socket, More} -> received(Socket, Size, <<Data/binary, More/binary>>)
    after ?LONG -> {short, Data}
    end.

%% Runs Fun in a process of its own; await/1 gives its result.
-spec spawn_call(fun(() -> term())) -> {pid(), reference()}.
spawn_call(Fun) ->
    spawn_monitor(fun() -> exit({result, Fun()}) end).

-spec await({pid(), reference()}) -> term().
await(Call) -> await(Call, ?LONG).

-spec await({pid(), reference()}, timeout()) -> term().
await({Pid, Ref}, Timeout) ->
    receive
        {'DOWN', Ref, process, Pid, {result, Result}} -> Result;
        {'DOWN', Ref, process, Pid, Reason} -> {died, Reason}
    after Timeout -> no_result
    end.

%% Fun runs in a process of its own that owns the socket.
-spec hand_over(socket(), fun(() -> term())) -> ok.
hand_over(Socket, Fun) ->
    Pid = spawn(fun() -> receive go -> Fun() end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    ok.

%% Closes a connection with a reset.
-spec reset(socket()) -> ok.
reset(Socket) ->
    ok = inet:setopts(Socket, [{linger, {true, 0}}]),
    gen_tcp:close(Socket).

%% The result of Fun, which looks up a service by name. One Fun at a time: two lookups of the stock driver at
%% the same time disturb each other.
-spec with_service(fun(() -> term())) -> term().
with_service(Fun) ->
    global:trans({?FUNCTION_NAME, self()}, Fun, [node()]).

%% Ends the scenario, because it cannot run here.
-spec skip(string()) -> no_return().
skip(Why) -> exit({skip, Why}).

%% The loopback address of IPv6. Skips the scenario on a host without IPv6.
-spec loopback6() -> inet:ip6_address().
loopback6() ->
    Address = {0, 0, 0, 0, 0, 0, 0, 1},
    case gen_udp:open(0, [{inet_backend, inet}, inet6, {ip, Address}]) of
        {ok, Socket} -> ok = gen_udp:close(Socket), Address;
        {error, _} -> skip("this host has no IPv6")
    end.

%% The result of Fun, or `{Class, Reason}` when Fun fails.
-spec attempt(fun(() -> term())) -> term().
attempt(Fun) ->
    try
        Fun()
    catch
        exit:{skip, Why} -> skip(Why);
        Class:Reason -> {Class, Reason}
    end.

%% A binary with a pattern, in which missing or moved bytes show.
-spec fill(non_neg_integer()) -> binary().
fill(Size) ->
    binary:part(binary:copy(<<"0123456789abcdef">>, Size div 16 + 1), 0, Size).

-spec sizes([term()]) -> [term()].
sizes(Messages) ->
    [
        case Message of
            {tcp, _, Data} when is_binary(Data) -> byte_size(Data);
            {tcp, _, Data} when is_list(Data) -> {list, length(Data)};
            Other -> element(1, Other)
        end
     || Message <- Messages
    ].

%% Waits until Fun is true. Answers false after a long time.
-spec until(fun(() -> boolean())) -> boolean().
until(Fun) -> until(Fun, 500).

until(_, 0) -> false;
until(Fun, N) ->
    case Fun() of
        true -> true;
        false -> timer:sleep(10), until(Fun, N - 1)
    end.

%% Waits until the first of the counters has been the same for 200 ms.
-spec rests(counters:counters_ref()) -> true.
rests(Counter) -> rests(Counter, counters:get(Counter, 1)).

rests(Counter, Before) ->
    timer:sleep(200),
    case counters:get(Counter, 1) of
        Before -> true;
        Now -> rests(Counter, Now)
    end.

%% The number of keys in all maps of a record, and of the records in it.
-spec map_sizes(term()) -> non_neg_integer().
map_sizes(Map) when is_map(Map) -> map_size(Map);
map_sizes(Tuple) when is_tuple(Tuple) -> lists:sum([map_sizes(Element) || Element <- tuple_to_list(Tuple)]);
map_sizes(_) -> 0.
