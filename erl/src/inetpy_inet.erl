%% The functions of `inet`, with the same names, arities and answers.
%%
%% Functions that take a socket call inet, which knows `{'$inet', _, _}`. Functions without a socket ask Python:
%% names, services, interfaces, addresses as text. When this node has a resolver of its own configured (`inet_db`,
%% an inetrc with lookup methods other than `native`), that resolver is asked for names, as inet does.
-module(inetpy_inet).

%% without a socket
-export([getaddr/2, getaddr/3, getaddrs/2, getaddrs/3, gethostbyname/1, gethostbyname/2]).
-export([gethostbyname/3, gethostbyaddr/1, gethostbyaddr/2, gethostname/0]).
-export([getservbyname/2, getservbyport/2, getifaddrs/0, getifaddrs/1]).
-export([ntoa/1, parse_address/1, parse_strict_address/1, parse_ipv4_address/1]).
-export([parse_ipv4strict_address/1, parse_ipv6_address/1, parse_ipv6strict_address/1]).
-export([is_ip_address/1, is_ipv4_address/1, is_ipv6_address/1, ipv4_mapped_ipv6_address/1]).
-export([get_rc/0, format_error/1, i/0, i/1, i/2]).
%% with a socket
-export([close/1, port/1, sockname/1, peername/1, socknames/1, socknames/2, peernames/1, peernames/2]).
-export([setopts/2, getopts/2, getstat/1, getstat/2, info/1, monitor/1, cancel_monitor/1]).
%% for the modules of families
-export([getaddrs_tm/3, getaddr_tm/3]).

-type host() :: inet:ip_address() | inet:hostname().
-type result(Type) :: {ok, Type} | {error, inet:posix() | timeout | {inetpy, atom(), term()}}.

%% --- names -----------------------------------------------------------------

-spec getaddr(host(), inet:address_family()) -> result(inet:ip_address()).
getaddr(Host, Family) -> getaddr(Host, Family, infinity).

-spec getaddr(host(), inet:address_family(), timeout()) -> result(inet:ip_address()).
getaddr(Host, Family, Timeout) ->
    first(getaddrs(Host, Family, Timeout)).

-spec getaddrs(host(), inet:address_family()) -> result([inet:ip_address()]).
getaddrs(Host, Family) -> getaddrs(Host, Family, infinity).

-spec getaddrs(host(), inet:address_family(), timeout()) -> result([inet:ip_address()]).
getaddrs(Host, Family, Timeout) ->
    ok = check_timeout(Timeout),
    getaddrs_within(Host, Family, Timeout).

getaddrs_within(Host, Family, Timeout) when is_tuple(Host); Host =:= ""; Host =:= '' ->
    inet:getaddrs(Host, Family, Timeout);
getaddrs_within(Host, Family, Timeout) ->
    case inetpy_names:is_native() of
        true -> ask(getaddrs, [Host, Family], Timeout);
        false -> inet:getaddrs(Host, Family, Timeout)
    end.

%% inet starts a timer, and the caller fails when the timeout is no time.
check_timeout(infinity) ->
    ok;
check_timeout(Timeout) ->
    _ = inet:stop_timer(inet:start_timer(Timeout)),
    ok.

%% With a timer of inet:start_timer/1, as connect uses them.
-spec getaddrs_tm(term(), inet:address_family(), reference() | false) -> result([inet:ip_address()]).
getaddrs_tm(Host, Family, Timer) -> getaddrs_within(Host, Family, inet:timeout(Timer)).

-spec getaddr_tm(term(), inet:address_family(), reference() | false) -> result(inet:ip_address()).
getaddr_tm(Host, Family, Timer) -> first(getaddrs_tm(Host, Family, Timer)).

first({ok, [Address | _]}) -> {ok, Address};
first(Error) -> Error.

-spec gethostbyname(inet:hostname()) -> result(inet:hostent()).
gethostbyname(Name) ->
    Family =
        case inet_db:res_option(inet6) of
            true -> inet6;
            false -> inet
        end,
    gethostbyname(Name, Family).

