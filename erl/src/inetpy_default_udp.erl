%% inet_db's default module for UDP while inetpy is installed, in place of inet_udp. See
%% inetpy_default_tcp.
-module(inetpy_default_udp).

-export([family/0, getserv/1, getaddr/1, getaddr/2, translate_ip/1, open/1, open/2, fdopen/2]).

-type port_number() :: inet:port_number() | {stock, inet:port_number()}.
-type result() :: {ok, inet:socket()} | {error, term()}.

-spec family() -> inet.
family() -> inetpy_udp:family().

-spec getserv(inet:port_number() | atom()) -> {ok, port_number()} | {error, inet:posix()}.
getserv(Port) ->
    case inetpy_family:is_asked_by(gen_udp) of
        true -> inetpy_family:stock_port(inet_udp:getserv(Port));
        false -> inetpy_udp:getserv(Port)
    end.

-spec getaddr(term()) -> {ok, term()} | {error, inet:posix()}.
getaddr(Address) -> inetpy_udp:getaddr(Address).

-spec getaddr(term(), term()) -> {ok, term()} | {error, inet:posix()}.
getaddr(Address, Timer) -> inetpy_udp:getaddr(Address, Timer).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inetpy_udp:translate_ip(IP).

-spec open(port_number()) -> result().
open(Port) -> open(Port, []).

-spec open(port_number(), list()) -> result().
open({stock, Port}, Opts) -> (inetpy_family:stock_of_options(udp_module, Opts)):open(Port, Opts);
open(Port, Opts) -> inetpy_udp:open(Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> result().
fdopen(Fd, Opts) -> inetpy_udp:fdopen(Fd, Opts).
