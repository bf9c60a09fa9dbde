%% For the command line: `inetpy run` starts the node with `-run inetpy_node install`.
-module(inetpy_node).

-export([install/0, install/1]).

%% Puts the node on Python sockets, or prints the reason and ends the node. Otherwise the node would run on stock
%% sockets, and look as if it ran on Python's.
-spec install() -> ok.
install() -> install([]).

%% The same with `socket` among the words of the command line, for calls of the module `socket`, too; with `socket_only`
%% for those alone.
-spec install([string()]) -> ok.
install(Words) ->
    case whereis(inet_db) of
        undefined -> ok;  % a kernel without network: erlc starts its node with `-mode minimal`
        _ -> install_or_halt(options(Words))
    end.

options(["socket" | _]) -> #{socket => true};
options(["socket_only" | _]) -> #{inet => false, socket => true};
options(_) -> #{}.

install_or_halt(Options) ->
    case inetpy:install_quietly(Options) of
        ok ->
            ok;
        {error, Reason} ->
            io:format(standard_error, "inetpy: cannot install: ~ts~n", [inetpy_install:text(Reason)]),
            erlang:halt(1)
    end.