-spec gethostbyname(inet:hostname(), inet:address_family()) -> result(inet:hostent()).
gethostbyname(Name, Family) -> gethostbyname(Name, Family, infinity).

-spec gethostbyname(inet:hostname(), inet:address_family(), timeout()) -> result(inet:hostent()).
gethostbyname(Name, Family, Timeout) ->
    ok = check_timeout(Timeout),
    case inetpy_names:is_native() of
        true -> ask(gethostbyname, [Name, Family], Timeout);
        false -> inet:gethostbyname(Name, Family, Timeout)
    end.

-spec gethostbyaddr(string() | inet:ip_address()) -> result(inet:hostent()).
gethostbyaddr(Address) -> gethostbyaddr(Address, infinity).

-spec gethostbyaddr(string() | inet:ip_address(), timeout()) -> result(inet:hostent()).
gethostbyaddr(Address, Timeout) ->
    ok = check_timeout(Timeout),
    case inetpy_names:is_native() of
        true -> ask(gethostbyaddr, [Address], Timeout);
        false -> inet:gethostbyaddr(Address, Timeout)
    end.

-spec gethostname() -> {ok, string()}.
gethostname() -> ask(gethostname, []).

-spec getservbyname(atom() | string(), atom() | string()) -> result(inet:port_number()).
getservbyname(Name, Protocol) when is_atom(Name) ->
    ask(getservbyname, [Name, Protocol]);
getservbyname(Name, Protocol) ->
    %% since OTP 28 a name may be a string
    case is_list(Name) andalso inetpy_handle:since_28() of
        true -> ask(getservbyname, [Name, Protocol]);
        false -> erlang:error(function_clause, [Name, Protocol])
    end.

-spec getservbyport(inet:port_number(), atom() | string()) -> result(string()).
getservbyport(Port, Protocol) -> ask(getservbyport, [Port, Protocol]).

%% --- interfaces ------------------------------------------------------------

-spec getifaddrs() -> result([{string(), list()}]).
getifaddrs() -> ask(getifaddrs, []).

%% The interfaces of a network namespace, or of the namespace that a socket was opened in.
-spec getifaddrs([{netns, file:filename_all()}] | inet:socket()) -> result([{string(), list()}]).
getifaddrs([]) ->
    getifaddrs();
getifaddrs([{inet_backend, _} | Options]) ->
    getifaddrs(Options);
getifaddrs([{netns, Namespace}]) ->
    ask(getifaddrs, [path(Namespace)]);
getifaddrs(Options) when is_list(Options) ->
    exit(badarg);
getifaddrs({'$inet', _, _} = Socket) ->
    case inet:getopts(Socket, [netns]) of
        {ok, [{netns, Namespace}]} -> ask(getifaddrs, [path(Namespace)]);
        {ok, []} -> getifaddrs();
        {error, _} = Error -> Error
    end;
getifaddrs(Socket) ->
    inet:getifaddrs(Socket).

path(Name) when is_binary(Name) -> Name;
path(Name) when is_list(Name) -> unicode:characters_to_binary(Name, unicode, file:native_name_encoding());
path(_) -> exit(badarg).

%% --- addresses as text -----------------------------------------------------

-spec ntoa(inet:ip_address()) -> string() | {error, einval}.
ntoa(Address) -> ask(ntoa, [Address]).

-spec parse_address(string()) -> result(inet:ip_address()).
parse_address(Text) -> ask(parse_address, [Text]).

-spec parse_strict_address(string()) -> result(inet:ip_address()).
parse_strict_address(Text) -> ask(parse_strict_address, [Text]).

-spec parse_ipv4_address(string()) -> result(inet:ip4_address()).
parse_ipv4_address(Text) -> ask(parse_ipv4_address, [Text]).

-spec parse_ipv4strict_address(string()) -> result(inet:ip4_address()).
parse_ipv4strict_address(Text) -> ask(parse_ipv4strict_address, [Text]).

