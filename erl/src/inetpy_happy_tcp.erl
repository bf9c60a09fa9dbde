%% The `tcp_module` that connects by name to the first address that answers, IPv6 or IPv4 (RFC 8305).
%%
%% It hands the name to Python as if the name were an address. Python resolves the name, and tries the
%% addresses in parallel. Everything else is as with inetpy_tcp, whose sockets these are.
-module(inetpy_happy_tcp).

-export([family/0, mask/2, parse_address/1, translate_ip/1]).
-export([getserv/1, getaddr/1, getaddr/2, getaddrs/1, getaddrs/2]).
-export([connect/3, connect/4, listen/2, fdopen/2]).

-type target() :: inet:ip_address() | {name, inet:hostname()}.

-spec family() -> inet.
family() -> inet.

-spec mask(inet:ip4_address(), inet:ip4_address()) -> inet:ip4_address().
mask(Mask, IP) -> inetpy_tcp:mask(Mask, IP).

-spec parse_address(string()) -> {ok, inet:ip_address()} | {error, einval}.
parse_address(Host) -> inet:parse_strict_address(Host).

%% The address that a socket is bound to decides on its family.
-spec translate_ip(term()) -> term().
translate_ip(IP) -> IP.

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) -> inetpy_tcp:getserv(Port).

-spec getaddr(term()) -> {ok, target()} | {error, inet:posix()}.
getaddr(Host) -> getaddr(Host, false).

-spec getaddr(term(), term()) -> {ok, target()} | {error, inet:posix()}.
getaddr(Host, Timer) ->
    case getaddrs(Host, Timer) of
        {ok, [Target | _]} -> {ok, Target};
        Error -> Error
    end.

-spec getaddrs(term()) -> {ok, [target()]} | {error, inet:posix()}.
getaddrs(Host) -> getaddrs(Host, false).

-spec getaddrs(term(), term()) -> {ok, [target()]} | {error, inet:posix()}.
getaddrs(Host, Timer) when tuple_size(Host) =:= 8 -> inetpy6_tcp:getaddrs(Host, Timer);
getaddrs(Host, Timer) when is_tuple(Host) -> inetpy_tcp:getaddrs(Host, Timer);
getaddrs(Host, Timer) when is_atom(Host) -> getaddrs(atom_to_list(Host), Timer);
getaddrs(Host, _Timer) ->
    case io_lib:latin1_char_list(Host) andalso Host =/= "" of
        true -> {ok, [{name, list_to_binary(Host)}]};
        false -> {error, einval}
    end.

-spec connect(target(), inet:port_number(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()};
             (map(), list(), timeout()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
connect(#{family := inet6} = SockAddr, Opts, Timeout) ->
    inetpy6_tcp:connect(SockAddr, Opts, Timeout);
connect(SockAddr, Opts, Timeout) when is_map(SockAddr) ->
    inetpy_tcp:connect(SockAddr, Opts, Timeout);
connect(Target, Port, Opts) ->
    connect(Target, Port, Opts, infinity).

-spec connect(target(), inet:port_number(), list(), timeout()) ->
    {ok, inetpy_tcp:socket()} | {error, term()}.
connect({name, Name}, Port, Opts, Timeout) when is_integer(Port), Port >= 0, Port =< 65535 ->
    inetpy_tcp:open_connect_name(Name, Port, Opts, Timeout);
connect(IP, Port, Opts, Timeout) when tuple_size(IP) =:= 8 ->
    inetpy6_tcp:connect(IP, Port, Opts, Timeout);
connect(IP, Port, Opts, Timeout) ->
    inetpy_tcp:connect(IP, Port, Opts, Timeout).

-spec listen(inet:port_number(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
listen(Port, Opts) -> inetpy_tcp:listen(Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_tcp:fdopen(Fd, Opts).
