%% UDP through Python, for IPv6: how it resolves and opens. The sockets are those of
%% inetpy_udp.
-module(inetpy6_udp).

-export([family/0, getserv/1, getaddr/1, getaddr/2, translate_ip/1, open/1, open/2, fdopen/2]).

-spec family() -> inet6.
family() -> inet6.

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) -> inetpy_udp:getserv(Port).

-spec getaddr(term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address) -> inetpy_inet:getaddr(Address, inet6).

-spec getaddr(term(), term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address, Timer) -> inetpy_inet:getaddr_tm(Address, inet6, Timer).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inet:translate_ip(IP, inet6).

-spec open(inet:port_number()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(inet:port_number(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port, Opts) -> inetpy_udp:open_socket(inet6, Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(udp, inet6, Fd, Opts).
