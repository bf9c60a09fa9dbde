%% Calls for which the system has no descriptor left. The real event concerns the whole node, so these scenarios run
%% one at a time.
-module(xf_limits).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    xf:scenarios([
        {Name, Text, {with, #{under => fun full/1}, World}, {{with, #{under => fun(Fun) -> Fun() end}, World}, [Rule]}, alone(Scene)}
     || {Name, Text, World, Rule, Scene} <- [
            {connect_emfile, "connect without a descriptor.",
                {peer, [{send, 200}, wait]}, {#{}, {error, #{call => connect, errno => emfile}}}, fun connects/2},
            {accept_emfile, "accept without a descriptor.",
                nobody, {#{local_port => port}, {error, #{call => accept, errno => emfile}}, #{'when' => {first, 1}}}, fun accepts/2},
            {accept_emfile_waits, "The connection waits until there is one.",
                nobody, {#{local_port => port}, {error, #{call => accept, errno => emfile}}, #{'when' => {first, 1}}}, fun accepts_then/2},
            {listen_emfile, "listen without a descriptor.",
                nobody, {#{owner => self}, {error, #{call => listen, errno => emfile}}},
                fun(B, #{port := Port, under := Under}) -> Under(fun() -> gen_tcp:listen(Port, xc:options(B, [])) end) end},
            {open_emfile, "A datagram socket without a descriptor.",
                nobody, {#{owner => self}, {error, #{call => bind, errno => emfile}}},
                fun(B, #{under := Under}) -> Under(fun() -> gen_udp:open(0, xc:udp_options(B, [])) end) end}
        ]
    ]).

alone(Scene) -> fun(B, Env) -> global:trans({?MODULE, self()}, fun() -> Scene(B, Env) end, [node()]) end.

connects(B, #{under := Under} = Env) ->
    Under(fun() -> xf:open(B, Env, []) end).

accepts(B, #{port := Port, under := Under}) ->
    L = xc:listen(B, Port, []),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]),
    Seen = Under(fun() -> gen_tcp:accept(L, 2000) end),
    {Seen, gen_tcp:close(C), gen_tcp:close(L)}.

accepts_then(B, #{port := Port, under := Under}) ->
    L = xc:listen(B, Port, []),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [{active, false}]),
    First = Under(fun() -> gen_tcp:accept(L, 2000) end),
    {ok, S} = gen_tcp:accept(L, 2000),
    ok = gen_tcp:send(C, "hello"),
    {First, gen_tcp:recv(S, 5, 2000)}.

%% The result of Fun while the node may have no more descriptors. The shell that sets the limit is there before.
full(Fun) ->
    Shell = open_port({spawn_executable, "/bin/sh"}, [{args, []}, stream, in, out, binary]),
    Pid = os:getpid(),
    ask(Shell, ["prlimit --pid ", Pid, " --nofile=$(ls /proc/", Pid, "/fd | tail -n +1 | sort -n | tail -1 | xargs -I N expr N + 1):"]),
    Filled = fill(),
    Result = Fun(),
    [gen_udp:close(S) || S <- Filled],
    ask(Shell, ["prlimit --pid ", Pid, " --nofile=1024:"]),
    port_close(Shell),
    Result.

ask(Shell, Command) ->
    port_command(Shell, [Command, "; echo done\n"]),
    receive {Shell, {data, _}} -> ok end.

%% Takes the descriptors between those that are open.
fill() ->
    case gen_udp:open(0, [{active, false}]) of
        {ok, S} -> [S | fill()];
        {error, emfile} -> []
    end.
