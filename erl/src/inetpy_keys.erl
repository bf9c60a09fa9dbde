%% The keys of a TLS connection, for a trace in Python: with them Wireshark opens the bytes of the connection.
%%
%% Python asks when it sees the beginning of a handshake: {keys, Pid}, where Pid has the socket. The answer is the request
%% {trace_keys, {Pid, [Line]}}, with lines as of a file of SSLKEYLOGFILE. It comes when the handshake is over. There are no
%% lines where Pid is no process of `ssl`, where the connection has not been given the option {keep_secrets, true}, and where
%% the handshake has failed or takes longer than five seconds.
-module(inetpy_keys).

-export([give/2]).

-define(LOOKS, 25).
-define(BETWEEN_LOOKS, 200).  % ms
-define(MOMENT, 100).  % ms that the question may take to come

%% The caller, which forwards frames, does not wait.
-spec give(pos_integer(), pid()) -> ok.
give(Bridge, Pid) ->
    _ = spawn(fun() -> inetpy_faults:ask_bridge(Bridge, {trace_keys, {Pid, lines(Pid)}}) end),
    ok.

lines(Pid) ->
    case application:get_application(Pid) of
        {ok, ssl} -> kept(information(Pid));
        _ -> []
    end.

%% What ssl:connection_information/2 says. That function takes a socket of `ssl`, which its owner has; here is its process.
%%
%% The process is asked when it is in its state `connection`. In OTP 25 the same question ends a handshake of TLS 1.3 with an
%% alert. And a moment later may be too late: a short connection is over then. So a function of sys(3) runs in the process,
%% and lets the question come as soon as the state is reached.
information(Pid) ->
    Monitor = monitor(process, Pid),
    try
        ok = sys:install(Pid, {self(), fun when_connected/3, self()}),
        await(Pid, Monitor, ?LOOKS)
    catch
        _:_ -> []  % the process has ended, is busy, or this `ssl` asks in another way
    end.

await(Pid, _, 0) ->
    ok = sys:remove(Pid, self()),
    [];
await(Pid, Monitor, Looks) ->
    receive
        {?MODULE, connected} -> ask(Pid);
        {'DOWN', Monitor, process, Pid, _} -> []
    after ?BETWEEN_LOOKS ->
        case sys:get_state(Pid) of  % nothing happens in a connection that is silent
            {connection, _} -> ok = sys:remove(Pid, self()), ask(Pid);
            _ -> await(Pid, Monitor, Looks - 1)
        end
    end.

%% A function of sys(3): `done` takes it away.
when_connected(Asker, Event, _) when element(tuple_size(Event), Event) =:= connection ->
    Asker ! {?MODULE, connected},
    receive
        {'$gen_call', {Asker, _}, _} = Question -> self() ! Question, done
    after ?MOMENT ->
        done
    end;
when_connected(Asker, _, _) ->
    Asker.

ask(Pid) ->
    Module = ssl_gen_statem,
    {ok, Information} = Module:connection_information(Pid, true),
    Information.

%% Some keys are there also when nobody has asked `ssl` to keep them: these stay where they are.
kept(Information) ->
    case proplists:get_value(keep_secrets, Information, false) of
        true -> [iolist_to_binary(Line) || Line <- proplists:get_value(keylog, Information, [])];
        _ -> []
    end.
