%% The `tcp_module` for IPv6: resolves names and opens sockets. The sockets are those of inetpy_tcp.
-module(inetpy6_tcp).

-export([mask/2, parse_address/1, connect/3, connect/4]).

-define(FAMILY, inet6).
-include("inetpy_ip_tcp.hrl").

-define(is_word(X), (is_integer(X) andalso X >= 0 andalso X =< 65535)).
-define(is_ip6(A, B, C, D, E, F, G, H),
    ?is_word(A) andalso ?is_word(B) andalso ?is_word(C) andalso ?is_word(D) andalso
        ?is_word(E) andalso ?is_word(F) andalso ?is_word(G) andalso ?is_word(H)
).

-spec mask(inet:ip6_address(), inet:ip6_address()) -> inet:ip6_address().
mask(Mask, IP) ->
    Words = lists:zipwith(fun(M, I) -> M band I end, tuple_to_list(Mask), tuple_to_list(IP)),
    [A, B, C, D, E, F, G, H] = Words,
    {A, B, C, D, E, F, G, H}.

-spec parse_address(string()) -> {ok, inet:ip6_address()} | {error, einval}.
parse_address(Host) -> inet:parse_ipv6strict_address(Host).

-spec connect
    (inet:ip6_address(), inet:port_number(), list()) ->
        {ok, inetpy_tcp:socket()} | {error, term()};
    (map(), list(), timeout()) ->
        {ok, inetpy_tcp:socket()} | {error, term()}.
connect(#{addr := {A, B, C, D, E, F, G, H}, port := Port} = SockAddr, Opts, Timeout) when
    ?is_ip6(A, B, C, D, E, F, G, H), ?is_word(Port), is_list(Opts)
->
    inetpy_tcp:open_connect(inet6, SockAddr, 0, Opts, Timeout);
connect(#{addr := loopback} = SockAddr, Opts, Timeout) ->
    connect(inetpy_handle:loopback(SockAddr, {0, 0, 0, 0, 0, 0, 0, 1}, [SockAddr, Opts, Timeout]), Opts, Timeout);
connect(Address, Port, Opts) when is_integer(Port), is_list(Opts) ->
    connect(Address, Port, Opts, infinity).

-spec connect(inet:ip6_address(), inet:port_number(), list(), timeout()) ->
    {ok, inetpy_tcp:socket()} | {error, term()}.
connect({A, B, C, D, E, F, G, H} = Address, Port, Opts, Timeout) when
    ?is_ip6(A, B, C, D, E, F, G, H), ?is_word(Port),
    Timeout =:= infinity orelse (is_integer(Timeout) andalso Timeout >= 0)
->
    inetpy_tcp:open_connect(inet6, Address, Port, Opts, Timeout).
