%% What the modules for IPv4 and IPv6 have in common, for TCP and UDP. A module defines ?FAMILY, `inet` or
%% `inet6`, and ?HANDLER, the module of its sockets.

-export([family/0, translate_ip/1, getserv/1, getaddr/1, getaddr/2]).

-spec family() -> ?FAMILY.
family() -> ?FAMILY.

-spec translate_ip(term()) -> term().
translate_ip(IP) -> inet:translate_ip(IP, ?FAMILY).

-spec getserv(inet:port_number() | atom()) -> {ok, inet:port_number()} | {error, inet:posix()}.
getserv(Port) -> ?HANDLER:getserv(Port).

-spec getaddr(term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address) -> inetpy_context:asked(?HANDLER, Address, inetpy_inet:getaddr(Address, ?FAMILY)).

-spec getaddr(term(), term()) -> {ok, inet:ip_address()} | {error, inet:posix()}.
getaddr(Address, Timer) ->
    inetpy_context:asked(?HANDLER, Address, inetpy_inet:getaddr_tm(Address, ?FAMILY, Timer)).
