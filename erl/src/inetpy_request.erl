%% Requests to Python, from the process that makes them.
%%
%% The caller encodes its request and writes it to the port itself. The answer
%% comes to an alias that is a monitor of the bridge too, so a bridge that dies
%% is an answer, and no late answer is left in the mailbox.
%%
%% A caller with a timeout gets its answer in time even when Python stands still (a debugger,
%% SIGSTOP, swap). Python times the call; when no answer comes and Python is not responsive, the
%% caller gives up by itself, within a second. Python does not do what such a caller asked for: see
%% Session.remaining in bridge/inetpy/session.py.
-module(inetpy_request).

-export([call/3, call/4, open/2, open/3, send/2, sendto/4, patience/1]).

-type result() ::
    ok
    | {ok, term()}
    | {error, term()}
    | term()  % of functions of inet, which answer without ok and error too
    | {raise, exit | error, term()}.
%% A timeout on the wire.
-type patience() :: -1 | {Milliseconds :: non_neg_integer(), SentAt :: integer()}.
-export_type([result/0, patience/0]).

%% How long after its timeout a caller looks whether Python is there, in ms. Python answers until
%% 300 ms after the timeout.
-define(GRACE, 500).

%% Bytes of one request. Larger sends go in pieces, so that no request holds the pipe for long and
%% neither side holds much more than the caller's data.
-define(PIECE, (1 bsl 20)).
%% Bytes of one datagram, or of one raw option: more than any that the system takes.
-define(LARGEST_VALUE, (1 bsl 20)).
%% Bytes of a request that is no send.
-define(LARGEST_REQUEST, (64 bsl 20)).

%% An operation on a socket.
-spec call(inetpy_handle:socket(), atom(), term()) -> result().
call(Socket, Op, Args) ->
    call(Socket, Op, Args, -1).

%% The same, of a caller that waits for so long only. Patience is part of Args, too.
-spec call(inetpy_handle:socket(), atom(), term(), patience()) -> result().
call({'$inet', _, {Bridge, Out, Id}}, Op, Args, Patience) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    case term_to_binary({Op, Id, Ref, Args}) of
        Frame when byte_size(Frame) =< ?LARGEST_REQUEST ->
            request(Bridge, Out, Op, Ref, Frame, Patience);
        _ ->
            true = erlang:demonitor(Ref, [flush]),
            call_with_less({'$inet', ?MODULE, {Bridge, Out, Id}}, Op, Args, Patience)
    end.

%% The system looks only at the beginning of a raw option. What else is so large is no argument.
call_with_less(Socket, Op, Args, Patience) ->
    case shortened(Args) of
        Args -> {error, einval};
        Shorter -> call(Socket, Op, Shorter, Patience)
    end.

shortened({raw, Level, Option, Value}) when byte_size(Value) > ?LARGEST_VALUE ->
    {raw, Level, Option, binary:part(Value, 0, ?LARGEST_VALUE)};
shortened({raw, {Level, Option, Value}}) when byte_size(Value) > ?LARGEST_VALUE ->
    {raw, {Level, Option, binary:part(Value, 0, ?LARGEST_VALUE)}};
shortened(Args) when is_tuple(Args) ->
    list_to_tuple([shortened(Arg) || Arg <- tuple_to_list(Args)]);
shortened(Options) when is_list(Options), length(Options) >= 0 ->
    [shortened(Option) || Option <- Options];
shortened(Other) ->
    Other.

%% An operation that opens a socket.
-spec open(atom(), term()) -> result().
open(Op, Args) ->
    open(Op, Args, -1).

-spec open(atom(), term(), patience()) -> result().
open(Op, Args, Patience) ->
    case inetpy_bridges:next(timeout(Patience)) of
        {ok, Bridge, Out} ->
            inetpy_handle:raise(call({'$inet', ?MODULE, {Bridge, Out, 0}}, Op, Args, Patience));
        {error, _} = Error ->
            Error
    end.

timeout(-1) -> infinity;
timeout({Milliseconds, _}) -> Milliseconds.

