%% A way between this node and a Python process: a behaviour, and the functions of both its users.
%%
%% The bridge process opens the link, gets its messages, sends frames without ever waiting, and closes it.
%% The callers of sockets know only `out()`, which is part of the socket, and write their requests to that.
%% Both carry whole frames, in order.
%%
%% There are two. inetpy_port starts Python as a port program. inetpy_stream connects to a Python that runs already:
%% there `kill` is the same as `close`.
-module(inetpy_link).

%% for the bridge
-export([starts_python/1, name/1, open/1, out/1, is_local/1, os_pid/1, read/2, send/2, close/1, kill/1]).
%% for callers
-export([write/2, try_write/2, write_later/2]).

-export_type([link/0, spec/0, peer/0, out/0, state/0, reason/0]).

%% Where callers write their requests. Python puts it into the name of every socket. One of:
%%
%% - The port of a port program. Callers write with port_command/2. No other port will do: the port of a
%%   gen_tcp socket sends `{inet_reply, _, _}` to the caller.
%% - A process of this node that takes `{write, Frame}` and is linked to the bridge: a writer that owns a
%%   connection, for example a socket of `gen_tcp`, `socket` or `ssl`. Frame is a list of binaries.
%% - The bridge process. It takes `{write, Frame}` too, and hands Frame to `send`.
%%
%% A caller does not wait for a process. It has one request on its way at a time, so the mailbox of a
%% writer holds no more than that for each caller. See try_write/2 for callers that give up.
-type out() :: port() | pid().
%% Which link a bridge opens: the callback module, and a program to start or an address to connect to.
-type spec() :: {module(), Target :: term()}.
%% What there is to know of an open link.
-type peer() :: #{
    out := out(),
    %% Whether Python is on this host, where it can copy descriptors of this node.
    is_local := boolean(),
    %% The process of Python, where it is known.
    os_pid := non_neg_integer() | undefined
}.
%% What the callback module keeps of an open link.
-type state() :: term().
%% Why a link could not be opened, or is down: see inetpy_python:text/1.
-type reason() :: {inetpy_python | inetpy_protocol, term()}.

%% Whether the link starts Python. One that does not connects for as long as nobody is there.
-callback starts_python() -> boolean().

%% The target, for the log and for inetpy:info/0.
-callback name(Target :: term()) -> string().

%% The calling process gets the messages of the link.
-callback open(Target :: term()) -> {ok, peer(), state()} | {error, reason()}.

%% What a message in the mailbox of the bridge means: the frames that it completes. The state can keep
%% the beginning of the next frame. `ignore`: the message is not of the link.
-callback read(Message :: term(), state()) -> {[binary()], state()} | {down, reason()} | ignore.

%% Sends a frame, and never waits. `full`: the link does not take all of the frame at the moment. The same frame
%% comes again later; the state can keep how much of it has been written. A link that is down takes
%% every frame; the message that says so is on its way.
-callback send(iodata(), state()) -> {ok | full, state()}.

%% Closes the link. A Python that was started for it sees the end of its input, and leaves.
-callback close(state()) -> ok.

%% The same for a Python that does not read its input.
-callback kill(state()) -> ok.

%% In ms: until frames that the link did not take are sent again.
-define(RETRY, 10).
%% Messages in the mailbox of a writer.
-define(FULL, 10000).

-record(link, {
    module :: module(),
    out :: out(),
    is_local :: boolean(),
    os_pid :: non_neg_integer() | undefined,
    state :: state(),
    %% Frames that the link did not take yet.
    unsent = queue:new() :: queue:queue(iodata())
}).
-opaque link() :: #link{}.

%% --- for the bridge --------------------------------------------------------

-spec starts_python(spec()) -> boolean().
starts_python({Module, _}) -> Module:starts_python().

-spec name(spec()) -> string().
name({Module, Target}) -> Module:name(Target).

