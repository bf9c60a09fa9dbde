%% Stands in for OTP's module gen_tcp_socket while inetpy is installed: inetpy_install loads it under that name.
%%
%% gen_tcp calls these when the node's backend is `socket`.
-module(inetpy_hook_tcp).

-export([connect/3, connect/4, listen/2, fdopen/2, which_sockets/0]).

-spec connect(map(), list(), timeout()) -> {ok, gen_tcp:socket()} | {error, term()}.
connect(SockAddr, Options, Timeout) ->
    gen_tcp:connect(SockAddr, inetpy_install:tcp_options(Options, SockAddr), Timeout).

-spec connect(term(), term(), list(), timeout()) -> {ok, gen_tcp:socket()} | {error, term()}.
connect(Address, Port, Options, Timeout) ->
    {Bridge, _} = inetpy_bridges:choose(Options),
    inetpy_bridges:lookups_on(Bridge, fun() ->
        gen_tcp:connect(Address, Port, inetpy_install:connect_options(Address, Port, Options), Timeout)
    end).

-spec listen(term(), list()) -> {ok, gen_tcp:socket()} | {error, term()}.
listen(Port, Options) ->
    gen_tcp:listen(Port, inetpy_install:tcp_options(Options, undefined)).

-spec fdopen(term(), list()) -> {ok, gen_tcp:socket()} | {error, term()}.
fdopen(Fd, Options) ->
    gen_tcp:fdopen(Fd, inetpy_install:tcp_options(Options, undefined)).

%% For inet:i/0.
-spec which_sockets() -> [gen_tcp:socket()].
which_sockets() ->
    [Socket || {'$inet', inetpy_tcp, _} = Socket <- inetpy:which_sockets()].
