%% An application that knows nothing of inetpy: it downloads a page with OTP's HTTP client.
-module(app).
-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()}.
start(_Type, _Arguments) ->
    {ok, spawn_link(fun main/0)}.

-spec stop(term()) -> ok.
stop(_State) ->
    ok.

main() ->
    io:format("network interfaces here: ~ts~n", [lists:join(" ", interfaces())]),
    io:format("connect by a socket of the emulator: ~p~n", [directly()]),
    Url = os:getenv("URL", "http://web:8080/"),
    case os:getenv("EVERY") of
        false -> init:stop(download(Url)), timer:sleep(infinity);
        Milliseconds -> again(Url, list_to_integer(Milliseconds))
    end.

interfaces() ->
    {ok, Table} = file:read_file("/proc/net/dev"),
    [_, _ | Lines] = string:lexemes(Table, "\n"),
    [string:trim(hd(string:split(Line, ":"))) || Line <- Lines].

%% The emulator's own sockets, which inetpy does not replace.
directly() ->
    {ok, Socket} = socket:open(inet, stream),
    socket:connect(Socket, #{family => inet, addr => loopback, port => 8080}).

again(Url, Milliseconds) ->
    _ = download(Url),
    timer:sleep(Milliseconds),
    again(Url, Milliseconds).

%% The exit status of the node: 0 if there is a page.
download(Url) ->
    case httpc:request(get, {Url, []}, [{timeout, 5000}], [{body_format, binary}]) of
        {ok, {{_, 200, _}, _, Page}} ->
            io:format("~ts: ~b bytes: ~ts~n", [Url, byte_size(Page), string:trim(Page)]),
            0;
        {ok, {{_, Status, Reason}, _, _}} ->
            io:format("~ts: ~b ~ts~n", [Url, Status, Reason]),
            1;
        {error, Reason} ->
            io:format("~ts: ~0tp~n", [Url, Reason]),
            1
    end.
