%% The `udp_module` for all families, and the handler of all datagram sockets.
%%
%% gen_udp calls a `udp_module` to open sockets. This one leaves that to the module of the family that the address
%% has: inetpy4_udp, inetpy6_udp or inetpy_local_udp.
%%
%% gen_udp and inet call a handler for sockets that are open: this module stands in the socket,
%% `{'$inet', inetpy_udp, Handle}`. The functions behave as those of gen_udp, inet_udp and prim_inet. Arguments
%% that fail with function_clause there fail with it here.
-module(inetpy_udp).

%% udp_module
-export([family/0, getserv/1, getaddr/1, getaddr/2, translate_ip/1, open/1, open/2, fdopen/2]).
%% handler of '$inet' sockets
-export([connect/2, connect/3, send/2, send/3, send/4, send/5, recv/2, recv/3, close/1]).
-export([controlling_process/2]).
%% for the modules of families
-export([open_socket/3]).

-include("inetpy_handler.hrl").

-type address() :: inet:ip_address() | inetpy_local_udp:address().

%% --- opening ---------------------------------------------------------------

%% Without an address the family is IPv4, as with OTP's default module.
-spec family() -> inet.
family() -> inetpy4_udp:family().

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) when is_integer(Port) -> {ok, Port};
getserv(Name) when is_atom(Name) -> inet:getservbyname(Name, udp).

-spec getaddr(term()) -> {ok, address()} | {error, inet:posix()}.
getaddr(Address) -> (inetpy_family:of_address(udp_module, Address)):getaddr(Address).

-spec getaddr(term(), term()) -> {ok, address()} | {error, inet:posix()}.
getaddr(Address, Timer) -> (inetpy_family:of_address(udp_module, Address)):getaddr(Address, Timer).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inetpy4_udp:translate_ip(IP).

