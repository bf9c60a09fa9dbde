%% A trace is played again in a case, which fails by what differs and by what is missing.
-module(replay_SUITE).

-export([suite/0, all/0, same/1, differs/1, missing/1]).

-include_lib("common_test/include/ct.hrl").

suite() -> [{ct_hooks, [{inetpy_cth, [{seed, 7}]}]}].

all() -> [same, differs, missing].

begin_replay(Config) ->
    Path = filename:join(?config(priv_dir, Config), "run.jsonl"),
    Socket = "\"node\": \"\", \"socket\": 1, \"kind\": \"stream\", \"label\": \"db.example:5432\"",
    ok = file:write_file(Path, [
        ["{\"event\": \"socket\", ", Socket, ", \"what\": \"connected\"}\n"],
        ["{\"event\": \"bytes\", ", Socket, ", \"direction\": \"send\", \"offset\": 0, \"data\": {\"text\": \"one\"}}\n"]
    ]),
    {ok, Replay} = inetpy_network:replay(Path),
    Replay.

same(Config) ->
    Replay = begin_replay(Config),
    {ok, S} = gen_tcp:connect("db.example", 5432, []),
    ok = gen_tcp:send(S, <<"one">>),
    ok = inetpy_network:wait(Replay, 20000).

differs(Config) ->
    Replay = begin_replay(Config),
    {ok, S} = gen_tcp:connect("db.example", 5432, []),
    ok = gen_tcp:send(S, <<"onx">>),
    {error, _} = inetpy_network:wait(Replay, 20000),
    ok.

missing(Config) ->
    _ = begin_replay(Config),
    ok.
