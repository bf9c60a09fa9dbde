%% Parts of OTP on inetpy sockets, unchanged: ssl, httpc and httpd, ssh, ftp.
%%
%% There are two ways. Normally the node's default module for TCP is ours, as with `{tcp, inetpy_tcp}.` in an
%% inetrc. With INETPY_TEST_WAY=whole_node in the environment, inetpy is installed. httpd and ftp name the family
%% in their options, which means the stock module whatever the default is. So their sockets are Python's only in
%% the second way. Each case asserts from outside whether Python holds the sockets.
-module(inetpy_otp_SUITE).

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([tls_handshake_and_data/1, tls_upgrade/1, tls_active/1, http_get/1, https_get/1, ssh_exec/1, ftp_transfers/1]).

suite() -> [{timetrap, {minutes, 2}}].

all() -> [tls_handshake_and_data, tls_upgrade, tls_active, http_get, https_get, ssh_exec, ftp_transfers].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(ssh),
    {ok, _} = application:ensure_all_started(ftp),
    ok = inetpy:start(),
    ok = lead_through_python(os:getenv("INETPY_TEST_WAY")),
    Strong = [{digest, sha256}, {key, {rsa, 2048, 65537}}],
    Chain = #{root => Strong, intermediates => [], peer => Strong},
    #{server_config := Server, client_config := Client} =
        public_key:pkix_test_data(#{server_chain => Chain, client_chain => Chain}),
    [{server, Server}, {client, [{verify, verify_none} | Client]} | Config].

end_per_suite(_Config) ->
    ok = inet_db:set_tcp_module(inet_tcp),
    ok = inetpy:stop().

lead_through_python("whole_node") -> inetpy:install();
lead_through_python(false) -> inet_db:set_tcp_module(inetpy_tcp).

tls_handshake_and_data(Config) ->
    {Client, Server} = tls_pair(Config, [{active, false}]),
    Data = rand:bytes(300000),
    ok = ssl:send(Client, Data),
    {ok, Data} = ssl:recv(Server, byte_size(Data), 10000),
    ok = ssl:send(Server, "answer"),
    {ok, <<"answer">>} = ssl:recv(Client, 6, 5000),
    ok = ssl:close(Client),
    {error, closed} = ssl:recv(Server, 0, 5000).

%% A gen_tcp connection is upgraded to TLS.
tls_upgrade(Config) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {'$inet', inetpy_tcp, _} = L,
    {ok, Port} = inet:port(L),
    Parent = self(),
    spawn_link(fun() ->
        {ok, Tcp} = gen_tcp:accept(L),
        {ok, Socket} = ssl:handshake(Tcp, proplists:get_value(server, Config), 10000),
        ok = ssl:send(Socket, "welcome"),
        Parent ! {server, ssl:recv(Socket, 0, 5000)}
    end),
    {ok, Tcp} = gen_tcp:connect("localhost", Port, [binary, {active, false}]),
    {ok, Socket} = ssl:connect(Tcp, proplists:get_value(client, Config), 10000),
    {ok, <<"welcome">>} = ssl:recv(Socket, 7, 5000),
    ok = ssl:close(Socket),
    {server, {error, closed}} = receive Message -> Message after 5000 -> nothing end.

tls_active(Config) ->
    {Client, Server} = tls_pair(Config, [{active, once}]),
    ok = ssl:send(Server, "message"),
    {ssl, Client, <<"message">>} = receive First -> First after 5000 -> nothing end,
    ok = ssl:setopts(Client, [{active, true}]),
    ok = ssl:close(Server),
    {ssl_closed, Client} = receive Second -> Second after 5000 -> nothing end.

tls_pair(Config, Options) ->
    {ok, L} = ssl:listen(0, [binary, {active, false}, {reuseaddr, true} | proplists:get_value(server, Config)]),
    {ok, {_, Port}} = ssl:sockname(L),
    true = held_by_python(Port),
    Parent = self(),
    Acceptor = spawn_link(fun() ->
        {ok, Half} = ssl:transport_accept(L, 10000),
        {ok, Socket} = ssl:handshake(Half, 10000),
        ok = ssl:controlling_process(Socket, Parent),
        Parent ! {accepted, Socket}
    end),
    {ok, Client} = ssl:connect("localhost", Port, [binary | Options] ++ proplists:get_value(client, Config), 10000),
    receive
        {accepted, Server} ->
            unlink(Acceptor),
            {Client, Server}
    after 10000 -> ct:fail(no_handshake)
    end.

http_get(Config) ->
    {Pid, Port} = web_server(Config, []),
    Python = held_by_python(Port),
    Python = whole_node(),
    Url = "http://localhost:" ++ integer_to_list(Port) ++ "/file.bin",
    {ok, Expected} = file:read_file(filename:join(root(Config), "file.bin")),
    [
        {ok, {{_, 200, _}, _, Expected}} = httpc:request(get, {Url, []}, [], [{body_format, binary}])
     || _ <- lists:seq(1, 20)
    ],
    {ok, {{_, 404, _}, _, _}} = httpc:request(Url ++ ".no"),
    ok = inets:stop(httpd, Pid).

%% The same over TLS.
https_get(Config) ->
    {Pid, Port} = web_server(Config, [{socket_type, {ssl, proplists:get_value(server, Config)}}]),
    Python = held_by_python(Port),
    Python = whole_node(),
    Url = "https://localhost:" ++ integer_to_list(Port) ++ "/file.bin",
    {ok, Expected} = file:read_file(filename:join(root(Config), "file.bin")),
    Options = [{ssl, proplists:get_value(client, Config)}],
    [
        {ok, {{_, 200, _}, _, Expected}} = httpc:request(get, {Url, []}, Options, [{body_format, binary}])
     || _ <- lists:seq(1, 5)
    ],
    ok = inets:stop(httpd, Pid).

web_server(Config, Options) ->
    Root = root(Config),
    ok = file:write_file(filename:join(Root, "file.bin"), rand:bytes(500000)),
    {ok, Pid} = inets:start(httpd, [
        {port, 0}, {server_name, "localhost"}, {server_root, Root}, {document_root, Root},
        {bind_address, {127, 0, 0, 1}}, {ipfamily, inet}, {modules, [mod_get, mod_head]} | Options
    ]),
    [{port, Port}] = httpd:info(Pid, [port]),
    {Pid, Port}.

ssh_exec(Config) ->
    Root = root(Config),
    Key = public_key:generate_key({rsa, 2048, 65537}),
    Pem = public_key:pem_encode([public_key:pem_entry_encode('RSAPrivateKey', Key)]),
    ok = file:write_file(filename:join(Root, "ssh_host_rsa_key"), Pem),
    Exec = {direct, fun(Command) -> {ok, "ran " ++ Command} end},
    {ok, Daemon} = ssh:daemon({127, 0, 0, 1}, 0, [
        {system_dir, Root}, {user_passwords, [{"user", "secret"}]}, {exec, Exec}
    ]),
    {ok, Info} = ssh:daemon_info(Daemon),
    Port = proplists:get_value(port, Info),
    true = held_by_python(Port),
    {ok, Connection} = ssh:connect({127, 0, 0, 1}, Port, [
        {user, "user"}, {password, "secret"}, {silently_accept_hosts, true}, {user_dir, Root},
        {user_interaction, false}, {save_accepted_host, false}
    ]),
    {ok, Channel} = ssh_connection:session_channel(Connection, 5000),
    success = ssh_connection:exec(Connection, Channel, "this", 5000),
    {ssh_cm, Connection, {data, Channel, 0, <<"ran this">>}} =
        receive {ssh_cm, _, {data, _, _, _}} = Data -> Data after 5000 -> nothing end,
    ok = ssh:close(Connection),
    ok = ssh:stop_daemon(Daemon).

%% The ftp client connects for its data, or listens for it. The server is another program. OTP 25's client has
%% a race, on stock sockets too: when the server's reply comes before the end of the data, the client answers `ok`
%% in place of the data. Then the test asks again, in a new session.
ftp_transfers(Config) ->
    Root = filename:join(root(Config), "ftp"),
    ok = filelib:ensure_path(Root),
    {Server, Port} = ftp_server(Root),
    Data = rand:bytes(700000),
    [
        begin
            Session = fun(Request) -> ftp_session(Port, Mode, Request) end,
            ok = Session(fun(S) -> ftp:send_bin(S, Data, "data") end),
            {ok, Data} = file:read_file(filename:join(Root, "data")),
            {ok, Data} = data(fun() -> Session(fun(S) -> ftp:recv_bin(S, "data") end) end),
            {ok, Listing} = data(fun() -> Session(fun(S) -> ftp:ls(S) end) end),
            true = string:find(Listing, "data") =/= nomatch,
            ok = Session(fun(S) -> ftp:delete(S, "data") end),
            {error, epath} = Session(fun(S) -> ftp:recv_bin(S, "data") end)
        end
     || Mode <- [passive, active]
    ],
    true = port_close(Server).

data(Transfer) ->
    case Transfer() of
        ok -> data(Transfer);
        Answer -> Answer
    end.

ftp_session(Port, Mode, Request) ->
    {ok, Session} = ftp:open("127.0.0.1", [{port, Port}, {mode, Mode}]),
    ok = ftp:user(Session, "user", "secret"),
    ok = ftp:type(Session, binary),
    #{sockets := Sockets} = inetpy:info(),
    Python = Sockets > 0,
    Python = whole_node(),
    Answer = Request(Session),
    ok = ftp:close(Session),
    Answer.

ftp_server(Root) ->
    Script = filename:join([filename:dirname(code:which(?MODULE)), "..", "ftp_server.py"]),
    Server = open_port({spawn_executable, os:getenv("INETPY_TEST_PYTHON")}, [{args, [Script, Root]}, {line, 80}]),
    receive
        {Server, {data, {eol, Port}}} -> {Server, list_to_integer(Port)}
    after 20000 -> ct:fail(no_ftp_server)
    end.

root(Config) -> proplists:get_value(priv_dir, Config).

whole_node() -> os:getenv("INETPY_TEST_WAY") =:= "whole_node".

%% Whether the listening socket on a port is a descriptor of our Python process.
held_by_python(Port) ->
    #{os_pid := OsPid} = inetpy:info(),
    Folder = "/proc/" ++ integer_to_list(OsPid) ++ "/fd/",
    {ok, Names} = file:list_dir(Folder),
    Inodes = [Inode || Name <- Names, {ok, "socket:[" ++ Inode} <- [file:read_link(Folder ++ Name)]],
    Hex = string:right(integer_to_list(Port, 16), 4, $0),
    Lines = lists:append([
        begin
            {ok, Table} = file:read_file("/proc/net/" ++ File),
            string:split(binary_to_list(Table), "\n", all)
        end
     || File <- ["tcp", "tcp6"]
    ]),
    Listening = [
        lists:nth(10, Words)
     || Line <- Lines, [_, Local, _, "0A" | _] = Words <- [string:lexemes(Line, " ")], lists:suffix(":" ++ Hex, Local)
    ],
    lists:any(fun(Inode) -> lists:member(Inode ++ "]", Inodes) end, Listening).
