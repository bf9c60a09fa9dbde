%% Stands in for OTP's module gen_udp_socket while inetpy is installed: inetpy_install loads it under that name.
%%
%% gen_udp calls these when the node's backend is `socket`.
-module(inetpy_hook_udp).

-export([open/1, open/2, fdopen/2, which_sockets/0]).

-spec open(term()) -> {ok, gen_udp:socket()} | {error, term()}.
open(Port) -> open(Port, []).

-spec open(term(), list()) -> {ok, gen_udp:socket()} | {error, term()}.
open(Port, Options) ->
    gen_udp:open(Port, inetpy_install:udp_options(Options)).

-spec fdopen(term(), list()) -> {ok, gen_udp:socket()} | {error, term()}.
fdopen(Fd, Options) ->
    gen_udp:fdopen(Fd, inetpy_install:udp_options(Options)).

%% For inet:i/0.
-spec which_sockets() -> [gen_udp:socket()].
which_sockets() ->
    [Socket || {'$inet', inetpy_udp, _} = Socket <- inetpy:which_sockets()].
