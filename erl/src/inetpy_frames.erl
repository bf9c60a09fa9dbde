%% Pure: cuts a stream of bytes into frames with a length of four bytes in front. A large frame is put together when its
%% last byte is there, so the work is linear in the number of bytes.
-module(inetpy_frames).

-export([new/0, feed/2]).
-export_type([buffer/0]).

%% Bytes of one frame. Python says nothing larger: the length of recv has a limit of 64 MB.
-define(MOST, (1 bsl 28)).

%% The beginning of the next frame, last chunk first, and how many bytes it has and needs.
-opaque buffer() :: {[binary()], Have :: non_neg_integer(), Need :: non_neg_integer()}.

-spec new() -> buffer().
new() -> {[], 0, 4}.

%% The frames that are whole now. `no_frames`: the peer speaks something else.
-spec feed(binary(), buffer()) -> {[binary()], buffer()} | no_frames.
feed(Bytes, {[], 0, _}) ->
    cut(Bytes, []);
feed(Bytes, {Chunks, Have, Need}) when Have + byte_size(Bytes) < Need ->
    {[], {[Bytes | Chunks], Have + byte_size(Bytes), Need}};
feed(Bytes, {Chunks, _, _}) ->
    cut(iolist_to_binary(lists:reverse(Chunks, [Bytes])), []).

cut(<<Size:32, Frame:Size/binary, Rest/binary>>, Frames) when Size =< ?MOST -> cut(Rest, [Frame | Frames]);
cut(<<Size:32, _/binary>>, _) when Size > ?MOST -> no_frames;
cut(<<>>, Frames) -> {lists:reverse(Frames), new()};
cut(<<Size:32, _/binary>> = Rest, Frames) -> {lists:reverse(Frames), {[Rest], byte_size(Rest), Size + 4}};
cut(Rest, Frames) -> {lists:reverse(Frames), {[Rest], byte_size(Rest), 4}}.
