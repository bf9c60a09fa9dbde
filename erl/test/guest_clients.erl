%% Clients in Erlang of the servers in tests/network/guests.py. Each function fails when an answer is wrong.
-module(guest_clients).

-export([http/0, https/0, asgi/0, smtp/0, starttls/0, redis/0]).

%% --- OTP's HTTP client ---

http() ->
    http("http://web.example", []).

https() ->
    {ok, _} = application:ensure_all_started(ssl),
    http("https://web.example", [{ssl, [{verify, verify_none}]}]).

http(Url, Options) ->
    {ok, _} = application:ensure_all_started(inets),
    {200, Json} = request(get, {Url ++ "/hello/world", []}, Options),
    <<"{\"method\": \"GET\", \"name\": \"world\", \"via\": \"web.example\"}">> = Json,
    Body = binary:copy(<<"x">>, 5_000_000),
    {200, <<"5000000">>} = request(post, {Url ++ "/size", [], "text/plain", Body}, Options),
    {200, Chunks} = request(get, {Url ++ "/chunks", []}, Options),
    Chunks = << <<(binary:copy(<<(integer_to_binary(N))/binary, " ">>, 1000))/binary>> || N <- lists:seq(0, 99)>>,
    {404, _} = request(get, {Url ++ "/nothing", []}, Options),
    All = [spawn_monitor(fun() -> {200, Json} = request(get, {Url ++ "/hello/world", []}, Options) end) || _ <- lists:seq(1, 50)],
    [
        receive
            {'DOWN', Ref, process, Pid, normal} -> ok
        after 30_000 -> error(timeout)
        end
     || {Pid, Ref} <- All
    ],
    ok.

request(Method, Request, Options) ->
    {ok, {{_, Status, _}, _, Body}} = httpc:request(Method, Request, [{timeout, 30_000} | Options], [{body_format, binary}]),
    {Status, Body}.

asgi() ->
    {ok, _} = application:ensure_all_started(inets),
    Url = "http://uvicorn.example:8000/a/path",
    {ok, {{_, 201, _}, Headers, "olleh"}} = httpc:request(post, {Url, [], "text/plain", "hello"}, [], []),
    "/a/path" = proplists:get_value("x-path", Headers),
    ok.

%% --- SMTP, in lines as gen_smtp reads them ---

smtp() ->
    {ok, Socket} = gen_tcp:connect("mail.example", 25, [binary, {active, false}, {packet, line}]),
    <<"220 mail.example", _/binary>> = answer(gen_tcp, Socket),
    talk(gen_tcp, Socket, <<"me@example.org">>),
    {error, closed} = gen_tcp:recv(Socket, 0, 30_000),
    gen_tcp:close(Socket).

starttls() ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, Socket} = gen_tcp:connect("mail.example", 587, [binary, {active, false}, {packet, line}]),
    <<"220", _/binary>> = answer(gen_tcp, Socket),
    <<"250", _/binary>> = command(gen_tcp, Socket, <<"EHLO client">>),
    <<"530", _/binary>> = command(gen_tcp, Socket, <<"MAIL FROM:<me@example.org>">>),
    <<"220", _/binary>> = command(gen_tcp, Socket, <<"STARTTLS">>),
    {ok, Secret} = ssl:connect(Socket, [{verify, verify_none}, {active, false}], 30_000),
    talk(ssl, Secret, <<"secret@example.org">>),
    ssl:close(Secret).

talk(Transport, Socket, From) ->
    <<"250", _/binary>> = command(Transport, Socket, <<"EHLO client">>),
    <<"250", _/binary>> = command(Transport, Socket, <<"MAIL FROM:<", From/binary, ">">>),
    <<"250", _/binary>> = command(Transport, Socket, <<"RCPT TO:<you@example.org>">>),
    <<"354", _/binary>> = command(Transport, Socket, <<"DATA">>),
    Body = binary:copy(<<"All work and no play\r\n">>, 10_000),
    <<"250 kept\r\n">> = command(Transport, Socket, <<"Subject: work\r\n\r\n", Body/binary, ".">>),
    Size = integer_to_binary(byte_size(Body) + 17),
    Expected = <<"252 ", From/binary, " you@example.org ", Size/binary, "\r\n">>,
    Expected = command(Transport, Socket, <<"VRFY me">>),
    <<"221", _/binary>> = command(Transport, Socket, <<"QUIT">>).

command(Transport, Socket, Line) ->
    ok = Transport:send(Socket, [Line, "\r\n"]),
    answer(Transport, Socket).

%% The last line of an answer.
answer(Transport, Socket) ->
    case Transport:recv(Socket, 0, 30_000) of
        {ok, <<_:3/binary, "-", _/binary>>} -> answer(Transport, Socket);
        {ok, Line} -> Line
    end.

%% --- Redis ---

redis() ->
    {ok, Socket} = gen_tcp:connect("redis.example", 6379, [binary, {active, false}, {packet, line}]),
    <<"PONG">> = redis(Socket, [<<"PING">>]),
    <<"OK">> = redis(Socket, [<<"SET">>, <<"key">>, <<"value\r\nof two lines">>]),
    <<"value\r\nof two lines">> = redis(Socket, [<<"GET">>, <<"key">>]),
    undefined = redis(Socket, [<<"GET">>, <<"nothing">>]),
    Counts = [redis(Socket, [<<"INCR">>, <<"counter">>]) || _ <- lists:seq(1, 100)],
    Counts = lists:seq(1, 100),
    3 = redis(Socket, [<<"RPUSH">>, <<"list">>, <<"a">>, <<"b">>, <<"c">>]),
    [<<"a">>, <<"b">>, <<"c">>] = redis(Socket, [<<"LRANGE">>, <<"list">>, <<"0">>, <<"-1">>]),
    {error, <<"WRONGTYPE", _/binary>>} = redis(Socket, [<<"GET">>, <<"list">>]),
    Large = binary:copy(<<"0123456789">>, 100_000),
    <<"OK">> = redis(Socket, [<<"SET">>, <<"large">>, Large]),
    Large = redis(Socket, [<<"GET">>, <<"large">>]),
    ok = gen_tcp:send(Socket, [redis_command([<<"PING">>]) || _ <- lists:seq(1, 1000)]),
    [<<"PONG">> = redis_reply(Socket) || _ <- lists:seq(1, 1000)],
    gen_tcp:close(Socket).

redis(Socket, Words) ->
    ok = gen_tcp:send(Socket, redis_command(Words)),
    redis_reply(Socket).

redis_command(Words) ->
    ["*", integer_to_list(length(Words)), "\r\n", [["$", integer_to_list(byte_size(W)), "\r\n", W, "\r\n"] || W <- Words]].

redis_reply(Socket) ->
    ok = inet:setopts(Socket, [{packet, line}]),
    {ok, <<Sign, Rest/binary>>} = gen_tcp:recv(Socket, 0, 30_000),
    Text = binary:part(Rest, 0, byte_size(Rest) - 2),
    case Sign of
        $+ -> Text;
        $- -> {error, Text};
        $: -> binary_to_integer(Text);
        $$ when Text =:= <<"-1">> -> undefined;
        $$ -> redis_bulk(Socket, binary_to_integer(Text));
        $* -> [redis_reply(Socket) || _ <- lists:seq(1, binary_to_integer(Text))]
    end.

redis_bulk(Socket, Size) ->
    ok = inet:setopts(Socket, [{packet, raw}]),
    {ok, <<Value:Size/binary, "\r\n">>} = gen_tcp:recv(Socket, Size + 2, 30_000),
    Value.
