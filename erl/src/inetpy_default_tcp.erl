%% inet_db's default module for TCP while inetpy is installed, in place of inet_tcp.
%%
%% Two kinds of callers get this module from OTP. A library that calls `Mod = inet:tcp_module(Opts)` and then
%% `Mod:connect/4` is led to Python. gen_tcp asks in the same way, but only for a call with
%% `{inet_backend, inet}`, because all other calls take the hooks (see inetpy_install). Such a call is meant for
%% the stock driver. gen_tcp calls getserv/1 before listen/2 and connect/4, so getserv/1 looks who its
%% caller is, and marks the port number as `{stock, Port}` for listen/2 and connect/4.
-module(inetpy_default_tcp).

-export([family/0, mask/2, parse_address/1, translate_ip/1]).
-export([getserv/1, getaddr/1, getaddr/2, getaddrs/1, getaddrs/2]).
-export([connect/3, connect/4, listen/2, fdopen/2]).

-type port_number() :: inet:port_number() | {stock, inet:port_number()}.
-type result() :: {ok, inet:socket()} | {error, term()}.

-spec family() -> inet.
family() -> inetpy_tcp:family().

-spec mask(inet:ip4_address(), inet:ip4_address()) -> inet:ip4_address().
mask(Mask, IP) -> inetpy_tcp:mask(Mask, IP).

-spec parse_address(string()) -> {ok, inet:ip4_address()} | {error, einval}.
parse_address(Host) -> inetpy_tcp:parse_address(Host).

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inetpy_tcp:translate_ip(IP).

-spec getserv(inet:port_number() | atom()) -> {ok, port_number()} | {error, inet:posix()}.
getserv(Port) ->
    case inetpy_family:is_asked_by(gen_tcp) of
        true -> inetpy_family:stock_port(inet_tcp:getserv(Port));
        false -> inetpy_tcp:getserv(Port)
    end.

-spec getaddr(term()) -> {ok, term()} | {error, inet:posix()}.
getaddr(Address) -> (module(Address)):getaddr(Address).

-spec getaddr(term(), term()) -> {ok, term()} | {error, inet:posix()}.
getaddr(Address, Timer) -> (module(Address)):getaddr(Address, Timer).

-spec getaddrs(term()) -> {ok, [term()]} | {error, inet:posix()}.
getaddrs(Address) -> (module(Address)):getaddrs(Address).

-spec getaddrs(term(), term()) -> {ok, [term()]} | {error, inet:posix()}.
getaddrs(Address, Timer) -> (module(Address)):getaddrs(Address, Timer).

-spec connect(term(), port_number() | list(), list() | timeout()) -> result().
connect(Address, {stock, Port}, Opts) -> (stock(Address)):connect(Address, Port, Opts);
connect(Address, PortOrOpts, OptsOrTimeout) -> (module(Address)):connect(Address, PortOrOpts, OptsOrTimeout).

-spec connect(term(), port_number(), list(), timeout()) -> result().
connect(Address, {stock, Port}, Opts, Timeout) -> (stock(Address)):connect(Address, Port, Opts, Timeout);
connect(Address, Port, Opts, Timeout) -> inetpy_tcp:connect(Address, Port, Opts, Timeout).

-spec listen(port_number(), list()) -> result().
listen({stock, Port}, Opts) -> (inetpy_family:stock_of_options(tcp_module, Opts)):listen(Port, Opts);
listen(Port, Opts) -> inetpy_tcp:listen(Port, Opts).

-spec fdopen(non_neg_integer(), list()) -> result().
fdopen(Fd, Opts) -> inetpy_tcp:fdopen(Fd, Opts).

module(Address) ->
    case inetpy_family:is_asked_by(gen_tcp) of
        true -> stock(Address);
        false -> inetpy_tcp
    end.

stock(Address) -> inetpy_family:stock_of_address(tcp_module, Address).
