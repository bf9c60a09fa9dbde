%% The `tcp_module` for IPv4: resolves names and opens sockets. The sockets are those of inetpy_tcp.
-module(inetpy4_tcp).

-export([mask/2, parse_address/1, connect/3, connect/4]).

-define(FAMILY, inet).
-include("inetpy_ip_tcp.hrl").

-define(is_byte(X), (is_integer(X) andalso X >= 0 andalso X =< 255)).
-define(is_ip(A, B, C, D), ?is_byte(A) andalso ?is_byte(B) andalso ?is_byte(C) andalso ?is_byte(D)).
-define(is_port_number(P), is_integer(P) andalso P >= 0 andalso P =< 65535).

-spec mask(inet:ip4_address(), inet:ip4_address()) -> inet:ip4_address().
mask({M1, M2, M3, M4}, {IP1, IP2, IP3, IP4}) ->
    {M1 band IP1, M2 band IP2, M3 band IP3, M4 band IP4}.

-spec parse_address(string()) -> {ok, inet:ip4_address()} | {error, einval}.
parse_address(Host) -> inet:parse_ipv4strict_address(Host).

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
