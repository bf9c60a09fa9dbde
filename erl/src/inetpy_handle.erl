%% What sockets of all protocols have in common: options, addresses, counters, monitors, the transfer to another
%% owner, and file descriptors of this node.
-module(inetpy_handle).

-export([setopts/2, getopts/2, sockname/1, peername/1, socknames/1, getstat/2]).
-export([monitor/1, cancel_monitor/1, info/1, socket_to_list/1]).
-export([transfer/3, fdopen/4, disown/4, descriptor/1, complete_sockaddrs/1, raise/1]).
-export([loopback/3, since_28/0]).

-type socket() :: {'$inet', module(), inetpy_bridge:handle()}.
-export_type([socket/0]).

-spec setopts(socket(), list()) -> ok | {error, term()}.
setopts(Socket, [{active, once}]) ->
    inetpy_request:ask_once(Socket);
setopts(Socket, Opts) ->
    case inetpy_request:call(Socket, setopts, Opts) of
        {error, einval} = Error ->
            _ = [Opt || Opt <- Opts],  % fails as in inet when it is no list
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

%% The map of inet:info/1, without what only a port has.
-spec info(socket()) -> map().
info(Socket) ->
    case inetpy_request:call(Socket, info, []) of
        {ok, {States, Owner, Watched, Counters}} ->
            #{
                states => States,
                owner => Owner,
                counters => Counters,
                %% received data does not count as input of a stock socket's port either
                input => 0,
                output => output(Counters),
                %% the socket ends with its owner, like a linked port
                links => [Owner],
                monitors => [{process, Pid} || Pid <- Watched],
                memory => memory()
            };
        {error, _} ->
            #{states => [closed]}
    end.

%% What erlang:port_info(Port, memory) counts of a stock socket: the link to its owner.
memory() ->
    Words = case since_28() of true -> 6; false -> 5 end,
    Words * erlang:system_info(wordsize).

%% Since OTP 28 each send to a stock port contains a reference, and the port counts its bytes.
output(#{send_oct := Bytes, send_cnt := Sends}) ->
    Tag = case since_28() of true -> 28; false -> 0 end,
    Bytes + Tag * Sends.

%% A sockaddr with Address in place of `loopback`, which connect/3 takes since OTP 28.
-spec loopback(map(), inet:ip_address(), list()) -> map().
loopback(SockAddr, Address, Args) ->
    case since_28() of
        true -> SockAddr#{addr := Address};
        false -> erlang:error(function_clause, Args)
    end.

%% Whether this node behaves as OTP 28.
-spec since_28() -> boolean().
since_28() -> list_to_integer(erlang:system_info(otp_release)) >= 28.

-spec socket_to_list(socket()) -> string().
socket_to_list({'$inet', _, {_, _, Id}}) ->
    "#InetPy<" ++ integer_to_list(Id) ++ ">".

%% --- another owner ---------------------------------------------------------

%% First the socket stops delivering messages. Then Move/0 moves the messages in the caller's mailbox to the new
%% owner, and answers whether a `tcp_closed` was among them. Last the socket delivers to the new owner.
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
    %% a port cannot be given to a process of another node
    case node(NewOwner) =:= node() andalso is_process_alive(NewOwner) of
        true -> inetpy_request:call(Socket, take_over, inetpy_context:around({NewOwner, Mode, Count}, NewOwner));
        false -> {error, badarg}
    end.

%% --- descriptors -----------------------------------------------------------

%% Makes a socket of a file descriptor of this node.
-spec fdopen(tcp | udp, inet | inet6 | local, non_neg_integer(), list()) ->
    {ok, socket()} | {error, term()}.
fdopen(Protocol, Family, Fd, Opts0) when is_integer(Fd), 0 =< Fd ->
    {Bridge, Opts} = inetpy_bridges:choose(Opts0),
    Module =
        case Protocol of
            tcp -> inetpy_tcp;
            udp -> inetpy_udp
        end,
    Args = {Module, Protocol, Family, self(), Fd, Opts},
    Result = inetpy_request:open(fdopen, inetpy_context:around(Args, self()), -1, Bridge),
    disown(Result, Protocol, Family, Fd).

%% Python has got a copy of the descriptor. The node's own is closed, because a descriptor that is given to
%% the stock driver belongs to the driver too.
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

%% The descriptor among the options of a call: the last one counts.
-spec descriptor(list()) -> term().
descriptor(Opts) ->
    case [Fd || {fd, Fd} <- Opts] of
        [] -> undefined;
        Given -> lists:last(Given)
    end.

%% The options with complete sockaddr maps to bind to. A map that is no sockaddr makes the caller fail,
%% as in inet.
-spec complete_sockaddrs(list()) -> list().
complete_sockaddrs([{ifaddr, Address} | Opts]) when is_map(Address) ->
    [{ifaddr, inet:ensure_sockaddr(Address)} | complete_sockaddrs(Opts)];
complete_sockaddrs([Opt | Opts]) ->
    [Opt | complete_sockaddrs(Opts)];
complete_sockaddrs(Rest) ->
    Rest.

%% The answer of a request. `{raise, Class, Reason}` makes the caller fail.
-spec raise(Answer) -> Answer when Answer :: inetpy_request:result().
raise({raise, exit, Reason}) -> exit(Reason);
raise({raise, error, Reason}) -> erlang:error(Reason);
raise({raise, throw, Reason}) -> throw(Reason);
raise(Answer) -> Answer.
