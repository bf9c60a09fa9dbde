%% The `tcp_module` for all families, and the handler of all TCP sockets.
%%
%% gen_tcp calls a `tcp_module` to resolve names and to open sockets. This one leaves both to the module of the
%% family that the address has: inetpy4_tcp, inetpy6_tcp or inetpy_local_tcp.
%%
%% gen_tcp and inet call a handler for sockets that are open: this module stands in the socket,
%% `{'$inet', inetpy_tcp, Handle}`. The functions behave as those of inet_tcp and prim_inet. Arguments that fail
%% with function_clause there fail with it here.
-module(inetpy_tcp).

%% tcp_module
-export([family/0, mask/2, parse_address/1, translate_ip/1]).
-export([getserv/1, getaddr/1, getaddr/2, getaddrs/1, getaddrs/2]).
-export([connect/3, connect/4, listen/2, fdopen/2]).
%% handler of '$inet' sockets
-export([accept/1, accept/2, send/2, send/3, recv/2, recv/3, unrecv/2, shutdown/2, close/1]).
-export([controlling_process/2, sendfile/4]).
%% for the modules of families
-export([open_connect/5, open_connect_name/4, open_listen/3]).

-include("inetpy_handler.hrl").

-type address() :: inet:ip_address() | inetpy_local_tcp:address().

%% --- names and addresses ---------------------------------------------------

%% Without an address the family is IPv4, as with OTP's default module.
-spec family() -> inet.
family() -> inetpy4_tcp:family().

-spec mask(inet:ip4_address(), inet:ip4_address()) -> inet:ip4_address().
mask(Mask, IP) -> inetpy4_tcp:mask(Mask, IP).

-spec parse_address(string()) -> {ok, inet:ip4_address()} | {error, einval}.
parse_address(Host) -> inetpy4_tcp:parse_address(Host).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inetpy4_tcp:translate_ip(IP).

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) when is_integer(Port) -> {ok, Port};
getserv(Name) when is_atom(Name) -> inet:getservbyname(Name, tcp).

-spec getaddr(term()) -> {ok, address()} | {error, inet:posix()}.
getaddr(Address) -> (of_address(Address)):getaddr(Address).

-spec getaddr(term(), term()) -> {ok, address()} | {error, inet:posix()}.
getaddr(Address, Timer) -> (of_address(Address)):getaddr(Address, Timer).

-spec getaddrs(term()) -> {ok, [address()]} | {error, inet:posix()}.
getaddrs(Address) -> (of_address(Address)):getaddrs(Address).

-spec getaddrs(term(), term()) -> {ok, [address()]} | {error, inet:posix()}.
getaddrs(Address, Timer) -> (of_address(Address)):getaddrs(Address, Timer).

of_address(Address) -> inetpy_family:of_address(tcp_module, Address).

%% --- opening ---------------------------------------------------------------

-spec connect(address(), inet:port_number(), list()) -> {ok, socket()} | {error, term()};
             (map(), list(), timeout()) -> {ok, socket()} | {error, term()}.
connect(Address, PortOrOpts, OptsOrTimeout) ->
    (of_address(Address)):connect(Address, PortOrOpts, OptsOrTimeout).

-spec connect(address(), inet:port_number(), list(), timeout()) -> {ok, socket()} | {error, term()}.
connect(Address, Port, Opts, Timeout) ->
    (of_address(Address)):connect(Address, Port, Opts, Timeout).

-spec listen(inet:port_number(), list()) -> {ok, socket()} | {error, term()}.
listen(Port, Opts) -> (inetpy_family:of_options(tcp_module, Opts)):listen(Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, socket()} | {error, term()}.
fdopen(Fd, Opts) -> (inetpy_family:of_options(tcp_module, Opts)):fdopen(Fd, Opts).

-spec open_connect(inet | inet6 | local, term(), 0..65535, list(), timeout()) ->
    {ok, socket()} | {error, term()}.
open_connect(Family, Address, Port, Opts0, Timeout) ->
    {Bridge, Opts1} = inetpy_bridges:choose(Opts0),
    Opts = inetpy_handle:complete_sockaddrs(Opts1),
    Preset = preset(inet_default_connect_options),
    Patience = inetpy_request:patience(Timeout),
    Args = {?MODULE, Family, self(), Address, Port, Opts, Preset, Patience},
    Result = inetpy_request:open(connect, inetpy_context:connecting(Args, Address), Patience, Bridge),
    inetpy_handle:disown(Result, tcp, Family, inetpy_handle:descriptor(Opts)).

%% Connects to the first address of a name that answers.
-spec open_connect_name(binary(), inet:port_number(), list(), timeout()) ->
    {ok, socket()} | {error, term()}.
open_connect_name(Name, Port, Opts0, Timeout) ->
    {Bridge, Opts} = inetpy_bridges:choose(Opts0),
    Preset = preset(inet_default_connect_options),
    Patience = inetpy_request:patience(Timeout),
    Args = {?MODULE, self(), Name, Port, Opts, Preset, Patience},
    inetpy_request:open(connect_name, inetpy_context:naming(Args, Name), Patience, Bridge).