-spec open(spec()) -> {ok, link()} | {error, reason()}.
open({Module, Target}) ->
    case Module:open(Target) of
        {ok, #{out := Out, is_local := IsLocal, os_pid := OsPid}, State} ->
            {ok, #link{module = Module, out = Out, is_local = IsLocal, os_pid = OsPid, state = State}};
        {error, _} = Error ->
            Error
    end.

-spec out(link()) -> out().
out(#link{out = Out}) -> Out.

-spec is_local(link()) -> boolean().
is_local(#link{is_local = IsLocal}) -> IsLocal.

-spec os_pid(link()) -> non_neg_integer() | undefined.
os_pid(#link{os_pid = OsPid}) -> OsPid.

%% The frames from Python that a message completes.
-spec read(term(), link()) -> {[binary()], link()} | {down, reason()} | ignore.
read({write, Frame}, Link) ->
    {[], send(Frame, Link)};
read(retry_link, Link) ->
    {[], retry(Link)};
read(Message, #link{module = Module, state = State} = Link) ->
    case Module:read(Message, State) of
        {Frames, After} when is_list(Frames) -> {Frames, Link#link{state = After}};
        Other -> Other
    end.

%% While the link is full, frames wait here, and the calling process gets a message for read/2.
-spec send(iodata(), link()) -> link().
send(Frame, #link{unsent = Unsent} = Link) ->
    After = Link#link{unsent = queue:in(Frame, Unsent)},
    case queue:is_empty(Unsent) of
        true -> retry(After);
        false -> After
    end.

%% Sends the frames that wait.
retry(#link{module = Module, state = State, unsent = Unsent} = Link) ->
    case queue:peek(Unsent) of
        empty ->
            Link;
        {value, Frame} ->
            case Module:send(Frame, State) of
                {ok, After} ->
                    retry(Link#link{state = After, unsent = queue:drop(Unsent)});
                {full, After} ->
                    _ = erlang:send_after(?RETRY, self(), retry_link),
                    Link#link{state = After}
            end
    end.

-spec close(link()) -> ok.
close(#link{module = Module, state = State}) -> Module:close(State).

-spec kill(link()) -> ok.
kill(#link{module = Module, state = State}) -> Module:kill(State).

%% --- for callers -----------------------------------------------------------

%% Writes a request. While a port is full, the caller is suspended. Fails with badarg when the port is closed, and
%% for a port or process of another node. The end of a process is that of the bridge, which callers monitor.
-spec write(out(), iodata()) -> true.
write(Out, Frame) when is_pid(Out) -> to_process(Out, Frame);
write(Out, Frame) -> port_command(Out, Frame).

%% The same, but false when the port is full, or when a process has many requests that it could not write yet. For
%% callers with a timeout: those that give up, and call again, would leave one request after the other there.
-spec try_write(out(), iodata()) -> boolean().
try_write(Out, Frame) when is_pid(Out) -> not is_full(Out) andalso to_process(Out, Frame);
try_write(Out, Frame) -> port_command(Out, Frame, [nosuspend]).

%% Writes the request of a caller with a timeout when the link takes it. The process that waits for that ends with the
%% caller.
-spec write_later(out(), iodata()) -> pid().
write_later(Out, Frame) ->
    Caller = self(),
    spawn(fun() -> write_later(Out, Frame, erlang:monitor(process, Caller)) end).

write_later(Out, Frame, Caller) when is_pid(Out) ->
    case is_full(Out) of
        true ->
            receive
                {'DOWN', Caller, process, _, _} -> ok
            after ?RETRY -> write_later(Out, Frame, Caller)
            end;
        false ->
            to_process(Out, Frame)
    end;
write_later(Out, Frame, _) ->
    port_command(Out, Frame).

%% A process that has ended is not full. Its end is that of the bridge.
is_full(Out) when node(Out) =:= node() ->
    case process_info(Out, message_queue_len) of
        {message_queue_len, Length} -> Length > ?FULL;
        undefined -> false
    end;
is_full(_) ->
    error(badarg).

to_process(Out, Frame) when node(Out) =:= node() ->
    Out ! {write, erlang:iolist_to_iovec(Frame)},
    true;
to_process(_, _) ->
    error(badarg).
