%% A client of Redis for many callers: some connections, of which each request gets any.
-module(redis_pool).

-export([open/3, close/1, q/2, pipeline/2, await/2]).

-export_type([pool/0]).

-opaque pool() :: [pid()].

%% size: how many connections. Others: those of redis_connection.
-spec open(inet:hostname(), inet:port_number(), map()) -> {ok, pool()}.
open(Host, Port, Options) ->
    All = maps:merge(#{size => 2, timeout => 500, backoff => {10, 200}}, Options),
    Started = [redis_connection:start_link(Host, Port, All) || _ <- lists:seq(1, maps:get(size, All))],
    {ok, [Pid || {ok, Pid} <- Started]}.

-spec close(pool()) -> ok.
close(Pool) ->
    lists:foreach(fun gen_server:stop/1, Pool).

-spec q(pool(), [iodata()]) -> {ok, redis_connection:reply()} | {error, term()}.
q(Pool, Words) ->
    case pipeline(Pool, [Words]) of
        {ok, [{error, _} = Error]} -> Error;
        {ok, [Reply]} -> {ok, Reply};
        {error, _} = Error -> Error
    end.

%% Several commands on one connection. Some of them may have been carried out when there is an error.
-spec pipeline(pool(), [[iodata()]]) -> {ok, [redis_connection:reply()]} | {error, term()}.
pipeline(Pool, Commands) ->
    redis_connection:ask(lists:nth(rand:uniform(length(Pool)), Pool), Commands).

%% Waits until all are connected.
-spec await(pool(), non_neg_integer()) -> ok | {error, timeout}.
await(Pool, Timeout) ->
    await_until(Pool, erlang:monotonic_time(millisecond) + Timeout).

await_until(Pool, Deadline) ->
    IsOver = erlang:monotonic_time(millisecond) >= Deadline,
    case lists:all(fun redis_connection:is_connected/1, Pool) of
        true ->
            ok;
        false when IsOver ->
            {error, timeout};
        false ->
            timer:sleep(5),
            await_until(Pool, Deadline)
    end.