-spec parse_ipv6_address(string()) -> result(inet:ip6_address()).
parse_ipv6_address(Text) -> ask(parse_ipv6_address, [Text]).

-spec parse_ipv6strict_address(string()) -> result(inet:ip6_address()).
parse_ipv6strict_address(Text) -> ask(parse_ipv6strict_address, [Text]).

-spec is_ip_address(term()) -> boolean().
is_ip_address(Term) -> ask(is_ip_address, [Term]).

-spec is_ipv4_address(term()) -> boolean().
is_ipv4_address(Term) -> ask(is_ipv4_address, [Term]).

-spec is_ipv6_address(term()) -> boolean().
is_ipv6_address(Term) -> ask(is_ipv6_address, [Term]).

-spec ipv4_mapped_ipv6_address(inet:ip_address()) -> inet:ip_address().
ipv4_mapped_ipv6_address(Address) -> ask(ipv4_mapped_ipv6_address, [Address]).

%% --- answered by the node --------------------------------------------------

-spec get_rc() -> list().
get_rc() -> inet:get_rc().

-spec format_error(atom()) -> string().
format_error(Reason) -> inet:format_error(Reason).

%% --- the open sockets ------------------------------------------------------

-define(FIELDS, [port, module, recv, sent, owner, local_address, foreign_address, state, type]).

%% As `inet:i/0`, of the sockets of Python.
-spec i() -> ok.
i() -> i(tcp), i(udp), i(sctp).

-spec i(show_ports | inet:socket_protocol() | [atom()]) -> ok.
i(show_ports) -> i();
i(Protocol) when is_atom(Protocol) -> i(Protocol, ?FIELDS);
i(Fields) when is_list(Fields) -> lists:foreach(fun(P) -> i(P, Fields) end, [tcp, udp, sctp]).

-spec i(inet:socket_protocol(), show_ports | [atom()]) -> ok.
i(Protocol, show_ports) ->
    i(Protocol);
i(Protocol, Fields) ->
    Sockets = [S || S <- inetpy:which_sockets(), protocol(S) =:= Protocol],
    Rows = [[field(Field, S, Protocol) || Field <- Fields] || S <- Sockets],
    case Rows of
        [] -> ok;
        _ -> print([[heading(Field) || Field <- Fields] | Rows])
    end.

protocol({'$inet', inetpy_tcp, _}) -> tcp;
protocol({'$inet', inetpy_udp, _}) -> udp.

field(port, Socket, _) -> inetpy_handle:socket_to_list(Socket);
field(module, {'$inet', Module, _}, _) -> atom_to_list(Module);
field(type, _, tcp) -> "STREAM";
field(type, _, udp) -> "DGRAM";
field(recv, Socket, _) -> counter(Socket, recv_oct);
field(sent, Socket, _) -> counter(Socket, send_oct);
field(local_address, Socket, Protocol) -> address(inet:sockname(Socket), Protocol);
field(foreign_address, Socket, Protocol) -> address(inet:peername(Socket), Protocol);
field(packet, Socket, _) ->
    case inet:getopts(Socket, [packet]) of
        {ok, [{packet, Type}]} -> lists:flatten(io_lib:format("~p", [Type]));
        _ -> " "
    end;
field(owner, Socket, _) ->
    case inet:info(Socket) of
        #{owner := Owner} -> pid_to_list(Owner);
        #{} -> " "
    end;
field(state, Socket, _) ->
    #{states := States} = inet:info(Socket),
    state(lists:sort(States));
field(fd, _, _) ->
    " ".

counter(Socket, Name) ->
    case inet:getstat(Socket, [Name]) of
        {ok, [{Name, N}]} -> integer_to_list(N);
        {error, _} -> " "
    end.

state([accepting | _]) -> "ACCEPTING";
state([busy, connected | _]) -> "CONNECTED(BB)";
state([connected, open]) -> "CONNECTED(O)";
state([connecting | _]) -> "CONNECTING";
state([listen, open]) -> "LN:O";
state([open]) -> "IDLE";
state(_) -> "CLOSED".

