%% The `udp_module` for IPv4: resolves names and opens sockets. The sockets are those of inetpy_udp.
-module(inetpy4_udp).

-export([open/1, open/2, fdopen/2]).

-define(FAMILY, inet).
-define(HANDLER, inetpy_udp).
-include("inetpy_ip.hrl").

-spec open(inet:port_number()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(inet:port_number(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(Port, Opts) -> inetpy_udp:open_socket(inet, Port, default_recbuf() ++ Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(udp, inet, Fd, default_recbuf() ++ Opts).

%% Before OTP 28, inet_udp sets the size of the receive buffer for IPv4.
default_recbuf() ->
    case inetpy_handle:since_28() of
        true -> [];
        false -> [{recbuf, 8 * 1024}]
    end.
