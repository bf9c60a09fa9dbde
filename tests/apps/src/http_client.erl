%% What OTP's HTTP client sees, in few words.
-module(http_client).

-export([get/1, get/2, pipelined/2, forget/0]).

%% {Status, Size of the body}, or the reason of the error. Options: those of httpc:request/4.
get(Url) ->
    get(Url, []).

get(Url, Options) ->
    Tls = [{ssl, [{verify, verify_none}]} || lists:prefix("https", Url)],
    seen(httpc:request(get, {Url, []}, Tls ++ Options, [{body_format, binary}])).

%% Requests that do not wait for each other. On a connection that is kept they go one behind the other.
pipelined(Urls, Options) ->
    Asked = [httpc:request(get, {Url, []}, Options, [{sync, false}, {body_format, binary}]) || Url <- Urls],
    [
        receive
            {http, {Id, Answer}} -> seen(Answer)
        end
     || {ok, Id} <- Asked
    ].

%% The client as it is at first: without connections that it has kept.
forget() ->
    _ = application:stop(inets),
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(ssl),
    httpc:set_options([{pipeline_timeout, 60_000}, {max_pipeline_length, 10}]).

seen({ok, Answer}) -> seen(Answer);
seen({{_, Status, _}, _, Body}) -> {Status, byte_size(Body)};
seen({error, {failed_connect, [_, {_, _, {eoptions, _}}]}}) -> {failed_connect, eoptions};
seen({error, {failed_connect, [_, {_, _, Reason}]}}) -> {failed_connect, Reason};
seen({error, {tcp_error, _, Reason}}) -> {tcp_error, Reason};
seen({error, Reason}) -> Reason.