address({error, enotconn}, _) -> "*:*";
address({error, _}, _) -> " ";
address({ok, {local, Path}}, _) -> "local:" ++ binary_to_list(Path);
address({ok, {Ip, Port}}, Protocol) -> host(Ip) ++ ":" ++ service(Port, Protocol).

host({0, 0, 0, 0}) -> "*";
host({0, 0, 0, 0, 0, 0, 0, 0}) -> "*";
host({127, 0, 0, 1}) -> "localhost";
host({0, 0, 0, 0, 0, 0, 0, 1}) -> "localhost";
host(Ip) -> inet:ntoa(Ip).

service(Port, Protocol) ->
    case getservbyport(Port, Protocol) of
        {ok, Name} -> Name;
        {error, _} -> integer_to_list(Port)
    end.

print([First | _] = Rows) ->
    Widths = [lists:max([length(lists:nth(N, Row)) || Row <- Rows]) || N <- lists:seq(1, length(First))],
    Format = lists:append(["~-" ++ integer_to_list(max(Width, 1)) ++ "s " || Width <- Widths]) ++ "\n",
    lists:foreach(fun(Row) -> io:format(Format, Row) end, Rows).

%% local_address to "Local Address".
heading(Field) ->
    Words = string:split(atom_to_list(Field), "_", all),
    lists:flatten(lists:join(" ", [string:titlecase(Word) || Word <- Words])).

%% --- with a socket ---------------------------------------------------------

-spec close(inet:socket()) -> ok.
close(Socket) -> inet:close(Socket).

-spec port(inet:socket()) -> result(inet:port_number()).
port(Socket) -> inet:port(Socket).

-spec sockname(inet:socket()) -> result(tuple()).
sockname(Socket) -> inet:sockname(Socket).

-spec peername(inet:socket()) -> result(tuple()).
peername(Socket) -> inet:peername(Socket).

-spec socknames(inet:socket()) -> result([tuple()]).
socknames(Socket) -> inet:socknames(Socket).

%% The association makes a difference only for SCTP.
-spec socknames(inet:socket(), term()) -> result([tuple()]).
socknames({'$inet', _, _} = Socket, Association) when is_integer(Association) -> inet:socknames(Socket);
socknames(Socket, Association) -> inet:socknames(Socket, Association).

-spec peernames(inet:socket()) -> result([tuple()]).
peernames({'$inet', _, _} = Socket) ->
    inetpy_request:call(Socket, peernames, []);
peernames(Socket) ->
    inet:peernames(Socket).

-spec peernames(inet:socket(), term()) -> result([tuple()]).
peernames({'$inet', _, _} = Socket, Association) when is_integer(Association) -> peernames(Socket);
peernames(Socket, Association) -> inet:peernames(Socket, Association).

-spec setopts(inet:socket(), list()) -> ok | {error, term()}.
setopts(Socket, Options) -> inet:setopts(Socket, Options).

-spec getopts(inet:socket(), list()) -> result(list()).
getopts(Socket, Options) -> inet:getopts(Socket, Options).

-spec getstat(inet:socket()) -> result(list()).
getstat(Socket) -> inet:getstat(Socket).

-spec getstat(inet:socket(), [inet:stat_option()]) -> result(list()).
getstat(Socket, Options) -> inet:getstat(Socket, Options).

-spec info(inet:socket()) -> term().
info(Socket) -> inet:info(Socket).

-spec monitor(inet:socket()) -> reference().
monitor(Socket) -> inet:monitor(Socket).

-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) -> inet:cancel_monitor(Ref).

%% --- requests --------------------------------------------------------------

ask(Function, Arguments) ->
    ask(Function, Arguments, infinity).

ask(Function, Arguments, Timeout) ->
    %% An atom is larger than any number. So infinity becomes the largest timeout, which means infinity too.
    Patience = inetpy_request:patience(min(Timeout, 16#FFFFFFFF)),
    Args = {Function, Arguments, Patience},
    inetpy_request:open(inet, inetpy_context:around(Args, self()), Patience).
