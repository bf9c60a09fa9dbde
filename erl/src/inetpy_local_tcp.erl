%% The `tcp_module` for stream sockets of the unix domain. The sockets are those of inetpy_tcp.
-module(inetpy_local_tcp).

-export([family/0, translate_ip/1]).
-export([getserv/1, getaddr/1, getaddr/2, getaddrs/1, getaddrs/2]).
-export([connect/3, connect/4, listen/2, fdopen/2]).

-type address() :: {local, binary() | string()}.
-export_type([address/0]).

-spec family() -> local.
family() -> local.

-spec translate_ip(term()) -> term().
translate_ip(Address) -> Address.

-spec getserv(0) -> {ok, 0}.
getserv(0) -> {ok, 0}.

-spec getaddr(address()) -> {ok, address()}.
getaddr({local, _} = Address) -> {ok, Address}.

-spec getaddr(address(), term()) -> {ok, address()}.
getaddr({local, _} = Address, _Timer) -> {ok, Address}.

-spec getaddrs(address()) -> {ok, [address()]}.
getaddrs({local, _} = Address) -> {ok, [Address]}.

-spec getaddrs(address(), term()) -> {ok, [address()]}.
getaddrs({local, _} = Address, _Timer) -> {ok, [Address]}.

-spec connect(address(), 0, list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
connect(Address, Port, Opts) ->
    connect(Address, Port, Opts, infinity).

-spec connect(address(), 0, list(), timeout()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
connect({local, _} = Address, 0, Opts, Timeout) when
    Timeout =:= infinity orelse (is_integer(Timeout) andalso Timeout >= 0)
->
    inetpy_tcp:open_connect(local, Address, 0, Opts, Timeout).

-spec listen(0, list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
listen(0, Opts) ->
    inetpy_tcp:open_listen(local, 0, Opts).

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_tcp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(tcp, local, Fd, Opts).
