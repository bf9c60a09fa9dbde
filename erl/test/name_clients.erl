%% OTP's own resolver and libraries that ask it, while the network of tests/network/names.py is in play.
-module(name_clients).

-export([reached/0, http/0, as_before/0, avoided/0, order/0, strict/0]).
-export([stopped/0, uninstalled/0, killed/0, mine/0, configured/0, bridges/0, recovered/0]).

-define(WEB, "web.example").
%% In ms, for what comes by itself.
-define(PATIENCE, 30000).

%% inet:getaddr gives the addresses that the server has, and these lead to the server.
reached() ->
    lists:foreach(fun reached/1, [inet, inet6]).

reached(Family) ->
    {ok, Addresses} = inetpy_inet:getaddrs(?WEB, Family),
    {ok, Addresses} = inet:getaddrs(?WEB, Family),
    {ok, Addresses} = inet:getaddrs("WEB.Example", Family),
    {ok, Address} = inet:getaddr(list_to_atom(?WEB), Family),
    {ok, {hostent, ?WEB, [], Family, _, Addresses}} = inet:gethostbyname(?WEB, Family),
    {ok, {hostent, ?WEB, [], Family, _, [Address]}} = inet:gethostbyaddr(Address),
    {ok, Socket} = gen_tcp:connect(Address, 80, [Family, binary, {active, false}]),
    ok = gen_tcp:send(Socket, "GET / HTTP/1.0\r\n\r\n"),
    {ok, <<"HTTP/1.1 200 OK", _/binary>>} = gen_tcp:recv(Socket, 0),
    ok = gen_tcp:close(Socket).

%% Applications of OTP reach the server by its name.
http() ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(ssl),
    lists:foreach(
        fun(Url) ->
            {ok, {{_, 200, _}, _, "reached"}} = httpc:request(get, {Url, []}, [{ssl, [{verify, verify_none}]}], [])
        end,
        ["http://" ?WEB "/", "https://" ?WEB "/"]
    ),
    {ok, Socket} = ssl:connect(?WEB, 443, [{verify, verify_none}, {active, false}]),
    ok = ssl:send(Socket, "GET / HTTP/1.0\r\n\r\n"),
    {ok, "HTTP/1.1 200 OK" ++ _} = ssl:recv(Socket, 0),
    ok = ssl:close(Socket).

%% Other names, and texts that are addresses, are answered as without a network.
as_before() ->
    ok = inetpy:stop(),
    Before = answers(),
    ok = inetpy:install(),
    {ok, _} = inet:getaddr(?WEB, inet),
    Before = answers(),
    ok.

answers() ->
    {ok, Own} = inet:gethostname(),
    Hosts = ["localhost", localhost, Own, "unknown.example", "127.0.0.1", "1.2", "::1", "", {1, 2, 3, 4}],
    [
        {Host, Family, inet:getaddr(Host, Family), inet:getaddrs(Host, Family), catch inet:gethostbyname(Host, Family)}
     || Host <- Hosts, Family <- [inet, inet6]
    ] ++ [inet:gethostbyname("localhost"), inet:gethostbyaddr({127, 0, 0, 1}), inet:gethostbyaddr("::1")].

%% A name that is refused has an address as long as it is.
avoided() ->
    {error, nxdomain} = inet:getaddr("x.example", inet),
    {error, nxdomain} = gen_tcp:connect("x.example", 80, []),
    ok = control("refuse"),
    {ok, Address} = inetpy_inet:getaddr("x.example", inet),
    {ok, Address} = inet:getaddr("x.example", inet),
    {ok, _} = inet:getaddr("x.example", inet6),
    {error, econnrefused} = gen_tcp:connect("x.example", 80, []),
    {error, econnrefused} = gen_tcp:connect(Address, 80, []),
    ok = control("heal"),
    {error, nxdomain} = inetpy_inet:getaddr("x.example", inet),
    {error, nxdomain} = inet:getaddr("x.example", inet),
    ok = control("blackhole"),
    {ok, Address} = inet:getaddr("x.example", inet),
    {error, timeout} = gen_tcp:connect("x.example", 80, [], 300),
    {error, econnrefused} = gen_tcp:connect("x.example", 81, []),
    Local = inet:gethostbyname("localhost"),
    ok = control("refuse localhost"),
    Local = inet:gethostbyname("localhost"),
    ok = control("heal"),
    {error, nxdomain} = gen_tcp:connect("x.example", 80, []),
    ok.

