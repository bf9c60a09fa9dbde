%% The link to a Python that is started as a port program: frames on its stdin and stdout.
-module(inetpy_port).
-behaviour(inetpy_link).

-export([starts_python/0, name/1, open/1, read/2, send/2, close/1, kill/1]).

%% The emulator's default limits suspend callers at 8 kB of output.
-define(BUSY_LIMITS, {1 bsl 20, 4 bsl 20}).

-type state() :: {port(), OsPid :: non_neg_integer() | undefined}.

-spec starts_python() -> true.
starts_python() -> true.

-spec name(python) -> string().
name(python) -> "port".

%% Which Python is started, inetpy_python says.
-spec open(python) -> {ok, inetpy_link:peer(), state()} | {error, inetpy_link:reason()}.
open(python) ->
    try inetpy_python:command() of
        {Program, Arguments, Environment} -> start(Program, Arguments, Environment)
    catch
        throw:Reason -> {error, Reason}
    end.

start(Program, Arguments, Environment) ->
    try
        open_port({spawn_executable, Program}, [
            {args, Arguments},
            {env, Environment},
            {packet, 4},
            {busy_limits_port, ?BUSY_LIMITS},
            {busy_limits_msgq, disabled},
            binary,
            use_stdio,
            exit_status,
            hide
        ])
    of
        Port ->
            OsPid = os_pid(Port),
            {ok, #{out => Port, is_local => true, os_pid => OsPid}, {Port, OsPid}}
    catch
        error:Reason -> {error, inetpy_python:cannot_run(Program, Reason)}
    end.

os_pid(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, OsPid} -> OsPid;
        undefined -> undefined
    end.

-spec read(term(), state()) -> {[binary()], state()} | {down, inetpy_link:reason()} | ignore.
read({Port, {data, Frame}}, {Port, _} = State) -> {[Frame], State};
read({Port, {exit_status, Status}}, {Port, _}) -> {down, {inetpy_python, {exit_status, Status}}};
read({'EXIT', Port, Reason}, {Port, _}) -> {down, {inetpy_python, Reason}};
read(_, _) -> ignore.

-spec send(iodata(), state()) -> {ok | full, state()}.
send(Frame, {Port, _} = State) ->
    try port_command(Port, Frame, [nosuspend]) of
        true -> {ok, State};
        false -> {full, State}
    catch
        error:badarg -> {ok, State}
    end.

-spec close(state()) -> ok.
close({Port, _}) ->
    _ = catch port_close(Port),
    ok.

-spec kill(state()) -> ok.
kill({_, OsPid} = State) ->
    _ = [os:cmd("kill -9 " ++ integer_to_list(OsPid)) || is_integer(OsPid)],
    close(State).
