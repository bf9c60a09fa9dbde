%% Tests that do not know of inetpy.
-module(whole).

-include_lib("eunit/include/eunit.hrl").

ask() ->
    {ok, S} = gen_tcp:connect("db.example", 5432, [{active, false}]),
    gen_tcp:recv(S, 12).

asks_test() -> ?assertEqual({ok, "row 1, row 2"}, ask()).

asks_test_() -> [?_assertEqual({ok, "row 1, row 2"}, ask())].