%% The first address is the one that is connected to first.
order() ->
    {ok, [{10, 0, 0, 2}, {10, 0, 0, 1}]} = inet:getaddrs("two.example", inet),
    {ok, [{64768, 0, 0, 0, 0, 0, 0, 1}]} = inet:getaddrs("two.example", inet6),
    {ok, [{10, 0, 0, 1}]} = inet:getaddrs("other.example", inet),
    ok = control("swap"),
    {ok, [{10, 0, 0, 1}, {10, 0, 0, 2}]} = inetpy_inet:getaddrs("two.example", inet),
    {ok, [{10, 0, 0, 1}, {10, 0, 0, 2}]} = inet:getaddrs("two.example", inet),
    ok.

%% A name that a strict network does not have is noted once, though a client asks for both families.
strict() ->
    ok = control("strict"),
    [{error, nxdomain} = inetpy_inet:getaddr("unknown.example", Family) || Family <- [inet, inet6, inet]],
    "unknown.example is looked up, which the network does not have" = said("failures"),
    ok.

%% --- the former configuration ----------------------------------------------

stopped() ->
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    {error, nxdomain} = inet:getaddr(?WEB, inet),
    ok = inetpy:start(),
    {ok, _} = inet:getaddr(?WEB, inet),
    {ok, _} = inetpy_inet:getaddr(?WEB, inet),
    true = Before =/= inet:get_rc(),
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    {error, nxdomain} = inet:getaddr(?WEB, inet),
    ok.

uninstalled() ->
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    ok = inetpy:install(),
    {ok, _} = inet:getaddr(?WEB, inet),
    ok = inetpy:uninstall(),
    Before = inet:get_rc(),
    ok = inetpy:install(),
    {ok, _} = inet:getaddr(?WEB, inet),
    ok.

%% The Python that comes next has read the file before the first lookup. When none can come, the names are gone.
killed() ->
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    ok = inetpy:install(),
    During = lists:sort(inet:get_rc()),
    ok = kill_python(),
    {ok, _} = inetpy_inet:getaddr(?WEB, inet),
    During = lists:sort(inet:get_rc()),
    true = os:putenv("INETPY_PYTHON", "/nowhere/python"),
    ok = application:set_env(inetpy, python, "/nowhere/python"),
    ok = kill_python(),
    ok = until(fun() -> {error, nxdomain} =:= inet:getaddr(?WEB, inet) end),
    ok = until(fun() -> without_modules(Before) =:= without_modules(inet:get_rc()) end).

%% inetpy:install/0 still holds.
without_modules(Rc) -> [Item || Item <- Rc, not lists:member(element(1, Item), [tcp, udp])].

kill_python() ->
    #{bridge := Bridge, os_pid := Pid} = inetpy:info(),
    Monitor = erlang:monitor(process, Bridge),
    _ = os:cmd("kill -9 " ++ integer_to_list(Pid)),
    receive {'DOWN', Monitor, _, _, _} -> ok end.

