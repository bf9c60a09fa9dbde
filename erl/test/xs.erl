%% The tools of scenarios for the module `socket`.
%%
%% Such a scenario calls the module that its backend names as `api`: OTP's `socket`, or ours. Both ends of a
%% connection are sockets of that module, unless the scenario is about something else.
-module(xs).

-export([loopback/0, listener/1, full_listener/1, busy_listener/1, pair/1, pair6/1, local_pair/2, local_udp_pair/1, udp/1, udp_pair/1]).
-export([message/0, message/1, received/3, fill_up/1, sockets/2, attempt/1, attempts/1, path/0, without/2, printed/1, with_file/2, with_file/3, holder/1, in/2, ends/1]).

-type backend() :: #{api := module(), _ => _}.
-type socket() :: socket:socket().

-define(LONG, 5000).

%% An address of this host with a port of the system's choice.
-spec loopback() -> socket:sockaddr_in().
loopback() -> #{family => inet, addr => loopback, port => 0}.

%% A listening stream socket, and its address.
-spec listener(backend()) -> {socket(), socket:sockaddr_in()}.
listener(#{api := M}) ->
    {ok, Listener} = M:open(inet, stream),
    ok = M:bind(Listener, loopback()),
    ok = M:listen(Listener),
    {ok, Address} = M:sockname(Listener),
    {Listener, Address}.

%% The address of a listener that takes no more connections: a connect there waits.
-spec full_listener(backend()) -> socket:sockaddr_in().
full_listener(Backend) -> element(1, busy_listener(Backend)).

%% The same, and the listener.
-spec busy_listener(backend()) -> {socket:sockaddr_in(), socket()}.
busy_listener(#{api := M}) ->
    {ok, Listener} = M:open(inet, stream),
    ok = M:bind(Listener, loopback()),
    ok = M:listen(Listener, 0),
    {ok, Address} = M:sockname(Listener),
    {ok, Filler} = M:open(inet, stream),
    ok = M:connect(Filler, Address),
    {Address, Listener}.

%% {connected, accepted}.
-spec pair(backend()) -> {socket(), socket()}.
pair(#{api := M} = Backend) ->
    {Listener, Address} = listener(Backend),
    {ok, Client} = M:open(inet, stream),
    ok = M:connect(Client, Address),
    {ok, Server} = M:accept(Listener, ?LONG),
    ok = M:close(Listener),
    {Client, Server}.

%% The same over IPv6.
-spec pair6(backend()) -> {socket(), socket()}.
pair6(#{api := M}) ->
    {ok, Listener} = M:open(inet6, stream),
    ok = M:bind(Listener, #{family => inet6, addr => loopback, port => 0}),
    ok = M:listen(Listener),
    {ok, Address} = M:sockname(Listener),
    {ok, Client} = M:open(inet6, stream),
    ok = M:connect(Client, Address),
    {ok, Server} = M:accept(Listener, ?LONG),
    ok = M:close(Listener),
    {Client, Server}.

%% The same in the unix domain.
-spec local_pair(backend(), stream | seqpacket) -> {socket(), socket()}.
local_pair(#{api := M}, Type) ->
    Path = path(),
    {ok, Listener} = M:open(local, Type),
    ok = M:bind(Listener, #{family => local, path => Path}),
    ok = M:listen(Listener),
    {ok, Client} = M:open(local, Type),
    ok = M:connect(Client, #{family => local, path => Path}),
    {ok, Server} = M:accept(Listener, ?LONG),
    ok = M:close(Listener),
    ok = file:delete(Path),
    {Client, Server}.

%% Two datagram sockets of the unix domain that are connected with each other, with addresses that are in no folder.
-spec local_udp_pair(backend()) -> {socket(), socket()}.
local_udp_pair(#{api := M}) ->
    [{A, AddressA}, {B, AddressB}] = [
        begin
            {ok, Socket} = M:open(local, dgram),
            ok = M:bind(Socket, Address),
            {Socket, Address}
        end
     || _ <- [1, 2], Address <- [#{family => local, path => list_to_binary([0 | path()])}]
    ],
    ok = M:connect(A, AddressB),
    ok = M:connect(B, AddressA),
    {A, B}.

%% A path in a folder for files that come and go. Always of the same length. A run that was killed may have left files, and
%% its process number may be ours now.
-spec path() -> string().
path() ->
    Number = io_lib:format("~8..0b", [erlang:unique_integer([positive]) rem 100000000]),
    Path = lists:flatten(filename:join("/tmp", ["inetpy-xs-", os:getpid(), "-", Number])),
    case file:read_link_info(Path) of
        {error, enoent} -> Path;
        {ok, _} -> path()
    end.

%% A datagram socket on loopback, and its address.
-spec udp(backend()) -> {socket(), socket:sockaddr_in()}.
udp(#{api := M}) ->
    {ok, Socket} = M:open(inet, dgram),
    ok = M:bind(Socket, loopback()),
    {ok, Address} = M:sockname(Socket),
    {Socket, Address}.

%% Two of them that are connected with each other.
-spec udp_pair(backend()) -> {socket(), socket()}.
udp_pair(#{api := M} = Backend) ->
    {A, AddressA} = udp(Backend),
    {B, AddressB} = udp(Backend),
    ok = M:connect(A, AddressB),
    ok = M:connect(B, AddressA),
    {A, B}.

%% The next message about a socket, or `nothing` after a long time.
-spec message() -> term().
message() -> message(?LONG).

-spec message(timeout()) -> term().
message(Timeout) ->
    receive
        Message when element(1, Message) =:= '$socket' -> Message
    after Timeout -> nothing
    end.

%% So many bytes of a stream, in as many calls as it takes.
-spec received(module(), socket(), non_neg_integer()) -> binary().
received(M, Socket, Size) -> received(M, Socket, Size, <<>>).

received(_, _, Size, Data) when byte_size(Data) >= Size -> Data;
received(M, Socket, Size, Data) ->
    {ok, More} = M:recv(Socket, 0, ?LONG),
    received(M, Socket, Size, <<Data/binary, More/binary>>).

%% Sends until nothing more goes out, and answers the SelectInfo of the last send. The peer does not read.
-spec fill_up(fun((binary()) -> term())) -> term().
fill_up(Send) ->
    case Send(xc:fill(1 bsl 20)) of
        ok -> fill_up(Send);
        {select, {Info, Rest}} when is_binary(Rest) -> Info;
        {select, Info} -> Info
    end.

%% Which of these sockets a list has, in their order.
-spec sockets([socket()], [socket()]) -> [boolean()].
sockets(Mine, All) -> [lists:member(Socket, All) || Socket <- Mine].

%% The results of some calls, or how each fails.
-spec attempts([fun(() -> term())]) -> [term()].
attempts(Calls) -> [attempt(Call) || Call <- Calls].

%% The result of Fun, or how Fun fails: functions of `socket` answer `{error, Reason}` and fail with the same reasons.
-spec attempt(fun(() -> term())) -> term().
attempt(Fun) ->
    try
        Fun()
    catch
        exit:{skip, Why} -> xc:skip(Why);
        Class:Reason -> {fails, Class, Reason}
    end.

%% A result without some keys of its map: those whose values differ by chance.
-spec without([atom()], term()) -> term().
without(Keys, {ok, Map}) when is_map(Map) -> {ok, maps:without(Keys, Map)};
without(Keys, Map) when is_map(Map) -> maps:without(Keys, Map);
without(_, Other) -> Other.

%% The result of Fun, and what it prints.
-spec printed(fun(() -> Result)) -> {Result, string()}.
printed(Fun) ->
    Before = group_leader(),
    Leader = spawn_link(fun() -> leader([]) end),
    true = group_leader(Leader, self()),
    Result = Fun(),
    true = group_leader(Before, self()),
    Leader ! {printed, self()},
    receive {Leader, Text} -> {Result, Text} end.

leader(Texts) ->
    receive
        {io_request, From, As, {put_chars, _, Module, Function, Arguments}} ->
            From ! {io_reply, As, ok},
            leader([apply(Module, Function, Arguments) | Texts]);
        {io_request, From, As, {put_chars, _, Text}} ->
            From ! {io_reply, As, ok},
            leader([Text | Texts]);
        {io_request, From, As, _} ->
            From ! {io_reply, As, {error, request}},
            leader(Texts);
        {printed, From} ->
            From ! {self(), unicode:characters_to_list(lists:reverse(Texts))}
    end.

%% The result of Fun of a raw file with this content.
-spec with_file(iodata(), fun((file:fd()) -> Result)) -> Result.
with_file(Data, Fun) -> with_file(Data, [], Fun).

%% The same of a file that is opened with more modes.
-spec with_file(iodata(), [file:mode()], fun((file:fd()) -> Result)) -> Result.
with_file(Data, Modes, Fun) ->
    Path = path(),
    ok = file:write_file(Path, Data),
    {ok, File} = file:open(Path, [read, raw, binary | Modes]),
    ok = file:delete(Path),
    try
        Fun(File)
    after
        ok = file:close(File)
    end.

%% A process that has called Fun, and then does what in/2 says until ends/1.
-spec holder(fun(() -> term())) -> pid().
holder(Fun) ->
    Parent = self(),
    Pid = spawn(fun() -> Result = Fun(), Parent ! {self(), Result}, holds(monitor(process, Parent)) end),
    receive {Pid, _} -> Pid end.

holds(Parent) ->
    receive
        {call, From, Fun} -> From ! {self(), Fun()}, holds(Parent);
        stop -> ok;
        {'DOWN', Parent, process, _, _} -> ok
    end.

%% The result of Fun in that process.
-spec in(pid(), fun(() -> Result)) -> Result.
in(Holder, Fun) ->
    Holder ! {call, self(), Fun},
    receive {Holder, Result} -> Result end.

%% The process has ended.
-spec ends(pid()) -> ok.
ends(Holder) ->
    Ref = monitor(process, Holder),
    Holder ! stop,
    receive {'DOWN', Ref, process, Holder, _} -> ok end.
