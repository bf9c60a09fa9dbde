%% What inetpy4_tcp and inetpy6_tcp have in common. A module defines ?FAMILY: see inetpy_ip.hrl.

-export([getaddrs/1, getaddrs/2, listen/2, fdopen/2]).

-define(HANDLER, inetpy_tcp).
-include("inetpy_ip.hrl").

-spec getaddrs(term()) -> {ok, [inet:ip_address()]} | {error, inet:posix()}.
getaddrs(Address) -> inetpy_context:asked(?HANDLER, Address, inetpy_inet:getaddrs(Address, ?FAMILY)).

-spec getaddrs(term(), term()) -> {ok, [inet:ip_address()]} | {error, inet:posix()}.
getaddrs(Address, Timer) ->
    inetpy_context:asked(?HANDLER, Address, inetpy_inet:getaddrs_tm(Address, ?FAMILY, Timer)).

-spec listen(inet:port_number(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
listen(Port, Opts) -> inetpy_tcp:open_listen(?FAMILY, Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(tcp, ?FAMILY, Fd, Opts).