%% What the user has in inet_db is there again, and so is what the user has changed meanwhile.
mine() ->
    ok = inetpy:stop(),
    ok = inet_db:set_lookup([dns, native]),
    Mine = [{{10, 0, 0, 1}, ["mine.example", "Alias"]}, {{10, 1, 1, 1}, ["WEB.example", "web"]}, {{10, 1, 1, 2}, [?WEB]}],
    [ok = inet_db:add_host(Address, Names) || {Address, Names} <- Mine],
    Before = lists:sort(inet:get_rc()),
    ok = inetpy:start(),
    false = inetpy_names:is_native(),
    [file, dns, native] = inet_db:res_option(lookup),
    {ok, [{198, 18, 0, _}]} = inet:getaddrs(?WEB, inet),
    {ok, {10, 0, 0, 1}} = inet:getaddr("mine.example", inet),
    {ok, {10, 0, 0, 1}} = inet:getaddr("other.example", inet),
    {ok, {10, 1, 1, 1}} = inet:getaddr("web", inet),
    ok = inet_db:add_host({10, 0, 0, 2}, ["new.example"]),
    ok = inetpy:stop(),
    true = lists:member({host, {10, 0, 0, 2}, ["new.example"]}, inet:get_rc()),
    ok = inet_db:del_host({10, 0, 0, 2}),
    Before = lists:sort(inet:get_rc()),
    ok.

%% A node whose methods begin with `file`: nothing but hosts is added. Methods that are set meanwhile stay.
configured() ->
    ok = inetpy:stop(),
    ok = inet_db:set_lookup([file, native]),
    File = inet_db:res_option(hosts_file),
    ok = inetpy:start(),
    {ok, _} = inet:getaddr(?WEB, inet),
    [file, native] = inet_db:res_option(lookup),
    File = inet_db:res_option(hosts_file),
    false = inetpy_names:is_native(),
    ok = inetpy:stop(),
    [file, native] = inet_db:res_option(lookup),
    ok = inet_db:set_lookup([native]),
    ok = inetpy:start(),
    true = inetpy_names:is_native(),
    ok = inet_db:set_lookup([dns]),
    false = inetpy_names:is_native(),
    ok = inetpy:stop(),
    [dns] = inet_db:res_option(lookup),
    ok.

%% Each bridge has names. A name has the addresses of all.
bridges() ->
    ok = inetpy_names:set(2, [{<<"far.example">>, [{10, 7, 7, 7}]}, {<<"two.example">>, [{10, 0, 0, 1}, {10, 0, 0, 3}]}]),
    {ok, _} = inet:getaddr(?WEB, inet),
    {ok, {10, 7, 7, 7}} = inet:getaddr("far.example", inet),
    {ok, [{10, 0, 0, 2}, {10, 0, 0, 1}, {10, 0, 0, 3}]} = inet:getaddrs("two.example", inet),
    ok = inetpy_names:set(2, []),
    {error, nxdomain} = inet:getaddr("far.example", inet),
    {ok, [{10, 0, 0, 2}, {10, 0, 0, 1}]} = inet:getaddrs("two.example", inet),
    ok.

%% The process that changes inet_db can fail.
recovered() ->
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    ok = inetpy:start(),
    During = inet:get_rc(),
    Killed = whereis(inetpy_names),
    exit(Killed, kill),
    ok = until(fun() -> is_pid(whereis(inetpy_names)) andalso whereis(inetpy_names) =/= Killed end),
    ok = inetpy_names:install(true),
    During = inet:get_rc(),
    ok = inetpy:stop(),
    Before = inet:get_rc(),
    ok.

%% --- helpers ---------------------------------------------------------------

control(Command) ->
    "ok" = said(Command),
    ok.

said(Command) ->
    {ok, Socket} = gen_tcp:connect("control.example", 7, [{active, false}, {packet, line}]),
    ok = gen_tcp:send(Socket, [Command, $\n]),
    {ok, Line} = gen_tcp:recv(Socket, 0),
    ok = gen_tcp:close(Socket),
    string:trim(Line).

until(Condition) -> until(Condition, erlang:monotonic_time(millisecond) + ?PATIENCE).

until(Condition, End) ->
    case Condition() of
        true -> ok;
        false ->
            true = erlang:monotonic_time(millisecond) < End,
            timer:sleep(20),
            until(Condition, End)
    end.
