%% Two nodes that are connected by Erlang's distribution, on Python sockets, and what happens to them in a bad network.
%%
%% OTP's own gen_tcp_dist (an example of kernel) carries the distribution over gen_tcp, so faults act on it. The node of
%% Common Test speaks to both nodes by their standard input and output.
-module(two_nodes_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([together/1, slow/1, in_pieces/1, reset/1, partition/1, client_of_a_node/1]).
%% What runs at a node.
-export([keep/0, ask/1, losses/1, time/1, server/0]).

-define(A, 'a@127.0.0.1').
-define(B, 'b@127.0.0.1').
-define(TICKTIME, 2).

suite() -> [{ct_hooks, [inetpy_cth]}, {timetrap, {minutes, 1}}].

all() -> [together, slow, in_pieces, reset, partition, client_of_a_node].

init_per_suite(Config) ->
    true = os:putenv("DIST_NAMES", ?config(priv_dir, Config)),
    Here = filename:dirname(string:trim(?config(data_dir, Config), trailing, "/")),
    [{nodes, [start(Name, [Here, filename:dirname(code:which(inetpy))]) || Name <- [?A, ?B]]} | Config].

end_per_suite(Config) ->
    lists:foreach(fun peer:stop/1, ?config(nodes, Config)).

%% A node whose distribution begins when its sockets are Python's. It outlives the process of init_per_suite.
start(Name, Paths) ->
    Args = ["-proto_dist", "gen_tcp", "-epmd_module", "dist_names", "-setcookie", "two", "-pa" | Paths],
    {ok, Pid, _} = peer:start(#{connection => standard_io, args => Args}),
    ok = call(Pid, inetpy, start, []),
    _ = call(Pid, inetpy, install, []),
    {ok, _} = call(Pid, net_kernel, start, [[Name, longnames]]),
    _ = call(Pid, net_kernel, set_net_ticktime, [?TICKTIME, 0]),
    true = call(Pid, erlang, register, [keeper, call(Pid, erlang, spawn, [?MODULE, keep, []])]),
    Pid.

init_per_testcase(_, Config) ->
    [A, B] = ?config(nodes, Config),
    pong = call(A, net_adm, ping, [?B]),
    [{a, A}, {b, B} | Config].

end_per_testcase(_, Config) ->
    [heal(Node) || Node <- ?config(nodes, Config)],
    ok.

call(Node, Module, Function, Args) -> peer:call(Node, Module, Function, Args, 30_000).

heal(Node) -> ok = call(Node, inetpy_fault, reset, []).

break(Node, Fault) ->
    {ok, _} = call(Node, ?MODULE, ask, [{break, Fault}]),
    ok.

%% --- what runs at a node -----------------------------------------------------

%% Keeps how often other nodes have gone, and has the rules: a rule goes with the process that has added it.
keep() ->
    ok = net_kernel:monitor_nodes(true),
    keep(0).

keep(Count) ->
    receive
        {nodedown, _} ->
            keep(Count + 1);
        {From, count} ->
            From ! {answer, Count},
            keep(Count);
        {From, {break, Fault}} ->
            From ! {answer, inetpy_fault:add(#{proto => tcp}, Fault)},
            keep(Count);
        _ ->
            keep(Count)
    end.

ask(Question) ->
    keeper ! {self(), Question},
    receive
        {answer, Answer} -> Answer
    end.

%% How often, as soon as it is `Least` or more.
losses(Least) ->
    case ask(count) of
        Count when Count >= Least -> Count;
        _ -> timer:sleep(20), losses(Least)
    end.

time(Node) -> timer:tc(erpc, call, [Node, erlang, node, []]).

%% The port of a server that answers each connection with `hello`.
server() ->
    Caller = self(),
    spawn(fun() ->
        {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
        Caller ! inet:port(L),
        greet(L)
    end),
    receive
        {ok, Port} -> Port
    end.

greet(L) ->
    {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(S, "hello"),
    ok = gen_tcp:close(S),
    greet(L).

%% --- cases -------------------------------------------------------------------

%% The connection is one of Python's sockets.
together(Config) ->
    A = ?config(a, Config),
    ?assertEqual([?B], call(A, erlang, nodes, [])),
    ?assertMatch({_, ?B}, call(A, ?MODULE, time, [?B])),
    ?assert(length(call(A, inetpy, which_sockets, [])) >= 2).

slow(Config) ->
    A = ?config(a, Config),
    ok = break(A, {latency, #{ms => 200}}),
    {Microseconds, ?B} = call(A, ?MODULE, time, [?B]),
    ?assert(Microseconds >= 200_000).

in_pieces(Config) ->
    A = ?config(a, Config),
    ok = break(A, {slice, #{size => 3}}),
    Term = lists:seq(1, 1000),
    ?assertEqual(Term, call(A, erpc, call, [?B, lists, reverse, [lists:reverse(Term)]])).

%% The connection is lost at once; then the nodes find each other again.
reset(Config) ->
    A = ?config(a, Config),
    Before = call(A, ?MODULE, losses, [0]),
    ok = break(A, {reset, #{}}),
    _ = call(A, ?MODULE, losses, [Before + 1]),
    heal(A),
    ?assertMatch({_, ?B}, call(A, ?MODULE, time, [?B])).

%% Nobody says that the other node has gone: it is silent for a tick time.
partition(Config) ->
    [A, B] = Nodes = ?config(nodes, Config),
    Before = [call(Node, ?MODULE, losses, [0]) || Node <- Nodes],
    [ok = break(Node, blackhole) || Node <- Nodes],
    [call(Node, ?MODULE, losses, [Count + 1]) || {Node, Count} <- lists:zip(Nodes, Before)],
    ?assertEqual([[], []], [call(Node, erlang, nodes, []) || Node <- Nodes]),
    lists:foreach(fun heal/1, Nodes),
    ?assertEqual(pong, call(B, net_adm, ping, [?A])),
    ?assertEqual([?B], call(A, erlang, nodes, [])).

%% The node of Common Test is on Python too, by the hook, which takes the rule away after the case.
client_of_a_node(Config) ->
    Port = call(?config(a, Config), ?MODULE, server, []),
    {ok, _} = inetpy_fault:add(#{port => Port}, {limit, #{bytes => 2}}, #{'when' => {nth, 2}}),
    ?assertEqual([{ok, "hello"}, {ok, "he"}, {ok, "hello"}], [greeting(Port) || _ <- [1, 2, 3]]).

greeting(Port) ->
    {ok, S} = gen_tcp:connect("localhost", Port, [{active, true}]),
    receive
        {tcp, S, Data} -> {ok, Data};
        {tcp_closed, S} -> closed
    end.
