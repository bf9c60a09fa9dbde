%% Which module opens a socket.
%%
%% The options of a call name a module, or a family, or neither. Without them the address decides. For example
%% `gen_tcp:connect({0,0,0,0,0,0,0,1}, 80, [])` gets inetpy6_tcp. OTP finds the module for the first two
%% (inet:tcp_module/1,2 and inet:udp_module/1). OTP looks at the address only when the default module is one of
%% its own, so this module does the same for ours.
-module(inetpy_family).

-export([choose/3, of_address/2, of_options/2, default/2]).
%% for inetpy_default_tcp and inetpy_default_udp
-export([stock_of_address/2, stock_of_options/2, is_asked_by/1, stock_port/1]).

-type kind() :: tcp_module | udp_module.

-define(UNNAMED, '$unnamed').

%% The module for a call, and the options without those that name a module. Address is the address of connect, or
%% `undefined`. A module that is neither OTP's nor ours stays.
-spec choose(kind(), list(), term()) -> {module(), list()}.
choose(Kind, Options, Address) ->
    case inet:Kind(Options ++ [{Kind, ?UNNAMED}]) of
        {?UNNAMED, Rest} -> {by_address(Kind, for_all(Kind, default(Kind, inet_db:Kind())), bound_to(Rest, Address)), Rest};
        {Module, Rest} -> {ours(Kind, Module), Rest}
    end.

for_all(tcp_module, inetpy_default_tcp) -> module(tcp_module, any);
for_all(udp_module, inetpy_default_udp) -> module(udp_module, any);
for_all(_, Module) -> Module.

%% The module for a call that came to inetpy_tcp or inetpy_udp, which take all families.
-spec of_address(kind(), term()) -> module().
of_address(Kind, Address) -> module(Kind, family(Address)).

%% The same by the address in the options that the socket is to be bound to.
-spec of_options(kind(), list()) -> module().
of_options(Kind, Options) -> of_address(Kind, bound_to(Options, undefined)).

%% The module of the stock driver, by the same rules.
-spec stock_of_address(kind(), term()) -> module().
stock_of_address(Kind, Address) -> stock(Kind, family(Address)).

-spec stock_of_options(kind(), list()) -> module().
stock_of_options(Kind, Options) -> stock_of_address(Kind, bound_to(Options, undefined)).

%% Whether Module has called us: the nearest function on the stack that is not ours is one of Module. With
%% erlang:system_flag(backtrace_depth, 0) there is no stack to look at, and the answer is false.
-spec is_asked_by(module()) -> boolean().
is_asked_by(Module) ->
    {current_stacktrace, Stack} = process_info(self(), current_stacktrace),
    case lists:dropwhile(fun({M, _, _, _}) -> lists:prefix("inetpy_", atom_to_list(M)) end, Stack) of
        [{Module, _, _, _} | _] -> true;
        _ -> false
    end.

%% Marks the port number of a call that is meant for the stock driver.
-spec stock_port({ok, inet:port_number()} | {error, term()}) -> {ok, {stock, inet:port_number()}} | {error, term()}.
stock_port({ok, Port}) -> {ok, {stock, Port}};
stock_port(Error) -> Error.

%% The module that replaces the default module of the node.
-spec default(kind(), module()) -> module().
default(tcp_module, inet_tcp) ->
    inetpy_default_tcp;
default(udp_module, inet_udp) ->
    inetpy_default_udp;
default(Kind, Module) ->
    Ours = ours(Kind, Module),
    case lists:prefix("inetpy", atom_to_list(Ours)) of
        true -> Ours;
        false -> module(Kind, any)
    end.

%% As inet:tcp_module/2: the default module gets no unix domain addresses, and IPv6 addresses only if it is one
%% for IPv6.
by_address(Kind, _, {local, _}) ->
    module(Kind, local);
by_address(Kind, Default, Address) ->
    case {module(Kind, any), Address} of
        {Default, undefined} -> Default;
        {Default, _} -> of_address(Kind, Address);
        _ -> Default
    end.

%% The address that decides: the last one that the options bind the socket to, else the address of connect.
bound_to(Options, Address) ->
    lists:foldl(
        fun
            ({Name, IP}, _) when Name =:= ip; Name =:= ifaddr -> IP;
            (_, Last) -> Last
        end,
        Address,
        Options
    ).

family({local, _}) -> local;
family(IP) when tuple_size(IP) =:= 8 -> inet6;
family(#{family := inet6}) -> inet6;
family(_) -> inet.

module(tcp_module, any) -> inetpy_tcp;
module(tcp_module, inet) -> inetpy4_tcp;
module(tcp_module, inet6) -> inetpy6_tcp;
module(tcp_module, local) -> inetpy_local_tcp;
module(udp_module, any) -> inetpy_udp;
module(udp_module, inet) -> inetpy4_udp;
module(udp_module, inet6) -> inetpy6_udp;
module(udp_module, local) -> inetpy_local_udp.

stock(tcp_module, inet) -> inet_tcp;
stock(tcp_module, inet6) -> inet6_tcp;
stock(tcp_module, local) -> local_tcp;
stock(udp_module, inet) -> inet_udp;
stock(udp_module, inet6) -> inet6_udp;
stock(udp_module, local) -> local_udp.

ours(tcp_module, inet_tcp) -> module(tcp_module, inet);
ours(tcp_module, inet6_tcp) -> module(tcp_module, inet6);
ours(tcp_module, local_tcp) -> module(tcp_module, local);
ours(udp_module, inet_udp) -> module(udp_module, inet);
ours(udp_module, inet6_udp) -> module(udp_module, inet6);
ours(udp_module, local_udp) -> module(udp_module, local);
ours(_, Module) -> Module.