-spec open(inet:port_number()) -> {ok, socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(inet:port_number(), list()) -> {ok, socket()} | {error, term()}.
open(Port, Opts) -> (inetpy_family:of_options(udp_module, Opts)):open(Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, socket()} | {error, term()}.
fdopen(Fd, Opts) -> (inetpy_family:of_options(udp_module, Opts)):fdopen(Fd, Opts).

-spec open_socket(inet | inet6 | local, term(), list()) -> {ok, socket()} | {error, term()}.
open_socket(Family, Port, Opts0) ->
    {Bridge, Opts1} = inetpy_bridges:choose(Opts0),
    Opts = inetpy_handle:complete_sockaddrs(Opts1),
    Args = {?MODULE, Family, self(), any_port(Port), Opts},
    Result = inetpy_request:open(open, inetpy_context:around(Args, self()), -1, Bridge),
    inetpy_handle:disown(Result, udp, Family, inetpy_handle:descriptor(Opts)).

%% Since OTP 28 the port -1 means that none was given.
any_port(-1) ->
    case inetpy_handle:since_28() of
        true -> 0;
        false -> -1
    end;
any_port(Port) ->
    Port.

-spec connect(socket(), map()) -> ok | {error, term()}.
connect(Socket, SockAddr) when is_map(SockAddr) ->
    connect_to(Socket, inet:ensure_sockaddr(SockAddr), SockAddr).

-spec connect(socket(), term(), inet:port_number()) -> ok | {error, term()}.
connect(Socket, Address, Port) ->
    case resolve(Socket, Address) of
        {ok, IP} -> connect_to(Socket, destination(IP, Port), Address);
        Error -> Error
    end.

connect_to(Socket, Destination, Name) ->
    inetpy_handle:raise(inetpy_request:call(Socket, connect, inetpy_context:naming(Destination, Name))).

%% --- sending ---------------------------------------------------------------

%% To the peer that the socket is connected to.
-spec send(socket(), iodata()) -> ok | {error, term()}.
send(Socket, Data) ->
    send_to(Socket, connected, [], Data).

-spec send(socket(), tuple() | map(), iodata()) -> ok | {error, term()}.
send(Socket, Destination, Data) ->
    send(Socket, Destination, [], Data).

%% Socket, Host, Port, Data; or Socket, Destination, AncillaryData (or port 0), Data.
-spec send(socket(), term(), term(), iodata()) -> ok | {error, term()}.
send(Socket, {A, B, C, D} = IP, Port, Data) when
    is_integer(A), is_integer(B), is_integer(C), is_integer(D), is_integer(Port)
->
    %% The common case first: an IPv4 address and a number need no lookup. If they do not fit the socket, the
    %% general case makes the error.
    case inetpy_request:sendto(Socket, {IP, Port}, [], Data) of
        {raise, error, function_clause} -> send(Socket, IP, Port, [], Data);
        Result -> Result
    end;
send(Socket, #{family := Family} = Destination, Ancillary, Data) when
    Family =:= inet orelse Family =:= inet6, is_list(Ancillary)
->
    send_to(Socket, inet:ensure_sockaddr(Destination), Ancillary, Data);
send(Socket, {_, _} = Destination, 0, Data) ->
    send_to(Socket, Destination, [], Data);
send(_Socket, {_, _}, Port, _Data) when is_integer(Port) ->
    {error, einval};
send(Socket, {_, _} = Destination, Ancillary, Data) when is_list(Ancillary) ->
    send_to(Socket, Destination, Ancillary, Data);
send(_Socket, {_, _}, _, _) ->
    erlang:error(if_clause);
send(Socket, Host, Port, Data) ->
    send(Socket, Host, Port, [], Data).

-spec send(socket(), term(), inet:port_number() | atom(), list(), iodata()) -> ok | {error, term()}.
send(Socket, Host, Port, Ancillary, Data) when is_list(Ancillary) ->
    case resolve(Socket, Host) of
        {ok, IP} ->
            case getserv(Port) of
                {ok, Number} -> send_to(Socket, {IP, Number}, Ancillary, Data);
                {error, einval} -> exit(badarg);
                Error -> Error
            end;
        {error, einval} ->
            exit(badarg);
        Error ->
            Error
    end.

send_to(Socket, Destination, Ancillary, Data) ->
    inetpy_handle:raise(inetpy_request:sendto(Socket, Destination, Ancillary, Data)).

%% The address of a host in the family of the socket.
resolve(Socket, Host) ->
    case inetpy_request:call(Socket, family, []) of
        {ok, inet} -> resolve(Socket, inetpy4_udp, Host);
        {ok, inet6} -> resolve(Socket, inetpy6_udp, Host);
        {ok, local} -> inetpy_local_udp:getaddr(Host);
        {error, _} = Error -> Error
    end.

resolve({'$inet', _, {Bridge, _, _}}, Module, Host) ->
    inetpy_bridges:lookups_on(Bridge, fun() -> Module:getaddr(Host) end).

destination({local, _} = Path, 0) -> Path;
destination(IP, Port) -> {IP, Port}.

%% --- receiving -------------------------------------------------------------

-spec recv(socket(), non_neg_integer()) -> {ok, tuple()} | {error, term()}.
recv(Socket, Length) -> recv(Socket, Length, infinity).

-spec recv(socket(), non_neg_integer(), timeout()) -> {ok, tuple()} | {error, term()}.
recv(Socket, Length, Timeout) when
    is_integer(Length), 0 =< Length, Length =< 16#ffffffff,
    Timeout =:= infinity orelse
        (is_integer(Timeout) andalso 0 =< Timeout andalso Timeout < 16#ffffffff)
->
    Patience = inetpy_request:patience(Timeout),
    inetpy_request:call(Socket, recv, {Length, Patience}, Patience);
recv(_, _, _) ->
    {error, einval}.

-spec close(socket()) -> ok.
close(Socket) ->
    receive
        {udp_closed, Socket} -> ok
    after 0 ->
        _ = inetpy_request:call(Socket, close, []),
        receive
            {udp_closed, Socket} -> ok
        after 0 -> ok
        end
    end.

%% As inet:udp_controlling_process/2: see inetpy_handle:transfer/3. Messages with ancillary data are not moved, and
%% a closed socket makes the caller fail.
-spec controlling_process(socket(), pid()) -> ok | {error, term()}.
controlling_process(Socket, NewOwner) when is_pid(NewOwner) ->
    case inetpy_handle:transfer(Socket, NewOwner, fun() -> move_messages(Socket, NewOwner) end) of
        {error, closed} -> erlang:error({badmatch, {error, einval}});
        Result -> Result
    end.

move_messages(Socket, NewOwner) ->
    receive
        {udp, Socket, _, _, _} = Message -> move_message(Socket, NewOwner, Message);
        {udp_closed, Socket} = Message -> move_message(Socket, NewOwner, Message);
        {Socket, {data, _}} = Message -> move_message(Socket, NewOwner, Message)
    after 0 ->
        false
    end.

move_message(Socket, NewOwner, Message) ->
    NewOwner ! Message,
    move_messages(Socket, NewOwner).
