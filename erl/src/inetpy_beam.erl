%% A beam under another name, or with calls that go to other modules.
%%
%% A beam has its atoms in a table of their texts, and refers to them by number. The first is the name of the module.
%% So other texts in the table make another module of it, without a compiler and without debug information: releases
%% have neither.
-module(inetpy_beam).

-export([rename/2]).

%% The beam with other names in place of some atoms. Atoms in literal terms stay: those have texts of their own.
-spec rename(#{module() => module()}, binary()) -> binary().
rename(Renamed, Beam) ->
    Chunks = chunks(Beam),
    {_, Table} = lists:keyfind("AtU8", 1, Chunks),
    Names = maps:from_list([{atom_to_binary(From), atom_to_binary(To)} || {From, To} <- maps:to_list(Renamed)]),
    {ok, Result} = beam_lib:build_module(lists:keyreplace("AtU8", 1, Chunks, {"AtU8", renamed(Names, Table)})),
    Result.

%% Those that the emulator runs. beam_lib:all_chunks/1 of OTP 25 reads no beam of OTP 28.
chunks(<<"FOR1", _:32, "BEAM", Chunks/binary>>) -> chunks_of(Chunks);
chunks(Compressed) -> chunks(zlib:gunzip(Compressed)).

chunks_of(<<Id:4/binary, Size:32, Data:Size/binary, Rest/binary>>) ->
    <<_:((4 - Size rem 4) rem 4)/binary, Others/binary>> = Rest,
    [{binary_to_list(Id), Data} | chunks_of(Others)];
chunks_of(<<>>) ->
    [].

%% The compiler of OTP 28 writes the sizes in another encoding, and says so by a negative count of atoms.
renamed(Names, <<Count:32/signed, Atoms/binary>>) ->
    Encoding = if Count < 0 -> compact; true -> byte end,
    iolist_to_binary([<<Count:32/signed>> | renamed(Encoding, Names, Atoms)]).

renamed(_, _, <<>>) ->
    [];
renamed(Encoding, Names, Atoms) ->
    {Size, Texts} = read_size(Encoding, Atoms),
    <<Name:Size/binary, Rest/binary>> = Texts,
    To = maps:get(Name, Names, Name),
    [write_size(Encoding, byte_size(To)), To | renamed(Encoding, Names, Rest)].

read_size(byte, <<Size, Rest/binary>>) -> {Size, Rest};
read_size(compact, <<Size:4, 0:4, Rest/binary>>) -> {Size, Rest};
read_size(compact, <<High:3, 2#01000:5, Low, Rest/binary>>) -> {High bsl 8 bor Low, Rest}.

write_size(byte, Size) -> Size;
write_size(compact, Size) when Size < 16 -> Size bsl 4;
write_size(compact, Size) -> <<(Size bsr 8):3, 2#01000:5, Size:8>>.
