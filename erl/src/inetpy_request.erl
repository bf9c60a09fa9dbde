%% Requests to Python, made by the process that calls a function of a socket.
%%
%% The caller encodes its request and writes it to the link. The answer comes to an alias, which is also
%% a monitor of the bridge. So the end of the bridge is an answer too, and no late answer is left in the mailbox.
%%
%% A call with a timeout ends in time even when Python stands still (a debugger, SIGSTOP, swap). Python
%% times the call. When no answer comes, and Python is not responsive, the caller gives up by itself, within a
%% second. Python does not carry out the request of such a caller: see `Dispatcher` in Python.
-module(inetpy_request).

-export([call/3, call/4, call_with_data/4, open/2, open/3, open/4]).
-export([send/2, send_early/3, sendto/4, ask_once/1, close/2, close/3, connected/2, patience/1]).

-type result() ::
    ok
    | {ok, term()}
    | {error, term()}
    | term()  % of functions of inet, which answer other terms too
    | {raise, exit | error | throw, term()}.
%% A timeout on the wire.
-type patience() :: -1 | {Milliseconds :: non_neg_integer(), SentAt :: integer()}.
-export_type([result/0, patience/0]).

%% In ms: how long after its timeout a caller asks whether Python is responsive. Python answers until 300 ms
%% after the timeout.
-define(GRACE, 500).

%% Bytes of data in one request. Larger sends go in pieces. So no request keeps the link for long, and neither
%% side needs much more memory than the caller's data.
-define(PIECE, (1 bsl 20)).
%% Bytes of one datagram, or of one raw option. The system takes none of this size.
-define(LARGEST_VALUE, (1 bsl 20)).
%% Bytes of any other request.
-define(LARGEST_REQUEST, (64 bsl 20)).

%% An operation on a socket.
-spec call(inetpy_handle:socket(), atom(), term()) -> result().
call(Socket, Op, Args) ->
    call(Socket, Op, Args, -1).

%% The same with a timeout, which is part of Args too. A socket whose number is none was made up, and
%% counts as closed.
-spec call(inetpy_handle:socket(), atom(), term(), patience()) -> result().
call({'$inet', _, {Bridge, Out, Id}}, Op, Args, Patience) when is_integer(Id) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    case term_to_binary({Op, Id, Ref, Args}) of
        Frame when byte_size(Frame) =< ?LARGEST_REQUEST ->
            request(Bridge, Out, Op, Ref, Frame, Patience);
        _ ->
            true = erlang:demonitor(Ref, [flush]),
            call_with_less({'$inet', ?MODULE, {Bridge, Out, Id}}, Op, Args, Patience)
    end;
call(_, Op, _, _) ->
    closed(Op).

%% The system looks only at the beginning of a raw option. No other argument can be so large.
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
    open(Op, Args, Patience, any).

%% On the bridge of a number, or on any.
-spec open(atom(), term(), patience(), any | pos_integer()) -> result().
open(Op, Args, Patience, Bridge) ->
    case inetpy_bridges:next(Bridge, timeout(Patience)) of
        {ok, Pid, Out} ->
            inetpy_handle:raise(call({'$inet', ?MODULE, {Pid, Out, 0}}, Op, Args, Patience));
        {error, _} = Error ->
            Error
    end.

timeout(-1) -> infinity;
timeout({Milliseconds, _}) -> Milliseconds.

