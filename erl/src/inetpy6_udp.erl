%% The `udp_module` for IPv6: resolves names and opens sockets. The sockets are those of inetpy_udp.
-module(inetpy6_udp).

-export([open/1, open/2, fdopen/2]).

-define(FAMILY, inet6).
-define(HANDLER, inetpy_udp).
-include("inetpy_ip.hrl").

-spec open(inet:port_number()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(inet:port_number(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port, Opts) -> inetpy_udp:open_socket(inet6, Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(udp, inet6, Fd, Opts).
