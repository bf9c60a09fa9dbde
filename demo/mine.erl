%% Scenarios for the picture in README.md: `inetpy crosscheck --backends socket,inetpy --scenario demo/mine.erl`.
-module(mine).
-export([scenarios/0]).

scenarios() ->
    [
        {last_words, "The client sends and closes: the server reads the data, then the end.", fun(Backend) ->
            {C, S} = xc:both(Backend, [{active, false}], [{active, false}]),
            ok = gen_tcp:send(C, "last words"),
            ok = gen_tcp:close(C),
            {gen_tcp:recv(S, 0), gen_tcp:recv(S, 0)}
        end},
        {two_at_once, "A second caller in recv, while the first one waits.", fun(Backend) ->
            {_, S} = xc:both(Backend, [{active, false}], [{active, false}]),
            First = xc:spawn_call(fun() -> gen_tcp:recv(S, 0, 1000) end),
            timer:sleep(200),
            [gen_tcp:recv(S, 0, 50), xc:await(First)]
        end},
        {reset, "The peer resets the connection: what an active socket's owner is told.", fun(Backend) ->
            {C, S} = xc:both(Backend, [{active, false}], [{active, true}, {show_econnreset, true}]),
            xc:reset(C),
            xc:next()
        end}
    ].
