%% TCP through Python, for IPv4: how it resolves and opens. The sockets are those
%% of inetpy_tcp.
-module(inetpy4_tcp).

-export([family/0, mask/2, parse_address/1, translate_ip/1]).
-export([getserv/1, getaddr/1, getaddr/2, getaddrs/1, getaddrs/2]).
-export([connect/3, connect/4, listen/2, fdopen/2]).

-define(is_byte(X), (is_integer(X) andalso X >= 0 andalso X =< 255)).
-define(is_ip(A, B, C, D), ?is_byte(A) andalso ?is_byte(B) andalso ?is_byte(C) andalso ?is_byte(D)).
-define(is_port_number(P), is_integer(P) andalso P >= 0 andalso P =< 65535).

-spec family() -> inet.
family() -> inet.

-spec mask(inet:ip4_address(), inet:ip4_address()) -> inet:ip4_address().
mask({M1, M2, M3, M4}, {IP1, IP2, IP3, IP4}) ->
    {M1 band IP1, M2 band IP2, M3 band IP3, M4 band IP4}.

-spec parse_address(string()) -> {ok, inet:ip4_address()} | {error, einval}.
parse_address(Host) -> inet:parse_ipv4strict_address(Host).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inet:translate_ip(IP, inet).

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) -> inetpy_tcp:getserv(Port).

-spec getaddr(term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address) -> inetpy_inet:getaddr(Address, inet).

-spec getaddr(term(), term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address, Timer) -> inetpy_inet:getaddr_tm(Address, inet, Timer).

-spec getaddrs(term()) -> {ok, [inet:ip_address()]} | {error, inet:posix()}.
getaddrs(Address) -> inetpy_inet:getaddrs(Address, inet).

-spec getaddrs(term(), term()) -> {ok, [inet:ip_address()]} | {error, inet:posix()}.
getaddrs(Address, Timer) -> inetpy_inet:getaddrs_tm(Address, inet, Timer).

-spec connect(inet:ip4_address(), inet:port_number(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()};
             (map(), list(), timeout()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
connect(#{addr := {A, B, C, D}, port := Port} = SockAddr, Opts, Timeout) when
    ?is_ip(A, B, C, D), ?is_port_number(Port), is_list(Opts)
->
    inetpy_tcp:open_connect(inet, SockAddr, 0, Opts, Timeout);
connect(#{addr := loopback} = SockAddr, Opts, Timeout) ->
    connect(inetpy_handle:loopback(SockAddr, {127, 0, 0, 1}, [SockAddr, Opts, Timeout]), Opts, Timeout);
connect(Address, Port, Opts) when is_integer(Port), is_list(Opts) ->
    connect(Address, Port, Opts, infinity).

-spec connect(inet:ip4_address(), inet:port_number(), list(), timeout()) ->
    {ok, inetpy_tcp:socket()} | {error, term()}.
connect({A, B, C, D} = Address, Port, Opts, Timeout) when
    ?is_ip(A, B, C, D), ?is_port_number(Port),
    Timeout =:= infinity orelse (is_integer(Timeout) andalso Timeout >= 0)
->
    inetpy_tcp:open_connect(inet, Address, Port, Opts, Timeout).

-spec listen(inet:port_number(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
listen(Port, Opts) ->
    inetpy_tcp:open_listen(inet, Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(tcp, inet, Fd, Opts).
