%% The `udp_module` for datagram sockets of the unix domain. The sockets are those of inetpy_udp.
-module(inetpy_local_udp).

-export([family/0, getserv/1, getaddr/1, getaddr/2, translate_ip/1, open/1, open/2, fdopen/2]).

-type address() :: {local, binary() | string()}.
-export_type([address/0]).

-spec family() -> local.
family() -> local.

-spec getserv(0) -> {ok, 0}.
getserv(0) -> {ok, 0}.

-spec getaddr(address()) -> {ok, address()}.
getaddr({local, _} = Address) -> {ok, Address}.

-spec getaddr(address(), term()) -> {ok, address()}.
getaddr({local, _} = Address, _Timer) -> {ok, Address}.

-spec translate_ip(term()) -> term().
translate_ip(any) -> undefined;
translate_ip(loopback) -> {local, <<>>};
translate_ip(Address) -> Address.

-spec open(0) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(0) -> open(0, []).

-spec open(0, list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
open(0, Opts) ->
    inetpy_udp:open_socket(local, 0, [translate(Option) || Option <- Opts]).

translate({Name, Address}) when Name =:= ip; Name =:= ifaddr -> {Name, translate_ip(Address)};
translate(Option) -> Option.

-spec fdopen(non_neg_integer(), list()) -> {ok, inetpy_udp:socket()} | {error, term()}.
fdopen(Fd, Opts) -> inetpy_handle:fdopen(udp, local, Fd, Opts).
