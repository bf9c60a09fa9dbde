%% Tests in every shape that EUnit takes. Those with `fails` in their names fail on purpose.
-module(unit_tests).

-include_lib("eunit/include/eunit.hrl").

-define(NETWORK, [{network, "net.py"}, {seed, 7}, {trace, never}]).

-export([named/0, named_tests/0, traced/0]).

ask() ->
    {ok, {'$inet', _, _} = S} = gen_tcp:connect("db.example", 5432, [{active, false}]),
    gen_tcp:recv(S, 12).

no_rule_is_left() -> ?assertEqual([], [Rule || #{whom := #{port := _}} = Rule <- inetpy_fault:rules()]).

add_rule() ->
    no_rule_is_left(),
    {ok, _} = inetpy_fault:add(#{port => 1}, refuse).

one_test_() -> inetpy_eunit:with_network("net.py", fun() -> ?assertEqual({ok, "row 1, row 2"}, ask()) end).

stock_test() -> {ok, S} = gen_tcp:listen(0, []), ?assert(is_port(S)).

fails_test_() ->
    inetpy_eunit:with_network(?NETWORK, fun() ->
        {ok, _} = inetpy_fault:add(#{host => "db.example"}, {reset, #{after_bytes => 5}}),
        ?assertEqual({ok, "row 1, row 2"}, ask())
    end).

shapes_test_() ->
    inetpy_eunit:with_network(?NETWORK, [
        fun add_rule/0,
        ?_test(add_rule()),
        {"described", fun add_rule/0},
        {"described", setup, fun() -> 2 end, fun(2) -> [fun add_rule/0] end},
        {1, fun add_rule/0},
        {<<"binary">>, [fun add_rule/0, [fun add_rule/0]]},
        {?MODULE, named},
        {test, ?MODULE, named},
        {generator, fun() -> [fun add_rule/0] end},
        {generator, ?MODULE, named_tests},
        {with, 1, [fun(1) -> add_rule() end]},
        {setup, fun() -> 2 end, fun(2) -> [fun add_rule/0, fun add_rule/0] end},
        {setup, fun() -> 2 end, fun(2) -> ok end, {with, [fun(2) -> add_rule() end]}},
        {setup, local, fun() -> 2 end, fun(2) -> ok end, fun add_rule/0},
        {foreach, fun() -> 3 end, [fun(3) -> fun add_rule/0 end, fun(3) -> [fun add_rule/0] end]},
        {foreachx, fun(X) -> X end, [{4, fun(4, 4) -> fun add_rule/0 end}]},
        {inorder, [fun add_rule/0, fun add_rule/0]},
        {inparallel, 2, [fun() -> inetpy_fault:add(#{port => 1}, refuse) end || _ <- [1, 2, 3]]},
        {timeout, 10, {spawn, fun add_rule/0}},
        fun no_rule_is_left/0
    ]).

named() -> add_rule().
named_tests() -> [fun add_rule/0].

fails_by_time_test_() ->
    inetpy_eunit:with_network(?NETWORK,
        {timeout, 0.3, fun() ->
            {ok, _} = inetpy_fault:add(#{host => "db.example"}, blackhole),
            ask()
        end}).

fails_strictly_test_() ->
    inetpy_eunit:with_network([{network, "strict.py"}, {trace, never}], fun() ->
        ?assertEqual({error, nxdomain}, gen_tcp:connect("stranger.example", 80, []))
    end).

fails_at_setup_test_() -> inetpy_eunit:with_network("no_such.py", fun() -> ok end).

fails_by_option_test_() -> inetpy_eunit:with_network([{sead, 1}], fun() -> ok end).

%% Not by its name: it has a trace.
traced() ->
    inetpy_eunit:with_network("net.py", [fun() -> {ok, _} = ask() end, fun() -> {ok, _} = ask(), error(on_purpose) end]).
