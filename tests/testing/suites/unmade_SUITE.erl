%% The network file of its hook is not there, and the suite has no functions but its case.
-module(unmade_SUITE).

-export([suite/0, all/0, never/1]).

suite() -> [{ct_hooks, [{inetpy_cth, [{network, "no.py"}]}]}].

all() -> [never].

never(_Config) -> error(is_run).
