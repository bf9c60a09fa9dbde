%% What all sockets have, of whatever protocol: options, names, counters, monitors, the
%% transfer to another owner, and descriptors of this node.
-module(inetpy_handle).

-export([setopts/2, getopts/2, sockname/1, peername/1, socknames/1, getstat/2]).
-export([monitor/1, cancel_monitor/1, info/1, socket_to_list/1]).
-export([transfer/3, fdopen/4, disown/4, descriptor/1, complete_sockaddrs/1, raise/1]).
-export([loopback/3, since_28/0]).

-type socket() :: {'$inet', module(), inetpy_bridge:handle()}.
-export_type([socket/0]).

-spec setopts(socket(), list()) -> ok | {error, term()}.
setopts(Socket, Opts) ->
    case inetpy_request:call(Socket, setopts, Opts) of
        {error, einval} = Error ->
            _ = [Opt || Opt <- Opts],  % fails as in inet, when it is no list
            Error;
        Result ->
            Result
    end.

-spec getopts(socket(), list()) -> {ok, list()} | {error, term()}.
getopts(Socket, Opts) when is_list(Opts) -> raise(inetpy_request:call(Socket, getopts, Opts)).

-spec sockname(socket()) -> {ok, tuple()} | {error, term()}.
sockname(Socket) -> inetpy_request:call(Socket, sockname, []).

-spec peername(socket()) -> {ok, tuple()} | {error, term()}.
peername(Socket) -> inetpy_request:call(Socket, peername, []).

-spec socknames(socket()) -> {ok, [tuple()]} | {error, term()}.
socknames(Socket) -> inetpy_request:call(Socket, socknames, []).

-spec getstat(socket(), [inet:stat_option()]) -> {ok, list()} | {error, term()}.
getstat(Socket, What) when is_list(What) -> raise(inetpy_request:call(Socket, getstat, What)).

-spec monitor(socket()) -> reference().
monitor(Socket) ->
    Ref = make_ref(),
    ok = inetpy_bridge:monitor_socket(Socket, Ref),
    Ref.

-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) -> inetpy_bridges:cancel_monitor(Ref).

%% The map of inet:info/1, as far as there is such a thing without a port.
-spec info(socket()) -> map().
info(Socket) ->
    case inetpy_request:call(Socket, info, []) of
        {ok, {States, Owner, Watched, Counters}} ->
            #{
                states => States,
                owner => Owner,
                counters => Counters,
                %% what came went past the port, as it goes past a stock socket's
                input => 0,
                output => output(Counters),
                %% the socket ends with its owner, as a port ends that is linked
                links => [Owner],
                monitors => [{process, Pid} || Pid <- Watched],
                memory => memory()
            };
        {error, _} ->
            #{states => [closed]}
    end.

%% What the emulator keeps of a port besides the port: its link.
memory() ->
    Words = case since_28() of true -> 6; false -> 5 end,
    Words * erlang:system_info(wordsize).

%% Since OTP 28 a stock port is given the sender's reference with each send, and counts it.
output(#{send_oct := Bytes, send_cnt := Sends}) ->
    Tag = case since_28() of true -> 28; false -> 0 end,
    Bytes + Tag * Sends.

%% A sockaddr whose address is `loopback`, with the address itself: since OTP 28 connect/3 takes it.
-spec loopback(map(), inet:ip_address(), list()) -> map().
loopback(SockAddr, Address, Args) ->
    case since_28() of
        true -> SockAddr#{addr := Address};
        false -> erlang:error(function_clause, Args)
    end.

%% Whether this node's edition behaves as OTP 28.
-spec since_28() -> boolean().
since_28() -> list_to_integer(erlang:system_info(otp_release)) >= 28.

-spec socket_to_list(socket()) -> string().
socket_to_list({'$inet', _, {_, _, Id}}) ->
    "#InetPy<" ++ integer_to_list(Id) ++ ">".

%% --- another owner ---------------------------------------------------------

%% Delivery stops; Move/0 sends on what the caller has in its mailbox, and says whether the
%% socket's end was among it; then the new owner gets the rest itself.
-spec transfer(socket(), pid(), fun(() -> boolean())) -> ok | {error, term()}.
transfer(Socket, NewOwner, Move) ->
    case inetpy_request:call(Socket, controlling_process, {self(), NewOwner}) of
        {transfer, Mode, Count} ->
            case Move() of
                true -> ok;
                false -> take_over(Socket, NewOwner, Mode, Count)
            end;
        Answer ->
            Answer
    end.

take_over(Socket, NewOwner, Mode, Count) ->
    case node(NewOwner) =/= node() orelse is_process_alive(NewOwner) of
        true -> inetpy_request:call(Socket, take_over, {NewOwner, Mode, Count});
        false -> {error, badarg}
    end.

%% --- descriptors -----------------------------------------------------------

%% A socket of a descriptor of this node.
-spec fdopen(tcp | udp, inet | inet6 | local, non_neg_integer(), list()) ->
    {ok, socket()} | {error, term()}.
fdopen(Protocol, Family, Fd, Opts) when is_integer(Fd), 0 =< Fd ->
    Module =
        case Protocol of
            tcp -> inetpy_tcp;
            udp -> inetpy_udp
        end,
    Result = inetpy_request:open(fdopen, {Module, Protocol, Family, self(), Fd, Opts}),
    disown(Result, Protocol, Family, Fd).

%% Python has a copy of a descriptor that was given to it. Ours is closed then: who gives
%% a descriptor to the stock driver gives it away too.
-spec disown(Result, tcp | udp, inet | inet6 | local, integer() | undefined) -> Result when
    Result :: {ok, socket()} | {error, term()}.
disown({ok, _} = Result, Protocol, Family, Fd) when is_integer(Fd), 0 =< Fd ->
    Type =
        case Protocol of
            tcp -> stream;
            udp -> dgram
        end,
    case prim_inet:fdopen(Protocol, Family, Type, Fd) of
        {ok, Port} -> _ = prim_inet:close(Port), Result;
        {error, _} -> Result
    end;
disown(Result, _, _, _) ->
    Result.

%% The number that the options of a call give.
-spec descriptor(list()) -> term().
descriptor(Opts) ->
    case [Fd || {fd, Fd} <- Opts] of
        [] -> undefined;
        Given -> lists:last(Given)
    end.

%% The options with all fields of the sockaddrs to bind to. One that is none makes the caller
%% fail, the way inet does.
-spec complete_sockaddrs(list()) -> list().
complete_sockaddrs([{ifaddr, Address} | Opts]) when is_map(Address) ->
    [{ifaddr, inet:ensure_sockaddr(Address)} | complete_sockaddrs(Opts)];
complete_sockaddrs([Opt | Opts]) ->
    [Opt | complete_sockaddrs(Opts)];
complete_sockaddrs(Rest) ->
    Rest.

%% An answer that makes the caller fail.
-spec raise(Answer) -> Answer when Answer :: inetpy_request:result().
raise({raise, exit, Reason}) -> exit(Reason);
raise({raise, error, Reason}) -> erlang:error(Reason);
raise(Answer) -> Answer.
