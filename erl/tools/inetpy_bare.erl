%% Jobs of the benchmark on bridge/inetpy/tools/bare_port.py, a port program that does nothing but the system calls:
%% what a Python of the same shape can reach. As with inetpy, callers write their requests to the port, and the process
%% that owns the port hands each answer to its caller.
-module(inetpy_bare).

-export([pipelined/3, connections/2, selects/2, receives/4]).
-export_type([program/0]).

-type program() :: {Python :: file:filename(), Path :: file:filename()}.

-define(CHUNK, 65536).

%% The same as inetpy_jobs:pipelined/3: sends have no answer, and each line is a question.
-spec pipelined(program(), pos_integer(), pos_integer()) -> float().
pipelined(Program, Clients, Count) ->
    with(Program, fun(Owner) -> inetpy_jobs:at_once(Clients, fun() -> pipeline(Owner, Count) end) / 1000 end).

pipeline(Owner, Count) ->
    Parent = self(),
    {Listener, Port} = listen(Owner, default),
    Client = new(Owner),
    ok = connect(Client, Port),
    _ = spawn_link(fun() ->
        Server = new(Owner),
        ok = accept(Server, Listener),
        answer_lines(Server),
        Parent ! answered
    end),
    inetpy_jobs:repeat(Count, fun() -> send(Client, <<"a question of a client\n">>) end),
    inetpy_jobs:repeat(Count, fun() -> <<"an answer\n">> = line(Client) end),
    ok = close(Client),
    receive answered -> close(Listener) end.

answer_lines(Socket) ->
    case line(Socket) of
        <<>> -> close(Socket);
        _ -> send(Socket, <<"an answer\n">>), answer_lines(Socket)
    end.

%% The same as inetpy_jobs:connections/2, with four questions: connect, accept, close and close.
-spec connections(program(), pos_integer()) -> float().
connections(Program, Count) ->
    with(Program, fun(Owner) ->
        {Listener, Port} = listen(Owner, default),
        Client = new(Owner),
        Server = new(Owner),
        Time = inetpy_jobs:timed(fun() ->
            inetpy_jobs:repeat(Count, fun() ->
                ok = connect(Client, Port),
                ok = accept(Server, Listener),
                ok = close(Client),
                ok = close(Server)
            end)
        end),
        1.0e6 * Count / Time
    end).

%% The same as inetpy_socket_jobs:selects/2: a question that finds nothing, an answer when something has come, and the
%% question that gets it.
-spec selects(program(), pos_integer()) -> float().
selects(Program, Count) ->
    with(Program, fun(Owner) ->
        {Listener, Port} = listen(Owner, default),
        {ok, Peer} = socket:open(inet, stream, tcp),
        ok = socket:connect(Peer, #{family => inet, addr => loopback, port => Port}),
        {_, Number} = Socket = new(Owner),
        ok = accept(Socket, Listener),
        Data = rand:bytes(64),
        Time = inetpy_jobs:timed(fun() ->
            inetpy_jobs:repeat(Count, fun() ->
                <<>> = receive_or_tell(Socket),
                ok = socket:send(Peer, Data),
                receive {Number, <<>>} -> ok end,
                Data = receive_or_tell(Socket)
            end)
        end),
        ok = socket:close(Peer),
        ok = close(Socket),
        Time / Count
    end).

%% Count chunks of 64 KB from a sender on inet_drv, as in inetpy_jobs:bulk/4: megabytes a second. Each question gives
%% Most bytes at most: that is what `{active, once}` and recv(S, 0) are.
-spec receives(program(), pos_integer(), pos_integer() | default, pos_integer()) -> float().
receives(Program, Most, Recbuf, Count) ->
    with(Program, fun(Owner) ->
        {Listener, Port} = listen(Owner, Recbuf),
        _ = inetpy_jobs:sender(inetpy_jobs:backend(inet), Port, rand:bytes(?CHUNK), Count) ! go,
        Socket = new(Owner),
        ok = accept(Socket, Listener),
        Time = inetpy_jobs:timed(fun() -> receive_all(Socket, Most, ?CHUNK * Count) end),
        receive sent -> ok end,
        ?CHUNK * Count / Time
    end).

receive_all(Socket, Most, Left) ->
    case ask(Socket, $r, <<Most:32>>) of
        <<>> when Left =:= 0 -> ok;
        Data when Data =/= <<>> -> receive_all(Socket, Most, Left - byte_size(Data))
    end.

%% --- operations ------------------------------------------------------------

%% A socket is the port, and the number that the program shall know it by. Answers come to the caller of new/1.
new(Owner) ->
    Owner ! {new, self()},
    receive {Owner, Socket} -> Socket end.

%% {Socket, TCP port}
listen(Owner, default) ->
    listen(Owner, 0);
listen(Owner, Recbuf) ->
    Socket = new(Owner),
    <<Port:16>> = ask(Socket, $l, <<Recbuf:32>>),
    {Socket, Port}.

connect(Socket, Port) -> done(ask(Socket, $o, <<Port:16>>)).

accept(Socket, {_, Listener}) -> done(ask(Socket, $a, <<Listener:32>>)).

close(Socket) -> done(ask(Socket, $c, <<>>)).

receive_or_tell(Socket) -> ask(Socket, $w, <<?CHUNK:32>>).

line(Socket) -> ask(Socket, $n, <<>>).

done(<<>>) -> ok.

ask({Port, Number}, Operation, Argument) ->
    true = port_command(Port, <<Operation, Number:32, Argument/binary>>),
    receive {Number, Answer} -> Answer end.

%% Nobody waits for an answer.
send({Port, Number}, Data) ->
    true = port_command(Port, <<$s, Number:32, Data/binary>>).

%% --- the program -----------------------------------------------------------

with(Program, Job) ->
    Owner = spawn_link(fun() -> own(Program) end),
    {Warm, _} = listen(Owner, default),  % the program has started
    ok = close(Warm),
    Result = Job(Owner),
    Owner ! stop,
    Result.

%% Flags and options as of the bridge process and its port.
own({Python, Path}) ->
    _ = process_flag(message_queue_data, off_heap),
    _ = process_flag(priority, high),
    Limits = [{busy_limits_port, {1 bsl 20, 4 bsl 20}}, {busy_limits_msgq, disabled}],
    Arguments = [{args, ["-S", "-E", Path]}, {packet, 4}, binary, exit_status],
    hand_out(open_port({spawn_executable, Python}, Arguments ++ Limits), #{}).

hand_out(Port, Callers) ->
    receive
        {Port, {data, <<Number:32, Answer/binary>>}} ->
            map_get(Number, Callers) ! {Number, Answer},
            hand_out(Port, Callers);
        {new, Caller} ->
            Number = map_size(Callers),
            Caller ! {self(), {Port, Number}},
            hand_out(Port, Callers#{Number => Caller});
        {Port, {exit_status, Status}} ->
            exit({bare_port, Status});
        stop ->
            port_close(Port)
    end.