-spec open_listen(inet | inet6 | local, term(), list()) -> {ok, socket()} | {error, term()}.
open_listen(Family, Port, Opts0) ->
    {Bridge, Opts1} = inetpy_bridges:choose(Opts0),
    Opts = inetpy_handle:complete_sockaddrs(Opts1),
    Preset = preset(inet_default_listen_options),
    Args = {?MODULE, Family, self(), Port, Opts, Preset},
    Result = inetpy_request:open(listen, inetpy_context:around(Args, self()), -1, Bridge),
    inetpy_handle:disown(Result, tcp, Family, inetpy_handle:descriptor(Opts)).

%% Options that the application environment of kernel puts before the caller's.
preset(Variable) ->
    case application:get_env(kernel, Variable) of
        {ok, List} when is_list(List) -> List;
        {ok, Option} -> [Option];
        undefined -> []
    end.

%% --- connections -----------------------------------------------------------

-spec accept(socket()) -> {ok, socket()} | {error, term()}.
accept(Socket) -> accept(Socket, infinity).

-spec accept(socket(), timeout()) -> {ok, socket()} | {error, term()}.
accept(Socket, Timeout) when Timeout =:= infinity; is_integer(Timeout) ->
    Patience = inetpy_request:patience(Timeout),
    inetpy_request:call(Socket, accept, inetpy_context:around({self(), Patience}, self()), Patience);
accept(Socket, _) ->
    refuse(Socket).

-spec send(socket(), iodata()) -> ok | {error, term()}.
send(Socket, Data) -> inetpy_request:send(Socket, Data).

-spec send(socket(), iodata(), list()) -> ok | {error, term()}.
send(Socket, Data, _Opts) -> inetpy_request:send(Socket, Data).

-spec recv(socket(), non_neg_integer()) -> {ok, term()} | {error, term()}.
recv(Socket, Length) -> recv(Socket, Length, infinity).

-spec recv(socket(), non_neg_integer(), timeout()) -> {ok, term()} | {error, term()}.
recv(Socket, Length, Timeout) when
    is_integer(Length), Length >= 0, (Timeout =:= infinity orelse is_integer(Timeout))
->
    %% the stock driver gets only the lower 32 bits of the length
    Patience = inetpy_request:patience(Timeout),
    inetpy_request:call(Socket, recv, {Length band 16#FFFFFFFF, Patience}, Patience);
recv(Socket, _, _) ->
    refuse(Socket).

-spec unrecv(socket(), iodata()) -> ok | {error, term()}.
unrecv(Socket, Data) ->
    try iolist_to_binary(Data) of
        Binary -> inetpy_request:call(Socket, unrecv, Binary)
    catch
        error:badarg -> {error, einval}
    end.

-spec shutdown(socket(), read | write | read_write) -> ok | {error, term()}.
shutdown(Socket, How) when How =:= read; How =:= write; How =:= read_write ->
    inetpy_request:call(Socket, shutdown, How);
shutdown(Socket, _) ->
    refuse(Socket).

-spec close(socket()) -> ok.
close(Socket) ->
    _ = inetpy_request:close(Socket, close),
    receive
        {tcp_closed, Socket} -> ok
    after 0 -> ok
    end.

%% As inet:tcp_controlling_process/2: see inetpy_handle:transfer/3.
-spec controlling_process(socket(), pid()) -> ok | {error, term()}.
controlling_process(Socket, NewOwner) when is_pid(NewOwner) ->
    inetpy_handle:transfer(Socket, NewOwner, fun() -> move_messages(Socket, NewOwner, false) end);
controlling_process(Socket, _) ->
    refuse(Socket).

move_messages(Socket, NewOwner, Closed) ->
    receive
        {tcp, Socket, _} = Message ->
            NewOwner ! Message,
            move_messages(Socket, NewOwner, Closed);
        {tcp_closed, Socket} = Message ->
            NewOwner ! Message,
            move_messages(Socket, NewOwner, true);
        {Socket, {data, _}} = Message ->
            NewOwner ! Message,
            move_messages(Socket, NewOwner, Closed)
    after 0 ->
        Closed
    end.

%% Arguments that no clause takes. As with gen_tcp, a closed socket answers before that is an error.
-spec refuse(socket()) -> {error, closed}.
refuse(Socket) ->
    case getopts(Socket, []) of
        {ok, []} -> erlang:error(function_clause);
        {error, _} -> {error, closed}
    end.

%% For file:sendfile/5. Python takes a copy of the file's descriptor. Only plain files have one. For the others
%% the answer is `enotsup`, and then file:sendfile/5 reads and sends the file itself.
-spec sendfile(socket(), tuple(), integer(), integer()) ->
    {ok, non_neg_integer()} | {error, term()}.
sendfile(Socket, {file_descriptor, prim_file, _} = File, Offset, Bytes) ->
    case prim_file:get_handle(File) of
        <<Number:32/signed-native>> ->
            inetpy_request:call(Socket, sendfile, {self(), Number, Offset, Bytes});
        {error, _} ->
            {error, badarg}
    end;
sendfile(Socket, {file_descriptor, raw_file_io_list, File}, Offset, Bytes) ->
    sendfile(Socket, File, Offset, Bytes);
sendfile(_Socket, _File, _Offset, _Bytes) ->
    {error, enotsup}.
