%% The hook is installed by init_per_suite.
-module(late_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1, reads/1, reads_again/1]).

all() -> [reads, reads_again].

init_per_suite(Config) -> [{ct_hooks, [{inetpy_cth, [{network, "net.py"}, {trace, never}]}]} | Config].

end_per_suite(_Config) -> ok.

reads(_Config) ->
    {ok, S} = gen_tcp:connect("db.example", 5432, [{active, false}]),
    {ok, "row 1, row 2"} = gen_tcp:recv(S, 12),
    {ok, _} = inetpy_fault:add(#{host => "db.example"}, refuse),
    ok.

reads_again(Config) -> reads(Config).
