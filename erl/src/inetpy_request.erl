%% Requests to Python, from the process that makes them.
%%
%% The caller encodes its request and writes it to the port itself. The answer
%% comes to an alias that is a monitor of the bridge too, so a bridge that dies
%% is an answer, and no late answer is left in the mailbox.
-module(inetpy_request).

-export([call/3, open/2, send/2, sendto/4, milliseconds/1]).

-type result() ::
    ok
    | {ok, term()}
    | {error, term()}
    | term()  % of functions of inet, which answer without ok and error too
    | {raise, exit | error, term()}.
-export_type([result/0]).

%% An operation on a socket.
-spec call(inetpy_handle:socket(), atom(), term()) -> result().
call({'$inet', _, {Bridge, Out, Id}}, Op, Args) ->
    Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
    request(Out, Op, Ref, term_to_binary({Op, Id, Ref, Args})).

%% An operation that opens a socket.
-spec open(atom(), term()) -> result().
open(Op, Args) ->
    case inetpy_bridges:next() of
        {ok, Bridge, Out} ->
            inetpy_handle:raise(call({'$inet', ?MODULE, {Bridge, Out, 0}}, Op, Args));
        {error, _} = Error ->
            Error
    end.

%% The operation `send`. The data becomes the last element of the request
%% without being copied: its size stands at the end of the encoded head.
-spec send(inetpy_handle:socket(), iodata() | byte()) -> result().
send(Socket, Byte) when is_integer(Byte) ->
    %% from OTP 28 on the stock driver takes a single byte
    case inetpy_handle:since_28() of
        true -> send(Socket, [Byte]);
        false -> {error, einval}
    end;
send({'$inet', _, {Bridge, Out, Id}}, Data) ->
    try iolist_size(Data) of
        Size ->
            Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
            Empty = term_to_binary({send, Id, Ref, <<>>}),
            Head = binary:part(Empty, 0, byte_size(Empty) - 4),
            request(Out, send, Ref, [Head, <<Size:32>> | Data])
    catch
        error:badarg -> {error, einval}
    end.

%% The operation `sendto`, the same way.
-spec sendto(inetpy_handle:socket(), term(), list(), iodata()) -> result().
sendto({'$inet', _, {Bridge, Out, Id}} = Socket, Destination, Ancillary, Data) ->
    %% in a list, as the stock driver has it: a single byte may be an integer
    try iolist_size([Data]) of
        Size ->
            Ref = erlang:monitor(process, Bridge, [{alias, reply_demonitor}]),
            Empty = term_to_binary({sendto, Id, Ref, {Destination, Ancillary, <<>>}}),
            Head = binary:part(Empty, 0, byte_size(Empty) - 4),
            request(Out, sendto, Ref, [Head, <<Size:32>>, Data])
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

%% A timeout on the wire.
-spec milliseconds(timeout() | integer()) -> integer().
%% As the stock driver has it: the lower 32 bits, of which all ones are for ever.
milliseconds(Timeout) when is_integer(Timeout), Timeout >= 0, Timeout band 16#FFFFFFFF < 16#FFFFFFFF ->
    Timeout band 16#FFFFFFFF;
milliseconds(Timeout) when Timeout =:= infinity; is_integer(Timeout) ->
    -1.

request(Out, Op, Ref, Frame) ->
    try port_command(Out, Frame) of
        true ->
            receive
                {Ref, Reply} -> Reply;
                {'DOWN', Ref, process, _, _} -> closed(Op)
            end
    catch
        error:badarg ->
            erlang:demonitor(Ref, [flush]),
            closed(Op)
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
