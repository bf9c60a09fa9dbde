%% A suite that has no hook, and no functions but its cases. They tell what they see in the log of the run.
-module(plain_SUITE).

-export([all/0, groups/0, sockets/1, fails/1, in_group/1]).

all() -> [sockets, fails, {group, grouped}].
groups() -> [{grouped, [], [in_group]}].

sockets(_Config) -> tell(sockets).

fails(_Config) -> tell(fails), error(on_purpose).

in_group(_Config) -> tell(in_group).

tell(Case) ->
    Sockets = case gen_tcp:listen(0, []) of {ok, {'$inet', _, _}} -> python; {ok, _} -> stock end,
    Network = case inet:getaddr("db.example", inet) of {ok, _} -> net; {error, _} -> no_net end,
    ct:print("plain: ~s ~s ~s", [Case, Sockets, Network]).
