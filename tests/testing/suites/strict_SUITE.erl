%% Cases that would pass, but the network has something to say.
-module(strict_SUITE).

-export([suite/0, all/0, stranger/1, server_raises/1, quiet/1]).

suite() -> [{ct_hooks, [{inetpy_cth, [{network, "strict.py"}, {trace, never}]}]}].

all() -> [stranger, server_raises, quiet].

stranger(_Config) ->
    {error, nxdomain} = gen_tcp:connect("stranger.example", 80, []),
    ok.

server_raises(_Config) ->
    {ok, S} = gen_tcp:connect("raises.example", 80, [{active, false}]),
    {error, _} = gen_tcp:recv(S, 0),
    ok.

quiet(_Config) -> ok.