%% A timeout for the arguments of a request. As in the stock driver, only its lower 32 bits count, and all ones
%% are infinity.
-spec patience(timeout() | integer()) -> patience().
patience(Timeout) when is_integer(Timeout), Timeout >= 0, Timeout band 16#FFFFFFFF < 16#FFFFFFFF ->
    {Timeout band 16#FFFFFFFF, erlang:monotonic_time(millisecond)};
patience(Timeout) when Timeout =:= infinity; is_integer(Timeout) ->
    -1.

%% --- sending ---------------------------------------------------------------

%% The operation `send`. The data is not copied: the request ends with a binary, so its encoding is a head, the
%% size of the data, and the data.
-spec send(inetpy_handle:socket(), iodata() | byte()) -> result().
send(Socket, Byte) when is_integer(Byte) ->
    %% from OTP 28 on the stock driver takes a single byte
    case inetpy_handle:since_28() of
        true -> send(Socket, [Byte]);
        false -> {error, einval}
    end;
send({'$inet', _, {Bridge, Out, Id}} = Socket, Data) when is_integer(Id) ->
    try iolist_size(Data) of
        Size when Size =< ?PIECE ->
            case inetpy_early:may_send(Bridge, Id, Size, peer) of
                true -> goes_ahead(send, fun() -> inetpy_early:send(Out, Id, Size, Data) end);
                false -> send_and_wait(Bridge, Out, Id, Size, Data)
            end;
        Size ->
            send_large(Socket, Size, Data)
    catch
        error:badarg -> {error, einval}
    end;
send(_, _) ->
    closed(send).

%% Data of a send that needs no answer: see inetpy_early:may_send.
-spec send_early(inetpy_link:out(), pos_integer(), binary()) -> result().
send_early(Out, Id, Data) ->
    goes_ahead(send, fun() -> inetpy_early:send(Out, Id, byte_size(Data), Data) end).

%% A request without an answer.
goes_ahead(Op, Write) ->
    try Write() of
        true -> ok
    catch
        error:badarg -> closed(Op)
    end.

send_and_wait(Bridge, Out, Id, Size, Data) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    request(Bridge, Out, send, Ref, [head({send, Id, Ref, <<>>}, Size) | Data], -1).

%% The option `{active, once}`, alone in its list.
-spec ask_once(inetpy_handle:socket()) -> result().
ask_once({'$inet', _, {Bridge, Out, Id}} = Socket) when is_integer(Id) ->
    case inetpy_early:may_ask_once(Bridge, Id) of
        true -> goes_ahead(setopts, fun() -> inetpy_early:ask_once(Out, Id) end);
        false -> call(Socket, setopts, [{active, once}])
    end;
ask_once(_) ->
    closed(setopts).

%% The end of a connection, by the operation `close` or `socket_close`. Whoever finds that another caller has closed it
%% writes the request, too: what they ask next comes behind it, even when the other has not written yet, or was killed.
-spec close(inetpy_handle:socket(), close | socket_close) -> result().
close(Socket, Op) -> close(Socket, Op, 0).

%% The same, with the number of the bytes that have been taken, and of which Python has not heard: see inetpy_ahead.
-spec close(inetpy_handle:socket(), close | socket_close, Taken :: non_neg_integer()) -> result().
close({'$inet', _, {Bridge, Out, Id}} = Socket, Op, Taken) when is_integer(Id) ->
    Close = fun() -> inetpy_early:close(Out, Id, Taken) end,
    case inetpy_early:closes(Bridge, Id) of
        caller -> goes_ahead(Op, Close);
        other -> _ = goes_ahead(Op, Close), closed(Op);
        python -> call(Socket, Op, [])
    end;
close(_, Op, _) ->
    closed(Op).

%% What has become of a connection of inetpy_socket, which the calling process was told of.
-spec connected(inetpy_handle:socket(), socket_connected) -> result().
connected({'$inet', _, {Bridge, Out, Id}} = Socket, Op) ->
    case inetpy_early:may_connect(Bridge, Id) of
        true -> goes_ahead(Op, fun() -> inetpy_early:connected(Out, Id) end);
        false -> call(Socket, Op, self())
    end.

%% The encoding of a term that ends in an empty binary, with another size of that binary.
head(Term, Size) ->
    Empty = term_to_binary(Term),
    [binary:part(Empty, 0, byte_size(Empty) - 4), <<Size:32>>].

%% The stock driver answers when it has queued the data. Here the answer comes when Python has the size
%% and the first piece. The rest stays in this node, with a process that hands it out: the feeder. The feeder
%% makes the request, so that it sees the answer even when its caller has been killed meanwhile.
send_large({'$inet', _, {Bridge, Out, Id}}, Size, Data) ->
    Caller = self(),
    {Piece, Rest} = piece(erlang:iolist_to_iovec(Data)),
    {Feeder, Monitor} = spawn_monitor(fun() ->
        Ref = erlang:monitor(process, Bridge, [{alias, explicit_unalias}]),
        %% the last element of the term is a tuple that ends with the data
        write(Out, [head({send_large, Id, Ref, {Size, self(), <<>>}}, ?PIECE) | Piece]),
        feed(Out, Ref, Caller, Rest)
    end),
    receive
        {Feeder, Answer} ->
            true = erlang:demonitor(Monitor, [flush]),
            Answer;
        {'DOWN', Monitor, process, _, _} ->
            closed(send)
    end.

%% Hands out a piece of the rest for each `more`, and passes the answer on. Ends when both are done.
feed(_, _, answered, []) ->
    ok;
feed(Out, Ref, Caller, Data) ->
    receive
        {Ref, Answer} ->
            Caller ! {self(), Answer},
            feed(Out, Ref, answered, rest_after(Answer, Data));
        more ->
            {Piece, Rest} = piece(Data),
            write(Out, [head({piece, 0, Ref, <<>>}, iolist_size(Piece)) | Piece]),
            feed(Out, Ref, Caller, Rest);
        stop ->
            feed(Out, Ref, Caller, []);
        {'DOWN', Ref, process, _, _} ->
            ok
    end.

%% After a timeout the data is queued all the same, as in the stock driver.
rest_after(ok, Data) -> Data;
rest_after({error, timeout}, Data) -> Data;
rest_after(_, _) -> [].

%% For a process that has nothing else to do: without the link it ends.
write(Out, Frame) ->
    try inetpy_link:write(Out, Frame) of
        true -> ok
    catch
        error:badarg -> exit(normal)
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

%% An operation whose arguments end with data, in the same way: `Args` has an empty binary as its last element.
-spec call_with_data(inetpy_bridge:handle(), atom(), tuple(), iodata()) -> result().
call_with_data({Bridge, Out, Id}, Op, Args, Data) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    request(Bridge, Out, Op, Ref, [head({Op, Id, Ref, Args}, iolist_size(Data)), Data], -1).

%% The operation `sendto`, in the same way. Of data that is too large the beginning is sent, which the system
%% refuses too.
-spec sendto(inetpy_handle:socket(), term(), list(), iodata()) -> result().
sendto({'$inet', _, {Bridge, Out, Id}} = Socket, Destination, Ancillary, Data) when is_integer(Id) ->
    %% in a list as in the stock driver, where the data may be a single byte
    try iolist_size([Data]) of
        Size when Size =< ?LARGEST_VALUE ->
            case Ancillary =:= [] andalso inetpy_early:may_send(Bridge, Id, Size, Destination) of
                true -> goes_ahead(sendto, fun() -> inetpy_early:sendto(Out, Id, Size, Destination, Data) end);
                false -> sendto_and_wait(Bridge, Out, Id, Size, Destination, Ancillary, Data)
            end;
        _ ->
            {Beginning, _} = piece(erlang:iolist_to_iovec(Data)),
            sendto(Socket, Destination, Ancillary, Beginning)
    catch
        error:badarg ->
            case inetpy_handle:since_28() orelse without_bits(Data) of
                Bytes when Bytes =/= true, Bytes =/= Data -> sendto(Socket, Destination, Ancillary, Bytes);
                _ -> {error, einval}
            end
    end;
sendto(_, _, _, _) ->
    closed(sendto).

sendto_and_wait(Bridge, Out, Id, Size, Destination, Ancillary, Data) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    Head = head({sendto, Id, Ref, {Destination, Ancillary, <<>>}}, Size),
    request(Bridge, Out, sendto, Ref, [Head, Data], -1).

%% Before OTP 28 the emulator ignores a bitstring of less than a byte in a datagram. It refuses longer ones
%% that are no whole bytes.
without_bits(Bits) when is_bitstring(Bits), bit_size(Bits) < 8 -> <<>>;
without_bits([Head | Tail]) -> [without_bits(Head) | without_bits(Tail)];
without_bits(Other) -> Other.

%% --- the answer ------------------------------------------------------------

request(Bridge, Out, Op, Ref, Frame, Patience) ->
    try write(Out, Frame, Patience) of
        Writer -> answer(Bridge, Op, Ref, Patience, Writer)
    catch
        error:badarg ->
            erlang:demonitor(Ref, [flush]),
            closed(Op)
    end.

%% A full link suspends its caller, which must not happen to a call with a timeout. Then another process writes.
write(Out, Frame, -1) ->
    inetpy_link:write(Out, Frame);
write(Out, Frame, _) ->
    inetpy_link:try_write(Out, Frame) orelse inetpy_link:write_later(Out, Frame).

answer(Bridge, Op, Ref, Patience, Writer) ->
    receive
        {Ref, Reply} -> Reply;
        {'DOWN', Ref, process, _, _} -> closed(Op)
    after give_up(Patience) ->
        too_late(Bridge, Op, Ref, Writer)
    end.

give_up(-1) -> infinity;
give_up({Milliseconds, _}) -> min(Milliseconds + ?GRACE, 16#ffffffff).

%% When Python is responsive, the caller waits on: a recv loses its timeout when its socket becomes active.
too_late(Bridge, Op, Ref, Writer) ->
    case inetpy_bridge:is_responsive(Bridge) of
        true ->
            answer(Bridge, Op, Ref, {0, 0}, Writer);
        false ->
            _ = [exit(Writer, kill) || is_pid(Writer)],
            true = erlang:demonitor(Ref),
            receive
                {Ref, Reply} -> Reply;
                {'DOWN', Ref, process, _, _} -> closed(Op)
            after 0 ->
                {error, timeout}
            end
    end.

%% What the closed port of a stock socket answers. Python says the same of its closed sockets.
closed(Op) when
    Op =:= setopts; Op =:= getopts; Op =:= sockname;
    Op =:= peername; Op =:= socknames; Op =:= peernames; Op =:= getstat; Op =:= sendfile
->
    {error, einval};
closed(close) ->
    ok;
closed(_) ->
    {error, closed}.
