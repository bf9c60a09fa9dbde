%% For the command line: `inetpy run` starts the node with `-run inetpy_node install`.
-module(inetpy_node).

-export([install/0]).

%% Puts the node on Python sockets, or prints the reason and ends the node. Otherwise the node would run on stock
%% sockets, and look as if it ran on Python's.
-spec install() -> ok.
install() ->
    case whereis(inet_db) of
        undefined -> ok;  % a kernel without network: erlc starts its node with `-mode minimal`
        _ -> install_or_halt()
    end.

install_or_halt() ->
    case inetpy:install_quietly() of
        ok ->
            ok;
        {error, Reason} ->
            io:format(standard_error, "inetpy: cannot install: ~ts~n", [inetpy_install:text(Reason)]),
            erlang:halt(1)
    end.
