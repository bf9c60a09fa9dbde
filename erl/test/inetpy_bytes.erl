%% A second link, for tests: a stream of bytes to a Python that counts as one on another host.
%%
%% A relay process owns the stream. It cuts what Python says into messages of 1, 5 and many bytes, so a message
%% has a part of a frame, or several frames. The target says who writes the requests of callers: the
%% relay (`process`), or the bridge (`bridge`). In the second case some frames are written in two parts.
-module(inetpy_bytes).
-behaviour(inetpy_link).

-export([starts_python/0, name/1, open/1, read/2, send/2, close/1, kill/1]).
-export([counts/0]).

-define(CUTS, [1, 5, 100000]).
%% A frame in so many is written in parts.
-define(IN_PARTS, 5).

-record(state, {
    relay :: pid(),
    writer :: process | bridge,
    %% The beginning of a frame from Python.
    begun = <<>> :: binary(),
    %% Frames that were sent, and the second part of the frame that is being sent.
    sent = 0 :: non_neg_integer(),
    rest = none :: none | binary(),
    counters :: counters:counters_ref()
}).

%% How many messages completed no frame, how many completed several, and how many frames were written in parts.
-spec counts() -> [non_neg_integer()].
counts() -> [counters:get(persistent_term:get(?MODULE), N) || N <- [1, 2, 3]].

starts_python() -> true.

name(_) -> "bytes".

open(Writer) ->
    Bridge = self(),
    Counters = counters:new(3, []),
    persistent_term:put(?MODULE, Counters),
    Relay = spawn_link(fun() -> relay(start_python(), Bridge, ?CUTS) end),
    Out = case Writer of process -> Relay; bridge -> Bridge end,
    Peer = #{out => Out, is_local => false, os_pid => undefined},
    {ok, Peer, #state{relay = Relay, writer = Writer, counters = Counters}}.

read({Relay, {bytes, Bytes}}, #state{relay = Relay, begun = Begun, counters = Counters} = State) ->
    {Frames, Rest} = frames(<<Begun/binary, Bytes/binary>>, []),
    ok = case Frames of [] -> counters:add(Counters, 1, 1); [_] -> ok; _ -> counters:add(Counters, 2, 1) end,
    {Frames, State#state{begun = Rest}};
read({'EXIT', Relay, Reason}, #state{relay = Relay}) ->
    {down, {inetpy_python, Reason}};
read(_, _) ->
    ignore.

frames(<<Size:32, Frame:Size/binary, Rest/binary>>, Frames) -> frames(Rest, [Frame | Frames]);
frames(Rest, Frames) -> {lists:reverse(Frames), Rest}.

send(Frame, #state{relay = Relay, writer = process} = State) ->
    Relay ! {write, Frame},
    {ok, State};
send(Frame, #state{relay = Relay, rest = none, sent = Sent} = State) when Sent rem ?IN_PARTS =:= 0 ->
    Bytes = iolist_to_binary(framed(Frame)),
    {First, Rest} = split_binary(Bytes, byte_size(Bytes) div 2),
    Relay ! {bytes, First},
    {full, State#state{rest = Rest}};
send(Frame, #state{relay = Relay, rest = none, sent = Sent} = State) ->
    Relay ! {bytes, framed(Frame)},
    {ok, State#state{sent = Sent + 1}};
send(_, #state{relay = Relay, rest = Rest, sent = Sent, counters = Counters} = State) ->
    Relay ! {bytes, Rest},
    ok = counters:add(Counters, 3, 1),
    {ok, State#state{rest = none, sent = Sent + 1}}.

close(#state{relay = Relay}) ->
    exit(Relay, shutdown),
    ok.

kill(State) -> close(State).

framed(Frame) -> [<<(iolist_size(Frame)):32>>, Frame].

%% --- the relay ---------------------------------------------------------------

start_python() ->
    {Program, Arguments, Environment} = inetpy_python:command(),
    open_port({spawn_executable, Program}, [
        {args, Arguments}, {env, Environment}, stream, binary, use_stdio, exit_status, hide
    ]).

relay(Python, Bridge, Cuts) ->
    receive
        {write, Frame} ->
            true = port_command(Python, framed(Frame)),
            relay(Python, Bridge, Cuts);
        {bytes, Bytes} ->
            true = port_command(Python, Bytes),
            relay(Python, Bridge, Cuts);
        {Python, {data, Bytes}} ->
            relay(Python, Bridge, cut(Bytes, Bridge, Cuts));
        {Python, {exit_status, _} = Status} ->
            exit(Status)
    end.

%% Passes bytes on in messages of several sizes. The sizes for the next bytes.
cut(<<>>, _, Cuts) ->
    Cuts;
cut(Bytes, Bridge, [Size | Cuts]) ->
    {Message, Rest} = split_binary(Bytes, min(Size, byte_size(Bytes))),
    Bridge ! {self(), {bytes, Message}},
    cut(Rest, Bridge, Cuts ++ [Size]).
