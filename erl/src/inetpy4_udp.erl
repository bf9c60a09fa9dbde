%% UDP through Python, for IPv4: how it resolves and opens. The sockets are those of
%% inetpy_udp.
-module(inetpy4_udp).

-export([family/0, getserv/1, getaddr/1, getaddr/2, translate_ip/1, open/1, open/2, fdopen/2]).

-spec family() -> inet.
family() -> inet.

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) -> inetpy_udp:getserv(Port).

-spec getaddr(term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address) -> inetpy_inet:getaddr(Address, inet).

-spec getaddr(term(), term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address, Timer) -> inetpy_inet:getaddr_tm(Address, inet, Timer).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inet:translate_ip(IP, inet).

-spec open(inet:port_number()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(inet:port_number(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port, Opts) -> inetpy_udp:open_socket(inet, Port, default_recbuf() ++ Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(udp, inet, Fd, default_recbuf() ++ Opts).

%% The kernel's buffer for IPv4, where this edition's inet_udp sets it.
default_recbuf() ->
    case inetpy_handle:since_28() of
        true -> [];
        false -> [{recbuf, 8 * 1024}]
    end.