%% A timeout for the arguments of a request. As the stock driver has it: the lower 32 bits, of which
%% all ones are for ever.
-spec patience(timeout() | integer()) -> patience().
patience(Timeout) when is_integer(Timeout), Timeout >= 0, Timeout band 16#FFFFFFFF < 16#FFFFFFFF ->
    {Timeout band 16#FFFFFFFF, erlang:monotonic_time(millisecond)};
patience(Timeout) when Timeout =:= infinity; is_integer(Timeout) ->
    -1.

%% --- sending ---------------------------------------------------------------

%% The operation `send`. The data becomes the last element of the request
%% without being copied: its size stands at the end of the encoded head.
-spec send(inetpy_handle:socket(), iodata() | byte()) -> result().
send(Socket, Byte) when is_integer(Byte) ->
    %% from OTP 28 on the stock driver takes a single byte
    case inetpy_handle:since_28() of
        true -> send(Socket, [Byte]);
        false -> {error, einval}
    end;
send({'$inet', _, {Bridge, Out, Id}} = Socket, Data) ->
    try iolist_size(Data) of
        Size when Size =< ?PIECE ->
            Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
            request(Bridge, Out, send, Ref, [head({send, Id, Ref, <<>>}, Size) | Data], -1);
        Size ->
            send_large(Socket, Size, Data)
    catch
        error:badarg -> {error, einval}
    end.

%% A term that ends in an empty binary, with the size of the data that follows in its place.
head(Term, Size) ->
    Empty = term_to_binary(Term),
    [binary:part(Empty, 0, byte_size(Empty) - 4), <<Size:32>>].

%% The caller has its answer as soon as Python knows the size and has the beginning, as the stock driver
%% answers when it has queued the data. The rest stays here, with a process that hands it out.
send_large({'$inet', _, {Bridge, Out, Id}}, Size, Data) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    {Piece, Rest} = piece(erlang:iolist_to_iovec(Data)),
    Feeder = spawn(fun() ->
        _ = erlang:monitor(process, Bridge),
        %% the data is the last element of the last element
        write(Out, [head({send_large, Id, Ref, {Size, self(), <<>>}}, ?PIECE) | Piece]),
        feed(Out, Ref, Rest)
    end),
    case answer(Bridge, send, Ref, -1) of
        ok ->
            ok;
        {error, timeout} = Error ->
            %% queued all the same, as the stock driver does
            Error;
        Error ->
            Feeder ! stop,
            Error
    end.

%% A piece of the rest for each `more`.
feed(_, _, []) ->
    ok;
feed(Out, Ref, Data) ->
    receive
        more ->
            {Piece, Rest} = piece(Data),
            write(Out, [head({piece, 0, Ref, <<>>}, iolist_size(Piece)) | Piece]),
            feed(Out, Ref, Rest);
        stop ->
            ok;
        {'DOWN', _, process, _, _} ->
            ok
    end.

write(Out, Frame) ->
    try port_command(Out, Frame) of
        true -> ok
    catch
        error:badarg -> exit(normal)  % the bridge is gone
    end.

%% The first bytes of a list of binaries, and those that are left.
piece(Data) -> piece(Data, ?PIECE, []).

piece([Binary | Data], Room, Piece) when byte_size(Binary) =< Room ->
    piece(Data, Room - byte_size(Binary), [Binary | Piece]);
piece([Binary | Data], Room, Piece) when Room > 0 ->
    <<First:Room/binary, Rest/binary>> = Binary,
    {lists:reverse(Piece, [First]), [Rest | Data]};
piece(Data, _, Piece) ->
    {lists:reverse(Piece), Data}.

%% The operation `sendto`, the same way. The system refuses the beginning of what is too large, too.
-spec sendto(inetpy_handle:socket(), term(), list(), iodata()) -> result().
sendto({'$inet', _, {Bridge, Out, Id}} = Socket, Destination, Ancillary, Data) ->
    %% in a list, as the stock driver has it: a single byte may be an integer
    try iolist_size([Data]) of
        Size when Size =< ?LARGEST_VALUE ->
            Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
            Head = head({sendto, Id, Ref, {Destination, Ancillary, <<>>}}, Size),
            request(Bridge, Out, sendto, Ref, [Head, Data], -1);
        _ ->
            {Beginning, _} = piece(erlang:iolist_to_iovec(Data)),
            sendto(Socket, Destination, Ancillary, Beginning)
    catch
        error:badarg ->
            case inetpy_handle:since_28() orelse without_bits(Data) of
                Bytes when Bytes =/= true, Bytes =/= Data -> sendto(Socket, Destination, Ancillary, Bytes);
                _ -> {error, einval}
            end
    end.

%% Before OTP 28 bits that are less than a byte count for nothing in a datagram; with a byte before
%% them they make the emulator refuse it.
without_bits(Bits) when is_bitstring(Bits), bit_size(Bits) < 8 -> <<>>;
without_bits([Head | Tail]) -> [without_bits(Head) | without_bits(Tail)];
without_bits(Other) -> Other.

%% --- the answer ------------------------------------------------------------

request(Bridge, Out, Op, Ref, Frame, Patience) ->
    try put_in(Out, Frame, Patience) of
        _ -> answer(Bridge, Op, Ref, Patience)
    catch
        error:badarg ->
            erlang:demonitor(Ref, [flush]),
            closed(Op)
    end.

%% A port that is full suspends its caller, who would not notice the end of its time.
put_in(Out, Frame, -1) ->
    port_command(Out, Frame);
put_in(Out, Frame, _) ->
    port_command(Out, Frame, [nosuspend]) orelse spawn(fun() -> write(Out, Frame) end).

answer(Bridge, Op, Ref, Patience) ->
    receive
        {Ref, Reply} -> Reply;
        {'DOWN', Ref, process, _, _} -> closed(Op)
    after give_up(Patience) ->
        too_late(Bridge, Op, Ref)
    end.

give_up(-1) -> infinity;
give_up({Milliseconds, _}) -> min(Milliseconds + ?GRACE, 16#ffffffff).

%% A responsive Python lets the caller wait: a recv loses its timeout when its socket becomes active.
too_late(Bridge, Op, Ref) ->
    case inetpy_bridge:is_responsive(Bridge) of
        true ->
            answer(Bridge, Op, Ref, {0, 0});
        false ->
            true = erlang:demonitor(Ref),
            receive
                {Ref, Reply} -> Reply;
                {'DOWN', Ref, process, _, _} -> closed(Op)
            after 0 ->
                {error, timeout}
            end
    end.

%% What the closed port of a stock socket answers. While Python is there it says
%% so itself.
closed(Op) when
    Op =:= setopts; Op =:= getopts; Op =:= sockname;
    Op =:= peername; Op =:= socknames; Op =:= peernames; Op =:= getstat; Op =:= sendfile
->
    {error, einval};
closed(close) ->
    ok;
closed(_) ->
    {error, closed}.
