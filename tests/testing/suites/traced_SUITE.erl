%% One case that passes and three that fail: each talks to a server in memory. The options of the hook come from outside.
-module(traced_SUITE).

-export([all/0, passes/1, fails/1, killed/1, refused/1]).

all() -> [passes, fails, killed, refused].

ask(Host) ->
    {ok, S} = gen_tcp:connect(Host, 5432, [{active, false}]),
    ok = gen_tcp:send(S, "a question"),
    {ok, "row 1, row 2"} = gen_tcp:recv(S, 12),
    ok = gen_tcp:close(S).

passes(_Config) -> ask("db.example").

fails(_Config) -> ask("db.example"), error(on_purpose).

killed(_Config) -> ask("db.example"), ct:timetrap(200), receive never -> ok end.

%% The server fails, and the case does not notice.
refused(_Config) ->
    {ok, S} = gen_tcp:connect("raises.example", 80, [{active, false}]),
    {error, _} = gen_tcp:recv(S, 0),
    ok.
